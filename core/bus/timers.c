/*
 * Timers of the bus: a short sorted array, run by whichever vCPU asks. The clock is the host's
 * monotonic one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus/internal.h"

static bool id_in_use(const struct timer_set *set, uint32_t id) {
    for (size_t k = 0; k < set->count; k++)
        if (set->item[k].id == id)
            return true;
    return id == 0;
}

static int insert(struct timer_set *set, struct timer timer) {
    size_t k = set->count;
    if (set->count == set->room) {
        size_t room = set->room ? set->room * 2 : 8;
        struct timer *grown = realloc(set->item, room * sizeof *grown);
        if (!grown)
            return -ENOMEM;
        set->item = grown;
        set->room = room;
    }
    while (k > 0 && set->item[k - 1].when > timer.when)
        k--;
    memmove(&set->item[k + 1], &set->item[k], (set->count - k) * sizeof set->item[0]);
    set->item[k] = timer;
    set->count++;
    return 0;
}

static void take(struct timer_set *set, size_t k) {
    set->count--;
    memmove(&set->item[k], &set->item[k + 1], (set->count - k) * sizeof set->item[0]);
}

void timers_release(struct timer_set *set, const struct blink_plugin *owner) {
    for (size_t k = set->count; k-- > 0;)
        if (set->item[k].owner == owner)
            take(set, k);
}

int bus_timer_start(struct blink_bus *bus, struct blink_plugin *self, uint64_t when,
                    blink_bus_timer call, void *arg, uint32_t *out) {
    struct timer_set *set = &bus->timers;
    bus_lock(bus);
    uint32_t id = set->last_id + 1;
    while (id_in_use(set, id))
        id++;
    int err = insert(set, (struct timer){self, when, set->started, call, arg, id});
    if (!err) {
        set->started++;
        set->last_id = id;
        *out = id;
        if (set->item[0].id == id)
            bus_tell(bus, BLINK_ATTN_TIMER);
    }
    bus_unlock(bus);
    return err;
}

void bus_timer_cancel(struct blink_bus *bus, uint32_t id) {
    struct timer_set *set = &bus->timers;
    bus_lock(bus);
    for (size_t k = 0; k < set->count; k++)
        if (set->item[k].id == id) {
            take(set, k);
            break;
        }
    bus_unlock(bus);
}

/* The first timer that is due and was not started after `order`; count if there is none. */
static size_t first_due(const struct timer_set *set, uint64_t now, uint64_t order) {
    size_t k = 0;
    while (k < set->count && set->item[k].when <= now && set->item[k].order >= order)
        k++;
    return k < set->count && set->item[k].when <= now ? k : set->count;
}

int64_t bus_run_timers(struct blink_bus *bus) {
    struct timer_set *set = &bus->timers;
    int64_t wait = -1;
    bus_lock(bus);
    uint64_t now = bus_now(bus), order = set->started;
    for (;;) {
        size_t k = first_due(set, now, order);
        if (k == set->count)
            break;
        struct timer due = set->item[k];
        take(set, k);
        due.call(due.owner, due.arg);
    }
    if (set->count) {
        uint64_t next = set->item[0].when;
        now = bus_now(bus);
        wait = next <= now ? 0 : next - now > INT64_MAX ? INT64_MAX : (int64_t)(next - now);
    }
    bus_unlock(bus);
    return wait;
}
