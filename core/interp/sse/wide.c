/*
 * AVX and AVX2 across lanes: broadcasts, 128-bit halves, permutations, half precision stores,
 * clearing of the high halves.
 */
#include "interp/sse/forms.h"

static inline bool is_wide(const struct blink_insn *i) {
    return i->opnd[0].kind == BLINK_OPND_YMM;
}
static inline struct vec_pair source_pair(struct blink_cpu *cpu, const struct blink_insn *i,
                                          uint32_t k) {
    return i->opnd[k].kind == BLINK_OPND_MEM ? ld_pair(cpu, i, ea(cpu, i))
                                             : ymm_pair(cpu, i->opnd[k].reg);
}
static inline vec source_half(struct blink_cpu *cpu, const struct blink_insn *i, uint32_t k) {
    return i->opnd[k].kind == BLINK_OPND_MEM ? ld_vec(cpu, i, ea(cpu, i))
                                             : xmm(cpu, i->opnd[k].reg);
}

/* ---- broadcasts: `bits` of the source to the whole destination ---- */

#define BROADCAST(bits)                                                                            \
  HANDLER(broadcast##bits) {                                                                       \
    lanes s = {xmm(cpu, i->opnd[1].reg & 15)}, r;                                                  \
    if (i->opnd[1].kind == BLINK_OPND_MEM)                                                         \
      s.u##bits[0] = ld##bits(cpu, i, ea(cpu, i));                                                 \
    for (uint32_t k = 0; k < 128 / bits; k++)                                                      \
      r.u##bits[k] = s.u##bits[0];                                                                 \
    put_ymm(cpu, i->opnd[0].reg, r.v, is_wide(i) ? r.v : vec_zero());                              \
    NEXT();                                                                                        \
  }
BROADCAST(8)
BROADCAST(16)
BROADCAST(32)
BROADCAST(64)
HANDLER(broadcast128) {
    vec v = ld_vec(cpu, i, ea(cpu, i));
    put_ymm(cpu, i->opnd[0].reg, v, v);
    NEXT();
}

/* ---- halves ---- */

HANDLER(extract128) {
    struct vec_pair s = ymm_pair(cpu, i->opnd[1].reg);
    vec v = i->imm & 1 ? s.high : s.low;
    if (i->opnd[0].kind == BLINK_OPND_MEM)
        st_vec(cpu, i, ea(cpu, i), v);
    else
        put_vex(cpu, i->opnd[0].reg, v);
    NEXT();
}
HANDLER(insert128) {
    vec v = source_half(cpu, i, 2);
    struct vec_pair s = ymm_pair(cpu, i->opnd[1].reg);
    put_ymm(cpu, i->opnd[0].reg, i->imm & 1 ? s.low : v, i->imm & 1 ? v : s.high);
    NEXT();
}
/* Four bits of the immediate choose a half: of which source, which one, or zero. */
static inline vec choose_half(struct vec_pair a, struct vec_pair b, uint64_t imm) {
    if (imm & 8)
        return vec_zero();
    struct vec_pair s = imm & 2 ? b : a;
    return imm & 1 ? s.high : s.low;
}
HANDLER(perm128) {
    struct vec_pair b = source_pair(cpu, i, 2), a = ymm_pair(cpu, i->opnd[1].reg);
    put_ymm(cpu, i->opnd[0].reg, choose_half(a, b, i->imm), choose_half(a, b, i->imm >> 4));
    NEXT();
}

/* ---- permutations ---- */

HANDLER(permd) {
    struct vec_pair b = source_pair(cpu, i, 2);
    union blink_ymm s, index = cpu->ymm[i->opnd[1].reg], *r = &cpu->ymm[i->opnd[0].reg];
    memcpy(&s, &b, sizeof s);
    for (uint32_t k = 0; k < 8; k++)
        r->u32[k] = s.u32[index.u32[k] & 7];
    NEXT();
}
HANDLER(permq) {
    struct vec_pair b = source_pair(cpu, i, 1);
    union blink_ymm s, *r = &cpu->ymm[i->opnd[0].reg];
    memcpy(&s, &b, sizeof s);
    for (uint32_t k = 0; k < 4; k++)
        r->u64[k] = s.u64[i->imm >> (2 * k) & 3];
    NEXT();
}
/* VPERMILPS and VPERMILPD by an immediate: shuffles of one source. */
HANDLER(permilps_i) {
    uint32_t imm = (uint32_t)i->imm;
    if (is_wide(i)) {
        struct vec_pair s = source_pair(cpu, i, 1);
        put_ymm(cpu, i->opnd[0].reg, simd_pshufd(cpu, s.low, s.low, imm),
                simd_pshufd(cpu, s.high, s.high, imm));
    } else {
        vec s = source_half(cpu, i, 1);
        put_vex(cpu, i->opnd[0].reg, simd_pshufd(cpu, s, s, imm));
    }
    NEXT();
}
HANDLER(permilpd_i) {
    uint32_t imm = (uint32_t)i->imm;
    if (is_wide(i)) {
        struct vec_pair s = source_pair(cpu, i, 1);
        put_ymm(cpu, i->opnd[0].reg, simd_shufpd(cpu, s.low, s.low, imm),
                simd_shufpd(cpu, s.high, s.high, imm >> 2));
    } else {
        vec s = source_half(cpu, i, 1);
        put_vex(cpu, i->opnd[0].reg, simd_shufpd(cpu, s, s, imm));
    }
    NEXT();
}

/* ---- VCVTPS2PH: half the size of its source ---- */

HANDLER(cvtps2ph) {
    uint32_t imm = (uint32_t)i->imm;
    bool wide = i->opnd[1].kind == BLINK_OPND_YMM, mem = i->opnd[0].kind == BLINK_OPND_MEM;
    struct vec_pair s = ymm_pair(cpu, i->opnd[1].reg);
    uint64_t m = 0;
    if (mem) {
        m = ea(cpu, i);
        check_store(cpu, i, m, wide ? 16 : 8); /* before flags are raised */
    }
    vec r = {simd_cvtps2ph(cpu, s.low, s.low, imm)[0], 0};
    if (wide)
        r[1] = simd_cvtps2ph(cpu, s.high, s.high, imm)[0];
    SETTLE();
    if (mem)
        store_bytes(cpu, i, m, &r, wide ? 16 : 8);
    else
        put_vex(cpu, i->opnd[0].reg, r);
    NEXT_BY_DRIVER();
}

/* ---- VDPPS on YMM: both lanes take a step before the next one ---- */

HANDLER(dot_products) {
    struct vec_pair p = ymm_pair(cpu, i->opnd[1].reg), q = source_pair(cpu, i, 2);
    vec a[2] = {p.low, p.high}, b[2] = {q.low, q.high}, r[2];
    simd_dot_products(cpu, a, b, (uint32_t)i->imm, r, 2);
    SETTLE();
    put_ymm(cpu, i->opnd[0].reg, r[0], r[1]);
    NEXT_BY_DRIVER();
}

/* ---- VZEROUPPER, VZEROALL: the registers of the mode ---- */

static uint32_t registers(const struct blink_cpu *cpu) {
    return (cpu->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64 ? 16 : 8;
}
HANDLER(zero_upper) {
    for (uint32_t k = 0; k < registers(cpu); k++)
        cpu->ymm[k].u64[2] = cpu->ymm[k].u64[3] = 0;
    NEXT();
}
HANDLER(zero_all) {
    memset(cpu->ymm, 0, registers(cpu) * sizeof cpu->ymm[0]);
    NEXT();
}

static interp_handler *bind_broadcast(const struct blink_insn *i) {
    switch (i->op) {
    case BLINK_OP_VPBROADCASTB: return broadcast8;
    case BLINK_OP_VPBROADCASTW: return broadcast16;
    case BLINK_OP_VPBROADCASTD:
    case BLINK_OP_VBROADCASTSS: return broadcast32;
    case BLINK_OP_VPBROADCASTQ:
    case BLINK_OP_VBROADCASTSD: return broadcast64;
    case BLINK_OP_VBROADCASTF128:
    case BLINK_OP_VBROADCASTI128: return broadcast128;
    default: return NULL;
    }
}

interp_handler *INTERP_FN(bind_wide)(const struct blink_insn *i) {
    bool immediate = i->opnd[2].kind == BLINK_OPND_IMM;
    switch (i->op) {
    case BLINK_OP_VEXTRACTF128:
    case BLINK_OP_VEXTRACTI128: return extract128;
    case BLINK_OP_VINSERTF128:
    case BLINK_OP_VINSERTI128: return insert128;
    case BLINK_OP_VPERM2F128:
    case BLINK_OP_VPERM2I128: return perm128;
    case BLINK_OP_VPERMD:
    case BLINK_OP_VPERMPS: return permd;
    case BLINK_OP_VPERMQ:
    case BLINK_OP_VPERMPD: return permq;
    case BLINK_OP_VPERMILPS: return immediate ? permilps_i : NULL;
    case BLINK_OP_VPERMILPD: return immediate ? permilpd_i : NULL;
    case BLINK_OP_VDPPS: return is_wide(i) ? dot_products : NULL;
    case BLINK_OP_VCVTPS2PH: return cvtps2ph;
    case BLINK_OP_VZEROUPPER: return zero_upper;
    case BLINK_OP_VZEROALL: return zero_all;
    default: return bind_broadcast(i);
    }
}
