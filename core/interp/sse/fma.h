/*
 * The names of the fused multiply-add kernels.
 */
#ifndef CORE_INTERP_SSE_FMA_H
#define CORE_INTERP_SSE_FMA_H

#include "interp/sse/simd.h"

/* F(kernel, OPERATION) of every one. */
#define SIMD_FMA_FORMS(F, op, OP, type, TYPE)                                                      \
  F(op##132##type, OP##132##TYPE)                                                                  \
  F(op##213##type, OP##213##TYPE)                                                                  \
  F(op##231##type, OP##231##TYPE)
#define SIMD_FMA_PACKED(F, op, OP)                                                                 \
  SIMD_FMA_FORMS(F, op, OP, ps, PS)                                                                \
  SIMD_FMA_FORMS(F, op, OP, pd, PD)
#define SIMD_FMA_ALL(F, op, OP)                                                                    \
  SIMD_FMA_PACKED(F, op, OP)                                                                       \
  SIMD_FMA_FORMS(F, op, OP, ss, SS)                                                                \
  SIMD_FMA_FORMS(F, op, OP, sd, SD)
#define SIMD_FMA_KERNELS(F)                                                                        \
  SIMD_FMA_ALL(F, fmadd, VFMADD)                                                                   \
  SIMD_FMA_ALL(F, fmsub, VFMSUB)                                                                   \
  SIMD_FMA_ALL(F, fnmadd, VFNMADD)                                                                 \
  SIMD_FMA_ALL(F, fnmsub, VFNMSUB)                                                                 \
  SIMD_FMA_PACKED(F, fmaddsub, VFMADDSUB)                                                          \
  SIMD_FMA_PACKED(F, fmsubadd, VFMSUBADD)

#define SIMD_FMA_DECLARE(name, OP) simd_kernel3 simd_##name;
SIMD_FMA_KERNELS(SIMD_FMA_DECLARE)
#undef SIMD_FMA_DECLARE

#endif
