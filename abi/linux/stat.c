/*
 * What files are: the stat family, statx, statfs, access. On the vCPU's thread.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "arg.h"

void lx_stat_convert(const struct stat *st, struct g_stat *out) {
    *out = (struct g_stat){
        .dev = st->st_dev,
        .ino = st->st_ino,
        .nlink = st->st_nlink,
        .mode = st->st_mode,
        .uid = st->st_uid,
        .gid = st->st_gid,
        .rdev = st->st_rdev,
        .size = st->st_size,
        .blksize = st->st_blksize,
        .blocks = st->st_blocks,
        .atime = (uint64_t)st->st_atim.tv_sec,
        .atime_nsec = (uint64_t)st->st_atim.tv_nsec,
        .mtime = (uint64_t)st->st_mtim.tv_sec,
        .mtime_nsec = (uint64_t)st->st_mtim.tv_nsec,
        .ctime = (uint64_t)st->st_ctim.tv_sec,
        .ctime_nsec = (uint64_t)st->st_ctim.tv_nsec,
    };
}

static int64_t give_stat(struct lx_call *c, int rc, const struct stat *st, uint64_t dst) {
    struct g_stat g;
    if (rc < 0)
        return -errno;
    lx_stat_convert(st, &g);
    return lx_out(c, dst, &g, sizeof g);
}

/* The path of a call with AT_EMPTY_PATH, where NULL is as good as "". */
static int path_or_fd(struct lx_call *c, int32_t dirfd, uint64_t path, uint64_t flags,
                      struct lx_path *at) {
    uint32_t follow = flags & AT_SYMLINK_NOFOLLOW ? LX_NOFOLLOW : LX_FOLLOW;
    if (!path && flags & AT_EMPTY_PATH)
        return lx_path_text(c->abi, dirfd, "", follow, at);
    return lx_path(c, dirfd, path, follow, at);
}

static int64_t stat_at(struct lx_call *c, int32_t dirfd, uint64_t path, uint64_t dst, int flags) {
    struct lx_path at;
    struct stat st;
    int rc = path_or_fd(c, dirfd, path, (uint32_t)flags, &at);
    if (rc < 0)
        return rc;
    return give_stat(c, fstatat(at.dirfd, at.name, &st, flags), &st, dst);
}

int64_t lx_sys_stat(struct lx_call *c) {
    return stat_at(c, AT_FDCWD, c->a[0], c->a[1], 0);
}

int64_t lx_sys_lstat(struct lx_call *c) {
    return stat_at(c, AT_FDCWD, c->a[0], c->a[1], AT_SYMLINK_NOFOLLOW);
}

int64_t lx_sys_fstat(struct lx_call *c) {
    struct stat st;
    return give_stat(c, fstat((int32_t)c->a[0], &st), &st, c->a[1]);
}

int64_t lx_sys_newfstatat(struct lx_call *c) {
    return stat_at(c, (int32_t)c->a[0], c->a[1], c->a[2], (int32_t)c->a[3]);
}

int64_t lx_sys_statx(struct lx_call *c) {
    struct lx_path at;
    struct statx stx;
    uint32_t flags = (uint32_t)c->a[2], mask = (uint32_t)c->a[3];
    _Static_assert(sizeof stx == 256, "struct statx");
    int64_t rc = path_or_fd(c, (int32_t)c->a[0], c->a[1], flags, &at);
    if (rc < 0)
        return rc;
    memset(&stx, 0, sizeof stx);
    rc = lx_result(syscall(SYS_statx, at.dirfd, at.name, flags, mask, &stx));
    return rc < 0 ? rc : lx_out(c, c->a[4], &stx, sizeof stx);
}

/* ---- file systems ---- */

static int64_t give_statfs(struct lx_call *c, int64_t rc, const struct statfs *fs, uint64_t dst) {
    return rc < 0 ? rc : lx_out(c, dst, fs, sizeof *fs);
}

int64_t lx_sys_statfs(struct lx_call *c) {
    struct lx_path at;
    struct statfs fs;
    int rc = lx_path(c, AT_FDCWD, c->a[0], LX_FOLLOW, &at);
    if (rc < 0)
        return rc;
    return give_statfs(c, lx_result(syscall(SYS_statfs, at.name, &fs)), &fs, c->a[1]);
}

int64_t lx_sys_fstatfs(struct lx_call *c) {
    struct statfs fs;
    return give_statfs(c, lx_result(syscall(SYS_fstatfs, (int32_t)c->a[0], &fs)), &fs, c->a[1]);
}

/* By the device number of stat: the mounted file systems are not ours to search. */
int64_t lx_sys_ustat(struct lx_call *c) {
#ifdef SYS_ustat
    uint8_t bytes[32] = {0}; /* struct ustat */
    int64_t rc = lx_result(syscall(SYS_ustat, (uint32_t)c->a[0], bytes));
    return rc < 0 ? rc : lx_out(c, c->a[1], bytes, sizeof bytes);
#else
    (void)c;
    return -ENOSYS;
#endif
}

/* ---- access ---- */

static int64_t access_at(struct lx_call *c, int32_t dirfd, uint64_t path, uint64_t mode,
                         uint64_t flags) {
    struct lx_path at;
    if ((uint32_t)mode & ~UINT32_C(7))
        return -EINVAL;
    int rc = path_or_fd(c, dirfd, path, flags, &at);
    if (rc < 0)
        return rc;
    if (!flags)
        return lx_result(syscall(SYS_faccessat, at.dirfd, at.name, (uint32_t)mode));
    return lx_result(syscall(SYS_faccessat2, at.dirfd, at.name, (uint32_t)mode, (uint32_t)flags));
}

int64_t lx_sys_access(struct lx_call *c) {
    return access_at(c, AT_FDCWD, c->a[0], c->a[1], 0);
}

int64_t lx_sys_faccessat(struct lx_call *c) {
    return access_at(c, (int32_t)c->a[0], c->a[1], c->a[2], 0);
}

int64_t lx_sys_faccessat2(struct lx_call *c) {
    return access_at(c, (int32_t)c->a[0], c->a[1], c->a[2], (uint32_t)c->a[3]);
}
