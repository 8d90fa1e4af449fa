/*
 * Signals that the program asks for: handlers with masks and flags, an alternate stack, queues,
 * interrupted and restarted calls, a handler that changes the context it returns to.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "faults.h"

static volatile int order[16], order_count;
static volatile sig_atomic_t alarms;

static void note(int signo) {
    if (order_count < 16)
        order[order_count++] = signo;
}

static void install(int signo, void (*handler)(int), int flags, int mask) {
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_handler = handler;
    sa.sa_flags = flags;
    if (mask)
        sigaddset(&sa.sa_mask, mask);
    CHECK(sigaction(signo, &sa, NULL) == 0);
}

/* ---- masks ---- */

static void raises_other(int signo) {
    note(signo);
    raise(SIGUSR2);
    note(-signo);
}

static void masks(void) {
    install(SIGUSR2, note, 0, 0);
    install(SIGUSR1, raises_other, 0, SIGUSR2);
    order_count = 0;
    raise(SIGUSR1);
    CHECK(order_count == 3 && order[0] == SIGUSR1 && order[1] == -SIGUSR1 && order[2] == SIGUSR2);
    install(SIGUSR1, raises_other, 0, 0);
    order_count = 0;
    raise(SIGUSR1);
    CHECK(order_count == 3 && order[0] == SIGUSR1 && order[1] == SIGUSR2 && order[2] == -SIGUSR1);
    sigset_t set, pending;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    order_count = 0;
    raise(SIGUSR2);
    raise(SIGUSR2);
    CHECK(order_count == 0);
    sigpending(&pending);
    CHECK(sigismember(&pending, SIGUSR2));
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    CHECK(order_count == 1);
    install(SIGUSR2, note, SA_RESETHAND, 0);
    raise(SIGUSR2);
    struct sigaction now;
    sigaction(SIGUSR2, NULL, &now);
    CHECK(now.sa_handler == SIG_DFL);
    signal(SIGUSR2, SIG_IGN);
    raise(SIGUSR2);
}

/* ---- alternate stack ---- */

static char *volatile handler_sp;
static volatile int handler_onstack;

static void on_stack(int signo, siginfo_t *info, void *context) {
    char here;
    stack_t now;
    (void)signo, (void)info, (void)context;
    handler_sp = &here;
    sigaltstack(NULL, &now);
    handler_onstack = now.ss_flags & SS_ONSTACK;
    siglongjmp(resume_at, 1);
}

__attribute__((noinline)) static int overflow(int n) {
    volatile char room[4096];
    room[0] = (char)n;
    return n == -1 ? 0 : overflow(n + 1) + room[0];
}

static void altstack(void) {
    size_t size = 65536;
    char *stack = malloc(size);
    stack_t ss = {.ss_sp = stack, .ss_size = size}, now;
    struct sigaction sa;
    struct rlimit limit = {1 << 20, 1 << 20};
    CHECK(sigaltstack(&ss, NULL) == 0);
    memset(&sa, 0, sizeof sa);
    sa.sa_sigaction = on_stack;
    sa.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSEGV, &sa, NULL);
    setrlimit(RLIMIT_STACK, &limit);
    for (int k = 0; k < 3; k++) {
        handler_sp = NULL;
        if (sigsetjmp(resume_at, 1) == 0)
            overflow(0);
        CHECK(handler_sp > stack && handler_sp < stack + size);
        CHECK(handler_onstack);
    }
    sigaltstack(NULL, &now);
    CHECK(now.ss_sp == stack && now.ss_size == size && now.ss_flags == 0);
    signal(SIGSEGV, SIG_DFL);
}

/* ---- context ---- */

static void skip_ud2(int signo, siginfo_t *info, void *context) {
    ucontext_t *uc = context;
    (void)signo, (void)info;
    uc->uc_mcontext.gregs[REG_RIP] += 2;
    uc->uc_mcontext.gregs[REG_RAX] = 1234;
    uc->uc_mcontext.gregs[REG_EFL] |= 1;
}

static void context(void) {
    unsigned long rax = 0;
    unsigned char carry = 0;
    double before = 1.5, after = 0;
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_sigaction = skip_ud2;
    sa.sa_flags = SA_SIGINFO;
    sigaction(SIGILL, &sa, NULL);
    __asm__ volatile("clc; movsd %3, %%xmm7; ud2; setc %1; movsd %%xmm7, %2"
                     : "=a"(rax), "=m"(carry), "=m"(after)
                     : "m"(before)
                     : "xmm7", "cc");
    CHECK(rax == 1234 && carry == 1 && after == 1.5);
    signal(SIGILL, SIG_DFL);
}

/* ---- time and interrupted calls ---- */

static void count_alarm(int signo) {
    (void)signo;
    alarms++;
}

static void interval(int milliseconds) {
    struct itimerval it;
    memset(&it, 0, sizeof it);
    it.it_value.tv_usec = it.it_interval.tv_usec = milliseconds * 1000;
    setitimer(ITIMER_REAL, &it, NULL);
}

static void interrupted(void) {
    int fd[2];
    char byte;
    CHECK(pipe(fd) == 0);
    install(SIGALRM, count_alarm, 0, 0);
    interval(20);
    errno = 0;
    CHECK(read(fd[0], &byte, 1) == -1 && errno == EINTR);
    struct timespec ts = {5, 0}, rest = {0, 0};
    CHECK(nanosleep(&ts, &rest) == -1 && errno == EINTR && rest.tv_sec >= 3);
    CHECK(pause() == -1 && errno == EINTR);
    install(SIGALRM, count_alarm, SA_RESTART, 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct timespec wait = {0, 150000000};
        while (nanosleep(&wait, &wait) < 0)
            ;
        _exit(write(fd[1], "x", 1) != 1);
    }
    alarms = 0;
    CHECK(read(fd[0], &byte, 1) == 1 && byte == 'x');
    CHECK(alarms > 0);
    interval(0);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    /* A busy loop is interrupted too. */
    alarms = 0;
    interval(5);
    while (alarms < 20)
        ;
    interval(0);
    close(fd[0]);
    close(fd[1]);
}

/* ---- queues and waiting ---- */

static volatile int values[8], value_count, value_code;

static void note_value(int signo, siginfo_t *info, void *context) {
    (void)signo, (void)context;
    value_code = info->si_code;
    if (value_count < 8)
        values[value_count++] = info->si_value.sival_int;
}

static void queues(void) {
    struct sigaction sa;
    sigset_t set;
    siginfo_t info;
    struct timespec no_time = {0, 0};
    memset(&sa, 0, sizeof sa);
    sa.sa_sigaction = note_value;
    sa.sa_flags = SA_SIGINFO;
    sigaction(SIGRTMIN + 1, &sa, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (int k = 0; k < 5; k++)
        CHECK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = k * 11}) == 0);
    CHECK(sigtimedwait(&set, &info, &no_time) == SIGRTMIN + 1 && info.si_value.sival_int == 0);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    CHECK(value_count == 4 && value_code == SI_QUEUE);
    for (int k = 0; k < 4; k++)
        CHECK(values[k] == (k + 1) * 11);
    errno = 0;
    CHECK(sigtimedwait(&set, &info, &no_time) == -1 && errno == EAGAIN);
    sigset_t empty;
    sigemptyset(&empty);
    install(SIGUSR1, note, 0, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    kill(getpid(), SIGUSR1);
    order_count = 0;
    CHECK(sigsuspend(&empty) == -1 && errno == EINTR && order_count == 1);
    CHECK(kill(getpid(), 0) == 0);
}

static volatile sig_atomic_t child_code, child_status;
static void child_handler(int signo, siginfo_t *info, void *context) {
    (void)signo, (void)context;
    child_code = info->si_code;
    child_status = info->si_status;
}

static void children(void) {
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_sigaction = child_handler;
    sa.sa_flags = SA_SIGINFO | SA_RESTART;
    sigaction(SIGCHLD, &sa, NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(9);
    CHECK(waitpid(pid, NULL, 0) == pid);
    CHECK(child_code == CLD_EXITED && child_status == 9);
    signal(SIGCHLD, SIG_DFL);
}

/* A jump out of a handler, over and over: nothing may pile up. */
static void leaving_handlers(void) {
    fault_catch_all();
    volatile int sum = 0;
    for (volatile int k = 0; k < 5000; k++) {
        FAULT_TRY(*(volatile int *)(8l + (k & 7)) = 1);
        sum += caught.signo == SIGSEGV && (long)caught.address == 8 + (k & 7);
    }
    CHECK(sum == 5000);
}

int main(void) {
    masks();
    context();
    interrupted();
    queues();
    children();
    leaving_handlers();
    altstack();
    return guest_done();
}
