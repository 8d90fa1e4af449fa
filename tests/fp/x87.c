/*
 * The 80-bit format against the x87 unit of the host: results, flags and C1 in every rounding and
 * precision mode.
 */
#include "edges80.h"

#if defined(__x86_64__)

enum { MODES = 16 };
static uint16_t mode_fcw(uint32_t m) {
    return (uint16_t)(0x7f | (m & 3) << 10 | (m & 12) << 6);
}

/* What an instruction leaves: up to two registers or 10 bytes of memory, and the status word. */
struct outcome {
    struct blink_f80 r[2];
    uint8_t mem[10];
    uint16_t sw;
};

static unsigned failures;

static void put80(const char *name, struct blink_f80 v) {
    print_error(" %s %04x:%016llx", name, v.se, (unsigned long long)v.frac);
}

static void check(const char *what, uint32_t mode, struct blink_f80 a, struct blink_f80 b,
                  const struct outcome *host, const struct outcome *ours) {
    bool same = host->sw == ours->sw && memcmp(host->mem, ours->mem, 10) == 0;
    for (int k = 0; k < 2; k++)
        same &= host->r[k].frac == ours->r[k].frac && host->r[k].se == ours->r[k].se;
    if (same || failures++ >= 20)
        return;
    print_error("%s fcw %03x:", what, mode_fcw(mode));
    put80("a", a);
    put80("b", b);
    print_error("\n   host");
    for (int k = 0; k < 2; k++)
        put80("", host->r[k]);
    print_error(" mem %016llx%04x sw %04x\n   ours",
                (unsigned long long)*(const uint64_t *)host->mem,
                *(const uint16_t *)(host->mem + 8), host->sw);
    for (int k = 0; k < 2; k++)
        put80("", ours->r[k]);
    print_error(" mem %016llx%04x sw %04x\n", (unsigned long long)*(const uint64_t *)ours->mem,
                *(const uint16_t *)(ours->mem + 8), ours->sw);
}

/* a in ST(0), b in ST(1); SW_MASK of the status word counts. */
  #define CASE_POP(name, insn, after, sw_mask, ...)                                                \
    static void name(uint32_t m, struct blink_f80 a, struct blink_f80 b) {                         \
      uint16_t fcw = mode_fcw(m);                                                                  \
      struct outcome host = {.mem = {0}}, ours = {.mem = {0}};                                     \
      __asm__ volatile("fninit\n\tfldcw %5\n\tfldt %4\n\tfldt %3\n\t" insn                         \
                       "\n\tfnstsw %0\n\t" after "fstpt %1\n\tfninit"                              \
                       : "=m"(host.sw), "=m"(host.r[0]), "+m"(host.mem)                            \
                       : "m"(a), "m"(b), "m"(fcw)                                                  \
                       : "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)");     \
      struct fp_ctx ctx = fp_ctx_x87(fcw), *c = &ctx;                                              \
      uint32_t extra = 0;                                                                          \
      (void)c;                                                                                     \
      ours.r[0] = a;                                                                               \
      __VA_ARGS__;                                                                                 \
      host.sw &= (sw_mask);                                                                        \
      ours.sw = (uint16_t)((ctx.flags | extra) & (sw_mask));                                       \
      check(#name, m, a, b, &host, &ours);                                                         \
    }
  #define CASE(name, insn, sw_mask, ...) CASE_POP(name, insn, "", sw_mask, __VA_ARGS__)
  #define SW_FLAGS                       0x23f /* exceptions and C1 */
  #define SW_ALL                         0x473f

/* In the default environment there are two implementations, which must agree. */
typedef struct blink_f80 full_fn(struct fp_ctx *c, struct blink_f80 a, struct blink_f80 b);
static struct blink_f80 both(struct fp_ctx *c, struct blink_f80 a, struct blink_f80 b,
                             full_fn *full, fp80_default *fast) {
    struct blink_f80 r = full(c, a, b);
    if (c->round != FP_NEAREST || c->precision != 64)
        return r;
    struct fp80_result q = fast(a.frac, a.se, b.frac, b.se);
    if (q.frac != r.frac || q.se != r.se || q.flags != c->flags) {
        failures++;
        print_error("the default environment's result differs\n");
    }
    return r;
}

CASE(fadd, "fadd %%st(1), %%st", SW_FLAGS, ours.r[0] = both(c, a, b, fp80_add, fp80_add_default))
CASE(fsub, "fsub %%st(1), %%st", SW_FLAGS, ours.r[0] = both(c, a, b, fp80_sub, fp80_sub_default))
CASE(fsubr, "fsubr %%st(1), %%st", SW_FLAGS, ours.r[0] = both(c, b, a, fp80_sub, fp80_sub_default))
CASE(fmul, "fmul %%st(1), %%st", SW_FLAGS, ours.r[0] = both(c, a, b, fp80_mul, fp80_mul_default))
CASE(fdiv, "fdiv %%st(1), %%st", SW_FLAGS, ours.r[0] = both(c, a, b, fp80_div, fp80_div_default))
CASE(fsqrt, "fsqrt", SW_FLAGS, ours.r[0] = fp80_sqrt(c, a))
CASE(frndint, "frndint", SW_FLAGS, ours.r[0] = fp80_round(c, a))
CASE(fscale, "fscale", SW_FLAGS, ours.r[0] = fp80_scale(c, a, b))

static uint32_t condition(uint32_t rel) {
    static const uint32_t code[] = {0x100, 0x4000, 0, 0x4500};
    return code[rel];
}
CASE(fcom, "fcom %%st(1)", SW_ALL, extra = condition(fp80_compare(c, a, b, false)))
CASE(fucom, "fucom %%st(1)", SW_ALL, extra = condition(fp80_compare(c, a, b, true)))

/* C0, C3 and C1 are the quotient's bits 2, 1 and 0. */
static uint32_t remainder_code(uint32_t q, bool partial) {
    return partial ? 0x400 : (q & 4) << 6 | (q & 2) << 13 | (q & 1) << 9;
}
static uint32_t rem_extra(struct fp_ctx *c, struct blink_f80 a, struct blink_f80 b, bool nearest,
                          struct blink_f80 *out) {
    uint32_t q;
    bool partial;
    *out = fp80_rem(c, a, b, nearest, &q, &partial);
    return remainder_code(q, partial);
}
CASE(fprem, "fprem", SW_ALL, extra = rem_extra(c, a, b, false, &ours.r[0]))
CASE(fprem1, "fprem1", SW_ALL, extra = rem_extra(c, a, b, true, &ours.r[0]))

CASE_POP(fxtract, "fxtract", "fxch %%st(1)\n\tfstpt %2\n\t", SW_FLAGS, {
    struct blink_f80 e = a;
    ours.r[0] = fp80_extract(c, a, &e);
    memcpy(ours.mem, &e, 10);
})
CASE(fsts, "fsts %2", SW_FLAGS, {
    uint32_t v = fp80_to_f32(c, a);
    memcpy(ours.mem, &v, 4);
})
CASE(fstl, "fstl %2", SW_FLAGS, {
    uint64_t v = fp80_to_f64(c, a);
    memcpy(ours.mem, &v, 8);
})
  #define STORE_INT(name, insn, round, bits)                                                       \
    CASE_POP(name, insn " %2", "fldz\n\t", SW_FLAGS, {                                             \
  int64_t v = fp80_to_int(c, a, round, bits);                                                      \
  memcpy(ours.mem, &v, bits / 8);                                                                  \
  ours.r[0] = (struct blink_f80){.frac = 0};                                                       \
    })
STORE_INT(fistps, "fistps", c->round, 16)
STORE_INT(fistpl, "fistpl", c->round, 32)
STORE_INT(fistpll, "fistpll", c->round, 64)
STORE_INT(fisttps, "fisttps", FP_ZERO, 16)
STORE_INT(fisttpl, "fisttpl", FP_ZERO, 32)
STORE_INT(fisttpll, "fisttpll", FP_ZERO, 64)
CASE_POP(fbstp, "fbstp %2", "fldz\n\t", SW_FLAGS, {
    fp80_to_bcd(c, a, ours.mem);
    ours.r[0] = (struct blink_f80){.frac = 0};
})

/* Loads: from the bytes of `a`. */
  #define LOAD(name, insn, soft)                                                                   \
    CASE_POP(name, "fstp %%st\n\t" insn " %3", "fxch\n\tfstp %%st\n\t", SW_FLAGS, ours.r[0] = soft)
LOAD(flds, "flds", fp80_from_f32(c, (uint32_t)a.frac))
LOAD(fldl, "fldl", fp80_from_f64(c, a.frac))
LOAD(filds, "filds", fp80_from_i64((int16_t)a.frac))
LOAD(fildl, "fildl", fp80_from_i64((int32_t)a.frac))
LOAD(fildll, "fildll", fp80_from_i64((int64_t)a.frac))
static struct blink_f80 load_bcd(struct blink_f80 a) {
    uint8_t bcd[10];
    memcpy(bcd, &a, 10);
    return fp80_from_bcd(bcd);
}
LOAD(fbld, "fbld", load_bcd(a))

typedef void case_fn(uint32_t m, struct blink_f80 a, struct blink_f80 b);
enum { RANDOM = 200000 };

static void one_operand(case_fn *f) {
    uint64_t seed = 4;
    for (uint32_t m = 0; m < MODES; m++)
        for (size_t k = 0; k < EDGES80; k++)
            f(m, edges80[k], edges80[0]);
    for (unsigned n = 0; n < RANDOM; n++)
        f((uint32_t)random64(&seed) % MODES, random80(&seed), edges80[0]);
}

static void two_operands(case_fn *f) {
    uint64_t seed = 5;
    for (uint32_t m = 0; m < MODES; m++)
        for (size_t k = 0; k < EDGES80; k++)
            for (size_t l = 0; l < EDGES80; l++)
                f(m, edges80[k], edges80[l]);
    for (unsigned n = 0; n < RANDOM; n++)
        f((uint32_t)random64(&seed) % MODES, random80(&seed), random80(&seed));
}

  #define ONE(name)                                                                                \
    static void test_##name(void **state) {                                                        \
      (void)state;                                                                                 \
      failures = 0;                                                                                \
      one_operand(name);                                                                           \
      assert_int_equal(failures, 0);                                                               \
    }
  #define TWO(name)                                                                                \
    static void test_##name(void **state) {                                                        \
      (void)state;                                                                                 \
      failures = 0;                                                                                \
      two_operands(name);                                                                          \
      assert_int_equal(failures, 0);                                                               \
    }
/* clang-format off */
TWO(fadd) TWO(fsub) TWO(fsubr) TWO(fmul) TWO(fdiv) ONE(fsqrt) ONE(frndint) TWO(fscale)
TWO(fcom) TWO(fucom) TWO(fprem) TWO(fprem1) ONE(fxtract) ONE(fsts) ONE(fstl)
ONE(fistps) ONE(fistpl) ONE(fistpll) ONE(fisttps) ONE(fisttpl) ONE(fisttpll) ONE(fbstp)
    /* clang-format on */

    /* Binary operands are whole encodings, not only the significands of 80-bit ones. */
    static void load_binary(case_fn *f, uint32_t bits) {
    uint64_t seed = 6;
    for (size_t k = 0; k < (bits == 32 ? EDGES32 : EDGES64); k++)
        f(3, (struct blink_f80){.frac = bits == 32 ? edges32[k] : edge64(k)}, edges80[0]);
    for (unsigned n = 0; n < RANDOM; n++)
        f(n % MODES, (struct blink_f80){.frac = random_binary(&seed, bits, bits == 32 ? 23 : 52)},
          edges80[0]);
}

static void test_loads(void **state) {
    (void)state;
    failures = 0;
    load_binary(flds, 32);
    load_binary(fldl, 64);
    one_operand(filds);
    one_operand(fildl);
    one_operand(fildll);
    one_operand(fbld);
    assert_int_equal(failures, 0);
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        HOST_TEST(test_fadd),    HOST_TEST(test_fsub),    HOST_TEST(test_fsubr),
        HOST_TEST(test_fmul),    HOST_TEST(test_fdiv),    HOST_TEST(test_fsqrt),
        HOST_TEST(test_frndint), HOST_TEST(test_fscale),  HOST_TEST(test_fcom),
        HOST_TEST(test_fucom),   HOST_TEST(test_fprem),   HOST_TEST(test_fprem1),
        HOST_TEST(test_fxtract), HOST_TEST(test_fsts),    HOST_TEST(test_fstl),
        HOST_TEST(test_fistps),  HOST_TEST(test_fistpl),  HOST_TEST(test_fistpll),
        HOST_TEST(test_fisttps), HOST_TEST(test_fisttpl), HOST_TEST(test_fisttpll),
        HOST_TEST(test_fbstp),   HOST_TEST(test_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
