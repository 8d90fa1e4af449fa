/*
 * Service "blink.debug/1": looking into a machine and steering it. For frontends.
 */
#ifndef BLINK_DEBUG_H
#define BLINK_DEBUG_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BLINK_IFACE_DEBUG "blink.debug/1"

struct blink_debug_iface {
    uint32_t struct_size;
    uint32_t reserved;
    /* Number of vCPUs, and the n-th or NULL. Looking at its fields is right only while stopped.
     * [any] */
    uint32_t (*cpu_count)(struct blink_machine *machine);
    struct blink_cpu *(*cpu_at)(struct blink_machine *machine, uint32_t n);
    /* Park all vCPUs at safepoints and wait for it; resume lets them go on. They nest. -EDEADLK
     * from a vCPU's own thread. [any] */
    int (*stop)(struct blink_machine *machine);
    int (*resume)(struct blink_machine *machine);
    /* Run exactly one instruction of a stopped vCPU. [any] */
    int (*step)(struct blink_cpu *cpu);
    /* Read and write memory as the guest sees it, protection aside. -EFAULT. [any, stopped] */
    int (*read)(struct blink_cpu *cpu, uint64_t address, void *out, size_t size);
    int (*write)(struct blink_cpu *cpu, uint64_t address, const void *bytes, size_t size);
    /* Text of the instruction at `address` (see decoder.h); its length or 0. [any, stopped] */
    uint32_t (*disassemble)(struct blink_cpu *cpu, uint64_t address, uint32_t syntax, char *out,
                            size_t out_size);
    /* Change the JIT back end of the running machine: a name, or "none". -ENOENT, or what its
     * activation said, with the old one active again. [any] */
    int (*set_jit)(struct blink_machine *machine, const char *name);
};

#ifdef __cplusplus
}
#endif

#endif
