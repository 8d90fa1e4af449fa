/*
 * The bus itself: creation, its lock, interrupt lines, the clock. Owned by the machine; called by
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
    if (bus->controller == self) {
        bus->controller = NULL;
        bus->intr = false;
    }
    bus_unlock(bus);
}

int bus_set_irq(struct blink_bus *bus, uint32_t line, uint32_t level) {
    if (line >= BUS_LINES)
        return -EINVAL;
    bus_lock(bus);
    bool changed = bus->level[line] != (level != 0);
    bus->level[line] = level != 0;
    if (changed && bus->controller)
        bus->controller_line(bus->controller, line, bus->level[line]);
    else if (changed)
        bus_tell(bus, BLINK_ATTN_IRQ);
    bus_unlock(bus);
    return 0;
}

bool bus_irq_level(struct blink_bus *bus, uint32_t line) {
    if (line >= BUS_LINES)
        return false;
    bus_lock(bus);
    bool level = bus->level[line];
    bus_unlock(bus);
    return level;
}

int bus_set_controller(struct blink_bus *bus, struct blink_plugin *self, blink_bus_line line,
                       blink_bus_acknowledge acknowledge) {
    if (!self || !line || !acknowledge)
        return -EINVAL;
    bus_lock(bus);
    int err = bus->controller ? -EBUSY : 0;
    if (!err) {
        bus->controller = self;
        bus->controller_line = line;
        bus->controller_acknowledge = acknowledge;
        for (uint32_t k = 0; k < BUS_LINES; k++)
            if (bus->level[k])
                line(self, k, 1);
    }
    bus_unlock(bus);
    return err;
}

int bus_set_intr(struct blink_bus *bus, struct blink_plugin *self, uint32_t level) {
    bus_lock(bus);
    int err = bus->controller == self ? 0 : -EPERM;
    bool changed = !err && bus->intr != (level != 0);
    if (changed) {
        bus->intr = level != 0;
        bus_tell(bus, BLINK_ATTN_IRQ);
    }
    bus_unlock(bus);
    return err;
}

bool bus_intr(struct blink_bus *bus) {
    bus_lock(bus);
    bool intr = bus->intr;
    bus_unlock(bus);
    return intr;
}

bool bus_acknowledge(struct blink_bus *bus, uint32_t *vector) {
    bus_lock(bus);
    bool taken = bus->controller && bus->intr;
    if (taken)
        *vector = bus->controller_acknowledge(bus->controller) & 0xff;
    bus_unlock(bus);
    return taken;
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
