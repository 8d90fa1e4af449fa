/*
 * What others see of this process in /proc: its arguments and environment, where the host's kernel
 * lets a process say where they lie, and its program, as the name of a mapping that other
 * instances look for. By the main thread at start; the lookups by any.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "linux.h"

#define MARK      "blink-program:" /* then the path, as the guest names it */
#define NAME_MOST 249              /* of a memory file */
#define DELETED   " (deleted)\n"   /* follows the name in /proc/PID/maps */

/* ---- the program ---- */

static void show_program(const struct lx_identity *id) {
    char name[NAME_MOST + 1];
    int n = snprintf(name, sizeof name, MARK "%s", id->exe_guest);
    if (n < 0 || (size_t)n >= sizeof name)
        return; /* too long to be told: others see blink */
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0)
        return;
    if (ftruncate(fd, BLINK_PAGE_SIZE) == 0) {
        /* For as long as the process runs this program. */
        void *p = mmap(NULL, BLINK_PAGE_SIZE, PROT_READ, MAP_SHARED, fd, 0);
        (void)p;
    }
    close(fd);
}

static bool is_blink(long pid) {
    char path[48], its[LX_PATH_MAX], ours[LX_PATH_MAX];
    snprintf(path, sizeof path, "/proc/%ld/exe", pid);
    ssize_t n = readlink(path, its, sizeof its);
    return n > 0 && n == readlink("/proc/self/exe", ours, sizeof ours) &&
           !memcmp(its, ours, (size_t)n);
}

/* The name out of a line of maps, where a newline is written "\012". */
static int unquote(const char *name, const char *end, char *out, size_t size) {
    size_t n = 0;
    while (name < end && n + 1 < size) {
        bool newline = end - name >= 4 && !memcmp(name, "\\012", 4);
        out[n++] = newline ? '\n' : *name;
        name += newline ? 4 : 1;
    }
    out[n] = 0;
    return name == end ? 0 : -ENAMETOOLONG;
}

int lx_program_of(long pid, char *out, size_t size) {
    char path[48], *line = NULL;
    size_t room = 0;
    int rc = -ENOENT;
    if (!is_blink(pid))
        return rc;
    snprintf(path, sizeof path, "/proc/%ld/maps", pid);
    FILE *f = fopen(path, "re");
    while (f && rc == -ENOENT && getline(&line, &room, f) > 0) {
        const char *name = strstr(line, "/memfd:" MARK);
        const char *end = name ? strstr(name, DELETED) : NULL;
        if (end)
            rc = unquote(name + sizeof "/memfd:" MARK - 1, end, out, size);
    }
    free(line);
    if (f)
        fclose(f);
    return rc;
}

/* ---- arguments and environment ---- */

/* The fields of /proc/self/stat that prctl wants to be told again. */
static bool present_layout(struct prctl_mm_map *map) {
    unsigned long long v[51] = {0};
    char line[2048];
    FILE *f = fopen("/proc/self/stat", "re");
    const char *rest = f && fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
    if (f)
        fclose(f);
    if (!rest)
        return false;
    rest += 2;
    for (int field = 3; field < 51 && *rest; field++) {
        v[field] = strtoull(rest, NULL, 10);
        rest += strcspn(rest, " ");
        rest += *rest == ' ';
    }
    *map = (struct prctl_mm_map){
        .start_code = v[26],
        .end_code = v[27],
        .start_stack = v[28],
        .start_data = v[45],
        .end_data = v[46],
        .start_brk = v[47],
        .brk = (uintptr_t)sbrk(0),
        .exe_fd = UINT32_MAX,
    };
    return true;
}

/* Where the guest's own strings are for the host, so that what it makes of them is seen; or the
 * copies of them, if they do not lie in one piece. */
static void strings_at(struct blink_plugin *self, struct blink_cpu *cpu, struct prctl_mm_map *map) {
    const struct lx_identity *id = &self->id;
    struct blink_mem_span span;
    uint32_t count = 1;
    uint64_t whole = id->env_end - id->arg_start, size = whole;
    map->arg_start = (uintptr_t)id->cmdline;
    map->arg_end = map->arg_start + id->cmdline_size;
    map->env_start = (uintptr_t)id->environ;
    map->env_end = map->env_start + id->environ_size;
    if (!whole || self->mem.pin(cpu->mem, id->arg_start, &size, BLINK_PROT_READ, &span, &count))
        return;
    self->mem.unpin(cpu->mem, id->arg_start, size, BLINK_PROT_READ);
    if (size == whole && count == 1) {
        map->arg_start = (uintptr_t)span.host;
        map->arg_end = map->env_start = map->arg_start + (id->arg_end - id->arg_start);
        map->env_end = map->arg_start + whole;
    }
}

void lx_show(struct blink_plugin *self, struct blink_cpu *cpu) {
    struct prctl_mm_map map;
    show_program(&self->id);
    if (!present_layout(&map))
        return;
    strings_at(self, cpu, &map);
    self->id.shown = prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0) == 0;
}
