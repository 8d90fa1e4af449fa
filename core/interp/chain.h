/*
 * From block to block: the two ways out of one, for branch handlers.
 */
#ifndef CORE_INTERP_CHAIN_H
#define CORE_INTERP_CHAIN_H

#include "cpu/cpu.h"
#include "interp/handler.h"

/* The block that the record `end` closes. */
static inline struct block *interp_block_of(const struct blink_insn *end) {
    return (struct block *)(uintptr_t)end->imm;
}

/* Leave to the loop, which finds the block at `target` and links it to `from`. */
static inline const struct blink_insn *chain_miss(struct blink_cpu *cpu, struct block *from,
                                                  uint32_t exit, uint64_t target) {
    struct interp_context *c = context_of(cpu);
    c->link_from = from;
    c->link_exit = exit;
    cpu->rip = target;
    cpu->exit_reason = BLINK_EXIT_BLOCK;
    return NULL;
}

/* Direct: through link `exit` of the block closed by `end`. */
#define CHAIN(end, exit, target)                                                                   \
  do {                                                                                             \
    struct block *from_ = interp_block_of(end);                                                    \
    struct block *to_ = __atomic_load_n(&from_->link[exit], __ATOMIC_ACQUIRE);                     \
    cpu->icount += from_->count;                                                                   \
    if (likely(to_ != NULL) && likely(__atomic_load_n(&cpu->attention, __ATOMIC_RELAXED) == 0))    \
      GOTO(to_->insns);                                                                            \
    CHAIN_ALONE(cpu, from_, target);                                                               \
    return chain_miss(cpu, from_, (exit), (target));                                               \
  } while (0)

/* What may not be linked, because page tables may change between the two, goes as indirect branches
 * do. */
#if INTERP_PAGED
  #define CHAIN_ALONE(cpu, from, target)                                                           \
    do {                                                                                           \
      struct block *next_ = from->alone ? cpu->jumps->slot[interp_jump_slot(target)] : NULL;       \
      if (next_ && next_->rip == (target) && next_->mode == from->mode &&                          \
          next_->cs_base == from->cs_base &&                                                       \
          __atomic_load_n(&cpu->attention, __ATOMIC_RELAXED) == 0)                                 \
        GOTO(next_->insns);                                                                        \
    } while (0)
#else
  #define CHAIN_ALONE(cpu, from, target) (void)0
#endif

/* Indirect: through the jump cache. Same mode, as no near branch changes it. A target that is not
 * canonical is #GP at the branch, as AMD has it; no block is there, so only a miss looks. `undo`
 * takes back what the handler has changed. */
#define JUMP_OR(end, target, undo)                                                                 \
  do {                                                                                             \
    struct block *from_ = interp_block_of(end);                                                    \
    uint64_t target_ = (target);                                                                   \
    struct block *to_ = cpu->jumps->slot[interp_jump_slot(target_)];                               \
    if (likely(__atomic_load_n(&to_->rip, __ATOMIC_RELAXED) == target_) &&                         \
        likely(to_->mode == from_->mode) && likely(to_->cs_base == from_->cs_base) &&              \
        likely(__atomic_load_n(&cpu->attention, __ATOMIC_RELAXED) == 0)) {                         \
      cpu->icount += from_->count;                                                                 \
      GOTO(to_->insns);                                                                            \
    }                                                                                              \
    if (unlikely(!cpu_canonical(target_))) {                                                       \
      undo;                                                                                        \
      RAISE(BLINK_EXC_GP, 0);                                                                      \
    }                                                                                              \
    cpu->icount += from_->count;                                                                   \
    return chain_miss(cpu, NULL, 0, target_);                                                      \
  } while (0)
#define JUMP(end, target) JUMP_OR(end, target, (void)0)

interp_binder INTERP_FN(bind_far);
interp_handler *INTERP_FN(bind_end)(void);
interp_handler *INTERP_FN(bind_undefined)(const struct blink_insn *i);

#endif
