/*
 * Waiting for descriptors: poll, select and epoll. Each takes a deadline from its timeout, so that
 * a call that goes on after a signal without handler does not begin to wait anew. On the vCPU's
 * thread.
 */
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arg.h"

#ifndef SYS_epoll_pwait2
  #define SYS_epoll_pwait2 441
#endif

#define NSEC       INT64_C(1000000000)
#define SIGSETSIZE 8

/* ---- timeouts ---- */

/* A timeout: `left` is given to the host, which for some calls writes back what is left; for the
 * others it is counted here. */
struct wait {
    bool forever;
    struct timespec left, end;
};

static void wait_from(struct wait *w, int64_t seconds, int64_t nanoseconds) {
    w->forever = false;
    w->left = (struct timespec){seconds, nanoseconds};
    clock_gettime(CLOCK_MONOTONIC, &w->end);
    bool huge = __builtin_add_overflow(w->end.tv_sec, seconds, &w->end.tv_sec);
    w->end.tv_nsec += nanoseconds;
    if (w->end.tv_nsec >= NSEC) {
        w->end.tv_nsec -= NSEC;
        huge |= __builtin_add_overflow(w->end.tv_sec, 1, &w->end.tv_sec);
    }
    if (huge)
        w->end.tv_sec = INT64_MAX;
}

static struct timespec *wait_host(struct wait *w) {
    return w->forever ? NULL : &w->left;
}

/* What is left of it now. */
static void wait_left(struct wait *w) {
    struct timespec now;
    if (w->forever)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t s = w->end.tv_sec - now.tv_sec, ns = w->end.tv_nsec - now.tv_nsec;
    if (ns < 0) {
        s--;
        ns += NSEC;
    }
    w->left = s < 0 ? (struct timespec){0, 0} : (struct timespec){s, ns};
}

static int wait_timespec(struct lx_call *c, uint64_t src, struct wait *w) {
    struct timespec ts;
    w->forever = !src;
    if (!src)
        return 0;
    if (lx_in(c, &ts, src, sizeof ts) < 0)
        return -EFAULT;
    if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= NSEC)
        return -EINVAL;
    wait_from(w, ts.tv_sec, ts.tv_nsec);
    return 0;
}

static void wait_milliseconds(int32_t ms, struct wait *w) {
    w->forever = ms < 0;
    if (ms >= 0)
        wait_from(w, ms / 1000, (int64_t)(ms % 1000) * 1000000);
}

/* Linux writes back what is left whatever the result, and lets a bad pointer be. */
static void give_left(struct lx_call *c, struct wait *w, uint64_t dst) {
    if (w->forever)
        return;
    wait_left(w);
    (void)lx_out_opt(c, dst, &w->left, sizeof w->left);
}

/* A signal mask for the duration of the call. */
static int take_mask(struct lx_call *c, uint64_t src, uint64_t size, bool *borrowed) {
    uint64_t mask;
    if (!src)
        return 0;
    if (size != SIGSETSIZE)
        return -EINVAL;
    if (lx_in(c, &mask, src, sizeof mask) < 0)
        return -EFAULT;
    lx_borrow_mask(c->thread, mask);
    *borrowed = true;
    return 0;
}

static void drop_mask(struct lx_call *c, bool borrowed, int64_t result) {
    if (borrowed)
        lx_return_mask(c->thread, result);
}

/* ---- poll ---- */

static int poll_in(struct lx_call *c, struct pollfd **out, struct pollfd small[32]) {
    uint64_t count = (uint32_t)c->a[1];
    struct rlimit limit;
    *out = small;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && count > limit.rlim_cur)
        return -EINVAL;
    if (count > 32 && !(*out = malloc(count * sizeof **out)))
        return -ENOMEM;
    if (lx_in(c, *out, c->a[0], count * sizeof **out) == 0)
        return 0;
    if (*out != small)
        free(*out);
    return -EFAULT;
}

/* Only the results are the guest's to see. */
static int64_t poll_out(struct lx_call *c, int64_t result, const struct pollfd *fds) {
    uint64_t count = (uint32_t)c->a[1];
    if (result >= 0 && !lx_is_user(c, c->a[0], count * sizeof *fds))
        return -EFAULT;
    for (uint64_t k = 0; k < count && result >= 0; k++) {
        uint64_t dst = c->a[0] + k * sizeof *fds + offsetof(struct pollfd, revents);
        if (lx_out(c, dst, &fds[k].revents, sizeof fds[k].revents) < 0)
            result = -EFAULT;
    }
    return result;
}

static int64_t poll_until(struct lx_call *c, struct wait *w) {
    struct pollfd small[32], *fds;
    int64_t rc = poll_in(c, &fds, small);
    if (rc < 0)
        return rc;
    rc = LX_SYSCALL(c, SYS_ppoll, fds, (uint32_t)c->a[1], wait_host(w), NULL, SIGSETSIZE, 0);
    rc = poll_out(c, rc, fds);
    if (fds != small)
        free(fds);
    return rc;
}

static int64_t poll_again(struct lx_call *c);

static int64_t poll_or_again(struct lx_call *c, struct wait *w) {
    int64_t rc = poll_until(c, w);
    uint64_t args[6] = {c->a[0], c->a[1], w->forever, (uint64_t)w->end.tv_sec,
                        (uint64_t)w->end.tv_nsec};
    if (rc == -EINTR)
        lx_restart_as(c, poll_again, args);
    return rc;
}

static int64_t poll_again(struct lx_call *c) {
    struct wait w = {.forever = c->a[2], .end = {(time_t)c->a[3], (long)c->a[4]}};
    wait_left(&w);
    return poll_or_again(c, &w);
}

int64_t lx_sys_poll(struct lx_call *c) {
    struct wait w;
    wait_milliseconds((int32_t)c->a[2], &w);
    return poll_or_again(c, &w);
}

int64_t lx_sys_ppoll(struct lx_call *c) {
    struct wait w;
    bool borrowed = false;
    int64_t rc = wait_timespec(c, c->a[2], &w);
    if (rc == 0)
        rc = take_mask(c, c->a[3], c->a[4], &borrowed);
    if (rc < 0)
        return rc;
    rc = poll_until(c, &w);
    drop_mask(c, borrowed, rc);
    give_left(c, &w, c->a[2]);
    return rc;
}

/* ---- select ---- */

#define SET_BITS 65536 /* more than this many descriptors no set is looked at for */

struct sets {
    uint64_t size;    /* bytes of one set */
    uint64_t *set[3]; /* or NULL */
    uint64_t bits[3][SET_BITS / 64];
};

static int sets_in(struct lx_call *c, struct sets *s) {
    int32_t n = (int32_t)c->a[0];
    if (n < 0)
        return -EINVAL;
    s->size = ((uint64_t)(n < SET_BITS ? n : SET_BITS) + 63) / 64 * 8;
    for (int k = 0; k < 3; k++) {
        s->set[k] = c->a[1 + k] ? s->bits[k] : NULL;
        if (s->set[k] && lx_in(c, s->set[k], c->a[1 + k], s->size) < 0)
            return -EFAULT;
    }
    return 0;
}

static int64_t sets_out(struct lx_call *c, int64_t result, const struct sets *s) {
    for (int k = 0; k < 3 && result >= 0; k++)
        if (s->set[k] && lx_out(c, c->a[1 + k], s->set[k], s->size) < 0)
            result = -EFAULT;
    return result;
}

static int64_t select_until(struct lx_call *c, struct wait *w) {
    struct sets *s = malloc(sizeof *s);
    if (!s)
        return -ENOMEM;
    int64_t rc = sets_in(c, s);
    if (rc == 0) {
        int32_t n = (int32_t)c->a[0];
        rc = LX_SYSCALL(c, SYS_pselect6, n < SET_BITS ? n : SET_BITS, s->set[0], s->set[1],
                        s->set[2], wait_host(w), NULL);
        rc = sets_out(c, rc, s);
    }
    free(s);
    return rc;
}

int64_t lx_sys_select(struct lx_call *c) {
    struct timeval tv;
    struct wait w = {.forever = !c->a[4]};
    if (c->a[4]) {
        if (lx_in(c, &tv, c->a[4], sizeof tv) < 0)
            return -EFAULT;
        /* More than a second's microseconds are fine here. */
        int64_t s = tv.tv_sec + tv.tv_usec / 1000000, us = tv.tv_usec % 1000000;
        if (s < 0 || us < 0)
            return -EINVAL;
        wait_from(&w, s, us * 1000);
    }
    int64_t rc = select_until(c, &w);
    if (!w.forever) {
        wait_left(&w);
        tv = (struct timeval){w.left.tv_sec, w.left.tv_nsec / 1000};
        (void)lx_out(c, c->a[4], &tv, sizeof tv);
    }
    return rc;
}

int64_t lx_sys_pselect6(struct lx_call *c) {
    struct wait w;
    uint64_t mask[2] = {0}; /* address and size */
    bool borrowed = false;
    if (c->a[5] && lx_in(c, mask, c->a[5], sizeof mask) < 0)
        return -EFAULT;
    int64_t rc = wait_timespec(c, c->a[4], &w);
    if (rc == 0)
        rc = take_mask(c, mask[0], mask[1], &borrowed);
    if (rc < 0)
        return rc;
    rc = select_until(c, &w);
    drop_mask(c, borrowed, rc);
    give_left(c, &w, c->a[4]);
    return rc;
}

/* ---- epoll ---- */

int64_t lx_sys_epoll_create(struct lx_call *c) {
    return (int32_t)c->a[0] <= 0 ? -EINVAL : lx_result(epoll_create1(0));
}

int64_t lx_sys_epoll_create1(struct lx_call *c) {
    return lx_result(epoll_create1((int32_t)c->a[0]));
}

int64_t lx_sys_epoll_ctl(struct lx_call *c) {
    struct g_epoll_event g;
    struct epoll_event event, *host = &event;
    if ((int32_t)c->a[1] != EPOLL_CTL_DEL) {
        if (lx_in(c, &g, c->a[3], sizeof g) < 0)
            return -EFAULT;
        event.events = g.events;
        event.data.u64 = g.data;
    }
    return lx_result(
        syscall(SYS_epoll_ctl, (int32_t)c->a[0], (int32_t)c->a[1], (int32_t)c->a[2], host));
}

/* So many fit on the stack, and more than the other are never ready. */
#define EVENTS_AT_ONCE 64
#define EVENTS_MOST    (1 << 20)

static int64_t events_out(struct lx_call *c, const struct epoll_event *events, int64_t count) {
    for (int64_t k = 0; k < count; k++) {
        struct g_epoll_event g = {events[k].events, events[k].data.u64};
        if (lx_out(c, c->a[1] + (uint64_t)k * sizeof g, &g, sizeof g) < 0)
            return k ? k : -EFAULT;
    }
    return count;
}

static int64_t events_wait(struct lx_call *c, const struct timespec *timeout, int32_t ms) {
    struct epoll_event few[EVENTS_AT_ONCE], *events = few;
    int32_t max = (int32_t)c->a[2];
    if (max > INT_MAX / (int)sizeof(struct g_epoll_event))
        max = -1; /* as bad */
    if (max > EVENTS_MOST)
        max = EVENTS_MOST;
    if (max > EVENTS_AT_ONCE && !(events = malloc((size_t)max * sizeof *events)))
        return -ENOMEM;
    bool user = lx_is_user(c, c->a[1], (uint32_t)c->a[2] * sizeof(struct g_epoll_event));
    void *to = user ? events : LX_BEYOND;
    int64_t rc =
        timeout
            ? LX_SYSCALL(c, SYS_epoll_pwait2, (int32_t)c->a[0], to, max, timeout, NULL, SIGSETSIZE)
            : LX_SYSCALL(c, SYS_epoll_pwait, (int32_t)c->a[0], to, max, ms, NULL, SIGSETSIZE);
    rc = events_out(c, events, rc);
    if (events != few)
        free(events);
    return rc;
}

int64_t lx_sys_epoll_wait(struct lx_call *c) {
    return events_wait(c, NULL, (int32_t)c->a[3]);
}

int64_t lx_sys_epoll_pwait(struct lx_call *c) {
    bool borrowed = false;
    int64_t rc = take_mask(c, c->a[4], c->a[5], &borrowed);
    if (rc < 0)
        return rc;
    rc = events_wait(c, NULL, (int32_t)c->a[3]);
    drop_mask(c, borrowed, rc);
    return rc;
}

int64_t lx_sys_epoll_pwait2(struct lx_call *c) {
    struct wait w;
    bool borrowed = false;
    int64_t rc = wait_timespec(c, c->a[3], &w);
    if (rc == 0)
        rc = take_mask(c, c->a[4], c->a[5], &borrowed);
    if (rc < 0)
        return rc;
    rc = events_wait(c, wait_host(&w), -1);
    drop_mask(c, borrowed, rc);
    return rc;
}
