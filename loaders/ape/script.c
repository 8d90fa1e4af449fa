/*
 * The script at the front of an APE file: finding the printf statements that hold ELF headers,
 * decoding them, and taking the first for x86-64 that parses. Main thread.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ape.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
  #error "headers are read in place: little-endian hosts only"
#endif

static const char statement[] = "printf '";
#define STATEMENT_SIZE (sizeof statement - 1)

int64_t ape_read(const struct ape_file *file, uint64_t offset, void *out, uint64_t size) {
    uint8_t *to = out;
    uint64_t done = 0;
    if (offset < file->head_size) {
        done = file->head_size - offset < size ? file->head_size - offset : size;
        memcpy(to, file->head + offset, done);
    }
    while (done < size && offset + done <= INT64_MAX) {
        ssize_t n = pread(file->fd, to + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        done += (uint64_t)n;
    }
    return (int64_t)done;
}

int ape_reject(struct ape_file *file, int rank, int error, const char *format, ...) {
    va_list ap;
    if (rank <= file->reason_rank)
        return error;
    file->reason_rank = rank;
    file->reason_error = error;
    int n = snprintf(file->reason, sizeof file->reason,
                     "ELF header in its script at byte %zu: ", file->header_at);
    va_start(ap, format);
    vsnprintf(file->reason + n, sizeof file->reason - (size_t)n, format, ap);
    va_end(ap);
    return error;
}

static bool is_octal(const uint8_t *p, const uint8_t *end) {
    return p < end && *p >= '0' && *p <= '7';
}

/* Why decoding stopped. */
enum stop { STOP_FULL, STOP_QUOTE, STOP_SCRIPT_END, STOP_ESCAPE, STOP_BYTE };

/* Decode what printf would print of the text at `p`: characters of ASCII and escapes of one to
 * three octal digits. At most `room` bytes; their number in *count. */
static enum stop decode(const uint8_t *p, const uint8_t *end, uint8_t *out, size_t room,
                        size_t *count) {
    for (*count = 0; *count < room; ++*count) {
        if (p == end)
            return STOP_SCRIPT_END;
        unsigned c = *p++;
        if (c == '\'')
            return STOP_QUOTE;
        if (c >= 0x80 || c == 0)
            return STOP_BYTE;
        if (c == '\\') {
            if (p == end)
                return STOP_SCRIPT_END;
            if (!is_octal(p, end))
                return STOP_ESCAPE;
            c = *p++ - '0';
            for (int k = 0; k < 2 && is_octal(p, end); k++)
                c = c * 8 + *p++ - '0';
            if (c > 0xff)
                return STOP_ESCAPE;
        }
        out[*count] = (uint8_t)c;
    }
    return STOP_FULL;
}

static int reject_text(struct ape_file *file, enum stop stop, size_t count) {
    switch (stop) {
    case STOP_ESCAPE:
        return ape_reject(file, APE_RANK_MALFORMED, -ENOEXEC,
                          "byte %zu of it is no octal escape of a byte", count);
    case STOP_BYTE:
        return ape_reject(file, APE_RANK_MALFORMED, -ENOEXEC, "byte %zu of it is not ASCII", count);
    case STOP_QUOTE:
        return ape_reject(file, APE_RANK_MALFORMED, -ENOEXEC, "has %zu bytes, not %zu", count,
                          sizeof file->ehdr);
    default:
        return ape_reject(
            file, APE_RANK_MALFORMED, -ENOEXEC, "truncated: the %s after %zu of its %zu bytes",
            file->size && file->size <= APE_SCRIPT_SIZE ? "file ends" : "first 8192 bytes end",
            count, sizeof file->ehdr);
    }
}

/* Names of machines that APE files are also for, for the message. */
static const char *machine_name(uint32_t machine) {
    switch (machine) {
    case EM_AARCH64: return "AArch64";
    case EM_386: return "i386";
    case EM_ARM: return "ARM";
    case EM_RISCV: return "RISC-V";
    case EM_PPC64: return "PowerPC 64";
    default: return "another machine";
    }
}

static int check_machine(struct ape_file *file) {
    const Elf64_Ehdr *h = &file->ehdr;
    if (h->e_ident[EI_CLASS] == ELFCLASS32)
        return ape_reject(file, APE_RANK_FOREIGN, -ENOEXEC,
                          "32-bit ELF file; only 64-bit programs run here");
    if (h->e_ident[EI_CLASS] != ELFCLASS64)
        return ape_reject(file, APE_RANK_FOREIGN, -ENOEXEC, "unknown ELF class %u",
                          h->e_ident[EI_CLASS]);
    if (h->e_ident[EI_DATA] == ELFDATA2MSB)
        return ape_reject(file, APE_RANK_FOREIGN, -ENOEXEC,
                          "big-endian ELF file; x86-64 is little-endian");
    if (h->e_ident[EI_DATA] != ELFDATA2LSB)
        return ape_reject(file, APE_RANK_FOREIGN, -ENOEXEC, "unknown ELF byte order %u",
                          h->e_ident[EI_DATA]);
    if (h->e_machine != EM_X86_64)
        return ape_reject(file, APE_RANK_FOREIGN, -ENOEXEC,
                          "program for %s (ELF machine %u), not for x86-64",
                          machine_name(h->e_machine), h->e_machine);
    return 0;
}

static int check_type(struct ape_file *file) {
    switch (file->ehdr.e_type) {
    case ET_EXEC: return 0;
    case ET_DYN:
        return ape_reject(file, APE_RANK_OURS, -ENOEXEC,
                          "position-independent (ET_DYN); APE programs have fixed addresses");
    case ET_REL: return ape_reject(file, APE_RANK_OURS, -ENOEXEC, "object file, not a program");
    case ET_CORE: return ape_reject(file, APE_RANK_OURS, -ENOEXEC, "core dump, not a program");
    default:
        return ape_reject(file, APE_RANK_OURS, -ENOEXEC, "ELF type %u is not that of a program",
                          file->ehdr.e_type);
    }
}

/* Try the statement whose text begins at `p`: 0 if it is the program's header. */
static int try_statement(struct ape_file *file, const uint8_t *p, const uint8_t *end) {
    uint8_t bytes[sizeof file->ehdr];
    size_t count;
    enum stop stop = decode(p, end, bytes, sizeof bytes, &count);
    if (count < SELFMAG || memcmp(bytes, ELFMAG, SELFMAG))
        return -ENOEXEC; /* scripts print other things too */
    if (stop != STOP_FULL)
        return reject_text(file, stop, count);
    memcpy(&file->ehdr, bytes, sizeof bytes);
    int r = check_machine(file);
    if (r == 0)
        r = check_type(file);
    if (r == 0)
        r = ape_collect_segments(file);
    return r;
}

static int log_reason(const struct ape_file *file) {
    if (file->reason_rank == APE_RANK_NONE) {
        blink_log(file->host, BLINK_LOG_ERROR,
                  "%s: no ELF header is embedded in its first %u bytes", file->path,
                  APE_SCRIPT_SIZE);
        return -ENOEXEC;
    }
    blink_log(file->host, BLINK_LOG_ERROR, "%s: %s", file->path, file->reason);
    return file->reason_error;
}

int ape_parse(struct ape_file *file) {
    uint8_t script[APE_SCRIPT_SIZE];
    /* The head is the whole of a file that is shorter than it may be. */
    if (!file->size && file->head_size < 4096)
        file->size = file->head_size;
    int64_t size = ape_read(file, 0, script, sizeof script);
    if (size < 0) {
        blink_log(file->host, BLINK_LOG_ERROR, "%s: cannot read it: %s", file->path,
                  strerror((int)-size));
        return (int)size;
    }
    const uint8_t *p = script, *end = script + size;
    while ((p = memmem(p, (size_t)(end - p), statement, STATEMENT_SIZE))) {
        file->header_at = (size_t)(p - script);
        p += STATEMENT_SIZE;
        if (try_statement(file, p, end) == 0)
            return 0;
    }
    return log_reason(file);
}
