/*
 * Sets of guest physical ranges: what is free. Sorted, neighbours joined. The space owns them and
 * its lock guards them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mem/internal.h"

static int open_slot(struct extent_set *set, size_t k) {
    if (set->count == set->capacity) {
        size_t n = set->capacity ? set->capacity * 2 : 16;
        struct extent *v = realloc(set->v, n * sizeof *v);
        if (!v)
            return -ENOMEM;
        set->v = v;
        set->capacity = n;
    }
    memmove(&set->v[k + 1], &set->v[k], (set->count - k) * sizeof *set->v);
    set->count++;
    return 0;
}

static void close_slot(struct extent_set *set, size_t k) {
    set->count--;
    memmove(&set->v[k], &set->v[k + 1], (set->count - k) * sizeof *set->v);
}

int extent_add(struct extent_set *set, uint64_t start, uint64_t end) {
    size_t k = 0, high = set->count;
    while (k < high) {
        size_t mid = k + (high - k) / 2;
        if (set->v[mid].start < start)
            k = mid + 1;
        else
            high = mid;
    }
    bool left = k > 0 && set->v[k - 1].end == start;
    bool right = k < set->count && set->v[k].start == end;
    if (left && right) {
        set->v[k - 1].end = set->v[k].end;
        close_slot(set, k);
    } else if (left) {
        set->v[k - 1].end = end;
    } else if (right) {
        set->v[k].start = start;
    } else {
        if (open_slot(set, k))
            return -ENOMEM;
        set->v[k] = (struct extent){start, end};
    }
    return 0;
}

/* Take [start, start + size) out of extent k, which holds it. */
static uint64_t take_at(struct extent_set *set, size_t k, uint64_t start, uint64_t size) {
    struct extent *e = &set->v[k];
    uint64_t end = start + size;
    if (e->start == start && e->end == end) {
        close_slot(set, k);
    } else if (e->start == start) {
        e->start = end;
    } else if (e->end == end) {
        e->end = start;
    } else {
        if (open_slot(set, k + 1))
            return UINT64_MAX;
        set->v[k + 1] = (struct extent){end, set->v[k].end};
        set->v[k].end = start;
    }
    return start;
}

uint64_t extent_take(struct extent_set *set, uint64_t size, uint64_t wanted, bool high) {
    for (size_t k = 0; wanted && k < set->count; k++)
        if (set->v[k].start <= wanted && set->v[k].end > wanted && set->v[k].end - wanted >= size)
            return take_at(set, k, wanted, size);
    for (size_t k = 0; k < set->count; k++) {
        size_t j = high ? set->count - 1 - k : k;
        uint64_t start = set->v[j].start, end = set->v[j].end;
        if (end - start >= size)
            return take_at(set, j, high ? end - size : start, size);
    }
    return UINT64_MAX;
}

bool extent_first(const struct extent_set *set, uint64_t start, uint64_t end, struct extent *out) {
    for (size_t k = 0; k < set->count && set->v[k].start < end; k++) {
        if (set->v[k].end <= start)
            continue;
        out->start = set->v[k].start > start ? set->v[k].start : start;
        out->end = set->v[k].end < end ? set->v[k].end : end;
        return true;
    }
    return false;
}
