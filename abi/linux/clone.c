/*
 * fork, vfork, clone and clone3. A new process is a fork of the whole emulator; a new thread is
 * thread.c's. What a vfork child leaves in its parent's stack frame is brought back, since the
 * two do not share memory here. vCPU threads.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "linux.h"

#ifndef CLONE_CLEAR_SIGHAND
  #define CLONE_CLEAR_SIGHAND UINT64_C(0x100000000)
#endif
#ifndef CLONE_INTO_CGROUP
  #define CLONE_INTO_CGROUP UINT64_C(0x200000000)
#endif
#define NAMESPACES                                                                                 \
  (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |    \
   CLONE_NEWNET)
/* What makes a thread of this process, all of them together. */
#define THREAD_FLAGS (CLONE_VM | CLONE_THREAD | CLONE_SIGHAND)

struct clone_args_guest {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
        set_tid_size, cgroup;
};
#define CLONE_ARGS_SIZE_VER0 64

struct request {
    uint64_t flags, sp, parent_tid, child_tid, tls, pidfd;
    int exit_signal;
};

/* ---- vfork ---- */

/* The parent waits at a pipe until its child execs or ends: both close the other side. A child
 * that ends in blink sends first what stands in the parent's frames. */
#define SHARED_FRAMES 4096u

/* A descriptor that is out of the guest's way. */
static int move_up(int fd) {
    struct rlimit r;
    int limit = getrlimit(RLIMIT_NOFILE, &r) || r.rlim_cur > 1 << 20 ? 1024 : (int)r.rlim_cur;
    int high = limit > 32 ? fcntl(fd, F_DUPFD_CLOEXEC, limit - 16) : -1;
    if (high < 0)
        return fd;
    close(fd);
    return high;
}

static int vfork_prepare(int ends[2]) {
    if (pipe2(ends, O_CLOEXEC))
        return -errno;
    ends[0] = move_up(ends[0]);
    ends[1] = move_up(ends[1]);
    return 0;
}

static void vfork_wait(struct lx_call *c, int fd) {
    uint8_t frames[SHARED_FRAMES];
    uint64_t sp = c->cpu->gpr[BLINK_RSP];
    size_t size = 0;
    while (size < sizeof frames) {
        ssize_t n = read(fd, frames + size, sizeof frames - size);
        if (n == 0 || (n < 0 && errno != EINTR))
            break;
        size += n > 0 ? (size_t)n : 0;
    }
    if (size)
        lx_out(c, sp, frames, size);
    close(fd);
}

void lx_vfork_end(struct lx_thread *t) {
    uint8_t frames[SHARED_FRAMES];
    size_t size = sizeof frames;
    if (!t->vfork_fd)
        return;
    /* The stack may end sooner. */
    while (size && t->abi->mem.copy_in(t->cpu->mem, frames, t->vfork_sp, size))
        size /= 2;
    for (size_t done = 0; done < size;) {
        ssize_t n = write(t->vfork_fd, frames + done, size - done);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    close(t->vfork_fd);
    t->vfork_fd = 0;
}

/* ---- processes ---- */

static void clear_handlers(struct blink_plugin *abi) {
    for (int signo = 1; signo <= G_NSIG; signo++) {
        struct g_sigaction *a = &abi->action[signo];
        if (a->handler != G_SIG_DFL && a->handler != G_SIG_IGN) {
            *a = (struct g_sigaction){0};
            abi->exec.signal_watch(abi->host->machine, signo, BLINK_SIGNAL_DEFAULT);
        }
    }
}

static void begin_child(struct lx_call *c, const struct request *q, const int ends[2]) {
    struct lx_thread *t = c->thread;
    struct blink_plugin *abi = c->abi;
    int32_t tid = (int32_t)syscall(SYS_gettid);
    abi->threads = 1;
    t->leader = true;
    t->held = 0;
    t->robust_list = 0;
    t->clear_child_tid = q->flags & CLONE_CHILD_CLEARTID ? q->child_tid : 0;
    t->restart = NULL;
    if (t->vfork_fd)
        close(t->vfork_fd);
    t->vfork_fd = 0;
    if (q->flags & CLONE_VFORK) {
        close(ends[0]);
        t->vfork_fd = ends[1];
        t->vfork_sp = c->cpu->gpr[BLINK_RSP];
    }
    if (q->flags & CLONE_CLEAR_SIGHAND)
        clear_handlers(abi);
    if (q->flags & CLONE_CHILD_SETTID)
        lx_out(c, q->child_tid, &tid, sizeof tid);
    if (q->flags & CLONE_SETTLS)
        c->cpu->seg[BLINK_SEG_FS].base = q->tls;
    if (q->sp)
        c->cpu->gpr[BLINK_RSP] = q->sp;
}

static int64_t begin_parent(struct lx_call *c, const struct request *q, int64_t pid,
                            const int ends[2]) {
    int32_t tid = (int32_t)pid;
    if (q->flags & CLONE_PARENT_SETTID)
        lx_out(c, q->parent_tid, &tid, sizeof tid);
    if (q->flags & CLONE_PIDFD) {
        int32_t fd = (int32_t)syscall(SYS_pidfd_open, pid, 0);
        lx_out(c, q->pidfd, &fd, sizeof fd);
    }
    if (q->flags & CLONE_VFORK) {
        close(ends[1]);
        vfork_wait(c, ends[0]);
    }
    return pid;
}

static int64_t new_process(struct lx_call *c, const struct request *q) {
    struct blink_plugin *abi = c->abi;
    int ends[2] = {-1, -1};
    /* Only SIGCHLD and none can be asked of the host. Shared memory without waiting cannot. */
    if (q->flags & NAMESPACES || q->flags & CLONE_INTO_CGROUP ||
        ((q->flags & CLONE_VM) && !(q->flags & CLONE_VFORK)))
        return -EINVAL;
    int rc = q->flags & CLONE_VFORK ? vfork_prepare(ends) : 0;
    if (rc)
        return rc;
    abi->forked = true;
    /* No other thread may hold it in the child. */
    pthread_mutex_lock(&abi->lock);
    int64_t pid = abi->exec.fork(c->cpu);
    pthread_mutex_unlock(&abi->lock);
    if (pid < 0 && ends[0] >= 0) {
        close(ends[0]);
        close(ends[1]);
    }
    if (pid < 0)
        return pid;
    if (pid)
        return begin_parent(c, q, pid, ends);
    begin_child(c, q, ends);
    return 0;
}

/* copy_process of Linux: what does not go together. */
static int64_t start(struct lx_call *c, const struct request *q) {
    uint64_t f = q->flags;
    if (((f & CLONE_SIGHAND) && !(f & CLONE_VM)) || ((f & CLONE_THREAD) && !(f & CLONE_SIGHAND)) ||
        (f & CLONE_CLEAR_SIGHAND && f & CLONE_SIGHAND) || ((f & CLONE_FS) && (f & CLONE_NEWNS)))
        return -EINVAL;
    if (!(f & CLONE_THREAD))
        return new_process(c, q);
    if ((f & THREAD_FLAGS) != THREAD_FLAGS || f & NAMESPACES || f & CLONE_PIDFD)
        return -EINVAL;
    return lx_clone_thread(c, f, q->sp, q->parent_tid, q->child_tid, q->tls);
}

int64_t lx_sys_fork(struct lx_call *c) {
    return start(c, &(struct request){.exit_signal = SIGCHLD});
}

int64_t lx_sys_vfork(struct lx_call *c) {
    return start(c, &(struct request){.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD});
}

int64_t lx_sys_clone(struct lx_call *c) {
    struct request q = {
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
    struct request q = {
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
