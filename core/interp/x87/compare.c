/*
 * x87 comparisons: FCOM FUCOM FICOM FTST FXAM by condition codes, FCOMI FUCOMI by RFLAGS.
 */
#include "interp/x87/operand.h"

/* With a relation: an unmasked exception holds the instruction back. The relation stands all the
 * same, but nothing is popped. */
#define HELD_BACK 4u

static inline void set_codes(struct blink_cpu *cpu, uint32_t relation) {
    static const uint16_t codes[] = {[FP_LESS] = FSW_C0,
                                     [FP_EQUAL] = FSW_C3,
                                     [FP_GREATER] = 0,
                                     [FP_UNORDERED] = FSW_C0 | FSW_C2 | FSW_C3};
    cpu->fsw = (uint16_t)((cpu->fsw & ~(FSW_C0 | FSW_C2 | FSW_C3)) | codes[relation & 3]);
}

static uint32_t compare_any(struct blink_cpu *cpu, uint64_t frac, uint32_t se, bool denormal,
                            bool quiet) {
    struct fp_ctx c = fp_ctx_x87(cpu->fcw);
    struct blink_f80 a = x87_get(cpu, 0), b = {.frac = frac, .se = (uint16_t)se};
    uint32_t relation = fp80_compare(&c, a, b, quiet);
    if (denormal)
        c.flags |= (uint16_t)x87_denormal_operand(c.flags, a);
    return relation | (x87_flags(cpu, c.flags, false) ? 0 : HELD_BACK);
}

static inline uint32_t compare(struct blink_cpu *cpu, struct x87_operand o, bool quiet) {
    const struct blink_f80 *a = x87_st(cpu, 0);
    if (unlikely(!x87_normal(a->frac, a->se)) || unlikely(!x87_normal(o.frac, o.se)) ||
        unlikely(o.denormal))
        return compare_any(cpu, o.frac, o.se, o.denormal, quiet);
    x87_clear_c1(cpu);
    return x87_relation(a->frac, a->se, o.frac, o.se);
}

/* Of a missing operand. */
static inline uint32_t compare_nothing(struct blink_cpu *cpu) {
    return FP_UNORDERED | (x87_underflow(cpu) ? 0 : HELD_BACK);
}

static inline uint32_t compare_registers(struct blink_cpu *cpu, uint32_t n, bool quiet) {
    if (unlikely(x87_empty(cpu, 0) || x87_empty(cpu, n)))
        return compare_nothing(cpu);
    const struct blink_f80 *b = x87_st(cpu, n);
    return compare(cpu, (struct x87_operand){b->frac, b->se, false}, quiet);
}

static inline void compare_memory(struct blink_cpu *cpu, struct x87_operand o, bool pops) {
    uint32_t relation = unlikely(x87_empty(cpu, 0)) ? compare_nothing(cpu) : compare(cpu, o, false);
    set_codes(cpu, relation);
    if (pops && !(relation & HELD_BACK))
        x87_pop(cpu);
}

#define WITH_MEMORY(name, type, widen, pops)                                                       \
  HANDLER(name) {                                                                                  \
    X87_WAIT();                                                                                    \
    uint64_t a = ea(cpu, i);                                                                       \
    {                                                                                              \
      type v;                                                                                      \
      load_bytes(cpu, i, a, &v, sizeof v);                                                         \
      x87_note_memory(cpu, i, a);                                                                  \
      compare_memory(cpu, widen(v), pops);                                                         \
    }                                                                                              \
    NEXT();                                                                                        \
  }
WITH_MEMORY(fcom_m32, uint32_t, x87_widen32, false)
WITH_MEMORY(fcomp_m32, uint32_t, x87_widen32, true)
WITH_MEMORY(fcom_m64, uint64_t, x87_widen64, false)
WITH_MEMORY(fcomp_m64, uint64_t, x87_widen64, true)
WITH_MEMORY(ficom_m16, int16_t, x87_widen_int, false)
WITH_MEMORY(ficomp_m16, int16_t, x87_widen_int, true)
WITH_MEMORY(ficom_m32, int32_t, x87_widen_int, false)
WITH_MEMORY(ficomp_m32, int32_t, x87_widen_int, true)

#define WITH_REGISTER(name, quiet, pops)                                                           \
  HANDLER(name) {                                                                                  \
    X87_WAIT();                                                                                    \
    x87_note(cpu, i);                                                                              \
    uint32_t relation = compare_registers(cpu, x87_other(i), quiet);                               \
    set_codes(cpu, relation);                                                                      \
    if ((pops) > 0 && !(relation & HELD_BACK))                                                     \
      x87_pop(cpu);                                                                                \
    if ((pops) > 1 && !(relation & HELD_BACK))                                                     \
      x87_pop(cpu);                                                                                \
    NEXT();                                                                                        \
  }
WITH_REGISTER(fcom_st, false, 0)
WITH_REGISTER(fcomp_st, false, 1)
WITH_REGISTER(fcompp, false, 2)
WITH_REGISTER(fucom_st, true, 0)
WITH_REGISTER(fucomp_st, true, 1)
WITH_REGISTER(fucompp, true, 2)

/* C1 stays as it is, but for stack faults. */
#define TO_RFLAGS(name, quiet, pops)                                                               \
  HANDLER(name) {                                                                                  \
    X87_WAIT();                                                                                    \
    x87_note(cpu, i);                                                                              \
    uint32_t n = x87_other(i), c1 = cpu->fsw & FSW_C1;                                             \
    if (unlikely(x87_empty(cpu, 0) || x87_empty(cpu, n)))                                          \
      c1 = 0;                                                                                      \
    uint32_t relation = compare_registers(cpu, n, quiet), r = relation & 3;                        \
    cpu->fsw |= (uint16_t)c1;                                                                      \
    set_zpc(cpu, r == FP_EQUAL || r == FP_UNORDERED, r == FP_UNORDERED,                            \
            r == FP_LESS || r == FP_UNORDERED);                                                    \
    if ((pops) && !(relation & HELD_BACK))                                                         \
      x87_pop(cpu);                                                                                \
    NEXT();                                                                                        \
  }
TO_RFLAGS(fcomi, false, false)
TO_RFLAGS(fcomip, false, true)
TO_RFLAGS(fucomi, true, false)
TO_RFLAGS(fucomip, true, true)

HANDLER(ftst) {
    X87_WAIT();
    x87_note(cpu, i);
    compare_memory(cpu, (struct x87_operand){0, 0, false}, false);
    NEXT();
}

HANDLER(fxam) {
    static const uint16_t codes[] = {
        [FP_CLASS_ZERO] = FSW_C3,   [FP_CLASS_DENORMAL] = FSW_C3 | FSW_C2,
        [FP_CLASS_NORMAL] = FSW_C2, [FP_CLASS_INF] = FSW_C2 | FSW_C0,
        [FP_CLASS_QNAN] = FSW_C0,   [FP_CLASS_SNAN] = FSW_C0,
        [FP_CLASS_UNSUPPORTED] = 0,
    };
    X87_WAIT();
    x87_note(cpu, i);
    const struct blink_f80 *v = x87_st(cpu, 0);
    uint32_t code = x87_empty(cpu, 0) ? FSW_C3 | FSW_C0 : codes[fp80_class(*v)];
    cpu->fsw = (uint16_t)((cpu->fsw & ~FSW_CC) | code | (v->se >> 15) << 9);
    NEXT();
}

static const struct {
    uint16_t op;
    interp_handler *m16, *m32, *m64, *st;
} comparisons[] = {
    {BLINK_OP_FCOM, NULL, fcom_m32, fcom_m64, fcom_st},
    {BLINK_OP_FCOMP, NULL, fcomp_m32, fcomp_m64, fcomp_st},
    {BLINK_OP_FICOM, ficom_m16, ficom_m32, NULL, NULL},
    {BLINK_OP_FICOMP, ficomp_m16, ficomp_m32, NULL, NULL},
    {BLINK_OP_FCOMPP, NULL, NULL, NULL, fcompp},
    {BLINK_OP_FUCOM, NULL, NULL, NULL, fucom_st},
    {BLINK_OP_FUCOMP, NULL, NULL, NULL, fucomp_st},
    {BLINK_OP_FUCOMPP, NULL, NULL, NULL, fucompp},
    {BLINK_OP_FCOMI, NULL, NULL, NULL, fcomi},
    {BLINK_OP_FCOMIP, NULL, NULL, NULL, fcomip},
    {BLINK_OP_FUCOMI, NULL, NULL, NULL, fucomi},
    {BLINK_OP_FUCOMIP, NULL, NULL, NULL, fucomip},
    {BLINK_OP_FTST, NULL, NULL, NULL, ftst},
    {BLINK_OP_FXAM, NULL, NULL, NULL, fxam},
};

interp_handler *INTERP_FN(x87_bind_compare)(const struct blink_insn *i) {
    const struct blink_operand *o = &i->opnd[0];
    for (size_t k = 0; k < sizeof comparisons / sizeof comparisons[0]; k++) {
        if (i->op != comparisons[k].op)
            continue;
        if (o->kind != BLINK_OPND_MEM)
            return comparisons[k].st;
        return o->size == 2   ? comparisons[k].m16
               : o->size == 4 ? comparisons[k].m32
                              : comparisons[k].m64;
    }
    return NULL;
}
