/*
 * Interrupts: lines go to the interrupt controller and to those who watch them, the controller's
 * output to the local APIC or, without one, to the processor; messages and ends of interrupts go
 * between local and I/O APICs. Any thread, with the tags of bus.h.
 */
#include <errno.h>
#include <string.h>

#include "bus/internal.h"

/* ---- lines ---- */

static void tell_line(struct blink_bus *bus, uint32_t line) {
    if (bus->controller)
        bus->controller_line(bus->controller, line, bus->level[line]);
    for (uint32_t k = 0; k < bus->watchers; k++)
        bus->watcher[k].line(bus->watcher[k].owner, line, bus->level[line]);
    if (!bus->controller)
        bus_tell(bus, BLINK_ATTN_IRQ);
}

int bus_set_irq(struct blink_bus *bus, uint32_t line, uint32_t level) {
    if (line >= BUS_LINES)
        return -EINVAL;
    bus_lock(bus);
    bool changed = bus->level[line] != (level != 0);
    bus->level[line] = level != 0;
    if (changed)
        tell_line(bus, line);
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

static void tell_of_all(struct blink_bus *bus, struct blink_plugin *self, blink_bus_line line) {
    for (uint32_t k = 0; k < BUS_LINES; k++)
        if (bus->level[k])
            line(self, k, 1);
}

int bus_watch_lines(struct blink_bus *bus, struct blink_plugin *self, blink_bus_line line,
                    blink_bus_eoi eoi) {
    struct watcher w = {self, line, eoi};
    if (!self || !line)
        return -EINVAL;
    bus_lock(bus);
    int err = owned_add(bus->watcher, &bus->watchers, BUS_WATCHERS, &w, sizeof w);
    if (!err)
        tell_of_all(bus, self, line);
    bus_unlock(bus);
    return err;
}

void bus_end_of_interrupt(struct blink_bus *bus, uint32_t vector) {
    bus_lock(bus);
    for (uint32_t k = 0; k < bus->watchers; k++)
        if (bus->watcher[k].eoi)
            bus->watcher[k].eoi(bus->watcher[k].owner, vector);
    bus_unlock(bus);
}

/* ---- to the processor ---- */

static void set_intr(struct blink_bus *bus, bool level) {
    if (bus->intr == level)
        return;
    bus->intr = level;
    bus_tell(bus, BLINK_ATTN_IRQ);
}

static void set_output(struct blink_bus *bus, bool level) {
    if (bus->controller_output == level)
        return;
    bus->controller_output = level;
    if (bus->apic)
        bus->apic_ops.lint0(bus->apic, level);
    else
        set_intr(bus, level);
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
        tell_of_all(bus, self, line);
    }
    bus_unlock(bus);
    return err;
}

int bus_set_intr(struct blink_bus *bus, struct blink_plugin *self, uint32_t level) {
    int err = 0;
    bus_lock(bus);
    if (self == bus->controller)
        set_output(bus, level != 0);
    else if (self == bus->apic)
        set_intr(bus, level != 0);
    else
        err = -EPERM;
    bus_unlock(bus);
    return err;
}

bool bus_intr(struct blink_bus *bus) {
    bus_lock(bus);
    bool intr = bus->intr;
    bus_unlock(bus);
    return intr;
}

int bus_take(struct blink_bus *bus, uint32_t *vector) {
    bus_lock(bus);
    int err = bus->controller && bus->controller_output ? 0 : -ENOENT;
    if (!err)
        *vector = bus->controller_acknowledge(bus->controller) & 0xff;
    bus_unlock(bus);
    return err;
}

bool bus_acknowledge(struct blink_bus *bus, uint32_t *vector) {
    bus_lock(bus);
    bool taken = bus->intr;
    if (taken && bus->apic)
        *vector = bus->apic_ops.acknowledge(bus->apic) & 0xff;
    else if (taken)
        taken = bus_take(bus, vector) == 0;
    bus_unlock(bus);
    return taken;
}

void irq_release(struct blink_bus *bus, const struct blink_plugin *owner) {
    owned_release(bus->watcher, &bus->watchers, owner, sizeof bus->watcher[0]);
    if (bus->controller == owner) {
        set_output(bus, false);
        bus->controller = NULL;
    }
    if (bus->apic == owner) {
        bus->apic = NULL;
        set_intr(bus, bus->controller_output);
    }
}

/* ---- the local APIC ---- */

int bus_set_apic(struct blink_bus *bus, struct blink_plugin *self,
                 const struct blink_bus_apic *ops) {
    struct blink_bus_apic known = {0};
    memcpy(&known, ops, ops->struct_size < sizeof known ? ops->struct_size : sizeof known);
    if (!self || !known.lint0 || !known.lint1 || !known.acknowledge || !known.message ||
        !known.set_base || !known.priority || !known.set_priority)
        return -EINVAL;
    bus_lock(bus);
    int err = bus->apic ? -EBUSY : 0;
    if (!err) {
        bus->apic = self;
        bus->apic_ops = known;
        set_intr(bus, false);
        if (bus->controller_output)
            known.lint0(self, 1);
    }
    bus_unlock(bus);
    return err;
}

int bus_message(struct blink_bus *bus, uint32_t destination, uint32_t command) {
    bus_lock(bus);
    int err = bus->apic ? bus->apic_ops.message(bus->apic, destination, command) : -ENOENT;
    bus_unlock(bus);
    return err;
}

bool bus_has_apic(struct blink_bus *bus) {
    bus_lock(bus);
    bool has = bus->apic;
    bus_unlock(bus);
    return has;
}

void bus_set_apic_base(struct blink_bus *bus, uint64_t value) {
    bus_lock(bus);
    if (bus->apic)
        bus->apic_ops.set_base(bus->apic, value);
    bus_unlock(bus);
}

bool bus_priority(struct blink_bus *bus, uint32_t *out) {
    bus_lock(bus);
    bool has = bus->apic;
    if (has)
        *out = bus->apic_ops.priority(bus->apic);
    bus_unlock(bus);
    return has;
}

bool bus_set_priority(struct blink_bus *bus, uint32_t priority) {
    bus_lock(bus);
    bool has = bus->apic;
    if (has)
        bus->apic_ops.set_priority(bus->apic, priority);
    bus_unlock(bus);
    return has;
}

bool bus_nmi(struct blink_bus *bus) {
    bus_lock(bus);
    bool taken = !bus->apic || bus->apic_ops.lint1(bus->apic);
    bus_unlock(bus);
    return taken;
}
