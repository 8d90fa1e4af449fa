/*
 * Socket addresses between guest and host, see sockaddr.h. On the vCPU's thread.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "arg.h"
#include "sockaddr.h"

#define PATH_AT   offsetof(struct sockaddr_un, sun_path)
#define PATH_SIZE sizeof((struct sockaddr_un *)0)->sun_path

void lx_address_finish(struct lx_address *a) {
    if (a->folder >= 0)
        close(a->folder);
    a->folder = -1;
}

static void set_path(struct lx_address *a, const char *path) {
    memcpy(a->u.bytes + PATH_AT, path, strlen(path) + 1);
    a->size = (socklen_t)(PATH_AT + strlen(path) + 1);
}

/* A host path longer than an address can hold is reached through its folder. */
static int set_long_path(struct lx_address *a, char *path) {
    char text[PATH_SIZE];
    char *slash = strrchr(path, '/');
    *slash = 0;
    a->folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (a->folder < 0)
        return -errno;
    int n = snprintf(text, sizeof text, "/proc/self/fd/%d/%s", a->folder, slash + 1);
    if (n < 0 || (size_t)n >= sizeof text)
        return -ENAMETOOLONG;
    set_path(a, text);
    return 0;
}

static int to_host_path(struct lx_call *c, struct lx_address *a, bool making) {
    char guest[PATH_SIZE + 1];
    struct lx_path at;
    size_t n = a->size - PATH_AT;
    memcpy(guest, a->u.bytes + PATH_AT, n);
    guest[n] = 0;
    int rc = lx_path_text(c->abi, AT_FDCWD, guest, making ? LX_NOFOLLOW : LX_FOLLOW, &at);
    if (rc < 0)
        return rc;
    if (strlen(at.name) >= PATH_SIZE)
        return set_long_path(a, at.name);
    set_path(a, at.name);
    return 0;
}

int lx_address_in(struct lx_call *c, uint64_t src, uint64_t size, bool making,
                  struct lx_address *out) {
    memset(&out->u, 0, sizeof out->u);
    out->folder = -1;
    out->size = (socklen_t)size;
    /* The host refuses such a size before it looks. */
    bool sound = out->size <= sizeof out->u;
    out->host = lx_arg(c, &out->u, src, sound ? out->size : 0);
    bool has_path = out->host == &out->u && sound && out->size > PATH_AT &&
                    out->size <= sizeof(struct sockaddr_un) && out->u.any.sa_family == AF_UNIX &&
                    out->u.bytes[PATH_AT];
    return has_path && lx_layers_now(c->abi) ? to_host_path(c, out, making) : 0;
}

void lx_address_as_guest(struct lx_call *c, struct lx_address *a) {
    char path[PATH_SIZE + 1];
    if (!lx_layers_now(c->abi) || a->size <= PATH_AT || a->size > sizeof(struct sockaddr_un) ||
        a->u.any.sa_family != AF_UNIX || a->u.bytes[PATH_AT] != '/')
        return;
    size_t n = a->size - PATH_AT;
    memcpy(path, a->u.bytes + PATH_AT, n);
    path[n] = 0;
    const char *guest = lx_guest_name(c->abi, path);
    if (guest)
        set_path(a, guest);
}

int64_t lx_address_give(struct lx_call *c, struct lx_address *a, uint64_t dst, uint64_t size_at) {
    int32_t room;
    if (lx_in(c, &room, size_at, sizeof room) < 0)
        return -EFAULT;
    if (room < 0)
        return -EINVAL;
    lx_address_as_guest(c, a);
    uint32_t n = (uint32_t)room < a->size ? (uint32_t)room : a->size;
    if (n && lx_out(c, dst, &a->u, n) < 0)
        return -EFAULT;
    return lx_out(c, size_at, &a->size, sizeof a->size);
}
