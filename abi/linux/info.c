/*
 * What the system and the process use and may use. On the vCPU's thread.
 */
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "arg.h"

int64_t lx_sys_sysinfo(struct lx_call *c) {
    struct sysinfo s;
    int64_t rc = lx_result(sysinfo(&s));
    if (rc < 0)
        return rc;
    struct g_sysinfo g = {
        .uptime = s.uptime,
        .loads = {s.loads[0], s.loads[1], s.loads[2]},
        .totalram = s.totalram,
        .freeram = s.freeram,
        .sharedram = s.sharedram,
        .bufferram = s.bufferram,
        .totalswap = s.totalswap,
        .freeswap = s.freeswap,
        .procs = s.procs,
        .totalhigh = s.totalhigh,
        .freehigh = s.freehigh,
        .mem_unit = s.mem_unit,
    };
    return lx_out(c, c->a[0], &g, sizeof g);
}

int64_t lx_sys_getcpu(struct lx_call *c) {
    uint32_t cpu, node;
    int64_t rc = lx_result(syscall(SYS_getcpu, &cpu, &node, NULL));
    rc = lx_give(c, rc, c->a[0], &cpu, sizeof cpu);
    return lx_give(c, rc, c->a[1], &node, sizeof node);
}

int64_t lx_sys_getrusage(struct lx_call *c) {
    struct rusage usage;
    int64_t rc = lx_result(syscall(SYS_getrusage, (int32_t)c->a[0], &usage));
    return rc < 0 ? rc : lx_out(c, c->a[1], &usage, sizeof usage);
}

int64_t lx_sys_syslog(struct lx_call *c) {
    struct lx_piece p;
    int32_t type = (int32_t)c->a[0], size = (int32_t)c->a[2];
    int64_t rc = lx_piece(c, c->a[1], size > 0 ? (uint32_t)size : 0, BLINK_PROT_WRITE, &p);
    if (rc < 0)
        return rc;
    rc = LX_SYSCALL(c, SYS_syslog, type, p.host, size, 0, 0, 0);
    if (lx_piece_end(c, &p, rc > 0 ? (uint64_t)rc : 0) < 0)
        rc = -EFAULT;
    return rc;
}

/* ---- limits ---- */

/* Limits of memory are the guest's to know, but blink itself is not held to them: it needs more
 * than the guest and could not tell of its end. */
static bool is_memory(uint32_t resource) {
    return resource == RLIMIT_AS || resource == RLIMIT_DATA;
}

static struct rlimit *kept_limit(struct blink_plugin *abi, uint32_t resource) {
    return &abi->memory_limit[resource == RLIMIT_AS];
}

/* As prlimit(2) of this process, for a resource the host is not told of. */
static int64_t kept(struct lx_call *c, uint32_t resource, const struct rlimit *set,
                    struct rlimit *old) {
    struct rlimit *now = kept_limit(c->abi, resource), host;
    int64_t rc = lx_result(getrlimit(resource, &host));
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&c->abi->lock);
    *old = c->abi->has_memory_limit & 1u << (resource == RLIMIT_AS) ? *now : host;
    if (set && set->rlim_cur > set->rlim_max)
        rc = -EINVAL;
    else if (set && set->rlim_max > old->rlim_max && geteuid() != 0)
        rc = -EPERM;
    if (set && rc == 0) {
        *now = *set;
        c->abi->has_memory_limit |= 1u << (resource == RLIMIT_AS);
    }
    pthread_mutex_unlock(&c->abi->lock);
    return rc;
}

static int64_t limit(struct lx_call *c, int32_t pid, uint32_t resource, const struct rlimit *set,
                     struct rlimit *old) {
    bool self = pid == 0 || pid == getpid();
    if (self && is_memory(resource))
        return kept(c, resource, set, old);
    return lx_result(syscall(SYS_prlimit64, pid, resource, set, old));
}

int64_t lx_sys_getrlimit(struct lx_call *c) {
    struct rlimit value;
    int64_t rc = limit(c, 0, (uint32_t)c->a[0], NULL, &value);
    return rc < 0 ? rc : lx_out(c, c->a[1], &value, sizeof value);
}

int64_t lx_sys_setrlimit(struct lx_call *c) {
    struct rlimit value, old;
    if (lx_in(c, &value, c->a[1], sizeof value) < 0)
        return -EFAULT;
    return limit(c, 0, (uint32_t)c->a[0], &value, &old);
}

int64_t lx_sys_prlimit64(struct lx_call *c) {
    struct rlimit value, old;
    if (c->a[2] && lx_in(c, &value, c->a[2], sizeof value) < 0)
        return -EFAULT;
    int64_t rc = limit(c, (int32_t)c->a[0], (uint32_t)c->a[1], c->a[2] ? &value : NULL, &old);
    return lx_give(c, rc, c->a[3], &old, sizeof old);
}
