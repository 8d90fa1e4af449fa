/*
 * device-pit against the fake host: every mode by its output and its count, latches, read-back,
 * BCD, the gate of port 0x61, and interrupts on time.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <blink/device.h>

#include "fakehost.h"

enum { CONTROL = 0x43, SYSTEM = 0x61 };

#define HZ UINT64_C(1193182)
#define NS UINT64_C(1000000000)

struct fixture {
    struct fakehost *fh;
    const struct blink_device_ops *ops;
    struct blink_plugin *device;
    uint64_t tick, now; /* where advance() has brought the clock */
};

static int setup(void **state) {
    static struct fixture f;
    f = (struct fixture){.fh = fakehost_create()};
    f.ops = fakehost_find(&blink_plugin_entry, BLINK_KIND_DEVICE, "pit");
    *state = &f;
    return f.ops ? 0 : -1;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    f->ops->plugin.destroy(f->device);
    fakehost_destroy(f->fh);
    return 0;
}

static void begin(struct fixture *f, const char *args) {
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), args, &f->device), 0);
    assert_int_equal(f->ops->plugin.activate(f->device), 0);
    f->ops->reset(f->device);
}

static uint8_t in(struct fixture *f, int port) {
    return (uint8_t)fakehost_port_read(f->fh, (uint16_t)port, 1);
}
static void out(struct fixture *f, int port, uint8_t v) {
    fakehost_port_write(f->fh, (uint16_t)port, 1, v);
}

/* On by whole ticks. */
static void advance(struct fixture *f, uint64_t ticks) {
    f->tick += ticks;
    uint64_t to = f->tick / HZ * NS + (f->tick % HZ * NS + HZ - 1) / HZ;
    fakehost_advance(f->fh, to - f->now);
    f->now = to;
}

static void program(struct fixture *f, int counter, int mode, uint16_t count) {
    out(f, CONTROL, (uint8_t)(counter << 6 | 0x30 | mode << 1));
    out(f, 0x40 + counter, (uint8_t)count);
    out(f, 0x40 + counter, (uint8_t)(count >> 8));
}

static uint16_t count(struct fixture *f, int counter) {
    out(f, CONTROL, (uint8_t)(counter << 6));
    uint8_t low = in(f, 0x40 + counter);
    return (uint16_t)(low | in(f, 0x40 + counter) << 8);
}

static uint8_t status(struct fixture *f, int counter) {
    out(f, CONTROL, (uint8_t)(0xe0 | 2 << counter));
    return in(f, 0x40 + counter);
}

static bool level(struct fixture *f, int counter) {
    return status(f, counter) >> 7;
}

static void gate(struct fixture *f, bool on) {
    out(f, SYSTEM, on);
}

static void test_mode_0(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    program(f, 1, 0, 5);
    for (int k = 0; k < 5; k++) {
        assert_false(level(f, 1));
        assert_int_equal(count(f, 1), 5 - k);
        advance(f, 1);
    }
    assert_true(level(f, 1));
    assert_int_equal(count(f, 1), 0);
    advance(f, 1);
    assert_true(level(f, 1));
    assert_int_equal(count(f, 1), 0xffff);
    /* Half a count stops it; the whole begins anew. */
    out(f, 0x41, 3);
    advance(f, 100);
    assert_false(level(f, 1));
    out(f, 0x41, 0);
    advance(f, 2);
    assert_false(level(f, 1));
    advance(f, 1);
    assert_true(level(f, 1));
}

static void test_mode_0_holds(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    gate(f, false);
    program(f, 2, 0, 10);
    advance(f, 100);
    assert_int_equal(count(f, 2), 10);
    gate(f, true);
    advance(f, 4);
    gate(f, false);
    advance(f, 100);
    assert_int_equal(count(f, 2), 6);
    assert_int_equal(in(f, SYSTEM) & 0x2f, 0x00);
    gate(f, true);
    advance(f, 6);
    assert_int_equal(count(f, 2), 0);
    assert_int_equal(in(f, SYSTEM) & 0x2f, 0x21);
}

static void test_mode_1(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    program(f, 2, 1, 4);
    advance(f, 10);
    assert_true(level(f, 2));
    for (int round = 0; round < 2; round++) {
        gate(f, false);
        gate(f, true);
        assert_false(level(f, 2));
        advance(f, 3);
        assert_false(level(f, 2));
        assert_int_equal(count(f, 2), 1);
    }
    gate(f, false); /* the end of the gate is nothing */
    advance(f, 1);
    assert_true(level(f, 2));
    out(f, 0x42, 9); /* for the next trigger */
    out(f, 0x42, 0);
    assert_true(status(f, 2) & 0x40);
    gate(f, true);
    assert_false(status(f, 2) & 0x40);
    advance(f, 8);
    assert_false(level(f, 2));
    advance(f, 1);
    assert_true(level(f, 2));
}

static void test_mode_2(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    program(f, 1, 2, 3);
    for (int k = 0; k < 9; k++) {
        assert_int_equal(level(f, 1), k % 3 != 2);
        assert_int_equal(count(f, 1), 3 - k % 3);
        advance(f, 1);
    }
    /* A new count waits for the end of the period. */
    advance(f, 1);
    out(f, 0x41, 5);
    out(f, 0x41, 0);
    assert_int_equal(status(f, 1) & 0x40, 0x40);
    assert_int_equal(count(f, 1), 2);
    advance(f, 1);
    assert_false(level(f, 1));
    advance(f, 1);
    assert_int_equal(status(f, 1) & 0x40, 0);
    assert_int_equal(count(f, 1), 5);
    advance(f, 4);
    assert_false(level(f, 1));
    /* The gate begins the period anew. */
    program(f, 2, 2, 10);
    gate(f, true);
    advance(f, 9);
    assert_false(level(f, 2));
    gate(f, false);
    assert_true(level(f, 2));
    advance(f, 50);
    gate(f, true);
    assert_int_equal(count(f, 2), 10);
}

static void test_mode_3(void **state) {
    static const uint16_t even[] = {6, 4, 2, 6, 4, 2}, odd[] = {4, 2, 0, 4, 2};
    struct fixture *f = *state;
    begin(f, "");
    program(f, 1, 3, 6);
    for (int k = 0; k < 12; k++) {
        assert_int_equal(level(f, 1), k % 6 < 3);
        assert_int_equal(count(f, 1), even[k % 6]);
        advance(f, 1);
    }
    program(f, 1, 7, 5);
    for (int k = 0; k < 10; k++) {
        assert_int_equal(level(f, 1), k % 5 < 3);
        assert_int_equal(count(f, 1), odd[k % 5]);
        advance(f, 1);
    }
    assert_int_equal(status(f, 1) & 0x3f, 0x36);
}

static void test_modes_4_and_5(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    program(f, 1, 4, 3);
    for (int k = 0; k < 8; k++) {
        assert_int_equal(level(f, 1), k != 3);
        advance(f, 1);
    }
    program(f, 2, 5, 3);
    advance(f, 10);
    assert_true(level(f, 2));
    gate(f, true);
    for (int k = 0; k < 8; k++) {
        assert_int_equal(level(f, 2), k != 3);
        advance(f, 1);
    }
}

static void test_access(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    out(f, CONTROL, 0x54); /* counter 1, low byte, mode 2 */
    out(f, 0x41, 0x20);
    advance(f, 1);
    assert_int_equal(in(f, 0x41), 0x1f);
    assert_int_equal(in(f, 0x41), 0x1f);
    out(f, CONTROL, 0x64); /* high byte */
    out(f, 0x41, 0x20);
    assert_int_equal(in(f, 0x41), 0x20);
    advance(f, 1);
    assert_int_equal(in(f, 0x41), 0x1f);
    program(f, 1, 2, 0); /* 65536 */
    assert_int_equal(count(f, 1), 0);
    advance(f, 1);
    assert_int_equal(count(f, 1), 0xffff);
    assert_int_equal(in(f, CONTROL), 0xff);
    assert_int_equal(in(f, 0x41), 0xff); /* low, then high, without a latch too */
    advance(f, 0x100);
    assert_int_equal(in(f, 0x41), 0xfe);
}

static void test_bcd(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    out(f, CONTROL, 0x75);
    out(f, 0x41, 0x00);
    out(f, 0x41, 0x12);
    assert_int_equal(count(f, 1), 0x1200);
    advance(f, 1);
    assert_int_equal(count(f, 1), 0x1199);
    advance(f, 1199);
    assert_int_equal(count(f, 1), 0x1200);
    out(f, CONTROL, 0x71); /* mode 0 */
    out(f, 0x41, 0);
    out(f, 0x41, 0); /* 10000 */
    advance(f, 1);
    assert_int_equal(count(f, 1), 0x9999);
    assert_int_equal(status(f, 1), 0x31);
    advance(f, 10000);
    assert_int_equal(count(f, 1), 0x9999);
}

static void test_latches(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    program(f, 1, 2, 0x4000);
    program(f, 2, 0, 0x3000);
    gate(f, true);
    advance(f, 0x10);
    out(f, CONTROL, 0x40);
    advance(f, 5);
    out(f, CONTROL, 0x40); /* the first latch stays */
    assert_int_equal(in(f, 0x41), 0xf0);
    advance(f, 0x100);
    assert_int_equal(in(f, 0x41), 0x3f);
    assert_int_equal(count(f, 1), 0x4000 - 0x115);
    /* Both counters, status and count: the status comes first. */
    out(f, CONTROL, 0xcc);
    advance(f, 3);
    assert_int_equal(in(f, 0x41), 0xb4);
    assert_int_equal(in(f, 0x41), 0xeb);
    assert_int_equal(in(f, 0x41), 0x3e);
    assert_int_equal(in(f, 0x42), 0x30);
    assert_int_equal(in(f, 0x42), 0xeb);
    assert_int_equal(in(f, 0x42), 0x2e);
    /* A new control word forgets latches. */
    out(f, CONTROL, 0xcc);
    program(f, 1, 2, 7);
    assert_int_equal(in(f, 0x41), 7);
}

static void test_interrupts(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    assert_int_equal(fakehost_irq(f->fh, 0), 0);
    program(f, 0, 0, 1000);
    advance(f, 999);
    assert_int_equal(fakehost_irq(f->fh, 0), 0);
    advance(f, 1);
    assert_int_equal(fakehost_irq(f->fh, 0), 1);
    advance(f, 100000);
    assert_int_equal(fakehost_irq_edges(f->fh, 0), 1); /* once */
    program(f, 0, 2, 1000);
    uint32_t before = fakehost_irq_edges(f->fh, 0);
    advance(f, 999);
    assert_int_equal(fakehost_irq_edges(f->fh, 0), before);
    advance(f, 1);
    assert_int_equal(fakehost_irq_edges(f->fh, 0), before + 1);
    advance(f, 1000 * 1000);
    assert_int_equal(fakehost_irq_edges(f->fh, 0), before + 1001);
    out(f, 0x40, 0xd0); /* 2000 from the next one on */
    out(f, 0x40, 0x07);
    advance(f, 1000);
    assert_int_equal(fakehost_irq_edges(f->fh, 0), before + 1002);
    advance(f, 1999);
    assert_int_equal(fakehost_irq_edges(f->fh, 0), before + 1002);
    advance(f, 1);
    assert_int_equal(fakehost_irq_edges(f->fh, 0), before + 1003);
    out(f, CONTROL, 0x30); /* waits for a count: nothing comes */
    advance(f, 100000);
    assert_int_equal(fakehost_irq(f->fh, 0), 0);
    assert_int_equal(fakehost_timers(f->fh), 0);
}

/* 18.2 a second: 65536 ticks each, and no drift in an hour. */
static void test_as_a_bios_leaves_it(void **state) {
    struct fixture *f = *state;
    begin(f, "bios");
    uint32_t before = fakehost_irq_edges(f->fh, 0);
    fakehost_advance(f->fh, 3600 * NS);
    assert_int_equal(fakehost_irq_edges(f->fh, 0) - before, 3600 * HZ / 65536);
    assert_int_equal(status(f, 0) & 0x7f, 0x36);
}

static void test_refresh_and_speaker(void **state) {
    struct fixture *f = *state;
    int changes = 0;
    begin(f, "");
    uint8_t last = in(f, SYSTEM);
    for (int k = 0; k < 1000; k++) {
        fakehost_advance(f->fh, 1000);
        uint8_t next = in(f, SYSTEM);
        changes += (next ^ last) >> 4 & 1;
        last = next;
    }
    assert_in_range(changes, 65, 67); /* each 15 us of 1 ms */
    out(f, SYSTEM, 0xff);
    assert_int_equal(in(f, SYSTEM) & 0xcf, 0x0f);
}

static void test_life(void **state) {
    struct fixture *f = *state;
    struct blink_plugin *other = NULL;
    begin(f, "bios");
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "", &other), 0);
    assert_int_equal(f->ops->plugin.activate(other), -EBUSY);
    f->ops->plugin.destroy(other);
    f->ops->plugin.deactivate(f->device);
    assert_int_equal(fakehost_timers(f->fh), 0);
    assert_int_equal(fakehost_irq(f->fh, 0), 0);
    assert_false(fakehost_port_claimed(f->fh, 0x40));
    assert_false(fakehost_port_claimed(f->fh, SYSTEM));
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "x", &other), -EINVAL);
    fakehost_set_iface(f->fh, BLINK_IFACE_BUS, NULL);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "", &other), -ENOTSUP);
    assert_string_equal(fakehost_log(f->fh), "pit: x: not an argument; there is bios alone\n"
                                             "device pit needs the service blink.bus/1\n");
}

#define DEVICE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(test_mode_0),
        DEVICE_TEST(test_mode_0_holds),
        DEVICE_TEST(test_mode_1),
        DEVICE_TEST(test_mode_2),
        DEVICE_TEST(test_mode_3),
        DEVICE_TEST(test_modes_4_and_5),
        DEVICE_TEST(test_access),
        DEVICE_TEST(test_bcd),
        DEVICE_TEST(test_latches),
        DEVICE_TEST(test_interrupts),
        DEVICE_TEST(test_as_a_bios_leaves_it),
        DEVICE_TEST(test_refresh_and_speaker),
        DEVICE_TEST(test_life),
    };
    return cmocka_run_group_tests_name("pit", tests, NULL, NULL);
}
