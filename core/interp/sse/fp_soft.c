/*
 * Floating point on vectors by core/fp, element by element. Flags go to cpu->fp_flags. Any thread.
 */
#include "interp/sse/fp_soft.h"

#include "fp/fp.h"
#include "interp/sse/mxcsr.h"

/* CTX before the elements, and their flags afterwards. */
#define CTX  struct fp_ctx c = fp_ctx_sse(cpu->mxcsr)
#define DONE cpu->fp_flags |= mxcsr_raised(cpu->mxcsr, c.flags)

/* Elements of u32 or u64; f is a function of core/fp. Scalars keep the rest of a. */
#define BINARY(name, T, f, count)                                                                  \
  vec soft_##name(struct blink_cpu *cpu, vec a, vec b) {                                           \
    CTX;                                                                                           \
    lanes r = {a}, y = {b};                                                                        \
    for (uint32_t k = 0; k < (count); k++)                                                         \
      r.T[k] = f(&c, r.T[k], y.T[k]);                                                              \
    DONE;                                                                                          \
    return r.v;                                                                                    \
  }
#define ARITHMETIC(name)                                                                           \
  BINARY(name##ps, u32, fp32_##name, 4)                                                            \
  BINARY(name##pd, u64, fp64_##name, 2)                                                            \
  BINARY(name##ss, u32, fp32_##name, 1)                                                            \
  BINARY(name##sd, u64, fp64_##name, 1)
ARITHMETIC(add)
ARITHMETIC(sub)
ARITHMETIC(mul)
ARITHMETIC(div)
ARITHMETIC(min)
ARITHMETIC(max)

/* r.D[k] = expr of x.S[k], on top of `keep`. */
#define EACH(D, S, keep, count, expr)                                                              \
  CTX;                                                                                             \
  lanes r = {keep}, x = {b};                                                                       \
  for (uint32_t k = 0; k < (count); k++)                                                           \
    r.D[k] = (expr);                                                                               \
  DONE;                                                                                            \
  return r.v
#define UNARY(name, D, S, count, expr)                                                             \
  vec soft_##name(struct blink_cpu *cpu, vec b) {                                                  \
    EACH(D, S, vec_zero(), count, expr);                                                           \
  }
#define SCALAR(name, D, S, expr)                                                                   \
  vec soft_##name(struct blink_cpu *cpu, vec a, vec b) {                                           \
    EACH(D, S, a, 1, expr);                                                                        \
  }
UNARY(sqrtps, u32, u32, 4, fp32_sqrt(&c, x.u32[k]))
UNARY(sqrtpd, u64, u64, 2, fp64_sqrt(&c, x.u64[k]))
SCALAR(sqrtss, u32, u32, fp32_sqrt(&c, x.u32[k]))
SCALAR(sqrtsd, u64, u64, fp64_sqrt(&c, x.u64[k]))
SCALAR(cvtss2sd, u64, u32, fp64_from_f32(&c, x.u32[k]))
SCALAR(cvtsd2ss, u32, u64, fp32_from_f64(&c, x.u64[k]))
UNARY(cvtdq2pd, u64, i32, 2, fp64_from_i32(&c, x.i32[k]))
UNARY(cvtdq2ps, u32, i32, 4, fp32_from_i32(&c, x.i32[k]))
UNARY(cvtpd2ps, u32, u64, 2, fp32_from_f64(&c, x.u64[k]))
UNARY(cvtps2pd, u64, u32, 2, fp64_from_f32(&c, x.u32[k]))
UNARY(cvtpd2dq, i32, u64, 2, fp64_to_i32(&c, x.u64[k], c.round))
UNARY(cvttpd2dq, i32, u64, 2, fp64_to_i32(&c, x.u64[k], FP_ZERO))
UNARY(cvtps2dq, i32, u32, 4, fp32_to_i32(&c, x.u32[k], c.round))
UNARY(cvttps2dq, i32, u32, 4, fp32_to_i32(&c, x.u32[k], FP_ZERO))

/* ---- approximations: 12 bits, no flags, denormals are zeros ---- */

static uint32_t to_12_bits(uint32_t v) {
    return (v + 0x400) & ~UINT32_C(0x7ff);
}
static uint32_t approximate(uint32_t a, uint32_t root) {
    struct fp_ctx c = {.round = FP_NEAREST, .precision = 64, .ftz = true, .masks = 0x3f};
    uint32_t sign = a & 0x80000000, cls = fp32_class(a);
    switch (cls) {
    case FP_CLASS_QNAN:
    case FP_CLASS_SNAN: return a | 0x00400000;
    case FP_CLASS_ZERO:
    case FP_CLASS_DENORMAL: return sign | 0x7f800000;
    default: break;
    }
    if (root && sign)
        return 0xffc00000;
    if (cls == FP_CLASS_INF)
        return sign;
    return to_12_bits(fp32_div(&c, 0x3f800000, root ? fp32_sqrt(&c, a) : a));
}
UNARY(rcpps, u32, u32, 4, ((void)c, approximate(x.u32[k], 0)))
UNARY(rsqrtps, u32, u32, 4, ((void)c, approximate(x.u32[k], 1)))
SCALAR(rcpss, u32, u32, ((void)c, approximate(x.u32[k], 0)))
SCALAR(rsqrtss, u32, u32, ((void)c, approximate(x.u32[k], 1)))

/* ---- general registers ---- */

#define TO_INT(name, type, T, bits, to, round_)                                                    \
  type soft_##name(struct blink_cpu *cpu, vec b) {                                                 \
    CTX;                                                                                           \
    lanes x = {b};                                                                                 \
    type v = fp##bits##_##to(&c, x.T[0], round_);                                                  \
    DONE;                                                                                          \
    return v;                                                                                      \
  }
TO_INT(cvtss2si, int32_t, u32, 32, to_i32, c.round)
TO_INT(cvtss2siq, int64_t, u32, 32, to_i64, c.round)
TO_INT(cvtsd2si, int32_t, u64, 64, to_i32, c.round)
TO_INT(cvtsd2siq, int64_t, u64, 64, to_i64, c.round)
TO_INT(cvttss2si, int32_t, u32, 32, to_i32, FP_ZERO)
TO_INT(cvttss2siq, int64_t, u32, 32, to_i64, FP_ZERO)
TO_INT(cvttsd2si, int32_t, u64, 64, to_i32, FP_ZERO)
TO_INT(cvttsd2siq, int64_t, u64, 64, to_i64, FP_ZERO)

#define FROM_INT(name, type, T, bits, from)                                                        \
  vec soft_##name(struct blink_cpu *cpu, vec a, type v) {                                          \
    CTX;                                                                                           \
    lanes r = {a};                                                                                 \
    r.T[0] = fp##bits##_##from(&c, v);                                                             \
    DONE;                                                                                          \
    return r.v;                                                                                    \
  }
FROM_INT(cvtsi2ssl, int32_t, u32, 32, from_i32)
FROM_INT(cvtsi2ssq, int64_t, u32, 32, from_i64)
FROM_INT(cvtsi2sdl, int32_t, u64, 64, from_i32)
FROM_INT(cvtsi2sdq, int64_t, u64, 64, from_i64)

/* ---- comparisons ---- */

/* The results that make predicates 0-3 true; 4-7 are their opposites. 1 and 2 (and 5, 6) take a
 * quiet NaN for invalid. */
static const uint8_t holds[4] = {1u << FP_EQUAL, 1u << FP_LESS, 1u << FP_LESS | 1u << FP_EQUAL,
                                 1u << FP_UNORDERED};
static uint32_t is_true(uint32_t predicate, uint32_t result) {
    return (holds[predicate & 3] >> result & 1) ^ (predicate >> 2 & 1);
}
static bool is_quiet(uint32_t predicate) {
    return (predicate & 3) == 0 || (predicate & 3) == 3;
}
#define PREDICATES(name, T, bits, count)                                                           \
  vec soft_##name(struct blink_cpu *cpu, vec a, vec b, uint32_t predicate) {                       \
    CTX;                                                                                           \
    lanes r = {a}, y = {b};                                                                        \
    for (uint32_t k = 0; k < (count); k++) {                                                       \
      uint32_t result = fp##bits##_compare(&c, r.T[k], y.T[k], is_quiet(predicate));               \
      r.T[k] = (uint##bits##_t)0 - is_true(predicate, result);                                     \
    }                                                                                              \
    DONE;                                                                                          \
    return r.v;                                                                                    \
  }
PREDICATES(cmpps, u32, 32, 4)
PREDICATES(cmppd, u64, 64, 2)

#define COMPARE(name, T, bits, quiet)                                                              \
  uint32_t soft_##name(struct blink_cpu *cpu, vec a, vec b) {                                      \
    static const uint8_t flags[4] = {[FP_LESS] = VFP_CF,                                           \
                                     [FP_EQUAL] = VFP_ZF,                                          \
                                     [FP_GREATER] = 0,                                             \
                                     [FP_UNORDERED] = VFP_ZF | VFP_PF | VFP_CF};                   \
    CTX;                                                                                           \
    lanes x = {a}, y = {b};                                                                        \
    uint32_t result = fp##bits##_compare(&c, x.T[0], y.T[0], quiet);                               \
    DONE;                                                                                          \
    return flags[result & 3];                                                                      \
  }
COMPARE(comiss, u32, 32, false)
COMPARE(comisd, u64, 64, false)
COMPARE(ucomiss, u32, 32, true)
COMPARE(ucomisd, u64, 64, true)
