/*
 * How the rows of the opcode tables are written. Operands carry the names of the manuals' opcode
 * maps (Eb: byte in ModRM.rm, Gv: ModRM.reg of operand size, ...), wrapped by what is done to them.
 */
#ifndef DECODER_CAPSTONE_TABLES_H
#define DECODER_CAPSTONE_TABLES_H

#include "internal.h"

/* Access. */
#define R(o)  ((o) | READ)
#define W(o)  ((o) | WRITE)
#define RW(o) ((o) | READ | WRITE)

#define Eb  OPERAND(AT_RM, SZ_1)
#define Ew  OPERAND(AT_RM, SZ_2)
#define Ed  OPERAND(AT_RM, SZ_4)
#define Ev  OPERAND(AT_RM, SZ_V)
#define Ey  OPERAND(AT_RM, SZ_Y)
#define Evw OPERAND(AT_RM, SZ_VW)
#define Gb  OPERAND(AT_REG, SZ_1)
#define Gw  OPERAND(AT_REG, SZ_2)
#define Gv  OPERAND(AT_REG, SZ_V)
#define Gy  OPERAND(AT_REG, SZ_Y)
#define By  OPERAND(AT_VVVV, SZ_Y)
#define Rv  OPERAND(AT_RREG, SZ_V)
#define Ry  OPERAND(AT_RREG, SZ_Y)
#define Rm  OPERAND(AT_RREG, SZ_MODE)
#define M0  OPERAND(AT_MEM, SZ_0)
#define M2  OPERAND(AT_MEM, SZ_2)
#define M4  OPERAND(AT_MEM, SZ_4)
#define M8  OPERAND(AT_MEM, SZ_8)
#define M10 OPERAND(AT_MEM, SZ_10)
#define M16 OPERAND(AT_MEM, SZ_16)
#define Mv  OPERAND(AT_MEM, SZ_V)
#define My  OPERAND(AT_MEM, SZ_Y)
#define Mp  OPERAND(AT_MEM, SZ_FAR)
#define Ma  OPERAND(AT_MEM, SZ_2V)
#define Ob  OPERAND(AT_MOFFS, SZ_1)
#define Ov  OPERAND(AT_MOFFS, SZ_V)
#define Zb  OPERAND(AT_OPC, SZ_1)
#define Zv  OPERAND(AT_OPC, SZ_V)
#define Sw  OPERAND(AT_SREG, SZ_2)
#define Cr  OPERAND(AT_CR, SZ_MODE)
#define Dr  OPERAND(AT_DR, SZ_MODE)
#define AL  FIXED(BLINK_RAX, SZ_1)
#define AX  FIXED(BLINK_RAX, SZ_2)
#define rAX FIXED(BLINK_RAX, SZ_V)
#define CL  FIXED(BLINK_RCX, SZ_1)
#define DX  FIXED(BLINK_RDX, SZ_2)
#define ST0 OPERAND(AT_ST0, SZ_10)
#define STI OPERAND(AT_STI, SZ_10)

/* What can only be read. */
#define Ib  (OPERAND(AT_IMM, SZ_1) | READ)
#define Iw  (OPERAND(AT_IMM, SZ_2) | READ)
#define Iz  (OPERAND(AT_IMM, SZ_Z) | READ)
#define Iv  (OPERAND(AT_IMM, SZ_V) | READ)
#define Ib2 (OPERAND(AT_IMM2, SZ_1) | READ)
#define Iw2 (OPERAND(AT_IMM2, SZ_2) | READ)
#define ONE (OPERAND(AT_ONE, SZ_1) | READ)
#define Jb  (OPERAND(AT_REL, SZ_1) | READ)
#define Jz  (OPERAND(AT_REL, SZ_Z) | READ)
#define Ap  (OPERAND(AT_FAR, SZ_Z) | READ)

/* Rows: an operation with operands; with flags; and the branching ones. */
#define F(op_, ...)                                                                                \
  {                                                                                                \
    .op = BLINK_OP_##op_, .opnd = { __VA_ARGS__ }                                                  \
  }
#define FF(op_, flags_, ...)                                                                       \
  {                                                                                                \
    .op = BLINK_OP_##op_, .flags = (flags_), .opnd = { __VA_ARGS__ }                               \
  }
#define FB(op_, ...) FF(op_, FORM_BYTE, __VA_ARGS__)
#define SELECT(by, table)                                                                          \
  { .select = (by), .sub = (table) }
#define SIMD                                                                                       \
  { .select = BY_SIMD }
#define NONE                                                                                       \
  { .op = BLINK_OP_INVALID }

#endif
