/*
 * What the files of the registry share: the rules a plugin is held to, as tables, and the steps
 * from a path to a checked plugin. Main thread.
 */
#ifndef CORE_PLUGIN_INTERNAL_H
#define CORE_PLUGIN_INTERNAL_H

#include <blink/host.h>

#include "plugin/registry.h"

/* ---- kinds.c: the rules ---- */

typedef void any_method(void);

/* One method of a vtable. */
struct method_rule {
    uint32_t offset;
    const char *name;
    any_method *stub; /* what stands in for an absent one; NULL: it is required */
};

/* One kind. */
struct kind_rule {
    const char *name;
    uint32_t size; /* of the vtable as this host knows it */
    uint32_t count;
    const struct method_rule *methods;
};

/* The host's side of the ABI. Tests play other minor versions with another one. */
struct plugin_abi {
    uint32_t major, minor;
    uint32_t kind_count;
    const struct kind_rule *kinds;
    uint32_t cpu_size, cpu_layout; /* what a JIT must have been built with */
};

extern const struct plugin_abi plugin_abi_host;

/* ---- load.c: from a path to a completed plugin_ref ---- */

/* Why a plugin is refused: "reason; what to do". */
struct refusal {
    char text[1024];
};
__attribute__((format(printf, 2, 3))) int refuse(struct refusal *why, const char *format, ...);

/* Open the file and find its entry. 0, or -ENOEXEC with the reason. */
int plugin_open(const char *path, const struct blink_plugin_entry **out, struct refusal *why);
/* What any host can read of an entry: magic, major version, the list. 0 or -ENOEXEC. */
int plugin_check_entry(const struct plugin_abi *abi, const struct blink_plugin_entry *entry,
                       struct refusal *why);
/* Check one manifest and make the completed copies; free the result. 0, -ENOEXEC or -ENOMEM. */
int plugin_complete(const struct plugin_abi *abi, const struct blink_manifest *manifest,
                    const char *path, struct plugin_ref **out, struct refusal *why);
/* The manifest of KIND `name` in a checked entry, or NULL. */
const struct blink_manifest *plugin_manifest(const struct blink_plugin_entry *entry, uint32_t kind,
                                             const char *name);
/* Whether the n-th manifest is of a kind this host knows. */
bool plugin_known_kind(const struct plugin_abi *abi, const struct blink_manifest *manifest);
/* [a-z0-9_-]+ of a sensible length. */
bool plugin_name_valid(const char *name, size_t length);

/* ---- elf.c ---- */

/* Refuse what the dynamic linker would not survive or would only name vaguely: empty, cut off,
 * not a shared object, for another machine. 0 or -ENOEXEC. */
int plugin_check_file(int fd, uint64_t size, struct refusal *why);

/* ---- registry.c: the search ---- */

/* A place of the search order after the explicit files. */
struct place {
    char *dir; /* NULL: the built-in table */
};

/* A --plugin FILE. */
struct explicit_file {
    char *path;
    bool refused;
};

struct plugin_registry {
    const struct plugin_abi *abi;
    plugin_log *log;
    void *log_arg;
    const struct plugin_builtin *builtins;
    struct explicit_file *files;
    size_t file_count;
    struct place *places;
    size_t place_count;
    size_t dir_count; /* the first places: --plugin-dir */
    bool files_loaded;
    int files_error; /* first error of the explicit files */
    struct plugin_ref **refs;
    size_t ref_count, ref_room;
    size_t explicit_refs; /* the first refs: those of the explicit files */
};

int registry_create_abi(const struct plugin_abi *abi, const struct plugin_paths *paths,
                        plugin_log *log, void *log_arg, struct plugin_registry **out);
/* DIR/KIND-NAME.so in malloced memory, or NULL. */
char *plugin_file_path(const char *dir, const char *kind, const char *name);
/* The entry of the built-in KIND-NAME, or NULL. */
const struct blink_plugin_entry *plugin_find_builtin(const struct plugin_builtin *builtins,
                                                     const char *kind, const char *name);

#define PLUGIN_BUILTIN_PATH "(built-in)"

#endif
