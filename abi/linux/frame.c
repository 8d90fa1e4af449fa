/*
 * The frame of a signal handler, as Linux builds it: struct rt_sigframe with the general registers
 * in a ucontext, and the FPU's state as an XSAVE area above it. vCPU threads; no state.
 */
#include <string.h>

#include "linux.h"

#define RED_ZONE        128
#define XCR0_AVX        4u
#define XSTATE_FPSSE    3u
#define MXCSR_MASK      0xffffu
#define MXCSR_DEFAULT   0x1f80u
#define FCW_DEFAULT     0x37fu
#define USER_CS         0x33
#define USER_SS         0x2b
#define FLAGS_FOR_ENTRY (~(uint64_t)(BLINK_DF | BLINK_TF | BLINK_RF))
/* What sigreturn takes from the frame: FIX_EFLAGS of Linux. */
#define FLAGS_FROM_FRAME (uint64_t)(BLINK_FLAGS_ARITH | BLINK_DF | BLINK_TF | BLINK_RF | BLINK_AC)

/* Order of the registers in struct sigcontext. */
static const uint8_t gpr_order[16] = {
    BLINK_R8,  BLINK_R9,  BLINK_R10, BLINK_R11, BLINK_R12, BLINK_R13, BLINK_R14, BLINK_R15,
    BLINK_RDI, BLINK_RSI, BLINK_RBP, BLINK_RBX, BLINK_RDX, BLINK_RAX, BLINK_RCX, BLINK_RSP,
};

/* ---- FPU ---- */

static bool has_avx(const struct blink_cpu *cpu) {
    return cpu->xcr0 & XCR0_AVX;
}
static uint32_t xstate_size(const struct blink_cpu *cpu) {
    return has_avx(cpu) ? sizeof(struct g_xstate) : offsetof(struct g_xstate, ymm_high);
}

static void save_x87(const struct blink_cpu *cpu, struct g_fpstate *f) {
    f->cwd = cpu->fcw;
    f->swd = (uint16_t)((cpu->fsw & ~0x3800) | cpu->ftop << 11);
    f->twd = cpu->fvalid;
    f->fop = cpu->fop;
    f->rip = cpu->fip;
    f->rdp = cpu->fdp;
    for (int k = 0; k < 8; k++) {
        const struct blink_f80 *r = &cpu->fpr[(cpu->ftop + k) & 7];
        memcpy(f->st[k], &r->frac, 8);
        memcpy(f->st[k] + 8, &r->se, 2);
    }
}

static void load_x87(struct blink_cpu *cpu, const struct g_fpstate *f) {
    cpu->fcw = f->cwd;
    cpu->ftop = (f->swd >> 11) & 7;
    cpu->fsw = (uint16_t)(f->swd & ~0x3800);
    cpu->fvalid = f->twd;
    cpu->fop = f->fop & 0x7ff;
    cpu->fip = f->rip;
    cpu->fdp = f->rdp;
    for (int k = 0; k < 8; k++) {
        struct blink_f80 *r = &cpu->fpr[(cpu->ftop + k) & 7];
        memset(r, 0, sizeof *r);
        memcpy(&r->frac, f->st[k], 8);
        memcpy(&r->se, f->st[k] + 8, 2);
    }
}

static void save_xstate(const struct blink_cpu *cpu, struct g_xstate *x) {
    memset(x, 0, sizeof *x);
    save_x87(cpu, &x->fx);
    x->fx.mxcsr = cpu->mxcsr;
    x->fx.mxcsr_mask = MXCSR_MASK;
    for (int k = 0; k < 16; k++) {
        memcpy(x->fx.xmm[k], cpu->ymm[k].u8, 16);
        memcpy(x->ymm_high[k], cpu->ymm[k].u8 + 16, 16);
    }
    x->fx.sw.magic1 = G_FP_XSTATE_MAGIC1;
    x->fx.sw.extended_size = xstate_size(cpu) + 4;
    x->fx.sw.xfeatures = cpu->xcr0;
    x->fx.sw.xstate_size = xstate_size(cpu);
    x->xstate_bv = cpu->xcr0 | XSTATE_FPSSE;
}

/* The state after FNINIT and with zeroed vectors, which handlers begin with. */
static void clear_xstate(struct blink_cpu *cpu) {
    cpu->fcw = FCW_DEFAULT;
    cpu->fsw = cpu->fop = 0;
    cpu->ftop = cpu->fvalid = 0;
    cpu->fip = cpu->fdp = 0;
    cpu->mxcsr = MXCSR_DEFAULT;
    memset(cpu->fpr, 0, sizeof cpu->fpr);
    memset(cpu->ymm, 0, sizeof cpu->ymm);
}

/* `features` says which parts of *x stand in the frame; the others begin anew. */
static void load_xstate(struct blink_cpu *cpu, const struct g_xstate *x, uint64_t features) {
    clear_xstate(cpu);
    if (features & 1)
        load_x87(cpu, &x->fx);
    if (features & (2 | XCR0_AVX))
        cpu->mxcsr = x->fx.mxcsr;
    for (int k = 0; k < 16; k++) {
        if (features & 2)
            memcpy(cpu->ymm[k].u8, x->fx.xmm[k], 16);
        if (features & XCR0_AVX && has_avx(cpu))
            memcpy(cpu->ymm[k].u8 + 16, x->ymm_high[k], 16);
    }
}

/* Frames made by hand may hold the FXSAVE part alone: check_xstate_in_sigframe of Linux. */
static int pop_xstate(struct lx_thread *t, uint64_t address) {
    struct blink_cpu *cpu = t->cpu;
    const struct blink_mem_iface *mem = &t->abi->mem;
    struct g_xstate x = {0};
    uint32_t size = xstate_size(cpu), magic2;
    uint64_t features = XSTATE_FPSSE;
    if (!address) {
        clear_xstate(cpu);
        return 0;
    }
    if (mem->copy_in(cpu->mem, &x.fx, address, sizeof x.fx))
        return -EFAULT;
    bool whole = x.fx.sw.magic1 == G_FP_XSTATE_MAGIC1 && x.fx.sw.xstate_size == size &&
                 x.fx.sw.extended_size >= size &&
                 mem->copy_in(cpu->mem, &magic2, address + size, sizeof magic2) == 0 &&
                 magic2 == G_FP_XSTATE_MAGIC2;
    if (whole) {
        uint64_t wanted = x.fx.sw.xfeatures & cpu->xcr0;
        if (mem->copy_in(cpu->mem, &x, address, size))
            return -EFAULT;
        /* XRSTOR faults on these, and Linux gives up the frame. */
        if (x.xstate_bv & ~cpu->xcr0 || x.xcomp_bv)
            return -EFAULT;
        features = x.xstate_bv & wanted;
    }
    if (x.fx.mxcsr & ~MXCSR_MASK)
        return -EFAULT;
    load_xstate(cpu, &x, features);
    return 0;
}

/* ---- building ---- */

bool lx_on_altstack(const struct lx_thread *t, uint64_t sp) {
    const struct g_stack *s = &t->altstack;
    return !((uint32_t)s->flags & G_SS_AUTODISARM) && sp > s->sp && sp - s->sp <= s->size;
}

static bool within_altstack(const struct lx_thread *t, uint64_t sp) {
    return sp > t->altstack.sp && sp - t->altstack.sp <= t->altstack.size;
}

static void fill_context(const struct lx_thread *t, const struct lx_frame *f, uint64_t fpstate,
                         struct g_sigframe *frame) {
    const struct blink_cpu *cpu = t->cpu;
    struct g_sigcontext *m = &frame->uc.mcontext;
    memset(frame, 0, sizeof *frame);
    frame->pretcode = f->action.restorer;
    frame->uc.flags = G_UC_FP_XSTATE | G_UC_SIGCONTEXT_SS | G_UC_STRICT_RESTORE_SS;
    frame->uc.stack = t->altstack;
    if (!t->altstack.size)
        frame->uc.stack.flags = G_SS_DISABLE;
    else if (lx_on_altstack(t, cpu->gpr[BLINK_RSP]))
        frame->uc.stack.flags |= G_SS_ONSTACK;
    frame->uc.sigmask = f->saved_mask;
    for (size_t k = 0; k < 16; k++)
        memcpy((uint8_t *)m + 8 * k, &cpu->gpr[gpr_order[k]], 8);
    m->rip = cpu->rip;
    m->eflags = blink_cpu_get_flags(cpu);
    m->cs = cpu->seg[BLINK_SEG_CS].selector;
    m->gs = cpu->seg[BLINK_SEG_GS].selector;
    m->fs = cpu->seg[BLINK_SEG_FS].selector;
    m->ss = cpu->seg[BLINK_SEG_SS].selector;
    m->trapno = t->trapno;
    m->err = t->error;
    m->cr2 = t->cr2;
    m->oldmask = f->saved_mask;
    m->fpstate = fpstate;
    memcpy(frame->info, f->info, sizeof frame->info);
}

int lx_frame_push(struct lx_thread *t, const struct lx_frame *f) {
    struct blink_cpu *cpu = t->cpu;
    const struct blink_mem_iface *mem = &t->abi->mem;
    struct g_sigframe frame;
    struct g_xstate x;
    uint32_t size = xstate_size(cpu), magic2 = G_FP_XSTATE_MAGIC2;
    uint64_t sp = cpu->gpr[BLINK_RSP];
    bool nested = lx_on_altstack(t, sp);
    bool enter = (f->action.flags & G_SA_ONSTACK) && t->altstack.size && !nested;
    uint64_t top = enter ? t->altstack.sp + t->altstack.size : sp - RED_ZONE;
    if (!(f->action.flags & G_SA_RESTORER))
        return -EFAULT;
    uint64_t fpstate = (top - size - sizeof magic2) & ~UINT64_C(63);
    uint64_t at = ((fpstate - sizeof frame) & ~UINT64_C(15)) - 8;
    /* An alternate stack must hold all of it. */
    if ((nested || enter) && !within_altstack(t, at))
        return -EFAULT;
    save_xstate(cpu, &x);
    fill_context(t, f, fpstate, &frame);
    if (mem->copy_out(cpu->mem, fpstate, &x, size) ||
        mem->copy_out(cpu->mem, fpstate + size, &magic2, sizeof magic2) ||
        mem->copy_out(cpu->mem, at, &frame, sizeof frame))
        return -EFAULT;
    if ((uint32_t)t->altstack.flags & G_SS_AUTODISARM)
        t->altstack = (struct g_stack){.flags = G_SS_DISABLE};
    cpu->gpr[BLINK_RDI] = (uint64_t)f->signo;
    cpu->gpr[BLINK_RSI] = at + offsetof(struct g_sigframe, info);
    cpu->gpr[BLINK_RDX] = at + offsetof(struct g_sigframe, uc);
    cpu->gpr[BLINK_RAX] = 0;
    cpu->gpr[BLINK_RSP] = at;
    cpu->rip = f->action.handler;
    blink_cpu_set_flags(cpu, blink_cpu_get_flags(cpu) & FLAGS_FOR_ENTRY);
    clear_xstate(cpu);
    return 0;
}

/* ---- undoing ---- */

int lx_frame_pop(struct lx_thread *t, uint64_t *mask) {
    struct blink_cpu *cpu = t->cpu;
    struct g_sigframe frame;
    /* The handler's RET has taken pretcode. */
    uint64_t at = cpu->gpr[BLINK_RSP] - sizeof frame.pretcode;
    if (t->abi->mem.copy_in(cpu->mem, &frame, at, sizeof frame))
        return -EFAULT;
    const struct g_sigcontext *m = &frame.uc.mcontext;
    if (pop_xstate(t, m->fpstate))
        return -EFAULT;
    for (size_t k = 0; k < 16; k++)
        memcpy(&cpu->gpr[gpr_order[k]], (const uint8_t *)m + 8 * k, 8);
    cpu->rip = m->rip;
    uint64_t flags = blink_cpu_get_flags(cpu) & ~FLAGS_FROM_FRAME;
    blink_cpu_set_flags(cpu, flags | (m->eflags & FLAGS_FROM_FRAME));
    if (m->eflags & BLINK_TF)
        t->abi->exec.interrupt(cpu, BLINK_ATTN_STEP);
    *mask = frame.uc.sigmask & ~LX_UNBLOCKABLE;
    lx_altstack_restore(t, &frame.uc.stack);
    return 0;
}
