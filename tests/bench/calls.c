/*
 * Recursive calls: the Ackermann function and Fibonacci numbers. Calls, returns, little else.
 */
#include "bench.h"

__attribute__((noinline)) static long ackermann(long m, long n) {
    if (m == 0)
        return n + 1;
    return ackermann(m - 1, n == 0 ? 1 : ackermann(m, n - 1));
}

__attribute__((noinline)) static long fibonacci(long n) {
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

int main(int argc, char **argv) {
    long rounds = bench_size(argc, argv, 1000), sum = 0;
    for (long k = 0; k < rounds; k++)
        sum += ackermann(2, 90) + fibonacci(22);
    printf("%ld\n", sum);
    return 0;
}
