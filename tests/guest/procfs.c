/*
 * /proc as processes see each other and themselves: program, arguments, environment and name of a
 * child and of oneself, also after a program has written over them; threads; the address space.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

static const char *self;

static size_t slurp(const char *path, char *out, size_t size) {
    size_t n = 0;
    ssize_t r;
    int fd = open(path, O_RDONLY);
    while (fd >= 0 && (r = read(fd, out + n, size - 1 - n)) > 0)
        n += (size_t)r;
    if (fd >= 0)
        close(fd);
    out[n] = 0;
    return n;
}

static const char *of(pid_t pid, const char *file) {
    static char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    return path;
}

static int holds(const char *text, size_t size, const char *what) {
    return memmem(text, size, what, strlen(what)) != NULL;
}

/* Another process: it has begun when it closes its end of the pipe by exec. */
static void other(void) {
    char text[4096], program[PATH_MAX] = "", byte;
    int begun[2], end[2], status;
    struct stat a, b;
    CHECK(pipe2(begun, O_CLOEXEC) == 0 && pipe2(end, O_CLOEXEC) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        char *argv[] = {"a name", "wait", "two words", "", NULL},
             *envp[] = {"MARK=of the child", NULL};
        dup2(end[0], 0);
        execve(self, argv, envp);
        _exit(1);
    }
    close(begun[1]);
    CHECK(read(begun[0], &byte, 1) == 0);
    /* Under an emulator the program proper begins a little later. */
    for (int k = 0;
         k < 1000 && slurp(of(pid, "comm"), text, sizeof text) && strncmp(text, "waiting", 7); k++)
        usleep(10000);
    CHECK(strcmp(text, "waiting\n") == 0);
    size_t n = slurp(of(pid, "cmdline"), text, sizeof text);
    CHECK(n == 23 && memcmp(text, "a name\0wait\0two words\0", 23) == 0);
    n = slurp(of(pid, "environ"), text, sizeof text);
    CHECK(n == 18 && strcmp(text, "MARK=of the child") == 0);
    CHECK(readlink(of(pid, "exe"), program, sizeof program - 1) > 0);
    CHECK(realpath(self, text) && strcmp(text, program) == 0);
    CHECK(stat(of(pid, "exe"), &a) == 0 && stat(self, &b) == 0 && a.st_ino == b.st_ino);
    n = slurp(of(pid, "status"), text, sizeof text);
    CHECK(strncmp(text, "Name:\twaiting\n", 14) == 0);
    close(end[0]);
    close(end[1]);
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    close(begun[0]);
}

/* What a script is run by has the script's name. */
static void script(void) {
    char name[] = "/tmp/guest-procfs-XXXXXX", *argv[] = {"x", NULL}, *envp[] = {NULL};
    int status, fd = mkstemp(name);
    CHECK(fd >= 0 && dprintf(fd, "#!%s named\n", self) > 0 && fchmod(fd, 0700) == 0);
    CHECK(close(fd) == 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        execve(name, argv, envp);
        _exit(1);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(unlink(name) == 0);
}

/* The other side: run with "named" and the script. */
static int has_name(const char *path) {
    char text[32] = "";
    const char *base = strrchr(path, '/');
    CHECK(strcmp((const char *)getauxval(AT_EXECFN), path) == 0);
    CHECK(prctl(PR_GET_NAME, text) == 0 && base && strncmp(text, base + 1, 15) == 0);
    return guest_failures != 0;
}

/* A server tells what it does in its arguments. */
static void title(char **argv) {
    char text[4096];
    size_t n = strlen(argv[0]);
    char *kept = strdup(argv[0]);
    memset(argv[0], 't', n);
    CHECK(slurp("/proc/self/cmdline", text, sizeof text) >= n && memcmp(text, argv[0], n) == 0);
    memcpy(argv[0], kept, n);
    free(kept);
}

static int gate[2];

/* Stays until the gate is closed. */
static void *named(void *arg) {
    char byte;
    prctl(PR_SET_NAME, "a thread");
    __atomic_store_n((pid_t *)arg, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
    CHECK(read(gate[0], &byte, 1) == 0);
    return NULL;
}

static void tasks(void) {
    char text[4096], path[64];
    pthread_t thread;
    pid_t tid = 0;
    int count = 0;
    CHECK(pipe(gate) == 0);
    CHECK(pthread_create(&thread, NULL, named, &tid) == 0);
    while (!__atomic_load_n(&tid, __ATOMIC_SEQ_CST))
        usleep(1000);
    DIR *d = opendir("/proc/self/task");
    /* A thread of blink's own, which changes its back end, may be there, too. */
    for (struct dirent *e; d && (e = readdir(d));)
        count += atoi(e->d_name) == (int)getpid() || atoi(e->d_name) == (int)tid;
    if (d)
        closedir(d);
    CHECK(count == 2);
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", (int)tid);
    CHECK(slurp(path, text, sizeof text) && strcmp(text, "a thread\n") == 0);
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tid);
    CHECK(slurp(path, text, sizeof text) && atoi(text) == tid && strstr(text, "(a thread)"));
    snprintf(path, sizeof path, "/proc/%d/task/%d/status", (int)getpid(), (int)tid);
    CHECK(slurp(path, text, sizeof text) && strncmp(text, "Name:\ta thread\n", 15) == 0);
    close(gate[1]);
    CHECK(pthread_join(thread, NULL) == 0);
    close(gate[0]);
}

/* What is in the maps is what there is. */
static void space(void) {
    static char text[1 << 16], line[256];
    size_t n = slurp("/proc/self/maps", text, sizeof text);
    unsigned long long size = 0;
    char program[PATH_MAX];
    CHECK(realpath(self, program) && holds(text, n, program));
    CHECK(holds(text, n, "[stack]") && !holds(text, n, "memfd:") && !holds(text, n, "blink."));
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmSize: %llu", &size) == 1)
            break;
    if (f)
        fclose(f);
    CHECK(size > 100 && size < 1 << 20);
    CHECK(open("/proc/self/cmdline", O_RDONLY | O_DIRECTORY) == -1 && errno == ENOTDIR);
}

int main(int argc, char **argv) {
    char byte;
    static char path[PATH_MAX];
    self = realpath(argv[0], path) ? path : argv[0];
    if (argc == 3)
        return has_name(argv[2]);
    if (argc > 1) {
        prctl(PR_SET_NAME, "waiting");
        return read(0, &byte, 1) != 0;
    }
    other();
    script();
    title(argv);
    tasks();
    space();
    return guest_done();
}
