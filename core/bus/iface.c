/*
 * The service "blink.bus/1": the bus as plugins see it, found by their machine.
 */
#include <errno.h>

#include "bus/bus.h"

static int claim_ports(struct blink_machine *machine, struct blink_plugin *self, uint16_t first,
                       uint32_t count, blink_bus_read read, blink_bus_write write) {
    return bus_claim_ports(machine_bus(machine), self, first, count, read, write);
}

static int claim_memory(struct blink_machine *machine, struct blink_plugin *self, uint64_t address,
                        uint64_t size, blink_bus_read read, blink_bus_write write) {
    return bus_claim_memory(machine_bus(machine), self, address, size, read, write);
}

static void release(struct blink_machine *machine, struct blink_plugin *self) {
    bus_release(machine_bus(machine), self);
}

static int set_irq(struct blink_machine *machine, uint32_t line, uint32_t level) {
    return bus_set_irq(machine_bus(machine), line, level);
}

static uint64_t now(struct blink_machine *machine) {
    return bus_now(machine_bus(machine));
}

static int timer_start(struct blink_machine *machine, struct blink_plugin *self, uint64_t when,
                       blink_bus_timer call, void *arg, uint32_t *out) {
    return bus_timer_start(machine_bus(machine), self, when, call, arg, out);
}

static void timer_cancel(struct blink_machine *machine, uint32_t id) {
    bus_timer_cancel(machine_bus(machine), id);
}

static int console_write(struct blink_machine *machine, const void *bytes, size_t size) {
    return bus_console_write(machine_bus(machine), bytes, size);
}

static int64_t console_read(struct blink_machine *machine, void *bytes, size_t size) {
    return bus_console_read(machine_bus(machine), bytes, size);
}

static int set_controller(struct blink_machine *machine, struct blink_plugin *self,
                          blink_bus_line line, blink_bus_acknowledge acknowledge) {
    return bus_set_controller(machine_bus(machine), self, line, acknowledge);
}

static int set_intr(struct blink_machine *machine, struct blink_plugin *self, uint32_t level) {
    return bus_set_intr(machine_bus(machine), self, level);
}

static uint64_t port_read(struct blink_machine *machine, uint16_t port, uint32_t size) {
    return bus_read_port(machine_bus(machine), port, size);
}

static void port_write(struct blink_machine *machine, uint16_t port, uint32_t size,
                       uint64_t value) {
    bus_write_port(machine_bus(machine), port, size, value);
}

static int memory_read(struct blink_machine *machine, uint64_t address, uint32_t size,
                       uint64_t *out) {
    return bus_read_memory(machine_bus(machine), address, size, out) ? 0 : -ENOENT;
}

static int memory_write(struct blink_machine *machine, uint64_t address, uint32_t size,
                        uint64_t value) {
    return bus_write_memory(machine_bus(machine), address, size, value) ? 0 : -ENOENT;
}

static int watch_lines(struct blink_machine *machine, struct blink_plugin *self,
                       blink_bus_line line, blink_bus_eoi eoi) {
    return bus_watch_lines(machine_bus(machine), self, line, eoi);
}

static int set_apic(struct blink_machine *machine, struct blink_plugin *self,
                    const struct blink_bus_apic *ops) {
    return bus_set_apic(machine_bus(machine), self, ops);
}

static int acknowledge(struct blink_machine *machine, uint32_t *vector) {
    return bus_take(machine_bus(machine), vector);
}

static int message(struct blink_machine *machine, uint32_t destination, uint32_t command) {
    return bus_message(machine_bus(machine), destination, command);
}

static void end_of_interrupt(struct blink_machine *machine, uint32_t vector) {
    bus_end_of_interrupt(machine_bus(machine), vector);
}

static void unclaim_memory(struct blink_machine *machine, struct blink_plugin *self,
                           uint64_t address) {
    bus_unclaim_memory(machine_bus(machine), self, address);
}

const struct blink_bus_iface bus_iface = {
    .struct_size = sizeof bus_iface,
    .claim_ports = claim_ports,
    .claim_memory = claim_memory,
    .release = release,
    .set_irq = set_irq,
    .now = now,
    .timer_start = timer_start,
    .timer_cancel = timer_cancel,
    .console_write = console_write,
    .console_read = console_read,
    .set_controller = set_controller,
    .set_intr = set_intr,
    .port_read = port_read,
    .port_write = port_write,
    .memory_read = memory_read,
    .memory_write = memory_write,
    .watch_lines = watch_lines,
    .set_apic = set_apic,
    .acknowledge = acknowledge,
    .message = message,
    .end_of_interrupt = end_of_interrupt,
    .unclaim_memory = unclaim_memory,
};
