/*
 * More code than a small cache of translations holds, over and over, in four threads and under
 * signals whose handlers run some of it, too: what is translated is thrown away while it runs.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "guest.h"

enum { THREADS = 4, PASSES = 3 };

/* 1024 functions that differ, each with a loop, branches and a call of another one. */
typedef uint64_t function(uint64_t x, int depth);
static function *const table[];
#define ONE(n)                                                                                     \
  static __attribute__((noinline)) uint64_t run_##n(uint64_t x, int depth) {                       \
    for (uint64_t k = x & 3; k < 4; k++) {                                                         \
      x = (x ^ 0x##n) * UINT64_C(0x9e3779b97f4a7c15);                                              \
      if (x & 64)                                                                                  \
        x += x >> (1 + (0x##n & 31));                                                              \
      else if (x & 128)                                                                            \
        x = (x ^ x >> 7) - 0x##n;                                                                  \
    }                                                                                              \
    return depth ? table[x >> 54](x, depth - 1) ^ 0x##n : x ^ x >> 29;                             \
  }
#define NAME(n)     run_##n,
#define FOUR1(M, p) M(p##0) M(p##1) M(p##2) M(p##3)
#define FOUR2(M, p) FOUR1(M, p##0) FOUR1(M, p##1) FOUR1(M, p##2) FOUR1(M, p##3)
#define FOUR3(M, p) FOUR2(M, p##0) FOUR2(M, p##1) FOUR2(M, p##2) FOUR2(M, p##3)
#define FOUR4(M, p) FOUR3(M, p##0) FOUR3(M, p##1) FOUR3(M, p##2) FOUR3(M, p##3)
#define FOUR5(M, p) FOUR4(M, p##0) FOUR4(M, p##1) FOUR4(M, p##2) FOUR4(M, p##3)
FOUR5(ONE, )
static function *const table[] = {FOUR5(NAME, )};
enum { FUNCTIONS = sizeof table / sizeof table[0] };

static volatile sig_atomic_t handlers;
static volatile uint64_t ignored;

static void on_alarm(int signo) {
    (void)signo;
    handlers = handlers + 1;
    for (int k = 0; k < 8; k++)
        ignored = table[(handlers * 37 + k) % FUNCTIONS](ignored, 2);
}

static uint64_t result[THREADS];

static void *works(void *arg) {
    const int self = (int)(long)arg;
    uint64_t x = (uint64_t)self + 1;
    for (int pass = 0; pass < PASSES; pass++)
        for (int k = 0; k < FUNCTIONS; k++) {
            x = table[(k + self * (FUNCTIONS / THREADS)) % FUNCTIONS](x, k & 3);
            x = table[(k + self * (FUNCTIONS / THREADS)) % FUNCTIONS](x, 0);
        }
    result[self] = x;
    return NULL;
}

int main(void) {
    static const struct itimerval often = {{0, 1000}, {0, 1000}}, never;
    struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    pthread_t thread[THREADS];
    sigaction(SIGALRM, &sa, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int round = 0; round < 3; round++) {
        for (long k = 0; k < THREADS; k++)
            CHECK(pthread_create(&thread[k], NULL, works, (void *)k) == 0);
        for (int k = 0; k < THREADS; k++) {
            pthread_join(thread[k], NULL);
            printf("%016llx\n", (unsigned long long)result[k]);
        }
    }
    /* Where all that was over at once some must come yet. */
    while (handlers < 20)
        usleep(1000);
    setitimer(ITIMER_REAL, &never, NULL);
    return guest_done();
}
