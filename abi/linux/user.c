/*
 * Guest memory for the system calls: copies, strings, vectors of strings, pinned buffers. What is
 * pinned belongs to the struct lx_pinned until lx_unpin. vCPU threads.
 */
#include <stdlib.h>
#include <string.h>

#include "linux.h"

int lx_in(struct lx_call *c, void *dst, uint64_t src, size_t size) {
    return c->abi->mem.copy_in(c->cpu->mem, dst, src, size);
}

int lx_out(struct lx_call *c, uint64_t dst, const void *src, size_t size) {
    return c->abi->mem.copy_out(c->cpu->mem, dst, src, size);
}

int lx_out_opt(struct lx_call *c, uint64_t dst, const void *src, size_t size) {
    return dst ? lx_out(c, dst, src, size) : 0;
}

int lx_string(struct lx_call *c, char *dst, uint64_t src, size_t max) {
    int64_t n = c->abi->mem.copy_string(c->cpu->mem, dst, src, max);
    return n < 0 ? (int)n : 0;
}

/* ---- vectors of strings ---- */

/* Both the pointers and the strings of one vector, growing. */
struct vector {
    char **item;
    size_t count, room;
};

static int vector_add(struct vector *v, char *string) {
    if (v->count + 1 >= v->room) {
        size_t room = v->room ? v->room * 2 : 64;
        char **item = realloc(v->item, room * sizeof *item);
        if (!item)
            return -ENOMEM;
        v->item = item;
        v->room = room;
    }
    v->item[v->count++] = string;
    v->item[v->count] = NULL;
    return 0;
}

void lx_strings_free(char **strings) {
    if (!strings)
        return;
    for (char **s = strings; *s; s++)
        free(*s);
    free(strings);
}

/* Room for one string on Linux: MAX_ARG_STRLEN. */
#define STRING_MAX (32u * BLINK_PAGE_SIZE)

/* One string in memory of its own, and the bytes it takes of the budget. */
static int take_string(struct lx_call *c, uint64_t address, char *scratch, size_t *used,
                       char **out) {
    int64_t n = c->abi->mem.copy_string(c->cpu->mem, scratch, address, STRING_MAX);
    if (n < 0)
        return n == -ENAMETOOLONG ? -E2BIG : (int)n;
    *out = malloc((size_t)n + 1);
    if (!*out)
        return -ENOMEM;
    memcpy(*out, scratch, (size_t)n + 1);
    *used += (size_t)n + 1 + sizeof(uint64_t);
    return 0;
}

int lx_strings(struct lx_call *c, uint64_t vector, size_t budget, char ***out) {
    struct vector v = {0};
    size_t used = 0;
    char *scratch = malloc(STRING_MAX);
    int rc = scratch ? 0 : -ENOMEM;
    v.item = rc ? NULL : calloc(v.room = 64, sizeof *v.item);
    if (!v.item)
        rc = -ENOMEM;
    for (uint64_t at = vector; rc == 0 && at; at += sizeof(uint64_t)) {
        uint64_t address;
        char *string = NULL;
        rc = lx_in(c, &address, at, sizeof address);
        if (rc || !address)
            break;
        rc = take_string(c, address, scratch, &used, &string);
        if (rc == 0 && used > budget)
            rc = -E2BIG;
        if (rc == 0)
            rc = vector_add(&v, string);
        if (rc)
            free(string);
    }
    free(scratch);
    if (rc) {
        lx_strings_free(v.item);
        return rc;
    }
    *out = v.item;
    return 0;
}

/* ---- pinned buffers ---- */

static void pinned_init(struct lx_call *c, uint32_t access, struct lx_pinned *p) {
    p->abi = c->abi;
    p->mem = c->cpu->mem;
    p->access = access;
    p->count = p->ranges = 0;
    p->size = 0;
    p->iov = p->small_iov;
    p->range = p->small_range;
    p->heap = NULL;
}

/* Pin into the iovecs that are left. Less than `size` may be covered. */
static int pin_more(struct lx_pinned *p, uint64_t address, uint64_t size, uint32_t room,
                    uint64_t *covered) {
    uint32_t count = room - p->count;
    *covered = size;
    struct blink_mem_span *spans = (struct blink_mem_span *)&p->iov[p->count];
    int rc = p->abi->mem.pin(p->mem, address, covered, p->access, spans, &count);
    if (rc)
        return rc;
    p->range[p->ranges].address = address;
    p->range[p->ranges++].size = *covered;
    p->count += count;
    p->size += *covered;
    return 0;
}

#define SMALL (sizeof((struct lx_pinned *)0)->small_iov / sizeof(struct iovec))

/* Room for `iovs` iovecs and `ranges` ranges on the heap. */
static int pinned_grow(struct lx_pinned *p, size_t iovs, size_t ranges) {
    if (iovs <= SMALL && ranges <= SMALL)
        return 0;
    p->heap = malloc(iovs * sizeof *p->iov + ranges * sizeof *p->range);
    if (!p->heap)
        return -ENOMEM;
    p->iov = p->heap;
    p->range = (struct lx_range *)(p->iov + iovs);
    return 0;
}

int lx_pin(struct lx_call *c, uint64_t address, uint64_t size, uint32_t access,
           struct lx_pinned *out) {
    pinned_init(c, access, out);
    if (size > LX_RW_MAX)
        size = LX_RW_MAX;
    if (size == 0)
        return 0;
    /* A buffer is few spans where memory is linear, one a page where it is paged. */
    uint64_t covered, pages = size / BLINK_PAGE_SIZE + 2;
    uint32_t room = (uint32_t)(pages < LX_IOV_MAX ? pages : LX_IOV_MAX);
    if (room < SMALL)
        room = SMALL;
    int rc = pinned_grow(out, room, 1);
    if (rc == 0)
        rc = pin_more(out, address, size, room, &covered);
    if (rc)
        lx_unpin(out);
    return rc;
}

/* The guest's vector, checked as Linux does before anything is moved. */
static int vector_in(struct lx_call *c, uint64_t vector, uint64_t count, struct g_iovec **out) {
    struct g_iovec *v = malloc((count ? count : 1) * sizeof *v);
    if (!v)
        return -ENOMEM;
    int rc = count ? lx_in(c, v, vector, count * sizeof *v) : 0;
    uint64_t total = 0;
    for (uint64_t k = 0; rc == 0 && k < count; k++) {
        if ((int64_t)v[k].len < 0)
            rc = -EINVAL;
        else if (v[k].len > LX_RW_MAX - total)
            v[k].len = LX_RW_MAX - total;
        total += v[k].len;
    }
    if (rc) {
        free(v);
        return rc;
    }
    *out = v;
    return 0;
}

int lx_pin_iov(struct lx_call *c, uint64_t vector, uint64_t count, uint32_t access,
               struct lx_pinned *out) {
    struct g_iovec *v;
    pinned_init(c, access, out);
    if (count > LX_IOV_MAX)
        return -EINVAL;
    int rc = vector_in(c, vector, count, &v);
    if (rc)
        return rc;
    rc = count > SMALL || c->cpu->mode & BLINK_MODE_PAGED ? pinned_grow(out, LX_IOV_MAX, count) : 0;
    uint32_t room = out->heap ? LX_IOV_MAX : SMALL;
    for (uint64_t k = 0; rc == 0 && k < count && out->count < room; k++) {
        uint64_t covered;
        if (v[k].len == 0)
            continue;
        rc = pin_more(out, v[k].base, v[k].len, room, &covered);
        if (rc == -EFAULT && out->size) {
            rc = 0; /* what came before is moved, as Linux does */
            break;
        }
        if (rc == 0 && covered < v[k].len)
            break;
    }
    free(v);
    if (rc)
        lx_unpin(out);
    return rc;
}

void lx_unpin(struct lx_pinned *p) {
    for (uint32_t k = 0; k < p->ranges; k++)
        p->abi->mem.unpin(p->mem, p->range[k].address, p->range[k].size, p->access);
    free(p->heap);
    p->heap = NULL;
    p->ranges = p->count = 0;
}
