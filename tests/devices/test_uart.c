/*
 * device-uart against the fake host: registers, FIFOs, interrupts, loopback, modem lines, and each
 * kind of line at the other end.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <blink/device.h>

#include "fakehost.h"

#define PORT 0x3f8
#define IRQ  4
#define MS   UINT64_C(1000000)

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR, FCR = IIR };

struct fixture {
    struct fakehost *fh;
    const struct blink_device_ops *ops;
    struct blink_plugin *device;
};

static int setup(void **state) {
    static struct fixture f;
    f.fh = fakehost_create();
    f.ops = fakehost_find(&blink_plugin_entry, BLINK_KIND_DEVICE, "uart");
    f.device = NULL;
    *state = &f;
    return f.ops ? 0 : -1;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    if (f->device)
        f->ops->plugin.deactivate(f->device);
    f->ops->plugin.destroy(f->device);
    fakehost_destroy(f->fh);
    return 0;
}

static void begin(struct fixture *f, const char *args) {
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), args, &f->device), 0);
    assert_int_equal(f->ops->plugin.activate(f->device), 0);
    f->ops->reset(f->device);
}

static uint8_t in(struct fixture *f, int r) {
    return (uint8_t)fakehost_port_read(f->fh, (uint16_t)(PORT + r), 1);
}
static void out(struct fixture *f, int r, uint8_t v) {
    fakehost_port_write(f->fh, (uint16_t)(PORT + r), 1, v);
}
static uint32_t irq(struct fixture *f) {
    return fakehost_irq(f->fh, IRQ);
}
static void type(struct fixture *f, const char *text) {
    fakehost_console_type(f->fh, text, strlen(text));
}

static void test_after_reset(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    assert_int_equal(in(f, IER), 0);
    assert_int_equal(in(f, IIR), 1);
    assert_int_equal(in(f, LCR), 0);
    assert_int_equal(in(f, MCR), 0);
    assert_int_equal(in(f, LSR), 0x60);
    assert_int_equal(in(f, MSR), 0xb0);
    assert_int_equal(in(f, DATA), 0);
    assert_int_equal(irq(f), 0);
    assert_true(fakehost_port_claimed(f->fh, PORT + 7));
    assert_false(fakehost_port_claimed(f->fh, PORT + 8));
    assert_false(fakehost_port_claimed(f->fh, PORT - 1));
}

/* What probing drivers write and read back. */
static void test_registers(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    out(f, SCR, 0x5a);
    assert_int_equal(in(f, SCR), 0x5a);
    out(f, IER, 0xff);
    assert_int_equal(in(f, IER), 0x0f);
    out(f, MCR, 0xff);
    assert_int_equal(in(f, MCR), 0x1f);
    out(f, MCR, 0);
    out(f, LCR, 0x83);
    out(f, DATA, 0x34);
    out(f, IER, 0x12);
    assert_int_equal(in(f, DATA), 0x34);
    assert_int_equal(in(f, IER), 0x12);
    out(f, LCR, 0x03);
    assert_int_equal(in(f, IER), 0x0f);
    assert_string_equal(fakehost_console(f->fh, NULL), "");
    /* Word accesses are two byte accesses. */
    out(f, LCR, 0x83);
    fakehost_port_write(f->fh, PORT, 2, 0xbeef);
    assert_int_equal(fakehost_port_read(f->fh, PORT, 2), 0xbeef);
    out(f, LCR, 0x03);
    fakehost_port_write(f->fh, PORT + SCR, 2, 0x1177);
    assert_int_equal(in(f, SCR), 0x77);
    /* LSR and MSR are not written. */
    out(f, LSR, 0xff);
    out(f, MSR, 0xff);
    assert_int_equal(in(f, LSR), 0x60);
    /* The FIFOs show in IIR when they are on. */
    out(f, IER, 0);
    out(f, FCR, 0x01);
    assert_int_equal(in(f, IIR), 0xc1);
    out(f, FCR, 0xc0);
    assert_int_equal(in(f, IIR), 0x01);
}

static void test_output(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    out(f, LCR, 3);
    for (const char *c = "Hello\xff"; *c; c++)
        out(f, DATA, (uint8_t)*c);
    assert_string_equal(fakehost_console(f->fh, NULL), "Hello\xff");
    assert_int_equal(in(f, LSR), 0x60);
    out(f, LCR, 2); /* seven bits */
    fakehost_console_clear(f->fh);
    out(f, DATA, 0xc1);
    assert_string_equal(fakehost_console(f->fh, NULL), "A");
}

static void test_input(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    type(f, "ab");
    assert_int_equal(in(f, LSR), 0x61);
    assert_int_equal(in(f, DATA), 'a');
    assert_int_equal(in(f, LSR), 0x61);
    assert_int_equal(in(f, DATA), 'b');
    assert_int_equal(in(f, LSR), 0x60);
    fakehost_console_end(f->fh);
    fakehost_advance(f->fh, 20 * MS);
    assert_int_equal(in(f, LSR), 0x60);
    assert_int_equal(fakehost_timers(f->fh), 0); /* nothing can come any more */
}

/* The console's input belongs to somebody else. */
static void test_output_alone(void **state) {
    struct fixture *f = *state;
    begin(f, "output");
    type(f, "x");
    assert_int_equal(fakehost_timers(f->fh), 0);
    out(f, LCR, 3);
    out(f, DATA, 'y');
    assert_int_equal(in(f, LSR), 0x60);
    assert_string_equal(fakehost_console(f->fh, NULL), "y");
}

/* Input without a look at a register: by interrupt, gated by OUT2. */
static void test_receive_interrupt(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    out(f, IER, 0x01);
    type(f, "x");
    fakehost_advance(f->fh, 10 * MS);
    assert_int_equal(irq(f), 0);
    out(f, MCR, 0x08);
    assert_int_equal(irq(f), 1);
    assert_int_equal(in(f, IIR), 0x04);
    assert_int_equal(irq(f), 1);
    assert_int_equal(in(f, DATA), 'x');
    assert_int_equal(irq(f), 0);
    assert_int_equal(in(f, IIR), 0x01);
    type(f, "y");
    fakehost_advance(f->fh, 10 * MS);
    assert_int_equal(irq(f), 1);
    assert_int_equal(fakehost_irq_edges(f->fh, IRQ), 2);
    f->ops->plugin.deactivate(f->device);
    assert_int_equal(irq(f), 0);
    assert_int_equal(fakehost_timers(f->fh), 0);
    assert_int_equal(f->ops->plugin.activate(f->device), 0);
}

static void test_fifo_triggers(void **state) {
    static const uint8_t levels[] = {1, 4, 8, 14};
    struct fixture *f = *state;
    begin(f, "");
    out(f, LCR, 0x83);
    out(f, DATA, 1); /* 115200 baud */
    out(f, IER, 0);
    out(f, LCR, 0x03);
    out(f, IER, 0x01);
    out(f, MCR, 0x18); /* loopback: exact counts */
    for (uint32_t k = 0; k < 4; k++) {
        out(f, FCR, (uint8_t)(0x07 | k << 6));
        for (uint32_t n = 1; n <= levels[k]; n++) {
            assert_int_equal(in(f, IIR), 0xc1);
            out(f, DATA, (uint8_t)n);
        }
        assert_int_equal(in(f, IIR), 0xc4);
        assert_int_equal(in(f, DATA), 1);
        assert_int_equal(in(f, IIR), 0xc1);
    }
    /* 13 remain below the level of 14: told of after the time of four characters, 347 us. */
    fakehost_advance(f->fh, 340000);
    assert_int_equal(in(f, IIR), 0xc1);
    fakehost_advance(f->fh, 10000);
    assert_int_equal(in(f, IIR), 0xcc);
    assert_int_equal(in(f, DATA), 2);
    assert_int_equal(in(f, IIR), 0xc1);
    /* 12 and 4 more fill it; one too many is lost, and an overrun. */
    out(f, FCR, 0x01);
    for (int n = 0; n < 4; n++)
        out(f, DATA, (uint8_t)(0x20 + n));
    assert_int_equal(in(f, LSR), 0x61);
    out(f, DATA, 0x99);
    assert_int_equal(in(f, LSR), 0x63);
    assert_int_equal(in(f, LSR), 0x61);
    for (int n = 3; n <= 14; n++)
        assert_int_equal(in(f, DATA), n);
    for (int n = 0; n < 4; n++)
        assert_int_equal(in(f, DATA), 0x20 + n);
    assert_int_equal(in(f, LSR), 0x60);
    /* Clearing, and turning the FIFOs off, empties them. */
    out(f, DATA, 1);
    out(f, FCR, 0x03);
    assert_int_equal(in(f, LSR), 0x60);
    out(f, DATA, 1);
    out(f, FCR, 0x00);
    assert_int_equal(in(f, LSR), 0x60);
    assert_int_equal(in(f, IIR), 0x01);
}

static void test_overrun_without_fifo(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    out(f, LCR, 3);
    out(f, IER, 0x04);
    out(f, MCR, 0x10);
    out(f, DATA, 'a');
    out(f, DATA, 'b');
    assert_int_equal(in(f, IIR), 0x06);
    assert_int_equal(in(f, LSR), 0x63);
    assert_int_equal(in(f, IIR), 0x01);
    assert_int_equal(in(f, DATA), 'b');
}

static void test_empty_interrupt(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    out(f, MCR, 0x08);
    out(f, IER, 0x02);
    assert_int_equal(irq(f), 1); /* it is empty already */
    assert_int_equal(in(f, IIR), 0x02);
    assert_int_equal(irq(f), 0); /* told once */
    assert_int_equal(in(f, IIR), 0x01);
    out(f, DATA, 'x');
    assert_int_equal(irq(f), 1);
    out(f, IER, 0);
    assert_int_equal(irq(f), 0);
    out(f, IER, 0x02);
    assert_int_equal(irq(f), 1);
}

static void test_priorities(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    out(f, LCR, 3);
    out(f, MCR, 0x10);
    out(f, IER, 0x0f);
    in(f, MSR);
    out(f, MCR, 0x11); /* DTR: a change of DSR */
    out(f, LCR, 0x43); /* a break */
    assert_int_equal(in(f, IIR), 0x06);
    assert_int_equal(in(f, LSR), 0x71);
    assert_int_equal(in(f, LSR), 0x61);
    assert_int_equal(in(f, IIR), 0x04);
    assert_int_equal(in(f, DATA), 0);
    assert_int_equal(in(f, IIR), 0x02);
    assert_int_equal(in(f, IIR), 0x00);
    in(f, MSR);
    assert_int_equal(in(f, IIR), 0x01);
}

static void test_break_in_fifo(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    out(f, LCR, 3);
    out(f, FCR, 0x01);
    out(f, MCR, 0x10);
    out(f, DATA, 'a');
    out(f, LCR, 0x43);
    out(f, LCR, 0x03);
    assert_int_equal(in(f, LSR), 0xe1); /* somewhere, not on top */
    assert_int_equal(in(f, DATA), 'a');
    assert_int_equal(in(f, LSR), 0xf1);
    assert_int_equal(in(f, LSR), 0x61);
}

static void test_loopback_of_modem_lines(void **state) {
    struct fixture *f = *state;
    begin(f, "");
    out(f, MCR, 0x10);
    assert_int_equal(in(f, MSR), 0x0b); /* three went off */
    static const uint8_t lines[][2] = {{0x01, 0x22}, {0x02, 0x11}, {0x04, 0x40}, {0x08, 0x88}};
    for (int k = 0; k < 4; k++) {
        out(f, MCR, 0x10 | lines[k][0]);
        assert_int_equal(in(f, MSR), lines[k][1]);
        assert_int_equal(in(f, MSR), lines[k][1] & 0xf0);
        out(f, MCR, 0x10);
        in(f, MSR);
    }
    /* The end of a ring is a change, its start is none. */
    out(f, MCR, 0x14);
    assert_int_equal(in(f, MSR), 0x40);
    out(f, MCR, 0x10);
    assert_int_equal(in(f, MSR), 0x04);
    /* Nothing leaves meanwhile, and nothing comes in. */
    type(f, "x");
    fakehost_advance(f->fh, 10 * MS);
    out(f, LCR, 3);
    out(f, DATA, 'q');
    assert_int_equal(in(f, DATA), 'q');
    assert_int_equal(in(f, LSR), 0x60);
    assert_string_equal(fakehost_console(f->fh, NULL), "");
    out(f, MCR, 0);
    assert_int_equal(in(f, DATA), 'x');
}

static void test_file(void **state) {
    struct fixture *f = *state;
    char path[] = "/tmp/test-uart-XXXXXX", args[64], got[8];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    snprintf(args, sizeof args, "file=%s", path);
    begin(f, args);
    assert_int_equal(fakehost_timers(f->fh), 0);
    out(f, LCR, 3);
    out(f, DATA, 'o');
    out(f, DATA, 'k');
    assert_int_equal(in(f, LSR), 0x60);
    assert_int_equal(read(fd, got, sizeof got), 2);
    assert_memory_equal(got, "ok", 2);
    close(fd);
    unlink(path);
}

/* What follows `prefix` in the only line of the log. */
static const char *told(struct fixture *f, const char *prefix) {
    int32_t level;
    const char *line = fakehost_log_line(f->fh, 0, &level);
    assert_non_null(line);
    assert_int_equal(level, BLINK_LOG_WARN);
    assert_memory_equal(line, prefix, strlen(prefix));
    return line + strlen(prefix);
}

static void wait_readable(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 5000), 1);
}

/* The other end wrote: look until something is there. */
static void expect_in(struct fixture *f, char want) {
    for (int k = 0; k < 1000 && !(in(f, LSR) & 1); k++)
        usleep(1000);
    assert_int_equal(in(f, DATA), want);
}

static void test_pty(void **state) {
    struct fixture *f = *state;
    char got[8];
    begin(f, "pty");
    int fd = open(told(f, "uart: its line is "), O_RDWR | O_NOCTTY);
    assert_true(fd >= 0);
    out(f, LCR, 3);
    out(f, DATA, '\n');
    wait_readable(fd);
    assert_int_equal(read(fd, got, sizeof got), 1); /* raw: no carriage return is added */
    assert_int_equal(got[0], '\n');
    assert_int_equal(write(fd, "a", 1), 1);
    expect_in(f, 'a');
    close(fd);
    /* Nobody reads: nothing waits for them. */
    for (int k = 0; k < 20000; k++)
        out(f, DATA, 'x');
    assert_int_equal(in(f, LSR), 0x60);
}

static int dial(struct fixture *f) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(told(f, "uart: its line is port "))),
                             .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

static void test_tcp(void **state) {
    struct fixture *f = *state;
    char got[8];
    begin(f, "tcp=0");
    assert_int_equal(in(f, MSR), 0x00); /* no carrier */
    out(f, LCR, 3);
    out(f, DATA, 'x'); /* to nobody */
    out(f, IER, 0x08);
    out(f, MCR, 0x08);
    assert_int_equal(irq(f), 0);
    for (int round = 0; round < 2; round++) {
        int fd = dial(f);
        for (int k = 0; k < 1000 && !irq(f); k++) {
            fakehost_advance(f->fh, 5 * MS);
            usleep(1000);
        }
        assert_int_equal(in(f, IIR), 0x00);
        assert_int_equal(in(f, MSR), 0xbb);
        assert_int_equal(irq(f), 0);
        assert_int_equal(write(fd, "a", 1), 1);
        expect_in(f, 'a');
        out(f, DATA, 'b');
        wait_readable(fd);
        assert_int_equal(read(fd, got, sizeof got), 1);
        assert_int_equal(got[0], 'b');
        close(fd);
        for (int k = 0; k < 1000 && !irq(f); k++) {
            fakehost_advance(f->fh, 5 * MS);
            usleep(1000);
        }
        assert_int_equal(in(f, MSR), 0x0b);
    }
}

/* A reader that does not read holds the transmitter up, and loses nothing. */
static void test_slow_reader(void **state) {
    struct fixture *f = *state;
    uint32_t sent = 0, got = 0;
    uint8_t buffer[4096];
    begin(f, "tcp=0");
    int fd = dial(f);
    for (int k = 0; k < 1000 && !(in(f, MSR) & 0x80); k++)
        usleep(1000);
    out(f, LCR, 3);
    while (in(f, LSR) & 0x20 && sent < 64u << 20)
        out(f, DATA, (uint8_t)sent++);
    assert_true(sent < 64u << 20);
    assert_int_equal(in(f, LSR), 0);
    while (got < sent) {
        wait_readable(fd);
        ssize_t n = read(fd, buffer, sizeof buffer);
        assert_true(n > 0);
        for (ssize_t k = 0; k < n; k++)
            assert_int_equal(buffer[k], (uint8_t)got++);
        fakehost_advance(f->fh, 5 * MS);
    }
    assert_int_equal(in(f, LSR), 0x60);
    close(fd);
}

static void test_arguments(void **state) {
    struct fixture *f = *state;
    static const char *const bad[] = {"x",         "port=",       "port=0xfff9", "port=-1",
                                      "irq=256",   "irq=",        "file=",       "tcp=",
                                      "tcp=65536", "tcp=1x",      "tcp=-1",      "pty=1",
                                      "consol",    "port=1 ,pty", "irq=5,x",     "port=0x"};
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        fakehost_log_clear(f->fh);
        assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), bad[k], &f->device), -EINVAL);
        assert_null(f->device);
        assert_int_equal(fakehost_log_count(f->fh), 1);
    }
    fakehost_log_clear(f->fh);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "irq=5,x", &f->device), -EINVAL);
    assert_string_equal(fakehost_log(f->fh),
                        "uart: x: not an argument; give port=N, irq=N, console, output, "
                        "file=PATH, pty or tcp=PORT\n");
    fakehost_log_clear(f->fh);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "file=/no/such/file", &f->device),
                     -ENOENT);
    assert_string_equal(fakehost_log(f->fh),
                        "uart: /no/such/file: cannot write to it: No such file or directory\n");
    begin(f, "irq=11,port=0x2f8,console");
    assert_int_equal(fakehost_port_read(f->fh, 0x2f8 + LSR, 1), 0x60);
    fakehost_port_write(f->fh, 0x2f8 + MCR, 1, 0x08);
    fakehost_port_write(f->fh, 0x2f8 + IER, 1, 0x02);
    assert_int_equal(fakehost_irq(f->fh, 11), 1);
}

static void test_port_is_taken(void **state) {
    struct fixture *f = *state;
    struct blink_plugin *other;
    begin(f, "");
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "port=0x3ff", &other), 0);
    assert_int_equal(f->ops->plugin.activate(other), -EBUSY);
    f->ops->plugin.destroy(other);
}

static int failing_console(struct blink_machine *machine, const void *bytes, size_t size) {
    (void)machine, (void)bytes, (void)size;
    return -EPIPE;
}

static void test_failing_console(void **state) {
    struct fixture *f = *state;
    static struct blink_bus_iface bus;
    bus = fakehost_bus_iface;
    bus.console_write = failing_console;
    fakehost_set_iface(f->fh, BLINK_IFACE_BUS, &bus);
    begin(f, "");
    for (int k = 0; k < 3; k++)
        out(f, DATA, 'x');
    assert_string_equal(fakehost_log(f->fh), "uart: output is lost: Broken pipe\n");
    assert_int_equal(in(f, LSR), 0x60);
}

static void test_no_bus(void **state) {
    struct fixture *f = *state;
    fakehost_set_iface(f->fh, BLINK_IFACE_BUS, NULL);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "", &f->device), -ENOTSUP);
    assert_string_equal(fakehost_log(f->fh), "device uart needs the service blink.bus/1\n");
}

#define DEVICE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(test_after_reset),
        DEVICE_TEST(test_registers),
        DEVICE_TEST(test_output),
        DEVICE_TEST(test_input),
        DEVICE_TEST(test_output_alone),
        DEVICE_TEST(test_receive_interrupt),
        DEVICE_TEST(test_fifo_triggers),
        DEVICE_TEST(test_overrun_without_fifo),
        DEVICE_TEST(test_empty_interrupt),
        DEVICE_TEST(test_priorities),
        DEVICE_TEST(test_break_in_fifo),
        DEVICE_TEST(test_loopback_of_modem_lines),
        DEVICE_TEST(test_file),
        DEVICE_TEST(test_pty),
        DEVICE_TEST(test_tcp),
        DEVICE_TEST(test_slow_reader),
        DEVICE_TEST(test_arguments),
        DEVICE_TEST(test_port_is_taken),
        DEVICE_TEST(test_failing_console),
        DEVICE_TEST(test_no_bus),
    };
    return cmocka_run_group_tests_name("uart", tests, NULL, NULL);
}
