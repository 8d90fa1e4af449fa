/*
 * /proc tells of the guest, not of what runs it. Prints what must be the same everywhere: names
 * that are known beforehand, and whether the rest agrees with what the program knows about itself.
 */
#include <cpuid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static char exe[4096];

static void say(const char *what, int good) {
    printf("%s: %s\n", what, good ? "yes" : "no");
}

static void links(void) {
    static const char *const names[] = {"/proc/self/exe", "/proc/self/cwd", "/proc/self/root"};
    char text[4096];
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        ssize_t n = readlink(names[k], text, sizeof text - 1);
        printf("%s -> %s\n", names[k], n < 0 ? strerror(errno) : (text[n] = 0, text));
        if (k == 0)
            strcpy(exe, text);
    }
    snprintf(text, sizeof text, "/proc/%d/exe", getpid());
    int fd = open("/proc/self/exe", O_RDONLY), other = open(text, O_RDONLY);
    char a[4] = "", b[4] = "";
    say("exe opens as an ELF file", read(fd, a, 4) == 4 && memcmp(a, "\177ELF", 4) == 0);
    say("by number, too", read(other, b, 4) == 4 && memcmp(a, b, 4) == 0);
    close(fd);
    close(other);
}

static void cmdline(const char *name) {
    char text[4096];
    FILE *f = fopen(name, "r");
    size_t n = f ? fread(text, 1, sizeof text, f) : 0;
    for (size_t k = 0; k < n; k++)
        text[k] = text[k] ? text[k] : '|';
    printf("%s: %.*s\n", name, (int)n, text);
    if (f)
        fclose(f);
}

static int data = 1;

struct line {
    unsigned long start, end;
    char prot[8], name[512];
};

static int find(const void *at, struct line *out) {
    char text[1024];
    int found = 0;
    FILE *f = fopen("/proc/self/maps", "r");
    while (f && !found && fgets(text, sizeof text, f)) {
        struct line l = {0};
        sscanf(text, "%lx-%lx %7s %*s %*s %*s %511[^\n]", &l.start, &l.end, l.prot, l.name);
        found = (uintptr_t)at >= l.start && (uintptr_t)at < l.end;
        *out = l;
    }
    if (f)
        fclose(f);
    return found;
}

static void where(const char *what, const void *at, int named) {
    struct line l;
    if (!find(at, &l))
        printf("%s: nowhere\n", what);
    else
        printf("%s: %s %s\n", what, l.prot, named ? l.name : "");
}

static void maps(void) {
    int local = 0;
    struct line l;
    void *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    where("code", (const void *)(uintptr_t)maps, 1);
    where("data", &data, 1);
    where("stack", &local, 1);
    where("C library", (const void *)(uintptr_t)getenv("HOME"), 1);
    mprotect((char *)p + 4096, 4096, PROT_READ);
    where("private", p, 1);
    where("protected", (char *)p + 4096, 1);
    say("one page long", find((char *)p + 4096, &l) && l.end - l.start == 4096);
    munmap(p, 3 * 4096);
    say("gone", !find(p, &l) || l.name[0] == 0);
    void *heap = malloc(100);
    where("heap", heap, 1);
    free(heap);
    char text[1024];
    int strange = 0;
    FILE *f = fopen("/proc/self/maps", "r");
    while (f && fgets(text, sizeof text, f))
        strange += strstr(text, "jit-") || strstr(text, "decoder-") || strstr(text, "/blink\n");
    if (f)
        fclose(f);
    printf("%d lines of something else\n", strange);
}

/* Which descriptors there are, and where those lead that were opened here. */
static void descriptors(void) {
    int fd = open("/dev/null", O_RDWR);
    int high = fcntl(fd, F_DUPFD, 77);
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/self/fd/%d", high);
    ssize_t n = readlink(path, text, sizeof text - 1);
    printf("descriptor 77 -> %.*s\n", (int)(n < 0 ? 0 : n), text);
    DIR *d = opendir("/proc/self/fd");
    struct dirent *e;
    int count = 0;
    while (d && (e = readdir(d)))
        count += e->d_name[0] != '.' && atoi(e->d_name) != dirfd(d);
    if (d)
        closedir(d);
    printf("%d descriptors\n", count);
    say("no descriptor 78", open("/proc/self/fd/78", O_RDONLY) < 0 && errno == ENOENT);
    say("opens again through it", open(path, O_RDWR) >= 0);
}

static int cpu_flag(const char *name) {
    char text[8192], key[64];
    int found = 0;
    FILE *f = fopen("/proc/cpuinfo", "r");
    snprintf(key, sizeof key, " %s ", name);
    while (f && !found && fgets(text, sizeof text, f)) {
        if (strncmp(text, "flags", 5) != 0)
            continue;
        text[strcspn(text, "\n")] = ' ';
        found = strstr(text, key) != NULL;
    }
    if (f)
        fclose(f);
    return found;
}

static void cpuinfo(void) {
    static const struct {
        const char *name;
        unsigned leaf, reg, bit;
    } flags[] = {
        {"fpu", 1, 3, 0},      {"sse2", 1, 3, 26},   {"ssse3", 1, 2, 9}, {"sse4_2", 1, 2, 20},
        {"avx", 1, 2, 28},     {"fma", 1, 2, 12},    {"avx2", 7, 1, 5},  {"bmi2", 7, 1, 8},
        {"avx512f", 7, 1, 16}, {"sha_ni", 7, 1, 29}, {"aes", 1, 2, 25},
    };
    for (size_t k = 0; k < sizeof flags / sizeof flags[0]; k++) {
        unsigned r[4];
        __cpuid_count(flags[k].leaf, 0, r[0], r[1], r[2], r[3]);
        if ((int)(r[flags[k].reg] >> flags[k].bit & 1) != cpu_flag(flags[k].name))
            printf("cpuinfo and CPUID differ about %s\n", flags[k].name);
    }
    char text[8192];
    int processors = 0;
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && fgets(text, sizeof text, f))
        processors += strncmp(text, "processor", 9) == 0;
    if (f)
        fclose(f);
    say("as many processors", processors == sysconf(_SC_NPROCESSORS_ONLN));
}

int main(void) {
    links();
    cmdline("/proc/self/cmdline");
    cmdline("/proc/self/comm");
    cmdline("/proc/thread-self/comm");
    maps();
    descriptors();
    cpuinfo();
    return 0;
}
