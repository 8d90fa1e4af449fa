/*
 * The clock of a PC (MC146818) with its 128 bytes of memory. It belongs to the instance. Called
 * with the bus lock held; `now` is the machine's time in nanoseconds.
 */
#ifndef DEVICE_CMOS_RTC_H
#define DEVICE_CMOS_RTC_H

#include <stdbool.h>
#include <stdint.h>

#define RTC_BYTES 128u

/* No event at all. */
#define RTC_NEVER UINT64_MAX

struct rtc {
    uint8_t ram[RTC_BYTES]; /* registers too: times only while the clock is set */
    int64_t origin;         /* seconds since 1970 at time 0 of the machine */
    uint64_t seen;          /* time up to which flags have been raised */
};

/* Power on: `origin` as above. */
void rtc_init(struct rtc *r, int64_t origin, uint64_t now);
/* The reset pin: interrupts off; time and memory stay. */
void rtc_reset(struct rtc *r, uint64_t now);
uint8_t rtc_read(struct rtc *r, uint64_t now, uint8_t index);
void rtc_write(struct rtc *r, uint64_t now, uint8_t index, uint8_t value);
/* Level of the interrupt line. */
bool rtc_irq(struct rtc *r, uint64_t now);
/* When the line may go up next, or RTC_NEVER. */
uint64_t rtc_next(const struct rtc *r, uint64_t now);

#endif
