/*
 * System calls made by number, each with a line of what it answers: the result if it is one that
 * is the same everywhere, else only that it succeeded, or the number of the error.
 */
#ifndef RAW_H
#define RAW_H

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
  #define SYS_fchmodat2 452
#endif

static inline long raw_show(const char *what, long rc, int exact) {
    int error = errno;
    if (rc == -1)
        printf("%s: error %d\n", what, error);
    else if (exact)
        printf("%s: %ld\n", what, rc);
    else
        printf("%s: good\n", what);
    fflush(stdout);
    return rc;
}

/* The call's own result; whether it is an error. */
#define RAW(call, ...)                                                                             \
  (errno = 0, raw_show(#call " " #__VA_ARGS__, syscall(SYS_##call, __VA_ARGS__), 1))
#define RAW0(call) (errno = 0, raw_show(#call, syscall(SYS_##call), 1))
#define GOOD(call, ...)                                                                            \
  (errno = 0, raw_show(#call " " #__VA_ARGS__, syscall(SYS_##call, __VA_ARGS__), 0))
#define GOOD0(call) (errno = 0, raw_show(#call, syscall(SYS_##call), 0))

#endif
