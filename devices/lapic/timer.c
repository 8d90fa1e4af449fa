/*
 * The timer of the local APIC (11.5.4): one-shot and periodic, by the bus's timers. Bus lock held.
 */
#include <string.h>

#include "lapic.h"

/* The clock that is divided has a tick a nanosecond. A period cannot be shorter than this: no host
 * would have time for anything else. */
#define PERIOD_MIN UINT64_C(1000)
/* Periods that a machine could not take in time are made up for, but not for longer. */
#define LAG_MAX UINT64_C(250000000)

static uint64_t now(const struct blink_plugin *p) {
    return p->bus.now(p->host->machine);
}

static uint64_t divisor(const struct blink_plugin *p) {
    uint32_t code = (p->divide & 3) | (p->divide >> 1 & 4);
    return code == 7 ? 1 : UINT64_C(2) << code;
}

static void fire(struct blink_plugin *p, void *arg);

static void schedule(struct blink_plugin *p) {
    int r = p->bus.timer_start(p->host->machine, p, p->due, fire, NULL, &p->timer);
    if (r < 0) {
        p->timer = 0;
        blink_log(p->host, BLINK_LOG_WARN, "lapic: no timer: %s", strerror(-r));
    }
}

static void fire(struct blink_plugin *p, void *arg) {
    (void)arg;
    p->timer = 0;
    lapic_local(p, LVT_TIMER);
    if (!(p->lvt[LVT_TIMER] & LVT_PERIODS))
        return;
    uint64_t period = p->initial * divisor(p), t = now(p);
    p->due = t > p->due && t - p->due > LAG_MAX ? t : p->due;
    p->due += period < PERIOD_MIN ? PERIOD_MIN : period;
    schedule(p);
}

void timer_stop(struct blink_plugin *p) {
    p->bus.timer_cancel(p->host->machine, p->timer);
    p->timer = 0;
}

void timer_start(struct blink_plugin *p, uint32_t count) {
    timer_stop(p);
    if (!count)
        return;
    p->due = now(p) + count * divisor(p);
    schedule(p);
}

uint32_t timer_count(const struct blink_plugin *p) {
    uint64_t t = now(p), n = divisor(p);
    if (!p->timer || p->due <= t)
        return 0;
    return (uint32_t)((p->due - t + n - 1) / n);
}

void timer_divide(struct blink_plugin *p, uint32_t value) {
    uint32_t left = timer_count(p);
    p->divide = value & 0xb;
    if (p->timer)
        timer_start(p, left ? left : 1);
}
