/*
 * loader-flat: any file named *.bin as raw x86-64 code, put and entered at 0x400000 with 16 MiB of
 * zeros after it. Everything may be read, written and executed: such programs have no sections.
 * An instance holds nothing but its host. Main thread; probe from any.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <blink/host.h>
#include <blink/loader.h>
#include <blink/mem.h>

#define FLAT_BASE UINT64_C(0x400000)
#define FLAT_BSS  (UINT64_C(16) << 20)
/* Larger than anybody writes without sections; what is larger was named .bin for other reasons. */
#define FLAT_MAX (UINT64_C(64) << 20)
#define FLAT_RWX (BLINK_PROT_READ | BLINK_PROT_WRITE | BLINK_PROT_EXEC)

struct blink_plugin {
    const struct blink_host *host;
    struct blink_mem_iface api;
};

static int create(const struct blink_host *host, const char *args, struct blink_plugin **out) {
    static const struct blink_need needs[] = {{BLINK_NEED(BLINK_IFACE_MEM, api)}};
    return BLINK_CREATE(host, "loader flat", args, needs, out);
}

static void destroy(struct blink_plugin *self) {
    free(self);
}

static int32_t probe(struct blink_plugin *self, const struct blink_image *image) {
    static const char suffix[] = ".bin";
    size_t n = strlen(image->path), k = sizeof suffix - 1;
    (void)self;
    return n >= k && !strcmp(image->path + n - k, suffix) ? BLINK_PROBE_NAME : BLINK_PROBE_NO;
}

static uint64_t page_up(uint64_t a) {
    return (a + BLINK_PAGE_SIZE - 1) & ~(uint64_t)(BLINK_PAGE_SIZE - 1);
}

#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
static int
refuse(const struct blink_plugin *self, const struct blink_image *image, int error,
       const char *format, ...) {
    char text[512];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    blink_log(self->host, BLINK_LOG_ERROR, "%s: %s", image->path, text);
    return error;
}

/* The next bytes of the file: their number, 0 at its end, or -errno. */
static int64_t read_some(const struct blink_image *image, uint64_t offset, void *out, size_t size) {
    ssize_t n;
    if (offset < image->head_size) {
        size_t have = image->head_size - (size_t)offset;
        n = (ssize_t)(have < size ? have : size);
        memcpy(out, image->head + offset, (size_t)n);
        return n;
    }
    do
        n = pread(image->fd, out, size, (off_t)offset);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* The whole file to guest memory, at most `room` bytes; how many there were in *size. */
static int copy_file(const struct blink_plugin *self, struct blink_mem *mem,
                     const struct blink_image *image, uint64_t room, uint64_t *size) {
    uint8_t buffer[16384];
    uint64_t done = 0;
    while (done < room) {
        size_t want = room - done < sizeof buffer ? (size_t)(room - done) : sizeof buffer;
        int64_t n = read_some(image, done, buffer, want);
        if (n < 0)
            return refuse(self, image, (int)n, "cannot read it: %s", strerror((int)-n));
        if (n == 0)
            break;
        int r = self->api.copy_out(mem, FLAT_BASE + done, buffer, (size_t)n);
        if (r < 0)
            return refuse(self, image, r, "cannot fill 0x%" PRIx64 ": %s", FLAT_BASE + done,
                          strerror(-r));
        done += (uint64_t)n;
    }
    *size = done;
    return 0;
}

static int too_large(const struct blink_plugin *self, const struct blink_image *image) {
    return refuse(self, image, -ENOEXEC, "too large: flat code has at most %u MiB",
                  (unsigned)(FLAT_MAX >> 20));
}

/* The pages' name in /proc/self/maps: that of the file, whatever link it was called by. */
static void name_pages(const struct blink_plugin *self, struct blink_mem *mem,
                       const struct blink_image *image, uint64_t size) {
    char link[32], name[256];
    struct stat named, file;
    snprintf(link, sizeof link, "/proc/self/fd/%d", image->fd);
    ssize_t n = readlink(link, name, sizeof name - 1);
    name[n > 0 ? n : 0] = 0;
    bool known = n > 0 && stat(name, &named) == 0 && fstat(image->fd, &file) == 0 &&
                 named.st_dev == file.st_dev && named.st_ino == file.st_ino;
    self->api.set_name(mem, FLAT_BASE, page_up(size), known ? name : image->guest_path);
}

/* Map room for the code and the zeros after it, and fill in the code. A file of unknown size gets
 * all the room there may be, and gives back what it leaves. */
static int place(const struct blink_plugin *self, struct blink_mem *mem,
                 const struct blink_image *image, uint64_t *size) {
    uint64_t room = image->size ? image->size : FLAT_MAX + 1, got;
    uint64_t span = page_up(room) + FLAT_BSS;
    int r = self->api.map(mem, FLAT_BASE, span, FLAT_RWX, BLINK_MAP_ANON | BLINK_MAP_NOREPLACE, -1,
                          0, &got);
    if (r == -EEXIST)
        return refuse(self, image, -ENOMEM,
                      "addresses 0x%" PRIx64 "-0x%" PRIx64 " are taken by the host; run it with -m",
                      FLAT_BASE, FLAT_BASE + span);
    if (r < 0)
        return refuse(self, image, r, "cannot map 0x%" PRIx64 " bytes at 0x%" PRIx64 ": %s", span,
                      FLAT_BASE, strerror(-r));
    r = copy_file(self, mem, image, room, size);
    if (r < 0)
        return r;
    if (*size > FLAT_MAX)
        return too_large(self, image);
    if (*size == 0)
        return refuse(self, image, -ENOEXEC, "empty file");
    if (image->size && *size < image->size)
        return refuse(self, image, -ENOEXEC,
                      "truncated while it was read: %" PRIu64 " of %" PRIu64 " bytes", *size,
                      image->size);
    uint64_t used = page_up(*size) + FLAT_BSS;
    if (used < span)
        self->api.unmap(mem, FLAT_BASE + used, span - used);
    name_pages(self, mem, image, *size);
    return 0;
}

static int load(struct blink_plugin *self, struct blink_mem *mem, const struct blink_image *image,
                struct blink_program *program) {
    struct blink_program found = {.struct_size = sizeof found, .abi = "linux"};
    uint32_t room = program->struct_size;
    uint64_t size;
    if (image->size > FLAT_MAX)
        return too_large(self, image);
    if (image->size == 0 && image->head_size == 0)
        return refuse(self, image, -ENOEXEC, "empty file");
    int r = place(self, mem, image, &size);
    if (r < 0)
        return r;
    found.start = found.entry = FLAT_BASE;
    found.code_start = found.data_start = FLAT_BASE;
    found.code_end = found.data_end = FLAT_BASE + size;
    found.brk = FLAT_BASE + page_up(size) + FLAT_BSS;
    memcpy(program, &found, room && room < sizeof found ? room : sizeof found);
    program->struct_size = room ? room : sizeof found;
    return 0;
}

static const struct blink_loader_ops ops = {
    .plugin = {.struct_size = sizeof ops, .create = create, .destroy = destroy},
    .probe = probe,
    .load = load,
};

static const struct blink_manifest manifest = {
    .struct_size = sizeof manifest,
    .kind = BLINK_KIND_LOADER,
    .name = "flat",
    .version = "0.1.0",
    .summary = "raw x86-64 code in files named *.bin",
    .licence = "ISC",
    .vtable = &ops,
};

BLINK_PLUGIN_DEFINE(&manifest);
