/*
 * The fake host's displays, keyboard and drives: kept in the order they came; a drive may also be
 * made by the test itself, of sectors in memory.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

void fake_media_finish(struct fake_media *media) {
    for (size_t k = 0; k < media->disks; k++)
        free(media->disk[k].bytes);
}

/* ---- displays and keyboard ---- */

static int attach_display(struct blink_machine *m, struct blink_plugin *self,
                          blink_display_render render) {
    if (m->media.displays == FAKE_DISPLAYS)
        return -ENOSPC;
    m->media.display[m->media.displays].owner = self;
    m->media.display[m->media.displays++].render = render;
    return 0;
}

static void detach_display(struct blink_machine *m, struct blink_plugin *self) {
    size_t kept = 0;
    for (size_t k = 0; k < m->media.displays; k++)
        if (m->media.display[k].owner != self)
            m->media.display[kept++] = m->media.display[k];
    m->media.displays = kept;
    if (m->media.keyboard == self)
        m->media.keyboard = NULL;
}

static void changed(struct blink_machine *m, struct blink_plugin *self) {
    (void)self;
    m->media.generation++;
}

static uint64_t generation(struct blink_machine *m) {
    return m->media.generation;
}

static int snapshot(struct blink_machine *m, uint32_t n, struct blink_screen *out) {
    if (n >= m->media.displays)
        return -ENOENT;
    memset(out, 0, sizeof *out);
    out->struct_size = sizeof *out;
    out->cursor = BLINK_SCREEN_NO_CURSOR;
    m->media.display[n].render(m->media.display[n].owner, out);
    return 0;
}

static int set_keyboard(struct blink_machine *m, struct blink_plugin *self, blink_display_key key,
                        blink_display_type type) {
    if (m->media.keyboard)
        return -EBUSY;
    m->media.keyboard = self;
    m->media.key = key;
    m->media.type = type;
    return 0;
}

static int key(struct blink_machine *m, uint32_t code, uint32_t down) {
    if (!m->media.keyboard)
        return -ENOENT;
    m->media.key(m->media.keyboard, code, down);
    return 0;
}

static int64_t type(struct blink_machine *m, const char *text, size_t size) {
    return m->media.keyboard ? (int64_t)m->media.type(m->media.keyboard, text, size) : -ENOENT;
}

const struct blink_display_iface fakehost_display_iface = {
    .struct_size = sizeof fakehost_display_iface,
    .attach = attach_display,
    .detach = detach_display,
    .changed = changed,
    .generation = generation,
    .snapshot = snapshot,
    .set_keyboard = set_keyboard,
    .key = key,
    .type = type,
};

int fakehost_snapshot(struct fakehost *fh, uint32_t n, struct blink_screen *out) {
    return snapshot(&fh->machine, n, out);
}

int fakehost_key(struct fakehost *fh, uint32_t code, uint32_t down) {
    return key(&fh->machine, code, down);
}

int64_t fakehost_type(struct fakehost *fh, const char *text) {
    return type(&fh->machine, text, strlen(text));
}

/* ---- drives ---- */

static int attach_disk(struct blink_machine *m, struct blink_plugin *self,
                       const struct blink_disk *disk) {
    if (m->media.disks == FAKE_DISKS)
        return -ENOSPC;
    m->media.disk[m->media.disks++] = (struct fake_disk){.owner = self, .disk = *disk};
    return 0;
}

static void detach_disk(struct blink_machine *m, struct blink_plugin *self) {
    size_t kept = 0;
    for (size_t k = 0; k < m->media.disks; k++)
        if (m->media.disk[k].owner != self)
            m->media.disk[kept++] = m->media.disk[k];
    m->media.disks = kept;
}

static struct fake_disk *find(struct blink_machine *m, uint32_t kind, uint32_t n) {
    for (size_t k = 0; k < m->media.disks; k++)
        if (m->media.disk[k].disk.kind == kind && n-- == 0)
            return &m->media.disk[k];
    return NULL;
}

static int info(struct blink_machine *m, uint32_t kind, uint32_t n, struct blink_disk *out) {
    struct fake_disk *d = find(m, kind, n);
    if (!d)
        return -ENOENT;
    *out = d->disk;
    return 0;
}

static bool inside(const struct fake_disk *d, uint64_t sector, uint32_t count) {
    return sector <= d->disk.sectors && count <= d->disk.sectors - sector;
}

static int read_disk(struct blink_machine *m, uint32_t kind, uint32_t n, uint64_t sector,
                     uint32_t count, void *out) {
    struct fake_disk *d = find(m, kind, n);
    size_t size = d ? d->disk.sector_size : 0;
    if (!d || !inside(d, sector, count))
        return d ? -EINVAL : -ENOENT;
    if (!d->bytes)
        return d->disk.read(d->owner, d->disk.arg, sector, count, out);
    memcpy(out, d->bytes + sector * size, count * size);
    return 0;
}

static int write_disk(struct blink_machine *m, uint32_t kind, uint32_t n, uint64_t sector,
                      uint32_t count, const void *bytes) {
    struct fake_disk *d = find(m, kind, n);
    size_t size = d ? d->disk.sector_size : 0;
    if (!d || d->disk.read_only)
        return d ? -EROFS : -ENOENT;
    if (!inside(d, sector, count))
        return -EINVAL;
    if (!d->bytes)
        return d->disk.write(d->owner, d->disk.arg, sector, count, bytes);
    memcpy(d->bytes + sector * size, bytes, count * size);
    return 0;
}

static int flush_disk(struct blink_machine *m, uint32_t kind, uint32_t n) {
    struct fake_disk *d = find(m, kind, n);
    return !d ? -ENOENT : d->bytes || !d->disk.flush ? 0 : d->disk.flush(d->owner, d->disk.arg);
}

const struct blink_disk_iface fakehost_disk_iface = {
    .struct_size = sizeof fakehost_disk_iface,
    .attach = attach_disk,
    .detach = detach_disk,
    .info = info,
    .read = read_disk,
    .write = write_disk,
    .flush = flush_disk,
};

uint8_t *fakehost_add_disk(struct fakehost *fh, const struct blink_disk *disk) {
    uint8_t *bytes = fake_alloc(disk->sectors * disk->sector_size);
    if (attach_disk(&fh->machine, NULL, disk)) {
        free(bytes);
        return NULL;
    }
    fh->machine.media.disk[fh->machine.media.disks - 1].bytes = bytes;
    return bytes;
}
