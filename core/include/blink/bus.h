/*
 * Service "blink.bus/1": port and memory-mapped I/O, interrupt lines, timers and the console.
 * For devices.
 */
#ifndef BLINK_BUS_H
#define BLINK_BUS_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BLINK_IFACE_BUS "blink.bus/1"

/* Handlers of a claimed range. `offset` is relative to the range's start, `size` 1, 2, 4 or 8
 * bytes. Called with the bus lock held: one access at a time in the machine. Bits of the result
 * above `size` are ignored. Either handler may be NULL: reads give all ones, writes do nothing.
 * [vcpu] */
typedef uint64_t (*blink_bus_read)(struct blink_plugin *self, uint64_t offset, uint32_t size);
typedef void (*blink_bus_write)(struct blink_plugin *self, uint64_t offset, uint32_t size,
                                uint64_t value);

/* Called when a timer is due, with the bus lock held. [vcpu] */
typedef void (*blink_bus_timer)(struct blink_plugin *self, void *arg);

/* What an interrupt controller gives to set_controller. `line`: the level of interrupt line `line`
 * is now `level`, 0 or 1. `acknowledge`: the first vCPU takes the interrupt that waits; the answer
 * is its vector, 0 to 255. Called with the bus lock held. [any] and [vcpu] */
typedef void (*blink_bus_line)(struct blink_plugin *self, uint32_t line, uint32_t level);
typedef uint32_t (*blink_bus_acknowledge)(struct blink_plugin *self);

/* What an I/O APIC gives to watch_lines, beside a `line` as above: a local APIC ends a
 * level-triggered interrupt of this vector. Called with the bus lock held. [vcpu] */
typedef void (*blink_bus_eoi)(struct blink_plugin *self, uint32_t vector);

/*
 * What a local APIC gives to set_apic; the one of the first vCPU. It stands between the interrupt
 * controller and the processor. Called with the bus lock held. Intel SDM volume 3, chapter 11.
 */
struct blink_bus_apic {
    uint32_t struct_size;
    uint32_t reserved;
    /* The output of the interrupt controller, at LINT0, is now `level`, 0 or 1. [any] */
    void (*lint0)(struct blink_plugin *self, uint32_t level);
    /* The board has a non-maskable interrupt, at LINT1: 1 if the processor is to take it as one.
     * [any] */
    uint32_t (*lint1)(struct blink_plugin *self);
    /* The processor takes the interrupt that waits: its vector, 0 to 255. [vcpu] */
    uint32_t (*acknowledge)(struct blink_plugin *self);
    /* An interrupt message, see blink_bus_iface.message: 0 if it was for this one and taken,
     * -ENOENT. [any] */
    int (*message)(struct blink_plugin *self, uint32_t destination, uint32_t command);
    /* MSR APIC_BASE is now `value`: enabled or not, and where. Called after reset, too. [vcpu] */
    void (*set_base)(struct blink_plugin *self, uint64_t value);
    /* The task priority as CR8 has it, 0 to 15: bits 7:4 of TPR. [vcpu] */
    uint32_t (*priority)(struct blink_plugin *self);
    void (*set_priority)(struct blink_plugin *self, uint32_t priority);
};

struct blink_bus_iface {
    uint32_t struct_size;
    uint32_t reserved;
    /* Claim ports first..first+count-1 (of 65536). -EBUSY if another device has one, -EINVAL.
     * Reading an unclaimed port gives all ones. A user program (CPL 3 under an ABI) may use
     * claimed ports, as after ioperm(2); others raise #GP. [main] [safepoint] */
    int (*claim_ports)(struct blink_machine *machine, struct blink_plugin *self, uint16_t first,
                       uint32_t count, blink_bus_read read, blink_bus_write write);
    /* Claim physical addresses, page-aligned, paged memory only (-ENOTSUP otherwise). -EBUSY,
     * -EINVAL. [main] [safepoint] */
    int (*claim_memory)(struct blink_machine *machine, struct blink_plugin *self, uint64_t address,
                        uint64_t size, blink_bus_read read, blink_bus_write write);
    /* Give up all ranges and timers of this device. [main] [safepoint] */
    void (*release)(struct blink_machine *machine, struct blink_plugin *self);
    /* Set the level of interrupt line 0-255: to the interrupt controller if the machine has one,
     * otherwise latched. [any] */
    int (*set_irq)(struct blink_machine *machine, uint32_t line, uint32_t level);
    /* Time of the machine in nanoseconds since its start. [any] */
    uint64_t (*now)(struct blink_machine *machine);
    /* Call `call` once at time `when`; *out is an id for cancel. -ENOMEM. [vcpu] [main] */
    int (*timer_start)(struct blink_machine *machine, struct blink_plugin *self, uint64_t when,
                       blink_bus_timer call, void *arg, uint32_t *out);
    /* Cancel; an unknown id is fine. [vcpu] [main] */
    void (*timer_cancel)(struct blink_machine *machine, uint32_t id);
    /* Bytes to the machine's console (standard output unless a frontend has taken it). [any] */
    int (*console_write)(struct blink_machine *machine, const void *bytes, size_t size);
    /* Bytes from the console without waiting: number read, 0 if none, -EPIPE at its end. [any] */
    int64_t (*console_read)(struct blink_machine *machine, void *bytes, size_t size);
    /* Be the interrupt controller of the machine until release. Lines that are up are told of
     * before it returns. -EBUSY if there is another, -EINVAL without both methods. [main]
     * [safepoint] */
    int (*set_controller)(struct blink_machine *machine, struct blink_plugin *self,
                          blink_bus_line line, blink_bus_acknowledge acknowledge);
    /* The controller's output: 1 while an interrupt waits, else 0. It goes to the local APIC if
     * there is one, whose own output, set by the same method, goes to the first vCPU. -EPERM if
     * `self` is neither. [any] */
    int (*set_intr)(struct blink_machine *machine, struct blink_plugin *self, uint32_t level);
    /* What a guest's IN, OUT, or access to a device's physical address would do; for system
     * software. Ports take 1, 2 or 4 bytes, memory up to 8: -ENOENT where nobody has claimed it.
     * [vcpu] [main] */
    uint64_t (*port_read)(struct blink_machine *machine, uint16_t port, uint32_t size);
    void (*port_write)(struct blink_machine *machine, uint16_t port, uint32_t size, uint64_t value);
    int (*memory_read)(struct blink_machine *machine, uint64_t address, uint32_t size,
                       uint64_t *out);
    int (*memory_write)(struct blink_machine *machine, uint64_t address, uint32_t size,
                        uint64_t value);
    /* Be told of interrupt lines, too, as an I/O APIC is beside the interrupt controller, and of
     * ends of interrupts (may be NULL), until release. Lines that are up are told of before it
     * returns. -ENOSPC if too many are, -EINVAL without `line`. [main] [safepoint] */
    int (*watch_lines)(struct blink_machine *machine, struct blink_plugin *self,
                       blink_bus_line line, blink_bus_eoi eoi);
    /* Be the local APIC of the first vCPU until release. Every method is needed: -EINVAL. -EBUSY
     * if there is another. [main] [safepoint] */
    int (*set_apic)(struct blink_machine *machine, struct blink_plugin *self,
                    const struct blink_bus_apic *ops);
    /* For the local APIC, while the controller's output is up: take its interrupt, whose vector is
     * *vector. -ENOENT if none waits any more. [vcpu] */
    int (*acknowledge)(struct blink_machine *machine, uint32_t *vector);
    /* An interrupt message to local APICs: `destination` of 8 bits, `command` as the low half of
     * the interrupt command register: vector 7:0, delivery mode 10:8, logical destination 11,
     * level 14, level-triggered 15. -ENOENT if nobody takes it. [any] */
    int (*message)(struct blink_machine *machine, uint32_t destination, uint32_t command);
    /* For the local APIC: tell all that watch lines of the end of a level-triggered interrupt.
     * [vcpu] */
    void (*end_of_interrupt)(struct blink_machine *machine, uint32_t vector);
    /* Give up the claim of this device's that begins at `address`; there may be none. [main]
     * [safepoint], and from set_base */
    void (*unclaim_memory)(struct blink_machine *machine, struct blink_plugin *self,
                           uint64_t address);
};

#ifdef __cplusplus
}
#endif

#endif
