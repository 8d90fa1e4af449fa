/*
 * The registers of the local APIC (11.4.1): each is 32 bits at an address that 16 divides, and is
 * accessed whole. Bus lock held.
 */
#include "lapic.h"

enum {
    REG_ID = 0x02,
    REG_VERSION = 0x03,
    REG_TPR = 0x08,
    REG_PPR = 0x0a,
    REG_EOI = 0x0b,
    REG_LDR = 0x0d,
    REG_DFR = 0x0e,
    REG_SVR = 0x0f,
    REG_ISR = 0x10,
    REG_TMR = 0x18,
    REG_IRR = 0x20,
    REG_ESR = 0x28,
    REG_ICR_LOW = 0x30,
    REG_ICR_HIGH = 0x31,
    REG_LVT = 0x32,
    REG_INITIAL = 0x38,
    REG_CURRENT = 0x39,
    REG_DIVIDE = 0x3e,
};

/* Integrated in the processor; the last entry of the local vector table. */
#define VERSION (0x14u | (LVT_COUNT - 1) << 16)

#define SHORTHAND_SELF   1u
#define SHORTHAND_ALL    2u
#define SHORTHAND_OTHERS 3u

/* What can be written of the entries of the local vector table. */
static const uint32_t lvt_written[LVT_COUNT] = {
    [LVT_TIMER] = LVT_PERIODS | LVT_MASKED | 0xff,
    [LVT_THERMAL] = LVT_MASKED | 0x7ff,
    [LVT_COUNTERS] = LVT_MASKED | 0x7ff,
    [LVT_LINT0] = LVT_MASKED | 0xa7ff,
    [LVT_LINT1] = LVT_MASKED | 0xa7ff,
    [LVT_ERROR] = LVT_MASKED | 0xff,
};

static uint32_t read_register(struct blink_plugin *p, uint32_t n) {
    if (n >= REG_ISR && n < REG_ISR + 8)
        return p->isr.word[n - REG_ISR];
    if (n >= REG_TMR && n < REG_TMR + 8)
        return p->tmr.word[n - REG_TMR];
    if (n >= REG_IRR && n < REG_IRR + 8)
        return p->irr.word[n - REG_IRR];
    if (n >= REG_LVT && n < REG_LVT + LVT_COUNT)
        return p->lvt[n - REG_LVT];
    switch (n) {
    case REG_ID: return p->id;
    case REG_VERSION: return VERSION;
    case REG_TPR: return p->tpr;
    case REG_PPR: return lapic_ppr(p);
    case REG_EOI: return 0;
    case REG_LDR: return p->ldr;
    case REG_DFR: return p->dfr;
    case REG_SVR: return p->svr;
    case REG_ESR: return p->esr;
    case REG_ICR_LOW: return p->command[0];
    case REG_ICR_HIGH: return p->command[1];
    case REG_INITIAL: return p->initial;
    case REG_CURRENT: return timer_count(p);
    case REG_DIVIDE: return p->divide;
    default: lapic_error(p, ERROR_REGISTER); return 0;
    }
}

/* Interrupts to other processors, of which there are none, are lost; a level is no more than INIT's
 * (11.6.1). */
static void send(struct blink_plugin *p, uint32_t command) {
    uint32_t mode = mode_of(command), shorthand = command >> 18 & 3;
    p->command[0] = command & 0x000ccfff;
    if ((mode == MODE_FIXED || mode == MODE_LOWEST) && (command & CMD_VECTOR) < 16) {
        lapic_error(p, ERROR_SEND_VECTOR);
        return;
    }
    command &= CMD_VECTOR | 0x700 | CMD_LOGICAL;
    if (shorthand == 0)
        p->bus.message(p->host->machine, p->command[1] >> 24, command);
    else if (shorthand != SHORTHAND_OTHERS)
        lapic_deliver(p, command);
}

static void write_svr(struct blink_plugin *p, uint32_t value) {
    p->svr = value & 0x3ff;
    for (uint32_t k = 0; k < LVT_COUNT && !(value & SVR_ENABLED); k++)
        p->lvt[k] |= LVT_MASKED;
}

static void write_lvt(struct blink_plugin *p, uint32_t n, uint32_t value) {
    uint32_t remote = p->lvt[n] & CMD_REMOTE;
    p->lvt[n] = value & lvt_written[n];
    /* What is masked or triggered by an edge has no level in service. */
    if ((p->lvt[n] & CMD_LEVEL) && !(value & LVT_MASKED))
        p->lvt[n] |= remote;
    if (!(p->svr & SVR_ENABLED))
        p->lvt[n] |= LVT_MASKED;
}

static void write_register(struct blink_plugin *p, uint32_t n, uint32_t value) {
    if (n >= REG_LVT && n < REG_LVT + LVT_COUNT) {
        write_lvt(p, n - REG_LVT, value);
        return;
    }
    switch (n) {
    case REG_ID: p->id = value & 0xff000000; break;
    case REG_TPR: p->tpr = value & 0xff; break;
    case REG_EOI: lapic_end(p); break;
    case REG_LDR: p->ldr = value & 0xff000000; break;
    case REG_DFR: p->dfr = value | 0x0fffffff; break;
    case REG_SVR: write_svr(p, value); break;
    case REG_ESR:
        p->esr = p->errors;
        p->errors = 0;
        break;
    case REG_ICR_LOW: send(p, value); break;
    case REG_ICR_HIGH: p->command[1] = value & 0xff000000; break;
    case REG_INITIAL:
        p->initial = value;
        timer_start(p, value);
        break;
    case REG_DIVIDE: timer_divide(p, value); break;
    case REG_VERSION:
    case REG_PPR:
    case REG_CURRENT: break;
    default:
        if (n < REG_ISR || n >= REG_ESR)
            lapic_error(p, ERROR_REGISTER);
        break;
    }
}

uint64_t lapic_read(struct blink_plugin *p, uint64_t offset, uint32_t size) {
    (void)size;
    if (offset % 16 >= 4)
        return 0;
    return read_register(p, (uint32_t)offset / 16) >> offset % 16 * 8;
}

void lapic_write(struct blink_plugin *p, uint64_t offset, uint32_t size, uint64_t value) {
    if (offset % 16 || size < 4)
        return;
    write_register(p, (uint32_t)offset / 16, (uint32_t)value);
    lapic_update(p);
}
