/*
 * The clock, by the data sheet of the MC146818A. Nothing runs: time and flags are computed when
 * they are asked for. Bus lock held.
 */
#include "rtc.h"

#include <string.h>

enum {
    SECONDS = 0x00,
    SECONDS_ALARM,
    MINUTES,
    MINUTES_ALARM,
    HOURS,
    HOURS_ALARM,
    WEEKDAY,
    DAY,
    MONTH,
    YEAR,
    REG_A,
    REG_B,
    REG_C,
    REG_D,
    CENTURY = 0x32,
};

#define A_UPDATING 0x80u
#define A_RATE     0x0fu

#define B_SET      0x80u
#define B_PERIODIC 0x40u
#define B_ALARM    0x20u
#define B_UPDATED  0x10u
#define B_SQUARE   0x08u
#define B_BINARY   0x04u
#define B_24_HOURS 0x02u

/* Of register C, and where B enables them. */
#define FLAG_IRQ      0x80u
#define FLAG_PERIODIC 0x40u
#define FLAG_ALARM    0x20u
#define FLAG_UPDATED  0x10u
#define FLAGS         0x70u

#define D_VALID 0x80u

#define SECOND    UINT64_C(1000000000)
#define DAY_S     86400
#define UPDATE_NS UINT64_C(244000) /* before the second, while the update is announced */
#define ANY       0xc0u            /* an alarm byte from here on matches everything */

/* ---- numbers ---- */

static uint8_t encode(const struct rtc *r, uint32_t v) {
    return (uint8_t)(r->ram[REG_B] & B_BINARY ? v : v / 10 << 4 | v % 10);
}

static uint32_t decode(const struct rtc *r, uint8_t v) {
    return r->ram[REG_B] & B_BINARY ? v : (v >> 4) * 10u + (v & 15);
}

static uint8_t encode_hour(const struct rtc *r, uint32_t hour) {
    if (r->ram[REG_B] & B_24_HOURS)
        return encode(r, hour);
    return (uint8_t)(encode(r, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? 0x80 : 0));
}

static uint32_t decode_hour(const struct rtc *r, uint8_t v) {
    if (r->ram[REG_B] & B_24_HOURS)
        return decode(r, v);
    return decode(r, v & 0x7f) % 12 + (v & 0x80 ? 12 : 0);
}

/* ---- calendar: days since 1970 and back, by eras of 400 years that begin in March ---- */

static int64_t days_of(int64_t year, uint32_t month, uint32_t day) {
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void date_of(int64_t days, int64_t *year, uint32_t *month, uint32_t *day) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t of_era = days - era * 146097;
    int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * y + y / 4 - y / 100);
    int64_t m = (5 * of_year + 2) / 153;
    *day = (uint32_t)(of_year - (153 * m + 2) / 5 + 1);
    *month = (uint32_t)(m < 10 ? m + 3 : m - 9);
    *year = y + era * 400 + (*month <= 2);
}

/* ---- time ---- */

static int64_t time_at(const struct rtc *r, uint64_t now) {
    return r->origin + (int64_t)(now / SECOND);
}

static uint32_t second_of_day(int64_t time) {
    return (uint32_t)((time % DAY_S + DAY_S) % DAY_S);
}

/* The time into its registers. */
static void show(struct rtc *r, uint64_t now) {
    int64_t time = time_at(r, now), year;
    uint32_t s = second_of_day(time), month, day;
    int64_t days = (time - s) / DAY_S;
    date_of(days, &year, &month, &day);
    r->ram[SECONDS] = encode(r, s % 60);
    r->ram[MINUTES] = encode(r, s / 60 % 60);
    r->ram[HOURS] = encode_hour(r, s / 3600);
    r->ram[WEEKDAY] = encode(r, (uint32_t)((days % 7 + 7 + 4) % 7) + 1); /* 1970 began on a 5 */
    r->ram[DAY] = encode(r, day);
    r->ram[MONTH] = encode(r, month);
    r->ram[YEAR] = encode(r, (uint32_t)((year % 100 + 100) % 100));
    r->ram[CENTURY] = (uint8_t)(year / 1000 % 10 << 4 | year / 100 % 10);
}

static uint32_t between(uint32_t v, uint32_t low, uint32_t high) {
    return v < low ? low : v > high ? high : v;
}

/* The time from its registers; what is out of range is taken as the nearest. */
static void take(struct rtc *r, uint64_t now) {
    uint32_t century = (r->ram[CENTURY] >> 4) * 10u + (r->ram[CENTURY] & 15);
    int64_t year = between(century, 19, 99) * 100 + between(decode(r, r->ram[YEAR]), 0, 99);
    int64_t days = days_of(year, between(decode(r, r->ram[MONTH]), 1, 12),
                           between(decode(r, r->ram[DAY]), 1, 31));
    uint32_t s = between(decode_hour(r, r->ram[HOURS]), 0, 23) * 3600 +
                 between(decode(r, r->ram[MINUTES]), 0, 59) * 60 +
                 between(decode(r, r->ram[SECONDS]), 0, 59);
    r->origin = days * DAY_S + s - (int64_t)(now / SECOND);
}

static bool is_time(uint8_t index) {
    return index == CENTURY || (index <= YEAR && index != SECONDS_ALARM && index != MINUTES_ALARM &&
                                index != HOURS_ALARM);
}

/* ---- flags ---- */

/* Length of the periodic interrupt's period; 0 if it is off. */
static uint64_t period(const struct rtc *r) {
    uint32_t rate = r->ram[REG_A] & A_RATE;
    if (!rate)
        return 0;
    return (SECOND << ((rate < 3 ? rate + 7 : rate) - 1)) >> 15;
}

static bool alarm_matches(const struct rtc *r, uint32_t s) {
    uint8_t a = r->ram[SECONDS_ALARM], m = r->ram[MINUTES_ALARM], h = r->ram[HOURS_ALARM];
    return (a >= ANY || decode(r, a) == s % 60) && (m >= ANY || decode(r, m) == s / 60 % 60) &&
           (h >= ANY || decode_hour(r, h) == s / 3600);
}

/* Raise what has become due since the last look. */
static void catch_up(struct rtc *r, uint64_t now) {
    uint64_t step = period(r), passed = now / SECOND - r->seen / SECOND;
    if (step && now / step != r->seen / step)
        r->ram[REG_C] |= FLAG_PERIODIC;
    if (passed && !(r->ram[REG_B] & B_SET)) {
        uint32_t last = second_of_day(time_at(r, now));
        r->ram[REG_C] |= FLAG_UPDATED;
        for (uint64_t k = 0; k < passed && k < DAY_S && !(r->ram[REG_C] & FLAG_ALARM); k++)
            if (alarm_matches(r, (last + DAY_S - (uint32_t)k) % DAY_S))
                r->ram[REG_C] |= FLAG_ALARM;
    }
    r->seen = now;
}

bool rtc_irq(struct rtc *r, uint64_t now) {
    catch_up(r, now);
    return r->ram[REG_C] & r->ram[REG_B] & FLAGS;
}

uint64_t rtc_next(const struct rtc *r, uint64_t now) {
    uint64_t next = RTC_NEVER, step = period(r);
    uint8_t enabled = r->ram[REG_B] & FLAGS;
    if (r->ram[REG_C] & enabled)
        return RTC_NEVER; /* it is up */
    if ((enabled & B_PERIODIC) && step)
        next = (now / step + 1) * step;
    if ((enabled & (B_ALARM | B_UPDATED)) && !(r->ram[REG_B] & B_SET)) {
        uint64_t second = (now / SECOND + 1) * SECOND;
        next = second < next ? second : next;
    }
    return next;
}

/* ---- registers ---- */

uint8_t rtc_read(struct rtc *r, uint64_t now, uint8_t index) {
    bool stopped = r->ram[REG_B] & B_SET;
    uint8_t value;
    catch_up(r, now);
    if (is_time(index) && !stopped)
        show(r, now);
    value = r->ram[index];
    if (index == REG_A && !stopped && now % SECOND >= SECOND - UPDATE_NS)
        value |= A_UPDATING;
    if (index == REG_C) {
        value = (uint8_t)(value | (value & r->ram[REG_B] & FLAGS ? FLAG_IRQ : 0));
        r->ram[REG_C] = 0;
    }
    return index == REG_D ? D_VALID : value;
}

/* While SET is on, the registers keep still; when it goes off, they are the time. */
static void write_b(struct rtc *r, uint64_t now, uint8_t value) {
    if (value & B_SET & ~r->ram[REG_B])
        show(r, now);
    bool begins = r->ram[REG_B] & B_SET & ~value;
    /* The update interrupt goes off with the updates. */
    r->ram[REG_B] = value & B_SET ? value & (uint8_t)~B_UPDATED : value;
    if (begins)
        take(r, now);
}

void rtc_write(struct rtc *r, uint64_t now, uint8_t index, uint8_t value) {
    bool stopped = r->ram[REG_B] & B_SET;
    catch_up(r, now);
    switch (index) {
    case REG_A: r->ram[REG_A] = value & (uint8_t)~A_UPDATING; break;
    case REG_B: write_b(r, now, value); break;
    case REG_C:
    case REG_D: break; /* read only */
    default:
        if (is_time(index) && !stopped)
            show(r, now);
        r->ram[index] = value;
        if (is_time(index) && index != WEEKDAY && !stopped)
            take(r, now);
        break;
    }
}

void rtc_init(struct rtc *r, int64_t origin, uint64_t now) {
    memset(r, 0, sizeof *r);
    r->origin = origin;
    r->seen = now;
    r->ram[REG_A] = 0x26; /* 32768 Hz, 1024 interrupts a second */
    r->ram[REG_B] = B_24_HOURS;
}

void rtc_reset(struct rtc *r, uint64_t now) {
    r->seen = now;
    r->ram[REG_B] &= (uint8_t) ~(B_PERIODIC | B_ALARM | B_UPDATED | B_SQUARE);
    r->ram[REG_C] = 0;
}
