/*
 * The region set: a sorted array. Owns the array and one reference of each region's object.
 * Callers hold the space's lock.
 */
#include "mem/region.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct region_object *region_object_new(uint64_t inode, uint64_t device, const char *name) {
    struct region_object *o = calloc(1, sizeof *o);
    if (!o)
        return NULL;
    o->refs = 1;
    o->inode = inode;
    o->device = device;
    size_t n = strnlen(name, sizeof o->name - 1);
    memcpy(o->name, name, n);
    return o;
}

struct region_object *region_object_ref(struct region_object *o) {
    if (o)
        o->refs++;
    return o;
}

void region_object_unref(struct region_object *o) {
    if (o && --o->refs == 0)
        free(o);
}

void region_finish(struct region_set *set) {
    for (size_t k = 0; k < set->count; k++)
        region_object_unref(set->v[k].object);
    free(set->v);
    *set = (struct region_set){0};
}

int region_reserve(struct region_set *set, size_t extra) {
    if (set->count + extra <= set->capacity)
        return 0;
    size_t n = set->capacity ? set->capacity * 2 : 32;
    while (n < set->count + extra)
        n *= 2;
    struct region *v = realloc(set->v, n * sizeof *v);
    if (!v)
        return -ENOMEM;
    set->v = v;
    set->capacity = n;
    return 0;
}

size_t region_index(const struct region_set *set, uint64_t address) {
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (set->v[mid].end > address)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

struct region *region_at(const struct region_set *set, uint64_t address) {
    size_t k = region_index(set, address);
    return k < set->count && set->v[k].start <= address ? &set->v[k] : NULL;
}

bool region_any(const struct region_set *set, uint64_t start, uint64_t end) {
    size_t k = region_index(set, start);
    return start < end && k < set->count && set->v[k].start < end;
}

bool region_all(const struct region_set *set, uint64_t start, uint64_t end) {
    for (size_t k = region_index(set, start); start < end; k++) {
        if (k == set->count || set->v[k].start > start)
            return false;
        start = set->v[k].end;
    }
    return true;
}

static void open_slot(struct region_set *set, size_t k) {
    memmove(&set->v[k + 1], &set->v[k], (set->count - k) * sizeof *set->v);
    set->count++;
}

static void close_slots(struct region_set *set, size_t k, size_t n) {
    for (size_t j = k; j < k + n; j++)
        region_object_unref(set->v[j].object);
    memmove(&set->v[k], &set->v[k + n], (set->count - k - n) * sizeof *set->v);
    set->count -= n;
}

/* What is left of r when it begins at `start`. */
static void trim_front(struct region *r, uint64_t start) {
    uint64_t n = start - r->start;
    r->start = start;
    r->host += n;
    if (!(r->flags & BLINK_MAP_ANON))
        r->offset += n;
}

void region_split(struct region_set *set, uint64_t address) {
    size_t k = region_index(set, address);
    if (k == set->count || set->v[k].start >= address)
        return;
    open_slot(set, k);
    set->v[k].end = address;
    region_object_ref(set->v[k].object);
    trim_front(&set->v[k + 1], address);
}

void region_cut(struct region_set *set, uint64_t start, uint64_t end) {
    if (start >= end)
        return;
    size_t k = region_index(set, start);
    if (k < set->count && set->v[k].start < start && set->v[k].end > end) {
        region_split(set, start);
        trim_front(&set->v[k + 1], end);
        return;
    }
    if (k < set->count && set->v[k].start < start)
        set->v[k++].end = start;
    size_t n = 0;
    while (k + n < set->count && set->v[k + n].end <= end)
        n++;
    close_slots(set, k, n);
    if (k < set->count && set->v[k].start < end)
        trim_front(&set->v[k], end);
}

static bool same_object(const struct region_object *a, const struct region_object *b) {
    if (a == b)
        return true;
    return a && b && a->inode == b->inode && a->device == b->device &&
           strcmp(a->name, b->name) == 0;
}

bool region_alike(const struct region *a, const struct region *b) {
    if (a->end != b->start || a->prot != b->prot || a->flags != b->flags)
        return false;
    if (!(a->flags & BLINK_MAP_ANON) && a->offset + (a->end - a->start) != b->offset)
        return false;
    return same_object(a->object, b->object);
}

static bool joins(const struct region *a, const struct region *b) {
    /* Which part of its object a piece of shared anonymous memory shows is not kept: one that was
     * moved must not join what only looks like its neighbour. */
    uint32_t own = BLINK_MAP_SHARED | BLINK_MAP_ANON;
    if ((a->flags & own) == own)
        return false;
    return a->host + (a->end - a->start) == b->host && region_alike(a, b);
}

void region_join(struct region_set *set, uint64_t start, uint64_t end) {
    size_t k = region_index(set, start ? start - 1 : 0);
    while (k + 1 < set->count && set->v[k + 1].start <= end) {
        if (joins(&set->v[k], &set->v[k + 1])) {
            set->v[k].end = set->v[k + 1].end;
            close_slots(set, k + 1, 1);
        } else {
            k++;
        }
    }
}

void region_insert(struct region_set *set, const struct region *region) {
    size_t k = region_index(set, region->start);
    open_slot(set, k);
    set->v[k] = *region;
    region_join(set, region->start, region->end);
}

uint64_t region_gap(const struct region_set *set, uint64_t low, uint64_t high, uint64_t size,
                    uint64_t guard) {
    uint64_t top = high;
    size_t k = region_index(set, high - 1);
    /* A stack above `high` still wants its guard. */
    if (k < set->count && set->v[k].start >= high && (set->v[k].flags & BLINK_MAP_GROWSDOWN) &&
        set->v[k].start - high < guard)
        top = set->v[k].start > guard ? set->v[k].start - guard : 0;
    if (k < set->count && set->v[k].start < high)
        k++;
    for (;;) {
        uint64_t floor = k ? set->v[k - 1].end : 0;
        if (floor < low)
            floor = low;
        if (top > floor && top - floor >= size)
            return top - size;
        if (k == 0 || set->v[k - 1].start <= low)
            return 0;
        k--;
        uint64_t keep = set->v[k].flags & BLINK_MAP_GROWSDOWN ? guard : 0;
        uint64_t start = set->v[k].start > keep ? set->v[k].start - keep : 0;
        if (start < top)
            top = start;
    }
}
