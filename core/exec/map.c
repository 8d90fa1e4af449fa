/*
 * The block map. Readers run without a lock beside one writer: chains are only ever prepended to
 * or bypassed, tables are replaced whole, and memory goes when no reader can hold it.
 */
#include "exec/map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_SHIFT 12

struct map_table {
    struct map_table *older;
    uint32_t mask;
    struct block_info *head[];
};

static uint32_t hash_key(uint64_t rip, uint64_t cs_base, uint32_t mode) {
    uint64_t h = (rip + cs_base + ((uint64_t)mode << 56)) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(h >> 32);
}

static struct map_table *table_create(uint32_t size) {
    struct map_table *t = calloc(1, sizeof *t + size * sizeof t->head[0]);
    if (t)
        t->mask = size - 1;
    return t;
}

static struct block *alloc(uint32_t records, uint32_t count) {
    size_t size = sizeof(struct block) + records * sizeof(struct blink_insn);
    struct block_info *info = malloc(sizeof *info + size);
    if (!info)
        return NULL;
    memset(info, 0, sizeof *info + sizeof(struct block));
    struct block *block = map_block(info);
    block->exec = info;
    block->count = count;
    info->code.struct_size = sizeof info->code;
    for (uint32_t e = 0; e < BLOCK_EXITS; e++)
        info->out[e].owner = info;
    return block;
}

struct block *map_alloc(uint32_t count) {
    return alloc(count + 1, count);
}

struct block *map_alloc_bare(uint32_t count) {
    struct block *b = alloc(0, count);
    if (b)
        map_info(b)->bare = true;
    return b;
}

void map_discard(struct block *block) {
    if (block)
        free(block->exec);
}

int map_init(struct block_map *map) {
    memset(map, 0, sizeof *map);
    map->table = table_create(4096);
    map->page_mask = 4095;
    map->page = calloc(map->page_mask + 1, sizeof map->page[0]);
    map->none = map_alloc(0);
    map->epoch = 1;
    if (!map->table || !map->page || !map->none) {
        map_finish(map);
        return -ENOMEM;
    }
    map->none->rip = ~UINT64_C(0);
    return 0;
}

static void free_all(struct block_info *info) {
    while (info) {
        struct block_info *next = info->next;
        free(info);
        info = next;
    }
}

void map_finish(struct block_map *map) {
    if (map->table)
        for (uint32_t k = 0; k <= map->table->mask; k++)
            free_all(map->table->head[k]);
    map_reap(map, 0);
    while (map->old_tables) {
        struct map_table *older = map->old_tables->older;
        free(map->old_tables);
        map->old_tables = older;
    }
    free(map->table);
    free(map->page);
    map_discard(map->none);
    memset(map, 0, sizeof *map);
}

static struct block *find(struct block_map *map, uint64_t rip, uint64_t cs_base, uint32_t mode,
                          const uint64_t *physical) {
    struct map_table *t = __atomic_load_n(&map->table, __ATOMIC_ACQUIRE);
    struct block_info *info =
        __atomic_load_n(&t->head[hash_key(rip, cs_base, mode) & t->mask], __ATOMIC_ACQUIRE);
    while (info) {
        struct block *b = map_block(info);
        if (__atomic_load_n(&info->rip, __ATOMIC_RELAXED) == rip && info->mode == mode &&
            info->cs_base == cs_base && (!physical || b->physical[0] == *physical))
            return b;
        info = __atomic_load_n(&info->next, __ATOMIC_ACQUIRE);
    }
    return NULL;
}

struct block *map_find(struct block_map *map, uint64_t rip, uint64_t cs_base, uint32_t mode) {
    return find(map, rip, cs_base, mode, NULL);
}

struct block *map_find_at(struct block_map *map, uint64_t rip, uint64_t cs_base, uint32_t mode,
                          uint64_t physical) {
    return find(map, rip, cs_base, mode, &physical);
}

static void prepend(struct map_table *t, struct block_info *info, uint32_t hash) {
    struct block_info **head = &t->head[hash & t->mask];
    __atomic_store_n(&info->next, *head, __ATOMIC_RELAXED);
    __atomic_store_n(head, info, __ATOMIC_RELEASE);
}

/* A reader that crosses into another chain meanwhile just misses, and looks again under the lock;
 * replaced tables stay for readers until the end, together smaller than the living one. */
static void grow(struct block_map *map) {
    struct map_table *old = map->table, *new = table_create((old->mask + 1) * 4);
    if (!new)
        return;
    for (uint32_t k = 0; k <= old->mask; k++) {
        for (struct block_info *info = old->head[k], *next; info; info = next) {
            next = info->next;
            prepend(new, info, hash_key(info->rip, info->cs_base, info->mode));
        }
    }
    __atomic_store_n(&map->table, new, __ATOMIC_RELEASE);
    old->older = map->old_tables;
    map->old_tables = old;
}

/* Which of the two list fields belongs to bucket k. A block whose pages share a bucket is only
 * listed once, by its first. */
static uint32_t page_side(const struct block_map *map, const struct block_info *info, uint32_t k) {
    return (info->page[0] & map->page_mask) == k ? 0 : 1;
}

static void page_add(struct block_map *map, struct block_info *info) {
    for (uint32_t side = 0; side < 2; side++) {
        uint32_t k = (uint32_t)(info->page[side] & map->page_mask);
        if (side == 1 && k == (info->page[0] & map->page_mask))
            break;
        info->page_next[side] = map->page[k];
        map->page[k] = info;
    }
}

static void page_remove(struct block_map *map, struct block_info *info) {
    for (uint32_t side = 0; side < 2; side++) {
        uint32_t k = (uint32_t)(info->page[side] & map->page_mask);
        if (side == 1 && k == (info->page[0] & map->page_mask))
            break;
        struct block_info **at = &map->page[k];
        while (*at != info)
            at = &(*at)->page_next[page_side(map, *at, k)];
        *at = info->page_next[side];
    }
}

int map_insert(struct block_map *map, struct block *block) {
    struct block_info *info = map_info(block);
    uint64_t start = block->cs_base + block->rip, last = block->cs_base + block->end_rip - 1;
    info->rip = block->rip;
    info->cs_base = block->cs_base;
    info->mode = block->mode;
    info->page[0] = start >> PAGE_SHIFT;
    info->page[1] = last >> PAGE_SHIFT;
    if (map->count >= (map->table->mask + 1) / 4 * 3)
        grow(map);
    page_add(map, info);
    prepend(map->table, info, hash_key(block->rip, block->cs_base, block->mode));
    map->count++;
    return 0;
}

static void unlink_out(struct block_info *info, uint32_t exit) {
    struct block_link *l = &info->out[exit];
    __atomic_store_n(&map_block(info)->link[exit], NULL, __ATOMIC_RELAXED);
    if (!l->target)
        return;
    if (l->prev)
        l->prev->next = l->next;
    else
        l->target->in = l->next;
    if (l->next)
        l->next->prev = l->prev;
    l->target = NULL;
}

void map_link(struct block *from, uint32_t exit, struct block *to) {
    struct block_info *f = map_info(from), *t = map_info(to);
    if (!f || !t || from->rip == ~UINT64_C(0) || to->rip == ~UINT64_C(0))
        return;
    unlink_out(f, exit);
    struct block_link *l = &f->out[exit];
    l->target = t;
    l->prev = NULL;
    l->next = t->in;
    if (t->in)
        t->in->prev = l;
    t->in = l;
    /* `link` is the interpreter's way, `out` that of translated code. A vCPU may be interpreting
     * `from` while another links its translation. */
    __atomic_store_n(&from->link[exit], t->bare ? NULL : to, __ATOMIC_RELEASE);
}

static void table_remove(struct block_map *map, struct block_info *info) {
    struct block_info **at =
        &map->table->head[hash_key(info->rip, info->cs_base, info->mode) & map->table->mask];
    while (*at != info)
        at = &(*at)->next;
    __atomic_store_n(at, info->next, __ATOMIC_RELEASE);
}

static void drop(struct block_map *map, struct block_info *info, map_dropped *dropped, void *arg) {
    if (dropped)
        dropped(arg, info);
    while (info->in)
        unlink_out(info->in->owner, (uint32_t)(info->in - info->in->owner->out));
    for (uint32_t e = 0; e < BLOCK_EXITS; e++)
        unlink_out(info, e);
    page_remove(map, info);
    table_remove(map, info);
    __atomic_store_n(&info->rip, ~UINT64_C(0), __ATOMIC_RELEASE);
    __atomic_store_n(&map_block(info)->rip, ~UINT64_C(0), __ATOMIC_RELEASE);
    info->died = map->epoch;
    /* A reader may stand on it: its own next stays as it is, the list of the dead is another. */
    info->page_next[0] = map->dead;
    map->dead = info;
    __atomic_store_n(&map->dead_count, map->dead_count + 1, __ATOMIC_RELAXED);
    map->count--;
}

static bool stands_on(const struct block_info *info, uint64_t first, uint64_t last) {
    return info->page[1] >= first && info->page[0] <= last;
}

uint32_t map_drop(struct block_map *map, uint64_t start, uint64_t end, map_dropped *dropped,
                  void *arg) {
    uint64_t first = start >> PAGE_SHIFT, last = (end - 1) >> PAGE_SHIFT;
    uint32_t n = 0;
    __atomic_store_n(&map->generation, map->generation + 1, __ATOMIC_SEQ_CST);
    bool all = last - first > map->page_mask;
    for (uint64_t step = 0, k = first; all ? step <= map->page_mask : k <= last; k++, step++) {
        uint32_t bucket = (uint32_t)(k & map->page_mask);
        for (struct block_info *info = map->page[bucket], *next; info; info = next) {
            next = info->page_next[page_side(map, info, bucket)];
            if (stands_on(info, first, last)) {
                drop(map, info, dropped, arg);
                n++;
            }
        }
    }
    return n;
}

void map_reap(struct block_map *map, uint64_t oldest) {
    struct block_info **at = &map->dead;
    while (*at) {
        struct block_info *info = *at;
        if (oldest && info->died >= oldest) {
            at = &info->page_next[0];
            continue;
        }
        *at = info->page_next[0];
        free(info);
        __atomic_store_n(&map->dead_count, map->dead_count - 1, __ATOMIC_RELAXED);
    }
}

void map_unlink_all(struct block_map *map) {
    for (uint32_t k = 0; k <= map->table->mask; k++)
        for (struct block_info *info = map->table->head[k]; info; info = info->next)
            for (uint32_t e = 0; e < BLOCK_EXITS; e++)
                unlink_out(info, e);
    __atomic_fetch_add(&map->epoch, 1, __ATOMIC_SEQ_CST);
}

void map_each(struct block_map *map, map_dropped *call, void *arg) {
    for (uint32_t k = 0; k <= map->table->mask; k++)
        for (struct block_info *info = map->table->head[k]; info; info = info->next)
            call(arg, info);
}
