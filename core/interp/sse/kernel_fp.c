/*
 * Floating-point kernels: those of fp.h as they are, and what is composed of them or of core/fp
 * (rounding to integers, half precision). Flags gather as fp.h says; any thread.
 */
#include "fp/fp.h"
#include "interp/sse/fp.h"
#include "interp/sse/simd.h"

#define BINARY_KERNEL(name)                                                                        \
  KERNEL(name) {                                                                                   \
    return vfp_##name(cpu, a, b);                                                                  \
  }
#define UNARY_KERNEL(name)                                                                         \
  KERNEL(name) {                                                                                   \
    return vfp_##name(cpu, b);                                                                     \
  }
VFP_BINARY(BINARY_KERNEL)
VFP_UNARY(UNARY_KERNEL)

#define FAST_BINARY_KERNEL(name)                                                                   \
  KERNEL(name) {                                                                                   \
    return fast_##name(cpu, a, b);                                                                 \
  }
#define FAST_UNARY_KERNEL(name)                                                                    \
  KERNEL(name) {                                                                                   \
    return fast_##name(cpu, b);                                                                    \
  }
VFP_APPROXIMATE(FAST_BINARY_KERNEL, FAST_UNARY_KERNEL)

/* ---- composed arithmetic: what an element does not take part in is zero, and raises nothing ----
 */

static const vec odd32 = {UINT64_C(0xffffffff00000000), UINT64_C(0xffffffff00000000)};
static const vec odd64 = {0, UINT64_MAX};

KERNEL(addsubps) {
    vec even = vfp_subps(cpu, a & ~odd32, b & ~odd32), odd = vfp_addps(cpu, a & odd32, b & odd32);
    return (even & ~odd32) | (odd & odd32);
}
KERNEL(addsubpd) {
    vec even = vfp_subpd(cpu, a & ~odd64, b & ~odd64), odd = vfp_addpd(cpu, a & odd64, b & odd64);
    return (even & ~odd64) | (odd & odd64);
}

/* Neighbours: their even ones of a and b, and their odd ones. */
#define EVEN_ODD32 vec even = simd_shufps(cpu, a, b, 0x88), odd = simd_shufps(cpu, a, b, 0xdd)
#define EVEN_ODD64 vec even = simd_shufpd(cpu, a, b, 0), odd = simd_shufpd(cpu, a, b, 3)
KERNEL(haddps) {
    EVEN_ODD32;
    return vfp_addps(cpu, even, odd);
}
KERNEL(hsubps) {
    EVEN_ODD32;
    return vfp_subps(cpu, even, odd);
}
KERNEL(haddpd) {
    EVEN_ODD64;
    return vfp_addpd(cpu, even, odd);
}
KERNEL(hsubpd) {
    EVEN_ODD64;
    return vfp_subpd(cpu, even, odd);
}

static vec mask32(uint32_t bits) {
    lanes r;
    for (uint32_t k = 0; k < 4; k++)
        r.u32[k] = bits >> k & 1 ? UINT32_MAX : 0;
    return r.v;
}
static vec mask64(uint32_t bits) {
    return (vec){bits & 1 ? UINT64_MAX : 0, bits & 2 ? UINT64_MAX : 0};
}
/* An unmasked exception of one step keeps the next from being taken. */
static bool stopped(struct blink_cpu *cpu) {
    return vfp_unmasked(cpu) && (cpu->fp_flags & ~(cpu->mxcsr >> 7) & MXCSR_FLAGS);
}
/* One step is that of all lanes: what is found before computing in one leaves no trace of what
 * computing raised in another. */
static bool stopped_lanes(struct blink_cpu *cpu, uint32_t *earlier) {
    if (!stopped(cpu)) {
        *earlier = cpu->fp_flags;
        return false;
    }
    /* Steps that were taken keep what they raised. */
    cpu->fp_flags = *earlier | mxcsr_raised(cpu->mxcsr, cpu->fp_flags & ~*earlier);
    return true;
}
void simd_dot_products(struct blink_cpu *cpu, const vec *a, const vec *b, uint32_t imm, vec *r,
                       uint32_t n) {
    vec m = mask32(imm >> 4);
    uint32_t earlier = cpu->fp_flags;
    for (uint32_t k = 0; k < n; k++)
        r[k] = vfp_mulps(cpu, a[k] & m, b[k] & m) & m;
    if (stopped_lanes(cpu, &earlier))
        return;
    for (uint32_t k = 0; k < n; k++)
        r[k] =
            vfp_addps(cpu, simd_pshufd(cpu, r[k], r[k], 0xa0), simd_pshufd(cpu, r[k], r[k], 0xf5));
    if (stopped_lanes(cpu, &earlier))
        return;
    for (uint32_t k = 0; k < n; k++)
        r[k] =
            vfp_addps(cpu, simd_pshufd(cpu, r[k], r[k], 0x00), simd_pshufd(cpu, r[k], r[k], 0xaa)) &
            mask32(imm);
    (void)stopped_lanes(cpu, &earlier);
}
KERNEL(dpps) {
    vec r;
    simd_dot_products(cpu, &a, &b, imm, &r, 1);
    return r;
}
KERNEL(dppd) {
    vec m = mask64(imm >> 4), p = vfp_mulpd(cpu, a & m, b & m) & m;
    if (stopped(cpu))
        return p;
    return vfp_addpd(cpu, (vec){p[0], p[0]}, (vec){p[1], p[1]}) & mask64(imm);
}

/* ---- comparisons ---- */

/*
 * Predicates 8-31 of the VEX forms from 0-7. Predicates differ by 8 in the answer for unordered
 * operands or in the side of the comparison, by 16 in whether a quiet NaN is invalid. Of each
 * pair: the one of 0-7 to use, operands swapped or not, and how the unordered mask joins.
 */
enum { CMP_EQ, CMP_LT, CMP_LE, CMP_UNORD, CMP_NEQ, CMP_NLT, CMP_NLE, CMP_ORD };
enum { JOIN_NONE, JOIN_OR, JOIN_ANDNOT, JOIN_FALSE, JOIN_TRUE };
static const struct {
    uint8_t base, swap, join;
} predicates[16] = {
    {CMP_EQ, 0, JOIN_NONE},    {CMP_LT, 0, JOIN_NONE},  {CMP_LE, 0, JOIN_NONE},
    {CMP_UNORD, 0, JOIN_NONE}, {CMP_NEQ, 0, JOIN_NONE}, {CMP_NLT, 0, JOIN_NONE},
    {CMP_NLE, 0, JOIN_NONE},   {CMP_ORD, 0, JOIN_NONE}, {CMP_EQ, 0, JOIN_OR},
    {CMP_NLE, 1, JOIN_NONE},   {CMP_NLT, 1, JOIN_NONE}, {CMP_EQ, 0, JOIN_FALSE},
    {CMP_NEQ, 0, JOIN_ANDNOT}, {CMP_LE, 1, JOIN_NONE},  {CMP_LT, 1, JOIN_NONE},
    {CMP_EQ, 0, JOIN_TRUE},
};
#define CMP_SIGNALS(base)                                                                          \
  ((base) == CMP_LT || (base) == CMP_LE || (base) == CMP_NLT || (base) == CMP_NLE)

#define COMPARE(type)                                                                              \
  static vec compare_##type(struct blink_cpu *cpu, vec a, vec b, uint32_t predicate) {             \
    uint32_t p = predicate & 15, base = predicates[p].base;                                        \
    if (predicate < 8)                                                                             \
      return vfp_cmp##type(cpu, a, b, predicate);                                                  \
    vec nan = vfp_cmp##type(cpu, a, b, CMP_UNORD), r;                                              \
    bool signals = CMP_SIGNALS(base) != (predicate >= 16);                                         \
    if (signals)                                                                                   \
      (void)vfp_cmp##type(cpu, a, b, CMP_LT); /* for its flags */                                  \
    vec x = a & ~nan, y = b & ~nan;                                                                \
    r = predicates[p].swap ? vfp_cmp##type(cpu, y, x, base) : vfp_cmp##type(cpu, x, y, base);      \
    /* Of unordered elements the answer is that of 0-7: the negated ones are true. */              \
    bool negated = base >= CMP_UNORD && base <= CMP_NLE;                                           \
    r = negated ? r | nan : r & ~nan;                                                              \
    switch (predicates[p].join) {                                                                  \
    case JOIN_OR: return r | nan;                                                                  \
    case JOIN_ANDNOT: return r & ~nan;                                                             \
    case JOIN_FALSE: return vec_zero();                                                            \
    case JOIN_TRUE: return ~vec_zero();                                                            \
    default: return r;                                                                             \
    }                                                                                              \
  }
COMPARE(ps)
COMPARE(pd)

static vec low_ss(struct blink_cpu *cpu, vec a, vec b, uint32_t predicate) {
    vec r = compare_ps(cpu, vec_low((uint32_t)a[0]), vec_low((uint32_t)b[0]), predicate);
    return (vec){(a[0] & ~UINT64_C(0xffffffff)) | (uint32_t)r[0], a[1]};
}
static vec low_sd(struct blink_cpu *cpu, vec a, vec b, uint32_t predicate) {
    return (vec){compare_pd(cpu, vec_low(a[0]), vec_low(b[0]), predicate)[0], a[1]};
}
/* Legacy instructions look at three bits of the immediate, VEX ones at five. */
#define COMPARE_KERNELS(v, mask)                                                                   \
  KERNEL(v##cmpps) {                                                                               \
    return compare_ps(cpu, a, b, imm & (mask));                                                    \
  }                                                                                                \
  KERNEL(v##cmppd) {                                                                               \
    return compare_pd(cpu, a, b, imm & (mask));                                                    \
  }                                                                                                \
  KERNEL(v##cmpss) {                                                                               \
    return low_ss(cpu, a, b, imm & (mask));                                                        \
  }                                                                                                \
  KERNEL(v##cmpsd) {                                                                               \
    return low_sd(cpu, a, b, imm & (mask));                                                        \
  }
COMPARE_KERNELS(, 7)
COMPARE_KERNELS(v, 31)

/* ---- by core/fp on all hosts ---- */

/* Rounding by an immediate: bit 2 means MXCSR's. */
static uint32_t rounding(const struct fp_ctx *c, uint32_t imm) {
    return imm & 4 ? c->round : imm & 3;
}

KERNEL(roundps) {
    struct fp_ctx c = fp_ctx_sse(cpu->mxcsr);
    lanes r = {b};
    for (uint32_t k = 0; k < 4; k++)
        r.u32[k] = fp32_round(&c, r.u32[k], rounding(&c, imm), imm & 8);
    cpu->fp_flags |= c.flags & MXCSR_FLAGS;
    return r.v;
}
KERNEL(roundpd) {
    struct fp_ctx c = fp_ctx_sse(cpu->mxcsr);
    vec r = b;
    for (uint32_t k = 0; k < 2; k++)
        r[k] = fp64_round(&c, b[k], rounding(&c, imm), imm & 8);
    cpu->fp_flags |= c.flags & MXCSR_FLAGS;
    return r;
}
KERNEL(roundss) {
    struct fp_ctx c = fp_ctx_sse(cpu->mxcsr);
    lanes r = {a}, x = {b};
    r.u32[0] = fp32_round(&c, x.u32[0], rounding(&c, imm), imm & 8);
    cpu->fp_flags |= c.flags & MXCSR_FLAGS;
    return r.v;
}
KERNEL(roundsd) {
    struct fp_ctx c = fp_ctx_sse(cpu->mxcsr);
    a[0] = fp64_round(&c, b[0], rounding(&c, imm), imm & 8);
    cpu->fp_flags |= c.flags & MXCSR_FLAGS;
    return a;
}

/* F16C: four halves in 8 bytes. */
KERNEL(cvtph2ps) {
    struct fp_ctx c = fp_ctx_sse(cpu->mxcsr);
    lanes x = {b}, r;
    for (uint32_t k = 0; k < 4; k++)
        r.u32[k] = fp32_from_f16(&c, x.u16[k]);
    cpu->fp_flags |= c.flags & MXCSR_FLAGS;
    return r.v;
}
KERNEL(cvtps2ph) {
    struct fp_ctx c = fp_ctx_sse(cpu->mxcsr);
    lanes x = {b}, r = {vec_zero()};
    for (uint32_t k = 0; k < 4; k++)
        r.u16[k] = fp16_from_f32(&c, x.u32[k], rounding(&c, imm));
    cpu->fp_flags |= c.flags & MXCSR_FLAGS;
    return r.v;
}
