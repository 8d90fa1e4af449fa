/*
 * Binding of one memory strategy: which handler each instruction of a block gets. Compiled twice,
 * as the families are.
 */
#include "interp/bind.h"
#include "interp/alu.h"
#include "interp/chain.h"

/* Instructions without a memory strategy of their own: by operation. */
static interp_handler *bind_int_plain(const struct blink_insn *i) {
    static interp_sub_binder *const binders[] = {INTERP_FN(bind_alu), INTERP_FN(bind_mov),
                                                 INTERP_FN(bind_shift), INTERP_FN(bind_bits),
                                                 INTERP_FN(bind_muldiv)};
    for (size_t k = 0; k < sizeof binders / sizeof binders[0]; k++) {
        interp_handler *h = binders[k](i);
        if (h)
            return h;
    }
    return NULL;
}

interp_handler *INTERP_FN(bind_INT)(const struct blink_insn *i, uint32_t mode) {
    bool mem = i->opnd[0].kind == BLINK_OPND_MEM || i->opnd[1].kind == BLINK_OPND_MEM;
    switch (i->op) {
    case BLINK_OP_PUSH:
    case BLINK_OP_POP:
    case BLINK_OP_PUSHA:
    case BLINK_OP_POPA:
    case BLINK_OP_PUSHF:
    case BLINK_OP_POPF:
    case BLINK_OP_ENTER:
    case BLINK_OP_LEAVE: {
        interp_handler *h = INTERP_FN(bind_stack)(i, mode);
        return h ? h : INTERP_FN(bind_SYSTEM)(i, mode);
    }
    case BLINK_OP_LDS:
    case BLINK_OP_LES:
    case BLINK_OP_LSS:
    case BLINK_OP_LFS:
    case BLINK_OP_LGS:
    case BLINK_OP_BOUND: return INTERP_FN(bind_SYSTEM)(i, mode);
    case BLINK_OP_XADD:
    case BLINK_OP_CMPXCHG:
    case BLINK_OP_CMPXCHG8B:
    case BLINK_OP_CMPXCHG16B: return INTERP_FN(bind_lock)(i);
    case BLINK_OP_BT:
    case BLINK_OP_BTS:
    case BLINK_OP_BTR:
    case BLINK_OP_BTC: return INTERP_FN(bind_bits)(i);
    default: break;
    }
    if ((i->prefix & BLINK_PFX_LOCK) || (i->op == BLINK_OP_XCHG && mem))
        return INTERP_FN(bind_lock)(i);
    return bind_int_plain(i);
}

static interp_binder *const by_class[] = {
    [BLINK_CLASS_INT] = INTERP_FN(bind_INT),       [BLINK_CLASS_STRING] = INTERP_FN(bind_STRING),
    [BLINK_CLASS_IO] = INTERP_FN(bind_IO),         [BLINK_CLASS_BRANCH] = INTERP_FN(bind_BRANCH),
    [BLINK_CLASS_SYSTEM] = INTERP_FN(bind_SYSTEM), [BLINK_CLASS_X87] = INTERP_FN(bind_X87),
    [BLINK_CLASS_MMX] = INTERP_FN(bind_MMX),       [BLINK_CLASS_SSE] = INTERP_FN(bind_SSE),
    [BLINK_CLASS_AVX] = INTERP_FN(bind_AVX),
};

interp_handler *INTERP_FN(interp_bind_insn)(const struct blink_insn *i, uint32_t mode) {
    interp_handler *h = NULL;
    if (i->op == INTERP_OP_END)
        return INTERP_FN(bind_end)();
    if (i->op != BLINK_OP_INVALID && i->op < BLINK_OP_COUNT)
        h = by_class[interp_op_class(i->op)](i, mode);
    return h ? h : INTERP_FN(bind_undefined)(i);
}

interp_handler *INTERP_FN(interp_bind_pair)(const struct blink_insn *i, uint32_t mode) {
    if ((mode & BLINK_MODE_BITS) != BLINK_MODE_BITS64 || i[1].op != BLINK_OP_JCC ||
        i[1].opsize != 8)
        return NULL;
    return INTERP_FN(bind_compare_branch)(i);
}
