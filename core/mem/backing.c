/*
 * The host mappings behind regions: where they are, how they are reserved and given back. Linear
 * memory lies at guest address + bias among the host's own mappings, which are never replaced;
 * paged memory lies in one reserved window. Callers hold the space's lock.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "mem/internal.h"

/* Guest physical address space of a user program, if the host has room for it. */
#define WINDOW_DEFAULT (UINT64_C(1) << 44)
#define WINDOW_LEAST   (UINT64_C(1) << 30)
#define RAM_DEFAULT    (UINT64_C(64) << 20)

static void *pointer(uint64_t host) {
    return (void *)(uintptr_t)host;
}

/* Code of the guest is data of the host; a page that can be written or executed can be read, as on
 * x86. */
int backing_prot(uint32_t prot) {
    return (prot ? PROT_READ : PROT_NONE) | (prot & BLINK_PROT_WRITE ? PROT_WRITE : 0);
}

/* Nothing of the host may be where we map. */
static int reserve(uint64_t host, uint64_t size) {
    void *p = mmap(pointer(host), size, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (p == MAP_FAILED)
        return -errno;
    if (p != pointer(host)) {
        /* A kernel that does not know the flag took the address for a hint. */
        munmap(p, size);
        return -EEXIST;
    }
    return 0;
}

static bool is_pinned(const struct blink_mem *mem, uint64_t start, uint64_t end) {
    for (size_t k = 0; k < mem->pin_count; k++)
        if (mem->pins[k].start < end && mem->pins[k].end > start)
            return true;
    return false;
}

/* Back to untouched reserved memory. */
static void reset(uint64_t host, uint64_t size) {
    mmap(pointer(host), size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
         -1, 0);
}

/* What the host still works on stays ours, without access: a write that comes late must not reach
 * what the host would put there. Without memory to remember it that is for ever. */
static void release_linear(struct blink_mem *mem, uint64_t start, uint64_t end) {
    if (start == end)
        return;
    if (!is_pinned(mem, start, end)) {
        munmap(pointer(start + mem->bias), end - start);
        return;
    }
    reset(start + mem->bias, end - start);
    extent_add(&mem->limbo, start, end);
}

/* Linear: a hole of the guest's, of which parts may be kept from the host since they are pinned. */
static int claim_hole(struct blink_mem *mem, uint64_t start, uint64_t end) {
    struct extent kept;
    for (uint64_t at = start; at < end; at = kept.end) {
        if (!extent_first(&mem->limbo, at, end, &kept))
            kept = (struct extent){end, end};
        int rc = kept.start > at ? reserve(at + mem->bias, kept.start - at) : 0;
        if (rc == 0 && kept.end > kept.start &&
            extent_take(&mem->limbo, kept.end - kept.start, kept.start, false) != kept.start)
            rc = -ENOMEM;
        if (rc) {
            release_linear(mem, start, at);
            return rc;
        }
    }
    return 0;
}

static int claim_linear(struct blink_mem *mem, uint64_t start, uint64_t end) {
    uint64_t at = start;
    for (size_t k = region_index(&mem->regions, start); at < end; k++) {
        bool last = k == mem->regions.count || mem->regions.v[k].start >= end;
        uint64_t hole = last ? end : mem->regions.v[k].start;
        int rc = hole > at ? claim_hole(mem, at, hole) : 0;
        if (rc) {
            backing_unclaim(mem, start, at, start + mem->bias);
            return rc;
        }
        at = last ? end : mem->regions.v[k].end;
    }
    return 0;
}

int backing_claim(struct blink_mem *mem, uint64_t start, uint64_t end, uint64_t near, bool high,
                  uint64_t *host) {
    if (mem->strategy == MEM_LINEAR) {
        *host = start + mem->bias;
        return claim_linear(mem, start, end);
    }
    uint64_t base = (uintptr_t)mem->phys;
    uint64_t at = extent_take(&mem->free, end - start, near ? near - base : 0, high);
    if (at == UINT64_MAX)
        return -ENOMEM;
    *host = base + at;
    return 0;
}

static void give_back(struct blink_mem *mem, uint64_t host, uint64_t size) {
    uint64_t at = host - (uintptr_t)mem->phys;
    /* Without memory to remember it the range stays reserved and unused. */
    extent_add(&mem->free, at, at + size);
}

void backing_unclaim(struct blink_mem *mem, uint64_t start, uint64_t end, uint64_t host) {
    if (mem->strategy == MEM_PAGED) {
        reset(host, end - start);
        give_back(mem, host, end - start);
        return;
    }
    uint64_t at = start;
    for (size_t k = region_index(&mem->regions, start); at < end; k++) {
        bool last = k == mem->regions.count || mem->regions.v[k].start >= end;
        uint64_t hole = last ? end : mem->regions.v[k].start;
        release_linear(mem, at, hole > at ? hole : at);
        at = last ? end : mem->regions.v[k].end;
    }
}

void backing_release(struct blink_mem *mem, uint64_t start, uint64_t end, uint64_t host) {
    uint64_t at = host - (uintptr_t)mem->phys;
    if (mem->strategy == MEM_LINEAR) {
        release_linear(mem, start, end);
    } else if (is_pinned(mem, start, end)) {
        /* The host still works on these pages: they must not become another mapping's. */
        extent_add(&mem->limbo, at, at + (end - start));
    } else {
        reset(host, end - start);
        give_back(mem, host, end - start);
    }
}

void backing_moved(struct blink_mem *mem, uint64_t start, uint64_t end, uint64_t host) {
    uint64_t at = host - (uintptr_t)mem->phys;
    /* If another thread of the host took the hole meanwhile, it is lost to us. */
    if (mem->strategy == MEM_LINEAR && is_pinned(mem, start, end) &&
        reserve(host, end - start) == 0)
        extent_add(&mem->limbo, start, end);
    if (mem->strategy == MEM_LINEAR || reserve(host, end - start))
        return;
    if (is_pinned(mem, start, end))
        extent_add(&mem->limbo, at, at + (end - start));
    else
        give_back(mem, host, end - start);
}

void backing_flush_limbo(struct blink_mem *mem) {
    for (size_t k = 0; k < mem->limbo.count; k++) {
        const struct extent *e = &mem->limbo.v[k];
        if (mem->strategy == MEM_LINEAR) {
            munmap(pointer(e->start + mem->bias), e->end - e->start);
            continue;
        }
        reset((uintptr_t)mem->phys + e->start, e->end - e->start);
        extent_add(&mem->free, e->start, e->end);
    }
    mem->limbo.count = 0;
}

bool backing_obstacle(struct blink_mem *mem, uint64_t start, uint64_t end, uint64_t *low) {
    FILE *f = fopen("/proc/self/maps", "re");
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    while (f && !found && getline(&line, &room, f) > 0) {
        char *rest;
        uint64_t a = strtoull(line, &rest, 16), b = *rest == '-' ? strtoull(rest + 1, NULL, 16) : 0;
        found = a < end + mem->bias && b > start + mem->bias;
        if (found)
            *low = a - mem->bias;
    }
    free(line);
    if (f)
        fclose(f);
    return found;
}

static int create_ram(struct blink_mem *mem, uint64_t size) {
    mem->phys_size = PAGE_UP(size ? size : RAM_DEFAULT);
    void *p = mmap(NULL, mem->phys_size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return -errno;
    mem->phys = p;
    return 0;
}

int backing_create(struct blink_mem *mem, uint64_t size) {
    if (mem->system)
        return create_ram(mem, size);
    if (size && size < WINDOW_LEAST / 64)
        return -EINVAL;
    for (uint64_t n = size ? PAGE_UP(size) : WINDOW_DEFAULT;; n /= 2) {
        void *p = mmap(NULL, n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p != MAP_FAILED) {
            mem->phys = p;
            mem->phys_size = n;
            /* Physical page 0 stays unused: an entry of a table that is all zeros is none. */
            return extent_add(&mem->free, BLINK_PAGE_SIZE, n);
        }
        if (size || n <= WINDOW_LEAST)
            return -errno;
    }
}

void backing_destroy(struct blink_mem *mem) {
    if (mem->strategy == MEM_PAGED && mem->phys)
        munmap(mem->phys, mem->phys_size);
    for (size_t k = 0; mem->strategy == MEM_LINEAR && k < mem->regions.count; k++)
        munmap(pointer(mem->regions.v[k].host), mem->regions.v[k].end - mem->regions.v[k].start);
    free(mem->devices.v);
    free(mem->holes.v);
    free(mem->roms.v);
    free(mem->free.v);
    free(mem->limbo.v);
}
