/*
 * The trace: numbers, descriptors, strings, buffers and pointers to small things. Called on the
 * call's thread.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "strace.h"

/* ---- numbers ---- */

void lx_print_int(struct lx_line *l, uint64_t v) {
    lx_put(l, "%d", (int32_t)v);
}
void lx_print_uint(struct lx_line *l, uint64_t v) {
    lx_put(l, "%u", (uint32_t)v);
}
void lx_print_long(struct lx_line *l, uint64_t v) {
    lx_put(l, "%lld", (long long)v);
}
void lx_print_size(struct lx_line *l, uint64_t v) {
    lx_put(l, "%llu", (unsigned long long)v);
}
void lx_print_hex(struct lx_line *l, uint64_t v) {
    lx_put(l, v ? "%#llx" : "%llu", (unsigned long long)v);
}
void lx_print_ptr(struct lx_line *l, uint64_t v) {
    lx_put_pointer(l, v);
}
void lx_print_mode(struct lx_line *l, uint64_t v) {
    lx_put(l, (uint32_t)v ? "0%03o" : "%o", (uint32_t)v);
}
void lx_print_dev(struct lx_line *l, uint64_t v) {
    lx_put(l, "makedev(%#x, %#x)", major((dev_t)v), minor((dev_t)v));
}
void lx_print_fd(struct lx_line *l, uint64_t v) {
    lx_put(l, "%d", (int32_t)v);
}
void lx_print_atfd(struct lx_line *l, uint64_t v) {
    if ((int32_t)v == G_AT_FDCWD)
        lx_put(l, "AT_FDCWD");
    else
        lx_put(l, "%d", (int32_t)v);
}
void lx_print_pid(struct lx_line *l, uint64_t v) {
    lx_put(l, "%d", (int32_t)v);
}
void lx_print_id(struct lx_line *l, uint64_t v) {
    lx_put(l, (uint32_t)v == UINT32_MAX ? "%d" : "%u", (uint32_t)v);
}

/* ---- strings and buffers ---- */

static void put_string(struct lx_line *l, uint64_t address, size_t max) {
    char text[LX_PATH_MAX];
    int rc = address ? lx_string(l->c, text, address, sizeof text) : -EFAULT;
    if (rc == -EFAULT) {
        lx_put_pointer(l, address);
        return;
    }
    size_t size = rc ? sizeof text : strlen(text);
    lx_put_bytes(l, (const uint8_t *)text, size < max ? size : max, size > max);
}

static void put_buffer(struct lx_line *l, uint64_t address, uint64_t size) {
    uint8_t bytes[LX_STRING_MAX];
    size_t shown = size < sizeof bytes ? (size_t)size : sizeof bytes;
    if (lx_peek(l, address, bytes, shown))
        lx_put_bytes(l, bytes, shown, size > shown);
}

void lx_print_path(struct lx_line *l, uint64_t v) {
    put_string(l, v, LX_PATH_MAX);
}
void lx_print_opath(struct lx_line *l, uint64_t v) {
    if (l->failed)
        lx_put_pointer(l, v);
    else
        put_string(l, v, LX_PATH_MAX);
}
void lx_print_str(struct lx_line *l, uint64_t v) {
    put_string(l, v, LX_STRING_MAX);
}
void lx_print_buf(struct lx_line *l, uint64_t v) {
    put_buffer(l, v, l->arg < 5 ? l->c->a[l->arg + 1] : 0);
}
void lx_print_obuf(struct lx_line *l, uint64_t v) {
    if (l->failed)
        lx_put_pointer(l, v);
    else
        put_buffer(l, v, (uint64_t)l->result);
}

static void put_vector(struct lx_line *l, uint64_t address) {
    lx_put(l, "[");
    for (int k = 0; k <= LX_ITEM_MAX; k++) {
        uint64_t item;
        if (lx_in(l->c, &item, address + 8 * (uint64_t)k, sizeof item) || !item)
            break;
        lx_put(l, k ? ", " : "");
        if (k < LX_ITEM_MAX)
            put_string(l, item, LX_STRING_MAX);
        else
            lx_put(l, "...");
    }
    lx_put(l, "]");
}

void lx_print_argv(struct lx_line *l, uint64_t v) {
    uint64_t first;
    if (lx_peek(l, v, &first, sizeof first))
        put_vector(l, v);
}

void lx_print_envp(struct lx_line *l, uint64_t v) {
    uint64_t item, n = 0;
    lx_put_pointer(l, v);
    while (v && lx_in(l->c, &item, v + 8 * n, sizeof item) == 0 && item)
        n++;
    if (v)
        lx_put(l, " /* %llu var%s */", (unsigned long long)n, n == 1 ? "" : "s");
}

/* `left`: bytes that were moved, for what the call filled. */
static void put_iovec(struct lx_line *l, uint64_t address, uint64_t left) {
    uint64_t count = l->arg < 5 ? (uint32_t)l->c->a[l->arg + 1] : 0;
    struct g_iovec v;
    if (count == 0 || count > LX_IOV_MAX) {
        lx_put_pointer(l, address);
        return;
    }
    lx_put(l, "[");
    for (uint64_t k = 0; k < count && k < LX_ITEM_MAX; k++) {
        lx_put(l, k ? ", " : "");
        if (!lx_peek(l, address + k * sizeof v, &v, sizeof v))
            break;
        uint64_t size = v.len < left ? v.len : left;
        left -= size;
        lx_put(l, "{iov_base=");
        put_buffer(l, v.base, size);
        lx_put(l, ", iov_len=%llu}", (unsigned long long)v.len);
    }
    lx_put(l, count > LX_ITEM_MAX ? ", ...]" : "]");
}

void lx_print_iovec(struct lx_line *l, uint64_t v) {
    put_iovec(l, v, UINT64_MAX);
}
void lx_print_oiovec(struct lx_line *l, uint64_t v) {
    if (l->failed)
        lx_put_pointer(l, v);
    else
        put_iovec(l, v, (uint64_t)l->result);
}

/* ---- pointers to small things ---- */

void lx_print_oint(struct lx_line *l, uint64_t v) {
    int32_t x;
    if (lx_peek_out(l, v, &x, sizeof x))
        lx_put(l, "[%d]", x);
}
void lx_print_iint(struct lx_line *l, uint64_t v) {
    int32_t x;
    if (lx_peek(l, v, &x, sizeof x))
        lx_put(l, "[%d]", x);
}
void lx_print_ouint(struct lx_line *l, uint64_t v) {
    uint32_t x;
    if (lx_peek_out(l, v, &x, sizeof x))
        lx_put(l, "[%u]", x);
}
void lx_print_olong(struct lx_line *l, uint64_t v) {
    int64_t x;
    if (lx_peek_out(l, v, &x, sizeof x))
        lx_put(l, "[%lld]", (long long)x);
}
void lx_print_ilong(struct lx_line *l, uint64_t v) {
    int64_t x;
    if (lx_peek(l, v, &x, sizeof x))
        lx_put(l, "[%lld]", (long long)x);
}
void lx_print_optr(struct lx_line *l, uint64_t v) {
    uint64_t x;
    if (lx_peek_out(l, v, &x, sizeof x)) {
        lx_put(l, "[");
        lx_put_pointer(l, x);
        lx_put(l, "]");
    }
}
void lx_print_opipe(struct lx_line *l, uint64_t v) {
    int32_t fd[2];
    if (lx_peek_out(l, v, fd, sizeof fd))
        lx_put(l, "[%d, %d]", fd[0], fd[1]);
}

void lx_print_owstatus(struct lx_line *l, uint64_t v) {
    int32_t s;
    if (l->result == 0) { /* nobody was waited for */
        lx_put_pointer(l, v);
        return;
    }
    if (!lx_peek_out(l, v, &s, sizeof s))
        return;
    if (WIFEXITED(s)) {
        lx_put(l, "[{WIFEXITED(s) && WEXITSTATUS(s) == %d}]", WEXITSTATUS(s));
    } else if (WIFSIGNALED(s)) {
        lx_put(l, "[{WIFSIGNALED(s) && WTERMSIG(s) == ");
        lx_put_enum(l, lx_names_signal, (uint64_t)WTERMSIG(s));
        lx_put(l, WCOREDUMP(s) ? " && WCOREDUMP(s)}]" : "}]");
    } else if (WIFSTOPPED(s)) {
        lx_put(l, "[{WIFSTOPPED(s) && WSTOPSIG(s) == ");
        lx_put_enum(l, lx_names_signal, (uint64_t)WSTOPSIG(s));
        lx_put(l, "}]");
    } else {
        lx_put(l, WIFCONTINUED(s) ? "[{WIFCONTINUED(s)}]" : "[%#x]", (unsigned)s);
    }
}

static void put_ids(struct lx_line *l, uint64_t address, uint64_t count) {
    uint32_t id;
    if (!count || lx_in(l->c, &id, address, sizeof id)) {
        lx_put_pointer(l, address);
        return;
    }
    lx_put(l, "[");
    for (uint64_t k = 0; k < count && k < LX_ITEM_MAX; k++)
        if (lx_in(l->c, &id, address + k * sizeof id, sizeof id) == 0)
            lx_put(l, "%s%u", k ? ", " : "", id);
    lx_put(l, count > LX_ITEM_MAX ? ", ...]" : "]");
}

void lx_print_oids(struct lx_line *l, uint64_t v) {
    put_ids(l, v, l->failed || (int32_t)l->c->a[0] == 0 ? 0 : (uint64_t)l->result);
}
void lx_print_iids(struct lx_line *l, uint64_t v) {
    put_ids(l, v, l->arg ? (uint32_t)l->c->a[l->arg - 1] : 0);
}

/* ---- arguments that another one explains ---- */

void lx_print_futexop(struct lx_line *l, uint64_t v) {
    uint32_t op = (uint32_t)v;
    lx_put_enum(l, lx_names_futex, op & FUTEX_CMD_MASK);
    if (op & FUTEX_PRIVATE_FLAG)
        lx_put(l, "_PRIVATE");
    if (op & FUTEX_CLOCK_REALTIME)
        lx_put(l, "|FUTEX_CLOCK_REALTIME");
}

void lx_print_futextime(struct lx_line *l, uint64_t v) {
    static const uint32_t timed = 1u << FUTEX_WAIT | 1u << FUTEX_LOCK_PI | 1u << FUTEX_WAIT_BITSET |
                                  1u << FUTEX_WAIT_REQUEUE_PI | 1u << 13;
    uint32_t op = (uint32_t)l->c->a[1] & FUTEX_CMD_MASK;
    if (op < 32 && timed >> op & 1)
        lx_print_timespec(l, v);
    else
        lx_print_hex(l, v);
}

void lx_print_fcntlarg(struct lx_line *l, uint64_t v) {
    switch ((int)l->c->a[1]) {
    case F_GETFD:
    case F_GETFL:
    case F_GETOWN:
    case F_GETSIG:
    case F_GETLEASE:
    case F_GETPIPE_SZ:
    case F_GET_SEALS: lx_put(l, "0"); break;
    case F_SETFD: lx_put_flags(l, lx_names_fdflags, v); break;
    case F_SETFL: lx_put_flags(l, lx_names_open, v); break;
    case F_SETSIG: lx_put_enum(l, lx_names_signal, v); break;
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
    case F_SETOWN:
    case F_SETPIPE_SZ: lx_print_int(l, v); break;
    default: lx_print_hex(l, v); break;
    }
}

void lx_print_ioctlarg(struct lx_line *l, uint64_t v) {
    uint16_t size[4];
    switch ((uint32_t)l->c->a[1]) {
    case FIONREAD:
    case TIOCOUTQ:
    case TIOCGPGRP:
    case TIOCGSID:
    case TIOCGPTN: lx_print_oint(l, v); break;
    case FIONBIO:
    case FIOASYNC:
    case TIOCSPGRP:
    case TIOCSPTLCK: lx_print_iint(l, v); break;
    case TIOCGWINSZ:
        if (lx_peek_out(l, v, size, sizeof size))
            lx_put(l, "{ws_row=%u, ws_col=%u, ws_xpixel=%u, ws_ypixel=%u}", size[0], size[1],
                   size[2], size[3]);
        break;
    default: lx_print_hex(l, v); break;
    }
}

void lx_print_sockopt(struct lx_line *l, uint64_t v) {
    if ((int)l->c->a[l->arg - 1] == SOL_SOCKET)
        lx_put_enum(l, lx_names_sockopt, v);
    else
        lx_print_int(l, v);
}
