/*
 * What the files of observer-display share: a picture as text (text.c) and as a PNG file (png.c).
 */
#ifndef OBSERVER_DISPLAY_SHOW_H
#define OBSERVER_DISPLAY_SHOW_H

#include <blink/display.h>
#include <stdbool.h>
#include <stddef.h>

/* Bytes that grow; `bytes` is freed by the owner. */
struct output {
    char *bytes;
    size_t size, room;
    bool failed; /* there was no memory for some */
};

void output_add(struct output *out, const char *bytes, size_t size);
void output_text(struct output *out, const char *text);

/* Rows of a text screen as lines of UTF-8, without spaces and empty rows at their ends. */
void text_lines(const struct blink_screen *s, struct output *out);
/* What turns `before` into `now` on a terminal of ANSI X3.64; `before` may be NULL. Graphics are
 * told of in a line. */
void text_changes(const struct blink_screen *before, const struct blink_screen *now,
                  struct output *out);
/* The terminal as it was, the cursor below the screen. */
void text_leave(const struct blink_screen *s, struct output *out);

/* Write the picture: 0 or -errno. -ENOTSUP in a build without libpng, -ENODATA if it is blank. */
int png_write(const struct blink_screen *s, const char *path);
bool png_can(void);

#endif
