/*
 * Segment limits for instructions on strings, of memory and of ports.
 */
#ifndef CORE_INTERP_LIMIT_H
#define CORE_INTERP_LIMIT_H

#include "interp/alu.h"

/* Segment limits and types outside 64-bit mode: #GP for one element at offset `at`. */
static inline void check_limit(struct blink_cpu *cpu, const struct blink_insn *i, uint32_t seg,
                               uint64_t at, uint32_t access) {
    if ((cpu->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64)
        return;
    interp_linear(cpu, i, seg, at, i->opsize, access);
}

#endif
