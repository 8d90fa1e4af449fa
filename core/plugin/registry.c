/*
 * The registry: the search order, and what was found. Owns its copies of the paths and all
 * references it hands out. Main thread.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/internal.h"

/* ---- messages ---- */

__attribute__((format(printf, 3, 4))) static void say(const struct plugin_registry *registry,
                                                      int level, const char *format, ...) {
    char *text = NULL;
    va_list ap;
    va_start(ap, format);
    if (registry->log && vasprintf(&text, format, ap) >= 0)
        registry->log(registry->log_arg, level, text);
    va_end(ap);
    free(text);
}

static int say_refused(const struct plugin_registry *registry, const char *path,
                       const struct refusal *why) {
    say(registry, BLINK_LOG_ERROR, "%s: %s", path, why->text);
    return -ENOEXEC;
}

/* ---- creation ---- */

static size_t count_strings(const char *const *list) {
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

static int add_place(struct plugin_registry *registry, const char *dir, size_t length) {
    char *copy = strndup(dir, length);
    if (!copy)
        return -ENOMEM;
    registry->places[registry->place_count++] = (struct place){copy};
    return 0;
}

static int add_dirs(struct plugin_registry *registry, const char *const *dirs) {
    int err = 0;
    for (size_t k = 0; dirs && dirs[k] && !err; k++)
        err = add_place(registry, dirs[k], strlen(dirs[k]));
    return err;
}

/* An empty piece would mean the current folder, which nobody asked for. */
static int add_list(struct plugin_registry *registry, const char *list) {
    int err = 0;
    while (list && *list && !err) {
        size_t length = strcspn(list, ":");
        if (length)
            err = add_place(registry, list, length);
        list += length;
        list += *list == ':';
    }
    return err;
}

static size_t count_places(const struct plugin_paths *paths) {
    size_t n = count_strings(paths->dirs) + count_strings(paths->install_dirs) + 3;
    for (const char *c = paths->env; c && *c; c++)
        n += *c == ':';
    return n;
}

static int copy_paths(struct plugin_registry *registry, const struct plugin_paths *paths) {
    size_t files = count_strings(paths->files);
    registry->files = calloc(files + 1, sizeof *registry->files);
    registry->places = calloc(count_places(paths), sizeof *registry->places);
    if (!registry->files || !registry->places)
        return -ENOMEM;
    for (; registry->file_count < files; registry->file_count++) {
        char *copy = strdup(paths->files[registry->file_count]);
        if (!copy)
            return -ENOMEM;
        registry->files[registry->file_count].path = copy;
    }
    int err = add_dirs(registry, paths->dirs);
    registry->dir_count = registry->place_count;
    if (!err)
        err = add_list(registry, paths->env);
    if (!err && paths->builtins)
        registry->places[registry->place_count++] = (struct place){NULL};
    if (!err && paths->user_dir)
        err = add_place(registry, paths->user_dir, strlen(paths->user_dir));
    if (!err)
        err = add_dirs(registry, paths->install_dirs);
    return err;
}

int registry_create_abi(const struct plugin_abi *abi, const struct plugin_paths *paths,
                        plugin_log *log, void *log_arg, struct plugin_registry **out) {
    struct plugin_registry *registry = calloc(1, sizeof *registry);
    if (!registry)
        return -ENOMEM;
    registry->abi = abi;
    registry->log = log;
    registry->log_arg = log_arg;
    registry->builtins = paths->builtins;
    int err = copy_paths(registry, paths);
    if (err)
        registry_destroy(registry);
    else
        *out = registry;
    return err;
}

int registry_create(const struct plugin_paths *paths, plugin_log *log, void *log_arg,
                    struct plugin_registry **out) {
    return registry_create_abi(&plugin_abi_host, paths, log, log_arg, out);
}

void registry_destroy(struct plugin_registry *registry) {
    if (!registry)
        return;
    for (size_t k = 0; k < registry->ref_count; k++)
        free(registry->refs[k]);
    for (size_t k = 0; k < registry->file_count; k++)
        free(registry->files[k].path);
    for (size_t k = 0; k < registry->place_count; k++)
        free(registry->places[k].dir);
    free(registry->refs);
    free(registry->files);
    free(registry->places);
    free(registry);
}

/* ---- what was found ---- */

static int keep_ref(struct plugin_registry *registry, struct plugin_ref *ref) {
    if (registry->ref_count == registry->ref_room) {
        size_t room = registry->ref_room ? registry->ref_room * 2 : 16;
        struct plugin_ref **grown = realloc(registry->refs, room * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        registry->refs = grown;
        registry->ref_room = room;
    }
    registry->refs[registry->ref_count++] = ref;
    return 0;
}

const struct plugin_ref *registry_loaded(const struct plugin_registry *registry, size_t n) {
    return n < registry->ref_count ? registry->refs[n] : NULL;
}

static const struct plugin_ref *find_ref(const struct plugin_registry *registry, size_t from,
                                         size_t to, uint32_t kind, const char *name) {
    for (size_t k = from; k < to; k++)
        if (registry->refs[k]->kind == kind && !strcmp(registry->refs[k]->name, name))
            return registry->refs[k];
    return NULL;
}

/* ---- the search order ---- */

char *plugin_file_path(const char *dir, const char *kind, const char *name) {
    char *path = NULL;
    size_t length = strlen(dir);
    const char *slash = length && dir[length - 1] == '/' ? "" : "/";
    return asprintf(&path, "%s%s%s-%s.so", dir, slash, kind, name) < 0 ? NULL : path;
}

const struct blink_plugin_entry *plugin_find_builtin(const struct plugin_builtin *builtins,
                                                     const char *kind, const char *name) {
    size_t length = strlen(kind);
    for (; builtins && builtins->file_name; builtins++)
        if (!strncmp(builtins->file_name, kind, length) && builtins->file_name[length] == '-' &&
            !strcmp(builtins->file_name + length + 1, name))
            return builtins->entry;
    return NULL;
}

/* One place's answer. A file counts by being there, whatever is wrong with it. */
struct candidate {
    char *path; /* malloced */
    const struct blink_plugin_entry *builtin;
    struct stat st;
};

/* 0, -ENOENT: not in this place, -ENOMEM. */
static int look_in(const struct plugin_registry *registry, const struct place *place,
                   const char *kind, const char *name, struct candidate *out) {
    struct candidate c = {0};
    if (!place->dir) {
        c.builtin = plugin_find_builtin(registry->builtins, kind, name);
        if (!c.builtin)
            return -ENOENT;
        c.path = strdup(PLUGIN_BUILTIN_PATH);
    } else {
        c.path = plugin_file_path(place->dir, kind, name);
        /* A link that leads nowhere is there too: it is named, not passed over. */
        if (c.path && stat(c.path, &c.st) < 0 && lstat(c.path, &c.st) < 0) {
            free(c.path);
            return -ENOENT;
        }
    }
    *out = c;
    return c.path ? 0 : -ENOMEM;
}

/* With -v: what was not taken because something else came first. */
static void say_shadowed(const struct plugin_registry *registry, size_t from, const char *kind,
                         const char *name, const char *path, const struct stat *taken) {
    for (size_t k = from; k < registry->place_count; k++) {
        struct candidate c;
        if (look_in(registry, &registry->places[k], kind, name, &c))
            continue;
        /* The same folder may be reached twice. */
        if (c.builtin || !taken || c.st.st_dev != taken->st_dev || c.st.st_ino != taken->st_ino)
            say(registry, BLINK_LOG_INFO, "%s: shadows %s", path, c.path);
        free(c.path);
    }
}

/* ---- explicit files ---- */

/* Keep everything the file offers of known kinds: all of it or, with the reason, nothing. */
static int keep_all(struct plugin_registry *registry, const char *path,
                    const struct blink_plugin_entry *entry, struct refusal *why) {
    size_t before = registry->ref_count;
    int err = 0;
    for (uint32_t k = 0; k < entry->manifest_count && !err; k++) {
        struct plugin_ref *ref = NULL;
        if (!plugin_known_kind(registry->abi, entry->manifests[k]))
            continue;
        err = plugin_complete(registry->abi, entry->manifests[k], path, &ref, why);
        if (!err && (err = keep_ref(registry, ref)))
            free(ref);
    }
    if (!err && registry->ref_count == before)
        err = refuse(why, "offers nothing of a kind this blink knows; use a newer blink");
    while (err && registry->ref_count > before)
        free(registry->refs[--registry->ref_count]);
    return err;
}

static int load_explicit(struct plugin_registry *registry, struct explicit_file *file) {
    const struct blink_plugin_entry *entry;
    struct refusal why;
    int err = plugin_open(file->path, &entry, &why);
    if (!err)
        err = plugin_check_entry(registry->abi, entry, &why);
    if (!err)
        err = keep_all(registry, file->path, entry, &why);
    file->refused = err != 0;
    return err == -ENOEXEC ? say_refused(registry, file->path, &why) : err;
}

/* Name each thing that two of the files offer. */
static int find_twins(const struct plugin_registry *registry) {
    int err = 0;
    for (size_t k = 0; k < registry->explicit_refs; k++) {
        const struct plugin_ref *ref = registry->refs[k];
        const struct plugin_ref *first = find_ref(registry, 0, k, ref->kind, ref->name);
        if (!first)
            continue;
        err = -EEXIST;
        say(registry, BLINK_LOG_ERROR, "%s: %s %s is given twice, also by %s; leave one out",
            ref->path, registry->abi->kinds[ref->kind].name, ref->name, first->path);
    }
    return err;
}

static int check_dirs(const struct plugin_registry *registry) {
    int err = 0;
    for (size_t k = 0; k < registry->dir_count; k++) {
        const char *dir = registry->places[k].dir;
        struct stat st;
        int bad = stat(dir, &st) < 0             ? errno
                  : !S_ISDIR(st.st_mode)         ? ENOTDIR
                  : access(dir, R_OK | X_OK) < 0 ? errno
                                                 : 0;
        if (!bad)
            continue;
        say(registry, BLINK_LOG_ERROR, "%s: %s; give --plugin-dir a folder of plugins", dir,
            strerror(bad));
        if (!err)
            err = -bad;
    }
    return err;
}

static void say_explicit_shadows(const struct plugin_registry *registry) {
    for (size_t k = 0; k < registry->explicit_refs; k++) {
        const struct plugin_ref *ref = registry->refs[k];
        struct stat st;
        bool known = stat(ref->path, &st) == 0;
        say_shadowed(registry, 0, registry->abi->kinds[ref->kind].name, ref->name, ref->path,
                     known ? &st : NULL);
    }
}

int registry_check_explicit(struct plugin_registry *registry) {
    if (registry->files_loaded)
        return registry->files_error;
    registry->files_loaded = true;
    int first = 0, err;
    for (size_t k = 0; k < registry->file_count; k++)
        if ((err = load_explicit(registry, &registry->files[k])) && !first)
            first = err;
    registry->explicit_refs = registry->ref_count;
    if ((err = find_twins(registry)) && !first)
        first = err;
    if ((err = check_dirs(registry)) && !first)
        first = err;
    say_explicit_shadows(registry);
    return registry->files_error = first;
}

/* Whether a refused explicit file has the name of what is asked for: then nothing else may be
 * taken instead. */
static bool refused_file(const struct plugin_registry *registry, const char *kind,
                         const char *name) {
    for (size_t k = 0; k < registry->file_count; k++) {
        const char *base = strrchr(registry->files[k].path, '/');
        base = base ? base + 1 : registry->files[k].path;
        size_t length = strlen(kind);
        if (registry->files[k].refused && !strncmp(base, kind, length) && base[length] == '-' &&
            !strncmp(base + length + 1, name, strlen(name)) &&
            !strcmp(base + length + 1 + strlen(name), ".so"))
            return true;
    }
    return false;
}

static int find_explicit(const struct plugin_registry *registry, uint32_t kind, const char *name,
                         const struct plugin_ref **out) {
    const struct plugin_ref *ref = find_ref(registry, 0, registry->explicit_refs, kind, name);
    size_t found = 0;
    for (size_t k = 0; k < registry->explicit_refs; k++)
        found += registry->refs[k]->kind == kind && !strcmp(registry->refs[k]->name, name);
    if (found > 1)
        return -EEXIST;
    if (!ref)
        return refused_file(registry, registry->abi->kinds[kind].name, name) ? -ENOEXEC : -ENOENT;
    *out = ref;
    return 0;
}

/* ---- finding ---- */

static int load_candidate(struct plugin_registry *registry, const struct candidate *c,
                          uint32_t kind, const char *name, struct plugin_ref **out) {
    const struct blink_plugin_entry *entry = c->builtin;
    const struct blink_manifest *manifest;
    struct refusal why;
    int err = entry ? 0 : plugin_open(c->path, &entry, &why);
    if (!err)
        err = plugin_check_entry(registry->abi, entry, &why);
    if (!err && !(manifest = plugin_manifest(entry, kind, name)))
        err = refuse(&why, "offers no %s named %s; name the file after what it offers",
                     registry->abi->kinds[kind].name, name);
    if (!err)
        err = plugin_complete(registry->abi, manifest, c->path, out, &why);
    return err == -ENOEXEC ? say_refused(registry, c->path, &why) : err;
}

static int find_in_places(struct plugin_registry *registry, uint32_t kind, const char *name,
                          const struct plugin_ref **out) {
    const char *kind_name = registry->abi->kinds[kind].name;
    struct candidate c;
    int err = -ENOENT;
    size_t k = 0;
    while (k < registry->place_count &&
           (err = look_in(registry, &registry->places[k], kind_name, name, &c)) == -ENOENT)
        k++;
    if (err)
        return err;
    struct plugin_ref *ref = NULL;
    err = load_candidate(registry, &c, kind, name, &ref);
    if (!err && (err = keep_ref(registry, ref)))
        free(ref);
    if (!err) {
        say_shadowed(registry, k + 1, kind_name, name, ref->path, c.builtin ? NULL : &c.st);
        *out = ref;
    }
    free(c.path);
    return err;
}

int registry_find(struct plugin_registry *registry, uint32_t kind, const char *name,
                  const struct plugin_ref **out) {
    /* A name that could lead out of the folder names nothing. */
    if (kind >= registry->abi->kind_count || !plugin_name_valid(name, strlen(name)))
        return -ENOENT;
    registry_check_explicit(registry); /* says what it has to say the first time */
    const struct plugin_ref *known =
        find_ref(registry, registry->explicit_refs, registry->ref_count, kind, name);
    if (known) {
        *out = known;
        return 0;
    }
    const struct plugin_ref *ref = NULL;
    int err = find_explicit(registry, kind, name, &ref);
    if (err == -ENOENT)
        return find_in_places(registry, kind, name, out);
    if (err)
        return err;
    *out = ref;
    return 0;
}
