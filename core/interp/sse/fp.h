/*
 * Floating point on vectors for kernels and handlers: vfp_NAME, for the names of fp_soft.h. On
 * x86-64 hosts the host's instructions do it (unless built with -Dfp=soft); what a guest that has
 * unmasked exceptions sees of a result is more than they tell, and software does it then.
 * fast_NAME leaves that question out, for handlers that asked it themselves.
 */
#ifndef CORE_INTERP_SSE_FP_H
#define CORE_INTERP_SSE_FP_H

#include "interp/sse/fp_soft.h"
#include "interp/sse/mxcsr.h"

#ifndef INTERP_SOFT_FP
  #error "INTERP_SOFT_FP must be 0 or 1"
#endif

/* The guest has unmasked an exception. */
static inline bool vfp_unmasked(const struct blink_cpu *cpu) {
    return (cpu->mxcsr & MXCSR_MASKS) != MXCSR_MASKS;
}

#if INTERP_SOFT_FP
  #define VFP_FAST(name, ...) soft_##name(cpu, __VA_ARGS__)
#else
  #include "interp/sse/fp_host.h"
  #define VFP_FAST(name, ...) ((void)cpu, host_##name(__VA_ARGS__))
#endif

/* fast_NAME and vfp_NAME from a result type, parameters and arguments. */
#define VFP_DEFINE(name, R, parameters, ...)                                                       \
  static inline R fast_##name parameters {                                                         \
    return VFP_FAST(name, __VA_ARGS__);                                                            \
  }                                                                                                \
  static inline R vfp_##name parameters {                                                          \
    if (__builtin_expect(vfp_unmasked(cpu), 0))                                                    \
      return soft_##name(cpu, __VA_ARGS__);                                                        \
    return VFP_FAST(name, __VA_ARGS__);                                                            \
  }
#define VFP_BINARY_(name)      VFP_DEFINE(name, vec, (struct blink_cpu * cpu, vec a, vec b), a, b)
#define VFP_UNARY_(name)       VFP_DEFINE(name, vec, (struct blink_cpu * cpu, vec b), b)
#define VFP_TO_INT_(name, T)   VFP_DEFINE(name, T, (struct blink_cpu * cpu, vec b), b)
#define VFP_FROM_INT_(name, T) VFP_DEFINE(name, vec, (struct blink_cpu * cpu, vec a, T v), a, v)
#define VFP_PREDICATE_(name, type)                                                                 \
  VFP_DEFINE(name, vec, (struct blink_cpu * cpu, vec a, vec b, uint32_t predicate), a, b, predicate)
#define VFP_COMPARE_(name) VFP_DEFINE(name, uint32_t, (struct blink_cpu * cpu, vec a, vec b), a, b)
#define VFP_FAST_BINARY(name)                                                                      \
  static inline vec fast_##name(struct blink_cpu *cpu, vec a, vec b) {                             \
    return VFP_FAST(name, a, b);                                                                   \
  }
#define VFP_FAST_UNARY(name)                                                                       \
  static inline vec fast_##name(struct blink_cpu *cpu, vec b) {                                    \
    return VFP_FAST(name, b);                                                                      \
  }
VFP_BINARY(VFP_BINARY_)
VFP_UNARY(VFP_UNARY_)
VFP_APPROXIMATE(VFP_FAST_BINARY, VFP_FAST_UNARY)
VFP_TO_INT(VFP_TO_INT_)
VFP_FROM_INT(VFP_FROM_INT_)
VFP_PREDICATE(VFP_PREDICATE_)
VFP_COMPARE(VFP_COMPARE_)

#endif
