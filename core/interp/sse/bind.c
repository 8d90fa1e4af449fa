/*
 * Binding of the MMX, SSE and AVX classes: what the CPU's mode forbids, then the families in turn.
 */
#include "cpu/cpu.h"
#include "interp/sse/forms.h"

/* Control registers forbid the instruction: see BLINK_MODE_NOX87, NOSSE, NOAVX. AMD64 manual
 * volume 4, the tables of exceptions. */
HANDLER(forbidden_mmx) {
    RAISE(cpu->cr0 & CR0_EM ? BLINK_EXC_UD : BLINK_EXC_NM, 0);
}
HANDLER(forbidden_sse) {
    bool undefined = (cpu->cr0 & CR0_EM) || !(cpu->cr4 & CR4_OSFXSR);
    RAISE(undefined ? BLINK_EXC_UD : BLINK_EXC_NM, 0);
}
HANDLER(forbidden_avx) {
    bool undefined = !(cpu->cr4 & CR4_OSXSAVE) || (cpu->xcr0 & 6) != 6;
    RAISE(undefined ? BLINK_EXC_UD : BLINK_EXC_NM, 0);
}

static interp_handler *first_of(const struct blink_insn *i, simd_binder *const *binders,
                                size_t count) {
    for (size_t k = 0; k < count; k++) {
        interp_handler *h = binders[k](i);
        if (h)
            return h;
    }
    return NULL;
}

interp_handler *INTERP_FN(bind_MMX)(const struct blink_insn *i, uint32_t mode) {
    bool with_xmm = i->opnd[0].kind == BLINK_OPND_XMM || i->opnd[1].kind == BLINK_OPND_XMM;
    interp_handler *h = INTERP_FN(bind_mmx)(i);
    if (h && with_xmm && (mode & BLINK_MODE_NOSSE))
        return forbidden_sse;
    return h && (mode & BLINK_MODE_NOX87) ? forbidden_mmx : h;
}

/* Legacy and VEX forms share most binders; each binder knows its operations. */
static simd_binder *const vector_binders[] = {
    INTERP_FN(bind_hot),   INTERP_FN(bind_move),   INTERP_FN(bind_scalar),  INTERP_FN(bind_wide),
    INTERP_FN(bind_table), INTERP_FN(bind_masked), INTERP_FN(bind_implicit)};
#define VECTOR_BINDERS (sizeof vector_binders / sizeof vector_binders[0])

interp_handler *INTERP_FN(bind_SSE)(const struct blink_insn *i, uint32_t mode) {
    if (i->opnd[0].kind == BLINK_OPND_MMX || i->opnd[1].kind == BLINK_OPND_MMX)
        return INTERP_FN(bind_MMX)(i, mode);
    interp_handler *h = first_of(i, vector_binders, VECTOR_BINDERS);
    return h && (mode & BLINK_MODE_NOSSE) ? forbidden_sse : h;
}

interp_handler *INTERP_FN(bind_AVX)(const struct blink_insn *i, uint32_t mode) {
    interp_handler *h = first_of(i, vector_binders, VECTOR_BINDERS);
    return h && (mode & BLINK_MODE_NOAVX) ? forbidden_avx : h;
}
