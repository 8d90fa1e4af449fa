/*
 * Unsigned 128-bit arithmetic for core/fp, on the compiler's own type where it has one.
 */
#ifndef CORE_FP_U128_H
#define CORE_FP_U128_H

#include <stdint.h>

__extension__ typedef unsigned __int128 fp_wide;

struct u128 {
    uint64_t hi, lo;
};

static inline struct u128 u128_of(fp_wide w) {
    return (struct u128){(uint64_t)(w >> 64), (uint64_t)w};
}
static inline fp_wide u128_wide(struct u128 a) {
    return (fp_wide)a.hi << 64 | a.lo;
}

static inline struct u128 u128_mul(uint64_t a, uint64_t b) {
    return u128_of((fp_wide)a * b);
}

/* a / b, with a.hi < b and the top bit of b set. */
static inline uint64_t u128_div(struct u128 a, uint64_t b, uint64_t *rem) {
#if defined(__x86_64__)
    uint64_t q;
    __asm__("divq %4" : "=a"(q), "=d"(*rem) : "0"(a.lo), "1"(a.hi), "rm"(b) : "cc");
    return q;
#else
    fp_wide w = u128_wide(a);
    uint64_t q = (uint64_t)(w / b);
    *rem = (uint64_t)(w - (fp_wide)q * b);
    return q;
#endif
}

/* Shift right; bits that fall out are kept as bit 0. */
static inline struct u128 u128_shift_right_jam(struct u128 a, uint32_t n) {
    if (n == 0)
        return a;
    if (n < 64) {
        uint64_t lost = a.lo << (64 - n);
        return (struct u128){a.hi >> n, a.hi << (64 - n) | a.lo >> n | (lost != 0)};
    }
    if (n < 128) {
        uint64_t lost = n == 64 ? a.lo : a.hi << (128 - n) | a.lo;
        return (struct u128){0, (n == 64 ? a.hi : a.hi >> (n - 64)) | (lost != 0)};
    }
    return (struct u128){0, (a.hi | a.lo) != 0};
}

#endif
