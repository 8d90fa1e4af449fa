/*
 * device-lapic: the local APIC of the first processor, registers at FEE00000 or where MSR APIC_BASE
 * says. Until software enables it the 8259A pair interrupts the processor as if it were not there,
 * which is how a BIOS leaves it. Bus lock held, but for its life.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <blink/device.h>

#include "lapic.h"

/* ---- vectors ---- */

static bool has(const struct vectors *v, uint32_t n) {
    return v->word[n / 32] >> n % 32 & 1;
}
static void set(struct vectors *v, uint32_t n, bool on) {
    uint32_t bit = UINT32_C(1) << n % 32;
    v->word[n / 32] = on ? v->word[n / 32] | bit : v->word[n / 32] & ~bit;
}
/* The highest, or -1. */
static int highest(const struct vectors *v) {
    for (int k = 7; k >= 0; k--)
        if (v->word[k])
            return k * 32 + 31 - __builtin_clz(v->word[k]);
    return -1;
}

/* ---- what waits ---- */

bool lapic_is_off(const struct blink_plugin *p) {
    return !(p->base & BASE_ENABLED) || !(p->svr & SVR_ENABLED);
}

/* 11.8.3.1 */
uint32_t lapic_ppr(const struct blink_plugin *p) {
    int serviced = highest(&p->isr);
    uint32_t class = serviced < 0 ? 0 : (uint32_t)serviced & 0xf0;
    return (p->tpr & 0xf0) >= class ? p->tpr : class;
}

/* The vector that goes to the processor, or -1. */
static int request(const struct blink_plugin *p) {
    int vector = highest(&p->irr);
    return vector >= 0 && ((uint32_t)vector & 0xf0) > (lapic_ppr(p) & 0xf0) ? vector : -1;
}

/* The 8259A pair's interrupt waits: it knows no priorities here. */
static bool external(const struct blink_plugin *p) {
    uint32_t lint0 = p->lvt[LVT_LINT0];
    if (lapic_is_off(p))
        return p->controller;
    return p->controller && (p->extint || (mode_of(lint0) == MODE_EXTINT && !(lint0 & LVT_MASKED)));
}

void lapic_update(struct blink_plugin *p) {
    bool waits = external(p) || (!lapic_is_off(p) && request(p) >= 0);
    p->bus.set_intr(p->host->machine, p, waits);
}

static uint32_t acknowledge(struct blink_plugin *p) {
    int vector = lapic_is_off(p) ? -1 : request(p);
    uint32_t taken = p->svr & CMD_VECTOR; /* spurious (11.9) */
    if (vector >= 0) {
        set(&p->irr, (uint32_t)vector, false);
        set(&p->isr, (uint32_t)vector, true);
        taken = (uint32_t)vector;
    } else if (external(p)) {
        p->extint = false;
        p->bus.acknowledge(p->host->machine, &taken);
    }
    lapic_update(p);
    return taken;
}

/* ---- what comes ---- */

static void accept(struct blink_plugin *p, uint32_t vector, bool level) {
    if (vector < 16) {
        lapic_error(p, ERROR_RECEIVE_VECTOR);
        return;
    }
    set(&p->irr, vector, true);
    set(&p->tmr, vector, level);
}

void lapic_deliver(struct blink_plugin *p, uint32_t command) {
    switch (mode_of(command)) {
    case MODE_FIXED:
    case MODE_LOWEST: accept(p, command & CMD_VECTOR, command & CMD_LEVEL); break;
    case MODE_NMI: p->board.take_nmi(p->host->machine); break;
    case MODE_EXTINT: p->extint = true; break;
    default: break; /* INIT, and what starts other processors; there is no SMM */
    }
    lapic_update(p);
}

void lapic_local(struct blink_plugin *p, uint32_t entry) {
    uint32_t *e = &p->lvt[entry], mode = entry < LVT_LINT0 ? MODE_FIXED : mode_of(*e);
    bool level = *e & CMD_LEVEL;
    if (lapic_is_off(p) || (*e & (LVT_MASKED | CMD_REMOTE)))
        return;
    /* Only a fixed interrupt has an end. */
    if (mode == MODE_FIXED && level)
        *e |= CMD_REMOTE;
    lapic_deliver(p, (*e & CMD_VECTOR) | mode << 8 | (level ? CMD_LEVEL : 0));
}

void lapic_error(struct blink_plugin *p, uint32_t error) {
    bool known = p->errors & error;
    p->errors |= error;
    if (!known)
        lapic_local(p, LVT_ERROR);
}

/* 11.8.5 */
void lapic_end(struct blink_plugin *p) {
    int vector = highest(&p->isr);
    uint32_t *lint0 = &p->lvt[LVT_LINT0];
    if (vector < 0)
        return;
    set(&p->isr, (uint32_t)vector, false);
    if (!has(&p->tmr, (uint32_t)vector))
        return;
    if ((*lint0 & CMD_REMOTE) && (*lint0 & CMD_VECTOR) == (uint32_t)vector) {
        *lint0 &= ~CMD_REMOTE;
        if (p->controller)
            lapic_local(p, LVT_LINT0);
    }
    p->bus.end_of_interrupt(p->host->machine, (uint32_t)vector);
}

bool lapic_is_meant(const struct blink_plugin *p, uint32_t destination, uint32_t command) {
    uint32_t own = (command & CMD_LOGICAL ? p->ldr : p->id) >> 24;
    if (destination == 0xff)
        return true;
    if (!(command & CMD_LOGICAL))
        return destination == own;
    if (p->dfr >> 28 == 0xf) /* flat model */
        return destination & own;
    return destination >> 4 == own >> 4 && (destination & own & 0xf);
}

static int message(struct blink_plugin *p, uint32_t destination, uint32_t command) {
    uint32_t mode = mode_of(command);
    if (!(p->base & BASE_ENABLED) || !lapic_is_meant(p, destination & 0xff, command))
        return -ENOENT;
    if (lapic_is_off(p) && mode != MODE_NMI)
        return -ENOENT;
    lapic_deliver(p, command);
    return 0;
}

/* ---- the processor's pins and registers ---- */

static void lint0(struct blink_plugin *p, uint32_t level) {
    p->controller = level;
    if (level && mode_of(p->lvt[LVT_LINT0]) != MODE_EXTINT)
        lapic_local(p, LVT_LINT0);
    lapic_update(p);
}

static uint32_t lint1(struct blink_plugin *p) {
    uint32_t e = p->lvt[LVT_LINT1];
    if (lapic_is_off(p) || (mode_of(e) == MODE_NMI && !(e & LVT_MASKED)))
        return 1;
    lapic_local(p, LVT_LINT1);
    return 0;
}

/* CR8 (11.8.6) */
static uint32_t priority(struct blink_plugin *p) {
    return p->tpr >> 4;
}
static void set_priority(struct blink_plugin *p, uint32_t value) {
    p->tpr = (value & 15) << 4;
    lapic_update(p);
}

static int place(struct blink_plugin *p, uint64_t base) {
    struct blink_machine *m = p->host->machine;
    uint64_t at = base & BASE_ADDRESS;
    int r = 0;
    if (p->claimed)
        p->bus.unclaim_memory(m, p, p->base & BASE_ADDRESS);
    p->base = base & (BASE_ADDRESS | BASE_ENABLED);
    if (base & BASE_ENABLED)
        r = p->bus.claim_memory(m, p, at, WINDOW, lapic_read, lapic_write);
    p->claimed = (base & BASE_ENABLED) && r == 0;
    return r;
}

/* 11.4.3 and 11.4.4 */
static void set_base(struct blink_plugin *p, uint64_t value) {
    bool was_on = p->base & BASE_ENABLED;
    if (((value ^ p->base) & (BASE_ADDRESS | BASE_ENABLED)) == 0)
        return;
    int r = place(p, value);
    if (r < 0)
        blink_log(p->host, BLINK_LOG_INFO, "lapic: its registers cannot be at %#llx: %s",
                  (unsigned long long)(value & BASE_ADDRESS), strerror(-r));
    if (was_on && !(value & BASE_ENABLED))
        lapic_clear(p);
    lapic_update(p);
}

/* ---- life ---- */

void lapic_clear(struct blink_plugin *p) {
    timer_stop(p);
    memset(&p->irr, 0, sizeof p->irr);
    memset(&p->isr, 0, sizeof p->isr);
    memset(&p->tmr, 0, sizeof p->tmr);
    memset(p->command, 0, sizeof p->command);
    p->id = p->tpr = p->ldr = p->esr = p->errors = 0;
    p->initial = p->divide = 0;
    p->extint = false;
    p->dfr = UINT32_MAX;
    p->svr = 0xff;
    for (uint32_t k = 0; k < LVT_COUNT; k++)
        p->lvt[k] = LVT_MASKED;
}

static void lapic_reset(struct blink_plugin *p) {
    lapic_clear(p);
    set_base(p, APIC_BASE | BASE_ENABLED);
    lapic_update(p);
}

static int lapic_create(const struct blink_host *host, const char *args,
                        struct blink_plugin **out) {
    static const struct blink_need needs[] = {{BLINK_NEED(BLINK_IFACE_BUS, bus)},
                                              {BLINK_NEED(BLINK_IFACE_SYSTEM, board)}};
    struct blink_plugin *p;
    int r = BLINK_CREATE(host, "device lapic", args, needs, &p);
    if (r)
        return r;
    if (!p->bus.unclaim_memory || !p->board.take_nmi) {
        blink_log(host, BLINK_LOG_ERROR, "lapic: this host knows no local APICs");
        free(p);
        return -ENOTSUP;
    }
    *out = p;
    return 0;
}

static void lapic_destroy(struct blink_plugin *p) {
    free(p);
}

static void lapic_deactivate(struct blink_plugin *p) {
    timer_stop(p);
    p->bus.release(p->host->machine, p);
    p->claimed = p->controller = false;
    p->base = 0;
}

static int lapic_activate(struct blink_plugin *p) {
    static const struct blink_bus_apic ops = {
        .struct_size = sizeof ops,
        .lint0 = lint0,
        .lint1 = lint1,
        .acknowledge = acknowledge,
        .message = message,
        .set_base = set_base,
        .priority = priority,
        .set_priority = set_priority,
    };
    lapic_clear(p);
    int r = place(p, APIC_BASE | BASE_ENABLED);
    if (r == 0)
        r = p->bus.set_apic(p->host->machine, p, &ops);
    if (r < 0)
        lapic_deactivate(p);
    return r;
}

static const struct blink_device_ops lapic_ops = {
    .plugin =
        {
            .struct_size = sizeof lapic_ops,
            .create = lapic_create,
            .destroy = lapic_destroy,
            .activate = lapic_activate,
            .deactivate = lapic_deactivate,
        },
    .reset = lapic_reset,
};

static const struct blink_manifest lapic_manifest = {
    .struct_size = sizeof lapic_manifest,
    .kind = BLINK_KIND_DEVICE,
    .name = "lapic",
    .version = "0.1.0",
    .summary = "local APIC",
    .licence = "ISC",
    .vtable = &lapic_ops,
};

BLINK_PLUGIN_DEFINE(&lapic_manifest);
