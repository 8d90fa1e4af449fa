/*
 * INT 14h, serial ports, and INT 17h, printers, of which there are none. By the first vCPU's
 * thread.
 */
#include "bios.h"

#define PORTS     4u
#define TIMED_OUT 0x80u
#define LSR_DATA  0x01u
#define LSR_EMPTY 0x20u
#define TRIES     3000u

enum { DATA, IER, LCR = 3, MCR, LSR, MSR };

static void initialise(struct blink_plugin *b, uint16_t port) {
    static const uint16_t divisors[8] = {1047, 768, 384, 192, 96, 48, 24, 12};
    uint32_t divisor = divisors[AL(b) >> 5];
    bios_out(b, (uint16_t)(port + LCR), 0x80);
    bios_out(b, port, divisor);
    bios_out(b, (uint16_t)(port + IER), divisor >> 8);
    bios_out(b, (uint16_t)(port + LCR), AL(b) & 0x1f);
    bios_out(b, (uint16_t)(port + IER), 0);
}

/* As PS/2: BH parity, BL stop bits, CH word length, CL speed. */
static void initialise_extended(struct blink_plugin *b, uint16_t port) {
    static const uint16_t divisors[] = {1047, 768, 384, 192, 96, 48, 24, 12, 6};
    static const uint8_t parities[] = {0x00, 0x08, 0x18, 0x28, 0x38};
    uint32_t speed = CL(b) < 9 ? CL(b) : 7, parity = BH(b) < 5 ? BH(b) : 0;
    bios_out(b, (uint16_t)(port + LCR), 0x80);
    bios_out(b, port, divisors[speed]);
    bios_out(b, (uint16_t)(port + IER), divisors[speed] >> 8u);
    bios_out(b, (uint16_t)(port + LCR), parities[parity] | (BL(b) ? 4u : 0) | (CH(b) & 3u));
}

static void status(struct blink_plugin *b, uint16_t port) {
    set_high(b, BLINK_RAX, bios_in(b, (uint16_t)(port + LSR)));
    set_low(b, BLINK_RAX, bios_in(b, (uint16_t)(port + MSR)));
}

static void send(struct blink_plugin *b, uint16_t port) {
    uint8_t lsr = 0;
    bios_out(b, (uint16_t)(port + MCR), bios_in(b, (uint16_t)(port + MCR)) | 3u);
    for (uint32_t k = 0; k < TRIES && !(lsr & LSR_EMPTY); k++)
        lsr = bios_in(b, (uint16_t)(port + LSR));
    if (!(lsr & LSR_EMPTY)) {
        set_high(b, BLINK_RAX, lsr | TIMED_OUT);
        return;
    }
    bios_out(b, port, AL(b));
    set_high(b, BLINK_RAX, lsr);
}

/* Nothing within the time that the data area tells of is an error. */
static void receive(struct blink_plugin *b, uint16_t port) {
    uint8_t lsr = bios_in(b, (uint16_t)(port + LSR));
    if (lsr & LSR_DATA) {
        set_low(b, BLINK_RAX, bios_in(b, port));
        set_high(b, BLINK_RAX, lsr & 0x1e);
    } else {
        set_high(b, BLINK_RAX, (lsr & 0x7fu) | TIMED_OUT);
    }
}

static void modem(struct blink_plugin *b, uint16_t port) {
    if (AL(b) == 1)
        bios_out(b, (uint16_t)(port + MCR), BL(b));
    else
        set_low(b, BLINK_RBX, bios_in(b, (uint16_t)(port + MCR)));
    status(b, port);
}

void serial_14(struct blink_plugin *b) {
    uint16_t port = DX(b) < PORTS ? peek16(b, BDA_COM + 2u * DX(b)) : 0;
    if (!port) {
        set_high(b, BLINK_RAX, TIMED_OUT);
        return;
    }
    switch (AH(b)) {
    case 0:
        initialise(b, port);
        status(b, port);
        break;
    case 1: send(b, port); break;
    case 2: receive(b, port); break;
    case 3: status(b, port); break;
    case 4:
        initialise_extended(b, port);
        status(b, port);
        break;
    case 5: modem(b, port); break;
    default: break;
    }
}

/* No printer is selected, and none answers. */
void printer_17(struct blink_plugin *b) {
    if (AH(b) <= 2)
        set_high(b, BLINK_RAX, 0x01);
}
