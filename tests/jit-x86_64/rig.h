/*
 * One vCPU between the interpreter and the x86-64 back end: blink.jit-host/1 as a test needs it, a
 * stretch of guest memory, code run by either of the two, and the host's signals handed to
 * recover(). In linear memory guest and host addresses are the same. One thread.
 */
#ifndef TESTS_JIT_X86_64_RIG_H
#define TESTS_JIT_X86_64_RIG_H

#include <blink/cpu.h>
#include <blink/jit.h>
#include <stdbool.h>

/* Offsets from the base of a stretch of guest memory: code is decoded, never read there by the
 * host; data can be read and written; the guard cannot. */
#define RIG_DATA      0x10000u
#define RIG_DATA_SIZE 0x3000u
#define RIG_GUARD     (RIG_DATA + RIG_DATA_SIZE)
#define RIG_FS        (RIG_DATA + 0x1000u)
#define RIG_GS        (RIG_DATA + 0x1800u)

/* Where code lies from which translated code must reach data, and where the arena is. */
struct rig_place {
    const char *name;
    uint64_t base;  /* of the guest memory, a page */
    uint64_t arena; /* where to map the executable view */
    bool paged;
    bool large; /* returns are the host's */
};
extern const struct rig_place rig_near, rig_low, rig_far, rig_paged, rig_paged_low;

/* Code of 16 or 32 bits and its segments, which begin where the data do unless they are flat. */
struct rig_segments {
    const char *name;
    uint32_t bits;  /* 16 or 32 */
    uint32_t limit; /* of DS, ES and SS */
    bool flat, real, stack32;
    bool thorough; /* the test's: with events everywhere */
};

/* What a guest program can see of itself; memory apart. */
struct rig_state {
    uint64_t gpr[16], rip, flags;
    union blink_ymm ymm[16];
    struct blink_f80 fpr[8]; /* empty registers are zero */
    uint32_t mxcsr;
    uint16_t fcw, fsw;
    uint8_t ftop, fvalid;
    uint16_t selector[6];
    uint64_t base[6];
};

/* How a run of guest code ended. */
struct rig_end {
    uint32_t reason; /* BLINK_EXIT_* */
    uint32_t vector; /* of a fault or interrupt */
    uint64_t address;
    bool write;
};

/* Signals in generated code while it is stepped through or has faulted. */
struct rig_steps {
    /* Called at every instruction of the arenas, from the signal handler, with what recover() said
     * and the state it gave in a copy of the CPU. */
    void (*at)(void *arg, int rc, const struct blink_cpu *cpu);
    void *arg;
    /* If not 0: at this instruction of the arenas (the first is 1) an event comes. */
    uint32_t event;
    uint32_t count; /* out: how many there were */
    bool left;      /* out: the event made recover() leave generated code at once */
};

struct rig;

/* The back end is active, the arena empty. Ends the test program if anything fails. */
struct rig *rig_create(const struct rig_place *place);
void rig_destroy(struct rig *r);
struct blink_cpu *rig_cpu(struct rig *r);
struct blink_plugin *rig_jit(struct rig *r);
const struct blink_jit_ops *rig_ops(void);
uint64_t rig_base(const struct rig *r);
bool rig_is_paged(const struct rig *r);
/* The TLB is empty. */
void rig_forget_pages(struct rig *r);
uint8_t *rig_data(const struct rig *r);

/* 64-bit user mode, everything zero but FS, GS and the control words; the registers forgotten. */
void rig_reset(struct rig *r);
/* Other segments from the next reset on; NULL: as at first. */
void rig_set_segments(struct rig *r, const struct rig_segments *segments);
/* All code and the arenas are forgotten. */
void rig_flush(struct rig *r);
/* Arenas hold this many bytes from now on. */
void rig_limit(struct rig *r, size_t size);
/* Code for guest addresses from `from` on goes to an arena at `arena` of its own. */
void rig_add_arena(struct rig *r, uint64_t from, uint64_t arena);

void rig_save(const struct blink_cpu *cpu, struct rig_state *s);
void rig_load(struct blink_cpu *cpu, const struct rig_state *s);

/* One instruction of `bytes` that stand at cpu->rip. *insn receives it. */
struct rig_end rig_interpret(struct rig *r, const uint8_t *bytes, size_t size,
                             struct blink_insn *insn);

/* Translate what stands at `rip`, up to `max` instructions. NULL and *error, or the code; which is
 * found by indirect branches from now on, and gone at the next flush. */
struct blink_jit_code *rig_translate(struct rig *r, const uint8_t *bytes, size_t size, uint64_t rip,
                                     uint32_t max, int *error);
/* Page and slot that blocks are on which are translated from now on; 0: none, as at first. */
void rig_set_page(struct rig *r, uint32_t page, uint32_t slot);
/* Code that is translated from now on counts. */
void rig_set_counted(struct rig *r);
/* What has been translated for `rip` and not dropped, or NULL. */
struct blink_jit_code *rig_find(struct rig *r, uint64_t rip);
/* Indirect branches do not find it any more; the back end drops it. */
void rig_drop(struct rig *r, struct blink_jit_code *code);
/* Run it. With `steps` one host instruction at a time. */
struct rig_end rig_enter(struct rig *r, struct blink_jit_code *code, struct rig_steps *steps);
/* Linkable exit of the last run; the code is NULL if it was none. */
struct blink_jit_code *rig_from(const struct rig *r, uint32_t *exit);
/* Instructions interpreted for the back end, and look-ups made for it, so far. */
uint32_t rig_interpreted(const struct rig *r);
uint32_t rig_lookups(const struct rig *r);

#endif
