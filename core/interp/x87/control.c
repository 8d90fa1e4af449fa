/*
 * x87 control: control and status words, the environment, saving and restoring, FNINIT FNCLEX
 * FWAIT FNOP, and the instructions that move the stack's top or free registers.
 */
#include "interp/x87/x87.h"

HANDLER(fwait) {
    bool trap = (cpu->cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS);
    if (unlikely(trap))
        RAISE(BLINK_EXC_NM, 0);
    if (unlikely(cpu->fsw & FSW_ES)) {
        FAULTS();
        x87_pending(cpu);
    }
    NEXT();
}

HANDLER(fnop) {
    X87_WAIT();
    x87_note(cpu, i);
    NEXT();
}

/* FNENI, FNDISI and FNSETPM meant something to the 8087 and the 80287. */
HANDLER(obsolete) {
    X87_NOWAIT();
    NEXT();
}

HANDLER(fninit) {
    X87_NOWAIT();
    x87_init(cpu);
    NEXT();
}

HANDLER(fnclex) {
    X87_NOWAIT();
    x87_clear(cpu);
    NEXT();
}

HANDLER(fldcw) {
    X87_WAIT();
    uint16_t v = ld16(cpu, i, ea(cpu, i));
    cpu->fcw = (uint16_t)((v & 0x1f7f) | 0x40);
    x87_update_summary(cpu);
    NEXT();
}

HANDLER(fnstcw) {
    X87_NOWAIT();
    st16(cpu, i, ea(cpu, i), cpu->fcw);
    NEXT();
}

HANDLER(fnstsw) {
    X87_NOWAIT();
    uint16_t v = x87_get_fsw(cpu);
    if (i->opnd[0].kind == BLINK_OPND_MEM)
        st16(cpu, i, ea(cpu, i), v);
    else
        put16(cpu, BLINK_RAX, v);
    NEXT();
}

HANDLER(fincstp) {
    X87_WAIT();
    x87_note(cpu, i);
    cpu->ftop = (cpu->ftop + 1) & 7;
    x87_clear_c1(cpu);
    NEXT();
}

HANDLER(fdecstp) {
    X87_WAIT();
    x87_note(cpu, i);
    cpu->ftop = (cpu->ftop - 1) & 7;
    x87_clear_c1(cpu);
    NEXT();
}

/* FFREEP is FFREE with a pop, undocumented but everywhere. */
HANDLER(ffree) {
    X87_WAIT();
    x87_note(cpu, i);
    cpu->fvalid &= (uint8_t) ~(1u << ((cpu->ftop + i->opnd[0].reg) & 7));
    x87_clear_c1(cpu);
    if (i->op == BLINK_OP_FFREEP)
        x87_pop(cpu);
    NEXT();
}

/* ---- environment ---- */

HANDLER(fnstenv) {
    uint8_t env[28];
    X87_NOWAIT();
    uint32_t size = x87_store_env(cpu, i->opsize == 2, env);
    store_bytes(cpu, i, ea(cpu, i), env, size);
    cpu->fcw |= 0x3f;
    x87_update_summary(cpu);
    NEXT_BY_DRIVER();
}

HANDLER(fldenv) {
    uint8_t env[28];
    X87_WAIT();
    bool small = i->opsize == 2;
    load_bytes(cpu, i, ea(cpu, i), env, small ? 14 : 28);
    x87_load_env(cpu, small, env);
    NEXT_BY_DRIVER();
}

/* Registers ST(0) to ST(7), 10 bytes each, follow the environment. */
#define REGISTERS_SIZE 80u
#define HALF           (REGISTERS_SIZE / 2)

HANDLER(fnsave) {
    uint8_t env[28], regs[REGISTERS_SIZE];
    X87_NOWAIT();
    uint64_t a = ea(cpu, i);
    uint32_t size = x87_store_env(cpu, i->opsize == 2, env);
    for (uint32_t n = 0; n < 8; n++) {
        memcpy(regs + 10 * n, &x87_st(cpu, n)->frac, 8);
        memcpy(regs + 10 * n + 8, &x87_st(cpu, n)->se, 2);
    }
    check_store(cpu, i, a, size + 2 * HALF);
    store_bytes(cpu, i, a, env, size);
    store_bytes(cpu, i, a + size, regs, HALF);
    store_bytes(cpu, i, a + size + HALF, regs + HALF, HALF);
    x87_init(cpu);
    NEXT_BY_DRIVER();
}

HANDLER(frstor) {
    uint8_t env[28], regs[REGISTERS_SIZE];
    X87_WAIT();
    bool small = i->opsize == 2;
    uint32_t size = small ? 14 : 28;
    uint64_t a = ea(cpu, i);
    load_bytes(cpu, i, a, env, size);
    load_bytes(cpu, i, a + size, regs, HALF);
    load_bytes(cpu, i, a + size + HALF, regs + HALF, HALF);
    x87_load_env(cpu, small, env);
    for (uint32_t n = 0; n < 8; n++) {
        memcpy(&x87_st(cpu, n)->frac, regs + 10 * n, 8);
        memcpy(&x87_st(cpu, n)->se, regs + 10 * n + 8, 2);
    }
    NEXT_BY_DRIVER();
}

interp_handler *INTERP_FN(x87_bind_control)(const struct blink_insn *i) {
    switch (i->op) {
    case BLINK_OP_FWAIT: return fwait;
    case BLINK_OP_FNOP: return i->raw[i->off_opcode] == 0xdb ? obsolete : fnop;
    case BLINK_OP_FNINIT: return fninit;
    case BLINK_OP_FNCLEX: return fnclex;
    case BLINK_OP_FLDCW: return fldcw;
    case BLINK_OP_FNSTCW: return fnstcw;
    case BLINK_OP_FNSTSW: return fnstsw;
    case BLINK_OP_FINCSTP: return fincstp;
    case BLINK_OP_FDECSTP: return fdecstp;
    case BLINK_OP_FFREE:
    case BLINK_OP_FFREEP: return ffree;
    case BLINK_OP_FNSTENV: return fnstenv;
    case BLINK_OP_FLDENV: return fldenv;
    case BLINK_OP_FNSAVE: return fnsave;
    case BLINK_OP_FRSTOR: return frstor;
    default: return NULL;
    }
}

interp_handler *INTERP_FN(bind_X87)(const struct blink_insn *i, uint32_t mode) {
    static x87_sub_binder *const binders[] = {
        INTERP_FN(x87_bind_move),  INTERP_FN(x87_bind_arith),          INTERP_FN(x87_bind_compare),
        INTERP_FN(x87_bind_unary), INTERP_FN(x87_bind_transcendental), INTERP_FN(x87_bind_control)};
    (void)mode;
    for (size_t k = 0; k < sizeof binders / sizeof binders[0]; k++) {
        interp_handler *h = binders[k](i);
        if (h)
            return h;
    }
    return NULL;
}
