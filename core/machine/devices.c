/*
 * The devices of one machine: those of the command line, and for system software those that every
 * PC has. On the main thread.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/internal.h"

/* What system software expects of a PC, where there is a plugin for it; and what it is given where
 * the console is the keyboard of a screen. */
static const struct {
    const char *name, *with_screen;
} usual[] = {
    {"pic", "pic"},   {"lapic", "lapic"},     {"ioapic", "ioapic"},     {"pit", "pit"},
    {"cmos", "cmos"}, {"kbd", "kbd,console"}, {"disk", "disk"},         {"uart", "uart,output"},
    {"vga", "vga"},   {"power", "power"},     {"debugcon", "debugcon"},
};
#define USUAL (sizeof usual / sizeof usual[0])

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

/* How the screen is shown: NULL, "text" or "ansi". A person at a terminal wants to see it. */
static const char *shown_as(struct blink_machine *m) {
    const char *display = m->host.option(m, "display");
    if (!display)
        display = isatty(STDOUT_FILENO) ? "ansi" : "none";
    return strcmp(display, "none") ? display : NULL;
}

/* Adapters have the same ports. */
static bool has_adapter(const struct blink_machine *m) {
    return asked_for(m, "vga") || asked_for(m, "cga") || asked_for(m, "mda");
}

/* One that the command line names is made with its arguments, in its own turn. */
static int make_usual(struct blink_machine *m) {
    const struct plugin_ref *ref;
    int rc = 0;
    if (asked_for(m, "none"))
        return 0;
    bool screen = shown_as(m);
    for (size_t k = 0; k < USUAL && rc == 0; k++) {
        const char *name = usual[k].name;
        if (asked_for(m, name) || (!strcmp(name, "vga") && has_adapter(m)) ||
            registry_find(m->registry, BLINK_KIND_DEVICE, name, &ref))
            continue;
        rc = make_device(m, screen ? usual[k].with_screen : name);
    }
    return rc;
}

/* It comes after the devices, so that it goes before them: at the end it looks at the screen. */
static int make_display(struct blink_machine *m) {
    const char *as = shown_as(m), *file = m->host.option(m, "screenshot");
    const struct plugin_ref *ref;
    struct instance *i;
    char text[PATH_MAX + 32];
    if (!as && !file)
        return 0;
    /* What nobody asked for is not missed. */
    if (!file && !m->host.option(m, "display") &&
        registry_find(m->registry, BLINK_KIND_OBSERVER, "display", &ref))
        return 0;
    int n = snprintf(text, sizeof text, "display,%s%s%s%s", as ? as : "", as && file ? "," : "",
                     file ? "file=" : "", file ? file : "");
    if (n >= (int)sizeof text)
        return -ENAMETOOLONG;
    return machine_make_named(m, BLINK_KIND_OBSERVER, text, &i);
}

int machine_make_devices(struct blink_machine *m) {
    const char *const *list = m->options.devices;
    int rc = m->system ? make_usual(m) : 0;
    for (size_t k = 0; list && list[k] && rc == 0; k++)
        if (!is_named(list[k], "none"))
            rc = make_device(m, list[k]);
    if (rc == 0 && m->system)
        rc = make_display(m);
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
