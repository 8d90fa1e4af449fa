/*
 * Instructions that are not branches, in linear memory: copied, with a memory operand rewritten
 * where the host cannot take it as it stands (relative to RIP, or to the guest's FS or GS). Under
 * core's lock.
 */
#include "emit.h"

/* Registers that a sequence may borrow. */
static const uint8_t lendable[] = {BLINK_RDI, BLINK_RSI, BLINK_RBX};

static uint32_t borrow(const struct blink_insn *i) {
    uint32_t used = uses_named(i) | uses_address(i);
    for (size_t k = 0; k < sizeof lendable; k++)
        if (!(used & BIT(lendable[k])))
            return lendable[k];
    return NO_REG;
}

static bool fits32(int64_t v) {
    return v == (int32_t)v;
}

bool rewrite_lea(struct gen *g, const struct blink_insn *i) {
    uint64_t a = (uint64_t)i->disp;
    if (i->opnd[0].size < 4)
        return false;
    emit_mov_imm(&g->hot, i->opnd[0].reg, i->opnd[0].size == 4 ? (uint32_t)a : a);
    return true;
}

/* With a borrowed register that holds the address or the segment's share of it: spill, act, give
 * back. POP computes the address of its destination after RSP has moved. */
static bool with_borrowed(struct gen *g, const struct blink_insn *i, bool segment) {
    struct emit *e = &g->hot;
    uint32_t reg = borrow(i);
    int64_t disp = i->disp + (i->op == BLINK_OP_POP && i->base == BLINK_RSP ? i->opsize : 0);
    if (reg == NO_REG || (segment && !fits32(disp)))
        return false;
    struct where w = {(uint8_t)reg, BLINK_REG_NONE, 0, 0};
    track_hold(g, BIT(reg));
    if (segment) {
        emit_gs_load(e, reg, CPU_SEG_BASE(i->seg));
        if (i->base != BLINK_REG_NONE)
            emit_lea(e, reg, reg, i->base, 0);
        w = (struct where){(uint8_t)reg, i->index, i->scale, (int32_t)disp};
    } else {
        emit_mov_imm(e, reg, (uint64_t)i->disp);
    }
    if (!operand_emit(e, i, &w))
        return false;
    track_after(g, i, 0);
    track_restore(g, BIT(reg));
    return true;
}

static bool rewrite_relative(struct gen *g, const struct blink_insn *i) {
    struct emit *e = &g->hot;
    uint64_t target = (uint64_t)i->disp;
    if (i->op == BLINK_OP_LEA)
        return rewrite_lea(g, i);
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
        struct where w = {BLINK_REG_NONE, BLINK_REG_NONE, 0, (int32_t)target};
        return operand_emit(e, i, &w);
    }
    return with_borrowed(g, i, false);
}

/* VSIB addressing has a vector register for an index: not rewritten. */
static bool is_gather(const struct blink_insn *i) {
    return i->op >= BLINK_OP_VGATHERDPD && i->op <= BLINK_OP_VPGATHERQQ;
}

static bool rewrite(struct gen *g, const struct blink_insn *i) {
    bool mem = uses_memory(i);
    bool segment =
        mem && (i->seg == BLINK_SEG_FS || i->seg == BLINK_SEG_GS) && i->op != BLINK_OP_LEA;
    if (mem && (i->prefix & BLINK_PFX_RIPREL))
        return !segment && i->off_modrm && rewrite_relative(g, i);
    if (segment)
        return i->off_modrm && i->addrsize == 8 && !is_gather(i) && with_borrowed(g, i, true);
    emit_bytes(&g->hot, i->raw, i->len);
    return true;
}

bool rewrite_insn(struct gen *g, const struct blink_insn *i) {
    bool done = rewrite(g, i);
    if (done) {
        track_changed(g, uses_named(i));
        track_after(g, i, 0);
    }
    return done;
}

bool rewrite_load_r11(struct emit *e, const struct blink_insn *i) {
    struct where w = {i->base, i->index, i->scale, (int32_t)i->disp};
    bool segment = i->seg == BLINK_SEG_FS || i->seg == BLINK_SEG_GS;
    if (i->addrsize != 8)
        return false;
    if (i->prefix & BLINK_PFX_RIPREL) {
        if (segment)
            return false;
        emit_mov_imm(e, BLINK_R11, (uint64_t)i->disp);
        w = (struct where){BLINK_R11, BLINK_REG_NONE, 0, 0};
    } else if (!fits32(i->disp)) {
        return false;
    } else if (segment) {
        if (i->base == BLINK_R11 || i->index == BLINK_R11)
            return false;
        emit_gs_load(e, BLINK_R11, CPU_SEG_BASE(i->seg));
        if (i->base != BLINK_REG_NONE)
            emit_lea(e, BLINK_R11, BLINK_R11, i->base, 0);
        w.base = BLINK_R11;
    }
    emit_rm(e, 0x8b, BLINK_R11, &w);
    return true;
}
