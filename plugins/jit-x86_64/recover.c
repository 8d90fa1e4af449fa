/*
 * The guest's state from the host's at any program counter of generated code. In signal handlers:
 * nothing here allocates, locks or calls out.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#include "jit.h"

/* The signal frame: an FXSAVE image, software bytes at 464, the XSAVE header at 512. */
#define FP_MAGIC     0x46505853u
#define FP_SW_OFFSET 464u
#define XSTATE_BV    512u
#define XSTATE_YMM   576u
#define XFEATURE_FP  1u
#define XFEATURE_YMM 4u

/* The span that offset `at` is in, or NULL: before the first. */
static const struct span *span_at(const struct code *c, uint32_t at) {
    uint32_t low = 0, high = c->spans;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (c->span[middle].start <= at)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? &c->span[low - 1] : NULL;
}

/* recover_find by the low half of a host address alone; no arena is larger than 2 GiB. */
static const struct code *find_low(const struct blink_plugin *self, uint64_t *pc) {
    uint32_t low = (uint32_t)*pc;
    for (uint32_t a = 0; low && a < MAX_ARENAS; a++) {
        uint64_t start =
            __atomic_load_n(&self->glue[a].made, __ATOMIC_ACQUIRE) ? self->glue[a].start : 0;
        *pc = start + (uint64_t)(int64_t)(int32_t)(low - (uint32_t)start);
        const struct code *c = start ? recover_find(self, *pc, HOT) : NULL;
        if (c)
            return c;
    }
    return NULL;
}

/* Which instruction was the last: the host's pointer is to generated code, unless there has been
 * none, or the host does not tell. Some hosts tell half of it. */
static void pointers_from_image(const struct blink_plugin *self, struct blink_cpu *cpu,
                                const uint8_t *image) {
    uint64_t fip;
    memcpy(&fip, image + 8, 8);
    const struct code *c = fip >> 32 ? recover_find(self, fip, HOT) : find_low(self, &fip);
    const struct span *s = c ? span_at(c, (uint32_t)(fip - c->at[HOT])) : NULL;
    if (!s)
        return;
    cpu->fip = c->rip + s->guest;
    cpu->fcs = cpu->seg[BLINK_SEG_CS].selector;
    memcpy(&cpu->fop, image + 6, 2);
    cpu->fop &= 0x7ff;
    /* In paged memory it is an address of the host. */
    cpu->fdp = 0;
    if (!(cpu->mode & BLINK_MODE_PAGED))
        memcpy(&cpu->fdp, image + 16, 8);
}

void x87_from_image(const struct blink_plugin *self, struct blink_cpu *cpu, const uint8_t *image) {
    uint16_t fsw;
    uint8_t valid = image[4];
    memcpy(&cpu->fcw, image, 2);
    memcpy(&fsw, image + 2, 2);
    cpu->ftop = (fsw >> 11) & 7;
    cpu->fsw = fsw & ~0x3800u & 0xffff;
    cpu->fvalid = valid;
    for (uint32_t k = 0; k < 8; k++) {
        struct blink_f80 *r = &cpu->fpr[(cpu->ftop + k) & 7];
        memcpy(&r->frac, image + 32 + 16 * k, 8);
        memcpy(&r->se, image + 40 + 16 * k, 2);
    }
    pointers_from_image(self, cpu, image);
}

void x87_to_image(const struct blink_cpu *cpu, uint8_t *image) {
    static const uint32_t mxcsr = 0x1f80;
    uint16_t fsw = (uint16_t)(cpu->fsw | cpu->ftop << 11);
    memcpy(image, &cpu->fcw, 2);
    memcpy(image + 2, &fsw, 2);
    image[4] = cpu->fvalid;
    memcpy(image + 6, &cpu->fop, 2);
    memcpy(image + 8, &cpu->fip, 8);
    memcpy(image + 16, &cpu->fdp, 8);
    memcpy(image + 24, &mxcsr, 4);
    for (uint32_t k = 0; k < 8; k++) {
        const struct blink_f80 *r = &cpu->fpr[(cpu->ftop + k) & 7];
        memcpy(image + 32 + 16 * k, &r->frac, 8);
        memcpy(image + 40 + 16 * k, &r->se, 2);
    }
}

static void take_gprs(struct blink_cpu *cpu, const ucontext_t *c) {
    static const uint8_t greg[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                     REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                     REG_R12, REG_R13, REG_R14, REG_R15};
    for (uint32_t n = 0; n < 16; n++)
        cpu->gpr[n] = (uint64_t)c->uc_mcontext.gregs[greg[n]];
    uint64_t flags = (uint64_t)c->uc_mcontext.gregs[REG_EFL];
    blink_cpu_set_flags(cpu, (cpu->flags & ~(uint64_t)LIVE_FLAGS) | (flags & LIVE_FLAGS));
}

static void take_fp(const struct blink_plugin *self, struct blink_cpu *cpu, const ucontext_t *c) {
    const uint8_t *image = (const uint8_t *)c->uc_mcontext.fpregs;
    uint32_t magic;
    uint64_t present = XFEATURE_FP;
    memcpy(&magic, image + FP_SW_OFFSET, 4);
    bool extended = magic == FP_MAGIC;
    if (extended)
        memcpy(&present, image + XSTATE_BV, 8);
    memcpy(&cpu->mxcsr, image + 24, 4);
    for (uint32_t n = 0; n < 16; n++)
        memcpy(&cpu->ymm[n].u64[0], image + 160 + 16 * n, 16);
    /* Without has_avx the guest's upper halves are not in the host's registers. */
    for (uint32_t n = 0; n < 16 && extended && self->has_avx; n++) {
        if (present & XFEATURE_YMM)
            memcpy(&cpu->ymm[n].u64[2], image + XSTATE_YMM + 16 * n, 16);
        else
            memset(&cpu->ymm[n].u64[2], 0, 16);
    }
    if (cpu->jit_slot[SLOT_X87] == X87_LIVE)
        x87_from_image(self, cpu, image);
}

struct code *recover_find(const struct blink_plugin *self, uint64_t pc, uint32_t kind) {
    for (uint32_t a = 0; a < MAX_ARENAS; a++) {
        const struct code_list *list = &self->list[a][kind];
        uint32_t low = 0, high = __atomic_load_n(&list->count, __ATOMIC_ACQUIRE);
        /* The last that begins at or before pc. */
        while (low < high) {
            uint32_t middle = (low + high) / 2;
            if (list->v[middle]->at[kind] <= pc)
                low = middle + 1;
            else
                high = middle;
        }
        struct code *c = low ? list->v[low - 1] : NULL;
        if (c && pc - c->at[kind] < c->size[kind])
            return c;
    }
    return NULL;
}

/* Give the stack its return address back. If it cannot be written any more, it need not be. */
static void mend(const struct blink_cpu *cpu, uint64_t rip) {
    struct iovec from = {&rip, sizeof rip};
    struct iovec to = {(void *)(uintptr_t)(cpu->gpr[BLINK_RSP] - sizeof rip), sizeof rip};
    process_vm_writev(getpid(), &from, 1, &to, 1, 0);
}

int64_t recover_left(const struct blink_cpu *cpu, const struct code *c) {
    uint32_t done = 0;
    while (done < c->count && c->rip + c->guest_at[done] != cpu->rip)
        done++;
    return c->count - done;
}

/* The stack pointer moves, as wide as it is. */
static void move_stack(struct blink_cpu *cpu, int64_t by) {
    uint64_t *sp = &cpu->gpr[BLINK_RSP], moved = *sp + (uint64_t)by;
    if ((cpu->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64)
        *sp = moved;
    else if (by && legacy_stack_width(cpu->mode) == 4)
        *sp = (uint32_t)moved;
    else if (by)
        *sp = (*sp & ~UINT64_C(0xffff)) | (moved & 0xffff);
}

bool recover_arrive(const struct blink_plugin *self, struct blink_cpu *cpu) {
    if ((int64_t)(cpu->rip << 16) >> 16 == (int64_t)cpu->rip)
        return false;
    const struct code *from = self->by_id[cpu->jit_slot[SLOT_FROM]];
    cpu->rip = from->rip + from->last;
    cpu->gpr[BLINK_RSP] -= from->popped;
    if (from->guest_at)
        cpu->budget++;
    return true;
}

/* Of real and virtual-8086 mode. */
static void settle_segment(struct blink_seg *s) {
    s->base = (uint64_t)s->selector << 4;
}

int recover_settle(const struct blink_plugin *self, struct blink_cpu *cpu, const struct code *c,
                   uint32_t at) {
    const struct span *s = span_at(c, at);
    uint64_t r11 = cpu->gpr[BLINK_R11];
    cpu->rip = c->rip;
    if (!s)
        return 0;
    for (uint32_t reg = 0; reg < 16; reg++)
        if (s->held & BIT(reg))
            cpu->gpr[reg] = cpu->jit_slot[SLOT_HELD + reg];
    move_stack(cpu, s->stack);
    if (s->torn)
        mend(cpu, r11);
    switch (s->kind) {
    case SPAN_R11:
        cpu->rip = r11;
        recover_arrive(self, cpu);
        break;
    case SPAN_EXIT0: cpu->rip = c->exit_rip[0]; break;
    case SPAN_EXIT1: cpu->rip = c->exit_rip[1]; break;
    default: cpu->rip = c->rip + s->guest; break;
    }
    bool within = s->kind == SPAN_BEFORE || s->kind >= SPAN_SELECTOR;
    if (s->kind >= SPAN_SELECTOR)
        settle_segment(&cpu->seg[s->kind - SPAN_SELECTOR]);
    if (c->guest_at && within && !s->free)
        cpu->budget += recover_left(cpu, c);
    return s->ours;
}

int recover_resume(struct blink_cpu *cpu, const struct code *c) {
    for (uint32_t k = 0; k < c->spans; k++) {
        const struct span *s = &c->span[k];
        if (s->kind != SPAN_BEFORE || s->free || c->rip + s->guest != cpu->rip || s->stack ||
            (s->held & BIT(BLINK_RSP)))
            continue;
        /* All of them: what the code takes to be in a slot is. */
        memcpy(&cpu->jit_slot[SLOT_HELD], cpu->gpr, 16 * sizeof cpu->gpr[0]);
        return (int)s->start;
    }
    return -ENOENT;
}

/* On the way of an indirect branch. */
static void arrive(const struct blink_plugin *self, struct blink_cpu *cpu) {
    cpu->rip = cpu->gpr[BLINK_R11];
    cpu->gpr[BLINK_R11] = cpu->jit_slot[SLOT_HELD + BLINK_R11];
    cpu->gpr[BLINK_RCX] = cpu->jit_slot[SLOT_HELD + BLINK_RCX];
    recover_arrive(self, cpu);
}

/* In the gate or the landing; at their last jumps all is done. */
static void land(const struct blink_plugin *self, struct blink_cpu *cpu, const struct code *c,
                 uint32_t at) {
    if (at < c->landing) {
        if (at > c->gate && at < c->gate_end)
            cpu->gpr[BLINK_RCX] = cpu->jit_slot[SLOT_HELD + BLINK_RCX];
        cpu->rip = c->rip;
        return;
    }
    if (at >= c->landing_end)
        cpu->rip = c->rip;
    else
        arrive(self, cpu);
}

/* The glue that pc is in, or NULL. */
static const struct glue *glue_at(const struct blink_plugin *self, uint64_t pc) {
    for (uint32_t a = 0; a < MAX_ARENAS; a++) {
        const struct glue *g = &self->glue[a];
        if (__atomic_load_n(&g->made, __ATOMIC_ACQUIRE) && pc >= g->start && pc < g->end)
            return g;
    }
    return NULL;
}

/* On the way to a landing. */
static bool is_dispatch(const struct glue *g, uint64_t pc) {
    return pc >= g->astray && pc < g->dispatch_end;
}

/* Elsewhere in the glue. */
static int in_glue(const struct glue *g, struct blink_cpu *cpu, uint64_t pc) {
    /* Nothing has run, and the CPU still has it all. */
    for (uint32_t k = 0; k < 2; k++)
        if (pc >= g->checked[k] && pc < g->early[k])
            return 0;
    /* Past its look at attention: what it is about to jump to leaves instead. */
    if (pc >= g->miss_checked && pc < g->miss_end)
        cpu->jit_slot[SLOT_TARGET] = g->lost;
    return -EAGAIN;
}

int recover_state(struct blink_plugin *self, struct blink_cpu *cpu, void *context, uint64_t pc) {
    const ucontext_t *c = context;
    const struct glue *glue = glue_at(self, pc);
    if (glue && !is_dispatch(glue, pc))
        return in_glue(glue, cpu, pc);
    const struct code *hot = glue ? NULL : recover_find(self, pc, HOT);
    const struct code *cold = glue || hot ? NULL : recover_find(self, pc, COLD);
    if (!glue && !hot && !cold)
        return -ENOENT;
    /* The exit stubs run out by themselves. */
    if (cold && pc - cold->at[COLD] < (cold->gate ? cold->gate : cold->landing))
        return -EAGAIN;
    take_gprs(cpu, c);
    take_fp(self, cpu, c);
    if (hot)
        return recover_settle(self, cpu, hot, (uint32_t)(pc - hot->at[HOT]));
    if (glue && pc == glue->astray) /* the stack first, it may be needed again */
        mend(cpu, cpu->gpr[BLINK_R11]);
    if (cold)
        land(self, cpu, cold, (uint32_t)(pc - cold->at[COLD]));
    else
        arrive(self, cpu);
    return glue && pc == glue->astray;
}
