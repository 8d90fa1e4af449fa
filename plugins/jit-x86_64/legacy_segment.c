/*
 * Segment registers of real and virtual-8086 mode: a selector is loaded, and the base made of it.
 * The store of the selector commits; what recover.c finds behind it has its base put right. Under
 * core's lock.
 */
#include "legacy.h"

/* mov word gs:[selector], cx */
static void store_selector(struct gen *g, uint32_t seg) {
    struct where w = {BLINK_REG_NONE, BLINK_REG_NONE, 0, (int32_t)SEG(selector, seg)};
    emit8(&g->hot, 0x65);
    emit_sized(&g->hot, 2, 0x89, BLINK_RCX, &w);
}

/* RCX, which is held, is the selector, and the instruction done but for it and the stack pointer.
 */
static void commit(struct gen *g, const struct blink_insn *i, uint32_t seg, int32_t stack) {
    struct emit *e = &g->hot;
    store_selector(g, seg);
    track_selector(g, i, seg, stack);
    emit_rorx(e, BLINK_RCX, BLINK_RCX, 60);
    emit_gs_store(e, BLINK_RCX, SEG(base, seg));
    track_after(g, i, stack);
    if (stack)
        legacy_move_stack(g, stack);
}

/* movzx ecx, word [w] */
static void load_selector(struct emit *e, const struct where *w) {
    uint32_t rex = emit_rex_bits(w);
    if (rex)
        emit8(e, 0x40 | rex);
    emit8(e, 0x0f);
    emit8(e, 0xb7);
    emit_modrm(e, BLINK_RCX << 3, w);
}

bool legacy_load_segment(struct gen *g, const struct blink_insn *i) {
    const struct blink_operand *o = &i->opnd[1];
    struct emit *e = &g->hot;
    struct where w;
    if (o->kind == BLINK_OPND_MEM) {
        struct access a = paged_operand(i, o);
        if (!legacy_find(g, &a, 0, false, &w))
            return false;
        load_selector(e, &w);
    } else {
        track_restore(g, BIT(o->reg));
        track_hold(g, BIT(BLINK_RCX));
        emit8(e, 0x0f); /* movzx ecx, reg */
        emit8(e, 0xb7);
        emit8(e, 0xc0 | BLINK_RCX << 3 | o->reg);
    }
    commit(g, i, i->opnd[0].reg, 0);
    return true;
}

bool legacy_pop_segment(struct gen *g, const struct blink_insn *i) {
    struct access top = legacy_top(g, BLINK_RSP, 0, i->opsize, false);
    struct where w;
    if (!legacy_find(g, &top, 0, false, &w))
        return false;
    load_selector(&g->hot, &w);
    commit(g, i, i->opnd[0].reg, i->opsize);
    return true;
}

/* The general register gets its new value in its slot, which counts from the commit on. */
bool legacy_load_pointer(struct gen *g, const struct blink_insn *i) {
    static const uint8_t segments[] = {BLINK_SEG_DS, BLINK_SEG_ES, BLINK_SEG_SS, BLINK_SEG_FS,
                                       BLINK_SEG_GS};
    uint32_t to = i->opnd[0].reg, size = i->opsize;
    struct access a = paged_operand(i, &i->opnd[1]);
    struct where slot = {BLINK_REG_NONE, BLINK_REG_NONE, 0, (int32_t)HELD(to)}, w;
    struct emit *e = &g->hot;
    if (i->opnd[1].kind != BLINK_OPND_MEM || to == BLINK_RCX || to == BLINK_RSP)
        return false;
    track_restore(g, BIT(to));
    if (!legacy_find(g, &a, BIT(to), false, &w))
        return false;
    emit_sized(e, size, 0x8b, BLINK_RCX, &w);
    if (size == 2)
        emit_gs_store(e, to, HELD(to));
    if (size == 2) {
        emit8(e, 0x65);
        emit_sized(e, size, 0x89, BLINK_RCX, &slot);
    } else {
        emit_gs_store(e, BLINK_RCX, HELD(to));
    }
    w.disp += (int32_t)size;
    load_selector(e, &w);
    store_selector(g, segments[i->op - BLINK_OP_LDS]);
    g->held |= BIT(to);
    g->fresh |= BIT(to);
    track_selector(g, i, segments[i->op - BLINK_OP_LDS], 0);
    emit_rorx(e, BLINK_RCX, BLINK_RCX, 60);
    emit_gs_store(e, BLINK_RCX, SEG(base, segments[i->op - BLINK_OP_LDS]));
    return true;
}
