/*
 * In place of png.c in builds without libpng.
 */
#include <errno.h>

#include "show.h"

bool png_can(void) {
    return false;
}

int png_write(const struct blink_screen *s, const char *path) {
    (void)s, (void)path;
    return -ENOTSUP;
}
