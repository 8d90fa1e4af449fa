/*
 * Element-wise integer operations: one line each, inlined into the hot handlers and compiled out
 * of line as kernels. x is an element of a, y of b. Written so that compilers find the host's
 * vector instructions.
 */
#ifndef CORE_INTERP_SSE_LANES_H
#define CORE_INTERP_SSE_LANES_H

#include "interp/sse/vec.h"

struct blink_cpu;

/* Wrapping sum or difference, and whether it overflowed, inside the element's own width. */
#define LANE_SUM(T)   ((T)(x + y))
#define LANE_DIFF(T)  ((T)(x - y))
#define LANE_SAT(max) ((x < 0 ? -(max)-1 : (max)))

/* clang-format off */
#define SIMD_LANES(F)                                                                              \
  F(paddb, u8, x + y)                                                                              \
  F(paddw, u16, x + y)                                                                             \
  F(paddd, u32, x + y)                                                                             \
  F(paddq, u64, x + y)                                                                             \
  F(psubb, u8, x - y)                                                                              \
  F(psubw, u16, x - y)                                                                             \
  F(psubd, u32, x - y)                                                                             \
  F(psubq, u64, x - y)                                                                             \
  F(paddusb, u8, LANE_SUM(uint8_t) < x ? 0xff : x + y)                                             \
  F(paddusw, u16, LANE_SUM(uint16_t) < x ? 0xffff : x + y)                                         \
  F(psubusb, u8, x < y ? 0 : x - y)                                                                \
  F(psubusw, u16, x < y ? 0 : x - y)                                                               \
  F(paddsb, i8, ((int8_t)(~(x ^ y) & (x ^ LANE_SUM(int8_t)))) < 0 ? LANE_SAT(127) : x + y)         \
  F(paddsw, i16, ((int16_t)(~(x ^ y) & (x ^ LANE_SUM(int16_t)))) < 0 ? LANE_SAT(32767) : x + y)    \
  F(psubsb, i8, ((int8_t)((x ^ y) & (x ^ LANE_DIFF(int8_t)))) < 0 ? LANE_SAT(127) : x - y)         \
  F(psubsw, i16, ((int16_t)((x ^ y) & (x ^ LANE_DIFF(int16_t)))) < 0 ? LANE_SAT(32767) : x - y)    \
  F(pand, u64, x & y)                                                                               \
  F(pandn, u64, ~x & y)                                                                             \
  F(por, u64, x | y)                                                                               \
  F(pxor, u64, x ^ y)                                                                              \
  F(pcmpeqb, u8, -(x == y))                                                                        \
  F(pcmpeqw, u16, -(x == y))                                                                       \
  F(pcmpeqd, u32, -(uint32_t)(x == y))                                                             \
  F(pcmpeqq, u64, -(uint64_t)(x == y))                                                             \
  F(pcmpgtb, i8, -(x > y))                                                                         \
  F(pcmpgtw, i16, -(x > y))                                                                        \
  F(pcmpgtd, i32, -(x > y))                                                                        \
  F(pcmpgtq, i64, -(int64_t)(x > y))                                                               \
  F(pminub, u8, x < y ? x : y)                                                                     \
  F(pminuw, u16, x < y ? x : y)                                                                    \
  F(pminud, u32, x < y ? x : y)                                                                    \
  F(pminsb, i8, x < y ? x : y)                                                                     \
  F(pminsw, i16, x < y ? x : y)                                                                    \
  F(pminsd, i32, x < y ? x : y)                                                                    \
  F(pmaxub, u8, x > y ? x : y)                                                                     \
  F(pmaxuw, u16, x > y ? x : y)                                                                    \
  F(pmaxud, u32, x > y ? x : y)                                                                    \
  F(pmaxsb, i8, x > y ? x : y)                                                                     \
  F(pmaxsw, i16, x > y ? x : y)                                                                    \
  F(pmaxsd, i32, x > y ? x : y)                                                                    \
  F(pavgb, u8, (x + y + 1) >> 1)                                                                   \
  F(pavgw, u16, (x + y + 1) >> 1)                                                                  \
  F(pmullw, i16, x * y)                                                                             \
  F(pmulhw, i16, (x * y) >> 16)                                                                    \
  F(pmulhuw, u16, ((uint32_t)x * y) >> 16)                                                         \
  F(pmulld, u32, x * y)                                                                             \
  F(pmulhrsw, i16, (((x * y) >> 14) + 1) >> 1)                                                     \
  F(pmuludq, u64, (x & UINT32_MAX) * (y & UINT32_MAX))                                             \
  F(pmuldq, i64, (int64_t)(int32_t)x * (int32_t)y)                                                 \
  F(psignb, i8, y < 0 ? -x : y ? x : 0)                                                            \
  F(psignw, i16, y < 0 ? -x : y ? x : 0)                                                           \
  F(psignd, i32, y < 0 ? (int32_t)(0u - (uint32_t)x) : y ? x : 0)                                  \
  F(pabsb, i8, y < 0 ? -y : y)                                                                     \
  F(pabsw, i16, y < 0 ? -y : y)                                                                    \
  F(pabsd, i32, y < 0 ? (int32_t)(0u - (uint32_t)y) : y)                                           \
  F(psllvd, u32, y < 32 ? x << (y & 31) : 0)                                                       \
  F(psllvq, u64, y < 64 ? x << (y & 63) : 0)                                                       \
  F(psrlvd, u32, y < 32 ? x >> (y & 31) : 0)                                                       \
  F(psrlvq, u64, y < 64 ? x >> (y & 63) : 0)                                                       \
  F(psravd, i32, x >> ((uint32_t)y < 32 ? y : 31))
/* clang-format on */

#define SIMD_LANE_FUNCTION(name, T, expr)                                                          \
  static inline vec lane_##name(vec a_, vec b_) {                                                  \
    lanes a = {a_}, b = {b_}, r;                                                                   \
    for (uint32_t k = 0; k < sizeof r.T / sizeof r.T[0]; k++) {                                    \
      __typeof__(r.T[0]) x = a.T[k], y = b.T[k];                                                   \
      (void)x;                                                                                     \
      r.T[k] = (__typeof__(r.T[0]))(expr);                                                         \
    }                                                                                              \
    return r.v;                                                                                    \
  }
SIMD_LANES(SIMD_LANE_FUNCTION)
#undef SIMD_LANE_FUNCTION

#endif
