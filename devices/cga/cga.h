/*
 * What the files of the CGA share: its registers and memory (plugin.c) and what the monitor shows
 * of them (render.c). All belongs to the instance. Called with the bus lock held.
 */
#ifndef DEVICE_CGA_H
#define DEVICE_CGA_H

#include <blink/device.h>
#include <blink/display.h>
#include <blink/host.h>
#include <stdbool.h>

#define CGA_MEMORY 0x4000u
#define CGA_CRTC   18u /* registers of the 6845 */

#define CR_COLUMNS      1
#define CR_ROWS         6
#define CR_CELL         9 /* lines less one */
#define CR_CURSOR_FIRST 10
#define CR_CURSOR_LAST  11
#define CR_START        12
#define CR_CURSOR       14

/* Port 0x3D8. */
#define MODE_GRAPHICS 0x02u
#define MODE_GREY     0x04u
#define MODE_ON       0x08u
#define MODE_FINE     0x10u /* 640 points */
#define MODE_BLINKS   0x20u

/* Port 0x3D9. */
#define COLOUR_BRIGHT 0x10u
#define COLOUR_SECOND 0x20u /* cyan, magenta, white */

struct blink_plugin {
    const struct blink_host *host;
    struct blink_bus_iface bus;
    struct blink_display_iface display;
    uint8_t memory[CGA_MEMORY];
    uint8_t index, cr[CGA_CRTC];
    uint8_t mode, colour;
};

void cga_render(struct blink_plugin *c, struct blink_screen *out);

#endif
