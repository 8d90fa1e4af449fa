/*
 * Signals on their way to the guest. The host keeps what is pending and blocked: the guest's mask
 * is the host thread's, its dispositions are the host's, and core hands over one caught signal at
 * a time. Only those that core never blocks are held here while the guest blocks them. Each
 * thread's state belongs to its vCPU; the actions are guarded by the instance's lock.
 */
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "linux.h"

/* Default actions that are not to end the process: signal(7). */
#define IGNORED_BY_DEFAULT                                                                         \
  (LX_SIGBIT(SIGCHLD) | LX_SIGBIT(SIGCONT) | LX_SIGBIT(SIGURG) | LX_SIGBIT(SIGWINCH))
#define STOPS_BY_DEFAULT                                                                           \
  (LX_SIGBIT(SIGSTOP) | LX_SIGBIT(SIGTSTP) | LX_SIGBIT(SIGTTIN) | LX_SIGBIT(SIGTTOU))

#define RESTART_SYSCALL 219

/* ---- masks ---- */

void lx_set_mask(struct lx_thread *t, uint64_t mask) {
    t->mask = mask & ~LX_UNBLOCKABLE;
    t->abi->exec.signal_mask(t->cpu, t->mask);
    if (t->held & ~t->mask)
        t->abi->exec.interrupt(t->cpu, BLINK_ATTN_SIGNAL);
}

void lx_borrow_mask(struct lx_thread *t, uint64_t mask) {
    t->saved_mask = t->mask;
    t->restore_mask = true;
    lx_set_mask(t, mask);
}

void lx_return_mask(struct lx_thread *t, int64_t result) {
    if (!t->restore_mask || result == -EINTR)
        return; /* lx_deliver does it, or the frame of the handler that runs */
    t->restore_mask = false;
    lx_set_mask(t, t->saved_mask);
}

/* ---- one signal ---- */

void lx_requeue(int signo, const void *info) {
    syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), signo, info);
}

static void hold(struct lx_thread *t, int signo, const void *info) {
    /* One of a kind is kept, as for every standard signal. */
    if (t->held & LX_SIGBIT(signo))
        return;
    t->held |= LX_SIGBIT(signo);
    memcpy(t->held_info[signo], info, sizeof t->held_info[signo]);
}

static struct g_sigaction action_of(struct lx_thread *t, int signo) {
    pthread_mutex_lock(&t->abi->lock);
    struct g_sigaction a = t->handlers->action[signo];
    pthread_mutex_unlock(&t->abi->lock);
    return a;
}

static void reset_action(struct lx_thread *t, int signo) {
    struct blink_plugin *abi = t->abi;
    pthread_mutex_lock(&abi->lock);
    t->handlers->action[signo] = (struct g_sigaction){0};
    abi->exec.signal_watch(abi->host->machine, signo, BLINK_SIGNAL_DEFAULT);
    pthread_mutex_unlock(&abi->lock);
}

static uint32_t die(struct lx_thread *t, int signo) {
    lx_trace_killed(t, signo);
    t->abi->exec.die(t->abi->host->machine, signo);
    return BLINK_ABI_END;
}

/* The default action of a signal that reached us all the same: it changed since, or has ours on
 * the host. */
static uint32_t act_by_default(struct lx_thread *t, int signo) {
    if (LX_SIGBIT(signo) & IGNORED_BY_DEFAULT)
        return BLINK_ABI_CONTINUE;
    if (!(LX_SIGBIT(signo) & STOPS_BY_DEFAULT))
        return die(t, signo);
    kill(getpid(), SIGSTOP);
    return BLINK_ABI_CONTINUE;
}

/* Point the CPU at the handler, with its mask in t->mask for the caller to set. If its frame cannot
 * be built the guest gets SIGSEGV instead, and dies if that was it: force_sigsegv of Linux. */
static uint32_t run_handler(struct lx_thread *t, int signo, const void *info,
                            const struct g_sigaction *action) {
    struct lx_frame frame = {
        .signo = signo,
        .info = info,
        .action = *action,
        .saved_mask = t->restore_mask ? t->saved_mask : t->mask,
    };
    if (action->flags & G_SA_RESETHAND)
        reset_action(t, signo);
    t->restart = NULL;
    if (lx_frame_push(t, &frame)) {
        siginfo_t fault = {.si_signo = SIGSEGV, .si_code = SI_KERNEL};
        if (signo == SIGSEGV)
            reset_action(t, SIGSEGV);
        return lx_force_signal(t, SIGSEGV, &fault);
    }
    t->restore_mask = false;
    t->mask |= action->mask & ~LX_UNBLOCKABLE;
    if (!(action->flags & G_SA_NODEFER))
        t->mask |= LX_SIGBIT(signo);
    t->abi->exec.count(t->cpu, 0, 1);
    return BLINK_ABI_CONTINUE;
}

uint32_t lx_force_signal(struct lx_thread *t, int signo, const siginfo_t *info) {
    struct g_sigaction action = action_of(t, signo);
    if (t->abi->strace)
        lx_trace_signal(t, info);
    /* It cannot be put off: who blocks or ignores it dies of it. */
    if (t->mask & LX_SIGBIT(signo) || action.handler == G_SIG_IGN || action.handler == G_SIG_DFL) {
        reset_action(t, signo);
        return die(t, signo);
    }
    uint32_t outcome = run_handler(t, signo, info, &action);
    lx_set_mask(t, t->mask);
    return outcome;
}

/* ---- delivery ---- */

/* Where the call goes on: what the kernel does with its ERESTART codes. */
static void settle_call(struct lx_thread *t, const struct lx_call *c,
                        const struct g_sigaction *handler) {
    bool again = false;
    switch (c->restart) {
    case RS_SA: again = !handler || (handler->flags & G_SA_RESTART); break;
    case RS_NOHAND:
    case RS_BLOCK: again = !handler; break;
    default: break;
    }
    if (!again)
        return;
    t->cpu->rip -= 2;
    t->cpu->gpr[BLINK_RAX] = c->restart == RS_BLOCK && t->restart ? RESTART_SYSCALL : c->number;
}

struct delivery {
    struct lx_thread *t;
    const struct lx_call *interrupted; /* until it is settled */
    uint32_t outcome;
};

/* One caught signal. The host has all signals blocked. */
static void deliver_one(struct delivery *d, int signo, const void *info) {
    struct lx_thread *t = d->t;
    if (t->mask & LX_SIGBIT(signo)) {
        /* It came just before it was blocked. */
        if (LX_NEVER_BLOCKED & LX_SIGBIT(signo))
            hold(t, signo, info);
        else
            lx_requeue(signo, info);
        return;
    }
    struct g_sigaction action = action_of(t, signo);
    if (t->abi->strace)
        lx_trace_signal(t, info);
    if (action.handler == G_SIG_IGN)
        return;
    if (action.handler == G_SIG_DFL) {
        d->outcome = act_by_default(t, signo);
        return;
    }
    if (d->interrupted)
        settle_call(t, d->interrupted, &action);
    d->interrupted = NULL;
    d->outcome = run_handler(t, signo, info, &action);
}

/* The next signal to be delivered, with its siginfo. */
static bool take(struct lx_thread *t, int *signo, uint8_t info[128]) {
    uint64_t ready = t->held & ~t->mask;
    if (ready) {
        *signo = __builtin_ctzll(ready) + 1;
        t->held &= ~LX_SIGBIT(*signo);
        memcpy(info, t->held_info[*signo], 128);
        return true;
    }
    struct blink_signal s = {.struct_size = sizeof s};
    if (t->abi->exec.signal_take(t->cpu, &s))
        return false;
    *signo = s.signo;
    memcpy(info, s.info, 128);
    return true;
}

static bool waiting(const struct lx_thread *t) {
    return t->held & ~t->mask ||
           __atomic_load_n(&t->cpu->attention, __ATOMIC_SEQ_CST) & BLINK_ATTN_SIGNAL;
}

/*
 * While one signal is dealt with no other may come, or it would pass the mask that the first
 * one's handler is about to set: everything is blocked before core gives a signal up.
 */
uint32_t lx_deliver(struct lx_thread *t, const struct lx_call *call, int64_t result) {
    struct delivery d = {
        .t = t,
        .interrupted = result == -EINTR ? call : NULL,
        .outcome = BLINK_ABI_CONTINUE,
    };
    bool more;
    do {
        int signo;
        uint8_t info[128] __attribute__((aligned(16)));
        t->abi->exec.signal_mask(t->cpu, ~UINT64_C(0));
        more = take(t, &signo, info);
        if (more)
            deliver_one(&d, signo, info);
        t->abi->exec.signal_mask(t->cpu, t->mask);
    } while (more && d.outcome == BLINK_ABI_CONTINUE && waiting(t));
    if (d.outcome != BLINK_ABI_CONTINUE)
        return d.outcome;
    if (d.interrupted)
        settle_call(t, d.interrupted, NULL);
    if (t->restore_mask) {
        t->restore_mask = false;
        lx_set_mask(t, t->saved_mask);
    }
    return BLINK_ABI_CONTINUE;
}
