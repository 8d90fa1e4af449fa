/*
 * What the files of the local APIC share. All of it belongs to the instance; bus lock held.
 * Sections are those of Intel's SDM, volume 3, chapter 11 (AMD64 manual volume 2, chapter 16, is
 * the same).
 */
#ifndef DEVICE_LAPIC_H
#define DEVICE_LAPIC_H

#include <stdbool.h>
#include <stdint.h>

#include <blink/bus.h>
#include <blink/host.h>
#include <blink/system.h>

#define APIC_BASE    UINT64_C(0xfee00000) /* after reset */
#define BASE_ENABLED (UINT64_C(1) << 11)
#define BASE_ADDRESS UINT64_C(0x000ffffffffff000)
#define WINDOW       4096u

/* Entries of the local vector table, in the order of their registers. */
enum { LVT_TIMER, LVT_THERMAL, LVT_COUNTERS, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_COUNT };

/* Fields of entries of the table, of the command register, and of messages (11.5.1, 11.6.1). */
#define CMD_VECTOR  0xffu
#define CMD_LOGICAL 0x800u
#define CMD_REMOTE  0x4000u /* an entry's: a level is in service */
#define CMD_LEVEL   0x8000u /* triggered by a level */
#define LVT_MASKED  0x10000u
#define LVT_PERIODS 0x20000u
enum { MODE_FIXED, MODE_LOWEST, MODE_SMI, MODE_NMI = 4, MODE_INIT, MODE_START, MODE_EXTINT };
static inline uint32_t mode_of(uint32_t command) {
    return command >> 8 & 7;
}

#define SVR_ENABLED 0x100u

/* Bits of ESR (11.5.3). */
#define ERROR_SEND_VECTOR    0x20u
#define ERROR_RECEIVE_VECTOR 0x40u
#define ERROR_REGISTER       0x80u

/* A bit for each vector. */
struct vectors {
    uint32_t word[8];
};

struct blink_plugin {
    const struct blink_host *host;
    struct blink_bus_iface bus;
    struct blink_system_iface board;
    uint64_t base;   /* as MSR APIC_BASE has it: address and enabled */
    bool claimed;    /* its registers are at that address */
    bool controller; /* level of the 8259A pair's output, at LINT0 */
    bool extint;     /* a message said that the 8259A pair has an interrupt */
    struct vectors irr, isr, tmr;
    uint32_t id, tpr, ldr, dfr, svr;
    uint32_t esr, errors; /* as read; since it was last written */
    uint32_t command[2];
    uint32_t lvt[LVT_COUNT];
    uint32_t initial, divide; /* of the timer, as written */
    uint32_t timer;           /* of the bus; 0: not running */
    uint64_t due;             /* when it ends */
};

/* Software-disabled, or disabled altogether: pins are then the processor's INTR and NMI. */
bool lapic_is_off(const struct blink_plugin *p);
/* The state after reset (11.4.7.1, 11.12.5), but for the base and what pins say. */
void lapic_clear(struct blink_plugin *p);
/* Tell the bus whether an interrupt waits. After every change. */
void lapic_update(struct blink_plugin *p);
/* An interrupt comes, from wherever, by the fields of a command. */
void lapic_deliver(struct blink_plugin *p, uint32_t command);
/* The same by an entry of the local vector table, if that is open. */
void lapic_local(struct blink_plugin *p, uint32_t entry);
void lapic_error(struct blink_plugin *p, uint32_t error);
void lapic_end(struct blink_plugin *p);
uint32_t lapic_ppr(const struct blink_plugin *p);
/* Whether a message's destination is this one (11.6.2). */
bool lapic_is_meant(const struct blink_plugin *p, uint32_t destination, uint32_t command);

/* timer.c (11.5.4): a count of 1 GHz, divided. */
void timer_start(struct blink_plugin *p, uint32_t count);
void timer_stop(struct blink_plugin *p);
uint32_t timer_count(const struct blink_plugin *p);
void timer_divide(struct blink_plugin *p, uint32_t value);

/* registers.c (11.4.1) */
uint64_t lapic_read(struct blink_plugin *p, uint64_t offset, uint32_t size);
void lapic_write(struct blink_plugin *p, uint64_t offset, uint32_t size, uint64_t value);

#endif
