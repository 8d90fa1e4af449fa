/*
 * Numbers of 128 significant bits, in which the transcendental functions are computed: twice what
 * the result keeps, so that truncation along the way does not show. Results are never exact.
 */
#ifndef CORE_FP_BIG_H
#define CORE_FP_BIG_H

#include "fp/internal.h"

/* sig / 2^127 * 2^exp, the top bit of sig set; zero has sig 0. */
struct fp_big {
    fp_wide sig;
    int32_t exp;
    uint32_t sign;
};

#define FP_WIDE(hi, lo) ((fp_wide)UINT64_C(hi) << 64 | UINT64_C(lo))
#define FP_WIDE_MSB     ((fp_wide)1 << 127)

static inline struct fp_big fp_big_of(struct fp_num a) {
    return (struct fp_big){(fp_wide)a.sig << 64, a.exp, a.sign};
}

static inline struct fp_big fp_big_normal(struct fp_big a) {
    uint64_t hi = (uint64_t)(a.sig >> 64);
    int z = hi ? __builtin_clzll(hi) : 64;
    if (a.sig == 0)
        return a;
    if (!hi)
        z += __builtin_clzll((uint64_t)a.sig);
    a.sig <<= z;
    a.exp -= z;
    return a;
}

/* The upper half of a product. */
static inline fp_wide fp_wide_mul(fp_wide a, fp_wide b) {
    uint64_t ah = (uint64_t)(a >> 64), al = (uint64_t)a, bh = (uint64_t)(b >> 64), bl = (uint64_t)b;
    fp_wide mid = (fp_wide)ah * bl, mid2 = (fp_wide)al * bh;
    uint64_t low = (uint64_t)(((fp_wide)al * bl) >> 64);
    fp_wide carry = (fp_wide)(uint64_t)mid + (uint64_t)mid2 + low;
    return (fp_wide)ah * bh + (mid >> 64) + (mid2 >> 64) + (carry >> 64);
}

static inline struct fp_big fp_big_mul(struct fp_big a, struct fp_big b) {
    struct fp_big r = {fp_wide_mul(a.sig, b.sig), a.exp + b.exp + 1, a.sign ^ b.sign};
    return fp_big_normal(r);
}

/* a * 2^128 / b for a < b, the top bit of b set. */
fp_wide fp_wide_div(fp_wide a, fp_wide b);
struct fp_big fp_big_div(struct fp_big a, struct fp_big b);
struct fp_big fp_big_add(struct fp_big a, struct fp_big b);
static inline struct fp_big fp_big_sub(struct fp_big a, struct fp_big b) {
    b.sign ^= 1;
    return fp_big_add(a, b);
}

/* A fraction: a, less than one, times 2^128. */
fp_wide fp_big_fraction(struct fp_big a);

/*
 * c[0] + c[1] t + c[2] t^2 + ..., with t in units of 2^-128 and the coefficients and the sum in
 * units of 2^-126; the terms alternate in sign if told so, and the sum is then below the exact
 * one, as 1 - t must be less than one for the tiniest t.
 */
fp_wide fp_series(const struct u128 *c, uint32_t terms, fp_wide t, bool alternate);
/* The sum as a number. */
static inline struct fp_big fp_big_sum(fp_wide sum) {
    return fp_big_normal((struct fp_big){sum, 1, 0});
}

/* Coefficients: 1/(n+1)!, 1/(2n+1)!, 1/(2n)!, 1/(2n+1). */
enum { FP_EXP_TERMS = 32, FP_SIN_TERMS = 17, FP_COS_TERMS = 17, FP_ODD_TERMS = 27 };
extern const struct u128 fp_exp_terms[FP_EXP_TERMS], fp_sin_terms[FP_SIN_TERMS],
    fp_cos_terms[FP_COS_TERMS], fp_odd_terms[FP_ODD_TERMS];

/* ln 2, 2 / ln 2, pi / 2 and pi. */
extern const struct fp_big fp_ln2, fp_two_over_ln2, fp_half_pi, fp_pi;
/* arctan(k / 4), k from 1. */
extern const struct fp_big fp_atan_quarters[4];

/* To 80 bits; precision control has no say. What is known to be exact raises PE, as the hardware
 * does not know. */
struct fp_num fp_big_round(struct fp_ctx *c, struct fp_big a);
struct fp_num fp_big_round_exact(struct fp_ctx *c, struct fp_big a);

#endif
