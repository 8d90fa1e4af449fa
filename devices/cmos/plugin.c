/*
 * device-cmos: the battery-backed clock and memory of a PC at ports 0x70 and 0x71, with interrupt
 * line 8. Arguments: time=SECONDS, where the clock begins (since 1970; by default the host's
 * clock), and memory=MIB, the size of memory that is told (by default the
 * machine's). Nothing is kept when the machine ends. Bus lock held, but for its life.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <blink/device.h>
#include <blink/host.h>
#include <blink/system.h>

#include "rtc.h"

#define PORT       0x70
#define IRQ        8
#define MEMORY_MAX 4095 /* MiB that its bytes can tell of */

struct blink_plugin {
    const struct blink_host *host;
    struct blink_bus_iface bus;
    struct rtc rtc;
    int64_t begin; /* seconds since 1970 at power-on, -1: the host's clock */
    uint32_t memory;
    uint8_t index;
    uint32_t timer; /* 0: not running */
};

static uint64_t now(const struct blink_plugin *c) {
    return c->bus.now(c->host->machine);
}

/* ---- interrupt line ---- */

static void update(struct blink_plugin *c);

static void due(struct blink_plugin *c, void *arg) {
    (void)arg;
    c->timer = 0;
    update(c);
}

static void update(struct blink_plugin *c) {
    uint64_t t = now(c);
    c->bus.set_irq(c->host->machine, IRQ, rtc_irq(&c->rtc, t));
    uint64_t next = rtc_next(&c->rtc, t);
    c->bus.timer_cancel(c->host->machine, c->timer);
    c->timer = 0;
    if (next != RTC_NEVER && c->bus.timer_start(c->host->machine, c, next, due, NULL, &c->timer))
        c->timer = 0;
}

/* ---- ports ---- */

static uint64_t cmos_read(struct blink_plugin *c, uint64_t offset, uint32_t size) {
    (void)size;
    if (offset == 0)
        return 0xff; /* the index is not read back */
    uint8_t value = rtc_read(&c->rtc, now(c), c->index);
    update(c);
    return value;
}

static void cmos_write(struct blink_plugin *c, uint64_t offset, uint32_t size, uint64_t value) {
    if (offset == 0) {
        c->index = value & (RTC_BYTES - 1); /* bit 7 holds NMIs back, and there are none */
        if (size == 1)
            return;
        value >>= 8;
    }
    rtc_write(&c->rtc, now(c), c->index, (uint8_t)value);
    update(c);
}

/* ---- life ---- */

static void put16(struct rtc *r, uint32_t index, uint32_t value) {
    r->ram[index] = (uint8_t)value;
    r->ram[index + 1] = (uint8_t)(value >> 8);
}

/* What a BIOS's setup would have left. */
static void fill(struct blink_plugin *c) {
    struct rtc *r = &c->rtc;
    uint32_t extended = (c->memory - 1) * 1024, sum = 0;
    uint32_t above_16 = c->memory > 16 ? (c->memory - 16) * 16 : 0;
    r->ram[0x10] = 0x40; /* one floppy drive of 1.44 MB */
    r->ram[0x14] = 0x03; /* it is there; a coprocessor too */
    put16(r, 0x15, 640);
    put16(r, 0x17, extended < 0xffff ? extended : 0xffff);
    put16(r, 0x30, extended < 0xffff ? extended : 0xffff);
    put16(r, 0x34, above_16 < 0xffff ? above_16 : 0xffff);
    for (uint32_t k = 0x10; k < 0x2e; k++)
        sum += r->ram[k];
    r->ram[0x2e] = (uint8_t)(sum >> 8);
    r->ram[0x2f] = (uint8_t)sum;
}

static int parse_number(const char *text, uint64_t low, uint64_t high, uint64_t *out) {
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return -EINVAL;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 0);
    if (errno || (*end && *end != ',') || v < low || v > high)
        return -EINVAL;
    *out = v;
    return 0;
}

static int parse(struct blink_plugin *c, const char *args) {
    uint64_t v;
    for (const char *word = args; word && *word; word = strchr(word, ',')) {
        word += *word == ',';
        /* The year 9999 is the last that the registers hold. */
        if (!strncmp(word, "time=", 5) && !parse_number(word + 5, 0, UINT64_C(253402300799), &v))
            c->begin = (int64_t)v;
        else if (!strncmp(word, "memory=", 7) && !parse_number(word + 7, 1, MEMORY_MAX, &v))
            c->memory = (uint32_t)v;
        else
            return -EINVAL;
    }
    return 0;
}

static void cmos_reset(struct blink_plugin *c) {
    rtc_reset(&c->rtc, now(c));
    update(c);
}

/* MiB of the machine; 16 where nobody knows. */
static uint32_t ram_of(const struct blink_host *host) {
    const struct blink_system_iface *board = host->get_iface(host->machine, BLINK_IFACE_SYSTEM);
    uint64_t mib = 0;
    if (board && board->struct_size >= sizeof *board)
        mib = board->ram_size(host->machine) >> 20;
    return mib == 0 ? 16 : mib > MEMORY_MAX ? MEMORY_MAX : (uint32_t)mib;
}

/* Runs in virtual time can be repeated, and begin at one date. */
#define VIRTUAL_BEGIN 946684800 /* 2000-01-01 */

static int64_t begin_of(const struct blink_host *host) {
    const char *clock = host->option(host->machine, "clock");
    return clock && !strcmp(clock, "icount") ? VIRTUAL_BEGIN : (int64_t)time(NULL);
}

static int cmos_create(const struct blink_host *host, const char *args, struct blink_plugin **out) {
    struct blink_plugin *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    if (blink_service(host, "device cmos", BLINK_IFACE_BUS, &c->bus, sizeof c->bus)) {
        free(c);
        return -ENOTSUP;
    }
    c->host = host;
    c->begin = -1;
    c->memory = ram_of(host);
    if (parse(c, args)) {
        blink_log(host, BLINK_LOG_ERROR,
                  "cmos: %s: no such arguments; give time=SECONDS and memory=MIB (1 to %d)", args,
                  MEMORY_MAX);
        free(c);
        return -EINVAL;
    }
    uint64_t t = now(c);
    if (c->begin < 0)
        c->begin = begin_of(host);
    rtc_init(&c->rtc, c->begin - (int64_t)(t / UINT64_C(1000000000)), t);
    fill(c);
    *out = c;
    return 0;
}

static void cmos_destroy(struct blink_plugin *c) {
    free(c);
}

static int cmos_activate(struct blink_plugin *c) {
    return c->bus.claim_ports(c->host->machine, c, PORT, 2, cmos_read, cmos_write);
}

static void cmos_deactivate(struct blink_plugin *c) {
    c->bus.timer_cancel(c->host->machine, c->timer);
    c->timer = 0;
    c->bus.set_irq(c->host->machine, IRQ, 0);
    c->bus.release(c->host->machine, c);
}

static const struct blink_device_ops cmos_ops = {
    .plugin =
        {
            .struct_size = sizeof cmos_ops,
            .create = cmos_create,
            .destroy = cmos_destroy,
            .activate = cmos_activate,
            .deactivate = cmos_deactivate,
        },
    .reset = cmos_reset,
};

static const struct blink_manifest cmos_manifest = {
    .struct_size = sizeof cmos_manifest,
    .kind = BLINK_KIND_DEVICE,
    .name = "cmos",
    .version = "0.1.0",
    .summary = "real-time clock and CMOS memory",
    .licence = "ISC",
    .vtable = &cmos_ops,
};

BLINK_PLUGIN_DEFINE(&cmos_manifest);
