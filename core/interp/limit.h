/*
 * Segment limits for instructions on strings, of memory and of ports.
 */
#ifndef CORE_INTERP_LIMIT_H
#define CORE_INTERP_LIMIT_H

#include "interp/alu.h"

/* Segment limits outside 64-bit mode: #GP for one element at offset `at`. */
static inline void check_limit(struct blink_cpu *cpu, const struct blink_insn *i, uint32_t seg,
                               uint64_t at) {
    const struct blink_seg *g = &cpu->seg[seg];
    if ((cpu->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64)
        return;
    bool down = (g->attr & 0x0c) == 0x04 && (g->attr & 0x10);
    if (unlikely(down ? at <= g->limit : at + i->opsize - 1 > g->limit))
        RAISE(seg == BLINK_SEG_SS ? BLINK_EXC_SS : BLINK_EXC_GP, 0);
}

#endif
