/*
 * The fixture of tests of display adapters: one adapter on a fake host, after a reset, and its
 * picture. A test defines ADAPTER, its name, first. One thread.
 */
#ifndef TESTS_ADAPTER_H
#define TESTS_ADAPTER_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <blink/device.h>

#include "fakehost.h"

struct fixture {
    struct fakehost *fh;
    const struct blink_device_ops *ops;
    struct blink_plugin *device;
};

static struct blink_screen screen;

static int setup(void **state) {
    static struct fixture f;
    f.fh = fakehost_create();
    f.ops = fakehost_find(&blink_plugin_entry, BLINK_KIND_DEVICE, ADAPTER);
    f.device = NULL;
    *state = &f;
    if (!f.ops || f.ops->plugin.create(fakehost_host(f.fh), "", &f.device) ||
        f.ops->plugin.activate(f.device))
        return -1;
    f.ops->reset(f.device);
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    f->ops->plugin.deactivate(f->device);
    f->ops->plugin.destroy(f->device);
    fakehost_destroy(f->fh);
    return 0;
}

static inline void out(struct fixture *f, uint16_t port, uint8_t v) {
    fakehost_port_write(f->fh, port, 1, v);
}
static inline uint8_t in(struct fixture *f, uint16_t port) {
    return (uint8_t)fakehost_port_read(f->fh, port, 1);
}
/* A register behind an index. */
static inline void set_indexed(struct fixture *f, uint16_t port, uint8_t index, uint8_t v) {
    fakehost_port_write(f->fh, port, 2, (uint64_t)(v << 8 | index));
}
static inline void picture(struct fixture *f) {
    assert_int_equal(fakehost_snapshot(f->fh, 0, &screen), 0);
}

/* Anything is written to ports of the adapter: a picture is always one that fits. */
static inline void write_wildly(struct fixture *f, uint16_t first, uint32_t count) {
    uint32_t seed = 1;
    for (int k = 0; k < 20000; k++) {
        seed = seed * 1103515245 + 12345;
        fakehost_port_write(f->fh, (uint16_t)(first + (seed >> 16) % count), 1, seed >> 8);
        if (k % 3 == 0)
            fakehost_memory_write(f->fh, 0xa0000 + (seed >> 10) % 0x20000, 1, (uint8_t)seed);
        if (k % 100)
            continue;
        picture(f);
        if (screen.kind == BLINK_SCREEN_TEXT)
            assert_true(screen.width * screen.height <= BLINK_SCREEN_CELLS);
        if (screen.kind == BLINK_SCREEN_PIXELS)
            assert_true(screen.width * screen.height <= BLINK_SCREEN_PIXELS_MAX);
    }
}

/* One at a time has the ports and the memory, until it gives them back; none has arguments. */
static inline void check_life(struct fixture *f, uint16_t port, uint64_t memory) {
    struct blink_plugin *other;
    const struct blink_host *host = fakehost_host(f->fh);
    assert_int_equal(f->ops->plugin.create(host, "", &other), 0);
    assert_int_equal(f->ops->plugin.activate(other), -EBUSY);
    f->ops->plugin.destroy(other);
    assert_int_equal(fakehost_snapshot(f->fh, 1, &screen), -ENOENT);
    assert_true(fakehost_port_claimed(f->fh, port) && fakehost_memory_claimed(f->fh, memory));
    f->ops->plugin.deactivate(f->device);
    assert_false(fakehost_port_claimed(f->fh, port));
    assert_false(fakehost_memory_claimed(f->fh, memory));
    assert_int_equal(fakehost_snapshot(f->fh, 0, &screen), -ENOENT);
    assert_int_equal(f->ops->plugin.activate(f->device), 0);
    assert_int_equal(f->ops->plugin.create(host, "x", &other), -EINVAL);
    assert_string_equal(fakehost_log(f->fh), "device " ADAPTER " takes no arguments, not \"x\"\n");
}

#endif
