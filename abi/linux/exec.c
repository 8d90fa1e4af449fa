/*
 * execve: this process becomes another blink that runs the new program, see respawn in
 * <blink/exec.h>. vCPU threads.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "linux.h"

#define FD_PREFIX "/dev/fd/"

/* Bytes of arguments and environment together: a quarter of the stack, 6 MiB at most. */
static size_t args_budget(void) {
    uint64_t quarter = lx_stack_limit() / 4, most = UINT64_C(6) << 20;
    return (size_t)(quarter < most ? quarter : most);
}

/* A path that blink opens, and the name that the guest will find in AT_EXECFN. */
struct target {
    char host[LX_PATH_MAX + 64];
    char guest[LX_PATH_MAX + 64];
};

static int host_name(const struct lx_path *p, char *out, size_t size) {
    int n = p->dirfd == AT_FDCWD || p->name[0] == '/' ? snprintf(out, size, "%s", p->name)
            : p->name[0] ? snprintf(out, size, "/proc/self/fd/%d/%s", p->dirfd, p->name)
                         : snprintf(out, size, "/proc/self/fd/%d", p->dirfd);
    return (size_t)n < size ? 0 : -ENAMETOOLONG;
}

/* Of one call, held by its thread: the call does not return when it succeeds, and memory that is
 * shared with another process must not be lost. */
struct lx_exec {
    struct target target;
    char **args, **env;
};

void lx_exec_free(struct lx_exec *e) {
    if (!e)
        return;
    lx_strings_free(e->args);
    lx_strings_free(e->env);
    free(e);
}

/* do_open_execat and bprm's names. */
static int find(struct lx_call *c, int32_t dirfd, uint64_t path, uint32_t flags,
                struct target *out) {
    char name[LX_PATH_MAX];
    struct lx_path p;
    struct stat st;
    int rc = lx_string(c, name, path, sizeof name);
    if (rc)
        return rc;
    if (!name[0] && !(flags & AT_EMPTY_PATH))
        return -ENOENT;
    if (flags & ~(uint32_t)(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
        return -EINVAL;
    if (!name[0]) {
        if (dirfd == AT_FDCWD)
            return -EACCES;
        snprintf(out->guest, sizeof out->guest, FD_PREFIX "%d", dirfd);
        snprintf(out->host, sizeof out->host, "/proc/self/fd/%d", dirfd);
        return fstat(dirfd, &st) ? -errno : 0;
    }
    if (name[0] == '/' || dirfd == AT_FDCWD)
        snprintf(out->guest, sizeof out->guest, "%s", name);
    else
        snprintf(out->guest, sizeof out->guest, FD_PREFIX "%d/%s", dirfd, name);
    if (name[0] != '/' && dirfd != AT_FDCWD && fstat(dirfd, &st))
        return -errno;
    bool nofollow = flags & AT_SYMLINK_NOFOLLOW;
    rc = lx_path_text(c->abi, dirfd, name, nofollow ? LX_NOFOLLOW : LX_FOLLOW, &p);
    if (rc)
        return rc;
    if (nofollow && fstatat(p.dirfd, p.name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode))
        return -ELOOP;
    return host_name(&p, out->host, sizeof out->host);
}

static int64_t run(struct lx_call *c, int32_t dirfd, uint64_t path, uint64_t argv, uint64_t envp,
                   uint32_t flags) {
    struct lx_exec *e = calloc(1, sizeof *e);
    c->thread->exec = e;
    int rc = e ? find(c, dirfd, path, flags, &e->target) : -ENOMEM;
    if (rc == 0)
        rc = lx_strings(c, argv, args_budget(), &e->args);
    if (rc == 0)
        rc = lx_strings(c, envp, args_budget(), &e->env);
    if (rc == 0) {
        if (c->line)
            lx_trace_gone(c);
        rc = c->abi->exec.respawn(c->cpu, e->target.host, e->target.guest,
                                  (const char *const *)e->args, (const char *const *)e->env);
    }
    c->thread->exec = NULL;
    lx_exec_free(e);
    return rc;
}

int64_t lx_sys_execve(struct lx_call *c) {
    return run(c, AT_FDCWD, c->a[0], c->a[1], c->a[2], 0);
}

int64_t lx_sys_execveat(struct lx_call *c) {
    return run(c, (int32_t)c->a[0], c->a[1], c->a[2], c->a[3], (uint32_t)c->a[4]);
}
