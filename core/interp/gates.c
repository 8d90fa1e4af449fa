/*
 * Far branches of protected and long mode: JMP, CALL and RET between segments, through call gates,
 * task gates and task states, and IRET to every mode. AMD64 manual volume 2, 4.11, 8.7.4, 8.9.3
 * and 12.3; see transfer.h.
 */
#include "cpu/cpu.h"
#include "interp/transfer.h"
#include "mem/space.h"

static bool is_wide(const struct transfer *t) {
    return (t->cpu->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64;
}

static void need_present(struct transfer *t, const struct descriptor *d, uint16_t selector) {
    if (!DESC_PRESENT(d))
        transfer_refuse_selector(t, BLINK_EXC_NP, selector);
}

/* L and D together mean nothing. */
static bool is_odd_code(const struct transfer *t, const struct descriptor *d) {
    return transfer_in_long_mode(t) && (d->seg.attr & 0x6000) == 0x6000;
}

static void push_return(struct transfer *t, struct frame *f) {
    transfer_push(t, f, t->size, t->cpu->seg[BLINK_SEG_CS].selector);
    transfer_push(t, f, t->size, t->next);
}

/* A code segment named by the instruction itself: the level stays. */
static void to_code(struct transfer *t, struct descriptor *d) {
    const struct blink_cpu *cpu = t->cpu;
    uint32_t rpl = t->selector & 3u;
    bool fits =
        DESC_CONFORM(d) ? DESC_DPL(d) <= cpu->cpl : DESC_DPL(d) == cpu->cpl && rpl <= cpu->cpl;
    if (!fits || is_odd_code(t, d))
        transfer_refuse_selector(t, BLINK_EXC_GP, t->selector);
    need_present(t, d, t->selector);
    transfer_check_rip(t, &d->seg, t->rip);
    transfer_mark(t, d, 1);
    struct frame f = transfer_current_stack(t);
    if (t->call)
        push_return(t, &f);
    transfer_use_stack(t, &f);
    transfer_go(t, &d->seg, t->cpu->cpl, t->rip);
}

static void need_gate_rights(struct transfer *t, const struct descriptor *d) {
    if (DESC_DPL(d) < t->cpu->cpl || DESC_DPL(d) < (t->selector & 3u))
        transfer_refuse_selector(t, BLINK_EXC_GP, t->selector);
}

static void to_task(struct transfer *t, uint16_t selector, struct descriptor *d) {
    uint32_t type = DESC_TYPE(d);
    if (type != SYS_TSS16 && type != SYS_TSS32)
        transfer_refuse_selector(t, BLINK_EXC_GP, selector);
    need_present(t, d, selector);
    transfer_task(t, selector, d, t->call ? TASK_CALL : TASK_JUMP);
}

static void to_task_gate(struct transfer *t, const struct descriptor *gate) {
    uint16_t selector = (uint16_t)(gate->low >> 16);
    struct descriptor d;
    need_gate_rights(t, gate);
    need_present(t, gate, t->selector);
    if (selector & 4)
        transfer_refuse_selector(t, BLINK_EXC_GP, selector);
    transfer_need_descriptor(t, selector, BLINK_EXC_GP, &d);
    to_task(t, selector, &d);
}

/* Parameters that a call gate of protected mode copies to the inner stack. */
static void copy_parameters(struct transfer *t, struct frame *to, uint32_t size, uint32_t count) {
    struct frame from = transfer_current_stack(t);
    uint64_t v[31];
    for (uint32_t k = 0; k < count; k++)
        v[k] = transfer_pop(t, &from, size);
    while (count > 0)
        transfer_push(t, to, size, v[--count]);
}

/* A call to a more privileged level: its stack, with the way back on it. */
static struct frame inner_call(struct transfer *t, uint32_t cpl, uint32_t size, uint32_t count) {
    const struct blink_cpu *cpu = t->cpu;
    bool wide = transfer_in_long_mode(t);
    struct frame f;
    if (wide)
        f = (struct frame){.sp = transfer_long_stack(t, 4 + cpl * 8),
                           .ss = {0, 0, (uint16_t)cpl, (uint16_t)(cpl << 5)},
                           .width = 8,
                           .cpl = cpl,
                           .fault = t->ext};
    else
        f = transfer_inner_stack(t, cpl);
    transfer_push(t, &f, size, cpu->seg[BLINK_SEG_SS].selector);
    transfer_push(t, &f, size, cpu->gpr[BLINK_RSP]);
    if (!wide)
        copy_parameters(t, &f, size, count);
    return f;
}

static void to_call_gate(struct transfer *t, const struct descriptor *gate) {
    struct blink_cpu *cpu = t->cpu;
    bool wide = transfer_in_long_mode(t);
    uint16_t selector = (uint16_t)(gate->low >> 16);
    uint64_t offset = (gate->low & 0xffff) | (gate->low >> 32 & 0xffff0000) | gate->high << 32;
    struct descriptor d;
    need_gate_rights(t, gate);
    need_present(t, gate, t->selector);
    if ((selector & 0xfffc) == 0)
        transfer_refuse(t, BLINK_EXC_GP, 0);
    transfer_need_descriptor(t, selector, BLINK_EXC_GP, &d);
    bool inner = t->call && !DESC_CONFORM(&d) && DESC_DPL(&d) < cpu->cpl;
    bool fits = DESC_CONFORM(&d) || t->call ? DESC_DPL(&d) <= cpu->cpl : DESC_DPL(&d) == cpu->cpl;
    bool odd = wide && (d.seg.attr & 0x6000) != 0x2000;
    if (!DESC_IS_CODE(&d) || !fits || odd)
        transfer_refuse_selector(t, BLINK_EXC_GP, selector);
    need_present(t, &d, selector);
    t->size = wide ? 8 : DESC_TYPE(gate) == SYS_CALL16 ? 2 : 4;
    if (t->size == 2)
        offset &= 0xffff;
    uint32_t cpl = inner ? DESC_DPL(&d) : cpu->cpl;
    transfer_check_rip(t, &d.seg, offset);
    struct frame f = inner ? inner_call(t, cpl, t->size, (uint32_t)(gate->low >> 32) & 31)
                           : transfer_current_stack(t);
    if (wide)
        f.width = 8;
    if (t->call)
        push_return(t, &f);
    transfer_mark(t, &d, 1);
    transfer_use_stack(t, &f);
    transfer_go(t, &d.seg, cpl, offset);
}

void transfer_far(struct transfer *t) {
    struct descriptor d;
    if ((t->selector & 0xfffc) == 0)
        transfer_refuse(t, BLINK_EXC_GP, 0);
    transfer_need_descriptor(t, t->selector, BLINK_EXC_GP, &d);
    if (DESC_IS_CODE(&d)) {
        to_code(t, &d);
        return;
    }
    bool wide = transfer_in_long_mode(t);
    switch (DESC_TYPE(&d)) {
    case SYS_CALL16:
        if (wide)
            break;
        to_call_gate(t, &d);
        return;
    case SYS_CALL32: to_call_gate(t, &d); return;
    case SYS_TASK_GATE:
        if (wide)
            break;
        to_task_gate(t, &d);
        return;
    case SYS_TSS16:
    case SYS_TSS32:
        if (wide)
            break;
        need_gate_rights(t, &d);
        to_task(t, t->selector, &d);
        return;
    default: break;
    }
    transfer_refuse_selector(t, BLINK_EXC_GP, t->selector);
}

/* The code segment that RETF and IRET go back to. */
static struct descriptor return_code(struct transfer *t, uint16_t selector) {
    uint32_t rpl = selector & 3u;
    struct descriptor d;
    if ((selector & 0xfffc) == 0)
        transfer_refuse(t, BLINK_EXC_GP, 0);
    transfer_need_descriptor(t, selector, BLINK_EXC_GP, &d);
    bool fits = DESC_CONFORM(&d) ? DESC_DPL(&d) <= rpl : DESC_DPL(&d) == rpl;
    if (rpl < t->cpu->cpl || !DESC_IS_CODE(&d) || !fits || is_odd_code(t, &d))
        transfer_refuse_selector(t, BLINK_EXC_GP, selector);
    need_present(t, &d, selector);
    return d;
}

/* SS:RSP of the level that is returned to, as popped. `to64`: its code is of 64 bits. */
static struct frame outer_stack(struct transfer *t, uint16_t selector, uint64_t sp, uint32_t cpl,
                                bool to64) {
    struct frame f = {.sp = sp, .cpl = cpl};
    if ((selector & 0xfffc) == 0) {
        /* Only 64-bit code of a privileged level needs none. */
        if (!to64 || cpl == 3 || (selector & 3u) != cpl)
            transfer_refuse(t, BLINK_EXC_GP, 0);
        f.ss = (struct blink_seg){0, 0, selector, (uint16_t)(cpl << 5)};
    } else {
        f.ss = transfer_stack_segment(t, selector, cpl, BLINK_EXC_GP);
    }
    f.width = transfer_stack_width(&f.ss, to64);
    return f;
}

static bool is_code64(const struct transfer *t, const struct descriptor *d) {
    return transfer_in_long_mode(t) && (d->seg.attr & 0x2000);
}

static void release(struct frame *f, uint32_t bytes) {
    uint64_t mask = f->width == 8 ? ~UINT64_C(0) : f->width == 4 ? UINT32_MAX : 0xffff;
    f->sp = (f->sp & ~mask) | ((f->sp + bytes) & mask);
}

void transfer_retf(struct transfer *t) {
    struct frame f = transfer_current_stack(t);
    uint64_t rip = transfer_pop(t, &f, t->size);
    uint16_t selector = (uint16_t)transfer_pop(t, &f, t->size);
    struct descriptor d = return_code(t, selector);
    uint32_t cpl = selector & 3u;
    bool outer = cpl > t->cpu->cpl;
    release(&f, t->release);
    if (outer) {
        uint64_t sp = transfer_pop(t, &f, t->size);
        uint16_t ss = (uint16_t)transfer_pop(t, &f, t->size);
        f = outer_stack(t, ss, sp, cpl, is_code64(t, &d));
        release(&f, t->release);
    }
    transfer_check_rip(t, &d.seg, rip);
    transfer_mark(t, &d, 1);
    transfer_use_stack(t, &f);
    transfer_go(t, &d.seg, cpl, rip);
    if (outer)
        transfer_drop_segments(t);
}

/* Flags that IRET sets at this level. */
static void set_flags(struct transfer *t, uint64_t fl) {
    struct blink_cpu *cpu = t->cpu;
    uint64_t old = blink_cpu_get_flags(cpu);
    uint64_t mask =
        BLINK_FLAGS_ARITH | BLINK_TF | BLINK_DF | BLINK_NT | BLINK_RF | BLINK_AC | BLINK_ID;
    if (cpu->cpl <= (old & BLINK_IOPL) >> 12)
        mask |= BLINK_IF;
    if (cpu->cpl == 0)
        mask |= BLINK_IOPL | BLINK_VIF | BLINK_VIP;
    if (t->size == 2)
        mask &= 0xffff;
    /* It ends with the next instruction, which is looked at only where it makes a difference. */
    if (!(cpu->dr[7] & DR7_ENABLED))
        fl &= ~(uint64_t)BLINK_RF;
    blink_cpu_set_flags(cpu, (old & ~mask) | (fl & mask));
}

static void return_from_task(struct transfer *t) {
    const struct blink_cpu *cpu = t->cpu;
    struct descriptor d;
    if (transfer_in_long_mode(t))
        transfer_refuse(t, BLINK_EXC_GP, 0);
    uint16_t selector = (uint16_t)transfer_load(t, cpu->tr.base, 0, 2);
    if ((selector & 4) || !transfer_descriptor(t, selector, &d) ||
        (DESC_TYPE(&d) != SYS_TSS16_BUSY && DESC_TYPE(&d) != SYS_TSS32_BUSY))
        transfer_refuse_selector(t, BLINK_EXC_TS, selector);
    need_present(t, &d, selector);
    transfer_task(t, selector, &d, TASK_IRET);
}

static void to_v86(struct transfer *t, struct frame *f, uint64_t rip, uint16_t cs, uint64_t fl) {
    static const uint8_t order[] = {BLINK_SEG_ES, BLINK_SEG_DS, BLINK_SEG_FS, BLINK_SEG_GS};
    struct blink_cpu *cpu = t->cpu;
    uint64_t sp = transfer_pop(t, f, 4);
    uint16_t ss = (uint16_t)transfer_pop(t, f, 4), data[4];
    for (uint32_t k = 0; k < 4; k++)
        data[k] = (uint16_t)transfer_pop(t, f, 4);
    blink_cpu_set_flags(cpu, (fl & UINT64_C(0x3f7fd5)) | 2);
    for (uint32_t k = 0; k < 4; k++)
        transfer_v86_segment(cpu, order[k], data[k]);
    transfer_v86_segment(cpu, BLINK_SEG_SS, ss);
    cpu->gpr[BLINK_RSP] = (uint32_t)sp;
    transfer_v86_segment(cpu, BLINK_SEG_CS, cs);
    struct blink_seg code = cpu->seg[BLINK_SEG_CS];
    transfer_go(t, &code, 3, rip & 0xffff);
    cpu->seg[BLINK_SEG_CS].selector = cs;
}

/* IRET of virtual-8086 mode stays there. */
static void iret_in_v86(struct transfer *t) {
    struct blink_cpu *cpu = t->cpu;
    struct frame f = transfer_current_stack(t);
    if ((cpu->flags & BLINK_IOPL) != BLINK_IOPL)
        transfer_refuse(t, BLINK_EXC_GP, 0);
    uint64_t rip = transfer_pop(t, &f, t->size);
    uint16_t cs = (uint16_t)transfer_pop(t, &f, t->size);
    uint64_t fl = transfer_pop(t, &f, t->size);
    transfer_check_rip(t, &cpu->seg[BLINK_SEG_CS], rip);
    transfer_use_stack(t, &f);
    set_flags(t, fl);
    transfer_v86_segment(cpu, BLINK_SEG_CS, cs);
    struct blink_seg code = cpu->seg[BLINK_SEG_CS];
    transfer_go(t, &code, 3, rip);
    cpu->seg[BLINK_SEG_CS].selector = cs;
}

void transfer_iret(struct transfer *t) {
    struct blink_cpu *cpu = t->cpu;
    if (cpu->flags & BLINK_VM) {
        iret_in_v86(t);
        return;
    }
    if (cpu->flags & BLINK_NT) {
        return_from_task(t);
        return;
    }
    struct frame f = transfer_current_stack(t);
    uint64_t rip = transfer_pop(t, &f, t->size);
    uint16_t selector = (uint16_t)transfer_pop(t, &f, t->size);
    uint64_t fl = transfer_pop(t, &f, t->size);
    if (t->size == 4 && !transfer_in_long_mode(t) && (fl & BLINK_VM) && cpu->cpl == 0) {
        to_v86(t, &f, rip, selector, fl);
        return;
    }
    struct descriptor d = return_code(t, selector);
    uint32_t cpl = selector & 3u;
    bool outer = cpl > cpu->cpl;
    if (outer || is_wide(t)) {
        uint64_t sp = transfer_pop(t, &f, t->size);
        uint16_t ss = (uint16_t)transfer_pop(t, &f, t->size);
        f = outer_stack(t, ss, sp, cpl, is_code64(t, &d));
    }
    transfer_check_rip(t, &d.seg, rip);
    transfer_mark(t, &d, 1);
    transfer_use_stack(t, &f);
    set_flags(t, fl);
    transfer_go(t, &d.seg, cpl, rip);
    if (outer)
        transfer_drop_segments(t);
}
