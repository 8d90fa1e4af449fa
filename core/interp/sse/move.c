/*
 * Vector moves: whole registers, MOVSS MOVSD MOVD MOVQ, halves. MMX operands are in mmx.c.
 */
#include "interp/sse/forms.h"

/* ---- whole registers ---- */

/* ALIGN is aligned() or nothing. */
#define ANY_ALIGNMENT(cpu, i, a, size) (void)0

HANDLER(mov_rr) {
    put_xmm(cpu, i->opnd[0].reg, xmm(cpu, i->opnd[1].reg));
    NEXT();
}
HANDLER(vmov_rr) {
    put_vex(cpu, i->opnd[0].reg, xmm(cpu, i->opnd[1].reg));
    NEXT();
}
HANDLER(vmov_yy) {
    cpu->ymm[i->opnd[0].reg] = cpu->ymm[i->opnd[1].reg];
    NEXT();
}
#define WHOLE(sfx, EA, ALIGN)                                                                      \
  HANDLER(mov_rm##sfx) {                                                                           \
    uint64_t a = EA(cpu, i);                                                                       \
    ALIGN(cpu, i, a, 16);                                                                          \
    put_xmm(cpu, i->opnd[0].reg, ld_vec(cpu, i, a));                                               \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(mov_mr##sfx) {                                                                           \
    uint64_t a = EA(cpu, i);                                                                       \
    ALIGN(cpu, i, a, 16);                                                                          \
    st_vec(cpu, i, a, xmm(cpu, i->opnd[1].reg));                                                   \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(vmov_rm##sfx) {                                                                          \
    uint64_t a = EA(cpu, i);                                                                       \
    ALIGN(cpu, i, a, 16);                                                                          \
    put_vex(cpu, i->opnd[0].reg, ld_vec(cpu, i, a));                                               \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(vmov_ym##sfx) {                                                                          \
    uint64_t a = EA(cpu, i);                                                                       \
    ALIGN(cpu, i, a, 32);                                                                          \
    struct vec_pair p = ld_pair(cpu, i, a);                                                        \
    put_ymm(cpu, i->opnd[0].reg, p.low, p.high);                                                   \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(vmov_my##sfx) {                                                                          \
    uint64_t a = EA(cpu, i);                                                                       \
    ALIGN(cpu, i, a, 32);                                                                          \
    store_bytes(cpu, i, a, &cpu->ymm[i->opnd[1].reg], 32);                                         \
    NEXT();                                                                                        \
  }
WHOLE(_u, ea, ANY_ALIGNMENT)
WHOLE(_us, ea_simple, ANY_ALIGNMENT)
WHOLE(_a, ea, aligned)
WHOLE(_as, ea_simple, aligned)

/* By alignment and simplicity of the address. */
#define WHOLE_ROW(name)                                                                            \
  {                                                                                                \
    {name##_u, name##_us}, {                                                                       \
      name##_a, name##_as                                                                          \
    }                                                                                              \
  }
enum { WHOLE_LOAD, WHOLE_STORE, WHOLE_VEX_LOAD, WHOLE_YMM_LOAD, WHOLE_YMM_STORE };
static interp_handler *const whole_table[5][2][2] = {WHOLE_ROW(mov_rm), WHOLE_ROW(mov_mr),
                                                     WHOLE_ROW(vmov_rm), WHOLE_ROW(vmov_ym),
                                                     WHOLE_ROW(vmov_my)};

static interp_handler *bind_whole(const struct blink_insn *i, bool align) {
    bool vex = IS_VEX(i), simple = EA_SIMPLE(i);
    if (i->opnd[0].kind == BLINK_OPND_MEM) {
        bool wide = i->opnd[1].kind == BLINK_OPND_YMM;
        return whole_table[wide ? WHOLE_YMM_STORE : WHOLE_STORE][align][simple];
    }
    bool wide = i->opnd[0].kind == BLINK_OPND_YMM;
    if (i->opnd[1].kind != BLINK_OPND_MEM)
        return wide ? vmov_yy : vex ? vmov_rr : mov_rr;
    return whole_table[wide ? WHOLE_YMM_LOAD : vex ? WHOLE_VEX_LOAD : WHOLE_LOAD][align][simple];
}

/* ---- scalars: between registers the rest stays, a load clears it ---- */

static inline vec with_low32(vec a, vec b) {
    return (vec){(a[0] & ~UINT64_C(0xffffffff)) | (uint32_t)b[0], a[1]};
}
static inline vec with_low64(vec a, vec b) {
    return (vec){b[0], a[1]};
}
#define SCALAR(n)                                                                                  \
  HANDLER(scalar##n##_rr) {                                                                        \
    uint32_t d = i->opnd[0].reg;                                                                   \
    put_xmm(cpu, d, with_low##n(xmm(cpu, d), xmm(cpu, i->opnd[1].reg)));                           \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(vscalar##n##_rr) {                                                                       \
    put_vex(cpu, i->opnd[0].reg, with_low##n(xmm(cpu, i->opnd[1].reg), xmm(cpu, i->opnd[2].reg))); \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(scalar##n##_rm) {                                                                        \
    put_xmm(cpu, i->opnd[0].reg, vec_low(ld##n(cpu, i, ea(cpu, i))));                              \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(scalar##n##_rms) {                                                                       \
    put_xmm(cpu, i->opnd[0].reg, vec_low(ld##n(cpu, i, ea_simple(cpu, i))));                       \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(vscalar##n##_rm) {                                                                       \
    put_vex(cpu, i->opnd[0].reg, vec_low(ld##n(cpu, i, ea(cpu, i))));                              \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(scalar##n##_mr) {                                                                        \
    st##n(cpu, i, ea(cpu, i), (uint##n##_t)cpu->ymm[i->opnd[1].reg].u64[0]);                       \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(scalar##n##_mrs) {                                                                       \
    st##n(cpu, i, ea_simple(cpu, i), (uint##n##_t)cpu->ymm[i->opnd[1].reg].u64[0]);                \
    NEXT();                                                                                        \
  }                                                                                                \
  /* MOVD, MOVQ with a general register. */                                                        \
  HANDLER(from_gpr##n) {                                                                           \
    put_xmm(cpu, i->opnd[0].reg, vec_low(get##n(cpu, i->opnd[1].reg)));                            \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(vfrom_gpr##n) {                                                                          \
    put_vex(cpu, i->opnd[0].reg, vec_low(get##n(cpu, i->opnd[1].reg)));                            \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(to_gpr##n) {                                                                             \
    put##n(cpu, i->opnd[0].reg, (uint##n##_t)cpu->ymm[i->opnd[1].reg].u64[0]);                     \
    NEXT();                                                                                        \
  }
SCALAR(32)
SCALAR(64)

HANDLER(movq_rr) {
    put_xmm(cpu, i->opnd[0].reg, vec_low(cpu->ymm[i->opnd[1].reg].u64[0]));
    NEXT();
}
HANDLER(vmovq_rr) {
    put_vex(cpu, i->opnd[0].reg, vec_low(cpu->ymm[i->opnd[1].reg].u64[0]));
    NEXT();
}

static interp_handler *scalar_memory(const struct blink_insn *i, bool wide) {
    bool simple = EA_SIMPLE(i);
    if (i->opnd[0].kind == BLINK_OPND_MEM) {
        static interp_handler *const store[2][2] = {{scalar32_mr, scalar32_mrs},
                                                    {scalar64_mr, scalar64_mrs}};
        return store[wide][simple];
    }
    static interp_handler *const load[2][2] = {{scalar32_rm, scalar32_rms},
                                               {scalar64_rm, scalar64_rms}};
    if (IS_VEX(i))
        return wide ? vscalar64_rm : vscalar32_rm;
    return load[wide][simple];
}
static interp_handler *bind_scalar_move(const struct blink_insn *i, bool wide) {
    if (i->opnd[0].kind == BLINK_OPND_MEM || i->opnd[1].kind == BLINK_OPND_MEM)
        return scalar_memory(i, wide);
    if (IS_VEX(i))
        return wide ? vscalar64_rr : vscalar32_rr;
    return wide ? scalar64_rr : scalar32_rr;
}
/* MOVD and MOVQ are one: sizes are the operands'. */
static interp_handler *bind_movd(const struct blink_insn *i) {
    const struct blink_operand *d = &i->opnd[0], *s = &i->opnd[1];
    if (d->kind == BLINK_OPND_MMX || s->kind == BLINK_OPND_MMX)
        return NULL;
    if (d->kind == BLINK_OPND_GPR)
        return d->size == 8 ? to_gpr64 : to_gpr32;
    if (s->kind == BLINK_OPND_GPR) {
        if (IS_VEX(i))
            return s->size == 8 ? vfrom_gpr64 : vfrom_gpr32;
        return s->size == 8 ? from_gpr64 : from_gpr32;
    }
    if (d->kind == BLINK_OPND_MEM || s->kind == BLINK_OPND_MEM)
        return scalar_memory(i, (d->kind == BLINK_OPND_MEM ? d : s)->size == 8);
    return IS_VEX(i) ? vmovq_rr : movq_rr;
}

/* ---- halves ---- */

/* The kept half comes from the destination, with VEX from the first source: operand k. */
#define HALVES(v, k, PUT)                                                                          \
  HANDLER(v##movhlps) {                                                                            \
    vec a = xmm(cpu, i->opnd[k].reg), b = xmm(cpu, i->opnd[k + 1].reg);                            \
    PUT(cpu, i->opnd[0].reg, (vec){b[1], a[1]});                                                   \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(v##movlhps) {                                                                            \
    vec a = xmm(cpu, i->opnd[k].reg), b = xmm(cpu, i->opnd[k + 1].reg);                            \
    PUT(cpu, i->opnd[0].reg, (vec){a[0], b[0]});                                                   \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(v##load_high) {                                                                          \
    uint64_t half = ld64(cpu, i, ea(cpu, i));                                                      \
    PUT(cpu, i->opnd[0].reg, (vec){xmm(cpu, i->opnd[k].reg)[0], half});                            \
    NEXT();                                                                                        \
  }                                                                                                \
  HANDLER(v##load_low) {                                                                           \
    uint64_t half = ld64(cpu, i, ea(cpu, i));                                                      \
    PUT(cpu, i->opnd[0].reg, (vec){half, xmm(cpu, i->opnd[k].reg)[1]});                            \
    NEXT();                                                                                        \
  }
HALVES(, 0, put_xmm)
HALVES(v, 1, put_vex)
HANDLER(store_high) {
    st64(cpu, i, ea(cpu, i), cpu->ymm[i->opnd[1].reg].u64[1]);
    NEXT();
}

/* The table of what remains: legacy handler, VEX handler, store handler. */
static const struct {
    uint16_t legacy, vex;
    interp_handler *load, *vload, *store;
} halves[] = {
    {BLINK_OP_MOVHLPS, BLINK_OP_VMOVHLPS, movhlps, vmovhlps, NULL},
    {BLINK_OP_MOVLHPS, BLINK_OP_VMOVLHPS, movlhps, vmovlhps, NULL},
    {BLINK_OP_MOVHPS, BLINK_OP_VMOVHPS, load_high, vload_high, store_high},
    {BLINK_OP_MOVHPD, BLINK_OP_VMOVHPD, load_high, vload_high, store_high},
    {BLINK_OP_MOVLPS, BLINK_OP_VMOVLPS, load_low, vload_low, scalar64_mr},
    {BLINK_OP_MOVLPD, BLINK_OP_VMOVLPD, load_low, vload_low, scalar64_mr},
};
static interp_handler *bind_half(const struct blink_insn *i) {
    for (size_t k = 0; k < sizeof halves / sizeof halves[0]; k++) {
        if (i->op != halves[k].legacy && i->op != halves[k].vex)
            continue;
        if (i->opnd[0].kind == BLINK_OPND_MEM)
            return halves[k].store;
        return IS_VEX(i) ? halves[k].vload : halves[k].load;
    }
    return NULL;
}

interp_handler *INTERP_FN(bind_move)(const struct blink_insn *i) {
    switch (i->op) {
    case BLINK_OP_MOVAPS:
    case BLINK_OP_MOVAPD:
    case BLINK_OP_MOVDQA:
    case BLINK_OP_MOVNTDQ:
    case BLINK_OP_MOVNTDQA:
    case BLINK_OP_MOVNTPS:
    case BLINK_OP_MOVNTPD:
    case BLINK_OP_VMOVAPS:
    case BLINK_OP_VMOVAPD:
    case BLINK_OP_VMOVDQA:
    case BLINK_OP_VMOVNTDQ:
    case BLINK_OP_VMOVNTDQA:
    case BLINK_OP_VMOVNTPS:
    case BLINK_OP_VMOVNTPD: return bind_whole(i, true);
    case BLINK_OP_MOVUPS:
    case BLINK_OP_MOVUPD:
    case BLINK_OP_MOVDQU:
    case BLINK_OP_LDDQU:
    case BLINK_OP_VMOVUPS:
    case BLINK_OP_VMOVUPD:
    case BLINK_OP_VMOVDQU:
    case BLINK_OP_VLDDQU: return bind_whole(i, false);
    case BLINK_OP_MOVSS:
    case BLINK_OP_VMOVSS: return bind_scalar_move(i, false);
    case BLINK_OP_MOVSD:
    case BLINK_OP_VMOVSD: return bind_scalar_move(i, true);
    case BLINK_OP_MOVD:
    case BLINK_OP_MOVQ:
    case BLINK_OP_VMOVD:
    case BLINK_OP_VMOVQ: return bind_movd(i);
    default: return bind_half(i);
    }
}
