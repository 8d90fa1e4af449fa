/*
 * The tables by which systems find the APICs, the power management and what interrupts by which
 * input: ACPI's (version 6.4, chapter 5), and Intel's of the MultiProcessor Specification 1.4 for
 * those who know no ACPI. They are in the ROM, of fixed size and place. Main thread.
 */
#include <string.h>

#include "bios.h"

/* Places in the ROM: of 16 bytes' alignment, that of the FACS 64. */
#define AT_RSDP 0x0000u
#define AT_RSDT 0x0020u
#define AT_FADT 0x0060u
#define AT_FACS 0x0180u
#define AT_DSDT 0x01c0u
#define AT_MADT 0x0200u
#define AT_MP   0x0280u
#define AT_PCMP 0x0290u
#define AT_END  0x0400u

#define LAPIC         0xfee00000u
#define LAPIC_VERSION 0x30u
#define IOAPIC        0xfec00000u
#define IOAPIC_DATA   0x10u
#define IOAPIC_ID     1u /* apart from that of the processor */
#define TIMER_INPUT   2u /* where line 0 is */

/* Ports of power management and reset. */
#define PM_EVENT   0x600u
#define PM_CONTROL 0x604u
#define PM_TIMER   0x608u
#define PM_ACPI    0x0001u
#define RESET_PORT 0xcf9u
#define RESET      0x06u
#define SCI        9u

/* Of the FADT: the old devices are there; WBINVD works, C1 is all there is, no buttons, no clock
 * that wakes, a timer of 32 bits, and a register that resets. */
#define BOOT_FLAGS 0x0003u
#define FADT_FLAGS 0x00000575u

struct table {
    uint8_t *rom;
    uint32_t start, at;
};

static void put(struct table *t, uint32_t bytes, uint64_t value) {
    for (uint32_t k = 0; k < bytes; k++)
        t->rom[t->at++] = (uint8_t)(value >> k * 8);
}
static void text(struct table *t, const char *s, size_t size) {
    memcpy(t->rom + t->at, s, size);
    t->at += (uint32_t)size;
}
static void zeros(struct table *t, uint32_t count) {
    memset(t->rom + t->at, 0, count);
    t->at += count;
}

/* The byte at `place` makes the sum of all of them 0. */
static void seal(uint8_t *bytes, uint32_t size, uint32_t place) {
    uint8_t sum = 0;
    bytes[place] = 0;
    for (uint32_t k = 0; k < size; k++)
        sum = (uint8_t)(sum + bytes[k]);
    bytes[place] = (uint8_t)-sum;
}

/* ---- ACPI ---- */

/* 5.2.6 */
static struct table begin(uint8_t *rom, uint32_t at, const char *signature, uint8_t revision) {
    struct table t = {rom, at, at};
    text(&t, signature, 4);
    zeros(&t, 4);
    put(&t, 1, revision);
    zeros(&t, 1);
    text(&t, "BLINK BLINKPC ", 14);
    put(&t, 4, 1);
    text(&t, "BLNK", 4);
    put(&t, 4, 1);
    return t;
}

static void end(struct table *t) {
    uint32_t size = t->at - t->start;
    t->at = t->start + 4;
    put(t, 4, size);
    seal(t->rom + t->start, size, 9);
}

static void put_roots(uint8_t *rom) {
    struct table t = {rom, AT_RSDP, AT_RSDP};
    text(&t, "RSD PTR ", 8);
    zeros(&t, 1);
    text(&t, "BLINK ", 6);
    put(&t, 1, 0); /* version 1: no XSDT */
    put(&t, 4, ROM_BASE + AT_RSDT);
    seal(rom + AT_RSDP, 20, 8);
    t = begin(rom, AT_RSDT, "RSDT", 1);
    put(&t, 4, ROM_BASE + AT_FADT);
    put(&t, 4, ROM_BASE + AT_MADT);
    end(&t);
}

/* 5.2.9: fields that are not named are 0, for "there is none". */
static void put_fadt(uint8_t *rom) {
    const struct {
        uint32_t at, bytes, value;
    } fields[] = {
        {36, 4, ROM_BASE + AT_FACS},
        {40, 4, ROM_BASE + AT_DSDT},
        {45, 1, 1}, /* a desktop */
        {46, 2, SCI},
        {56, 4, PM_EVENT},
        {64, 4, PM_CONTROL},
        {76, 4, PM_TIMER},
        {88, 1, 4},
        {89, 1, 2},
        {91, 1, 4},
        {96, 2, 0xfff}, /* C2 and C3 take too long */
        {98, 2, 0xfff},
        {108, 1, 0x32}, /* the century, in the clock's memory */
        {109, 2, BOOT_FLAGS},
        {112, 4, FADT_FLAGS},
        {116, 4, 0x01000801}, /* a port of 8 bits, in bytes */
        {120, 4, RESET_PORT},
        {128, 1, RESET},
    };
    struct table t = begin(rom, AT_FADT, "FACP", 3);
    zeros(&t, 244 - 36);
    for (size_t k = 0; k < sizeof fields / sizeof fields[0]; k++) {
        t.at = AT_FADT + fields[k].at;
        put(&t, fields[k].bytes, fields[k].value);
    }
    t.at = AT_FADT + 244;
    end(&t);
}

static void put_facs(uint8_t *rom) {
    struct table t = {rom, AT_FACS, AT_FACS};
    text(&t, "FACS", 4);
    put(&t, 4, 64);
    zeros(&t, 24);
    put(&t, 1, 1); /* version */
    zeros(&t, 31);
}

/* Name (\_S5, Package (4) {0, 0, 0, 0}): how the machine is switched off, and nothing else. */
static void put_dsdt(uint8_t *rom) {
    static const uint8_t s5[] = {0x08, '_', 'S', '5', '_', 0x12, 6, 4, 0, 0, 0, 0};
    struct table t = begin(rom, AT_DSDT, "DSDT", 1);
    text(&t, (const char *)s5, sizeof s5);
    end(&t);
}

/* 5.2.12 */
static void put_madt(uint8_t *rom) {
    struct table t = begin(rom, AT_MADT, "APIC", 1);
    put(&t, 4, LAPIC);
    put(&t, 4, 1);      /* there are two 8259As */
    put(&t, 4, 0x0800); /* processor 0, local APIC 0 */
    put(&t, 4, 1);
    put(&t, 4, 0x0c01 | IOAPIC_ID << 16);
    put(&t, 4, IOAPIC);
    put(&t, 4, 0);
    put(&t, 4, 0x0a02); /* ISA's line 0 is another input, SCI is a level */
    put(&t, 4, TIMER_INPUT);
    put(&t, 2, 0);
    put(&t, 4, 0x0a02 | SCI << 24);
    put(&t, 4, SCI);
    put(&t, 2, 0x000d);     /* active high */
    put(&t, 4, 0x00ff0604); /* LINT1 of all of them is NMI */
    put(&t, 2, 0x0100);
    end(&t);
}

/* ---- the MultiProcessor Specification ---- */

/* 4.3.4 and 4.3.5: like the bus has it; a type of 0 is an interrupt, 1 NMI, 3 of the 8259As. */
static void put_route(struct table *t, uint32_t entry, uint32_t type, uint32_t line, uint32_t apic,
                      uint32_t input) {
    put(t, 1, entry);
    put(t, 1, type);
    put(t, 2, 0);
    put(t, 1, 0);
    put(t, 1, line);
    put(t, 1, apic);
    put(t, 1, input);
}

static void put_pcmp(struct blink_plugin *b, uint8_t *rom) {
    uint32_t r[4] = {0};
    struct table t = {rom, AT_PCMP, AT_PCMP};
    if (b->exec.cpuid)
        b->exec.cpuid(b->cpu, 1, 0, r);
    text(&t, "PCMP", 4);
    zeros(&t, 2);
    put(&t, 2, 4); /* version 1.4 */
    text(&t, "BLINK   PC          ", 20);
    zeros(&t, 6);
    put(&t, 2, 1 + 1 + 1 + 15 + 2);
    put(&t, 4, LAPIC);
    zeros(&t, 4);
    put(&t, 4, 0x03140000); /* processor, local APIC 0, version 14h, usable and the first */
    put(&t, 4, r[0]);
    put(&t, 4, r[3]);
    zeros(&t, 8);
    put(&t, 2, 1); /* bus 0 */
    text(&t, "ISA   ", 6);
    put(&t, 4, 0x01200002 | IOAPIC_ID << 8); /* usable, version 20h */
    put(&t, 4, IOAPIC);
    for (uint32_t line = 0; line < 16; line++)
        if (line != 2)
            put_route(&t, 3, 0, line, IOAPIC_ID, line ? line : TIMER_INPUT);
    put_route(&t, 4, 3, 0, 0xff, 0);
    put_route(&t, 4, 1, 0, 0xff, 1);
    uint32_t size = t.at - t.start;
    t.at = t.start + 4;
    put(&t, 2, size);
    seal(rom + AT_PCMP, size, 7);
    t = (struct table){rom, AT_MP, AT_MP};
    text(&t, "_MP_", 4);
    put(&t, 4, ROM_BASE + AT_PCMP);
    put(&t, 2, 0x0401); /* 16 bytes, version 1.4 */
    zeros(&t, 6);
    seal(rom + AT_MP, 16, 10);
}

/* ---- where there is what they tell of ---- */

static bool is_there(struct blink_plugin *b) {
    struct blink_machine *m = b->host->machine;
    uint64_t version;
    uint64_t control = b->bus.port_read(m, PM_CONTROL, 2);
    return control != 0xffff && (control & PM_ACPI) &&
           b->bus.memory_read(m, LAPIC + LAPIC_VERSION, 4, &version) == 0 &&
           b->bus.memory_read(m, IOAPIC, 4, &version) == 0;
}

void tables_put(struct blink_plugin *b, uint8_t *rom) {
    struct blink_machine *m = b->host->machine;
    if (!is_there(b))
        return;
    b->bus.memory_write(m, IOAPIC, 4, 0);
    b->bus.memory_write(m, IOAPIC + IOAPIC_DATA, 4, IOAPIC_ID << 24);
    memset(rom, 0, AT_END);
    put_roots(rom);
    put_fadt(rom);
    put_facs(rom);
    put_dsdt(rom);
    put_madt(rom);
    put_pcmp(b, rom);
}
