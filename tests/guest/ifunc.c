/*
 * Which of its functions the C library chose for this processor: their addresses, which cpu.py
 * finds in the symbol table; and that they work.
 */
#include <elf.h>
#include <string.h>
#include <wchar.h>

#include "guest.h"

extern const Elf64_Rela __rela_iplt_start[], __rela_iplt_end[];

static char text[5000], copy[5000];
static volatile int zero;

int main(void) {
    for (const Elf64_Rela *r = __rela_iplt_start; r < __rela_iplt_end; r++)
        printf("chosen %llx\n", (unsigned long long)*(const uint64_t *)r->r_offset);
    for (size_t size = 0; size < sizeof text - 1; size = size * 5 / 4 + 1) {
        memset(text, 'a' + zero, size);
        text[size] = 0;
        memcpy(copy, text, sizeof text);
        CHECK(strlen(copy) == size);
        CHECK(strcmp(copy, text) == 0 && memcmp(copy, text, size) == 0);
        CHECK(strchr(copy, zero) == copy + size && !memchr(copy, 'b' + zero, size));
        CHECK(strstr(copy, "ab") == NULL && strspn(copy, "a") == size);
    }
    return guest_done();
}
