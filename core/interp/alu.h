/*
 * Shared by the integer families: sizes as table indices, sign extension, carry vectors to flags,
 * and the sub-binders of bind_INT.
 */
#ifndef CORE_INTERP_ALU_H
#define CORE_INTERP_ALU_H

#include "interp/handler.h"

/* 1, 2, 4, 8 bytes to 0-3. */
static inline uint32_t size_index(uint32_t size) {
    return size >= 8 ? 3 : size == 4 ? 2 : size == 2 ? 1 : 0;
}

#define SEXT(n, v) ((uint64_t)(int64_t)(int##n##_t)(v))

#define SET_CARRIES(n)                                                                             \
  static inline void set_carries##n(struct blink_cpu *cpu, uint##n##_t r, uint##n##_t c) {         \
    cpu->cc_res = SEXT(n, r);                                                                      \
    cpu->cc_aux = AUX_CARRIES(c, n);                                                               \
  }
SET_CARRIES(8)
SET_CARRIES(16)
SET_CARRIES(32)
SET_CARRIES(64)
#undef SET_CARRIES

/* Read or write an operand of kind GPR or MEM at bind-time-unknown size. */
static inline uint64_t read_operand(struct blink_cpu *cpu, const struct blink_insn *i, uint32_t k) {
    const struct blink_operand *o = &i->opnd[k];
    if (o->kind == BLINK_OPND_IMM)
        return i->imm;
    return o->kind == BLINK_OPND_MEM ? ld_sized(cpu, i, ea(cpu, i), o->size)
                                     : get_sized(cpu, o->reg, o->size);
}
static inline void write_operand(struct blink_cpu *cpu, const struct blink_insn *i, uint32_t k,
                                 uint64_t v) {
    const struct blink_operand *o = &i->opnd[k];
    if (o->kind == BLINK_OPND_MEM)
        st_sized(cpu, i, ea(cpu, i), o->size, v);
    else
        put_sized(cpu, o->reg, o->size, v);
}

typedef interp_handler *interp_sub_binder(const struct blink_insn *i);
interp_sub_binder INTERP_FN(bind_alu), INTERP_FN(bind_bits), INTERP_FN(bind_lock),
    INTERP_FN(bind_mov), INTERP_FN(bind_muldiv), INTERP_FN(bind_shift);
interp_binder INTERP_FN(bind_stack);
/* CMP or TEST at `i` and the JCC after it in one handler, or NULL. */
interp_handler *INTERP_FN(bind_compare_branch)(const struct blink_insn *i);

#endif
