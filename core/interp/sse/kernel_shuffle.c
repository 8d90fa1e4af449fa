/*
 * Rearranging vectors: shifts, shuffles, packs, unpacks, blends, extensions. Pure functions; any
 * thread.
 */
#include "interp/sse/simd.h"

/* ---- shifts by one count for all elements: b holds it ---- */

#define SHIFT_LEFT(name, T, bits)                                                                  \
  KERNEL(name) {                                                                                   \
    lanes r = {a};                                                                                 \
    if (b[0] >= (bits))                                                                            \
      return vec_zero();                                                                           \
    for (uint32_t k = 0; k < 128 / (bits); k++)                                                    \
      r.T[k] = (__typeof__(r.T[0]))(r.T[k] << b[0]);                                               \
    return r.v;                                                                                    \
  }
#define SHIFT_RIGHT(name, T, bits, beyond)                                                         \
  KERNEL(name) {                                                                                   \
    lanes r = {a};                                                                                 \
    uint64_t n = b[0];                                                                             \
    if (n >= (bits)) {                                                                             \
      beyond;                                                                                      \
    }                                                                                              \
    for (uint32_t k = 0; k < 128 / (bits); k++)                                                    \
      r.T[k] = (__typeof__(r.T[0]))(r.T[k] >> n);                                                  \
    return r.v;                                                                                    \
  }
SHIFT_LEFT(psllw, u16, 16)
SHIFT_LEFT(pslld, u32, 32)
SHIFT_LEFT(psllq, u64, 64)
SHIFT_RIGHT(psrlw, u16, 16, return vec_zero())
SHIFT_RIGHT(psrld, u32, 32, return vec_zero())
SHIFT_RIGHT(psrlq, u64, 64, return vec_zero())
SHIFT_RIGHT(psraw, i16, 16, n = 15)
SHIFT_RIGHT(psrad, i32, 32, n = 31)

/* Whole-vector shifts by bytes. */
KERNEL(psrldq) {
    return vec_down(a, b[0] < 16 ? (uint32_t)b[0] : 16);
}
KERNEL(pslldq) {
    uint8_t wide[32] = {0};
    memcpy(wide + 16, &a, 16);
    return vec_load(wide + 16 - (b[0] < 16 ? b[0] : 16));
}
KERNEL(palignr) {
    uint8_t wide[48] = {0};
    memcpy(wide, &b, 16);
    memcpy(wide + 16, &a, 16);
    uint32_t n = imm & 0xff;
    return vec_load(wide + (n < 32 ? n : 32));
}

/* ---- shuffles ---- */

KERNEL(pshufb) {
    lanes x = {a}, y = {b}, r;
    for (uint32_t k = 0; k < 16; k++)
        r.u8[k] = y.u8[k] & 0x80 ? 0 : x.u8[y.u8[k] & 15];
    return r.v;
}
KERNEL(pshufd) {
    lanes x = {b}, r;
    for (uint32_t k = 0; k < 4; k++)
        r.u32[k] = x.u32[imm >> (2 * k) & 3];
    return r.v;
}
KERNEL(pshuflw) {
    lanes x = {b}, r = {b};
    for (uint32_t k = 0; k < 4; k++)
        r.u16[k] = x.u16[imm >> (2 * k) & 3];
    return r.v;
}
KERNEL(pshufhw) {
    lanes x = {b}, r = {b};
    for (uint32_t k = 0; k < 4; k++)
        r.u16[4 + k] = x.u16[4 + (imm >> (2 * k) & 3)];
    return r.v;
}
KERNEL(shufps) {
    lanes x = {a}, y = {b}, r;
    r.u32[0] = x.u32[imm & 3];
    r.u32[1] = x.u32[imm >> 2 & 3];
    r.u32[2] = y.u32[imm >> 4 & 3];
    r.u32[3] = y.u32[imm >> 6 & 3];
    return r.v;
}
KERNEL(shufpd) {
    return (vec){imm & 1 ? a[1] : a[0], imm & 2 ? b[1] : b[0]};
}
/* The variable forms of VPERMILPS and VPERMILPD; the immediate ones are pshufd and shufpd. */
KERNEL(permilps) {
    lanes x = {a}, y = {b}, r;
    for (uint32_t k = 0; k < 4; k++)
        r.u32[k] = x.u32[y.u32[k] & 3];
    return r.v;
}
KERNEL(permilpd) {
    return (vec){b[0] & 2 ? a[1] : a[0], b[1] & 2 ? a[1] : a[0]};
}
KERNEL(movddup) {
    return (vec){b[0], b[0]};
}
KERNEL(movshdup) {
    return simd_pshufd(cpu, a, b, 0xf5);
}
KERNEL(movsldup) {
    return simd_pshufd(cpu, a, b, 0xa0);
}
KERNEL(insertps) {
    lanes x = {b}, r = {a};
    r.u32[imm >> 4 & 3] = x.u32[imm >> 6 & 3];
    for (uint32_t k = 0; k < 4; k++)
        if (imm >> k & 1)
            r.u32[k] = 0;
    return r.v;
}

/* ---- packs ---- */

#define PACK(name, from, to, low, high)                                                            \
  KERNEL(name) {                                                                                   \
    lanes x = {a}, y = {b}, r;                                                                     \
    const uint32_t half = sizeof x.from / sizeof x.from[0];                                        \
    for (uint32_t k = 0; k < half; k++) {                                                          \
      int32_t s = x.from[k], t = y.from[k];                                                        \
      r.to[k] = (__typeof__(r.to[0]))(s < (low) ? (low) : s > (high) ? (high) : s);                \
      r.to[k + half] = (__typeof__(r.to[0]))(t < (low) ? (low) : t > (high) ? (high) : t);         \
    }                                                                                              \
    return r.v;                                                                                    \
  }
PACK(packsswb, i16, i8, INT8_MIN, INT8_MAX)
PACK(packuswb, i16, u8, 0, UINT8_MAX)
PACK(packssdw, i32, i16, INT16_MIN, INT16_MAX)
PACK(packusdw, i32, u16, 0, UINT16_MAX)

/* ---- unpacks: the low or high halves of a and b, element by element ---- */

#define UNPACK(name, T, from)                                                                      \
  KERNEL(name) {                                                                                   \
    lanes x = {a}, y = {b}, r;                                                                     \
    const uint32_t half = sizeof r.T / sizeof r.T[0] / 2;                                          \
    for (uint32_t k = 0; k < half; k++) {                                                          \
      r.T[2 * k] = x.T[k + (from)];                                                                \
      r.T[2 * k + 1] = y.T[k + (from)];                                                            \
    }                                                                                              \
    return r.v;                                                                                    \
  }
UNPACK(punpcklbw, u8, 0)
UNPACK(punpcklwd, u16, 0)
UNPACK(punpckldq, u32, 0)
UNPACK(punpcklqdq, u64, 0)
UNPACK(punpckhbw, u8, 8)
UNPACK(punpckhwd, u16, 4)
UNPACK(punpckhdq, u32, 2)
UNPACK(punpckhqdq, u64, 1)

/* ---- blends ---- */

#define BLEND(name, T)                                                                             \
  KERNEL(name) {                                                                                   \
    lanes x = {b}, r = {a};                                                                        \
    for (uint32_t k = 0; k < sizeof r.T / sizeof r.T[0]; k++)                                      \
      if (imm >> k & 1)                                                                            \
        r.T[k] = x.T[k];                                                                           \
    return r.v;                                                                                    \
  }
BLEND(blendps, u32)
BLEND(blendpd, u64)
BLEND(pblendw, u16)

/* ---- extensions: the low elements of b ---- */

#define EXTEND(name, from, to)                                                                     \
  KERNEL(name) {                                                                                   \
    lanes x = {b}, r;                                                                              \
    for (uint32_t k = 0; k < sizeof r.to / sizeof r.to[0]; k++)                                    \
      r.to[k] = (__typeof__(r.to[0]))x.from[k];                                                    \
    return r.v;                                                                                    \
  }
EXTEND(pmovsxbw, i8, i16)
EXTEND(pmovsxbd, i8, i32)
EXTEND(pmovsxbq, i8, i64)
EXTEND(pmovsxwd, i16, i32)
EXTEND(pmovsxwq, i16, i64)
EXTEND(pmovsxdq, i32, i64)
EXTEND(pmovzxbw, u8, u16)
EXTEND(pmovzxbd, u8, u32)
EXTEND(pmovzxbq, u8, u64)
EXTEND(pmovzxwd, u16, u32)
EXTEND(pmovzxwq, u16, u64)
EXTEND(pmovzxdq, u32, u64)
