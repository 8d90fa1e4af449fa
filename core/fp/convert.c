/*
 * Comparison and conversion of unpacked numbers.
 */
#include "fp/internal.h"

uint32_t fp_compare(struct fp_ctx *c, struct fp_num a, struct fp_num b, bool quiet) {
    if (fp_is_nan(&a) || fp_is_nan(&b)) {
        if (!quiet || a.cls > FP_CLASS_QNAN || b.cls > FP_CLASS_QNAN)
            c->flags |= FP_IE;
        return FP_UNORDERED;
    }
    fp_note_denormal(c, &a);
    fp_note_denormal(c, &b);
    if (a.cls == FP_CLASS_ZERO && b.cls == FP_CLASS_ZERO)
        return FP_EQUAL;
    if (a.cls == FP_CLASS_ZERO)
        return b.sign ? FP_GREATER : FP_LESS;
    if (b.cls == FP_CLASS_ZERO || a.sign != b.sign)
        return a.sign ? FP_LESS : FP_GREATER;
    int32_t ea = a.cls == FP_CLASS_INF ? INT32_MAX : a.exp;
    int32_t eb = b.cls == FP_CLASS_INF ? INT32_MAX : b.exp;
    if (ea == eb && a.sig == b.sig)
        return FP_EQUAL;
    bool less = ea != eb ? ea < eb : a.sig < b.sig;
    return less != a.sign ? FP_LESS : FP_GREATER;
}

uint64_t fp_integral(struct fp_ctx *c, struct fp_num a, uint32_t round, bool *big) {
    *big = a.cls == FP_CLASS_INF || (fp_ordinary(&a) && a.exp > 63);
    if (*big || a.cls == FP_CLASS_ZERO)
        return 0;
    struct u128 x = u128_shift_right_jam((struct u128){a.sig, 0}, (uint32_t)(63 - a.exp));
    uint64_t inc = fp_increment(round, a.sign, x.hi, x.lo);
    if (x.lo)
        c->flags |= (uint16_t)(FP_PE | inc << 9);
    *big = inc && x.hi == UINT64_MAX;
    return x.hi + inc;
}

int64_t fp_to_int(struct fp_ctx *c, struct fp_num a, uint32_t round, uint32_t bits) {
    uint64_t limit = UINT64_C(1) << (bits - 1);
    if (fp_is_nan(&a)) {
        c->flags |= FP_IE;
        return (int64_t)(0 - limit);
    }
    uint16_t before = c->flags;
    bool big;
    uint64_t v = fp_integral(c, a, round, &big);
    if (big || v > limit - !a.sign) {
        c->flags = before | FP_IE;
        return (int64_t)(0 - limit);
    }
    return (int64_t)(a.sign ? 0 - v : v);
}

struct fp_num fp_from_int(int64_t v) {
    uint64_t m = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    if (m == 0)
        return fp_zero(0);
    int z = __builtin_clzll(m);
    return (struct fp_num){.sign = v < 0, .cls = FP_CLASS_NORMAL, .sig = m << z, .exp = 63 - z};
}

struct fp_num fp_round_int(struct fp_ctx *c, struct fp_num a, uint32_t round, bool exact) {
    if (fp_is_nan(&a))
        return fp_quieted(c, a);
    if (!fp_ordinary(&a) || a.exp >= 63)
        return a;
    uint16_t before = c->flags;
    bool big;
    uint64_t v = fp_integral(c, a, round, &big);
    if (exact)
        c->flags = before;
    if (v == 0)
        return fp_zero(a.sign);
    int z = __builtin_clzll(v);
    a.sig = v << z;
    a.exp = 63 - z;
    a.cls = FP_CLASS_NORMAL;
    return a;
}

struct fp_num fp_narrow(struct fp_ctx *c, const struct fp_range *r, struct fp_num a) {
    if (fp_is_nan(&a))
        return fp_quieted(c, a);
    if (!fp_ordinary(&a))
        return a;
    return fp_round(c, *r, a.sign, a.exp, a.sig, 0);
}
