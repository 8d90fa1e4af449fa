/*
 * A stopwatch: writing port 0x510 starts it anew, reading it gives milliseconds.
 */
#include <errno.h>
#include <stdlib.h>

#include <blink/device.h>
#include <blink/host.h>

struct blink_plugin {
    const struct blink_host *host;
    struct blink_bus_iface bus;
    uint64_t start; /* nanoseconds of the machine's clock */
};

static uint64_t read_port(struct blink_plugin *self, uint64_t offset, uint32_t size) {
    (void)size; /* the bus cuts the result to it */
    return (self->bus.now(self->host->machine) - self->start) / 1000000 >> offset * 8;
}
static void write_port(struct blink_plugin *self, uint64_t offset, uint32_t size, uint64_t value) {
    (void)offset, (void)size, (void)value;
    self->start = self->bus.now(self->host->machine);
}

static int create(const struct blink_host *host, const char *args, struct blink_plugin **out) {
    struct blink_bus_iface bus;
    (void)args;
    if (blink_service(host, "device stopwatch", BLINK_IFACE_BUS, &bus, sizeof bus))
        return -ENOTSUP;
    struct blink_plugin *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    *self = (struct blink_plugin){host, bus, bus.now(host->machine)};
    *out = self;
    return 0;
}
static void destroy(struct blink_plugin *self) {
    free(self);
}
static int activate(struct blink_plugin *self) {
    return self->bus.claim_ports(self->host->machine, self, 0x510, 4, read_port, write_port);
}
static void deactivate(struct blink_plugin *self) {
    self->bus.release(self->host->machine, self);
}

static const struct blink_device_ops ops = {
    .plugin = {sizeof ops, 0, create, destroy, activate, deactivate},
};
static const struct blink_manifest manifest = {
    .struct_size = sizeof manifest,
    .kind = BLINK_KIND_DEVICE,
    .name = "stopwatch",
    .version = "1.0",
    .summary = "milliseconds at port 0x510",
    .licence = "ISC",
    .vtable = &ops,
};
BLINK_PLUGIN_DEFINE(&manifest);
