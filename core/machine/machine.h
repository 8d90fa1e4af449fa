/*
 * One virtual machine: its plugins, memory, bus and execution loop, wired together for one
 * program. Made, loaded, run and destroyed on the main thread, which owns it.
 */
#ifndef CORE_MACHINE_MACHINE_H
#define CORE_MACHINE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "plugin/registry.h"

struct blink_machine;
struct cpu_model;

/* Where lines of text go. Owned by the command line; used from any thread. */
struct machine_log {
    int error_fd;      /* errors, warnings, and INFO when verbose */
    int file_fd;       /* -L: everything, or -1 */
    int32_t verbosity; /* highest level that error_fd shows: BLINK_LOG_* */
};

/* An option as host->option answers it. */
struct machine_setting {
    const char *name;  /* long name, without dashes */
    const char *value; /* "" for a switch */
};

struct machine_options {
    struct machine_log log;
    const struct machine_setting *settings; /* ends with name NULL */
    bool paged;
    const struct cpu_model *cpu_model; /* NULL: everything */
    const char *decoder;               /* name, NULL for the default */
    /* "NAME[,ARGS]" or "none", NULL-terminated; the first is used. None: the host's own. */
    const char *const *jits;
    uint32_t jit_swap_ms;       /* change to the next of `jits` so often; 0: never */
    bool timed;                 /* for --stats: tell where time goes */
    uint64_t jit_cache;         /* most bytes of translated code; 0: the default */
    const char *const *devices; /* "NAME[,ARGS]", NULL-terminated; "none": not the usual ones */
    const char *const *disks;   /* "FILE[,ro|cow|rw]", NULL-terminated, beside the boot image */
    bool realmode;              /* the program is system software whatever its file looks like */
    bool icount;                /* virtual time for system software: counted in instructions */
    uint64_t memory;            /* RAM of a machine for system software; 0: the default */
    const char *const *observers;
    /* For execve of the guest: the start of the command line that makes another blink like this
     * one, options only, NULL-terminated, and the host environment it shall have. */
    const char *const *respawn_args;
    const char *const *respawn_env;
    /* Called before the process dies by a signal or is replaced. May be NULL. */
    void (*last_words)(struct blink_machine *machine);
};

/* The program to run. */
struct machine_program {
    const char *host_path;  /* as the host opens it */
    const char *guest_path; /* as the guest names it */
    const char *script;     /* what it interprets: the name of the process; or NULL */
    int fd;                 /* already open, or -1: opened by host_path */
    const char *const *argv;
    const char *const *envp;
};

/* Options by which respawn hands a program to the next blink, in its own words. */
#define MACHINE_OPTION_FD   "exec-fd"   /* the program's open file */
#define MACHINE_OPTION_ENV  "exec-env"  /* a file with the environment, strings end with NUL */
#define MACHINE_OPTION_HOST "exec-host" /* the program's path on the host */

/* Why a program could not be started: exit statuses of the shell's convention. */
#define MACHINE_STATUS_FAILED    125 /* blink itself could not be set up */
#define MACHINE_STATUS_NOEXEC    126 /* found, not executable */
#define MACHINE_STATUS_NOT_FOUND 127

/* Wire everything that does not depend on the program. A line is logged for each failure.
 * `registry` outlives the machine. */
int machine_create(const struct machine_options *options, struct plugin_registry *registry,
                   struct blink_machine **out);
void machine_destroy(struct blink_machine *machine);

/* For a process that ends right after: plugins that have something to put in order do so, all else
 * is left to the host's kernel, which is faster at it by far. In place of machine_destroy. */
void machine_retire(struct blink_machine *machine);

/* Load the program and build its start. 0, or a MACHINE_STATUS_* after a logged line. */
int machine_load(struct blink_machine *machine, const struct machine_program *program);

/* Run to the end: the exit status 0-255. Dies by a signal where the guest did. */
int machine_run(struct blink_machine *machine);

/* Counters and the plugins that took part, for --stats. */
void machine_print_stats(struct blink_machine *machine);
/* One line naming the plugins in use. */
void machine_print_plugins(struct blink_machine *machine);

/* The host's path of guest path `path` below folder `root`; NULL or "": below the first folder of
 * $BLINK_OVERLAYS that has it, or the path itself. */
int machine_find_in_root(const char *root, const char *path, char *out, size_t size);

/* Log a line at a BLINK_LOG_* level; knows no machine. [any] */
void machine_log_line(const struct machine_log *log, int32_t level, const char *text);

#endif
