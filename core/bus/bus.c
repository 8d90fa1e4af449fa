/*
 * The bus itself: creation, its lock, the clock. Owned by the machine; called by
 * any thread, with the tags of bus.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "bus/internal.h"

static int init_lock(pthread_mutex_t *lock) {
    pthread_mutexattr_t attr;
    int err = pthread_mutexattr_init(&attr);
    if (err)
        return -err;
    err = pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    if (!err)
        err = pthread_mutex_init(lock, &attr);
    pthread_mutexattr_destroy(&attr);
    return -err;
}

static uint64_t host_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

int bus_create(struct blink_bus **out) {
    struct blink_bus *bus = calloc(1, sizeof *bus);
    if (!bus)
        return -ENOMEM;
    int err = init_lock(&bus->lock);
    if (err) {
        free(bus);
        return err;
    }
    bus->origin = host_now();
    bus->console_in = 0;
    bus->console_out = 1;
    *out = bus;
    return 0;
}

void bus_destroy(struct blink_bus *bus) {
    if (!bus)
        return;
    pthread_mutex_destroy(&bus->lock);
    free(bus->ports.item);
    free(bus->ranges.item);
    free(bus->timers.item);
    free(bus);
}

void bus_allow_memory(struct blink_bus *bus, bus_memory_claimed *tell, void *arg) {
    bus_lock(bus);
    bus->memory = tell;
    bus->memory_arg = arg;
    bus_unlock(bus);
}

void bus_set_console(struct blink_bus *bus, int input, int output) {
    bus_lock(bus);
    bus->console_in = input;
    bus->console_out = output;
    bus_unlock(bus);
}

void bus_set_notify(struct blink_bus *bus, bus_notify *notify, void *arg) {
    bus_lock(bus);
    bus->notify = notify;
    bus->notify_arg = arg;
    bus_unlock(bus);
}

void bus_before_fork(struct blink_bus *bus) {
    bus_lock(bus);
}

void bus_fork_parent(struct blink_bus *bus) {
    bus_unlock(bus);
}

void bus_after_fork(struct blink_bus *bus) {
    /* A recursive mutex knows its owner by thread id, which is another one in the child: it
     * cannot be unlocked there, only made anew. It succeeded once with the same arguments. */
    init_lock(&bus->lock);
}

void bus_release(struct blink_bus *bus, struct blink_plugin *self) {
    bus_lock(bus);
    claims_release(&bus->ports, self);
    memory_release(bus, self);
    timers_release(&bus->timers, self);
    irq_release(bus, self);
    bus_unlock(bus);
}

void bus_set_clock(struct blink_bus *bus, uint64_t (*clock)(void *arg), void *arg) {
    bus_lock(bus);
    bus->clock = clock;
    bus->clock_arg = arg;
    bus_unlock(bus);
}

uint64_t bus_now(struct blink_bus *bus) {
    return bus->clock ? bus->clock(bus->clock_arg) : host_now() - bus->origin;
}
