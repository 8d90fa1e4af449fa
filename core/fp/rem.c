/*
 * FPREM and FPREM1: partial remainders of the 80-bit format.
 */
#include "fp/internal.h"

/* x * 2^steps by y, the top bit of both set: the rest, and the low 64 bits of the quotient. */
static uint64_t reduce(uint64_t x, uint64_t y, uint32_t steps, uint64_t *quotient) {
    struct u128 w = {steps ? x >> (64 - steps) : 0, x << steps};
    uint64_t rem;
    *quotient = u128_div(w, y, &rem);
    return rem;
}

static struct fp_num rem_numbers(struct fp_num a, struct fp_num b, bool nearest, uint32_t *quotient,
                                 bool *partial) {
    int32_t d = a.exp - b.exp;
    uint64_t q = 0, x = a.sig;
    if (d < (nearest ? -1 : 0))
        return a;
    if (d >= 64) {
        /* 32 to 63 bits at a time, the manuals say. */
        uint32_t n = 32 + (uint32_t)d % 32;
        *partial = true;
        x = reduce(x, b.sig, n, &q);
        if (x == 0)
            return fp_zero(a.sign);
        int z = __builtin_clzll(x);
        struct fp_num r = {
            .sign = a.sign, .cls = FP_CLASS_NORMAL, .sig = x << z, .exp = a.exp - (int32_t)n - z};
        return r;
    }
    int32_t exp = b.exp;
    if (d < 0)
        exp = a.exp; /* nothing to subtract; b counts double here */
    else
        x = reduce(x, b.sig, (uint32_t)d, &q);
    uint8_t sign = a.sign;
    if (nearest) {
        /* Half of b, less x or so: above it take b once more, ties go to the even quotient. */
        uint64_t half = d < 0 ? b.sig : b.sig - x;
        if (x > half || (x == half && (q & 1))) {
            x = (d < 0 ? 2 * b.sig : b.sig) - x;
            sign ^= 1;
            q++;
        }
    }
    *quotient = (uint32_t)q & 7;
    if (x == 0)
        return fp_zero(a.sign);
    int z = __builtin_clzll(x);
    return (struct fp_num){.sign = sign, .cls = FP_CLASS_NORMAL, .sig = x << z, .exp = exp - z};
}

struct blink_f80 fp80_rem(struct fp_ctx *c, struct blink_f80 a, struct blink_f80 b, bool nearest,
                          uint32_t *quotient, bool *partial) {
    struct fp_num x = f80_unpack(a), y = f80_unpack(b);
    *quotient = 0;
    *partial = false;
    if (fp_is_nan(&x) || fp_is_nan(&y))
        return f80_pack(fp_choose_nan(c, x, y));
    if (x.cls == FP_CLASS_INF || y.cls == FP_CLASS_ZERO)
        return f80_pack(fp_invalid(c));
    fp_note_denormal(c, &x);
    fp_note_denormal(c, &y);
    if (x.cls != FP_CLASS_ZERO && y.cls != FP_CLASS_INF)
        x = rem_numbers(x, y, nearest, quotient, partial);
    if (!fp_ordinary(&x))
        return f80_pack(x);
    /* Exact, but perhaps tiny. */
    struct fp_ctx own = *c;
    own.precision = 64;
    x = fp_round(&own, F80_RANGE(&own), x.sign, x.exp, x.sig, 0);
    c->flags = own.flags;
    return f80_pack(x);
}
