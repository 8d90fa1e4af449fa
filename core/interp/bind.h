/*
 * Between the block binder and its two compiled copies.
 */
#ifndef CORE_INTERP_BIND_H
#define CORE_INTERP_BIND_H

#include "interp/interp.h"

/* Facts of ops.def. */
uint32_t interp_op_class(uint32_t op);

/* Handler of one instruction; of a pair that ends a block, or NULL. */
interp_handler *interp_bind_insn_linear(const struct blink_insn *i, uint32_t mode);
interp_handler *interp_bind_insn_paged(const struct blink_insn *i, uint32_t mode);
interp_handler *interp_bind_pair_linear(const struct blink_insn *i, uint32_t mode);
interp_handler *interp_bind_pair_paged(const struct blink_insn *i, uint32_t mode);

#endif
