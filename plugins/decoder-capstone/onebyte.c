/*
 * The one-byte opcode map. AMD64 manual volume 3, appendix A.1.
 */
#include "tables.h"

/* clang-format off */
static const struct form group1b[8] = {
    FB(ADD, RW(Eb), Ib), FB(OR, RW(Eb), Ib), FB(ADC, RW(Eb), Ib), FB(SBB, RW(Eb), Ib),
    FB(AND, RW(Eb), Ib), FB(SUB, RW(Eb), Ib), FB(XOR, RW(Eb), Ib), FB(CMP, R(Eb), Ib),
};
static const struct form group1v[8] = {
    F(ADD, RW(Ev), Iz), F(OR, RW(Ev), Iz), F(ADC, RW(Ev), Iz), F(SBB, RW(Ev), Iz),
    F(AND, RW(Ev), Iz), F(SUB, RW(Ev), Iz), F(XOR, RW(Ev), Iz), F(CMP, R(Ev), Iz),
};
static const struct form group1s[8] = {
    F(ADD, RW(Ev), Ib), F(OR, RW(Ev), Ib), F(ADC, RW(Ev), Ib), F(SBB, RW(Ev), Ib),
    F(AND, RW(Ev), Ib), F(SUB, RW(Ev), Ib), F(XOR, RW(Ev), Ib), F(CMP, R(Ev), Ib),
};
static const struct form group1_82[2] = {SELECT(BY_REG, group1b), NONE};

/* Shifts; /6 is SHL again. */
#define SHIFTS(F_, e, count)                                                                       \
    F_(ROL, RW(e), count), F_(ROR, RW(e), count), F_(RCL, RW(e), count), F_(RCR, RW(e), count),    \
    F_(SHL, RW(e), count), F_(SHR, RW(e), count), F_(SHL, RW(e), count), F_(SAR, RW(e), count)
static const struct form group2_c0[8] = {SHIFTS(FB, Eb, Ib)};
static const struct form group2_c1[8] = {SHIFTS(F, Ev, Ib)};
static const struct form group2_d0[8] = {SHIFTS(FB, Eb, ONE)};
static const struct form group2_d1[8] = {SHIFTS(F, Ev, ONE)};
static const struct form group2_d2[8] = {SHIFTS(FB, Eb, R(CL))};
static const struct form group2_d3[8] = {SHIFTS(F, Ev, R(CL))};

static const struct form group3b[8] = {
    FB(TEST, R(Eb), Ib), FB(TEST, R(Eb), Ib), FB(NOT, RW(Eb)), FB(NEG, RW(Eb)),
    FB(MUL, R(Eb)), FB(IMUL, R(Eb)), FB(DIV, R(Eb)), FB(IDIV, R(Eb)),
};
static const struct form group3v[8] = {
    F(TEST, R(Ev), Iz), F(TEST, R(Ev), Iz), F(NOT, RW(Ev)), F(NEG, RW(Ev)),
    F(MUL, R(Ev)), F(IMUL, R(Ev)), F(DIV, R(Ev)), F(IDIV, R(Ev)),
};
static const struct form group4[8] = {FB(INC, RW(Eb)), FB(DEC, RW(Eb))};
static const struct form group5[8] = {
    F(INC, RW(Ev)), F(DEC, RW(Ev)), FF(CALL, FORM_D64, R(Ev)), F(CALLF, R(Mp)),
    FF(JMP, FORM_D64, R(Ev)), F(JMPF, R(Mp)), FF(PUSH, FORM_D64, R(Ev)),
};
static const struct form group1a[8] = {FF(POP, FORM_D64, W(Ev))};
static const struct form group11b[8] = {FB(MOV, W(Eb), Ib)};
static const struct form group11v[8] = {F(MOV, W(Ev), Iz)};

static const struct form at_62[2] = {F(BOUND, R(Gv), R(Ma)), NONE};
static const struct form at_63[2] = {F(ARPL, RW(Ew), R(Gw)), F(MOVSXD, W(Gv), R(Ed))};
static const struct form at_90[3] = {F(NOP), F(PAUSE), F(XCHG, RW(Zv), RW(rAX))};

#define ALU(op, first)                                                                             \
    FB(op, first(Eb), R(Gb)), F(op, first(Ev), R(Gv)), FB(op, first(Gb), R(Eb)),                   \
    F(op, first(Gv), R(Ev)), FB(op, first(AL), Ib), F(op, first(rAX), Iz)
#define EIGHT(row) row, row, row, row, row, row, row, row
#define LEGACY(op, ...) FF(op, FORM_NO64, __VA_ARGS__)
#define STACK(op, ...) FF(op, FORM_D64, __VA_ARGS__)
#define LEGACY_STACK(op, ...) FF(op, FORM_D64 | FORM_NO64, __VA_ARGS__)
#define PORT(op, ...) FF(op, FORM_MAX4, __VA_ARGS__)
/* A prefix: the walk has taken it. */
#define PREFIX NONE

const struct form onebyte_forms[256] = {
    /* 00 */ ALU(ADD, RW), LEGACY_STACK(PUSH, R(SEG(BLINK_SEG_ES))),
             LEGACY_STACK(POP, W(SEG(BLINK_SEG_ES))),
    /* 08 */ ALU(OR, RW), LEGACY_STACK(PUSH, R(SEG(BLINK_SEG_CS))), NONE,
    /* 10 */ ALU(ADC, RW), LEGACY_STACK(PUSH, R(SEG(BLINK_SEG_SS))),
             LEGACY_STACK(POP, W(SEG(BLINK_SEG_SS))),
    /* 18 */ ALU(SBB, RW), LEGACY_STACK(PUSH, R(SEG(BLINK_SEG_DS))),
             LEGACY_STACK(POP, W(SEG(BLINK_SEG_DS))),
    /* 20 */ ALU(AND, RW), PREFIX, LEGACY(DAA),
    /* 28 */ ALU(SUB, RW), PREFIX, LEGACY(DAS),
    /* 30 */ ALU(XOR, RW), PREFIX, LEGACY(AAA),
    /* 38 */ ALU(CMP, R), PREFIX, LEGACY(AAS),
    /* 40 */ EIGHT(LEGACY(INC, RW(Zv))),
    /* 48 */ EIGHT(LEGACY(DEC, RW(Zv))),
    /* 50 */ EIGHT(STACK(PUSH, R(Zv))),
    /* 58 */ EIGHT(STACK(POP, W(Zv))),
    /* 60 */ LEGACY(PUSHA), LEGACY(POPA), SELECT(BY_MODE64, at_62), SELECT(BY_MODE64, at_63),
    /* 64 */ PREFIX, PREFIX, PREFIX, PREFIX,
    /* 68 */ STACK(PUSH, Iz), F(IMUL, W(Gv), R(Ev), Iz), STACK(PUSH, Ib), F(IMUL, W(Gv), R(Ev), Ib),
    /* 6c */ FB(INS), PORT(INS), FB(OUTS), PORT(OUTS),
    /* 70 */ EIGHT(FF(JCC, FORM_D64 | FORM_CC, Jb)),
    /* 78 */ EIGHT(FF(JCC, FORM_D64 | FORM_CC, Jb)),
    /* 80 */ SELECT(BY_REG, group1b), SELECT(BY_REG, group1v), SELECT(BY_MODE64, group1_82),
             SELECT(BY_REG, group1s),
    /* 84 */ FB(TEST, R(Eb), R(Gb)), F(TEST, R(Ev), R(Gv)), FB(XCHG, RW(Eb), RW(Gb)),
             F(XCHG, RW(Ev), RW(Gv)),
    /* 88 */ FB(MOV, W(Eb), R(Gb)), F(MOV, W(Ev), R(Gv)), FB(MOV, W(Gb), R(Eb)),
             F(MOV, W(Gv), R(Ev)),
    /* 8c */ F(MOV_SEG, W(Evw), R(Sw)), F(LEA, W(Gv), M0), F(MOV_SEG, W(Sw), R(Ew)),
             SELECT(BY_REG, group1a),
    /* 90 */ SELECT(BY_XCHG, at_90), F(XCHG, RW(Zv), RW(rAX)), F(XCHG, RW(Zv), RW(rAX)),
             F(XCHG, RW(Zv), RW(rAX)), F(XCHG, RW(Zv), RW(rAX)), F(XCHG, RW(Zv), RW(rAX)),
             F(XCHG, RW(Zv), RW(rAX)), F(XCHG, RW(Zv), RW(rAX)),
    /* 98 */ F(CBW), F(CWD), LEGACY(CALLF, Ap, Iw2), F(FWAIT), STACK(PUSHF), STACK(POPF), F(SAHF),
             F(LAHF),
    /* a0 */ FB(MOV, W(AL), R(Ob)), F(MOV, W(rAX), R(Ov)), FB(MOV, W(Ob), R(AL)),
             F(MOV, W(Ov), R(rAX)),
    /* a4 */ FB(MOVS), F(MOVS), FB(CMPS), F(CMPS),
    /* a8 */ FB(TEST, R(AL), Ib), F(TEST, R(rAX), Iz), FB(STOS), F(STOS), FB(LODS), F(LODS),
             FB(SCAS), F(SCAS),
    /* b0 */ EIGHT(FB(MOV, W(Zb), Ib)),
    /* b8 */ EIGHT(F(MOV, W(Zv), Iv)),
    /* c0 */ SELECT(BY_REG, group2_c0), SELECT(BY_REG, group2_c1), STACK(RET, Iw), STACK(RET),
    /* c4 */ LEGACY(LES, W(Gv), R(Mp)), LEGACY(LDS, W(Gv), R(Mp)), SELECT(BY_REG, group11b),
             SELECT(BY_REG, group11v),
    /* c8 */ STACK(ENTER, Iw, Ib2), STACK(LEAVE), F(RETF, Iw), F(RETF), F(INT3), F(INT, Ib),
             LEGACY(INTO), F(IRET),
    /* d0 */ SELECT(BY_REG, group2_d0), SELECT(BY_REG, group2_d1), SELECT(BY_REG, group2_d2),
             SELECT(BY_REG, group2_d3),
    /* d4 */ LEGACY(AAM, Ib), LEGACY(AAD, Ib), LEGACY(SALC), FB(XLAT),
    /* d8 */ EIGHT(NONE), /* x87_form */
    /* e0 */ FF(LOOPNE, FORM_D64, Jb), FF(LOOPE, FORM_D64, Jb), FF(LOOP, FORM_D64, Jb),
             FF(JCXZ, FORM_D64, Jb),
    /* e4 */ FB(IN, W(AL), Ib), PORT(IN, W(rAX), Ib), FB(OUT, Ib, R(AL)), PORT(OUT, Ib, R(rAX)),
    /* e8 */ STACK(CALL, Jz), STACK(JMP, Jz), LEGACY(JMPF, Ap, Iw2), STACK(JMP, Jb),
    /* ec */ FB(IN, W(AL), R(DX)), PORT(IN, W(rAX), R(DX)), FB(OUT, R(DX), R(AL)),
             PORT(OUT, R(DX), R(rAX)),
    /* f0 */ PREFIX, F(INT1), PREFIX, PREFIX, F(HLT), F(CMC), SELECT(BY_REG, group3b),
             SELECT(BY_REG, group3v),
    /* f8 */ F(CLC), F(STC), F(CLI), F(STI), F(CLD), F(STD), SELECT(BY_REG, group4),
             SELECT(BY_REG, group5),
};
/* clang-format on */
