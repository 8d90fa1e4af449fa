/*
 * A picture in 640 x 480 points of sixteen colours: a frame, a diagonal, a word.
 */
#include "bios.h"

void main(void) {
    call(0x10, 0x0012, 0, 0, 0);
    call(0x10, 0x1000, 0x3e09, 0, 0); /* colour 9 is bright yellow */
    for (uint32_t k = 0; k < 480; k++) {
        call(0x10, 0x0c0c, 0, k, k);
        call(0x10, 0x0c09, 0, 639, k);
    }
    for (const char *c = "blink"; *c; c++)
        call(0x10, 0x0e00 | (uint8_t)*c, 0x0a, 0, 0);
    finish("picture");
}
