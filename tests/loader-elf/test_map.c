/*
 * What the ELF loader puts where: contents, protection, names and the description of the program,
 * for ordinary files and for odd but legal ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "elfmaker.h"

enum { R = BLINK_PROT_READ, W = BLINK_PROT_WRITE, X = BLINK_PROT_EXEC };

/* Text, read-only data and data with BSS, as a linker makes them. */
static void make_usual(struct elfmaker *m, uint16_t type, uint64_t base) {
    elfmaker_init(m, type, 5, 0x5000);
    elfmaker_load(m, 0, PF_R, 0, base, 0x800, 0x800, 4096);
    elfmaker_load(m, 1, PF_R | PF_X, 0x1000, base + 0x1000, 0x1234, 0x1234, 4096);
    elfmaker_load(m, 2, PF_R | PF_W, 0x3e00, base + 0x4e00, 0x500, 0x3000, 4096);
    m->phdr[3].p_type = PT_GNU_STACK;
    m->phdr[3].p_flags = PF_R | PF_W;
    m->ehdr->e_entry = base + 0x1100;
}

static void check_usual(struct attempt *a, uint64_t base) {
    /* Text: the page's tail beyond the segment is the file's, as mmap gives it. */
    expect_file_bytes(a, base + 0x1000, 0x1000, 0x1234);
    assert_int_equal(fakehost_prot(a->fh, base), R);
    assert_int_equal(fakehost_prot(a->fh, base + 0x1000), R | X);
    assert_int_equal(fakehost_prot(a->fh, base + 0x2fff), R | X);
    assert_int_equal(fakehost_prot(a->fh, base + 0x3000), -1);
    /* Data, then zeros to the end of the last page. */
    expect_file_bytes(a, base + 0x4e00, 0x3e00, 0x500);
    expect_zeros(a, base + 0x5300, 0x8000 - 0x5300);
    assert_int_equal(fakehost_prot(a->fh, base + 0x4000), R | W);
    assert_int_equal(fakehost_prot(a->fh, base + 0x7fff), R | W);
    assert_int_equal(fakehost_prot(a->fh, base + 0x8000), -1);
    assert_int_equal(fakehost_pins(a->fh), 0);
}

static void check_description(const struct blink_program *p, uint64_t base) {
    assert_int_equal(p->struct_size, sizeof *p);
    assert_string_equal(p->abi, "linux");
    assert_int_equal(p->entry, base + 0x1100);
    assert_int_equal(p->start, base + 0x1100);
    assert_int_equal(p->phdr, base + 64);
    assert_int_equal(p->phnum, 5);
    assert_int_equal(p->phentsize, 56);
    assert_int_equal(p->brk, base + 0x8000);
    assert_int_equal(p->code_start, base + 0x1000);
    assert_int_equal(p->code_end, base + 0x2234);
    assert_int_equal(p->data_start, base + 0x4e00);
    assert_int_equal(p->data_end, base + 0x5300);
    assert_int_equal(p->stack_exec, 0);
    assert_string_equal(p->interp, "");
    assert_int_equal(p->interp_base, 0);
}

static void maps_static(void **state) {
    struct elfmaker m;
    struct attempt a;
    struct blink_mem_region region = {.struct_size = sizeof region};
    (void)state;
    make_usual(&m, ET_EXEC, 0x400000);
    expect_loaded(&a, &m);
    check_usual(&a, 0x400000);
    check_description(&a.program, 0x400000);
    assert_int_equal(a.program.base, 0);
    assert_int_equal(fakehost_mem_iface.query(fakehost_mem(a.fh), 0x401000, &region), 0);
    assert_string_equal(region.name, ""); /* memory names what it maps */
    assert_int_equal(region.offset, 0x1000);
    attempt_finish(&a);
    elfmaker_finish(&m);
}

static void maps_static_pie(void **state) {
    struct elfmaker m;
    struct attempt a;
    (void)state;
    make_usual(&m, ET_DYN, 0);
    expect_loaded(&a, &m);
    uint64_t base = a.program.base;
    assert_int_equal(base % 4096, 0);
    /* Above two thirds of user space, with room for the heap above it. */
    assert_true(base >= UINT64_C(0x7ffffffff000) / 3 * 2 - 4096);
    check_usual(&a, base);
    check_description(&a.program, base);
    attempt_finish(&a);
    elfmaker_finish(&m);
}

static void obeys_alignment_of_pie(void **state) {
    (void)state;
    for (uint64_t align = 4096; align <= UINT64_C(1) << 30; align <<= 3) {
        struct elfmaker m;
        struct attempt a;
        make_usual(&m, ET_DYN, 0);
        m.phdr[2].p_align = align;
        expect_loaded(&a, &m);
        assert_int_equal(a.program.base % align, 0);
        check_usual(&a, a.program.base);
        attempt_finish(&a);
        elfmaker_finish(&m);
    }
}

/* Alignments that say nothing: zero, one, not a power of two, not that of the addresses. */
static void ignores_odd_alignment(void **state) {
    static const uint64_t odd[] = {0, 1, 3, 0x1001, UINT64_MAX, UINT64_C(1) << 63};
    (void)state;
    for (size_t k = 0; k < 5; k++) {
        struct elfmaker m;
        struct attempt a;
        make_usual(&m, ET_EXEC, 0x400000);
        m.phdr[0].p_align = m.phdr[1].p_align = m.phdr[2].p_align = odd[k];
        expect_loaded(&a, &m);
        check_usual(&a, 0x400000);
        attempt_finish(&a);
        elfmaker_finish(&m);
    }
}

/* A PIE whose alignment cannot be had is refused, not misplaced. */
static void refuses_impossible_alignment(void **state) {
    struct elfmaker m;
    struct attempt a;
    (void)state;
    make_usual(&m, ET_DYN, 0);
    m.phdr[2].p_align = UINT64_C(1) << 63;
    attempt_init(&a);
    attempt_load(&a, &m);
    assert_int_equal(a.result, -ENOMEM);
    assert_int_equal(fakehost_log_count(a.fh), 1);
    attempt_finish(&a);
    elfmaker_finish(&m);
}

/* Offset and address differ modulo the page: cannot be mapped, must be copied. */
static void copies_what_cannot_be_mapped(void **state) {
    struct elfmaker m;
    struct attempt a;
    (void)state;
    elfmaker_init(&m, ET_EXEC, 1, 0x4000);
    elfmaker_load(&m, 0, PF_R | PF_X, 0x123, 0x400777, 0x2345, 0x2345, 1);
    m.ehdr->e_entry = 0x400800;
    expect_loaded(&a, &m);
    expect_file_bytes(&a, 0x400777 + 256, 0x123 + 256, 0x2345 - 256);
    expect_zeros(&a, 0x400000, 0x777);
    expect_zeros(&a, 0x400777 + 0x2345, 0x403000 - 0x400777 - 0x2345);
    assert_int_equal(fakehost_prot(a.fh, 0x400000), R | X);
    assert_int_equal(fakehost_prot(a.fh, 0x402fff), R | X);
    attempt_finish(&a);
    elfmaker_finish(&m);
}

/* Two segments on one page: bytes of both, rights of both. */
static void shares_a_page(void **state) {
    struct elfmaker m;
    struct attempt a;
    (void)state;
    elfmaker_init(&m, ET_EXEC, 2, 0x4000);
    elfmaker_load(&m, 0, PF_R | PF_X, 0x1000, 0x401000, 0x300, 0x300, 16);
    elfmaker_load(&m, 1, PF_R | PF_W, 0x1300, 0x401300, 0x200, 0x1f00, 16);
    expect_loaded(&a, &m);
    expect_file_bytes(&a, 0x401000, 0x1000, 0x500);
    expect_zeros(&a, 0x401500, 0x1b00);
    assert_int_equal(fakehost_prot(a.fh, 0x401000), R | W | X);
    assert_int_equal(fakehost_prot(a.fh, 0x402000), R | W);
    assert_int_equal(a.program.brk, 0x404000);
    attempt_finish(&a);
    elfmaker_finish(&m);
}

/* The BSS of one ends where the next begins, on the same page. */
static void keeps_bss_before_a_neighbour(void **state) {
    struct elfmaker m;
    struct attempt a;
    (void)state;
    elfmaker_init(&m, ET_EXEC, 3, 0x6000);
    elfmaker_load(&m, 0, PF_R | PF_W, 0x1000, 0x401000, 0x100, 0x2800, 16);
    elfmaker_load(&m, 1, PF_R, 0x2800, 0x403800, 0x100, 0x100, 16);
    elfmaker_load(&m, 2, PF_R, 0x2a00, 0x403a00, 0x1000, 0x1000, 16);
    expect_loaded(&a, &m);
    expect_file_bytes(&a, 0x401000, 0x1000, 0x100);
    expect_zeros(&a, 0x401100, 0x2700);
    expect_file_bytes(&a, 0x403800, 0x2800, 0x100);
    expect_file_bytes(&a, 0x403a00, 0x2a00, 0x1000);
    assert_int_equal(fakehost_prot(a.fh, 0x403000), R | W);
    assert_int_equal(fakehost_prot(a.fh, 0x404000), R);
    attempt_finish(&a);
    elfmaker_finish(&m);
}

static void maps_pure_bss(void **state) {
    struct elfmaker m;
    struct attempt a;
    (void)state;
    elfmaker_init(&m, ET_EXEC, 2, 0x2000);
    elfmaker_load(&m, 0, PF_R | PF_X, 0, 0x400000, 0x1000, 0x1000, 4096);
    elfmaker_load(&m, 1, PF_R | PF_W, 0, 0x600010, 0, 0x12345, 4096);
    expect_loaded(&a, &m);
    expect_zeros(&a, 0x600000, 0x13000);
    assert_int_equal(fakehost_prot(a.fh, 0x600000), R | W);
    assert_int_equal(fakehost_prot(a.fh, 0x612fff), R | W);
    assert_int_equal(fakehost_prot(a.fh, 0x613000), -1);
    attempt_finish(&a);
    elfmaker_finish(&m);
}

/* Segments in the table need not be in order of address. */
static void sorts_segments(void **state) {
    struct elfmaker m;
    struct attempt a;
    (void)state;
    elfmaker_init(&m, ET_EXEC, 3, 0x4000);
    elfmaker_load(&m, 0, PF_R | PF_W, 0x3000, 0x500000, 0x1000, 0x1000, 4096);
    elfmaker_load(&m, 1, PF_R, 0x1000, 0x300000, 0x1000, 0x1000, 4096);
    elfmaker_load(&m, 2, PF_R | PF_X, 0x2000, 0x400000, 0x1000, 0x1000, 4096);
    expect_loaded(&a, &m);
    expect_file_bytes(&a, 0x300000, 0x1000, 0x1000);
    expect_file_bytes(&a, 0x400000, 0x2000, 0x1000);
    expect_file_bytes(&a, 0x500000, 0x3000, 0x1000);
    assert_int_equal(a.program.brk, 0x501000);
    assert_int_equal(a.program.phdr, 0); /* no segment holds the headers */
    attempt_finish(&a);
    elfmaker_finish(&m);
}

/* PT_PHDR gives the address when the headers are in no segment by offset. */
static void finds_headers_by_pt_phdr(void **state) {
    struct elfmaker m;
    struct attempt a;
    (void)state;
    elfmaker_init(&m, ET_EXEC, 2, 0x3000);
    elfmaker_load(&m, 0, PF_R, 0x1000, 0x400000, 0x1000, 0x1000, 4096);
    m.phdr[1].p_type = PT_PHDR;
    m.phdr[1].p_vaddr = 0x400040;
    expect_loaded(&a, &m);
    assert_int_equal(a.program.phdr, 0x400040);
    attempt_finish(&a);
    m.phdr[1].p_vaddr = 0x900000; /* nowhere */
    expect_loaded(&a, &m);
    assert_int_equal(a.program.phdr, 0);
    attempt_finish(&a);
    elfmaker_finish(&m);
}

static void maps_page_zero(void **state) {
    struct elfmaker m;
    struct attempt a;
    (void)state;
    elfmaker_init(&m, ET_EXEC, 1, 0x3000);
    elfmaker_load(&m, 0, PF_R | PF_X, 0x1000, 0, 0x1000, 0x1000, 4096);
    expect_loaded(&a, &m);
    expect_file_bytes(&a, 0, 0x1000, 0x1000);
    attempt_finish(&a);
    elfmaker_finish(&m);
}

static void heeds_stack_flags(void **state) {
    struct elfmaker m;
    struct attempt a;
    (void)state;
    make_usual(&m, ET_EXEC, 0x400000);
    m.phdr[3].p_flags = PF_R | PF_W | PF_X;
    expect_loaded(&a, &m);
    assert_int_equal(a.program.stack_exec, 1);
    attempt_finish(&a);
    m.phdr[3].p_type = PT_NULL;
    expect_loaded(&a, &m);
    assert_int_equal(a.program.stack_exec, 0);
    attempt_finish(&a);
    elfmaker_finish(&m);
}

static void loads_without_size(void **state) {
    struct elfmaker m;
    struct attempt a;
    (void)state;
    make_usual(&m, ET_EXEC, 0x400000);
    attempt_init(&a);
    attempt_load_unsized(&a, &m);
    assert_int_equal(a.result, 0);
    expect_file_bytes(&a, 0x401000, 0x1000, 0x1234);
    expect_file_bytes(&a, 0x404e00, 0x3e00, 0x500);
    expect_zeros(&a, 0x405300, 0x2d00);
    attempt_finish(&a);
    elfmaker_finish(&m);
}

/* An older host gives a shorter structure: nothing is written beyond it. */
static void fills_a_shorter_program(void **state) {
    struct elfmaker m;
    struct attempt a;
    (void)state;
    make_usual(&m, ET_EXEC, 0x400000);
    expect_loaded(&a, &m);
    memset(&a.program, 0xaa, sizeof a.program);
    uint32_t room = offsetof(struct blink_program, phdr);
    a.program.struct_size = room;
    struct fakehost *fresh = fakehost_create();
    assert_int_equal(a.ops->load(a.self, fakehost_mem(fresh), &a.image, &a.program), 0);
    assert_int_equal(a.program.struct_size, room);
    assert_int_equal(a.program.entry, 0x401100);
    assert_int_equal(a.program.phdr, UINT64_C(0xaaaaaaaaaaaaaaaa));
    fakehost_destroy(fresh);
    attempt_finish(&a);
    elfmaker_finish(&m);
}

/* ---- interpreters ---- */

static char root[] = "/tmp/test-loader-elf-XXXXXX";

static void put_file(const char *name, const void *bytes, size_t size) {
    char path[200];
    snprintf(path, sizeof path, "%s/%s", root, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

static int make_root(void **state) {
    char path[200];
    struct elfmaker m;
    (void)state;
    if (!mkdtemp(root))
        return -1;
    snprintf(path, sizeof path, "%s/lib", root);
    mkdir(path, 0755);
    elfmaker_init(&m, ET_DYN, 1, 0x3000);
    elfmaker_load(&m, 0, PF_R | PF_X, 0, 0, 0x2000, 0x2000, 4096);
    m.ehdr->e_entry = 0x1500;
    put_file("lib/ld.so", m.bytes, m.size);
    put_file("lib/short.so", m.bytes, 100);
    m.ehdr->e_machine = EM_AARCH64;
    put_file("lib/arm.so", m.bytes, m.size);
    elfmaker_finish(&m);
    snprintf(path, sizeof path, "%s/link.so", root);
    return symlink("/lib/ld.so", path);
}

static int remove_root(void **state) {
    static const char *const names[] = {"lib/ld.so", "lib/short.so", "lib/arm.so", "link.so"};
    char path[200];
    (void)state;
    for (size_t k = 0; k < 4; k++) {
        snprintf(path, sizeof path, "%s/%s", root, names[k]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/lib", root);
    rmdir(path);
    return rmdir(root);
}

/* A program that names `interp`, loaded below `root`. */
static void load_interpreted(struct attempt *a, const char *interp, size_t size) {
    struct elfmaker m;
    make_usual(&m, ET_DYN, 0);
    m.phdr[4].p_type = PT_INTERP;
    m.phdr[4].p_offset = 0x3000;
    m.phdr[4].p_filesz = size;
    memcpy(m.bytes + 0x3000, interp, size);
    attempt_init(a);
    fakehost_set_option(a->fh, "root", root);
    attempt_load(a, &m);
    elfmaker_finish(&m);
}

static void loads_an_interpreter(void **state) {
    static const char *const paths[] = {"/lib/ld.so", "/link.so", "/../lib/../lib/./ld.so"};
    (void)state;
    for (size_t k = 0; k < 3; k++) {
        struct attempt a;
        load_interpreted(&a, paths[k], strlen(paths[k]) + 1);
        assert_string_equal(fakehost_log(a.fh), "");
        assert_int_equal(a.result, 0);
        assert_string_equal(a.program.interp, paths[k]);
        assert_true(a.program.interp_base != 0);
        assert_int_equal(a.program.start, a.program.interp_base + 0x1500);
        assert_int_equal(a.program.entry, a.program.base + 0x1100);
        expect_file_bytes(&a, a.program.interp_base + 0x1000, 0x1000, 0x1000);
        check_usual(&a, a.program.base);
        attempt_finish(&a);
    }
}

static void refuses_interpreters(void **state) {
    static char long_path[300];
    memset(long_path, '/', sizeof long_path - 1);
    const struct {
        const char *path;
        size_t size;
        int error;
        const char *text;
    } cases[] = {
        {"/no.so", 7, -ENOENT,
         "/programs/test: interpreter /no.so: No such file or directory; install it, or name its "
         "tree with --root\n"},
        {"/lib", 5, -EISDIR, "/programs/test: interpreter /lib: Is a directory\n"},
        {"/lib/short.so", 14, -ELIBBAD, NULL},
        {"/lib/arm.so", 12, -ELIBBAD, NULL},
        {"", 1, -ENOEXEC, "/programs/test: interpreter path (PT_INTERP) is empty\n"},
        {"\0\0", 2, -ENOEXEC, "/programs/test: interpreter path (PT_INTERP) is empty\n"},
        {"/lib/ld.so", 10, -ENOEXEC,
         "/programs/test: interpreter path (PT_INTERP) does not end with a NUL\n"},
        {long_path, 300, -ENOEXEC,
         "/programs/test: interpreter path (PT_INTERP) is longer than 255 bytes\n"},
    };
    (void)state;
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        struct attempt a;
        load_interpreted(&a, cases[k].path, cases[k].size);
        assert_int_equal(a.result, cases[k].error);
        assert_int_equal(fakehost_log_count(a.fh), 1);
        if (cases[k].text)
            assert_string_equal(fakehost_log(a.fh), cases[k].text);
        else
            assert_memory_equal(fakehost_log(a.fh), root, strlen(root));
        attempt_finish(&a);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(maps_static),
        cmocka_unit_test(maps_static_pie),
        cmocka_unit_test(obeys_alignment_of_pie),
        cmocka_unit_test(ignores_odd_alignment),
        cmocka_unit_test(refuses_impossible_alignment),
        cmocka_unit_test(copies_what_cannot_be_mapped),
        cmocka_unit_test(shares_a_page),
        cmocka_unit_test(keeps_bss_before_a_neighbour),
        cmocka_unit_test(maps_pure_bss),
        cmocka_unit_test(sorts_segments),
        cmocka_unit_test(finds_headers_by_pt_phdr),
        cmocka_unit_test(maps_page_zero),
        cmocka_unit_test(heeds_stack_flags),
        cmocka_unit_test(loads_without_size),
        cmocka_unit_test(fills_a_shorter_program),
        cmocka_unit_test(loads_an_interpreter),
        cmocka_unit_test(refuses_interpreters),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
