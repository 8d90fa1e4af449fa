/*
 * What the files of INT 10h share: the modes, and drawing in them. By the first vCPU's thread.
 */
#ifndef ABI_BIOS_VIDEO_H
#define ABI_BIOS_VIDEO_H

#include "bios.h"

/* How a mode's memory is laid out. */
enum {
    LAYOUT_TEXT,
    LAYOUT_CGA2,   /* four colours, two bits a point, even and odd lines apart */
    LAYOUT_CGA1,   /* two colours */
    LAYOUT_PLANES, /* sixteen colours, one bit a point in each of four planes */
    LAYOUT_BYTES,  /* 256 colours */
};

struct mode {
    uint8_t number;
    uint8_t layout;
    uint8_t columns, rows, cell; /* characters, lines of one */
    uint32_t base;               /* linear */
    uint16_t page_size;
    uint16_t width; /* points */
    uint8_t pages;
    uint8_t registers; /* rows of the tables in video_modes.c */
};

/* The mode that is set. */
const struct mode *video_mode(struct blink_plugin *b);
/* Set mode `number`; its memory is cleared unless `keep`. False: there is no such mode. */
bool video_set_mode(struct blink_plugin *b, uint32_t number, bool keep);
/* Lines of a character, and rows, as the data area has them. */
uint32_t video_cell(struct blink_plugin *b);
uint32_t video_rows(struct blink_plugin *b);

/* Registers of the adapter. */
void video_crtc(struct blink_plugin *b, uint8_t index, uint32_t value);
void video_put(struct blink_plugin *b, uint16_t port, uint8_t index, uint32_t value);
void video_attribute(struct blink_plugin *b, uint8_t index, uint32_t value);
uint8_t video_get_attribute(struct blink_plugin *b, uint8_t index);

/* A rectangle of characters. */
struct area {
    uint32_t left, top, right, bottom;
};

/* video_text.c: characters in any mode. */
uint16_t text_read(struct blink_plugin *b, uint32_t page, uint32_t x, uint32_t y);
void text_write(struct blink_plugin *b, uint32_t page, uint32_t x, uint32_t y, uint8_t c,
                uint8_t attribute);
/* Rows up (or down); 0: the whole area is cleared. */
void text_scroll(struct blink_plugin *b, struct area a, uint32_t lines, bool down,
                 uint8_t attribute);
void text_move_cursor(struct blink_plugin *b, uint32_t page, uint32_t x, uint32_t y);
void text_teletype(struct blink_plugin *b, uint32_t page, uint8_t c, int attribute);

/* video_draw.c: graphics. */
void draw_point(struct blink_plugin *b, uint32_t page, uint32_t x, uint32_t y, uint32_t colour);
uint32_t draw_read(struct blink_plugin *b, uint32_t page, uint32_t x, uint32_t y);
void draw_character(struct blink_plugin *b, uint32_t page, uint32_t x, uint32_t y, uint8_t c,
                    uint8_t colour);
uint8_t draw_recognise(struct blink_plugin *b, uint32_t page, uint32_t x, uint32_t y);
void draw_scroll(struct blink_plugin *b, struct area a, uint32_t lines, bool down, uint8_t colour);

/* video_palette.c: colours, fonts, and what tells of the adapter. */
void palette_load(struct blink_plugin *b, uint32_t mode);
void font_load(struct blink_plugin *b, uint32_t cell, uint32_t block);
bios_service palette_0b, palette_10, font_11, video_12, video_1a, video_1b;

#endif
