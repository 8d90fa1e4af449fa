/*
 * x87 state that does not depend on how memory is reached: exceptions, stack faults, tags, and
 * the images of FNSTENV and FNSAVE. Called by the vCPU's own thread.
 */
#ifndef CORE_INTERP_X87_STATE_H
#define CORE_INTERP_X87_STATE_H

#include <blink/cpu.h>
#include <stdbool.h>

#include "fp/fp.h"

/* FSW, AMD64 manual volume 1, 6.2.2; TOP is in blink_cpu.ftop. The exceptions are FP_IE to FP_PE,
 * C1 is FP_C1. */
#define FSW_SF 0x0040u
#define FSW_ES 0x0080u
#define FSW_C0 0x0100u
#define FSW_C1 0x0200u
#define FSW_C2 0x0400u
#define FSW_C3 0x4000u
#define FSW_B  0x8000u
#define FSW_CC (FSW_C0 | FSW_C1 | FSW_C2 | FSW_C3)

/* The default NaN. */
#define X87_INDEFINITE ((struct blink_f80){.frac = UINT64_C(0xc000000000000000), .se = 0xffff})

/* #NM, or with `waits` a pending #MF; cpu->insn is set. May return, see x87_pending. */
void x87_refuse(struct blink_cpu *cpu, bool waits);
/* A pending exception: #MF. With CR0.NE clear an interrupt line reports it, and this returns. */
void x87_pending(struct blink_cpu *cpu);

/*
 * Take the flags of an operation (FP_*, FSW_SF) into FSW. False if an unmasked one keeps the result
 * back: IE, DE and ZE; `memory` results also OE and UE.
 */
bool x87_unmasked(struct blink_cpu *cpu, uint32_t flags, bool memory);
static inline bool x87_flags(struct blink_cpu *cpu, uint32_t flags, bool memory) {
    if (__builtin_expect(flags & ~(uint32_t)cpu->fcw & 0x3f, 0))
        return x87_unmasked(cpu, flags, memory);
    cpu->fsw = (uint16_t)((cpu->fsw & ~FSW_C1) | flags);
    return true;
}

/* Stack faults: true if masked, the caller delivers the default NaN. */
bool x87_underflow(struct blink_cpu *cpu);
/* Push onto a full stack. */
void x87_overflow(struct blink_cpu *cpu);

/* After a load of FCW or FSW: ES and B follow from flags and masks. */
void x87_update_summary(struct blink_cpu *cpu);
void x87_init(struct blink_cpu *cpu);
void x87_clear(struct blink_cpu *cpu);

/* FSW with TOP. */
uint16_t x87_get_fsw(const struct blink_cpu *cpu);
void x87_set_fsw(struct blink_cpu *cpu, uint16_t fsw);

/*
 * The environment: 14 bytes with `small` (16-bit operand size), else 28, in the protected or the
 * real-mode form. Returns the size.
 */
uint32_t x87_store_env(const struct blink_cpu *cpu, bool small, uint8_t out[28]);
void x87_load_env(struct blink_cpu *cpu, bool small, const uint8_t in[28]);

/* ---- the stack ---- */

static inline struct blink_f80 *x87_st(struct blink_cpu *cpu, uint32_t n) {
    return &cpu->fpr[(cpu->ftop + n) & 7];
}
static inline bool x87_empty(const struct blink_cpu *cpu, uint32_t n) {
    return !(cpu->fvalid >> ((cpu->ftop + n) & 7) & 1);
}
/* By fields: the copy of a whole register would wait for the two stores that made it. */
static inline struct blink_f80 x87_get(struct blink_cpu *cpu, uint32_t n) {
    const struct blink_f80 *r = x87_st(cpu, n);
    return (struct blink_f80){.frac = r->frac, .se = r->se};
}
static inline void x87_set(struct blink_cpu *cpu, uint32_t n, uint64_t frac, uint32_t se) {
    struct blink_f80 *r = x87_st(cpu, n);
    r->frac = frac;
    r->se = (uint16_t)se;
    cpu->fvalid |= (uint8_t)(1u << ((cpu->ftop + n) & 7));
}
static inline void x87_put(struct blink_cpu *cpu, uint32_t n, struct blink_f80 v) {
    x87_set(cpu, n, v.frac, v.se);
}
static inline void x87_pop(struct blink_cpu *cpu) {
    cpu->fvalid &= (uint8_t) ~(1u << cpu->ftop);
    cpu->ftop = (cpu->ftop + 1) & 7;
}

/* Exceptions masked, 64 bits, nearest: what nearly all code runs with. */
static inline bool x87_default(const struct blink_cpu *cpu) {
    return (cpu->fcw & 0xf3f) == 0x33f;
}

static inline void x87_clear_c1(struct blink_cpu *cpu) {
    cpu->fsw &= (uint16_t)~FSW_C1;
}

/* Push a value that raises nothing. */
static inline void x87_push(struct blink_cpu *cpu, uint64_t frac, uint32_t se) {
    uint32_t top = (cpu->ftop - 1u) & 7;
    if (__builtin_expect(cpu->fvalid >> top & 1, 0)) {
        x87_overflow(cpu);
        return;
    }
    x87_clear_c1(cpu);
    cpu->ftop = (uint8_t)top;
    x87_set(cpu, 0, frac, se);
}
static inline void x87_push_value(struct blink_cpu *cpu, struct blink_f80 v) {
    x87_push(cpu, v.frac, v.se);
}

/* ---- operations on the top of the stack ---- */

typedef struct blink_f80 x87_unary(struct fp_ctx *c, struct blink_f80 a);
typedef struct blink_f80 x87_binary(struct fp_ctx *c, struct blink_f80 a, struct blink_f80 b);

/* ST(0) = f(ST(0)). */
void x87_one(struct blink_cpu *cpu, x87_unary *f);
/* ST(dst) = f(ST(0), ST(1)), after which the stack may be popped. */
void x87_two(struct blink_cpu *cpu, uint32_t dst, bool pops, x87_binary *f);
/* For what replaces ST(0) by two values: whether it is there and one more fits; else the stack
 * fault is dealt with. */
bool x87_room_for_two(struct blink_cpu *cpu);
/* ST(0) becomes `below`, and `top` is pushed. */
void x87_put_two(struct blink_cpu *cpu, struct blink_f80 below, struct blink_f80 top);

#endif
