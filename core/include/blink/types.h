/*
 * The small vocabulary every other public header shares: fixed-width types, byte order and the
 * thread tags. Installed; compiles alone as C11 and as C++17.
 *
 * Thread tags, written in each method's comment:
 *   [main]       the thread that set the machine up, before any vCPU runs or after all stopped
 *   [vcpu]       the host thread of the vCPU the call concerns
 *   [any]        any host thread, at any time; the callee synchronises
 *   [safepoint]  all vCPUs are parked: nothing of the guest runs anywhere
 *   [signal]     async-signal-safe: may be called from a host signal handler
 *
 * Errors: every method that can fail returns 0 or a negated errno of the host, with results in
 * out-parameters that are untouched on failure. Strings are NUL-terminated UTF-8 or the bytes of
 * a path; a callee that keeps one copies it.
 */
#ifndef BLINK_TYPES_H
#define BLINK_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Opaque objects owned by core. */
struct blink_machine; /* one virtual machine: memory, bus, vCPUs, plugins */
struct blink_mem;     /* one guest address space */
struct blink_cpu;     /* one virtual CPU, see cpu.h */
struct blink_insn;    /* one decoded instruction, see insn.h */
struct cpu_model;     /* core's: see --cpu */
struct blink_host;    /* what core offers a plugin, see host.h */

/* Instance of a plugin: each plugin defines it for itself. */
struct blink_plugin;

#ifdef __cplusplus
}
#endif

#endif
