/*
 * What the files of the bus share. The lock may be taken again by the thread that has it, because
 * handlers are called with it held and use the bus themselves.
 */
#ifndef CORE_BUS_INTERNAL_H
#define CORE_BUS_INTERNAL_H

#include <blink/cpu.h>
#include <blink/disk.h>
#include <blink/display.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "bus/bus.h"

/* A claimed range. */
struct claim {
    struct blink_plugin *owner;
    uint64_t first;
    uint64_t last; /* inclusive: a range may end at the top of the address space */
    blink_bus_read read;
    blink_bus_write write;
};

/* Claims that do not overlap, sorted by address. */
struct claim_set {
    struct claim *item;
    size_t count, room;
};

struct timer {
    struct blink_plugin *owner;
    uint64_t when;
    uint64_t order; /* of its start: ties go by it */
    blink_bus_timer call;
    void *arg;
    uint32_t id;
};

/* Timers that wait, sorted by time and order. */
struct timer_set {
    struct timer *item;
    size_t count, room;
    uint64_t started; /* timers ever started */
    uint32_t last_id;
};

/* Who is told of interrupt lines beside the controller. */
struct watcher {
    struct blink_plugin *owner;
    blink_bus_line line;
    blink_bus_eoi eoi; /* may be NULL */
};

struct display {
    struct blink_plugin *owner;
    blink_display_render render;
};

struct keyboard {
    struct blink_plugin *owner; /* NULL: there is none */
    blink_display_key key;
    blink_display_type type;
};

struct drive {
    struct blink_plugin *owner;
    struct blink_disk disk;
};

#define BUS_LINES    256u
#define BUS_WATCHERS 8u
#define BUS_DISPLAYS 4u
#define BUS_DRIVES   16u

struct blink_bus {
    pthread_mutex_t lock;           /* of everything below; recursive */
    struct claim_set ports, ranges; /* ranges: of memory */
    struct timer_set timers;
    uint8_t level[BUS_LINES];
    struct blink_plugin *controller; /* of interrupts, may be NULL */
    blink_bus_line controller_line;
    blink_bus_acknowledge controller_acknowledge;
    bool controller_output;
    struct watcher watcher[BUS_WATCHERS];
    uint32_t watchers;
    struct blink_plugin *apic; /* the local APIC, may be NULL */
    struct blink_bus_apic apic_ops;
    bool intr;                    /* an interrupt waits for the processor */
    uint64_t (*clock)(void *arg); /* may be NULL */
    void *clock_arg;
    uint64_t origin; /* host's monotonic time of creation */
    int console_in, console_out;
    bus_memory_claimed *memory; /* NULL: memory cannot be claimed */
    void *memory_arg;
    bus_notify *notify; /* may be NULL */
    void *notify_arg;
    struct display display[BUS_DISPLAYS]; /* in the order they came */
    uint32_t displays;
    uint64_t display_generation; /* atomic */
    struct keyboard keyboard;
    struct drive drive[BUS_DRIVES]; /* in the order they came */
    uint32_t drives;
};

/*
 * Lists of fixed room, in the order things came, of structures that begin with their owner. With
 * the lock held.
 */
static inline int owned_add(void *list, uint32_t *count, uint32_t room, const void *item,
                            size_t size) {
    if (*count == room)
        return -ENOSPC;
    memcpy((uint8_t *)list + (*count)++ * size, item, size);
    return 0;
}
static inline void owned_release(void *list, uint32_t *count, const struct blink_plugin *owner,
                                 size_t size) {
    uint8_t *to = list, *at = list;
    for (uint32_t k = *count; k > 0; k--, at += size) {
        const struct blink_plugin *whose;
        memcpy(&whose, at, sizeof whose);
        if (whose == owner) {
            --*count;
            continue;
        }
        memmove(to, at, size);
        to += size;
    }
}

static inline void bus_lock(struct blink_bus *bus) {
    pthread_mutex_lock(&bus->lock);
}
static inline void bus_unlock(struct blink_bus *bus) {
    pthread_mutex_unlock(&bus->lock);
}
static inline void bus_tell(struct blink_bus *bus, uint32_t attention) {
    if (bus->notify)
        bus->notify(bus->notify_arg, attention);
}

/* claims.c, irq.c and timers.c; with the lock held. */
void memory_release(struct blink_bus *bus, const struct blink_plugin *owner);
void irq_release(struct blink_bus *bus, const struct blink_plugin *owner);
void claims_release(struct claim_set *set, const struct blink_plugin *owner);
void timers_release(struct timer_set *set, const struct blink_plugin *owner);

#endif
