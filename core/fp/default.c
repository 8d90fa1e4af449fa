/*
 * 80-bit arithmetic in the default environment: normal numbers with normal results, which nearly
 * all are, take the straight way; anything else goes to the general functions.
 */
#include "fp/internal.h"

#define SIGN     0x8000u
#define EXPONENT 0x7fffu

/* Both normal. */
FP_INLINE bool both_normal(uint64_t a_frac, uint32_t a_exp, uint64_t b_frac, uint32_t b_exp) {
    return (int64_t)(a_frac & b_frac) < 0 && a_exp - 1 < F80_EXP_MAX - 1 &&
           b_exp - 1 < F80_EXP_MAX - 1;
}

typedef struct blink_f80 general_fn(struct fp_ctx *c, struct blink_f80 a, struct blink_f80 b);

static __attribute__((noinline)) struct fp80_result
general(general_fn *f, uint64_t a_frac, uint32_t a_se, uint64_t b_frac, uint32_t b_se) {
    struct fp_ctx c = fp_ctx_x87(0x37f);
    struct blink_f80 r = f(&c, (struct blink_f80){.frac = a_frac, .se = (uint16_t)a_se},
                           (struct blink_f80){.frac = b_frac, .se = (uint16_t)b_se});
    return (struct fp80_result){r.frac, r.se, c.flags};
}

/* Round hi:lo to nearest. The caller has seen that exp is normal and not the greatest. */
FP_INLINE struct fp80_result nearest(uint32_t sign, uint32_t exp, uint64_t hi, uint64_t lo) {
    uint64_t up = lo > FP_MSB || (lo == FP_MSB && (hi & 1));
    struct fp80_result r = {hi + up, sign | exp, 0};
    if (lo)
        r.flags = FP_PE | (uint32_t)up << 9;
    if (__builtin_expect(r.frac < up, 0)) {
        r.frac = FP_MSB;
        r.se++;
    }
    return r;
}

#define NORMAL_RESULT(exp) __builtin_expect((exp)-1 < F80_EXP_MAX - 2, 1)

FP_INLINE struct fp80_result sum(uint64_t a_frac, uint32_t a_se, uint64_t b_frac, uint32_t b_se,
                                 general_fn *f) {
    uint32_t a_exp = a_se & EXPONENT, b_exp = b_se & EXPONENT;
    uint32_t b_sign = f == fp80_sub ? b_se ^ SIGN : b_se, sign = a_se & SIGN;
    if (__builtin_expect(!both_normal(a_frac, a_exp, b_frac, b_exp), 0))
        return general(f, a_frac, a_se, b_frac, b_se);
    uint32_t exp = a_exp, shift = a_exp - b_exp;
    uint64_t big = a_frac, small = b_frac;
    bool swap = a_exp < b_exp || (a_exp == b_exp && a_frac < b_frac);
    if (swap) {
        exp = b_exp;
        shift = b_exp - a_exp;
        big = b_frac;
        small = a_frac;
        sign = b_sign & SIGN;
    }
    struct u128 aligned = u128_shift_right_jam((struct u128){small, 0}, shift);
    uint64_t x = aligned.hi, lo = aligned.lo;
    if (((a_se ^ b_sign) & SIGN) == 0) {
        uint64_t hi = big + x;
        if (hi < big) {
            lo = lo >> 1 | hi << 63 | (lo & 1);
            hi = hi >> 1 | FP_MSB;
            exp++;
        }
        if (NORMAL_RESULT(exp))
            return nearest(sign, exp, hi, lo);
        return general(f, a_frac, a_se, b_frac, b_se);
    }
    uint64_t hi = big - x - (lo != 0);
    lo = 0 - lo;
    if ((hi | lo) == 0)
        return (struct fp80_result){0, 0, 0};
    if ((int64_t)hi >= 0) {
        uint32_t z = hi ? (uint32_t)__builtin_clzll(hi) : 64 + (uint32_t)__builtin_clzll(lo);
        fp_wide w = u128_wide((struct u128){hi, lo}) << z;
        hi = (uint64_t)(w >> 64);
        lo = (uint64_t)w;
        exp -= z;
    }
    if (NORMAL_RESULT(exp))
        return nearest(sign, exp, hi, lo);
    return general(f, a_frac, a_se, b_frac, b_se);
}

struct fp80_result fp80_add_default(uint64_t a_frac, uint32_t a_se, uint64_t b_frac,
                                    uint32_t b_se) {
    return sum(a_frac, a_se, b_frac, b_se, fp80_add);
}

struct fp80_result fp80_sub_default(uint64_t a_frac, uint32_t a_se, uint64_t b_frac,
                                    uint32_t b_se) {
    return sum(a_frac, a_se, b_frac, b_se, fp80_sub);
}

struct fp80_result fp80_mul_default(uint64_t a_frac, uint32_t a_se, uint64_t b_frac,
                                    uint32_t b_se) {
    uint32_t a_exp = a_se & EXPONENT, b_exp = b_se & EXPONENT;
    struct u128 p = u128_mul(a_frac, b_frac);
    uint32_t exp = a_exp + b_exp - (F80_BIAS - 1);
    if ((int64_t)p.hi >= 0) {
        p.hi = p.hi << 1 | p.lo >> 63;
        p.lo <<= 1;
        exp--;
    }
    if (both_normal(a_frac, a_exp, b_frac, b_exp) && NORMAL_RESULT(exp))
        return nearest((a_se ^ b_se) & SIGN, exp, p.hi, p.lo);
    return general(fp80_mul, a_frac, a_se, b_frac, b_se);
}

struct fp80_result fp80_div_default(uint64_t a_frac, uint32_t a_se, uint64_t b_frac,
                                    uint32_t b_se) {
    uint32_t a_exp = a_se & EXPONENT, b_exp = b_se & EXPONENT;
    uint32_t less = a_frac < b_frac, exp = a_exp - b_exp + F80_BIAS - less;
    if (!both_normal(a_frac, a_exp, b_frac, b_exp) || !NORMAL_RESULT(exp))
        return general(fp80_div, a_frac, a_se, b_frac, b_se);
    struct u128 x = {less ? a_frac : a_frac >> 1, less ? 0 : a_frac << 63};
    uint64_t rem, q = u128_div(x, b_frac, &rem);
    /* Twice the remainder against the divisor: the half bit and the sticky bit. */
    uint64_t other = b_frac - rem, half = rem >= other;
    uint64_t lo = half << 63 | (rem != 0 && rem != other);
    return nearest((a_se ^ b_se) & SIGN, exp, q, lo);
}
