/*
 * Multiplication and division: MUL IMUL MULX DIV IDIV, and the decimal adjustments AAA AAD AAM
 * AAS DAA DAS. SF, ZF, AF and PF after a multiplication are undefined; they are set from the low
 * half of the result, as processors commonly do.
 */
#include "interp/alu.h"

typedef unsigned __int128 u128;
typedef __int128 i128;

/* clang-format off */
#define SIZES(F) F(8, 16) F(16, 32) F(32, 64) F(64, 128)
typedef u128 uint128_t;
typedef i128 int128_t;

/* Put a double-width product into AX, DX:AX, EDX:EAX or RDX:RAX. */
#define PUT_PAIR_8(v) put16(cpu, BLINK_RAX, (uint16_t)(v))
#define PUT_PAIR(n, v) (put##n(cpu, BLINK_RAX, (uint##n##_t)(v)), put##n(cpu, BLINK_RDX, (uint##n##_t)((v) >> n)))
#define PUT_PAIR_16(v) PUT_PAIR(16, v)
#define PUT_PAIR_32(v) PUT_PAIR(32, v)
#define PUT_PAIR_64(v) PUT_PAIR(64, v)
#define GET_PAIR_8() get16(cpu, BLINK_RAX)
#define GET_PAIR(n, w) ((uint##w##_t)get##n(cpu, BLINK_RDX) << n | get##n(cpu, BLINK_RAX))
#define GET_PAIR_16() GET_PAIR(16, 32)
#define GET_PAIR_32() GET_PAIR(32, 64)
#define GET_PAIR_64() GET_PAIR(64, 128)

#define SOURCE(n) (i->opnd[0].kind == BLINK_OPND_MEM ? ld##n(cpu, i, ea(cpu, i)) : get##n(cpu, i->opnd[0].reg))

#define MULTIPLY(n, w)                                                                             \
    HANDLER(mul##n) {                                                                              \
        uint##w##_t p = (uint##w##_t)SOURCE(n) * get##n(cpu, BLINK_RAX);                           \
        uint32_t over = (p >> n) != 0;                                                             \
        PUT_PAIR_##n(p);                                                                           \
        set_result(cpu, SEXT(n, p), over, over); NEXT();                                           \
    }                                                                                              \
    HANDLER(imul##n##_1) {                                                                         \
        int##w##_t p = (int##w##_t)(int##n##_t)SOURCE(n) * (int##n##_t)get##n(cpu, BLINK_RAX);     \
        uint32_t over = p != (int##n##_t)p;                                                        \
        PUT_PAIR_##n(p);                                                                           \
        set_result(cpu, SEXT(n, p), over, over); NEXT();                                           \
    }                                                                                              \
    HANDLER(div##n) {                                                                              \
        uint##n##_t d = SOURCE(n);                                                                 \
        uint##w##_t v = GET_PAIR_##n();                                                            \
        if (unlikely(d == 0 || (v >> n) >= d)) RAISE(BLINK_EXC_DE, 0);                             \
        uint##w##_t q = v / d, r = v % d;                                                          \
        PUT_QR_##n(q, r); NEXT();                                                                  \
    }                                                                                              \
    HANDLER(idiv##n) {                                                                             \
        int##n##_t d = (int##n##_t)SOURCE(n);                                                      \
        int##w##_t v = (int##w##_t)GET_PAIR_##n();                                                 \
        if (unlikely(d == 0 || (d == -1 && v == (int##w##_t)((uint##w##_t)1 << (w - 1)))))         \
            RAISE(BLINK_EXC_DE, 0);                                                                \
        int##w##_t q = v / d, r = v % d;                                                           \
        if (unlikely(q != (int##n##_t)q)) RAISE(BLINK_EXC_DE, 0);                                  \
        PUT_QR_##n(q, r); NEXT();                                                                  \
    }
#define PUT_QR_8(q, r) put16(cpu, BLINK_RAX, (uint16_t)((uint8_t)(r) << 8 | (uint8_t)(q)))
#define PUT_QR(n, q, r) (put##n(cpu, BLINK_RAX, (uint##n##_t)(q)), put##n(cpu, BLINK_RDX, (uint##n##_t)(r)))
#define PUT_QR_16(q, r) PUT_QR(16, q, r)
#define PUT_QR_32(q, r) PUT_QR(32, q, r)
#define PUT_QR_64(q, r) PUT_QR(64, q, r)
SIZES(MULTIPLY)

/* Two and three operands: destination, source, perhaps immediate. */
#define IMUL_23(n, w)                                                                              \
    HANDLER(imul##n##_2) {                                                                         \
        int##n##_t b = (int##n##_t)(i->opnd[1].kind == BLINK_OPND_MEM                              \
                                        ? ld##n(cpu, i, ea(cpu, i)) : get##n(cpu, i->opnd[1].reg));\
        int##n##_t a = (int##n##_t)get##n(cpu, i->opnd[0].reg), r;                                 \
        uint32_t over = __builtin_mul_overflow(a, b, &r);                                          \
        put##n(cpu, i->opnd[0].reg, (uint##n##_t)r);                                               \
        set_result(cpu, SEXT(n, r), over, over); NEXT();                                           \
    }                                                                                              \
    HANDLER(imul##n##_3) {                                                                         \
        int##n##_t a = (int##n##_t)(i->opnd[1].kind == BLINK_OPND_MEM                              \
                                        ? ld##n(cpu, i, ea(cpu, i)) : get##n(cpu, i->opnd[1].reg));\
        int##n##_t r;                                                                              \
        uint32_t over = __builtin_mul_overflow(a, (int##n##_t)i->imm, &r);                         \
        put##n(cpu, i->opnd[0].reg, (uint##n##_t)r);                                               \
        set_result(cpu, SEXT(n, r), over, over); NEXT();                                           \
    }
IMUL_23(16, 32) IMUL_23(32, 64) IMUL_23(64, 128)
    /* clang-format on */

    HANDLER(mulx32) {
    uint64_t p = (uint64_t)get32(cpu, BLINK_RDX) * (uint32_t)read_operand(cpu, i, 2);
    put32(cpu, i->opnd[1].reg, (uint32_t)p);
    put32(cpu, i->opnd[0].reg, (uint32_t)(p >> 32));
    NEXT();
}
HANDLER(mulx64) {
    u128 p = (u128)get64(cpu, BLINK_RDX) * read_operand(cpu, i, 2);
    put64(cpu, i->opnd[1].reg, (uint64_t)p);
    put64(cpu, i->opnd[0].reg, (uint64_t)(p >> 64));
    NEXT();
}

/* Decimal adjustments, outside 64-bit mode. AMD64 manual volume 3; undefined flags as the
 * arithmetic they do leaves them. */
static void set_decimal(struct blink_cpu *cpu, uint8_t al, uint32_t cf, uint32_t af) {
    set_result(cpu, SEXT(8, al), cf, 0);
    cpu->cc_aux |= (uint64_t)af << 3;
}
HANDLER(daa) {
    uint8_t al = get8(cpu, BLINK_RAX), old = al;
    uint32_t cf = get_cf(cpu), af = (uint32_t)(cpu->cc_aux >> 3) & 1;
    if ((al & 15) > 9 || af) {
        al = (uint8_t)(al + 6);
        af = 1;
    }
    if (old > 0x99 || cf) {
        al = (uint8_t)(al + 0x60);
        cf = 1;
    }
    put8(cpu, BLINK_RAX, al);
    set_decimal(cpu, al, cf, af);
    NEXT();
}
HANDLER(das) {
    uint8_t al = get8(cpu, BLINK_RAX), old = al;
    uint32_t old_cf = get_cf(cpu), cf = 0, af = (uint32_t)(cpu->cc_aux >> 3) & 1;
    if ((al & 15) > 9 || af) {
        cf = old_cf | (al < 6);
        al = (uint8_t)(al - 6);
        af = 1;
    }
    if (old > 0x99 || old_cf) {
        al = (uint8_t)(al - 0x60);
        cf = 1;
    }
    put8(cpu, BLINK_RAX, al);
    set_decimal(cpu, al, cf, af);
    NEXT();
}
HANDLER(aaa_aas) {
    uint16_t ax = get16(cpu, BLINK_RAX);
    uint32_t adjust = (ax & 15) > 9 || (cpu->cc_aux & AUX_AF);
    if (adjust)
        ax = (uint16_t)(i->op == BLINK_OP_AAA ? ax + 0x106 : ax - 0x106);
    ax &= 0xff0f;
    put16(cpu, BLINK_RAX, ax);
    set_decimal(cpu, (uint8_t)ax, adjust, adjust);
    NEXT();
}
HANDLER(aam) {
    uint8_t al = get8(cpu, BLINK_RAX), base = (uint8_t)i->imm;
    if (base == 0)
        RAISE(BLINK_EXC_DE, 0);
    put16(cpu, BLINK_RAX, (uint16_t)((al / base) << 8 | al % base));
    set_decimal(cpu, al % base, 0, 0);
    NEXT();
}
HANDLER(aad) {
    uint16_t ax = get16(cpu, BLINK_RAX);
    uint8_t al = (uint8_t)(ax + (ax >> 8) * (uint8_t)i->imm);
    put16(cpu, BLINK_RAX, al);
    set_decimal(cpu, al, 0, 0);
    NEXT();
}

interp_handler *INTERP_FN(bind_muldiv)(const struct blink_insn *i) {
    uint32_t s = size_index(i->opnd[0].size);
    static interp_handler *const mul[] = {mul8, mul16, mul32, mul64};
    static interp_handler *const imul1[] = {imul8_1, imul16_1, imul32_1, imul64_1};
    static interp_handler *const imul2[] = {NULL, imul16_2, imul32_2, imul64_2};
    static interp_handler *const imul3[] = {NULL, imul16_3, imul32_3, imul64_3};
    static interp_handler *const div[] = {div8, div16, div32, div64};
    static interp_handler *const idiv[] = {idiv8, idiv16, idiv32, idiv64};
    switch (i->op) {
    case BLINK_OP_MUL: return mul[s];
    case BLINK_OP_IMUL:
        if (i->opnd[1].kind == BLINK_OPND_NONE)
            return imul1[s];
        return i->opnd[2].kind == BLINK_OPND_NONE ? imul2[s] : imul3[s];
    case BLINK_OP_MULX: return s == 3 ? mulx64 : mulx32;
    case BLINK_OP_DIV: return div[s];
    case BLINK_OP_IDIV: return idiv[s];
    case BLINK_OP_DAA: return daa;
    case BLINK_OP_DAS: return das;
    case BLINK_OP_AAA:
    case BLINK_OP_AAS: return aaa_aas;
    case BLINK_OP_AAM: return aam;
    case BLINK_OP_AAD: return aad;
    default: return NULL;
    }
}
