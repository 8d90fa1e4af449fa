/*
 * Blocking host calls and signals: no wake-up is lost, wherever in the call it arrives.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "exec/safe_syscall.h"

extern const char safe_syscall_begin[], safe_syscall_end[], safe_syscall_abort[];

#define MASK 5u

static uint32_t attention;
static uint32_t handled;

static void on_signal(int signo, siginfo_t *info, void *context) {
    (void)signo, (void)info;
    __atomic_fetch_or(&attention, 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&handled, 1, __ATOMIC_SEQ_CST);
    context_abort_syscall(context);
}

static int setup(void **state) {
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    (void)state;
    attention = 0;
    return sigaction(SIGUSR1, &sa, NULL);
}

static int64_t call(int64_t number, uint64_t a, uint64_t b, uint64_t c) {
    const uint64_t args[6] = {a, b, c};
    return safe_syscall(&attention, number, args, MASK);
}

static void test_results(void **state) {
    int fd[2];
    char text[8] = "";
    (void)state;
    assert_int_equal(pipe(fd), 0);
    assert_int_equal(call(SYS_write, (uint64_t)fd[1], (uintptr_t) "abc", 3), 3);
    assert_int_equal(call(SYS_read, (uint64_t)fd[0], (uintptr_t)text, 8), 3);
    assert_string_equal(text, "abc");
    assert_int_equal(call(SYS_read, 9999, (uintptr_t)text, 8), -EBADF);
    /* All six arguments arrive, in order. */
    const uint64_t args[6] = {0, 4096, 3, 0x22, UINT64_MAX, 0};
    int64_t p = safe_syscall(&attention, SYS_mmap, args, MASK);
    assert_true(p > 0);
    *(volatile char *)(uintptr_t)p = 1;
    assert_int_equal(call(SYS_munmap, (uint64_t)p, 4096, 0), 0);
    close(fd[0]);
    close(fd[1]);
}

static void test_attention_before(void **state) {
    int fd[2];
    (void)state;
    assert_int_equal(pipe(fd), 0);
    attention = 4;
    assert_int_equal(call(SYS_write, (uint64_t)fd[1], (uintptr_t) "x", 1), -EINTR);
    /* Bits that are not asked for do not count. */
    attention = 2;
    assert_int_equal(call(SYS_write, (uint64_t)fd[1], (uintptr_t) "x", 1), 1);
    close(fd[0]);
    close(fd[1]);
}

/* Each place of the window, as the handler finds it. */
static void test_window(void **state) {
    ucontext_t c;
    (void)state;
#if defined(__x86_64__)
    for (const char *pc = safe_syscall_begin - 1; pc <= safe_syscall_end; pc++) {
        memset(&c, 0, sizeof c);
        c.uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)pc;
        context_abort_syscall(&c);
        bool inside = pc >= safe_syscall_begin && pc < safe_syscall_end;
        assert_int_equal(context_pc(&c), (uintptr_t)(inside ? safe_syscall_abort : pc));
    }
#else
    (void)c;
    skip();
#endif
}

/* Signals at every moment: before, in and after the check, asleep. A lost one hangs the read. */
struct shooter {
    pthread_t target;
    uint32_t round; /* atomic: the round the target is in */
    uint32_t stop;
};

static void *shoot(void *arg) {
    struct shooter *s = arg;
    uint32_t seen = 0, seed = 1;
    while (!__atomic_load_n(&s->stop, __ATOMIC_SEQ_CST)) {
        uint32_t round = __atomic_load_n(&s->round, __ATOMIC_SEQ_CST);
        if (round == seen)
            continue;
        seen = round;
        seed = seed * 1103515245 + 12345;
        for (volatile uint32_t k = 0; k < (seed >> 16) % 600; k++)
            ;
        pthread_kill(s->target, SIGUSR1);
    }
    return NULL;
}

static void test_no_lost_wakeup(void **state) {
    struct shooter s = {.target = pthread_self()};
    pthread_t thread;
    int fd[2];
    char byte;
    (void)state;
#if defined(__SANITIZE_THREAD__)
    skip(); /* it holds asynchronous signals back */
#endif
    assert_int_equal(pipe(fd), 0);
    assert_int_equal(pthread_create(&thread, NULL, shoot, &s), 0);
    alarm(60); /* a lost wake-up must end the test, and fail it */
    for (uint32_t k = 1; k <= 3000; k++) {
        uint32_t before = __atomic_load_n(&handled, __ATOMIC_SEQ_CST);
        __atomic_store_n(&attention, 0, __ATOMIC_SEQ_CST);
        __atomic_store_n(&s.round, k, __ATOMIC_SEQ_CST);
        assert_int_equal(call(SYS_read, (uint64_t)fd[0], (uintptr_t)&byte, 1), -EINTR);
        assert_int_equal(__atomic_load_n(&handled, __ATOMIC_SEQ_CST), before + 1);
    }
    alarm(0);
    __atomic_store_n(&s.stop, 1, __ATOMIC_SEQ_CST);
    pthread_join(thread, NULL);
    close(fd[0]);
    close(fd[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_results, setup),
        cmocka_unit_test_setup(test_attention_before, setup),
        cmocka_unit_test_setup(test_window, setup),
        cmocka_unit_test_setup(test_no_lost_wakeup, setup),
    };
    return cmocka_run_group_tests_name("syscall", tests, NULL, NULL);
}
