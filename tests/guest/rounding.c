/*
 * The floating-point environment: four rounding directions and the exception flags in SSE and in
 * x87, precision control, denormals with and without DAZ and FTZ, NaN payloads, conversions out of
 * range.
 */
#include <fenv.h>
#include <math.h>
#include <string.h>
#include <xmmintrin.h>

#include "guest.h"

static volatile double one = 1, three = 3, tiny = 1e-310, big = 1e300;
static volatile float fone = 1, fthree = 3;
static volatile long double lone = 1, lthree = 3;

static uint64_t bits(double v) {
    uint64_t b;
    memcpy(&b, &v, sizeof b);
    return b;
}

static void directions(void) {
    static const int modes[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
    for (int k = 0; k < 4; k++) {
        fesetround(modes[k]);
        CHECK(fegetround() == modes[k]);
        printf("%d: %016llx %a %La %.0f %.0f %ld %ld %lld\n", k,
               (unsigned long long)bits(one / three), (double)(fone / fthree), lone / lthree,
               rint(2.5 * one), nearbyint(-2.5 * one), lrint(-0.5 * one), lrintl(3.5L * lone),
               llrint(1.7 * one));
        printf("%d: %a %La %a\n", k, (double)(float)(one / three), sqrtl(lone + lone),
               sqrt(one + one));
    }
    fesetround(FE_TONEAREST);
}

static void show_flags(const char *what) {
    int f = fetestexcept(FE_ALL_EXCEPT);
    printf("%-10s%s%s%s%s%s\n", what, f & FE_INVALID ? " invalid" : "",
           f & FE_DIVBYZERO ? " divide" : "", f & FE_OVERFLOW ? " overflow" : "",
           f & FE_UNDERFLOW ? " underflow" : "", f & FE_INEXACT ? " inexact" : "");
    feclearexcept(FE_ALL_EXCEPT);
}

static void exceptions(void) {
    volatile double r;
    volatile long double l;
    volatile int i;
    feclearexcept(FE_ALL_EXCEPT);
    show_flags("none");
    r = one / three;
    show_flags("1/3");
    r = one / (one - one);
    show_flags("1/0");
    r = (one - one) / (one - one);
    show_flags("0/0");
    r = big * big;
    show_flags("overflow");
    r = 1e-300 * one * 1e-300;
    show_flags("underflow");
    r = sqrt(-one);
    show_flags("sqrt -1");
    i = (int)big;
    printf("%d\n", i);
    show_flags("to int");
    l = lone / lthree;
    show_flags("x87 1/3");
    l = lone / (lone - lone);
    show_flags("x87 1/0");
    l = 1e-4000L * lone * 1e-4000L;
    show_flags("x87 under");
    l = sqrtl(-lone);
    show_flags("x87 sqrt");
    (void)r, (void)l;
}

static void denormals(void) {
    unsigned csr = _mm_getcsr();
    volatile double r = tiny * one;
    printf("%a", r);
    _mm_setcsr(csr | 0x40);
    r = tiny * one;
    printf(" %a", r);
    _mm_setcsr(csr | 0x8000);
    r = 1e-200 * one;
    r = r * 1e-110;
    printf(" %a", r);
    _mm_setcsr(csr);
    r = 1e-200 * one;
    r = r * 1e-110;
    printf(" %a\n", r);
}

static void nans(void) {
    static const uint64_t pattern[] = {0x7ff0000000000001, 0x7ff8000000001234, 0xfff0abcd00000001,
                                       0xfff8000000000000, 0x7ff0000000000000, 0x3ff0000000000000};
    for (size_t j = 0; j < 6; j++)
        for (size_t k = 0; k < 6; k++) {
            volatile double a, b;
            double x, y;
            memcpy(&x, &pattern[j], 8);
            memcpy(&y, &pattern[k], 8);
            a = x, b = y;
            volatile double s = a + b, m = a * b, d = a - b;
            printf("%016llx %016llx %016llx%s", (unsigned long long)bits(s),
                   (unsigned long long)bits(m), (unsigned long long)bits(d), k % 2 ? "\n" : "  ");
        }
}

static void conversions(void) {
    static const double values[] = {0.5,   -0.5, 1e10, -1e10,    1e20,          -1e20,
                                    2.5e9, 4e9,  NAN,  HUGE_VAL, -2147483648.5, 9.3e18};
    for (size_t k = 0; k < sizeof values / sizeof values[0]; k++) {
        volatile double v = values[k];
        int32_t a;
        int64_t b, d;
        int16_t e;
        __asm__ volatile("cvttsd2si %1, %0" : "=r"(a) : "x"(v));
        __asm__ volatile("cvttsd2si %1, %0" : "=r"(b) : "x"(v));
        __asm__ volatile("fldl %1; fistpll %0" : "=m"(d) : "m"(v));
        __asm__ volatile("fldl %1; fistps %0" : "=m"(e) : "m"(v));
        printf("%g: %d %lld %lld %d\n", v, a, (long long)b, (long long)d, e);
    }
}

static void precision(void) {
    for (unsigned short pc = 0; pc < 4; pc++) {
        unsigned short cw = (unsigned short)(0x7f | pc << 8);
        long double r;
        if (pc == 1)
            continue;
        __asm__ volatile("fninit; fldcw %1; fldt %3; fldt %2; fdivp; fstpt %0; fninit"
                         : "=m"(r)
                         : "m"(cw), "m"(lone), "m"(lthree));
        printf("precision %d: %La\n", pc, r);
    }
}

int main(void) {
    directions();
    exceptions();
    denormals();
    nans();
    conversions();
    precision();
    return guest_done();
}
