/*
 * Host processes and threads on behalf of the guest ABI. Called by vCPU threads outside of guest
 * code.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/bus.h"
#include "exec/internal.h"

#define THREAD_STACK (512u << 10)

struct fork_work {
    struct vcpu *self;
    int64_t result;
};

static void fork_now(void *arg) {
    struct fork_work *w = arg;
    struct exec *x = w->self->exec;
    /* The bus first: a device's handler, called with its lock, may use the memory. */
    if (x->options.bus)
        bus_before_fork(x->options.bus);
    mem_before_fork(x->mem);
    pthread_mutex_lock(&x->lock);
    int rc = jit_before_fork(x);
    pid_t pid = rc ? -1 : fork();
    w->result = rc ? rc : pid < 0 ? -errno : pid;
    if (pid != 0) {
        if (rc == 0)
            jit_fork_parent(x);
        pthread_mutex_unlock(&x->lock);
        mem_fork_parent(x->mem);
        if (x->options.bus)
            bus_fork_parent(x->options.bus);
        return;
    }
    if (!jit_fork_child(x))
        _exit(127);
    pthread_mutex_unlock(&x->lock);
    pthread_cond_init(&x->ended, NULL);
    park_after_fork(x);
    mem_after_fork(x->mem);
    if (x->options.bus)
        bus_after_fork(x->options.bus);
    w->self->thread = pthread_self();
    vcpu_forget_others(w->self);
    signals_forked(w->self);
    clock_forked(w->self);
    if (x->options.hooks.forked)
        x->options.hooks.forked(x->options.hooks.machine);
    /* The thread that would give the process its exit status is not here. */
    if (w->self->adopted)
        *w->self->adopted = true;
}

int64_t process_fork(struct blink_cpu *cpu) {
    struct fork_work w = {.self = vcpu_of(cpu)};
    park_exclusive(w.self->exec, fork_now, &w);
    return w.result;
}

int process_respawn(struct blink_cpu *cpu, const char *path, const char *guest_path,
                    const char *const *argv, const char *const *envp) {
    const struct exec_hooks *h = &vcpu_of(cpu)->exec->options.hooks;
    return h->respawn(h->machine, path, guest_path, argv, envp);
}

struct thread_start {
    struct vcpu *v;
    void *arg;
};

static void *thread_main(void *p) {
    struct thread_start start = *(struct thread_start *)p;
    struct vcpu *v = start.v;
    struct exec *x = v->exec;
    free(p);
    int rc = signals_attach(v);
    if (rc == 0)
        rc = x->abi->thread_begin(x->abi_self, v->cpu, start.arg);
    if (rc)
        attention_set(v->cpu, BLINK_ATTN_STOP);
    bool adopted = false;
    v->adopted = &adopted;
    vcpu_run(v);
    /* Otherwise the machine may be gone by now. */
    if (adopted) {
        exec_wait_for_all(x);
        x->options.hooks.last_words(x->options.hooks.machine);
        _exit(x->status);
    }
    return NULL;
}

/* Registers only: what core attached to the new vCPU stays. */
static void copy_state(struct blink_cpu *to, const struct blink_cpu *from) {
    struct blink_jump_cache *jumps = to->jumps;
    void *private = to->exec_private;
    uint32_t id = to->id;
    size_t head = offsetof(struct blink_cpu, attention);
    size_t rest = offsetof(struct blink_cpu, exit_reason);
    /* Attention may have been called to the new one already. */
    memcpy(to, from, head);
    memcpy((char *)to + rest, (const char *)from + rest, offsetof(struct blink_cpu, tlb) - rest);
    to->icount = 0;
    to->exit_reason = BLINK_EXIT_NONE;
    to->insn = NULL;
    to->jumps = jumps;
    to->id = id;
    to->mem = NULL;
    to->exec_private = private;
    to->abi_private = NULL;
    to->jit_private = NULL;
}

static int start_thread(struct thread_start *start) {
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, THREAD_STACK);
    uint64_t old = signals_block();
    pthread_t thread; /* the new thread notes its own */
    int rc = -pthread_create(&thread, &attr, thread_main, start);
    signals_keep_reserved();
    signals_restore(old);
    pthread_attr_destroy(&attr);
    return rc;
}

int process_thread_create(struct blink_cpu *parent, const struct blink_cpu *state, void *arg,
                          struct blink_cpu **out) {
    struct vcpu *self = vcpu_of(parent), *v;
    struct exec *x = self->exec;
    struct thread_start *start = malloc(sizeof *start);
    if (!start)
        return -ENOMEM;
    int rc = vcpu_create(x, &v);
    if (rc) {
        free(start);
        return rc;
    }
    copy_state(v->cpu, state);
    v->own_thread = true;
    v->guest_mask = self->guest_mask;
    rc = mem_attach(x->mem, v->cpu);
    if (rc == 0) {
        *start = (struct thread_start){.v = v, .arg = arg};
        *out = v->cpu;
        rc = start_thread(start);
    }
    if (rc) {
        vcpu_destroy(v);
        free(start);
    }
    return rc;
}

void process_exit(struct blink_machine *machine, int32_t status) {
    struct exec *x = machine_exec(machine);
    pthread_mutex_lock(&x->lock);
    if (!x->ending)
        x->status = status & 0xff;
    __atomic_store_n(&x->ending, 1, __ATOMIC_RELEASE);
    for (struct vcpu *v = x->vcpus; v; v = v->next) {
        attention_set(v->cpu, BLINK_ATTN_STOP);
        signals_kick(v);
    }
    pthread_mutex_unlock(&x->lock);
    park_ending(x);
}
