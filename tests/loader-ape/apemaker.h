/*
 * APE files made in memory, spoiled as a test likes, and loaded through the plugin into a fake
 * host. A maker owns its bytes; an attempt owns its host, its instance and its file.
 */
#ifndef TESTS_APEMAKER_H
#define TESTS_APEMAKER_H

#include <blink/loader.h>
#include <elf.h>

#include "fakehost.h"

/* Where the program headers are: after any script of one statement. */
#define APEMAKER_PHOFF 1024u
#define APEMAKER_PHNUM 4u

struct apemaker {
    uint8_t *bytes;
    size_t size;
    Elf64_Ehdr ehdr;  /* written into the script by apemaker_seal */
    Elf64_Phdr *phdr; /* in bytes, APEMAKER_PHNUM of them, PT_NULL at first */
};

/* A file of `size` bytes, each with a value of its own, with a good header in `ehdr`. */
void apemaker_init(struct apemaker *m, size_t size);
void apemaker_finish(struct apemaker *m);
/* Make program header n a PT_LOAD. */
void apemaker_load(struct apemaker *m, uint32_t n, uint32_t flags, uint64_t offset, uint64_t vaddr,
                   uint64_t filesz, uint64_t memsz);
/* Write the script with the header in octal; where its statement begins. */
size_t apemaker_seal(struct apemaker *m);
/* The byte that apemaker_init put at `offset` (outside the script and the program headers). */
uint8_t apemaker_byte(uint64_t offset);

struct attempt {
    struct fakehost *fh;
    const struct blink_loader_ops *ops;
    struct blink_plugin *self;
    int fd;
    struct blink_image image;
    struct blink_program program;
    int result;
};

/* Make the host and the instance, for a test that prepares the host; then load, the loader being
 * told the size or (as for a pipe) not. */
void attempt_init(struct attempt *a);
void attempt_load(struct attempt *a, const struct apemaker *m, bool sized);
void attempt_finish(struct attempt *a);

#endif
