/*
 * Lines of the trace, whole.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux.h"

#include "guest.h"

static struct guest *traced(const char *strace) {
    struct guest *g = guest_create(NULL, strace);
    fakehost_log_clear(g->fh);
    return g;
}

static int setup(void **state) {
    *state = traced("");
    return 0;
}

static int teardown(void **state) {
    guest_destroy(*state);
    return 0;
}

/* The only line since the last time, padded as strace does. */
static void assert_line(struct guest *g, const char *call, const char *result) {
    char expected[2048];
    int32_t level;
    snprintf(expected, sizeof expected, "%-39s = %s", call, result);
    assert_int_equal(fakehost_log_count(g->fh), 1);
    assert_string_equal(fakehost_log_line(g->fh, 0, &level), expected);
    assert_int_equal(level, BLINK_LOG_STRACE);
    fakehost_log_clear(g->fh);
}

static void test_off(void **state) {
    (void)state;
    struct guest *g = guest_create(NULL, NULL);
    fakehost_log_clear(g->fh);
    CALL(g, SYS_getppid);
    assert_int_equal(fakehost_log_count(g->fh), 0);
    guest_destroy(g);
}

static void test_numbers(void **state) {
    struct guest *g = *state;
    char result[32];
    snprintf(result, sizeof result, "%d", getppid());
    CALL(g, SYS_getppid);
    assert_line(g, "getppid()", result);
    CALL(g, SYS_close, -1);
    assert_line(g, "close(-1)", "-1 EBADF (Bad file descriptor)");
    CALL(g, SYS_munmap, 0, 0);
    assert_line(g, "munmap(NULL, 0)", "-1 EINVAL (Invalid argument)");
    CALL(g, SYS_mmap, 0x30000000, 4096, 3, 0x32, -1, 0);
    assert_line(g,
                "mmap(0x30000000, 4096, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_FIXED|MAP_ANONYMOUS, "
                "-1, 0)",
                "0x30000000");
    CALL(g, SYS_mprotect, 0x30000000, 4096, 0);
    assert_line(g, "mprotect(0x30000000, 4096, PROT_NONE)", "0");
    CALL(g, SYS_madvise, 0x30000000, 4096, 4);
    assert_line(g, "madvise(0x30000000, 4096, MADV_DONTNEED)", "0");
}

static void test_strings(void **state) {
    struct guest *g = *state;
    guest_string(g, 0, "/no/\n\"such\\file\001x\0012");
    CALL(g, SYS_open, GOOD, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_line(g, "open(\"/no/\\n\\\"such\\\\file\\1x\\0012\", O_RDWR|O_CREAT|O_CLOEXEC, 0600)",
                "-1 ENOENT (No such file or directory)");
    CALL(g, SYS_open, NOTHING, 0, 0);
    assert_line(g, "open(0x20030000, O_RDONLY, 0)", "-1 EFAULT (Bad address)");
    CALL(g, SYS_open, 0, 0, 0);
    assert_line(g, "open(NULL, O_RDONLY, 0)", "-1 EFAULT (Bad address)");
    guest_string(g, 0, "");
    CALL(g, SYS_openat, AT_FDCWD, GOOD, O_DIRECTORY, 0);
    assert_line(g, "openat(AT_FDCWD, \"\", O_RDONLY|O_DIRECTORY, 0)",
                "-1 ENOENT (No such file or directory)");
}

/* What goes in is shown as it was, what comes out as it is. */
static void test_buffers(void **state) {
    struct guest *g = *state;
    int ends[2];
    char call[128];
    assert_int_equal(pipe(ends), 0);
    guest_string(g, 0, "0123456789012345678901234567890123456789");
    CALL(g, SYS_write, ends[1], GOOD, 40);
    snprintf(call, sizeof call, "write(%d, \"01234567890123456789012345678901\"..., 40)", ends[1]);
    assert_line(g, call, "40");
    CALL(g, SYS_read, ends[0], GOOD + 64, 5);
    snprintf(call, sizeof call, "read(%d, \"01234\", 5)", ends[0]);
    assert_line(g, call, "5");
    CALL(g, SYS_read, -1, GOOD + 64, 5);
    assert_line(g, "read(-1, 0x20000040, 5)", "-1 EBADF (Bad file descriptor)");
    struct g_iovec v[2] = {{GOOD, 3}, {GOOD + 10, 2}};
    guest_put(g, 128, v, sizeof v);
    CALL(g, SYS_writev, ends[1], GOOD + 128, 2);
    snprintf(call, sizeof call,
             "writev(%d, [{iov_base=\"012\", iov_len=3}, {iov_base=\"01\", iov_len=2}], 2)",
             ends[1]);
    assert_line(g, call, "5");
    close(ends[0]);
    close(ends[1]);
}

static void test_in_and_out(void **state) {
    struct guest *g = *state;
    uint64_t set = LX_SIGBIT(SIGUSR1) | LX_SIGBIT(SIGCHLD), none = 0;
    guest_put(g, 8, &none, sizeof none);
    CALL(g, SYS_rt_sigprocmask, SIG_SETMASK, GOOD + 8, 0, 8);
    assert_line(g, "rt_sigprocmask(SIG_SETMASK, [], NULL, 8)", "0");
    guest_put(g, 0, &set, sizeof set);
    /* Both at one address. */
    CALL(g, SYS_rt_sigprocmask, SIG_BLOCK, GOOD, GOOD, 8);
    assert_line(g, "rt_sigprocmask(SIG_BLOCK, [USR1 CHLD], [], 8)", "0");
    set = ~LX_SIGBIT(SIGHUP);
    guest_put(g, 0, &set, sizeof set);
    CALL(g, SYS_rt_sigprocmask, SIG_SETMASK, GOOD, 0, 8);
    assert_line(g, "rt_sigprocmask(SIG_SETMASK, ~[HUP], NULL, 8)", "0");
    struct g_sigaction a = {0x402000, G_SA_RESTORER | G_SA_RESTART, 0x403000, 0};
    guest_put(g, 0, &a, sizeof a);
    CALL(g, SYS_rt_sigaction, SIGINT, GOOD, GOOD + 64, 8);
    assert_line(g,
                "rt_sigaction(SIGINT, {sa_handler=0x402000, sa_mask=[], "
                "sa_flags=SA_RESTORER|SA_RESTART, sa_restorer=0x403000}, {sa_handler=SIG_DFL, "
                "sa_mask=[], sa_flags=0}, 8)",
                "0");
}

static void test_structs(void **state) {
    struct guest *g = *state;
    struct timespec ts = {0, 0};
    guest_put(g, 0, &ts, sizeof ts);
    CALL(g, SYS_nanosleep, GOOD, 0);
    assert_line(g, "nanosleep({tv_sec=0, tv_nsec=0}, NULL)", "0");
    int32_t word = 5;
    guest_put(g, 0, &word, sizeof word);
    CALL(g, SYS_futex, GOOD, 128, 4, 0);
    assert_line(g, "futex(0x20000000, FUTEX_WAIT_PRIVATE, 4, NULL, NULL, 0)",
                "-1 EAGAIN (Resource temporarily unavailable)");
    int pid = fork();
    if (pid == 0)
        _exit(7);
    char call[128], result[16];
    CALL(g, SYS_wait4, pid, GOOD, 0, 0);
    snprintf(call, sizeof call, "wait4(%d, [{WIFEXITED(s) && WEXITSTATUS(s) == 7}], 0, NULL)", pid);
    snprintf(result, sizeof result, "%d", pid);
    assert_line(g, call, result);
    guest_string(g, 0, "/dev/null");
    CALL(g, SYS_stat, GOOD, GOOD + 64);
    assert_line(g, "stat(\"/dev/null\", {st_mode=S_IFCHR|0666, st_rdev=makedev(0x1, 0x3), ...})",
                "0");
}

static void test_entry(void **state) {
    (void)state;
    struct guest *g = traced("2");
    CALL(g, SYS_close, -1);
    assert_string_equal(fakehost_log(g->fh),
                        "close(-1 <unfinished ...>\n"
                        "<... close resumed>)                    = -1 EBADF (Bad file "
                        "descriptor)\n");
    guest_destroy(g);
}

static void test_end(void **state) {
    struct guest *g = *state;
    CALL(g, SYS_exit_group, 3);
    assert_string_equal(fakehost_log(g->fh), "exit_group(3)                           = ?\n"
                                             "+++ exited with 3 +++\n");
    assert_int_equal(fakehost_exec(g->fh)->exit_status, 3);
}

static void test_signals(void **state) {
    struct guest *g = *state;
    struct blink_signal s = {.struct_size = sizeof s, .signo = SIGTERM};
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = SIGTERM;
    info.si_pid = 12;
    info.si_uid = 34;
    memcpy(s.info, &info, sizeof s.info);
    fakehost_signal(g->fh, &s);
    g->ops->signal(g->abi, g->cpu);
    assert_string_equal(
        fakehost_log(g->fh),
        "--- SIGTERM {si_signo=SIGTERM, si_code=SI_USER, si_pid=12, si_uid=34} ---\n"
        "+++ killed by SIGTERM +++\n");
    fakehost_log_clear(g->fh);
    g->cpu->exit_info = BLINK_EXC_PF;
    g->cpu->cr2 = 0x10;
    g->ops->fault(g->abi, g->cpu);
    assert_string_equal(fakehost_log_line(g->fh, 0, NULL),
                        "--- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x10} ---");
}

static void test_unknown(void **state) {
    (void)state;
    struct guest *g = guest_create(NULL, NULL);
    fakehost_log_clear(g->fh);
    assert_int_equal(CALL(g, 400), -ENOSYS);
    assert_int_equal(CALL(g, 400), -ENOSYS);
    assert_int_equal(CALL(g, 100000), -ENOSYS);
    assert_int_equal(CALL(g, 100001), -ENOSYS);
    assert_string_equal(fakehost_log(g->fh), "system call 400 is not known: ENOSYS\n"
                                             "system call 100000 is not known: ENOSYS\n");
    /* One that is refused is not worth a line. */
    fakehost_log_clear(g->fh);
    assert_int_equal(CALL(g, SYS_io_setup, 1, GOOD), -ENOSYS);
    assert_int_equal(fakehost_log_count(g->fh), 0);
    /* Linux looks at 32 bits of the number. */
    g->cpu->attention = 0;
    assert_int_equal(CALL(g, SYS_close, -1), -EBADF);
    guest_destroy(g);
}

/* Every row can be printed whatever its arguments are: nothing is read that is not there. */
static void test_every_row(void **state) {
    struct guest *g = *state;
    static const uint64_t values[] = {0, UINT64_MAX, GOOD_END - 1, NOTHING, GOOD, 7};
    struct lx_row row;
    for (uint32_t n = 0; n < LX_SYSCALL_MAX; n++) {
        if (!lx_rows[n].name)
            continue;
        for (size_t k = 0; k < sizeof values / sizeof values[0]; k++) {
            struct lx_call c = {.abi = g->abi, .thread = lx_thread_of(g->cpu), .cpu = g->cpu};
            row = lx_rows[n];
            row.handler = NULL;
            row.refusal = k % 2 ? EPERM : 0;
            c.row = &row;
            for (size_t a = 0; a < 6; a++)
                c.a[a] = values[k];
            if (row.result == R_NORETURN)
                continue;
            fakehost_log_clear(g->fh);
            lx_trace_call(&c);
            const char *line = fakehost_log(g->fh);
            assert_non_null(strstr(line, row.name));
            assert_non_null(strstr(line, k % 2 ? ") " : "ENOSYS"));
        }
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_off),
        T(test_numbers),
        T(test_strings),
        T(test_buffers),
        T(test_in_and_out),
        T(test_structs),
        T(test_end),
        T(test_signals),
        T(test_every_row),
        cmocka_unit_test(test_entry),
        cmocka_unit_test(test_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
