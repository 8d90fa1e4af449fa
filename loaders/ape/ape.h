/*
 * What the files of the APE loader share: a shell script whose printf statements hold ELF headers
 * in octal, for programs of fixed addresses without an interpreter. Nothing here outlives one
 * load(). Called on the main thread.
 */
#ifndef LOADER_APE_H
#define LOADER_APE_H

#include <blink/host.h>
#include <blink/loader.h>
#include <blink/mem.h>
#include <elf.h>
#include <stdbool.h>

/* The part of the file that may hold headers (APE specification, Embedded ELF Header). */
#define APE_SCRIPT_SIZE 8192u
#define APE_MAGIC_SIZE  8u

/* Most program headers taken: Linux's limit of 64 KiB for the table. */
#define APE_MAX_PHNUM (65536u / sizeof(Elf64_Phdr))

/* One PT_LOAD with a size. */
struct ape_segment {
    uint32_t number;   /* in the table of program headers, for messages */
    uint32_t prot;     /* BLINK_PROT_* */
    uint64_t start;    /* first byte */
    uint64_t file_end; /* past the last byte that comes from the file */
    uint64_t end;      /* past the last byte */
    uint64_t offset;   /* of `start` in the file */
};

/* How near a header came to being the one: the reason of the nearest is what people are told. */
enum {
    APE_RANK_NONE,      /* there was none */
    APE_RANK_MALFORMED, /* it is cut short or not written as it must be */
    APE_RANK_FOREIGN,   /* it is for another machine */
    APE_RANK_OURS,      /* it is for x86-64 */
};

/* An opened file and the program that was found in it. */
struct ape_file {
    const struct blink_host *host;
    const char *path;       /* for messages */
    const char *guest_path; /* name of its regions */
    int fd;
    const uint8_t *head;
    size_t head_size;
    uint64_t size; /* 0: not known, bytes are copied and never mapped */
    uint64_t top;  /* end of the guest's user space */

    size_t header_at; /* where in the script `ehdr` stands, for messages */
    Elf64_Ehdr ehdr;
    Elf64_Phdr phdr[APE_MAX_PHNUM];            /* ehdr.e_phnum of them */
    struct ape_segment segment[APE_MAX_PHNUM]; /* sorted by address */
    uint32_t segments;

    int reason_rank; /* APE_RANK_* of the reason below */
    int reason_error;
    char reason[512];
};

static inline uint64_t ape_page_down(uint64_t a) {
    return a & ~(uint64_t)(BLINK_PAGE_SIZE - 1);
}
static inline uint64_t ape_page_up(uint64_t a) {
    return ape_page_down(a + BLINK_PAGE_SIZE - 1);
}

/* Read up to `size` bytes: their number, less only at the end of the file, or -errno. */
int64_t ape_read(const struct ape_file *file, uint64_t offset, void *out, uint64_t size);

/* Note why the header at hand is not taken, unless a nearer one was noted; returns `error`. */
#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
int ape_reject(struct ape_file *file, int rank, int error, const char *format, ...);

/* Find the first header for x86-64 that parses and fill in all of `file`; the first seven members
 * and `top` are the caller's. On failure the reason is logged. */
int ape_parse(struct ape_file *file);

/* Read and check the program headers of file->ehdr and collect its segments. Logs nothing. */
int ape_collect_segments(struct ape_file *file);

/* Map all segments. On failure the reason is logged. */
int ape_map(const struct ape_file *file, const struct blink_mem_iface *api, struct blink_mem *mem);

#endif
