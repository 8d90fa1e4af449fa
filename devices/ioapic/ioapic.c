/*
 * device-ioapic: an I/O APIC at FEC00000 with 24 inputs, as Intel's data sheets of the 82093AA and
 * of the chips after it have it (which add the EOI register). Interrupt line n of the bus is input
 * n, but for line 0, the timer, which is at input 2, as in every PC; input 0, for the 8259A pair,
 * is left open. Polarity is kept and makes no difference: lines are up when a device wants
 * something. Bus lock held, but for its life.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <blink/device.h>
#include <blink/host.h>

#define ADDRESS UINT64_C(0xfec00000)
#define WINDOW  4096u
#define INPUTS  24u

enum { AT_INDEX = 0x00, AT_DATA = 0x10, AT_EOI = 0x40 };
enum { REG_ID, REG_VERSION, REG_ARBITRATION, REG_TABLE = 0x10 };

#define VERSION (0x20u | (INPUTS - 1) << 16)

/* Entries of the table. */
#define ENTRY_VECTOR      0xffu
#define ENTRY_MESSAGE     0x8fffu /* what goes along: vector, modes, trigger */
#define ENTRY_STATUS      0x1000u /* of delivery: always done */
#define ENTRY_REMOTE      0x4000u /* taken, and its end is awaited */
#define ENTRY_LEVEL       0x8000u
#define ENTRY_MASKED      0x10000u
#define ENTRY_WRITTEN     0x1afffu
#define ENTRY_DESTINATION UINT64_C(0xff00000000000000)
#define MESSAGE_ASSERT    0x4000u

struct blink_plugin {
    const struct blink_host *host;
    struct blink_bus_iface bus;
    uint32_t index, id;
    uint64_t entry[INPUTS];
    uint32_t up; /* inputs, a bit each */
};

static bool send(struct blink_plugin *p, uint32_t n) {
    uint32_t destination = (uint32_t)(p->entry[n] >> 56);
    uint32_t command = (uint32_t)p->entry[n] & ENTRY_MESSAGE;
    return p->bus.message(p->host->machine, destination, command | MESSAGE_ASSERT) == 0;
}

/* A level is sent once until its end. */
static void send_level(struct blink_plugin *p, uint32_t n) {
    uint64_t *e = &p->entry[n];
    if (!(*e & ENTRY_LEVEL) || (*e & (ENTRY_MASKED | ENTRY_REMOTE)) || !(p->up >> n & 1))
        return;
    if (send(p, n))
        *e |= ENTRY_REMOTE;
}

/* An edge at a masked input is lost. */
static void set_line(struct blink_plugin *p, uint32_t line, uint32_t level) {
    uint32_t n = line == 0 ? 2 : line;
    if (line == 2 || line >= INPUTS)
        return;
    bool rises = level && !(p->up >> n & 1);
    p->up = level ? p->up | UINT32_C(1) << n : p->up & ~(UINT32_C(1) << n);
    if (p->entry[n] & ENTRY_LEVEL)
        send_level(p, n);
    else if (rises && !(p->entry[n] & ENTRY_MASKED))
        send(p, n);
}

static void end_of_interrupt(struct blink_plugin *p, uint32_t vector) {
    for (uint32_t n = 0; n < INPUTS; n++) {
        uint64_t *e = &p->entry[n];
        if (!(*e & ENTRY_LEVEL) || (*e & ENTRY_VECTOR) != vector)
            continue;
        *e &= ~(uint64_t)ENTRY_REMOTE;
        send_level(p, n);
    }
}

/* ---- registers ---- */

static uint32_t read_data(const struct blink_plugin *p) {
    uint32_t n = (p->index - REG_TABLE) / 2;
    if (p->index >= REG_TABLE && n < INPUTS)
        return (uint32_t)(p->entry[n] >> p->index % 2 * 32);
    switch (p->index) {
    case REG_ID:
    case REG_ARBITRATION: return p->id;
    case REG_VERSION: return VERSION;
    default: return 0;
    }
}

static void write_entry(struct blink_plugin *p, uint32_t n, bool high, uint32_t value) {
    uint64_t e = p->entry[n];
    if (high)
        e = (uint32_t)e | ((uint64_t)value << 32 & ENTRY_DESTINATION);
    else
        e = (e & (ENTRY_DESTINATION | ENTRY_REMOTE)) | (value & ENTRY_WRITTEN);
    /* By this, software ends a level where there is no EOI register. */
    if (!(e & ENTRY_LEVEL))
        e &= ~(uint64_t)ENTRY_REMOTE;
    p->entry[n] = e;
    send_level(p, n);
}

static void write_data(struct blink_plugin *p, uint32_t value) {
    uint32_t n = (p->index - REG_TABLE) / 2;
    if (p->index == REG_ID)
        p->id = value & 0x0f000000;
    else if (p->index >= REG_TABLE && n < INPUTS)
        write_entry(p, n, p->index % 2, value);
}

static uint64_t ioapic_read(struct blink_plugin *p, uint64_t offset, uint32_t size) {
    (void)size;
    switch (offset) {
    case AT_INDEX: return p->index;
    case AT_DATA: return read_data(p);
    default: return 0;
    }
}

static void ioapic_write(struct blink_plugin *p, uint64_t offset, uint32_t size, uint64_t value) {
    if (offset == AT_INDEX)
        p->index = value & 0xff;
    else if (offset == AT_DATA && size >= 4)
        write_data(p, (uint32_t)value);
    else if (offset == AT_EOI)
        end_of_interrupt(p, value & ENTRY_VECTOR);
}

/* ---- life ---- */

static void ioapic_reset(struct blink_plugin *p) {
    p->index = p->id = 0;
    for (uint32_t n = 0; n < INPUTS; n++)
        p->entry[n] = ENTRY_MASKED;
}

static int ioapic_create(const struct blink_host *host, const char *args,
                         struct blink_plugin **out) {
    static const struct blink_need needs[] = {{BLINK_NEED(BLINK_IFACE_BUS, bus)}};
    struct blink_plugin *p;
    int r = BLINK_CREATE(host, "device ioapic", args, needs, &p);
    if (r)
        return r;
    if (!p->bus.message) {
        blink_log(host, BLINK_LOG_ERROR,
                  "ioapic: this host's " BLINK_IFACE_BUS " knows no interrupt messages");
        free(p);
        return -ENOTSUP;
    }
    *out = p;
    return 0;
}

static void ioapic_destroy(struct blink_plugin *p) {
    free(p);
}

static void ioapic_deactivate(struct blink_plugin *p) {
    p->bus.release(p->host->machine, p);
    p->up = 0;
}

static int ioapic_activate(struct blink_plugin *p) {
    struct blink_machine *m = p->host->machine;
    ioapic_reset(p);
    int r = p->bus.claim_memory(m, p, ADDRESS, WINDOW, ioapic_read, ioapic_write);
    if (r == 0)
        r = p->bus.watch_lines(m, p, set_line, end_of_interrupt);
    if (r < 0)
        ioapic_deactivate(p);
    return r;
}

static const struct blink_device_ops ioapic_ops = {
    .plugin =
        {
            .struct_size = sizeof ioapic_ops,
            .create = ioapic_create,
            .destroy = ioapic_destroy,
            .activate = ioapic_activate,
            .deactivate = ioapic_deactivate,
        },
    .reset = ioapic_reset,
};

static const struct blink_manifest ioapic_manifest = {
    .struct_size = sizeof ioapic_manifest,
    .kind = BLINK_KIND_DEVICE,
    .name = "ioapic",
    .version = "0.1.0",
    .summary = "I/O APIC",
    .licence = "ISC",
    .vtable = &ioapic_ops,
};

BLINK_PLUGIN_DEFINE(&ioapic_manifest);
