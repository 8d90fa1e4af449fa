/*
 * MMX, SSE and AVX: what an encoding means is asked of Capstone once, with a probe whose registers
 * are all different, and kept as a form. So Capstone's answer costs nothing in the long run, and
 * only ever concerns clean encodings: prefixes that do not belong to the opcode never reach it.
 */
#include <string.h>

#include "tables.h"

/* Capstone's numbers of the operations of these classes. */
#define MAP_INT(id)
#define MAP_STRING(id)
#define MAP_IO(id)
#define MAP_BRANCH(id)
#define MAP_SYSTEM(id)
#define MAP_X87(id)
#define MAP_MMX(id)            [X86_INS_##id] = BLINK_OP_##id,
#define MAP_SSE(id)            MAP_MMX(id)
#define MAP_AVX(id)            MAP_MMX(id)
#define X86_INS_VBROADCASTI128 X86_INS_INVALID /* not known to it: see `own` */
static const uint16_t ops_of_ids[X86_INS_ENDING] = {
#define OP(id, mnemonic, cls, reads, writes, undefined, attr) MAP_##cls(id)
#include <blink/ops.def>
    /* Its names for the 128-bit forms from memory. */
    [X86_INS_VCVTPD2PSX] = BLINK_OP_VCVTPD2PS,
    [X86_INS_VCVTPD2DQX] = BLINK_OP_VCVTPD2DQ,
    [X86_INS_VCVTTPD2DQX] = BLINK_OP_VCVTTPD2DQ,
};

/* ---- access: what is not in these lists follows the rule of its class ---- */

#define L(id) BLINK_OP_##id
/* Only read all their operands. */
static const uint16_t readers[] = {
    L(COMISS),     L(COMISD),    L(UCOMISS),    L(UCOMISD),     L(PTEST),
    L(PCMPESTRI),  L(PCMPESTRM), L(PCMPISTRI),  L(PCMPISTRM),   L(MASKMOVQ),
    L(MASKMOVDQU), L(LDMXCSR),   L(VCOMISS),    L(VCOMISD),     L(VUCOMISS),
    L(VUCOMISD),   L(VPTEST),    L(VPCMPESTRI), L(VPCMPESTRM),  L(VPCMPISTRI),
    L(VPCMPISTRM), L(VTESTPS),   L(VTESTPD),    L(VMASKMOVDQU), L(VLDMXCSR),
};
/* Of the legacy ones, those that replace their destination wholly; the others change it. */
static const uint16_t writers[] = {
    L(MOVNTQ),          L(PSHUFW),     L(CVTPI2PD),  L(CVTPS2PI),  L(CVTPD2PI),  L(CVTTPS2PI),
    L(CVTTPD2PI),       L(MOVQ2DQ),    L(MOVDQ2Q),   L(MOVAPS),    L(MOVAPD),    L(MOVUPS),
    L(MOVUPD),          L(MOVDQA),     L(MOVDQU),    L(LDDQU),     L(MOVD),      L(MOVQ),
    L(MOVMSKPS),        L(MOVMSKPD),   L(MOVNTDQ),   L(MOVNTDQA),  L(MOVNTPS),   L(MOVNTPD),
    L(MOVDDUP),         L(MOVSHDUP),   L(MOVSLDUP),  L(PMOVMSKB),  L(STMXCSR),   L(SQRTPS),
    L(SQRTPD),          L(RCPPS),      L(RSQRTPS),   L(ROUNDPS),   L(ROUNDPD),   L(EXTRACTPS),
    L(CVTDQ2PD),        L(CVTDQ2PS),   L(CVTPD2DQ),  L(CVTPD2PS),  L(CVTPS2DQ),  L(CVTPS2PD),
    L(CVTSD2SI),        L(CVTSS2SI),   L(CVTTPD2DQ), L(CVTTPS2DQ), L(CVTTSD2SI), L(CVTTSS2SI),
    L(PABSB),           L(PABSW),      L(PABSD),     L(PEXTRB),    L(PEXTRW),    L(PEXTRD),
    L(PEXTRQ),          L(PHMINPOSUW), L(PMOVSXBD),  L(PMOVSXBQ),  L(PMOVSXBW),  L(PMOVSXDQ),
    L(PMOVSXWD),        L(PMOVSXWQ),   L(PMOVZXBD),  L(PMOVZXBQ),  L(PMOVZXBW),  L(PMOVZXDQ),
    L(PMOVZXWD),        L(PMOVZXWQ),   L(PSHUFD),    L(PSHUFHW),   L(PSHUFLW),   L(AESIMC),
    L(AESKEYGENASSIST),
};
#undef L

static bool listed(const uint16_t *list, size_t n, uint32_t op) {
    for (size_t k = 0; k < n; k++)
        if (list[k] == op)
            return true;
    return false;
}
#define LISTED(list, op) listed(list, sizeof list / sizeof list[0], op)

static bool is_gather(uint32_t op) {
    return op >= BLINK_OP_VGATHERDPD && op <= BLINK_OP_VPGATHERQQ;
}

/* Moves of part of a register: to memory, and MOVSS and MOVSD from it, they leave nothing. */
static bool moves_part(const struct form *f, const struct walk *w) {
    bool load = f->op == BLINK_OP_MOVSS || f->op == BLINK_OP_MOVSD;
    bool store = f->op == BLINK_OP_MOVLPS || f->op == BLINK_OP_MOVLPD || f->op == BLINK_OP_MOVHPS ||
                 f->op == BLINK_OP_MOVHPD || load;
    uint32_t at = OPERAND_AT(f->opnd[0]);
    return w->mod != 3 && (load || (store && at != AT_XREG));
}

static void set_access(struct form *f, const struct walk *w) {
    bool avx = op_classes[f->op] == BLINK_CLASS_AVX;
    bool fma = avx && f->op >= BLINK_OP_VFMADD132PS;
    for (uint32_t k = 0; k < 4 && f->opnd[k]; k++)
        f->opnd[k] |= READ;
    if (LISTED(readers, f->op) || !f->opnd[0])
        return;
    f->opnd[0] |= WRITE;
    if (is_gather(f->op))
        f->opnd[2] |= WRITE;
    else if (!fma && (avx || LISTED(writers, f->op) || moves_part(f, w)))
        f->opnd[0] = (uint16_t)(f->opnd[0] & ~READ);
}

/* ---- the probe ---- */

/* Registers of a probe, all different: which one an operand names tells where it stands. */
#define PROBE_REG  1u
#define PROBE_RM   2u
#define PROBE_VVVV 3u
#define PROBE_IS4  5u
#define PROBE_BASE 3u /* RBX, in memory forms */

static bool is_group(const struct walk *w) {
    return w->map == MAP_0F && ((w->opcode >= 0x71 && w->opcode <= 0x73) || w->opcode == 0xae);
}
static bool is_vsib(const struct walk *w) {
    return w->vex && w->map == MAP_0F38 && w->opcode >= 0x90 && w->opcode <= 0x93;
}

/* Writes the probe, a clean encoding, and returns its length up to the immediate. */
static uint32_t make_probe(const struct walk *w, uint8_t probe[16], bool wide, bool vvvv) {
    static const uint8_t mandatory[] = {0, 0x66, 0xf3, 0xf2}, escapes[] = {0, 0, 0x38, 0x3a};
    uint32_t n = 0;
    if (w->vex) {
        uint32_t v = vvvv ? PROBE_VVVV : 0;
        probe[n++] = 0xc4;
        probe[n++] = (uint8_t)(0xe0 | w->map);
        probe[n++] = (uint8_t)(wide << 7 | (~v & 15) << 3 | w->vlen << 2 | w->pp);
    } else {
        if (w->pp)
            probe[n++] = mandatory[w->pp];
        if (wide)
            probe[n++] = 0x48;
        probe[n++] = 0x0f;
        if (escapes[w->map])
            probe[n++] = escapes[w->map];
    }
    probe[n++] = w->opcode;
    if (w->has_modrm) {
        uint32_t reg = is_group(w) ? w->reg & 7u : PROBE_REG;
        uint32_t rm = w->mod == 3 ? PROBE_RM : is_vsib(w) ? 4 : PROBE_BASE;
        probe[n++] = (uint8_t)((w->mod == 3 ? 0xc0 : 0) | reg << 3 | rm);
        if (w->mod != 3 && rm == 4)
            probe[n++] = (uint8_t)(PROBE_RM << 3 | PROBE_BASE);
    }
    memset(probe + n, PROBE_IS4 << 4, 16 - n);
    return n;
}

/* Place of the register that Capstone names; AT_NONE for those left out. */
static uint32_t place(x86_reg reg) {
    static const struct {
        uint16_t first, count;
        uint8_t at[6]; /* by number: 0, reg, rm, vvvv, -, is4 */
        uint8_t size;
    } classes[] = {
        {X86_REG_XMM0, 16, {0, AT_XREG, AT_XRM, AT_XVVVV, 0, AT_XIS4}, SZ_16},
        {X86_REG_YMM0, 16, {0, AT_YREG, AT_YRM, AT_YVVVV, 0, AT_YIS4}, SZ_32},
        {X86_REG_MM0, 8, {0, AT_MREG, AT_MRM, 0, 0, 0}, SZ_8},
    };
    switch (reg) {
    case X86_REG_ECX: return OPERAND(AT_REG, SZ_4);
    case X86_REG_RCX: return OPERAND(AT_REG, SZ_8);
    case X86_REG_EDX: return OPERAND(AT_RM, SZ_4);
    case X86_REG_RDX: return OPERAND(AT_RM, SZ_8);
    default: break;
    }
    for (size_t k = 0; k < sizeof classes / sizeof classes[0]; k++) {
        uint32_t n = (uint32_t)reg - classes[k].first;
        if ((uint32_t)reg >= classes[k].first && n < classes[k].count)
            return n < 6 && classes[k].at[n] ? OPERAND(classes[k].at[n], classes[k].size) : 0;
    }
    return 0;
}

static uint32_t size_code(uint32_t bytes) {
    switch (bytes) {
    case 1: return SZ_1;
    case 2: return SZ_2;
    case 4: return SZ_4;
    case 8: return SZ_8;
    case 16: return SZ_16;
    case 32: return SZ_32;
    default: return SZ_0;
    }
}

/* Sizes of memory operands that Capstone does not tell right. */
static uint32_t memory_size(uint32_t op, uint32_t size, bool mmx) {
    switch (op) {
    case BLINK_OP_COMISS:
    case BLINK_OP_VCOMISS: return 4;
    case BLINK_OP_COMISD:
    case BLINK_OP_VCOMISD: return 8;
    case BLINK_OP_PUNPCKLBW:
    case BLINK_OP_PUNPCKLWD:
    case BLINK_OP_PUNPCKLDQ: return mmx ? 4 : size;
    default: return size;
    }
}

/* What Capstone says of the probe, as a form. `head` is the probe's length without immediate. */
static void read_answer(const cs_insn *insn, const struct walk *w, bool wide, uint32_t head,
                        struct form *f) {
    const cs_x86 *x = &insn->detail->x86;
    uint32_t n = 0;
    bool is4 = false, mmx = false;
    memset(f, 0, sizeof *f);
    f->op = ops_of_ids[insn->id];
    if (f->op == BLINK_OP_MOVD && wide)
        f->op = BLINK_OP_MOVQ;
    for (uint32_t k = 0; k < x->op_count && n < 4; k++) {
        uint32_t code = 0;
        if (x->operands[k].type == X86_OP_REG)
            code = place(x->operands[k].reg);
        else if (x->operands[k].type == X86_OP_MEM)
            code = OPERAND(AT_MEM, size_code(memory_size(f->op, x->operands[k].size, mmx)));
        if (code)
            f->opnd[n++] = (uint16_t)code;
        mmx |= OPERAND_AT(code) == AT_MREG;
        is4 |= OPERAND_AT(code) == AT_XIS4 || OPERAND_AT(code) == AT_YIS4;
    }
    if (insn->size == head + 1 && !is4 && n < 4)
        f->opnd[n++] = OPERAND(AT_IMM, SZ_1);
    if (is_vsib(w))
        f->flags |= FORM_VSIB;
    set_access(f, w);
}

static bool ask(struct context *c, const struct walk *w, bool wide, bool vvvv, struct form *f) {
    uint8_t probe[16];
    uint32_t head = make_probe(w, probe, wide, vvvv);
    csh handle = context_handle(c, BLINK_MODE_BITS64);
    const uint8_t *at = probe;
    size_t size = sizeof probe;
    uint64_t address = 0;
    if (!handle || !cs_disasm_iter(handle, &at, &size, &address, c->insn))
        return false;
    read_answer(c->insn, w, wide, head, f);
    return f->op != BLINK_OP_INVALID && c->insn->size >= head && c->insn->size <= head + 1;
}

/*
 * VEX.W must be 0 where it is neither ignored nor part of the opcode, which Capstone does not
 * check: a bit for each opcode of the maps 0F38 and 0F3A, 16 to a row.
 */
static bool wide_is_illegal(const struct walk *w) {
    static const uint16_t rows[2][16] = {
        {0xf000, 0x0748, 0xf000, 0x0040, 0x0040, 0x0700, 0, 0x0300},
        {0x0074, 0x2300, 0, 0x0300, 0x1c40},
    };
    return w->vex && w->wide && w->map >= MAP_0F38 &&
           (rows[w->map - MAP_0F38][w->opcode >> 4] >> (w->opcode & 15) & 1);
}

/* What is newer than Capstone: AES and PCLMULQDQ on YMM registers are those on XMM, made wide. */
static bool is_wide_crypto(const struct walk *w) {
    if (!w->vex || !w->vlen || w->pp != PP_66)
        return false;
    return w->map == MAP_0F38 ? w->opcode >= 0xdc && w->opcode <= 0xdf
                              : w->map == MAP_0F3A && w->opcode == 0x44;
}
static uint16_t widen(uint16_t code) {
    uint32_t at = OPERAND_AT(code);
    if (at == AT_XREG || at == AT_XRM || at == AT_XVVVV)
        return (uint16_t)((code & ~0x1ffu) | OPERAND(at + (AT_YREG - AT_XREG), SZ_32));
    return (uint16_t)(at == AT_MEM ? (code & ~0x1ffu) | OPERAND(AT_MEM, SZ_32) : code);
}

/* The other one it lacks. */
static bool is_broadcast(const struct walk *w) {
    return w->vex && w->map == MAP_0F38 && w->opcode == 0x5a && w->pp == PP_66 && w->vlen &&
           w->mod != 3;
}
static const struct form broadcast = {
    .op = BLINK_OP_VBROADCASTI128,
    .opnd = {OPERAND(AT_YREG, SZ_32) | WRITE, OPERAND(AT_MEM, SZ_16) | READ},
};

/* Capstone passes over a mandatory prefix that it does not know with this opcode; it is #UD. */
static bool passes_over(struct context *c, const struct walk *w, bool wide, const struct form *f) {
    struct walk plain = *w;
    struct form other;
    plain.pp = PP_NONE;
    return w->pp != PP_NONE && ask(c, &plain, wide, false, &other) && other.op == f->op &&
           !memcmp(other.opnd, f->opnd, sizeof other.opnd);
}

static bool ask_legacy(struct context *c, const struct walk *w, bool wide, struct form *f) {
    return ask(c, w, wide, false, f) && !passes_over(c, w, wide, f);
}

static bool learn(struct context *c, const struct walk *w, bool wide, struct simd_slot *slot) {
    struct walk narrow = *w;
    slot->takes_vvvv = false;
    slot->form = broadcast;
    if (wide_is_illegal(w))
        return false;
    if (is_broadcast(w))
        return true;
    bool crypto = is_wide_crypto(w);
    narrow.vlen = crypto ? 0 : w->vlen;
    /* REX.W that chooses nothing is ignored; Capstone does not know all of those. */
    if (!w->vex)
        return ask_legacy(c, w, wide, &slot->form) ||
               (wide && ask_legacy(c, w, false, &slot->form));
    slot->takes_vvvv = ask(c, &narrow, wide, true, &slot->form);
    if (!slot->takes_vvvv && !ask(c, &narrow, wide, false, &slot->form))
        return false;
    for (uint32_t k = 0; crypto && k < 4; k++)
        slot->form.opnd[k] = widen(slot->form.opnd[k]);
    return true;
}

/* ---- the cache of answers ---- */

/* Outside 64-bit mode VEX.W does not choose the size of a general register. */
static bool significant_wide(const struct walk *w) {
    if (w->mode == BLINK_MODE_BITS64 || !w->vex)
        return w->wide;
    if (w->map == MAP_0F)
        return w->wide && w->opcode != 0x6e && !(w->opcode == 0x7e && w->pp == PP_66) &&
               w->opcode != 0x2a && w->opcode != 0x2c && w->opcode != 0x2d;
    return w->wide && !(w->map == MAP_0F3A && (w->opcode == 0x16 || w->opcode == 0x22));
}

const struct form *simd_form(struct context *c, const struct walk *w) {
    static const struct form none = {.op = BLINK_OP_INVALID};
    bool wide = significant_wide(w);
    uint32_t key = 1u << 31 | (uint32_t)w->map << 16 | (uint32_t)w->opcode << 8 |
                   (uint32_t)w->pp << 6 | (uint32_t)wide << 5 | (uint32_t)w->vlen << 4 |
                   (uint32_t)w->vex << 3 | (is_group(w) ? w->reg & 7u : 0);
    key |= (uint32_t)(w->mod == 3) << 18;
    struct simd_slot *slot = &c->simd[(key * 0x9e3779b1u) >> (32 - 11)];
    if (slot->key != key) {
        if (!learn(c, w, wide, slot))
            slot->form = none;
        slot->key = key;
    }
    return w->vex && !slot->takes_vvvv && w->vvvv ? &none : &slot->form;
}
