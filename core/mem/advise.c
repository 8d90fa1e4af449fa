/*
 * madvise(2) and msync(2): the host does them on the memory behind each region.
 */
#include <errno.h>
#include <sys/mman.h>

#include "mem/internal.h"

struct advise_work {
    uint64_t start, end;
    uint32_t advice;
};

static int host_advice(uint32_t advice) {
    static const int table[] = {
        [BLINK_ADVISE_DONTNEED] = MADV_DONTNEED,
        [BLINK_ADVISE_FREE] = MADV_FREE,
        [BLINK_ADVISE_WILLNEED] = MADV_WILLNEED,
    };
    return table[advice];
}

static int advise_locked(struct blink_mem *mem, void *arg) {
    const struct advise_work *w = arg;
    const uint32_t kind = BLINK_MAP_SHARED | BLINK_MAP_ANON;
    bool hole = false;
    uint64_t at = w->start;
    for (size_t k = region_index(&mem->regions, at); at < w->end; k++) {
        bool last = k == mem->regions.count || mem->regions.v[k].start >= w->end;
        hole = hole || last || mem->regions.v[k].start > at;
        if (last)
            break;
        const struct region *r = &mem->regions.v[k];
        uint64_t from = r->start > at ? r->start : at;
        at = r->end < w->end ? r->end : w->end;
        if (w->advice == BLINK_ADVISE_OTHER)
            continue;
        if (w->advice == BLINK_ADVISE_FREE && (r->flags & kind) != BLINK_MAP_ANON)
            return -EINVAL;
        if (w->advice != BLINK_ADVISE_WILLNEED)
            code_drop(mem, from, at, false);
        if (madvise(backing_pointer(r, from), at - from, host_advice(w->advice)))
            return -errno;
    }
    /* As Linux: what is mapped is advised all the same. */
    return hole ? -ENOMEM : 0;
}

int mem_advise(struct blink_mem *mem, uint64_t address, uint64_t size, uint32_t advice) {
    uint64_t whole = PAGE_UP(size);
    if ((address & PAGE_MASK) || advice > BLINK_ADVISE_OTHER || (size && !whole))
        return -EINVAL;
    if (size == 0)
        return 0;
    if (mem_check_range(mem, address, whole))
        return -ENOMEM;
    struct advise_work w = {address, address + whole, advice};
    return mem_mutate(mem, false, advise_locked, &w);
}

int mem_sync(struct blink_mem *mem, uint64_t address, uint64_t size, int32_t flags) {
    uint64_t whole = PAGE_UP(size);
    if ((address & PAGE_MASK) || (flags & ~(MS_SYNC | MS_ASYNC | MS_INVALIDATE)) ||
        (flags & (MS_SYNC | MS_ASYNC)) == (MS_SYNC | MS_ASYNC))
        return -EINVAL;
    if (size == 0)
        return 0;
    if (whole == 0 || mem_check_range(mem, address, whole))
        return -ENOMEM;
    bool hole = false;
    for (uint64_t at = address, end = address + whole; at < end;) {
        /* The host may take long, so without the lock: what goes away meanwhile is ENOMEM. */
        mem_lock(mem);
        size_t k = region_index(&mem->regions, at);
        bool last = k == mem->regions.count || mem->regions.v[k].start >= end;
        struct region r = last ? (struct region){.start = end, .end = end} : mem->regions.v[k];
        mem_unlock(mem);
        hole = hole || r.start > at;
        if (last)
            break;
        uint64_t from = r.start > at ? r.start : at;
        at = r.end < end ? r.end : end;
        if (msync(backing_pointer(&r, from), at - from, flags))
            return -errno;
    }
    return hole ? -ENOMEM : 0;
}
