/*
 * What the benchmark programs share: the size of the work from the command line, in per cent of
 * what takes about a tenth of a second natively.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* `full` scaled by argv[1] per cent, at least 1. */
static inline long bench_size(int argc, char **argv, long full) {
    long percent = argc > 1 ? atol(argv[1]) : 100;
    long size = full / 100 * percent + full % 100 * percent / 100;
    return size > 0 ? size : 1;
}

static inline uint64_t bench_random(uint64_t *state) {
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

#endif
