/*
 * Guest paths below a root folder, as the kernel itself resolves them: absolute symbolic links and
 * ".." stay inside.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine/internal.h"

static int copy(const char *path, char *out, size_t size) {
    size_t n = strlen(path);
    if (n >= size)
        return -ENAMETOOLONG;
    memcpy(out, path, n + 1);
    return 0;
}

/* The path of an open file. */
static int path_of(int fd, char *out, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, out, size - 1);
    if (n < 0)
        return -errno;
    out[n] = 0;
    return 0;
}

int machine_find_in_root(const char *root, const char *path, char *out, size_t size) {
    if (!root || !*root)
        return copy(path, out, size);
    int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return -errno;
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    long fd = syscall(SYS_openat2, dir, path, &how, sizeof how);
    int rc = fd < 0 ? -errno : path_of((int)fd, out, size);
    close(dir);
    if (fd >= 0)
        close((int)fd);
    return rc;
}
