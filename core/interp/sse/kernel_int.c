/*
 * Integer arithmetic on vectors: the element-wise operations of lanes.h out of line, and those that
 * look across elements. Pure functions; any thread.
 */
#include "interp/sse/lanes.h"
#include "interp/sse/simd.h"

#define LANE_KERNEL(name, T, expr)                                                                 \
  KERNEL(name) {                                                                                   \
    return lane_##name(a, b);                                                                      \
  }
SIMD_LANES(LANE_KERNEL)

/* Sums of products of neighbours. */
KERNEL(pmaddwd) {
    lanes x = {a}, y = {b}, r;
    for (uint32_t k = 0; k < 4; k++)
        r.u32[k] = (uint32_t)(x.i16[2 * k] * y.i16[2 * k]) +
                   (uint32_t)(x.i16[2 * k + 1] * y.i16[2 * k + 1]);
    return r.v;
}
static int16_t saturate16(int32_t v) {
    return (int16_t)(v < INT16_MIN ? INT16_MIN : v > INT16_MAX ? INT16_MAX : v);
}
KERNEL(pmaddubsw) {
    lanes x = {a}, y = {b}, r;
    for (uint32_t k = 0; k < 8; k++)
        r.i16[k] = saturate16(x.u8[2 * k] * y.i8[2 * k] + x.u8[2 * k + 1] * y.i8[2 * k + 1]);
    return r.v;
}

/* Sums of absolute differences. */
static uint32_t distance(uint8_t x, uint8_t y) {
    return x > y ? (uint32_t)(x - y) : (uint32_t)(y - x);
}
KERNEL(psadbw) {
    lanes x = {a}, y = {b}, r = {vec_zero()};
    for (uint32_t k = 0; k < 16; k++)
        r.u64[k / 8] += distance(x.u8[k], y.u8[k]);
    return r.v;
}
KERNEL(mpsadbw) {
    lanes x = {a}, y = {b}, r = {vec_zero()};
    const uint8_t *s = &x.u8[imm & 4], *t = &y.u8[(imm & 3) * 4];
    for (uint32_t k = 0; k < 8; k++)
        for (uint32_t n = 0; n < 4; n++)
            r.u16[k] = (uint16_t)(r.u16[k] + distance(s[k + n], t[n]));
    return r.v;
}

/* Neighbours added or subtracted: first those of a, then those of b. */
#define HORIZONTAL(name, T, expr)                                                                  \
  KERNEL(name) {                                                                                   \
    lanes x_ = {a}, y_ = {b}, r;                                                                   \
    const uint32_t half = sizeof r.T / sizeof r.T[0] / 2;                                          \
    for (uint32_t k = 0; k < half; k++) {                                                          \
      __typeof__(r.T[0]) x = x_.T[2 * k], y = x_.T[2 * k + 1];                                     \
      r.T[k] = (__typeof__(r.T[0]))(expr);                                                         \
      x = y_.T[2 * k], y = y_.T[2 * k + 1];                                                        \
      r.T[k + half] = (__typeof__(r.T[0]))(expr);                                                  \
    }                                                                                              \
    return r.v;                                                                                    \
  }
HORIZONTAL(phaddw, u16, x + y)
HORIZONTAL(phaddd, u32, x + y)
HORIZONTAL(phaddsw, i16, saturate16(x + y))
HORIZONTAL(phsubw, u16, x - y)
HORIZONTAL(phsubd, u32, x - y)
HORIZONTAL(phsubsw, i16, saturate16(x - y))

KERNEL(phminposuw) {
    lanes x = {b};
    uint32_t at = 0;
    for (uint32_t k = 1; k < 8; k++)
        if (x.u16[k] < x.u16[at])
            at = k;
    return vec_low(x.u16[at] | at << 16);
}
