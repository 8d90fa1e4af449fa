/*
 * The debug console that Bochs introduced: a byte written to port 0xE9 appears on the machine's
 * console, a read gives 0xE9, by which a program knows that the port is there. Argument: port=N
 * for another port. No state but the claim.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <blink/device.h>
#include <blink/host.h>

#define DEBUGCON_PORT  0xe9
#define DEBUGCON_READS 0xe9

struct blink_plugin {
    const struct blink_host *host;
    struct blink_bus_iface bus;
    uint16_t port;
    uint8_t complained; /* a failing console is named once, not at every byte */
};

static uint64_t debugcon_read(struct blink_plugin *self, uint64_t offset, uint32_t size) {
    (void)self, (void)offset, (void)size;
    return DEBUGCON_READS;
}

static void debugcon_write(struct blink_plugin *self, uint64_t offset, uint32_t size,
                           uint64_t value) {
    char byte = (char)value;
    (void)offset, (void)size;
    int err = self->bus.console_write(self->host->machine, &byte, 1);
    if (err && !self->complained) {
        self->complained = 1;
        blink_log(self->host, BLINK_LOG_WARN, "debugcon: output is lost: %s", strerror(-err));
    }
}

/* "" or "port=N", N as in C. */
static int parse_port(const char *args, uint16_t *out) {
    static const char key[] = "port=";
    char *end;
    if (!*args)
        return 0;
    if (strncmp(args, key, sizeof key - 1) || args[5] < '0' || args[5] > '9')
        return -EINVAL;
    unsigned long port = strtoul(args + 5, &end, 0);
    if (*end || port > 0xffff)
        return -EINVAL;
    *out = (uint16_t)port;
    return 0;
}

static int debugcon_create(const struct blink_host *host, const char *args,
                           struct blink_plugin **out) {
    static const struct blink_need needs[] = {{BLINK_NEED(BLINK_IFACE_BUS, bus)}};
    uint16_t port = DEBUGCON_PORT;
    if (parse_port(args, &port)) {
        blink_log(host, BLINK_LOG_ERROR, "debugcon: %s: not an argument; give port=0 to 0xffff",
                  args);
        return -EINVAL;
    }
    int err = BLINK_CREATE(host, "device debugcon", NULL, needs, out);
    if (err == 0)
        (*out)->port = port;
    return err;
}

static void debugcon_destroy(struct blink_plugin *self) {
    free(self);
}

static int debugcon_activate(struct blink_plugin *self) {
    return self->bus.claim_ports(self->host->machine, self, self->port, 1, debugcon_read,
                                 debugcon_write);
}

static void debugcon_deactivate(struct blink_plugin *self) {
    self->bus.release(self->host->machine, self);
}

static const struct blink_device_ops debugcon_ops = {
    .plugin =
        {
            .struct_size = sizeof debugcon_ops,
            .create = debugcon_create,
            .destroy = debugcon_destroy,
            .activate = debugcon_activate,
            .deactivate = debugcon_deactivate,
        },
};

static const struct blink_manifest debugcon_manifest = {
    .struct_size = sizeof debugcon_manifest,
    .kind = BLINK_KIND_DEVICE,
    .name = "debugcon",
    .version = "0.1.0",
    .summary = "port 0xE9: bytes to the console",
    .licence = "ISC",
    .vtable = &debugcon_ops,
};

BLINK_PLUGIN_DEFINE(&debugcon_manifest);
