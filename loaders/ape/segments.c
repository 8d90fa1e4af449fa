/*
 * The program headers that an embedded ELF header points to: read, checked, and the segments
 * sorted. Why they are no good is noted by ape_reject, since another header may be. Main thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "ape.h"

#define REJECT(file, ...) ape_reject(file, APE_RANK_OURS, -ENOEXEC, __VA_ARGS__)

static int read_program_headers(struct ape_file *file) {
    const Elf64_Ehdr *h = &file->ehdr;
    uint64_t size = (uint64_t)h->e_phnum * sizeof file->phdr[0];
    if (h->e_phnum == 0)
        return REJECT(file, "no program headers");
    if (h->e_phentsize != sizeof file->phdr[0])
        return REJECT(file, "program headers of %u bytes each, not %zu", h->e_phentsize,
                      sizeof file->phdr[0]);
    if (h->e_phnum > APE_MAX_PHNUM)
        return REJECT(file, "%u program headers, more than %zu", h->e_phnum, APE_MAX_PHNUM);
    if (h->e_phoff > INT64_MAX - size || (file->size && h->e_phoff + size > file->size))
        return REJECT(file, "truncated: program headers at 0x%" PRIx64 " lie beyond the end",
                      h->e_phoff);
    int64_t n = ape_read(file, h->e_phoff, file->phdr, size);
    if (n < 0)
        return ape_reject(file, APE_RANK_OURS, (int)n, "cannot read its program headers: %s",
                          strerror((int)-n));
    if ((uint64_t)n < size)
        return REJECT(file, "truncated: the file ends inside its program headers");
    return 0;
}

static int check_segment(struct ape_file *file, uint32_t number) {
    const Elf64_Phdr *p = &file->phdr[number];
    if (p->p_filesz > p->p_memsz)
        return REJECT(file,
                      "segment %u: 0x%" PRIx64 " bytes in the file, but 0x%" PRIx64 " in memory",
                      number, p->p_filesz, p->p_memsz);
    if (p->p_memsz > file->top || p->p_vaddr > file->top - p->p_memsz)
        return REJECT(file,
                      "segment %u: 0x%" PRIx64 " bytes at 0x%" PRIx64 " reach beyond user space",
                      number, p->p_memsz, p->p_vaddr);
    if (p->p_offset > INT64_MAX - p->p_filesz ||
        (file->size && p->p_filesz && p->p_offset + p->p_filesz > file->size))
        return REJECT(
            file, "truncated: segment %u has 0x%" PRIx64 " bytes at 0x%" PRIx64 ", beyond the end",
            number, p->p_filesz, p->p_offset);
    return 0;
}

static void add_segment(struct ape_file *file, uint32_t number) {
    const Elf64_Phdr *p = &file->phdr[number];
    struct ape_segment s = {
        .number = number,
        .prot = (p->p_flags & PF_R ? BLINK_PROT_READ : 0) |
                (p->p_flags & PF_W ? BLINK_PROT_WRITE : 0) |
                (p->p_flags & PF_X ? BLINK_PROT_EXEC : 0),
        .start = p->p_vaddr,
        .file_end = p->p_vaddr + p->p_filesz,
        .end = p->p_vaddr + p->p_memsz,
        .offset = p->p_offset,
    };
    /* Sorted by insertion: tables come sorted, and are short. */
    uint32_t k = file->segments++;
    for (; k > 0 && file->segment[k - 1].start > s.start; k--)
        file->segment[k] = file->segment[k - 1];
    file->segment[k] = s;
}

/* What only programs with an interpreter or relocations of their own have. */
static int check_static(struct ape_file *file, uint32_t type) {
    if (type == PT_INTERP)
        return REJECT(file, "asks for an interpreter (PT_INTERP); APE programs are static");
    if (type == PT_DYNAMIC)
        return REJECT(file, "dynamically linked (PT_DYNAMIC); APE programs are static");
    return 0;
}

int ape_collect_segments(struct ape_file *file) {
    int r = read_program_headers(file);
    file->segments = 0;
    for (uint32_t k = 0; r == 0 && k < file->ehdr.e_phnum; k++) {
        r = check_static(file, file->phdr[k].p_type);
        if (r == 0 && file->phdr[k].p_type == PT_LOAD) {
            r = check_segment(file, k);
            if (r == 0 && file->phdr[k].p_memsz)
                add_segment(file, k);
        }
    }
    if (r < 0)
        return r;
    if (file->segments == 0)
        return REJECT(file, "no segment to load");
    for (uint32_t k = 1; k < file->segments; k++) {
        const struct ape_segment *a = &file->segment[k - 1], *b = &file->segment[k];
        if (a->end > b->start)
            return REJECT(file, "segments %u and %u overlap",
                          a->number < b->number ? a->number : b->number,
                          a->number < b->number ? b->number : a->number);
    }
    return 0;
}
