/*
 * MOVS, STOS and LODS of one element in 16- and 32-bit code. Which way the index goes the direction
 * flag tells, which only string instructions read without disturbing others: a LODS of the host
 * from the very place makes the step. Repetitions are the interpreter's, which has them go by
 * pages. Under core's lock.
 */
#include "legacy.h"

/* RSI = w, and LODS: RCX is the step, AL, AX or EAX the element. All three are held. */
static void take_step(struct gen *g, const struct blink_insn *i, const struct where *w) {
    static const uint8_t invert[] = {0x48, 0xf7, 0xd1}; /* not rcx */
    struct emit *e = &g->hot;
    emit_rm(e, 0x8d, BLINK_RSI, w);
    emit_rm(e, 0x8d, BLINK_RCX, w);
    if (i->opsize == 2)
        emit8(e, 0x66);
    emit8(e, i->opsize == 1 ? 0xac : 0xad);
    emit_bytes(e, invert, sizeof invert);
    emit_lea(e, BLINK_RCX, BLINK_RCX, BLINK_RSI, 1);
}

/* reg = what it was, moved by RCX, as wide as addresses are. */
static void move_index(struct gen *g, const struct blink_insn *i, uint32_t reg) {
    struct where sum = {(uint8_t)reg, BLINK_RCX, 0, 0};
    emit_gs_load(&g->hot, reg, HELD(reg));
    emit_sized(&g->hot, i->addrsize, 0x8d, reg, &sum);
}

static struct access at_index(const struct blink_insn *i, uint32_t reg, uint32_t seg, bool write) {
    return (struct access){.base = (uint8_t)reg,
                           .index = BLINK_REG_NONE,
                           .seg = (uint8_t)seg,
                           .addrsize = i->addrsize,
                           .write = write,
                           .size = i->opsize};
}

/* mov [w], al or ax or eax */
static void store(struct gen *g, const struct blink_insn *i, const struct where *w) {
    emit_sized(&g->hot, i->opsize, i->opsize == 1 ? 0x88 : 0x89, BLINK_RAX, w);
}

static bool load_string(struct gen *g, const struct blink_insn *i) {
    const uint32_t used = BIT(BLINK_RAX) | BIT(BLINK_RSI);
    struct access a = at_index(i, BLINK_RSI, i->seg, false);
    struct where w;
    track_restore(g, used);
    if (!legacy_find(g, &a, used, false, &w))
        return false;
    /* Their registers keep what they have until LODS. */
    track_hold(g, used);
    take_step(g, i, &w);
    move_index(g, i, BLINK_RSI);
    track_changed(g, used);
    return true;
}

/* The store is the last that happens: all else is in registers that are held by then. */
static bool store_string(struct gen *g, const struct blink_insn *i) {
    const uint32_t used = BIT(BLINK_RAX) | BIT(BLINK_RSI) | BIT(BLINK_RDI);
    struct access a = at_index(i, BLINK_RDI, BLINK_SEG_ES, true);
    struct where w;
    track_restore(g, used);
    if (!legacy_find(g, &a, used, false, &w))
        return false;
    track_hold(g, used);
    take_step(g, i, &w);
    move_index(g, i, BLINK_RDI);
    emit_gs_load(&g->hot, BLINK_RAX, HELD(BLINK_RAX));
    store(g, i, &w);
    track_changed(g, BIT(BLINK_RDI));
    g->held &= ~BIT(BLINK_RAX);
    return true;
}

static bool move_string(struct gen *g, const struct blink_insn *i) {
    const uint32_t used = BIT(BLINK_RAX) | BIT(BLINK_RSI) | BIT(BLINK_RDI);
    struct access from = at_index(i, BLINK_RSI, i->seg, false);
    struct access to = at_index(i, BLINK_RDI, BLINK_SEG_ES, true);
    struct emit *e = &g->hot;
    struct where w;
    track_restore(g, used);
    if (!legacy_find(g, &from, used, false, &w))
        return false;
    emit_rm(e, 0x8d, BLINK_RCX, &w);
    emit_gs_store(e, BLINK_RCX, SLOT(SLOT_TARGET));
    if (!legacy_find(g, &to, used, false, &w))
        return false;
    track_hold(g, used);
    emit_gs_load(e, BLINK_RSI, SLOT(SLOT_TARGET));
    take_step(g, i, &(struct where){BLINK_RSI, BLINK_REG_NONE, 0, 0});
    move_index(g, i, BLINK_RSI);
    move_index(g, i, BLINK_RDI);
    store(g, i, &w);
    track_changed(g, BIT(BLINK_RSI) | BIT(BLINK_RDI));
    return true;
}

bool legacy_string(struct gen *g, const struct blink_insn *i) {
    if (i->prefix & (BLINK_PFX_REP | BLINK_PFX_REPNE))
        return false;
    switch (i->op) {
    case BLINK_OP_LODS: return load_string(g, i);
    case BLINK_OP_STOS: return store_string(g, i);
    default: return move_string(g, i);
    }
}
