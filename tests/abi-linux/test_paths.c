/*
 * Paths below a root: what stays inside, what falls through to the host, what the guest is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "guest.h"

/* A folder with two trees in it, "one" and "two", and a secret beside them. */
struct world {
    char top[PATH_MAX / 4], one[PATH_MAX / 2], two[PATH_MAX / 2];
    int cwd;
};

static void write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void make(const char *base, const char *name, const char *text) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", base, name);
    if (text)
        write_file(path, text);
    else
        assert_int_equal(mkdir(path, 0755), 0);
}

static void make_link(const char *base, const char *name, const char *target) {
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", base, name);
    assert_int_equal(symlink(target, path), 0);
}

static int setup(void **state) {
    struct world *w = calloc(1, sizeof *w);
    w->cwd = open(".", O_PATH | O_DIRECTORY);
    guest_folder(w->top, sizeof w->top);
    snprintf(w->one, sizeof w->one, "%s/one", w->top);
    snprintf(w->two, sizeof w->two, "%s/two", w->top);
    make(w->top, "secret", "secret");
    make(w->top, "one", NULL);
    make(w->top, "two", NULL);
    make(w->one, "etc", NULL);
    make(w->one, "etc/name", "inside");
    make(w->one, "secret", "mine");
    make(w->one, "sub", NULL);
    make_link(w->one, "abs", "/etc/name");
    make_link(w->one, "up", "../../../../../../secret");
    make_link(w->one, "sub/rel", "../etc/name");
    make_link(w->one, "dir", "/etc");
    make_link(w->one, "chain", "/dir/../abs");
    make_link(w->one, "dangling", "/sub/made");
    make_link(w->one, "loop", "/loop");
    make(w->two, "etc", NULL);
    make(w->two, "etc/name", "below");
    make(w->two, "etc/other", "other");
    make(w->two, "only", NULL);
    *state = w;
    return 0;
}

static int teardown(void **state) {
    struct world *w = *state;
    assert_int_equal(fchdir(w->cwd), 0);
    close(w->cwd);
    guest_remove(w->top);
    free(w);
    return 0;
}

static int64_t open_path(struct guest *g, const char *path, int flags) {
    return CALL(g, SYS_open, guest_string(g, 0, path), flags, 0644);
}

static void reads(struct guest *g, const char *path, const char *text) {
    char bytes[64] = {0};
    int64_t fd = open_path(g, path, O_RDONLY);
    if (fd < 0)
        fail_msg("%s: errno %d", path, (int)-fd);
    assert_int_equal(CALL(g, SYS_read, fd, GOOD + 0x2000, 63), (int64_t)strlen(text));
    guest_get(g, 0x2000, bytes, strlen(text));
    assert_string_equal(bytes, text);
    CALL(g, SYS_close, fd);
}

static const char *cwd_of(struct guest *g) {
    static char bytes[512];
    int64_t n = CALL(g, SYS_getcwd, GOOD + 0x3000, sizeof bytes);
    assert_true(n > 0);
    guest_get(g, 0x3000, bytes, (size_t)n);
    return bytes;
}

static void stays_inside(void **state) {
    struct world *w = *state;
    struct guest *g = guest_create(w->one, NULL);
    static const char *const inside[] = {
        "/etc/name",
        "/abs",
        "/sub/rel",
        "/dir/name",
        "/chain",
        "/../../../etc/name",
        "/sub/../../../../abs",
        "//etc//./name",
        "/dir/../etc/name",
        "etc/name",
        "sub/../abs",
    };
    for (size_t k = 0; k < sizeof inside / sizeof inside[0]; k++)
        reads(g, inside[k], "inside");
    reads(g, "/up", "mine");
    reads(g, "../../secret", "mine");
    reads(g, "/../secret", "mine");
    guest_destroy(g);
}

static void errors(void **state) {
    struct world *w = *state;
    struct guest *g = guest_create(w->one, NULL);
    static const struct {
        const char *path;
        int flags, error;
    } cases[] = {
        {"/none", O_RDONLY, ENOENT},
        {"/none/", O_RDONLY, ENOENT},
        {"/none/name", O_RDONLY, ENOENT},
        {"/none/../abs", O_RDONLY, ENOENT},
        {"/abs/", O_RDONLY, ENOTDIR},
        {"/abs/x", O_RDONLY, ENOTDIR},
        {"/secret/..", O_RDONLY, ENOTDIR},
        {"/secret/.", O_RDONLY, ENOTDIR},
        {"/loop", O_RDONLY, ELOOP},
        {"/abs", O_RDONLY | 0400000 /* O_NOFOLLOW of x86-64 */, ELOOP},
        {"/dangling", O_RDONLY, ENOENT},
        {"/dangling", O_RDWR | O_CREAT | O_EXCL, EEXIST},
        {"", O_RDONLY, ENOENT},
    };
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        int64_t rc = open_path(g, cases[k].path, cases[k].flags);
        if (rc != -cases[k].error)
            fail_msg("%s: %d, not %d", cases[k].path, (int)rc, -cases[k].error);
    }
    guest_destroy(g);
}

static void makes_inside(void **state) {
    struct world *w = *state;
    char path[PATH_MAX];
    struct stat st;
    struct guest *g = guest_create(w->one, NULL);
    assert_true(open_path(g, "/dangling", O_RDWR | O_CREAT) >= 0);
    snprintf(path, sizeof path, "%s/sub/made", w->one);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(CALL(g, SYS_mkdir, guest_string(g, 0, "/dir/new/"), 0755), 0);
    snprintf(path, sizeof path, "%s/etc/new", w->one);
    assert_int_equal(stat(path, &st), 0);
    /* The link itself is renamed, and a link's text is kept as it is. */
    assert_int_equal(CALL(g, SYS_rename, guest_string(g, 0, "/abs"), guest_string(g, 64, "/sub/l")),
                     0);
    reads(g, "/sub/l", "inside");
    assert_int_equal(
        CALL(g, SYS_symlink, guest_string(g, 0, "/etc/name"), guest_string(g, 64, "/sub/second")),
        0);
    assert_int_equal(CALL(g, SYS_readlink, guest_string(g, 0, "/sub/second"), GOOD + 256, 64), 9);
    assert_int_equal(CALL(g, SYS_unlink, guest_string(g, 0, "/sub/second")), 0);
    reads(g, "/etc/name", "inside");
    guest_destroy(g);
}

static void tells_where(void **state) {
    struct world *w = *state;
    struct guest *g = guest_create(w->one, NULL);
    assert_string_equal(cwd_of(g), "/"); /* started outside */
    assert_int_equal(CALL(g, SYS_chdir, guest_string(g, 0, "/dir")), 0);
    assert_string_equal(cwd_of(g), "/etc");
    reads(g, "name", "inside");
    reads(g, "../secret", "mine");
    assert_int_equal(CALL(g, SYS_getcwd, GOOD, 4), -ERANGE);
    assert_int_equal(CALL(g, SYS_readlink, guest_string(g, 0, "/proc/self/cwd"), GOOD + 256, 64),
                     4);
    int64_t dir = open_path(g, "/sub", O_RDONLY);
    assert_true(dir >= 0);
    assert_true(CALL(g, SYS_openat, dir, guest_string(g, 0, "rel"), O_RDONLY) >= 0);
    assert_int_equal(CALL(g, SYS_openat, 999, guest_string(g, 0, "rel"), O_RDONLY), -EBADF);
    reads(g, "/proc/self/cwd/name", "inside");
    reads(g, "/proc/self/root/etc/name", "inside");
    guest_destroy(g);
}

static void falls_through(void **state) {
    struct world *w = *state;
    char bytes[64] = {0};
    struct guest *g = guest_create(w->one, NULL);
    int64_t fd = open_path(g, "/dev/null", O_RDWR);
    assert_true(fd >= 0);
    fd = open_path(g, "/proc/self/fd", O_RDONLY);
    assert_true(fd >= 0);
    /* What the root has of it comes first. */
    make(w->one, "proc", NULL);
    make(w->one, "proc/version", "inside");
    guest_destroy(g);
    g = guest_create(w->one, NULL);
    reads(g, "/proc/version", "inside");
    assert_true(open_path(g, "/proc/self/status", O_RDONLY) >= 0);
    assert_int_equal(
        CALL(g, SYS_readlink, guest_string(g, 0, "/proc/self/exe"), GOOD + 256, 64),
        CALL(g, SYS_readlink, guest_string(g, 0, "/proc/thread-self/exe"), GOOD + 512, 64));
    guest_get(g, 256, bytes, 9);
    assert_true(bytes[0] == '/');
    guest_destroy(g);
}

static void overlays(void **state) {
    struct world *w = *state;
    char list[PATH_MAX + 2], path[PATH_MAX];
    struct stat st;
    snprintf(list, sizeof list, "%s:%s", w->one, w->two);
    setenv("BLINK_OVERLAYS", list, 1);
    struct guest *g = guest_create(NULL, NULL);
    unsetenv("BLINK_OVERLAYS");
    reads(g, "/etc/name", "inside"); /* the first */
    reads(g, "/etc/other", "other"); /* only in the second */
    reads(g, "/dir/other", "other"); /* through a link of the first */
    assert_true(open_path(g, "/only/made", O_RDWR | O_CREAT) >= 0);
    snprintf(path, sizeof path, "%s/only/made", w->two);
    assert_int_equal(stat(path, &st), 0);
    assert_true(open_path(g, "/etc/made", O_RDWR | O_CREAT) >= 0);
    snprintf(path, sizeof path, "%s/etc/made", w->one);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(CALL(g, SYS_chdir, guest_string(g, 0, "/only")), 0);
    assert_string_equal(cwd_of(g), "/only");
    guest_destroy(g);
}

static void sockets_inside(void **state) {
    struct world *w = *state;
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/sub/socket"};
    char path[PATH_MAX], deep[64];
    struct stat st;
    uint32_t size = sizeof un;
    struct guest *g = guest_create(w->one, NULL);
    int64_t s = CALL(g, SYS_socket, AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(CALL(g, SYS_bind, s, guest_put(g, 0, &un, sizeof un), sizeof un), 0);
    snprintf(path, sizeof path, "%s/sub/socket", w->one);
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(CALL(g, SYS_listen, s, 1), 0);
    guest_put(g, 256, &size, sizeof size);
    assert_int_equal(CALL(g, SYS_getsockname, s, GOOD + 512, GOOD + 256), 0);
    memset(&un, 0, sizeof un);
    guest_get(g, 512, &un, sizeof un);
    assert_string_equal(un.sun_path, "/sub/socket");
    int64_t other = CALL(g, SYS_socket, AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(CALL(g, SYS_connect, other, GOOD + 512, sizeof un), 0);
    int64_t again = CALL(g, SYS_socket, AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(CALL(g, SYS_bind, again, GOOD + 512, sizeof un), -EADDRINUSE);
    /* A host path that no address can hold. */
    memset(deep, 'd', 60);
    deep[60] = 0;
    snprintf(un.sun_path, sizeof un.sun_path, "/%s", deep);
    assert_int_equal(CALL(g, SYS_mkdir, guest_string(g, 0, un.sun_path), 0755), 0);
    strcat(un.sun_path, "/socket-of-a-long-path-in-the-root");
    assert_int_equal(CALL(g, SYS_bind, again, guest_put(g, 0, &un, sizeof un), sizeof un), 0);
    assert_int_equal(CALL(g, SYS_listen, again, 1), 0);
    int64_t third = CALL(g, SYS_socket, AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(CALL(g, SYS_connect, third, GOOD, sizeof un), 0);
    guest_destroy(g);
}

static void bad_roots(void **state) {
    struct world *w = *state;
    char path[PATH_MAX], line[PATH_MAX + 64];
    static const struct {
        const char *name, *why;
    } cases[] = {{"none", "No such file or directory"}, {"secret", "Not a directory"}};
    for (size_t k = 0; k < 2; k++) {
        snprintf(path, sizeof path, "%s/%s", w->top, cases[k].name);
        struct guest *g = guest_create(path, NULL);
        assert_null(g->abi);
        snprintf(line, sizeof line, "%s: cannot be the guest's root: %s\n", path, cases[k].why);
        assert_string_equal(fakehost_log(g->fh), line);
        guest_destroy(g);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(stays_inside, setup, teardown),
        cmocka_unit_test_setup_teardown(errors, setup, teardown),
        cmocka_unit_test_setup_teardown(makes_inside, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_where, setup, teardown),
        cmocka_unit_test_setup_teardown(falls_through, setup, teardown),
        cmocka_unit_test_setup_teardown(overlays, setup, teardown),
        cmocka_unit_test_setup_teardown(sockets_inside, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_roots, setup, teardown),
    };
    return cmocka_run_group_tests_name("abi-linux paths", tests, NULL, NULL);
}
