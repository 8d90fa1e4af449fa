/*
 * Blocks as a whole: flag liveness, binding, the driver, and how a run ends by an exception.
 */
#include "interp/bind.h"

#include <string.h>

/* ops.def as tables. */
#define FC      BLINK_CF
#define FP      BLINK_PF
#define FA      BLINK_AF
#define FZ      BLINK_ZF
#define FS      BLINK_SF
#define FO      BLINK_OF
#define FD      BLINK_DF
#define FI      BLINK_IF
#define A_END   BLINK_OPATTR_END
#define A_LOCK  BLINK_OPATTR_LOCK
#define A_FAULT BLINK_OPATTR_FAULT
#define A_COND  BLINK_OPATTR_COND
static const struct {
    uint16_t reads, writes;
    uint8_t cls, attr;
} ops[BLINK_OP_COUNT] = {
#define OP(id, mnemonic, cls_, reads_, writes_, undefined_, attr_)                                 \
  [BLINK_OP_##id] = {(reads_), (writes_) | (undefined_), BLINK_CLASS_##cls_, (attr_)},
#include <blink/ops.def>
};

uint32_t interp_op_class(uint32_t op) {
    return ops[op].cls;
}

static bool touches_memory(const struct blink_insn *i) {
    for (uint32_t k = 0; k < 4; k++)
        if (i->opnd[k].kind == BLINK_OPND_MEM)
            return true;
    switch (i->op) {
    case BLINK_OP_PUSH:
    case BLINK_OP_POP:
    case BLINK_OP_PUSHA:
    case BLINK_OP_POPA:
    case BLINK_OP_PUSHF:
    case BLINK_OP_ENTER:
    case BLINK_OP_LEAVE:
    case BLINK_OP_XLAT: return true;
    default: return false;
    }
}

/*
 * Only these can neither fault nor be seen from outside before the next instruction: for them
 * alone flags may stay dead. A fault shows all flags to a handler, so what may fault reads them.
 */
static bool is_quiet(const struct blink_insn *i) {
    return ops[i->op].cls == BLINK_CLASS_INT &&
           !(ops[i->op].attr & (BLINK_OPATTR_FAULT | BLINK_OPATTR_END)) && !touches_memory(i);
}

/* Whether it surely replaces the flags in its `writes`. */
static bool surely_writes(const struct blink_insn *i) {
    if (!(ops[i->op].attr & BLINK_OPATTR_COND))
        return true;
    uint32_t mask = i->opnd[0].size == 8 ? 63 : 31;
    return ops[i->op].cls == BLINK_CLASS_INT && i->opnd[1].kind == BLINK_OPND_IMM &&
           i->opnd[2].kind == BLINK_OPND_NONE && (i->imm & mask) != 0;
}

static void mark_dead_flags(struct blink_insn *insns, uint32_t count) {
    uint32_t live = BLINK_FLAGS_ARITH;
    for (uint32_t k = count; k-- > 0;) {
        struct blink_insn *i = &insns[k];
        if (i->op == BLINK_OP_INVALID || i->op >= BLINK_OP_COUNT || !is_quiet(i)) {
            if (i->op && i->op < BLINK_OP_COUNT && ops[i->op].cls == BLINK_CLASS_INT &&
                !(ops[i->op].attr & BLINK_OPATTR_END) && (ops[i->op].writes & live) == 0 &&
                ops[i->op].writes)
                i->prefix |= BLINK_PFX_NOFLAGS;
            live = BLINK_FLAGS_ARITH;
            continue;
        }
        uint32_t writes = ops[i->op].writes & BLINK_FLAGS_ARITH;
        if (writes && (writes & live) == 0)
            i->prefix |= BLINK_PFX_NOFLAGS;
        if (surely_writes(i))
            live &= ~writes;
        live |= ops[i->op].reads & BLINK_FLAGS_ARITH;
    }
}

void interp_bind_block(struct block *block) {
    struct blink_insn *insns = block->insns, *end = &insns[block->count];
    bool paged = block->mode & BLINK_MODE_PAGED;
    memset(end, 0, sizeof *end);
    end->op = INTERP_OP_END;
    end->imm = (uint64_t)(uintptr_t)block;
    end->addr = block->end_rip;
    mark_dead_flags(insns, block->count);
    for (uint32_t k = 0; k <= block->count; k++)
        insns[k].handler = paged ? interp_bind_insn_paged(&insns[k], block->mode)
                                 : interp_bind_insn_linear(&insns[k], block->mode);
    if (block->count >= 2) {
        struct blink_insn *pair = end - 2;
        interp_handler *h = paged ? interp_bind_pair_paged(pair, block->mode)
                                  : interp_bind_pair_linear(pair, block->mode);
        if (h)
            pair->handler = h;
    }
}

void interp_run(struct blink_cpu *cpu, const struct blink_insn *insn) {
    /* With sibling calls the first call runs until the end; without, handlers return the next. */
    while (insn)
        insn = insn->handler(cpu, insn);
}

const struct blink_insn *interp_block_end(const struct blink_insn *insn) {
    while (insn->op != INTERP_OP_END)
        insn++;
    return insn;
}

void interp_settle(struct blink_cpu *cpu) {
    const struct blink_insn *i = cpu->insn, *end = interp_block_end(i);
    const struct block *b = (const struct block *)(uintptr_t)end->imm;
    cpu->icount += (uint64_t)(i - b->insns);
    cpu->rip = i->addr;
}

static _Noreturn void unwind(struct blink_cpu *cpu, uint32_t reason) {
    struct interp_context *c = cpu->exec_private;
    cpu->exit_reason = reason;
    interp_settle(cpu);
    siglongjmp(c->unwind, 1);
}

void interp_raise(struct blink_cpu *cpu, uint32_t vector, uint64_t error) {
    cpu->exit_info = vector;
    cpu->exit_error = error;
    unwind(cpu, BLINK_EXIT_FAULT);
}

void interp_raise_page(struct blink_cpu *cpu, uint64_t address, uint64_t error) {
    cpu->cr2 = address;
    interp_raise(cpu, BLINK_EXC_PF, error);
}

void interp_raise_smc(struct blink_cpu *cpu) {
    unwind(cpu, BLINK_EXIT_SMC);
}

void interp_raise_alone(struct blink_cpu *cpu) {
    unwind(cpu, BLINK_EXIT_ALONE);
}
