/*
 * fork, vfork, clone and clone3. A new process is a fork of the whole emulator, or with CLONE_VM,
 * as of vfork, a process of its own in the same memory; that, and a new thread, is thread.c's.
 * vCPU threads.
 */
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "linux.h"

#ifndef CLONE_INTO_CGROUP
  #define CLONE_INTO_CGROUP UINT64_C(0x200000000)
#endif
#define NAMESPACES                                                                                 \
  (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |    \
   CLONE_NEWNET)

struct clone_args_guest {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
        set_tid_size, cgroup;
};
#define CLONE_ARGS_SIZE_VER0 64

/* ---- processes ---- */

void lx_clear_handlers(struct lx_thread *t) {
    struct blink_plugin *abi = t->abi;
    pthread_mutex_lock(&abi->lock);
    for (int signo = 1; signo <= G_NSIG; signo++) {
        struct g_sigaction *a = &t->handlers->action[signo];
        if (a->handler != G_SIG_DFL && a->handler != G_SIG_IGN) {
            *a = (struct g_sigaction){0};
            abi->exec.signal_watch(abi->host->machine, signo, BLINK_SIGNAL_DEFAULT);
        }
    }
    pthread_mutex_unlock(&abi->lock);
}

/* The forked child is its process's only thread. */
static void begin_child(struct lx_call *c, const struct lx_request *q) {
    struct lx_thread *t = c->thread;
    struct blink_plugin *abi = c->abi;
    abi->threads = 1;
    t->tid = (int32_t)syscall(SYS_gettid);
    t->leader = true;
    t->apart = false;
    t->held = 0;
    t->robust_list = 0;
    t->clear_child_tid = q->flags & CLONE_CHILD_CLEARTID ? q->child_tid : 0;
    t->restart = NULL;
    if (q->flags & CLONE_CLEAR_SIGHAND)
        lx_clear_handlers(t);
    if (q->flags & CLONE_CHILD_SETTID)
        lx_out(c, q->child_tid, &t->tid, sizeof t->tid);
    if (q->flags & CLONE_SETTLS)
        c->cpu->seg[BLINK_SEG_FS].base = q->tls;
    if (q->sp)
        c->cpu->gpr[BLINK_RSP] = q->sp;
}

static void begin_parent(struct lx_call *c, const struct lx_request *q, int64_t pid) {
    int32_t tid = (int32_t)pid;
    if (q->flags & CLONE_PARENT_SETTID)
        lx_out(c, q->parent_tid, &tid, sizeof tid);
    if (q->flags & CLONE_PIDFD) {
        int32_t fd = (int32_t)syscall(SYS_pidfd_open, pid, 0);
        lx_out(c, q->pidfd, &fd, sizeof fd);
    }
}

static int64_t forked_process(struct lx_call *c, const struct lx_request *q) {
    struct blink_plugin *abi = c->abi;
    __atomic_store_n(&abi->forked, true, __ATOMIC_RELAXED);
    /* No other thread may hold it in the child. */
    pthread_mutex_lock(&abi->lock);
    int64_t pid = abi->exec.fork(c->cpu);
    if (pid == 0)
        lx_threads_forget(c->thread);
    pthread_mutex_unlock(&abi->lock);
    if (pid == 0)
        begin_child(c, q);
    else if (pid > 0)
        begin_parent(c, q, pid);
    return pid;
}

/* copy_process of Linux: what does not go together, and namespaces, which are not offered. */
static int64_t start(struct lx_call *c, const struct lx_request *q) {
    uint64_t f = q->flags;
    if (((f & CLONE_SIGHAND) && !(f & CLONE_VM)) || ((f & CLONE_THREAD) && !(f & CLONE_SIGHAND)) ||
        (f & CLONE_CLEAR_SIGHAND && f & CLONE_SIGHAND) || ((f & CLONE_FS) && (f & CLONE_NEWNS)) ||
        f & NAMESPACES || f & CLONE_INTO_CGROUP)
        return -EINVAL;
    if ((f & CLONE_THREAD) && (f & CLONE_PIDFD))
        return -EINVAL;
    return f & CLONE_VM ? lx_clone_thread(c, q) : forked_process(c, q);
}

int64_t lx_sys_fork(struct lx_call *c) {
    return start(c, &(struct lx_request){.exit_signal = SIGCHLD});
}

int64_t lx_sys_vfork(struct lx_call *c) {
    return start(c, &(struct lx_request){.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD});
}

int64_t lx_sys_clone(struct lx_call *c) {
    struct lx_request q = {
        .flags = (uint32_t)c->a[0] & ~(uint64_t)CSIGNAL,
        .exit_signal = (int)(c->a[0] & CSIGNAL),
        .sp = c->a[1],
        .parent_tid = c->a[2],
        .pidfd = c->a[2],
        .child_tid = c->a[3],
        .tls = c->a[4],
    };
    if ((q.flags & CLONE_PIDFD) && (q.flags & CLONE_PARENT_SETTID))
        return -EINVAL;
    return start(c, &q);
}

/* The structure of the caller's version: what is missing is zero, what we do not know must be. */
static int clone_args_in(struct lx_call *c, struct clone_args_guest *a) {
    uint64_t size = c->a[1];
    uint8_t more;
    memset(a, 0, sizeof *a);
    if (size > BLINK_PAGE_SIZE)
        return -E2BIG;
    if (size < CLONE_ARGS_SIZE_VER0)
        return -EINVAL;
    for (uint64_t k = sizeof *a; k < size; k++) {
        if (lx_in(c, &more, c->a[0] + k, 1))
            return -EFAULT;
        if (more)
            return -E2BIG;
    }
    return lx_in(c, a, c->a[0], size < sizeof *a ? size : sizeof *a);
}

int64_t lx_sys_clone3(struct lx_call *c) {
    struct clone_args_guest a;
    int rc = clone_args_in(c, &a);
    if (rc)
        return rc;
    if (a.flags & (CSIGNAL | CLONE_DETACHED) || a.exit_signal & ~(uint64_t)CSIGNAL ||
        a.exit_signal > G_NSIG || !a.stack != !a.stack_size || a.set_tid_size > 32 ||
        a.flags & ~((CLONE_INTO_CGROUP << 1) - 1) ||
        (a.flags & (CLONE_THREAD | CLONE_PARENT) && a.exit_signal))
        return -EINVAL;
    if (a.set_tid_size)
        return -EPERM; /* CAP_CHECKPOINT_RESTORE */
    struct lx_request q = {
        .flags = a.flags,
        .exit_signal = (int)a.exit_signal,
        .sp = a.stack ? a.stack + a.stack_size : 0,
        .parent_tid = a.parent_tid,
        .child_tid = a.child_tid,
        .tls = a.tls,
        .pidfd = a.pidfd,
    };
    return start(c, &q);
}
