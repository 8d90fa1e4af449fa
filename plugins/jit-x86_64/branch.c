/*
 * Branches: direct ones through patchable exits, indirect ones through the table of landings. No
 * sequence changes a flag. Under core's lock.
 */
#include "emit.h"

#define ALL_REGS 0xffffu
/* What an indirect branch arrives with in their slots. Not RAX: what a function returns should not
 * wait for a store and a load. */
#define CARRIED (BIT(BLINK_R11) | BIT(BLINK_RCX))

void branch_exit(struct gen *g, uint32_t exit, uint64_t rip) {
    struct emit *e = &g->hot;
    track_restore(g, ALL_REGS);
    g->code->exit_rip[exit] = rip;
    track_exit(g, exit);
    emit_align(e, 1);
    emit8(e, 0xe9);
    g->code->link[exit] = (uint16_t)e->at;
    emit32(e, 0);
}

void branch_dispatch(struct emit *e, const struct blink_plugin *self) {
    static const uint8_t index[] = {0x41, 0x0f, 0xb7, 0xcb}; /* movzx ecx, r11w */
    static const uint8_t jump[] = {0xff, 0x24, 0xcd};        /* jmp [rcx * 8 + disp32] */
    emit_bytes(e, index, sizeof index);
    emit_bytes(e, jump, sizeof jump);
    emit32(e, (uint32_t)(uintptr_t)self->table);
}

void branch_compare(struct emit *e, uint64_t rip, uint64_t other) {
    static const uint8_t add[] = {0x4a, 0x8d, 0x0c, 0x19}; /* lea rcx, [rcx + r11] */
    static const uint8_t subtract[] = {0x49, 0x8d, 0x8b};  /* lea rcx, [r11 + disp32] */
    static const uint8_t test[] = {0xe3, 0x05};            /* jrcxz over the jmp */
    if (rip <= INT32_MAX) {
        emit_bytes(e, subtract, sizeof subtract);
        emit32(e, (uint32_t)-rip);
    } else {
        emit_mov_imm(e, BLINK_RCX, -rip);
        emit_bytes(e, add, sizeof add);
    }
    emit_bytes(e, test, sizeof test);
    emit_jmp(e, other);
}

static void dispatch(struct gen *g) {
    track_restore(g, ~CARRIED);
    branch_dispatch(&g->hot, g->self);
}

/* push imm32, or push qword [rip + literal]: the return address, wherever it lies. */
static void push_linear(struct gen *g, uint64_t rip) {
    static const uint8_t push[] = {0xff, 0x35};
    struct emit *e = &g->hot;
    if (rip <= INT32_MAX) {
        emit8(e, 0x68);
        emit32(e, (uint32_t)rip);
        return;
    }
    emit_bytes(e, push, sizeof push);
    g->literal = rip;
    g->literal_at = e->at;
    emit32(e, 0);
}

/* Exit 0's or R11's RIP, once what is left to do is to add `stack` to RSP. */
static void track_branch(struct gen *g, bool direct, int32_t stack) {
    if (direct) {
        track_exit(g, 0);
        g->now.stack = (int8_t)stack;
        g->span[g->spans - 1].stack = (int8_t)stack;
    } else {
        track_r11(g, stack);
    }
}

static bool push_return(struct gen *g, uint64_t rip, bool direct) {
    if (!g->paged) {
        push_linear(g, rip);
        track_branch(g, direct, 0);
        return true;
    }
    if (!paged_push(g, rip))
        return false;
    track_branch(g, direct, -8);
    emit_lea(&g->hot, BLINK_RSP, BLINK_RSP, BLINK_REG_NONE, -8);
    track_branch(g, direct, 0);
    return true;
}

/* R11 and RCX go to their slots, the target to R11. */
static bool target_to_r11(struct gen *g, const struct blink_insn *i) {
    const struct blink_operand *o = &i->opnd[0];
    struct emit *e = &g->hot;
    uint32_t reads = o->kind == BLINK_OPND_GPR ? BIT(o->reg) : 0;
    if (o->kind == BLINK_OPND_MEM && g->paged) {
        track_hold(g, BIT(BLINK_R11));
        return paged_load_r11(g, i);
    }
    if (!reads && o->kind != BLINK_OPND_MEM)
        return false;
    /* Their values are in the registers as well, until something else is put there. */
    track_restore(g, reads);
    track_hold(g, CARRIED & ~g->held);
    if (o->kind == BLINK_OPND_MEM)
        return rewrite_load_r11(e, i);
    /* mov r11, reg */
    emit8(e, 0x4c | o->reg >> 3);
    emit8(e, 0x8b);
    emit8(e, 0xd8 | (o->reg & 7));
    return true;
}

/* Should there be no address like that in R11, it is this instruction that faults, and nothing has
 * changed: see recover_arrive. To be noted before RIP is in R11. */
static void note_from(struct gen *g, const struct blink_insn *i, uint32_t popped) {
    g->code->last = (uint16_t)(i->addr - g->block->rip);
    g->code->popped = popped;
    emit_gs_store_imm(&g->hot, SLOT(SLOT_FROM), g->id);
}

/* A call overwrites what is on the stack, so it asks first, without a flag, whether there is such
 * an address as that in R11: if not, it is core's. RCX and R11 are held. */
static void check_canonical(struct gen *g) {
    static const uint8_t test[] = {
        0x4a, 0x8d, 0x0c, 0x19, /* lea rcx, [rcx + r11] */
        0x48, 0x0f, 0xc9,       /* bswap rcx */
        0x0f, 0xb7, 0xc9,       /* movzx ecx, cx: bits 63 to 48 of the sum */
        0x67, 0xe3, 0x05, 0xe9, /* jecxz over the jmp */
    };
    track_hold(g, BIT(BLINK_RCX));
    emit_mov_imm(&g->hot, BLINK_RCX, UINT64_C(1) << 47);
    emit_bytes(&g->hot, test, sizeof test);
    emit32(&g->hot, 0);
    g->miss[g->misses++] = g->hot.at;
}

static bool emit_jump(struct gen *g, const struct blink_insn *i) {
    if (i->opnd[0].kind == BLINK_OPND_REL) {
        branch_exit(g, 0, i->imm);
        return true;
    }
    if (!target_to_r11(g, i))
        return false;
    note_from(g, i, 0);
    track_r11(g, 0);
    dispatch(g);
    return true;
}

/*
 * Calls and returns of large programs in linear memory. The host predicts returns by the calls it
 * has seen, so a call of the guest makes one, and a return returns. Where to is looked up by the
 * place on the stack of the return address, in jit_returns; the call site compares whether it is
 * the guest's, too. For the one instruction that must find it on the stack the host's address takes
 * the place of the guest's, which is in R11 then.
 */

/* RCX = the index into jit_returns of the return address right below RSP. */
static void emit_return_index(struct emit *e) {
    static const uint8_t cut[] = {0x0f, 0xb6, 0xc9}; /* movzx ecx, cl */
    emit_rorx(e, BLINK_RCX, BLINK_RSP, 3);
    emit_bytes(e, cut, sizeof cut);
}

/* pop (8f /0) or push (ff /6) gs:[rcx * 8 + jit_returns] */
static void emit_return_slot(struct emit *e, uint32_t op, uint32_t reg) {
    emit8(e, 0x65);
    emit8(e, op);
    emit8(e, 0x04 | reg << 3);
    emit8(e, 0xcd);
    emit32(e, CPU(jit_returns));
}

static bool predicts_returns(const struct gen *g) {
    return !g->paged && g->self->large;
}

/* Where the host returns to: the guest's return address is in R11. */
static void emit_call_site(struct gen *g, uint64_t back) {
    uint32_t held = g->held, fresh = g->fresh;
    g->held = CARRIED;
    track_return(g, 0, true);
    emit_mend(&g->hot);
    track_r11(g, 0);
    branch_compare(&g->hot, back, g->glue->dispatch);
    track_restore(g, BIT(BLINK_RCX));
    emit_gs_load(&g->hot, BLINK_R11, HELD(BLINK_R11));
    g->held = 0;
    branch_exit(g, 1, back);
    g->held = held;
    g->fresh = fresh;
}

/* Ends before the push of the guest's return address, with RCX held. */
static void emit_host_call(struct gen *g, const struct blink_insn *i, uint64_t back) {
    struct emit *e = &g->hot;
    track_hold(g, BIT(BLINK_RCX));
    emit_return_index(e);
    emit8(e, 0xe8);
    emit32(e, 0);
    uint32_t after = e->at;
    emit_call_site(g, back);
    emit_fix32(e, after - 4, e->at - after);
    track_before(g, i, 8);
    emit_return_slot(e, 0x8f, 0);
    track_before(g, i, 0);
}

static bool emit_call(struct gen *g, const struct blink_insn *i) {
    uint64_t back = i->addr + i->len;
    bool direct = i->opnd[0].kind == BLINK_OPND_REL;
    if (direct)
        g->code->exit_rip[0] = i->imm;
    else if (!target_to_r11(g, i))
        return false;
    else
        check_canonical(g);
    if (predicts_returns(g)) {
        track_restore(g, direct ? ALL_REGS : ~CARRIED);
        emit_host_call(g, i, back);
    }
    if (!push_return(g, back, direct))
        return false;
    if (direct)
        branch_exit(g, 0, i->imm);
    else
        dispatch(g);
    return true;
}

/* R11 has the guest's return address, which is popped. */
static void emit_host_return(struct gen *g) {
    struct emit *e = &g->hot;
    track_restore(g, ~CARRIED);
    track_return(g, 0, false);
    emit_return_index(e);
    emit_return_slot(e, 0xff, 6);
    track_return(g, 8, true);
    emit8(e, 0xc3);
}

static bool emit_return(struct gen *g, const struct blink_insn *i) {
    bool imm = i->opnd[0].kind == BLINK_OPND_IMM;
    int32_t by = 8 + (imm ? (int32_t)(i->imm & 0xffff) : 0);
    struct emit *e = &g->hot;
    note_from(g, i, (uint32_t)by);
    track_hold(g, CARRIED);
    if (!imm && !g->paged) {
        emit8(e, 0x41); /* pop r11 */
        emit8(e, 0x5b);
    } else {
        struct where top = {BLINK_RSP, BLINK_REG_NONE, 0, 0};
        if (!g->paged)
            emit_rm(e, 0x8b, BLINK_R11, &top);
        else if (!paged_top_r11(g))
            return false;
        emit_lea(e, BLINK_RSP, BLINK_RSP, BLINK_REG_NONE, by);
    }
    track_r11(g, 0);
    if (!imm && predicts_returns(g))
        emit_host_return(g);
    else
        dispatch(g);
    return true;
}

static void emit_conditional(struct gen *g, const struct blink_insn *i) {
    struct emit *e = &g->hot;
    track_restore(g, ALL_REGS);
    emit_align(e, 2);
    emit8(e, 0x0f);
    emit8(e, 0x80 | i->cc);
    g->code->link[0] = (uint16_t)e->at;
    g->code->exit_rip[0] = i->imm;
    emit32(e, 0);
    branch_exit(g, 1, i->addr + i->len);
}

/* JRCXZ, LOOP and their kind have a short form only: it jumps over the exit of the other case.
 * Both exits are aligned, so the distance is a constant. */
static void emit_counted(struct gen *g, const struct blink_insn *i) {
    struct emit *e = &g->hot;
    bool short_count = i->addrsize == 4;
    uint32_t lead = (short_count ? 1 : 0) + 2;
    track_restore(g, ALL_REGS);
    emit_align(e, lead + 1);
    if (short_count)
        emit8(e, 0x67);
    emit8(e, i->raw[i->off_opcode]);
    emit8(e, 5 + 3);
    branch_exit(g, 1, i->addr + i->len);
    branch_exit(g, 0, i->imm);
}

bool branch_emit(struct gen *g, const struct blink_insn *i) {
    switch (i->op) {
    case BLINK_OP_JMP: return emit_jump(g, i);
    case BLINK_OP_CALL: return emit_call(g, i);
    case BLINK_OP_RET: return emit_return(g, i);
    case BLINK_OP_JCC: emit_conditional(g, i); return true;
    default: emit_counted(g, i); return true;
    }
}
