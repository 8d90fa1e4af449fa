/*
 * For tests of software floating point: operands worth trying, and reports of differences. The
 * oracle is the host's own floating-point unit; on other hosts such tests are skipped.
 */
#ifndef TESTS_FP_SUPPORT_H
#define TESTS_FP_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fp/fp.h"

/* A test that needs the host's floating-point unit. */
#if defined(__x86_64__)
  #define HOST_TEST(name) cmocka_unit_test(name)
#else
  #define HOST_TEST(name)                                                                          \
    { #name, skipped, NULL, NULL, NULL }
static inline void skipped(void **state) {
    (void)state;
    print_message("needs an x86-64 host\n");
    skip();
}
#endif

/* xorshift64*: the same operands in every run. */
static inline uint64_t random64(uint64_t *seed) {
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return *seed * UINT64_C(0x2545f4914f6cdd1d);
}

/* Significands with runs of ones and zeros, where carries and ties happen. */
static inline uint64_t random_bits(uint64_t *seed) {
    uint64_t r = random64(seed), how = random64(seed);
    uint64_t run = (how >> 8) % 63 + 1;
    switch (how % 6) {
    case 0: return r;
    case 1: return r << run;
    case 2: return r | UINT64_MAX >> run;
    case 3: return ~(UINT64_MAX >> run);
    case 4: return UINT64_C(1) << run;
    default: return r & (UINT64_MAX << run) & (UINT64_MAX >> (how >> 16) % 32);
    }
}

/* A random encoding of binary32 or binary64: any exponent, or one near that of 1. */
static inline uint64_t random_binary(uint64_t *seed, uint32_t bits, uint32_t frac_bits) {
    uint64_t frac = random_bits(seed) >> (64 - frac_bits), r = random64(seed);
    uint64_t exp_max = (UINT64_C(1) << (bits - 1 - frac_bits)) - 1, e;
    switch (r >> 8 & 7) {
    case 0: e = r >> 16; break;
    case 1: e = r & 1 ? 0 : exp_max; break;
    case 2: e = (r >> 16) % (frac_bits + 4); break;
    case 3: e = exp_max - (r >> 16) % 4; break;
    default: e = (exp_max >> 1) + (r >> 16) % (2 * frac_bits + 6) - (frac_bits + 3); break;
    }
    return (r >> 63) << (bits - 1) | (e & exp_max) << frac_bits | frac;
}

static const uint32_t edges32[] = {
    0,          0x80000000, 1,          0x80000001, 0x007fffff, 0x807fffff, 0x00400000, 0x00800000,
    0x80800000, 0x00800001, 0x00ffffff, 0x01000000, 0x7f7fffff, 0xff7fffff, 0x7f800000, 0xff800000,
    0x7fc00000, 0xffc00000, 0x7fc12345, 0xffd12345, 0x7f800001, 0xff812345, 0x7fbfffff, 0x3f800000,
    0xbf800000, 0x3f800001, 0x3f7fffff, 0x3f000000, 0xbf000000, 0x3f000001, 0x3effffff, 0x40400000,
    0x3fc00000, 0x40200000, 0xc0200000, 0x4b000000, 0x4b7fffff, 0x4b800000, 0x4effffff, 0x4f000000,
    0xcf000000, 0xcf000001, 0x5effffff, 0x5f000000, 0xdf000000, 0x4f7fffff, 0x33800000, 0x33000000,
    0x33000001, 0x38800000, 0x387fc000, 0x387fe000, 0x33000000, 0x477fe000, 0x477ff000, 0x477fefff,
    0x3fb504f3, 0x20000000, 0x1f800000,
};
#define EDGES32 (sizeof edges32 / sizeof edges32[0])

/* The same for binary64: those, and what has no like there. */
static inline uint64_t edge64(size_t k) {
    static const uint64_t more[] = {
        1,
        UINT64_C(0x8000000000000001),
        UINT64_C(0x000fffffffffffff),
        UINT64_C(0x0010000000000000),
        UINT64_C(0x0010000000000001),
        UINT64_C(0x001fffffffffffff),
        UINT64_C(0x7fefffffffffffff),
        UINT64_C(0xffefffffffffffff),
        UINT64_C(0x7ff0000000000001),
        UINT64_C(0xfff7ffffffffffff),
        UINT64_C(0x7ffc123456789abc),
        UINT64_C(0x3ff0000000000001),
        UINT64_C(0x3fefffffffffffff),
        UINT64_C(0x41dfffffffc00000),
        UINT64_C(0x41dfffffffdfffff),
        UINT64_C(0x41dfffffffe00000),
        UINT64_C(0x41e0000000000000),
        UINT64_C(0xc1e0000000000000),
        UINT64_C(0xc1e0000000100000),
        UINT64_C(0xc1e00000001fffff),
        UINT64_C(0x43dfffffffffffff),
        UINT64_C(0x43e0000000000000),
        UINT64_C(0xc3e0000000000000),
        UINT64_C(0xc3e0000000000001),
        UINT64_C(0x380fffffffffffff),
        UINT64_C(0x380fffffe0000000),
        UINT64_C(0x380fffffefffffff),
        UINT64_C(0x380ffffff0000000),
        UINT64_C(0x3690000000000000),
        UINT64_C(0x36a0000000000000),
        UINT64_C(0x3690000000000001),
        UINT64_C(0x47efffffe0000000),
        UINT64_C(0x47efffffefffffff),
        UINT64_C(0x47effffff0000000),
    };
    if (k < sizeof more / sizeof more[0])
        return more[k];
    uint32_t v = edges32[k - sizeof more / sizeof more[0]];
    uint32_t e = v >> 23 & 0xff;
    uint64_t sign = (uint64_t)(v >> 31) << 63, frac = (uint64_t)(v & 0x7fffff) << 29;
    uint64_t e64 = e == 0xff ? 0x7ff : e == 0 ? 0 : (uint64_t)e + 1023 - 127;
    return sign | e64 << 52 | frac;
}
#define EDGES64 (34 + EDGES32)

#endif
