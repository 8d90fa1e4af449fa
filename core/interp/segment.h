/*
 * Loading segment registers: real mode, descriptor tables, and the fixed descriptors that a user
 * program without a descriptor table of its own sees.
 */
#ifndef CORE_INTERP_SEGMENT_H
#define CORE_INTERP_SEGMENT_H

#include "interp/handler.h"

/* A user program under a guest ABI has no descriptor table of its own; it finds the segments that
 * Linux gives it on x86-64. */
static inline bool has_no_table(const struct blink_cpu *cpu) {
    return cpu->cpl == 3 && cpu->gdtr.limit == 0;
}

/* Load ES, SS, DS, FS or GS with a selector. Raises #GP, #SS or #NP. The instruction's own memory
 * operand has been read. AMD64 manual volume 2, 4.5. */
void INTERP_FN(load_segment)(struct blink_cpu *cpu, const struct blink_insn *i, uint32_t seg,
                             uint16_t selector);

/* The descriptor of a code segment to go to at the same privilege, in real mode or of a program
 * without tables of its own; everything else goes by transfer.h. */
struct blink_seg INTERP_FN(code_segment)(struct blink_cpu *cpu, const struct blink_insn *i,
                                         uint16_t selector);

/* Read the 8-byte descriptor of a selector; false if beyond the table. */
bool INTERP_FN(read_descriptor)(struct blink_cpu *cpu, const struct blink_insn *i,
                                uint16_t selector, uint64_t *out);

#endif
