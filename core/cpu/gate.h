/*
 * Instructions that the chosen processor model does not have.
 */
#ifndef CORE_CPU_GATE_H
#define CORE_CPU_GATE_H

#include <blink/insn.h>

#include "cpu/model.h"

/*
 * Make what was decoded what it is on `model`: no instruction, or another one (without BMI1 the
 * bytes of TZCNT are BSF, with BLINK_PFX_REP for the F3 that stands in them).
 */
void cpu_gate(const struct cpu_model *model, struct blink_insn *insn, bool bits64);

#endif
