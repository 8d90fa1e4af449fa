/*
 * Children by the ways that share memory with their parent until they exec: vfork and posix_spawn,
 * with what they tell of a failure; children that leave nothing to be waited for; what waitid says.
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

extern char **environ;
static volatile sig_atomic_t told;

static void tell(int signo) {
    (void)signo;
    told++;
}

static void spawned(void) {
    char *argv[] = {"true", NULL};
    pid_t pid;
    int status;
    CHECK(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ) == 0);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(posix_spawn(&pid, "/nonexistent", NULL, NULL, argv, environ) == ENOENT);
    CHECK(posix_spawn(&pid, "/etc/passwd", NULL, NULL, argv, environ) == EACCES);
    CHECK(waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD);
    CHECK(system("exit 5") == 5 << 8);
}

/* The child's last words stand in its parent's frame. */
static void vforked(void) {
    volatile int failure = 0;
    int status;
    pid_t pid = vfork();
    if (pid == 0) {
        execl("/nonexistent", "x", (char *)NULL);
        failure = errno;
        _exit(111);
    }
    CHECK(failure == ENOENT);
    CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 111);
}

static void piped(void) {
    char line[32] = "";
    FILE *f = popen("echo through a pipe", "r");
    CHECK(f && fgets(line, sizeof line, f) && strcmp(line, "through a pipe\n") == 0);
    CHECK(f && pclose(f) == 0);
}

static void unwaited(void) {
    struct sigaction a = {.sa_handler = tell, .sa_flags = SA_NOCLDWAIT};
    int status, rc;
    sigaction(SIGCHLD, &a, NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(3);
    do
        rc = waitpid(pid, &status, 0);
    while (rc == -1 && errno == EINTR);
    CHECK(rc == -1 && errno == ECHILD && told == 1);
    a.sa_handler = SIG_DFL;
    a.sa_flags = 0;
    sigaction(SIGCHLD, &a, NULL);
}

/* SA_NOCLDSTOP: one that stops is not told of, one that ends is. */
static void stopped(void) {
    struct sigaction a = {.sa_handler = tell, .sa_flags = SA_NOCLDSTOP | SA_RESTART};
    int status, gate[2];
    char byte;
    told = 0;
    CHECK(pipe(gate) == 0);
    sigaction(SIGCHLD, &a, NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(gate[1]);
        raise(SIGSTOP);
        /* Not before it has been seen to go on. */
        _exit(read(gate[0], &byte, 1) == 0 ? 9 : 1);
    }
    CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && told == 0);
    CHECK(WSTOPSIG(status) == SIGSTOP);
    kill(pid, SIGCONT);
    CHECK(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
    close(gate[1]);
    CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 9);
    close(gate[0]);
    CHECK(told == 1);
    signal(SIGCHLD, SIG_DFL);
}

static void identified(void) {
    siginfo_t info;
    pid_t pid = fork();
    if (pid == 0)
        raise(SIGTERM);
    CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0);
    CHECK(info.si_code == CLD_KILLED && info.si_status == SIGTERM && info.si_pid == pid);
    CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED) == 0);
    CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED) == -1 && errno == ECHILD);
}

int main(void) {
    spawned();
    vforked();
    piped();
    unwaited();
    stopped();
    identified();
    return guest_done();
}
