/*
 * FSIN, FCOS, FPTAN, FSINCOS and FPATAN.
 */
#include "fp/big.h"

/*
 * Hardware reduces arguments by a pi of 66 bits: this times 2^-64. Half of it times n, subtracted
 * exactly, gives what the processors give, far from the true sine as it may be.
 */
#define PI66 FP_WIDE(0x3, 0x243f6a8885a308d3)

/* |a| = quadrant * pi / 2 + *rest, |*rest| <= pi / 4, for |a| < 2^63. */
static uint32_t reduce(struct fp_num a, struct fp_big *rest) {
    *rest = fp_big_of(a);
    rest->sign = 0;
    if (a.exp < -1)
        return 0;
    fp_wide w = (fp_wide)a.sig << (a.exp + 2), n = w / PI66, r = w % PI66;
    bool above = r > PI66 - r;
    *rest = fp_big_normal((struct fp_big){above ? PI66 - r : r, 127 - 65, above});
    return (uint32_t)(n + above) & 3;
}

/* Slightly below the exact value, or with `more` 2^-126 above that. */
static struct fp_big sine(struct fp_big r, uint32_t more) {
    fp_wide square = fp_big_fraction(fp_big_mul(r, r));
    fp_wide sum = fp_series(fp_sin_terms, FP_SIN_TERMS, square, true) + more;
    return fp_big_mul(r, fp_big_sum(sum));
}

static struct fp_big cosine(struct fp_big r) {
    fp_wide square = fp_big_fraction(fp_big_mul(r, r));
    return fp_big_sum(fp_series(fp_cos_terms, FP_COS_TERMS, square, true));
}

/* Sine of `quadrant` right angles and r. */
static struct fp_big sine_in(uint32_t quadrant, struct fp_big r, uint32_t more) {
    struct fp_big s = quadrant & 1 ? cosine(r) : sine(r, more);
    s.sign ^= quadrant >> 1 & 1;
    return s;
}

static struct fp_num sine_of(struct fp_ctx *c, struct fp_num x) {
    struct fp_big r;
    if (x.cls == FP_CLASS_ZERO)
        return x;
    uint32_t quadrant = reduce(x, &r);
    struct fp_big s = sine_in(quadrant, r, 0);
    s.sign ^= x.sign;
    return s.sig ? fp_big_round(c, s) : fp_zero(s.sign);
}

static struct fp_num cosine_of(struct fp_ctx *c, struct fp_num x) {
    struct fp_big r = {0, 0, 0};
    if (x.cls == FP_CLASS_ZERO)
        return (struct fp_num){.sig = FP_MSB, .cls = FP_CLASS_NORMAL};
    uint32_t quadrant = reduce(x, &r);
    struct fp_big s = sine_in((quadrant + 1) & 3, r, 0);
    return s.sig ? fp_big_round(c, s) : fp_zero(s.sign);
}

/* NaNs, infinities; notes denormals. True if *out is the answer. */
static bool special(struct fp_ctx *c, struct fp_num x, struct fp_num *out) {
    fp_note_denormal(c, &x);
    if (fp_is_nan(&x))
        *out = fp_quieted(c, x);
    else if (x.cls == FP_CLASS_INF)
        *out = fp_invalid(c);
    else
        return false;
    return true;
}

struct blink_f80 fp80_sin(struct fp_ctx *c, struct blink_f80 a) {
    struct fp_num x = f80_unpack(a), r;
    return f80_pack(special(c, x, &r) ? r : sine_of(c, x));
}

struct blink_f80 fp80_cos(struct fp_ctx *c, struct blink_f80 a) {
    struct fp_num x = f80_unpack(a), r;
    return f80_pack(special(c, x, &r) ? r : cosine_of(c, x));
}

struct blink_f80 fp80_sincos(struct fp_ctx *c, struct blink_f80 a, struct blink_f80 *cos) {
    struct fp_num x = f80_unpack(a), r;
    if (special(c, x, &r)) {
        *cos = f80_pack(r);
        return *cos;
    }
    *cos = f80_pack(cosine_of(c, x));
    return f80_pack(sine_of(c, x));
}

struct blink_f80 fp80_tan(struct fp_ctx *c, struct blink_f80 a) {
    struct fp_num x = f80_unpack(a), r;
    struct fp_big rest;
    if (special(c, x, &r))
        return f80_pack(r);
    if (x.cls == FP_CLASS_ZERO)
        return a;
    uint32_t quadrant = reduce(x, &rest);
    /* The tangent is above its argument, so the quotient must not be below. */
    struct fp_big s = sine_in(quadrant, rest, 1), k = sine_in((quadrant + 1) & 3, rest, 1);
    if (s.sig == 0)
        return f80_pack(fp_zero(x.sign));
    s = fp_big_div(s, k);
    s.sign ^= x.sign;
    return f80_pack(fp_big_round(c, s));
}

/* ---- arc tangent ---- */

/* arctan of t, 0 < t <= 1: about the nearest quarter by the addition theorem, then the series. */
static struct fp_big arctan(struct fp_big t) {
    static const struct fp_big one = {FP_WIDE_MSB, 0, 0};
    uint32_t quarter = 0;
    if (t.exp >= -3) {
        /* (t + 1/8) * 4, rounded down. */
        fp_wide eighths = t.sig >> (127 - (t.exp + 3));
        quarter = (uint32_t)(eighths + 1) / 2;
    }
    struct fp_big r = t;
    if (quarter) {
        struct fp_big q = fp_big_of(fp_from_int(quarter));
        q.exp -= 2;
        r = fp_big_div(fp_big_sub(t, q), fp_big_add(one, fp_big_mul(t, q)));
    }
    fp_wide square = fp_big_fraction(fp_big_mul(r, r));
    r = fp_big_mul(r, fp_big_sum(fp_series(fp_odd_terms, FP_ODD_TERMS, square, true)));
    return quarter ? fp_big_add(fp_atan_quarters[quarter - 1], r) : r;
}

/* Angles of the axes and diagonals: eighths of a turn, 0 to 4. */
static struct fp_num angle(struct fp_ctx *c, uint32_t eighths, uint32_t sign) {
    struct fp_big r = fp_pi;
    if (eighths == 0)
        return fp_zero(sign);
    if (eighths == 3)
        r = fp_big_mul(r, (struct fp_big){(fp_wide)3 << 126, 1, 0});
    r.exp -= eighths == 4 ? 0 : eighths == 2 ? 1 : 2;
    r.sign = sign;
    return fp_big_round(c, r);
}

static struct fp_num atan2_special(struct fp_ctx *c, struct fp_num x, struct fp_num y) {
    bool xinf = x.cls == FP_CLASS_INF, yinf = y.cls == FP_CLASS_INF;
    fp_note_denormal(c, &x);
    fp_note_denormal(c, &y);
    if (xinf && yinf)
        return angle(c, x.sign ? 3 : 1, y.sign);
    if (yinf || (x.cls == FP_CLASS_ZERO && y.cls != FP_CLASS_ZERO))
        return angle(c, 2, y.sign);
    return angle(c, x.sign ? 4 : 0, y.sign);
}

struct blink_f80 fp80_atan2(struct fp_ctx *c, struct blink_f80 xx, struct blink_f80 yy) {
    struct fp_num x = f80_unpack(xx), y = f80_unpack(yy);
    if (fp_is_nan(&x) || fp_is_nan(&y))
        return f80_pack(fp_choose_nan(c, x, y));
    if (!fp_ordinary(&x) || !fp_ordinary(&y))
        return f80_pack(atan2_special(c, x, y));
    fp_note_denormal(c, &x);
    fp_note_denormal(c, &y);
    struct fp_big a = fp_big_of(y), b = fp_big_of(x), r;
    a.sign = b.sign = 0;
    bool steep = a.exp > b.exp || (a.exp == b.exp && a.sig > b.sig);
    r = steep ? fp_big_div(b, a) : fp_big_div(a, b);
    r = arctan(r);
    if (steep)
        r = x.sign ? fp_big_add(fp_half_pi, r) : fp_big_sub(fp_half_pi, r);
    else if (x.sign)
        r = fp_big_sub(fp_pi, r);
    r.sign = y.sign;
    return f80_pack(fp_big_round(c, r));
}
