/*
 * Folders: where the process stands, and what folders hold. On the vCPU's thread.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arg.h"

/* ---- the current folder ---- */

int64_t lx_sys_chdir(struct lx_call *c) {
    struct lx_path at;
    int rc = lx_path(c, AT_FDCWD, c->a[0], LX_FOLLOW, &at);
    return rc < 0 ? rc : lx_result(chdir(at.name));
}

int64_t lx_sys_fchdir(struct lx_call *c) {
    return lx_result(fchdir((int32_t)c->a[0]));
}

int64_t lx_sys_getcwd(struct lx_call *c) {
    char host[PATH_MAX], far[PATH_MAX + 16];
    int64_t n = lx_result(syscall(SYS_getcwd, host, sizeof host));
    if (n < 0)
        return n;
    const char *guest = lx_guest_name(c->abi, host);
    if (!guest) { /* as Linux tells of a folder outside of the root */
        strcpy(far, "(unreachable)");
        strcat(far, host);
        guest = far;
    }
    size_t size = strlen(guest) + 1;
    if (size > c->a[1])
        return -ERANGE;
    return lx_out(c, c->a[0], guest, size) < 0 ? -EFAULT : (int64_t)size;
}

int64_t lx_sys_umask(struct lx_call *c) {
    return umask((mode_t)c->a[0]);
}

/* ---- entries ---- */

struct entry64 {
    uint64_t ino;
    int64_t off;
    uint16_t reclen;
    uint8_t type;
    char name[];
} __attribute__((packed));

/* Whether it shows the process's own descriptors. */
static bool shows_own(int fd) {
    char link[32], name[64], own[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, name, sizeof name - 1);
    name[n > 0 ? n : 0] = 0;
    snprintf(own, sizeof own, "/proc/%d/", (int)getpid());
    const char *last = strrchr(name, '/');
    return last && strncmp(name, own, strlen(own)) == 0 &&
           (!strcmp(last, "/fd") || !strcmp(last, "/fdinfo"));
}

/* Entries without that of the log, which is no descriptor of the guest's: bytes that are left. */
static size_t without_log(const struct blink_plugin *abi, uint8_t *bytes, size_t size) {
    for (size_t at = 0; at < size;) {
        const struct entry64 *e = (const struct entry64 *)(bytes + at);
        size_t length = e->reclen;
        if (!strcmp(e->name, abi->log_fd)) {
            memmove(bytes + at, bytes + at + length, size - at - length);
            return size - length;
        }
        at += length;
    }
    return size;
}

/* Entries into memory of the host. */
static int64_t read_entries(struct lx_call *c, void *bytes, uint32_t size) {
    int fd = (int32_t)c->a[0];
    int64_t rc = LX_SYSCALL(c, SYS_getdents64, fd, bytes, size, 0, 0, 0);
    if (rc <= 0 || !c->abi->log_fd[0] || !shows_own(fd))
        return rc;
    size_t left = without_log(c->abi, bytes, (size_t)rc);
    /* If it was the only one, it is not the end. */
    return left ? (int64_t)left : LX_SYSCALL(c, SYS_getdents64, fd, bytes, size, 0, 0, 0);
}

int64_t lx_sys_getdents64(struct lx_call *c) {
    struct lx_piece p;
    uint32_t size = (uint32_t)c->a[2];
    /* More than this at once is never needed: the guest asks again. */
    if (size > INT32_MAX)
        size = INT32_MAX;
    int64_t rc = lx_piece(c, c->a[1], size, BLINK_PROT_WRITE, &p);
    if (rc < 0)
        return rc;
    rc = read_entries(c, p.host, size);
    if (lx_piece_end(c, &p, rc > 0 ? (uint64_t)rc : 0) < 0)
        rc = -EFAULT;
    return rc;
}

/* The older form has the name in the type's place and the type in the last byte: the records are
 * of the same length. */
static void to_old(uint8_t *at, size_t size) {
    while (size) {
        struct entry64 *e = (struct entry64 *)at;
        uint8_t type = e->type;
        uint16_t length = e->reclen;
        size_t head = offsetof(struct entry64, name);
        memmove(at + head - 1, at + head, length - head);
        at[length - 1] = type;
        at += length;
        size -= length;
    }
}

int64_t lx_sys_getdents(struct lx_call *c) {
    uint32_t size = (uint32_t)c->a[2];
    if (size > 1u << 16)
        size = 1u << 16;
    uint8_t *bytes = malloc(size ? size : 1);
    if (!bytes)
        return -ENOMEM;
    int64_t rc = read_entries(c, bytes, size);
    if (rc > 0) {
        to_old(bytes, (size_t)rc);
        rc = lx_give(c, rc, c->a[1], bytes, (size_t)rc);
        if (rc > 0 && !c->a[1])
            rc = -EFAULT;
    }
    free(bytes);
    return rc;
}
