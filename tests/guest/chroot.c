/*
 * Another root folder: absolute names, links and ".." stay in it, a program that is executed there
 * finds itself there, it can be narrowed once more, and the parent keeps its own. Who may not is
 * refused, natively and under blink alike.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "guest.h"
#include "raw.h"

static char folder[] = "/tmp/guest-chroot-XXXXXX";

static void make(const char *name, const char *text) {
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0);
}

static void show(const char *name) {
    char text[32] = "";
    int fd = open(name, O_RDONLY);
    int error = errno;
    if (fd < 0) {
        printf("%s: error %d\n", name, error);
        return;
    }
    CHECK(read(fd, text, sizeof text - 1) >= 0 && close(fd) == 0);
    printf("%s: %s\n", name, text);
}

static void copy(const char *from, const char *to) {
    char bytes[65536];
    ssize_t n;
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_EXCL, 0700);
    CHECK(in >= 0 && out >= 0);
    while ((n = read(in, bytes, sizeof bytes)) > 0)
        CHECK(write(out, bytes, (size_t)n) == n);
    CHECK(n == 0 && close(in) == 0 && close(out) == 0);
}

static void look_around(void) {
    char here[PATH_MAX] = "";
    show("/name");
    show("/../../name");
    show("/absolute");
    show("/sub/climbing");
    show("name");
    show("/etc/passwd");
    printf("%s\n", getcwd(here, sizeof here) ? here : "no folder");
    fflush(stdout);
}

static void enter(void) {
    char *argv[] = {"again", "inside", NULL}, *envp[] = {NULL};
    RAW(chroot, "none");
    RAW(chroot, "name");
    RAW(chroot, (char *)8);
    if (RAW(chroot, ".") != 0)
        return;
    RAW(chdir, "/");
    look_around();
    execve("/program", argv, envp);
    printf("not executed\n");
}

/* Executed within: further down, where only what is there can be seen. */
static int inside(void) {
    look_around();
    RAW(chroot, "/sub");
    RAW(chdir, "/");
    show("/name");
    show("/climbing");
    show("/below");
    printf("%d\n", access("/program", F_OK));
    return 0;
}

int main(int argc, char **argv) {
    char command[100], self[PATH_MAX];
    int status;
    if (argc > 1)
        return inside();
    CHECK(realpath(argv[0], self) && mkdtemp(folder) && chdir(folder) == 0);
    CHECK(mkdir("sub", 0700) == 0 && symlink("/name", "absolute") == 0);
    CHECK(symlink("../../../name", "sub/climbing") == 0);
    make("name", "of the root");
    make("sub/below", "of the folder");
    copy(self, "program");
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        enter();
        fflush(stdout);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    CHECK(access("/etc", F_OK) == 0 && access("name", F_OK) == 0);
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(chdir("/") == 0 && system(command) == 0);
    return guest_done();
}
