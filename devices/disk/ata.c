/*
 * A channel of ATA drives, programmed I/O only, by the ATA/ATAPI-6 standard: registers, commands,
 * the transfer of sectors. A command is done as soon as it is given. Bus lock held.
 */
#include <errno.h>
#include <string.h>

#include "disk.h"

#define STATUS_ERROR 0x01u
#define STATUS_DATA  0x08u /* DRQ */
#define STATUS_DONE  0x10u /* DSC */
#define STATUS_READY 0x40u
#define IDLE         (STATUS_READY | STATUS_DONE)

#define ERROR_ABORTED   0x04u
#define ERROR_NOT_FOUND 0x10u
#define ERROR_DATA      0x40u

#define CONTROL_NO_IRQ 0x02u
#define CONTROL_RESET  0x04u
#define CONTROL_HIGH   0x80u /* registers are read as they were before */

#define SELECT_LBA    0x40u
#define SELECT_SECOND 0x10u
#define SELECT_FIXED  0xa0u

#define MULTIPLE_MAX 16u

static struct ata_unit *selected(struct ata *a) {
    return &a->unit[a->select & SELECT_SECOND ? 1 : 0];
}

/* ---- interrupt ---- */

static void update_irq(const struct ata *a) {
    a->bus->set_irq(a->host->machine, a->irq, a->raised && !(a->control & CONTROL_NO_IRQ));
}

static void raise(struct ata *a) {
    a->raised = true;
    update_irq(a);
}

/* The command ended. */
static void done(struct ata *a, uint8_t error) {
    a->error = error;
    a->status = IDLE | (error ? STATUS_ERROR : 0);
    a->left = 0;
    raise(a);
}

/* ---- addresses ---- */

static uint32_t low(uint16_t reg) {
    return reg & 0xff;
}
static uint32_t high(uint16_t reg) {
    return reg >> 8;
}

/* The sector that the registers name; UINT64_MAX if there is none. */
static uint64_t address(struct ata *a) {
    const struct ata_unit *u = selected(a);
    uint64_t at = low(a->lba[0]) | low(a->lba[1]) << 8 | low(a->lba[2]) << 16;
    if (a->wide)
        return at | (uint64_t)high(a->lba[0]) << 24 | (uint64_t)high(a->lba[1]) << 32 |
               (uint64_t)high(a->lba[2]) << 40;
    if (a->select & SELECT_LBA)
        return at | (uint64_t)(a->select & 15) << 24;
    uint32_t cylinder = low(a->lba[1]) | low(a->lba[2]) << 8, head = a->select & 15;
    uint32_t sector = low(a->lba[0]);
    if (head >= u->heads || sector == 0 || sector > u->track_sectors)
        return UINT64_MAX;
    return ((uint64_t)cylinder * u->heads + head) * u->track_sectors + sector - 1;
}

static uint32_t sector_count(const struct ata *a) {
    if (a->wide)
        return a->count ? a->count : 65536;
    return low(a->count) ? low(a->count) : 256;
}

static void put(uint16_t *reg, uint64_t value) {
    *reg = (uint16_t)((*reg & 0xff00) | (value & 0xff));
}

/* The registers tell of the sector that was last, or at which it failed. */
static void tell_address(struct ata *a, uint64_t sector) {
    const struct ata_unit *u = selected(a);
    uint64_t at = sector;
    if (!a->wide && !(a->select & SELECT_LBA)) {
        uint64_t track = sector / u->track_sectors;
        at = (sector % u->track_sectors + 1) | track / u->heads << 8;
        a->select = (uint8_t)((a->select & 0xf0) | track % u->heads);
    } else if (!a->wide) {
        a->select = (uint8_t)((a->select & 0xf0) | (at >> 24 & 15));
    }
    for (uint32_t k = 0; k < 3; k++) {
        uint16_t before = a->wide ? (uint16_t)(at >> (24 + 8 * k) << 8) : a->lba[k] & 0xff00;
        a->lba[k] = (uint16_t)(before | (at >> 8 * k & 0xff));
    }
}

/* ---- transfers ---- */

static uint8_t error_of(int err) {
    return err == -EROFS ? ERROR_ABORTED : err == -EINVAL ? ERROR_NOT_FOUND : ERROR_DATA;
}

static int move(struct ata *a, bool write) {
    struct drive *d = selected(a)->drive;
    if (a->sector >= d->disk.sectors)
        return -EINVAL;
    if (write)
        return image_write(&d->image, a->sector * DISK_SECTOR, a->buffer, DISK_SECTOR);
    return image_read(&d->image, a->sector * DISK_SECTOR, a->buffer, DISK_SECTOR);
}

static void fail(struct ata *a, int err) {
    tell_address(a, a->sector);
    done(a, error_of(err));
}

/* One more sector for the driver, with an interrupt at the start of each block. */
static void fetch(struct ata *a) {
    int err = move(a, false);
    if (err) {
        fail(a, err);
        return;
    }
    tell_address(a, a->sector);
    a->sector++;
    a->left--;
    a->at = 0;
    a->status = IDLE | STATUS_DATA;
    if (a->in_block == 0) {
        a->in_block = a->block;
        raise(a);
    }
    a->in_block--;
}

/* The buffer is full. */
static void store(struct ata *a) {
    int err = move(a, true);
    if (err) {
        fail(a, err);
        return;
    }
    tell_address(a, a->sector);
    a->sector++;
    a->at = 0;
    if (--a->left == 0) {
        done(a, 0);
        return;
    }
    if (--a->in_block == 0) {
        a->in_block = a->block;
        raise(a);
    }
}

static void begin_transfer(struct ata *a, bool write, uint32_t block) {
    a->sector = address(a);
    a->left = sector_count(a);
    a->block = block;
    a->writing = write;
    a->at = 0;
    if (!write) {
        a->in_block = 0;
        fetch(a);
        return;
    }
    if (a->sector >= selected(a)->drive->disk.sectors) {
        fail(a, -EINVAL);
        return;
    }
    a->in_block = block;
    a->status = IDLE | STATUS_DATA; /* the first block is asked for without an interrupt */
}

static void after_buffer(struct ata *a) {
    if (a->writing)
        store(a);
    else if (a->left)
        fetch(a);
    else
        a->status = IDLE;
}

static uint64_t read_data(struct ata *a, uint32_t size) {
    uint64_t value = 0;
    if (!(a->status & STATUS_DATA) || a->writing)
        return 0xffffffff;
    for (uint32_t k = 0; k < size && a->at < DISK_SECTOR; k++)
        value |= (uint64_t)a->buffer[a->at++] << k * 8;
    if (a->at == DISK_SECTOR)
        after_buffer(a);
    return value;
}

static void write_data(struct ata *a, uint32_t size, uint64_t value) {
    if (!(a->status & STATUS_DATA) || !a->writing)
        return;
    for (uint32_t k = 0; k < size && a->at < DISK_SECTOR; k++)
        a->buffer[a->at++] = (uint8_t)(value >> k * 8);
    if (a->at == DISK_SECTOR)
        after_buffer(a);
}

/* ---- commands ---- */

static void abort_command(struct ata *a) {
    done(a, ERROR_ABORTED);
}

static void succeed(struct ata *a) {
    done(a, 0);
}

static void read_sectors(struct ata *a) {
    begin_transfer(a, false, 1);
}

static void write_sectors(struct ata *a) {
    begin_transfer(a, true, 1);
}

static void read_multiple(struct ata *a) {
    uint32_t block = selected(a)->multiple;
    if (block)
        begin_transfer(a, false, block);
    else
        abort_command(a);
}

static void write_multiple(struct ata *a) {
    uint32_t block = selected(a)->multiple;
    if (block)
        begin_transfer(a, true, block);
    else
        abort_command(a);
}

static void set_multiple(struct ata *a) {
    uint32_t n = low(a->count);
    if (n > MULTIPLE_MAX || (n & (n - 1))) {
        abort_command(a);
        return;
    }
    selected(a)->multiple = n;
    succeed(a);
}

static void verify(struct ata *a) {
    uint64_t first = address(a), sectors = selected(a)->drive->disk.sectors;
    uint32_t count = sector_count(a);
    if (first >= sectors || count > sectors - first) {
        a->sector = first >= sectors ? first : sectors;
        fail(a, -EINVAL);
        return;
    }
    tell_address(a, first + count - 1);
    succeed(a);
}

static void identify(struct ata *a) {
    ata_identify(selected(a), a->buffer);
    a->writing = false;
    a->left = 0;
    a->at = 0;
    a->status = IDLE | STATUS_DATA;
    raise(a);
}

static void flush(struct ata *a) {
    done(a, image_flush(&selected(a)->drive->image) ? ERROR_ABORTED : 0);
}

static void seek(struct ata *a) {
    done(a, address(a) < selected(a)->drive->disk.sectors ? 0 : ERROR_NOT_FOUND);
}

static void set_shape(struct ata *a) {
    struct ata_unit *u = selected(a);
    if (!low(a->count)) {
        abort_command(a);
        return;
    }
    u->heads = (a->select & 15) + 1u;
    u->track_sectors = low(a->count);
    succeed(a);
}

static void set_features(struct ata *a) {
    switch (a->features) {
    case 0x03: /* a transfer mode: PIO modes alone */
        done(a, low(a->count) >= 16 ? ERROR_ABORTED : 0);
        break;
    case 0x02: /* write cache, look-ahead, defaults: nothing to change */
    case 0x82:
    case 0xaa:
    case 0x55:
    case 0x66:
    case 0xcc: succeed(a); break;
    default: abort_command(a); break;
    }
}

/* "Active or idle". */
static void check_power(struct ata *a) {
    put(&a->count, 0xff);
    succeed(a);
}

static void native_size(struct ata *a) {
    if (!a->wide)
        a->select |= SELECT_LBA;
    tell_address(a, selected(a)->drive->disk.sectors - 1);
    succeed(a);
}

static void signature(struct ata *a) {
    a->count = a->lba[0] = 1;
    a->lba[1] = a->lba[2] = 0;
    a->select &= SELECT_SECOND;
}

static void diagnose(struct ata *a) {
    signature(a);
    a->select = 0;
    done(a, 0);
    a->error = 0x01; /* both are well */
}

#define WIDE true
static const struct {
    uint8_t first, last;
    bool wide; /* 48-bit addresses */
    void (*run)(struct ata *a);
} commands[] = {
    {0x10, 0x1f, false, succeed}, /* RECALIBRATE */
    {0x20, 0x21, false, read_sectors},   {0x24, 0x24, WIDE, read_sectors},
    {0x27, 0x27, WIDE, native_size},     {0x29, 0x29, WIDE, read_multiple},
    {0x30, 0x31, false, write_sectors},  {0x34, 0x34, WIDE, write_sectors},
    {0x39, 0x39, WIDE, write_multiple},  {0x40, 0x41, false, verify},
    {0x42, 0x42, WIDE, verify},          {0x70, 0x7f, false, seek},
    {0x91, 0x91, false, set_shape},      {0xc4, 0xc4, false, read_multiple},
    {0xc5, 0xc5, false, write_multiple}, {0xc6, 0xc6, false, set_multiple},
    {0xe0, 0xe3, false, succeed},                                      /* STANDBY, IDLE */
    {0xe5, 0xe5, false, check_power},    {0xe6, 0xe6, false, succeed}, /* SLEEP */
    {0xe7, 0xe7, false, flush},          {0xea, 0xea, false, flush},
    {0xec, 0xec, false, identify},       {0xef, 0xef, false, set_features},
    {0xf8, 0xf8, false, native_size},
};

static void command(struct ata *a, uint8_t code) {
    a->raised = false;
    update_irq(a);
    a->error = 0;
    a->wide = false;
    if (code == 0x90) {
        diagnose(a);
        return;
    }
    if (!selected(a)->drive)
        return; /* nobody is there to answer */
    for (size_t k = 0; k < sizeof commands / sizeof commands[0]; k++)
        if (code >= commands[k].first && code <= commands[k].last) {
            a->wide = commands[k].wide;
            commands[k].run(a);
            return;
        }
    abort_command(a);
}

/* ---- registers ---- */

void ata_reset(struct ata *a) {
    for (uint32_t k = 0; k < ATA_UNITS; k++) {
        a->unit[k].heads = 16;
        a->unit[k].track_sectors = 63;
        a->unit[k].multiple = MULTIPLE_MAX;
    }
    a->control = a->features = 0;
    a->raised = false;
    a->left = 0;
    a->writing = a->wide = false;
    a->status = IDLE;
    a->select = 0;
    a->error = 0x01;
    signature(a);
    update_irq(a);
}

static uint8_t pick(const struct ata *a, uint16_t reg) {
    return (uint8_t)(a->control & CONTROL_HIGH ? high(reg) : low(reg));
}

uint8_t ata_read_alternate(const struct ata *a) {
    if (!a->unit[a->select & SELECT_SECOND ? 1 : 0].drive)
        return 0;
    return a->status;
}

static uint8_t read_status(struct ata *a) {
    a->raised = false;
    update_irq(a);
    return ata_read_alternate(a);
}

static uint8_t read_register(struct ata *a, uint32_t offset) {
    switch (offset) {
    case 1: return a->error;
    case 2: return pick(a, a->count);
    case 3:
    case 4:
    case 5: return pick(a, a->lba[offset - 3]);
    case 6: return a->select | SELECT_FIXED;
    default: return read_status(a);
    }
}

uint64_t ata_read(struct ata *a, uint32_t offset, uint32_t size) {
    uint64_t value = 0;
    if (offset == 0)
        return read_data(a, size);
    for (uint32_t k = 0; k < size && offset + k < 8; k++)
        value |= (uint64_t)read_register(a, offset + k) << k * 8;
    return value;
}

/* Each write keeps what was there before. */
static void shift_in(uint16_t *reg, uint8_t value) {
    *reg = (uint16_t)(*reg << 8 | value);
}

static void write_register(struct ata *a, uint32_t offset, uint8_t value) {
    a->control &= (uint8_t)~CONTROL_HIGH;
    switch (offset) {
    case 1: a->features = value; break;
    case 2: shift_in(&a->count, value); break;
    case 3:
    case 4:
    case 5: shift_in(&a->lba[offset - 3], value); break;
    case 6: a->select = value & (SELECT_LBA | SELECT_SECOND | 15); break;
    default: command(a, value); break;
    }
}

void ata_write(struct ata *a, uint32_t offset, uint32_t size, uint64_t value) {
    if (offset == 0) {
        write_data(a, size, value);
        return;
    }
    for (uint32_t k = 0; k < size && offset + k < 8; k++)
        write_register(a, offset + k, (uint8_t)(value >> k * 8));
}

void ata_write_control(struct ata *a, uint8_t value) {
    bool released = (a->control & CONTROL_RESET) && !(value & CONTROL_RESET);
    a->control = value;
    if (released) {
        ata_reset(a);
        a->control = value;
    } else if (value & CONTROL_RESET) {
        a->status = 0x80; /* busy as long as it is held */
        a->raised = false;
    }
    update_irq(a);
}
