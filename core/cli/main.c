/*
 * blink: arguments to a machine, and its end to an exit status.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <blink/host.h>

#include "cli/builtin.h"
#include "cli/options.h"

/* Freeing block by block what the process's end frees at once took most of the time of children
 * that a guest forks and that end soon. Sanitizers and debuggers want to see all of it go. */
#if defined(NDEBUG) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  #define LEAVE_MEMORY true
#else
  #define LEAVE_MEMORY false
#endif

#define STATUS_USAGE 2

struct cli {
    struct cli_options options;
    struct machine_log log;
    struct plugin_registry *registry;
    struct blink_machine *machine;
    const char *install_dirs[4];
    char *built_dir, *near_dir, *user_dir; /* allocated */
    char host_path[PATH_MAX];
    char *guest_path; /* allocated */
    char *env_text;   /* of --exec-env */
    const char **envp;
};

extern char **environ;

static void say(void *arg, int level, const char *text) {
    machine_log_line(arg, level, text);
}

static char *join(const char *a, const char *b) {
    size_t size = strlen(a) + strlen(b) + 1;
    char *out = malloc(size);
    if (out)
        snprintf(out, size, "%s%s", a, b);
    return out;
}

/* ---- where plugins are ---- */

/* The folder of this executable. */
static bool own_dir(char *out, size_t size) {
    ssize_t n = readlink("/proc/self/exe", out, size - 1);
    if (n <= 0)
        return false;
    out[n] = 0;
    char *slash = strrchr(out, '/');
    if (!slash)
        return false;
    *slash = 0;
    return true;
}

static bool is_dir(const char *path) {
    struct stat st;
    return path && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A build tree has its plugins beside the executable; an installed tree may have been moved. */
static void find_install_dirs(struct cli *c) {
    char here[PATH_MAX];
    size_t n = 0;
    if (own_dir(here, sizeof here)) {
        char *mark = join(here, "/meson-info");
        if (is_dir(mark)) {
            c->built_dir = strdup(here);
            c->install_dirs[n++] = c->built_dir;
        }
        free(mark);
        c->near_dir = join(here, "/" BLINK_PLUGIN_DIR_FROM_BIN);
        if (!c->built_dir && is_dir(c->near_dir))
            c->install_dirs[n++] = c->near_dir;
    }
    if (n == 0)
        c->install_dirs[n++] = BLINK_PLUGIN_DIR;
    c->install_dirs[n] = NULL;
}

static void find_user_dir(struct cli *c) {
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (getauxval(AT_SECURE))
        return;
    if (data && data[0] == '/')
        c->user_dir = join(data, "/blink/plugins");
    else if (home && home[0] == '/')
        c->user_dir = join(home, "/.local/share/blink/plugins");
}

static int make_registry(struct cli *c) {
    find_install_dirs(c);
    find_user_dir(c);
    struct plugin_paths paths = {
        .files = c->options.files.v,
        .dirs = c->options.dirs.v,
        .env = getauxval(AT_SECURE) ? NULL : getenv("BLINK_PLUGIN_PATH"),
        .builtins = cli_builtins,
        .user_dir = c->user_dir,
        .install_dirs = c->install_dirs,
    };
    return registry_create(&paths, say, &c->log, &c->registry);
}

/* ---- log ---- */

/* Out of the way of the descriptors a guest counts on. */
static int move_high(int fd) {
    struct rlimit limit;
    int want = 1000;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 1024)
        want = limit.rlim_cur > 64 ? (int)limit.rlim_cur - 24 : 3;
    int high = fcntl(fd, F_DUPFD_CLOEXEC, want);
    if (high < 0)
        return fd;
    close(fd);
    return high;
}

static bool open_log(struct cli *c) {
    const struct cli_options *o = &c->options;
    c->log.file_fd = -1;
    c->log.error_fd = 2;
    c->log.verbosity = o->very_verbose ? BLINK_LOG_DEBUG
                       : o->verbose    ? BLINK_LOG_INFO
                                       : BLINK_LOG_WARN;
    if (o->errors_too)
        c->log.verbosity = BLINK_LOG_DEBUG;
    if (!o->log)
        return true;
    int fd = open(o->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0) {
        fprintf(stderr, "blink: %s: cannot open the log: %s\n", o->log, strerror(errno));
        return false;
    }
    c->log.file_fd = move_high(fd);
    return true;
}

static void fail(struct cli *c, const char *what, const char *why) {
    char text[PATH_MAX + 256];
    snprintf(text, sizeof text, "%s: %s", what, why);
    machine_log_line(&c->log, BLINK_LOG_ERROR, text);
}

/* ---- the program ---- */

static bool found(struct cli *c, const char *guest) {
    struct stat st;
    return machine_find_in_root(c->options.root, guest, c->host_path, sizeof c->host_path) == 0 &&
           stat(c->host_path, &st) == 0 && S_ISREG(st.st_mode) &&
           faccessat(AT_FDCWD, c->host_path, X_OK, AT_EACCESS) == 0;
}

/* As execvp(3): a name without a slash is looked up in PATH. NULL if it is nowhere. */
static char *search_path(struct cli *c, const char *name) {
    const char *path = getenv("PATH");
    if (!path)
        path = "/usr/local/bin:/usr/bin:/bin";
    for (;;) {
        size_t n = strcspn(path, ":");
        size_t size = n + strlen(name) + 3;
        char *full = malloc(size);
        if (!full)
            return NULL;
        snprintf(full, size, "%.*s/%s", n ? (int)n : 1, n ? path : ".", name);
        if (found(c, full))
            return full;
        free(full);
        if (!path[n])
            return NULL;
        path += n + 1;
    }
}

static int find_program(struct cli *c) {
    const char *name = c->options.program[0];
    if (c->options.exec_host) {
        c->guest_path = strdup(name);
        snprintf(c->host_path, sizeof c->host_path, "%s", c->options.exec_host);
        return 0;
    }
    if (strchr(name, '/') || c->options.realmode) {
        int rc = machine_find_in_root(c->options.root, name, c->host_path, sizeof c->host_path);
        c->guest_path = strdup(name);
        if (rc)
            fail(c, name, rc == -ENOENT ? "no such file" : strerror(-rc));
        return rc ? MACHINE_STATUS_NOT_FOUND : 0;
    }
    c->guest_path = search_path(c, name);
    if (!c->guest_path)
        fail(c, name, "not found in PATH");
    return c->guest_path ? 0 : MACHINE_STATUS_NOT_FOUND;
}

/* Strings of the file that respawn left, each with its NUL. */
static bool read_environment(struct cli *c) {
    int fd = c->options.exec_env;
    struct stat st;
    if (fd < 0) {
        c->envp = (const char **)environ;
        return true;
    }
    bool ok = fstat(fd, &st) == 0;
    size_t size = ok ? (size_t)st.st_size : 0, count = 0, n = 0;
    c->env_text = ok ? malloc(size + 1) : NULL;
    ok = c->env_text && pread(fd, c->env_text, size, 0) == (ssize_t)size;
    close(fd);
    if (!ok)
        return false;
    c->env_text[size] = 0;
    for (size_t k = 0; k < size; k++)
        count += c->env_text[k] == 0;
    c->envp = calloc(count + 1, sizeof *c->envp);
    if (!c->envp)
        return false;
    for (size_t at = 0; at < size && n < count; at += strlen(c->env_text + at) + 1)
        c->envp[n++] = c->env_text + at;
    return true;
}

/* ---- run ---- */

static bool stats_wanted; /* the hook below has no argument of its own */

static void last_words(struct blink_machine *m) {
    if (!stats_wanted)
        return;
    machine_print_stats(m);
    machine_print_plugins(m);
}

static int load(struct cli *c) {
    const struct cli_options *o = &c->options;
    struct machine_program p = {
        .host_path = c->host_path,
        .guest_path = c->guest_path,
        .fd = o->exec_fd,
        .argv = (const char *const *)o->program + (o->argv0 ? 1 : 0),
        .envp = c->envp,
    };
    int status = machine_load(c->machine, &p);
    if (o->exec_fd >= 0)
        close(o->exec_fd);
    return status;
}

static int run(struct cli *c) {
    const struct cli_options *o = &c->options;
    struct machine_options m = {
        .log = c->log,
        .settings = o->settings,
        .paged = o->paged,
        .realmode = o->realmode,
        .icount = o->icount,
        .memory = o->memory,
        .disks = o->disks.v,
        .cpu_model = o->cpu_given ? &o->cpu_model : NULL,
        .decoder = o->decoder,
        .jits = o->jits.v,
        .jit_swap_ms = (uint32_t)o->jit_swap_ms,
        .jit_cache = o->jit_cache,
        .timed = o->stats,
        .devices = o->devices.v,
        .observers = o->observers.v,
        .respawn_args = o->respawn.v,
        .respawn_env = (const char *const *)environ,
        .last_words = last_words,
    };
    stats_wanted = o->stats;
    if (!read_environment(c)) {
        fail(c, "--" MACHINE_OPTION_ENV, "cannot be read");
        return MACHINE_STATUS_FAILED;
    }
    int status = find_program(c);
    if (status)
        return status;
    if (registry_check_explicit(c->registry) || machine_create(&m, c->registry, &c->machine))
        return MACHINE_STATUS_FAILED;
    status = load(c);
    if (status)
        return status;
    if (o->verbose)
        machine_print_plugins(c->machine);
    status = machine_run(c->machine);
    last_words(c->machine);
    return status;
}

static int list(struct cli *c) {
    bool json = c->options.action == CLI_LIST_PLUGINS_JSON;
    int rc = registry_list(c->registry, stdout, json);
    if (rc == 0 && fflush(stdout) == 0)
        return 0;
    fail(c, "--list-plugins", strerror(rc ? -rc : errno));
    return MACHINE_STATUS_FAILED;
}

static int dispatch(struct cli *c) {
    switch (c->options.action) {
    case CLI_HELP: cli_help(stdout); return 0;
    case CLI_VERSION:
        printf("blink %s (plugin ABI %u.%u)\n", BLINK_VERSION, BLINK_ABI_MAJOR, BLINK_ABI_MINOR);
        return 0;
    default: break;
    }
    if (!open_log(c))
        return MACHINE_STATUS_FAILED;
    if (make_registry(c)) {
        fail(c, "plugins", strerror(ENOMEM));
        return MACHINE_STATUS_FAILED;
    }
    return c->options.action == CLI_RUN ? run(c) : list(c);
}

int main(int argc, char **argv) {
    struct cli c = {0};
    int status = STATUS_USAGE;
    if (cli_parse(argc, argv, &c.options))
        status = dispatch(&c);
    /* With -v JITs and decoders have their last words, too. */
    if (LEAVE_MEMORY && !c.options.verbose) {
        machine_retire(c.machine);
        return status;
    }
    machine_destroy(c.machine);
    registry_destroy(c.registry);
    cli_options_finish(&c.options);
    if (c.env_text)
        free(c.envp);
    free(c.env_text);
    free(c.guest_path);
    free(c.built_dir);
    free(c.near_dir);
    free(c.user_dir);
    return status;
}
