/*
 * What the files of the trace share: a line under construction, and the tables of names. A line
 * lives on the stack of the call's thread.
 */
#ifndef LX_STRACE_H
#define LX_STRACE_H

#include "linux.h"

#define LX_LINE_MAX   1020 /* what a line of the log can hold */
#define LX_STRING_MAX 32   /* bytes of a string or buffer that are shown */
#define LX_ITEM_MAX   32   /* members of an array that are shown */

struct lx_line {
    struct lx_call *c;
    uint32_t arg;   /* number of the argument being printed */
    uint32_t next;  /* first argument not yet printed */
    bool begun;     /* an unfinished line has been shown */
    bool failed;    /* the call has returned an error */
    int64_t result; /* valid when arguments of kind OUT are printed */
    size_t size;
    char text[LX_LINE_MAX + 1];
};

/* A name for the bits `mask` of a value when they equal `value`. */
struct lx_name {
    uint64_t value, mask;
    const char *name; /* NULL: end of the table */
};

/* strace_names.c */
#define LX_KIND(name, printer, when)
#define LX_KIND_FLAGS(name, table) extern const struct lx_name lx_names_##table[];
#define LX_KIND_ENUM(name, table)  extern const struct lx_name lx_names_##table[];
#include "kinds.def"
#undef LX_KIND
#undef LX_KIND_FLAGS
#undef LX_KIND_ENUM
extern const struct lx_name lx_names_sa[], lx_names_ss[], lx_names_poll[], lx_names_epoll[],
    lx_names_futex[], lx_names_fdflags[], lx_names_sigcode[], lx_names_sockopt[];
const char *lx_errno_name(int error); /* NULL if there is none */

/* strace.c: text at the end of the line; what does not fit is dropped. */
void lx_put(struct lx_line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
void lx_put_flags(struct lx_line *l, const struct lx_name *names, uint64_t value);
void lx_put_enum(struct lx_line *l, const struct lx_name *names, uint64_t value);
/* "text" with escapes; `more` adds the dots of a cut. */
void lx_put_bytes(struct lx_line *l, const uint8_t *bytes, size_t size, bool more);
void lx_put_pointer(struct lx_line *l, uint64_t address);
void lx_put_sigset(struct lx_line *l, uint64_t set);
/* Copy what an argument points to. False, and the address is printed, if it cannot be shown: it is
 * NULL or bad, or the call that was to fill it has failed. */
bool lx_peek(struct lx_line *l, uint64_t address, void *out, size_t size);
bool lx_peek_out(struct lx_line *l, uint64_t address, void *out, size_t size);

/* strace_args.c, strace_structs.c */
#define LX_KIND(name, printer, when) void lx_print_##printer(struct lx_line *l, uint64_t value);
#define LX_KIND_FLAGS(name, table)
#define LX_KIND_ENUM(name, table)
#include "kinds.def"
#undef LX_KIND
#undef LX_KIND_FLAGS
#undef LX_KIND_ENUM

#endif
