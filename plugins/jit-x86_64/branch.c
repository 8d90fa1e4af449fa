/*
 * Branches: direct ones through patchable exits, indirect ones through the table of landings. No
 * sequence changes a flag. Under core's lock.
 */
#include "emit.h"

void branch_exit(struct emit *e, struct code *code, uint32_t exit, uint64_t rip) {
    code->jump[exit] = e->at;
    emit_align(e, 1);
    emit8(e, 0xe9);
    code->link[exit] = e->at;
    code->exit_rip[exit] = rip;
    emit32(e, 0);
}

static uint8_t since(const struct emit *e, const struct place *p) {
    return (uint8_t)(e->at - p->start);
}

/* R11 and RCX of the guest go to their slots. Not RAX: what a function returns should not wait for
 * a store and a load. */
static void spill(struct emit *e, struct place *p) {
    emit_gs_store(e, BLINK_R11, SLOT(SLOT_A));
    p->reg_a = BLINK_R11;
    p->saved_a = since(e, p);
    emit_gs_store(e, BLINK_RCX, SLOT(SLOT_B));
    p->reg_b = BLINK_RCX;
    p->saved_b = since(e, p);
}

/* To the landing of the block at R11. */
static void dispatch(struct emit *e, const struct blink_plugin *self) {
    static const uint8_t index[] = {0x41, 0x0f, 0xb7, 0xcb}; /* movzx ecx, r11w */
    static const uint8_t jump[] = {0xff, 0x24, 0xcd};        /* jmp [rcx * 8 + disp32] */
    emit_bytes(e, index, sizeof index);
    emit_bytes(e, jump, sizeof jump);
    emit32(e, (uint32_t)(uintptr_t)self->table);
}

/* push qword [rip + literal]: the return address, wherever it lies. */
static void push_return(struct emit *e, struct branch_context *b, uint64_t rip) {
    static const uint8_t push[] = {0xff, 0x35};
    if (rip <= INT32_MAX) {
        emit8(e, 0x68);
        emit32(e, (uint32_t)rip);
        return;
    }
    emit_bytes(e, push, sizeof push);
    b->literal = rip;
    b->literal_at = e->at;
    emit32(e, 0);
}

static bool target_to_r11(struct emit *e, const struct blink_insn *i) {
    const struct blink_operand *o = &i->opnd[0];
    if (o->kind == BLINK_OPND_MEM)
        return rewrite_load_r11(e, i);
    if (o->kind != BLINK_OPND_GPR)
        return false;
    /* mov r11, reg */
    emit8(e, 0x4c | o->reg >> 3);
    emit8(e, 0x8b);
    emit8(e, 0xd8 | (o->reg & 7));
    return true;
}

static bool emit_jump(struct emit *e, const struct blink_insn *i, struct place *p,
                      struct branch_context *b) {
    if (i->opnd[0].kind == BLINK_OPND_REL) {
        branch_exit(e, b->code, 0, i->imm);
        return true;
    }
    spill(e, p);
    if (!target_to_r11(e, i))
        return false;
    p->commit = since(e, p);
    p->after = AFTER_R11;
    dispatch(e, b->self);
    return true;
}

static bool emit_call(struct emit *e, const struct blink_insn *i, struct place *p,
                      struct branch_context *b) {
    uint64_t back = i->addr + i->len;
    bool direct = i->opnd[0].kind == BLINK_OPND_REL;
    if (!direct) {
        spill(e, p);
        if (!target_to_r11(e, i))
            return false;
    }
    push_return(e, b, back);
    p->commit = since(e, p);
    p->after = direct ? AFTER_NEXT : AFTER_R11;
    if (direct)
        branch_exit(e, b->code, 0, i->imm);
    else
        dispatch(e, b->self);
    return true;
}

static bool emit_return(struct emit *e, const struct blink_insn *i, struct place *p,
                        struct branch_context *b) {
    spill(e, p);
    if (i->opnd[0].kind == BLINK_OPND_IMM) {
        static const uint8_t load[] = {0x4c, 0x8b, 0x1c, 0x24}; /* mov r11, [rsp] */
        static const uint8_t lea[] = {0x48, 0x8d, 0xa4, 0x24};  /* lea rsp, [rsp + disp32] */
        emit_bytes(e, load, sizeof load);
        emit_bytes(e, lea, sizeof lea);
        emit32(e, 8 + (uint32_t)(i->imm & 0xffff));
    } else {
        emit8(e, 0x41); /* pop r11 */
        emit8(e, 0x5b);
    }
    p->commit = since(e, p);
    p->after = AFTER_R11;
    dispatch(e, b->self);
    return true;
}

static void emit_conditional(struct emit *e, const struct blink_insn *i, struct code *code) {
    emit_align(e, 2);
    emit8(e, 0x0f);
    emit8(e, 0x80 | i->cc);
    code->link[0] = e->at;
    code->jump[0] = NO_JUMP;
    code->exit_rip[0] = i->imm;
    emit32(e, 0);
    branch_exit(e, code, 1, i->addr + i->len);
}

/* JRCXZ, LOOP and their kind have a short form only: it jumps over the exit of the other case.
 * Both exits are aligned, so the distance is a constant. */
static void emit_counted(struct emit *e, const struct blink_insn *i, struct code *code) {
    bool short_count = i->addrsize == 4;
    uint32_t lead = (short_count ? 1 : 0) + 2;
    emit_align(e, lead + 1);
    if (short_count)
        emit8(e, 0x67);
    emit8(e, i->raw[i->off_opcode]);
    emit8(e, 5 + 3);
    branch_exit(e, code, 1, i->addr + i->len);
    branch_exit(e, code, 0, i->imm);
}

bool branch_emit(struct emit *e, const struct blink_insn *i, struct place *p,
                 struct branch_context *b) {
    switch (i->op) {
    case BLINK_OP_JMP: return emit_jump(e, i, p, b);
    case BLINK_OP_CALL: return emit_call(e, i, p, b);
    case BLINK_OP_RET: return emit_return(e, i, p, b);
    case BLINK_OP_JCC: emit_conditional(e, i, b->code); return true;
    default: emit_counted(e, i, b->code); return true;
    }
}
