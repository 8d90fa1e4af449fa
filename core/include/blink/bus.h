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
    /* The controller's output to the first vCPU: 1 while an interrupt waits for it, else 0.
     * -EPERM if `self` is not the controller. [any] */
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
};

#ifdef __cplusplus
}
#endif

#endif
