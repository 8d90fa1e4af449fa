/*
 * Graphics modes: points, and characters made of them. By the first vCPU's thread.
 */
#include "video.h"

#define EXCLUSIVE_OR 0x80u /* in a colour */

/* ---- the planes: the VGA combines what is written ---- */

/* Write `colour` where `mask` is set, through the graphics controller. */
static void plane_write(struct blink_plugin *b, uint64_t at, uint8_t mask, uint8_t colour) {
    video_put(b, 0x3ce, 8, mask);
    video_put(b, 0x3ce, 5, 0x02); /* the byte is a colour */
    video_put(b, 0x3ce, 3, colour & EXCLUSIVE_OR ? 0x18 : 0x00);
    peek8(b, at); /* the other points stay */
    poke8(b, at, colour & 15u);
    video_put(b, 0x3ce, 3, 0x00);
    video_put(b, 0x3ce, 5, 0x00);
    video_put(b, 0x3ce, 8, 0xff);
}

static uint32_t plane_read(struct blink_plugin *b, uint64_t at, uint32_t bit) {
    uint32_t colour = 0;
    for (uint32_t p = 0; p < 4; p++) {
        video_put(b, 0x3ce, 4, p);
        colour |= (uint32_t)(peek8(b, at) >> bit & 1) << p;
    }
    video_put(b, 0x3ce, 4, 0);
    return colour;
}

/* ---- points ---- */

/* The byte of a point, the place of its lowest bit, and how many bits it has. */
struct place {
    uint64_t at;
    uint32_t shift, bits;
};

static struct place locate(const struct mode *m, uint32_t page, uint32_t x, uint32_t y) {
    struct place p = {.at = m->base + page * m->page_size};
    switch (m->layout) {
    case LAYOUT_CGA2:
        p.at += (y & 1) * 0x2000 + (y >> 1) * 80 + x / 4;
        p.shift = 6 - 2 * (x & 3);
        p.bits = 2;
        break;
    case LAYOUT_CGA1:
        p.at += (y & 1) * 0x2000 + (y >> 1) * 80 + x / 8;
        p.shift = 7 - (x & 7);
        p.bits = 1;
        break;
    case LAYOUT_PLANES:
        p.at += y * (m->width / 8u) + x / 8;
        p.shift = 7 - (x & 7);
        p.bits = 4;
        break;
    default:
        p.at += y * m->width + x;
        p.bits = 8;
        break;
    }
    return p;
}

static bool outside(struct blink_plugin *b, const struct mode *m, uint32_t x, uint32_t y) {
    return m->layout == LAYOUT_TEXT || x >= m->width || y >= video_rows(b) * video_cell(b);
}

static void put_point(struct blink_plugin *b, const struct mode *m, struct place p,
                      uint32_t colour) {
    if (m->layout == LAYOUT_PLANES) {
        plane_write(b, p.at, (uint8_t)(1u << p.shift), (uint8_t)colour);
        return;
    }
    if (m->layout == LAYOUT_BYTES) {
        poke8(b, p.at, colour);
        return;
    }
    uint32_t mask = ((1u << p.bits) - 1) << p.shift, byte = peek8(b, p.at);
    uint32_t value = colour << p.shift & mask;
    poke8(b, p.at, colour & EXCLUSIVE_OR ? byte ^ value : (byte & ~mask) | value);
}

void draw_point(struct blink_plugin *b, uint32_t page, uint32_t x, uint32_t y, uint32_t colour) {
    const struct mode *m = video_mode(b);
    if (!outside(b, m, x, y))
        put_point(b, m, locate(m, page, x, y), colour);
}

uint32_t draw_read(struct blink_plugin *b, uint32_t page, uint32_t x, uint32_t y) {
    const struct mode *m = video_mode(b);
    if (outside(b, m, x, y))
        return 0;
    struct place p = locate(m, page, x, y);
    if (m->layout == LAYOUT_PLANES)
        return plane_read(b, p.at, p.shift);
    return peek8(b, p.at) >> p.shift & ((1u << p.bits) - 1);
}

/* ---- characters ---- */

/* Vector 43h leads to the font; with CGA's modes to its first half, and 1Fh to the second. */
static void glyph(struct blink_plugin *b, const struct mode *m, uint8_t c, uint8_t rows[32]) {
    uint32_t cell = video_cell(b);
    bool halves = m->layout == LAYOUT_CGA1 || m->layout == LAYOUT_CGA2;
    bool second = c >= 128 && (halves || cell == 8);
    uint32_t pointer = peek32(b, (second ? 0x1f : 0x43) * 4);
    uint64_t font = (uint64_t)(pointer >> 16) * 16 + (pointer & 0xffff);
    bios_read(b, font + (second ? c - 128u : c) * cell, rows, cell);
}

/* A row of eight points at once where they are one byte. */
static void draw_planes(struct blink_plugin *b, uint64_t at, uint8_t row, uint8_t colour) {
    if (!(colour & EXCLUSIVE_OR) && row != 0xff)
        plane_write(b, at, (uint8_t)~row, 0);
    if (row)
        plane_write(b, at, row, colour);
}

static void draw_row(struct blink_plugin *b, const struct mode *m, struct place p, uint8_t row,
                     uint32_t x, uint32_t y, uint32_t page, uint8_t colour) {
    if (m->layout == LAYOUT_PLANES) {
        draw_planes(b, p.at, row, colour);
        return;
    }
    for (uint32_t k = 0; k < 8; k++) {
        bool on = row >> (7 - k) & 1;
        bool exclusive = m->layout != LAYOUT_BYTES && (colour & EXCLUSIVE_OR);
        if (on || !exclusive)
            put_point(b, m, locate(m, page, x + k, y), on ? colour : 0);
    }
}

void draw_character(struct blink_plugin *b, uint32_t page, uint32_t x, uint32_t y, uint8_t c,
                    uint8_t colour) {
    const struct mode *m = video_mode(b);
    uint32_t cell = video_cell(b);
    uint8_t rows[32];
    if (x >= m->columns || y >= video_rows(b))
        return;
    glyph(b, m, c, rows);
    for (uint32_t k = 0; k < cell; k++)
        draw_row(b, m, locate(m, page, x * 8, y * cell + k), rows[k], x * 8, y * cell + k, page,
                 colour);
}

/* The character whose glyph is drawn there; 0 if it is none. */
uint8_t draw_recognise(struct blink_plugin *b, uint32_t page, uint32_t x, uint32_t y) {
    const struct mode *m = video_mode(b);
    uint32_t cell = video_cell(b);
    uint8_t seen[32] = {0}, rows[32];
    for (uint32_t k = 0; k < cell; k++)
        for (uint32_t bit = 0; bit < 8; bit++)
            if (draw_read(b, page, x * 8 + bit, y * cell + k))
                seen[k] |= (uint8_t)(0x80 >> bit);
    for (uint32_t c = 0; c < 256; c++) {
        uint32_t k = 0;
        glyph(b, m, (uint8_t)c, rows);
        while (k < cell && rows[k] == seen[k])
            k++;
        if (k == cell)
            return (uint8_t)c;
    }
    return 0;
}

/* ---- scrolling: lines of points ---- */

static void copy_line(struct blink_plugin *b, const struct mode *m, struct area a, uint32_t from,
                      uint32_t to) {
    struct place source = locate(m, 0, a.left * 8, from), goal = locate(m, 0, a.left * 8, to);
    uint32_t points = (a.right - a.left + 1) * 8;
    if (m->layout == LAYOUT_PLANES) {
        /* Write mode 1: a byte of all planes by the latches. */
        for (uint32_t k = 0; k < points / 8; k++) {
            peek8(b, source.at + k);
            poke8(b, goal.at + k, 0);
        }
        return;
    }
    uint8_t line[640];
    size_t size = points * source.bits / 8;
    bios_read(b, source.at, line, size);
    bios_write(b, goal.at, line, size);
}

static void fill_line(struct blink_plugin *b, const struct mode *m, struct area a, uint32_t y,
                      uint8_t colour) {
    struct place p = locate(m, 0, a.left * 8, y);
    uint32_t points = (a.right - a.left + 1) * 8, byte = colour;
    if (m->layout == LAYOUT_CGA2)
        byte = (colour & 3u) * 0x55;
    if (m->layout == LAYOUT_CGA1)
        byte = colour & 1 ? 0xff : 0;
    uint32_t size = m->layout == LAYOUT_PLANES ? points / 8 : points * p.bits / 8;
    for (uint32_t k = 0; k < size; k++)
        poke8(b, p.at + k, byte);
}

void draw_scroll(struct blink_plugin *b, struct area a, uint32_t lines, bool down, uint8_t colour) {
    const struct mode *m = video_mode(b);
    uint32_t cell = video_cell(b), top = a.top * cell, bottom = (a.bottom + 1) * cell - 1;
    uint32_t height = bottom - top + 1, by = lines * cell;
    bool planes = m->layout == LAYOUT_PLANES;
    if (a.right >= m->columns)
        return;
    if (planes)
        video_put(b, 0x3ce, 5, 0x01);
    for (uint32_t k = 0; k + by < height; k++) {
        uint32_t to = down ? bottom - k : top + k;
        copy_line(b, m, a, down ? to - by : to + by, to);
    }
    if (planes)
        video_put(b, 0x3ce, 5, 0x02);
    for (uint32_t k = height - by; k < height; k++)
        fill_line(b, m, a, down ? bottom - k : top + k, colour);
    if (planes)
        video_put(b, 0x3ce, 5, 0x00);
}
