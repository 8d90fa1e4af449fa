/*
 * Disks: a floppy, from which this was loaded, and a hard disk of 20160 sectors that begin with
 * their numbers. By cylinder, head and sector, by number, and by the ports of the ATA drive, each
 * reading what another wrote.
 */
#include "bios.h"

#define DATA    0x1f0
#define STATUS  0x1f7
#define CONTROL 0x3f6

#define SECTORS 20160u

static uint8_t buffer[1024];

static uint32_t number(void) {
    return buffer[0] | (uint32_t)buffer[1] << 8;
}

static void fill(uint8_t v) {
    for (uint32_t k = 0; k < sizeof buffer; k++)
        buffer[k] = v;
}

static uint32_t chs(uint32_t function, uint32_t count, uint32_t c, uint32_t h, uint32_t s,
                    uint32_t drive) {
    r.es = 0;
    return call(0x13, function << 8 | count, (uint32_t)buffer,
                (c & 0xff) << 8 | (c >> 2 & 0xc0) | s, h << 8 | drive) &
           CARRY;
}

static struct {
    uint16_t size, count;
    uint32_t buffer;
    uint64_t sector;
} packet;

static uint32_t lba(uint32_t function, uint32_t count, uint64_t sector) {
    packet.size = 16;
    packet.count = (uint16_t)count;
    packet.buffer = (uint32_t)buffer;
    packet.sector = sector;
    r.ds = 0;
    r.esi = (uint32_t)&packet;
    return call(0x13, function << 8, 0, 0, 0x80) & CARRY;
}

/* ---- the drive's own registers, with its interrupt ---- */

static volatile uint32_t interrupts;

void on_interrupt_0(void) {
    interrupts++;
    in8(STATUS);
    out8(0xa0, 0x20);
    out8(0x20, 0x20);
}

static void ata(uint8_t command, uint32_t sector, uint8_t count) {
    out8(DATA + 2, count);
    out8(DATA + 3, (uint8_t)sector);
    out8(DATA + 4, (uint8_t)(sector >> 8));
    out8(DATA + 5, (uint8_t)(sector >> 16));
    out8(DATA + 6, 0xe0);
    out8(STATUS, command);
}

static void ata_wait(void) {
    uint8_t status;
    do
        status = in8(CONTROL);
    while ((status & 0x88) != 0x08 && !(status & 0x01));
}

static void ata_in(void) {
    ata_wait();
    for (uint32_t k = 0; k < 512; k += 2) {
        uint16_t v = in16(DATA);
        buffer[k] = (uint8_t)v;
        buffer[k + 1] = (uint8_t)(v >> 8);
    }
}

static void ata_out(void) {
    ata_wait();
    for (uint32_t k = 0; k < 512; k += 2)
        out16(DATA, (uint16_t)(buffer[k] | buffer[k + 1] << 8));
}

static void floppy(void) {
    check("shape", call(0x13, 0x0800, 0, 0, 0) & CARRY, 0);
    check("cylinders", CX, 0x4f12);
    check("heads", DX, 0x0101);
    r.es = 0;
    check("read", chs(2, 1, 0, 0, 1, 0), 0);
    check("boot sector", buffer[510] | (uint32_t)buffer[511] << 8, 0xaa55);
    fill(0x5a);
    check("write", chs(3, 2, 79, 1, 17, 0), 0);
    fill(0);
    check("read back", chs(2, 2, 79, 1, 17, 0), 0);
    check("contents", buffer[0] | (uint32_t)buffer[1023] << 8, 0x5a5a);
    check("too far", chs(2, 1, 80, 0, 1, 0), CARRY);
    check("not found", AH, 4);
    check("status", (call(0x13, 0x0100, 0, 0, 0), AH), 4);
    check("reset", call(0x13, 0, 0, 0, 0) & CARRY, 0);
    check("no second one", chs(2, 1, 0, 0, 1, 1), CARRY);
    check("no extensions", call(0x13, 0x4100, 0x55aa, 0, 0) & CARRY, CARRY);
    check("type", (call(0x13, 0x1500, 0, 0, 0), AH), 1);
}

static void hard(void) {
    check("shape", call(0x13, 0x0800, 0, 0, 0x80) & CARRY, 0);
    check("cylinders", CX, 0x133f);
    check("heads", DX, 0x0f01);
    check("size", (call(0x13, 0x1500, 0, 0, 0x80), (uint32_t)CX << 16 | DX), SECTORS);
    check("read", chs(2, 2, 1, 2, 3, 0x80), 0);
    check("number", number(), (16 + 2) * 63 + 2);
    check("verify", chs(4, 2, 1, 2, 3, 0x80), 0);
    check("extensions", call(0x13, 0x4100, 0x55aa, 0, 0x80) & CARRY, 0);
    check("signature", BX, 0xaa55);
    check("by number", lba(0x42, 2, 12345), 0);
    check("number", number(), 12345);
    check("the last", lba(0x42, 1, SECTORS - 1), 0);
    check("past it", lba(0x42, 1, SECTORS), CARRY);
    check("far past it", lba(0x42, 1, 1ull << 40), CARRY);
    static uint8_t parameters[30] = {30};
    r.esi = (uint32_t)parameters;
    check("parameters", call(0x13, 0x4800, 0, 0, 0x80) & CARRY, 0);
    check("sectors", *(uint32_t *)(parameters + 16), SECTORS);
}

/* Written one way, read another. */
static void ways(void) {
    fill(0xa1);
    check("written by cylinder", chs(3, 1, 0, 1, 1, 0x80), 0); /* sector 63 */
    fill(0xa2);
    check("written by number", lba(0x43, 1, 64), 0);
    fill(0xa3);
    ata(0x30, 65, 2);
    ata_out();
    ata_out();
    ata(0xe7, 0, 0);
    static const uint8_t want[] = {0xa1, 0xa2, 0xa3, 0xa3};
    for (uint32_t k = 0; k < sizeof want; k++) {
        ata(0x20, 63 + k, 1);
        ata_in();
        check("read by ports", number(), want[k] * 0x101u);
        lba(0x42, 1, 63 + k);
        check("read by number", number(), want[k] * 0x101u);
        chs(2, 1, 0, 1, 1 + k, 0x80);
        check("read by cylinder", number(), want[k] * 0x101u);
    }
}

static void interrupt(void) {
    set_vector(0x76, interrupt_0);
    out8(0xa1, (uint8_t)(in8(0xa1) & ~0x40));
    out8(0x21, (uint8_t)(in8(0x21) & ~0x04));
    in8(STATUS);
    interrupts = 0;
    ata(0x20, 700, 3);
    for (uint32_t k = 0; k < 3; k++) {
        while (interrupts <= k)
            wait_for_interrupt();
        ata_in();
        check("by interrupt", number(), 700 + k);
    }
    ata(0xec, 0, 0);
    ata_in();
    check("identified", buffer[120] | (uint32_t)buffer[121] << 8, SECTORS);
}

void main(void) {
    check("booted from", boot_drive, 0);
    floppy();
    hard();
    ways();
    interrupt();
    finish("disk");
}
