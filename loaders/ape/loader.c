/*
 * loader-ape: Actually Portable Executables, which are shell scripts, DOS programs and more at
 * once. The ELF header that the script would write over its own beginning is decoded, and the
 * program it describes is loaded from the file as it is. An instance holds nothing but its host.
 * Main thread; probe from any.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ape.h"

struct blink_plugin {
    const struct blink_host *host;
    struct blink_mem_iface api;
};

static int create(const struct blink_host *host, const char *args, struct blink_plugin **out) {
    static const struct blink_need needs[] = {{BLINK_NEED(BLINK_IFACE_MEM, api)}};
    return BLINK_CREATE(host, "loader ape", args, needs, out);
}

static void destroy(struct blink_plugin *self) {
    free(self);
}

/* The specification asks interpreters to leave the third to the shell. There is no other way to
 * run a program here, and the shell that ran the script would find the same header. */
static int32_t probe(struct blink_plugin *self, const struct blink_image *image) {
    static const char magics[][APE_MAGIC_SIZE + 1] = {"MZqFpD='", "jartsr='", "APEDBG='"};
    (void)self;
    if (image->head_size < APE_MAGIC_SIZE)
        return BLINK_PROBE_NO;
    for (size_t k = 0; k < sizeof magics / sizeof magics[0]; k++)
        if (!memcmp(image->head, magics[k], APE_MAGIC_SIZE))
            return BLINK_PROBE_MAGIC;
    return BLINK_PROBE_NO;
}

/* The guest address of the program headers: where the segment that holds them puts them. */
static uint64_t phdr_address(const struct ape_file *file) {
    uint64_t offset = file->ehdr.e_phoff;
    for (uint32_t k = 0; k < file->segments; k++) {
        const struct ape_segment *s = &file->segment[k];
        if (offset >= s->offset && offset - s->offset < s->file_end - s->start)
            return s->start + (offset - s->offset);
    }
    return 0;
}

/* The ranges that /proc shows, by Linux's rules. */
static void describe_ranges(const struct ape_file *file, struct blink_program *program) {
    uint64_t code_start = UINT64_MAX;
    for (uint32_t k = 0; k < file->segments; k++) {
        const struct ape_segment *s = &file->segment[k];
        if (s->prot & BLINK_PROT_EXEC) {
            code_start = s->start < code_start ? s->start : code_start;
            program->code_end = s->file_end;
        }
        program->data_start = s->start;
        if (s->file_end > program->data_end)
            program->data_end = s->file_end;
    }
    if (code_start == UINT64_MAX)
        code_start = program->code_end = file->segment[0].start;
    program->code_start = code_start;
}

static void describe(const struct ape_file *file, struct blink_program *program) {
    strcpy(program->abi, "linux");
    program->entry = program->start = file->ehdr.e_entry;
    program->phdr = phdr_address(file);
    program->phnum = file->ehdr.e_phnum;
    program->phentsize = file->ehdr.e_phentsize;
    program->brk = ape_page_up(file->segment[file->segments - 1].end);
    for (uint32_t k = 0; k < file->ehdr.e_phnum; k++)
        if (file->phdr[k].p_type == PT_GNU_STACK)
            program->stack_exec = (file->phdr[k].p_flags & PF_X) != 0;
    describe_ranges(file, program);
}

static int load(struct blink_plugin *self, struct blink_mem *mem, const struct blink_image *image,
                struct blink_program *program) {
    struct blink_program found = {.struct_size = sizeof found};
    uint32_t room = program->struct_size;
    uint64_t low, high;
    struct ape_file *file = calloc(1, sizeof *file);
    if (!file) {
        blink_log(self->host, BLINK_LOG_ERROR, "%s: no memory for its headers", image->path);
        return -ENOMEM;
    }
    file->host = self->host;
    file->path = image->path;
    file->guest_path = image->guest_path;
    file->fd = image->fd;
    file->head = image->head;
    file->head_size = image->head_size;
    file->size = image->size;
    self->api.get_layout(mem, &low, &high, &file->top);
    int r = ape_parse(file);
    if (r == 0)
        r = ape_map(file, &self->api, mem);
    if (r == 0) {
        describe(file, &found);
        memcpy(program, &found, room && room < sizeof found ? room : sizeof found);
        program->struct_size = room ? room : sizeof found;
    }
    free(file);
    return r;
}

static const struct blink_loader_ops ops = {
    .plugin = {.struct_size = sizeof ops, .create = create, .destroy = destroy},
    .probe = probe,
    .load = load,
};

static const struct blink_manifest manifest = {
    .struct_size = sizeof manifest,
    .kind = BLINK_KIND_LOADER,
    .name = "ape",
    .version = "0.1.0",
    .summary = "Actually Portable Executables",
    .licence = "ISC",
    .vtable = &ops,
};

BLINK_PLUGIN_DEFINE(&manifest);
