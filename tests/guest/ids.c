/*
 * Who a process is and how it is scheduled: users, groups, capabilities, sessions, priorities,
 * policies, processors, personality. What changes the process runs in a child.
 */
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "guest.h"
#include "raw.h"

static void in_child(void (*work)(void)) {
    int status = -1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        work();
        fflush(stdout);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    printf("child: %#x\n", (unsigned)status);
}

/* Each of these fails for who may not; the outcome is the same for all programs of one user. */
static void users(void) {
    uid_t r, e, s;
    gid_t groups[4] = {1, 2, 3, 4};
    RAW(setgroups, 2, groups);
    RAW(setgroups, 65537, groups);
    RAW(setgroups, 2, (void *)8);
    memset(groups, 0, sizeof groups);
    long n = RAW(getgroups, 4, groups);
    for (long k = 0; k < n; k++)
        printf("group %u\n", groups[k]);
    RAW(setregid, -1, 12);
    RAW(setresgid, 11, 12, 13);
    RAW(getresgid, &r, &e, &s);
    printf("%u %u %u %u %u\n", r, e, s, getgid(), getegid());
    RAW(setfsgid, 14);
    RAW(setfsgid, -1);
    RAW(setgid, 15);
    RAW(setreuid, -1, 0);
    RAW(setfsuid, 21);
    RAW(setfsuid, -1);
    RAW(setresuid, 22, 23, 24);
    RAW(getresuid, &r, &e, &s);
    printf("%u %u %u %u %u\n", r, e, s, getuid(), geteuid());
    RAW(setuid, 0);
    RAW(setuid, 24);
    RAW(setresuid, 0, -1, -1);
}

static void capabilities(void) {
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    memset(data, 0, sizeof data);
    RAW(capget, &head, data);
    printf("%#x %#x\n", data[0].effective, data[1].permitted);
    data[0].effective = data[0].inheritable = 0;
    RAW(capset, &head, data);
    RAW(capget, &head, data);
    printf("%#x\n", data[0].effective);
    head.version = 1;
    RAW(capget, &head, data);
    printf("%#x\n", head.version);
    head.version = 2;
    RAW(capset, &head, data);
    head.version = _LINUX_CAPABILITY_VERSION_3;
    head.pid = 1 << 22;
    RAW(capget, &head, data);
}

static void sessions(void) {
    printf("%d %d\n", getpgid(0) == getpgrp(), getsid(0) == getsid(getppid()));
    RAW(setpgid, 0, 0);
    CHECK(getpgrp() == getpid());
    RAW(setpgid, 0, 1 << 22);
    RAW(setpgid, 1, 0);
    RAW(getpgid, 1 << 22);
    RAW(getsid, 1 << 22);
    /* A leader of a group cannot become one of a session. */
    RAW0(setsid);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(setsid() == getpid() && getsid(0) == getpid() && getpgrp() == getpid());
        RAW0(vhangup);
        _exit(0);
    }
    CHECK(waitpid(pid, NULL, 0) == pid);
}

static void priorities(void) {
    RAW(getpriority, PRIO_PROCESS, 0);
    RAW(getpriority, 9, 0);
    RAW(setpriority, PRIO_PROCESS, 0, 5);
    RAW(getpriority, PRIO_PROCESS, 0);
    RAW(setpriority, PRIO_PROCESS, 1 << 22, 5);
    RAW(setpriority, PRIO_USER, -1, 5);
    RAW(ioprio_get, 1, 0);
    RAW(ioprio_set, 1, 0, 2 << 13 | 6);
    RAW(ioprio_get, 1, 0);
    RAW(ioprio_set, 1, 0, 7 << 13);
    RAW(ioprio_get, 9, 0);
}

static void policies(void) {
    struct sched_param p = {0};
    struct timespec t = {-1, -1};
    struct {
        unsigned size, policy;
        unsigned long long flags;
        int nice;
        unsigned priority;
        unsigned long long runtime, deadline, period;
    } attr = {0};
    cpu_set_t set;
    RAW(sched_getscheduler, 0);
    RAW(sched_getparam, 0, &p);
    RAW(sched_setscheduler, 0, SCHED_BATCH, &p);
    RAW(sched_getscheduler, 0);
    RAW(sched_setscheduler, 0, SCHED_OTHER, NULL);
    RAW(sched_setscheduler, 0, -1, &p);
    RAW(sched_setscheduler, 1 << 22, SCHED_OTHER, &p);
    p.sched_priority = 3;
    RAW(sched_setparam, 0, &p);
    RAW(sched_setparam, 0, NULL);
    for (int policy = 0; policy < 8; policy++) {
        RAW(sched_get_priority_max, policy);
        RAW(sched_get_priority_min, policy);
    }
    RAW(sched_rr_get_interval, 0, &t);
    CHECK(t.tv_sec == 0 && t.tv_nsec >= 0);
    RAW(sched_rr_get_interval, 0, (void *)8);
    RAW(sched_getattr, 0, &attr, sizeof attr, 0);
    printf("%u %u %d\n", attr.size, attr.policy, attr.nice);
    attr.nice = 7;
    RAW(sched_setattr, 0, &attr, 0);
    RAW(sched_getattr, 0, &attr, sizeof attr, 0);
    printf("%u %u %d\n", attr.size, attr.policy, attr.nice);
    attr.size = 17;
    RAW(sched_setattr, 0, &attr, 0);
    RAW(sched_getattr, 0, &attr, 8, 0);
    CPU_ZERO(&set);
    CHECK(syscall(SYS_sched_getaffinity, 0, sizeof set, &set) > 0 && CPU_COUNT(&set) > 0);
    RAW(sched_setaffinity, 0, sizeof set, &set);
    CPU_ZERO(&set);
    RAW(sched_setaffinity, 0, sizeof set, &set);
    RAW(sched_getaffinity, 0, 1, &set);
    RAW0(sched_yield);
}

static void persona(void) {
    RAW(personality, 0xffffffff);
    RAW(personality, ADDR_NO_RANDOMIZE);
    RAW(personality, 0xffffffff);
    RAW(personality, 0);
}

/* Namespaces are a kernel's choice; what concerns one process alone is not. */
static void apart(void) {
    RAW(unshare, 0);
    RAW(unshare, CLONE_FILES | CLONE_FS);
    RAW(unshare, CLONE_SYSVSEM);
    RAW(unshare, 1);
    RAW(setns, -1, 0);
}

int main(void) {
    in_child(users);
    in_child(capabilities);
    in_child(sessions);
    in_child(priorities);
    in_child(policies);
    in_child(persona);
    in_child(apart);
    return guest_done();
}
