/*
 * The set of pages with translated code. A page is known by its linear page number, or in a system
 * space, where the guest may map it at several addresses, by its physical one.
 */
#ifndef CORE_MEM_CODE_H
#define CORE_MEM_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blink_mem;

struct code_page {
    uint64_t key;    /* page number + 1, 0 for an empty slot */
    uint64_t linear; /* page number its blocks stand on */
    uint64_t stamp;  /* when `writes` was last decayed, in ticks */
    uint32_t writes; /* times it was written while tracked, decaying */
    bool tracked;
    bool settled; /* and no vCPU can write it any more by an old entry of its TLB */
    bool aliased; /* blocks stand on more than one linear page */
};

struct code_set {
    struct code_page *slots; /* open addressing, capacity a power of two */
    size_t capacity, used, tracked;
};

/* A page that was written this often after being tracked is volatile; the count halves with every
 * tick. */
#define CODE_VOLATILE_WRITES 32u
#define CODE_TICK_NS         10000000u

void code_finish(struct code_set *set);
/* All with the space's lock held. Keys are addresses: linear, or physical in a system space. */
bool code_is_tracked(const struct blink_mem *mem, uint64_t address);
/* Drop the code on the pages of [start, end) and track them no more. `written`: a store did it. */
void code_drop(struct blink_mem *mem, uint64_t start, uint64_t end, bool written);
/* The file of a shared mapping gets another writable mapping: drop the code made of it. */
void code_drop_file(struct blink_mem *mem, uint64_t inode, uint64_t device);

#endif
