/*
 * device-kbd against the fake host: what the controller answers, what the keyboard answers, keys
 * and characters as scan codes of both sets, interrupts, and the console that types.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <blink/device.h>
#include <blink/system.h>

#include "fakehost.h"

#define DATA    0x60
#define COMMAND 0x64
#define IRQ     1
#define FULL    0x01

struct fixture {
    struct fakehost *fh;
    const struct blink_device_ops *ops;
    struct blink_plugin *device;
};

static uint32_t gate, resets;

static void set_a20(struct blink_machine *machine, uint32_t open) {
    (void)machine;
    gate = open;
}
static uint32_t a20(struct blink_machine *machine) {
    (void)machine;
    return gate;
}
static void reset_board(struct blink_machine *machine) {
    (void)machine;
    resets++;
}
static const struct blink_system_iface board = {
    .struct_size = sizeof board, .set_a20 = set_a20, .a20 = a20, .reset = reset_board};

static int setup(void **state) {
    static struct fixture f;
    f.fh = fakehost_create();
    f.ops = fakehost_find(&blink_plugin_entry, BLINK_KIND_DEVICE, "kbd");
    f.device = NULL;
    gate = 1;
    resets = 0;
    fakehost_set_iface(f.fh, BLINK_IFACE_SYSTEM, &board);
    *state = &f;
    return f.ops ? 0 : -1;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    if (f->device)
        f->ops->plugin.deactivate(f->device);
    f->ops->plugin.destroy(f->device);
    fakehost_destroy(f->fh);
    return 0;
}

static void begin(struct fixture *f, const char *args) {
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), args, &f->device), 0);
    assert_int_equal(f->ops->plugin.activate(f->device), 0);
    f->ops->reset(f->device);
}

static uint8_t status(struct fixture *f) {
    return (uint8_t)fakehost_port_read(f->fh, COMMAND, 1);
}
static void command(struct fixture *f, uint8_t v) {
    fakehost_port_write(f->fh, COMMAND, 1, v);
}
static void data(struct fixture *f, uint8_t v) {
    fakehost_port_write(f->fh, DATA, 1, v);
}

/* The next byte that comes within a millisecond. */
static uint8_t byte(struct fixture *f) {
    if (!(status(f) & FULL))
        fakehost_advance(f->fh, 1000000);
    assert_true(status(f) & FULL);
    return (uint8_t)fakehost_port_read(f->fh, DATA, 1);
}

static void silence(struct fixture *f) {
    fakehost_advance(f->fh, 1000000);
    assert_false(status(f) & FULL);
}

static void expect(struct fixture *f, const char *bytes, size_t size) {
    for (size_t k = 0; k < size; k++)
        assert_int_equal(byte(f), (uint8_t)bytes[k]);
    silence(f);
}
#define EXPECT(f, bytes) expect(f, bytes, sizeof bytes - 1)

static void test_controller(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    assert_int_equal(status(f), 0x14);
    command(f, 0xaa);
    assert_int_equal(status(f), 0x1d);
    EXPECT(f, "\x55");
    command(f, 0xab);
    EXPECT(f, "\x00");
    command(f, 0xa9);
    EXPECT(f, "\x01");
    command(f, 0x20);
    EXPECT(f, "\x65");
    command(f, 0x60);
    data(f, 0x44);
    assert_int_equal(status(f), 0x14);
    command(f, 0x20);
    EXPECT(f, "\x44");
    command(f, 0xa8);
    command(f, 0x20);
    EXPECT(f, "\x44");
    command(f, 0xa7);
    command(f, 0x20);
    EXPECT(f, "\x64");
    /* The rest of its memory. */
    command(f, 0x7f);
    data(f, 0x99);
    command(f, 0x3f);
    EXPECT(f, "\x99");
    command(f, 0xc0);
    EXPECT(f, "\x80");
    command(f, 0xa4);
    EXPECT(f, "\xf1");
    command(f, 0xe0);
    EXPECT(f, "\x00");
    /* Nobody is at the second port. */
    command(f, 0xd4);
    data(f, 0xff);
    silence(f);
    command(f, 0xd2);
    data(f, 0x1e);
    EXPECT(f, "\x1e");
    assert_false(fakehost_port_claimed(f->fh, 0x61));
}

static void test_output_port(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    command(f, 0xd0);
    EXPECT(f, "\xcf");
    command(f, 0xd1);
    data(f, 0xcd);
    assert_int_equal(gate, 0);
    command(f, 0xd0);
    EXPECT(f, "\xcd");
    command(f, 0xdf);
    assert_int_equal(gate, 1);
    command(f, 0xdd);
    assert_int_equal(gate, 0);
    command(f, 0xff); /* no line goes down */
    assert_int_equal(resets, 0);
    command(f, 0xfe);
    assert_int_equal(resets, 1);
    command(f, 0xd1);
    data(f, 0xce);
    assert_int_equal(resets, 2);
    assert_int_equal(gate, 1);
}

static void test_keyboard_commands(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    data(f, 0xff);
    EXPECT(f, "\xfa\xaa");
    data(f, 0xf2);
    EXPECT(f, "\xfa\xab\x41"); /* as translated */
    command(f, 0x60);
    data(f, 0x05);
    data(f, 0xf2);
    EXPECT(f, "\xfa\xab\x83");
    data(f, 0xee);
    EXPECT(f, "\xee");
    data(f, 0xfe);
    EXPECT(f, "\xee");
    data(f, 0xed);
    EXPECT(f, "\xfa");
    data(f, 0x02);
    EXPECT(f, "\xfa");
    data(f, 0xf3);
    data(f, 0x20);
    EXPECT(f, "\xfa\xfa");
    data(f, 0xf0);
    data(f, 0x00);
    EXPECT(f, "\xfa\xfa\x02");
    data(f, 0x12);
    EXPECT(f, "\xfe");
    /* Off, and on again. */
    data(f, 0xf5);
    EXPECT(f, "\xfa");
    fakehost_key(f->fh, 0x1e, 1);
    silence(f);
    data(f, 0xf4);
    EXPECT(f, "\xfa");
    fakehost_key(f->fh, 0x1e, 1);
    EXPECT(f, "\x1c");
    /* A command in place of an argument. */
    data(f, 0xed);
    data(f, 0xf6);
    EXPECT(f, "\xfa\xfa");
    data(f, 0x00);
    EXPECT(f, "\xfe");
}

static void test_keys(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    fakehost_key(f->fh, 0x1e, 1);
    fakehost_key(f->fh, 0x1e, 0);
    EXPECT(f, "\x1e\x9e");
    fakehost_key(f->fh, 0xe048, 1);
    fakehost_key(f->fh, 0xe048, 0);
    EXPECT(f, "\xe0\x48\xe0\xc8");
    fakehost_key(f->fh, 0x41, 1); /* F7, whose code of set 2 has bit 7 */
    fakehost_key(f->fh, 0x41, 0);
    EXPECT(f, "\x41\xc1");
    fakehost_key(f->fh, BLINK_KEY_PAUSE, 1);
    fakehost_key(f->fh, BLINK_KEY_PAUSE, 0);
    EXPECT(f, "\xe1\x1d\x45\xe1\x9d\xc5");
    /* The same untranslated, in set 2 and in set 1. */
    command(f, 0x60);
    data(f, 0x05);
    fakehost_key(f->fh, 0xe048, 1);
    fakehost_key(f->fh, 0xe048, 0);
    EXPECT(f, "\xe0\x75\xe0\xf0\x75");
    fakehost_key(f->fh, BLINK_KEY_PAUSE, 1);
    EXPECT(f, "\xe1\x14\x77\xe1\xf0\x14\xf0\x77");
    data(f, 0xf0);
    data(f, 0x01);
    EXPECT(f, "\xfa\xfa");
    fakehost_key(f->fh, 0xe048, 1);
    fakehost_key(f->fh, 0xe048, 0);
    EXPECT(f, "\xe0\x48\xe0\xc8");
    /* No such keys. */
    fakehost_key(f->fh, 0, 1);
    fakehost_key(f->fh, 0x7f, 1);
    fakehost_key(f->fh, 0x123, 1);
    fakehost_key(f->fh, 0xffffff, 1);
    silence(f);
}

/* Every key is the same after translation as in set 1. */
static void test_translation(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    for (uint8_t key = 1; key <= 0x58; key++) {
        fakehost_key(f->fh, key, 1);
        fakehost_key(f->fh, key, 0);
        assert_int_equal(byte(f), key);
        assert_int_equal(byte(f), key | 0x80);
    }
}

static void test_interrupts(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    assert_int_equal(fakehost_irq(f->fh, IRQ), 0);
    fakehost_key(f->fh, 0x1e, 1);
    fakehost_key(f->fh, 0x1e, 0);
    assert_int_equal(fakehost_irq(f->fh, IRQ), 1);
    assert_int_equal(fakehost_port_read(f->fh, DATA, 1), 0x1e);
    /* The next byte takes its time, until then the last one is read again. */
    assert_int_equal(fakehost_irq(f->fh, IRQ), 0);
    assert_int_equal(fakehost_port_read(f->fh, DATA, 1), 0x1e);
    fakehost_advance(f->fh, 1000000);
    assert_int_equal(fakehost_irq(f->fh, IRQ), 1);
    assert_int_equal(fakehost_irq_edges(f->fh, IRQ), 2);
    /* Interrupts off: the line falls, the byte stays. */
    command(f, 0x60);
    data(f, 0x44);
    assert_int_equal(fakehost_irq(f->fh, IRQ), 0);
    EXPECT(f, "\x9e");
    fakehost_key(f->fh, 0x1e, 1);
    assert_int_equal(fakehost_irq(f->fh, IRQ), 0);
    command(f, 0x60);
    data(f, 0x45);
    assert_int_equal(fakehost_irq(f->fh, IRQ), 1);
    f->ops->reset(f->device);
    assert_int_equal(fakehost_irq(f->fh, IRQ), 0);
    silence(f);
}

/* While the keyboard is held back its keys wait, and the controller's own answers do not. */
static void test_held_back(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    command(f, 0xad);
    fakehost_key(f->fh, 0x1e, 1);
    silence(f);
    command(f, 0x20);
    EXPECT(f, "\x75");
    command(f, 0xae);
    EXPECT(f, "\x1e");
    command(f, 0xad);
    data(f, 0xee); /* a byte for the keyboard opens its line */
    EXPECT(f, "\xee");
    command(f, 0x20);
    EXPECT(f, "\x65");
}

static void test_characters(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    assert_int_equal(fakehost_type(f->fh, "a"), 1);
    EXPECT(f, "\x1e\x9e");
    assert_int_equal(fakehost_type(f->fh, "A\n"), 2);
    EXPECT(f, "\x2a\x1e\x9e\xaa\x1c\x9c");
    fakehost_type(f->fh, "\x03"); /* Control and C */
    EXPECT(f, "\x1d\x2e\xae\x9d");
    fakehost_type(f->fh, "\x1c"); /* Control and backslash */
    EXPECT(f, "\x1d\x2b\xab\x9d");
    fakehost_type(f->fh, "\b\x7f\t ");
    EXPECT(f, "\x0e\x8e\x0e\x8e\x0f\x8f\x39\xb9");
    fakehost_type(f->fh, "\033");
    EXPECT(f, "\x01\x81");
    fakehost_type(f->fh, "\033[A\033OP\033[15~\033[24~");
    EXPECT(f, "\xe0\x48\xe0\xc8\x3b\xbb\x3f\xbf\x58\xd8");
    fakehost_type(f->fh, "\033x");
    EXPECT(f, "\x38\x2d\xad\xb8");
    fakehost_type(f->fh, "\xc3\xa9"); /* no key of this keyboard makes it */
    silence(f);
}

/* Each printing character has a key. */
static void test_all_characters(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    for (char c = 32; c < 127; c++) {
        char text[2] = {c, 0};
        assert_int_equal(fakehost_type(f->fh, text), 1);
        byte(f);
        byte(f);
        fakehost_advance(f->fh, 1000000);
        if (status(f) & FULL) {
            byte(f);
            byte(f);
        }
        silence(f);
    }
}

static void test_full(void **state) {
    struct fixture *f = *state;
    char text[200];
    begin(f, "");
    memset(text, 'a', sizeof text);
    text[199] = 0;
    int64_t taken = fakehost_type(f->fh, text);
    assert_true(taken > 50 && taken < 199);
    assert_int_equal(fakehost_type(f->fh, "b"), 0);
    /* Keys beyond the queue are lost whole. */
    for (int k = 0; k < 100; k++)
        fakehost_key(f->fh, 0x30, 1);
    for (int64_t k = 0; k < taken; k++) {
        assert_int_equal(byte(f), 0x1e);
        assert_int_equal(byte(f), 0x9e);
    }
    while (status(f) & FULL || (fakehost_advance(f->fh, 1000000), status(f) & FULL))
        assert_int_equal(byte(f), 0x30);
    assert_int_equal(fakehost_type(f->fh, "b"), 1);
}

static void test_console(void **state) {
    struct fixture *f = *state;
    char text[300];
    memset(text, 'x', sizeof text);
    begin(f, "console");
    fakehost_console_type(f->fh, text, sizeof text);
    for (size_t k = 0; k < sizeof text; k++) {
        fakehost_advance(f->fh, 10000000);
        assert_int_equal(byte(f), 0x2d);
        assert_int_equal(byte(f), 0xad);
    }
    assert_int_equal(fakehost_timers(f->fh), 1);
    fakehost_console_end(f->fh);
    fakehost_advance(f->fh, 20000000);
    assert_int_equal(fakehost_timers(f->fh), 0);
}

static void test_life(void **state) {
    struct fixture *f = *state;
    struct blink_plugin *other;
    begin(f, "");
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "", &other), 0);
    assert_int_equal(f->ops->plugin.activate(other), -EBUSY);
    f->ops->plugin.destroy(other);
    f->ops->plugin.deactivate(f->device);
    assert_false(fakehost_port_claimed(f->fh, DATA));
    assert_int_equal(fakehost_key(f->fh, 1, 1), -ENOENT);
    assert_int_equal(f->ops->plugin.activate(f->device), 0);
    fakehost_key(f->fh, 0x1e, 1);
    EXPECT(f, "\x1e");
    f->ops->plugin.destroy(NULL);
}

static void test_refusals(void **state) {
    struct fixture *f = *state;
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "x", &f->device), -EINVAL);
    assert_string_equal(fakehost_log(f->fh), "kbd: x: not an argument; there is console alone\n");
    fakehost_log_clear(f->fh);
    fakehost_set_iface(f->fh, BLINK_IFACE_DISPLAY, NULL);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "", &f->device), -ENOTSUP);
    assert_string_equal(fakehost_log(f->fh), "device kbd needs the service blink.display/1\n");
}

#define DEVICE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(test_controller),        DEVICE_TEST(test_output_port),
        DEVICE_TEST(test_keyboard_commands), DEVICE_TEST(test_keys),
        DEVICE_TEST(test_translation),       DEVICE_TEST(test_interrupts),
        DEVICE_TEST(test_held_back),         DEVICE_TEST(test_characters),
        DEVICE_TEST(test_all_characters),    DEVICE_TEST(test_full),
        DEVICE_TEST(test_console),           DEVICE_TEST(test_life),
        DEVICE_TEST(test_refusals),
    };
    return cmocka_run_group_tests_name("kbd", tests, NULL, NULL);
}
