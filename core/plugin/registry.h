/*
 * Finding, checking and keeping plugins. Knows the public headers only. One registry a machine;
 * used from the main thread.
 */
#ifndef CORE_PLUGIN_REGISTRY_H
#define CORE_PLUGIN_REGISTRY_H

#include <blink/plugin.h>
#include <stdbool.h>
#include <stdio.h>

/* A plugin linked into the executable. */
struct plugin_builtin {
    const char *file_name; /* "decoder-capstone" */
    const struct blink_plugin_entry *entry;
};

/* Where to look, in the order of precedence; see docs/PLUGIN-ABI.md. */
struct plugin_paths {
    const char *const *files; /* --plugin FILE, NULL-terminated or NULL */
    const char *const *dirs;  /* --plugin-dir DIR, likewise */
    const char *env;          /* BLINK_PLUGIN_PATH, colon list, NULL when privileged or unset */
    const struct plugin_builtin *builtins; /* ends with file_name NULL; may be NULL */
    const char *user_dir;                  /* the user's data folder, may be NULL */
    const char *const *install_dirs;       /* install folder; in a build tree, its plugin folders */
};

typedef void plugin_log(void *arg, int level, const char *text);

/* A plugin that was found and passed every check. Lives as long as the registry. */
struct plugin_ref {
    uint32_t kind;
    const char *name;
    const char *version;
    const char *path;                      /* of the file, "(built-in)" */
    const struct blink_manifest *manifest; /* completed copy: fields a producer lacks are zero */
    const void *ops; /* completed copy of the kind's vtable: optional methods are stubs */
};

struct plugin_registry;

int registry_create(const struct plugin_paths *paths, plugin_log *log, void *log_arg,
                    struct plugin_registry **out);
void registry_destroy(struct plugin_registry *registry);

/* Find KIND-NAME by the search order, load and check it. 0; -ENOENT: nowhere (not logged);
 * -ENOEXEC: found and refused, one line logged; -EEXIST: given twice explicitly, logged. */
int registry_find(struct plugin_registry *registry, uint32_t kind, const char *name,
                  const struct plugin_ref **out);

/* Load the explicit files (--plugin) and look at the folders of --plugin-dir now, so that a wrong
 * one is named even if nothing asks for it. First error; each is logged, once. The first
 * registry_find does it too. */
int registry_check_explicit(struct plugin_registry *registry);

/* Every plugin that can be found, refused ones with their reason, as a table or as JSON. */
int registry_list(struct plugin_registry *registry, FILE *out, bool json);

/* Plugins loaded so far, for -v and --stats: n-th or NULL. */
const struct plugin_ref *registry_loaded(const struct plugin_registry *registry, size_t n);

/* "decoder", "jit", ... or NULL. */
const char *plugin_kind_name(uint32_t kind);

#endif
