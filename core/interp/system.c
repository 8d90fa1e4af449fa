/*
 * System instructions and those that ask the processor about itself: CPUID, time stamps, random
 * numbers, fences, FS and GS bases, control and debug registers, descriptor tables, segment
 * registers, MSRs, interrupt flag.
 */
#include "interp/system.h"
#include "bus/bus.h"
#include "cpu/cpu.h"
#include "interp/alu.h"
#include "interp/chain.h"
#include "interp/segment.h"
#include "interp/stack.h"
#include "interp/transfer.h"
#include "mem/space.h"

#define NEED_CPL0()                                                                                \
  do {                                                                                             \
    if (cpu->cpl != 0)                                                                             \
      RAISE(BLINK_EXC_GP, 0);                                                                      \
  } while (0)

/* Leave to the loop at the next instruction: the mode or the translation may have changed. */
static const struct blink_insn *leave_next(struct blink_cpu *cpu, const struct blink_insn *i) {
    cpu->icount += interp_block_of(i + 1)->count;
    return chain_miss(cpu, NULL, 0, next_rip(i));
}
/* The same where the block may go on. */
static const struct blink_insn *leave_after(struct blink_cpu *cpu, const struct blink_insn *i) {
    faults(cpu, i + 1);
    interp_settle(cpu);
    return chain_miss(cpu, NULL, 0, cpu->rip);
}

HANDLER(nothing) {
    NEXT();
}
HANDLER(fence) {
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    NEXT();
}
HANDLER(cpuid) {
    uint32_t r[4];
    cpu_cpuid(cpu, get32(cpu, BLINK_RAX), get32(cpu, BLINK_RCX), r);
    put32(cpu, BLINK_RAX, r[0]);
    put32(cpu, BLINK_RBX, r[1]);
    put32(cpu, BLINK_RCX, r[2]);
    put32(cpu, BLINK_RDX, r[3]);
    NEXT_BY_DRIVER();
}
#define MSR_TSC 0x10u

/* With virtual time it counts nanoseconds. */
static uint64_t time_stamp(struct blink_cpu *cpu, const struct blink_insn *i) {
    FAULTS();
    return context_of(cpu)->clock ? context_of(cpu)->clock(cpu) + cpu->tsc_offset : cpu_tsc(cpu);
}
HANDLER(rdtsc) {
    if ((cpu->cr4 & CR4_TSD) && cpu->cpl != 0)
        RAISE(BLINK_EXC_GP, 0);
    uint64_t t = time_stamp(cpu, i);
    put32(cpu, BLINK_RAX, (uint32_t)t);
    put32(cpu, BLINK_RDX, (uint32_t)(t >> 32));
    if (i->op == BLINK_OP_RDTSCP)
        put32(cpu, BLINK_RCX, cpu->tsc_aux);
    NEXT();
}
HANDLER(rdpid) {
    cpu->gpr[i->opnd[0].reg] = cpu->tsc_aux;
    NEXT();
}
HANDLER(xgetbv) {
    uint32_t c = get32(cpu, BLINK_RCX);
    if (!(cpu->cr4 & CR4_OSXSAVE))
        RAISE(BLINK_EXC_UD, 0);
    if (c > 1)
        RAISE(BLINK_EXC_GP, 0);
    uint64_t v = c ? INTERP_FN(components_in_use)(cpu) : cpu->xcr0;
    put32(cpu, BLINK_RAX, (uint32_t)v);
    put32(cpu, BLINK_RDX, (uint32_t)(v >> 32));
    NEXT();
}
HANDLER(xsetbv) {
    uint64_t v = (uint64_t)get32(cpu, BLINK_RDX) << 32 | get32(cpu, BLINK_RAX);
    if (!(cpu->cr4 & CR4_OSXSAVE))
        RAISE(BLINK_EXC_UD, 0);
    NEED_CPL0();
    /* AVX state goes with SSE state. */
    if (get32(cpu, BLINK_RCX) != 0 || !(v & 1) || (v & ~UINT64_C(7)) || (v & 6) == 4)
        RAISE(BLINK_EXC_GP, 0);
    cpu->xcr0 = v;
    cpu_update_mode(cpu);
    return leave_next(cpu, i);
}
/* Virtual time is for runs that can be repeated. SplitMix64. */
static uint64_t repeatable_random(struct interp_context *c) {
    uint64_t z = c->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}
HANDLER(random_bits) {
    struct interp_context *c = context_of(cpu);
    uint64_t v = c->clock ? repeatable_random(c) : 0;
    bool ok = c->clock || cpu_random(&v);
    put_sized(cpu, i->opnd[0].reg, i->opnd[0].size, ok ? v : 0);
    set_zpc(cpu, 0, 0, ok);
    NEXT_BY_DRIVER();
}
HANDLER(fsgsbase) {
    bool gs = i->op == BLINK_OP_RDGSBASE || i->op == BLINK_OP_WRGSBASE;
    bool write = i->op == BLINK_OP_WRFSBASE || i->op == BLINK_OP_WRGSBASE;
    uint64_t *base = &cpu->seg[gs ? BLINK_SEG_GS : BLINK_SEG_FS].base;
    uint32_t size = i->opnd[0].size;
    if (!(cpu->cr4 & CR4_FSGSBASE) || (cpu->mode & BLINK_MODE_BITS) != BLINK_MODE_BITS64)
        RAISE(BLINK_EXC_UD, 0);
    if (write) {
        uint64_t v = get_sized(cpu, i->opnd[0].reg, size);
        if (!cpu_canonical(v))
            RAISE(BLINK_EXC_GP, 0);
        *base = v;
    } else {
        put_sized(cpu, i->opnd[0].reg, size, *base);
    }
    NEXT();
}
/* The line's address must be readable; nothing else can be seen of a flush. */
HANDLER(cache_line) {
    volatile uint8_t byte = ld8(cpu, i, ea(cpu, i));
    (void)byte;
    NEXT();
}

/* Control registers. */
static uint64_t *control_register(struct blink_cpu *cpu, uint32_t n) {
    switch (n) {
    case 0: return &cpu->cr0;
    case 2: return &cpu->cr2;
    case 3: return &cpu->cr3;
    case 4: return &cpu->cr4;
    case 8: return &cpu->cr8;
    default: return NULL;
    }
}

/* CR0 of a mode change; false for #GP. AMD64 manual volume 2, 3.1.1 and 14.6. */
static bool set_cr0(struct blink_cpu *cpu, uint64_t v) {
    uint64_t old = cpu->cr0;
    if ((v >> 32) || ((v & CR0_PG) && !(v & CR0_PE)) || ((v & CR0_NW) && !(v & CR0_CD)))
        return false;
    if ((v & CR0_PG) && !(old & CR0_PG) && (cpu->efer & EFER_LME)) {
        if (!(cpu->cr4 & CR4_PAE) || (cpu->seg[BLINK_SEG_CS].attr & 0x2000))
            return false;
        cpu->efer |= EFER_LMA;
    } else if (!(v & CR0_PG) && (old & CR0_PG)) {
        if ((cpu->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64)
            return false;
        cpu->efer &= ~EFER_LMA;
    }
    cpu->cr0 = v | CR0_ET;
    if ((old ^ v) & (CR0_PG | CR0_WP | CR0_PE))
        mem_tlb_flush(cpu);
    if ((old ^ v) & CR0_PG)
        context_of(cpu)->remapped |= INTERP_REMAP_ALL;
    cpu_update_mode(cpu);
    return true;
}
/* Every translation may have changed. */
static void remap(struct blink_cpu *cpu) {
    mem_tlb_flush(cpu);
    if (cpu->cr0 & CR0_PG)
        context_of(cpu)->remapped |= INTERP_REMAP_PAGES;
}
static bool set_control(struct blink_cpu *cpu, uint32_t n, uint64_t v) {
    const uint64_t known4 = CR4_TSD | CR4_PSE | CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT |
                            CR4_UMIP | CR4_FSGSBASE | CR4_OSXSAVE | CR4_DE | CR4_MCE;
    switch (n) {
    case 0: return set_cr0(cpu, v);
    case 2: cpu->cr2 = v; return true;
    case 3:
        if ((cpu->efer & EFER_LMA) && v >> 52)
            return false;
        cpu->cr3 = v;
        remap(cpu);
        return true;
    case 4:
        if ((v & ~known4) || ((cpu->efer & EFER_LMA) && !(v & CR4_PAE)))
            return false;
        cpu->cr4 = v;
        remap(cpu);
        cpu_update_mode(cpu);
        return true;
    default:
        if (v > 15)
            return false;
        cpu->cr8 = v;
        /* CR8 is the local APIC's task priority, which memory accesses change, too. */
        if (context_of(cpu)->bus)
            bus_set_priority(context_of(cpu)->bus, (uint32_t)v);
        return true;
    }
}
static void see_priority(struct blink_cpu *cpu) {
    uint32_t priority;
    if (context_of(cpu)->bus && bus_priority(context_of(cpu)->bus, &priority))
        cpu->cr8 = priority;
}
HANDLER(mov_control) {
    bool write = i->opnd[0].kind == BLINK_OPND_CR;
    uint32_t n = i->opnd[write ? 0 : 1].reg, reg = i->opnd[write ? 1 : 0].reg;
    uint32_t size = (cpu->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64 ? 8 : 4;
    uint64_t *cr = control_register(cpu, n);
    if (!cr)
        RAISE(BLINK_EXC_UD, 0);
    NEED_CPL0();
    if (n == 8 && !write)
        see_priority(cpu);
    if (!write)
        put_sized(cpu, reg, size, *cr);
    else if (!set_control(cpu, n, get_sized(cpu, reg, size)))
        RAISE(BLINK_EXC_GP, 0);
    return leave_next(cpu, i);
}
HANDLER(mov_debug) {
    bool write = i->opnd[0].kind == BLINK_OPND_DR;
    uint32_t n = i->opnd[write ? 0 : 1].reg & 7, reg = i->opnd[write ? 1 : 0].reg;
    uint32_t size = (cpu->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64 ? 8 : 4;
    if ((n == 4 || n == 5) && (cpu->cr4 & CR4_DE))
        RAISE(BLINK_EXC_UD, 0);
    NEED_CPL0();
    if (cpu->dr[7] & DR7_GD) {
        cpu->dr[6] |= DR6_BD;
        cpu->dr[7] &= ~DR7_GD;
        RAISE(BLINK_EXC_DB, 0);
    }
    if (n == 4 || n == 5)
        n += 2;
    if (!write) {
        put_sized(cpu, reg, size, cpu->dr[n]);
    } else {
        uint64_t v = get_sized(cpu, reg, size);
        if (n >= 6 && v >> 32)
            RAISE(BLINK_EXC_GP, 0);
        if (n == 6)
            v = (v & 0xe00f) | 0xffff0ff0;
        if (n == 7)
            v = (v & 0xffff23ff) | 0x400;
        cpu->dr[n] = v;
        /* Watched pages are not in the TLB, and instructions run one by one. */
        mem_tlb_flush(cpu);
        if (cpu->dr[7] & DR7_ENABLED)
            __atomic_fetch_or(&cpu->attention, BLINK_ATTN_STEP, __ATOMIC_RELAXED);
    }
    return leave_next(cpu, i);
}
HANDLER(smsw) {
    uint32_t size = i->opnd[0].kind == BLINK_OPND_MEM ? 2 : i->opnd[0].size;
    if ((cpu->cr4 & CR4_UMIP) && cpu->cpl != 0)
        RAISE(BLINK_EXC_GP, 0);
    if (i->opnd[0].kind == BLINK_OPND_MEM)
        st16(cpu, i, ea(cpu, i), (uint16_t)cpu->cr0);
    else
        put_sized(cpu, i->opnd[0].reg, size, cpu->cr0);
    NEXT();
}
HANDLER(lmsw) {
    NEED_CPL0();
    uint64_t v =
        i->opnd[0].kind == BLINK_OPND_MEM ? ld16(cpu, i, ea(cpu, i)) : get16(cpu, i->opnd[0].reg);
    /* PE can be set but not cleared. */
    set_cr0(cpu, (cpu->cr0 & ~UINT64_C(0xe)) | (v & 0xf));
    return leave_next(cpu, i);
}
HANDLER(clts) {
    NEED_CPL0();
    cpu->cr0 &= ~CR0_TS;
    cpu_update_mode(cpu);
    return leave_next(cpu, i);
}

/* Descriptor tables. */
HANDLER(store_table) {
    const struct blink_dtr *t = i->op == BLINK_OP_SGDT ? &cpu->gdtr : &cpu->idtr;
    bool wide = (cpu->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64;
    if ((cpu->cr4 & CR4_UMIP) && cpu->cpl != 0)
        RAISE(BLINK_EXC_GP, 0);
    uint8_t image[10];
    uint16_t limit = (uint16_t)t->limit;
    memcpy(image, &limit, 2);
    memcpy(image + 2, &t->base, 8);
    store_bytes(cpu, i, ea(cpu, i), image, wide ? 10 : 6);
    NEXT_BY_DRIVER();
}
HANDLER(load_table) {
    struct blink_dtr *t = i->op == BLINK_OP_LGDT ? &cpu->gdtr : &cpu->idtr;
    bool wide = (cpu->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64;
    NEED_CPL0();
    uint64_t m = ea(cpu, i), base = wide ? ld64(cpu, i, m + 2) : ld32(cpu, i, m + 2);
    if (wide && !cpu_canonical(base))
        RAISE(BLINK_EXC_GP, 0);
    t->limit = ld16(cpu, i, m);
    t->base = i->opsize == 2 ? base & 0xffffff : base;
    NEXT();
}
static void write_selector(struct blink_cpu *cpu, const struct blink_insn *i, uint16_t v) {
    if (i->opnd[0].kind == BLINK_OPND_MEM)
        st16(cpu, i, ea(cpu, i), v);
    else
        put_sized(cpu, i->opnd[0].reg, i->opnd[0].size, v);
}
static uint16_t read_selector(struct blink_cpu *cpu, const struct blink_insn *i, uint32_t k) {
    return i->opnd[k].kind == BLINK_OPND_MEM ? ld16(cpu, i, ea(cpu, i))
                                             : get16(cpu, i->opnd[k].reg);
}
HANDLER(store_selector) {
    if (!(cpu->mode & BLINK_MODE_PROT))
        RAISE(BLINK_EXC_UD, 0);
    if ((cpu->cr4 & CR4_UMIP) && cpu->cpl != 0)
        RAISE(BLINK_EXC_GP, 0);
    write_selector(cpu, i, i->op == BLINK_OP_SLDT ? cpu->ldtr.selector : cpu->tr.selector);
    NEXT();
}
/* LLDT and LTR: system descriptors, 16 bytes long in long mode. */
HANDLER(load_system) {
    bool task = i->op == BLINK_OP_LTR, wide = cpu->efer & EFER_LMA;
    if (!(cpu->mode & BLINK_MODE_PROT))
        RAISE(BLINK_EXC_UD, 0);
    NEED_CPL0();
    uint16_t selector = read_selector(cpu, i, 0), code = selector & 0xfffc;
    uint64_t d;
    if (code == 0 && !task) {
        cpu->ldtr = (struct blink_seg){0, 0, selector, 0};
        NEXT_BY_DRIVER();
    }
    if ((selector & 4) || code == 0 || !INTERP_FN(read_descriptor)(cpu, i, selector, &d))
        RAISE(BLINK_EXC_GP, code);
    struct blink_seg s = transfer_unpack(selector, d);
    uint32_t type = s.attr & 0x1f;
    if (task ? type != 9 && type != 1 : type != 2)
        RAISE(BLINK_EXC_GP, code);
    if (!(s.attr & 0x80))
        RAISE(BLINK_EXC_NP, code);
    if (wide)
        s.base |= (uint64_t)ld32(cpu, i, cpu->gdtr.base + (selector & 0xfff8u) + 8) << 32;
    if (task) {
        st8(cpu, i, cpu->gdtr.base + (selector & 0xfff8u) + 5, (uint8_t)(d >> 40 | 2)); /* busy */
        s.attr |= 2;
        cpu->tr = s;
    } else {
        cpu->ldtr = s;
    }
    NEXT_BY_DRIVER();
}

/* LAR LSL VERR VERW: ask about a selector without loading it. */
static bool visible(struct blink_cpu *cpu, const struct blink_insn *i, uint16_t selector,
                    struct blink_seg *out, uint64_t *d) {
    if ((selector & 0xfffc) == 0 || !INTERP_FN(read_descriptor)(cpu, i, selector, d))
        return false;
    *out = transfer_unpack(selector, *d);
    uint32_t dpl = (out->attr >> 5) & 3, rpl = selector & 3;
    bool conforming = (out->attr & 0x1c) == 0x1c;
    return conforming || (dpl >= cpu->cpl && dpl >= rpl);
}
static bool answers(const struct blink_insn *i, const struct blink_seg *s) {
    uint32_t type = s->attr & 0x1f;
    bool system = !(s->attr & 0x10), code = (s->attr & 0x18) == 0x18;
    switch (i->op) {
    case BLINK_OP_VERR: return !system && (!code || (s->attr & 2));
    case BLINK_OP_VERW: return !system && !code && (s->attr & 2);
    case BLINK_OP_LSL:
        return !system || type == 1 || type == 2 || type == 3 || type == 9 || type == 11;
    default: return !system || (type >= 1 && type <= 5) || type == 9 || type == 11 || type == 12;
    }
}
HANDLER(ask_selector) {
    bool verify = i->op == BLINK_OP_VERR || i->op == BLINK_OP_VERW;
    uint64_t fl, d = 0;
    struct blink_seg s = {0, 0, 0, 0};
    if (!(cpu->mode & BLINK_MODE_PROT))
        RAISE(BLINK_EXC_UD, 0);
    uint16_t selector = read_selector(cpu, i, verify ? 0 : 1);
    bool ok = visible(cpu, i, selector, &s, &d) && answers(i, &s);
    fl = blink_cpu_get_flags(cpu) & ~(uint64_t)BLINK_ZF;
    if (ok && i->op == BLINK_OP_LSL)
        put_sized(cpu, i->opnd[0].reg, i->opnd[0].size, s.limit);
    else if (ok && i->op == BLINK_OP_LAR)
        put_sized(cpu, i->opnd[0].reg, i->opnd[0].size, d >> 32 & 0x00ffff00);
    blink_cpu_set_flags(cpu, ok ? fl | BLINK_ZF : fl);
    NEXT_BY_DRIVER();
}
HANDLER(arpl) {
    bool mem = i->opnd[0].kind == BLINK_OPND_MEM;
    if (!(cpu->mode & BLINK_MODE_PROT))
        RAISE(BLINK_EXC_UD, 0);
    uint64_t m = mem ? ea(cpu, i) : 0;
    uint16_t d = mem ? ld16(cpu, i, m) : get16(cpu, i->opnd[0].reg);
    uint16_t s = get16(cpu, i->opnd[1].reg);
    bool raise = (d & 3) < (s & 3);
    if (raise)
        d = (uint16_t)((d & ~3) | (s & 3));
    if (raise && mem)
        st16(cpu, i, m, d);
    else if (raise)
        put16(cpu, i->opnd[0].reg, d);
    uint64_t fl = blink_cpu_get_flags(cpu) & ~(uint64_t)BLINK_ZF;
    blink_cpu_set_flags(cpu, raise ? fl | BLINK_ZF : fl);
    NEXT();
}

/* Segment registers. */
HANDLER(mov_from_segment) {
    uint16_t v = cpu->seg[i->opnd[1].reg].selector;
    write_selector(cpu, i, v);
    NEXT();
}
/* The next instruction is not interrupted after a load of SS. */
static void shadow_if_ss(struct blink_cpu *cpu, uint32_t seg) {
    if (seg == BLINK_SEG_SS)
        cpu->shadow = 2;
}
HANDLER(mov_to_segment) {
    uint32_t seg = i->opnd[0].reg;
    uint32_t mode = cpu->mode;
    if (seg == BLINK_SEG_CS)
        RAISE(BLINK_EXC_UD, 0);
    INTERP_FN(load_segment)(cpu, i, seg, read_selector(cpu, i, 1));
    shadow_if_ss(cpu, seg);
    if (seg == BLINK_SEG_SS || cpu->mode != mode)
        return leave_next(cpu, i);
    CHAIN(i + 1, BLOCK_FALL, next_rip(i));
}
HANDLER(pop_segment) {
    uint32_t seg = i->opnd[0].reg, width = stack_width(cpu), mode = cpu->mode;
    uint16_t v = (uint16_t)stack_peek(cpu, i, i->opsize, 0);
    /* SP moves as wide as the old stack is. */
    uint64_t sp = cpu->gpr[BLINK_RSP] + i->opsize;
    INTERP_FN(load_segment)(cpu, i, seg, v);
    put_sized(cpu, BLINK_RSP, width, sp);
    shadow_if_ss(cpu, seg);
    if (seg == BLINK_SEG_SS || cpu->mode != mode)
        return leave_after(cpu, i);
    NEXT();
}
HANDLER(load_far_pointer) {
    static const uint8_t seg_of[] = {BLINK_SEG_DS, BLINK_SEG_ES, BLINK_SEG_SS, BLINK_SEG_FS,
                                     BLINK_SEG_GS};
    uint64_t m = ea(cpu, i), v = ld_sized(cpu, i, m, i->opsize);
    uint16_t selector = ld16(cpu, i, m + i->opsize);
    uint32_t mode = cpu->mode;
    INTERP_FN(load_segment)(cpu, i, seg_of[i->op - BLINK_OP_LDS], selector);
    put_sized(cpu, i->opnd[0].reg, i->opsize, v);
    if (i->op == BLINK_OP_LSS)
        shadow_if_ss(cpu, BLINK_SEG_SS);
    if (i->op == BLINK_OP_LSS || cpu->mode != mode)
        return leave_after(cpu, i);
    NEXT();
}
HANDLER(bound) {
    uint32_t size = i->opsize, k = 64 - size * 8;
    uint64_t m = ea(cpu, i);
    int64_t lo = (int64_t)(ld_sized(cpu, i, m, size) << k) >> k;
    int64_t hi = (int64_t)(ld_sized(cpu, i, m + size, size) << k) >> k;
    int64_t v = (int64_t)(get_sized(cpu, i->opnd[0].reg, size) << k) >> k;
    if (v < lo || v > hi)
        RAISE(BLINK_EXC_BR, 0);
    NEXT();
}

/* Interrupt flag. */
HANDLER(cli) {
    if (cpu->cpl > (cpu->flags & BLINK_IOPL) >> 12)
        RAISE(BLINK_EXC_GP, 0);
    cpu->flags &= ~(uint64_t)BLINK_IF;
    NEXT();
}
HANDLER(sti) {
    if (cpu->cpl > (cpu->flags & BLINK_IOPL) >> 12)
        RAISE(BLINK_EXC_GP, 0);
    if (!(cpu->flags & BLINK_IF))
        cpu->shadow = 1;
    cpu->flags |= BLINK_IF;
    return leave_next(cpu, i);
}
HANDLER(hlt) {
    NEED_CPL0();
    cpu->icount += interp_block_of(i + 1)->count;
    cpu->rip = next_rip(i);
    cpu->exit_reason = BLINK_EXIT_HLT;
    return NULL;
}

/* MSRs, TLB, caches. */
/* There are no performance counters: no number in ECX is one. */
HANDLER(rdpmc) {
    RAISE(BLINK_EXC_GP, 0);
}
HANDLER(rdmsr) {
    uint64_t v;
    NEED_CPL0();
    if (!cpu_read_msr(cpu, get32(cpu, BLINK_RCX), &v))
        RAISE(BLINK_EXC_GP, 0);
    if (get32(cpu, BLINK_RCX) == MSR_TSC)
        v = time_stamp(cpu, i);
    put32(cpu, BLINK_RAX, (uint32_t)v);
    put32(cpu, BLINK_RDX, (uint32_t)(v >> 32));
    NEXT_BY_DRIVER();
}
HANDLER(wrmsr) {
    NEED_CPL0();
    if (!cpu_write_msr(cpu, get32(cpu, BLINK_RCX),
                       (uint64_t)get32(cpu, BLINK_RDX) << 32 | get32(cpu, BLINK_RAX)))
        RAISE(BLINK_EXC_GP, 0);
    if (get32(cpu, BLINK_RCX) == MSR_TSC && context_of(cpu)->clock)
        cpu->tsc_offset = ((uint64_t)get32(cpu, BLINK_RDX) << 32 | get32(cpu, BLINK_RAX)) -
                          context_of(cpu)->clock(cpu);
    /* EFER.NXE decides what an entry means. */
    if (get32(cpu, BLINK_RCX) == 0xc0000080)
        mem_tlb_flush(cpu);
    return leave_next(cpu, i);
}
HANDLER(invlpg) {
    NEED_CPL0();
    mem_tlb_flush_page(cpu, ea_offset(cpu, i) + cpu->seg[i->seg].base);
    if (cpu->cr0 & CR0_PG)
        context_of(cpu)->remapped |= INTERP_REMAP_PAGES;
    return leave_next(cpu, i);
}
HANDLER(flush_caches) {
    NEED_CPL0();
    NEXT();
}
HANDLER(swapgs) {
    if ((cpu->mode & BLINK_MODE_BITS) != BLINK_MODE_BITS64)
        RAISE(BLINK_EXC_UD, 0);
    NEED_CPL0();
    uint64_t v = cpu->seg[BLINK_SEG_GS].base;
    cpu->seg[BLINK_SEG_GS].base = cpu->kernel_gs_base;
    cpu->kernel_gs_base = v;
    NEXT();
}

static interp_handler *bind_privileged(const struct blink_insn *i) {
    switch (i->op) {
    case BLINK_OP_MOV_CR: return mov_control;
    case BLINK_OP_MOV_DR: return mov_debug;
    case BLINK_OP_SMSW: return smsw;
    case BLINK_OP_LMSW: return lmsw;
    case BLINK_OP_CLTS: return clts;
    case BLINK_OP_SGDT:
    case BLINK_OP_SIDT: return store_table;
    case BLINK_OP_LGDT:
    case BLINK_OP_LIDT: return load_table;
    case BLINK_OP_SLDT:
    case BLINK_OP_STR: return store_selector;
    case BLINK_OP_LLDT:
    case BLINK_OP_LTR: return load_system;
    case BLINK_OP_LAR:
    case BLINK_OP_LSL:
    case BLINK_OP_VERR:
    case BLINK_OP_VERW: return ask_selector;
    case BLINK_OP_ARPL: return arpl;
    case BLINK_OP_CLI: return cli;
    case BLINK_OP_STI: return sti;
    case BLINK_OP_HLT: return hlt;
    case BLINK_OP_RDPMC: return rdpmc;
    case BLINK_OP_RDMSR: return rdmsr;
    case BLINK_OP_WRMSR: return wrmsr;
    case BLINK_OP_INVLPG: return invlpg;
    case BLINK_OP_INVD:
    case BLINK_OP_WBINVD: return flush_caches;
    case BLINK_OP_SWAPGS: return swapgs;
    case BLINK_OP_XSETBV: return xsetbv;
    default: return NULL;
    }
}

interp_handler *INTERP_FN(bind_SYSTEM)(const struct blink_insn *i, uint32_t mode) {
    switch (i->op) {
    case BLINK_OP_CPUID: return cpuid;
    case BLINK_OP_RDTSC:
    case BLINK_OP_RDTSCP: return rdtsc;
    case BLINK_OP_RDPID: return rdpid;
    case BLINK_OP_XGETBV: return xgetbv;
    case BLINK_OP_RDRAND:
    case BLINK_OP_RDSEED: return random_bits;
    case BLINK_OP_PAUSE:
    case BLINK_OP_PREFETCH:
    case BLINK_OP_ENDBR: return nothing;
    case BLINK_OP_LFENCE:
    case BLINK_OP_MFENCE:
    case BLINK_OP_SFENCE: return fence;
    case BLINK_OP_CLFLUSH:
    case BLINK_OP_CLFLUSHOPT:
    case BLINK_OP_CLWB: return cache_line;
    case BLINK_OP_RDFSBASE:
    case BLINK_OP_RDGSBASE:
    case BLINK_OP_WRFSBASE:
    case BLINK_OP_WRGSBASE: return fsgsbase;
    case BLINK_OP_MOV_SEG:
        return i->opnd[0].kind == BLINK_OPND_SEG ? mov_to_segment : mov_from_segment;
    case BLINK_OP_POP: return pop_segment;
    case BLINK_OP_LDS:
    case BLINK_OP_LES:
    case BLINK_OP_LSS:
    case BLINK_OP_LFS:
    case BLINK_OP_LGS: return load_far_pointer;
    case BLINK_OP_BOUND: return bound;
    case BLINK_OP_FXSAVE:
    case BLINK_OP_FXRSTOR:
    case BLINK_OP_XSAVE:
    case BLINK_OP_XSAVEC:
    case BLINK_OP_XSAVEOPT:
    case BLINK_OP_XRSTOR: return INTERP_FN(bind_xsave)(i, mode);
    default: return bind_privileged(i);
    }
}
