/*
 * abi-bios against a fake PC: vectors, traps and waiting; video, keyboard, time, memory, serial
 * ports and power.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "pc.h"

static int setup(void **state) {
    struct pc *pc = pc_create();
    *state = pc;
    return pc_start(pc, 0);
}

static int teardown(void **state) {
    pc_destroy(*state);
    return 0;
}

/* ---- traps ---- */

static void test_vectors(void **state) {
    struct pc *pc = *state;
    static const uint8_t traps[] = {0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x19, 0x1a};
    for (size_t k = 0; k < sizeof traps; k++) {
        uint32_t v = traps[k];
        assert_int_equal(pc_peek(pc, v * 4, 4), 0xf0000000 | (0xc000 + v * 8));
        assert_int_equal(pc_peek(pc, 0xfc000 + v * 8, 3), 0xcf00cd | v << 8);
    }
    /* A vector nobody serves leads to an IRET, lines of interrupts to the end of one. */
    assert_int_equal(pc_peek(pc, 0xf0000 + pc_peek(pc, 0x1c * 4, 2), 1), 0xcf);
    assert_int_equal(pc_peek(pc, 0xf0000 + pc_peek(pc, 0x0d * 4, 2), 4), 0xe620b050);
    assert_int_equal(pc_peek(pc, 0x60 * 4, 4), 0);
    assert_int_equal(pc_peek(pc, 0xffffe, 1), 0xfc);
    assert_int_equal(pc_peek(pc, 0xffff0, 1), 0xea);
    assert_int_equal(fakehost_prot(pc->fh, 0xf0000), BLINK_PROT_READ | BLINK_PROT_EXEC);
    assert_int_equal(pc->cpu->gpr[BLINK_RDX] & 0xff, 0);
    assert_int_equal(pc->cpu->rip, 0x7c00);
}

/* Only an INT of the ROM is answered; others go to the vector. */
static void test_what_is_a_trap(void **state) {
    struct pc *pc = *state;
    struct blink_cpu *cpu = pc->cpu;
    cpu->gpr[BLINK_RAX] = 0;
    assert_int_equal(pc_call(pc, 0x12), BLINK_ABI_CONTINUE);
    assert_int_equal(AX(pc), 640);
    pc_segment(pc, BLINK_SEG_CS, 0);
    assert_int_equal(pc->ops->interrupt(pc->bios, cpu), BLINK_ABI_UNHANDLED);
    pc_segment(pc, BLINK_SEG_CS, 0xf000);
    cpu->rip++;
    assert_int_equal(pc->ops->interrupt(pc->bios, cpu), BLINK_ABI_UNHANDLED);
    cpu->rip--;
    cpu->exit_info = 0x13;
    assert_int_equal(pc->ops->interrupt(pc->bios, cpu), BLINK_ABI_UNHANDLED);
    cpu->exit_info = 0x12;
    cpu->mode |= BLINK_MODE_PROT;
    assert_int_equal(pc->ops->interrupt(pc->bios, cpu), BLINK_ABI_UNHANDLED);
    cpu->mode = BLINK_MODE_VM86;
    assert_int_equal(pc->ops->interrupt(pc->bios, cpu), BLINK_ABI_CONTINUE);
    cpu->mode = 0;
    assert_int_equal(pc->ops->syscall(pc->bios, cpu), BLINK_ABI_UNHANDLED);
    /* A trap without a service does nothing. */
    assert_int_equal(pc_call(pc, 0x77), BLINK_ABI_CONTINUE);
}

static void test_unexpected_exception(void **state) {
    struct pc *pc = *state;
    assert_int_equal(pc_call(pc, 0x06), BLINK_ABI_END);
    assert_true(fakehost_exec(pc->fh)->exited);
    assert_int_equal(fakehost_exec(pc->fh)->exit_status, 124);
    assert_string_equal(fakehost_log(pc->fh), "exception 0x6 in the guest at 2222:1111, which has "
                                              "no handler for it; stopping\n");
}

static void test_signals(void **state) {
    struct pc *pc = *state;
    struct blink_signal signal = {.struct_size = sizeof signal, .signo = SIGTERM};
    assert_int_equal(fakehost_exec(pc->fh)->disposition[SIGINT], BLINK_SIGNAL_CATCH);
    assert_int_equal(pc->ops->signal(pc->bios, pc->cpu), BLINK_ABI_CONTINUE);
    fakehost_signal(pc->fh, &signal);
    assert_int_equal(pc->ops->signal(pc->bios, pc->cpu), BLINK_ABI_END);
    assert_int_equal(fakehost_exec(pc->fh)->exit_status, 128 + SIGTERM);
}

static void test_start_again(void **state) {
    struct pc *pc = *state;
    pc_poke(pc, 0x10 * 4, 0x12345678, 4);
    pc_poke(pc, 0x41a, 0x24, 2);
    assert_int_equal(pc_start(pc, 0x80), 0);
    assert_int_equal(pc_peek(pc, 0x10 * 4, 4), 0xf000c080);
    assert_int_equal(pc_peek(pc, 0x41a, 2), 0x1e);
    assert_int_equal(pc->cpu->gpr[BLINK_RDX] & 0xff, 0x80);
}

static void test_data_area(void **state) {
    struct pc *pc = *state;
    assert_int_equal(pc_peek(pc, 0x413, 2), 640);
    assert_int_equal(pc_peek(pc, 0x400, 2), 0x3f8); /* ports here keep what is written */
    assert_int_equal(pc_int(pc, 0x11, 0, 0, 0, 0) & CARRY, 0);
    assert_int_equal(AX(pc) & 0x0e3f, 0x0802); /* four serial ports, no floppy */
    assert_int_equal(pc->port[0x21], 0xb8);
    assert_int_equal(pc->port[0x43], 0x54);
}

/* ---- video ---- */

static void cursor(struct pc *pc, uint32_t x, uint32_t y) {
    pc_int(pc, 0x10, 0x0200, 0, 0, y << 8 | x);
}

static uint32_t cell(struct pc *pc, uint32_t x, uint32_t y) {
    return pc_peek(pc, 0xb8000 + (y * 80 + x) * 2, 2);
}

static void test_text_mode(void **state) {
    struct pc *pc = *state;
    assert_int_equal(pc_peek(pc, 0x449, 1), 3);
    assert_int_equal(pc_peek(pc, 0x44a, 2), 80);
    assert_int_equal(pc_peek(pc, 0x484, 1), 24);
    assert_int_equal(cell(pc, 0, 0), 0x0720);
    assert_int_equal(pc->crtc[0x13], 0x28);
    assert_int_equal(pc->attribute[6], 0x14);
    pc_int(pc, 0x10, 0x0f00, 0, 0, 0);
    assert_int_equal(AX(pc), 0x5003);
    assert_int_equal(BX(pc) >> 8, 0);
    /* Without clearing. */
    cursor(pc, 5, 5);
    pc_int(pc, 0x10, 0x0958, 0x1e, 3, 0);
    pc_int(pc, 0x10, 0x0083, 0, 0, 0);
    assert_int_equal(cell(pc, 7, 5), 0x1e58);
    pc_int(pc, 0x10, 0x0f00, 0, 0, 0);
    assert_int_equal(AX(pc), 0x5083);
    pc_int(pc, 0x10, 0x0001, 0, 0, 0);
    assert_int_equal(pc_peek(pc, 0x44a, 2), 40);
    assert_int_equal(pc->crtc[0x13], 0x14);
    assert_int_equal(pc_peek(pc, 0xb8000, 2), 0x0720);
    /* No such mode: nothing changes. */
    pc_int(pc, 0x10, 0x0055, 0, 0, 0);
    assert_int_equal(pc_peek(pc, 0x449, 1), 1);
}

static void test_cursor(void **state) {
    struct pc *pc = *state;
    cursor(pc, 10, 3);
    assert_int_equal(pc->crtc[0x0e] << 8 | pc->crtc[0x0f], 250);
    pc_int(pc, 0x10, 0x0300, 0, 0, 0);
    assert_int_equal(DX(pc), 0x030a);
    assert_int_equal(CX(pc), 0x0607);
    pc_int(pc, 0x10, 0x0100, 0, 0x2000, 0);
    assert_int_equal(pc->crtc[0x0a], 0x20);
    pc_int(pc, 0x10, 0x0100, 0, 0x0607, 0);
    assert_int_equal(pc->crtc[0x0a], 13);
    assert_int_equal(pc->crtc[0x0b], 14);
    pc_int(pc, 0x10, 0x0100, 0, 0x0007, 0);
    assert_int_equal(pc->crtc[0x0a], 0);
    assert_int_equal(pc->crtc[0x0b], 15);
    /* Each page has its own. */
    pc_int(pc, 0x10, 0x0200, 0x0200, 0, 0x0102);
    pc_int(pc, 0x10, 0x0300, 0, 0, 0);
    assert_int_equal(DX(pc), 0x030a);
    pc_int(pc, 0x10, 0x0502, 0, 0, 0);
    assert_int_equal(pc->crtc[0x0c] << 8 | pc->crtc[0x0d], 0x1000);
    assert_int_equal(pc->crtc[0x0e] << 8 | pc->crtc[0x0f], 0x1000 + 82);
    pc_int(pc, 0x10, 0x0e41, 0, 0, 0);
    assert_int_equal(pc_peek(pc, 0xb8000 + 0x2000 + 82 * 2, 2), 0x0741);
}

static void test_characters(void **state) {
    struct pc *pc = *state;
    cursor(pc, 78, 24);
    pc_int(pc, 0x10, 0x0958, 0x4f, 2, 0);
    assert_int_equal(cell(pc, 79, 24), 0x4f58);
    pc_int(pc, 0x10, 0x0800, 0, 0, 0);
    assert_int_equal(AX(pc), 0x4f58);
    pc_int(pc, 0x10, 0x0a59, 0x11, 1, 0);
    assert_int_equal(cell(pc, 78, 24), 0x4f59); /* keeps its attribute */
    /* As many as there is room for, and no more. */
    pc_int(pc, 0x10, 0x0958, 0x22, 0xffff, 0);
    assert_int_equal(cell(pc, 79, 24), 0x2258);
    assert_int_equal(cell(pc, 0, 25), 0x0720);
}

static void test_teletype(void **state) {
    struct pc *pc = *state;
    for (const char *c = "ab\bc\r\nd\a"; *c; c++)
        pc_int(pc, 0x10, 0x0e00 | (uint8_t)*c, 7, 0, 0);
    assert_int_equal(cell(pc, 0, 0), 0x0761);
    assert_int_equal(cell(pc, 1, 0), 0x0763);
    assert_int_equal(cell(pc, 0, 1), 0x0764);
    pc_int(pc, 0x10, 0x0300, 0, 0, 0);
    assert_int_equal(DX(pc), 0x0101);
    /* The last cell scrolls. */
    cursor(pc, 79, 24);
    pc_int(pc, 0x10, 0x0e5a, 7, 0, 0);
    assert_int_equal(cell(pc, 0, 0), 0x0764);
    assert_int_equal(cell(pc, 79, 23), 0x075a);
    assert_int_equal(cell(pc, 79, 24), 0x0720);
    pc_int(pc, 0x10, 0x0300, 0, 0, 0);
    assert_int_equal(DX(pc), 0x1800);
}

static void test_scroll(void **state) {
    struct pc *pc = *state;
    for (uint32_t y = 0; y < 25; y++) {
        cursor(pc, 10, y);
        pc_int(pc, 0x10, 0x0941 + y, 7, 10, 0);
    }
    pc_int(pc, 0x10, 0x0602, 0x1700, 5 << 8 | 10, 8 << 8 | 14);
    assert_int_equal(cell(pc, 10, 4), 0x0745);
    assert_int_equal(cell(pc, 10, 5), 0x0748);
    assert_int_equal(cell(pc, 14, 6), 0x0749);
    assert_int_equal(cell(pc, 15, 6), 0x0747);
    assert_int_equal(cell(pc, 10, 7), 0x1720);
    assert_int_equal(cell(pc, 10, 9), 0x074a);
    pc_int(pc, 0x10, 0x0701, 0x2700, 5 << 8 | 10, 8 << 8 | 14);
    assert_int_equal(cell(pc, 10, 5), 0x2720);
    assert_int_equal(cell(pc, 10, 6), 0x0748);
    pc_int(pc, 0x10, 0x0600, 0x3000, 0, 0xffff); /* all, however large */
    assert_int_equal(cell(pc, 79, 24), 0x3020);
    assert_int_equal(cell(pc, 0, 25), 0x0720);
    pc_int(pc, 0x10, 0x0601, 0x4000, 0x0505, 0x0404); /* an area that is none */
    assert_int_equal(cell(pc, 5, 5), 0x3020);
}

static void test_string(void **state) {
    struct pc *pc = *state;
    static const char text[] = "Hi\r\nX";
    for (size_t k = 0; k < sizeof text; k++)
        pc_poke(pc, 0x20010 + k, (uint8_t)text[k], 1);
    pc_segment(pc, BLINK_SEG_ES, 0x2000);
    pc->cpu->gpr[BLINK_RBP] = 0x10;
    pc_int(pc, 0x10, 0x1301, 0x1f, 5, 2 << 8 | 4);
    assert_int_equal(cell(pc, 4, 2), 0x1f48);
    assert_int_equal(cell(pc, 0, 3), 0x1f58);
    pc_int(pc, 0x10, 0x0300, 0, 0, 0);
    assert_int_equal(DX(pc), 0x0301);
    pc_int(pc, 0x10, 0x1302, 0, 1, 9 << 8);
    assert_int_equal(cell(pc, 0, 9), 'H' | 'i' << 8);
    pc_int(pc, 0x10, 0x0300, 0, 0, 0);
    assert_int_equal(DX(pc), 0x0301);
}

static void test_graphics(void **state) {
    struct pc *pc = *state;
    pc_int(pc, 0x10, 0x0013, 0, 0, 0);
    assert_int_equal(pc->sequencer[4], 0x0e);
    assert_int_equal(pc_peek(pc, 0x44a, 2), 40);
    pc_int(pc, 0x10, 0x0c2a, 0, 319, 199);
    assert_int_equal(pc_peek(pc, 0xa0000 + 63999, 1), 0x2a);
    pc_int(pc, 0x10, 0x0d00, 0, 319, 199);
    assert_int_equal(AX(pc) & 0xff, 0x2a);
    pc_int(pc, 0x10, 0x0c2a, 0, 320, 0); /* outside */
    assert_int_equal(pc_peek(pc, 0xa0000 + 320, 1), 0);
    /* A character of points, and read back. */
    cursor(pc, 1, 1);
    pc_int(pc, 0x10, 0x0e41, 0x0c, 0, 0);
    assert_int_equal(pc_peek(pc, 0xa0000 + 8 * 320 + 10, 1), 0x0c);
    assert_int_equal(pc_peek(pc, 0xa0000 + 8 * 320 + 8, 1), 0);
    cursor(pc, 1, 1);
    pc_int(pc, 0x10, 0x0800, 0, 0, 0);
    assert_int_equal(AX(pc) & 0xff, 'A');
    pc_int(pc, 0x10, 0x0601, 0, 0, 0x1827);
    assert_int_equal(pc_peek(pc, 0xa0000 + 10, 1), 0x0c);
    assert_int_equal(pc_peek(pc, 0xa0000 + 63999, 1), 0);
    /* CGA's modes. */
    pc_int(pc, 0x10, 0x0004, 0, 0, 0);
    pc_int(pc, 0x10, 0x0c03, 0, 1, 1);
    assert_int_equal(pc_peek(pc, 0xba000, 1), 0x30);
    pc_int(pc, 0x10, 0x0c81, 0, 1, 1);
    assert_int_equal(pc_peek(pc, 0xba000, 1), 0x20);
    pc_int(pc, 0x10, 0x0006, 0, 0, 0);
    pc_int(pc, 0x10, 0x0c01, 0, 639, 2);
    assert_int_equal(pc_peek(pc, 0xb8000 + 80 + 79, 1), 0x01);
}

static void test_video_tables(void **state) {
    struct pc *pc = *state;
    pc_int(pc, 0x10, 0x1a00, 0, 0, 0);
    assert_int_equal(AX(pc) & 0xff, 0x1a);
    assert_int_equal(BX(pc), 8);
    pc_int(pc, 0x10, 0x1200, 0x10, 0, 0);
    assert_int_equal(BX(pc), 3);
    pc_int(pc, 0x10, 0x1130, 0x0600, 0, 0);
    assert_int_equal(CX(pc), 16);
    assert_int_equal(DX(pc) & 0xff, 24);
    uint64_t font = pc->cpu->seg[BLINK_SEG_ES].base + pc_reg(pc, BLINK_RBP);
    assert_int_equal(pc_peek(pc, font + 'A' * 16, 1), 0x38);
    pc_int(pc, 0x10, 0x1000, 0x3f05, 0, 0);
    assert_int_equal(pc->attribute[5], 0x3f);
    pc_int(pc, 0x10, 0x1007, 0x0005, 0, 0);
    assert_int_equal(BX(pc), 0x3f05);
    pc_int(pc, 0x10, 0x1003, 0x0000, 0, 0);
    assert_int_equal(pc->attribute[0x10], 0x04);
    /* 50 lines. */
    pc_int(pc, 0x10, 0x1112, 0, 0, 0);
    assert_int_equal(pc_peek(pc, 0x484, 1), 49);
    assert_int_equal(pc->crtc[9], 0x47);
    pc_segment(pc, BLINK_SEG_ES, 0x2000);
    pc->cpu->gpr[BLINK_RDI] = 0;
    pc_int(pc, 0x10, 0x1b00, 0, 0, 0);
    assert_int_equal(AX(pc) & 0xff, 0x1b);
    assert_int_equal(pc_peek(pc, 0x20004, 1), 3);
    assert_int_equal(pc_peek(pc, 0x20022, 1), 49);
}

/* ---- keyboard ---- */

static uint32_t read_key(struct pc *pc, uint32_t function) {
    pc_int(pc, 0x16, function << 8, 0, 0, 0);
    return AX(pc);
}

static void test_keys(void **state) {
    struct pc *pc = *state;
    assert_int_equal(pc_int(pc, 0x16, 0x0100, 0, 0, 0) & ZERO, ZERO);
    pc_type(pc, "\x1e\x9e");
    assert_int_equal(pc_int(pc, 0x16, 0x0100, 0, 0, 0) & ZERO, 0);
    assert_int_equal(AX(pc), 0x1e61);
    assert_int_equal(read_key(pc, 0), 0x1e61);
    assert_int_equal(pc_int(pc, 0x16, 0x0100, 0, 0, 0) & ZERO, ZERO);
    pc_type(pc, "\x2a\x1e\x9e\xaa\x1e"); /* Shift and not */
    assert_int_equal(read_key(pc, 0), 0x1e41);
    assert_int_equal(read_key(pc, 0), 0x1e61);
    pc_type(pc, "\x1d\x2e\x9d\x38\x10\xb8"); /* Control C, Alt Q */
    assert_int_equal(read_key(pc, 0), 0x2e03);
    assert_int_equal(read_key(pc, 0), 0x1000);
    pc_type(pc, "\x3a\xba\x1e\x02\x3a\xba\x1e"); /* Caps Lock is for letters */
    assert_int_equal(read_key(pc, 0), 0x1e41);
    assert_int_equal(read_key(pc, 0), 0x0231);
    assert_int_equal(read_key(pc, 0), 0x1e61);
    pc_type(pc, "\x48\x45\xc5\x48\x45\xc5"); /* the keypad by Num Lock */
    assert_int_equal(read_key(pc, 0), 0x4800);
    assert_int_equal(read_key(pc, 0), 0x4838);
    pc_type(pc, "\x3b\x57\x57"); /* F1; F11 for old and new */
    assert_int_equal(read_key(pc, 0), 0x3b00);
    assert_int_equal(read_key(pc, 0x10), 0x8500);
    assert_int_equal(pc_int(pc, 0x16, 0x0100, 0, 0, 0) & ZERO, ZERO);
    pc_type(pc, "\xe0\x48\xe0\xc8\xe0\x48\xe0\x1c"); /* the cursor's own keys */
    assert_int_equal(read_key(pc, 0x10), 0x48e0);
    assert_int_equal(read_key(pc, 0), 0x4800);
    assert_int_equal(read_key(pc, 0), 0x1c0d);
    pc_type(pc, "\x38\x48\x4b\xb8"); /* Alt 8 4 */
    assert_int_equal(read_key(pc, 0), 84);
    pc_type(pc, "\xe1\x1d\x45\xe1\x9d\xc5\xfa\x1e"); /* Pause and answers are no keys */
    assert_int_equal(read_key(pc, 0), 0x1e61);
    assert_int_equal(pc_peek(pc, 0x417, 1), 0);
}

/* Nothing yet: the guest waits in the ROM and asks again from there. */
static void test_waiting_for_a_key(void **state) {
    struct pc *pc = *state;
    pc_int(pc, 0x16, 0x0000, 0, 0, 0);
    assert_int_equal(pc->cpu->rip, 0xc800 + 0x16 * 8);
    assert_int_equal(pc_peek(pc, 0xfc800 + 0x16 * 8, 4), 0xcdfaf4fb);
    assert_int_equal(AX(pc), 0);
    pc_type(pc, "\x1e");
    pc_segment(pc, BLINK_SEG_CS, 0xf000);
    pc->cpu->rip = 0xc800 + 0x16 * 8 + 5;
    pc->cpu->exit_info = 0x16;
    pc->cpu->gpr[BLINK_RAX] = 0;
    assert_int_equal(pc->ops->interrupt(pc->bios, pc->cpu), BLINK_ABI_CONTINUE);
    assert_int_equal(AX(pc), 0x1e61);
}

static void test_shift_states(void **state) {
    struct pc *pc = *state;
    pc_type(pc, "\x2a\xe0\x1d\xe0\x38\x46\xc6");
    pc_int(pc, 0x16, 0x0200, 0, 0, 0);
    assert_int_equal(AX(pc) & 0xff, 0x1e);
    pc_int(pc, 0x16, 0x1200, 0, 0, 0);
    assert_int_equal(AX(pc), 0x0c1e);
    pc_type(pc, "\xaa\xe0\x9d\xe0\xb8");
    pc_int(pc, 0x16, 0x0200, 0, 0, 0);
    assert_int_equal(AX(pc) & 0xff, 0x10);
    pc_type(pc, "\x52\x52\xd2");
    pc_int(pc, 0x16, 0x0200, 0, 0, 0);
    assert_int_equal(AX(pc) & 0xff, 0x90); /* a repetition is no second press */
}

/* A buffer that fills holds the keyboard back until it is read. */
static void test_type_ahead(void **state) {
    struct pc *pc = *state;
    pc->writes = 0;
    for (int k = 0; k < 11; k++)
        pc_key(pc, 0x1e);
    assert_int_equal(pc->writes, 0);
    pc_key(pc, 0x30);
    assert_int_equal(pc->written[0], 0xad);
    for (int k = 0; k < 10; k++)
        pc_key(pc, 0x30); /* those that come all the same are lost when it is full */
    assert_int_equal(pc->writes, 1);
    for (int k = 0; k < 11; k++)
        assert_int_equal(read_key(pc, 0), 0x1e61);
    assert_int_equal(pc->writes, 2);
    assert_int_equal(pc->written[1], 0xae);
    for (int k = 0; k < 4; k++)
        assert_int_equal(read_key(pc, 0), 0x3062);
    assert_int_equal(pc_int(pc, 0x16, 0x0100, 0, 0, 0) & ZERO, ZERO);
    pc_int(pc, 0x16, 0x0500, 0, 0x1234, 0);
    assert_int_equal(AX(pc) & 0xff, 0);
    assert_int_equal(read_key(pc, 0), 0x1234);
}

static void test_break_and_reset(void **state) {
    struct pc *pc = *state;
    assert_int_equal(pc_key(pc, 0x1d) & CARRY, 0);
    pc_key(pc, 0xe0);
    assert_int_equal(pc_key(pc, 0x46) & CARRY, CARRY);
    assert_int_equal(pc_peek(pc, 0x471, 1), 0x80);
    assert_int_equal(read_key(pc, 0), 0);
    pc_type(pc, "\x38\x53");
    assert_int_equal(pc_peek(pc, 0x472, 2), 0x1234);
    assert_int_equal(pc->port[0xcf9], 0x06);
}

/* ---- time ---- */

static void test_ticks(void **state) {
    struct pc *pc = *state;
    pc_int(pc, 0x1a, 0x0100, 0, 0x0018, 0x00ae);
    pc_int(pc, 0x08, 0, 0, 0, 0);
    pc_int(pc, 0x1a, 0x0000, 0, 0, 0);
    assert_int_equal(CX(pc) << 16 | DX(pc), 0x1800af);
    assert_int_equal(AX(pc), 0);
    pc_int(pc, 0x08, 0, 0, 0, 0);
    pc_int(pc, 0x1a, 0x0000, 0, 0, 0);
    assert_int_equal(CX(pc) << 16 | DX(pc), 0);
    assert_int_equal(AX(pc), 1); /* past midnight, told once */
    pc_int(pc, 0x1a, 0x0000, 0, 0, 0);
    assert_int_equal(AX(pc), 0);
}

static void test_clock(void **state) {
    struct pc *pc = *state;
    assert_int_equal(pc_int(pc, 0x1a, 0x0300, 0, 0x1234, 0x5600) & CARRY, 0);
    assert_int_equal(pc->cmos[4], 0x12);
    assert_int_equal(pc->cmos[0x0b] & 0x82, 0x02);
    pc_int(pc, 0x1a, 0x0200, 0, 0, 0);
    assert_int_equal(CX(pc), 0x1234);
    assert_int_equal(DX(pc), 0x5600);
    pc_int(pc, 0x1a, 0x0500, 0, 0x2026, 0x1125);
    pc_int(pc, 0x1a, 0x0400, 0, 0, 0);
    assert_int_equal(CX(pc), 0x2026);
    assert_int_equal(DX(pc), 0x1125);
    assert_int_equal(pc_int(pc, 0x1a, 0x0600, 0, 0x0102, 0x0300) & CARRY, 0);
    assert_int_equal(pc->cmos[5] << 16 | pc->cmos[3] << 8 | pc->cmos[1], 0x010203);
    assert_int_equal(pc_int(pc, 0x1a, 0x0600, 0, 0x0102, 0x0300) & CARRY, CARRY);
    pc->cmos[0x0c] = 0xa0;
    assert_int_equal(pc_int(pc, 0x70, 0, 0, 0, 0) & CARRY, CARRY);
    pc_int(pc, 0x1a, 0x0700, 0, 0, 0);
    assert_int_equal(pc_int(pc, 0x70, 0, 0, 0, 0) & CARRY, 0);
    assert_int_equal(pc_int(pc, 0x1a, 0xb101, 0, 0, 0) & CARRY, CARRY);
    pc->cmos[0x0d] = 0;
    assert_int_equal(pc_int(pc, 0x1a, 0x0200, 0, 0, 0) & CARRY, CARRY);
}

/* From where the guest comes back after having waited. */
static void again(struct pc *pc, uint32_t n) {
    uint32_t at = (uint32_t)pc->cpu->rip;
    pc->cpu->rip += at >= 0xd000 ? 6 : 5;
    pc->cpu->exit_info = n;
    assert_int_equal(pc->ops->interrupt(pc->bios, pc->cpu), BLINK_ABI_CONTINUE);
}

static void test_wait(void **state) {
    struct pc *pc = *state;
    pc_int(pc, 0x15, 0x8600, 0, 1, 0x86a0); /* 100 ms */
    assert_int_equal(pc->cpu->rip, 0xc800 + 0x15 * 8);
    fakehost_advance(pc->fh, 55000000);
    again(pc, 0x15);
    assert_int_equal(pc->cpu->rip, 0xd000 + 0x15 * 8);
    fakehost_advance(pc->fh, 40000000);
    again(pc, 0x15);
    assert_int_equal(pc->cpu->rip, 0xd000 + 0x15 * 8);
    fakehost_advance(pc->fh, 6000000);
    uint64_t rip = pc->cpu->rip;
    again(pc, 0x15);
    assert_int_equal(pc->cpu->rip, rip + 6);
    assert_int_equal(AX(pc) >> 8, 0);
    /* The next one begins anew. */
    pc_int(pc, 0x15, 0x8600, 0, 0, 1000);
    assert_int_equal(pc->cpu->rip, 0xd000 + 0x15 * 8);
    fakehost_advance(pc->fh, 2000000);
    again(pc, 0x15);
    /* A flag that a time sets. */
    pc_segment(pc, BLINK_SEG_ES, 0x2000);
    assert_int_equal(pc_int(pc, 0x15, 0x8300, 0x10, 0, 1000) & CARRY, 0);
    assert_int_equal(pc_int(pc, 0x15, 0x8300, 0x10, 0, 1000) & CARRY, CARRY);
    assert_int_equal(pc_peek(pc, 0x20010, 1), 0);
    fakehost_advance(pc->fh, 2000000);
    assert_int_equal(pc_peek(pc, 0x20010, 1), 0x80);
    pc_int(pc, 0x15, 0x8300, 0x11, 0, 1000);
    pc_int(pc, 0x15, 0x8301, 0, 0, 0);
    fakehost_advance(pc->fh, 2000000);
    assert_int_equal(pc_peek(pc, 0x20011, 1), 0);
}

/* ---- memory ---- */

static void test_memory_map(void **state) {
    struct pc *pc = *state;
    static const uint32_t starts[] = {0, 0xf0000, 0x100000};
    static const uint32_t types[] = {1, 2, 1};
    pc_segment(pc, BLINK_SEG_ES, 0x2000);
    pc->cpu->gpr[BLINK_RDI] = 0;
    uint32_t next = 0;
    for (int k = 0; k < 3; k++) {
        assert_int_equal(pc_int(pc, 0x15, 0xe820, next, 20, 0x534d4150) & CARRY, 0);
        assert_int_equal(pc->cpu->gpr[BLINK_RAX], 0x534d4150);
        assert_int_equal(pc->cpu->gpr[BLINK_RCX], 20);
        assert_int_equal(pc_peek(pc, 0x20000, 4), starts[k]);
        assert_int_equal(pc_peek(pc, 0x20010, 4), types[k]);
        next = (uint32_t)pc->cpu->gpr[BLINK_RBX];
    }
    assert_int_equal(next, 0);
    assert_int_equal(pc_int(pc, 0x15, 0xe820, 3, 20, 0x534d4150) & CARRY, CARRY);
    assert_int_equal(pc_int(pc, 0x15, 0xe820, 0, 19, 0x534d4150) & CARRY, CARRY);
    assert_int_equal(pc_int(pc, 0x15, 0xe820, 0, 20, 0) & CARRY, CARRY);
    assert_int_equal(pc_int(pc, 0x15, 0xe801, 0, 0, 0) & CARRY, 0);
    assert_int_equal(AX(pc), 15 * 1024);
    assert_int_equal(pc_int(pc, 0x15, 0x8800, 0, 0, 0) & CARRY, 0);
    assert_int_equal(AX(pc), 0xfc00);
    assert_int_equal(pc_int(pc, 0x15, 0xe8ff, 0, 0, 0) & CARRY, CARRY);
    assert_int_equal(pc_int(pc, 0x15, 0x4200, 0, 0, 0) & CARRY, CARRY);
    assert_int_equal(AX(pc) >> 8, 0x86);
}

static void test_block_move(void **state) {
    struct pc *pc = *state;
    pc_segment(pc, BLINK_SEG_ES, 0x2000);
    pc->cpu->gpr[BLINK_RSI] = 0x100;
    pc_poke(pc, 0x20110, 0xffff, 2);
    pc_poke(pc, 0x20112, 0x93030000, 4); /* from 0x30000 */
    pc_poke(pc, 0x20118, 0xffff, 2);
    pc_poke(pc, 0x2011a, 0x93123400, 4); /* to 0x123400 */
    for (uint32_t k = 0; k < 5000; k++)
        pc_poke(pc, 0x30000 + k, k * 3 & 0xff, 1);
    pc->cpu->a20_mask = ~(UINT32_C(1) << 20); /* the gate does not matter */
    assert_int_equal(pc_int(pc, 0x15, 0x8700, 0, 2500, 0) & CARRY, 0);
    assert_int_equal(pc->cpu->a20_mask, ~(UINT32_C(1) << 20));
    assert_int_equal(pc_flags(pc) & ZERO, ZERO);
    for (uint32_t k = 0; k < 5000; k += 99)
        assert_int_equal(pc_peek(pc, 0x123400 + k, 1), k * 3 & 0xff);
    assert_int_equal(pc_peek(pc, 0x123400 + 5000, 1), 0);
    assert_int_equal(pc_int(pc, 0x15, 0x8700, 0, 0x8001, 0) & CARRY, CARRY);
}

static void test_a20_and_power(void **state) {
    struct pc *pc = *state;
    pc->port[0x92] = 0x00;
    assert_int_equal(pc_int(pc, 0x15, 0x2401, 0, 0, 0) & CARRY, 0);
    assert_int_equal(pc->port[0x92], 2);
    pc_int(pc, 0x15, 0x2402, 0, 0, 0);
    assert_int_equal(AX(pc), 1);
    pc_int(pc, 0x15, 0x2400, 0, 0, 0);
    assert_int_equal(pc->port[0x92], 0);
    pc_int(pc, 0x15, 0x2403, 0, 0, 0);
    assert_int_equal(BX(pc), 2);
    assert_int_equal(pc_int(pc, 0x15, 0x2409, 0, 0, 0) & CARRY, CARRY);
    assert_int_equal(pc_int(pc, 0x15, 0x5300, 0, 0, 0) & CARRY, 0);
    assert_int_equal(BX(pc), 0x504d);
    assert_false(fakehost_exec(pc->fh)->exited);
    pc_int(pc, 0x15, 0x5307, 1, 3, 0);
    assert_true(fakehost_exec(pc->fh)->exited);
    assert_int_equal(fakehost_exec(pc->fh)->exit_status, 0);
    assert_int_equal(pc_int(pc, 0x15, 0xc000, 0, 0, 0) & CARRY, 0);
    assert_int_equal(pc_peek(pc, pc->cpu->seg[BLINK_SEG_ES].base + BX(pc) + 2, 1), 0xfc);
    assert_int_equal(pc_int(pc, 0x15, 0x4f1e, 0, 0, 0) & CARRY, CARRY); /* the key passes */
}

/* ---- serial ---- */

static void test_serial(void **state) {
    struct pc *pc = *state;
    pc->port[0x3fd] = 0x60;
    pc_int(pc, 0x14, 0x00e3, 0, 0, 0);
    assert_int_equal(pc->port[0x3fb], 0x03);
    assert_int_equal(AX(pc) >> 8, 0x60);
    pc_int(pc, 0x14, 0x0141, 0, 0, 0);
    assert_int_equal(pc->port[0x3f8], 0x41);
    assert_int_equal(AX(pc) & 0x8000, 0);
    pc->port[0x3fd] = 0x00;
    pc_int(pc, 0x14, 0x0141, 0, 0, 0);
    assert_int_equal(AX(pc) & 0x8000, 0x8000);
    pc_int(pc, 0x14, 0x0200, 0, 0, 0);
    assert_int_equal(AX(pc) & 0x8000, 0x8000);
    pc->port[0x3fd] = 0x61;
    pc->port[0x3f8] = 0x5a;
    pc_int(pc, 0x14, 0x0200, 0, 0, 0);
    assert_int_equal(AX(pc), 0x005a);
    pc_int(pc, 0x14, 0x0300, 0, 0, 9); /* no such port */
    assert_int_equal(AX(pc) & 0x8000, 0x8000);
    pc_int(pc, 0x17, 0x0200, 0, 0, 0);
    assert_int_equal(AX(pc) >> 8, 0x01);
}

/* ---- refusals ---- */

static void test_refusals(void **state) {
    struct pc *pc = *state;
    struct blink_plugin *other;
    static const char *const needed[] = {BLINK_IFACE_BUS, BLINK_IFACE_MEM, BLINK_IFACE_DISK,
                                         BLINK_IFACE_EXEC};
    const struct blink_host *host = fakehost_host(pc->fh);
    assert_int_equal(pc->ops->plugin.create(host, "x", &other), -EINVAL);
    assert_string_equal(fakehost_log(pc->fh), "abi bios takes no arguments, not \"x\"\n");
    for (size_t k = 0; k < sizeof needed / sizeof needed[0]; k++) {
        const void *iface = host->get_iface(host->machine, needed[k]);
        fakehost_set_iface(pc->fh, needed[k], NULL);
        assert_int_equal(pc->ops->plugin.create(host, "", &other), -ENOTSUP);
        fakehost_set_iface(pc->fh, needed[k], iface);
    }
}

#define BIOS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* Strings in each of the four forms: with attributes in them or not, the cursor moved or not. */
static void test_strings(void **state) {
    struct pc *pc = *state;
    static const char plain[] = "hi", coloured[] = "h\x1ei\x2f";
    for (uint32_t form = 0; form < 4; form++) {
        const char *text = form & 2 ? coloured : plain;
        for (uint32_t k = 0; text[k]; k++)
            pc_poke(pc, 0x21000 + k, (uint8_t)text[k], 1);
        pc_int(pc, 0x10, 0x0200, 0, 0, 0x0505);
        pc_segment(pc, BLINK_SEG_ES, 0x2100);
        pc->cpu->gpr[BLINK_RBP] = 0;
        pc_int(pc, 0x10, 0x1300 | form, 0x0007, 2, form << 8 | 10);
        uint64_t at = 0xb8000 + form * 160 + 20;
        assert_int_equal(pc_peek(pc, at, 2), form & 2 ? 0x1e68 : 0x0768);
        assert_int_equal(pc_peek(pc, at + 2, 2), form & 2 ? 0x2f69 : 0x0769);
        pc_int(pc, 0x10, 0x0300, 0, 0, 0);
        assert_int_equal(DX(pc), form & 1 ? form << 8 | 12 : 0x0505);
    }
}

static void test_small_services(void **state) {
    struct pc *pc = *state;
    static const uint16_t connected[] = {0x5301, 0x5304, 0x5305, 0x5306, 0x5308, 0x530d, 0x530f};
    for (size_t k = 0; k < sizeof connected / sizeof connected[0]; k++)
        assert_int_equal(pc_int(pc, 0x15, connected[k], 0, 0, 0) & CARRY, 0);
    assert_int_equal(pc_int(pc, 0x15, 0x530b, 0, 0, 0) & CARRY, CARRY);
    assert_int_equal(AX(pc) >> 8, 0x80);
    assert_int_equal(pc_int(pc, 0x15, 0x530e, 0, 0x0102, 0) & CARRY, 0);
    assert_int_equal(AX(pc), 0x0102);
    static const uint16_t nothing[] = {0x8500, 0x9000, 0x9100};
    for (size_t k = 0; k < sizeof nothing / sizeof nothing[0]; k++)
        assert_int_equal(pc_int(pc, 0x15, nothing[k], 0, 0, 0) & CARRY, 0);
    /* The same memory by three functions. */
    assert_int_equal(pc_int(pc, 0x15, 0xe801, 0, 0, 0) & CARRY, 0);
    uint32_t below = AX(pc), above = BX(pc);
    assert_int_equal(pc_int(pc, 0x15, 0xe881, 0, 0, 0) & CARRY, 0);
    uint64_t units = pc->cpu->gpr[BLINK_RBX]; /* of 64 KiB */
    assert_int_equal(pc->cpu->gpr[BLINK_RAX], below);
    assert_int_equal(pc->cpu->gpr[BLINK_RCX], below);
    assert_int_equal(pc->cpu->gpr[BLINK_RDX], units);
    assert_int_equal(units & 0xffff, above);
    assert_int_equal(pc_int(pc, 0x15, 0x8a00, 0, 0, 0) & CARRY, 0);
    assert_int_equal(((DX(pc) << 16 | AX(pc)) - below) / 64, units & 0x3ffffff);
    pc_int(pc, 0x16, 0x0305, 0x0105, 0, 0);
    pc_int(pc, 0x16, 0x0900, 0, 0, 0);
    assert_int_equal(AX(pc) & 0xff, 0x20);
    pc_int(pc, 0x16, 0x0a00, 0, 0, 0);
    assert_int_equal(BX(pc), 0x41ab);
    /* F11 is a key of the enhanced functions alone: the old one drops it. */
    assert_int_equal(pc_int(pc, 0x16, 0x1100, 0, 0, 0) & ZERO, ZERO);
    pc_int(pc, 0x16, 0x0500, 0, 0x8500, 0);
    assert_int_equal(pc_int(pc, 0x16, 0x1100, 0, 0, 0) & ZERO, 0);
    assert_int_equal(AX(pc), 0x8500);
    assert_int_equal(pc_int(pc, 0x16, 0x0100, 0, 0, 0) & ZERO, ZERO);
    assert_int_equal(pc_int(pc, 0x16, 0x1100, 0, 0, 0) & ZERO, ZERO);
    /* There is no printer: time-out. */
    for (uint32_t ah = 0; ah < 3; ah++) {
        pc_int(pc, 0x17, ah << 8 | 'x', 0, 0, 0);
        assert_int_equal(AX(pc) >> 8, 0x01);
    }
}

/* What a BIOS has that is tested here; of its video services test_video.c has the rest. */
static const struct pc_function functions[] = {
    {0x10, 0x0000, 0xff00, 0x00, 0x00, "set the mode"},
    {0x10, 0x0100, 0xff00, 0x00, 0x00, "shape of the cursor"},
    {0x10, 0x0200, 0xff00, 0x00, 0x00, "place of the cursor"},
    {0x10, 0x0300, 0xff00, 0x00, 0x00, "where the cursor is"},
    {0x10, 0x0500, 0xff00, 0x00, 0x00, "choose a page"},
    {0x10, 0x0600, 0xff00, 0x00, 0x00, "scroll up"},
    {0x10, 0x0700, 0xff00, 0x00, 0x00, "scroll down"},
    {0x10, 0x0800, 0xff00, 0x00, 0x00, "read a character"},
    {0x10, 0x0900, 0xff00, 0x00, 0x00, "write characters and attributes"},
    {0x10, 0x0a00, 0xff00, 0x00, 0x00, "write characters"},
    {0x10, 0x0c00, 0xff00, 0x00, 0x00, "write a point"},
    {0x10, 0x0d00, 0xff00, 0x00, 0x00, "read a point"},
    {0x10, 0x0e00, 0xff00, 0x00, 0x00, "teletype"},
    {0x10, 0x0f00, 0xff00, 0x00, 0x00, "which mode"},
    {0x10, 0x1300, 0xffff, 0x00, 0x00, "write a string, 0"},
    {0x10, 0x1301, 0xffff, 0x00, 0x00, "write a string, 1"},
    {0x10, 0x1302, 0xffff, 0x00, 0x00, "write a string, 2"},
    {0x10, 0x1303, 0xffff, 0x00, 0x00, "write a string, 3"},
    {0x11, 0x0000, 0x0000, 0x00, 0x00, "equipment"},
    {0x12, 0x0000, 0x0000, 0x00, 0x00, "memory"},
    {0x14, 0x0000, 0xff00, 0x00, 0x00, "serial: initialise"},
    {0x14, 0x0100, 0xff00, 0x00, 0x00, "serial: send"},
    {0x14, 0x0200, 0xff00, 0x00, 0x00, "serial: receive"},
    {0x14, 0x0300, 0xff00, 0x00, 0x00, "serial: status"},
    {0x15, 0x2400, 0xffff, 0x00, 0x00, "A20 off"},
    {0x15, 0x2401, 0xffff, 0x00, 0x00, "A20 on"},
    {0x15, 0x2402, 0xffff, 0x00, 0x00, "A20: how it is"},
    {0x15, 0x2403, 0xffff, 0x00, 0x00, "A20: what does it"},
    {0x15, 0x4f00, 0xff00, 0x00, 0x00, "intercept a key"},
    {0x15, 0x5300, 0xffff, 0x00, 0x00, "power: there"},
    {0x15, 0x5301, 0xffff, 0x00, 0x00, "power: connect"},
    {0x15, 0x5307, 0xffff, 0x00, 0x00, "power: off"},
    {0x15, 0x530b, 0xffff, 0x00, 0x00, "power: event"},
    {0x15, 0x530e, 0xffff, 0x00, 0x00, "power: version"},
    {0x15, 0x8300, 0xffff, 0x00, 0x00, "wait for an event"},
    {0x15, 0x8301, 0xffff, 0x00, 0x00, "cancel the wait"},
    {0x15, 0x8600, 0xff00, 0x00, 0x00, "wait"},
    {0x15, 0x8700, 0xff00, 0x00, 0x00, "move a block"},
    {0x15, 0x8800, 0xff00, 0x00, 0x00, "memory above 1 MiB"},
    {0x15, 0x8a00, 0xff00, 0x00, 0x00, "memory above 1 MiB, 32 bits"},
    {0x15, 0x9000, 0xff00, 0x00, 0x00, "device busy"},
    {0x15, 0x9100, 0xff00, 0x00, 0x00, "interrupt done"},
    {0x15, 0x8500, 0xff00, 0x00, 0x00, "SysRq"},
    {0x15, 0xc000, 0xff00, 0x00, 0x00, "configuration"},
    {0x15, 0xe801, 0xffff, 0x00, 0x00, "memory in two parts"},
    {0x15, 0xe820, 0xffff, 0x00, 0x00, "memory map"},
    {0x15, 0xe881, 0xffff, 0x00, 0x00, "memory in two parts, 32 bits"},
    {0x16, 0x0000, 0xff00, 0x00, 0x00, "keyboard: read"},
    {0x16, 0x0100, 0xff00, 0x00, 0x00, "keyboard: look"},
    {0x16, 0x0200, 0xff00, 0x00, 0x00, "keyboard: shifts"},
    {0x16, 0x0300, 0xff00, 0x00, 0x00, "keyboard: rate"},
    {0x16, 0x0500, 0xff00, 0x00, 0x00, "keyboard: put a key"},
    {0x16, 0x0900, 0xff00, 0x00, 0x00, "keyboard: abilities"},
    {0x16, 0x0a00, 0xff00, 0x00, 0x00, "keyboard: number of the keyboard"},
    {0x16, 0x1000, 0xff00, 0x00, 0x00, "keyboard: read, enhanced"},
    {0x16, 0x1100, 0xff00, 0x00, 0x00, "keyboard: look, enhanced"},
    {0x16, 0x1200, 0xff00, 0x00, 0x00, "keyboard: shifts, enhanced"},
    {0x17, 0x0000, 0xff00, 0x00, 0x00, "printer: print"},
    {0x17, 0x0100, 0xff00, 0x00, 0x00, "printer: initialise"},
    {0x17, 0x0200, 0xff00, 0x00, 0x00, "printer: status"},
    {0x1a, 0x0000, 0xff00, 0x00, 0x00, "read ticks"},
    {0x1a, 0x0100, 0xff00, 0x00, 0x00, "set ticks"},
    {0x1a, 0x0200, 0xff00, 0x00, 0x00, "read the time"},
    {0x1a, 0x0300, 0xff00, 0x00, 0x00, "set the time"},
    {0x1a, 0x0400, 0xff00, 0x00, 0x00, "read the date"},
    {0x1a, 0x0500, 0xff00, 0x00, 0x00, "set the date"},
    {0x1a, 0x0600, 0xff00, 0x00, 0x00, "set the alarm"},
    {0x1a, 0x0700, 0xff00, 0x00, 0x00, "alarm off"},
    {0x08, 0x0000, 0x0000, 0x00, 0x00, "the timer"},
    {0x09, 0x0000, 0x0000, 0x00, 0x00, "the keyboard"},
    {0x70, 0x0000, 0x0000, 0x00, 0x00, "the clock"},
};

static int all_called(void **state) {
    (void)state;
    return pc_check_called(functions, sizeof functions / sizeof functions[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BIOS_TEST(test_vectors),
        BIOS_TEST(test_what_is_a_trap),
        BIOS_TEST(test_unexpected_exception),
        BIOS_TEST(test_signals),
        BIOS_TEST(test_start_again),
        BIOS_TEST(test_data_area),
        BIOS_TEST(test_text_mode),
        BIOS_TEST(test_cursor),
        BIOS_TEST(test_characters),
        BIOS_TEST(test_teletype),
        BIOS_TEST(test_scroll),
        BIOS_TEST(test_string),
        BIOS_TEST(test_graphics),
        BIOS_TEST(test_video_tables),
        BIOS_TEST(test_keys),
        BIOS_TEST(test_waiting_for_a_key),
        BIOS_TEST(test_shift_states),
        BIOS_TEST(test_type_ahead),
        BIOS_TEST(test_break_and_reset),
        BIOS_TEST(test_ticks),
        BIOS_TEST(test_clock),
        BIOS_TEST(test_wait),
        BIOS_TEST(test_memory_map),
        BIOS_TEST(test_block_move),
        BIOS_TEST(test_a20_and_power),
        BIOS_TEST(test_serial),
        BIOS_TEST(test_refusals),
        BIOS_TEST(test_strings),
        BIOS_TEST(test_small_services),
    };
    return cmocka_run_group_tests_name("services", tests, NULL, all_called);
}
