/*
 * The four planes as the processor reads and writes them: the window, which byte goes to which
 * plane, and what the graphics controller does on the way. Bus lock held.
 */
#include "vga.h"

#define EXTENDED 0x02u /* of SR_MEMORY: more than 64 KiB */
#define NO_PAIRS 0x04u /* even and odd addresses are not separate planes */
#define CHAIN_4  0x08u
#define PAIRS    0x10u /* of GR_MODE: reading, as NO_PAIRS is for writing */
#define COMPARE  0x08u /* of GR_MODE: read mode 1 */

/* The offset in the window that GR_MISC places, or false if it lies elsewhere. */
static bool locate(const struct blink_plugin *v, uint64_t offset, uint32_t *at) {
    static const uint32_t windows[4][2] = {
        {0, 0x20000}, {0, 0x10000}, {0x10000, 0x8000}, {0x18000, 0x8000}};
    const uint32_t *w = windows[v->gr[GR_MISC] >> 2 & 3];
    if (offset < w[0] || offset - w[0] >= w[1])
        return false;
    *at = (uint32_t)offset - w[0];
    return true;
}

static uint32_t in_plane(uint32_t at) {
    return at & (VGA_PLANE - 1);
}

/* ---- reading ---- */

static uint8_t compare(const struct blink_plugin *v) {
    uint8_t differs = 0;
    for (uint32_t p = 0; p < 4; p++)
        if (v->gr[GR_DO_NOT_CARE] >> p & 1)
            differs |= (uint8_t)(v->latch[p] ^ (v->gr[GR_COMPARE] >> p & 1 ? 0xff : 0));
    return (uint8_t)~differs;
}

static uint8_t read_byte(struct blink_plugin *v, uint64_t offset) {
    uint32_t at, plane = v->gr[GR_READ_PLANE];
    if (!locate(v, offset, &at))
        return 0xff;
    if (v->sr[SR_MEMORY] & CHAIN_4) {
        plane = at & 3;
        at &= ~3u;
    } else if (v->gr[GR_MODE] & PAIRS) {
        plane = (plane & 2) | (at & 1);
        at &= ~1u;
    }
    at = in_plane(at);
    for (uint32_t p = 0; p < 4; p++)
        v->latch[p] = v->plane[p][at];
    return v->gr[GR_MODE] & COMPARE ? compare(v) : v->plane[plane][at];
}

uint64_t vga_memory_read(struct blink_plugin *v, uint64_t offset, uint32_t size) {
    uint64_t value = 0;
    for (uint32_t k = 0; k < size; k++)
        value |= (uint64_t)read_byte(v, offset + k) << k * 8;
    return value;
}

/* ---- writing ---- */

static uint8_t rotate(const struct blink_plugin *v, uint8_t value) {
    uint32_t n = v->gr[GR_ROTATE] & 7;
    return (uint8_t)(value >> n | value << (8 - n));
}

static uint8_t combine(const struct blink_plugin *v, uint8_t value, uint8_t latch) {
    switch (v->gr[GR_ROTATE] >> 3 & 3) {
    case 1: return value & latch;
    case 2: return value | latch;
    case 3: return value ^ latch;
    default: return value;
    }
}

/* What comes to plane `p` of a byte from the processor. */
static uint8_t for_plane(const struct blink_plugin *v, uint32_t p, uint8_t value) {
    uint8_t mask = v->gr[GR_BIT_MASK], set = v->gr[GR_SET] >> p & 1 ? 0xff : 0;
    switch (v->gr[GR_MODE] & 3) {
    case 0: value = v->gr[GR_SET_ENABLE] >> p & 1 ? set : rotate(v, value); break;
    case 1: return v->latch[p];
    case 2: value = value >> p & 1 ? 0xff : 0; break;
    default:
        mask &= rotate(v, value);
        value = set;
        break;
    }
    value = combine(v, value, v->latch[p]);
    return (uint8_t)((value & mask) | (v->latch[p] & ~mask));
}

static void write_byte(struct blink_plugin *v, uint64_t offset, uint8_t value) {
    uint32_t at, planes = v->sr[SR_PLANES] & 15;
    if (!locate(v, offset, &at))
        return;
    if (v->sr[SR_MEMORY] & CHAIN_4) {
        planes &= 1u << (at & 3);
        at &= ~3u;
    } else if (!(v->sr[SR_MEMORY] & NO_PAIRS)) {
        planes &= at & 1 ? 10 : 5;
        at &= ~1u;
    }
    at = in_plane(at);
    for (uint32_t p = 0; p < 4; p++)
        if (planes >> p & 1)
            v->plane[p][at] = for_plane(v, p, value);
    if ((planes & 4) && (v->sr[SR_MEMORY] & (CHAIN_4 | NO_PAIRS)) == NO_PAIRS)
        v->font_loaded = true;
}

void vga_memory_write(struct blink_plugin *v, uint64_t offset, uint32_t size, uint64_t value) {
    for (uint32_t k = 0; k < size; k++)
        write_byte(v, offset + k, (uint8_t)(value >> k * 8));
    v->display.changed(v->host->machine, v);
}
