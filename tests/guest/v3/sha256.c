/*
 * SHA-256 with the processor's own instructions, beside a plain one: the same digests for messages
 * of every length up to a few blocks and for a long one.
 */
#include <immintrin.h>
#include <string.h>

#include "../guest.h"

static const uint32_t k256[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};
static const uint32_t start[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static uint32_t turn(uint32_t v, int n) {
    return v >> n | v << (32 - n);
}

static void plain_block(uint32_t h[8], const uint8_t *p) {
    uint32_t w[64], s[8];
    for (int k = 0; k < 16; k++)
        w[k] = (uint32_t)p[4 * k] << 24 | p[4 * k + 1] << 16 | p[4 * k + 2] << 8 | p[4 * k + 3];
    for (int k = 16; k < 64; k++) {
        uint32_t a = w[k - 15], b = w[k - 2];
        w[k] = w[k - 16] + (turn(a, 7) ^ turn(a, 18) ^ a >> 3) + w[k - 7] +
               (turn(b, 17) ^ turn(b, 19) ^ b >> 10);
    }
    memcpy(s, h, sizeof s);
    for (int k = 0; k < 64; k++) {
        uint32_t e = s[4], a = s[0];
        uint32_t t = s[7] + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & s[5]) ^ (~e & s[6])) +
                     k256[k] + w[k];
        uint32_t u =
            (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, 7 * sizeof s[0]);
        s[4] += t;
        s[0] = t + u;
    }
    for (int k = 0; k < 8; k++)
        h[k] += s[k];
}

/* State in the instructions' order: ABEF and CDGH. */
static void fast_block(uint32_t h[8], const uint8_t *p) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    __m128i abef = _mm_set_epi32((int)h[0], (int)h[1], (int)h[4], (int)h[5]);
    __m128i cdgh = _mm_set_epi32((int)h[2], (int)h[3], (int)h[6], (int)h[7]);
    const __m128i abef0 = abef, cdgh0 = cdgh;
    __m128i w[4];
    for (int k = 0; k < 4; k++)
        w[k] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(p + 16 * k)), swap);
    for (int k = 0; k < 16; k++) {
        __m128i t = _mm_add_epi32(w[k & 3], _mm_load_si128((const __m128i *)(k256 + 4 * k)));
        cdgh = _mm_sha256rnds2_epu32(cdgh, abef, t);
        abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(t, 0x0e));
        if (k < 12) {
            __m128i next = _mm_sha256msg1_epu32(w[k & 3], w[(k + 1) & 3]);
            next = _mm_add_epi32(next, _mm_alignr_epi8(w[(k + 3) & 3], w[(k + 2) & 3], 4));
            w[k & 3] = _mm_sha256msg2_epu32(next, w[(k + 3) & 3]);
        }
    }
    abef = _mm_add_epi32(abef, abef0);
    cdgh = _mm_add_epi32(cdgh, cdgh0);
    h[0] = (uint32_t)_mm_extract_epi32(abef, 3), h[1] = (uint32_t)_mm_extract_epi32(abef, 2);
    h[4] = (uint32_t)_mm_extract_epi32(abef, 1), h[5] = (uint32_t)_mm_extract_epi32(abef, 0);
    h[2] = (uint32_t)_mm_extract_epi32(cdgh, 3), h[3] = (uint32_t)_mm_extract_epi32(cdgh, 2);
    h[6] = (uint32_t)_mm_extract_epi32(cdgh, 1), h[7] = (uint32_t)_mm_extract_epi32(cdgh, 0);
}

static void sha256(void (*block)(uint32_t *, const uint8_t *), const uint8_t *p, size_t size,
                   uint32_t h[8]) {
    uint8_t last[128] = {0};
    size_t whole = size & ~(size_t)63, rest = size - whole, end = rest < 56 ? 64 : 128;
    memcpy(h, start, sizeof start);
    for (size_t at = 0; at < whole; at += 64)
        block(h, p + at);
    memcpy(last, p + whole, rest);
    last[rest] = 0x80;
    for (int k = 0; k < 8; k++)
        last[end - 1 - k] = (uint8_t)((uint64_t)size * 8 >> (8 * k));
    for (size_t at = 0; at < end; at += 64)
        block(h, last + at);
}

static uint8_t message[60000];

int main(void) {
    uint32_t fast[8], plain[8];
    uint64_t seed = 3, all = GUEST_HASH;
    sha256(fast_block, (const uint8_t *)"abc", 3, fast);
    CHECK(fast[0] == 0xba7816bf && fast[7] == 0xf20015ad);
    for (size_t k = 0; k < sizeof message; k++)
        message[k] = (uint8_t)guest_random(&seed);
    for (size_t size = 0; size < 300; size++) {
        sha256(fast_block, message, size, fast);
        sha256(plain_block, message, size, plain);
        CHECK(memcmp(fast, plain, sizeof fast) == 0);
        all = guest_hash(all, fast, sizeof fast);
    }
    sha256(fast_block, message, sizeof message, fast);
    for (int k = 0; k < 8; k++)
        printf("%08x", fast[k]);
    printf(" %016llx\n", (unsigned long long)all);
    return guest_done();
}
