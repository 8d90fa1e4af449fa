/*
 * The fake host's memory: a sorted list of regions and a hash of pages, made when first touched.
 * Files are read when they are mapped.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

#define PAGE_MASK ((uint64_t)BLINK_PAGE_SIZE - 1)

void fake_mem_init(struct blink_mem *mem) {
    mem->low = 0x10000;
    mem->high = UINT64_C(0x7ffff0000000);
    mem->top = UINT64_C(0x7ffffffff000);
}

static uint64_t page_of(uint64_t address) {
    return address & ~PAGE_MASK;
}

static struct fake_page **bucket_of(struct blink_mem *mem, uint64_t address) {
    return &mem->bucket[(address / BLINK_PAGE_SIZE) % FAKE_BUCKETS];
}

/* The bytes of the page at `address`, which is mapped. */
static uint8_t *page_bytes(struct blink_mem *mem, uint64_t address) {
    struct fake_page **bucket = bucket_of(mem, address), *p = *bucket;
    while (p && p->address != page_of(address))
        p = p->next;
    if (!p) {
        p = fake_alloc(sizeof *p);
        p->address = page_of(address);
        p->next = *bucket;
        *bucket = p;
        mem->pages++;
    }
    return p->bytes;
}

/* Forget the contents of [start, end). */
static void drop_pages(struct blink_mem *mem, uint64_t start, uint64_t end) {
    for (size_t k = 0; k < FAKE_BUCKETS; k++)
        for (struct fake_page **link = &mem->bucket[k]; *link;) {
            struct fake_page *p = *link;
            if (p->address >= start && p->address < end) {
                *link = p->next;
                free(p);
                mem->pages--;
            } else {
                link = &p->next;
            }
        }
}

void fake_mem_finish(struct blink_mem *mem) {
    drop_pages(mem, 0, UINT64_MAX);
    free(mem->region);
}

/* The first region that ends above `address`, or `regions`. */
static size_t find(const struct blink_mem *mem, uint64_t address) {
    size_t k = 0;
    while (k < mem->regions && mem->region[k].end <= address)
        k++;
    return k;
}

static void insert(struct blink_mem *mem, const struct blink_mem_region *region) {
    size_t at = find(mem, region->start);
    struct blink_mem_region *grown = realloc(mem->region, (mem->regions + 1) * sizeof *mem->region);
    if (!grown)
        abort();
    mem->region = grown;
    memmove(&grown[at + 1], &grown[at], (mem->regions - at) * sizeof *grown);
    grown[at] = *region;
    mem->regions++;
}

/* Let no region cross `address`. */
static void split(struct blink_mem *mem, uint64_t address) {
    size_t k = find(mem, address);
    if (k == mem->regions || mem->region[k].start >= address)
        return;
    struct blink_mem_region upper = mem->region[k];
    mem->region[k].end = address;
    upper.offset += address - upper.start;
    upper.start = address;
    insert(mem, &upper);
}

/* Take [start, end) out of the list. */
static void cut(struct blink_mem *mem, uint64_t start, uint64_t end) {
    split(mem, start);
    split(mem, end);
    size_t from = find(mem, start), to = from;
    while (to < mem->regions && mem->region[to].end <= end)
        to++;
    if (to > from)
        memmove(&mem->region[from], &mem->region[to], (mem->regions - to) * sizeof *mem->region);
    mem->regions -= to - from;
    drop_pages(mem, start, end);
}

static bool taken(const struct blink_mem *mem, uint64_t start, uint64_t end) {
    size_t k = find(mem, start);
    return k < mem->regions && mem->region[k].start < end;
}

static bool blocked(const struct blink_mem *mem, uint64_t start, uint64_t end) {
    return start < mem->block_end && mem->block_start < end;
}

/* Whether all of [start, end) is mapped. */
static bool whole(const struct blink_mem *mem, uint64_t start, uint64_t end) {
    for (size_t k = find(mem, start); start < end; k++) {
        if (k == mem->regions || mem->region[k].start > start)
            return false;
        start = mem->region[k].end;
    }
    return true;
}

/* The highest free range of `size` bytes in [low, high), or 0. */
static uint64_t choose(const struct blink_mem *mem, uint64_t size, uint64_t low, uint64_t high) {
    uint64_t end = high;
    while (end >= low && end - low >= size) {
        uint64_t start = end - size;
        if (blocked(mem, start, end)) {
            end = mem->block_start;
            continue;
        }
        size_t k = find(mem, start);
        if (k == mem->regions || mem->region[k].start >= end)
            return start;
        end = mem->region[k].start;
    }
    return 0;
}

static bool page_range(const struct blink_mem *mem, uint64_t address, uint64_t *size) {
    if (address & PAGE_MASK || *size == 0 || *size > mem->top)
        return false;
    *size = (*size + PAGE_MASK) & ~PAGE_MASK;
    return address <= mem->top && *size <= mem->top - address;
}

static void read_file(struct blink_mem *mem, int fd, uint64_t address, uint64_t size,
                      uint64_t offset) {
    for (uint64_t done = 0; done < size; done += BLINK_PAGE_SIZE) {
        uint8_t bytes[BLINK_PAGE_SIZE];
        ssize_t n = pread(fd, bytes, sizeof bytes, (off_t)(offset + done));
        if (n <= 0)
            return;
        memcpy(page_bytes(mem, address + done), bytes, (size_t)n);
    }
}

static int mem_map(struct blink_mem *mem, uint64_t address, uint64_t size, uint32_t prot,
                   uint32_t flags, int32_t fd, uint64_t offset, uint64_t *out) {
    struct stat st = {0};
    if (mem->fail_after && --mem->fail_after == 0)
        return mem->fail_error;
    if (size == 0 || address & PAGE_MASK || offset & PAGE_MASK)
        return -EINVAL;
    if (!page_range(mem, address, &size))
        return -ENOMEM;
    if (!(flags & BLINK_MAP_ANON)) {
        if (fstat(fd, &st) < 0)
            return -EBADF;
        if (!S_ISREG(st.st_mode))
            return -ENODEV;
    }
    if (flags & BLINK_MAP_NOREPLACE) {
        if (taken(mem, address, address + size) || blocked(mem, address, address + size))
            return -EEXIST;
    } else if (flags & BLINK_MAP_FIXED) {
        if (blocked(mem, address, address + size))
            return -ENOMEM;
    } else if (!address || taken(mem, address, address + size) ||
               blocked(mem, address, address + size)) {
        address =
            choose(mem, size, mem->low, flags & BLINK_MAP_32BIT ? UINT64_C(0x80000000) : mem->high);
        if (!address)
            return -ENOMEM;
    }
    cut(mem, address, address + size);
    struct blink_mem_region region = {
        .struct_size = sizeof region,
        .prot = prot,
        .start = address,
        .end = address + size,
        .offset = flags & BLINK_MAP_ANON ? 0 : offset,
        .inode = st.st_ino,
        .device = st.st_dev,
        .flags = flags & (BLINK_MAP_SHARED | BLINK_MAP_ANON | BLINK_MAP_GROWSDOWN),
    };
    insert(mem, &region);
    if (!(flags & BLINK_MAP_ANON))
        read_file(mem, fd, address, size, offset);
    *out = address;
    return 0;
}

static int mem_unmap(struct blink_mem *mem, uint64_t address, uint64_t size) {
    if (!page_range(mem, address, &size))
        return -EINVAL;
    cut(mem, address, address + size);
    return 0;
}

static int mem_protect(struct blink_mem *mem, uint64_t address, uint64_t size, uint32_t prot) {
    if (address & PAGE_MASK)
        return -EINVAL;
    if (size == 0)
        return 0;
    if (!page_range(mem, address, &size) || !whole(mem, address, address + size))
        return -ENOMEM;
    split(mem, address);
    split(mem, address + size);
    for (size_t k = find(mem, address); k < mem->regions; k++)
        if (mem->region[k].start < address + size)
            mem->region[k].prot = prot;
    return 0;
}

/* Grow or move by copying what there is. */
static int mem_remap(struct blink_mem *mem, uint64_t address, uint64_t old_size, uint64_t new_size,
                     uint32_t flags, uint64_t new_address, uint64_t *out) {
    if (!page_range(mem, address, &old_size) || !page_range(mem, 0, &new_size))
        return -EINVAL;
    if (!whole(mem, address, address + old_size))
        return -EFAULT;
    struct blink_mem_region r = mem->region[find(mem, address)];
    bool fixed = flags & BLINK_REMAP_FIXED;
    if (!fixed && new_size <= old_size) {
        if (new_size < old_size)
            cut(mem, address + new_size, address + old_size);
        *out = address;
        return 0;
    }
    bool fits = !fixed && !taken(mem, address + old_size, address + new_size) &&
                !blocked(mem, address + old_size, address + new_size);
    if (!fits && !(flags & BLINK_REMAP_MAYMOVE))
        return -ENOMEM;
    uint64_t to = fits ? address : fixed ? new_address : choose(mem, new_size, mem->low, mem->high);
    if (!to)
        return -ENOMEM;
    uint64_t keep = old_size < new_size ? old_size : new_size;
    uint8_t *copy = fake_alloc(keep);
    for (uint64_t n = 0; n < keep; n += BLINK_PAGE_SIZE)
        memcpy(copy + n, page_bytes(mem, address + n), BLINK_PAGE_SIZE);
    if (!(flags & BLINK_REMAP_DONTUNMAP))
        cut(mem, address, address + old_size);
    cut(mem, to, to + new_size);
    r.start = to;
    r.end = to + new_size;
    insert(mem, &r);
    for (uint64_t n = 0; n < keep; n += BLINK_PAGE_SIZE)
        memcpy(page_bytes(mem, to + n), copy + n, BLINK_PAGE_SIZE);
    free(copy);
    *out = to;
    return 0;
}

static int mem_advise(struct blink_mem *mem, uint64_t address, uint64_t size, uint32_t advice) {
    if (address & PAGE_MASK)
        return -EINVAL;
    if (size == 0)
        return 0;
    if (!page_range(mem, address, &size) || !whole(mem, address, address + size))
        return -ENOMEM;
    for (uint64_t a = address; advice == BLINK_ADVISE_DONTNEED && a < address + size;
         a += BLINK_PAGE_SIZE)
        if (mem->region[find(mem, a)].flags & BLINK_MAP_ANON)
            drop_pages(mem, a, a + BLINK_PAGE_SIZE);
    return 0;
}

static int mem_sync(struct blink_mem *mem, uint64_t address, uint64_t size, int32_t flags) {
    (void)flags;
    if (address & PAGE_MASK)
        return -EINVAL;
    if (size && (!page_range(mem, address, &size) || !whole(mem, address, address + size)))
        return -ENOMEM;
    return 0;
}

static int mem_query(struct blink_mem *mem, uint64_t address, struct blink_mem_region *out) {
    size_t k = find(mem, address);
    if (k == mem->regions)
        return -ENOENT;
    *out = mem->region[k];
    return 0;
}

static int mem_set_name(struct blink_mem *mem, uint64_t address, uint64_t size, const char *name) {
    if (!page_range(mem, address, &size))
        return -EINVAL;
    if (!whole(mem, address, address + size))
        return -ENOMEM;
    split(mem, address);
    split(mem, address + size);
    for (size_t k = find(mem, address); k < mem->regions; k++) {
        struct blink_mem_region *r = &mem->region[k];
        if (r->start < address + size)
            snprintf(r->name, sizeof r->name, "%s", name);
    }
    return 0;
}

/* The rest of the page at `address`, at most *size bytes, which it becomes; NULL if there is no
 * such page or it lacks a right. */
static uint8_t *piece(struct blink_mem *mem, uint64_t address, uint32_t need, size_t *size) {
    size_t k = find(mem, address), room = BLINK_PAGE_SIZE - (address & PAGE_MASK);
    if (k == mem->regions || mem->region[k].start > address || (mem->region[k].prot & need) != need)
        return NULL;
    if (*size > room)
        *size = room;
    return page_bytes(mem, address) + (address & PAGE_MASK);
}

static int copy(struct blink_mem *mem, uint64_t address, uint8_t *in, const uint8_t *out,
                size_t size, uint32_t need) {
    while (size) {
        size_t n = size;
        uint8_t *p = piece(mem, address, need, &n);
        if (!p)
            return -EFAULT;
        if (in)
            memcpy(in, p, n), in += n;
        else
            memcpy(p, out, n), out += n;
        address += n, size -= n;
    }
    return 0;
}

static int mem_copy_in(struct blink_mem *mem, void *dst, uint64_t src, size_t size) {
    return copy(mem, src, dst, NULL, size, BLINK_PROT_READ);
}

static int mem_copy_out(struct blink_mem *mem, uint64_t dst, const void *src, size_t size) {
    return copy(mem, dst, NULL, src, size, BLINK_PROT_WRITE);
}

static int64_t mem_copy_string(struct blink_mem *mem, char *dst, uint64_t src, size_t max) {
    for (size_t n = 0; n < max; n++) {
        if (copy(mem, src + n, (uint8_t *)dst + n, NULL, 1, BLINK_PROT_READ) < 0)
            return -EFAULT;
        if (!dst[n])
            return (int64_t)n;
    }
    return -ENAMETOOLONG;
}

static int mem_pin(struct blink_mem *mem, uint64_t address, uint64_t *size, uint32_t access,
                   struct blink_mem_span *spans, uint32_t *count) {
    uint64_t done = 0;
    uint32_t n = 0;
    while (done < *size && n < *count) {
        size_t part = *size - done;
        uint8_t *p = piece(mem, address + done, access, &part);
        if (!p)
            break;
        spans[n].host = p;
        spans[n++].size = part;
        done += part;
    }
    if (*size && !done)
        return -EFAULT;
    *size = done;
    *count = n;
    mem->pins++;
    return 0;
}

static void mem_unpin(struct blink_mem *mem, uint64_t address, uint64_t size, uint32_t access) {
    (void)address, (void)size, (void)access;
    mem->pins--;
}

static int mem_set_layout(struct blink_mem *mem, uint64_t low, uint64_t high) {
    if (low >= high || high > mem->top)
        return -EINVAL;
    mem->low = low;
    mem->high = high;
    return 0;
}

static void mem_get_layout(struct blink_mem *mem, uint64_t *low, uint64_t *high, uint64_t *top) {
    *low = mem->low;
    *high = mem->high;
    *top = mem->top;
}

const struct blink_mem_iface fakehost_mem_iface = {
    .struct_size = sizeof fakehost_mem_iface,
    .map = mem_map,
    .unmap = mem_unmap,
    .protect = mem_protect,
    .remap = mem_remap,
    .advise = mem_advise,
    .sync = mem_sync,
    .query = mem_query,
    .set_name = mem_set_name,
    .copy_in = mem_copy_in,
    .copy_out = mem_copy_out,
    .copy_string = mem_copy_string,
    .pin = mem_pin,
    .unpin = mem_unpin,
    .set_layout = mem_set_layout,
    .get_layout = mem_get_layout,
};

/* ---- for the test ---- */

struct blink_mem *fakehost_mem(struct fakehost *fh) {
    return &fh->machine.mem;
}

int fakehost_prot(struct fakehost *fh, uint64_t address) {
    const struct blink_mem *mem = &fh->machine.mem;
    size_t k = find(mem, address);
    return k == mem->regions || mem->region[k].start > address ? -1 : (int)mem->region[k].prot;
}

int fakehost_peek(struct fakehost *fh, uint64_t address, void *out, size_t size) {
    return copy(&fh->machine.mem, address, out, NULL, size, 0);
}

int fakehost_poke(struct fakehost *fh, uint64_t address, const void *bytes, size_t size) {
    return copy(&fh->machine.mem, address, NULL, bytes, size, 0);
}

void fakehost_block(struct fakehost *fh, uint64_t address, uint64_t size) {
    fh->machine.mem.block_start = address;
    fh->machine.mem.block_end = address + size;
}

void fakehost_fail_map(struct fakehost *fh, uint32_t n, int error) {
    fh->machine.mem.fail_after = n;
    fh->machine.mem.fail_error = error;
}

size_t fakehost_pages(struct fakehost *fh) {
    return fh->machine.mem.pages;
}

size_t fakehost_regions(struct fakehost *fh) {
    return fh->machine.mem.regions;
}

size_t fakehost_pins(struct fakehost *fh) {
    return fh->machine.mem.pins;
}
