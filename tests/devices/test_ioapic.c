/*
 * device-ioapic against the fake host: its registers, which input a line is, edges and levels, ends
 * of interrupts.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <blink/device.h>

#include "fakehost.h"

#define AT UINT64_C(0xfec00000)

enum { ID, VERSION, ARBITRATION, TABLE = 0x10 };
#define LEVEL  0x8000u
#define REMOTE 0x4000u
#define MASKED 0x10000u
/* What a message says beside the vector. */
#define SENT(destination, command) ((int64_t)(destination) << 32 | 0x4000 | (command))

struct fixture {
    struct fakehost *fh;
    const struct blink_device_ops *ops;
    struct blink_plugin *device;
};

static int setup(void **state) {
    static struct fixture f;
    f.fh = fakehost_create();
    f.ops = fakehost_find(&blink_plugin_entry, BLINK_KIND_DEVICE, "ioapic");
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

static void begin(struct fixture *f) {
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "", &f->device), 0);
    assert_int_equal(f->ops->plugin.activate(f->device), 0);
    f->ops->reset(f->device);
}

static uint32_t get(struct fixture *f, uint32_t index) {
    fakehost_memory_write(f->fh, AT, 4, index);
    return (uint32_t)fakehost_memory_read(f->fh, AT + 0x10, 4);
}
static void put(struct fixture *f, uint32_t index, uint32_t value) {
    fakehost_memory_write(f->fh, AT, 4, index);
    fakehost_memory_write(f->fh, AT + 0x10, 4, value);
}
static void route(struct fixture *f, uint32_t input, uint32_t destination, uint32_t low) {
    put(f, TABLE + 2 * input + 1, destination << 24);
    put(f, TABLE + 2 * input, low);
}
static void up(struct fixture *f, uint32_t line) {
    fakehost_set_irq(f->fh, line, 1);
}
static void down(struct fixture *f, uint32_t line) {
    fakehost_set_irq(f->fh, line, 0);
}
static int64_t sent(struct fixture *f) {
    return fakehost_message(f->fh);
}

static void test_registers(void **state) {
    struct fixture *f = *state;
    begin(f);
    assert_int_equal(get(f, VERSION), 0x00170020);
    put(f, VERSION, 0);
    assert_int_equal(get(f, VERSION), 0x00170020);
    assert_int_equal(get(f, ID), 0);
    put(f, ID, UINT32_MAX);
    assert_int_equal(get(f, ID), 0x0f000000);
    assert_int_equal(get(f, ARBITRATION), 0x0f000000);
    assert_int_equal(get(f, 3), 0);
    for (uint32_t n = 0; n < 24; n++) {
        assert_int_equal(get(f, TABLE + 2 * n), MASKED);
        assert_int_equal(get(f, TABLE + 2 * n + 1), 0);
    }
    /* Status and what is in service are not written. */
    route(f, 5, 0xff, UINT32_MAX);
    assert_int_equal(get(f, TABLE + 10), 0x1afff);
    assert_int_equal(get(f, TABLE + 11), 0xff000000);
    put(f, TABLE + 48, 1); /* beyond the table */
    assert_int_equal(get(f, TABLE + 48), 0);
    fakehost_memory_write(f->fh, AT, 1, 1); /* the index takes bytes */
    assert_int_equal(fakehost_memory_read(f->fh, AT, 4), 1);
    fakehost_memory_write(f->fh, AT, 1, TABLE + 10);
    fakehost_memory_write(f->fh, AT + 0x10, 1, 0); /* data does not */
    assert_int_equal(get(f, TABLE + 10), 0x1afff);
    assert_int_equal(fakehost_memory_read(f->fh, AT + 0x20, 4), 0);
}

static void test_lines_and_inputs(void **state) {
    struct fixture *f = *state;
    begin(f);
    for (uint32_t n = 0; n < 24; n++)
        route(f, n, n, 0x30 + n);
    for (uint32_t line = 0; line < 26; line++) {
        uint32_t input = line == 0 ? 2 : line;
        up(f, line);
        assert_int_equal(sent(f), line == 2 || line > 23 ? -1 : (int64_t)SENT(input, 0x30 + input));
        assert_int_equal(sent(f), -1);
        down(f, line);
        assert_int_equal(sent(f), -1);
    }
}

static void test_edges(void **state) {
    struct fixture *f = *state;
    begin(f);
    up(f, 4);
    assert_int_equal(sent(f), -1);
    route(f, 4, 1, 0x0934);        /* lowest priority, logical */
    assert_int_equal(sent(f), -1); /* it was masked when it rose */
    down(f, 4);
    up(f, 4);
    assert_int_equal(sent(f), SENT(1, 0x0934));
    up(f, 4);
    assert_int_equal(sent(f), -1);
    /* An edge has no end. */
    fakehost_end_of_interrupt(f->fh, 0x34);
    assert_int_equal(sent(f), -1);
    assert_int_equal(get(f, TABLE + 8), 0x0934);
    /* Polarity makes no difference. */
    route(f, 4, 1, 0x2034);
    down(f, 4);
    assert_int_equal(sent(f), -1);
    up(f, 4);
    assert_int_equal(sent(f), SENT(1, 0x0034));
}

static void test_levels(void **state) {
    struct fixture *f = *state;
    begin(f);
    up(f, 11);
    route(f, 11, 0, LEVEL | MASKED | 0x41);
    assert_int_equal(sent(f), -1);
    put(f, TABLE + 22, LEVEL | 0x41);
    assert_int_equal(sent(f), SENT(0, LEVEL | 0x41));
    assert_int_equal(get(f, TABLE + 22), LEVEL | REMOTE | 0x41);
    /* Once until its end, which others' ends are not. */
    down(f, 11);
    up(f, 11);
    put(f, TABLE + 22, LEVEL | 0x41);
    fakehost_end_of_interrupt(f->fh, 0x42);
    assert_int_equal(sent(f), -1);
    fakehost_end_of_interrupt(f->fh, 0x41);
    assert_int_equal(sent(f), SENT(0, LEVEL | 0x41));
    down(f, 11);
    fakehost_end_of_interrupt(f->fh, 0x41);
    assert_int_equal(sent(f), -1);
    assert_int_equal(get(f, TABLE + 22), LEVEL | 0x41);
    up(f, 11);
    assert_int_equal(sent(f), SENT(0, LEVEL | 0x41));
    /* By the register, and by becoming an edge for a moment. */
    down(f, 11);
    fakehost_memory_write(f->fh, AT + 0x40, 4, 0x41);
    assert_int_equal(get(f, TABLE + 22), LEVEL | 0x41);
    up(f, 11);
    assert_int_equal(sent(f), SENT(0, LEVEL | 0x41));
    put(f, TABLE + 22, MASKED | 0x41);
    assert_int_equal(get(f, TABLE + 22), MASKED | 0x41);
    put(f, TABLE + 22, LEVEL | 0x41);
    assert_int_equal(sent(f), SENT(0, LEVEL | 0x41));
}

static void test_nobody_takes_it(void **state) {
    struct fixture *f = *state;
    begin(f);
    fakehost_set_message_result(f->fh, -ENOENT);
    route(f, 9, 3, LEVEL | 0x50);
    up(f, 9);
    assert_int_equal(sent(f), SENT(3, LEVEL | 0x50));
    assert_int_equal(get(f, TABLE + 18), LEVEL | 0x50);
    fakehost_set_message_result(f->fh, 0);
    put(f, TABLE + 19, 0);
    assert_int_equal(sent(f), SENT(0, LEVEL | 0x50));
    assert_int_equal(get(f, TABLE + 18), LEVEL | REMOTE | 0x50);
}

static void test_life(void **state) {
    struct fixture *f = *state;
    struct blink_plugin *other = NULL;
    up(f, 6); /* before it was there */
    begin(f);
    route(f, 6, 0, LEVEL | 0x60);
    assert_int_equal(sent(f), SENT(0, LEVEL | 0x60));
    f->ops->reset(f->device);
    assert_int_equal(get(f, TABLE + 12), MASKED);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "", &other), 0);
    assert_int_equal(f->ops->plugin.activate(other), -EBUSY);
    f->ops->plugin.destroy(other);
    f->ops->plugin.deactivate(f->device);
    assert_false(fakehost_memory_claimed(f->fh, AT));
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "x", &other), -EINVAL);
    assert_string_equal(fakehost_log(f->fh), "device ioapic takes no arguments, not \"x\"\n");
}

static void test_hosts(void **state) {
    struct fixture *f = *state;
    struct blink_bus_iface old = fakehost_bus_iface;
    old.struct_size = offsetof(struct blink_bus_iface, watch_lines);
    fakehost_set_iface(f->fh, BLINK_IFACE_BUS, &old);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "", &f->device), -ENOTSUP);
    fakehost_set_iface(f->fh, BLINK_IFACE_BUS, NULL);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "", &f->device), -ENOTSUP);
    assert_string_equal(fakehost_log(f->fh),
                        "ioapic: this host's blink.bus/1 knows no interrupt messages\n"
                        "device ioapic needs the service blink.bus/1\n");
}

#define DEVICE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(test_registers), DEVICE_TEST(test_lines_and_inputs), DEVICE_TEST(test_edges),
        DEVICE_TEST(test_levels),    DEVICE_TEST(test_nobody_takes_it),  DEVICE_TEST(test_life),
        DEVICE_TEST(test_hosts),
    };
    return cmocka_run_group_tests_name("ioapic", tests, NULL, NULL);
}
