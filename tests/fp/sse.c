/*
 * binary32, binary64 and binary16 against the SSE unit of the host: results and flags, in every
 * rounding mode, with and without DAZ and FTZ.
 */
#include "support.h"

#if defined(__x86_64__)
  #include <immintrin.h>

/* Rounding, DAZ and FTZ by number, all exceptions masked. */
enum { MODES = 16 };
static uint32_t mode_mxcsr(uint32_t m) {
    return 0x1f80u | (m & 3) << 13 | (m & 4 ? 0x40u : 0) | (m & 8 ? 0x8000u : 0);
}

static void load_mxcsr(uint32_t v) {
    __asm__ volatile("ldmxcsr %0" : : "m"(v) : "memory");
}
static uint32_t store_mxcsr(void) {
    uint32_t v;
    __asm__ volatile("stmxcsr %0" : "=m"(v) : : "memory");
    return v;
}

struct outcome {
    uint64_t bits;
    uint32_t flags;
};

static unsigned failures;

static void check(const char *what, uint32_t mode, uint64_t a, uint64_t b, uint64_t c,
                  struct outcome host, struct outcome ours) {
    if (host.bits == ours.bits && host.flags == ours.flags)
        return;
    if (failures++ < 20)
        print_error("%s mode %u: %016llx %016llx %016llx host %016llx/%02x ours %016llx/%02x\n",
                    what, mode, (unsigned long long)a, (unsigned long long)b, (unsigned long long)c,
                    (unsigned long long)host.bits, host.flags, (unsigned long long)ours.bits,
                    ours.flags);
}

/* Host and software on the same operands. HOST gives `r` from x, y, z in XMM registers. */
  #define CASE(name, asm_, type, cons, soft)                                                       \
    static void name(uint32_t m, uint64_t a, uint64_t b, uint64_t d) {                             \
      uint32_t csr = mode_mxcsr(m);                                                                \
      struct fp_ctx ctx = fp_ctx_sse(csr), *c = &ctx;                                              \
      __m128i x = _mm_cvtsi64_si128((int64_t)a), y = _mm_cvtsi64_si128((int64_t)b);                \
      __m128i z = _mm_cvtsi64_si128((int64_t)d);                                                   \
      type r = 0;                                                                                  \
      load_mxcsr(csr);                                                                             \
      __asm__ volatile(asm_ : "+" cons(r), "+x"(x) : "x"(y), "x"(z), "r"(a) : "cc");               \
      struct outcome host = {(uint64_t)r, store_mxcsr() & 0x3f};                                   \
      load_mxcsr(0x1f80);                                                                          \
      (void)c;                                                                                     \
      struct outcome ours = {(uint64_t)(type)(soft), 0};                                           \
      ours.flags = ctx.flags & 0x3f;                                                               \
      check(#name, m, a, b, d, host, ours);                                                        \
    }
  #define A32      ((uint32_t)a)
  #define B32      ((uint32_t)b)
  #define D32      ((uint32_t)d)
  #define OUT32    "\n\tmovd %1, %0"
  #define OUT64    "\n\tmovq %1, %0"
  #define OP32(op) CASE(op##ss, #op "ss %2, %1" OUT32, uint32_t, "r", fp32_##op(c, A32, B32))
  #define OP64(op) CASE(op##sd, #op "sd %2, %1" OUT64, uint64_t, "r", fp64_##op(c, a, b))
/* clang-format off */
OP32(add) OP32(sub) OP32(mul) OP32(div) OP32(min) OP32(max) OP64(add) OP64(sub) OP64(mul) OP64(div)
OP64(min) OP64(max)
CASE(sqrtss, "sqrtss %1, %1" OUT32, uint32_t, "r", fp32_sqrt(c, A32))
CASE(sqrtsd, "sqrtsd %1, %1" OUT64, uint64_t, "r", fp64_sqrt(c, a))
CASE(cvtss2sd, "cvtss2sd %1, %1" OUT64, uint64_t, "r", fp64_from_f32(c, A32))
CASE(cvtsd2ss, "cvtsd2ss %1, %1" OUT32, uint32_t, "r", fp32_from_f64(c, a))
CASE(cvtss2si, "cvtss2si %1, %k0", uint32_t, "r", fp32_to_i32(c, A32, c->round))
CASE(cvtss2siq, "cvtss2si %1, %q0", uint64_t, "r", fp32_to_i64(c, A32, c->round))
CASE(cvttss2si, "cvttss2si %1, %k0", uint32_t, "r", fp32_to_i32(c, A32, FP_ZERO))
CASE(cvtsd2si, "cvtsd2si %1, %k0", uint32_t, "r", fp64_to_i32(c, a, c->round))
CASE(cvtsd2siq, "cvtsd2si %1, %q0", uint64_t, "r", fp64_to_i64(c, a, c->round))
CASE(cvttsd2siq, "cvttsd2si %1, %q0", uint64_t, "r", fp64_to_i64(c, a, FP_ZERO))
CASE(cvtsi2ss, "cvtsi2ss %k4, %1" OUT32, uint32_t, "r", fp32_from_i32(c, (int32_t)a))
CASE(cvtsi2ssq, "cvtsi2ss %q4, %1" OUT32, uint32_t, "r", fp32_from_i64(c, (int64_t)a))
CASE(cvtsi2sd, "cvtsi2sd %k4, %1" OUT64, uint64_t, "r", fp64_from_i32(c, (int32_t)a))
CASE(cvtsi2sdq, "cvtsi2sd %q4, %1" OUT64, uint64_t, "r", fp64_from_i64(c, (int64_t)a))
CASE(roundss, "roundss $4, %1, %1" OUT32, uint32_t, "r", fp32_round(c, A32, c->round, false))
CASE(roundss_up, "roundss $10, %1, %1" OUT32, uint32_t, "r", fp32_round(c, A32, FP_UP, true))
CASE(roundsd, "roundsd $4, %1, %1" OUT64, uint64_t, "r", fp64_round(c, a, c->round, false))
CASE(roundsd_down, "roundsd $9, %1, %1" OUT64, uint64_t, "r", fp64_round(c, a, FP_DOWN, true))
    /* clang-format on */

    /* CF, ZF and PF as bits of one number. */
    static uint32_t comiss_code(uint32_t rel) {
    static const uint32_t code[] = {1, 4, 0, 7};
    return code[rel];
}
  #define COMPARE_OUT "\n\tmov $0, %k0\n\tlahf\n\tmovzbl %%ah, %k0\n\tand $0x45, %k0"
static uint32_t lahf_code(uint32_t rel) {
    uint32_t v = comiss_code(rel);
    return (v & 1) | (v & 2) << 1 | (v & 4) << 4;
}
CASE(comiss, "comiss %2, %1" COMPARE_OUT, uint32_t, "a",
     lahf_code(fp32_compare(c, A32, B32, false)))
CASE(ucomiss, "ucomiss %2, %1" COMPARE_OUT, uint32_t, "a",
     lahf_code(fp32_compare(c, A32, B32, true)))
CASE(comisd, "comisd %2, %1" COMPARE_OUT, uint32_t, "a", lahf_code(fp64_compare(c, a, b, false)))
CASE(ucomisd, "ucomisd %2, %1" COMPARE_OUT, uint32_t, "a", lahf_code(fp64_compare(c, a, b, true)))

/* x = x * y + z. */
CASE(fmadd32, "vfmadd213ss %3, %2, %1" OUT32, uint32_t, "r", fp32_fma(c, B32, A32, D32, 0))
CASE(fmsub32, "vfmsub213ss %3, %2, %1" OUT32, uint32_t, "r",
     fp32_fma(c, B32, A32, D32, FP_NEGATE_ADDEND))
CASE(fnmadd32, "vfnmadd213ss %3, %2, %1" OUT32, uint32_t, "r",
     fp32_fma(c, B32, A32, D32, FP_NEGATE_PRODUCT))
CASE(fmadd64, "vfmadd213sd %3, %2, %1" OUT64, uint64_t, "r", fp64_fma(c, b, a, d, 0))
CASE(fnmsub64, "vfnmsub213sd %3, %2, %1" OUT64, uint64_t, "r",
     fp64_fma(c, b, a, d, FP_NEGATE_PRODUCT | FP_NEGATE_ADDEND))
CASE(cvtph2ps, "vcvtph2ps %1, %1" OUT32, uint32_t, "r", fp32_from_f16(c, (uint16_t)a))
CASE(cvtps2ph, "vcvtps2ph $4, %1, %1\n\tpextrw $0, %1, %k0", uint32_t, "r",
     fp16_from_f32(c, A32, c->round))
CASE(cvtps2ph_up, "vcvtps2ph $2, %1, %1\n\tpextrw $0, %1, %k0", uint32_t, "r",
     fp16_from_f32(c, A32, FP_UP))

typedef void case_fn(uint32_t m, uint64_t a, uint64_t b, uint64_t d);

static void one_operand(case_fn *f, uint32_t bits, unsigned count) {
    uint64_t seed = 1;
    size_t edges = bits == 32 ? EDGES32 : EDGES64;
    for (uint32_t m = 0; m < MODES; m++)
        for (size_t k = 0; k < edges; k++)
            f(m, bits == 32 ? edges32[k] : edge64(k), 0, 0);
    for (unsigned n = 0; n < count; n++)
        f((uint32_t)random64(&seed) % MODES, random_binary(&seed, bits, bits == 32 ? 23 : 52), 0,
          0);
}

static void two_operands(case_fn *f, uint32_t bits, unsigned count) {
    uint64_t seed = 2;
    uint32_t frac = bits == 32 ? 23 : 52;
    size_t edges = bits == 32 ? EDGES32 : EDGES64;
    for (uint32_t m = 0; m < MODES; m++)
        for (size_t k = 0; k < edges; k++)
            for (size_t l = 0; l < edges; l++)
                f(m, bits == 32 ? edges32[k] : edge64(k), bits == 32 ? edges32[l] : edge64(l), 0);
    for (unsigned n = 0; n < count; n++)
        f((uint32_t)random64(&seed) % MODES, random_binary(&seed, bits, frac),
          random_binary(&seed, bits, frac), 0);
}

static void three_operands(case_fn *f, uint32_t bits, unsigned count) {
    uint64_t seed = 3;
    uint32_t frac = bits == 32 ? 23 : 52;
    for (uint32_t m = 0; m < MODES; m += 5)
        for (size_t k = 0; k < EDGES32; k++)
            for (size_t l = 0; l < EDGES32; l++)
                for (size_t j = 0; j < EDGES32; j++)
                    f(m, bits == 32 ? edges32[k] : edge64(34 + k),
                      bits == 32 ? edges32[l] : edge64(34 + l),
                      bits == 32 ? edges32[j] : edge64(34 + j));
    for (unsigned n = 0; n < count; n++)
        f((uint32_t)random64(&seed) % MODES, random_binary(&seed, bits, frac),
          random_binary(&seed, bits, frac), random_binary(&seed, bits, frac));
}

enum { RANDOM = 200000 };

static void test_arith32(void **state) {
    (void)state;
    failures = 0;
    case_fn *const two[] = {addss, subss, mulss, divss, minss, maxss, comiss, ucomiss};
    for (size_t k = 0; k < sizeof two / sizeof two[0]; k++)
        two_operands(two[k], 32, RANDOM);
    one_operand(sqrtss, 32, RANDOM);
    assert_int_equal(failures, 0);
}

static void test_arith64(void **state) {
    (void)state;
    failures = 0;
    case_fn *const two[] = {addsd, subsd, mulsd, divsd, minsd, maxsd, comisd, ucomisd};
    for (size_t k = 0; k < sizeof two / sizeof two[0]; k++)
        two_operands(two[k], 64, RANDOM);
    one_operand(sqrtsd, 64, RANDOM);
    assert_int_equal(failures, 0);
}

static void test_convert(void **state) {
    (void)state;
    failures = 0;
    case_fn *const one32[] = {cvtss2sd, cvtss2si,   cvtss2siq, cvttss2si,
                              roundss,  roundss_up, cvtsi2ss,  cvtsi2sd};
    case_fn *const one64[] = {cvtsd2ss, cvtsd2si,     cvtsd2siq, cvttsd2siq,
                              roundsd,  roundsd_down, cvtsi2ssq, cvtsi2sdq};
    for (size_t k = 0; k < sizeof one32 / sizeof one32[0]; k++)
        one_operand(one32[k], 32, RANDOM);
    for (size_t k = 0; k < sizeof one64 / sizeof one64[0]; k++)
        one_operand(one64[k], 64, RANDOM);
    assert_int_equal(failures, 0);
}

static void test_fma(void **state) {
    (void)state;
    failures = 0;
    if (!__builtin_cpu_supports("fma")) {
        print_message("the host has no FMA\n");
        skip();
    }
    case_fn *const three32[] = {fmadd32, fmsub32, fnmadd32};
    case_fn *const three64[] = {fmadd64, fnmsub64};
    for (size_t k = 0; k < 3; k++)
        three_operands(three32[k], 32, RANDOM);
    for (size_t k = 0; k < 2; k++)
        three_operands(three64[k], 64, RANDOM);
    assert_int_equal(failures, 0);
}

static void test_f16c(void **state) {
    (void)state;
    failures = 0;
    if (!__builtin_cpu_supports("f16c")) {
        print_message("the host has no F16C\n");
        skip();
    }
    for (uint32_t m = 0; m < MODES; m++)
        for (uint32_t a = 0; a < 0x10000; a++)
            cvtph2ps(m, a, 0, 0);
    one_operand(cvtps2ph, 32, RANDOM);
    one_operand(cvtps2ph_up, 32, RANDOM);
    /* Around every boundary of binary16. */
    for (uint32_t m = 0; m < MODES; m++)
        for (uint32_t a = 0x33000000 - 0x100; a < 0x47900000; a += 0x7ff)
            cvtps2ph(m, a, 0, 0);
    assert_int_equal(failures, 0);
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        HOST_TEST(test_arith32), HOST_TEST(test_arith64), HOST_TEST(test_convert),
        HOST_TEST(test_fma),     HOST_TEST(test_f16c),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
