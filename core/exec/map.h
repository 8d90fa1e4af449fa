/*
 * The block map: every block of a machine by (rip, cs_base, mode) and by the pages it stands on.
 * Lookups take no lock; everything else needs the owner's lock. A dropped block stays readable
 * until every vCPU has passed a safepoint (epochs).
 */
#ifndef CORE_EXEC_MAP_H
#define CORE_EXEC_MAP_H

#include <blink/jit.h>
#include <stdbool.h>

#include "interp/interp.h"

struct block_info;

/* The link of one exit of a block to the block it leads to. */
struct block_link {
    struct block_info *target;      /* NULL: not linked */
    struct block_link *next, *prev; /* among the target's incoming links */
    struct block_info *owner;
};

/* The map's part of a block; block->exec points at it and the block follows it in memory. */
struct block_info {
    struct block_info *next; /* hash chain */
    /* The block's key once more, beside the chain for what looks it up; rip is atomic. */
    uint64_t rip, cs_base;
    uint32_t mode;
    struct block_info *page_next[2]; /* lists of its first and last page */
    uint64_t page[2];                /* linear page numbers; equal if it stands on one */
    struct block_link out[BLOCK_EXITS];
    struct block_link *in; /* incoming links */
    uint64_t died;         /* epoch of its drop */
    uint32_t heat;         /* runs in the interpreter */
    uint32_t jit_tried;    /* translate said no: do not ask again; atomic */
    bool translated;       /* `code` is there; atomic */
    bool bare;             /* it has no instructions */
    uint32_t code_page;    /* blink_jit_block.page and page_slot */
    uint32_t page_slot;
    struct blink_jit_code code;
};

struct map_table;

struct block_map {
    struct map_table *table;  /* by key; atomic */
    struct block_info **page; /* by page number, hashed */
    uint32_t page_mask;
    uint32_t count;
    uint64_t generation; /* grows with every drop; atomic reads */
    uint64_t epoch;      /* grows with every reaping; atomic */
    struct block_info *dead;
    uint32_t dead_count; /* atomic reads */
    struct map_table *old_tables;
    struct block *none; /* the dead block of empty jump-cache slots */
};

int map_init(struct block_map *map);
void map_finish(struct block_map *map);

/* Memory for a block of `count` instructions and its info; released by map_discard, or by the map
 * once inserted. */
struct block *map_alloc(uint32_t count);
/* The same for a block that will only ever run in translated code: without the instructions. */
struct block *map_alloc_bare(uint32_t count);
void map_discard(struct block *block);

static inline struct block_info *map_info(const struct block *block) {
    return block->exec;
}
static inline struct block *map_block(const struct block_info *info) {
    return (struct block *)(uintptr_t)(info + 1);
}

/* [any] */
struct block *map_find(struct block_map *map, uint64_t rip, uint64_t cs_base, uint32_t mode);
/* The same, for one that stands on physical page `physical`. */
struct block *map_find_at(struct block_map *map, uint64_t rip, uint64_t cs_base, uint32_t mode,
                          uint64_t physical);
int map_insert(struct block_map *map, struct block *block);
/* Let exit `exit` of `from` lead to `to`, if both are alive. */
void map_link(struct block *from, uint32_t exit, struct block *to);

/* Called for each block as it is dropped, for its translated code. */
typedef void map_dropped(void *arg, struct block_info *info);
/* Drop the blocks on linear [start, end); number of them. */
uint32_t map_drop(struct block_map *map, uint64_t start, uint64_t end, map_dropped *dropped,
                  void *arg);
/* Release the dead blocks that no vCPU can hold: `oldest` is the oldest epoch any works in, 0 if
 * none does. */
void map_reap(struct block_map *map, uint64_t oldest);
/* Undo every link, and begin a new epoch: vCPUs forget what they remember of blocks. */
void map_unlink_all(struct block_map *map);
/* Call for every living block. */
void map_each(struct block_map *map, map_dropped *call, void *arg);

#endif
