/*
 * The fake host itself: log, options, services, loading of plugins. Owns all the other parts.
 */
#include "fakehost.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

void *fake_alloc(size_t size) {
    void *p = calloc(1, size);
    if (!p) {
        fprintf(stderr, "fakehost: out of memory\n");
        exit(99);
    }
    return p;
}

void fake_text_add(struct fake_text *text, const void *bytes, size_t size) {
    char *grown = realloc(text->bytes, text->size + size + 1);
    if (!grown) {
        fprintf(stderr, "fakehost: out of memory\n");
        exit(99);
    }
    memcpy(grown + text->size, bytes, size);
    text->bytes = grown;
    text->size += size;
    text->bytes[text->size] = 0;
}

void fake_text_clear(struct fake_text *text) {
    free(text->bytes);
    text->bytes = NULL;
    text->size = 0;
}

/* ---- log ---- */

static void host_log(struct blink_machine *m, int32_t level, const char *text) {
    void *grown = realloc(m->line, (m->lines + 1) * sizeof *m->line);
    if (!grown)
        return;
    m->line = grown;
    m->line[m->lines].offset = m->log.size;
    m->line[m->lines++].level = level;
    fake_text_add(&m->log, text, strlen(text));
    fake_text_add(&m->log, "\n", 1);
}

static int32_t host_log_enabled(struct blink_machine *m, int32_t level) {
    return level <= m->level;
}

void fakehost_log_level(struct fakehost *fh, int32_t level) {
    fh->machine.level = level;
}

const char *fakehost_log(struct fakehost *fh) {
    return fh->machine.log.bytes ? fh->machine.log.bytes : "";
}

size_t fakehost_log_count(struct fakehost *fh) {
    return fh->machine.lines;
}

const char *fakehost_log_line(struct fakehost *fh, size_t n, int32_t *level) {
    struct blink_machine *m = &fh->machine;
    if (n >= m->lines)
        return NULL;
    size_t start = m->line[n].offset;
    size_t end = n + 1 < m->lines ? m->line[n + 1].offset : m->log.size;
    free(m->line_copy);
    m->line_copy = fake_alloc(end - start);
    memcpy(m->line_copy, m->log.bytes + start, end - start - 1);
    if (level)
        *level = m->line[n].level;
    return m->line_copy;
}

void fakehost_log_clear(struct fakehost *fh) {
    fake_text_clear(&fh->machine.log);
    fh->machine.lines = 0;
}

/* ---- services and options ---- */

static const void *host_get_iface(struct blink_machine *m, const char *id) {
    for (size_t k = 0; k < m->ifaces; k++)
        if (!strcmp(m->iface[k].id, id))
            return m->iface[k].iface;
    return NULL;
}

void fakehost_set_iface(struct fakehost *fh, const char *id, const void *iface) {
    struct blink_machine *m = &fh->machine;
    size_t k = 0;
    while (k < m->ifaces && strcmp(m->iface[k].id, id))
        k++;
    if (k == FAKE_IFACES)
        return;
    m->iface[k].id = id;
    m->iface[k].iface = iface;
    if (k == m->ifaces)
        m->ifaces++;
}

static const char *host_option(struct blink_machine *m, const char *name) {
    for (size_t k = 0; k < FAKE_OPTIONS; k++)
        if (m->option[k].name && !strcmp(m->option[k].name, name))
            return m->option[k].value;
    return NULL;
}

static char *copy_string(const char *s) {
    char *copy = fake_alloc(strlen(s) + 1);
    return strcpy(copy, s);
}

void fakehost_set_option(struct fakehost *fh, const char *name, const char *value) {
    struct blink_machine *m = &fh->machine;
    size_t unused = FAKE_OPTIONS;
    for (size_t k = FAKE_OPTIONS; k-- > 0;) {
        if (m->option[k].name && !strcmp(m->option[k].name, name)) {
            free(m->option[k].name);
            free(m->option[k].value);
            m->option[k].name = m->option[k].value = NULL;
        }
        if (!m->option[k].name)
            unused = k;
    }
    if (!value || unused == FAKE_OPTIONS)
        return;
    m->option[unused].name = copy_string(name);
    m->option[unused].value = copy_string(value);
}

/* ---- plugins ---- */

const void *fakehost_find(const struct blink_plugin_entry *entry, uint32_t kind, const char *name) {
    if (entry->magic != BLINK_PLUGIN_MAGIC || entry->abi_major != BLINK_ABI_MAJOR)
        return NULL;
    for (uint32_t k = 0; k < entry->manifest_count; k++)
        if (entry->manifests[k]->kind == kind && !strcmp(entry->manifests[k]->name, name))
            return entry->manifests[k]->vtable;
    return NULL;
}

const void *fakehost_load(const char *path, uint32_t kind, const char *name) {
    void *so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    const struct blink_plugin_entry *entry = so ? dlsym(so, "blink_plugin_entry") : NULL;
    if (!entry) {
        fprintf(stderr, "fakehost: %s\n", dlerror());
        return NULL;
    }
    const void *vtable = fakehost_find(entry, kind, name);
    if (!vtable)
        fprintf(stderr, "fakehost: %s: no plugin %s of kind %u\n", path, name, kind);
    return vtable;
}

/* ---- life ---- */

struct fakehost *fakehost_create(void) {
    struct fakehost *fh = fake_alloc(sizeof *fh);
    struct blink_machine *m = &fh->machine;
    m->host = (struct blink_host){
        .struct_size = sizeof m->host,
        .abi_major = BLINK_ABI_MAJOR,
        .abi_minor = BLINK_ABI_MINOR,
        .page_size = BLINK_PAGE_SIZE,
        .machine = m,
        .log = host_log,
        .log_enabled = host_log_enabled,
        .get_iface = host_get_iface,
        .option = host_option,
    };
    m->level = INT32_MAX;
    m->exec.fork_result = -ENOSYS;
    m->exec.share_result = -ENOSYS;
    m->exec.respawn_result = -ENOEXEC;
    fake_mem_init(&m->mem);
    fakehost_set_iface(fh, BLINK_IFACE_MEM, &fakehost_mem_iface);
    fakehost_set_iface(fh, BLINK_IFACE_BUS, &fakehost_bus_iface);
    fakehost_set_iface(fh, BLINK_IFACE_EXEC, &fakehost_exec_iface);
    fakehost_set_iface(fh, BLINK_IFACE_DISPLAY, &fakehost_display_iface);
    fakehost_set_iface(fh, BLINK_IFACE_DISK, &fakehost_disk_iface);
    return fh;
}

void fakehost_destroy(struct fakehost *fh) {
    if (!fh)
        return;
    struct blink_machine *m = &fh->machine;
    for (size_t k = 0; k < FAKE_OPTIONS; k++) {
        free(m->option[k].name);
        free(m->option[k].value);
    }
    fake_mem_finish(&m->mem);
    fake_bus_finish(&m->bus);
    fake_media_finish(&m->media);
    fake_text_clear(&m->log);
    free(m->line);
    free(m->line_copy);
    free(m->exec.thread_cpu);
    free(m->cpu);
    free(fh);
}

const struct blink_host *fakehost_host(struct fakehost *fh) {
    return &fh->machine.host;
}

struct blink_machine *fakehost_machine(struct fakehost *fh) {
    return &fh->machine;
}
