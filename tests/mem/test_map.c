/*
 * map, unmap, protect, query, names and layout, in both strategies.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support.h"

static void test_map_and_use(void **state) {
    struct space *s = *state;
    int64_t at = map_any(s, 0, 3 * PAGE + 1, RW, 0);
    assert_true(at > 0);
    assert_int_equal((uint64_t)at % PAGE, 0);
    assert_region(s, (uint64_t)at, (uint64_t)at + 4 * PAGE, RW);
    for (uint64_t k = 0; k < 4; k++) {
        assert_int_equal(load(s, (uint64_t)at + k * PAGE), 0);
        store(s, (uint64_t)at + k * PAGE, (uint8_t)(k + 1));
    }
    for (uint64_t k = 0; k < 4; k++)
        assert_int_equal(load(s, (uint64_t)at + k * PAGE), k + 1);
}

static void test_bad_arguments(void **state) {
    struct space *s = *state;
    uint64_t out = 77, low, high, top;
    mem_iface.get_layout(s->mem, &low, &high, &top);
    assert_int_equal(mem_map(s->mem, 0, 0, RW, ANON, -1, 0, &out), -EINVAL);
    assert_int_equal(mem_map(s->mem, 0, PAGE, 8, ANON, -1, 0, &out), -EINVAL);
    assert_int_equal(mem_map(s->mem, 0, PAGE, RW, ANON, -1, 5, &out), -EINVAL);
    assert_int_equal(mem_map(s->mem, ARENA + 1, PAGE, RW, FIXED_ANON, -1, 0, &out), -EINVAL);
    assert_int_equal(mem_map(s->mem, 0, UINT64_MAX, RW, ANON, -1, 0, &out), -ENOMEM);
    assert_int_equal(mem_map(s->mem, 0, UINT64_MAX - PAGE, RW, ANON, -1, 0, &out), -ENOMEM);
    assert_int_equal(mem_map(s->mem, 0, top + PAGE, RW, ANON, -1, 0, &out), -ENOMEM);
    assert_int_equal(mem_map(s->mem, top, PAGE, RW, FIXED_ANON, -1, 0, &out), -ENOMEM);
    assert_int_equal(mem_map(s->mem, ~PAGE + 1, PAGE, RW, FIXED_ANON, -1, 0, &out), -ENOMEM);
    assert_int_equal(mem_map(s->mem, 0, PAGE, RW, FIXED_ANON, -1, 0, &out), -EPERM);
    assert_int_equal(mem_map(s->mem, 0, PAGE, RW, 0, -1, 0, &out), -EBADF);
    int fd = pattern_file(1);
    assert_int_equal(mem_map(s->mem, 0, PAGE, R, 0, fd, UINT64_C(1) << 63, &out), -EOVERFLOW);
    assert_int_equal(mem_map(s->mem, 0, PAGE, R, 0, fd, INT64_MAX & ~(PAGE - 1), &out), -EOVERFLOW);
    close(fd);
    assert_int_equal(mem_unmap(s->mem, ARENA, 0), -EINVAL);
    assert_int_equal(mem_unmap(s->mem, ARENA + 1, PAGE), -EINVAL);
    assert_int_equal(mem_unmap(s->mem, ARENA, UINT64_MAX), -EINVAL);
    assert_int_equal(mem_unmap(s->mem, top, PAGE), -EINVAL);
    assert_int_equal(mem_protect(s->mem, ARENA + 1, PAGE, R), -EINVAL);
    assert_int_equal(mem_protect(s->mem, ARENA, PAGE, 16), -EINVAL);
    assert_int_equal(mem_protect(s->mem, ARENA, 0, R), 0);
    assert_int_equal(mem_protect(s->mem, ARENA, UINT64_MAX, R), -ENOMEM);
    assert_int_equal(mem_protect(s->mem, ARENA, PAGE, R), -ENOMEM);
    assert_int_equal(out, 77);
}

static void test_unmap_splits(void **state) {
    struct space *s = *state;
    map_at(s, ARENA, 10 * PAGE, RW, 0);
    for (uint64_t k = 0; k < 10; k++)
        store(s, ARENA + k * PAGE, (uint8_t)k);
    assert_int_equal(mem_unmap(s->mem, ARENA + 3 * PAGE, 2 * PAGE), 0);
    assert_region(s, ARENA, ARENA + 3 * PAGE, RW);
    assert_hole(s, ARENA + 3 * PAGE, ARENA + 5 * PAGE);
    assert_region(s, ARENA + 5 * PAGE, ARENA + 10 * PAGE, RW);
    assert_load_fault(s, ARENA + 3 * PAGE, BLINK_EXC_PF, BLINK_PF_U);
    assert_store_fault(s, ARENA + 5 * PAGE - 1, BLINK_EXC_PF, BLINK_PF_U | BLINK_PF_W);
    assert_int_equal(load(s, ARENA + 2 * PAGE), 2);
    assert_int_equal(load(s, ARENA + 5 * PAGE), 5);
    /* Over holes, and beyond the end. */
    assert_int_equal(mem_unmap(s->mem, ARENA, 20 * PAGE), 0);
    assert_hole(s, ARENA, ARENA + 20 * PAGE);
    assert_int_equal(mem_unmap(s->mem, ARENA, 20 * PAGE), 0);
    /* What comes back is new. */
    map_at(s, ARENA, PAGE, RW, 0);
    assert_int_equal(load(s, ARENA), 0);
}

static void test_fixed_replaces(void **state) {
    struct space *s = *state;
    map_at(s, ARENA, 8 * PAGE, RW, 0);
    store(s, ARENA + 3 * PAGE, 9);
    store(s, ARENA + 2 * PAGE, 8);
    map_at(s, ARENA + 3 * PAGE, 2 * PAGE, R, 0);
    assert_region(s, ARENA, ARENA + 3 * PAGE, RW);
    assert_region(s, ARENA + 3 * PAGE, ARENA + 5 * PAGE, R);
    assert_region(s, ARENA + 5 * PAGE, ARENA + 8 * PAGE, RW);
    assert_int_equal(load(s, ARENA + 3 * PAGE), 0);
    assert_int_equal(load(s, ARENA + 2 * PAGE), 8);
    assert_store_fault(s, ARENA + 3 * PAGE, BLINK_EXC_PF, BLINK_PF_P | BLINK_PF_U | BLINK_PF_W);
    /* Partly over, partly beside. */
    map_at(s, ARENA + 7 * PAGE, 4 * PAGE, RX, 0);
    assert_region(s, ARENA + 5 * PAGE, ARENA + 7 * PAGE, RW);
    assert_region(s, ARENA + 7 * PAGE, ARENA + 11 * PAGE, RX);
}

static void test_noreplace(void **state) {
    struct space *s = *state;
    const uint32_t flags = BLINK_MAP_NOREPLACE | ANON;
    uint64_t out = 0;
    map_at(s, ARENA + 4 * PAGE, PAGE, RW, 0);
    store(s, ARENA + 4 * PAGE, 5);
    assert_int_equal(mem_map(s->mem, ARENA, 5 * PAGE, RW, flags, -1, 0, &out), -EEXIST);
    assert_int_equal(mem_map(s->mem, ARENA + 4 * PAGE, PAGE, RW, flags, -1, 0, &out), -EEXIST);
    assert_hole(s, ARENA, ARENA + 4 * PAGE);
    assert_int_equal(mem_map(s->mem, ARENA, 4 * PAGE, RW, flags, -1, 0, &out), 0);
    assert_int_equal(out, ARENA);
    /* With FIXED as well it is still not to replace, as in Linux. */
    assert_int_equal(mem_map(s->mem, ARENA, PAGE, RW, flags | FIXED, -1, 0, &out), -EEXIST);
    assert_int_equal(load(s, ARENA + 4 * PAGE), 5);
    assert_region(s, ARENA, ARENA + 5 * PAGE, RW);
}

static void test_hint(void **state) {
    struct space *s = *state;
    assert_int_equal(map_any(s, ARENA + 123, 2 * PAGE, RW, 0), ARENA);
    /* Taken: elsewhere. */
    int64_t at = map_any(s, ARENA + PAGE, 2 * PAGE, RW, 0);
    assert_true(at > 0);
    assert_true((uint64_t)at >= ARENA + 2 * PAGE || (uint64_t)at + 2 * PAGE <= ARENA);
    /* Out of the world: elsewhere. */
    assert_true(map_any(s, UINT64_C(1) << 60, PAGE, RW, 0) > 0);
    assert_true(map_any(s, UINT64_MAX - 1, PAGE, RW, 0) > 0);
}

static void test_below_2g(void **state) {
    struct space *s = *state;
    const uint64_t top = UINT64_C(1) << 31;
    for (int k = 0; k < 4; k++) {
        int64_t at = map_any(s, 0, 64 * PAGE, RW, BLINK_MAP_32BIT);
        assert_true(at > 0 && (uint64_t)at + 64 * PAGE <= top);
        store(s, (uint64_t)at, 1);
    }
    /* A hint above counts for nothing. */
    int64_t at = map_any(s, ARENA, PAGE, RW, BLINK_MAP_32BIT);
    assert_true(at > 0 && (uint64_t)at < top);
    assert_int_equal(map_any(s, 0, top, RW, BLINK_MAP_32BIT), -ENOMEM);
    assert_int_equal(map_any(s, ARENA, top, RW, BLINK_MAP_32BIT), -ENOMEM);
}

static void test_protect(void **state) {
    struct space *s = *state;
    map_at(s, ARENA, 9 * PAGE, RW, 0);
    for (uint64_t k = 0; k < 9; k++)
        store(s, ARENA + k * PAGE, (uint8_t)(10 + k));
    assert_int_equal(mem_protect(s->mem, ARENA + 3 * PAGE, 2 * PAGE + 1, R), 0);
    assert_region(s, ARENA, ARENA + 3 * PAGE, RW);
    assert_region(s, ARENA + 3 * PAGE, ARENA + 6 * PAGE, R);
    assert_region(s, ARENA + 6 * PAGE, ARENA + 9 * PAGE, RW);
    assert_store_fault(s, ARENA + 4 * PAGE, BLINK_EXC_PF, BLINK_PF_P | BLINK_PF_U | BLINK_PF_W);
    assert_int_equal(load(s, ARENA + 4 * PAGE), 14);
    assert_int_equal(mem_protect(s->mem, ARENA + 4 * PAGE, PAGE, 0), 0);
    /* As if it were not there, which is how Linux does it. */
    assert_load_fault(s, ARENA + 4 * PAGE, BLINK_EXC_PF, BLINK_PF_U);
    assert_int_equal(mem_protect(s->mem, ARENA, 9 * PAGE, RW), 0);
    assert_region(s, ARENA, ARENA + 9 * PAGE, RW);
    for (uint64_t k = 0; k < 9; k++)
        assert_int_equal(load(s, ARENA + k * PAGE), 10 + k);
    store(s, ARENA + 4 * PAGE, 1);
}

static void test_protect_stops_at_hole(void **state) {
    struct space *s = *state;
    map_at(s, ARENA, 2 * PAGE, RW, 0);
    map_at(s, ARENA + 4 * PAGE, 2 * PAGE, RW, 0);
    assert_int_equal(mem_protect(s->mem, ARENA, 6 * PAGE, R), -ENOMEM);
    /* As Linux: what lies before the hole is changed. */
    assert_region(s, ARENA, ARENA + 2 * PAGE, R);
    assert_region(s, ARENA + 4 * PAGE, ARENA + 6 * PAGE, RW);
}

static void test_execute_permission(void **state) {
    struct space *s = *state;
    uint8_t v = 0;
    map_at(s, ARENA, 2 * PAGE, RW, 0);
    store(s, ARENA, 0xc3);
    assert_fetch_fault(s, ARENA, BLINK_EXC_PF, BLINK_PF_P | BLINK_PF_U | BLINK_PF_I);
    assert_int_equal(mem_protect(s->mem, ARENA, PAGE, RX), 0);
    assert_int_equal(guest_fetch(s, ARENA, &v, NULL), NO_FAULT);
    assert_int_equal(v, 0xc3);
    assert_fetch_fault(s, ARENA + 2 * PAGE, BLINK_EXC_PF, BLINK_PF_U | BLINK_PF_I);
    /* A fetch that runs into a bad page stops there. */
    uint8_t bytes[32];
    struct mem_fault f;
    assert_int_equal(mem_fetch(s->cpu, ARENA + PAGE - 7, bytes, sizeof bytes, &f), 7);
    assert_int_equal(f.address, ARENA + PAGE);
    /* Execute only: x86 lets it be read. */
    assert_int_equal(mem_protect(s->mem, ARENA, PAGE, X), 0);
    assert_int_equal(load(s, ARENA), 0xc3);
    assert_store_fault(s, ARENA, BLINK_EXC_PF, BLINK_PF_P | BLINK_PF_U | BLINK_PF_W);
    /* Write only too. */
    assert_int_equal(mem_protect(s->mem, ARENA, PAGE, W), 0);
    assert_int_equal(load(s, ARENA), 0xc3);
}

static void test_non_canonical(void **state) {
    struct space *s = *state;
    uint8_t v;
    struct mem_fault f = {0};
    assert_int_equal(guest_load(s, UINT64_C(0x8000000000000000), &v, &f), BLINK_EXC_GP);
    assert_int_equal(guest_load(s, UINT64_C(0x0000900000000000), &v, &f), BLINK_EXC_GP);
    assert_fetch_fault(s, UINT64_C(0x0000800000000000), BLINK_EXC_GP, 0);
    /* The kernel's half is canonical, and nobody's. */
    assert_fetch_fault(s, UINT64_C(0xffffffff80000000), BLINK_EXC_PF, BLINK_PF_U | BLINK_PF_I);
}

static void test_file_private(void **state) {
    struct space *s = *state;
    uint64_t at;
    uint8_t b;
    int fd = pattern_file(4);
    assert_int_equal(mem_map(s->mem, 0, 3 * PAGE, RW, 0, fd, PAGE, &at), 0);
    assert_int_equal(load(s, at), 'b');
    assert_int_equal(load(s, at + 2 * PAGE), 'd');
    store(s, at, 'X');
    assert_int_equal(load(s, at), 'X');
    assert_int_equal(pread(fd, &b, 1, (off_t)PAGE), 1);
    assert_int_equal(b, 'b');
    struct blink_mem_region r = query(s, at + PAGE);
    assert_int_equal(r.offset, PAGE);
    assert_true(r.inode != 0);
    assert_non_null(strstr(r.name, "blink-mem-"));
    /* The part that is left knows its offset. */
    assert_int_equal(mem_unmap(s->mem, at, PAGE), 0);
    r = query(s, at);
    assert_int_equal(r.start, at + PAGE);
    assert_int_equal(r.offset, 2 * PAGE);
    assert_int_equal(load(s, at + PAGE), 'c');
    close(fd);
    assert_int_equal(load(s, at + 2 * PAGE), 'd');
}

static void test_file_shared(void **state) {
    struct space *s = *state;
    uint64_t a, b;
    uint8_t v;
    int fd = pattern_file(2);
    assert_int_equal(mem_map(s->mem, 0, 2 * PAGE, RW, BLINK_MAP_SHARED, fd, 0, &a), 0);
    assert_int_equal(mem_map(s->mem, 0, 2 * PAGE, R, BLINK_MAP_SHARED, fd, 0, &b), 0);
    store(s, a + PAGE, 'S');
    assert_int_equal(load(s, b + PAGE), 'S');
    assert_int_equal(pread(fd, &v, 1, (off_t)PAGE), 1);
    assert_int_equal(v, 'S');
    assert_int_equal(query(s, a).flags & BLINK_MAP_SHARED, BLINK_MAP_SHARED);
    assert_int_equal(mem_sync(s->mem, a, 2 * PAGE, MS_SYNC), 0);
    assert_int_equal(mem_sync(s->mem, a, 2 * PAGE, MS_SYNC | MS_ASYNC), -EINVAL);
    assert_int_equal(mem_sync(s->mem, a, 2 * PAGE, 0x100), -EINVAL);
    assert_int_equal(mem_sync(s->mem, a + 1, PAGE, MS_SYNC), -EINVAL);
    assert_int_equal(mem_sync(s->mem, ARENA, PAGE, MS_ASYNC), -ENOMEM);
    close(fd);
}

static void test_file_rights(void **state) {
    struct space *s = *state;
    uint64_t at;
    char path[64];
    int fd = pattern_file(1);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int ro = open(path, O_RDONLY), wo = open(path, O_WRONLY);
    assert_true(ro >= 0 && wo >= 0);
    assert_int_equal(mem_map(s->mem, 0, PAGE, RW, BLINK_MAP_SHARED, ro, 0, &at), -EACCES);
    assert_int_equal(mem_map(s->mem, 0, PAGE, R, 0, wo, 0, &at), -EACCES);
    assert_int_equal(mem_map(s->mem, 0, PAGE, RW, 0, ro, 0, &at), 0);
    assert_int_equal(mem_map(s->mem, ARENA, PAGE, R, BLINK_MAP_SHARED | FIXED, ro, 0, &at), 0);
    assert_int_equal(mem_protect(s->mem, ARENA, PAGE, RW), -EACCES);
    assert_region(s, ARENA, ARENA + PAGE, R);
    int dir = open("/", O_RDONLY | O_DIRECTORY);
    assert_int_equal(mem_map(s->mem, 0, PAGE, R, 0, dir, 0, &at), -ENODEV);
    close(dir);
    close(ro);
    close(wo);
    close(fd);
}

static void test_file_failure_keeps_old(void **state) {
    struct space *s = *state;
    uint64_t at;
    int dir = open("/", O_RDONLY | O_DIRECTORY);
    map_at(s, ARENA, 2 * PAGE, RW, 0);
    store(s, ARENA, 42);
    assert_int_equal(mem_map(s->mem, ARENA - PAGE, 2 * PAGE, R, FIXED, dir, 0, &at), -ENODEV);
    assert_region(s, ARENA, ARENA + 2 * PAGE, RW);
    assert_hole(s, ARENA - PAGE, ARENA);
    assert_int_equal(load(s, ARENA), 42);
    close(dir);
}

static void test_file_truncated(void **state) {
    struct space *s = *state;
    uint64_t at;
    uint8_t v;
    char text[16];
    struct mem_fault f = {0};
    int fd = pattern_file(3);
    assert_int_equal(mem_map(s->mem, 0, 3 * PAGE, RWX, BLINK_MAP_SHARED, fd, 0, &at), 0);
    assert_int_equal(load(s, at + 2 * PAGE), 'c');
    assert_int_equal(ftruncate(fd, 100), 0);
    assert_int_equal(load(s, at + 50), 'a');
    assert_int_equal(load(s, at + 200), 0);
    assert_int_equal(guest_load(s, at + 2 * PAGE + 8, &v, &f), BLINK_EXC_BUS);
    assert_int_equal(f.address, at + 2 * PAGE + 8);
    assert_int_equal(guest_store(s, at + PAGE, 1, &f), BLINK_EXC_BUS);
    assert_int_equal(guest_fetch(s, at + PAGE, &v, &f), BLINK_EXC_BUS);
    assert_int_equal(mem_copy_in(s->mem, text, at + PAGE, 8), -EFAULT);
    assert_int_equal(mem_copy_in(s->mem, text, at + PAGE - 8, 16), -EFAULT);
    assert_int_equal(mem_copy_out(s->mem, at + PAGE, "x", 1), -EFAULT);
    assert_int_equal(mem_copy_string(s->mem, text, at + PAGE, 8), -EFAULT);
    assert_int_equal(ftruncate(fd, 3 * 4096), 0);
    assert_int_equal(load(s, at + 2 * PAGE), 0);
    close(fd);
}

static void test_big_reservation(void **state) {
    struct space *s = *state;
    const uint64_t size = UINT64_C(64) << 30;
    map_at(s, ARENA, size, 0, BLINK_MAP_NORESERVE);
    assert_region(s, ARENA, ARENA + size, 0);
    assert_load_fault(s, ARENA + size / 2, BLINK_EXC_PF, BLINK_PF_U);
    assert_int_equal(mem_protect(s->mem, ARENA + size / 2, PAGE, RW), 0);
    store(s, ARENA + size / 2, 7);
    assert_int_equal(load(s, ARENA + size / 2), 7);
    assert_int_equal(mem_protect(s->mem, ARENA, size, RW), 0);
    store(s, ARENA + size - 1, 8);
    assert_int_equal(load(s, ARENA + size / 2), 7);
    assert_int_equal(mem_advise(s->mem, ARENA, size, BLINK_ADVISE_DONTNEED), 0);
    assert_int_equal(load(s, ARENA + size / 2), 0);
    assert_int_equal(mem_unmap(s->mem, ARENA, size), 0);
    assert_hole(s, ARENA, ARENA + size);
    int64_t at = map_any(s, 0, size, 0, BLINK_MAP_NORESERVE);
    assert_true(at > 0);
}

static void test_stack_grows(void **state) {
    struct space *s = *state;
    const uint64_t end = ARENA + (UINT64_C(64) << 20);
    struct rlimit old, small = {.rlim_cur = 1 << 20};
    assert_int_equal(getrlimit(RLIMIT_STACK, &old), 0);
    small.rlim_max = old.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_STACK, &small), 0);
    map_at(s, end - 4 * PAGE, 4 * PAGE, RW, BLINK_MAP_GROWSDOWN);
    store(s, end - 4 * PAGE, 4);
    store(s, end - 40 * PAGE, 40);
    assert_int_equal(load(s, end - 40 * PAGE), 40);
    assert_int_equal(load(s, end - 4 * PAGE), 4);
    assert_int_equal(load(s, end - 20 * PAGE), 0);
    struct blink_mem_region r = query(s, end - 1);
    assert_true(r.start <= end - 40 * PAGE && r.end == end);
    /* By a copy as well; not beyond the limit. */
    assert_int_equal(mem_copy_out(s->mem, end - 100 * PAGE, "abc", 3), 0);
    store(s, end - (1 << 20), 1);
    assert_store_fault(s, end - (1 << 20) - 1, BLINK_EXC_PF, BLINK_PF_U | BLINK_PF_W);
    assert_int_equal(mem_copy_out(s->mem, end - (1 << 20) - 1, "a", 1), -EFAULT);
    assert_int_equal(setrlimit(RLIMIT_STACK, &old), 0);
    assert_int_equal(mem_unmap(s->mem, ARENA, end - ARENA), 0);
    assert_hole(s, ARENA, end);
}

static void test_stack_guard(void **state) {
    struct space *s = *state;
    const uint64_t end = ARENA + (UINT64_C(16) << 20), low = end - 512 * PAGE;
    map_at(s, end - PAGE, PAGE, RW, BLINK_MAP_GROWSDOWN);
    map_at(s, low - PAGE, PAGE, RW, 0);
    /* The gap to a mapping below is kept. */
    store(s, low + MEM_GUARD, 1);
    assert_store_fault(s, low + MEM_GUARD - 1, BLINK_EXC_PF, BLINK_PF_U | BLINK_PF_W);
    /* Nothing is placed into it unasked. */
    int64_t at = map_any(s, query(s, low + MEM_GUARD).start - PAGE, PAGE, RW, 0);
    assert_true((uint64_t)at < low || (uint64_t)at >= end);
    /* What cannot be touched is a guard itself. */
    assert_int_equal(mem_protect(s->mem, low - PAGE, PAGE, 0), 0);
    store(s, low, 2);
    assert_store_fault(s, low - 1, BLINK_EXC_PF, BLINK_PF_U | BLINK_PF_W);
}

static void test_merge_and_names(void **state) {
    struct space *s = *state;
    map_at(s, ARENA, PAGE, RW, 0);
    map_at(s, ARENA + 2 * PAGE, PAGE, RW, 0);
    map_at(s, ARENA + PAGE, PAGE, RW, 0);
    assert_region(s, ARENA, ARENA + 3 * PAGE, RW);
    assert_int_equal(mem_iface.set_name(s->mem, ARENA + PAGE, PAGE, "[heap]"), 0);
    assert_region(s, ARENA, ARENA + PAGE, RW);
    struct blink_mem_region r = query(s, ARENA + PAGE);
    assert_int_equal(r.end, ARENA + 2 * PAGE);
    assert_string_equal(r.name, "[heap]");
    assert_int_equal(r.inode, 0);
    assert_int_equal(mem_iface.set_name(s->mem, ARENA, 3 * PAGE, "[heap]"), 0);
    assert_region(s, ARENA, ARENA + 3 * PAGE, RW);
    assert_int_equal(mem_iface.set_name(s->mem, ARENA, 4 * PAGE, "x"), -ENOMEM);
    assert_int_equal(mem_iface.set_name(s->mem, ARENA, 0, "x"), -EINVAL);
    assert_int_equal(mem_iface.set_name(s->mem, ARENA + 1, PAGE, "x"), -EINVAL);
    /* A name longer than there is room for is cut, not refused. */
    char name[400];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    assert_int_equal(mem_iface.set_name(s->mem, ARENA, PAGE, name), 0);
    assert_int_equal(strlen(query(s, ARENA).name), 255);
}

static void test_query_order(void **state) {
    struct space *s = *state;
    struct blink_mem_region r = {.struct_size = sizeof r};
    assert_int_equal(mem_iface.query(s->mem, 0, &r), -ENOENT);
    map_at(s, ARENA + 8 * PAGE, PAGE, R, 0);
    map_at(s, ARENA, PAGE, RW, 0);
    assert_int_equal(query(s, 0).start, ARENA);
    assert_int_equal(query(s, ARENA + PAGE).start, ARENA + 8 * PAGE);
    assert_int_equal(mem_iface.query(s->mem, ARENA + 9 * PAGE, &r), -ENOENT);
    /* A consumer with a shorter structure gets no more than it has room for. */
    struct blink_mem_region small;
    memset(&small, 0x55, sizeof small);
    small.struct_size = offsetof(struct blink_mem_region, offset);
    assert_int_equal(mem_iface.query(s->mem, 0, &small), 0);
    assert_int_equal(small.struct_size, offsetof(struct blink_mem_region, offset));
    assert_int_equal(small.end, ARENA + PAGE);
    assert_int_equal(small.offset, UINT64_C(0x5555555555555555));
}

static void test_layout(void **state) {
    struct space *s = *state;
    uint64_t low, high, top;
    mem_iface.get_layout(s->mem, &low, &high, &top);
    assert_true(low < high && high <= top);
    assert_int_equal(mem_iface.set_layout(s->mem, ARENA, ARENA), -EINVAL);
    assert_int_equal(mem_iface.set_layout(s->mem, ARENA + 1, ARENA + 9 * PAGE), -EINVAL);
    assert_int_equal(mem_iface.set_layout(s->mem, ARENA, top + PAGE), -EINVAL);
    assert_int_equal(mem_iface.set_layout(s->mem, ARENA, ARENA + 8 * PAGE), 0);
    for (uint64_t k = 1; k <= 4; k++)
        assert_int_equal(map_any(s, 0, 2 * PAGE, k & 1 ? R : RW, 0), ARENA + (8 - 2 * k) * PAGE);
    assert_int_equal(map_any(s, 0, PAGE, RW, 0), -ENOMEM);
    assert_int_equal(mem_unmap(s->mem, ARENA + 3 * PAGE, PAGE), 0);
    assert_int_equal(map_any(s, 0, PAGE, RX, 0), ARENA + 3 * PAGE);
}

/* A page of ours in the guest's way is neither replaced nor handed out. */
static void test_host_in_the_way(void **state) {
    struct space *s = *state;
    uint64_t out;
    void *want = (void *)(uintptr_t)(ARENA + 4 * PAGE);
    uint8_t *ours = mmap(want, PAGE, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    assert_ptr_equal(ours, want);
    *ours = 99;
    assert_int_equal(mem_map(s->mem, ARENA, 8 * PAGE, RW, FIXED_ANON, -1, 0, &out), -ENOMEM);
    assert_hole(s, ARENA, ARENA + 8 * PAGE);
    assert_int_equal(mem_map(s->mem, ARENA, 8 * PAGE, RW, BLINK_MAP_NOREPLACE | ANON, -1, 0, &out),
                     -EEXIST);
    assert_int_equal(mem_iface.set_layout(s->mem, ARENA, ARENA + 8 * PAGE), 0);
    assert_int_equal(map_any(s, 0, 2 * PAGE, RW, 0), ARENA + 6 * PAGE);
    assert_int_equal(map_any(s, 0, 4 * PAGE, RW, 0), ARENA);
    assert_int_equal(map_any(s, 0, 2 * PAGE, RW, 0), -ENOMEM);
    assert_int_equal(*ours, 99);
    munmap(ours, PAGE);
}

static void test_linear_bias(void **state) {
    const uint64_t bias = ARENA;
    struct mem_options o = {.strategy = MEM_LINEAR, .bias = bias};
    (void)state;
    struct space *s = space_new(&o);
    uint64_t out = 0;
    assert_int_equal(s->cpu->bias, bias);
    assert_int_equal(mem_map(s->mem, 0x400000, 2 * PAGE, RW, FIXED_ANON, -1, 0, &out), 0);
    assert_int_equal(out, 0x400000);
    store(s, 0x400000, 3);
    assert_int_equal(*(volatile uint8_t *)(uintptr_t)(bias + 0x400000), 3);
    assert_store_fault(s, 0x402000, BLINK_EXC_PF, BLINK_PF_U | BLINK_PF_W);
    space_free(s);
    struct blink_mem *mem = NULL;
    o.bias = 123;
    assert_int_equal(mem_create(&o, &mem), -EINVAL);
    o.bias = UINT64_C(1) << 62;
    assert_int_equal(mem_create(&o, &mem), -EINVAL);
    assert_null(mem);
}

static void test_destroy_gives_back(void **state) {
    (void)state;
    struct mem_options o = {.strategy = MEM_LINEAR};
    for (int k = 0; k < 3; k++) {
        struct space *s = space_new(&o);
        map_at(s, ARENA, 4 * PAGE, RW, 0);
        assert_int_equal(load(s, ARENA + PAGE), 0);
        store(s, ARENA + PAGE, 1);
        space_free(s);
    }
    mem_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(test_map_and_use),
        BOTH(test_bad_arguments),
        BOTH(test_unmap_splits),
        BOTH(test_fixed_replaces),
        BOTH(test_noreplace),
        BOTH(test_hint),
        BOTH(test_below_2g),
        BOTH(test_protect),
        BOTH(test_protect_stops_at_hole),
        BOTH(test_execute_permission),
        BOTH(test_non_canonical),
        BOTH(test_file_private),
        BOTH(test_file_shared),
        BOTH(test_file_rights),
        BOTH(test_file_failure_keeps_old),
        BOTH(test_file_truncated),
        BOTH(test_big_reservation),
        BOTH(test_stack_grows),
        BOTH(test_stack_guard),
        BOTH(test_merge_and_names),
        BOTH(test_query_order),
        BOTH(test_layout),
        LINEAR(test_host_in_the_way),
        cmocka_unit_test(test_linear_bias),
        cmocka_unit_test(test_destroy_gives_back),
    };
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
