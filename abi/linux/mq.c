/*
 * POSIX message queues. Their names are no paths. On the vCPU's thread.
 */
#include <fcntl.h>
#include <limits.h>
#include <mqueue.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arg.h"

_Static_assert(sizeof(struct mq_attr) == 64, "struct mq_attr");

#define COOKIE_SIZE 32 /* NOTIFY_COOKIE_LEN: what the C library's helper thread is sent */

int64_t lx_sys_mq_open(struct lx_call *c) {
    char name[LX_PATH_MAX];
    struct mq_attr attr;
    int flags = lx_open_flags((uint32_t)c->a[1]);
    /* Linux copies the attributes first. */
    if (c->a[3] && lx_in(c, &attr, c->a[3], sizeof attr) < 0)
        return -EFAULT;
    int rc = lx_string(c, name, c->a[0], sizeof name);
    if (rc < 0)
        return rc;
    return lx_result(syscall(SYS_mq_open, name, flags, (uint32_t)c->a[2], c->a[3] ? &attr : NULL));
}

int64_t lx_sys_mq_unlink(struct lx_call *c) {
    char name[LX_PATH_MAX];
    int rc = lx_string(c, name, c->a[0], sizeof name);
    return rc < 0 ? rc : lx_result(syscall(SYS_mq_unlink, name));
}

/* Larger messages than the host's limit are refused by size alone. */
static uint64_t shown(uint64_t size) {
    return size < LX_RW_MAX ? size : 0;
}

int64_t lx_sys_mq_timedsend(struct lx_call *c) {
    struct lx_piece p;
    struct timespec ts;
    if (c->a[4] && lx_in(c, &ts, c->a[4], sizeof ts) < 0)
        return -EFAULT;
    int64_t rc = lx_piece(c, c->a[1], shown(c->a[2]), BLINK_PROT_READ, &p);
    if (rc < 0)
        return rc;
    rc = LX_SYSCALL(c, SYS_mq_timedsend, (int32_t)c->a[0], p.host, c->a[2], (uint32_t)c->a[3],
                    c->a[4] ? &ts : NULL, 0);
    lx_piece_end(c, &p, 0);
    return rc;
}

int64_t lx_sys_mq_timedreceive(struct lx_call *c) {
    struct lx_piece whole;
    struct timespec ts;
    uint32_t priority;
    if (c->a[4] && lx_in(c, &ts, c->a[4], sizeof ts) < 0)
        return -EFAULT;
    /* The room may be more than there is memory: a message that fits before the end is fine. */
    int64_t rc = lx_piece(c, c->a[1], shown(c->a[2]), BLINK_PROT_WRITE, &whole);
    if (rc < 0)
        return rc;
    if (whole.pinned.size && whole.pinned.size < c->a[2] && !whole.copy)
        whole.host = whole.pinned.iov[0].iov_base;
    rc = LX_SYSCALL(c, SYS_mq_timedreceive, (int32_t)c->a[0], whole.host, c->a[2], &priority,
                    c->a[4] ? &ts : NULL, 0);
    if (lx_piece_end(c, &whole, rc > 0 ? (uint64_t)rc : 0) < 0)
        rc = -EFAULT;
    return lx_give(c, rc, c->a[3], &priority, sizeof priority);
}

int64_t lx_sys_mq_notify(struct lx_call *c) {
    struct sigevent event;
    uint8_t cookie[COOKIE_SIZE];
    const void *host = lx_arg(c, &event, c->a[1], sizeof event);
    if (host == &event && event.sigev_notify == SIGEV_THREAD) {
        uint64_t at = (uintptr_t)event.sigev_value.sival_ptr;
        if (lx_in(c, cookie, at, sizeof cookie) < 0)
            return -EFAULT;
        event.sigev_value.sival_ptr = cookie;
    }
    return lx_result(syscall(SYS_mq_notify, (int32_t)c->a[0], host));
}

int64_t lx_sys_mq_getsetattr(struct lx_call *c) {
    struct mq_attr set, old;
    const void *host = lx_arg(c, &set, c->a[1], sizeof set);
    if (host == &set)
        set.mq_flags = lx_open_flags((uint64_t)set.mq_flags);
    int64_t rc = lx_result(syscall(SYS_mq_getsetattr, (int32_t)c->a[0], host, &old));
    return lx_give(c, rc, c->a[2], &old, sizeof old);
}
