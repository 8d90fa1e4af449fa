/*
 * CDs: ISO 9660 volume descriptors and the El Torito specification 1.0, its entries without
 * emulation.
 */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "realmode.h"

#define CD_SECTOR    2048u
#define DESCRIPTORS  16u /* sector of the first volume descriptor */
#define DEFAULT_SEG  0x7c0u
#define LARGEST_LOAD (UINT32_C(0xa0000) - 0x7c00)

static uint32_t word(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8;
}
static uint32_t dword(const uint8_t *p) {
    return word(p) | word(p + 2) << 16;
}

bool realmode_is_cd(const struct blink_image *image) {
    char id[5];
    return pread(image->fd, id, sizeof id, DESCRIPTORS * CD_SECTOR + 1) == (ssize_t)sizeof id &&
           memcmp(id, "CD001", sizeof id) == 0;
}

/* Sector of the boot catalogue, or a refusal. */
static int find_catalogue(const struct blink_plugin *self, const struct blink_image *image,
                          uint32_t *out) {
    uint8_t d[CD_SECTOR];
    for (uint32_t k = DESCRIPTORS; k < DESCRIPTORS + 64; k++) {
        int rc = realmode_read(self, image, (uint64_t)k * CD_SECTOR, d, sizeof d);
        if (rc)
            return rc;
        if (memcmp(d + 1, "CD001", 5) != 0 || d[0] == 255)
            break;
        if (d[0] == 0 && memcmp(d + 7, "EL TORITO SPECIFICATION", 23) == 0) {
            *out = dword(d + 0x47);
            return 0;
        }
    }
    return realmode_refuse(self, image, "this CD cannot be booted: no El Torito boot record");
}

/* The validation entry: its words sum up to nothing. */
static bool is_valid(const uint8_t *entry) {
    uint32_t sum = 0;
    for (uint32_t k = 0; k < 32; k += 2)
        sum += word(entry + k);
    return entry[0] == 1 && entry[30] == 0x55 && entry[31] == 0xaa && (sum & 0xffff) == 0;
}

static int copy(const struct blink_plugin *self, struct blink_mem *mem,
                const struct blink_image *image, uint64_t from, uint64_t to, uint32_t size) {
    uint8_t part[CD_SECTOR];
    for (uint32_t done = 0, n; done < size; done += n) {
        n = size - done < sizeof part ? size - done : (uint32_t)sizeof part;
        int rc = realmode_read(self, image, from + done, part, n);
        if (rc)
            return rc;
        if (self->api.copy_out(mem, to + done, part, n))
            return realmode_refuse(self, image, "no memory at %#" PRIx64, to + done);
    }
    return 0;
}

int realmode_load_cd(const struct blink_plugin *self, struct blink_mem *mem,
                     const struct blink_image *image, struct blink_program *found) {
    uint8_t catalogue[64];
    const uint8_t *e = catalogue + 32;
    uint32_t sector;
    int rc = find_catalogue(self, image, &sector);
    if (rc == 0)
        rc = realmode_read(self, image, (uint64_t)sector * CD_SECTOR, catalogue, sizeof catalogue);
    if (rc)
        return rc;
    if (!is_valid(catalogue))
        return realmode_refuse(self, image, "this CD cannot be booted: bad El Torito catalogue");
    if (e[0] != 0x88)
        return realmode_refuse(self, image,
                               "this CD cannot be booted: its first entry is not bootable");
    if (e[1] & 0x0f)
        return realmode_refuse(self, image, "this CD emulates a disk (type %u): not supported",
                               e[1] & 0x0fu);
    uint32_t segment = word(e + 2) ? word(e + 2) : DEFAULT_SEG, count = word(e + 6);
    uint64_t address = (uint64_t)segment << 4, from = (uint64_t)dword(e + 8) * CD_SECTOR;
    uint32_t size = (count ? count : 4) * SECTOR;
    if (size > LARGEST_LOAD)
        return realmode_refuse(self, image, "this CD's boot image is too large: %" PRIu32 " bytes",
                               size);
    /* The last sectors may be missing at the end of the file. */
    if (from < image->size && image->size - from < size)
        size = (uint32_t)(image->size - from);
    found->boot_drive = DRIVE_CD;
    found->start = found->entry = address;
    return copy(self, mem, image, from, address, size);
}
