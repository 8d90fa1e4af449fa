/*
 * Space and contents of files: sizes, holes, write-back, and moving of data between descriptors.
 * On the vCPU's thread.
 */
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arg.h"

/* ---- size and space ---- */

int64_t lx_sys_truncate(struct lx_call *c) {
    struct lx_path at;
    if ((int64_t)c->a[1] < 0)
        return -EINVAL;
    int rc = lx_path(c, AT_FDCWD, c->a[0], LX_FOLLOW, &at);
    return rc < 0 ? rc : LX_SYSCALL(c, SYS_truncate, at.name, c->a[1], 0, 0, 0, 0);
}

int64_t lx_sys_ftruncate(struct lx_call *c) {
    return LX_SYSCALL(c, SYS_ftruncate, (int32_t)c->a[0], c->a[1], 0, 0, 0, 0);
}

int64_t lx_sys_fallocate(struct lx_call *c) {
    return LX_SYSCALL(c, SYS_fallocate, (int32_t)c->a[0], (uint32_t)c->a[1], c->a[2], c->a[3], 0,
                      0);
}

int64_t lx_sys_fadvise64(struct lx_call *c) {
    return lx_result(syscall(SYS_fadvise64, (int32_t)c->a[0], c->a[1], c->a[2], (uint32_t)c->a[3]));
}

int64_t lx_sys_readahead(struct lx_call *c) {
    return lx_result(syscall(SYS_readahead, (int32_t)c->a[0], c->a[1], c->a[2]));
}

/* ---- write-back ---- */

int64_t lx_sys_fsync(struct lx_call *c) {
    return LX_SYSCALL(c, SYS_fsync, (int32_t)c->a[0], 0, 0, 0, 0, 0);
}

int64_t lx_sys_fdatasync(struct lx_call *c) {
    return LX_SYSCALL(c, SYS_fdatasync, (int32_t)c->a[0], 0, 0, 0, 0, 0);
}

int64_t lx_sys_sync(struct lx_call *c) {
    (void)c;
    sync();
    return 0;
}

int64_t lx_sys_syncfs(struct lx_call *c) {
    return LX_SYSCALL(c, SYS_syncfs, (int32_t)c->a[0], 0, 0, 0, 0, 0);
}

int64_t lx_sys_sync_file_range(struct lx_call *c) {
    return LX_SYSCALL(c, SYS_sync_file_range, (int32_t)c->a[0], c->a[1], c->a[2], (uint32_t)c->a[3],
                      0, 0);
}

/* ---- between descriptors ---- */

/* A file offset by pointer, which the host advances. */
struct offset {
    uint64_t guest; /* address or 0 */
    int64_t value;
    const void *host;
};

static void offset_in(struct lx_call *c, uint64_t guest, struct offset *o) {
    o->guest = guest;
    o->host = lx_arg(c, &o->value, guest, sizeof o->value);
}

static int64_t offset_out(struct lx_call *c, int64_t result, const struct offset *o) {
    return lx_give(c, result, o->guest, &o->value, sizeof o->value);
}

int64_t lx_sys_sendfile(struct lx_call *c) {
    struct offset o;
    offset_in(c, c->a[2], &o);
    int64_t rc =
        LX_SYSCALL(c, SYS_sendfile, (int32_t)c->a[0], (int32_t)c->a[1], o.host, c->a[3], 0, 0);
    /* Written back whatever the result. */
    bool good = o.host == &o.value;
    return good && lx_out(c, o.guest, &o.value, sizeof o.value) < 0 ? -EFAULT : rc;
}

static int64_t two_offsets(struct lx_call *c, int number) {
    struct offset in, out;
    offset_in(c, c->a[1], &in);
    offset_in(c, c->a[3], &out);
    int64_t rc = LX_SYSCALL(c, number, (int32_t)c->a[0], in.host, (int32_t)c->a[2], out.host,
                            c->a[4], (uint32_t)c->a[5]);
    return offset_out(c, offset_out(c, rc, &in), &out);
}

int64_t lx_sys_copy_file_range(struct lx_call *c) {
    return two_offsets(c, SYS_copy_file_range);
}

int64_t lx_sys_splice(struct lx_call *c) {
    return two_offsets(c, SYS_splice);
}

int64_t lx_sys_tee(struct lx_call *c) {
    return LX_SYSCALL(c, SYS_tee, (int32_t)c->a[0], (int32_t)c->a[1], c->a[2], (uint32_t)c->a[3], 0,
                      0);
}

/* The pipe's direction is the buffers'. */
int64_t lx_sys_vmsplice(struct lx_call *c) {
    struct lx_pinned p;
    int fd = (int32_t)c->a[0], mode = fcntl(fd, F_GETFL);
    if (mode < 0)
        return -errno;
    uint32_t access = (mode & O_ACCMODE) == O_RDONLY ? BLINK_PROT_WRITE : BLINK_PROT_READ;
    int64_t rc = lx_buffer_iov(c, c->a[1], c->a[2], access, &p);
    if (rc < 0)
        return rc;
    rc = LX_SYSCALL(c, SYS_vmsplice, fd, p.iov, p.count, (uint32_t)c->a[3], 0, 0);
    lx_unpin(&p);
    return rc;
}
