/*
 * Memory operands of x87 arithmetic and comparisons, widened to 80 bits.
 */
#ifndef CORE_INTERP_X87_OPERAND_H
#define CORE_INTERP_X87_OPERAND_H

#include "interp/x87/x87.h"

/* A denormal of a narrow format is normal in 80 bits, but is a denormal operand all the same. */
struct x87_operand {
    struct blink_f80 value;
    bool denormal;
};

static inline struct x87_operand x87_widen32(uint32_t v) {
    uint32_t e = v >> 23 & 0xff;
    struct x87_operand o = {.denormal = false};
    if (likely(e - 1 < 0xfe)) {
        o.value.frac = (uint64_t)v << 40 | UINT64_C(1) << 63;
        o.value.se = (uint16_t)((v >> 31) << 15 | (e + (16383 - 127)));
    } else {
        o.value = fp80_widen_f32(v, &o.denormal);
    }
    return o;
}

static inline struct x87_operand x87_widen64(uint64_t v) {
    uint32_t e = (uint32_t)(v >> 52) & 0x7ff;
    struct x87_operand o = {.denormal = false};
    if (likely(e - 1 < 0x7fe)) {
        o.value.frac = v << 11 | UINT64_C(1) << 63;
        o.value.se = (uint16_t)((v >> 63) << 15 | (e + (16383 - 1023)));
    } else {
        o.value = fp80_widen_f64(v, &o.denormal);
    }
    return o;
}

static inline struct x87_operand x87_widen_int(int64_t v) {
    return (struct x87_operand){.value = fp80_from_i64(v)};
}

/* DE for the denormal memory operand of an operation that gave `flags`, with `st` as the other
 * operand: NaNs, invalid operations and divisions by zero come before it. */
static inline uint32_t x87_denormal_operand(uint32_t flags, struct blink_f80 st) {
    return !(flags & (FP_IE | FP_ZE)) && fp80_class(st) < FP_CLASS_QNAN ? FP_DE : 0;
}

#endif
