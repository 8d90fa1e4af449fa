/*
 * For the SIMD family files: registers as vectors, vector loads and stores with the legacy forms'
 * alignment rule, and the sub-binders of the SSE, AVX and MMX classes.
 */
#ifndef CORE_INTERP_SSE_FORMS_H
#define CORE_INTERP_SSE_FORMS_H

#include "interp/handler.h"
#include "interp/sse/fp.h"
#include "interp/sse/simd.h"
#include "interp/x87/state.h"

/* ---- registers ---- */

static inline vec xmm(const struct blink_cpu *cpu, uint32_t n) {
    return vec_load(&cpu->ymm[n]);
}
static inline vec ymm_high(const struct blink_cpu *cpu, uint32_t n) {
    return vec_load(&cpu->ymm[n].u64[2]);
}
/* Legacy instructions leave the high half alone, VEX ones clear it. */
static inline void put_xmm(struct blink_cpu *cpu, uint32_t n, vec v) {
    memcpy(&cpu->ymm[n], &v, 16);
}
static inline void put_ymm(struct blink_cpu *cpu, uint32_t n, vec low, vec high) {
    memcpy(&cpu->ymm[n], &low, 16);
    memcpy(&cpu->ymm[n].u64[2], &high, 16);
}
static inline void put_vex(struct blink_cpu *cpu, uint32_t n, vec v) {
    put_ymm(cpu, n, v, vec_zero());
}
static inline void put_any(struct blink_cpu *cpu, uint32_t n, vec v, uint32_t vex) {
    if (vex)
        put_vex(cpu, n, v);
    else
        put_xmm(cpu, n, v);
}

/* An MMX register; the x87 stack is then full, from register 0. AMD64 manual volume 1, 5.14. */
static inline uint64_t mmx(const struct blink_cpu *cpu, uint32_t n) {
    return cpu->fpr[n & 7].frac;
}
static inline void put_mmx(struct blink_cpu *cpu, uint32_t n, uint64_t v) {
    cpu->fpr[n & 7].frac = v;
    cpu->fpr[n & 7].se = 0xffff;
}
static inline void mmx_state(struct blink_cpu *cpu) {
    cpu->ftop = 0;
    cpu->fvalid = 0xff;
}
/* A pending x87 exception comes before the next MMX instruction. */
#define MMX_BEGIN()                                                                                \
  do {                                                                                             \
    if (unlikely(cpu->fsw & FSW_ES)) {                                                             \
      FAULTS();                                                                                    \
      x87_pending(cpu);                                                                            \
    }                                                                                              \
  } while (0)

/* ---- memory ---- */

/* ea() where binding has seen that the address size is 64: no call, hence no stack frame. */
static inline uint64_t ea64(const struct blink_cpu *cpu, const struct blink_insn *i) {
    return cpu->gpr[i->base] + (cpu->gpr[i->index] << i->scale) + (uint64_t)i->disp +
           cpu->seg[i->seg].base;
}

static inline vec ld_vec(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t a) {
    vec v;
    load_bytes(cpu, i, a, &v, 16);
    return v;
}
static inline void st_vec(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t a, vec v) {
    store_bytes(cpu, i, a, &v, 16);
}
struct vec_pair {
    vec low, high;
};
static inline struct vec_pair ld_pair(struct blink_cpu *cpu, const struct blink_insn *i,
                                      uint64_t a) {
    struct vec_pair p;
    load_bytes(cpu, i, a, &p, 32);
    return p;
}
static inline struct vec_pair ymm_pair(const struct blink_cpu *cpu, uint32_t n) {
    return (struct vec_pair){xmm(cpu, n), ymm_high(cpu, n)};
}
static inline void aligned(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t a,
                           uint32_t size) {
    if (unlikely(a & (size - 1)))
        RAISE(BLINK_EXC_GP, 0);
}
static inline vec ld_aligned(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t a) {
    aligned(cpu, i, a, 16);
    return ld_vec(cpu, i, a);
}
/* A memory operand of 1 to 16 bytes, zero-extended, without alignment. */
static inline vec ld_part(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t a,
                          uint32_t size) {
    vec v = vec_zero();
    load_bytes(cpu, i, a, &v, size);
    return v;
}

/* ---- floating-point exceptions: before the result is written ---- */

#define SETTLE()                                                                                   \
  do {                                                                                             \
    if (unlikely(vfp_unmasked(cpu))) {                                                             \
      FAULTS();                                                                                    \
      simd_settle(cpu);                                                                            \
    }                                                                                              \
  } while (0)

/* ---- binding: NULL if the operation is not theirs ---- */

#define IS_VEX(i) ((i)->prefix & BLINK_PFX_VEX)

typedef interp_handler *simd_binder(const struct blink_insn *i);
simd_binder INTERP_FN(bind_hot), INTERP_FN(bind_move), INTERP_FN(bind_table), INTERP_FN(bind_mmx),
    INTERP_FN(bind_scalar), INTERP_FN(bind_implicit), INTERP_FN(bind_wide), INTERP_FN(bind_masked);

/* MASKMOVQ and MASKMOVDQU: the bytes of v whose mask byte has its sign set, at [rDI]. */
void INTERP_FN(store_masked)(struct blink_cpu *cpu, const struct blink_insn *i, vec v, vec mask);

#endif
