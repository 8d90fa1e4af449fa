/*
 * The bus of one machine: ports, memory ranges, interrupt lines, timers, console. One lock; the
 * plugin-facing service is in <blink/bus.h>.
 */
#ifndef CORE_BUS_BUS_H
#define CORE_BUS_BUS_H

#include <blink/bus.h>
#include <blink/disk.h>
#include <blink/display.h>
#include <stdbool.h>

struct blink_bus;

int bus_create(struct blink_bus **out);
void bus_destroy(struct blink_bus *bus);

/* The bus of a machine: the service finds it by this. Defined by the machine. */
struct blink_bus *machine_bus(struct blink_machine *machine);
/* The services "blink.bus/1", "blink.display/1" and "blink.disk/1". */
extern const struct blink_bus_iface bus_iface;
extern const struct blink_display_iface display_iface;
extern const struct blink_disk_iface disk_iface;

/* Set up before devices are activated: that memory can be claimed (of system software only, not at
 * first), with whom to tell of ranges that come and go; and the file descriptors of the console (0
 * and 1 at first, never closed). [main] */
typedef void bus_memory_claimed(void *arg, uint64_t first, uint64_t last, bool claimed);
void bus_allow_memory(struct blink_bus *bus, bus_memory_claimed *tell, void *arg);
void bus_set_console(struct blink_bus *bus, int input, int output);

/* Something a vCPU should know of happened: BLINK_ATTN_IRQ, the level of a line changed,
 * or of the interrupt controller's output if there is one; BLINK_ATTN_TIMER, bus_run_timers has to
 * be asked sooner than it last said. Called with the bus lock held; must not call the bus. [any] */
typedef void bus_notify(void *arg, uint32_t attention);
void bus_set_notify(struct blink_bus *bus, bus_notify *notify, void *arg);

/* Around fork, so that no other thread is inside the bus meanwhile: before it, and after it in
 * the parent (also if it failed). */
void bus_before_fork(struct blink_bus *bus);
void bus_fork_parent(struct blink_bus *bus);
/* After fork in the child. */
void bus_after_fork(struct blink_bus *bus);

/* Claims, see blink_bus_iface. */
int bus_claim_ports(struct blink_bus *bus, struct blink_plugin *self, uint16_t first,
                    uint32_t count, blink_bus_read read, blink_bus_write write);
int bus_claim_memory(struct blink_bus *bus, struct blink_plugin *self, uint64_t address,
                     uint64_t size, blink_bus_read read, blink_bus_write write);
void bus_unclaim_memory(struct blink_bus *bus, struct blink_plugin *self, uint64_t address);
void bus_release(struct blink_bus *bus, struct blink_plugin *self);

/* Port accesses of 1, 2 or 4 bytes; unclaimed ports read all ones, and there are none above
 * 65535. A wide access that one claim does not hold whole is split into bytes, as on the ISA bus.
 * [vcpu] */
uint64_t bus_read_port(struct blink_bus *bus, uint16_t port, uint32_t size);
void bus_write_port(struct blink_bus *bus, uint16_t port, uint32_t size, uint64_t value);
bool bus_port_claimed(struct blink_bus *bus, uint16_t port, uint32_t size);

/* Memory-mapped ranges: true if `address` is claimed and the access of up to 8 bytes was made,
 * in bytes where one claim does not hold it whole. [vcpu] */
bool bus_read_memory(struct blink_bus *bus, uint64_t address, uint32_t size, uint64_t *out);
bool bus_write_memory(struct blink_bus *bus, uint64_t address, uint32_t size, uint64_t value);

/* Interrupt lines: levels, latched if there is no interrupt controller to tell. [any] */
int bus_set_irq(struct blink_bus *bus, uint32_t line, uint32_t level);
bool bus_irq_level(struct blink_bus *bus, uint32_t line);

/* The interrupt controller, see blink_bus_iface. bus_intr: whether an interrupt waits for the first
 * vCPU; BLINK_ATTN_IRQ tells of each change. bus_acknowledge: it takes the interrupt, and *vector
 * is which; false if none waits any more. [vcpu] */
int bus_set_controller(struct blink_bus *bus, struct blink_plugin *self, blink_bus_line line,
                       blink_bus_acknowledge acknowledge);
int bus_set_intr(struct blink_bus *bus, struct blink_plugin *self, uint32_t level);
bool bus_intr(struct blink_bus *bus);
bool bus_acknowledge(struct blink_bus *bus, uint32_t *vector);

/* Who watches lines, messages, and the local APIC, see blink_bus_iface. */
int bus_watch_lines(struct blink_bus *bus, struct blink_plugin *self, blink_bus_line line,
                    blink_bus_eoi eoi);
int bus_set_apic(struct blink_bus *bus, struct blink_plugin *self,
                 const struct blink_bus_apic *ops);
int bus_take(struct blink_bus *bus, uint32_t *vector);
int bus_message(struct blink_bus *bus, uint32_t destination, uint32_t command);
void bus_end_of_interrupt(struct blink_bus *bus, uint32_t vector);

/* The local APIC as the processor has it; false, or nothing, where there is none. bus_nmi: the
 * board has a non-maskable interrupt; whether the processor is to take it as one. [vcpu] but
 * bus_nmi and bus_has_apic, which are [any] */
bool bus_has_apic(struct blink_bus *bus);
void bus_set_apic_base(struct blink_bus *bus, uint64_t value);
bool bus_priority(struct blink_bus *bus, uint32_t *out);
bool bus_set_priority(struct blink_bus *bus, uint32_t priority);
bool bus_nmi(struct blink_bus *bus);

/* Time since creation in nanoseconds, and timers. bus_run_timers calls what is due, in order of
 * time, but not what those calls start anew, and returns the nanoseconds until the next one, or
 * -1. [vcpu] */
/* Where the time comes from, in place of the host's clock since creation. [main] */
void bus_set_clock(struct blink_bus *bus, uint64_t (*now)(void *arg), void *arg);
uint64_t bus_now(struct blink_bus *bus);
int bus_timer_start(struct blink_bus *bus, struct blink_plugin *self, uint64_t when,
                    blink_bus_timer call, void *arg, uint32_t *out);
void bus_timer_cancel(struct blink_bus *bus, uint32_t id);
int64_t bus_run_timers(struct blink_bus *bus);

/* The console, see blink_bus_iface. [any] */
int bus_console_write(struct blink_bus *bus, const void *bytes, size_t size);
int64_t bus_console_read(struct blink_bus *bus, void *bytes, size_t size);

#endif
