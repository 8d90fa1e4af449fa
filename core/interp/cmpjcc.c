/*
 * CMP or TEST followed by a conditional branch in one handler: the commonest end of a block. The
 * flags are stored all the same, but the branch is decided from the operands. A fault can only
 * come from the compare, so precision is unchanged.
 */
#include "interp/alu.h"
#include "interp/chain.h"

/* The condition as an expression of unsigned a, b of n bits: pairs (cc, taken). */
#define IF_cmp_2(n)   (a < b)
#define IF_cmp_3(n)   (a >= b)
#define IF_cmp_4(n)   (a == b)
#define IF_cmp_5(n)   (a != b)
#define IF_cmp_6(n)   (a <= b)
#define IF_cmp_7(n)   (a > b)
#define IF_cmp_8(n)   ((int##n##_t)r < 0)
#define IF_cmp_9(n)   ((int##n##_t)r >= 0)
#define IF_cmp_12(n)  ((int##n##_t)a < (int##n##_t)b)
#define IF_cmp_13(n)  ((int##n##_t)a >= (int##n##_t)b)
#define IF_cmp_14(n)  ((int##n##_t)a <= (int##n##_t)b)
#define IF_cmp_15(n)  ((int##n##_t)a > (int##n##_t)b)
#define IF_test_4(n)  (r == 0)
#define IF_test_5(n)  (r != 0)
#define IF_test_8(n)  ((int##n##_t)r < 0)
#define IF_test_9(n)  ((int##n##_t)r >= 0)
#define IF_test_12(n) ((int##n##_t)r < 0)
#define IF_test_13(n) ((int##n##_t)r >= 0)
#define IF_test_14(n) ((int##n##_t)r <= 0)
#define IF_test_15(n) ((int##n##_t)r > 0)

#define OP_cmp  r = (__typeof__(r))(a - b), c = (__typeof__(r))((~a & b) | ((~a | b) & r))
#define OP_test r = a & b, c = 0

#define DECIDE(op, n, cc)                                                                          \
  OP_##op;                                                                                         \
  set_carries##n(cpu, r, c);                                                                       \
  if (IF_##op##_##cc(n))                                                                           \
    CHAIN(i + 2, BLOCK_TAKEN, i[1].imm);                                                           \
  CHAIN(i + 2, BLOCK_FALL, next_rip(i + 1));

/* clang-format off */
#define FUSED(op, n, cc)                                                                           \
    HANDLER(op##n##_rr_j##cc) {                                                                    \
        uint##n##_t a = get##n(cpu, i->opnd[0].reg), b = get##n(cpu, i->opnd[1].reg), r, c;        \
        DECIDE(op, n, cc)                                                                          \
    }                                                                                              \
    HANDLER(op##n##_ri_j##cc) {                                                                    \
        uint##n##_t a = get##n(cpu, i->opnd[0].reg), b = (uint##n##_t)i->imm, r, c;                \
        DECIDE(op, n, cc)                                                                          \
    }                                                                                              \
    HANDLER(op##n##_rm_j##cc) {                                                                    \
        uint##n##_t b = ld##n(cpu, i, ea(cpu, i)), a = get##n(cpu, i->opnd[0].reg), r, c;          \
        DECIDE(op, n, cc)                                                                          \
    }                                                                                              \
    HANDLER(op##n##_mr_j##cc) {                                                                    \
        uint##n##_t a = ld##n(cpu, i, ea(cpu, i)), b = get##n(cpu, i->opnd[1].reg), r, c;          \
        DECIDE(op, n, cc)                                                                          \
    }                                                                                              \
    HANDLER(op##n##_mi_j##cc) {                                                                    \
        uint##n##_t a = ld##n(cpu, i, ea(cpu, i)), b = (uint##n##_t)i->imm, r, c;                  \
        DECIDE(op, n, cc)                                                                          \
    }
#define CMP_CONDITIONS(F, n)                                                                       \
    F(cmp, n, 2) F(cmp, n, 3) F(cmp, n, 4) F(cmp, n, 5) F(cmp, n, 6) F(cmp, n, 7) F(cmp, n, 8)     \
    F(cmp, n, 9) F(cmp, n, 12) F(cmp, n, 13) F(cmp, n, 14) F(cmp, n, 15)
#define TEST_CONDITIONS(F, n)                                                                      \
    F(test, n, 4) F(test, n, 5) F(test, n, 8) F(test, n, 9) F(test, n, 12) F(test, n, 13)          \
    F(test, n, 14) F(test, n, 15)
CMP_CONDITIONS(FUSED, 8) CMP_CONDITIONS(FUSED, 32) CMP_CONDITIONS(FUSED, 64)
TEST_CONDITIONS(FUSED, 8) TEST_CONDITIONS(FUSED, 32) TEST_CONDITIONS(FUSED, 64)

#define ENTRY(op, n, cc)                                                                           \
    [cc] = {op##n##_rr_j##cc, op##n##_ri_j##cc, op##n##_rm_j##cc, op##n##_mr_j##cc, op##n##_mi_j##cc},
static interp_handler *const cmp_table[4][16][5] = {
    {CMP_CONDITIONS(ENTRY, 8)}, {{NULL}}, {CMP_CONDITIONS(ENTRY, 32)}, {CMP_CONDITIONS(ENTRY, 64)}};
static interp_handler *const test_table[4][16][5] = {
    {TEST_CONDITIONS(ENTRY, 8)}, {{NULL}}, {TEST_CONDITIONS(ENTRY, 32)}, {TEST_CONDITIONS(ENTRY, 64)}};
/* clang-format on */

interp_handler *INTERP_FN(bind_compare_branch)(const struct blink_insn *i) {
    const struct blink_operand *d = &i->opnd[0], *s = &i->opnd[1];
    uint32_t size = size_index(d->size), form;
    if (d->kind == BLINK_OPND_GPR)
        form = s->kind == BLINK_OPND_GPR ? 0 : s->kind == BLINK_OPND_IMM ? 1 : 2;
    else
        form = s->kind == BLINK_OPND_GPR ? 3 : 4;
    if (i->op == BLINK_OP_CMP)
        return cmp_table[size][i[1].cc & 15][form];
    return i->op == BLINK_OP_TEST ? test_table[size][i[1].cc & 15][form] : NULL;
}
