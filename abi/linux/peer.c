/*
 * Looking at processes: pidfd, memory of a process, comparing of resources. On the vCPU's thread.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arg.h"

/* ---- pidfd ---- */

int64_t lx_sys_pidfd_open(struct lx_call *c) {
    return lx_result(syscall(SYS_pidfd_open, (int32_t)c->a[0], (uint32_t)c->a[1]));
}

int64_t lx_sys_pidfd_send_signal(struct lx_call *c) {
    siginfo_t info;
    const void *host = lx_arg(c, &info, c->a[2], sizeof info);
    return lx_result(syscall(SYS_pidfd_send_signal, (int32_t)c->a[0], (int32_t)c->a[1], host,
                             (uint32_t)c->a[3]));
}

int64_t lx_sys_pidfd_getfd(struct lx_call *c) {
    return lx_result(
        syscall(SYS_pidfd_getfd, (int32_t)c->a[0], (int32_t)c->a[1], (uint32_t)c->a[2]));
}

/* ---- memory of a process ---- */

struct side {
    struct g_iovec v[LX_IOV_MAX];
    uint64_t count, at, done; /* element, and bytes of it that were moved */
};

static int side_in(struct lx_call *c, struct side *s, uint64_t vector, uint64_t count) {
    s->count = count;
    s->at = s->done = 0;
    if (count > LX_IOV_MAX)
        return -EINVAL;
    if (count && lx_in(c, s->v, vector, count * sizeof s->v[0]) < 0)
        return -EFAULT;
    for (uint64_t k = 0; k < count; k++)
        if ((int64_t)s->v[k].len < 0)
            return -EINVAL;
    return 0;
}

static uint64_t total(const struct side *s) {
    uint64_t sum = 0;
    for (uint64_t k = 0; k < s->count; k++)
        sum += s->v[k].len;
    return sum;
}

/* The next piece, at most *size bytes, which it becomes; 0 at the end. */
static uint64_t side_next(struct side *s, uint64_t *size) {
    while (s->at < s->count && s->done == s->v[s->at].len) {
        s->at++;
        s->done = 0;
    }
    uint64_t left = s->at < s->count ? s->v[s->at].len - s->done : 0;
    if (*size > left)
        *size = left;
    return s->at < s->count ? s->v[s->at].base + s->done : 0;
}

/* Within this process both sides are the guest's memory. */
static int64_t move(struct lx_call *c, struct side *from, struct side *to) {
    uint8_t bytes[BLINK_PAGE_SIZE];
    int64_t total = 0;
    for (;;) {
        uint64_t size = sizeof bytes;
        uint64_t src = side_next(from, &size);
        /* Up to the next page of the source: what is good of it is moved. */
        uint64_t room = BLINK_PAGE_SIZE - src % BLINK_PAGE_SIZE;
        if (size > room)
            size = room;
        uint64_t dst = side_next(to, &size);
        if (!size)
            return total;
        if (lx_in(c, bytes, src, size) < 0 || lx_out(c, dst, bytes, size) < 0)
            return total ? total : -EFAULT;
        from->done += size;
        to->done += size;
        total += (int64_t)size;
    }
}

/* Another process's memory is that of another blink, where the guest's addresses mean nothing. */
static int64_t process_memory(struct lx_call *c, bool write) {
    if (c->a[5])
        return -EINVAL;
    struct side *s = malloc(2 * sizeof *s);
    if (!s)
        return -ENOMEM;
    int64_t rc = side_in(c, &s[0], c->a[1], c->a[2]);
    if (rc == 0)
        rc = side_in(c, &s[1], c->a[3], c->a[4]);
    if (rc == 0 && (!total(&s[0]) || !total(&s[1]))) {
        free(s);
        return 0;
    }
    if (rc == 0 && (int32_t)c->a[0] != getpid())
        rc = syscall(SYS_kill, (int32_t)c->a[0], 0) < 0 && errno == ESRCH ? -ESRCH : -EPERM;
    if (rc == 0)
        rc = move(c, &s[write ? 0 : 1], &s[write ? 1 : 0]);
    free(s);
    return rc;
}

int64_t lx_sys_process_vm_readv(struct lx_call *c) {
    return process_memory(c, false);
}

int64_t lx_sys_process_vm_writev(struct lx_call *c) {
    return process_memory(c, true);
}

/* ---- kcmp ---- */

#define KCMP_EPOLL_TFD 7

int64_t lx_sys_kcmp(struct lx_call *c) {
    struct {
        uint32_t epoll, target, offset;
    } slot;
    uint64_t second = c->a[4];
    if ((int32_t)c->a[2] == KCMP_EPOLL_TFD)
        second = (uintptr_t)lx_arg(c, &slot, second, sizeof slot);
    return lx_result(
        syscall(SYS_kcmp, (int32_t)c->a[0], (int32_t)c->a[1], (int32_t)c->a[2], c->a[3], second));
}
