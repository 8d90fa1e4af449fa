/*
 * The keyboard: keys into scan codes, commands into answers. After IBM's PS/2 technical reference
 * for keyboards of 101 and 102 keys. Bus lock held.
 */
#include "kbd.h"

#include <string.h>

#define ACK         0xfa
#define RESEND      0xfe
#define TEST_PASSED 0xaa
#define ECHO        0xee
#define OVERRUN     0x00
#define RELEASE     0xf0
#define EXTENDED    0xe0

/* Set 2's code of each key, by its code of set 1. */
static const uint8_t set2[] = {
    0x00, 0x76, 0x16, 0x1e, 0x26, 0x25, 0x2e, 0x36, 0x3d, 0x3e, 0x46, 0x45, 0x4e, 0x55, 0x66, 0x0d,
    0x15, 0x1d, 0x24, 0x2d, 0x2c, 0x35, 0x3c, 0x43, 0x44, 0x4d, 0x54, 0x5b, 0x5a, 0x14, 0x1c, 0x1b,
    0x23, 0x2b, 0x34, 0x33, 0x3b, 0x42, 0x4b, 0x4c, 0x52, 0x0e, 0x12, 0x5d, 0x1a, 0x22, 0x21, 0x2a,
    0x32, 0x31, 0x3a, 0x41, 0x49, 0x4a, 0x59, 0x7c, 0x11, 0x29, 0x58, 0x05, 0x06, 0x04, 0x0c, 0x03,
    0x0b, 0x83, 0x0a, 0x01, 0x09, 0x77, 0x7e, 0x6c, 0x75, 0x7d, 0x7b, 0x6b, 0x73, 0x74, 0x79, 0x69,
    0x72, 0x7a, 0x70, 0x71, 0x84, 0x60, 0x61, 0x78, 0x07, 0x0f, 0x17, 0x1f, 0x27, 0x2f,
};
#define KEYS (sizeof set2 / sizeof set2[0])

static void put(struct keyboard *k, uint8_t byte) {
    if (k->count < KBD_QUEUE)
        k->queue[(k->first + k->count++) % KBD_QUEUE] = byte;
}

static void clear(struct keyboard *k) {
    k->first = k->count = 0;
}

static void defaults(struct keyboard *k) {
    k->set = 2;
    k->command = 0;
}

void keyboard_reset(struct keyboard *k) {
    memset(k, 0, sizeof *k);
    defaults(k);
    k->scanning = true;
}

bool keyboard_next(struct keyboard *k, uint8_t *byte) {
    if (!k->count)
        return false;
    *byte = k->last = k->queue[k->first];
    k->first = (k->first + 1) % KBD_QUEUE;
    k->count--;
    return true;
}

/* ---- keys ---- */

static void pause_key(struct keyboard *k) {
    static const uint8_t codes[2][8] = {{0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5},
                                        {0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77}};
    for (uint32_t n = 0; n < (k->set == 1 ? 6 : 8); n++)
        put(k, codes[k->set - 1][n]);
}

void keyboard_key(struct keyboard *k, uint32_t key, bool down) {
    uint32_t code = key & 0xff;
    bool extended = key >> 8 == EXTENDED;
    if (!k->scanning || (key > 0xff && !extended && key != BLINK_KEY_PAUSE))
        return;
    /* What does not fit whole is lost whole. */
    if (k->count + 8 > KBD_QUEUE)
        return;
    if (key == BLINK_KEY_PAUSE) {
        if (down)
            pause_key(k); /* it tells of nothing when it goes up */
        return;
    }
    if (code == 0 || code >= KEYS)
        return;
    if (extended)
        put(k, EXTENDED);
    if (k->set == 1) {
        put(k, (uint8_t)(code | (down ? 0 : 0x80)));
        return;
    }
    if (!down)
        put(k, RELEASE);
    put(k, set2[code]);
}

bool keyboard_translate(bool *release, uint8_t byte, uint8_t *out) {
    if (byte == RELEASE) {
        *release = true;
        return false;
    }
    uint8_t code = byte;
    for (uint8_t n = 1; n < KEYS; n++)
        if (set2[n] == byte)
            code = n;
    *out = (uint8_t)(*release && byte != EXTENDED ? code | 0x80 : code);
    if (byte != EXTENDED)
        *release = false;
    return true;
}

/* ---- commands ---- */

/* The argument of a command that came before. */
static void argument(struct keyboard *k, uint8_t byte) {
    uint8_t command = k->command;
    k->command = 0;
    put(k, ACK);
    if (command != 0xf0)
        return; /* lamps and repetition: nothing is shown, and nothing repeats by itself */
    if (byte == 0)
        put(k, k->set);
    else if (byte <= KBD_SETS)
        k->set = byte;
}

void keyboard_write(struct keyboard *k, uint8_t byte) {
    if (k->command && byte < 0xed) {
        argument(k, byte);
        return;
    }
    k->command = 0;
    switch (byte) {
    case 0xed: /* lamps */
    case 0xf0: /* scan code set */
    case 0xf3: /* rate of repetition */
        k->command = byte;
        put(k, ACK);
        break;
    case 0xee: put(k, ECHO); break;
    case 0xf2: /* identify */
        put(k, ACK);
        put(k, 0xab);
        put(k, 0x83);
        break;
    case 0xf4:
    case 0xf5: /* with the defaults, too */
    case 0xf6:
        clear(k);
        if (byte != 0xf4)
            defaults(k);
        if (byte != 0xf6)
            k->scanning = byte == 0xf4;
        put(k, ACK);
        break;
    case 0xfe: put(k, k->last); break;
    case 0xff:
        clear(k);
        defaults(k);
        k->scanning = true;
        put(k, ACK);
        put(k, TEST_PASSED);
        break;
    default: put(k, RESEND); break;
    }
}
