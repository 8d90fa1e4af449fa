/*
 * The rare half of rounding (overflow, underflow), and the choice among NaNs.
 */
#include "fp/internal.h"

/* Round hi:lo to `precision` bits of hi. True if a carry leaves the top: the result is 2^64. */
static bool round_at(struct fp_ctx *c, uint32_t sign, uint32_t precision, struct u128 x,
                     uint64_t *out, bool *inexact) {
    uint32_t drop = 64 - precision;
    uint64_t rest = drop ? x.hi << (64 - drop) | (x.lo != 0) : x.lo;
    uint64_t inc = fp_increment(c->round, sign, x.hi >> drop, rest);
    *inexact = rest != 0;
    *out = (x.hi >> drop << drop) + (inc << drop);
    c->flags = (uint16_t)((c->flags & ~FP_C1) | inc << 9);
    return inc && *out == 0;
}

static struct fp_num overflow(struct fp_ctx *c, const struct fp_range *r, struct fp_num n,
                              bool inexact) {
    c->flags |= FP_OE;
    if (r->wrap && !(c->masks & FP_OE)) {
        n.exp -= r->wrap;
        if (n.exp > r->max_exp) { /* FSCALE goes that far */
            c->flags |= FP_PE | FP_C1;
            return fp_inf(n.sign);
        }
        c->flags |= inexact ? FP_PE : 0;
        return n;
    }
    c->flags = (uint16_t)((c->flags & ~FP_C1) | FP_PE);
    if (c->round == FP_NEAREST || c->round == (n.sign ? FP_DOWN : FP_UP)) {
        c->flags |= FP_C1;
        return fp_inf(n.sign);
    }
    n.exp = r->max_exp;
    n.sig = UINT64_MAX << (64 - r->precision);
    return n;
}

static struct fp_num denormal(struct fp_ctx *c, const struct fp_range *r, uint32_t sign,
                              uint32_t below, struct u128 x) {
    struct fp_num n = {.sign = (uint8_t)sign, .exp = r->min_exp};
    bool inexact;
    round_at(c, sign, r->precision, u128_shift_right_jam(x, below), &n.sig, &inexact);
    n.cls = n.sig == 0 ? FP_CLASS_ZERO : n.sig & FP_MSB ? FP_CLASS_NORMAL : FP_CLASS_DENORMAL;
    c->flags |= inexact ? FP_PE : 0;
    return n;
}

struct fp_num fp_round_extreme(struct fp_ctx *c, const struct fp_range *r, uint32_t sign,
                               int32_t exp, uint64_t hi, uint64_t lo) {
    struct fp_num n = {.sign = (uint8_t)sign, .cls = FP_CLASS_NORMAL, .exp = exp};
    bool inexact;
    /* As if the exponent had no bounds: this tells whether the result is tiny, and is the result
     * of unmasked exceptions. */
    if (round_at(c, sign, r->precision, (struct u128){hi, lo}, &n.sig, &inexact)) {
        n.sig = FP_MSB;
        n.exp++;
    }
    if (n.exp > r->max_exp)
        return overflow(c, r, n, inexact);
    if (exp >= r->min_exp) {
        c->flags |= inexact ? FP_PE : 0;
        return n;
    }
    bool tiny = n.exp < r->min_exp;
    if (tiny && r->wrap && !(c->masks & FP_UE)) {
        n.exp += r->wrap;
        c->flags |= FP_UE | (inexact || n.exp < r->min_exp ? FP_PE : 0);
        return n.exp < r->min_exp ? fp_zero(sign) : n;
    }
    if (tiny && r->flush) {
        c->flags |= FP_UE | FP_PE;
        return fp_zero(sign);
    }
    uint16_t before = c->flags & FP_PE;
    c->flags &= (uint16_t)~FP_PE;
    n = denormal(c, r, sign, (uint32_t)(r->min_exp - exp), (struct u128){hi, lo});
    if (tiny && ((c->flags & FP_PE) || !(c->masks & FP_UE)))
        c->flags |= FP_UE;
    c->flags |= before;
    return n;
}

struct fp_num fp_choose_nan(struct fp_ctx *c, struct fp_num a, struct fp_num b) {
    if (a.cls == FP_CLASS_UNSUPPORTED || b.cls == FP_CLASS_UNSUPPORTED)
        return fp_invalid(c);
    if (a.cls == FP_CLASS_SNAN || b.cls == FP_CLASS_SNAN)
        c->flags |= FP_IE;
    if (!fp_is_nan(&b))
        return fp_quieted(c, a);
    if (!fp_is_nan(&a))
        return fp_quieted(c, b);
    if (!c->x87)
        return fp_quieted(c, a);
    /* x87: a quiet one before a signalling one, then the larger significand, then the positive. */
    if (a.cls != b.cls)
        return fp_quieted(c, a.cls == FP_CLASS_QNAN ? a : b);
    if (a.sig != b.sig)
        return fp_quieted(c, a.sig > b.sig ? a : b);
    return fp_quieted(c, a.sign ? b : a);
}
