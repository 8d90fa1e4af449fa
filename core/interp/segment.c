/*
 * Loading segment registers, see segment.h.
 */
#include "interp/segment.h"

#include "cpu/cpu.h"
#include "interp/transfer.h"
#include "mem/space.h"

/* Descriptor attribute bits. */
#define ATTR_TYPE_CODE 0x08
#define ATTR_CONFORM   0x04
#define ATTR_RW        0x02
#define ATTR_S         0x10
#define ATTR_DPL(a)    (((a) >> 5) & 3)
#define ATTR_PRESENT   0x80

static bool is_real(const struct blink_cpu *cpu) {
    return !(cpu->mode & BLINK_MODE_PROT);
}

static bool user_descriptor(const struct blink_cpu *cpu, uint16_t selector, uint64_t *out) {
    switch (selector & 0xfffc) {
    case 0x20: *out = UINT64_C(0x00cffb000000ffff); return true; /* 32-bit code */
    case 0x28: *out = UINT64_C(0x00cff3000000ffff); return true; /* data */
    case 0x30:
        *out = UINT64_C(0x00affb000000ffff);
        return true; /* 64-bit code */
    /* Its limit tells the number of the processor. */
    case 0x78:
        *out = UINT64_C(0x0040f50000000000) | (cpu->tsc_aux & 0xffff) |
               (uint64_t)(cpu->tsc_aux >> 16 & 0xf) << 48;
        return true;
    default: return false;
    }
}

bool INTERP_FN(read_descriptor)(struct blink_cpu *cpu, const struct blink_insn *i,
                                uint16_t selector, uint64_t *out) {
    bool local = selector & 4;
    uint64_t base = local ? cpu->ldtr.base : cpu->gdtr.base;
    uint32_t limit = local ? cpu->ldtr.limit : cpu->gdtr.limit, at = selector & 0xfff8u;
    if (has_no_table(cpu))
        return user_descriptor(cpu, selector, out);
    if (at + 7 > limit || (local && !(cpu->ldtr.attr & ATTR_PRESENT)))
        return false;
    /* Descriptor tables are read with the rights of the processor, not of the program. */
    struct mem_fault fault;
    FAULTS();
    if (!mem_read_system(cpu, base + at, out, sizeof *out, &fault))
        interp_fault_from(cpu, &fault);
    return true;
}

/* A descriptor that is loaded is marked as accessed. */
static void mark_accessed(struct blink_cpu *cpu, const struct blink_insn *i, struct blink_seg *s) {
    uint64_t base = s->selector & 4 ? cpu->ldtr.base : cpu->gdtr.base;
    struct mem_fault fault;
    if ((s->attr & 1) || has_no_table(cpu))
        return;
    FAULTS();
    uint8_t *p = mem_reach(cpu, base + (s->selector & 0xfff8u) + 5, 0, true, &fault);
    if (!p && fault.vector)
        interp_fault_from(cpu, &fault);
    if (p)
        *p |= 1;
    s->attr |= 1;
}

void INTERP_FN(load_segment)(struct blink_cpu *cpu, const struct blink_insn *i, uint32_t seg,
                             uint16_t selector) {
    struct blink_seg *s = &cpu->seg[seg];
    uint16_t code = selector & 0xfffc;
    uint64_t d;
    if (is_real(cpu)) {
        s->selector = selector;
        s->base = (uint64_t)selector << 4;
        if (cpu->mode & BLINK_MODE_VM86) {
            s->limit = 0xffff;
            s->attr = 0x00f3;
            cpu_update_mode(cpu);
        }
        return;
    }
    if (code == 0) {
        bool allowed = (cpu->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64 && cpu->cpl != 3 &&
                       (selector & 3u) == cpu->cpl;
        if (seg == BLINK_SEG_SS && !allowed)
            RAISE(BLINK_EXC_GP, 0);
        *s = (struct blink_seg){0, 0, selector, 0};
        if (seg == BLINK_SEG_SS)
            s->attr = (uint16_t)(cpu->cpl << 5);
        cpu_update_mode(cpu);
        return;
    }
    if (!INTERP_FN(read_descriptor)(cpu, i, selector, &d))
        RAISE(BLINK_EXC_GP, code);
    struct blink_seg n = transfer_unpack(selector, d);
    uint32_t dpl = ATTR_DPL(n.attr), rpl = selector & 3;
    bool is_code = n.attr & ATTR_TYPE_CODE, bad;
    if (seg == BLINK_SEG_SS)
        bad = rpl != cpu->cpl || dpl != cpu->cpl || is_code || !(n.attr & ATTR_RW);
    else
        bad = (is_code && !(n.attr & ATTR_RW)) ||
              (!(is_code && (n.attr & ATTR_CONFORM)) && (rpl > dpl || cpu->cpl > dpl));
    if (bad || !(n.attr & ATTR_S))
        RAISE(BLINK_EXC_GP, code);
    if (!(n.attr & ATTR_PRESENT))
        RAISE(seg == BLINK_SEG_SS ? BLINK_EXC_SS : BLINK_EXC_NP, code);
    mark_accessed(cpu, i, &n);
    *s = n;
    cpu_update_mode(cpu);
}

struct blink_seg INTERP_FN(code_segment)(struct blink_cpu *cpu, const struct blink_insn *i,
                                         uint16_t selector) {
    uint16_t code = selector & 0xfffc;
    uint64_t d;
    if (is_real(cpu)) {
        struct blink_seg s = cpu->seg[BLINK_SEG_CS];
        s.selector = selector;
        s.base = (uint64_t)selector << 4;
        return s;
    }
    if (code == 0)
        RAISE(BLINK_EXC_GP, 0);
    if (!INTERP_FN(read_descriptor)(cpu, i, selector, &d))
        RAISE(BLINK_EXC_GP, code);
    struct blink_seg n = transfer_unpack(selector, d);
    uint32_t dpl = ATTR_DPL(n.attr);
    bool fits = n.attr & ATTR_CONFORM ? dpl <= cpu->cpl : dpl == cpu->cpl;
    bool both = (n.attr & 0x6000) == 0x6000 && (cpu->efer & EFER_LMA); /* L and D */
    if (!(n.attr & ATTR_S) || !(n.attr & ATTR_TYPE_CODE) || !fits || both)
        RAISE(BLINK_EXC_GP, code);
    if (!(n.attr & ATTR_PRESENT))
        RAISE(BLINK_EXC_NP, code);
    n.selector = (uint16_t)(code | cpu->cpl);
    return n;
}
