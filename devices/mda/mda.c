/*
 * device-mda: IBM's monochrome display adapter: a 6845 at ports 0x3B4 and 0x3B5, its mode and
 * status at 0x3B8 and 0x3BA, 4 KiB at 0xB0000. Text of 80 columns alone. On the display service, in
 * place of device-vga. No arguments. Bus lock held, but for its life.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <blink/device.h>
#include <blink/display.h>
#include <blink/host.h>
#include <stdbool.h>

#define FIRST_PORT 0x3b0
#define PORTS      12 /* the printer port of the card is not there */
#define WINDOW     0xb0000
#define WINDOW_END 0xb8000
#define MEMORY     0x1000u

#define CRTC            18u
#define CR_COLUMNS      1
#define CR_ROWS         6
#define CR_CELL         9
#define CR_CURSOR_FIRST 10
#define CR_CURSOR_LAST  11
#define CR_START        12
#define CR_CURSOR       14
#define NO_CURSOR       0x20u

#define MODE_ON     0x08u
#define MODE_BLINKS 0x20u

#define STATUS_LINE 0x01u /* between two lines */
#define STATUS_DOT  0x08u
#define STATUS_REST 0xf0u

/* 50 pictures a second of 370 lines, of which 350 are shown. */
#define PICTURE_NS UINT64_C(20000000)
#define LINES      370u
#define SHOWN      350u

struct blink_plugin {
    const struct blink_host *host;
    struct blink_bus_iface bus;
    struct blink_display_iface display;
    uint8_t memory[MEMORY];
    uint8_t index, cr[CRTC];
    uint8_t mode;
};

static const uint8_t crtc_text[CRTC] = {0x61, 0x50, 0x52, 0x0f, 0x19, 0x06,
                                        0x19, 0x19, 0x02, 0x0d, 0x0b, 0x0c};

/* ---- the picture ---- */

static uint32_t word(const struct blink_plugin *d, uint32_t index) {
    return (d->cr[index] & 0x3fu) << 8 | d->cr[index + 1];
}

static void render(struct blink_plugin *d, struct blink_screen *out) {
    uint32_t start = word(d, CR_START), cells = (uint32_t)d->cr[CR_COLUMNS] * d->cr[CR_ROWS];
    out->palette[7] = 0xaaaaaa;
    out->palette[15] = 0xffffff;
    if (!(d->mode & MODE_ON) || cells > BLINK_SCREEN_CELLS)
        return;
    out->kind = BLINK_SCREEN_TEXT;
    out->width = d->cr[CR_COLUMNS];
    out->height = d->cr[CR_ROWS];
    out->font_height = (d->cr[CR_CELL] & 31u) + 1;
    out->flags = BLINK_SCREEN_MONO | BLINK_SCREEN_WIDE_CELL |
                 (d->mode & MODE_BLINKS ? BLINK_SCREEN_BLINKS : 0);
    for (uint32_t k = 0; k < cells; k++) {
        uint32_t at = (start + k) * 2 & (MEMORY - 1);
        out->cells[k] = (uint16_t)(d->memory[at] | d->memory[at + 1] << 8);
    }
    uint32_t cursor = (word(d, CR_CURSOR) - start) & 0x3fff;
    out->cursor_first = d->cr[CR_CURSOR_FIRST] & 31u;
    out->cursor_last = d->cr[CR_CURSOR_LAST] & 31u;
    if ((d->cr[CR_CURSOR_FIRST] & 0x60) != NO_CURSOR && cursor < cells)
        out->cursor = cursor;
}

/* ---- registers and memory ---- */

static uint8_t status(const struct blink_plugin *d) {
    uint64_t in_picture = d->bus.now(d->host->machine) % PICTURE_NS;
    uint64_t line = in_picture * LINES / PICTURE_NS, in_line = in_picture * LINES % PICTURE_NS;
    bool between = in_line > PICTURE_NS / 10 * 8, shows = line < SHOWN && !between;
    return (uint8_t)(STATUS_REST | (between ? STATUS_LINE : 0) | (shows ? STATUS_DOT : 0));
}

static uint8_t read_byte(const struct blink_plugin *d, uint32_t port) {
    if (port < 8 && (port & 1) && d->index >= CR_CURSOR && d->index < CRTC)
        return d->cr[d->index];
    return port == 10 ? status(d) : 0xff;
}

static void write_byte(struct blink_plugin *d, uint32_t port, uint8_t value) {
    if (port < 8 && !(port & 1))
        d->index = value & 31;
    else if (port < 8 && d->index < CR_CURSOR + 2)
        d->cr[d->index] = value;
    else if (port == 8)
        d->mode = value;
}

static uint64_t port_read(struct blink_plugin *d, uint64_t offset, uint32_t size) {
    uint64_t value = 0;
    for (uint32_t k = 0; k < size; k++)
        value |= (uint64_t)read_byte(d, (uint32_t)offset + k) << k * 8;
    return value;
}

static void port_write(struct blink_plugin *d, uint64_t offset, uint32_t size, uint64_t value) {
    for (uint32_t k = 0; k < size; k++)
        write_byte(d, (uint32_t)offset + k, (uint8_t)(value >> k * 8));
    d->display.changed(d->host->machine, d);
}

static uint64_t memory_read(struct blink_plugin *d, uint64_t offset, uint32_t size) {
    uint64_t value = 0;
    for (uint32_t k = 0; k < size; k++)
        value |= (uint64_t)d->memory[(offset + k) % MEMORY] << k * 8;
    return value;
}

static void memory_write(struct blink_plugin *d, uint64_t offset, uint32_t size, uint64_t value) {
    for (uint32_t k = 0; k < size; k++)
        d->memory[(offset + k) % MEMORY] = (uint8_t)(value >> k * 8);
    d->display.changed(d->host->machine, d);
}

/* ---- life ---- */

static void mda_reset(struct blink_plugin *d) {
    memcpy(d->cr, crtc_text, sizeof d->cr);
    d->index = 0;
    d->mode = 0x29;
    for (uint32_t k = 0; k < MEMORY; k += 2) {
        d->memory[k] = ' ';
        d->memory[k + 1] = 0x07;
    }
    d->display.changed(d->host->machine, d);
}

static int mda_create(const struct blink_host *host, const char *args, struct blink_plugin **out) {
    static const struct blink_need needs[] = {{BLINK_NEED(BLINK_IFACE_BUS, bus)},
                                              {BLINK_NEED(BLINK_IFACE_DISPLAY, display)}};
    return BLINK_CREATE(host, "device mda", args, needs, out);
}

static void mda_destroy(struct blink_plugin *d) {
    free(d);
}

static void mda_deactivate(struct blink_plugin *d) {
    d->bus.release(d->host->machine, d);
    d->display.detach(d->host->machine, d);
}

static int mda_activate(struct blink_plugin *d) {
    struct blink_machine *m = d->host->machine;
    int r = d->bus.claim_ports(m, d, FIRST_PORT, PORTS, port_read, port_write);
    if (r == 0)
        r = d->bus.claim_memory(m, d, WINDOW, WINDOW_END - WINDOW, memory_read, memory_write);
    if (r == 0)
        r = d->display.attach(m, d, render);
    if (r < 0)
        mda_deactivate(d);
    else
        mda_reset(d);
    return r;
}

static const struct blink_device_ops mda_ops = {
    .plugin =
        {
            .struct_size = sizeof mda_ops,
            .create = mda_create,
            .destroy = mda_destroy,
            .activate = mda_activate,
            .deactivate = mda_deactivate,
        },
    .reset = mda_reset,
};

static const struct blink_manifest mda_manifest = {
    .struct_size = sizeof mda_manifest,
    .kind = BLINK_KIND_DEVICE,
    .name = "mda",
    .version = "0.1.0",
    .summary = "MDA adapter",
    .licence = "ISC",
    .vtable = &mda_ops,
};

BLINK_PLUGIN_DEFINE(&mda_manifest);
