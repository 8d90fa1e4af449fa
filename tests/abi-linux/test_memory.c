/*
 * The address space as the guest changes it, and words that threads wait on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "linux.h"

#include "guest.h"

#define RW      3
#define PRIVATE (G_MAP_PRIVATE | G_MAP_ANONYMOUS)
#define PLACE   UINT64_C(0x30000000)

static int setup(void **state) {
    *state = guest_create(NULL, NULL);
    return 0;
}

static int teardown(void **state) {
    guest_destroy(*state);
    return 0;
}

static void test_mmap(void **state) {
    struct guest *g = *state;
    int64_t at = CALL(g, SYS_mmap, 0, 5000, RW, PRIVATE, -1, 0);
    assert_true(at > 0 && at % 4096 == 0);
    assert_int_equal(fakehost_prot(g->fh, (uint64_t)at + 4096), RW);
    assert_int_equal(CALL(g, SYS_mmap, PLACE, 5000, RW, PRIVATE | G_MAP_FIXED, -1, 0), PLACE);
    assert_int_equal(fakehost_prot(g->fh, PLACE + 8192), -1);
    assert_int_equal(CALL(g, SYS_mmap, PLACE, 4096, RW, PRIVATE | G_MAP_FIXED_NOREPLACE, -1, 0),
                     -EEXIST);
    /* Unknown protection bits mean nothing to mmap. */
    assert_int_equal(CALL(g, SYS_mmap, PLACE, 4096, 0x19, PRIVATE | G_MAP_FIXED, -1, 0), PLACE);
    assert_int_equal(fakehost_prot(g->fh, PLACE), 1);
    assert_int_equal(CALL(g, SYS_munmap, PLACE, 1), 0);
    assert_int_equal(fakehost_prot(g->fh, PLACE), -1);
}

static void test_mmap_refused(void **state) {
    static const struct {
        uint64_t address, size, flags;
        int fd;
        uint64_t offset;
        int64_t expected;
    } cases[] = {
        {0, 0, PRIVATE, -1, 0, -EINVAL},
        {0, 4096, PRIVATE, -1, 1, -EINVAL},
        {0, 4096, G_MAP_ANONYMOUS, -1, 0, -EINVAL},
        {0, 4096, G_MAP_PRIVATE, -1, 0, -EBADF},
        {0, 0, G_MAP_PRIVATE, -1, 0, -EBADF},
        {1, 4096, PRIVATE | G_MAP_FIXED, -1, 0, -EINVAL},
        {0, UINT64_MAX - 8191, PRIVATE, -1, 0, -ENOMEM},
        {0, 4096, PRIVATE | G_MAP_HUGETLB, -1, 0, -ENOMEM},
        {0, 4096, G_MAP_SHARED_VALIDATE | G_MAP_ANONYMOUS | 0x80000, -1, 0, -EOPNOTSUPP},
        {0, 4096, G_MAP_SHARED | G_MAP_ANONYMOUS | G_MAP_GROWSDOWN, -1, 0, -EINVAL},
    };
    struct guest *g = *state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++)
        assert_int_equal(CALL(g, SYS_mmap, cases[k].address, cases[k].size, RW, cases[k].flags,
                              cases[k].fd, cases[k].offset),
                         cases[k].expected);
    assert_int_equal(CALL(g, SYS_munmap, 1, 4096), -EINVAL);
    assert_int_equal(CALL(g, SYS_munmap, PLACE, 0), -EINVAL);
    assert_int_equal(CALL(g, SYS_munmap, PLACE, UINT64_MAX - 0xffff), -EINVAL);
}

static void test_mprotect(void **state) {
    struct guest *g = *state;
    assert_int_equal(CALL(g, SYS_mprotect, GOOD, 4096, 1), 0);
    assert_int_equal(fakehost_prot(g->fh, GOOD), 1);
    assert_int_equal(CALL(g, SYS_mprotect, GOOD + 1, 4096, RW), -EINVAL);
    assert_int_equal(CALL(g, SYS_mprotect, NOTHING, 4096, RW), -ENOMEM);
    assert_int_equal(CALL(g, SYS_mprotect, NOTHING, 0, RW), 0);
    assert_int_equal(CALL(g, SYS_mprotect, GOOD, 4096, 0x100), -EINVAL);
    assert_int_equal(CALL(g, SYS_mprotect, GOOD, UINT64_MAX, RW), -ENOMEM);
    assert_int_equal(CALL(g, SYS_mprotect, GOOD, 4096, RW | 0x01000000), -EINVAL);
    assert_int_equal(CALL(g, SYS_mprotect, GOOD, 4096, RW | 0x03000000), -EINVAL);
}

/* PROT_GROWSDOWN reaches down to the stack's start: how glibc makes stacks executable. */
static void test_growsdown(void **state) {
    struct guest *g = *state;
    struct blink_mem_region r = {.struct_size = sizeof r};
    uint64_t sp = g->cpu->gpr[BLINK_RSP] & ~UINT64_C(4095);
    fakehost_mem_iface.query(fakehost_mem(g->fh), sp, &r);
    assert_int_equal(CALL(g, SYS_mprotect, sp, 4096, 7 | 0x01000000), 0);
    assert_int_equal(fakehost_prot(g->fh, r.start), 7);
    assert_int_equal(fakehost_prot(g->fh, sp), 7);
}

static void test_brk(void **state) {
    struct guest *g = *state;
    struct blink_mem_region r = {.struct_size = sizeof r};
    int64_t start = CALL(g, SYS_brk, 0), at;
    assert_true(start >= 0x500000);
    assert_int_equal(CALL(g, SYS_brk, start + 100), start + 100);
    assert_int_equal(fakehost_prot(g->fh, (uint64_t)start), RW);
    fakehost_mem_iface.query(fakehost_mem(g->fh), (uint64_t)start, &r);
    assert_string_equal(r.name, "[heap]");
    assert_int_equal(CALL(g, SYS_brk, start + 8192), start + 8192);
    assert_int_equal(CALL(g, SYS_brk, start + 1), start + 1);
    assert_int_equal(fakehost_prot(g->fh, (uint64_t)start + 4096), -1);
    assert_int_equal(CALL(g, SYS_brk, start - 1), start + 1);
    /* Something stands in the way. */
    at = start + 0x10000;
    CALL(g, SYS_mmap, at, 4096, RW, PRIVATE | G_MAP_FIXED, -1, 0);
    assert_int_equal(CALL(g, SYS_brk, at + 1), start + 1);
    assert_int_equal(CALL(g, SYS_brk, UINT64_MAX), start + 1);
}

static void test_madvise(void **state) {
    struct guest *g = *state;
    uint64_t value = 5;
    guest_put(g, 0, &value, sizeof value);
    assert_int_equal(CALL(g, SYS_madvise, GOOD, 4096, 4), 0);
    guest_get(g, 0, &value, sizeof value);
    assert_int_equal(value, 0);
    assert_int_equal(CALL(g, SYS_madvise, GOOD + 1, 4096, 4), -EINVAL);
    assert_int_equal(CALL(g, SYS_madvise, GOOD, 4096, 7), -EINVAL);
    assert_int_equal(CALL(g, SYS_madvise, GOOD, 4096, 9999), -EINVAL);
    assert_int_equal(CALL(g, SYS_madvise, GOOD, 4096, 10), -EINVAL); /* DONTFORK */
    assert_int_equal(CALL(g, SYS_madvise, NOTHING, 4096, 0), -ENOMEM);
    assert_int_equal(CALL(g, SYS_madvise, NOTHING, 0, 0), 0);
    assert_int_equal(CALL(g, SYS_madvise, GOOD, UINT64_MAX - 10, 0), -EINVAL);
}

static void test_mincore(void **state) {
    struct guest *g = *state;
    assert_int_equal(CALL(g, SYS_mincore, GOOD, GOOD_SIZE, GOOD), 0);
    assert_int_equal(CALL(g, SYS_mincore, GOOD, GOOD_SIZE + 4096, GOOD), -ENOMEM);
    assert_int_equal(CALL(g, SYS_mincore, GOOD + 1, 4096, GOOD), -EINVAL);
    assert_int_equal(CALL(g, SYS_mincore, GOOD, GOOD_SIZE, READONLY), -EFAULT);
    assert_int_equal(CALL(g, SYS_mincore, GOOD, GOOD_SIZE, GOOD_END - 1), -EFAULT);
}

/* ---- futexes ---- */

static void test_futex(void **state) {
    struct guest *g = *state;
    uint32_t word = 7;
    struct timespec ts = {0, 1000000}, bad = {0, 1000000000};
    guest_put(g, 0, &word, sizeof word);
    guest_put(g, 64, &ts, sizeof ts);
    guest_put(g, 128, &bad, sizeof bad);
    for (int private = 0; private <= 128; private += 128) {
        assert_int_equal(CALL(g, SYS_futex, GOOD, 0 | private, 6, 0), -EAGAIN);
        assert_int_equal(CALL(g, SYS_futex, GOOD, 0 | private, 7, GOOD + 64), -ETIMEDOUT);
        assert_int_equal(CALL(g, SYS_futex, GOOD, 1 | private, 1), 0);
        assert_int_equal(CALL(g, SYS_futex, GOOD, 3 | private, 1, 1, GOOD + 32), 0);
        assert_int_equal(CALL(g, SYS_futex, GOOD, 4 | private, 1, 1, GOOD + 32, 8), -EAGAIN);
        assert_int_equal(CALL(g, SYS_futex, GOOD, 10 | private, 1, 0, 0, 0), -EINVAL);
        assert_int_equal(CALL(g, SYS_futex, GOOD, 10 | private, 1, 0, 0, 1), 0);
    }
    assert_int_equal(CALL(g, SYS_futex, GOOD + 1, 0, 7, 0), -EINVAL);
    assert_int_equal(CALL(g, SYS_futex, NOTHING, 0, 7, 0), -EFAULT);
    assert_int_equal(CALL(g, SYS_futex, GOOD, 0, 7, NOTHING), -EFAULT);
    assert_int_equal(CALL(g, SYS_futex, GOOD, 0, 7, GOOD + 128), -EINVAL);
    assert_int_equal(CALL(g, SYS_futex, GOOD, 4, 1, 1, NOTHING, 7), -EFAULT);
    assert_int_equal(CALL(g, SYS_futex, READONLY, 5, 1, 1, GOOD, 0), -EFAULT);
    assert_int_equal(CALL(g, SYS_futex, GOOD, 2, 0), -ENOSYS);
    assert_int_equal(CALL(g, SYS_futex, GOOD, 50, 0), -ENOSYS);
}

/* FUTEX_WAKE_OP: word2 = 4 + 1 if asked so, and says what it was. */
static void test_wake_op(void **state) {
    struct guest *g = *state;
    uint32_t words[2] = {0, 4};
    guest_put(g, 0, words, sizeof words);
    uint32_t op = 1u << 28 | 0u << 24 | 1u << 12 | 4u; /* add 1, compare equal to 4 */
    assert_int_equal(CALL(g, SYS_futex, GOOD, 5, 1, 1, GOOD + 4, op), 0);
    guest_get(g, 0, words, sizeof words);
    assert_int_equal(words[1], 5);
}

/* An owner that ends is marked in its mutexes. */
static void test_robust(void **state) {
    (void)state;
    struct guest *g = guest_create(NULL, NULL);
    uint32_t tid = (uint32_t)syscall(SYS_gettid), other = 1;
    uint64_t head[3] = {GOOD + 64, 8, GOOD + 192}, first = GOOD + 128, last = GOOD;
    uint32_t waited = tid | 0x80000000u;
    guest_put(g, 0, head, sizeof head);
    guest_put(g, 64, &first, sizeof first);
    guest_put(g, 72, &waited, sizeof waited);
    guest_put(g, 128, &last, sizeof last);
    guest_put(g, 136, &other, sizeof other);
    guest_put(g, 200, &tid, sizeof tid); /* pending */
    uint32_t clear = 99;
    guest_put(g, 256, &clear, sizeof clear);
    assert_int_equal(CALL(g, SYS_set_robust_list, GOOD, 24), 0);
    assert_int_equal(CALL(g, SYS_set_robust_list, GOOD, 23), -EINVAL);
    assert_int_equal(CALL(g, SYS_get_robust_list, 0, GOOD + 512, GOOD + 520), 0);
    guest_get(g, 512, &last, sizeof last);
    assert_int_equal(last, GOOD);
    assert_int_equal(CALL(g, SYS_set_tid_address, GOOD + 256), tid);
    g->ops->thread_end(g->abi, g->cpu);
    guest_get(g, 72, &waited, sizeof waited);
    assert_int_equal(waited, 0xc0000000u);
    guest_get(g, 136, &other, sizeof other);
    assert_int_equal(other, 1);
    guest_get(g, 200, &tid, sizeof tid);
    assert_int_equal(tid, 0x40000000u);
    guest_get(g, 256, &clear, sizeof clear);
    assert_int_equal(clear, 0);
    guest_destroy(g);
}

/* A list that goes round is left in the end. */
static void test_robust_loop(void **state) {
    (void)state;
    struct guest *g = guest_create(NULL, NULL);
    uint64_t head[3] = {GOOD + 64, 8, 0}, self = GOOD + 64;
    guest_put(g, 0, head, sizeof head);
    guest_put(g, 64, &self, sizeof self);
    CALL(g, SYS_set_robust_list, GOOD, 24);
    g->ops->thread_end(g->abi, g->cpu);
    guest_destroy(g);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(test_mmap),
        T(test_mmap_refused),
        T(test_mprotect),
        T(test_growsdown),
        T(test_brk),
        T(test_madvise),
        T(test_mincore),
        T(test_futex),
        T(test_wake_op),
        cmocka_unit_test(test_robust),
        cmocka_unit_test(test_robust_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
