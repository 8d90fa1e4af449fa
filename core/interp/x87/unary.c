/*
 * x87 operations on the top of the stack: signs, square root, rounding, scaling, remainders,
 * FXTRACT.
 */
#include "interp/x87/x87.h"

/* ---- one register ---- */

/* ST(0) by a change of its sign, which no value minds. */
#define SIGN(name, expr)                                                                           \
  HANDLER(name) {                                                                                  \
    X87_WAIT();                                                                                    \
    x87_note(cpu, i);                                                                              \
    struct blink_f80 *v = x87_st(cpu, 0);                                                          \
    if (likely(!x87_empty(cpu, 0))) {                                                              \
      x87_clear_c1(cpu);                                                                           \
      v->se = (uint16_t)(expr);                                                                    \
    } else if (x87_underflow(cpu)) {                                                               \
      x87_put(cpu, 0, X87_INDEFINITE);                                                             \
    }                                                                                              \
    NEXT();                                                                                        \
  }
SIGN(fabs_, v->se & 0x7fff)
SIGN(fchs, v->se ^ 0x8000)

#define ONE(name, f)                                                                               \
  HANDLER(name) {                                                                                  \
    X87_WAIT();                                                                                    \
    x87_note(cpu, i);                                                                              \
    x87_one(cpu, f);                                                                               \
    NEXT();                                                                                        \
  }
ONE(fsqrt, fp80_sqrt)
ONE(frndint, fp80_round)

/* ---- ST(0) and ST(1) ---- */

HANDLER(fscale) {
    X87_WAIT();
    x87_note(cpu, i);
    x87_two(cpu, 0, false, fp80_scale);
    NEXT();
}

/* C2: more steps are needed; else C0, C3, C1 are bits 2, 1 and 0 of the quotient. */
static void remainder_of(struct blink_cpu *cpu, bool nearest) {
    struct blink_f80 r = X87_INDEFINITE;
    uint32_t q = 0, codes;
    bool partial = false;
    cpu->fsw &= (uint16_t)~FSW_C2;
    if (x87_empty(cpu, 0) || x87_empty(cpu, 1)) {
        if (!x87_underflow(cpu))
            return;
    } else {
        struct fp_ctx c = fp_ctx_x87(cpu->fcw);
        r = fp80_rem(&c, x87_get(cpu, 0), x87_get(cpu, 1), nearest, &q, &partial);
        if (!x87_flags(cpu, c.flags, false))
            return;
    }
    codes = partial ? FSW_C2 : (q & 4) << 6 | (q & 2) << 13 | (q & 1) << 9;
    /* NaNs and invalid operands have no quotient: only C2 tells that this is the end. */
    if (fp80_class(r) >= FP_CLASS_QNAN)
        codes = cpu->fsw & (FSW_C0 | FSW_C3);
    cpu->fsw = (uint16_t)((cpu->fsw & ~FSW_CC) | codes);
    x87_put(cpu, 0, r);
}
HANDLER(fprem) {
    X87_WAIT();
    x87_note(cpu, i);
    remainder_of(cpu, false);
    NEXT();
}
HANDLER(fprem1) {
    X87_WAIT();
    x87_note(cpu, i);
    remainder_of(cpu, true);
    NEXT();
}

/* ---- one value in, two out ---- */

HANDLER(fxtract) {
    X87_WAIT();
    x87_note(cpu, i);
    if (x87_room_for_two(cpu)) {
        struct fp_ctx c = fp_ctx_x87(cpu->fcw);
        struct blink_f80 exponent, r = fp80_extract(&c, x87_get(cpu, 0), &exponent);
        if (x87_flags(cpu, c.flags, false))
            x87_put_two(cpu, exponent, r);
    }
    NEXT();
}

interp_handler *INTERP_FN(x87_bind_unary)(const struct blink_insn *i) {
    switch (i->op) {
    case BLINK_OP_FABS: return fabs_;
    case BLINK_OP_FCHS: return fchs;
    case BLINK_OP_FSQRT: return fsqrt;
    case BLINK_OP_FRNDINT: return frndint;
    case BLINK_OP_FSCALE: return fscale;
    case BLINK_OP_FPREM: return fprem;
    case BLINK_OP_FPREM1: return fprem1;
    case BLINK_OP_FXTRACT: return fxtract;
    default: return NULL;
    }
}
