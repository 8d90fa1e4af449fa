/*
 * What the files of the disks share: images (image.c), what a BIOS would call their shape
 * (geometry.c), and the ATA channels that show the hard disks to drivers (ata.c, identify.c). All
 * belong to the instance. Called with the bus lock held, or before and after the machine runs.
 */
#ifndef DEVICE_DISK_H
#define DEVICE_DISK_H

#include <blink/device.h>
#include <blink/disk.h>
#include <blink/host.h>
#include <stdbool.h>

#define DISK_MAX    16u
#define DISK_SECTOR 512u

/* ---- images ---- */

enum { IMAGE_COW, IMAGE_READ_ONLY, IMAGE_WRITE };

/* A file as bytes. Copy-on-write keeps what is written in memory, by blocks. */
struct image {
    int fd;
    uint32_t mode;  /* IMAGE_* */
    uint64_t bytes; /* that can be addressed; the file may be shorter, the rest is zero */
    struct image_leaf **overlay;
    uint64_t leaves;
};

/* Open `path` and see its size: 0 or -errno. A file that is written is locked: -EBUSY where
 * another has it. */
int image_open(struct image *image, const char *path, uint32_t mode);
void image_close(struct image *image);
/* Settle how many bytes there are, before the first access. -ENOMEM. */
int image_set_size(struct image *image, uint64_t bytes);
/* Within the size: 0 or -errno. */
int image_read(struct image *image, uint64_t offset, void *out, size_t size);
int image_write(struct image *image, uint64_t offset, const void *bytes, size_t size);
int image_flush(struct image *image);

/* ---- drives ---- */

/* The kind that an image looks like, by the rules by which loader-realmode boots it. */
int geometry_guess_kind(struct image *image, uint32_t *kind);
/* Fill in the sectors and cylinders, heads and sectors of `disk`, whose kind is known. */
int geometry_fill(struct image *image, struct blink_disk *disk);

struct drive {
    struct image image;
    struct blink_disk disk;
    const char *path;
};

/* ---- ATA ---- */

#define ATA_CHANNELS 2u
#define ATA_UNITS    2u

/* One of the two drives of a channel. */
struct ata_unit {
    struct drive *drive;           /* NULL: none */
    uint32_t heads, track_sectors; /* as the driver set them */
    uint32_t multiple;             /* sectors a block of READ MULTIPLE, 0: refused */
};

/* A channel: two drives behind one set of registers. */
struct ata {
    const struct blink_host *host;
    const struct blink_bus_iface *bus;
    struct ata_unit unit[ATA_UNITS];
    uint32_t irq;
    uint8_t error, status, control, select, features;
    uint16_t count, lba[3]; /* registers with what was written before: low byte, high byte */
    bool raised;            /* the interrupt waits to be seen */
    /* The transfer under way. */
    uint8_t buffer[DISK_SECTOR];
    uint32_t at;       /* next byte of the buffer */
    uint64_t sector;   /* next of the drive */
    uint32_t left;     /* sectors after the one in the buffer, or with it when writing */
    uint32_t in_block; /* sectors until the next interrupt */
    uint32_t block;    /* sectors an interrupt */
    bool writing, wide;
};

void ata_reset(struct ata *ata);
uint64_t ata_read(struct ata *ata, uint32_t offset, uint32_t size);
void ata_write(struct ata *ata, uint32_t offset, uint32_t size, uint64_t value);
uint8_t ata_read_alternate(const struct ata *ata);
void ata_write_control(struct ata *ata, uint8_t value);
/* What IDENTIFY DEVICE says of a drive. */
void ata_identify(const struct ata_unit *unit, uint8_t out[DISK_SECTOR]);

struct blink_plugin {
    const struct blink_host *host;
    struct blink_bus_iface bus;
    struct blink_disk_iface service;
    char *text; /* what `path`s point into */
    struct drive drive[DISK_MAX];
    uint32_t drives;
    struct ata ata[ATA_CHANNELS];
    uint32_t channels; /* claimed */
};

#endif
