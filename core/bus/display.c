/*
 * The service "blink.display/1": the displays of a machine and its keyboard, on the bus's lock.
 */
#include <errno.h>
#include <string.h>

#include "bus/internal.h"

static int attach(struct blink_machine *machine, struct blink_plugin *self,
                  blink_display_render render) {
    struct blink_bus *bus = machine_bus(machine);
    struct display d = {self, render};
    bus_lock(bus);
    int err = owned_add(bus->display, &bus->displays, BUS_DISPLAYS, &d, sizeof d);
    bus_unlock(bus);
    return err;
}

static void detach(struct blink_machine *machine, struct blink_plugin *self) {
    struct blink_bus *bus = machine_bus(machine);
    bus_lock(bus);
    owned_release(bus->display, &bus->displays, self, sizeof bus->display[0]);
    if (bus->keyboard.owner == self)
        bus->keyboard = (struct keyboard){0};
    bus_unlock(bus);
}

static void changed(struct blink_machine *machine, struct blink_plugin *self) {
    (void)self;
    __atomic_fetch_add(&machine_bus(machine)->display_generation, 1, __ATOMIC_RELAXED);
}

static uint64_t generation(struct blink_machine *machine) {
    return __atomic_load_n(&machine_bus(machine)->display_generation, __ATOMIC_RELAXED);
}

static int snapshot(struct blink_machine *machine, uint32_t n, struct blink_screen *out) {
    struct blink_bus *bus = machine_bus(machine);
    bus_lock(bus);
    int err = n < bus->displays ? 0 : -ENOENT;
    if (!err) {
        memset(out, 0, sizeof *out);
        out->struct_size = sizeof *out;
        out->cursor = BLINK_SCREEN_NO_CURSOR;
        bus->display[n].render(bus->display[n].owner, out);
    }
    bus_unlock(bus);
    return err;
}

static int set_keyboard(struct blink_machine *machine, struct blink_plugin *self,
                        blink_display_key key, blink_display_type type) {
    struct blink_bus *bus = machine_bus(machine);
    bus_lock(bus);
    int err = !key || !type ? -EINVAL : bus->keyboard.owner ? -EBUSY : 0;
    if (!err)
        bus->keyboard = (struct keyboard){self, key, type};
    bus_unlock(bus);
    return err;
}

static int key(struct blink_machine *machine, uint32_t code, uint32_t down) {
    struct blink_bus *bus = machine_bus(machine);
    bus_lock(bus);
    int err = bus->keyboard.owner ? 0 : -ENOENT;
    if (!err)
        bus->keyboard.key(bus->keyboard.owner, code, down);
    bus_unlock(bus);
    return err;
}

static int64_t type(struct blink_machine *machine, const char *text, size_t size) {
    struct blink_bus *bus = machine_bus(machine);
    bus_lock(bus);
    int64_t taken = -ENOENT;
    if (bus->keyboard.owner)
        taken = (int64_t)bus->keyboard.type(bus->keyboard.owner, text, size);
    bus_unlock(bus);
    return taken;
}

const struct blink_display_iface display_iface = {
    .struct_size = sizeof display_iface,
    .attach = attach,
    .detach = detach,
    .changed = changed,
    .generation = generation,
    .snapshot = snapshot,
    .set_keyboard = set_keyboard,
    .key = key,
    .type = type,
};
