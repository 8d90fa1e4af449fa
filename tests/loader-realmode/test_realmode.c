/*
 * loader-realmode against the fake host: which files it takes and how surely, the drive's number of
 * floppies, hard disks and CDs, what is put where, and each line by which it refuses.
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

#define PATH      "/images/test.img"
#define BOOT      UINT64_C(0x7c00)
#define SECTOR    512u
#define CD_SECTOR 2048u
#define CATALOGUE 20u /* sector of the CDs made here */
#define PROGRAM   24u

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
    f->ops = fakehost_find(&blink_plugin_entry, BLINK_KIND_LOADER, "realmode");
    f->fd = memfd_create("image", MFD_CLOEXEC);
    f->program.struct_size = sizeof f->program;
    *state = f;
    /* Memory of a PC, as far as it matters here. */
    if (f->fd < 0 || !f->ops ||
        fakehost_mem_iface.map(fakehost_mem(f->fh), 0x1000, 0xbf000,
                               BLINK_PROT_READ | BLINK_PROT_WRITE, BLINK_MAP_FIXED | BLINK_MAP_ANON,
                               -1, 0, &(uint64_t){0}))
        return -1;
    return f->ops->plugin.create(fakehost_host(f->fh), "", &f->self);
}

static int teardown(void **state) {
    struct fixture *f = *state;
    f->ops->plugin.destroy(f->self);
    fakehost_destroy(f->fh);
    close(f->fd);
    free(f);
    return 0;
}

/* ---- making images ---- */

static void put(struct fixture *f, uint64_t at, const void *bytes, size_t size) {
    assert_int_equal(pwrite(f->fd, bytes, size, (off_t)at), (ssize_t)size);
}
static void put_byte(struct fixture *f, uint64_t at, uint32_t v) {
    put(f, at, &(uint8_t){(uint8_t)v}, 1);
}
static void put_word(struct fixture *f, uint64_t at, uint32_t v) {
    put_byte(f, at, v);
    put_byte(f, at + 1, v >> 8);
}
static void put_dword(struct fixture *f, uint64_t at, uint32_t v) {
    put_word(f, at, v);
    put_word(f, at + 2, v >> 16);
}

static uint8_t byte_at(uint64_t offset) {
    return (uint8_t)(offset * 7 + (offset >> 8) * 13) | 1; /* never 0 */
}
static void fill(struct fixture *f, uint64_t at, uint32_t size) {
    for (uint32_t k = 0; k < size; k++)
        put_byte(f, at + k, byte_at(at + k));
}

static void set_size(struct fixture *f, uint64_t size) {
    assert_int_equal(ftruncate(f->fd, (off_t)size), 0);
}

/* `size` bytes, the first with a boot sector that is nothing else. */
static void make(struct fixture *f, uint64_t size) {
    fill(f, 0, 446);
    put_byte(f, 0, 0xfa);
    put_word(f, 510, 0xaa55);
    set_size(f, size);
}

/* The parameters of a FAT floppy with so many sectors. */
static void put_parameters(struct fixture *f, uint32_t sectors) {
    put_byte(f, 0, 0xeb);
    put_word(f, 11, SECTOR);
    put_byte(f, 13, 1);
    put_byte(f, 16, 2);
    put_word(f, 19, sectors <= 0xffff ? sectors : 0);
    put_byte(f, 21, 0xf0);
    put_dword(f, 32, sectors <= 0xffff ? 0 : sectors);
}

static void put_partition(struct fixture *f, uint32_t n, uint32_t active, uint32_t type,
                          uint32_t sectors) {
    uint64_t at = 446 + 16 * n;
    put_byte(f, at, active);
    put_byte(f, at + 4, type);
    put_dword(f, at + 8, 63);
    put_dword(f, at + 12, sectors);
}

/* The sum of the words of a validation entry is to be zero. */
static void put_validation(struct fixture *f) {
    uint64_t at = CATALOGUE * CD_SECTOR;
    put_byte(f, at, 1);
    put_word(f, at + 30, 0xaa55);
    put_word(f, at + 28, 0x10000 - 0xaa55 - 1);
}

static void make_cd(struct fixture *f, uint32_t segment, uint32_t sectors) {
    uint64_t entry = CATALOGUE * CD_SECTOR + 32;
    put_byte(f, 16 * CD_SECTOR, 1);
    put(f, 16 * CD_SECTOR + 1, "CD001", 5);
    put(f, 17 * CD_SECTOR, "\0CD001\1EL TORITO SPECIFICATION", 30);
    put_dword(f, 17 * CD_SECTOR + 0x47, CATALOGUE);
    put_byte(f, 18 * CD_SECTOR, 255);
    put(f, 18 * CD_SECTOR + 1, "CD001", 5);
    put_validation(f);
    put_byte(f, entry, 0x88);
    put_word(f, entry + 2, segment);
    put_word(f, entry + 6, sectors);
    put_dword(f, entry + 8, PROGRAM);
    fill(f, PROGRAM * CD_SECTOR, 8 * SECTOR);
    set_size(f, 40 * CD_SECTOR);
}

/* ---- loading ---- */

static void describe(struct fixture *f) {
    off_t size = lseek(f->fd, 0, SEEK_END);
    ssize_t head = pread(f->fd, f->head, sizeof f->head, 0);
    assert_true(size >= 0 && head >= 0);
    f->image = (struct blink_image){
        .struct_size = sizeof f->image,
        .fd = f->fd,
        .path = PATH,
        .guest_path = "/guest" PATH,
        .head = f->head,
        .head_size = (size_t)head,
        .size = (uint64_t)size,
    };
}

static int load(struct fixture *f) {
    describe(f);
    return f->ops->load(f->self, fakehost_mem(f->fh), &f->image, &f->program);
}

static void check_refused(struct fixture *f, const char *text) {
    char line[512];
    snprintf(line, sizeof line, PATH ": %s\n", text);
    assert_int_equal(load(f), -ENOEXEC);
    assert_string_equal(fakehost_log(f->fh), line);
    assert_int_equal(f->program.start, 0);
}

/* `size` bytes from offset `from` at `address`, and none before and behind. */
static void check_memory(struct fixture *f, uint64_t address, uint64_t from, uint32_t size) {
    uint8_t have[0x2000], want[sizeof have] = {0};
    assert_true(size + 2 <= sizeof have);
    assert_int_equal(pread(f->fd, want + 1, size, (off_t)from), (ssize_t)size);
    assert_int_equal(fakehost_peek(f->fh, address - 1, have, size + 2), 0);
    assert_memory_equal(have, want, size + 2);
}

static void check_booted(struct fixture *f, uint64_t address, uint32_t drive) {
    struct blink_program want = {.struct_size = sizeof want,
                                 .abi = "bios",
                                 .start = address,
                                 .entry = address,
                                 .boot_drive = drive};
    assert_int_equal(load(f), 0);
    assert_string_equal(fakehost_log(f->fh), "");
    assert_memory_equal(&f->program, &want, sizeof want);
    assert_int_equal(fakehost_pins(f->fh), 0);
    /* Video memory is not RAM. */
    assert_int_not_equal(fakehost_prot(f->fh, 0x9ffff), -1);
    assert_int_equal(fakehost_prot(f->fh, 0xa0000), -1);
    assert_int_equal(fakehost_prot(f->fh, 0xbffff), -1);
}

static void check_disk(struct fixture *f, uint32_t drive) {
    check_booted(f, BOOT, drive);
    check_memory(f, BOOT, 0, SECTOR);
}

/* ---- floppies and hard disks ---- */

static void boots_a_sector(void **state) {
    struct fixture *f = *state;
    make(f, SECTOR);
    check_disk(f, 0);
}

static const uint32_t floppies[] = {160, 180, 320, 360, 720, 1200, 1440, 1680, 2880};

/* By its size alone, or with a FAT's parameters. */
static void boots_floppies(void **state) {
    (void)state;
    for (size_t k = 0; k < 2 * sizeof floppies / sizeof floppies[0]; k++) {
        void *own = NULL;
        assert_int_equal(setup(&own), 0);
        struct fixture *f = own;
        make(f, floppies[k / 2] * UINT64_C(1024));
        if (k & 1)
            put_parameters(f, floppies[k / 2] * 2);
        check_disk(f, 0);
        teardown(&own);
    }
}

/* What a floppy's boot sector has where a partition table would be is code. */
static void floppies_have_no_partitions(void **state) {
    struct fixture *f = *state;
    make(f, 1440 * 1024);
    put_partition(f, 0, 0x80, 6, 1000);
    check_disk(f, 0);
}

static void odd_small_images_are_floppies(void **state) {
    struct fixture *f = *state;
    make(f, 37 * SECTOR);
    check_disk(f, 0);
}

static void partitions_make_a_hard_disk(void **state) {
    struct fixture *f = *state;
    make(f, 100 * SECTOR);
    fill(f, 0, 446);
    put_partition(f, 0, 0, 0, 0);
    put_partition(f, 1, 0x80, 0x83, 37);
    check_disk(f, 0x80);
}

/* Entries that are neither active nor not, or all empty, are no table. */
static void code_is_no_partition_table(void **state) {
    struct fixture *f = *state;
    make(f, 100 * SECTOR);
    put_partition(f, 0, 0x80, 0x83, 37);
    put_partition(f, 3, 0x12, 0x83, 37);
    check_disk(f, 0);
    put_partition(f, 3, 0, 0, 0);
    put_partition(f, 0, 0x80, 0, 0);
    f->program = (struct blink_program){.struct_size = sizeof f->program};
    check_disk(f, 0);
}

static void what_no_floppy_holds_is_a_hard_disk(void **state) {
    struct fixture *f = *state;
    make(f, (5760 + 1) * UINT64_C(512));
    check_disk(f, 0x80);
}

static void boots_the_largest_disk(void **state) {
    struct fixture *f = *state;
    make(f, UINT64_C(2) << 40);
    check_disk(f, 0x80);
}

/* They begin with a jump, and end where the program in them does. */
static void boots_portable_executables(void **state) {
    struct fixture *f = *state;
    make(f, 70001);
    put(f, 0, "MZqFpD='\n", 9);
    check_disk(f, 0);
}

/* A boot sector by itself may have the parameters of the floppy it is meant for. */
static void a_sector_may_tell_of_more(void **state) {
    struct fixture *f = *state;
    make(f, SECTOR);
    put_parameters(f, 2880);
    check_disk(f, 0);
}

/* ---- CDs ---- */

static void boots_cds(void **state) {
    struct fixture *f = *state;
    make_cd(f, 0, 4);
    check_booted(f, BOOT, 0xe0);
    check_memory(f, BOOT, PROGRAM * CD_SECTOR, 4 * SECTOR);
}

static void cds_name_their_segment(void **state) {
    struct fixture *f = *state;
    make_cd(f, 0x1234, 7);
    check_booted(f, 0x12340, 0xe0);
    check_memory(f, 0x12340, PROGRAM * CD_SECTOR, 7 * SECTOR);
}

/* A count of none is the four sectors of a CD's own. */
static void cds_load_at_least_four_sectors(void **state) {
    struct fixture *f = *state;
    make_cd(f, 0, 0);
    check_booted(f, BOOT, 0xe0);
    check_memory(f, BOOT, PROGRAM * CD_SECTOR, 4 * SECTOR);
}

static void cds_may_end_early(void **state) {
    struct fixture *f = *state;
    make_cd(f, 0, 12);
    set_size(f, PROGRAM * CD_SECTOR + 700);
    check_booted(f, BOOT, 0xe0);
    check_memory(f, BOOT, PROGRAM * CD_SECTOR, 700);
}

/* A disk's boot sector in front, as hybrid images have it, changes nothing. */
static void hybrid_images_are_cds(void **state) {
    struct fixture *f = *state;
    make_cd(f, 0, 4);
    put_word(f, 510, 0xaa55);
    put_partition(f, 0, 0x80, 0x17, 1000);
    check_booted(f, BOOT, 0xe0);
}

/* ---- probing ---- */

static void probes(void **state) {
    struct fixture *f = *state;
    make(f, SECTOR);
    describe(f);
    assert_int_equal(f->ops->probe(f->self, &f->image), 30);
    f->image.head_size = SECTOR - 1;
    assert_int_equal(f->ops->probe(f->self, &f->image), BLINK_PROBE_NO);
    f->image.head_size = SECTOR;
    f->head[510] = 0;
    assert_int_equal(f->ops->probe(f->self, &f->image), BLINK_PROBE_NO);
    f->image.path = "/cds/x.iso";
    assert_int_equal(f->ops->probe(f->self, &f->image), BLINK_PROBE_NAME);
    f->image.path = "iso";
    assert_int_equal(f->ops->probe(f->self, &f->image), BLINK_PROBE_NO);
    assert_int_equal(f->ops->flags, BLINK_LOADER_SYSTEM);
}

/* An older host gives a shorter structure: nothing is written beyond it. */
static void fills_a_shorter_program(void **state) {
    struct fixture *f = *state;
    make(f, SECTOR);
    memset(&f->program, 0xaa, sizeof f->program);
    f->program.struct_size = offsetof(struct blink_program, phdr);
    assert_int_equal(load(f), 0);
    assert_int_equal(f->program.struct_size, offsetof(struct blink_program, phdr));
    assert_int_equal(f->program.entry, BOOT);
    assert_int_equal(f->program.phdr, UINT64_C(0xaaaaaaaaaaaaaaaa));
}

/* ---- refusals ---- */

static void refuses_empty(void **state) {
    check_refused(*state, "empty file");
}

static void refuses_less_than_a_sector(void **state) {
    struct fixture *f = *state;
    make(f, 511);
    check_refused(f, "511 bytes are no boot sector, which has 512");
}

static void refuses_without_signature(void **state) {
    static const uint32_t wrong[] = {0, 0x55aa, 0xaa00, 0x0055};
    (void)state;
    for (size_t k = 0; k < sizeof wrong / sizeof wrong[0]; k++) {
        void *own = NULL;
        assert_int_equal(setup(&own), 0);
        struct fixture *f = own;
        make(f, 1440 * 1024);
        put_word(f, 510, wrong[k]);
        check_refused(f, "no boot sector: bytes 510 and 511 are not 55 AA");
        teardown(&own);
    }
}

static void refuses_truncated_floppy(void **state) {
    struct fixture *f = *state;
    make(f, 1000 * SECTOR);
    put_parameters(f, 2880);
    check_refused(f, "truncated: 1000 sectors of 2880");
}

static void refuses_truncated_large_disk(void **state) {
    struct fixture *f = *state;
    make(f, 6000 * SECTOR);
    put_parameters(f, 100000);
    check_refused(f, "truncated: 6000 sectors of 100000");
}

static void refuses_parts_of_sectors(void **state) {
    struct fixture *f = *state;
    make(f, 1440 * 1024 - 1);
    check_refused(f, "truncated: 1474559 bytes are no whole sectors");
}

static void refuses_directory(void **state) {
    struct fixture *f = *state;
    make(f, SECTOR);
    describe(f);
    f->image.fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f->image.fd >= 0);
    assert_int_equal(f->ops->load(f->self, fakehost_mem(f->fh), &f->image, &f->program), -ENOEXEC);
    assert_string_equal(fakehost_log(f->fh), PATH ": cannot read it: Is a directory\n");
    close(f->image.fd);
}

static void refuses_what_shrinks(void **state) {
    struct fixture *f = *state;
    make(f, SECTOR);
    describe(f);
    set_size(f, 100);
    assert_int_equal(f->ops->load(f->self, fakehost_mem(f->fh), &f->image, &f->program), -ENOEXEC);
    assert_string_equal(fakehost_log(f->fh), PATH ": truncated while it was read\n");
}

static void refuses_larger_than_any(void **state) {
    struct fixture *f = *state;
    make(f, (UINT64_C(2) << 40) + SECTOR);
    check_refused(f, "larger than a BIOS can address: 2 TiB");
}

static void refuses_without_memory(void **state) {
    struct fixture *f = *state;
    make(f, SECTOR);
    assert_int_equal(fakehost_mem_iface.unmap(fakehost_mem(f->fh), 0x7000, 0x1000), 0);
    check_refused(f, "no memory at 0x7c00: Bad address");
}

static void refuses_cds_without_record(void **state) {
    struct fixture *f = *state;
    make_cd(f, 0, 4);
    put_byte(f, 17 * CD_SECTOR + 7, 'X');
    check_refused(f, "this CD cannot be booted: no El Torito boot record");
}

static void refuses_bad_catalogues(void **state) {
    static const uint32_t broken[] = {0, 4, 28, 30, 31};
    (void)state;
    for (size_t k = 0; k < sizeof broken / sizeof broken[0]; k++) {
        void *own = NULL;
        assert_int_equal(setup(&own), 0);
        struct fixture *f = own;
        make_cd(f, 0, 4);
        put_byte(f, CATALOGUE * CD_SECTOR + broken[k], 0x77);
        check_refused(f, "this CD cannot be booted: bad El Torito catalogue");
        teardown(&own);
    }
}

static void refuses_cds_without_entry(void **state) {
    struct fixture *f = *state;
    make_cd(f, 0, 4);
    put_byte(f, CATALOGUE * CD_SECTOR + 32, 0);
    check_refused(f, "this CD cannot be booted: its first entry is not bootable");
}

static void refuses_emulation(void **state) {
    struct fixture *f = *state;
    make_cd(f, 0, 4);
    put_byte(f, CATALOGUE * CD_SECTOR + 33, 2);
    check_refused(f, "this CD emulates a disk (type 2): not supported");
}

static void refuses_large_programs_of_cds(void **state) {
    struct fixture *f = *state;
    make_cd(f, 0, 0x4c3);
    check_refused(f, "this CD's boot image is too large: 624128 bytes");
}

static void refuses_cds_beyond_memory(void **state) {
    struct fixture *f = *state;
    make_cd(f, 0x2000, 4);
    assert_int_equal(fakehost_mem_iface.unmap(fakehost_mem(f->fh), 0x20000, 0x1000), 0);
    check_refused(f, "no memory at 0x20000");
}

static void refuses_truncated_cds(void **state) {
    struct fixture *f = *state;
    make_cd(f, 0, 4);
    set_size(f, PROGRAM * CD_SECTOR);
    check_refused(f, "truncated while it was read");
}

static void refuses_arguments(void **state) {
    struct fixture *f = *state;
    struct blink_plugin *other = NULL;
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "x", &other), -EINVAL);
    assert_string_equal(fakehost_log(f->fh), "loader realmode takes no arguments, not \"x\"\n");
    assert_null(other);
}

static void needs_memory_service(void **state) {
    struct fixture *f = *state;
    struct blink_plugin *other = NULL;
    fakehost_set_iface(f->fh, BLINK_IFACE_MEM, NULL);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "", &other), -ENOTSUP);
    assert_string_equal(fakehost_log(f->fh), "loader realmode needs the service blink.mem/1\n");
    f->ops->plugin.destroy(NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(boots_a_sector),
        cmocka_unit_test(boots_floppies),
        TEST(floppies_have_no_partitions),
        TEST(odd_small_images_are_floppies),
        TEST(partitions_make_a_hard_disk),
        TEST(code_is_no_partition_table),
        TEST(what_no_floppy_holds_is_a_hard_disk),
        TEST(boots_the_largest_disk),
        TEST(boots_portable_executables),
        TEST(a_sector_may_tell_of_more),
        TEST(boots_cds),
        TEST(cds_name_their_segment),
        TEST(cds_load_at_least_four_sectors),
        TEST(cds_may_end_early),
        TEST(hybrid_images_are_cds),
        TEST(probes),
        TEST(fills_a_shorter_program),
        TEST(refuses_empty),
        TEST(refuses_less_than_a_sector),
        cmocka_unit_test(refuses_without_signature),
        TEST(refuses_truncated_floppy),
        TEST(refuses_truncated_large_disk),
        TEST(refuses_parts_of_sectors),
        TEST(refuses_directory),
        TEST(refuses_what_shrinks),
        TEST(refuses_larger_than_any),
        TEST(refuses_without_memory),
        TEST(refuses_cds_without_record),
        cmocka_unit_test(refuses_bad_catalogues),
        TEST(refuses_cds_without_entry),
        TEST(refuses_emulation),
        TEST(refuses_large_programs_of_cds),
        TEST(refuses_cds_beyond_memory),
        TEST(refuses_truncated_cds),
        TEST(refuses_arguments),
        TEST(needs_memory_service),
    };
    return cmocka_run_group_tests_name("loader-realmode", tests, NULL, NULL);
}
