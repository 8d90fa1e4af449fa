/*
 * The files of /proc that tell of the process: written here as Linux would write them of the
 * guest, into memory files that the guest then reads. What is in them is as of their opening. On
 * the vCPU's thread.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "arg.h"
#include "procfs.h"

/* ---- maps ---- */

/* Linux pads to the column where names begin. */
#define NAME_COLUMN 73

static const char *region_name(const struct blink_plugin *abi, const struct blink_mem_region *r) {
    const char *guest = r->name[0] == '/' ? lx_guest_name(abi, r->name) : NULL;
    return guest ? guest : r->name;
}

static void write_region(FILE *f, const struct blink_plugin *abi,
                         const struct blink_mem_region *r) {
    const char *name = region_name(abi, r);
    int n =
        fprintf(f, "%08llx-%08llx %c%c%c%c %08llx %02x:%02x %llu ", (unsigned long long)r->start,
                (unsigned long long)r->end, r->prot & BLINK_PROT_READ ? 'r' : '-',
                r->prot & BLINK_PROT_WRITE ? 'w' : '-', r->prot & BLINK_PROT_EXEC ? 'x' : '-',
                r->flags & BLINK_MAP_SHARED ? 's' : 'p', (unsigned long long)r->offset,
                major(r->device), minor(r->device), (unsigned long long)r->inode);
    if (*name)
        fprintf(f, "%*s%s", n < NAME_COLUMN ? NAME_COLUMN - n : 0, "", name);
    fputc('\n', f);
}

/* What blink cannot know of the host's pages without asking for each: taken as all resident. */
static void write_usage(FILE *f, const struct blink_mem_region *r) {
    unsigned long long kb = (r->end - r->start) >> 10;
    unsigned long long resident = r->prot ? kb : 0;
    bool shared = r->flags & BLINK_MAP_SHARED;
    fprintf(f,
            "Size:           %8llu kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n"
            "Rss:            %8llu kB\nPss:            %8llu kB\nShared_Clean:   %8llu kB\n"
            "Shared_Dirty:          0 kB\nPrivate_Clean:         0 kB\nPrivate_Dirty:  %8llu kB\n"
            "Referenced:     %8llu kB\nAnonymous:      %8llu kB\nSwap:                  0 kB\n"
            "SwapPss:               0 kB\nLocked:                0 kB\n",
            kb, resident, resident, shared ? resident : 0, shared ? 0 : resident, resident,
            r->inode ? 0 : resident);
}

/* What fault.c answers calls into. */
static const struct blink_mem_region vsyscall = {
    .prot = BLINK_PROT_EXEC,
    .start = UINT64_C(0xffffffffff600000),
    .end = UINT64_C(0xffffffffff601000),
    .name = "[vsyscall]",
};

static void for_each_region(struct lx_call *c, FILE *f, bool usage) {
    struct blink_mem_region r = {.struct_size = sizeof r};
    for (uint64_t at = 0; c->abi->mem.query(c->cpu->mem, at, &r) == 0 && r.end > at; at = r.end) {
        write_region(f, c->abi, &r);
        if (usage)
            write_usage(f, &r);
    }
    write_region(f, c->abi, &vsyscall);
    if (usage)
        write_usage(f, &vsyscall);
}

static int write_maps(struct lx_call *c, const char *folder, FILE *f) {
    (void)folder;
    for_each_region(c, f, false);
    return 0;
}

static int write_smaps(struct lx_call *c, const char *folder, FILE *f) {
    (void)folder;
    for_each_region(c, f, true);
    return 0;
}

/* ---- identity ---- */

static int write_cmdline(struct lx_call *c, const char *folder, FILE *f) {
    (void)folder;
    fwrite(c->abi->id.cmdline, 1, c->abi->id.cmdline_size, f);
    return 0;
}

static int write_environ(struct lx_call *c, const char *folder, FILE *f) {
    (void)folder;
    fwrite(c->abi->id.environ, 1, c->abi->id.environ_size, f);
    return 0;
}

static int write_auxv(struct lx_call *c, const char *folder, FILE *f) {
    (void)folder;
    fwrite(c->abi->id.auxv, 1, c->abi->id.auxv_size, f);
    return 0;
}

/* ---- stat ---- */

/* Fields of proc(5), "/proc/pid/stat", that describe the address space. */
enum {
    VSIZE = 23,
    START_CODE = 26,
    END_CODE,
    START_STACK,
    STACK_POINTER,
    INSTRUCTION_POINTER,
    START_DATA = 45,
    END_DATA,
    START_BRK,
    ARG_START,
    ARG_END,
    ENV_START,
    ENV_END,
    FIELDS = 64,
};

/* The program's own regions, by the protection that code and data have. */
static void describe_space(struct lx_call *c, uint64_t value[FIELDS]) {
    struct blink_mem_region r = {.struct_size = sizeof r};
    const char *exe = c->abi->id.exe_host;
    for (uint64_t at = 0; c->abi->mem.query(c->cpu->mem, at, &r) == 0 && r.end > at; at = r.end) {
        value[VSIZE] += r.end - r.start;
        if (!strcmp(r.name, "[stack]"))
            value[START_STACK] = r.end;
        if (!exe || strcmp(r.name, exe))
            continue;
        bool code = r.prot & BLINK_PROT_EXEC, data = r.prot & BLINK_PROT_WRITE;
        if (code && !value[START_CODE])
            value[START_CODE] = r.start;
        if (code)
            value[END_CODE] = r.end;
        if (data && !value[START_DATA])
            value[START_DATA] = r.start;
        if (data)
            value[END_DATA] = r.end;
    }
    value[START_BRK] = c->abi->brk_start;
    value[ARG_START] = c->abi->id.arg_start;
    value[ARG_END] = value[ENV_START] = c->abi->id.arg_end;
    value[ENV_END] = c->abi->id.env_end;
}

static bool is_ours(int field) {
    return field == VSIZE || (field >= START_CODE && field <= INSTRUCTION_POINTER) ||
           (field >= START_DATA && field <= ENV_END);
}

/* The host's own file, which is small. */
static int read_host(const char *folder, const char *name, char *text, size_t size) {
    char path[LX_PROC_FOLDER + 16];
    snprintf(path, sizeof path, "%s%s", folder, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
    if (fd < 0)
        return -errno;
    close(fd);
    text[n > 0 ? n : 0] = 0;
    return 0;
}

/* The host's line with the fields of the address space replaced. */
static int write_stat(struct lx_call *c, const char *folder, FILE *f) {
    uint64_t value[FIELDS] = {0};
    char line[2048];
    int rc = read_host(folder, "stat", line, sizeof line);
    if (rc)
        return rc;
    char *rest = strrchr(line, ')'); /* a name may hold spaces and brackets */
    if (!rest)
        return -EIO;
    describe_space(c, value);
    fprintf(f, "%.*s", (int)(rest + 1 - line), line);
    int field = 3;
    for (char *save, *word = strtok_r(rest + 1, " \n", &save); word;
         word = strtok_r(NULL, " \n", &save), field++) {
        if (field < FIELDS && is_ours(field))
            fprintf(f, " %llu", (unsigned long long)value[field]);
        else
            fprintf(f, " %s", word);
    }
    fputc('\n', f);
    return 0;
}

/* ---- status, statm ---- */

static uint64_t space_size(struct lx_call *c) {
    struct blink_mem_region r = {.struct_size = sizeof r};
    uint64_t sum = 0;
    for (uint64_t at = 0; c->abi->mem.query(c->cpu->mem, at, &r) == 0 && r.end > at; at = r.end)
        sum += r.end - r.start;
    return sum;
}

/* The host counts what blink has reserved; what is resident is near enough. */
static int write_status(struct lx_call *c, const char *folder, FILE *f) {
    char text[8192];
    int rc = read_host(folder, "status", text, sizeof text);
    unsigned long long kb = rc ? 0 : space_size(c) >> 10;
    for (char *save, *line = rc ? NULL : strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        if (!strncmp(line, "VmPeak:", 7) || !strncmp(line, "VmSize:", 7))
            fprintf(f, "%.7s\t%8llu kB\n", line, kb);
        else
            fprintf(f, "%s\n", line);
    }
    return rc;
}

static int write_statm(struct lx_call *c, const char *folder, FILE *f) {
    char text[256];
    int rc = read_host(folder, "statm", text, sizeof text);
    if (rc == 0)
        fprintf(f, "%llu%s", (unsigned long long)(space_size(c) / BLINK_PAGE_SIZE),
                text + strcspn(text, " \n"));
    return rc;
}

static int write_processors(struct lx_call *c, const char *folder, FILE *f) {
    (void)folder;
    return lx_write_cpuinfo(c, f);
}

/* ---- opening ---- */

static const struct {
    const char *name;
    int (*write)(struct lx_call *c, const char *folder, FILE *f);
    bool shown; /* if the host has been told, its own file is better */
} files[] = {
    {"maps", write_maps, false},          {"smaps", write_smaps, false},
    {"cmdline", write_cmdline, true},     {"environ", write_environ, true},
    {"auxv", write_auxv, false},          {"stat", write_stat, false},
    {"status", write_status, false},      {"statm", write_statm, false},
    {"cpuinfo", write_processors, false},
};
#define FILES (sizeof files / sizeof files[0])

/* A read-only descriptor of what was written. */
static int reopen(int fd, int flags) {
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int readable = open(link, O_RDONLY | (flags & (O_CLOEXEC | O_NONBLOCK)));
    int rc = readable < 0 ? -errno : readable;
    close(fd);
    return rc;
}

static int make(struct lx_call *c, size_t which, const char *folder, int flags) {
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);
    int rc = f ? files[which].write(c, folder, f) : -ENOMEM;
    if (f && fclose(f) != 0 && rc == 0)
        rc = -ENOMEM;
    int fd = rc == 0 ? memfd_create(files[which].name, MFD_CLOEXEC) : -1;
    if (rc == 0 && fd < 0)
        rc = -errno;
    for (size_t done = 0; rc == 0 && done < size;) {
        ssize_t n = write(fd, text + done, size - done);
        if (n < 0)
            rc = -errno;
        else
            done += (size_t)n;
    }
    free(text);
    if (rc == 0)
        return reopen(fd, flags);
    if (fd >= 0)
        close(fd);
    return rc;
}

static int open_host(const char *folder, const char *name, int flags) {
    char path[LX_PROC_FOLDER + 16];
    snprintf(path, sizeof path, "%s%s", folder, name);
    return (int)lx_result(open(path, O_RDONLY | (flags & (O_CLOEXEC | O_NONBLOCK))));
}

int lx_proc_open(struct lx_call *c, const char *file, const char *folder, int flags) {
    size_t k = 0;
    /* The host's file is blink's memory, not the guest's. */
    if (!strcmp(file, "mem"))
        return -EACCES;
    while (k < FILES && strcmp(file, files[k].name))
        k++;
    if (k == FILES)
        return -ENOENT;
    if (flags & O_DIRECTORY)
        return -ENOTDIR;
    if ((flags & O_ACCMODE) != O_RDONLY)
        return -EACCES;
    return files[k].shown && c->abi->id.shown ? open_host(folder, file, flags)
                                              : make(c, k, folder, flags);
}
