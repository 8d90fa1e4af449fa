/*
 * Attributes of files: modes, owners, times, extended attributes. On the vCPU's thread.
 */
#include <fcntl.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arg.h"

#ifndef SYS_fchmodat2
  #define SYS_fchmodat2 452
#endif

static uint32_t follow_of(uint64_t flags) {
    return flags & AT_SYMLINK_NOFOLLOW ? LX_NOFOLLOW : LX_FOLLOW;
}

/* ---- modes ---- */

static int64_t chmod_at(struct lx_call *c, int32_t dirfd, uint64_t path, uint64_t mode) {
    struct lx_path at;
    int rc = lx_path(c, dirfd, path, LX_FOLLOW, &at);
    if (rc < 0)
        return rc;
    return lx_result(syscall(SYS_fchmodat, at.dirfd, at.name, (uint32_t)mode));
}

int64_t lx_sys_chmod(struct lx_call *c) {
    return chmod_at(c, AT_FDCWD, c->a[0], c->a[1]);
}

int64_t lx_sys_fchmodat(struct lx_call *c) {
    return chmod_at(c, (int32_t)c->a[0], c->a[1], c->a[2]);
}

int64_t lx_sys_fchmodat2(struct lx_call *c) {
    struct lx_path at;
    uint32_t flags = (uint32_t)c->a[3];
    int rc = lx_path(c, (int32_t)c->a[0], c->a[1], follow_of(flags), &at);
    if (rc < 0)
        return rc;
    return lx_result(syscall(SYS_fchmodat2, at.dirfd, at.name, (uint32_t)c->a[2], flags));
}

int64_t lx_sys_fchmod(struct lx_call *c) {
    return lx_result(syscall(SYS_fchmod, (int32_t)c->a[0], (uint32_t)c->a[1]));
}

/* ---- owners ---- */

static int64_t chown_at(struct lx_call *c, int32_t dirfd, uint64_t path, uint64_t uid, uint64_t gid,
                        uint64_t flags) {
    struct lx_path at;
    int rc = lx_path(c, dirfd, path, follow_of(flags), &at);
    if (rc < 0)
        return rc;
    return lx_result(
        syscall(SYS_fchownat, at.dirfd, at.name, (uint32_t)uid, (uint32_t)gid, (uint32_t)flags));
}

int64_t lx_sys_chown(struct lx_call *c) {
    return chown_at(c, AT_FDCWD, c->a[0], c->a[1], c->a[2], 0);
}

int64_t lx_sys_lchown(struct lx_call *c) {
    return chown_at(c, AT_FDCWD, c->a[0], c->a[1], c->a[2], AT_SYMLINK_NOFOLLOW);
}

int64_t lx_sys_fchownat(struct lx_call *c) {
    return chown_at(c, (int32_t)c->a[0], c->a[1], c->a[2], c->a[3], c->a[4]);
}

int64_t lx_sys_fchown(struct lx_call *c) {
    return lx_result(syscall(SYS_fchown, (int32_t)c->a[0], (uint32_t)c->a[1], (uint32_t)c->a[2]));
}

/* ---- times ---- */

/* No path: the descriptor itself. */
static int64_t set_times(struct lx_call *c, int32_t dirfd, uint64_t path,
                         const struct timespec *times, uint64_t flags) {
    struct lx_path at;
    if (!path)
        return lx_result(syscall(SYS_utimensat, dirfd, NULL, times, (uint32_t)flags));
    int rc = lx_path(c, dirfd, path, follow_of(flags), &at);
    if (rc < 0)
        return rc;
    return lx_result(syscall(SYS_utimensat, at.dirfd, at.name, times, (uint32_t)flags));
}

int64_t lx_sys_utimensat(struct lx_call *c) {
    struct timespec times[2];
    if (c->a[2] && lx_in(c, times, c->a[2], sizeof times) < 0)
        return -EFAULT;
    return set_times(c, (int32_t)c->a[0], c->a[1], c->a[2] ? times : NULL, c->a[3]);
}

static int64_t set_timevals(struct lx_call *c, int32_t dirfd, uint64_t path, uint64_t src) {
    struct timeval tv[2];
    struct timespec ts[2];
    if (!src)
        return set_times(c, dirfd, path, NULL, 0);
    if (lx_in(c, tv, src, sizeof tv) < 0)
        return -EFAULT;
    for (int k = 0; k < 2; k++) {
        if (tv[k].tv_usec < 0 || tv[k].tv_usec >= 1000000)
            return -EINVAL;
        ts[k] = (struct timespec){tv[k].tv_sec, tv[k].tv_usec * 1000};
    }
    return set_times(c, dirfd, path, ts, 0);
}

static int64_t not_null(uint64_t path,
                        int64_t (*set)(struct lx_call *, int32_t, uint64_t, uint64_t),
                        struct lx_call *c, int32_t dirfd, uint64_t times) {
    return path ? set(c, dirfd, path, times) : -EFAULT;
}

int64_t lx_sys_utimes(struct lx_call *c) {
    return not_null(c->a[0], set_timevals, c, AT_FDCWD, c->a[1]);
}

int64_t lx_sys_futimesat(struct lx_call *c) {
    return set_timevals(c, (int32_t)c->a[0], c->a[1], c->a[2]);
}

int64_t lx_sys_utime(struct lx_call *c) {
    int64_t seconds[2];
    if (!c->a[0])
        return -EFAULT;
    if (!c->a[1])
        return set_times(c, AT_FDCWD, c->a[0], NULL, 0);
    if (lx_in(c, seconds, c->a[1], sizeof seconds) < 0)
        return -EFAULT;
    struct timespec ts[2] = {{seconds[0], 0}, {seconds[1], 0}};
    return set_times(c, AT_FDCWD, c->a[0], ts, 0);
}

/* ---- extended attributes ---- */

/* What a call works on: a path, followed or not, or a descriptor. */
enum { BY_PATH, BY_LINK, BY_FD };

struct target {
    uint64_t value; /* for the host: a pointer to the name, or the descriptor */
    struct lx_path at;
};

/* The host has no *at forms in all versions: a path relative to a descriptor never comes here. */
static int target(struct lx_call *c, int by, struct target *out) {
    if (by == BY_FD) {
        out->value = (uint64_t)(int32_t)c->a[0];
        return 0;
    }
    int rc = lx_path(c, AT_FDCWD, c->a[0], by == BY_LINK ? LX_NOFOLLOW : LX_FOLLOW, &out->at);
    out->value = (uintptr_t)out->at.name;
    return rc;
}

static int attr_name(struct lx_call *c, char name[XATTR_NAME_MAX + 1], uint64_t src) {
    int rc = lx_string(c, name, src, XATTR_NAME_MAX + 1);
    if (rc == -ENAMETOOLONG || (rc == 0 && !*name))
        return -ERANGE;
    return rc;
}

static int64_t set_attr(struct lx_call *c, int by) {
    static const int number[] = {SYS_setxattr, SYS_lsetxattr, SYS_fsetxattr};
    char name[XATTR_NAME_MAX + 1];
    struct target t;
    struct lx_piece p;
    int64_t rc = target(c, by, &t);
    if (rc == 0)
        rc = attr_name(c, name, c->a[1]);
    if (rc == 0)
        rc = lx_piece(c, c->a[2], c->a[3], BLINK_PROT_READ, &p);
    if (rc < 0)
        return rc;
    rc = lx_result(syscall(number[by], t.value, name, p.host, c->a[3], (uint32_t)c->a[4]));
    lx_piece_end(c, &p, 0);
    return rc;
}

int64_t lx_sys_setxattr(struct lx_call *c) {
    return set_attr(c, BY_PATH);
}

int64_t lx_sys_lsetxattr(struct lx_call *c) {
    return set_attr(c, BY_LINK);
}

int64_t lx_sys_fsetxattr(struct lx_call *c) {
    return set_attr(c, BY_FD);
}

/* The value of one attribute, or the list of names: into a[dst], of a[dst + 1] bytes. */
static int64_t fetch(struct lx_call *c, int number, uint64_t value, const char *name, int dst) {
    struct lx_piece p;
    uint64_t size = c->a[dst + 1] < XATTR_SIZE_MAX ? c->a[dst + 1] : XATTR_SIZE_MAX;
    int64_t rc = lx_piece(c, c->a[dst], size, BLINK_PROT_WRITE, &p);
    if (rc < 0)
        return rc;
    rc = name ? lx_result(syscall(number, value, name, p.host, size))
              : lx_result(syscall(number, value, p.host, size));
    if (lx_piece_end(c, &p, rc > 0 && size ? (uint64_t)rc : 0) < 0)
        rc = -EFAULT;
    return rc;
}

static int64_t get_attr(struct lx_call *c, int by) {
    static const int number[] = {SYS_getxattr, SYS_lgetxattr, SYS_fgetxattr};
    char name[XATTR_NAME_MAX + 1];
    struct target t;
    int rc = target(c, by, &t);
    if (rc == 0)
        rc = attr_name(c, name, c->a[1]);
    return rc < 0 ? rc : fetch(c, number[by], t.value, name, 2);
}

int64_t lx_sys_getxattr(struct lx_call *c) {
    return get_attr(c, BY_PATH);
}

int64_t lx_sys_lgetxattr(struct lx_call *c) {
    return get_attr(c, BY_LINK);
}

int64_t lx_sys_fgetxattr(struct lx_call *c) {
    return get_attr(c, BY_FD);
}

static int64_t list_attrs(struct lx_call *c, int by) {
    static const int number[] = {SYS_listxattr, SYS_llistxattr, SYS_flistxattr};
    struct target t;
    int rc = target(c, by, &t);
    return rc < 0 ? rc : fetch(c, number[by], t.value, NULL, 1);
}

int64_t lx_sys_listxattr(struct lx_call *c) {
    return list_attrs(c, BY_PATH);
}

int64_t lx_sys_llistxattr(struct lx_call *c) {
    return list_attrs(c, BY_LINK);
}

int64_t lx_sys_flistxattr(struct lx_call *c) {
    return list_attrs(c, BY_FD);
}

static int64_t remove_attr(struct lx_call *c, int by) {
    static const int number[] = {SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr};
    char name[XATTR_NAME_MAX + 1];
    struct target t;
    int rc = target(c, by, &t);
    if (rc == 0)
        rc = attr_name(c, name, c->a[1]);
    return rc < 0 ? rc : lx_result(syscall(number[by], t.value, name));
}

int64_t lx_sys_removexattr(struct lx_call *c) {
    return remove_attr(c, BY_PATH);
}

int64_t lx_sys_lremovexattr(struct lx_call *c) {
    return remove_attr(c, BY_LINK);
}

int64_t lx_sys_fremovexattr(struct lx_call *c) {
    return remove_attr(c, BY_FD);
}
