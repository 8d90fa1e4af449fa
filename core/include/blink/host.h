/*
 * What core offers every plugin: a structure of functions handed to create(). Services with a
 * name and revision are had by get_iface; a plugin that is tested alone gets a fake host.
 */
#ifndef BLINK_HOST_H
#define BLINK_HOST_H

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Levels of log(). ERROR and WARN are always shown, INFO with -v, DEBUG with -vv or --log. */
enum {
    BLINK_LOG_ERROR,
    BLINK_LOG_WARN,
    BLINK_LOG_INFO,
    BLINK_LOG_DEBUG,
    BLINK_LOG_STRACE, /* lines of the system-call trace; shown wherever -s sends them */
};

struct blink_host {
    uint32_t struct_size;
    uint32_t abi_major;            /* of the host */
    uint32_t abi_minor;            /* of the host */
    uint32_t page_size;            /* of the host machine, bytes */
    struct blink_machine *machine; /* the machine the instance belongs to */
    /* One line of text, without newline; core adds "blink: " and the newline. [any] */
    void (*log)(struct blink_machine *machine, int32_t level, const char *text);
    /* Non-zero if lines of this level go anywhere: skip costly formatting. [any] */
    int32_t (*log_enabled)(struct blink_machine *machine, int32_t level);
    /*
     * The service `id` ("blink.mem/1", see BLINK_IFACE_* in the service's header), or NULL. The
     * result is a structure that begins with its struct_size and lives as long as the machine.
     * [any]
     */
    const void *(*get_iface)(struct blink_machine *machine, const char *id);
    /*
     * The value of a command-line option by its long name ("strace", "root", "no-jit"), "" for a
     * switch that is on, NULL when not given. Lives as long as the machine. [any]
     */
    const char *(*option)(struct blink_machine *machine, const char *name);
};

/* host->log with a format, at most 1023 bytes. [any] */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
static inline void
blink_log(const struct blink_host *host, int32_t level, const char *format, ...) {
    char text[1024];
    va_list ap;
    if (!host->log_enabled(host->machine, level))
        return;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    host->log(host->machine, level, text);
}

/*
 * Copy the service `id` into `out`, a structure of `size` bytes as this plugin knows it; what an
 * older host lacks of it is zero. A host without it is told of in one line that begins with `who`
 * ("device uart"), and the result is -ENOTSUP. For create. [main]
 */
static inline int blink_service(const struct blink_host *host, const char *who, const char *id,
                                void *out, uint32_t size) {
    const void *iface = host->get_iface(host->machine, id);
    uint32_t theirs;
    if (!iface) {
        blink_log(host, BLINK_LOG_ERROR, "%s needs the service %s", who, id);
        return -ENOTSUP;
    }
    memset(out, 0, size);
    memcpy(&theirs, iface, sizeof theirs);
    memcpy(out, iface, theirs < size ? theirs : size);
    return 0;
}

/*
 * What most create() methods are: an instance of zeros, with its member `host` and copies of the
 * services it needs. A static table names them, and BLINK_CREATE takes their place:
 *
 *     static const struct blink_need needs[] = {{BLINK_NEED(BLINK_IFACE_BUS, bus)}};
 *     int rc = BLINK_CREATE(host, "device uart", args, needs, out);
 *
 * `args` has to be "", or is told of in one line and -EINVAL; a plugin with arguments reads them
 * first and gives NULL. -ENOMEM, -ENOTSUP as blink_service; *out is set on success alone. [main]
 */
struct blink_need {
    const char *id; /* of the service */
    size_t offset;  /* in the instance, of the structure it is copied to */
    uint32_t size;  /* of that structure */
};
#define BLINK_NEED(id, member)                                                                     \
  id, offsetof(struct blink_plugin, member), sizeof(((struct blink_plugin *)0)->member)
#define BLINK_CREATE(host_, who, args, needs, out)                                                 \
  blink_create(host_, who, args, needs, sizeof(needs) / sizeof(needs)[0],                          \
               offsetof(struct blink_plugin, host), sizeof(struct blink_plugin), out)

/* BLINK_CREATE spelled out: `count` needs, where `host` is in an instance of `size` bytes. [main]
 */
static inline int blink_create(const struct blink_host *host, const char *who, const char *args,
                               const struct blink_need *needs, size_t count, size_t host_at,
                               size_t size, struct blink_plugin **out) {
    int rc = 0;
    if (args && args[0]) {
        blink_log(host, BLINK_LOG_ERROR, "%s takes no arguments, not \"%s\"", who, args);
        return -EINVAL;
    }
    char *self = (char *)calloc(1, size);
    if (!self)
        return -ENOMEM;
    memcpy(self + host_at, &host, sizeof host);
    for (size_t k = 0; k < count && rc == 0; k++)
        rc = blink_service(host, who, needs[k].id, self + needs[k].offset, needs[k].size);
    if (rc)
        free(self);
    else
        *out = (struct blink_plugin *)(void *)self;
    return rc;
}

#ifdef __cplusplus
}
#endif

#endif
