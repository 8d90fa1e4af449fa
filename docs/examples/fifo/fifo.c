/*
 * A queue of 16 bytes at port 0x520: what is written is read again, in its order. Port 0x521 tells
 * how many wait; writing to it says from how many on interrupt line 5 is up.
 */
#include <errno.h>
#include <stdlib.h>

#include <blink/device.h>
#include <blink/host.h>

struct blink_plugin {
    const struct blink_host *host;
    struct blink_bus_iface bus;
    uint8_t byte[16], first, count, level;
};

static void update(struct blink_plugin *f) {
    f->bus.set_irq(f->host->machine, 5, f->level && f->count >= f->level);
}
static uint64_t fifo_read(struct blink_plugin *f, uint64_t offset, uint32_t size) {
    if (offset == 1 || !f->count || size != 1)
        return f->count;
    f->count--;
    update(f);
    return f->byte[f->first++ % 16];
}
static void fifo_write(struct blink_plugin *f, uint64_t offset, uint32_t size, uint64_t value) {
    if (offset == 1)
        f->level = (uint8_t)value;
    else if (f->count < 16 && size == 1)
        f->byte[(f->first + f->count++) % 16] = (uint8_t)value;
    update(f);
}
static int create(const struct blink_host *host, const char *args, struct blink_plugin **out) {
    struct blink_plugin *f = calloc(1, sizeof *f);
    (void)args;
    if (!f || blink_service(host, "device fifo", BLINK_IFACE_BUS, &f->bus, sizeof f->bus)) {
        free(f);
        return f ? -ENOTSUP : -ENOMEM;
    }
    f->host = host;
    *out = f;
    return 0;
}
static void destroy(struct blink_plugin *f) {
    free(f);
}
static int activate(struct blink_plugin *f) {
    return f->bus.claim_ports(f->host->machine, f, 0x520, 2, fifo_read, fifo_write);
}
static void deactivate(struct blink_plugin *f) {
    f->bus.release(f->host->machine, f);
}

static const struct blink_device_ops ops = {
    .plugin = {sizeof ops, 0, create, destroy, activate, deactivate}};
static const struct blink_manifest fifo = {
    sizeof fifo, BLINK_KIND_DEVICE, "fifo", "1.0", "16 bytes", "ISC", 0, 0, &ops};
BLINK_PLUGIN_DEFINE(&fifo);
