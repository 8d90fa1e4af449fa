/*
 * Between the files of the Capstone decoder: the walk over an instruction's bytes, and forms, which
 * say what an encoding means. Forms of the legacy integer, system and x87 opcodes stand in tables;
 * those of MMX, SSE and AVX are asked of Capstone when an encoding is first met (simd.c). All of
 * it runs on the thread that owns the context.
 */
#ifndef DECODER_CAPSTONE_INTERNAL_H
#define DECODER_CAPSTONE_INTERNAL_H

#include <blink/cpu.h>
#include <blink/decoder.h>
#include <blink/host.h>
#include <blink/insn.h>
#include <capstone.h>
#include <stdbool.h>

/* ---- the walk ---- */

/* Why a walk ended before its end. */
enum { WALK_OK, WALK_INVALID, WALK_BYTES, WALK_TOOLONG };

/* Opcode maps, numbered as VEX.mmmmm does; 0 is the one-byte map. */
enum { MAP_ONE, MAP_0F, MAP_0F38, MAP_0F3A };

/* Mandatory prefixes, numbered as VEX.pp. */
enum { PP_NONE, PP_66, PP_F3, PP_F2 };

struct walk {
    const uint8_t *bytes;
    uint32_t limit; /* bytes that may be taken, at most 15 */
    uint32_t pos;
    uint32_t status; /* WALK_*, sticky */
    uint32_t mode;   /* BLINK_MODE_BITS* */

    uint8_t rex;  /* 40-4f, or 0 */
    uint8_t rep;  /* f2, f3 or 0: the last one */
    uint8_t seg;  /* BLINK_SEG_* of an override in force, else BLINK_SEG_NONE */
    bool opsize;  /* 66 */
    bool address; /* 67 */
    bool lock;
    bool vex;
    bool illegal; /* #UD once all its bytes are there: VEX after 66, F2, F3, LOCK or REX */

    uint8_t map, opcode, pp;
    uint8_t wide; /* REX.W or VEX.W */
    uint8_t vlen; /* VEX.L */
    uint8_t vvvv; /* register number, 0 when unused */
    uint8_t r, x, b;

    bool has_modrm;
    uint8_t mod, reg, rm; /* reg and rm with their extensions */
    uint8_t base, index, scale;
    bool riprel;
    int64_t disp;
    uint8_t off_opcode, off_modrm, off_disp;
    uint32_t operands; /* where the immediate would stand */
};

/* Prefixes, opcode, and ModRM with its displacement if the opcode has one; then w->pos stands at
 * the immediate. */
void walk_begin(struct walk *w, const uint8_t *bytes, size_t size, uint32_t mode);
/* No form fits: take what an opcode like this has behind ModRM and displacement, for its length. */
void walk_idle(struct walk *w);
/* The next `n` bytes as a little-endian signed number. */
int64_t walk_take(struct walk *w, uint32_t n);

/* ---- forms ---- */

/* Where an operand stands. */
enum {
    AT_NONE,
    AT_REG,   /* ModRM.reg, general register */
    AT_RM,    /* ModRM.rm, general register or memory */
    AT_MEM,   /* ModRM.rm, memory only */
    AT_RREG,  /* ModRM.rm, register only */
    AT_OPC,   /* low bits of the opcode */
    AT_VVVV,  /* VEX.vvvv, general register */
    AT_FIXED, /* the general register in the size field's place: see FIXED() */
    AT_ONE,   /* the constant 1 */
    AT_IMM,
    AT_IMM2, /* into disp */
    AT_REL,
    AT_FAR, /* offset of a direct far pointer; the selector is an AT_IMM2 after it */
    AT_MOFFS,
    AT_SREG, /* ModRM.reg, segment register */
    AT_SEG,  /* a segment register: see SEG() */
    AT_CR,
    AT_DR,
    AT_ST0,
    AT_STI,
    AT_XREG, /* ModRM.reg, XMM */
    AT_XRM,  /* ModRM.rm, XMM or memory */
    AT_XVVVV,
    AT_XIS4, /* high bits of an immediate */
    AT_YREG, /* the same, YMM */
    AT_YRM,
    AT_YVVVV,
    AT_YIS4,
    AT_MREG, /* ModRM.reg, MMX */
    AT_MRM,
    AT_COUNT
};

/* How large it is. */
enum {
    SZ_0,
    SZ_1,
    SZ_2,
    SZ_4,
    SZ_8,
    SZ_10,
    SZ_16,
    SZ_32,
    SZ_V,    /* operand size: 2, 4, 8 */
    SZ_Y,    /* 8 with REX.W or VEX.W in 64-bit mode, else 4 */
    SZ_Z,    /* immediates: 2 or 4 */
    SZ_VW,   /* a register of operand size, or 2 bytes of memory */
    SZ_MODE, /* 8 in 64-bit mode, else 4 */
    SZ_FAR,  /* far pointer in memory: operand size and 2 */
    SZ_2V,   /* two of operand size */
};

/* An operand in 16 bits: place 0-4, size 5-8, access 9-10, fixed number 11-15. */
#define OPERAND(at, size) ((at) | (size) << 5)
#define READ              (BLINK_ACCESS_READ << 9)
#define WRITE             (BLINK_ACCESS_WRITE << 9)
#define OPERAND_AT(o)     ((o)&31u)
#define OPERAND_SIZE(o)   ((o) >> 5 & 15u)
#define OPERAND_ACCESS(o) ((o) >> 9 & 3u)
#define OPERAND_NUMBER(o) ((o) >> 11)
#define FIXED(n, size)    (OPERAND(AT_FIXED, size) | (n) << 11)
#define SEG(n)            (OPERAND(AT_SEG, SZ_2) | (n) << 11)

/* Flags of a form. */
#define FORM_BYTE   0x01u  /* operand size 1 */
#define FORM_D64    0x02u  /* operand size is 64 in 64-bit mode unless 66 makes it 16 */
#define FORM_NO64   0x04u  /* #UD in 64-bit mode */
#define FORM_CC     0x08u  /* condition in the low bits of the opcode */
#define FORM_MAX4   0x10u  /* no 64-bit operand size (IN, OUT, INS, OUTS) */
#define FORM_VSIB   0x20u  /* gather: all registers must differ */
#define FORM_F64    0x40u  /* operand size 8 in 64-bit mode, else 4 (MOV CR and DR) */
#define FORM_NOPFX  0x80u  /* #UD with 66, F2 or F3 */
#define FORM_LOADED 0x100u /* x87 condition in `cc` */

/* How `sub` is indexed; 0 is a leaf. */
enum {
    BY_NOTHING,
    BY_REG,    /* ModRM.reg: 8 */
    BY_MEM,    /* 0 memory, 1 register */
    BY_RM,     /* ModRM.rm: 8 */
    BY_PP,     /* mandatory prefix: 4 */
    BY_MODE64, /* 0 outside, 1 in 64-bit mode */
    BY_WIDE,   /* REX.W: 2 */
    BY_XCHG,   /* the byte 90: 0 NOP, 1 PAUSE, 2 XCHG with REX.B */
    BY_SIMD,   /* ask Capstone */
};

struct form {
    uint16_t op; /* BLINK_OP_* */
    uint16_t flags;
    uint16_t opnd[4];
    uint8_t select; /* BY_* */
    uint8_t cc;
    const struct form *sub;
};

/* ---- the tables ---- */

extern const struct form onebyte_forms[256];
extern const struct form twobyte_forms[256];
const struct form *x87_form(const struct walk *w);
/* Of the maps 0F38 and 0F3A without VEX, or with VEX on general registers; NULL for none. */
const struct form *threebyte_form(const struct walk *w);
const struct form *vex_gpr_form(const struct walk *w);

extern const uint8_t op_attributes[BLINK_OP_COUNT]; /* BLINK_OPATTR_* */
extern const uint8_t op_classes[BLINK_OP_COUNT];    /* BLINK_CLASS_* */
extern const char *const op_mnemonics[BLINK_OP_COUNT];

/* ---- contexts ---- */

#define SIMD_SLOTS 2048u

struct simd_slot {
    uint32_t key; /* 0: empty */
    bool takes_vvvv;
    struct form form;
};

struct blink_plugin {
    const struct blink_host *host;
};

struct context {
    const struct blink_host *host;
    csh handle[3];       /* by BLINK_MODE_BITS*, opened when first wanted; 0: not yet */
    cs_insn *insn;       /* the one Capstone writes to */
    uint64_t logged[16]; /* a set of 1024 bits: illegal instructions already logged */
    struct simd_slot simd[SIMD_SLOTS];
};

/* The Capstone handle of a mode, or 0 if it cannot be opened. */
csh context_handle(struct context *c, uint32_t mode);

/* simd.c: the form of an SSE, MMX or AVX encoding; op is BLINK_OP_INVALID if there is none. */
const struct form *simd_form(struct context *c, const struct walk *w);

/* decode.c: one instruction: WALK_OK and WALK_BYTES, else *out is an invalid one. */
uint32_t decode_one(struct context *c, const uint8_t *bytes, size_t size, uint32_t mode,
                    uint64_t rip, struct blink_insn *out);

/* text.c: instructions Capstone has no words for. */
void text_of(const struct blink_insn *i, uint32_t syntax, char *out, size_t size);

#endif
