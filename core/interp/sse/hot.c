/*
 * The operations that libraries and floating-point programs live on, with the computation inlined
 * into each form. They mean what their kernels mean.
 */
#include "interp/sse/forms.h"
#include "interp/sse/lanes.h"

/* ---- integers ---- */

#define HOT_INT(name)                                                                              \
  HANDLER(name##_r) {                                                                              \
    uint32_t d = i->opnd[0].reg;                                                                   \
    put_xmm(cpu, d, lane_##name(xmm(cpu, d), xmm(cpu, i->opnd[1].reg)));                           \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(name##_m) {                                                                              \
    uint32_t d = i->opnd[0].reg;                                                                   \
    vec b = ld_aligned(cpu, i, ea64(cpu, i));                                                      \
    put_xmm(cpu, d, lane_##name(xmm(cpu, d), b));                                                  \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(v##name##_r) {                                                                           \
    put_vex(cpu, i->opnd[0].reg, lane_##name(xmm(cpu, i->opnd[1].reg), xmm(cpu, i->opnd[2].reg))); \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(v##name##_m) {                                                                           \
    vec b = ld_vec(cpu, i, ea64(cpu, i));                                                          \
    put_vex(cpu, i->opnd[0].reg, lane_##name(xmm(cpu, i->opnd[1].reg), b));                        \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(y##name##_r) {                                                                           \
    struct vec_pair a = ymm_pair(cpu, i->opnd[1].reg), b = ymm_pair(cpu, i->opnd[2].reg);          \
    put_ymm(cpu, i->opnd[0].reg, lane_##name(a.low, b.low), lane_##name(a.high, b.high));          \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(y##name##_m) {                                                                           \
    struct vec_pair b = ld_pair(cpu, i, ea64(cpu, i)), a = ymm_pair(cpu, i->opnd[1].reg);          \
    put_ymm(cpu, i->opnd[0].reg, lane_##name(a.low, b.low), lane_##name(a.high, b.high));          \
    NEXT();                                                                                        \
  }
/* clang-format off */
#define HOT_INTS(F)                                                                                \
    F(paddb) F(paddw) F(paddd) F(paddq) F(psubb) F(psubw) F(psubd) F(psubq)                        \
    F(pand) F(pandn) F(por) F(pxor) F(pcmpeqb) F(pcmpeqw) F(pcmpeqd) F(pcmpgtb) F(pcmpgtd)         \
    F(pminub) F(pmaxub)
/* clang-format on */
HOT_INTS(HOT_INT)

/* ---- floating point: scalars of n bits, then packed ---- */

/* With exceptions unmasked the general handlers do it, as a sibling call: these need no stack. */
static __attribute__((noinline, cold)) const struct blink_insn *
unmasked(struct blink_cpu *cpu, const struct blink_insn *i) {
    return INTERP_FN(bind_table)(i)(cpu, i);
}
#define FAST_ONLY()                                                                                \
  if (unlikely(vfp_unmasked(cpu)))                                                                 \
  return unmasked(cpu, i)

#define HOT_SCALAR(name, n)                                                                        \
  HANDLER(name##_r) {                                                                              \
    FAST_ONLY();                                                                                   \
    uint32_t d = i->opnd[0].reg;                                                                   \
    vec r = fast_##name(cpu, xmm(cpu, d), xmm(cpu, i->opnd[1].reg));                               \
    put_xmm(cpu, i->opnd[0].reg, r);                                                               \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(name##_m) {                                                                              \
    FAST_ONLY();                                                                                   \
    uint32_t d = i->opnd[0].reg;                                                                   \
    vec r = fast_##name(cpu, xmm(cpu, d), vec_low(ld##n(cpu, i, ea64(cpu, i))));                   \
    put_xmm(cpu, i->opnd[0].reg, r);                                                               \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(v##name##_r) {                                                                           \
    FAST_ONLY();                                                                                   \
    vec r = fast_##name(cpu, xmm(cpu, i->opnd[1].reg), xmm(cpu, i->opnd[2].reg));                  \
    put_vex(cpu, i->opnd[0].reg, r);                                                               \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(v##name##_m) {                                                                           \
    FAST_ONLY();                                                                                   \
    vec r = fast_##name(cpu, xmm(cpu, i->opnd[1].reg), vec_low(ld##n(cpu, i, ea64(cpu, i))));      \
    put_vex(cpu, i->opnd[0].reg, r);                                                               \
    NEXT();                                                                                        \
  }
#define HOT_PACKED(name)                                                                           \
  HANDLER(name##_r) {                                                                              \
    FAST_ONLY();                                                                                   \
    uint32_t d = i->opnd[0].reg;                                                                   \
    vec r = fast_##name(cpu, xmm(cpu, d), xmm(cpu, i->opnd[1].reg));                               \
    put_xmm(cpu, i->opnd[0].reg, r);                                                               \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(name##_m) {                                                                              \
    FAST_ONLY();                                                                                   \
    uint32_t d = i->opnd[0].reg;                                                                   \
    vec r = fast_##name(cpu, xmm(cpu, d), ld_aligned(cpu, i, ea64(cpu, i)));                       \
    put_xmm(cpu, i->opnd[0].reg, r);                                                               \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(v##name##_r) {                                                                           \
    FAST_ONLY();                                                                                   \
    vec r = fast_##name(cpu, xmm(cpu, i->opnd[1].reg), xmm(cpu, i->opnd[2].reg));                  \
    put_vex(cpu, i->opnd[0].reg, r);                                                               \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(v##name##_m) {                                                                           \
    FAST_ONLY();                                                                                   \
    vec r = fast_##name(cpu, xmm(cpu, i->opnd[1].reg), ld_vec(cpu, i, ea64(cpu, i)));              \
    put_vex(cpu, i->opnd[0].reg, r);                                                               \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(y##name##_r) {                                                                           \
    FAST_ONLY();                                                                                   \
    struct vec_pair a = ymm_pair(cpu, i->opnd[1].reg), b = ymm_pair(cpu, i->opnd[2].reg);          \
    vec r = fast_##name(cpu, a.low, b.low), s = fast_##name(cpu, a.high, b.high);                  \
    put_ymm(cpu, i->opnd[0].reg, r, s);                                                            \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(y##name##_m) {                                                                           \
    FAST_ONLY();                                                                                   \
    struct vec_pair b = ld_pair(cpu, i, ea64(cpu, i)), a = ymm_pair(cpu, i->opnd[1].reg);          \
    vec r = fast_##name(cpu, a.low, b.low), s = fast_##name(cpu, a.high, b.high);                  \
    put_ymm(cpu, i->opnd[0].reg, r, s);                                                            \
    NEXT();                                                                                        \
  }
/* clang-format off */
#define HOT_SCALARS(F)                                                                             \
    F(addss, 32) F(subss, 32) F(mulss, 32) F(divss, 32) F(addsd, 64) F(subsd, 64) F(mulsd, 64)     \
    F(divsd, 64) F(sqrtsd, 64) F(minsd, 64) F(maxsd, 64) F(cvtss2sd, 32) F(cvtsd2ss, 64)
#define HOT_PACKEDS(F)                                                                             \
    F(addps) F(subps) F(mulps) F(divps) F(addpd) F(subpd) F(mulpd) F(divpd)
/* clang-format on */
HOT_SCALARS(HOT_SCALAR)
HOT_PACKEDS(HOT_PACKED)

/* ---- binding: legacy r m, VEX r m, YMM r m ---- */

enum {
#define HOT_NAME(name, ...) HOT_##name,
    HOT_INTS(HOT_NAME) HOT_SCALARS(HOT_NAME) HOT_PACKEDS(HOT_NAME)
};
#define HOT_SIX(name)                                                                              \
  [HOT_##name] = {name##_r, name##_m, v##name##_r, v##name##_m, y##name##_r, y##name##_m},
#define HOT_FOUR(name, n) [HOT_##name] = {name##_r, name##_m, v##name##_r, v##name##_m},
static interp_handler *const hot_table[][6] = {HOT_INTS(HOT_SIX) HOT_SCALARS(HOT_FOUR)
                                                   HOT_PACKEDS(HOT_SIX)};

static interp_handler *pick(const struct blink_insn *i, uint32_t hot) {
    uint32_t mem = i->opnd[IS_VEX(i) ? 2 : 1].kind == BLINK_OPND_MEM;
    if (mem && i->addrsize != 8)
        return NULL;
    uint32_t form = i->opnd[0].kind == BLINK_OPND_YMM ? 4 : IS_VEX(i) ? 2 : 0;
    return hot_table[hot][form + mem];
}

#define HOT_CASE(ID, name)                                                                         \
  case BLINK_OP_##ID:                                                                              \
  case BLINK_OP_V##ID: return pick(i, HOT_##name);

interp_handler *INTERP_FN(bind_hot)(const struct blink_insn *i) {
    switch (i->op) {
        HOT_CASE(PADDB, paddb)
        HOT_CASE(PADDW, paddw)
        HOT_CASE(PADDD, paddd)
        HOT_CASE(PADDQ, paddq)
        HOT_CASE(PSUBB, psubb)
        HOT_CASE(PSUBW, psubw)
        HOT_CASE(PSUBD, psubd)
        HOT_CASE(PSUBQ, psubq)
        HOT_CASE(PAND, pand)
        HOT_CASE(ANDPS, pand)
        HOT_CASE(ANDPD, pand)
        HOT_CASE(PANDN, pandn)
        HOT_CASE(ANDNPS, pandn)
        HOT_CASE(ANDNPD, pandn)
        HOT_CASE(POR, por)
        HOT_CASE(ORPS, por)
        HOT_CASE(ORPD, por)
        HOT_CASE(PXOR, pxor)
        HOT_CASE(XORPS, pxor)
        HOT_CASE(XORPD, pxor)
        HOT_CASE(PCMPEQB, pcmpeqb)
        HOT_CASE(PCMPEQW, pcmpeqw)
        HOT_CASE(PCMPEQD, pcmpeqd)
        HOT_CASE(PCMPGTB, pcmpgtb)
        HOT_CASE(PCMPGTD, pcmpgtd)
        HOT_CASE(PMINUB, pminub)
        HOT_CASE(PMAXUB, pmaxub)
        HOT_CASE(ADDSS, addss)
        HOT_CASE(SUBSS, subss)
        HOT_CASE(MULSS, mulss)
        HOT_CASE(DIVSS, divss)
        HOT_CASE(ADDSD, addsd)
        HOT_CASE(SUBSD, subsd)
        HOT_CASE(MULSD, mulsd)
        HOT_CASE(DIVSD, divsd)
        HOT_CASE(SQRTSD, sqrtsd)
        HOT_CASE(MINSD, minsd)
        HOT_CASE(MAXSD, maxsd)
        HOT_CASE(CVTSS2SD, cvtss2sd)
        HOT_CASE(CVTSD2SS, cvtsd2ss)
        HOT_CASE(ADDPS, addps)
        HOT_CASE(SUBPS, subps)
        HOT_CASE(MULPS, mulps)
        HOT_CASE(DIVPS, divps)
        HOT_CASE(ADDPD, addpd)
        HOT_CASE(SUBPD, subpd)
        HOT_CASE(MULPD, mulpd)
        HOT_CASE(DIVPD, divpd)
    default: return NULL;
    }
}
