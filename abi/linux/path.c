/*
 * Names of files: the guest's (dirfd, path) becomes one for the host. Without layers (--root) the
 * pair passes as it is but for the files of /proc that tell of the process. Any thread.
 */
#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "layers.h"

/* Files of /proc/self that the host would fill with what blink is. */
static const char *const self_files[] = {"exe",  "maps", "smaps",     "cmdline", "environ", "auxv",
                                         "stat", "mem",  "numa_maps", "status",  "statm"};
#define SELF_FILES (sizeof self_files / sizeof self_files[0])

static const char *self_file(const char *name) {
    for (size_t k = 0; k < SELF_FILES; k++)
        if (!strcmp(name, self_files[k]))
            return self_files[k];
    return NULL;
}

/* Step over "NUMBER/"; the number, or -1. */
static long number_folder(const char **at) {
    const char *p = *at;
    long n = 0;
    while (isdigit((unsigned char)*p) && n < 1 << 30)
        n = n * 10 + (*p++ - '0');
    if (p == *at || *p != '/')
        return -1;
    *at = p + 1;
    return n;
}

static bool word_folder(const char **at, const char *word) {
    size_t n = strlen(word);
    if (strncmp(*at, word, n) || (*at)[n] != '/')
        return false;
    *at += n + 1;
    return true;
}

const char *lx_proc_self(const char *path) {
    const char *at = path;
    if (strncmp(at, "/proc/", 6))
        return NULL;
    at += 6;
    if (!strcmp(at, "cpuinfo"))
        return "cpuinfo";
    if (word_folder(&at, "thread-self"))
        return self_file(at);
    if (!word_folder(&at, "self") && number_folder(&at) != getpid())
        return NULL;
    if (word_folder(&at, "task") && number_folder(&at) < 0)
        return NULL;
    return self_file(at);
}

/* The host path of a folder the guest's path starts from. */
static int base_of(int32_t dirfd, char *out, size_t size) {
    char link[32];
    if (dirfd == AT_FDCWD)
        return getcwd(out, size) ? 0 : -errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
    ssize_t n = readlink(link, out, size - 1);
    if (n < 0)
        return errno == ENOENT ? -EBADF : -errno;
    out[n] = 0;
    return out[0] == '/' ? 0 : -ENOTDIR;
}

static void put(struct lx_path *out, int32_t dirfd, const char *name) {
    out->dirfd = dirfd;
    snprintf(out->name, sizeof out->name, "%s", name);
}

/* `text` as an absolute path of the guest's tree. 1: its folder is outside of it, as with a
 * descriptor that came from elsewhere; the host takes the pair as it is. */
static int absolute(struct blink_plugin *abi, int32_t dirfd, const char *text, char *out,
                    size_t size) {
    char base[LX_PATH_MAX];
    int n;
    if (text[0] == '/') {
        n = snprintf(out, size, "%s", text);
    } else {
        int rc = base_of(dirfd, base, sizeof base);
        if (rc < 0)
            return rc;
        const char *guest = lx_guest_name(abi, base);
        if (!guest)
            return 1;
        n = snprintf(out, size, "%s/%s", strcmp(guest, "/") ? guest : "", text);
    }
    return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

/* Whether the path may mean the program: by its last component, which is cheap to see. */
static bool may_be_exe(const char *text) {
    const char *slash = strrchr(text, '/');
    return !strcmp(slash ? slash + 1 : text, "exe");
}

static int plain(struct blink_plugin *abi, int32_t dirfd, const char *text, uint32_t flags,
                 struct lx_path *out) {
    char full[LX_PATH_MAX * 2];
    put(out, dirfd, text);
    if (flags & LX_NOFOLLOW || !abi->id.exe_host || !may_be_exe(text) ||
        absolute(abi, dirfd, text, full, sizeof full))
        return 0;
    if (lx_proc_self(full))
        put(out, AT_FDCWD, abi->id.exe_host);
    else if (lx_proc_program(full, out->name, sizeof out->name) == 0)
        out->dirfd = AT_FDCWD;
    return 0;
}

int lx_path_text(struct blink_plugin *abi, int32_t dirfd, const char *text, uint32_t flags,
                 struct lx_path *out) {
    char full[LX_PATH_MAX];
    if (!lx_layers_now(abi) || !*text)
        return plain(abi, dirfd, text, flags, out);
    int rc = absolute(abi, dirfd, text, full, sizeof full);
    if (rc == 1) {
        put(out, dirfd, text);
        return 0;
    }
    out->dirfd = AT_FDCWD;
    return rc < 0 ? rc : lx_walk(abi, full, flags, out->name, sizeof out->name);
}

int lx_path(struct lx_call *c, int32_t dirfd, uint64_t path, uint32_t flags, struct lx_path *out) {
    char text[LX_PATH_MAX];
    int rc = lx_string(c, text, path, sizeof text);
    return rc < 0 ? rc : lx_path_text(c->abi, dirfd, text, flags, out);
}

int lx_proc_program(const char *path, char *out, size_t size) {
    const char *at = path;
    if (strncmp(at, "/proc/", 6))
        return -ENOENT;
    at += 6;
    long pid = number_folder(&at);
    if (pid >= 0 && word_folder(&at, "task") && number_folder(&at) < 0)
        return -ENOENT;
    return pid < 0 || strcmp(at, "exe") ? -ENOENT : lx_program_of(pid, out, size);
}

const char *lx_path_self(struct blink_plugin *abi, int32_t dirfd, const char *text,
                         char folder[LX_PROC_FOLDER]) {
    char full[LX_PATH_MAX * 2];
    const char *slash = strrchr(text, '/'), *name = slash ? slash + 1 : text;
    if (!self_file(name) && strcmp(name, "cpuinfo"))
        return NULL;
    const char *self =
        absolute(abi, dirfd, text, full, sizeof full) == 0 ? lx_proc_self(full) : NULL;
    size_t n = self ? strlen(full) - strlen(self) : 0;
    if (n >= LX_PROC_FOLDER)
        return NULL;
    memcpy(folder, full, n);
    folder[n] = 0;
    return self;
}
