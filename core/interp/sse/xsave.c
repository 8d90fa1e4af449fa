/*
 * FXSAVE FXRSTOR XSAVE XSAVEC XSAVEOPT XRSTOR: x87, SSE and AVX state to and from memory. Layouts
 * of the AMD64 manual, volume 2, 11.4 and 11.5. Restoring reads and checks the whole area before
 * it changes anything.
 */
#include "cpu/cpu.h"
#include "interp/sse/forms.h"
#include "interp/sse/mxcsr.h"
#include "interp/system.h"

#define COMPONENT_X87 1u
#define COMPONENT_SSE 2u
#define COMPONENT_AVX 4u

/* Offsets in the area. */
#define AT_MXCSR  24u
#define AT_ST     32u
#define AT_XMM    160u
#define AT_HEADER 512u
#define AT_AVX    576u
#define AREA_SIZE 832u
#define COMPACTED (UINT64_C(1) << 63) /* of XCOMP_BV */

struct area {
    _Alignas(16) uint8_t byte[AREA_SIZE];
};

static bool in_64bit(const struct blink_cpu *cpu) {
    return (cpu->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64;
}
/* XMM and YMM registers there are in this mode. */
static uint32_t vectors(const struct blink_cpu *cpu) {
    return in_64bit(cpu) ? 16 : 8;
}

static void put(struct area *m, uint32_t at, uint64_t v, uint32_t size) {
    memcpy(m->byte + at, &v, size);
}
static uint64_t get(const struct area *m, uint32_t at, uint32_t size) {
    uint64_t v = 0;
    memcpy(&v, m->byte + at, size);
    return v;
}

/* Areas are aligned to 16 at least, so no piece crosses a page. */
static void load_area(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t a, struct area *m,
                      uint32_t from, uint32_t to) {
    for (uint32_t k = from; k < to; k += 16)
        load_bytes(cpu, i, a + k, m->byte + k, 16);
}
static void store_area(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t a,
                       const struct area *m, uint32_t from, uint32_t to) {
    for (uint32_t k = from; k < to; k += 16)
        store_bytes(cpu, i, a + k, m->byte + k, 16);
}

/* ---- components into and out of an area's image ---- */

/* Pointers are offsets of 64 bits with REX.W, else of 32 with selectors. */
static void save_x87(const struct blink_cpu *cpu, const struct blink_insn *i, struct area *m) {
    bool wide = i->prefix & BLINK_PFX_REX_W;
    put(m, 0, cpu->fcw, 2);
    put(m, 2, x87_get_fsw(cpu), 2);
    put(m, 4, cpu->fvalid, 2);
    put(m, 6, cpu->fop & 0x7ffu, 2);
    put(m, 8, wide ? cpu->fip : (uint32_t)cpu->fip | (uint64_t)(uint16_t)cpu->fcs << 32, 8);
    put(m, 16, wide ? cpu->fdp : (uint32_t)cpu->fdp | (uint64_t)(uint16_t)cpu->fds << 32, 8);
    for (uint32_t k = 0; k < 8; k++) {
        const struct blink_f80 *r = &cpu->fpr[(cpu->ftop + k) & 7];
        put(m, AT_ST + 16 * k, r->frac, 8);
        put(m, AT_ST + 16 * k + 8, r->se, 8);
    }
}
static void restore_x87(struct blink_cpu *cpu, const struct blink_insn *i, const struct area *m) {
    bool wide = i->prefix & BLINK_PFX_REX_W;
    cpu->fcw = (uint16_t)((get(m, 0, 2) & 0x1f3f) | 0x40);
    x87_set_fsw(cpu, (uint16_t)get(m, 2, 2));
    cpu->fvalid = (uint8_t)get(m, 4, 1);
    cpu->fop = get(m, 6, 2) & 0x7ff;
    cpu->fip = get(m, 8, wide ? 8 : 4);
    cpu->fdp = get(m, 16, wide ? 8 : 4);
    cpu->fcs = wide ? 0 : (uint16_t)get(m, 12, 2);
    cpu->fds = wide ? 0 : (uint16_t)get(m, 20, 2);
    for (uint32_t k = 0; k < 8; k++) {
        struct blink_f80 *r = &cpu->fpr[(cpu->ftop + k) & 7];
        r->frac = get(m, AT_ST + 16 * k, 8);
        r->se = (uint16_t)get(m, AT_ST + 16 * k + 8, 2);
    }
}
static void init_x87(struct blink_cpu *cpu) {
    memset(cpu->fpr, 0, sizeof cpu->fpr);
    x87_init(cpu);
}

static void save_mxcsr(const struct blink_cpu *cpu, struct area *m) {
    put(m, AT_MXCSR, cpu->mxcsr | (uint64_t)MXCSR_VALID << 32, 8);
}
/* New flags leave the host's register: the value in cpu->mxcsr rules from here. */
static void set_mxcsr(struct blink_cpu *cpu, uint32_t v) {
    cpu->mxcsr = v;
    interp_mxcsr_load(cpu);
}
static void save_halves(const struct blink_cpu *cpu, struct area *m, uint32_t at, uint32_t half) {
    for (uint32_t k = 0; k < vectors(cpu); k++)
        memcpy(m->byte + at + 16 * k, &cpu->ymm[k].u64[half], 16);
}
/* From an area, or zeros. */
static void restore_halves(struct blink_cpu *cpu, const struct area *m, uint32_t at,
                           uint32_t half) {
    for (uint32_t k = 0; k < vectors(cpu); k++) {
        if (m)
            memcpy(&cpu->ymm[k].u64[half], m->byte + at + 16 * k, 16);
        else
            memset(&cpu->ymm[k].u64[half], 0, 16);
    }
}

/* ---- FXSAVE, FXRSTOR ---- */

static uint64_t area_address(struct blink_cpu *cpu, const struct blink_insn *i, uint32_t align) {
    uint64_t a = ea(cpu, i);
    if (unlikely(a & (align - 1)))
        interp_raise_misaligned(cpu, i, a);
    return a;
}
static uint32_t end_of_xmm(const struct blink_cpu *cpu) {
    return AT_XMM + 16 * vectors(cpu);
}

HANDLER(fxsave) {
    struct area m;
    uint64_t a = area_address(cpu, i, 16);
    check_store(cpu, i, a, end_of_xmm(cpu));
    cpu->mxcsr |= interp_mxcsr_take(cpu);
    save_x87(cpu, i, &m);
    save_mxcsr(cpu, &m);
    save_halves(cpu, &m, AT_XMM, 0);
    store_area(cpu, i, a, &m, 0, end_of_xmm(cpu));
    NEXT_BY_DRIVER();
}
HANDLER(fxrstor) {
    struct area m;
    uint64_t a = area_address(cpu, i, 16);
    load_area(cpu, i, a, &m, 0, end_of_xmm(cpu));
    uint32_t mxcsr = (uint32_t)get(&m, AT_MXCSR, 4);
    if (mxcsr & ~MXCSR_VALID)
        RAISE(BLINK_EXC_GP, 0);
    restore_x87(cpu, i, &m);
    set_mxcsr(cpu, mxcsr);
    restore_halves(cpu, &m, AT_XMM, 0);
    NEXT_BY_DRIVER();
}

/* ---- XSAVE and relatives ---- */

/* EDX:EAX, as far as XCR0 allows. */
static uint32_t requested(const struct blink_cpu *cpu) {
    return (uint32_t)(cpu->gpr[BLINK_RAX] & cpu->xcr0 & 7);
}

static bool halves_in_use(const struct blink_cpu *cpu, uint32_t half) {
    uint64_t any = 0;
    for (uint32_t k = 0; k < 16; k++)
        any |= cpu->ymm[k].u64[half] | cpu->ymm[k].u64[half + 1];
    return any != 0;
}
static bool x87_in_use(const struct blink_cpu *cpu) {
    uint64_t any = cpu->fsw | cpu->fop | cpu->ftop | cpu->fvalid | cpu->fcs | cpu->fds | cpu->fip |
                   cpu->fdp | (cpu->fcw ^ 0x37fu);
    for (uint32_t k = 0; k < 8; k++)
        any |= cpu->fpr[k].frac | cpu->fpr[k].se;
    return any != 0;
}
/* XINUSE: components that are not in their initial configuration. MXCSR counts with SSE for the
 * compacted format only. */
static uint32_t in_use(const struct blink_cpu *cpu, bool compacted) {
    uint32_t c = x87_in_use(cpu) ? COMPONENT_X87 : 0;
    if (halves_in_use(cpu, 0) || (compacted && cpu->mxcsr != MXCSR_DEFAULT))
        c |= COMPONENT_SSE;
    return halves_in_use(cpu, 2) ? c | COMPONENT_AVX : c;
}

uint64_t INTERP_FN(components_in_use)(const struct blink_cpu *cpu) {
    return in_use(cpu, true) & cpu->xcr0;
}

static void store_components(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t a,
                             struct area *m, uint32_t which, bool mxcsr) {
    if (which & COMPONENT_X87) {
        save_x87(cpu, i, m);
        store_bytes(cpu, i, a, m->byte, AT_MXCSR);
        store_area(cpu, i, a, m, AT_ST, AT_XMM);
    }
    if (mxcsr) {
        save_mxcsr(cpu, m);
        store_bytes(cpu, i, a + AT_MXCSR, m->byte + AT_MXCSR, 8);
    }
    if (which & COMPONENT_SSE) {
        save_halves(cpu, m, AT_XMM, 0);
        store_area(cpu, i, a, m, AT_XMM, end_of_xmm(cpu));
    }
    if (which & COMPONENT_AVX) {
        save_halves(cpu, m, AT_AVX, 2);
        store_area(cpu, i, a, m, AT_AVX, AT_AVX + 16 * vectors(cpu));
    }
}

HANDLER(xsave) {
    struct area m;
    uint64_t a = area_address(cpu, i, 64);
    uint32_t want = requested(cpu);
    cpu->mxcsr |= interp_mxcsr_take(cpu);
    uint32_t used = in_use(cpu, false);
    /* Bits of components not asked for stay. */
    uint64_t present = (ld64(cpu, i, a + AT_HEADER) & ~(uint64_t)want) | (want & used);
    store_components(cpu, i, a, &m, i->op == BLINK_OP_XSAVEOPT ? want & used : want,
                     want & (COMPONENT_SSE | COMPONENT_AVX));
    st64(cpu, i, a + AT_HEADER, present);
    NEXT_BY_DRIVER();
}
HANDLER(xsavec) {
    struct area m;
    uint64_t a = area_address(cpu, i, 64);
    uint32_t want = requested(cpu);
    cpu->mxcsr |= interp_mxcsr_take(cpu);
    uint32_t save = want & in_use(cpu, true);
    store_components(cpu, i, a, &m, save, save & COMPONENT_SSE);
    const uint64_t header[2] = {save, want | COMPACTED};
    store_bytes(cpu, i, a + AT_HEADER, header, 16);
    NEXT_BY_DRIVER();
}

/* The header of an area to restore from: false for #GP. */
static bool good_header(const struct blink_cpu *cpu, const struct area *m) {
    uint64_t present = get(m, AT_HEADER, 8), compact = get(m, AT_HEADER + 8, 8);
    uint32_t reserved = compact & COMPACTED ? 64 : 24;
    for (uint32_t k = 16; k < reserved; k += 8)
        if (get(m, AT_HEADER + k, 8))
            return false;
    if (!(compact & COMPACTED))
        return compact == 0 && (present & ~cpu->xcr0) == 0;
    return (compact & ~COMPACTED & ~cpu->xcr0) == 0 && (present & ~compact) == 0;
}

HANDLER(xrstor) {
    struct area m;
    uint64_t a = area_address(cpu, i, 64);
    load_area(cpu, i, a, &m, AT_HEADER, AT_AVX);
    if (!good_header(cpu, &m))
        RAISE(BLINK_EXC_GP, 0);
    uint32_t want = requested(cpu), have = want & (uint32_t)get(&m, AT_HEADER, 8);
    bool compact = get(&m, AT_HEADER + 8, 8) & COMPACTED;
    bool mxcsr = compact ? have & COMPONENT_SSE : want & (COMPONENT_SSE | COMPONENT_AVX);
    if ((have & COMPONENT_X87) || mxcsr)
        load_area(cpu, i, a, &m, 0, AT_XMM);
    if (have & COMPONENT_SSE)
        load_area(cpu, i, a, &m, AT_XMM, end_of_xmm(cpu));
    if (have & COMPONENT_AVX)
        load_area(cpu, i, a, &m, AT_AVX, AT_AVX + 16 * vectors(cpu));
    if (mxcsr && (get(&m, AT_MXCSR, 4) & ~(uint64_t)MXCSR_VALID))
        RAISE(BLINK_EXC_GP, 0);

    if (have & COMPONENT_X87)
        restore_x87(cpu, i, &m);
    else if (want & COMPONENT_X87)
        init_x87(cpu);
    if (mxcsr)
        set_mxcsr(cpu, (uint32_t)get(&m, AT_MXCSR, 4));
    else if (want & COMPONENT_SSE)
        set_mxcsr(cpu, MXCSR_DEFAULT);
    if (want & COMPONENT_SSE)
        restore_halves(cpu, have & COMPONENT_SSE ? &m : NULL, AT_XMM, 0);
    if (want & COMPONENT_AVX)
        restore_halves(cpu, have & COMPONENT_AVX ? &m : NULL, AT_AVX, 2);
    NEXT_BY_DRIVER();
}

HANDLER(no_device) {
    RAISE(BLINK_EXC_NM, 0);
}
HANDLER(xsave_forbidden) {
    RAISE(cpu->cr4 & CR4_OSXSAVE ? BLINK_EXC_NM : BLINK_EXC_UD, 0);
}
/* CR4.OSXSAVE is not in the mode alone, so the XSAVE family looks when it matters. */
#define NEED_OSXSAVE(name)                                                                         \
  HANDLER(checked_##name) {                                                                        \
    if (!(cpu->cr4 & CR4_OSXSAVE) || (cpu->cr0 & CR0_TS))                                          \
      return xsave_forbidden(cpu, i);                                                              \
    return name(cpu, i);                                                                           \
  }
NEED_OSXSAVE(xsave)
NEED_OSXSAVE(xsavec)
NEED_OSXSAVE(xrstor)

interp_handler *INTERP_FN(bind_xsave)(const struct blink_insn *i, uint32_t mode) {
    bool checked = mode & BLINK_MODE_NOAVX;
    switch (i->op) {
    case BLINK_OP_FXSAVE: return mode & BLINK_MODE_NOX87 ? no_device : fxsave;
    case BLINK_OP_FXRSTOR: return mode & BLINK_MODE_NOX87 ? no_device : fxrstor;
    case BLINK_OP_XSAVE:
    case BLINK_OP_XSAVEOPT: return checked ? checked_xsave : xsave;
    case BLINK_OP_XSAVEC: return checked ? checked_xsavec : xsavec;
    case BLINK_OP_XRSTOR: return checked ? checked_xrstor : xrstor;
    default: return NULL;
    }
}
