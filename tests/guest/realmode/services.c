/*
 * Every service of the BIOS but disks, as a program meets it: by INT, with the timer running and
 * keys coming from a keyboard that a script types on ("abcdefghijklmnopqrstuvwxyz\nQ" and an
 * arrow).
 */
#include "bios.h"

#define VIDEO 0xb800

static uint32_t cell(uint32_t x, uint32_t y) {
    return peek16(VIDEO, (uint16_t)((y * 80 + x) * 2));
}

static void cursor(uint32_t x, uint32_t y) {
    call(0x10, 0x0200, 0, 0, y << 8 | x);
}

static void text(void) {
    call(0x10, 0x0003, 0, 0, 0);
    call(0x10, 0x0f00, 0, 0, 0);
    check("mode", AX, 0x5003);
    check("cleared", cell(79, 24), 0x0720);
    cursor(3, 4);
    call(0x10, 0x0941, 0x1e, 5, 0);
    check("write", cell(7, 4), 0x1e41);
    check("write ends", cell(8, 4), 0x0720);
    call(0x10, 0x0800, 0, 0, 0);
    check("read", AX, 0x1e41);
    call(0x10, 0x0a42, 0, 1, 0);
    check("write without attribute", cell(3, 4), 0x1e42);
    call(0x10, 0x0300, 0, 0, 0);
    check("cursor", DX, 0x0403);
    check("shape", CX, 0x0607);
    call(0x10, 0x0100, 0, 0x2607, 0);
    call(0x10, 0x0300, 0, 0, 0);
    check("shape set", CX, 0x2607);
    call(0x10, 0x0100, 0, 0x0607, 0);
    call(0x10, 0x0601, 0x2000, 0x0403, 0x0507);
    check("scroll", cell(3, 4), 0x0720);
    check("scroll fills", cell(3, 5), 0x2020);
    call(0x10, 0x0701, 0x3000, 0x0403, 0x0507);
    check("scroll down", cell(3, 4), 0x3020);
    cursor(79, 24);
    call(0x10, 0x0e58, 7, 0, 0);
    check("teletype scrolls", cell(79, 23), 0x0758);
    call(0x10, 0x0300, 0, 0, 0);
    check("teletype cursor", DX, 0x1800);
    call(0x10, 0x0501, 0, 0, 0);
    call(0x10, 0x0e59, 7, 0, 0);
    check("page", peek16(VIDEO, 0x1000), 0x0759);
    call(0x10, 0x0500, 0, 0, 0);
    r.es = 0;
    static const char line[] = "text";
    r.ebp = (uint32_t)line;
    call(0x10, 0x1301, 0x4f, 4, 0x0a0a);
    check("string", cell(13, 10), 0x4f74);
    call(0x10, 0x0400, 0, 0, 0);
    check("light pen", AH, 0);
    call(0x10, 0x1a00, 0, 0, 0);
    check("adapter", BX << 8 | AL, 0x081a);
    call(0x10, 0x1200, 0x10, 0, 0);
    check("memory of it", BX, 3);
    call(0x10, 0x1007, 6, 0, 0);
    check("palette", BX, 0x1406);
    call(0x10, 0x1015, 7, 0, 0);
    check("colour", CX << 8 | (DX >> 8), 0x2a2a2a);
    call(0x10, 0x1112, 0, 0, 0);
    call(0x10, 0x1130, 0x0300, 0, 0);
    check("lines", (r.edx & 0xff) << 8 | (CX & 0xff), 49 << 8 | 8);
    check("font", peek8(r.es, (uint16_t)(r.ebp + 'A' * 8)), 0x38);
    r.es = 0;
    call(0x10, 0x0001, 0, 0, 0);
    call(0x10, 0x0f00, 0, 0, 0);
    check("40 columns", AX, 0x2801);
}

static void graphics(void) {
    static const uint8_t modes[] = {0x04, 0x06, 0x0d, 0x0e, 0x10, 0x11, 0x12, 0x13};
    static const uint8_t colours[] = {3, 1, 13, 13, 13, 1, 13, 200};
    for (uint32_t k = 0; k < sizeof modes; k++) {
        call(0x10, modes[k], 0, 0, 0);
        call(0x10, 0x0f00, 0, 0, 0);
        check("graphics mode", AL, modes[k]);
        call(0x10, 0x0c00 | colours[k], 0, 101, 99);
        call(0x10, 0x0d00, 0, 101, 99);
        check("point", AL, colours[k]);
        call(0x10, 0x0d00, 0, 100, 99);
        check("point beside", AL, 0);
        if (k < 7) {
            call(0x10, 0x0c80 | colours[k], 0, 101, 99);
            call(0x10, 0x0d00, 0, 101, 99);
            check("exclusive or", AL, 0);
        }
        cursor(5, 5);
        call(0x10, 0x0e52, colours[k], 0, 0);
        cursor(5, 5);
        call(0x10, 0x0800, 0, 0, 0);
        check("character", AL, 'R');
        call(0x10, 0x0601, 0, 0, 0x1827);
        cursor(5, 4);
        call(0x10, 0x0800, 0, 0, 0);
        check("scrolled", AL, 'R');
    }
    check("256 colours", peek8(0xa000, 320 * 99 - 320 * 8 + 101), 200);
    call(0x10, 0x0003, 0, 0, 0);
    check("text again", cell(0, 0), 0x0720);
}

static void equipment(void) {
    call(0x11, 0, 0, 0, 0);
    check("equipment", AX & 0x0e3f, 0x0203);
    call(0x12, 0, 0, 0, 0);
    check("memory", AX, 640);
    check("BDA", peek16(0x40, 0x13), 640);
    check("model", peek8(0xffff, 0x0e), 0xfc);
    call(0x15, 0xc000, 0, 0, 0);
    check("configuration", peek8(r.es, (uint16_t)(BX + 2)), 0xfc);
    r.es = 0;
    check("refused", call(0x15, 0xff00, 0, 0, 0) & CARRY, CARRY);
    check("refused AH", AH, 0x86);
}

static uint32_t map[6];

static void memory(void) {
    uint64_t ram = 0;
    uint32_t next = 0, entries = 0;
    r.es = 0;
    r.edi = (uint32_t)map;
    do {
        check("E820", call(0x15, 0xe820, next, 24, 0x534d4150) & CARRY, 0);
        check("E820 signature", r.eax, 0x534d4150);
        if (map[4] == 1)
            ram += map[2];
        next = r.ebx;
        entries++;
    } while (next && entries < 20);
    check("RAM", (uint32_t)ram, 0xa0000 + (15u << 20));
    call(0x15, 0xe801, 0, 0, 0);
    check("E801", AX, 15 * 1024);
    check("E801 above", BX, 0);
    call(0x15, 0x8800, 0, 0, 0);
    check("88", AX, 15 * 1024);
    call(0x15, 0x8a00, 0, 0, 0);
    check("8A", AX | DX << 16, 15 * 1024);
}

/* From one place to above 1 MiB, and back to another. */
static void blocks(void) {
    static uint8_t here[64], there[64];
    static uint16_t table[24];
    for (uint32_t k = 0; k < 64; k++)
        here[k] = (uint8_t)(k * 5 + 1);
    table[8] = table[12] = 0xffff;
    table[9] = (uint16_t)(uint32_t)here;
    table[10] = table[14] = 0x9300;
    table[13] = 0x1000;
    table[14] = 0x9320; /* to 0x201000 */
    r.es = 0;
    r.esi = (uint32_t)table;
    check("move up", call(0x15, 0x8700, 0, 32, 0) & CARRY, 0);
    table[9] = 0x1000;
    table[10] = 0x9320;
    table[13] = (uint16_t)(uint32_t)there;
    table[14] = 0x9300;
    check("move down", call(0x15, 0x8700, 0, 32, 0) & CARRY, 0);
    check("moved", there[0] | (uint32_t)there[63] << 8, 1 | ((63 * 5 + 1) & 0xff) << 8);
}

static void a20(void) {
    poke8(0, 0x500, 0x11);
    check("A20 on", call(0x15, 0x2401, 0, 0, 0) & CARRY, 0);
    poke8(0xffff, 0x510, 0x22);
    check("apart", peek8(0, 0x500), 0x11);
    call(0x15, 0x2402, 0, 0, 0);
    check("A20 state", AL, 1);
    call(0x15, 0x2400, 0, 0, 0);
    check("the same", peek8(0xffff, 0x510), 0x11);
    call(0x15, 0x2402, 0, 0, 0);
    check("A20 off", AL, 0);
    /* The keyboard controller's way. */
    out8(0x64, 0xd1);
    out8(0x60, 0xdf);
    check("8042", peek8(0xffff, 0x510), 0x22);
    call(0x15, 0x2403, 0, 0, 0);
    check("A20 support", BX, 2);
}

static volatile uint32_t ticks;

void on_interrupt_0(void) {
    ticks++;
}

static uint32_t now(void) {
    call(0x1a, 0, 0, 0, 0);
    return (uint32_t)CX << 16 | DX;
}

/* The vector of the user's tick is hooked; the BIOS goes on counting. */
static void time(void) {
    uint32_t before = now();
    set_vector(0x1c, interrupt_0);
    while (ticks < 3)
        wait_for_interrupt();
    check("ticks", now() - before >= 2, 1);
    call(0x1a, 0x0100, 0, 0x0012, 0x3456);
    check("ticks set", now() - 0x123456 < 100, 1);
    before = ticks;
    check("wait", call(0x15, 0x8600, 0, 2, 0x49f0) & CARRY, 0); /* 150 ms */
    check("waited", ticks - before >= 1, 1);
    check("short wait", call(0x15, 0x8600, 0, 0, 2000) & CARRY, 0);
    check("clock", call(0x1a, 0x0200, 0, 0, 0) & CARRY, 0);
    check("hours", CX >> 8 < 0x24, 1);
    call(0x1a, 0x0300, 0, 0x1234, 0x0000);
    call(0x1a, 0x0200, 0, 0, 0);
    check("clock set", CX >> 8, 0x12);
    call(0x1a, 0x0500, 0, 0x2031, 0x0815);
    call(0x1a, 0x0400, 0, 0, 0);
    check("date", (uint32_t)CX << 16 | DX, 0x20310815);
    static volatile uint8_t flag;
    r.es = 0;
    check("event", call(0x15, 0x8300, (uint32_t)&flag, 0, 1000) & CARRY, 0);
    for (before = ticks; !flag && ticks - before < 100;)
        wait_for_interrupt();
    check("event came", flag, 0x80);
}

static uint16_t key(uint32_t function) {
    call(0x16, function << 8, 0, 0, 0);
    return AX;
}

static void keyboard(void) {
    /* More than the buffer holds: the keyboard waits. */
    for (uint32_t k = 0; k < 26; k++)
        check("typed ahead", key(0) & 0xff, 'a' + k);
    check("Enter", key(0x10), 0x1c0d);
    while (call(0x16, 0x0100, 0, 0, 0) & ZERO)
        wait_for_interrupt();
    check("looked at", AX, 0x1051);
    check("Shift", key(0), 0x1051);
    check("arrow", key(0x10), 0x48e0);
    check("empty", call(0x16, 0x1100, 0, 0, 0) & ZERO, ZERO);
    call(0x16, 0x0500, 0, 0x1234, 0);
    check("put there", key(0), 0x1234);
    call(0x16, 0x0200, 0, 0, 0);
    check("nothing is held", AL, 0);
    call(0x16, 0x0300, 0, 0, 0);
}

static void others(void) {
    check("serial", call(0x14, 0x00e3, 0, 0, 0) >> 16, 0);
    check("serial line", AH & 0x60, 0x60);
    call(0x14, 0x0153, 0, 0, 0); /* S */
    call(0x14, 0x010a, 0, 0, 0);
    check("sent", AH & 0x80, 0);
    call(0x14, 0x0200, 0, 0, 0);
    check("nothing received", AH & 0x80, 0x80);
    call(0x17, 0x0200, 0, 0, 0);
    check("printer", AH, 1);
    call(0x15, 0x5300, 0, 0, 0);
    check("power", BX, 0x504d);
}

/* INT 10h of the program's own, which goes on to the BIOS's. */
static void hook(void) {
    uint32_t old = *(volatile uint32_t *)(0x10 * 4);
    static uint8_t code[16] = {0x2e, 0xfe, 0x06, 0, 0, 0xea}; /* INCB CS:count, JMP FAR */
    static volatile uint8_t count;
    code[3] = (uint8_t)(uint32_t)&count;
    code[4] = (uint8_t)((uint32_t)&count >> 8);
    for (uint32_t k = 0; k < 4; k++)
        code[6 + k] = (uint8_t)(old >> k * 8);
    *(volatile uint32_t *)(0x10 * 4) = (uint32_t)code;
    cursor(1, 2);
    call(0x10, 0x0300, 0, 0, 0);
    check("hooked", DX, 0x0201);
    check("counted", count, 2);
    *(volatile uint32_t *)(0x10 * 4) = old;
}

void main(void) {
    text();
    graphics();
    equipment();
    memory();
    blocks();
    a20();
    time();
    keyboard();
    others();
    hook();
    finish("services");
}
