/*
 * Packed float arithmetic: a matrix product by SSE intrinsics, four columns at a time.
 */
#include <xmmintrin.h>

#include "bench.h"

enum { N = 128 };
static float a[N][N] __attribute__((aligned(64))), b[N][N] __attribute__((aligned(64))),
    c[N][N] __attribute__((aligned(64)));

static void multiply(void) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j += 8) {
            __m128 s0 = _mm_setzero_ps(), s1 = _mm_setzero_ps();
            for (int k = 0; k < N; k++) {
                __m128 v = _mm_set1_ps(a[i][k]);
                s0 = _mm_add_ps(s0, _mm_mul_ps(v, _mm_load_ps(&b[k][j])));
                s1 = _mm_add_ps(s1, _mm_mul_ps(v, _mm_load_ps(&b[k][j + 4])));
            }
            _mm_store_ps(&c[i][j], _mm_min_ps(s0, _mm_set1_ps(1e6f)));
            _mm_store_ps(&c[i][j + 4], _mm_max_ps(s1, _mm_set1_ps(-1e6f)));
        }
}

int main(int argc, char **argv) {
    long rounds = bench_size(argc, argv, 450);
    float sum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            a[i][j] = (float)(i - j) / N, b[i][j] = (float)(i * j % 17) / 16;
    for (long r = 0; r < rounds; r++) {
        multiply();
        a[r % N][r % 7] += c[r % N][3] * 1e-6f;
        sum += c[r % N][r % N];
    }
    printf("%.6g\n", (double)sum);
    return 0;
}
