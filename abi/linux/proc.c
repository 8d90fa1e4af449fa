/*
 * Processes as they see themselves and their relatives: ids, groups, sessions, waiting, uname,
 * prctl, arch_prctl, personality. vCPU threads.
 */
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux.h"

#define TASK_SIZE UINT64_C(0x7ffffffff000)

/* ---- ids ---- */

int64_t lx_sys_getpid(struct lx_call *c) {
    (void)c;
    return syscall(SYS_getpid);
}

int64_t lx_sys_gettid(struct lx_call *c) {
    (void)c;
    return syscall(SYS_gettid);
}

int64_t lx_sys_getppid(struct lx_call *c) {
    (void)c;
    return syscall(SYS_getppid);
}

int64_t lx_sys_getpgrp(struct lx_call *c) {
    (void)c;
    return getpgrp();
}

int64_t lx_sys_getpgid(struct lx_call *c) {
    return lx_result(getpgid((pid_t)c->a[0]));
}

int64_t lx_sys_setpgid(struct lx_call *c) {
    return lx_result(setpgid((pid_t)c->a[0], (pid_t)c->a[1]));
}

int64_t lx_sys_getsid(struct lx_call *c) {
    return lx_result(getsid((pid_t)c->a[0]));
}

int64_t lx_sys_setsid(struct lx_call *c) {
    (void)c;
    return lx_result(setsid());
}

/* ---- waiting ---- */

int64_t lx_sys_wait4(struct lx_call *c) {
    int32_t status = 0;
    struct rusage usage;
    int64_t pid = LX_SYSCALL(c, SYS_wait4, (int64_t)(int32_t)c->a[0], &status,
                             (int64_t)(int32_t)c->a[2], c->a[3] ? &usage : NULL, 0, 0);
    if (pid <= 0)
        return pid;
    if (lx_out_opt(c, c->a[1], &status, sizeof status) ||
        lx_out_opt(c, c->a[3], &usage, sizeof usage))
        return -EFAULT;
    return pid;
}

/* Linux fills the fields that mean something, and leaves the hole after si_code alone. */
static int put_child_info(struct lx_call *c, uint64_t address, const siginfo_t *info) {
    size_t head = offsetof(siginfo_t, si_pid), tail = 3 * sizeof(int32_t);
    if (lx_out(c, address, info, 3 * sizeof(int32_t)))
        return -EFAULT;
    return lx_out(c, address + head, (const uint8_t *)info + head, tail);
}

int64_t lx_sys_waitid(struct lx_call *c) {
    siginfo_t info;
    struct rusage usage;
    memset(&info, 0, sizeof info);
    int64_t rc = LX_SYSCALL(c, SYS_waitid, (int64_t)(int32_t)c->a[0], (int64_t)(int32_t)c->a[1],
                            &info, (int64_t)(int32_t)c->a[3], c->a[4] ? &usage : NULL, 0);
    if (rc >= 0 && info.si_pid && lx_out_opt(c, c->a[4], &usage, sizeof usage))
        return -EFAULT;
    /* Linux writes it whatever the result. */
    return c->a[2] && put_child_info(c, c->a[2], &info) < 0 ? -EFAULT : rc;
}

/* ---- what kind of machine ---- */

int64_t lx_sys_uname(struct lx_call *c) {
    struct g_utsname out;
    struct utsname host;
    if (uname(&host))
        return -errno;
    memset(&out, 0, sizeof out);
    snprintf(out.sysname, sizeof out.sysname, "%s", host.sysname);
    snprintf(out.nodename, sizeof out.nodename, "%s", host.nodename);
    snprintf(out.release, sizeof out.release, "%s", host.release);
    snprintf(out.version, sizeof out.version, "%s", host.version);
    snprintf(out.machine, sizeof out.machine, "x86_64");
    snprintf(out.domainname, sizeof out.domainname, "%s", host.domainname);
    return lx_out(c, c->a[0], &out, sizeof out);
}

/* The host's, which exec keeps. Nothing of it may change blink itself. */
int64_t lx_sys_personality(struct lx_call *c) {
    uint32_t wanted = (uint32_t)c->a[0];
    if (wanted != 0xffffffff && (wanted & PER_MASK) != PER_LINUX)
        return -EINVAL;
    if (wanted != 0xffffffff)
        wanted &= ~(uint32_t)READ_IMPLIES_EXEC;
    return lx_result(syscall(SYS_personality, wanted));
}

static int set_base(struct lx_call *c, struct blink_seg *seg, uint64_t base) {
    (void)c;
    if (base >= TASK_SIZE)
        return -EPERM;
    seg->base = base;
    seg->selector = 0;
    return 0;
}

int64_t lx_sys_arch_prctl(struct lx_call *c) {
    struct blink_seg *fs = &c->cpu->seg[BLINK_SEG_FS], *gs = &c->cpu->seg[BLINK_SEG_GS];
    switch (c->a[0]) {
    case G_ARCH_SET_FS: return set_base(c, fs, c->a[1]);
    case G_ARCH_SET_GS: return set_base(c, gs, c->a[1]);
    case G_ARCH_GET_FS: return lx_out(c, c->a[1], &fs->base, sizeof fs->base);
    case G_ARCH_GET_GS: return lx_out(c, c->a[1], &gs->base, sizeof gs->base);
    case G_ARCH_GET_CPUID: return 1; /* CPUID does not fault */
    case G_ARCH_SET_CPUID: return c->a[1] ? 0 : -ENODEV;
    default: return -EINVAL;
    }
}

/* ---- prctl ---- */

enum { P_PASS, P_OUT_INT, P_NAME_IN, P_NAME_OUT, P_TSC_GET, P_TSC_SET, P_TID_ADDRESS, P_VMA };
#ifndef PR_SET_VMA
  #define PR_SET_VMA 0x53564d41
#endif
#define NAME_SIZE 16

/* Options that reach the host; all others are -EINVAL, as from a kernel without them. */
static const struct {
    int option;
    uint8_t how;
} prctls[] = {
    {PR_SET_PDEATHSIG, P_PASS},
    {PR_GET_PDEATHSIG, P_OUT_INT},
    {PR_GET_DUMPABLE, P_PASS},
    {PR_SET_DUMPABLE, P_PASS},
    {PR_GET_KEEPCAPS, P_PASS},
    {PR_SET_KEEPCAPS, P_PASS},
    {PR_GET_TIMING, P_PASS},
    {PR_SET_TIMING, P_PASS},
    {PR_SET_NAME, P_NAME_IN},
    {PR_GET_NAME, P_NAME_OUT},
    {PR_GET_SECCOMP, P_PASS},
    {PR_CAPBSET_READ, P_PASS},
    {PR_CAPBSET_DROP, P_PASS},
    {PR_GET_TSC, P_TSC_GET},
    {PR_SET_TSC, P_TSC_SET},
    {PR_GET_SECUREBITS, P_PASS},
    {PR_SET_SECUREBITS, P_PASS},
    {PR_SET_TIMERSLACK, P_PASS},
    {PR_GET_TIMERSLACK, P_PASS},
    {PR_MCE_KILL, P_PASS},
    {PR_MCE_KILL_GET, P_PASS},
    {PR_SET_PTRACER, P_PASS},
    {PR_SET_CHILD_SUBREAPER, P_PASS},
    {PR_GET_CHILD_SUBREAPER, P_OUT_INT},
    {PR_SET_NO_NEW_PRIVS, P_PASS},
    {PR_GET_NO_NEW_PRIVS, P_PASS},
    {PR_GET_TID_ADDRESS, P_TID_ADDRESS},
    {PR_SET_THP_DISABLE, P_PASS},
    {PR_GET_THP_DISABLE, P_PASS},
    {PR_CAP_AMBIENT, P_PASS},
    {PR_GET_SPECULATION_CTRL, P_PASS},
    {PR_SET_VMA, P_VMA},
};

static int64_t prctl_name(struct lx_call *c, bool set) {
    char name[NAME_SIZE] = {0};
    if (!set)
        return prctl(PR_GET_NAME, name) ? -errno : lx_out(c, c->a[1], name, sizeof name);
    /* Longer ones are cut. */
    for (size_t k = 0; k < NAME_SIZE - 1; k++) {
        if (lx_in(c, &name[k], c->a[1] + k, 1))
            return -EFAULT;
        if (!name[k])
            break;
    }
    return lx_result(prctl(PR_SET_NAME, name));
}

/* PR_SET_VMA_ANON_NAME: what /proc/self/maps calls a range. */
static int64_t prctl_vma(struct lx_call *c) {
    char text[80], name[sizeof text + 16];
    if (c->a[1] != 0)
        return -EINVAL;
    if (!c->a[4])
        return c->abi->mem.set_name(c->cpu->mem, c->a[2], c->a[3], "");
    if (lx_string(c, text, c->a[4], sizeof text))
        return -EINVAL;
    snprintf(name, sizeof name, "[anon:%s]", text);
    return c->abi->mem.set_name(c->cpu->mem, c->a[2], c->a[3], name);
}

int64_t lx_sys_prctl(struct lx_call *c) {
    static const int32_t tsc_enabled = PR_TSC_ENABLE;
    int option = (int)c->a[0], value = 0;
    size_t k = 0, n = sizeof prctls / sizeof prctls[0];
    while (k < n && prctls[k].option != option)
        k++;
    if (k == n)
        return -EINVAL;
    switch (prctls[k].how) {
    case P_NAME_IN: return prctl_name(c, true);
    case P_NAME_OUT: return prctl_name(c, false);
    case P_VMA: return prctl_vma(c);
    case P_TSC_GET: return lx_out(c, c->a[1], &tsc_enabled, sizeof tsc_enabled);
    case P_TSC_SET: return c->a[1] == PR_TSC_ENABLE ? 0 : -EINVAL;
    case P_TID_ADDRESS:
        return lx_out(c, c->a[1], &c->thread->clear_child_tid, sizeof c->thread->clear_child_tid);
    case P_OUT_INT:
        if (prctl(option, &value, c->a[2], c->a[3], c->a[4]))
            return -errno;
        return lx_out(c, c->a[1], &value, sizeof value);
    default: return lx_result(prctl(option, c->a[1], c->a[2], c->a[3], c->a[4]));
    }
}
