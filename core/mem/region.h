/*
 * The sorted set of regions of one address space: what the guest has mapped, and the only truth
 * about it. Regions never overlap; neighbours that could be one are one.
 */
#ifndef CORE_MEM_REGION_H
#define CORE_MEM_REGION_H

#include <blink/mem.h>
#include <stdbool.h>

/* Identity and name of what is mapped; shared by the regions made of it. */
struct region_object {
    uint32_t refs;
    uint32_t reserved;
    uint64_t inode; /* 0: anonymous and private; shared anonymous memory has one of its own */
    uint64_t device;
    char name[256];
};

struct region {
    uint64_t start, end;
    uint64_t host;                /* host address of `start` */
    uint64_t offset;              /* of `start` in the file, 0 if anonymous */
    uint32_t prot;                /* BLINK_PROT_* */
    uint32_t flags;               /* BLINK_MAP_SHARED, ANON, GROWSDOWN, NORESERVE */
    struct region_object *object; /* NULL: anonymous without a name */
};

struct region_set {
    struct region *v;
    size_t count, capacity;
};

#define REGION_FLAGS (BLINK_MAP_SHARED | BLINK_MAP_ANON | BLINK_MAP_GROWSDOWN | BLINK_MAP_NORESERVE)

struct region_object *region_object_new(uint64_t inode, uint64_t device, const char *name);
struct region_object *region_object_ref(struct region_object *object);
void region_object_unref(struct region_object *object);

void region_finish(struct region_set *set);
/* Room for `extra` more regions, so that what follows cannot fail; 0 or -ENOMEM. */
int region_reserve(struct region_set *set, size_t extra);

/* Index of the first region that ends above `address`; count if there is none. */
size_t region_index(const struct region_set *set, uint64_t address);
/* The region that holds `address`, or NULL. Valid until the set changes. */
struct region *region_at(const struct region_set *set, uint64_t address);
/* Is anything, is everything, of [start, end) in a region? */
bool region_any(const struct region_set *set, uint64_t start, uint64_t end);
bool region_all(const struct region_set *set, uint64_t start, uint64_t end);

/* Split the region that holds `address` so that one begins there. Needs one slot in reserve. */
void region_split(struct region_set *set, uint64_t address);
/* Take [start, end) out. Needs one slot. */
void region_cut(struct region_set *set, uint64_t start, uint64_t end);
/* Put a region into free space; the object's reference is taken over. Needs one slot. */
void region_insert(struct region_set *set, const struct region *region);
/* Join what can be joined among the regions that touch [start, end]. */
void region_join(struct region_set *set, uint64_t start, uint64_t end);
/* Would b continue a, wherever the host has them? */
bool region_alike(const struct region *a, const struct region *b);

/* Highest address in [low, high - size] with `size` free bytes, `guard` bytes kept below regions
 * that grow down; 0 if there is none. Addresses are pages. */
uint64_t region_gap(const struct region_set *set, uint64_t low, uint64_t high, uint64_t size,
                    uint64_t guard);

#endif
