/*
 * The rare paths: legacy addressing, TLB misses, memory faults to exceptions.
 */
#ifndef CORE_INTERP_SLOW_H
#define CORE_INTERP_SLOW_H

#include <blink/cpu.h>
#include <blink/insn.h>
#include <stdbool.h>

struct mem_fault;

/* Linear address with addressing of 16 or 32 bits, with segment limits outside 64-bit mode; may
 * raise. */
uint64_t interp_ea_legacy(struct blink_cpu *cpu, const struct blink_insn *i);
/* The same, `by` bytes further. */
uint64_t interp_ea_moved(struct blink_cpu *cpu, const struct blink_insn *i, int64_t by);
/* Linear address of `size` bytes at an offset of the instruction's address size, for `access`
 * (BLINK_ACCESS_*); outside 64-bit mode #GP or #SS beyond the segment, or if that is not allowed.
 */
uint64_t interp_linear(struct blink_cpu *cpu, const struct blink_insn *i, uint32_t seg,
                       uint64_t offset, uint32_t size, uint32_t access);
/* Whether the type of a segment of protected mode is one for this. */
bool interp_segment_allows(const struct blink_seg *seg, uint32_t access);

/* TLB misses, page crossings, and everything else that is not the fast path; they raise. `rmw`
 * asks for write permission of a load. Sizes 1-64; cpu->insn is set. */
void interp_load_slow(struct blink_cpu *cpu, uint64_t a, void *out, uint32_t size, uint32_t rmw);
void interp_store_slow(struct blink_cpu *cpu, uint64_t a, const void *in, uint32_t size);
/* Host address for an atomic access of `size` bytes, or NULL if it crosses a page or is no RAM. */
void *interp_atomic_slow(struct blink_cpu *cpu, uint64_t a, uint32_t size);

/* What a non-canonical address of *i is: #SS if it was the stack's or made with RSP or RBP, else
 * #GP. AMD64 manual volume 2, 8.2.12. */
uint32_t interp_noncanonical_vector(struct blink_cpu *cpu, const struct blink_insn *i);

/* An operand at `a` is not aligned as it must be: #GP, unless the address is bad anyway. */
_Noreturn void interp_raise_misaligned(struct blink_cpu *cpu, const struct blink_insn *i,
                                       uint64_t a);

/* Raise what the memory says; the instruction under execution is cpu->insn. */
_Noreturn void interp_fault_from(struct blink_cpu *cpu, const struct mem_fault *fault);

#endif
