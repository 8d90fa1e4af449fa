/*
 * execve of the guest: this process becomes another blink with the same options. The program is
 * handed on as an open file, so that one with close-on-exec or without a name works; its
 * environment as a file too, so that what the guest sets for its own dynamic linker does not
 * reach the host's. By a vCPU's thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine/internal.h"

static int write_all(int fd, const char *text, size_t size) {
    while (size) {
        ssize_t n = write(fd, text, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        text += n;
        size -= (size_t)n;
    }
    return 0;
}

static int environment_file(const char *const *envp) {
    int fd = memfd_create("blink-environment", 0), rc = 0;
    if (fd < 0)
        return -errno;
    for (size_t k = 0; envp && envp[k] && rc == 0; k++)
        rc = write_all(fd, envp[k], strlen(envp[k]) + 1);
    if (rc) {
        close(fd);
        return rc;
    }
    return fd;
}

static int check(struct blink_machine *m, const char *path, const char *guest_path, int fd,
                 uint32_t depth);

static int check_script(struct blink_machine *m, const struct machine_script *script,
                        uint32_t depth) {
    char host[PATH_MAX];
    if (depth == MACHINE_SCRIPT_DEPTH)
        return -ELOOP;
    int rc =
        machine_find_in_root(m->host.option(m, "root"), script->interpreter, host, sizeof host);
    return rc ? rc : check(m, host, script->interpreter, -1, depth + 1);
}

static int check_program(struct blink_machine *m, const struct blink_image *image) {
    struct instance *loader = machine_choose_loader(m, image);
    if (!loader)
        return -ENOEXEC;
    const struct blink_loader_ops *ops = loader->ref->ops;
    return ops->check(loader->self, image);
}

/* As execve(2) judges it; what is wrong only then ends the next blink, as Linux kills a process
 * whose new program cannot be mapped. */
static int check(struct blink_machine *m, const char *path, const char *guest_path, int fd,
                 uint32_t depth) {
    uint8_t head[4096];
    struct blink_image image;
    struct machine_script script;
    if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS))
        return -errno;
    int rc = machine_open_image(path, guest_path, fd, head, &image);
    if (rc)
        return rc == -EISDIR ? -EACCES : rc;
    rc = machine_is_script(&image, &script) ? check_script(m, &script, depth)
                                            : check_program(m, &image);
    if (image.fd != fd)
        close(image.fd);
    return rc;
}

static size_t count(const char *const *v) {
    size_t n = 0;
    while (v && v[n])
        n++;
    return n;
}

/* The options that only this program needs. */
struct own_options {
    char fd[32], env[32];
    char host[]; /* --host=PATH */
};

/* The options, the program's own, "-0", its name, and its arguments; one piece of memory with what
 * of that is made here. */
static char **command(struct blink_machine *m, const char *path, const char *guest_path, int fd,
                      int env, const char *const *argv) {
    size_t options = count(m->options.respawn_args), args = count(argv), n = 0;
    size_t vector = (options + args + 9) * sizeof(char *);
    size_t room = strlen(path) + sizeof MACHINE_OPTION_HOST + 8;
    const char *root = m->root ? m->root->folder : NULL;
    size_t root_room = root ? strlen(root) + sizeof "--root=" : 0;
    const char **out = calloc(1, vector + sizeof(struct own_options) + room + root_room);
    if (!out)
        return NULL;
    struct own_options *own = (struct own_options *)((char *)out + vector);
    snprintf(own->fd, sizeof own->fd, "--" MACHINE_OPTION_FD "=%d", fd);
    snprintf(own->env, sizeof own->env, "--" MACHINE_OPTION_ENV "=%d", env);
    snprintf(own->host, room, "--" MACHINE_OPTION_HOST "=%s", path);
    for (size_t k = 0; k < options; k++)
        out[n++] = m->options.respawn_args[k];
    out[n++] = own->fd;
    out[n++] = own->env;
    out[n++] = own->host;
    if (root) {
        /* The last one counts. */
        snprintf(own->host + room, root_room, "--root=%s", root);
        out[n++] = own->host + room;
    }
    out[n++] = "-0";
    out[n++] = "--";
    out[n++] = guest_path;
    if (args == 0)
        out[n++] = "";
    for (size_t k = 0; k < args; k++)
        out[n++] = argv[k];
    return (char **)out;
}

static int replace(struct blink_machine *m, char **args, void **leftover) {
    if (!args)
        return -ENOMEM;
    *leftover = args;
    if (m->options.last_words)
        m->options.last_words(m);
    int rc = exec_replace("/proc/self/exe", args, (char *const *)(uintptr_t)m->options.respawn_env);
    *leftover = NULL;
    free(args);
    return rc;
}

int machine_respawn(struct blink_machine *m, const char *path, const char *guest_path,
                    const char *const *argv, const char *const *envp, void **leftover) {
    int fd = open(path, O_RDONLY | O_NONBLOCK), env = -1;
    if (fd < 0)
        return -errno;
    int rc = check(m, path, guest_path, fd, 0);
    if (rc == 0)
        env = environment_file(envp);
    if (rc == 0)
        rc = env < 0 ? env : replace(m, command(m, path, guest_path, fd, env, argv), leftover);
    if (env >= 0)
        close(env);
    close(fd);
    return rc;
}
