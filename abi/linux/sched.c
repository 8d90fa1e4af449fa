/*
 * Scheduling, priorities, barriers and what else the host does to guest threads, which are its
 * own, without more than a copy of a structure. vCPU threads.
 */
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "linux.h"

#define AFFINITY_MAX    1024 /* bytes */
#define SCHED_ATTR_MIN  48
#define SCHED_ATTR_MAX  BLINK_PAGE_SIZE
#define MEMBARRIER_RSEQ (UINT64_C(1) << 7 | UINT64_C(1) << 8)

int64_t lx_sys_sched_yield(struct lx_call *c) {
    (void)c;
    return lx_result(sched_yield());
}

int64_t lx_sys_sched_setparam(struct lx_call *c) {
    int32_t priority;
    if (!c->a[1])
        return -EINVAL;
    if (lx_in(c, &priority, c->a[1], sizeof priority))
        return -EFAULT;
    return lx_result(syscall(SYS_sched_setparam, (int)c->a[0], &priority));
}

int64_t lx_sys_sched_getparam(struct lx_call *c) {
    int32_t priority;
    if (!c->a[1])
        return -EINVAL;
    if (syscall(SYS_sched_getparam, (int)c->a[0], &priority))
        return -errno;
    return lx_out(c, c->a[1], &priority, sizeof priority);
}

int64_t lx_sys_sched_setscheduler(struct lx_call *c) {
    int32_t priority;
    if (!c->a[2] || (int)c->a[1] < 0)
        return -EINVAL;
    if (lx_in(c, &priority, c->a[2], sizeof priority))
        return -EFAULT;
    return lx_result(syscall(SYS_sched_setscheduler, (int)c->a[0], (int)c->a[1], &priority));
}

int64_t lx_sys_sched_getscheduler(struct lx_call *c) {
    return lx_result(syscall(SYS_sched_getscheduler, (int)c->a[0]));
}

int64_t lx_sys_sched_get_priority_max(struct lx_call *c) {
    return lx_result(sched_get_priority_max((int)c->a[0]));
}

int64_t lx_sys_sched_get_priority_min(struct lx_call *c) {
    return lx_result(sched_get_priority_min((int)c->a[0]));
}

int64_t lx_sys_sched_rr_get_interval(struct lx_call *c) {
    struct timespec ts;
    if (syscall(SYS_sched_rr_get_interval, (int)c->a[0], &ts))
        return -errno;
    return lx_out(c, c->a[1], &ts, sizeof ts);
}

int64_t lx_sys_sched_setaffinity(struct lx_call *c) {
    uint8_t set[AFFINITY_MAX] = {0};
    size_t size = (uint32_t)c->a[1] < sizeof set ? (uint32_t)c->a[1] : sizeof set;
    if (lx_in(c, set, c->a[2], size))
        return -EFAULT;
    return lx_result(syscall(SYS_sched_setaffinity, (int)c->a[0], size, set));
}

int64_t lx_sys_sched_getaffinity(struct lx_call *c) {
    uint8_t set[AFFINITY_MAX];
    size_t size = (uint32_t)c->a[1] < sizeof set ? (uint32_t)c->a[1] : sizeof set;
    int64_t n = lx_result(syscall(SYS_sched_getaffinity, (int)c->a[0], size, set));
    if (n > 0 && lx_out(c, c->a[2], set, (size_t)n))
        return -EFAULT;
    return n;
}

/* The structure tells its own size; the host checks what it holds. */
int64_t lx_sys_sched_setattr(struct lx_call *c) {
    uint8_t attr[SCHED_ATTR_MAX] = {0};
    uint32_t size;
    if (!c->a[1] || (int)c->a[0] < 0)
        return -EINVAL;
    if (lx_in(c, &size, c->a[1], sizeof size))
        return -EFAULT;
    if (size == 0)
        size = SCHED_ATTR_MIN;
    if (size < SCHED_ATTR_MIN || size > sizeof attr)
        return -E2BIG;
    if (lx_in(c, attr, c->a[1], size))
        return -EFAULT;
    return lx_result(syscall(SYS_sched_setattr, (int)c->a[0], attr, (uint32_t)c->a[2]));
}

int64_t lx_sys_sched_getattr(struct lx_call *c) {
    uint8_t attr[SCHED_ATTR_MAX] = {0};
    uint32_t size = (uint32_t)c->a[2], used;
    if (!c->a[1] || size < SCHED_ATTR_MIN || size > sizeof attr)
        return -EINVAL;
    if (syscall(SYS_sched_getattr, (int)c->a[0], attr, size, (uint32_t)c->a[3]))
        return -errno;
    memcpy(&used, attr, sizeof used);
    return lx_out(c, c->a[1], attr, used < size ? used : size);
}

/* The raw call gives 20 - nice, so that no priority looks like an error. */
int64_t lx_sys_getpriority(struct lx_call *c) {
    return lx_result(syscall(SYS_getpriority, (int)c->a[0], (int)c->a[1]));
}

int64_t lx_sys_setpriority(struct lx_call *c) {
    return lx_result(syscall(SYS_setpriority, (int)c->a[0], (int)c->a[1], (int)c->a[2]));
}

int64_t lx_sys_ioprio_set(struct lx_call *c) {
    return lx_result(syscall(SYS_ioprio_set, (int)c->a[0], (int)c->a[1], (int)c->a[2]));
}

int64_t lx_sys_ioprio_get(struct lx_call *c) {
    return lx_result(syscall(SYS_ioprio_get, (int)c->a[0], (int)c->a[1]));
}

/* Restartable sequences are not offered, so their barriers are not, either. */
int64_t lx_sys_membarrier(struct lx_call *c) {
    if (c->a[0] & MEMBARRIER_RSEQ)
        return -EINVAL;
    int64_t rc = lx_result(syscall(SYS_membarrier, (int)c->a[0], (int)c->a[1], (int)c->a[2]));
    return c->a[0] == 0 && rc > 0 ? rc & ~(int64_t)MEMBARRIER_RSEQ : rc;
}

/* Namespaces are refused as by a kernel without them: they would move blink itself. */
int64_t lx_sys_unshare(struct lx_call *c) {
    uint64_t flags = c->a[0], plain = CLONE_FILES | CLONE_FS | CLONE_SYSVSEM;
    if (flags & ~plain)
        return -EINVAL;
    return lx_result(unshare((int)flags));
}

int64_t lx_sys_setns(struct lx_call *c) {
    return fcntl((int32_t)c->a[0], F_GETFD) < 0 ? -errno : -EINVAL;
}
