/*
 * The command line: one table of options, parsed into a struct. Main thread.
 */
#ifndef CORE_CLI_OPTIONS_H
#define CORE_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "cpu/model.h"
#include "machine/machine.h"

/* Values of a repeatable option, NULL-terminated. */
struct cli_list {
    const char **v;
    size_t count;
};

enum cli_action { CLI_RUN, CLI_HELP, CLI_VERSION, CLI_LIST_PLUGINS, CLI_LIST_PLUGINS_JSON };

struct cli_options {
    enum cli_action action;
    bool verbose, very_verbose, errors_too, paged, argv0, stats, realmode, icount;
    const char *log, *root, *decoder;
    const char *exec_host; /* handed on by respawn */
    int exec_fd, exec_env; /* likewise; -1 */
    struct cli_list files, dirs, devices, observers, jits, disks;
    struct cpu_model cpu_model;
    bool cpu_given;
    uint64_t memory;                 /* bytes; 0: not given */
    uint64_t jit_swap_ms, jit_cache; /* milliseconds, bytes; 0: not given */
    struct machine_setting settings[64];
    struct cli_list respawn; /* "blink" and the options, for another like this one */
    char **program;          /* PROGRAM [ARGS], or NULL */
};

/* Parse argv; false after a message: usage error. Strings of argv are kept. */
bool cli_parse(int argc, char **argv, struct cli_options *out);
void cli_options_finish(struct cli_options *options);
void cli_help(FILE *out);

#endif
