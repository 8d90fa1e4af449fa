/*
 * Software floating point, the same bits on every host: binary16, binary32, binary64 and the
 * 80-bit format of x87, on integers alone. All state is in the caller's fp_ctx; any thread.
 *
 * Values travel as their encodings: uint16_t, uint32_t, uint64_t and struct blink_f80. Results,
 * flags and NaNs are those of x86 with masked responses; what to do about an unmasked exception
 * is the caller's, who compares flags with masks (see fp_ctx.masks).
 */
#ifndef CORE_FP_FP_H
#define CORE_FP_FP_H

#include <blink/cpu.h>
#include <stdbool.h>

/* Rounding, in the encoding of FCW.RC, MXCSR.RC and the immediates of ROUNDPS and VCVTPS2PH. */
enum { FP_NEAREST, FP_DOWN, FP_UP, FP_ZERO };

/* Exception flags, at their place in FSW and MXCSR. */
#define FP_IE 0x01u
#define FP_DE 0x02u
#define FP_ZE 0x04u
#define FP_OE 0x08u
#define FP_UE 0x10u
#define FP_PE 0x20u
/* The last rounding went away from zero: C1 of FSW. */
#define FP_C1 0x200u

struct fp_ctx {
    uint8_t round;     /* FP_NEAREST, DOWN, UP, ZERO */
    uint8_t precision; /* significand bits of 80-bit results: 24, 53 or 64 */
    bool x87;          /* NaNs are chosen by significand; otherwise the first operand wins */
    bool daz;          /* denormal operands of binary32 and binary64 are zeros */
    bool ftz;          /* tiny results of binary32 and binary64 are zeros, while UE is masked */
    uint8_t masks;     /* masked exceptions, FP_IE to FP_PE */
    /* Accumulated FP_*. With UE unmasked, UE is also raised by exact tiny results; 80-bit results
     * that overflow or underflow unmasked have their exponent moved by 24576. */
    uint16_t flags;
};

/* From MXCSR. */
static inline struct fp_ctx fp_ctx_sse(uint32_t mxcsr) {
    struct fp_ctx c = {.round = (mxcsr >> 13) & 3,
                       .precision = 64,
                       .daz = (mxcsr >> 6) & 1,
                       .ftz = (mxcsr >> 15) & 1,
                       .masks = (mxcsr >> 7) & 0x3f};
    return c;
}

/* From FCW. The reserved precision counts as 64 bits. */
static inline struct fp_ctx fp_ctx_x87(uint16_t fcw) {
    static const uint8_t bits[4] = {24, 64, 53, 64};
    struct fp_ctx c = {.round = (fcw >> 10) & 3,
                       .precision = bits[(fcw >> 8) & 3],
                       .x87 = true,
                       .masks = fcw & 0x3f};
    return c;
}

/* Flags that are set and not masked: the instruction faults. */
static inline uint32_t fp_unmasked(const struct fp_ctx *c) {
    return c->flags & ~(uint32_t)c->masks & 0x3f;
}

/* Result of a comparison. */
enum { FP_LESS, FP_EQUAL, FP_GREATER, FP_UNORDERED };

/* Classes. */
enum {
    FP_CLASS_ZERO,
    FP_CLASS_DENORMAL,
    FP_CLASS_NORMAL,
    FP_CLASS_INF,
    FP_CLASS_QNAN,
    FP_CLASS_SNAN,
    FP_CLASS_UNSUPPORTED
};

/* Signs turned by fp32_fma and fp64_fma; a NaN keeps its sign. */
#define FP_NEGATE_PRODUCT 1u
#define FP_NEGATE_ADDEND  2u

/*
 * The functions of binary32 (bits 32) and binary64 (bits 64).
 *
 * min, max: MINSS and MAXSS: the second operand if either is a NaN (IE) or both are zeros.
 * fma: a * b + c rounded once; among NaNs a wins, then b, then c.
 * round: to an integral value by `round`; `exact` suppresses PE (bit 3 of the immediate of
 *   ROUNDSS).
 * compare: IE for signalling NaNs, and unless `quiet` for all NaNs.
 * to_i32, to_i64: by `round` (c->round or FP_ZERO); NaNs and what does not fit give the most
 *   negative number with IE.
 */
#define FP_DECLARE(bits)                                                                           \
  uint##bits##_t fp##bits##_add(struct fp_ctx *c, uint##bits##_t a, uint##bits##_t b);             \
  uint##bits##_t fp##bits##_sub(struct fp_ctx *c, uint##bits##_t a, uint##bits##_t b);             \
  uint##bits##_t fp##bits##_mul(struct fp_ctx *c, uint##bits##_t a, uint##bits##_t b);             \
  uint##bits##_t fp##bits##_div(struct fp_ctx *c, uint##bits##_t a, uint##bits##_t b);             \
  uint##bits##_t fp##bits##_sqrt(struct fp_ctx *c, uint##bits##_t a);                              \
  uint##bits##_t fp##bits##_min(struct fp_ctx *c, uint##bits##_t a, uint##bits##_t b);             \
  uint##bits##_t fp##bits##_max(struct fp_ctx *c, uint##bits##_t a, uint##bits##_t b);             \
  uint##bits##_t fp##bits##_fma(struct fp_ctx *c, uint##bits##_t a, uint##bits##_t b,              \
                                uint##bits##_t addend, uint32_t negate);                           \
  uint##bits##_t fp##bits##_round(struct fp_ctx *c, uint##bits##_t a, uint32_t round, bool exact); \
  uint32_t fp##bits##_compare(struct fp_ctx *c, uint##bits##_t a, uint##bits##_t b, bool quiet);   \
  uint32_t fp##bits##_class(uint##bits##_t a);                                                     \
  int32_t fp##bits##_to_i32(struct fp_ctx *c, uint##bits##_t a, uint32_t round);                   \
  int64_t fp##bits##_to_i64(struct fp_ctx *c, uint##bits##_t a, uint32_t round);                   \
  uint##bits##_t fp##bits##_from_i32(struct fp_ctx *c, int32_t v);                                 \
  uint##bits##_t fp##bits##_from_i64(struct fp_ctx *c, int64_t v);
FP_DECLARE(32)
FP_DECLARE(64)
#undef FP_DECLARE

/* Between binary32 and binary64. */
uint64_t fp64_from_f32(struct fp_ctx *c, uint32_t a);
uint32_t fp32_from_f64(struct fp_ctx *c, uint64_t a);

/* F16C. To binary16: by `round`, FTZ has no say. From binary16: DAZ and DE have no say. */
uint16_t fp16_from_f32(struct fp_ctx *c, uint32_t a, uint32_t round);
uint32_t fp32_from_f16(struct fp_ctx *c, uint16_t a);

/*
 * The 80-bit format. Arithmetic rounds to c->precision. The unsupported encodings (unnormals,
 * pseudo-infinities, pseudo-NaNs) are invalid operands.
 */
struct blink_f80 fp80_add(struct fp_ctx *c, struct blink_f80 a, struct blink_f80 b);
struct blink_f80 fp80_sub(struct fp_ctx *c, struct blink_f80 a, struct blink_f80 b);
struct blink_f80 fp80_mul(struct fp_ctx *c, struct blink_f80 a, struct blink_f80 b);
struct blink_f80 fp80_div(struct fp_ctx *c, struct blink_f80 a, struct blink_f80 b);
/*
 * The same in the default environment (64 bits, nearest, all masked), for hot paths: significand
 * and sign with exponent apart, as structures with small members are slow to pass.
 */
struct fp80_result {
    uint64_t frac;
    uint32_t se;
    uint32_t flags;
};
typedef struct fp80_result fp80_default(uint64_t a_frac, uint32_t a_se, uint64_t b_frac,
                                        uint32_t b_se);
fp80_default fp80_add_default, fp80_sub_default, fp80_mul_default, fp80_div_default;
struct blink_f80 fp80_sqrt(struct fp_ctx *c, struct blink_f80 a);
struct blink_f80 fp80_round(struct fp_ctx *c, struct blink_f80 a);
/* a * 2^trunc(b): FSCALE. */
struct blink_f80 fp80_scale(struct fp_ctx *c, struct blink_f80 a, struct blink_f80 b);
/* Significand, and the exponent as a number: FXTRACT. */
struct blink_f80 fp80_extract(struct fp_ctx *c, struct blink_f80 a, struct blink_f80 *exponent);
/*
 * FPREM, and with `nearest` FPREM1. The three low bits of the quotient are in *quotient; if the
 * exponents differ too much, *partial is set and the result is as far as one step gets.
 */
struct blink_f80 fp80_rem(struct fp_ctx *c, struct blink_f80 a, struct blink_f80 b, bool nearest,
                          uint32_t *quotient, bool *partial);
uint32_t fp80_compare(struct fp_ctx *c, struct blink_f80 a, struct blink_f80 b, bool quiet);
uint32_t fp80_class(struct blink_f80 a);

struct blink_f80 fp80_from_f32(struct fp_ctx *c, uint32_t a);
struct blink_f80 fp80_from_f64(struct fp_ctx *c, uint64_t a);
struct blink_f80 fp80_from_i64(int64_t v);
/* Exactly, signalling NaNs and all; *denormal tells of an operand that raises DE. */
struct blink_f80 fp80_widen_f32(uint32_t a, bool *denormal);
struct blink_f80 fp80_widen_f64(uint64_t a, bool *denormal);
uint32_t fp80_to_f32(struct fp_ctx *c, struct blink_f80 a);
uint64_t fp80_to_f64(struct fp_ctx *c, struct blink_f80 a);
/* To a signed integer of 16, 32 or 64 bits, or the indefinite one with IE. */
int64_t fp80_to_int(struct fp_ctx *c, struct blink_f80 a, uint32_t round, uint32_t bits);

/*
 * The transcendental functions, correct to well under one unit in the last place before the final
 * rounding. sin, cos and tan want |a| < 2^63.
 */
struct blink_f80 fp80_f2xm1(struct fp_ctx *c, struct blink_f80 a);
struct blink_f80 fp80_yl2x(struct fp_ctx *c, struct blink_f80 x, struct blink_f80 y);
struct blink_f80 fp80_yl2xp1(struct fp_ctx *c, struct blink_f80 x, struct blink_f80 y);
/* Angle of the point (x, y). */
struct blink_f80 fp80_atan2(struct fp_ctx *c, struct blink_f80 x, struct blink_f80 y);
struct blink_f80 fp80_sin(struct fp_ctx *c, struct blink_f80 a);
struct blink_f80 fp80_cos(struct fp_ctx *c, struct blink_f80 a);
struct blink_f80 fp80_tan(struct fp_ctx *c, struct blink_f80 a);
struct blink_f80 fp80_sincos(struct fp_ctx *c, struct blink_f80 a, struct blink_f80 *cosine);

/* Packed decimal, 18 digits and a sign in 10 bytes: FBLD, FBSTP. */
struct blink_f80 fp80_from_bcd(const uint8_t bcd[10]);
void fp80_to_bcd(struct fp_ctx *c, struct blink_f80 a, uint8_t bcd[10]);

#endif
