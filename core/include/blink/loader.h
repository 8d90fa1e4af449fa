/*
 * Kind "loader": executable files into guest memory.
 */
#ifndef BLINK_LOADER_H
#define BLINK_LOADER_H

#include "plugin.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Scores of probe: the highest wins, ties go by name. */
#define BLINK_PROBE_NO    0  /* not mine */
#define BLINK_PROBE_NAME  10 /* only the file's name says so */
#define BLINK_PROBE_MAGIC 50 /* its first bytes say so */
#define BLINK_PROBE_SURE  90 /* magic and a well-formed header */

/* The file to load. */
struct blink_image {
    uint32_t struct_size;
    int32_t fd;             /* open for reading, at no particular offset; the caller closes it */
    const char *path;       /* as the host opens it, for messages */
    const char *guest_path; /* as the guest names it */
    const uint8_t *head;    /* first bytes of the file */
    size_t head_size;       /* up to 4096, less only if the file is shorter */
    uint64_t size;          /* of the file; 0 where it cannot be known */
};

/* What a loader found and did, for the guest ABI that starts the program. */
struct blink_program {
    uint32_t struct_size;
    uint32_t reserved;
    char abi[16];         /* name of the guest ABI to use: "linux", "bios" */
    uint64_t start;       /* where execution begins (the interpreter's entry if there is one) */
    uint64_t entry;       /* the program's own entry: AT_ENTRY */
    uint64_t phdr;        /* guest address of the program headers, 0 if not mapped: AT_PHDR */
    uint64_t phnum;       /* AT_PHNUM */
    uint64_t phentsize;   /* AT_PHENT */
    uint64_t base;        /* load bias of the program */
    uint64_t interp_base; /* load bias of the interpreter, 0 if none: AT_BASE */
    uint64_t brk;         /* first address of the heap */
    uint64_t code_start, code_end, data_start, data_end;
    uint32_t stack_exec; /* PT_GNU_STACK asks for an executable stack */
    uint32_t reserved2;
    char interp[256];    /* path of the interpreter as the guest names it, or "" */
    uint32_t boot_drive; /* system software: the BIOS's number of the drive it was loaded from */
    uint32_t reserved3;
};

struct blink_loader_ops {
    struct blink_plugin_ops plugin;
    /* How surely the file is this loader's: BLINK_PROBE_*. Looks at the head and path only.
     * [any] */
    int32_t (*probe)(struct blink_plugin *self, const struct blink_image *image);
    /*
     * Map the file into `mem` and fill `program`. On failure one line has been logged as
     * "PATH: what is wrong" and nothing else need be undone: the address space is discarded.
     * -ENOEXEC for a malformed file. [main]
     */
    int (*load)(struct blink_plugin *self, struct blink_mem *mem, const struct blink_image *image,
                struct blink_program *program);
    /*
     * Optional: what execve(2) would say of a file that probe claims, 0 or -errno, with nothing
     * logged and no guest memory touched. Without it every such file will do. [vcpu]
     */
    int (*check)(struct blink_plugin *self, const struct blink_image *image);
    uint32_t flags; /* BLINK_LOADER_* */
    uint32_t reserved;
};

/* Its files are system software: they get a machine of their own, with physical memory, devices and
 * a processor in real mode. `mem` addresses are physical. A reset loads again. */
#define BLINK_LOADER_SYSTEM 1u

#ifdef __cplusplus
}
#endif

#endif
