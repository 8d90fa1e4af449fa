/*
 * Messages over sockets: send and receive in all forms, with control messages. The layouts are
 * the host's; what they point to is the guest's. On the vCPU's thread.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "arg.h"
#include "sockaddr.h"

struct g_msghdr {
    uint64_t name;
    int32_t name_size;
    uint32_t pad0;
    uint64_t iov, iov_count;
    uint64_t control, control_size;
    int32_t flags;
    uint32_t pad1;
};
_Static_assert(sizeof(struct g_msghdr) == sizeof(struct msghdr), "struct msghdr");

struct g_mmsghdr {
    struct g_msghdr head;
    uint32_t size;
    uint32_t pad;
};
_Static_assert(sizeof(struct g_mmsghdr) == 64, "struct mmsghdr");

/* The most that net.core.optmem_max of any host lets through. */
#define CONTROL_MAX (1u << 20)

/* One message as the host sees it. */
struct message {
    struct g_msghdr g;
    struct msghdr h;
    struct lx_address address;
    struct lx_pinned data;
    void *control;
};

static void finish(struct message *m) {
    free(m->control);
    lx_address_finish(&m->address);
    lx_unpin(&m->data);
}

/* ---- sending ---- */

static int control_in(struct lx_call *c, struct message *m) {
    uint64_t size = m->g.control_size;
    if (!m->g.control || !size)
        return 0;
    if (size > CONTROL_MAX)
        return -ENOBUFS;
    m->control = malloc(size);
    if (!m->control)
        return -ENOMEM;
    m->h.msg_control = m->control;
    m->h.msg_controllen = size;
    return lx_in(c, m->control, m->g.control, size);
}

static int name_in(struct lx_call *c, struct message *m) {
    int32_t size = m->g.name_size;
    if (size < 0)
        return -EINVAL;
    if (!m->g.name || !size)
        return 0;
    /* Linux shortens it here, other than in sendto. */
    if ((uint32_t)size > sizeof m->address.u)
        size = sizeof m->address.u;
    int rc = lx_address_in(c, m->g.name, (uint32_t)size, false, &m->address);
    m->h.msg_name = (void *)(uintptr_t)m->address.host;
    m->h.msg_namelen = m->address.size;
    return rc;
}

static int data_in(struct lx_call *c, struct message *m, uint32_t access) {
    int rc = lx_buffer_iov(c, m->g.iov, m->g.iov_count, access, &m->data);
    m->h.msg_iov = m->data.iov;
    m->h.msg_iovlen = m->data.count;
    return rc;
}

static void begin(struct message *m) {
    memset(&m->h, 0, sizeof m->h);
    m->control = NULL;
    m->address.folder = -1;
    m->data.ranges = m->data.count = 0;
    m->data.heap = NULL;
}

/* A bad descriptor is told before a bad header. */
static int64_t check_socket(int fd, int64_t error) {
    int type;
    socklen_t size = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ? -errno : error;
}

static int64_t send_one(struct lx_call *c, uint64_t src, uint64_t flags) {
    struct message m;
    int fd = (int32_t)c->a[0];
    begin(&m);
    int64_t rc = lx_in(c, &m.g, src, sizeof m.g);
    if (rc == 0)
        rc = name_in(c, &m);
    if (rc == 0)
        rc = data_in(c, &m, BLINK_PROT_READ);
    if (rc == 0)
        rc = control_in(c, &m);
    rc = rc < 0 ? check_socket(fd, rc)
                : LX_SYSCALL(c, SYS_sendmsg, fd, &m.h, (uint32_t)flags, 0, 0, 0);
    finish(&m);
    return rc;
}

int64_t lx_sys_sendmsg(struct lx_call *c) {
    return send_one(c, c->a[1], c->a[2]);
}

/* Messages of an array are sent one by one, as Linux does; the first error is told only if none
 * was sent. */
int64_t lx_sys_sendmmsg(struct lx_call *c) {
    uint64_t count = (uint32_t)c->a[2] < LX_IOV_MAX ? (uint32_t)c->a[2] : LX_IOV_MAX, done = 0;
    int64_t rc = count ? 0 : check_socket((int32_t)c->a[0], 0);
    while (done < count) {
        uint64_t at = c->a[1] + done * sizeof(struct g_mmsghdr);
        rc = send_one(c, at, c->a[3]);
        uint32_t size = (uint32_t)rc;
        if (rc >= 0)
            rc = lx_out(c, at + offsetof(struct g_mmsghdr, size), &size, sizeof size);
        if (rc < 0)
            break;
        done++;
    }
    return done ? (int64_t)done : rc;
}

int64_t lx_sys_sendto(struct lx_call *c) {
    struct lx_address a = {.folder = -1};
    struct lx_pinned p;
    struct msghdr h = {0};
    int64_t rc = lx_buffer(c, c->a[1], c->a[2], BLINK_PROT_READ, &p);
    if (rc < 0)
        return rc;
    if (c->a[4])
        rc = lx_address_in(c, c->a[4], c->a[5], false, &a);
    if (rc < 0)
        rc = check_socket((int32_t)c->a[0], rc);
    else if (p.count == 1)
        rc = LX_SYSCALL(c, SYS_sendto, (int32_t)c->a[0], p.iov[0].iov_base, p.iov[0].iov_len,
                        (uint32_t)c->a[3], a.host, a.size);
    else {
        h.msg_name = (void *)(uintptr_t)a.host;
        h.msg_namelen = a.size;
        h.msg_iov = p.iov;
        h.msg_iovlen = p.count;
        rc = LX_SYSCALL(c, SYS_sendmsg, (int32_t)c->a[0], &h, (uint32_t)c->a[3], 0, 0, 0);
    }
    lx_address_finish(&a);
    lx_unpin(&p);
    return rc;
}

/* ---- receiving ---- */

/* Room on the host for what comes besides data. */
static int room_for(struct message *m) {
    uint64_t size = m->g.control_size;
    if (m->g.name_size < 0)
        return -EINVAL;
    m->address.size = sizeof m->address.u;
    if (m->g.name) {
        m->h.msg_name = &m->address.u;
        m->h.msg_namelen = sizeof m->address.u;
    }
    if (!m->g.control || !size)
        return 0;
    if (size > CONTROL_MAX)
        size = CONTROL_MAX;
    m->control = malloc(size);
    m->h.msg_control = m->control;
    m->h.msg_controllen = size;
    return m->control ? 0 : -ENOMEM;
}

/* What came with the data: the parts of the guest's header that Linux writes. */
static int give_rest(struct lx_call *c, struct message *m, uint64_t dst) {
    uint64_t used = m->h.msg_controllen;
    if (m->g.name) {
        m->address.size = m->h.msg_namelen;
        lx_address_as_guest(c, &m->address);
        uint32_t room = (uint32_t)m->g.name_size;
        uint32_t n = m->address.size < room ? m->address.size : room;
        if (n && lx_out(c, m->g.name, &m->address.u, n) < 0)
            return -EFAULT;
        if (lx_out(c, dst + offsetof(struct g_msghdr, name_size), &m->address.size, 4) < 0)
            return -EFAULT;
    }
    if (m->control && used && lx_out(c, m->g.control, m->control, used) < 0)
        return -EFAULT;
    if (lx_out(c, dst + offsetof(struct g_msghdr, flags), &m->h.msg_flags, 4) < 0)
        return -EFAULT;
    return lx_out(c, dst + offsetof(struct g_msghdr, control_size), &used, sizeof used);
}

static int64_t receive_one(struct lx_call *c, uint64_t dst, uint64_t flags) {
    struct message m;
    int fd = (int32_t)c->a[0];
    begin(&m);
    int64_t rc = lx_in(c, &m.g, dst, sizeof m.g);
    if (rc == 0)
        rc = room_for(&m);
    if (rc == 0)
        rc = data_in(c, &m, BLINK_PROT_WRITE);
    rc = rc < 0 ? check_socket(fd, rc)
                : LX_SYSCALL(c, SYS_recvmsg, fd, &m.h, (uint32_t)flags, 0, 0, 0);
    if (rc >= 0 && give_rest(c, &m, dst) < 0)
        rc = -EFAULT;
    finish(&m);
    return rc;
}

int64_t lx_sys_recvmsg(struct lx_call *c) {
    return receive_one(c, c->a[1], c->a[2]);
}

static bool past(const struct timespec *end, struct timespec *left) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    left->tv_sec = end->tv_sec - now.tv_sec;
    left->tv_nsec = end->tv_nsec - now.tv_nsec;
    if (left->tv_nsec < 0) {
        left->tv_sec--;
        left->tv_nsec += 1000000000;
    }
    if (left->tv_sec >= 0)
        return false;
    *left = (struct timespec){0, 0};
    return true;
}

/* The timeout is looked at after each message only, as Linux does. */
int64_t lx_sys_recvmmsg(struct lx_call *c) {
    uint64_t count = (uint32_t)c->a[2] < LX_IOV_MAX ? (uint32_t)c->a[2] : LX_IOV_MAX, done = 0;
    uint32_t flags = (uint32_t)c->a[3];
    struct timespec left, end;
    if (c->a[4]) {
        if (lx_in(c, &left, c->a[4], sizeof left) < 0)
            return -EFAULT;
        if (left.tv_sec < 0 || left.tv_nsec < 0 || left.tv_nsec >= 1000000000)
            return -EINVAL;
        clock_gettime(CLOCK_MONOTONIC, &end);
        end.tv_nsec += left.tv_nsec;
        end.tv_sec += end.tv_nsec / 1000000000;
        end.tv_nsec %= 1000000000;
        if (__builtin_add_overflow(end.tv_sec, left.tv_sec, &end.tv_sec))
            end.tv_sec = INT64_MAX;
    }
    int64_t rc = count ? 0 : check_socket((int32_t)c->a[0], 0);
    while (done < count) {
        uint64_t at = c->a[1] + done * sizeof(struct g_mmsghdr);
        rc = receive_one(c, at, flags & ~(uint32_t)MSG_WAITFORONE);
        uint32_t size = (uint32_t)rc;
        if (rc >= 0)
            rc = lx_out(c, at + offsetof(struct g_mmsghdr, size), &size, sizeof size);
        if (rc < 0)
            break;
        done++;
        if (flags & MSG_WAITFORONE)
            flags |= MSG_DONTWAIT;
        if (c->a[4] && past(&end, &left))
            break;
    }
    if (done && c->a[4] && lx_out(c, c->a[4], &left, sizeof left) < 0)
        return -EFAULT;
    return done ? (int64_t)done : rc;
}

int64_t lx_sys_recvfrom(struct lx_call *c) {
    struct message m;
    int fd = (int32_t)c->a[0];
    begin(&m);
    int64_t rc = lx_buffer(c, c->a[1], c->a[2], BLINK_PROT_WRITE, &m.data);
    if (rc < 0)
        return rc;
    m.h.msg_iov = m.data.iov;
    m.h.msg_iovlen = m.data.count;
    m.address.size = sizeof m.address.u;
    if (c->a[4]) {
        m.h.msg_name = &m.address.u;
        m.h.msg_namelen = m.address.size;
    }
    if (m.data.count == 1)
        rc = LX_SYSCALL(c, SYS_recvfrom, fd, m.data.iov[0].iov_base, m.data.iov[0].iov_len,
                        (uint32_t)c->a[3], m.h.msg_name, &m.h.msg_namelen);
    else
        rc = LX_SYSCALL(c, SYS_recvmsg, fd, &m.h, (uint32_t)c->a[3], 0, 0, 0);
    if (rc >= 0 && c->a[4]) {
        m.address.size = m.h.msg_namelen;
        int64_t given = lx_address_give(c, &m.address, c->a[4], c->a[5]);
        rc = given < 0 ? given : rc;
    }
    finish(&m);
    return rc;
}
