/*
 * What files have besides their bytes: modes, owners, times, links, extended attributes, special
 * files; the calls that take a folder, flags, or both; reading and writing at a place.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <utime.h>

#include "guest.h"
#include "raw.h"

static void show_file(const char *name) {
    struct stat st;
    if (lstat(name, &st))
        printf("%s: none\n", name);
    else
        printf("%s: %o %u %u, %lu links, %ld bytes, %ld.%09ld %ld.%09ld\n", name, st.st_mode,
               st.st_uid, st.st_gid, (unsigned long)st.st_nlink, (long)st.st_size,
               (long)st.st_atim.tv_sec, st.st_atim.tv_nsec, (long)st.st_mtim.tv_sec,
               st.st_mtim.tv_nsec);
}

static void set_times(const char *name) {
    struct utimbuf old = {1000, 2000};
    struct timeval two[2] = {{3000, 4}, {5000, 6}}, bad[2] = {{0, 1000000}, {0, 0}};
    struct timespec nano[2] = {{7000, 8}, {0, UTIME_OMIT}};
    RAW(utime, name, &old);
    show_file(name);
    RAW(utimes, name, two);
    show_file(name);
    RAW(utimes, name, bad);
    RAW(futimesat, AT_FDCWD, name, two);
    RAW(futimesat, -1, name, two);
    RAW(utimensat, AT_FDCWD, name, nano, 0);
    show_file(name);
    RAW(utimensat, AT_FDCWD, name, nano, 1);
    RAW(utime, "none", &old);
    two[0].tv_sec = 9000;
    RAW(utimes, name, two);
}

static void modes(void) {
    umask(0);
    int fd = (int)GOOD(creat, "file", 0640);
    RAW(write, fd, "0123456789", 10);
    set_times("file");
    RAW(chmod, "file", 0751);
    RAW(fchmod, fd, 0604);
    RAW(fchmodat, AT_FDCWD, "file", 06711);
    show_file("file");
    RAW(chmod, "none", 0700);
    RAW(fchmod, -1, 0700);
    RAW(fchown, fd, -1, -1);
    RAW(chown, "file", getuid(), getgid());
    RAW(lchown, "file", -1, getgid());
    RAW(fchownat, AT_FDCWD, "file", -1, -1, 0);
    RAW(fchownat, AT_FDCWD, "file", -1, -1, 1);
    RAW(fchownat, fd, "", -1, -1, AT_EMPTY_PATH);
    RAW(access, "file", R_OK | W_OK);
    RAW(access, "none", F_OK);
    RAW(access, "file", 8);
    RAW(faccessat, AT_FDCWD, "file", R_OK);
    RAW(faccessat2, AT_FDCWD, "file", R_OK, AT_EACCESS);
    RAW(faccessat2, AT_FDCWD, "file", R_OK, 1);
    RAW(close, fd);
}

static void names(void) {
    RAW(link, "file", "second");
    RAW(link, "file", "second");
    RAW(link, "none", "third");
    RAW(symlink, "file", "pointer");
    RAW(lchown, "pointer", -1, -1);
    RAW(linkat, AT_FDCWD, "pointer", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW);
    RAW(linkat, AT_FDCWD, "pointer", AT_FDCWD, "same", 0);
    struct timeval two[2] = {{9000, 0}, {5000, 6}};
    utimes("file", two);
    show_file("followed");
    RAW(mknod, "pipe", S_IFIFO | 0600, 0);
    RAW(mknodat, AT_FDCWD, "plain", S_IFREG | 0600, 0);
    RAW(mknodat, AT_FDCWD, "plain", S_IFREG | 0600, 0);
    RAW(mknod, "folder", S_IFDIR | 0700, 0);
    struct stat st;
    CHECK(stat("pipe", &st) == 0 && S_ISFIFO(st.st_mode));
    CHECK(stat("plain", &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 0);
}

static void extended(void) {
    char list[256], value[32] = "";
    int fd = open("file", O_RDWR);
    /* A file system without them answers all alike. */
    RAW(setxattr, "file", "user.one", "1", 1, 0);
    RAW(lsetxattr, "file", "user.two", "22", 2, 1);
    RAW(fsetxattr, fd, "user.three", "333", 3, 2);
    RAW(setxattr, "file", "user.one", "x", 1, 1);
    RAW(setxattr, "file", "user.", "x", 1, 0);
    RAW(setxattr, "file", "nowhere.one", "x", 1, 0);
    RAW(setxattr, "file", "user.one", "x", 1, 9);
    RAW(getxattr, "file", "user.one", value, sizeof value);
    RAW(lgetxattr, "file", "user.two", value, 1);
    RAW(fgetxattr, fd, "user.two", value, sizeof value);
    printf("%s\n", value);
    RAW(getxattr, "pointer", "user.three", NULL, 0);
    RAW(lgetxattr, "pointer", "user.three", NULL, 0);
    RAW(listxattr, "file", list, 1);
    RAW(flistxattr, fd, NULL, 0);
    RAW(llistxattr, "pointer", list, sizeof list);
    RAW(listxattr, "pointer", list, sizeof list);
    RAW(removexattr, "file", "user.one");
    RAW(lremovexattr, "file", "user.two");
    RAW(fremovexattr, fd, "user.three");
    RAW(fremovexattr, fd, "user.three");
    close(fd);
}

static void places(void) {
    char bytes[32] = "";
    int fd = open("data", O_RDWR | O_CREAT | O_TRUNC, 0600);
    struct iovec v[2] = {{bytes, 2}, {bytes + 2, 3}};
    RAW(pwrite64, fd, "abcdefgh", 8, 4);
    RAW(pread64, fd, bytes, 8, 6);
    printf("%s\n", bytes);
    RAW(pwritev, fd, v, 2, 20, 0);
    RAW(pwritev2, fd, v, 2, 30, 0, 0);
    RAW(pwritev2, fd, v, 2, -1, -1, 0);
    RAW(pwritev2, fd, v, 2, 0, 0, 1 << 30);
    RAW(preadv2, fd, v, 2, 5, 0, 0);
    RAW(lseek, fd, 0, SEEK_END);
    RAW(pwrite64, fd, "x", 1, -1);
    RAW(readahead, fd, 0, 4096);
    RAW(readahead, -1, 0, 4096);
    RAW(fadvise64, fd, 0, 0, 2);
    RAW(fadvise64, fd, 0, 0, 99);
    RAW(sync_file_range, fd, 0, 4096, 2);
    RAW(sync_file_range, fd, -1, 4096, 2);
    RAW(fdatasync, -1);
    RAW(syncfs, -1);
    RAW(fallocate, fd, 0, 0, 100);
    RAW(fallocate, fd, 0, -1, 100);
    show_file("none");
    CHECK(close(fd) == 0);
}

static void opening(void) {
    struct open_how how = {.flags = O_RDONLY};
    GOOD(openat2, AT_FDCWD, "file", &how, sizeof how);
    RAW(openat2, AT_FDCWD, "file", &how, 8);
    how.resolve = RESOLVE_NO_SYMLINKS;
    RAW(openat2, AT_FDCWD, "pointer", &how, sizeof how);
    how.resolve = RESOLVE_BENEATH;
    RAW(openat2, AT_FDCWD, "/etc/passwd", &how, sizeof how);
    RAW(openat2, AT_FDCWD, "../up", &how, sizeof how);
    GOOD(openat2, AT_FDCWD, "file", &how, sizeof how);
    how.resolve = 1 << 20;
    RAW(openat2, AT_FDCWD, "file", &how, sizeof how);
    RAW(openat, AT_FDCWD, "none", O_RDONLY);
    RAW(openat, AT_FDCWD, "file", O_RDONLY | O_DIRECTORY);
    RAW(openat, AT_FDCWD, "pointer", O_RDONLY | O_NOFOLLOW);
    RAW(openat, AT_FDCWD, "file", O_WRONLY | O_CREAT | O_EXCL, 0600);
    RAW(openat, 99, "file", O_RDONLY);
    RAW(fchmodat2, AT_FDCWD, "none", 0600, 0);
}

int main(void) {
    char folder[] = "/tmp/guest-attributes-XXXXXX", command[100];
    CHECK(mkdtemp(folder) && chdir(folder) == 0);
    modes();
    names();
    extended();
    places();
    opening();
    CHECK(chdir("/") == 0);
    snprintf(command, sizeof command, "rm -r %s", folder);
    CHECK(system(command) == 0);
    return guest_done();
}
