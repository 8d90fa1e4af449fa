/*
 * x87 state that does not depend on how memory is reached.
 */
#include "interp/x87/state.h"

#include <string.h>

#include "bus/bus.h"
#include "cpu/cpu.h"
#include "interp/interp.h"

/* Line of the coprocessor at the second interrupt controller of a PC. */
#define FERR_LINE 13

static void set_ferr(struct blink_cpu *cpu, uint32_t level) {
    struct interp_context *c = cpu->exec_private;
    if (!(cpu->cr0 & CR0_NE) && c->bus)
        bus_set_irq(c->bus, FERR_LINE, level);
}

void x87_pending(struct blink_cpu *cpu) {
    if (cpu->cr0 & CR0_NE)
        interp_raise(cpu, BLINK_EXC_MF, 0);
    /* AMD64 manual volume 2, 3.1.1: FERR# is asserted. The instruction goes on, as if IGNNE#
     * were, since the interrupt comes at the end of the block. */
    set_ferr(cpu, 1);
}

void x87_refuse(struct blink_cpu *cpu, bool waits) {
    if (cpu->cr0 & (CR0_EM | CR0_TS))
        interp_raise(cpu, BLINK_EXC_NM, 0);
    if (waits)
        x87_pending(cpu);
}

bool x87_unmasked(struct blink_cpu *cpu, uint32_t flags, bool memory) {
    uint32_t unmasked = flags & ~(uint32_t)cpu->fcw & 0x3f;
    uint32_t blocking = FP_IE | FP_DE | FP_ZE | (memory ? FP_OE | FP_UE : 0);
    /* What is found before the operation prevents it, and what comes after it. */
    if (unmasked & (FP_IE | FP_DE | FP_ZE))
        flags &= FP_IE | FP_DE | FP_ZE | FSW_SF;
    /* A result that is not stored is not rounded either. */
    else if (memory && (unmasked & (FP_OE | FP_UE)))
        flags &= ~(FP_PE | FP_C1);
    cpu->fsw = (uint16_t)((cpu->fsw & ~FSW_C1) | flags | FSW_ES | FSW_B);
    return !(unmasked & blocking);
}

bool x87_underflow(struct blink_cpu *cpu) {
    return x87_flags(cpu, FP_IE | FSW_SF, false);
}

void x87_overflow(struct blink_cpu *cpu) {
    bool masked = x87_flags(cpu, FP_IE | FSW_SF, false);
    cpu->fsw |= FSW_C1;
    if (masked) {
        cpu->ftop = (cpu->ftop - 1) & 7;
        cpu->fpr[cpu->ftop].frac = X87_INDEFINITE.frac;
        cpu->fpr[cpu->ftop].se = X87_INDEFINITE.se;
    }
}

void x87_update_summary(struct blink_cpu *cpu) {
    cpu->fsw &= (uint16_t) ~(FSW_ES | FSW_B);
    if (cpu->fsw & ~cpu->fcw & 0x3f)
        cpu->fsw |= FSW_ES | FSW_B;
    else
        set_ferr(cpu, 0);
}

void x87_clear(struct blink_cpu *cpu) {
    cpu->fsw &= FSW_CC;
    set_ferr(cpu, 0);
}

void x87_init(struct blink_cpu *cpu) {
    cpu->fcw = 0x37f;
    cpu->fsw = 0;
    cpu->ftop = 0;
    cpu->fvalid = 0;
    cpu->fop = 0;
    cpu->fcs = cpu->fds = 0;
    cpu->fip = cpu->fdp = 0;
    set_ferr(cpu, 0);
}

uint16_t x87_get_fsw(const struct blink_cpu *cpu) {
    return (uint16_t)(cpu->fsw | cpu->ftop << 11);
}

void x87_set_fsw(struct blink_cpu *cpu, uint16_t fsw) {
    cpu->ftop = fsw >> 11 & 7;
    cpu->fsw = fsw & (uint16_t)~0x3800u;
    x87_update_summary(cpu);
}

/* Two bits a physical register: valid, zero, special, empty. */
static uint16_t tag_word(const struct blink_cpu *cpu) {
    static const uint8_t tag_of[] = {
        [FP_CLASS_ZERO] = 1, [FP_CLASS_DENORMAL] = 2, [FP_CLASS_NORMAL] = 0,     [FP_CLASS_INF] = 2,
        [FP_CLASS_QNAN] = 2, [FP_CLASS_SNAN] = 2,     [FP_CLASS_UNSUPPORTED] = 2};
    uint32_t tags = 0;
    for (uint32_t r = 0; r < 8; r++)
        tags |= (cpu->fvalid >> r & 1 ? tag_of[fp80_class(cpu->fpr[r])] : 3u) << (2 * r);
    return (uint16_t)tags;
}

static void put16(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}
/* A word of the 32-bit form: the unused half is ones. */
static void put_word(uint8_t *p, uint32_t v) {
    put16(p, v);
    put16(p + 2, 0xffff);
}
static void put32(uint8_t *p, uint32_t v) {
    put16(p, v);
    put16(p + 2, v >> 16);
}
static uint32_t get16(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8;
}
static uint32_t get32(const uint8_t *p) {
    return get16(p) | get16(p + 2) << 16;
}

/* AMD64 manual volume 1, 6.2.6 and volume 2, 11.4.4. */
uint32_t x87_store_env(const struct blink_cpu *cpu, bool small, uint8_t out[28]) {
    bool protected = cpu->mode & BLINK_MODE_PROT;
    uint32_t ip = (uint32_t)cpu->fip, dp = (uint32_t)cpu->fdp, fop = cpu->fop & 0x7ff;
    if (!protected) {
        ip += cpu->fcs << 4;
        dp += cpu->fds << 4;
    }
    if (small) {
        put16(out, cpu->fcw);
        put16(out + 2, x87_get_fsw(cpu));
        put16(out + 4, tag_word(cpu));
        put16(out + 6, ip);
        put16(out + 8, protected ? cpu->fcs : (ip >> 16 & 15) << 12 | fop);
        put16(out + 10, dp);
        put16(out + 12, protected ? cpu->fds : (dp >> 16 & 15) << 12);
        return 14;
    }
    put_word(out, cpu->fcw);
    put_word(out + 4, x87_get_fsw(cpu));
    put_word(out + 8, tag_word(cpu));
    if (protected) {
        put32(out + 12, ip);
        put16(out + 16, cpu->fcs);
        put16(out + 18, fop);
        put32(out + 20, dp);
        put_word(out + 24, cpu->fds);
    } else {
        put_word(out + 12, ip);
        put32(out + 16, (ip >> 16) << 12 | fop);
        put_word(out + 20, dp);
        put32(out + 24, (dp >> 16) << 12);
    }
    return 28;
}

void x87_load_env(struct blink_cpu *cpu, bool small, const uint8_t in[28]) {
    bool protected = cpu->mode & BLINK_MODE_PROT;
    uint32_t step = small ? 2 : 4, tags = get16(in + 2 * step);
    const uint8_t *p = in + 3 * step;
    cpu->fvalid = 0;
    for (uint32_t r = 0; r < 8; r++)
        cpu->fvalid |= (uint8_t)(((tags >> (2 * r) & 3) != 3) << r);
    if (small && protected) {
        cpu->fip = get16(p);
        cpu->fcs = get16(p + 2);
        cpu->fdp = get16(p + 4);
        cpu->fds = get16(p + 6);
        cpu->fop = 0;
    } else if (small) {
        cpu->fip = get16(p) | (get16(p + 2) >> 12) << 16;
        cpu->fop = get16(p + 2) & 0x7ff;
        cpu->fdp = get16(p + 4) | (get16(p + 6) >> 12) << 16;
    } else if (protected) {
        cpu->fip = get32(p);
        cpu->fcs = get16(p + 4);
        cpu->fop = get16(p + 6) & 0x7ff;
        cpu->fdp = get32(p + 8);
        cpu->fds = get16(p + 12);
    } else {
        cpu->fip = get16(p) | (get32(p + 4) >> 12 & 0xffff) << 16;
        cpu->fop = get32(p + 4) & 0x7ff;
        cpu->fdp = get16(p + 8) | (get32(p + 12) >> 12 & 0xffff) << 16;
    }
    if (!protected)
        cpu->fcs = cpu->fds = 0;
    cpu->fcw = (uint16_t)((get16(in) & 0x1f7f) | 0x40);
    x87_set_fsw(cpu, (uint16_t)get16(in + step));
}
