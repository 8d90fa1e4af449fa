/*
 * MMX: instructions on the MMX registers, which are the significands of the x87 ones. Integer
 * operations use the kernels of the vectors on the low half.
 */
#include "interp/sse/forms.h"

/* The 64-bit source of operand k; PUNPCKL reads 4 bytes. Registers before memory is known good
 * are not changed. */
static inline uint64_t source(struct blink_cpu *cpu, const struct blink_insn *i, uint32_t k) {
    const struct blink_operand *o = &i->opnd[k];
    if (o->kind == BLINK_OPND_IMM)
        return i->imm & 0xff;
    if (o->kind == BLINK_OPND_MEM)
        return o->size == 4 ? ld32(cpu, i, ea(cpu, i)) : ld64(cpu, i, ea(cpu, i));
    return mmx(cpu, o->reg);
}
static inline void finish(struct blink_cpu *cpu, uint32_t n, uint64_t v) {
    mmx_state(cpu);
    put_mmx(cpu, n, v);
}

HANDLER(mmx_plain) {
    MMX_BEGIN();
    uint32_t d = i->opnd[0].reg;
    uint64_t b = source(cpu, i, 1);
    vec r = simd_ops[i->op].kernel(cpu, vec_low(mmx(cpu, d)), vec_low(b), (uint32_t)i->imm);
    finish(cpu, d, r[0]);
    NEXT();
}
/* Packs and horizontal sums take all of the destination, then all of the source. */
HANDLER(mmx_concat) {
    MMX_BEGIN();
    uint32_t d = i->opnd[0].reg;
    uint64_t b = source(cpu, i, 1);
    vec both = {mmx(cpu, d), b};
    finish(cpu, d, simd_ops[i->op].kernel(cpu, both, both, 0)[0]);
    NEXT();
}
/* The high half of 16 unpacked bytes, which is where the kernel looks for its operands too. */
HANDLER(mmx_high) {
    MMX_BEGIN();
    uint32_t d = i->opnd[0].reg;
    uint64_t b = source(cpu, i, 1);
    finish(cpu, d, simd_ops[i->op].kernel(cpu, (vec){0, mmx(cpu, d)}, (vec){0, b}, 0)[1]);
    NEXT();
}
HANDLER(mmx_pshufb) {
    MMX_BEGIN();
    uint32_t d = i->opnd[0].reg;
    uint64_t b = source(cpu, i, 1) & UINT64_C(0x8787878787878787);
    finish(cpu, d, simd_pshufb(cpu, vec_low(mmx(cpu, d)), vec_low(b), 0)[0]);
    NEXT();
}
HANDLER(mmx_palignr) {
    MMX_BEGIN();
    uint32_t d = i->opnd[0].reg, n = (uint32_t)i->imm & 0xff;
    uint64_t b = source(cpu, i, 1);
    finish(cpu, d, vec_down((vec){b, mmx(cpu, d)}, n < 16 ? n : 16)[0]);
    NEXT();
}
HANDLER(mmx_pshufw) {
    MMX_BEGIN();
    vec b = vec_low(source(cpu, i, 1));
    finish(cpu, i->opnd[0].reg, simd_pshuflw(cpu, b, b, (uint32_t)i->imm)[0]);
    NEXT();
}
HANDLER(emms) {
    MMX_BEGIN();
    cpu->ftop = 0;
    cpu->fvalid = 0;
    NEXT();
}

/* ---- moves ---- */

HANDLER(mmx_store) {
    MMX_BEGIN();
    st_sized(cpu, i, ea(cpu, i), i->opnd[0].size, mmx(cpu, i->opnd[1].reg));
    mmx_state(cpu);
    NEXT();
}
HANDLER(mmx_load) {
    MMX_BEGIN();
    finish(cpu, i->opnd[0].reg, source(cpu, i, 1));
    NEXT();
}
HANDLER(mmx_from_gpr) {
    MMX_BEGIN();
    finish(cpu, i->opnd[0].reg, get_sized(cpu, i->opnd[1].reg, i->opnd[1].size));
    NEXT();
}
HANDLER(mmx_to_gpr) {
    MMX_BEGIN();
    put_sized(cpu, i->opnd[0].reg, i->opnd[0].size, mmx(cpu, i->opnd[1].reg));
    mmx_state(cpu);
    NEXT();
}
HANDLER(movq2dq) {
    MMX_BEGIN();
    put_xmm(cpu, i->opnd[0].reg, vec_low(mmx(cpu, i->opnd[1].reg)));
    mmx_state(cpu);
    NEXT();
}
HANDLER(movdq2q) {
    MMX_BEGIN();
    finish(cpu, i->opnd[0].reg, cpu->ymm[i->opnd[1].reg].u64[0]);
    NEXT();
}
/* At [rDI] of the address size; bytes whose mask bit is clear are not touched. */
HANDLER(maskmovq) {
    MMX_BEGIN();
    uint64_t v = mmx(cpu, i->opnd[0].reg), m = mmx(cpu, i->opnd[1].reg);
    INTERP_FN(store_masked)(cpu, i, vec_low(v), vec_low(m));
    mmx_state(cpu);
    NEXT();
}

/* ---- elements ---- */

HANDLER(mmx_pmovmskb) {
    MMX_BEGIN();
    put64(cpu, i->opnd[0].reg, vec_signs8(vec_low(mmx(cpu, i->opnd[1].reg))));
    mmx_state(cpu);
    NEXT();
}
HANDLER(mmx_pextrw) {
    MMX_BEGIN();
    put64(cpu, i->opnd[0].reg, mmx(cpu, i->opnd[1].reg) >> (i->imm & 3) * 16 & 0xffff);
    mmx_state(cpu);
    NEXT();
}
HANDLER(mmx_pinsrw) {
    MMX_BEGIN();
    uint32_t d = i->opnd[0].reg, shift = (i->imm & 3) * 16;
    uint64_t v =
        i->opnd[1].kind == BLINK_OPND_MEM ? ld16(cpu, i, ea(cpu, i)) : get16(cpu, i->opnd[1].reg);
    finish(cpu, d, (mmx(cpu, d) & ~(UINT64_C(0xffff) << shift)) | v << shift);
    NEXT();
}

/* ---- conversions between MMX and XMM ---- */

/* With a memory source these touch no MMX register, hence leave the x87 state alone. */
HANDLER(cvtpi2pd) {
    bool mem = i->opnd[1].kind == BLINK_OPND_MEM;
    if (!mem)
        MMX_BEGIN();
    vec r = vfp_cvtdq2pd(cpu, vec_low(source(cpu, i, 1)));
    if (!mem)
        mmx_state(cpu);
    put_xmm(cpu, i->opnd[0].reg, r);
    NEXT();
}
HANDLER(cvtpi2ps) {
    bool mem = i->opnd[1].kind == BLINK_OPND_MEM;
    uint32_t d = i->opnd[0].reg;
    if (!mem)
        MMX_BEGIN();
    vec r = vfp_cvtdq2ps(cpu, vec_low(source(cpu, i, 1)));
    if (!mem)
        mmx_state(cpu); /* also if it raises #XM */
    SETTLE();
    put_xmm(cpu, d, (vec){r[0], xmm(cpu, d)[1]});
    NEXT();
}
#define TO_MMX(name, convert, SOURCE)                                                              \
  HANDLER(name) {                                                                                  \
    MMX_BEGIN();                                                                                   \
    vec r = vfp_##convert(cpu, SOURCE);                                                            \
    mmx_state(cpu); /* also if it raises #XM */                                                    \
    SETTLE();                                                                                      \
    finish(cpu, i->opnd[0].reg, r[0]);                                                             \
    NEXT();                                                                                        \
  }
#define TWO_SINGLES                                                                                \
  vec_low(i->opnd[1].kind == BLINK_OPND_MEM ? ld64(cpu, i, ea(cpu, i))                             \
                                            : cpu->ymm[i->opnd[1].reg].u64[0])
#define TWO_DOUBLES                                                                                \
  (i->opnd[1].kind == BLINK_OPND_MEM ? ld_aligned(cpu, i, ea(cpu, i)) : xmm(cpu, i->opnd[1].reg))
TO_MMX(cvtps2pi, cvtps2dq, TWO_SINGLES)
TO_MMX(cvttps2pi, cvttps2dq, TWO_SINGLES)
TO_MMX(cvtpd2pi, cvtpd2dq, TWO_DOUBLES)
TO_MMX(cvttpd2pi, cvttpd2dq, TWO_DOUBLES)

static interp_handler *bind_mmx_move(const struct blink_insn *i) {
    if (i->opnd[0].kind == BLINK_OPND_MEM)
        return mmx_store;
    if (i->opnd[0].kind == BLINK_OPND_GPR)
        return mmx_to_gpr;
    return i->opnd[1].kind == BLINK_OPND_GPR ? mmx_from_gpr : mmx_load;
}

static interp_handler *bind_kernel(const struct blink_insn *i) {
    const struct simd_op *o = &simd_ops[i->op];
    if (o->shape == SIMD_NONE || i->opnd[0].kind != BLINK_OPND_MMX)
        return NULL;
    return o->flags & SIMD_CONCAT ? mmx_concat : o->flags & SIMD_HIGH ? mmx_high : mmx_plain;
}

interp_handler *INTERP_FN(bind_mmx)(const struct blink_insn *i) {
    switch (i->op) {
    case BLINK_OP_EMMS: return emms;
    case BLINK_OP_MASKMOVQ: return maskmovq;
    case BLINK_OP_MOVQ2DQ: return movq2dq;
    case BLINK_OP_MOVDQ2Q: return movdq2q;
    case BLINK_OP_MOVNTQ:
    case BLINK_OP_MOVD:
    case BLINK_OP_MOVQ: return bind_mmx_move(i);
    case BLINK_OP_PSHUFW: return mmx_pshufw;
    case BLINK_OP_PSHUFB: return mmx_pshufb;
    case BLINK_OP_PALIGNR: return mmx_palignr;
    case BLINK_OP_PMOVMSKB: return mmx_pmovmskb;
    case BLINK_OP_PEXTRW: return mmx_pextrw;
    case BLINK_OP_PINSRW: return mmx_pinsrw;
    case BLINK_OP_CVTPI2PS: return cvtpi2ps;
    case BLINK_OP_CVTPI2PD: return cvtpi2pd;
    case BLINK_OP_CVTPS2PI: return cvtps2pi;
    case BLINK_OP_CVTPD2PI: return cvtpd2pi;
    case BLINK_OP_CVTTPS2PI: return cvttps2pi;
    case BLINK_OP_CVTTPD2PI: return cvttpd2pi;
    default: return bind_kernel(i);
    }
}
