/*
 * Host processes and threads on behalf of the guest ABI. Called by vCPU threads outside of guest
 * code.
 */
#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bus/bus.h"
#include "exec/internal.h"
#include "exec/safe_syscall.h"

#if defined(__SANITIZE_ADDRESS__)
  #include <sanitizer/asan_interface.h>
  #include <sanitizer/lsan_interface.h>
/* The search for leaks waits for threads that a fork has not brought along. */
static bool threads_lost;
__attribute__((visibility("default"))) int __lsan_is_turned_off(void) {
    return threads_lost;
}
#endif

#define THREAD_STACK (512u << 10)
#define SHARE_DEPTH  4u /* processes that share memory, each made by the one before */

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
    labels_forked(x);
    pthread_mutex_unlock(&x->lock);
    pthread_cond_init(&x->ended, NULL);
    park_after_fork(x);
    mem_after_fork(x->mem);
    if (x->options.bus)
        bus_after_fork(x->options.bus);
    w->self->thread = pthread_self();
    w->self->apart = w->self->shares_handlers = false;
#if defined(__SANITIZE_ADDRESS__)
    threads_lost = threads_lost || x->live > 1;
#endif
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
    struct vcpu *v = vcpu_of(cpu);
    const struct exec_hooks *h = &v->exec->options.hooks;
    /* exec does so, too; this way what is opened for it is not the parent's. */
    if (v->apart && syscall(SYS_unshare, CLONE_FILES))
        return -errno;
    return h->respawn(h->machine, path, guest_path, argv, envp, &v->leftover);
}

struct thread_start {
    struct vcpu *v;
    void *arg;
};

/* The end of a thread, or of what shared another's memory, that became the only one by fork. */
static _Noreturn void end_process(struct exec *x) {
    exec_wait_for_all(x);
    x->options.hooks.last_words(x->options.hooks.machine);
    _exit(x->status);
}

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
    if (adopted)
        end_process(x);
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

static int start_thread(void *(*run)(void *), void *arg) {
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, THREAD_STACK);
    uint64_t old = signals_block();
    pthread_t thread; /* the new thread notes its own */
    int rc = -pthread_create(&thread, &attr, run, arg);
    signals_keep_reserved();
    signals_restore(old);
    pthread_attr_destroy(&attr);
    return rc;
}

static int make_vcpu(const struct vcpu *self, const struct blink_cpu *state, struct vcpu **out) {
    struct vcpu *v;
    int rc = vcpu_create(self->exec, &v);
    if (rc)
        return rc;
    copy_state(v->cpu, state);
    v->own_thread = true;
    v->guest_mask = self->guest_mask;
    rc = mem_attach(self->exec->mem, v->cpu);
    if (rc)
        vcpu_destroy(v);
    else
        *out = v;
    return rc;
}

int process_thread_create(struct blink_cpu *parent, const struct blink_cpu *state, void *arg,
                          struct blink_cpu **out) {
    struct vcpu *self = vcpu_of(parent), *v;
    struct thread_start *start = malloc(sizeof *start);
    if (!start)
        return -ENOMEM;
    /* Nobody would tidy up after a thread of a process that comes and goes within another. */
    int rc = self->apart ? -EAGAIN : make_vcpu(self, state, &v);
    if (rc) {
        free(start);
        return rc;
    }
    *start = (struct thread_start){.v = v, .arg = arg};
    *out = v->cpu;
    rc = start_thread(thread_main, start);
    if (rc) {
        vcpu_destroy(v);
        free(start);
    }
    return rc;
}

/*
 * ---- processes that share this one's memory ----
 *
 * vfork and clone with CLONE_VM: a process for the host, but all memory is this one's, the
 * emulator's included: its locks, its translated code. So its vCPU is one more of this machine,
 * with a signal table, descriptors and numbers of its own. It runs on the stack and with the
 * thread of the C library of who made it, who waits in the kernel meanwhile and tidies up after
 * it: that is the thread of the parent's vCPU, or one made for it if the parent is to go on.
 * Killed outright while it holds one of the machine's locks it takes that with it.
 */
struct share {
    struct vcpu *v;
    void *arg;
    uint64_t flags;
    int32_t *pidfd;
    int64_t pid; /* or -errno */
    bool waits;  /* the parent does, for the process to go */
    sem_t begun;
};

_Noreturn void process_leave(int32_t status) {
    for (;;)
        syscall(SYS_exit_group, status & 0xff);
}

/* The new process. */
static void share_main(void *p) {
    struct share *s = p;
    struct vcpu *v = s->v;
    struct exec *x = v->exec;
    bool adopted = false;
    v->adopted = &adopted;
    int rc = signals_attach(v);
    if (rc == 0)
        rc = x->abi->thread_begin(x->abi_self, v->cpu, s->arg);
    if (!s->waits) {
        s->pid = v->pid;
        sem_post(&s->begun); /* *s is gone */
    }
    if (rc)
        process_leave(127);
    vcpu_run(v);
    /* Unless a fork has made it the only one of a process it has not come here. */
    if (adopted)
        end_process(x);
    process_leave(127);
}

/* The process has been replaced or has ended: what it had here goes. */
static void share_end(struct vcpu *v) {
    struct exec *x = v->exec;
    x->abi->thread_end(x->abi_self, v->cpu);
    park_end(v);
    signals_free_stack(v);
    free(v->leftover);
    vcpu_destroy(v);
}

/* What lies below the frames of this function is the address sanitizer's again: it has marked the
 * frames of the other process, which were never left. */
static void forget_frames(void) {
#if defined(__SANITIZE_ADDRESS__)
    uint8_t *here = __builtin_frame_address(0);
    __asan_unpoison_memory_region(here - THREAD_STACK / 2, THREAD_STACK / 2);
#endif
}

/* Make it and wait for its end, on a thread that is `self`'s or nobody's. */
static int64_t share_and_wait(struct share *s, struct vcpu *self) {
    struct vcpu *v = s->v;
    uint64_t old = signals_block();
    int64_t pid = share_memory(s->flags | CLONE_VM | CLONE_VFORK, share_main, s, s->pidfd);
    forget_frames();
    signals_regain(self);
    if (pid < 0)
        vcpu_destroy(v);
    else
        share_end(v);
    park_thread(self);
    signals_restore(old);
    return pid;
}

static void *share_keeper(void *p) {
    struct share *s = p;
    int64_t pid = share_and_wait(s, NULL);
    if (pid < 0) {
        s->pid = pid;
        sem_post(&s->begun);
    }
    return NULL;
}

static int64_t share_and_go_on(struct share *s) {
    sem_init(&s->begun, 0, 0);
    int rc = start_thread(share_keeper, s);
    while (rc == 0 && sem_wait(&s->begun))
        ;
    sem_destroy(&s->begun);
    if (rc)
        vcpu_destroy(s->v);
    return rc ? rc : s->pid;
}

int64_t process_share(struct blink_cpu *parent, const struct blink_cpu *state, void *arg,
                      uint64_t flags, int32_t *pidfd) {
    struct vcpu *self = vcpu_of(parent);
    struct share s = {.arg = arg, .flags = flags, .pidfd = pidfd, .waits = flags & CLONE_VFORK};
    if (self->depth == SHARE_DEPTH || (self->apart && !s.waits))
        return -EAGAIN;
    int rc = make_vcpu(self, state, &s.v);
    if (rc)
        return rc;
    s.v->apart = true;
    s.v->shares_handlers = flags & CLONE_SIGHAND;
    s.v->depth = self->depth + 1;
    return s.waits ? share_and_wait(&s, self) : share_and_go_on(&s);
}

void process_exit(struct blink_machine *machine, int32_t status) {
    struct exec *x = machine_exec(machine);
    const struct vcpu *self = signals_current();
    bool shared = false;
    if (self && self->apart)
        process_leave(status);
    pthread_mutex_lock(&x->lock);
    if (!x->ending)
        x->status = status & 0xff;
    __atomic_store_n(&x->ending, 1, __ATOMIC_RELEASE);
    for (struct vcpu *v = x->vcpus; v; v = v->next) {
        shared |= v->apart;
        if (v->apart)
            continue;
        attention_set(v->cpu, BLINK_ATTN_STOP);
        signals_kick(v);
    }
    pthread_mutex_unlock(&x->lock);
    if (shared) {
        x->options.hooks.last_words(x->options.hooks.machine);
        process_leave(x->status);
    }
    park_ending(x);
}
