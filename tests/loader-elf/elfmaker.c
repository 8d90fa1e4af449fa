/*
 * See elfmaker.h.
 */
#include "elfmaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define PATH "/programs/test"

uint8_t elfmaker_byte(uint64_t offset) {
    return (uint8_t)(offset * 7 + (offset >> 8) * 13 + 1) | 1; /* never 0 */
}

void elfmaker_init(struct elfmaker *m, uint16_t type, uint16_t phnum, size_t size) {
    size_t least = sizeof(Elf64_Ehdr) + phnum * sizeof(Elf64_Phdr);
    m->size = size < least ? least : size;
    m->bytes = malloc(m->size);
    assert_non_null(m->bytes);
    for (size_t k = 0; k < m->size; k++)
        m->bytes[k] = elfmaker_byte(k);
    m->ehdr = (Elf64_Ehdr *)m->bytes;
    m->phdr = (Elf64_Phdr *)(m->bytes + sizeof(Elf64_Ehdr));
    memset(m->bytes, 0, least);
    memcpy(m->ehdr->e_ident, ELFMAG, SELFMAG);
    m->ehdr->e_ident[EI_CLASS] = ELFCLASS64;
    m->ehdr->e_ident[EI_DATA] = ELFDATA2LSB;
    m->ehdr->e_ident[EI_VERSION] = EV_CURRENT;
    m->ehdr->e_type = type;
    m->ehdr->e_machine = EM_X86_64;
    m->ehdr->e_version = EV_CURRENT;
    m->ehdr->e_entry = 0x401000;
    m->ehdr->e_phoff = sizeof(Elf64_Ehdr);
    m->ehdr->e_ehsize = sizeof(Elf64_Ehdr);
    m->ehdr->e_phentsize = sizeof(Elf64_Phdr);
    m->ehdr->e_phnum = phnum;
}

void elfmaker_finish(struct elfmaker *m) {
    free(m->bytes);
    m->bytes = NULL;
}

void elfmaker_load(struct elfmaker *m, uint32_t n, uint32_t flags, uint64_t offset, uint64_t vaddr,
                   uint64_t filesz, uint64_t memsz, uint64_t align) {
    m->phdr[n] = (Elf64_Phdr){.p_type = PT_LOAD,
                              .p_flags = flags,
                              .p_offset = offset,
                              .p_vaddr = vaddr,
                              .p_paddr = vaddr,
                              .p_filesz = filesz,
                              .p_memsz = memsz,
                              .p_align = align};
}

void attempt_init(struct attempt *a) {
    memset(a, 0, sizeof *a);
    a->fd = -1;
    a->fh = fakehost_create();
    a->ops = fakehost_find(&blink_builtin_loader_elf, BLINK_KIND_LOADER, "elf");
    assert_non_null(a->ops);
    assert_int_equal(a->ops->plugin.create(fakehost_host(a->fh), "", &a->self), 0);
}

static void load(struct attempt *a, const struct elfmaker *m, bool sized) {
    a->fd = memfd_create("elf", MFD_CLOEXEC);
    assert_true(a->fd >= 0);
    assert_int_equal(write(a->fd, m->bytes, m->size), (ssize_t)m->size);
    a->image = (struct blink_image){
        .struct_size = sizeof a->image,
        .fd = a->fd,
        .path = PATH,
        .guest_path = "/guest" PATH,
        .head = m->bytes,
        .head_size = m->size < 4096 ? m->size : 4096,
        .size = sized ? m->size : 0,
    };
    memset(&a->program, 0, sizeof a->program);
    a->program.struct_size = sizeof a->program;
    /* What execve would say: nothing aloud, and never no to what loads. */
    size_t logged = strlen(fakehost_log(a->fh));
    int checked = a->ops->check(a->self, &a->image);
    assert_int_equal(strlen(fakehost_log(a->fh)), logged);
    a->result = a->ops->load(a->self, fakehost_mem(a->fh), &a->image, &a->program);
    if (checked)
        assert_int_equal(a->result, checked);
}

void attempt_load(struct attempt *a, const struct elfmaker *m) {
    load(a, m, true);
}

void attempt_load_unsized(struct attempt *a, const struct elfmaker *m) {
    load(a, m, false);
}

void attempt_finish(struct attempt *a) {
    if (a->fd >= 0)
        close(a->fd);
    a->ops->plugin.destroy(a->self);
    fakehost_destroy(a->fh);
}

void expect_refused(const struct elfmaker *m, int error, const char *text) {
    struct attempt a;
    char line[1024];
    attempt_init(&a);
    attempt_load(&a, m);
    snprintf(line, sizeof line, "%s: %s\n", PATH, text);
    assert_string_equal(fakehost_log(a.fh), line);
    assert_int_equal(a.result, error);
    attempt_finish(&a);
}

void expect_loaded(struct attempt *a, const struct elfmaker *m) {
    attempt_init(a);
    attempt_load(a, m);
    assert_string_equal(fakehost_log(a->fh), "");
    assert_int_equal(a->result, 0);
}

void expect_file_bytes(struct attempt *a, uint64_t address, uint64_t offset, size_t size) {
    for (size_t k = 0; k < size; k++) {
        uint8_t byte;
        assert_int_equal(fakehost_peek(a->fh, address + k, &byte, 1), 0);
        if (byte != elfmaker_byte(offset + k))
            fail_msg("0x%llx holds 0x%02x, the file 0x%02x", (unsigned long long)(address + k),
                     byte, elfmaker_byte(offset + k));
    }
}

void expect_zeros(struct attempt *a, uint64_t address, size_t size) {
    for (size_t k = 0; k < size; k++) {
        uint8_t byte;
        assert_int_equal(fakehost_peek(a->fh, address + k, &byte, 1), 0);
        if (byte)
            fail_msg("0x%llx holds 0x%02x, not 0", (unsigned long long)(address + k), byte);
    }
}
