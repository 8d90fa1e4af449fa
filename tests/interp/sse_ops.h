/*
 * What the tests know of a SIMD operation: how it is encoded and what it needs. The table of all is
 * sse_table.h.
 */
#ifndef TESTS_INTERP_SSE_OPS_H
#define TESTS_INTERP_SSE_OPS_H

#include <blink/cpu.h>
#include <blink/insn.h>
#include <stdbool.h>

/* Mandatory prefix, as VEX.pp. */
enum { NP, P66, PF3, PF2 };
/* Opcode map, as VEX.mmmmm. */
enum { M0F = 1, M38, M3A };
/* Which operand stands in which field. V: VEX.vvvv, the first source; a legacy form has it in the
 * destination. */
enum {
    RVM,  /* reg, vvvv, rm */
    RM,   /* reg, rm */
    MR,   /* rm, reg */
    VMI,  /* vvvv, rm, with an opcode digit in reg and an immediate */
    MVR,  /* rm, vvvv, reg */
    RVMR, /* reg, vvvv, rm, is4 (legacy: XMM0, unwritten) */
    VM_,  /* RVM in the legacy form, RM in the VEX form with memory (MOVSS) */
};
/* Operands. G: general register of 4 bytes, with W of 8. */
enum { OPND_X, OPND_G, OPND_G4, OPND_M };
/* The 256-bit form. */
enum {
    Y_NONE,
    Y_SAME,
    Y_WIDEN,          /* rm is an XMM, memory half a YMM */
    Y_NARROW,         /* reg is an XMM */
    Y_COUNT,          /* rm is an XMM, memory 16 bytes */
    Y_ONLY,           /* no 128-bit form */
    Y_HALF_ONLY,      /* no 128-bit form; rm is 128 bits */
    Y_BROADCAST,      /* rm as in the 128-bit form */
    Y_BROADCAST_ONLY, /* that, and no 128-bit form */
    Y_HALVES,         /* rm is an XMM, memory twice that of the 128-bit form (VCVTPS2PH) */
};
/* Features of the host that a form needs. */
enum {
    F_NONE,
    F_BASE,
    F_SSE3,
    F_SSSE3,
    F_SSE41,
    F_SSE42,
    F_AVX,
    F_AVX2,
    F_FMA,
    F_F16C,
    F_AES,
    F_PCLMUL,
    F_SHA,
    F_VAES,
    F_VPCLMUL
};

#define T_MMX     0x001u /* also on MMX registers, without prefix */
#define T_IMM     0x002u /* immediate byte */
#define T_ANY     0x004u /* the legacy form takes unaligned memory */
#define T_ALIGN   0x008u /* the VEX form takes only aligned memory */
#define T_W       0x010u /* VEX.W or REX.W is 1 */
#define T_REGS    0x020u /* no memory form */
#define T_MEMS    0x040u /* no register form */
#define T_FP      0x080u /* floating-point exceptions */
#define T_MMX_SSE 0x100u /* the MMX form came with the feature of the entry */
#define T_STEPS   0x400u /* lanes raise unmasked exceptions together: not modelled at 256 bits */
#define T_INEXACT 0x200u /* an approximation: only software differs from the host */

struct sse_case {
    const char *name;
    uint16_t legacy, vex;
    uint8_t pp, map, opcode, layout, digit;
    uint8_t reg, rm; /* OPND_* */
    uint8_t size;    /* bytes of the memory operand in the 128-bit form */
    uint8_t wide;    /* Y_* */
    uint8_t need, need128, need256;
    uint16_t flags;
};

#endif
