/*
 * Characters on the screen, in text modes as cells and in others as drawings: reading, writing,
 * scrolling, the cursor, the teletype. By the first vCPU's thread.
 */
#include "video.h"

#define BELL 0x07

static uint64_t cell_at(struct blink_plugin *b, uint32_t page, uint32_t x, uint32_t y) {
    uint32_t at = page * peek16(b, BDA_PAGE_SIZE) + (y * peek16(b, BDA_COLUMNS) + x) * 2;
    return video_mode(b)->base + (at & 0x7fff);
}

uint16_t text_read(struct blink_plugin *b, uint32_t page, uint32_t x, uint32_t y) {
    if (video_mode(b)->layout != LAYOUT_TEXT)
        return draw_recognise(b, page, x, y);
    return peek16(b, cell_at(b, page, x, y));
}

void text_write(struct blink_plugin *b, uint32_t page, uint32_t x, uint32_t y, uint8_t c,
                uint8_t attribute) {
    if (video_mode(b)->layout != LAYOUT_TEXT)
        draw_character(b, page, x, y, c, attribute);
    else
        poke16(b, cell_at(b, page, x, y), c | (uint32_t)attribute << 8);
}

/* ---- scrolling ---- */

static void copy_row(struct blink_plugin *b, struct area a, uint32_t page, uint32_t from,
                     uint32_t to) {
    uint8_t row[512];
    size_t size = (a.right - a.left + 1) * 2u;
    bios_read(b, cell_at(b, page, a.left, from), row, size);
    bios_write(b, cell_at(b, page, a.left, to), row, size);
}

static void clear_row(struct blink_plugin *b, struct area a, uint32_t page, uint32_t y,
                      uint8_t attribute) {
    uint16_t row[256];
    uint32_t count = a.right - a.left + 1;
    for (uint32_t k = 0; k < count; k++)
        row[k] = (uint16_t)(' ' | attribute << 8);
    bios_write(b, cell_at(b, page, a.left, y), row, count * 2u);
}

void text_scroll(struct blink_plugin *b, struct area a, uint32_t lines, bool down,
                 uint8_t attribute) {
    uint32_t page = peek8(b, BDA_PAGE), columns = peek16(b, BDA_COLUMNS), rows = video_rows(b);
    if (columns == 0 || columns > 256)
        return;
    a.right = a.right < columns ? a.right : columns - 1;
    a.bottom = a.bottom < rows ? a.bottom : rows - 1;
    if (a.left > a.right || a.top > a.bottom)
        return;
    uint32_t height = a.bottom - a.top + 1;
    if (lines == 0 || lines > height)
        lines = height;
    if (video_mode(b)->layout != LAYOUT_TEXT) {
        draw_scroll(b, a, lines, down, attribute);
        return;
    }
    for (uint32_t k = 0; k < height; k++) {
        uint32_t to = down ? a.bottom - k : a.top + k;
        if (k + lines < height)
            copy_row(b, a, page, down ? to - lines : to + lines, to);
        else
            clear_row(b, a, page, to, attribute);
    }
}

/* ---- cursor and teletype ---- */

void text_move_cursor(struct blink_plugin *b, uint32_t page, uint32_t x, uint32_t y) {
    poke16(b, BDA_CURSORS + 2 * page, x | y << 8);
    if (page != peek8(b, BDA_PAGE) || b->adapter == ADAPTER_NONE)
        return;
    uint32_t at = page * peek16(b, BDA_PAGE_SIZE) / 2 + y * peek16(b, BDA_COLUMNS) + x;
    video_crtc(b, 0x0e, at >> 8);
    video_crtc(b, 0x0f, at);
}

/* `attribute` below 0: that of what is there, or in graphics modes the colour in BL. */
void text_teletype(struct blink_plugin *b, uint32_t page, uint8_t c, int attribute) {
    uint32_t cursor = peek16(b, BDA_CURSORS + 2 * page), x = cursor & 0xff, y = cursor >> 8;
    uint32_t columns = peek16(b, BDA_COLUMNS), rows = video_rows(b);
    bool text = video_mode(b)->layout == LAYOUT_TEXT;
    switch (c) {
    case BELL: return; /* no speaker is heard */
    case '\b': x -= x > 0; break;
    case '\n': y++; break;
    case '\r': x = 0; break;
    default:
        if (attribute < 0)
            attribute = text ? text_read(b, page, x, y) >> 8 : BL(b);
        text_write(b, page, x, y, c, (uint8_t)attribute);
        if (++x >= columns) {
            x = 0;
            y++;
        }
        break;
    }
    if (y >= rows) {
        struct area all = {0, 0, columns - 1, rows - 1};
        y = rows - 1;
        uint8_t blank = text ? (uint8_t)(text_read(b, page, x, y) >> 8) : 0;
        text_scroll(b, all, 1, false, blank);
    }
    text_move_cursor(b, page, x, y);
}
