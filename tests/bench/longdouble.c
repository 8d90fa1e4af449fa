/*
 * Long double arithmetic on the x87 stack: a polynomial, a root, a running sum.
 */
#include <math.h>

#include "bench.h"

int main(int argc, char **argv) {
    long rounds = bench_size(argc, argv, 8000000);
    long double x = 0.5L, sum = 0;
    for (long k = 1; k <= rounds; k++) {
        long double t = x * x;
        sum += ((t * 0.25L - 0.5L) * t + 1) * x / (long double)k;
        x = sqrtl(t + 0.25L) - (long double)(k & 3) * 0.125L;
        if (x > 2)
            x -= 2;
    }
    printf("%.15Lg %.15Lg\n", x, sum);
    return 0;
}
