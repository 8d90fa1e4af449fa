/*
 * Inside core/fp: the unpacked form all formats share, and how it is rounded and packed. Format
 * arguments are constants at each use, so the inlined copies are specialised.
 */
#ifndef CORE_FP_INTERNAL_H
#define CORE_FP_INTERNAL_H

#include "fp/fp.h"
#include "fp/u128.h"

#define FP_INLINE static inline __attribute__((always_inline))

/* An interchange format of at most 64 bits. */
struct fp_format {
    uint8_t bits;      /* whole encoding */
    uint8_t frac_bits; /* stored significand bits */
};
#define FP_EXP_BITS(f) ((f).bits - 1 - (f).frac_bits)
#define FP_EXP_MAX(f)  ((1 << FP_EXP_BITS(f)) - 1) /* biased, of infinities and NaNs */
#define FP_BIAS(f)     (FP_EXP_MAX(f) >> 1)

#define FP_F16 ((struct fp_format){16, 10})
#define FP_F32 ((struct fp_format){32, 23})
#define FP_F64 ((struct fp_format){64, 52})

#define FP_MSB (UINT64_C(1) << 63)
/* The bit that makes a NaN quiet. */
#define FP_QUIET (UINT64_C(1) << 62)

/* Exponents of the 80-bit format. */
#define F80_BIAS    16383
#define F80_EXP_MAX 32767
#define F80_WRAP    24576 /* by which unmasked overflow and underflow move the exponent */

/*
 * A number: sig / 2^63 * 2^exp, sig with its top bit set. NaNs keep their significand in sig, left
 * aligned with the integer bit set; zeros have sig 0.
 */
struct fp_num {
    uint64_t sig;
    int32_t exp;
    uint8_t cls; /* FP_CLASS_*: denormals are normalised but keep their class */
    uint8_t sign;
};

/* What rounding keeps: precision, and the exponents of normal numbers. */
struct fp_range {
    int32_t min_exp, max_exp;
    uint8_t precision;
    bool flush;   /* tiny results become zero */
    int32_t wrap; /* exponent shift of unmasked overflow and underflow, 0: none */
};

/* Of the formats that SSE computes in: no instruction delivers a result with its exponent moved,
 * but PE tells whether it would be exact, however far it is moved. */
#define FP_WRAP (1 << 20)

#define FP_RANGE(c, f)                                                                             \
  ((struct fp_range){1 - FP_BIAS(f), FP_BIAS(f), (f).frac_bits + 1,                                \
                     (c)->ftz && ((c)->masks & FP_UE), FP_WRAP})
#define F80_RANGE(c) ((struct fp_range){1 - F80_BIAS, F80_BIAS, (c)->precision, false, F80_WRAP})

FP_INLINE bool fp_is_nan(const struct fp_num *a) {
    return a->cls >= FP_CLASS_QNAN;
}
FP_INLINE bool fp_is_finite(const struct fp_num *a) {
    return a->cls < FP_CLASS_INF;
}

FP_INLINE struct fp_num fp_zero(uint32_t sign) {
    return (struct fp_num){.sign = (uint8_t)sign, .cls = FP_CLASS_ZERO};
}
FP_INLINE struct fp_num fp_inf(uint32_t sign) {
    return (struct fp_num){.sign = (uint8_t)sign, .sig = FP_MSB, .cls = FP_CLASS_INF};
}
/* The default NaN ("real indefinite"), with IE. */
FP_INLINE struct fp_num fp_invalid(struct fp_ctx *c) {
    c->flags |= FP_IE;
    return (struct fp_num){.sign = 1, .sig = FP_MSB | FP_QUIET, .cls = FP_CLASS_QNAN};
}
FP_INLINE struct fp_num fp_quieted(struct fp_ctx *c, struct fp_num a) {
    if (a.cls == FP_CLASS_UNSUPPORTED)
        return fp_invalid(c);
    if (a.cls == FP_CLASS_SNAN)
        c->flags |= FP_IE;
    a.cls = FP_CLASS_QNAN;
    a.sig |= FP_QUIET;
    return a;
}

/* Number from the fields of a format of at most 64 bits; `a` in the low bits. */
FP_INLINE struct fp_num fp_unpack_raw(struct fp_format f, uint64_t a) {
    uint32_t e = (uint32_t)(a >> f.frac_bits) & (uint32_t)FP_EXP_MAX(f);
    uint64_t frac = a << (64 - f.frac_bits) >> 1; /* left aligned below the integer bit */
    struct fp_num n = {.sign = (uint8_t)(a >> (f.bits - 1) & 1)};
    if (__builtin_expect(e - 1 < (uint32_t)FP_EXP_MAX(f) - 1, 1)) {
        n.cls = FP_CLASS_NORMAL;
        n.sig = frac | FP_MSB;
        n.exp = (int32_t)e - FP_BIAS(f);
    } else if (e) {
        n.cls = frac == 0 ? FP_CLASS_INF : frac & FP_QUIET ? FP_CLASS_QNAN : FP_CLASS_SNAN;
        n.sig = frac | FP_MSB;
    } else if (frac) {
        int z = __builtin_clzll(frac);
        n.cls = FP_CLASS_DENORMAL;
        n.sig = frac << z;
        n.exp = 1 - FP_BIAS(f) - z;
    } else {
        n.cls = FP_CLASS_ZERO;
    }
    return n;
}

/* The same as an operand: with DAZ denormals are zeros. */
FP_INLINE struct fp_num fp_unpack(const struct fp_ctx *c, struct fp_format f, uint64_t a) {
    struct fp_num n = fp_unpack_raw(f, a);
    if (__builtin_expect(n.cls == FP_CLASS_DENORMAL, 0) && c->daz)
        return fp_zero(n.sign);
    return n;
}

/* Encoding of a number that was rounded to the format: denormals have exp min_exp and sig not
 * normalised. */
FP_INLINE uint64_t fp_pack(struct fp_format f, struct fp_num n) {
    uint64_t frac = (n.sig & ~FP_MSB) << 1 >> (64 - f.frac_bits);
    uint64_t e = n.cls >= FP_CLASS_INF ? (uint64_t)FP_EXP_MAX(f)
                 : n.sig & FP_MSB      ? (uint64_t)(n.exp + FP_BIAS(f))
                                       : 0;
    return (uint64_t)n.sign << (f.bits - 1) | e << f.frac_bits | frac;
}

/* AMD64 manual volume 1, 6.3.1: encodings of the 80-bit format. */
FP_INLINE struct fp_num f80_unpack(struct blink_f80 a) {
    uint32_t e = a.se & 0x7fff;
    struct fp_num n = {.sign = (uint8_t)(a.se >> 15), .sig = a.frac, .exp = (int32_t)e - F80_BIAS};
    if (__builtin_expect(e - 1 < F80_EXP_MAX - 1 && (a.frac & FP_MSB), 1)) {
        n.cls = FP_CLASS_NORMAL;
    } else if (e == 0) {
        n.cls = a.frac ? FP_CLASS_DENORMAL : FP_CLASS_ZERO;
        if (a.frac) {
            int z = __builtin_clzll(a.frac);
            n.sig <<= z;
            n.exp = 1 - F80_BIAS - z;
        }
    } else if (!(a.frac & FP_MSB)) {
        n.cls = FP_CLASS_UNSUPPORTED;
    } else {
        n.cls = a.frac == FP_MSB ? FP_CLASS_INF : a.frac & FP_QUIET ? FP_CLASS_QNAN : FP_CLASS_SNAN;
    }
    return n;
}

FP_INLINE struct blink_f80 f80_pack(struct fp_num n) {
    uint32_t e = n.cls >= FP_CLASS_INF ? F80_EXP_MAX
                 : n.sig & FP_MSB      ? (uint32_t)(n.exp + F80_BIAS)
                                       : 0;
    return (struct blink_f80){.frac = n.sig, .se = (uint16_t)((uint32_t)n.sign << 15 | e)};
}

/* Whether rounding goes away from zero: `odd` is the last kept bit, `rest` what follows it: its
 * top bit is worth half, its other bits are sticky. */
FP_INLINE uint64_t fp_increment(uint32_t round, uint32_t sign, uint64_t odd, uint64_t rest) {
    switch (round) {
    case FP_NEAREST: return rest > FP_MSB || (rest == FP_MSB && (odd & 1));
    case FP_DOWN: return sign && rest;
    case FP_UP: return !sign && rest;
    default: return 0;
    }
}

/* The rare half of fp_round_pack: results outside of the normal exponents. */
struct fp_num fp_round_extreme(struct fp_ctx *c, const struct fp_range *r, uint32_t sign,
                               int32_t exp, uint64_t hi, uint64_t lo);

/*
 * Round hi:lo / 2^127 * 2^exp, top bit of hi set, to the range. lo may be sticky below its top
 * bit. Sets PE, OE, UE, C1.
 */
FP_INLINE struct fp_num fp_round(struct fp_ctx *c, const struct fp_range r, uint32_t sign,
                                 int32_t exp, uint64_t hi, uint64_t lo) {
    /* The top exponent may overflow by rounding, so it is extreme as well. */
    if (__builtin_expect(exp < r.min_exp || exp >= r.max_exp, 0))
        return fp_round_extreme(c, &r, sign, exp, hi, lo);
    struct fp_num n = {.sign = (uint8_t)sign, .cls = FP_CLASS_NORMAL, .exp = exp};
    uint32_t drop = 64u - r.precision;
    uint64_t rest = drop ? hi << (64 - drop) % 64 | (lo != 0) : lo;
    n.sig = hi >> drop << drop;
    if (rest) {
        uint64_t inc = fp_increment(c->round, sign, hi >> drop, rest);
        c->flags |= (uint16_t)(FP_PE | inc << 9);
        n.sig += inc << drop;
        if (inc && n.sig == 0) {
            n.sig = FP_MSB;
            n.exp++;
        }
    }
    return n;
}

/* Round hi:lo of any alignment; zero is for the caller. */
FP_INLINE struct fp_num fp_normalise_round(struct fp_ctx *c, const struct fp_range r, uint32_t sign,
                                           int32_t exp, uint64_t hi, uint64_t lo) {
    if (hi == 0) {
        hi = lo;
        lo = 0;
        exp -= 64;
    }
    int z = __builtin_clzll(hi);
    if (z) {
        hi = hi << z | lo >> (64 - z);
        lo <<= z;
        exp -= z;
    }
    return fp_round(c, r, sign, exp, hi, lo);
}

/* The NaN of two operands of which at least one is a NaN or unsupported. */
struct fp_num fp_choose_nan(struct fp_ctx *c, struct fp_num a, struct fp_num b);

/* The operations on numbers; they raise IE and ZE, and DE last, as that needs the others. */
FP_INLINE void fp_note_denormal(struct fp_ctx *c, const struct fp_num *a) {
    if (__builtin_expect(a->cls == FP_CLASS_DENORMAL, 0))
        c->flags |= FP_DE;
}

struct fp_num fp_add_rare(struct fp_ctx *c, struct fp_num a, struct fp_num b);
struct fp_num fp_mul_rare(struct fp_ctx *c, struct fp_num a, struct fp_num b);
struct fp_num fp_div_rare(struct fp_ctx *c, struct fp_num a, struct fp_num b);

/* Neither zero, infinite nor NaN. */
FP_INLINE bool fp_ordinary(const struct fp_num *a) {
    return (uint32_t)a->cls - FP_CLASS_DENORMAL <= FP_CLASS_NORMAL - FP_CLASS_DENORMAL;
}

FP_INLINE struct fp_num fp_add(struct fp_ctx *c, const struct fp_range r, struct fp_num a,
                               struct fp_num b) {
    if (__builtin_expect(!fp_ordinary(&a) || !fp_ordinary(&b), 0)) {
        struct fp_num n = fp_add_rare(c, a, b);
        /* One operand alone is left, which may need rounding. */
        return n.cls == FP_CLASS_NORMAL || n.cls == FP_CLASS_DENORMAL
                   ? fp_round(c, r, n.sign, n.exp, n.sig, 0)
                   : n;
    }
    fp_note_denormal(c, &a);
    fp_note_denormal(c, &b);
    if (a.exp < b.exp || (a.exp == b.exp && a.sig < b.sig)) {
        struct fp_num t = a;
        a = b;
        b = t;
    }
    struct u128 x = u128_shift_right_jam((struct u128){b.sig, 0}, (uint32_t)(a.exp - b.exp));
    if (a.sign == b.sign) {
        uint64_t hi = a.sig + x.hi;
        if (hi >= a.sig)
            return fp_round(c, r, a.sign, a.exp, hi, x.lo);
        x.lo = x.lo >> 1 | hi << 63 | (x.lo & 1);
        return fp_round(c, r, a.sign, a.exp + 1, hi >> 1 | FP_MSB, x.lo);
    }
    uint64_t lo = 0 - x.lo, hi = a.sig - x.hi - (x.lo != 0);
    if ((hi | lo) == 0)
        return fp_zero(c->round == FP_DOWN);
    return fp_normalise_round(c, r, a.sign, a.exp, hi, lo);
}

FP_INLINE struct fp_num fp_mul(struct fp_ctx *c, const struct fp_range r, struct fp_num a,
                               struct fp_num b) {
    if (__builtin_expect(!fp_ordinary(&a) || !fp_ordinary(&b), 0))
        return fp_mul_rare(c, a, b);
    fp_note_denormal(c, &a);
    fp_note_denormal(c, &b);
    struct u128 p = u128_mul(a.sig, b.sig);
    int32_t exp = a.exp + b.exp + 1;
    if (!(p.hi & FP_MSB)) {
        p.hi = p.hi << 1 | p.lo >> 63;
        p.lo <<= 1;
        exp--;
    }
    return fp_round(c, r, a.sign ^ b.sign, exp, p.hi, p.lo);
}

FP_INLINE struct fp_num fp_div(struct fp_ctx *c, const struct fp_range r, struct fp_num a,
                               struct fp_num b) {
    if (__builtin_expect(!fp_ordinary(&a) || !fp_ordinary(&b), 0))
        return fp_div_rare(c, a, b);
    fp_note_denormal(c, &a);
    fp_note_denormal(c, &b);
    int32_t exp = a.exp - b.exp;
    struct u128 x = {a.sig >> 1, a.sig << 63};
    if (a.sig < b.sig) {
        x = (struct u128){a.sig, 0};
        exp--;
    }
    uint64_t rem, q = u128_div(x, b.sig, &rem);
    /* The half bit of the rest, and whether anything follows it. */
    uint64_t half = rem >= b.sig - rem,
             lo = half << 63 | (rem != 0 && (!half || rem != b.sig - rem));
    return fp_round(c, r, a.sign ^ b.sign, exp, q, lo);
}

struct fp_num fp_sqrt(struct fp_ctx *c, const struct fp_range *r, struct fp_num a);

/* FP_LESS to FP_UNORDERED, with IE and DE. */
uint32_t fp_compare(struct fp_ctx *c, struct fp_num a, struct fp_num b, bool quiet);

/* To an integral value: its magnitude for |a| < 2^64 (or *big), with PE and C1. */
uint64_t fp_integral(struct fp_ctx *c, struct fp_num a, uint32_t round, bool *big);
/* To a signed integer of `bits` bits, or the indefinite one with IE. */
int64_t fp_to_int(struct fp_ctx *c, struct fp_num a, uint32_t round, uint32_t bits);
struct fp_num fp_from_int(int64_t v);
/* To a format that may be narrower; quiets NaNs, leaves DE to the caller. */
struct fp_num fp_narrow(struct fp_ctx *c, const struct fp_range *r, struct fp_num a);
/* To a number of integral value. */
struct fp_num fp_round_int(struct fp_ctx *c, struct fp_num a, uint32_t round, bool exact);

#endif
