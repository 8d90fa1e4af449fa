/*
 * Operations on the top of the x87 stack, however they are computed: missing operands, full
 * stacks, results that unmasked exceptions keep back.
 */
#include "interp/x87/state.h"

void x87_one(struct blink_cpu *cpu, x87_unary *f) {
    if (x87_empty(cpu, 0)) {
        if (x87_underflow(cpu))
            x87_put(cpu, 0, X87_INDEFINITE);
        return;
    }
    struct fp_ctx c = fp_ctx_x87(cpu->fcw);
    struct blink_f80 r = f(&c, x87_get(cpu, 0));
    if (x87_flags(cpu, c.flags, false))
        x87_put(cpu, 0, r);
}

void x87_two(struct blink_cpu *cpu, uint32_t dst, bool pops, x87_binary *f) {
    struct blink_f80 r = X87_INDEFINITE;
    if (x87_empty(cpu, 0) || x87_empty(cpu, 1)) {
        if (!x87_underflow(cpu))
            return;
    } else {
        struct fp_ctx c = fp_ctx_x87(cpu->fcw);
        r = f(&c, x87_get(cpu, 0), x87_get(cpu, 1));
        if (!x87_flags(cpu, c.flags, false))
            return;
    }
    x87_put(cpu, dst, r);
    if (pops)
        x87_pop(cpu);
}

bool x87_room_for_two(struct blink_cpu *cpu) {
    bool empty = x87_empty(cpu, 0), full = !x87_empty(cpu, 7);
    if (!empty && !full)
        return true;
    bool masked = x87_underflow(cpu);
    if (!empty)
        cpu->fsw |= FSW_C1;
    if (masked)
        x87_put_two(cpu, X87_INDEFINITE, X87_INDEFINITE);
    return false;
}

void x87_put_two(struct blink_cpu *cpu, struct blink_f80 below, struct blink_f80 top) {
    x87_put(cpu, 0, below);
    cpu->ftop = (cpu->ftop - 1) & 7;
    x87_put(cpu, 0, top);
}
