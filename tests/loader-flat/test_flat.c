/*
 * loader-flat against the fake host: which files it takes, what it puts where, and each line by
 * which it refuses.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <blink/loader.h>

#include "fakehost.h"

#define BASE UINT64_C(0x400000)
#define BSS  UINT64_C(0x1000000)
#define MAX  (UINT64_C(64) << 20)
#define PATH "/programs/test.bin"

enum { RWX = BLINK_PROT_READ | BLINK_PROT_WRITE | BLINK_PROT_EXEC };

struct fixture {
    struct fakehost *fh;
    const struct blink_loader_ops *ops;
    struct blink_plugin *self;
    int fd;
    uint8_t head[4096];
    struct blink_image image;
    struct blink_program program;
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    if (!f)
        return -1;
    f->fh = fakehost_create();
    f->ops = fakehost_find(&blink_plugin_entry, BLINK_KIND_LOADER, "flat");
    f->fd = -1;
    f->program.struct_size = sizeof f->program;
    *state = f;
    return f->ops ? f->ops->plugin.create(fakehost_host(f->fh), "", &f->self) : -1;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    f->ops->plugin.destroy(f->self);
    fakehost_destroy(f->fh);
    if (f->fd >= 0)
        close(f->fd);
    free(f);
    return 0;
}

static uint8_t byte_at(uint64_t offset) {
    return (uint8_t)(offset * 7 + (offset >> 8) * 13) | 1; /* never 0 */
}

/* A file of `size` such bytes; the loader is told `told`. */
static void make(struct fixture *f, uint64_t size, uint64_t told) {
    f->fd = memfd_create("flat", MFD_CLOEXEC);
    assert_true(f->fd >= 0);
    uint8_t *bytes = malloc(size + 1);
    assert_non_null(bytes);
    for (uint64_t k = 0; k < size; k++)
        bytes[k] = byte_at(k);
    assert_int_equal(write(f->fd, bytes, size), (ssize_t)size);
    size_t head = size < sizeof f->head ? size : sizeof f->head;
    memcpy(f->head, bytes, head);
    free(bytes);
    f->image = (struct blink_image){
        .struct_size = sizeof f->image,
        .fd = f->fd,
        .path = PATH,
        .guest_path = "/guest" PATH,
        .head = f->head,
        .head_size = head,
        .size = told,
    };
}

static int load(struct fixture *f) {
    return f->ops->load(f->self, fakehost_mem(f->fh), &f->image, &f->program);
}

static void check_refused(struct fixture *f, int error, const char *text) {
    char line[512];
    snprintf(line, sizeof line, PATH ": %s\n", text);
    assert_int_equal(load(f), error);
    assert_string_equal(fakehost_log(f->fh), line);
    assert_int_equal(f->program.start, 0);
}

/* The file's bytes, then zeros to the end of 16 MiB after their last page, all of it RWX. */
static void check_loaded(struct fixture *f, uint64_t size) {
    uint64_t code_end = BASE + (size + 4095) / 4096 * 4096;
    struct blink_mem_region region = {.struct_size = sizeof region};
    uint8_t byte;
    assert_int_equal(load(f), 0);
    assert_string_equal(fakehost_log(f->fh), "");
    for (uint64_t k = 0; k < size; k++) {
        assert_int_equal(fakehost_peek(f->fh, BASE + k, &byte, 1), 0);
        assert_int_equal(byte, byte_at(k));
    }
    for (uint64_t at = BASE + size; at < code_end + 4096; at++) {
        assert_int_equal(fakehost_peek(f->fh, at, &byte, 1), 0);
        assert_int_equal(byte, 0);
    }
    assert_int_equal(fakehost_prot(f->fh, BASE), RWX);
    assert_int_equal(fakehost_prot(f->fh, code_end - 1), RWX);
    assert_int_equal(fakehost_prot(f->fh, code_end + BSS - 1), RWX);
    assert_int_equal(fakehost_prot(f->fh, code_end + BSS), -1);
    assert_int_equal(fakehost_prot(f->fh, BASE - 1), -1);
    assert_int_equal(fakehost_mem_iface.query(fakehost_mem(f->fh), BASE, &region), 0);
    assert_string_equal(region.name, "/guest" PATH);
    assert_int_equal(fakehost_pins(f->fh), 0);
}

static void loads_files(void **state) {
    static const uint64_t sizes[] = {1, 10, 4095, 4096, 4097, 16384, 70000};
    (void)state;
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        void *own = NULL;
        assert_int_equal(setup(&own), 0);
        struct fixture *f = own;
        make(f, sizes[k], sizes[k]);
        check_loaded(f, sizes[k]);
        teardown(&own);
    }
}

static void describes_the_program(void **state) {
    struct fixture *f = *state;
    make(f, 5000, 5000);
    check_loaded(f, 5000);
    struct blink_program want = {
        .struct_size = sizeof want,
        .abi = "linux",
        .start = BASE,
        .entry = BASE,
        .brk = BASE + 8192 + BSS,
        .code_start = BASE,
        .code_end = BASE + 5000,
        .data_start = BASE,
        .data_end = BASE + 5000,
    };
    assert_memory_equal(&f->program, &want, sizeof want);
}

static void loads_without_size(void **state) {
    struct fixture *f = *state;
    make(f, 5000, 0);
    check_loaded(f, 5000);
    assert_int_equal(f->program.brk, BASE + 8192 + BSS);
}

/* An older host gives a shorter structure: nothing is written beyond it. */
static void fills_a_shorter_program(void **state) {
    struct fixture *f = *state;
    make(f, 10, 10);
    memset(&f->program, 0xaa, sizeof f->program);
    f->program.struct_size = offsetof(struct blink_program, phdr);
    assert_int_equal(load(f), 0);
    assert_int_equal(f->program.struct_size, offsetof(struct blink_program, phdr));
    assert_int_equal(f->program.entry, BASE);
    assert_int_equal(f->program.phdr, UINT64_C(0xaaaaaaaaaaaaaaaa));
}

static void probes_by_name(void **state) {
    static const struct {
        const char *path;
        int32_t score;
    } cases[] = {
        {"/a/b.bin", BLINK_PROBE_NAME},  {"b.bin", BLINK_PROBE_NAME}, {".bin", BLINK_PROBE_NAME},
        {"a.bin.bin", BLINK_PROBE_NAME}, {"bin", BLINK_PROBE_NO},     {"", BLINK_PROBE_NO},
        {"a.BIN", BLINK_PROBE_NO},       {"a.bin/b", BLINK_PROBE_NO}, {"a.bin ", BLINK_PROBE_NO},
        {"abin", BLINK_PROBE_NO},        {"in", BLINK_PROBE_NO},
    };
    struct fixture *f = *state;
    make(f, 10, 10);
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        f->image.path = cases[k].path;
        assert_int_equal(f->ops->probe(f->self, &f->image), cases[k].score);
    }
}

static void refuses_empty(void **state) {
    struct fixture *f = *state;
    make(f, 0, 0);
    check_refused(f, -ENOEXEC, "empty file");
    assert_int_equal(fakehost_regions(f->fh), 0);
}

static void refuses_directory(void **state) {
    struct fixture *f = *state;
    make(f, 0, 4096);
    int directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(directory >= 0);
    f->image.fd = directory;
    check_refused(f, -EISDIR, "cannot read it: Is a directory");
    close(directory);
}

static void refuses_too_large(void **state) {
    struct fixture *f = *state;
    make(f, 10, MAX + 1);
    check_refused(f, -ENOEXEC, "too large: flat code has at most 64 MiB");
    assert_int_equal(fakehost_regions(f->fh), 0);
}

static void takes_the_largest(void **state) {
    struct fixture *f = *state;
    make(f, 4096, MAX);
    assert_int_equal(ftruncate(f->fd, (off_t)MAX), 0);
    assert_int_equal(load(f), 0);
    assert_string_equal(fakehost_log(f->fh), "");
    assert_int_equal(f->program.brk, BASE + MAX + BSS);
}

/* Its end is found only by reading. */
static void refuses_too_large_without_size(void **state) {
    struct fixture *f = *state;
    make(f, 4096, 0);
    assert_int_equal(ftruncate(f->fd, (off_t)MAX + 1), 0);
    check_refused(f, -ENOEXEC, "too large: flat code has at most 64 MiB");
}

static void refuses_truncation_at_any_byte(void **state) {
    (void)state;
    for (uint64_t size = 1; size < 10; size++) {
        char text[100];
        void *own = NULL;
        assert_int_equal(setup(&own), 0);
        struct fixture *f = own;
        make(f, size, 10);
        snprintf(text, sizeof text, "truncated while it was read: %d of 10 bytes", (int)size);
        check_refused(f, -ENOEXEC, text);
        teardown(&own);
    }
}

static void refuses_truncation_beyond_the_head(void **state) {
    struct fixture *f = *state;
    make(f, 20000, 20001);
    check_refused(f, -ENOEXEC, "truncated while it was read: 20000 of 20001 bytes");
}

static void refuses_taken_addresses(void **state) {
    struct fixture *f = *state;
    make(f, 10, 10);
    fakehost_block(f->fh, 0x1000000, 4096);
    check_refused(f, -ENOMEM, "addresses 0x400000-0x1401000 are taken by the host; run it with -m");
}

static void refuses_without_memory(void **state) {
    struct fixture *f = *state;
    make(f, 10, 10);
    fakehost_fail_map(f->fh, 1, -ENOMEM);
    check_refused(f, -ENOMEM, "cannot map 0x1001000 bytes at 0x400000: Cannot allocate memory");
}

static void refuses_arguments(void **state) {
    struct fixture *f = *state;
    struct blink_plugin *other = NULL;
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "x", &other), -EINVAL);
    assert_string_equal(fakehost_log(f->fh), "loader flat takes no arguments, not \"x\"\n");
    assert_null(other);
}

static void needs_memory_service(void **state) {
    struct fixture *f = *state;
    struct blink_plugin *other = NULL;
    fakehost_set_iface(f->fh, BLINK_IFACE_MEM, NULL);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "", &other), -ENOTSUP);
    assert_string_equal(fakehost_log(f->fh), "loader flat needs the service blink.mem/1\n");
    f->ops->plugin.destroy(NULL);
}

#define FLAT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_files),
        FLAT_TEST(describes_the_program),
        FLAT_TEST(loads_without_size),
        FLAT_TEST(fills_a_shorter_program),
        FLAT_TEST(probes_by_name),
        FLAT_TEST(refuses_empty),
        FLAT_TEST(refuses_directory),
        FLAT_TEST(refuses_too_large),
        FLAT_TEST(takes_the_largest),
        FLAT_TEST(refuses_too_large_without_size),
        cmocka_unit_test(refuses_truncation_at_any_byte),
        FLAT_TEST(refuses_truncation_beyond_the_head),
        FLAT_TEST(refuses_taken_addresses),
        FLAT_TEST(refuses_without_memory),
        FLAT_TEST(refuses_arguments),
        FLAT_TEST(needs_memory_service),
    };
    return cmocka_run_group_tests_name("loader-flat", tests, NULL, NULL);
}
