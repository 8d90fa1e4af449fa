/*
 * 128-bit vectors as values, and the two ways to look inside: GNU vector types and the `lanes`
 * union. A YMM register is two of them. Little-endian hosts.
 */
#ifndef CORE_INTERP_SSE_VEC_H
#define CORE_INTERP_SSE_VEC_H

#include <stdint.h>
#include <string.h>

typedef uint64_t vec __attribute__((vector_size(16)));

typedef union {
    vec v;
    uint8_t u8[16];
    uint16_t u16[8];
    uint32_t u32[4];
    uint64_t u64[2];
    int8_t i8[16];
    int16_t i16[8];
    int32_t i32[4];
    int64_t i64[2];
} lanes;

static inline vec vec_zero(void) {
    return (vec){0, 0};
}
static inline vec vec_low(uint64_t low) {
    return (vec){low, 0};
}
static inline vec vec_load(const void *p) {
    vec v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* The vector moved down by n bytes (0-16), zeros from above. */
static inline vec vec_down(vec v, uint32_t n) {
    uint8_t wide[32] = {0};
    memcpy(wide, &v, 16);
    return vec_load(wide + n);
}

/* Bits 7 of all bytes, and the sign bits of wider elements. */
static inline uint32_t vec_signs8(vec v) {
#if defined(__SSE2__)
    typedef char bytes __attribute__((vector_size(16)));
    return (uint32_t)__builtin_ia32_pmovmskb128((bytes)v);
#else
    const uint64_t m = UINT64_C(0x8080808080808080), gather = UINT64_C(0x0002040810204081);
    return (uint32_t)(((v[0] & m) * gather) >> 56 | ((v[1] & m) * gather) >> 56 << 8);
#endif
}
static inline uint32_t vec_signs32(vec v) {
    return (uint32_t)((v[0] >> 31 & 1) | (v[0] >> 63) << 1 | (v[1] >> 31 & 1) << 2 |
                      (v[1] >> 63) << 3);
}
static inline uint32_t vec_signs64(vec v) {
    return (uint32_t)(v[0] >> 63 | (v[1] >> 63) << 1);
}

#endif
