/*
 * mremap(2) over regions. The pages themselves are moved by the host. Called with guest addresses
 * by guest ABIs; changes happen with the lock held and, in a paged space, other vCPUs parked.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "mem/internal.h"

#ifndef MREMAP_DONTUNMAP
  #define MREMAP_DONTUNMAP 4
#endif

struct remap_work {
    uint64_t old, old_size, new_size, wanted, out;
    uint32_t flags;
};

/* Is [start, end) one mapping for the guest? */
static bool one_mapping(const struct region_set *set, uint64_t start, uint64_t end) {
    size_t k = region_index(set, start);
    if (k == set->count || set->v[k].start > start)
        return false;
    for (; set->v[k].end < end; k++)
        if (k + 1 == set->count || !region_alike(&set->v[k], &set->v[k + 1]))
            return false;
    return true;
}

static void *pointer(uint64_t host) {
    return (void *)(uintptr_t)host;
}

/* The host may see two mappings where the guest sees one and refuse to move them together. Private
 * anonymous memory has no identity: its bytes can be moved instead. */
static int move_bytes(const struct region *r, uint64_t from, uint64_t size, uint64_t grown,
                      uint64_t to) {
    const uint32_t kind = BLINK_MAP_SHARED | BLINK_MAP_ANON;
    if ((r->flags & kind) != BLINK_MAP_ANON)
        return -EFAULT;
    if (mmap(pointer(to), grown, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
             -1, 0) == MAP_FAILED)
        return -errno;
    if (mprotect(pointer(from), size, PROT_READ | PROT_WRITE))
        return -errno;
    memcpy(pointer(to), pointer(from), size);
    if (mprotect(pointer(to), grown, backing_prot(r->prot)))
        return -errno;
    return munmap(pointer(from), size) ? -errno : 0;
}

/* Move the host's pages at `from` to `to`, which is claimed. */
static int move_host(struct blink_mem *mem, const struct region *r, uint64_t from, uint64_t size,
                     uint64_t grown, uint64_t to, uint32_t flags) {
    int how = MREMAP_MAYMOVE | MREMAP_FIXED;
    if (flags & BLINK_REMAP_DONTUNMAP)
        how |= MREMAP_DONTUNMAP;
    if (mremap(pointer(from), size, grown, how, pointer(to)) == MAP_FAILED) {
        int rc = errno == EFAULT && size && !(flags & BLINK_REMAP_DONTUNMAP)
                     ? move_bytes(r, from, size, grown, to)
                     : -errno;
        if (rc)
            return rc;
    }
    if (size && !(flags & BLINK_REMAP_DONTUNMAP))
        backing_moved(mem, r->start, r->start + size, from);
    return 0;
}

/*
 * Move the pieces of [old, old + size) to `at`, whose backing begins at `host`; the last one grows
 * to make `new_size`. `size` 0: a second mapping of a shared one.
 */
static int move(struct blink_mem *mem, const struct remap_work *w, uint64_t size, uint64_t at,
                uint64_t host) {
    uint64_t done = 0;
    int rc = 0;
    do {
        struct region r = *region_at(&mem->regions, w->old + done);
        uint64_t from = w->old + done, skip = from - r.start, n = r.end - from;
        if (n > size - done)
            n = size - done;
        uint64_t grown = done + n == size ? w->new_size - done : n;
        r.start = from;
        r.host += skip;
        r.offset += r.flags & BLINK_MAP_ANON ? 0 : skip;
        rc = region_reserve(&mem->regions, 3);
        if (rc == 0)
            rc = move_host(mem, &r, r.host, n, grown, host + done, w->flags);
        if (rc)
            break;
        region_object_ref(r.object);
        if (!(w->flags & BLINK_REMAP_DONTUNMAP))
            region_cut(&mem->regions, from, from + n);
        r.start = at + done;
        r.end = at + done + grown;
        r.host = host + done;
        region_insert(&mem->regions, &r);
        done += n;
    } while (done < size);
    if (rc)
        backing_unclaim(mem, at + done, at + w->new_size, host + done);
    return rc;
}

/* Linear memory: the host grows its own mapping if nothing is behind it. */
static int grow_linear(struct blink_mem *mem, uint64_t end, uint64_t more) {
    struct region *r = region_at(&mem->regions, end - 1);
    uint64_t last = end - BLINK_PAGE_SIZE;
    void *p = backing_pointer(r, last);
    if (mremap(p, BLINK_PAGE_SIZE, BLINK_PAGE_SIZE + more, 0) == MAP_FAILED)
        return -errno;
    if (r->end == end) {
        r->end += more;
        region_join(&mem->regions, end, r->end);
    }
    return 0;
}

static int grow_in_place(struct blink_mem *mem, const struct remap_work *w) {
    uint64_t end = w->old + w->old_size, more = w->new_size - w->old_size, host;
    if (mem_check_range(mem, w->old, w->new_size) || region_any(&mem->regions, end, end + more))
        return -ENOMEM;
    if (mem->strategy == MEM_LINEAR)
        return grow_linear(mem, end, more);
    /* The guest's address stays, the place in physical memory need not. */
    int rc = backing_claim(mem, w->old, w->old + w->new_size, 0, false, &host);
    return rc ? rc : move(mem, w, w->old_size, w->old, host);
}

static int move_somewhere(struct blink_mem *mem, struct remap_work *w) {
    uint64_t host;
    const struct region *r = region_at(&mem->regions, w->old);
    int rc = mem_place(mem, 0, w->new_size, r->flags & BLINK_MAP_GROWSDOWN, &w->out, &host);
    return rc ? rc : move(mem, w, w->old_size, w->out, host);
}

static int move_fixed(struct blink_mem *mem, struct remap_work *w) {
    uint64_t host, size = w->old_size, end = w->wanted + w->new_size;
    mem_unmap_locked(mem, w->wanted, end);
    if (size > w->new_size) {
        int rc = region_reserve(&mem->regions, 1);
        if (rc)
            return rc;
        mem_unmap_locked(mem, w->old + w->new_size, w->old + size);
        size = w->new_size;
    }
    int rc = backing_claim(mem, w->wanted, end, 0, false, &host);
    w->out = w->wanted;
    return rc ? rc == -EEXIST ? -ENOMEM : rc : move(mem, w, size, w->wanted, host);
}

static int remap_locked(struct blink_mem *mem, void *arg) {
    struct remap_work *w = arg;
    int rc = region_reserve(&mem->regions, 3);
    if (rc)
        return rc;
    uint64_t end = w->old + w->old_size;
    const struct region *r = region_at(&mem->regions, w->old);
    if (!r || !one_mapping(&mem->regions, w->old, end))
        return -EFAULT;
    if (w->old_size == 0 && (!(r->flags & BLINK_MAP_SHARED) || !(w->flags & BLINK_REMAP_MAYMOVE)))
        return -EINVAL;
    mem_invalidate(mem, w->old, end);
    /* A second mapping that can be written, of what may have code. */
    if (w->old_size == 0 && r->object && (r->prot & BLINK_PROT_WRITE))
        code_drop_file(mem, r->object->inode, r->object->device);
    w->out = w->old;
    if (w->flags & BLINK_REMAP_FIXED)
        return move_fixed(mem, w);
    if ((w->flags & BLINK_REMAP_DONTUNMAP) || w->old_size == 0)
        return move_somewhere(mem, w);
    if (w->new_size <= w->old_size) {
        mem_unmap_locked(mem, w->old + w->new_size, end);
        return 0;
    }
    rc = grow_in_place(mem, w);
    if (rc && (w->flags & BLINK_REMAP_MAYMOVE) && one_mapping(&mem->regions, w->old, end))
        rc = move_somewhere(mem, w);
    return rc;
}

int mem_remap(struct blink_mem *mem, uint64_t address, uint64_t old_size, uint64_t new_size,
              uint32_t flags, uint64_t new_address, uint64_t *out) {
    const uint32_t all = BLINK_REMAP_MAYMOVE | BLINK_REMAP_FIXED | BLINK_REMAP_DONTUNMAP;
    struct remap_work w = {
        .old = address,
        .old_size = PAGE_UP(old_size),
        .new_size = PAGE_UP(new_size),
        .wanted = new_address,
        .flags = flags,
    };
    bool moves = flags & (BLINK_REMAP_FIXED | BLINK_REMAP_DONTUNMAP);
    if ((flags & ~all) || (address & PAGE_MASK) || w.new_size == 0)
        return -EINVAL;
    if (moves && !(flags & BLINK_REMAP_MAYMOVE))
        return -EINVAL;
    if ((flags & BLINK_REMAP_DONTUNMAP) && w.old_size != w.new_size)
        return -EINVAL;
    /* As Linux, for which shrinking is an munmap of the rest. */
    if (mem_check_range(mem, address, w.old_size))
        return w.new_size < w.old_size ? -EINVAL : -EFAULT;
    if (w.new_size > mem->top)
        return -ENOMEM;
    if (flags & BLINK_REMAP_FIXED) {
        if (mem_check_range(mem, new_address, w.new_size))
            return -EINVAL;
        if (new_address < mem->min)
            return -EPERM;
        if (new_address < address + w.old_size && new_address + w.new_size > address)
            return -EINVAL;
    }
    int rc = mem_mutate(mem, true, remap_locked, &w);
    if (rc == 0)
        *out = w.out;
    return rc;
}
