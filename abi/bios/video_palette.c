/*
 * Colours, fonts, and what the video BIOS tells of its adapter: INT 10h, AH 0Bh, 10h, 11h, 12h, 1Ah
 * and 1Bh. By the first vCPU's thread.
 */
#include <string.h>

#include "video.h"

#define DAC_WRITE 0x3c8
#define DAC_READ  0x3c7
#define DAC_DATA  0x3c9

/* ---- the DAC's first values ---- */

static void put_colour(struct blink_plugin *b, uint32_t r, uint32_t g, uint32_t bl) {
    bios_out(b, DAC_DATA, r);
    bios_out(b, DAC_DATA, g);
    bios_out(b, DAC_DATA, bl);
}

/* The 64 colours of an EGA: bits 0-2 two thirds of blue, green and red, bits 3-5 a third. */
static void put_ega(struct blink_plugin *b, uint32_t k) {
    put_colour(b, (k >> 2 & 1) * 0x2a + (k >> 5 & 1) * 0x15,
               (k >> 1 & 1) * 0x2a + (k >> 4 & 1) * 0x15, (k & 1) * 0x2a + (k >> 3 & 1) * 0x15);
}

/* The 16 of a CGA: bit 4 (or 3) is brightness, and dark yellow is brown. */
static void put_cga(struct blink_plugin *b, uint32_t k, bool bright) {
    uint32_t more = bright ? 0x15 : 0;
    uint32_t green = (k & 7) == 6 && !bright ? 0x15 : (k >> 1 & 1) * 0x2a + more;
    put_colour(b, (k >> 2 & 1) * 0x2a + more, green, (k & 1) * 0x2a + more);
}

/* Hues around the circle from blue, in steps of a quarter: how far red, green and blue are up. */
static const char hues[24][4] = {"004", "104", "204", "304", "404", "403", "402", "401",
                                 "400", "410", "420", "430", "440", "340", "240", "140",
                                 "040", "041", "042", "043", "044", "034", "024", "014"};
/* What a step is worth: three brightnesses of three saturations each. */
static const uint8_t steps[9][5] = {
    {0x00, 0x10, 0x1f, 0x2f, 0x3f}, {0x1f, 0x27, 0x2f, 0x37, 0x3f}, {0x2d, 0x31, 0x36, 0x3a, 0x3f},
    {0x00, 0x07, 0x0e, 0x15, 0x1c}, {0x0e, 0x11, 0x15, 0x18, 0x1c}, {0x14, 0x16, 0x18, 0x1a, 0x1c},
    {0x00, 0x04, 0x08, 0x0c, 0x10}, {0x08, 0x0a, 0x0c, 0x0e, 0x10}, {0x0b, 0x0c, 0x0d, 0x0f, 0x10}};
static const uint8_t greys[16] = {0x00, 0x05, 0x08, 0x0b, 0x0e, 0x11, 0x14, 0x18,
                                  0x1c, 0x20, 0x24, 0x28, 0x2d, 0x32, 0x38, 0x3f};

static void load_256(struct blink_plugin *b) {
    for (uint32_t k = 0; k < 16; k++)
        put_cga(b, k, k & 8);
    for (uint32_t k = 0; k < 16; k++)
        put_colour(b, greys[k], greys[k], greys[k]);
    for (uint32_t row = 0; row < 9; row++)
        for (uint32_t k = 0; k < 24; k++)
            put_colour(b, steps[row][hues[k][0] - '0'], steps[row][hues[k][1] - '0'],
                       steps[row][hues[k][2] - '0']);
    for (uint32_t k = 0; k < 8; k++)
        put_colour(b, 0, 0, 0);
}

void palette_load(struct blink_plugin *b, uint32_t mode) {
    if (peek8(b, BDA_VIDEO_FLAGS) & 0x08)
        return; /* the program asked for its own to be kept */
    bios_out(b, DAC_WRITE, 0);
    if (mode == 0x13) {
        load_256(b);
        return;
    }
    bool cga = (mode >= 4 && mode <= 6) || mode == 0x0d || mode == 0x0e;
    for (uint32_t k = 0; k < 64; k++)
        if (mode == 7)
            put_colour(b, (k >> 3 & 1) * 0x2a + (k >> 4 & 1) * 0x15,
                       (k >> 3 & 1) * 0x2a + (k >> 4 & 1) * 0x15,
                       (k >> 3 & 1) * 0x2a + (k >> 4 & 1) * 0x15);
        else if (cga)
            put_cga(b, k, k & 0x10);
        else
            put_ega(b, k);
}

/* ---- AH 0Bh: colours as of a CGA ---- */

void palette_0b(struct blink_plugin *b) {
    const struct mode *m = video_mode(b);
    uint32_t byte = peek8(b, BDA_CGA_PALETTE);
    if (BH(b) == 0)
        byte = (byte & ~0x1fu) | (BL(b) & 0x1fu);
    else
        byte = (byte & ~0x20u) | (BL(b) & 1u) << 5;
    poke8(b, BDA_CGA_PALETTE, byte);
    if (b->adapter == ADAPTER_CGA) {
        bios_out(b, (uint16_t)(peek16(b, BDA_CRTC) + 5), byte);
        return;
    }
    if (b->adapter != ADAPTER_VGA)
        return;
    if (BH(b) == 0) {
        /* Border, and in graphics modes the background. */
        video_attribute(b, 0x11, (byte & 7) | (byte & 8) << 1);
        if (m->layout != LAYOUT_TEXT)
            video_attribute(b, 0, (byte & 7) | (byte & 8) << 1);
    } else if (m->layout == LAYOUT_CGA2) {
        for (uint8_t k = 1; k < 4; k++)
            video_attribute(b, k, k * 2u + (byte >> 5 & 1) + (byte & 0x10));
    }
}

/* ---- AH 10h ---- */

static void set_all(struct blink_plugin *b) {
    uint64_t at = bios_at(b, BLINK_SEG_ES, DX(b));
    for (uint8_t k = 0; k < 16; k++)
        video_attribute(b, k, peek8(b, at + k));
    video_attribute(b, 0x11, peek8(b, at + 16));
}

static void get_all(struct blink_plugin *b) {
    uint64_t at = bios_at(b, BLINK_SEG_ES, DX(b));
    for (uint8_t k = 0; k < 16; k++)
        poke8(b, at + k, video_get_attribute(b, k));
    poke8(b, at + 16, video_get_attribute(b, 0x11));
}

static void set_mode_bit(struct blink_plugin *b, uint32_t bit, bool on) {
    uint32_t mode = video_get_attribute(b, 0x10);
    video_attribute(b, 0x10, on ? mode | bit : mode & ~bit);
}

static void set_entry(struct blink_plugin *b) {
    bios_out(b, DAC_WRITE, BL(b));
    put_colour(b, DH(b), CH(b), CL(b));
}

static void get_entry(struct blink_plugin *b) {
    bios_out(b, DAC_READ, BL(b));
    set_high(b, BLINK_RDX, bios_in(b, DAC_DATA));
    set_high(b, BLINK_RCX, bios_in(b, DAC_DATA));
    set_low(b, BLINK_RCX, bios_in(b, DAC_DATA));
}

static void set_block(struct blink_plugin *b) {
    uint64_t at = bios_at(b, BLINK_SEG_ES, DX(b));
    bios_out(b, DAC_WRITE, BL(b));
    for (uint32_t k = 0; k < CX(b) * 3u && k < 768; k++)
        bios_out(b, DAC_DATA, peek8(b, at + k));
}

static void get_block(struct blink_plugin *b) {
    uint64_t at = bios_at(b, BLINK_SEG_ES, DX(b));
    bios_out(b, DAC_READ, BL(b));
    for (uint32_t k = 0; k < CX(b) * 3u && k < 768; k++)
        poke8(b, at + k, bios_in(b, DAC_DATA));
}

/* BL 0: four pages of 64 colours or sixteen of 16; 1: which. */
static void select_page(struct blink_plugin *b) {
    bool sixteen = video_get_attribute(b, 0x10) & 0x80;
    if (BL(b) == 0)
        set_mode_bit(b, 0x80, BH(b) & 1);
    else
        video_attribute(b, 0x14, sixteen ? BH(b) & 15u : (uint32_t)(BH(b) & 3) << 2);
}

static void get_page(struct blink_plugin *b) {
    bool sixteen = video_get_attribute(b, 0x10) & 0x80;
    uint32_t page = video_get_attribute(b, 0x14);
    set_low(b, BLINK_RBX, sixteen);
    set_high(b, BLINK_RBX, sixteen ? page & 15 : page >> 2 & 3);
}

/* To what they look like without colour: 30, 59 and 11 per cent. */
static void to_greys(struct blink_plugin *b) {
    for (uint32_t k = 0; k < CX(b) && k < 256; k++) {
        bios_out(b, DAC_READ, BL(b) + k);
        uint32_t grey = bios_in(b, DAC_DATA) * 30u;
        grey += bios_in(b, DAC_DATA) * 59u;
        grey = (grey + bios_in(b, DAC_DATA) * 11u) / 100;
        bios_out(b, DAC_WRITE, BL(b) + k);
        put_colour(b, grey, grey, grey);
    }
}

void palette_10(struct blink_plugin *b) {
    if (b->adapter != ADAPTER_VGA)
        return;
    switch (AL(b)) {
    case 0x00: video_attribute(b, BL(b) & 0x1f, BH(b)); break;
    case 0x01: video_attribute(b, 0x11, BH(b)); break;
    case 0x02: set_all(b); break;
    case 0x03: set_mode_bit(b, 0x08, BL(b)); break;
    case 0x07: set_high(b, BLINK_RBX, video_get_attribute(b, BL(b) & 0x1f)); break;
    case 0x08: set_high(b, BLINK_RBX, video_get_attribute(b, 0x11)); break;
    case 0x09: get_all(b); break;
    case 0x10: set_entry(b); break;
    case 0x12: set_block(b); break;
    case 0x13: select_page(b); break;
    case 0x15: get_entry(b); break;
    case 0x17: get_block(b); break;
    case 0x18: bios_out(b, 0x3c6, BL(b)); break;
    case 0x19: set_low(b, BLINK_RBX, bios_in(b, 0x3c6)); break;
    case 0x1a: get_page(b); break;
    case 0x1b: to_greys(b); break;
    default: break;
    }
}

/* ---- AH 11h: fonts ---- */

/* The plane of fonts is at A000 while they are written. */
static void open_fonts(struct blink_plugin *b) {
    video_put(b, 0x3c4, 2, 0x04);
    video_put(b, 0x3c4, 4, 0x07);
    video_put(b, 0x3ce, 5, 0x00);
    video_put(b, 0x3ce, 6, 0x04);
}

static void close_fonts(struct blink_plugin *b) {
    video_put(b, 0x3c4, 2, 0x03);
    video_put(b, 0x3c4, 4, 0x02);
    video_put(b, 0x3ce, 5, 0x10);
    video_put(b, 0x3ce, 6, peek8(b, BDA_MODE) == 7 ? 0x0a : 0x0e);
}

static uint64_t font_block(uint32_t block) {
    static const uint16_t places[8] = {0, 0x4000, 0x8000, 0xc000, 0x2000, 0x6000, 0xa000, 0xe000};
    return 0xa0000u + places[block & 7];
}

static void write_font(struct blink_plugin *b, uint64_t from, uint32_t first, uint32_t count,
                       uint32_t cell, uint32_t block) {
    uint8_t rows[32];
    open_fonts(b);
    for (uint32_t k = 0; k < count && first + k < 256; k++) {
        memset(rows, 0, sizeof rows);
        bios_read(b, from + k * cell, rows, cell);
        bios_write(b, font_block(block) + (first + k) * 32, rows, sizeof rows);
    }
    close_fonts(b);
}

void font_load(struct blink_plugin *b, uint32_t cell, uint32_t block) {
    if (cell == 8) {
        write_font(b, ROM_BASE + ROM_FONT8, 0, 128, 8, block);
        write_font(b, ROM_BASE + ROM_FONT8_HIGH, 128, 128, 8, block);
    } else if (cell == 16) {
        write_font(b, ROM_BASE + ROM_FONT16, 0, 256, 16, block);
    } else {
        /* 14 lines: those of 16 without the last two, which few characters use. */
        for (uint32_t c = 0; c < 256; c++)
            write_font(b, ROM_BASE + ROM_FONT16 + c * 16, c, 1, cell, block);
    }
}

/* Cells of another height: more or fewer rows in text modes. */
static void set_cell(struct blink_plugin *b, uint32_t cell) {
    uint32_t lines = 400, rows = lines / cell, columns = peek16(b, BDA_COLUMNS);
    video_crtc(b, 0x09, 0x40 | (cell - 1));
    video_crtc(b, 0x12, rows * cell - 1);
    poke16(b, BDA_CELL, cell);
    poke8(b, BDA_ROWS, rows - 1);
    poke16(b, BDA_PAGE_SIZE, (rows * columns * 2 + 0xff) & ~0xffu);
    video_crtc(b, 0x0a, cell > 8 ? cell - 3 : cell - 2);
    video_crtc(b, 0x0b, cell > 8 ? cell - 2 : cell - 1);
}

static void user_font(struct blink_plugin *b) {
    uint32_t cell = BH(b);
    if (cell == 0 || cell > 32)
        return;
    write_font(b, bios_at(b, BLINK_SEG_ES, get16(b, BLINK_RBP)), DX(b), CX(b), cell, BL(b));
    if (AL(b) & 0x10)
        set_cell(b, cell);
}

static void rom_font(struct blink_plugin *b) {
    static const uint8_t cells[5] = {0, 14, 8, 0, 16};
    uint32_t cell = cells[AL(b) & 7];
    font_load(b, cell, BL(b));
    if (AL(b) & 0x10)
        set_cell(b, cell);
}

/* Fonts of graphics modes are where vectors lead. */
static void graphics_font(struct blink_plugin *b) {
    static const uint16_t fonts[5] = {0, 0, ROM_FONT16, ROM_FONT8, ROM_FONT16};
    static const uint8_t cells[5] = {0, 0, 14, 8, 16}, rows[4] = {0, 14, 25, 43};
    uint32_t which = AL(b) & 7, cell = which == 1 ? CX(b) : cells[which];
    uint32_t pointer =
        which == 1 ? (uint32_t)b->cpu->seg[BLINK_SEG_ES].selector << 16 | get16(b, BLINK_RBP)
                   : ROM_SEGMENT << 16 | fonts[which];
    uint32_t count = BL(b) == 0 ? DL(b) : BL(b) < 4 ? rows[BL(b)] : 25;
    if (cell == 0 || cell > 32 || count == 0)
        return;
    poke32(b, 0x43 * 4, pointer);
    poke16(b, BDA_CELL, cell);
    poke8(b, BDA_ROWS, count - 1);
}

static void font_info(struct blink_plugin *b) {
    static const uint16_t fonts[8] = {0,          0,          ROM_FONT16, ROM_FONT8, ROM_FONT8_HIGH,
                                      ROM_FONT16, ROM_FONT16, ROM_FONT16};
    uint32_t pointer = ROM_SEGMENT << 16 | fonts[BH(b) & 7];
    if (BH(b) > 7)
        return;
    if (BH(b) < 2)
        pointer = peek32(b, (BH(b) ? 0x43 : 0x1f) * 4);
    bios_set_segment(b, BLINK_SEG_ES, (uint16_t)(pointer >> 16));
    set16(b, BLINK_RBP, pointer);
    set16(b, BLINK_RCX, peek16(b, BDA_CELL));
    set_low(b, BLINK_RDX, peek8(b, BDA_ROWS));
}

void font_11(struct blink_plugin *b) {
    if (b->adapter != ADAPTER_VGA)
        return;
    switch (AL(b)) {
    case 0x00:
    case 0x10: user_font(b); break;
    case 0x01:
    case 0x02:
    case 0x04:
    case 0x11:
    case 0x12:
    case 0x14: rom_font(b); break;
    case 0x03: video_put(b, 0x3c4, 3, BL(b)); break;
    case 0x20:
        poke32(b, 0x1f * 4,
               (uint32_t)b->cpu->seg[BLINK_SEG_ES].selector << 16 | get16(b, BLINK_RBP));
        break;
    case 0x21:
    case 0x22:
    case 0x23:
    case 0x24: graphics_font(b); break;
    case 0x30: font_info(b); break;
    default: break;
    }
}

/* ---- what there is ---- */

void video_12(struct blink_plugin *b) {
    if (b->adapter != ADAPTER_VGA)
        return;
    switch (BL(b)) {
    case 0x10:
        set16(b, BLINK_RBX, peek8(b, BDA_MODE) == 7 ? 0x0103 : 0x0003);
        set16(b, BLINK_RCX, 0x0009);
        break;
    case 0x31: /* palette at mode changes */
        poke8(b, BDA_VIDEO_FLAGS, (peek8(b, BDA_VIDEO_FLAGS) & ~0x08u) | (AL(b) & 1u) << 3);
        set_low(b, BLINK_RAX, 0x12);
        break;
    case 0x30: /* lines of text modes, memory, greys, cursor, refresh: taken, without effect */
    case 0x32:
    case 0x33:
    case 0x34: set_low(b, BLINK_RAX, 0x12); break;
    case 0x36:
        video_put(b, 0x3c4, 1, AL(b) & 1 ? 0x20 : video_mode(b)->columns == 40 ? 0x08 : 0x00);
        set_low(b, BLINK_RAX, 0x12);
        break;
    default: break;
    }
}

void video_1a(struct blink_plugin *b) {
    if (b->adapter != ADAPTER_VGA || AL(b) > 1)
        return;
    if (AL(b) == 0)
        set16(b, BLINK_RBX, peek8(b, BDA_DISPLAY_CODE));
    else
        poke8(b, BDA_DISPLAY_CODE, BL(b));
    set_low(b, BLINK_RAX, 0x1a);
}

void video_1b(struct blink_plugin *b) {
    uint64_t at = bios_at(b, BLINK_SEG_ES, get16(b, BLINK_RDI));
    uint8_t area[64] = {0};
    if (b->adapter != ADAPTER_VGA || BX(b) != 0)
        return;
    area[0] = (uint8_t)ROM_VIDEO_INFO;
    area[1] = (uint8_t)(ROM_VIDEO_INFO >> 8);
    area[3] = (uint8_t)(ROM_SEGMENT >> 8);
    bios_read(b, BDA_MODE, area + 4, 30);
    area[34] = peek8(b, BDA_ROWS);
    area[35] = peek8(b, BDA_CELL);
    area[37] = peek8(b, BDA_DISPLAY_CODE);
    area[39] = video_mode(b)->layout == LAYOUT_BYTES ? 0 : 16;
    area[40] = video_mode(b)->layout == LAYOUT_BYTES;
    area[41] = video_mode(b)->pages;
    area[42] = 2; /* 400 lines */
    area[49] = 3; /* 256 KiB */
    bios_write(b, at, area, sizeof area);
    set_low(b, BLINK_RAX, 0x1b);
}
