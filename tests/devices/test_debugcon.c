/*
 * device-debugcon against the fake host: its port, its arguments, a console that fails.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <blink/device.h>

#include "fakehost.h"

struct fixture {
    struct fakehost *fh;
    const struct blink_device_ops *ops;
    struct blink_plugin *device;
};

static int setup(void **state) {
    static struct fixture f;
    f.fh = fakehost_create();
    f.ops = fakehost_find(&blink_plugin_entry, BLINK_KIND_DEVICE, "debugcon");
    f.device = NULL;
    *state = &f;
    return f.ops ? 0 : -1;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    f->ops->plugin.destroy(f->device);
    fakehost_destroy(f->fh);
    return 0;
}

static void create(struct fixture *f, const char *args) {
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), args, &f->device), 0);
}

static void test_bytes_reach_the_console(void **state) {
    struct fixture *f = *state;
    size_t size;
    create(f, "");
    assert_false(fakehost_port_claimed(f->fh, 0xe9));
    assert_int_equal(f->ops->plugin.activate(f->device), 0);
    assert_int_equal(fakehost_port_read(f->fh, 0xe9, 1), 0xe9);
    for (const char *c = "Hello"; *c; c++)
        fakehost_port_write(f->fh, 0xe9, 1, (uint64_t)*c);
    fakehost_port_write(f->fh, 0xe9, 1, 0);
    fakehost_port_write(f->fh, 0xe9, 1, 0xff);
    assert_memory_equal(fakehost_console(f->fh, &size), "Hello\0\377", 7);
    assert_int_equal(size, 7);
    assert_false(fakehost_port_claimed(f->fh, 0xe8));
    assert_false(fakehost_port_claimed(f->fh, 0xea));
}

static void test_deactivate_gives_the_port_back(void **state) {
    struct fixture *f = *state;
    create(f, "");
    for (int k = 0; k < 2; k++) {
        assert_int_equal(f->ops->plugin.activate(f->device), 0);
        assert_true(fakehost_port_claimed(f->fh, 0xe9));
        f->ops->plugin.deactivate(f->device);
        assert_false(fakehost_port_claimed(f->fh, 0xe9));
    }
}

static void test_two_instances(void **state) {
    struct fixture *f = *state;
    struct blink_plugin *same, *other;
    const struct blink_host *host = fakehost_host(f->fh);
    create(f, "");
    assert_int_equal(f->ops->plugin.create(host, "port=0xe9", &same), 0);
    assert_int_equal(f->ops->plugin.create(host, "port=0x402", &other), 0);
    assert_int_equal(f->ops->plugin.activate(f->device), 0);
    assert_int_equal(f->ops->plugin.activate(same), -EBUSY);
    assert_int_equal(f->ops->plugin.activate(other), 0);
    assert_int_equal(fakehost_port_read(f->fh, 0x402, 1), 0xe9);
    f->ops->plugin.deactivate(f->device);
    assert_true(fakehost_port_claimed(f->fh, 0x402));
    assert_int_equal(f->ops->plugin.activate(same), 0);
    f->ops->plugin.destroy(same);
    f->ops->plugin.destroy(other);
}

static void test_arguments(void **state) {
    struct fixture *f = *state;
    static const char *const good[] = {"port=0", "port=65535", "port=0xffff", "port=0777"};
    static const char *const bad[] = {"x",        "port",
                                      "port=",    "port=x",
                                      "port=-1",  "port= 1",
                                      "port=1x",  "port=65536",
                                      "port=1,x", "Port=1",
                                      "port=+1",  ",",
                                      "port=0x",  "port=99999999999999999999"};
    for (size_t k = 0; k < sizeof good / sizeof good[0]; k++) {
        create(f, good[k]);
        f->ops->plugin.destroy(f->device);
    }
    f->device = NULL;
    assert_int_equal(fakehost_log_count(f->fh), 0);
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), bad[k], &f->device), -EINVAL);
        assert_null(f->device);
    }
    assert_int_equal(fakehost_log_count(f->fh), sizeof bad / sizeof bad[0]);
    assert_string_equal(fakehost_log_line(f->fh, 0, NULL),
                        "debugcon: x: not an argument; give port=0 to 0xffff");
}

static void test_no_bus(void **state) {
    struct fixture *f = *state;
    fakehost_set_iface(f->fh, BLINK_IFACE_BUS, NULL);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "", &f->device), -ENOTSUP);
    assert_string_equal(fakehost_log(f->fh), "device debugcon needs the service blink.bus/1\n");
}

static int failing_console(struct blink_machine *machine, const void *bytes, size_t size) {
    (void)machine, (void)bytes, (void)size;
    return -EPIPE;
}

static void test_failing_console(void **state) {
    struct fixture *f = *state;
    struct blink_bus_iface bus = fakehost_bus_iface;
    bus.console_write = failing_console;
    fakehost_set_iface(f->fh, BLINK_IFACE_BUS, &bus);
    create(f, "");
    assert_int_equal(f->ops->plugin.activate(f->device), 0);
    for (int k = 0; k < 3; k++)
        fakehost_port_write(f->fh, 0xe9, 1, 'x');
    assert_string_equal(fakehost_log(f->fh), "debugcon: output is lost: Broken pipe\n");
}

#define DEVICE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(test_bytes_reach_the_console),
        DEVICE_TEST(test_deactivate_gives_the_port_back),
        DEVICE_TEST(test_two_instances),
        DEVICE_TEST(test_arguments),
        DEVICE_TEST(test_no_bus),
        DEVICE_TEST(test_failing_console),
    };
    return cmocka_run_group_tests_name("debugcon", tests, NULL, NULL);
}
