/*
 * fcntl, by table of commands: which argument each takes. On the vCPU's thread.
 */
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arg.h"

_Static_assert(sizeof(struct flock) == 32, "struct flock");
_Static_assert(F_GETLK == 5 && F_SETLK == 6 && F_SETLKW == 7, "lock commands");
_Static_assert(F_SETOWN == 8 && F_GETOWN == 9 && F_SETSIG == 10 && F_GETSIG == 11,
               "owner commands");

enum { NONE, VALUE, FLAGS, TO_FLAGS, IN, OUT, INOUT };

/* Not in all C libraries. */
#define SET_FILE_RW_HINT 1038
#define DUPFD_QUERY      1027
#define CREATED_QUERY    1028
#define GETOWNER_UIDS    17

static const struct {
    uint16_t command;
    uint8_t kind;
    uint8_t size;
} commands[] = {
    {F_DUPFD, VALUE, 0},
    {F_GETFD, NONE, 0},
    {F_SETFD, VALUE, 0},
    {F_GETFL, TO_FLAGS, 0},
    {F_SETFL, FLAGS, 0},
    {F_GETLK, INOUT, sizeof(struct flock)},
    {F_SETLK, IN, sizeof(struct flock)},
    {F_SETLKW, IN, sizeof(struct flock)},
    {F_SETOWN, VALUE, 0},
    {F_GETOWN, NONE, 0},
    {F_SETSIG, VALUE, 0},
    {F_GETSIG, NONE, 0},
    {F_SETOWN_EX, IN, sizeof(struct f_owner_ex)},
    {F_GETOWN_EX, OUT, sizeof(struct f_owner_ex)},
    {GETOWNER_UIDS, OUT, 2 * sizeof(uint32_t)},
    {F_OFD_GETLK, INOUT, sizeof(struct flock)},
    {F_OFD_SETLK, IN, sizeof(struct flock)},
    {F_OFD_SETLKW, IN, sizeof(struct flock)},
    {F_SETLEASE, VALUE, 0},
    {F_GETLEASE, NONE, 0},
    {F_NOTIFY, VALUE, 0},
    {DUPFD_QUERY, VALUE, 0},
    {CREATED_QUERY, NONE, 0},
    {F_DUPFD_CLOEXEC, VALUE, 0},
    {F_SETPIPE_SZ, VALUE, 0},
    {F_GETPIPE_SZ, NONE, 0},
    {F_ADD_SEALS, VALUE, 0},
    {F_GET_SEALS, NONE, 0},
    {F_GET_RW_HINT, OUT, sizeof(uint64_t)},
    {F_SET_RW_HINT, IN, sizeof(uint64_t)},
    {F_GET_FILE_RW_HINT, OUT, sizeof(uint64_t)},
    {SET_FILE_RW_HINT, IN, sizeof(uint64_t)},
};
#define COMMANDS (sizeof commands / sizeof commands[0])

int64_t lx_sys_fcntl(struct lx_call *c) {
    int fd = (int32_t)c->a[0];
    uint32_t command = (uint32_t)c->a[1];
    size_t k = 0;
    while (k < COMMANDS && commands[k].command != command)
        k++;
    if (k == COMMANDS) /* the host still tells a bad descriptor from a bad command */
        return fcntl(fd, F_GETFD) < 0 ? -errno : -EINVAL;
    uint64_t buf[4] = {0}, arg = c->a[2];
    uint8_t kind = commands[k].kind, size = commands[k].size;
    if (kind == FLAGS)
        arg = (uint32_t)lx_open_flags(arg);
    if (kind == IN || kind == INOUT)
        arg = (uintptr_t)lx_arg(c, buf, arg, size);
    if (kind == OUT)
        arg = (uintptr_t)buf;
    int64_t rc = LX_SYSCALL(c, SYS_fcntl, fd, command, arg, 0, 0, 0);
    if (kind == TO_FLAGS && rc >= 0)
        rc = (int64_t)lx_open_flags_back((int)rc);
    if ((kind == OUT || kind == INOUT) && rc >= 0 && lx_out(c, c->a[2], buf, size) < 0)
        rc = -EFAULT;
    return rc;
}

int64_t lx_sys_flock(struct lx_call *c) {
    return LX_SYSCALL(c, SYS_flock, (int32_t)c->a[0], (uint32_t)c->a[1], 0, 0, 0, 0);
}
