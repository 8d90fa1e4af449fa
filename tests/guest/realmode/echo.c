/*
 * A serial port by interrupts alone: what comes in goes out in capital letters, until a full stop.
 */
#include "bios.h"

#define PORT 0x3f8

enum { DATA, IER, IIR, LCR, MCR, LSR };

static uint8_t queue[256];
static volatile uint8_t head, tail, sending, ended;

static void send_next(void) {
    sending = head != tail;
    if (sending)
        out8(PORT + DATA, queue[tail++]);
}

static void received(uint8_t c) {
    ended |= c == '.';
    if (c >= 'a' && c <= 'z')
        c = (uint8_t)(c - 32);
    queue[head++] = c;
    if (!sending)
        send_next();
}

void on_interrupt_0(void) {
    uint8_t why;
    while (!((why = in8(PORT + IIR)) & 1)) {
        if ((why & 14) == 2)
            send_next();
        else
            received(in8(PORT + DATA));
    }
    out8(0x20, 0x20);
}

void main(void) {
    set_vector(0x0c, interrupt_0);
    out8(PORT + LCR, 0x80);
    out8(PORT + DATA, 1);
    out8(PORT + IER, 0);
    out8(PORT + LCR, 0x03);
    out8(PORT + MCR, 0x0b);
    out8(PORT + IER, 0x03);
    out8(0x21, (uint8_t)(in8(0x21) & ~0x10));
    while (!ended || sending)
        wait_for_interrupt();
    out8(PORT + IER, 0);
    out8(PORT + DATA, '\n');
    finish("echo");
}
