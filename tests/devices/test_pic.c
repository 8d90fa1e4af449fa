/*
 * device-pic against the fake host: initialisation, priorities, every end of interrupt, triggering,
 * special modes, cascade.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <blink/device.h>

#include "fakehost.h"

enum { MASTER = 0x20, SLAVE = 0xa0, ELCR = 0x4d0 };

struct fixture {
    struct fakehost *fh;
    const struct blink_device_ops *ops;
    struct blink_plugin *device;
};

static int setup(void **state) {
    static struct fixture f;
    f.fh = fakehost_create();
    f.ops = fakehost_find(&blink_plugin_entry, BLINK_KIND_DEVICE, "pic");
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
static uint8_t isr(struct fixture *f, int port) {
    out(f, port, 0x0b);
    return in(f, port);
}
static uint8_t irr(struct fixture *f, int port) {
    out(f, port, 0x0a);
    return in(f, port);
}
static void up(struct fixture *f, uint32_t line) {
    fakehost_set_irq(f->fh, line, 1);
}
static void down(struct fixture *f, uint32_t line) {
    fakehost_set_irq(f->fh, line, 0);
}
static int take(struct fixture *f) {
    return fakehost_acknowledge(f->fh);
}

/* As protected-mode systems do: vectors from 0x20 and 0x28, nothing masked. */
static void program(struct fixture *f, uint8_t icw4) {
    out(f, MASTER, 0x11);
    out(f, MASTER + 1, 0x20);
    out(f, MASTER + 1, 0x04);
    out(f, MASTER + 1, icw4);
    out(f, SLAVE, 0x11);
    out(f, SLAVE + 1, 0x28);
    out(f, SLAVE + 1, 0x02);
    out(f, SLAVE + 1, icw4);
}

static void test_silent_until_initialised(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    up(f, 3);
    assert_int_equal(fakehost_intr(f->fh), 0);
    out(f, MASTER, 0x11);
    out(f, MASTER + 1, 0x20);
    out(f, MASTER + 1, 0x04);
    down(f, 3);
    up(f, 3);
    assert_int_equal(fakehost_intr(f->fh), 0);
    out(f, MASTER + 1, 0x01);
    assert_int_equal(take(f), 0x23);
    /* Edges from before the initialisation do not count. */
    out(f, MASTER, 0x20);
    down(f, 3);
    up(f, 3);
    program(f, 1);
    assert_int_equal(fakehost_intr(f->fh), 0);
    assert_int_equal(irr(f, MASTER), 0);
}

static void test_as_a_bios_leaves_it(void **state) {
    struct fixture *f = *state;
    begin(f, "bios");
    assert_int_equal(in(f, MASTER + 1), 0xb8);
    assert_int_equal(in(f, SLAVE + 1), 0xfe);
    up(f, 0);
    assert_int_equal(take(f), 0x08);
    out(f, MASTER, 0x20);
    up(f, 8);
    assert_int_equal(take(f), 0x70);
    up(f, 9);
    up(f, 3);
    assert_int_equal(fakehost_intr(f->fh), 0);
}

static void test_every_line(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    program(f, 1);
    for (uint32_t k = 0; k < 16; k++) {
        if (k == 2)
            continue;
        up(f, k);
        assert_int_equal(fakehost_intr(f->fh), 1);
        assert_int_equal(take(f), 0x20 + (int)k);
        assert_int_equal(fakehost_intr(f->fh), 0);
        assert_int_equal(isr(f, MASTER), k < 8 ? 1 << k : 4);
        assert_int_equal(isr(f, SLAVE), k < 8 ? 0 : 1 << (k - 8));
        if (k > 7)
            out(f, SLAVE, 0x20);
        out(f, MASTER, 0x20);
        assert_int_equal(isr(f, MASTER) | isr(f, SLAVE), 0);
        assert_int_equal(fakehost_intr(f->fh), 0); /* still up, but no new edge */
        down(f, k);
    }
    up(f, 2); /* wired to the slave */
    up(f, 16);
    up(f, 255);
    assert_int_equal(fakehost_intr(f->fh), 0);
}

static void test_masks(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    program(f, 1);
    out(f, MASTER + 1, 0x08);
    up(f, 3);
    assert_int_equal(fakehost_intr(f->fh), 0);
    assert_int_equal(irr(f, MASTER), 0x08);
    out(f, MASTER + 1, 0);
    assert_int_equal(take(f), 0x23);
    out(f, MASTER, 0x20);
    out(f, MASTER + 1, 0x04);
    up(f, 12);
    assert_int_equal(fakehost_intr(f->fh), 0);
    out(f, MASTER + 1, 0);
    assert_int_equal(take(f), 0x2c);
}

static void test_nesting(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    program(f, 1);
    up(f, 4);
    assert_int_equal(take(f), 0x24);
    up(f, 5);
    up(f, 4);
    assert_int_equal(fakehost_intr(f->fh), 0); /* lower or equal waits */
    up(f, 1);
    up(f, 9); /* the slave stands at input 2 */
    assert_int_equal(take(f), 0x21);
    assert_int_equal(fakehost_intr(f->fh), 0);
    out(f, MASTER, 0x20); /* of 1 */
    assert_int_equal(take(f), 0x29);
    assert_int_equal(isr(f, MASTER), 0x14);
    out(f, SLAVE, 0x20);
    out(f, MASTER, 0x20);
    assert_int_equal(isr(f, MASTER), 0x10);
    out(f, MASTER, 0x64); /* specific, of 4 */
    assert_int_equal(take(f), 0x25);
    out(f, MASTER, 0x61); /* of one that is not in service */
    assert_int_equal(isr(f, MASTER), 0x20);
    out(f, MASTER, 0x20);
    out(f, MASTER, 0x20); /* one too many */
    assert_int_equal(isr(f, MASTER), 0);
}

/* The slave's next interrupt comes through although its output never seems to rest. */
static void test_cascade_goes_on(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    program(f, 3); /* automatic end of interrupt */
    up(f, 9);
    up(f, 10);
    up(f, 14);
    assert_int_equal(take(f), 0x29);
    assert_int_equal(take(f), 0x2a);
    assert_int_equal(take(f), 0x2e);
    assert_int_equal(take(f), -1);
    assert_int_equal(isr(f, MASTER) | isr(f, SLAVE), 0);
}

static void test_request_that_goes_away(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    program(f, 1);
    up(f, 5);
    down(f, 5);
    assert_int_equal(fakehost_intr(f->fh), 0);
    assert_int_equal(irr(f, MASTER), 0);
}

static void test_level_triggered(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    program(f, 1);
    fakehost_port_write(f->fh, ELCR, 2, 0xffff);
    assert_int_equal(fakehost_port_read(f->fh, ELCR, 2), 0xdef8);
    assert_int_equal(in(f, ELCR + 1), 0xde);
    out(f, ELCR + 1, 0x08);
    assert_int_equal(fakehost_port_read(f->fh, ELCR, 2), 0x08f8);
    up(f, 11);
    assert_int_equal(take(f), 0x2b);
    assert_int_equal(irr(f, SLAVE), 0x08);
    assert_int_equal(fakehost_intr(f->fh), 0);
    out(f, SLAVE, 0x20);
    out(f, MASTER, 0x20);
    assert_int_equal(take(f), 0x2b); /* it is still up */
    down(f, 11);
    out(f, SLAVE, 0x20);
    out(f, MASTER, 0x20);
    assert_int_equal(fakehost_intr(f->fh), 0);
    /* All of a chip by ICW1. */
    up(f, 6);
    out(f, MASTER, 0x19);
    out(f, MASTER + 1, 0x40);
    out(f, MASTER + 1, 0x04);
    out(f, MASTER + 1, 0x01);
    assert_int_equal(take(f), 0x46);
}

static void test_rotation(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    program(f, 1);
    out(f, MASTER, 0xc4); /* 4 is the lowest: 5 the highest */
    up(f, 0);
    up(f, 5);
    up(f, 4);
    assert_int_equal(take(f), 0x25);
    out(f, MASTER, 0xa0); /* end, and it becomes the lowest */
    assert_int_equal(take(f), 0x20);
    out(f, MASTER, 0xe0); /* the same, by its number */
    assert_int_equal(take(f), 0x24);
    out(f, MASTER, 0x20);
    up(f, 1);
    down(f, 0);
    up(f, 0);
    assert_int_equal(take(f), 0x21);
    program(f, 3);
    out(f, MASTER, 0x80); /* rotate at each automatic end */
    for (uint32_t k = 0; k < 8; k++)
        down(f, k);
    up(f, 3);
    assert_int_equal(take(f), 0x23);
    up(f, 1);
    up(f, 4);
    assert_int_equal(take(f), 0x24);
    out(f, MASTER, 0x00);
    assert_int_equal(take(f), 0x21);
}

static void test_special_mask(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    program(f, 1);
    up(f, 3);
    assert_int_equal(take(f), 0x23);
    up(f, 6);
    assert_int_equal(take(f), -1);
    out(f, MASTER + 1, 0x08);
    assert_int_equal(take(f), -1);
    out(f, MASTER, 0x68); /* what is masked holds nobody back */
    assert_int_equal(take(f), 0x26);
    out(f, MASTER, 0x20);
    assert_int_equal(isr(f, MASTER), 0x08); /* and is not ended by chance */
    out(f, MASTER, 0x63);
    assert_int_equal(isr(f, MASTER), 0);
    out(f, MASTER, 0x48);
    out(f, MASTER + 1, 0);
    assert_int_equal(take(f), -1);
}

static void test_special_fully_nested(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    program(f, 1);
    out(f, MASTER, 0x11);
    out(f, MASTER + 1, 0x20);
    out(f, MASTER + 1, 0x04);
    out(f, MASTER + 1, 0x11);
    up(f, 12);
    assert_int_equal(take(f), 0x2c);
    up(f, 13);
    assert_int_equal(take(f), -1);
    up(f, 9);
    assert_int_equal(take(f), 0x29);
    assert_int_equal(isr(f, SLAVE), 0x12);
}

static void test_poll(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    program(f, 1);
    out(f, MASTER, 0x0c);
    assert_int_equal(in(f, MASTER), 0);
    up(f, 6);
    out(f, MASTER, 0x0c);
    assert_int_equal(in(f, MASTER), 0x86);
    assert_int_equal(fakehost_intr(f->fh), 0);
    assert_int_equal(isr(f, MASTER), 0x40);
    assert_int_equal(irr(f, MASTER), 0);
}

static void test_life(void **state) {
    struct fixture *f = *state;
    struct blink_plugin *other = NULL;
    up(f, 4); /* before there was a controller */
    begin(f, "bios");
    out(f, MASTER + 1, 0);
    assert_int_equal(fakehost_intr(f->fh), 0);
    down(f, 4);
    up(f, 4);
    assert_int_equal(fakehost_intr(f->fh), 1);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "", &other), 0);
    assert_int_equal(f->ops->plugin.activate(other), -EBUSY);
    f->ops->plugin.destroy(other);
    f->ops->reset(f->device);
    assert_int_equal(fakehost_intr(f->fh), 0);
    f->ops->plugin.deactivate(f->device);
    assert_false(fakehost_port_claimed(f->fh, MASTER));
    assert_false(fakehost_port_claimed(f->fh, SLAVE));
    assert_false(fakehost_port_claimed(f->fh, ELCR));
    up(f, 1);
    assert_int_equal(take(f), -1);
    assert_int_equal(f->ops->plugin.activate(f->device), 0);
    f->ops->plugin.deactivate(f->device);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "x", &other), -EINVAL);
    assert_string_equal(fakehost_log(f->fh), "pic: x: not an argument; there is bios alone\n");
}

static void test_hosts(void **state) {
    struct fixture *f = *state;
    struct blink_bus_iface old = fakehost_bus_iface;
    old.struct_size = offsetof(struct blink_bus_iface, set_controller);
    fakehost_set_iface(f->fh, BLINK_IFACE_BUS, &old);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "", &f->device), -ENOTSUP);
    fakehost_set_iface(f->fh, BLINK_IFACE_BUS, NULL);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "", &f->device), -ENOTSUP);
    assert_string_equal(fakehost_log(f->fh),
                        "pic: this host's blink.bus/1 knows no interrupt controllers\n"
                        "device pic needs the service blink.bus/1\n");
}

#define DEVICE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(test_silent_until_initialised),
        DEVICE_TEST(test_as_a_bios_leaves_it),
        DEVICE_TEST(test_every_line),
        DEVICE_TEST(test_masks),
        DEVICE_TEST(test_nesting),
        DEVICE_TEST(test_cascade_goes_on),
        DEVICE_TEST(test_request_that_goes_away),
        DEVICE_TEST(test_level_triggered),
        DEVICE_TEST(test_rotation),
        DEVICE_TEST(test_special_mask),
        DEVICE_TEST(test_special_fully_nested),
        DEVICE_TEST(test_poll),
        DEVICE_TEST(test_life),
        DEVICE_TEST(test_hosts),
    };
    return cmocka_run_group_tests_name("pic", tests, NULL, NULL);
}
