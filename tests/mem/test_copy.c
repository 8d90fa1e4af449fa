/*
 * Copies, strings, pins and advice, in both strategies.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support.h"

static void test_copy_across(void **state) {
    struct space *s = *state;
    uint8_t in[3 * 4096], out[sizeof in];
    /* Three regions of different kinds side by side. */
    map_at(s, ARENA, PAGE, RW, 0);
    map_at(s, ARENA + PAGE, PAGE, RWX, 0);
    map_at(s, ARENA + 2 * PAGE, PAGE, RW, BLINK_MAP_SHARED);
    for (size_t k = 0; k < sizeof in; k++)
        in[k] = (uint8_t)(k * 7 + k / 251);
    assert_int_equal(mem_copy_out(s->mem, ARENA, in, sizeof in), 0);
    memset(out, 0, sizeof out);
    assert_int_equal(mem_copy_in(s->mem, out, ARENA, sizeof out), 0);
    assert_memory_equal(in, out, sizeof in);
    assert_int_equal(mem_copy_in(s->mem, out, ARENA + PAGE - 3, 6), 0);
    assert_memory_equal(in + PAGE - 3, out, 6);
    assert_int_equal(load(s, ARENA + 2 * PAGE + 5), in[2 * PAGE + 5]);
}

static void test_copy_bad(void **state) {
    struct space *s = *state;
    uint8_t bytes[64] = {1, 2, 3};
    map_at(s, ARENA, 2 * PAGE, RW, 0);
    map_at(s, ARENA + 4 * PAGE, PAGE, R, 0);
    map_at(s, ARENA + 6 * PAGE, PAGE, 0, 0);
    /* Up to the hole, into the hole, read-only, without access, out of the world. */
    assert_int_equal(mem_copy_out(s->mem, ARENA + 2 * PAGE - 3, bytes, 3), 0);
    assert_int_equal(mem_copy_out(s->mem, ARENA + 2 * PAGE - 3, bytes, 4), -EFAULT);
    assert_int_equal(mem_copy_in(s->mem, bytes, ARENA + 2 * PAGE - 1, 2), -EFAULT);
    assert_int_equal(mem_copy_in(s->mem, bytes, ARENA + 4 * PAGE, 8), 0);
    assert_int_equal(mem_copy_out(s->mem, ARENA + 4 * PAGE, bytes, 1), -EFAULT);
    assert_int_equal(mem_copy_in(s->mem, bytes, ARENA + 6 * PAGE, 1), -EFAULT);
    static const uint64_t nowhere[] = {0,
                                       1,
                                       UINT64_C(0x7fffffffffff),
                                       UINT64_C(0x800000000000),
                                       UINT64_C(0x8000000000000000),
                                       UINT64_C(0xffffffff80000000),
                                       UINT64_MAX - 3,
                                       UINT64_MAX};
    for (size_t k = 0; k < sizeof nowhere / sizeof nowhere[0]; k++) {
        char text[32];
        struct blink_mem_span span;
        uint32_t count = 1;
        uint64_t size = 16;
        assert_int_equal(mem_copy_in(s->mem, bytes, nowhere[k], 16), -EFAULT);
        assert_int_equal(mem_copy_out(s->mem, nowhere[k], bytes, 16), -EFAULT);
        assert_int_equal(mem_copy_string(s->mem, text, nowhere[k], 16), -EFAULT);
        assert_int_equal(mem_pin(s->mem, nowhere[k], &size, R, &span, &count), -EFAULT);
        assert_int_equal(size, 16);
        assert_int_equal(count, 1);
    }
    /* Nothing can be copied from anywhere. */
    assert_int_equal(mem_copy_in(s->mem, bytes, 0, 0), 0);
    assert_int_equal(mem_copy_out(s->mem, UINT64_MAX, bytes, 0), 0);
}

static void test_string(void **state) {
    struct space *s = *state;
    char out[64];
    map_at(s, ARENA, PAGE, RW, 0);
    map_at(s, ARENA + PAGE, PAGE, RWX, 0);
    assert_int_equal(mem_copy_out(s->mem, ARENA + PAGE - 3, "abcdef", 7), 0);
    assert_int_equal(mem_copy_string(s->mem, out, ARENA + PAGE - 3, sizeof out), 6);
    assert_string_equal(out, "abcdef");
    assert_int_equal(mem_copy_string(s->mem, out, ARENA + PAGE - 3, 7), 6);
    assert_int_equal(mem_copy_string(s->mem, out, ARENA + PAGE - 3, 6), -ENAMETOOLONG);
    assert_int_equal(mem_copy_string(s->mem, out, ARENA + PAGE - 3, 3), -ENAMETOOLONG);
    assert_int_equal(mem_copy_string(s->mem, out, ARENA, 0), -ENAMETOOLONG);
    /* It ends with the page, and what follows is not there. */
    assert_int_equal(mem_copy_out(s->mem, ARENA + 2 * PAGE - 2, "z", 2), 0);
    assert_int_equal(mem_copy_string(s->mem, out, ARENA + 2 * PAGE - 2, sizeof out), 1);
    assert_int_equal(mem_copy_out(s->mem, ARENA + 2 * PAGE - 2, "zz", 2), 0);
    assert_int_equal(mem_copy_string(s->mem, out, ARENA + 2 * PAGE - 2, sizeof out), -EFAULT);
}

static void test_pin(void **state) {
    struct space *s = *state;
    struct blink_mem_span span[4];
    uint32_t count = 4;
    uint64_t size = 3 * PAGE;
    map_at(s, ARENA, 2 * PAGE, RW, 0);
    map_at(s, ARENA + 2 * PAGE, PAGE, RW, BLINK_MAP_SHARED);
    assert_int_equal(mem_pin(s->mem, ARENA + 10, &size, R, span, &count), 0);
    assert_int_equal(size, 3 * PAGE - 10);
    uint64_t sum = 0;
    for (uint32_t k = 0; k < count; k++) {
        memset(span[k].host, (int)(k + 1), span[k].size);
        sum += span[k].size;
    }
    assert_int_equal(sum, size);
    assert_int_equal(load(s, ARENA + 9), 0);
    assert_int_equal(load(s, ARENA + 10), 1);
    assert_int_equal(load(s, ARENA + 3 * PAGE - 1), count);
    mem_unpin(s->mem, ARENA + 10, size, R);

    /* The first bad page ends it; the first byte must be good. */
    map_at(s, ARENA + 8 * PAGE, PAGE, R, 0);
    count = 4;
    size = PAGE;
    assert_int_equal(mem_pin(s->mem, ARENA + 8 * PAGE, &size, W, span, &count), -EFAULT);
    size = 2 * PAGE;
    assert_int_equal(mem_pin(s->mem, ARENA + 8 * PAGE + 1, &size, R, span, &count), 0);
    assert_int_equal(size, PAGE - 1);
    mem_unpin(s->mem, ARENA + 8 * PAGE + 1, size, R);
    /* No room, and nothing to do. */
    count = 0;
    size = PAGE;
    assert_int_equal(mem_pin(s->mem, ARENA, &size, R, span, &count), -EINVAL);
    size = 0;
    count = 4;
    assert_int_equal(mem_pin(s->mem, ARENA, &size, R, span, &count), 0);
    assert_int_equal(count, 0);
    mem_unpin(s->mem, ARENA, 0, R);
    mem_unpin(s->mem, ARENA, PAGE, R); /* never pinned: nothing happens */
}

/* Two stretches that do not lie together in the host. */
static void test_pin_capacity(void **state) {
    struct space *s = *state;
    struct blink_mem_span span[2];
    uint32_t count = 1;
    uint64_t size = 2 * PAGE, out;
    map_at(s, ARENA + PAGE, PAGE, RW, 0);
    int64_t other = map_any(s, 0, PAGE, RW, 0);
    assert_true(other > 0);
    /* remap so that the neighbours come from far apart. */
    assert_int_equal(mem_remap(s->mem, (uint64_t)other, PAGE, PAGE,
                               BLINK_REMAP_MAYMOVE | BLINK_REMAP_FIXED, ARENA, &out),
                     0);
    assert_int_equal(mem_pin(s->mem, ARENA, &size, W, span, &count), 0);
    assert_int_equal(count, 1);
    uint64_t all = mem_strategy_of(s->mem) == MEM_LINEAR ? 2 * PAGE : size;
    assert_int_equal(size, all);
    assert_true(size >= PAGE);
    mem_unpin(s->mem, ARENA, size, W);
}

/* While pages are lent the place they lie in becomes nobody else's. */
static void check_lent(struct space *s, bool by_remap) {
    struct blink_mem_span span[2];
    uint32_t count = 2;
    uint64_t size = PAGE, out;
    map_at(s, ARENA, PAGE, RW, 0);
    store(s, ARENA, 1);
    assert_int_equal(mem_pin(s->mem, ARENA, &size, W, span, &count), 0);
    if (by_remap)
        assert_int_equal(mem_remap(s->mem, ARENA, PAGE, PAGE,
                                   BLINK_REMAP_MAYMOVE | BLINK_REMAP_FIXED, ARENA + 64 * PAGE,
                                   &out),
                         0);
    else
        assert_int_equal(mem_unmap(s->mem, ARENA, PAGE), 0);
    uint64_t lent = (uintptr_t)span[0].host;
    for (uint64_t k = 1; k < 32; k++) {
        struct blink_mem_span other;
        uint32_t one = 1;
        uint64_t page = PAGE, at = ARENA + 2 * k * PAGE;
        map_at(s, at, PAGE, RW, 0);
        assert_int_equal(mem_pin(s->mem, at, &page, R, &other, &one), 0);
        assert_int_not_equal((uintptr_t)other.host, lent);
        mem_unpin(s->mem, at, PAGE, R);
    }
    mem_unpin(s->mem, ARENA, PAGE, W);
    /* Given back, it is used again. */
    bool again = false;
    for (uint64_t k = 100; k < 200 && !again; k++) {
        uint32_t one = 1;
        uint64_t page = PAGE, at = ARENA + 2 * k * PAGE;
        map_at(s, at, PAGE, RW, 0);
        assert_int_equal(mem_pin(s->mem, at, &page, R, span, &one), 0);
        again = (uintptr_t)span[0].host == lent;
        mem_unpin(s->mem, at, PAGE, R);
    }
    assert_true(again);
}

static void test_pin_outlives_unmap(void **state) {
    check_lent(*state, false);
}

static void test_pin_outlives_remap(void **state) {
    check_lent(*state, true);
}

/* Linear: nothing of the host comes to lie there, a write that comes late fails, the guest may have
 * the place again at once, and the end of the pin gives it back to the host. */
static void test_pin_keeps_place(void **state) {
    struct space *s = *state;
    struct blink_mem_span span;
    uint32_t count = 1;
    uint64_t size = PAGE;
    int fd = pattern_file(1);
    map_at(s, ARENA, 4 * PAGE, RW, 0);
    assert_int_equal(mem_pin(s->mem, ARENA + PAGE, &size, W, &span, &count), 0);
    assert_int_equal(mem_unmap(s->mem, ARENA, 3 * PAGE), 0);
    void *p =
        mmap(span.host, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    assert_true(p == MAP_FAILED && errno == EEXIST);
    errno = 0;
    assert_true(pread(fd, span.host, PAGE, 0) == -1 && errno == EFAULT);
    /* Half of it, with what was never pinned. */
    map_at(s, ARENA - PAGE, 3 * PAGE, RW, BLINK_MAP_NOREPLACE);
    assert_int_equal(pread(fd, span.host, PAGE, 0), PAGE);
    assert_int_equal(mem_unmap(s->mem, ARENA - PAGE, 5 * PAGE), 0);
    mem_unpin(s->mem, ARENA + PAGE, PAGE, W);
    for (uint64_t k = 0; k < 4; k++) {
        uint8_t *at = (uint8_t *)span.host - PAGE + k * PAGE;
        p = mmap(at, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        assert_ptr_equal(p, at);
        munmap(p, PAGE);
    }
    close(fd);
}

static void test_advise(void **state) {
    struct space *s = *state;
    map_at(s, ARENA, 3 * PAGE, RW, 0);
    map_at(s, ARENA + 4 * PAGE, PAGE, RW, BLINK_MAP_SHARED);
    store(s, ARENA, 1);
    store(s, ARENA + 2 * PAGE, 2);
    store(s, ARENA + 4 * PAGE, 3);
    assert_int_equal(mem_advise(s->mem, ARENA, PAGE, BLINK_ADVISE_DONTNEED), 0);
    assert_int_equal(load(s, ARENA), 0);
    assert_int_equal(load(s, ARENA + 2 * PAGE), 2);
    /* The hole is told, what lies around it is done. */
    assert_int_equal(mem_advise(s->mem, ARENA, 5 * PAGE, BLINK_ADVISE_DONTNEED), -ENOMEM);
    assert_int_equal(load(s, ARENA + 2 * PAGE), 0);
    assert_int_equal(load(s, ARENA + 4 * PAGE), 3);
    assert_int_equal(mem_advise(s->mem, ARENA, 3 * PAGE, BLINK_ADVISE_OTHER), 0);
    assert_int_equal(mem_advise(s->mem, ARENA, 4 * PAGE, BLINK_ADVISE_OTHER), -ENOMEM);
    assert_int_equal(mem_advise(s->mem, ARENA, PAGE, BLINK_ADVISE_FREE), 0);
    assert_int_equal(mem_advise(s->mem, ARENA + 4 * PAGE, PAGE, BLINK_ADVISE_FREE), -EINVAL);
    assert_int_equal(mem_advise(s->mem, ARENA, PAGE, BLINK_ADVISE_WILLNEED), 0);
    assert_int_equal(mem_advise(s->mem, ARENA, PAGE, 99), -EINVAL);
    assert_int_equal(mem_advise(s->mem, ARENA + 1, PAGE, BLINK_ADVISE_DONTNEED), -EINVAL);
}

/* read(2) straight into the guest: what pins are for. */
static void test_host_writes_pinned(void **state) {
    struct space *s = *state;
    struct blink_mem_span span;
    uint32_t count = 1;
    uint64_t size = PAGE;
    int fd = pattern_file(1);
    map_at(s, ARENA, PAGE, RWX, 0);
    assert_true(mem_code_track(s->cpu, ARENA, ARENA + 16));
    assert_int_equal(mem_pin(s->mem, ARENA, &size, W, &span, &count), 0);
    assert_int_equal(s->drops, 1);
    /* Code on it would not be told of the write. */
    assert_false(mem_code_track(s->cpu, ARENA, ARENA + 16));
    assert_int_equal(pread(fd, span.host, span.size, 0), PAGE);
    mem_unpin(s->mem, ARENA, PAGE, W);
    assert_true(mem_code_track(s->cpu, ARENA, ARENA + 16));
    assert_int_equal(load(s, ARENA + 77), 'a');
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(test_copy_across),
        BOTH(test_copy_bad),
        BOTH(test_string),
        BOTH(test_pin),
        BOTH(test_pin_capacity),
        PAGED(test_pin_outlives_unmap),
        PAGED(test_pin_outlives_remap),
        LINEAR(test_pin_keeps_place),
        BOTH(test_advise),
        BOTH(test_host_writes_pinned),
    };
    return cmocka_run_group_tests_name("copy", tests, NULL, NULL);
}
