/*
 * Sockets: making, connecting, names and options. Messages are in message.c. On the vCPU's thread.
 */
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arg.h"
#include "sockaddr.h"

_Static_assert(SOCK_NONBLOCK == 04000 && SOCK_CLOEXEC == 02000000, "socket flags");
_Static_assert(SOL_SOCKET == 1 && SO_REUSEADDR == 2 && SO_PEERCRED == 17 && SO_ERROR == 4,
               "socket options of asm-generic");

int64_t lx_sys_socket(struct lx_call *c) {
    return lx_result(socket((int32_t)c->a[0], (int32_t)c->a[1], (int32_t)c->a[2]));
}

int64_t lx_sys_socketpair(struct lx_call *c) {
    int fd[2];
    int64_t rc = lx_result(socketpair((int32_t)c->a[0], (int32_t)c->a[1], (int32_t)c->a[2], fd));
    return lx_give_pair(c, rc, c->a[3], fd);
}

/* The host tells a bad descriptor first. */
static int64_t bad_address(int fd, int64_t error) {
    int type;
    socklen_t size = sizeof type;
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0 ? -errno : error;
}

static int64_t with_address(struct lx_call *c, int number, bool making) {
    struct lx_address a;
    int fd = (int32_t)c->a[0];
    int64_t rc = lx_address_in(c, c->a[1], c->a[2], making, &a);
    rc = rc < 0 ? bad_address(fd, rc) : LX_SYSCALL(c, number, fd, a.host, a.size, 0, 0, 0);
    lx_address_finish(&a);
    return rc;
}

int64_t lx_sys_bind(struct lx_call *c) {
    int64_t rc = with_address(c, SYS_bind, true);
    return rc == -EEXIST ? -EADDRINUSE : rc;
}

int64_t lx_sys_connect(struct lx_call *c) {
    return with_address(c, SYS_connect, false);
}

int64_t lx_sys_listen(struct lx_call *c) {
    return lx_result(listen((int32_t)c->a[0], (int32_t)c->a[1]));
}

int64_t lx_sys_shutdown(struct lx_call *c) {
    return lx_result(shutdown((int32_t)c->a[0], (int32_t)c->a[1]));
}

/* ---- names ---- */

static int64_t name_of(struct lx_call *c, int number) {
    struct lx_address a = {.size = sizeof a.u, .folder = -1};
    int64_t rc = lx_result(syscall(number, (int32_t)c->a[0], &a.u, &a.size));
    return rc < 0 ? rc : lx_address_give(c, &a, c->a[1], c->a[2]);
}

int64_t lx_sys_getsockname(struct lx_call *c) {
    return name_of(c, SYS_getsockname);
}

int64_t lx_sys_getpeername(struct lx_call *c) {
    return name_of(c, SYS_getpeername);
}

/* A connection whose name cannot be told is closed, as Linux does. */
static int64_t accept_with(struct lx_call *c, uint32_t flags) {
    struct lx_address a = {.size = sizeof a.u, .folder = -1};
    bool wanted = c->a[1] != 0;
    int64_t fd = LX_SYSCALL(c, SYS_accept4, (int32_t)c->a[0], wanted ? &a.u.any : NULL,
                            wanted ? &a.size : NULL, flags, 0, 0);
    if (fd < 0 || !wanted)
        return fd;
    int64_t rc = lx_address_give(c, &a, c->a[1], c->a[2]);
    if (rc == 0)
        return fd;
    close((int)fd);
    return rc;
}

int64_t lx_sys_accept(struct lx_call *c) {
    return accept_with(c, 0);
}

int64_t lx_sys_accept4(struct lx_call *c) {
    return accept_with(c, (uint32_t)c->a[3]);
}

/* ---- options ---- */

/* Options whose value holds addresses of the caller: the host would take them for its own. As if
 * the feature were not compiled in. */
#define LEVEL_SCTP 132
#define LEVEL_XDP  283
#define ANY        UINT32_MAX
static const struct {
    uint32_t level, first, last;
} refused[] = {
    {IPPROTO_IP, 64, 65},   /* IPT_SO_SET_REPLACE and what belongs to it */
    {IPPROTO_IP, 96, 97},   /* the same of arptables */
    {IPPROTO_IP, 128, 131}, /* of ebtables */
    {IPPROTO_IPV6, 64, 65}, /* of ip6tables */
    {IPPROTO_TCP, 35, 35},  /* TCP_ZEROCOPY_RECEIVE */
    {LEVEL_SCTP, 110, 111}, /* SCTP_SOCKOPT_CONNECTX, CONNECTX3 */
    {LEVEL_XDP, 0, ANY},
};

static bool is_refused(uint32_t level, uint32_t name) {
    for (size_t k = 0; k < sizeof refused / sizeof refused[0]; k++)
        if (refused[k].level == level && name >= refused[k].first && name <= refused[k].last)
            return true;
    return false;
}

#ifndef SO_ATTACH_REUSEPORT_CBPF
  #define SO_ATTACH_REUSEPORT_CBPF 51
#endif

/* A socket filter: the structure points to its instructions. */
static int64_t attach_filter(struct lx_call *c, int fd, uint32_t name) {
    struct {
        uint16_t count;
        uint64_t at;
    } g;
    struct sock_fprog host;
    _Static_assert(sizeof g == sizeof host, "struct sock_fprog");
    if (lx_in(c, &g, c->a[3], sizeof g) < 0)
        return bad_address(fd, -EFAULT);
    size_t size = g.count * sizeof *host.filter;
    host.len = g.count;
    host.filter = malloc(size ? size : 1);
    if (!host.filter)
        return -ENOMEM;
    int64_t rc = lx_in(c, host.filter, g.at, size);
    if (rc == 0)
        rc = lx_result(setsockopt(fd, SOL_SOCKET, (int)name, &host, sizeof host));
    free(host.filter);
    return rc;
}

int64_t lx_sys_setsockopt(struct lx_call *c) {
    struct lx_piece p;
    int fd = (int32_t)c->a[0];
    uint32_t level = (uint32_t)c->a[1], name = (uint32_t)c->a[2];
    int32_t size = (int32_t)c->a[4];
    if (is_refused(level, name))
        return bad_address(fd, -ENOPROTOOPT);
    bool filter = name == SO_ATTACH_FILTER || name == SO_ATTACH_REUSEPORT_CBPF;
    if (level == SOL_SOCKET && filter && (uint32_t)size == sizeof(struct sock_fprog))
        return attach_filter(c, fd, name);
    /* The host looks at no more than it knows of: the rest need not be there. */
    int64_t rc = lx_piece(c, c->a[3], size > 0 ? (uint32_t)size : 0, BLINK_PROT_READ, &p);
    if (rc < 0)
        return rc;
    if (p.pinned.size && p.pinned.size < p.size)
        p.host = p.pinned.iov[0].iov_base, size = (int32_t)p.pinned.iov[0].iov_len;
    rc = LX_SYSCALL(c, SYS_setsockopt, fd, level, name, p.host, size, 0);
    lx_piece_end(c, &p, 0);
    return rc;
}

int64_t lx_sys_getsockopt(struct lx_call *c) {
    struct lx_piece p;
    int fd = (int32_t)c->a[0];
    uint32_t level = (uint32_t)c->a[1], name = (uint32_t)c->a[2];
    int32_t size, given;
    if (is_refused(level, name))
        return bad_address(fd, -ENOPROTOOPT);
    if (lx_in(c, &size, c->a[4], sizeof size) < 0)
        return bad_address(fd, -EFAULT);
    if (size < 0)
        return bad_address(fd, -EINVAL);
    given = size;
    int64_t rc = lx_piece(c, c->a[3], (uint32_t)size, BLINK_PROT_READ | BLINK_PROT_WRITE, &p);
    if (rc < 0)
        return rc;
    /* More room than there is memory is fine as long as the value fits. */
    if (p.pinned.size && p.pinned.size < (uint32_t)size)
        p.host = p.pinned.iov[0].iov_base, size = (int32_t)p.pinned.iov[0].iov_len;
    rc = lx_result(syscall(SYS_getsockopt, fd, level, name, p.host, &size));
    bool fits = rc == 0 && size <= given;
    if (lx_piece_end(c, &p, fits ? (uint64_t)size : 0) < 0)
        rc = -EFAULT;
    return rc < 0 ? rc : lx_out(c, c->a[4], &size, sizeof size);
}
