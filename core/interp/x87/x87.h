/*
 * For the files of x87: the register stack, the status word, and how results and exceptions are
 * delivered. AMD64 manual volume 1, chapter 6.
 *
 * The order of a handler: X87_WAIT (or X87_NOWAIT for control instructions), memory loads, note
 * the pointers, then the operation; nothing of the state changes before the last memory access,
 * but for stores, which come before pops and flags.
 */
#ifndef CORE_INTERP_X87_X87_H
#define CORE_INTERP_X87_X87_H

#include "cpu/cpu.h"
#include "fp/fp.h"
#include "interp/handler.h"
#include "interp/x87/state.h"

/* ---- before the operation ---- */

/* Whatever waits for pending exceptions, and whatever does not. */
#define X87_WAIT()                                                                                 \
  do {                                                                                             \
    if (unlikely((cpu->cr0 & (CR0_EM | CR0_TS)) || (cpu->fsw & FSW_ES))) {                         \
      FAULTS();                                                                                    \
      x87_refuse(cpu, true);                                                                       \
    }                                                                                              \
  } while (0)
#define X87_NOWAIT()                                                                               \
  do {                                                                                             \
    if (unlikely(cpu->cr0 & (CR0_EM | CR0_TS))) {                                                  \
      FAULTS();                                                                                    \
      x87_refuse(cpu, false);                                                                      \
    }                                                                                              \
  } while (0)

/* Note the instruction, and its memory operand at linear address `a`, for FNSTENV and FNSAVE. */
static inline void x87_note(struct blink_cpu *cpu, const struct blink_insn *i) {
    const uint8_t *p = i->raw + i->off_opcode;
    cpu->fip = i->addr;
    cpu->fcs = cpu->seg[BLINK_SEG_CS].selector;
    cpu->fop = (uint16_t)((p[0] & 7) << 8 | p[1]);
}
static inline void x87_note_memory(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t a) {
    uint32_t seg = i->seg;
    /* In 64-bit mode the decoder gives the flat segment for DS and SS. */
    if (seg == BLINK_SEG_NONE)
        seg = (i->base & ~1u) == BLINK_RSP ? BLINK_SEG_SS : BLINK_SEG_DS;
    x87_note(cpu, i);
    a -= cpu->seg[i->seg].base;
    cpu->fdp = i->addrsize == 8 ? a : (uint32_t)a;
    cpu->fds = cpu->seg[seg].selector;
}

/* ---- operands ---- */

/* The i of the one ST(i) that is not ST(0), wherever the decoder put it; ST(1) if none is written.
 */
static inline uint32_t x87_other(const struct blink_insn *i) {
    if (i->opnd[0].kind != BLINK_OPND_ST)
        return 1;
    return i->opnd[1].kind == BLINK_OPND_ST && i->opnd[0].reg == 0 ? i->opnd[1].reg
                                                                   : i->opnd[0].reg;
}

typedef interp_handler *x87_sub_binder(const struct blink_insn *i);
x87_sub_binder INTERP_FN(x87_bind_move), INTERP_FN(x87_bind_arith), INTERP_FN(x87_bind_compare),
    INTERP_FN(x87_bind_unary), INTERP_FN(x87_bind_transcendental), INTERP_FN(x87_bind_control);

#endif
