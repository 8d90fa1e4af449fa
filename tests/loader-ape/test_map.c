/*
 * What the APE loader puts where: contents, protection, names and the description of the program,
 * for ordinary files and for odd but legal ones.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "apemaker.h"

enum { R = BLINK_PROT_READ, W = BLINK_PROT_WRITE, X = BLINK_PROT_EXEC };

static void expect_loaded(struct attempt *a, struct apemaker *m) {
    apemaker_seal(m);
    attempt_init(a);
    attempt_load(a, m, true);
    assert_string_equal(fakehost_log(a->fh), "");
    assert_int_equal(a->result, 0);
    assert_int_equal(fakehost_pins(a->fh), 0);
}

static void expect_bytes(struct attempt *a, uint64_t address, uint64_t offset, size_t size) {
    for (size_t k = 0; k < size; k++) {
        uint8_t byte;
        assert_int_equal(fakehost_peek(a->fh, address + k, &byte, 1), 0);
        if (byte != apemaker_byte(offset + k))
            fail_msg("0x%llx holds 0x%02x, the file 0x%02x", (unsigned long long)(address + k),
                     byte, apemaker_byte(offset + k));
    }
}

static void expect_zeros(struct attempt *a, uint64_t address, size_t size) {
    for (size_t k = 0; k < size; k++) {
        uint8_t byte;
        assert_int_equal(fakehost_peek(a->fh, address + k, &byte, 1), 0);
        if (byte)
            fail_msg("0x%llx holds 0x%02x, not 0", (unsigned long long)(address + k), byte);
    }
}

/* The file's front with its script, code, and data with BSS. */
static void make_usual(struct apemaker *m) {
    apemaker_init(m, 0x5000);
    apemaker_load(m, 0, PF_R, 0, 0x400000, 0x1000, 0x1000);
    apemaker_load(m, 1, PF_R | PF_X, 0x1000, 0x401000, 0x1234, 0x1234);
    apemaker_load(m, 2, PF_R | PF_W, 0x3e00, 0x404e00, 0x500, 0x3000);
    m->phdr[3].p_type = PT_GNU_STACK;
    m->phdr[3].p_flags = PF_R | PF_W;
}

static void check_usual(struct attempt *a) {
    expect_bytes(a, 0x401000, 0x1000, 0x1234);
    assert_int_equal(fakehost_prot(a->fh, 0x3fffff), -1);
    assert_int_equal(fakehost_prot(a->fh, 0x400000), R);
    assert_int_equal(fakehost_prot(a->fh, 0x401000), R | X);
    assert_int_equal(fakehost_prot(a->fh, 0x402fff), R | X);
    assert_int_equal(fakehost_prot(a->fh, 0x403000), -1);
    expect_bytes(a, 0x404e00, 0x3e00, 0x500);
    expect_zeros(a, 0x405300, 0x408000 - 0x405300);
    assert_int_equal(fakehost_prot(a->fh, 0x404000), R | W);
    assert_int_equal(fakehost_prot(a->fh, 0x407fff), R | W);
    assert_int_equal(fakehost_prot(a->fh, 0x408000), -1);
}

static void maps_and_describes(void **state) {
    struct apemaker m;
    struct attempt a;
    struct blink_mem_region region = {.struct_size = sizeof region};
    (void)state;
    make_usual(&m);
    expect_loaded(&a, &m);
    check_usual(&a);
    struct blink_program want = {
        .struct_size = sizeof want,
        .abi = "linux",
        .start = 0x401100,
        .entry = 0x401100,
        .phdr = 0x400000 + APEMAKER_PHOFF,
        .phnum = APEMAKER_PHNUM,
        .phentsize = sizeof(Elf64_Phdr),
        .brk = 0x408000,
        .code_start = 0x401000,
        .code_end = 0x402234,
        .data_start = 0x404e00,
        .data_end = 0x405300,
    };
    assert_memory_equal(&a.program, &want, sizeof want);
    /* Whole pages are the file's own. */
    assert_int_equal(fakehost_mem_iface.query(fakehost_mem(a.fh), 0x401000, &region), 0);
    assert_string_equal(region.name, ""); /* memory names what it maps */
    assert_int_equal(region.offset, 0x1000);
    assert_int_equal(region.flags & BLINK_MAP_ANON, 0);
    attempt_finish(&a);
    apemaker_finish(&m);
}

static void loads_without_size(void **state) {
    struct apemaker m;
    struct attempt a;
    (void)state;
    make_usual(&m);
    apemaker_seal(&m);
    attempt_init(&a);
    attempt_load(&a, &m, false);
    assert_int_equal(a.result, 0);
    check_usual(&a);
    attempt_finish(&a);
    apemaker_finish(&m);
}

/* Where the file cannot be mapped it is copied. */
static void copies_what_the_host_does_not_map(void **state) {
    static const int errors[] = {-ENODEV, -EACCES, -EPERM};
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        struct apemaker m;
        struct attempt a;
        make_usual(&m);
        apemaker_seal(&m);
        attempt_init(&a);
        fakehost_fail_map(a.fh, 4,
                          errors[k]); /* the code's: after two for the front, one to reserve */
        attempt_load(&a, &m, true);
        assert_string_equal(fakehost_log(a.fh), "");
        assert_int_equal(a.result, 0);
        check_usual(&a);
        attempt_finish(&a);
        apemaker_finish(&m);
    }
}

/* Offset and address differ modulo the page. */
static void copies_what_is_not_congruent(void **state) {
    struct apemaker m;
    struct attempt a;
    (void)state;
    apemaker_init(&m, 0x8000);
    apemaker_load(&m, 0, PF_R | PF_X, 0x2123, 0x400777, 0x2345, 0x2345);
    expect_loaded(&a, &m);
    expect_bytes(&a, 0x400777, 0x2123, 0x2345);
    expect_zeros(&a, 0x400000, 0x777);
    expect_zeros(&a, 0x402abc, 0x403000 - 0x402abc);
    assert_int_equal(fakehost_prot(a.fh, 0x400000), R | X);
    assert_int_equal(fakehost_prot(a.fh, 0x402fff), R | X);
    assert_int_equal(a.program.phdr, 0); /* no segment holds the headers */
    attempt_finish(&a);
    apemaker_finish(&m);
}

/* Three segments on one page: bytes of all, rights of all; zeros between them. */
static void shares_a_page(void **state) {
    struct apemaker m;
    struct attempt a;
    (void)state;
    apemaker_init(&m, 0x8000);
    apemaker_load(&m, 2, PF_R | PF_X, 0x1800, 0x400800, 0xb00, 0xb00);
    apemaker_load(&m, 0, PF_R | PF_W, 0x2300, 0x401300, 0x100, 0x200);
    apemaker_load(&m, 1, PF_R, 0x3600, 0x401600, 0x1a00, 0x1f00);
    expect_loaded(&a, &m);
    expect_bytes(&a, 0x400800, 0x1800, 0xb00);
    expect_bytes(&a, 0x401300, 0x2300, 0x100);
    expect_zeros(&a, 0x401400, 0x200);
    expect_bytes(&a, 0x401600, 0x3600, 0x1a00);
    expect_zeros(&a, 0x403000, 0x1000);
    assert_int_equal(fakehost_prot(a.fh, 0x400000), R | X);
    assert_int_equal(fakehost_prot(a.fh, 0x401000), R | W | X);
    assert_int_equal(fakehost_prot(a.fh, 0x402000), R);
    assert_int_equal(a.program.brk, 0x404000);
    attempt_finish(&a);
    apemaker_finish(&m);
}

static void maps_pure_bss_and_page_zero(void **state) {
    struct apemaker m;
    struct attempt a;
    (void)state;
    apemaker_init(&m, 0x4000);
    apemaker_load(&m, 0, PF_R | PF_X, 0x1000, 0, 0x1000, 0x1000);
    apemaker_load(&m, 1, PF_R | PF_W, 0, 0x600010, 0, 0x12345);
    expect_loaded(&a, &m);
    expect_bytes(&a, 0, 0x1000, 0x1000);
    expect_zeros(&a, 0x600000, 0x13000);
    assert_int_equal(fakehost_prot(a.fh, 0x612fff), R | W);
    assert_int_equal(fakehost_prot(a.fh, 0x613000), -1);
    attempt_finish(&a);
    apemaker_finish(&m);
}

static void heeds_stack_flags(void **state) {
    struct apemaker m;
    struct attempt a;
    (void)state;
    make_usual(&m);
    m.phdr[3].p_flags |= PF_X;
    expect_loaded(&a, &m);
    assert_int_equal(a.program.stack_exec, 1);
    attempt_finish(&a);
    apemaker_finish(&m);
}

/* An older host gives a shorter structure: nothing is written beyond it. */
static void fills_a_shorter_program(void **state) {
    struct apemaker m;
    struct attempt a;
    (void)state;
    make_usual(&m);
    expect_loaded(&a, &m);
    memset(&a.program, 0xaa, sizeof a.program);
    a.program.struct_size = offsetof(struct blink_program, phdr);
    struct fakehost *fresh = fakehost_create();
    assert_int_equal(a.ops->load(a.self, fakehost_mem(fresh), &a.image, &a.program), 0);
    assert_int_equal(a.program.struct_size, offsetof(struct blink_program, phdr));
    assert_int_equal(a.program.entry, 0x401100);
    assert_int_equal(a.program.phdr, UINT64_C(0xaaaaaaaaaaaaaaaa));
    fakehost_destroy(fresh);
    attempt_finish(&a);
    apemaker_finish(&m);
}

static void probes_by_magic(void **state) {
    static const struct {
        const char *bytes;
        size_t size;
        int32_t score;
    } cases[] = {
        {"MZqFpD='\n", 9, BLINK_PROBE_MAGIC},    {"jartsr='", 8, BLINK_PROBE_MAGIC},
        {"APEDBG='\0", 9, BLINK_PROBE_MAGIC},    {"MZqFpD='", 7, BLINK_PROBE_NO},
        {"mzqFpD='", 8, BLINK_PROBE_NO},         {"MZqFpD=\"", 8, BLINK_PROBE_NO},
        {"MZ\x90\0\3\0\0\0", 8, BLINK_PROBE_NO}, {"", 0, BLINK_PROBE_NO},
    };
    struct attempt a;
    (void)state;
    attempt_init(&a);
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct blink_image image = {.struct_size = sizeof image,
                                    .fd = -1,
                                    .path = "x",
                                    .guest_path = "x",
                                    .head = (const uint8_t *)cases[k].bytes,
                                    .head_size = cases[k].size,
                                    .size = cases[k].size};
        assert_int_equal(a.ops->probe(a.self, &image), cases[k].score);
    }
    attempt_finish(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_and_describes),
        cmocka_unit_test(loads_without_size),
        cmocka_unit_test(copies_what_the_host_does_not_map),
        cmocka_unit_test(copies_what_is_not_congruent),
        cmocka_unit_test(shares_a_page),
        cmocka_unit_test(maps_pure_bss_and_page_zero),
        cmocka_unit_test(heeds_stack_flags),
        cmocka_unit_test(fills_a_shorter_program),
        cmocka_unit_test(probes_by_magic),
    };
    return cmocka_run_group_tests_name("loader-ape-map", tests, NULL, NULL);
}
