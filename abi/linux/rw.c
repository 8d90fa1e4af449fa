/*
 * read, write and their kin. Guest buffers are pinned and the host works on them directly. On the
 * vCPU's thread.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arg.h"

#define BOUNCE_MAX (64u << 10)

enum { TO_GUEST = BLINK_PROT_WRITE, FROM_GUEST = BLINK_PROT_READ };

/* Devices that cannot scatter take the first piece for the whole: they get it as one piece. */
static int64_t in_one_piece(struct lx_call *c, int number, uint32_t access, uint64_t offset,
                            const struct lx_pinned *p) {
    uint64_t size = c->a[2] < BOUNCE_MAX ? c->a[2] : BOUNCE_MAX;
    bool whole = p->size >= size;
    void *bytes = whole ? malloc(size) : lx_nowhere(c->abi);
    int64_t rc = bytes ? 0 : -ENOMEM;
    if (rc == 0 && whole && access == FROM_GUEST)
        rc = lx_in(c, bytes, c->a[1], size);
    if (rc == 0)
        rc = LX_SYSCALL(c, number, (int32_t)c->a[0], bytes, size, offset, 0, 0);
    if (rc > 0 && access == TO_GUEST && lx_out(c, c->a[1], bytes, (size_t)rc) < 0)
        rc = -EFAULT;
    if (whole)
        free(bytes);
    return rc;
}

/* One buffer: the host's call for one buffer, unless the memory lies in several pieces. */
static int64_t one(struct lx_call *c, int number, int vector, uint32_t access, uint64_t offset) {
    struct lx_pinned p;
    int64_t rc = lx_buffer(c, c->a[1], c->a[2], access, &p);
    if (rc < 0)
        return rc;
    if (p.count == 1)
        rc = LX_SYSCALL(c, number, (int32_t)c->a[0], p.iov[0].iov_base, p.iov[0].iov_len, offset, 0,
                        0);
    else
        rc = LX_SYSCALL(c, vector, (int32_t)c->a[0], p.iov, p.count, offset, 0, 0);
    if (rc == -EINVAL && p.count > 1)
        rc = in_one_piece(c, number, access, offset, &p);
    lx_unpin(&p);
    return rc;
}

static int64_t many(struct lx_call *c, int number, uint32_t access, uint64_t offset,
                    uint64_t flags) {
    struct lx_pinned p;
    int64_t rc = lx_buffer_iov(c, c->a[1], c->a[2], access, &p);
    if (rc < 0)
        return rc;
    rc = LX_SYSCALL(c, number, (int32_t)c->a[0], p.iov, p.count, offset, 0, flags);
    lx_unpin(&p);
    return rc;
}

int64_t lx_sys_read(struct lx_call *c) {
    return one(c, SYS_read, SYS_readv, TO_GUEST, 0);
}

int64_t lx_sys_write(struct lx_call *c) {
    return one(c, SYS_write, SYS_writev, FROM_GUEST, 0);
}

int64_t lx_sys_pread64(struct lx_call *c) {
    return one(c, SYS_pread64, SYS_preadv, TO_GUEST, c->a[3]);
}

int64_t lx_sys_pwrite64(struct lx_call *c) {
    return one(c, SYS_pwrite64, SYS_pwritev, FROM_GUEST, c->a[3]);
}

int64_t lx_sys_readv(struct lx_call *c) {
    return many(c, SYS_readv, TO_GUEST, 0, 0);
}

int64_t lx_sys_writev(struct lx_call *c) {
    return many(c, SYS_writev, FROM_GUEST, 0, 0);
}

/* The offset's high half, in the argument after it, is shifted out of 64 bits. */
int64_t lx_sys_preadv(struct lx_call *c) {
    return many(c, SYS_preadv, TO_GUEST, c->a[3], 0);
}

int64_t lx_sys_pwritev(struct lx_call *c) {
    return many(c, SYS_pwritev, FROM_GUEST, c->a[3], 0);
}

int64_t lx_sys_preadv2(struct lx_call *c) {
    return many(c, SYS_preadv2, TO_GUEST, c->a[3], c->a[5]);
}

int64_t lx_sys_pwritev2(struct lx_call *c) {
    return many(c, SYS_pwritev2, FROM_GUEST, c->a[3], c->a[5]);
}

int64_t lx_sys_lseek(struct lx_call *c) {
    return lx_result(syscall(SYS_lseek, (int32_t)c->a[0], c->a[1], (uint32_t)c->a[2]));
}

int64_t lx_sys_getrandom(struct lx_call *c) {
    struct lx_pinned p;
    uint64_t size = c->a[1] < LX_RW_MAX ? c->a[1] : LX_RW_MAX;
    int64_t rc = lx_buffer(c, c->a[0], size, TO_GUEST, &p);
    int64_t done = 0;
    if (rc < 0)
        return rc;
    for (uint32_t k = 0; k < p.count; k++) {
        rc = LX_SYSCALL(c, SYS_getrandom, p.iov[k].iov_base, p.iov[k].iov_len, (uint32_t)c->a[2], 0,
                        0, 0);
        if (rc < 0)
            break;
        done += rc;
        if ((size_t)rc < p.iov[k].iov_len)
            break;
    }
    lx_unpin(&p);
    return done ? done : rc;
}
