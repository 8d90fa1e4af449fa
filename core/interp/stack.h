/*
 * The stack in any mode, for handlers that are not hot: width from SS or 64-bit mode, limits
 * checked, faults before changes.
 */
#ifndef CORE_INTERP_STACK_H
#define CORE_INTERP_STACK_H

#include "interp/alu.h"

/* Bytes of the stack pointer: 2, 4, 8. */
static inline uint32_t stack_width(const struct blink_cpu *cpu) {
    if ((cpu->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64)
        return 8;
    return cpu->mode & BLINK_MODE_SS32 ? 4 : 2;
}

/* Linear address of stack offset `sp`, wrapped to the stack's width. */
static inline uint64_t stack_linear(struct blink_cpu *cpu, const struct blink_insn *i,
                                    uint64_t sp) {
    (void)i;
    switch (stack_width(cpu)) {
    case 8: return sp;
    case 4: return (uint32_t)(cpu->seg[BLINK_SEG_SS].base + (uint32_t)sp);
    default: return (uint32_t)(cpu->seg[BLINK_SEG_SS].base + (uint16_t)sp);
    }
}

/* Linear address of `size` bytes at RSP + offset; #SS beyond the segment's limit. */
static inline uint64_t stack_address(struct blink_cpu *cpu, const struct blink_insn *i,
                                     uint32_t size, int64_t offset) {
    uint64_t sp = cpu->gpr[BLINK_RSP] + (uint64_t)offset;
    if (stack_width(cpu) != 8) {
        const struct blink_seg *ss = &cpu->seg[BLINK_SEG_SS];
        uint64_t first = stack_width(cpu) == 4 ? (uint32_t)sp : (uint16_t)sp;
        bool down = (ss->attr & 0x0c) == 0x04 && (ss->attr & 0x10);
        uint64_t top = cpu->mode & BLINK_MODE_SS32 ? UINT32_MAX : 0xffff;
        bool bad =
            down ? first <= ss->limit || first + size - 1 > top : first + size - 1 > ss->limit;
        if (unlikely(bad))
            RAISE(BLINK_EXC_SS, 0);
    }
    return stack_linear(cpu, i, sp);
}

static inline uint64_t stack_peek(struct blink_cpu *cpu, const struct blink_insn *i, uint32_t size,
                                  int64_t offset) {
    return ld_sized(cpu, i, stack_address(cpu, i, size, offset), size);
}
static inline void stack_poke(struct blink_cpu *cpu, const struct blink_insn *i, uint32_t size,
                              int64_t offset, uint64_t v) {
    st_sized(cpu, i, stack_address(cpu, i, size, offset), size, v);
}
static inline void stack_move(struct blink_cpu *cpu, int64_t by) {
    put_sized(cpu, BLINK_RSP, stack_width(cpu), cpu->gpr[BLINK_RSP] + (uint64_t)by);
}
static inline void stack_push(struct blink_cpu *cpu, const struct blink_insn *i, uint32_t size,
                              uint64_t v) {
    stack_poke(cpu, i, size, -(int64_t)size, v);
    stack_move(cpu, -(int64_t)size);
}

#endif
