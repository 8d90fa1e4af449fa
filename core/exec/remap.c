/*
 * Code of system software, whose linear addresses change their meaning. A block is known by its
 * physical address too: it is looked up by what its address means now, so that a change of CR3 only
 * empties the vCPU's caches. Within one page blocks may be linked. From page to page the
 * interpreter goes through those caches; translated code compares the name of the page it goes to
 * with what blink_cpu.code_page says of the present. The vCPU's own thread.
 */
#include <errno.h>
#include <stdlib.h>
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
    v->jit_from = NULL;
    vcpu_empty_jumps(v);
    memset(v->recent, 0, sizeof v->recent);
    memset(v->pages, 0, sizeof v->pages);
    memset(v->cpu->code_page, 0, sizeof v->cpu->code_page);
    for (uint32_t k = 0; k < VCPU_VIEWS; k++)
        v->view[k].used = false;
}

/* ---- names of code pages ---- */

#define NAMES 32768u

struct remap_names {
    uint32_t count, last;
    struct name {
        uint64_t linear, physical, cs_base; /* page numbers; a base */
        uint32_t mode, name;                /* 0: nothing here */
    } v[NAMES];
};

static bool is_named(const struct name *n, const struct block *b, uint64_t linear) {
    return n->linear == linear && n->physical == b->physical[0] && n->cs_base == b->cs_base &&
           n->mode == b->mode;
}

static uint64_t linear(uint64_t cs_base, uint64_t rip, uint32_t mode) {
    uint64_t a = cs_base + rip;
    return (mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64 ? a : (uint32_t)a;
}

/* A name is never given twice, so that blocks which keep one that is forgotten match nothing. */
int remap_name(struct vcpu *v, struct block *b) {
    struct exec *x = v->exec;
    struct block_info *info = map_info(b);
    uint64_t page = linear(b->cs_base, b->rip, b->mode) >> 12;
    uint64_t hash = (page ^ b->physical[0] << 20 ^ b->cs_base << 7 ^ (uint64_t)b->mode << 40) *
                    UINT64_C(0x9e3779b97f4a7c15);
    uint32_t k = (uint32_t)(hash >> 40) % NAMES;
    if (!x->names)
        x->names = calloc(1, sizeof *x->names);
    if (!x->names)
        return -ENOMEM;
    info->page_slot = (uint32_t)page % BLINK_CODE_PAGES;
    info->code_page = BLINK_JIT_NO_PAGE;
    if (b->physical[1] != b->physical[0])
        return 0;
    while (x->names->v[k].name && !is_named(&x->names->v[k], b, page))
        k = (k + 1) % NAMES;
    struct name *n = &x->names->v[k];
    if (!n->name) {
        if (x->names->count == NAMES / 4 * 3) {
            v->context.remapped |= INTERP_REMAP_ALL;
            return -ENOSPC;
        }
        x->names->count++;
        *n = (struct name){page, b->physical[0], b->cs_base, b->mode, ++x->names->last};
    }
    info->code_page = n->name;
    return 0;
}

static void forget_names(struct exec *x) {
    uint32_t last = x->names ? x->names->last : 0;
    if (!last)
        return;
    memset(x->names, 0, sizeof *x->names);
    x->names->last = last;
}

/* Translated code of one mode and code segment must not meet what is known of another's. */
void remap_view(struct vcpu *v) {
    struct blink_cpu *cpu = v->cpu;
    struct vcpu_view *old = &v->view[v->present_view], *new = NULL;
    uint64_t cs_base = cpu->seg[BLINK_SEG_CS].base;
    if (old->used && old->mode == cpu->mode && old->cs_base == cs_base)
        return;
    if (old->used)
        memcpy(old->code_page, cpu->code_page, sizeof old->code_page);
    for (uint32_t k = 0; k < VCPU_VIEWS && !new; k++)
        if (v->view[k].used && v->view[k].mode == cpu->mode && v->view[k].cs_base == cs_base)
            new = &v->view[k];
    if (!new) {
        new = &v->view[v->next_view];
        v->next_view = (v->next_view + 1) % VCPU_VIEWS;
        *new = (struct vcpu_view){.mode = cpu->mode, .used = true, .cs_base = cs_base};
    }
    memcpy(cpu->code_page, new->code_page, sizeof new->code_page);
    v->present_view = (uint32_t)(new - v->view);
}

void remap_known(struct vcpu *v, const struct block *b) {
    const struct block_info *info = map_info(b);
    if (info->code_page && info->code_page != BLINK_JIT_NO_PAGE)
        v->cpu->code_page[info->page_slot] = info->code_page;
}

/* ---- blocks ---- */

void remap_forget_code(struct vcpu *v) {
    vcpu_unpin(v);
    mem_code_forget(v->exec->mem);
    drop(v, 0, UINT64_MAX);
    forget_names(v->exec);
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

static uint64_t linear_now(const struct blink_cpu *cpu) {
    return linear(cpu->seg[BLINK_SEG_CS].base, cpu->rip, cpu->mode);
}

bool remap_place(struct vcpu *v, struct block *b) {
    uint64_t a = linear_now(v->cpu), size = b->end_rip - b->rip, last = a + size - 1;
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
    uint64_t a = linear_now(cpu), at, second;
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

struct block *remap_neighbour(struct exec *x, const struct block *from, uint64_t rip) {
    uint64_t start = linear(from->cs_base, from->rip, from->mode);
    if (linear(from->cs_base, rip, from->mode) >> 12 != start >> 12 ||
        from->physical[1] != from->physical[0])
        return NULL;
    struct block *to = map_find_at(&x->map, rip, from->cs_base, from->mode, from->physical[0]);
    return to && to->physical[1] == to->physical[0] ? to : NULL;
}

bool remap_may_link(const struct block *from, const struct block *to) {
    if (!from->alone && !to->alone)
        return true;
    return from->physical[0] == to->physical[0] && to->physical[1] == to->physical[0] &&
           (from->cs_base + from->rip) >> 12 == (to->cs_base + to->rip) >> 12;
}
