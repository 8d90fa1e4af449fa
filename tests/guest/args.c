/*
 * What a program is given: arguments, environment, auxiliary vector, its own name in /proc. Prints
 * what must be equal everywhere and checks the rest.
 */
#include <elf.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "guest.h"

extern char **environ;
extern void _start(void);

static void auxiliary(char **argv) {
    char **after = environ;
    while (*after)
        after++;
    int seen = 0;
    for (Elf64_auxv_t *a = (Elf64_auxv_t *)(after + 1); a->a_type != AT_NULL; a++)
        seen++;
    CHECK(seen >= 15 && seen < 40);
    CHECK(getauxval(AT_PAGESZ) == 4096);
    CHECK(getauxval(AT_PHENT) == sizeof(Elf64_Phdr));
    CHECK(getauxval(AT_PHNUM) > 1 && getauxval(AT_PHNUM) < 20);
    const Elf64_Phdr *ph = (const Elf64_Phdr *)getauxval(AT_PHDR);
    int loads = 0, tls = 0;
    for (unsigned long k = 0; ph && k < getauxval(AT_PHNUM); k++) {
        loads += ph[k].p_type == PT_LOAD;
        tls += ph[k].p_type == PT_TLS;
    }
    CHECK(loads >= 2 && tls <= 1);
    CHECK(getauxval(AT_ENTRY) == (unsigned long)_start);
    CHECK(getauxval(AT_BASE) == 0);
    CHECK(getauxval(AT_FLAGS) == 0);
    CHECK(getauxval(AT_SECURE) == 0);
    CHECK(getauxval(AT_CLKTCK) == 100);
    CHECK(getauxval(AT_UID) == getuid() && getauxval(AT_EUID) == geteuid());
    CHECK(getauxval(AT_GID) == getgid() && getauxval(AT_EGID) == getegid());
    const char *platform = (const char *)getauxval(AT_PLATFORM);
    CHECK(platform && !strcmp(platform, "x86_64"));
    const unsigned char *random = (const unsigned char *)getauxval(AT_RANDOM);
    int ones = 0;
    for (int k = 0; random && k < 16; k++)
        ones += __builtin_popcount(random[k]);
    CHECK(ones > 20 && ones < 108);
    const char *name = (const char *)getauxval(AT_EXECFN);
    if (!CHECK(name && strlen(name) > 0))
        return;
    printf("execfn %s argv[0] %s\n", strrchr(name, '/') ? strrchr(name, '/') + 1 : name,
           strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0]);
    /* The strings stand above all pointers, and the name is the last of them. */
    CHECK((const char *)argv < argv[0] && (!*environ || argv[0] < *environ));
    CHECK(!*environ || *environ < name);
}

static void processes(char **argv) {
    char text[8192], path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    CHECK(n > 0);
    path[n > 0 ? n : 0] = 0;
    const char *base = strrchr(path, '/');
    printf("exe %s\n", base ? base + 1 : path);
    FILE *f = fopen("/proc/self/cmdline", "r");
    if (CHECK(f != NULL)) {
        size_t size = fread(text, 1, sizeof text - 1, f);
        text[size] = 0;
        CHECK(!strcmp(text, argv[0]));
        size_t total = 0;
        for (char **a = argv; *a; a++)
            total += strlen(*a) + 1;
        CHECK(size == total);
        fclose(f);
    }
    f = fopen("/proc/self/maps", "r");
    int stack = 0, heap_or_program = 0;
    if (CHECK(f != NULL)) {
        unsigned long here = (unsigned long)&f, start, end, code = (unsigned long)_start;
        while (fgets(text, sizeof text, f)) {
            if (sscanf(text, "%lx-%lx", &start, &end) != 2)
                continue;
            if (here >= start && here < end)
                stack += strstr(text, "[stack]") != NULL;
            if (code >= start && code < end)
                heap_or_program += strstr(text, base ? base : path) != NULL;
        }
        fclose(f);
    }
    CHECK(stack == 1 && heap_or_program == 1);
}

int main(int argc, char **argv) {
    printf("%d arguments\n", argc);
    for (int k = 1; k < argc; k++)
        printf("[%s]\n", argv[k]);
    for (char **e = environ; *e; e++)
        printf("{%s}\n", *e);
    CHECK(argv[argc] == NULL);
    auxiliary(argv);
    processes(argv);
    return guest_done();
}
