/*
 * Threads of the guest: each is a vCPU on a host thread of its own. Their beginning and end, with
 * the words that joining threads wait for and the list of robust futexes. A struct lx_thread
 * belongs to its vCPU's thread.
 */
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

struct lx_thread *lx_thread_create(struct blink_plugin *abi, struct blink_cpu *cpu) {
    struct lx_thread *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->abi = abi;
    t->cpu = cpu;
    t->leader = true;
    t->altstack.flags = G_SS_DISABLE;
    cpu->abi_private = t;
    __atomic_fetch_add(&abi->threads, 1, __ATOMIC_SEQ_CST);
    return t;
}

/* ---- beginning ---- */

/* From the parent to its child, on the parent's stack until `begun`. */
struct lx_spawn {
    struct lx_thread *thread;
    uint64_t flags, parent_tid, child_tid;
    int32_t tid;
    sem_t begun;
};

int lx_thread_begin(struct blink_plugin *self, struct blink_cpu *cpu, void *arg) {
    struct lx_spawn *s = arg;
    struct lx_thread *t = s->thread;
    int32_t tid = (int32_t)syscall(SYS_gettid);
    t->cpu = cpu;
    cpu->abi_private = t;
    self->exec.signal_mask(cpu, t->mask);
    /* Linux ignores failure of these stores, too. */
    if (s->flags & CLONE_PARENT_SETTID)
        self->mem.copy_out(cpu->mem, s->parent_tid, &tid, sizeof tid);
    if (s->flags & CLONE_CHILD_SETTID)
        self->mem.copy_out(cpu->mem, s->child_tid, &tid, sizeof tid);
    s->tid = tid;
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

int64_t lx_clone_thread(struct lx_call *c, uint64_t flags, uint64_t sp, uint64_t ptid,
                        uint64_t ctid, uint64_t tls) {
    struct lx_spawn s = {.flags = flags, .parent_tid = ptid, .child_tid = ctid};
    struct lx_thread *t = calloc(1, sizeof *t);
    struct blink_cpu *state = child_state(c->cpu, sp, flags & CLONE_SETTLS, tls), *cpu;
    int64_t rc = -ENOMEM;
    if (t && state) {
        t->abi = c->abi;
        t->mask = c->thread->mask;
        t->altstack.flags = G_SS_DISABLE;
        if (flags & CLONE_CHILD_CLEARTID)
            t->clear_child_tid = ctid;
        s.thread = t;
        sem_init(&s.begun, 0, 0);
        c->abi->forked = true;
        __atomic_fetch_add(&c->abi->threads, 1, __ATOMIC_SEQ_CST);
        rc = c->abi->exec.thread_create(c->cpu, state, &s, &cpu);
        if (rc)
            __atomic_fetch_sub(&c->abi->threads, 1, __ATOMIC_SEQ_CST);
        while (rc == 0 && sem_wait(&s.begun))
            ;
        sem_destroy(&s.begun);
    }
    free(state);
    if (rc) {
        free(t);
        return rc;
    }
    return s.tid;
}

/* ---- the end ---- */

/* Mark one mutex of a dead owner and wake who waits: handle_futex_death of Linux. */
static void robust_one(struct lx_thread *t, uint64_t address, uint32_t tid, bool pending) {
    struct blink_mem_span span;
    uint64_t size = 4;
    uint32_t count = 1, old;
    const struct blink_mem_iface *mem = &t->abi->mem;
    if (address % 4 || mem->pin(t->cpu->mem, address, &size, BLINK_PROT_WRITE, &span, &count))
        return;
    uint32_t *word = span.host;
    bool wake = false;
    old = __atomic_load_n(word, __ATOMIC_SEQ_CST);
    while ((old & FUTEX_TID_MASK) == tid) {
        uint32_t dead = (old & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
        if (__atomic_compare_exchange_n(word, &old, dead, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST)) {
            wake = old & FUTEX_WAITERS;
            break;
        }
    }
    /* It was about to be handed over. */
    wake |= pending && old == 0;
    mem->unpin(t->cpu->mem, address, size, BLINK_PROT_WRITE);
    if (wake)
        lx_futex_wake(t, address, 1);
}

/* struct robust_list_head: next, offset of the word, the entry under change. Bit 0 of a pointer
 * says that the mutex is a PI one. */
static void robust_walk(struct lx_thread *t) {
    uint64_t head[3], next, tid = (uint64_t)syscall(SYS_gettid);
    const struct blink_mem_iface *mem = &t->abi->mem;
    if (!t->robust_list || mem->copy_in(t->cpu->mem, head, t->robust_list, sizeof head))
        return;
    uint64_t entry = head[0] & ~UINT64_C(1), pending = head[2] & ~UINT64_C(1);
    for (int k = 0; k < ROBUST_LIMIT && entry != t->robust_list; k++) {
        bool good = mem->copy_in(t->cpu->mem, &next, entry, sizeof next) == 0;
        if (entry != pending)
            robust_one(t, entry + head[1], (uint32_t)tid, false);
        if (!good)
            return;
        entry = next & ~UINT64_C(1);
    }
    if (pending)
        robust_one(t, pending + head[1], (uint32_t)tid, true);
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
    free(t);
}

/* The process ends with its last thread, and with the status of its first. */
int64_t lx_sys_exit(struct lx_call *c) {
    struct blink_plugin *abi = c->abi;
    int status = (int)c->a[0] & 0xff;
    c->keep = true;
    c->outcome = BLINK_ABI_END;
    if (c->thread->leader)
        __atomic_store_n(&abi->leader_status, status, __ATOMIC_SEQ_CST);
    lx_vfork_end(c->thread);
    if (__atomic_sub_fetch(&abi->threads, 1, __ATOMIC_SEQ_CST) == 0)
        abi->exec.exit_machine(abi->host->machine,
                               __atomic_load_n(&abi->leader_status, __ATOMIC_SEQ_CST));
    return 0;
}

int64_t lx_sys_exit_group(struct lx_call *c) {
    c->keep = true;
    c->outcome = BLINK_ABI_END;
    lx_vfork_end(c->thread);
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
