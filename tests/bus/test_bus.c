/*
 * The bus: claims and how accesses are split, lines, timers, the console, and the service that
 * plugins see. A machine is played by a structure that holds its bus.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <blink/cpu.h>

#include "bus/bus.h"

struct blink_machine {
    struct blink_bus *bus;
};

struct blink_bus *machine_bus(struct blink_machine *machine) {
    return machine->bus;
}

/* A device that remembers its accesses. */
struct blink_plugin {
    struct blink_bus *bus;
    uint64_t read_value;
    char log[256];
    uint32_t timer_id;
};

static void note(struct blink_plugin *self, const char *format, ...) {
    size_t at = strlen(self->log);
    va_list ap;
    va_start(ap, format);
    vsnprintf(self->log + at, sizeof self->log - at, format, ap);
    va_end(ap);
}

static uint64_t device_read(struct blink_plugin *self, uint64_t offset, uint32_t size) {
    note(self, "r%d@%d ", (int)size, (int)offset);
    return self->read_value >> 8 * (size == 1 ? offset % 8 : 0);
}

static void device_write(struct blink_plugin *self, uint64_t offset, uint32_t size,
                         uint64_t value) {
    note(self, "w%d@%d=%llx ", (int)size, (int)offset, (unsigned long long)value);
}

static int setup(void **state) {
    struct blink_bus *bus;
    if (bus_create(&bus))
        return -1;
    *state = bus;
    return 0;
}

static int teardown(void **state) {
    bus_destroy(*state);
    return 0;
}

static void test_destroy_null(void **state) {
    (void)state;
    bus_destroy(NULL);
}

static void test_unclaimed_ports_read_ones(void **state) {
    struct blink_bus *bus = *state;
    assert_int_equal(bus_read_port(bus, 0x80, 1), 0xff);
    assert_int_equal(bus_read_port(bus, 0x80, 2), 0xffff);
    assert_int_equal(bus_read_port(bus, 0xffff, 4), 0xffffffff);
    bus_write_port(bus, 0x80, 4, 1);
    assert_false(bus_port_claimed(bus, 0x80, 1));
}

static void test_bad_port_claims(void **state) {
    struct blink_bus *bus = *state;
    struct blink_plugin a = {0};
    assert_int_equal(bus_claim_ports(bus, &a, 0, 0, device_read, NULL), -EINVAL);
    assert_int_equal(bus_claim_ports(bus, &a, 0, 0x10001, device_read, NULL), -EINVAL);
    assert_int_equal(bus_claim_ports(bus, &a, 0xffff, 2, device_read, NULL), -EINVAL);
    assert_int_equal(bus_claim_ports(bus, &a, 1, UINT32_MAX, device_read, NULL), -EINVAL);
    assert_int_equal(bus_claim_ports(bus, &a, 0xffff, 1, device_read, NULL), 0);
    bus_release(bus, &a);
    assert_int_equal(bus_claim_ports(bus, &a, 0, 0x10000, device_read, NULL), 0);
    assert_int_equal(bus_claim_ports(bus, &a, 0x1234, 1, device_read, NULL), -EBUSY);
}

static void test_claims_collide(void **state) {
    struct blink_bus *bus = *state;
    struct blink_plugin a = {0}, b = {0};
    assert_int_equal(bus_claim_ports(bus, &a, 0x60, 4, device_read, device_write), 0);
    for (uint16_t first = 0x5d; first < 0x64; first++)
        assert_int_equal(bus_claim_ports(bus, &b, first, 4, device_read, device_write), -EBUSY);
    assert_int_equal(bus_claim_ports(bus, &b, 0x58, 0x20, device_read, device_write), -EBUSY);
    assert_int_equal(bus_claim_ports(bus, &b, 0x5c, 4, device_read, device_write), 0);
    assert_int_equal(bus_claim_ports(bus, &b, 0x64, 4, device_read, device_write), 0);
    assert_true(bus_port_claimed(bus, 0x5c, 1));
    assert_true(bus_port_claimed(bus, 0x5c, 12));
    assert_false(bus_port_claimed(bus, 0x5c, 13));
    assert_false(bus_port_claimed(bus, 0x5b, 2));
    bus_release(bus, &a);
    assert_false(bus_port_claimed(bus, 0x60, 1));
    assert_true(bus_port_claimed(bus, 0x64, 4));
    assert_int_equal(bus_claim_ports(bus, &b, 0x60, 4, device_read, device_write), 0);
}

static void test_many_claims(void **state) {
    struct blink_bus *bus = *state;
    struct blink_plugin a = {.read_value = 0x5a};
    /* In an order that inserts before, between and after. */
    for (uint32_t k = 0; k < 0x8000; k++)
        assert_int_equal(
            bus_claim_ports(bus, &a, (uint16_t)(k * 0x2545u % 0x8000 * 2), 1, device_read, NULL),
            0);
    for (uint32_t port = 0; port < 0x10000; port++)
        assert_int_equal(bus_port_claimed(bus, (uint16_t)port, 1), port % 2 == 0);
    bus_release(bus, &a);
    assert_false(bus_port_claimed(bus, 0, 1));
}

static void test_port_access(void **state) {
    struct blink_bus *bus = *state;
    struct blink_plugin a = {.read_value = 0x1122334455667788};
    bus_claim_ports(bus, &a, 0x100, 4, device_read, device_write);
    assert_int_equal(bus_read_port(bus, 0x100, 4), 0x55667788);
    assert_int_equal(bus_read_port(bus, 0x102, 2), 0x7788);
    bus_write_port(bus, 0x101, 2, 0xabcdef);
    bus_write_port(bus, 0x103, 1, 0x1ff);
    assert_string_equal(a.log, "r4@0 r2@2 w2@1=cdef w1@3=ff ");
}

static void test_wide_access_is_split(void **state) {
    struct blink_bus *bus = *state;
    struct blink_plugin a = {.read_value = 0xa3a2a1a0}, b = {.read_value = 0xb3b2b1b0};
    bus_claim_ports(bus, &a, 0x100, 2, device_read, device_write);
    bus_claim_ports(bus, &b, 0x102, 1, device_read, device_write);
    assert_int_equal(bus_read_port(bus, 0x100, 4), 0xffb0a1a0);
    bus_write_port(bus, 0x0ff, 4, 0x44332211);
    assert_string_equal(a.log, "r1@0 r1@1 w1@0=22 w1@1=33 ");
    assert_string_equal(b.log, "r1@0 w1@0=44 ");
    /* Beyond the last port there is nothing: no wrapping to port 0. */
    struct blink_plugin c = {.read_value = 0xc1c0}, d = {0};
    bus_claim_ports(bus, &c, 0xffff, 1, device_read, device_write);
    bus_claim_ports(bus, &d, 0, 1, device_read, device_write);
    assert_int_equal(bus_read_port(bus, 0xffff, 2), 0xffc0);
    bus_write_port(bus, 0xffff, 2, 0x1234);
    assert_string_equal(c.log, "r1@0 w1@0=34 ");
    assert_string_equal(d.log, "");
    assert_false(bus_port_claimed(bus, 0xffff, 2));
}

static void test_absent_handlers(void **state) {
    struct blink_bus *bus = *state;
    struct blink_plugin a = {0};
    bus_claim_ports(bus, &a, 0x10, 1, NULL, device_write);
    bus_claim_ports(bus, &a, 0x11, 1, device_read, NULL);
    assert_int_equal(bus_read_port(bus, 0x10, 1), 0xff);
    bus_write_port(bus, 0x11, 1, 1);
    assert_string_equal(a.log, "");
}

/* What whoever keeps the memory is told. */
static void memory_claimed(void *arg, uint64_t first, uint64_t last, bool claimed) {
    char *log = arg, text[64];
    snprintf(text, sizeof text, "%c%" PRIx64 "-%" PRIx64 " ", claimed ? '+' : '-', first, last);
    strcat(log, text);
}

static void test_memory_claims(void **state) {
    struct blink_bus *bus = *state;
    char told[256] = "";
    struct blink_plugin a = {.read_value = 0x1122334455667788}, b = {.read_value = 0xbb};
    uint64_t value = 7;
    assert_int_equal(bus_claim_memory(bus, &a, 0xa0000, 0x1000, device_read, device_write),
                     -ENOTSUP);
    bus_allow_memory(bus, memory_claimed, told);
    assert_int_equal(bus_claim_memory(bus, &a, 0xa0000, 0, device_read, device_write), -EINVAL);
    assert_int_equal(bus_claim_memory(bus, &a, 0xa0001, 0x1000, device_read, NULL), -EINVAL);
    assert_int_equal(bus_claim_memory(bus, &a, 0xa0000, 0x1001, device_read, NULL), -EINVAL);
    assert_int_equal(bus_claim_memory(bus, &a, UINT64_MAX - 0xfff, 0x2000, device_read, NULL),
                     -EINVAL);
    assert_int_equal(bus_claim_memory(bus, &b, UINT64_MAX - 0xfff, 0x1000, device_read, NULL), 0);
    assert_int_equal(bus_claim_memory(bus, &a, 0xa0000, 0x2000, device_read, device_write), 0);
    assert_int_equal(bus_claim_memory(bus, &b, 0xa1000, 0x1000, device_read, NULL), -EBUSY);
    assert_int_equal(bus_claim_memory(bus, &b, 0xa2000, 0x1000, device_read, device_write), 0);
    assert_string_equal(told, "+fffffffffffff000-ffffffffffffffff +a0000-a1fff +a2000-a2fff ");
    told[0] = 0;

    assert_false(bus_read_memory(bus, 0x9ffff, 8, &value));
    assert_false(bus_write_memory(bus, 0xa3000, 1, 0));
    assert_false(bus_read_memory(bus, 0xa0000, 16, &value));
    assert_int_equal(value, 7);
    assert_true(bus_read_memory(bus, 0xa0010, 8, &value));
    assert_true(value == 0x1122334455667788);
    assert_true(bus_write_memory(bus, 0xa0014, 4, 0x99));
    assert_string_equal(a.log, "r8@16 w4@20=99 ");
    a.log[0] = 0;
    assert_true(bus_write_memory(bus, 0xa1fff, 2, 0x1234));
    assert_string_equal(a.log, "w1@8191=34 ");
    assert_string_equal(b.log, "w1@0=12 ");
    assert_true(bus_read_memory(bus, UINT64_MAX, 2, &value));
    assert_int_equal(value, 0xff00); /* byte 7 of 0xbb, and nothing behind it */
    bus_release(bus, &b);
    assert_string_equal(told, "-a2000-a2fff -fffffffffffff000-ffffffffffffffff ");
    assert_false(bus_read_memory(bus, 0xa2000, 1, &value));
}

static void count_notify(void *arg, uint32_t attention) {
    uint32_t *seen = arg;
    seen[attention == BLINK_ATTN_IRQ ? 0 : attention == BLINK_ATTN_TIMER ? 1 : 2]++;
}

static void test_lines(void **state) {
    struct blink_bus *bus = *state;
    uint32_t seen[3] = {0};
    bus_set_notify(bus, count_notify, seen);
    assert_false(bus_irq_level(bus, 255));
    assert_int_equal(bus_set_irq(bus, 255, 5), 0);
    assert_int_equal(bus_set_irq(bus, 255, 1), 0);
    assert_true(bus_irq_level(bus, 255));
    assert_false(bus_irq_level(bus, 254));
    assert_int_equal(bus_set_irq(bus, 255, 0), 0);
    assert_false(bus_irq_level(bus, 255));
    assert_int_equal(bus_set_irq(bus, 256, 1), -EINVAL);
    assert_false(bus_irq_level(bus, 256));
    assert_int_equal(seen[0], 2);
    assert_int_equal(seen[1] + seen[2], 0);
}

static void on_timer(struct blink_plugin *self, void *arg) {
    note(self, "%s ", (const char *)arg);
}

static void again_timer(struct blink_plugin *self, void *arg) {
    on_timer(self, arg);
    bus_timer_start(self->bus, self, 0, again_timer, arg, &self->timer_id);
}

static void test_timers(void **state) {
    struct blink_bus *bus = *state;
    struct blink_plugin a = {.bus = bus}, b = {.bus = bus};
    uint32_t seen[3] = {0}, id[5];
    bus_set_notify(bus, count_notify, seen);
    assert_int_equal(bus_run_timers(bus), -1);
    uint64_t far = UINT64_C(3600) * 1000000000;
    assert_int_equal(bus_timer_start(bus, &a, far, on_timer, "far", &id[0]), 0);
    assert_int_equal(bus_timer_start(bus, &a, 2, on_timer, "two", &id[1]), 0);
    assert_int_equal(bus_timer_start(bus, &a, 1, on_timer, "one", &id[2]), 0);
    assert_int_equal(bus_timer_start(bus, &a, 2, on_timer, "three", &id[3]), 0);
    assert_int_equal(bus_timer_start(bus, &b, 2, on_timer, "other", &id[4]), 0);
    assert_int_equal(seen[1], 3); /* each new earliest */
    for (int k = 0; k < 5; k++)
        for (int j = 0; j < k; j++)
            assert_int_not_equal(id[k], id[j]);
    int64_t wait = bus_run_timers(bus);
    assert_true(wait > 0 && (uint64_t)wait <= far);
    assert_string_equal(a.log, "one two three ");
    assert_string_equal(b.log, "other ");
    bus_timer_cancel(bus, id[1]);
    bus_timer_cancel(bus, 0);
    bus_timer_cancel(bus, id[0]);
    assert_int_equal(bus_run_timers(bus), -1);
}

static void test_timer_that_starts_itself(void **state) {
    struct blink_bus *bus = *state;
    struct blink_plugin a = {.bus = bus};
    uint32_t id;
    bus_timer_start(bus, &a, 0, again_timer, "x", &a.timer_id);
    bus_timer_start(bus, &a, 1, on_timer, "y", &id);
    assert_int_equal(bus_run_timers(bus), 0);
    assert_string_equal(a.log, "x y ");
    assert_int_equal(bus_run_timers(bus), 0);
    assert_string_equal(a.log, "x y x ");
    bus_release(bus, &a);
    assert_int_equal(bus_run_timers(bus), -1);
}

static void test_clock(void **state) {
    struct blink_bus *bus = *state;
    uint64_t first = bus_now(bus), then;
    do
        then = bus_now(bus);
    while (then == first);
    assert_true(then > first && first < UINT64_C(60) * 1000000000);
}

static void test_console(void **state) {
    struct blink_bus *bus = *state;
    int in[2], out[2];
    char text[16];
    assert_int_equal(pipe(in), 0);
    assert_int_equal(pipe(out), 0);
    bus_set_console(bus, in[0], out[1]);
    assert_int_equal(bus_console_read(bus, text, sizeof text), 0);
    assert_int_equal(write(in[1], "hello", 5), 5);
    assert_int_equal(bus_console_read(bus, text, 0), 0);
    assert_int_equal(bus_console_read(bus, text, 3), 3);
    assert_memory_equal(text, "hel", 3);
    assert_int_equal(bus_console_read(bus, text, sizeof text), 2);
    assert_memory_equal(text, "lo", 2);
    close(in[1]);
    assert_int_equal(bus_console_read(bus, text, sizeof text), -EPIPE);
    assert_int_equal(bus_console_write(bus, "", 0), 0);
    assert_int_equal(bus_console_write(bus, "abc", 3), 0);
    assert_int_equal(read(out[0], text, sizeof text), 3);
    /* No reader: an error, not SIGPIPE, and the signal mask is as before. */
    close(out[0]);
    assert_int_equal(bus_console_write(bus, "abc", 3), -EPIPE);
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    assert_false(sigismember(&mask, SIGPIPE));
    bus_set_console(bus, -1, -1);
    assert_int_equal(bus_console_write(bus, "abc", 3), -EBADF);
    close(in[0]);
    close(out[1]);
}

static void on_alarm(int signo) {
    (void)signo;
}

/* The reader of the big write: slow, on another thread; sums what comes. */
static void *slow_reader(void *arg) {
    int fd = *(int *)arg;
    size_t sum = 0;
    unsigned char part[3001];
    ssize_t n;
    usleep(20000);
    while ((n = read(fd, part, sizeof part)) > 0)
        for (ssize_t k = 0; k < n; k++)
            sum += part[k];
    return (void *)sum;
}

static void test_console_write_is_whole(void **state) {
    struct blink_bus *bus = *state;
    enum { SIZE = 1 << 20 };
    struct sigaction act = {.sa_handler = on_alarm}; /* without SA_RESTART */
    sigaction(SIGALRM, &act, NULL);
    unsigned char *bytes = test_malloc(SIZE);
    size_t sum = 0;
    for (int k = 0; k < SIZE; k++)
        sum += bytes[k] = (unsigned char)(k * 7 >> 3);
    for (int nonblock = 0; nonblock < 2; nonblock++) {
        int out[2];
        pthread_t reader;
        void *result;
        assert_int_equal(pipe(out), 0);
        if (nonblock)
            fcntl(out[1], F_SETFL, O_NONBLOCK);
        bus_set_console(bus, 0, out[1]);
        sigset_t alarm_only;
        sigemptyset(&alarm_only);
        sigaddset(&alarm_only, SIGALRM);
        pthread_sigmask(SIG_BLOCK, &alarm_only, NULL); /* inherited: it comes to this thread */
        pthread_create(&reader, NULL, slow_reader, &out[0]);
        pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL);
        ualarm(2000, 2000);
        assert_int_equal(bus_console_write(bus, bytes, SIZE), 0);
        ualarm(0, 0);
        close(out[1]);
        pthread_join(reader, &result);
        close(out[0]);
        assert_int_equal((size_t)result, sum);
    }
    test_free(bytes);
}

static void test_fork(void **state) {
    struct blink_bus *bus = *state;
    int status = -1;
    bus_before_fork(bus);
    pid_t child = fork();
    if (child == 0) {
        bus_after_fork(bus);
        alarm(5);
        bool ok = bus_set_irq(bus, 3, 1) == 0 && bus_irq_level(bus, 3);
        _exit(ok ? 0 : 1);
    }
    bus_fork_parent(bus);
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_false(bus_irq_level(bus, 3));
}

/* A device that uses the bus from inside its handler. */
static void reentrant_write(struct blink_plugin *self, uint64_t offset, uint32_t size,
                            uint64_t value) {
    (void)offset, (void)size;
    bus_set_irq(self->bus, 7, value != 0);
    bus_timer_start(self->bus, self, 0, on_timer, "t", &self->timer_id);
    if (value == 2)
        bus_release(self->bus, self);
}

static void test_handlers_use_the_bus(void **state) {
    struct blink_bus *bus = *state;
    struct blink_plugin a = {.bus = bus};
    bus_claim_ports(bus, &a, 0x20, 1, NULL, reentrant_write);
    bus_claim_ports(bus, &a, 0x21, 1, NULL, reentrant_write);
    bus_write_port(bus, 0x20, 1, 1);
    assert_true(bus_irq_level(bus, 7));
    assert_int_equal(bus_run_timers(bus), -1);
    assert_string_equal(a.log, "t ");
    /* The first byte gives the second's claim up. */
    bus_write_port(bus, 0x20, 2, 0x0002);
    assert_true(bus_irq_level(bus, 7));
    assert_false(bus_port_claimed(bus, 0x20, 1));
}

static void test_service(void **state) {
    struct blink_machine machine = {*state};
    struct blink_plugin a = {.bus = *state, .read_value = 0x42};
    uint32_t id;
    int out[2];
    char text[4];
    assert_int_equal(bus_iface.struct_size, sizeof(struct blink_bus_iface));
    assert_int_equal(bus_iface.claim_ports(&machine, &a, 0xe9, 1, device_read, device_write), 0);
    assert_int_equal(bus_read_port(machine.bus, 0xe9, 1), 0x42);
    assert_int_equal(bus_iface.claim_memory(&machine, &a, 0, 4096, NULL, NULL), -ENOTSUP);
    assert_int_equal(bus_iface.set_irq(&machine, 4, 1), 0);
    assert_true(bus_irq_level(machine.bus, 4));
    assert_int_equal(
        bus_iface.timer_start(&machine, &a, bus_iface.now(&machine), on_timer, "t", &id), 0);
    bus_iface.timer_cancel(&machine, id);
    assert_int_equal(bus_run_timers(machine.bus), -1);
    assert_int_equal(pipe(out), 0);
    bus_set_console(machine.bus, out[0], out[1]);
    assert_int_equal(bus_iface.console_write(&machine, "hi", 2), 0);
    assert_int_equal(bus_iface.console_read(&machine, text, sizeof text), 2);
    close(out[0]);
    close(out[1]);
    bus_iface.release(&machine, &a);
    assert_false(bus_port_claimed(machine.bus, 0xe9, 1));
}

/* What system software reaches devices by. */
static void test_service_accesses(void **state) {
    struct blink_machine machine = {*state};
    struct blink_plugin a = {.bus = *state, .read_value = 0x1122334455667788};
    uint64_t value = 7;
    char told[64] = "";
    bus_allow_memory(*state, memory_claimed, told);
    assert_int_equal(bus_iface.port_read(&machine, 0x60, 2), 0xffff);
    bus_iface.port_write(&machine, 0x60, 1, 1);
    assert_int_equal(bus_iface.memory_read(&machine, 0xb8000, 2, &value), -ENOENT);
    assert_int_equal(bus_iface.memory_write(&machine, 0xb8000, 2, 0), -ENOENT);
    assert_int_equal(value, 7);
    assert_int_equal(bus_claim_ports(*state, &a, 0x60, 2, device_read, device_write), 0);
    assert_int_equal(bus_claim_memory(*state, &a, 0xb8000, 4096, device_read, device_write), 0);
    assert_int_equal(bus_iface.port_read(&machine, 0x60, 2), 0x7788);
    bus_iface.port_write(&machine, 0x61, 1, 5);
    assert_int_equal(bus_iface.memory_read(&machine, 0xb8002, 4, &value), 0);
    assert_int_equal(value, 0x55667788);
    assert_int_equal(bus_iface.memory_write(&machine, 0xb8004, 8, 9), 0);
    assert_string_equal(a.log, "r2@0 w1@1=5 r4@2 w8@4=9 ");
}

static void controller_line(struct blink_plugin *self, uint32_t line, uint32_t level) {
    note(self, "l%d=%d ", (int)line, (int)level);
    bus_set_intr(self->bus, self, level);
}

static uint32_t controller_acknowledge(struct blink_plugin *self) {
    note(self, "a ");
    bus_set_intr(self->bus, self, 0);
    return 0x1234;
}

static void count_irq(void *arg, uint32_t attention) {
    *(int *)arg += attention == BLINK_ATTN_IRQ;
}

static void test_controller(void **state) {
    struct blink_bus *bus = *state;
    struct blink_plugin pic = {.bus = bus}, other = {.bus = bus};
    uint32_t vector = 99;
    int told = 0;
    bus_set_irq(bus, 9, 1);
    assert_false(bus_acknowledge(bus, &vector));
    assert_int_equal(bus_set_intr(bus, &pic, 1), -EPERM);
    assert_int_equal(bus_set_controller(bus, &pic, NULL, controller_acknowledge), -EINVAL);
    assert_int_equal(bus_set_controller(bus, &pic, controller_line, NULL), -EINVAL);
    assert_int_equal(bus_set_controller(bus, &pic, controller_line, controller_acknowledge), 0);
    assert_string_equal(pic.log, "l9=1 "); /* what was up before */
    assert_int_equal(bus_set_controller(bus, &other, controller_line, controller_acknowledge),
                     -EBUSY);
    assert_int_equal(bus_set_intr(bus, &other, 0), -EPERM);
    bus_set_notify(bus, count_irq, &told);
    assert_true(bus_intr(bus));
    assert_true(bus_acknowledge(bus, &vector));
    assert_int_equal(vector, 0x34);
    assert_false(bus_intr(bus));
    assert_false(bus_acknowledge(bus, &vector));
    assert_int_equal(told, 1); /* of the output, and not of what did not change */
    bus_set_irq(bus, 9, 1);
    assert_int_equal(told, 1);
    bus_set_irq(bus, 9, 0);
    bus_set_irq(bus, 9, 7);
    assert_int_equal(told, 2);
    assert_string_equal(pic.log, "l9=1 a l9=0 l9=1 ");
    bus_release(bus, &pic);
    assert_false(bus_intr(bus));
    bus_set_irq(bus, 9, 0);
    assert_string_equal(pic.log, "l9=1 a l9=0 l9=1 ");
    assert_int_equal(bus_set_controller(bus, &other, controller_line, controller_acknowledge), 0);
    bus_set_notify(bus, NULL, NULL);
}

#define BUS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_destroy_null),
        BUS_TEST(test_controller),
        BUS_TEST(test_unclaimed_ports_read_ones),
        BUS_TEST(test_bad_port_claims),
        BUS_TEST(test_claims_collide),
        BUS_TEST(test_many_claims),
        BUS_TEST(test_port_access),
        BUS_TEST(test_wide_access_is_split),
        BUS_TEST(test_absent_handlers),
        BUS_TEST(test_memory_claims),
        BUS_TEST(test_lines),
        BUS_TEST(test_timers),
        BUS_TEST(test_timer_that_starts_itself),
        BUS_TEST(test_clock),
        BUS_TEST(test_console),
        BUS_TEST(test_console_write_is_whole),
        BUS_TEST(test_fork),
        BUS_TEST(test_handlers_use_the_bus),
        BUS_TEST(test_service),
        BUS_TEST(test_service_accesses),
    };
    return cmocka_run_group_tests_name("bus", tests, NULL, NULL);
}
