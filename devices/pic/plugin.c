/*
 * device-pic: the two 8259A interrupt controllers of a PC, lines 0 to 15, at ports 0x20 and 0xA0,
 * with the registers at 0x4D0 that make lines level-triggered. Nothing interrupts before a program
 * has initialised them; with the argument "bios" they begin as a PC's BIOS leaves them: vectors
 * from 0x08 and 0x70, lines 0, 1, 2, 6 and 8 not masked. Bus lock held, but for its life.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <blink/device.h>
#include <blink/host.h>

#include "pic.h"

#define PORT_MASTER 0x20
#define PORT_SLAVE  0xa0
#define PORT_ELCR   0x4d0
#define LINES       16u
#define CASCADE     2u
#define SPURIOUS    7u

/* Lines that are edge-triggered whatever is written: timer, keyboard, cascade; clock, coprocessor.
 */
#define ELCR_MASTER 0xf8u
#define ELCR_SLAVE  0xdeu

struct blink_plugin {
    const struct blink_host *host;
    struct blink_bus_iface bus;
    struct chip master, slave;
    bool bios;
};

/* ---- wiring ---- */

static void update(struct blink_plugin *p) {
    chip_set_line(&p->master, CASCADE, chip_request(&p->slave) >= 0);
    p->bus.set_intr(p->host->machine, p, chip_request(&p->master) >= 0);
}

static void set_line(struct blink_plugin *p, uint32_t line, uint32_t level) {
    if (line == CASCADE || line >= LINES)
        return; /* the slave has it; no such line */
    chip_set_line(line < 8 ? &p->master : &p->slave, line & 7, level);
    update(p);
}

/* A request may be gone by the time it is asked for: the chips answer with their lowest input. */
static uint32_t take_slave(struct blink_plugin *p) {
    int input = chip_request(&p->slave);
    if (input < 0)
        return p->slave.base + SPURIOUS;
    chip_take(&p->slave, (uint32_t)input);
    /* Its output falls, so that the next one is an edge. */
    chip_set_line(&p->master, CASCADE, false);
    return p->slave.base + (uint32_t)input;
}

static uint32_t acknowledge(struct blink_plugin *p) {
    int input = chip_request(&p->master);
    uint32_t vector = p->master.base + (input < 0 ? SPURIOUS : (uint32_t)input);
    if (input >= 0)
        chip_take(&p->master, (uint32_t)input);
    if (input == (int)CASCADE)
        vector = take_slave(p);
    update(p);
    return vector;
}

/* ---- ports ---- */

static uint64_t read_chip(struct blink_plugin *p, struct chip *c, uint64_t offset, uint32_t size) {
    uint64_t value = 0;
    for (uint32_t k = 0; k < size && offset + k < 2; k++)
        value |= (uint64_t)chip_read(c, (uint32_t)offset + k) << k * 8;
    update(p);
    return value;
}

static void write_chip(struct blink_plugin *p, struct chip *c, uint64_t offset, uint32_t size,
                       uint64_t value) {
    for (uint32_t k = 0; k < size && offset + k < 2; k++)
        chip_write(c, (uint32_t)offset + k, (uint8_t)(value >> k * 8));
    update(p);
}

static uint64_t read_master(struct blink_plugin *p, uint64_t offset, uint32_t size) {
    return read_chip(p, &p->master, offset, size);
}
static void write_master(struct blink_plugin *p, uint64_t offset, uint32_t size, uint64_t value) {
    write_chip(p, &p->master, offset, size, value);
}
static uint64_t read_slave(struct blink_plugin *p, uint64_t offset, uint32_t size) {
    return read_chip(p, &p->slave, offset, size);
}
static void write_slave(struct blink_plugin *p, uint64_t offset, uint32_t size, uint64_t value) {
    write_chip(p, &p->slave, offset, size, value);
}

static uint64_t read_elcr(struct blink_plugin *p, uint64_t offset, uint32_t size) {
    (void)size;
    return (p->master.elcr | (uint64_t)p->slave.elcr << 8) >> offset * 8;
}

static void write_elcr(struct blink_plugin *p, uint64_t offset, uint32_t size, uint64_t value) {
    if (offset == 0)
        p->master.elcr = value & ELCR_MASTER;
    if (offset == 1 || size > 1)
        p->slave.elcr = (uint8_t)((offset == 1 ? value : value >> 8) & ELCR_SLAVE);
    p->master.irr |= p->master.lines & p->master.elcr;
    p->slave.irr |= p->slave.lines & p->slave.elcr;
    update(p);
}

/* ---- life ---- */

static void program(struct chip *c, uint8_t base, uint8_t icw3, uint8_t mask) {
    chip_write(c, 0, 0x11);
    chip_write(c, 1, base);
    chip_write(c, 1, icw3);
    chip_write(c, 1, 0x01);
    chip_write(c, 1, mask);
}

static void pic_reset(struct blink_plugin *p) {
    chip_reset(&p->master);
    chip_reset(&p->slave);
    if (p->bios) {
        program(&p->master, 0x08, 1u << CASCADE, 0xb8);
        program(&p->slave, 0x70, CASCADE, 0xfe);
    }
    update(p);
}

static int pic_create(const struct blink_host *host, const char *args, struct blink_plugin **out) {
    if (*args && strcmp(args, "bios")) {
        blink_log(host, BLINK_LOG_ERROR, "pic: %s: not an argument; there is bios alone", args);
        return -EINVAL;
    }
    static const struct blink_need needs[] = {{BLINK_NEED(BLINK_IFACE_BUS, bus)}};
    struct blink_plugin *p;
    int r = BLINK_CREATE(host, "device pic", NULL, needs, &p);
    if (r)
        return r;
    if (!p->bus.set_intr) {
        blink_log(host, BLINK_LOG_ERROR,
                  "pic: this host's " BLINK_IFACE_BUS " knows no interrupt controllers");
        free(p);
        return -ENOTSUP;
    }
    p->bios = *args;
    *out = p;
    return 0;
}

static void pic_destroy(struct blink_plugin *p) {
    free(p);
}

static int claim(struct blink_plugin *p) {
    struct blink_machine *m = p->host->machine;
    int r = p->bus.claim_ports(m, p, PORT_MASTER, 2, read_master, write_master);
    if (r == 0)
        r = p->bus.claim_ports(m, p, PORT_SLAVE, 2, read_slave, write_slave);
    if (r == 0)
        r = p->bus.claim_ports(m, p, PORT_ELCR, 2, read_elcr, write_elcr);
    if (r == 0)
        r = p->bus.set_controller(m, p, set_line, acknowledge);
    return r;
}

static int pic_activate(struct blink_plugin *p) {
    int r = claim(p);
    if (r < 0)
        p->bus.release(p->host->machine, p);
    else
        pic_reset(p);
    return r;
}

static void pic_deactivate(struct blink_plugin *p) {
    p->bus.release(p->host->machine, p);
    p->master.lines = p->slave.lines = 0;
}

static const struct blink_device_ops pic_ops = {
    .plugin =
        {
            .struct_size = sizeof pic_ops,
            .create = pic_create,
            .destroy = pic_destroy,
            .activate = pic_activate,
            .deactivate = pic_deactivate,
        },
    .reset = pic_reset,
};

static const struct blink_manifest pic_manifest = {
    .struct_size = sizeof pic_manifest,
    .kind = BLINK_KIND_DEVICE,
    .name = "pic",
    .version = "0.1.0",
    .summary = "two 8259A interrupt controllers",
    .licence = "ISC",
    .vtable = &pic_ops,
};

BLINK_PLUGIN_DEFINE(&pic_manifest);
