/*
 * x87 arithmetic on two operands: FADD FSUB FSUBR FMUL FDIV FDIVR, with registers, popping, and
 * with memory operands in binary and integer formats.
 */
#include "interp/x87/operand.h"

/* An operation in any environment. */
typedef struct blink_f80 full_fn(struct fp_ctx *c, struct blink_f80 a, struct blink_f80 b);

/* ST(dst) = a op b outside of the default environment, or with a denormal memory operand. False if
 * an unmasked exception keeps the result back. */
static bool deliver(struct blink_cpu *cpu, uint32_t dst, struct blink_f80 a, struct blink_f80 b,
                    full_fn *full, const struct blink_f80 *st) {
    struct fp_ctx c = fp_ctx_x87(cpu->fcw);
    struct blink_f80 r = full(&c, a, b);
    if (st)
        c.flags |= (uint16_t)x87_denormal_operand(c.flags, *st);
    if (!x87_flags(cpu, c.flags, false))
        return false;
    x87_put(cpu, dst, r);
    return true;
}

static inline void take(struct blink_cpu *cpu, uint32_t dst, struct fp80_result r) {
    cpu->fsw = (uint16_t)((cpu->fsw & ~FSW_C1) | r.flags);
    x87_set(cpu, dst, r.frac, r.se);
}

static inline void with_registers(struct blink_cpu *cpu, uint32_t dst, uint32_t src, bool reverse,
                                  bool pops, fp80_default *fast, full_fn *full) {
    if (unlikely(x87_empty(cpu, dst) || x87_empty(cpu, src))) {
        if (!x87_underflow(cpu))
            return;
        x87_put(cpu, dst, X87_INDEFINITE);
    } else {
        const struct blink_f80 *a = x87_st(cpu, reverse ? src : dst);
        const struct blink_f80 *b = x87_st(cpu, reverse ? dst : src);
        if (likely(x87_default(cpu)))
            take(cpu, dst, fast(a->frac, a->se, b->frac, b->se));
        else if (!deliver(cpu, dst, *a, *b, full, NULL))
            return;
    }
    if (pops)
        x87_pop(cpu);
}

static inline void with_operand(struct blink_cpu *cpu, struct x87_operand o, bool reverse,
                                fp80_default *fast, full_fn *full) {
    if (unlikely(x87_empty(cpu, 0))) {
        if (x87_underflow(cpu))
            x87_put(cpu, 0, X87_INDEFINITE);
        return;
    }
    const struct blink_f80 *a = x87_st(cpu, 0);
    if (likely(x87_default(cpu)) && likely(!o.denormal)) {
        take(cpu, 0,
             reverse ? fast(o.frac, o.se, a->frac, a->se) : fast(a->frac, a->se, o.frac, o.se));
        return;
    }
    struct blink_f80 st = *a, m = {.frac = o.frac, .se = (uint16_t)o.se};
    deliver(cpu, 0, reverse ? m : st, reverse ? st : m, full, o.denormal ? &st : NULL);
}

#define FROM_MEMORY(name, type, widen, reverse, op)                                                \
  HANDLER(name) {                                                                                  \
    X87_WAIT();                                                                                    \
    uint64_t a = ea(cpu, i);                                                                       \
    {                                                                                              \
      type v;                                                                                      \
      load_bytes(cpu, i, a, &v, sizeof v);                                                         \
      x87_note_memory(cpu, i, a);                                                                  \
      with_operand(cpu, widen(v), reverse, fp80_##op##_default, fp80_##op);                        \
    }                                                                                              \
    NEXT();                                                                                        \
  }
#define FROM_REGISTERS(name, dst, src, reverse, pops, op)                                          \
  HANDLER(name) {                                                                                  \
    X87_WAIT();                                                                                    \
    x87_note(cpu, i);                                                                              \
    with_registers(cpu, dst, src, reverse, pops, fp80_##op##_default, fp80_##op);                  \
    NEXT();                                                                                        \
  }

/* FSUBR and FDIVR take their operands the other way round. */
#define FAMILY(name, op, reverse)                                                                  \
  FROM_MEMORY(name##_m32, uint32_t, x87_widen32, reverse, op)                                      \
  FROM_MEMORY(name##_m64, uint64_t, x87_widen64, reverse, op)                                      \
  FROM_MEMORY(name##_i16, int16_t, x87_widen_int, reverse, op)                                     \
  FROM_MEMORY(name##_i32, int32_t, x87_widen_int, reverse, op)                                     \
  FROM_REGISTERS(name##_0n, 0, x87_other(i), reverse, false, op)                                   \
  FROM_REGISTERS(name##_n0, x87_other(i), 0, reverse, false, op)                                   \
  FROM_REGISTERS(name##_pop, x87_other(i), 0, reverse, true, op)
/* clang-format off */
FAMILY(fadd, add, false)
FAMILY(fmul, mul, false)
FAMILY(fsub, sub, false)
FAMILY(fsubr, sub, true)
FAMILY(fdiv, div, false)
FAMILY(fdivr, div, true)

enum { FORM_M32, FORM_M64, FORM_I16, FORM_I32, FORM_0N, FORM_N0, FORM_POP, FORMS };
#define ROW(OP, IOP, POP, name)                                                                    \
    {BLINK_OP_##OP, BLINK_OP_##IOP, BLINK_OP_##POP,                                                \
     {name##_m32, name##_m64, name##_i16, name##_i32, name##_0n, name##_n0, name##_pop}},
/* clang-format on */
static const struct {
    uint16_t op, integer, pop;
    interp_handler *form[FORMS];
} families[] = {ROW(FADD, FIADD, FADDP, fadd) ROW(FMUL, FIMUL, FMULP, fmul)
                    ROW(FSUB, FISUB, FSUBP, fsub) ROW(FSUBR, FISUBR, FSUBRP, fsubr)
                        ROW(FDIV, FIDIV, FDIVP, fdiv) ROW(FDIVR, FIDIVR, FDIVRP, fdivr)};

/* The destination is the first operand; alone, ST(i) is the source. */
static uint32_t register_form(const struct blink_insn *i) {
    return i->opnd[1].kind == BLINK_OPND_ST && i->opnd[0].reg != 0 ? FORM_N0 : FORM_0N;
}

interp_handler *INTERP_FN(x87_bind_arith)(const struct blink_insn *i) {
    const struct blink_operand *o = &i->opnd[0];
    for (size_t k = 0; k < sizeof families / sizeof families[0]; k++) {
        interp_handler *const *form = families[k].form;
        if (i->op == families[k].pop)
            return form[FORM_POP];
        if (i->op == families[k].integer)
            return form[o->size == 2 ? FORM_I16 : FORM_I32];
        if (i->op != families[k].op)
            continue;
        if (o->kind == BLINK_OPND_MEM)
            return form[o->size == 4 ? FORM_M32 : FORM_M64];
        return form[register_form(i)];
    }
    return NULL;
}
