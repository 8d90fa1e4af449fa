/*
 * device-disk against the fake host: what image files are taken for, what is written where, and
 * the ATA registers with their commands.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <blink/device.h>

#include "fakehost.h"

#define IRQ 14

enum { DATA = 0x1f0, ERROR, COUNT, LBA0, LBA1, LBA2, SELECT, STATUS, COMMAND = STATUS };
#define ALTERNATE 0x3f6

struct fixture {
    struct fakehost *fh;
    const struct blink_device_ops *ops;
    struct blink_plugin *device, *other;
    char path[2][32];
};

static int setup(void **state) {
    static struct fixture f;
    memset(&f, 0, sizeof f);
    f.fh = fakehost_create();
    f.ops = fakehost_find(&blink_plugin_entry, BLINK_KIND_DEVICE, "disk");
    for (int k = 0; k < 2; k++) {
        strcpy(f.path[k], "/tmp/test-disk-XXXXXX");
        close(mkstemp(f.path[k]));
    }
    *state = &f;
    return f.ops ? 0 : -1;
}

static void end(struct fixture *f, struct blink_plugin **device) {
    if (*device)
        f->ops->plugin.deactivate(*device);
    f->ops->plugin.destroy(*device);
    *device = NULL;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    end(f, &f->device);
    end(f, &f->other);
    fakehost_destroy(f->fh);
    for (int k = 0; k < 2; k++)
        unlink(f->path[k]);
    return 0;
}

/* An image of `size` bytes: each sector begins with its number, `patch` lies over the first. */
static void make_image(struct fixture *f, int n, off_t size, const void *patch, size_t patch_size) {
    int fd = open(f->path[n], O_RDWR | O_TRUNC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, size), 0);
    for (uint32_t k = 0; k < 64 && (off_t)k * 512 + 4 <= size; k++)
        assert_int_equal(pwrite(fd, &k, 4, (off_t)k * 512), 4);
    assert_int_equal(pwrite(fd, patch, patch_size, 0), (ssize_t)patch_size);
    close(fd);
}

static void begin(struct fixture *f, const char *words) {
    char args[64];
    snprintf(args, sizeof args, "%s%s", f->path[0], words);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), args, &f->device), 0);
    assert_int_equal(f->ops->plugin.activate(f->device), 0);
    f->ops->reset(f->device);
}

static struct blink_disk info(struct fixture *f, uint32_t kind, uint32_t n) {
    struct blink_disk d;
    assert_int_equal(fakehost_disk_iface.info(fakehost_machine(f->fh), kind, n, &d), 0);
    return d;
}

static int move(struct fixture *f, uint32_t kind, bool write, uint64_t sector, void *bytes) {
    struct blink_machine *m = fakehost_machine(f->fh);
    return write ? fakehost_disk_iface.write(m, kind, 0, sector, 1, bytes)
                 : fakehost_disk_iface.read(m, kind, 0, sector, 1, bytes);
}

static uint8_t file_byte(struct fixture *f, off_t at) {
    uint8_t byte = 0;
    int fd = open(f->path[0], O_RDONLY);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    close(fd);
    return byte;
}

/* ---- kinds and shapes ---- */

static void test_floppies(void **state) {
    static const uint32_t formats[][4] = {{160, 40, 1, 8},
                                          {180, 40, 1, 9},
                                          {320, 40, 2, 8},
                                          {360, 40, 2, 9},
                                          {720, 80, 2, 9},
                                          {1200, 80, 2, 15},
                                          {1440, 80, 2, 18},
                                          {1680, 80, 2, 21},
                                          {2880, 80, 2, 36},
                                          /* Of no size that is known: the drive that has room. */
                                          {1, 80, 2, 18},
                                          {1000, 80, 2, 18},
                                          {1441, 80, 2, 36}};
    struct fixture *f = *state;
    for (size_t k = 0; k < sizeof formats / sizeof formats[0]; k++) {
        make_image(f, 0, formats[k][0] * 1024, "", 0);
        begin(f, "");
        struct blink_disk d = info(f, BLINK_DISK_FLOPPY, 0);
        assert_int_equal(d.cylinders, formats[k][1]);
        assert_int_equal(d.heads, formats[k][2]);
        assert_int_equal(d.track_sectors, formats[k][3]);
        assert_int_equal(d.sectors, formats[k][1] * formats[k][2] * formats[k][3]);
        assert_int_equal(d.sector_size, 512);
        assert_int_equal(d.read_only, 0);
        assert_false(fakehost_port_claimed(f->fh, DATA)); /* no ATA for floppies */
        end(f, &f->device);
    }
}

/* A parameter block tells of a format that no table has. */
static void test_told_floppy(void **state) {
    struct fixture *f = *state;
    uint8_t s[512] = {0xeb};
    s[12] = 2;
    s[19] = (uint8_t)(82 * 2 * 21);
    s[20] = (uint8_t)(82 * 2 * 21 >> 8);
    s[24] = 21;
    s[26] = 2;
    make_image(f, 0, 82 * 2 * 21 * 512, s, sizeof s);
    begin(f, "");
    struct blink_disk d = info(f, BLINK_DISK_FLOPPY, 0);
    assert_int_equal(d.cylinders, 82);
    assert_int_equal(d.track_sectors, 21);
}

static void test_hard_disks(void **state) {
    struct fixture *f = *state;
    uint8_t s[512] = {0};
    s[510] = 0x55;
    s[511] = 0xaa;
    make_image(f, 0, 100 << 20, s, sizeof s);
    begin(f, "");
    struct blink_disk d = info(f, BLINK_DISK_HARD, 0);
    assert_int_equal(d.sectors, 204800);
    assert_int_equal(d.heads, 16);
    assert_int_equal(d.track_sectors, 63);
    assert_int_equal(d.cylinders, 203);
    end(f, &f->device);
    make_image(f, 0, (off_t)8 << 30, s, sizeof s);
    begin(f, "");
    d = info(f, BLINK_DISK_HARD, 0);
    assert_int_equal(d.heads, 255);
    assert_int_equal(d.cylinders, 1044);
    end(f, &f->device);
    /* Partitions tell of heads and sectors, and make a small image a hard disk. */
    s[446] = 0x80;
    s[446 + 4] = 0x83;
    s[446 + 5] = 3;  /* ends at head 3 */
    s[446 + 6] = 17; /* sector 17 */
    s[446 + 8] = 17;
    s[446 + 12] = 100;
    make_image(f, 0, 1 << 20, s, sizeof s);
    begin(f, "");
    d = info(f, BLINK_DISK_HARD, 0);
    assert_int_equal(d.sectors, 2048);
    assert_int_equal(d.heads, 4);
    assert_int_equal(d.track_sectors, 17);
    assert_int_equal(d.cylinders, 30);
    end(f, &f->device);
    /* The person knows better. */
    begin(f, ",floppy,ro");
    assert_int_equal(info(f, BLINK_DISK_FLOPPY, 0).read_only, 1);
    end(f, &f->device);
    make_image(f, 0, 1440 << 10, "", 0);
    begin(f, ",rw,hd");
    assert_int_equal(info(f, BLINK_DISK_HARD, 0).sectors, 2880);
}

static void test_cd(void **state) {
    struct fixture *f = *state;
    uint8_t sector[2048];
    make_image(f, 0, 40 * 2048, "", 0);
    int fd = open(f->path[0], O_WRONLY);
    assert_int_equal(pwrite(fd, "\1CD001", 6, 16 * 2048), 6);
    close(fd);
    begin(f, "");
    struct blink_disk d = info(f, BLINK_DISK_CD, 0);
    assert_int_equal(d.sectors, 40);
    assert_int_equal(d.sector_size, 2048);
    assert_int_equal(d.heads, 0);
    assert_int_equal(d.read_only, 1);
    assert_int_equal(move(f, BLINK_DISK_CD, false, 16, sector), 0);
    assert_memory_equal(sector, "\1CD001", 6);
}

/* ---- what is written where ---- */

static void test_modes(void **state) {
    struct fixture *f = *state;
    uint8_t bytes[512], back[512];
    memset(bytes, 0x77, sizeof bytes);
    make_image(f, 0, 1440 << 10, "", 0);
    begin(f, "");
    assert_int_equal(move(f, BLINK_DISK_FLOPPY, true, 9, bytes), 0);
    assert_int_equal(move(f, BLINK_DISK_FLOPPY, false, 9, back), 0);
    assert_memory_equal(bytes, back, 512);
    assert_int_equal(move(f, BLINK_DISK_FLOPPY, false, 10, back), 0);
    assert_int_equal(back[0], 10);
    assert_int_equal(file_byte(f, 9 * 512), 9);
    end(f, &f->device);
    begin(f, ",ro");
    assert_int_equal(move(f, BLINK_DISK_FLOPPY, true, 9, bytes), -EROFS);
    assert_int_equal(move(f, BLINK_DISK_FLOPPY, false, 9, back), 0);
    assert_int_equal(back[0], 9);
    end(f, &f->device);
    begin(f, ",rw");
    assert_int_equal(move(f, BLINK_DISK_FLOPPY, true, 9, bytes), 0);
    assert_int_equal(file_byte(f, 9 * 512), 0x77);
    assert_int_equal(fakehost_disk_iface.flush(fakehost_machine(f->fh), BLINK_DISK_FLOPPY, 0), 0);
    /* Two machines must not write to one image. */
    char args[64];
    snprintf(args, sizeof args, "%s,rw", f->path[0]);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), args, &f->other), -EBUSY);
    assert_non_null(strstr(fakehost_log(f->fh), "another machine writes to it\n"));
}

/* The end of a short image is zero, can be written, and does not reach the file unless it shall. */
static void test_short_image(void **state) {
    struct fixture *f = *state;
    uint8_t bytes[512];
    make_image(f, 0, 513, "", 0);
    begin(f, "");
    assert_int_equal(move(f, BLINK_DISK_FLOPPY, false, 1, bytes), 0);
    assert_int_equal(bytes[0], 0);
    assert_int_equal(move(f, BLINK_DISK_FLOPPY, false, 2879, bytes), 0);
    bytes[0] = 1;
    assert_int_equal(move(f, BLINK_DISK_FLOPPY, true, 2879, bytes), 0);
    bytes[0] = 0;
    assert_int_equal(move(f, BLINK_DISK_FLOPPY, false, 2879, bytes), 0);
    assert_int_equal(bytes[0], 1);
    assert_int_equal(move(f, BLINK_DISK_FLOPPY, false, 2880, bytes), -EINVAL);
    struct stat st;
    assert_int_equal(stat(f->path[0], &st), 0);
    assert_int_equal(st.st_size, 513);
}

/* An image that shrinks under a machine. */
static void test_shrinking_image(void **state) {
    struct fixture *f = *state;
    uint8_t bytes[512];
    make_image(f, 0, 1440 << 10, "", 0);
    begin(f, "");
    assert_int_equal(truncate(f->path[0], 0), 0);
    assert_int_equal(move(f, BLINK_DISK_FLOPPY, false, 9, bytes), 0);
    assert_int_equal(bytes[0], 0);
}

/* A kill in the middle of writing leaves whole sectors, old or new. */
static void test_kill(void **state) {
    struct fixture *f = *state;
    int ready[2];
    make_image(f, 0, 1440 << 10, "", 0);
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        uint8_t bytes[512];
        begin(f, ",rw");
        for (uint32_t n = 0;; n++) {
            memset(bytes, (int)n, sizeof bytes);
            move(f, BLINK_DISK_FLOPPY, true, 100 + n % 50, bytes);
            if (n == 500 && write(ready[1], "", 1) != 1)
                _exit(1);
        }
    }
    char c;
    assert_int_equal(read(ready[0], &c, 1), 1);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(ready[0]);
    close(ready[1]);
    begin(f, ",rw"); /* its lock is gone with it */
    for (uint32_t n = 0; n < 50; n++) {
        uint8_t bytes[512];
        assert_int_equal(move(f, BLINK_DISK_FLOPPY, false, 100 + n, bytes), 0);
        for (int k = 1; k < 512; k++)
            assert_int_equal(bytes[k], bytes[0]);
    }
}

/* ---- ATA ---- */

static uint8_t in(struct fixture *f, uint16_t port) {
    return (uint8_t)fakehost_port_read(f->fh, port, 1);
}
static void out(struct fixture *f, uint16_t port, uint8_t v) {
    fakehost_port_write(f->fh, port, 1, v);
}

static void ata_image(struct fixture *f, const char *words) {
    make_image(f, 0, 10 << 20, "", 0);
    begin(f, words);
}

/* A command at LBA `at`, or with the registers as they stand where count is 0. */
static void command(struct fixture *f, uint8_t code, uint32_t at, uint8_t count) {
    out(f, COUNT, count);
    out(f, LBA0, (uint8_t)at);
    out(f, LBA1, (uint8_t)(at >> 8));
    out(f, LBA2, (uint8_t)(at >> 16));
    out(f, SELECT, (uint8_t)(0xe0 | at >> 24));
    out(f, COMMAND, code);
}

static void data_in(struct fixture *f, uint8_t *bytes) {
    assert_int_equal(in(f, ALTERNATE) & 0x89, 0x08);
    for (int k = 0; k < 512; k += 2) {
        uint64_t v = fakehost_port_read(f->fh, DATA, 2);
        bytes[k] = (uint8_t)v;
        bytes[k + 1] = (uint8_t)(v >> 8);
    }
}

static void data_out(struct fixture *f, uint8_t fill) {
    assert_int_equal(in(f, ALTERNATE) & 0x89, 0x08);
    for (int k = 0; k < 512; k += 4)
        fakehost_port_write(f->fh, DATA, 4, fill * 0x01010101u);
}

static void test_ata_read(void **state) {
    struct fixture *f = *state;
    uint8_t s[512];
    ata_image(f, "");
    assert_int_equal(in(f, STATUS), 0x50);
    command(f, 0x20, 5, 2);
    assert_int_equal(fakehost_irq(f->fh, IRQ), 1);
    assert_int_equal(in(f, STATUS), 0x58);
    assert_int_equal(fakehost_irq(f->fh, IRQ), 0);
    data_in(f, s);
    assert_int_equal(s[0], 5);
    assert_int_equal(fakehost_irq(f->fh, IRQ), 1); /* the second one is there */
    data_in(f, s);
    assert_int_equal(s[0], 6);
    assert_int_equal(in(f, STATUS), 0x50);
    assert_int_equal(in(f, LBA0), 6);
    assert_int_equal(fakehost_irq_edges(f->fh, IRQ), 2);
    /* By cylinder, head and sector: 16 heads of 63. */
    out(f, COUNT, 1);
    out(f, LBA0, 2);
    out(f, LBA1, 0);
    out(f, LBA2, 0);
    out(f, SELECT, 0xa0);
    out(f, COMMAND, 0x20);
    data_in(f, s);
    assert_int_equal(s[0], 1);
    out(f, SELECT, 0xa0);
    out(f, LBA0, 0); /* sectors begin with 1 */
    out(f, COMMAND, 0x20);
    assert_int_equal(in(f, STATUS) & 0x09, 0x01);
    assert_int_equal(in(f, ERROR), 0x10);
    /* Past the end. */
    command(f, 0x20, 20479, 2);
    data_in(f, s);
    assert_int_equal(in(f, STATUS) & 0x09, 0x01);
    assert_int_equal(in(f, ERROR), 0x10);
    assert_int_equal(in(f, LBA1) << 8 | in(f, LBA0), 20480);
    /* Blocks have one interrupt each. */
    uint32_t edges = fakehost_irq_edges(f->fh, IRQ);
    command(f, 0xc6, 0, 4);
    assert_int_equal(in(f, STATUS), 0x50);
    command(f, 0xc4, 0, 8);
    for (int k = 0; k < 8; k++) {
        data_in(f, s);
        assert_int_equal(s[0], k);
        in(f, STATUS);
    }
    assert_int_equal(fakehost_irq_edges(f->fh, IRQ) - edges, 3);
    /* 48-bit addresses: each register is written twice. */
    out(f, COUNT, 0);
    out(f, LBA0, 0);
    out(f, LBA1, 0);
    out(f, LBA2, 0);
    command(f, 0x24, 33, 1);
    data_in(f, s);
    assert_int_equal(s[0], 33);
    out(f, LBA0, 1);
    command(f, 0x24, 33, 1);
    assert_int_equal(in(f, STATUS) & 1, 1);
}

static void test_ata_write(void **state) {
    struct fixture *f = *state;
    uint8_t s[512];
    ata_image(f, ",rw");
    command(f, 0x30, 7, 2);
    assert_int_equal(fakehost_irq(f->fh, IRQ), 0);
    data_out(f, 0xab);
    assert_int_equal(fakehost_irq(f->fh, IRQ), 1);
    assert_int_equal(in(f, STATUS), 0x58);
    assert_int_equal(file_byte(f, 7 * 512 + 511), 0xab);
    data_out(f, 0xcd);
    assert_int_equal(fakehost_irq(f->fh, IRQ), 1);
    assert_int_equal(in(f, STATUS), 0x50);
    assert_int_equal(file_byte(f, 8 * 512), 0xcd);
    command(f, 0xe7, 0, 0);
    assert_int_equal(in(f, STATUS), 0x50);
    /* Verifying; past the end. */
    command(f, 0x40, 20470, 10);
    assert_int_equal(in(f, STATUS), 0x50);
    command(f, 0x40, 20470, 11);
    assert_int_equal(in(f, STATUS) & 1, 1);
    command(f, 0x30, 20480, 1);
    assert_int_equal(in(f, STATUS) & 0x09, 0x01);
    /* A write is not a read. */
    command(f, 0x30, 7, 1);
    assert_int_equal(fakehost_port_read(f->fh, DATA, 2), 0xffff);
    data_out(f, 0x11);
    command(f, 0x20, 7, 1);
    fakehost_port_write(f->fh, DATA, 2, 0);
    data_in(f, s);
    assert_int_equal(s[511], 0x11);
}

static void test_ata_read_only(void **state) {
    struct fixture *f = *state;
    ata_image(f, ",ro");
    command(f, 0x30, 7, 1);
    data_out(f, 0xab);
    assert_int_equal(in(f, STATUS) & 0x09, 0x01);
    assert_int_equal(in(f, ERROR), 0x04);
    assert_int_equal(file_byte(f, 7 * 512), 7);
}

static void test_ata_identify(void **state) {
    struct fixture *f = *state;
    uint8_t s[512], sum = 0;
    ata_image(f, "");
    command(f, 0xec, 0, 0);
    assert_int_equal(fakehost_irq(f->fh, IRQ), 1);
    data_in(f, s);
    assert_int_equal(in(f, STATUS), 0x50);
    assert_memory_equal(s + 54, "lbni kidks", 10);
    assert_int_equal(s[120] | s[121] << 8 | s[122] << 16, 20480);
    assert_int_equal(s[200] | s[201] << 8, 20480);
    assert_int_equal(s[99] & 3, 2);
    for (int k = 0; k < 512; k++)
        sum = (uint8_t)(sum + s[k]);
    assert_int_equal(sum, 0);
    /* A shape that the driver sets. */
    out(f, COUNT, 32);
    out(f, SELECT, 0xa7);
    out(f, COMMAND, 0x91);
    assert_int_equal(in(f, STATUS), 0x50);
    command(f, 0xec, 0, 0);
    data_in(f, s);
    assert_int_equal(s[110], 8);
    assert_int_equal(s[112], 32);
    assert_int_equal(s[108], 80);
}

static void test_ata_others(void **state) {
    struct fixture *f = *state;
    static const uint8_t fine[] = {0x10, 0x70, 0xe0, 0xe1, 0xe2, 0xe3, 0xe5, 0xe6, 0xe7, 0xea};
    static const uint8_t refused[] = {0x00, 0xa0, 0xa1, 0xc8, 0xca, 0x25, 0x35, 0xff, 0xb0};
    ata_image(f, "");
    for (size_t k = 0; k < sizeof fine; k++) {
        command(f, fine[k], 0, 1);
        assert_int_equal(fakehost_irq(f->fh, IRQ), 1);
        assert_int_equal(in(f, STATUS), 0x50);
    }
    for (size_t k = 0; k < sizeof refused; k++) {
        command(f, refused[k], 0, 1);
        assert_int_equal(in(f, STATUS), 0x51);
        assert_int_equal(in(f, ERROR), 0x04);
    }
    out(f, ERROR, 0x03); /* features: PIO mode 4, and a DMA mode */
    command(f, 0xef, 0, 0x0c);
    assert_int_equal(in(f, STATUS), 0x50);
    command(f, 0xef, 0, 0x22);
    assert_int_equal(in(f, STATUS), 0x51);
    command(f, 0xc6, 0, 3);
    assert_int_equal(in(f, STATUS), 0x51);
    command(f, 0xc6, 0, 0);
    command(f, 0xc4, 0, 1);
    assert_int_equal(in(f, STATUS), 0x51);
    command(f, 0xf8, 0, 0);
    assert_int_equal(in(f, LBA1) << 8 | in(f, LBA0), 20479);
    command(f, 0x90, 0, 0);
    assert_int_equal(in(f, ERROR), 0x01);
    assert_int_equal(in(f, COUNT), 1);
    assert_int_equal(in(f, LBA1), 0);
}

static void test_ata_reset_and_select(void **state) {
    struct fixture *f = *state;
    ata_image(f, "");
    /* There is no second drive. */
    out(f, SELECT, 0xf0);
    assert_int_equal(in(f, STATUS), 0);
    out(f, COMMAND, 0xec);
    assert_int_equal(in(f, STATUS), 0);
    out(f, SELECT, 0xe0);
    assert_int_equal(in(f, STATUS), 0x50);
    out(f, COMMAND, 0xec);
    assert_int_equal(in(f, ALTERNATE), 0x58);
    out(f, ALTERNATE, 0x04);
    assert_int_equal(in(f, ALTERNATE), 0x80);
    assert_int_equal(fakehost_irq(f->fh, IRQ), 0);
    out(f, ALTERNATE, 0x02);
    assert_int_equal(in(f, STATUS), 0x50);
    assert_int_equal(in(f, LBA0), 1);
    /* Interrupts off. */
    command(f, 0xe5, 0, 0);
    assert_int_equal(fakehost_irq(f->fh, IRQ), 0);
    assert_int_equal(in(f, COUNT), 0xff);
    out(f, ALTERNATE, 0x00);
    assert_int_equal(fakehost_irq(f->fh, IRQ), 1);
}

/* Several images by the option, as the machine gives it. */
static void test_option(void **state) {
    struct fixture *f = *state;
    char list[128];
    make_image(f, 0, 10 << 20, "", 0);
    make_image(f, 1, 12 << 20, "", 0);
    snprintf(list, sizeof list, "%s\n%s,ro\n%s,floppy", f->path[0], f->path[1], f->path[1]);
    fakehost_set_option(f->fh, "disk", list);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "", &f->device), 0);
    assert_int_equal(f->ops->plugin.activate(f->device), 0);
    assert_int_equal(info(f, BLINK_DISK_HARD, 0).sectors, 20480);
    assert_int_equal(info(f, BLINK_DISK_HARD, 1).sectors, 24576);
    assert_int_equal(info(f, BLINK_DISK_HARD, 1).read_only, 1);
    info(f, BLINK_DISK_FLOPPY, 0);
    out(f, SELECT, 0xf0);
    out(f, COMMAND, 0xf8);
    assert_int_equal(in(f, LBA1) << 8 | in(f, LBA0), 24575);
    assert_false(fakehost_port_claimed(f->fh, 0x170));
    /* Another instance has no channel of its own, and its drive is there for a BIOS. */
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), f->path[0], &f->other), 0);
    assert_int_equal(f->ops->plugin.activate(f->other), 0);
    info(f, BLINK_DISK_HARD, 2);
    end(f, &f->device);
    assert_false(fakehost_port_claimed(f->fh, DATA));
    info(f, BLINK_DISK_HARD, 0);
}

static void test_refusals(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *args, *says;
        int err;
    } bad[] = {
        {"/no/such/file", "disk: /no/such/file: No such file or directory\n", -ENOENT},
        {"/tmp", "disk: /tmp: Is a directory\n", -EISDIR},
        {"/dev/null", "disk: /dev/null: not a regular file\n", -ENOTBLK},
        {"/no,such,wr", "disk: /no,such,wr: No such file or directory\n", -ENOENT},
    };
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        fakehost_log_clear(f->fh);
        assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), bad[k].args, &f->device),
                         bad[k].err);
        assert_string_equal(fakehost_log(f->fh), bad[k].says);
    }
    fakehost_log_clear(f->fh);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), f->path[0], &f->device), -ENODATA);
    assert_non_null(strstr(fakehost_log(f->fh), ": empty file\n"));
    /* No disks at all is fine. */
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "", &f->device), 0);
    assert_int_equal(f->ops->plugin.activate(f->device), 0);
}

#define DEVICE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(test_floppies),        DEVICE_TEST(test_told_floppy),
        DEVICE_TEST(test_hard_disks),      DEVICE_TEST(test_cd),
        DEVICE_TEST(test_modes),           DEVICE_TEST(test_short_image),
        DEVICE_TEST(test_shrinking_image), DEVICE_TEST(test_kill),
        DEVICE_TEST(test_ata_read),        DEVICE_TEST(test_ata_write),
        DEVICE_TEST(test_ata_read_only),   DEVICE_TEST(test_ata_identify),
        DEVICE_TEST(test_ata_others),      DEVICE_TEST(test_ata_reset_and_select),
        DEVICE_TEST(test_option),          DEVICE_TEST(test_refusals),
    };
    return cmocka_run_group_tests_name("disk", tests, NULL, NULL);
}
