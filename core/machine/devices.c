/*
 * The devices of one machine: those of the command line, and for system software those that every
 * PC has. On the main thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "machine/internal.h"

/* What system software expects of a PC, where there is a plugin for it. */
static const char *const usual[] = {"pic",  "pit", "cmos",  "kbd",      "disk",
                                    "uart", "vga", "power", "debugcon", NULL};

int machine_make_named(struct blink_machine *m, uint32_t kind, const char *text,
                       struct instance **out) {
    char name[64];
    size_t n = strcspn(text, ",");
    if (n == 0 || n >= sizeof name) {
        machine_error(m, "%s: not the name of a %s", text, plugin_kind_name(kind));
        return -EINVAL;
    }
    memcpy(name, text, n);
    name[n] = 0;
    int rc = machine_instance(m, kind, name, text[n] ? text + n + 1 : "", out);
    if (rc == -ENOENT)
        machine_error(m, "no plugin %s-%s.so; name its folder with --plugin-dir",
                      plugin_kind_name(kind), name);
    return rc ? rc : machine_activate(m, *out);
}

static int make_device(struct blink_machine *m, const char *text) {
    struct instance *i;
    int rc = machine_make_named(m, BLINK_KIND_DEVICE, text, &i);
    if (rc == 0)
        ((const struct blink_device_ops *)i->ref->ops)->reset(i->self);
    return rc;
}

static bool is_named(const char *text, const char *name) {
    size_t n = strcspn(text, ",");
    return strlen(name) == n && strncmp(text, name, n) == 0;
}

static bool asked_for(const struct blink_machine *m, const char *name) {
    const char *const *list = m->options.devices;
    for (size_t k = 0; list && list[k]; k++)
        if (is_named(list[k], name))
            return true;
    return false;
}

/* One that the command line names is made with its arguments, in its own turn. */
static int make_usual(struct blink_machine *m) {
    const struct plugin_ref *ref;
    int rc = 0;
    if (asked_for(m, "none"))
        return 0;
    for (size_t k = 0; usual[k] && rc == 0; k++)
        if (!asked_for(m, usual[k]) &&
            registry_find(m->registry, BLINK_KIND_DEVICE, usual[k], &ref) == 0)
            rc = make_device(m, usual[k]);
    return rc;
}

int machine_make_devices(struct blink_machine *m) {
    const char *const *list = m->options.devices;
    int rc = m->system ? make_usual(m) : 0;
    for (size_t k = 0; list && list[k] && rc == 0; k++)
        if (!is_named(list[k], "none"))
            rc = make_device(m, list[k]);
    return rc;
}

int machine_list_disks(struct blink_machine *m, const char *boot) {
    const char *const *list = m->options.disks;
    size_t size = strlen(boot) + 1;
    for (size_t k = 0; list && list[k]; k++)
        size += strlen(list[k]) + 1;
    m->disks = malloc(size);
    if (!m->disks)
        return -ENOMEM;
    strcpy(m->disks, boot);
    for (size_t k = 0; list && list[k]; k++) {
        strcat(m->disks, "\n");
        strcat(m->disks, list[k]);
    }
    return 0;
}
