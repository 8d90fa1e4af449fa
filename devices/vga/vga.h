/*
 * What the files of the VGA share: its registers (ports.c), its memory as the processor sees it
 * (memory.c) and what the monitor shows of it (render.c). All belongs to the instance. Called with
 * the bus lock held.
 */
#ifndef DEVICE_VGA_H
#define DEVICE_VGA_H

#include <blink/device.h>
#include <blink/display.h>
#include <blink/host.h>
#include <stdbool.h>

#define VGA_PLANE  0x10000u /* bytes of each of the four planes */
#define VGA_WINDOW 0x20000u /* from 0xA0000 on */

#define VGA_SEQUENCER  5u
#define VGA_CRTC       25u
#define VGA_GRAPHICS   9u
#define VGA_ATTRIBUTES 21u

/* Sequencer. */
#define SR_RESET    0
#define SR_CLOCKING 1
#define SR_PLANES   2
#define SR_FONT     3
#define SR_MEMORY   4

/* CRT controller. */
#define CR_COLUMNS      0x01
#define CR_OVERFLOW     0x07
#define CR_CELL         0x09
#define CR_CURSOR_FIRST 0x0a
#define CR_CURSOR_LAST  0x0b
#define CR_START_HIGH   0x0c
#define CR_START_LOW    0x0d
#define CR_CURSOR_HIGH  0x0e
#define CR_CURSOR_LOW   0x0f
#define CR_PROTECT      0x11
#define CR_LINES        0x12
#define CR_PITCH        0x13
#define CR_UNDERLINE    0x14
#define CR_MODE         0x17
#define CR_LINE_COMPARE 0x18

/* Graphics controller. */
#define GR_SET         0
#define GR_SET_ENABLE  1
#define GR_COMPARE     2
#define GR_ROTATE      3
#define GR_READ_PLANE  4
#define GR_MODE        5
#define GR_MISC        6
#define GR_DO_NOT_CARE 7
#define GR_BIT_MASK    8

/* Attribute controller; 0 to 15 are the palette. */
#define AR_MODE    0x10
#define AR_ENABLE  0x12
#define AR_PANNING 0x13
#define AR_COLOUR  0x14

struct blink_plugin {
    const struct blink_host *host;
    struct blink_bus_iface bus;
    struct blink_display_iface display;
    uint8_t plane[4][VGA_PLANE];
    uint8_t latch[4];
    bool font_loaded; /* something was written to the plane of fonts as such */

    uint8_t misc, feature;
    uint8_t sr_index, sr[VGA_SEQUENCER];
    uint8_t cr_index, cr[VGA_CRTC];
    uint8_t gr_index, gr[VGA_GRAPHICS];
    uint8_t ar_index, ar[VGA_ATTRIBUTES];
    bool ar_data;     /* the next write to 0x3C0 is data */
    bool ar_shown;    /* the palette belongs to the monitor, not to the processor */
    uint8_t dac[768]; /* 6 bits a colour */
    uint8_t dac_mask;
    uint8_t dac_read, dac_write; /* entries */
    uint8_t dac_part;            /* which of the three bytes */
    bool dac_reading;
};

/* As a BIOS leaves it in mode 3. */
void vga_reset(struct blink_plugin *v);
int vga_claim_ports(struct blink_plugin *v);
uint64_t vga_memory_read(struct blink_plugin *v, uint64_t offset, uint32_t size);
void vga_memory_write(struct blink_plugin *v, uint64_t offset, uint32_t size, uint64_t value);
void vga_render(struct blink_plugin *v, struct blink_screen *out);

#endif
