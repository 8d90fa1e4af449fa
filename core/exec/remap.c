/*
 * Code of system software, whose linear addresses change their meaning. A block is known by its
 * physical address too: it is looked up by what its address means now, so that a change of CR3 only
 * empties the vCPU's caches. Within one page blocks may be linked, from page to page they go
 * through those caches. The vCPU's own thread.
 */
#include <string.h>

#include "cpu/cpu.h"
#include "exec/internal.h"

static void dropped(void *arg, struct block_info *info) {
    jit_forget(arg, info);
}

static void drop(struct vcpu *v, uint64_t start, uint64_t end) {
    struct exec *x = v->exec;
    pthread_mutex_lock(&x->lock);
    map_drop(&x->map, start, end, dropped, x);
    pthread_mutex_unlock(&x->lock);
}

void remap_forget_caches(struct vcpu *v) {
    v->context.link_from = NULL;
    vcpu_empty_jumps(v);
    memset(v->recent, 0, sizeof v->recent);
    memset(v->pages, 0, sizeof v->pages);
}

void remap_forget_code(struct vcpu *v) {
    vcpu_unpin(v);
    mem_code_forget(v->exec->mem);
    drop(v, 0, UINT64_MAX);
    remap_forget_caches(v);
}

/* Physical page number of linear page `page`; false if code cannot be fetched there. */
static bool physical(struct vcpu *v, uint64_t page, uint64_t *out) {
    struct vcpu_page *p = &v->pages[page & (VCPU_PAGES - 1)];
    /* Rights may differ by the level, which is in the mode. */
    uint64_t key = page << 2 | (v->cpu->cpl == 3 ? 3 : 1);
    uint64_t phys;
    if (p->key != key) {
        if (!mem_code_address(v->cpu, page << 12, &phys))
            return false;
        *p = (struct vcpu_page){key, phys >> 12};
    }
    *out = p->physical;
    return true;
}

static uint64_t linear_of(const struct blink_cpu *cpu) {
    uint64_t a = cpu->seg[BLINK_SEG_CS].base + cpu->rip;
    return (cpu->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64 ? a : (uint32_t)a;
}

bool remap_place(struct vcpu *v, struct block *b) {
    uint64_t a = linear_of(v->cpu), size = b->end_rip - b->rip, last = a + size - 1;
    /* Its bytes were read by the tables as they are now. */
    v->pages[a >> 12 & (VCPU_PAGES - 1)].key = v->pages[last >> 12 & (VCPU_PAGES - 1)].key = 0;
    if (!physical(v, a >> 12, &b->physical[0]))
        return false;
    b->physical[1] = b->physical[0];
    b->alone = (v->cpu->cr0 & CR0_PG) != 0;
    return last >> 12 == a >> 12 || physical(v, last >> 12, &b->physical[1]);
}

struct block *remap_find(struct vcpu *v) {
    const struct blink_cpu *cpu = v->cpu;
    uint64_t a = linear_of(cpu), at, second;
    if (!physical(v, a >> 12, &at))
        return NULL;
    struct block *b =
        map_find_at(&v->exec->map, cpu->rip, cpu->seg[BLINK_SEG_CS].base, cpu->mode, at);
    if (!b || b->physical[1] == b->physical[0])
        return b;
    uint64_t last = (a + (b->end_rip - b->rip) - 1) >> 12;
    if (physical(v, last, &second) && second == b->physical[1])
        return b;
    /* Its second page is another one now. */
    drop(v, last << 12, (last + 1) << 12);
    return NULL;
}

bool remap_may_link(const struct block *from, const struct block *to) {
    if (!from->alone && !to->alone)
        return true;
    return from->physical[0] == to->physical[0] && to->physical[1] == to->physical[0] &&
           (from->cs_base + from->rip) >> 12 == (to->cs_base + to->rip) >> 12;
}
