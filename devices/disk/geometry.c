/*
 * What kind of drive an image is for, and its cylinders, heads and sectors as a BIOS would tell of
 * them. Before the machine runs.
 */
#include <errno.h>
#include <string.h>

#include "disk.h"

#define CD_SECTOR      2048u
#define CD_MAGIC       (16u * CD_SECTOR + 1)
#define LARGEST_FLOPPY 5760u
#define USUAL_FLOPPY   2880u
#define PARTITIONS     446u

static const struct {
    uint32_t sectors, cylinders, heads, track_sectors;
} floppies[] = {
    {320, 40, 1, 8},   {360, 40, 1, 9},   {640, 40, 2, 8},   {720, 40, 2, 9},   {1440, 80, 2, 9},
    {2400, 80, 2, 15}, {2880, 80, 2, 18}, {3360, 80, 2, 21}, {5760, 80, 2, 36},
};
#define FLOPPIES (sizeof floppies / sizeof floppies[0])

static uint32_t word(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8;
}
static uint32_t dword(const uint8_t *p) {
    return word(p) | word(p + 2) << 16;
}

static uint64_t sectors_of(const struct image *image) {
    return (image->bytes + DISK_SECTOR - 1) / DISK_SECTOR;
}

static bool is_floppy_size(uint64_t sectors) {
    for (size_t k = 0; k < FLOPPIES; k++)
        if (floppies[k].sectors == sectors)
            return true;
    return false;
}

/* Four entries of which at least one is used, each active or not. */
static bool has_partitions(const uint8_t *sector) {
    bool used = false;
    if (sector[510] != 0x55 || sector[511] != 0xaa)
        return false;
    for (const uint8_t *e = sector + PARTITIONS; e < sector + 510; e += 16) {
        if (e[0] & 0x7f)
            return false;
        used = used || (e[4] && dword(e + 12));
    }
    return used;
}

int geometry_guess_kind(struct image *image, uint32_t *kind) {
    uint8_t sector[DISK_SECTOR];
    char magic[5];
    int err = image_read(image, CD_MAGIC, magic, sizeof magic);
    if (!err)
        err = image_read(image, 0, sector, sizeof sector);
    if (err)
        return err;
    uint64_t sectors = sectors_of(image);
    if (!memcmp(magic, "CD001", sizeof magic))
        *kind = BLINK_DISK_CD;
    else if (sectors > LARGEST_FLOPPY || (has_partitions(sector) && !is_floppy_size(sectors)))
        *kind = BLINK_DISK_HARD;
    else
        *kind = BLINK_DISK_FLOPPY;
    return 0;
}

/* ---- floppies ---- */

/* As the parameter block of a FAT says; false if there is none, or of no floppy. */
static bool told_floppy(const uint8_t *s, struct blink_disk *disk) {
    uint32_t total = word(s + 19), track = word(s + 24), heads = word(s + 26);
    if ((s[0] != 0xeb && s[0] != 0xe9) || word(s + 11) != DISK_SECTOR || track < 8 || track > 63 ||
        heads < 1 || heads > 2 || !total || total % (track * heads))
        return false;
    disk->track_sectors = track;
    disk->heads = heads;
    disk->cylinders = total / (track * heads);
    return disk->cylinders <= 96;
}

/* One of its size, or the usual drive that has room for it. */
static void nearest_floppy(uint64_t sectors, struct blink_disk *disk) {
    size_t k = 0;
    uint64_t want = is_floppy_size(sectors)   ? sectors
                    : sectors <= USUAL_FLOPPY ? USUAL_FLOPPY
                                              : LARGEST_FLOPPY;
    while (k + 1 < FLOPPIES && floppies[k].sectors < want)
        k++;
    disk->cylinders = floppies[k].cylinders;
    disk->heads = floppies[k].heads;
    disk->track_sectors = floppies[k].track_sectors;
}

static void fill_floppy(struct blink_disk *disk, uint64_t sectors, const uint8_t *first) {
    struct blink_disk told = *disk;
    if (!is_floppy_size(sectors) && told_floppy(first, &told) &&
        (uint64_t)told.cylinders * told.heads * told.track_sectors >= sectors)
        *disk = told;
    else
        nearest_floppy(sectors, disk);
    disk->sectors = (uint64_t)disk->cylinders * disk->heads * disk->track_sectors;
}

/* ---- hard disks ---- */

/* The shape that whoever made the partitions had in mind: they end with a track. */
static bool partitioned_shape(const uint8_t *first, struct blink_disk *disk) {
    if (!has_partitions(first))
        return false;
    for (const uint8_t *e = first + PARTITIONS; e < first + 510; e += 16) {
        uint32_t heads = e[5] + 1u, track = e[6] & 63u;
        if (!e[4] || !dword(e + 12) || heads < 2 || heads > 255 || track == 0)
            continue;
        disk->heads = heads;
        disk->track_sectors = track;
        return true;
    }
    return false;
}

static void fill_hard(struct blink_disk *disk, uint64_t sectors, const uint8_t *first) {
    disk->sectors = sectors;
    if (!partitioned_shape(first, disk)) {
        disk->track_sectors = 63;
        disk->heads = 16;
        while (disk->heads < 255 && sectors / (disk->heads * 63) > 1024)
            disk->heads = disk->heads == 128 ? 255 : disk->heads * 2;
    }
    uint64_t cylinders = sectors / (disk->heads * disk->track_sectors);
    disk->cylinders = cylinders < 1 ? 1 : cylinders > 16383 ? 16383 : (uint32_t)cylinders;
}

int geometry_fill(struct image *image, struct blink_disk *disk) {
    uint8_t first[DISK_SECTOR];
    int err = image_read(image, 0, first, sizeof first);
    if (err)
        return err;
    disk->sector_size = disk->kind == BLINK_DISK_CD ? CD_SECTOR : DISK_SECTOR;
    if (disk->kind == BLINK_DISK_CD)
        disk->sectors = (image->bytes + CD_SECTOR - 1) / CD_SECTOR;
    else if (disk->kind == BLINK_DISK_HARD)
        fill_hard(disk, sectors_of(image), first);
    else
        fill_floppy(disk, sectors_of(image), first);
    return 0;
}
