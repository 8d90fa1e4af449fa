/*
 * From a path to a checked plugin: open, compare versions, complete what an older producer lacks.
 * Every refusal of a plugin is worded here or in elf.c. A file once opened is never closed, so
 * that pointers into it stay good for ever.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <blink/jit.h>

#include "plugin/internal.h"

/* More than anybody offers in one file: beyond it the count is nonsense. */
#define MANIFESTS_MAX 64u
#define NAME_MAX_LEN  64u

int refuse(struct refusal *why, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    vsnprintf(why->text, sizeof why->text, format, ap);
    va_end(ap);
    return -ENOEXEC;
}

/* ---- the file ---- */

static int check_path(const char *path, struct refusal *why) {
    struct stat st;
    /* Non-blocking: opening a FIFO must not wait for its writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    int err = 0;
    if (fd < 0 && errno == EACCES)
        return refuse(why, "%s; make the file readable", strerror(EACCES));
    if (fd < 0)
        return refuse(why, "%s; check the path", strerror(errno));
    if (fstat(fd, &st) < 0)
        err = refuse(why, "%s; check the file system", strerror(errno));
    else if (S_ISDIR(st.st_mode))
        err = refuse(why, "is a folder; --plugin takes a file, --plugin-dir a folder");
    else if (!S_ISREG(st.st_mode))
        err = refuse(why, "not a regular file; give the shared object of a plugin");
    else
        err = plugin_check_file(fd, (uint64_t)st.st_size, why);
    close(fd);
    return err;
}

/* What the dynamic linker said, without the path it usually starts with. */
static int refuse_linker(struct refusal *why, const char *path) {
    const char *said = dlerror();
    size_t length = strlen(path);
    if (!said)
        said = "unknown error";
    if (!strncmp(said, path, length) && !strncmp(said + length, ": ", 2))
        said += length + 2;
    return refuse(why, "the dynamic linker says: %s; rebuild it for this system", said);
}

int plugin_open(const char *path, const struct blink_plugin_entry **out, struct refusal *why) {
    char *slashed = NULL;
    int err = check_path(path, why);
    if (err)
        return err;
    /* A name without a slash would be looked for in the linker's own folders. */
    if (!strchr(path, '/')) {
        size_t size = strlen(path) + 3;
        slashed = malloc(size);
        if (!slashed)
            return refuse(why, "%s", strerror(ENOMEM));
        snprintf(slashed, size, "./%s", path);
        path = slashed;
    }
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const struct blink_plugin_entry *entry = NULL;
    if (!handle) {
        err = refuse_linker(why, path);
    } else if (!(entry = dlsym(handle, "blink_plugin_entry"))) {
        err = refuse(why, "not a plugin: no symbol blink_plugin_entry; "
                          "define it with BLINK_PLUGIN_DEFINE");
    }
    free(slashed);
    if (!err)
        *out = entry;
    return err;
}

/* ---- the entry ---- */

int plugin_check_entry(const struct plugin_abi *abi, const struct blink_plugin_entry *entry,
                       struct refusal *why) {
    if (entry->magic != BLINK_PLUGIN_MAGIC)
        return refuse(why, "not a plugin: blink_plugin_entry has a wrong magic number; "
                           "define it with BLINK_PLUGIN_DEFINE");
    if (entry->abi_major != abi->major)
        return refuse(why,
                      "built for plugin ABI %u.%u, this blink has %u.%u; "
                      "rebuild it with this blink's headers",
                      entry->abi_major, entry->abi_minor, abi->major, abi->minor);
    if (entry->manifest_count == 0 || entry->manifest_count > MANIFESTS_MAX || !entry->manifests)
        return refuse(why, "says it offers %u things; tell its author", entry->manifest_count);
    for (uint32_t k = 0; k < entry->manifest_count; k++) {
        const struct blink_manifest *m = entry->manifests[k];
        /* All fields up to the vtable are of 1.0, nobody may have fewer. */
        if (!m || m->struct_size < offsetof(struct blink_manifest, vtable) + sizeof m->vtable)
            return refuse(why, "manifest %u is cut short; tell its author", k);
        if (!m->name || !m->version || !m->summary || !m->licence)
            return refuse(why, "manifest %u lacks a text; tell its author", k);
    }
    return 0;
}

bool plugin_name_valid(const char *name, size_t length) {
    if (length == 0 || length > NAME_MAX_LEN)
        return false;
    for (size_t k = 0; k < length; k++) {
        char c = name[k];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'))
            return false;
    }
    return true;
}

bool plugin_known_kind(const struct plugin_abi *abi, const struct blink_manifest *manifest) {
    return manifest->kind < abi->kind_count;
}

const struct blink_manifest *plugin_manifest(const struct blink_plugin_entry *entry, uint32_t kind,
                                             const char *name) {
    for (uint32_t k = 0; k < entry->manifest_count; k++) {
        const struct blink_manifest *m = entry->manifests[k];
        if (m->kind == kind && !strcmp(m->name, name))
            return m;
    }
    return NULL;
}

/* ---- one manifest ---- */

/* The reference with the two completed copies it points to, in one piece of memory. */
struct completed {
    struct plugin_ref ref;
    struct blink_manifest manifest;
    _Alignas(8) unsigned char ops[]; /* the vtable, then the path */
};

static int check_layout(const struct plugin_abi *abi, const struct plugin_ref *ref,
                        struct refusal *why) {
    const struct blink_jit_ops *jit = ref->ops;
    if (ref->kind != BLINK_KIND_JIT ||
        (jit->cpu_size == abi->cpu_size && jit->cpu_layout == abi->cpu_layout))
        return 0;
    return refuse(why,
                  "jit %s was built for another CPU layout (%u bytes, layout %u; this blink has "
                  "%u bytes, layout %u); rebuild it with this blink",
                  ref->name, jit->cpu_size, jit->cpu_layout, abi->cpu_size, abi->cpu_layout);
}

/* Copy as much of the vtable as both sides know, and fill the gaps. */
static int complete_ops(const struct kind_rule *rule, const void *vtable, unsigned char *ops,
                        const struct plugin_ref *ref, struct refusal *why) {
    uint32_t theirs;
    memcpy(&theirs, vtable, sizeof theirs);
    uint32_t size = theirs < rule->size ? theirs : rule->size;
    memcpy(ops, vtable, size);
    memcpy(ops, &rule->size, sizeof rule->size);
    for (uint32_t k = 0; k < rule->count; k++) {
        const struct method_rule *m = &rule->methods[k];
        any_method *method = NULL;
        /* A pointer that the smaller size cuts in two is absent. */
        if (m->offset + sizeof method <= size)
            memcpy(&method, ops + m->offset, sizeof method);
        if (!method && !m->stub)
            return refuse(why, "%s %s lacks the required method %s; tell its author", rule->name,
                          ref->name, m->name);
        if (!method)
            memcpy(ops + m->offset, &m->stub, sizeof m->stub);
    }
    return 0;
}

static int check_manifest(const struct plugin_abi *abi, const struct blink_manifest *m,
                          struct refusal *why) {
    uint32_t vtable_size;
    const struct kind_rule *rule = &abi->kinds[m->kind];
    if (!plugin_name_valid(m->name, strlen(m->name)))
        return refuse(why, "its %s has a name that is not of a-z, 0-9, _ and -; tell its author",
                      rule->name);
    if (m->needs_minor > abi->minor)
        return refuse(why, "%s %s needs plugin ABI %u.%u, this blink has %u.%u; use a newer blink",
                      rule->name, m->name, abi->major, m->needs_minor, abi->major, abi->minor);
    if (!m->vtable)
        return refuse(why, "%s %s has no vtable; tell its author", rule->name, m->name);
    memcpy(&vtable_size, m->vtable, sizeof vtable_size);
    if (vtable_size < offsetof(struct blink_plugin_ops, create))
        return refuse(why, "%s %s has a vtable of %u bytes; tell its author", rule->name, m->name,
                      vtable_size);
    return 0;
}

int plugin_complete(const struct plugin_abi *abi, const struct blink_manifest *manifest,
                    const char *path, struct plugin_ref **out, struct refusal *why) {
    const struct kind_rule *rule = &abi->kinds[manifest->kind];
    size_t path_size = strlen(path) + 1;
    int err = check_manifest(abi, manifest, why);
    if (err)
        return err;
    struct completed *c = calloc(1, sizeof *c + rule->size + path_size);
    if (!c)
        return -ENOMEM;
    memcpy(&c->manifest, manifest,
           manifest->struct_size < sizeof c->manifest ? manifest->struct_size : sizeof c->manifest);
    c->manifest.struct_size = sizeof c->manifest;
    c->manifest.vtable = c->ops;
    c->ref = (struct plugin_ref){
        .kind = manifest->kind,
        .name = manifest->name,
        .version = manifest->version,
        .path = memcpy(c->ops + rule->size, path, path_size),
        .manifest = &c->manifest,
        .ops = c->ops,
    };
    err = complete_ops(rule, manifest->vtable, c->ops, &c->ref, why);
    if (!err)
        err = check_layout(abi, &c->ref, why);
    if (err)
        free(c);
    else
        *out = &c->ref;
    return err;
}
