/*
 * Add, subtract, compare and logic: ADD OR ADC SBB AND SUB XOR CMP TEST, INC DEC NEG NOT, ADCX
 * ADOX. One handler for each operand form and size, with and without flags.
 */
#include "interp/alu.h"

/*
 * What an operation computes from a and b: result r and, in c, the carry (or borrow) out of every
 * bit position. CMP and TEST write nothing back.
 */
#define ALU_add  r = a + b, c = (a & b) | ((a | b) & ~r)
#define ALU_or   r = a | b, c = 0
#define ALU_adc  r = a + b + get_cf(cpu), c = (a & b) | ((a | b) & ~r)
#define ALU_sbb  r = a - b - get_cf(cpu), c = (~a & b) | ((~a | b) & r)
#define ALU_and  r = a & b, c = 0
#define ALU_sub  r = a - b, c = (~a & b) | ((~a | b) & r)
#define ALU_xor  r = a ^ b, c = 0
#define ALU_cmp  ALU_sub
#define ALU_test ALU_and

#define WB_REG(n)  put##n(cpu, i->opnd[0].reg, r)
#define WB_MEM(n)  st##n(cpu, i, m, r)
#define WB_NONE(n) (void)0

#define FL_SET(n)  set_carries##n(cpu, r, c)
#define FL_DEAD(n) (void)c

/* clang-format off */
#define FORM_RR(op, n, sfx, WB, FL)                                                                \
    HANDLER(op##n##_rr##sfx) {                                                                     \
        uint##n##_t a = get##n(cpu, i->opnd[0].reg), b = get##n(cpu, i->opnd[1].reg), r, c;        \
        ALU_##op; WB(n); FL(n); NEXT();                                                            \
    }
#define FORM_RI(op, n, sfx, WB, FL)                                                                \
    HANDLER(op##n##_ri##sfx) {                                                                     \
        uint##n##_t a = get##n(cpu, i->opnd[0].reg), b = (uint##n##_t)i->imm, r, c;                \
        ALU_##op; WB(n); FL(n); NEXT();                                                            \
    }
#define FORM_RM(op, n, sfx, EA, WB, FL)                                                            \
    HANDLER(op##n##_rm##sfx) {                                                                     \
        uint64_t m = EA(cpu, i);                                                                   \
        uint##n##_t b = ld##n(cpu, i, m), a = get##n(cpu, i->opnd[0].reg), r, c;                   \
        ALU_##op; WB(n); FL(n); NEXT();                                                            \
    }
#define FORM_MR(op, n, sfx, EA, LD, WB, FL)                                                        \
    HANDLER(op##n##_mr##sfx) {                                                                     \
        uint64_t m = EA(cpu, i);                                                                   \
        uint##n##_t a = LD##n(cpu, i, m), b = get##n(cpu, i->opnd[1].reg), r, c;                   \
        ALU_##op; WB(n); FL(n); NEXT();                                                            \
    }
#define FORM_MI(op, n, sfx, EA, LD, WB, FL)                                                        \
    HANDLER(op##n##_mi##sfx) {                                                                     \
        uint64_t m = EA(cpu, i);                                                                   \
        uint##n##_t a = LD##n(cpu, i, m), b = (uint##n##_t)i->imm, r, c;                           \
        ALU_##op; WB(n); FL(n); NEXT();                                                            \
    }

#define WRITING(op, n)                                                                             \
    FORM_RR(op, n, _f, WB_REG, FL_SET)            FORM_RR(op, n, _n, WB_REG, FL_DEAD)              \
    FORM_RI(op, n, _f, WB_REG, FL_SET)            FORM_RI(op, n, _n, WB_REG, FL_DEAD)              \
    FORM_RM(op, n, _f, ea, WB_REG, FL_SET)        FORM_RM(op, n, _n, ea, WB_REG, FL_DEAD)          \
    FORM_RM(op, n, s_f, ea_simple, WB_REG, FL_SET) FORM_RM(op, n, s_n, ea_simple, WB_REG, FL_DEAD) \
    FORM_MR(op, n, _f, ea, ldw, WB_MEM, FL_SET)   FORM_MR(op, n, _n, ea, ldw, WB_MEM, FL_DEAD)     \
    FORM_MR(op, n, s_f, ea_simple, ldw, WB_MEM, FL_SET)                                            \
    FORM_MR(op, n, s_n, ea_simple, ldw, WB_MEM, FL_DEAD)                                           \
    FORM_MI(op, n, _f, ea, ldw, WB_MEM, FL_SET)   FORM_MI(op, n, _n, ea, ldw, WB_MEM, FL_DEAD)     \
    FORM_MI(op, n, s_f, ea_simple, ldw, WB_MEM, FL_SET)                                            \
    FORM_MI(op, n, s_n, ea_simple, ldw, WB_MEM, FL_DEAD)
#define TESTING(op, n)                                                                             \
    FORM_RR(op, n, _f, WB_NONE, FL_SET)  FORM_RI(op, n, _f, WB_NONE, FL_SET)                       \
    FORM_RM(op, n, _f, ea, WB_NONE, FL_SET)                                                        \
    FORM_RM(op, n, s_f, ea_simple, WB_NONE, FL_SET)                                                \
    FORM_MR(op, n, _f, ea, ld, WB_NONE, FL_SET)                                                    \
    FORM_MR(op, n, s_f, ea_simple, ld, WB_NONE, FL_SET)                                            \
    FORM_MI(op, n, _f, ea, ld, WB_NONE, FL_SET)                                                    \
    FORM_MI(op, n, s_f, ea_simple, ld, WB_NONE, FL_SET)

#define SIZES(F, op) F(op, 8) F(op, 16) F(op, 32) F(op, 64)
SIZES(WRITING, add) SIZES(WRITING, or) SIZES(WRITING, adc) SIZES(WRITING, sbb)
SIZES(WRITING, and) SIZES(WRITING, sub) SIZES(WRITING, xor)
SIZES(TESTING, cmp) SIZES(TESTING, test)

/* Forms: rr ri rm rm-simple mr mr-simple mi mi-simple, each with and without flags. */
#define ROW_W(op, n)                                                                               \
    {{op##n##_rr_f, op##n##_rr_n}, {op##n##_ri_f, op##n##_ri_n},                                   \
     {op##n##_rm_f, op##n##_rm_n}, {op##n##_rms_f, op##n##_rms_n},                                 \
     {op##n##_mr_f, op##n##_mr_n}, {op##n##_mrs_f, op##n##_mrs_n},                                 \
     {op##n##_mi_f, op##n##_mi_n}, {op##n##_mis_f, op##n##_mis_n}},
#define ROW_T(op, n)                                                                               \
    {{op##n##_rr_f, op##n##_rr_f}, {op##n##_ri_f, op##n##_ri_f},                                   \
     {op##n##_rm_f, op##n##_rm_f}, {op##n##_rms_f, op##n##_rms_f},                                 \
     {op##n##_mr_f, op##n##_mr_f}, {op##n##_mrs_f, op##n##_mrs_f},                                 \
     {op##n##_mi_f, op##n##_mi_f}, {op##n##_mis_f, op##n##_mis_f}},

enum { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP, ALU_TEST, ALU_OPS };
static interp_handler *const alu_table[ALU_OPS][4][8][2] = {
    [ALU_ADD] = {SIZES(ROW_W, add)}, [ALU_OR] = {SIZES(ROW_W, or)}, [ALU_ADC] = {SIZES(ROW_W, adc)},
    [ALU_SBB] = {SIZES(ROW_W, sbb)}, [ALU_AND] = {SIZES(ROW_W, and)},
    [ALU_SUB] = {SIZES(ROW_W, sub)}, [ALU_XOR] = {SIZES(ROW_W, xor)},
    [ALU_CMP] = {SIZES(ROW_T, cmp)}, [ALU_TEST] = {SIZES(ROW_T, test)},
};
/* clang-format on */

/* XOR r, r and SUB r, r of 32 or 64 bits: the idiom for zero. */
HANDLER(zero_f) {
    cpu->gpr[i->opnd[0].reg] = 0;
    cpu->cc_res = 0;
    cpu->cc_aux = 0;
    NEXT();
}
HANDLER(zero_n) {
    cpu->gpr[i->opnd[0].reg] = 0;
    NEXT();
}

static interp_handler *bind_two(const struct blink_insn *i, uint32_t op) {
    const struct blink_operand *d = &i->opnd[0], *s = &i->opnd[1];
    uint32_t size = size_index(d->kind == BLINK_OPND_NONE ? s->size : d->size);
    uint32_t simple = EA_SIMPLE(i), form;
    bool gpr = d->kind == BLINK_OPND_GPR;

    if (gpr && s->kind == BLINK_OPND_GPR)
        form = 0;
    else if (gpr && s->kind == BLINK_OPND_IMM)
        form = 1;
    else if (gpr && s->kind == BLINK_OPND_MEM)
        form = 2 + simple;
    else if (s->kind == BLINK_OPND_GPR)
        form = 4 + simple;
    else
        form = 6 + simple;
    if (form == 0 && size >= 2 && d->reg == s->reg && (op == ALU_XOR || op == ALU_SUB))
        return WANTS_FLAGS(i) ? zero_f : zero_n;
    return alu_table[op][size][form][WANTS_FLAGS(i) ? 0 : 1];
}

/* clang-format off */
/* INC and DEC keep CF; NEG is 0 - a; NOT sets nothing. */
#define ONE_inc(n) r = a + 1, c = a & ~r, keep_carry##n(cpu, r, c)
#define ONE_dec(n) r = a - 1, c = ~a & r, keep_carry##n(cpu, r, c)
#define ONE_neg(n) r = 0 - a, c = a | r, set_carries##n(cpu, r, c)
#define ONE_not(n) r = ~a, c = 0, (void)c

#define KEEP_CARRY(n)                                                                              \
    static inline void keep_carry##n(struct blink_cpu *cpu, uint##n##_t r, uint##n##_t c) {        \
        uint64_t aux = AUX_CARRIES(c, n), cf = cpu->cc_aux & AUX_CF;                               \
        uint64_t of = (aux ^ (aux << 1)) & AUX_CF;                                                 \
        cpu->cc_res = SEXT(n, r);                                                                  \
        cpu->cc_aux = (aux & AUX_AF) | cf | (cf ^ of) >> 1;                                        \
    }
KEEP_CARRY(8) KEEP_CARRY(16) KEEP_CARRY(32) KEEP_CARRY(64)

#define ONE_FORMS(op, n)                                                                           \
    HANDLER(op##n##_r) {                                                                           \
        uint##n##_t a = get##n(cpu, i->opnd[0].reg), r, c;                                         \
        ONE_##op(n);                                                                               \
        put##n(cpu, i->opnd[0].reg, r); NEXT();                                                    \
    }                                                                                              \
    HANDLER(op##n##_m) {                                                                           \
        uint64_t m = ea(cpu, i);                                                                   \
        uint##n##_t a = ldw##n(cpu, i, m), r, c;                                                   \
        uint64_t res = cpu->cc_res, aux = cpu->cc_aux;                                             \
        ONE_##op(n);                                                                               \
        uint64_t res2 = cpu->cc_res, aux2 = cpu->cc_aux;                                           \
        cpu->cc_res = res; cpu->cc_aux = aux; /* should the store fault */                         \
        st##n(cpu, i, m, r);                                                                       \
        cpu->cc_res = res2; cpu->cc_aux = aux2; NEXT();                                            \
    }
SIZES(ONE_FORMS, inc) SIZES(ONE_FORMS, dec) SIZES(ONE_FORMS, neg) SIZES(ONE_FORMS, not)

#define ONE_QUIET(op, expr, n)                                                                     \
    HANDLER(op##n##_rn) {                                                                          \
        uint##n##_t a = get##n(cpu, i->opnd[0].reg);                                               \
        put##n(cpu, i->opnd[0].reg, (uint##n##_t)(expr)); NEXT();                                  \
    }
ONE_QUIET(inc, a + 1, 32) ONE_QUIET(inc, a + 1, 64) ONE_QUIET(dec, a - 1, 32)
ONE_QUIET(dec, a - 1, 64) ONE_QUIET(neg, 0 - a, 32) ONE_QUIET(neg, 0 - a, 64)

#define ONE_ROW(op, n) {op##n##_r, op##n##_m},
static interp_handler *const one_table[4][4][2] = {
    {SIZES(ONE_ROW, inc)}, {SIZES(ONE_ROW, dec)}, {SIZES(ONE_ROW, neg)}, {SIZES(ONE_ROW, not)}};
static interp_handler *const one_quiet[3][2] = {
    {inc32_rn, inc64_rn}, {dec32_rn, dec64_rn}, {neg32_rn, neg64_rn}};
/* clang-format on */

static interp_handler *bind_one(const struct blink_insn *i, uint32_t op) {
    uint32_t size = size_index(i->opnd[0].size);
    bool mem = i->opnd[0].kind == BLINK_OPND_MEM;
    if (!mem && op < 3 && size >= 2 && !WANTS_FLAGS(i))
        return one_quiet[op][size - 2];
    return one_table[op][size][mem];
}

/* ADCX and ADOX: add with one flag, and set only that one. */
#define ADX(name, flag, n)                                                                         \
  HANDLER(name##n) {                                                                               \
    uint##n##_t b = i->opnd[1].kind == BLINK_OPND_MEM ? ld##n(cpu, i, ea(cpu, i))                  \
                                                      : get##n(cpu, i->opnd[1].reg);               \
    uint##n##_t a = get##n(cpu, i->opnd[0].reg), r;                                                \
    bool carry = __builtin_add_overflow(a, b, &r);                                                 \
    carry |= __builtin_add_overflow(r, (uint##n##_t)get_##flag(cpu), &r);                          \
    put##n(cpu, i->opnd[0].reg, r);                                                                \
    set_##flag(cpu, carry);                                                                        \
    NEXT();                                                                                        \
  }
static inline void set_of(struct blink_cpu *cpu, uint64_t of) {
    set_cf_of(cpu, get_cf(cpu), of);
}
ADX(adcx, cf, 32)
ADX(adcx, cf, 64)
ADX(adox, of, 32)
ADX(adox, of, 64)

interp_handler *INTERP_FN(bind_alu)(const struct blink_insn *i) {
    bool wide = i->opnd[0].size == 8;
    switch (i->op) {
    case BLINK_OP_ADD: return bind_two(i, ALU_ADD);
    case BLINK_OP_OR: return bind_two(i, ALU_OR);
    case BLINK_OP_ADC: return bind_two(i, ALU_ADC);
    case BLINK_OP_SBB: return bind_two(i, ALU_SBB);
    case BLINK_OP_AND: return bind_two(i, ALU_AND);
    case BLINK_OP_SUB: return bind_two(i, ALU_SUB);
    case BLINK_OP_XOR: return bind_two(i, ALU_XOR);
    case BLINK_OP_CMP: return bind_two(i, ALU_CMP);
    case BLINK_OP_TEST: return bind_two(i, ALU_TEST);
    case BLINK_OP_INC: return bind_one(i, 0);
    case BLINK_OP_DEC: return bind_one(i, 1);
    case BLINK_OP_NEG: return bind_one(i, 2);
    case BLINK_OP_NOT: return bind_one(i, 3);
    case BLINK_OP_ADCX: return wide ? adcx64 : adcx32;
    case BLINK_OP_ADOX: return wide ? adox64 : adox32;
    default: return NULL;
    }
}
