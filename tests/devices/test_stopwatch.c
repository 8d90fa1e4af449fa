/*
 * The device of the plugin guide against the fake host, as the guide shows it.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <blink/device.h>

#include "fakehost.h"

static void test_counts_milliseconds(void **state) {
    struct fakehost *fh = fakehost_create();
    const struct blink_device_ops *ops =
        fakehost_find(&blink_plugin_entry, BLINK_KIND_DEVICE, "stopwatch");
    struct blink_plugin *device;
    (void)state;
    fakehost_advance(fh, 77 * UINT64_C(1000000));
    assert_int_equal(ops->plugin.create(fakehost_host(fh), "", &device), 0);
    assert_int_equal(ops->plugin.activate(device), 0);
    fakehost_advance(fh, 1500 * UINT64_C(1000000));
    assert_int_equal(fakehost_port_read(fh, 0x510, 4), 1500);
    assert_int_equal(fakehost_port_read(fh, 0x510, 1), 1500 & 0xff);
    assert_int_equal(fakehost_port_read(fh, 0x511, 1), 1500 >> 8);
    fakehost_port_write(fh, 0x510, 1, 0);
    assert_int_equal(fakehost_port_read(fh, 0x510, 4), 0);
    fakehost_advance(fh, 999999);
    assert_int_equal(fakehost_port_read(fh, 0x510, 4), 0);
    fakehost_advance(fh, 1);
    assert_int_equal(fakehost_port_read(fh, 0x510, 4), 1);
    ops->plugin.deactivate(device);
    assert_false(fakehost_port_claimed(fh, 0x510));
    ops->plugin.destroy(device);
    ops->plugin.destroy(NULL);
    fakehost_destroy(fh);
}

static void test_needs_a_bus(void **state) {
    struct fakehost *fh = fakehost_create();
    const struct blink_device_ops *ops =
        fakehost_find(&blink_plugin_entry, BLINK_KIND_DEVICE, "stopwatch");
    struct blink_plugin *device;
    (void)state;
    fakehost_set_iface(fh, BLINK_IFACE_BUS, NULL);
    assert_int_equal(ops->plugin.create(fakehost_host(fh), "", &device), -ENOTSUP);
    fakehost_destroy(fh);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_milliseconds),
        cmocka_unit_test(test_needs_a_bus),
    };
    return cmocka_run_group_tests_name("stopwatch", tests, NULL, NULL);
}
