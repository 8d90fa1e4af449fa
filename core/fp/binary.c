/*
 * The functions of binary32 and binary64, and the conversions of binary16.
 */
#include "fp/internal.h"

/* Product of two ordinary numbers plus a third, rounded once. 128 bits hold the exact product of
 * two 53-bit significands with 22 to spare, so jammed bits never reach the result's rounding. */
static struct fp_num fma_ordinary(struct fp_ctx *c, const struct fp_range *r, struct fp_num a,
                                  struct fp_num b, struct fp_num d) {
    struct u128 p = u128_mul(a.sig, b.sig), x = {d.sig, 0};
    int32_t exp = a.exp + b.exp + 1, sign = a.sign ^ b.sign;
    if (!(p.hi & FP_MSB)) {
        p = u128_of(u128_wide(p) << 1);
        exp--;
    }
    if (d.cls == FP_CLASS_ZERO)
        return fp_round(c, *r, (uint32_t)sign, exp, p.hi, p.lo);
    if (exp >= d.exp) {
        x = u128_shift_right_jam(x, (uint32_t)(exp - d.exp));
    } else {
        p = u128_shift_right_jam(p, (uint32_t)(d.exp - exp));
        exp = d.exp;
    }
    if (sign == d.sign) {
        fp_wide sum = u128_wide(p) + u128_wide(x);
        if (sum < u128_wide(p)) {
            sum = sum >> 1 | (sum & 1) | (fp_wide)1 << 127;
            exp++;
        }
        return fp_round(c, *r, (uint32_t)sign, exp, u128_of(sum).hi, u128_of(sum).lo);
    }
    fp_wide pw = u128_wide(p), xw = u128_wide(x), diff = pw - xw;
    if (pw == xw)
        return fp_zero(c->round == FP_DOWN);
    if (pw < xw) {
        diff = xw - pw;
        sign = d.sign;
    }
    return fp_normalise_round(c, *r, (uint32_t)sign, exp, u128_of(diff).hi, u128_of(diff).lo);
}

static struct fp_num fma_numbers(struct fp_ctx *c, const struct fp_range *r, struct fp_num a,
                                 struct fp_num b, struct fp_num d, uint32_t negate) {
    bool invalid = (a.cls == FP_CLASS_INF && b.cls == FP_CLASS_ZERO) ||
                   (a.cls == FP_CLASS_ZERO && b.cls == FP_CLASS_INF);
    if (fp_is_nan(&a) || fp_is_nan(&b) || fp_is_nan(&d)) {
        if (fp_is_nan(&a) || fp_is_nan(&b)) {
            if (d.cls == FP_CLASS_SNAN)
                c->flags |= FP_IE;
            return fp_choose_nan(c, a, b);
        }
        return fp_quieted(c, d);
    }
    if (invalid)
        return fp_invalid(c);
    a.sign ^= negate & FP_NEGATE_PRODUCT;
    d.sign ^= negate >> 1 & 1;
    uint32_t sign = a.sign ^ b.sign;
    bool inf = a.cls == FP_CLASS_INF || b.cls == FP_CLASS_INF;
    if (inf && d.cls == FP_CLASS_INF && d.sign != sign)
        return fp_invalid(c);
    fp_note_denormal(c, &a);
    fp_note_denormal(c, &b);
    fp_note_denormal(c, &d);
    if (inf)
        return fp_inf(sign);
    if (d.cls == FP_CLASS_INF)
        return d;
    if (fp_ordinary(&a) && fp_ordinary(&b))
        return fma_ordinary(c, r, a, b, d);
    /* The product is zero. */
    if (d.cls == FP_CLASS_ZERO)
        return d.sign == sign ? d : fp_zero(c->round == FP_DOWN);
    return fp_round(c, *r, d.sign, d.exp, d.sig, 0);
}

/* MINSS and MAXSS: the second operand where there is no telling. */
static bool take_first(struct fp_ctx *c, struct fp_num a, struct fp_num b, uint32_t wanted) {
    return fp_compare(c, a, b, false) == wanted;
}

#define TWO(n, name, expr)                                                                         \
  uint##n##_t fp##n##_##name(struct fp_ctx *c, uint##n##_t a, uint##n##_t b) {                     \
    struct fp_num x = fp_unpack(c, FP_F##n, a), y = fp_unpack(c, FP_F##n, b);                      \
    return (uint##n##_t)fp_pack(FP_F##n, expr);                                                    \
  }

static inline struct fp_num negated(struct fp_num a) {
    a.sign ^= !fp_is_nan(&a);
    return a;
}

/* With DAZ a denormal operand that is chosen comes out as zero. */
#define MINMAX(n, name, wanted)                                                                    \
  uint##n##_t fp##n##_##name(struct fp_ctx *c, uint##n##_t a, uint##n##_t b) {                     \
    struct fp_num x = fp_unpack(c, FP_F##n, a), y = fp_unpack(c, FP_F##n, b);                      \
    bool first = take_first(c, x, y, wanted);                                                      \
    const struct fp_num *z = first ? &x : &y;                                                      \
    if (z->cls == FP_CLASS_ZERO)                                                                   \
      return (uint##n##_t)((uint##n##_t)z->sign << (n - 1));                                       \
    return first ? a : b;                                                                          \
  }

#define BINARY(n)                                                                                  \
  TWO(n, add, fp_add(c, FP_RANGE(c, FP_F##n), x, y))                                               \
  TWO(n, sub, fp_add(c, FP_RANGE(c, FP_F##n), x, negated(y)))                                      \
  TWO(n, mul, fp_mul(c, FP_RANGE(c, FP_F##n), x, y))                                               \
  TWO(n, div, fp_div(c, FP_RANGE(c, FP_F##n), x, y))                                               \
  MINMAX(n, min, FP_LESS)                                                                          \
  MINMAX(n, max, FP_GREATER)                                                                       \
  uint##n##_t fp##n##_sqrt(struct fp_ctx *c, uint##n##_t a) {                                      \
    const struct fp_range r = FP_RANGE(c, FP_F##n);                                                \
    return (uint##n##_t)fp_pack(FP_F##n, fp_sqrt(c, &r, fp_unpack(c, FP_F##n, a)));                \
  }                                                                                                \
  uint##n##_t fp##n##_fma(struct fp_ctx *c, uint##n##_t a, uint##n##_t b, uint##n##_t d,           \
                          uint32_t negate) {                                                       \
    const struct fp_range r = FP_RANGE(c, FP_F##n);                                                \
    return (uint##n##_t)fp_pack(FP_F##n, fma_numbers(c, &r, fp_unpack(c, FP_F##n, a),              \
                                                     fp_unpack(c, FP_F##n, b),                     \
                                                     fp_unpack(c, FP_F##n, d), negate));           \
  }                                                                                                \
  uint##n##_t fp##n##_round(struct fp_ctx *c, uint##n##_t a, uint32_t round, bool exact) {         \
    struct fp_num x = fp_unpack(c, FP_F##n, a);                                                    \
    return (uint##n##_t)fp_pack(FP_F##n, fp_round_int(c, x, round, exact));                        \
  }                                                                                                \
  uint32_t fp##n##_compare(struct fp_ctx *c, uint##n##_t a, uint##n##_t b, bool quiet) {           \
    return fp_compare(c, fp_unpack(c, FP_F##n, a), fp_unpack(c, FP_F##n, b), quiet);               \
  }                                                                                                \
  uint32_t fp##n##_class(uint##n##_t a) {                                                          \
    return fp_unpack_raw(FP_F##n, a).cls;                                                          \
  }                                                                                                \
  int32_t fp##n##_to_i32(struct fp_ctx *c, uint##n##_t a, uint32_t round) {                        \
    return (int32_t)fp_to_int(c, fp_unpack(c, FP_F##n, a), round, 32);                             \
  }                                                                                                \
  int64_t fp##n##_to_i64(struct fp_ctx *c, uint##n##_t a, uint32_t round) {                        \
    return fp_to_int(c, fp_unpack(c, FP_F##n, a), round, 64);                                      \
  }                                                                                                \
  uint##n##_t fp##n##_from_i32(struct fp_ctx *c, int32_t v) {                                      \
    return fp##n##_from_i64(c, v);                                                                 \
  }                                                                                                \
  uint##n##_t fp##n##_from_i64(struct fp_ctx *c, int64_t v) {                                      \
    struct fp_num x = fp_from_int(v);                                                              \
    if (v)                                                                                         \
      x = fp_round(c, FP_RANGE(c, FP_F##n), x.sign, x.exp, x.sig, 0);                              \
    return (uint##n##_t)fp_pack(FP_F##n, x);                                                       \
  }
BINARY(32)
BINARY(64)

uint64_t fp64_from_f32(struct fp_ctx *c, uint32_t a) {
    const struct fp_range r = FP_RANGE(c, FP_F64);
    struct fp_num x = fp_unpack(c, FP_F32, a);
    fp_note_denormal(c, &x);
    return fp_pack(FP_F64, fp_narrow(c, &r, x));
}

uint32_t fp32_from_f64(struct fp_ctx *c, uint64_t a) {
    const struct fp_range r = FP_RANGE(c, FP_F32);
    struct fp_num x = fp_unpack(c, FP_F64, a);
    fp_note_denormal(c, &x);
    return (uint32_t)fp_pack(FP_F32, fp_narrow(c, &r, x));
}

uint16_t fp16_from_f32(struct fp_ctx *c, uint32_t a, uint32_t round) {
    struct fp_ctx own = *c;
    own.round = (uint8_t)round;
    own.ftz = false;
    const struct fp_range r = FP_RANGE(&own, FP_F16);
    struct fp_num x = fp_unpack(c, FP_F32, a);
    fp_note_denormal(&own, &x);
    x = fp_narrow(&own, &r, x);
    c->flags = own.flags;
    return (uint16_t)fp_pack(FP_F16, x);
}

uint32_t fp32_from_f16(struct fp_ctx *c, uint16_t a) {
    struct fp_num x = fp_unpack_raw(FP_F16, a);
    if (fp_is_nan(&x))
        x = fp_quieted(c, x);
    return (uint32_t)fp_pack(FP_F32, x);
}
