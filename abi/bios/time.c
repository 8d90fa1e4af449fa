/*
 * INT 08h, the tick; INT 1Ah, ticks and the clock; INT 70h, the clock's interrupt. By the first
 * vCPU's thread.
 */
#include "bios.h"

#define TICKS_A_DAY 0x1800b0u

enum { SECONDS = 0, MINUTES = 2, HOURS = 4, DAY = 7, MONTH, YEAR, REG_A, REG_B, REG_C };
#define CENTURY  0x32
#define UPDATING 0x80u
#define SET      0x80u
#define ALARM    0x20u

static uint8_t get(struct blink_plugin *b, uint8_t index) {
    bios_out(b, 0x70, index);
    return bios_in(b, 0x71);
}

static void put(struct blink_plugin *b, uint8_t index, uint32_t value) {
    bios_out(b, 0x70, index);
    bios_out(b, 0x71, value);
}

void time_08(struct blink_plugin *b) {
    uint32_t ticks = peek32(b, BDA_TICKS) + 1;
    uint8_t motor = peek8(b, BDA_FLOPPY_MOTOR);
    if (ticks >= TICKS_A_DAY) {
        ticks = 0;
        poke8(b, BDA_MIDNIGHT, peek8(b, BDA_MIDNIGHT) + 1u);
    }
    poke32(b, BDA_TICKS, ticks);
    if (motor)
        poke8(b, BDA_FLOPPY_MOTOR, motor - 1u);
}

/* Reading register C ends the interrupt; carry tells the ROM of an alarm. */
void time_70(struct blink_plugin *b) {
    uint8_t flags = get(b, REG_C) & get(b, REG_B);
    bios_flag(b, FLAG_CARRY, flags & ALARM);
}

static void get_ticks(struct blink_plugin *b) {
    uint32_t ticks = peek32(b, BDA_TICKS);
    set_low(b, BLINK_RAX, peek8(b, BDA_MIDNIGHT));
    set16(b, BLINK_RCX, ticks >> 16);
    set16(b, BLINK_RDX, ticks);
    poke8(b, BDA_MIDNIGHT, 0);
    set_high(b, BLINK_RAX, 0);
}

static void set_ticks(struct blink_plugin *b) {
    poke32(b, BDA_TICKS, (uint32_t)CX(b) << 16 | DX(b));
    poke8(b, BDA_MIDNIGHT, 0);
    set_high(b, BLINK_RAX, 0);
}

/* No clock, or one that stands still. */
static bool stopped(struct blink_plugin *b) {
    return get(b, 0x0d) != 0x80 || (get(b, REG_B) & SET);
}

/* The registers do not change while they are read: an update that is about to come is let go by. */
static void settle(struct blink_plugin *b) {
    for (uint32_t k = 0; k < 100000 && (get(b, REG_A) & UPDATING); k++)
        ;
}

static void get_time(struct blink_plugin *b) {
    settle(b);
    set_high(b, BLINK_RCX, get(b, HOURS));
    set_low(b, BLINK_RCX, get(b, MINUTES));
    set_high(b, BLINK_RDX, get(b, SECONDS));
    set_low(b, BLINK_RDX, get(b, REG_B) & 1);
    set_high(b, BLINK_RAX, 0);
}

static void set_time(struct blink_plugin *b) {
    uint32_t mode = (get(b, REG_B) & 0x60u) | 0x02 | (DL(b) & 1u);
    put(b, REG_B, mode | SET);
    put(b, SECONDS, DH(b));
    put(b, MINUTES, CL(b));
    put(b, HOURS, CH(b));
    put(b, REG_B, mode);
    set_high(b, BLINK_RAX, 0);
}

static void get_date(struct blink_plugin *b) {
    settle(b);
    set_high(b, BLINK_RCX, get(b, CENTURY));
    set_low(b, BLINK_RCX, get(b, YEAR));
    set_high(b, BLINK_RDX, get(b, MONTH));
    set_low(b, BLINK_RDX, get(b, DAY));
    set_high(b, BLINK_RAX, 0);
}

static void set_date(struct blink_plugin *b) {
    uint32_t mode = get(b, REG_B);
    put(b, REG_B, mode | SET);
    put(b, CENTURY, CH(b));
    put(b, YEAR, CL(b));
    put(b, MONTH, DH(b));
    put(b, DAY, DL(b));
    put(b, REG_B, mode & ~SET);
    set_high(b, BLINK_RAX, 0);
}

static void set_alarm(struct blink_plugin *b) {
    uint32_t mode = get(b, REG_B);
    if (mode & ALARM) {
        bios_flag(b, FLAG_CARRY, true); /* there is one already */
        return;
    }
    put(b, SECONDS + 1, DH(b));
    put(b, MINUTES + 1, CL(b));
    put(b, HOURS + 1, CH(b));
    bios_out(b, 0xa1, bios_in(b, 0xa1) & 0xfeu);
    get(b, REG_C);
    put(b, REG_B, (mode & ~SET) | ALARM);
    set_high(b, BLINK_RAX, 0);
}

static void end_alarm(struct blink_plugin *b) {
    put(b, REG_B, get(b, REG_B) & ~ALARM);
    set_high(b, BLINK_RAX, 0);
}

void time_1a(struct blink_plugin *b) {
    static bios_service *const functions[] = {get_ticks, set_ticks, get_time,  set_time,
                                              get_date,  set_date,  set_alarm, end_alarm};
    uint32_t n = AH(b);
    bool bad = n >= sizeof functions / sizeof functions[0] || (n >= 2 && stopped(b));
    bios_flag(b, FLAG_CARRY, bad);
    if (!bad)
        functions[n](b);
}
