/*
 * Instructions of 16- and 32-bit code as 64-bit mode has them: operand sizes, opcodes that are
 * other things there, addresses. Under core's lock.
 */
#include "emit.h"

static bool is_prefix(uint32_t b) {
    return b == 0x66 || b == 0x67 || b == 0xf0 || b == 0xf2 || b == 0xf3 || b == 0x2e ||
           b == 0x36 || b == 0x3e || b == 0x26 || b == 0x64 || b == 0x65;
}

static const uint8_t class_of[BLINK_OP_COUNT] = {
#define OP(id, mnemonic, cls, reads, writes, undefined, attr) [BLINK_OP_##id] = BLINK_CLASS_##cls,
#include <blink/ops.def>
};

static bool has_gpr(const struct blink_insn *i) {
    for (uint32_t k = 0; k < 4; k++)
        if (i->opnd[k].kind == BLINK_OPND_GPR)
            return true;
    return false;
}

static bool names_high_byte(const struct blink_insn *i) {
    for (uint32_t k = 0; k < 4; k++)
        if (i->opnd[k].kind == BLINK_OPND_GPR && i->opnd[k].reg >= 16)
            return true;
    return false;
}

/* 66 is part of some opcodes, and tells the operand size of the others. */
static bool wants_66(const struct blink_insn *i) {
    switch (class_of[i->op]) {
    case BLINK_CLASS_INT: break;
    case BLINK_CLASS_MMX:
    case BLINK_CLASS_SSE: return i->prefix & BLINK_PFX_OPSIZE;
    default: return false;
    }
    switch (i->op) {
    case BLINK_OP_ADCX: return true;
    case BLINK_OP_ADOX:
    case BLINK_OP_MOVNTI:
    case BLINK_OP_CMPXCHG8B: return false;
    case BLINK_OP_CRC32: return i->opnd[1].size == 2;
    default: return i->opsize == 2;
    }
}

/* Offset of what follows ModRM, SIB and displacement. */
static uint32_t operand_end(const struct blink_insn *i) {
    uint32_t at = i->off_modrm, modrm = i->raw[at++], mod = modrm >> 6, rm = modrm & 7, sib = 0;
    if (i->addrsize == 2)
        return at + (mod == 1 ? 1 : mod == 2 || (mod == 0 && rm == 6) ? 2 : 0);
    bool has_sib = mod != 3 && rm == 4;
    if (has_sib)
        sib = i->raw[at++];
    if (mod == 1)
        at += 1;
    else if (mod == 2 || (mod == 0 && (rm == 5 || (has_sib && (sib & 7) == 5))))
        at += 4;
    return at;
}

/* With W set some of them name a register of 64 bits, which there is none of here. */
static bool is_wide_elsewhere(const struct blink_insn *i) {
    switch (i->op) {
    case BLINK_OP_VMOVD:
    case BLINK_OP_VMOVQ:
    case BLINK_OP_VPINSRB:
    case BLINK_OP_VPINSRW:
    case BLINK_OP_VPINSRD:
    case BLINK_OP_VPINSRQ:
    case BLINK_OP_VPEXTRB:
    case BLINK_OP_VPEXTRW:
    case BLINK_OP_VPEXTRD:
    case BLINK_OP_VPEXTRQ:
    case BLINK_OP_VPCMPESTRI:
    case BLINK_OP_VPCMPESTRM:
    case BLINK_OP_VCVTSI2SS:
    case BLINK_OP_VCVTSI2SD: return true;
    default: return has_gpr(i) || class_of[i->op] == BLINK_CLASS_INT;
    }
}

/* A register in the high half of an immediate has three bits here. */
static bool names_register_by_immediate(const struct blink_insn *i) {
    return i->op == BLINK_OP_VBLENDVPS || i->op == BLINK_OP_VBLENDVPD ||
           i->op == BLINK_OP_VPBLENDVB;
}

/* Bits of register numbers that are not looked at outside 64-bit mode are as for low registers. */
static bool encode_vex(struct emit *e, const struct blink_insn *i, uint32_t at,
                       const struct where *w) {
    bool three = i->raw[at] == 0xc4;
    uint32_t last = i->raw[at + (three ? 2 : 1)], map = three ? i->raw[at + 1] & 0x1fu : 1;
    uint32_t wide = three ? last & 0x80 : 0, bits = w ? emit_rex_bits(w) : 0;
    if ((wide && is_wide_elsewhere(i)) ||
        (names_register_by_immediate(i) && (i->raw[i->len - 1] & 0x80)))
        return false;
    emit8(e, 0xc4);
    emit8(e, 0x80 | (~bits & 3) << 5 | map);
    emit8(e, wide | (last & 0x3f) | 0x40);
    emit8(e, i->raw[i->off_opcode]);
    return true;
}

/* AL, AX or EAX and memory at an address without ModRM. */
static void encode_moffs(struct emit *e, const struct blink_insn *i, const struct where *w) {
    static const uint8_t opcodes[] = {0x8a, 0x8b, 0x88, 0x89};
    emit8(e, opcodes[i->raw[i->off_opcode] & 3]);
    emit_modrm(e, 0, w);
}

/* INC and DEC of one byte, which are REX there. */
static void encode_short_count(struct emit *e, uint32_t opcode) {
    emit8(e, 0xff);
    emit8(e, 0xc0 | (opcode & 15));
}

bool legacy_encode(struct emit *e, const struct blink_insn *i, const struct where *w) {
    uint32_t at = 0, bits = w ? emit_rex_bits(w) : 0;
    bool vex = i->prefix & BLINK_PFX_VEX;
    if (bits && names_high_byte(i))
        return false;
    if (!vex && wants_66(i))
        emit8(e, 0x66);
    for (; is_prefix(i->raw[at]); at++)
        if (i->raw[at] == 0xf0 || i->raw[at] == 0xf2 || i->raw[at] == 0xf3)
            emit8(e, i->raw[at]);
    if (vex) {
        if (!encode_vex(e, i, at, w))
            return false;
    } else if (bits) {
        emit8(e, 0x40 | bits);
    }
    uint32_t opcode = i->raw[at];
    if (!vex && opcode >= 0xa0 && opcode <= 0xa3) {
        encode_moffs(e, i, w);
        return true;
    }
    if (!vex && (opcode & 0xf0) == 0x40) {
        encode_short_count(e, opcode);
        return true;
    }
    if (!vex && opcode == 0x82) /* another 80 */
        emit8(e, 0x80);
    else if (!vex)
        emit_bytes(e, i->raw + at, i->off_opcode + 1u - at);
    uint32_t rest = i->off_opcode + 1u;
    if (i->off_modrm && w) {
        emit_modrm(e, i->raw[i->off_modrm] & 0x38, w);
        rest = operand_end(i);
    }
    emit_bytes(e, i->raw + rest, i->len - rest);
    return true;
}
