/*
 * What is not RAM in the physical memory of a system space: ranges of devices, which win over the
 * RAM below them, holes, which go to the bus as well, and ROM. Set up by the bus and by plugins at
 * safepoints, asked on every TLB miss.
 */
#include <errno.h>

#include "mem/internal.h"

static bool covered(const struct extent_set *set, uint64_t phys) {
    for (size_t k = 0; k < set->count; k++)
        if (phys >= set->v[k].start && phys < set->v[k].end)
            return true;
    return false;
}

bool physical_is_device(const struct blink_mem *mem, uint64_t phys) {
    return covered(&mem->devices, phys) || covered(&mem->holes, phys);
}

bool physical_is_rom(const struct blink_mem *mem, uint64_t phys) {
    return covered(&mem->roms, phys);
}

/* Page by page: ranges may overlap what is there already. */
static int change(struct extent_set *set, uint64_t start, uint64_t end, bool on) {
    int rc = 0;
    for (uint64_t at = start; at < end && rc == 0; at += BLINK_PAGE_SIZE) {
        bool is = covered(set, at);
        if (on && !is)
            rc = extent_add(set, at, at + BLINK_PAGE_SIZE);
        else if (!on && is && extent_take(set, BLINK_PAGE_SIZE, at, false) != at)
            rc = -ENOMEM;
    }
    return rc;
}

struct change {
    struct extent_set *set;
    uint64_t start, end;
    bool on;
};

static int work(struct blink_mem *mem, void *arg) {
    const struct change *c = arg;
    int rc = change(c->set, c->start, c->end, c->on);
    code_drop(mem, c->start, c->end, false);
    tlb_flush_all(mem);
    return rc;
}

static int apply(struct blink_mem *mem, struct extent_set *set, uint64_t start, uint64_t end,
                 bool on) {
    struct change c = {set, start, end, on};
    /* Beyond RAM nobody asks. */
    if (c.end > mem->phys_size)
        c.end = mem->phys_size;
    if (!mem->system || c.start >= c.end)
        return 0;
    return mem_mutate(mem, true, work, &c);
}

int mem_set_device(struct blink_mem *mem, uint64_t start, uint64_t end, bool on) {
    return apply(mem, &mem->devices, start, end, on);
}

int mem_set_rom(struct blink_mem *mem, uint64_t start, uint64_t end, bool on) {
    return apply(mem, &mem->roms, start, end, on);
}

int mem_set_hole(struct blink_mem *mem, uint64_t start, uint64_t end) {
    return apply(mem, &mem->holes, start, end, true);
}
