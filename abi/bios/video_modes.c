/*
 * Modes of INT 10h, and the registers that make them: IBM's values for the VGA, and those of the
 * 6845 for older adapters. By the first vCPU's thread.
 */
#include "video.h"

#define VGA_BASE 0xa0000u
#define CGA_BASE 0xb8000u
#define MDA_BASE 0xb0000u

/* Rows of the tables below. */
enum {
    REG_TEXT40,
    REG_TEXT80,
    REG_CGA2,
    REG_CGA1,
    REG_MONO,
    REG_EGA320,
    REG_EGA640,
    REG_EGA350,
    REG_VGA2,
    REG_VGA16,
    REG_VGA256
};

static const struct mode modes[] = {
    {0x00, LAYOUT_TEXT, 40, 25, 16, CGA_BASE, 0x0800, 360, 8, REG_TEXT40},
    {0x01, LAYOUT_TEXT, 40, 25, 16, CGA_BASE, 0x0800, 360, 8, REG_TEXT40},
    {0x02, LAYOUT_TEXT, 80, 25, 16, CGA_BASE, 0x1000, 720, 8, REG_TEXT80},
    {0x03, LAYOUT_TEXT, 80, 25, 16, CGA_BASE, 0x1000, 720, 8, REG_TEXT80},
    {0x04, LAYOUT_CGA2, 40, 25, 8, CGA_BASE, 0x4000, 320, 1, REG_CGA2},
    {0x05, LAYOUT_CGA2, 40, 25, 8, CGA_BASE, 0x4000, 320, 1, REG_CGA2},
    {0x06, LAYOUT_CGA1, 80, 25, 8, CGA_BASE, 0x4000, 640, 1, REG_CGA1},
    {0x07, LAYOUT_TEXT, 80, 25, 16, MDA_BASE, 0x1000, 720, 8, REG_MONO},
    {0x0d, LAYOUT_PLANES, 40, 25, 8, VGA_BASE, 0x2000, 320, 8, REG_EGA320},
    {0x0e, LAYOUT_PLANES, 80, 25, 8, VGA_BASE, 0x4000, 640, 4, REG_EGA640},
    {0x10, LAYOUT_PLANES, 80, 25, 14, VGA_BASE, 0x8000, 640, 2, REG_EGA350},
    {0x11, LAYOUT_PLANES, 80, 30, 16, VGA_BASE, 0xa000, 640, 1, REG_VGA2},
    {0x12, LAYOUT_PLANES, 80, 30, 16, VGA_BASE, 0xa000, 640, 1, REG_VGA16},
    {0x13, LAYOUT_BYTES, 40, 25, 8, VGA_BASE, 0xfa00, 320, 1, REG_VGA256},
};

/* ---- registers of the VGA ---- */

static const struct {
    uint8_t misc, sequencer[4], crtc[25], graphics[9];
} vga[] = {
    [REG_TEXT40] = {0x67,
                    {0x08, 0x03, 0x00, 0x02},
                    {0x2d, 0x27, 0x28, 0x90, 0x2b, 0xa0, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0,
                     0,    0,    0,    0x9c, 0x8e, 0x8f, 0x14, 0x1f, 0x96, 0xb9, 0xa3, 0xff},
                    {0, 0, 0, 0, 0, 0x10, 0x0e, 0x00, 0xff}},
    [REG_TEXT80] = {0x67,
                    {0x00, 0x03, 0x00, 0x02},
                    {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0,
                     0,    0,    0,    0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff},
                    {0, 0, 0, 0, 0, 0x10, 0x0e, 0x00, 0xff}},
    [REG_CGA2] = {0x63,
                  {0x09, 0x03, 0x00, 0x02},
                  {0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0x00, 0xc1, 0,    0,   0,
                   0,    0,    0,    0x9c, 0x8e, 0x8f, 0x14, 0x00, 0x96, 0xb9, 0xa2, 0xff},
                  {0, 0, 0, 0, 0, 0x30, 0x0f, 0x00, 0xff}},
    [REG_CGA1] = {0x63,
                  {0x01, 0x01, 0x00, 0x06},
                  {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0xc1, 0,    0,   0,
                   0,    0,    0,    0x9c, 0x8e, 0x8f, 0x28, 0x00, 0x96, 0xb9, 0xc2, 0xff},
                  {0, 0, 0, 0, 0, 0x00, 0x0d, 0x00, 0xff}},
    [REG_MONO] = {0x66,
                  {0x00, 0x03, 0x00, 0x02},
                  {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0,
                   0,    0,    0,    0x9c, 0x8e, 0x8f, 0x28, 0x0f, 0x96, 0xb9, 0xa3, 0xff},
                  {0, 0, 0, 0, 0, 0x10, 0x0a, 0x00, 0xff}},
    [REG_EGA320] = {0x63,
                    {0x09, 0x0f, 0x00, 0x06},
                    {0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0x00, 0xc0, 0,    0,   0,
                     0,    0,    0,    0x9c, 0x8e, 0x8f, 0x14, 0x00, 0x96, 0xb9, 0xe3, 0xff},
                    {0, 0, 0, 0, 0, 0x00, 0x05, 0x0f, 0xff}},
    [REG_EGA640] = {0x63,
                    {0x01, 0x0f, 0x00, 0x06},
                    {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0xc0, 0,    0,   0,
                     0,    0,    0,    0x9c, 0x8e, 0x8f, 0x28, 0x00, 0x96, 0xb9, 0xe3, 0xff},
                    {0, 0, 0, 0, 0, 0x00, 0x05, 0x0f, 0xff}},
    [REG_EGA350] = {0xa3,
                    {0x01, 0x0f, 0x00, 0x06},
                    {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x40, 0,    0,   0,
                     0,    0,    0,    0x83, 0x85, 0x5d, 0x28, 0x0f, 0x63, 0xba, 0xe3, 0xff},
                    {0, 0, 0, 0, 0, 0x00, 0x05, 0x0f, 0xff}},
    [REG_VGA2] = {0xe3,
                  {0x01, 0x0f, 0x00, 0x06},
                  {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00, 0x40, 0,    0,   0,
                   0,    0,    0,    0xea, 0x8c, 0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff},
                  {0, 0, 0, 0, 0, 0x00, 0x05, 0x0f, 0xff}},
    [REG_VGA16] = {0xe3,
                   {0x01, 0x0f, 0x00, 0x06},
                   {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00, 0x40, 0,    0,   0,
                    0,    0,    0,    0xea, 0x8c, 0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff},
                   {0, 0, 0, 0, 0, 0x00, 0x05, 0x0f, 0xff}},
    [REG_VGA256] = {0x63,
                    {0x01, 0x0f, 0x00, 0x0e},
                    {0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x41, 0,    0,   0,
                     0,    0,    0,    0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff},
                    {0, 0, 0, 0, 0, 0x40, 0x05, 0x0f, 0xff}},
};

/* Palette, mode, overscan, planes, panning. */
static const uint8_t attributes[][20] = {
    [REG_TEXT40] = {0,    1,    2,    3,    4,    5,    0x14, 7, 0x38, 0x39,
                    0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0, 0x0f, 8},
    [REG_TEXT80] = {0,    1,    2,    3,    4,    5,    0x14, 7, 0x38, 0x39,
                    0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0, 0x0f, 8},
    [REG_CGA2] = {0,    0x13, 0x15, 0x17, 2,    4,    6,    7, 0x10, 0x11,
                  0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x01, 0, 0x03, 0},
    [REG_CGA1] = {0,    0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17,
                  0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x01, 0,    0x01, 0},
    [REG_MONO] = {0,    8,    8,    8,    8,    8,    8,    8, 0x10, 0x18,
                  0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x0e, 0, 0x0f, 8},
    [REG_EGA320] = {0,    1,    2,    3,    4,    5,    6,    7, 0x10, 0x11,
                    0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x01, 0, 0x0f, 0},
    [REG_EGA640] = {0,    1,    2,    3,    4,    5,    6,    7, 0x10, 0x11,
                    0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x01, 0, 0x0f, 0},
    [REG_EGA350] = {0,    1,    2,    3,    4,    5,    0x14, 7, 0x38, 0x39,
                    0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x01, 0, 0x0f, 0},
    [REG_VGA2] = {0,    0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
                  0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x01, 0,    0x0f, 0},
    [REG_VGA16] = {0,    1,    2,    3,    4,    5,    0x14, 7, 0x38, 0x39,
                   0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x01, 0, 0x0f, 0},
    [REG_VGA256] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0x41, 0, 0x0f, 0},
};

/* ---- registers of the 6845: 40 and 80 columns, graphics, mono ---- */

static const uint8_t crtc_6845[4][16] = {
    {0x38, 0x28, 0x2d, 0x0a, 0x1f, 0x06, 0x19, 0x1c, 0x02, 0x07, 0x06, 0x07, 0, 0, 0, 0},
    {0x71, 0x50, 0x5a, 0x0a, 0x1f, 0x06, 0x19, 0x1c, 0x02, 0x07, 0x06, 0x07, 0, 0, 0, 0},
    {0x38, 0x28, 0x2d, 0x0a, 0x7f, 0x06, 0x64, 0x70, 0x02, 0x01, 0x06, 0x07, 0, 0, 0, 0},
    {0x61, 0x50, 0x52, 0x0f, 0x19, 0x06, 0x19, 0x19, 0x02, 0x0d, 0x0b, 0x0c, 0, 0, 0, 0},
};
/* Port 3x8 by mode: 80 columns 01, graphics 02, no colour 04, on 08, 640 points 10, blinking 20. */
static const uint8_t mode_select[8] = {0x2c, 0x28, 0x2d, 0x29, 0x2a, 0x2e, 0x1e, 0x29};

/* ---- setting ---- */

static const struct mode *find(uint32_t number) {
    for (size_t k = 0; k < sizeof modes / sizeof modes[0]; k++)
        if (modes[k].number == number)
            return &modes[k];
    return NULL;
}

const struct mode *video_mode(struct blink_plugin *b) {
    const struct mode *m = find(peek8(b, BDA_MODE) & 0x7fu);
    return m ? m : find(3);
}

uint32_t video_cell(struct blink_plugin *b) {
    uint32_t cell = peek8(b, BDA_CELL);
    return cell && cell <= 32 ? cell : video_mode(b)->cell;
}

uint32_t video_rows(struct blink_plugin *b) {
    return peek8(b, BDA_ROWS) + 1u;
}

void video_put(struct blink_plugin *b, uint16_t port, uint8_t index, uint32_t value) {
    bios_out(b, port, index);
    bios_out(b, (uint16_t)(port + 1), value);
}

void video_crtc(struct blink_plugin *b, uint8_t index, uint32_t value) {
    video_put(b, peek16(b, BDA_CRTC), index, value);
}

void video_attribute(struct blink_plugin *b, uint8_t index, uint32_t value) {
    bios_in(b, (uint16_t)(peek16(b, BDA_CRTC) + 6)); /* back to the index */
    bios_out(b, 0x3c0, index);
    bios_out(b, 0x3c0, value);
    bios_out(b, 0x3c0, 0x20);
}

uint8_t video_get_attribute(struct blink_plugin *b, uint8_t index) {
    bios_in(b, (uint16_t)(peek16(b, BDA_CRTC) + 6));
    bios_out(b, 0x3c0, index | 0x20u);
    return bios_in(b, 0x3c1);
}

static void set_vga(struct blink_plugin *b, const struct mode *m) {
    uint32_t r = m->registers;
    bios_out(b, 0x3c2, vga[r].misc);
    video_put(b, 0x3c4, 0, 0x01);
    for (uint8_t k = 0; k < 4; k++)
        video_put(b, 0x3c4, k + 1, vga[r].sequencer[k] | (k == 0 ? 0x20u : 0));
    video_put(b, 0x3c4, 0, 0x03);
    video_crtc(b, 0x11, 0);
    for (uint8_t k = 0; k < 25; k++)
        video_crtc(b, k, vga[r].crtc[k]);
    for (uint8_t k = 0; k < 9; k++)
        video_put(b, 0x3ce, k, vga[r].graphics[k]);
    for (uint8_t k = 0; k < 20; k++)
        video_attribute(b, k, attributes[r][k]);
    video_attribute(b, 0x14, 0);
    bios_out(b, 0x3c6, 0xff);
    palette_load(b, m->number);
}

/* The picture is off while its memory changes. */
static void show(struct blink_plugin *b, const struct mode *m) {
    if (b->adapter == ADAPTER_VGA)
        video_put(b, 0x3c4, 1, vga[m->registers].sequencer[0]);
}

static void set_6845(struct blink_plugin *b, const struct mode *m) {
    uint32_t row = m->number == 7 ? 3 : m->layout != LAYOUT_TEXT ? 2 : m->columns == 80 ? 1 : 0;
    uint16_t crtc = peek16(b, BDA_CRTC);
    bios_out(b, (uint16_t)(crtc + 4), mode_select[m->number] & ~0x08u);
    for (uint8_t k = 0; k < 16; k++)
        video_put(b, crtc, k, crtc_6845[row][k]);
    bios_out(b, (uint16_t)(crtc + 4), mode_select[m->number]);
    poke8(b, BDA_MODE_SELECT, mode_select[m->number]);
    if (m->number != 7) {
        uint32_t palette = m->number == 6 ? 0x3f : 0x30;
        bios_out(b, (uint16_t)(crtc + 5), palette);
        poke8(b, BDA_CGA_PALETTE, palette);
    }
}

static void clear(struct blink_plugin *b, const struct mode *m) {
    uint64_t blank = m->layout == LAYOUT_TEXT ? UINT64_C(0x0720072007200720) : 0;
    uint32_t size = m->base == VGA_BASE ? 0x10000 : 0x8000;
    if (b->adapter == ADAPTER_CGA)
        size = 0x4000;
    if (b->adapter == ADAPTER_MDA)
        size = 0x1000;
    for (uint32_t at = 0; at < size; at += 8)
        b->bus.memory_write(b->host->machine, m->base + at, 8, blank);
}

static void set_data_area(struct blink_plugin *b, const struct mode *m, bool keep) {
    bool old = b->adapter != ADAPTER_VGA;
    uint32_t cell = !old ? m->cell : m->number == 7 ? 14 : 8;
    poke8(b, BDA_MODE, m->number);
    poke16(b, BDA_COLUMNS, m->columns);
    poke16(b, BDA_PAGE_SIZE, m->page_size);
    poke16(b, BDA_PAGE_START, 0);
    for (uint32_t page = 0; page < 8; page++)
        poke16(b, BDA_CURSORS + 2 * page, 0);
    poke8(b, BDA_PAGE, 0);
    poke16(b, BDA_CRTC, m->number == 7 ? 0x3b4 : 0x3d4);
    poke16(b, BDA_CURSOR_SHAPE,
           m->layout != LAYOUT_TEXT ? 0
           : old && m->number == 7  ? 0x0b0c
                                    : 0x0607);
    poke8(b, BDA_ROWS, m->rows - 1u);
    poke16(b, BDA_CELL, cell);
    if (old)
        return;
    poke8(b, BDA_VIDEO_INFO, 0x60 | (keep ? 0x80u : 0)); /* 256 KiB */
    poke8(b, BDA_VIDEO_SWITCHES, 0xf9);
    poke8(b, BDA_VIDEO_FLAGS, 0x51 | (peek8(b, BDA_VIDEO_FLAGS) & 0x08)); /* see video_12 */
    poke8(b, BDA_DISPLAY_CODE, 0x08);
    poke32(b, 0x43 * 4, ROM_SEGMENT << 16 | (cell == 8 ? ROM_FONT8 : ROM_FONT16));
}

static bool can(const struct blink_plugin *b, uint32_t number) {
    switch (b->adapter) {
    case ADAPTER_MDA: return number == 7;
    case ADAPTER_CGA: return number <= 6;
    default: return true;
    }
}

bool video_set_mode(struct blink_plugin *b, uint32_t number, bool keep) {
    const struct mode *m = find(number);
    if (!m || !can(b, number))
        return false;
    set_data_area(b, m, keep);
    if (b->adapter == ADAPTER_VGA)
        set_vga(b, m);
    else if (b->adapter != ADAPTER_NONE)
        set_6845(b, m);
    if (!keep)
        clear(b, m);
    if (b->adapter == ADAPTER_VGA && m->layout == LAYOUT_TEXT)
        font_load(b, m->cell, 0);
    show(b, m);
    return true;
}
