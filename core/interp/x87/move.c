/*
 * x87 loads and stores: FLD FILD FBLD, FST FIST FISTTP FBSTP, the constants, FXCH, FCMOVcc.
 */
#include "interp/x87/operand.h"

/* ---- loads ---- */

/* Push what a conversion gave, unless its flags keep it back. A full stack goes first. */
static void push_converted(struct blink_cpu *cpu, struct blink_f80 v, uint32_t flags) {
    bool full = cpu->fvalid >> ((cpu->ftop - 1) & 7) & 1;
    /* DE, even unmasked, lets the value in. */
    if (!full && flags && !x87_flags(cpu, flags, false) && !(flags & FP_DE))
        return;
    x87_push_value(cpu, v);
}

static void push32_any(struct blink_cpu *cpu, uint32_t v) {
    struct fp_ctx c = fp_ctx_x87(cpu->fcw);
    struct blink_f80 r = fp80_from_f32(&c, v);
    push_converted(cpu, r, c.flags);
}
static void push64_any(struct blink_cpu *cpu, uint64_t v) {
    struct fp_ctx c = fp_ctx_x87(cpu->fcw);
    struct blink_f80 r = fp80_from_f64(&c, v);
    push_converted(cpu, r, c.flags);
}

/* Anything but a normal number may raise something. */
static inline void push32(struct blink_cpu *cpu, uint32_t v) {
    if (likely(x87_normal32(v)))
        x87_push(cpu, x87_frac32(v), x87_se32(v));
    else
        push32_any(cpu, v);
}
static inline void push64(struct blink_cpu *cpu, uint64_t v) {
    if (likely(x87_normal64(v)))
        x87_push(cpu, x87_frac64(v), x87_se64(v));
    else
        push64_any(cpu, v);
}
static inline void push_int(struct blink_cpu *cpu, int64_t v) {
    uint64_t frac;
    uint32_t se;
    x87_from_int(v, &frac, &se);
    x87_push(cpu, frac, se);
}

#define LOAD(name, type, push)                                                                     \
  HANDLER(name) {                                                                                  \
    X87_WAIT();                                                                                    \
    uint64_t a = ea(cpu, i);                                                                       \
    {                                                                                              \
      type v;                                                                                      \
      load_bytes(cpu, i, a, &v, sizeof v);                                                         \
      x87_note_memory(cpu, i, a);                                                                  \
      push;                                                                                        \
    }                                                                                              \
    NEXT();                                                                                        \
  }
LOAD(fld_m32, uint32_t, push32(cpu, v))
LOAD(fld_m64, uint64_t, push64(cpu, v))
LOAD(fild_m16, int16_t, push_int(cpu, v))
LOAD(fild_m32, int32_t, push_int(cpu, v))
LOAD(fild_m64, int64_t, push_int(cpu, v))

HANDLER(fld_m80) {
    X87_WAIT();
    uint64_t a = ea(cpu, i), frac;
    uint16_t se;
    {
        uint8_t b[10];
        load_bytes(cpu, i, a, b, 10);
        memcpy(&frac, b, 8);
        memcpy(&se, b + 8, 2);
    }
    x87_note_memory(cpu, i, a);
    x87_push(cpu, frac, se);
    NEXT();
}

HANDLER(fbld) {
    X87_WAIT();
    uint64_t a = ea(cpu, i);
    uint8_t b[10];
    load_bytes(cpu, i, a, b, 10);
    x87_note_memory(cpu, i, a);
    x87_push_value(cpu, fp80_from_bcd(b));
    NEXT_BY_DRIVER();
}

HANDLER(fld_st) {
    X87_WAIT();
    x87_note(cpu, i);
    uint32_t n = i->opnd[0].reg;
    const struct blink_f80 *v = x87_st(cpu, n);
    if (likely(!x87_empty(cpu, n)))
        x87_push(cpu, v->frac, v->se);
    else if (x87_underflow(cpu)) {
        cpu->ftop = (cpu->ftop - 1) & 7;
        x87_put(cpu, 0, X87_INDEFINITE);
    }
    NEXT();
}

/* Constants: nearest or up, and down or towards zero; exact ones are alike. */
#define CONSTANT(name, e, down, near, up)                                                          \
  HANDLER(name) {                                                                                  \
    static const uint64_t frac[4] = {UINT64_C(near), UINT64_C(down), UINT64_C(up),                 \
                                     UINT64_C(down)};                                              \
    X87_WAIT();                                                                                    \
    x87_note(cpu, i);                                                                              \
    x87_push(cpu, frac[cpu->fcw >> 10 & 3], (e));                                                  \
    NEXT();                                                                                        \
  }
/* clang-format off */
CONSTANT(fldz, 0, 0, 0, 0)
CONSTANT(fld1, 0x3fff, 0x8000000000000000, 0x8000000000000000, 0x8000000000000000)
CONSTANT(fldpi, 0x4000, 0xc90fdaa22168c234, 0xc90fdaa22168c235, 0xc90fdaa22168c235)
CONSTANT(fldl2t, 0x4000, 0xd49a784bcd1b8afe, 0xd49a784bcd1b8afe, 0xd49a784bcd1b8aff)
CONSTANT(fldl2e, 0x3fff, 0xb8aa3b295c17f0bb, 0xb8aa3b295c17f0bc, 0xb8aa3b295c17f0bc)
CONSTANT(fldlg2, 0x3ffd, 0x9a209a84fbcff798, 0x9a209a84fbcff799, 0x9a209a84fbcff799)
CONSTANT(fldln2, 0x3ffe, 0xb17217f7d1cf79ab, 0xb17217f7d1cf79ac, 0xb17217f7d1cf79ac)
/* clang-format on */

/* ---- stores ---- */

/* Round a normal number that stays normal to nearest, moving `drop` bits out of its significand;
 * false for everything else. The carry out of the significand goes on into the exponent. */
static inline bool store_fast(struct blink_cpu *cpu, const struct blink_f80 *v, uint32_t drop,
                              uint32_t bias, uint32_t *flags, uint64_t *out) {
    uint32_t e = (v->se & 0x7fffu) - (16383 - bias);
    if (unlikely(!x87_default(cpu) || !(v->frac >> 63) || e - 1 >= 2 * bias - 1))
        return false;
    uint64_t rest = v->frac << (64 - drop), kept = v->frac >> drop;
    uint64_t inc = rest > X87_INTEGER_BIT || (rest == X87_INTEGER_BIT && (kept & 1));
    *flags = rest ? FP_PE | (uint32_t)inc << 9 : 0;
    /* kept has the integer bit, which counts as one exponent. */
    *out = ((uint64_t)(e - 1) << (63 - drop)) + kept + inc;
    return true;
}

static uint32_t to32_any(struct blink_cpu *cpu, uint32_t *flags) {
    struct fp_ctx c = fp_ctx_x87(cpu->fcw);
    uint32_t r = fp80_to_f32(&c, x87_get(cpu, 0));
    *flags = c.flags;
    return r;
}
static uint64_t to64_any(struct blink_cpu *cpu, uint32_t *flags) {
    struct fp_ctx c = fp_ctx_x87(cpu->fcw);
    uint64_t r = fp80_to_f64(&c, x87_get(cpu, 0));
    *flags = c.flags;
    return r;
}
static inline uint32_t to32(struct blink_cpu *cpu, uint32_t *flags) {
    const struct blink_f80 *v = x87_st(cpu, 0);
    uint64_t out;
    if (likely(store_fast(cpu, v, 40, 127, flags, &out)))
        return (uint32_t)(out | (uint64_t)(v->se >> 15) << 31);
    return to32_any(cpu, flags);
}
static inline uint64_t to64(struct blink_cpu *cpu, uint32_t *flags) {
    const struct blink_f80 *v = x87_st(cpu, 0);
    uint64_t out;
    if (likely(store_fast(cpu, v, 11, 1023, flags, &out)))
        return out | (uint64_t)(v->se >> 15) << 63;
    return to64_any(cpu, flags);
}

static int64_t to_int_any(struct blink_cpu *cpu, uint32_t *flags, bool truncate, uint32_t bits) {
    struct fp_ctx c = fp_ctx_x87(cpu->fcw);
    int64_t r = fp80_to_int(&c, x87_get(cpu, 0), truncate ? FP_ZERO : c.round, bits);
    *flags = c.flags;
    return r;
}
/* Truncation, and nearest, of what surely fits. */
static inline int64_t to_int(struct blink_cpu *cpu, uint32_t *flags, bool truncate, uint32_t bits) {
    const struct blink_f80 *v = x87_st(cpu, 0);
    uint32_t e = (v->se & 0x7fffu) - 16383, rc = truncate ? FP_ZERO : cpu->fcw >> 10 & 3;
    if (unlikely(!(v->frac >> 63) || e >= bits - 2 || (rc != FP_ZERO && rc != FP_NEAREST)))
        return to_int_any(cpu, flags, truncate, bits);
    uint64_t m = v->frac >> (63 - e), rest = v->frac << (e + 1);
    uint64_t up = rest > X87_INTEGER_BIT || (rest == X87_INTEGER_BIT && (m & 1));
    if (rc == FP_ZERO)
        up = 0;
    m += up;
    *flags = rest ? FP_PE | (uint32_t)up << 9 : 0;
    return (int64_t)(v->se >> 15 ? 0 - m : m);
}

static inline bool held_back(const struct blink_cpu *cpu, uint32_t flags) {
    return flags & ~(uint32_t)cpu->fcw & (FP_IE | FP_DE | FP_ZE | FP_OE | FP_UE);
}

/* The memory comes first: should it fault, nothing has changed. */
#define STORE(name, type, indefinite, convert, pops)                                               \
  HANDLER(name) {                                                                                  \
    X87_WAIT();                                                                                    \
    uint64_t a = ea(cpu, i);                                                                       \
    {                                                                                              \
      uint32_t flags = FP_IE | FSW_SF;                                                             \
      type v = (indefinite);                                                                       \
      if (likely(!x87_empty(cpu, 0)))                                                              \
        v = (type)(convert);                                                                       \
      bool keep = unlikely(flags) && held_back(cpu, flags);                                        \
      if (likely(!keep))                                                                           \
        store_bytes(cpu, i, a, &v, sizeof v);                                                      \
      else                                                                                         \
        check_store(cpu, i, a, sizeof v);                                                          \
      x87_note_memory(cpu, i, a);                                                                  \
      x87_flags(cpu, flags, true);                                                                 \
      if ((pops) && !keep)                                                                         \
        x87_pop(cpu);                                                                              \
    }                                                                                              \
    NEXT();                                                                                        \
  }
STORE(fst_m32, uint32_t, 0xffc00000, to32(cpu, &flags), false)
STORE(fstp_m32, uint32_t, 0xffc00000, to32(cpu, &flags), true)
STORE(fst_m64, uint64_t, UINT64_C(0xfff8000000000000), to64(cpu, &flags), false)
STORE(fstp_m64, uint64_t, UINT64_C(0xfff8000000000000), to64(cpu, &flags), true)
STORE(fist_m16, int16_t, INT16_MIN, to_int(cpu, &flags, false, 16), false)
STORE(fistp_m16, int16_t, INT16_MIN, to_int(cpu, &flags, false, 16), true)
STORE(fist_m32, int32_t, INT32_MIN, to_int(cpu, &flags, false, 32), false)
STORE(fistp_m32, int32_t, INT32_MIN, to_int(cpu, &flags, false, 32), true)
STORE(fistp_m64, int64_t, INT64_MIN, to_int(cpu, &flags, false, 64), true)
STORE(fisttp_m16, int16_t, INT16_MIN, to_int(cpu, &flags, true, 16), true)
STORE(fisttp_m32, int32_t, INT32_MIN, to_int(cpu, &flags, true, 32), true)
STORE(fisttp_m64, int64_t, INT64_MIN, to_int(cpu, &flags, true, 64), true)

HANDLER(fstp_m80) {
    X87_WAIT();
    uint64_t a = ea(cpu, i), frac = X87_INDEFINITE.frac;
    uint16_t se = X87_INDEFINITE.se;
    bool empty = x87_empty(cpu, 0), keep = empty && !(cpu->fcw & FP_IE);
    if (likely(!empty)) {
        frac = x87_st(cpu, 0)->frac;
        se = x87_st(cpu, 0)->se;
    }
    if (likely(!keep)) {
        uint8_t b[10];
        memcpy(b, &frac, 8);
        memcpy(b + 8, &se, 2);
        store_bytes(cpu, i, a, b, 10);
    } else {
        check_store(cpu, i, a, 10);
    }
    x87_note_memory(cpu, i, a);
    x87_flags(cpu, unlikely(empty) ? FP_IE | FSW_SF : 0, true);
    if (likely(!keep))
        x87_pop(cpu);
    NEXT();
}

HANDLER(fbstp) {
    static const uint8_t indefinite[10] = {0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff};
    X87_WAIT();
    uint64_t a = ea(cpu, i);
    struct fp_ctx c = fp_ctx_x87(cpu->fcw);
    uint8_t b[10];
    memcpy(b, indefinite, 10);
    if (x87_empty(cpu, 0))
        c.flags = FP_IE | FSW_SF;
    else
        fp80_to_bcd(&c, x87_get(cpu, 0), b);
    bool keep = held_back(cpu, c.flags);
    if (!keep)
        store_bytes(cpu, i, a, b, 10);
    else
        check_store(cpu, i, a, 10);
    x87_note_memory(cpu, i, a);
    x87_flags(cpu, c.flags, true);
    if (!keep)
        x87_pop(cpu);
    NEXT_BY_DRIVER();
}

static inline void store_st(struct blink_cpu *cpu, const struct blink_insn *i, bool pops) {
    uint32_t n = i->opnd[0].reg;
    x87_note(cpu, i);
    if (likely(!x87_empty(cpu, 0))) {
        x87_clear_c1(cpu);
        x87_set(cpu, n, x87_st(cpu, 0)->frac, x87_st(cpu, 0)->se);
    } else if (x87_underflow(cpu)) {
        x87_put(cpu, n, X87_INDEFINITE);
    } else {
        return;
    }
    if (pops)
        x87_pop(cpu);
}
HANDLER(fst_st) {
    X87_WAIT();
    store_st(cpu, i, false);
    NEXT();
}
HANDLER(fstp_st) {
    X87_WAIT();
    store_st(cpu, i, true);
    NEXT();
}

/* ---- between registers ---- */

HANDLER(fxch) {
    X87_WAIT();
    x87_note(cpu, i);
    uint32_t n = x87_other(i);
    bool empty0 = x87_empty(cpu, 0), empty1 = x87_empty(cpu, n);
    if (unlikely(empty0 || empty1)) {
        if (!x87_underflow(cpu))
            NEXT();
        if (empty0)
            x87_put(cpu, 0, X87_INDEFINITE);
        if (empty1)
            x87_put(cpu, n, X87_INDEFINITE);
    }
    struct blink_f80 *a = x87_st(cpu, 0), *b = x87_st(cpu, n);
    uint64_t frac = a->frac;
    uint16_t se = a->se;
    x87_clear_c1(cpu);
    a->frac = b->frac;
    a->se = b->se;
    b->frac = frac;
    b->se = se;
    NEXT();
}

HANDLER(fcmov) {
    X87_WAIT();
    x87_note(cpu, i);
    uint32_t n = x87_other(i);
    if (unlikely(x87_empty(cpu, 0) || x87_empty(cpu, n))) {
        if (x87_underflow(cpu))
            x87_put(cpu, 0, X87_INDEFINITE);
        NEXT();
    }
    if (condition(cpu, i->cc))
        x87_set(cpu, 0, x87_st(cpu, n)->frac, x87_st(cpu, n)->se);
    NEXT();
}

/* ---- binding ---- */

static interp_handler *bind_fld(const struct blink_operand *o) {
    if (o->kind == BLINK_OPND_ST)
        return fld_st;
    return o->size == 4 ? fld_m32 : o->size == 8 ? fld_m64 : fld_m80;
}

static interp_handler *bind_fst(const struct blink_operand *o, bool pops) {
    if (o->kind == BLINK_OPND_ST)
        return pops ? fstp_st : fst_st;
    if (o->size == 4)
        return pops ? fstp_m32 : fst_m32;
    if (o->size == 8)
        return pops ? fstp_m64 : fst_m64;
    return pops ? fstp_m80 : NULL;
}

static interp_handler *by_size(uint32_t size, interp_handler *m16, interp_handler *m32,
                               interp_handler *m64) {
    return size == 2 ? m16 : size == 4 ? m32 : m64;
}

interp_handler *INTERP_FN(x87_bind_move)(const struct blink_insn *i) {
    const struct blink_operand *o = &i->opnd[0];
    switch (i->op) {
    case BLINK_OP_FLD: return bind_fld(o);
    case BLINK_OP_FST: return bind_fst(o, false);
    case BLINK_OP_FSTP: return bind_fst(o, true);
    case BLINK_OP_FILD: return by_size(o->size, fild_m16, fild_m32, fild_m64);
    case BLINK_OP_FIST: return by_size(o->size, fist_m16, fist_m32, NULL);
    case BLINK_OP_FISTP: return by_size(o->size, fistp_m16, fistp_m32, fistp_m64);
    case BLINK_OP_FISTTP: return by_size(o->size, fisttp_m16, fisttp_m32, fisttp_m64);
    case BLINK_OP_FBLD: return fbld;
    case BLINK_OP_FBSTP: return fbstp;
    case BLINK_OP_FLDZ: return fldz;
    case BLINK_OP_FLD1: return fld1;
    case BLINK_OP_FLDPI: return fldpi;
    case BLINK_OP_FLDL2T: return fldl2t;
    case BLINK_OP_FLDL2E: return fldl2e;
    case BLINK_OP_FLDLG2: return fldlg2;
    case BLINK_OP_FLDLN2: return fldln2;
    case BLINK_OP_FXCH: return fxch;
    case BLINK_OP_FCMOVCC: return fcmov;
    default: return NULL;
    }
}
