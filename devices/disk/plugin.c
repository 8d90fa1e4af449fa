/*
 * device-disk: floppies, hard disks and CDs from image files, as sectors (blink.disk/1), and hard
 * disks also as ATA drives at ports 0x1F0 and 0x170 with interrupt lines 14 and 15. Arguments:
 * FILE[,ro|cow|rw][,floppy|hd|cd]. Without them the images of the option "disk", one a line.
 * Copy-on-write (cow) is the default: what is written is gone when the machine ends. Bus lock held,
 * but for its life.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"

#define KIND_GUESS BLINK_DISK_KINDS

/* ---- the service ---- */

static int read_drive(struct blink_plugin *p, void *arg, uint64_t sector, uint32_t count,
                      void *out) {
    struct drive *d = arg;
    (void)p;
    return image_read(&d->image, sector * d->disk.sector_size, out,
                      (size_t)count * d->disk.sector_size);
}

static int write_drive(struct blink_plugin *p, void *arg, uint64_t sector, uint32_t count,
                       const void *bytes) {
    struct drive *d = arg;
    (void)p;
    return image_write(&d->image, sector * d->disk.sector_size, bytes,
                       (size_t)count * d->disk.sector_size);
}

static int flush_drive(struct blink_plugin *p, void *arg) {
    struct drive *d = arg;
    (void)p;
    return image_flush(&d->image);
}

/* ---- ports ---- */

#define PORTS_OF(n)                                                                                \
  static uint64_t read_##n(struct blink_plugin *p, uint64_t offset, uint32_t size) {               \
    return ata_read(&p->ata[n], (uint32_t)offset, size);                                           \
  }                                                                                                \
  static void write_##n(struct blink_plugin *p, uint64_t offset, uint32_t size, uint64_t value) {  \
    ata_write(&p->ata[n], (uint32_t)offset, size, value);                                          \
  }                                                                                                \
  static uint64_t alternate_##n(struct blink_plugin *p, uint64_t offset, uint32_t size) {          \
    (void)offset, (void)size;                                                                      \
    return ata_read_alternate(&p->ata[n]);                                                         \
  }                                                                                                \
  static void control_##n(struct blink_plugin *p, uint64_t offset, uint32_t size,                  \
                          uint64_t value) {                                                        \
    (void)offset, (void)size;                                                                      \
    ata_write_control(&p->ata[n], (uint8_t)value);                                                 \
  }
PORTS_OF(0)
PORTS_OF(1)

static const struct {
    uint16_t first, control;
    uint32_t irq;
    blink_bus_read read, alternate;
    blink_bus_write write, set_control;
} channels[ATA_CHANNELS] = {
    {0x1f0, 0x3f6, 14, read_0, alternate_0, write_0, control_0},
    {0x170, 0x376, 15, read_1, alternate_1, write_1, control_1},
};

static int claim_channel(struct blink_plugin *p, uint32_t n) {
    struct blink_machine *m = p->host->machine;
    int r = p->bus.claim_ports(m, p, channels[n].first, 8, channels[n].read, channels[n].write);
    if (r == 0)
        r = p->bus.claim_ports(m, p, channels[n].control, 1, channels[n].alternate,
                               channels[n].set_control);
    if (r == 0)
        p->channels |= 1u << n;
    return r;
}

/* Hard disks in their order: first and second of each channel. */
static int make_channels(struct blink_plugin *p) {
    uint32_t unit = 0;
    for (uint32_t k = 0; k < p->drives && unit < ATA_CHANNELS * ATA_UNITS; k++) {
        if (p->drive[k].disk.kind != BLINK_DISK_HARD)
            continue;
        struct ata *a = &p->ata[unit / ATA_UNITS];
        int r = unit % ATA_UNITS == 0 ? claim_channel(p, unit / ATA_UNITS) : 0;
        if (r == -EBUSY) {
            /* Of another instance: drivers see its drives, the BIOS sees these too. */
            blink_log(p->host, BLINK_LOG_INFO, "disk: no ATA channel is free for %s",
                      p->drive[k].path);
            return 0;
        }
        if (r)
            return r;
        a->unit[unit % ATA_UNITS].drive = &p->drive[k];
        unit++;
    }
    return 0;
}

/* ---- images ---- */

static const struct {
    const char *word;
    uint32_t mode, kind; /* UINT32_MAX: says nothing of it */
} words[] = {
    {"cow", IMAGE_COW, UINT32_MAX},      {"ro", IMAGE_READ_ONLY, UINT32_MAX},
    {"rw", IMAGE_WRITE, UINT32_MAX},     {"floppy", UINT32_MAX, BLINK_DISK_FLOPPY},
    {"hd", UINT32_MAX, BLINK_DISK_HARD}, {"cd", UINT32_MAX, BLINK_DISK_CD},
};

/* The words at the end of "FILE,word,word"; a comma elsewhere belongs to the file's name. */
static void take_words(char *text, uint32_t *mode, uint32_t *kind) {
    bool found = true;
    while (found) {
        char *comma = strrchr(text, ',');
        found = false;
        for (size_t k = 0; comma && !found && k < sizeof words / sizeof words[0]; k++) {
            if (strcmp(comma + 1, words[k].word) != 0)
                continue;
            *mode = words[k].mode != UINT32_MAX ? words[k].mode : *mode;
            *kind = words[k].kind != UINT32_MAX ? words[k].kind : *kind;
            *comma = 0;
            found = true;
        }
    }
}

static const char *reason(int err) {
    switch (err) {
    case -EBUSY: return "another machine writes to it";
    case -ENODATA: return "empty file";
    case -ENOTBLK: return "not a regular file";
    default: return strerror(-err);
    }
}

static int open_image(struct drive *d, uint32_t mode, uint32_t kind) {
    struct blink_disk *disk = &d->disk;
    int r = image_open(&d->image, d->path, mode);
    if (r)
        return r;
    if (d->image.bytes == 0)
        r = -ENODATA;
    else if (kind == KIND_GUESS)
        r = geometry_guess_kind(&d->image, &kind);
    disk->kind = kind;
    if (r == 0)
        r = geometry_fill(&d->image, disk);
    if (r == 0)
        r = image_set_size(&d->image, disk->sectors * disk->sector_size);
    if (r) {
        image_close(&d->image);
        return r;
    }
    disk->struct_size = sizeof *disk;
    disk->read_only = mode == IMAGE_READ_ONLY || kind == BLINK_DISK_CD;
    disk->arg = d;
    disk->read = read_drive;
    disk->write = write_drive;
    disk->flush = flush_drive;
    return 0;
}

static int add_image(struct blink_plugin *p, char *text) {
    uint32_t mode = IMAGE_COW, kind = KIND_GUESS;
    if (p->drives == DISK_MAX) {
        blink_log(p->host, BLINK_LOG_ERROR, "disk: %s: more than %u disks", text, DISK_MAX);
        return -EINVAL;
    }
    struct drive *d = &p->drive[p->drives];
    take_words(text, &mode, &kind);
    d->path = text;
    int r = open_image(d, mode, kind);
    if (r) {
        blink_log(p->host, BLINK_LOG_ERROR, "disk: %s: %s", text, reason(r));
        return r;
    }
    p->drives++;
    return 0;
}

static int add_images(struct blink_plugin *p) {
    for (char *line = p->text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        int r = *line ? add_image(p, line) : 0;
        if (r)
            return r;
    }
    return 0;
}

/* ---- life ---- */

static void disk_reset(struct blink_plugin *p) {
    for (uint32_t n = 0; n < ATA_CHANNELS; n++)
        if (p->channels >> n & 1)
            ata_reset(&p->ata[n]);
}

static void disk_destroy(struct blink_plugin *p) {
    if (!p)
        return;
    for (uint32_t k = 0; k < p->drives; k++)
        image_close(&p->drive[k].image);
    free(p->text);
    free(p);
}

static int disk_create(const struct blink_host *host, const char *args, struct blink_plugin **out) {
    const char *list = *args ? args : host->option(host->machine, "disk");
    struct blink_plugin *p = calloc(1, sizeof *p);
    if (!p)
        return -ENOMEM;
    p->host = host;
    p->text = strdup(list ? list : "");
    int r = p->text ? 0 : -ENOMEM;
    if (r == 0)
        r = blink_service(host, "device disk", BLINK_IFACE_BUS, &p->bus, sizeof p->bus);
    if (r == 0)
        r = blink_service(host, "device disk", BLINK_IFACE_DISK, &p->service, sizeof p->service);
    if (r == 0)
        r = add_images(p);
    if (r) {
        disk_destroy(p);
        return r;
    }
    for (uint32_t n = 0; n < ATA_CHANNELS; n++) {
        p->ata[n].host = host;
        p->ata[n].bus = &p->bus;
        p->ata[n].irq = channels[n].irq;
    }
    *out = p;
    return 0;
}

static void disk_deactivate(struct blink_plugin *p) {
    struct blink_machine *m = p->host->machine;
    for (uint32_t n = 0; n < ATA_CHANNELS; n++) {
        if (p->channels >> n & 1)
            p->bus.set_irq(m, channels[n].irq, 0);
        memset(p->ata[n].unit, 0, sizeof p->ata[n].unit);
    }
    p->channels = 0;
    p->bus.release(m, p);
    p->service.detach(m, p);
}

static int disk_activate(struct blink_plugin *p) {
    struct blink_machine *m = p->host->machine;
    int r = make_channels(p);
    for (uint32_t k = 0; k < p->drives && r == 0; k++)
        r = p->service.attach(m, p, &p->drive[k].disk);
    if (r < 0)
        disk_deactivate(p);
    else
        disk_reset(p);
    return r;
}

static const struct blink_device_ops disk_ops = {
    .plugin =
        {
            .struct_size = sizeof disk_ops,
            .create = disk_create,
            .destroy = disk_destroy,
            .activate = disk_activate,
            .deactivate = disk_deactivate,
        },
    .reset = disk_reset,
};

static const struct blink_manifest disk_manifest = {
    .struct_size = sizeof disk_manifest,
    .kind = BLINK_KIND_DEVICE,
    .name = "disk",
    .version = "0.1.0",
    .summary = "disks from image files, and ATA controllers",
    .licence = "ISC",
    .vtable = &disk_ops,
};

BLINK_PLUGIN_DEFINE(&disk_manifest);
