/*
 * abi-bios against a fake PC with drives: INT 13h by cylinders and by sector numbers, CDs, booting
 * again, and a ROM of the person's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pc.h"

struct fixture {
    struct pc *pc;
    uint8_t *floppy, *hard, *cd;
};

static uint8_t *add(struct pc *pc, uint32_t kind, uint32_t size, uint32_t c, uint32_t h,
                    uint32_t s) {
    struct blink_disk d = {.struct_size = sizeof d,
                           .kind = kind,
                           .sector_size = size,
                           .read_only = kind == BLINK_DISK_CD,
                           .sectors = h ? (uint64_t)c * h * s : c,
                           .cylinders = h ? c : 0,
                           .heads = h,
                           .track_sectors = s};
    uint8_t *bytes = fakehost_add_disk(pc->fh, &d);
    for (uint64_t k = 0; k < d.sectors; k++)
        memcpy(bytes + k * size, &k, 4);
    return bytes;
}

static int setup(void **state) {
    static struct fixture f;
    f.pc = pc_create();
    f.floppy = add(f.pc, BLINK_DISK_FLOPPY, 512, 80, 2, 18);
    f.hard = add(f.pc, BLINK_DISK_HARD, 512, 20, 16, 63);
    f.cd = add(f.pc, BLINK_DISK_CD, 2048, 40, 0, 0);
    *state = &f;
    return pc_start(f.pc, 0x80);
}

static int teardown(void **state) {
    pc_destroy(((struct fixture *)*state)->pc);
    return 0;
}

static uint32_t status(struct pc *pc) {
    return AX(pc) >> 8;
}

static void test_equipment(void **state) {
    struct pc *pc = ((struct fixture *)*state)->pc;
    pc_int(pc, 0x11, 0, 0, 0, 0);
    assert_int_equal(AX(pc) & 0xc1, 0x01);
    assert_int_equal(pc_peek(pc, 0x475, 1), 1);
}

static void test_read_by_cylinder(void **state) {
    struct pc *pc = ((struct fixture *)*state)->pc;
    pc_segment(pc, BLINK_SEG_ES, 0x1000);
    assert_int_equal(pc_int(pc, 0x13, 0x0203, 0x100, 0x0102, 0x0100) & CARRY, 0);
    assert_int_equal(AX(pc), 0x0003);
    /* Cylinder 1, head 1, sector 2. */
    assert_int_equal(pc_peek(pc, 0x10100, 4), 36 + 18 + 1);
    assert_int_equal(pc_peek(pc, 0x10100 + 1024, 4), 36 + 18 + 3);
    assert_int_equal(pc_int(pc, 0x13, 0x0201, 0x100, 0x1301, 0x0f80) & CARRY, 0);
    assert_int_equal(pc_peek(pc, 0x10100, 4), (19 * 16 + 15) * 63);
    /* What there is not. */
    static const uint32_t bad[][2] = {
        {0x0000, 0x0000}, {0x0013, 0x0000}, {0x5001, 0x0000}, {0x0001, 0x0200}};
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        assert_int_equal(pc_int(pc, 0x13, 0x0201, 0x100, bad[k][0], bad[k][1]) & CARRY, CARRY);
        assert_int_equal(AX(pc), 0x0400);
        pc_int(pc, 0x13, 0x0100, 0, 0, 0);
        assert_int_equal(status(pc), 0x04);
        pc_int(pc, 0x13, 0x0100, 0, 0, 0);
        assert_int_equal(status(pc), 0);
    }
    assert_int_equal(pc_int(pc, 0x13, 0x0200, 0x100, 1, 0) & CARRY, CARRY);
    assert_int_equal(pc_int(pc, 0x13, 0x0201, 0x100, 1, 0x01) & CARRY, CARRY);
    assert_int_equal(status(pc), 0x01);
    /* Floppies go through a DMA controller. */
    assert_int_equal(pc_int(pc, 0x13, 0x0202, 0xfd00, 1, 0) & CARRY, CARRY);
    assert_int_equal(status(pc), 0x09);
    assert_int_equal(pc_int(pc, 0x13, 0x0202, 0xfd00, 1, 0x80) & CARRY, 0);
    /* The end of the disk comes in the middle. */
    assert_int_equal(pc_int(pc, 0x13, 0x0203, 0x100, 0x133e, 0x0f80) & CARRY, CARRY);
    assert_int_equal(AX(pc), 0x0402);
}

static void test_write_and_verify(void **state) {
    struct fixture *f = *state;
    struct pc *pc = f->pc;
    pc_segment(pc, BLINK_SEG_ES, 0x1000);
    for (uint32_t k = 0; k < 1024; k += 4)
        pc_poke(pc, 0x10100 + k, 0xa5a5a5a5, 4);
    assert_int_equal(pc_int(pc, 0x13, 0x0302, 0x100, 0x0001, 0x0180) & CARRY, 0);
    assert_int_equal(f->hard[63 * 512], 0xa5);
    assert_int_equal(f->hard[65 * 512], 65);
    assert_int_equal(pc_int(pc, 0x13, 0x0402, 0, 0x0001, 0x0180) & CARRY, 0);
    assert_int_equal(pc_int(pc, 0x13, 0x0403, 0, 0x133f, 0x0f80) & CARRY, CARRY);
    assert_int_equal(pc_int(pc, 0x13, 0x0500, 0, 0x0100, 0x0100) & CARRY, 0);
    assert_int_equal(f->floppy[54 * 512], 0);
    assert_int_equal(f->floppy[72 * 512], 72);
}

static void test_parameters(void **state) {
    struct pc *pc = ((struct fixture *)*state)->pc;
    assert_int_equal(pc_int(pc, 0x13, 0x0800, 0, 0, 0x00) & CARRY, 0);
    assert_int_equal(CX(pc), 0x4f12);
    assert_int_equal(DX(pc), 0x0101);
    assert_int_equal(BX(pc), 4);
    assert_int_equal(pc_peek(pc, pc->cpu->seg[BLINK_SEG_ES].base + pc_reg(pc, BLINK_RDI) + 4, 1),
                     18);
    assert_int_equal(pc_int(pc, 0x13, 0x0800, 0, 0, 0x80) & CARRY, 0);
    assert_int_equal(CX(pc), 0x133f);
    assert_int_equal(DX(pc), 0x0f01);
    assert_int_equal(pc_int(pc, 0x13, 0x0800, 0, 0, 0x81) & CARRY, CARRY);
    assert_int_equal(pc_int(pc, 0x13, 0x1500, 0, 0, 0x80) & CARRY, 0);
    assert_int_equal(status(pc), 3);
    assert_int_equal(CX(pc) << 16 | DX(pc), 20 * 16 * 63);
    pc_int(pc, 0x13, 0x1500, 0, 0, 0x00);
    assert_int_equal(status(pc), 1);
    assert_int_equal(pc_int(pc, 0x13, 0x1500, 0, 0, 0x01) & CARRY, 0);
    assert_int_equal(status(pc), 0);
    assert_int_equal(pc_int(pc, 0x13, 0x1800, 0, 0x4f12, 0x00) & CARRY, 0);
    assert_int_equal(pc_int(pc, 0x13, 0x1800, 0, 0x4f09, 0x00) & CARRY, CARRY);
    static const uint8_t fine[] = {0x00, 0x09, 0x0c, 0x0d, 0x10, 0x11, 0x14};
    for (size_t k = 0; k < sizeof fine; k++)
        assert_int_equal(pc_int(pc, 0x13, fine[k] << 8u, 0, 0, 0x80) & CARRY, 0);
    assert_int_equal(pc_int(pc, 0x13, 0x3300, 0, 0, 0x80) & CARRY, CARRY);
    assert_int_equal(pc_int(pc, 0x13, 0x4100, 0x55aa, 0, 0x00) & CARRY, CARRY);
}

static void packet(struct pc *pc, uint32_t count, uint32_t buffer, uint32_t sector) {
    pc_segment(pc, BLINK_SEG_DS, 0x2000);
    pc->cpu->gpr[BLINK_RSI] = 0;
    pc_poke(pc, 0x20000, 16 | count << 16, 4);
    pc_poke(pc, 0x20004, buffer, 4);
    pc_poke(pc, 0x20008, sector, 4);
    pc_poke(pc, 0x2000c, 0, 4);
}

static void test_extensions(void **state) {
    struct fixture *f = *state;
    struct pc *pc = f->pc;
    assert_int_equal(pc_int(pc, 0x13, 0x4100, 0x55aa, 0, 0x80) & CARRY, 0);
    assert_int_equal(BX(pc), 0xaa55);
    assert_int_equal(status(pc), 0x30);
    assert_int_equal(CX(pc), 5);
    packet(pc, 100, 0x30000010, 1000);
    assert_int_equal(pc_int(pc, 0x13, 0x4200, 0, 0, 0x80) & CARRY, 0);
    for (uint32_t k = 0; k < 100; k++)
        assert_int_equal(pc_peek(pc, 0x30010 + k * 512, 4), 1000 + k);
    /* A flat buffer above 1 MiB. */
    packet(pc, 1, 0xffffffff, 7);
    pc_poke(pc, 0x20000, 24, 1);
    pc_poke(pc, 0x20010, 0x200000, 4);
    pc_poke(pc, 0x20014, 0, 4);
    assert_int_equal(pc_int(pc, 0x13, 0x4200, 0, 0, 0x80) & CARRY, 0);
    assert_int_equal(pc_peek(pc, 0x200000, 4), 7);
    packet(pc, 1, 0x30000010, 9);
    pc_poke(pc, 0x30010, 0x12345678, 4);
    assert_int_equal(pc_int(pc, 0x13, 0x4300, 0, 0, 0x80) & CARRY, 0);
    assert_int_equal(f->hard[9 * 512], 0x78);
    /* Past the end: those that were there are counted. */
    packet(pc, 20, 0x30000000, 20150);
    assert_int_equal(pc_int(pc, 0x13, 0x4200, 0, 0, 0x80) & CARRY, CARRY);
    assert_int_equal(status(pc), 0x04);
    assert_int_equal(pc_peek(pc, 0x20002, 2), 10);
    packet(pc, 10, 0, 20150);
    assert_int_equal(pc_int(pc, 0x13, 0x4400, 0, 0, 0x80) & CARRY, 0);
    packet(pc, 11, 0, 20150);
    assert_int_equal(pc_int(pc, 0x13, 0x4400, 0, 0, 0x80) & CARRY, CARRY);
    packet(pc, 1, 0x30000000, 0);
    pc_poke(pc, 0x20000, 8, 1);
    assert_int_equal(pc_int(pc, 0x13, 0x4200, 0, 0, 0x80) & CARRY, CARRY);
    assert_int_equal(status(pc), 0x01);
    /* Parameters by the room there is for them. */
    pc_poke(pc, 0x20000, 30, 2);
    assert_int_equal(pc_int(pc, 0x13, 0x4800, 0, 0, 0x80) & CARRY, 0);
    assert_int_equal(pc_peek(pc, 0x20004, 4), 20);
    assert_int_equal(pc_peek(pc, 0x20010, 4), 20160);
    assert_int_equal(pc_peek(pc, 0x20018, 2), 512);
    pc_poke(pc, 0x20000, 25, 2);
    assert_int_equal(pc_int(pc, 0x13, 0x4800, 0, 0, 0x80) & CARRY, CARRY);
}

static void put_boot_record(struct fixture *f) {
    memcpy(f->cd + 17 * 2048, "\0CD001\1EL TORITO SPECIFICATION", 31);
    f->cd[17 * 2048 + 0x47] = 19;
    memset(f->cd + 19 * 2048, 0, 64);
    f->cd[19 * 2048] = 1;
    f->cd[19 * 2048 + 32] = 0x88;
    f->cd[19 * 2048 + 32 + 6] = 4;
    f->cd[19 * 2048 + 32 + 8] = 21;
}

static void test_cd(void **state) {
    struct fixture *f = *state;
    struct pc *pc = f->pc;
    packet(pc, 2, 0x30000000, 17);
    assert_int_equal(pc_int(pc, 0x13, 0x4200, 0, 0, 0xe0) & CARRY, 0);
    assert_int_equal(pc_peek(pc, 0x30800, 4), 18);
    assert_int_equal(pc_int(pc, 0x13, 0x4300, 0, 0, 0xe0) & CARRY, CARRY);
    assert_int_equal(status(pc), 0x03);
    assert_int_equal(pc_int(pc, 0x13, 0x0201, 0, 1, 0xe0) & CARRY, CARRY);
    assert_int_equal(pc_int(pc, 0x13, 0x4b01, 0, 0, 0xe0) & CARRY, CARRY);
    put_boot_record(f);
    assert_int_equal(pc_int(pc, 0x13, 0x4b01, 0, 0, 0xe0) & CARRY, 0);
    assert_int_equal(pc_peek(pc, 0x20000, 4), 0x00e00013);
    assert_int_equal(pc_peek(pc, 0x20004, 4), 21);
    assert_int_equal(pc_int(pc, 0x13, 0x4b01, 0, 0, 0x80) & CARRY, CARRY);
    pc_poke(pc, 0x20000, 26, 2);
    assert_int_equal(pc_int(pc, 0x13, 0x4800, 0, 0, 0xe0) & CARRY, 0);
    assert_int_equal(pc_peek(pc, 0x20018, 2), 2048);
}

static void test_boot_again(void **state) {
    struct fixture *f = *state;
    struct pc *pc = f->pc;
    /* Without a signature there is nothing to boot. */
    pc_int(pc, 0x19, 0, 0, 0, 0);
    assert_int_equal(pc->cpu->seg[BLINK_SEG_CS].base, 0xf0000);
    assert_int_equal(pc_peek(pc, 0xf0000 + pc->cpu->rip, 2), 0xf4fa);
    assert_non_null(strstr(fakehost_log(pc->fh), "no disk that can be booted\n"));
    f->hard[510] = 0x55;
    f->hard[511] = 0xaa;
    f->hard[0] = 0xeb;
    pc_int(pc, 0x19, 0, 0, 0, 0);
    assert_int_equal(pc->cpu->seg[BLINK_SEG_CS].base + pc->cpu->rip, 0x7c00);
    assert_int_equal(pc_peek(pc, 0x7c00, 1), 0xeb);
    assert_int_equal(pc->cpu->gpr[BLINK_RDX], 0x80);
    /* By the reset vector, with vectors made anew. */
    pc_poke(pc, 0x10 * 4, 0, 4);
    pc_int(pc, 0xf0, 0, 0, 0, 0);
    assert_int_equal(pc_peek(pc, 0x10 * 4, 4), 0xf000c080);
    assert_int_equal(pc->cpu->seg[BLINK_SEG_CS].base + pc->cpu->rip, 0x7c00);
    assert_int_equal(pc_start(pc, 0xe0), 0);
    put_boot_record(f);
    pc_int(pc, 0x19, 0, 0, 0, 0);
    assert_int_equal(pc->cpu->seg[BLINK_SEG_CS].base + pc->cpu->rip, 0x7c00);
    assert_int_equal(pc_peek(pc, 0x7c00, 4), 21);
    assert_int_equal(pc->cpu->gpr[BLINK_RDX], 0xe0);
}

static void test_own_rom(void **state) {
    struct pc *pc = ((struct fixture *)*state)->pc;
    char path[] = "/tmp/test-bios-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    fakehost_mem_iface.protect(pc->cpu->mem, 0xe0000, 0x20000, BLINK_PROT_READ | BLINK_PROT_WRITE);
    assert_int_equal(ftruncate(fd, 0x30000), 0);
    assert_int_equal(pwrite(fd, "first", 5, 0x10000), 5);
    assert_int_equal(pwrite(fd, "last!", 5, 0x2fff0), 5);
    fakehost_set_option(pc->fh, "bios", path);
    assert_int_equal(pc_start(pc, 0), 0);
    assert_int_equal(pc->cpu->seg[BLINK_SEG_CS].base + pc->cpu->rip, 0xffff0);
    assert_int_equal(pc_peek(pc, 0xe0000, 4), 0x73726966);
    assert_int_equal(pc_peek(pc, 0xffff0, 4), 0x7473616c);
    assert_int_equal(pc_call(pc, 0x12), BLINK_ABI_UNHANDLED);
    assert_int_equal(ftruncate(fd, 1000), 0);
    assert_int_equal(pc_start(pc, 0), -ENOEXEC);
    assert_non_null(strstr(fakehost_log(pc->fh), "not a BIOS image"));
    close(fd);
    unlink(path);
    assert_int_equal(pc_start(pc, 0), -ENOENT);
}

#define BIOS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* Taken without effect, or told that it cannot be. */
static void test_small_services(void **state) {
    struct pc *pc = ((struct fixture *)*state)->pc;
    assert_int_equal(pc_int(pc, 0x13, 0x1600, 0, 0, 0x00) & CARRY, 0);
    assert_int_equal(pc_int(pc, 0x13, 0x1703, 0, 0, 0x00) & CARRY, 0);
    assert_int_equal(pc_int(pc, 0x13, 0x4500, 0, 0, 0x80) & CARRY, 0);
    assert_int_equal(AX(pc) & 0xff, 0); /* not locked */
    assert_int_equal(pc_int(pc, 0x13, 0x4501, 0, 0, 0x80) & CARRY, CARRY);
    assert_int_equal(pc_int(pc, 0x13, 0x4700, 0, 0, 0x80) & CARRY, 0);
    assert_int_equal(pc_int(pc, 0x13, 0x4e00, 0, 0, 0x80) & CARRY, 0);
    pc_int(pc, 0x18, 0, 0, 0, 0);
    assert_int_equal(pc->cpu->seg[BLINK_SEG_CS].selector, 0xf000);
    assert_string_equal(fakehost_log(pc->fh), "the guest found no disk that can be booted\n");
}

static const struct pc_function functions[] = {
    {0x13, 0x0000, 0xff00, 0x00, 0x00, "reset"},
    {0x13, 0x0100, 0xff00, 0x00, 0x00, "last status"},
    {0x13, 0x0200, 0xff00, 0x00, 0x00, "read"},
    {0x13, 0x0300, 0xff00, 0x00, 0x00, "write"},
    {0x13, 0x0400, 0xff00, 0x00, 0x00, "verify"},
    {0x13, 0x0500, 0xff00, 0x00, 0x00, "format"},
    {0x13, 0x0800, 0xff00, 0x00, 0x00, "parameters"},
    {0x13, 0x0900, 0xff00, 0x00, 0x00, "set parameters"},
    {0x13, 0x0c00, 0xff00, 0x00, 0x00, "seek"},
    {0x13, 0x0d00, 0xff00, 0x00, 0x00, "reset hard disks"},
    {0x13, 0x1000, 0xff00, 0x00, 0x00, "ready"},
    {0x13, 0x1100, 0xff00, 0x00, 0x00, "recalibrate"},
    {0x13, 0x1400, 0xff00, 0x00, 0x00, "diagnose"},
    {0x13, 0x1500, 0xff00, 0x00, 0x00, "kind"},
    {0x13, 0x1600, 0xff00, 0x00, 0x00, "change of disk"},
    {0x13, 0x1700, 0xff00, 0x00, 0x00, "set the kind"},
    {0x13, 0x1800, 0xff00, 0x00, 0x00, "set the medium"},
    {0x13, 0x4100, 0xff00, 0x00, 0x00, "extensions"},
    {0x13, 0x4200, 0xff00, 0x00, 0x00, "read by number"},
    {0x13, 0x4300, 0xff00, 0x00, 0x00, "write by number"},
    {0x13, 0x4400, 0xff00, 0x00, 0x00, "verify by number"},
    {0x13, 0x4500, 0xff00, 0x00, 0x00, "lock"},
    {0x13, 0x4700, 0xff00, 0x00, 0x00, "seek by number"},
    {0x13, 0x4800, 0xff00, 0x00, 0x00, "parameters, extended"},
    {0x13, 0x4b00, 0xff00, 0x00, 0x00, "emulation of CDs"},
    {0x13, 0x4e00, 0xff00, 0x00, 0x00, "set hardware"},
    {0x11, 0x0000, 0x0000, 0x00, 0x00, "equipment"},
    {0x18, 0x0000, 0x0000, 0x00, 0x00, "nothing to boot"},
    {0x19, 0x0000, 0x0000, 0x00, 0x00, "boot again"},
};

static int all_called(void **state) {
    (void)state;
    return pc_check_called(functions, sizeof functions / sizeof functions[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BIOS_TEST(test_equipment),        BIOS_TEST(test_read_by_cylinder),
        BIOS_TEST(test_write_and_verify), BIOS_TEST(test_parameters),
        BIOS_TEST(test_extensions),       BIOS_TEST(test_cd),
        BIOS_TEST(test_boot_again),       BIOS_TEST(test_own_rom),
        BIOS_TEST(test_small_services),
    };
    return cmocka_run_group_tests_name("media", tests, NULL, all_called);
}
