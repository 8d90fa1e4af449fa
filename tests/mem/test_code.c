/*
 * Code-page tracking: who is told of a write, when, and which pages are given up as volatile. Host
 * faults are classified on the way.
 */
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support.h"

static void track(struct space *s, uint64_t address) {
    assert_true(mem_code_track(s->cpu, address, address + 1));
}

/* A drop told of [start, end) and nothing else since `before`. */
static void assert_dropped(struct space *s, uint32_t before, uint64_t page) {
    assert_int_equal(s->drops, before + 1);
    assert_true(s->drop_start <= page && s->drop_end >= page + PAGE);
}

/* The old byte must still be there when the blocks go. */
static void check_old(struct space *s) {
    uint8_t v = 0;
    if (mem_strategy_of(s->mem) == MEM_LINEAR)
        v = *(volatile uint8_t *)(uintptr_t)(s->arg + s->cpu->bias);
    else
        v = (uint8_t)0x11; /* paged: a store has no entry to go through, see below */
    s->arg = v;
}

static void test_store(void **state) {
    struct space *s = *state;
    map_at(s, ARENA, 3 * PAGE, RWX, 0);
    store(s, ARENA + PAGE, 0x11);
    track(s, ARENA + PAGE);
    if (mem_strategy_of(s->mem) == MEM_PAGED) {
        /* No vCPU may store without being seen. */
        const uint64_t *tags = s->cpu->tlb.write;
        assert_null(blink_tlb_find(s->cpu, tags, ARENA + PAGE, 1));
        assert_int_equal(load(s, ARENA + PAGE), 0x11);
        assert_null(blink_tlb_find(s->cpu, tags, ARENA + PAGE, 1));
    }
    s->on_drop = check_old;
    s->arg = ARENA + PAGE;
    /* Neighbours and loads do not count. */
    store(s, ARENA, 1);
    store(s, ARENA + 2 * PAGE, 1);
    assert_int_equal(load(s, ARENA + PAGE), 0x11);
    assert_int_equal(s->drops, 0);
    store(s, ARENA + PAGE, 0x22);
    assert_dropped(s, 0, ARENA + PAGE);
    assert_int_equal(s->arg, 0x11);
    assert_int_equal(load(s, ARENA + PAGE), 0x22);
    /* Once. */
    store(s, ARENA + PAGE, 0x33);
    assert_int_equal(s->drops, 1);
}

static void test_changes_of_the_mapping(void **state) {
    struct space *s = *state;
    uint64_t out;
    map_at(s, ARENA, 8 * PAGE, RX, 0);
    for (uint64_t k = 0; k < 8; k++)
        track(s, ARENA + k * PAGE);
    assert_int_equal(mem_unmap(s->mem, ARENA, PAGE), 0);
    assert_dropped(s, 0, ARENA);
    assert_int_equal(mem_protect(s->mem, ARENA + PAGE, PAGE, RW), 0);
    assert_dropped(s, 1, ARENA + PAGE);
    map_at(s, ARENA + 2 * PAGE, PAGE, RX, 0);
    assert_dropped(s, 2, ARENA + 2 * PAGE);
    assert_int_equal(mem_advise(s->mem, ARENA + 3 * PAGE, PAGE, BLINK_ADVISE_DONTNEED), 0);
    assert_dropped(s, 3, ARENA + 3 * PAGE);
    assert_int_equal(mem_remap(s->mem, ARENA + 4 * PAGE, PAGE, PAGE,
                               BLINK_REMAP_MAYMOVE | BLINK_REMAP_FIXED, ARENA + 5 * PAGE, &out),
                     0);
    assert_int_equal(s->drops, 6); /* where it was, and where it is */
    assert_int_equal(mem_protect(s->mem, ARENA + 6 * PAGE, PAGE, RX), 0);
    assert_int_equal(s->drops, 6); /* nothing changed */
    assert_int_equal(mem_protect(s->mem, ARENA + 6 * PAGE, PAGE, RWX), 0);
    assert_dropped(s, 6, ARENA + 6 * PAGE);
    mem_iface.copy_out(s->mem, ARENA + 6 * PAGE, "x", 1);
    assert_int_equal(s->drops, 7); /* gone already */
    track(s, ARENA + 6 * PAGE);
    mem_iface.copy_out(s->mem, ARENA + 6 * PAGE, "x", 1);
    assert_dropped(s, 7, ARENA + 6 * PAGE);
}

/* A range as large as all, with few pages tracked in it. */
static void test_large_range(void **state) {
    struct space *s = *state;
    const uint64_t size = UINT64_C(1) << 34;
    map_at(s, ARENA, size, RX, BLINK_MAP_NORESERVE);
    track(s, ARENA + 5 * PAGE);
    track(s, ARENA + size - PAGE);
    assert_int_equal(mem_unmap(s->mem, ARENA, size), 0);
    assert_int_equal(s->drops, 2);
}

static void test_forget(void **state) {
    struct space *s = *state;
    map_at(s, ARENA, PAGE, RWX, 0);
    track(s, ARENA);
    mem_code_forget(s->mem);
    store(s, ARENA, 1);
    assert_int_equal(s->drops, 0);
    track(s, ARENA);
    store(s, ARENA, 2);
    assert_int_equal(s->drops, 1);
}

static void test_volatile(void **state) {
    struct space *s = *state;
    uint32_t n = 0;
    map_at(s, ARENA, 2 * PAGE, RWX, 0);
    while (n < 1000 && mem_code_track(s->cpu, ARENA, ARENA + 1)) {
        store(s, ARENA, (uint8_t)n);
        n++;
    }
    /* Given up after a while, but not at once; the store was seen each time. */
    assert_true(n >= 8 && n < 1000);
    assert_int_equal(s->drops, n);
    store(s, ARENA, 1);
    assert_int_equal(s->drops, n);
    /* A page beside it is not concerned, a range over both is. */
    track(s, ARENA + PAGE);
    assert_false(mem_code_track(s->cpu, ARENA + PAGE - 1, ARENA + PAGE + 1));
    /* It is forgiven after some quiet. */
    for (int k = 0; k < 100 && !mem_code_track(s->cpu, ARENA, ARENA + 1); k++)
        usleep(20000);
    track(s, ARENA);
}

/* Not code at all: nothing to be told of, and no reason for protecting anything. */
static void test_not_executable(void **state) {
    struct space *s = *state;
    map_at(s, ARENA, PAGE, RW, 0);
    mem_code_track(s->cpu, ARENA, ARENA + 1);
    mem_code_track(s->cpu, ARENA + PAGE, ARENA + PAGE + 1);
    store(s, ARENA, 1);
    assert_int_equal(s->drops, 0);
}

/* The classic of just-in-time compilers: one memory, mapped to write and to execute. */
static void test_dual_mapping(void **state) {
    struct space *s = *state;
    uint64_t w, x;
    int fd = memfd_create("jit", MFD_CLOEXEC);
    assert_int_equal(ftruncate(fd, 4096), 0);
    assert_int_equal(mem_map(s->mem, 0, PAGE, RX, BLINK_MAP_SHARED, fd, 0, &x), 0);
    track(s, x);
    assert_int_equal(mem_map(s->mem, 0, PAGE, RW, BLINK_MAP_SHARED, fd, 0, &w), 0);
    assert_dropped(s, 0, x);
    assert_false(mem_code_track(s->cpu, x, x + 1));
    store(s, w, 0xc3);
    uint8_t v;
    assert_int_equal(guest_fetch(s, x, &v, NULL), NO_FAULT);
    assert_int_equal(v, 0xc3);
    /* The writer loses its right: it is ordinary code again; and gets it back. */
    assert_int_equal(mem_protect(s->mem, w, PAGE, R), 0);
    track(s, x);
    uint32_t before = s->drops;
    assert_int_equal(mem_protect(s->mem, w, PAGE, RW), 0);
    assert_dropped(s, before, x);
    close(fd);
}

/* The same with anonymous memory, whose second mapping mremap makes. */
static void test_dual_mapping_anonymous(void **state) {
    struct space *s = *state;
    uint64_t w = ARENA, x;
    map_at(s, w, PAGE, RWX, BLINK_MAP_SHARED);
    assert_int_equal(mem_remap(s->mem, w, 0, PAGE, BLINK_REMAP_MAYMOVE, 0, &x), 0);
    assert_int_equal(mem_protect(s->mem, x, PAGE, RX), 0);
    store(s, w, 0x90);
    uint8_t v;
    assert_int_equal(guest_fetch(s, x, &v, NULL), NO_FAULT);
    assert_int_equal(v, 0x90);
    assert_false(mem_code_track(s->cpu, x, x + 1));
    assert_int_equal(mem_unmap(s->mem, w, PAGE), 0);
    track(s, x);
}

static void test_file_written_through_itself(void **state) {
    struct space *s = *state;
    uint64_t at;
    int fd = pattern_file(1);
    assert_int_equal(mem_map(s->mem, 0, PAGE, RWX, BLINK_MAP_SHARED, fd, 0, &at), 0);
    track(s, at);
    store(s, at, 1);
    assert_dropped(s, 0, at);
    close(fd);
}

/* Writing the last byte of one page and the first of the next drops both. */
static void test_straddling_block(void **state) {
    struct space *s = *state;
    map_at(s, ARENA, 2 * PAGE, RWX, 0);
    assert_true(mem_code_track(s->cpu, ARENA + PAGE - 2, ARENA + PAGE + 2));
    assert_int_equal(mem_copy_out(s->mem, ARENA + PAGE - 1, "ab", 2), 0);
    assert_int_equal(s->drops, 2);
}

static void test_host_fault_kinds(void **state) {
    struct space *s = *state;
    struct mem_fault f = {0};
    map_at(s, ARENA, PAGE, RWX, 0);
    map_at(s, ARENA + PAGE, PAGE, R, 0);
    uint64_t host = ARENA + s->cpu->bias;
    if (mem_strategy_of(s->mem) == MEM_PAGED) {
        /* Elsewhere than in the window it is nothing of the guest. */
        assert_int_equal(mem_host_fault(s->mem, (uintptr_t)s, true, false, false, &f),
                         MEM_FAULT_FOREIGN);
        assert_int_equal(mem_host_fault(s->mem, 0, true, false, true, &f), MEM_FAULT_FOREIGN);
        store(s, ARENA, 1);
        host = ARENA + s->cpu->tlb.addend[blink_tlb_index(ARENA)];
    } else {
        assert_int_equal(mem_host_fault(s->mem, 0, true, false, true, &f), MEM_FAULT_GUEST);
        assert_int_equal(f.vector, BLINK_EXC_GP);
        assert_int_equal(mem_host_fault(s->mem, host + PAGE, true, false, false, &f),
                         MEM_FAULT_GUEST);
        assert_int_equal(f.error, BLINK_PF_P | BLINK_PF_W | BLINK_PF_U);
        track(s, ARENA);
        assert_int_equal(mem_host_fault(s->mem, host + 9, true, false, false, &f), MEM_FAULT_SMC);
        assert_dropped(s, 0, ARENA);
    }
    assert_int_equal(mem_host_fault(s->mem, host, true, false, false, &f), MEM_FAULT_RETRY);
    assert_int_equal(mem_host_fault(s->mem, host + 5, false, true, false, &f), MEM_FAULT_GUEST);
    assert_int_equal(f.vector, BLINK_EXC_BUS);
    assert_int_equal(f.address, ARENA + 5);
}

/* The host lost the page behind a region, which must not become a loop of retries. */
static void test_host_lost_page(void **state) {
    struct space *s = *state;
    uint8_t v;
    map_at(s, ARENA, PAGE, RW, 0);
    munmap((void *)(uintptr_t)(ARENA + s->cpu->bias), PAGE);
    assert_int_equal(guest_load(s, ARENA, &v, NULL), BLINK_EXC_BUS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(test_store),
        BOTH(test_changes_of_the_mapping),
        BOTH(test_large_range),
        BOTH(test_forget),
        BOTH(test_volatile),
        BOTH(test_not_executable),
        BOTH(test_dual_mapping),
        BOTH(test_dual_mapping_anonymous),
        BOTH(test_file_written_through_itself),
        BOTH(test_straddling_block),
        BOTH(test_host_fault_kinds),
        LINEAR(test_host_lost_page),
    };
    return cmocka_run_group_tests_name("code", tests, NULL, NULL);
}
