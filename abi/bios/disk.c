/*
 * INT 13h and 40h: floppies, hard disks and CDs by the disk service. Functions up to 18h here, with
 * cylinders, heads and sectors; the extensions in disk_ext.c. By the first vCPU's thread.
 */
#include <errno.h>

#include "bios.h"

#define FIRST_HARD 0x80u
#define FIRST_CD   0xe0u

/* What AH says. */
#define BAD_COMMAND   0x01u
#define WRITE_PROTECT 0x03u
#define NOT_FOUND     0x04u
#define CROSSES_64K   0x09u
#define BAD_SECTOR    0x10u
#define FAILED        0x20u
#define TIMED_OUT     0x80u

#define MOST_AT_ONCE 16384u /* bytes of the buffer between */

struct request {
    uint32_t kind, n;
    struct blink_disk disk;
};

uint32_t disk_status_of(int err) {
    switch (err) {
    case 0: return 0;
    case -EINVAL: return NOT_FOUND;
    case -EROFS: return WRITE_PROTECT;
    case -ENOENT: return TIMED_OUT;
    case -EIO: return BAD_SECTOR;
    default: return FAILED;
    }
}

bool disk_find(struct blink_plugin *b, uint32_t number, uint32_t *kind, uint32_t *n,
               struct blink_disk *out) {
    *kind = number >= FIRST_CD     ? BLINK_DISK_CD
            : number >= FIRST_HARD ? BLINK_DISK_HARD
                                   : BLINK_DISK_FLOPPY;
    *n = number - (number >= FIRST_CD ? FIRST_CD : number >= FIRST_HARD ? FIRST_HARD : 0);
    return b->disk.info(b->host->machine, *kind, *n, out) == 0;
}

int disk_move(struct blink_plugin *b, uint32_t kind, uint32_t n, uint64_t sector, uint32_t count,
              uint64_t address, uint32_t size, bool write) {
    uint8_t buffer[MOST_AT_ONCE];
    uint32_t most = MOST_AT_ONCE / size;
    int err = 0;
    for (uint32_t part; count && err == 0; count -= part, sector += part) {
        part = count < most ? count : most;
        if (write) {
            bios_read(b, address, buffer, (size_t)part * size);
            err = b->disk.write(b->host->machine, kind, n, sector, part, buffer);
        } else {
            err = b->disk.read(b->host->machine, kind, n, sector, part, buffer);
            if (err == 0)
                bios_write(b, address, buffer, (size_t)part * size);
        }
        address += (uint64_t)part * size;
    }
    return err;
}

/* AH, carry, and the byte of the data area that function 01h gives. */
static void finish(struct blink_plugin *b, const struct request *r, uint32_t status) {
    poke8(b, r->kind == BLINK_DISK_FLOPPY ? BDA_FLOPPY_STATUS : BDA_HARD_STATUS, status);
    bios_result(b, status);
}

/* The sector that CH, CL and DH name; UINT64_MAX if the disk has none there. */
static uint64_t sector_of(struct blink_plugin *b, const struct blink_disk *d) {
    uint32_t cylinder = CH(b) | (CL(b) & 0xc0u) << 2, sector = CL(b) & 0x3fu, head = DH(b);
    if (sector == 0 || sector > d->track_sectors || head >= d->heads || cylinder >= d->cylinders)
        return UINT64_MAX;
    return ((uint64_t)cylinder * d->heads + head) * d->track_sectors + sector - 1;
}

static void move(struct blink_plugin *b, const struct request *r, bool write) {
    uint64_t first = sector_of(b, &r->disk), address = bios_at(b, BLINK_SEG_ES, BX(b));
    uint32_t count = AL(b), done = 0, status = 0;
    if (count == 0 || count > 128)
        status = BAD_COMMAND;
    else if (first == UINT64_MAX)
        status = NOT_FOUND;
    else if (r->kind == BLINK_DISK_FLOPPY &&
             (address & 0xffff) + (uint64_t)count * r->disk.sector_size > 0x10000)
        status = CROSSES_64K; /* as the DMA controller of floppies is */
    /* One by one, so that AL says how many there were. */
    for (; status == 0 && done < count; done++) {
        int err =
            disk_move(b, r->kind, r->n, first + done, 1,
                      address + (uint64_t)done * r->disk.sector_size, r->disk.sector_size, write);
        status = disk_status_of(err);
        if (status)
            break;
    }
    set_low(b, BLINK_RAX, done);
    finish(b, r, status);
}

static void read_sectors(struct blink_plugin *b, const struct request *r) {
    move(b, r, false);
}

static void write_sectors(struct blink_plugin *b, const struct request *r) {
    move(b, r, true);
}

static void verify_sectors(struct blink_plugin *b, const struct request *r) {
    uint64_t first = sector_of(b, &r->disk);
    bool there = first != UINT64_MAX && AL(b) <= r->disk.sectors - first;
    finish(b, r, there ? 0 : NOT_FOUND);
}

static void succeed(struct blink_plugin *b, const struct request *r) {
    finish(b, r, 0);
}

static void last_status(struct blink_plugin *b, const struct request *r) {
    uint32_t at = r->kind == BLINK_DISK_FLOPPY ? BDA_FLOPPY_STATUS : BDA_HARD_STATUS;
    bios_result(b, peek8(b, at));
    set_low(b, BLINK_RAX, peek8(b, at));
    poke8(b, at, 0);
}

static void format_track(struct blink_plugin *b, const struct request *r) {
    uint8_t zero[512] = {0};
    struct blink_disk d = r->disk;
    uint32_t cylinder = CH(b) | (CL(b) & 0xc0u) << 2, status = 0;
    if (DH(b) >= d.heads || cylinder >= d.cylinders || d.sector_size != sizeof zero)
        status = NOT_FOUND;
    uint64_t first = ((uint64_t)cylinder * d.heads + DH(b)) * d.track_sectors;
    for (uint32_t k = 0; status == 0 && k < d.track_sectors; k++)
        status = disk_status_of(b->disk.write(b->host->machine, r->kind, r->n, first + k, 1, zero));
    finish(b, r, status);
}

static uint32_t floppy_type(const struct blink_disk *d) {
    static const struct {
        uint32_t track_sectors, cylinders, type;
    } types[] = {{9, 40, 1}, {15, 80, 2}, {9, 80, 3}, {18, 80, 4}, {36, 80, 6}};
    for (size_t k = 0; k < sizeof types / sizeof types[0]; k++)
        if (d->track_sectors <= types[k].track_sectors && d->cylinders <= types[k].cylinders)
            return types[k].type;
    return 4;
}

static uint32_t count_of(struct blink_plugin *b, uint32_t kind) {
    struct blink_disk d;
    uint32_t n = 0;
    while (b->disk.info(b->host->machine, kind, n, &d) == 0)
        n++;
    return n;
}

static void parameters(struct blink_plugin *b, const struct request *r) {
    const struct blink_disk *d = &r->disk;
    uint32_t last = (d->cylinders > 1024 ? 1024 : d->cylinders) - 1;
    if (r->kind == BLINK_DISK_FLOPPY) {
        set16(b, BLINK_RBX, floppy_type(d));
        bios_set_segment(b, BLINK_SEG_ES, ROM_SEGMENT);
        set16(b, BLINK_RDI, ROM_FLOPPY);
    }
    set_high(b, BLINK_RCX, last);
    set_low(b, BLINK_RCX, (last >> 2 & 0xc0) | d->track_sectors);
    set_high(b, BLINK_RDX, d->heads - 1);
    set_low(b, BLINK_RDX, count_of(b, r->kind));
    set_low(b, BLINK_RAX, 0);
    finish(b, r, 0);
}

static void type_of(struct blink_plugin *b, const struct request *r) {
    bios_flag(b, FLAG_CARRY, false);
    if (r->kind == BLINK_DISK_FLOPPY) {
        set_high(b, BLINK_RAX, 1); /* without a change line */
        return;
    }
    uint64_t sectors = r->disk.sectors > UINT32_MAX ? UINT32_MAX : r->disk.sectors;
    set_high(b, BLINK_RAX, 3);
    set16(b, BLINK_RCX, (uint32_t)(sectors >> 16));
    set16(b, BLINK_RDX, (uint32_t)sectors);
}

/* What a floppy is formatted as: its own format alone. */
static void set_media(struct blink_plugin *b, const struct request *r) {
    bool same =
        CH(b) == ((r->disk.cylinders - 1) & 0xff) && (CL(b) & 0x3fu) == r->disk.track_sectors;
    if (r->kind != BLINK_DISK_FLOPPY || !same) {
        finish(b, r, 0x0c);
        return;
    }
    bios_set_segment(b, BLINK_SEG_ES, ROM_SEGMENT);
    set16(b, BLINK_RDI, ROM_FLOPPY);
    finish(b, r, 0);
}

static void set_type(struct blink_plugin *b, const struct request *r) {
    finish(b, r, r->kind == BLINK_DISK_FLOPPY ? 0 : BAD_COMMAND);
}

typedef void function(struct blink_plugin *b, const struct request *r);

static function *const functions[] = {
    [0x00] = succeed,        [0x01] = last_status,  [0x02] = read_sectors, [0x03] = write_sectors,
    [0x04] = verify_sectors, [0x05] = format_track, [0x08] = parameters,   [0x09] = succeed,
    [0x0c] = succeed,        [0x0d] = succeed,      [0x10] = succeed,      [0x11] = succeed,
    [0x14] = succeed,        [0x15] = type_of,      [0x16] = succeed,      [0x17] = set_type,
    [0x18] = set_media,
};
#define FUNCTIONS (sizeof functions / sizeof functions[0])

static void no_drive(struct blink_plugin *b, const struct request *r) {
    if (AH(b) == 0x15) {
        set_high(b, BLINK_RAX, 0); /* "there is none" is no error */
        bios_flag(b, FLAG_CARRY, false);
        return;
    }
    if (AH(b) == 0x08) {
        set16(b, BLINK_RCX, 0);
        set16(b, BLINK_RDX, count_of(b, r->kind));
        set16(b, BLINK_RBX, 0);
        /* Of floppies it is asked to learn how many there are. */
        finish(b, r, r->kind == BLINK_DISK_FLOPPY ? 0 : 0x07);
        return;
    }
    finish(b, r, AH(b) == 0 && r->kind == BLINK_DISK_FLOPPY ? 0 : BAD_COMMAND);
}

void disk_13(struct blink_plugin *b) {
    struct request r;
    uint32_t number = DL(b), ah = AH(b);
    if (!disk_find(b, number, &r.kind, &r.n, &r.disk)) {
        no_drive(b, &r);
        return;
    }
    if (ah >= 0x41 && r.kind != BLINK_DISK_FLOPPY)
        disk_extended(b, r.kind, r.n, &r.disk);
    else if (ah < FUNCTIONS && functions[ah] && (r.disk.heads || ah == 0x00 || ah == 0x15))
        functions[ah](b, &r);
    else
        finish(b, &r, BAD_COMMAND);
}
