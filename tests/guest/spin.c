/*
 * A loop that only signals get at: argv[1] of them, then it ends. It is what perf and GDB are to
 * name (names.py).
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

#include "guest.h"

static volatile sig_atomic_t left;
static volatile uint64_t number;

static void on_alarm(int signo) {
    (void)signo;
    left = left - 1;
}

__attribute__((noinline)) void spin(void);
void spin(void) {
    while (left > 0)
        number = number * 3 + 1;
}

int main(int argc, char **argv) {
    static const struct itimerval often = {{0, 50000}, {0, 50000}};
    left = argc > 1 ? atoi(argv[1]) : 3;
    signal(SIGALRM, on_alarm);
    setitimer(ITIMER_REAL, &often, NULL);
    spin();
    return guest_done();
}
