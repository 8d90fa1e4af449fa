/*
 * See apemaker.h.
 */
#include "apemaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#define PATH "/programs/test"

uint8_t apemaker_byte(uint64_t offset) {
    return (uint8_t)(offset * 7 + (offset >> 8) * 13) | 0x81; /* never 0, never ASCII */
}

void apemaker_init(struct apemaker *m, size_t size) {
    m->size = size;
    m->bytes = malloc(size);
    assert_non_null(m->bytes);
    for (size_t k = 0; k < size; k++)
        m->bytes[k] = apemaker_byte(k);
    m->phdr = (Elf64_Phdr *)(m->bytes + APEMAKER_PHOFF);
    memset(m->phdr, 0, APEMAKER_PHNUM * sizeof *m->phdr);
    m->ehdr = (Elf64_Ehdr){
        .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT, ELFOSABI_FREEBSD},
        .e_type = ET_EXEC,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_entry = 0x401100,
        .e_phoff = APEMAKER_PHOFF,
        .e_ehsize = sizeof(Elf64_Ehdr),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = APEMAKER_PHNUM,
    };
}

void apemaker_finish(struct apemaker *m) {
    free(m->bytes);
    m->bytes = NULL;
}

void apemaker_load(struct apemaker *m, uint32_t n, uint32_t flags, uint64_t offset, uint64_t vaddr,
                   uint64_t filesz, uint64_t memsz) {
    m->phdr[n] = (Elf64_Phdr){.p_type = PT_LOAD,
                              .p_flags = flags,
                              .p_offset = offset,
                              .p_vaddr = vaddr,
                              .p_paddr = vaddr,
                              .p_filesz = filesz,
                              .p_memsz = memsz,
                              .p_align = 4096};
}

size_t apemaker_seal(struct apemaker *m) {
    char text[APEMAKER_PHOFF];
    uint8_t header[sizeof m->ehdr];
    size_t n = (size_t)sprintf(text, "jartsr='\n'\n"), at = n;
    memcpy(header, &m->ehdr, sizeof header);
    n += (size_t)sprintf(text + n, "printf '");
    for (size_t k = 0; k < sizeof header; k++)
        n += (size_t)sprintf(text + n, "\\%03o", header[k]);
    n += (size_t)sprintf(text + n, "' >&7\nexit\n");
    assert_true(n < sizeof text);
    memcpy(m->bytes, text, n);
    return at;
}

void attempt_init(struct attempt *a) {
    memset(a, 0, sizeof *a);
    a->fd = -1;
    a->fh = fakehost_create();
    a->ops = fakehost_find(&blink_plugin_entry, BLINK_KIND_LOADER, "ape");
    assert_non_null(a->ops);
    assert_int_equal(a->ops->plugin.create(fakehost_host(a->fh), "", &a->self), 0);
}

void attempt_load(struct attempt *a, const struct apemaker *m, bool sized) {
    a->fd = memfd_create("ape", MFD_CLOEXEC);
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
    a->program.struct_size = sizeof a->program;
    a->result = a->ops->load(a->self, fakehost_mem(a->fh), &a->image, &a->program);
}

void attempt_finish(struct attempt *a) {
    if (a->fd >= 0)
        close(a->fd);
    a->ops->plugin.destroy(a->self);
    fakehost_destroy(a->fh);
}
