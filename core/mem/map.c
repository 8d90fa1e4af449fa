/*
 * map, unmap and protect, and stacks that grow. Regions are changed with the lock held; in a paged
 * space with several vCPUs the others are parked while what they may hold in a TLB changes.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mem/internal.h"

#define LOW_2G     UINT64_C(0x80000000)
#define GROW_CHUNK UINT64_C(0x10000)

int mem_check_range(const struct blink_mem *mem, uint64_t address, uint64_t size) {
    if (address & PAGE_MASK)
        return -EINVAL;
    return size > mem->top || address > mem->top - size ? -ENOMEM : 0;
}

bool mem_allowed(uint32_t prot, uint32_t access) {
    /* x86 tables cannot forbid reading what may be written or executed. */
    return access == BLINK_PROT_READ ? prot != 0 : (prot & access) == access;
}

void mem_invalidate(struct blink_mem *mem, uint64_t start, uint64_t end) {
    code_drop(mem, start, end, false);
    if (mem->strategy == MEM_PAGED) {
        walk_clear(mem, start, end);
        tlb_flush_range(mem, start, end);
    }
}

void mem_unmap_locked(struct blink_mem *mem, uint64_t start, uint64_t end) {
    mem_invalidate(mem, start, end);
    for (size_t k = region_index(&mem->regions, start);
         k < mem->regions.count && mem->regions.v[k].start < end; k++) {
        const struct region *r = &mem->regions.v[k];
        uint64_t from = r->start > start ? r->start : start, to = r->end < end ? r->end : end;
        backing_release(mem, from, to, r->host + (from - r->start));
    }
    region_cut(&mem->regions, start, end);
}

/* Highest free place in [low, high); linear memory goes around what the host has there. */
static int place_between(struct blink_mem *mem, uint64_t low, uint64_t high, uint64_t size,
                         bool stack, uint64_t *out, uint64_t *host) {
    for (;;) {
        uint64_t at = low < high ? region_gap(&mem->regions, low, high, size, MEM_GUARD) : 0, taken;
        if (!at)
            return -ENOMEM;
        int rc = backing_claim(mem, at, at + size, 0, stack, host);
        if (rc == 0)
            *out = at;
        if (rc != -EEXIST)
            return rc;
        if (!backing_obstacle(mem, at, at + size, &taken) || taken >= at + size)
            return -ENOMEM;
        high = taken;
    }
}

/* Can a hint be followed: free, not in the gap below a stack, and below `limit`? */
static bool hint_is_good(const struct blink_mem *mem, uint64_t hint, uint64_t size,
                         uint64_t limit) {
    if (!hint || size > limit || hint > limit - size)
        return false;
    uint64_t end = hint + size;
    size_t k = region_index(&mem->regions, hint);
    if (k == mem->regions.count)
        return true;
    const struct region *r = &mem->regions.v[k];
    uint64_t gap = r->flags & BLINK_MAP_GROWSDOWN ? MEM_GUARD : 0;
    return r->start >= end && r->start - end >= gap;
}

int mem_place(struct blink_mem *mem, uint64_t hint, uint64_t size, uint32_t flags, uint64_t *out,
              uint64_t *host) {
    bool stack = flags & BLINK_MAP_GROWSDOWN, low = flags & BLINK_MAP_32BIT;
    uint64_t limit = low && mem->top > LOW_2G ? LOW_2G : mem->top;
    hint = PAGE_DOWN(hint);
    if (hint && hint < mem->min)
        hint = mem->min;
    if (hint_is_good(mem, hint, size, limit)) {
        int rc = backing_claim(mem, hint, hint + size, 0, stack, host);
        if (rc == 0)
            *out = hint;
        if (rc != -EEXIST)
            return rc;
    }
    if (low)
        return place_between(mem, mem->min, limit, size, stack, out, host);
    int rc = place_between(mem, mem->map_low, mem->map_high, size, stack, out, host);
    /* Too large for the usual range: anywhere, unless the guest ABI has set bounds. */
    if (rc == -ENOMEM && mem->map_default)
        rc = place_between(mem, mem->min, mem->top, size, stack, out, host);
    return rc;
}

struct map_work {
    uint64_t address, size, offset, out;
    uint32_t prot, flags;
    int32_t fd;
    struct region_object *object;
};

static int host_flags(uint32_t flags) {
    static const struct {
        uint32_t guest;
        int host;
    } table[] = {
        {BLINK_MAP_ANON, MAP_ANONYMOUS},
        {BLINK_MAP_NORESERVE, MAP_NORESERVE},
        {BLINK_MAP_POPULATE, MAP_POPULATE},
        {BLINK_MAP_LOCKED, MAP_LOCKED},
    };
    int out = MAP_FIXED | (flags & BLINK_MAP_SHARED ? MAP_SHARED : MAP_PRIVATE);
    for (size_t k = 0; k < sizeof table / sizeof table[0]; k++)
        if (flags & table[k].guest)
            out |= table[k].host;
    return out;
}

/* Choose the address, or check the one that is wished for; its backing is claimed then. */
static int map_address(struct blink_mem *mem, const struct map_work *w, uint64_t *at,
                       uint64_t *host) {
    if (!(w->flags & (BLINK_MAP_FIXED | BLINK_MAP_NOREPLACE)))
        return mem_place(mem, w->address, w->size, w->flags, at, host);
    int rc = mem_check_range(mem, w->address, w->size);
    if (rc)
        return rc;
    if (w->address < mem->min)
        return -EPERM;
    uint64_t end = w->address + w->size;
    if ((w->flags & BLINK_MAP_NOREPLACE) && region_any(&mem->regions, w->address, end))
        return -EEXIST;
    *at = w->address;
    /* A heap that grows piece by piece stays one piece. */
    const struct region *left = w->address ? region_at(&mem->regions, w->address - 1) : NULL;
    rc = backing_claim(mem, w->address, end, left ? left->host + (left->end - left->start) : 0,
                       w->flags & BLINK_MAP_GROWSDOWN, host);
    /* Blink's own memory is there, which the guest must not replace. */
    return rc == -EEXIST && !(w->flags & BLINK_MAP_NOREPLACE) ? -ENOMEM : rc;
}

static int map_locked(struct blink_mem *mem, void *arg) {
    struct map_work *w = arg;
    uint64_t at, host;
    int rc = region_reserve(&mem->regions, 3);
    if (rc || (rc = map_address(mem, w, &at, &host)))
        return rc;
    uint64_t end = at + w->size;
    bool shared_writes = (w->flags & BLINK_MAP_SHARED) && (w->prot & BLINK_PROT_WRITE);
    if (shared_writes && w->object)
        code_drop_file(mem, w->object->inode, w->object->device);
    if (w->flags & BLINK_MAP_FIXED)
        code_drop(mem, at, end, false);
    void *p = mmap((void *)(uintptr_t)host, w->size, backing_prot(w->prot), host_flags(w->flags),
                   w->flags & BLINK_MAP_ANON ? -1 : w->fd, (off_t)w->offset);
    if (p == MAP_FAILED) {
        rc = -errno;
        backing_unclaim(mem, at, end, host);
        return rc;
    }
    /* What was free is in nobody's TLB, and other vCPUs may run now. */
    if (mem->strategy == MEM_PAGED && (w->flags & BLINK_MAP_FIXED))
        mem_unmap_locked(mem, at, end);
    else
        region_cut(&mem->regions, at, end);
    struct region r = {
        .start = at,
        .end = end,
        .host = host,
        .offset = w->flags & BLINK_MAP_ANON ? 0 : w->offset,
        .prot = w->prot,
        .flags = w->flags & REGION_FLAGS,
        .object = region_object_ref(w->object),
    };
    region_insert(&mem->regions, &r);
    w->out = at;
    return 0;
}

static struct region_object *object_of_fd(int fd, int *rc) {
    struct stat st;
    char link[64], name[256];
    *rc = 0;
    if (fstat(fd, &st)) {
        *rc = -errno;
        return NULL;
    }
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, name, sizeof name - 1);
    name[n > 0 ? n : 0] = 0;
    struct region_object *o = region_object_new(st.st_ino, st.st_dev, name);
    *rc = o ? 0 : -ENOMEM;
    return o;
}

/* mremap can give it a second mapping, so what shows the same bytes must be known as such. No file
 * system of the host has that many inodes. */
static struct region_object *shared_object(struct blink_mem *mem, int *rc) {
    mem_lock(mem);
    uint64_t inode = (UINT64_C(1) << 62) + mem->next_shared++;
    mem_unlock(mem);
    struct region_object *o = region_object_new(inode, 0, "");
    *rc = o ? 0 : -ENOMEM;
    return o;
}

int mem_map(struct blink_mem *mem, uint64_t address, uint64_t size, uint32_t prot, uint32_t flags,
            int32_t fd, uint64_t offset, uint64_t *out) {
    const uint32_t all = BLINK_PROT_READ | BLINK_PROT_WRITE | BLINK_PROT_EXEC;
    struct map_work w = {
        .address = address,
        .size = PAGE_UP(size),
        .offset = offset,
        .prot = prot,
        .flags = flags,
        .fd = fd,
    };
    if (size == 0 || (prot & ~all) || (offset & PAGE_MASK))
        return -EINVAL;
    if (mem->system)
        return -ENOTSUP;
    if (w.size == 0 || w.size > mem->top)
        return -ENOMEM;
    bool fixed = flags & (BLINK_MAP_FIXED | BLINK_MAP_NOREPLACE);
    if (fixed && (address & PAGE_MASK))
        return -EINVAL;
    int rc = 0;
    if (!(flags & BLINK_MAP_ANON)) {
        if (offset > INT64_MAX || w.size > INT64_MAX - offset)
            return -EOVERFLOW;
        w.object = object_of_fd(fd, &rc);
    } else if (flags & BLINK_MAP_SHARED) {
        w.object = shared_object(mem, &rc);
    }
    if (rc)
        return rc;
    /* Only what replaces something can be in another vCPU's TLB. */
    rc = mem_mutate(mem, flags & BLINK_MAP_FIXED, map_locked, &w);
    mem_lock(mem);
    region_object_unref(w.object);
    mem_unlock(mem);
    if (rc == 0)
        *out = w.out;
    return rc;
}

struct range_work {
    uint64_t start, end;
    uint32_t prot;
};

static int unmap_locked(struct blink_mem *mem, void *arg) {
    const struct range_work *w = arg;
    int rc = region_reserve(&mem->regions, 1);
    if (rc == 0)
        mem_unmap_locked(mem, w->start, w->end);
    return rc;
}

int mem_unmap(struct blink_mem *mem, uint64_t address, uint64_t size) {
    size = PAGE_UP(size);
    if (size == 0 || mem_check_range(mem, address, size))
        return -EINVAL;
    if (mem->system)
        return mem_set_hole(mem, address, address + size);
    struct range_work w = {.start = address, .end = address + size};
    return mem_mutate(mem, true, unmap_locked, &w);
}

static int protect_locked(struct blink_mem *mem, void *arg) {
    const struct range_work *w = arg;
    int rc = region_reserve(&mem->regions, 2);
    if (rc)
        return rc;
    uint64_t at = w->start;
    while (at < w->end && rc == 0) {
        struct region *r = region_at(&mem->regions, at);
        if (!r) {
            rc = -ENOMEM;
            break;
        }
        uint64_t to = r->end < w->end ? r->end : w->end;
        if (r->prot != w->prot) {
            mem_invalidate(mem, at, to);
            if ((r->flags & BLINK_MAP_SHARED) && (w->prot & BLINK_PROT_WRITE) && r->object)
                code_drop_file(mem, r->object->inode, r->object->device);
            if (mprotect(backing_pointer(r, at), to - at, backing_prot(w->prot)))
                rc = -errno;
        }
        if (rc == 0 && r->prot != w->prot) {
            region_split(&mem->regions, at);
            region_split(&mem->regions, to);
            region_at(&mem->regions, at)->prot = w->prot;
            /* Room for the next one's two splits. */
            rc = region_reserve(&mem->regions, 2);
        }
        at = to;
    }
    region_join(&mem->regions, w->start, at);
    return rc;
}

int mem_protect(struct blink_mem *mem, uint64_t address, uint64_t size, uint32_t prot) {
    const uint32_t all = BLINK_PROT_READ | BLINK_PROT_WRITE | BLINK_PROT_EXEC;
    uint64_t whole = PAGE_UP(size);
    if ((address & PAGE_MASK) || (prot & ~all))
        return -EINVAL;
    if (size == 0)
        return 0;
    if (mem->system)
        return mem_set_rom(mem, address, address + whole, !(prot & BLINK_PROT_WRITE));
    if (whole == 0 || mem_check_range(mem, address, whole))
        return -ENOMEM;
    struct range_work w = {.start = address, .end = address + whole, .prot = prot};
    return mem_mutate(mem, true, protect_locked, &w);
}

/* End of the stack of which region k is the lowest piece. */
static uint64_t stack_end(const struct region_set *set, size_t k) {
    while (k + 1 < set->count && region_alike(&set->v[k], &set->v[k + 1]))
        k++;
    return set->v[k].end;
}

bool mem_grow(struct blink_mem *mem, uint64_t address) {
    struct region_set *set = &mem->regions;
    uint64_t page = PAGE_DOWN(address), host;
    struct rlimit limit;
    size_t k = region_index(set, page);
    if (k == set->count || page < mem->min)
        return false;
    if (set->v[k].start <= page)
        return true;
    if (!(set->v[k].flags & BLINK_MAP_GROWSDOWN) || getrlimit(RLIMIT_STACK, &limit))
        return false;
    uint64_t end = stack_end(set, k), start = set->v[k].start;
    uint64_t room = limit.rlim_cur == RLIM_INFINITY ? end : PAGE_DOWN(limit.rlim_cur);
    uint64_t floor = room < end ? end - room : 0;
    /* What can be touched below keeps its distance; what is PROT_NONE is a guard itself. */
    if (k && set->v[k - 1].end) {
        uint64_t gap = set->v[k - 1].prot ? MEM_GUARD : 0;
        if (set->v[k - 1].end + gap > floor)
            floor = set->v[k - 1].end + gap;
    }
    if (floor < mem->min)
        floor = mem->min;
    if (page < floor || region_reserve(set, 1))
        return false;
    /* Some more than asked for, or a deep stack is made of thousands of faults. */
    uint64_t more = start - page < GROW_CHUNK ? start - GROW_CHUNK : page;
    if (start < GROW_CHUNK || more < floor)
        more = page;
    uint64_t size = start - more;
    if (backing_claim(mem, more, start, set->v[k].host - size, true, &host))
        return false;
    struct region r = set->v[k];
    if (mmap((void *)(uintptr_t)host, size, backing_prot(r.prot), host_flags(r.flags), -1, 0) ==
        MAP_FAILED) {
        backing_unclaim(mem, more, start, host);
        return false;
    }
    r.start = more;
    r.end = start;
    r.host = host;
    region_object_ref(r.object);
    region_insert(set, &r);
    return true;
}

struct region *mem_usable(struct blink_mem *mem, uint64_t address, uint32_t access) {
    struct region *r = region_at(&mem->regions, address);
    if (!r && mem_grow(mem, address))
        r = region_at(&mem->regions, address);
    return r && mem_allowed(r->prot, access) ? r : NULL;
}
