/*
 * Resolving a guest path below the layers, component by component. Each step looks in every layer
 * at what was resolved so far, so that a link of one layer may lead into another. Any thread.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "layers.h"

/* Symbolic links followed before -ELOOP, as Linux. */
#define MAX_LINKS 40

static const char *const host_tree_names[] = {"/proc", "/dev", "/sys"};
#define HOST_TREES (sizeof host_tree_names / sizeof host_tree_names[0])

/* ---- making and freeing ---- */

static bool is_below(const char *path, const char *folder, size_t size) {
    return !strncmp(path, folder, size) && (path[size] == '/' || !path[size]);
}

static int host_tree_index(const char *guest) {
    for (size_t k = 0; k < HOST_TREES; k++)
        if (is_below(guest, host_tree_names[k], strlen(host_tree_names[k])))
            return (int)k;
    return -1;
}

bool lx_host_tree(const char *guest) {
    return host_tree_index(guest) >= 0;
}

/* An empty /proc or /dev is a mount point that nothing was mounted on. */
static bool has_entries(const char *path) {
    DIR *d = opendir(path);
    bool found = false;
    for (const struct dirent *e; d && !found && (e = readdir(d));)
        found = strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    if (d)
        closedir(d);
    return found;
}

static int add_layer(struct blink_plugin *abi, struct lx_layers *l, const char *path) {
    char *real;
    if (l->count == LX_LAYERS) {
        blink_log(abi->host, BLINK_LOG_ERROR, "%s: more than %d folders over each other", path,
                  LX_LAYERS);
        return -EINVAL;
    }
    real = realpath(*path ? path : "/", NULL);
    struct stat st;
    if (!real || stat(real, &st) < 0 || !S_ISDIR(st.st_mode)) {
        int error = real ? ENOTDIR : errno;
        blink_log(abi->host, BLINK_LOG_ERROR, "%s: cannot be the guest's root: %s", path,
                  strerror(error));
        free(real);
        return -error;
    }
    if (!strcmp(real, "/"))
        *real = 0;
    l->layer[l->count++] = (struct lx_layer){real, strlen(real)};
    return 0;
}

static void see_host_trees(struct lx_layers *l) {
    for (size_t k = 0; k < HOST_TREES; k++) {
        bool own = false;
        for (uint32_t n = 0; n < l->count && !own; n++) {
            char path[PATH_MAX + 8];
            snprintf(path, sizeof path, "%s%s", l->layer[n].prefix, host_tree_names[k]);
            own = has_entries(path);
        }
        if (!own)
            l->host_trees |= 1u << k;
    }
}

/* A guest that starts outside of its tree starts in the tree's root. */
static int enter(struct blink_plugin *abi) {
    char cwd[PATH_MAX];
    if (getcwd(cwd, sizeof cwd) && lx_guest_name(abi, cwd))
        return 0;
    const char *prefix = abi->layers->layer[0].prefix;
    return chdir(*prefix ? prefix : "/") < 0 ? -errno : 0;
}

int lx_layers_init(struct blink_plugin *abi, const char *root, const char *overlays) {
    if (root && !*root)
        root = NULL;
    if (!root && !overlays)
        return 0;
    struct lx_layers *l = calloc(1, sizeof *l);
    char *list = strdup(root ? root : overlays), *next = list;
    int rc = l && list ? 0 : -ENOMEM;
    abi->layers = l;
    if (rc == 0 && root)
        rc = add_layer(abi, l, root);
    else
        for (char *one; rc == 0 && (one = strsep(&next, ":"));)
            rc = add_layer(abi, l, one);
    free(list);
    if (rc == 0 && l->count == 1 && !l->layer[0].size) {
        lx_layers_finish(abi); /* the host's own tree */
        return 0;
    }
    if (rc == 0) {
        see_host_trees(l);
        rc = enter(abi);
    }
    if (rc)
        lx_layers_finish(abi);
    return rc;
}

void lx_layers_finish(struct blink_plugin *abi) {
    for (struct lx_layers *l = abi->layers, *before; l; l = before) {
        before = l->before;
        for (uint32_t k = 0; k < l->count; k++)
            free(l->layer[k].prefix);
        free(l);
    }
    abi->layers = NULL;
}

/* ---- chroot ---- */

static bool may_chroot(void) {
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    return syscall(SYS_capget, &head, data) == 0 && data[0].effective >> CAP_SYS_CHROOT & 1;
}

/* The folder is the one layer from now on. */
static int change_root(struct blink_plugin *abi, const char *real) {
    struct lx_layers *l = calloc(1, sizeof *l);
    int rc = l ? add_layer(abi, l, real) : -ENOMEM;
    if (rc == 0)
        rc = abi->exec.set_root(abi->host->machine, real);
    if (rc < 0) {
        if (l)
            free(l->layer[0].prefix);
        free(l);
        return rc;
    }
    see_host_trees(l);
    pthread_mutex_lock(&abi->lock);
    l->before = abi->layers;
    __atomic_store_n(&abi->layers, l, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&abi->lock);
    return 0;
}

/*
 * Layers over each other cannot be handed on to the next program, and a process that shares its
 * memory cannot have a tree of its own: these are refused. Unlike on Linux /proc and its like are
 * still the host's where the folder has none, since nothing can be mounted there.
 */
int64_t lx_sys_chroot(struct lx_call *c) {
    const struct lx_layers *now = lx_layers_now(c->abi);
    struct lx_path p;
    struct stat st;
    char real[PATH_MAX];
    int rc = lx_path(c, AT_FDCWD, c->a[0], LX_FOLLOW, &p);
    if (rc < 0)
        return rc;
    if (fstatat(p.dirfd, p.name, &st, 0))
        return -errno;
    if (!S_ISDIR(st.st_mode))
        return -ENOTDIR;
    if (faccessat(p.dirfd, p.name, X_OK, AT_EACCESS) || !realpath(p.name, real))
        return -errno;
    if (!may_chroot() || c->thread->apart || (now && now->count > 1))
        return -EPERM;
    return !now && !strcmp(real, "/") ? 0 : change_root(c->abi, real);
}

const char *lx_guest_name(const struct blink_plugin *abi, const char *host) {
    const struct lx_layers *l = lx_layers_now(abi);
    const struct lx_layer *best = NULL;
    if (!l)
        return host;
    for (uint32_t k = 0; k < l->count; k++)
        if (is_below(host, l->layer[k].prefix, l->layer[k].size) &&
            (!best || l->layer[k].size > best->size))
            best = &l->layer[k];
    if (best)
        return host[best->size] ? host + best->size : "/";
    return lx_host_tree(host) ? host : NULL;
}

/* ---- walking ---- */

/* `done` is resolved and relative to the root ("" or "/a/b"), `rest` is still to go. */
struct walk {
    struct blink_plugin *abi;
    uint32_t flags;
    uint32_t links;
    bool folder; /* the path ended with a slash: it means a folder */
    char done[PATH_MAX];
    char rest[PATH_MAX];
    char host[PATH_MAX]; /* of done */
};

/* Join into out[PATH_MAX]; out may not be a or b. */
static int join(char *out, const char *a, const char *separator, const char *b) {
    int n = snprintf(out, PATH_MAX, "%s%s%s", a, separator, b);
    return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

/* Where in the layers a resolved guest path is; with `target`[PATH_MAX] its target if it is a
 * link, else "". -ENOENT if no layer has it. */
static int locate(const struct blink_plugin *abi, const char *guest, char *host, char *target) {
    const struct lx_layers *l = lx_layers_now(abi);
    int tree = host_tree_index(guest), rc = -ENOENT;
    bool host_only = tree >= 0 && (l->host_trees >> tree) & 1;
    for (uint32_t k = host_only ? l->count : 0; k < l->count + (tree >= 0); k++) {
        int joined = join(host, k < l->count ? l->layer[k].prefix : "", guest, "");
        if (joined < 0)
            return joined;
        ssize_t n = readlink(*host ? host : "/", target, PATH_MAX - 1);
        if (n >= 0 || errno == EINVAL) {
            target[n < 0 ? 0 : n] = 0;
            return 0;
        }
        rc = -errno;
        if (rc != -ENOENT && rc != -ENOTDIR)
            return rc;
    }
    return rc;
}

/* The last component is not there: the place of it in the first layer that has its folder. */
static int place(const struct blink_plugin *abi, const char *folder, const char *name, char *host) {
    char parent[PATH_MAX], target[PATH_MAX];
    int rc = locate(abi, folder, parent, target);
    return rc < 0 ? rc : join(host, parent, "/", name);
}

static int check_folder(const struct walk *w) {
    char host[PATH_MAX], target[PATH_MAX];
    struct stat st;
    int rc = locate(w->abi, w->done, host, target);
    if (rc < 0)
        return rc;
    if (stat(*host ? host : "/", &st) < 0)
        return -errno;
    return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

/* A link of /proc whose target is the host's word for something: as the guest would say it.
 * 0: follow `target`; 1: stay at the link, which the host follows itself. */
static int translate_magic(const struct walk *w, const char *path, char *target, bool last) {
    const char *name = strrchr(path, '/') + 1;
    if (strncmp(path, "/proc/", 6) || !isdigit((unsigned char)path[6]))
        return 0;
    if (!strcmp(name, "root"))
        return join(target, "/", "", "");
    const char *own = lx_proc_self(path);
    if (own && !strcmp(own, "exe"))
        return join(target, w->abi->id.exe_guest, "", "");
    char program[PATH_MAX];
    if (lx_proc_program(path, program, sizeof program) == 0)
        return join(target, program, "", "");
    const char *slash = name - 1;
    bool fd = slash - path > 3 && !strncmp(slash - 3, "/fd", 3);
    if (last && (fd || target[0] != '/'))
        return 1;
    if (target[0] != '/')
        return -ENOTDIR;
    const char *guest = lx_guest_name(w->abi, target);
    if (!guest)
        return last ? 1 : -EACCES;
    if (guest != target)
        memmove(target, guest, strlen(guest) + 1);
    return 0;
}

/* Put the target of a link, which stands in `done`, before the rest. */
static int follow(struct walk *w, const char *target) {
    char rest[PATH_MAX];
    if (++w->links > MAX_LINKS)
        return -ELOOP;
    if (!*target)
        return -ENOENT;
    if (target[0] == '/')
        w->done[0] = 0;
    int rc = join(rest, target, *w->rest ? "/" : "", w->rest);
    if (rc == 0)
        memcpy(w->rest, rest, sizeof rest);
    return rc;
}

static int step(struct walk *w, const char *name, bool last) {
    char next[PATH_MAX], target[PATH_MAX];
    if (!strcmp(name, ".") || !strcmp(name, "..")) {
        int rc = check_folder(w);
        char *slash = strrchr(w->done, '/');
        if (rc == 0 && name[1] && slash)
            *slash = 0;
        w->folder |= last;
        return rc;
    }
    int rc = join(next, w->done, "/", name);
    if (rc == 0)
        rc = locate(w->abi, next, w->host, target);
    if (rc == -ENOENT && last)
        rc = place(w->abi, w->done, name, w->host), target[0] = 0;
    if (rc < 0)
        return rc;
    if (target[0] && !(last && w->flags & LX_NOFOLLOW && !w->folder)) {
        rc = translate_magic(w, next, target, last);
        if (rc <= 0)
            return rc < 0 ? rc : follow(w, target);
    }
    memcpy(w->done, next, sizeof next);
    return 0;
}

static int walk(struct walk *w) {
    for (;;) {
        char name[NAME_MAX + 1];
        const char *at = w->rest + strspn(w->rest, "/");
        size_t n = strcspn(at, "/");
        if (!n)
            return 0;
        if (n > NAME_MAX)
            return -ENAMETOOLONG;
        memcpy(name, at, n);
        name[n] = 0;
        at += n;
        bool slash = *at == '/';
        at += strspn(at, "/");
        bool last = !*at;
        if (last && slash)
            w->folder = true;
        memmove(w->rest, at, strlen(at) + 1);
        int rc = step(w, name, last);
        if (rc < 0)
            return rc;
    }
}

int lx_walk(struct blink_plugin *abi, const char *guest, uint32_t flags, char *host,
            size_t host_size) {
    struct walk w = {.abi = abi, .flags = flags};
    char target[PATH_MAX];
    int rc = join(w.rest, guest, "", "");
    if (rc == 0)
        rc = walk(&w);
    if (rc < 0)
        return rc;
    /* After "..", "." or nothing at all the folder that remains has not been looked for. */
    rc = locate(abi, w.done, target, w.rest);
    if (rc == 0)
        memcpy(w.host, target, sizeof target);
    else if (rc != -ENOENT)
        return rc;
    int n = snprintf(host, host_size, "%s%s", w.host, !*w.host || w.folder ? "/" : "");
    return n < 0 || (size_t)n >= host_size ? -ENAMETOOLONG : 0;
}
