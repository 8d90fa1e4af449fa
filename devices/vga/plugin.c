/*
 * device-vga: a video adapter with the registers and the 256 KiB of memory of IBM's VGA: text, 16
 * colours in planes, 256 colours, CGA's graphics. It begins in text mode 3. On the display service.
 * No arguments. Bus lock held, but for its life.
 */
#include <errno.h>
#include <stdlib.h>

#include "vga.h"

#define WINDOW 0xa0000

static int vga_create(const struct blink_host *host, const char *args, struct blink_plugin **out) {
    static const struct blink_need needs[] = {{BLINK_NEED(BLINK_IFACE_BUS, bus)},
                                              {BLINK_NEED(BLINK_IFACE_DISPLAY, display)}};
    return BLINK_CREATE(host, "device vga", args, needs, out);
}

static void vga_destroy(struct blink_plugin *v) {
    free(v);
}

static void vga_deactivate(struct blink_plugin *v) {
    v->bus.release(v->host->machine, v);
    v->display.detach(v->host->machine, v);
}

static int vga_activate(struct blink_plugin *v) {
    struct blink_machine *m = v->host->machine;
    int r = vga_claim_ports(v);
    if (r == 0)
        r = v->bus.claim_memory(m, v, WINDOW, VGA_WINDOW, vga_memory_read, vga_memory_write);
    if (r == 0)
        r = v->display.attach(m, v, vga_render);
    if (r < 0)
        vga_deactivate(v);
    else
        vga_reset(v);
    return r;
}

static const struct blink_device_ops vga_ops = {
    .plugin =
        {
            .struct_size = sizeof vga_ops,
            .create = vga_create,
            .destroy = vga_destroy,
            .activate = vga_activate,
            .deactivate = vga_deactivate,
        },
    .reset = vga_reset,
};

static const struct blink_manifest vga_manifest = {
    .struct_size = sizeof vga_manifest,
    .kind = BLINK_KIND_DEVICE,
    .name = "vga",
    .version = "0.1.0",
    .summary = "VGA adapter",
    .licence = "ISC",
    .vtable = &vga_ops,
};

BLINK_PLUGIN_DEFINE(&vga_manifest);
