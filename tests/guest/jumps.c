/*
 * setjmp and longjmp: out of deep recursion, many times, with values, and sigsetjmp with a mask.
 */
#include <setjmp.h>
#include <signal.h>

#include "guest.h"

static jmp_buf top;

static int deep(int level, int value) {
    volatile char room[64];
    room[level % 64] = (char)value;
    if (level == 0)
        longjmp(top, value);
    return level < 0 ? 0 : deep(level - 1, value) + room[0];
}

static void many(void) {
    volatile long sum = 0;
    for (volatile int k = 1; k <= 20000; k++) {
        int got = setjmp(top);
        if (got == 0)
            deep(k % 50, k);
        sum += got;
    }
    CHECK(sum == 20000L * 20001 / 2);
}

static void with_mask(void) {
    sigjmp_buf buf;
    sigset_t set, now;
    volatile int rounds = 0;
    sigemptyset(&set);
    sigprocmask(SIG_SETMASK, &set, NULL);
    if (sigsetjmp(buf, 1) == 0) {
        sigaddset(&set, SIGUSR1);
        sigprocmask(SIG_BLOCK, &set, NULL);
        rounds = 1;
        siglongjmp(buf, 7);
    }
    sigprocmask(SIG_SETMASK, NULL, &now);
    CHECK(rounds == 1);
    CHECK(!sigismember(&now, SIGUSR1));
}

int main(void) {
    volatile int value = 0;
    int got = setjmp(top);
    printf("setjmp gave %d\n", got);
    if (got < 3) {
        value += 10;
        longjmp(top, got + 1);
    }
    CHECK(value == 30);
    got = setjmp(top);
    if (got == 0)
        longjmp(top, 0);
    CHECK(got == 1);
    many();
    with_mask();
    return guest_done();
}
