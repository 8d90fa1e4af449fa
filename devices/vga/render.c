/*
 * What the monitor shows: the registers say how the planes are read. A line is followed from the
 * CRT controller's counters to colours, as the hardware does it. Bus lock held.
 */
#include <string.h>

#include "vga.h"

#define SCREEN_OFF    0x20u /* of SR_CLOCKING */
#define EIGHT_DOTS    0x01u
#define NO_CURSOR     0x20u /* of CR_CURSOR_FIRST */
#define TWICE         0x80u /* of CR_CELL: each line is shown twice */
#define DWORDS        0x40u /* of CR_UNDERLINE */
#define BYTES         0x40u /* of CR_MODE */
#define WHOLE_ROWS    0x01u /* of CR_MODE: otherwise address bit 13 is the line's lowest bit */
#define GRAPHICS      0x01u /* of GR_MISC */
#define PAIRED_BITS   0x20u /* of GR_MODE: CGA's four colours */
#define EIGHT_BITS    0x40u /* of GR_MODE: 256 colours */
#define BLINKS        0x08u /* of AR_MODE */
#define MONO          0x02u
#define EIGHT_PALETTE 0x80u /* of AR_MODE: AR_COLOUR gives two more bits */

/* ---- counters ---- */

static uint32_t start_of(const struct blink_plugin *v) {
    return (uint32_t)v->cr[CR_START_HIGH] << 8 | v->cr[CR_START_LOW];
}

/* From the CRT controller's counter to the address in a plane. */
static uint32_t address_of(const struct blink_plugin *v, uint32_t counter, uint32_t line) {
    uint32_t at = counter;
    if (v->cr[CR_UNDERLINE] & DWORDS)
        at <<= 2;
    else if (!(v->cr[CR_MODE] & BYTES))
        at <<= 1;
    if (!(v->cr[CR_MODE] & WHOLE_ROWS))
        at = (at & ~0x2000u) | (line & 1) << 13;
    return at & (VGA_PLANE - 1);
}

/* Lines of the monitor that show something. */
static uint32_t lines_of(const struct blink_plugin *v) {
    uint32_t high = v->cr[CR_OVERFLOW];
    return (v->cr[CR_LINES] | (high >> 1 & 1) << 8 | (high >> 6 & 1) << 9) + 1;
}

/* ---- colours ---- */

/* The DAC's entry for colour `k` of 16. */
static uint32_t dac_entry(const struct blink_plugin *v, uint32_t k) {
    uint32_t entry = v->ar[k], more = v->ar[AR_COLOUR];
    if (v->ar[AR_MODE] & EIGHT_PALETTE)
        entry = (entry & 15) | (more & 3) << 4;
    return (entry | (more >> 2 & 3) << 6) & v->dac_mask;
}

static uint32_t rgb(const struct blink_plugin *v, uint32_t entry) {
    uint32_t value = 0;
    for (uint32_t part = 0; part < 3; part++) {
        uint32_t six = v->dac[entry * 3 + part];
        value = value << 8 | six << 2 | six >> 4;
    }
    return value;
}

static void fill_palette(const struct blink_plugin *v, struct blink_screen *out) {
    bool all = v->gr[GR_MODE] & EIGHT_BITS;
    for (uint32_t k = 0; k < 256; k++)
        out->palette[k] = rgb(v, all || k > 15 ? k & v->dac_mask : dac_entry(v, k));
}

/* ---- text ---- */

static void fill_font(const struct blink_plugin *v, struct blink_screen *out) {
    static const uint16_t places[8] = {0, 0x4000, 0x8000, 0xc000, 0x2000, 0x6000, 0xa000, 0xe000};
    uint32_t select = v->sr[SR_FONT];
    uint32_t first = places[(select & 3) | (select >> 4 & 1) << 2];
    out->font_given = v->font_loaded;
    if (v->font_loaded)
        memcpy(out->font, v->plane[2] + first, sizeof out->font);
}

static void fill_cursor(const struct blink_plugin *v, struct blink_screen *out, uint32_t pitch) {
    uint32_t at = (uint32_t)v->cr[CR_CURSOR_HIGH] << 8 | v->cr[CR_CURSOR_LOW];
    uint32_t past = (at - start_of(v)) & 0xffff;
    out->cursor_first = v->cr[CR_CURSOR_FIRST] & 31;
    out->cursor_last = v->cr[CR_CURSOR_LAST] & 31;
    if ((v->cr[CR_CURSOR_FIRST] & NO_CURSOR) || pitch == 0 || past / pitch >= out->height ||
        past % pitch >= out->width)
        return;
    out->cursor = past / pitch * out->width + past % pitch;
}

static void render_text(const struct blink_plugin *v, struct blink_screen *out) {
    uint32_t pitch = v->cr[CR_PITCH] * 2u, lines = lines_of(v);
    uint32_t cell = (v->cr[CR_CELL] & 31) + 1u;
    if (v->cr[CR_CELL] & TWICE)
        lines /= 2;
    out->width = v->cr[CR_COLUMNS] + 1u;
    out->height = lines / cell;
    if (out->height == 0 || out->width * out->height > BLINK_SCREEN_CELLS)
        return;
    out->kind = BLINK_SCREEN_TEXT;
    out->font_height = cell;
    out->flags = (v->ar[AR_MODE] & BLINKS ? BLINK_SCREEN_BLINKS : 0) |
                 (v->ar[AR_MODE] & MONO ? BLINK_SCREEN_MONO : 0) |
                 (v->sr[SR_CLOCKING] & EIGHT_DOTS ? 0 : BLINK_SCREEN_WIDE_CELL);
    for (uint32_t y = 0; y < out->height; y++)
        for (uint32_t x = 0; x < out->width; x++) {
            uint32_t at = address_of(v, start_of(v) + y * pitch + x, 0);
            out->cells[y * out->width + x] =
                (uint16_t)(v->plane[0][at] | (uint32_t)v->plane[1][at] << 8);
        }
    fill_font(v, out);
    fill_cursor(v, out, pitch);
}

/* ---- graphics ---- */

/* One pixel from what the planes have at `at`; `x` is its place within eight dots. */
static uint8_t planar(const struct blink_plugin *v, uint32_t at, uint32_t x) {
    uint32_t colour = 0;
    for (uint32_t p = 0; p < 4; p++)
        colour |= (uint32_t)(v->plane[p][at] >> (7 - (x & 7)) & 1) << p;
    return (uint8_t)(colour & v->ar[AR_ENABLE]);
}

static uint8_t paired(const struct blink_plugin *v, uint32_t at, uint32_t x) {
    uint32_t low = v->plane[x >> 2 & 1][at], high = v->plane[(x >> 2 & 1) | 2][at];
    uint32_t shift = 6 - 2 * (x & 3);
    return (uint8_t)(((low >> shift & 3) | (high >> shift & 3) << 2) & v->ar[AR_ENABLE]);
}

static void render_line(const struct blink_plugin *v, struct blink_screen *out, uint32_t y,
                        uint32_t counter, uint32_t line) {
    uint8_t *to = out->pixels + (size_t)y * out->width;
    uint32_t panning = v->ar[AR_PANNING] & 7;
    for (uint32_t x = 0; x < out->width; x++) {
        if (v->gr[GR_MODE] & EIGHT_BITS) {
            uint32_t dot = x + panning / 2;
            to[x] = v->plane[dot & 3][address_of(v, counter + dot / 4, line)];
            continue;
        }
        uint32_t dot = x + panning, at = address_of(v, counter + dot / 8, line);
        to[x] = v->gr[GR_MODE] & PAIRED_BITS ? paired(v, at, dot & 7) : planar(v, at, dot);
    }
}

static void render_graphics(const struct blink_plugin *v, struct blink_screen *out) {
    uint32_t lines = lines_of(v), cell = (v->cr[CR_CELL] & 31) + 1u, pitch = v->cr[CR_PITCH] * 2u;
    bool eight = v->gr[GR_MODE] & EIGHT_BITS, interlaced = !(v->cr[CR_MODE] & WHOLE_ROWS);
    uint32_t shown = lines;
    if (v->cr[CR_CELL] & TWICE)
        shown /= 2;
    /* Lines of a row differ only where the address counts them. */
    uint32_t per_row = interlaced && cell % 2 == 0 ? 2 : 1;
    shown = shown / cell * per_row;
    out->width = (v->cr[CR_COLUMNS] + 1u) * (eight ? 4 : 8);
    out->height = shown;
    if (shown == 0 || out->width * shown > BLINK_SCREEN_PIXELS_MAX)
        return;
    out->kind = BLINK_SCREEN_PIXELS;
    out->flags = lines >= 2 * shown ? BLINK_SCREEN_DOUBLE_Y : 0;
    for (uint32_t y = 0; y < shown; y++)
        render_line(v, out, y, start_of(v) + y / per_row * pitch, y % per_row);
}

void vga_render(struct blink_plugin *v, struct blink_screen *out) {
    fill_palette(v, out);
    if ((v->sr[SR_CLOCKING] & SCREEN_OFF) || !v->ar_shown)
        return;
    if (v->gr[GR_MISC] & GRAPHICS)
        render_graphics(v, out);
    else
        render_text(v, out);
}
