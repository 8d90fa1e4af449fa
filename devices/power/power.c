/*
 * device-power: the ports by which a PC's software resets it, switches it off and moves the A20
 * gate: 0x92 (fast reset and A20), 0xCF9 (reset control), 0xF4 (exit with a status, as QEMU's
 * isa-debug-exit), 0x600 to 0x60B (power management as ACPI has it, where QEMU's PC has it) and
 * 0x8900 ("Shutdown", as in Bochs). Everything is the board's business (blink.system/1); the vCPU's
 * thread.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <blink/device.h>
#include <blink/host.h>
#include <blink/system.h>

#define PORT_A20      0x92u
#define PORT_EXIT     0xf4u
#define PORT_EVENT    0x600u
#define PORT_PM       0x604u
#define PORT_TIMER    0x608u
#define PORT_CONFIG   0xcf8u
#define PORT_SHUTDOWN 0x8900u

/* Port 0x92: bit 0 resets, bit 1 is the gate. */
#define A20_RESET 1u
#define A20_OPEN  2u
/* 0xCF9: a rise of bit 2 resets. A byte of its own in the address register of PCI's configuration,
 * of which there is none; who looks for PCI writes that one whole. */
#define AT_RESET  1u
#define RESET_CPU 4u
/* ACPI 6.4, 4.8.3. 0x604: the chips are in ACPI mode, always; sleep enable, whose type does not
 * matter. */
#define PM_ACPI    0x0001u
#define PM_WRITTEN 0x1c02u
#define PM_SLEEP   0x2000u
/* Events that can be enabled, none of which ever happens: timer, release, buttons, clock. */
#define EVENTS 0x0721u
#define TIMER  UINT64_C(3579545) /* ticks a second */
#define SECOND UINT64_C(1000000000)

static const char shutdown_text[] = "Shutdown";

struct blink_plugin {
    const struct blink_host *host;
    struct blink_bus_iface bus;
    struct blink_system_iface board;
    uint8_t a20, reset;
    uint16_t enabled, control; /* of power management */
    uint32_t matched;          /* characters of shutdown_text */
};

static uint64_t read_a20(struct blink_plugin *self, uint64_t offset, uint32_t size) {
    (void)offset, (void)size;
    uint32_t open = self->board.a20(self->host->machine);
    return (self->a20 & ~(A20_RESET | A20_OPEN)) | (open ? A20_OPEN : 0);
}

static void write_a20(struct blink_plugin *self, uint64_t offset, uint32_t size, uint64_t value) {
    (void)offset, (void)size;
    self->a20 = (uint8_t)value;
    self->board.set_a20(self->host->machine, value & A20_OPEN);
    if (value & A20_RESET)
        self->board.reset(self->host->machine);
}

static void write_exit(struct blink_plugin *self, uint64_t offset, uint32_t size, uint64_t value) {
    (void)size;
    if (offset == 0)
        self->board.power_off(self->host->machine, (int32_t)(value << 1 | 1) & 0xff);
}

static uint64_t read_event(struct blink_plugin *self, uint64_t offset, uint32_t size) {
    (void)size;
    return (uint64_t)self->enabled << 16 >> offset * 8;
}

/* The status, which is written to clear it, and what is enabled. */
static void write_event(struct blink_plugin *self, uint64_t offset, uint32_t size, uint64_t value) {
    for (uint32_t k = 0; k < size; k++) {
        uint32_t shift = (uint32_t)(offset + k - 2) * 8;
        if (offset + k < 2)
            continue;
        self->enabled = (uint16_t)(self->enabled & ~(0xffu << shift));
        self->enabled |= (uint16_t)((value >> k * 8 & 0xff) << shift & EVENTS);
    }
}

static uint64_t read_timer(struct blink_plugin *self, uint64_t offset, uint32_t size) {
    (void)size;
    uint64_t now = self->bus.now(self->host->machine);
    uint32_t count = (uint32_t)(now / SECOND * TIMER + now % SECOND * TIMER / SECOND);
    return count >> offset * 8;
}

static uint64_t read_pm(struct blink_plugin *self, uint64_t offset, uint32_t size) {
    (void)size;
    return (uint64_t)(self->control | PM_ACPI) >> offset * 8;
}

static void write_pm(struct blink_plugin *self, uint64_t offset, uint32_t size, uint64_t value) {
    uint64_t word = size == 1 && offset == 1 ? value << 8 : value;
    uint32_t kept = size > 1 ? 0 : offset ? 0xff : 0xff00;
    self->control = (uint16_t)((self->control & kept) | (word & PM_WRITTEN & ~kept));
    if (offset + size > 1 && (word & PM_SLEEP))
        self->board.power_off(self->host->machine, 0);
}

static uint64_t read_reset(struct blink_plugin *self, uint64_t offset, uint32_t size) {
    return size == 1 && offset == AT_RESET ? self->reset : UINT64_MAX;
}

static void write_reset(struct blink_plugin *self, uint64_t offset, uint32_t size, uint64_t value) {
    if (size != 1 || offset != AT_RESET)
        return;
    bool rises = (value & RESET_CPU) && !(self->reset & RESET_CPU);
    self->reset = (uint8_t)(value & ~RESET_CPU);
    if (rises)
        self->board.reset(self->host->machine);
}

static void write_shutdown(struct blink_plugin *self, uint64_t offset, uint32_t size,
                           uint64_t value) {
    (void)offset, (void)size;
    bool next = (uint8_t)value == (uint8_t)shutdown_text[self->matched];
    bool first = (uint8_t)value == (uint8_t)shutdown_text[0];
    self->matched = next ? self->matched + 1 : first ? 1 : 0;
    if (shutdown_text[self->matched] == 0) {
        self->matched = 0;
        self->board.power_off(self->host->machine, 0);
    }
}

static const struct {
    uint16_t first, count;
    blink_bus_read read;
    blink_bus_write write;
} ranges[] = {
    {PORT_A20, 1, read_a20, write_a20},       {PORT_EXIT, 4, NULL, write_exit},
    {PORT_EVENT, 4, read_event, write_event}, {PORT_PM, 2, read_pm, write_pm},
    {PORT_TIMER, 4, read_timer, NULL},        {PORT_CONFIG, 4, read_reset, write_reset},
    {PORT_SHUTDOWN, 1, NULL, write_shutdown},
};

static int create(const struct blink_host *host, const char *args, struct blink_plugin **out) {
    static const struct blink_need needs[] = {{BLINK_NEED(BLINK_IFACE_BUS, bus)},
                                              {BLINK_NEED(BLINK_IFACE_SYSTEM, board)}};
    return BLINK_CREATE(host, "device power", args, needs, out);
}

static void destroy(struct blink_plugin *self) {
    free(self);
}

static void deactivate(struct blink_plugin *self) {
    self->bus.release(self->host->machine, self);
}

static int activate(struct blink_plugin *self) {
    int rc = 0;
    for (size_t k = 0; k < sizeof ranges / sizeof ranges[0] && rc == 0; k++)
        rc = self->bus.claim_ports(self->host->machine, self, ranges[k].first, ranges[k].count,
                                   ranges[k].read, ranges[k].write);
    if (rc)
        deactivate(self);
    return rc;
}

static void reset(struct blink_plugin *self) {
    self->a20 = self->reset = 0;
    self->enabled = self->control = 0;
    self->matched = 0;
}

static const struct blink_device_ops ops = {
    .plugin = {.struct_size = sizeof ops,
               .create = create,
               .destroy = destroy,
               .activate = activate,
               .deactivate = deactivate},
    .reset = reset,
};

static const struct blink_manifest manifest = {
    .struct_size = sizeof manifest,
    .kind = BLINK_KIND_DEVICE,
    .name = "power",
    .version = "0.1.0",
    .summary = "reset, power and A20 ports of a PC",
    .licence = "ISC",
    .vtable = &ops,
};

BLINK_PLUGIN_DEFINE(&manifest);
