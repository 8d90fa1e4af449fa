/*
 * Eighty-bit arithmetic through printf and libm: every digit counts. Doubles too, since musl
 * formats them through long double.
 */
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static void show(const char *what, long double v) {
    printf("%-12s %.20Lg %La %.3Lf %Le\n", what, v, v, v, v);
}

static volatile long double one = 1.0L, three = 3.0L, huge = LDBL_MAX, tiny = LDBL_MIN;
static volatile double tenth = 0.1, half_way = 2.0005;

int main(void) {
    show("1/3", one / three);
    show("-2/3", -2 * one / three);
    show("max", huge);
    show("min", tiny);
    show("denormal", tiny / 4);
    show("smallest", LDBL_MIN * one * LDBL_EPSILON);
    show("inf", huge * 2);
    show("-inf", -huge * 2);
    show("epsilon", one + LDBL_EPSILON);
    show("sqrt 2", sqrtl(2 * one));
    show("pi", 4 * atanl(one));
    show("e", expl(one));
    show("ln 10", logl(10 * one));
    show("sin 1", sinl(one));
    show("cos 1e10", cosl(1e10L * one));
    show("tan 1", tanl(one));
    show("2^0.5", powl(2 * one, 0.5L));
    show("fmod", fmodl(1e30L * one, three));
    show("remainder", remainderl(17 * one, three));
    show("rint", rintl(2.5L * one));
    show("floor", floorl(-2.5L * one));
    show("ldexp", ldexpl(one, -16400));
    show("strtold", strtold("0.1", NULL));
    show("strtold", strtold("1e-4940", NULL));
    show("int64", (long double)INT64_MAX * one);
    show("uint64", (long double)UINT64_MAX * one);
    printf("%lld %llu\n", (long long)(three * 1e18L), (unsigned long long)(three * 6e18L));
    printf("%.17g %.3f %.20f %a\n", tenth, half_way, tenth, tenth);
    printf("%.0f %.0f %.0f %.1f\n", 0.5 * one == 0.5L ? 0.5 : 9, 1.5, 2.5, 0.25);
    printf("%d %d %d\n", isnan(huge * 2 - huge * 2), signbit(-0.0L * one) != 0, isinf(huge * 2));
    long double sum = 0;
    for (int k = 1; k <= 100000; k++)
        sum += one / k;
    show("harmonic", sum);
    return 0;
}
