/*
 * Operands of x87 in narrower formats, widened to 80 bits, and comparisons of normal numbers.
 */
#ifndef CORE_INTERP_X87_OPERAND_H
#define CORE_INTERP_X87_OPERAND_H

#include "interp/x87/x87.h"

#define X87_INTEGER_BIT (UINT64_C(1) << 63)

/* Normal numbers widen by moving bits; for them alone these hold. */
static inline bool x87_normal32(uint32_t v) {
    return (v >> 23 & 0xff) - 1 < 0xfe;
}
static inline uint64_t x87_frac32(uint32_t v) {
    return (uint64_t)v << 40 | X87_INTEGER_BIT;
}
static inline uint32_t x87_se32(uint32_t v) {
    return (v >> 31) << 15 | ((v >> 23 & 0xff) + (16383 - 127));
}
static inline bool x87_normal64(uint64_t v) {
    return (v >> 52 & 0x7ff) - 1 < 0x7fe;
}
static inline uint64_t x87_frac64(uint64_t v) {
    return v << 11 | X87_INTEGER_BIT;
}
static inline uint32_t x87_se64(uint64_t v) {
    return (uint32_t)(v >> 63) << 15 | ((uint32_t)(v >> 52 & 0x7ff) + (16383 - 1023));
}

/* Integers, which all are exact. */
static inline void x87_from_int(int64_t v, uint64_t *frac, uint32_t *se) {
    uint64_t m = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    if (m == 0) {
        *frac = *se = 0;
        return;
    }
    uint32_t z = (uint32_t)__builtin_clzll(m);
    *frac = m << z;
    *se = (v < 0 ? 0x8000u : 0) | (16383 + 63 - z);
}

/* A denormal of a narrow format is normal in 80 bits, but is a denormal operand all the same. */
struct x87_operand {
    uint64_t frac;
    uint32_t se;
    bool denormal;
};

static inline struct x87_operand x87_widen32(uint32_t v) {
    struct x87_operand o = {x87_frac32(v), x87_se32(v), false};
    if (unlikely(!x87_normal32(v))) {
        struct blink_f80 w = fp80_widen_f32(v, &o.denormal);
        o.frac = w.frac;
        o.se = w.se;
    }
    return o;
}

static inline struct x87_operand x87_widen64(uint64_t v) {
    struct x87_operand o = {x87_frac64(v), x87_se64(v), false};
    if (unlikely(!x87_normal64(v))) {
        struct blink_f80 w = fp80_widen_f64(v, &o.denormal);
        o.frac = w.frac;
        o.se = w.se;
    }
    return o;
}

static inline struct x87_operand x87_widen_int(int64_t v) {
    struct x87_operand o = {0, 0, false};
    x87_from_int(v, &o.frac, &o.se);
    return o;
}

/* DE for the denormal memory operand of an operation that gave `flags`, with `st` as the other
 * operand: NaNs, invalid operations and divisions by zero come before it. */
static inline uint32_t x87_denormal_operand(uint32_t flags, struct blink_f80 st) {
    return !(flags & (FP_IE | FP_ZE)) && fp80_class(st) < FP_CLASS_QNAN ? FP_DE : 0;
}

/* Normal: neither zero, denormal, infinite, NaN nor unsupported. */
static inline bool x87_normal(uint64_t frac, uint32_t se) {
    return (int64_t)frac < 0 && (se & 0x7fff) - 1 < 0x7ffe;
}

/* FP_LESS, EQUAL or GREATER of two normal numbers. */
static inline uint32_t x87_relation(uint64_t a_frac, uint32_t a_se, uint64_t b_frac,
                                    uint32_t b_se) {
    uint32_t a_neg = a_se >> 15, less;
    if (a_se == b_se && a_frac == b_frac)
        return FP_EQUAL;
    if ((a_se ^ b_se) & 0x8000)
        return a_neg ? FP_LESS : FP_GREATER;
    less = a_se != b_se ? a_se < b_se : a_frac < b_frac;
    return less != a_neg ? FP_LESS : FP_GREATER;
}

#endif
