/*
 * What all transfers are made of, see transfer.h: the processor's own memory accesses,
 * descriptors, stacks of other privileges, and the change of CS.
 */
#include "interp/transfer.h"

#include <string.h>

#include "bus/bus.h"
#include "cpu/cpu.h"
#include "interp/interp.h"
#include "mem/space.h"

#define PAGE_LEFT(a) (BLINK_PAGE_SIZE - ((a) & (BLINK_PAGE_SIZE - 1)))

bool transfer_attempt(struct transfer *t, transfer_work *work) {
    if (_setjmp(t->refuse))
        return false;
    work(t);
    return true;
}

void transfer_refuse(struct transfer *t, uint32_t vector, uint64_t error) {
    t->vector = vector;
    t->error = error;
    _longjmp(t->refuse, 1);
}

void transfer_refuse_selector(struct transfer *t, uint32_t vector, uint32_t selector) {
    transfer_refuse(t, vector, (selector & 0xfffc) | t->ext);
}

/* ---- memory ---- */

static _Noreturn void refuse_access(struct transfer *t, const struct mem_fault *fault) {
    t->address = fault->address;
    transfer_refuse(t, fault->vector, fault->vector == BLINK_EXC_PF ? fault->error : 0);
}

static void *reach(struct transfer *t, uint64_t a, uint32_t cpl, bool write, uint64_t *phys) {
    struct mem_fault fault;
    void *p = mem_reach(t->cpu, a, cpl, write, &fault);
    if (!p && fault.vector)
        refuse_access(t, &fault);
    *phys = p ? 0 : fault.address;
    return p;
}

static uint64_t wrap(const struct transfer *t, uint64_t a) {
    return transfer_in_long_mode(t) ? a : (uint32_t)a;
}

static void load_piece(struct transfer *t, uint64_t a, uint32_t cpl, uint8_t *out, uint32_t size) {
    struct blink_bus *bus = ((struct interp_context *)t->cpu->exec_private)->bus;
    uint64_t phys, v = ~UINT64_C(0);
    const void *p = reach(t, a, cpl, false, &phys);
    if (p) {
        memcpy(out, p, size);
        return;
    }
    for (uint32_t k = 0; k < size; k++) {
        if (bus)
            bus_read_memory(bus, phys + k, 1, &v);
        out[k] = (uint8_t)v;
    }
}

static void store_piece(struct transfer *t, uint64_t a, uint32_t cpl, const uint8_t *in,
                        uint32_t size) {
    struct blink_bus *bus = ((struct interp_context *)t->cpu->exec_private)->bus;
    uint64_t phys;
    void *p = reach(t, a, cpl, true, &phys);
    if (p)
        memcpy(p, in, size);
    for (uint32_t k = 0; !p && bus && k < size; k++)
        bus_write_memory(bus, phys + k, 1, in[k]);
}

uint64_t transfer_load(struct transfer *t, uint64_t address, uint32_t cpl, uint32_t size) {
    uint64_t v = 0, a = wrap(t, address);
    uint32_t room = (uint32_t)PAGE_LEFT(a), first = size < room ? size : room;
    load_piece(t, a, cpl, (uint8_t *)&v, first);
    if (first < size)
        load_piece(t, wrap(t, a + first), cpl, (uint8_t *)&v + first, size - first);
    return v;
}

void transfer_store(struct transfer *t, uint64_t address, uint32_t cpl, uint32_t size, uint64_t v) {
    uint64_t a = wrap(t, address), phys;
    uint32_t room = (uint32_t)PAGE_LEFT(a), first = size < room ? size : room;
    /* Both pages before the first byte. */
    if (first < size)
        reach(t, wrap(t, a + first), cpl, true, &phys);
    store_piece(t, a, cpl, (const uint8_t *)&v, first);
    if (first < size)
        store_piece(t, wrap(t, a + first), cpl, (const uint8_t *)&v + first, size - first);
}

/* ---- descriptors ---- */

struct blink_seg transfer_unpack(uint16_t selector, uint64_t d) {
    struct blink_seg s;
    s.selector = selector;
    s.base = (d >> 16 & 0xffffff) | (d >> 56 & 0xff) << 24;
    s.limit = (uint32_t)((d & 0xffff) | (d >> 48 & 0xf) << 16);
    s.attr = (uint16_t)((d >> 40 & 0xff) | (d >> 52 & 0xf) << 12);
    if (s.attr & 0x8000)
        s.limit = s.limit << 12 | 0xfff;
    return s;
}

bool transfer_descriptor(struct transfer *t, uint16_t selector, struct descriptor *out) {
    const struct blink_cpu *cpu = t->cpu;
    bool local = selector & 4;
    uint64_t base = local ? cpu->ldtr.base : cpu->gdtr.base;
    uint32_t limit = local ? cpu->ldtr.limit : cpu->gdtr.limit, at = selector & 0xfff8u;
    if ((selector & 0xfffc) == 0 || (local && !(cpu->ldtr.attr & 0x80)) || at + 7 > limit)
        return false;
    *out = (struct descriptor){.address = base + at};
    out->low = transfer_load(t, out->address, 0, 8);
    out->seg = transfer_unpack(selector, out->low);
    /* System descriptors of long mode have 16 bytes. */
    if (transfer_in_long_mode(t) && !(out->seg.attr & 0x10)) {
        if (at + 15 > limit)
            return false;
        out->high = transfer_load(t, out->address + 8, 0, 8);
        out->seg.base |= out->high << 32;
    }
    return true;
}

void transfer_need_descriptor(struct transfer *t, uint16_t selector, uint32_t vector,
                              struct descriptor *out) {
    if (!transfer_descriptor(t, selector, out))
        transfer_refuse_selector(t, vector, selector);
}

static void change_type(struct transfer *t, struct descriptor *d, uint32_t attr) {
    if ((d->seg.attr & 0xff) == attr)
        return;
    transfer_store(t, d->address + 5, 0, 1, attr);
    d->seg.attr = (uint16_t)((d->seg.attr & 0xff00) | attr);
}
void transfer_mark(struct transfer *t, struct descriptor *d, uint32_t bits) {
    change_type(t, d, (d->seg.attr & 0xffu) | bits);
}
void transfer_unmark(struct transfer *t, struct descriptor *d, uint32_t bits) {
    change_type(t, d, d->seg.attr & 0xffu & ~bits);
}

/* ---- stacks ---- */

uint32_t transfer_stack_width(const struct blink_seg *ss, bool wide) {
    return wide ? 8 : ss->attr & 0x4000 ? 4 : 2;
}

static uint64_t width_mask(uint32_t width) {
    return width == 8 ? ~UINT64_C(0) : width == 4 ? UINT32_MAX : 0xffff;
}

struct frame transfer_current_stack(const struct transfer *t) {
    const struct blink_cpu *cpu = t->cpu;
    bool wide = (cpu->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64;
    return (struct frame){
        .ss = cpu->seg[BLINK_SEG_SS],
        .sp = cpu->gpr[BLINK_RSP],
        .width = transfer_stack_width(&cpu->seg[BLINK_SEG_SS], wide),
        .cpl = cpu->cpl,
        .fault = t->ext,
    };
}

static uint64_t stack_address(struct transfer *t, const struct frame *f, uint64_t sp,
                              uint32_t size) {
    if (f->width == 8) {
        if (!cpu_canonical(sp) || !cpu_canonical(sp + size - 1))
            transfer_refuse(t, BLINK_EXC_SS, f->fault);
        return sp;
    }
    uint64_t first = sp & width_mask(f->width), last = first + size - 1;
    bool down = (f->ss.attr & 0x1c) == 0x14;
    uint64_t top = f->ss.attr & 0x4000 ? UINT32_MAX : 0xffff;
    if (down ? first <= f->ss.limit || last > top : last > f->ss.limit)
        transfer_refuse(t, BLINK_EXC_SS, f->fault);
    return (uint32_t)(f->ss.base + first);
}

static void move(struct frame *f, int64_t by) {
    uint64_t mask = width_mask(f->width);
    f->sp = (f->sp & ~mask) | ((f->sp + (uint64_t)by) & mask);
}

void transfer_push(struct transfer *t, struct frame *f, uint32_t size, uint64_t v) {
    struct frame next = *f;
    move(&next, -(int64_t)size);
    transfer_store(t, stack_address(t, f, next.sp, size), f->cpl, size, v);
    *f = next;
}

uint64_t transfer_pop(struct transfer *t, struct frame *f, uint32_t size) {
    uint64_t v = transfer_load(t, stack_address(t, f, f->sp, size), f->cpl, size);
    move(f, size);
    return v;
}

void transfer_use_stack(struct transfer *t, const struct frame *f) {
    struct blink_cpu *cpu = t->cpu;
    cpu->seg[BLINK_SEG_SS] = f->ss;
    if (f->width == 2)
        cpu->gpr[BLINK_RSP] = (cpu->gpr[BLINK_RSP] & ~UINT64_C(0xffff)) | (f->sp & 0xffff);
    else
        cpu->gpr[BLINK_RSP] = f->width == 4 ? (uint32_t)f->sp : f->sp;
}

struct blink_seg transfer_stack_segment(struct transfer *t, uint16_t selector, uint32_t cpl,
                                        uint32_t vector) {
    struct descriptor d;
    transfer_need_descriptor(t, selector, vector, &d);
    if ((selector & 3u) != cpl || DESC_DPL(&d) != cpl || (d.seg.attr & 0x1a) != 0x12)
        transfer_refuse_selector(t, vector, selector);
    if (!DESC_PRESENT(&d))
        transfer_refuse_selector(t, BLINK_EXC_SS, selector);
    transfer_mark(t, &d, 1);
    return d.seg;
}

static bool task_is_16(const struct blink_cpu *cpu) {
    return (cpu->tr.attr & 0x1d) == SYS_TSS16;
}

struct frame transfer_inner_stack(struct transfer *t, uint32_t dpl) {
    const struct blink_cpu *cpu = t->cpu;
    bool narrow = task_is_16(cpu);
    uint32_t at = narrow ? 2 + dpl * 4 : 4 + dpl * 8, size = narrow ? 2 : 4;
    if (!(cpu->tr.attr & 0x80) || at + size + 1 > cpu->tr.limit)
        transfer_refuse_selector(t, BLINK_EXC_TS, cpu->tr.selector);
    uint64_t sp = transfer_load(t, cpu->tr.base + at, 0, size);
    uint16_t selector = (uint16_t)transfer_load(t, cpu->tr.base + at + size, 0, 2);
    struct frame f = {.sp = sp, .cpl = dpl, .fault = (selector & 0xfffcu) | t->ext};
    f.ss = transfer_stack_segment(t, selector, dpl, BLINK_EXC_TS);
    f.width = transfer_stack_width(&f.ss, false);
    return f;
}

uint64_t transfer_long_stack(struct transfer *t, uint32_t at) {
    const struct blink_cpu *cpu = t->cpu;
    if (!(cpu->tr.attr & 0x80) || at + 7 > cpu->tr.limit)
        transfer_refuse_selector(t, BLINK_EXC_TS, cpu->tr.selector);
    uint64_t sp = transfer_load(t, cpu->tr.base + at, 0, 8);
    if (!cpu_canonical(sp))
        transfer_refuse(t, BLINK_EXC_SS, t->ext);
    return sp;
}

/* ---- CS ---- */

void transfer_check_rip(struct transfer *t, const struct blink_seg *cs, uint64_t rip) {
    bool wide = transfer_in_long_mode(t) && (cs->attr & 0x2000);
    if (wide ? !cpu_canonical(rip) : rip > cs->limit)
        transfer_refuse(t, BLINK_EXC_GP, t->ext);
}

void transfer_go(struct transfer *t, const struct blink_seg *cs, uint32_t cpl, uint64_t rip) {
    struct blink_cpu *cpu = t->cpu;
    cpu->seg[BLINK_SEG_CS] = *cs;
    cpu->seg[BLINK_SEG_CS].selector = (uint16_t)((cs->selector & 0xfffc) | cpl);
    cpu->rip = rip;
    mem_set_cpl(cpu, cpl);
    cpu_update_mode(cpu);
    if (cpu->flags & BLINK_TF)
        __atomic_fetch_or(&cpu->attention, BLINK_ATTN_STEP, __ATOMIC_RELAXED);
}

void transfer_drop_segments(struct transfer *t) {
    static const uint8_t list[] = {BLINK_SEG_ES, BLINK_SEG_DS, BLINK_SEG_FS, BLINK_SEG_GS};
    struct blink_cpu *cpu = t->cpu;
    for (uint32_t k = 0; k < sizeof list; k++) {
        struct blink_seg *s = &cpu->seg[list[k]];
        bool conforming = (s->attr & 0x1c) == 0x1c;
        /* A null one may have a base of 64-bit mode, by FS.base or GS.base. */
        if ((s->selector & 0xfffc) && !conforming && (s->attr >> 5 & 3u) < cpu->cpl)
            *s = (struct blink_seg){0, 0, 0, 0};
    }
    cpu_update_mode(cpu);
}

void transfer_v86_segment(struct blink_cpu *cpu, uint32_t seg, uint16_t selector) {
    cpu_set_segment(cpu, seg, selector, (uint64_t)selector << 4, 0xffff, 0x00f3);
}
