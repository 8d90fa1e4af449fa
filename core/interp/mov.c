/*
 * Moves: MOV MOVZX MOVSX MOVSXD MOVBE MOVNTI BSWAP LEA XLAT NOP XCHG (registers) CMOVcc SETcc CBW
 * CWD, and the instructions on single flags and AH.
 */
#include "interp/alu.h"

/* clang-format off */
#define SIZES(F) F(8) F(16) F(32) F(64)

#define MOV_FORMS(n)                                                                               \
    HANDLER(mov##n##_rr) {                                                                         \
        put##n(cpu, i->opnd[0].reg, get##n(cpu, i->opnd[1].reg)); NEXT();                          \
    }                                                                                              \
    HANDLER(mov##n##_ri) { put##n(cpu, i->opnd[0].reg, (uint##n##_t)i->imm); NEXT(); }             \
    HANDLER(mov##n##_rm) { put##n(cpu, i->opnd[0].reg, ld##n(cpu, i, ea(cpu, i))); NEXT(); }       \
    HANDLER(mov##n##_rms) {                                                                        \
        put##n(cpu, i->opnd[0].reg, ld##n(cpu, i, ea_simple(cpu, i))); NEXT();                     \
    }                                                                                              \
    HANDLER(mov##n##_mr) { st##n(cpu, i, ea(cpu, i), get##n(cpu, i->opnd[1].reg)); NEXT(); }       \
    HANDLER(mov##n##_mrs) {                                                                        \
        st##n(cpu, i, ea_simple(cpu, i), get##n(cpu, i->opnd[1].reg)); NEXT();                     \
    }                                                                                              \
    HANDLER(mov##n##_mi) { st##n(cpu, i, ea(cpu, i), (uint##n##_t)i->imm); NEXT(); }               \
    HANDLER(mov##n##_mis) { st##n(cpu, i, ea_simple(cpu, i), (uint##n##_t)i->imm); NEXT(); }
SIZES(MOV_FORMS)

#define MOV_ROW(n)                                                                                 \
    {mov##n##_rr, mov##n##_ri, mov##n##_rm, mov##n##_rms, mov##n##_mr, mov##n##_mrs, mov##n##_mi,  \
     mov##n##_mis},
static interp_handler *const mov_table[4][8] = {SIZES(MOV_ROW)};

/* Extensions: destination d bits, source s bits. */
#define EXTEND(name, d, s, cast)                                                                   \
    HANDLER(name##d##_##s##_r) {                                                                   \
        put##d(cpu, i->opnd[0].reg, (uint##d##_t)(cast)get##s(cpu, i->opnd[1].reg)); NEXT();       \
    }                                                                                              \
    HANDLER(name##d##_##s##_m) {                                                                   \
        put##d(cpu, i->opnd[0].reg, (uint##d##_t)(cast)ld##s(cpu, i, ea(cpu, i))); NEXT();         \
    }                                                                                              \
    HANDLER(name##d##_##s##_ms) {                                                                  \
        put##d(cpu, i->opnd[0].reg, (uint##d##_t)(cast)ld##s(cpu, i, ea_simple(cpu, i))); NEXT();  \
    }
#define EXTENSIONS(F)                                                                              \
    F(zx, 16, 8, uint8_t) F(zx, 32, 8, uint8_t) F(zx, 64, 8, uint8_t) F(zx, 16, 16, uint16_t)      \
    F(zx, 32, 16, uint16_t) F(zx, 64, 16, uint16_t)                                                \
    F(sx, 16, 8, int8_t) F(sx, 32, 8, int8_t) F(sx, 64, 8, int8_t) F(sx, 16, 16, int16_t)          \
    F(sx, 32, 16, int16_t) F(sx, 64, 16, int16_t)                                                  \
    F(sx, 16, 32, int32_t) F(sx, 32, 32, int32_t) F(sx, 64, 32, int32_t)
EXTENSIONS(EXTEND)

#define EXTEND_ROW(name, d, s, cast)                                                               \
    {BLINK_EXT_##name, d / 8, s / 8, {name##d##_##s##_r, name##d##_##s##_m, name##d##_##s##_ms}},
enum { BLINK_EXT_zx, BLINK_EXT_sx };
static const struct {
    uint8_t kind, dst, src;
    interp_handler *form[3];
} extend_table[] = {EXTENSIONS(EXTEND_ROW)};
/* clang-format on */

static interp_handler *bind_mov_plain(const struct blink_insn *i) {
    const struct blink_operand *d = &i->opnd[0], *s = &i->opnd[1];
    uint32_t simple = EA_SIMPLE(i), form;
    if (d->kind == BLINK_OPND_GPR)
        form = s->kind == BLINK_OPND_GPR ? 0 : s->kind == BLINK_OPND_IMM ? 1 : 2 + simple;
    else
        form = (s->kind == BLINK_OPND_GPR ? 4 : 6) + simple;
    return mov_table[size_index(d->size)][form];
}

static interp_handler *bind_extend(const struct blink_insn *i, uint32_t kind) {
    const struct blink_operand *d = &i->opnd[0], *s = &i->opnd[1];
    uint32_t form = s->kind == BLINK_OPND_GPR ? 0 : 1 + EA_SIMPLE(i);
    for (size_t k = 0; k < sizeof extend_table / sizeof extend_table[0]; k++)
        if (extend_table[k].kind == kind && extend_table[k].dst == d->size &&
            extend_table[k].src == s->size)
            return extend_table[k].form[form];
    return NULL;
}

/* LEA: by operand size; the common 64-bit forms apart. */
HANDLER(lea64_simple) {
    put64(cpu, i->opnd[0].reg, cpu->gpr[i->base] + (uint64_t)i->disp);
    NEXT();
}
HANDLER(lea64) {
    put64(cpu, i->opnd[0].reg, ea_offset(cpu, i));
    NEXT();
}
HANDLER(lea32) {
    put32(cpu, i->opnd[0].reg, (uint32_t)ea_offset(cpu, i));
    NEXT();
}
HANDLER(lea16) {
    put16(cpu, i->opnd[0].reg, (uint16_t)ea_offset(cpu, i));
    NEXT();
}

HANDLER(nop) {
    NEXT();
}

HANDLER(xlat) {
    uint64_t a = cpu->gpr[BLINK_RBX] + get8(cpu, BLINK_RAX);
    put8(cpu, BLINK_RAX, ld8(cpu, i, interp_linear(cpu, i, i->seg, a, 1, BLINK_ACCESS_READ)));
    NEXT();
}

HANDLER(bswap64) {
    put64(cpu, i->opnd[0].reg, __builtin_bswap64(get64(cpu, i->opnd[0].reg)));
    NEXT();
}
HANDLER(bswap32) {
    put32(cpu, i->opnd[0].reg, __builtin_bswap32(get32(cpu, i->opnd[0].reg)));
    NEXT();
}
/* Undefined by the manuals; processors clear the low word. */
HANDLER(bswap16) {
    put16(cpu, i->opnd[0].reg, 0);
    NEXT();
}

static uint64_t swap_bytes(uint64_t v, uint32_t size) {
    return size == 8   ? __builtin_bswap64(v)
           : size == 4 ? __builtin_bswap32((uint32_t)v)
                       : __builtin_bswap16((uint16_t)v);
}
HANDLER(movbe) {
    write_operand(cpu, i, 0, swap_bytes(read_operand(cpu, i, 1), i->opnd[0].size));
    NEXT();
}

/* XCHG of two registers; memory forms are locked, see lock.c. */
HANDLER(xchg_rr) {
    uint32_t size = i->opnd[0].size;
    uint64_t a = get_sized(cpu, i->opnd[0].reg, size), b = get_sized(cpu, i->opnd[1].reg, size);
    put_sized(cpu, i->opnd[0].reg, size, b);
    put_sized(cpu, i->opnd[1].reg, size, a);
    NEXT();
}

/* clang-format off */
#define CONDITIONS(F) F(0) F(1) F(2) F(3) F(4) F(5) F(6) F(7) F(8) F(9) F(10) F(11) F(12) F(13) F(14) F(15)

/* CMOVcc: the load is made either way, and a 32-bit destination is always zero-extended. */
#define CMOV(cc)                                                                                   \
    HANDLER(cmov64_r##cc) {                                                                        \
        if (condition(cpu, cc)) cpu->gpr[i->opnd[0].reg] = cpu->gpr[i->opnd[1].reg];               \
        NEXT();                                                                                    \
    }                                                                                              \
    HANDLER(cmov32_r##cc) {                                                                        \
        put32(cpu, i->opnd[0].reg,                                                                 \
              get32(cpu, condition(cpu, cc) ? i->opnd[1].reg : i->opnd[0].reg));                   \
        NEXT();                                                                                    \
    }                                                                                              \
    HANDLER(set_r##cc) { put8(cpu, i->opnd[0].reg, (uint8_t)condition(cpu, cc)); NEXT(); }
CONDITIONS(CMOV)
#define ROW_CMOV64(cc) cmov64_r##cc,
#define ROW_CMOV32(cc) cmov32_r##cc,
#define ROW_SET(cc) set_r##cc,
static interp_handler *const cmov_table[2][16] = {{CONDITIONS(ROW_CMOV32)}, {CONDITIONS(ROW_CMOV64)}};
static interp_handler *const set_table[16] = {CONDITIONS(ROW_SET)};
/* clang-format on */

HANDLER(cmov_any) {
    uint32_t size = i->opnd[0].size;
    uint64_t v = read_operand(cpu, i, 1);
    if (!condition(cpu, i->cc))
        v = get_sized(cpu, i->opnd[0].reg, size);
    put_sized(cpu, i->opnd[0].reg, size, v);
    NEXT();
}
HANDLER(set_m) {
    st8(cpu, i, ea(cpu, i), (uint8_t)condition(cpu, i->cc));
    NEXT();
}

static interp_handler *bind_cmov(const struct blink_insn *i) {
    if (i->opnd[1].kind == BLINK_OPND_GPR && i->opnd[0].size >= 4)
        return cmov_table[i->opnd[0].size == 8][i->cc & 15];
    return cmov_any;
}

/* CBW CWDE CDQE, CWD CDQ CQO: by operand size. */
HANDLER(cbw2) {
    put16(cpu, BLINK_RAX, (uint16_t)(int8_t)get8(cpu, BLINK_RAX));
    NEXT();
}
HANDLER(cbw4) {
    put32(cpu, BLINK_RAX, (uint32_t)(int16_t)get16(cpu, BLINK_RAX));
    NEXT();
}
HANDLER(cbw8) {
    put64(cpu, BLINK_RAX, (uint64_t)(int32_t)get32(cpu, BLINK_RAX));
    NEXT();
}
HANDLER(cwd2) {
    put16(cpu, BLINK_RDX, (uint16_t)((int16_t)get16(cpu, BLINK_RAX) >> 15));
    NEXT();
}
HANDLER(cwd4) {
    put32(cpu, BLINK_RDX, (uint32_t)((int32_t)get32(cpu, BLINK_RAX) >> 31));
    NEXT();
}
HANDLER(cwd8) {
    put64(cpu, BLINK_RDX, (uint64_t)((int64_t)get64(cpu, BLINK_RAX) >> 63));
    NEXT();
}

/* Single flags. */
HANDLER(clc) {
    set_cf(cpu, 0);
    NEXT();
}
HANDLER(stc) {
    set_cf(cpu, 1);
    NEXT();
}
HANDLER(cmc) {
    set_cf(cpu, get_cf(cpu) ^ 1);
    NEXT();
}
HANDLER(cld) {
    cpu->flags &= ~(uint64_t)BLINK_DF;
    NEXT();
}
HANDLER(std) {
    cpu->flags |= BLINK_DF;
    NEXT();
}
HANDLER(lahf) {
    cpu->gpr[BLINK_RAX] =
        (cpu->gpr[BLINK_RAX] & ~UINT64_C(0xff00)) | (blink_cpu_get_flags(cpu) & 0xd7) << 8;
    NEXT();
}
HANDLER(sahf) {
    uint64_t ah = cpu->gpr[BLINK_RAX] >> 8 & 0xd5;
    blink_cpu_set_flags(cpu, (blink_cpu_get_flags(cpu) & ~UINT64_C(0xd5)) | ah);
    NEXT();
}
HANDLER(salc) {
    put8(cpu, BLINK_RAX, get_cf(cpu) ? 0xff : 0);
    NEXT();
}

interp_handler *INTERP_FN(bind_mov)(const struct blink_insn *i) {
    uint32_t k = i->opsize == 8 ? 2 : i->opsize == 4;
    static interp_handler *const cbw[] = {cbw2, cbw4, cbw8}, *const cwd[] = {cwd2, cwd4, cwd8};
    static interp_handler *const swap[] = {bswap16, bswap32, bswap64};
    switch (i->op) {
    case BLINK_OP_MOV: return bind_mov_plain(i);
    case BLINK_OP_MOVNTI: return bind_mov_plain(i);
    case BLINK_OP_MOVZX: return bind_extend(i, BLINK_EXT_zx);
    case BLINK_OP_MOVSX:
    case BLINK_OP_MOVSXD: return bind_extend(i, BLINK_EXT_sx);
    case BLINK_OP_MOVBE: return movbe;
    case BLINK_OP_BSWAP: return swap[k];
    case BLINK_OP_LEA:
        if (i->opnd[0].size == 8)
            return i->addrsize == 8 && i->index == BLINK_REG_NONE ? lea64_simple : lea64;
        return i->opnd[0].size == 4 ? lea32 : lea16;
    case BLINK_OP_XLAT: return xlat;
    case BLINK_OP_NOP: return nop;
    case BLINK_OP_XCHG: return xchg_rr;
    case BLINK_OP_CMOVCC: return bind_cmov(i);
    case BLINK_OP_SETCC: return i->opnd[0].kind == BLINK_OPND_MEM ? set_m : set_table[i->cc & 15];
    case BLINK_OP_CBW: return cbw[k];
    case BLINK_OP_CWD: return cwd[k];
    case BLINK_OP_CLC: return clc;
    case BLINK_OP_STC: return stc;
    case BLINK_OP_CMC: return cmc;
    case BLINK_OP_CLD: return cld;
    case BLINK_OP_STD: return std;
    case BLINK_OP_LAHF: return lahf;
    case BLINK_OP_SAHF: return sahf;
    case BLINK_OP_SALC: return salc;
    default: return NULL;
    }
}
