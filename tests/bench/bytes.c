/*
 * Loops that store bytes with a stride: a sieve of Eratosthenes.
 */
#include <string.h>

#include "bench.h"

int main(int argc, char **argv) {
    enum { SIZE = 400000 };
    static volatile unsigned char composite[SIZE];
    long rounds = bench_size(argc, argv, 100), count = 0;
    for (long r = 0; r < rounds; r++) {
        for (long k = 0; k < SIZE; k++)
            composite[k] = 0;
        for (long k = 2; k * k < SIZE; k++)
            if (!composite[k])
                for (long n = k * k; n < SIZE; n += k)
                    composite[n] = 1;
        for (long k = 2; k < SIZE; k++)
            count += !composite[k];
    }
    printf("%ld\n", count);
    return 0;
}
