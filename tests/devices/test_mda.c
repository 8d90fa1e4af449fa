/*
 * device-mda against the fake host: its text, cursor and status.
 */
#define ADAPTER "mda"
#include "adapter.h"

static void set(struct fixture *f, uint8_t index, uint8_t v) {
    set_indexed(f, 0x3b4, index, v);
}

static void test_text(void **state) {
    struct fixture *f = *state;
    fakehost_memory_write(f->fh, 0xb0000, 2, 0x7041);
    fakehost_memory_write(f->fh, 0xb1000 + 3998, 2, 0x015a); /* again every 4 KiB */
    assert_int_equal(fakehost_memory_read(f->fh, 0xb0000 + 3998, 2), 0x015a);
    picture(f);
    assert_int_equal(screen.kind, BLINK_SCREEN_TEXT);
    assert_int_equal(screen.width, 80);
    assert_int_equal(screen.height, 25);
    assert_int_equal(screen.font_height, 14);
    assert_int_equal(screen.flags,
                     BLINK_SCREEN_MONO | BLINK_SCREEN_WIDE_CELL | BLINK_SCREEN_BLINKS);
    assert_int_equal(screen.cells[0], 0x7041);
    assert_int_equal(screen.cells[1], 0x0720);
    assert_int_equal(screen.cells[1999], 0x015a);
    set(f, 15, 85);
    picture(f);
    assert_int_equal(screen.cursor, 85);
    assert_int_equal(screen.cursor_first, 11);
    fakehost_port_write(f->fh, 0x3b4, 1, 15);
    assert_int_equal(fakehost_port_read(f->fh, 0x3b5, 1), 85);
    set(f, 10, 0x20);
    picture(f);
    assert_int_equal(screen.cursor, BLINK_SCREEN_NO_CURSOR);
    fakehost_port_write(f->fh, 0x3b8, 1, 0x09);
    picture(f);
    assert_int_equal(screen.flags & BLINK_SCREEN_BLINKS, 0);
    fakehost_port_write(f->fh, 0x3b8, 1, 0x01);
    picture(f);
    assert_int_equal(screen.kind, BLINK_SCREEN_BLANK);
}

static void test_status(void **state) {
    struct fixture *f = *state;
    uint32_t lines = 0, dots = 0;
    uint8_t before = 0;
    for (int k = 0; k < 10000; k++) {
        uint8_t now = (uint8_t)fakehost_port_read(f->fh, 0x3ba, 1);
        assert_int_equal(now & 0xf6, 0xf0);
        lines += now & ~before & 1;
        dots += now >> 3 & 1;
        before = now;
        fakehost_advance(f->fh, 10000);
    }
    assert_in_range(lines, 1500, 1900);
    assert_in_range(dots, 6500, 8000);
}

static void test_wild_registers(void **state) {
    write_wildly(*state, 0x3b0, 12);
}

static void test_life(void **state) {
    check_life(*state, 0x3b4, 0xb0000);
}

#define DEVICE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(test_text),
        DEVICE_TEST(test_status),
        DEVICE_TEST(test_wild_registers),
        DEVICE_TEST(test_life),
    };
    return cmocka_run_group_tests_name("mda", tests, NULL, NULL);
}
