/*
 * The x87 opcodes D8 to DF. AMD64 manual volume 3, appendix A.1, "x87 opcode map"; with the
 * encodings the manuals leave out and processors take as aliases.
 */
#include "tables.h"

/* clang-format off */
#define FI(op, access) F(op, access(M2))
static const struct form memory[8][8] = {
    {F(FADD, R(M4)), F(FMUL, R(M4)), F(FCOM, R(M4)), F(FCOMP, R(M4)), F(FSUB, R(M4)),
     F(FSUBR, R(M4)), F(FDIV, R(M4)), F(FDIVR, R(M4))},
    {F(FLD, R(M4)), NONE, F(FST, W(M4)), F(FSTP, W(M4)), F(FLDENV, R(M0)), F(FLDCW, R(M2)),
     F(FNSTENV, W(M0)), F(FNSTCW, W(M2))},
    {F(FIADD, R(M4)), F(FIMUL, R(M4)), F(FICOM, R(M4)), F(FICOMP, R(M4)), F(FISUB, R(M4)),
     F(FISUBR, R(M4)), F(FIDIV, R(M4)), F(FIDIVR, R(M4))},
    {F(FILD, R(M4)), F(FISTTP, W(M4)), F(FIST, W(M4)), F(FISTP, W(M4)), NONE, F(FLD, R(M10)), NONE,
     F(FSTP, W(M10))},
    {F(FADD, R(M8)), F(FMUL, R(M8)), F(FCOM, R(M8)), F(FCOMP, R(M8)), F(FSUB, R(M8)),
     F(FSUBR, R(M8)), F(FDIV, R(M8)), F(FDIVR, R(M8))},
    {F(FLD, R(M8)), F(FISTTP, W(M8)), F(FST, W(M8)), F(FSTP, W(M8)), F(FRSTOR, R(M0)), NONE,
     F(FNSAVE, W(M0)), F(FNSTSW, W(M2))},
    {F(FIADD, R(M2)), F(FIMUL, R(M2)), F(FICOM, R(M2)), F(FICOMP, R(M2)), F(FISUB, R(M2)),
     F(FISUBR, R(M2)), F(FIDIV, R(M2)), F(FIDIVR, R(M2))},
    {F(FILD, R(M2)), F(FISTTP, W(M2)), F(FIST, W(M2)), F(FISTP, W(M2)), F(FBLD, R(M10)),
     F(FILD, R(M8)), F(FBSTP, W(M10)), F(FISTP, W(M8))},
};

static const struct form d9_d0[8] = {F(FNOP)};
static const struct form d9_e0[8] = {F(FCHS), F(FABS), NONE, NONE, F(FTST), F(FXAM), NONE, NONE};
static const struct form d9_e8[8] = {F(FLD1), F(FLDL2T), F(FLDL2E), F(FLDPI), F(FLDLG2), F(FLDLN2),
                                     F(FLDZ), NONE};
static const struct form d9_f0[8] = {F(F2XM1), F(FYL2X), F(FPTAN), F(FPATAN), F(FXTRACT), F(FPREM1),
                                     F(FDECSTP), F(FINCSTP)};
static const struct form d9_f8[8] = {F(FPREM), F(FYL2XP1), F(FSQRT), F(FSINCOS), F(FRNDINT),
                                     F(FSCALE), F(FSIN), F(FCOS)};
static const struct form da_e8[8] = {NONE, F(FUCOMPP)};
/* FENI, FDISI and FSETPM of the 8087 and 80287 do nothing. */
static const struct form db_e0[8] = {F(FNOP), F(FNOP), F(FNCLEX), F(FNINIT), F(FNOP)};
static const struct form de_d8[8] = {NONE, F(FCOMPP)};
static const struct form df_e0[8] = {F(FNSTSW, W(AX))};

#define TO_ST0(op) F(op, RW(ST0), R(STI))
#define TO_STI(op) F(op, RW(STI), R(ST0))
#define COMPARE(op) F(op, R(STI))
#define COMPARE2(op) F(op, R(ST0), R(STI))
#define MOVE_IF(cc_) {.op = BLINK_OP_FCMOVCC, .flags = FORM_LOADED, .cc = (cc_),                   \
                      .opnd = {RW(ST0), R(STI)}}
static const struct form registers[8][8] = {
    {TO_ST0(FADD), TO_ST0(FMUL), COMPARE(FCOM), COMPARE(FCOMP), TO_ST0(FSUB), TO_ST0(FSUBR),
     TO_ST0(FDIV), TO_ST0(FDIVR)},
    {F(FLD, R(STI)), F(FXCH, RW(STI)), SELECT(BY_RM, d9_d0), F(FSTP, W(STI)), SELECT(BY_RM, d9_e0),
     SELECT(BY_RM, d9_e8), SELECT(BY_RM, d9_f0), SELECT(BY_RM, d9_f8)},
    {MOVE_IF(BLINK_CC_B), MOVE_IF(BLINK_CC_E), MOVE_IF(BLINK_CC_BE), MOVE_IF(BLINK_CC_P), NONE,
     SELECT(BY_RM, da_e8), NONE, NONE},
    {MOVE_IF(BLINK_CC_AE), MOVE_IF(BLINK_CC_NE), MOVE_IF(BLINK_CC_A), MOVE_IF(BLINK_CC_NP),
     SELECT(BY_RM, db_e0), COMPARE2(FUCOMI), COMPARE2(FCOMI), NONE},
    {TO_STI(FADD), TO_STI(FMUL), COMPARE(FCOM), COMPARE(FCOMP), TO_STI(FSUBR), TO_STI(FSUB),
     TO_STI(FDIVR), TO_STI(FDIV)},
    {F(FFREE, W(STI)), F(FXCH, RW(STI)), F(FST, W(STI)), F(FSTP, W(STI)), COMPARE(FUCOM),
     COMPARE(FUCOMP), NONE, NONE},
    {TO_STI(FADDP), TO_STI(FMULP), COMPARE(FCOMP), SELECT(BY_RM, de_d8), TO_STI(FSUBRP),
     TO_STI(FSUBP), TO_STI(FDIVRP), TO_STI(FDIVP)},
    {F(FFREEP, W(STI)), F(FXCH, RW(STI)), F(FSTP, W(STI)), F(FSTP, W(STI)), SELECT(BY_RM, df_e0),
     COMPARE2(FUCOMIP), COMPARE2(FCOMIP), NONE},
};
/* clang-format on */

const struct form *x87_form(const struct walk *w) {
    return w->mod == 3 ? &registers[w->opcode & 7][w->reg & 7] : &memory[w->opcode & 7][w->reg & 7];
}
