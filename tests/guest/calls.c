/*
 * System calls that other emulators lack or get wrong, each used for what it is for: descriptors
 * of events, timers and signals, big reservations, directory reading, memory files, System V IPC,
 * POSIX timers, sockets.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

static char dir[] = "/tmp/guest-calls-XXXXXX";

static void memory(void) {
    size_t huge = (size_t)64 << 30;
    char *m = mmap(NULL, huge, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(m != MAP_FAILED);
    CHECK(mprotect(m + huge / 2, 8192, PROT_READ | PROT_WRITE) == 0);
    m[huge / 2 + 4096] = 5;
    CHECK(m[huge / 2 + 4096] == 5);
    CHECK(madvise(m + huge / 2, 8192, MADV_DONTNEED) == 0 && m[huge / 2 + 4096] == 0);
    CHECK(munmap(m, huge) == 0);
    m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(m, 7, 8192);
    m = mremap(m, 8192, 1 << 20, MREMAP_MAYMOVE);
    CHECK(m != MAP_FAILED && m[8191] == 7 && m[8192] == 0);
    unsigned char in_core[4];
    CHECK(mincore(m, 16384, in_core) == 0 && (in_core[0] & 1));
    CHECK(mmap(m, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) ==
              MAP_FAILED &&
          errno == EEXIST);
    CHECK(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
          errno == EINVAL);
    char *before = sbrk(0), *grown = sbrk(1 << 20);
    CHECK(grown == before && (char *)sbrk(0) == before + (1 << 20));
    before[(1 << 20) - 1] = 1;
    CHECK(sbrk(-(1 << 20)) != (void *)-1);
}

static void files(void) {
    char path[200], data[100] = "";
    struct statx sx;
    CHECK(chdir(dir) == 0);
    int fd = open("a", O_RDWR | O_CREAT | O_TRUNC, 0640);
    CHECK(write(fd, "0123456789", 10) == 10);
    CHECK(statx(AT_FDCWD, "a", 0, STATX_BASIC_STATS, &sx) == 0 && sx.stx_size == 10 &&
          (sx.stx_mode & 0777) == 0640);
    int to = open("b", O_RDWR | O_CREAT, 0600);
    off_t from_offset = 2;
    CHECK(copy_file_range(fd, &from_offset, to, NULL, 5, 0) == 5 && from_offset == 7);
    CHECK(pread(to, data, 10, 0) == 5 && !memcmp(data, "23456", 5));
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    struct iovec v[2] = {{data, 3}, {data + 50, 3}};
    CHECK(readv(fd, v, 2) == 6 && !memcmp(data + 50, "345", 3));
    CHECK(fallocate(to, 0, 0, 4096) == 0);
    CHECK(ftruncate(to, 1) == 0);
    CHECK(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE) == -1 && errno == EEXIST);
    CHECK(renameat2(AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE) == 0);
    CHECK(symlink("a", "link") == 0 && readlink("link", path, sizeof path) == 1);
    CHECK(faccessat(AT_FDCWD, "nothing", R_OK, 0) == -1 && errno == ENOENT);
    struct timespec times[2] = {{1000000000, 5}, {1000000001, 7}};
    struct stat st;
    CHECK(utimensat(AT_FDCWD, "a", times, 0) == 0);
    CHECK(stat("link", &st) == 0 && st.st_mtim.tv_sec == 1000000001 && st.st_mtim.tv_nsec == 7);
    close(fd);
    close(to);
    /* A directory opened without O_DIRECTORY can be read. */
    fd = open(".", O_RDONLY);
    char entries[2048];
    long n = syscall(SYS_getdents64, fd, entries, sizeof entries);
    CHECK(n > 0);
    CHECK(syscall(SYS_getdents64, fd, entries, sizeof entries) == 0);
    lseek(fd, 0, SEEK_SET);
    CHECK(syscall(SYS_getdents, fd, entries, sizeof entries) > 0);
    close(fd);
    int count = 0;
    DIR *d = opendir(dir);
    while (d && readdir(d))
        count++;
    CHECK(d && closedir(d) == 0 && count == 5);
    int m = memfd_create("name", MFD_CLOEXEC);
    CHECK(m >= 0 && write(m, "x", 1) == 1 && fcntl(m, F_GETFD) == FD_CLOEXEC);
    close(m);
    unlink("a"), unlink("b"), unlink("link");
}

static void events(void) {
    uint64_t value = 0;
    int e = eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC);
    CHECK(read(e, &value, 8) == 8 && value == 3);
    CHECK(read(e, &value, 8) == -1 && errno == EAGAIN);
    int t = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    struct itimerspec its = {{0, 0}, {0, 20000000}};
    CHECK(timerfd_settime(t, 0, &its, NULL) == 0);
    int poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev[2] = {{.events = EPOLLIN, .data.u64 = 0x123456789abcdef0},
                                {.events = EPOLLIN, .data.u64 = 2}};
    CHECK(epoll_ctl(poller, EPOLL_CTL_ADD, t, &ev[0]) == 0);
    CHECK(epoll_ctl(poller, EPOLL_CTL_ADD, e, &ev[1]) == 0);
    memset(ev, 0, sizeof ev);
    CHECK(epoll_wait(poller, ev, 2, 2000) == 1 && ev[0].data.u64 == 0x123456789abcdef0);
    CHECK(read(t, &value, 8) == 8 && value == 1);
    value = 1;
    CHECK(write(e, &value, 8) == 8);
    CHECK(epoll_wait(poller, ev, 2, 2000) == 1 && ev[0].data.u64 == 2);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int s = signalfd(-1, &set, SFD_CLOEXEC);
    kill(getpid(), SIGUSR1);
    struct signalfd_siginfo info;
    CHECK(read(s, &info, sizeof info) == sizeof info && info.ssi_signo == SIGUSR1 &&
          info.ssi_pid == (uint32_t)getpid());
    int watch = inotify_init1(IN_CLOEXEC);
    CHECK(inotify_add_watch(watch, dir, IN_CREATE) >= 0);
    close(open("new", O_CREAT | O_WRONLY, 0600));
    struct {
        struct inotify_event event;
        char name[100];
    } seen;
    CHECK(read(watch, &seen, sizeof seen) > 0 && seen.event.mask == IN_CREATE &&
          !strcmp(seen.name, "new"));
    unlink("new");
    struct pollfd p[2] = {{.fd = e, .events = POLLIN}, {.fd = poller, .events = POLLIN}};
    CHECK(poll(p, 2, 0) == 2);
    close(e), close(t), close(poller), close(s), close(watch);
}

static void sockets(void) {
    int s[2], fd[2];
    char text[10], room[CMSG_SPACE(sizeof(int))] = "";
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) == 0);
    CHECK(pipe(fd) == 0);
    struct iovec v = {(char[]){"hello"}, 5};
    struct msghdr m = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &fd[1], sizeof(int));
    CHECK(sendmsg(s[0], &m, 0) == 5);
    v = (struct iovec){text, sizeof text};
    memset(room, 0, sizeof room);
    m.msg_controllen = sizeof room;
    CHECK(recvmsg(s[1], &m, 0) == 5 && !memcmp(text, "hello", 5));
    int got = -1;
    c = CMSG_FIRSTHDR(&m);
    if (CHECK(c && c->cmsg_type == SCM_RIGHTS))
        memcpy(&got, CMSG_DATA(c), sizeof got);
    CHECK(got >= 0 && write(got, "!", 1) == 1 && read(fd[0], text, 1) == 1 && text[0] == '!');
    int yes = 1;
    socklen_t size = sizeof yes;
    CHECK(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &yes, &size) == 0 && yes == SOCK_STREAM);
    close(s[0]), close(s[1]), close(fd[0]), close(fd[1]), close(got);
}

static void loopback(void) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, b;
    socklen_t size = sizeof a;
    char text[10] = "";
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    CHECK(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0);
    CHECK(bind(listener, (struct sockaddr *)&a, sizeof a) == 0 && listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&a, &size) == 0 && size == sizeof a &&
          a.sin_port != 0);
    pid_t pid = fork();
    if (pid == 0) {
        int s = socket(AF_INET, SOCK_STREAM, 0);
        _exit(connect(s, (struct sockaddr *)&a, sizeof a) != 0 || send(s, "over tcp", 8, 0) != 8);
    }
    size = sizeof b;
    int s = accept4(listener, (struct sockaddr *)&b, &size, SOCK_CLOEXEC), status;
    CHECK(s >= 0 && b.sin_family == AF_INET && b.sin_addr.s_addr == a.sin_addr.s_addr);
    CHECK(recv(s, text, sizeof text, MSG_WAITALL) == 8 && !strcmp(text, "over tcp"));
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(shutdown(s, SHUT_RDWR) == 0 || errno == ENOTCONN);
    close(s), close(listener);
    s = socket(AF_INET, SOCK_STREAM, 0);
    errno = 0;
    CHECK(connect(s, (struct sockaddr *)&a, sizeof a) == -1 && errno == ECONNREFUSED);
    close(s);
}

static volatile sig_atomic_t timer_value;
static void on_timer(int signo, siginfo_t *info, void *context) {
    (void)signo, (void)context;
    timer_value = info->si_code == SI_TIMER ? info->si_value.sival_int : -1;
}

static void clocks(void) {
    struct sigaction sa = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO};
    sigaction(SIGRTMIN, &sa, NULL);
    struct sigevent event = {
        .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 77};
    struct itimerspec its = {{0, 0}, {0, 10000000}};
    timer_t id;
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &id) == 0);
    CHECK(timer_settime(id, 0, &its, NULL) == 0);
    for (int k = 0; k < 200 && !timer_value; k++)
        usleep(10000);
    CHECK(timer_value == 77);
    CHECK(timer_delete(id) == 0);
    struct timespec a, b;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &a) == 0);
    CHECK(clock_gettime(CLOCK_MONOTONIC, &b) == 0 &&
          (b.tv_sec > a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec >= a.tv_nsec)));
    CHECK(clock_getres(CLOCK_REALTIME, &a) == 0 && a.tv_sec == 0);
    unsigned cpu = 999, node = 999;
    CHECK(syscall(SYS_getcpu, &cpu, &node, NULL) == 0 && cpu < 999 && node < 999);
    struct timespec wait = {0, 5000000};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    CHECK(sigtimedwait(&set, NULL, &wait) == -1 && errno == EAGAIN);
}

static void ipc(void) {
    int id = shmget(IPC_PRIVATE, 8192, IPC_CREAT | 0600);
    if (id < 0 && errno == ENOSYS) {
        return; /* a kernel without it */
    }
    char *m = shmat(id, NULL, 0);
    if (CHECK(id >= 0 && m != (void *)-1)) {
        m[0] = 1;
        if (fork() == 0) {
            m[0] = 9;
            _exit(0);
        }
        wait(NULL);
        CHECK(m[0] == 9 && shmdt(m) == 0);
    }
    shmctl(id, IPC_RMID, NULL);
    int sem = semget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
    struct sembuf up = {0, 2, 0}, down = {0, -1, IPC_NOWAIT};
    CHECK(sem >= 0 && semop(sem, &up, 1) == 0 && semop(sem, &down, 1) == 0 &&
          semctl(sem, 0, GETVAL) == 1);
    semctl(sem, 0, IPC_RMID);
    struct {
        long type;
        char text[8];
    } message = {5, "message"};
    int q = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
    CHECK(q >= 0 && msgsnd(q, &message, 8, 0) == 0);
    memset(&message, 0, sizeof message);
    CHECK(msgrcv(q, &message, 8, 0, 0) == 8 && message.type == 5 &&
          !strcmp(message.text, "message"));
    msgctl(q, IPC_RMID, NULL);
}

static int cloned(void *arg) {
    return *(int *)arg;
}

static void processes(void) {
    static char stack[65536] __attribute__((aligned(16)));
    int value = 21, status;
    pid_t pid = clone(cloned, stack + sizeof stack, CLONE_VFORK | SIGCHLD, &value);
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 21);
    struct {
        uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    } args = {.exit_signal = SIGCHLD};
    pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0)
        _exit(22);
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 22);
    cpu_set_t cpus;
    CHECK(sched_getaffinity(0, sizeof cpus, &cpus) == 0 && CPU_COUNT(&cpus) > 0);
    struct utsname u;
    CHECK(uname(&u) == 0 && !strcmp(u.machine, "x86_64") && !strcmp(u.sysname, "Linux"));
    struct sysinfo si;
    CHECK(sysinfo(&si) == 0 && si.mem_unit > 0 && si.totalram > 0);
    errno = 0;
    CHECK(syscall(9999) == -1 && errno == ENOSYS);
    CHECK(syscall(-1L) == -1 && errno == ENOSYS);
    CHECK(syscall(SYS_write, 1, (void *)8, 4) == -1 && errno == EFAULT);
    CHECK(write(99, "x", 1) == -1 && errno == EBADF);
}

int main(void) {
    if (!CHECK(mkdtemp(dir) != NULL))
        return guest_done();
    memory();
    files();
    events();
    sockets();
    loopback();
    clocks();
    ipc();
    processes();
    CHECK(chdir("/") == 0 && rmdir(dir) == 0);
    return guest_done();
}
