/*
 * Host signals. Synchronous ones are faults of guest code or of a guarded copy, or a defect of
 * blink. Asynchronous ones are recorded, one at a time for each vCPU, until its guest ABI takes
 * them. The handlers are the process's; all else hangs on the vCPU of the thread.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "exec/internal.h"
#include "exec/safe_syscall.h"
#include "interp/slow.h"

#define ALT_STACK_SIZE (64u << 10)
#define SIGNAL_COUNT   64
#define KICK           SIGRTMAX /* makes a blocking host call of a vCPU return */

static const int sync_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
#define SYNC_COUNT (sizeof sync_signals / sizeof sync_signals[0])

/* Trampoline state: the vCPU this thread runs, and the guarded copy under way on it. */
static _Thread_local struct vcpu *current;
static _Thread_local sigjmp_buf *volatile copy_unwind;

#define BIT(signo) (UINT64_C(1) << ((signo)-1))
#define SYNC_BITS  (BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGILL) | BIT(SIGFPE) | BIT(SIGTRAP))

/*
 * The host's C library keeps the signals between the standard ones and its SIGRTMIN for itself and
 * hides them from its sigaction and masks. Guests have a C library of their own that uses the same
 * ones, so here they are as good as any: by the kernel's interface, where the library's is blind.
 */
struct kernel_action {
    void *handler;
    unsigned long flags;
#ifdef SA_RESTORER
    void *restorer;
#elif defined(__x86_64__) || defined(__aarch64__)
    void *restorer;
#endif
    uint64_t mask;
};
static uint64_t reserved_caught; /* those of them that are caught; atomic */

static bool is_reserved(int signo) {
    return signo > SIGSYS && signo < SIGRTMIN;
}

static void set_host_mask(uint64_t mask) {
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof mask);
}

static uint64_t context_mask(const ucontext_t *context) {
    uint64_t mask;
    memcpy(&mask, &context->uc_sigmask, sizeof mask);
    return mask;
}

static bool is_sync(int signo) {
    for (size_t k = 0; k < SYNC_COUNT; k++)
        if (sync_signals[k] == signo)
            return true;
    return false;
}

/* ---- guarded copies ---- */

/* sigsetjmp and no more in a frame of its own: nothing of the caller's lives across it. */
static __attribute__((noinline)) int guarded(void *dst, const void *src, size_t size,
                                             sigjmp_buf *here) {
    if (sigsetjmp(*here, 0))
        return -EFAULT;
    copy_unwind = here;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    memcpy(dst, src, size);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    copy_unwind = NULL;
    return 0;
}

int signals_guarded_copy(void *dst, const void *src, size_t size) {
    sigjmp_buf here;
    return guarded(dst, src, size, &here);
}

/* ---- synchronous ---- */

/* A defect of blink itself, or a signal that has nowhere to go: the default action. */
static void fatal(int signo) {
    static const char text[] = "blink: internal error: a host fault outside of guest code\n";
    if (is_sync(signo)) {
        ssize_t rc = write(2, text, sizeof text - 1);
        (void)rc;
    }
    signal(signo, SIG_DFL);
}

/* ARPL reads, and writes only what it changes. */
static bool writes_memory(const struct blink_insn *i) {
    for (uint32_t k = 0; k < 4 && i->op != BLINK_OP_ARPL; k++)
        if (i->opnd[k].kind == BLINK_OPND_MEM && (i->opnd[k].access & BLINK_ACCESS_WRITE))
            return true;
    return false;
}

/* Put the state before the faulting instruction into the CPU. 0, 1 if the fault is none of the
 * guest's, or -errno. */
static int settle(struct vcpu *v, ucontext_t *context) {
    struct exec *x = v->exec;
    if (x->jit && v->in_jit) {
        uint64_t pc = context_pc(context);
        return x->jit->recover(x->jit_self, v->cpu, context, pc);
    }
    interp_settle(v->cpu);
    return 0;
}

static _Noreturn void leave_guest(struct vcpu *v, ucontext_t *context, uint32_t reason) {
    v->cpu->exit_reason = reason;
    /* Delivery reset the host's register: what guest code had raised is in the context. */
    if (!v->in_jit)
        v->cpu->mxcsr |= context_mxcsr(context) & 0x3f;
    set_host_mask(context_mask(context));
    siglongjmp(v->context.unwind, 1);
}

static void unwind_guest(struct vcpu *v, ucontext_t *context, uint32_t reason) {
    int rc = settle(v, context);
    if (rc < 0)
        fatal(SIGSEGV);
    else
        leave_guest(v, context, rc ? BLINK_EXIT_ATTENTION : reason);
}

static void guest_fault(struct vcpu *v, const struct mem_fault *fault, ucontext_t *context) {
    struct blink_cpu *cpu = v->cpu;
    cpu->exit_info = fault->vector;
    cpu->exit_error = fault->error;
    if (fault->vector == BLINK_EXC_GP && v->in_jit && context_vector(context))
        cpu->exit_info = context_vector(context); /* the host had the guest's own address */
    else if (fault->vector == BLINK_EXC_GP && cpu->insn)
        cpu->exit_info = interp_noncanonical_vector(cpu, cpu->insn);
    if (fault->vector == BLINK_EXC_PF || fault->vector == BLINK_EXC_BUS)
        cpu->cr2 = fault->address;
    v->context.page_faults++;
    /* Hardware checks a read-modify-write for writing at once. */
    if (fault->vector == BLINK_EXC_PF && !v->in_jit && cpu->insn && writes_memory(cpu->insn))
        cpu->exit_error |= BLINK_PF_W;
    unwind_guest(v, context, BLINK_EXIT_FAULT);
}

static void on_memory_fault(struct vcpu *v, int signo, const siginfo_t *info, ucontext_t *context) {
    struct mem_fault fault = {0};
    bool kernel = info->si_code == SI_KERNEL;
    /* In paged memory generated code goes by host addresses: what it tripped over the interpreter
     * finds in the guest's. */
    bool alone = v->in_jit && mem_strategy_of(v->exec->mem) == MEM_PAGED;
    switch (mem_host_fault(v->exec->mem, (uintptr_t)info->si_addr, context_write_fault(context),
                           signo == SIGBUS, kernel, &fault)) {
    case MEM_FAULT_GUEST: guest_fault(v, &fault, context); break;
    case MEM_FAULT_SMC: unwind_guest(v, context, BLINK_EXIT_SMC); break;
    case MEM_FAULT_RETRY: break;
    case MEM_FAULT_FOREIGN:
        if (alone)
            unwind_guest(v, context, BLINK_EXIT_ALONE);
        else
            fatal(signo);
        break;
    }
}

/* What generated code makes the host raise itself: divide errors, SIMD exceptions, traps. */
static void on_trap(struct vcpu *v, int signo, ucontext_t *context) {
    uint32_t vector = context_vector(context);
    if (settle(v, context)) {
        fatal(signo);
        return;
    }
    v->cpu->exit_info = vector;
    v->cpu->exit_error = 0;
    leave_guest(v, context, BLINK_EXIT_FAULT);
}

/* Something waits: generated code does not poll, so it ends here, at the instruction it is at. */
static void leave_jit(struct vcpu *v, ucontext_t *context) {
    struct exec *x = v->exec;
    if (v->in_jit && v->in_guest && x->jit &&
        x->jit->recover(x->jit_self, v->cpu, context, context_pc(context)) >= 0)
        leave_guest(v, context, BLINK_EXIT_ATTENTION);
}

static void record(struct vcpu *v, int signo, const siginfo_t *info, ucontext_t *context);

/* A fault of a guarded copy in guest memory that another thread's work made, and that is over now:
 * code was found on the page it writes, a protection changed. */
static bool passes(struct vcpu *v, int signo, const siginfo_t *info, const ucontext_t *context) {
    struct mem_fault fault;
    if (!v || info->si_code == SI_KERNEL || (signo != SIGSEGV && signo != SIGBUS))
        return false;
    enum mem_host_fault kind =
        mem_host_fault(v->exec->mem, (uintptr_t)info->si_addr, context_write_fault(context),
                       signo == SIGBUS, false, &fault);
    return kind == MEM_FAULT_RETRY || kind == MEM_FAULT_SMC;
}

static void on_sync(int signo, siginfo_t *info, void *context) {
    int saved = errno;
    struct vcpu *v = current;
    bool sent = info->si_code <= 0; /* by a process, not by an instruction */
    if (sent && v)
        record(v, signo, info, context);
    else if (!sent && copy_unwind && passes(v, signo, info, context)) {
        /* The copy goes on. */
    } else if (!sent && copy_unwind && (signo == SIGSEGV || signo == SIGBUS)) {
        sigjmp_buf *to = copy_unwind;
        copy_unwind = NULL;
        set_host_mask(context_mask(context));
        siglongjmp(*to, 1);
    } else if (!sent && v && v->in_guest && (signo == SIGSEGV || signo == SIGBUS))
        on_memory_fault(v, signo, info, context);
    else if (!sent && v && v->in_guest && v->in_jit)
        on_trap(v, signo, context);
    else
        fatal(signo);
    errno = saved;
}

/* ---- asynchronous ---- */

/* While the slot is full nothing else may come; what signals_take restores rules afterwards. */
static void record(struct vcpu *v, int signo, const siginfo_t *info, ucontext_t *context) {
    v->slot = *info;
    v->slot_signo = signo;
    v->pending = 1;
    v->signals++;
    /* An instruction may fault all the same. */
    const uint64_t mask = ~(BIT(SIGSEGV) | BIT(SIGBUS));
    memcpy(&context->uc_sigmask, &mask, sizeof mask);
    attention_set(v->cpu, BLINK_ATTN_SIGNAL);
    context_abort_syscall(context);
    leave_jit(v, context);
}

/* Real-time signals queue: as many as were sent arrive. */
static bool take_kick(struct vcpu *v) {
    uint32_t n = __atomic_load_n(&v->kicks, __ATOMIC_SEQ_CST);
    while (n && !__atomic_compare_exchange_n(&v->kicks, &n, n - 1, false, __ATOMIC_SEQ_CST,
                                             __ATOMIC_SEQ_CST))
        ;
    return n != 0;
}

static void on_async(int signo, siginfo_t *info, void *context) {
    int saved = errno;
    struct vcpu *v = current;
    if (v && signo == KICK && clock_rings(v, info)) {
        attention_set(v->cpu, BLINK_ATTN_TIMER);
        context_abort_syscall(context);
        leave_jit(v, context);
    } else if (v && signo == KICK && take_kick(v)) {
        context_abort_syscall(context);
        leave_jit(v, context);
    } else if (v)
        record(v, signo, info, context);
    errno = saved;
}

int signals_kick_number(void) {
    return KICK;
}

void signals_kick(struct vcpu *v) {
    /* One that has not begun sees its attention before it does anything else. */
    if (v == current || !__atomic_load_n(&v->started, __ATOMIC_ACQUIRE))
        return;
    __atomic_fetch_add(&v->kicks, 1, __ATOMIC_SEQ_CST);
    /* By its numbers, since it may be in another process that shares this memory. */
    if (syscall(SYS_tgkill, v->pid, v->tid, KICK))
        take_kick(v);
}

void signals_attention(struct vcpu *v, uint32_t bits) {
    attention_set(v->cpu, bits);
    if (v != current && (__atomic_load_n(&v->in_jit, __ATOMIC_SEQ_CST) ||
                         __atomic_load_n(&v->halted, __ATOMIC_SEQ_CST)))
        signals_kick(v);
}

/* While a handler runs the reserved signals wait, too. */
static int widen_mask(int signo) {
    struct kernel_action a;
    if (syscall(SYS_rt_sigaction, signo, NULL, &a, sizeof a.mask))
        return -errno;
    for (int k = SIGSYS + 1; k < SIGRTMIN; k++)
        a.mask |= BIT(k);
    return syscall(SYS_rt_sigaction, signo, &a, NULL, sizeof a.mask) ? -errno : 0;
}

static int set_handler(int signo, void (*handler)(int, siginfo_t *, void *), bool sync, int flags) {
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK | flags};
    sigfillset(&sa.sa_mask);
    if (sync) {
        /* One may arise within the handling of another: a guarded copy within a fault. */
        sa.sa_flags |= SA_NODEFER;
        for (size_t k = 0; k < SYNC_COUNT; k++)
            sigdelset(&sa.sa_mask, sync_signals[k]);
    }
    return sigaction(signo, &sa, NULL) ? -errno : widen_mask(signo);
}

/* A reserved signal as the kernel takes it. How a handler returns is learnt from another one. */
static int set_reserved(int signo, uint32_t disposition) {
    struct kernel_action a;
    if (syscall(SYS_rt_sigaction, KICK, NULL, &a, sizeof a.mask))
        return -errno;
    bool caught = disposition == BLINK_SIGNAL_CATCH;
    a.handler = caught                               ? (void *)(uintptr_t)on_async
                : disposition == BLINK_SIGNAL_IGNORE ? (void *)(uintptr_t)SIG_IGN
                                                     : (void *)(uintptr_t)SIG_DFL;
    if (syscall(SYS_rt_sigaction, signo, &a, NULL, sizeof a.mask))
        return -errno;
    if (current && current->apart)
        return 0; /* what is noted is of the process whose memory this is */
    if (caught)
        __atomic_fetch_or(&reserved_caught, BIT(signo), __ATOMIC_SEQ_CST);
    else
        __atomic_fetch_and(&reserved_caught, ~BIT(signo), __ATOMIC_SEQ_CST);
    return 0;
}

/* The C library sets handlers of its own when it makes its first thread. */
void signals_keep_reserved(void) {
    uint64_t caught = __atomic_load_n(&reserved_caught, __ATOMIC_SEQ_CST);
    for (int signo = SIGSYS + 1; signo < SIGRTMIN; signo++)
        if (caught & BIT(signo))
            set_reserved(signo, BLINK_SIGNAL_CATCH);
}

uint64_t signals_block(void) {
    uint64_t all = ~UINT64_C(0), old = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &old, sizeof all);
    return old;
}

void signals_restore(uint64_t mask) {
    set_host_mask(mask);
}

int signals_install(void) {
    int rc = set_handler(KICK, on_async, false, 0);
    for (size_t k = 0; k < SYNC_COUNT && rc == 0; k++)
        rc = set_handler(sync_signals[k], on_sync, true, 0);
    return rc;
}

/* ---- per thread ---- */

static void apply_mask(const struct vcpu *v) {
    set_host_mask(v->guest_mask & ~(SYNC_BITS | BIT(KICK)));
}

static uint64_t host_mask(void) {
    uint64_t mask = 0;
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, NULL, &mask, sizeof mask);
    return mask;
}

int signals_attach(struct vcpu *v) {
    v->signal_stack =
        mmap(NULL, ALT_STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (v->signal_stack == MAP_FAILED) {
        v->signal_stack = NULL;
        return -errno;
    }
    stack_t ss = {.ss_sp = v->signal_stack, .ss_size = ALT_STACK_SIZE};
    if (sigaltstack(&ss, NULL))
        return -errno;
    v->thread = pthread_self();
    v->pid = getpid();
    v->tid = (pid_t)syscall(SYS_gettid);
    if (!v->own_thread)
        v->guest_mask = host_mask();
    current = v;
    __atomic_store_n(&v->started, true, __ATOMIC_RELEASE);
    apply_mask(v);
    return 0;
}

void signals_detach(struct vcpu *v) {
    signals_block();
    if (!v->own_thread)
        v->exec->last_mask = v->guest_mask;
    current = NULL;
    stack_t off = {.ss_flags = SS_DISABLE};
    sigaltstack(&off, NULL);
    signals_free_stack(v);
}

/* The first vCPU's end blocked all; its thread is the caller's again. What still waits for the
 * guest was never to arrive: it must not kill the process before it says the guest's status. */
void signals_leave(const struct exec *x, uint64_t mask) {
    uint64_t pending = 0;
    syscall(SYS_rt_sigpending, &pending, sizeof pending);
    signals_restore(mask | x->last_mask | pending);
}

void signals_free_stack(struct vcpu *v) {
    if (v->signal_stack)
        munmap(v->signal_stack, ALT_STACK_SIZE);
    v->signal_stack = NULL;
}

struct vcpu *signals_current(void) {
    return current;
}

void signals_regain(struct vcpu *v) {
    current = v;
    copy_unwind = NULL;
}

/* ---- for the guest ABI ---- */

int64_t signals_syscall(struct blink_cpu *cpu, int64_t number, uint64_t a0, uint64_t a1,
                        uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5) {
    const uint64_t args[6] = {a0, a1, a2, a3, a4, a5};
    return safe_syscall(&cpu->attention, number, args, BLINK_ATTN_SIGNAL | BLINK_ATTN_STOP);
}

void signals_sleep(struct vcpu *v, int64_t ns) {
    struct timespec t = {ns / 1000000000, ns % 1000000000};
    const uint64_t args[6] = {0, 0, ns < 0 ? 0 : (uintptr_t)&t, 0, 0, 0};
    __atomic_store_n(&v->halted, 1, __ATOMIC_SEQ_CST);
    safe_syscall(&v->cpu->attention, SYS_ppoll, args, UINT32_MAX);
    __atomic_store_n(&v->halted, 0, __ATOMIC_SEQ_CST);
}

int signals_watch(struct blink_machine *machine, int32_t signo, uint32_t disposition) {
    (void)machine;
    int flags = (disposition & BLINK_SIGNAL_NO_STOPS ? SA_NOCLDSTOP : 0) |
                (disposition & BLINK_SIGNAL_NO_WAIT ? SA_NOCLDWAIT : 0);
    disposition &= 0xff;
    if (signo < 1 || signo > SIGNAL_COUNT || signo == SIGKILL || signo == SIGSTOP)
        return -EINVAL;
    if (is_reserved(signo))
        return set_reserved(signo, disposition);
    if (is_sync(signo) || signo == KICK)
        return 0;
    if (disposition == BLINK_SIGNAL_CATCH)
        return set_handler(signo, on_async, false, flags);
    struct sigaction sa = {.sa_handler = disposition == BLINK_SIGNAL_IGNORE ? SIG_IGN : SIG_DFL,
                           .sa_flags = flags};
    return sigaction(signo, &sa, NULL) ? -errno : 0;
}

int signals_take(struct blink_cpu *cpu, struct blink_signal *out) {
    struct vcpu *v = vcpu_of(cpu);
    if (!v->pending)
        return -EAGAIN;
    struct blink_signal s = {.struct_size = sizeof s,
                             .signo = v->slot_signo,
                             .code = v->slot.si_code,
                             .err = v->slot.si_errno};
    _Static_assert(sizeof s.info == sizeof v->slot, "siginfo_t is 128 bytes");
    memcpy(s.info, &v->slot, sizeof s.info);
    *out = s;
    attention_clear(cpu, BLINK_ATTN_SIGNAL);
    v->pending = 0;
    apply_mask(v);
    return 0;
}

void signals_mask(struct blink_cpu *cpu, uint64_t mask) {
    struct vcpu *v = vcpu_of(cpu);
    v->guest_mask = mask;
    if (!v->pending)
        apply_mask(v);
}

void signals_forked(struct vcpu *v) {
    v->kicks = 0;
    v->pid = getpid();
    v->tid = (pid_t)syscall(SYS_gettid);
    if (!v->pending)
        return;
    v->pending = 0;
    attention_clear(v->cpu, BLINK_ATTN_SIGNAL);
    apply_mask(v);
}

void signals_die(struct blink_machine *machine, int32_t signo) {
    struct exec *x = machine_exec(machine);
    x->options.hooks.last_words(machine);
    if (is_reserved(signo))
        set_reserved(signo, BLINK_SIGNAL_DEFAULT);
    else
        signal(signo, SIG_DFL);
    set_host_mask(host_mask() & ~BIT(signo));
    syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), signo);
}

/* ---- replacing the process ---- */

static bool is_caught(const struct kernel_action *a) {
    return a->handler == (void *)(uintptr_t)on_async;
}

/* What exec will make of the handlers is made now, so that a signal from now on does what it would
 * do just after: act by default. `old` keeps them, all zeros where nothing changed. */
static void handlers_to_default(struct kernel_action old[SIGNAL_COUNT + 1]) {
    static const struct kernel_action by_default;
    for (int signo = 1; signo <= SIGNAL_COUNT; signo++) {
        old[signo] = by_default;
        if (signo == KICK || syscall(SYS_rt_sigaction, signo, NULL, &old[signo], sizeof(uint64_t)))
            continue;
        if (is_caught(&old[signo]))
            syscall(SYS_rt_sigaction, signo, &by_default, NULL, sizeof(uint64_t));
        else
            old[signo] = by_default;
    }
}

static void handlers_back(const struct kernel_action old[SIGNAL_COUNT + 1]) {
    for (int signo = 1; signo <= SIGNAL_COUNT; signo++)
        if (is_caught(&old[signo]))
            syscall(SYS_rt_sigaction, signo, &old[signo], NULL, sizeof(uint64_t));
}

/* One that was caught, but not yet delivered, is pending again. With all blocked. */
static void give_back_pending(struct vcpu *v) {
    if (!v->pending)
        return;
    syscall(SYS_rt_tgsigqueueinfo, v->pid, v->tid, v->slot_signo, &v->slot);
    v->pending = 0;
}

/* Other threads of the guest go on until the kernel ends them: what is sent to one of them must not
 * kill the process meanwhile, so there the handlers stay; as they do if another process has the
 * same. */
int exec_replace(const char *file, char *const *argv, char *const *envp) {
    struct kernel_action old[SIGNAL_COUNT + 1];
    struct vcpu *v = current;
    signals_block();
    give_back_pending(v);
    bool alone =
        v->apart ? !v->shares_handlers : __atomic_load_n(&v->exec->live, __ATOMIC_SEQ_CST) == 1;
    if (alone)
        handlers_to_default(old);
    set_host_mask(v->guest_mask & ~(alone ? 0 : SYNC_BITS | BIT(KICK)));
    execve(file, argv, envp);
    int rc = -errno;
    signals_block();
    if (alone)
        handlers_back(old);
    apply_mask(v);
    return rc;
}
