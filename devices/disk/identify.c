/*
 * What a drive says of itself: the answer to IDENTIFY DEVICE, by the ATA/ATAPI-6 standard, 8.16.
 * Bus lock held.
 */
#include <string.h>

#include "disk.h"

static void put(uint8_t *out, uint32_t word, uint32_t value) {
    out[word * 2] = (uint8_t)value;
    out[word * 2 + 1] = (uint8_t)(value >> 8);
}

static void put2(uint8_t *out, uint32_t word, uint32_t value) {
    put(out, word, value & 0xffff);
    put(out, word + 1, value >> 16);
}

/* Text has its bytes swapped within words, and spaces behind it. */
static void put_text(uint8_t *out, uint32_t word, uint32_t words, const char *text) {
    size_t n = strlen(text);
    for (uint32_t k = 0; k < words * 2; k++)
        out[word * 2 + (k ^ 1)] = (uint8_t)(k < n ? text[k] : ' ');
}

/* The drive's own shape, which is not the one a BIOS makes up: 16 heads, 63 sectors. */
static uint32_t own_cylinders(const struct blink_disk *d) {
    uint64_t cylinders = d->sectors / (16 * 63);
    return cylinders > 16383 ? 16383 : cylinders < 1 ? 1 : (uint32_t)cylinders;
}

void ata_identify(const struct ata_unit *unit, uint8_t out[DISK_SECTOR]) {
    const struct blink_disk *d = &unit->drive->disk;
    uint32_t small = d->sectors > 0x0fffffff ? 0x0fffffff : (uint32_t)d->sectors;
    uint32_t track = unit->heads * unit->track_sectors;
    uint64_t cylinders = d->sectors / track > 65535 ? 65535 : d->sectors / track;
    uint8_t sum = 0;
    memset(out, 0, DISK_SECTOR);
    put(out, 0, 0x0040); /* a fixed drive */
    put(out, 1, own_cylinders(d));
    put(out, 3, 16);
    put(out, 6, 63);
    put_text(out, 10, 10, "BLINK0001");
    put_text(out, 23, 4, "0.1");
    put_text(out, 27, 20, "blink disk");
    put(out, 47, 0x8010); /* blocks of up to 16 sectors */
    put(out, 49, 0x0200); /* LBA, no DMA */
    put(out, 50, 0x4000);
    put(out, 51, 0x0200);
    put(out, 53, 0x0003);
    put(out, 54, (uint32_t)cylinders);
    put(out, 55, unit->heads);
    put(out, 56, unit->track_sectors);
    put2(out, 57, (uint32_t)(cylinders * track > UINT32_MAX ? UINT32_MAX : cylinders * track));
    put(out, 59, unit->multiple ? 0x100 | unit->multiple : 0);
    put2(out, 60, small);
    put(out, 64, 0x0003); /* PIO modes 3 and 4 */
    put(out, 67, 120);
    put(out, 68, 120);
    put(out, 80, 0x007e); /* ATA-1 to ATA-6 */
    put(out, 82, 0x4000); /* NOP */
    put(out, 83, 0x7400); /* 48-bit addresses, FLUSH CACHE and its EXT */
    put(out, 84, 0x4000);
    put(out, 85, 0x4000);
    put(out, 86, 0x3400);
    put(out, 87, 0x4000);
    put2(out, 100, (uint32_t)d->sectors);
    put2(out, 102, (uint32_t)(d->sectors >> 32));
    out[510] = 0xa5;
    for (uint32_t k = 0; k < 511; k++)
        sum = (uint8_t)(sum + out[k]);
    out[511] = (uint8_t)-sum;
}
