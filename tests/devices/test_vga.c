/*
 * device-vga against the fake host: its registers, the ways to write and read the planes, and
 * the pictures of text, 256 colours, 16 colours in planes, and CGA's four.
 */
#define ADAPTER "vga"
#include "adapter.h"

static uint8_t get(struct fixture *f, uint16_t port, uint8_t index) {
    out(f, port, index);
    return in(f, port + 1);
}
static void attribute(struct fixture *f, uint8_t index, uint8_t v) {
    in(f, 0x3da);
    out(f, 0x3c0, index);
    out(f, 0x3c0, v);
    out(f, 0x3c0, 0x20);
}
static void poke(struct fixture *f, uint32_t at, uint8_t v) {
    fakehost_memory_write(f->fh, at, 1, v);
}
static uint8_t peek(struct fixture *f, uint32_t at) {
    return (uint8_t)fakehost_memory_read(f->fh, at, 1);
}

/* The registers that differ between modes: name of the group's port, index, value; ends with 0. */
struct setting {
    uint16_t port;
    uint8_t index, value;
};
static void apply(struct fixture *f, const struct setting *s) {
    set_indexed(f, 0x3d4, 0x11, 0x0e); /* CRTC registers can be written */
    for (; s->port; s++)
        if (s->port == 0x3c0)
            attribute(f, s->index, s->value);
        else
            set_indexed(f, s->port, s->index, s->value);
}

static const struct setting mode13[] = {{0x3c4, 1, 0x01},    {0x3c4, 2, 0x0f},
                                        {0x3c4, 4, 0x0e},    {0x3d4, 0x01, 0x4f},
                                        {0x3d4, 0x07, 0x1f}, {0x3d4, 0x09, 0x41},
                                        {0x3d4, 0x12, 0x8f}, {0x3d4, 0x13, 0x28},
                                        {0x3d4, 0x14, 0x40}, {0x3d4, 0x17, 0xa3},
                                        {0x3ce, 5, 0x40},    {0x3ce, 6, 0x05},
                                        {0x3c0, 0x10, 0x41}, {0}};
static const struct setting mode12[] = {{0x3c4, 1, 0x01},    {0x3c4, 2, 0x0f},
                                        {0x3c4, 4, 0x06},    {0x3d4, 0x01, 0x4f},
                                        {0x3d4, 0x07, 0x3e}, {0x3d4, 0x09, 0x40},
                                        {0x3d4, 0x12, 0xdf}, {0x3d4, 0x13, 0x28},
                                        {0x3d4, 0x14, 0x00}, {0x3d4, 0x17, 0xe3},
                                        {0x3ce, 5, 0x00},    {0x3ce, 6, 0x05},
                                        {0x3c0, 0x10, 0x01}, {0}};
static const struct setting mode4[] = {
    {0x3c4, 1, 0x09},    {0x3c4, 2, 0x03},    {0x3c4, 4, 0x02},
    {0x3d4, 0x01, 0x27}, {0x3d4, 0x07, 0x1f}, {0x3d4, 0x09, 0xc1},
    {0x3d4, 0x12, 0x8f}, {0x3d4, 0x13, 0x14}, {0x3d4, 0x14, 0x00},
    {0x3d4, 0x17, 0xa2}, {0x3ce, 5, 0x30},    {0x3ce, 6, 0x0f},
    {0x3c0, 0x10, 0x01}, {0x3c0, 0x12, 0x03}, {0}};

static void test_text(void **state) {
    struct fixture *f = *state;
    picture(f);
    assert_int_equal(screen.kind, BLINK_SCREEN_TEXT);
    assert_int_equal(screen.width, 80);
    assert_int_equal(screen.height, 25);
    assert_int_equal(screen.font_height, 16);
    assert_int_equal(screen.flags, BLINK_SCREEN_BLINKS | BLINK_SCREEN_WIDE_CELL);
    assert_int_equal(screen.cells[0], 0x0720);
    assert_int_equal(screen.palette[0], 0);
    assert_int_equal(screen.palette[6], 0xaa5500);
    assert_int_equal(screen.palette[7], 0xaaaaaa);
    assert_int_equal(screen.palette[15], 0xffffff);
    assert_int_equal(screen.cursor, 0);
    assert_int_equal(screen.font_given, 0);
    fakehost_memory_write(f->fh, 0xb8000, 2, 0x1f41);
    fakehost_memory_write(f->fh, 0xb8000 + 80 * 25 * 2 - 2, 2, 0x4f5a);
    assert_int_equal(fakehost_memory_read(f->fh, 0xb8000, 2), 0x1f41);
    assert_int_equal(fakehost_memory_read(f->fh, 0xb8000, 4), 0x07201f41);
    picture(f);
    assert_int_equal(screen.cells[0], 0x1f41);
    assert_int_equal(screen.cells[1999], 0x4f5a);
    /* The window is at 0xB8000 alone. */
    poke(f, 0xb0000, 'x');
    poke(f, 0xa0000, 'x');
    assert_int_equal(peek(f, 0xb0000), 0xff);
    picture(f);
    assert_int_equal(screen.cells[0], 0x1f41);
    /* A cursor and another page. */
    set_indexed(f, 0x3d4, 0x0e, 0x01);
    set_indexed(f, 0x3d4, 0x0f, 0x05);
    picture(f);
    assert_int_equal(screen.cursor, 0x105);
    assert_int_equal(screen.cursor_first, 13);
    assert_int_equal(screen.cursor_last, 14);
    set_indexed(f, 0x3d4, 0x0d, 80);
    picture(f);
    assert_int_equal(screen.cursor, 0x105 - 80);
    assert_int_equal(screen.cells[0], 0x0720);
    set_indexed(f, 0x3d4, 0x0a, 0x20);
    picture(f);
    assert_int_equal(screen.cursor, BLINK_SCREEN_NO_CURSOR);
    /* Bright backgrounds, 8 dots, 50 lines of 8. */
    attribute(f, 0x10, 0x04);
    set_indexed(f, 0x3c4, 1, 0x01);
    set_indexed(f, 0x3d4, 9, 0x07);
    picture(f);
    assert_int_equal(screen.flags, 0);
    assert_int_equal(screen.height, 50);
    assert_int_equal(screen.font_height, 8);
}

static void test_blank(void **state) {
    struct fixture *f = *state;
    set_indexed(f, 0x3c4, 1, 0x20);
    picture(f);
    assert_int_equal(screen.kind, BLINK_SCREEN_BLANK);
    set_indexed(f, 0x3c4, 1, 0x00);
    in(f, 0x3da);
    out(f, 0x3c0, 0x00);
    picture(f);
    assert_int_equal(screen.kind, BLINK_SCREEN_BLANK);
}

static void test_registers(void **state) {
    struct fixture *f = *state;
    set_indexed(f, 0x3c4, 2, 0x0a);
    assert_int_equal(get(f, 0x3c4, 2), 0x0a);
    assert_int_equal(get(f, 0x3c4, 7), 0);
    set_indexed(f, 0x3ce, 8, 0x5a);
    assert_int_equal(get(f, 0x3ce, 8), 0x5a);
    assert_int_equal(get(f, 0x3ce, 9), 0);
    set_indexed(f, 0x3ce, 4, 0xff);
    assert_int_equal(get(f, 0x3ce, 4), 3);
    /* Protection of the first registers. */
    set_indexed(f, 0x3d4, 0x11, 0x8e);
    set_indexed(f, 0x3d4, 0x01, 0x11);
    set_indexed(f, 0x3d4, 0x07, 0x00);
    assert_int_equal(get(f, 0x3d4, 0x01), 0x4f);
    assert_int_equal(get(f, 0x3d4, 0x07), 0x0f);
    set_indexed(f, 0x3d4, 0x11, 0x0e);
    set_indexed(f, 0x3d4, 0x01, 0x11);
    assert_int_equal(get(f, 0x3d4, 0x01), 0x11);
    /* The palette is written while it is not shown. */
    in(f, 0x3da);
    out(f, 0x3c0, 0x23);
    out(f, 0x3c0, 0x3f);
    in(f, 0x3da);
    out(f, 0x3c0, 0x23);
    assert_int_equal(in(f, 0x3c1), 0x03);
    attribute(f, 3, 0x7f);
    in(f, 0x3da);
    out(f, 0x3c0, 0x23);
    assert_int_equal(in(f, 0x3c1), 0x3f);
    /* The CRT controller at its other place. */
    assert_int_equal(in(f, 0x3b4), 0xff);
    out(f, 0x3c2, 0x66);
    assert_int_equal(in(f, 0x3cc), 0x66);
    assert_int_equal(in(f, 0x3d4), 0xff);
    assert_int_equal(get(f, 0x3b4, 0x01), 0x11);
    assert_int_equal(in(f, 0x3c2) & 0x10, 0x10);
}

static void test_dac(void **state) {
    struct fixture *f = *state;
    out(f, 0x3c8, 1);
    for (int k = 0; k < 6; k++)
        out(f, 0x3c9, (uint8_t)(0xc0 + k));
    out(f, 0x3c7, 1);
    assert_int_equal(in(f, 0x3c7), 3);
    for (int k = 0; k < 6; k++)
        assert_int_equal(in(f, 0x3c9), k);
    assert_int_equal(in(f, 0x3c8), 3);
    assert_int_equal(in(f, 0x3c7), 3);
    out(f, 0x3c8, 1);
    assert_int_equal(in(f, 0x3c7), 0);
    picture(f);
    assert_int_equal(screen.palette[1], 0x000408);
    out(f, 0x3c6, 0x3e);
    assert_int_equal(in(f, 0x3c6), 0x3e);
    picture(f);
    assert_int_equal(screen.palette[1], 0x000000);
    /* Two bits more for each of the sixteen. */
    out(f, 0x3c6, 0xff);
    attribute(f, 0x14, 0x04);
    picture(f);
    assert_int_equal(screen.palette[1], 0x0000aa); /* entry 0x41 is like 0x01 was */
    attribute(f, 0x10, 0x8c);
    attribute(f, 0x14, 0x02);
    picture(f);
    assert_int_equal(screen.palette[1], 0x5500aa); /* entry 0x21 */
}

/* The beam: a retrace in each picture, and lines that end. */
static void test_status(void **state) {
    struct fixture *f = *state;
    uint32_t retraces = 0, blanks = 0;
    uint8_t before = 0;
    for (int k = 0; k < 10000; k++) {
        uint8_t now = in(f, 0x3da);
        retraces += now & ~before & 8 ? 1 : 0;
        blanks += now & ~before & 1 ? 1 : 0;
        before = now;
        fakehost_advance(f->fh, 10000);
    }
    assert_in_range(retraces, 6, 8);
    assert_in_range(blanks, 1500, 2900);
}

static void test_256_colours(void **state) {
    struct fixture *f = *state;
    apply(f, mode13);
    out(f, 0x3c8, 0xfe);
    out(f, 0x3c9, 0x3f);
    out(f, 0x3c9, 0x00);
    out(f, 0x3c9, 0x20);
    for (uint32_t k = 0; k < 64000; k++)
        poke(f, 0xa0000 + k, (uint8_t)(k * 7));
    for (uint32_t k = 0; k < 64000; k += 997)
        assert_int_equal(peek(f, 0xa0000 + k), (uint8_t)(k * 7));
    picture(f);
    assert_int_equal(screen.kind, BLINK_SCREEN_PIXELS);
    assert_int_equal(screen.width, 320);
    assert_int_equal(screen.height, 200);
    assert_int_equal(screen.flags, BLINK_SCREEN_DOUBLE_Y);
    assert_int_equal(screen.palette[0xfe], 0xff0082);
    for (uint32_t k = 0; k < 64000; k++)
        assert_int_equal(screen.pixels[k], (uint8_t)(k * 7));
    /* Unchained, a byte is four pixels of one plane each: mode X. */
    set_indexed(f, 0x3c4, 4, 0x06);
    set_indexed(f, 0x3d4, 0x14, 0x00);
    set_indexed(f, 0x3d4, 0x17, 0xe3);
    set_indexed(f, 0x3c4, 2, 0x02);
    poke(f, 0xa0000 + 80, 0x42);
    picture(f);
    assert_int_equal(screen.pixels[321], 0x42);
    assert_int_not_equal(screen.pixels[320], 0x42);
}

static void test_planes(void **state) {
    struct fixture *f = *state;
    apply(f, mode12);
    /* Plain writes to the planes of the mask. */
    poke(f, 0xa0000, 0x00);
    set_indexed(f, 0x3c4, 2, 0x05);
    poke(f, 0xa0000, 0x81);
    picture(f);
    assert_int_equal(screen.width, 640);
    assert_int_equal(screen.height, 480);
    assert_int_equal(screen.flags, 0);
    assert_int_equal(screen.pixels[0], 5);
    assert_int_equal(screen.pixels[1], 0);
    assert_int_equal(screen.pixels[7], 5);
    set_indexed(f, 0x3ce, 4, 2);
    assert_int_equal(peek(f, 0xa0000), 0x81);
    set_indexed(f, 0x3ce, 4, 1);
    assert_int_equal(peek(f, 0xa0000), 0x00);
    /* Set/reset with a bit mask, the rest from the latches. */
    set_indexed(f, 0x3c4, 2, 0x0f);
    set_indexed(f, 0x3ce, 0, 0x0a);
    set_indexed(f, 0x3ce, 1, 0x0f);
    set_indexed(f, 0x3ce, 8, 0x18);
    peek(f, 0xa0000);
    poke(f, 0xa0000, 0x00);
    picture(f);
    static const uint8_t row[8] = {5, 0, 0, 10, 10, 0, 0, 5};
    assert_memory_equal(screen.pixels, row, 8);
    /* Read mode 1: where the colour is 10. */
    set_indexed(f, 0x3ce, 2, 0x0a);
    set_indexed(f, 0x3ce, 7, 0x0f);
    set_indexed(f, 0x3ce, 5, 0x08);
    assert_int_equal(peek(f, 0xa0000), 0x18);
    set_indexed(f, 0x3ce, 7, 0x00);
    assert_int_equal(peek(f, 0xa0000), 0xff);
    /* Write mode 1 copies the latches. */
    set_indexed(f, 0x3ce, 5, 0x01);
    peek(f, 0xa0000);
    poke(f, 0xa0000 + 479 * 80 + 79, 0x55);
    picture(f);
    assert_memory_equal(screen.pixels + 640 * 480 - 8, row, 8);
    /* Write mode 2: the byte is a colour; exclusive or with what is there. */
    set_indexed(f, 0x3ce, 5, 0x02);
    set_indexed(f, 0x3ce, 3, 0x18);
    set_indexed(f, 0x3ce, 8, 0xff);
    peek(f, 0xa0000);
    poke(f, 0xa0000, 0x0f);
    picture(f);
    for (int k = 0; k < 8; k++)
        assert_int_equal(screen.pixels[k], row[k] ^ 15);
    /* Write mode 3: the rotated byte is the mask of a colour. */
    set_indexed(f, 0x3ce, 5, 0x03);
    set_indexed(f, 0x3ce, 3, 0x01);
    set_indexed(f, 0x3ce, 0, 0x03);
    peek(f, 0xa0001);
    poke(f, 0xa0001, 0x01);
    picture(f);
    assert_int_equal(screen.pixels[8], 3);
    assert_int_equal(screen.pixels[15], 0);
    /* And, or; planes that the attribute controller leaves out. */
    set_indexed(f, 0x3ce, 5, 0x00);
    set_indexed(f, 0x3ce, 1, 0x00);
    set_indexed(f, 0x3ce, 3, 0x08);
    peek(f, 0xa0001);
    poke(f, 0xa0001, 0x7f);
    picture(f);
    assert_int_equal(screen.pixels[8], 0);
    set_indexed(f, 0x3ce, 3, 0x10);
    peek(f, 0xa0000);
    poke(f, 0xa0000, 0xff);
    attribute(f, 0x12, 0x07);
    picture(f);
    assert_int_equal(screen.pixels[0], 7);
}

static void test_four_colours(void **state) {
    struct fixture *f = *state;
    apply(f, mode4);
    poke(f, 0xb8000, 0x1b); /* 0 1 2 3 */
    poke(f, 0xb8001, 0xe4); /* 3 2 1 0 */
    poke(f, 0xb8000 + 80, 0xff);
    poke(f, 0xba000, 0x55); /* the second line */
    assert_int_equal(peek(f, 0xb8000), 0x1b);
    assert_int_equal(peek(f, 0xb8001), 0xe4);
    picture(f);
    assert_int_equal(screen.width, 320);
    assert_int_equal(screen.height, 200);
    static const uint8_t row[8] = {0, 1, 2, 3, 3, 2, 1, 0};
    assert_memory_equal(screen.pixels, row, 8);
    assert_int_equal(screen.pixels[320], 1);
    assert_int_equal(screen.pixels[324], 0);
    assert_int_equal(screen.pixels[640], 3);
}

static void test_font(void **state) {
    struct fixture *f = *state;
    set_indexed(f, 0x3c4, 2, 0x04);
    set_indexed(f, 0x3c4, 4, 0x06);
    set_indexed(f, 0x3ce, 5, 0x00);
    set_indexed(f, 0x3ce, 6, 0x04);
    poke(f, 0xa0000 + 'A' * 32, 0x18);
    poke(f, 0xa4000 + 'A' * 32, 0x24);
    set_indexed(f, 0x3c4, 2, 0x03);
    set_indexed(f, 0x3c4, 4, 0x02);
    set_indexed(f, 0x3ce, 5, 0x10);
    set_indexed(f, 0x3ce, 6, 0x0e);
    picture(f);
    assert_int_equal(screen.font_given, 1);
    assert_int_equal(screen.font['A' * 32], 0x18);
    set_indexed(f, 0x3c4, 3, 0x05);
    picture(f);
    assert_int_equal(screen.font['A' * 32], 0x24);
}

static void test_wild_registers(void **state) {
    write_wildly(*state, 0x3b0, 48);
}

static void test_life(void **state) {
    check_life(*state, 0x3c0, 0xb8000);
}

#define DEVICE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(test_text),         DEVICE_TEST(test_blank),
        DEVICE_TEST(test_registers),    DEVICE_TEST(test_dac),
        DEVICE_TEST(test_status),       DEVICE_TEST(test_256_colours),
        DEVICE_TEST(test_planes),       DEVICE_TEST(test_font),
        DEVICE_TEST(test_four_colours), DEVICE_TEST(test_wild_registers),
        DEVICE_TEST(test_life),
    };
    return cmocka_run_group_tests_name("vga", tests, NULL, NULL);
}
