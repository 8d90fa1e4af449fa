/*
 * Between vectors and general registers or flags: conversions, (U)COMIS, PTEST, sign masks, insert
 * and extract of elements, MXCSR.
 */
#include "interp/sse/forms.h"
#include "interp/sse/mxcsr.h"

/* The vector source of operand k: register, or memory of `size` bytes. */
static inline vec source(struct blink_cpu *cpu, const struct blink_insn *i, uint32_t k,
                         uint32_t size) {
    return i->opnd[k].kind == BLINK_OPND_MEM ? ld_part(cpu, i, ea(cpu, i), size)
                                             : xmm(cpu, i->opnd[k].reg);
}

/* What a handler becomes when the guest has unmasked exceptions: out of line, as a sibling call. */
#define UNMASKED_HANDLER(name)                                                                     \
  __attribute__((noinline, cold)) const struct blink_insn *name(struct blink_cpu *cpu,             \
                                                                const struct blink_insn *i)

/* ---- comparisons into flags ---- */

static inline void set_compared(struct blink_cpu *cpu, uint32_t f) {
    set_zpc(cpu, f & VFP_ZF, f >> 1 & 1, f >> 2);
}
#define COMPARE(name, bytes)                                                                       \
  static UNMASKED_HANDLER(name##_unmasked) {                                                       \
    uint32_t f = vfp_##name(cpu, xmm(cpu, i->opnd[0].reg), source(cpu, i, 1, bytes));              \
    SETTLE();                                                                                      \
    set_compared(cpu, f);                                                                          \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(name##_r) {                                                                              \
    if (unlikely(vfp_unmasked(cpu)))                                                               \
      return name##_unmasked(cpu, i);                                                              \
    set_compared(cpu, fast_##name(cpu, xmm(cpu, i->opnd[0].reg), xmm(cpu, i->opnd[1].reg)));       \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(name##_m) {                                                                              \
    if (unlikely(vfp_unmasked(cpu)))                                                               \
      return name##_unmasked(cpu, i);                                                              \
    vec b = ld_part(cpu, i, ea(cpu, i), bytes);                                                    \
    set_compared(cpu, fast_##name(cpu, xmm(cpu, i->opnd[0].reg), b));                              \
    NEXT();                                                                                        \
  }
COMPARE(comiss, 4)
COMPARE(ucomiss, 4)
COMPARE(comisd, 8)
COMPARE(ucomisd, 8)

/* PTEST, VTESTPS, VTESTPD: ZF = no bit of `mask` in a & b, CF = none in ~a & b. */
static inline void set_test(struct blink_cpu *cpu, vec both, vec only_b) {
    set_zpc(cpu, (both[0] | both[1]) == 0, 0, (only_b[0] | only_b[1]) == 0);
}
HANDLER(ptest) {
    vec a = xmm(cpu, i->opnd[0].reg), b = source(cpu, i, 1, 16);
    set_test(cpu, a & b, ~a & b);
    NEXT();
}
HANDLER(ptest_aligned) {
    vec b = ld_aligned(cpu, i, ea(cpu, i)), a = xmm(cpu, i->opnd[0].reg);
    set_test(cpu, a & b, ~a & b);
    NEXT();
}
static vec sign_bits(const struct blink_insn *i) {
    uint64_t m = UINT64_C(0x8000000000000000);
    if (i->op == BLINK_OP_VTESTPS)
        m |= UINT64_C(0x80000000);
    return i->op == BLINK_OP_VPTEST ? ~vec_zero() : (vec){m, m};
}
HANDLER(vtest) {
    vec m = sign_bits(i), a = xmm(cpu, i->opnd[0].reg), b = source(cpu, i, 1, 16) & m;
    set_test(cpu, a & b, ~a & b);
    NEXT();
}
HANDLER(vtest_wide) {
    vec m = sign_bits(i);
    struct vec_pair a = ymm_pair(cpu, i->opnd[0].reg);
    struct vec_pair b = i->opnd[1].kind == BLINK_OPND_MEM ? ld_pair(cpu, i, ea(cpu, i))
                                                          : ymm_pair(cpu, i->opnd[1].reg);
    set_test(cpu, (a.low & b.low & m) | (a.high & b.high & m),
             (~a.low & b.low & m) | (~a.high & b.high & m));
    NEXT();
}

/* ---- sign masks ---- */

HANDLER(pmovmskb) {
    put64(cpu, i->opnd[0].reg, vec_signs8(xmm(cpu, i->opnd[1].reg)));
    NEXT();
}
HANDLER(pmovmskb_wide) {
    struct vec_pair p = ymm_pair(cpu, i->opnd[1].reg);
    put64(cpu, i->opnd[0].reg, vec_signs8(p.low) | vec_signs8(p.high) << 16);
    NEXT();
}
HANDLER(movmskps) {
    struct vec_pair p = ymm_pair(cpu, i->opnd[1].reg);
    uint32_t m = vec_signs32(p.low);
    if (i->opnd[1].kind == BLINK_OPND_YMM)
        m |= vec_signs32(p.high) << 4;
    put64(cpu, i->opnd[0].reg, m);
    NEXT();
}
HANDLER(movmskpd) {
    struct vec_pair p = ymm_pair(cpu, i->opnd[1].reg);
    uint32_t m = vec_signs64(p.low);
    if (i->opnd[1].kind == BLINK_OPND_YMM)
        m |= vec_signs64(p.high) << 2;
    put64(cpu, i->opnd[0].reg, m);
    NEXT();
}

/* ---- conversions ---- */

/* CVTSS2SI and so on: by the size of the destination. */
#define TO_INT(name, bytes)                                                                        \
  static UNMASKED_HANDLER(name##_unmasked) {                                                       \
    vec b = source(cpu, i, 1, bytes);                                                              \
    bool wide = i->opnd[0].size == 8;                                                              \
    uint64_t v = wide ? (uint64_t)vfp_##name##q(cpu, b) : (uint32_t)vfp_##name(cpu, b);            \
    SETTLE();                                                                                      \
    put64(cpu, i->opnd[0].reg, v);                                                                 \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(name##_32) {                                                                             \
    if (unlikely(vfp_unmasked(cpu)))                                                               \
      return name##_unmasked(cpu, i);                                                              \
    put32(cpu, i->opnd[0].reg, (uint32_t)fast_##name(cpu, source(cpu, i, 1, bytes)));              \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(name##_64) {                                                                             \
    if (unlikely(vfp_unmasked(cpu)))                                                               \
      return name##_unmasked(cpu, i);                                                              \
    put64(cpu, i->opnd[0].reg, (uint64_t)fast_##name##q(cpu, source(cpu, i, 1, bytes)));           \
    NEXT();                                                                                        \
  }
TO_INT(cvtss2si, 4)
TO_INT(cvttss2si, 4)
TO_INT(cvtsd2si, 8)
TO_INT(cvttsd2si, 8)

/* CVTSI2SS and so on: by the size of the source; the rest of the destination (VEX: of the first
 * source) stays. */
#define GPR_OR_MEM(n, k)                                                                           \
  (i->opnd[k].kind == BLINK_OPND_MEM ? ld##n(cpu, i, ea(cpu, i)) : get##n(cpu, i->opnd[k].reg))
#define FROM_INT(v, name, k, PUT)                                                                  \
  static UNMASKED_HANDLER(v##name##_unmasked) {                                                    \
    vec a = xmm(cpu, i->opnd[k].reg), r;                                                           \
    if (i->opnd[k + 1].size == 8)                                                                  \
      r = vfp_##name##q(cpu, a, (int64_t)GPR_OR_MEM(64, k + 1));                                   \
    else                                                                                           \
      r = vfp_##name##l(cpu, a, (int32_t)GPR_OR_MEM(32, k + 1));                                   \
    SETTLE();                                                                                      \
    PUT(cpu, i->opnd[0].reg, r);                                                                   \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(v##name##_32) {                                                                          \
    if (unlikely(vfp_unmasked(cpu)))                                                               \
      return v##name##_unmasked(cpu, i);                                                           \
    int32_t n = (int32_t)GPR_OR_MEM(32, k + 1);                                                    \
    PUT(cpu, i->opnd[0].reg, fast_##name##l(cpu, xmm(cpu, i->opnd[k].reg), n));                    \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(v##name##_64) {                                                                          \
    if (unlikely(vfp_unmasked(cpu)))                                                               \
      return v##name##_unmasked(cpu, i);                                                           \
    int64_t n = (int64_t)GPR_OR_MEM(64, k + 1);                                                    \
    PUT(cpu, i->opnd[0].reg, fast_##name##q(cpu, xmm(cpu, i->opnd[k].reg), n));                    \
    NEXT();                                                                                        \
  }
FROM_INT(, cvtsi2ss, 0, put_xmm)
FROM_INT(, cvtsi2sd, 0, put_xmm)
FROM_INT(v, cvtsi2ss, 1, put_vex)
FROM_INT(v, cvtsi2sd, 1, put_vex)

/* ---- elements ---- */

/* PINSRx: the last source is a general register or memory of the element's size. */
#define INSERT(n, mask)                                                                            \
  HANDLER(pinsr##n) {                                                                              \
    uint32_t vex = IS_VEX(i), k = vex ? 1 : 0;                                                     \
    uint##n##_t v = GPR_OR_MEM(n, k + 1);                                                          \
    lanes r = {xmm(cpu, i->opnd[k].reg)};                                                          \
    r.u##n[i->imm & (mask)] = v;                                                                   \
    put_any(cpu, i->opnd[0].reg, r.v, vex);                                                        \
    NEXT();                                                                                        \
  }
/* PEXTRx: a register destination is zero-extended. */
#define EXTRACT(n, mask)                                                                           \
  HANDLER(pextr##n) {                                                                              \
    lanes s = {xmm(cpu, i->opnd[1].reg)};                                                          \
    uint##n##_t v = s.u##n[i->imm & (mask)];                                                       \
    if (i->opnd[0].kind == BLINK_OPND_MEM)                                                         \
      st##n(cpu, i, ea(cpu, i), v);                                                                \
    else                                                                                           \
      put64(cpu, i->opnd[0].reg, v);                                                               \
    NEXT();                                                                                        \
  }
INSERT(8, 15)
INSERT(16, 7)
INSERT(32, 3)
INSERT(64, 1)
EXTRACT(8, 15)
EXTRACT(16, 7)
EXTRACT(32, 3)
EXTRACT(64, 1)

/* INSERTPS from memory takes the one element there is, whatever bits 7:6 say. */
HANDLER(insertps_m) {
    uint32_t vex = IS_VEX(i), k = vex ? 1 : 0;
    vec b = vec_low(ld32(cpu, i, ea(cpu, i)));
    vec r = simd_insertps(cpu, xmm(cpu, i->opnd[k].reg), b, (uint32_t)i->imm & 0x3f);
    put_any(cpu, i->opnd[0].reg, r, vex);
    NEXT();
}

/* ---- blends by a mask register: the signs of its elements choose b ---- */

static inline vec spread_signs(vec m, uint32_t op) {
    lanes r = {m};
    switch (op) {
    case BLINK_OP_BLENDVPS:
    case BLINK_OP_VBLENDVPS:
        for (uint32_t k = 0; k < 4; k++)
            r.i32[k] >>= 31;
        break;
    case BLINK_OP_BLENDVPD:
    case BLINK_OP_VBLENDVPD:
        for (uint32_t k = 0; k < 2; k++)
            r.i64[k] >>= 63;
        break;
    default:
        for (uint32_t k = 0; k < 16; k++)
            r.i8[k] = (int8_t)(r.i8[k] >> 7);
        break;
    }
    return r.v;
}
static inline vec blend(vec a, vec b, vec m) {
    return (b & m) | (a & ~m);
}
HANDLER(blendv) {
    vec b = i->opnd[1].kind == BLINK_OPND_MEM ? ld_aligned(cpu, i, ea(cpu, i))
                                              : xmm(cpu, i->opnd[1].reg);
    uint32_t d = i->opnd[0].reg;
    put_xmm(cpu, d, blend(xmm(cpu, d), b, spread_signs(xmm(cpu, 0), i->op)));
    NEXT();
}
HANDLER(vblendv) {
    vec b = source(cpu, i, 2, 16), m = spread_signs(xmm(cpu, i->opnd[3].reg), i->op);
    put_vex(cpu, i->opnd[0].reg, blend(xmm(cpu, i->opnd[1].reg), b, m));
    NEXT();
}
HANDLER(vblendv_wide) {
    struct vec_pair b = i->opnd[2].kind == BLINK_OPND_MEM ? ld_pair(cpu, i, ea(cpu, i))
                                                          : ymm_pair(cpu, i->opnd[2].reg);
    struct vec_pair a = ymm_pair(cpu, i->opnd[1].reg), m = ymm_pair(cpu, i->opnd[3].reg);
    put_ymm(cpu, i->opnd[0].reg, blend(a.low, b.low, spread_signs(m.low, i->op)),
            blend(a.high, b.high, spread_signs(m.high, i->op)));
    NEXT();
}

/* ---- MXCSR ---- */

HANDLER(ldmxcsr) {
    uint32_t v = ld32(cpu, i, ea(cpu, i));
    if (v & ~MXCSR_VALID)
        RAISE(BLINK_EXC_GP, 0);
    cpu->mxcsr = v;
    interp_mxcsr_load(cpu);
    NEXT();
}
HANDLER(stmxcsr) {
    cpu->mxcsr |= interp_mxcsr_take(cpu);
    st32(cpu, i, ea(cpu, i), cpu->mxcsr);
    NEXT();
}

static interp_handler *bind_compare(const struct blink_insn *i) {
    bool mem = i->opnd[1].kind == BLINK_OPND_MEM;
    switch (i->op) {
    case BLINK_OP_COMISS:
    case BLINK_OP_VCOMISS: return mem ? comiss_m : comiss_r;
    case BLINK_OP_COMISD:
    case BLINK_OP_VCOMISD: return mem ? comisd_m : comisd_r;
    case BLINK_OP_UCOMISS:
    case BLINK_OP_VUCOMISS: return mem ? ucomiss_m : ucomiss_r;
    case BLINK_OP_UCOMISD:
    case BLINK_OP_VUCOMISD: return mem ? ucomisd_m : ucomisd_r;
    case BLINK_OP_PTEST: return mem ? ptest_aligned : ptest;
    case BLINK_OP_VPTEST:
    case BLINK_OP_VTESTPS:
    case BLINK_OP_VTESTPD: return i->opnd[0].kind == BLINK_OPND_YMM ? vtest_wide : vtest;
    default: return NULL;
    }
}
static interp_handler *bind_convert(const struct blink_insn *i) {
    bool to64 = i->opnd[0].size == 8, from64 = i->opnd[IS_VEX(i) ? 2 : 1].size == 8;
    switch (i->op) {
    case BLINK_OP_CVTSS2SI:
    case BLINK_OP_VCVTSS2SI: return to64 ? cvtss2si_64 : cvtss2si_32;
    case BLINK_OP_CVTSD2SI:
    case BLINK_OP_VCVTSD2SI: return to64 ? cvtsd2si_64 : cvtsd2si_32;
    case BLINK_OP_CVTTSS2SI:
    case BLINK_OP_VCVTTSS2SI: return to64 ? cvttss2si_64 : cvttss2si_32;
    case BLINK_OP_CVTTSD2SI:
    case BLINK_OP_VCVTTSD2SI: return to64 ? cvttsd2si_64 : cvttsd2si_32;
    case BLINK_OP_CVTSI2SS: return from64 ? cvtsi2ss_64 : cvtsi2ss_32;
    case BLINK_OP_CVTSI2SD: return from64 ? cvtsi2sd_64 : cvtsi2sd_32;
    case BLINK_OP_VCVTSI2SS: return from64 ? vcvtsi2ss_64 : vcvtsi2ss_32;
    case BLINK_OP_VCVTSI2SD: return from64 ? vcvtsi2sd_64 : vcvtsi2sd_32;
    default: return NULL;
    }
}
static interp_handler *bind_element(const struct blink_insn *i) {
    bool wide = i->opnd[1].kind == BLINK_OPND_YMM;
    switch (i->op) {
    case BLINK_OP_PMOVMSKB:
    case BLINK_OP_VPMOVMSKB: return wide ? pmovmskb_wide : pmovmskb;
    case BLINK_OP_MOVMSKPS:
    case BLINK_OP_VMOVMSKPS: return movmskps;
    case BLINK_OP_MOVMSKPD:
    case BLINK_OP_VMOVMSKPD: return movmskpd;
    case BLINK_OP_PINSRB:
    case BLINK_OP_VPINSRB: return pinsr8;
    case BLINK_OP_PINSRW:
    case BLINK_OP_VPINSRW: return pinsr16;
    case BLINK_OP_PINSRD:
    case BLINK_OP_VPINSRD: return pinsr32;
    case BLINK_OP_PINSRQ:
    case BLINK_OP_VPINSRQ: return pinsr64;
    case BLINK_OP_PEXTRB:
    case BLINK_OP_VPEXTRB: return pextr8;
    case BLINK_OP_PEXTRW:
    case BLINK_OP_VPEXTRW: return pextr16;
    case BLINK_OP_PEXTRD:
    case BLINK_OP_VPEXTRD:
    case BLINK_OP_EXTRACTPS:
    case BLINK_OP_VEXTRACTPS: return pextr32;
    case BLINK_OP_PEXTRQ:
    case BLINK_OP_VPEXTRQ: return pextr64;
    case BLINK_OP_INSERTPS: return i->opnd[1].kind == BLINK_OPND_MEM ? insertps_m : NULL;
    case BLINK_OP_VINSERTPS: return i->opnd[2].kind == BLINK_OPND_MEM ? insertps_m : NULL;
    default: return NULL;
    }
}

interp_handler *INTERP_FN(bind_scalar)(const struct blink_insn *i) {
    bool wide = i->opnd[0].kind == BLINK_OPND_YMM;
    interp_handler *h;
    switch (i->op) {
    case BLINK_OP_BLENDVPS:
    case BLINK_OP_BLENDVPD:
    case BLINK_OP_PBLENDVB: return blendv;
    case BLINK_OP_VBLENDVPS:
    case BLINK_OP_VBLENDVPD:
    case BLINK_OP_VPBLENDVB: return wide ? vblendv_wide : vblendv;
    case BLINK_OP_LDMXCSR:
    case BLINK_OP_VLDMXCSR: return ldmxcsr;
    case BLINK_OP_STMXCSR:
    case BLINK_OP_VSTMXCSR: return stmxcsr;
    default: break;
    }
    if ((h = bind_compare(i)) || (h = bind_convert(i)))
        return h;
    return bind_element(i);
}
