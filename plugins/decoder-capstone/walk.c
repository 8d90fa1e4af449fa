/*
 * The walk over the bytes of an instruction: prefixes, VEX, opcode, ModRM, SIB, displacement. AMD64
 * manual volume 3, chapter 1. It never reads beyond what it was given, nor beyond 15 bytes.
 */
#include "internal.h"

#include <string.h>

enum { P_NONE, P_ES, P_CS, P_SS, P_DS, P_FS, P_GS, P_66, P_67, P_LOCK, P_REP, P_REX, P_VEX };

/* clang-format off */
static const uint8_t prefix_kinds[256] = {
    [0x26] = P_ES, [0x2e] = P_CS, [0x36] = P_SS, [0x3e] = P_DS, [0x64] = P_FS, [0x65] = P_GS,
    [0x66] = P_66, [0x67] = P_67, [0xf0] = P_LOCK, [0xf2] = P_REP, [0xf3] = P_REP,
    [0x40] = P_REX, [0x41] = P_REX, [0x42] = P_REX, [0x43] = P_REX, [0x44] = P_REX, [0x45] = P_REX,
    [0x46] = P_REX, [0x47] = P_REX, [0x48] = P_REX, [0x49] = P_REX, [0x4a] = P_REX, [0x4b] = P_REX,
    [0x4c] = P_REX, [0x4d] = P_REX, [0x4e] = P_REX, [0x4f] = P_REX, [0xc4] = P_VEX, [0xc5] = P_VEX,
};

/* Which opcodes of the one-byte and 0F maps are followed by ModRM: a bit each, 16 to a row. */
static const uint16_t modrm_one[16] = {
    0x0f0f, 0x0f0f, 0x0f0f, 0x0f0f, 0x0000, 0x0000, 0x0a0c, 0x0000,
    0xffff, 0x0000, 0x0000, 0x0000, 0x00f3, 0xff0f, 0x0000, 0xc0c0,
};
static const uint16_t modrm_0f[16] = {
    0xa00f, 0xffff, 0xff0f, 0x0000, 0xffff, 0xffff, 0xffff, 0xf37f,
    0x0000, 0xffff, 0xf838, 0xfdff, 0x00ff, 0xffff, 0xffff, 0x7fff,
};
/* Which of the 0F map have an immediate byte, whatever they are. */
static const uint16_t idle_0f[16] = {
    [0x0] = 0x8000, [0x7] = 0x000f, [0xa] = 0x1010, [0xb] = 0x0400, [0xc] = 0x0074,
};
/* clang-format on */

static uint8_t take(struct walk *w) {
    if (w->pos < w->limit)
        return w->bytes[w->pos++];
    if (w->status == WALK_OK)
        w->status = w->pos >= BLINK_INSN_MAX_LEN ? WALK_TOOLONG : WALK_BYTES;
    return 0;
}

int64_t walk_take(struct walk *w, uint32_t n) {
    uint64_t v = 0;
    if (w->pos + n > w->limit) {
        w->pos = w->limit;
        take(w);
        return 0;
    }
    memcpy(&v, w->bytes + w->pos, n);
    w->pos += n;
    if (n == 0 || n == 8)
        return (int64_t)v;
    uint32_t k = 64 - n * 8;
    return (int64_t)(v << k) >> k;
}

/* In 64-bit mode ES, CS, SS and DS overrides do nothing, not even take FS or GS back. */
static void override(struct walk *w, uint32_t kind) {
    if (w->mode != BLINK_MODE_BITS64 || kind >= P_FS)
        w->seg = (uint8_t)(BLINK_SEG_ES + (kind - P_ES));
}

/* C4 and C5 are LES and LDS outside 64-bit mode unless a register form follows. */
static bool is_vex(struct walk *w) {
    if (w->mode == BLINK_MODE_BITS64)
        return true;
    uint32_t at = w->pos;
    bool yes = take(w) >= 0xc0;
    if (w->status == WALK_OK)
        w->pos = at;
    return yes;
}

static void take_vex(struct walk *w, uint8_t first) {
    bool wide64 = w->mode == BLINK_MODE_BITS64;
    uint8_t a = take(w), last = a;
    w->vex = true;
    w->illegal = w->opsize || w->rep || w->lock || w->rex;
    w->map = MAP_0F;
    if (first == 0xc4) {
        last = take(w);
        w->map = a & 0x1f;
        w->x = !(a & 0x40) && wide64;
        w->b = !(a & 0x20) && wide64;
        w->wide = last >> 7;
    }
    w->r = !(a & 0x80) && wide64;
    w->vvvv = (~last >> 3) & (wide64 ? 15 : 7);
    w->vlen = (last >> 2) & 1;
    w->pp = last & 3;
    w->off_opcode = (uint8_t)w->pos;
    w->opcode = take(w);
    if (w->status == WALK_OK && (w->map < MAP_0F || w->map > MAP_0F3A))
        w->status = WALK_INVALID;
}

/* Legacy prefixes in any order; REX counts only right before the opcode. */
static uint8_t take_prefixes(struct walk *w) {
    for (;;) {
        uint8_t byte = take(w), kind = prefix_kinds[byte];
        if (kind == P_NONE || w->status != WALK_OK)
            return byte;
        switch (kind) {
        case P_REX:
            if (w->mode != BLINK_MODE_BITS64)
                return byte;
            w->rex = byte;
            continue;
        case P_VEX: return byte;
        case P_66: w->opsize = true; break;
        case P_67: w->address = true; break;
        case P_LOCK: w->lock = true; break;
        case P_REP: w->rep = byte; break;
        default: override(w, kind); break;
        }
        w->rex = 0;
    }
}

static void take_opcode(struct walk *w) {
    uint8_t byte = take_prefixes(w);
    w->off_opcode = (uint8_t)(w->pos - 1);
    if (w->status != WALK_OK)
        return;
    if (prefix_kinds[byte] == P_VEX && is_vex(w)) {
        take_vex(w, byte);
        return;
    }
    w->wide = w->rex >> 3 & 1;
    w->r = w->rex >> 2 & 1;
    w->x = w->rex >> 1 & 1;
    w->b = w->rex & 1;
    if (byte == 0x0f) {
        w->map = MAP_0F;
        byte = take(w);
        if (byte == 0x38 || byte == 0x3a) {
            w->map = byte == 0x38 ? MAP_0F38 : MAP_0F3A;
            byte = take(w);
        }
    }
    w->opcode = byte;
    w->off_opcode = (uint8_t)(w->pos - 1);
    w->pp = w->rep == 0xf3 ? PP_F3 : w->rep == 0xf2 ? PP_F2 : w->opsize ? PP_66 : PP_NONE;
}

static void take_disp(struct walk *w, uint32_t n) {
    if (!n)
        return;
    w->off_disp = (uint8_t)w->pos;
    w->disp = walk_take(w, n);
}

static void take_memory16(struct walk *w) {
    static const uint8_t bases[8] = {BLINK_RBX, BLINK_RBX, BLINK_RBP, BLINK_RBP,
                                     BLINK_RSI, BLINK_RDI, BLINK_RBP, BLINK_RBX};
    static const uint8_t indices[8] = {BLINK_RSI,      BLINK_RDI,      BLINK_RSI,
                                       BLINK_RDI,      BLINK_REG_NONE, BLINK_REG_NONE,
                                       BLINK_REG_NONE, BLINK_REG_NONE};
    if (w->mod == 0 && w->rm == 6) {
        take_disp(w, 2);
        return;
    }
    w->base = bases[w->rm & 7];
    w->index = indices[w->rm & 7];
    take_disp(w, w->mod);
}

static void take_memory(struct walk *w) {
    uint32_t low = w->rm & 7, size = w->mod == 1 ? 1 : w->mod == 2 ? 4 : 0;
    w->base = w->rm;
    if (low == 4) {
        uint8_t sib = take(w), index = (uint8_t)((sib >> 3 & 7) | w->x << 3);
        low = sib & 7;
        w->base = (uint8_t)(low | w->b << 3);
        /* Whether 4 is no index or a vector register is for the form to say. */
        w->index = index;
        w->scale = sib >> 6;
    }
    if (low == 5 && w->mod == 0) {
        w->riprel = (w->rm & 7) == 5 && w->mode == BLINK_MODE_BITS64;
        w->base = BLINK_REG_NONE;
        size = 4;
    }
    take_disp(w, size);
}

static void take_modrm(struct walk *w) {
    w->has_modrm = true;
    w->off_modrm = (uint8_t)w->pos;
    uint8_t modrm = take(w);
    if (w->status != WALK_OK)
        return;
    /* MOV to and from control and debug registers ignores ModRM.mod. */
    if (w->map == MAP_0F && (w->opcode & 0xfc) == 0x20)
        modrm |= 0xc0;
    w->mod = modrm >> 6;
    w->reg = (uint8_t)((modrm >> 3 & 7) | w->r << 3);
    w->rm = (uint8_t)((modrm & 7) | w->b << 3);
    if (w->mod == 3)
        return;
    bool half = w->mode == BLINK_MODE_BITS16 ? !w->address : w->address;
    if (half && w->mode != BLINK_MODE_BITS64)
        take_memory16(w);
    else
        take_memory(w);
}

/* Bytes of immediate that an opcode without a meaning has all the same: processors see how long it
 * is before they see that it is none. With VEX the 0F map is as without. */
static uint32_t idle_immediate(const struct walk *w) {
    uint32_t op = w->opcode, z = w->opsize == (w->mode == BLINK_MODE_BITS16) ? 4 : 2;
    if (w->map == MAP_0F3A)
        return 1;
    if (w->map == MAP_0F)
        return (op & 0xf0) == 0x80 ? z : idle_0f[op >> 4] >> (op & 15) & 1;
    if (w->map != MAP_ONE)
        return 0;
    if (op == 0x9a || op == 0xea)
        return z + 2;
    return op == 0xc7 ? z : op == 0x82 || op == 0xc6 || op == 0xd4 || op == 0xd5;
}

void walk_idle(struct walk *w) {
    w->pos = w->operands;
    walk_take(w, idle_immediate(w));
}

void walk_begin(struct walk *w, const uint8_t *bytes, size_t size, uint32_t mode) {
    memset(w, 0, sizeof *w);
    w->bytes = bytes;
    w->limit = size < BLINK_INSN_MAX_LEN ? (uint32_t)size : BLINK_INSN_MAX_LEN;
    w->mode = mode;
    w->seg = BLINK_SEG_NONE;
    w->base = w->index = BLINK_REG_NONE;
    take_opcode(w);
    if (w->status != WALK_OK)
        return;
    const uint16_t *map = w->map == MAP_ONE ? modrm_one : modrm_0f;
    bool modrm = w->map >= MAP_0F38 || (map[w->opcode >> 4] >> (w->opcode & 15) & 1);
    if (modrm)
        take_modrm(w);
    w->operands = w->pos;
}
