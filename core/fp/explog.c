/*
 * F2XM1, FYL2X and FYL2XP1.
 */
#include "fp/big.h"

/* 2^a - 1 for finite a other than zero: a ln 2 times the series of (e^t - 1) / t. */
static struct fp_big power_less_one(struct fp_num a) {
    struct fp_big t = fp_big_mul(fp_big_of(a), fp_ln2);
    fp_wide sum = fp_series(fp_exp_terms, FP_EXP_TERMS, fp_big_fraction(t), t.sign);
    return fp_big_mul(t, fp_big_sum(sum));
}

/* Outside of their domains the manuals leave results open; AMD's processors leave x. */
static struct blink_f80 left_alone(struct fp_ctx *c, struct fp_num x) {
    c->flags |= FP_PE;
    return f80_pack(x);
}

struct blink_f80 fp80_f2xm1(struct fp_ctx *c, struct blink_f80 a) {
    struct fp_num x = f80_unpack(a);
    if (fp_is_nan(&x))
        return f80_pack(fp_quieted(c, x));
    if (x.cls == FP_CLASS_ZERO)
        return a;
    if (x.cls == FP_CLASS_INF)
        return x.sign ? f80_pack((struct fp_num){.sign = 1, .sig = FP_MSB, .cls = FP_CLASS_NORMAL})
                      : a;
    fp_note_denormal(c, &x);
    if (x.exp > 0 || (x.exp == 0 && x.sig != FP_MSB))
        return left_alone(c, x);
    return f80_pack(fp_big_round(c, power_less_one(x)));
}

/* log2((d + s) / (d - s)) = 2 / ln 2 * artanh(s / d), for |s / d| of at most 0.172. */
static struct fp_big log_of_ratio(struct fp_big s, struct fp_big d) {
    struct fp_big r = fp_big_div(s, d);
    fp_wide square = fp_big_fraction(fp_big_mul(r, r));
    fp_wide sum = fp_series(fp_odd_terms, FP_ODD_TERMS, square, false);
    return fp_big_mul(fp_big_mul(r, fp_big_sum(sum)), fp_two_over_ln2);
}

static const struct fp_big one = {FP_WIDE_MSB, 0, 0};
static const struct fp_big two = {FP_WIDE_MSB, 1, 0};

/* log2 of a positive finite number that is no power of two. */
static struct fp_big log2_of(struct fp_big m) {
    int32_t e = m.exp;
    m.exp = 0;
    /* To between the roots of 1/2 and 2. */
    if (m.sig >= FP_WIDE(0xb504f333f9de6484, 0x597d89b3754abe9f)) {
        m.exp = -1;
        e++;
    }
    struct fp_big r = log_of_ratio(fp_big_sub(m, one), fp_big_add(m, one));
    struct fp_big whole = fp_big_of(fp_from_int(e));
    return fp_big_add(whole, r);
}

/* y times a logarithm that is zero, infinite or a whole number, or that of an ordinary x. */
static struct fp_num times_infinite(struct fp_ctx *c, struct fp_num y, uint32_t sign) {
    if (y.cls == FP_CLASS_ZERO)
        return fp_invalid(c);
    return fp_inf(y.sign ^ sign);
}

static struct fp_num times_log(struct fp_ctx *c, struct fp_big log, struct fp_num y) {
    return fp_big_round(c, fp_big_mul(log, fp_big_of(y)));
}

/* Zeros and infinities of x for FYL2X, other than those of NaNs. */
static struct fp_num yl2x_special(struct fp_ctx *c, struct fp_num x, struct fp_num y) {
    if (x.cls == FP_CLASS_ZERO) {
        if (y.cls == FP_CLASS_ZERO)
            return fp_invalid(c);
        c->flags |= y.cls == FP_CLASS_INF ? 0 : FP_ZE;
        return fp_inf(y.sign ^ 1);
    }
    fp_note_denormal(c, &y);
    return times_infinite(c, y, 0);
}

struct blink_f80 fp80_yl2x(struct fp_ctx *c, struct blink_f80 xx, struct blink_f80 yy) {
    struct fp_num x = f80_unpack(xx), y = f80_unpack(yy);
    if (fp_is_nan(&x) || fp_is_nan(&y))
        return f80_pack(fp_choose_nan(c, x, y));
    if (x.sign && x.cls != FP_CLASS_ZERO)
        return f80_pack(fp_invalid(c));
    if (x.cls == FP_CLASS_ZERO || x.cls == FP_CLASS_INF)
        return f80_pack(yl2x_special(c, x, y));
    bool whole = x.sig == FP_MSB, negative = x.exp < 0;
    /* log2(1) is zero. */
    if (whole && x.exp == 0) {
        if (y.cls == FP_CLASS_INF)
            return f80_pack(fp_invalid(c));
        fp_note_denormal(c, &y);
        return f80_pack(fp_zero(y.sign));
    }
    fp_note_denormal(c, &x);
    fp_note_denormal(c, &y);
    if (y.cls == FP_CLASS_INF)
        return f80_pack(fp_inf(y.sign ^ negative));
    if (y.cls == FP_CLASS_ZERO)
        return f80_pack(fp_zero(y.sign ^ negative));
    if (whole) {
        struct u128 p = u128_mul(y.sig, fp_from_int(x.exp).sig);
        struct fp_big r = {u128_wide(p), y.exp + fp_from_int(x.exp).exp + 1, y.sign ^ negative};
        return f80_pack(fp_big_round_exact(c, fp_big_normal(r)));
    }
    return f80_pack(times_log(c, log2_of(fp_big_of(x)), y));
}

struct blink_f80 fp80_yl2xp1(struct fp_ctx *c, struct blink_f80 xx, struct blink_f80 yy) {
    struct fp_num x = f80_unpack(xx), y = f80_unpack(yy);
    if (fp_is_nan(&x) || fp_is_nan(&y))
        return f80_pack(fp_choose_nan(c, x, y));
    if (x.cls == FP_CLASS_INF) {
        if (x.sign)
            return f80_pack(fp_invalid(c));
        fp_note_denormal(c, &y);
        return f80_pack(times_infinite(c, y, 0));
    }
    if (x.cls == FP_CLASS_ZERO) {
        if (y.cls == FP_CLASS_INF)
            return f80_pack(fp_invalid(c));
        fp_note_denormal(c, &y);
        return f80_pack(fp_zero(x.sign ^ y.sign));
    }
    fp_note_denormal(c, &x);
    fp_note_denormal(c, &y);
    if (y.cls == FP_CLASS_INF)
        return f80_pack(fp_inf(x.sign ^ y.sign));
    if (y.cls == FP_CLASS_ZERO)
        return f80_pack(fp_zero(x.sign ^ y.sign));
    struct fp_big b = fp_big_of(x);
    /* Near zero the sum 1 + x would lose bits; x / (2 + x) does not. */
    if (x.exp < -2)
        return f80_pack(times_log(c, log_of_ratio(b, fp_big_add(two, b)), y));
    b = fp_big_add(one, b);
    if (b.sign || b.sig == 0)
        return left_alone(c, x);
    if (b.sig == FP_WIDE_MSB) {
        struct fp_big e = fp_big_of(fp_from_int(b.exp));
        return f80_pack(fp_big_round_exact(c, fp_big_mul(e, fp_big_of(y))));
    }
    return f80_pack(times_log(c, log2_of(b), y));
}
