/*
 * INT 09h, a byte from the keyboard, and INT 16h, the keys it stands for. Between them the buffer
 * of the data area. When that is nearly full the keyboard's line is held back, so that what a
 * person or a script types ahead waits in the keyboard. By the first vCPU's thread.
 */
#include "bios.h"

#define SHIFT_RIGHT 0x01u
#define SHIFT_LEFT  0x02u
#define CONTROL     0x04u
#define ALT         0x08u
#define SCROLL_LOCK 0x10u
#define NUM_LOCK    0x20u
#define CAPS_LOCK   0x40u
#define INSERT      0x80u

/* BDA_SHIFT2: the keys themselves. */
#define LEFT_CONTROL 0x01u
#define LEFT_ALT     0x02u

/* BDA_KEY_MODE. */
#define SAW_E1        0x01u
#define SAW_E0        0x02u
#define RIGHT_CONTROL 0x04u
#define RIGHT_ALT     0x08u

#define KEY_UP       0x80u
#define KEY_INSERT   0x52
#define KEY_DELETE   0x53
#define KEY_NUM_LOCK 0x45
#define KEY_SCROLL   0x46

#define HOLD_AT    12u /* keys in the buffer */
#define RELEASE_AT 4u

#define COMMAND      0x64
#define HOLD_LINE    0xad
#define RELEASE_LINE 0xae

/* ---- the buffer: words between two offsets of the data area ---- */

static uint32_t next(struct blink_plugin *b, uint32_t at) {
    at += 2;
    return at >= peek16(b, BDA_KEYS_END) ? peek16(b, BDA_KEYS_START) : at;
}

static uint32_t count(struct blink_plugin *b) {
    uint32_t head = peek16(b, BDA_KEY_HEAD), tail = peek16(b, BDA_KEY_TAIL);
    uint32_t size = peek16(b, BDA_KEYS_END) - (uint32_t)peek16(b, BDA_KEYS_START);
    return (tail >= head ? tail - head : tail + size - head) / 2;
}

/* False: there was no room. */
static bool put(struct blink_plugin *b, uint16_t code) {
    uint32_t tail = peek16(b, BDA_KEY_TAIL), after = next(b, tail);
    if (after == peek16(b, BDA_KEY_HEAD))
        return false;
    poke16(b, 0x400 + tail, code);
    poke16(b, BDA_KEY_TAIL, after);
    if (count(b) >= HOLD_AT && !b->keys_held) {
        b->keys_held = true;
        bios_out(b, COMMAND, HOLD_LINE);
    }
    return true;
}

static bool look(struct blink_plugin *b, uint16_t *code) {
    uint32_t head = peek16(b, BDA_KEY_HEAD);
    *code = peek16(b, 0x400 + head);
    return head != peek16(b, BDA_KEY_TAIL);
}

static void drop(struct blink_plugin *b) {
    poke16(b, BDA_KEY_HEAD, next(b, peek16(b, BDA_KEY_HEAD)));
    if (b->keys_held && count(b) <= RELEASE_AT) {
        b->keys_held = false;
        bios_out(b, COMMAND, RELEASE_LINE);
    }
}

/* ---- INT 09h ---- */

static void change(struct blink_plugin *b, uint32_t at, uint32_t bits, bool on) {
    uint32_t value = peek8(b, at);
    poke8(b, at, on ? value | bits : value & ~bits);
}

/* Both keys of a kind make one bit. */
static void change_pair(struct blink_plugin *b, uint32_t bit, uint32_t left, uint32_t right,
                        bool is_right, bool down) {
    change(b, is_right ? BDA_KEY_MODE : BDA_SHIFT2, is_right ? right : left, down);
    bool any = (peek8(b, BDA_SHIFT2) & left) || (peek8(b, BDA_KEY_MODE) & right);
    change(b, BDA_SHIFT, bit, any);
}

/* Digits of the keypad with Alt held make a character, which comes when Alt goes up. */
static void end_alt(struct blink_plugin *b) {
    uint8_t character = peek8(b, BDA_KEYPAD);
    poke8(b, BDA_KEYPAD, 0);
    if (character && !(peek8(b, BDA_SHIFT) & ALT))
        put(b, character);
}

static void toggle(struct blink_plugin *b, uint32_t bit, bool down) {
    /* BDA_SHIFT2 remembers that it is down: a repetition is no second press. */
    if (down && !(peek8(b, BDA_SHIFT2) & bit))
        poke8(b, BDA_SHIFT, peek8(b, BDA_SHIFT) ^ bit);
    change(b, BDA_SHIFT2, bit, down);
}

/* A key that is held or that locks; true if it was one. */
static bool is_shift(struct blink_plugin *b, uint8_t key, bool extended, bool down) {
    switch (key) {
    case 0x2a:
    case 0x36:
        if (!extended) /* otherwise a keyboard's way to undo a shift for the next key */
            change(b, BDA_SHIFT, key == 0x2a ? SHIFT_LEFT : SHIFT_RIGHT, down);
        return true;
    case 0x1d: change_pair(b, CONTROL, LEFT_CONTROL, RIGHT_CONTROL, extended, down); return true;
    case 0x38:
        change_pair(b, ALT, LEFT_ALT, RIGHT_ALT, extended, down);
        if (!down)
            end_alt(b);
        return true;
    case 0x3a: toggle(b, CAPS_LOCK, down); return true;
    case KEY_NUM_LOCK:
        if (!extended)
            toggle(b, NUM_LOCK, down);
        return true;
    case KEY_SCROLL:
        if (extended)
            return false; /* Break */
        toggle(b, SCROLL_LOCK, down);
        return true;
    default: return false;
    }
}

/* Control, Alt and Delete. */
static void restart(struct blink_plugin *b) {
    poke16(b, BDA_WARM, 0x1234);
    bios_out(b, 0xcf9, 0x02);
    bios_out(b, 0xcf9, 0x06);
}

/* True: Control and Break. */
static bool is_break(struct blink_plugin *b) {
    poke8(b, BDA_BREAK, 0x80);
    poke16(b, BDA_KEY_HEAD, peek16(b, BDA_KEYS_START));
    poke16(b, BDA_KEY_TAIL, peek16(b, BDA_KEYS_START));
    put(b, 0);
    return true;
}

static bool keypad_digit(struct blink_plugin *b, uint8_t key, bool extended, uint32_t shift) {
    static const int8_t digits[] = {7, 8, 9, -1, 4, 5, 6, -1, 1, 2, 3, 0};
    if (extended || !(shift & ALT) || key < 0x47 || key > 0x52 || digits[key - 0x47] < 0)
        return false;
    poke8(b, BDA_KEYPAD, peek8(b, BDA_KEYPAD) * 10u + (uint32_t)digits[key - 0x47]);
    return true;
}

/* True: Control and Break. */
static bool press(struct blink_plugin *b, uint8_t key, bool extended) {
    uint32_t shift = peek8(b, BDA_SHIFT);
    if (key == KEY_DELETE && (shift & CONTROL) && (shift & ALT)) {
        restart(b);
        return false;
    }
    if (key == KEY_SCROLL)
        return (shift & CONTROL) && is_break(b);
    if (key == KEY_INSERT && !(peek8(b, BDA_SHIFT2) & INSERT))
        poke8(b, BDA_SHIFT, shift ^ INSERT);
    if (key == KEY_INSERT)
        change(b, BDA_SHIFT2, INSERT, true);
    if (keypad_digit(b, key, extended, shift))
        return false;
    uint16_t code = keys_code(key, extended, shift);
    if (code)
        put(b, code);
    return false;
}

/* AL is the byte. Carry tells the ROM of Control and Break. */
void key_09(struct blink_plugin *b) {
    uint8_t byte = AL(b), mode = peek8(b, BDA_KEY_MODE);
    bool extended = mode & SAW_E0, down = !(byte & KEY_UP), broke = false;
    uint8_t key = byte & 0x7f;
    if (byte == 0xe0 || byte == 0xe1) {
        change(b, BDA_KEY_MODE, byte == 0xe0 ? SAW_E0 : SAW_E1, true);
    } else if (byte == 0xfa || byte == 0xfe || byte == 0xee || byte == 0x00 || byte == 0xff) {
        /* Answers of the keyboard, and keys that it lost. */
    } else if (mode & SAW_E1) {
        /* E1 1D 45, and the same up: Pause, which has no effect here. */
        if (key == KEY_NUM_LOCK)
            change(b, BDA_KEY_MODE, SAW_E1, false);
    } else {
        change(b, BDA_KEY_MODE, SAW_E0, false);
        if (!is_shift(b, key, extended, down) && down)
            broke = press(b, key, extended);
        if (!down && key == KEY_INSERT)
            change(b, BDA_SHIFT2, INSERT, false);
    }
    bios_flag(b, FLAG_CARRY, broke);
}

/* ---- INT 16h ---- */

/* What programs of before the enhanced keyboard know; false: nothing of it. */
static bool reduce(uint16_t *code) {
    uint32_t scan = *code >> 8, character = *code & 0xff;
    if (scan == 0xe0)
        *code = (uint16_t)((character == '/' ? 0x3500 : 0x1c00) | character);
    else if (scan > 0x84)
        return false;
    else if (character == 0xe0 && scan)
        *code = (uint16_t)(scan << 8);
    return true;
}

static void read_key(struct blink_plugin *b, bool enhanced) {
    uint16_t code;
    while (look(b, &code)) {
        drop(b);
        if (enhanced || reduce(&code)) {
            set16(b, BLINK_RAX, code);
            return;
        }
    }
    bios_wait(b);
}

static void check_key(struct blink_plugin *b, bool enhanced) {
    uint16_t code;
    bool found = false;
    while (!found && look(b, &code)) {
        found = enhanced || reduce(&code);
        if (!found)
            drop(b);
    }
    if (found)
        set16(b, BLINK_RAX, code);
    bios_flag(b, FLAG_ZERO, !found);
}

static void read_old(struct blink_plugin *b) {
    read_key(b, false);
}
static void check_old(struct blink_plugin *b) {
    check_key(b, false);
}
static void read_new(struct blink_plugin *b) {
    read_key(b, true);
}
static void check_new(struct blink_plugin *b) {
    check_key(b, true);
}

static void shifts(struct blink_plugin *b) {
    set_low(b, BLINK_RAX, peek8(b, BDA_SHIFT));
}

static void all_shifts(struct blink_plugin *b) {
    uint32_t held = peek8(b, BDA_SHIFT2), right = peek8(b, BDA_KEY_MODE);
    shifts(b);
    set_high(b, BLINK_RAX,
             (held & 0x73) | (right & (RIGHT_CONTROL | RIGHT_ALT)) | (held & 0x04 ? 0x80 : 0));
}

static void push_key(struct blink_plugin *b) {
    set_low(b, BLINK_RAX, put(b, CX(b)) ? 0 : 1);
}

static void abilities(struct blink_plugin *b) {
    set_low(b, BLINK_RAX, 0x20); /* functions 10h to 12h */
}

static void keyboard_id(struct blink_plugin *b) {
    set16(b, BLINK_RBX, 0x41ab);
}

/* The rate of repetition: nothing repeats by itself. */
static void rate(struct blink_plugin *b) {
    (void)b;
}

void key_16(struct blink_plugin *b) {
    static bios_service *const functions[] = {
        [0x00] = read_old,  [0x01] = check_old,  [0x02] = shifts,      [0x03] = rate,
        [0x05] = push_key,  [0x09] = abilities,  [0x0a] = keyboard_id, [0x10] = read_new,
        [0x11] = check_new, [0x12] = all_shifts,
    };
    uint32_t ah = AH(b);
    if (ah < sizeof functions / sizeof functions[0] && functions[ah])
        functions[ah](b);
}
