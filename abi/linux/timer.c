/*
 * Timers that send signals: alarm, interval timers, POSIX timers. The host's timers send them to
 * this process and threads, which are the guest's. On the vCPU's thread.
 */
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "arg.h"

_Static_assert(sizeof(struct itimerval) == 32 && sizeof(struct itimerspec) == 32, "timer values");
_Static_assert(sizeof(struct sigevent) == 64, "struct sigevent");

/* ---- interval timers ---- */

int64_t lx_sys_getitimer(struct lx_call *c) {
    struct itimerval value;
    int64_t rc = lx_result(syscall(SYS_getitimer, (int32_t)c->a[0], &value));
    return rc < 0 ? rc : lx_out(c, c->a[1], &value, sizeof value);
}

int64_t lx_sys_setitimer(struct lx_call *c) {
    struct itimerval value = {0}, old;
    /* No value is a value of zero: a misfeature Linux keeps. */
    if (c->a[1] && lx_in(c, &value, c->a[1], sizeof value) < 0)
        return -EFAULT;
    int64_t rc = lx_result(syscall(SYS_setitimer, (int32_t)c->a[0], &value, &old));
    return lx_give(c, rc, c->a[2], &old, sizeof old);
}

/* Not a call of all hosts: the real-time interval timer is the same one. */
int64_t lx_sys_alarm(struct lx_call *c) {
    struct itimerval value = {.it_value.tv_sec = (uint32_t)c->a[0]}, old = {0};
    if (value.it_value.tv_sec > INT32_MAX)
        value.it_value.tv_sec = INT32_MAX;
    syscall(SYS_setitimer, ITIMER_REAL, &value, &old);
    /* Rounded to the nearest second, but never to none. */
    bool up = old.it_value.tv_usec >= 500000 || (!old.it_value.tv_sec && old.it_value.tv_usec);
    return old.it_value.tv_sec + up;
}

/* ---- POSIX timers ---- */

int64_t lx_sys_timer_create(struct lx_call *c) {
    struct sigevent event;
    int32_t id;
    const void *host = lx_arg(c, &event, c->a[1], sizeof event);
    int64_t rc = lx_result(syscall(SYS_timer_create, (int32_t)c->a[0], host, &id));
    if (rc == 0 && lx_out(c, c->a[2], &id, sizeof id) < 0) {
        syscall(SYS_timer_delete, id);
        rc = -EFAULT;
    }
    return rc;
}

int64_t lx_sys_timer_settime(struct lx_call *c) {
    struct itimerspec value, old;
    if (!c->a[2])
        return -EINVAL;
    if (lx_in(c, &value, c->a[2], sizeof value) < 0)
        return -EFAULT;
    int64_t rc =
        lx_result(syscall(SYS_timer_settime, (int32_t)c->a[0], (uint32_t)c->a[1], &value, &old));
    return lx_give(c, rc, c->a[3], &old, sizeof old);
}

int64_t lx_sys_timer_gettime(struct lx_call *c) {
    struct itimerspec value;
    int64_t rc = lx_result(syscall(SYS_timer_gettime, (int32_t)c->a[0], &value));
    return rc < 0 ? rc : lx_out(c, c->a[1], &value, sizeof value);
}

int64_t lx_sys_timer_getoverrun(struct lx_call *c) {
    return lx_result(syscall(SYS_timer_getoverrun, (int32_t)c->a[0]));
}

int64_t lx_sys_timer_delete(struct lx_call *c) {
    return lx_result(syscall(SYS_timer_delete, (int32_t)c->a[0]));
}
