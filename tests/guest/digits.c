/*
 * Long doubles in decimal and back, in every rounding direction: what printf and strtold make of
 * them, arithmetic, and libm at 80 bits.
 */
#include <fenv.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "guest.h"

static const struct {
    int mode;
    const char *name;
} modes[] = {
    {FE_TONEAREST, "nearest"}, {FE_DOWNWARD, "down"}, {FE_UPWARD, "up"}, {FE_TOWARDZERO, "zero"}};

static volatile long double values[] = {1.0L,
                                        0.1L,
                                        -2.5L,
                                        1e19L,
                                        12345678901234567.25L,
                                        1e-30L,
                                        -9.999e99L,
                                        6.02214076e23L,
                                        LDBL_MAX,
                                        LDBL_MIN,
                                        LDBL_MIN *LDBL_EPSILON,
                                        0.5L,
                                        3.5L,
                                        -0.125L,
                                        18446744073709551615.0L};
#define COUNT (sizeof values / sizeof values[0])

static const char *const texts[] = {"0.1",
                                    "1e-4940",
                                    "1.7976931348623157e308",
                                    "-3.3333333333333333333333",
                                    "1e4932",
                                    "0x1.fffffffffffffffp+0",
                                    "4.9e-324",
                                    "2.4703282292062327208e-324",
                                    "123456789012345678901234567890"};

static void show(const char *mode, const char *what, long double v) {
    printf("%s %-10s %.30Lg %.18Le %.3Lf %La\n", mode, what, v, v, fmodl(v, 1e9L), v);
}

static void arithmetic(const char *mode) {
    for (size_t k = 0; k < COUNT; k++) {
        long double v = values[k], w = values[(k + 1) % COUNT];
        show(mode, "value", v);
        show(mode, "sum", v + w);
        show(mode, "product", v * w);
        show(mode, "quotient", v / w);
        show(mode, "root", sqrtl(fabsl(v)));
        printf("%s %.10g %.7g %lld %.0Lf\n", mode, (double)v, (double)(float)v,
               (long long)fmodl(v, 1e18L), rintl(fmodl(v, 1e9L)));
    }
}

/* Those that do not end in a transcendental instruction, of which every processor has its own
 * last digit. */
static void functions(const char *mode) {
    static volatile long double arguments[] = {0.75L, 1.5L, -0.3L, 10.0L};
    for (size_t k = 0; k < 4; k++) {
        long double v = arguments[k];
        show(mode, "sin", sinl(v));
        show(mode, "cos", cosl(v));
        show(mode, "cbrt", cbrtl(v));
        show(mode, "hypot", hypotl(v, 3.25L));
        show(mode, "fma", fmal(v, v / 3, 0.1L));
    }
}

int main(void) {
    for (int k = 0; k < 4; k++) {
        fesetround(modes[k].mode);
        arithmetic(modes[k].name);
        functions(modes[k].name);
        for (size_t j = 0; j < sizeof texts / sizeof texts[0]; j++) {
            show(modes[k].name, texts[j], strtold(texts[j], NULL));
            printf("%s %a %.17g\n", modes[k].name, strtod(texts[j], NULL), strtod(texts[j], NULL));
        }
    }
    fesetround(FE_TONEAREST);
    return guest_done();
}
