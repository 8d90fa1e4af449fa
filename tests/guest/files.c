/*
 * Files by all the calls there are for them: descriptors, locks, data between files, holes,
 * attributes, folders, watches.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "guest.h"

static char folder[64];

static int make(const char *name, const char *text) {
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    return fd;
}

static int holds(int fd, const char *text) {
    char bytes[128] = {0};
    ssize_t n = pread(fd, bytes, sizeof bytes - 1, 0);
    return n == (ssize_t)strlen(text) && !strcmp(bytes, text);
}

static void reading(void) {
    char a[4] = {0}, b[8] = {0};
    struct iovec v[2] = {{a, 3}, {b, 7}};
    int fd = make("r", "0123456789");
    CHECK(lseek(fd, 0, SEEK_SET) == 0 && readv(fd, v, 2) == 10);
    CHECK(!strcmp(a, "012") && !strcmp(b, "3456789"));
    CHECK(preadv(fd, v, 2, 5) == 5 && !memcmp(a, "567", 3));
    CHECK(pwritev(fd, v, 1, 9) == 3 && lseek(fd, 0, SEEK_END) == 12);
    CHECK(lseek(fd, -1, SEEK_SET) == -1 && errno == EINVAL);
    CHECK(pread(fd, a, 1, -1) == -1 && errno == EINVAL);
    CHECK(syscall(SYS_preadv2, fd, v, 1L, 0L, 0L, 0) == 3);
    int again = dup(fd), high = dup2(fd, 77), third = dup3(fd, 78, O_CLOEXEC);
    CHECK(again > fd && high == 77 && third == 78);
    CHECK(fcntl(78, F_GETFD) == FD_CLOEXEC && dup2(77, 77) == 77 && dup3(77, 77, 0) == -1);
    CHECK(fcntl(fd, F_DUPFD_CLOEXEC, 90) == 90);
    CHECK(syscall(SYS_close_range, 77u, 90u, 0u) == 0);
    CHECK(fcntl(90, F_GETFD) == -1 && errno == EBADF);
    CHECK(close(fd) == 0 && close(fd) == -1 && close(again) == 0);
}

static void locks(void) {
    int fd = make("l", "data"), status;
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 2};
    CHECK(fcntl(fd, F_SETLK, &l) == 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        struct flock g = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
        CHECK(fcntl(fd, F_GETLK, &g) == 0);
        CHECK(g.l_type == F_WRLCK && g.l_start == 1 && g.l_len == 2 && g.l_pid == getppid());
        g = (struct flock){.l_type = F_RDLCK, .l_whence = SEEK_SET};
        CHECK(fcntl(fd, F_SETLK, &g) == -1 && (errno == EAGAIN || errno == EACCES));
        _exit(guest_failures);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    int other = open("l", O_RDWR);
    l = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10};
    CHECK(fcntl(fd, F_OFD_SETLK, &l) == 0);
    CHECK(fcntl(other, F_OFD_SETLK, &l) == -1 && errno == EAGAIN);
    CHECK(flock(fd, LOCK_EX) == 0 && flock(other, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK);
    close(fd), close(other);
}

static void between(void) {
    int from = make("b1", "some words"), to = make("b2", ""), p[2];
    off_t offset = 5;
    CHECK(sendfile(to, from, &offset, 100) == 5 && offset == 10);
    CHECK(holds(to, "words"));
    loff_t in = 0, out = 5;
    CHECK(copy_file_range(from, &in, to, &out, 5, 0) == 5 && in == 5 && out == 10);
    CHECK(holds(to, "wordssome "));
    CHECK(pipe2(p, O_CLOEXEC | O_NONBLOCK) == 0);
    in = 0;
    CHECK(splice(from, &in, p[1], NULL, 4, 0) == 4 && in == 4);
    struct iovec v = {(void *)(uintptr_t) "more", 4};
    CHECK(vmsplice(p[1], &v, 1, 0) == 4);
    char text[16] = {0};
    CHECK(read(p[0], text, 16) == 8 && !strcmp(text, "somemore"));
    CHECK(read(p[0], text, 16) == -1 && errno == EAGAIN);
    CHECK(fcntl(p[0], F_SETPIPE_SZ, 8192) == 8192 && fcntl(p[0], F_GETPIPE_SZ) == 8192);
    CHECK((fcntl(p[0], F_GETFL) & (O_NONBLOCK | O_ACCMODE)) == (O_NONBLOCK | O_RDONLY));
    close(p[0]), close(p[1]), close(from), close(to);
}

static void space(void) {
    struct stat st;
    int fd = make("s", "x");
    CHECK(ftruncate(fd, 100000) == 0 && fstat(fd, &st) == 0 && st.st_size == 100000);
    CHECK(truncate("s", 5000) == 0 && lseek(fd, 0, SEEK_END) == 5000);
    CHECK(truncate("s", -1) == -1 && errno == EINVAL);
    CHECK(posix_fallocate(fd, 0, 20000) == 0 && fstat(fd, &st) == 0 && st.st_size == 20000);
    CHECK(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL) == 0);
    CHECK(fsync(fd) == 0 && fdatasync(fd) == 0);
    int m = memfd_create("name", MFD_ALLOW_SEALING);
    CHECK(m >= 0 && ftruncate(m, 4096) == 0);
    CHECK(fcntl(m, F_ADD_SEALS, F_SEAL_SHRINK) == 0 && fcntl(m, F_GET_SEALS) == F_SEAL_SHRINK);
    CHECK(ftruncate(m, 0) == -1 && errno == EPERM);
    char *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, m, 0);
    strcpy(map, "mapped");
    char text[8] = {0};
    CHECK(pread(m, text, 6, 0) == 6 && !strcmp(text, "mapped"));
    close(fd), close(m);
}

static void attributes(void) {
    struct stat st;
    struct statx stx;
    struct timespec ts[2] = {{1000000000, 5}, {1100000000, 6}};
    int fd = make("a", "text");
    CHECK(fchmod(fd, 0751) == 0 && stat("a", &st) == 0 && (st.st_mode & 07777) == 0751);
    CHECK(fchmodat(AT_FDCWD, "a", 0640, 0) == 0 && chown("a", (uid_t)-1, getgid()) == 0);
    CHECK(utimensat(AT_FDCWD, "a", ts, 0) == 0 && fstat(fd, &st) == 0);
    printf("%ld.%ld %ld.%ld %o %ld\n", (long)st.st_atim.tv_sec, st.st_atim.tv_nsec,
           (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, st.st_mode, (long)st.st_size);
    CHECK(futimens(fd, NULL) == 0);
    CHECK(statx(AT_FDCWD, "a", 0, STATX_BASIC_STATS, &stx) == 0 && stx.stx_size == 4);
    CHECK(stx.stx_ino == st.st_ino && makedev(stx.stx_dev_major, stx.stx_dev_minor) == st.st_dev);
    CHECK(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &stx) == 0 && stx.stx_size == 4);
    CHECK(access("a", R_OK | W_OK) == 0 && access("none", F_OK) == -1 && errno == ENOENT);
    CHECK(faccessat(AT_FDCWD, "a", R_OK, AT_EACCESS) == 0);
    char value[16] = {0}, list[64];
    if (fsetxattr(fd, "user.key", "value", 5, 0) == 0) {
        CHECK(getxattr("a", "user.key", value, 16) == 5 && !strcmp(value, "value"));
        CHECK(getxattr("a", "user.key", NULL, 0) == 5);
        CHECK(getxattr("a", "user.key", value, 2) == -1 && errno == ERANGE);
        CHECK(flistxattr(fd, list, sizeof list) >= 9);
        CHECK(removexattr("a", "user.key") == 0);
    }
    CHECK(getxattr("a", "user.key", value, 16) == -1);
    struct statfs fs;
    CHECK(statfs(".", &fs) == 0 && fs.f_bsize > 0 && fstatfs(fd, &fs) == 0);
    CHECK(umask(027) == 022 && umask(022) == 027);
    close(fd);
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void folders(void) {
    char cwd[128], link[64] = {0};
    CHECK(mkdir("d", 0700) == 0 && mkdir("d", 0700) == -1 && errno == EEXIST);
    int d = open("d", O_RDONLY | O_DIRECTORY);
    CHECK(mkdirat(d, "e", 0755) == 0 && symlinkat("e/x", d, "s") == 0);
    close(openat(d, "e/x", O_CREAT | O_WRONLY, 0600));
    CHECK(readlinkat(d, "s", link, sizeof link) == 3 && !strcmp(link, "e/x"));
    CHECK(linkat(d, "s", d, "h", AT_SYMLINK_FOLLOW) == 0 && linkat(d, "s", d, "s2", 0) == 0);
    struct stat st;
    CHECK(fstatat(d, "h", &st, 0) == 0 && st.st_nlink == 2 && S_ISREG(st.st_mode));
    CHECK(fstatat(d, "s2", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode));
    CHECK(renameat(d, "h", d, "i") == 0 && mkfifoat(d, "p", 0600) == 0);
    CHECK(syscall(SYS_renameat2, d, "i", d, "p", 1 /* RENAME_NOREPLACE */) == -1 &&
          errno == EEXIST);
    CHECK(syscall(SYS_renameat2, d, "i", d, "p", 2 /* RENAME_EXCHANGE */) == 0);
    CHECK(fstatat(d, "i", &st, 0) == 0 && S_ISFIFO(st.st_mode));
    CHECK(fchdir(d) == 0 && getcwd(cwd, sizeof cwd) && !strcmp(strrchr(cwd, '/'), "/d"));
    DIR *dir = opendir(".");
    char *names[16];
    size_t n = 0;
    for (struct dirent *e; (e = readdir(dir)) && n < 16;) {
        char line[300];
        snprintf(line, sizeof line, "%s:%d", e->d_name, e->d_type);
        names[n++] = strdup(line);
    }
    closedir(dir);
    qsort(names, n, sizeof names[0], by_name);
    for (size_t k = 0; k < n; k++)
        printf("%s ", names[k]);
    printf("\n");
    CHECK(chdir("..") == 0 && rmdir("d") == -1 && errno == ENOTEMPTY);
    CHECK(unlinkat(d, "e", 0) == -1 && errno == EISDIR);
    CHECK(open("d", O_WRONLY) == -1 && errno == EISDIR);
    CHECK(open("a", O_RDONLY | O_DIRECTORY) == -1 && errno == ENOTDIR);
    CHECK(open("d/s2", O_RDONLY | O_NOFOLLOW) == -1 && errno == ELOOP);
    int t = open("d", O_TMPFILE | O_RDWR, 0600);
    CHECK(t >= 0 || errno == EOPNOTSUPP);
    int o = open("d", O_PATH);
    CHECK(o >= 0 && read(o, cwd, 1) == -1 && errno == EBADF);
    close(d), close(t), close(o);
}

static void watches(void) {
    char bytes[4096] __attribute__((aligned(8)));
    int i = inotify_init1(IN_NONBLOCK), w = inotify_add_watch(i, ".", IN_CREATE | IN_DELETE);
    CHECK(w == 1 && read(i, bytes, sizeof bytes) == -1 && errno == EAGAIN);
    close(make("watched", ""));
    unlink("watched");
    struct pollfd p = {i, POLLIN, 0};
    CHECK(poll(&p, 1, 1000) == 1);
    ssize_t n = read(i, bytes, sizeof bytes);
    for (ssize_t at = 0; at < n;) {
        struct inotify_event *e = (struct inotify_event *)(bytes + at);
        printf("%x %s\n", e->mask, e->name);
        at += (ssize_t)(sizeof *e + e->len);
    }
    CHECK(inotify_rm_watch(i, w) == 0 && inotify_rm_watch(i, 99) == -1);
    int e = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK);
    uint64_t value;
    CHECK(read(e, &value, 8) == 8 && value == 1);
    CHECK(read(e, &value, 4) == -1 && errno == EINVAL);
    close(i), close(e);
}

static void of_self(void) {
    char exe[256] = {0}, bytes[4096];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    CHECK(n > 0 && strstr(exe, "files."));
    int fd = open("/proc/self/exe", O_RDONLY);
    CHECK(read(fd, bytes, 4) == 4 && !memcmp(bytes, "\177ELF", 4));
    close(fd);
    fd = open("/proc/self/cmdline", O_RDONLY);
    n = read(fd, bytes, sizeof bytes);
    CHECK(n > 0 && n == (ssize_t)strlen(bytes) + 1 && strstr(bytes, "files."));
    close(fd);
    /* The maps hold this function, this variable and the heap. */
    FILE *f = fopen("/proc/self/maps", "r");
    uintptr_t here = (uintptr_t)of_self, local = (uintptr_t)bytes;
    int code = 0, stack = 0, named = 0, lines = 0, read_all = 1;
    while (fgets(bytes, sizeof bytes, f)) {
        unsigned long start, end;
        char prot[5];
        read_all &= sscanf(bytes, "%lx-%lx %4s", &start, &end, prot) == 3;
        lines++;
        if (here >= start && here < end)
            code = prot[0] == 'r' && prot[2] == 'x' && prot[3] == 'p', named = !!strstr(bytes, exe);
        if (local >= start && local < end)
            stack = prot[1] == 'w' && strstr(bytes, "[stack]");
    }
    CHECK(code && stack && named && lines > 3 && read_all);
    fclose(f);
}

int main(void) {
    snprintf(folder, sizeof folder, "/tmp/blink-files-XXXXXX");
    CHECK(mkdtemp(folder) && chdir(folder) == 0);
    umask(022);
    reading();
    locks();
    between();
    space();
    attributes();
    folders();
    watches();
    of_self();
    if (fork() == 0)
        execl("/bin/rm", "rm", "-rf", folder, (char *)NULL);
    wait(NULL);
    return guest_done();
}
