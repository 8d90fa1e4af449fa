/*
 * The computing part of SIMD instructions: one kernel an operation, on 128-bit lanes, compiled once
 * and shared by the legacy, VEX and MMX forms of both memory strategies. The table says how a
 * form reads operands for its kernel. Kernels have no side effect but flags (MXCSR).
 */
#ifndef CORE_INTERP_SSE_SIMD_H
#define CORE_INTERP_SSE_SIMD_H

#include <blink/cpu.h>
#include <blink/insn.h>

#include "interp/sse/vec.h"

/* a is the first source (the destination of legacy forms), b the last. */
typedef vec simd_kernel(struct blink_cpu *cpu, vec a, vec b, uint32_t imm);
/* With three sources in the order of the operands: FMA. */
typedef vec simd_kernel3(struct blink_cpu *cpu, vec a, vec b, vec c);

#define SIMD_UNUSED __attribute__((unused))
#define KERNEL(name)                                                                               \
  vec simd_##name(struct blink_cpu *cpu SIMD_UNUSED, vec a SIMD_UNUSED, vec b SIMD_UNUSED,         \
                  uint32_t imm SIMD_UNUSED)

/* How operands are found. */
enum {
    SIMD_NONE,
    SIMD_BIN,    /* d = f(d, s) or VEX d = f(s1, s2) */
    SIMD_UN,     /* d = f(s), also with VEX */
    SIMD_SHIFT,  /* as BIN, but s may be an immediate, and is 128 bits wide also for YMM */
    SIMD_WIDEN,  /* as UN; a YMM destination comes from a source of half its size */
    SIMD_NARROW, /* as UN; a YMM source gives an XMM */
    SIMD_FMA,    /* d = f3(d, s1, s2) */
};

/* Flags. */
#define SIMD_FP     0x01u /* raises floating-point exceptions */
#define SIMD_CONCAT 0x02u /* MMX form: f of destination and source side by side */
#define SIMD_HIGH   0x04u /* MMX form: the high half of what f makes of operands in high halves */
#define SIMD_LOOSE  0x10u /* memory of the legacy form need not be aligned, as on AMD */
#define SIMD_STEPS  0x08u /* raises them in several steps */

struct simd_op {
    union {
        simd_kernel *kernel;
        simd_kernel3 *kernel3;
    };
    uint8_t shape;
    uint8_t flags;
    uint8_t imm_shift; /* the high lane's immediate is that much further up */
    uint8_t bytes;     /* WIDEN: source bytes that make 16 */
};

extern const struct simd_op simd_ops[BLINK_OP_COUNT];

/* After an instruction, when the guest has unmasked floating-point exceptions: the flags it raised
 * move to cpu->mxcsr; an unmasked one is raised as #XM, or #UD without CR4.OSXMMEXCPT. cpu->insn
 * is set and nothing is written yet. */
void simd_settle(struct blink_cpu *cpu);

/* SHA256RNDS2, whose third source is XMM0. */
vec simd_sha256rnds2(vec a, vec b, vec c);

/* DPPS of n lanes, step by step. */
void simd_dot_products(struct blink_cpu *cpu, const vec *a, const vec *b, uint32_t imm, vec *r,
                       uint32_t n);

/* Every kernel by name. */
#define SIMD_DECLARE(name) simd_kernel simd_##name;
#include "interp/sse/kernels.def"
#undef SIMD_DECLARE

#endif
