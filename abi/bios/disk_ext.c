/*
 * INT 13h from 41h on: sectors by their number, after the "Enhanced Disk Drive Specification" 3.0,
 * and what El Torito's specification asks of a BIOS that booted a CD. By the first vCPU's thread.
 */
#include <string.h>

#include "bios.h"

#define BAD_COMMAND 0x01u
#define NOT_LOCKED  0xb0u
#define FIRST_CD    0xe0u

#define PACKET_MIN 16u

struct call {
    struct blink_plugin *b;
    uint32_t kind, n;
    const struct blink_disk *disk;
};

static void finish(const struct call *c, uint32_t status) {
    poke8(c->b, BDA_HARD_STATUS, status);
    bios_result(c->b, status);
}

static void check(const struct call *c) {
    if (BX(c->b) != 0x55aa) {
        finish(c, BAD_COMMAND);
        return;
    }
    set16(c->b, BLINK_RBX, 0xaa55);
    set16(c->b, BLINK_RCX, 0x0005); /* packets, parameters; nothing can be taken out */
    finish(c, 0);
    set_high(c->b, BLINK_RAX, 0x30);
}

/* The packet at DS:SI: size, reserved, count, buffer, sector; a flat buffer where that is ones. */
struct packet {
    uint32_t count;
    uint64_t sector, buffer, at;
};

static bool get_packet(const struct call *c, struct packet *p) {
    struct blink_plugin *b = c->b;
    uint64_t at = bios_at(b, BLINK_SEG_DS, get16(b, BLINK_RSI));
    uint32_t size = peek8(b, at), buffer = peek32(b, at + 4);
    if (size < PACKET_MIN)
        return false;
    p->at = at;
    p->count = peek16(b, at + 2);
    p->sector = peek32(b, at + 8) | (uint64_t)peek32(b, at + 12) << 32;
    p->buffer = (uint64_t)(buffer >> 16) * 16 + (buffer & 0xffff);
    if (buffer == UINT32_MAX && size >= 24)
        p->buffer = peek32(b, at + 16) | (uint64_t)peek32(b, at + 20) << 32;
    return true;
}

static void move(const struct call *c, bool write) {
    struct packet p;
    uint32_t size = c->disk->sector_size, done = 0;
    int err = 0;
    if (!get_packet(c, &p)) {
        finish(c, BAD_COMMAND);
        return;
    }
    /* In parts, so that the packet can say how many there were. */
    while (done < p.count && err == 0) {
        uint32_t part = p.count - done < 16 ? p.count - done : 16;
        err = disk_move(c->b, c->kind, c->n, p.sector + done, part,
                        p.buffer + (uint64_t)done * size, size, write);
        if (err && part > 1) {
            part = 1;
            err = disk_move(c->b, c->kind, c->n, p.sector + done, 1,
                            p.buffer + (uint64_t)done * size, size, write);
        }
        done += err ? 0 : part;
    }
    poke16(c->b, p.at + 2, done);
    finish(c, disk_status_of(err));
}

static void read_sectors(const struct call *c) {
    move(c, false);
}

static void write_sectors(const struct call *c) {
    move(c, true);
}

static void verify(const struct call *c) {
    struct packet p;
    if (!get_packet(c, &p))
        finish(c, BAD_COMMAND);
    else if (p.sector >= c->disk->sectors || p.count > c->disk->sectors - p.sector)
        finish(c, 0x04);
    else
        finish(c, 0);
}

static void succeed(const struct call *c) {
    finish(c, 0);
}

static void not_locked(const struct call *c) {
    bool unlock = AL(c->b) == 1;
    set_low(c->b, BLINK_RAX, 0);
    finish(c, unlock ? NOT_LOCKED : 0);
}

/* The structure at DS:SI begins with the size it has room for. */
static void parameters(const struct call *c) {
    struct blink_plugin *b = c->b;
    const struct blink_disk *d = c->disk;
    uint64_t at = bios_at(b, BLINK_SEG_DS, get16(b, BLINK_RSI));
    uint32_t size = peek16(b, at);
    if (size < 26) {
        finish(c, BAD_COMMAND);
        return;
    }
    poke16(b, at, size >= 30 ? 30 : 26);
    poke16(b, at + 2, c->kind == BLINK_DISK_CD ? 0x74 : 0x02); /* removable, or shape is right */
    poke32(b, at + 4, c->kind == BLINK_DISK_CD ? UINT32_MAX : d->cylinders);
    poke32(b, at + 8, c->kind == BLINK_DISK_CD ? UINT32_MAX : d->heads);
    poke32(b, at + 12, c->kind == BLINK_DISK_CD ? UINT32_MAX : d->track_sectors);
    poke32(b, at + 16, (uint32_t)d->sectors);
    poke32(b, at + 20, (uint32_t)(d->sectors >> 32));
    poke16(b, at + 24, d->sector_size);
    if (size >= 30)
        poke32(b, at + 26, UINT32_MAX); /* no further parameters of the device */
    finish(c, 0);
}

/* The specification packet of a CD without emulation, to DS:SI. */
static void cd_status(const struct call *c) {
    struct blink_plugin *b = c->b;
    uint8_t entry[32], packet[19] = {sizeof packet, 0, (uint8_t)(FIRST_CD + c->n)};
    if (c->kind != BLINK_DISK_CD || AL(b) > 1 || !boot_find_cd(b, c->n, entry)) {
        finish(c, BAD_COMMAND);
        return;
    }
    memcpy(packet + 4, entry + 8, 4);  /* the image's first sector */
    memcpy(packet + 12, entry + 2, 2); /* its segment */
    memcpy(packet + 14, entry + 6, 2); /* sectors that were loaded */
    bios_write(b, bios_at(b, BLINK_SEG_DS, get16(b, BLINK_RSI)), packet, sizeof packet);
    finish(c, 0);
}

void disk_extended(struct blink_plugin *b, uint32_t kind, uint32_t n,
                   const struct blink_disk *disk) {
    static const struct {
        uint8_t ah;
        void (*run)(const struct call *c);
    } functions[] = {
        {0x41, check},      {0x42, read_sectors}, {0x43, write_sectors},
        {0x44, verify},     {0x45, not_locked},   {0x47, succeed},
        {0x48, parameters}, {0x4b, cd_status},    {0x4e, succeed},
    };
    struct call c = {b, kind, n, disk};
    uint32_t ah = AH(b);
    for (size_t k = 0; k < sizeof functions / sizeof functions[0]; k++)
        if (functions[k].ah == ah) {
            functions[k].run(&c);
            return;
        }
    finish(&c, BAD_COMMAND);
}
