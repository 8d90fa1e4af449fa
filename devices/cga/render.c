/*
 * What the CGA's monitor shows: text of 40 or 80 columns, 320 points in four colours, 640 in two.
 * Bus lock held.
 */
#include "cga.h"

#define NO_CURSOR 0x20u

static const uint32_t colours[16] = {
    0x000000, 0x0000aa, 0x00aa00, 0x00aaaa, 0xaa0000, 0xaa00aa, 0xaa5500, 0xaaaaaa,
    0x555555, 0x5555ff, 0x55ff55, 0x55ffff, 0xff5555, 0xff55ff, 0xffff55, 0xffffff,
};

static uint32_t word(const struct blink_plugin *c, uint32_t index) {
    return (c->cr[index] & 0x3fu) << 8 | c->cr[index + 1];
}

static void render_text(const struct blink_plugin *c, struct blink_screen *out) {
    uint32_t start = word(c, CR_START);
    out->width = c->cr[CR_COLUMNS];
    out->height = c->cr[CR_ROWS];
    out->font_height = (c->cr[CR_CELL] & 31u) + 1;
    if (out->width * out->height > BLINK_SCREEN_CELLS)
        return;
    out->kind = BLINK_SCREEN_TEXT;
    out->flags = c->mode & MODE_BLINKS ? BLINK_SCREEN_BLINKS : 0;
    for (uint32_t k = 0; k < out->width * out->height; k++) {
        uint32_t at = (start + k) * 2 & (CGA_MEMORY - 1);
        out->cells[k] = (uint16_t)(c->memory[at] | c->memory[at + 1] << 8);
    }
    uint32_t cursor = (word(c, CR_CURSOR) - start) & 0x3fff;
    out->cursor_first = c->cr[CR_CURSOR_FIRST] & 31u;
    out->cursor_last = c->cr[CR_CURSOR_LAST] & 31u;
    if ((c->cr[CR_CURSOR_FIRST] & 0x60) != NO_CURSOR && cursor < out->width * out->height)
        out->cursor = cursor;
}

static void fill_palette(const struct blink_plugin *c, struct blink_screen *out) {
    static const uint8_t sets[3][3] = {{2, 4, 6}, {3, 5, 7}, {3, 4, 7}};
    const uint8_t *set = sets[c->mode & MODE_GREY ? 2 : c->colour & COLOUR_SECOND ? 1 : 0];
    for (uint32_t k = 0; k < 16; k++)
        out->palette[k] = colours[k];
    if (!(c->mode & MODE_GRAPHICS))
        return;
    if (c->mode & MODE_FINE) {
        out->palette[1] = colours[c->colour & 15];
        return;
    }
    out->palette[0] = colours[c->colour & 15];
    for (uint32_t k = 0; k < 3; k++)
        out->palette[k + 1] = colours[set[k] | (c->colour & COLOUR_BRIGHT ? 8 : 0)];
}

/* Two bytes for each column that the 6845 counts; the lines of a row are 8 KiB apart. */
static void render_graphics(const struct blink_plugin *c, struct blink_screen *out) {
    uint32_t bits = c->mode & MODE_FINE ? 1 : 2, points = 8 / bits, start = word(c, CR_START);
    out->width = c->cr[CR_COLUMNS] * 2u * points;
    out->height = c->cr[CR_ROWS] * 2u;
    if (out->width * out->height > BLINK_SCREEN_PIXELS_MAX)
        return;
    out->kind = BLINK_SCREEN_PIXELS;
    out->flags = BLINK_SCREEN_DOUBLE_Y;
    for (uint32_t y = 0; y < out->height; y++)
        for (uint32_t x = 0; x < out->width; x++) {
            uint32_t at = (start + y / 2 * c->cr[CR_COLUMNS]) * 2 + x / points;
            uint8_t byte = c->memory[(at & 0x1fff) | (y & 1) << 13];
            uint32_t shift = 8 - bits - x % points * bits;
            out->pixels[y * out->width + x] = (uint8_t)(byte >> shift & ((1u << bits) - 1));
        }
}

void cga_render(struct blink_plugin *c, struct blink_screen *out) {
    fill_palette(c, out);
    if (!(c->mode & MODE_ON))
        return;
    if (c->mode & MODE_GRAPHICS)
        render_graphics(c, out);
    else
        render_text(c, out);
}
