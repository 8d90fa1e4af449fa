/*
 * Shifts and rotates: SHL SHR SAR ROL ROR RCL RCR SHLD SHRD and the flagless RORX SARX SHLX SHRX.
 * A masked count of zero changes no flag. Where the manuals leave flags undefined (OF for counts
 * above one, everything for 8- and 16-bit counts beyond the size) the values are those of the
 * common formulas applied at full count.
 */
#include "interp/alu.h"

/* The count operand, masked as the hardware masks it. */
static inline uint32_t shift_count(struct blink_cpu *cpu, const struct blink_insn *i, uint32_t k,
                                   uint32_t bits) {
    uint64_t c = i->opnd[k].kind == BLINK_OPND_IMM ? i->imm : cpu->gpr[BLINK_RCX];
    return (uint32_t)c & (bits == 64 ? 63 : 31);
}

/* Each core takes a value and a non-zero masked count, and returns the result with CF and OF. */
struct shifted {
    uint64_t r;
    uint32_t cf, of;
};

/* clang-format off */
#define CORES(n)                                                                                   \
    static inline struct shifted core_shl##n(uint##n##_t a, uint32_t c) {                          \
        uint##n##_t r = c < n ? (uint##n##_t)((uint64_t)a << c) : 0;                               \
        uint32_t cf = c <= n ? (uint32_t)((uint64_t)a >> (n - c)) & 1 : 0;                         \
        return (struct shifted){r, cf, cf ^ (uint32_t)(r >> (n - 1))};                             \
    }                                                                                              \
    static inline struct shifted core_shr##n(uint##n##_t a, uint32_t c) {                          \
        uint##n##_t r = c < n ? (uint##n##_t)(a >> c) : 0;                                         \
        uint32_t cf = c <= n ? (uint32_t)((uint64_t)a >> (c - 1)) & 1 : 0;                         \
        return (struct shifted){r, cf, (uint32_t)((r ^ (uint##n##_t)(r << 1)) >> (n - 1)) & 1};    \
    }                                                                                              \
    static inline struct shifted core_sar##n(uint##n##_t a, uint32_t c) {                          \
        int64_t s = (int##n##_t)a;                                                                 \
        return (struct shifted){(uint##n##_t)(s >> c), (uint32_t)(s >> (c - 1)) & 1, 0};           \
    }                                                                                              \
    static inline struct shifted core_rol##n(uint##n##_t a, uint32_t c) {                          \
        uint32_t k = c & (n - 1);                                                                  \
        uint##n##_t r = (uint##n##_t)(a << k | a >> ((n - k) & (n - 1)));                          \
        return (struct shifted){r, r & 1, (r & 1) ^ (uint32_t)(r >> (n - 1))};                     \
    }                                                                                              \
    static inline struct shifted core_ror##n(uint##n##_t a, uint32_t c) {                          \
        uint32_t k = c & (n - 1);                                                                  \
        uint##n##_t r = (uint##n##_t)(a >> k | a << ((n - k) & (n - 1)));                          \
        uint32_t cf = (uint32_t)(r >> (n - 1)) & 1;                                                \
        return (struct shifted){r, cf, cf ^ ((uint32_t)(r >> (n - 2)) & 1)};                       \
    }
#define SIZES(F) F(8) F(16) F(32) F(64)
SIZES(CORES)

/* Shifts set all result flags, rotates only CF and OF. */
#define FLAGS_SHIFT(n, s) set_result(cpu, SEXT(n, s.r), s.cf, s.of)
#define FLAGS_ROTATE(n, s) set_cf_of(cpu, s.cf, s.of)
#define FLAGS_DEAD(n, s) (void)0

#define SHIFT_REG(op, n, sfx, FL)                                                                  \
    HANDLER(op##n##_r##sfx) {                                                                      \
        uint32_t c = shift_count(cpu, i, 1, n);                                                    \
        if (c) {                                                                                   \
            struct shifted s = core_##op##n(get##n(cpu, i->opnd[0].reg), c);                       \
            put##n(cpu, i->opnd[0].reg, (uint##n##_t)s.r);                                         \
            FL(n, s);                                                                              \
        } else if (n == 32) {                                                                      \
            put32(cpu, i->opnd[0].reg, get32(cpu, i->opnd[0].reg));                                \
        }                                                                                          \
        NEXT();                                                                                    \
    }
/* Immediate counts, known not to be zero once masked. */
#define SHIFT_IMM(op, n, sfx, FL)                                                                  \
    HANDLER(op##n##_i##sfx) {                                                                      \
        uint32_t c = (uint32_t)i->imm & (n == 64 ? 63 : 31);                                       \
        struct shifted s = core_##op##n(get##n(cpu, i->opnd[0].reg), c);                           \
        put##n(cpu, i->opnd[0].reg, (uint##n##_t)s.r);                                             \
        FL(n, s); NEXT();                                                                          \
    }
#define SHIFT_MEM(op, n, FL)                                                                       \
    HANDLER(op##n##_m) {                                                                           \
        uint64_t m = ea(cpu, i);                                                                   \
        uint32_t c = shift_count(cpu, i, 1, n);                                                    \
        uint##n##_t a = ldw##n(cpu, i, m);                                                         \
        if (c) {                                                                                   \
            struct shifted s = core_##op##n(a, c);                                                 \
            st##n(cpu, i, m, (uint##n##_t)s.r);                                                    \
            FL(n, s);                                                                              \
        } else {                                                                                   \
            st##n(cpu, i, m, a); /* written all the same */                                        \
        }                                                                                          \
        NEXT();                                                                                    \
    }
#define SHIFT_ALL(op, n, FL)                                                                       \
    SHIFT_REG(op, n, _f, FL) SHIFT_IMM(op, n, _f, FL) SHIFT_IMM(op, n, _n, FLAGS_DEAD)             \
    SHIFT_MEM(op, n, FL)
#define SHIFTS(n)                                                                                  \
    SHIFT_ALL(shl, n, FLAGS_SHIFT) SHIFT_ALL(shr, n, FLAGS_SHIFT) SHIFT_ALL(sar, n, FLAGS_SHIFT)   \
    SHIFT_ALL(rol, n, FLAGS_ROTATE) SHIFT_ALL(ror, n, FLAGS_ROTATE)
SIZES(SHIFTS)

/* Forms: register by count, register by immediate, the same without flags, memory. */
#define SHIFT_ENTRY(op, n) {op##n##_r_f, op##n##_i_f, op##n##_i_n, op##n##_m},
#define SHIFT_ROW(op) {SHIFT_ENTRY(op, 8) SHIFT_ENTRY(op, 16) SHIFT_ENTRY(op, 32) SHIFT_ENTRY(op, 64)},
static interp_handler *const shift_table[5][4][4] = {
    SHIFT_ROW(shl) SHIFT_ROW(shr) SHIFT_ROW(sar) SHIFT_ROW(rol) SHIFT_ROW(ror)};
/* clang-format on */

HANDLER(shift_nothing) {
    NEXT();
}

static interp_handler *bind_plain(const struct blink_insn *i, uint32_t op) {
    uint32_t size = size_index(i->opnd[0].size);
    if (i->opnd[0].kind == BLINK_OPND_MEM)
        return shift_table[op][size][3];
    if (i->opnd[1].kind != BLINK_OPND_IMM)
        return shift_table[op][size][0];
    if (((uint32_t)i->imm & (size == 3 ? 63 : 31)) == 0)
        return size == 2 ? shift_table[op][size][0] : shift_nothing;
    return shift_table[op][size][WANTS_FLAGS(i) ? 1 : 2];
}

/* RCL and RCR: rotation through CF of a value one bit wider than the operand. */
static struct shifted rotate_carry(uint64_t a, uint32_t bits, uint32_t count, uint32_t cf,
                                   bool left) {
    struct shifted s = {a, cf, 0};
    uint32_t top = bits - 1;
    for (uint32_t k = 0; k < count; k++) {
        if (left) {
            uint32_t out = (uint32_t)(s.r >> top) & 1;
            s.r = s.r << 1 | s.cf;
            s.cf = out;
        } else {
            uint32_t out = (uint32_t)s.r & 1;
            s.r = s.r >> 1 | (uint64_t)s.cf << top;
            s.cf = out;
        }
        if (bits < 64)
            s.r &= (UINT64_C(1) << bits) - 1;
    }
    uint32_t msb = (uint32_t)(s.r >> top) & 1, next = (uint32_t)(s.r >> (top - 1)) & 1;
    s.of = left ? msb ^ s.cf : msb ^ next;
    return s;
}

HANDLER(rotate_through) {
    uint32_t size = i->opnd[0].size, bits = size * 8;
    uint32_t count = shift_count(cpu, i, 1, bits);
    bool mem = i->opnd[0].kind == BLINK_OPND_MEM;
    uint64_t m = mem ? ea(cpu, i) : 0;
    uint64_t a = 0;
    if (mem)
        loadw_bytes(cpu, i, m, &a, size);
    else
        a = get_sized(cpu, i->opnd[0].reg, size);
    bool any = count != 0; /* also a whole turn sets OF */
    if (bits < 32)
        count %= bits + 1;
    struct shifted s = rotate_carry(a, bits, count, get_cf(cpu), i->op == BLINK_OP_RCL);
    if (mem)
        st_sized(cpu, i, m, size, s.r);
    else
        put_sized(cpu, i->opnd[0].reg, size, s.r);
    if (any)
        set_cf_of(cpu, s.cf, s.of);
    NEXT_BY_DRIVER();
}

/*
 * SHLD, SHRD: bits move in from the second operand. Counts beyond 16 of a 16-bit operand are
 * undefined by the manuals, as is OF for counts above one; both are AMD's here: the second operand
 * follows itself and CF is clear, OF is made of the result as in SHL and SHR.
 */
static struct shifted double_shift(uint64_t a, uint64_t b, uint32_t bits, uint32_t c, bool left) {
    struct shifted s = {0, 0, 0};
    uint32_t top = bits - 1;
    if (c <= bits)
        s.cf = (uint32_t)(a >> (left ? bits - c : c - 1)) & 1;
    if (bits == 16)
        s.r = (left ? (a << 32 | b << 16 | b) << c >> 32 : (b << 32 | b << 16 | a) >> c) & 0xffff;
    else
        s.r = left ? a << c | b >> (bits - c) : a >> c | b << (bits - c);
    if (bits < 64)
        s.r &= (UINT64_C(1) << bits) - 1;
    uint32_t msb = (uint32_t)(s.r >> top) & 1;
    if (left)
        s.of = bits == 16 && c >= 16 ? s.cf : msb ^ s.cf;
    else
        s.of = msb ^ ((uint32_t)(s.r >> (top - 1)) & 1);
    return s;
}

HANDLER(shift_double) {
    uint32_t size = i->opnd[0].size, bits = size * 8;
    uint32_t count = shift_count(cpu, i, 2, bits);
    bool mem = i->opnd[0].kind == BLINK_OPND_MEM;
    uint64_t m = mem ? ea(cpu, i) : 0;
    uint64_t a = 0, b = get_sized(cpu, i->opnd[1].reg, size);
    if (mem)
        loadw_bytes(cpu, i, m, &a, size);
    else
        a = get_sized(cpu, i->opnd[0].reg, size);
    struct shifted s = {a, 0, 0};
    if (count)
        s = double_shift(a, b, bits, count, i->op == BLINK_OP_SHLD);
    if (mem)
        st_sized(cpu, i, m, size, s.r);
    else
        put_sized(cpu, i->opnd[0].reg, size, s.r);
    if (count) {
        uint64_t res = s.r << (64 - bits);
        set_result(cpu, (uint64_t)((int64_t)res >> (64 - bits)), s.cf, s.of);
    }
    NEXT_BY_DRIVER();
}

/* BMI2: destination, source (register or memory), count. */
HANDLER(bmi_shift) {
    uint32_t size = i->opnd[0].size, mask = size == 8 ? 63 : 31;
    uint64_t a = read_operand(cpu, i, 1);
    uint32_t c = (uint32_t)(i->op == BLINK_OP_RORX ? i->imm : cpu->gpr[i->opnd[2].reg]) & mask;
    switch (i->op) {
    case BLINK_OP_SHLX: a <<= c; break;
    case BLINK_OP_SHRX: a >>= c; break;
    case BLINK_OP_SARX:
        a = size == 8 ? (uint64_t)((int64_t)a >> c) : (uint32_t)((int32_t)a >> c);
        break;
    default:
        a = size == 8 ? a >> c | a << (-c & 63) : (uint32_t)a >> c | (uint32_t)a << (-c & 31);
        break;
    }
    put_sized(cpu, i->opnd[0].reg, size, a);
    NEXT();
}

interp_handler *INTERP_FN(bind_shift)(const struct blink_insn *i) {
    switch (i->op) {
    case BLINK_OP_SHL: return bind_plain(i, 0);
    case BLINK_OP_SHR: return bind_plain(i, 1);
    case BLINK_OP_SAR: return bind_plain(i, 2);
    case BLINK_OP_ROL: return bind_plain(i, 3);
    case BLINK_OP_ROR: return bind_plain(i, 4);
    case BLINK_OP_RCL:
    case BLINK_OP_RCR: return rotate_through;
    case BLINK_OP_SHLD:
    case BLINK_OP_SHRD: return shift_double;
    case BLINK_OP_RORX:
    case BLINK_OP_SARX:
    case BLINK_OP_SHLX:
    case BLINK_OP_SHRX: return bmi_shift;
    default: return NULL;
    }
}
