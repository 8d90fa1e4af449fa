/*
 * The smallest loop around the interpreter: one block of one instruction. Single-threaded.
 */
#include "sse_guest.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/cpu.h"
#include "interp/interp.h"
#include "interp/sse/mxcsr.h"

struct guest {
    struct blink_cpu cpu;
    struct interp_context context;
    struct blink_jump_cache jumps;
    struct block nowhere;
};

struct blink_cpu *guest_cpu(void) {
    static struct guest *g;
    if (!g) {
        g = calloc(1, sizeof *g);
        g->nowhere.rip = UINT64_MAX;
        for (uint32_t k = 0; k < INTERP_JUMP_SLOTS; k++)
            g->jumps.slot[k] = &g->nowhere;
        g->cpu.exec_private = &g->context;
        g->cpu.jumps = &g->jumps;
    }
    cpu_reset_user64(&g->cpu);
    g->cpu.xcr0 = 7;
    g->cpu.bias = 0;
    cpu_update_mode(&g->cpu);
    return &g->cpu;
}

void guest_run(struct blink_cpu *cpu, const struct blink_insn *insn) {
    struct interp_context *c = cpu->exec_private;
    struct block *b = calloc(1, sizeof *b + 2 * sizeof b->insns[0]);
    b->rip = 0x1000;
    b->mode = cpu->mode;
    b->count = 1;
    b->end_rip = 0x1000 + insn->len;
    b->insns[0] = *insn;
    b->insns[0].addr = 0x1000;
    interp_bind_block(b);
    cpu->exit_reason = BLINK_EXIT_NONE;
    interp_mxcsr_load(cpu);
    if (sigsetjmp(c->unwind, 0) == 0)
        interp_run(cpu, b->insns);
    interp_mxcsr_store(cpu);
    free(b);
}
