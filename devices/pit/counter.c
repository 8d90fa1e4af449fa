/*
 * The counter, by Intel's data sheet of the 8254; but a count is taken in the very tick it is
 * written in, not one later. Bus lock held.
 */
#include "counter.h"

enum { MODE_TERMINAL, MODE_ONE_SHOT, MODE_RATE, MODE_SQUARE, MODE_STROBE, MODE_TRIGGERED };

static bool is_periodic(const struct counter *c) {
    return c->mode == MODE_RATE || c->mode == MODE_SQUARE;
}

/* The gate's rise begins the count. */
static bool is_triggered(const struct counter *c) {
    return c->mode == MODE_ONE_SHOT || c->mode == MODE_TRIGGERED;
}

static uint32_t modulus(const struct counter *c) {
    return c->bcd ? 10000 : 65536;
}

static uint64_t elapsed(const struct counter *c, uint64_t t) {
    return (c->held != PIT_NEVER ? c->held : t) - c->start;
}

/* Take the count that waited for the end of the period, if that is over. */
static void settle(struct counter *c, uint64_t t) {
    if (!c->next || !is_periodic(c) || c->held != PIT_NEVER || t < c->next_at)
        return;
    c->start = c->next_at;
    c->count = c->next;
    c->next = 0;
}

void counter_program(struct counter *c, uint8_t word) {
    uint8_t mode = word >> 1 & 7;
    *c = (struct counter){
        .mode = mode > 5 ? mode - 4 : mode, /* bit 2 does not count in modes 2 and 3 */
        .access = word >> 4 & 3,
        .bcd = word & 1,
        .gate = c->gate,
        .held = PIT_NEVER,
    };
}

static void load(struct counter *c, uint64_t t, uint32_t count) {
    if (is_triggered(c)) {
        c->next = count;
        return;
    }
    if (is_periodic(c) && c->loaded) {
        c->next = count;
        c->next_at = c->start + (elapsed(c, t) / c->count + 1) * c->count;
        return;
    }
    c->count = count;
    c->start = t;
    c->held = c->gate ? PIT_NEVER : t;
    c->loaded = true;
}

static uint32_t from_bcd(uint32_t v) {
    return (v >> 12 & 15) * 1000 + (v >> 8 & 15) * 100 + (v >> 4 & 15) * 10 + (v & 15);
}

static uint16_t to_bcd(uint32_t v) {
    return (uint16_t)(v / 1000 % 10 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10);
}

void counter_write(struct counter *c, uint64_t t, uint8_t byte) {
    uint32_t value = byte;
    settle(c, t);
    if (c->access == 3 && !c->write_high) {
        c->low = byte;
        c->write_high = true;
        /* Half a count stops it. */
        if (c->mode == MODE_TERMINAL)
            c->loaded = false;
        return;
    }
    if (c->access == 3)
        value = (uint32_t)byte << 8 | c->low;
    else if (c->access == 2)
        value = (uint32_t)byte << 8;
    c->write_high = false;
    if (c->bcd)
        value = from_bcd(value);
    load(c, t, value ? value : modulus(c));
}

void counter_set_gate(struct counter *c, uint64_t t, bool level) {
    if (level == c->gate)
        return;
    settle(c, t);
    c->gate = level;
    if (is_triggered(c)) {
        if (!level || (!c->next && !c->count))
            return;
        c->count = c->next ? c->next : c->count;
        c->next = 0;
        c->start = t;
        c->loaded = true;
    } else if (!level) {
        c->held = t;
    } else if (is_periodic(c)) {
        c->count = c->next ? c->next : c->count;
        c->next = 0;
        c->start = t;
        c->held = PIT_NEVER;
    } else {
        c->start += c->held == PIT_NEVER ? 0 : t - c->held;
        c->held = PIT_NEVER;
    }
}

bool counter_output(struct counter *c, uint64_t t) {
    settle(c, t);
    if (!c->loaded)
        return c->mode != MODE_TERMINAL;
    uint64_t e = elapsed(c, t);
    switch (c->mode) {
    case MODE_TERMINAL:
    case MODE_ONE_SHOT: return e >= c->count;
    case MODE_RATE: return !c->gate || e % c->count != c->count - 1;
    case MODE_SQUARE: return !c->gate || e % c->count < (c->count + 1) / 2;
    default: return e != c->count;
    }
}

/* The counting element as it is read. */
static uint16_t value(struct counter *c, uint64_t t) {
    settle(c, t);
    if (!c->count)
        return 0;
    uint64_t e = c->loaded ? elapsed(c, t) : 0;
    uint32_t v;
    if (c->mode == MODE_RATE) {
        v = c->count - (uint32_t)(e % c->count);
    } else if (c->mode == MODE_SQUARE) {
        /* It goes down by two, twice a period. */
        uint32_t gone = (uint32_t)(e % c->count), half = (c->count + 1) / 2;
        v = (c->count & ~1u) - 2 * (gone < half ? gone : gone - half);
    } else {
        v = (uint32_t)((c->count + modulus(c) - e % modulus(c)) % modulus(c));
    }
    return c->bcd ? to_bcd(v) : (uint16_t)v;
}

void counter_latch_count(struct counter *c, uint64_t t) {
    if (c->latched)
        return; /* until it is read, the first stays */
    c->latch = value(c, t);
    c->latched = c->access == 3 ? 2 : 1;
}

void counter_latch_status(struct counter *c, uint64_t t) {
    settle(c, t);
    bool null = c->next || (!c->loaded && !is_triggered(c)) || (is_triggered(c) && !c->count);
    if (c->status_latched)
        return;
    c->status =
        (uint8_t)(counter_output(c, t) << 7 | null << 6 | c->access << 4 | c->mode << 1 | c->bcd);
    c->status_latched = true;
}

uint8_t counter_read(struct counter *c, uint64_t t) {
    if (c->status_latched) {
        c->status_latched = false;
        return c->status;
    }
    uint16_t v = c->latched ? c->latch : value(c, t);
    bool high = c->access == 2 || (c->access == 3 && c->read_high);
    if (c->access == 3)
        c->read_high = !c->read_high;
    if (c->latched)
        c->latched--;
    return (uint8_t)(high ? v >> 8 : v);
}

uint64_t counter_next_edge(struct counter *c, uint64_t t) {
    settle(c, t);
    if (!c->loaded || c->held != PIT_NEVER)
        return PIT_NEVER;
    uint64_t e = elapsed(c, t), end = c->count;
    if (is_periodic(c))
        return c->start + (e / c->count + 1) * c->count;
    /* A strobe is one tick long. */
    if (c->mode == MODE_STROBE || c->mode == MODE_TRIGGERED)
        end++;
    return e < end ? c->start + end : PIT_NEVER;
}
