/*
 * What GDB finds of translated code: files in a list that it knows by name, each an ELF image with
 * sections that claim no more than the code, and symbols in them.
 */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "exec/exec.h"
#include "exec/labels.h"

/* There is no machine. */
struct exec *machine_exec(struct blink_machine *m) {
    (void)m;
    return NULL;
}

/* As GDB's manual has them. */
struct jit_code_entry {
    struct jit_code_entry *next, *prev;
    const char *symfile_addr;
    uint64_t symfile_size;
};
struct jit_descriptor {
    uint32_t version, action_flag;
    struct jit_code_entry *relevant_entry, *first_entry;
};
extern struct jit_descriptor __jit_debug_descriptor;

/* By the names of the second section and on, and of all symbols. */
static void read_image(const char *image, uint64_t size, char *out, size_t room) {
    const Elf64_Ehdr *h = (const Elf64_Ehdr *)(const void *)image;
    const Elf64_Shdr *s = (const Elf64_Shdr *)(const void *)(image + h->e_shoff);
    const char *text = image + s[h->e_shstrndx].sh_offset;
    size_t n = 0;
    assert_memory_equal(image, ELFMAG, SELFMAG);
    assert_int_equal(h->e_ehsize, sizeof *h);
    assert_true(s[h->e_shstrndx].sh_offset + s[h->e_shstrndx].sh_size <= size);
    for (uint32_t k = 1; k < h->e_shnum; k++) {
        if (s[k].sh_type == SHT_NOBITS)
            n += (size_t)snprintf(out + n, room - n, "%s %llx+%llx\n", text + s[k].sh_name,
                                  (unsigned long long)s[k].sh_addr,
                                  (unsigned long long)s[k].sh_size);
        if (s[k].sh_type != SHT_SYMTAB)
            continue;
        const Elf64_Sym *y = (const Elf64_Sym *)(const void *)(image + s[k].sh_offset);
        assert_string_equal(text + s[k].sh_name, ".symtab");
        assert_int_equal(s[k].sh_link, h->e_shstrndx);
        for (size_t j = 1; j < s[k].sh_size / sizeof *y; j++)
            n +=
                (size_t)snprintf(out + n, room - n, "%s %llx+%llx in %s\n", text + y[j].st_name,
                                 (unsigned long long)y[j].st_value,
                                 (unsigned long long)y[j].st_size, text + s[y[j].st_shndx].sh_name);
    }
}

static void test_image(void **state) {
    struct label v[] = {{0x7000, 0x401136, 0x20, "guest"},
                        {0x9000, 0x401136, 0x11, "exits"},
                        {0x7020, 0x7fffffffffff, 0x8, "guest"},
                        {0x6000, 0, 0x100, "glue"}};
    char text[1024];
    (void)state;
    struct gdb_file *f = gdb_register(v, 4);
    const struct jit_code_entry *e = __jit_debug_descriptor.first_entry;
    assert_non_null(f);
    assert_int_equal(__jit_debug_descriptor.version, 1);
    assert_int_equal(__jit_debug_descriptor.action_flag, 1);
    assert_ptr_equal(__jit_debug_descriptor.relevant_entry, e);
    read_image(e->symfile_addr, e->symfile_size, text, sizeof text);
    assert_string_equal(text, "code0 6000+100\n"
                              "code1 7000+28\n"
                              "code2 9000+11\n"
                              "glue 6000+100 in code0\n"
                              "guest_401136 7000+20 in code1\n"
                              "guest_7fffffffffff 7020+8 in code1\n"
                              "exits_401136 9000+11 in code2\n");
    gdb_unregister(f, false);
    assert_int_equal(__jit_debug_descriptor.action_flag, 2);
    assert_null(__jit_debug_descriptor.first_entry);
}

static void test_list(void **state) {
    struct label v = {0x7000, 0x401136, 0x20, "guest"};
    struct gdb_file *f[3];
    (void)state;
    for (int k = 0; k < 3; k++)
        f[k] = gdb_register(&v, 1);
    const struct jit_code_entry *e = __jit_debug_descriptor.first_entry;
    assert_null(e->prev);
    assert_ptr_equal(e->next->prev, e);
    assert_ptr_equal(e->next->next->prev, e->next);
    assert_null(e->next->next->next);
    gdb_unregister(f[1], false);
    assert_ptr_equal(e->next->prev, e);
    assert_null(e->next->next);
    /* Nobody hears of it. */
    __jit_debug_descriptor.action_flag = 0;
    gdb_unregister(f[2], true);
    assert_int_equal(__jit_debug_descriptor.action_flag, 0);
    assert_null(__jit_debug_descriptor.first_entry->prev);
    gdb_unregister(f[0], true);
    assert_null(__jit_debug_descriptor.first_entry);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_image), cmocka_unit_test(test_list)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
