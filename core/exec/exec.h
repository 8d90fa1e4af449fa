/*
 * The execution loop of one machine as the machine sees it: made and destroyed by it, run on its
 * main thread. Everything is per machine but the signal trampoline, of which a process has one.
 */
#ifndef CORE_EXEC_EXEC_H
#define CORE_EXEC_EXEC_H

#include <blink/abi.h>
#include <blink/debug.h>
#include <blink/decoder.h>
#include <blink/exec.h>
#include <blink/jit.h>
#include <blink/observer.h>
#include <blink/system.h>
#include <stdbool.h>

#include "mem/space.h"

struct blink_bus;
struct exec;

/* An instance of a plugin with its vtable. */
struct exec_observer {
    const struct blink_observer_ops *ops;
    struct blink_plugin *self;
};

/* What the machine answers to its loop. */
struct exec_hooks {
    struct blink_machine *machine;
    /* One line of text at a BLINK_LOG_* level. [any] */
    void (*log)(struct blink_machine *machine, int32_t level, const char *text);
    /* In the child of a fork, which has this thread alone. May be NULL. [vcpu] */
    void (*forked)(struct blink_machine *machine);
    /* Last words before the process dies by a signal or is replaced: statistics. [vcpu] */
    void (*last_words)(struct blink_machine *machine);
    /* Replace this process by a blink that runs `path` like this one; returns only on failure,
     * with -errno. Checks first that a loader takes the file. *leftover is memory in use meanwhile,
     * which stays if the process shares its memory with another. [vcpu] */
    int (*respawn)(struct blink_machine *machine, const char *path, const char *guest_path,
                   const char *const *argv, const char *const *envp, void **leftover);
    /* The machine was reset: put its devices and memory into the state for booting, and the first
     * vCPU at the start. May be NULL. [vcpu] */
    int (*reset)(struct blink_machine *machine);
    /* Another folder is the guest's "/". -ENOMEM. [vcpu] */
    int (*set_root)(struct blink_machine *machine, const char *folder);
    /* A JIT back end by name, made but not active; -ENOENT. [main] [safepoint] */
    int (*find_jit)(struct blink_machine *machine, const char *name,
                    const struct blink_jit_ops **ops, struct blink_plugin **self);
};

struct exec_options {
    struct exec_hooks hooks;
    const struct blink_decoder_ops *decoder;
    struct blink_plugin *decoder_self;
    struct blink_bus *bus;
    bool user_ports;               /* devices were asked for: their ports may be used at CPL 3 */
    const struct cpu_model *model; /* of all vCPUs; NULL: everything */
    bool icount;                   /* time of system software is counted in instructions */
    uint64_t jit_cache;            /* most bytes of translated code; 0: the default */
    bool timed;                    /* keep struct exec_times */
    bool perf_map, gdb_jit;        /* names of generated code for perf, for GDB */
    uint32_t jit_warm; /* runs of a block after which it is translated; 0: the default */
};

/* Where time goes before guest code runs, of all threads together, by the clock, if options.timed.
 */
struct exec_times {
    uint64_t decode_ns;    /* reading, decoding and binding blocks */
    uint64_t wait_ns;      /* for the translation lock */
    uint64_t translate_ns; /* with it */
    uint64_t translated;   /* blocks */
    uint64_t forgotten;    /* times that all were, mostly since the cache was full */
};
void exec_get_times(const struct exec *exec, struct exec_times *out);

int exec_create(const struct exec_options *options, struct exec **out);
void exec_destroy(struct exec *exec);

/* Hooks for mem_create. */
struct mem_hooks exec_mem_hooks(struct exec *exec);
/* Before anything runs: the address space, the guest ABI, observers. */
void exec_set_mem(struct exec *exec, struct blink_mem *mem);
void exec_set_abi(struct exec *exec, const struct blink_abi_ops *ops, struct blink_plugin *self);
/* The machine runs system software: what no ABI takes goes where the hardware would send it. Before
 * anything runs. */
void exec_set_system(struct exec *exec);
void exec_add_observer(struct exec *exec, struct exec_observer observer);

/* Make the first vCPU, attached to the memory, in the state after reset. */
int exec_first_cpu(struct exec *exec, struct blink_cpu **out);

/* Run the first vCPU on this thread until the machine ends. Returns the exit status 0-255. */
int exec_run(struct exec *exec);

/* Make `name` the JIT back end ("none": interpreter alone) at a safepoint. On failure the old one
 * is active again. [any but a vCPU inside guest code] */
int exec_set_jit(struct exec *exec, const char *name);
/* The instance of the active JIT back end, or NULL. [main] */
const struct blink_plugin *exec_jit(const struct exec *exec);

/* execve(2) by a vCPU's thread: no signal that came before is lost, and the mask is the guest's.
 * Returns only on failure, with -errno. */
int exec_replace(const char *file, char *const *argv, char *const *envp);

/* The services. */
extern const struct blink_exec_iface exec_iface;
extern const struct blink_debug_iface debug_iface;
extern const struct blink_jit_host_iface jit_host_iface;
extern const struct blink_system_iface system_iface;

/* Exit status of a machine whose processor has shut down (triple fault), or that cannot be booted
 * again after a reset. */
#define EXEC_STATUS_SHUTDOWN 124

/* The machine's loop: each service finds it by this. */
struct exec *machine_exec(struct blink_machine *machine);

#endif
