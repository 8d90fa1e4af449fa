/*
 * What the files about 16- and 32-bit code share: host instructions of 16 and 32 bits, which leave
 * the flags alone, and where an address of the guest is. Under core's lock.
 */
#ifndef JIT_X86_64_LEGACY_H
#define JIT_X86_64_LEGACY_H

#include "emit.h"

#define SEG(field, n)                                                                              \
  ((uint32_t)(offsetof(struct blink_cpu, seg) + (n) * sizeof(struct blink_seg) +                   \
              offsetof(struct blink_seg, field)))

/* [prefix 66] [REX] op reg, w */
static inline void emit_sized(struct emit *e, uint32_t size, uint32_t op, uint32_t reg,
                              const struct where *w) {
    uint32_t rex = (reg >> 3) << 2 | emit_rex_bits(w);
    if (size == 2)
        emit8(e, 0x66);
    if (rex)
        emit8(e, 0x40 | rex);
    emit8(e, op);
    emit_modrm(e, (reg & 7) << 3, w);
}

/* lea reg, [base + disp] of 2 or 4 bytes */
static inline void emit_lea_sized(struct emit *e, uint32_t size, uint32_t reg, uint32_t base,
                                  int32_t disp) {
    struct where w = {(uint8_t)base, BLINK_REG_NONE, 0, disp};
    emit_sized(e, size, 0x8d, reg, &w);
}

/* mov ecx, reg */
static inline void emit_ecx(struct emit *e, uint32_t reg) {
    if (reg >= 8)
        emit8(e, 0x41);
    emit8(e, 0x8b);
    emit8(e, 0xc8 | (reg & 7));
}

/* movzx reg, reg of 16 bits */
static inline void emit_cut(struct emit *e, uint32_t reg) {
    if (reg >= 8)
        emit8(e, 0x45);
    emit8(e, 0x0f);
    emit8(e, 0xb7);
    emit8(e, 0xc0 | (reg & 7) << 3 | (reg & 7));
}

/* mov reg, gs:[offset] of 32 bits */
static inline void emit_gs_load32(struct emit *e, uint32_t reg, uint32_t offset) {
    struct where w = {BLINK_REG_NONE, BLINK_REG_NONE, 0, (int32_t)offset};
    emit8(e, 0x65);
    emit_sized(e, 4, 0x8b, reg, &w);
}

/* movzx reg, word gs:[offset] */
static inline void emit_gs_load16(struct emit *e, uint32_t reg, uint32_t offset) {
    struct where w = {BLINK_REG_NONE, BLINK_REG_NONE, 0, (int32_t)offset};
    emit8(e, 0x65);
    if (reg >= 8)
        emit8(e, 0x44);
    emit8(e, 0x0f);
    emit8(e, 0xb7);
    emit_modrm(e, (reg & 7) << 3, &w);
}

/* legacy.c: *out is where the host has it, for as long as nothing else is looked up; as find() of
 * paged.c. */
bool legacy_find(struct gen *g, const struct access *a, uint32_t busy, bool low, struct where *out);
struct access legacy_top(const struct gen *g, uint32_t base, int64_t disp, uint32_t size,
                         bool write);
/* legacy_segment.c: MOV and POP of segment registers, LDS and its kind, of real and virtual-8086
 * mode. */
bool legacy_load_segment(struct gen *g, const struct blink_insn *i);
bool legacy_pop_segment(struct gen *g, const struct blink_insn *i);
bool legacy_load_pointer(struct gen *g, const struct blink_insn *i);
/* legacy_string.c: MOVS, STOS and LODS without repetition. */
bool legacy_string(struct gen *g, const struct blink_insn *i);

#endif
