/*
 * A guest instruction with another memory operand: its prefixes and opcode as they stand, without
 * what belonged to the old address. Under core's lock.
 */
#include "emit.h"

/* In 64-bit mode these bytes are never opcodes. */
static bool is_legacy_prefix(uint32_t b) {
    return b == 0x66 || b == 0x67 || b == 0xf0 || b == 0xf2 || b == 0xf3 || b == 0x2e ||
           b == 0x36 || b == 0x3e || b == 0x26 || b == 0x64 || b == 0x65;
}
/* Of the address: segment and size. */
static bool is_address_prefix(uint32_t b) {
    return b != 0x66 && b != 0xf0 && b != 0xf2 && b != 0xf3;
}
static bool is_rex(uint32_t b) {
    return (b & 0xf0) == 0x40;
}

/* Offset of what follows ModRM, SIB and displacement. */
static uint32_t operand_end(const struct blink_insn *i) {
    uint32_t at = i->off_modrm, modrm = i->raw[at++], mod = modrm >> 6, sib = 0;
    bool has_sib = mod != 3 && (modrm & 7) == 4;
    if (has_sib)
        sib = i->raw[at++];
    if (mod == 1)
        at += 1;
    else if (mod == 2 || (mod == 0 && ((modrm & 7) == 5 || (has_sib && (sib & 7) == 5))))
        at += 4;
    return at;
}

/* AH CH DH BH can only be named without a REX prefix. */
static bool names_high_byte(const struct blink_insn *i) {
    for (uint32_t k = 0; k < 4; k++)
        if (i->opnd[k].kind == BLINK_OPND_GPR && i->opnd[k].reg >= 16)
            return true;
    return false;
}

/* VEX prefix of two or three bytes, at raw[at]; the offset after it. */
static uint32_t emit_vex(struct emit *e, const struct blink_insn *i, uint32_t at, uint32_t bits) {
    uint32_t first = i->raw[at + 1], inverted = (~bits & 3) << 5;
    if (i->raw[at] == 0xc4) {
        emit8(e, 0xc4);
        emit8(e, (first & 0x9f) | inverted);
        return at + 2;
    }
    if (bits == 0) {
        emit8(e, 0xc5);
        emit8(e, first);
    } else {
        /* The short form has no bits for index and base: opcode map 1, W 0. */
        emit8(e, 0xc4);
        emit8(e, (first & 0x80) | inverted | 1);
        emit8(e, first & 0x7f);
    }
    return at + 2;
}

bool operand_emit(struct emit *e, const struct blink_insn *i, const struct where *w) {
    uint32_t at = 0, rex = 0, bits = emit_rex_bits(w), end = operand_end(i);
    if (bits && names_high_byte(i))
        return false;
    /* A REX that another prefix follows does not count. */
    for (; is_legacy_prefix(i->raw[at]) || (!(i->prefix & BLINK_PFX_VEX) && is_rex(i->raw[at]));
         at++) {
        rex = is_rex(i->raw[at]) ? i->raw[at] : 0;
        if (!rex && !is_address_prefix(i->raw[at]))
            emit8(e, i->raw[at]);
    }
    if (i->prefix & BLINK_PFX_VEX)
        at = emit_vex(e, i, at, bits);
    else if (rex || bits)
        emit8(e, 0x40 | (rex & 0x0c) | bits);
    emit_bytes(e, i->raw + at, i->off_modrm - at);
    emit_modrm(e, i->raw[i->off_modrm] & 0x38, w);
    emit_bytes(e, i->raw + end, i->len - end);
    return true;
}
