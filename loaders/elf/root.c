/*
 * Opening a guest path below a root directory, or the first of $BLINK_OVERLAYS that has it, so that
 * absolute symbolic links and ".." of the guest's tree stay inside it. The caller closes the
 * descriptor. Any thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf.h"

/* Symbolic links followed before -ELOOP, as Linux. */
#define MAX_LINKS 40

/* A walk: `done` is resolved and relative to the root ("" or "/a/b"), `rest` is still to go. */
struct walk {
    const char *root;
    char done[PATH_MAX];
    char rest[PATH_MAX];
    int links;
};

/* Join into out[PATH_MAX]; out may not be a or b. */
static int join(char *out, const char *a, const char *separator, const char *b) {
    int n = snprintf(out, PATH_MAX, "%s%s%s", a, separator, b);
    return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* Put the target of the link `name`, which stands in `done`, before the rest. */
static int follow(struct walk *w, const char *host_path) {
    char target[PATH_MAX], rest[PATH_MAX];
    ssize_t n = readlink(host_path, target, sizeof target - 1);
    if (n < 0)
        return -errno;
    target[n] = 0;
    if (++w->links > MAX_LINKS)
        return -ELOOP;
    if (target[0] == '/')
        w->done[0] = 0;
    int r = join(rest, target, "/", w->rest);
    if (r == 0)
        memcpy(w->rest, rest, sizeof rest);
    return r;
}

static int step(struct walk *w, const char *name) {
    char next[PATH_MAX], host_path[PATH_MAX], probe[1];
    if (!name[0] || !strcmp(name, "."))
        return 0;
    if (!strcmp(name, "..")) {
        char *slash = strrchr(w->done, '/');
        if (slash)
            *slash = 0;
        return 0;
    }
    int r = join(next, w->done, "/", name);
    if (r == 0)
        r = join(host_path, w->root, "", next);
    if (r < 0)
        return r;
    if (readlink(host_path, probe, sizeof probe) >= 0)
        return follow(w, host_path);
    if (errno != EINVAL) /* EINVAL: there, and no link */
        return -errno;
    memcpy(w->done, next, sizeof next);
    return 0;
}

static int resolve(struct walk *w) {
    while (w->rest[0]) {
        char name[PATH_MAX];
        size_t n = strcspn(w->rest, "/");
        memcpy(name, w->rest, n);
        name[n] = 0;
        n += strspn(w->rest + n, "/");
        memmove(w->rest, w->rest + n, strlen(w->rest + n) + 1);
        int r = step(w, name);
        if (r < 0)
            return r;
    }
    return 0;
}

/* Where `path` is on the host, below `root` ("" or NULL: the host's own tree). */
static int place(const char *root, const char *path, char found[PATH_MAX]) {
    if (!root || !root[0] || path[0] != '/')
        return join(found, path, "", "");
    struct walk w = {.root = root};
    int r = join(w.rest, path, "", "");
    if (r == 0)
        r = resolve(&w);
    return r == 0 ? join(found, root, "", w.done) : r;
}

static int open_at(const char *root, const char *path, char *host_path, size_t host_path_size) {
    char found[PATH_MAX];
    int r = place(root, path, found);
    if (r < 0)
        return r;
    if (strlen(found) >= host_path_size)
        return -ENAMETOOLONG;
    strcpy(host_path, found);
    int fd = open(found, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

int elf_open_in_root(const char *root, const char *path, char *host_path, size_t host_path_size) {
    const char *overlays = secure_getenv("BLINK_OVERLAYS");
    if ((root && root[0]) || !overlays)
        return open_at(root, path, host_path, host_path_size);
    int r = -ENOENT;
    for (const char *at = overlays; at && (r == -ENOENT || r == -ENOTDIR);) {
        char folder[PATH_MAX];
        size_t n = strcspn(at, ":");
        if (n >= sizeof folder)
            return -ENAMETOOLONG;
        memcpy(folder, at, n);
        folder[n] = 0;
        r = open_at(folder, path, host_path, host_path_size);
        at = at[n] ? at + n + 1 : NULL;
    }
    return r;
}
