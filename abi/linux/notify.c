/*
 * Descriptors that tell of something: eventfd, signalfd, timerfd, inotify. On the vCPU's thread.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "arg.h"

int64_t lx_sys_eventfd(struct lx_call *c) {
    return lx_result(syscall(SYS_eventfd2, (uint32_t)c->a[0], 0));
}

int64_t lx_sys_eventfd2(struct lx_call *c) {
    return lx_result(syscall(SYS_eventfd2, (uint32_t)c->a[0], (uint32_t)c->a[1]));
}

/* ---- signalfd ---- */

static int64_t make_signalfd(struct lx_call *c, uint32_t flags) {
    uint64_t mask;
    if (c->a[2] != sizeof mask)
        return -EINVAL;
    if (lx_in(c, &mask, c->a[1], sizeof mask) < 0)
        return -EFAULT;
    return lx_result(syscall(SYS_signalfd4, (int32_t)c->a[0], &mask, sizeof mask, flags));
}

int64_t lx_sys_signalfd(struct lx_call *c) {
    return make_signalfd(c, 0);
}

int64_t lx_sys_signalfd4(struct lx_call *c) {
    return make_signalfd(c, (uint32_t)c->a[3]);
}

/* ---- timerfd ---- */

int64_t lx_sys_timerfd_create(struct lx_call *c) {
    return lx_result(syscall(SYS_timerfd_create, (int32_t)c->a[0], (uint32_t)c->a[1]));
}

int64_t lx_sys_timerfd_settime(struct lx_call *c) {
    struct itimerspec value, old;
    if (lx_in(c, &value, c->a[2], sizeof value) < 0)
        return -EFAULT;
    int64_t rc =
        lx_result(syscall(SYS_timerfd_settime, (int32_t)c->a[0], (uint32_t)c->a[1], &value, &old));
    return lx_give(c, rc, c->a[3], &old, sizeof old);
}

int64_t lx_sys_timerfd_gettime(struct lx_call *c) {
    struct itimerspec value;
    int64_t rc = lx_result(syscall(SYS_timerfd_gettime, (int32_t)c->a[0], &value));
    return rc < 0 ? rc : lx_out(c, c->a[1], &value, sizeof value);
}

/* ---- inotify ---- */

int64_t lx_sys_inotify_init(struct lx_call *c) {
    (void)c;
    return lx_result(inotify_init1(0));
}

int64_t lx_sys_inotify_init1(struct lx_call *c) {
    return lx_result(inotify_init1((int32_t)c->a[0]));
}

int64_t lx_sys_inotify_add_watch(struct lx_call *c) {
    struct lx_path at;
    uint32_t mask = (uint32_t)c->a[2];
    int rc = lx_path(c, AT_FDCWD, c->a[1], mask & IN_DONT_FOLLOW ? LX_NOFOLLOW : LX_FOLLOW, &at);
    if (rc < 0 && rc != -EFAULT)
        return rc;
    const void *name = rc < 0 ? lx_nowhere(c->abi) : at.name;
    return lx_result(syscall(SYS_inotify_add_watch, (int32_t)c->a[0], name, mask));
}

int64_t lx_sys_inotify_rm_watch(struct lx_call *c) {
    return lx_result(syscall(SYS_inotify_rm_watch, (int32_t)c->a[0], (int32_t)c->a[1]));
}
