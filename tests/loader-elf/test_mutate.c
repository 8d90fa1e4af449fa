/*
 * Files spoiled at random, from a fixed seed: the loader never crashes, logs one line exactly when
 * it refuses, leaves nothing pinned, and maps nothing outside user space. A seed may be given.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "elfmaker.h"

enum { ROUNDS = 20000 };

static uint64_t seed = 20240229;

static uint64_t next(uint64_t *state) {
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

/* Values that sit on edges are worth more than random ones. */
static uint64_t interesting(uint64_t *state) {
    static const uint64_t values[] = {
        0,
        1,
        2,
        0xff,
        0xfff,
        0x1000,
        0x1001,
        0x7fff,
        0xffff,
        0x400000,
        0x401000,
        0x7fffffff,
        0x80000000,
        0xffffffff,
        UINT64_C(0x7ffffffff000),
        UINT64_C(0x7fffffffffff),
        UINT64_C(0x800000000000),
        INT64_MAX,
        UINT64_C(1) << 63,
        UINT64_MAX,
    };
    uint64_t r = next(state);
    uint64_t v = r & 1 ? values[(r >> 8) % (sizeof values / sizeof values[0])] : r >> (r >> 58);
    return r & 2 ? v + (r >> 20) % 9 - 4 : v;
}

static void spoil(struct elfmaker *m, uint64_t *state) {
    uint64_t r = next(state);
    size_t headers = sizeof(Elf64_Ehdr) + 4 * sizeof(Elf64_Phdr), at;
    switch (r % 5) {
    case 0: m->bytes[(r >> 8) % headers] = (uint8_t)(r >> 32); break;
    case 1: m->bytes[(r >> 8) % headers] ^= (uint8_t)(1u << (r >> 32) % 8); break;
    case 2: /* a field of a program header */
        at = sizeof(Elf64_Ehdr) + (r >> 8) % 4 * sizeof(Elf64_Phdr) + (r >> 16) % 7 * 8;
        r = interesting(state);
        memcpy(m->bytes + at, &r, 8);
        break;
    case 3: m->size = (r >> 8) % (m->size + 1); break;
    default: /* one header over another */
        memcpy(&m->phdr[(r >> 8) % 4], &m->phdr[(r >> 16) % 4], sizeof *m->phdr);
        break;
    }
}

static void survives_mutation(void **arg) {
    uint64_t state = seed;
    uint32_t loaded = 0;
    (void)arg;
    print_message("# seed %llu\n", (unsigned long long)seed);
    for (int k = 0; k < ROUNDS; k++) {
        struct elfmaker m;
        struct attempt a;
        bool dyn = next(&state) & 1;
        uint64_t base = dyn ? 0 : 0x400000;
        elfmaker_init(&m, dyn ? ET_DYN : ET_EXEC, 4, 0x4000);
        elfmaker_load(&m, 0, PF_R, 0, base, 0x800, 0x800, 4096);
        elfmaker_load(&m, 1, PF_R | PF_X, 0x1000, base + 0x1000, 0x1000, 0x1000, 4096);
        elfmaker_load(&m, 2, PF_R | PF_W, 0x2800, base + 0x3800, 0x900, 0x2000, 4096);
        size_t whole = m.size;
        for (uint64_t n = 1 + next(&state) % 4; n > 0 && m.size > 300; n--)
            spoil(&m, &state);
        attempt_init(&a);
        attempt_load(&a, &m);
        if (a.result == 0) {
            struct blink_mem_region region = {.struct_size = sizeof region};
            loaded++;
            assert_int_equal(fakehost_log_count(a.fh), 0);
            for (uint64_t at = 0; fakehost_mem_iface.query(fakehost_mem(a.fh), at, &region) == 0;
                 at = region.end)
                assert_true(region.end <= UINT64_C(0x7ffffffff000) && region.end > region.start);
        } else {
            assert_true(a.result < 0);
            assert_int_equal(fakehost_log_count(a.fh), 1);
        }
        assert_int_equal(fakehost_pins(a.fh), 0);
        attempt_finish(&a);
        m.size = whole;
        elfmaker_finish(&m);
    }
    /* The test is of no use if nearly everything is refused at the door, or nothing is. */
    assert_in_range(loaded, ROUNDS / 50, ROUNDS - ROUNDS / 50);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(survives_mutation)};
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 0) | 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
