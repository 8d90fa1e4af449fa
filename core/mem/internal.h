/*
 * What the files of core/mem share. One mutex a space guards everything in struct blink_mem.
 *
 * Both strategies keep each region's memory as a mapping of the host at region.host: linear at
 * guest address + bias, paged somewhere in the window of guest physical memory. So files, sharing,
 * copy-on-write, fork and SIGBUS are the host kernel's work in both; only the placing (backing.c)
 * and what the guest's accesses go through (linear: the host's page tables, paged: walk.c and
 * tlb.c) differ.
 *
 * Lock order: the space's lock, then what hooks.drop_code takes. hooks.exclusive is called with no
 * lock held, and its work takes the lock.
 */
#ifndef CORE_MEM_INTERNAL_H
#define CORE_MEM_INTERNAL_H

#include <pthread.h>

#include "mem/code.h"
#include "mem/region.h"
#include "mem/space.h"

#define PAGE_MASK      ((uint64_t)BLINK_PAGE_SIZE - 1)
#define PAGE_DOWN(a)   ((uint64_t)(a) & ~PAGE_MASK)
#define PAGE_UP(a)     (((uint64_t)(a) + PAGE_MASK) & ~PAGE_MASK)
#define MEM_GUEST_TOP  UINT64_C(0x7ffffffff000)
#define MEM_GUARD      UINT64_C(0x100000) /* kept free below a stack, as Linux's stack_guard_gap */
#define MEM_NO_MAPPING ((void *)-1)

/* A free piece of guest physical memory. */
struct extent {
    uint64_t start, end;
};

struct extent_set {
    struct extent *v;
    size_t count, capacity;
};

/* A range lent by pin(). */
struct mem_pin {
    uint64_t start, end;
    uint32_t access;
    uint32_t count;
};

struct blink_mem {
    pthread_mutex_t lock;
    enum mem_strategy strategy;
    bool system;
    struct mem_hooks hooks;
    mem_guarded_copy *guarded;

    uint64_t bias;              /* linear */
    uint64_t min, top;          /* guest addresses that can be mapped */
    uint64_t map_low, map_high; /* where map() chooses from */
    bool map_default;           /* nobody has set them */
    struct region_set regions;
    uint64_t next_shared; /* identity of the next shared anonymous mapping */
    uint64_t changes;     /* of mappings, counted before each; atomic reads without the lock */

    struct code_set code;
    struct mem_pin *pins;
    size_t pin_count, pin_capacity;

    struct blink_cpu **cpus; /* attached */
    size_t cpu_capacity;
    uint32_t cpu_count; /* atomic reads without the lock */

    /* Paged. */
    uint8_t *phys; /* host address of guest physical 0 */
    uint64_t phys_size;
    uint64_t cr3;                   /* user programs: root of the tables that core keeps */
    struct extent_set free;         /* unused physical memory */
    struct extent_set limbo;        /* unmapped while pinned; linear: guest addresses */
    struct extent_set devices;      /* system: physical ranges of devices; page 0 never is one */
    struct extent_set holes;        /* system: physical ranges that are nobody's */
    struct extent_set roms;         /* system: physical ranges that stores do not change */
    bool large_pages;               /* an entry of a TLB may come from a large page; atomic */
    uint64_t table_next, table_end; /* pages for page tables */
};

/* space.c */
static inline void mem_lock(struct blink_mem *mem) {
    pthread_mutex_lock(&mem->lock);
}
static inline void mem_unlock(struct blink_mem *mem) {
    pthread_mutex_unlock(&mem->lock);
}
/* Run `work` with the lock held and, if stale TLB entries of other vCPUs would matter, while none
 * of them runs. */
int mem_mutate(struct blink_mem *mem, bool shootdown, int (*work)(struct blink_mem *mem, void *arg),
               void *arg);
/* Copy with the guarded hook if there is one. Without the lock. */
int mem_copy(struct blink_mem *mem, void *dst, const void *src, size_t size);

/* extent.c: sets of physical ranges. */
int extent_add(struct extent_set *set, uint64_t start, uint64_t end);
/* Take `size` bytes: at `wanted` if that is not 0, else the lowest, or the highest if `high`.
 * UINT64_MAX if there are none. */
uint64_t extent_take(struct extent_set *set, uint64_t size, uint64_t wanted, bool high);
/* The first piece of [start, end) that is in the set: true, and the piece. */
bool extent_first(const struct extent_set *set, uint64_t start, uint64_t end, struct extent *out);

/* backing.c: the host's mappings. All with the lock held; ranges are guest addresses. */
int backing_create(struct blink_mem *mem, uint64_t physical_size);
void backing_destroy(struct blink_mem *mem);
int backing_prot(uint32_t prot);
static inline void *backing_pointer(const struct region *r, uint64_t address) {
    return (void *)(uintptr_t)(r->host + (address - r->start));
}
/* Reserve host memory for [start, end): linear keeps what the guest has there and puts PROT_NONE
 * in the holes, which must be free in the host (-EEXIST). `near` 0, or where paged would like it;
 * `high` for stacks. */
int backing_claim(struct blink_mem *mem, uint64_t start, uint64_t end, uint64_t near, bool high,
                  uint64_t *host);
/* Give up what backing_claim reserved. */
void backing_unclaim(struct blink_mem *mem, uint64_t start, uint64_t end, uint64_t host);
/* The guest unmapped [start, end), which was at `host`. */
void backing_release(struct blink_mem *mem, uint64_t start, uint64_t end, uint64_t host);
/* As backing_release, but the host has already unmapped it. */
void backing_moved(struct blink_mem *mem, uint64_t start, uint64_t end, uint64_t host);
void backing_flush_limbo(struct blink_mem *mem);
/* Linear: the end of the host mapping that keeps [start, end) from being free and its start. */
bool backing_obstacle(struct blink_mem *mem, uint64_t start, uint64_t end, uint64_t *low);

/* map.c, with the lock held. */
int mem_check_range(const struct blink_mem *mem, uint64_t address, uint64_t size);
/* The regions of [start, end) are about to change or go: drop code, PTEs and TLB entries. */
void mem_invalidate(struct blink_mem *mem, uint64_t start, uint64_t end);
/* Unmap; one region slot must be in reserve. */
void mem_unmap_locked(struct blink_mem *mem, uint64_t start, uint64_t end);
/* Choose a place and claim its backing. `hint` 0 if there is none. */
int mem_place(struct blink_mem *mem, uint64_t hint, uint64_t size, uint32_t flags, uint64_t *out,
              uint64_t *host);
/* Grow a stack down to `address`; true if the address is mapped now. */
bool mem_grow(struct blink_mem *mem, uint64_t address);
/* The region at `address` if `access` is allowed there, grown if need be. */
struct region *mem_usable(struct blink_mem *mem, uint64_t address, uint32_t access);
bool mem_allowed(uint32_t prot, uint32_t access);

int mem_map(struct blink_mem *mem, uint64_t address, uint64_t size, uint32_t prot, uint32_t flags,
            int32_t fd, uint64_t offset, uint64_t *out);
int mem_unmap(struct blink_mem *mem, uint64_t address, uint64_t size);
int mem_protect(struct blink_mem *mem, uint64_t address, uint64_t size, uint32_t prot);
/* remap.c */
int mem_remap(struct blink_mem *mem, uint64_t address, uint64_t old_size, uint64_t new_size,
              uint32_t flags, uint64_t new_address, uint64_t *out);
/* advise.c */
int mem_advise(struct blink_mem *mem, uint64_t address, uint64_t size, uint32_t advice);
int mem_sync(struct blink_mem *mem, uint64_t address, uint64_t size, int32_t flags);
/* physical.c, with the lock held. */
bool physical_is_device(const struct blink_mem *mem, uint64_t phys);
bool physical_is_rom(const struct blink_mem *mem, uint64_t phys);
/* copy.c */
int mem_copy_in(struct blink_mem *mem, void *dst, uint64_t src, size_t size);
int mem_copy_out(struct blink_mem *mem, uint64_t dst, const void *src, size_t size);
int64_t mem_copy_string(struct blink_mem *mem, char *dst, uint64_t src, size_t max);
int mem_pin(struct blink_mem *mem, uint64_t address, uint64_t *size, uint32_t access,
            struct blink_mem_span *spans, uint32_t *count);
void mem_unpin(struct blink_mem *mem, uint64_t address, uint64_t size, uint32_t access);

/* Fault of a user program for an access at `address`. */
void mem_user_fault(struct blink_mem *mem, uint64_t address, uint32_t access,
                    struct mem_fault *fault);

/* walk.c, with the lock held. */
struct walk {
    uint64_t phys; /* of the byte */
    bool write;    /* may be written now */
    bool exec;     /* may be fetched */
    bool dirty;    /* the leaf's D is set */
};
/* Host memory of guest physical [phys, phys + size), NULL if it is not RAM. */
void *walk_ram(struct blink_mem *mem, uint64_t phys, uint64_t size);
/* Translate, setting A and D; false with *fault. */
bool walk_linear(struct blink_mem *mem, struct blink_cpu *cpu, uint64_t address, uint32_t access,
                 struct walk *out, struct mem_fault *fault);
/* User programs: make an empty root; enter one page; forget the entries of a range. */
int walk_create_root(struct blink_mem *mem);
int walk_enter(struct blink_mem *mem, uint64_t address, uint64_t phys, uint32_t prot);
void walk_clear(struct blink_mem *mem, uint64_t start, uint64_t end);

/* tlb.c, with the lock held; other vCPUs parked if they have entries that matter. */
void tlb_flush_range(struct blink_mem *mem, uint64_t start, uint64_t end);
void tlb_flush_all(struct blink_mem *mem);

#endif
