/*
 * The few host instructions that generated code is made of besides copies. All of them leave the
 * flags alone. Too small a buffer sets `full`; what is emitted then is nonsense and not used.
 */
#ifndef JIT_X86_64_EMIT_H
#define JIT_X86_64_EMIT_H

#include <string.h>

#include "jit.h"

static inline void emit_bytes(struct emit *e, const void *bytes, uint32_t n) {
    if (n > e->cap - e->at) {
        e->full = true;
        return;
    }
    memcpy(e->rw + e->at, bytes, n);
    e->at += n;
}
static inline void emit8(struct emit *e, uint32_t v) {
    uint8_t b = (uint8_t)v;
    emit_bytes(e, &b, 1);
}
static inline void emit32(struct emit *e, uint32_t v) {
    emit_bytes(e, &v, 4);
}
static inline void emit64(struct emit *e, uint64_t v) {
    emit_bytes(e, &v, 8);
}
static inline uint64_t emit_here(const struct emit *e) {
    return e->rx + e->at;
}
/* Overwrite 32 bits emitted before. */
static inline void emit_fix32(struct emit *e, uint32_t at, uint32_t v) {
    if (!e->full)
        memcpy(e->rw + at, &v, 4);
}

/* op reg, gs:[offset] with REX.W: 8b load, 89 store. */
static inline void emit_gs(struct emit *e, uint32_t op, uint32_t reg, uint32_t offset) {
    emit8(e, 0x65);
    emit8(e, 0x48 | (reg >> 3) << 2);
    emit8(e, op);
    emit8(e, 0x04 | (reg & 7) << 3);
    emit8(e, 0x25);
    emit32(e, offset);
}
static inline void emit_gs_load(struct emit *e, uint32_t reg, uint32_t offset) {
    emit_gs(e, 0x8b, reg, offset);
}
static inline void emit_gs_store(struct emit *e, uint32_t reg, uint32_t offset) {
    emit_gs(e, 0x89, reg, offset);
}
/* mov dword gs:[offset], value */
static inline void emit_gs_store_imm(struct emit *e, uint32_t offset, uint32_t value) {
    static const uint8_t head[] = {0x65, 0xc7, 0x04, 0x25};
    emit_bytes(e, head, sizeof head);
    emit32(e, offset);
    emit32(e, value);
}
/* mov reg, value */
static inline void emit_mov_imm(struct emit *e, uint32_t reg, uint64_t value) {
    if (value <= UINT32_MAX) {
        if (reg >= 8)
            emit8(e, 0x41);
        emit8(e, 0xb8 | (reg & 7));
        emit32(e, (uint32_t)value);
        return;
    }
    emit8(e, 0x48 | reg >> 3);
    emit8(e, 0xb8 | (reg & 7));
    emit64(e, value);
}
/* ModRM, SIB and displacement of register field `reg` (0-7, in place) and operand w. */
static inline void emit_modrm(struct emit *e, uint32_t reg, const struct where *w) {
    bool base = w->base != BLINK_REG_NONE, index = w->index != BLINK_REG_NONE;
    uint32_t b = base ? w->base & 7u : 5, x = index ? w->index & 7u : 4;
    bool sib = index || !base || b == 4;
    bool none = base && w->disp == 0 && b != 5, small = w->disp == (int8_t)w->disp;
    uint32_t mod = !base || none ? 0 : small ? 0x40 : 0x80;
    emit8(e, mod | reg | (sib ? 4 : b));
    if (sib)
        emit8(e, (uint32_t)w->scale << 6 | x << 3 | b);
    if (mod == 0x40)
        emit8(e, (uint32_t)w->disp);
    else if (!none)
        emit32(e, (uint32_t)w->disp);
}
static inline uint32_t emit_rex_bits(const struct where *w) {
    return (w->index != BLINK_REG_NONE && w->index >= 8 ? 2u : 0u) |
           (w->base != BLINK_REG_NONE && w->base >= 8 ? 1u : 0u);
}
/* op reg, w with REX.W: 8b load, 89 store, 8d lea. */
static inline void emit_rm(struct emit *e, uint32_t op, uint32_t reg, const struct where *w) {
    emit8(e, 0x48 | (reg >> 3) << 2 | emit_rex_bits(w));
    emit8(e, op);
    emit_modrm(e, (reg & 7) << 3, w);
}
static inline void emit_lea(struct emit *e, uint32_t reg, uint32_t base, uint32_t index,
                            int32_t disp) {
    struct where w = {(uint8_t)base, (uint8_t)index, 0, disp};
    if (index == BLINK_RSP) {
        w.base = BLINK_RSP;
        w.index = (uint8_t)base;
    }
    emit_rm(e, 0x8d, reg, &w);
}
/* rorx reg, from, count */
static inline void emit_rorx(struct emit *e, uint32_t reg, uint32_t from, uint32_t count) {
    emit8(e, 0xc4);
    emit8(e, (reg >= 8 ? 0 : 0x80) | 0x40 | (from >= 8 ? 0 : 0x20) | 3);
    emit8(e, 0xfb);
    emit8(e, 0xf0);
    emit8(e, 0xc0 | (reg & 7) << 3 | (from & 7));
    emit8(e, count);
}
/* mov [rsp - 8], r11: what the return address of the host replaced. */
static inline void emit_mend(struct emit *e) {
    static const uint8_t code[] = {0x4c, 0x89, 0x5c, 0x24, 0xf8};
    emit_bytes(e, code, sizeof code);
}
/* jmp rel32 to a host address */
static inline void emit_jmp(struct emit *e, uint64_t target) {
    emit8(e, 0xe9);
    emit32(e, (uint32_t)(target - (emit_here(e) + 4)));
}
/* jmp [low address] */
static inline void emit_jmp_gs(struct emit *e, uint32_t offset) {
    static const uint8_t head[] = {0x65, 0xff, 0x24, 0x25};
    emit_bytes(e, head, sizeof head);
    emit32(e, offset);
}
static inline void emit_nops(struct emit *e, uint32_t n) {
    static const uint8_t nops[4][3] = {{0}, {0x90}, {0x66, 0x90}, {0x0f, 0x1f, 0x00}};
    emit_bytes(e, nops[n], n);
}
/* Nothing, so that what follows after `lead` more bytes lies on a multiple of four: it is patched
 * while other threads may run it. */
static inline void emit_align(struct emit *e, uint32_t lead) {
    emit_nops(e, (uint32_t) - (emit_here(e) + lead) & 3);
}

#endif
