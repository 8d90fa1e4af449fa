/*
 * Arithmetic of 128 significant bits.
 */
#include "fp/big.h"

/* Knuth's algorithm D with two digits of 64 bits: one quotient digit, too big by two at most. */
static uint64_t digit(fp_wide *rem, uint64_t next, fp_wide b) {
    uint64_t bh = (uint64_t)(b >> 64), bl = (uint64_t)b, rh = (uint64_t)(*rem >> 64), r = 0;
    fp_wide q;
    if (rh >= bh) {
        q = UINT64_MAX;
    } else {
        q = u128_div(u128_of(*rem), bh, &r);
    }
    /* rem * 2^64 + next - q * b, in 192 bits of which the upper ones vanish. */
    fp_wide low = q * bl, high = q * bh + (low >> 64);
    fp_wide x0 = next, x1 = *rem;
    fp_wide d0 = x0 - (uint64_t)low;
    fp_wide d1 = x1 - high - (d0 >> 64 ? 1 : 0);
    while (d1 >> 127) {
        fp_wide s0 = (uint64_t)d0 + (fp_wide)bl;
        d1 += (fp_wide)bh + (s0 >> 64);
        d0 = (uint64_t)s0;
        q--;
    }
    *rem = d1 << 64 | (uint64_t)d0;
    return (uint64_t)q;
}

fp_wide fp_wide_div(fp_wide a, fp_wide b) {
    fp_wide rem = a;
    uint64_t high = digit(&rem, 0, b), low = digit(&rem, 0, b);
    return (fp_wide)high << 64 | low;
}

struct fp_big fp_big_div(struct fp_big a, struct fp_big b) {
    struct fp_big r = {0, a.exp - b.exp, a.sign ^ b.sign};
    if (a.sig == 0)
        return a;
    if (a.sig >= b.sig) {
        a.sig >>= 1;
        r.exp++;
    }
    /* The quotient of significands is in units of 2^-128. */
    r.sig = fp_wide_div(a.sig, b.sig);
    r.exp--;
    return fp_big_normal(r);
}

struct fp_big fp_big_add(struct fp_big a, struct fp_big b) {
    if (a.sig == 0)
        return b;
    if (b.sig == 0)
        return a;
    if (a.exp < b.exp || (a.exp == b.exp && a.sig < b.sig)) {
        struct fp_big t = a;
        a = b;
        b = t;
    }
    uint32_t shift = (uint32_t)(a.exp - b.exp);
    fp_wide x = shift < 128 ? b.sig >> shift : 0;
    if (a.sign != b.sign) {
        a.sig -= x;
        return fp_big_normal(a);
    }
    a.sig += x;
    if (a.sig < x) {
        a.sig = a.sig >> 1 | FP_WIDE_MSB;
        a.exp++;
    }
    return a;
}

fp_wide fp_big_fraction(struct fp_big a) {
    uint32_t shift = (uint32_t)(-1 - a.exp);
    return shift < 128 ? a.sig >> shift : 0;
}

fp_wide fp_series(const struct u128 *c, uint32_t terms, fp_wide t, bool alternate) {
    fp_wide sum = 0;
    while (terms-- > 0) {
        fp_wide rest = fp_wide_mul(sum, t);
        sum = alternate ? u128_wide(c[terms]) - rest : u128_wide(c[terms]) + rest;
    }
    return alternate ? sum - 1 : sum;
}

static struct fp_num round_big(struct fp_ctx *c, struct fp_big a, uint64_t sticky) {
    struct fp_ctx own = *c;
    own.precision = 64;
    struct u128 x = u128_of(a.sig);
    struct fp_num r = fp_round(&own, F80_RANGE(&own), a.sign, a.exp, x.hi, x.lo | sticky);
    c->flags = own.flags;
    return r;
}

struct fp_num fp_big_round(struct fp_ctx *c, struct fp_big a) {
    return round_big(c, a, 1);
}

struct fp_num fp_big_round_exact(struct fp_ctx *c, struct fp_big a) {
    struct fp_num r = round_big(c, a, 0);
    c->flags |= FP_PE | (r.cls == FP_CLASS_DENORMAL ? FP_UE : 0);
    return r;
}
