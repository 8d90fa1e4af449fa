/*
 * The loop of one vCPU: find the block at rip, run until an exit, give each exit to the one place
 * that handles it. On the vCPU's own thread.
 */
#include <errno.h>
#include <string.h>

#include "bus/bus.h"
#include "cpu/cpu.h"
#include "exec/internal.h"
#include "interp/sse/mxcsr.h"

#define REAP_AT     512u   /* dead blocks that make a reaping worth its walk */
#define REAP_FORCED 16384u /* and that make it worth disturbing who holds them */

/* Memory of blocks that died before every vCPU's present epoch can go. The epoch grows first: a
 * vCPU that enters meanwhile sees the new one and holds nothing old. */
static void reap(struct exec *x) {
    pthread_mutex_lock(&x->lock);
    __atomic_fetch_add(&x->map.epoch, 1, __ATOMIC_SEQ_CST);
    uint64_t oldest = x->map.epoch;
    bool many = x->map.dead_count > REAP_FORCED;
    for (struct vcpu *v = x->vcpus; v; v = v->next) {
        uint64_t pin = __atomic_load_n(&v->pin, __ATOMIC_SEQ_CST);
        if (!pin || pin >= oldest)
            continue;
        oldest = pin;
        /* One that runs from block to block without end would keep all the dead. */
        if (many)
            signals_attention(v, BLINK_ATTN_PARK);
    }
    map_reap(&x->map, oldest);
    pthread_mutex_unlock(&x->lock);
}

static void pin(struct vcpu *v) {
    struct block_map *map = &v->exec->map;
    uint64_t epoch = __atomic_load_n(&map->epoch, __ATOMIC_SEQ_CST);
    if (v->pin == epoch)
        return;
    v->context.link_from = NULL;
    v->jit_from = NULL;
    do {
        epoch = __atomic_load_n(&map->epoch, __ATOMIC_SEQ_CST);
        __atomic_store_n(&v->pin, epoch, __ATOMIC_SEQ_CST);
    } while (__atomic_load_n(&map->epoch, __ATOMIC_SEQ_CST) != epoch);
    if (v->jumps_epoch != epoch) {
        vcpu_empty_jumps(v);
        memset(v->recent, 0, sizeof v->recent);
        v->jumps_epoch = epoch;
    }
}

void vcpu_unpin(struct vcpu *v) {
    v->context.link_from = NULL;
    v->jit_from = NULL;
    __atomic_store_n(&v->pin, 0, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&v->exec->map.dead_count, __ATOMIC_RELAXED) > REAP_AT)
        reap(v->exec);
}

bool vcpu_enter(struct vcpu *v) {
    bool waited = park_enter(v);
    uint32_t attention = __atomic_load_n(&v->cpu->attention, __ATOMIC_SEQ_CST);
    /* A debugger that wants one step must not get a block. */
    if (waited || (!v->stepping && (attention & BLINK_ATTN_STEP))) {
        park_leave(v);
        return false;
    }
    interp_mxcsr_load(v->cpu);
    v->in_guest = 1;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return true;
}

void vcpu_leave(struct vcpu *v) {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    v->in_guest = 0;
    v->context.alone = 0;
    clock_settle(v);
    interp_mxcsr_store(v->cpu);
    park_leave(v);
}

bool vcpu_single(struct vcpu *v) {
    struct block *b = fetch_single(v);
    if (!b)
        return true;
    if (!vcpu_enter(v))
        return false;
    v->context.alone = 1;
    interp_run(v->cpu, b->insns);
    vcpu_leave(v);
    return true;
}

/* RFLAGS.TF or the debugger: one instruction, then the trap or the next stop. */
static void step(struct vcpu *v) {
    struct blink_cpu *cpu = v->cpu;
    bool trap = (cpu->flags & BLINK_TF) || system_watches(v);
    if (!trap && !__atomic_load_n(&v->step, __ATOMIC_SEQ_CST)) {
        attention_clear(cpu, BLINK_ATTN_STEP);
        return;
    }
    if (!trap)
        attention_clear(cpu, BLINK_ATTN_STEP);
    if (system_watches(v) && system_breaks(v))
        return;
    cpu->shadow = 0;
    v->stepping = true;
    if (vcpu_single(v))
        return;
    v->stepping = false;
    attention_set(cpu, BLINK_ATTN_STEP);
}

/* After the run that followed step(): by unwinding or not. */
static void step_done(struct vcpu *v) {
    struct blink_cpu *cpu = v->cpu;
    v->stepping = false;
    if (__atomic_load_n(&v->step, __ATOMIC_SEQ_CST))
        park_stepped(v);
    bool plain = cpu->exit_reason == BLINK_EXIT_BLOCK || cpu->exit_reason == BLINK_EXIT_ATTENTION ||
                 cpu->exit_reason == BLINK_EXIT_NONE;
    /* A load of SS puts the trap off, so that SP can follow. */
    bool trap = (cpu->flags & BLINK_TF) && cpu->shadow != 2;
    uint32_t hits = v->context.watch_hits;
    v->context.watch_hits = 0;
    if (plain && (trap || hits)) {
        cpu->exit_reason = BLINK_EXIT_FAULT;
        cpu->exit_info = BLINK_EXC_DB;
        cpu->exit_error = 0;
        cpu->dr[6] |= hits | (trap ? DR6_BS : 0);
    }
}

/* Blocks that the active JIT has not refused come back to the loop, to be counted and translated;
 * the interpreter chains among the others. */
static bool wants_jit(const struct vcpu *v, const struct block *b) {
    return jit_active(v->exec) && b->exec &&
           !__atomic_load_n(&map_info(b)->jit_tried, __ATOMIC_RELAXED);
}

static bool is_at(const struct block *b, const struct blink_cpu *cpu) {
    return __atomic_load_n(&b->rip, __ATOMIC_RELAXED) == cpu->rip && b->mode == cpu->mode &&
           b->cs_base == cpu->seg[BLINK_SEG_CS].base;
}

struct block *vcpu_find(struct vcpu *v) {
    const struct blink_cpu *cpu = v->cpu;
    uint32_t k = interp_jump_slot(cpu->rip);
    if (v->recent[k] && is_at(v->recent[k], cpu))
        return v->recent[k];
    struct block *b =
        v->exec->system ? remap_find(v)
                        : map_find(&v->exec->map, cpu->rip, cpu->seg[BLINK_SEG_CS].base, cpu->mode);
    if (b)
        v->recent[k] = b;
    return b;
}

/* While a JIT is active only what it has refused is decoded for good: then NULL for what is not in
 * the map. */
static struct block *lookup(struct vcpu *v, bool jit) {
    struct block **slot = &v->jumps.slot[interp_jump_slot(v->cpu->rip)], *b = *slot;
    if (is_at(b, v->cpu))
        return b;
    b = vcpu_find(v);
    if (!b && !jit)
        b = fetch_block(v);
    /* The interpreter goes straight on to what is in there. A block without instructions may look
     * as if it were the interpreter's when the JIT has just been taken away. */
    if (b && b->exec && !map_info(b)->bare && !wants_jit(v, b))
        *slot = b;
    return b;
}

static void link_last(struct vcpu *v, struct block *to) {
    struct exec *x = v->exec;
    struct block *from = v->context.link_from;
    v->context.link_from = NULL;
    if (!from || !from->exec || !to->exec || wants_jit(v, from) || wants_jit(v, to))
        return;
    /* Only within the mode and code segment that chaining takes for granted. */
    if (from->mode != to->mode || from->cs_base != to->cs_base)
        return;
    if (x->system && !remap_may_link(from, to))
        return;
    pthread_mutex_lock(&x->lock);
    map_link(from, v->context.link_exit, to);
    pthread_mutex_unlock(&x->lock);
}

static void run_block(struct vcpu *v) {
    pin(v);
    bool jit = jit_active(v->exec);
    struct block *b = lookup(v, jit);
    if (!b && jit) {
        jit_run_new(v);
        return;
    }
    if (!b) {
        v->jit_from = NULL;
        return;
    }
    /* With virtual time a timer is due at an exact instruction. */
    if (v->context.clock && b->count > clock_left(v)) {
        v->jit_from = NULL;
        vcpu_single(v);
        return;
    }
    if (wants_jit(v, b)) {
        jit_run(v, b);
        return;
    }
    /* Its code went with the JIT, between two looks. */
    if (b->exec && map_info(b)->bare)
        return;
    /* What is translated comes after what is interpreted now, and not after what led here. */
    v->jit_from = NULL;
    link_last(v, b);
    if (!vcpu_enter(v))
        return;
    interp_run(v->cpu, b->insns);
    vcpu_leave(v);
}

/* What waits for this vCPU at its safepoint. False: it ends. */
static bool attend(struct vcpu *v) {
    struct exec *x = v->exec;
    struct blink_cpu *cpu = v->cpu;
    uint32_t a = __atomic_load_n(&cpu->attention, __ATOMIC_SEQ_CST);
    if (a & BLINK_ATTN_STOP)
        return false;
    if (a & BLINK_ATTN_TIMER) {
        attention_clear(cpu, BLINK_ATTN_TIMER);
        clock_attend(v);
    }
    attention_clear(cpu, BLINK_ATTN_IRQ);
    if (x->system)
        system_irq(v);
    if (a & BLINK_ATTN_SIGNAL) {
        attention_clear(cpu, BLINK_ATTN_SIGNAL);
        vcpu_unpin(v);
        if (x->abi && x->abi->signal(x->abi_self, cpu) == BLINK_ABI_END)
            return false;
    }
    return true;
}

/* Signal by which a program dies of an exception nobody handles. */
static int signal_of(uint32_t vector) {
    static const uint8_t table[32] = {
        [BLINK_EXC_DE] = SIGFPE, [BLINK_EXC_DB] = SIGTRAP, [BLINK_EXC_BP] = SIGTRAP,
        [BLINK_EXC_UD] = SIGILL, [BLINK_EXC_MF] = SIGFPE,  [BLINK_EXC_XM] = SIGFPE,
        [BLINK_EXC_AC] = SIGBUS,
    };
    if (vector == BLINK_EXC_BUS)
        return SIGBUS;
    return vector < 32 && table[vector] ? table[vector] : SIGSEGV;
}

static bool unhandled(struct vcpu *v, const char *what) {
    struct exec *x = v->exec;
    const struct blink_cpu *cpu = v->cpu;
    exec_log(x, BLINK_LOG_ERROR,
             "%s %#llx at %#llx (error %#llx, address %#llx) and nothing handles it; stopping",
             what, (unsigned long long)cpu->exit_info, (unsigned long long)cpu->rip,
             (unsigned long long)cpu->exit_error, (unsigned long long)cpu->cr2);
    signals_die(x->options.hooks.machine, signal_of((uint32_t)cpu->exit_info));
    return false;
}

static bool on_syscall(struct vcpu *v) {
    struct exec *x = v->exec;
    v->syscalls++;
    for (uint32_t k = 0; k < x->observer_count; k++)
        x->observers[k].ops->syscall_enter(x->observers[k].self, v->cpu);
    uint32_t rc = x->abi ? x->abi->syscall(x->abi_self, v->cpu) : BLINK_ABI_UNHANDLED;
    for (uint32_t k = 0; k < x->observer_count; k++)
        x->observers[k].ops->syscall_leave(x->observers[k].self, v->cpu);
    if (rc == BLINK_ABI_UNHANDLED)
        return x->system ? system_syscall(v) : unhandled(v, "system call");
    return rc == BLINK_ABI_CONTINUE;
}

static bool on_interrupt(struct vcpu *v) {
    struct exec *x = v->exec;
    uint32_t rc = x->abi ? x->abi->interrupt(x->abi_self, v->cpu) : BLINK_ABI_UNHANDLED;
    if (rc == BLINK_ABI_UNHANDLED)
        return x->system ? system_interrupt(v) : unhandled(v, "interrupt");
    return rc == BLINK_ABI_CONTINUE;
}

static bool on_fault(struct vcpu *v) {
    struct exec *x = v->exec;
    for (uint32_t k = 0; k < x->observer_count; k++)
        x->observers[k].ops->fault(x->observers[k].self, v->cpu);
    uint32_t rc = x->abi ? x->abi->fault(x->abi_self, v->cpu) : BLINK_ABI_UNHANDLED;
    if (rc == BLINK_ABI_UNHANDLED)
        return x->system ? system_fault(v) : unhandled(v, "exception");
    return rc == BLINK_ABI_CONTINUE;
}

/* HLT: sleep until a timer, an interrupt line or a signal. */
static bool on_halt(struct vcpu *v) {
    struct blink_bus *bus = v->exec->options.bus;
    while (!__atomic_load_n(&v->cpu->attention, __ATOMIC_SEQ_CST)) {
        int64_t wait = bus ? bus_run_timers(bus) : -1;
        if (wait < 0 && !(v->cpu->flags & BLINK_IF)) {
            exec_log(v->exec, BLINK_LOG_INFO, "halted with interrupts off at %#llx; stopping",
                     (unsigned long long)v->cpu->rip);
            return false;
        }
        if (wait == 0)
            continue;
        signals_sleep(v, wait);
    }
    return true;
}

/* Each exit has its one place. False: the vCPU ends. */
static bool handle_exit(struct vcpu *v) {
    uint32_t reason = v->cpu->exit_reason;
    v->exits[reason]++;
    v->cpu->exit_reason = BLINK_EXIT_NONE;
    if (reason == BLINK_EXIT_BLOCK || reason == BLINK_EXIT_NONE)
        return true;
    if (reason != BLINK_EXIT_SMC && reason != BLINK_EXIT_ALONE)
        vcpu_unpin(v);
    switch (reason) {
    case BLINK_EXIT_SYSCALL: return on_syscall(v);
    case BLINK_EXIT_INT: return on_interrupt(v);
    case BLINK_EXIT_FAULT: return on_fault(v);
    case BLINK_EXIT_HLT: return v->exec->system ? system_halt(v) : on_halt(v);
    case BLINK_EXIT_STOP: return false;
    case BLINK_EXIT_ALONE:
        v->context.link_from = NULL;
        vcpu_single(v);
        return true;
    case BLINK_EXIT_SMC:
        /* The rest of the block it stood in may be what it has just changed. */
        v->smc_drops++;
        v->context.link_from = NULL;
        vcpu_single(v);
        return true;
    default: return true;
    }
}

/* One round: what waits, then guest code. */
static bool one_round(struct vcpu *v) {
    struct blink_cpu *cpu = v->cpu;
    if (__atomic_load_n(&cpu->attention, __ATOMIC_SEQ_CST)) {
        if (!attend(v))
            return false;
    }
    if (v->exec->system) {
        enum system_round now = system_round(v);
        if (now != SYSTEM_GO)
            return now == SYSTEM_AGAIN;
    }
    if (__atomic_load_n(&cpu->attention, __ATOMIC_SEQ_CST) & BLINK_ATTN_STEP) {
        step(v);
        if (v->stepping)
            step_done(v);
        return true;
    }
    if (cpu->shadow) {
        cpu->shadow = 0;
        vcpu_single(v);
        return true;
    }
    run_block(v);
    return true;
}

static void end(struct vcpu *v) {
    struct exec *x = v->exec;
    if (v->apart)
        process_leave(x->status);
    vcpu_unpin(v);
    if (x->abi)
        x->abi->thread_end(x->abi_self, v->cpu);
    clock_detach(v);
    signals_detach(v);
    park_end(v);
    vcpu_destroy(v);
}

void vcpu_run(struct vcpu *v) {
    park_thread(v);
    /* A fault in guest code, on this thread, comes back here from anywhere below. */
    if (sigsetjmp(v->context.unwind, 0)) {
        __atomic_store_n(&v->in_jit, 0, __ATOMIC_SEQ_CST);
        vcpu_leave(v);
        if (v->stepping)
            step_done(v);
    }
    while (handle_exit(v) && one_round(v))
        ;
    end(v);
}
