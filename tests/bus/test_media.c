/*
 * The services "blink.display/1" and "blink.disk/1": who offers, who asks, and what of it is
 * refused. A machine is played by a structure that holds its bus.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "bus/bus.h"

struct blink_machine {
    struct blink_bus *bus;
};

struct blink_bus *machine_bus(struct blink_machine *machine) {
    return machine->bus;
}

struct blink_plugin {
    uint32_t colour;
    uint32_t key, down;
    char text[16];
    uint8_t sectors[8][512];
    uint32_t flushes;
};

static const struct blink_display_iface *const display = &display_iface;
static const struct blink_disk_iface *const disk = &disk_iface;
static struct blink_machine machine;
static struct blink_screen screen;

static int setup(void **state) {
    (void)state;
    return bus_create(&machine.bus);
}

static int teardown(void **state) {
    (void)state;
    bus_destroy(machine.bus);
    return 0;
}

static void render(struct blink_plugin *self, struct blink_screen *out) {
    out->kind = BLINK_SCREEN_TEXT;
    out->palette[0] = self->colour;
}

static void test_displays(void **state) {
    struct blink_plugin a = {.colour = 1}, b = {.colour = 2};
    (void)state;
    assert_int_equal(display->snapshot(&machine, 0, &screen), -ENOENT);
    assert_int_equal(display->attach(&machine, &a, render), 0);
    assert_int_equal(display->attach(&machine, &b, render), 0);
    memset(&screen, 0xff, sizeof screen);
    assert_int_equal(display->snapshot(&machine, 1, &screen), 0);
    assert_int_equal(screen.struct_size, sizeof screen);
    assert_int_equal(screen.palette[0], 2);
    assert_int_equal(screen.palette[1], 0);
    assert_int_equal(screen.cursor, BLINK_SCREEN_NO_CURSOR);
    assert_int_equal(display->snapshot(&machine, 2, &screen), -ENOENT);
    display->detach(&machine, &a);
    assert_int_equal(display->snapshot(&machine, 0, &screen), 0);
    assert_int_equal(screen.palette[0], 2);
    for (int k = 0; k < 3; k++)
        assert_int_equal(display->attach(&machine, &a, render), 0);
    assert_int_equal(display->attach(&machine, &a, render), -ENOSPC);
    uint64_t before = display->generation(&machine);
    display->changed(&machine, &a);
    assert_true(display->generation(&machine) != before);
}

static void on_key(struct blink_plugin *self, uint32_t key, uint32_t down) {
    self->key = key;
    self->down = down;
}

static size_t on_type(struct blink_plugin *self, const char *text, size_t size) {
    size = size < sizeof self->text - 1 ? size : sizeof self->text - 1;
    memcpy(self->text, text, size);
    return size;
}

static void test_keyboard(void **state) {
    struct blink_plugin a = {0}, b = {0};
    (void)state;
    assert_int_equal(display->key(&machine, 0x1e, 1), -ENOENT);
    assert_int_equal(display->type(&machine, "x", 1), -ENOENT);
    assert_int_equal(display->set_keyboard(&machine, &a, on_key, NULL), -EINVAL);
    assert_int_equal(display->set_keyboard(&machine, &a, NULL, on_type), -EINVAL);
    assert_int_equal(display->set_keyboard(&machine, &a, on_key, on_type), 0);
    assert_int_equal(display->set_keyboard(&machine, &b, on_key, on_type), -EBUSY);
    assert_int_equal(display->key(&machine, 0xe048, 1), 0);
    assert_int_equal(a.key, 0xe048);
    assert_int_equal(a.down, 1);
    assert_int_equal(display->type(&machine, "a line that is too long", 23), 15);
    assert_string_equal(a.text, "a line that is ");
    display->detach(&machine, &b);
    assert_int_equal(display->key(&machine, 1, 0), 0);
    display->detach(&machine, &a);
    assert_int_equal(display->key(&machine, 1, 0), -ENOENT);
}

static int read_sectors(struct blink_plugin *self, void *arg, uint64_t sector, uint32_t count,
                        void *out) {
    assert_ptr_equal(arg, self->sectors);
    memcpy(out, self->sectors[sector], count * sizeof self->sectors[0]);
    return 0;
}

static int write_sectors(struct blink_plugin *self, void *arg, uint64_t sector, uint32_t count,
                         const void *bytes) {
    assert_ptr_equal(arg, self->sectors);
    memcpy(self->sectors[sector], bytes, count * sizeof self->sectors[0]);
    return 0;
}

static int flush(struct blink_plugin *self, void *arg) {
    (void)arg;
    self->flushes++;
    return 0;
}

static struct blink_disk drive(struct blink_plugin *self, uint32_t kind) {
    return (struct blink_disk){
        .struct_size = sizeof(struct blink_disk),
        .kind = kind,
        .sector_size = 512,
        .sectors = 8,
        .arg = self->sectors,
        .read = read_sectors,
        .write = write_sectors,
        .flush = flush,
    };
}

static void test_drives(void **state) {
    static struct blink_plugin a, b;
    struct blink_disk d = drive(&a, BLINK_DISK_HARD), got;
    uint8_t sector[2][512];
    (void)state;
    assert_int_equal(disk->info(&machine, BLINK_DISK_HARD, 0, &got), -ENOENT);
    assert_int_equal(disk->attach(&machine, &a, &d), 0);
    d = drive(&a, BLINK_DISK_FLOPPY);
    d.read_only = 1;
    d.write = NULL;
    d.flush = NULL;
    assert_int_equal(disk->attach(&machine, &a, &d), 0);
    d = drive(&b, BLINK_DISK_HARD);
    assert_int_equal(disk->attach(&machine, &b, &d), 0);
    assert_int_equal(disk->info(&machine, BLINK_DISK_HARD, 1, &got), 0);
    assert_int_equal(got.sectors, 8);
    assert_null(got.read);
    assert_int_equal(disk->info(&machine, BLINK_DISK_HARD, 2, &got), -ENOENT);
    memset(sector, 0x5a, sizeof sector);
    assert_int_equal(disk->write(&machine, BLINK_DISK_HARD, 1, 6, 2, sector), 0);
    assert_int_equal(b.sectors[7][511], 0x5a);
    assert_int_equal(a.sectors[7][511], 0);
    memset(sector, 0, sizeof sector);
    assert_int_equal(disk->read(&machine, BLINK_DISK_HARD, 1, 7, 1, sector), 0);
    assert_int_equal(sector[0][0], 0x5a);
    assert_int_equal(disk->read(&machine, BLINK_DISK_HARD, 1, 7, 2, sector), -EINVAL);
    assert_int_equal(disk->read(&machine, BLINK_DISK_HARD, 1, UINT64_MAX, 1, sector), -EINVAL);
    assert_int_equal(disk->write(&machine, BLINK_DISK_HARD, 1, 8, 1, sector), -EINVAL);
    assert_int_equal(disk->write(&machine, BLINK_DISK_FLOPPY, 0, 0, 1, sector), -EROFS);
    assert_int_equal(disk->read(&machine, BLINK_DISK_CD, 0, 0, 1, sector), -ENOENT);
    assert_int_equal(disk->write(&machine, BLINK_DISK_CD, 0, 0, 1, sector), -ENOENT);
    assert_int_equal(disk->flush(&machine, BLINK_DISK_HARD, 1), 0);
    assert_int_equal(b.flushes, 1);
    assert_int_equal(disk->flush(&machine, BLINK_DISK_FLOPPY, 0), 0);
    assert_int_equal(disk->flush(&machine, BLINK_DISK_CD, 0), -ENOENT);
    disk->detach(&machine, &a);
    assert_int_equal(disk->info(&machine, BLINK_DISK_FLOPPY, 0, &got), -ENOENT);
    assert_int_equal(disk->info(&machine, BLINK_DISK_HARD, 0, &got), 0);
    assert_int_equal(disk->info(&machine, BLINK_DISK_HARD, 1, &got), -ENOENT);
}

static void test_bad_drives(void **state) {
    static struct blink_plugin a;
    struct blink_disk d = drive(&a, BLINK_DISK_KINDS);
    (void)state;
    assert_int_equal(disk->attach(&machine, &a, &d), -EINVAL);
    d = drive(&a, BLINK_DISK_HARD);
    d.sector_size = 0;
    assert_int_equal(disk->attach(&machine, &a, &d), -EINVAL);
    d = drive(&a, BLINK_DISK_HARD);
    d.read = NULL;
    assert_int_equal(disk->attach(&machine, &a, &d), -EINVAL);
    d = drive(&a, BLINK_DISK_HARD);
    d.write = NULL;
    assert_int_equal(disk->attach(&machine, &a, &d), -EINVAL);
    d = drive(&a, BLINK_DISK_HARD);
    for (int k = 0; k < 16; k++)
        assert_int_equal(disk->attach(&machine, &a, &d), 0);
    assert_int_equal(disk->attach(&machine, &a, &d), -ENOSPC);
}

#define MEDIA_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        MEDIA_TEST(test_displays),
        MEDIA_TEST(test_keyboard),
        MEDIA_TEST(test_drives),
        MEDIA_TEST(test_bad_drives),
    };
    return cmocka_run_group_tests_name("media", tests, NULL, NULL);
}
