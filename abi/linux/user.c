/*
 * Guest memory for the system calls: copies, strings, vectors of strings. Buffers that
 * are pinned are in arg.c. vCPU threads.
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
