/*
 * Guest arguments as the host's, see arg.h.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "arg.h"

#define NOWHERE_SIZE (64u << 10)
#define SMALL        8u /* of struct lx_pinned */

void *lx_nowhere(struct blink_plugin *abi) {
    void *have = __atomic_load_n(&abi->nowhere, __ATOMIC_ACQUIRE);
    if (have)
        return have;
    void *made = mmap(NULL, NOWHERE_SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED)
        return LX_BEYOND;
    if (__atomic_compare_exchange_n(&abi->nowhere, &have, made, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
        return made;
    munmap(made, NOWHERE_SIZE);
    return have;
}

void lx_nowhere_finish(struct blink_plugin *abi) {
    if (abi->nowhere)
        munmap(abi->nowhere, NOWHERE_SIZE);
    abi->nowhere = NULL;
}

bool lx_is_user(struct lx_call *c, uint64_t address, uint64_t size) {
    uint64_t low, high, top;
    c->abi->mem.get_layout(c->cpu->mem, &low, &high, &top);
    return address <= top && size <= top - address;
}

const void *lx_arg(struct lx_call *c, void *buf, uint64_t src, size_t size) {
    if (!src)
        return NULL;
    if (!lx_is_user(c, src, size))
        return LX_BEYOND;
    return lx_in(c, buf, src, size) < 0 ? lx_nowhere(c->abi) : buf;
}

int64_t lx_give(struct lx_call *c, int64_t result, uint64_t dst, const void *src, size_t size) {
    if (result < 0 || !dst)
        return result;
    return lx_out(c, dst, src, size) < 0 ? -EFAULT : result;
}

/* ---- buffers ---- */

static void begin(struct lx_call *c, uint32_t access, struct lx_pinned *p) {
    memset(p, 0, offsetof(struct lx_pinned, small_iov));
    p->abi = c->abi;
    p->mem = c->cpu->mem;
    p->access = access;
    p->iov = p->small_iov;
    p->range = p->small_range;
    p->heap = NULL;
}

/* Room for more entries, as long as there are none. */
static int grow(struct lx_pinned *p, uint32_t iovs, uint32_t ranges) {
    uint8_t *heap = malloc(iovs * sizeof *p->iov + ranges * sizeof *p->range);
    if (!heap)
        return -ENOMEM;
    p->heap = heap;
    p->iov = (struct iovec *)heap;
    p->range = (struct lx_range *)(heap + iovs * sizeof *p->iov);
    return 0;
}

static void put(struct lx_pinned *p, void *host, uint64_t size) {
    p->iov[p->count++] = (struct iovec){host, size};
}

enum { WHOLE, BROKEN, FULL };

/* Add a range; one entry of `capacity` is kept for what is bad. WHOLE, BROKEN: it was bad
 * somewhere; FULL: it needs more entries; or -ENOMEM. */
static int add(struct lx_call *c, struct lx_pinned *p, uint32_t capacity, uint64_t address,
               uint64_t size) {
    uint64_t covered = size;
    uint32_t n = capacity - 1 - p->count, given = n;
    if (!lx_is_user(c, address, size)) {
        put(p, LX_BEYOND, size < NOWHERE_SIZE ? size : NOWHERE_SIZE);
        return BROKEN;
    }
    if (!size)
        return WHOLE;
    if (!n)
        return FULL;
    int rc = c->abi->mem.pin(p->mem, address, &covered, p->access,
                             (struct blink_mem_span *)&p->iov[p->count], &n);
    if (rc == 0) {
        p->range[p->ranges++] = (struct lx_range){address, covered};
        p->count += n;
        p->size += covered;
        if (covered == size)
            return WHOLE;
        if (n == given)
            return FULL;
    } else if (rc != -EFAULT) {
        return rc;
    } else {
        covered = 0;
    }
    size -= covered;
    put(p, lx_nowhere(c->abi), size < NOWHERE_SIZE ? size : NOWHERE_SIZE);
    return BROKEN;
}

int lx_buffer(struct lx_call *c, uint64_t address, uint64_t size, uint32_t access,
              struct lx_pinned *out) {
    begin(c, access, out);
    /* The host checks the guest's size before it shortens it. */
    if (lx_is_user(c, address, size) && size > LX_RW_MAX)
        size = LX_RW_MAX;
    int rc = add(c, out, SMALL, address, size);
    if (rc == FULL) {
        lx_unpin(out);
        begin(c, access, out);
        rc = grow(out, LX_IOV_MAX, 1);
        if (rc == 0)
            rc = add(c, out, LX_IOV_MAX, address, size);
    }
    if (rc < 0)
        lx_unpin(out);
    /* A buffer of no bytes is still a pointer. */
    if (rc >= 0 && !out->count)
        put(out, lx_nowhere(c->abi), 0);
    return rc < 0 ? rc : 0;
}

static int add_all(struct lx_call *c, struct lx_pinned *p, uint32_t capacity,
                   const struct g_iovec *v, uint64_t count) {
    int rc = WHOLE;
    uint64_t room = LX_RW_MAX;
    for (uint64_t k = 0; k < count && rc == WHOLE; k++) {
        uint64_t size = v[k].len;
        if (lx_is_user(c, v[k].base, size) && size > room)
            size = room;
        rc = add(c, p, capacity, v[k].base, size);
        room -= size < room ? size : room;
    }
    return rc;
}

/* An array that the host refuses as it would the guest's. */
static int bad_array(struct lx_call *c, struct lx_pinned *p, uint64_t count, bool negative) {
    lx_unpin(p);
    if (negative) {
        p->iov = p->small_iov;
        put(p, lx_nowhere(c->abi), UINT64_MAX);
    } else {
        p->iov = lx_nowhere(c->abi);
        p->count = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
    }
    return 0;
}

static int pin_array(struct lx_call *c, const struct g_iovec *v, uint64_t count, uint32_t access,
                     struct lx_pinned *out) {
    int rc = count < SMALL ? add_all(c, out, SMALL, v, count) : FULL;
    if (rc == FULL) {
        lx_unpin(out);
        begin(c, access, out);
        rc = grow(out, LX_IOV_MAX, LX_IOV_MAX);
        if (rc == 0)
            rc = add_all(c, out, LX_IOV_MAX, v, count);
    }
    if (rc < 0)
        lx_unpin(out);
    return rc < 0 ? rc : 0;
}

int lx_buffer_iov(struct lx_call *c, uint64_t vector, uint64_t count, uint32_t access,
                  struct lx_pinned *out) {
    struct g_iovec small[SMALL], *v = small;
    bool negative = false;
    begin(c, access, out);
    if (count > LX_IOV_MAX)
        return bad_array(c, out, count, false);
    if (count > SMALL && !(v = malloc(count * sizeof *v)))
        return -ENOMEM;
    int rc = lx_in(c, v, vector, count * sizeof *v);
    for (uint64_t k = 0; k < count && rc == 0; k++)
        negative |= (int64_t)v[k].len < 0;
    if (rc < 0 || negative)
        rc = bad_array(c, out, count, negative);
    else
        rc = pin_array(c, v, count, access, out);
    if (v != small)
        free(v);
    return rc;
}

void lx_unpin(struct lx_pinned *p) {
    for (uint32_t k = 0; k < p->ranges; k++)
        p->abi->mem.unpin(p->mem, p->range[k].address, p->range[k].size, p->access);
    free(p->heap);
    p->heap = NULL;
    p->ranges = p->count = 0;
}

/* ---- one piece ---- */

int lx_piece(struct lx_call *c, uint64_t address, uint64_t size, uint32_t access,
             struct lx_piece *out) {
    out->copy = NULL;
    out->address = address;
    out->size = size;
    int rc = lx_buffer(c, address, size, access, &out->pinned);
    if (rc < 0)
        return rc;
    out->host = address ? out->pinned.iov[0].iov_base : NULL;
    if (out->pinned.count == 1 && out->pinned.size == size)
        return 0;
    if (out->pinned.size < size) { /* bad somewhere: all of it is */
        if (out->pinned.count && address)
            out->host = lx_nowhere(c->abi);
        return 0;
    }
    out->host = out->copy = malloc(size);
    if (out->copy && access & BLINK_PROT_READ)
        rc = lx_in(c, out->copy, address, size);
    if (out->copy && rc == 0)
        return 0;
    free(out->copy);
    lx_unpin(&out->pinned);
    return rc < 0 ? rc : -ENOMEM;
}

int lx_piece_end(struct lx_call *c, struct lx_piece *piece, uint64_t used) {
    int rc = 0;
    if (piece->copy && piece->pinned.access & BLINK_PROT_WRITE && used)
        rc = lx_out(c, piece->address, piece->copy, used < piece->size ? used : piece->size);
    free(piece->copy);
    lx_unpin(&piece->pinned);
    return rc;
}
