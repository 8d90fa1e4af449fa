/*
 * Loading segment registers, see segment.h.
 */
#include "interp/segment.h"

#include "cpu/cpu.h"
#include "mem/space.h"

/* Selectors of Linux x86-64: 32-bit code, data, 64-bit code. */
#define USER_CS32 0x23
#define USER_DS   0x2b
#define USER_CS64 0x33

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

/* A user program under a guest ABI has no descriptor table. */
static bool has_no_table(const struct blink_cpu *cpu) {
    return cpu->cpl == 3 && cpu->gdtr.limit == 0;
}

struct blink_seg INTERP_FN(unpack_descriptor)(uint16_t selector, uint64_t d) {
    struct blink_seg s;
    s.selector = selector;
    s.base = (d >> 16 & 0xffffff) | (d >> 56 & 0xff) << 24;
    s.limit = (uint32_t)((d & 0xffff) | (d >> 48 & 0xf) << 16);
    s.attr = (uint16_t)((d >> 40 & 0xff) | (d >> 52 & 0xf) << 12);
    if (s.attr & 0x8000)
        s.limit = s.limit << 12 | 0xfff;
    return s;
}

bool INTERP_FN(read_descriptor)(struct blink_cpu *cpu, const struct blink_insn *i,
                                uint16_t selector, uint64_t *out) {
    bool local = selector & 4;
    uint64_t base = local ? cpu->ldtr.base : cpu->gdtr.base;
    uint32_t limit = local ? cpu->ldtr.limit : cpu->gdtr.limit, at = selector & 0xfff8u;
    if (at + 7 > limit || (local && !(cpu->ldtr.attr & ATTR_PRESENT)))
        return false;
    /* Descriptor tables are read with the rights of the processor, not of the program. */
    struct mem_fault fault;
    FAULTS();
    if (!mem_read_system(cpu, base + at, out, sizeof *out, &fault))
        interp_fault_from(cpu, &fault);
    return true;
}

static struct blink_seg user_segment(struct blink_cpu *cpu, const struct blink_insn *i,
                                     uint16_t selector, bool code) {
    static const struct blink_seg cs32 = {0, UINT32_MAX, USER_CS32, 0xc0fb};
    static const struct blink_seg cs64 = {0, UINT32_MAX, USER_CS64, 0xa0fb};
    static const struct blink_seg ds = {0, UINT32_MAX, USER_DS, 0xc0f3};
    if (selector == USER_CS64)
        return cs64;
    if (selector == USER_CS32)
        return cs32;
    if (selector != USER_DS || code)
        RAISE(BLINK_EXC_GP, selector & 0xfffc);
    return ds;
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
        }
        return;
    }
    if (code == 0) {
        bool allowed = (cpu->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64 && cpu->cpl != 3;
        if (seg == BLINK_SEG_SS && !allowed)
            RAISE(BLINK_EXC_GP, 0);
        *s = (struct blink_seg){0, 0, selector, 0};
        return;
    }
    if (has_no_table(cpu)) {
        *s = user_segment(cpu, i, selector, false);
        s->selector = selector;
        return;
    }
    if (!INTERP_FN(read_descriptor)(cpu, i, selector, &d))
        RAISE(BLINK_EXC_GP, code);
    struct blink_seg n = INTERP_FN(unpack_descriptor)(selector, d);
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
    *s = n;
    if (seg == BLINK_SEG_SS)
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
    if (has_no_table(cpu))
        return user_segment(cpu, i, selector, true);
    if (!INTERP_FN(read_descriptor)(cpu, i, selector, &d))
        RAISE(BLINK_EXC_GP, code);
    struct blink_seg n = INTERP_FN(unpack_descriptor)(selector, d);
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
