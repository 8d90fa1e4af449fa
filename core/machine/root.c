/*
 * Guest paths below a root folder, or the folders of BLINK_OVERLAYS, as the kernel itself resolves
 * them: absolute symbolic links and ".." stay inside.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
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

static int find_in_folder(const char *root, const char *path, char *out, size_t size) {
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

static int find_on_host(const char *path, char *out, size_t size) {
    return access(path, F_OK) ? -errno : copy(path, out, size);
}

/* The first folder of the list that has it; an empty name is the host's own tree. */
static int find_in_overlays(const char *list, const char *path, char *out, size_t size) {
    int rc = path[0] == '/' ? -ENOENT : find_on_host(path, out, size);
    for (const char *at = list; at && rc == -ENOENT;) {
        char folder[PATH_MAX];
        size_t n = strcspn(at, ":");
        if (n >= sizeof folder)
            return -ENAMETOOLONG;
        memcpy(folder, at, n);
        folder[n] = 0;
        rc = n ? find_in_folder(folder, path, out, size) : find_on_host(path, out, size);
        if (rc == -ENOTDIR)
            rc = -ENOENT;
        at = at[n] ? at + n + 1 : NULL;
    }
    return rc;
}

int machine_find_in_root(const char *root, const char *path, char *out, size_t size) {
    const char *overlays = secure_getenv("BLINK_OVERLAYS");
    if (root && *root)
        return find_in_folder(root, path, out, size);
    return overlays ? find_in_overlays(overlays, path, out, size) : copy(path, out, size);
}
