/*
 * Which kernel an operation has and how its operands are read: the table of SIMD. Operations with
 * handlers of their own (moves, scalars and general registers, crossing of lanes) are not here.
 * Also what an unmasked floating-point exception does, which needs the table.
 */
#include "cpu/cpu.h"
#include "interp/interp.h"
#include "interp/sse/fma.h"
#include "interp/sse/mxcsr.h"
#include "interp/sse/simd.h"

#define ENTRY(name, shape_, flags_, shift_, bytes_)                                                \
  {                                                                                                \
    {.kernel = simd_##name}, .shape = (shape_), .flags = (flags_), .imm_shift = (shift_),          \
                             .bytes = (bytes_)                                                     \
  }
/* Legacy and VEX; legacy alone; VEX alone. */
#define BOTH(ID, ...) [BLINK_OP_##ID] = ENTRY(__VA_ARGS__), [BLINK_OP_V##ID] = ENTRY(__VA_ARGS__)
#define ONE(ID, ...)  [BLINK_OP_##ID] = ENTRY(__VA_ARGS__)

#define BIN(ID, name)          BOTH(ID, name, SIMD_BIN, 0, 0, 0)
#define UN(ID, name)           BOTH(ID, name, SIMD_UN, 0, 0, 0)
#define SHIFT(ID, name)        BOTH(ID, name, SIMD_SHIFT, 0, 0, 0)
#define SPLIT(ID, name, shift) BOTH(ID, name, SIMD_BIN, 0, shift, 0)
#define CONCAT(ID, name)       BOTH(ID, name, SIMD_BIN, SIMD_CONCAT, 0, 0)
#define WIDEN(ID, name, bytes) BOTH(ID, name, SIMD_WIDEN, 0, 0, bytes)
#define FLOAT(ID, name)        BOTH(ID, name, SIMD_BIN, SIMD_FP, 0, 0)
#define FLOAT1(ID, name)       BOTH(ID, name, SIMD_UN, SIMD_FP, 0, 0)
/* PS PD SS SD of an arithmetic operation. */
#define FOUR(ID, name)                                                                             \
  FLOAT(ID##PS, name##ps), FLOAT(ID##PD, name##pd), FLOAT(ID##SS, name##ss), FLOAT(ID##SD, name##sd)

const struct simd_op simd_ops[BLINK_OP_COUNT] = {
    /* Integers. */
    BIN(PADDB, paddb), BIN(PADDW, paddw), BIN(PADDD, paddd), BIN(PADDQ, paddq), BIN(PSUBB, psubb),
    BIN(PSUBW, psubw), BIN(PSUBD, psubd), BIN(PSUBQ, psubq), BIN(PADDSB, paddsb),
    BIN(PADDSW, paddsw), BIN(PADDUSB, paddusb), BIN(PADDUSW, paddusw), BIN(PSUBSB, psubsb),
    BIN(PSUBSW, psubsw), BIN(PSUBUSB, psubusb), BIN(PSUBUSW, psubusw), BIN(PAND, pand),
    BIN(PANDN, pandn), BIN(POR, por), BIN(PXOR, pxor), BIN(PCMPEQB, pcmpeqb), BIN(PCMPEQW, pcmpeqw),
    BIN(PCMPEQD, pcmpeqd), BIN(PCMPEQQ, pcmpeqq), BIN(PCMPGTB, pcmpgtb), BIN(PCMPGTW, pcmpgtw),
    BIN(PCMPGTD, pcmpgtd), BIN(PCMPGTQ, pcmpgtq), BIN(PMINUB, pminub), BIN(PMINUW, pminuw),
    BIN(PMINUD, pminud), BIN(PMINSB, pminsb), BIN(PMINSW, pminsw), BIN(PMINSD, pminsd),
    BIN(PMAXUB, pmaxub), BIN(PMAXUW, pmaxuw), BIN(PMAXUD, pmaxud), BIN(PMAXSB, pmaxsb),
    BIN(PMAXSW, pmaxsw), BIN(PMAXSD, pmaxsd), BIN(PAVGB, pavgb), BIN(PAVGW, pavgw),
    BIN(PMULLW, pmullw), BIN(PMULHW, pmulhw), BIN(PMULHUW, pmulhuw), BIN(PMULLD, pmulld),
    BIN(PMULHRSW, pmulhrsw), BIN(PMULUDQ, pmuludq), BIN(PMULDQ, pmuldq), BIN(PSIGNB, psignb),
    BIN(PSIGNW, psignw), BIN(PSIGND, psignd), UN(PABSB, pabsb), UN(PABSW, pabsw), UN(PABSD, pabsd),
    BIN(PMADDWD, pmaddwd), BIN(PMADDUBSW, pmaddubsw), BIN(PSADBW, psadbw),
    SPLIT(MPSADBW, mpsadbw, 3), CONCAT(PHADDW, phaddw), CONCAT(PHADDD, phaddd),
    CONCAT(PHADDSW, phaddsw), CONCAT(PHSUBW, phsubw), CONCAT(PHSUBD, phsubd),
    CONCAT(PHSUBSW, phsubsw), UN(PHMINPOSUW, phminposuw), ONE(VPSLLVD, psllvd, SIMD_BIN, 0, 0, 0),
    ONE(VPSLLVQ, psllvq, SIMD_BIN, 0, 0, 0), ONE(VPSRLVD, psrlvd, SIMD_BIN, 0, 0, 0),
    ONE(VPSRLVQ, psrlvq, SIMD_BIN, 0, 0, 0), ONE(VPSRAVD, psravd, SIMD_BIN, 0, 0, 0),

    /* Shifts and shuffles. */
    SHIFT(PSLLW, psllw), SHIFT(PSLLD, pslld), SHIFT(PSLLQ, psllq), SHIFT(PSRLW, psrlw),
    SHIFT(PSRLD, psrld), SHIFT(PSRLQ, psrlq), SHIFT(PSRAW, psraw), SHIFT(PSRAD, psrad),
    SHIFT(PSLLDQ, pslldq), SHIFT(PSRLDQ, psrldq), BIN(PALIGNR, palignr), BIN(PSHUFB, pshufb),
    UN(PSHUFD, pshufd), UN(PSHUFLW, pshuflw), UN(PSHUFHW, pshufhw), BIN(SHUFPS, shufps),
    SPLIT(SHUFPD, shufpd, 2), CONCAT(PACKSSWB, packsswb), CONCAT(PACKUSWB, packuswb),
    CONCAT(PACKSSDW, packssdw), BIN(PACKUSDW, packusdw), BIN(PUNPCKLBW, punpcklbw),
    BIN(PUNPCKLWD, punpcklwd), BIN(PUNPCKLDQ, punpckldq), BIN(PUNPCKLQDQ, punpcklqdq),
    BOTH(PUNPCKHBW, punpckhbw, SIMD_BIN, SIMD_HIGH, 0, 0),
    BOTH(PUNPCKHWD, punpckhwd, SIMD_BIN, SIMD_HIGH, 0, 0),
    BOTH(PUNPCKHDQ, punpckhdq, SIMD_BIN, SIMD_HIGH, 0, 0), BIN(PUNPCKHQDQ, punpckhqdq),
    BIN(UNPCKLPS, punpckldq), BIN(UNPCKLPD, punpcklqdq), BIN(UNPCKHPS, punpckhdq),
    BIN(UNPCKHPD, punpckhqdq), BIN(PBLENDW, pblendw), SPLIT(BLENDPS, blendps, 4),
    SPLIT(BLENDPD, blendpd, 2), ONE(VPBLENDD, blendps, SIMD_BIN, 0, 4, 0), BIN(INSERTPS, insertps),
    UN(MOVDDUP, movddup), UN(MOVSHDUP, movshdup), UN(MOVSLDUP, movsldup),
    WIDEN(PMOVSXBW, pmovsxbw, 8), WIDEN(PMOVSXBD, pmovsxbd, 4), WIDEN(PMOVSXBQ, pmovsxbq, 2),
    WIDEN(PMOVSXWD, pmovsxwd, 8), WIDEN(PMOVSXWQ, pmovsxwq, 4), WIDEN(PMOVSXDQ, pmovsxdq, 8),
    WIDEN(PMOVZXBW, pmovzxbw, 8), WIDEN(PMOVZXBD, pmovzxbd, 4), WIDEN(PMOVZXBQ, pmovzxbq, 2),
    WIDEN(PMOVZXWD, pmovzxwd, 8), WIDEN(PMOVZXWQ, pmovzxwq, 4), WIDEN(PMOVZXDQ, pmovzxdq, 8),

    /* Logic of floating-point registers: bits are bits. */
    BIN(ANDPS, pand), BIN(ANDPD, pand), BIN(ANDNPS, pandn), BIN(ANDNPD, pandn), BIN(ORPS, por),
    BIN(ORPD, por), BIN(XORPS, pxor), BIN(XORPD, pxor),

    /* Floating point. */
    FOUR(ADD, add), FOUR(SUB, sub), FOUR(MUL, mul), FOUR(DIV, div), FOUR(MIN, min), FOUR(MAX, max),
    FLOAT1(SQRTPS, sqrtps), FLOAT1(SQRTPD, sqrtpd), FLOAT(SQRTSS, sqrtss), FLOAT(SQRTSD, sqrtsd),
    UN(RCPPS, rcpps), BIN(RCPSS, rcpss), UN(RSQRTPS, rsqrtps), BIN(RSQRTSS, rsqrtss),
    FLOAT(ADDSUBPS, addsubps), FLOAT(ADDSUBPD, addsubpd), FLOAT(HADDPS, haddps),
    FLOAT(HADDPD, haddpd), FLOAT(HSUBPS, hsubps), FLOAT(HSUBPD, hsubpd),
    BOTH(DPPS, dpps, SIMD_BIN, SIMD_FP | SIMD_STEPS, 0, 0),
    BOTH(DPPD, dppd, SIMD_BIN, SIMD_FP | SIMD_STEPS, 0, 0), FLOAT1(ROUNDPS, roundps),
    FLOAT1(ROUNDPD, roundpd), FLOAT(ROUNDSS, roundss), FLOAT(ROUNDSD, roundsd),
    ONE(CMPPS, cmpps, SIMD_BIN, SIMD_FP, 0, 0), ONE(VCMPPS, vcmpps, SIMD_BIN, SIMD_FP, 0, 0),
    ONE(CMPPD, cmppd, SIMD_BIN, SIMD_FP, 0, 0), ONE(VCMPPD, vcmppd, SIMD_BIN, SIMD_FP, 0, 0),
    ONE(CMPSS, cmpss, SIMD_BIN, SIMD_FP, 0, 0), ONE(VCMPSS, vcmpss, SIMD_BIN, SIMD_FP, 0, 0),
    ONE(CMPSD, cmpsd, SIMD_BIN, SIMD_FP, 0, 0), ONE(VCMPSD, vcmpsd, SIMD_BIN, SIMD_FP, 0, 0),
    FLOAT1(CVTDQ2PS, cvtdq2ps), FLOAT1(CVTPS2DQ, cvtps2dq), FLOAT1(CVTTPS2DQ, cvttps2dq),
    FLOAT(CVTSS2SD, cvtss2sd), FLOAT(CVTSD2SS, cvtsd2ss),
    BOTH(CVTDQ2PD, cvtdq2pd, SIMD_WIDEN, SIMD_FP, 0, 8),
    BOTH(CVTPS2PD, cvtps2pd, SIMD_WIDEN, SIMD_FP, 0, 8),
    BOTH(CVTPD2PS, cvtpd2ps, SIMD_NARROW, SIMD_FP, 0, 0),
    BOTH(CVTPD2DQ, cvtpd2dq, SIMD_NARROW, SIMD_FP, 0, 0),
    BOTH(CVTTPD2DQ, cvttpd2dq, SIMD_NARROW, SIMD_FP, 0, 0),
    ONE(VCVTPH2PS, cvtph2ps, SIMD_WIDEN, SIMD_FP, 0, 8),

    ONE(VPERMILPS, permilps, SIMD_BIN, 0, 0, 0), ONE(VPERMILPD, permilpd, SIMD_BIN, 0, 0, 0),

    /* Cryptography. */
    BIN(AESENC, aesenc), BIN(AESENCLAST, aesenclast), BIN(AESDEC, aesdec),
    BIN(AESDECLAST, aesdeclast), UN(AESIMC, aesimc), UN(AESKEYGENASSIST, aeskeygenassist),
    BIN(PCLMULQDQ, pclmulqdq), ONE(SHA1MSG1, sha1msg1, SIMD_BIN, SIMD_LOOSE, 0, 0),
    ONE(SHA1MSG2, sha1msg2, SIMD_BIN, SIMD_LOOSE, 0, 0),
    ONE(SHA1NEXTE, sha1nexte, SIMD_BIN, SIMD_LOOSE, 0, 0),
    ONE(SHA1RNDS4, sha1rnds4, SIMD_BIN, SIMD_LOOSE, 0, 0),
    ONE(SHA256MSG1, sha256msg1, SIMD_BIN, SIMD_LOOSE, 0, 0),
    ONE(SHA256MSG2, sha256msg2, SIMD_BIN, SIMD_LOOSE, 0, 0),

#define FMA_ENTRY(name, ID)                                                                        \
  [BLINK_OP_##ID] = {{.kernel3 = simd_##name}, .shape = SIMD_FMA, .flags = SIMD_FP},
    SIMD_FMA_KERNELS(FMA_ENTRY)
#undef FMA_ENTRY
};

void simd_settle(struct blink_cpu *cpu) {
    uint32_t flags = interp_mxcsr_take(cpu);
    /* What computes in steps has looked after each. */
    if (!(simd_ops[cpu->insn->op].flags & SIMD_STEPS))
        flags = mxcsr_raised(cpu->mxcsr, flags);
    cpu->mxcsr |= flags;
    if (flags & ~(cpu->mxcsr >> 7) & MXCSR_FLAGS)
        interp_raise(cpu, cpu->cr4 & CR4_OSXMMEXCPT ? BLINK_EXC_XM : BLINK_EXC_UD, 0);
}
