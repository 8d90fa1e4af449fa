/*
 * How soon a loop that never leaves generated code runs a signal handler, and what a storm of
 * signals costs. Prints numbers for latency.py:
 *   latency SAMPLES      nanoseconds from when a timer was due to its handler: median 99% maximum
 *   storm HERTZ PERCENT  CPU nanoseconds of a computation under a timer, handlers run, wall
 *                        nanoseconds, and the result, which must not depend on the timer
 */
#include <signal.h>
#include <string.h>
#include <time.h>

#include "bench.h"

static volatile sig_atomic_t arrived;
static volatile uint64_t when;

static uint64_t now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static void on_due(int signo) {
    (void)signo;
    when = now(CLOCK_MONOTONIC);
    arrived = 1;
}

static void on_storm(int signo) {
    (void)signo;
    arrived = arrived + 1;
}

static struct timespec to_timespec(uint64_t ns) {
    return (struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
}

static int by_size(const void *a, const void *b) {
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static int make_timer(void (*handler)(int), timer_t *timer) {
    struct sigaction a = {.sa_handler = handler};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    return sigaction(SIGUSR1, &a, NULL) || timer_create(CLOCK_MONOTONIC, &event, timer);
}

static int latency(long samples) {
    uint64_t *late = calloc((size_t)samples, sizeof *late), state = 1;
    timer_t timer;
    if (!late || make_timer(on_due, &timer))
        return 1;
    for (long k = 0; k < samples; k++) {
        uint64_t due = now(CLOCK_MONOTONIC) + 150000 + bench_random(&state) % 400000;
        struct itimerspec spec = {.it_value = to_timespec(due)};
        arrived = 0;
        if (timer_settime(timer, TIMER_ABSTIME, &spec, NULL))
            return 1;
        while (!arrived)
            ;
        late[k] = when - due;
    }
    qsort(late, (size_t)samples, sizeof *late, by_size);
    printf("%llu %llu %llu\n", (unsigned long long)late[samples / 2],
           (unsigned long long)late[samples * 99 / 100], (unsigned long long)late[samples - 1]);
    return 0;
}

static int storm(long hertz, char **argv) {
    uint64_t x = 1, period = hertz ? 1000000000u / (uint64_t)hertz : 0;
    struct itimerspec spec = {to_timespec(period), to_timespec(period)}, never = {0};
    long rounds = bench_size(2, argv, 20000);
    timer_t timer;
    if (make_timer(on_storm, &timer))
        return 1;
    uint64_t wall = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    if (hertz && timer_settime(timer, 0, &spec, NULL))
        return 1;
    for (long r = 0; r < rounds; r++)
        for (uint64_t k = 0; k < 20000; k++)
            x = (x << 31 | x >> 33) * UINT64_C(0x9e3779b97f4a7c15) + (x ^ k);
    timer_settime(timer, 0, &never, NULL);
    cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    wall = now(CLOCK_MONOTONIC) - wall;
    printf("%llu %d %llu %016llx\n", (unsigned long long)cpu, (int)arrived,
           (unsigned long long)wall, (unsigned long long)x);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "latency") == 0)
        return latency(atol(argv[2]));
    if (argc == 4 && strcmp(argv[1], "storm") == 0)
        return storm(atol(argv[2]), argv + 2);
    return 2;
}
