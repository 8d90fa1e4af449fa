/*
 * Random operands that meet the edges: special values of both float formats, saturation limits,
 * shift counts. Reproducible from the seed by every compiler: no two draws in one expression.
 */
#ifndef TESTS_INTERP_SSE_VALUES_H
#define TESTS_INTERP_SSE_VALUES_H

#include <stdint.h>

struct rng {
    uint64_t state;
};

static inline uint64_t rng_next(struct rng *r) {
    uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}
static inline uint32_t rng_below(struct rng *r, uint32_t n) {
    return (uint32_t)(rng_next(r) % n);
}

static inline uint32_t random_f32(struct rng *r) {
    static const uint32_t special[] = {
        0x00000000, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000,
        0xffc00000, 0x7f800001, 0xffa12345, 0x7fd55555, 0x00000001, 0x807fffff, 0x00400000,
        0x00800000, 0x80800000, 0x7f7fffff, 0xff7fffff, 0x4f000000, 0xcf000000, 0x4effffff,
        0x4f800000, 0x5f000000, 0xdf000000, 0x5effffff, 0x3f000000, 0x3fc00000, 0x40200000,
        0xbf000000, 0x477fe000, 0x477ff000, 0x33000000, 0x38800000, 0x387fffff, 0x3effffff};
    uint64_t v = rng_next(r);
    switch (v >> 60) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4: return special[(uint32_t)v % (sizeof special / sizeof special[0])];
    case 5:
    case 6: return (uint32_t)v;
    case 7: return (uint32_t)v & 0x807fffff;                                     /* denormal */
    case 8: return ((uint32_t)v & 0x80ffffff) | 0x7e000000;                      /* huge */
    case 9: return ((uint32_t)v & 0x81ffffff);                                   /* tiny */
    case 10: return ((uint32_t)v & 0x80000000) | 0x3f800000 | ((uint32_t)v & 7); /* near one */
    default: return ((uint32_t)v & 0x807fffff) | (0x70 + (uint32_t)(v >> 32) % 0x30) << 23;
    }
}
static inline uint64_t random_f64(struct rng *r) {
    static const uint64_t special[] = {
        0,
        UINT64_C(0x8000000000000000),
        UINT64_C(0x3ff0000000000000),
        UINT64_C(0xbff0000000000000),
        UINT64_C(0x7ff0000000000000),
        UINT64_C(0xfff0000000000000),
        UINT64_C(0x7ff8000000000000),
        UINT64_C(0xfff8000000000123),
        UINT64_C(0x7ff0000000000001),
        UINT64_C(0xfff4000000000321),
        1,
        UINT64_C(0x800fffffffffffff),
        UINT64_C(0x0010000000000000),
        UINT64_C(0x7fefffffffffffff),
        UINT64_C(0x41e0000000000000),
        UINT64_C(0xc1e0000000000000),
        UINT64_C(0x41dfffffffc00000),
        UINT64_C(0x41dfffffffe00000),
        UINT64_C(0xc1e0000000100000),
        UINT64_C(0xc1e0000000200000),
        UINT64_C(0x43e0000000000000),
        UINT64_C(0xc3e0000000000000),
        UINT64_C(0x43dfffffffffffff),
        UINT64_C(0x3fe0000000000000),
        UINT64_C(0x3ff8000000000000),
        UINT64_C(0x4004000000000000),
        UINT64_C(0x36a0000000000000),
        UINT64_C(0x380fffffffffffff),
        UINT64_C(0x47efffffefffffff),
        UINT64_C(0x47effffff0000000),
    };
    uint64_t v = rng_next(r), m = rng_next(r);
    const uint64_t sign = UINT64_C(0x8000000000000000), frac = UINT64_C(0x000fffffffffffff);
    switch (v >> 60) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4: return special[(uint32_t)v % (sizeof special / sizeof special[0])];
    case 5:
    case 6: return m;
    case 7: return m & (sign | frac);
    case 8: return (m & (sign | frac)) | UINT64_C(0x7fd0000000000000);
    case 9: return (m & (sign | frac)) | (v & 0x3f) << 52;
    case 10: return (m & sign) | UINT64_C(0x3ff0000000000000) | (m & 7);
    case 11: return (m & (sign | frac)) | (UINT64_C(0x380) - (v & 31)) << 52; /* tiny single */
    case 12: return (m & (sign | frac)) | (UINT64_C(0x47e) + (v & 3)) << 52;  /* huge single */
    default: return (m & (sign | frac)) | (UINT64_C(0x3e0) + (v & 0x3f)) << 52;
    }
}

/* `words` 64-bit words of one flavour. */
static inline void random_vector(struct rng *r, uint64_t *out, uint32_t words, uint32_t flavour) {
    static const uint8_t edges[] = {0, 1, 0x7f, 0x80, 0x81, 0xff, 0xfe, 2};
    for (uint32_t k = 0; k < words; k++) {
        uint64_t v = 0;
        switch (flavour) {
        case 0:
            v = random_f32(r);
            v |= (uint64_t)random_f32(r) << 32;
            break;
        case 1: v = random_f64(r); break;
        case 2:
            for (uint32_t n = 0; n < 8; n++)
                v = v << 8 | edges[rng_below(r, 8)];
            break;
        case 3: v = rng_below(r, 70); break;
        case 4:
            v = (uint64_t)(int64_t)(int32_t)rng_next(r);
            v >>= rng_below(r, 32);
            v |= v << 32;
            break;
        default: v = rng_next(r); break;
        }
        out[k] = v;
    }
}

#endif
