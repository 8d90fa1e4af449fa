/*
 * 80-bit operands worth trying: the edges of every rule, and random ones that meet each other's
 * exponents.
 */
#ifndef TESTS_FP_EDGES80_H
#define TESTS_FP_EDGES80_H

#include "support.h"

static const struct blink_f80 edges80[] = {
    {0, 0, {0}},
    {0, 0x8000, {0}},
    /* denormals, pseudo-denormals, the smallest normal numbers */
    {1, 0, {0}},
    {1, 0x8000, {0}},
    {UINT64_C(0x7fffffffffffffff), 0, {0}},
    {UINT64_C(0x4000000000000000), 0x8000, {0}},
    {UINT64_C(0x0000010000000000), 0, {0}},
    {UINT64_C(0x8000000000000000), 0, {0}},
    {UINT64_C(0xffffffffffffffff), 0x8000, {0}},
    {UINT64_C(0x8000000000000000), 1, {0}},
    {UINT64_C(0x8000000000000001), 0x8001, {0}},
    {UINT64_C(0xffffffffffffffff), 1, {0}},
    {UINT64_C(0x8000000000000000), 0x40, {0}},
    /* infinities, NaNs, unsupported */
    {UINT64_C(0x8000000000000000), 0x7fff, {0}},
    {UINT64_C(0x8000000000000000), 0xffff, {0}},
    {UINT64_C(0xc000000000000000), 0x7fff, {0}},
    {UINT64_C(0xc000000000000000), 0xffff, {0}},
    {UINT64_C(0xc000000012345678), 0x7fff, {0}},
    {UINT64_C(0xe000000000000000), 0xffff, {0}},
    {UINT64_C(0x8000000000000001), 0x7fff, {0}},
    {UINT64_C(0xbfffffffffffffff), 0xffff, {0}},
    {UINT64_C(0x8000000012345678), 0xffff, {0}},
    {UINT64_C(0xc000000012345678), 0xffff, {0}},
    {0, 0x7fff, {0}},
    {UINT64_C(0x4000000000000000), 0xffff, {0}},
    {UINT64_C(0x4000000000000000), 0x3fff, {0}},
    {0, 0x3fff, {0}},
    {UINT64_C(0x7fffffffffffffff), 1, {0}},
    {UINT64_C(0x4000000000000000), 0xc000, {0}},
    /* around one and its halves */
    {UINT64_C(0x8000000000000000), 0x3fff, {0}},
    {UINT64_C(0x8000000000000000), 0xbfff, {0}},
    {UINT64_C(0x8000000000000001), 0x3fff, {0}},
    {UINT64_C(0xffffffffffffffff), 0x3ffe, {0}},
    {UINT64_C(0x8000000000000000), 0x3ffe, {0}},
    {UINT64_C(0x8000000000000000), 0xbffe, {0}},
    {UINT64_C(0x8000000000000001), 0x3ffe, {0}},
    {UINT64_C(0xffffffffffffffff), 0x3ffd, {0}},
    {UINT64_C(0xc000000000000000), 0x3fff, {0}},
    {UINT64_C(0xa000000000000000), 0xc000, {0}},
    {UINT64_C(0xc000000000000000), 0x4000, {0}},
    {UINT64_C(0xe000000000000000), 0x4001, {0}},
    {UINT64_C(0xb504f333f9de6484), 0x3fff, {0}},
    {UINT64_C(0x8000008000000000), 0x3fff, {0}},
    {UINT64_C(0x8000008000000001), 0x3fff, {0}},
    {UINT64_C(0x8000000000000400), 0x3fff, {0}},
    {UINT64_C(0x8000000000000401), 0xbfff, {0}},
    {UINT64_C(0xffffff8000000000), 0x3fff, {0}},
    {UINT64_C(0xfffffffffffffc00), 0x3fff, {0}},
    {UINT64_C(0x8000000000000000), 0x3fbf, {0}},
    {UINT64_C(0x8000000000000000), 0x3fc0, {0}},
    {UINT64_C(0x8000000000000001), 0x3fbf, {0}},
    /* limits of integers */
    {UINT64_C(0xfffe000000000000), 0x400d, {0}},
    {UINT64_C(0xffff000000000000), 0x400d, {0}},
    {UINT64_C(0x8000000000000000), 0xc00e, {0}},
    {UINT64_C(0x8000800000000000), 0xc00e, {0}},
    {UINT64_C(0xfffffffe00000000), 0x401d, {0}},
    {UINT64_C(0xffffffff00000000), 0x401d, {0}},
    {UINT64_C(0x8000000000000000), 0xc01e, {0}},
    {UINT64_C(0x8000000080000000), 0xc01e, {0}},
    {UINT64_C(0x8000000000000000), 0x401e, {0}},
    {UINT64_C(0xffffffffffffffff), 0x403d, {0}},
    {UINT64_C(0x8000000000000000), 0x403e, {0}},
    {UINT64_C(0x8000000000000000), 0xc03e, {0}},
    {UINT64_C(0x8000000000000001), 0xc03e, {0}},
    {UINT64_C(0xde0b6b3a763ffff0), 0x403a, {0}},
    {UINT64_C(0xde0b6b3a763ffff8), 0x403a, {0}},
    {UINT64_C(0xde0b6b3a76400000), 0x403a, {0}},
    {UINT64_C(0xde0b6b3a763fffff), 0x403a, {0}},
    /* limits of the narrower formats */
    {UINT64_C(0xffffff0000000000), 0x407e, {0}},
    {UINT64_C(0xffffff7fffffffff), 0x407e, {0}},
    {UINT64_C(0xffffff8000000000), 0x407e, {0}},
    {UINT64_C(0x8000000000000000), 0x407f, {0}},
    {UINT64_C(0x8000000000000000), 0x3f81, {0}},
    {UINT64_C(0xffffffffffffffff), 0x3f80, {0}},
    {UINT64_C(0xfffffe0000000000), 0x3f80, {0}},
    {UINT64_C(0x8000000000000000), 0x3f6a, {0}},
    {UINT64_C(0x8000000000000000), 0x3f69, {0}},
    {UINT64_C(0x8000000000000001), 0x3f69, {0}},
    {UINT64_C(0xfffffffffffff800), 0x43fe, {0}},
    {UINT64_C(0xfffffffffffffbff), 0x43fe, {0}},
    {UINT64_C(0xfffffffffffffc00), 0x43fe, {0}},
    {UINT64_C(0x8000000000000000), 0x3c01, {0}},
    {UINT64_C(0xffffffffffffffff), 0x3c00, {0}},
    {UINT64_C(0x8000000000000000), 0x3bcd, {0}},
    {UINT64_C(0x8000000000000000), 0x3bcc, {0}},
    /* the largest numbers */
    {UINT64_C(0xffffffffffffffff), 0x7ffe, {0}},
    {UINT64_C(0x8000000000000000), 0xfffe, {0}},
    {UINT64_C(0xffffff0000000000), 0x7ffe, {0}},
    {UINT64_C(0xfffffffffffff800), 0xfffe, {0}},
    {UINT64_C(0xb504f333f9de6484), 0x5ffe, {0}},
    {UINT64_C(0x8000000000000000), 0x2000, {0}},
};
enum { EDGES80 = sizeof edges80 / sizeof edges80[0] };

static struct blink_f80 random80(uint64_t *seed) {
    uint64_t r = random64(seed);
    struct blink_f80 v = {.frac = random_bits(seed) | UINT64_C(1) << 63};
    uint32_t e;
    switch (r >> 8 & 15) {
    case 0: e = (uint32_t)(r >> 16); break;
    case 1: e = r & 1 ? 0 : 0x7fff; break;
    case 2: e = (uint32_t)(r >> 16) % 70; break;
    case 3: e = 0x7ffe - (uint32_t)(r >> 16) % 70; break;
    case 4: e = 0x3fff + (uint32_t)(r >> 16) % 2100 - 1050; break;
    case 5: e = 0x3fff + (uint32_t)(r >> 16) % 320 - 160; break;
    default: e = 0x3fff + (uint32_t)(r >> 16) % 140 - 70; break;
    }
    if ((e & 0x7fff) == 0 || (r >> 40 & 63) == 0)
        v.frac = random_bits(seed);
    v.se = (uint16_t)((e & 0x7fff) | (r >> 63) << 15);
    return v;
}

#endif
