/*
 * Interrupts and exceptions through the interrupt vector table of real mode and the gates of
 * protected and long mode. AMD64 manual volume 2, 8.4 to 8.9; see transfer.h.
 */
#include "cpu/cpu.h"
#include "interp/transfer.h"
#include "mem/space.h"

bool interp_has_error(uint32_t vector) {
    return vector == BLINK_EXC_DF || vector == BLINK_EXC_AC ||
           (vector >= BLINK_EXC_TS && vector <= BLINK_EXC_PF);
}

static bool pushes_error(const struct transfer *t) {
    return t->event->kind == EVENT_EXCEPTION && interp_has_error(t->event->vector);
}

/* Error code of a defect of gate `vector` itself: index times 8, IDT, EXT. */
static _Noreturn void refuse_gate(struct transfer *t, uint32_t vector) {
    transfer_refuse(t, vector, t->event->vector * 8u | 2u | t->ext);
}

/* RFLAGS as pushed: a fault shows RF, so that its instruction does not hit a breakpoint twice. */
static uint64_t flags_image(const struct transfer *t) {
    uint64_t fl = blink_cpu_get_flags(t->cpu);
    bool fault = t->event->kind == EVENT_EXCEPTION && t->event->vector != BLINK_EXC_DB &&
                 t->event->vector != BLINK_EXC_BP && t->event->vector != BLINK_EXC_OF &&
                 t->event->vector != BLINK_EXC_DF;
    return fault ? fl | BLINK_RF : fl;
}

static void clear_flags(struct blink_cpu *cpu, bool interrupt_gate) {
    cpu->flags &= ~(uint64_t)(BLINK_TF | BLINK_VM | BLINK_RF | BLINK_NT);
    if (interrupt_gate)
        cpu->flags &= ~(uint64_t)BLINK_IF;
}

static void deliver_real(struct transfer *t) {
    struct blink_cpu *cpu = t->cpu;
    struct frame f = transfer_current_stack(t);
    uint32_t at = t->event->vector * 4;
    if (at + 3 > cpu->idtr.limit)
        refuse_gate(t, BLINK_EXC_GP);
    uint32_t target = (uint32_t)transfer_load(t, cpu->idtr.base + at, 0, 4);
    transfer_push(t, &f, 2, blink_cpu_get_flags(cpu) & 0xffff);
    transfer_push(t, &f, 2, cpu->seg[BLINK_SEG_CS].selector);
    transfer_push(t, &f, 2, cpu->rip & 0xffff);
    transfer_use_stack(t, &f);
    cpu->flags &= ~(uint64_t)(BLINK_TF | BLINK_IF | BLINK_RF | BLINK_AC);
    struct blink_seg cs = cpu->seg[BLINK_SEG_CS];
    cs.selector = (uint16_t)(target >> 16);
    cs.base = (uint64_t)(target >> 16) << 4;
    cpu->seg[BLINK_SEG_CS] = cs;
    cpu->rip = target & 0xffff;
    cpu_update_mode(cpu);
}

/* A gate of the interrupt table. */
struct gate {
    uint32_t type;
    uint16_t selector;
    uint64_t offset;
    uint32_t ist;
};

/* Read and check it. */
static struct gate read_gate(struct transfer *t) {
    const struct blink_cpu *cpu = t->cpu;
    bool wide = transfer_in_long_mode(t);
    uint32_t size = wide ? 16 : 8;
    uint64_t at = (uint64_t)t->event->vector * size;
    if (at + size - 1 > cpu->idtr.limit)
        refuse_gate(t, BLINK_EXC_GP);
    uint64_t low = transfer_load(t, cpu->idtr.base + at, 0, 8);
    uint64_t high = wide ? transfer_load(t, cpu->idtr.base + at + 8, 0, 8) : 0;
    struct gate g = {
        .type = low >> 40 & 0x1f,
        .selector = (uint16_t)(low >> 16),
        .offset = (low & 0xffff) | (low >> 32 & 0xffff0000) | high << 32,
        .ist = wide ? low >> 32 & 7 : 0,
    };
    bool narrow = g.type == SYS_INT16 || g.type == SYS_TRAP16 || g.type == SYS_TASK_GATE;
    if (!(g.type == SYS_INT32 || g.type == SYS_TRAP32 || (narrow && !wide)))
        refuse_gate(t, BLINK_EXC_GP);
    if (t->event->kind == EVENT_SOFTWARE && (low >> 45 & 3) < cpu->cpl)
        refuse_gate(t, BLINK_EXC_GP);
    if (!(low >> 47 & 1))
        refuse_gate(t, BLINK_EXC_NP);
    if (g.type == SYS_INT16 || g.type == SYS_TRAP16)
        g.offset &= 0xffff;
    return g;
}

/* The code segment a gate leads to; *cpl is the level it runs at. */
static struct descriptor target_code(struct transfer *t, const struct gate *g, uint32_t *cpl) {
    const struct blink_cpu *cpu = t->cpu;
    struct descriptor d;
    if ((g->selector & 0xfffc) == 0)
        transfer_refuse(t, BLINK_EXC_GP, t->ext);
    transfer_need_descriptor(t, g->selector, BLINK_EXC_GP, &d);
    bool odd = transfer_in_long_mode(t) && (d.seg.attr & 0x6000) != 0x2000; /* L and not D */
    if (!DESC_IS_CODE(&d) || DESC_DPL(&d) > cpu->cpl || odd)
        transfer_refuse_selector(t, BLINK_EXC_GP, g->selector);
    if (!DESC_PRESENT(&d))
        transfer_refuse_selector(t, BLINK_EXC_NP, g->selector);
    *cpl = DESC_CONFORM(&d) ? cpu->cpl : DESC_DPL(&d);
    if ((cpu->flags & BLINK_VM) && *cpl != 0)
        transfer_refuse_selector(t, BLINK_EXC_GP, g->selector);
    transfer_mark(t, &d, 1);
    return d;
}

static void push_v86_segments(struct transfer *t, struct frame *f, uint32_t size) {
    static const uint8_t order[] = {BLINK_SEG_GS, BLINK_SEG_FS, BLINK_SEG_DS, BLINK_SEG_ES};
    for (uint32_t k = 0; k < sizeof order; k++)
        transfer_push(t, f, size, t->cpu->seg[order[k]].selector);
}

static void forget_v86_segments(struct blink_cpu *cpu) {
    static const uint8_t order[] = {BLINK_SEG_GS, BLINK_SEG_FS, BLINK_SEG_DS, BLINK_SEG_ES};
    for (uint32_t k = 0; k < sizeof order; k++)
        cpu->seg[order[k]] = (struct blink_seg){0, 0, 0, 0};
}

static void deliver_legacy(struct transfer *t, const struct gate *g) {
    struct blink_cpu *cpu = t->cpu;
    uint32_t size = g->type >= SYS_INT32 ? 4 : 2, cpl;
    bool v86 = cpu->flags & BLINK_VM;
    struct descriptor d = target_code(t, g, &cpl);
    bool inner = cpl != cpu->cpl;
    struct frame f = inner ? transfer_inner_stack(t, cpl) : transfer_current_stack(t);
    transfer_check_rip(t, &d.seg, g->offset);
    if (v86)
        push_v86_segments(t, &f, size);
    if (inner) {
        transfer_push(t, &f, size, cpu->seg[BLINK_SEG_SS].selector);
        transfer_push(t, &f, size, cpu->gpr[BLINK_RSP]);
    }
    transfer_push(t, &f, size, flags_image(t));
    transfer_push(t, &f, size, cpu->seg[BLINK_SEG_CS].selector);
    transfer_push(t, &f, size, cpu->rip);
    if (pushes_error(t))
        transfer_push(t, &f, size, t->event->error);
    transfer_use_stack(t, &f);
    if (v86)
        forget_v86_segments(cpu);
    clear_flags(cpu, g->type == SYS_INT16 || g->type == SYS_INT32);
    transfer_go(t, &d.seg, cpl, g->offset);
}

static void deliver_long(struct transfer *t, const struct gate *g) {
    struct blink_cpu *cpu = t->cpu;
    uint32_t cpl;
    struct descriptor d = target_code(t, g, &cpl);
    bool inner = cpl != cpu->cpl;
    uint64_t sp = cpu->gpr[BLINK_RSP];
    if (g->ist)
        sp = transfer_long_stack(t, 0x24 + (g->ist - 1) * 8);
    else if (inner)
        sp = transfer_long_stack(t, 4 + cpl * 8);
    transfer_check_rip(t, &d.seg, g->offset);
    struct frame f = {
        .ss = cpu->seg[BLINK_SEG_SS],
        .sp = sp & ~UINT64_C(15),
        .width = 8,
        .cpl = cpl,
        .fault = t->ext,
    };
    transfer_push(t, &f, 8, cpu->seg[BLINK_SEG_SS].selector);
    transfer_push(t, &f, 8, cpu->gpr[BLINK_RSP]);
    transfer_push(t, &f, 8, flags_image(t));
    transfer_push(t, &f, 8, cpu->seg[BLINK_SEG_CS].selector);
    transfer_push(t, &f, 8, cpu->rip);
    if (pushes_error(t))
        transfer_push(t, &f, 8, t->event->error);
    if (inner)
        f.ss = (struct blink_seg){0, 0, (uint16_t)cpl, (uint16_t)(cpl << 5)};
    transfer_use_stack(t, &f);
    clear_flags(cpu, g->type == SYS_INT32);
    transfer_go(t, &d.seg, cpl, g->offset);
}

static void through_task_gate(struct transfer *t, const struct gate *g) {
    struct descriptor d;
    if (g->selector & 4)
        transfer_refuse_selector(t, BLINK_EXC_GP, g->selector);
    transfer_need_descriptor(t, g->selector, BLINK_EXC_GP, &d);
    if (DESC_TYPE(&d) != SYS_TSS16 && DESC_TYPE(&d) != SYS_TSS32)
        transfer_refuse_selector(t, BLINK_EXC_GP, g->selector);
    if (!DESC_PRESENT(&d))
        transfer_refuse_selector(t, BLINK_EXC_NP, g->selector);
    t->next = t->cpu->rip;
    transfer_task(t, g->selector, &d, TASK_EVENT);
    if (pushes_error(t)) {
        struct frame f = transfer_current_stack(t);
        transfer_push(t, &f, (d.seg.attr & 8) ? 4 : 2, t->event->error);
        transfer_use_stack(t, &f);
    }
}

static void deliver(struct transfer *t) {
    if (!(t->cpu->cr0 & CR0_PE)) {
        deliver_real(t);
        return;
    }
    struct gate g = read_gate(t);
    if (g.type == SYS_TASK_GATE)
        through_task_gate(t, &g);
    else if (transfer_in_long_mode(t))
        deliver_long(t, &g);
    else
        deliver_legacy(t, &g);
}

bool interp_deliver(struct blink_cpu *cpu, const struct interp_event *event,
                    struct interp_event *refused) {
    struct transfer t = {
        .cpu = cpu,
        .event = event,
        .ext = event->kind != EVENT_SOFTWARE,
    };
    if (transfer_attempt(&t, deliver))
        return true;
    if (t.vector == BLINK_EXC_PF)
        cpu->cr2 = t.address;
    *refused = (struct interp_event){t.vector, EVENT_EXCEPTION, t.error};
    return false;
}

/* AMD64 manual volume 3, SYSCALL. */
bool interp_syscall(struct blink_cpu *cpu) {
    bool wide = cpu->efer & EFER_LMA, from64 = cpu->seg[BLINK_SEG_CS].attr & 0x2000;
    struct transfer t = {.cpu = cpu};
    uint16_t selector = (uint16_t)(cpu->star >> 32 & 0xfffc);
    if (!(cpu->efer & EFER_SCE) || !(cpu->cr0 & CR0_PE))
        return false;
    uint64_t fl = blink_cpu_get_flags(cpu), rip;
    cpu->gpr[BLINK_RCX] = wide ? cpu->rip : (uint32_t)cpu->rip;
    if (wide) {
        cpu->gpr[BLINK_R11] = fl & ~(uint64_t)BLINK_RF;
        fl &= ~(cpu->sfmask | BLINK_RF);
        rip = from64 ? cpu->lstar : cpu->cstar;
    } else {
        fl &= ~(uint64_t)(BLINK_IF | BLINK_RF | BLINK_VM);
        rip = (uint32_t)cpu->star;
    }
    blink_cpu_set_flags(cpu, fl);
    struct blink_seg cs = {0, UINT32_MAX, selector, (uint16_t)(wide ? 0xa09b : 0xc09b)};
    cpu->seg[BLINK_SEG_SS] =
        (struct blink_seg){0, UINT32_MAX, (uint16_t)(selector + 8), (uint16_t)0xc093};
    transfer_go(&t, &cs, 0, rip);
    return true;
}
