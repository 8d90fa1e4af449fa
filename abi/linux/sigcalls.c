/*
 * System calls about signals. Sending, waiting and what is pending are the host's; see signal.c.
 */
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "linux.h"

#define SIGSET_SIZE 8

static bool bad_signal(uint64_t signo) {
    return (uint32_t)signo < 1 || (uint32_t)signo > G_NSIG;
}

/* ---- actions ---- */

static uint32_t disposition(int signo, const struct g_sigaction *a) {
    uint32_t d = a->handler == G_SIG_DFL   ? BLINK_SIGNAL_DEFAULT
                 : a->handler == G_SIG_IGN ? BLINK_SIGNAL_IGNORE
                                           : BLINK_SIGNAL_CATCH;
    if (signo == SIGCHLD && (a->flags & G_SA_NOCLDSTOP))
        d |= BLINK_SIGNAL_NO_STOPS;
    if (signo == SIGCHLD && (a->flags & G_SA_NOCLDWAIT))
        d |= BLINK_SIGNAL_NO_WAIT;
    return d;
}

static int set_action(struct lx_thread *t, int signo, const struct g_sigaction *new,
                      struct g_sigaction *old) {
    struct blink_plugin *abi = t->abi;
    struct g_sigaction *action = &t->handlers->action[signo];
    int rc = 0;
    pthread_mutex_lock(&abi->lock);
    *old = *action;
    if (new) {
        rc = abi->exec.signal_watch(abi->host->machine, signo, disposition(signo, new));
        if (rc == 0) {
            *action = *new;
            action->mask &= ~LX_UNBLOCKABLE;
            action->flags &= G_SA_KNOWN;
        }
    }
    pthread_mutex_unlock(&abi->lock);
    return rc;
}

int64_t lx_sys_rt_sigaction(struct lx_call *c) {
    struct g_sigaction new, old;
    int signo = (int)c->a[0];
    if (c->a[3] != SIGSET_SIZE)
        return -EINVAL;
    if (c->a[1] && lx_in(c, &new, c->a[1], sizeof new))
        return -EFAULT;
    if (bad_signal(c->a[0]) || (c->a[1] && LX_SIGBIT(signo) & LX_UNBLOCKABLE))
        return -EINVAL;
    int rc = set_action(c->thread, signo, c->a[1] ? &new : NULL, &old);
    return rc ? rc : lx_out_opt(c, c->a[2], &old, sizeof old);
}

/* ---- masks ---- */

int64_t lx_sys_rt_sigprocmask(struct lx_call *c) {
    struct lx_thread *t = c->thread;
    uint64_t old = t->mask, set, mask = old;
    if (c->a[3] != SIGSET_SIZE)
        return -EINVAL;
    if (c->a[1]) {
        if (lx_in(c, &set, c->a[1], sizeof set))
            return -EFAULT;
        switch ((int)c->a[0]) {
        case SIG_BLOCK: mask |= set; break;
        case SIG_UNBLOCK: mask &= ~set; break;
        case SIG_SETMASK: mask = set; break;
        default: return -EINVAL;
        }
        if ((mask & ~LX_UNBLOCKABLE) != old)
            lx_set_mask(t, mask);
    }
    return lx_out_opt(c, c->a[2], &old, sizeof old);
}

int64_t lx_sys_rt_sigpending(struct lx_call *c) {
    uint64_t set = 0;
    if (c->a[1] > SIGSET_SIZE)
        return -EINVAL;
    if (syscall(SYS_rt_sigpending, &set, SIGSET_SIZE))
        return -errno;
    set = (set | c->thread->held) & c->thread->mask;
    return lx_out(c, c->a[0], &set, (size_t)c->a[1]);
}

int64_t lx_sys_rt_sigreturn(struct lx_call *c) {
    uint64_t mask;
    c->keep = true;
    if (lx_frame_pop(c->thread, &mask)) {
        siginfo_t info = {.si_signo = SIGSEGV, .si_code = SI_KERNEL};
        c->outcome = lx_force_signal(c->thread, SIGSEGV, &info);
        return 0;
    }
    c->thread->restart = NULL;
    lx_set_mask(c->thread, mask);
    return (int64_t)c->cpu->gpr[BLINK_RAX];
}

/* ---- waiting ---- */

/* Sleep until a signal: its handler, or nothing, decides what follows. */
static int64_t sleep_for_signal(struct lx_call *c) {
    int64_t rc = LX_SYSCALL(c, SYS_ppoll, 0, 0, 0, 0, 0, 0);
    return rc < 0 ? rc : -EINTR;
}

int64_t lx_sys_pause(struct lx_call *c) {
    return sleep_for_signal(c);
}

int64_t lx_sys_rt_sigsuspend(struct lx_call *c) {
    uint64_t mask;
    if (c->a[1] != SIGSET_SIZE)
        return -EINVAL;
    if (lx_in(c, &mask, c->a[0], sizeof mask))
        return -EFAULT;
    lx_borrow_mask(c->thread, mask);
    int64_t rc = c->thread->held & ~c->thread->mask ? -EINTR : sleep_for_signal(c);
    lx_return_mask(c->thread, rc);
    return rc;
}

/* A held synchronous signal out of `set`, as sigtimedwait takes it. */
static int take_held(struct lx_thread *t, uint64_t set, void *info) {
    uint64_t ready = t->held & set;
    if (!ready)
        return 0;
    int signo = __builtin_ctzll(ready) + 1;
    t->held &= ~LX_SIGBIT(signo);
    memcpy(info, t->held_info[signo], sizeof t->held_info[signo]);
    return signo;
}

int64_t lx_sys_rt_sigtimedwait(struct lx_call *c) {
    struct lx_thread *t = c->thread;
    struct timespec ts;
    uint64_t set;
    uint8_t info[128] = {0};
    if (c->a[3] != SIGSET_SIZE)
        return -EINVAL;
    if (lx_in(c, &set, c->a[0], sizeof set) || (c->a[2] && lx_in(c, &ts, c->a[2], sizeof ts)))
        return -EFAULT;
    set &= ~LX_UNBLOCKABLE;
    int64_t rc = take_held(t, set, info);
    if (rc == 0)
        rc =
            LX_SYSCALL(c, SYS_rt_sigtimedwait, &set, info, c->a[2] ? &ts : NULL, SIGSET_SIZE, 0, 0);
    if (rc > 0 && c->a[1] && lx_out(c, c->a[1], info, sizeof info))
        return -EFAULT;
    return rc;
}

/* ---- sending ---- */

int64_t lx_sys_kill(struct lx_call *c) {
    return lx_result(syscall(SYS_kill, (int)c->a[0], (int)c->a[1]));
}

int64_t lx_sys_tkill(struct lx_call *c) {
    return lx_result(syscall(SYS_tkill, (int)c->a[0], (int)c->a[1]));
}

int64_t lx_sys_tgkill(struct lx_call *c) {
    return lx_result(syscall(SYS_tgkill, (int)c->a[0], (int)c->a[1], (int)c->a[2]));
}

int64_t lx_sys_rt_sigqueueinfo(struct lx_call *c) {
    siginfo_t info;
    if (lx_in(c, &info, c->a[2], sizeof info))
        return -EFAULT;
    return lx_result(syscall(SYS_rt_sigqueueinfo, (int)c->a[0], (int)c->a[1], &info));
}

int64_t lx_sys_rt_tgsigqueueinfo(struct lx_call *c) {
    siginfo_t info;
    if (lx_in(c, &info, c->a[3], sizeof info))
        return -EFAULT;
    return lx_result(
        syscall(SYS_rt_tgsigqueueinfo, (int)c->a[0], (int)c->a[1], (int)c->a[2], &info));
}

/* ---- the alternate stack ---- */

static int set_altstack(struct lx_thread *t, const struct g_stack *s, uint64_t sp, uint64_t least) {
    uint32_t mode = (uint32_t)s->flags & ~G_SS_AUTODISARM;
    if (lx_on_altstack(t, sp))
        return -EPERM;
    if (mode != G_SS_DISABLE && mode != G_SS_ONSTACK && mode != 0)
        return -EINVAL;
    /* What changes nothing is not looked at. */
    if (s->sp == t->altstack.sp && s->size == t->altstack.size &&
        (s->flags == t->altstack.flags || (!s->size && !s->flags)))
        return 0;
    if (mode == G_SS_DISABLE) {
        t->altstack = (struct g_stack){.flags = s->flags};
        return 0;
    }
    if (s->size < least)
        return -ENOMEM;
    t->altstack = (struct g_stack){.sp = s->sp, .flags = s->flags, .size = s->size};
    return 0;
}

void lx_altstack_restore(struct lx_thread *t, const struct g_stack *stack) {
    set_altstack(t, stack, t->cpu->gpr[BLINK_RSP], G_MINSIGSTKSZ);
}

int64_t lx_sys_sigaltstack(struct lx_call *c) {
    struct lx_thread *t = c->thread;
    uint64_t sp = c->cpu->gpr[BLINK_RSP];
    struct g_stack new, old = t->altstack;
    old.flags &= (int32_t)G_SS_AUTODISARM;
    if (!old.size)
        old.flags |= G_SS_DISABLE;
    else if (lx_on_altstack(t, sp))
        old.flags |= G_SS_ONSTACK;
    if (c->a[0]) {
        if (lx_in(c, &new, c->a[0], sizeof new))
            return -EFAULT;
        int rc = set_altstack(t, &new, sp, G_MINSIGSTKSZ);
        if (rc)
            return rc;
    }
    return lx_out_opt(c, c->a[1], &old, sizeof old);
}
