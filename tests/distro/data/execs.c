/* What execve says of files that are no programs, and that it keeps what it must. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void put(const char *name, const void *bytes, size_t size, mode_t mode) {
    int fd = open(name, O_CREAT | O_TRUNC | O_WRONLY, 0755);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size || fchmod(fd, mode) || close(fd))
        perror(name);
}

static void attempt(const char *name, char *const *argv) {
    char *const own[] = {(char *)name, "argument", NULL};
    char *const env[] = {"PATH=/usr/bin:/bin", "KEPT=1", NULL};
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        execve(name, argv ? argv : own, env);
        printf("%s: %s\n", name, strerror(errno));
        fflush(stdout);
        _exit(77);
    }
    waitpid(pid, &status, 0);
    printf("%s: status %#x\n", name, (unsigned)status);
}

#define PUT(name, text) put(name, text, sizeof text - 1, 0755)

int main(void) {
    unsigned char elf[64] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
    elf[16] = 2;    /* ET_EXEC */
    elf[18] = 0x34; /* of a machine that does not exist */
    elf[19] = 0x12;
    elf[20] = 1;
    put("foreign", elf, sizeof elf, 0755);
    put("foreign-short", elf, 20, 0755);
    elf[4] = 1; /* ELFCLASS32 */
    put("foreign-32", elf, sizeof elf, 0755);
    PUT("empty", "");
    PUT("text", "just some words\n");
    PUT("script", "#!/bin/sh\necho \"script $0 $1 $KEPT\"\nexit 5\n");
    PUT("script-option", "#! /bin/sh -e \t\nfalse\necho not reached\n");
    PUT("script-of-script", "#!script2 one two\n");
    PUT("script2", "#!/bin/sh\necho \"second $0 $# $1 $2 $3\"\n");
    PUT("script-nowhere", "#!/nonexistent/interpreter\n");
    PUT("script-empty", "#!\n");
    PUT("loop", "#!loop\n");
    put("unreadable", "#!/bin/sh\n", 10, 0644);
    mkdir("folder", 0755);
    if (symlink("script", "link"))
        perror("link");
    static const char *const names[] = {
        "foreign",        "foreign-short",
        "foreign-32",     "empty",
        "text",           "script",
        "link",           "script-option",
        "script2",        "script-of-script",
        "script-nowhere", "script-empty",
        "loop",           "unreadable",
        "folder",         "nothing",
        "script/under",   "",
    };
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
        attempt(names[k], NULL);
    attempt("/bin/sh", (char *const[]){"renamed", "-c", "echo $0 $KEPT ${HOME-unset}", NULL});
    /* Ignored and blocked signals, the mask of files and the folder stay; handlers do not. */
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGHUP, SIG_IGN);
    umask(027);
    attempt("/bin/sh",
            (char *const[]){"sh", "-c",
                            "grep -E 'Sig(Blk|Ign)' /proc/self/status; umask; kill -HUP $$; "
                            "echo alive; kill -USR1 $$",
                            NULL});
    return 0;
}
