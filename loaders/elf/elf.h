/*
 * What the files of the ELF loader share. Nothing here outlives one load(); each elf_file is owned
 * by the function that opened it. Called on the main thread.
 */
#ifndef LOADER_ELF_H
#define LOADER_ELF_H

#include <blink/host.h>
#include <blink/loader.h>
#include <blink/mem.h>
#include <elf.h>
#include <stdbool.h>

/* Most program headers taken: Linux's limit of 64 KiB for the table. */
#define ELF_MAX_PHNUM (65536u / sizeof(Elf64_Phdr))

/* One PT_LOAD with a size, addresses as the file has them. */
struct elf_segment {
    uint32_t number;    /* in the table of program headers, for messages */
    uint32_t prot;      /* BLINK_PROT_* */
    uint64_t start;     /* first byte */
    uint64_t file_end;  /* past the last byte that comes from the file */
    uint64_t end;       /* past the last byte */
    uint64_t offset;    /* of `start` in the file */
    uint64_t alignment; /* p_align if it is a power of two above the page, else the page */
};

/* An opened and checked file. */
struct elf_file {
    const struct blink_host *host;
    const char *path;       /* for messages */
    const char *guest_path; /* name of its regions */
    int fd;
    const uint8_t *head;
    size_t head_size;
    uint64_t size; /* 0: not known, bytes are copied and never mapped */
    uint64_t top;  /* end of the guest's user space */
    bool quiet;    /* log nothing */
    Elf64_Ehdr ehdr;
    Elf64_Phdr *phdr;            /* ehdr.e_phnum of them */
    struct elf_segment *segment; /* sorted by address */
    uint32_t segments;
};

/* Where an ET_DYN file goes. */
enum elf_place {
    ELF_PLACE_PROGRAM, /* two thirds up the address space, randomised */
    ELF_PLACE_ANYWHERE /* where map() likes */
};

static inline uint64_t elf_page_down(uint64_t a) {
    return a & ~(uint64_t)(BLINK_PAGE_SIZE - 1);
}
static inline uint64_t elf_page_up(uint64_t a) {
    return elf_page_down(a + BLINK_PAGE_SIZE - 1);
}

/* Log "PATH: text" as an error, unless the file is to be quiet, and return -ENOEXEC. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
int elf_refuse(const struct elf_file *file, const char *format, ...);

/* Fill in `file` (host to quiet are the caller's) and
 * check everything that can be checked before mapping. elf_finish frees, also after an error. */
int elf_parse(struct elf_file *file);
void elf_finish(struct elf_file *file);

/* Read exactly `size` bytes: 0, -errno, or -ENODATA at the end of the file. Logs nothing. */
int elf_read(const struct elf_file *file, uint64_t offset, void *out, uint64_t size);

/* The path in PT_INTERP, "" if there is none. */
int elf_interpreter(const struct elf_file *file, char *out, size_t out_size);

/* Map all segments; *bias is what has been added to every address. */
int elf_map(const struct elf_file *file, const struct blink_mem_iface *api, struct blink_mem *mem,
            enum elf_place place, uint64_t *bias);

/* Open guest path `path` below directory `root` for reading: absolute symbolic links and ".."
 * stay inside. root NULL or "" means the host's own tree. A descriptor or -errno; the path as the
 * host opens it in `host_path`. */
int elf_open_in_root(const char *root, const char *path, char *host_path, size_t host_path_size);

#endif
