/*
 * Clocks and sleeping. On the vCPU's thread.
 */
#include <string.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#include "arg.h"

#define NSEC INT64_C(1000000000)

_Static_assert(sizeof(struct tms) == 32, "struct tms");
_Static_assert(sizeof(struct timex) == 208, "struct timex");

/* ---- reading ---- */

/* The C library's function: the host's vDSO answers it without a call. */
int64_t lx_sys_clock_gettime(struct lx_call *c) {
    struct timespec ts;
    int64_t rc = lx_result(clock_gettime((clockid_t)c->a[0], &ts));
    return rc < 0 ? rc : lx_out(c, c->a[1], &ts, sizeof ts);
}

int64_t lx_sys_clock_getres(struct lx_call *c) {
    struct timespec ts;
    int64_t rc = lx_result(clock_getres((clockid_t)c->a[0], &ts));
    return lx_give(c, rc, c->a[1], &ts, sizeof ts);
}

int64_t lx_sys_gettimeofday(struct lx_call *c) {
    struct timespec ts;
    int32_t zone[2]; /* struct timezone */
    if (c->a[0]) {
        clock_gettime(CLOCK_REALTIME, &ts);
        struct timeval tv = {ts.tv_sec, ts.tv_nsec / 1000};
        if (lx_out(c, c->a[0], &tv, sizeof tv) < 0)
            return -EFAULT;
    }
    if (!c->a[1])
        return 0;
    syscall(SYS_gettimeofday, NULL, zone);
    return lx_out(c, c->a[1], zone, sizeof zone);
}

int64_t lx_sys_time(struct lx_call *c) {
    int64_t now = time(NULL);
    return lx_give(c, now, c->a[0], &now, sizeof now);
}

int64_t lx_sys_times(struct lx_call *c) {
    struct tms t;
    int64_t rc = lx_result(syscall(SYS_times, &t));
    return lx_give(c, rc, c->a[0], &t, sizeof t);
}

/* ---- setting ---- */

int64_t lx_sys_clock_settime(struct lx_call *c) {
    struct timespec ts;
    const void *host = lx_arg(c, &ts, c->a[1], sizeof ts);
    return lx_result(syscall(SYS_clock_settime, (int32_t)c->a[0], host));
}

int64_t lx_sys_settimeofday(struct lx_call *c) {
    struct timeval tv;
    int32_t zone[2];
    const void *host_tv = lx_arg(c, &tv, c->a[0], sizeof tv);
    const void *host_zone = lx_arg(c, zone, c->a[1], sizeof zone);
    return lx_result(syscall(SYS_settimeofday, host_tv, host_zone));
}

int64_t lx_sys_adjtimex(struct lx_call *c) {
    struct timex tx;
    if (lx_in(c, &tx, c->a[0], sizeof tx) < 0)
        return -EFAULT;
    int64_t rc = lx_result(syscall(SYS_adjtimex, &tx));
    return lx_give(c, rc, c->a[0], &tx, sizeof tx);
}

int64_t lx_sys_clock_adjtime(struct lx_call *c) {
    struct timex tx;
    if (lx_in(c, &tx, c->a[1], sizeof tx) < 0)
        return -EFAULT;
    int64_t rc = lx_result(syscall(SYS_clock_adjtime, (int32_t)c->a[0], &tx));
    return lx_give(c, rc, c->a[1], &tx, sizeof tx);
}

/* ---- sleeping ---- */

/* A relative sleep is one until a time: interrupted, it goes on to the same end. Setting of the
 * clock does not move the end of a relative sleep, so the real-time clock is not slept on. */
static clockid_t steady(clockid_t clock) {
    return clock == CLOCK_REALTIME ? CLOCK_MONOTONIC : clock;
}

static void add(struct timespec *t, const struct timespec *more) {
    bool huge = __builtin_add_overflow(t->tv_sec, more->tv_sec, &t->tv_sec);
    t->tv_nsec += more->tv_nsec;
    if (t->tv_nsec >= NSEC) {
        t->tv_nsec -= NSEC;
        huge |= __builtin_add_overflow(t->tv_sec, 1, &t->tv_sec);
    }
    if (huge)
        t->tv_sec = INT64_MAX;
}

static struct timespec until(clockid_t clock, const struct timespec *end) {
    struct timespec now = {0}, left;
    clock_gettime(clock, &now);
    left.tv_sec = end->tv_sec - now.tv_sec;
    left.tv_nsec = end->tv_nsec - now.tv_nsec;
    if (left.tv_nsec < 0) {
        left.tv_nsec += NSEC;
        left.tv_sec--;
    }
    return left.tv_sec < 0 ? (struct timespec){0, 0} : left;
}

static int64_t sleep_on(struct lx_call *c);

static int64_t sleep_to(struct lx_call *c, clockid_t clock, const struct timespec *end,
                        uint64_t left_at) {
    int64_t rc = LX_SYSCALL(c, SYS_clock_nanosleep, clock, TIMER_ABSTIME, end, NULL, 0, 0);
    if (rc != -EINTR)
        return rc;
    struct timespec left = until(clock, end);
    if (lx_out_opt(c, left_at, &left, sizeof left) < 0)
        return -EFAULT;
    uint64_t args[6] = {(uint32_t)clock, (uint64_t)end->tv_sec, (uint64_t)end->tv_nsec, left_at};
    lx_restart_as(c, sleep_on, args);
    return rc;
}

/* The rest of an interrupted sleep. */
static int64_t sleep_on(struct lx_call *c) {
    struct timespec end = {(time_t)c->a[1], (long)c->a[2]};
    return sleep_to(c, (clockid_t)c->a[0], &end, c->a[3]);
}

static int64_t sleep_for(struct lx_call *c, clockid_t clock, uint64_t src, uint64_t left_at) {
    struct timespec wanted, end;
    if (lx_in(c, &wanted, src, sizeof wanted) < 0)
        return -EFAULT;
    if (wanted.tv_sec < 0 || wanted.tv_nsec < 0 || wanted.tv_nsec >= NSEC)
        return -EINVAL;
    clock = steady(clock);
    if (clock_gettime(clock, &end) < 0)
        return -errno;
    add(&end, &wanted);
    return sleep_to(c, clock, &end, left_at);
}

int64_t lx_sys_nanosleep(struct lx_call *c) {
    return sleep_for(c, CLOCK_MONOTONIC, c->a[0], c->a[1]);
}

int64_t lx_sys_clock_nanosleep(struct lx_call *c) {
    clockid_t clock = (clockid_t)c->a[0];
    struct timespec ts;
    if (clock_getres(clock, &ts) < 0)
        return -errno;
    if (!((uint32_t)c->a[1] & TIMER_ABSTIME))
        return sleep_for(c, clock, c->a[2], c->a[3]);
    const void *host = lx_arg(c, &ts, c->a[2], sizeof ts);
    int64_t rc = LX_SYSCALL(c, SYS_clock_nanosleep, clock, TIMER_ABSTIME,
                            host ? host : lx_nowhere(c->abi), NULL, 0, 0);
    if (rc == -EINTR) { /* the same end again */
        uint64_t args[6] = {(uint32_t)clock, (uint64_t)ts.tv_sec, (uint64_t)ts.tv_nsec, 0};
        lx_restart_as(c, sleep_on, args);
    }
    return rc;
}
