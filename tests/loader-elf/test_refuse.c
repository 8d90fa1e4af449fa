/*
 * Every line by which the ELF loader refuses a file, and truncation at every byte.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "elfmaker.h"

/* Two segments, page-aligned, in a file of three pages. */
static void make(struct elfmaker *m) {
    elfmaker_init(m, ET_EXEC, 4, 3 * 4096);
    elfmaker_load(m, 0, PF_R, 0, 0x400000, 0x1000, 0x1000, 4096);
    elfmaker_load(m, 2, PF_R | PF_X, 0x1000, 0x401000, 0x1800, 0x1800, 4096);
}

typedef void spoil(struct elfmaker *m);

static void empty(struct elfmaker *m) {
    m->size = 0;
}
static void one_byte(struct elfmaker *m) {
    m->size = 1;
}
static void other_magic(struct elfmaker *m) {
    m->bytes[0] = 'M';
}
static void other_magic_short(struct elfmaker *m) {
    m->bytes[2] = 'M';
    m->size = 3;
}
static void class_32(struct elfmaker *m) {
    m->ehdr->e_ident[EI_CLASS] = ELFCLASS32;
}
static void class_0(struct elfmaker *m) {
    m->ehdr->e_ident[EI_CLASS] = 0;
}
static void big_endian(struct elfmaker *m) {
    m->ehdr->e_ident[EI_DATA] = ELFDATA2MSB;
}
static void no_endian(struct elfmaker *m) {
    m->ehdr->e_ident[EI_DATA] = 3;
}
static void aarch64(struct elfmaker *m) {
    m->ehdr->e_machine = EM_AARCH64;
}
static void bpf(struct elfmaker *m) {
    m->ehdr->e_machine = EM_BPF;
}
static void odd_machine(struct elfmaker *m) {
    m->ehdr->e_machine = 4711;
}
static void object(struct elfmaker *m) {
    m->ehdr->e_type = ET_REL;
}
static void core(struct elfmaker *m) {
    m->ehdr->e_type = ET_CORE;
}
static void odd_type(struct elfmaker *m) {
    m->ehdr->e_type = 0xfe00;
}
static void no_phdr(struct elfmaker *m) {
    m->ehdr->e_phnum = 0;
}
static void phentsize(struct elfmaker *m) {
    m->ehdr->e_phentsize = 55;
}
static void many_phdr(struct elfmaker *m) {
    m->ehdr->e_phnum = 1171;
}
static void phoff_end(struct elfmaker *m) {
    m->ehdr->e_phoff = 3 * 4096 - 4 * 56 + 1;
}
static void phoff_wraps(struct elfmaker *m) {
    m->ehdr->e_phoff = UINT64_MAX - 8;
}
static void phoff_sign(struct elfmaker *m) {
    m->ehdr->e_phoff = INT64_MAX - 100;
}
static void filesz(struct elfmaker *m) {
    m->phdr[2].p_filesz = 0x1801;
}
static void beyond_user(struct elfmaker *m) {
    m->phdr[2].p_vaddr = UINT64_C(0x7fffffffe000);
}
static void kernel(struct elfmaker *m) {
    m->phdr[2].p_vaddr = UINT64_C(0xffffffff81000000);
}
static void huge(struct elfmaker *m) {
    m->phdr[0].p_memsz = UINT64_MAX;
}
static void offset_end(struct elfmaker *m) {
    m->phdr[2].p_offset = 0x1801;
}
static void offset_sign(struct elfmaker *m) {
    m->phdr[2].p_offset = INT64_MAX;
}
static void no_load(struct elfmaker *m) {
    m->phdr[0].p_type = m->phdr[2].p_type = PT_NOTE;
}
static void only_empty(struct elfmaker *m) {
    m->phdr[0].p_memsz = m->phdr[0].p_filesz = m->phdr[2].p_memsz = m->phdr[2].p_filesz = 0;
}
static void overlap(struct elfmaker *m) {
    m->phdr[2].p_vaddr = 0x400fff;
}
static void overlap_reversed(struct elfmaker *m) {
    m->phdr[2].p_vaddr = 0x3ff000;
}
static void same_place(struct elfmaker *m) {
    m->phdr[2].p_vaddr = 0x400000;
}

static const struct {
    spoil *spoil;
    const char *text;
} refusals[] = {
    {empty, "empty file"},
    {one_byte, "truncated: 1 bytes, the ELF header has 64"},
    {other_magic, "not an ELF file"},
    {other_magic_short, "not an ELF file"},
    {class_32, "32-bit ELF file; only 64-bit programs run here"},
    {class_0, "unknown ELF class 0"},
    {big_endian, "big-endian ELF file; x86-64 is little-endian"},
    {no_endian, "unknown ELF byte order 3"},
    {aarch64, "program for AArch64 (ELF machine 183), not for x86-64"},
    {bpf, "program for BPF (ELF machine 247), not for x86-64"},
    {odd_machine, "program for another machine (ELF machine 4711), not for x86-64"},
    {object, "object file, not a program; link it first"},
    {core, "core dump, not a program"},
    {odd_type, "ELF type 65024 is not that of a program"},
    {no_phdr, "no program headers"},
    {phentsize, "program headers of 55 bytes each, not 56"},
    {many_phdr, "1171 program headers, more than 1170"},
    {phoff_end, "truncated: program headers at 0x2f21 lie beyond the end"},
    {phoff_wraps, "truncated: program headers at 0xfffffffffffffff7 lie beyond the end"},
    {phoff_sign, "truncated: program headers at 0x7fffffffffffff9b lie beyond the end"},
    {filesz, "segment 2: 0x1801 bytes in the file, but 0x1800 in memory"},
    {beyond_user, "segment 2: 0x1800 bytes at 0x7fffffffe000 reach beyond user space"},
    {kernel, "segment 2: 0x1800 bytes at 0xffffffff81000000 reach beyond user space"},
    {huge, "segment 0: 0xffffffffffffffff bytes at 0x400000 reach beyond user space"},
    {offset_end, "truncated: segment 2 has 0x1800 bytes at 0x1801, beyond the end"},
    {offset_sign, "truncated: segment 2 has 0x1800 bytes at 0x7fffffffffffffff, beyond the end"},
    {no_load, "no segment to load"},
    {only_empty, "no segment to load"},
    {overlap, "segments 0 and 2 overlap"},
    {overlap_reversed, "segments 0 and 2 overlap"},
    {same_place, "segments 0 and 2 overlap"},
};

static void refuses_with_its_line(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof refusals / sizeof refusals[0]; k++) {
        struct elfmaker m;
        make(&m);
        refusals[k].spoil(&m);
        expect_refused(&m, -ENOEXEC, refusals[k].text);
        elfmaker_finish(&m);
    }
}

/* What must be said of the first `size` bytes, by reading the file as a person would. */
static void truncation_line(size_t size, char *out, size_t out_size) {
    if (size == 0)
        snprintf(out, out_size, "empty file");
    else if (size < 64)
        snprintf(out, out_size, "truncated: %zu bytes, the ELF header has 64", size);
    else if (size < 64 + 4 * 56)
        snprintf(out, out_size, "truncated: program headers at 0x40 lie beyond the end");
    else if (size < 0x1000)
        snprintf(out, out_size, "truncated: segment 0 has 0x1000 bytes at 0x0, beyond the end");
    else if (size < 0x2800)
        snprintf(out, out_size, "truncated: segment 2 has 0x1800 bytes at 0x1000, beyond the end");
    else
        out[0] = 0;
}

static void refuses_truncation_at_any_byte(void **state) {
    struct elfmaker m;
    (void)state;
    make(&m);
    size_t whole = m.size;
    for (m.size = 0; m.size <= whole; m.size++) {
        char line[200];
        struct attempt a;
        truncation_line(m.size, line, sizeof line);
        if (line[0]) {
            expect_refused(&m, -ENOEXEC, line);
        } else {
            expect_loaded(&a, &m);
            attempt_finish(&a);
        }
    }
    elfmaker_finish(&m);
}

/* The size is not known: the end is found by reading. */
static void refuses_truncation_without_size(void **state) {
    struct elfmaker m;
    (void)state;
    make(&m);
    size_t whole = m.size;
    for (m.size = 1; m.size <= whole; m.size += m.size < 300 ? 1 : 61) {
        char line[200];
        struct attempt a;
        truncation_line(m.size, line, sizeof line);
        attempt_init(&a);
        attempt_load_unsized(&a, &m);
        assert_int_equal(a.result, line[0] ? -ENOEXEC : 0);
        assert_int_equal(fakehost_log_count(a.fh), line[0] ? 1 : 0);
        attempt_finish(&a);
    }
    elfmaker_finish(&m);
}

static void names_the_host_when_it_is_in_the_way(void **state) {
    struct elfmaker m;
    struct attempt a;
    (void)state;
    make(&m);
    attempt_init(&a);
    fakehost_block(a.fh, 0x402000, 0x1000);
    attempt_load(&a, &m);
    assert_int_equal(a.result, -ENOMEM);
    assert_string_equal(fakehost_log(a.fh),
                        "/programs/test: segment 2: addresses 0x401000-0x403000 are taken by the "
                        "host; run it with -m\n");
    attempt_finish(&a);
    elfmaker_finish(&m);
}

static void says_when_mapping_fails(void **state) {
    struct elfmaker m;
    (void)state;
    make(&m);
    for (uint32_t n = 1; n < 5; n++) {
        struct attempt a;
        attempt_init(&a);
        fakehost_fail_map(a.fh, n, -ENOMEM);
        attempt_load(&a, &m);
        assert_int_equal(a.result, -ENOMEM);
        assert_int_equal(fakehost_log_count(a.fh), 1);
        assert_non_null(strstr(fakehost_log(a.fh), "cannot map 0x"));
        assert_non_null(strstr(fakehost_log(a.fh), ": Cannot allocate memory\n"));
        attempt_finish(&a);
    }
    elfmaker_finish(&m);
}

static void takes_no_arguments(void **state) {
    struct fakehost *fh = fakehost_create();
    const struct blink_loader_ops *ops =
        fakehost_find(&blink_builtin_loader_elf, BLINK_KIND_LOADER, "elf");
    struct blink_plugin *self = NULL;
    (void)state;
    assert_int_equal(ops->plugin.create(fakehost_host(fh), "x=1", &self), -EINVAL);
    assert_string_equal(fakehost_log(fh), "loader elf takes no arguments, not \"x=1\"\n");
    fakehost_log_clear(fh);
    fakehost_set_iface(fh, BLINK_IFACE_MEM, NULL);
    assert_int_equal(ops->plugin.create(fakehost_host(fh), "", &self), -ENOTSUP);
    assert_string_equal(fakehost_log(fh), "loader elf needs the service blink.mem/1\n");
    assert_null(self);
    ops->plugin.destroy(NULL);
    fakehost_destroy(fh);
}

static int32_t probe(const struct elfmaker *m) {
    struct attempt a;
    attempt_init(&a);
    struct blink_image image = {.struct_size = sizeof image,
                                .fd = -1,
                                .path = "p",
                                .guest_path = "p",
                                .head = m->bytes,
                                .head_size = m->size < 4096 ? m->size : 4096,
                                .size = m->size};
    int32_t score = a.ops->probe(a.self, &image);
    attempt_finish(&a);
    return score;
}

static void probes_by_magic_and_header(void **state) {
    struct elfmaker m;
    (void)state;
    make(&m);
    assert_int_equal(probe(&m), BLINK_PROBE_SURE);
    aarch64(&m);
    assert_int_equal(probe(&m), BLINK_PROBE_MAGIC);
    m.size = 20;
    assert_int_equal(probe(&m), BLINK_PROBE_MAGIC);
    m.size = 1;
    assert_int_equal(probe(&m), BLINK_PROBE_MAGIC);
    m.size = 0;
    assert_int_equal(probe(&m), BLINK_PROBE_NO);
    m.size = 100;
    m.bytes[3] = 'G';
    assert_int_equal(probe(&m), BLINK_PROBE_NO);
    elfmaker_finish(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_with_its_line),
        cmocka_unit_test(refuses_truncation_at_any_byte),
        cmocka_unit_test(refuses_truncation_without_size),
        cmocka_unit_test(names_the_host_when_it_is_in_the_way),
        cmocka_unit_test(says_when_mapping_fails),
        cmocka_unit_test(takes_no_arguments),
        cmocka_unit_test(probes_by_magic_and_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
