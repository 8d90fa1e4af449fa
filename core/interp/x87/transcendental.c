/*
 * x87 transcendental functions: F2XM1 FYL2X FYL2XP1 FPATAN FSIN FCOS FSINCOS FPTAN.
 */
#include "interp/x87/x87.h"

HANDLER(f2xm1) {
    X87_WAIT();
    x87_note(cpu, i);
    x87_one(cpu, fp80_f2xm1);
    NEXT();
}

/* Of ST(0) and ST(1) into ST(1), then pop. */
#define TWO(name, f)                                                                               \
  HANDLER(name) {                                                                                  \
    X87_WAIT();                                                                                    \
    x87_note(cpu, i);                                                                              \
    x87_two(cpu, 1, true, f);                                                                      \
    NEXT();                                                                                        \
  }
TWO(fyl2x, fp80_yl2x)
TWO(fyl2xp1, fp80_yl2xp1)
TWO(fpatan, fp80_atan2)

/* Trigonometric functions leave arguments of 2^63 and more alone, and set C2. */
static bool in_range(struct blink_cpu *cpu) {
    const struct blink_f80 *v = x87_st(cpu, 0);
    uint32_t e = v->se & 0x7fff;
    if (e >= 16383 + 63 && e != 0x7fff && v->frac >> 63) {
        cpu->fsw = (uint16_t)((cpu->fsw & ~FSW_C1) | FSW_C2);
        return false;
    }
    return true;
}

static void trigonometric(struct blink_cpu *cpu, x87_unary *f) {
    if (!x87_empty(cpu, 0) && !in_range(cpu))
        return;
    cpu->fsw &= (uint16_t)~FSW_C2;
    x87_one(cpu, f);
}
HANDLER(fsin) {
    X87_WAIT();
    x87_note(cpu, i);
    trigonometric(cpu, fp80_sin);
    NEXT();
}
HANDLER(fcos) {
    X87_WAIT();
    x87_note(cpu, i);
    trigonometric(cpu, fp80_cos);
    NEXT();
}

/* Sine and cosine, or tangent and one. */
static void pair(struct blink_cpu *cpu, bool tangent) {
    static const struct blink_f80 unit = {.frac = UINT64_C(1) << 63, .se = 0x3fff};
    if (!x87_room_for_two(cpu)) {
        cpu->fsw &= (uint16_t)~FSW_C2;
        return;
    }
    if (!in_range(cpu))
        return;
    cpu->fsw &= (uint16_t)~FSW_C2;
    struct fp_ctx c = fp_ctx_x87(cpu->fcw);
    struct blink_f80 v = x87_get(cpu, 0), below, top = unit;
    if (tangent) {
        below = fp80_tan(&c, v);
        if (fp80_class(below) >= FP_CLASS_QNAN)
            top = below;
    } else {
        below = fp80_sincos(&c, v, &top);
    }
    if (x87_flags(cpu, c.flags, false))
        x87_put_two(cpu, below, top);
}
HANDLER(fsincos) {
    X87_WAIT();
    x87_note(cpu, i);
    pair(cpu, false);
    NEXT();
}
HANDLER(fptan) {
    X87_WAIT();
    x87_note(cpu, i);
    pair(cpu, true);
    NEXT();
}

interp_handler *INTERP_FN(x87_bind_transcendental)(const struct blink_insn *i) {
    switch (i->op) {
    case BLINK_OP_F2XM1: return f2xm1;
    case BLINK_OP_FYL2X: return fyl2x;
    case BLINK_OP_FYL2XP1: return fyl2xp1;
    case BLINK_OP_FPATAN: return fpatan;
    case BLINK_OP_FSIN: return fsin;
    case BLINK_OP_FCOS: return fcos;
    case BLINK_OP_FSINCOS: return fsincos;
    case BLINK_OP_FPTAN: return fptan;
    default: return NULL;
    }
}
