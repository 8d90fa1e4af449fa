/*
 * device-pit: the 8254 timer of a PC at port 0x40, its first counter on interrupt line 0, its third
 * gated by port 0x61, where also the refresh clock shows. The speaker is counted for, not heard.
 * With the argument "bios" it begins as a PC's BIOS leaves it, ticking 18.2 times a second. Bus
 * lock held, but for its life.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <blink/device.h>
#include <blink/host.h>

#include "counter.h"

#define PORT_PIT    0x40
#define PORT_SYSTEM 0x61
#define IRQ         0
#define FREQUENCY   UINT64_C(1193182)
#define SECOND      UINT64_C(1000000000)
#define REFRESH_NS  UINT64_C(15085)

#define SYSTEM_GATE    0x01u
#define SYSTEM_WRITTEN 0x0fu
#define SYSTEM_REFRESH 0x10u
#define SYSTEM_OUT2    0x20u

/* Ticks that a machine could not take in time are made up for, but not more than this. */
#define LAG_MAX (FREQUENCY / 4)

struct blink_plugin {
    const struct blink_host *host;
    struct blink_bus_iface bus;
    struct counter counter[3];
    uint8_t system; /* port 0x61 as written */
    uint32_t timer; /* 0: not running */
    uint64_t due;   /* tick of the timer */
    bool bios;
};

static uint64_t ticks(const struct blink_plugin *p) {
    uint64_t now = p->bus.now(p->host->machine);
    return now / SECOND * FREQUENCY + now % SECOND * FREQUENCY / SECOND;
}

/* The first nanosecond of a tick. */
static uint64_t nanoseconds(uint64_t tick) {
    return tick / FREQUENCY * SECOND + (tick % FREQUENCY * SECOND + FREQUENCY - 1) / FREQUENCY;
}

/* ---- interrupt line ---- */

static void fire(struct blink_plugin *p, void *arg);

static void stop(struct blink_plugin *p) {
    p->bus.timer_cancel(p->host->machine, p->timer);
    p->timer = 0;
}

/* Wait for the next edge after tick `t`. */
static void schedule(struct blink_plugin *p, uint64_t t) {
    stop(p);
    p->due = counter_next_edge(&p->counter[0], t);
    if (p->due == PIT_NEVER)
        return;
    int r = p->bus.timer_start(p->host->machine, p, nanoseconds(p->due), fire, NULL, &p->timer);
    if (r < 0) {
        p->timer = 0;
        blink_log(p->host, BLINK_LOG_WARN, "pit: no timer: %s", strerror(-r));
    }
}

static void fire(struct blink_plugin *p, void *arg) {
    uint64_t now = ticks(p), due = p->due;
    (void)arg;
    p->timer = 0;
    p->bus.set_irq(p->host->machine, IRQ, 0);
    p->bus.set_irq(p->host->machine, IRQ, 1);
    schedule(p, now > due && now - due > LAG_MAX ? now : due);
}

/* Counter 0 was written to. Its output is low while it counts in mode 0; the other pulses are made
 * when they end. */
static void restart(struct blink_plugin *p, uint64_t t) {
    struct counter *c = &p->counter[0];
    p->bus.set_irq(p->host->machine, IRQ, c->mode || counter_output(c, t));
    schedule(p, t);
}

/* ---- ports ---- */

static void write_control(struct blink_plugin *p, uint64_t t, uint8_t word) {
    uint32_t which = word >> 6;
    if (which == 3) { /* read back */
        for (uint32_t k = 0; k < 3; k++) {
            if ((word & 2u << k) && !(word & 0x20))
                counter_latch_count(&p->counter[k], t);
            if ((word & 2u << k) && !(word & 0x10))
                counter_latch_status(&p->counter[k], t);
        }
    } else if (!(word & 0x30)) {
        counter_latch_count(&p->counter[which], t);
    } else {
        counter_program(&p->counter[which], word);
        if (which == 0)
            restart(p, t);
    }
}

static uint64_t pit_read(struct blink_plugin *p, uint64_t offset, uint32_t size) {
    uint64_t t = ticks(p), value = 0;
    for (uint32_t k = 0; k < size && offset + k < 4; k++)
        value |= (uint64_t)(offset + k < 3 ? counter_read(&p->counter[offset + k], t) : 0xff)
                 << k * 8;
    return value;
}

static void pit_write(struct blink_plugin *p, uint64_t offset, uint32_t size, uint64_t value) {
    uint64_t t = ticks(p);
    for (uint32_t k = 0; k < size && offset + k < 4; k++) {
        uint8_t byte = (uint8_t)(value >> k * 8);
        if (offset + k == 3) {
            write_control(p, t, byte);
            continue;
        }
        counter_write(&p->counter[offset + k], t, byte);
        if (offset + k == 0)
            restart(p, t);
    }
}

static uint64_t system_read(struct blink_plugin *p, uint64_t offset, uint32_t size) {
    (void)offset, (void)size;
    bool refresh = p->bus.now(p->host->machine) / REFRESH_NS & 1;
    return p->system | (refresh ? SYSTEM_REFRESH : 0) |
           (counter_output(&p->counter[2], ticks(p)) ? SYSTEM_OUT2 : 0);
}

static void system_write(struct blink_plugin *p, uint64_t offset, uint32_t size, uint64_t value) {
    (void)offset, (void)size;
    p->system = value & SYSTEM_WRITTEN;
    counter_set_gate(&p->counter[2], ticks(p), value & SYSTEM_GATE);
}

/* ---- life ---- */

static void pit_reset(struct blink_plugin *p) {
    uint64_t t = ticks(p);
    stop(p);
    p->system = 0;
    for (uint32_t k = 0; k < 3; k++) {
        p->counter[k].gate = k < 2;
        counter_program(&p->counter[k], 0x30);
    }
    p->bus.set_irq(p->host->machine, IRQ, 0);
    if (!p->bios)
        return;
    counter_program(&p->counter[0], 0x36);
    counter_program(&p->counter[1], 0x14);
    counter_write(&p->counter[0], t, 0);
    counter_write(&p->counter[0], t, 0);
    counter_write(&p->counter[1], t, 18);
    restart(p, t);
}

static int pit_create(const struct blink_host *host, const char *args, struct blink_plugin **out) {
    if (*args && strcmp(args, "bios")) {
        blink_log(host, BLINK_LOG_ERROR, "pit: %s: not an argument; there is bios alone", args);
        return -EINVAL;
    }
    static const struct blink_need needs[] = {{BLINK_NEED(BLINK_IFACE_BUS, bus)}};
    int r = BLINK_CREATE(host, "device pit", NULL, needs, out);
    if (r == 0)
        (*out)->bios = *args;
    return r;
}

static void pit_destroy(struct blink_plugin *p) {
    free(p);
}

static int pit_activate(struct blink_plugin *p) {
    struct blink_machine *m = p->host->machine;
    int r = p->bus.claim_ports(m, p, PORT_PIT, 4, pit_read, pit_write);
    if (r == 0)
        r = p->bus.claim_ports(m, p, PORT_SYSTEM, 1, system_read, system_write);
    if (r < 0)
        p->bus.release(m, p);
    else
        pit_reset(p);
    return r;
}

static void pit_deactivate(struct blink_plugin *p) {
    stop(p);
    p->bus.set_irq(p->host->machine, IRQ, 0);
    p->bus.release(p->host->machine, p);
}

static const struct blink_device_ops pit_ops = {
    .plugin =
        {
            .struct_size = sizeof pit_ops,
            .create = pit_create,
            .destroy = pit_destroy,
            .activate = pit_activate,
            .deactivate = pit_deactivate,
        },
    .reset = pit_reset,
};

static const struct blink_manifest pit_manifest = {
    .struct_size = sizeof pit_manifest,
    .kind = BLINK_KIND_DEVICE,
    .name = "pit",
    .version = "0.1.0",
    .summary = "8254 timer",
    .licence = "ISC",
    .vtable = &pit_ops,
};

BLINK_PLUGIN_DEFINE(&pit_manifest);
