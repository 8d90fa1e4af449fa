/*
 * fork, exec, wait and pipes: children that exit, are killed, stop and go on; exec of this very
 * program with arguments and an environment; posix_spawn; a shared mapping across fork.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

static const char *self;

static pid_t start(void (*child)(void)) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        child();
        _exit(99);
    }
    CHECK(pid > 0);
    return pid;
}

static void exits_7(void) {
    _exit(7);
}
static void aborts(void) {
    abort();
}
static void dies_of_sigterm(void) {
    raise(SIGTERM);
}
static int *volatile nowhere = NULL;
static void writes_to_null(void) {
    *(volatile int *)nowhere = 1;
}
static void sleeps(void) {
    for (;;)
        pause();
}

static void statuses(void) {
    int status;
    CHECK(waitpid(start(exits_7), &status, 0) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 7);
    CHECK(waitpid(start(aborts), &status, 0) > 0 && WIFSIGNALED(status) &&
          WTERMSIG(status) == SIGABRT);
    CHECK(waitpid(start(dies_of_sigterm), &status, 0) > 0 && WIFSIGNALED(status) &&
          WTERMSIG(status) == SIGTERM);
    CHECK(waitpid(start(writes_to_null), &status, 0) > 0 && WIFSIGNALED(status) &&
          WTERMSIG(status) == SIGSEGV);
    pid_t pid = start(sleeps);
    kill(pid, SIGSTOP);
    CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) &&
          WSTOPSIG(status) == SIGSTOP);
    kill(pid, SIGCONT);
    CHECK(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
    CHECK(waitpid(pid, &status, WNOHANG) == 0);
    kill(pid, SIGKILL);
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    CHECK(waitpid(-1, &status, 0) == -1 && errno == ECHILD);
}

static int out[2];

static void execs(void) {
    char *argv[] = {"a name", "child", "an argument with spaces", "", "last", NULL};
    char *envp[] = {"ONE=1", "EMPTY=", "TWO=two words", NULL};
    dup2(out[1], 1);
    execve(self, argv, envp);
}

static void collect(pid_t pid) {
    char text[1000];
    size_t n = 0;
    ssize_t r;
    int status;
    close(out[1]);
    while ((r = read(out[0], text + n, sizeof text - 1 - n)) > 0)
        n += (size_t)r;
    text[n] = 0;
    close(out[0]);
    CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 3);
    fputs(text, stdout);
}

static void executing(void) {
    CHECK(pipe2(out, O_CLOEXEC) == 0);
    collect(start(execs));
    extern char **environ;
    char *argv[] = {"spawned", "child", NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid;
    CHECK(pipe2(out, O_CLOEXEC) == 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    char *nothing[] = {NULL};
    CHECK(posix_spawn(&pid, self, &actions, NULL, argv, nothing) == 0);
    collect(pid);
    CHECK(posix_spawn(&pid, "/nonexistent/program", NULL, NULL, argv, environ) == ENOENT);
    errno = 0;
    CHECK(execve("/nonexistent/program", argv, environ) == -1 && errno == ENOENT);
    errno = 0;
    CHECK(execve("/etc/passwd", argv, environ) == -1 && errno == EACCES);
    errno = 0;
    CHECK(execve("/", argv, environ) == -1 && errno == EACCES);
}

static void pipes(void) {
    int fd[2];
    CHECK(pipe(fd) == 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        uint64_t state = 3;
        close(fd[0]);
        for (int k = 0; k < 20000; k++) {
            uint64_t v = guest_random(&state);
            if (write(fd[1], &v, sizeof v) != sizeof v)
                _exit(1);
        }
        _exit(0);
    }
    close(fd[1]);
    uint64_t hash = GUEST_HASH;
    char buffer[777];
    ssize_t n;
    long size = 0;
    while ((n = read(fd[0], buffer, sizeof buffer)) > 0) {
        hash = guest_hash(hash, buffer, (size_t)n);
        size += n;
    }
    close(fd[0]);
    int status;
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    printf("%ld bytes %016llx\n", size, (unsigned long long)hash);
    CHECK(pipe(fd) == 0);
    signal(SIGPIPE, SIG_IGN);
    close(fd[0]);
    errno = 0;
    CHECK(write(fd[1], "x", 1) == -1 && errno == EPIPE);
    close(fd[1]);
}

static void sharing(void) {
    volatile int *m = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    volatile int *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(m != MAP_FAILED && p != MAP_FAILED);
    m[0] = p[0] = 1;
    pid_t pid = fork();
    if (pid == 0) {
        m[0] = p[0] = 2;
        m[1] = getppid() != 0;
        _exit(0);
    }
    CHECK(waitpid(pid, NULL, 0) == pid);
    CHECK(m[0] == 2 && m[1] == 1 && p[0] == 1);
}

static void with_system(void) {
    fflush(stdout);
    int status = system("exit 5");
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
    FILE *f = popen("echo from a shell", "r");
    char line[100] = "";
    CHECK(f && fgets(line, sizeof line, f) != NULL);
    CHECK(f && pclose(f) == 0);
    printf("popen: %s", line);
}

/* What exec starts: prints what it was given. */
static int child(int argc, char **argv, char **envp) {
    printf("child %d:", argc);
    for (int k = 0; k < argc; k++)
        printf(" [%s]", argv[k]);
    for (char **e = envp; *e; e++)
        printf(" {%s}", *e);
    putchar('\n');
    return 3;
}

int main(int argc, char **argv, char **envp) {
    static char path[4096];
    if (argc > 1 && !strcmp(argv[1], "child"))
        return child(argc, argv, envp);
    if (readlink("/proc/self/exe", path, sizeof path - 1) < 0)
        return 1;
    self = path;
    statuses();
    executing();
    pipes();
    sharing();
    if (argc > 1 && !strcmp(argv[1], "shell"))
        with_system();
    return guest_done();
}
