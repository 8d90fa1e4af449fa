/*
 * abi-bios against a fake PC: colours, fonts, and what INT 10h tells of the adapter.
 */
#include <string.h>

#include "pc.h"

#define DAC_INDEX 0x3c8
#define DAC_DATA  0x3c9
#define BUFFER    0x20000u

static int setup(void **state) {
    struct pc *pc = pc_create();
    *state = pc;
    return pc_start(pc, 0);
}

static int teardown(void **state) {
    pc_destroy(*state);
    return 0;
}

static void point_at_buffer(struct pc *pc) {
    pc_segment(pc, BLINK_SEG_ES, BUFFER >> 4);
    pc->cpu->gpr[BLINK_RBP] = 0;
}

static void test_palette(void **state) {
    struct pc *pc = *state;
    pc_int(pc, 0x10, 0x1000, 0x3f05, 0, 0);
    assert_int_equal(pc->attribute[5], 0x3f);
    pc_int(pc, 0x10, 0x1007, 0x0005, 0, 0);
    assert_int_equal(BX(pc), 0x3f05);
    pc_int(pc, 0x10, 0x1001, 0x2a00, 0, 0);
    assert_int_equal(pc->attribute[0x11], 0x2a);
    pc_int(pc, 0x10, 0x1008, 0, 0, 0);
    assert_int_equal(BX(pc) >> 8, 0x2a);
    point_at_buffer(pc);
    for (uint32_t k = 0; k < 17; k++)
        pc_poke(pc, BUFFER + k, 0x30 - k, 1);
    pc_int(pc, 0x10, 0x1002, 0, 0, 0);
    for (uint32_t k = 0; k < 16; k++)
        assert_int_equal(pc->attribute[k], 0x30 - k);
    assert_int_equal(pc->attribute[0x11], 0x20);
    pc_int(pc, 0x10, 0x1009, 0, 0, 0x100);
    for (uint32_t k = 0; k < 17; k++)
        assert_int_equal(pc_peek(pc, BUFFER + 0x100 + k, 1), 0x30 - k);
}

static void test_blink(void **state) {
    struct pc *pc = *state;
    pc_int(pc, 0x10, 0x1003, 1, 0, 0);
    assert_int_equal(pc->attribute[0x10] & 8, 8);
    pc_int(pc, 0x10, 0x1003, 0, 0, 0);
    assert_int_equal(pc->attribute[0x10] & 8, 0);
}

/* The fake DAC keeps the last byte alone. */
static void test_dac(void **state) {
    struct pc *pc = *state;
    pc_int(pc, 0x10, 0x1010, 0x0007, 0x1122, 0x3300);
    assert_int_equal(pc->port[DAC_INDEX], 7);
    assert_int_equal(pc->port[DAC_DATA], 0x22);
    pc_int(pc, 0x10, 0x1015, 0x0009, 0, 0);
    assert_int_equal(pc->port[0x3c7], 9);
    assert_int_equal(CX(pc), 0x2222);
    assert_int_equal(DX(pc) >> 8, 0x22);
    point_at_buffer(pc);
    for (uint32_t k = 0; k < 6; k++)
        pc_poke(pc, BUFFER + k, 0x10 + k, 1);
    pc_int(pc, 0x10, 0x1012, 0x0020, 2, 0);
    assert_int_equal(pc->port[DAC_INDEX], 0x20);
    assert_int_equal(pc->port[DAC_DATA], 0x15);
    pc_int(pc, 0x10, 0x1017, 0x0030, 2, 0x100);
    assert_int_equal(pc->port[0x3c7], 0x30);
    assert_int_equal(pc_peek(pc, BUFFER + 0x102, 4), 0x15151515);
    assert_int_equal(pc_peek(pc, BUFFER + 0x106, 1), 0);
    pc_int(pc, 0x10, 0x1018, 0x007f, 0, 0);
    assert_int_equal(pc->port[0x3c6], 0x7f);
    pc_int(pc, 0x10, 0x1019, 0, 0, 0);
    assert_int_equal(BX(pc) & 0xff, 0x7f);
    pc->port[DAC_DATA] = 0x20;
    pc_int(pc, 0x10, 0x101b, 0x0040, 3, 0);
    assert_int_equal(pc->port[DAC_INDEX], 0x42);
    assert_int_equal(pc->port[DAC_DATA], 0x20);
}

static void test_colour_pages(void **state) {
    struct pc *pc = *state;
    pc_int(pc, 0x10, 0x1013, 0x0100, 0, 0); /* sixteen of 16 */
    pc_int(pc, 0x10, 0x1013, 0x0b01, 0, 0);
    assert_int_equal(pc->attribute[0x14], 0x0b);
    pc_int(pc, 0x10, 0x101a, 0, 0, 0);
    assert_int_equal(BX(pc), 0x0b01);
    pc_int(pc, 0x10, 0x1013, 0x0000, 0, 0); /* four of 64 */
    pc_int(pc, 0x10, 0x1013, 0x0301, 0, 0);
    assert_int_equal(pc->attribute[0x14], 0x0c);
    pc_int(pc, 0x10, 0x101a, 0, 0, 0);
    assert_int_equal(BX(pc), 0x0300);
}

static void test_cga_colours(void **state) {
    struct pc *pc = *state;
    pc_int(pc, 0x10, 0x0b00, 0x0009, 0, 0);
    assert_int_equal(pc->attribute[0x11], 0x11);
    pc_int(pc, 0x10, 0x0004, 0, 0, 0);
    pc_int(pc, 0x10, 0x0b00, 0x0001, 0, 0); /* background: blue */
    assert_int_equal(pc->attribute[0], 1);
    pc_int(pc, 0x10, 0x0b00, 0x0101, 0, 0); /* cyan, magenta, white */
    assert_int_equal(pc->attribute[1], 3);
    assert_int_equal(pc->attribute[2], 5);
    assert_int_equal(pc->attribute[3], 7);
    pc_int(pc, 0x10, 0x0b00, 0x0010, 0, 0); /* bright */
    pc_int(pc, 0x10, 0x0b00, 0x0100, 0, 0); /* green, red, yellow */
    assert_int_equal(pc->attribute[1], 0x12);
    assert_int_equal(pc->attribute[2], 0x14);
    assert_int_equal(pc->attribute[3], 0x16);
}

/* ---- fonts ---- */

static const uint32_t blocks[8] = {0, 0x4000, 0x8000, 0xc000, 0x2000, 0x6000, 0xa000, 0xe000};

static void check_cells(struct pc *pc, uint32_t cell) {
    assert_int_equal(pc->crtc[9] & 0x1f, cell - 1);
    assert_int_equal(pc_peek(pc, 0x485, 2), cell);
    assert_int_equal(pc_peek(pc, 0x484, 1), 400 / cell - 1);
}

static void test_rom_fonts(void **state) {
    struct pc *pc = *state;
    static const uint8_t cells[5] = {0, 14, 8, 0, 16};
    for (uint32_t al = 1; al < 5; al++) {
        if (!cells[al])
            continue;
        for (uint32_t block = 0; block < 8; block++) {
            memset(pc->video, 0, sizeof pc->video);
            pc_int(pc, 0x10, 0x1100 | al, block, 0, 0);
            const uint8_t *a = pc->video + blocks[block] + 'A' * 32;
            assert_int_equal(a[cells[al] == 8 ? 2 : 3] != 0, 1);
            for (uint32_t k = cells[al]; k < 32; k++)
                assert_int_equal(a[k], 0);
        }
        check_cells(pc, 16); /* only the glyphs are others */
        pc_int(pc, 0x10, 0x1110 | al, 0, 0, 0);
        check_cells(pc, cells[al]);
        pc_int(pc, 0x10, 0x0003, 0, 0, 0);
        check_cells(pc, 16);
    }
}

static void test_own_font(void **state) {
    struct pc *pc = *state;
    point_at_buffer(pc);
    for (uint32_t k = 0; k < 20; k++)
        pc_poke(pc, BUFFER + k, 0x80 + k, 1);
    memset(pc->video, 0xee, sizeof pc->video);
    pc_int(pc, 0x10, 0x1100, 0x0a01, 2, 0x41); /* two of ten lines, A and B, to block 1 */
    for (uint32_t k = 0; k < 32; k++) {
        assert_int_equal(pc->video[0x4000 + 'A' * 32 + k], k < 10 ? 0x80 + k : 0);
        assert_int_equal(pc->video[0x4000 + 'B' * 32 + k], k < 10 ? 0x8a + k : 0);
    }
    assert_int_equal(pc->video[0x4000 + 'C' * 32], 0xee);
    assert_int_equal(pc->video[0x4000 + '@' * 32], 0xee);
    check_cells(pc, 16);
    pc_int(pc, 0x10, 0x1110, 0x0a00, 2, 0x41);
    check_cells(pc, 10);
    /* No such height: nothing happens. */
    pc_int(pc, 0x10, 0x1110, 0x2100, 2, 0x41);
    pc_int(pc, 0x10, 0x1110, 0x0000, 2, 0x41);
    check_cells(pc, 10);
}

/* 512 characters: bit 3 of the attribute chooses between two blocks. */
static void test_two_fonts(void **state) {
    struct pc *pc = *state;
    pc_int(pc, 0x10, 0x1103, 0x0004, 0, 0);
    assert_int_equal(pc->sequencer[3], 0x04);
    pc_int(pc, 0x10, 0x1103, 0x0000, 0, 0);
    assert_int_equal(pc->sequencer[3], 0x00);
}

static void test_graphics_fonts(void **state) {
    struct pc *pc = *state;
    static const struct {
        uint8_t al, bl, dl, cell, rows;
    } cases[] = {
        {0x22, 1, 0, 14, 14}, {0x23, 2, 0, 8, 25}, {0x23, 3, 0, 8, 43}, {0x24, 0, 30, 16, 30}};
    pc_int(pc, 0x10, 0x0012, 0, 0, 0);
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        pc_int(pc, 0x10, 0x1100 | cases[k].al, cases[k].bl, 0, cases[k].dl);
        assert_int_equal(pc_peek(pc, 0x43 * 4 + 2, 2), 0xf000);
        assert_int_equal(pc_peek(pc, 0x485, 2), cases[k].cell);
        assert_int_equal(pc_peek(pc, 0x484, 1), cases[k].rows - 1);
    }
    pc_segment(pc, BLINK_SEG_ES, 0x1234);
    pc->cpu->gpr[BLINK_RBP] = 0x5678;
    pc_int(pc, 0x10, 0x1121, 0x0002, 10, 0);
    assert_int_equal(pc_peek(pc, 0x43 * 4, 4), 0x12345678);
    assert_int_equal(pc_peek(pc, 0x485, 2), 10);
    pc_int(pc, 0x10, 0x1120, 0, 0, 0);
    assert_int_equal(pc_peek(pc, 0x1f * 4, 4), 0x12345678);
    /* Where they are is told. */
    pc_segment(pc, BLINK_SEG_ES, 0);
    pc_int(pc, 0x10, 0x1130, 0x0100, 0, 0);
    assert_int_equal(pc->cpu->seg[BLINK_SEG_ES].selector, 0x1234);
    assert_int_equal(pc_reg(pc, BLINK_RBP), 0x5678);
    assert_int_equal(CX(pc), 10);
}

/* ---- what there is ---- */

static void test_choices(void **state) {
    struct pc *pc = *state;
    static const uint8_t taken[] = {0x30, 0x32, 0x33, 0x34};
    for (size_t k = 0; k < sizeof taken; k++) {
        pc_int(pc, 0x10, 0x1200, taken[k], 0, 0);
        assert_int_equal(AX(pc) & 0xff, 0x12);
    }
    pc_int(pc, 0x10, 0x1201, 0x36, 0, 0);
    assert_int_equal(pc->sequencer[1] & 0x20, 0x20);
    pc_int(pc, 0x10, 0x1200, 0x36, 0, 0);
    assert_int_equal(pc->sequencer[1] & 0x20, 0);
    /* The DAC keeps its colours over a change of mode. */
    pc_int(pc, 0x10, 0x1201, 0x31, 0, 0);
    pc->port[DAC_DATA] = 0x77;
    pc_int(pc, 0x10, 0x0003, 0, 0, 0);
    assert_int_equal(pc->port[DAC_DATA], 0x77);
    pc_int(pc, 0x10, 0x1200, 0x31, 0, 0);
    pc_int(pc, 0x10, 0x0003, 0, 0, 0);
    assert_int_equal(pc->port[DAC_DATA], 0x3f);
    pc_int(pc, 0x10, 0x1200, 0x10, 0, 0);
    assert_int_equal(BX(pc), 3);
}

static void test_adapter(void **state) {
    struct pc *pc = *state;
    pc_int(pc, 0x10, 0x0400, 0, 0, 0);
    assert_int_equal(AX(pc) >> 8, 0); /* no light pen */
    pc_int(pc, 0x10, 0x1a01, 0x0007, 0, 0);
    assert_int_equal(AX(pc) & 0xff, 0x1a);
    pc_int(pc, 0x10, 0x1a00, 0, 0, 0);
    assert_int_equal(BX(pc), 7);
    point_at_buffer(pc);
    pc->cpu->gpr[BLINK_RDI] = 0;
    pc_int(pc, 0x10, 0x1b00, 0, 0, 0);
    assert_int_equal(AX(pc) & 0xff, 0x1b);
    assert_int_equal(pc_peek(pc, BUFFER + 4, 1), 3);
    assert_int_equal(pc_peek(pc, BUFFER + 37, 1), 7);
}

#define BIOS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static const struct pc_function functions[] = {
    {0x10, 0x0400, 0xff00, 0x00, 0x00, "light pen"},
    {0x10, 0x0b00, 0xff00, 0x00, 0x00, "border and palette of CGA"},
    {0x10, 0x1000, 0xffff, 0x00, 0x00, "set a palette register"},
    {0x10, 0x1001, 0xffff, 0x00, 0x00, "set the border"},
    {0x10, 0x1002, 0xffff, 0x00, 0x00, "set all palette registers"},
    {0x10, 0x1003, 0xffff, 0x00, 0x00, "blink or bright"},
    {0x10, 0x1007, 0xffff, 0x00, 0x00, "read a palette register"},
    {0x10, 0x1008, 0xffff, 0x00, 0x00, "read the border"},
    {0x10, 0x1009, 0xffff, 0x00, 0x00, "read all palette registers"},
    {0x10, 0x1010, 0xffff, 0x00, 0x00, "set a colour of the DAC"},
    {0x10, 0x1012, 0xffff, 0x00, 0x00, "set a block of colours"},
    {0x10, 0x1013, 0xffff, 0x00, 0x00, "choose a page of colours"},
    {0x10, 0x1015, 0xffff, 0x00, 0x00, "read a colour"},
    {0x10, 0x1017, 0xffff, 0x00, 0x00, "read a block of colours"},
    {0x10, 0x1018, 0xffff, 0x00, 0x00, "set the pixel mask"},
    {0x10, 0x1019, 0xffff, 0x00, 0x00, "read the pixel mask"},
    {0x10, 0x101a, 0xffff, 0x00, 0x00, "which page of colours"},
    {0x10, 0x101b, 0xffff, 0x00, 0x00, "colours to greys"},
    {0x10, 0x1100, 0xffff, 0x00, 0x00, "a font of the caller"},
    {0x10, 0x1101, 0xffff, 0x00, 0x00, "the font of 14 lines"},
    {0x10, 0x1102, 0xffff, 0x00, 0x00, "the font of 8 lines"},
    {0x10, 0x1103, 0xffff, 0x00, 0x00, "which fonts, 512 characters"},
    {0x10, 0x1104, 0xffff, 0x00, 0x00, "the font of 16 lines"},
    {0x10, 0x1110, 0xffff, 0x00, 0x00, "a font of the caller, and its rows"},
    {0x10, 0x1111, 0xffff, 0x00, 0x00, "14 lines, and its rows"},
    {0x10, 0x1112, 0xffff, 0x00, 0x00, "8 lines, and its rows"},
    {0x10, 0x1114, 0xffff, 0x00, 0x00, "16 lines, and its rows"},
    {0x10, 0x1120, 0xffff, 0x00, 0x00, "upper half of graphics"},
    {0x10, 0x1121, 0xffff, 0x00, 0x00, "graphics: the caller's font"},
    {0x10, 0x1122, 0xffff, 0x00, 0x00, "graphics: 14 lines"},
    {0x10, 0x1123, 0xffff, 0x00, 0x00, "graphics: 8 lines"},
    {0x10, 0x1124, 0xffff, 0x00, 0x00, "graphics: 16 lines"},
    {0x10, 0x1130, 0xffff, 0x00, 0x00, "where fonts are"},
    {0x10, 0x1200, 0xff00, 0x10, 0xff, "what there is"},
    {0x10, 0x1200, 0xff00, 0x30, 0xff, "lines of text"},
    {0x10, 0x1200, 0xff00, 0x31, 0xff, "palette at mode changes"},
    {0x10, 0x1200, 0xff00, 0x32, 0xff, "access"},
    {0x10, 0x1200, 0xff00, 0x33, 0xff, "greys"},
    {0x10, 0x1200, 0xff00, 0x34, 0xff, "cursor emulation"},
    {0x10, 0x1200, 0xff00, 0x36, 0xff, "refresh"},
    {0x10, 0x1a00, 0xffff, 0x00, 0x00, "which adapter"},
    {0x10, 0x1a01, 0xffff, 0x00, 0x00, "set the adapter"},
    {0x10, 0x1b00, 0xff00, 0x00, 0x00, "all that is known"},
};

static int all_called(void **state) {
    (void)state;
    return pc_check_called(functions, sizeof functions / sizeof functions[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BIOS_TEST(test_palette),      BIOS_TEST(test_blink),       BIOS_TEST(test_dac),
        BIOS_TEST(test_colour_pages), BIOS_TEST(test_cga_colours), BIOS_TEST(test_rom_fonts),
        BIOS_TEST(test_own_font),     BIOS_TEST(test_two_fonts),   BIOS_TEST(test_graphics_fonts),
        BIOS_TEST(test_choices),      BIOS_TEST(test_adapter),
    };
    return cmocka_run_group_tests_name("video", tests, NULL, all_called);
}
