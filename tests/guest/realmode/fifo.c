/*
 * A device that was made outside of the tree (docs/examples/fifo): its bytes, and its interrupt.
 */
#include "bios.h"

static volatile uint32_t interrupts;

void on_interrupt_0(void) {
    interrupts++;
    out8(0x521, 0); /* the line goes down */
    out8(0x20, 0x20);
}

void main(void) {
    set_vector(0x0d, interrupt_0);
    out8(0x21, (uint8_t)(in8(0x21) & ~0x20));
    check("empty", in8(0x521), 0);
    for (uint32_t k = 0; k < 20; k++)
        out8(0x520, (uint8_t)(k * 3));
    check("full", in8(0x521), 16);
    for (uint32_t k = 0; k < 16; k++)
        check("byte", in8(0x520), k * 3);
    check("no interrupt", interrupts, 0);
    out8(0x521, 3);
    for (uint32_t k = 0; k < 2; k++)
        out8(0x520, 7);
    check("not yet", interrupts, 0);
    out8(0x520, 9);
    while (!interrupts)
        wait_for_interrupt();
    check("once", interrupts, 1);
    check("first", in8(0x520), 7);
    finish("fifo");
}
