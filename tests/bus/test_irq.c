/*
 * Interrupts on the bus: an interrupt controller alone, in front of a local APIC, and beside those
 * who watch lines; messages, ends of interrupts, the processor's side.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <blink/cpu.h>

#include "bus/bus.h"

struct blink_machine {
    struct blink_bus *bus;
};

struct blink_bus *machine_bus(struct blink_machine *machine) {
    return machine->bus;
}

/* Everybody here writes down what happens, in one record. */
struct blink_plugin {
    struct blink_bus *bus;
    const char *name;
    uint32_t vector;
};

static char record[512];
static uint32_t told;

static void note(const char *format, ...) {
    size_t at = strlen(record);
    va_list ap;
    va_start(ap, format);
    vsnprintf(record + at, sizeof record - at, format, ap);
    va_end(ap);
}
#define assert_record(text) (assert_string_equal(record, text), record[0] = 0)

static void line(struct blink_plugin *self, uint32_t n, uint32_t level) {
    note("%s:%u=%u ", self->name, n, level);
}
static void eoi(struct blink_plugin *self, uint32_t vector) {
    note("%s:eoi %#x ", self->name, vector);
}
static uint32_t acknowledge(struct blink_plugin *self) {
    note("%s:ack ", self->name);
    bus_set_intr(self->bus, self, 0);
    return self->vector;
}
static void lint0(struct blink_plugin *self, uint32_t level) {
    note("%s:lint0=%u ", self->name, level);
    bus_set_intr(self->bus, self, level);
}
static uint32_t lint1(struct blink_plugin *self) {
    note("%s:lint1 ", self->name);
    return self->vector & 1;
}
/* An external interrupt: the controller knows which. */
static uint32_t pass_on(struct blink_plugin *self) {
    uint32_t vector = self->vector;
    note("%s:ack ", self->name);
    bus_take(self->bus, &vector);
    return vector;
}
static int message(struct blink_plugin *self, uint32_t destination, uint32_t command) {
    note("%s:%u<-%#x ", self->name, destination, command);
    return destination ? -ENOENT : 0;
}
static void set_base(struct blink_plugin *self, uint64_t value) {
    note("%s:at %#llx ", self->name, (unsigned long long)value);
}
static uint32_t priority(struct blink_plugin *self) {
    return self->vector;
}
static void set_priority(struct blink_plugin *self, uint32_t value) {
    note("%s:priority %u ", self->name, value);
}
static const struct blink_bus_apic apic_ops = {
    .struct_size = sizeof apic_ops,
    .lint0 = lint0,
    .lint1 = lint1,
    .acknowledge = pass_on,
    .message = message,
    .set_base = set_base,
    .priority = priority,
    .set_priority = set_priority,
};

static void count(void *arg, uint32_t attention) {
    (void)arg;
    assert_int_equal(attention, BLINK_ATTN_IRQ);
    told++;
}

static int setup(void **state) {
    struct blink_bus *bus;
    record[0] = 0;
    told = 0;
    if (bus_create(&bus))
        return -1;
    bus_set_notify(bus, count, NULL);
    *state = bus;
    return 0;
}

static int teardown(void **state) {
    bus_destroy(*state);
    return 0;
}

static void test_watchers(void **state) {
    struct blink_bus *bus = *state;
    struct blink_plugin pic = {bus, "pic", 8}, a = {bus, "a", 0}, b = {bus, "b", 0};
    bus_set_irq(bus, 3, 1);
    assert_int_equal(bus_watch_lines(bus, &a, NULL, eoi), -EINVAL);
    assert_int_equal(bus_watch_lines(bus, NULL, line, eoi), -EINVAL);
    assert_int_equal(bus_watch_lines(bus, &a, line, eoi), 0);
    assert_record("a:3=1 ");
    assert_int_equal(bus_watch_lines(bus, &b, line, NULL), 0);
    assert_int_equal(bus_set_controller(bus, &pic, line, acknowledge), 0);
    assert_record("b:3=1 pic:3=1 ");
    bus_set_irq(bus, 255, 1);
    bus_set_irq(bus, 255, 1);
    assert_record("pic:255=1 a:255=1 b:255=1 ");
    bus_end_of_interrupt(bus, 0x41);
    assert_record("a:eoi 0x41 ");
    bus_release(bus, &a);
    bus_set_irq(bus, 3, 0);
    bus_end_of_interrupt(bus, 0x41);
    assert_record("pic:3=0 b:3=0 ");
    for (int k = 1; k < 8; k++)
        assert_int_equal(bus_watch_lines(bus, &b, line, NULL), 0);
    assert_int_equal(bus_watch_lines(bus, &a, line, NULL), -ENOSPC);
}

static void test_chain(void **state) {
    struct blink_bus *bus = *state;
    struct blink_plugin pic = {bus, "pic", 0x20}, apic = {bus, "apic", 0xff}, other = apic;
    struct blink_bus_apic less = apic_ops;
    uint32_t vector;
    bus_set_controller(bus, &pic, line, acknowledge);
    bus_set_intr(bus, &pic, 1);
    assert_true(bus_intr(bus));
    less.struct_size = offsetof(struct blink_bus_apic, set_priority);
    assert_int_equal(bus_set_apic(bus, &apic, &less), -EINVAL);
    /* The one that comes between is told what is up. */
    assert_int_equal(bus_set_apic(bus, &apic, &apic_ops), 0);
    assert_int_equal(bus_set_apic(bus, &other, &apic_ops), -EBUSY);
    assert_record("apic:lint0=1 ");
    assert_true(bus_intr(bus));
    assert_true(bus_acknowledge(bus, &vector));
    assert_int_equal(vector, 0x20);
    assert_record("apic:ack pic:ack apic:lint0=0 ");
    assert_false(bus_intr(bus));
    assert_false(bus_acknowledge(bus, &vector));
    /* Its own interrupts. */
    told = 0;
    bus_set_intr(bus, &apic, 1);
    assert_int_equal(told, 1);
    assert_true(bus_acknowledge(bus, &vector));
    assert_int_equal(vector, 0xff);
    assert_record("apic:ack ");
    assert_int_equal(bus_take(bus, &vector), -ENOENT);
    assert_int_equal(bus_set_intr(bus, &other, 1), -EPERM);
    /* Without it the controller's output is the processor's again. */
    bus_set_intr(bus, &apic, 0);
    bus_set_intr(bus, &pic, 1);
    bus_set_intr(bus, &apic, 0);
    assert_false(bus_intr(bus));
    bus_release(bus, &apic);
    assert_true(bus_intr(bus));
    bus_release(bus, &pic);
    assert_false(bus_intr(bus));
}

static void test_controller_that_goes(void **state) {
    struct blink_bus *bus = *state;
    struct blink_plugin pic = {bus, "pic", 0x20}, apic = {bus, "apic", 0xff};
    uint32_t vector;
    bus_set_apic(bus, &apic, &apic_ops);
    bus_set_controller(bus, &pic, line, acknowledge);
    bus_set_intr(bus, &pic, 1);
    bus_release(bus, &pic);
    assert_record("apic:lint0=1 apic:lint0=0 ");
    assert_false(bus_acknowledge(bus, &vector));
}

static void test_processor(void **state) {
    struct blink_bus *bus = *state;
    struct blink_plugin apic = {bus, "apic", 6};
    uint32_t value = 99;
    assert_false(bus_has_apic(bus));
    assert_false(bus_priority(bus, &value));
    assert_false(bus_set_priority(bus, 3));
    assert_true(bus_nmi(bus));
    assert_int_equal(bus_message(bus, 0, 0x30), -ENOENT);
    bus_set_apic_base(bus, 1);
    bus_end_of_interrupt(bus, 0x30);
    bus_set_apic(bus, &apic, &apic_ops);
    assert_true(bus_has_apic(bus));
    assert_true(bus_priority(bus, &value));
    assert_int_equal(value, 6);
    assert_true(bus_set_priority(bus, 3));
    assert_false(bus_nmi(bus));
    apic.vector = 1;
    assert_true(bus_nmi(bus));
    assert_int_equal(bus_message(bus, 0, 0x30), 0);
    assert_int_equal(bus_message(bus, 1, 0x31), -ENOENT);
    bus_set_apic_base(bus, 0xfee00900);
    assert_record("apic:priority 3 apic:lint1 apic:lint1 apic:0<-0x30 apic:1<-0x31 "
                  "apic:at 0xfee00900 ");
}

static void claimed(void *arg, uint64_t first, uint64_t last, bool on) {
    (void)arg;
    note("%#llx-%#llx=%d ", (unsigned long long)first, (unsigned long long)last, on);
}

static void test_unclaim(void **state) {
    struct blink_bus *bus = *state;
    struct blink_plugin a = {bus, "a", 0}, b = {bus, "b", 0};
    uint64_t value;
    bus_allow_memory(bus, claimed, NULL);
    for (uint64_t k = 1; k < 4; k++)
        assert_int_equal(bus_claim_memory(bus, &a, k * 8192, 8192, NULL, NULL), 0);
    record[0] = 0;
    bus_unclaim_memory(bus, &b, 0x4000);
    bus_unclaim_memory(bus, &a, 0x5000);
    bus_unclaim_memory(bus, &a, 0x10000);
    assert_record("");
    bus_unclaim_memory(bus, &a, 0x4000);
    assert_record("0x4000-0x5fff=0 ");
    assert_true(bus_read_memory(bus, 0x2000, 1, &value));
    assert_false(bus_read_memory(bus, 0x4000, 1, &value));
    assert_true(bus_read_memory(bus, 0x6000, 1, &value));
}

static void test_service(void **state) {
    struct blink_machine machine = {*state};
    struct blink_plugin pic = {*state, "pic", 0x55}, apic = {*state, "apic", 0};
    uint32_t vector = 0;
    assert_int_equal(bus_iface.set_controller(&machine, &pic, line, acknowledge), 0);
    assert_int_equal(bus_iface.set_apic(&machine, &apic, &apic_ops), 0);
    assert_int_equal(bus_iface.watch_lines(&machine, &apic, line, eoi), 0);
    bus_iface.set_irq(&machine, 7, 1);
    bus_iface.set_intr(&machine, &pic, 1);
    assert_int_equal(bus_iface.acknowledge(&machine, &vector), 0);
    assert_int_equal(vector, 0x55);
    assert_int_equal(bus_iface.message(&machine, 0, 0x4030), 0);
    bus_iface.end_of_interrupt(&machine, 0x30);
    bus_iface.unclaim_memory(&machine, &apic, 0);
    assert_record("pic:7=1 apic:7=1 apic:lint0=1 pic:ack apic:lint0=0 apic:0<-0x4030 "
                  "apic:eoi 0x30 ");
}

#define BUS_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        BUS_TEST(test_watchers),  BUS_TEST(test_chain),   BUS_TEST(test_controller_that_goes),
        BUS_TEST(test_processor), BUS_TEST(test_unclaim), BUS_TEST(test_service),
    };
    return cmocka_run_group_tests_name("irq", tests, NULL, NULL);
}
