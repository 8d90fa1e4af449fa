/*
 * The bus of one machine: ports, memory ranges, interrupt lines, timers, console. One lock; the
 * plugin-facing service is in <blink/bus.h>.
 */
#ifndef CORE_BUS_BUS_H
#define CORE_BUS_BUS_H

#include <blink/bus.h>
#include <stdbool.h>

struct blink_bus;

int bus_create(struct blink_bus **out);
void bus_destroy(struct blink_bus *bus);

/* Claims, see blink_bus_iface. */
int bus_claim_ports(struct blink_bus *bus, struct blink_plugin *self, uint16_t first,
                    uint32_t count, blink_bus_read read, blink_bus_write write);
int bus_claim_memory(struct blink_bus *bus, struct blink_plugin *self, uint64_t address,
                     uint64_t size, blink_bus_read read, blink_bus_write write);
void bus_release(struct blink_bus *bus, struct blink_plugin *self);

/* Port accesses of 1, 2 or 4 bytes; unclaimed ports read all ones. A wide access to ports of
 * different owners is split into bytes, as on the ISA bus. [vcpu] */
uint64_t bus_read_port(struct blink_bus *bus, uint16_t port, uint32_t size);
void bus_write_port(struct blink_bus *bus, uint16_t port, uint32_t size, uint64_t value);
bool bus_port_claimed(struct blink_bus *bus, uint16_t port, uint32_t size);

/* Memory-mapped ranges: true if `address` is claimed and the access was made. [vcpu] */
bool bus_read_memory(struct blink_bus *bus, uint64_t address, uint32_t size, uint64_t *out);
bool bus_write_memory(struct blink_bus *bus, uint64_t address, uint32_t size, uint64_t value);

/* Interrupt lines: latched levels. [any] */
int bus_set_irq(struct blink_bus *bus, uint32_t line, uint32_t level);
bool bus_irq_level(struct blink_bus *bus, uint32_t line);

/* Time since creation in nanoseconds, and timers. bus_run_timers calls what is due and returns
 * the nanoseconds until the next one, or -1. [vcpu] */
uint64_t bus_now(struct blink_bus *bus);
int bus_timer_start(struct blink_bus *bus, struct blink_plugin *self, uint64_t when,
                    blink_bus_timer call, void *arg, uint32_t *out);
void bus_timer_cancel(struct blink_bus *bus, uint32_t id);
int64_t bus_run_timers(struct blink_bus *bus);

#endif
