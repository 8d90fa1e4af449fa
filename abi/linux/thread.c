/*
 * Threads of the guest: each is a vCPU on a host thread of its own. Their beginning and end, with
 * the words that joining threads wait for and the list of robust futexes. A struct lx_thread
 * belongs to its vCPU's thread.
 */
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "linux.h"

#define ROBUST_LIMIT     2048 /* entries that a list is followed for */
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_WAITERS    0x80000000u
#define FUTEX_TID_MASK   0x3fffffffu

/* ---- records ---- */

/* `maker` NULL: handlers of nothing but default actions. */
static struct lx_thread *make(struct blink_plugin *abi, struct lx_thread *maker, bool own) {
    struct lx_thread *t = calloc(1, sizeof *t);
    struct lx_handlers *h = own && t ? calloc(1, sizeof *h) : NULL;
    if (!t || (own && !h)) {
        free(t);
        return NULL;
    }
    t->abi = abi;
    t->altstack.flags = G_SS_DISABLE;
    pthread_mutex_lock(&abi->lock);
    if (own && maker)
        *h = *maker->handlers;
    t->handlers = own ? h : maker->handlers;
    t->handlers->users = own ? 1 : t->handlers->users + 1;
    t->link = &abi->first_thread;
    t->next = abi->first_thread;
    if (t->next)
        t->next->link = &t->next;
    abi->first_thread = t;
    pthread_mutex_unlock(&abi->lock);
    return t;
}

/* With the lock held. */
static void free_locked(struct lx_thread *t) {
    *t->link = t->next;
    if (t->next)
        t->next->link = t->link;
    if (--t->handlers->users == 0)
        free(t->handlers);
    lx_exec_free(t->exec);
    free(t);
}

struct lx_thread *lx_thread_create(struct blink_plugin *abi, struct blink_cpu *cpu) {
    struct lx_thread *t = make(abi, NULL, true);
    if (!t)
        return NULL;
    t->cpu = cpu;
    t->leader = true;
    t->tid = (int32_t)syscall(SYS_gettid);
    cpu->abi_private = t;
    __atomic_fetch_add(&abi->threads, 1, __ATOMIC_SEQ_CST);
    return t;
}

struct lx_thread *lx_thread_copy(struct lx_thread *maker, bool own_handlers) {
    struct lx_thread *t = make(maker->abi, maker, own_handlers);
    if (t)
        t->mask = maker->mask;
    return t;
}

void lx_thread_free(struct lx_thread *t) {
    struct blink_plugin *abi = t->abi;
    pthread_mutex_lock(&abi->lock);
    free_locked(t);
    pthread_mutex_unlock(&abi->lock);
}

void lx_threads_forget(struct lx_thread *self) {
    for (struct lx_thread *t = self->abi->first_thread, *next; t; t = next) {
        next = t->next;
        if (t != self)
            free_locked(t);
    }
}

/* ---- beginning ---- */

/* From the parent to its child, on the parent's stack until `begun`. */
struct lx_spawn {
    struct lx_thread *thread;
    const struct lx_request *request;
    int32_t tid; /* the record may be gone when the parent asks */
    sem_t begun;
};

int lx_thread_begin(struct blink_plugin *self, struct blink_cpu *cpu, void *arg) {
    struct lx_spawn *s = arg;
    struct lx_thread *t = s->thread;
    const struct lx_request *q = s->request;
    int32_t tid = (int32_t)syscall(SYS_gettid);
    t->cpu = cpu;
    t->tid = s->tid = tid;
    cpu->abi_private = t;
    if (q->flags & CLONE_CLEAR_SIGHAND)
        lx_clear_handlers(t);
    self->exec.signal_mask(cpu, t->mask);
    /* Linux ignores failure of these stores, too. */
    if (q->flags & CLONE_PARENT_SETTID)
        self->mem.copy_out(cpu->mem, q->parent_tid, &tid, sizeof tid);
    if (q->flags & CLONE_CHILD_SETTID)
        self->mem.copy_out(cpu->mem, q->child_tid, &tid, sizeof tid);
    sem_post(&s->begun);
    return 0;
}

/* The registers that the new thread begins with. */
static struct blink_cpu *child_state(const struct blink_cpu *parent, uint64_t sp, bool set_tls,
                                     uint64_t tls) {
    struct blink_cpu *state = malloc(sizeof *state);
    if (!state)
        return NULL;
    memcpy(state, parent, offsetof(struct blink_cpu, tlb));
    state->gpr[BLINK_RAX] = 0;
    if (sp)
        state->gpr[BLINK_RSP] = sp;
    if (set_tls)
        state->seg[BLINK_SEG_FS].base = tls;
    return state;
}

/* A thread of this process: its number, or -errno. */
static int64_t begin_thread(struct lx_call *c, struct lx_spawn *s, const struct blink_cpu *state) {
    struct blink_plugin *abi = c->abi;
    struct blink_cpu *cpu;
    __atomic_fetch_add(&abi->threads, 1, __ATOMIC_SEQ_CST);
    int64_t rc = abi->exec.thread_create(c->cpu, state, s, &cpu);
    if (rc) {
        __atomic_fetch_sub(&abi->threads, 1, __ATOMIC_SEQ_CST);
        return rc;
    }
    while (sem_wait(&s->begun))
        ;
    return s->tid;
}

/* A process that shares this one's memory. */
static int64_t begin_process(struct lx_call *c, struct lx_spawn *s, const struct blink_cpu *state) {
    const uint64_t host_flags = CLONE_FILES | CLONE_FS | CLONE_IO | CLONE_PARENT | CLONE_PIDFD |
                                CLONE_SIGHAND | CLONE_SYSVSEM | CLONE_VFORK;
    const struct lx_request *q = s->request;
    struct lx_thread *t = s->thread;
    int32_t pidfd = -1;
    t->apart = true;
    if (q->flags & CLONE_VFORK)
        t->altstack = c->thread->altstack;
    int64_t pid = c->abi->exec.share(c->cpu, state, s,
                                     (q->flags & host_flags) | (uint64_t)q->exit_signal, &pidfd);
    if (pid >= 0 && q->flags & CLONE_PIDFD)
        lx_out(c, q->pidfd, &pidfd, sizeof pidfd);
    return pid;
}

int64_t lx_clone_thread(struct lx_call *c, const struct lx_request *q) {
    struct lx_spawn s = {.request = q};
    bool thread = q->flags & CLONE_THREAD;
    struct blink_cpu *state = child_state(c->cpu, q->sp, q->flags & CLONE_SETTLS, q->tls);
    int64_t rc = -ENOMEM;
    s.thread = state ? lx_thread_copy(c->thread, !(q->flags & CLONE_SIGHAND)) : NULL;
    if (s.thread) {
        if (q->flags & CLONE_CHILD_CLEARTID)
            s.thread->clear_child_tid = q->child_tid;
        sem_init(&s.begun, 0, 0);
        __atomic_store_n(&c->abi->forked, true, __ATOMIC_RELAXED);
        rc = thread ? begin_thread(c, &s, state) : begin_process(c, &s, state);
        sem_destroy(&s.begun);
        if (rc < 0)
            lx_thread_free(s.thread);
    }
    free(state);
    return rc;
}

/* ---- the end ---- */

/*
 * Mark one mutex of a dead owner and wake who waits: handle_futex_death of Linux. Not in one piece:
 * what may come between is a waiter's bit, and a waiter that the store takes the bit from either
 * sees the word changed before it sleeps, or is woken.
 */
static void robust_one(struct lx_thread *t, uint64_t address, bool pending) {
    const struct blink_mem_iface *mem = &t->abi->mem;
    uint32_t old;
    if (address % 4 || mem->copy_in(t->cpu->mem, &old, address, sizeof old))
        return;
    if ((old & FUTEX_TID_MASK) == (uint32_t)t->tid) {
        uint32_t dead = (old & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
        if (mem->copy_out(t->cpu->mem, address, &dead, sizeof dead) == 0)
            lx_futex_wake(t, address, 1);
    } else if (pending && old == 0) {
        lx_futex_wake(t, address, 1); /* it was about to be handed over */
    }
}

/* struct robust_list_head: next, offset of the word, the entry under change. Bit 0 of a pointer
 * says that the mutex is a PI one. */
static void robust_walk(struct lx_thread *t) {
    uint64_t head[3], next;
    const struct blink_mem_iface *mem = &t->abi->mem;
    if (!t->robust_list || mem->copy_in(t->cpu->mem, head, t->robust_list, sizeof head))
        return;
    uint64_t entry = head[0] & ~UINT64_C(1), pending = head[2] & ~UINT64_C(1);
    for (int k = 0; k < ROBUST_LIMIT && entry != t->robust_list; k++) {
        bool good = mem->copy_in(t->cpu->mem, &next, entry, sizeof next) == 0;
        if (entry != pending)
            robust_one(t, entry + head[1], false);
        if (!good)
            return;
        entry = next & ~UINT64_C(1);
    }
    if (pending)
        robust_one(t, pending + head[1], true);
}

void lx_thread_end(struct blink_plugin *self, struct blink_cpu *cpu) {
    struct lx_thread *t = lx_thread_of(cpu);
    int32_t zero = 0;
    if (!t)
        return;
    robust_walk(t);
    if (t->clear_child_tid &&
        self->mem.copy_out(cpu->mem, t->clear_child_tid, &zero, sizeof zero) == 0)
        lx_futex_wake(t, t->clear_child_tid, 1);
    cpu->abi_private = NULL;
    lx_thread_free(t);
}

/* The process ends with its last thread, and with the status of its first. */
int64_t lx_sys_exit(struct lx_call *c) {
    struct blink_plugin *abi = c->abi;
    int status = (int)c->a[0] & 0xff;
    c->keep = true;
    c->outcome = BLINK_ABI_END;
    if (c->thread->leader)
        __atomic_store_n(&abi->leader_status, status, __ATOMIC_SEQ_CST);
    if (c->thread->apart)
        abi->exec.exit_machine(abi->host->machine, status);
    else if (__atomic_sub_fetch(&abi->threads, 1, __ATOMIC_SEQ_CST) == 0)
        abi->exec.exit_machine(abi->host->machine,
                               __atomic_load_n(&abi->leader_status, __ATOMIC_SEQ_CST));
    return 0;
}

int64_t lx_sys_exit_group(struct lx_call *c) {
    c->keep = true;
    c->outcome = BLINK_ABI_END;
    c->abi->exec.exit_machine(c->abi->host->machine, (int32_t)(c->a[0] & 0xff));
    return 0;
}

int64_t lx_sys_set_tid_address(struct lx_call *c) {
    c->thread->clear_child_tid = c->a[0];
    return syscall(SYS_gettid);
}

int64_t lx_sys_set_robust_list(struct lx_call *c) {
    if (c->a[1] != 3 * sizeof(uint64_t))
        return -EINVAL;
    c->thread->robust_list = c->a[0];
    return 0;
}

int64_t lx_sys_get_robust_list(struct lx_call *c) {
    uint64_t size = 3 * sizeof(uint64_t), pid = (uint32_t)c->a[0];
    if (pid && pid != (uint64_t)syscall(SYS_gettid))
        return kill((pid_t)pid, 0) && errno == ESRCH ? -ESRCH : -EPERM;
    if (lx_out(c, c->a[2], &size, sizeof size))
        return -EFAULT;
    return lx_out(c, c->a[1], &c->thread->robust_list, sizeof c->thread->robust_list);
}
