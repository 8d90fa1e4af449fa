/*
 * A picture as a PNG file: text is drawn with its font, points as they are. Any thread, nothing is
 * kept.
 */
#include <blink/font.h>
#include <errno.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

#include "show.h"

/* Points of three bytes: red, green, blue. */
struct canvas {
    uint8_t *bytes;
    uint32_t width, height;
};

static void put(struct canvas *c, uint32_t x, uint32_t y, uint32_t rgb) {
    uint8_t *at = c->bytes + ((size_t)y * c->width + x) * 3;
    at[0] = (uint8_t)(rgb >> 16);
    at[1] = (uint8_t)(rgb >> 8);
    at[2] = (uint8_t)rgb;
}

/* ---- text ---- */

struct cell_look {
    uint32_t ink, paper;
    bool underlined;
};

static struct cell_look look_of(const struct blink_screen *s, uint8_t attribute) {
    struct cell_look look = {.ink = attribute & 15, .paper = attribute >> 4 & 15};
    if (s->flags & BLINK_SCREEN_BLINKS)
        look.paper &= 7;
    if (s->flags & BLINK_SCREEN_MONO) {
        bool reverse = (attribute & 0x77) == 0x70, hidden = (attribute & 0x77) == 0;
        look.ink = hidden || reverse ? 0 : attribute & 8 ? 15 : 7;
        look.paper = reverse ? 7 : 0;
        look.underlined = (attribute & 7) == 1;
    }
    return look;
}

/* Fonts of eight lines stand for those of other heights. */
static uint8_t row_of(const struct blink_screen *s, uint8_t c, uint32_t line) {
    if (s->font_given)
        return s->font[c * 32 + (line & 31)];
    return blink_font8[c][line * 8 / s->font_height];
}

static void draw_cell(const struct blink_screen *s, struct canvas *c, uint32_t k, uint32_t wide) {
    uint8_t code = (uint8_t)s->cells[k];
    struct cell_look look = look_of(s, (uint8_t)(s->cells[k] >> 8));
    uint32_t left = k % s->width * wide, top = k / s->width * s->font_height;
    for (uint32_t line = 0; line < s->font_height; line++) {
        uint32_t row = row_of(s, code, line) << 1;
        /* The ninth point of frames goes on with the eighth. */
        if (code >= 0xc0 && code <= 0xdf)
            row |= row >> 1 & 1;
        if (look.underlined && line + 2 == s->font_height)
            row = 0x1ff;
        bool cursor = k == s->cursor && line >= s->cursor_first && line <= s->cursor_last;
        for (uint32_t x = 0; x < wide; x++)
            put(c, left + x, top + line,
                s->palette[cursor || (row >> (8 - x) & 1) ? look.ink : look.paper]);
    }
}

static bool draw_text(const struct blink_screen *s, struct canvas *c) {
    uint32_t wide = s->flags & BLINK_SCREEN_WIDE_CELL ? 9 : 8;
    if (s->font_height == 0 || s->font_height > 32)
        return false;
    c->width = s->width * wide;
    c->height = s->height * s->font_height;
    c->bytes = calloc((size_t)c->width * c->height, 3);
    for (uint32_t k = 0; c->bytes && k < s->width * s->height; k++)
        draw_cell(s, c, k, wide);
    return c->bytes;
}

static bool draw_pixels(const struct blink_screen *s, struct canvas *c) {
    uint32_t times = s->flags & BLINK_SCREEN_DOUBLE_Y ? 2 : 1;
    /* Points that are twice as wide keep the shape of the picture. */
    uint32_t across = times == 2 && s->width <= 360 ? 2 : 1;
    c->width = s->width * across;
    c->height = s->height * times;
    c->bytes = calloc((size_t)c->width * c->height, 3);
    for (uint32_t y = 0; c->bytes && y < c->height; y++)
        for (uint32_t x = 0; x < c->width; x++)
            put(c, x, y, s->palette[s->pixels[y / times * s->width + x / across]]);
    return c->bytes;
}

bool png_can(void) {
    return true;
}

int png_write(const struct blink_screen *s, const char *path) {
    struct canvas c = {0};
    png_image image = {.version = PNG_IMAGE_VERSION, .format = PNG_FORMAT_RGB};
    if (s->kind == BLINK_SCREEN_BLANK)
        return -ENODATA;
    if (!(s->kind == BLINK_SCREEN_TEXT ? draw_text(s, &c) : draw_pixels(s, &c)))
        return -ENOMEM;
    image.width = c.width;
    image.height = c.height;
    errno = 0;
    int written = png_image_write_to_file(&image, path, 0, c.bytes, 0, NULL);
    int err = written ? 0 : errno ? -errno : -EIO;
    png_image_free(&image);
    free(c.bytes);
    return err;
}
