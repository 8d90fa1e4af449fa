/*
 * Near branches of 16- and 32-bit code. The targets of direct ones are cut by the decoder, those of
 * others here; the limit of CS is known to be beyond them. Under core's lock.
 */
#include "emit.h"

#define ALL_REGS 0xffffu
#define CARRIED  (BIT(BLINK_R11) | BIT(BLINK_RCX))

/* Beyond what the limit is known to be. */
static bool is_far_off(const struct gen *g, uint64_t target) {
    bool narrow = (g->block->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS16;
    return target > (narrow ? 0xffff : UINT32_MAX);
}

/* To the RIP in R11; RCX and R11 are held. The tables know nothing of modes: only where blocks tell
 * theirs by the page they are on will they do. */
static void dispatch(struct gen *g) {
    track_restore(g, ~CARRIED);
    if (g->block->page)
        branch_dispatch(&g->hot, g->self);
    else
        emit_jmp(&g->hot, g->glue->lost);
}

static bool target_to_r11(struct gen *g, const struct blink_insn *i) {
    const struct blink_operand *o = &i->opnd[0];
    struct emit *e = &g->hot;
    if (o->kind == BLINK_OPND_MEM) {
        track_hold(g, BIT(BLINK_R11));
        return legacy_load_r11(g, i);
    }
    if (o->kind != BLINK_OPND_GPR)
        return false;
    track_restore(g, BIT(o->reg));
    track_hold(g, CARRIED & ~g->held);
    if (i->opsize == 2) { /* movzx r11d, reg */
        emit8(e, 0x44);
        emit8(e, 0x0f);
        emit8(e, 0xb7);
    } else { /* mov r11d, reg */
        emit8(e, 0x44);
        emit8(e, 0x8b);
    }
    emit8(e, 0xd8 | (o->reg & 7));
    return true;
}

/* Exit 0's or R11's RIP, once what is left to do is to add `stack` to the stack pointer. */
static void track_branch(struct gen *g, bool direct, int32_t stack) {
    if (direct) {
        track_exit(g, 0);
        g->now.stack = (int8_t)stack;
        g->span[g->spans - 1].stack = (int8_t)stack;
    } else {
        track_r11(g, stack);
    }
}

static bool emit_jump(struct gen *g, const struct blink_insn *i) {
    if (i->opnd[0].kind == BLINK_OPND_REL) {
        branch_exit(g, 0, i->imm);
        return true;
    }
    if (!target_to_r11(g, i))
        return false;
    track_r11(g, 0);
    dispatch(g);
    return true;
}

static bool emit_call(struct gen *g, const struct blink_insn *i) {
    bool direct = i->opnd[0].kind == BLINK_OPND_REL;
    if (direct)
        g->code->exit_rip[0] = i->imm;
    else if (!target_to_r11(g, i))
        return false;
    if (!legacy_push(g, i, i->addr + i->len))
        return false;
    track_branch(g, direct, -(int32_t)i->opsize);
    legacy_move_stack(g, -(int32_t)i->opsize);
    track_branch(g, direct, 0);
    if (direct)
        branch_exit(g, 0, i->imm);
    else
        dispatch(g);
    return true;
}

static bool emit_return(struct gen *g, const struct blink_insn *i) {
    int32_t by = i->opsize;
    if (i->opnd[0].kind == BLINK_OPND_IMM)
        by += (int32_t)(i->imm & 0xffff);
    track_hold(g, CARRIED);
    if (!legacy_top_r11(g, i))
        return false;
    legacy_move_stack(g, by);
    track_r11(g, 0);
    dispatch(g);
    return true;
}

/* One way out of a counted branch: RCX, held until then, gets its new value from t. */
static void emit_way(struct gen *g, uint32_t exit, uint64_t rip, uint32_t t, bool counts) {
    if (counts) {
        emit_lea(&g->hot, BLINK_RCX, t, BLINK_REG_NONE, 0);
        track_changed(g, BIT(BLINK_RCX));
        track_exit(g, exit);
    }
    branch_exit(g, exit, rip);
}

/* LOOP and JCXZ of CX, which 64-bit mode cannot count in. */
static void emit_counted(struct gen *g, const struct blink_insn *i) {
    static const uint8_t decrement[] = {0x66, 0x8d, 0x49, 0xff}; /* lea cx, [rcx - 1] */
    static const uint8_t cut[] = {0x0f, 0xb7, 0xc9};             /* movzx ecx, cx */
    bool counts = i->op != BLINK_OP_JCXZ;
    struct emit *e = &g->hot;
    uint32_t t = NO_REG, skip[2], skips = 0;
    track_restore(g, ALL_REGS);
    track_hold(g, BIT(BLINK_RCX));
    if (counts) {
        t = paged_borrow(g, BIT(BLINK_RCX) | BIT(BLINK_RSP), false);
        track_hold(g, BIT(t));
        emit_bytes(e, decrement, sizeof decrement);
        emit_lea(e, t, BLINK_RCX, BLINK_REG_NONE, 0);
    }
    emit_bytes(e, cut, sizeof cut);
    if (i->op == BLINK_OP_LOOPE || i->op == BLINK_OP_LOOPNE) { /* jne or je rel8 */
        emit8(e, i->op == BLINK_OP_LOOPE ? 0x75 : 0x74);
        emit8(e, 0);
        skip[skips++] = e->at;
    }
    emit8(e, 0x67); /* jecxz rel8 */
    emit8(e, 0xe3);
    emit8(e, 0);
    skip[skips++] = e->at;
    uint32_t held = g->held, fresh = g->fresh;
    /* CX is not zero: a loop goes on. */
    emit_way(g, counts ? 0 : 1, counts ? i->imm : i->addr + i->len, t, counts);
    for (uint32_t k = 0; k < skips && !e->full; k++)
        e->rw[skip[k] - 1] = (uint8_t)(e->at - skip[k]);
    g->held = held;
    g->fresh = fresh;
    track_begin(g, i);
    emit_way(g, counts ? 1 : 0, counts ? i->addr + i->len : i->imm, t, counts);
}

bool legacy_branch(struct gen *g, const struct blink_insn *i) {
    bool direct = i->opnd[0].kind == BLINK_OPND_REL;
    bool narrow = (g->block->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS16;
    if (direct ? is_far_off(g, i->imm) : narrow && i->opsize != 2)
        return false;
    switch (i->op) {
    case BLINK_OP_JMP: return emit_jump(g, i);
    case BLINK_OP_CALL: return emit_call(g, i);
    case BLINK_OP_RET: return emit_return(g, i);
    case BLINK_OP_JCC: return branch_emit(g, i);
    default: break;
    }
    if (i->addrsize != 2)
        return branch_emit(g, i);
    emit_counted(g, i);
    return true;
}
