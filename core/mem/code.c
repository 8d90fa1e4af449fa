/*
 * Which pages have translated code, and what happens when they are written. In linear memory the
 * host's page is write-protected and the store faults (fault.c); in paged memory it has no
 * entry for writing in any TLB and mem_translate sees it.
 *
 * A page of a shared mapping that can also be written through another mapping of the same file is
 * never tracked: its blocks run once. Writes by write(2) or by another process are not noticed.
 */
#include "mem/code.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "mem/internal.h"

static uint64_t ticks(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ((uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec) / CODE_TICK_NS;
}

void code_finish(struct code_set *set) {
    free(set->slots);
    *set = (struct code_set){0};
}

static size_t slot_of(const struct code_set *set, uint64_t key) {
    size_t mask = set->capacity - 1;
    size_t k = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 20) & mask;
    while (set->slots[k].key && set->slots[k].key != key)
        k = (k + 1) & mask;
    return k;
}

static struct code_page *find(const struct code_set *set, uint64_t address) {
    if (!set->capacity)
        return NULL;
    struct code_page *p = &set->slots[slot_of(set, (address >> 12) + 1)];
    return p->key ? p : NULL;
}

static bool grow(struct code_set *set) {
    struct code_set bigger = {.capacity = set->capacity ? set->capacity * 2 : 64,
                              .used = set->used,
                              .tracked = set->tracked};
    bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
    if (!bigger.slots)
        return false;
    for (size_t k = 0; k < set->capacity; k++)
        if (set->slots[k].key)
            bigger.slots[slot_of(&bigger, set->slots[k].key)] = set->slots[k];
    free(set->slots);
    *set = bigger;
    return true;
}

static struct code_page *enter(struct code_set *set, uint64_t address) {
    struct code_page *p = find(set, address);
    if (p)
        return p;
    if (set->used * 2 >= set->capacity && !grow(set))
        return NULL;
    p = &set->slots[slot_of(set, (address >> 12) + 1)];
    p->key = (address >> 12) + 1;
    p->stamp = ticks();
    set->used++;
    return p;
}

bool code_is_tracked(const struct blink_mem *mem, uint64_t address) {
    const struct code_page *p = mem->code.tracked ? find(&mem->code, address) : NULL;
    return p && p->tracked;
}

static void decay(struct code_page *p) {
    uint64_t now = ticks(), gone = now - p->stamp;
    p->writes = gone < 32 ? p->writes >> gone : 0;
    p->stamp = now;
}

/* Linear memory: let the guest write the page again, or keep it from that. */
static bool host_protect(struct blink_mem *mem, uint64_t page, bool writable) {
    const struct region *r = region_at(&mem->regions, page);
    if (mem->strategy != MEM_LINEAR || !r || !(r->prot & BLINK_PROT_WRITE))
        return true;
    return mprotect(backing_pointer(r, page), BLINK_PAGE_SIZE,
                    writable ? PROT_READ | PROT_WRITE : PROT_READ) == 0;
}

static void drop_page(struct blink_mem *mem, struct code_page *p, bool written) {
    uint64_t linear = p->linear << 12;
    if (written) {
        decay(p);
        p->writes++;
    }
    p->tracked = false;
    mem->code.tracked--;
    if (mem->hooks.drop_code) {
        if (p->aliased)
            mem->hooks.drop_code(mem->hooks.arg, 0, UINT64_MAX);
        else
            mem->hooks.drop_code(mem->hooks.arg, linear, linear + BLINK_PAGE_SIZE);
    }
    host_protect(mem, (p->key - 1) << 12, true);
}

void code_drop(struct blink_mem *mem, uint64_t start, uint64_t end, bool written) {
    struct code_set *set = &mem->code;
    start = PAGE_DOWN(start);
    if (!set->tracked || start >= end)
        return;
    if ((end - start) >> 12 <= set->capacity) {
        for (uint64_t at = start; at < end && set->tracked; at += BLINK_PAGE_SIZE) {
            struct code_page *p = find(set, at);
            if (p && p->tracked)
                drop_page(mem, p, written);
        }
        return;
    }
    for (size_t k = 0; k < set->capacity && set->tracked; k++) {
        struct code_page *p = &set->slots[k];
        if (p->tracked && (p->key - 1) << 12 >= start && (p->key - 1) << 12 < end)
            drop_page(mem, p, written);
    }
}

void code_drop_file(struct blink_mem *mem, uint64_t inode, uint64_t device) {
    for (size_t k = 0; mem->code.tracked && k < mem->regions.count; k++) {
        const struct region *r = &mem->regions.v[k];
        if ((r->flags & BLINK_MAP_SHARED) && r->object && r->object->inode == inode &&
            r->object->device == device)
            code_drop(mem, r->start, r->end, false);
    }
}

static bool written_elsewhere(const struct blink_mem *mem, const struct region *r) {
    if (!(r->flags & BLINK_MAP_SHARED) || !r->object)
        return false;
    for (size_t k = 0; k < mem->regions.count; k++) {
        const struct region *o = &mem->regions.v[k];
        if (o != r && (o->flags & BLINK_MAP_SHARED) && (o->prot & BLINK_PROT_WRITE) && o->object &&
            o->object->inode == r->object->inode && o->object->device == r->object->device)
            return true;
    }
    return false;
}

static bool lent(const struct blink_mem *mem, uint64_t page) {
    for (size_t k = 0; k < mem->pin_count; k++)
        if ((mem->pins[k].access & BLINK_PROT_WRITE) && mem->pins[k].start <= page &&
            mem->pins[k].end > page)
            return true;
    return false;
}

/* Track one page; *open if TLBs may still hold it as writable. `key` is its linear address, or in
 * a system space its physical one. */
static bool track_page(struct blink_mem *mem, uint64_t key, uint64_t linear, bool *open) {
    const struct region *r = region_at(&mem->regions, key);
    *open = false;
    /* The fetch fails, unless another thread makes it code meanwhile. */
    if (!mem->system && (!r || !(r->prot & BLINK_PROT_EXEC)))
        return false;
    if (lent(mem, key) || (r && written_elsewhere(mem, r)))
        return false;
    struct code_page *p = enter(&mem->code, key);
    if (!p)
        return false;
    if (p->tracked) {
        p->aliased = p->aliased || p->linear != linear >> 12;
        *open = !p->settled;
        return true;
    }
    if (p->writes) {
        decay(p);
        if (p->writes >= CODE_VOLATILE_WRITES)
            return false;
    }
    if (!host_protect(mem, key, false))
        return false;
    p->tracked = true;
    p->aliased = false;
    p->settled = mem->strategy == MEM_LINEAR;
    p->linear = linear >> 12;
    mem->code.tracked++;
    *open = !p->settled;
    return true;
}

struct shootdown {
    uint64_t key, linear;
};

static int forget_writes(struct blink_mem *mem, void *arg) {
    const struct shootdown *s = arg;
    struct code_page *p = find(&mem->code, s->key);
    if (mem->system)
        tlb_flush_all(mem);
    else
        tlb_flush_range(mem, s->linear, s->linear + BLINK_PAGE_SIZE);
    if (p)
        p->settled = true;
    return 0;
}

/* Track the page at linear address `at`, which is its first byte. */
static bool track(struct blink_mem *mem, struct blink_cpu *cpu, uint64_t at) {
    struct shootdown s = {at, at};
    struct mem_fault fault;
    struct walk w;
    bool open = false, ok = true;
    mem_lock(mem);
    bool there = !mem->system || walk_linear(mem, cpu, at, BLINK_PROT_EXEC, &w, &fault);
    if (there) {
        s.key = mem->system ? PAGE_DOWN(w.phys) : at;
        ok = track_page(mem, s.key, at, &open);
    }
    mem_unlock(mem);
    /* Also when another vCPU has begun to track it: its shootdown may not have happened yet. */
    if (open)
        mem_mutate(mem, true, forget_writes, &s);
    return ok;
}

bool mem_code_track(struct blink_cpu *cpu, uint64_t start, uint64_t end) {
    bool ok = true;
    /* By count: `end` may be the end of all addresses. */
    uint64_t at = PAGE_DOWN(start), pages = ((end - 1 - at) >> 12) + 1;
    for (; pages > 0 && ok; pages--, at += BLINK_PAGE_SIZE)
        ok = track(cpu->mem, cpu, at);
    return ok;
}

bool mem_code_is_tracked(struct blink_cpu *cpu, uint64_t start, uint64_t end) {
    struct blink_mem *mem = cpu->mem;
    struct mem_fault fault;
    struct walk w = {0};
    bool ok = true;
    mem_lock(mem);
    for (uint64_t at = PAGE_DOWN(start); at < end && ok; at += BLINK_PAGE_SIZE) {
        ok = !mem->system || walk_linear(mem, cpu, at, BLINK_PROT_EXEC, &w, &fault);
        const struct code_page *p = ok ? find(&mem->code, mem->system ? w.phys : at) : NULL;
        ok = p && p->tracked && p->settled;
    }
    mem_unlock(mem);
    return ok;
}

void mem_code_forget(struct blink_mem *mem) {
    mem_lock(mem);
    for (size_t k = 0; k < mem->code.capacity && mem->code.tracked; k++) {
        struct code_page *p = &mem->code.slots[k];
        if (!p->tracked)
            continue;
        p->tracked = false;
        mem->code.tracked--;
        host_protect(mem, (p->key - 1) << 12, true);
    }
    mem_unlock(mem);
}
