/*
 * Work of every kind shared among threads: argv[2] of them, which together do the same for any
 * number. A piece of it is integer arithmetic, memory, calls, a lock and an atomic, and functions
 * that run twice and never again, so that a translator has something to do all along.
 */
#include <pthread.h>
#include <string.h>

#include "bench.h"

#define MOST   256 /* threads */
#define BUFFER (128u << 10)

static long pieces, next_piece; /* next_piece: atomic */
static uint64_t sum, total;     /* sum: atomic; total: by the lock */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- 4096 functions that differ ---- */

#define ONE(n)                                                                                     \
  static __attribute__((noinline)) uint64_t once_##n(uint64_t x) {                                 \
    x = (x ^ 0x##n) * UINT64_C(0x9e3779b97f4a7c15);                                                \
    if (x & 64)                                                                                    \
      x += x >> (1 + (0x##n & 31));                                                                \
    return x ^ x >> 29;                                                                            \
  }
#define NAME(n)     once_##n,
#define FOUR1(M, p) M(p##0) M(p##1) M(p##2) M(p##3)
#define FOUR2(M, p) FOUR1(M, p##0) FOUR1(M, p##1) FOUR1(M, p##2) FOUR1(M, p##3)
#define FOUR3(M, p) FOUR2(M, p##0) FOUR2(M, p##1) FOUR2(M, p##2) FOUR2(M, p##3)
#define FOUR4(M, p) FOUR3(M, p##0) FOUR3(M, p##1) FOUR3(M, p##2) FOUR3(M, p##3)
#define FOUR5(M, p) FOUR4(M, p##0) FOUR4(M, p##1) FOUR4(M, p##2) FOUR4(M, p##3)
#define FOUR6(M, p) FOUR5(M, p##0) FOUR5(M, p##1) FOUR5(M, p##2) FOUR5(M, p##3)
FOUR6(ONE, )
static uint64_t (*const once[])(uint64_t) = {FOUR6(NAME, )};
enum { ONCE = sizeof once / sizeof once[0] };

/* ---- one piece ---- */

static uint64_t integers(uint64_t x) {
    for (int k = 0; k < 40000; k++)
        x = (x << 31 | x >> 33) * UINT64_C(0x9e3779b97f4a7c15) + (x ^ (uint64_t)k);
    return x;
}

static uint64_t memory(unsigned char *buffer, uint64_t x) {
    for (uint32_t k = 0; k < BUFFER; k += 8) {
        memcpy(buffer + k, &x, sizeof x);
        x += buffer[(x + k) & (BUFFER - 1)];
    }
    return x;
}

static __attribute__((noinline)) uint64_t fibonacci(uint64_t n) {
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static uint64_t locks(uint64_t x) {
    for (uint64_t k = 0; k < 200; k++) {
        pthread_mutex_lock(&lock);
        total += x & 0xff;
        pthread_mutex_unlock(&lock);
        __atomic_fetch_add(&sum, k, __ATOMIC_SEQ_CST);
    }
    return x;
}

/* The functions are shared out among the pieces. */
static uint64_t new_code(long piece, uint64_t x) {
    for (long k = piece * ONCE / pieces; k < (piece + 1) * ONCE / pieces; k++)
        x = once[k](once[k](x));
    return x;
}

static void *work(void *arg) {
    unsigned char *buffer = calloc(1, BUFFER);
    (void)arg;
    for (;;) {
        long piece = __atomic_fetch_add(&next_piece, 1, __ATOMIC_SEQ_CST);
        if (!buffer || piece >= pieces)
            break;
        uint64_t x = (uint64_t)piece + 1;
        memset(buffer, 0, BUFFER);
        x = new_code(piece, locks(memory(buffer, integers(x)) + fibonacci(18)));
        __atomic_fetch_add(&sum, x, __ATOMIC_SEQ_CST);
    }
    free(buffer);
    return NULL;
}

int main(int argc, char **argv) {
    static pthread_t thread[MOST];
    int count = argc > 2 ? atoi(argv[2]) : 1;
    pieces = bench_size(argc, argv, 1600);
    if (count < 1 || count > MOST)
        return 2;
    for (int k = 0; k < count; k++)
        if (pthread_create(&thread[k], NULL, work, NULL))
            return 1;
    for (int k = 0; k < count; k++)
        pthread_join(thread[k], NULL);
    printf("%016llx %llu\n", (unsigned long long)sum, (unsigned long long)total);
    return 0;
}
