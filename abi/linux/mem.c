/*
 * System calls about the guest's address space. The memory service does the work; here are Linux's
 * flags and its checks in its order. vCPU threads.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "linux.h"

#define PAGE_MASK   ((uint64_t)BLINK_PAGE_SIZE - 1)
#define PROT_ALL    (BLINK_PROT_READ | BLINK_PROT_WRITE | BLINK_PROT_EXEC)
#define G_PROT_SEM  0x8u
#define G_PROT_DOWN 0x01000000u
#define G_PROT_UP   0x02000000u
#define G_MAP_SYNC  0x80000u
#define G_MAP_OLD   0x3d00u /* DENYWRITE, EXECUTABLE and others that change nothing */

static uint64_t page_up(uint64_t v) {
    return (v + PAGE_MASK) & ~PAGE_MASK;
}

/* ---- mmap ---- */

static const struct {
    uint32_t guest, blink;
} map_flags[] = {
    {G_MAP_ANONYMOUS, BLINK_MAP_ANON},      {G_MAP_32BIT, BLINK_MAP_32BIT},
    {G_MAP_GROWSDOWN, BLINK_MAP_GROWSDOWN}, {G_MAP_NORESERVE, BLINK_MAP_NORESERVE},
    {G_MAP_POPULATE, BLINK_MAP_POPULATE},   {G_MAP_LOCKED, BLINK_MAP_LOCKED},
};

static int convert_flags(uint32_t guest, uint32_t *out) {
    uint32_t flags = 0;
    switch (guest & G_MAP_TYPE) {
    case G_MAP_PRIVATE: break;
    case G_MAP_SHARED_VALIDATE:
        if (guest & G_MAP_SYNC)
            return -EOPNOTSUPP;
        /* fall through */
    case G_MAP_SHARED: flags |= BLINK_MAP_SHARED; break;
    default: return -EINVAL;
    }
    if (guest & G_MAP_FIXED_NOREPLACE)
        flags |= BLINK_MAP_NOREPLACE;
    else if (guest & G_MAP_FIXED)
        flags |= BLINK_MAP_FIXED;
    for (size_t k = 0; k < sizeof map_flags / sizeof map_flags[0]; k++)
        if (guest & map_flags[k].guest)
            flags |= map_flags[k].blink;
    /* A shared mapping cannot grow down. */
    if ((flags & BLINK_MAP_GROWSDOWN) && (flags & BLINK_MAP_SHARED))
        return -EINVAL;
    *out = flags;
    return 0;
}

int64_t lx_sys_mmap(struct lx_call *c) {
    uint64_t size = c->a[1], out;
    uint32_t guest = (uint32_t)c->a[3], flags;
    int32_t fd = (int32_t)c->a[4];
    if (c->a[5] & PAGE_MASK)
        return -EINVAL;
    if (!(guest & G_MAP_ANONYMOUS) && fcntl(fd, F_GETFD) < 0)
        return -EBADF;
    if (size == 0)
        return -EINVAL;
    /* No huge pages are in reserve. */
    if ((guest & G_MAP_HUGETLB) && (guest & G_MAP_ANONYMOUS))
        return -ENOMEM;
    int rc = convert_flags(guest, &flags);
    if (rc)
        return rc;
    rc = c->abi->mem.map(c->cpu->mem, c->a[0], size, (uint32_t)c->a[2] & PROT_ALL, flags, fd,
                         c->a[5], &out);
    return rc ? rc : (int64_t)out;
}

int64_t lx_sys_munmap(struct lx_call *c) {
    if (c->a[0] & PAGE_MASK || c->a[1] == 0)
        return -EINVAL;
    int rc = c->abi->mem.unmap(c->cpu->mem, c->a[0], c->a[1]);
    return rc == -ENOMEM ? -EINVAL : rc; /* beyond the guest's half */
}

int64_t lx_sys_mremap(struct lx_call *c) {
    uint64_t out;
    uint32_t flags = (uint32_t)c->a[3];
    if (c->a[3] & ~UINT64_C(7) || c->a[0] & PAGE_MASK)
        return -EINVAL;
    int rc = c->abi->mem.remap(c->cpu->mem, c->a[0], c->a[1], c->a[2], flags, c->a[4], &out);
    return rc ? rc : (int64_t)out;
}

/* ---- protection ---- */

/* PROT_GROWSDOWN: from the start of the stack that holds the address. */
static int grow_range(struct lx_call *c, uint64_t *address, uint64_t *size) {
    struct blink_mem_region r = {.struct_size = sizeof r};
    int rc = c->abi->mem.query(c->cpu->mem, *address, &r);
    if (rc || r.start > *address)
        return -ENOMEM;
    if (!(r.flags & BLINK_MAP_GROWSDOWN))
        return -EINVAL;
    *size += *address - r.start;
    *address = r.start;
    return 0;
}

int64_t lx_sys_mprotect(struct lx_call *c) {
    uint64_t address = c->a[0], size = c->a[1];
    uint32_t prot = (uint32_t)c->a[2], grows = prot & (G_PROT_DOWN | G_PROT_UP);
    int rc = 0;
    prot &= ~grows;
    if (grows == (G_PROT_DOWN | G_PROT_UP) || address & PAGE_MASK)
        return -EINVAL;
    if (size == 0)
        return 0;
    if (page_up(size) < size)
        return -ENOMEM;
    if (prot & ~(PROT_ALL | G_PROT_SEM) || grows & G_PROT_UP)
        return -EINVAL;
    size = page_up(size);
    if (grows & G_PROT_DOWN)
        rc = grow_range(c, &address, &size);
    return rc ? rc : c->abi->mem.protect(c->cpu->mem, address, size, prot & PROT_ALL);
}

/* ---- heap ---- */

/* Linux never fails: it answers where the heap ends now. */
int64_t lx_sys_brk(struct lx_call *c) {
    struct blink_plugin *abi = c->abi;
    struct blink_mem *mem = c->cpu->mem;
    uint64_t wanted = c->a[0], got;
    struct rlimit limit;
    pthread_mutex_lock(&abi->lock);
    uint64_t from = page_up(abi->brk_now), to = page_up(wanted);
    bool good = wanted >= abi->brk_start && to >= wanted &&
                (getrlimit(RLIMIT_DATA, &limit) || wanted - abi->brk_start <= limit.rlim_cur);
    if (good && to > from) {
        good = abi->mem.map(mem, from, to - from, BLINK_PROT_READ | BLINK_PROT_WRITE,
                            BLINK_MAP_ANON | BLINK_MAP_NOREPLACE, -1, 0, &got) == 0;
        if (good)
            abi->mem.set_name(mem, from, to - from, "[heap]");
    } else if (good && to < from) {
        abi->mem.unmap(mem, to, from - to);
    }
    if (good)
        abi->brk_now = wanted;
    got = abi->brk_now;
    pthread_mutex_unlock(&abi->lock);
    return (int64_t)got;
}

/* ---- the host's view of a range ---- */

/* Call `work` for each piece of host memory behind [address, end), which must be mapped for
 * `access`; -ENOMEM where it is not. */
typedef int piece_work(void *host, size_t size, int how);
static int each_piece(struct lx_call *c, uint64_t address, uint64_t end, uint32_t access,
                      piece_work *work, int how) {
    const struct blink_mem_iface *mem = &c->abi->mem;
    struct blink_mem_span span[16];
    while (address < end) {
        uint64_t size = end - address;
        uint32_t count = sizeof span / sizeof span[0];
        int rc = mem->pin(c->cpu->mem, address, &size, access, span, &count);
        if (rc)
            return rc == -EFAULT ? -ENOMEM : rc;
        for (uint32_t k = 0; k < count && rc == 0; k++)
            rc = work(span[k].host, span[k].size, how);
        mem->unpin(c->cpu->mem, address, size, access);
        if (rc)
            return rc;
        address += size;
    }
    return 0;
}

static int work_madvise(void *host, size_t size, int how) {
    return madvise(host, size, how) ? -errno : 0;
}

/* ---- madvise, msync ---- */

enum { M_REFUSE, M_MEM, M_READ, M_WRITE };
#define MADV(n, how, advice) [n] = {how, advice}
static const struct {
    uint8_t how, advice;
} advices[] = {
    MADV(0, M_MEM, BLINK_ADVISE_OTHER),     /* NORMAL */
    MADV(1, M_MEM, BLINK_ADVISE_OTHER),     /* RANDOM */
    MADV(2, M_MEM, BLINK_ADVISE_OTHER),     /* SEQUENTIAL */
    MADV(3, M_MEM, BLINK_ADVISE_WILLNEED),  /* WILLNEED */
    MADV(4, M_MEM, BLINK_ADVISE_DONTNEED),  /* DONTNEED */
    MADV(8, M_MEM, BLINK_ADVISE_FREE),      /* FREE */
    MADV(12, M_MEM, BLINK_ADVISE_OTHER),    /* MERGEABLE */
    MADV(13, M_MEM, BLINK_ADVISE_OTHER),    /* UNMERGEABLE */
    MADV(14, M_MEM, BLINK_ADVISE_OTHER),    /* HUGEPAGE */
    MADV(15, M_MEM, BLINK_ADVISE_OTHER),    /* NOHUGEPAGE */
    MADV(16, M_MEM, BLINK_ADVISE_OTHER),    /* DONTDUMP */
    MADV(17, M_MEM, BLINK_ADVISE_OTHER),    /* DODUMP */
    MADV(18, M_READ, 18),                   /* WIPEONFORK */
    MADV(19, M_READ, 19),                   /* KEEPONFORK */
    MADV(20, M_MEM, BLINK_ADVISE_OTHER),    /* COLD */
    MADV(21, M_MEM, BLINK_ADVISE_OTHER),    /* PAGEOUT */
    MADV(22, M_READ, 22),                   /* POPULATE_READ */
    MADV(23, M_WRITE, 23),                  /* POPULATE_WRITE */
    MADV(24, M_MEM, BLINK_ADVISE_DONTNEED), /* DONTNEED_LOCKED */
};

int64_t lx_sys_madvise(struct lx_call *c) {
    uint64_t address = c->a[0], size = page_up(c->a[1]), advice = (uint32_t)c->a[2];
    if (advice >= sizeof advices / sizeof advices[0] || advices[advice].how == M_REFUSE)
        return -EINVAL;
    if (address & PAGE_MASK || size < c->a[1] || address + size < address)
        return -EINVAL;
    if (size == 0)
        return 0;
    switch (advices[advice].how) {
    case M_READ:
        return each_piece(c, address, address + size, BLINK_PROT_READ, work_madvise,
                          advices[advice].advice);
    case M_WRITE:
        return each_piece(c, address, address + size, BLINK_PROT_WRITE, work_madvise,
                          advices[advice].advice);
    default: return c->abi->mem.advise(c->cpu->mem, address, size, advices[advice].advice);
    }
}

int64_t lx_sys_msync(struct lx_call *c) {
    return c->abi->mem.sync(c->cpu->mem, c->a[0], c->a[1], (int32_t)c->a[2]);
}

/* ---- mincore ---- */

/* The state of up to `max` pages of the region at `address` into `vec`; how many, or -ENOMEM. */
static int64_t residency(struct lx_call *c, uint64_t address, uint64_t end, uint8_t *vec,
                         size_t max) {
    const struct blink_mem_iface *mem = &c->abi->mem;
    struct blink_mem_region r = {.struct_size = sizeof r};
    struct blink_mem_span span;
    uint32_t count = 1;
    if (mem->query(c->cpu->mem, address, &r) || r.start > address)
        return -ENOMEM;
    uint64_t stop = r.end < end ? r.end : end, size = stop - address;
    if (size / BLINK_PAGE_SIZE > max)
        size = max * BLINK_PAGE_SIZE;
    memset(vec, 0, (size_t)(size / BLINK_PAGE_SIZE));
    if (mem->pin(c->cpu->mem, address, &size, BLINK_PROT_READ, &span, &count) == 0) {
        if (mincore(span.host, span.size, vec))
            memset(vec, 0, span.size / BLINK_PAGE_SIZE);
        mem->unpin(c->cpu->mem, address, size, BLINK_PROT_READ);
    }
    return (int64_t)(size / BLINK_PAGE_SIZE);
}

int64_t lx_sys_mincore(struct lx_call *c) {
    uint64_t at = c->a[0], size = page_up(c->a[1]), end = at + size, out = c->a[2];
    uint8_t vec[512];
    if (at & PAGE_MASK)
        return -EINVAL;
    if (size < c->a[1] || end < at)
        return -ENOMEM;
    while (at < end) {
        int64_t n = residency(c, at, end, vec, sizeof vec);
        if (n < 0)
            return n;
        if (lx_out(c, out, vec, (size_t)n))
            return -EFAULT;
        at += (uint64_t)n * BLINK_PAGE_SIZE;
        out += (uint64_t)n;
    }
    return 0;
}

/* ---- locking ---- */

static int work_mlock(void *host, size_t size, int how) {
    return (how ? mlock(host, size) : munlock(host, size)) ? -errno : 0;
}

static int64_t lock_range(struct lx_call *c, int how) {
    /* Linux takes a size that wraps to nothing for nothing. */
    uint64_t start = c->a[0] & ~PAGE_MASK, end = start + page_up(c->a[1] + (c->a[0] & PAGE_MASK));
    if (end < start)
        return -EINVAL;
    return each_piece(c, start, end, BLINK_PROT_READ, work_mlock, how);
}

int64_t lx_sys_mlock(struct lx_call *c) {
    return lock_range(c, 1);
}

int64_t lx_sys_mlock2(struct lx_call *c) {
    return c->a[2] & ~UINT64_C(1) ? -EINVAL : lock_range(c, 1);
}

int64_t lx_sys_munlock(struct lx_call *c) {
    return lock_range(c, 0);
}

/* Pages are locked as they are touched: what blink keeps in reserve shall not become memory. */
int64_t lx_sys_mlockall(struct lx_call *c) {
    int flags = (int)c->a[0];
    if (!flags || flags & ~(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) || flags == MCL_ONFAULT)
        return -EINVAL;
    return lx_result(mlockall(flags | MCL_ONFAULT));
}

int64_t lx_sys_munlockall(struct lx_call *c) {
    (void)c;
    return lx_result(munlockall());
}
