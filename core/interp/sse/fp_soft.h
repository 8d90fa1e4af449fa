/*
 * Floating point on vectors in software, the same on every host: soft_NAME for each of the names
 * below, which are also those of host_NAME (fp_host.h) and vfp_NAME (fp.h).
 */
#ifndef CORE_INTERP_SSE_FP_SOFT_H
#define CORE_INTERP_SSE_FP_SOFT_H

#include <blink/cpu.h>
#include <stdbool.h>

#include "interp/sse/vec.h"

/* clang-format off */
/* r = f(a, b); scalar ones (SS, SD) keep the rest of a. */
#define VFP_BINARY(F)                                                                              \
    F(addps) F(addpd) F(addss) F(addsd) F(subps) F(subpd) F(subss) F(subsd)                        \
    F(mulps) F(mulpd) F(mulss) F(mulsd) F(divps) F(divpd) F(divss) F(divsd)                        \
    F(minps) F(minpd) F(minss) F(minsd) F(maxps) F(maxpd) F(maxss) F(maxsd)                        \
    F(sqrtss) F(sqrtsd) F(cvtss2sd) F(cvtsd2ss)
/* r = f(b). */
#define VFP_UNARY(F)                                                                               \
    F(sqrtps) F(sqrtpd) F(cvtdq2pd) F(cvtdq2ps) F(cvtpd2dq) F(cvtpd2ps)        \
    F(cvtps2dq) F(cvtps2pd) F(cvttpd2dq) F(cvttps2dq)
/* Approximations, which raise nothing: binary, unary. */
#define VFP_APPROXIMATE(F2, F1) F2(rcpss) F2(rsqrtss) F1(rcpps) F1(rsqrtps)
/* Scalar to integer, by rounding or truncation. */
#define VFP_TO_INT(F)                                                                              \
    F(cvtss2si, int32_t) F(cvtss2siq, int64_t) F(cvtsd2si, int32_t) F(cvtsd2siq, int64_t)          \
    F(cvttss2si, int32_t) F(cvttss2siq, int64_t) F(cvttsd2si, int32_t) F(cvttsd2siq, int64_t)
/* Integer to scalar, keeping the rest of a. */
#define VFP_FROM_INT(F)                                                                            \
    F(cvtsi2ssl, int32_t) F(cvtsi2ssq, int64_t) F(cvtsi2sdl, int32_t) F(cvtsi2sdq, int64_t)
/* CMPPS and CMPPD with predicate 0-7. */
#define VFP_PREDICATE(F) F(cmpps, ps) F(cmppd, pd)
/* Comparisons into flags: bits below. */
#define VFP_COMPARE(F) F(comiss) F(comisd) F(ucomiss) F(ucomisd)
/* clang-format on */

#define VFP_ZF 1u
#define VFP_PF 2u
#define VFP_CF 4u

#define SOFT_BINARY(name)      vec soft_##name(struct blink_cpu *cpu, vec a, vec b);
#define SOFT_UNARY(name)       vec soft_##name(struct blink_cpu *cpu, vec b);
#define SOFT_TO_INT(name, T)   T soft_##name(struct blink_cpu *cpu, vec b);
#define SOFT_FROM_INT(name, T) vec soft_##name(struct blink_cpu *cpu, vec a, T v);
#define SOFT_PREDICATE(name, type)                                                                 \
  vec soft_##name(struct blink_cpu *cpu, vec a, vec b, uint32_t predicate);
#define SOFT_COMPARE(name) uint32_t soft_##name(struct blink_cpu *cpu, vec a, vec b);
VFP_BINARY(SOFT_BINARY)
VFP_UNARY(SOFT_UNARY)
VFP_APPROXIMATE(SOFT_BINARY, SOFT_UNARY)
VFP_TO_INT(SOFT_TO_INT)
VFP_FROM_INT(SOFT_FROM_INT)
VFP_PREDICATE(SOFT_PREDICATE)
VFP_COMPARE(SOFT_COMPARE)

#endif
