/*
 * Names in folders: making, removing, renaming and linking of files, and reading of links. On the
 * vCPU's thread.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arg.h"

/* ---- mkdir, mknod ---- */

static int64_t mkdir_at(struct lx_call *c, int32_t dirfd, uint64_t path, uint64_t mode) {
    struct lx_path at;
    int rc = lx_path(c, dirfd, path, LX_NOFOLLOW, &at);
    if (rc < 0)
        return rc;
    return lx_result(syscall(SYS_mkdirat, at.dirfd, at.name, (uint32_t)mode));
}

int64_t lx_sys_mkdir(struct lx_call *c) {
    return mkdir_at(c, AT_FDCWD, c->a[0], c->a[1]);
}

int64_t lx_sys_mkdirat(struct lx_call *c) {
    return mkdir_at(c, (int32_t)c->a[0], c->a[1], c->a[2]);
}

static int64_t mknod_at(struct lx_call *c, int32_t dirfd, uint64_t path, uint64_t mode,
                        uint64_t dev) {
    struct lx_path at;
    int rc = lx_path(c, dirfd, path, LX_NOFOLLOW, &at);
    if (rc < 0)
        return rc;
    return lx_result(syscall(SYS_mknodat, at.dirfd, at.name, (uint32_t)mode, (uint32_t)dev));
}

int64_t lx_sys_mknod(struct lx_call *c) {
    return mknod_at(c, AT_FDCWD, c->a[0], c->a[1], c->a[2]);
}

int64_t lx_sys_mknodat(struct lx_call *c) {
    return mknod_at(c, (int32_t)c->a[0], c->a[1], c->a[2], c->a[3]);
}

/* ---- unlink, rmdir ---- */

static int64_t unlink_at(struct lx_call *c, int32_t dirfd, uint64_t path, uint64_t flags) {
    struct lx_path at;
    if ((uint32_t)flags & ~(uint32_t)AT_REMOVEDIR)
        return -EINVAL;
    int rc = lx_path(c, dirfd, path, LX_NOFOLLOW, &at);
    if (rc < 0)
        return rc;
    return lx_result(syscall(SYS_unlinkat, at.dirfd, at.name, (uint32_t)flags));
}

int64_t lx_sys_unlink(struct lx_call *c) {
    return unlink_at(c, AT_FDCWD, c->a[0], 0);
}

int64_t lx_sys_rmdir(struct lx_call *c) {
    return unlink_at(c, AT_FDCWD, c->a[0], AT_REMOVEDIR);
}

int64_t lx_sys_unlinkat(struct lx_call *c) {
    return unlink_at(c, (int32_t)c->a[0], c->a[1], c->a[2]);
}

/* ---- rename, link, symlink ---- */

static int64_t rename_at(struct lx_call *c, int32_t from_fd, uint64_t from, int32_t to_fd,
                         uint64_t to, uint64_t flags) {
    struct lx_path a, b;
    int rc = lx_path(c, from_fd, from, LX_NOFOLLOW, &a);
    if (rc == 0)
        rc = lx_path(c, to_fd, to, LX_NOFOLLOW, &b);
    if (rc < 0)
        return rc;
    return lx_result(syscall(SYS_renameat2, a.dirfd, a.name, b.dirfd, b.name, (uint32_t)flags));
}

int64_t lx_sys_rename(struct lx_call *c) {
    return rename_at(c, AT_FDCWD, c->a[0], AT_FDCWD, c->a[1], 0);
}

int64_t lx_sys_renameat(struct lx_call *c) {
    return rename_at(c, (int32_t)c->a[0], c->a[1], (int32_t)c->a[2], c->a[3], 0);
}

int64_t lx_sys_renameat2(struct lx_call *c) {
    return rename_at(c, (int32_t)c->a[0], c->a[1], (int32_t)c->a[2], c->a[3], c->a[4]);
}

static int64_t link_at(struct lx_call *c, int32_t from_fd, uint64_t from, int32_t to_fd,
                       uint64_t to, uint64_t flags) {
    struct lx_path a, b;
    uint32_t follow = flags & AT_SYMLINK_FOLLOW ? LX_FOLLOW : LX_NOFOLLOW;
    int rc = lx_path(c, from_fd, from, follow, &a);
    if (rc == 0)
        rc = lx_path(c, to_fd, to, LX_NOFOLLOW, &b);
    if (rc < 0)
        return rc;
    return lx_result(syscall(SYS_linkat, a.dirfd, a.name, b.dirfd, b.name, (uint32_t)flags));
}

int64_t lx_sys_link(struct lx_call *c) {
    return link_at(c, AT_FDCWD, c->a[0], AT_FDCWD, c->a[1], 0);
}

int64_t lx_sys_linkat(struct lx_call *c) {
    return link_at(c, (int32_t)c->a[0], c->a[1], (int32_t)c->a[2], c->a[3], c->a[4]);
}

/* The target is text: what it means is found out when it is followed. */
static int64_t symlink_at(struct lx_call *c, uint64_t target, int32_t dirfd, uint64_t path) {
    char text[LX_PATH_MAX];
    struct lx_path at;
    int rc = lx_string(c, text, target, sizeof text);
    if (rc == 0)
        rc = lx_path(c, dirfd, path, LX_NOFOLLOW, &at);
    if (rc < 0)
        return rc;
    return lx_result(syscall(SYS_symlinkat, text, at.dirfd, at.name));
}

int64_t lx_sys_symlink(struct lx_call *c) {
    return symlink_at(c, c->a[0], AT_FDCWD, c->a[1]);
}

int64_t lx_sys_symlinkat(struct lx_call *c) {
    return symlink_at(c, c->a[0], (int32_t)c->a[1], c->a[2]);
}

/* ---- readlink ---- */

/* Links of /proc say where things are on the host: tell it as the guest would see it. */
static const char *as_guest(struct blink_plugin *abi, const char *link, const char *target) {
    const char *name = strrchr(link, '/');
    if (strncmp(link, "/proc/", 6) || target[0] != '/')
        return target;
    if (name && !strcmp(name, "/root"))
        return "/";
    const char *guest = lx_guest_name(abi, target);
    return guest ? guest : target;
}

static int64_t readlink_at(struct lx_call *c, int32_t dirfd, uint64_t path, uint64_t dst,
                           uint64_t size) {
    char text[LX_PATH_MAX], target[PATH_MAX];
    struct lx_path at;
    const char *told = target;
    char program[PATH_MAX], folder[LX_PROC_FOLDER];
    if ((int32_t)size <= 0)
        return -EINVAL;
    int rc = lx_string(c, text, path, sizeof text);
    if (rc < 0)
        return rc;
    const char *self = lx_path_self(c->abi, dirfd, text, folder);
    if (self && !strcmp(self, "exe") && c->abi->id.exe_guest) {
        told = c->abi->id.exe_guest;
    } else {
        rc = lx_path_text(c->abi, dirfd, text, LX_NOFOLLOW, &at);
        ssize_t n = rc < 0 ? 0 : readlinkat(at.dirfd, at.name, target, sizeof target - 1);
        if (rc < 0 || n < 0)
            return rc < 0 ? rc : -errno;
        target[n] = 0;
        if (lx_proc_program(at.name, program, sizeof program) == 0)
            told = program;
        else if (lx_layers_now(c->abi))
            told = as_guest(c->abi, at.name, target);
    }
    size_t n = strlen(told);
    if (n > (uint32_t)size)
        n = (uint32_t)size;
    return lx_give(c, (int64_t)n, dst, told, n);
}

int64_t lx_sys_readlink(struct lx_call *c) {
    return readlink_at(c, AT_FDCWD, c->a[0], c->a[1], c->a[2]);
}

int64_t lx_sys_readlinkat(struct lx_call *c) {
    return readlink_at(c, (int32_t)c->a[0], c->a[1], c->a[2], c->a[3]);
}
