/*
 * Text screens as text: lines of UTF-8, and the sequences of terminals. Any thread, nothing is
 * kept.
 */
#include <blink/font.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "show.h"

void output_add(struct output *out, const char *bytes, size_t size) {
    if (out->size + size > out->room) {
        size_t room = (out->size + size) * 2;
        char *grown = realloc(out->bytes, room);
        if (!grown) {
            out->failed = true;
            return;
        }
        out->bytes = grown;
        out->room = room;
    }
    memcpy(out->bytes + out->size, bytes, size);
    out->size += size;
}

void output_text(struct output *out, const char *text) {
    output_add(out, text, strlen(text));
}

/* A character of code page 437 in UTF-8; all are below U+10000. */
static void put_character(struct output *out, uint8_t c) {
    uint32_t u = blink_font_unicode[c];
    char bytes[3];
    if (u < 0x80) {
        bytes[0] = (char)u;
        output_add(out, bytes, 1);
    } else if (u < 0x800) {
        bytes[0] = (char)(0xc0 | u >> 6);
        bytes[1] = (char)(0x80 | (u & 63));
        output_add(out, bytes, 2);
    } else {
        bytes[0] = (char)(0xe0 | u >> 12);
        bytes[1] = (char)(0x80 | (u >> 6 & 63));
        bytes[2] = (char)(0x80 | (u & 63));
        output_add(out, bytes, 3);
    }
}

static bool is_blank(uint16_t cell) {
    uint8_t c = (uint8_t)cell;
    return c == 0 || c == ' ' || c == 0xff;
}

/* ---- lines ---- */

static uint32_t used_columns(const struct blink_screen *s, uint32_t y) {
    uint32_t n = s->width;
    while (n && is_blank(s->cells[y * s->width + n - 1]))
        n--;
    return n;
}

void text_lines(const struct blink_screen *s, struct output *out) {
    uint32_t rows = s->kind == BLINK_SCREEN_TEXT ? s->height : 0;
    while (rows && !used_columns(s, rows - 1))
        rows--;
    for (uint32_t y = 0; y < rows; y++) {
        uint32_t columns = used_columns(s, y);
        for (uint32_t x = 0; x < columns; x++)
            put_character(out, (uint8_t)s->cells[y * s->width + x]);
        output_text(out, "\n");
    }
}

/* ---- terminals ---- */

/* Terminals count red first. */
static uint32_t terminal_colour(uint32_t cga) {
    return (cga & 2) | (cga & 1) << 2 | (cga >> 2 & 1);
}

static void put_attribute(struct output *out, const struct blink_screen *s, uint8_t attribute) {
    char text[48];
    uint32_t ink = attribute & 15, paper = attribute >> 4 & 7;
    bool high = attribute & 0x80, blinks = high && (s->flags & BLINK_SCREEN_BLINKS);
    if (s->flags & BLINK_SCREEN_MONO) {
        bool reverse = (attribute & 0x77) == 0x70, hidden = (attribute & 0x77) == 0;
        snprintf(text, sizeof text, "\033[0%s%s%s%s%sm", attribute & 8 ? ";1" : "",
                 (attribute & 7) == 1 ? ";4" : "", blinks ? ";5" : "", reverse ? ";7" : "",
                 hidden ? ";8" : "");
    } else {
        uint32_t bright = high && !blinks ? 100 : 40;
        snprintf(text, sizeof text, "\033[0;%s%u;%um", blinks ? "5;" : "",
                 (ink & 8 ? 90u : 30u) + terminal_colour(ink), bright + terminal_colour(paper));
    }
    output_text(out, text);
}

static void put_position(struct output *out, uint32_t x, uint32_t y) {
    char text[32];
    snprintf(text, sizeof text, "\033[%u;%uH", y + 1, x + 1);
    output_text(out, text);
}

static bool same_shape(const struct blink_screen *a, const struct blink_screen *b) {
    return a && a->kind == b->kind && a->width == b->width && a->height == b->height &&
           a->flags == b->flags;
}

static void put_cells(const struct blink_screen *before, const struct blink_screen *now,
                      struct output *out) {
    uint32_t next = UINT32_MAX; /* the cell at which the terminal's cursor is */
    int attribute = -1;
    for (uint32_t k = 0; k < now->width * now->height; k++) {
        uint16_t cell = now->cells[k];
        if (before && before->cells[k] == cell)
            continue;
        if (k != next || k % now->width == 0)
            put_position(out, k % now->width, k / now->width);
        if (attribute != cell >> 8)
            put_attribute(out, now, (uint8_t)(cell >> 8));
        attribute = cell >> 8;
        put_character(out, (uint8_t)cell);
        next = k + 1;
    }
}

static void put_cursor(const struct blink_screen *s, struct output *out) {
    if (s->cursor == BLINK_SCREEN_NO_CURSOR) {
        output_text(out, "\033[?25l");
        return;
    }
    put_position(out, s->cursor % s->width, s->cursor / s->width);
    output_text(out, "\033[?25h");
}

void text_changes(const struct blink_screen *before, const struct blink_screen *now,
                  struct output *out) {
    bool same = same_shape(before, now);
    if (!same)
        output_text(out, "\033[0m\033[2J\033[H");
    if (now->kind == BLINK_SCREEN_PIXELS && !same) {
        char text[64];
        snprintf(text, sizeof text, "[graphics, %u x %u]", now->width, now->height);
        output_text(out, text);
    }
    if (now->kind != BLINK_SCREEN_TEXT)
        return;
    size_t start = out->size;
    put_cells(same ? before : NULL, now, out);
    if (!same || out->size != start || before->cursor != now->cursor)
        put_cursor(now, out);
}

void text_leave(const struct blink_screen *s, struct output *out) {
    output_text(out, "\033[0m\033[?25h");
    put_position(out, 0, s->kind == BLINK_SCREEN_TEXT ? s->height - 1 : 0);
    output_text(out, "\r\n");
}
