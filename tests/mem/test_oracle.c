/*
 * The same calls on a guest address space and on this process by the host's kernel: results, what
 * is mapped, its protection and its bytes must agree. First a table of single calls, then long
 * random sequences from fixed seeds.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support.h"

#define PAGES      24u /* of the arena */
#define FILE_PAGES 12u

#ifndef MREMAP_DONTUNMAP
  #define MREMAP_DONTUNMAP 4
#endif

/* Both worlds. Addresses are given relative to the arena's start. */
struct pair {
    struct space *s;
    int guest_file, host_file;
    /* The kernel's view of the arena, by page: -1 hole, else BLINK_PROT_*; and its mapping. */
    int prot[PAGES];
    int mapping[PAGES];
};

static int host_prot(uint32_t prot) {
    return (prot & R ? PROT_READ : 0) | (prot & W ? PROT_WRITE : 0) | (prot & X ? PROT_EXEC : 0);
}

static void read_maps(struct pair *p) {
    FILE *f = fopen("/proc/self/maps", "re");
    char line[512], perm[8];
    unsigned long long a, b;
    int number = 0;
    assert_non_null(f);
    for (uint32_t k = 0; k < PAGES; k++)
        p->prot[k] = p->mapping[k] = -1;
    while (fgets(line, sizeof line, f)) {
        number++;
        if (sscanf(line, "%llx-%llx %7s", &a, &b, perm) != 3)
            continue;
        for (uint32_t k = 0; k < PAGES; k++) {
            uint64_t at = ORACLE + k * PAGE;
            if (at < a || at >= b)
                continue;
            p->prot[k] = (perm[0] == 'r' ? (int)R : 0) | (perm[1] == 'w' ? (int)W : 0) |
                         (perm[2] == 'x' ? (int)X : 0);
            p->mapping[k] = number;
        }
    }
    fclose(f);
}

static void compare_worlds(struct pair *p, const char *after) {
    read_maps(p);
    for (uint32_t k = 0; k < PAGES; k++) {
        struct blink_mem_region r = {.struct_size = sizeof r};
        uint64_t at = ARENA + k * PAGE;
        int have = -1;
        if (mem_iface.query(p->s->mem, at, &r) == 0 && r.start <= at)
            have = (int)r.prot;
        if (have != p->prot[k])
            fail_msg("after %s: page %u is %d here, %d in Linux", after, k, have, p->prot[k]);
        uint8_t ours = 0, theirs = 0;
        uint32_t fault = guest_load(p->s, at, &ours, NULL);
        int rc = guarded_copy(&theirs, (void *)(uintptr_t)(ORACLE + k * PAGE), 1);
        if ((fault == NO_FAULT) != (rc == 0) || ours != theirs)
            fail_msg("after %s: page %u reads %u (fault %x) here, %u (%d) in Linux", after, k, ours,
                     fault, theirs, rc);
    }
}

static void start(struct pair *p, struct space *s) {
    *p = (struct pair){
        .s = s, .guest_file = pattern_file(FILE_PAGES), .host_file = pattern_file(FILE_PAGES)};
    munmap((void *)(uintptr_t)ORACLE, PAGES * PAGE);
}

static void finish(struct pair *p) {
    munmap((void *)(uintptr_t)ORACLE, PAGES * PAGE);
    mem_unmap(p->s->mem, ARENA, PAGES * PAGE);
    close(p->guest_file);
    close(p->host_file);
}

/* One call and its operands, relative to the arena where they are addresses. */
enum kind { MAP, UNMAP, PROTECT, REMAP, DONTNEED, STORE, KINDS };
static const char *const kind_name[] = {"map", "unmap", "protect", "remap", "dontneed", "store"};

struct call {
    enum kind kind;
    uint64_t a, size;  /* MAP, UNMAP, PROTECT, DONTNEED; REMAP: old */
    uint64_t b, size2; /* REMAP: new */
    uint32_t prot;
    uint32_t flags;  /* BLINK_MAP_* or BLINK_REMAP_* */
    uint64_t offset; /* of a file; ANON not set in flags */
};

/* Results: an offset into the arena, or a negative errno; a mapping elsewhere is MOVED. */
#define MOVED INT64_C(0x7fffffff)

static int64_t relative(uint64_t address, uint64_t base) {
    return address >= base && address < base + PAGES * PAGE ? (int64_t)(address - base) : MOVED;
}

static int64_t guest_remap(struct pair *p, const struct call *c) {
    uint64_t out = 0;
    int rc = mem_remap(p->s->mem, ARENA + c->a, c->size, c->size2, c->flags, ARENA + c->b, &out);
    if (rc == 0 && relative(out, ARENA) == MOVED)
        mem_unmap(p->s->mem, out, c->size2);
    return rc ? rc : relative(out, ARENA);
}

static int64_t guest_call(struct pair *p, const struct call *c) {
    uint64_t out = 0;
    int rc = 0;
    switch (c->kind) {
    case MAP:
        rc = mem_map(p->s->mem, ARENA + c->a, c->size, c->prot, c->flags, p->guest_file, c->offset,
                     &out);
        return rc ? rc : relative(out, ARENA);
    case UNMAP: return mem_unmap(p->s->mem, ARENA + c->a, c->size);
    case PROTECT: return mem_protect(p->s->mem, ARENA + c->a, c->size, c->prot);
    case DONTNEED: return mem_advise(p->s->mem, ARENA + c->a, c->size, BLINK_ADVISE_DONTNEED);
    case REMAP: return guest_remap(p, c);
    case STORE: return guest_store(p->s, ARENA + c->a, (uint8_t)c->prot, NULL) != NO_FAULT;
    default: return 0;
    }
}

static int64_t host_remap(const struct call *c) {
    int flags = (c->flags & BLINK_REMAP_MAYMOVE ? MREMAP_MAYMOVE : 0) |
                (c->flags & BLINK_REMAP_FIXED ? MREMAP_FIXED : 0) |
                (c->flags & BLINK_REMAP_DONTUNMAP ? MREMAP_DONTUNMAP : 0);
    void *q = mremap((void *)(uintptr_t)(ORACLE + c->a), c->size, c->size2, flags,
                     (void *)(uintptr_t)(ORACLE + c->b));
    if (q == MAP_FAILED)
        return -errno;
    if (relative((uintptr_t)q, ORACLE) == MOVED)
        munmap(q, c->size2);
    return relative((uintptr_t)q, ORACLE);
}

static int64_t host_map(struct pair *p, const struct call *c) {
    int flags = (c->flags & BLINK_MAP_SHARED ? MAP_SHARED : MAP_PRIVATE) |
                (c->flags & BLINK_MAP_ANON ? MAP_ANONYMOUS : 0) |
                (c->flags & BLINK_MAP_FIXED ? MAP_FIXED : 0) |
                (c->flags & BLINK_MAP_NOREPLACE ? MAP_FIXED_NOREPLACE : 0);
    void *q = mmap((void *)(uintptr_t)(ORACLE + c->a), c->size, host_prot(c->prot), flags,
                   p->host_file, (off_t)c->offset);
    return q == MAP_FAILED ? -errno : relative((uintptr_t)q, ORACLE);
}

static int64_t host_call(struct pair *p, const struct call *c) {
    void *at = (void *)(uintptr_t)(ORACLE + c->a);
    uint8_t byte = (uint8_t)c->prot;
    switch (c->kind) {
    case MAP: return host_map(p, c);
    case UNMAP: return munmap(at, c->size) ? -errno : 0;
    case PROTECT: return mprotect(at, c->size, host_prot(c->prot)) ? -errno : 0;
    case DONTNEED: return madvise(at, c->size, MADV_DONTNEED) ? -errno : 0;
    case REMAP: return host_remap(c);
    case STORE: return guarded_copy(at, &byte, 1) != 0;
    default: return 0;
    }
}

static void both(struct pair *p, const struct call *c) {
    char what[160];
    snprintf(what, sizeof what, "%s(%#llx, %#llx, prot/byte %u, flags %#x, to %#llx, %#llx)",
             kind_name[c->kind], (unsigned long long)c->a, (unsigned long long)c->size, c->prot,
             c->flags, (unsigned long long)c->b, (unsigned long long)c->size2);
    int64_t ours = guest_call(p, c), theirs = host_call(p, c);
    if (ours != theirs)
        fail_msg("%s is %lld here, %lld in Linux", what, (long long)ours, (long long)theirs);
    compare_worlds(p, what);
}

#define MAYMOVE   BLINK_REMAP_MAYMOVE
#define TO        (BLINK_REMAP_MAYMOVE | BLINK_REMAP_FIXED)
#define DONTUNMAP BLINK_REMAP_DONTUNMAP
#define SHARED    BLINK_MAP_SHARED

static void test_table(void **state) {
    /* The letters of the comments: A-D are pages 0-3 and so on. */
    static const struct call calls[] = {
        {.kind = MAP, .a = 0, .size = 8 * PAGE, .prot = RW, .flags = FIXED_ANON},
        {.kind = STORE, .a = 0, .prot = 1},
        {.kind = STORE, .a = 3 * PAGE, .prot = 4},
        {.kind = STORE, .a = 7 * PAGE, .prot = 8},
        /* Arguments of remap. */
        {.kind = REMAP, .a = 1, .size = PAGE, .size2 = PAGE, .flags = MAYMOVE},
        {.kind = REMAP, .a = 0, .size = PAGE, .size2 = 0, .flags = MAYMOVE},
        {.kind = REMAP,
         .a = 0,
         .size = PAGE,
         .size2 = PAGE,
         .flags = BLINK_REMAP_FIXED,
         .b = 9 * PAGE},
        {.kind = REMAP, .a = 0, .size = PAGE, .size2 = 2 * PAGE, .flags = MAYMOVE | DONTUNMAP},
        {.kind = REMAP, .a = 0, .size = PAGE, .size2 = PAGE, .flags = TO, .b = 9 * PAGE + 1},
        {.kind = REMAP, .a = 0, .size = 4 * PAGE, .size2 = 4 * PAGE, .flags = TO, .b = 2 * PAGE},
        {.kind = REMAP, .a = 0, .size = PAGE, .size2 = 4 * PAGE, .flags = TO, .b = 0},
        {.kind = REMAP, .a = 10 * PAGE, .size = PAGE, .size2 = PAGE, .flags = MAYMOVE},
        {.kind = REMAP, .a = 0, .size = 0, .size2 = PAGE, .flags = MAYMOVE},
        {.kind = REMAP, .a = 0, .size = 0, .size2 = PAGE, .flags = 0},
        {.kind = REMAP, .a = 7 * PAGE, .size = 2 * PAGE, .size2 = 3 * PAGE, .flags = MAYMOVE},
        {.kind = REMAP, .a = 0, .size = UINT64_MAX - PAGE, .size2 = PAGE, .flags = MAYMOVE},
        {.kind = REMAP, .a = 0, .size = PAGE, .size2 = UINT64_MAX, .flags = MAYMOVE},
        /* In the way, and not. */
        {.kind = REMAP, .a = 0, .size = PAGE, .size2 = 2 * PAGE, .flags = 0},
        {.kind = REMAP, .a = 6 * PAGE, .size = 2 * PAGE, .size2 = 4 * PAGE, .flags = 0},
        {.kind = REMAP, .a = 6 * PAGE, .size = 4 * PAGE, .size2 = PAGE, .flags = 0},
        {.kind = REMAP, .a = 0, .size = 4 * PAGE, .size2 = 4 * PAGE, .flags = 0},
        {.kind = REMAP, .a = 0, .size = 2 * PAGE, .size2 = 5 * PAGE, .flags = MAYMOVE},
        {.kind = REMAP,
         .a = 2 * PAGE,
         .size = 2 * PAGE,
         .size2 = 4 * PAGE,
         .flags = TO,
         .b = 12 * PAGE},
        {.kind = REMAP,
         .a = 12 * PAGE,
         .size = 4 * PAGE,
         .size2 = 2 * PAGE,
         .flags = TO,
         .b = 20 * PAGE},
        {.kind = REMAP,
         .a = 20 * PAGE,
         .size = 2 * PAGE,
         .size2 = 2 * PAGE,
         .flags = TO | DONTUNMAP,
         .b = 0},
        /* Shared memory: a second mapping of it. */
        {.kind = MAP,
         .a = 8 * PAGE,
         .size = 2 * PAGE,
         .prot = RW,
         .flags = FIXED_ANON | BLINK_MAP_SHARED},
        {.kind = STORE, .a = 9 * PAGE, .prot = 77},
        {.kind = REMAP, .a = 8 * PAGE, .size = 0, .size2 = 2 * PAGE, .flags = TO, .b = 16 * PAGE},
        {.kind = STORE, .a = 8 * PAGE, .prot = 78},
        {.kind = UNMAP, .a = 8 * PAGE, .size = 2 * PAGE},
        /* The file, and what is beyond its end. */
        {.kind = MAP,
         .a = 4 * PAGE,
         .size = 4 * PAGE,
         .prot = RW,
         .flags = FIXED | SHARED,
         .offset = 10 * PAGE},
        {.kind = STORE, .a = 5 * PAGE, .prot = 1},
        {.kind = STORE, .a = 6 * PAGE, .prot = 1},
        {.kind = DONTNEED, .a = 4 * PAGE, .size = PAGE},
        {.kind = MAP, .a = 4 * PAGE, .size = 2 * PAGE, .prot = RW, .flags = FIXED, .offset = 0},
        {.kind = STORE, .a = 4 * PAGE, .prot = 9},
        {.kind = DONTNEED, .a = 4 * PAGE, .size = PAGE},
        /* Holes and odd sizes. */
        {.kind = DONTNEED, .a = 0, .size = 24 * PAGE},
        {.kind = DONTNEED, .a = 1, .size = PAGE},
        {.kind = DONTNEED, .a = 0, .size = 0},
        {.kind = DONTNEED, .a = 0, .size = UINT64_MAX},
        {.kind = PROTECT, .a = 0, .size = 1, .prot = R},
        {.kind = PROTECT, .a = 0, .size = 24 * PAGE, .prot = R},
        {.kind = UNMAP, .a = PAGE, .size = 1},
        {.kind = UNMAP, .a = 0, .size = 0},
        {.kind = UNMAP, .a = 1, .size = PAGE},
        {.kind = MAP, .a = 0, .size = 1, .prot = R, .flags = BLINK_MAP_NOREPLACE | ANON},
        {.kind = MAP, .a = PAGE, .size = 1, .prot = R, .flags = BLINK_MAP_NOREPLACE | ANON},
        {.kind = MAP, .a = 1, .size = PAGE, .prot = R, .flags = FIXED_ANON},
        {.kind = MAP, .a = 0, .size = 0, .prot = R, .flags = FIXED_ANON},
    };
    struct pair p;
    start(&p, *state);
    for (size_t k = 0; k < sizeof calls / sizeof calls[0]; k++)
        both(&p, &calls[k]);
    finish(&p);
}

static uint64_t next_random(uint64_t *seed) {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed >> 16;
}

static uint32_t below(uint64_t *seed, uint32_t n) {
    return (uint32_t)(next_random(seed) % n);
}

/* Pages [first, first + count) of the arena. */
static void random_range(uint64_t *seed, uint32_t most, uint64_t *a, uint64_t *size) {
    uint32_t count = 1 + below(seed, most);
    *a = below(seed, PAGES - count + 1) * PAGE;
    *size = count * PAGE;
}

/*
 * Which ranges the kernel takes for one mapping depends on more than a guest can see, and since
 * Linux 6.17 it moves several at once: only what is surely one is moved, or surely is not.
 */
static bool remap_is_defined(struct pair *p, const struct call *c) {
    uint32_t first = (uint32_t)(c->a / PAGE), n = (uint32_t)(c->size / PAGE);
    bool one = true, hole = false;
    for (uint32_t k = first; k < first + n; k++) {
        one = one && p->mapping[k] == p->mapping[first];
        hole = hole || p->mapping[k] < 0;
    }
    return hole ? p->mapping[first] < 0 : one;
}

static bool random_remap(struct pair *p, uint64_t *seed, struct call *c) {
    static const uint32_t flags[] = {0, MAYMOVE, TO, TO, TO | DONTUNMAP};
    random_range(seed, 5, &c->a, &c->size);
    random_range(seed, 6, &c->b, &c->size2);
    c->flags = flags[below(seed, 5)];
    if (c->flags & DONTUNMAP)
        c->size2 = c->size;
    if (c->b + c->size2 > PAGES * PAGE)
        return false;
    /* Growing in place out of the arena meets different neighbours. */
    if (!(c->flags & BLINK_REMAP_FIXED) && c->a + c->size2 > PAGES * PAGE)
        return false;
    read_maps(p);
    return remap_is_defined(p, c);
}

static bool random_call(struct pair *p, uint64_t *seed, struct call *c) {
    static const uint32_t prots[] = {0, R, RW, RW, RW, RX, RWX, W};
    *c = (struct call){.kind = (enum kind)below(seed, KINDS), .prot = prots[below(seed, 8)]};
    random_range(seed, 8, &c->a, &c->size);
    switch (c->kind) {
    case MAP:
        c->flags = below(seed, 4) ? FIXED : BLINK_MAP_NOREPLACE;
        c->flags |= below(seed, 3) ? 0 : SHARED;
        c->flags |= below(seed, 2) ? ANON : 0;
        c->offset = c->flags & ANON ? 0 : below(seed, FILE_PAGES) * PAGE;
        return true;
    case STORE:
        c->a += below(seed, 2) * 100;
        c->prot = below(seed, 256);
        return true;
    case REMAP: return random_remap(p, seed, c);
    default: return true;
    }
}

static void test_random(void **state) {
    for (uint64_t round = 1; round <= 24; round++) {
        uint64_t seed = round * UINT64_C(0x9e3779b97f4a7c15);
        struct pair p;
        struct call c;
        start(&p, *state);
        for (int k = 0; k < 150; k++)
            if (random_call(&p, &seed, &c))
                both(&p, &c);
        finish(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(test_table),
        BOTH(test_random),
    };
    return cmocka_run_group_tests_name("oracle", tests, NULL, NULL);
}
