/*
 * Processes that share their maker's memory: vfork and clone with CLONE_VM. What the child writes
 * anywhere, maps and allocates is the parent's; its signals, descriptors, folder and numbers are
 * its own. With threads beside it, with children of its own, killed, and with a parent that goes
 * on.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

extern char **environ;
static volatile int shared[4];
static void *volatile made;
static volatile sig_atomic_t caught;
static char stack[8][65536] __attribute__((aligned(16)));

static void bump(int signo) {
    (void)signo;
    caught++;
}

static void write_anywhere(void) {
    int status;
    made = NULL;
    pid_t pid = vfork();
    if (pid == 0) {
        shared[0] = 1;
        void *p = malloc(1000000);
        memset(p, 'x', 1000000);
        made = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        strcpy(made, "mapped by the child");
        free(p);
        shared[1] = getppid();
        _exit(41);
    }
    CHECK(pid > 0 && shared[0] == 1 && shared[1] == getpid());
    CHECK(made && made != MAP_FAILED && strcmp(made, "mapped by the child") == 0);
    CHECK(munmap(made, 8192) == 0);
    CHECK(waitpid(pid, &status, 0) == pid && status == 41 << 8);
}

/* Signal actions and mask, descriptors, folder. */
static void keep_to_itself(void) {
    struct sigaction a = {.sa_handler = bump}, now;
    sigset_t set;
    char here[PATH_MAX], then[PATH_MAX];
    int status, fd = open("/dev/null", O_RDONLY);
    sigaction(SIGUSR1, &a, NULL);
    CHECK(getcwd(here, sizeof here) != NULL);
    pid_t pid = vfork();
    if (pid == 0) {
        a.sa_handler = SIG_IGN;
        sigaction(SIGUSR1, &a, NULL);
        raise(SIGUSR1);
        sigfillset(&set);
        sigprocmask(SIG_BLOCK, &set, NULL);
        close(fd);
        _exit(chdir("/") ? 1 : 2);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 2 << 8);
    CHECK(sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == bump);
    sigprocmask(SIG_BLOCK, NULL, &set);
    CHECK(sigismember(&set, SIGUSR2) == 0);
    CHECK(fcntl(fd, F_GETFD) == 0 && close(fd) == 0);
    CHECK(getcwd(then, sizeof then) && strcmp(here, then) == 0);
    caught = 0;
    raise(SIGUSR1);
    CHECK(caught == 1);
    signal(SIGUSR1, SIG_DFL);
}

/* A handler that runs in the child; signals to the parent wait until it goes on. */
static void handlers_in_child(void) {
    int status;
    signal(SIGUSR1, bump);
    signal(SIGUSR2, bump);
    caught = 0;
    pid_t pid = vfork();
    if (pid == 0) {
        kill(getpid(), SIGUSR1); /* musl's raise() takes the parent's number */
        shared[0] = caught;
        kill(getppid(), SIGUSR2);
        shared[1] = caught;
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(shared[0] == 1 && shared[1] == 1 && caught == 2);
    signal(SIGUSR1, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
}

static void ends(void) {
    int status;
    pid_t pid = vfork();
    if (pid == 0) {
        kill(getpid(), SIGKILL);
        _exit(1);
    }
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    pid = vfork();
    if (pid == 0) {
        shared[0] = *(volatile int *)(uintptr_t)(shared[3] + 8);
        _exit(1);
    }
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    pid = vfork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", "exit 9", (char *)NULL);
        _exit(1);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 9 << 8);
    pid = vfork();
    if (pid == 0) {
        char *argv[] = {"x", NULL};
        shared[0] = execve("/nonexistent", argv, environ);
        shared[1] = errno;
        _exit(7);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 7 << 8);
    CHECK(shared[0] == -1 && shared[1] == ENOENT);
}

/* Children of the child: by fork, whose memory is its own, and by vfork. */
static void generations(void) {
    int status;
    pid_t pid = vfork();
    if (pid == 0) {
        shared[0] = 10;
        pid_t second = fork();
        if (second == 0) {
            shared[0] = 11;
            _exit(3);
        }
        int s;
        if (waitpid(second, &s, 0) != second || s != 3 << 8 || shared[0] != 10)
            _exit(1);
        second = vfork();
        if (second == 0) {
            shared[0] = 12;
            _exit(4);
        }
        _exit(waitpid(second, &s, 0) == second && s == 4 << 8 && shared[0] == 12 ? 5 : 2);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 5 << 8);
    CHECK(shared[0] == 12);
}

static volatile int stop;

static void *busy(void *arg) {
    volatile long *n = arg;
    while (!stop)
        ++*n;
    return arg;
}

static void *spawner(void *arg) {
    long good = 0;
    char *argv[] = {"true", NULL};
    for (int k = 0; k < 8; k++) {
        pid_t pid;
        int status;
        if (posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ) == 0 &&
            waitpid(pid, &status, 0) == pid && status == 0)
            good++;
        if (posix_spawn(&pid, "/nonexistent", NULL, NULL, argv, environ) == ENOENT)
            good++;
    }
    *(long *)arg = good;
    return arg;
}

/* Several threads make children at a time while others run. */
static void beside_threads(void) {
    pthread_t thread[4];
    static long count[4];
    stop = 0;
    CHECK(pthread_create(&thread[0], NULL, busy, &count[0]) == 0);
    for (int k = 1; k < 4; k++)
        CHECK(pthread_create(&thread[k], NULL, spawner, &count[k]) == 0);
    for (int k = 1; k < 4; k++)
        CHECK(pthread_join(thread[k], NULL) == 0 && count[k] == 16);
    stop = 1;
    CHECK(pthread_join(thread[0], NULL) == 0 && count[0] > 0);
}

static int gate[2];

static int runs_on(void *arg) {
    volatile int *out = arg;
    char byte;
    out[0] = getpid();
    if (read(gate[0], &byte, 1) != 1)
        return 1;
    out[1] = 77;
    return 6;
}

/* CLONE_VM alone: both go on. */
static void beside_its_parent(void) {
    int status;
    memset((void *)shared, 0, sizeof shared);
    CHECK(pipe(gate) == 0);
    pid_t pid = clone(runs_on, stack[1], CLONE_VM | SIGCHLD, (void *)shared);
    CHECK(pid > 0);
    CHECK(shared[1] == 0 && waitpid(pid, &status, WNOHANG) == 0);
    CHECK(write(gate[1], "x", 1) == 1);
    CHECK(waitpid(pid, &status, 0) == pid && status == 6 << 8);
    CHECK(shared[0] == pid && shared[1] == 77);
    close(gate[0]);
    close(gate[1]);
}

static int closes(void *arg) {
    close((int)(intptr_t)arg);
    signal(SIGUSR1, bump);
    return chdir("/") ? 1 : 0;
}

static int executes(void *arg) {
    (void)arg;
    execl("/bin/true", "true", (char *)NULL);
    return 1;
}

/* What else can be shared: descriptors, signal actions, the current folder. */
static void shares_more(void) {
    char here[PATH_MAX], then[PATH_MAX];
    struct sigaction now;
    int status, fd = open("/dev/null", O_RDONLY);
    int flags = CLONE_VM | CLONE_VFORK | CLONE_FILES | CLONE_FS | CLONE_SIGHAND;
    CHECK(getcwd(here, sizeof here) != NULL);
    pid_t pid = clone(closes, stack[3], flags | SIGCHLD, (void *)(intptr_t)fd);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(fcntl(fd, F_GETFD) == -1 && errno == EBADF);
    CHECK(sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == bump);
    CHECK(getcwd(then, sizeof then) && strcmp(then, "/") == 0 && chdir(here) == 0);
    /* Who executes leaves the actions to the other. */
    pid = clone(executes, stack[3], CLONE_VM | CLONE_VFORK | CLONE_SIGHAND | SIGCHLD, NULL);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    caught = 0;
    raise(SIGUSR1);
    CHECK(caught == 1);
    signal(SIGUSR1, SIG_DFL);
}

static int nothing(void *arg) {
    (void)arg;
    return 0;
}

static void words_and_refusals(void) {
    pid_t parent_word = 0, child_word = 1;
    int status, pidfd = -1;
    pid_t pid = clone(nothing, stack[3],
                      CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD,
                      NULL, &parent_word, NULL, &child_word);
    CHECK(pid > 0 && parent_word == pid && child_word == 0);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    pid = clone(nothing, stack[3], CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, NULL, &pidfd);
    siginfo_t info = {0};
    CHECK(pid > 0 && pidfd >= 0);
    CHECK(waitid((idtype_t)3 /* P_PIDFD */, (id_t)pidfd, &info, WEXITED) == 0 &&
          info.si_pid == pid);
    close(pidfd);
    errno = 0;
    CHECK(clone(nothing, stack[3], CLONE_SIGHAND | SIGCHLD, NULL) == -1 && errno == EINVAL);
    errno = 0;
    CHECK(clone(nothing, stack[3], CLONE_THREAD | CLONE_VM | SIGCHLD, NULL) == -1 &&
          errno == EINVAL);
    /* Another signal at the end, waited for as a clone. */
    pid = clone(nothing, stack[3], CLONE_VM | CLONE_VFORK, NULL);
    CHECK(waitpid(pid, &status, 0) == -1 && errno == ECHILD);
    CHECK(waitpid(pid, &status, __WCLONE) == pid && status == 0);
}

/* Many, so that what each leaves would show. */
static int one_of_many(int code) {
    int status;
    pid_t pid = vfork();
    if (pid == 0)
        _exit(code);
    return waitpid(pid, &status, 0) == pid && status == code << 8;
}

static void many(void) {
    int good = 0;
    for (int k = 0; k < 300; k++)
        good += one_of_many(k & 127);
    CHECK(good == 300);
}

int main(void) {
    write_anywhere();
    keep_to_itself();
    handlers_in_child();
    ends();
    generations();
    beside_threads();
    beside_its_parent();
    shares_more();
    words_and_refusals();
    many();
    return guest_done();
}
