/*
 * Calls that few programs make: locked memory, barriers, descriptors of processes, kcmp, several
 * futexes at once, old forms of newer calls, clocks and names that only the system's keeper may
 * set.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "guest.h"
#include "raw.h"

static void locked(void) {
    char *m = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    RAW(mlock, m, 8192);
    RAW(mlock2, m + 8192, 4096, 1);
    RAW(mlock2, m, 4096, 8);
    RAW(munlock, m, 16384);
    RAW(mlock, m + (1L << 40), 4096);
    RAW(mlockall, 0);
    RAW(mlockall, 8);
    RAW0(munlockall);
    RAW(msync, m, 16384, MS_ASYNC);
    RAW(msync, m + 1, 16384, MS_ASYNC);
    RAW(msync, m, 16384, MS_ASYNC | MS_SYNC);
    munmap(m, 16384);
    RAW(msync, m, 16384, MS_SYNC);
    CHECK(syscall(SYS_membarrier, 0, 0, 0) > 0);
    RAW(membarrier, 1, 0, 0);
    RAW(membarrier, 1, 1, 0);
    RAW(membarrier, 1 << 4, 0, 0);
    RAW(membarrier, 1 << 3, 0, 0);
    RAW(membarrier, 1 << 30, 0, 0);
}

/* Descriptors that stand for a process. */
static void by_descriptor(void) {
    int ends[2], status;
    char byte;
    CHECK(pipe(ends) == 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) == 0 ? 3 : 4);
    }
    int pidfd = (int)GOOD(pidfd_open, pid, 0);
    RAW(pidfd_open, -1, 0);
    RAW(pidfd_open, pid, 1);
    RAW(pidfd_send_signal, pidfd, 0, NULL, 0);
    RAW(pidfd_send_signal, pidfd, 65, NULL, 0);
    RAW(pidfd_send_signal, -1, 0, NULL, 0);
    int other = (int)GOOD(pidfd_getfd, pidfd, ends[0], 0);
    RAW(pidfd_getfd, pidfd, 999, 0);
    RAW(pidfd_getfd, pidfd, ends[0], 1);
    RAW(kcmp, getpid(), getpid(), 0, ends[0], ends[0]);
    RAW(kcmp, getpid(), pid, 0, ends[0], ends[0]);
    RAW(kcmp, getpid(), pid, 99, 0, 0);
    RAW(kcmp, -1, pid, 0, 0, 0);
    close(other);
    RAW(pidfd_send_signal, pidfd, SIGTERM, NULL, 0);
    struct pollfd p = {pidfd, POLLIN, 0};
    CHECK(poll(&p, 1, -1) == 1 && p.revents == POLLIN);
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    RAW(pidfd_send_signal, pidfd, 0, NULL, 0);
    close(pidfd);
    close(ends[0]);
    close(ends[1]);
}

static void executed(void) {
    int status, fd = open("/bin/true", O_RDONLY);
    char *argv[] = {"true", NULL}, *envp[] = {NULL};
    RAW(execveat, -1, "true", argv, envp, 0);
    RAW(execveat, AT_FDCWD, "", argv, envp, 0);
    RAW(execveat, fd, "x", argv, envp, 0);
    RAW(execveat, fd, "", argv, envp, 1);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
        _exit(1);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    close(fd);
}

static volatile sig_atomic_t got, value;

static void note(int signo, siginfo_t *info, void *context) {
    (void)context;
    got = signo;
    value = info->si_value.sival_int;
}

static void signals(void) {
    struct sigaction a = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
    siginfo_t info = {.si_signo = SIGUSR1, .si_code = SI_QUEUE};
    sigaction(SIGUSR1, &a, NULL);
    info.si_value.sival_int = 77;
    RAW(rt_tgsigqueueinfo, getpid(), gettid(), SIGUSR1, &info);
    CHECK(got == SIGUSR1 && value == 77);
    got = 0;
    RAW(tkill, gettid(), SIGUSR1);
    CHECK(got == SIGUSR1);
    RAW(tkill, -1, SIGUSR1);
    RAW(tkill, 1 << 22, SIGUSR1);
    RAW(rt_tgsigqueueinfo, getpid(), gettid(), 65, &info);
    RAW(rt_tgsigqueueinfo, 1 << 22, 1 << 22, SIGUSR1, &info);
    info.si_code = SI_USER;
    RAW(rt_sigqueueinfo, 1, SIGUSR1, &info);
}

struct wait_one {
    uint64_t value, address;
    uint32_t flags, reserved;
};
static uint32_t words[3];

static void *wakes(void *arg) {
    while (syscall(SYS_futex, &words[1], FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0) == 0)
        usleep(1000);
    return arg;
}

static void several_futexes(void) {
    struct wait_one v[3] = {{0, (uintptr_t)&words[0], 2 | FUTEX_PRIVATE_FLAG, 0},
                            {0, (uintptr_t)&words[1], 2 | FUTEX_PRIVATE_FLAG, 0},
                            {0, (uintptr_t)&words[2], 2 | FUTEX_PRIVATE_FLAG, 0}};
    struct timespec past = {0, 1};
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, wakes, NULL) == 0);
    RAW(futex_waitv, v, 3, 0, NULL, 0);
    CHECK(pthread_join(thread, NULL) == 0);
    v[2].value = 9;
    RAW(futex_waitv, v, 3, 0, NULL, 0);
    v[2].value = 0;
    RAW(futex_waitv, v, 3, 0, &past, CLOCK_MONOTONIC);
    RAW(futex_waitv, v, 0, 0, NULL, 0);
    RAW(futex_waitv, v, 129, 0, NULL, 0);
    RAW(futex_waitv, v, 3, 1, NULL, 0);
    v[1].flags = 1;
    RAW(futex_waitv, v, 3, 0, NULL, 0);
    v[1].address = 8;
    v[1].flags = 2;
    RAW(futex_waitv, v, 3, 0, NULL, 0);
}

static void waits(void) {
    int fd[2], epoll = (int)GOOD(epoll_create, 1);
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = 5};
    struct timespec soon = {0, 1000};
    struct itimerspec timer = {{0, 0}, {1000, 0}}, left;
    sigset_t none;
    fd_set set;
    struct {
        const sigset_t *mask;
        size_t size;
    } mask = {&none, 8};
    sigemptyset(&none);
    CHECK(pipe(fd) == 0 && write(fd[1], "x", 1) == 1);
    RAW(epoll_create, 0);
    RAW(epoll_ctl, epoll, EPOLL_CTL_ADD, fd[0], &e);
    memset(&e, 0, sizeof e);
    RAW(epoll_pwait, epoll, &e, 1, -1, &none, 8);
    CHECK(e.events == EPOLLIN && e.data.u64 == 5);
    RAW(epoll_pwait, epoll, &e, 1, 0, &none, 9);
    FD_ZERO(&set);
    FD_SET(fd[0], &set);
    RAW(pselect6, fd[0] + 1, &set, NULL, NULL, NULL, &mask);
    CHECK(FD_ISSET(fd[0], &set));
    FD_ZERO(&set);
    RAW(pselect6, fd[0] + 1, &set, NULL, NULL, &soon, NULL);
    mask.size = 4;
    RAW(pselect6, 0, NULL, NULL, NULL, &soon, &mask);
    int tfd = (int)GOOD(timerfd_create, CLOCK_MONOTONIC, 0);
    RAW(timerfd_settime, tfd, 0, &timer, NULL);
    RAW(timerfd_gettime, tfd, &left);
    CHECK(left.it_value.tv_sec > 900 && left.it_value.tv_sec <= 1000);
    RAW(timerfd_gettime, fd[0], &left);
    GOOD0(inotify_init);
    int other[2];
    CHECK(pipe(other) == 0);
    RAW(tee, fd[0], other[1], 10, 0);
    RAW(tee, fd[0], fd[1], 10, 0);
    RAW(tee, -1, other[1], 10, 0);
    CHECK(close(tfd) == 0 && close(epoll) == 0);
}

static void accepting(void) {
    struct sockaddr_un at = {.sun_family = AF_UNIX}, who;
    socklen_t size = sizeof who;
    memcpy(at.sun_path, "\0guest-rest", 11);
    int listening = socket(AF_UNIX, SOCK_STREAM, 0), from = socket(AF_UNIX, SOCK_STREAM, 0);
    socklen_t length = (socklen_t)snprintf(at.sun_path + 1, sizeof at.sun_path - 1, "guest-rest-%d",
                                           (int)getpid());
    length += (socklen_t)offsetof(struct sockaddr_un, sun_path) + 1;
    CHECK(bind(listening, (struct sockaddr *)&at, length) == 0 && listen(listening, 1) == 0);
    CHECK(connect(from, (struct sockaddr *)&at, length) == 0);
    int to = (int)GOOD(accept, listening, &who, &size);
    printf("%u bytes\n", size);
    RAW(accept, -1, NULL, NULL);
    RAW(accept, to, NULL, NULL);
    CHECK(close(to) == 0 && close(from) == 0 && close(listening) == 0);
}

/* Nothing is changed: who may is refused for a bad argument, who may not before. */
static void keepers(void) {
    struct timespec bad = {0, 2000000000};
    struct timex t = {0};
    char text[8];
    RAW(settimeofday, NULL, NULL);
    RAW(clock_settime, CLOCK_REALTIME, &bad);
    RAW(clock_settime, CLOCK_MONOTONIC, &bad);
    RAW(clock_settime, CLOCK_REALTIME, (void *)8);
    CHECK(syscall(SYS_adjtimex, &t) >= 0 && t.tick >= 9000 && t.tick <= 11000);
    CHECK(syscall(SYS_clock_adjtime, CLOCK_REALTIME, &t) >= 0);
    RAW(clock_adjtime, CLOCK_MONOTONIC, &t);
    RAW(adjtimex, (void *)8);
    RAW(sethostname, "x", -1);
    RAW(sethostname, (void *)8, 4);
    RAW(setdomainname, "x", 65);
    RAW(syslog, 99, NULL, 0);
    RAW(syslog, 3, NULL, 4);
    RAW(syslog, 3, text, -1);
    RAW(ustat, -1, text);
    CHECK(syscall(SYS_getrandom, text, sizeof text, 0) == sizeof text);
    RAW(getrandom, text, 8, 64);
    RAW(getrandom, (void *)8, 8, 0);
}

int main(void) {
    locked();
    by_descriptor();
    executed();
    signals();
    several_futexes();
    waits();
    accepting();
    keepers();
    return guest_done();
}
