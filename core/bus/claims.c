/*
 * Who answers for which ports and physical addresses, and the accesses to them. The sets belong
 * to the bus; vCPUs come here for every IN, OUT and memory-mapped access.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus/internal.h"

#define LAST_PORT 0xffffu

/* Index of the first claim that ends at or above `address`. */
static size_t lower(const struct claim_set *set, uint64_t address) {
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (set->item[middle].last < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct claim *claim_at(const struct claim_set *set, uint64_t address) {
    size_t k = lower(set, address);
    return k < set->count && set->item[k].first <= address ? &set->item[k] : NULL;
}

static int add(struct claim_set *set, const struct claim *claim) {
    size_t k = lower(set, claim->first);
    if (k < set->count && set->item[k].first <= claim->last)
        return -EBUSY;
    if (set->count == set->room) {
        size_t room = set->room ? set->room * 2 : 8;
        struct claim *grown = realloc(set->item, room * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        set->item = grown;
        set->room = room;
    }
    memmove(&set->item[k + 1], &set->item[k], (set->count - k) * sizeof set->item[0]);
    set->item[k] = *claim;
    set->count++;
    return 0;
}

void claims_release(struct claim_set *set, const struct blink_plugin *owner) {
    size_t kept = 0;
    for (size_t k = 0; k < set->count; k++)
        if (set->item[k].owner != owner)
            set->item[kept++] = set->item[k];
    set->count = kept;
}

void memory_release(struct blink_bus *bus, const struct blink_plugin *owner) {
    for (size_t k = 0; bus->memory && k < bus->ranges.count; k++)
        if (bus->ranges.item[k].owner == owner)
            bus->memory(bus->memory_arg, bus->ranges.item[k].first, bus->ranges.item[k].last,
                        false);
    claims_release(&bus->ranges, owner);
}

void bus_unclaim_memory(struct blink_bus *bus, struct blink_plugin *self, uint64_t address) {
    struct claim_set *set = &bus->ranges;
    bus_lock(bus);
    size_t k = lower(set, address);
    if (k < set->count && set->item[k].first == address && set->item[k].owner == self) {
        struct claim gone = set->item[k];
        set->count--;
        memmove(&set->item[k], &set->item[k + 1], (set->count - k) * sizeof set->item[0]);
        bus->memory(bus->memory_arg, gone.first, gone.last, false);
    }
    bus_unlock(bus);
}

int bus_claim_ports(struct blink_bus *bus, struct blink_plugin *self, uint16_t first,
                    uint32_t count, blink_bus_read read, blink_bus_write write) {
    if (count == 0 || count > LAST_PORT + 1u - first)
        return -EINVAL;
    struct claim claim = {self, first, first + (count - 1), read, write};
    bus_lock(bus);
    int err = add(&bus->ports, &claim);
    bus_unlock(bus);
    return err;
}

int bus_claim_memory(struct blink_bus *bus, struct blink_plugin *self, uint64_t address,
                     uint64_t size, blink_bus_read read, blink_bus_write write) {
    if (size == 0 || (address | size) % 4096 || size - 1 > UINT64_MAX - address)
        return -EINVAL;
    struct claim claim = {self, address, address + (size - 1), read, write};
    bus_lock(bus);
    int err = bus->memory ? add(&bus->ranges, &claim) : -ENOTSUP;
    if (!err)
        bus->memory(bus->memory_arg, claim.first, claim.last, true);
    bus_unlock(bus);
    return err;
}

static uint64_t mask_of(uint32_t size) {
    return size >= 8 ? UINT64_MAX : (UINT64_C(1) << size * 8) - 1;
}

static bool is_power_of_2(uint32_t size) {
    return size && !(size & (size - 1));
}

static uint64_t ask(const struct claim *claim, uint64_t address, uint32_t size) {
    if (!claim || !claim->read)
        return mask_of(size);
    return claim->read(claim->owner, address - claim->first, size) & mask_of(size);
}

static void tell(const struct claim *claim, uint64_t address, uint32_t size, uint64_t value) {
    if (claim && claim->write)
        claim->write(claim->owner, address - claim->first, size, value & mask_of(size));
}

/* The claim that holds the access whole, or NULL. */
static const struct claim *whole(const struct claim_set *set, uint64_t address, uint32_t size) {
    const struct claim *claim = claim_at(set, address);
    return claim && is_power_of_2(size) && claim->last - address >= size - 1 ? claim : NULL;
}

/* A handler may claim or release, so that the set moves: each byte is looked up by itself. The
 * bytes of an access beyond the last address belong to nobody. */
static const struct claim *byte_claim(const struct claim_set *set, uint64_t address, uint32_t k,
                                      uint64_t last) {
    return k <= last - address ? claim_at(set, address + k) : NULL;
}

static uint64_t read_set(const struct claim_set *set, uint64_t address, uint32_t size,
                         uint64_t last) {
    const struct claim *claim = whole(set, address, size);
    uint64_t value = 0;
    if (claim)
        return ask(claim, address, size);
    for (uint32_t k = 0; k < size && k < 8; k++)
        value |= ask(byte_claim(set, address, k, last), address + k, 1) << k * 8;
    return value;
}

static void write_set(const struct claim_set *set, uint64_t address, uint32_t size, uint64_t value,
                      uint64_t last) {
    const struct claim *claim = whole(set, address, size);
    if (claim) {
        tell(claim, address, size, value);
        return;
    }
    for (uint32_t k = 0; k < size && k < 8; k++)
        tell(byte_claim(set, address, k, last), address + k, 1, value >> k * 8);
}

uint64_t bus_read_port(struct blink_bus *bus, uint16_t port, uint32_t size) {
    bus_lock(bus);
    uint64_t value = read_set(&bus->ports, port, size, LAST_PORT);
    bus_unlock(bus);
    return value;
}

void bus_write_port(struct blink_bus *bus, uint16_t port, uint32_t size, uint64_t value) {
    bus_lock(bus);
    write_set(&bus->ports, port, size, value, LAST_PORT);
    bus_unlock(bus);
}

bool bus_port_claimed(struct blink_bus *bus, uint16_t port, uint32_t size) {
    bool claimed = true;
    bus_lock(bus);
    for (uint32_t k = 0; k < size && claimed; k++)
        claimed = byte_claim(&bus->ports, port, k, LAST_PORT);
    bus_unlock(bus);
    return claimed;
}

bool bus_read_memory(struct blink_bus *bus, uint64_t address, uint32_t size, uint64_t *out) {
    bus_lock(bus);
    bool claimed = size <= 8 && claim_at(&bus->ranges, address);
    if (claimed)
        *out = read_set(&bus->ranges, address, size, UINT64_MAX);
    bus_unlock(bus);
    return claimed;
}

bool bus_write_memory(struct blink_bus *bus, uint64_t address, uint32_t size, uint64_t value) {
    bus_lock(bus);
    bool claimed = size <= 8 && claim_at(&bus->ranges, address);
    if (claimed)
        write_set(&bus->ranges, address, size, value, UINT64_MAX);
    bus_unlock(bus);
    return claimed;
}
