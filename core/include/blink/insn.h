/*
 * The decoded instruction: what decoders produce, the interpreter executes and JIT back ends
 * translate. No type or number of a decoder library appears here.
 */
#ifndef BLINK_INSN_H
#define BLINK_INSN_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Longest instruction, AMD64 manual volume 3, 1.1; longer ones raise #GP. */
#define BLINK_INSN_MAX_LEN 15

/* Most instructions a block may hold. */
#define BLINK_BLOCK_MAX_INSNS 64

/* RFLAGS, AMD64 manual volume 2, 3.1.6. */
#define BLINK_CF   0x00000001u
#define BLINK_PF   0x00000004u
#define BLINK_AF   0x00000010u
#define BLINK_ZF   0x00000040u
#define BLINK_SF   0x00000080u
#define BLINK_TF   0x00000100u
#define BLINK_IF   0x00000200u
#define BLINK_DF   0x00000400u
#define BLINK_OF   0x00000800u
#define BLINK_IOPL 0x00003000u
#define BLINK_NT   0x00004000u
#define BLINK_RF   0x00010000u
#define BLINK_VM   0x00020000u
#define BLINK_AC   0x00040000u
#define BLINK_VIF  0x00080000u
#define BLINK_VIP  0x00100000u
#define BLINK_ID   0x00200000u

/* The six arithmetic flags. */
#define BLINK_FLAGS_ARITH (BLINK_CF | BLINK_PF | BLINK_AF | BLINK_ZF | BLINK_SF | BLINK_OF)

/* Operations: BLINK_OP_ADD and so on, in the order of ops.def. 0 is no operation at all: the
 * decoder's word for bytes that are not an instruction (the interpreter raises #UD). */
enum {
    BLINK_OP_INVALID = 0,
#define OP(id, mnemonic, cls, reads, writes, undefined, attr) BLINK_OP_##id,
#include "ops.def"
    BLINK_OP_COUNT
};

/* Classes of ops.def. */
enum {
    BLINK_CLASS_INT,
    BLINK_CLASS_STRING,
    BLINK_CLASS_IO,
    BLINK_CLASS_BRANCH,
    BLINK_CLASS_SYSTEM,
    BLINK_CLASS_X87,
    BLINK_CLASS_MMX,
    BLINK_CLASS_SSE,
    BLINK_CLASS_AVX,
};

/* Attributes of ops.def. */
#define BLINK_OPATTR_END   0x01u /* ends a block */
#define BLINK_OPATTR_LOCK  0x02u /* takes a lock prefix when its destination is memory */
#define BLINK_OPATTR_FAULT 0x04u /* may fault without touching memory */
#define BLINK_OPATTR_COND  0x08u /* leaves its flags unchanged for some operand values */

/* Operand kinds: blink_operand.kind. */
enum {
    BLINK_OPND_NONE = 0,
    BLINK_OPND_GPR, /* reg 0-15 RAX..R15 of `size` bytes; 8-bit: also 16-19 = AH CH DH BH */
    BLINK_OPND_MEM, /* the instruction's one memory operand, `size` bytes */
    BLINK_OPND_IMM, /* blink_insn.imm (the first) or blink_insn.disp (ENTER, far pointers) */
    BLINK_OPND_XMM, /* reg 0-15, size 16 */
    BLINK_OPND_YMM, /* reg 0-15, size 32 */
    BLINK_OPND_MMX, /* reg 0-7, size 8 */
    BLINK_OPND_ST,  /* reg 0-7: ST(reg), size 10 */
    BLINK_OPND_SEG, /* reg 0-5: BLINK_SEG_* */
    BLINK_OPND_CR,  /* control register */
    BLINK_OPND_DR,  /* debug register */
    BLINK_OPND_REL, /* branch target: blink_insn.imm is the target RIP, already truncated */
};

/* Segment registers, in the encoding of ModRM.reg; NONE names the flat segment. */
enum {
    BLINK_SEG_ES = 0,
    BLINK_SEG_CS,
    BLINK_SEG_SS,
    BLINK_SEG_DS,
    BLINK_SEG_FS,
    BLINK_SEG_GS,
    BLINK_SEG_NONE, /* 64-bit mode, no FS or GS: base 0, no limit */
    BLINK_SEG_COUNT
};

/* Register numbers of a memory operand: 0-15 and these. */
#define BLINK_REG_NONE 16u /* absent: gpr[16] of blink_cpu is always 0 */

/* What an operand is used for: blink_operand.access. */
#define BLINK_ACCESS_READ  1u
#define BLINK_ACCESS_WRITE 2u

struct blink_operand {
    uint8_t kind;   /* BLINK_OPND_* */
    uint8_t reg;    /* register number, where the kind has one */
    uint8_t size;   /* bytes; 0 where the operation alone fixes it (FXSAVE, LEA, INVLPG) */
    uint8_t access; /* BLINK_ACCESS_* bits */
};

/* Prefix flags: blink_insn.prefix. */
#define BLINK_PFX_LOCK    0x0001u
#define BLINK_PFX_REP     0x0002u /* F3 that is a repetition or hint (not a mandatory prefix) */
#define BLINK_PFX_REPNE   0x0004u /* F2 likewise */
#define BLINK_PFX_OPSIZE  0x0008u /* a 66 stands in the bytes */
#define BLINK_PFX_ADDR    0x0010u /* a 67 stands in the bytes */
#define BLINK_PFX_REX     0x0020u
#define BLINK_PFX_REX_W   0x0040u
#define BLINK_PFX_VEX     0x0080u
#define BLINK_PFX_VEX_L   0x0100u /* 256-bit */
#define BLINK_PFX_SEG     0x0200u /* a segment override stands in the bytes and is in force */
#define BLINK_PFX_RIPREL  0x0400u /* RIP-relative: base is NONE, disp the absolute address */
#define BLINK_PFX_PAGE    0x0800u /* the bytes cross a 4 KiB page */
#define BLINK_PFX_NOFLAGS 0x1000u /* core's: the flags it writes are dead (set while binding) */

/* Conditions: blink_insn.cc, in the encoding of the low nibble of Jcc, SETcc and CMOVcc.
 * FCMOVCC uses B=2, E=4, BE=6, U=10 and their inverses NB=3, NE=5, NBE=7, NU=11. */
enum {
    BLINK_CC_O,
    BLINK_CC_NO,
    BLINK_CC_B,
    BLINK_CC_AE,
    BLINK_CC_E,
    BLINK_CC_NE,
    BLINK_CC_BE,
    BLINK_CC_A,
    BLINK_CC_S,
    BLINK_CC_NS,
    BLINK_CC_P,
    BLINK_CC_NP,
    BLINK_CC_L,
    BLINK_CC_GE,
    BLINK_CC_LE,
    BLINK_CC_G,
};

/*
 * One instruction, 80 bytes. Operands stand in the order of the manuals' Intel syntax; operands
 * the syntax does not write (AL of STOS, RSP of PUSH, XMM0 of the legacy BLENDVPS, ST(0) where an
 * x87 instruction has only one form) are left out, the count of shifts by one or CL and x87's
 * ST(0) in two-operand arithmetic are written. x87 arithmetic on memory has one operand, MEM.
 * IN and OUT write their AL/AX/EAX and DX or immediate. String operations have no operands.
 */
struct blink_insn {
    /* Core's: the interpreter's handler for this instruction; decoders leave NULL. Returns the
     * next instruction, or NULL when the run has ended. */
    const struct blink_insn *(*handler)(struct blink_cpu *cpu, const struct blink_insn *insn);
    /* Immediate, sign-extended to 64 bits (also where the instruction later truncates it);
     * for a REL operand the target RIP; for moffs forms unused (the address is in disp). */
    uint64_t imm;
    /* Displacement, sign-extended; with BLINK_PFX_RIPREL the absolute effective address;
     * moffs: the address; ENTER: nesting level; direct far transfers: the selector. */
    int64_t disp;
    uint64_t addr;                /* RIP of the first byte (offset in CS, not linear) */
    struct blink_operand opnd[4]; /* operands, kind NONE after the last */
    uint8_t seg;                  /* memory operand: BLINK_SEG_*, defaults applied */
    uint8_t base;                 /* memory operand: 0-15 or BLINK_REG_NONE */
    uint8_t index;                /* memory operand: 0-15 or BLINK_REG_NONE */
    uint8_t scale;                /* memory operand: shift count 0-3 */
    uint16_t op;                  /* BLINK_OP_* */
    uint8_t len;                  /* bytes, 1-15 */
    uint8_t opsize;               /* effective operand size in bytes: 1, 2, 4, 8 */
    uint8_t addrsize;             /* effective address size in bytes: 2, 4, 8 */
    uint8_t cc;                   /* condition, for *CC operations */
    uint16_t prefix;              /* BLINK_PFX_* */
    uint8_t off_opcode;           /* where the last opcode byte stands in raw */
    uint8_t off_modrm;            /* where ModRM stands in raw, 0 if there is none */
    uint8_t off_disp;             /* where the displacement stands in raw, 0 if there is none */
    uint8_t off_imm;              /* where the first immediate stands in raw, 0 if none */
    uint8_t raw[16];              /* the bytes, zero after `len` */
};

#ifdef __cplusplus
}
#endif

#endif
