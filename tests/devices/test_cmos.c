/*
 * device-cmos against the fake host: the time in each format and against the C library's calendar,
 * setting it, alarm, update and periodic interrupts, and the memory.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include <blink/device.h>
#include <blink/system.h>

#include "fakehost.h"

#define SECOND UINT64_C(1000000000)

struct fixture {
    struct fakehost *fh;
    const struct blink_device_ops *ops;
    struct blink_plugin *device;
};

static int setup(void **state) {
    static struct fixture f;
    f = (struct fixture){.fh = fakehost_create()};
    f.ops = fakehost_find(&blink_plugin_entry, BLINK_KIND_DEVICE, "cmos");
    *state = &f;
    return f.ops ? 0 : -1;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    f->ops->plugin.destroy(f->device);
    fakehost_destroy(f->fh);
    return 0;
}

static void begin(struct fixture *f, const char *args) {
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), args, &f->device), 0);
    assert_int_equal(f->ops->plugin.activate(f->device), 0);
    f->ops->reset(f->device);
}

static uint8_t in(struct fixture *f, uint8_t index) {
    fakehost_port_write(f->fh, 0x70, 1, index);
    return (uint8_t)fakehost_port_read(f->fh, 0x71, 1);
}
static void out(struct fixture *f, uint8_t index, uint8_t v) {
    fakehost_port_write(f->fh, 0x70, 1, index);
    fakehost_port_write(f->fh, 0x71, 1, v);
}
static uint32_t irq(struct fixture *f) {
    return fakehost_irq(f->fh, 8);
}

/* hours:minutes:seconds weekday day month year century, as the bytes are. */
static void expect(struct fixture *f, const char *want) {
    char got[64];
    snprintf(got, sizeof got, "%02x:%02x:%02x %x %02x.%02x.%02x %02x", in(f, 4), in(f, 2), in(f, 0),
             in(f, 6), in(f, 7), in(f, 8), in(f, 9), in(f, 0x32));
    assert_string_equal(got, want);
}

static void test_formats(void **state) {
    struct fixture *f = *state;
    begin(f, "time=951782399"); /* 28 February 2000, 23:59:59 UTC, a Monday */
    expect(f, "23:59:59 2 28.02.00 20");
    fakehost_advance(f->fh, SECOND);
    expect(f, "00:00:00 3 29.02.00 20");
    out(f, 0x0b, 0x00); /* twelve hours */
    expect(f, "12:00:00 3 29.02.00 20");
    fakehost_advance(f->fh, 13 * 3600 * SECOND);
    expect(f, "81:00:00 3 29.02.00 20");
    out(f, 0x0b, 0x04); /* binary */
    fakehost_advance(f->fh, 10 * 3600 * SECOND + 59 * SECOND);
    expect(f, "8b:00:3b 3 1d.02.00 20");
    out(f, 0x0b, 0x06);
    expect(f, "17:00:3b 3 1d.02.00 20");
}

/* Some day of each of many years. */
static void test_calendar(void **state) {
    struct fixture *f = *state;
    for (int64_t t = 0; t < INT64_C(253402300799); t += INT64_C(40000003)) {
        char args[64], want[64];
        time_t seconds = (time_t)t;
        struct tm tm;
        gmtime_r(&seconds, &tm);
        snprintf(args, sizeof args, "time=%lld", (long long)t);
        snprintf(want, sizeof want, "%02d:%02d:%02d %d %02d.%02d.%02d %02d", tm.tm_hour, tm.tm_min,
                 tm.tm_sec, tm.tm_wday + 1, tm.tm_mday, tm.tm_mon + 1, tm.tm_year % 100,
                 (tm.tm_year + 1900) / 100);
        begin(f, args);
        expect(f, want);
        /* Set to itself by its registers, it stays. */
        out(f, 0x0b, 0x82);
        out(f, 0x0b, 0x02);
        expect(f, want);
        f->ops->plugin.deactivate(f->device);
        f->ops->plugin.destroy(f->device);
        f->device = NULL;
    }
}

static void test_setting(void **state) {
    struct fixture *f = *state;
    begin(f, "time=0");
    expect(f, "00:00:00 5 01.01.70 19");
    out(f, 0x0b, 0x82);
    fakehost_advance(f->fh, 10 * SECOND);
    expect(f, "00:00:00 5 01.01.70 19"); /* it stands */
    out(f, 0x04, 0x12);
    out(f, 0x02, 0x34);
    out(f, 0x00, 0x56);
    out(f, 0x07, 0x31);
    out(f, 0x08, 0x12);
    out(f, 0x09, 0x99);
    out(f, 0x0b, 0x02);
    expect(f, "12:34:56 6 31.12.99 19");
    fakehost_advance(f->fh, 12 * 3600 * SECOND);
    expect(f, "00:34:56 7 01.01.00 20");
    out(f, 0x00, 0x01); /* without stopping it */
    expect(f, "00:34:01 7 01.01.00 20");
    out(f, 0x32, 0x21);
    expect(f, "00:34:01 6 01.01.00 21");
    /* Nonsense gives some time, and no harm. */
    for (uint8_t k = 0; k < 10; k++)
        out(f, k, 0xff);
    out(f, 0x32, 0xff);
    assert_int_equal(in(f, 4), 0x23);
    assert_in_range(in(f, 7), 1, 0x31);
    assert_in_range(in(f, 8), 1, 0x12);
}

static void test_update_in_progress(void **state) {
    struct fixture *f = *state;
    begin(f, "time=0");
    assert_int_equal(in(f, 0x0a), 0x26);
    fakehost_advance(f->fh, SECOND - 245000);
    assert_int_equal(in(f, 0x0a), 0x26);
    fakehost_advance(f->fh, 1000);
    assert_int_equal(in(f, 0x0a), 0xa6);
    out(f, 0x0b, 0x82);
    assert_int_equal(in(f, 0x0a), 0x26);
    out(f, 0x0b, 0x02);
    fakehost_advance(f->fh, 244000);
    assert_int_equal(in(f, 0x0a), 0x26);
    out(f, 0x0a, 0xff);
    assert_int_equal(in(f, 0x0a), 0x7f);
}

static void test_update_interrupt(void **state) {
    struct fixture *f = *state;
    begin(f, "time=0");
    fakehost_advance(f->fh, 3 * SECOND / 2);
    assert_int_equal(in(f, 0x0c), 0x50); /* flags without interrupts; 1024 Hz too */
    assert_int_equal(in(f, 0x0c), 0x00);
    out(f, 0x0b, 0x12);
    assert_int_equal(irq(f), 0);
    fakehost_advance(f->fh, SECOND / 2 - 1);
    assert_int_equal(irq(f), 0);
    fakehost_advance(f->fh, 1);
    assert_int_equal(irq(f), 1);
    fakehost_advance(f->fh, 10 * SECOND);
    assert_int_equal(fakehost_irq_edges(f->fh, 8), 1); /* until register C is read */
    assert_int_equal(in(f, 0x0c) & 0xb0, 0x90);
    assert_int_equal(irq(f), 0);
    fakehost_advance(f->fh, SECOND);
    assert_int_equal(irq(f), 1);
    out(f, 0x0b, 0x92); /* no updates, no such interrupt */
    assert_int_equal(in(f, 0x0b), 0x82);
    in(f, 0x0c);
    fakehost_advance(f->fh, 5 * SECOND);
    assert_int_equal(irq(f), 0);
    assert_int_equal(fakehost_timers(f->fh), 0);
}

static void test_alarm(void **state) {
    struct fixture *f = *state;
    begin(f, "time=86390");
    out(f, 0x01, 0x05);
    out(f, 0x03, 0x00);
    out(f, 0x05, 0x00);
    out(f, 0x0b, 0x22);
    fakehost_advance(f->fh, 15 * SECOND - 1);
    assert_int_equal(irq(f), 0);
    fakehost_advance(f->fh, 1);
    assert_int_equal(irq(f), 1);
    expect(f, "00:00:05 6 02.01.70 19");
    assert_int_equal(in(f, 0x0c) & 0xa0, 0xa0);
    fakehost_advance(f->fh, 86399 * SECOND);
    assert_int_equal(irq(f), 0);
    fakehost_advance(f->fh, SECOND);
    assert_int_equal(irq(f), 1);
    /* Each hour, each minute. */
    in(f, 0x0c);
    out(f, 0x05, 0xff);
    fakehost_advance(f->fh, 3600 * SECOND);
    assert_int_equal(irq(f), 1);
    in(f, 0x0c);
    out(f, 0x03, 0xc0);
    fakehost_advance(f->fh, 60 * SECOND);
    assert_int_equal(irq(f), 1);
    /* Asked for late, the flag is there all the same. */
    out(f, 0x0b, 0x02);
    in(f, 0x0c);
    fakehost_advance(f->fh, 59 * SECOND);
    assert_int_equal(in(f, 0x0c) & 0x20, 0x00);
    fakehost_advance(f->fh, 1000 * SECOND);
    assert_int_equal(in(f, 0x0c) & 0xa0, 0x20);
}

static void test_periodic(void **state) {
    struct fixture *f = *state;
    begin(f, "time=0");
    for (uint32_t rate = 3; rate < 16; rate++) {
        uint64_t period = (SECOND << (rate - 1)) / 32768;
        out(f, 0x0a, (uint8_t)(0x20 | rate));
        out(f, 0x0b, 0x42);
        in(f, 0x0c);
        uint32_t before = fakehost_irq_edges(f->fh, 8);
        for (int k = 0; k < 100; k++) {
            fakehost_advance(f->fh, period);
            in(f, 0x0c);
        }
        assert_in_range(fakehost_irq_edges(f->fh, 8) - before, 99, 101);
    }
    out(f, 0x0a, 0x20);
    in(f, 0x0c);
    fakehost_advance(f->fh, 10 * SECOND);
    assert_int_equal(irq(f), 0);
    out(f, 0x0a, 0x26);
    fakehost_advance(f->fh, SECOND);
    assert_int_equal(irq(f), 1);
    f->ops->reset(f->device);
    assert_int_equal(irq(f), 0);
    assert_int_equal(in(f, 0x0b), 0x02);
}

static void test_memory(void **state) {
    struct fixture *f = *state;
    uint32_t sum = 0;
    begin(f, "memory=64,time=5");
    assert_int_equal(in(f, 0x0d), 0x80);
    assert_int_equal(in(f, 0x15) | in(f, 0x16) << 8, 640);
    assert_int_equal(in(f, 0x17) | in(f, 0x18) << 8, 63 * 1024);
    assert_int_equal(in(f, 0x30) | in(f, 0x31) << 8, 63 * 1024);
    assert_int_equal(in(f, 0x34) | in(f, 0x35) << 8, 48 * 16);
    for (uint8_t k = 0x10; k < 0x2e; k++)
        sum += in(f, k);
    assert_int_equal(in(f, 0x2e) << 8 | in(f, 0x2f), sum);
    for (uint8_t k = 0x0e; k < 0x80; k++)
        if (k != 0x32)
            out(f, k, (uint8_t)(k * 3));
    for (uint8_t k = 0x0e; k < 0x80; k++)
        if (k != 0x32)
            assert_int_equal(in(f, k | 0x80), (uint8_t)(k * 3));
    out(f, 0x0d, 0);
    assert_int_equal(in(f, 0x0d), 0x80);
    assert_int_equal(fakehost_port_read(f->fh, 0x70, 1), 0xff);
    fakehost_port_write(f->fh, 0x70, 2, 0x5a40);
    assert_int_equal(in(f, 0x40), 0x5a);
    f->ops->reset(f->device);
    assert_int_equal(in(f, 0x40), 0x5a);
}

static uint64_t ram_size(struct blink_machine *machine) {
    (void)machine;
    return UINT64_C(96) << 20;
}

/* Without an argument it tells of the machine's own memory. */
static void test_memory_of_machine(void **state) {
    static const struct blink_system_iface board = {.struct_size = sizeof board,
                                                    .ram_size = ram_size};
    struct fixture *f = *state;
    fakehost_set_iface(f->fh, BLINK_IFACE_SYSTEM, &board);
    begin(f, "time=5");
    fakehost_port_write(f->fh, 0x70, 1, 0x35);
    assert_int_equal(fakehost_port_read(f->fh, 0x71, 1), 0x05);
    fakehost_port_write(f->fh, 0x70, 1, 0x34);
    assert_int_equal(fakehost_port_read(f->fh, 0x71, 1), 0x00);
}

static void test_host_time(void **state) {
    struct fixture *f = *state;
    time_t before = time(NULL), after;
    begin(f, "");
    out(f, 0x0b, 0x06);
    struct tm got = {.tm_sec = in(f, 0),
                     .tm_min = in(f, 2),
                     .tm_hour = in(f, 4),
                     .tm_mday = in(f, 7),
                     .tm_mon = in(f, 8) - 1,
                     .tm_year = in(f, 9) + 100};
    after = time(NULL);
    assert_in_range(timegm(&got), before, after);
}

static void test_arguments(void **state) {
    static const char *const bad[] = {
        "x",        "time=",       "time=x", "time=-1",   "time=253402300800",
        "memory=0", "memory=4096", "memory", "memory=1 ", "time=1,,x"};
    struct fixture *f = *state;
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        fakehost_log_clear(f->fh);
        assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), bad[k], &f->device), -EINVAL);
        assert_null(f->device);
        assert_int_equal(fakehost_log_count(f->fh), 1);
    }
    fakehost_log_clear(f->fh);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "x", &f->device), -EINVAL);
    fakehost_set_iface(f->fh, BLINK_IFACE_BUS, NULL);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "", &f->device), -ENOTSUP);
    assert_string_equal(fakehost_log(f->fh),
                        "cmos: x: no such arguments; give time=SECONDS and memory=MIB (1 to 4095)\n"
                        "device cmos needs the service blink.bus/1\n");
}

#define DEVICE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(test_formats),           DEVICE_TEST(test_calendar),
        DEVICE_TEST(test_setting),           DEVICE_TEST(test_update_in_progress),
        DEVICE_TEST(test_update_interrupt),  DEVICE_TEST(test_alarm),
        DEVICE_TEST(test_periodic),          DEVICE_TEST(test_memory),
        DEVICE_TEST(test_memory_of_machine), DEVICE_TEST(test_host_time),
        DEVICE_TEST(test_arguments),
    };
    return cmocka_run_group_tests_name("cmos", tests, NULL, NULL);
}
