/*
 * See options.h. Help text, long and short forms, and what is handed on to the blink that replaces
 * this one come from the same rows.
 */
#include "cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* How an option goes into the command line of the next blink. */
enum { HAND_ON, HAND_PATH, KEEP };

struct row {
    char letter; /* 0: long only */
    const char *name;
    int has_arg; /* of getopt */
    int hand;
    const char *arg, *help; /* help NULL: not shown */
};

/* Options without a letter are told apart by their row: ids from here on. */
#define ID_BASE 256

static const struct row rows[] = {
    {'h', "help", no_argument, KEEP, NULL, "show this text and exit"},
    {'v', "verbose", no_argument, HAND_ON, NULL,
     "say what is loaded and shadowed; twice: more; without PROGRAM: --version"},
    {0, "version", no_argument, KEEP, NULL, "show the version and exit"},
    {'j', "no-jit", no_argument, HAND_ON, NULL, "interpret only"},
    {0, "jit", required_argument, HAND_ON, "NAME[,ARGS]",
     "use JIT back end NAME (\"none\": interpret only)"},
    {0, "jit-cache", required_argument, HAND_ON, "SIZE",
     "most translated code kept, 1M or more (256M)"},
    {0, "jit-swap-every", required_argument, HAND_ON, "MS",
     "for testing: rotate among several --jit while the program runs"},
    {0, "perf-map", no_argument, HAND_ON, NULL, "tell perf of translated code: /tmp/perf-PID.map"},
    {0, "gdb-jit", no_argument, HAND_ON, NULL, "tell GDB of translated code: symbols guest_RIP"},
    {'m', "paged", no_argument, HAND_ON, NULL,
     "paged guest memory: the program is kept away from blink's own"},
    {'r', "realmode", no_argument, KEEP, NULL,
     "PROGRAM is system software: a boot sector or the image of a disk"},
    {0, "memory", required_argument, KEEP, "SIZE", "RAM of a machine for system software (64M)"},
    {0, "clock", required_argument, KEEP, "icount|host",
     "time of system software: counted in instructions, or the host's (default)"},
    {0, "disk", required_argument, KEEP, "FILE[,ro|cow|rw]",
     "one more disk for system software (repeatable)"},
    {0, "bios", required_argument, KEEP, "FILE", "a BIOS ROM in place of blink's own"},
    {0, "display", required_argument, KEEP, "text|ansi|none",
     "system software's screen: as text at the end, all along, or not"},
    {0, "screenshot", required_argument, KEEP, "FILE",
     "write the last screen to FILE, *.png or *.txt"},
    {'0', "argv0", no_argument, KEEP, NULL, "PROGRAM is followed by its argv[0]"},
    {'C', "root", required_argument, HAND_PATH, "DIR", "the program's \"/\" is DIR"},
    {'s', "strace", no_argument, HAND_ON, NULL, "trace system calls; twice: on entry too"},
    {'L', "log", required_argument, HAND_PATH, "FILE", "append all log lines to FILE"},
    {'e', "log-stderr", no_argument, HAND_ON, NULL, "with -L: log lines to standard error too"},
    {'Z', "stats", no_argument, HAND_ON, NULL, "print statistics at exit"},
    {0, "plugin", required_argument, HAND_PATH, "FILE", "use this plugin file (repeatable)"},
    {0, "plugin-dir", required_argument, HAND_PATH, "DIR",
     "look for plugins here first (repeatable)"},
    {0, "list-plugins", optional_argument, KEEP, "[=json]", "list every plugin that can be found"},
    {0, "cpu", required_argument, HAND_ON, "NAME|+FEATURE|-FEATURE,...",
     "what CPUID tells of: x86-64-v1, -v2, -v3, max (default)"},
    {0, "decoder", required_argument, HAND_ON, "NAME", "use decoder NAME (capstone)"},
    {0, "device", required_argument, HAND_ON, "NAME[,ARGS]",
     "add a device (repeatable); \"none\": only those named"},
    {0, "observer", required_argument, HAND_ON, "NAME[,ARGS]", "add an observer (repeatable)"},
    {0, MACHINE_OPTION_FD, required_argument, KEEP, NULL, NULL},
    {0, MACHINE_OPTION_ENV, required_argument, KEEP, NULL, NULL},
    {0, MACHINE_OPTION_HOST, required_argument, KEEP, NULL, NULL},
};
#define ROWS (sizeof rows / sizeof rows[0])

void cli_help(FILE *out) {
    fputs("Usage: blink [OPTIONS] PROGRAM [ARGS]\n"
          "Run an x86-64 Linux program, or the system software of a PC.\n\n",
          out);
    for (size_t k = 0; k < ROWS; k++) {
        const struct row *r = &rows[k];
        char left[64];
        if (!r->help)
            continue;
        if (r->letter)
            snprintf(left, sizeof left, "-%c, --%s", r->letter, r->name);
        else
            snprintf(left, sizeof left, "    --%s", r->name);
        if (r->arg) {
            size_t n = strlen(left);
            snprintf(left + n, sizeof left - n, "%s%s", r->has_arg == optional_argument ? "" : "=",
                     r->arg);
        }
        fprintf(out, "  %-30s %s\n", left, r->help);
    }
    fputs("\nPlugins are searched in: --plugin, --plugin-dir, $BLINK_PLUGIN_PATH, the built-in "
          "ones,\n"
          "the user's data folder, the install folder. Exit status: the program's own; 2 usage,\n"
          "124 the guest's processor shut down, 125 blink cannot be set up, 126 not executable, "
          "127 not found.\n",
          out);
}

static bool push(struct cli_list *list, const char *text) {
    const char **v = realloc(list->v, (list->count + 2) * sizeof *v);
    if (!v)
        return false;
    v[list->count++] = text;
    v[list->count] = NULL;
    list->v = v;
    return true;
}

/* The guest may change directory: what is handed on is absolute. Allocated, or NULL. */
static char *absolute(const char *path) {
    char here[PATH_MAX];
    if (path[0] == '/' || !getcwd(here, sizeof here))
        return strdup(path);
    size_t size = strlen(here) + strlen(path) + 2;
    char *out = malloc(size);
    if (out)
        snprintf(out, size, "%s/%s", here, path);
    return out;
}

static bool hand_on(struct cli_options *o, const struct row *r, const char *value) {
    char *path = r->hand == HAND_PATH ? absolute(value) : NULL;
    const char *text = path ? path : value ? value : "";
    size_t size = strlen(r->name) + strlen(text) + 4;
    char *word = malloc(size);
    if (word) {
        snprintf(word, size, value ? "--%s=%s" : "--%s", r->name, text);
        if (!push(&o->respawn, word)) {
            free(word);
            word = NULL;
        }
    }
    free(path);
    return word != NULL;
}

static void set(struct cli_options *o, const char *name, const char *value) {
    size_t k = 0;
    while (k + 2 < sizeof o->settings / sizeof o->settings[0] && o->settings[k].name &&
           strcmp(o->settings[k].name, name) != 0)
        k++;
    o->settings[k] = (struct machine_setting){name, value};
}

/* As people write it. */
static unsigned long long shorten(uint64_t n, const char **unit) {
    static const char *const units[] = {"", "K", "M", "G"};
    uint32_t k = 0;
    for (; k < 3 && n && n % 1024 == 0; k++)
        n /= 1024;
    *unit = units[k];
    return n;
}

/* A number with K, M or G behind it if need be. */
static bool parse_size(const char *name, const char *text, uint64_t least, uint64_t most,
                       uint64_t *out) {
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    uint32_t shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    end += shift != 0;
    if (errno || end == text || *end || text[0] == '-' || v > (most >> shift) ||
        (v << shift) < least) {
        const char *low_unit, *high_unit;
        unsigned long long low = shorten(least, &low_unit), high = shorten(most, &high_unit);
        fprintf(stderr, "blink: --%s=%s: not a number from %llu%s to %llu%s\n", name, text, low,
                low_unit, high, high_unit);
        return false;
    }
    *out = v << shift;
    return true;
}

static bool change_cpu(struct cli_options *o, const char *text) {
    const char *bad;
    size_t size;
    o->cpu_given = true;
    if (cpu_model_change(&o->cpu_model, text, &bad, &size))
        return true;
    fprintf(stderr, "blink: --cpu=%s: \"%.*s\" is no model or feature that can be changed\n", text,
            (int)size, bad);
    return false;
}

static bool check_display(const char *text) {
    if (!strcmp(text, "text") || !strcmp(text, "ansi") || !strcmp(text, "none"))
        return true;
    fprintf(stderr, "blink: --display=%s: there are text, ansi and none\n", text);
    return false;
}

/* What each option does beyond being set for plugins to ask for. */
static bool act(struct cli_options *o, const struct row *r, const char *value) {
    const char *name = r->name;
    struct {
        const char *name;
        struct cli_list *list;
        const char **text;
        bool *flag;
        int *number;
    } table[] = {
        {"plugin", &o->files, NULL, NULL, NULL},
        {"plugin-dir", &o->dirs, NULL, NULL, NULL},
        {"device", &o->devices, NULL, NULL, NULL},
        {"observer", &o->observers, NULL, NULL, NULL},
        {"disk", &o->disks, NULL, NULL, NULL},
        {"realmode", NULL, NULL, &o->realmode, NULL},
        {"log", NULL, &o->log, NULL, NULL},
        {"root", NULL, &o->root, NULL, NULL},
        {"jit", &o->jits, NULL, NULL, NULL},
        {"decoder", NULL, &o->decoder, NULL, NULL},
        {MACHINE_OPTION_HOST, NULL, &o->exec_host, NULL, NULL},
        {"paged", NULL, NULL, &o->paged, NULL},
        {"argv0", NULL, NULL, &o->argv0, NULL},
        {"log-stderr", NULL, NULL, &o->errors_too, NULL},
        {"stats", NULL, NULL, &o->stats, NULL},
        {MACHINE_OPTION_FD, NULL, NULL, NULL, &o->exec_fd},
        {MACHINE_OPTION_ENV, NULL, NULL, NULL, &o->exec_env},
    };
    for (size_t k = 0; k < sizeof table / sizeof table[0]; k++) {
        if (strcmp(table[k].name, name) != 0)
            continue;
        if (table[k].list)
            return push(table[k].list, value);
        if (table[k].text)
            *table[k].text = value;
        if (table[k].flag)
            *table[k].flag = true;
        if (table[k].number)
            *table[k].number = atoi(value);
        return true;
    }
    if (strcmp(name, "no-jit") == 0) {
        o->jits.count = 0;
        return push(&o->jits, "none");
    }
    if (strcmp(name, "cpu") == 0)
        return change_cpu(o, value);
    if (strcmp(name, "jit-cache") == 0)
        return parse_size(name, value, 1u << 20, UINT64_C(1) << 40, &o->jit_cache);
    if (strcmp(name, "display") == 0)
        return check_display(value);
    if (strcmp(name, "clock") == 0) {
        o->icount = strcmp(value, "icount") == 0;
        if (!o->icount && strcmp(value, "host") != 0)
            fprintf(stderr, "blink: --clock=%s: neither icount nor host\n", value);
        return o->icount || strcmp(value, "host") == 0;
    }
    /* Above it are the registers of a PC's devices. */
    if (strcmp(name, "memory") == 0)
        return parse_size(name, value, 1u << 20, UINT64_C(3) << 30, &o->memory);
    if (strcmp(name, "jit-swap-every") == 0)
        return parse_size(name, value, 1, 3600000, &o->jit_swap_ms);
    if (strcmp(name, "help") == 0)
        o->action = CLI_HELP;
    if (strcmp(name, "version") == 0)
        o->action = CLI_VERSION;
    return true;
}

static bool take(struct cli_options *o, const struct row *r, const char *value) {
    bool again = false;
    for (size_t k = 0; o->settings[k].name; k++)
        again = again || strcmp(o->settings[k].name, r->name) == 0;
    if (strcmp(r->name, "list-plugins") == 0) {
        if (value && strcmp(value, "json") != 0) {
            fprintf(stderr, "blink: --list-plugins=%s: the only other format is json\n", value);
            return false;
        }
        o->action = value ? CLI_LIST_PLUGINS_JSON : CLI_LIST_PLUGINS;
        return true;
    }
    if (strcmp(r->name, "verbose") == 0) {
        o->very_verbose = o->verbose;
        o->verbose = true;
    }
    set(o, r->name, again && !value ? "2" : value ? value : "");
    return act(o, r, value) && (r->hand == KEEP || hand_on(o, r, value));
}

static void describe(char *letters, struct option *longs) {
    *letters++ = '+';
    for (size_t k = 0; k < ROWS; k++) {
        longs[k] = (struct option){rows[k].name, rows[k].has_arg, NULL, ID_BASE + (int)k};
        if (!rows[k].letter)
            continue;
        *letters++ = rows[k].letter;
        if (rows[k].has_arg == required_argument)
            *letters++ = ':';
    }
    *letters = 0;
    longs[ROWS] = (struct option){NULL, 0, NULL, 0};
}

static const struct row *row_of(int id) {
    if (id >= ID_BASE)
        return &rows[id - ID_BASE];
    for (size_t k = 0; k < ROWS; k++)
        if (rows[k].letter == id)
            return &rows[k];
    return NULL;
}

bool cli_parse(int argc, char **argv, struct cli_options *o) {
    char letters[2 * ROWS + 2];
    struct option longs[ROWS + 1];
    int id;
    memset(o, 0, sizeof *o);
    o->exec_fd = o->exec_env = -1;
    cpu_model_max(&o->cpu_model);
    describe(letters, longs);
    char *self = strdup("blink");
    if (!self || !push(&o->respawn, self))
        return false;
    while ((id = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        const struct row *r = row_of(id);
        if (!r || !take(o, r, optarg)) {
            fputs("blink: see blink --help\n", stderr);
            return false;
        }
    }
    if (optind < argc)
        o->program = argv + optind;
    if (!o->program && o->action == CLI_RUN && o->verbose)
        o->action = CLI_VERSION;
    if (!o->program && o->action == CLI_RUN) {
        fputs("blink: no program given; see blink --help\n", stderr);
        return false;
    }
    if (o->jit_swap_ms && o->jits.count < 2) {
        fputs("blink: --jit-swap-every needs two --jit or more\n", stderr);
        return false;
    }
    if (o->argv0 && o->program && !o->program[1]) {
        fputs("blink: -0 needs PROGRAM and its argv[0]\n", stderr);
        return false;
    }
    return true;
}

void cli_options_finish(struct cli_options *o) {
    for (size_t k = 0; k < o->respawn.count; k++)
        free((char *)(uintptr_t)o->respawn.v[k]);
    free(o->respawn.v);
    free(o->files.v);
    free(o->dirs.v);
    free(o->devices.v);
    free(o->observers.v);
    free(o->disks.v);
    free(o->jits.v);
}
