/*
 * What the files of the keyboard share: the keyboard itself (keyboard.c), characters as keys
 * (text.c), and the controller with the life of both (plugin.c). Called with the bus lock held.
 */
#ifndef DEVICE_KBD_H
#define DEVICE_KBD_H

#include <blink/display.h>
#include <stdbool.h>

#define KBD_QUEUE 256u
#define KBD_SETS  2u

/* A keyboard with what it has to say, in bytes of its scan code set. */
struct keyboard {
    uint8_t queue[KBD_QUEUE];
    uint32_t first, count;
    uint8_t set;     /* scan codes: 1 or 2 */
    uint8_t command; /* one that waits for its argument, or 0 */
    uint8_t last;    /* sent, for "resend" */
    bool scanning;   /* tells of keys */
};

/* As after power-on. */
void keyboard_reset(struct keyboard *k);
/* A byte from the controller. */
void keyboard_write(struct keyboard *k, uint8_t byte);
/* The next byte for the controller; false if there is none. */
bool keyboard_next(struct keyboard *k, uint8_t *byte);
/* A key as in display.h; one that does not fit is lost. */
void keyboard_key(struct keyboard *k, uint32_t key, bool down);
/* What an 8042 makes of a byte of set 2; *release is its memory. False: nothing comes of it yet. */
bool keyboard_translate(bool *release, uint8_t byte, uint8_t *out);

/* Characters into keys; returns how many bytes were taken. */
size_t keyboard_type(struct keyboard *k, const char *text, size_t size);

#endif
