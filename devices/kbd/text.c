/*
 * Characters as the keys of a US keyboard that make them, and the sequences that terminals send
 * for other keys. Bus lock held.
 */
#include <string.h>

#include "kbd.h"

#define LEFT_SHIFT 0x2a
#define CONTROL    0x1d
#define ALT        0x38

/* Characters by the key that makes them, from key 1 on; without and with Shift. 0: none does. */
static const char plain[] = "\033"
                            "1234567890-=\b\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] = "\033"
                              "!@#$%^&*()_+\b\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";

/* What follows ESC, and the key it stands for. */
static const struct {
    const char *text;
    uint32_t key;
} sequences[] = {
    {"[A", 0xe048},  {"[B", 0xe050},  {"[C", 0xe04d},  {"[D", 0xe04b},  {"[H", 0xe047},
    {"[F", 0xe04f},  {"OA", 0xe048},  {"OB", 0xe050},  {"OC", 0xe04d},  {"OD", 0xe04b},
    {"OH", 0xe047},  {"OF", 0xe04f},  {"OP", 0x3b},    {"OQ", 0x3c},    {"OR", 0x3d},
    {"OS", 0x3e},    {"[1~", 0xe047}, {"[2~", 0xe052}, {"[3~", 0xe053}, {"[4~", 0xe04f},
    {"[5~", 0xe049}, {"[6~", 0xe051}, {"[11~", 0x3b},  {"[12~", 0x3c},  {"[13~", 0x3d},
    {"[14~", 0x3e},  {"[15~", 0x3f},  {"[17~", 0x40},  {"[18~", 0x41},  {"[19~", 0x42},
    {"[20~", 0x43},  {"[21~", 0x44},  {"[23~", 0x57},  {"[24~", 0x58},
};

static void press(struct keyboard *k, uint32_t key) {
    keyboard_key(k, key, true);
    keyboard_key(k, key, false);
}

static void press_with(struct keyboard *k, uint32_t held, uint32_t key) {
    keyboard_key(k, held, true);
    press(k, key);
    keyboard_key(k, held, false);
}

static uint32_t key_of(const char *table, size_t size, char c) {
    const char *at = memchr(table, c, size);
    return at ? (uint32_t)(at - table) + 1 : 0;
}

static void press_character(struct keyboard *k, char c) {
    uint32_t key;
    if (c == '\n')
        c = '\r';
    if (c == 0x7f)
        c = '\b';
    if (c == 0)
        press_with(k, CONTROL, 0x03); /* Control and 2 */
    else if ((key = key_of(plain, sizeof plain - 1, c)))
        press(k, key);
    else if ((key = key_of(shifted, sizeof shifted - 1, c)))
        press_with(k, LEFT_SHIFT, key);
    else if (c > 0 && c < 32 && (key = key_of(plain, sizeof plain - 1, (char)(c + 0x60))))
        press_with(k, CONTROL, key);
    else if (c > 0 && c < 32 && (key = key_of(plain, sizeof plain - 1, (char)(c + 0x40))))
        press_with(k, CONTROL, key);
}

/* Length of the sequence after an ESC at `text`, with its key; 0 if it is none. */
static size_t sequence(const char *text, size_t size, uint32_t *key) {
    for (size_t n = 0; n < sizeof sequences / sizeof sequences[0]; n++) {
        size_t length = strlen(sequences[n].text);
        if (length <= size && !memcmp(sequences[n].text, text, length)) {
            *key = sequences[n].key;
            return length;
        }
    }
    return 0;
}

size_t keyboard_type(struct keyboard *k, const char *text, size_t size) {
    size_t at = 0;
    /* Room for any one of them with its modifier. */
    while (at < size && k->count + 16 <= KBD_QUEUE) {
        uint32_t key;
        size_t n = 0;
        if (text[at] == 0x1b && (n = sequence(text + at + 1, size - at - 1, &key))) {
            press(k, key);
        } else if (text[at] == 0x1b && size - at > 1 && text[at + 1] > ' ' &&
                   key_of(plain, sizeof plain - 1, text[at + 1])) {
            /* Terminals put an ESC before what is typed with Alt. */
            press_with(k, ALT, key_of(plain, sizeof plain - 1, text[at + 1]));
            n = 1;
        } else {
            press_character(k, text[at]); /* what no key makes is dropped */
        }
        at += n + 1;
    }
    return at;
}
