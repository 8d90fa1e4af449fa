/*
 * Hardware task switches between task states of 16 and 32 bits. AMD64 manual volume 2, 12.2 and
 * 12.3; see transfer.h. What can be refused before the switch is; from then on faults are the new
 * task's.
 */
#include "cpu/cpu.h"
#include "interp/interp.h"
#include "interp/transfer.h"
#include "mem/space.h"

/* Offsets in a task state. Registers stand in the order of their numbers, segments in that of
 * BLINK_SEG_*, each as wide as the format. */
struct layout {
    uint32_t size;  /* of a field */
    uint32_t least; /* smallest limit */
    uint32_t cr3, ip, flags, gpr, seg, segs, ldt;
};
static const struct layout layout32 = {4, 0x67, 0x1c, 0x20, 0x24, 0x28, 0x48, 6, 0x60};
static const struct layout layout16 = {2, 0x2b, 0, 0x0e, 0x10, 0x12, 0x22, 4, 0x2a};

static const struct layout *layout_of(uint32_t attr) {
    return attr & 8 ? &layout32 : &layout16;
}

/* What is read of the new state before anything changes. */
struct state {
    uint64_t cr3, ip, flags, gpr[8], seg[6], ldt;
    bool trap;
};

static struct state read_state(struct transfer *t, const struct layout *l, uint64_t base) {
    struct state s = {0};
    s.cr3 = l->cr3 ? transfer_load(t, base + l->cr3, 0, 4) : 0;
    s.ip = transfer_load(t, base + l->ip, 0, l->size);
    s.flags = transfer_load(t, base + l->flags, 0, l->size);
    for (uint32_t k = 0; k < 8; k++)
        s.gpr[k] = transfer_load(t, base + l->gpr + k * l->size, 0, l->size);
    for (uint32_t k = 0; k < l->segs; k++)
        s.seg[k] = transfer_load(t, base + l->seg + k * l->size, 0, 2);
    s.ldt = transfer_load(t, base + l->ldt, 0, 2);
    s.trap = l->cr3 && (transfer_load(t, base + 0x64, 0, 2) & 1);
    return s;
}

static void save_state(struct transfer *t, const struct layout *l, uint64_t flags) {
    const struct blink_cpu *cpu = t->cpu;
    uint64_t base = cpu->tr.base;
    transfer_store(t, base + l->ip, 0, l->size, t->next);
    transfer_store(t, base + l->flags, 0, l->size, flags);
    for (uint32_t k = 0; k < 8; k++)
        transfer_store(t, base + l->gpr + k * l->size, 0, l->size, cpu->gpr[k]);
    for (uint32_t k = 0; k < l->segs; k++)
        transfer_store(t, base + l->seg + k * l->size, 0, 2, cpu->seg[k].selector);
}

static void load_ldt(struct transfer *t, uint16_t selector) {
    struct blink_cpu *cpu = t->cpu;
    struct descriptor d;
    cpu->ldtr = (struct blink_seg){0, 0, selector, 0};
    if ((selector & 0xfffc) == 0)
        return;
    if (selector & 4)
        transfer_refuse_selector(t, BLINK_EXC_TS, selector);
    transfer_need_descriptor(t, selector, BLINK_EXC_TS, &d);
    if (DESC_TYPE(&d) != SYS_LDT || !DESC_PRESENT(&d))
        transfer_refuse_selector(t, BLINK_EXC_TS, selector);
    cpu->ldtr = d.seg;
}

static void load_code(struct transfer *t, uint16_t selector) {
    struct blink_cpu *cpu = t->cpu;
    struct descriptor d;
    uint32_t rpl = selector & 3u;
    transfer_need_descriptor(t, selector, BLINK_EXC_TS, &d);
    bool fits = DESC_CONFORM(&d) ? DESC_DPL(&d) <= rpl : DESC_DPL(&d) == rpl;
    if (!DESC_IS_CODE(&d) || !fits)
        transfer_refuse_selector(t, BLINK_EXC_TS, selector);
    if (!DESC_PRESENT(&d))
        transfer_refuse_selector(t, BLINK_EXC_NP, selector);
    transfer_mark(t, &d, 1);
    cpu->seg[BLINK_SEG_CS] = d.seg;
    cpu_update_mode(cpu);
}

static void load_data(struct transfer *t, uint32_t seg, uint16_t selector) {
    struct blink_cpu *cpu = t->cpu;
    struct descriptor d;
    uint32_t rpl = selector & 3u;
    if ((selector & 0xfffc) == 0)
        return;
    transfer_need_descriptor(t, selector, BLINK_EXC_TS, &d);
    bool readable = (d.seg.attr & 0x10) && (!DESC_IS_CODE(&d) || (d.seg.attr & 2));
    bool fits = DESC_CONFORM(&d) || (DESC_DPL(&d) >= cpu->cpl && DESC_DPL(&d) >= rpl);
    if (!readable || !fits)
        transfer_refuse_selector(t, BLINK_EXC_TS, selector);
    if (!DESC_PRESENT(&d))
        transfer_refuse_selector(t, BLINK_EXC_NP, selector);
    transfer_mark(t, &d, 1);
    cpu->seg[seg] = d.seg;
}

/* The selectors alone: what a handler of the faults below sees. */
static void forget_segments(struct blink_cpu *cpu, const struct state *s) {
    for (uint32_t k = 0; k < 6; k++)
        cpu->seg[k] = (struct blink_seg){0, 0, (uint16_t)s->seg[k], 0};
}

static void load_segments(struct transfer *t, const struct state *s) {
    static const uint8_t data[] = {BLINK_SEG_ES, BLINK_SEG_DS, BLINK_SEG_FS, BLINK_SEG_GS};
    struct blink_cpu *cpu = t->cpu;
    if (cpu->flags & BLINK_VM) {
        for (uint32_t k = 0; k < 6; k++)
            transfer_v86_segment(cpu, k, (uint16_t)s->seg[k]);
        return;
    }
    load_code(t, (uint16_t)s->seg[BLINK_SEG_CS]);
    cpu->seg[BLINK_SEG_SS] =
        transfer_stack_segment(t, (uint16_t)s->seg[BLINK_SEG_SS], cpu->cpl, BLINK_EXC_TS);
    for (uint32_t k = 0; k < sizeof data; k++)
        load_data(t, data[k], (uint16_t)s->seg[data[k]]);
}

static void load_registers(struct transfer *t, const struct layout *l, const struct state *s,
                           bool nested) {
    struct blink_cpu *cpu = t->cpu;
    if (l->cr3 && (cpu->cr0 & CR0_PG) && cpu->cr3 != s->cr3) {
        cpu->cr3 = s->cr3;
        mem_tlb_flush(cpu);
        ((struct interp_context *)cpu->exec_private)->remapped |= INTERP_REMAP_PAGES;
    }
    for (uint32_t k = 0; k < 8; k++)
        cpu->gpr[k] = l->size == 4 ? s->gpr[k] : (cpu->gpr[k] & 0xffff0000) | s->gpr[k];
    uint64_t fl = (s->flags & UINT64_C(0x3f7fd5)) | 2;
    if (l->size == 2)
        fl &= 0xffff;
    blink_cpu_set_flags(cpu, nested ? fl | BLINK_NT : fl);
    cpu->rip = s->ip;
    cpu->cr0 |= CR0_TS;
    cpu->dr[7] &= ~UINT64_C(0x155);
    forget_segments(cpu, s);
    mem_set_cpl(cpu, cpu->flags & BLINK_VM ? 3 : (uint32_t)s->seg[BLINK_SEG_CS] & 3);
    cpu_update_mode(cpu);
}

/* Busy bits and the link, of both tasks. */
static void change_hands(struct transfer *t, uint16_t selector, struct descriptor *d,
                         uint32_t why) {
    struct blink_cpu *cpu = t->cpu;
    struct descriptor old;
    bool nested = why == TASK_CALL || why == TASK_EVENT;
    if (!nested && transfer_descriptor(t, cpu->tr.selector, &old))
        transfer_unmark(t, &old, 2);
    if (nested)
        transfer_store(t, d->seg.base, 0, 2, cpu->tr.selector);
    if (why != TASK_IRET)
        transfer_mark(t, d, 2);
    cpu->tr = d->seg;
    cpu->tr.selector = selector;
}

void transfer_task(struct transfer *t, uint16_t selector, struct descriptor *d, uint32_t why) {
    struct blink_cpu *cpu = t->cpu;
    const struct layout *to = layout_of(d->seg.attr), *from = layout_of(cpu->tr.attr);
    uint64_t flags = blink_cpu_get_flags(cpu);
    if (d->seg.limit < to->least)
        transfer_refuse_selector(t, BLINK_EXC_TS, selector);
    if (!(cpu->tr.attr & 0x80))
        transfer_refuse_selector(t, BLINK_EXC_TS, cpu->tr.selector);
    struct state s = read_state(t, to, d->seg.base);
    if (why == TASK_IRET)
        flags &= ~(uint64_t)BLINK_NT;
    save_state(t, from, flags);
    change_hands(t, selector, d, why);
    t->committed = true;
    load_registers(t, to, &s, why == TASK_CALL || why == TASK_EVENT);
    load_ldt(t, (uint16_t)s.ldt);
    load_segments(t, &s);
    cpu_update_mode(cpu);
    transfer_check_rip(t, &cpu->seg[BLINK_SEG_CS], cpu->rip);
    if (cpu->flags & BLINK_TF)
        __atomic_fetch_or(&cpu->attention, BLINK_ATTN_STEP, __ATOMIC_RELAXED);
    if (s.trap) {
        cpu->dr[6] |= 0x8000;
        t->ext = 0;
        transfer_refuse(t, BLINK_EXC_DB, 0);
    }
}
