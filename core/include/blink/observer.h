/*
 * Kind "observer": is told what a machine does; changes nothing.
 */
#ifndef BLINK_OBSERVER_H
#define BLINK_OBSERVER_H

#include "cpu.h"
#include "insn.h"
#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

struct blink_observer_ops {
    struct blink_plugin_ops plugin;
    /* A block was decoded. Optional. [vcpu] */
    void (*block)(struct blink_plugin *self, struct blink_cpu *cpu, const struct blink_insn *insns,
                  uint32_t count);
    /* A system call is about to be made, and has returned. Optional. [vcpu] */
    void (*syscall_enter)(struct blink_plugin *self, struct blink_cpu *cpu);
    void (*syscall_leave)(struct blink_plugin *self, struct blink_cpu *cpu);
    /* An exception is about to be given to the guest ABI. Optional. [vcpu] */
    void (*fault)(struct blink_plugin *self, struct blink_cpu *cpu);
};

#ifdef __cplusplus
}
#endif

#endif
