/*
 * device-power against the fake host and a board that keeps a record: A20, resets, the ways to end.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <blink/device.h>
#include <blink/system.h>

#include "fakehost.h"

struct fixture {
    struct fakehost *fh;
    const struct blink_device_ops *ops;
    struct blink_plugin *device;
};

/* What the board was asked for; one machine at a time. */
static char record[256];
static uint32_t gate;

static void note(const char *what, int n) {
    size_t at = strlen(record);
    snprintf(record + at, sizeof record - at, "%s%d ", what, n);
}
static void set_a20(struct blink_machine *machine, uint32_t open) {
    (void)machine;
    gate = open != 0;
    note("gate", (int)gate);
}
static uint32_t a20(struct blink_machine *machine) {
    (void)machine;
    return gate;
}
static void reset(struct blink_machine *machine) {
    (void)machine;
    note("reset", 0);
}
static void power_off(struct blink_machine *machine, int32_t status) {
    (void)machine;
    note("off", status);
}
static const struct blink_system_iface board = {
    .struct_size = sizeof board,
    .set_a20 = set_a20,
    .a20 = a20,
    .reset = reset,
    .power_off = power_off,
};

static int setup(void **state) {
    static struct fixture f;
    f.fh = fakehost_create();
    f.ops = fakehost_find(&blink_plugin_entry, BLINK_KIND_DEVICE, "power");
    f.device = NULL;
    fakehost_set_iface(f.fh, BLINK_IFACE_SYSTEM, &board);
    record[0] = 0;
    gate = 1;
    *state = &f;
    if (!f.ops || f.ops->plugin.create(fakehost_host(f.fh), "", &f.device) ||
        f.ops->plugin.activate(f.device))
        return -1;
    f.ops->reset(f.device);
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    f->ops->plugin.destroy(f->device);
    fakehost_destroy(f->fh);
    return 0;
}

static void test_a20(void **state) {
    struct fixture *f = *state;
    assert_int_equal(fakehost_port_read(f->fh, 0x92, 1), 2);
    fakehost_port_write(f->fh, 0x92, 1, 0x80);
    assert_int_equal(fakehost_port_read(f->fh, 0x92, 1), 0x80);
    gate = 1; /* somebody else moved it */
    assert_int_equal(fakehost_port_read(f->fh, 0x92, 1), 0x82);
    fakehost_port_write(f->fh, 0x92, 1, 3);
    assert_string_equal(record, "gate0 gate1 reset0 ");
    /* The bit that resets is not kept. */
    assert_int_equal(fakehost_port_read(f->fh, 0x92, 1), 2);
}

static void test_reset_control(void **state) {
    struct fixture *f = *state;
    fakehost_port_write(f->fh, 0xcf9, 1, 2);
    assert_string_equal(record, "");
    assert_int_equal(fakehost_port_read(f->fh, 0xcf9, 1), 2);
    fakehost_port_write(f->fh, 0xcf9, 1, 6);
    assert_string_equal(record, "reset0 ");
    fakehost_port_write(f->fh, 0xcf9, 1, 0xe);
    assert_string_equal(record, "reset0 reset0 ");
    assert_int_equal(fakehost_port_read(f->fh, 0xcf9, 1), 0xa);
    /* A search for PCI writes to the same place, and finds nothing. */
    record[0] = 0;
    fakehost_port_write(f->fh, 0xcf8, 4, 0x80000400);
    assert_int_equal(fakehost_port_read(f->fh, 0xcf8, 4), 0xffffffff);
    fakehost_port_write(f->fh, 0xcf8, 2, 0x0400);
    fakehost_port_write(f->fh, 0xcfb, 1, 4);
    assert_int_equal(fakehost_port_read(f->fh, 0xcfb, 1), 0xff);
    assert_string_equal(record, "");
    assert_int_equal(fakehost_port_read(f->fh, 0xcf9, 1), 0xa);
}

static void test_exit_status(void **state) {
    static const struct {
        uint32_t size;
        uint64_t value;
        const char *want;
    } rows[] = {
        {1, 0, "off1 "},    {1, 1, "off3 "},     {1, 0x7f, "off255 "},
        {1, 0x80, "off1 "}, {4, 0x10, "off33 "},
    };
    struct fixture *f = *state;
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        record[0] = 0;
        fakehost_port_write(f->fh, 0xf4, rows[k].size, rows[k].value);
        assert_string_equal(record, rows[k].want);
    }
    record[0] = 0;
    fakehost_port_write(f->fh, 0xf5, 1, 1);
    assert_string_equal(record, "");
}

static void test_power_management(void **state) {
    struct fixture *f = *state;
    fakehost_port_write(f->fh, 0x604, 2, 0x0001);
    fakehost_port_write(f->fh, 0x604, 1, 0x20);
    assert_string_equal(record, "");
    fakehost_port_write(f->fh, 0x604, 2, 0x2000);
    fakehost_port_write(f->fh, 0x605, 1, 0x20);
    assert_string_equal(record, "off0 off0 ");
}

/* What ACPI wants of it, as its tables tell. */
static void test_acpi(void **state) {
    struct fixture *f = *state;
    assert_int_equal(fakehost_port_read(f->fh, 0x604, 2), 1);
    fakehost_port_write(f->fh, 0x604, 2, 0x1c06);
    assert_int_equal(fakehost_port_read(f->fh, 0x604, 2), 0x1c03);
    fakehost_port_write(f->fh, 0x605, 1, 0x04);
    assert_int_equal(fakehost_port_read(f->fh, 0x604, 2), 0x0403);
    fakehost_port_write(f->fh, 0x604, 1, 0);
    assert_int_equal(fakehost_port_read(f->fh, 0x604, 2), 0x0401);
    assert_int_equal(fakehost_port_read(f->fh, 0x605, 1), 4);
    /* Events that can be enabled and do not happen. */
    fakehost_port_write(f->fh, 0x600, 4, 0xffffffff);
    assert_int_equal(fakehost_port_read(f->fh, 0x600, 4), 0x07210000);
    fakehost_port_write(f->fh, 0x602, 1, 0x20);
    assert_int_equal(fakehost_port_read(f->fh, 0x602, 2), 0x0720);
    fakehost_port_write(f->fh, 0x603, 1, 0);
    fakehost_port_write(f->fh, 0x600, 2, 0xffff);
    assert_int_equal(fakehost_port_read(f->fh, 0x600, 4), 0x00200000);
    /* A timer of 3.579545 MHz and 32 bits. */
    assert_int_equal(fakehost_port_read(f->fh, 0x608, 4), 0);
    fakehost_advance(f->fh, UINT64_C(1000000000));
    assert_int_equal(fakehost_port_read(f->fh, 0x608, 4), 3579545);
    fakehost_advance(f->fh, UINT64_C(1199000000000));
    assert_int_equal(fakehost_port_read(f->fh, 0x608, 4), (uint32_t)(UINT64_C(3579545) * 1200));
    assert_int_equal(fakehost_port_read(f->fh, 0x60a, 1),
                     (uint32_t)(UINT64_C(3579545) * 1200) >> 16 & 0xff);
    f->ops->reset(f->device);
    assert_int_equal(fakehost_port_read(f->fh, 0x604, 2), 1);
    assert_int_equal(fakehost_port_read(f->fh, 0x600, 4), 0);
    assert_string_equal(record, "");
}

static void say(struct fixture *f, const char *text) {
    for (; *text; text++)
        fakehost_port_write(f->fh, 0x8900, 1, (uint8_t)*text);
}

static void test_shutdown_by_name(void **state) {
    struct fixture *f = *state;
    say(f, "ShutdowShutdow Shutdown");
    assert_string_equal(record, "off0 ");
    say(f, "ShutShutdown");
    assert_string_equal(record, "off0 off0 ");
    /* A reset forgets the beginning of the word. */
    say(f, "Shut");
    f->ops->reset(f->device);
    say(f, "down");
    assert_string_equal(record, "off0 off0 ");
}

static void test_life(void **state) {
    struct fixture *f = *state;
    struct blink_plugin *other = NULL;
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "x", &other), -EINVAL);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "", &other), 0);
    /* All or nothing. */
    assert_int_equal(f->ops->plugin.activate(other), -EBUSY);
    f->ops->plugin.deactivate(f->device);
    assert_false(fakehost_port_claimed(f->fh, 0x92));
    assert_false(fakehost_port_claimed(f->fh, 0x8900));
    assert_int_equal(f->ops->plugin.activate(other), 0);
    f->ops->plugin.deactivate(other);
    f->ops->plugin.destroy(other);
    fakehost_set_iface(f->fh, BLINK_IFACE_SYSTEM, NULL);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "", &other), -ENOTSUP);
    f->ops->plugin.destroy(NULL);
}

#define POWER_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        POWER_TEST(test_a20),         POWER_TEST(test_reset_control),
        POWER_TEST(test_exit_status), POWER_TEST(test_power_management),
        POWER_TEST(test_acpi),        POWER_TEST(test_shutdown_by_name),
        POWER_TEST(test_life),
    };
    return cmocka_run_group_tests_name("power", tests, NULL, NULL);
}
