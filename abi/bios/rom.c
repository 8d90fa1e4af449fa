/*
 * The ROM at F000: code that vectors point to, and tables whose places old programs know. The code
 * is short: what is more than an instruction or two is done by the plugin, which answers the INT
 * of each trap. So a guest can hook vectors and go on to what was there. Main thread.
 */
#include <blink/font.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bios.h"

/* Handlers of interrupts. */
#define AT_TIMER      0xe000u
#define AT_KEYBOARD   0xe010u
#define AT_CLOCK      0xe030u
#define AT_END_MASTER 0xe040u
#define AT_END_SLAVE  0xe048u
#define AT_IGNORE     0xff53u /* an IRET */
#define AT_POST       0xe05bu /* where a reset goes on */
#define AT_RESET      0xfff0u
#define AT_DATE       0xfff5u
#define AT_MODEL      0xfffeu
#define MODEL_AT      0xfc
#define TRAP(n)       (ROM_TRAPS + (n)*8u)
#define EMPTY         0xcc

struct rom {
    uint8_t bytes[ROM_SIZE];
    uint32_t at; /* where code is put next */
};

static void put(struct rom *r, const uint8_t *code, size_t size) {
    memcpy(r->bytes + r->at, code, size);
    r->at += (uint32_t)size;
}
#define PUT(r, ...) put(r, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* "PUSHF, PUSH CS, CALL trap": as the interrupt n would, whatever its vector says. */
static void call_trap(struct rom *r, uint32_t n) {
    uint32_t distance = TRAP(n) - (r->at + 5);
    PUT(r, 0x9c, 0x0e, 0xe8, (uint8_t)distance, (uint8_t)(distance >> 8));
}

static void put_traps(struct rom *r) {
    for (uint32_t n = 0; n < 256; n++) {
        uint8_t v = (uint8_t)n;
        r->at = TRAP(n);
        PUT(r, 0xcd, v, 0xcf); /* INT n, IRET */
        r->at = ROM_WAITS + n * 8;
        PUT(r, 0xfb, 0xf4, 0xfa, 0xcd, v, 0xcf); /* STI, HLT, CLI, INT n, IRET */
        r->at = ROM_SPINS + n * 8;
        PUT(r, 0xfb, 0xf3, 0x90, 0xfa, 0xcd, v, 0xcf); /* STI, PAUSE, CLI, INT n, IRET */
    }
}

/* "MOV AL, 20h, OUT, POP AX, IRET": the end of an interrupt of the first controller. */
static void end_interrupt(struct rom *r) {
    PUT(r, 0xb0, 0x20, 0xe6, 0x20, 0x58, 0xcf);
}

static void jump_far(struct rom *r, uint32_t offset) {
    PUT(r, 0xea, (uint8_t)offset, (uint8_t)(offset >> 8), 0x00, 0xf0);
}

static void put_handlers(struct rom *r) {
    /* Line 0: count, and tell those who have hooked 1Ch. */
    r->at = AT_TIMER;
    call_trap(r, 0x08);
    PUT(r, 0xcd, 0x1c, 0x50); /* INT 1Ch, PUSH AX */
    end_interrupt(r);
    /* Line 1: INT 15h, AH 4Fh may change the key or take it; carry after the trap is Ctrl-Break. */
    r->at = AT_KEYBOARD;
    PUT(r, 0x50, 0xe4, 0x60, 0xb4, 0x4f, 0xf9, 0xcd, 0x15); /* PUSH AX, IN, MOV AH, STC, INT 15h */
    PUT(r, 0x73, 0x09);                                     /* JNC: taken */
    call_trap(r, 0x09);
    PUT(r, 0x73, 0x02, 0xcd, 0x1b); /* JNC, INT 1Bh */
    end_interrupt(r);
    /* Line 8: carry after the trap is an alarm. */
    r->at = AT_CLOCK;
    call_trap(r, 0x70);
    PUT(r, 0x73, 0x02, 0xcd, 0x4a);       /* JNC, INT 4Ah */
    PUT(r, 0x50, 0xb0, 0x20, 0xe6, 0xa0); /* PUSH AX, MOV AL, 20h, OUT A0h */
    end_interrupt(r);
    r->at = AT_END_MASTER;
    PUT(r, 0x50);
    end_interrupt(r);
    r->at = AT_END_SLAVE;
    PUT(r, 0x50, 0xb0, 0x20, 0xe6, 0xa0);
    end_interrupt(r);
    r->at = ROM_HALT;
    PUT(r, 0xfa, 0xf4, 0xeb, 0xfc); /* CLI, HLT, for ever */
    r->at = AT_POST;
    jump_far(r, TRAP(0xf0));
    r->at = AT_IGNORE;
    PUT(r, 0xcf);
    r->at = AT_RESET;
    jump_far(r, AT_POST);
}

static void put_tables(struct rom *r) {
    static const uint8_t config[] = {8, 0, MODEL_AT, 1, 0, 0x70, 0x00, 0x00, 0x00, 0x00};
    static const uint8_t floppy[] = {0xaf, 0x02, 0x25, 0x02, 0x12, 0x1b,
                                     0xff, 0x6c, 0xf6, 0x0f, 0x08};
    static const uint8_t video[] = {
        0x38, 0x28, 0x2d, 0x0a, 0x1f, 0x06, 0x19, 0x1c, 0x02, 0x07, 0x06, 0x07, 0,    0,    0,
        0,    0x71, 0x50, 0x5a, 0x0a, 0x1f, 0x06, 0x19, 0x1c, 0x02, 0x07, 0x06, 0x07, 0,    0,
        0,    0,    0x38, 0x28, 0x2d, 0x0a, 0x7f, 0x06, 0x64, 0x70, 0x02, 0x01, 0x06, 0x07, 0,
        0,    0,    0,    0x61, 0x50, 0x52, 0x0f, 0x19, 0x06, 0x19, 0x19, 0x02, 0x0d, 0x0b, 0x0c};
    /* Modes 0 to 7 and 0Dh to 13h, all line counts, eight pages' worth of characters. */
    static const uint8_t video_info[] = {0xff, 0xe0, 0x0f, 0,    0, 0, 0,    0x07,
                                         0x02, 0x08, 0xff, 0x0e, 0, 0, 0x3f, 0};
    memcpy(r->bytes + ROM_CONFIG, config, sizeof config);
    memcpy(r->bytes + ROM_FLOPPY, floppy, sizeof floppy);
    memcpy(r->bytes + ROM_VIDEO, video, sizeof video);
    memcpy(r->bytes + ROM_VIDEO_INFO, video_info, sizeof video_info);
    memcpy(r->bytes + ROM_FONT8, blink_font8, 1024);
    memcpy(r->bytes + ROM_FONT8_HIGH, blink_font8[128], 1024);
    for (uint32_t k = 0; k < 256 * 16; k++)
        r->bytes[ROM_FONT16 + k] = blink_font8[k / 16][k % 16 / 2];
    memcpy(r->bytes + AT_DATE, "11/25/26", 8);
    r->bytes[AT_MODEL] = MODEL_AT;
}

/* Two tables of 16 bytes for the first two hard disks. */
static void put_hard_disks(struct blink_plugin *b, struct rom *r) {
    for (uint32_t n = 0; n < 2; n++) {
        struct blink_disk d;
        uint8_t *t = r->bytes + ROM_HARD + 16 * n;
        memset(t, 0, 16);
        if (b->disk.info(b->host->machine, BLINK_DISK_HARD, n, &d))
            continue;
        t[0] = (uint8_t)d.cylinders;
        t[1] = (uint8_t)(d.cylinders >> 8);
        t[2] = (uint8_t)d.heads;
        t[5] = t[6] = 0xff;
        t[8] = d.heads > 8 ? 8 : 0;
        t[12] = t[0];
        t[13] = t[1];
        t[14] = (uint8_t)d.track_sectors;
    }
}

static void make(struct blink_plugin *b, struct rom *r) {
    memset(r, 0, sizeof *r);
    memset(r->bytes, EMPTY, ROM_SIZE);
    put_traps(r);
    put_handlers(r);
    put_tables(r);
    put_hard_disks(b, r);
    tables_put(b, r->bytes);
}

int rom_install(struct blink_plugin *b) {
    struct rom *rom = malloc(sizeof *rom);
    if (!rom)
        return -ENOMEM;
    make(b, rom);
    /* RAM until it is written: a reset comes here again. */
    int rc = b->mem.protect(b->cpu->mem, ROM_BASE, ROM_SIZE, BLINK_PROT_READ | BLINK_PROT_WRITE);
    if (rc == 0)
        rc = b->mem.copy_out(b->cpu->mem, ROM_BASE, rom->bytes, ROM_SIZE);
    if (rc == 0)
        rc = b->mem.protect(b->cpu->mem, ROM_BASE, ROM_SIZE, BLINK_PROT_READ | BLINK_PROT_EXEC);
    free(rom);
    return rc;
}

static void vector(struct blink_plugin *b, uint32_t n, uint32_t offset) {
    poke32(b, n * 4, ROM_SEGMENT << 16 | offset);
}

void rom_set_vectors(struct blink_plugin *b) {
    static const uint8_t traps[] = {0x00, 0x06, 0x10, 0x11, 0x12, 0x13, 0x14,
                                    0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x40};
    for (uint32_t n = 0; n < 0x78; n++)
        vector(b, n, AT_IGNORE);
    for (uint32_t n = 0x60; n < 0x68; n++)
        poke32(b, n * 4, 0); /* for programs */
    for (uint32_t n = 0x78; n < 256; n++)
        poke32(b, n * 4, 0);
    for (uint32_t n = 0x08; n < 0x10; n++)
        vector(b, n, AT_END_MASTER);
    for (uint32_t n = 0x70; n < 0x78; n++)
        vector(b, n, AT_END_SLAVE);
    for (size_t k = 0; k < sizeof traps; k++)
        vector(b, traps[k], TRAP(traps[k]));
    vector(b, 0x08, AT_TIMER);
    vector(b, 0x09, AT_KEYBOARD);
    vector(b, 0x70, AT_CLOCK);
    vector(b, 0x1d, ROM_VIDEO);
    vector(b, 0x1e, ROM_FLOPPY);
    vector(b, 0x1f, ROM_FONT8_HIGH);
    vector(b, 0x41, ROM_HARD);
    vector(b, 0x43, ROM_FONT8);
    vector(b, 0x46, ROM_HARD + 16);
}
