/*
 * Signals to the guest: actions, masks, frames and what they give back, restarted calls, faults.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "linux.h"

#include "guest.h"

#define HANDLER  UINT64_C(0x402000)
#define RESTORER UINT64_C(0x403000)
#define STACK    (GOOD + 0x8000)
#define CALL_RIP UINT64_C(0x401000) /* of the SYSCALL instruction, see guest_call */

static int setup(void **state) {
    struct guest *g = guest_create(NULL, NULL);
    g->cpu->gpr[BLINK_RSP] = STACK;
    g->cpu->xcr0 = 7;
    *state = g;
    return 0;
}

static int teardown(void **state) {
    guest_destroy(*state);
    return 0;
}

static void set_handler(struct guest *g, int signo, uint64_t flags, uint64_t mask) {
    struct g_sigaction a = {HANDLER, flags | G_SA_RESTORER, RESTORER, mask};
    uint64_t at = guest_put(g, 0, &a, sizeof a);
    assert_int_equal(CALL(g, SYS_rt_sigaction, signo, at, 0, 8), 0);
}

static void send(struct guest *g, int signo, int code) {
    struct blink_signal s = {.struct_size = sizeof s, .signo = signo, .code = code};
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = signo;
    info.si_code = code;
    info.si_pid = 77;
    memcpy(s.info, &info, sizeof s.info);
    fakehost_signal(g->fh, &s);
}

static uint64_t mask_of(struct guest *g) {
    return lx_thread_of(g->cpu)->mask;
}

static uint32_t deliver(struct guest *g) {
    return g->ops->signal(g->abi, g->cpu);
}

/* The handler returns: RET took the restorer's address. */
static void finish_handler(struct guest *g) {
    g->cpu->gpr[BLINK_RSP] += 8;
    CALL(g, SYS_rt_sigreturn);
}

/* ---- actions and masks ---- */

static void test_action(void **state) {
    struct guest *g = *state;
    struct g_sigaction in = {HANDLER, G_SA_RESTORER | G_SA_RESTART, RESTORER, UINT64_MAX}, out;
    uint64_t at = guest_put(g, 0, &in, sizeof in);
    struct fakehost_exec *e = fakehost_exec(g->fh);
    assert_int_equal(CALL(g, SYS_rt_sigaction, SIGUSR1, at, 0, 8), 0);
    assert_int_equal(e->disposition[SIGUSR1], BLINK_SIGNAL_CATCH);
    assert_int_equal(CALL(g, SYS_rt_sigaction, SIGUSR1, 0, GOOD + 64, 8), 0);
    guest_get(g, 64, &out, sizeof out);
    in.mask &= ~LX_UNBLOCKABLE;
    assert_memory_equal(&in, &out, sizeof in);
    in.handler = G_SIG_IGN;
    guest_put(g, 0, &in, sizeof in);
    assert_int_equal(CALL(g, SYS_rt_sigaction, SIGUSR1, at, 0, 8), 0);
    assert_int_equal(e->disposition[SIGUSR1], BLINK_SIGNAL_IGNORE);
    in.handler = G_SIG_DFL;
    guest_put(g, 0, &in, sizeof in);
    assert_int_equal(CALL(g, SYS_rt_sigaction, SIGUSR1, at, 0, 8), 0);
    assert_int_equal(e->disposition[SIGUSR1], BLINK_SIGNAL_DEFAULT);
}

static void test_children(void **state) {
    struct guest *g = *state;
    struct fakehost_exec *e = fakehost_exec(g->fh);
    set_handler(g, SIGCHLD, G_SA_NOCLDSTOP, 0);
    assert_int_equal(e->disposition[SIGCHLD], BLINK_SIGNAL_CATCH | BLINK_SIGNAL_NO_STOPS);
    set_handler(g, SIGCHLD, G_SA_NOCLDWAIT, 0);
    assert_int_equal(e->disposition[SIGCHLD], BLINK_SIGNAL_CATCH | BLINK_SIGNAL_NO_WAIT);
    set_handler(g, SIGUSR1, G_SA_NOCLDWAIT, 0);
    assert_int_equal(e->disposition[SIGUSR1], BLINK_SIGNAL_CATCH);
}

static void test_action_refused(void **state) {
    struct guest *g = *state;
    assert_int_equal(CALL(g, SYS_rt_sigaction, 0, GOOD, 0, 8), -EINVAL);
    assert_int_equal(CALL(g, SYS_rt_sigaction, 65, GOOD, 0, 8), -EINVAL);
    assert_int_equal(CALL(g, SYS_rt_sigaction, SIGKILL, GOOD, 0, 8), -EINVAL);
    assert_int_equal(CALL(g, SYS_rt_sigaction, SIGSTOP, GOOD, 0, 8), -EINVAL);
    assert_int_equal(CALL(g, SYS_rt_sigaction, SIGKILL, 0, GOOD, 8), 0);
    assert_int_equal(CALL(g, SYS_rt_sigaction, SIGUSR1, GOOD, 0, 16), -EINVAL);
    assert_int_equal(CALL(g, SYS_rt_sigaction, SIGUSR1, NOTHING, 0, 8), -EFAULT);
    assert_int_equal(CALL(g, SYS_rt_sigaction, SIGUSR1, GOOD_END - 8, 0, 8), -EFAULT);
    assert_int_equal(CALL(g, SYS_rt_sigaction, SIGUSR1, 0, READONLY, 8), -EFAULT);
}

static void test_mask(void **state) {
    struct guest *g = *state;
    uint64_t set = LX_SIGBIT(SIGUSR1) | LX_SIGBIT(SIGKILL), old;
    guest_put(g, 0, &set, sizeof set);
    uint64_t before = mask_of(g);
    assert_int_equal(CALL(g, SYS_rt_sigprocmask, SIG_BLOCK, GOOD, GOOD + 8, 8), 0);
    guest_get(g, 8, &old, sizeof old);
    assert_int_equal(old, before);
    assert_int_equal(mask_of(g), before | LX_SIGBIT(SIGUSR1));
    assert_int_equal(fakehost_exec(g->fh)->mask, mask_of(g));
    assert_int_equal(CALL(g, SYS_rt_sigprocmask, SIG_UNBLOCK, GOOD, 0, 8), 0);
    assert_int_equal(mask_of(g), before & ~LX_SIGBIT(SIGUSR1));
    assert_int_equal(CALL(g, SYS_rt_sigprocmask, 3, GOOD, 0, 8), -EINVAL);
    assert_int_equal(CALL(g, SYS_rt_sigprocmask, 3, 0, GOOD, 8), 0);
    assert_int_equal(CALL(g, SYS_rt_sigprocmask, SIG_SETMASK, GOOD, 0, 4), -EINVAL);
    assert_int_equal(CALL(g, SYS_rt_sigprocmask, SIG_SETMASK, NOTHING, 0, 8), -EFAULT);
    assert_int_equal(CALL(g, SYS_rt_sigprocmask, SIG_SETMASK, 0, READONLY, 8), -EFAULT);
}

/* ---- frames ---- */

static void fill_state(struct blink_cpu *cpu) {
    for (uint64_t k = 0; k < 16; k++)
        if (k != BLINK_RSP)
            cpu->gpr[k] = UINT64_C(0x1111111111111111) * k + 5;
    for (int k = 0; k < 16; k++)
        for (int b = 0; b < 32; b++)
            cpu->ymm[k].u8[b] = (uint8_t)(k * 32 + b);
    for (int k = 0; k < 8; k++)
        cpu->fpr[k] = (struct blink_f80){.frac = UINT64_C(0x8000000000000000) + (uint64_t)k,
                                         .se = (uint16_t)(0x3fff + k)};
    cpu->fcw = 0x27f;
    cpu->fsw = 0x4100;
    cpu->ftop = 5;
    cpu->fvalid = 0xe1;
    cpu->fop = 0x123;
    cpu->fip = 0x400123;
    cpu->fdp = 0x500456;
    cpu->mxcsr = 0x1fa1;
    cpu->rip = 0x404040;
    blink_cpu_set_flags(cpu, 2 | BLINK_IF | BLINK_CF | BLINK_ZF | BLINK_DF | BLINK_OF);
}

static void assert_same_state(const struct blink_cpu *a, const struct blink_cpu *b) {
    assert_memory_equal(a->gpr, b->gpr, sizeof a->gpr);
    assert_int_equal(a->rip, b->rip);
    assert_int_equal(blink_cpu_get_flags(a), blink_cpu_get_flags(b));
    assert_memory_equal(a->ymm, b->ymm, sizeof a->ymm);
    assert_memory_equal(a->fpr, b->fpr, sizeof a->fpr);
    assert_int_equal(a->fcw, b->fcw);
    assert_int_equal(a->fsw, b->fsw);
    assert_int_equal(a->ftop, b->ftop);
    assert_int_equal(a->fvalid, b->fvalid);
    assert_int_equal(a->fop, b->fop);
    assert_int_equal(a->fip, b->fip);
    assert_int_equal(a->fdp, b->fdp);
    assert_int_equal(a->mxcsr, b->mxcsr);
}

static void test_frame(void **state) {
    static struct blink_cpu before;
    struct guest *g = *state;
    struct blink_cpu *cpu = g->cpu;
    struct g_sigframe frame;
    set_handler(g, SIGUSR1, G_SA_SIGINFO, LX_SIGBIT(SIGUSR2));
    uint64_t mask = mask_of(g);
    fill_state(cpu);
    before = *cpu;
    send(g, SIGUSR1, SI_USER);
    assert_int_equal(deliver(g), BLINK_ABI_CONTINUE);
    assert_int_equal(cpu->rip, HANDLER);
    assert_int_equal(cpu->gpr[BLINK_RDI], SIGUSR1);
    assert_int_equal(cpu->gpr[BLINK_RAX], 0);
    /* As after a CALL: the return address at a multiple of 16 less 8. */
    assert_int_equal(cpu->gpr[BLINK_RSP] % 16, 8);
    assert_false(blink_cpu_get_flags(cpu) & BLINK_DF);
    assert_int_equal(cpu->fcw, 0x37f);
    assert_int_equal(cpu->mxcsr, 0x1f80);
    assert_true(cpu->gpr[BLINK_RSP] + sizeof frame < STACK - 128);
    assert_int_equal(fakehost_peek(g->fh, cpu->gpr[BLINK_RSP], &frame, sizeof frame), 0);
    assert_int_equal(frame.pretcode, RESTORER);
    assert_int_equal(cpu->gpr[BLINK_RSI], cpu->gpr[BLINK_RSP] + offsetof(struct g_sigframe, info));
    assert_int_equal(cpu->gpr[BLINK_RDX], cpu->gpr[BLINK_RSP] + offsetof(struct g_sigframe, uc));
    const siginfo_t *info = (const siginfo_t *)(const void *)frame.info;
    assert_int_equal(info->si_signo, SIGUSR1);
    assert_int_equal(info->si_pid, 77);
    assert_int_equal(frame.uc.flags, 7);
    assert_int_equal(frame.uc.sigmask, mask);
    assert_int_equal(frame.uc.mcontext.rip, before.rip);
    assert_int_equal(frame.uc.mcontext.rsp, STACK);
    assert_int_equal(frame.uc.mcontext.r15, before.gpr[BLINK_R15]);
    assert_int_equal(frame.uc.mcontext.rcx, before.gpr[BLINK_RCX]);
    assert_int_equal(frame.uc.mcontext.eflags, blink_cpu_get_flags(&before));
    assert_int_equal(frame.uc.mcontext.fpstate % 64, 0);
    assert_int_equal(mask_of(g), mask | LX_SIGBIT(SIGUSR1) | LX_SIGBIT(SIGUSR2));
    assert_int_equal(fakehost_exec(g->fh)->mask, mask_of(g));
    finish_handler(g);
    assert_same_state(cpu, &before);
    assert_int_equal(mask_of(g), mask);
}

/* The FPU's state is what FXSAVE and XSAVE would write. */
static void test_fpstate(void **state) {
    struct guest *g = *state;
    struct g_sigframe frame;
    struct g_xstate x;
    uint32_t magic;
    set_handler(g, SIGUSR1, 0, 0);
    fill_state(g->cpu);
    send(g, SIGUSR1, SI_USER);
    deliver(g);
    fakehost_peek(g->fh, g->cpu->gpr[BLINK_RSP], &frame, sizeof frame);
    uint64_t at = frame.uc.mcontext.fpstate;
    assert_int_equal(fakehost_peek(g->fh, at, &x, sizeof x), 0);
    assert_int_equal(x.fx.swd, 0x4100 | 5 << 11);
    assert_int_equal(x.fx.twd, 0xe1);
    uint16_t exponent;
    memcpy(&exponent, x.fx.st[0] + 8, 2); /* ST(0) is register 5 */
    assert_int_equal(exponent, 0x3fff + 5);
    assert_int_equal(x.fx.xmm[3][2], 3 * 32 + 2);
    assert_int_equal(x.ymm_high[3][2], 3 * 32 + 18);
    assert_int_equal(x.fx.sw.magic1, G_FP_XSTATE_MAGIC1);
    assert_int_equal(x.fx.sw.xfeatures, 7);
    assert_int_equal(x.fx.sw.xstate_size, 832);
    assert_int_equal(x.fx.sw.extended_size, 836);
    assert_int_equal(x.xstate_bv, 7);
    assert_int_equal(fakehost_peek(g->fh, at + 832, &magic, 4), 0);
    assert_int_equal(magic, G_FP_XSTATE_MAGIC2);
}

/* Handlers may change what they return to. */
static void test_frame_changed(void **state) {
    struct guest *g = *state;
    struct blink_cpu *cpu = g->cpu;
    set_handler(g, SIGUSR1, 0, 0);
    fill_state(cpu);
    send(g, SIGUSR1, SI_USER);
    deliver(g);
    uint64_t uc = cpu->gpr[BLINK_RDX], value = 0x405050, fpstate;
    uint64_t rip = uc + offsetof(struct g_ucontext, mcontext.rip);
    fakehost_poke(g->fh, rip, &value, 8);
    value = LX_SIGBIT(SIGHUP) | LX_SIGBIT(SIGKILL);
    fakehost_poke(g->fh, uc + offsetof(struct g_ucontext, sigmask), &value, 8);
    /* IF and IOPL are not the program's to change. */
    value = 0x3002 | BLINK_CF;
    fakehost_poke(g->fh, uc + offsetof(struct g_ucontext, mcontext.eflags), &value, 8);
    /* Without its AVX part the upper halves begin anew. */
    fakehost_peek(g->fh, uc + offsetof(struct g_ucontext, mcontext.fpstate), &fpstate, 8);
    value = 3;
    fakehost_poke(g->fh, fpstate + offsetof(struct g_xstate, xstate_bv), &value, 8);
    finish_handler(g);
    assert_int_equal(cpu->rip, 0x405050);
    assert_int_equal(mask_of(g), LX_SIGBIT(SIGHUP));
    assert_int_equal(blink_cpu_get_flags(cpu), 2 | BLINK_IF | BLINK_CF);
    assert_int_equal(cpu->ymm[3].u8[2], 3 * 32 + 2);
    assert_int_equal(cpu->ymm[3].u8[18], 0);
}

/* A frame that cannot be: the program gets SIGSEGV and has no handler for it. */
static void test_bad_frame(void **state) {
    static const struct {
        size_t offset;
        uint32_t value;
    } wrong[] = {
        {offsetof(struct g_xstate, fx.mxcsr), 0x10000},
        {offsetof(struct g_xstate, xstate_bv), 0x10},
        {offsetof(struct g_xstate, xcomp_bv), 1},
    };
    struct guest *g = *state;
    struct fakehost_exec *e = fakehost_exec(g->fh);
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        struct g_sigframe frame;
        e->died = 0;
        g->cpu->gpr[BLINK_RSP] = STACK;
        set_handler(g, SIGUSR1, G_SA_NODEFER, 0);
        g->cpu->gpr[BLINK_RSP] = STACK;
        send(g, SIGUSR1, SI_USER);
        deliver(g);
        fakehost_peek(g->fh, g->cpu->gpr[BLINK_RSP], &frame, sizeof frame);
        fakehost_poke(g->fh, frame.uc.mcontext.fpstate + wrong[k].offset, &wrong[k].value, 4);
        finish_handler(g);
        assert_int_equal(e->died, SIGSEGV);
    }
    e->died = 0;
    g->cpu->gpr[BLINK_RSP] = NOTHING;
    finish_handler(g);
    assert_int_equal(e->died, SIGSEGV);
}

static void test_no_stack(void **state) {
    struct guest *g = *state;
    set_handler(g, SIGUSR1, 0, 0);
    g->cpu->gpr[BLINK_RSP] = NOTHING + 0x1000;
    send(g, SIGUSR1, SI_USER);
    assert_int_equal(deliver(g), BLINK_ABI_END);
    assert_int_equal(fakehost_exec(g->fh)->died, SIGSEGV);
}

static void test_flags(void **state) {
    struct guest *g = *state;
    set_handler(g, SIGUSR1, G_SA_NODEFER | G_SA_RESETHAND, 0);
    g->cpu->gpr[BLINK_RSP] = STACK;
    send(g, SIGUSR1, SI_USER);
    deliver(g);
    assert_int_equal(mask_of(g) & LX_SIGBIT(SIGUSR1), 0);
    assert_int_equal(fakehost_exec(g->fh)->disposition[SIGUSR1], BLINK_SIGNAL_DEFAULT);
    send(g, SIGUSR1, SI_USER);
    assert_int_equal(deliver(g), BLINK_ABI_END);
    assert_int_equal(fakehost_exec(g->fh)->died, SIGUSR1);
}

/* ---- the alternate stack ---- */

static void set_altstack(struct guest *g, uint64_t sp, uint64_t size, int32_t flags,
                         int64_t expected) {
    struct g_stack s = {.sp = sp, .flags = flags, .size = size};
    uint64_t at = guest_put(g, 0, &s, sizeof s);
    assert_int_equal(CALL(g, SYS_sigaltstack, at, 0), expected);
}

static void test_altstack(void **state) {
    struct guest *g = *state;
    struct g_stack now;
    set_altstack(g, GOOD + 0x1000, 100, 0, -ENOMEM);
    set_altstack(g, GOOD + 0x1000, 0x2000, 8, -EINVAL);
    set_altstack(g, GOOD + 0x1000, 0x2000, 0, 0);
    set_handler(g, SIGUSR1, G_SA_ONSTACK, 0);
    set_handler(g, SIGUSR2, 0, 0);
    g->cpu->gpr[BLINK_RSP] = STACK;
    send(g, SIGUSR2, SI_USER);
    deliver(g);
    assert_true(g->cpu->gpr[BLINK_RSP] > GOOD + 0x3000); /* not asked for */
    send(g, SIGUSR1, SI_USER);
    deliver(g);
    uint64_t sp = g->cpu->gpr[BLINK_RSP];
    assert_true(sp > GOOD + 0x1000 && sp < GOOD + 0x3000);
    assert_true(sp > GOOD + 0x3000 - 0x800); /* at its top, no red zone */
    set_altstack(g, GOOD + 0x4000, 0x2000, 0, -EPERM);
    assert_int_equal(CALL(g, SYS_sigaltstack, 0, GOOD), 0);
    guest_get(g, 0, &now, sizeof now);
    assert_int_equal(now.flags, G_SS_ONSTACK);
    /* One that is on it already goes on below. */
    send(g, SIGUSR2, SI_USER);
    g->cpu->gpr[BLINK_RSP] = sp;
    lx_set_mask(lx_thread_of(g->cpu), 0);
    deliver(g);
    assert_true(g->cpu->gpr[BLINK_RSP] < sp);
}

static void test_altstack_overflow(void **state) {
    struct guest *g = *state;
    set_altstack(g, GOOD + 0x1000, 0x2000, 0, 0);
    set_handler(g, SIGUSR1, G_SA_ONSTACK, 0);
    g->cpu->gpr[BLINK_RSP] = GOOD + 0x1100; /* nearly full */
    send(g, SIGUSR1, SI_USER);
    assert_int_equal(deliver(g), BLINK_ABI_END);
    assert_int_equal(fakehost_exec(g->fh)->died, SIGSEGV);
}

static void test_autodisarm(void **state) {
    struct guest *g = *state;
    set_altstack(g, GOOD + 0x1000, 0x2000, (int32_t)G_SS_AUTODISARM, 0);
    set_handler(g, SIGUSR1, G_SA_ONSTACK, 0);
    g->cpu->gpr[BLINK_RSP] = STACK;
    send(g, SIGUSR1, SI_USER);
    deliver(g);
    assert_int_equal(lx_thread_of(g->cpu)->altstack.size, 0);
    finish_handler(g);
    assert_int_equal(lx_thread_of(g->cpu)->altstack.size, 0x2000);
}

/* ---- order and putting off ---- */

/* The second of two runs first, and returns to the first. */
static void test_two(void **state) {
    struct guest *g = *state;
    set_handler(g, SIGUSR1, 0, 0);
    set_handler(g, SIGUSR2, 0, 0);
    g->cpu->gpr[BLINK_RSP] = STACK;
    g->cpu->rip = 0x409090;
    send(g, SIGUSR1, SI_USER);
    send(g, SIGUSR2, SI_USER);
    deliver(g);
    assert_int_equal(g->cpu->gpr[BLINK_RDI], SIGUSR2);
    finish_handler(g);
    assert_int_equal(g->cpu->rip, HANDLER);
    assert_int_equal(g->cpu->gpr[BLINK_RDI], SIGUSR1);
    finish_handler(g);
    assert_int_equal(g->cpu->rip, 0x409090);
}

/* Core never blocks the synchronous ones: sent while blocked, they wait here. */
static void test_held(void **state) {
    struct guest *g = *state;
    struct lx_thread *t = lx_thread_of(g->cpu);
    uint64_t set;
    set_handler(g, SIGSEGV, 0, 0);
    g->cpu->gpr[BLINK_RSP] = STACK;
    lx_set_mask(t, LX_SIGBIT(SIGSEGV));
    send(g, SIGSEGV, SI_USER);
    send(g, SIGSEGV, SI_USER);
    deliver(g);
    assert_int_not_equal(g->cpu->rip, HANDLER);
    assert_int_equal(CALL(g, SYS_rt_sigpending, GOOD, 8), 0);
    guest_get(g, 0, &set, sizeof set);
    assert_int_equal(set & LX_SIGBIT(SIGSEGV), LX_SIGBIT(SIGSEGV));
    set = 0;
    guest_put(g, 0, &set, sizeof set);
    assert_int_equal(CALL(g, SYS_rt_sigprocmask, SIG_SETMASK, GOOD, 0, 8), 0);
    assert_int_equal(g->cpu->rip, HANDLER);
    g->cpu->attention = 0; /* the loop clears it at its next round */
    finish_handler(g);
    assert_int_equal(t->held, 0);
    assert_int_equal(g->cpu->gpr[BLINK_RAX], 0);
}

static void test_sigtimedwait_held(void **state) {
    struct guest *g = *state;
    struct lx_thread *t = lx_thread_of(g->cpu);
    uint64_t set = LX_SIGBIT(SIGFPE);
    siginfo_t info;
    lx_set_mask(t, set);
    send(g, SIGFPE, SI_QUEUE);
    deliver(g);
    guest_put(g, 0, &set, sizeof set);
    assert_int_equal(CALL(g, SYS_rt_sigtimedwait, GOOD, GOOD + 64, 0, 8), SIGFPE);
    guest_get(g, 64, &info, sizeof info);
    assert_int_equal(info.si_code, SI_QUEUE);
    assert_int_equal(t->held, 0);
}

/* ---- interrupted calls ---- */

static struct guest *interrupted;
static int interrupting;

/* A blocking call during which a signal comes. */
static int64_t interrupted_syscall(struct blink_cpu *cpu, int64_t number, uint64_t a0, uint64_t a1,
                                   uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5) {
    (void)cpu, (void)number, (void)a0, (void)a1, (void)a2, (void)a3, (void)a4, (void)a5;
    send(interrupted, interrupting, SI_USER);
    return -EINTR;
}

static void interrupt_with(struct guest *g, int signo) {
    interrupted = g;
    interrupting = signo;
    g->abi->exec.syscall = interrupted_syscall;
    g->cpu->gpr[BLINK_RSP] = STACK;
}

struct restart_case {
    uint32_t number;
    uint64_t arg0, flags;
    bool handler, again;
};

static void run_restart(struct guest *g, const struct restart_case *k) {
    struct g_sigaction ignore = {.handler = G_SIG_IGN};
    interrupt_with(g, SIGUSR1);
    if (k->handler)
        set_handler(g, SIGUSR1, k->flags | G_SA_NODEFER, 0);
    else
        CALL(g, SYS_rt_sigaction, SIGUSR1, guest_put(g, 0, &ignore, sizeof ignore), 0, 8);
    uint64_t set = 0;
    guest_put(g, 256, &set, sizeof set);
    CALL(g, k->number, k->arg0, 8);
    if (k->handler) {
        assert_int_equal(g->cpu->rip, HANDLER);
        finish_handler(g);
    }
    assert_int_equal(g->cpu->rip, k->again ? CALL_RIP : CALL_RIP + 2);
    assert_int_equal(g->cpu->gpr[BLINK_RAX], k->again ? (int64_t)k->number : -EINTR);
}

static void test_restart(void **state) {
    static const struct restart_case cases[] = {
        {SYS_wait4, 0, 0, true, false},
        {SYS_wait4, 0, G_SA_RESTART, true, true},
        {SYS_wait4, 0, 0, false, true},
        {SYS_pause, 0, G_SA_RESTART, true, false},
        {SYS_pause, 0, 0, false, true},
        {SYS_rt_sigsuspend, GOOD + 256, G_SA_RESTART, true, false},
        {SYS_rt_sigsuspend, GOOD + 256, 0, false, true},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++)
        run_restart(*state, &cases[k]);
}

/* A signal that came before the call is delivered before it. */
static void test_before_call(void **state) {
    struct guest *g = *state;
    set_handler(g, SIGUSR1, 0, 0);
    g->cpu->gpr[BLINK_RSP] = STACK;
    send(g, SIGUSR1, SI_USER);
    CALL(g, SYS_getppid);
    assert_int_equal(g->cpu->rip, HANDLER);
    finish_handler(g);
    assert_int_equal(g->cpu->rip, CALL_RIP);
    assert_int_equal(g->cpu->gpr[BLINK_RAX], SYS_getppid);
}

/* The handler runs with the mask of sigsuspend and its own; then the old one rules. */
static void test_sigsuspend_mask(void **state) {
    struct guest *g = *state;
    uint64_t wait_mask = LX_SIGBIT(SIGHUP);
    struct lx_thread *t = lx_thread_of(g->cpu);
    interrupt_with(g, SIGUSR1);
    set_handler(g, SIGUSR1, 0, 0);
    lx_set_mask(t, LX_SIGBIT(SIGUSR1) | LX_SIGBIT(SIGALRM));
    guest_put(g, 0, &wait_mask, sizeof wait_mask);
    CALL(g, SYS_rt_sigsuspend, GOOD, 8);
    assert_int_equal(g->cpu->rip, HANDLER);
    assert_int_equal(t->mask, LX_SIGBIT(SIGHUP) | LX_SIGBIT(SIGUSR1));
    finish_handler(g);
    assert_int_equal(g->cpu->gpr[BLINK_RAX], -EINTR);
    assert_int_equal(t->mask, LX_SIGBIT(SIGUSR1) | LX_SIGBIT(SIGALRM));
}

static void test_futex_restart(void **state) {
    struct guest *g = *state;
    struct g_sigaction ignore = {.handler = G_SIG_IGN};
    struct timespec ts = {100, 0};
    interrupt_with(g, SIGUSR1);
    CALL(g, SYS_rt_sigaction, SIGUSR1, guest_put(g, 0, &ignore, sizeof ignore), 0, 8);
    guest_put(g, 0, &ts, sizeof ts);
    CALL(g, SYS_futex, GOOD + 512, 0, 0, GOOD);
    assert_int_equal(g->cpu->gpr[BLINK_RAX], SYS_restart_syscall);
    assert_int_equal(g->cpu->rip, CALL_RIP);
    /* It goes on until the same moment: what is left is less than it was. */
    struct lx_thread *t = lx_thread_of(g->cpu);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t until = t->restart_arg[3];
    assert_true(until > (uint64_t)now.tv_sec + 90 && until <= (uint64_t)now.tv_sec + 101);
    CALL(g, SYS_restart_syscall);
    assert_int_equal(g->cpu->gpr[BLINK_RAX], SYS_restart_syscall);
    assert_int_equal(t->restart_arg[3], until);
    t->restart = NULL;
    g->abi->exec.syscall = fakehost_exec_iface.syscall;
    assert_int_equal(CALL(g, SYS_restart_syscall), -EINTR);
}

/* ---- faults ---- */

static void fault(struct guest *g, uint32_t vector, uint64_t error, uint64_t cr2) {
    g->cpu->exit_info = vector;
    g->cpu->exit_error = error;
    g->cpu->cr2 = cr2;
    g->cpu->rip = 0x404040;
    g->cpu->gpr[BLINK_RSP] = STACK;
    lx_set_mask(lx_thread_of(g->cpu), 0);
    assert_int_equal(g->ops->fault(g->abi, g->cpu), BLINK_ABI_CONTINUE);
}

static void test_faults(void **state) {
    static const struct {
        uint32_t vector;
        uint64_t error, cr2;
        int signo, code;
        uint64_t addr, trapno, err;
    } cases[] = {
        {BLINK_EXC_DE, 0, 0, SIGFPE, FPE_INTDIV, 0x404040, 0, 0},
        {BLINK_EXC_DB, 0, 0, SIGTRAP, 2, 0x404040, 1, 0},
        {BLINK_EXC_UD, 0, 0, SIGILL, ILL_ILLOPN, 0x404040, 6, 0},
        {BLINK_EXC_GP, 0, 0, SIGSEGV, SI_KERNEL, 0, 13, 0},
        {BLINK_EXC_SS, 0, 0, SIGBUS, SI_KERNEL, 0, 12, 0},
        {BLINK_EXC_PF, 6, NOTHING, SIGSEGV, SEGV_MAPERR, NOTHING, 14, 6},
        {BLINK_EXC_PF, 7, READONLY, SIGSEGV, SEGV_ACCERR, READONLY, 14, 7},
        {BLINK_EXC_PF, 4, UINT64_C(0x800000000000), SIGSEGV, SEGV_MAPERR, UINT64_C(0x800000000000),
         14, 5},
        {BLINK_EXC_AC, 0, 0, SIGBUS, BUS_ADRALN, 0, 17, 0},
        {BLINK_EXC_BUS, 4, GOOD, SIGBUS, BUS_ADRERR, GOOD, 14, 4},
    };
    struct guest *g = *state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct g_sigframe frame;
        set_handler(g, cases[k].signo, G_SA_SIGINFO, 0);
        fault(g, cases[k].vector, cases[k].error, cases[k].cr2);
        fakehost_peek(g->fh, g->cpu->gpr[BLINK_RSP], &frame, sizeof frame);
        const siginfo_t *info = (const siginfo_t *)(const void *)frame.info;
        assert_int_equal(info->si_signo, cases[k].signo);
        assert_int_equal(info->si_code, cases[k].code);
        assert_int_equal((uintptr_t)info->si_addr, cases[k].addr);
        assert_int_equal(frame.uc.mcontext.trapno, cases[k].trapno);
        assert_int_equal(frame.uc.mcontext.err, cases[k].err);
        assert_int_equal(frame.uc.mcontext.rip, 0x404040);
        if (cases[k].vector == BLINK_EXC_PF)
            assert_int_equal(frame.uc.mcontext.cr2, cases[k].cr2);
    }
}

static void test_fp_codes(void **state) {
    static const struct {
        uint16_t raised;
        int code;
    } cases[] = {{0x01, FPE_FLTINV}, {0x04, FPE_FLTDIV}, {0x08, FPE_FLTOVF},
                 {0x10, FPE_FLTUND}, {0x02, FPE_FLTUND}, {0x20, FPE_FLTRES}};
    struct guest *g = *state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        for (int sse = 0; sse < 2; sse++) {
            siginfo_t info;
            set_handler(g, SIGFPE, G_SA_SIGINFO, 0);
            g->cpu->fcw = (uint16_t)(0x37f & ~cases[k].raised);
            g->cpu->fsw = 0x3f; /* the masked ones are not the cause */
            g->cpu->mxcsr = (0x1f80u & ~((uint32_t)cases[k].raised << 7)) | 0x3f;
            fault(g, sse ? BLINK_EXC_XM : BLINK_EXC_MF, 0, 0);
            fakehost_peek(g->fh, g->cpu->gpr[BLINK_RSI], &info, sizeof info);
            assert_int_equal(info.si_code, cases[k].code);
        }
    }
}

/* Nobody can put off or ignore a fault. */
static void test_fatal_faults(void **state) {
    struct guest *g = *state;
    struct fakehost_exec *e = fakehost_exec(g->fh);
    g->cpu->exit_info = BLINK_EXC_UD;
    assert_int_equal(g->ops->fault(g->abi, g->cpu), BLINK_ABI_END);
    assert_int_equal(e->died, SIGILL);
    e->died = 0;
    set_handler(g, SIGILL, 0, 0);
    lx_set_mask(lx_thread_of(g->cpu), LX_SIGBIT(SIGILL));
    g->cpu->exit_info = BLINK_EXC_UD;
    assert_int_equal(g->ops->fault(g->abi, g->cpu), BLINK_ABI_END);
    assert_int_equal(e->died, SIGILL);
    g->cpu->exit_info = BLINK_EXC_NMI;
    assert_int_equal(g->ops->fault(g->abi, g->cpu), BLINK_ABI_UNHANDLED);
}

static void test_interrupts(void **state) {
    static const uint8_t int_n[2] = {0xcd, 0x80}, int1[1] = {0xf1};
    static const struct {
        uint32_t vector;
        const uint8_t *code;
        size_t size;
        int signo;
        uint64_t trapno, err;
        bool before; /* rip at the instruction */
    } cases[] = {
        {3, int_n, 2, SIGTRAP, 3, 0, false},        {4, int_n, 2, SIGSEGV, 4, 0, false},
        {0x80, int_n, 2, SIGSEGV, 13, 0x402, true}, {1, int_n, 2, SIGSEGV, 13, 10, true},
        {1, int1, 1, SIGTRAP, 1, 0, false},
    };
    struct guest *g = *state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct g_sigframe frame;
        set_handler(g, cases[k].signo, G_SA_NODEFER, 0);
        uint64_t at = guest_put(g, 0x100, cases[k].code, cases[k].size), after = at + cases[k].size;
        g->cpu->rip = after;
        g->cpu->exit_info = cases[k].vector;
        g->cpu->gpr[BLINK_RSP] = STACK;
        assert_int_equal(g->ops->interrupt(g->abi, g->cpu), BLINK_ABI_CONTINUE);
        fakehost_peek(g->fh, g->cpu->gpr[BLINK_RSP], &frame, sizeof frame);
        assert_int_equal(frame.uc.mcontext.trapno, cases[k].trapno);
        assert_int_equal(frame.uc.mcontext.err, cases[k].err);
        assert_int_equal(frame.uc.mcontext.rip, cases[k].before ? at : after);
    }
}

static void test_vsyscall(void **state) {
    struct guest *g = *state;
    uint64_t back = 0x404040;
    int64_t now, got;
    guest_put(g, 0x8000, &back, sizeof back);
    g->cpu->gpr[BLINK_RSP] = STACK;
    g->cpu->gpr[BLINK_RDI] = GOOD;
    g->cpu->rip = g->cpu->cr2 = UINT64_C(0xffffffffff600400);
    g->cpu->exit_info = BLINK_EXC_PF;
    assert_int_equal(g->ops->fault(g->abi, g->cpu), BLINK_ABI_CONTINUE);
    now = time(NULL);
    guest_get(g, 0, &got, sizeof got);
    assert_int_equal(g->cpu->rip, back);
    assert_int_equal(g->cpu->gpr[BLINK_RSP], STACK + 8);
    assert_true(got >= now - 2 && got <= now);
    assert_int_equal((int64_t)g->cpu->gpr[BLINK_RAX], got);
    /* Anything else there is a fault. */
    g->cpu->rip = g->cpu->cr2 = UINT64_C(0xffffffffff600401);
    g->cpu->exit_info = BLINK_EXC_PF;
    assert_int_equal(g->ops->fault(g->abi, g->cpu), BLINK_ABI_END);
    assert_int_equal(fakehost_exec(g->fh)->died, SIGSEGV);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(test_action),
        T(test_action_refused),
        T(test_children),
        T(test_mask),
        T(test_frame),
        T(test_fpstate),
        T(test_frame_changed),
        T(test_bad_frame),
        T(test_no_stack),
        T(test_flags),
        T(test_altstack),
        T(test_altstack_overflow),
        T(test_autodisarm),
        T(test_two),
        T(test_held),
        T(test_sigtimedwait_held),
        T(test_restart),
        T(test_before_call),
        T(test_sigsuspend_mask),
        T(test_futex_restart),
        T(test_faults),
        T(test_fp_codes),
        T(test_fatal_faults),
        T(test_interrupts),
        T(test_vsyscall),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
