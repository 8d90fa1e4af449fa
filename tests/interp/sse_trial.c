/*
 * Random trials of the cases of sse_ops.h: operands, start state, and how it gets into the
 * interpreter and out. Reproducible from the seed, on every host.
 */
#include "sse_trial.h"

#include <string.h>

#include "sse_table.h"

#define CASES (sizeof sse_cases / sizeof sse_cases[0])

const struct sse_case *sse_case_at(uint32_t n) {
    return n < CASES ? &sse_cases[n] : NULL;
}

uint32_t sse_need(const struct sse_case *t, uint32_t form) {
    bool only256 = t->wide == Y_ONLY || t->wide == Y_HALF_ONLY || t->wide == Y_BROADCAST_ONLY;
    switch (form) {
    case FORM_LEGACY: return t->legacy ? t->need : (uint32_t)F_NONE;
    case FORM_MMX: return t->flags & T_MMX ? t->need : (uint32_t)F_NONE;
    case FORM_128: return t->vex && !only256 ? t->need128 : (uint32_t)F_NONE;
    default: return t->vex && t->wide != Y_NONE ? t->need256 : (uint32_t)F_NONE;
    }
}

static uint32_t pick_gpr(struct rng *r) {
    static const uint8_t usable[] = {1, 2, 6, 7, 8, 9, 10, 11};
    return usable[rng_below(r, 8)];
}

void sse_make_plan(struct rng *r, const struct sse_case *t, uint32_t form, struct sse_plan *p) {
    *p = (struct sse_plan){.test = t, .form = form, .imm = (uint8_t)rng_next(r)};
    bool memory = t->rm == OPND_M || (t->flags & T_MEMS) || (rng_next(r) & 1);
    p->memory = memory && !(t->flags & T_REGS);
    p->reg = t->reg == OPND_X ? rng_below(r, form == FORM_MMX ? 8 : 16) : pick_gpr(r);
    p->rm = t->rm == OPND_X ? rng_below(r, form == FORM_MMX ? 8 : 16) : pick_gpr(r);
    p->v = rng_below(r, 16);
    p->is4 = rng_below(r, 16);
}

static uint32_t random_mxcsr(struct rng *r) {
    uint32_t v = 0x1f80 | rng_below(r, 4) << 13;
    if (rng_below(r, 4) == 0)
        v |= 0x40;
    if (rng_below(r, 4) == 0)
        v |= 0x8000;
    if (rng_below(r, 4) == 0)
        v ^= rng_below(r, 64) << 7; /* unmask some */
    uint32_t sticky = rng_below(r, 64);
    return rng_below(r, 2) ? v | sticky : v;
}

void sse_make_state(struct rng *r, const struct sse_plan *p, struct sse_state *s,
                    uint8_t memory[SSE_MEMORY]) {
    memset(s, 0, sizeof *s);
    uint32_t flavour = rng_below(r, 6);
    for (uint32_t k = 0; k < 16; k++) {
        random_vector(r, s->ymm[k].u64, 4, flavour);
        s->gpr[k] = rng_next(r);
        s->gpr[k] >>= rng_below(r, 64);
    }
    random_vector(r, s->mmx, 8, flavour);
    random_vector(r, (uint64_t *)memory, SSE_MEMORY / 8, flavour);
    s->mxcsr = p->test->flags & T_FP ? random_mxcsr(r) : 0x1f80;
    if ((p->test->flags & T_STEPS) && p->form == FORM_256)
        s->mxcsr |= 0x1f80;
    s->rflags = 2 | (rng_next(r) & BLINK_FLAGS_ARITH);
    bool any = p->form >= FORM_128 ? !(p->test->flags & T_ALIGN) : p->test->flags & T_ANY;
    uint32_t at = any || sse_memory_size(p) < 16 ? rng_below(r, 32) : 32;
    /* Lengths of PCMPESTRI. */
    if (rng_below(r, 4))
        s->gpr[BLINK_RDX] = (uint64_t)(int64_t)((int32_t)rng_below(r, 40) - 20);
    if (!p->memory)
        s->gpr[BLINK_RAX] = (uint64_t)(int64_t)((int32_t)rng_below(r, 40) - 20);
    else
        s->gpr[BLINK_RAX] = at; /* from the start of either memory */
}

void sse_load_guest(struct blink_cpu *cpu, const struct sse_state *s) {
    memcpy(cpu->ymm, s->ymm, sizeof cpu->ymm);
    for (uint32_t k = 0; k < 8; k++) {
        cpu->fpr[k].frac = s->mmx[k];
        cpu->fpr[k].se = 0xffff;
    }
    memcpy(cpu->gpr, s->gpr, sizeof s->gpr);
    cpu->mxcsr = s->mxcsr;
    cpu->fp_flags = 0;
    blink_cpu_set_flags(cpu, s->rflags);
}
void sse_save_guest(const struct blink_cpu *cpu, struct sse_state *s) {
    memcpy(s->ymm, cpu->ymm, sizeof s->ymm);
    for (uint32_t k = 0; k < 8; k++)
        s->mmx[k] = cpu->fpr[k].frac;
    memcpy(s->gpr, cpu->gpr, sizeof s->gpr);
    s->mxcsr = cpu->mxcsr;
    s->rflags = blink_cpu_get_flags(cpu) & (BLINK_FLAGS_ARITH | 2);
}
