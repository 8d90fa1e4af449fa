/*
 * Addition, multiplication, division where an operand is zero, infinite or a NaN; square root.
 */
#include "fp/internal.h"

struct fp_num fp_add_rare(struct fp_ctx *c, struct fp_num a, struct fp_num b) {
    if (fp_is_nan(&a) || fp_is_nan(&b))
        return fp_choose_nan(c, a, b);
    if (a.cls == FP_CLASS_INF && b.cls == FP_CLASS_INF && a.sign != b.sign)
        return fp_invalid(c);
    fp_note_denormal(c, &a);
    fp_note_denormal(c, &b);
    if (a.cls == FP_CLASS_INF || b.cls == FP_CLASS_INF)
        return a.cls == FP_CLASS_INF ? a : b;
    if (a.cls != FP_CLASS_ZERO || b.cls != FP_CLASS_ZERO)
        return a.cls == FP_CLASS_ZERO ? b : a;
    return a.sign == b.sign ? a : fp_zero(c->round == FP_DOWN);
}

struct fp_num fp_mul_rare(struct fp_ctx *c, struct fp_num a, struct fp_num b) {
    uint32_t sign = a.sign ^ b.sign;
    if (fp_is_nan(&a) || fp_is_nan(&b))
        return fp_choose_nan(c, a, b);
    if (a.cls == FP_CLASS_INF || b.cls == FP_CLASS_INF) {
        if (a.cls == FP_CLASS_ZERO || b.cls == FP_CLASS_ZERO)
            return fp_invalid(c);
        fp_note_denormal(c, &a);
        fp_note_denormal(c, &b);
        return fp_inf(sign);
    }
    fp_note_denormal(c, &a);
    fp_note_denormal(c, &b);
    return fp_zero(sign);
}

struct fp_num fp_div_rare(struct fp_ctx *c, struct fp_num a, struct fp_num b) {
    uint32_t sign = a.sign ^ b.sign;
    if (fp_is_nan(&a) || fp_is_nan(&b))
        return fp_choose_nan(c, a, b);
    if ((a.cls == FP_CLASS_INF && b.cls == FP_CLASS_INF) ||
        (a.cls == FP_CLASS_ZERO && b.cls == FP_CLASS_ZERO))
        return fp_invalid(c);
    /* A division by zero of a denormal raises ZE alone. */
    if (b.cls == FP_CLASS_ZERO) {
        c->flags |= a.cls == FP_CLASS_INF ? 0 : FP_ZE;
        return fp_inf(sign);
    }
    fp_note_denormal(c, &a);
    fp_note_denormal(c, &b);
    if (a.cls == FP_CLASS_INF)
        return fp_inf(sign);
    return fp_zero(sign);
}

/* Square root of a 32-bit number, with remainder. */
static uint32_t root32(uint32_t a, uint32_t *rem) {
    uint32_t root = 0, bit = UINT32_C(1) << 30;
    while (bit) {
        if (a >= root + bit) {
            a -= root + bit;
            root = root >> 1 | bit;
        } else {
            root >>= 1;
        }
        bit >>= 2;
    }
    *rem = a;
    return root;
}

/* Zimmermann's Karatsuba square root: of 64 bits from 32, of 128 from 64. The top two bits of `a`
 * are not both clear. */
static uint64_t root64(uint64_t a, uint64_t *rem) {
    uint32_t r1, s1 = root32((uint32_t)(a >> 32), &r1);
    uint64_t t = (uint64_t)r1 << 16 | (a >> 16 & 0xffff);
    uint64_t q = t / (2 * (uint64_t)s1), u = t % (2 * (uint64_t)s1);
    uint64_t s = ((uint64_t)s1 << 16) + q;
    int64_t r = (int64_t)((u << 16 | (a & 0xffff))) - (int64_t)(q * q);
    if (r < 0) {
        r += (int64_t)(2 * s - 1);
        s--;
    }
    *rem = (uint64_t)r;
    return s;
}

static uint64_t root128(struct u128 a, bool *exact, bool *above_half) {
    uint64_t r1, s1 = root64(a.hi, &r1);
    fp_wide t = (fp_wide)r1 << 32 | a.lo >> 32;
    uint64_t q = (uint64_t)(t / (2 * s1)), u = (uint64_t)(t % (2 * s1));
    fp_wide s = ((fp_wide)s1 << 32) + q;
    fp_wide x = (fp_wide)u << 32 | (a.lo & UINT32_MAX), y = (fp_wide)q * q;
    fp_wide r = x - y;
    if (x < y) {
        r += 2 * s - 1;
        s--;
    }
    *exact = r == 0;
    /* (s + 1/2)^2 = s^2 + s + 1/4: above it if the remainder is greater than s. */
    *above_half = r > s;
    return (uint64_t)s;
}

struct fp_num fp_sqrt(struct fp_ctx *c, const struct fp_range *r, struct fp_num a) {
    if (fp_is_nan(&a))
        return fp_quieted(c, a);
    if (a.cls == FP_CLASS_ZERO)
        return a;
    if (a.sign)
        return fp_invalid(c);
    if (a.cls == FP_CLASS_INF)
        return a;
    fp_note_denormal(c, &a);
    /* sig / 2^63 * 2^exp; an even exponent, and 127 bits or 128 under the root. */
    bool odd = a.exp & 1, exact, above;
    struct u128 x = odd ? (struct u128){a.sig, 0} : (struct u128){a.sig >> 1, a.sig << 63};
    int32_t exp = (a.exp - odd) / 2;
    uint64_t s = root128(x, &exact, &above);
    return fp_round(c, *r, 0, exp, s, above ? FP_MSB | 1 : !exact);
}
