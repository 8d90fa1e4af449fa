/*
 * loader-realmode: system software. A boot sector, the image of a floppy or hard disk, or a CD with
 * an El Torito boot record without emulation: what a PC's BIOS loads of it goes to memory, and the
 * drive's number to the processor. An instance holds nothing but its host. Main thread or the
 * first vCPU's (a reset loads again); probe from any.
 */
#include "realmode.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCORE_SIGNATURE 30 /* of other formats that can be booted, too */

/* Sizes of floppies in sectors: 160, 180, 320, 360, 720, 1200, 1440, 1680 and 2880 KiB. */
static const uint32_t floppy_sectors[] = {320, 360, 640, 720, 1440, 2400, 2880, 3360, 5760};

/* There is no RAM where a PC has its video memory, with or without an adapter. */
#define VIDEO_START UINT64_C(0xa0000)
#define VIDEO_SIZE  UINT64_C(0x20000)

#define LARGEST_FLOPPY 5760u
/* What partition tables and the BIOS's packets can address. */
#define MOST_SECTORS (UINT64_C(1) << 32)

static int create(const struct blink_host *host, const char *args, struct blink_plugin **out) {
    static const struct blink_need needs[] = {{BLINK_NEED(BLINK_IFACE_MEM, api)}};
    return BLINK_CREATE(host, "loader realmode", args, needs, out);
}

static void destroy(struct blink_plugin *self) {
    free(self);
}

static bool has_signature(const uint8_t *sector) {
    return sector[510] == 0x55 && sector[511] == 0xaa;
}

static bool ends_with(const char *text, const char *suffix) {
    size_t n = strlen(text), k = strlen(suffix);
    return n >= k && !strcmp(text + n - k, suffix);
}

static int32_t probe(struct blink_plugin *self, const struct blink_image *image) {
    (void)self;
    if (image->head_size >= SECTOR && has_signature(image->head))
        return SCORE_SIGNATURE;
    return ends_with(image->path, ".iso") ? BLINK_PROBE_NAME : BLINK_PROBE_NO;
}

int realmode_refuse(const struct blink_plugin *self, const struct blink_image *image,
                    const char *format, ...) {
    char text[512];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    blink_log(self->host, BLINK_LOG_ERROR, "%s: %s", image->path, text);
    return -ENOEXEC;
}

int realmode_read(const struct blink_plugin *self, const struct blink_image *image, uint64_t offset,
                  void *out, size_t size) {
    uint8_t *to = out;
    while (size) {
        ssize_t n = pread(image->fd, to, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return realmode_refuse(self, image, "cannot read it: %s", strerror(errno));
        if (n == 0)
            return realmode_refuse(self, image, "truncated while it was read");
        to += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return 0;
}

static uint32_t word(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8;
}

/* Sectors that a FAT's parameter block tells of; 0 where there is none. */
static uint32_t told_sectors(const uint8_t *s) {
    bool jump = s[0] == 0xeb || s[0] == 0xe9;
    bool fat = jump && word(s + 11) == SECTOR && s[13] && !(s[13] & (s[13] - 1)) && s[16] >= 1 &&
               s[16] <= 2 && s[21] >= 0xf0;
    uint32_t small = word(s + 19);
    return !fat ? 0 : small ? small : word(s + 32) | word(s + 34) << 16;
}

/* Four entries of which at least one is used, each active or not. */
static bool has_partitions(const uint8_t *s) {
    bool used = false;
    for (const uint8_t *e = s + 446; e < s + 510; e += 16) {
        if (e[0] & 0x7f)
            return false;
        used = used || (e[4] && (word(e + 12) || word(e + 14)));
    }
    return used;
}

static bool is_floppy_size(uint64_t sectors) {
    for (size_t k = 0; k < sizeof floppy_sectors / sizeof floppy_sectors[0]; k++)
        if (floppy_sectors[k] == sectors)
            return true;
    return false;
}

static int load_disk(const struct blink_plugin *self, struct blink_mem *mem,
                     const struct blink_image *image, struct blink_program *found) {
    uint8_t sector[SECTOR];
    uint64_t sectors = image->size / SECTOR;
    int rc = realmode_read(self, image, 0, sector, sizeof sector);
    if (rc)
        return rc;
    if (!has_signature(sector))
        return realmode_refuse(self, image, "no boot sector: bytes 510 and 511 are not 55 AA");
    bool partitions = has_partitions(sector) && !is_floppy_size(sectors);
    uint32_t told = partitions ? 0 : told_sectors(sector);
    /* A boot sector alone may carry the parameters of the floppy it is for. */
    if (sectors > 1 && told > sectors)
        return realmode_refuse(self, image, "truncated: %" PRIu64 " sectors of %" PRIu32, sectors,
                               told);
    /* An Actually Portable Executable is a disk, too, and ends where its program does. */
    if (sectors > 1 && image->size % SECTOR && memcmp(sector, "MZqFpD", 6) != 0)
        return realmode_refuse(self, image, "truncated: %" PRIu64 " bytes are no whole sectors",
                               image->size);
    if (sectors > MOST_SECTORS)
        return realmode_refuse(self, image, "larger than a BIOS can address: 2 TiB");
    found->boot_drive = partitions || sectors > LARGEST_FLOPPY ? DRIVE_HARD_DISK : DRIVE_FLOPPY;
    found->start = found->entry = BOOT_ADDRESS;
    rc = self->api.copy_out(mem, BOOT_ADDRESS, sector, sizeof sector);
    return rc ? realmode_refuse(self, image, "no memory at 0x7c00: %s", strerror(-rc)) : 0;
}

static int load(struct blink_plugin *self, struct blink_mem *mem, const struct blink_image *image,
                struct blink_program *program) {
    struct blink_program found = {.struct_size = sizeof found, .abi = "bios"};
    uint32_t room = program->struct_size;
    int rc;
    if (image->size == 0)
        return realmode_refuse(self, image, "empty file");
    if (image->size < SECTOR)
        return realmode_refuse(self, image, "%" PRIu64 " bytes are no boot sector, which has 512",
                               image->size);
    if (realmode_is_cd(image))
        rc = realmode_load_cd(self, mem, image, &found);
    else
        rc = load_disk(self, mem, image, &found);
    if (rc == 0)
        rc = self->api.unmap(mem, VIDEO_START, VIDEO_SIZE);
    if (rc)
        return rc;
    memcpy(program, &found, room && room < sizeof found ? room : sizeof found);
    program->struct_size = room ? room : sizeof found;
    return 0;
}

static const struct blink_loader_ops ops = {
    .plugin = {.struct_size = sizeof ops, .create = create, .destroy = destroy},
    .probe = probe,
    .load = load,
    .flags = BLINK_LOADER_SYSTEM,
};

static const struct blink_manifest manifest = {
    .struct_size = sizeof manifest,
    .kind = BLINK_KIND_LOADER,
    .name = "realmode",
    .version = "0.1.0",
    .summary = "boot sectors, floppies, hard disks, CDs",
    .licence = "ISC",
    .vtable = &ops,
};

BLINK_PLUGIN_DEFINE(&manifest);
