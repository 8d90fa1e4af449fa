/*
 * One counter of an 8254, as a function of time: nothing runs, its state at tick `t` is computed
 * when it is asked for. A counter belongs to the instance. Called with the bus lock held.
 */
#ifndef DEVICE_PIT_COUNTER_H
#define DEVICE_PIT_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

/* No tick at all. */
#define PIT_NEVER UINT64_MAX

struct counter {
    uint8_t mode;     /* 0 to 5 */
    uint8_t access;   /* 1 low byte, 2 high byte, 3 low then high */
    bool bcd;         /* four decimal digits, not sixteen bits */
    bool gate;        /* level of the input */
    bool loaded;      /* there is a count; in modes 1 and 5: and a trigger came */
    uint32_t count;   /* it counts down from this: 1 to 65536, or to 10000 in BCD */
    uint64_t start;   /* tick when it began to */
    uint64_t held;    /* tick since when the gate holds it, PIT_NEVER if it does not */
    uint32_t next;    /* count to take at the end of the period or at the trigger, 0 if none */
    uint64_t next_at; /* that end */
    uint8_t low;      /* first byte of a count that comes in two */
    bool write_high, read_high; /* the other byte comes next */
    uint16_t latch;             /* latched count, of which */
    uint8_t latched;            /* so many bytes are still to be read */
    uint8_t status;
    bool status_latched;
};

/* A control word for this counter: it waits for a count then. */
void counter_program(struct counter *c, uint8_t word);
/* A byte of the count. */
void counter_write(struct counter *c, uint64_t t, uint8_t byte);
uint8_t counter_read(struct counter *c, uint64_t t);
void counter_latch_count(struct counter *c, uint64_t t);
void counter_latch_status(struct counter *c, uint64_t t);
void counter_set_gate(struct counter *c, uint64_t t, bool level);
bool counter_output(struct counter *c, uint64_t t);
/* The first tick after `t` at which the output goes up (again), or PIT_NEVER. */
uint64_t counter_next_edge(struct counter *c, uint64_t t);

#endif
