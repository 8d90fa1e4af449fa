/*
 * One 8259A as its data sheet has it, apart from how two of them are wired in a PC. A chip belongs
 * to the instance. Called with the bus lock held.
 */
#ifndef DEVICE_PIC_H
#define DEVICE_PIC_H

#include <stdbool.h>
#include <stdint.h>

struct chip {
    uint8_t irr;   /* requests that wait */
    uint8_t isr;   /* in service */
    uint8_t imr;   /* masked */
    uint8_t lines; /* levels of the inputs */
    uint8_t elcr;  /* inputs that are level-triggered each by itself */
    uint8_t base;  /* of the vectors */
    uint8_t first; /* input of the highest priority */
    uint8_t step;  /* initialisation word that comes next: 1 to 3 for ICW2 to ICW4, 0 none */
    bool ready;    /* it was initialised */
    bool has_icw4, single, all_level;
    bool auto_eoi, rotate_on_auto_eoi, fully_nested_slaves;
    bool special_mask, read_isr, poll;
};

/* The state after power-on. Lines stay as they are. */
void chip_reset(struct chip *c);
void chip_set_line(struct chip *c, uint32_t input, bool level);
/* The input whose interrupt goes to the processor, or -1. */
int chip_request(const struct chip *c);
/* The processor, or the master, takes `input`. */
void chip_take(struct chip *c, uint32_t input);
/* Address line 0 chooses the register. */
uint8_t chip_read(struct chip *c, uint32_t a0);
void chip_write(struct chip *c, uint32_t a0, uint8_t value);

#endif
