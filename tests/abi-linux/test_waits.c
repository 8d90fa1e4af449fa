/*
 * Waiting and time: poll, select, epoll, sleeping and timers; what a signal makes of a wait, and
 * how a wait that goes on keeps its end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"
#include "linux.h"

static int setup(void **state) {
    *state = guest_create(NULL, NULL);
    return 0;
}

static int teardown(void **state) {
    guest_destroy(*state);
    return 0;
}

static double seconds(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void polls(void **state) {
    struct guest *g = *state;
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    struct pollfd v[3] = {{fd[0], POLLIN, 99}, {fd[1], POLLOUT, 99}, {-1, POLLIN, 99}};
    guest_put(g, 0, v, sizeof v);
    assert_int_equal(CALL(g, SYS_poll, GOOD, 3, 1000), 1);
    guest_get(g, 0, v, sizeof v);
    assert_int_equal(v[0].revents, 0);
    assert_int_equal(v[1].revents, POLLOUT);
    assert_int_equal(v[2].revents, 0);
    assert_int_equal(CALL(g, SYS_poll, GOOD, 1, 10), 0);
    /* ppoll writes back what is left of the time. */
    struct timespec ts = {5, 0};
    guest_put(g, 256, &ts, sizeof ts);
    assert_int_equal(CALL(g, SYS_ppoll, GOOD, 3, GOOD + 256, 0, 8), 1);
    guest_get(g, 256, &ts, sizeof ts);
    assert_true(ts.tv_sec == 4 && ts.tv_nsec > 0);
    ts = (struct timespec){0, 1000000000};
    guest_put(g, 256, &ts, sizeof ts);
    assert_int_equal(CALL(g, SYS_ppoll, GOOD, 3, GOOD + 256, 0, 8), -EINVAL);
    assert_int_equal(CALL(g, SYS_ppoll, GOOD, 3, 0, GOOD, 4), -EINVAL);
    assert_int_equal(CALL(g, SYS_poll, GOOD, UINT32_MAX, 0), -EINVAL);
    close(fd[0]), close(fd[1]);
}

static void selects(void **state) {
    struct guest *g = *state;
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    int high = dup2(fd[1], 200);
    uint64_t in[4] = {0}, out[4] = {0};
    in[fd[0] / 64] |= UINT64_C(1) << fd[0] % 64;
    out[high / 64] |= UINT64_C(1) << high % 64;
    guest_put(g, 0, in, sizeof in);
    guest_put(g, 64, out, sizeof out);
    struct timeval tv = {5, 2000000}; /* two seconds more are fine */
    guest_put(g, 128, &tv, sizeof tv);
    assert_int_equal(CALL(g, SYS_select, high + 1, GOOD, GOOD + 64, 0, GOOD + 128), 1);
    guest_get(g, 0, in, sizeof in);
    guest_get(g, 64, out, sizeof out);
    guest_get(g, 128, &tv, sizeof tv);
    assert_int_equal(in[fd[0] / 64], 0);
    assert_int_equal(out[high / 64], UINT64_C(1) << high % 64);
    assert_true(tv.tv_sec == 6);
    assert_int_equal(CALL(g, SYS_select, -1, 0, 0, 0, GOOD + 128), -EINVAL);
    close(fd[0]);
    guest_put(g, 0, &in, 8);
    in[0] = UINT64_C(1) << fd[0];
    guest_put(g, 0, in, 8);
    assert_int_equal(CALL(g, SYS_select, fd[0] + 1, GOOD, 0, 0, GOOD + 128), -EBADF);
    tv = (struct timeval){-1, 0};
    guest_put(g, 128, &tv, sizeof tv);
    assert_int_equal(CALL(g, SYS_select, 0, 0, 0, 0, GOOD + 128), -EINVAL);
    close(fd[1]), close(high);
}

static void epolls(void **state) {
    struct guest *g = *state;
    int fd[2];
    assert_int_equal(pipe(fd), 0);
    int64_t e = CALL(g, SYS_epoll_create1, 0);
    struct g_epoll_event event = {EPOLLOUT, UINT64_C(0x1122334455667788)}, got[2];
    guest_put(g, 0, &event, sizeof event);
    assert_int_equal(CALL(g, SYS_epoll_ctl, e, EPOLL_CTL_ADD, fd[1], GOOD), 0);
    event = (struct g_epoll_event){EPOLLIN, 7};
    guest_put(g, 0, &event, sizeof event);
    assert_int_equal(CALL(g, SYS_epoll_ctl, e, EPOLL_CTL_ADD, fd[0], GOOD), 0);
    assert_int_equal(write(fd[1], "x", 1), 1);
    assert_int_equal(CALL(g, SYS_epoll_wait, e, GOOD + 0x1001, 100000, 1000), 2);
    guest_get(g, 0x1001, got, sizeof got);
    size_t out = got[0].events == EPOLLOUT ? 0 : 1;
    assert_int_equal(got[out].data, UINT64_C(0x1122334455667788));
    assert_int_equal(got[1 - out].events, EPOLLIN);
    assert_int_equal(got[1 - out].data, 7);
    struct timespec ts = {0, 0};
    guest_put(g, 0, &ts, sizeof ts);
    assert_int_equal(CALL(g, SYS_epoll_pwait2, e, GOOD + 0x1000, 1, GOOD, 0, 8), 1);
    assert_int_equal(CALL(g, SYS_epoll_wait, e, GOOD, 0, 0), -EINVAL);
    assert_int_equal(CALL(g, SYS_epoll_ctl, e, EPOLL_CTL_DEL, fd[0], 0), 0);
    close(fd[0]), close(fd[1]), close((int)e);
}

static void send_guest_signal(struct guest *g, int signo) {
    siginfo_t info = {.si_signo = signo, .si_code = SI_USER};
    struct blink_signal s = {.struct_size = sizeof s, .signo = signo};
    memcpy(s.info, &info, sizeof info);
    fakehost_signal(g->fh, &s);
}

/* The mask of ppoll rules during the wait only. */
static void masks(void **state) {
    struct guest *g = *state;
    uint64_t mask = LX_SIGBIT(SIGUSR1);
    struct timespec ts = {0, 1000000};
    guest_put(g, 0, &ts, sizeof ts);
    guest_put(g, 64, &mask, sizeof mask);
    uint32_t masks_before = fakehost_exec(g->fh)->masks;
    assert_int_equal(CALL(g, SYS_ppoll, GOOD, 0, GOOD, GOOD + 64, 8), 0);
    assert_true(fakehost_exec(g->fh)->masks >= masks_before + 2);
    assert_int_equal(fakehost_exec(g->fh)->mask & mask, 0);
}

static void sleeps(void **state) {
    struct guest *g = *state;
    struct timespec ts = {0, 30000000};
    guest_put(g, 0, &ts, sizeof ts);
    double start = seconds();
    assert_int_equal(CALL(g, SYS_nanosleep, GOOD, 0), 0);
    assert_true(seconds() - start >= 0.03);
    start = seconds();
    assert_int_equal(CALL(g, SYS_clock_nanosleep, CLOCK_REALTIME, 0, GOOD, 0), 0);
    assert_true(seconds() - start >= 0.03);
    clock_gettime(CLOCK_MONOTONIC, &ts);
    guest_put(g, 0, &ts, sizeof ts);
    assert_int_equal(CALL(g, SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, GOOD, 0), 0);
    ts = (struct timespec){0, -1};
    guest_put(g, 0, &ts, sizeof ts);
    assert_int_equal(CALL(g, SYS_nanosleep, GOOD, 0), -EINVAL);
    assert_int_equal(CALL(g, SYS_clock_nanosleep, 99, 0, GOOD, 0), -EINVAL);
}

/* A sleep that is cut short says what is left, and goes on to the end it had. */
static void sleep_goes_on(void **state) {
    struct guest *g = *state;
    struct lx_thread *t = lx_thread_of(g->cpu);
    struct timespec ts = {0, 200000000}, left = {0};
    struct lx_call c = {
        .abi = g->abi,
        .thread = t,
        .cpu = g->cpu,
        .row = &lx_rows[SYS_nanosleep],
        .number = SYS_nanosleep,
    };
    c.a[0] = guest_put(g, 0, &ts, sizeof ts);
    c.a[1] = GOOD + 64;
    double start = seconds();
    send_guest_signal(g, SIGWINCH);
    assert_int_equal(lx_sys_nanosleep(&c), -EINTR);
    guest_get(g, 64, &left, sizeof left);
    assert_true(left.tv_sec == 0 && left.tv_nsec > 0 && left.tv_nsec <= 200000000);
    struct blink_signal taken;
    assert_int_equal(fakehost_exec_iface.signal_take(g->cpu, &taken), 0);
    usleep(100000);
    assert_int_equal(lx_sys_restart_syscall(&c), 0);
    double slept = seconds() - start;
    assert_true(slept >= 0.2 && slept < 0.29);
}

static void timers(void **state) {
    struct guest *g = *state;
    struct itimerval iv = {.it_value = {100, 0}}, old;
    guest_put(g, 0, &iv, sizeof iv);
    assert_int_equal(CALL(g, SYS_setitimer, ITIMER_REAL, GOOD, 0), 0);
    assert_int_equal(CALL(g, SYS_alarm, 0), 100);
    assert_int_equal(CALL(g, SYS_getitimer, ITIMER_REAL, GOOD + 64), 0);
    guest_get(g, 64, &old, sizeof old);
    assert_int_equal(old.it_value.tv_sec, 0);
    assert_int_equal(CALL(g, SYS_alarm, 50), 0);
    assert_int_equal(CALL(g, SYS_setitimer, ITIMER_REAL, 0, GOOD + 64), 0); /* none: zero */
    guest_get(g, 64, &old, sizeof old);
    assert_in_range(old.it_value.tv_sec, 49, 50);
    struct sigevent event = {.sigev_notify = SIGEV_NONE};
    int32_t id;
    guest_put(g, 0, &event, sizeof event);
    assert_int_equal(CALL(g, SYS_timer_create, CLOCK_MONOTONIC, GOOD, GOOD + 128), 0);
    guest_get(g, 128, &id, sizeof id);
    struct itimerspec spec = {.it_value = {100, 0}}, now;
    guest_put(g, 0, &spec, sizeof spec);
    assert_int_equal(CALL(g, SYS_timer_settime, id, 0, GOOD, 0), 0);
    assert_int_equal(CALL(g, SYS_timer_gettime, id, GOOD + 128), 0);
    guest_get(g, 128, &now, sizeof now);
    assert_in_range(now.it_value.tv_sec, 99, 100);
    assert_int_equal(CALL(g, SYS_timer_getoverrun, id), 0);
    assert_int_equal(CALL(g, SYS_timer_delete, id), 0);
    assert_int_equal(CALL(g, SYS_timer_delete, id), -EINVAL);
    assert_int_equal(CALL(g, SYS_timer_create, CLOCK_MONOTONIC, 0, READONLY), -EFAULT);
}

static void memory_of_self(void **state) {
    struct guest *g = *state;
    uint64_t local[4] = {GOOD + 0x1000, 3, GOOD + 0x2000, 100};
    uint64_t remote[4] = {GOOD + 0x3000, 8, READONLY + 4090, 20};
    char text[16] = {0};
    guest_put(g, 0, local, sizeof local);
    guest_put(g, 64, remote, sizeof remote);
    guest_string(g, 0x3000, "abcdefgh");
    assert_int_equal(CALL(g, SYS_process_vm_readv, getpid(), GOOD, 2, GOOD + 64, 2, 0), 14);
    guest_get(g, 0x1000, text, 3);
    assert_string_equal(text, "abc");
    guest_get(g, 0x2000, text, 5);
    assert_string_equal(text, "defgh");
    remote[0] = READONLY;
    guest_put(g, 64, remote, sizeof remote);
    assert_int_equal(CALL(g, SYS_process_vm_writev, getpid(), GOOD, 2, GOOD + 64, 2, 0), -EFAULT);
    assert_int_equal(CALL(g, SYS_process_vm_readv, 1, GOOD, 2, GOOD + 64, 2, 0), -EPERM);
    assert_int_equal(CALL(g, SYS_process_vm_readv, getpid(), GOOD, 2, GOOD + 64, 2, 1), -EINVAL);
}

static void refused(void **state) {
    struct guest *g = *state;
    static const struct {
        uint32_t number;
        int error;
    } calls[] = {
        {SYS_ptrace, EPERM},           {SYS_mount, EPERM},
        {SYS_seccomp, EINVAL},         {SYS_bpf, ENOSYS},
        {SYS_perf_event_open, ENOSYS}, {SYS_fanotify_init, ENOSYS},
        {SYS_io_setup, ENOSYS},        {SYS_userfaultfd, ENOSYS},
        {SYS_init_module, EPERM},      {425 /* io_uring */, ENOSYS},
        {444 /* landlock */, ENOSYS},
    };
    for (size_t k = 0; k < sizeof calls / sizeof calls[0]; k++)
        assert_int_equal(CALL(g, calls[k].number, 0, 0, 0), -calls[k].error);
    assert_string_equal(fakehost_log(g->fh), ""); /* meant, so not worth a line */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(polls, setup, teardown),
        cmocka_unit_test_setup_teardown(selects, setup, teardown),
        cmocka_unit_test_setup_teardown(epolls, setup, teardown),
        cmocka_unit_test_setup_teardown(masks, setup, teardown),
        cmocka_unit_test_setup_teardown(sleeps, setup, teardown),
        cmocka_unit_test_setup_teardown(sleep_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(timers, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_of_self, setup, teardown),
        cmocka_unit_test_setup_teardown(refused, setup, teardown),
    };
    return cmocka_run_group_tests_name("abi-linux waits", tests, NULL, NULL);
}
