/*
 * Running one hand-made instruction in the interpreter, in either memory strategy.
 */
#ifndef TESTS_INTERP_SSE_GUEST_H
#define TESTS_INTERP_SSE_GUEST_H

#include <blink/cpu.h>
#include <blink/insn.h>

/* A CPU in 64-bit user mode with XCR0 as asked; linear memory with bias 0 unless `mem`. */
struct blink_cpu *guest_cpu(void);

/* Run *insn at RIP 0x1000; cpu->exit_reason, exit_info tell how it ended. */
void guest_run(struct blink_cpu *cpu, const struct blink_insn *insn);

#endif
