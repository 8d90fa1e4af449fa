/*
 * Which general registers an instruction has to do with. Only of those that select.c lets through:
 * what is left to the interpreter may be wrong here. Under core's lock.
 */
#include "jit.h"

const struct blink_operand *uses_memory(const struct blink_insn *i) {
    for (uint32_t k = 0; k < 4; k++)
        if (i->opnd[k].kind == BLINK_OPND_MEM)
            return &i->opnd[k];
    return NULL;
}

/* Registers that are not written as operands. */
static uint32_t implied(const struct blink_insn *i) {
    const uint32_t ax = BIT(BLINK_RAX), dx = BIT(BLINK_RDX), cx = BIT(BLINK_RCX);
    switch (i->op) {
    case BLINK_OP_MUL:
    case BLINK_OP_IMUL:
    case BLINK_OP_DIV:
    case BLINK_OP_IDIV:
    case BLINK_OP_CWD:
    case BLINK_OP_RDTSC: return ax | dx;
    case BLINK_OP_MULX: return dx;
    case BLINK_OP_CBW:
    case BLINK_OP_LAHF:
    case BLINK_OP_SAHF:
    case BLINK_OP_CMPXCHG:
    case BLINK_OP_FNSTSW: return ax;
    case BLINK_OP_CMPXCHG8B:
    case BLINK_OP_CMPXCHG16B: return ax | dx | cx | BIT(BLINK_RBX);
    case BLINK_OP_PCMPESTRI:
    case BLINK_OP_PCMPESTRM:
    case BLINK_OP_PCMPISTRI:
    case BLINK_OP_PCMPISTRM:
    case BLINK_OP_VPCMPESTRI:
    case BLINK_OP_VPCMPESTRM:
    case BLINK_OP_VPCMPISTRI:
    case BLINK_OP_VPCMPISTRM: return ax | dx | cx;
    case BLINK_OP_MOVS:
    case BLINK_OP_STOS:
    case BLINK_OP_LODS:
    case BLINK_OP_CMPS:
    case BLINK_OP_SCAS: return ax | cx | BIT(BLINK_RSI) | BIT(BLINK_RDI);
    case BLINK_OP_MASKMOVQ:
    case BLINK_OP_MASKMOVDQU:
    case BLINK_OP_VMASKMOVDQU: return BIT(BLINK_RDI);
    case BLINK_OP_PUSH:
    case BLINK_OP_POP: return BIT(BLINK_RSP);
    case BLINK_OP_PUSHA: return 0xff;
    case BLINK_OP_XLAT: return ax | BIT(BLINK_RBX);
    case BLINK_OP_ENTER:
    case BLINK_OP_LEAVE: return BIT(BLINK_RSP) | BIT(BLINK_RBP);
    case BLINK_OP_JCXZ:
    case BLINK_OP_LOOP:
    case BLINK_OP_LOOPE:
    case BLINK_OP_LOOPNE: return cx;
    default: return 0;
    }
}

uint32_t uses_named(const struct blink_insn *i) {
    uint32_t mask = implied(i);
    for (uint32_t k = 0; k < 4; k++)
        if (i->opnd[k].kind == BLINK_OPND_GPR)
            mask |= BIT(i->opnd[k].reg & 15);
    return mask;
}

uint32_t uses_address(const struct blink_insn *i) {
    return ((i->base < 16 ? BIT(i->base) : 0) | (i->index < 16 ? BIT(i->index) : 0));
}

uint32_t uses_replaced(const struct blink_insn *i) {
    const struct blink_operand *o = &i->opnd[0];
    bool plain = i->op == BLINK_OP_MOV || i->op == BLINK_OP_MOVZX || i->op == BLINK_OP_MOVSX ||
                 i->op == BLINK_OP_MOVSXD || i->op == BLINK_OP_LEA;
    if (!plain || o->kind != BLINK_OPND_GPR || o->size < 4)
        return 0;
    bool source = i->opnd[1].kind == BLINK_OPND_GPR && (i->opnd[1].reg & 15) == o->reg;
    return source ? 0 : BIT(o->reg);
}
