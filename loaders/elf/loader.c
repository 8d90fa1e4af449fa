/*
 * loader-elf: x86-64 ELF programs, static, static-PIE or with an interpreter, into guest memory.
 * The initial stack is the guest ABI's, built from the struct blink_program filled here. An
 * instance holds nothing but its host. Main thread; probe and check from any.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf.h"

struct blink_plugin {
    const struct blink_host *host;
    struct blink_mem_iface api;
};

static int create(const struct blink_host *host, const char *args, struct blink_plugin **out) {
    static const struct blink_need needs[] = {{BLINK_NEED(BLINK_IFACE_MEM, api)}};
    return BLINK_CREATE(host, "loader elf", args, needs, out);
}

static void destroy(struct blink_plugin *self) {
    free(self);
}

static int32_t probe(struct blink_plugin *self, const struct blink_image *image) {
    (void)self;
    Elf64_Ehdr h;
    size_t n = image->head_size < SELFMAG ? image->head_size : SELFMAG;
    if (n == 0 || memcmp(image->head, ELFMAG, n))
        return BLINK_PROBE_NO;
    if (image->head_size < sizeof h)
        return BLINK_PROBE_MAGIC;
    memcpy(&h, image->head, sizeof h);
    bool ours = h.e_ident[EI_CLASS] == ELFCLASS64 && h.e_ident[EI_DATA] == ELFDATA2LSB &&
                h.e_machine == EM_X86_64 && (h.e_type == ET_EXEC || h.e_type == ET_DYN);
    return ours ? BLINK_PROBE_SURE : BLINK_PROBE_MAGIC;
}

/* The guest address of the program headers: where the segment that holds them puts them. */
static uint64_t phdr_address(const struct elf_file *file, uint64_t bias) {
    uint64_t offset = file->ehdr.e_phoff;
    for (uint32_t k = 0; k < file->segments; k++) {
        const struct elf_segment *s = &file->segment[k];
        if (offset >= s->offset && offset - s->offset < s->file_end - s->start)
            return s->start + (offset - s->offset) + bias;
    }
    for (uint32_t k = 0; k < file->ehdr.e_phnum; k++)
        if (file->phdr[k].p_type == PT_PHDR)
            for (uint32_t j = 0; j < file->segments; j++)
                if (file->phdr[k].p_vaddr >= file->segment[j].start &&
                    file->phdr[k].p_vaddr < file->segment[j].end)
                    return file->phdr[k].p_vaddr + bias;
    return 0;
}

/* The ranges that /proc shows, by Linux's rules. */
static void describe_ranges(const struct elf_file *file, uint64_t bias,
                            struct blink_program *program) {
    uint64_t code_start = UINT64_MAX, code_end = 0, data_start = 0, data_end = 0;
    for (uint32_t k = 0; k < file->segments; k++) {
        const struct elf_segment *s = &file->segment[k];
        if (s->prot & BLINK_PROT_EXEC) {
            code_start = s->start < code_start ? s->start : code_start;
            code_end = s->file_end > code_end ? s->file_end : code_end;
        }
        data_start = s->start;
        data_end = s->file_end > data_end ? s->file_end : data_end;
    }
    if (code_start == UINT64_MAX)
        code_start = code_end = file->segment[0].start;
    program->code_start = code_start + bias;
    program->code_end = code_end + bias;
    program->data_start = data_start + bias;
    program->data_end = data_end + bias;
}

static void describe(const struct elf_file *file, uint64_t bias, struct blink_program *program) {
    strcpy(program->abi, "linux");
    program->entry = program->start = file->ehdr.e_entry + bias;
    program->phdr = phdr_address(file, bias);
    program->phnum = file->ehdr.e_phnum;
    program->phentsize = file->ehdr.e_phentsize;
    program->base = bias;
    program->brk = elf_page_up(file->segment[file->segments - 1].end) + bias;
    /* Without PT_GNU_STACK 64-bit Linux gives a stack that is not executable. */
    for (uint32_t k = 0; k < file->ehdr.e_phnum; k++)
        if (file->phdr[k].p_type == PT_GNU_STACK)
            program->stack_exec = (file->phdr[k].p_flags & PF_X) != 0;
    describe_ranges(file, bias, program);
}

/* Why the interpreter cannot be used: one line about the program that asks for it. */
static int interpreter_fails(const struct elf_file *program, const char *interp, int error) {
    elf_refuse(program, "interpreter %s: %s%s", interp, strerror(-error),
               error == -ENOENT ? "; install it, or name its tree with --root" : "");
    return error;
}

/* An opened interpreter. */
struct interpreter {
    struct elf_file file;
    char host_path[PATH_MAX];
    uint8_t head[4096];
};

/* Open and check the interpreter `interp` of `program`. The caller closes and finishes. */
static int open_interpreter(const struct elf_file *program, const char *interp,
                            struct interpreter *in) {
    const struct blink_host *host = program->host;
    struct stat st;
    int fd = elf_open_in_root(host->option(host->machine, "root"), interp, in->host_path,
                              sizeof in->host_path);
    if (fd < 0)
        return interpreter_fails(program, interp, fd);
    in->file = (struct elf_file){.host = host,
                                 .path = in->host_path,
                                 .guest_path = interp,
                                 .fd = fd,
                                 .head = in->head,
                                 .top = program->top,
                                 .quiet = program->quiet};
    if (fstat(fd, &st) < 0)
        return interpreter_fails(program, interp, -errno);
    if (!S_ISREG(st.st_mode))
        return interpreter_fails(program, interp, S_ISDIR(st.st_mode) ? -EISDIR : -EACCES);
    in->file.size = (uint64_t)st.st_size;
    ssize_t n = pread(fd, in->head, sizeof in->head, 0);
    if (n < 0)
        return interpreter_fails(program, interp, -errno);
    in->file.head_size = (size_t)n;
    int r = elf_parse(&in->file);
    /* A malformed program is ENOEXEC, a malformed interpreter ELIBBAD. */
    return r == -ENOEXEC ? -ELIBBAD : r;
}

static int load_interpreter(struct blink_plugin *self, struct blink_mem *mem,
                            const struct interpreter *in, struct blink_program *program) {
    uint64_t bias;
    int r = elf_map(&in->file, &self->api, mem, ELF_PLACE_ANYWHERE, &bias);
    if (r < 0)
        return r == -ENOEXEC ? -ELIBBAD : r;
    program->interp_base = bias;
    program->start = in->file.ehdr.e_entry + bias;
    return 0;
}

/* A file to run and its interpreter, if it names one. */
struct opened {
    struct elf_file file;
    struct interpreter *interpreter;
    char interp[sizeof((struct blink_program *)NULL)->interp];
};

/* Check all that can be checked before mapping. close_all frees, also after an error. */
static int open_all(struct blink_plugin *self, const struct blink_image *image, uint64_t top,
                    bool quiet, struct opened *out) {
    out->file = (struct elf_file){
        .host = self->host,
        .path = image->path,
        .guest_path = image->guest_path,
        .fd = image->fd,
        .head = image->head,
        .head_size = image->head_size,
        .size = image->size,
        .top = top,
        .quiet = quiet,
    };
    int r = elf_parse(&out->file);
    if (r == 0)
        r = elf_interpreter(&out->file, out->interp, sizeof out->interp);
    if (r || !out->interp[0])
        return r;
    out->interpreter = calloc(1, sizeof *out->interpreter);
    if (!out->interpreter)
        return interpreter_fails(&out->file, out->interp, -ENOMEM);
    out->interpreter->file.fd = -1;
    return open_interpreter(&out->file, out->interp, out->interpreter);
}

static void close_all(struct opened *all) {
    if (all->interpreter) {
        if (all->interpreter->file.fd >= 0)
            close(all->interpreter->file.fd);
        elf_finish(&all->interpreter->file);
        free(all->interpreter);
    }
    elf_finish(&all->file);
}

static int load(struct blink_plugin *self, struct blink_mem *mem, const struct blink_image *image,
                struct blink_program *program) {
    struct blink_program found = {.struct_size = sizeof found};
    struct opened all = {0};
    uint64_t low, high, top, bias;
    self->api.get_layout(mem, &low, &high, &top);
    int r = open_all(self, image, top, false, &all);
    if (r == 0)
        r = elf_map(&all.file, &self->api, mem, ELF_PLACE_PROGRAM, &bias);
    if (r == 0) {
        memcpy(found.interp, all.interp, sizeof found.interp);
        describe(&all.file, bias, &found);
    }
    if (r == 0 && all.interpreter)
        r = load_interpreter(self, mem, all.interpreter, &found);
    if (r == 0) {
        uint32_t room = program->struct_size;
        memcpy(program, &found, room && room < sizeof found ? room : sizeof found);
        program->struct_size = room ? room : sizeof found;
    }
    close_all(&all);
    return r;
}

/* Where the addresses end is found out when the file is mapped. */
static int check(struct blink_plugin *self, const struct blink_image *image) {
    struct opened all = {0};
    int r = open_all(self, image, UINT64_MAX, true, &all);
    close_all(&all);
    return r;
}

static const struct blink_loader_ops ops = {
    .plugin = {.struct_size = sizeof ops, .create = create, .destroy = destroy},
    .probe = probe,
    .load = load,
    .check = check,
};

static const struct blink_manifest manifest = {
    .struct_size = sizeof manifest,
    .kind = BLINK_KIND_LOADER,
    .name = "elf",
    .version = "0.1.0",
    .summary = "x86-64 ELF programs",
    .licence = "ISC",
    .vtable = &ops,
};

BLINK_PLUGIN_DEFINE(&manifest);
