/*
 * ELF files made in memory, spoiled as a test likes, and loaded through the plugin into a fake
 * host. A maker owns its bytes; an attempt owns its host, its instance and its file.
 */
#ifndef TESTS_ELFMAKER_H
#define TESTS_ELFMAKER_H

#include <blink/loader.h>
#include <elf.h>

#include "fakehost.h"

extern const struct blink_plugin_entry blink_builtin_loader_elf;

struct elfmaker {
    uint8_t *bytes;
    size_t size;
    Elf64_Ehdr *ehdr; /* in bytes; NULL-free until size < 64 */
    Elf64_Phdr *phdr; /* in bytes, right after the header */
};

/* A file of `size` bytes, each with a value of its own, with a good header of type `type` and
 * `phnum` program headers of type PT_NULL. */
void elfmaker_init(struct elfmaker *m, uint16_t type, uint16_t phnum, size_t size);
void elfmaker_finish(struct elfmaker *m);
/* Make program header n a PT_LOAD. */
void elfmaker_load(struct elfmaker *m, uint32_t n, uint32_t flags, uint64_t offset, uint64_t vaddr,
                   uint64_t filesz, uint64_t memsz, uint64_t align);
/* The byte that elfmaker_init put at `offset` (outside the headers). */
uint8_t elfmaker_byte(uint64_t offset);

struct attempt {
    struct fakehost *fh;
    const struct blink_loader_ops *ops;
    struct blink_plugin *self;
    int fd;
    struct blink_image image;
    struct blink_program program;
    int result;
};

/* Make the host and the instance, for a test that prepares the host; then load. */
void attempt_init(struct attempt *a);
void attempt_load(struct attempt *a, const struct elfmaker *m);
/* As load, but the loader is not told the size, as for a pipe that was copied. */
void attempt_load_unsized(struct attempt *a, const struct elfmaker *m);
void attempt_finish(struct attempt *a);

/* All of it for a file that must be refused with exactly this text after the path. */
void expect_refused(const struct elfmaker *m, int error, const char *text);
/* For one that must load; the caller finishes the attempt. */
void expect_loaded(struct attempt *a, const struct elfmaker *m);

/* Guest bytes [address, address + size) are those of the file from `offset`. */
void expect_file_bytes(struct attempt *a, uint64_t address, uint64_t offset, size_t size);
void expect_zeros(struct attempt *a, uint64_t address, size_t size);

#endif
