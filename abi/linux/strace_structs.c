/*
 * The trace: structures of the guest. Called on the call's thread.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "strace.h"

/* ---- signals ---- */

void lx_print_sigset(struct lx_line *l, uint64_t v) {
    uint64_t set;
    if (lx_peek(l, v, &set, sizeof set))
        lx_put_sigset(l, set);
}
void lx_print_osigset(struct lx_line *l, uint64_t v) {
    uint64_t set;
    if (lx_peek_out(l, v, &set, sizeof set))
        lx_put_sigset(l, set);
}

static void put_sigaction(struct lx_line *l, const struct g_sigaction *a) {
    if (a->handler == G_SIG_DFL)
        lx_put(l, "{sa_handler=SIG_DFL");
    else if (a->handler == G_SIG_IGN)
        lx_put(l, "{sa_handler=SIG_IGN");
    else
        lx_put(l, "{sa_%s=%#llx", a->flags & G_SA_SIGINFO ? "sigaction" : "handler",
               (unsigned long long)a->handler);
    lx_put(l, ", sa_mask=");
    lx_put_sigset(l, a->mask);
    lx_put(l, ", sa_flags=");
    lx_put_flags(l, lx_names_sa, a->flags);
    if (a->flags & G_SA_RESTORER)
        lx_put(l, ", sa_restorer=%#llx", (unsigned long long)a->restorer);
    lx_put(l, "}");
}
void lx_print_sigaction(struct lx_line *l, uint64_t v) {
    struct g_sigaction a;
    if (lx_peek(l, v, &a, sizeof a))
        put_sigaction(l, &a);
}
void lx_print_osigaction(struct lx_line *l, uint64_t v) {
    struct g_sigaction a;
    if (lx_peek_out(l, v, &a, sizeof a))
        put_sigaction(l, &a);
}

static void put_stack(struct lx_line *l, const struct g_stack *s) {
    lx_put(l, "{ss_sp=");
    lx_put_pointer(l, s->sp);
    lx_put(l, ", ss_flags=");
    lx_put_flags(l, lx_names_ss, (uint32_t)s->flags);
    lx_put(l, ", ss_size=%llu}", (unsigned long long)s->size);
}
void lx_print_stack(struct lx_line *l, uint64_t v) {
    struct g_stack s;
    if (lx_peek(l, v, &s, sizeof s))
        put_stack(l, &s);
}
void lx_print_ostack(struct lx_line *l, uint64_t v) {
    struct g_stack s;
    if (lx_peek_out(l, v, &s, sizeof s))
        put_stack(l, &s);
}

static void put_siginfo(struct lx_line *l, const siginfo_t *i) {
    uint64_t kind = i->si_code > 0 && i->si_code < SI_KERNEL ? (uint64_t)i->si_signo : 0;
    lx_put(l, "{si_signo=");
    lx_put_enum(l, lx_names_signal, (uint64_t)i->si_signo);
    lx_put(l, ", si_code=");
    lx_put_enum(l, lx_names_sigcode, kind << 32 | (uint32_t)i->si_code);
    lx_put(l, ", si_pid=%d, si_uid=%u", i->si_pid, i->si_uid);
    if (i->si_signo == SIGCHLD && i->si_code > 0)
        lx_put(l, ", si_status=%d", i->si_status);
    lx_put(l, "}");
}
void lx_print_siginfo(struct lx_line *l, uint64_t v) {
    siginfo_t i;
    if (lx_peek(l, v, &i, sizeof i))
        put_siginfo(l, &i);
}
void lx_print_osiginfo(struct lx_line *l, uint64_t v) {
    siginfo_t i;
    if (lx_peek_out(l, v, &i, sizeof i))
        put_siginfo(l, &i);
}

/* ---- processes ---- */

void lx_print_cloneargs(struct lx_line *l, uint64_t v) {
    uint64_t a[8];
    if (!lx_peek(l, v, a, sizeof a))
        return;
    lx_put(l, "{flags=");
    lx_put_flags(l, lx_names_clone, a[0]);
    lx_put(l, ", exit_signal=");
    lx_put_enum(l, lx_names_signal, a[4]);
    lx_put(l, ", stack=");
    lx_put_pointer(l, a[5]);
    lx_put(l, ", stack_size=%#llx, tls=%#llx}", (unsigned long long)a[6], (unsigned long long)a[7]);
}

static void put_limit(struct lx_line *l, uint64_t v) {
    if (v == UINT64_MAX)
        lx_put(l, "RLIM64_INFINITY");
    else if (v && v % 1024 == 0)
        lx_put(l, "%llu*1024", (unsigned long long)(v / 1024));
    else
        lx_put(l, "%llu", (unsigned long long)v);
}
static void put_rlimit(struct lx_line *l, const uint64_t r[2]) {
    lx_put(l, "{rlim_cur=");
    put_limit(l, r[0]);
    lx_put(l, ", rlim_max=");
    put_limit(l, r[1]);
    lx_put(l, "}");
}
void lx_print_rlimit(struct lx_line *l, uint64_t v) {
    uint64_t r[2];
    if (lx_peek(l, v, r, sizeof r))
        put_rlimit(l, r);
}
void lx_print_orlimit(struct lx_line *l, uint64_t v) {
    uint64_t r[2];
    if (lx_peek_out(l, v, r, sizeof r))
        put_rlimit(l, r);
}

static void put_timeval(struct lx_line *l, const struct timeval *t) {
    lx_put(l, "{tv_sec=%lld, tv_usec=%lld}", (long long)t->tv_sec, (long long)t->tv_usec);
}
static void put_timespec(struct lx_line *l, const struct timespec *t) {
    if (t->tv_nsec == UTIME_NOW || t->tv_nsec == UTIME_OMIT)
        lx_put(l, t->tv_nsec == UTIME_NOW ? "UTIME_NOW" : "UTIME_OMIT");
    else
        lx_put(l, "{tv_sec=%lld, tv_nsec=%lld}", (long long)t->tv_sec, (long long)t->tv_nsec);
}

void lx_print_orusage(struct lx_line *l, uint64_t v) {
    struct rusage r;
    if (!lx_peek_out(l, v, &r, sizeof r))
        return;
    lx_put(l, "{ru_utime=");
    put_timeval(l, &r.ru_utime);
    lx_put(l, ", ru_stime=");
    put_timeval(l, &r.ru_stime);
    lx_put(l, ", ...}");
}

void lx_print_outsname(struct lx_line *l, uint64_t v) {
    struct g_utsname u;
    if (lx_peek_out(l, v, &u, sizeof u))
        lx_put(l, "{sysname=\"%.64s\", nodename=\"%.64s\", ...}", u.sysname, u.nodename);
}

void lx_print_osysinfo(struct lx_line *l, uint64_t v) {
    struct g_sysinfo s;
    if (lx_peek_out(l, v, &s, sizeof s))
        lx_put(l, "{uptime=%lld, loads=[%llu, %llu, %llu], totalram=%llu, freeram=%llu, ...}",
               (long long)s.uptime, (unsigned long long)s.loads[0], (unsigned long long)s.loads[1],
               (unsigned long long)s.loads[2], (unsigned long long)s.totalram,
               (unsigned long long)s.freeram);
}

static void put_cpuset(struct lx_line *l, uint64_t address, uint64_t size) {
    uint8_t set[128];
    bool any = false;
    if (size > sizeof set)
        size = sizeof set;
    if (!lx_peek(l, address, set, (size_t)size))
        return;
    lx_put(l, "[");
    for (uint64_t k = 0; k < size * 8; k++)
        if (set[k / 8] >> (k % 8) & 1) {
            lx_put(l, "%s%llu", any ? " " : "", (unsigned long long)k);
            any = true;
        }
    lx_put(l, "]");
}
void lx_print_ocpuset(struct lx_line *l, uint64_t v) {
    if (l->failed)
        lx_put_pointer(l, v);
    else
        put_cpuset(l, v, (uint64_t)l->result);
}
void lx_print_cpuset(struct lx_line *l, uint64_t v) {
    put_cpuset(l, v, l->arg ? (uint32_t)l->c->a[l->arg - 1] : 0);
}

void lx_print_schedparam(struct lx_line *l, uint64_t v) {
    lx_print_iint(l, v);
}
void lx_print_oschedparam(struct lx_line *l, uint64_t v) {
    lx_print_oint(l, v);
}

/* ---- times ---- */

void lx_print_timespec(struct lx_line *l, uint64_t v) {
    struct timespec t;
    if (lx_peek(l, v, &t, sizeof t))
        put_timespec(l, &t);
}
void lx_print_otimespec(struct lx_line *l, uint64_t v) {
    struct timespec t;
    if (lx_peek_out(l, v, &t, sizeof t))
        put_timespec(l, &t);
}
void lx_print_timeval(struct lx_line *l, uint64_t v) {
    struct timeval t;
    if (lx_peek(l, v, &t, sizeof t))
        put_timeval(l, &t);
}
void lx_print_otimeval(struct lx_line *l, uint64_t v) {
    struct timeval t;
    if (lx_peek_out(l, v, &t, sizeof t))
        put_timeval(l, &t);
}
void lx_print_timespec2(struct lx_line *l, uint64_t v) {
    struct timespec t[2];
    if (!lx_peek(l, v, t, sizeof t))
        return;
    lx_put(l, "[");
    put_timespec(l, &t[0]);
    lx_put(l, ", ");
    put_timespec(l, &t[1]);
    lx_put(l, "]");
}
static void put_timevals(struct lx_line *l, const struct timeval t[2], const char *names[3]) {
    lx_put(l, "%s", names[0]);
    put_timeval(l, &t[0]);
    lx_put(l, "%s", names[1]);
    put_timeval(l, &t[1]);
    lx_put(l, "%s", names[2]);
}
static const char *itimer_names[3] = {"{it_interval=", ", it_value=", "}"};
void lx_print_timeval2(struct lx_line *l, uint64_t v) {
    static const char *plain[3] = {"[", ", ", "]"};
    struct timeval t[2];
    if (lx_peek(l, v, t, sizeof t))
        put_timevals(l, t, plain);
}
void lx_print_itimerval(struct lx_line *l, uint64_t v) {
    struct timeval t[2];
    if (lx_peek(l, v, t, sizeof t))
        put_timevals(l, t, itimer_names);
}
void lx_print_oitimerval(struct lx_line *l, uint64_t v) {
    struct timeval t[2];
    if (lx_peek_out(l, v, t, sizeof t))
        put_timevals(l, t, itimer_names);
}
static void put_itimerspec(struct lx_line *l, const struct timespec t[2]) {
    lx_put(l, "%s", itimer_names[0]);
    put_timespec(l, &t[0]);
    lx_put(l, "%s", itimer_names[1]);
    put_timespec(l, &t[1]);
    lx_put(l, "%s", itimer_names[2]);
}
void lx_print_itimerspec(struct lx_line *l, uint64_t v) {
    struct timespec t[2];
    if (lx_peek(l, v, t, sizeof t))
        put_itimerspec(l, t);
}
void lx_print_oitimerspec(struct lx_line *l, uint64_t v) {
    struct timespec t[2];
    if (lx_peek_out(l, v, t, sizeof t))
        put_itimerspec(l, t);
}

/* ---- files ---- */

static void put_type(struct lx_line *l, uint32_t mode) {
    static const struct {
        uint32_t type;
        const char *name;
    } types[] = {
        {S_IFREG, "S_IFREG"}, {S_IFDIR, "S_IFDIR"},   {S_IFCHR, "S_IFCHR"}, {S_IFBLK, "S_IFBLK"},
        {S_IFIFO, "S_IFIFO"}, {S_IFSOCK, "S_IFSOCK"}, {S_IFLNK, "S_IFLNK"},
    };
    for (size_t k = 0; k < sizeof types / sizeof types[0]; k++)
        if ((mode & S_IFMT) == types[k].type)
            lx_put(l, "%s|", types[k].name);
    lx_put(l, "0%03o", mode & ~(uint32_t)S_IFMT);
}

void lx_print_ostat(struct lx_line *l, uint64_t v) {
    struct g_stat s;
    if (!lx_peek_out(l, v, &s, sizeof s))
        return;
    lx_put(l, "{st_mode=");
    put_type(l, s.mode);
    if (S_ISCHR(s.mode) || S_ISBLK(s.mode))
        lx_put(l, ", st_rdev=makedev(%#x, %#x), ...}", major(s.rdev), minor(s.rdev));
    else
        lx_put(l, ", st_size=%lld, ...}", (long long)s.size);
}

void lx_print_ostatx(struct lx_line *l, uint64_t v) {
    struct statx s;
    if (!lx_peek_out(l, v, &s, sizeof s))
        return;
    lx_put(l, "{stx_mask=");
    lx_put_flags(l, lx_names_statxmask, s.stx_mask);
    lx_put(l, ", stx_mode=");
    put_type(l, s.stx_mode);
    lx_put(l, ", stx_size=%llu, ...}", (unsigned long long)s.stx_size);
}

void lx_print_ostatfs(struct lx_line *l, uint64_t v) {
    struct statfs s;
    if (lx_peek_out(l, v, &s, sizeof s))
        lx_put(l, "{f_type=%#llx, f_bsize=%lld, f_blocks=%llu, f_bfree=%llu, ...}",
               (unsigned long long)s.f_type, (long long)s.f_bsize, (unsigned long long)s.f_blocks,
               (unsigned long long)s.f_bfree);
}

/* Both layouts have the length of a record at offset 16. */
void lx_print_odirents(struct lx_line *l, uint64_t v) {
    uint64_t at = 0, end = l->failed ? 0 : (uint64_t)l->result, entries = 0;
    uint16_t length;
    lx_put_pointer(l, v);
    while (at < end && lx_in(l->c, &length, v + at + 16, sizeof length) == 0 && length) {
        at += length;
        entries++;
    }
    if (!l->failed)
        lx_put(l, " /* %llu entries */", (unsigned long long)entries);
}

/* ---- polling ---- */

void lx_print_pollfd(struct lx_line *l, uint64_t v) {
    uint64_t count = (uint32_t)l->c->a[l->arg + 1];
    struct {
        int32_t fd;
        uint16_t events, revents;
    } p;
    if (!count || lx_in(l->c, &p, v, sizeof p)) {
        lx_put_pointer(l, v);
        return;
    }
    lx_put(l, "[");
    for (uint64_t k = 0; k < count && k < LX_ITEM_MAX; k++) {
        if (lx_in(l->c, &p, v + k * sizeof p, sizeof p))
            break;
        lx_put(l, "%s{fd=%d, events=", k ? ", " : "", p.fd);
        lx_put_flags(l, lx_names_poll, p.events);
        lx_put(l, "}");
    }
    lx_put(l, count > LX_ITEM_MAX ? ", ...]" : "]");
}

void lx_print_fdset(struct lx_line *l, uint64_t v) {
    uint64_t bits = (uint32_t)l->c->a[0];
    uint8_t set[128];
    bool any = false;
    if (bits > sizeof set * 8)
        bits = sizeof set * 8;
    if (!lx_peek(l, v, set, (size_t)(bits + 63) / 64 * 8))
        return;
    lx_put(l, "[");
    for (uint64_t k = 0; k < bits; k++)
        if (set[k / 8] >> (k % 8) & 1) {
            lx_put(l, "%s%llu", any ? " " : "", (unsigned long long)k);
            any = true;
        }
    lx_put(l, "]");
}

static void put_epoll_event(struct lx_line *l, const struct g_epoll_event *e) {
    lx_put(l, "{events=");
    lx_put_flags(l, lx_names_epoll, e->events);
    lx_put(l, ", data=%#llx}", (unsigned long long)e->data);
}
void lx_print_epollevent(struct lx_line *l, uint64_t v) {
    struct g_epoll_event e;
    if (lx_peek(l, v, &e, sizeof e))
        put_epoll_event(l, &e);
}
void lx_print_oepollevent(struct lx_line *l, uint64_t v) {
    struct g_epoll_event e;
    if (l->failed) {
        lx_put_pointer(l, v);
        return;
    }
    lx_put(l, "[");
    for (int64_t k = 0; k < l->result && k < LX_ITEM_MAX; k++) {
        if (lx_in(l->c, &e, v + (uint64_t)k * sizeof e, sizeof e))
            break;
        if (k)
            lx_put(l, ", ");
        put_epoll_event(l, &e);
    }
    lx_put(l, l->result > LX_ITEM_MAX ? ", ...]" : "]");
}

/* ---- sockets ---- */

static void put_sockaddr(struct lx_line *l, uint64_t address, uint64_t size) {
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
        struct sockaddr_storage storage;
    } a;
    char text[INET6_ADDRSTRLEN] = "";
    memset(&a, 0, sizeof a);
    if (size < sizeof a.sa.sa_family || !address) {
        lx_put_pointer(l, address);
        return;
    }
    if (!lx_peek(l, address, &a, size < sizeof a ? (size_t)size : sizeof a))
        return;
    lx_put(l, "{sa_family=");
    lx_put_enum(l, lx_names_domain, a.sa.sa_family);
    switch (a.sa.sa_family) {
    case AF_INET:
        inet_ntop(AF_INET, &a.in.sin_addr, text, sizeof text);
        lx_put(l, ", sin_port=htons(%u), sin_addr=inet_addr(\"%s\")", ntohs(a.in.sin_port), text);
        break;
    case AF_INET6:
        inet_ntop(AF_INET6, &a.in6.sin6_addr, text, sizeof text);
        lx_put(l, ", sin6_port=htons(%u), sin6_addr=\"%s\"", ntohs(a.in6.sin6_port), text);
        break;
    case AF_UNIX:
        if (size <= offsetof(struct sockaddr_un, sun_path))
            break;
        /* An abstract name begins with a zero. */
        lx_put(l, ", sun_path=%s\"%.107s\"", a.un.sun_path[0] ? "" : "@",
               a.un.sun_path[0] ? a.un.sun_path : a.un.sun_path + 1);
        break;
    default: break;
    }
    lx_put(l, "}");
}

void lx_print_sockaddr(struct lx_line *l, uint64_t v) {
    put_sockaddr(l, v, (uint32_t)l->c->a[l->arg + 1]);
}
void lx_print_osockaddr(struct lx_line *l, uint64_t v) {
    int32_t size = 0;
    if (l->failed || !v || lx_in(l->c, &size, l->c->a[l->arg + 1], sizeof size) || size < 0)
        lx_put_pointer(l, v);
    else
        put_sockaddr(l, v, (uint64_t)size);
}

struct g_msghdr {
    uint64_t name;
    uint32_t namelen, pad;
    uint64_t iov, iovlen, control, controllen;
    uint32_t flags, pad2;
};

/* `left`: bytes that were moved. */
static void put_msghdr(struct lx_line *l, const struct g_msghdr *m, uint64_t left) {
    lx_put(l, "{msg_name=");
    put_sockaddr(l, m->name, m->namelen);
    lx_put(l, ", msg_namelen=%u, msg_iov=[", m->namelen);
    for (uint64_t k = 0; k < m->iovlen && k < LX_ITEM_MAX; k++) {
        struct g_iovec v;
        uint8_t bytes[LX_STRING_MAX];
        if (lx_in(l->c, &v, m->iov + k * sizeof v, sizeof v))
            break;
        uint64_t size = v.len < left ? v.len : left;
        size_t shown = size < sizeof bytes ? (size_t)size : sizeof bytes;
        left -= size;
        lx_put(l, "%s{iov_base=", k ? ", " : "");
        if (lx_peek(l, v.base, bytes, shown))
            lx_put_bytes(l, bytes, shown, size > shown);
        lx_put(l, ", iov_len=%llu}", (unsigned long long)v.len);
    }
    lx_put(l, "], msg_iovlen=%llu, msg_controllen=%llu, msg_flags=", (unsigned long long)m->iovlen,
           (unsigned long long)m->controllen);
    lx_put_flags(l, lx_names_msg, m->flags);
    lx_put(l, "}");
}
void lx_print_msghdr(struct lx_line *l, uint64_t v) {
    struct g_msghdr m;
    if (lx_peek(l, v, &m, sizeof m))
        put_msghdr(l, &m, UINT64_MAX);
}
void lx_print_omsghdr(struct lx_line *l, uint64_t v) {
    struct g_msghdr m;
    if (lx_peek_out(l, v, &m, sizeof m))
        put_msghdr(l, &m, (uint64_t)l->result);
}
