/*
 * The interpreter as the execution loop sees it: blocks of bound instructions, run from handler
 * to handler until something ends the run. Everything here is called by the vCPU's own thread.
 */
#ifndef CORE_INTERP_INTERP_H
#define CORE_INTERP_INTERP_H

#include <blink/cpu.h>
#include <blink/insn.h>
#include <setjmp.h>
#include <stdbool.h>

struct blink_bus;

/* Handlers are `const struct blink_insn *handler(cpu, insn)`; see blink_insn.handler. */
typedef const struct blink_insn *interp_handler(struct blink_cpu *cpu,
                                                const struct blink_insn *insn);

/* op of the record that closes every block; its imm is the address of the block. */
#define INTERP_OP_END 0xffffu

/* Exits of a block that can be chained. */
enum { BLOCK_TAKEN, BLOCK_FALL, BLOCK_EXITS };

/*
 * A block: straight-line code and what follows it. Made and dropped by exec; branch handlers read
 * the links. Dropping sets rip to ~0 first, so no lookup finds it any more.
 */
struct block {
    uint64_t rip;
    uint64_t cs_base;
    uint32_t mode;
    uint32_t count;                  /* instructions, without the closing record */
    uint64_t end_rip;                /* of the byte after the last instruction */
    struct block *link[BLOCK_EXITS]; /* atomic; NULL: leave to the loop */
    void *exec;                      /* exec's own part */
    /* System software: numbers of the physical pages it stands on, equal if it is one. `alone`:
     * with paging, where it has no links to other pages. */
    uint64_t physical[2];
    bool alone;
    struct blink_insn insns[]; /* count + 1 records */
};

/* Slots of a jump cache. */
#define INTERP_JUMP_SLOTS 4096u

struct blink_jump_cache {
    struct block *slot[INTERP_JUMP_SLOTS]; /* never NULL: an empty slot holds a dead block */
};

static inline uint32_t interp_jump_slot(uint64_t rip) {
    return (uint32_t)((rip ^ (rip >> 12)) & (INTERP_JUMP_SLOTS - 1));
}

/* interp_context.remapped: page tables may say something else; or paging itself has changed. */
#define INTERP_REMAP_PAGES 1u
#define INTERP_REMAP_ALL   2u

/*
 * What handlers need of their loop; blink_cpu.exec_private points at it (exec embeds it as the
 * first member of its own structure).
 */
struct interp_context {
    sigjmp_buf unwind;       /* where interp_raise and host faults go */
    struct block *link_from; /* block left through an unlinked exit, or NULL */
    uint32_t link_exit;      /* BLOCK_TAKEN or BLOCK_FALL */
    uint32_t user_ports;     /* ports that devices claimed may be used at CPL 3 */
    struct blink_bus *bus;   /* for IN and OUT */
    /* Virtual time in nanoseconds, or NULL: the host's. It looks at cpu->insn for what of the
     * present block is done. */
    uint64_t (*clock)(struct blink_cpu *cpu);
    uint64_t random;      /* with virtual time: where the random numbers have got to */
    uint32_t alone;       /* the block under execution is of one instruction */
    uint32_t remapped;    /* INTERP_REMAP_*: linear addresses mean other memory now */
    uint32_t nmi_masked;  /* an NMI is being handled: IRET ends that */
    uint32_t watch_hits;  /* data breakpoints hit by the instruction under execution: DR6 0-3 */
    uint64_t page_faults; /* counters */
    uint64_t tlb_misses;
};

/*
 * Choose handlers for insns[0..count), close the block with the record insns[count], and work out
 * which flags are dead. All of mode is significant: memory strategy, code size, privilege.
 */
void interp_bind_block(struct block *block);

/*
 * Run from `insn` until the run ends; cpu->exit_reason and rip tell how. The caller has set
 * context->unwind with sigsetjmp(…, 0); a fault arrives there as non-zero.
 */
void interp_run(struct blink_cpu *cpu, const struct blink_insn *insn);

/* Run exactly one instruction at cpu->rip, of any block; used for single steps. The record after
 * `insn` is not touched. */

/* The closing record of the block that holds `insn`. */
const struct blink_insn *interp_block_end(const struct blink_insn *insn);

/*
 * End the run with an exception at the instruction under execution (cpu->insn): sets exit_reason,
 * exit_info, exit_error, cr2 for page faults, rip, counts, and unwinds.
 */
_Noreturn void interp_raise(struct blink_cpu *cpu, uint32_t vector, uint64_t error);
_Noreturn void interp_raise_page(struct blink_cpu *cpu, uint64_t address, uint64_t error);
/* The store under execution hit translated code: unwind with BLINK_EXIT_SMC, rip at the store. */
_Noreturn void interp_raise_smc(struct blink_cpu *cpu);
/* The instruction under execution must be one by itself: unwind with BLINK_EXIT_ALONE. */
_Noreturn void interp_raise_alone(struct blink_cpu *cpu);
/* Common part of the above, also used by the signal trampoline: put rip and icount right for a
 * run that ends before cpu->insn. */
void interp_settle(struct blink_cpu *cpu);

#endif
