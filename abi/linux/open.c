/*
 * Making, duplicating and closing of descriptors: open and its kin, pipes, dup. On the vCPU's
 * thread.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arg.h"

/* ---- flags ---- */

/* The four flags take the same four bits on all hosts, in different orders; the C library hides
 * O_LARGEFILE, which has what the others leave. */
#define DIFFERING        0740000
#define HOST_O_LARGEFILE (DIFFERING & ~(O_DIRECT | (O_DIRECTORY & DIFFERING) | O_NOFOLLOW))

static const struct {
    uint32_t guest, host;
} open_flags[] = {
    {G_O_DIRECT, O_DIRECT},
    {G_O_LARGEFILE, HOST_O_LARGEFILE},
    {G_O_DIRECTORY, O_DIRECTORY},
    {G_O_NOFOLLOW, O_NOFOLLOW},
};
#define OPEN_FLAGS (sizeof open_flags / sizeof open_flags[0])

int lx_open_flags(uint64_t guest) {
    uint32_t host = (uint32_t)guest & ~DIFFERING;
    for (size_t k = 0; k < OPEN_FLAGS; k++)
        if (guest & open_flags[k].guest)
            host |= open_flags[k].host;
    return (int)host;
}

uint64_t lx_open_flags_back(int host) {
    uint32_t guest = (uint32_t)host & ~DIFFERING;
    for (size_t k = 0; k < OPEN_FLAGS; k++)
        if ((uint32_t)host & open_flags[k].host)
            guest |= open_flags[k].guest;
    return guest;
}

/* ---- open ---- */

static uint32_t follows(uint64_t flags) {
    bool exclusive = (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
    return exclusive || flags & G_O_NOFOLLOW ? LX_NOFOLLOW : LX_FOLLOW;
}

static int64_t open_at(struct lx_call *c, int32_t dirfd, uint64_t path, uint64_t flags,
                       uint64_t mode) {
    char text[LX_PATH_MAX], folder[LX_PROC_FOLDER];
    struct lx_path at;
    int rc = lx_string(c, text, path, sizeof text);
    if (rc < 0)
        return rc;
    const char *self = lx_path_self(c->abi, dirfd, text, folder);
    if (self) {
        rc = lx_proc_open(c, self, folder, lx_open_flags(flags));
        if (rc != -ENOENT)
            return rc;
    }
    rc = lx_path_text(c->abi, dirfd, text, follows(flags), &at);
    if (rc < 0)
        return rc;
    return LX_SYSCALL(c, SYS_openat, at.dirfd, at.name, lx_open_flags(flags), (uint32_t)mode, 0, 0);
}

int64_t lx_sys_open(struct lx_call *c) {
    return open_at(c, AT_FDCWD, c->a[0], (uint32_t)c->a[1], c->a[2]);
}

int64_t lx_sys_creat(struct lx_call *c) {
    return open_at(c, AT_FDCWD, c->a[0], O_CREAT | O_WRONLY | O_TRUNC, c->a[1]);
}

int64_t lx_sys_openat(struct lx_call *c) {
    return open_at(c, (int32_t)c->a[0], c->a[1], (uint32_t)c->a[2], c->a[3]);
}

/* A structure that may have grown since: what is beyond must be zero. */
static int in_grown(struct lx_call *c, void *buf, size_t size, uint64_t src, uint64_t given) {
    if (given > 4096)
        return -E2BIG;
    uint8_t bytes[4096] = {0};
    if (lx_in(c, bytes, src, given) < 0)
        return -EFAULT;
    for (uint64_t k = size; k < given; k++)
        if (bytes[k])
            return -E2BIG;
    memcpy(buf, bytes, size);
    return 0;
}

int64_t lx_sys_openat2(struct lx_call *c) {
    struct open_how how;
    struct lx_path at;
    char text[LX_PATH_MAX], folder[LX_PROC_FOLDER];
    if (c->a[3] < sizeof how)
        return -EINVAL;
    int64_t rc = in_grown(c, &how, sizeof how, c->a[2], c->a[3]);
    if (rc < 0)
        return rc;
    if (how.flags > UINT32_MAX)
        return -EINVAL;
    rc = lx_string(c, text, c->a[1], sizeof text);
    if (rc < 0)
        return rc;
    if (how.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) {
        /* Kept below the descriptor by the host itself. */
        at.dirfd = (int32_t)c->a[0];
        strcpy(at.name, text);
    } else {
        const char *self =
            how.resolve ? NULL : lx_path_self(c->abi, (int32_t)c->a[0], text, folder);
        rc = self ? lx_proc_open(c, self, folder, lx_open_flags(how.flags)) : -ENOENT;
        if (rc != -ENOENT)
            return rc;
        uint32_t follow = how.resolve & RESOLVE_NO_SYMLINKS ? LX_NOFOLLOW : follows(how.flags);
        rc = lx_path_text(c->abi, (int32_t)c->a[0], text, follow, &at);
        if (rc < 0)
            return rc;
    }
    how.flags = (uint32_t)lx_open_flags(how.flags);
    return LX_SYSCALL(c, SYS_openat2, at.dirfd, at.name, &how, sizeof how, 0, 0);
}

/* ---- close ---- */

int64_t lx_sys_close(struct lx_call *c) {
    return lx_result(syscall(SYS_close, (int32_t)c->a[0]));
}

int64_t lx_sys_close_range(struct lx_call *c) {
    return lx_result(
        syscall(SYS_close_range, (uint32_t)c->a[0], (uint32_t)c->a[1], (uint32_t)c->a[2]));
}

/* ---- dup, pipe ---- */

int64_t lx_sys_dup(struct lx_call *c) {
    return lx_result(syscall(SYS_dup, (int32_t)c->a[0]));
}

int64_t lx_sys_dup2(struct lx_call *c) {
    int from = (int32_t)c->a[0], to = (int32_t)c->a[1];
    if (from == to)
        return fcntl(from, F_GETFD) < 0 ? -errno : to;
    return lx_result(syscall(SYS_dup3, from, to, 0));
}

int64_t lx_sys_dup3(struct lx_call *c) {
    int flags = lx_open_flags(c->a[2]);
    return lx_result(syscall(SYS_dup3, (int32_t)c->a[0], (int32_t)c->a[1], flags));
}

int64_t lx_give_pair(struct lx_call *c, int64_t result, uint64_t dst, const int fd[2]) {
    if (result < 0 || lx_out(c, dst, fd, 2 * sizeof fd[0]) == 0)
        return result;
    close(fd[0]);
    close(fd[1]);
    return -EFAULT;
}

static int64_t make_pipe(struct lx_call *c, int flags) {
    int fd[2];
    return lx_give_pair(c, lx_result(pipe2(fd, flags)), c->a[0], fd);
}

int64_t lx_sys_pipe(struct lx_call *c) {
    return make_pipe(c, 0);
}

int64_t lx_sys_pipe2(struct lx_call *c) {
    return make_pipe(c, lx_open_flags(c->a[1]));
}

int64_t lx_sys_memfd_create(struct lx_call *c) {
    char name[256];
    /* Checked first, in Linux too. */
    if ((uint32_t)c->a[1] & ~UINT32_C(0x1f) & ~(UINT32_C(0x3f) << 26))
        return -EINVAL;
    int rc = lx_string(c, name, c->a[0], 250);
    if (rc < 0)
        return rc == -ENAMETOOLONG ? -EINVAL : rc;
    return lx_result(syscall(SYS_memfd_create, name, (uint32_t)c->a[1]));
}
