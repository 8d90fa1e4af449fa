/*
 * clone and its kin: what does not go together, what is asked of core for a thread, a process that
 * shares memory and one that does not, and that no record of a thread is left behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"
#include "linux.h"

#define THREAD (CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)

static int setup(void **state) {
    struct guest *g = guest_create(NULL, NULL);
    fakehost_exec(g->fh)->share_result = 4711;
    *state = g;
    return 0;
}

static int teardown(void **state) {
    guest_destroy(*state);
    return 0;
}

static size_t records(const struct guest *g) {
    size_t n = 0;
    for (const struct lx_thread *t = g->abi->first_thread; t; t = t->next)
        n++;
    return n;
}

static void refusals(void **state) {
    struct guest *g = *state;
    static const uint64_t flags[] = {
        CLONE_SIGHAND,
        CLONE_THREAD | CLONE_VM,
        CLONE_THREAD | CLONE_SIGHAND,
        CLONE_THREAD,
        CLONE_FS | CLONE_NEWNS,
        CLONE_NEWUSER,
        CLONE_NEWPID | CLONE_VM,
        THREAD | CLONE_NEWNET,
        THREAD | CLONE_PIDFD,
        CLONE_PIDFD | CLONE_PARENT_SETTID,
    };
    for (size_t k = 0; k < sizeof flags / sizeof flags[0]; k++)
        assert_int_equal(CALL(g, SYS_clone, flags[k] | SIGCHLD, 0, GOOD, GOOD, 0), -EINVAL);
    const struct fakehost_exec *e = fakehost_exec(g->fh);
    assert_true(!e->forks && !e->shares && !e->threads);
    assert_int_equal(records(g), 1);
}

/* clone3's structure: its size, what must be zero, what goes with what. */
static void structures(void **state) {
    struct guest *g = *state;
    uint64_t a[12] = {0};
    assert_int_equal(CALL(g, SYS_clone3, GOOD, 56), -EINVAL);
    assert_int_equal(CALL(g, SYS_clone3, GOOD, 5000), -E2BIG);
    assert_int_equal(CALL(g, SYS_clone3, NOTHING, 64), -EFAULT);
    a[11] = 1;
    guest_put(g, 0, a, sizeof a);
    assert_int_equal(CALL(g, SYS_clone3, GOOD, sizeof a), -E2BIG);
    static const struct {
        uint64_t word[9];
        int error;
    } cases[] = {
        {{SIGCHLD}, EINVAL},                     /* the signal has a field of its own */
        {{CLONE_VM, 0, 0, 0, 65}, EINVAL},       /* no such signal */
        {{CLONE_VM, 0, 0, 0, 0, GOOD}, EINVAL},  /* a stack without size */
        {{CLONE_VM, 0, 0, 0, 0, 0, 64}, EINVAL}, /* and the other way round */
        {{THREAD, 0, 0, 0, SIGCHLD}, EINVAL},
        {{CLONE_VM, 0, 0, 0, 0, 0, 0, 0, 0}, 0},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        memset(a, 0, sizeof a);
        memcpy(a, cases[k].word, sizeof cases[k].word);
        guest_put(g, 0, a, sizeof a);
        int64_t expected = cases[k].error ? -cases[k].error : 4711;
        assert_int_equal(CALL(g, SYS_clone3, GOOD, 88), expected);
    }
}

/* What the host can do of a process in shared memory is asked of it. */
static void sharing(void **state) {
    struct guest *g = *state;
    struct fakehost_exec *e = fakehost_exec(g->fh);
    uint64_t flags = CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_SETTLS | SIGUSR1;
    assert_int_equal(CALL(g, SYS_vfork), 4711);
    assert_int_equal(e->share_flags, CLONE_VFORK | SIGCHLD);
    assert_int_equal(e->thread_cpu->gpr[BLINK_RSP], g->cpu->gpr[BLINK_RSP]);
    assert_int_equal(e->thread_cpu->gpr[BLINK_RAX], 0);
    assert_int_equal(CALL(g, SYS_clone, flags, GOOD + 4096, 0, 0, 0x1234000), 4711);
    assert_int_equal(e->share_flags, CLONE_VFORK | CLONE_FILES | SIGUSR1);
    assert_int_equal(e->thread_cpu->gpr[BLINK_RSP], GOOD + 4096);
    assert_int_equal(e->thread_cpu->seg[BLINK_SEG_FS].base, 0x1234000);
    assert_int_equal(e->shares, 2);
    assert_int_equal(e->forks, 0);
}

/* Handlers are the maker's only with CLONE_SIGHAND, the mask is a copy always. */
static void inheritance(void **state) {
    struct guest *g = *state;
    struct lx_thread *self = lx_thread_of(g->cpu);
    self->handlers->action[SIGUSR1].handler = 0x1111;
    self->mask = 0x40;
    CALL(g, SYS_clone, CLONE_VM | SIGCHLD, GOOD + 4096);
    struct lx_thread *own = g->abi->first_thread;
    assert_true(own != self && own->handlers != self->handlers && own->apart);
    assert_int_equal(own->handlers->action[SIGUSR1].handler, 0x1111);
    assert_int_equal(own->mask, 0x40);
    CALL(g, SYS_clone, CLONE_VM | CLONE_SIGHAND | SIGCHLD, GOOD + 4096);
    struct lx_thread *same = g->abi->first_thread;
    assert_true(same != own && same->handlers == self->handlers);
    assert_int_equal(self->handlers->users, 2);
    lx_thread_free(same);
    assert_int_equal(self->handlers->users, 1);
}

static void failures_leave_nothing(void **state) {
    struct guest *g = *state;
    struct fakehost_exec *e = fakehost_exec(g->fh);
    e->share_result = -EAGAIN;
    e->thread_result = -EAGAIN;
    assert_int_equal(CALL(g, SYS_vfork), -EAGAIN);
    assert_int_equal(CALL(g, SYS_clone, THREAD, GOOD + 4096), -EAGAIN);
    assert_int_equal(records(g), 1);
    assert_int_equal(g->abi->threads, 1);
}

/* In a forked child the threads that are not there leave no record. */
static void forked(void **state) {
    struct guest *g = *state;
    struct lx_thread *self = lx_thread_of(g->cpu);
    for (int k = 0; k < 3; k++)
        assert_non_null(lx_thread_copy(self, k == 1));
    g->abi->threads = 4;
    fakehost_exec(g->fh)->fork_result = 0;
    assert_int_equal(CALL(g, SYS_clone, CLONE_CHILD_SETTID | SIGCHLD, 0, 0, GOOD), 0);
    int32_t tid = 0;
    guest_get(g, 0, &tid, sizeof tid);
    assert_int_equal(tid, syscall(SYS_gettid));
    assert_int_equal(records(g), 1);
    assert_int_equal(self->handlers->users, 1);
    assert_int_equal(g->abi->threads, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(structures, setup, teardown),
        cmocka_unit_test_setup_teardown(sharing, setup, teardown),
        cmocka_unit_test_setup_teardown(inheritance, setup, teardown),
        cmocka_unit_test_setup_teardown(failures_leave_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(forked, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
