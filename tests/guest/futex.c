/*
 * The futex operations that libraries use, called directly: bitset waits with absolute times,
 * requeue, wake-op, priority inheritance, and errors. Waiting must sleep.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

enum {
    WAIT,
    WAKE,
    FD,
    REQUEUE,
    CMP_REQUEUE,
    WAKE_OP,
    LOCK_PI,
    UNLOCK_PI,
    TRYLOCK_PI,
    WAIT_BITSET,
    WAKE_BITSET,
    PRIVATE = 128,
    CLOCK_REAL = 256
};

static uint32_t a, b, started;

static long futex(uint32_t *p, int op, uint32_t v, const void *timeout, uint32_t *p2, uint32_t v3) {
    return syscall(SYS_futex, p, op, v, timeout, p2, v3);
}

static struct timespec in_milliseconds(clockid_t clock, long ms) {
    struct timespec ts;
    clock_gettime(clock, &ts);
    ts.tv_nsec += ms * 1000000;
    ts.tv_sec += ts.tv_nsec / 1000000000;
    ts.tv_nsec %= 1000000000;
    return ts;
}

static void *waiter(void *arg) {
    uint32_t *p = arg;
    __atomic_add_fetch(&started, 1, __ATOMIC_SEQ_CST);
    return (void *)futex(p, WAIT_BITSET | PRIVATE, 0, NULL, NULL, 0xffffffff);
}

/* Start `n` threads that wait on `p` and give them time to fall asleep. */
static void start(pthread_t *t, int n, uint32_t *p) {
    struct timespec rest = {0, 100000000};
    started = 0;
    for (int k = 0; k < n; k++)
        CHECK(pthread_create(&t[k], NULL, waiter, p) == 0);
    while (__atomic_load_n(&started, __ATOMIC_SEQ_CST) != (uint32_t)n)
        usleep(1000);
    nanosleep(&rest, NULL);
}

static void errors(void) {
    struct timespec ts = {0, 20000000}, bad = {0, -1};
    errno = 0;
    CHECK(futex(&a, WAIT | PRIVATE, 1, NULL, NULL, 0) == -1 && errno == EAGAIN);
    CHECK(futex(&a, WAIT | PRIVATE, 0, &ts, NULL, 0) == -1 && errno == ETIMEDOUT);
    CHECK(futex(&a, WAIT, 0, &ts, NULL, 0) == -1 && errno == ETIMEDOUT);
    CHECK(futex(&a, WAIT | PRIVATE, 0, &bad, NULL, 0) == -1 && errno == EINVAL);
    CHECK(futex((uint32_t *)8, WAIT | PRIVATE, 0, &ts, NULL, 0) == -1 && errno == EFAULT);
    CHECK(futex((uint32_t *)((char *)&a + 1), WAIT | PRIVATE, 0, &ts, NULL, 0) == -1 &&
          errno == EINVAL);
    CHECK(futex(&a, 77, 0, NULL, NULL, 0) == -1 && errno == ENOSYS);
    CHECK(futex(&a, WAIT_BITSET | PRIVATE, 0, NULL, NULL, 0) == -1 && errno == EINVAL);
    CHECK(futex(&a, WAKE | PRIVATE, 1, NULL, NULL, 0) == 0);
    ts = in_milliseconds(CLOCK_MONOTONIC, 30);
    CHECK(futex(&a, WAIT_BITSET | PRIVATE, 0, &ts, NULL, 1) == -1 && errno == ETIMEDOUT);
    ts = in_milliseconds(CLOCK_REALTIME, 30);
    CHECK(futex(&a, WAIT_BITSET | PRIVATE | CLOCK_REAL, 0, &ts, NULL, 1) == -1 &&
          errno == ETIMEDOUT);
}

static void waking(void) {
    pthread_t t[4];
    void *r;
    start(t, 4, &a);
    CHECK(futex(&a, WAKE_BITSET | PRIVATE, 1, NULL, NULL, 1) == 1);
    CHECK(futex(&a, CMP_REQUEUE | PRIVATE, 1, (void *)2L, &b, 5) == -1 && errno == EAGAIN);
    CHECK(futex(&a, CMP_REQUEUE | PRIVATE, 1, (void *)1L, &b, 0) == 2);
    CHECK(futex(&a, REQUEUE | PRIVATE, 0, (void *)9L, &b, 0) == 1);
    CHECK(futex(&a, WAKE | PRIVATE, 9, NULL, NULL, 0) == 0);
    CHECK(futex(&b, WAKE | PRIVATE, 9, NULL, NULL, 0) == 2);
    for (int k = 0; k < 4; k++)
        CHECK(pthread_join(t[k], &r) == 0 && r == NULL);
    /* Wake-op: b += 1, and if it was 0 wake those on b too. */
    start(t, 2, &a);
    CHECK(futex(&a, WAKE_OP | PRIVATE, 1, (void *)1L, &b, 1u << 28 | 0u << 24 | 1u << 12) == 1);
    CHECK(b == 1);
    CHECK(futex(&a, WAKE | PRIVATE, 9, NULL, NULL, 0) == 1);
    for (int k = 0; k < 2; k++)
        CHECK(pthread_join(t[k], &r) == 0 && r == NULL);
    b = 0;
}

static void inheritance(void) {
    pthread_mutexattr_t attr;
    pthread_mutex_t m;
    pthread_mutexattr_init(&attr);
    CHECK(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT) == 0);
    CHECK(pthread_mutex_init(&m, &attr) == 0);
    CHECK(pthread_mutex_lock(&m) == 0);
    CHECK(pthread_mutex_trylock(&m) == EBUSY);
    CHECK(pthread_mutex_unlock(&m) == 0);
    a = 0;
    CHECK(futex(&a, LOCK_PI | PRIVATE, 0, NULL, NULL, 0) == 0);
    CHECK((a & 0x3fffffff) == (uint32_t)getpid());
    CHECK(futex(&a, UNLOCK_PI | PRIVATE, 0, NULL, NULL, 0) == 0);
    CHECK(a == 0);
}

int main(void) {
    errors();
    waking();
    inheritance();
    return guest_done();
}
