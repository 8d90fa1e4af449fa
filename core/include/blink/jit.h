/*
 * Kind "jit": decoded blocks to host code. Unstable by design: generated code embeds offsets of
 * struct blink_cpu, so a back end is refused unless cpu_size and cpu_layout match exactly.
 */
#ifndef BLINK_JIT_H
#define BLINK_JIT_H

#include "cpu.h"
#include "insn.h"
#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BLINK_IFACE_JIT_HOST "blink.jit-host/1"

/* A block to translate. */
struct blink_jit_block {
    uint32_t struct_size;
    uint32_t count;                 /* instructions */
    const struct blink_insn *insns; /* bound: handler may be called for what the JIT hands back */
    uint64_t rip;                   /* of the first instruction */
    uint64_t cs_base;               /* linear address = cs_base + rip */
    uint64_t end_rip;               /* of the byte after the last instruction */
    uint32_t mode;                  /* BLINK_MODE_* */
    uint32_t flags;                 /* BLINK_JIT_* */
    /*
     * System software, whose addresses change their meaning: which page the block stands on, by
     * linear and physical address, mode and code segment base. While blink_cpu.code_page[page_slot]
     * is `page` that is what its addresses mean. Code of one page may go on to code of the same
     * page; all other ways into the block have to look there first, and where it is another, ask
     * lookup(). BLINK_JIT_NO_PAGE: it stands on two, and only core enters it. 0: addresses keep
     * their meaning, nothing is to be looked at.
     */
    uint32_t page;
    uint32_t page_slot;
};
#define BLINK_JIT_NO_PAGE UINT32_MAX
/*
 * The code counts instructions, for virtual time. It takes those that it is going to run by itself
 * off blink_cpu.budget as it begins, or, if there are not so many, returns BLINK_EXIT_BLOCK with
 * nothing done. Whenever it is left, interpret() called or its state recovered, those that have not
 * begun are back. What core interprets, core counts. SYSCALL and RDTSC are core's.
 */
#define BLINK_JIT_COUNTED 1u

/* Code for one block. Filled by translate. */
struct blink_jit_code {
    uint32_t struct_size;
    uint32_t exits;    /* exits that link() may patch: 0 taken or only, 1 fall-through */
    void *entry;       /* host address to enter */
    size_t size;       /* bytes of host code */
    void *jit_private; /* the back end's */
    /* Exits that lead to exit_rip, and so may be linked before they are ever taken: a bit each. */
    uint32_t known;
    uint32_t reserved;
    uint64_t exit_rip[2];
};

/* A piece of a code arena: two views of the same bytes. */
struct blink_jit_space {
    uint32_t struct_size;
    uint32_t arena; /* number of the arena, from 0; addresses within one only grow until flush */
    uint8_t *rw;    /* where to write */
    uint8_t *rx;    /* where to run */
};

/* What core lends a back end. */
struct blink_jit_host_iface {
    uint32_t struct_size;
    uint32_t reserved;
    /*
     * Memory for code: at least `size` bytes, within reach of a signed 32-bit displacement from
     * host address `near` if that is not 0 and the host has room there. -ENOSPC when the arenas
     * are full: core flushes and tries again; -ENOTSUP when there can be none. [vcpu, under the
     * translation lock]
     */
    int (*code_alloc)(struct blink_machine *machine, uint64_t near, size_t size,
                      struct blink_jit_space *out);
    /* The first `size` bytes of what code_alloc gave last are code now: visible to instruction
     * fetch of all threads. The rest is given back. [vcpu, under the translation lock] */
    void (*code_commit)(struct blink_machine *machine, const struct blink_jit_space *space,
                        size_t size);
    /*
     * Run one instruction in the interpreter: all guest state in cpu, rip at insn; insn NULL: the
     * one that stands at rip. Returns 0 with rip at the next one, or BLINK_EXIT_* when the
     * instruction ended the run; one that faults does not return (the stack is unwound to core).
     * [vcpu]
     */
    uint32_t (*interpret)(struct blink_cpu *cpu, const struct blink_insn *insn);
    /* Host code for the block at the CPU's (rip, mode), or NULL: for indirect branches. [vcpu] */
    void *(*lookup)(struct blink_cpu *cpu);
    /*
     * A piece of code is there now, until flush: `size` bytes that run at `code`. It is called
     * WHAT_RIP (hexadecimal), or WHAT if rip is 0, where somebody wants names (perf, GDB). `what`
     * is short and constant; that of a block's instructions is "guest". Cheap if nobody does.
     * [vcpu, under the translation lock]
     */
    void (*label)(struct blink_machine *machine, const char *what, uint64_t rip, const void *code,
                  size_t size);
};

struct blink_jit_ops {
    struct blink_plugin_ops plugin;
    uint32_t cpu_size;   /* sizeof(struct blink_cpu) the back end was built with */
    uint32_t cpu_layout; /* BLINK_CPU_LAYOUT likewise */
    /*
     * Translate a block. 0 with `code` filled; -ENOTSUP: interpret this block; -ENOSPC: the arena
     * is full. `code` stays where it is until drop, and is what enter names in *from; `block`
     * and its instructions do not outlive the call. [vcpu, under the translation lock]
     */
    int (*translate)(struct blink_plugin *self, const struct blink_jit_block *block,
                     struct blink_jit_code *code);
    /* Let exit number `exit` of `from` jump straight to `to`. [vcpu, under the lock] */
    void (*link)(struct blink_plugin *self, struct blink_jit_code *from, uint32_t exit,
                 const struct blink_jit_code *to);
    /* Let it return to core again, also while other threads run it. [vcpu, under the lock] */
    void (*unlink)(struct blink_plugin *self, struct blink_jit_code *from, uint32_t exit);
    /* Run: returns BLINK_EXIT_* with all guest state in cpu and rip at the next instruction.
     * *from and *exit name the linkable exit left through (NULL if none). [vcpu] */
    uint32_t (*enter)(struct blink_plugin *self, struct blink_cpu *cpu,
                      const struct blink_jit_code *code, struct blink_jit_code **from,
                      uint32_t *exit);
    /*
     * The thread was stopped at `pc`, by a fault or by an asynchronous signal: put precise guest
     * state into cpu, rip at an instruction that has not begun. `context` is the host's ucontext_t.
     * 0, or 1 if a fault at pc is the back end's own and not the guest's, which goes on at rip;
     * -EAGAIN: the code at pc returns to core by itself, at once; -ENOENT: pc is not of this back
     * end. [signal]
     */
    int (*recover)(struct blink_plugin *self, struct blink_cpu *cpu, void *context, uint64_t pc);
    /* Forget all code. [safepoint] */
    void (*flush)(struct blink_plugin *self);
    /* A code object is dropped: free its private part. [vcpu, under the lock] */
    void (*drop)(struct blink_plugin *self, struct blink_jit_code *code);
};

#ifdef __cplusplus
}
#endif

#endif
