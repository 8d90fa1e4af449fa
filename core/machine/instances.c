/*
 * The plugins of one machine as instances: made when first asked for, destroyed with it. On the
 * main thread, or in an exclusive section.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "machine/internal.h"

void machine_error(struct blink_machine *m, const char *format, ...) {
    char text[1024];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    machine_log_line(&m->options.log, BLINK_LOG_ERROR, text);
}

static struct instance *known(struct blink_machine *m, const struct plugin_ref *ref) {
    for (uint32_t k = 0; k < m->instances; k++)
        if (m->instance[k].ref == ref)
            return &m->instance[k];
    return NULL;
}

int machine_instance(struct blink_machine *m, uint32_t kind, const char *name, const char *args,
                     struct instance **out) {
    const struct plugin_ref *ref;
    int rc = registry_find(m->registry, kind, name, &ref);
    if (rc)
        return rc;
    /* Each device asked for is one more device; of everything else one will do. */
    struct instance *i = kind == BLINK_KIND_DEVICE ? NULL : known(m, ref);
    if (i) {
        *out = i;
        return 0;
    }
    if (m->instances == MACHINE_MAX_PLUGINS) {
        machine_error(m, "more than %u plugins in one machine", MACHINE_MAX_PLUGINS);
        return -ENOSPC;
    }
    const struct blink_plugin_ops *ops = ref->ops;
    struct blink_plugin *self;
    rc = ops->create(&m->host, args, &self);
    if (rc) {
        machine_error(m, "%s: %s %s could not be created: %s", ref->path, plugin_kind_name(kind),
                      name, strerror(-rc));
        return rc == -ENOENT ? -EINVAL : rc;
    }
    i = &m->instance[m->instances++];
    *i = (struct instance){.ref = ref, .self = self};
    *out = i;
    return 0;
}

int machine_activate(struct blink_machine *m, struct instance *i) {
    const struct blink_plugin_ops *ops = i->ref->ops;
    int rc = i->active ? 0 : ops->activate(i->self);
    if (rc)
        machine_error(m, "%s: %s %s could not be activated: %s", i->ref->path,
                      plugin_kind_name(i->ref->kind), i->ref->name, strerror(-rc));
    else
        i->active = true;
    return rc;
}

void machine_drop_instances(struct blink_machine *m, uint32_t keep) {
    while (m->instances) {
        struct instance *i = &m->instance[--m->instances];
        const struct blink_plugin_ops *ops = i->ref->ops;
        if (keep >> i->ref->kind & 1)
            continue;
        if (i->active)
            ops->deactivate(i->self);
        ops->destroy(i->self);
    }
}
