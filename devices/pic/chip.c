/*
 * The chip, by Intel's data sheet of the 8259A. Bus lock held.
 */
#include "pic.h"

#define ICW1       0x10u
#define ICW1_ICW4  0x01u
#define ICW1_ONE   0x02u
#define ICW1_LEVEL 0x08u

#define ICW4_AUTO_EOI 0x02u
#define ICW4_NESTED   0x10u

#define OCW3           0x08u
#define OCW3_READ_MASK 0x03u
#define OCW3_READ_IRR  0x02u
#define OCW3_READ_ISR  0x03u
#define OCW3_POLL      0x04u
#define OCW3_SMM       0x20u
#define OCW3_SET_SMM   0x40u

#define CASCADE 2u

static uint8_t bit(uint32_t n) {
    return (uint8_t)(1u << n);
}

static bool is_level(const struct chip *c, uint32_t input) {
    return c->all_level || (c->elcr & bit(input));
}

/* How far the best of `inputs` is from the highest priority: 8 if there is none. */
static uint32_t rank(const struct chip *c, uint8_t inputs) {
    uint32_t k = 0;
    while (k < 8 && !(inputs & bit((c->first + k) & 7)))
        k++;
    return k;
}

void chip_reset(struct chip *c) {
    *c = (struct chip){.lines = c->lines};
}

void chip_set_line(struct chip *c, uint32_t input, bool level) {
    bool rises = level && !(c->lines & bit(input));
    if (level)
        c->lines |= bit(input);
    else
        c->lines &= (uint8_t)~bit(input);
    /* A request that does not stay until it is taken is none. */
    if (!level)
        c->irr &= (uint8_t)~bit(input);
    else if (rises || is_level(c, input))
        c->irr |= bit(input);
}

int chip_request(const struct chip *c) {
    uint8_t serviced = c->isr;
    if (!c->ready)
        return -1;
    if (c->special_mask)
        serviced &= (uint8_t)~c->imr;
    /* A slave may interrupt itself, and its own priorities decide. */
    if (c->fully_nested_slaves)
        serviced &= (uint8_t)~bit(CASCADE);
    uint32_t best = rank(c, c->irr & (uint8_t)~c->imr);
    return best < 8 && best < rank(c, serviced) ? (int)((c->first + best) & 7) : -1;
}

void chip_take(struct chip *c, uint32_t input) {
    if (!is_level(c, input))
        c->irr &= (uint8_t)~bit(input);
    if (!c->auto_eoi)
        c->isr |= bit(input);
    else if (c->rotate_on_auto_eoi)
        c->first = (uint8_t)((input + 1) & 7);
}

/* ---- writing ---- */

/* The edge detectors forget what they saw: inputs that are up must fall first. */
static void begin(struct chip *c, uint8_t value) {
    *c = (struct chip){
        .lines = c->lines,
        .elcr = c->elcr,
        .base = c->base,
        .step = 1,
        .has_icw4 = value & ICW1_ICW4,
        .single = value & ICW1_ONE,
        .all_level = value & ICW1_LEVEL,
    };
    c->irr = c->lines & (c->all_level ? 0xff : c->elcr);
}

static void initialise(struct chip *c, uint8_t value) {
    if (c->step == 1) {
        c->base = value & 0xf8;
        c->step = !c->single ? 2 : c->has_icw4 ? 3 : 0;
    } else if (c->step == 2) {
        c->step = c->has_icw4 ? 3 : 0; /* ICW3 tells of wires, which are as they are */
    } else {
        c->auto_eoi = value & ICW4_AUTO_EOI;
        c->fully_nested_slaves = value & ICW4_NESTED;
        c->step = 0;
    }
    c->ready = c->step == 0;
}

static void end_of_interrupt(struct chip *c, bool specific, bool rotate, uint32_t input) {
    if (!specific) {
        /* What the special mask holds back is not ended by chance. */
        uint8_t open = c->isr & (c->special_mask ? (uint8_t)~c->imr : 0xff);
        uint32_t best = rank(c, open);
        if (best == 8)
            return;
        input = (c->first + best) & 7;
    }
    c->isr &= (uint8_t)~bit(input);
    if (rotate)
        c->first = (uint8_t)((input + 1) & 7);
}

static void write_ocw2(struct chip *c, uint8_t value) {
    bool rotate = value & 0x80, specific = value & 0x40, eoi = value & 0x20;
    if (eoi)
        end_of_interrupt(c, specific, rotate, value & 7);
    else if (rotate && specific)
        c->first = (uint8_t)((value + 1) & 7);
    else if (!specific)
        c->rotate_on_auto_eoi = rotate;
}

static void write_ocw3(struct chip *c, uint8_t value) {
    if (value & OCW3_POLL)
        c->poll = true;
    if (value & OCW3_SET_SMM)
        c->special_mask = value & OCW3_SMM;
    if ((value & OCW3_READ_MASK) == OCW3_READ_IRR)
        c->read_isr = false;
    if ((value & OCW3_READ_MASK) == OCW3_READ_ISR)
        c->read_isr = true;
}

void chip_write(struct chip *c, uint32_t a0, uint8_t value) {
    if (a0 && c->step)
        initialise(c, value);
    else if (a0)
        c->imr = value;
    else if (value & ICW1)
        begin(c, value);
    else if (value & OCW3)
        write_ocw3(c, value);
    else
        write_ocw2(c, value);
}

/* ---- reading ---- */

uint8_t chip_read(struct chip *c, uint32_t a0) {
    if (c->poll) {
        int input = chip_request(c);
        c->poll = false;
        if (input < 0)
            return 0;
        chip_take(c, (uint32_t)input);
        return (uint8_t)(0x80 | input);
    }
    if (a0)
        return c->imr;
    return c->read_isr ? c->isr : c->irr;
}
