/*
 * Reset, mode and model-specific registers of a CPU. Called by the vCPU's own thread or before it
 * exists.
 */
#include "cpu/cpu.h"
#include "cpu/model.h"

#include <string.h>
#include <sys/random.h>
#include <time.h>

/* Descriptor attributes as blink_seg.attr holds them. */
#define ATTR_DATA 0x0093 /* present, data, writable, accessed */
#define ATTR_CODE 0x009b /* present, code, readable, accessed */
#define ATTR_DPL3 0x0060
#define ATTR_LONG 0x2000
#define ATTR_BIG  0x4000
#define ATTR_GRAN 0x8000

#define ATTR_RW        0x0002 /* writable data, readable code */
#define ATTR_DOWN      0x0004 /* data: expands down */
#define ATTR_TYPE_CODE 0x0008
#define ATTR_S         0x0010 /* code or data */
#define ATTR_PRESENT   0x0080

void cpu_set_segment(struct blink_cpu *cpu, uint32_t seg, uint16_t selector, uint64_t base,
                     uint32_t limit, uint16_t attr) {
    struct blink_seg *s = &cpu->seg[seg];
    s->selector = selector;
    s->base = base;
    s->limit = limit;
    s->attr = attr;
}

/* Which register files may not be used, or not without more. AMD64 manual volume 2, 3.1.1, 3.1.3
 * and 11.3. */
static uint32_t forbidden(const struct blink_cpu *cpu) {
    uint32_t mode = 0;
    if (cpu->cr0 & (CR0_EM | CR0_TS))
        mode |= BLINK_MODE_NOX87 | BLINK_MODE_NOSSE;
    if (!(cpu->cr0 & CR0_NE))
        mode |= BLINK_MODE_FERR;
    if (!(cpu->cr4 & CR4_OSFXSR))
        mode |= BLINK_MODE_NOSSE;
    if ((cpu->cr0 & CR0_TS) || !(cpu->cr4 & CR4_OSXSAVE) || (cpu->xcr0 & 6) != 6)
        mode |= BLINK_MODE_NOAVX;
    return mode;
}

/* Expands up, and in protected mode is there and can be written. */
static bool is_plain(const struct blink_cpu *cpu, uint32_t seg, uint32_t mode) {
    uint16_t attr = cpu->seg[seg].attr;
    if ((attr & (ATTR_S | ATTR_TYPE_CODE | ATTR_DOWN)) == (ATTR_S | ATTR_DOWN))
        return false;
    return !(mode & BLINK_MODE_PROT) ||
           (attr & (ATTR_PRESENT | ATTR_TYPE_CODE | ATTR_RW)) == (ATTR_PRESENT | ATTR_RW);
}

static bool is_plain_code(const struct blink_cpu *cpu, uint32_t mode) {
    const struct blink_seg *s = &cpu->seg[BLINK_SEG_CS];
    bool down = (s->attr & (ATTR_S | ATTR_TYPE_CODE | ATTR_DOWN)) == (ATTR_S | ATTR_DOWN);
    bool readable = !(mode & BLINK_MODE_PROT) || (s->attr & ATTR_RW);
    return !down && readable && s->limit >= (mode & BLINK_MODE_BITS32 ? UINT32_MAX : 0xffff);
}

/* What 16- and 32-bit code need not look at again. In real mode bases change without a word. */
static uint32_t segments(const struct blink_cpu *cpu, uint32_t mode) {
    static const uint8_t list[] = {BLINK_SEG_CS, BLINK_SEG_DS, BLINK_SEG_ES, BLINK_SEG_SS};
    bool plain = is_plain_code(cpu, mode), flat = mode & BLINK_MODE_PROT, whole = true;
    for (uint32_t k = 0; k < sizeof list; k++) {
        const struct blink_seg *s = &cpu->seg[list[k]];
        plain = plain && (list[k] == BLINK_SEG_CS || is_plain(cpu, list[k], mode));
        whole = whole && s->limit >= 0xffff;
        flat = flat && s->base == 0 && s->limit == UINT32_MAX;
    }
    return (plain ? BLINK_MODE_PLAIN : 0) | (plain && whole ? BLINK_MODE_WHOLE : 0) |
           (plain && flat ? BLINK_MODE_FLAT : 0) |
           (is_plain(cpu, BLINK_SEG_FS, mode) ? BLINK_MODE_PLAINFS : 0) |
           (is_plain(cpu, BLINK_SEG_GS, mode) ? BLINK_MODE_PLAINGS : 0);
}

void cpu_update_mode(struct blink_cpu *cpu) {
    uint16_t cs = cpu->seg[BLINK_SEG_CS].attr;
    uint32_t mode = cpu->mode & BLINK_MODE_PAGED;
    bool vm = cpu->flags & BLINK_VM;
    if (!(cpu->cr0 & CR0_PE)) {
        cpu->cpl = 0;
    } else if (vm) {
        mode |= BLINK_MODE_VM86;
        cpu->cpl = 3;
    } else {
        mode |= BLINK_MODE_PROT;
        if ((cpu->efer & EFER_LMA) && (cs & ATTR_LONG))
            mode |= BLINK_MODE_BITS64;
        else if (cs & ATTR_BIG)
            mode |= BLINK_MODE_BITS32;
    }
    if (cpu->seg[BLINK_SEG_SS].attr & ATTR_BIG)
        mode |= BLINK_MODE_SS32;
    if (cpu->cpl == 3)
        mode |= BLINK_MODE_CPL3;
    if (!(mode & BLINK_MODE_BITS64))
        mode |= segments(cpu, mode);
    cpu->mode = mode | forbidden(cpu);
}

static void reset_common(struct blink_cpu *cpu) {
    memset(cpu->gpr, 0, sizeof cpu->gpr);
    memset(cpu->seg, 0, sizeof cpu->seg);
    memset(cpu->ymm, 0, sizeof cpu->ymm);
    memset(cpu->fpr, 0, sizeof cpu->fpr);
    memset(cpu->dr, 0, sizeof cpu->dr);
    blink_cpu_set_flags(cpu, 2);
    cpu->struct_size = sizeof *cpu;
    cpu->fcw = 0x37f;
    cpu->fsw = 0;
    cpu->ftop = 0;
    cpu->fvalid = 0;
    cpu->mxcsr = 0x1f80;
    cpu->xcr0 = 1;
    cpu->dr[6] = 0xffff0ff0;
    cpu->dr[7] = 0x400;
    cpu->pat = UINT64_C(0x0007040600070406);
    cpu->apic_base = APIC_BASE_RESET;
    cpu->misc_enable = 1;
    cpu->a20_mask = UINT32_MAX;
    cpu->efer = cpu->cr2 = cpu->cr3 = cpu->cr4 = cpu->cr8 = 0;
    cpu->star = cpu->lstar = cpu->cstar = cpu->sfmask = cpu->kernel_gs_base = 0;
    cpu->sysenter_cs = cpu->sysenter_esp = cpu->sysenter_eip = 0;
    cpu->tsc_aux = cpu->id;
    cpu->shadow = 0;
    memset(&cpu->ldtr, 0, sizeof cpu->ldtr);
    memset(&cpu->tr, 0, sizeof cpu->tr);
    memset(&cpu->gdtr, 0, sizeof cpu->gdtr);
    memset(&cpu->idtr, 0, sizeof cpu->idtr);
    cpu->seg[BLINK_SEG_NONE].limit = UINT32_MAX;
    cpu->seg[BLINK_SEG_NONE].attr = ATTR_DATA | ATTR_BIG | ATTR_GRAN;
}

void cpu_reset(struct blink_cpu *cpu) {
    reset_common(cpu);
    cpu->cr0 = CR0_ET | CR0_CD | UINT64_C(0x20000000);
    cpu->fcw = 0x40;
    for (uint32_t s = 0; s <= BLINK_SEG_GS; s++)
        cpu_set_segment(cpu, s, 0, 0, 0xffff, ATTR_DATA);
    cpu_set_segment(cpu, BLINK_SEG_CS, 0xf000, 0xffff0000, 0xffff, ATTR_CODE);
    cpu->gdtr.limit = cpu->idtr.limit = 0xffff;
    cpu->gpr[BLINK_RDX] = 0x600;
    cpu->rip = 0xfff0;
    cpu->cpl = 0;
    cpu_update_mode(cpu);
}

void cpu_reset_user64(struct blink_cpu *cpu) {
    uint16_t flat = ATTR_BIG | ATTR_GRAN | ATTR_DPL3;
    reset_common(cpu);
    cpu->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
    cpu->cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_FSGSBASE | CR4_OSXSAVE;
    /* What Linux answers to SGDT, SIDT and STR where it keeps the processor from answering. */
    cpu->gdtr.base = UINT64_C(0xfffffffffffe0000);
    cpu->idtr.base = UINT64_C(0xffffffffffff0000);
    cpu->tr.selector = 0x40;
    cpu->efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
    cpu->xcr0 = cpu_model_has_avx(cpu->model) ? 7 : 3;
    blink_cpu_set_flags(cpu, 2 | BLINK_IF);
    cpu_set_segment(cpu, BLINK_SEG_CS, 0x33, 0, UINT32_MAX,
                    ATTR_CODE | ATTR_DPL3 | ATTR_LONG | ATTR_GRAN);
    cpu_set_segment(cpu, BLINK_SEG_SS, 0x2b, 0, UINT32_MAX, ATTR_DATA | flat);
    cpu->cpl = 3;
    cpu_update_mode(cpu);
}

uint64_t cpu_tsc(const struct blink_cpu *cpu) {
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc() + cpu->tsc_offset;
#else
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec + cpu->tsc_offset;
#endif
}

bool cpu_random(uint64_t *out) {
    return getrandom(out, sizeof *out, 0) == sizeof *out;
}

/* AMD64 manual volume 2, appendix A. */
static uint64_t *msr_field(struct blink_cpu *cpu, uint32_t msr) {
    switch (msr) {
    case 0x1b: return &cpu->apic_base;
    case 0x174: return &cpu->sysenter_cs;
    case 0x175: return &cpu->sysenter_esp;
    case 0x176: return &cpu->sysenter_eip;
    case 0x1a0: return &cpu->misc_enable;
    case 0x277: return &cpu->pat;
    case 0xc0000080: return &cpu->efer;
    case 0xc0000081: return &cpu->star;
    case 0xc0000082: return &cpu->lstar;
    case 0xc0000083: return &cpu->cstar;
    case 0xc0000084: return &cpu->sfmask;
    case 0xc0000100: return &cpu->seg[BLINK_SEG_FS].base;
    case 0xc0000101: return &cpu->seg[BLINK_SEG_GS].base;
    case 0xc0000102: return &cpu->kernel_gs_base;
    default: return NULL;
    }
}

/* Registers that every processor has and nobody asks CPUID for, and which say that there is
 * nothing: platform, microcode that was loaded, ranges of memory types and what they are by
 * default, banks of machine checks and what happened. Those of state can be written, and stay as
 * they are. Intel SDM volume 4, table 2-2. */
static bool is_empty(uint32_t msr) {
    return msr == 0x17 || msr == 0x8b || msr == 0xfe || msr == 0x179 || msr == 0x17a ||
           msr == 0x2ff;
}

bool cpu_read_msr(struct blink_cpu *cpu, uint32_t msr, uint64_t *out) {
    uint64_t *field = msr_field(cpu, msr);
    if (msr == 0x1b && !cpu->apic_base)
        return false;
    if (msr == 0x10)
        *out = cpu_tsc(cpu);
    else if (is_empty(msr))
        *out = 0;
    else if (msr == 0xc0000103)
        *out = cpu->tsc_aux;
    else if (field)
        *out = *field;
    else
        return false;
    return true;
}

static bool wants_canonical(uint32_t msr) {
    return msr == 0xc0000082 || msr == 0xc0000083 || (msr >= 0xc0000100 && msr <= 0xc0000102) ||
           msr == 0x175 || msr == 0x176;
}

/* Eight memory types: 0, 1 and 4-7. */
static bool good_pat(uint64_t value) {
    for (int k = 0; k < 8; k++) {
        uint64_t type = value >> k * 8 & 0xff;
        if (type > 7 || type == 2 || type == 3)
            return false;
    }
    return true;
}

/* It stays that of the first processor, and there is no x2APIC mode. */
static bool set_apic_base(struct blink_cpu *cpu, uint64_t value) {
    const uint64_t address = ((UINT64_C(1) << CPU_PHYS_BITS) - 1) & ~UINT64_C(0xfff);
    if (value & ~(address | APIC_BASE_BSP | APIC_BASE_ENABLED))
        return false;
    cpu->apic_base = value | APIC_BASE_BSP;
    return true;
}

bool cpu_write_msr(struct blink_cpu *cpu, uint32_t msr, uint64_t value) {
    uint64_t *field = msr_field(cpu, msr);
    if (msr == 0x10) {
        cpu->tsc_offset += value - cpu_tsc(cpu);
        return true;
    }
    if (msr == 0xc0000103) {
        if (value >> 32)
            return false;
        cpu->tsc_aux = (uint32_t)value;
        return true;
    }
    if (is_empty(msr))
        return msr == 0x8b || msr == 0x17a || msr == 0x2ff;
    if (msr == 0x1b)
        return cpu->apic_base && set_apic_base(cpu, value);
    if (!field || (wants_canonical(msr) && !cpu_canonical(value)) ||
        (msr == 0x277 && !good_pat(value)))
        return false;
    if (msr == 0xc0000080) {
        const uint64_t known = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
        if (value & ~known)
            return false;
        /* LME cannot change while paging is on; LMA is the processor's. */
        if ((cpu->cr0 & CR0_PG) && ((value ^ cpu->efer) & EFER_LME))
            return false;
        value = (value & ~EFER_LMA) | (cpu->efer & EFER_LMA);
    }
    *field = value;
    return true;
}
