/*
 * The table of SIMD encodings, for sse_trial.c alone. Encodings are those of the AMD64 manual,
 * volumes 4 and 5.
 */
#ifndef TESTS_INTERP_SSE_TABLE_H
#define TESTS_INTERP_SSE_TABLE_H

#include "sse_ops.h"

#define CASE(id, pp, map, opcode, layout, digit, reg, rm, size, wide, need, need128, need256,      \
             flags)                                                                                \
  {                                                                                                \
    #id, BLINK_OP_##id, BLINK_OP_V##id, pp, map, opcode, layout, digit, reg, rm, size, wide, need, \
        need128, need256, flags                                                                    \
  }
#define LEGACY(id, pp, map, opcode, layout, reg, rm, size, need, flags)                            \
  {                                                                                                \
    #id, BLINK_OP_##id, 0, pp, map, opcode, layout, 0, reg, rm, size, Y_NONE, need, F_NONE,        \
        F_NONE, flags                                                                              \
  }
#define VEX(id, pp, map, opcode, layout, reg, rm, size, wide, need, flags)                         \
  {                                                                                                \
    #id, 0, BLINK_OP_##id, pp, map, opcode, layout, 0, reg, rm, size, wide, F_NONE, need, need,    \
        flags                                                                                      \
  }

/* Integer operations of two vectors, and of one. */
#define INT2(id, map, opcode, need, flags)                                                         \
  CASE(id, P66, map, opcode, RVM, 0, OPND_X, OPND_X, 16, Y_SAME, need, F_AVX, F_AVX2, flags)
#define INT1(id, map, opcode, need, flags)                                                         \
  CASE(id, P66, map, opcode, RM, 0, OPND_X, OPND_X, 16, Y_SAME, need, F_AVX, F_AVX2, flags)
#define SHIFT(id, opcode, iop, digit)                                                              \
  CASE(id, P66, M0F, opcode, RVM, 0, OPND_X, OPND_X, 16, Y_COUNT, F_BASE, F_AVX, F_AVX2, T_MMX),   \
      CASE(id, P66, M0F, iop, VMI, digit, OPND_X, OPND_X, 16, Y_SAME, F_BASE, F_AVX, F_AVX2,       \
           T_MMX | T_IMM | T_REGS)
#define SHIFTQ(id, digit)                                                                          \
  CASE(id, P66, M0F, 0x73, VMI, digit, OPND_X, OPND_X, 16, Y_SAME, F_BASE, F_AVX, F_AVX2,          \
       T_IMM | T_REGS)
#define WIDEN(id, opcode, size)                                                                    \
  CASE(id, P66, M38, opcode, RM, 0, OPND_X, OPND_X, size, Y_WIDEN, F_SSE41, F_AVX, F_AVX2, 0)
/* Floating point: packed and scalar. */
#define FLOAT(id, pp, opcode, need, flags)                                                         \
  CASE(id, pp, M0F, opcode, RVM, 0, OPND_X, OPND_X, 16, Y_SAME, need, F_AVX, F_AVX, T_FP | (flags))
#define FLOAT1(id, pp, opcode, flags)                                                              \
  CASE(id, pp, M0F, opcode, RM, 0, OPND_X, OPND_X, 16, Y_SAME, F_BASE, F_AVX, F_AVX, T_FP | (flags))
#define LOW(id, pp, opcode, size, flags)                                                           \
  CASE(id, pp, M0F, opcode, RVM, 0, OPND_X, OPND_X, size, Y_NONE, F_BASE, F_AVX, F_NONE,           \
       T_FP | (flags))
#define FOUR(id, opcode)                                                                           \
  FLOAT(id##PS, NP, opcode, F_BASE, 0), FLOAT(id##PD, P66, opcode, F_BASE, 0),                     \
      LOW(id##SS, PF3, opcode, 4, 0), LOW(id##SD, PF2, opcode, 8, 0)
#define LOGIC(id, opcode)                                                                          \
  CASE(id##PS, NP, M0F, opcode, RVM, 0, OPND_X, OPND_X, 16, Y_SAME, F_BASE, F_AVX, F_AVX, 0),      \
      CASE(id##PD, P66, M0F, opcode, RVM, 0, OPND_X, OPND_X, 16, Y_SAME, F_BASE, F_AVX, F_AVX, 0)
#define BITS2(id, pp, map, opcode, need, flags)                                                    \
  CASE(id, pp, map, opcode, RVM, 0, OPND_X, OPND_X, 16, Y_SAME, need, F_AVX, F_AVX, flags)
#define BITS1(id, pp, map, opcode, size, need, flags)                                              \
  CASE(id, pp, map, opcode, RM, 0, OPND_X, OPND_X, size, Y_SAME, need, F_AVX, F_AVX, flags)
/* Moves: load opcode, store opcode. */
#define MOVE(id, pp, load, store, flags)                                                           \
  CASE(id, pp, M0F, load, RM, 0, OPND_X, OPND_X, 16, Y_SAME, F_BASE, F_AVX, F_AVX, flags),         \
      CASE(id, pp, M0F, store, MR, 0, OPND_X, OPND_X, 16, Y_SAME, F_BASE, F_AVX, F_AVX, flags)
#define FMA3(op, n, opp, ops)                                                                      \
  VEX(VF##op##n##PS, P66, M38, opp, RVM, OPND_X, OPND_X, 16, Y_SAME, F_FMA, T_FP),                 \
      VEX(VF##op##n##PD, P66, M38, opp, RVM, OPND_X, OPND_X, 16, Y_SAME, F_FMA, T_FP | T_W),       \
      VEX(VF##op##n##SS, P66, M38, ops, RVM, OPND_X, OPND_X, 4, Y_NONE, F_FMA, T_FP),              \
      VEX(VF##op##n##SD, P66, M38, ops, RVM, OPND_X, OPND_X, 8, Y_NONE, F_FMA, T_FP | T_W)
#define FMA2(op, n, opp)                                                                           \
  VEX(VF##op##n##PS, P66, M38, opp, RVM, OPND_X, OPND_X, 16, Y_SAME, F_FMA, T_FP),                 \
      VEX(VF##op##n##PD, P66, M38, opp, RVM, OPND_X, OPND_X, 16, Y_SAME, F_FMA, T_FP | T_W)

/* clang-format off */
static const struct sse_case sse_cases[] = {
    /* Moves. */
    MOVE(MOVAPS, NP, 0x28, 0x29, T_ALIGN), MOVE(MOVAPD, P66, 0x28, 0x29, T_ALIGN),
    MOVE(MOVUPS, NP, 0x10, 0x11, T_ANY), MOVE(MOVUPD, P66, 0x10, 0x11, T_ANY),
    MOVE(MOVDQA, P66, 0x6f, 0x7f, T_ALIGN), MOVE(MOVDQU, PF3, 0x6f, 0x7f, T_ANY),
    CASE(LDDQU, PF2, M0F, 0xf0, RM, 0, OPND_X, OPND_M, 16, Y_SAME, F_SSE3, F_AVX, F_AVX, T_ANY),
    CASE(MOVNTDQ, P66, M0F, 0xe7, MR, 0, OPND_X, OPND_M, 16, Y_SAME, F_BASE, F_AVX, F_AVX, T_ALIGN),
    CASE(MOVNTPS, NP, M0F, 0x2b, MR, 0, OPND_X, OPND_M, 16, Y_SAME, F_BASE, F_AVX, F_AVX, T_ALIGN),
    CASE(MOVNTPD, P66, M0F, 0x2b, MR, 0, OPND_X, OPND_M, 16, Y_SAME, F_BASE, F_AVX, F_AVX, T_ALIGN),
    CASE(MOVNTDQA, P66, M38, 0x2a, RM, 0, OPND_X, OPND_M, 16, Y_SAME, F_SSE41, F_AVX, F_AVX2, T_ALIGN),
    CASE(MOVSS, PF3, M0F, 0x10, VM_, 0, OPND_X, OPND_X, 4, Y_NONE, F_BASE, F_AVX, F_NONE, 0),
    CASE(MOVSD, PF2, M0F, 0x10, VM_, 0, OPND_X, OPND_X, 8, Y_NONE, F_BASE, F_AVX, F_NONE, 0),
    CASE(MOVSS, PF3, M0F, 0x11, MR, 0, OPND_X, OPND_M, 4, Y_NONE, F_BASE, F_AVX, F_NONE, 0),
    CASE(MOVSD, PF2, M0F, 0x11, MR, 0, OPND_X, OPND_M, 8, Y_NONE, F_BASE, F_AVX, F_NONE, 0),
    CASE(MOVD, P66, M0F, 0x6e, RM, 0, OPND_X, OPND_G, 4, Y_NONE, F_BASE, F_AVX, F_NONE, T_MMX),
    CASE(MOVD, P66, M0F, 0x7e, MR, 0, OPND_X, OPND_G, 4, Y_NONE, F_BASE, F_AVX, F_NONE, T_MMX),
    CASE(MOVQ, P66, M0F, 0x6e, RM, 0, OPND_X, OPND_G, 8, Y_NONE, F_BASE, F_AVX, F_NONE, T_MMX | T_W),
    CASE(MOVQ, P66, M0F, 0x7e, MR, 0, OPND_X, OPND_G, 8, Y_NONE, F_BASE, F_AVX, F_NONE, T_MMX | T_W),
    CASE(MOVQ, PF3, M0F, 0x7e, RM, 0, OPND_X, OPND_X, 8, Y_NONE, F_BASE, F_AVX, F_NONE, 0),
    CASE(MOVQ, P66, M0F, 0xd6, MR, 0, OPND_X, OPND_X, 8, Y_NONE, F_BASE, F_AVX, F_NONE, 0),
    CASE(MOVHLPS, NP, M0F, 0x12, RVM, 0, OPND_X, OPND_X, 16, Y_NONE, F_BASE, F_AVX, F_NONE, T_REGS),
    CASE(MOVLHPS, NP, M0F, 0x16, RVM, 0, OPND_X, OPND_X, 16, Y_NONE, F_BASE, F_AVX, F_NONE, T_REGS),
    CASE(MOVLPS, NP, M0F, 0x12, RVM, 0, OPND_X, OPND_M, 8, Y_NONE, F_BASE, F_AVX, F_NONE, 0),
    CASE(MOVLPD, P66, M0F, 0x12, RVM, 0, OPND_X, OPND_M, 8, Y_NONE, F_BASE, F_AVX, F_NONE, 0),
    CASE(MOVHPS, NP, M0F, 0x16, RVM, 0, OPND_X, OPND_M, 8, Y_NONE, F_BASE, F_AVX, F_NONE, 0),
    CASE(MOVHPD, P66, M0F, 0x16, RVM, 0, OPND_X, OPND_M, 8, Y_NONE, F_BASE, F_AVX, F_NONE, 0),
    CASE(MOVLPS, NP, M0F, 0x13, MR, 0, OPND_X, OPND_M, 8, Y_NONE, F_BASE, F_AVX, F_NONE, 0),
    CASE(MOVLPD, P66, M0F, 0x13, MR, 0, OPND_X, OPND_M, 8, Y_NONE, F_BASE, F_AVX, F_NONE, 0),
    CASE(MOVHPS, NP, M0F, 0x17, MR, 0, OPND_X, OPND_M, 8, Y_NONE, F_BASE, F_AVX, F_NONE, 0),
    CASE(MOVHPD, P66, M0F, 0x17, MR, 0, OPND_X, OPND_M, 8, Y_NONE, F_BASE, F_AVX, F_NONE, 0),
    CASE(MOVMSKPS, NP, M0F, 0x50, RM, 0, OPND_G4, OPND_X, 16, Y_SAME, F_BASE, F_AVX, F_AVX, T_REGS),
    CASE(MOVMSKPD, P66, M0F, 0x50, RM, 0, OPND_G4, OPND_X, 16, Y_SAME, F_BASE, F_AVX, F_AVX, T_REGS),
    CASE(PMOVMSKB, P66, M0F, 0xd7, RM, 0, OPND_G4, OPND_X, 16, Y_SAME, F_BASE, F_AVX, F_AVX2, T_REGS | T_MMX),
    BITS1(MOVSHDUP, PF3, M0F, 0x16, 16, F_SSE3, 0), BITS1(MOVSLDUP, PF3, M0F, 0x12, 16, F_SSE3, 0),
    CASE(MOVDDUP, PF2, M0F, 0x12, RM, 0, OPND_X, OPND_X, 8, Y_NONE, F_SSE3, F_AVX, F_NONE, 0),
    VEX(VMOVDDUP, PF2, M0F, 0x12, RM, OPND_X, OPND_X, 16, Y_ONLY, F_AVX, 0),

    /* Integers. */
    INT2(PADDB, M0F, 0xfc, F_BASE, T_MMX), INT2(PADDW, M0F, 0xfd, F_BASE, T_MMX),
    INT2(PADDD, M0F, 0xfe, F_BASE, T_MMX), INT2(PADDQ, M0F, 0xd4, F_BASE, T_MMX),
    INT2(PADDSB, M0F, 0xec, F_BASE, T_MMX), INT2(PADDSW, M0F, 0xed, F_BASE, T_MMX),
    INT2(PADDUSB, M0F, 0xdc, F_BASE, T_MMX), INT2(PADDUSW, M0F, 0xdd, F_BASE, T_MMX),
    INT2(PSUBB, M0F, 0xf8, F_BASE, T_MMX), INT2(PSUBW, M0F, 0xf9, F_BASE, T_MMX),
    INT2(PSUBD, M0F, 0xfa, F_BASE, T_MMX), INT2(PSUBQ, M0F, 0xfb, F_BASE, T_MMX),
    INT2(PSUBSB, M0F, 0xe8, F_BASE, T_MMX), INT2(PSUBSW, M0F, 0xe9, F_BASE, T_MMX),
    INT2(PSUBUSB, M0F, 0xd8, F_BASE, T_MMX), INT2(PSUBUSW, M0F, 0xd9, F_BASE, T_MMX),
    INT2(PAND, M0F, 0xdb, F_BASE, T_MMX), INT2(PANDN, M0F, 0xdf, F_BASE, T_MMX),
    INT2(POR, M0F, 0xeb, F_BASE, T_MMX), INT2(PXOR, M0F, 0xef, F_BASE, T_MMX),
    INT2(PCMPEQB, M0F, 0x74, F_BASE, T_MMX), INT2(PCMPEQW, M0F, 0x75, F_BASE, T_MMX),
    INT2(PCMPEQD, M0F, 0x76, F_BASE, T_MMX), INT2(PCMPEQQ, M38, 0x29, F_SSE41, 0),
    INT2(PCMPGTB, M0F, 0x64, F_BASE, T_MMX), INT2(PCMPGTW, M0F, 0x65, F_BASE, T_MMX),
    INT2(PCMPGTD, M0F, 0x66, F_BASE, T_MMX), INT2(PCMPGTQ, M38, 0x37, F_SSE42, 0),
    INT2(PMINUB, M0F, 0xda, F_BASE, T_MMX), INT2(PMINSW, M0F, 0xea, F_BASE, T_MMX),
    INT2(PMAXUB, M0F, 0xde, F_BASE, T_MMX), INT2(PMAXSW, M0F, 0xee, F_BASE, T_MMX),
    INT2(PMINSB, M38, 0x38, F_SSE41, 0), INT2(PMINSD, M38, 0x39, F_SSE41, 0),
    INT2(PMINUW, M38, 0x3a, F_SSE41, 0), INT2(PMINUD, M38, 0x3b, F_SSE41, 0),
    INT2(PMAXSB, M38, 0x3c, F_SSE41, 0), INT2(PMAXSD, M38, 0x3d, F_SSE41, 0),
    INT2(PMAXUW, M38, 0x3e, F_SSE41, 0), INT2(PMAXUD, M38, 0x3f, F_SSE41, 0),
    INT2(PAVGB, M0F, 0xe0, F_BASE, T_MMX), INT2(PAVGW, M0F, 0xe3, F_BASE, T_MMX),
    INT2(PMULLW, M0F, 0xd5, F_BASE, T_MMX), INT2(PMULHW, M0F, 0xe5, F_BASE, T_MMX),
    INT2(PMULHUW, M0F, 0xe4, F_BASE, T_MMX), INT2(PMULUDQ, M0F, 0xf4, F_BASE, T_MMX),
    INT2(PMULLD, M38, 0x40, F_SSE41, 0), INT2(PMULDQ, M38, 0x28, F_SSE41, 0),
    INT2(PMULHRSW, M38, 0x0b, F_SSSE3, T_MMX), INT2(PMADDWD, M0F, 0xf5, F_BASE, T_MMX),
    INT2(PMADDUBSW, M38, 0x04, F_SSSE3, T_MMX), INT2(PSADBW, M0F, 0xf6, F_BASE, T_MMX),
    INT2(MPSADBW, M3A, 0x42, F_SSE41, T_IMM),
    INT2(PSIGNB, M38, 0x08, F_SSSE3, T_MMX), INT2(PSIGNW, M38, 0x09, F_SSSE3, T_MMX),
    INT2(PSIGND, M38, 0x0a, F_SSSE3, T_MMX), INT1(PABSB, M38, 0x1c, F_SSSE3, T_MMX),
    INT1(PABSW, M38, 0x1d, F_SSSE3, T_MMX), INT1(PABSD, M38, 0x1e, F_SSSE3, T_MMX),
    INT2(PHADDW, M38, 0x01, F_SSSE3, T_MMX), INT2(PHADDD, M38, 0x02, F_SSSE3, T_MMX),
    INT2(PHADDSW, M38, 0x03, F_SSSE3, T_MMX), INT2(PHSUBW, M38, 0x05, F_SSSE3, T_MMX),
    INT2(PHSUBD, M38, 0x06, F_SSSE3, T_MMX), INT2(PHSUBSW, M38, 0x07, F_SSSE3, T_MMX),
    CASE(PHMINPOSUW, P66, M38, 0x41, RM, 0, OPND_X, OPND_X, 16, Y_NONE, F_SSE41, F_AVX, F_NONE, 0),

    /* Shifts and shuffles. */
    SHIFT(PSLLW, 0xf1, 0x71, 6), SHIFT(PSLLD, 0xf2, 0x72, 6), SHIFT(PSLLQ, 0xf3, 0x73, 6),
    SHIFT(PSRLW, 0xd1, 0x71, 2), SHIFT(PSRLD, 0xd2, 0x72, 2), SHIFT(PSRLQ, 0xd3, 0x73, 2),
    SHIFT(PSRAW, 0xe1, 0x71, 4), SHIFT(PSRAD, 0xe2, 0x72, 4), SHIFTQ(PSLLDQ, 7), SHIFTQ(PSRLDQ, 3),
    INT2(PALIGNR, M3A, 0x0f, F_SSSE3, T_MMX | T_IMM), INT2(PSHUFB, M38, 0x00, F_SSSE3, T_MMX),
    INT1(PSHUFD, M0F, 0x70, F_BASE, T_IMM),
    CASE(PSHUFHW, PF3, M0F, 0x70, RM, 0, OPND_X, OPND_X, 16, Y_SAME, F_BASE, F_AVX, F_AVX2, T_IMM),
    CASE(PSHUFLW, PF2, M0F, 0x70, RM, 0, OPND_X, OPND_X, 16, Y_SAME, F_BASE, F_AVX, F_AVX2, T_IMM),
    BITS2(SHUFPS, NP, M0F, 0xc6, F_BASE, T_IMM), BITS2(SHUFPD, P66, M0F, 0xc6, F_BASE, T_IMM),
    INT2(PACKSSWB, M0F, 0x63, F_BASE, T_MMX), INT2(PACKUSWB, M0F, 0x67, F_BASE, T_MMX),
    INT2(PACKSSDW, M0F, 0x6b, F_BASE, T_MMX), INT2(PACKUSDW, M38, 0x2b, F_SSE41, 0),
    INT2(PUNPCKLBW, M0F, 0x60, F_BASE, T_MMX), INT2(PUNPCKLWD, M0F, 0x61, F_BASE, T_MMX),
    INT2(PUNPCKLDQ, M0F, 0x62, F_BASE, T_MMX), INT2(PUNPCKLQDQ, M0F, 0x6c, F_BASE, 0),
    INT2(PUNPCKHBW, M0F, 0x68, F_BASE, T_MMX), INT2(PUNPCKHWD, M0F, 0x69, F_BASE, T_MMX),
    INT2(PUNPCKHDQ, M0F, 0x6a, F_BASE, T_MMX), INT2(PUNPCKHQDQ, M0F, 0x6d, F_BASE, 0),
    BITS2(UNPCKLPS, NP, M0F, 0x14, F_BASE, 0), BITS2(UNPCKLPD, P66, M0F, 0x14, F_BASE, 0),
    BITS2(UNPCKHPS, NP, M0F, 0x15, F_BASE, 0), BITS2(UNPCKHPD, P66, M0F, 0x15, F_BASE, 0),
    INT2(PBLENDW, M3A, 0x0e, F_SSE41, T_IMM), BITS2(BLENDPS, P66, M3A, 0x0c, F_SSE41, T_IMM),
    BITS2(BLENDPD, P66, M3A, 0x0d, F_SSE41, T_IMM),
    LEGACY(PBLENDVB, P66, M38, 0x10, RVM, OPND_X, OPND_X, 16, F_SSE41, 0),
    LEGACY(BLENDVPS, P66, M38, 0x14, RVM, OPND_X, OPND_X, 16, F_SSE41, 0),
    LEGACY(BLENDVPD, P66, M38, 0x15, RVM, OPND_X, OPND_X, 16, F_SSE41, 0),
    VEX(VPBLENDVB, P66, M3A, 0x4c, RVMR, OPND_X, OPND_X, 16, Y_SAME, F_AVX2, 0),
    VEX(VBLENDVPS, P66, M3A, 0x4a, RVMR, OPND_X, OPND_X, 16, Y_SAME, F_AVX, 0),
    VEX(VBLENDVPD, P66, M3A, 0x4b, RVMR, OPND_X, OPND_X, 16, Y_SAME, F_AVX, 0),
    CASE(INSERTPS, P66, M3A, 0x21, RVM, 0, OPND_X, OPND_X, 4, Y_NONE, F_SSE41, F_AVX, F_NONE, T_IMM),
    WIDEN(PMOVSXBW, 0x20, 8), WIDEN(PMOVSXBD, 0x21, 4), WIDEN(PMOVSXBQ, 0x22, 2),
    WIDEN(PMOVSXWD, 0x23, 8), WIDEN(PMOVSXWQ, 0x24, 4), WIDEN(PMOVSXDQ, 0x25, 8),
    WIDEN(PMOVZXBW, 0x30, 8), WIDEN(PMOVZXBD, 0x31, 4), WIDEN(PMOVZXBQ, 0x32, 2),
    WIDEN(PMOVZXWD, 0x33, 8), WIDEN(PMOVZXWQ, 0x34, 4), WIDEN(PMOVZXDQ, 0x35, 8),
    LOGIC(AND, 0x54), LOGIC(ANDN, 0x55), LOGIC(OR, 0x56), LOGIC(XOR, 0x57),
    CASE(PTEST, P66, M38, 0x17, RM, 0, OPND_X, OPND_X, 16, Y_SAME, F_SSE41, F_AVX, F_AVX, 0),

    /* Elements. */
    CASE(PINSRB, P66, M3A, 0x20, RVM, 0, OPND_X, OPND_G, 1, Y_NONE, F_SSE41, F_AVX, F_NONE, T_IMM),
    CASE(PINSRW, P66, M0F, 0xc4, RVM, 0, OPND_X, OPND_G, 2, Y_NONE, F_BASE, F_AVX, F_NONE, T_IMM | T_MMX),
    CASE(PINSRD, P66, M3A, 0x22, RVM, 0, OPND_X, OPND_G, 4, Y_NONE, F_SSE41, F_AVX, F_NONE, T_IMM),
    CASE(PINSRQ, P66, M3A, 0x22, RVM, 0, OPND_X, OPND_G, 8, Y_NONE, F_SSE41, F_AVX, F_NONE, T_IMM | T_W),
    CASE(PEXTRB, P66, M3A, 0x14, MR, 0, OPND_X, OPND_G, 1, Y_NONE, F_SSE41, F_AVX, F_NONE, T_IMM),
    CASE(PEXTRW, P66, M3A, 0x15, MR, 0, OPND_X, OPND_G, 2, Y_NONE, F_SSE41, F_AVX, F_NONE, T_IMM),
    CASE(PEXTRW, P66, M0F, 0xc5, RM, 0, OPND_G4, OPND_X, 16, Y_NONE, F_BASE, F_AVX, F_NONE, T_IMM | T_REGS | T_MMX),
    CASE(PEXTRD, P66, M3A, 0x16, MR, 0, OPND_X, OPND_G, 4, Y_NONE, F_SSE41, F_AVX, F_NONE, T_IMM),
    CASE(PEXTRQ, P66, M3A, 0x16, MR, 0, OPND_X, OPND_G, 8, Y_NONE, F_SSE41, F_AVX, F_NONE, T_IMM | T_W),
    CASE(EXTRACTPS, P66, M3A, 0x17, MR, 0, OPND_X, OPND_G, 4, Y_NONE, F_SSE41, F_AVX, F_NONE, T_IMM),

    /* Floating point. */
    FOUR(ADD, 0x58), FOUR(SUB, 0x5c), FOUR(MUL, 0x59), FOUR(DIV, 0x5e), FOUR(MIN, 0x5d), FOUR(MAX, 0x5f),
    FLOAT1(SQRTPS, NP, 0x51, 0), FLOAT1(SQRTPD, P66, 0x51, 0), LOW(SQRTSS, PF3, 0x51, 4, 0), LOW(SQRTSD, PF2, 0x51, 8, 0),
    FLOAT1(RCPPS, NP, 0x53, T_INEXACT), LOW(RCPSS, PF3, 0x53, 4, T_INEXACT),
    FLOAT1(RSQRTPS, NP, 0x52, T_INEXACT), LOW(RSQRTSS, PF3, 0x52, 4, T_INEXACT),
    FLOAT(ADDSUBPS, PF2, 0xd0, F_SSE3, 0), FLOAT(ADDSUBPD, P66, 0xd0, F_SSE3, 0),
    FLOAT(HADDPS, PF2, 0x7c, F_SSE3, 0), FLOAT(HADDPD, P66, 0x7c, F_SSE3, 0),
    FLOAT(HSUBPS, PF2, 0x7d, F_SSE3, 0), FLOAT(HSUBPD, P66, 0x7d, F_SSE3, 0),
    FLOAT(CMPPS, NP, 0xc2, F_BASE, T_IMM), FLOAT(CMPPD, P66, 0xc2, F_BASE, T_IMM),
    LOW(CMPSS, PF3, 0xc2, 4, T_IMM), LOW(CMPSD, PF2, 0xc2, 8, T_IMM),
    CASE(DPPS, P66, M3A, 0x40, RVM, 0, OPND_X, OPND_X, 16, Y_SAME, F_SSE41, F_AVX, F_AVX, T_FP | T_IMM | T_STEPS),
    CASE(DPPD, P66, M3A, 0x41, RVM, 0, OPND_X, OPND_X, 16, Y_NONE, F_SSE41, F_AVX, F_NONE, T_FP | T_IMM),
    CASE(ROUNDPS, P66, M3A, 0x08, RM, 0, OPND_X, OPND_X, 16, Y_SAME, F_SSE41, F_AVX, F_AVX, T_FP | T_IMM),
    CASE(ROUNDPD, P66, M3A, 0x09, RM, 0, OPND_X, OPND_X, 16, Y_SAME, F_SSE41, F_AVX, F_AVX, T_FP | T_IMM),
    CASE(ROUNDSS, P66, M3A, 0x0a, RVM, 0, OPND_X, OPND_X, 4, Y_NONE, F_SSE41, F_AVX, F_NONE, T_FP | T_IMM),
    CASE(ROUNDSD, P66, M3A, 0x0b, RVM, 0, OPND_X, OPND_X, 8, Y_NONE, F_SSE41, F_AVX, F_NONE, T_FP | T_IMM),
    CASE(COMISS, NP, M0F, 0x2f, RM, 0, OPND_X, OPND_X, 4, Y_NONE, F_BASE, F_AVX, F_NONE, T_FP),
    CASE(COMISD, P66, M0F, 0x2f, RM, 0, OPND_X, OPND_X, 8, Y_NONE, F_BASE, F_AVX, F_NONE, T_FP),
    CASE(UCOMISS, NP, M0F, 0x2e, RM, 0, OPND_X, OPND_X, 4, Y_NONE, F_BASE, F_AVX, F_NONE, T_FP),
    CASE(UCOMISD, P66, M0F, 0x2e, RM, 0, OPND_X, OPND_X, 8, Y_NONE, F_BASE, F_AVX, F_NONE, T_FP),
    FLOAT1(CVTDQ2PS, NP, 0x5b, 0), FLOAT1(CVTPS2DQ, P66, 0x5b, 0), FLOAT1(CVTTPS2DQ, PF3, 0x5b, 0),
    LOW(CVTSS2SD, PF3, 0x5a, 4, 0), LOW(CVTSD2SS, PF2, 0x5a, 8, 0),
    CASE(CVTDQ2PD, PF3, M0F, 0xe6, RM, 0, OPND_X, OPND_X, 8, Y_WIDEN, F_BASE, F_AVX, F_AVX, T_FP),
    CASE(CVTPS2PD, NP, M0F, 0x5a, RM, 0, OPND_X, OPND_X, 8, Y_WIDEN, F_BASE, F_AVX, F_AVX, T_FP),
    CASE(CVTPD2PS, P66, M0F, 0x5a, RM, 0, OPND_X, OPND_X, 16, Y_NARROW, F_BASE, F_AVX, F_AVX, T_FP),
    CASE(CVTPD2DQ, PF2, M0F, 0xe6, RM, 0, OPND_X, OPND_X, 16, Y_NARROW, F_BASE, F_AVX, F_AVX, T_FP),
    CASE(CVTTPD2DQ, P66, M0F, 0xe6, RM, 0, OPND_X, OPND_X, 16, Y_NARROW, F_BASE, F_AVX, F_AVX, T_FP),
    CASE(CVTSI2SS, PF3, M0F, 0x2a, RVM, 0, OPND_X, OPND_G, 4, Y_NONE, F_BASE, F_AVX, F_NONE, T_FP),
    CASE(CVTSI2SS, PF3, M0F, 0x2a, RVM, 0, OPND_X, OPND_G, 8, Y_NONE, F_BASE, F_AVX, F_NONE, T_FP | T_W),
    CASE(CVTSI2SD, PF2, M0F, 0x2a, RVM, 0, OPND_X, OPND_G, 4, Y_NONE, F_BASE, F_AVX, F_NONE, T_FP),
    CASE(CVTSI2SD, PF2, M0F, 0x2a, RVM, 0, OPND_X, OPND_G, 8, Y_NONE, F_BASE, F_AVX, F_NONE, T_FP | T_W),
    CASE(CVTSS2SI, PF3, M0F, 0x2d, RM, 0, OPND_G, OPND_X, 4, Y_NONE, F_BASE, F_AVX, F_NONE, T_FP),
    CASE(CVTSS2SI, PF3, M0F, 0x2d, RM, 0, OPND_G, OPND_X, 4, Y_NONE, F_BASE, F_AVX, F_NONE, T_FP | T_W),
    CASE(CVTSD2SI, PF2, M0F, 0x2d, RM, 0, OPND_G, OPND_X, 8, Y_NONE, F_BASE, F_AVX, F_NONE, T_FP),
    CASE(CVTSD2SI, PF2, M0F, 0x2d, RM, 0, OPND_G, OPND_X, 8, Y_NONE, F_BASE, F_AVX, F_NONE, T_FP | T_W),
    CASE(CVTTSS2SI, PF3, M0F, 0x2c, RM, 0, OPND_G, OPND_X, 4, Y_NONE, F_BASE, F_AVX, F_NONE, T_FP),
    CASE(CVTTSS2SI, PF3, M0F, 0x2c, RM, 0, OPND_G, OPND_X, 4, Y_NONE, F_BASE, F_AVX, F_NONE, T_FP | T_W),
    CASE(CVTTSD2SI, PF2, M0F, 0x2c, RM, 0, OPND_G, OPND_X, 8, Y_NONE, F_BASE, F_AVX, F_NONE, T_FP),
    CASE(CVTTSD2SI, PF2, M0F, 0x2c, RM, 0, OPND_G, OPND_X, 8, Y_NONE, F_BASE, F_AVX, F_NONE, T_FP | T_W),

    /* Strings and cryptography. */
    CASE(PCMPESTRM, P66, M3A, 0x60, RM, 0, OPND_X, OPND_X, 16, Y_NONE, F_SSE42, F_AVX, F_NONE, T_IMM | T_ANY),
    CASE(PCMPESTRI, P66, M3A, 0x61, RM, 0, OPND_X, OPND_X, 16, Y_NONE, F_SSE42, F_AVX, F_NONE, T_IMM | T_ANY),
    LEGACY(PCMPESTRM, P66, M3A, 0x60, RM, OPND_X, OPND_X, 16, F_SSE42, T_IMM | T_ANY | T_W),
    LEGACY(PCMPESTRI, P66, M3A, 0x61, RM, OPND_X, OPND_X, 16, F_SSE42, T_IMM | T_ANY | T_W),
    CASE(PCMPISTRM, P66, M3A, 0x62, RM, 0, OPND_X, OPND_X, 16, Y_NONE, F_SSE42, F_AVX, F_NONE, T_IMM | T_ANY),
    CASE(PCMPISTRI, P66, M3A, 0x63, RM, 0, OPND_X, OPND_X, 16, Y_NONE, F_SSE42, F_AVX, F_NONE, T_IMM | T_ANY),
    CASE(AESENC, P66, M38, 0xdc, RVM, 0, OPND_X, OPND_X, 16, Y_SAME, F_AES, F_AES, F_VAES, 0),
    CASE(AESENCLAST, P66, M38, 0xdd, RVM, 0, OPND_X, OPND_X, 16, Y_SAME, F_AES, F_AES, F_VAES, 0),
    CASE(AESDEC, P66, M38, 0xde, RVM, 0, OPND_X, OPND_X, 16, Y_SAME, F_AES, F_AES, F_VAES, 0),
    CASE(AESDECLAST, P66, M38, 0xdf, RVM, 0, OPND_X, OPND_X, 16, Y_SAME, F_AES, F_AES, F_VAES, 0),
    CASE(AESIMC, P66, M38, 0xdb, RM, 0, OPND_X, OPND_X, 16, Y_NONE, F_AES, F_AES, F_NONE, 0),
    CASE(AESKEYGENASSIST, P66, M3A, 0xdf, RM, 0, OPND_X, OPND_X, 16, Y_NONE, F_AES, F_AES, F_NONE, T_IMM),
    CASE(PCLMULQDQ, P66, M3A, 0x44, RVM, 0, OPND_X, OPND_X, 16, Y_SAME, F_PCLMUL, F_PCLMUL, F_VPCLMUL, T_IMM),
    LEGACY(SHA1NEXTE, NP, M38, 0xc8, RVM, OPND_X, OPND_X, 16, F_SHA, T_ANY),
    LEGACY(SHA1MSG1, NP, M38, 0xc9, RVM, OPND_X, OPND_X, 16, F_SHA, T_ANY),
    LEGACY(SHA1MSG2, NP, M38, 0xca, RVM, OPND_X, OPND_X, 16, F_SHA, T_ANY),
    LEGACY(SHA256RNDS2, NP, M38, 0xcb, RVM, OPND_X, OPND_X, 16, F_SHA, T_ANY),
    LEGACY(SHA256MSG1, NP, M38, 0xcc, RVM, OPND_X, OPND_X, 16, F_SHA, T_ANY),
    LEGACY(SHA256MSG2, NP, M38, 0xcd, RVM, OPND_X, OPND_X, 16, F_SHA, T_ANY),
    LEGACY(SHA1RNDS4, NP, M3A, 0xcc, RVM, OPND_X, OPND_X, 16, F_SHA, T_IMM | T_ANY),

    /* AVX and AVX2 alone. */
    VEX(VTESTPS, P66, M38, 0x0e, RM, OPND_X, OPND_X, 16, Y_SAME, F_AVX, 0),
    VEX(VTESTPD, P66, M38, 0x0f, RM, OPND_X, OPND_X, 16, Y_SAME, F_AVX, 0),
    VEX(VBROADCASTSS, P66, M38, 0x18, RM, OPND_X, OPND_X, 4, Y_BROADCAST, F_AVX2, 0),
    VEX(VBROADCASTSD, P66, M38, 0x19, RM, OPND_X, OPND_X, 8, Y_BROADCAST_ONLY, F_AVX2, 0),
    VEX(VBROADCASTF128, P66, M38, 0x1a, RM, OPND_X, OPND_M, 16, Y_BROADCAST_ONLY, F_AVX, 0),
    VEX(VBROADCASTI128, P66, M38, 0x5a, RM, OPND_X, OPND_M, 16, Y_BROADCAST_ONLY, F_AVX2, 0),
    VEX(VPBROADCASTB, P66, M38, 0x78, RM, OPND_X, OPND_X, 1, Y_BROADCAST, F_AVX2, 0),
    VEX(VPBROADCASTW, P66, M38, 0x79, RM, OPND_X, OPND_X, 2, Y_BROADCAST, F_AVX2, 0),
    VEX(VPBROADCASTD, P66, M38, 0x58, RM, OPND_X, OPND_X, 4, Y_BROADCAST, F_AVX2, 0),
    VEX(VPBROADCASTQ, P66, M38, 0x59, RM, OPND_X, OPND_X, 8, Y_BROADCAST, F_AVX2, 0),
    VEX(VEXTRACTF128, P66, M3A, 0x19, MR, OPND_X, OPND_X, 16, Y_HALF_ONLY, F_AVX, T_IMM),
    VEX(VEXTRACTI128, P66, M3A, 0x39, MR, OPND_X, OPND_X, 16, Y_HALF_ONLY, F_AVX2, T_IMM),
    VEX(VINSERTF128, P66, M3A, 0x18, RVM, OPND_X, OPND_X, 16, Y_HALF_ONLY, F_AVX, T_IMM),
    VEX(VINSERTI128, P66, M3A, 0x38, RVM, OPND_X, OPND_X, 16, Y_HALF_ONLY, F_AVX2, T_IMM),
    VEX(VPERM2F128, P66, M3A, 0x06, RVM, OPND_X, OPND_X, 16, Y_ONLY, F_AVX, T_IMM),
    VEX(VPERM2I128, P66, M3A, 0x46, RVM, OPND_X, OPND_X, 16, Y_ONLY, F_AVX2, T_IMM),
    VEX(VPERMD, P66, M38, 0x36, RVM, OPND_X, OPND_X, 16, Y_ONLY, F_AVX2, 0),
    VEX(VPERMPS, P66, M38, 0x16, RVM, OPND_X, OPND_X, 16, Y_ONLY, F_AVX2, 0),
    VEX(VPERMQ, P66, M3A, 0x00, RM, OPND_X, OPND_X, 16, Y_ONLY, F_AVX2, T_IMM | T_W),
    VEX(VPERMPD, P66, M3A, 0x01, RM, OPND_X, OPND_X, 16, Y_ONLY, F_AVX2, T_IMM | T_W),
    VEX(VPERMILPS, P66, M38, 0x0c, RVM, OPND_X, OPND_X, 16, Y_SAME, F_AVX, 0),
    VEX(VPERMILPD, P66, M38, 0x0d, RVM, OPND_X, OPND_X, 16, Y_SAME, F_AVX, 0),
    VEX(VPERMILPS, P66, M3A, 0x04, RM, OPND_X, OPND_X, 16, Y_SAME, F_AVX, T_IMM),
    VEX(VPERMILPD, P66, M3A, 0x05, RM, OPND_X, OPND_X, 16, Y_SAME, F_AVX, T_IMM),
    VEX(VPBLENDD, P66, M3A, 0x02, RVM, OPND_X, OPND_X, 16, Y_SAME, F_AVX2, T_IMM),
    VEX(VPSLLVD, P66, M38, 0x47, RVM, OPND_X, OPND_X, 16, Y_SAME, F_AVX2, 0),
    VEX(VPSLLVQ, P66, M38, 0x47, RVM, OPND_X, OPND_X, 16, Y_SAME, F_AVX2, T_W),
    VEX(VPSRLVD, P66, M38, 0x45, RVM, OPND_X, OPND_X, 16, Y_SAME, F_AVX2, 0),
    VEX(VPSRLVQ, P66, M38, 0x45, RVM, OPND_X, OPND_X, 16, Y_SAME, F_AVX2, T_W),
    VEX(VPSRAVD, P66, M38, 0x46, RVM, OPND_X, OPND_X, 16, Y_SAME, F_AVX2, 0),
    VEX(VMASKMOVPS, P66, M38, 0x2c, RVM, OPND_X, OPND_M, 16, Y_SAME, F_AVX, 0),
    VEX(VMASKMOVPD, P66, M38, 0x2d, RVM, OPND_X, OPND_M, 16, Y_SAME, F_AVX, 0),
    VEX(VPMASKMOVD, P66, M38, 0x8c, RVM, OPND_X, OPND_M, 16, Y_SAME, F_AVX2, 0),
    VEX(VPMASKMOVQ, P66, M38, 0x8c, RVM, OPND_X, OPND_M, 16, Y_SAME, F_AVX2, T_W),
    VEX(VMASKMOVPS, P66, M38, 0x2e, MVR, OPND_X, OPND_M, 16, Y_SAME, F_AVX, 0),
    VEX(VMASKMOVPD, P66, M38, 0x2f, MVR, OPND_X, OPND_M, 16, Y_SAME, F_AVX, 0),
    VEX(VPMASKMOVD, P66, M38, 0x8e, MVR, OPND_X, OPND_M, 16, Y_SAME, F_AVX2, 0),
    VEX(VPMASKMOVQ, P66, M38, 0x8e, MVR, OPND_X, OPND_M, 16, Y_SAME, F_AVX2, T_W),
    VEX(VCVTPH2PS, P66, M38, 0x13, RM, OPND_X, OPND_X, 8, Y_WIDEN, F_F16C, T_FP),
    VEX(VCVTPS2PH, P66, M3A, 0x1d, MR, OPND_X, OPND_X, 8, Y_HALVES, F_F16C, T_FP | T_IMM),
    FMA3(MADD, 132, 0x98, 0x99), FMA3(MADD, 213, 0xa8, 0xa9), FMA3(MADD, 231, 0xb8, 0xb9),
    FMA3(MSUB, 132, 0x9a, 0x9b), FMA3(MSUB, 213, 0xaa, 0xab), FMA3(MSUB, 231, 0xba, 0xbb),
    FMA3(NMADD, 132, 0x9c, 0x9d), FMA3(NMADD, 213, 0xac, 0xad), FMA3(NMADD, 231, 0xbc, 0xbd),
    FMA3(NMSUB, 132, 0x9e, 0x9f), FMA3(NMSUB, 213, 0xae, 0xaf), FMA3(NMSUB, 231, 0xbe, 0xbf),
    FMA2(MADDSUB, 132, 0x96), FMA2(MADDSUB, 213, 0xa6), FMA2(MADDSUB, 231, 0xb6),
    FMA2(MSUBADD, 132, 0x97), FMA2(MSUBADD, 213, 0xa7), FMA2(MSUBADD, 231, 0xb7),
};
/* clang-format on */

#endif
