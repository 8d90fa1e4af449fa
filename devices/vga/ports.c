/*
 * Registers of the VGA, after IBM's "VGA/XGA technical reference": five groups behind an index
 * each, the palette of colours, and two that stand alone. Bus lock held.
 */
#include <string.h>

#include "vga.h"

#define FIRST_PORT 0x3b0
#define PORTS      0x30 /* to 0x3DF */

#define MISC_COLOUR 0x01u /* the CRT controller is at 0x3Dx, not at 0x3Bx */
#define PROTECTED   0x80u

/* Input status 1. */
#define STATUS_BLANK   0x01u
#define STATUS_RETRACE 0x08u

/* 70 pictures a second of 449 lines, of which 400 are shown. */
#define PICTURE_NS UINT64_C(14268000)
#define LINES      449u
#define SHOWN      400u
#define RETRACE    412u /* the first of two */

/* ---- state after reset: text mode 3 ---- */

static const uint8_t sr_text[VGA_SEQUENCER] = {0x03, 0x00, 0x03, 0x00, 0x02};
static const uint8_t cr_text[VGA_CRTC] = {0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00,
                                          0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e,
                                          0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff};
static const uint8_t gr_text[VGA_GRAPHICS] = {0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x0f, 0xff};
static const uint8_t ar_text[VGA_ATTRIBUTES] = {0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14,
                                                0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d,
                                                0x3e, 0x3f, 0x0c, 0x00, 0x0f, 0x08, 0x00};

/* The first 64 colours are those of an EGA: bits 0-2 two thirds of blue, green and red, bits 3-5
 * one third. */
static void fill_dac(uint8_t dac[768]) {
    for (uint32_t k = 0; k < 256; k++)
        for (uint32_t part = 0; part < 3; part++) {
            uint32_t bit = 2 - part;
            dac[k * 3 + part] = (uint8_t)((k >> bit & 1) * 0x2a + (k >> (bit + 3) & 1) * 0x15);
        }
}

void vga_reset(struct blink_plugin *v) {
    memset(v->plane, 0, sizeof v->plane);
    memset(v->latch, 0, sizeof v->latch);
    v->font_loaded = false;
    v->misc = 0x67;
    v->feature = 0;
    memcpy(v->sr, sr_text, sizeof v->sr);
    memcpy(v->cr, cr_text, sizeof v->cr);
    memcpy(v->gr, gr_text, sizeof v->gr);
    memcpy(v->ar, ar_text, sizeof v->ar);
    v->sr_index = v->cr_index = v->gr_index = v->ar_index = 0;
    v->ar_data = false;
    v->ar_shown = true;
    fill_dac(v->dac);
    v->dac_mask = 0xff;
    v->dac_read = v->dac_write = v->dac_part = 0;
    v->dac_reading = false;
    for (uint32_t k = 0; k < 80 * 25; k++) {
        v->plane[0][k * 2] = ' ';
        v->plane[1][k * 2] = 0x07;
    }
    v->display.changed(v->host->machine, v);
}

/* ---- groups of registers ---- */

static uint8_t get(const uint8_t *reg, uint32_t count, uint8_t index) {
    return index < count ? reg[index] : 0;
}

static void write_crtc(struct blink_plugin *v, uint8_t value) {
    uint8_t k = v->cr_index;
    if (k >= VGA_CRTC)
        return;
    if ((v->cr[CR_PROTECT] & PROTECTED) && k <= CR_OVERFLOW) {
        /* Of these only a bit of the line compare can be written. */
        if (k == CR_OVERFLOW)
            v->cr[k] = (uint8_t)((v->cr[k] & ~0x10) | (value & 0x10));
        return;
    }
    v->cr[k] = value;
}

static void write_graphics(struct blink_plugin *v, uint8_t value) {
    static const uint8_t bits[VGA_GRAPHICS] = {0x0f, 0x0f, 0x0f, 0x1f, 0x03,
                                               0x7b, 0x0f, 0x0f, 0xff};
    if (v->gr_index < VGA_GRAPHICS)
        v->gr[v->gr_index] = value & bits[v->gr_index];
}

static void write_attribute(struct blink_plugin *v, uint8_t value) {
    if (!v->ar_data) {
        v->ar_index = value & 0x1f;
        v->ar_shown = value & 0x20;
    } else if (v->ar_index < VGA_ATTRIBUTES && !(v->ar_index < 16 && v->ar_shown)) {
        v->ar[v->ar_index] = value & (v->ar_index < 16 ? 0x3f : 0xff);
    }
    v->ar_data = !v->ar_data;
}

static uint8_t read_dac(struct blink_plugin *v) {
    uint8_t value = v->dac[v->dac_read * 3 + v->dac_part];
    v->dac_part = (uint8_t)((v->dac_part + 1) % 3);
    if (v->dac_part == 0)
        v->dac_read++;
    return value;
}

static void write_dac(struct blink_plugin *v, uint8_t value) {
    v->dac[v->dac_write * 3 + v->dac_part] = value & 0x3f;
    v->dac_part = (uint8_t)((v->dac_part + 1) % 3);
    if (v->dac_part == 0)
        v->dac_write++;
}

static void index_dac(struct blink_plugin *v, uint8_t index, bool reading) {
    *(reading ? &v->dac_read : &v->dac_write) = index;
    v->dac_part = 0;
    v->dac_reading = reading;
}

/* Where the beam is; reading it also turns 0x3C0 back to its index. */
static uint8_t read_status(struct blink_plugin *v) {
    uint64_t in_picture = v->bus.now(v->host->machine) % PICTURE_NS;
    uint64_t line = in_picture * LINES / PICTURE_NS, in_line = in_picture * LINES % PICTURE_NS;
    uint8_t status = 0;
    v->ar_data = false;
    if (line >= SHOWN || in_line > PICTURE_NS / 5 * 4)
        status |= STATUS_BLANK;
    if (line >= RETRACE && line < RETRACE + 2)
        status |= STATUS_RETRACE;
    return status;
}

/* The port by its name at 0x3Dx; 0: the CRT controller is at the other place. */
static uint16_t name_of(const struct blink_plugin *v, uint16_t port) {
    bool colour = v->misc & MISC_COLOUR;
    if (port >= 0x3c0 && port < 0x3d0)
        return port;
    if ((port >= 0x3d0) != colour)
        return 0;
    return port < 0x3c0 ? (uint16_t)(port + 0x20) : port;
}

/* ---- ports ---- */

static uint8_t read_byte(struct blink_plugin *v, uint16_t port) {
    switch (name_of(v, port)) {
    case 0x3c0: return (uint8_t)(v->ar_index | (v->ar_shown ? 0x20 : 0));
    case 0x3c1: return get(v->ar, VGA_ATTRIBUTES, v->ar_index);
    case 0x3c2: return 0x10; /* a colour monitor is there */
    case 0x3c4: return v->sr_index;
    case 0x3c5: return get(v->sr, VGA_SEQUENCER, v->sr_index);
    case 0x3c6: return v->dac_mask;
    case 0x3c7: return v->dac_reading ? 3 : 0;
    case 0x3c8: return v->dac_write;
    case 0x3c9: return read_dac(v);
    case 0x3ca: return v->feature;
    case 0x3cc: return v->misc;
    case 0x3ce: return v->gr_index;
    case 0x3cf: return get(v->gr, VGA_GRAPHICS, v->gr_index);
    case 0x3d4: return v->cr_index;
    case 0x3d5: return get(v->cr, VGA_CRTC, v->cr_index);
    case 0x3da: return read_status(v);
    default: return 0xff;
    }
}

static void write_byte(struct blink_plugin *v, uint16_t port, uint8_t value) {
    switch (name_of(v, port)) {
    case 0x3c0: write_attribute(v, value); break;
    case 0x3c2: v->misc = value; break;
    case 0x3c4: v->sr_index = value & 7; break;
    case 0x3c5:
        if (v->sr_index < VGA_SEQUENCER)
            v->sr[v->sr_index] = value;
        break;
    case 0x3c6: v->dac_mask = value; break;
    case 0x3c7: index_dac(v, value, true); break;
    case 0x3c8: index_dac(v, value, false); break;
    case 0x3c9: write_dac(v, value); break;
    case 0x3ce: v->gr_index = value & 15; break;
    case 0x3cf: write_graphics(v, value); break;
    case 0x3d4: v->cr_index = value & 31; break;
    case 0x3d5: write_crtc(v, value); break;
    case 0x3da: v->feature = value; break;
    default: break;
    }
}

static uint64_t port_read(struct blink_plugin *v, uint64_t offset, uint32_t size) {
    uint64_t value = 0;
    for (uint32_t k = 0; k < size; k++)
        value |= (uint64_t)read_byte(v, (uint16_t)(FIRST_PORT + offset + k)) << k * 8;
    return value;
}

/* A word to an index's port writes the register, too. */
static void port_write(struct blink_plugin *v, uint64_t offset, uint32_t size, uint64_t value) {
    for (uint32_t k = 0; k < size; k++)
        write_byte(v, (uint16_t)(FIRST_PORT + offset + k), (uint8_t)(value >> k * 8));
    v->display.changed(v->host->machine, v);
}

int vga_claim_ports(struct blink_plugin *v) {
    return v->bus.claim_ports(v->host->machine, v, FIRST_PORT, PORTS, port_read, port_write);
}
