/*
 * The service "blink.disk/1": the drives of a machine, on the bus's lock.
 */
#include <errno.h>
#include <string.h>

#include "bus/internal.h"

static int attach(struct blink_machine *machine, struct blink_plugin *self,
                  const struct blink_disk *disk) {
    struct blink_bus *bus = machine_bus(machine);
    struct drive drive = {.owner = self};
    uint32_t size = disk->struct_size;
    memcpy(&drive.disk, disk, size < sizeof drive.disk ? size : sizeof drive.disk);
    drive.disk.struct_size = sizeof drive.disk;
    if (drive.disk.kind >= BLINK_DISK_KINDS || !drive.disk.sector_size || !drive.disk.read ||
        (!drive.disk.read_only && !drive.disk.write))
        return -EINVAL;
    bus_lock(bus);
    int err = owned_add(bus->drive, &bus->drives, BUS_DRIVES, &drive, sizeof drive);
    bus_unlock(bus);
    return err;
}

static void detach(struct blink_machine *machine, struct blink_plugin *self) {
    struct blink_bus *bus = machine_bus(machine);
    bus_lock(bus);
    owned_release(bus->drive, &bus->drives, self, sizeof bus->drive[0]);
    bus_unlock(bus);
}

/* With the lock held. */
static struct drive *find(struct blink_bus *bus, uint32_t kind, uint32_t n) {
    for (uint32_t k = 0; k < bus->drives; k++)
        if (bus->drive[k].disk.kind == kind && n-- == 0)
            return &bus->drive[k];
    return NULL;
}

static int info(struct blink_machine *machine, uint32_t kind, uint32_t n, struct blink_disk *out) {
    struct blink_bus *bus = machine_bus(machine);
    bus_lock(bus);
    const struct drive *d = find(bus, kind, n);
    if (d) {
        *out = d->disk;
        out->read = NULL;
        out->write = NULL;
        out->flush = NULL;
    }
    bus_unlock(bus);
    return d ? 0 : -ENOENT;
}

static bool inside(const struct blink_disk *disk, uint64_t sector, uint32_t count) {
    return sector <= disk->sectors && count <= disk->sectors - sector;
}

static int read_sectors(struct blink_machine *machine, uint32_t kind, uint32_t n, uint64_t sector,
                        uint32_t count, void *out) {
    struct blink_bus *bus = machine_bus(machine);
    bus_lock(bus);
    struct drive *d = find(bus, kind, n);
    int err = !d ? -ENOENT : !inside(&d->disk, sector, count) ? -EINVAL : 0;
    if (!err)
        err = d->disk.read(d->owner, d->disk.arg, sector, count, out);
    bus_unlock(bus);
    return err;
}

static int write_sectors(struct blink_machine *machine, uint32_t kind, uint32_t n, uint64_t sector,
                         uint32_t count, const void *bytes) {
    struct blink_bus *bus = machine_bus(machine);
    bus_lock(bus);
    struct drive *d = find(bus, kind, n);
    int err = !d                                 ? -ENOENT
              : d->disk.read_only                ? -EROFS
              : !inside(&d->disk, sector, count) ? -EINVAL
                                                 : 0;
    if (!err)
        err = d->disk.write(d->owner, d->disk.arg, sector, count, bytes);
    bus_unlock(bus);
    return err;
}

static int flush(struct blink_machine *machine, uint32_t kind, uint32_t n) {
    struct blink_bus *bus = machine_bus(machine);
    bus_lock(bus);
    struct drive *d = find(bus, kind, n);
    int err = !d ? -ENOENT : d->disk.flush ? d->disk.flush(d->owner, d->disk.arg) : 0;
    bus_unlock(bus);
    return err;
}

const struct blink_disk_iface disk_iface = {
    .struct_size = sizeof disk_iface,
    .attach = attach,
    .detach = detach,
    .info = info,
    .read = read_sectors,
    .write = write_sectors,
    .flush = flush,
};
