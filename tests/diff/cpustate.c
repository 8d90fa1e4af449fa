/*
 * The state of a trial in a blink_cpu, and back.
 */
#include <string.h>

#include "cpu/cpu.h"
#include "diff.h"

void cpu_load_state(struct blink_cpu *cpu, const struct trial *t) {
    const struct state *s = &t->state;
    const uint8_t *x = s->xsave;
    uint16_t fsw;
    memcpy(cpu->gpr, s->gpr, sizeof s->gpr);
    cpu->rip = trial_start(t);
    blink_cpu_set_flags(cpu, s->flags);
    for (uint32_t k = 0; k < 6; k++)
        cpu->seg[k] = segments_find(s->seg[k]);
    if (t->mode == BLINK_MODE_BITS64) {
        cpu->seg[BLINK_SEG_FS].base = s->fs;
        cpu->seg[BLINK_SEG_GS].base = s->gs;
    }
    cpu_update_mode(cpu);
    memcpy(&cpu->fcw, x, 2);
    memcpy(&fsw, x + 2, 2);
    cpu->ftop = fsw >> 11 & 7;
    cpu->fsw = fsw & (uint16_t)~0x3800;
    cpu->fvalid = x[4];
    cpu->fop = 0;
    cpu->fip = cpu->fdp = 0;
    cpu->fcs = cpu->fds = 0;
    memcpy(&cpu->mxcsr, x + 24, 4);
    for (uint32_t k = 0; k < 8; k++) {
        struct blink_f80 *f = &cpu->fpr[(cpu->ftop + k) & 7];
        memcpy(&f->frac, x + 32 + 16 * k, 8);
        memcpy(&f->se, x + 40 + 16 * k, 2);
    }
    for (uint32_t k = 0; k < 16; k++) {
        memcpy(cpu->ymm[k].u8, x + 160 + 16 * k, 16);
        memcpy(cpu->ymm[k].u8 + 16, x + 576 + 16 * k, 16);
    }
    cpu->exit_reason = BLINK_EXIT_NONE;
    cpu->exit_info = cpu->exit_error = 0;
    cpu->cr2 = 0;
    cpu->attention = 0;
}

void cpu_save_state(const struct blink_cpu *cpu, struct state *s) {
    uint8_t *x = s->xsave;
    uint16_t fsw = (uint16_t)(cpu->fsw | cpu->ftop << 11);
    memset(x, 0, XSAVE_SIZE);
    memcpy(s->gpr, cpu->gpr, sizeof s->gpr);
    s->rip = cpu->rip;
    s->flags = blink_cpu_get_flags(cpu);
    s->fs = cpu->seg[BLINK_SEG_FS].base;
    s->gs = cpu->seg[BLINK_SEG_GS].base;
    for (uint32_t k = 0; k < 6; k++)
        s->seg[k] = cpu->seg[k].selector;
    memcpy(x, &cpu->fcw, 2);
    memcpy(x + 2, &fsw, 2);
    x[4] = cpu->fvalid;
    memcpy(x + 24, &cpu->mxcsr, 4);
    for (uint32_t k = 0; k < 8; k++) {
        const struct blink_f80 *f = &cpu->fpr[(cpu->ftop + k) & 7];
        memcpy(x + 32 + 16 * k, &f->frac, 8);
        memcpy(x + 40 + 16 * k, &f->se, 2);
    }
    for (uint32_t k = 0; k < 16; k++) {
        memcpy(x + 160 + 16 * k, cpu->ymm[k].u8, 16);
        memcpy(x + 576 + 16 * k, cpu->ymm[k].u8 + 16, 16);
    }
}
