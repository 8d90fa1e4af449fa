/*
 * Service "blink.display/1": what a machine shows, and its keyboard. Display adapters and the
 * keyboard's controller offer themselves; frontends and observers look and type. The picture is
 * made only when somebody asks for it.
 */
#ifndef BLINK_DISPLAY_H
#define BLINK_DISPLAY_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BLINK_IFACE_DISPLAY "blink.display/1"

/* Kinds of picture. */
enum {
    BLINK_SCREEN_BLANK, /* the adapter shows nothing: off, or in no mode it knows */
    BLINK_SCREEN_TEXT,
    BLINK_SCREEN_PIXELS,
};

#define BLINK_SCREEN_CELLS      8192u   /* room for 132 x 60 characters */
#define BLINK_SCREEN_PIXELS_MAX 480000u /* room for 800 x 600 */
#define BLINK_SCREEN_NO_CURSOR  UINT32_MAX

/* Bits of blink_screen.flags. */
#define BLINK_SCREEN_BLINKS                                                                        \
  1u /* bit 7 of an attribute blinks; otherwise it is a background bit                             \
      */
#define BLINK_SCREEN_MONO      2u /* attributes are those of the MDA: see blink_screen.cells */
#define BLINK_SCREEN_DOUBLE_Y  4u /* each row of pixels stands for two lines of the monitor */
#define BLINK_SCREEN_WIDE_CELL 8u /* a cell is 9 pixels wide, the ninth as a VGA makes it */

/* A picture. */
struct blink_screen {
    uint32_t struct_size;
    uint32_t kind;          /* BLINK_SCREEN_BLANK, TEXT, PIXELS */
    uint32_t width, height; /* in cells or pixels */
    uint32_t flags;
    uint32_t cursor;                    /* its cell, or BLINK_SCREEN_NO_CURSOR */
    uint32_t cursor_first, cursor_last; /* its lines within the cell */
    uint32_t font_height;               /* lines of a cell, 1 to 32 */
    uint32_t font_given;                /* 0: `font` is empty, the code page 437 of the viewer */
    uint32_t palette[256];              /* 0xRRGGBB; the first 16 are those of text */
    uint8_t font[256 * 32];             /* 32 bytes a character, top line first, bit 7 leftmost */
    /* Rows of characters: code in the low byte, attribute in the high one: foreground colour in
     * bits 0-3, background in 4-6, blinking or background in 7. MONO: 0x00, 0x08, 0x80, 0x88 show
     * nothing, 0x70, 0x78, 0xf0, 0xf8 are reversed; of others the low three bits 001 underline,
     * bit 3 is bright. */
    uint16_t cells[BLINK_SCREEN_CELLS];
    uint8_t pixels[BLINK_SCREEN_PIXELS_MAX]; /* rows of indices into the palette */
};

/* An adapter's: fill in `out`, all zero but for its struct_size. Called with the bus lock held.
 * [any] */
typedef void (*blink_display_render)(struct blink_plugin *self, struct blink_screen *out);

/*
 * A keyboard's. `key`: a key, by its code of scan code set 1 (0xe000 added to those with the
 * prefix E0, BLINK_KEY_PAUSE), goes down or up. `type`: characters as if typed on a US keyboard,
 * UTF-8 and the sequences by which terminals tell of cursor and function keys; the answer is the
 * number of bytes taken, fewer than `size` when the keyboard's queue is full. Called with the bus
 * lock held. [any]
 */
typedef void (*blink_display_key)(struct blink_plugin *self, uint32_t key, uint32_t down);
typedef size_t (*blink_display_type)(struct blink_plugin *self, const char *text, size_t size);
#define BLINK_KEY_PAUSE 0xe11du

struct blink_display_iface {
    uint32_t struct_size;
    uint32_t reserved;
    /* For adapters: be a display of the machine until detach. -ENOSPC beyond four. [main]
     * [safepoint] */
    int (*attach)(struct blink_machine *machine, struct blink_plugin *self,
                  blink_display_render render);
    /* For adapters and keyboards; what is not there is fine. [main] [safepoint] */
    void (*detach)(struct blink_machine *machine, struct blink_plugin *self);
    /* For adapters: the picture may have changed. Cheap: call it at each store. [any] */
    void (*changed)(struct blink_machine *machine, struct blink_plugin *self);
    /* A number that differs whenever a picture may have changed. [any] */
    uint64_t (*generation)(struct blink_machine *machine);
    /* The picture of the n-th display, the one attached first is 0. -ENOENT if there is none.
     * [any] */
    int (*snapshot)(struct blink_machine *machine, uint32_t n, struct blink_screen *out);
    /* Be the machine's keyboard until detach. -EBUSY if there is one. [main] [safepoint] */
    int (*set_keyboard)(struct blink_machine *machine, struct blink_plugin *self,
                        blink_display_key key, blink_display_type type);
    /* A key of the machine's keyboard, and characters: see above. -ENOENT without a keyboard.
     * [any] */
    int (*key)(struct blink_machine *machine, uint32_t key, uint32_t down);
    int64_t (*type)(struct blink_machine *machine, const char *text, size_t size);
};

#ifdef __cplusplus
}
#endif

#endif
