/*
 * SSE2 intrinsics over random data: integer and floating-point lanes, saturation, shuffles,
 * shifts, comparisons, conversions. One hash for each group names the group that is wrong.
 */
#include <emmintrin.h>
#include <string.h>

#include "guest.h"

enum { COUNT = 256 };
static uint8_t data[COUNT * 16 + 16];

static __m128i at(int k) {
    __m128i v;
    memcpy(&v, data + (k % COUNT) * 16 + (k & 7), sizeof v);
    return v;
}

static uint64_t add(uint64_t hash, __m128i v) {
    return guest_hash(hash, &v, sizeof v);
}

#define GROUP(name, ...)                                                                           \
  do {                                                                                             \
    uint64_t h = GUEST_HASH;                                                                       \
    for (int k = 0; k < COUNT; k++) {                                                              \
      __m128i a = at(k), b = at(k * 7 + 3);                                                        \
      const __m128i out[] = {__VA_ARGS__};                                                         \
      for (size_t n = 0; n < sizeof out / sizeof out[0]; n++)                                      \
        h = add(h, out[n]);                                                                        \
    }                                                                                              \
    printf("%-12s %016llx\n", name, (unsigned long long)h);                                        \
  } while (0)

static __m128d doubles(__m128i v) {
    /* Finite, of moderate size: exponents 1023 +- 31. */
    v = _mm_and_si128(v, _mm_set1_epi64x((int64_t)0x81ffffffffffffff));
    return _mm_castsi128_pd(_mm_or_si128(v, _mm_set1_epi64x(0x3e00000000000000)));
}

static __m128 floats(__m128i v) {
    v = _mm_and_si128(v, _mm_set1_epi32((int)0x87ffffff));
    return _mm_castsi128_ps(_mm_or_si128(v, _mm_set1_epi32(0x3c000000)));
}

#define PD(v) _mm_castpd_si128(v)
#define PS(v) _mm_castps_si128(v)

int main(void) {
    uint64_t state = 99;
    for (size_t k = 0; k < sizeof data; k++)
        data[k] = (uint8_t)(guest_random(&state) >> 32);
    GROUP("add", _mm_add_epi8(a, b), _mm_add_epi16(a, b), _mm_add_epi32(a, b), _mm_add_epi64(a, b),
          _mm_adds_epi8(a, b), _mm_adds_epu16(a, b), _mm_adds_epi16(a, b), _mm_adds_epu8(a, b));
    GROUP("sub", _mm_sub_epi8(a, b), _mm_sub_epi16(a, b), _mm_sub_epi32(a, b), _mm_sub_epi64(a, b),
          _mm_subs_epi8(a, b), _mm_subs_epu16(a, b), _mm_subs_epi16(a, b), _mm_subs_epu8(a, b));
    GROUP("mul", _mm_mullo_epi16(a, b), _mm_mulhi_epi16(a, b), _mm_mulhi_epu16(a, b),
          _mm_mul_epu32(a, b), _mm_madd_epi16(a, b), _mm_sad_epu8(a, b));
    GROUP("logic", _mm_and_si128(a, b), _mm_or_si128(a, b), _mm_xor_si128(a, b),
          _mm_andnot_si128(a, b), _mm_avg_epu8(a, b), _mm_avg_epu16(a, b));
    GROUP("minmax", _mm_min_epu8(a, b), _mm_max_epu8(a, b), _mm_min_epi16(a, b),
          _mm_max_epi16(a, b));
    GROUP("compare", _mm_cmpeq_epi8(a, b), _mm_cmpgt_epi8(a, b), _mm_cmpeq_epi16(a, b),
          _mm_cmpgt_epi16(a, b), _mm_cmpeq_epi32(a, b), _mm_cmpgt_epi32(a, b),
          _mm_cvtsi32_si128(_mm_movemask_epi8(a)));
    GROUP("shift", _mm_slli_epi16(a, 3), _mm_srli_epi32(a, 7), _mm_srai_epi16(a, 5),
          _mm_srai_epi32(a, 31), _mm_slli_epi64(a, 33), _mm_slli_si128(a, 5), _mm_srli_si128(a, 11),
          _mm_sll_epi32(b, _mm_cvtsi32_si128(k % 40)), _mm_sra_epi16(a, _mm_cvtsi32_si128(k % 20)));
    GROUP("shuffle", _mm_shuffle_epi32(a, 0x1b), _mm_shufflelo_epi16(a, 0x93),
          _mm_shufflehi_epi16(a, 0x4e), _mm_unpacklo_epi8(a, b), _mm_unpackhi_epi8(a, b),
          _mm_unpacklo_epi16(a, b), _mm_unpackhi_epi32(a, b), _mm_unpacklo_epi64(a, b),
          _mm_unpackhi_epi64(a, b), _mm_insert_epi16(a, k, 3));
    GROUP("pack", _mm_packs_epi16(a, b), _mm_packus_epi16(a, b), _mm_packs_epi32(a, b));
    GROUP("double", PD(_mm_add_pd(doubles(a), doubles(b))), PD(_mm_sub_pd(doubles(a), doubles(b))),
          PD(_mm_mul_pd(doubles(a), doubles(b))), PD(_mm_div_pd(doubles(a), doubles(b))),
          PD(_mm_sqrt_pd(_mm_and_pd(doubles(a), _mm_castsi128_pd(_mm_set1_epi64x(INT64_MAX))))),
          PD(_mm_min_pd(doubles(a), doubles(b))), PD(_mm_max_pd(doubles(a), doubles(b))),
          PD(_mm_cmplt_pd(doubles(a), doubles(b))), PD(_mm_cmpneq_pd(doubles(a), doubles(a))),
          PD(_mm_shuffle_pd(doubles(a), doubles(b), 1)));
    GROUP("float", PS(_mm_add_ps(floats(a), floats(b))), PS(_mm_sub_ps(floats(a), floats(b))),
          PS(_mm_mul_ps(floats(a), floats(b))), PS(_mm_div_ps(floats(a), floats(b))),
          PS(_mm_min_ps(floats(a), floats(b))), PS(_mm_max_ps(floats(a), floats(b))),
          PS(_mm_cmple_ps(floats(a), floats(b))), PS(_mm_shuffle_ps(floats(a), floats(b), 0x1b)),
          PS(_mm_add_ss(floats(a), floats(b))), PS(_mm_unpacklo_ps(floats(a), floats(b))));
    GROUP("convert", _mm_cvtpd_epi32(doubles(a)), _mm_cvttpd_epi32(doubles(a)),
          PD(_mm_cvtepi32_pd(a)), PS(_mm_cvtepi32_ps(a)), _mm_cvtps_epi32(floats(a)),
          _mm_cvttps_epi32(floats(a)), PS(_mm_cvtpd_ps(doubles(a))), PD(_mm_cvtps_pd(floats(a))),
          _mm_cvtsi64_si128(_mm_cvtsd_si64(doubles(a))),
          _mm_cvtsi64_si128(_mm_cvttsd_si64(doubles(b))));
    GROUP("order",
          _mm_cvtsi32_si128(_mm_comilt_sd(doubles(a), doubles(b)) |
                            _mm_comieq_sd(doubles(a), doubles(a)) << 1 |
                            _mm_ucomigt_ss(floats(a), floats(b)) << 2 |
                            _mm_movemask_pd(doubles(a)) << 3 | _mm_movemask_ps(floats(b)) << 5));
    return 0;
}
