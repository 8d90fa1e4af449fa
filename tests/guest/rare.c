/*
 * Calls that few programs make, each by its number: what it gives, and what it did. Nothing here
 * changes more than the process and files of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
  #define SYS_fchmodat2 452
#endif
#define ATTRIBUTE "user.blink-test"

static char folder[] = "/tmp/rare-XXXXXX";

/* One call: its name, and what comes back. */
#define SAY(name, ...) say(#name, syscall(SYS_##name, ##__VA_ARGS__))

static long say(const char *name, long rc) {
    printf("%s: %ld%s%s\n", name, rc, rc < 0 ? " " : "", rc < 0 ? strerror(errno) : "");
    return rc;
}

static void file(void) {
    int fd = open("file", O_CREAT | O_RDWR, 0600);
    if (fd < 0 || write(fd, "some bytes", 10) != 10)
        perror("file");
    close(fd);
    if (symlink("file", "link"))
        perror("link");
}

static void times_of(const char *what) {
    struct stat st;
    stat("file", &st);
    printf("%s: %ld %ld.%06ld\n", what, (long)st.st_atime, (long)st.st_mtime,
           st.st_mtim.tv_nsec / 1000);
}

static void attributes(void) {
    char text[256] = "";
    struct stat st;
    int fd = open("file", O_RDWR);
    SAY(lchown, "link", -1, -1);
    SAY(lsetxattr, "file", ATTRIBUTE, "value", 5L, 0L);
    SAY(lsetxattr, "file", ATTRIBUTE, "value", 5L, 1L /* only if new */);
    SAY(lsetxattr, "link", ATTRIBUTE, "value", 5L, 0L);
    SAY(lgetxattr, "file", ATTRIBUTE, text, 3L);
    say("lgetxattr", syscall(SYS_lgetxattr, "file", ATTRIBUTE, text, sizeof text));
    printf("%s\n", text);
    say("listxattr", syscall(SYS_listxattr, "file", text, sizeof text) > 0);
    say("llistxattr", syscall(SYS_llistxattr, "file", text, sizeof text) > 0);
    SAY(llistxattr, "nothing", text, sizeof text);
    SAY(lremovexattr, "file", ATTRIBUTE);
    SAY(fremovexattr, fd, ATTRIBUTE);
    SAY(utime, "file", ((const int64_t[]){1000000000, 1000000001}));
    times_of("utime");
    SAY(utimes, "file", ((const int64_t[]){1000000002, 3, 1000000004, 5}));
    times_of("utimes");
    SAY(futimesat, AT_FDCWD, "file", ((const int64_t[]){1000000006, 7, 1000000008, 9}));
    SAY(futimesat, AT_FDCWD, "file", ((const int64_t[]){1000000006, 7, 1000000008, 1000000}));
    times_of("futimesat");
    SAY(faccessat, AT_FDCWD, "file", R_OK);
    SAY(faccessat, AT_FDCWD, "nothing", R_OK);
    SAY(fchmodat2, AT_FDCWD, "file", 0640L, 0L);
    SAY(fchmodat2, AT_FDCWD, "file", 0640L, 1L);
    stat("file", &st);
    SAY(mknod, "fifo", (long)(S_IFIFO | 0600), 0L);
    SAY(mknod, "fifo", (long)(S_IFIFO | 0600), 0L);
    lstat("fifo", &st);
    printf("%o\n", st.st_mode & S_IFMT);
    SAY(syncfs, fd);
    SAY(sync_file_range, fd, 0L, 4L, 2L);
    SAY(readahead, fd, 0L, 4L);
    close(fd);
}

static void opened(void) {
    struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_NO_SYMLINKS};
    SAY(openat2, AT_FDCWD, "link", &how, sizeof how);
    how.resolve = RESOLVE_BENEATH;
    SAY(openat2, AT_FDCWD, "../etc", &how, sizeof how);
    SAY(openat2, AT_FDCWD, "file", &how, 8L);
    how.mode = 0600;
    SAY(openat2, AT_FDCWD, "file", &how, sizeof how);
    how.mode = 0;
    int fd = (int)syscall(SYS_openat2, AT_FDCWD, "link", &how, sizeof how);
    char text[4] = "";
    say("of openat2", read(fd, text, 4));
    printf("%.4s\n", text);
    close(fd);
    fd = open("file", O_RDWR);
    struct iovec v[2] = {{(void *)(uintptr_t) "AB", 2}, {(void *)(uintptr_t) "CD", 2}};
    SAY(pwritev2, fd, v, 2L, 2L, 0L, 0L);
    SAY(pwritev2, fd, v, 2L, 2L, 0L, 0x10L /* append */);
    SAY(pwritev2, fd, v, 2L, 2L, 0L, 0x4000L);
    char all[32] = "";
    say("of both", pread(fd, all, sizeof all - 1, 0));
    printf("%s\n", all);
    close(fd);
}

static void identities(void) {
    uint32_t g[3] = {77, 77, 77};
    struct sched_param p = {0};
    SAY(setreuid, -1, -1);
    SAY(setregid, -1, -1);
    SAY(getresgid, &g[0], &g[1], &g[2]);
    printf("%d\n", g[0] == getgid() && g[1] == getegid());
    printf("setfsuid: %d\n", syscall(SYS_setfsuid, -1) == (long)geteuid());
    printf("setfsgid: %d\n", syscall(SYS_setfsgid, -1) == (long)getegid());
    SAY(personality, 0xffffffffL);
    SAY(sched_setparam, 0, &p);
    SAY(sched_setparam, 0, NULL);
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set))
        perror("sched_getaffinity");
    SAY(sched_setaffinity, 0, sizeof set, &set);
    SAY(sched_setaffinity, 0, 0L, &set);
    SAY(ioprio_set, 1, 0, (2L << 13) | 6);
    SAY(ioprio_get, 1, 0);
    SAY(ioprio_get, 9, 0);
    static char page[8192] __attribute__((aligned(4096)));
    SAY(munlock, page, 4096L);
    SAY(munlockall);
    SAY(munlock, (void *)1L, -1L);
}

/* Setting is refused, or is of nothing. */
static void machine(void) {
    struct timex t = {0};
    say("adjtimex", syscall(SYS_adjtimex, &t) >= 0);
    say("clock_adjtime", syscall(SYS_clock_adjtime, CLOCK_REALTIME, &t) >= 0);
    printf("%d\n", t.tick >= 9000 && t.tick <= 11000);
    SAY(clock_adjtime, 77, &t);
    SAY(clock_settime, CLOCK_MONOTONIC, (&(struct timespec){1, 0}));
    SAY(clock_settime, CLOCK_REALTIME, (&(struct timespec){1, -1}));
    SAY(settimeofday, (&(struct timeval){1, -1}), NULL);
    SAY(sethostname, "name", -1L);
    SAY(setdomainname, "name", -1L);
    SAY(syslog, 77, NULL, 0);
    SAY(ustat, -1L, NULL);
}

static void descriptors(void) {
    uint64_t value = 0;
    int a[2], b[2];
    char text[8] = "";
    int e = (int)syscall(SYS_eventfd, 5L), n = (int)syscall(SYS_inotify_init);
    say("of eventfd", read(e, &value, 8));
    printf("%d\n", (int)value);
    printf("inotify: %d\n", fcntl(n, F_GETFD));
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int s = (int)syscall(SYS_signalfd, -1, &set, 8L);
    SAY(signalfd, -1, &set, 7L);
    int self = (int)syscall(SYS_pidfd_open, getpid(), 0L);
    SAY(pidfd_open, -1, 0L);
    SAY(pidfd_send_signal, self, SIGUSR2, NULL, 0L);
    SAY(pidfd_send_signal, self, 77, NULL, 0L);
    SAY(pidfd_send_signal, e, SIGUSR2, NULL, 0L);
    struct signalfd_siginfo info;
    say("of signalfd", read(s, &info, sizeof info));
    printf("%d\n", info.ssi_signo == SIGUSR2);
    int copy = (int)syscall(SYS_pidfd_getfd, self, e, 0L);
    SAY(pidfd_getfd, self, 999, 0L);
    SAY(pidfd_getfd, self, e, 1L);
    printf("kcmp: %ld %d\n", syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, e, copy),
           syscall(SYS_kcmp, getpid(), getpid(), KCMP_FILE, e, s) != 0);
    SAY(kcmp, getpid(), getpid(), KCMP_FILE, e, 999);
    SAY(kcmp, getpid(), getpid(), 77, 0, 0);
    int t = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec its = {{1, 0}, {100, 0}};
    timerfd_settime(t, 0, &its, NULL);
    SAY(timerfd_gettime, t, &its);
    printf("%d %d\n", (int)its.it_interval.tv_sec, its.it_value.tv_sec > 80);
    SAY(timerfd_gettime, e, &its);
    if (pipe(a) || pipe(b) || write(a[1], "tee", 3) != 3)
        perror("pipe");
    SAY(tee, a[0], b[1], 10L, 0L);
    SAY(tee, a[0], a[1], 10L, 0L);
    say("of tee", read(b[0], text, 3));
    say("what is left", read(a[0], text + 3, 3));
    printf("%s\n", text);
}

/* More descriptors are ready than anyone waits for at once. */
static void crowd(void) {
    enum { COUNT = 300 };
    static struct epoll_event ready[COUNT];
    static int seen[COUNT];
    int poller = epoll_create1(0), distinct = 0;
    for (int k = 0; k < COUNT; k++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
            perror("socketpair");
        struct epoll_event e = {.events = EPOLLOUT, .data.u64 = (uint64_t)k};
        epoll_ctl(poller, EPOLL_CTL_ADD, pair[0], &e);
    }
    int n = epoll_wait(poller, ready, COUNT, 1000);
    for (int k = 0; k < n; k++)
        distinct += !seen[ready[k].data.u64 % COUNT]++;
    printf("epoll: %d ready, %d distinct, %d", n, distinct, epoll_wait(poller, ready, 7, 1000));
    printf(" %d\n", (int)syscall(SYS_epoll_wait, poller, ready, INT32_MAX / 12, 1000));
}

static void replaced(const char *self) {
    int fd = open(self, O_RDONLY | O_CLOEXEC), status = 0;
    char *const argv[] = {(char *)(uintptr_t) "renamed", (char *)(uintptr_t) "again", NULL};
    char *const envp[] = {NULL};
    SAY(execveat, fd, "", argv, envp, 0L);
    SAY(execveat, AT_FDCWD, "nothing", argv, envp, 0L);
    fflush(stdout);
    if (fork() == 0) {
        syscall(SYS_execveat, fd, "", argv, envp, (long)AT_EMPTY_PATH);
        _exit(99);
    }
    wait(&status);
    printf("execveat: status %#x\n", (unsigned)status);
}

int main(int argc, char **argv) {
    if (argc > 1) {
        printf("%s %s\n", argv[0], argv[1]);
        return 21;
    }
    char self[4096] = "";
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0 || !mkdtemp(folder) || chdir(folder))
        perror(folder);
    file();
    attributes();
    opened();
    identities();
    machine();
    descriptors();
    crowd();
    replaced(self);
    if (unlink("file") || unlink("link") || unlink("fifo") || chdir("/") || rmdir(folder))
        perror(folder);
    return 0;
}
