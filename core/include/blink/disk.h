/*
 * Service "blink.disk/1": the drives of a machine as sectors. A controller offers what is in its
 * drives; system software (a BIOS) and the tools of a person read and write it without going
 * through the controller's registers.
 */
#ifndef BLINK_DISK_H
#define BLINK_DISK_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BLINK_IFACE_DISK "blink.disk/1"

/* Kinds of drive; each kind is counted by itself. */
enum {
    BLINK_DISK_FLOPPY,
    BLINK_DISK_HARD,
    BLINK_DISK_CD,
    BLINK_DISK_KINDS,
};

/*
 * A drive with a medium in it. Its methods move whole sectors, are called with the bus lock held
 * and return 0 or -errno: -EINVAL for sectors that are not there, -EROFS, -EIO. `flush` returns
 * when all that was written is where a power failure leaves it.
 */
struct blink_disk {
    uint32_t struct_size;
    uint32_t kind;        /* BLINK_DISK_* */
    uint32_t sector_size; /* bytes: 512, 2048 */
    uint32_t read_only;   /* 1: writes give -EROFS */
    uint64_t sectors;
    uint32_t cylinders, heads, track_sectors; /* as a BIOS tells of it; 0 for a CD */
    uint32_t reserved;
    void *arg; /* of the methods: which of the controller's drives it is */
    int (*read)(struct blink_plugin *self, void *arg, uint64_t sector, uint32_t count, void *out);
    int (*write)(struct blink_plugin *self, void *arg, uint64_t sector, uint32_t count,
                 const void *bytes);
    int (*flush)(struct blink_plugin *self, void *arg);
};

struct blink_disk_iface {
    uint32_t struct_size;
    uint32_t reserved;
    /* Offer a drive; what `disk` says is copied. Drives of a kind are numbered in this order.
     * -EINVAL, -ENOSPC beyond 16 drives. [main] [safepoint] */
    int (*attach)(struct blink_machine *machine, struct blink_plugin *self,
                  const struct blink_disk *disk);
    /* Take all drives of `self` back. [main] [safepoint] */
    void (*detach)(struct blink_machine *machine, struct blink_plugin *self);
    /* What the n-th drive of a kind is; its methods are for the service alone. -ENOENT. [any] */
    int (*info)(struct blink_machine *machine, uint32_t kind, uint32_t n, struct blink_disk *out);
    /* Sectors of it: -ENOENT, or what the drive says. [any] */
    int (*read)(struct blink_machine *machine, uint32_t kind, uint32_t n, uint64_t sector,
                uint32_t count, void *out);
    int (*write)(struct blink_machine *machine, uint32_t kind, uint32_t n, uint64_t sector,
                 uint32_t count, const void *bytes);
    int (*flush)(struct blink_machine *machine, uint32_t kind, uint32_t n);
};

#ifdef __cplusplus
}
#endif

#endif
