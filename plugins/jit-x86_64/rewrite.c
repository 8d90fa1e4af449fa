/*
 * Instructions that are not branches: copied, with a memory operand rewritten where the host cannot
 * take it as it stands (relative to RIP, or to the guest's FS or GS). Under core's lock.
 */
#include "emit.h"

/* Registers that a sequence may borrow, none of which needs a REX bit as a base. */
static const uint8_t lendable[] = {BLINK_RDI, BLINK_RSI, BLINK_RBX};

static bool is_mem(const struct blink_insn *i) {
    for (uint32_t k = 0; k < 4; k++)
        if (i->opnd[k].kind == BLINK_OPND_MEM)
            return true;
    return false;
}

static bool uses_gpr(const struct blink_insn *i, uint32_t reg) {
    for (uint32_t k = 0; k < 4; k++) {
        const struct blink_operand *o = &i->opnd[k];
        if (o->kind == BLINK_OPND_GPR && (o->reg == reg || (o->reg >= 16 && o->reg - 16u == reg)))
            return true;
    }
    /* Not written as operands: CMPXCHG8B and 16B use RBX; the string compares and MASKMOV none of
     * these three with a memory operand of this kind. */
    if (reg == BLINK_RBX && (i->op == BLINK_OP_CMPXCHG8B || i->op == BLINK_OP_CMPXCHG16B))
        return true;
    return i->base == reg || i->index == reg;
}

static uint32_t borrow(const struct blink_insn *i) {
    for (size_t k = 0; k < sizeof lendable; k++)
        if (!uses_gpr(i, lendable[k]))
            return lendable[k];
    return NO_REG;
}

/* Shape of the operand in the bytes. */
struct shape {
    uint32_t end; /* offset of what follows ModRM, SIB and displacement */
    bool vex;
};

static struct shape shape_of(const struct blink_insn *i) {
    uint32_t at = i->off_modrm, modrm = i->raw[at++], mod = modrm >> 6, sib = 0;
    bool has_sib = mod != 3 && (modrm & 7) == 4;
    if (has_sib)
        sib = i->raw[at++];
    if (mod == 1)
        at += 1;
    else if (mod == 2 || (mod == 0 && ((modrm & 7) == 5 || (has_sib && (sib & 7) == 5))))
        at += 4;
    return (struct shape){.end = at, .vex = i->prefix & BLINK_PFX_VEX};
}

/* In 64-bit mode these bytes are never opcodes. */
static bool is_legacy_prefix(uint32_t b) {
    return b == 0x66 || b == 0x67 || b == 0xf0 || b == 0xf2 || b == 0xf3 || b == 0x2e ||
           b == 0x36 || b == 0x3e || b == 0x26 || b == 0x64 || b == 0x65;
}
static bool is_rex(uint32_t b) {
    return (b & 0xf0) == 0x40;
}

/* Bytes before ModRM without FS and GS prefixes, and with the extension bits of the base (and of
 * the index, if there is none) clear. A REX before another prefix does not count. */
static void emit_head(struct emit *e, const struct blink_insn *i, bool keep_index) {
    bool vex = i->prefix & BLINK_PFX_VEX;
    uint32_t at = 0, clear = keep_index ? 1 : 3;
    while (at < i->off_modrm) {
        uint32_t b = i->raw[at];
        if (b == 0x64 || b == 0x65) {
            at++;
            continue;
        }
        if (vex && b == 0xc4) {
            emit8(e, b);
            emit8(e, i->raw[at + 1] | clear << 5);
            at += 2;
            break;
        }
        if (!vex && is_rex(b)) {
            at++;
            if (is_rex(i->raw[at]) || is_legacy_prefix(i->raw[at]))
                continue;
            emit8(e, b & ~clear);
            break;
        }
        if (!is_legacy_prefix(b))
            break;
        emit8(e, b);
        at++;
    }
    emit_bytes(e, i->raw + at, i->off_modrm - at);
}

static void emit_tail(struct emit *e, const struct blink_insn *i, const struct shape *s) {
    emit_bytes(e, i->raw + s->end, i->len - s->end);
}

/* The instruction with [reg + index * scale + disp], reg one of the low eight but RSP. */
static void emit_based(struct emit *e, const struct blink_insn *i, uint32_t reg, int64_t disp) {
    struct shape s = shape_of(i);
    bool index = i->index != BLINK_REG_NONE;
    emit_head(e, i, index);
    emit8(e, (i->raw[i->off_modrm] & 0x38) | 0x80 | (index ? 4 : reg));
    if (index)
        emit8(e, (uint32_t)i->scale << 6 | (i->index & 7u) << 3 | reg);
    emit32(e, (uint32_t)disp);
    emit_tail(e, i, &s);
}

/* The instruction with [disp32], an absolute address. */
static void emit_absolute(struct emit *e, const struct blink_insn *i, uint32_t address) {
    struct shape s = shape_of(i);
    emit_head(e, i, false);
    emit8(e, (i->raw[i->off_modrm] & 0x38) | 4);
    emit8(e, 0x25);
    emit32(e, address);
    emit_tail(e, i, &s);
}

static bool fits32(int64_t v) {
    return v == (int32_t)v;
}

static uint8_t since(const struct emit *e, uint32_t start) {
    return (uint8_t)(e->at - start);
}

/* lea dst, [dst + add] of 64 bits, no flags. */
static void emit_lea_add(struct emit *e, uint32_t dst, uint32_t add) {
    emit8(e, 0x48 | (dst >> 3) << 2 | (add >> 3) << 1 | dst >> 3);
    emit8(e, 0x8d);
    emit8(e, 0x44 | (dst & 7) << 3);
    /* Base dst (never RSP here), index add; RSP cannot be an index: then they change places. */
    emit8(e, (add & 7) << 3 | (dst & 7));
    emit8(e, 0);
}

static void emit_lea_sum(struct emit *e, uint32_t dst, uint32_t base) {
    if (base != BLINK_RSP) {
        emit_lea_add(e, dst, base);
        return;
    }
    /* lea dst, [rsp + dst] */
    emit8(e, 0x48 | (dst >> 3) << 2 | (dst >> 3) << 1);
    emit8(e, 0x8d);
    emit8(e, 0x44 | (dst & 7) << 3);
    emit8(e, (dst & 7) << 3 | 4);
    emit8(e, 0);
}

static bool rewrite_lea(struct emit *e, const struct blink_insn *i) {
    uint64_t a = (uint64_t)i->disp;
    if (i->opnd[0].size < 4)
        return false;
    emit_mov_imm(e, i->opnd[0].reg, i->opnd[0].size == 4 ? (uint32_t)a : a);
    return true;
}

/* With a borrowed register that holds the address or the segment's share of it: spill, act, give
 * back. POP computes the address of its destination after RSP has moved. */
static bool with_borrowed(struct emit *e, const struct blink_insn *i, struct place *p,
                          bool segment) {
    uint32_t reg = borrow(i);
    int64_t disp = i->disp + (i->op == BLINK_OP_POP && i->base == BLINK_RSP ? i->opsize : 0);
    if (reg == NO_REG || p->reg_a != NO_REG || (segment && !fits32(disp)))
        return false;
    emit_gs_store(e, reg, SLOT(SLOT_A));
    p->reg_a = (uint8_t)reg;
    p->saved_a = since(e, p->start);
    if (segment) {
        emit_gs_load(e, reg, CPU_SEG_BASE(i->seg));
        if (i->base != BLINK_REG_NONE)
            emit_lea_sum(e, reg, i->base);
        emit_based(e, i, reg, disp);
    } else {
        emit_mov_imm(e, reg, (uint64_t)i->disp);
        emit_based(e, i, reg, 0);
    }
    p->commit = since(e, p->start);
    emit_gs_load(e, reg, SLOT(SLOT_A));
    return true;
}

static bool rewrite_relative(struct emit *e, const struct blink_insn *i, struct place *p) {
    uint64_t target = (uint64_t)i->disp;
    if (i->op == BLINK_OP_LEA)
        return rewrite_lea(e, i);
    int64_t away = (int64_t)(target - (emit_here(e) + i->len));
    if (i->addrsize != 8)
        return false;
    if (fits32(away)) {
        uint32_t at = e->at + i->off_modrm + 1u;
        emit_bytes(e, i->raw, i->len);
        emit_fix32(e, at, (uint32_t)away);
        return true;
    }
    if (target <= INT32_MAX) {
        emit_absolute(e, i, (uint32_t)target);
        return true;
    }
    return with_borrowed(e, i, p, false);
}

/* VSIB addressing has a vector register for an index: not rewritten. */
static bool is_gather(const struct blink_insn *i) {
    return i->op >= BLINK_OP_VGATHERDPD && i->op <= BLINK_OP_VPGATHERQQ;
}

bool rewrite_insn(struct emit *e, const struct blink_insn *i, struct place *p) {
    bool mem = is_mem(i);
    bool segment =
        mem && (i->seg == BLINK_SEG_FS || i->seg == BLINK_SEG_GS) && i->op != BLINK_OP_LEA;
    if (mem && (i->prefix & BLINK_PFX_RIPREL)) {
        if (segment || !i->off_modrm)
            return false;
        bool done = rewrite_relative(e, i, p);
        if (p->commit == NEVER)
            p->commit = since(e, p->start);
        return done;
    }
    if (segment) {
        if (!i->off_modrm || i->addrsize != 8 || is_gather(i))
            return false;
        return with_borrowed(e, i, p, true);
    }
    emit_bytes(e, i->raw, i->len);
    p->commit = since(e, p->start);
    return true;
}

/* mov r11, [base + index * scale + disp] */
static void load_r11(struct emit *e, uint32_t base, uint32_t index, uint32_t scale, int64_t disp) {
    bool no_base = base == BLINK_REG_NONE, no_index = index == BLINK_REG_NONE;
    uint32_t b = no_base ? 5 : base, x = no_index ? 4 : index;
    emit8(e, 0x4c | (x >= 8 ? 2 : 0) | (b >= 8 ? 1 : 0));
    emit8(e, 0x8b);
    emit8(e, (no_base ? 0x00 : 0x80) | 3 << 3 | 4);
    emit8(e, scale << 6 | (x & 7) << 3 | (b & 7));
    emit32(e, (uint32_t)disp);
}

bool rewrite_load_r11(struct emit *e, const struct blink_insn *i) {
    if (i->addrsize != 8)
        return false;
    if (i->prefix & BLINK_PFX_RIPREL) {
        if (i->seg == BLINK_SEG_FS || i->seg == BLINK_SEG_GS)
            return false;
        emit_mov_imm(e, BLINK_R11, (uint64_t)i->disp);
        load_r11(e, BLINK_R11, BLINK_REG_NONE, 0, 0);
        return true;
    }
    if (!fits32(i->disp))
        return false;
    if (i->seg == BLINK_SEG_FS || i->seg == BLINK_SEG_GS) {
        if (i->base == BLINK_R11 || i->index == BLINK_R11)
            return false;
        emit_gs_load(e, BLINK_R11, CPU_SEG_BASE(i->seg));
        if (i->base != BLINK_REG_NONE)
            emit_lea_sum(e, BLINK_R11, i->base);
        load_r11(e, BLINK_R11, i->index, i->scale, i->disp);
        return true;
    }
    load_r11(e, i->base, i->index, i->scale, i->disp);
    return true;
}
