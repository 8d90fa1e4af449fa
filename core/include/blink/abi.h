/*
 * Kind "abi": what answers a guest that calls its system software: Linux system calls, BIOS
 * interrupts.
 */
#ifndef BLINK_ABI_H
#define BLINK_ABI_H

#include "cpu.h"
#include "loader.h"
#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a program is started. */
struct blink_start {
    uint32_t struct_size;
    uint32_t reserved;
    const struct blink_program *program;
    const char *path;        /* of the program, as the guest names it: AT_EXECFN */
    const char *host_path;   /* absolute, as the host opens it */
    const char *const *argv; /* NULL-terminated */
    const char *const *envp; /* NULL-terminated */
};

/* What the loop does after a handler of an ABI returned: the return value of the methods below. */
enum {
    BLINK_ABI_CONTINUE = 0, /* go on at cpu->rip */
    BLINK_ABI_UNHANDLED,    /* not mine: core does what the hardware would */
    BLINK_ABI_END,          /* this vCPU ends */
};

struct blink_abi_ops {
    struct blink_plugin_ops plugin;
    /* Build the initial stack and registers of the first vCPU. [main] */
    int (*start)(struct blink_plugin *self, struct blink_cpu *cpu, const struct blink_start *start);
    /* SYSCALL; cpu->rip is after it, RCX and R11 are the ABI's to set. Required. [vcpu] */
    uint32_t (*syscall)(struct blink_plugin *self, struct blink_cpu *cpu);
    /* INT n with vector cpu->exit_info; rip is after it. Optional: unhandled. [vcpu] */
    uint32_t (*interrupt)(struct blink_plugin *self, struct blink_cpu *cpu);
    /* Exception: vector exit_info, error code exit_error, cr2; rip at the culprit (after it for
     * #BP, #OF). Optional: unhandled. [vcpu] */
    uint32_t (*fault)(struct blink_plugin *self, struct blink_cpu *cpu);
    /* BLINK_ATTN_SIGNAL was set; called at a safepoint of this vCPU only, rip is exact.
     * Optional. [vcpu] */
    uint32_t (*signal)(struct blink_plugin *self, struct blink_cpu *cpu);
    /* The vCPU made by exec's thread_create begins on its own host thread. Optional. [vcpu] */
    int (*thread_begin)(struct blink_plugin *self, struct blink_cpu *cpu, void *arg);
    /* The vCPU ended; last call for it. Optional. [vcpu] */
    void (*thread_end)(struct blink_plugin *self, struct blink_cpu *cpu);
};

#ifdef __cplusplus
}
#endif

#endif
