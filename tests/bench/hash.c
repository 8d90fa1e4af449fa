/*
 * Integer hashing: rotates, exclusive ors, multiplications, over words of a buffer.
 */
#include "bench.h"

static uint64_t rotate(uint64_t v, int n) {
    return v << n | v >> (64 - n);
}

int main(int argc, char **argv) {
    enum { WORDS = 4096 };
    static uint64_t word[WORDS];
    uint64_t state = 1, a = 1, b = 2, c = 3;
    long rounds = bench_size(argc, argv, 15000);
    for (int k = 0; k < WORDS; k++)
        word[k] = bench_random(&state);
    for (long r = 0; r < rounds; r++)
        for (int k = 0; k < WORDS; k++) {
            a = rotate(a ^ word[k], 31) * UINT64_C(0x9e3779b97f4a7c15);
            b = rotate(b + a, 17) ^ (c >> 3);
            c = (c ^ (uint32_t)b) + (a & ~word[k]);
        }
    printf("%016llx\n", (unsigned long long)(a ^ b ^ c));
    return 0;
}
