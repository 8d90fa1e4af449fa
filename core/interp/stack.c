/*
 * The stack: PUSH POP PUSHA POPA PUSHF POPF ENTER LEAVE, in 64-bit mode with the hot forms apart,
 * elsewhere by stack-segment size.
 */
#include "interp/stack.h"
#include "interp/alu.h"
#include "interp/chain.h"

/* clang-format off */
/* 64-bit mode, 8-byte operands: almost all of them. */
HANDLER(push64_r) {
    uint64_t v = cpu->gpr[i->opnd[0].reg], sp = cpu->gpr[BLINK_RSP] - 8;
    st64(cpu, i, sp, v);
    cpu->gpr[BLINK_RSP] = sp;
    NEXT();
}
HANDLER(push64_i) {
    uint64_t sp = cpu->gpr[BLINK_RSP] - 8;
    st64(cpu, i, sp, i->imm);
    cpu->gpr[BLINK_RSP] = sp;
    NEXT();
}
HANDLER(push64_m) {
    uint64_t v = ld64(cpu, i, ea(cpu, i)), sp = cpu->gpr[BLINK_RSP] - 8;
    st64(cpu, i, sp, v);
    cpu->gpr[BLINK_RSP] = sp;
    NEXT();
}
HANDLER(pop64_r) {
    uint64_t sp = cpu->gpr[BLINK_RSP], v = ld64(cpu, i, sp);
    cpu->gpr[BLINK_RSP] = sp + 8;
    cpu->gpr[i->opnd[0].reg] = v;
    NEXT();
}
HANDLER(leave64) {
    uint64_t bp = cpu->gpr[BLINK_RBP], v = ld64(cpu, i, bp);
    cpu->gpr[BLINK_RSP] = bp + 8;
    cpu->gpr[BLINK_RBP] = v;
    NEXT();
}
/* clang-format on */

HANDLER(push_any) {
    const struct blink_operand *o = &i->opnd[0];
    uint64_t v = o->kind == BLINK_OPND_SEG ? cpu->seg[o->reg].selector : read_operand(cpu, i, 0);
    stack_push(cpu, i, i->opsize, v);
    NEXT();
}

/* POP to memory computes its address after RSP has moved. */
HANDLER(pop_any) {
    const struct blink_operand *o = &i->opnd[0];
    uint64_t v = stack_peek(cpu, i, i->opsize, 0);
    if (o->kind == BLINK_OPND_MEM) {
        /* With RSP in the address it is that after the pop. */
        int64_t by = i->base == BLINK_RSP ? i->opsize : 0;
        uint64_t m = i->addrsize == 8 ? ea(cpu, i) + (uint64_t)by : interp_ea_moved(cpu, i, by);
        st_sized(cpu, i, m, i->opsize, v);
        stack_move(cpu, i->opsize);
    } else {
        stack_move(cpu, i->opsize);
        put_sized(cpu, o->reg, i->opsize, v);
    }
    NEXT();
}

HANDLER(pusha) {
    uint64_t sp = cpu->gpr[BLINK_RSP];
    /* Test the whole range by its ends before the first change. */
    for (uint32_t k = 1; k <= 8; k++)
        stack_poke(cpu, i, i->opsize, -(int64_t)(k * i->opsize), k == 5 ? sp : cpu->gpr[k - 1]);
    stack_move(cpu, -8 * (int64_t)i->opsize);
    NEXT();
}
HANDLER(popa) {
    uint64_t v[8];
    for (uint32_t k = 0; k < 8; k++)
        v[k] = stack_peek(cpu, i, i->opsize, k * i->opsize);
    stack_move(cpu, 8 * (int64_t)i->opsize);
    for (uint32_t k = 0; k < 8; k++)
        if (k != 3)
            put_sized(cpu, 7 - k, i->opsize, v[k]);
    NEXT();
}

/* VM and RF are pushed as zero. Virtual-8086 mode needs IOPL 3. */
HANDLER(pushf) {
    uint64_t fl = blink_cpu_get_flags(cpu);
    if ((fl & BLINK_VM) && (fl & BLINK_IOPL) != BLINK_IOPL)
        RAISE(BLINK_EXC_GP, 0);
    stack_push(cpu, i, i->opsize, fl & ~(uint64_t)(BLINK_VM | BLINK_RF));
    NEXT();
}
static const struct blink_insn *popf_leave(struct blink_cpu *cpu, const struct blink_insn *i) {
    cpu->icount += interp_block_of(i + 1)->count;
    return chain_miss(cpu, NULL, 0, next_rip(i));
}
HANDLER(popf) {
    uint64_t fl = blink_cpu_get_flags(cpu);
    uint64_t change = BLINK_FLAGS_ARITH | BLINK_TF | BLINK_DF | BLINK_NT | BLINK_AC | BLINK_ID;
    uint32_t iopl = (fl & BLINK_IOPL) >> 12;
    if ((fl & BLINK_VM) && iopl != 3)
        RAISE(BLINK_EXC_GP, 0);
    if (cpu->cpl == 0 && !(fl & BLINK_VM))
        change |= BLINK_IOPL;
    if (cpu->cpl <= iopl)
        change |= BLINK_IF;
    if (i->opsize == 2)
        change &= 0xffff;
    uint64_t v = stack_peek(cpu, i, i->opsize, 0);
    stack_move(cpu, i->opsize);
    blink_cpu_set_flags(cpu, (fl & ~(change | BLINK_RF)) | (v & change));
    if (cpu->flags & BLINK_TF)
        __atomic_fetch_or(&cpu->attention, BLINK_ATTN_STEP, __ATOMIC_RELAXED);
    /* An interrupt may have waited for IF: the loop looks. */
    if (~fl & cpu->flags & BLINK_IF)
        return popf_leave(cpu, i);
    NEXT();
}

HANDLER(leave_any) {
    uint32_t size = i->opsize;
    int64_t up = (int64_t)(cpu->gpr[BLINK_RBP] - cpu->gpr[BLINK_RSP]);
    uint64_t v = stack_peek(cpu, i, size, up);
    stack_move(cpu, up + (int64_t)size);
    put_sized(cpu, BLINK_RBP, size, v);
    NEXT();
}

/* ENTER size, level. AMD64 manual volume 3: levels copy the display of frame pointers. */
HANDLER(enter) {
    uint32_t size = i->opsize, level = (uint32_t)i->disp & 31;
    uint64_t bp = cpu->gpr[BLINK_RBP];
    int64_t at = -(int64_t)size;
    stack_poke(cpu, i, size, at, bp);
    uint64_t frame = cpu->gpr[BLINK_RSP] + (uint64_t)at;
    for (uint32_t k = 1; k < level; k++) {
        int64_t from = (int64_t)(bp - (uint64_t)k * size - cpu->gpr[BLINK_RSP]);
        at -= (int64_t)size;
        stack_poke(cpu, i, size, at, stack_peek(cpu, i, size, from));
    }
    if (level) {
        at -= (int64_t)size;
        stack_poke(cpu, i, size, at, frame);
    }
    /* The new top of the stack must be writable, though nothing is stored there. */
    int64_t move = at - (int64_t)(i->imm & 0xffff);
    check_store(cpu, i, stack_address(cpu, i, size, move), size);
    put_sized(cpu, BLINK_RBP, size, frame);
    stack_move(cpu, move);
    NEXT();
}

interp_handler *INTERP_FN(bind_stack)(const struct blink_insn *i, uint32_t mode) {
    bool fast = (mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64 && i->opsize == 8;
    switch (i->op) {
    case BLINK_OP_PUSH:
        if (fast && i->opnd[0].kind == BLINK_OPND_GPR)
            return push64_r;
        if (fast && i->opnd[0].kind == BLINK_OPND_IMM)
            return push64_i;
        if (fast && i->opnd[0].kind == BLINK_OPND_MEM)
            return push64_m;
        return push_any;
    case BLINK_OP_POP:
        if (i->opnd[0].kind == BLINK_OPND_SEG)
            return NULL; /* bound with the system instructions */
        return fast && i->opnd[0].kind == BLINK_OPND_GPR ? pop64_r : pop_any;
    case BLINK_OP_LEAVE: return fast ? leave64 : leave_any;
    case BLINK_OP_PUSHA: return pusha;
    case BLINK_OP_POPA: return popa;
    case BLINK_OP_PUSHF: return pushf;
    case BLINK_OP_POPF: return popf;
    case BLINK_OP_ENTER: return enter;
    default: return NULL;
    }
}
