/*
 * Handlers of the operations in simd_ops: one a form (legacy, VEX of 128 and 256 bits; register or
 * memory of some size), which calls the kernel. Operations worth more are in hot.c.
 */
#include "interp/sse/forms.h"

/* Last source: register, or memory of the size in the name (u: without alignment). */
#define SRC_r(k)   xmm(cpu, i->opnd[k].reg)
#define SRC_m16(k) ld_aligned(cpu, i, ea(cpu, i))
#define SRC_u16(k) ld_vec(cpu, i, ea(cpu, i))
#define SRC_m8(k)  vec_low(ld64(cpu, i, ea(cpu, i)))
#define SRC_m4(k)  vec_low(ld32(cpu, i, ea(cpu, i)))
#define SRC_m2(k)  vec_low(ld16(cpu, i, ea(cpu, i)))
#define SRC_i(k)   vec_low(i->imm & 0xff)
#define PAIR_r(k)  ymm_pair(cpu, i->opnd[k].reg)
#define PAIR_m(k)  ld_pair(cpu, i, ea(cpu, i))

/* FP is YES or NO: whether the kernel may raise floating-point exceptions. */
#define YES_SETTLE() SETTLE()
#define NO_SETTLE()  (void)0

#define LEGACY(name, SRC, FP)                                                                      \
  HANDLER(name) {                                                                                  \
    uint32_t d = i->opnd[0].reg;                                                                   \
    vec b = SRC(1), r = simd_ops[i->op].kernel(cpu, xmm(cpu, d), b, (uint32_t)i->imm);             \
    FP##_SETTLE();                                                                                 \
    put_xmm(cpu, d, r);                                                                            \
    NEXT();                                                                                        \
  }
/* nb: number of the last source operand; of unary ones the first source is any register. */
#define VEX128(name, nb, SRC, FP)                                                                  \
  HANDLER(name) {                                                                                  \
    vec b = SRC(nb), a = xmm(cpu, i->opnd[1].reg & 15);                                            \
    vec r = simd_ops[i->op].kernel(cpu, a, b, (uint32_t)i->imm);                                   \
    FP##_SETTLE();                                                                                 \
    put_vex(cpu, i->opnd[0].reg, r);                                                               \
    NEXT();                                                                                        \
  }
#define VEX256(name, nb, PAIR, FP)                                                                 \
  HANDLER(name) {                                                                                  \
    const struct simd_op *o = &simd_ops[i->op];                                                    \
    struct vec_pair b = PAIR(nb), a = ymm_pair(cpu, i->opnd[1].reg & 15);                          \
    uint32_t imm = (uint32_t)i->imm & 0xff;                                                        \
    vec r = o->kernel(cpu, a.low, b.low, imm);                                                     \
    vec s = o->kernel(cpu, a.high, b.high, imm >> o->imm_shift);                                   \
    FP##_SETTLE();                                                                                 \
    put_ymm(cpu, i->opnd[0].reg, r, s);                                                            \
    NEXT();                                                                                        \
  }
/* One count for both lanes. */
#define SHIFT256(name, SRC)                                                                        \
  HANDLER(name) {                                                                                  \
    const struct simd_op *o = &simd_ops[i->op];                                                    \
    vec b = SRC(2);                                                                                \
    struct vec_pair a = ymm_pair(cpu, i->opnd[1].reg);                                             \
    put_ymm(cpu, i->opnd[0].reg, o->kernel(cpu, a.low, b, 0), o->kernel(cpu, a.high, b, 0));       \
    NEXT();                                                                                        \
  }
/* A YMM result from a source of half its size: the second lane takes the bytes after those the
 * first one used. */
#define WIDEN256(name, SRC)                                                                        \
  HANDLER(name) {                                                                                  \
    const struct simd_op *o = &simd_ops[i->op];                                                    \
    vec b = SRC(1);                                                                                \
    vec r = o->kernel(cpu, b, b, 0), s = o->kernel(cpu, b, vec_down(b, o->bytes), 0);              \
    if (o->flags & SIMD_FP)                                                                        \
      SETTLE();                                                                                    \
    put_ymm(cpu, i->opnd[0].reg, r, s);                                                            \
    NEXT();                                                                                        \
  }
#define NARROW256(name, PAIR)                                                                      \
  HANDLER(name) {                                                                                  \
    const struct simd_op *o = &simd_ops[i->op];                                                    \
    struct vec_pair b = PAIR(1);                                                                   \
    vec r = o->kernel(cpu, b.low, b.low, 0), s = o->kernel(cpu, b.high, b.high, 0);                \
    vec both = {r[0], s[0]};                                                                       \
    SETTLE();                                                                                      \
    put_vex(cpu, i->opnd[0].reg, both);                                                            \
    NEXT();                                                                                        \
  }
#define FMA128(name, SRC)                                                                          \
  HANDLER(name) {                                                                                  \
    uint32_t d = i->opnd[0].reg;                                                                   \
    vec c = SRC(2), r = simd_ops[i->op].kernel3(cpu, xmm(cpu, d), xmm(cpu, i->opnd[1].reg), c);    \
    SETTLE();                                                                                      \
    put_vex(cpu, d, r);                                                                            \
    NEXT();                                                                                        \
  }
#define FMA256(name, PAIR)                                                                         \
  HANDLER(name) {                                                                                  \
    const struct simd_op *o = &simd_ops[i->op];                                                    \
    uint32_t d = i->opnd[0].reg;                                                                   \
    struct vec_pair c = PAIR(2), b = ymm_pair(cpu, i->opnd[1].reg), a = ymm_pair(cpu, d);          \
    vec r = o->kernel3(cpu, a.low, b.low, c.low), s = o->kernel3(cpu, a.high, b.high, c.high);     \
    SETTLE();                                                                                      \
    put_ymm(cpu, d, r, s);                                                                         \
    NEXT();                                                                                        \
  }

/* Sources, in the order of the tables below. */
enum { FORM_R, FORM_M16, FORM_M8, FORM_M4, FORM_M2, FORM_I, FORMS };

#define LEGACY_SET(sfx, FP)                                                                        \
  LEGACY(legacy_r##sfx, SRC_r, FP)                                                                 \
  LEGACY(legacy_m16##sfx, SRC_m16, FP)                                                             \
  LEGACY(legacy_m8##sfx, SRC_m8, FP)                                                               \
  LEGACY(legacy_m4##sfx, SRC_m4, FP)
#define VEX_SET(sfx, nb, FP)                                                                       \
  VEX128(vex_r##sfx, nb, SRC_r, FP)                                                                \
  VEX128(vex_m16##sfx, nb, SRC_u16, FP)                                                            \
  VEX128(vex_m8##sfx, nb, SRC_m8, FP)                                                              \
  VEX128(vex_m4##sfx, nb, SRC_m4, FP)                                                              \
  VEX256(vex_y##sfx, nb, PAIR_r, FP)                                                               \
  VEX256(vex_my##sfx, nb, PAIR_m, FP)
LEGACY_SET(, NO)
LEGACY_SET(_fp, YES)
LEGACY(legacy_m2, SRC_m2, NO)
LEGACY(legacy_i, SRC_i, NO)
LEGACY(legacy_loose, SRC_u16, NO)
VEX_SET(_bin, 2, NO)
VEX_SET(_bin_fp, 2, YES)
VEX_SET(_un, 1, NO)
VEX_SET(_un_fp, 1, YES)
VEX128(vex_m2_un, 1, SRC_m2, NO)
VEX128(vex_i, 1, SRC_i, NO)
SHIFT256(shift_r, SRC_r)
SHIFT256(shift_m, SRC_u16)
SHIFT256(shift_i, SRC_i)
WIDEN256(widen_r, SRC_r)
WIDEN256(widen_m16, SRC_u16)
WIDEN256(widen_m8, SRC_m8)
WIDEN256(widen_m4, SRC_m4)
NARROW256(narrow_r, PAIR_r)
NARROW256(narrow_m, PAIR_m)
FMA128(fma_r, SRC_r)
FMA128(fma_m16, SRC_u16)
FMA128(fma_m8, SRC_m8)
FMA128(fma_m4, SRC_m4)
FMA256(fma_y, PAIR_r)
FMA256(fma_my, PAIR_m)

static interp_handler *const legacy_table[2][FORMS] = {
    {legacy_r, legacy_m16, legacy_m8, legacy_m4, legacy_m2, legacy_i},
    {legacy_r_fp, legacy_m16_fp, legacy_m8_fp, legacy_m4_fp, NULL, NULL},
};
static interp_handler *const vex_table[2][2][FORMS] = {
    {{vex_r_bin, vex_m16_bin, vex_m8_bin, vex_m4_bin, NULL, vex_i},
     {vex_r_bin_fp, vex_m16_bin_fp, vex_m8_bin_fp, vex_m4_bin_fp, NULL, NULL}},
    {{vex_r_un, vex_m16_un, vex_m8_un, vex_m4_un, vex_m2_un, NULL},
     {vex_r_un_fp, vex_m16_un_fp, vex_m8_un_fp, vex_m4_un_fp, NULL, NULL}},
};
static interp_handler *const vex256_table[2][2][2] = {
    {{vex_y_bin, vex_my_bin}, {vex_y_bin_fp, vex_my_bin_fp}},
    {{vex_y_un, vex_my_un}, {vex_y_un_fp, vex_my_un_fp}},
};
static interp_handler *const shift_table[FORMS] = {
    [FORM_R] = shift_r, [FORM_M16] = shift_m, [FORM_I] = shift_i};
static interp_handler *const widen_table[FORMS] = {widen_r, widen_m16, widen_m8, widen_m4};
static interp_handler *const fma_table[FORMS] = {fma_r, fma_m16, fma_m8, fma_m4};

static uint32_t form_of(const struct blink_operand *source) {
    if (source->kind == BLINK_OPND_IMM)
        return FORM_I;
    if (source->kind != BLINK_OPND_MEM)
        return FORM_R;
    return source->size == 16  ? FORM_M16
           : source->size == 8 ? FORM_M8
           : source->size == 4 ? FORM_M4
                               : FORM_M2;
}

static interp_handler *bind_vex(const struct blink_insn *i, const struct simd_op *o, bool fp) {
    bool wide = i->opnd[0].kind == BLINK_OPND_YMM;
    bool unary = o->shape != SIMD_BIN && o->shape != SIMD_SHIFT && o->shape != SIMD_FMA;
    const struct blink_operand *source = &i->opnd[unary ? 1 : 2];
    bool mem = source->kind == BLINK_OPND_MEM;
    uint32_t form = form_of(source);
    if (o->shape == SIMD_NARROW && (mem ? source->size == 32 : source->kind == BLINK_OPND_YMM))
        return mem ? narrow_m : narrow_r;
    if (o->shape == SIMD_FMA)
        return wide ? (mem ? fma_my : fma_y) : fma_table[form];
    if (!wide)
        return vex_table[unary][fp][form];
    if (o->shape == SIMD_SHIFT)
        return shift_table[form];
    return o->shape == SIMD_WIDEN ? widen_table[form] : vex256_table[unary][fp][mem];
}

interp_handler *INTERP_FN(bind_table)(const struct blink_insn *i) {
    const struct simd_op *o = &simd_ops[i->op];
    bool fp = o->flags & SIMD_FP;
    if (o->shape == SIMD_NONE)
        return NULL;
    if ((o->flags & SIMD_LOOSE) && i->opnd[1].kind == BLINK_OPND_MEM)
        return legacy_loose;
    return IS_VEX(i) ? bind_vex(i, o, fp) : legacy_table[fp][form_of(&i->opnd[1])];
}
