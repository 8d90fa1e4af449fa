/*
 * System calls about signals, memory, threads and scheduling with pointers that are bad in several
 * ways, and with arguments that are wrong: every result, as the kernel of this machine gives it.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

static char *page; /* good, and nothing behind it */

/* Addresses and sizes differ from run to run: only that a call succeeded is told. */
static void result(const char *name, int line, long rc) {
    if (rc == -1)
        printf("line %d %s: errno %d\n", line, name, errno);
    else
        printf("line %d %s: good\n", line, name);
}
#define CALL(name, ...) result(#name, __LINE__, syscall(SYS_##name, __VA_ARGS__))

static void signal_pointers(char *p) {
    CALL(rt_sigaction, SIGUSR1, p, NULL, 8);
    CALL(rt_sigaction, SIGUSR1, NULL, p, 8);
    CALL(rt_sigaction, SIGKILL, p, NULL, 8);
    CALL(rt_sigaction, SIGUSR1, p, NULL, 4);
    CALL(rt_sigprocmask, SIG_BLOCK, p, NULL, 8);
    CALL(rt_sigprocmask, SIG_BLOCK, NULL, p, 8);
    CALL(rt_sigprocmask, 9, p, NULL, 8);
    CALL(rt_sigpending, p, 8);
    CALL(rt_sigpending, p, 2);
    CALL(rt_sigpending, p, 9);
    CALL(rt_sigsuspend, p, 4);
    CALL(rt_sigqueueinfo, getpid(), 0, p);
    CALL(sigaltstack, p, NULL);
    CALL(sigaltstack, NULL, p);
}

static void process_pointers(char *p) {
    CALL(uname, p);
    CALL(prctl, PR_SET_NAME, p);
    CALL(prctl, PR_GET_NAME, p);
    CALL(prctl, PR_GET_PDEATHSIG, p);
    CALL(arch_prctl, 0x1003, p);
    CALL(arch_prctl, 0x1004, p);
    CALL(get_robust_list, 0, p, page);
    CALL(get_robust_list, 0, page, p);
    CALL(execve, p, NULL, NULL);
    CALL(wait4, -1, p, WNOHANG, p);
    CALL(waitid, P_ALL, 0, p, WEXITED | WNOHANG, NULL);
    CALL(sched_getparam, 0, p);
    CALL(sched_getaffinity, 0, 128, p);
    CALL(sched_rr_get_interval, 0, p);
    CALL(sched_getattr, 0, p, 48, 0);
}

static void memory_pointers(char *p) {
    CALL(futex, p, FUTEX_WAKE, 1, NULL, NULL, 0);
    CALL(futex, p, FUTEX_WAIT, 99, NULL, NULL, 0);
    CALL(futex, page, FUTEX_CMP_REQUEUE, 1, 1, p, 99);
    CALL(mincore, page, 4096, p);
    CALL(mincore, p, 4096, page);
    CALL(msync, p, 4096, MS_SYNC);
    CALL(madvise, p, 4096, MADV_NORMAL);
    CALL(mprotect, p, 0, PROT_READ);
    CALL(mlock, p, 1);
    CALL(mremap, p, 4096, 8192, 0);
}

static void wrong_process_arguments(void) {
    CALL(clone, CLONE_THREAD, NULL, NULL, NULL, 0);
    CALL(clone, CLONE_SIGHAND, NULL, NULL, NULL, 0);
    CALL(clone, CLONE_VM | CLONE_THREAD, NULL, NULL, NULL, 0);
    CALL(clone3, page, 7);
    CALL(clone3, 8, 88);
    CALL(execve, "/bin/true", 8, NULL);
    CALL(kill, 99999999, 0);
    CALL(kill, getpid(), 99);
    CALL(tkill, -1, 0);
    CALL(tgkill, getpid(), 99999999, 0);
    CALL(tgkill, 0, getpid(), 0);
    CALL(prctl, 9999, 0, 0, 0, 0);
    CALL(arch_prctl, 0x1002, -1L);
    CALL(arch_prctl, 9, 0);
    CALL(wait4, 99999999, NULL, 0, NULL);
    CALL(wait4, -1, NULL, 0x1000, NULL);
    CALL(waitid, 77, 0, page, WEXITED, NULL);
    CALL(waitid, P_ALL, 0, page, 0, NULL);
    CALL(setpgid, 99999999, 0);
    CALL(setpgid, 0, -1);
    CALL(getpgid, 99999999);
    CALL(getsid, 99999999);
    CALL(getpriority, 9, 0);
    CALL(setpriority, 9, 0, 0);
    CALL(sched_get_priority_max, 99);
    CALL(sched_setscheduler, 0, 99, page);
    CALL(sched_getscheduler, -1);
    CALL(sched_setattr, 0, NULL, 0);
    CALL(sched_getattr, 0, page, 8, 0);
    CALL(set_robust_list, page, 3);
}

static void wrong_memory_arguments(void) {
    const int fixed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    CALL(mmap, NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CALL(mmap, NULL, 4096, PROT_READ, 0, -1, 0);
    CALL(mmap, NULL, 4096, PROT_READ, MAP_PRIVATE, 99, 0);
    CALL(mmap, 1, 4096, PROT_READ, fixed, -1, 0);
    CALL(mmap, NULL, -4096L, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CALL(munmap, 1, 1);
    CALL(munmap, page, 0);
    CALL(munmap, -4096L, 4096);
    CALL(mremap, page + 1, 4096, 4096, 1);
    CALL(mremap, page, 4096, 4096, 8);
    CALL(mremap, page, 4096, 4096, 2);
    CALL(mremap, page, 4096, 0, 1);
    CALL(mlockall, 0);
    CALL(mlock2, page, 1, 4);
    CALL(madvise, page, 4096, 77);
    CALL(madvise, page + 1, 1, MADV_NORMAL);
    CALL(msync, page, 4096, MS_ASYNC | MS_SYNC);
    CALL(msync, page, 4096, 16);
    CALL(msync, page + 1, 1, MS_SYNC);
    CALL(futex, page + 1, FUTEX_WAIT, 0, NULL, NULL, 0);
    CALL(futex, page, 77, 0, NULL, NULL, 0);
    CALL(futex, page, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0);
    CALL(membarrier, 0x1000, 0, 0);
}

int main(void) {
    const int kind = MAP_PRIVATE | MAP_ANONYMOUS;
    char *none = mmap(NULL, 12288, PROT_NONE, kind, -1, 0);
    char *constant = mmap(NULL, 12288, PROT_READ, kind, -1, 0);
    char *both = mmap(NULL, 8192, PROT_READ | PROT_WRITE, kind, -1, 0);
    mprotect(both + 4096, 4096, PROT_NONE);
    page = both;
    char *bad[] = {none + 4096, constant + 4096, both + 4090, (char *)8, (char *)-8};
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        printf("pointer %zu\n", k);
        signal_pointers(bad[k]);
        process_pointers(bad[k]);
        memory_pointers(bad[k]);
    }
    wrong_process_arguments();
    wrong_memory_arguments();
    return 0;
}
