/*
 * What the files of the execution loop share. Lock order: the bus, mem's own lock, exec->lock;
 * park_lock, then exec->lock. Nothing of mem is called with exec->lock held.
 */
#ifndef CORE_EXEC_INTERNAL_H
#define CORE_EXEC_INTERNAL_H

#include <blink/host.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "exec/exec.h"
#include "exec/map.h"
#include "interp/interp.h"

#define ALONE_SLOTS 64u

/* A linear page of code and the physical one: see remap.c. */
struct vcpu_page {
    uint64_t key, physical;
};
#define VCPU_PAGES 256u

/* What blink_cpu.code_page holds in one mode and code segment, while another one's is there. */
struct vcpu_view {
    uint32_t mode;
    bool used; /* since the last change of page tables */
    uint64_t cs_base;
    uint32_t code_page[BLINK_CODE_PAGES];
};
#define VCPU_VIEWS 8u

/* One vCPU and the host thread that runs it. */
struct vcpu {
    struct interp_context context; /* first: interp_context and vcpu share their address */
    struct exec *exec;
    struct blink_cpu *cpu;
    struct vcpu *next; /* list of the machine, under exec->lock */
    pthread_t thread;
    pid_t pid, tid;  /* of the host: what a signal is sent to */
    bool own_thread; /* thread_create made it */
    /* Runs in a process of its own that shares this memory, see process.c; how many such processes
     * are within each other; and memory that its replacement leaves to be freed. */
    bool apart;
    uint32_t depth;
    bool shares_handlers; /* apart, but for the table of signal handlers */
    void *leftover;
    void *start_arg; /* for the ABI's thread_begin */
    void *decoder;   /* decoding context of this thread */
    struct blink_jump_cache jumps;
    /* Blocks the loop found lately, by jump slot, NULL where empty: those that a JIT wants stay out
     * of `jumps`, through which the interpreter would run past the loop. */
    struct block *recent[INTERP_JUMP_SLOTS];
    struct block *draft;                /* see fetch_draft; NULL at first */
    struct vcpu_page pages[VCPU_PAGES]; /* system software: looked up lately; key 0: none */
    struct vcpu_view view[VCPU_VIEWS];  /* and what is known of code pages, see remap.c */
    uint32_t present_view, next_view;
    struct block *single; /* a block of one instruction, see loop.c */
    /* Instructions that translated code left to the interpreter lately, each a block of one, and
     * the map's generation they are good for. */
    struct {
        struct block *block;
        uint64_t generation;
    } alone[ALONE_SLOTS];
    struct block_info *jit_from; /* translated block left through a linkable exit, or NULL */
    uint32_t jit_exit;

    /* Guest code runs on this thread (1), or not (0); atomic, see park.c. */
    uint32_t running;
    /* Reclamation: the epoch this vCPU works in, 0 while it holds no block; atomic, see map.c. */
    uint64_t pin;
    uint64_t jumps_epoch; /* epoch in which `jumps` was last emptied */
    uint32_t step;        /* debugger: 1 until the wanted instruction has run; atomic */
    bool stepping;        /* a single step is under way */
    /* Virtual time: instructions at which the next timer is due; what HLT has skipped, in ns. */
    uint64_t deadline, skipped;
    bool counting;      /* translated code counts down cpu->budget */
    int64_t budget;     /* from here; while it does, icount lags behind */
    bool intr;          /* system software: an interrupt waits at the controller */
    uint64_t apic_base; /* what the local APIC was last told of that MSR */

    /* Signals; the slot is written by the handler on this thread. */
    volatile sig_atomic_t in_guest; /* a host fault is the guest's */
    volatile sig_atomic_t in_jit;   /* in generated code, not in the interpreter; atomic */
    uint32_t kicks;                 /* how many KICKs under way are core's own; atomic */
    uint32_t halted;                /* in HLT: attention must end its sleep; atomic */
    bool started;                   /* `thread` can be sent signals; atomic */
    bool *adopted; /* set after fork if the thread's end is the process's, see process.c */
    volatile sig_atomic_t pending; /* `slot` holds a signal */
    siginfo_t slot;
    int slot_signo;
    uint64_t guest_mask;
    void *signal_stack;
    timer_t alarm; /* of the bus's timers, first vCPU only */
    bool has_alarm;

    uint64_t syscalls, signals;
    uint64_t exits[BLINK_EXIT_COUNT];
    uint64_t smc_drops;
};

struct exec {
    struct exec_options options;
    struct blink_mem *mem;
    const struct blink_abi_ops *abi;
    struct blink_plugin *abi_self;
    struct exec_observer observers[8];
    uint32_t observer_count;

    pthread_mutex_t lock; /* vCPU list, block map writers, JIT */
    struct vcpu *vcpus;   /* first vCPU last */
    struct vcpu *first;
    uint32_t live; /* vCPUs in the list; atomic reads */
    uint32_t next_id;
    pthread_cond_t ended; /* a vCPU left the list */

    /* Parking, see park.c. */
    pthread_mutex_t park_lock;
    pthread_cond_t park_changed;
    uint32_t park_wanted; /* park_busy or stops; written under park_lock, read without */
    bool park_busy;       /* an exclusive section wants or has the machine; under park_lock */
    uint32_t stops;       /* nested debugger stops; under park_lock */

    struct block_map map;
    uint64_t blocks_decoded, insns_decoded; /* atomic */
    struct blink_exec_stats gone;           /* counters of vCPUs that ended */

    const struct blink_jit_ops *jit; /* atomic reads; stays while a vCPU is inside */
    struct blink_plugin *jit_self;
    struct code_arenas *arenas; /* see jit.c */
    struct exec_times times;    /* atomic */
    struct labels *labels;      /* see labels.c; NULL: nobody wants names */
    uint32_t *heat;             /* runs of blocks that are not in the map, by address; atomic */

    bool system;               /* runs system software */
    struct remap_names *names; /* of its code pages, see remap.c */
    uint32_t reset_wanted;     /* atomic */
    uint32_t nmi;              /* one waits; atomic */

    int32_t status;
    uint32_t ending;    /* atomic */
    uint64_t last_mask; /* what the first vCPU had blocked when it ended */
};

/* A back end is active: for now, unless the caller is inside or has the lock. */
static inline bool jit_active(const struct exec *exec) {
    return __atomic_load_n(&exec->jit, __ATOMIC_ACQUIRE) != NULL;
}
static inline struct vcpu *vcpu_of(struct blink_cpu *cpu) {
    return cpu->exec_private;
}
static inline void attention_set(struct blink_cpu *cpu, uint32_t bits) {
    __atomic_fetch_or(&cpu->attention, bits, __ATOMIC_SEQ_CST);
}
static inline void attention_clear(struct blink_cpu *cpu, uint32_t bits) {
    __atomic_fetch_and(&cpu->attention, ~bits, __ATOMIC_SEQ_CST);
}

/* vcpu.c */
uint64_t exec_now(const struct exec *exec); /* 0 if nobody wants times */
/* Add what has passed since `since` to a counter. */
void exec_passed(const struct exec *exec, uint64_t *counter, uint64_t since);
void exec_wait_for_all(struct exec *exec); /* until no vCPU is left */
int vcpu_create(struct exec *exec, struct vcpu **out);
void vcpu_destroy(struct vcpu *v);          /* out of the list, counters kept */
void vcpu_forget_others(struct vcpu *self); /* after fork */
void vcpu_empty_jumps(struct vcpu *v);
struct block *single_block(void); /* room for a block of one instruction; free() */
void exec_stats(struct exec *exec, struct blink_exec_stats *out);
void exec_log(struct exec *exec, int32_t level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* loop.c: run until the vCPU ends; on its own thread. */
void vcpu_run(struct vcpu *v);
/* Run the one instruction at rip, apart from the block map. False: not yet, look again. */
bool vcpu_single(struct vcpu *v);
/* Around every stretch of guest code; a run that is unwound is left by vcpu_run. False: not
 * entered, what is to be run has to be looked up again. */
bool vcpu_enter(struct vcpu *v);
void vcpu_leave(struct vcpu *v);

/* Nothing of the map is held any more: before whatever may take long. */
void vcpu_unpin(struct vcpu *v);

/* system.c: machines that run system software. The exits that no ABI took: false, the vCPU ends. */
bool system_fault(struct vcpu *v);
bool system_interrupt(struct vcpu *v);
bool system_syscall(struct vcpu *v);
bool system_halt(struct vcpu *v);
/* After an instruction: the loop has something to do before the next one. */
bool system_waits(const struct vcpu *v);
void system_irq(struct vcpu *v); /* BLINK_ATTN_IRQ was set */
/* Breakpoints of the debug registers: whether there are any; whether one stands at the next
 * instruction, which then is a fault. */
static inline bool system_watches(const struct vcpu *v) {
    return v->exec->system && (v->cpu->dr[7] & 0xff);
}
bool system_breaks(struct vcpu *v);
/* Before guest code: go on with it, or something was delivered instead, or the vCPU ends. */
enum system_round { SYSTEM_GO, SYSTEM_AGAIN, SYSTEM_END };
enum system_round system_round(struct vcpu *v);

/* remap.c: blocks of system software. What linear addresses mean has changed: by page tables, or
 * altogether. */
void remap_forget_caches(struct vcpu *v);
void remap_forget_code(struct vcpu *v);
/* Note where the block at rip lies in physical memory; false if that cannot be said. */
bool remap_place(struct vcpu *v, struct block *b);
struct block *remap_find(struct vcpu *v);
/* For translated code: name the page of a block that has been placed; before the vCPU enters code,
 * and once the block is known to be what its address means. */
int remap_name(struct vcpu *v, struct block *b);
void remap_view(struct vcpu *v);
void remap_known(struct vcpu *v, const struct block *b);
/* The block at `rip` on the same page, if there is one. */
struct block *remap_neighbour(struct exec *x, const struct block *from, uint64_t rip);
bool remap_may_link(const struct block *from, const struct block *to);

/* loop.c: the block of the map at (rip, cs_base, mode), through the vCPU's caches; NULL. */
struct block *vcpu_find(struct vcpu *v);

/* fetch.c: the block at the vCPU's rip; NULL with exit_reason FAULT set if it cannot be fetched.
 * `max` 1 gives an uncached block in v->single. */
struct block *fetch_block(struct vcpu *v);
struct block *fetch_single(struct vcpu *v);
/* The block at rip in memory of the vCPU's, good until the next; or one instruction, as above, if
 * its page does not tell of writes. *generation: of the map, before. */
struct block *fetch_draft(struct vcpu *v, uint64_t *generation);
void fetch_tell(struct vcpu *v, const struct block *b); /* observers of a new block */
/* The same as fetch_single, but kept for the next time while its page is tracked. */
struct block *fetch_alone(struct vcpu *v);

/* park.c */
void park_init(struct exec *exec);
void park_thread(struct vcpu *v); /* this thread is the vCPU's */
/* Before guest code: waits while the machine is parked. True if it did: what was looked up before
 * may not hold any more, the registers included. */
bool park_enter(struct vcpu *v);
void park_leave(struct vcpu *v);
void park_exclusive(void *exec, void (*work)(void *), void *arg);
int park_stop(struct exec *exec);
int park_resume(struct exec *exec);
int park_step(struct vcpu *v);
void park_stepped(struct vcpu *v); /* the vCPU has made its step */
/* The vCPU of this thread ends: it stays for as long as a debugger looks at the stopped machine. */
void park_end(struct vcpu *v);
void park_ending(struct exec *exec); /* exec->ending was set */
/* In the child of fork: only this vCPU is left. */
void park_after_fork(struct exec *exec);

/* signals.c */
int signals_attach(struct vcpu *v); /* on the vCPU's thread */
void signals_detach(struct vcpu *v);
void signals_leave(const struct exec *x, uint64_t mask);
void signals_free_stack(struct vcpu *v); /* of a vCPU whose thread is gone */
struct vcpu *signals_current(void);      /* the vCPU of this thread, or NULL */
/* A process that used this thread's memory is gone: the thread is `v`'s again, or nobody's. */
void signals_regain(struct vcpu *v);
int signals_install(void); /* handlers of the process, once */
/* Around the making of a thread: block everything, give the old mask, restore it. */
uint64_t signals_block(void);
void signals_restore(uint64_t mask);
void signals_keep_reserved(void);
mem_guarded_copy signals_guarded_copy;
void signals_kick(struct vcpu *v); /* make a blocking call return, and generated code end */
/* Set attention bits and see to it that generated code notices. [any] [signal] */
void signals_attention(struct vcpu *v, uint32_t bits);
/* Sleep `ns` nanoseconds, or without end if negative, or until attention is set. */
void signals_sleep(struct vcpu *v, int64_t ns);
int64_t signals_syscall(struct blink_cpu *cpu, int64_t number, uint64_t a0, uint64_t a1,
                        uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5);
int signals_watch(struct blink_machine *machine, int32_t signo, uint32_t disposition);
int signals_take(struct blink_cpu *cpu, struct blink_signal *out);
void signals_mask(struct blink_cpu *cpu, uint64_t mask);
void signals_forked(struct vcpu *v); /* the child has no pending signals */
void signals_die(struct blink_machine *machine, int32_t signo);

/* clock.c: the bus's timers and lines reach the first vCPU. */
void clock_attach(struct exec *exec); /* before it runs */
void clock_attend(struct vcpu *v);    /* call what is due and set the alarm for the next */
void clock_detach(struct vcpu *v);    /* on its thread, at its end */
void clock_virtual(struct vcpu *v);   /* the first vCPU's time is virtual from now on */
/* Virtual time, see exec_options.icount: instructions until a timer is due; ns that HLT skips. */
uint64_t clock_left(const struct vcpu *v);
void clock_lend(struct vcpu *v);   /* those to translated code */
void clock_settle(struct vcpu *v); /* and count what it has run */
void clock_skip(struct vcpu *v, uint64_t ns);
bool clock_rings(const struct vcpu *v, const siginfo_t *info); /* the alarm of v. [signal] */
void clock_forked(struct vcpu *v);                             /* in the child */
int signals_kick_number(void);

/* process.c */
int64_t process_fork(struct blink_cpu *cpu);
int process_respawn(struct blink_cpu *cpu, const char *path, const char *guest_path,
                    const char *const *argv, const char *const *envp);
int process_thread_create(struct blink_cpu *parent, const struct blink_cpu *state, void *arg,
                          struct blink_cpu **out);
int64_t process_share(struct blink_cpu *parent, const struct blink_cpu *state, void *arg,
                      uint64_t flags, int32_t *pidfd);
void process_exit(struct blink_machine *machine, int32_t status);
/* End this host process at once, with nothing of it tidied up: others may use its memory. */
_Noreturn void process_leave(int32_t status);

/* labels.c: names of generated code, if any are wanted. With exec->lock held but for the first and
 * the last. */
struct label;
int labels_create(struct exec *exec);
void labels_add(struct exec *exec, const struct label *label);
void labels_forget(struct exec *exec); /* all code is forgotten */
void labels_forked(struct exec *exec); /* in the child */
void labels_destroy(struct exec *exec);

/* jit.c; all with exec->lock held unless said otherwise. */
#define JIT_WARM       2u /* runs in the interpreter before a block is translated */
#define JIT_HEAT_SLOTS (1u << 19)
void jit_forget(struct exec *exec, struct block_info *info);
/* Run the block, in translated code if there is or should be any. Without the lock. */
void jit_run(struct vcpu *v, struct block *block);
/* The same for the block at rip, which is not in the map. */
void jit_run_new(struct vcpu *v);
void jit_destroy(struct exec *exec);
/* Around fork, in an exclusive section. -ENOMEM; false: the child cannot go on. */
int jit_before_fork(struct exec *exec);
void jit_fork_parent(struct exec *exec);
bool jit_fork_child(struct exec *exec);

#endif
