/*
 * Service "blink.system/1": the board of a machine that runs system software: A20 gate, reset,
 * power, NMI. For devices, and for the guest ABI that is its firmware. In a machine that runs a
 * user program the methods do nothing, and ram_size is 0.
 */
#ifndef BLINK_SYSTEM_H
#define BLINK_SYSTEM_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BLINK_IFACE_SYSTEM "blink.system/1"

struct blink_system_iface {
    uint32_t struct_size;
    uint32_t reserved;
    /* The A20 gate: 0 keeps bit 20 of physical addresses at 0. It is open after reset. In force
     * from the next instruction on. [vcpu] */
    void (*set_a20)(struct blink_machine *machine, uint32_t open);
    uint32_t (*a20)(struct blink_machine *machine);
    /* Reset processor and devices, and boot again, before the next instruction. [any] */
    void (*reset)(struct blink_machine *machine);
    /* The machine ends with this exit status, 0-255. [any] */
    void (*power_off)(struct blink_machine *machine, int32_t status);
    /* A non-maskable interrupt for the first vCPU; its local APIC, if there is one, has a say.
     * [any]
     */
    void (*nmi)(struct blink_machine *machine);
    /* Bytes of RAM, from physical address 0 on; devices and ROM may lie over parts of it. [any] */
    uint64_t (*ram_size)(struct blink_machine *machine);
    /* For the local APIC: the first vCPU takes a non-maskable interrupt. [any] */
    void (*take_nmi)(struct blink_machine *machine);
};

#ifdef __cplusplus
}
#endif

#endif
