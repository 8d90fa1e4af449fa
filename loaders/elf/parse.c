/*
 * Reading and checking the headers of an ELF file. Allocates the tables of struct elf_file, which
 * elf_finish frees. Main thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "elf.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
  #error "headers are read in place: little-endian hosts only"
#endif

int elf_refuse(const struct elf_file *file, const char *format, ...) {
    char text[512];
    va_list ap;
    if (file->quiet)
        return -ENOEXEC;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    blink_log(file->host, BLINK_LOG_ERROR, "%s: %s", file->path, text);
    return -ENOEXEC;
}

int elf_read(const struct elf_file *file, uint64_t offset, void *out, uint64_t size) {
    uint8_t *to = out;
    if (offset < file->head_size) {
        uint64_t n = file->head_size - offset < size ? file->head_size - offset : size;
        memcpy(to, file->head + offset, n);
        to += n, offset += n, size -= n;
    }
    while (size) {
        if (offset > INT64_MAX)
            return -ENODATA;
        ssize_t n = pread(file->fd, to, size < SSIZE_MAX ? size : SSIZE_MAX, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -ENODATA;
        to += n, offset += (uint64_t)n, size -= (uint64_t)n;
    }
    return 0;
}

/* elf_read of a named part, with its message. */
static int read_part(const struct elf_file *file, uint64_t offset, void *out, uint64_t size,
                     const char *what) {
    int r = elf_read(file, offset, out, size);
    if (r == -ENODATA)
        return elf_refuse(file, "truncated: the file ends inside its %s", what);
    if (r < 0) {
        elf_refuse(file, "cannot read its %s: %s", what, strerror(-r));
        return r;
    }
    return 0;
}

/* Names of machines that people do meet, for the message. */
static const char *machine_name(uint32_t machine) {
    static const struct {
        uint32_t machine;
        const char *name;
    } names[] = {
        {EM_386, "i386"},       {EM_ARM, "ARM"},     {EM_AARCH64, "AArch64"},
        {EM_RISCV, "RISC-V"},   {EM_PPC, "PowerPC"}, {EM_PPC64, "PowerPC 64"},
        {EM_S390, "IBM S/390"}, {EM_MIPS, "MIPS"},   {EM_SPARCV9, "SPARC V9"},
        {EM_BPF, "BPF"},
    };
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
        if (names[k].machine == machine)
            return names[k].name;
    return "another machine";
}

static int check_type(const struct elf_file *file) {
    switch (file->ehdr.e_type) {
    case ET_EXEC:
    case ET_DYN: return 0;
    case ET_REL: return elf_refuse(file, "object file, not a program; link it first");
    case ET_CORE: return elf_refuse(file, "core dump, not a program");
    default: return elf_refuse(file, "ELF type %u is not that of a program", file->ehdr.e_type);
    }
}

static int check_header(struct elf_file *file) {
    Elf64_Ehdr *h = &file->ehdr;
    if (file->head_size == 0)
        return elf_refuse(file, "empty file");
    size_t n = file->head_size < SELFMAG ? file->head_size : SELFMAG;
    if (memcmp(file->head, ELFMAG, n))
        return elf_refuse(file, "not an ELF file");
    if (file->head_size < sizeof *h)
        return elf_refuse(file, "truncated: %zu bytes, the ELF header has %zu", file->head_size,
                          sizeof *h);
    memcpy(h, file->head, sizeof *h);
    if (h->e_ident[EI_CLASS] == ELFCLASS32)
        return elf_refuse(file, "32-bit ELF file; only 64-bit programs run here");
    if (h->e_ident[EI_CLASS] != ELFCLASS64)
        return elf_refuse(file, "unknown ELF class %u", h->e_ident[EI_CLASS]);
    if (h->e_ident[EI_DATA] == ELFDATA2MSB)
        return elf_refuse(file, "big-endian ELF file; x86-64 is little-endian");
    if (h->e_ident[EI_DATA] != ELFDATA2LSB)
        return elf_refuse(file, "unknown ELF byte order %u", h->e_ident[EI_DATA]);
    if (h->e_machine != EM_X86_64)
        return elf_refuse(file, "program for %s (ELF machine %u), not for x86-64",
                          machine_name(h->e_machine), h->e_machine);
    return check_type(file);
}

static int read_program_headers(struct elf_file *file) {
    const Elf64_Ehdr *h = &file->ehdr;
    uint64_t size = (uint64_t)h->e_phnum * sizeof *file->phdr;
    if (h->e_phnum == 0)
        return elf_refuse(file, "no program headers");
    if (h->e_phentsize != sizeof *file->phdr)
        return elf_refuse(file, "program headers of %u bytes each, not %zu", h->e_phentsize,
                          sizeof *file->phdr);
    if (h->e_phnum > ELF_MAX_PHNUM)
        return elf_refuse(file, "%u program headers, more than %zu", h->e_phnum, ELF_MAX_PHNUM);
    if (h->e_phoff > INT64_MAX - size || (file->size && h->e_phoff + size > file->size))
        return elf_refuse(file, "truncated: program headers at 0x%" PRIx64 " lie beyond the end",
                          h->e_phoff);
    file->phdr = malloc(size);
    if (!file->phdr) {
        elf_refuse(file, "no memory for %u program headers", h->e_phnum);
        return -ENOMEM;
    }
    return read_part(file, h->e_phoff, file->phdr, size, "program headers");
}

static int check_segment(const struct elf_file *file, uint32_t number) {
    const Elf64_Phdr *p = &file->phdr[number];
    if (p->p_filesz > p->p_memsz)
        return elf_refuse(
            file, "segment %u: 0x%" PRIx64 " bytes in the file, but 0x%" PRIx64 " in memory",
            number, p->p_filesz, p->p_memsz);
    if (p->p_memsz > file->top || p->p_vaddr > file->top - p->p_memsz)
        return elf_refuse(
            file, "segment %u: 0x%" PRIx64 " bytes at 0x%" PRIx64 " reach beyond user space",
            number, p->p_memsz, p->p_vaddr);
    if (p->p_offset > INT64_MAX - p->p_filesz ||
        (file->size && p->p_filesz && p->p_offset + p->p_filesz > file->size))
        return elf_refuse(
            file, "truncated: segment %u has 0x%" PRIx64 " bytes at 0x%" PRIx64 ", beyond the end",
            number, p->p_filesz, p->p_offset);
    return 0;
}

static void add_segment(struct elf_file *file, uint32_t number) {
    const Elf64_Phdr *p = &file->phdr[number];
    bool good = p->p_align > BLINK_PAGE_SIZE && (p->p_align & (p->p_align - 1)) == 0;
    struct elf_segment s = {
        .number = number,
        .prot = (p->p_flags & PF_R ? BLINK_PROT_READ : 0) |
                (p->p_flags & PF_W ? BLINK_PROT_WRITE : 0) |
                (p->p_flags & PF_X ? BLINK_PROT_EXEC : 0),
        .start = p->p_vaddr,
        .file_end = p->p_vaddr + p->p_filesz,
        .end = p->p_vaddr + p->p_memsz,
        .offset = p->p_offset,
        .alignment = good ? p->p_align : BLINK_PAGE_SIZE,
    };
    /* Sorted by insertion: tables come sorted, and are short. */
    uint32_t k = file->segments++;
    for (; k > 0 && file->segment[k - 1].start > s.start; k--)
        file->segment[k] = file->segment[k - 1];
    file->segment[k] = s;
}

static int collect_segments(struct elf_file *file) {
    file->segment = malloc(file->ehdr.e_phnum * sizeof *file->segment);
    if (!file->segment) {
        elf_refuse(file, "no memory for %u segments", file->ehdr.e_phnum);
        return -ENOMEM;
    }
    for (uint32_t k = 0; k < file->ehdr.e_phnum; k++) {
        if (file->phdr[k].p_type != PT_LOAD)
            continue;
        int r = check_segment(file, k);
        if (r < 0)
            return r;
        if (file->phdr[k].p_memsz)
            add_segment(file, k);
    }
    if (file->segments == 0)
        return elf_refuse(file, "no segment to load");
    for (uint32_t k = 1; k < file->segments; k++) {
        const struct elf_segment *a = &file->segment[k - 1], *b = &file->segment[k];
        if (a->end > b->start)
            return elf_refuse(file, "segments %u and %u overlap",
                              a->number < b->number ? a->number : b->number,
                              a->number < b->number ? b->number : a->number);
    }
    return 0;
}

int elf_parse(struct elf_file *file) {
    /* The head is the whole of a file that is shorter than it may be. */
    if (!file->size && file->head_size < 4096)
        file->size = file->head_size;
    int r = check_header(file);
    if (r == 0)
        r = read_program_headers(file);
    if (r == 0)
        r = collect_segments(file);
    return r;
}

void elf_finish(struct elf_file *file) {
    free(file->phdr);
    free(file->segment);
    file->phdr = NULL;
    file->segment = NULL;
}

int elf_interpreter(const struct elf_file *file, char *out, size_t out_size) {
    const Elf64_Phdr *p = file->phdr, *end = p + file->ehdr.e_phnum;
    while (p < end && p->p_type != PT_INTERP)
        p++;
    out[0] = 0;
    if (p == end)
        return 0;
    if (p->p_filesz < 2)
        return elf_refuse(file, "interpreter path (PT_INTERP) is empty");
    if (p->p_filesz > out_size)
        return elf_refuse(file, "interpreter path (PT_INTERP) is longer than %zu bytes",
                          out_size - 1);
    int r = read_part(file, p->p_offset, out, p->p_filesz, "interpreter path");
    if (r < 0)
        return r;
    if (out[p->p_filesz - 1])
        return elf_refuse(file, "interpreter path (PT_INTERP) does not end with a NUL");
    if (!out[0])
        return elf_refuse(file, "interpreter path (PT_INTERP) is empty");
    return 0;
}
