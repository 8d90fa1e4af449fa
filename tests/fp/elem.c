/*
 * The transcendental functions against the x87 unit of the host: within one unit in the last
 * place, and the same special values and exceptions.
 */
#include "edges80.h"

#if defined(__x86_64__)

static unsigned failures, off_by_one, total;

/* Distance in units of the last place; numbers of different signs are far apart. */
static uint64_t distance(struct blink_f80 a, struct blink_f80 b) {
    if (a.frac == b.frac && a.se == b.se)
        return 0;
    int32_t d = (int32_t)a.se - (int32_t)b.se;
    if (d < -1 || d > 1 || ((a.se ^ b.se) & 0x8000) || (a.se & 0x7fff) == 0x7fff)
        return UINT64_MAX;
    if (d == 0)
        return a.frac > b.frac ? a.frac - b.frac : b.frac - a.frac;
    /* Just above a power of two, and just below it. */
    const struct blink_f80 *high = d > 0 ? &a : &b, *low = d > 0 ? &b : &a;
    if ((low->se & 0x7fff) == 0)
        return high->frac - low->frac;
    return high->frac - (UINT64_C(1) << 63) + (UINT64_MAX - low->frac) + 1;
}

/* Four roundings in each of three precisions. */
static uint16_t mode_fcw(uint32_t m) {
    return (uint16_t)(0x37f | (m & 3) << 10) & (uint16_t)(m & 4 ? ~0x300u : m & 8 ? ~0x100u : ~0u);
}

struct outcome {
    struct blink_f80 r[2];
    uint16_t sw;
};

static void check(const char *what, uint16_t fcw, struct blink_f80 a, struct blink_f80 b,
                  const struct outcome *host, const struct outcome *ours) {
    uint64_t d0 = distance(host->r[0], ours->r[0]), d1 = distance(host->r[1], ours->r[1]);
    total++;
    off_by_one += d0 == 1 || d1 == 1;
    if (d0 <= 1 && d1 <= 1 && host->sw == ours->sw)
        return;
    if (failures++ >= 10)
        return;
    print_error("%s fcw %03x: a %04x:%016llx b %04x:%016llx\n", what, fcw, a.se,
                (unsigned long long)a.frac, b.se, (unsigned long long)b.frac);
    for (int k = 0; k < 2; k++) {
        const struct outcome *o = k ? ours : host;
        print_error("   %s %04x:%016llx %04x:%016llx sw %04x\n", k ? "ours" : "host", o->r[0].se,
                    (unsigned long long)o->r[0].frac, o->r[1].se, (unsigned long long)o->r[1].frac,
                    o->sw);
    }
}

/* a in ST(0), b in ST(1). The host's two topmost registers afterwards. */
  #define CASE(name, insn, before, soft)                                                           \
    static void name(uint16_t fcw, struct blink_f80 a, struct blink_f80 b) {                       \
      struct outcome host = {.sw = 0}, ours = {.sw = 0};                                           \
      __asm__ volatile("fninit\n\tfldcw %5\n\t" before "fldt %3\n\t" insn                          \
                       "\n\tfnstsw %0\n\tfstpt %1\n\tfstpt %2\n\tfninit"                           \
                       : "=m"(host.sw), "=m"(host.r[0]), "=m"(host.r[1])                           \
                       : "m"(a), "m"(b), "m"(fcw)                                                  \
                       : "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)");     \
      struct fp_ctx ctx = fp_ctx_x87(fcw), *c = &ctx;                                              \
      ours.r[1] = (struct blink_f80){.frac = UINT64_C(1) << 63, .se = 0x3fff};                     \
      soft;                                                                                        \
      host.sw &= SW_MASK;                                                                          \
      ours.sw = ctx.flags & SW_MASK;                                                               \
      check(#name, fcw, a, b, &host, &ours);                                                       \
    }
  #define SW_MASK     0x3f
  #define BELOW_ONE   "fld1\n\t"
  #define BELOW_ONE_B "fld1\n\tfldt %4\n\t"
CASE(f2xm1, "f2xm1", BELOW_ONE, ours.r[0] = fp80_f2xm1(c, a))
CASE(fyl2x, "fyl2x", BELOW_ONE_B, ours.r[0] = fp80_yl2x(c, a, b))
CASE(fyl2xp1, "fyl2xp1", BELOW_ONE_B, ours.r[0] = fp80_yl2xp1(c, a, b))
CASE(fpatan, "fpatan", BELOW_ONE_B, ours.r[0] = fp80_atan2(c, a, b))
CASE(fsin, "fsin", BELOW_ONE, ours.r[0] = fp80_sin(c, a))
CASE(fcos, "fcos", BELOW_ONE, ours.r[0] = fp80_cos(c, a))
CASE(fptan, "fptan\n\tfxch %%st(1)", "", {
    ours.r[0] = fp80_tan(c, a);
    if (fp80_class(ours.r[0]) >= FP_CLASS_QNAN)
        ours.r[1] = ours.r[0];
})
CASE(fsincos, "fsincos\n\tfxch %%st(1)", "", ours.r[0] = fp80_sincos(c, a, &ours.r[1]))

typedef void case_fn(uint16_t fcw, struct blink_f80 a, struct blink_f80 b);

static bool any(struct blink_f80 a, struct blink_f80 b) {
    (void)a;
    (void)b;
    return true;
}
/* What the processors reduce; they leave the rest to the program. */
static bool in_range(struct blink_f80 a, struct blink_f80 b) {
    uint32_t e = a.se & 0x7fff;
    (void)b;
    return e < 0x3fff + 63 || e == 0x7fff;
}

enum { RANDOM = 100000 };

static void run(const char *name, case_fn *f, bool two,
                bool (*defined)(struct blink_f80, struct blink_f80)) {
    uint64_t seed = 9;
    failures = off_by_one = total = 0;
    for (uint32_t m = 0; m < 12; m++)
        for (size_t k = 0; k < EDGES80; k++)
            for (size_t l = 0; l < (two ? EDGES80 : 1); l++)
                if (defined(edges80[k], edges80[l]))
                    f(mode_fcw(m), edges80[k], edges80[l]);
    for (unsigned n = 0; n < RANDOM; n++) {
        struct blink_f80 a = random80(&seed), b = random80(&seed);
        if (defined(a, b))
            f(mode_fcw((uint32_t)random64(&seed) % 12), a, two ? b : edges80[0]);
    }
    print_message("# %s: %u of %u differ by one unit\n", name, off_by_one, total);
    assert_int_equal(failures, 0);
}

  #define TEST(name, two, defined)                                                                 \
    static void test_##name(void **state) {                                                        \
      (void)state;                                                                                 \
      run(#name, name, two, defined);                                                              \
    }
/* clang-format off */
TEST(f2xm1, false, any)
TEST(fyl2x, true, any)
TEST(fyl2xp1, true, any)
TEST(fpatan, true, any)
TEST(fsin, false, in_range)
TEST(fcos, false, in_range)
TEST(fptan, false, in_range)
TEST(fsincos, false, in_range)
/* clang-format on */
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        HOST_TEST(test_f2xm1),  HOST_TEST(test_fyl2x),   HOST_TEST(test_fyl2xp1),
        HOST_TEST(test_fpatan), HOST_TEST(test_fsin),    HOST_TEST(test_fcos),
        HOST_TEST(test_fptan),  HOST_TEST(test_fsincos),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
