/*
 * Files that the APE loader refuses: each line about segments and the host (those about the script
 * are tested on whole programs), truncation at every byte, and files spoiled at random from a fixed
 * seed: it never crashes, and logs one line exactly when it refuses. A seed may be given.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "apemaker.h"

enum { ROUNDS = 20000 };

static uint64_t seed = 20240229;

/* Two segments in a file of three pages. */
static void make(struct apemaker *m) {
    apemaker_init(m, 3 * 4096);
    apemaker_load(m, 0, PF_R, 0, 0x400000, 0x1000, 0x1000);
    apemaker_load(m, 2, PF_R | PF_X, 0x1000, 0x401000, 0x1800, 0x1800);
}

typedef void spoil(struct apemaker *m);

static void interpreter(struct apemaker *m) {
    m->phdr[1].p_type = PT_INTERP;
}
static void dynamic(struct apemaker *m) {
    m->phdr[1].p_type = PT_DYNAMIC;
}
static void no_segment(struct apemaker *m) {
    m->phdr[0].p_type = m->phdr[2].p_type = PT_NOTE;
}
static void empty_segments(struct apemaker *m) {
    m->phdr[0].p_filesz = m->phdr[0].p_memsz = 0;
    m->phdr[2].p_filesz = m->phdr[2].p_memsz = 0;
}
static void more_in_file(struct apemaker *m) {
    m->phdr[0].p_memsz = 16;
}
static void beyond_user_space(struct apemaker *m) {
    m->phdr[2].p_vaddr = UINT64_C(0x7fffffffe000);
}
static void wraps(struct apemaker *m) {
    m->phdr[2].p_vaddr = UINT64_MAX - 0xfff;
}
static void huge(struct apemaker *m) {
    m->phdr[2].p_memsz = UINT64_MAX;
}
static void overlap(struct apemaker *m) {
    m->phdr[2].p_vaddr = 0x400fff;
}
static void beyond_end(struct apemaker *m) {
    m->phdr[2].p_filesz = m->phdr[2].p_memsz = 0x2001;
}
static void offset_wraps(struct apemaker *m) {
    m->phdr[2].p_offset = UINT64_C(0x7ffffffffffff000);
}

static void refuses_segments(void **state) {
    static const struct {
        spoil *spoil;
        const char *text;
    } cases[] = {
        {interpreter, "asks for an interpreter (PT_INTERP); APE programs are static"},
        {dynamic, "dynamically linked (PT_DYNAMIC); APE programs are static"},
        {no_segment, "no segment to load"},
        {empty_segments, "no segment to load"},
        {more_in_file, "segment 0: 0x1000 bytes in the file, but 0x10 in memory"},
        {beyond_user_space, "segment 2: 0x1800 bytes at 0x7fffffffe000 reach beyond user space"},
        {wraps, "segment 2: 0x1800 bytes at 0xfffffffffffff000 reach beyond user space"},
        {huge, "segment 2: 0xffffffffffffffff bytes at 0x401000 reach beyond user space"},
        {overlap, "segments 0 and 2 overlap"},
        {beyond_end, "truncated: segment 2 has 0x2001 bytes at 0x1000, beyond the end"},
        {offset_wraps,
         "truncated: segment 2 has 0x1800 bytes at 0x7ffffffffffff000, beyond the end"},
    };
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct apemaker m;
        struct attempt a;
        char line[512];
        make(&m);
        cases[k].spoil(&m);
        size_t at = apemaker_seal(&m);
        attempt_init(&a);
        attempt_load(&a, &m, true);
        snprintf(line, sizeof line, "/programs/test: ELF header in its script at byte %zu: %s\n",
                 at, cases[k].text);
        assert_string_equal(fakehost_log(a.fh), line);
        assert_int_equal(a.result, -ENOEXEC);
        assert_int_equal(fakehost_regions(a.fh), 0);
        attempt_finish(&a);
        apemaker_finish(&m);
    }
}

/* Load a good file on a host that is prepared by the caller. */
static void expect_failure(struct attempt *a, bool sized, int error, const char *text) {
    struct apemaker m;
    make(&m);
    apemaker_seal(&m);
    attempt_load(a, &m, sized);
    assert_string_equal(fakehost_log(a->fh), text);
    assert_int_equal(a->result, error);
    assert_int_equal(a->program.start, 0);
    attempt_finish(a);
    apemaker_finish(&m);
}

static void tells_of_the_host(void **state) {
    struct attempt a;
    (void)state;
    attempt_init(&a);
    fakehost_block(a.fh, 0x402000, 4096);
    expect_failure(&a, true, -ENOMEM,
                   "/programs/test: segment 2: addresses 0x401000-0x403000 are taken by the host; "
                   "run it with -m\n");
    attempt_init(&a);
    fakehost_fail_map(a.fh, 1, -ENOMEM);
    expect_failure(
        &a, true, -ENOMEM,
        "/programs/test: segment 0: cannot map 0x1000 bytes at 0x400000: Cannot allocate "
        "memory\n");
    attempt_init(&a);
    fakehost_fail_map(a.fh, 2, -ENFILE);
    expect_failure(&a, true, -ENFILE,
                   "/programs/test: segment 0: cannot map 0x1000 bytes at 0x400000: Too many open "
                   "files in system\n");
}

static void tells_of_read_errors(void **state) {
    struct apemaker m;
    struct attempt a;
    (void)state;
    make(&m);
    apemaker_seal(&m);
    attempt_init(&a);
    attempt_load(&a, &m, true);
    fakehost_log_clear(a.fh);
    a.image.fd = -1;
    assert_int_equal(a.ops->load(a.self, fakehost_mem(a.fh), &a.image, &a.program), -EBADF);
    assert_string_equal(fakehost_log(a.fh),
                        "/programs/test: cannot read it: Bad file descriptor\n");
    attempt_finish(&a);
    apemaker_finish(&m);
}

/* The last byte that is needed is 0x2800. */
static void refuses_truncation_at_any_byte(void **state) {
    (void)state;
    for (size_t size = 0; size <= 0x2800; size++)
        for (int sized = 0; sized < 2; sized++) {
            struct apemaker m;
            struct attempt a;
            make(&m);
            apemaker_seal(&m);
            m.size = size;
            attempt_init(&a);
            attempt_load(&a, &m, sized);
            bool whole = size == 0x2800;
            if (a.result != (whole ? 0 : -ENOEXEC) || fakehost_log_count(a.fh) != !whole)
                fail_msg("%zu bytes: %d, %s", size, a.result, fakehost_log(a.fh));
            attempt_finish(&a);
            apemaker_finish(&m);
        }
}

static void tells_where_it_is_truncated(void **state) {
    static const struct {
        size_t size;
        bool sized;
        const char *text;
    } cases[] = {
        {0, true, "no ELF header is embedded in its first 8192 bytes"},
        {18, true, "no ELF header is embedded in its first 8192 bytes"},
        {100, true,
         "ELF header in its script at byte 11: truncated: the file ends after 20 of its 64 bytes"},
        {100, false,
         "ELF header in its script at byte 11: truncated: the file ends after 20 of its 64 bytes"},
        {1100, true,
         "ELF header in its script at byte 11: truncated: program headers at 0x400 lie beyond the "
         "end"},
        {0x2000, true,
         "ELF header in its script at byte 11: truncated: segment 2 has 0x1800 bytes at 0x1000, "
         "beyond the end"},
        {0x2000, false, "truncated: the file ends inside segment 2"},
    };
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct apemaker m;
        struct attempt a;
        char line[512];
        make(&m);
        apemaker_seal(&m);
        m.size = cases[k].size;
        attempt_init(&a);
        attempt_load(&a, &m, cases[k].sized);
        snprintf(line, sizeof line, "/programs/test: %s\n", cases[k].text);
        assert_string_equal(fakehost_log(a.fh), line);
        attempt_finish(&a);
        apemaker_finish(&m);
    }
}

static uint64_t next(uint64_t *state) {
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

/* Values on edges, in a field of the header or of a program header, or a byte of the script. */
static void mutate(struct apemaker *m, uint64_t *state) {
    static const uint64_t edges[] = {
        0,         1,         2,        0xfff,      0x1000,
        0x1001,    0x400000,  0x401000, 0xffffffff, UINT64_C(0x7ffffffff000),
        INT64_MAX, UINT64_MAX};
    uint64_t r = next(state), value = edges[(r >> 8) % (sizeof edges / sizeof edges[0])];
    value += (r >> 16) % 5 - 2;
    switch (r % 4) {
    case 0: memcpy((uint8_t *)m->phdr + (r >> 24) % (7 * APEMAKER_PHNUM) * 8, &value, 8); break;
    case 1: m->bytes[(r >> 24) % 300] = (uint8_t)(r >> 40); break;
    case 2: m->bytes[11 + 8 + (r >> 24) % 256] ^= (uint8_t)(1u << (r >> 40) % 8); break;
    default: m->size = (r >> 24) % (m->size + 1); break;
    }
}

static void survives_mutation(void **arg) {
    uint64_t state = seed;
    uint32_t loaded = 0;
    (void)arg;
    print_message("# seed %llu\n", (unsigned long long)seed);
    for (int k = 0; k < ROUNDS; k++) {
        struct apemaker m;
        struct attempt a;
        make(&m);
        apemaker_seal(&m);
        for (uint64_t n = 1 + next(&state) % 3; n > 0 && m.size == 3 * 4096; n--)
            mutate(&m, &state);
        attempt_init(&a);
        attempt_load(&a, &m, next(&state) & 1);
        loaded += a.result == 0;
        assert_true(a.result <= 0);
        assert_int_equal(fakehost_log_count(a.fh), a.result ? 1 : 0);
        assert_int_equal(fakehost_pins(a.fh), 0);
        attempt_finish(&a);
        apemaker_finish(&m);
    }
    /* The test is of no use if nearly everything is refused at the door, or nothing is. */
    assert_in_range(loaded, ROUNDS / 50, ROUNDS - ROUNDS / 50);
}

static void refuses_arguments_and_poor_hosts(void **state) {
    struct attempt a;
    struct blink_plugin *other = NULL;
    (void)state;
    attempt_init(&a);
    assert_int_equal(a.ops->plugin.create(fakehost_host(a.fh), "x", &other), -EINVAL);
    fakehost_set_iface(a.fh, BLINK_IFACE_MEM, NULL);
    assert_int_equal(a.ops->plugin.create(fakehost_host(a.fh), "", &other), -ENOTSUP);
    assert_string_equal(fakehost_log(a.fh), "loader ape takes no arguments, not \"x\"\n"
                                            "loader ape needs the service blink.mem/1\n");
    assert_null(other);
    a.ops->plugin.destroy(NULL);
    attempt_finish(&a);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_segments),
        cmocka_unit_test(tells_of_the_host),
        cmocka_unit_test(tells_of_read_errors),
        cmocka_unit_test(refuses_truncation_at_any_byte),
        cmocka_unit_test(tells_where_it_is_truncated),
        cmocka_unit_test(survives_mutation),
        cmocka_unit_test(refuses_arguments_and_poor_hosts),
    };
    if (argc > 1)
        seed = strtoull(argv[1], NULL, 0) | 1;
    return cmocka_run_group_tests_name("loader-ape-refuse", tests, NULL, NULL);
}
