/*
 * A scheduler driven by SIGPROF: coroutines that never give way are switched from the signal
 * handler itself, by swapcontext, while their arithmetic goes on. Each must end with the right
 * result.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <ucontext.h>

#define TASKS 4
#define STACK (256 << 10)
#define STEPS 20000000

static ucontext_t main_context, context[TASKS];
static volatile int done[TASKS], running = -1, switches;
static uint64_t result[TASKS];
static double real[TASKS];

static void task(int k) {
    uint64_t x = (uint64_t)k + 1;
    double y = k;
    for (int i = 0; i < STEPS; i++) {
        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        x ^= x >> 29;
        y = y * 0.5 + (double)(i & 7);
    }
    result[k] = x;
    real[k] = y;
    done[k] = 1;
}

static void on_tick(int signo) {
    (void)signo;
    int k = running;
    if (k < 0 || done[k])
        return;
    switches++;
    running = -1;
    swapcontext(&context[k], &main_context);
}

int main(void) {
    struct itimerval tick = {.it_interval = {0, 2000}, .it_value = {0, 2000}};
    struct sigaction sa = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
    int left = TASKS;
    for (int k = 0; k < TASKS; k++) {
        getcontext(&context[k]);
        context[k].uc_stack.ss_sp = malloc(STACK);
        context[k].uc_stack.ss_size = STACK;
        context[k].uc_link = &main_context;
        makecontext(&context[k], (void (*)(void))task, 1, k);
    }
    sigaction(SIGPROF, &sa, NULL);
    setitimer(ITIMER_PROF, &tick, NULL);
    while (left > 0) {
        left = 0;
        for (int k = 0; k < TASKS; k++) {
            if (done[k])
                continue;
            left++;
            running = k;
            swapcontext(&main_context, &context[k]);
            running = -1;
        }
    }
    for (int k = 0; k < TASKS; k++)
        printf("%d: %016llx %.17g\n", k, (unsigned long long)result[k], real[k]);
    printf("preempted: %s\n", switches >= 3 ? "yes" : "no");
    return 0;
}
