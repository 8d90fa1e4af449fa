/*
 * device-cga: IBM's colour graphics adapter: a 6845 at ports 0x3D4 and 0x3D5, its mode, colour and
 * status at 0x3D8 to 0x3DA, 16 KiB at 0xB8000. It begins in text mode 3. On the display service, in
 * place of device-vga. No arguments. Bus lock held, but for its life.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cga.h"

#define FIRST_PORT 0x3d0
#define PORTS      16
#define WINDOW     0xb8000
#define WINDOW_END 0xc0000

#define STATUS_BLANK   0x01u
#define STATUS_PEN     0x04u /* its switch is off */
#define STATUS_RETRACE 0x08u

/* 60 pictures a second of 262 lines, of which 200 are shown. */
#define PICTURE_NS UINT64_C(16688000)
#define LINES      262u
#define SHOWN      200u
#define RETRACE    224u
#define RETRACE_N  16u

static const uint8_t crtc_text[CGA_CRTC] = {0x71, 0x50, 0x5a, 0x0a, 0x1f, 0x06,
                                            0x19, 0x1c, 0x02, 0x07, 0x06, 0x07};

static uint8_t status(const struct blink_plugin *c) {
    uint64_t in_picture = c->bus.now(c->host->machine) % PICTURE_NS;
    uint64_t line = in_picture * LINES / PICTURE_NS, in_line = in_picture * LINES % PICTURE_NS;
    uint8_t value = STATUS_PEN;
    if (line >= SHOWN || in_line > PICTURE_NS / 10 * 7)
        value |= STATUS_BLANK;
    if (line >= RETRACE && line < RETRACE + RETRACE_N)
        value |= STATUS_RETRACE;
    return value;
}

/* Of the 6845 the cursor and the light pen are read; its ports repeat below the others. */
static uint8_t read_byte(const struct blink_plugin *c, uint32_t port) {
    if (port < 8 && (port & 1) && c->index >= CR_CURSOR && c->index < CGA_CRTC)
        return c->cr[c->index];
    return port == 10 ? status(c) : 0xff;
}

static void write_byte(struct blink_plugin *c, uint32_t port, uint8_t value) {
    if (port < 8 && !(port & 1))
        c->index = value & 31;
    else if (port < 8 && c->index < CR_CURSOR + 2)
        c->cr[c->index] = value;
    else if (port == 8)
        c->mode = value & 0x3f;
    else if (port == 9)
        c->colour = value & 0x3f;
}

static uint64_t port_read(struct blink_plugin *c, uint64_t offset, uint32_t size) {
    uint64_t value = 0;
    for (uint32_t k = 0; k < size; k++)
        value |= (uint64_t)read_byte(c, (uint32_t)offset + k) << k * 8;
    return value;
}

static void port_write(struct blink_plugin *c, uint64_t offset, uint32_t size, uint64_t value) {
    for (uint32_t k = 0; k < size; k++)
        write_byte(c, (uint32_t)offset + k, (uint8_t)(value >> k * 8));
    c->display.changed(c->host->machine, c);
}

static uint64_t memory_read(struct blink_plugin *c, uint64_t offset, uint32_t size) {
    uint64_t value = 0;
    for (uint32_t k = 0; k < size; k++)
        value |= (uint64_t)c->memory[(offset + k) % CGA_MEMORY] << k * 8;
    return value;
}

static void memory_write(struct blink_plugin *c, uint64_t offset, uint32_t size, uint64_t value) {
    for (uint32_t k = 0; k < size; k++)
        c->memory[(offset + k) % CGA_MEMORY] = (uint8_t)(value >> k * 8);
    c->display.changed(c->host->machine, c);
}

/* ---- life ---- */

static void cga_reset(struct blink_plugin *c) {
    memcpy(c->cr, crtc_text, sizeof c->cr);
    c->index = 0;
    c->mode = 0x29;
    c->colour = 0x30;
    for (uint32_t k = 0; k < CGA_MEMORY; k += 2) {
        c->memory[k] = ' ';
        c->memory[k + 1] = 0x07;
    }
    c->display.changed(c->host->machine, c);
}

static int cga_create(const struct blink_host *host, const char *args, struct blink_plugin **out) {
    static const struct blink_need needs[] = {{BLINK_NEED(BLINK_IFACE_BUS, bus)},
                                              {BLINK_NEED(BLINK_IFACE_DISPLAY, display)}};
    return BLINK_CREATE(host, "device cga", args, needs, out);
}

static void cga_destroy(struct blink_plugin *c) {
    free(c);
}

static void cga_deactivate(struct blink_plugin *c) {
    c->bus.release(c->host->machine, c);
    c->display.detach(c->host->machine, c);
}

static int cga_activate(struct blink_plugin *c) {
    struct blink_machine *m = c->host->machine;
    int r = c->bus.claim_ports(m, c, FIRST_PORT, PORTS, port_read, port_write);
    if (r == 0)
        r = c->bus.claim_memory(m, c, WINDOW, WINDOW_END - WINDOW, memory_read, memory_write);
    if (r == 0)
        r = c->display.attach(m, c, cga_render);
    if (r < 0)
        cga_deactivate(c);
    else
        cga_reset(c);
    return r;
}

static const struct blink_device_ops cga_ops = {
    .plugin =
        {
            .struct_size = sizeof cga_ops,
            .create = cga_create,
            .destroy = cga_destroy,
            .activate = cga_activate,
            .deactivate = cga_deactivate,
        },
    .reset = cga_reset,
};

static const struct blink_manifest cga_manifest = {
    .struct_size = sizeof cga_manifest,
    .kind = BLINK_KIND_DEVICE,
    .name = "cga",
    .version = "0.1.0",
    .summary = "CGA adapter",
    .licence = "ISC",
    .vtable = &cga_ops,
};

BLINK_PLUGIN_DEFINE(&cga_manifest);
