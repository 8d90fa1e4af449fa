/*
 * What guest programs share: checks that name the line that failed, and a hash of much output.
 * Every program prints the same natively and under blink; a program that checks itself ends with
 * guest_done().
 */
#ifndef GUEST_H
#define GUEST_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

static int guest_checks, guest_failures; /* atomic: threads check, too */

static inline int guest_check(int good, const char *what, int line) {
    __atomic_fetch_add(&guest_checks, 1, __ATOMIC_RELAXED);
    if (!good) {
        __atomic_fetch_add(&guest_failures, 1, __ATOMIC_RELAXED);
        printf("line %d: not true: %s\n", line, what);
        fflush(stdout);
    }
    return good;
}

#define CHECK(condition) guest_check(!!(condition), #condition, __LINE__)

/* The exit status of main. */
static inline int guest_done(void) {
    printf("%d checks, %d failed\n", guest_checks, guest_failures);
    return guest_failures != 0;
}

/* FNV-1a, going on from `hash`. */
#define GUEST_HASH UINT64_C(0xcbf29ce484222325)
static inline uint64_t guest_hash(uint64_t hash, const void *bytes, size_t size) {
    const unsigned char *p = bytes;
    for (size_t k = 0; k < size; k++)
        hash = (hash ^ p[k]) * UINT64_C(0x100000001b3);
    return hash;
}

/* xorshift64: the same numbers everywhere. */
static inline uint64_t guest_random(uint64_t *state) {
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

#endif
