/*
 * Putting the segments of a checked ELF file into guest memory. What is mapped belongs to the
 * address space. Main thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#ifdef __linux__
  #include <sys/personality.h>
#endif

#include "elf.h"

/* Room kept free for the heap above a program that can be placed anywhere. */
#define HEAP_ROOM (UINT64_C(256) << 20)

/* Places tried for a program before map() may choose. */
#define PLACE_TRIES 16

/* Bits of randomness in pages, as Linux has for x86-64. */
#define RANDOM_BITS 28

struct mapper {
    const struct elf_file *file;
    const struct blink_mem_iface *api;
    struct blink_mem *mem;
    uint64_t bias;
    uint64_t mapped_end; /* past the last page that holds a segment */
    uint32_t last_prot;  /* of that page */
};

static int fail(const struct mapper *m, const struct elf_segment *s, int error) {
    uint64_t start = elf_page_down(s->start) + m->bias;
    uint64_t size = elf_page_up(s->end) - elf_page_down(s->start);
    if (error == -EEXIST)
        elf_refuse(m->file,
                   "segment %u: addresses 0x%" PRIx64 "-0x%" PRIx64
                   " are taken by the host; run it with -m",
                   s->number, start, start + size);
    else
        elf_refuse(m->file, "segment %u: cannot map 0x%" PRIx64 " bytes at 0x%" PRIx64 ": %s",
                   s->number, size, start, strerror(-error));
    return error == -EEXIST ? -ENOMEM : error;
}

/* ---- placement ---- */

static int reserve(const struct mapper *m, uint64_t address, uint64_t size, uint64_t *out) {
    return m->api->map(m->mem, address, size, 0,
                       BLINK_MAP_ANON | BLINK_MAP_NORESERVE | (address ? BLINK_MAP_NOREPLACE : 0),
                       -1, 0, out);
}

static bool randomised(void) {
#ifdef __linux__
    int p = personality(0xffffffff);
    return p == -1 || !(p & ADDR_NO_RANDOMIZE);
#else
    return true;
#endif
}

static uint64_t random_pages(void) {
    uint64_t v = 0;
    if (getrandom(&v, sizeof v, GRND_NONBLOCK) != (ssize_t)sizeof v)
        return 0;
    return (v & ((UINT64_C(1) << RANDOM_BITS) - 1)) * BLINK_PAGE_SIZE;
}

/* Reserve `size` bytes whose address is a multiple of `alignment`, anywhere. */
static int reserve_anywhere(const struct mapper *m, uint64_t size, uint64_t alignment,
                            uint64_t *out) {
    uint64_t slack = alignment > BLINK_PAGE_SIZE ? alignment : 0, at;
    if (slack > UINT64_MAX - size)
        return -ENOMEM;
    int r = reserve(m, 0, size + slack, &at);
    if (r < 0)
        return r;
    uint64_t start = (at + alignment - 1) & ~(alignment - 1);
    if (start > at)
        m->api->unmap(m->mem, at, start - at);
    if (start - at < slack)
        m->api->unmap(m->mem, start + size, slack - (start - at));
    *out = start;
    return 0;
}

/* Reserve the span of a program: two thirds up, like Linux, and with room for its heap. */
static int reserve_program(const struct mapper *m, uint64_t size, uint64_t alignment,
                           uint64_t *out) {
    uint64_t middle = elf_page_down(m->file->top / 3 * 2);
    bool random = randomised();
    for (uint64_t k = 0; k < PLACE_TRIES; k++) {
        uint64_t at = middle + (random ? random_pages() : k * HEAP_ROOM), got;
        at = (at + alignment - 1) & ~(alignment - 1);
        if (at < middle || at > m->file->top || m->file->top - at < size ||
            m->file->top - at - size < HEAP_ROOM)
            continue;
        if (reserve(m, at, size + HEAP_ROOM, &got) < 0)
            continue;
        m->api->unmap(m->mem, at + size, HEAP_ROOM);
        *out = at;
        return 0;
    }
    return reserve_anywhere(m, size, alignment, out);
}

/* Reserve the span of an ET_DYN file; the address of byte 0 becomes the bias. */
static int place_dyn(struct mapper *m, enum elf_place place) {
    const struct elf_file *f = m->file;
    const struct elf_segment *first = &f->segment[0], *last = &f->segment[f->segments - 1];
    uint64_t alignment = BLINK_PAGE_SIZE, at;
    for (uint32_t k = 0; k < f->segments; k++)
        if (f->segment[k].alignment > alignment)
            alignment = f->segment[k].alignment;
    /* The bias is a multiple of the alignment if the span begins at one, counted from 0. */
    uint64_t lo = elf_page_down(first->start) & ~(alignment - 1), hi = elf_page_up(last->end);
    int r = place == ELF_PLACE_PROGRAM ? reserve_program(m, hi - lo, alignment, &at)
                                       : reserve_anywhere(m, hi - lo, alignment, &at);
    if (r < 0)
        return fail(m, first, r);
    m->bias = at - lo;
    if (elf_page_down(first->start) > lo)
        m->api->unmap(m->mem, at, elf_page_down(first->start) - lo);
    return 0;
}

/* Reserve the pages of each segment of an ET_EXEC file, so that nothing of the host is hit. */
static int place_exec(struct mapper *m) {
    uint64_t done = 0, got;
    for (uint32_t k = 0; k < m->file->segments; k++) {
        const struct elf_segment *s = &m->file->segment[k];
        uint64_t lo = elf_page_down(s->start), hi = elf_page_up(s->end);
        if (lo < done)
            lo = done;
        /* Page 0 cannot be asked for without FIXED: 0 is no hint. */
        int r = lo == hi ? 0
                : lo == 0
                    ? m->api->map(m->mem, 0, hi, 0, BLINK_MAP_ANON | BLINK_MAP_FIXED, -1, 0, &got)
                    : reserve(m, lo, hi - lo, &got);
        if (r < 0)
            return fail(m, s, r);
        done = hi;
    }
    return 0;
}

/* ---- contents ---- */

/* Copy `size` bytes of the file to writable guest memory. */
static int copy_file(const struct mapper *m, uint64_t address, uint64_t offset, uint64_t size) {
    uint8_t buffer[16384];
    while (size) {
        uint64_t n = size < sizeof buffer ? size : sizeof buffer;
        int r = elf_read(m->file, offset, buffer, n);
        if (r == 0)
            r = m->api->copy_out(m->mem, address, buffer, n);
        if (r < 0)
            return r;
        address += n, offset += n, size -= n;
    }
    return 0;
}

/* Clear from `address` to the end of its page, which is writable. */
static int clear_page_tail(const struct mapper *m, uint64_t address) {
    static const uint8_t zeros[BLINK_PAGE_SIZE];
    return m->api->copy_out(m->mem, address, zeros, elf_page_up(address) - address);
}

/* The page at mapped_end - 4096 holds the end of the segment before and the start of this one:
 * add the bytes of this one, and allow what either of them allows. */
static int share_page(struct mapper *m, const struct elf_segment *s) {
    uint64_t page = m->mapped_end - BLINK_PAGE_SIZE;
    uint64_t end = s->file_end + m->bias < m->mapped_end ? s->file_end + m->bias : m->mapped_end;
    uint64_t start = s->start + m->bias;
    int r = m->api->protect(m->mem, page, BLINK_PAGE_SIZE, BLINK_PROT_READ | BLINK_PROT_WRITE);
    if (r == 0 && end > start)
        r = copy_file(m, start, s->offset, end - start);
    if (r == 0 && s->end > s->file_end && end < m->mapped_end)
        r = clear_page_tail(m, end);
    m->last_prot |= s->prot;
    if (r == 0)
        r = m->api->protect(m->mem, page, BLINK_PAGE_SIZE, m->last_prot);
    return r;
}

/* Pages [from, to) of the segment, whose bytes come from the file: mapped where file and memory
 * agree modulo the page, else copied. The tail of the last page is cleared if memory goes on. */
static int map_file_pages(const struct mapper *m, const struct elf_segment *s, uint64_t from,
                          uint64_t to) {
    uint64_t start = s->start + m->bias, file_end = s->file_end + m->bias, got;
    bool clear = s->end > s->file_end && file_end < to;
    uint32_t edit = BLINK_PROT_READ | BLINK_PROT_WRITE;
    bool mapped = false;
    int r = -ENODEV;
    if (m->file->size && (s->offset - s->start) % BLINK_PAGE_SIZE == 0) {
        r = m->api->map(m->mem, from, to - from, clear ? edit : s->prot, BLINK_MAP_FIXED,
                        m->file->fd, s->offset + from - start, &got);
        mapped = r == 0;
    }
    if (r == -ENODEV || r == -EACCES || r == -EPERM) {
        /* The file cannot be mapped (its file system, or noexec): copy it. */
        uint64_t first = from > start ? from : start;
        r = m->api->map(m->mem, from, to - from, edit, BLINK_MAP_FIXED | BLINK_MAP_ANON, -1, 0,
                        &got);
        if (r == 0)
            r = copy_file(m, first, s->offset + (first - start), file_end - first);
    }
    if (r == 0 && clear)
        r = clear_page_tail(m, file_end);
    if (r == 0 && (clear || !mapped))
        r = m->api->protect(m->mem, from, to - from, s->prot);
    /* A mapped file gives its own name: where it is, not how it was called. */
    if (r == 0 && !mapped)
        r = m->api->set_name(m->mem, from, to - from, m->file->guest_path);
    return r;
}

static int map_segment(struct mapper *m, const struct elf_segment *s) {
    uint64_t from = elf_page_down(s->start) + m->bias, to = elf_page_up(s->end) + m->bias, got;
    uint64_t file_to = s->file_end > s->start ? elf_page_up(s->file_end) + m->bias : from;
    int r = 0;
    if (m->mapped_end > from) {
        r = share_page(m, s);
        from = m->mapped_end;
    }
    if (r == 0 && file_to > from) {
        r = map_file_pages(m, s, from, file_to);
        from = file_to;
    }
    if (r == 0 && to > from)
        r = m->api->map(m->mem, from, to - from, s->prot, BLINK_MAP_FIXED | BLINK_MAP_ANON, -1, 0,
                        &got);
    if (r == -ENODATA)
        return elf_refuse(m->file, "truncated: the file ends inside segment %u", s->number);
    if (r < 0)
        return fail(m, s, r);
    if (to > m->mapped_end) {
        m->last_prot = s->prot;
        m->mapped_end = to;
    }
    return 0;
}

int elf_map(const struct elf_file *file, const struct blink_mem_iface *api, struct blink_mem *mem,
            enum elf_place place, uint64_t *bias) {
    struct mapper m = {.file = file, .api = api, .mem = mem};
    bool dyn = file->ehdr.e_type == ET_DYN;
    int r = dyn ? place_dyn(&m, place) : place_exec(&m);
    for (uint32_t k = 0; r == 0 && k < file->segments; k++) {
        const struct elf_segment *s = &file->segment[k];
        uint64_t before = m.mapped_end, from = elf_page_down(s->start) + m.bias;
        r = map_segment(&m, s);
        /* Between the segments of a span nothing is mapped, as on Linux. */
        if (r == 0 && dyn && k > 0 && from > before)
            r = api->unmap(mem, before, from - before);
    }
    if (r == 0)
        *bias = m.bias;
    return r;
}
