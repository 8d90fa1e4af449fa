/*
 * Random values of the kinds that matter: small and edge integers, floating-point numbers of all
 * classes and near each other, packed in every width; and whole states made of them.
 */
#include <string.h>

#include "diff.h"

static const uint64_t edges[] = {
    0,
    1,
    2,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7fffffff,
    0x80000000,
    0xffffffff,
    0x7fffffffffffffff,
    0x8000000000000000,
    0xffffffffffffffff,
    0x0101010101010101,
    0x8080808080808080,
};
static const uint32_t singles[] = {
    0,          0x80000000, 1,          0x80000001, 0x007fffff, 0x00800000, 0x3f800000, 0xbf800000,
    0x3f000000, 0x40490fdb, 0x4b000000, 0x4f000000, 0xcf000000, 0x5f000000, 0x7f7fffff, 0xff7fffff,
    0x7f800000, 0xff800000, 0x7fc00000, 0xffc12345, 0x7f800001, 0xffa00000, 0x3effffff, 0x3f800001,
};
static const uint64_t doubles[] = {
    0,
    0x8000000000000000,
    1,
    0x8000000000000001,
    0x000fffffffffffff,
    0x0010000000000000,
    0x3ff0000000000000,
    0xbff0000000000000,
    0x3fe0000000000000,
    0x400921fb54442d18,
    0x41dfffffffc00000,
    0x41e0000000000000,
    0xc1e0000000000000,
    0x43e0000000000000,
    0xc3e0000000000000,
    0x47efffffe0000000,
    0x7fefffffffffffff,
    0xffefffffffffffff,
    0x7ff0000000000000,
    0xfff0000000000000,
    0x7ff8000000000000,
    0xfff8000012345678,
    0x7ff0000000000001,
    0xfff4000000000000,
    0x3690000000000000,
    0x3ff0000000000001,
};

static uint64_t random_integer(struct rng *r) {
    switch (rng_below(r, 4)) {
    case 0: return edges[rng_below(r, sizeof edges / sizeof edges[0])] + rng_below(r, 3) - 1;
    case 1: return rng_next(r) >> rng_below(r, 64);
    case 2: return (uint64_t)((int64_t)rng_next(r) >> rng_below(r, 64));
    default: return rng_next(r);
    }
}
static uint32_t random_single(struct rng *r) {
    uint64_t v = rng_next(r);
    switch (rng_below(r, 4)) {
    case 0: return singles[rng_below(r, sizeof singles / sizeof singles[0])];
    case 1: return (uint32_t)v;
    default: /* near one, so that sums cancel and round */
        return (uint32_t)((v & 0x80000000) | (uint64_t)(117 + rng_below(r, 24)) << 23 |
                          (v & (rng_below(r, 2) ? 0x7fffff : 0x700000)));
    }
}
static uint64_t random_double(struct rng *r) {
    uint64_t v = rng_next(r);
    switch (rng_below(r, 4)) {
    case 0: return doubles[rng_below(r, sizeof doubles / sizeof doubles[0])];
    case 1: return v;
    default:
        return (v & UINT64_C(1) << 63) | (uint64_t)(1000 + rng_below(r, 48)) << 52 |
               (v & (rng_below(r, 2) ? UINT64_C(0xfffffffffffff) : UINT64_C(0xe000000000000)));
    }
}

/* Eight bytes of one of the kinds. */
static uint64_t random_word(struct rng *r, uint32_t kind) {
    switch (kind) {
    case 0: return random_integer(r);
    case 1: return (uint64_t)random_single(r) << 32 | random_single(r);
    case 2: return random_double(r);
    case 3: return random_integer(r) & UINT64_C(0x0003000300030003);
    default: return rng_next(r);
    }
}

void fill_values(struct rng *r, void *out, size_t size) {
    uint32_t kind = rng_below(r, 5);
    for (size_t k = 0; k < size; k += 8) {
        uint64_t v = random_word(r, kind);
        memcpy((uint8_t *)out + k, &v, size - k < 8 ? size - k : 8);
    }
}

/* ---- x87 ---- */

static void random_f80(struct rng *r, uint8_t out[16]) {
    uint64_t frac = rng_next(r) | UINT64_C(1) << 63;
    uint32_t se = (uint32_t)(16383 - 40 + rng_below(r, 80)) | rng_below(r, 2) << 15;
    switch (rng_below(r, 12)) {
    case 0: frac = 0, se &= 0x8000; break;                      /* zero */
    case 1: frac = UINT64_C(1) << 63, se |= 0x7fff; break;      /* infinity */
    case 2: se |= 0x7fff; break;                                /* NaN */
    case 3: frac >>= 1 + rng_below(r, 63), se &= 0x8000; break; /* denormal */
    case 4: se = (uint32_t)rng_next(r) & 0xffff; break;         /* anything */
    case 5:
        frac &= UINT64_C(0xfff) << (52 - rng_below(r, 4) * 8);
        frac |= UINT64_C(1) << 63;
        break;
    case 6: frac = UINT64_C(1) << 63, se = 16383 | (se & 0x8000); break; /* one */
    case 7:
        if (rng_below(r, 4) == 0)
            frac &= ~(UINT64_C(1) << 63);
        break; /* unsupported */
    default: break;
    }
    memset(out, 0, 16);
    memcpy(out, &frac, 8);
    memcpy(out + 8, &se, 2);
}

static void random_x87(struct rng *r, uint8_t *x) {
    uint16_t fcw = 0x37f, fsw = 0;
    if (rng_chance(r, 50)) {
        static const uint16_t precisions[] = {0x000, 0x200, 0x300};
        fcw = (uint16_t)(0x7f | precisions[rng_below(r, 3)] | rng_below(r, 4) << 10);
    }
    if (rng_chance(r, 10))
        fcw &= (uint16_t) ~(1u << rng_below(r, 6));
    fsw = (uint16_t)((rng_next(r) & 0x7f00) | (rng_chance(r, 30) ? rng_next(r) & 0x7f : 0));
    /* What the processor makes of flags that are not masked. */
    if (fsw & ~fcw & 0x3f)
        fsw |= 0x8080;
    memcpy(x, &fcw, 2);
    memcpy(x + 2, &fsw, 2);
    x[4] = rng_chance(r, 60) ? 0xff : rng_chance(r, 30) ? 0 : (uint8_t)rng_next(r);
    for (uint32_t k = 0; k < 8; k++)
        random_f80(r, x + 32 + 16 * k);
    /* MMX values live in the same registers. */
    if (rng_chance(r, 40))
        for (uint32_t k = 0; k < 8; k++) {
            fill_values(r, x + 32 + 16 * k, 8);
            memset(x + 40 + 16 * k, 0xff, 2);
        }
}

/* ---- states ---- */

static uint32_t random_mxcsr(struct rng *r) {
    uint32_t v = 0x1f80;
    if (rng_chance(r, 50))
        v |= rng_below(r, 4) << 13;
    if (rng_chance(r, 20))
        v |= 0x40;
    if (rng_chance(r, 20))
        v |= 0x8000;
    if (rng_chance(r, 30))
        v |= rng_below(r, 64);
    if (rng_chance(r, 10))
        v ^= (uint32_t)rng_below(r, 64) << 7;
    return v;
}

static uint64_t random_gpr(struct rng *r) {
    if (rng_chance(r, 35))
        return DATA_AT + 0x200 + rng_below(r, 0x1c00);
    if (rng_chance(r, 20))
        return rng_below(r, 64);
    return random_integer(r);
}

void random_state(struct rng *r, struct state *s) {
    uint32_t mxcsr = random_mxcsr(r);
    memset(s->xsave, 0, sizeof s->xsave);
    random_x87(r, s->xsave);
    memcpy(s->xsave + 24, &mxcsr, 4);
    for (uint32_t k = 0; k < 16; k++)
        fill_values(r, s->xsave + 160 + 16 * k, 16);
    s->xsave[512] = 7; /* XSTATE_BV */
    if (rng_chance(r, 70))
        for (uint32_t k = 0; k < 16; k++)
            fill_values(r, s->xsave + 576 + 16 * k, 16);
    for (uint32_t k = 0; k < 16; k++)
        s->gpr[k] = random_gpr(r);
    s->gpr[BLINK_RSP] = DATA_AT + 0x400 + rng_below(r, 0x180) * 8;
    if (rng_chance(r, 10))
        s->gpr[BLINK_RSP] += rng_below(r, 8);
    static const uint8_t pointers[] = {BLINK_RBP, BLINK_RSI, BLINK_RDI, BLINK_RBX};
    for (uint32_t k = 0; k < 4; k++)
        if (rng_chance(r, 60))
            s->gpr[pointers[k]] = DATA_AT + 0x400 + rng_below(r, 0x1800);
    s->flags = 0x202 | (rng_next(r) & BLINK_FLAGS_ARITH) | (rng_chance(r, 15) ? BLINK_DF : 0);
    s->fs = DATA_AT + rng_below(r, 0x100) * 8;
    s->gs = DATA_AT + rng_below(r, 0x100) * 8;
}

/* A pool, from which data is copied, with some pieces made anew each time. */
static uint64_t pool[8192];

void values_prepare(uint64_t seed) {
    struct rng r = {seed ^ 0x5eed};
    for (size_t k = 0; k < sizeof pool; k += 64)
        fill_values(&r, (uint8_t *)pool + k, 64);
}

void random_data(struct rng *r, uint8_t data[DATA_SIZE]) {
    memcpy(data, (uint8_t *)pool + 16 * rng_below(r, (sizeof pool - DATA_SIZE) / 16), DATA_SIZE);
}
