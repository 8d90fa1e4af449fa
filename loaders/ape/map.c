/*
 * Putting the segments of an APE program into guest memory: whole pages of the file are mapped,
 * what is left is copied. What is mapped belongs to the address space. Main thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "ape.h"

struct mapper {
    const struct ape_file *file;
    const struct blink_mem_iface *api;
    struct blink_mem *mem;
    uint64_t mapped_end; /* past the last page that holds a segment */
    uint32_t last_prot;  /* of that page */
};

#define RW (BLINK_PROT_READ | BLINK_PROT_WRITE)

static int fail(const struct mapper *m, const struct ape_segment *s, int error) {
    const struct ape_file *f = m->file;
    uint64_t start = ape_page_down(s->start), size = ape_page_up(s->end) - start;
    if (error == -ENODATA) {
        blink_log(f->host, BLINK_LOG_ERROR, "%s: truncated: the file ends inside segment %u",
                  f->path, s->number);
        return -ENOEXEC;
    }
    if (error == -EEXIST) {
        blink_log(f->host, BLINK_LOG_ERROR,
                  "%s: segment %u: addresses 0x%" PRIx64 "-0x%" PRIx64
                  " are taken by the host; run it with -m",
                  f->path, s->number, start, start + size);
        return -ENOMEM;
    }
    blink_log(f->host, BLINK_LOG_ERROR,
              "%s: segment %u: cannot map 0x%" PRIx64 " bytes at 0x%" PRIx64 ": %s", f->path,
              s->number, size, start, strerror(-error));
    return error;
}

/* Take the pages [from, to), which nothing of the host may be on. Page 0 cannot be asked for
 * without FIXED: 0 is no hint. */
static int reserve(const struct mapper *m, uint64_t from, uint64_t to) {
    uint64_t got;
    uint32_t how = from ? BLINK_MAP_NOREPLACE : BLINK_MAP_FIXED;
    if (from == to)
        return 0;
    return m->api->map(m->mem, from, to - from, RW, BLINK_MAP_ANON | how, -1, 0, &got);
}

/* The bytes of the segment that belong at [from, to), all of which are from the file. */
static int copy_bytes(const struct mapper *m, const struct ape_segment *s, uint64_t from,
                      uint64_t to) {
    uint8_t buffer[16384];
    while (from < to) {
        uint64_t want = to - from < sizeof buffer ? to - from : sizeof buffer;
        int64_t n = ape_read(m->file, s->offset + (from - s->start), buffer, want);
        if (n < 0)
            return (int)n;
        if ((uint64_t)n < want)
            return -ENODATA;
        int r = m->api->copy_out(m->mem, from, buffer, want);
        if (r < 0)
            return r;
        from += want;
    }
    return 0;
}

/* Map those of the pages from `from` that the file has whole; *out is where they end. None if
 * file and memory differ modulo the page, or the file cannot be mapped. */
static int map_whole_pages(const struct mapper *m, const struct ape_segment *s, uint64_t from,
                           uint64_t *out) {
    uint64_t to = ape_page_down(s->file_end), got;
    *out = from;
    if (!m->file->size || (s->offset - s->start) % BLINK_PAGE_SIZE || to <= from)
        return 0;
    int r = m->api->map(m->mem, from, to - from, s->prot, BLINK_MAP_FIXED, m->file->fd,
                        s->offset + from - s->start, &got);
    if (r == -ENODEV || r == -EACCES || r == -EPERM)
        return 0; /* its file system cannot, or forbids execution */
    if (r < 0)
        return r;
    *out = to;
    return 0;
}

/* The page at mapped_end - 4096 holds the end of the segment before and the start of this one:
 * add the bytes of this one, and allow what either of them allows. */
static int share_page(struct mapper *m, const struct ape_segment *s) {
    uint64_t page = m->mapped_end - BLINK_PAGE_SIZE;
    uint64_t end = s->file_end < m->mapped_end ? s->file_end : m->mapped_end;
    int r = m->api->protect(m->mem, page, BLINK_PAGE_SIZE, RW);
    if (r == 0)
        r = copy_bytes(m, s, s->start, end);
    m->last_prot |= s->prot;
    if (r == 0)
        r = m->api->protect(m->mem, page, BLINK_PAGE_SIZE, m->last_prot);
    return r;
}

static int map_segment(struct mapper *m, const struct ape_segment *s) {
    uint64_t from = ape_page_down(s->start), to = ape_page_up(s->end), rest;
    int r = 0;
    if (m->mapped_end > from) {
        from = m->mapped_end;
        r = share_page(m, s);
        if (r < 0 || to == from)
            return r;
    }
    r = reserve(m, from, to);
    if (r == 0)
        r = map_whole_pages(m, s, from, &rest);
    if (r == 0)
        r = copy_bytes(m, s, rest > s->start ? rest : s->start, s->file_end);
    if (r == 0 && to > rest)
        r = m->api->protect(m->mem, rest, to - rest, s->prot);
    m->last_prot = s->prot;
    m->mapped_end = to;
    return r;
}

int ape_map(const struct ape_file *file, const struct blink_mem_iface *api, struct blink_mem *mem) {
    struct mapper m = {.file = file, .api = api, .mem = mem};
    for (uint32_t k = 0; k < file->segments; k++) {
        int r = map_segment(&m, &file->segment[k]);
        if (r < 0)
            return fail(&m, &file->segment[k], r);
    }
    return 0;
}
