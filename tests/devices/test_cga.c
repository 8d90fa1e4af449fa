/*
 * device-cga against the fake host: text of both widths, graphics of both kinds, colours, status.
 */
#define ADAPTER "cga"
#include "adapter.h"

static void set(struct fixture *f, uint8_t index, uint8_t v) {
    set_indexed(f, 0x3d4, index, v);
}
static void poke(struct fixture *f, uint32_t at, uint16_t v) {
    fakehost_memory_write(f->fh, at, 2, v);
}

static void test_text(void **state) {
    struct fixture *f = *state;
    poke(f, 0xb8000, 0x1f41);
    poke(f, 0xbc000 + 3998, 0x4f5a); /* the memory is there twice */
    assert_int_equal(fakehost_memory_read(f->fh, 0xb8000 + 3998, 2), 0x4f5a);
    picture(f);
    assert_int_equal(screen.kind, BLINK_SCREEN_TEXT);
    assert_int_equal(screen.width, 80);
    assert_int_equal(screen.height, 25);
    assert_int_equal(screen.font_height, 8);
    assert_int_equal(screen.flags, BLINK_SCREEN_BLINKS);
    assert_int_equal(screen.cells[0], 0x1f41);
    assert_int_equal(screen.cells[1], 0x0720);
    assert_int_equal(screen.cells[1999], 0x4f5a);
    assert_int_equal(screen.palette[6], 0xaa5500);
    assert_int_equal(screen.palette[14], 0xffff55);
    assert_int_equal(screen.cursor, 0);
    assert_int_equal(screen.cursor_first, 6);
    set(f, 15, 85);
    set(f, 13, 80);
    picture(f);
    assert_int_equal(screen.cursor, 5);
    assert_int_equal(screen.cells[0], 0x0720);
    out(f, 0x3d4, 15);
    assert_int_equal(in(f, 0x3d5), 85);
    assert_int_equal(in(f, 0x3d1), 85); /* another place of the same register */
    out(f, 0x3d4, 1);
    assert_int_equal(in(f, 0x3d5), 0xff); /* written only */
    set(f, 10, 0x20);
    picture(f);
    assert_int_equal(screen.cursor, BLINK_SCREEN_NO_CURSOR);
    out(f, 0x3d8, 0x08);
    set(f, 1, 40);
    picture(f);
    assert_int_equal(screen.width, 40);
    assert_int_equal(screen.flags, 0);
    out(f, 0x3d8, 0x00);
    picture(f);
    assert_int_equal(screen.kind, BLINK_SCREEN_BLANK);
}

static void graphics(struct fixture *f, uint8_t mode) {
    set(f, 1, 40);
    set(f, 6, 100);
    set(f, 9, 1);
    out(f, 0x3d8, mode);
    for (uint32_t k = 0; k < 0x4000; k += 2)
        poke(f, 0xb8000 + k, 0);
}

static void test_four_colours(void **state) {
    struct fixture *f = *state;
    graphics(f, 0x0a);
    poke(f, 0xb8000, 0x001b);
    poke(f, 0xba000 + 99 * 80 + 78, 0x0300);
    picture(f);
    assert_int_equal(screen.kind, BLINK_SCREEN_PIXELS);
    assert_int_equal(screen.width, 320);
    assert_int_equal(screen.height, 200);
    static const uint8_t row[5] = {0, 1, 2, 3, 0};
    assert_memory_equal(screen.pixels, row, 5);
    assert_int_equal(screen.pixels[320 * 200 - 1], 3);
    out(f, 0x3d9, 0x01);
    picture(f);
    assert_int_equal(screen.palette[0], 0x0000aa);
    assert_int_equal(screen.palette[1], 0x00aa00);
    assert_int_equal(screen.palette[3], 0xaa5500);
    out(f, 0x3d9, 0x30);
    picture(f);
    assert_int_equal(screen.palette[2], 0xff55ff);
    out(f, 0x3d8, 0x0e);
    picture(f);
    assert_int_equal(screen.palette[2], 0xff5555);
}

static void test_two_colours(void **state) {
    struct fixture *f = *state;
    graphics(f, 0x1a);
    out(f, 0x3d9, 0x0e);
    poke(f, 0xb8000, 0x0180);
    picture(f);
    assert_int_equal(screen.width, 640);
    assert_int_equal(screen.height, 200);
    assert_int_equal(screen.pixels[0], 1);
    assert_int_equal(screen.pixels[1], 0);
    assert_int_equal(screen.pixels[15], 1);
    assert_int_equal(screen.palette[1], 0xffff55);
    assert_int_equal(screen.palette[0], 0);
}

static void test_status(void **state) {
    struct fixture *f = *state;
    uint32_t retraces = 0;
    uint8_t before = 0;
    assert_int_equal(in(f, 0x3da) & 0x04, 0x04);
    for (int k = 0; k < 10000; k++) {
        uint8_t now = in(f, 0x3da);
        retraces += now & ~before & 8 ? 1 : 0;
        assert_true(!(now & 8) || (now & 1));
        before = now;
        fakehost_advance(f->fh, 10000);
    }
    assert_in_range(retraces, 5, 7);
}

static void test_wild_registers(void **state) {
    write_wildly(*state, 0x3d0, 16);
}

static void test_life(void **state) {
    check_life(*state, 0x3d4, 0xb8000);
}

#define DEVICE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(test_text),   DEVICE_TEST(test_four_colours),   DEVICE_TEST(test_two_colours),
        DEVICE_TEST(test_status), DEVICE_TEST(test_wild_registers), DEVICE_TEST(test_life),
    };
    return cmocka_run_group_tests_name("cga", tests, NULL, NULL);
}
