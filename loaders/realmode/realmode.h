/*
 * What the files of loader-realmode share.
 */
#ifndef LOADERS_REALMODE_H
#define LOADERS_REALMODE_H

#include <stdarg.h>
#include <stdbool.h>

#include <blink/host.h>
#include <blink/loader.h>
#include <blink/mem.h>

#define SECTOR       512u
#define BOOT_ADDRESS UINT64_C(0x7c00)

/* Numbers of drives, as the BIOS has them. */
#define DRIVE_FLOPPY    0x00u
#define DRIVE_HARD_DISK 0x80u
#define DRIVE_CD        0xe0u

struct blink_plugin {
    const struct blink_host *host;
    struct blink_mem_iface api;
};

/* One line about the file; -ENOEXEC. */
#if defined(__GNUC__)
__attribute__((format(printf, 3, 4)))
#endif
int
realmode_refuse(const struct blink_plugin *self, const struct blink_image *image,
                const char *format, ...);
/* All of it, or a line and -ENOEXEC. */
int realmode_read(const struct blink_plugin *self, const struct blink_image *image, uint64_t offset,
                  void *out, size_t size);

/* cd.c: the image of a CD, and what its El Torito boot record names. */
bool realmode_is_cd(const struct blink_image *image);
int realmode_load_cd(const struct blink_plugin *self, struct blink_mem *mem,
                     const struct blink_image *image, struct blink_program *found);

#endif
