/*
 * The 80-bit format: arithmetic, conversions, and what x87 alone has (scaling, partial
 * remainders, packed decimal).
 */
#include "fp/internal.h"

static inline struct fp_num negated(struct fp_num a) {
    a.sign ^= !fp_is_nan(&a);
    return a;
}

struct blink_f80 fp80_add(struct fp_ctx *c, struct blink_f80 a, struct blink_f80 b) {
    return f80_pack(fp_add(c, F80_RANGE(c), f80_unpack(a), f80_unpack(b)));
}

struct blink_f80 fp80_sub(struct fp_ctx *c, struct blink_f80 a, struct blink_f80 b) {
    return f80_pack(fp_add(c, F80_RANGE(c), f80_unpack(a), negated(f80_unpack(b))));
}

struct blink_f80 fp80_mul(struct fp_ctx *c, struct blink_f80 a, struct blink_f80 b) {
    return f80_pack(fp_mul(c, F80_RANGE(c), f80_unpack(a), f80_unpack(b)));
}

struct blink_f80 fp80_div(struct fp_ctx *c, struct blink_f80 a, struct blink_f80 b) {
    return f80_pack(fp_div(c, F80_RANGE(c), f80_unpack(a), f80_unpack(b)));
}

struct blink_f80 fp80_sqrt(struct fp_ctx *c, struct blink_f80 a) {
    const struct fp_range r = F80_RANGE(c);
    return f80_pack(fp_sqrt(c, &r, f80_unpack(a)));
}

struct blink_f80 fp80_round(struct fp_ctx *c, struct blink_f80 a) {
    struct fp_num x = f80_unpack(a);
    fp_note_denormal(c, &x);
    return f80_pack(fp_round_int(c, x, c->round, false));
}

uint32_t fp80_compare(struct fp_ctx *c, struct blink_f80 a, struct blink_f80 b, bool quiet) {
    return fp_compare(c, f80_unpack(a), f80_unpack(b), quiet);
}

uint32_t fp80_class(struct blink_f80 a) {
    return f80_unpack(a).cls;
}

/* Widening is exact and knows no rounding. */
static struct blink_f80 widen(struct fp_ctx *c, struct fp_num a) {
    if (fp_is_nan(&a))
        a = fp_quieted(c, a);
    fp_note_denormal(c, &a);
    return f80_pack(a);
}

struct blink_f80 fp80_widen_f32(uint32_t a, bool *denormal) {
    struct fp_num x = fp_unpack_raw(FP_F32, a);
    *denormal = x.cls == FP_CLASS_DENORMAL;
    return f80_pack(x);
}

struct blink_f80 fp80_widen_f64(uint64_t a, bool *denormal) {
    struct fp_num x = fp_unpack_raw(FP_F64, a);
    *denormal = x.cls == FP_CLASS_DENORMAL;
    return f80_pack(x);
}

struct blink_f80 fp80_from_f32(struct fp_ctx *c, uint32_t a) {
    return widen(c, fp_unpack_raw(FP_F32, a));
}

struct blink_f80 fp80_from_f64(struct fp_ctx *c, uint64_t a) {
    return widen(c, fp_unpack_raw(FP_F64, a));
}

struct blink_f80 fp80_from_i64(int64_t v) {
    return f80_pack(fp_from_int(v));
}

uint32_t fp80_to_f32(struct fp_ctx *c, struct blink_f80 a) {
    const struct fp_range r = FP_RANGE(c, FP_F32);
    return (uint32_t)fp_pack(FP_F32, fp_narrow(c, &r, f80_unpack(a)));
}

uint64_t fp80_to_f64(struct fp_ctx *c, struct blink_f80 a) {
    const struct fp_range r = FP_RANGE(c, FP_F64);
    return fp_pack(FP_F64, fp_narrow(c, &r, f80_unpack(a)));
}

int64_t fp80_to_int(struct fp_ctx *c, struct blink_f80 a, uint32_t round, uint32_t bits) {
    return fp_to_int(c, f80_unpack(a), round, bits);
}

/* What FSCALE gives with an infinite scale. */
static struct fp_num scale_infinitely(struct fp_ctx *c, struct fp_num a, bool down) {
    if (a.cls == (down ? FP_CLASS_INF : FP_CLASS_ZERO))
        return fp_invalid(c);
    fp_note_denormal(c, &a);
    return down ? fp_zero(a.sign) : fp_inf(a.sign);
}

struct blink_f80 fp80_scale(struct fp_ctx *c, struct blink_f80 a, struct blink_f80 b) {
    struct fp_num x = f80_unpack(a), y = f80_unpack(b);
    if (fp_is_nan(&x) || fp_is_nan(&y))
        return f80_pack(fp_choose_nan(c, x, y));
    if (y.cls == FP_CLASS_INF)
        return f80_pack(scale_infinitely(c, x, y.sign));
    fp_note_denormal(c, &x);
    fp_note_denormal(c, &y);
    if (!fp_ordinary(&x))
        return a;
    /* Further than any exponent reaches is as good as any. */
    int32_t n = 0;
    if (fp_ordinary(&y) && y.exp >= 0)
        n = y.exp > 16 ? 1 << 17 : (int32_t)(y.sig >> (63 - y.exp));
    struct fp_ctx own = *c;
    own.precision = 64;
    x = fp_round(&own, F80_RANGE(&own), x.sign, x.exp + (y.sign ? -n : n), x.sig, 0);
    c->flags = own.flags;
    return f80_pack(x);
}

struct blink_f80 fp80_extract(struct fp_ctx *c, struct blink_f80 a, struct blink_f80 *exponent) {
    struct fp_num x = f80_unpack(a);
    if (fp_is_nan(&x)) {
        *exponent = f80_pack(fp_quieted(c, x));
        return *exponent;
    }
    if (x.cls == FP_CLASS_INF) {
        *exponent = f80_pack(fp_inf(0));
        return a;
    }
    if (x.cls == FP_CLASS_ZERO) {
        c->flags |= FP_ZE;
        *exponent = f80_pack(fp_inf(1));
        return a;
    }
    fp_note_denormal(c, &x);
    *exponent = f80_pack(fp_from_int(x.exp));
    x.exp = 0;
    return f80_pack(x);
}

/* Digits 0-17, two a byte, the sign in the top bit of the last byte. */
struct blink_f80 fp80_from_bcd(const uint8_t bcd[10]) {
    uint64_t v = 0;
    for (int k = 8; k >= 0; k--)
        v = v * 100 + (bcd[k] >> 4) * 10u + (bcd[k] & 15);
    struct fp_num x = fp_from_int((int64_t)v);
    x.sign = bcd[9] >> 7;
    return f80_pack(x);
}

void fp80_to_bcd(struct fp_ctx *c, struct blink_f80 a, uint8_t bcd[10]) {
    static const uint8_t indefinite[10] = {0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff};
    struct fp_num x = f80_unpack(a);
    uint16_t before = c->flags;
    bool big = fp_is_nan(&x);
    uint64_t v = big ? 0 : fp_integral(c, x, c->round, &big);
    if (big || v > UINT64_C(999999999999999999)) {
        c->flags = before | FP_IE;
        for (int k = 0; k < 10; k++)
            bcd[k] = indefinite[k];
        return;
    }
    for (int k = 0; k < 9; k++, v /= 100)
        bcd[k] = (uint8_t)(v % 100 / 10 << 4 | v % 10);
    bcd[9] = (uint8_t)(x.sign << 7);
}
