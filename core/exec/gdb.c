/*
 * GDB's interface for code that is made at run time: files of symbols in memory, which hang in a
 * list that GDB finds by name, and a function that it has a breakpoint in. A file is an ELF image
 * with a section for each stretch of code and a symbol for each piece; the code itself is not in
 * it. The list is the process's and has one lock; who registers a file owns it.
 */
#include "exec/labels.h"

#include <elf.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Names and layout are GDB's. */
struct jit_code_entry {
    struct jit_code_entry *next, *prev;
    const char *symfile_addr;
    uint64_t symfile_size;
};
enum { JIT_NOACTION, JIT_REGISTER_FN, JIT_UNREGISTER_FN };
struct jit_descriptor {
    uint32_t version;
    uint32_t action_flag;
    struct jit_code_entry *relevant_entry, *first_entry;
};

__attribute__((visibility("default"))) struct jit_descriptor __jit_debug_descriptor = {1, 0, 0, 0};
__attribute__((visibility("default"), noinline)) void __jit_debug_register_code(void);
void __jit_debug_register_code(void) {
    __asm__ volatile("" ::: "memory");
}

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;

struct gdb_file {
    struct jit_code_entry entry; /* first */
    size_t size;
    _Alignas(8) char image[];
};

/* Pieces lie close together in memory that came at one go. Between such stretches is what the file
 * must not claim. */
#define MOST_BETWEEN 64u

static int by_address(const void *a, const void *b) {
    const struct label *x = a, *y = b;
    return x->at < y->at ? -1 : x->at > y->at;
}

static bool begins_stretch(const struct label *v, size_t k) {
    return k == 0 || v[k].at - (v[k - 1].at + v[k - 1].size) > MOST_BETWEEN;
}

/* An image under construction: where its parts are. */
struct image {
    Elf64_Shdr *section;
    Elf64_Sym *symbol;
    char *text;
    uint32_t text_used;
};

static uint32_t add_text(struct image *i, const char *text) {
    uint32_t at = i->text_used;
    size_t n = strlen(text) + 1;
    memcpy(i->text + at, text, n);
    i->text_used += (uint32_t)n;
    return at;
}

static void add_code(struct image *i, const struct label *v, size_t count) {
    Elf64_Shdr *s = i->section; /* the one before the first, which is nobody's */
    char name[LABEL_ROOM];
    for (size_t k = 0; k < count; k++) {
        if (begins_stretch(v, k)) {
            snprintf(name, sizeof name, "code%u", (unsigned)(s - i->section));
            *++s = (Elf64_Shdr){.sh_name = add_text(i, name),
                                .sh_type = SHT_NOBITS,
                                .sh_flags = SHF_ALLOC | SHF_EXECINSTR,
                                .sh_addr = v[k].at,
                                .sh_addralign = 1};
        }
        s->sh_size = v[k].at + v[k].size - s->sh_addr;
        label_name(&v[k], name);
        i->symbol[k + 1] = (Elf64_Sym){.st_name = add_text(i, name),
                                       .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
                                       .st_shndx = (Elf64_Half)(s - i->section),
                                       .st_value = v[k].at,
                                       .st_size = v[k].size};
    }
}

static uint16_t host_machine(void) {
#if defined(__x86_64__)
    return EM_X86_64;
#elif defined(__aarch64__)
    return EM_AARCH64;
#else
    return EM_NONE;
#endif
}

static struct gdb_file *make_file(const struct label *v, size_t count) {
    size_t stretches = 0;
    for (size_t k = 0; k < count; k++)
        stretches += begins_stretch(v, k);
    const size_t sections = stretches + 3; /* the empty one, symbols, names */
    const size_t symbols_at = sizeof(Elf64_Ehdr) + sections * sizeof(Elf64_Shdr);
    const size_t text_at = symbols_at + (count + 1) * sizeof(Elf64_Sym);
    struct gdb_file *f = calloc(1, sizeof *f + text_at + (count + sections) * LABEL_ROOM);
    if (!f)
        return NULL;
    Elf64_Ehdr *h = (Elf64_Ehdr *)(void *)f->image;
    struct image i = {.section = (Elf64_Shdr *)(void *)(h + 1),
                      .symbol = (Elf64_Sym *)(void *)(f->image + symbols_at),
                      .text = f->image + text_at,
                      .text_used = 1};
    add_code(&i, v, count);
    Elf64_Shdr *last = i.section + stretches + 1;
    last[0] = (Elf64_Shdr){.sh_name = add_text(&i, ".symtab"),
                           .sh_type = SHT_SYMTAB,
                           .sh_offset = symbols_at,
                           .sh_size = (count + 1) * sizeof(Elf64_Sym),
                           .sh_link = (Elf64_Word)(sections - 1),
                           .sh_info = 1,
                           .sh_addralign = 8,
                           .sh_entsize = sizeof(Elf64_Sym)};
    last[1] = (Elf64_Shdr){.sh_name = add_text(&i, ".strtab"),
                           .sh_type = SHT_STRTAB,
                           .sh_offset = text_at,
                           .sh_size = i.text_used,
                           .sh_addralign = 1};
    *h = (Elf64_Ehdr){
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = host_machine(),
        .e_version = EV_CURRENT,
        .e_shoff = sizeof *h,
        .e_ehsize = sizeof *h,
        .e_shentsize = sizeof(Elf64_Shdr),
        .e_shnum = (Elf64_Half)sections,
        .e_shstrndx = (Elf64_Half)(sections - 1)};
    f->size = text_at + i.text_used;
    return f;
}

static void tell(struct gdb_file *f, uint32_t action) {
    __jit_debug_descriptor.relevant_entry = &f->entry;
    __jit_debug_descriptor.action_flag = action;
    __jit_debug_register_code();
}

struct gdb_file *gdb_register(struct label *pieces, size_t count) {
    qsort(pieces, count, sizeof *pieces, by_address);
    struct gdb_file *f = make_file(pieces, count);
    if (!f)
        return NULL;
    struct jit_code_entry *e = &f->entry;
    e->symfile_addr = f->image;
    e->symfile_size = f->size;
    pthread_mutex_lock(&list_lock);
    e->next = __jit_debug_descriptor.first_entry;
    if (e->next)
        e->next->prev = e;
    __jit_debug_descriptor.first_entry = e;
    tell(f, JIT_REGISTER_FN);
    pthread_mutex_unlock(&list_lock);
    return f;
}

void gdb_unregister(struct gdb_file *f, bool silent) {
    struct jit_code_entry *e = &f->entry;
    pthread_mutex_lock(&list_lock);
    if (e->prev)
        e->prev->next = e->next;
    else
        __jit_debug_descriptor.first_entry = e->next;
    if (e->next)
        e->next->prev = e->prev;
    if (!silent)
        tell(f, JIT_UNREGISTER_FN);
    pthread_mutex_unlock(&list_lock);
    free(f);
}
