/*
 * Branches: what ends a block. Direct ones go through the block's links, indirect ones through
 * the jump cache; both leave to the loop when the target is not known or attention is wanted.
 */
#include "interp/alu.h"
#include "interp/chain.h"
#include "interp/segment.h"
#include "interp/stack.h"

/* clang-format off */
#define CONDITIONS(F) F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12) F(13) F(14) F(15)

#define JCC(cc)                                                                                    \
    HANDLER(jcc##cc) {                                                                             \
        if (condition(cpu, cc)) CHAIN(i + 1, BLOCK_TAKEN, i->imm);                                 \
        CHAIN(i + 1, BLOCK_FALL, next_rip(i));                                                     \
    }
CONDITIONS(JCC)
#define JCC_ENTRY(cc) jcc##cc,
static interp_handler *const jcc_table[16] = {CONDITIONS(JCC_ENTRY)};
/* clang-format on */

HANDLER(jmp_rel) {
    CHAIN(i + 1, BLOCK_TAKEN, i->imm);
}
HANDLER(jmp_r64) {
    JUMP(i + 1, cpu->gpr[i->opnd[0].reg]);
}
HANDLER(jmp_m64) {
    JUMP(i + 1, ld64(cpu, i, ea(cpu, i)));
}

HANDLER(call_rel64) {
    uint64_t sp = cpu->gpr[BLINK_RSP] - 8;
    st64(cpu, i, sp, next_rip(i));
    cpu->gpr[BLINK_RSP] = sp;
    CHAIN(i + 1, BLOCK_TAKEN, i->imm);
}
/* Before the return address is pushed. */
#define CHECK_CANONICAL(target)                                                                    \
  do {                                                                                             \
    if (unlikely(!cpu_canonical(target)))                                                          \
      RAISE(BLINK_EXC_GP, 0);                                                                      \
  } while (0)
HANDLER(call_r64) {
    uint64_t sp = cpu->gpr[BLINK_RSP] - 8, target = cpu->gpr[i->opnd[0].reg];
    CHECK_CANONICAL(target);
    st64(cpu, i, sp, next_rip(i));
    cpu->gpr[BLINK_RSP] = sp;
    JUMP(i + 1, target);
}
HANDLER(call_m64) {
    uint64_t target = ld64(cpu, i, ea(cpu, i)), sp = cpu->gpr[BLINK_RSP] - 8;
    CHECK_CANONICAL(target);
    st64(cpu, i, sp, next_rip(i));
    cpu->gpr[BLINK_RSP] = sp;
    JUMP(i + 1, target);
}
HANDLER(ret64) {
    uint64_t sp = cpu->gpr[BLINK_RSP], target = ld64(cpu, i, sp);
    cpu->gpr[BLINK_RSP] = sp + 8;
    JUMP_OR(i + 1, target, cpu->gpr[BLINK_RSP] = sp);
}
HANDLER(ret64_i) {
    uint64_t sp = cpu->gpr[BLINK_RSP], target = ld64(cpu, i, sp);
    cpu->gpr[BLINK_RSP] = sp + 8 + (i->imm & 0xffff);
    JUMP_OR(i + 1, target, cpu->gpr[BLINK_RSP] = sp);
}

/* Any mode and size: truncate, check the code segment's limit, then go. */
static uint64_t checked_target(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t target) {
    if ((cpu->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64)
        return target;
    target = i->opsize == 2 ? (uint16_t)target : (uint32_t)target;
    if (unlikely(target > cpu->seg[BLINK_SEG_CS].limit))
        RAISE(BLINK_EXC_GP, 0);
    return target;
}
static uint64_t branch_operand(struct blink_cpu *cpu, const struct blink_insn *i) {
    if (i->opnd[0].kind == BLINK_OPND_REL)
        return i->imm;
    return read_operand(cpu, i, 0);
}
HANDLER(jmp_any) {
    JUMP(i + 1, checked_target(cpu, i, branch_operand(cpu, i)));
}
HANDLER(call_any) {
    uint64_t target = checked_target(cpu, i, branch_operand(cpu, i));
    stack_push(cpu, i, i->opsize, next_rip(i));
    JUMP(i + 1, target);
}
HANDLER(ret_any) {
    uint64_t target = checked_target(cpu, i, stack_peek(cpu, i, i->opsize, 0));
    stack_move(cpu, i->opsize + (int64_t)(i->imm & 0xffff));
    JUMP(i + 1, target);
}
HANDLER(jcc_any) {
    if (!condition(cpu, i->cc))
        CHAIN(i + 1, BLOCK_FALL, next_rip(i));
    uint64_t target = checked_target(cpu, i, i->imm);
    CHAIN(i + 1, BLOCK_TAKEN, target);
}

/* LOOP LOOPE LOOPNE and JCXZ count in CX, ECX or RCX by address size. */
HANDLER(loop) {
    uint64_t mask = i->addrsize == 8 ? ~UINT64_C(0) : i->addrsize == 4 ? UINT32_MAX : 0xffff;
    uint64_t c = cpu->gpr[BLINK_RCX] - (i->op != BLINK_OP_JCXZ);
    bool taken = (c & mask) != 0;
    if (i->op == BLINK_OP_JCXZ)
        taken = !taken;
    else if (i->op != BLINK_OP_LOOP)
        taken = taken && get_zf(cpu) == (i->op == BLINK_OP_LOOPE);
    uint64_t target = taken ? checked_target(cpu, i, i->imm) : next_rip(i);
    if (i->op != BLINK_OP_JCXZ)
        put_sized(cpu, BLINK_RCX, i->addrsize, c);
    if (taken)
        CHAIN(i + 1, BLOCK_TAKEN, target);
    CHAIN(i + 1, BLOCK_FALL, target);
}

/* Exits to the loop. */
static const struct blink_insn *leave(struct blink_cpu *cpu, const struct blink_insn *i,
                                      uint32_t reason, uint64_t info) {
    cpu->icount += interp_block_of(i + 1)->count;
    cpu->rip = next_rip(i);
    cpu->exit_reason = reason;
    cpu->exit_info = info;
    /* Where it may be refused and be the culprit. */
    cpu->exit_error = has_no_table(cpu) ? 0 : i->len;
    return NULL;
}
HANDLER(syscall) {
    return leave(cpu, i, BLINK_EXIT_SYSCALL, 0);
}
/* Virtual-8086 mode with an IOPL below 3 leaves INT n, and no other, to its monitor. */
HANDLER(int_n) {
    if ((cpu->mode & BLINK_MODE_VM86) && (cpu->flags & BLINK_IOPL) != BLINK_IOPL)
        RAISE(BLINK_EXC_GP, 0);
    return leave(cpu, i, BLINK_EXIT_INT, i->imm & 0xff);
}
HANDLER(int3) {
    return leave(cpu, i, BLINK_EXIT_INT, BLINK_EXC_BP);
}
HANDLER(int1) {
    leave(cpu, i, BLINK_EXIT_INT, BLINK_EXC_DB);
    cpu->exit_error |= BLINK_INT_PRIVILEGED;
    return NULL;
}
HANDLER(into) {
    if (get_of(cpu))
        return leave(cpu, i, BLINK_EXIT_INT, BLINK_EXC_OF);
    CHAIN(i + 1, BLOCK_FALL, next_rip(i));
}
HANDLER(undefined) {
    RAISE(BLINK_EXC_UD, 0);
}
/* More than 15 bytes. */
HANDLER(too_long) {
    RAISE(BLINK_EXC_GP, 0);
}

/* Falls out of the end of a block that does not end in a branch. */
static const struct blink_insn *block_end(struct blink_cpu *cpu, const struct blink_insn *i) {
    CHAIN(i, BLOCK_FALL, interp_block_of(i)->end_rip);
}
interp_handler *INTERP_FN(bind_end)(void) {
    return block_end;
}
interp_handler *INTERP_FN(bind_undefined)(const struct blink_insn *i) {
    return i->op == BLINK_OP_INVALID && i->imm == 1 ? too_long : undefined;
}

static interp_handler *bind_near(const struct blink_insn *i, bool fast) {
    uint32_t kind = i->opnd[0].kind;
    switch (i->op) {
    case BLINK_OP_JMP:
        if (!fast)
            return jmp_any;
        return kind == BLINK_OPND_REL ? jmp_rel : kind == BLINK_OPND_GPR ? jmp_r64 : jmp_m64;
    case BLINK_OP_CALL:
        if (!fast)
            return call_any;
        return kind == BLINK_OPND_REL ? call_rel64 : kind == BLINK_OPND_GPR ? call_r64 : call_m64;
    case BLINK_OP_RET:
        if (!fast)
            return ret_any;
        return kind == BLINK_OPND_IMM ? ret64_i : ret64;
    default: return fast ? jcc_table[i->cc & 15] : jcc_any;
    }
}

interp_handler *INTERP_FN(bind_BRANCH)(const struct blink_insn *i, uint32_t mode) {
    /* With 66 near branches are of 16 bits in 64-bit mode too, as AMD has them. */
    bool fast = (mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64 && i->opsize == 8;
    switch (i->op) {
    case BLINK_OP_JMP:
    case BLINK_OP_CALL:
    case BLINK_OP_RET:
    case BLINK_OP_JCC: return bind_near(i, fast);
    case BLINK_OP_JCXZ:
    case BLINK_OP_LOOP:
    case BLINK_OP_LOOPE:
    case BLINK_OP_LOOPNE: return loop;
    case BLINK_OP_SYSCALL: return syscall;
    case BLINK_OP_INT: return int_n;
    case BLINK_OP_INT3: return int3;
    case BLINK_OP_INT1: return int1;
    case BLINK_OP_INTO: return into;
    default: return INTERP_FN(bind_far)(i, mode);
    }
}
