/*
 * device-lapic against the fake host, a board and a controller that keep a record: its registers,
 * priorities, ends of interrupts, commands and messages, pins, errors, the timer, its base.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <blink/device.h>
#include <blink/system.h>

#include "fakehost.h"

#define AT UINT64_C(0xfee00000)

enum {
    ID = 0x20,
    VERSION = 0x30,
    TPR = 0x80,
    PPR = 0xa0,
    EOI = 0xb0,
    LDR = 0xd0,
    DFR = 0xe0,
    SVR = 0xf0,
    ISR = 0x100,
    TMR = 0x180,
    IRR = 0x200,
    ESR = 0x280,
    ICR = 0x300,
    ICR_HIGH = 0x310,
    LVT_TIMER = 0x320,
    LVT_LINT0 = 0x350,
    LVT_LINT1 = 0x360,
    LVT_ERROR = 0x370,
    INITIAL = 0x380,
    CURRENT = 0x390,
    DIVIDE = 0x3e0,
};
#define MASKED   0x10000u
#define PERIODIC 0x20000u
#define LEVEL    0x8000u
#define REMOTE   0x4000u
#define LOGICAL  0x800u
#define NMI      0x400u
#define EXTINT   0x700u
#define SELF     0x40000u
#define ALL      0x80000u
#define OTHERS   0xc0000u

struct fixture {
    struct fakehost *fh;
    const struct blink_device_ops *ops;
    struct blink_plugin *device;
};

/* ---- the rest of a machine ---- */

static uint32_t nmis, ends[8], ended;

static void take_nmi(struct blink_machine *machine) {
    (void)machine;
    nmis++;
}
static const struct blink_system_iface board = {
    .struct_size = sizeof board,
    .take_nmi = take_nmi,
};

/* A controller whose interrupts have vector 77h; nobody looks into the object. */
static struct fakehost *machine_of_controller;
#define CONTROLLER ((struct blink_plugin *)(void *)&machine_of_controller)
static void no_line(struct blink_plugin *self, uint32_t line, uint32_t level) {
    (void)self, (void)line, (void)level;
}
static void output(uint32_t level) {
    fakehost_bus_iface.set_intr(fakehost_machine(machine_of_controller), CONTROLLER, level);
}
static uint32_t taken(struct blink_plugin *self) {
    (void)self;
    output(0);
    return 0x77;
}
static void eoi(struct blink_plugin *self, uint32_t vector) {
    (void)self;
    if (ended < 8)
        ends[ended++] = vector;
}

static int setup(void **state) {
    static struct fixture f;
    f.fh = fakehost_create();
    f.ops = fakehost_find(&blink_plugin_entry, BLINK_KIND_DEVICE, "lapic");
    f.device = NULL;
    fakehost_set_iface(f.fh, BLINK_IFACE_SYSTEM, &board);
    nmis = ended = 0;
    machine_of_controller = f.fh;
    struct blink_machine *m = fakehost_machine(f.fh);
    *state = &f;
    return f.ops && !fakehost_bus_iface.set_controller(m, CONTROLLER, no_line, taken) &&
                   !fakehost_bus_iface.watch_lines(m, CONTROLLER, no_line, eoi)
               ? 0
               : -1;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    f->ops->plugin.destroy(f->device);
    fakehost_destroy(f->fh);
    return 0;
}

static void begin(struct fixture *f) {
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "", &f->device), 0);
    assert_int_equal(f->ops->plugin.activate(f->device), 0);
    f->ops->reset(f->device);
}

static uint32_t get(struct fixture *f, uint32_t reg) {
    return (uint32_t)fakehost_memory_read(f->fh, AT + reg, 4);
}
static void put(struct fixture *f, uint32_t reg, uint32_t value) {
    fakehost_memory_write(f->fh, AT + reg, 4, value);
}
static int take(struct fixture *f) {
    return fakehost_acknowledge(f->fh);
}
/* Begun, and enabled with spurious vector FFh. */
static void enable(struct fixture *f) {
    begin(f);
    put(f, SVR, 0x1ff);
}
static bool in(struct fixture *f, uint32_t set, uint32_t vector) {
    return get(f, set + vector / 32 * 16) >> vector % 32 & 1;
}
static void ask(struct fixture *f, uint32_t vector) {
    assert_int_equal(fakehost_send_message(f->fh, 0, vector), 0);
}

/* ---- cases ---- */

static void test_after_reset(void **state) {
    struct fixture *f = *state;
    begin(f);
    assert_int_equal(get(f, ID), 0);
    assert_int_equal(get(f, VERSION), 0x00050014);
    assert_int_equal(get(f, TPR), 0);
    assert_int_equal(get(f, LDR), 0);
    assert_int_equal(get(f, DFR), UINT32_MAX);
    assert_int_equal(get(f, SVR), 0xff);
    for (uint32_t reg = LVT_TIMER; reg <= LVT_ERROR; reg += 16)
        assert_int_equal(get(f, reg), MASKED);
    assert_int_equal(get(f, INITIAL) | get(f, CURRENT) | get(f, DIVIDE) | get(f, ICR), 0);
    assert_int_equal(get(f, ESR), 0);
}

static void test_what_can_be_written(void **state) {
    static const struct {
        uint32_t reg, reads;
    } cases[] = {
        {ID, 0xff000000},       {VERSION, 0x00050014}, {TPR, 0xff},          {LDR, 0xff000000},
        {DFR, UINT32_MAX},      {SVR, 0x3ff},          {LVT_TIMER, 0x300ff}, {0x330, 0x107ff},
        {0x340, 0x107ff},       {LVT_LINT0, 0x1a7ff},  {LVT_LINT1, 0x1a7ff}, {LVT_ERROR, 0x100ff},
        {ICR_HIGH, 0xff000000}, {DIVIDE, 0xb},         {PPR, 0xff},          {EOI, 0},
    };
    struct fixture *f = *state;
    enable(f);
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        put(f, cases[k].reg, UINT32_MAX);
        assert_int_equal(get(f, cases[k].reg), cases[k].reads);
    }
    put(f, DFR, 0);
    assert_int_equal(get(f, DFR), 0x0fffffff);
    /* Disabled, nothing of the table can be opened. */
    put(f, SVR, 0xff);
    put(f, LVT_LINT0, EXTINT);
    assert_int_equal(get(f, LVT_LINT0), MASKED | EXTINT);
    /* Registers are written whole, and read as bytes and words. */
    fakehost_memory_write(f->fh, AT + TPR, 1, 0x20);
    fakehost_memory_write(f->fh, AT + TPR + 4, 4, 0x20);
    assert_int_equal(get(f, TPR), 0xff);
    assert_int_equal(fakehost_memory_read(f->fh, AT + VERSION + 2, 2), 5);
    assert_int_equal(fakehost_memory_read(f->fh, AT + VERSION + 4, 4), 0);
}

static void test_priorities(void **state) {
    struct fixture *f = *state;
    enable(f);
    ask(f, 0x41);
    ask(f, 0x31);
    ask(f, 0x42);
    assert_true(in(f, IRR, 0x41) && in(f, IRR, 0x31) && in(f, IRR, 0x42));
    assert_int_equal(take(f), 0x42);
    assert_true(in(f, ISR, 0x42) && !in(f, IRR, 0x42));
    assert_int_equal(get(f, PPR), 0x40);
    /* Its own class waits, a higher one does not. */
    assert_int_equal(fakehost_intr(f->fh), 0);
    ask(f, 0x50);
    assert_int_equal(take(f), 0x50);
    put(f, EOI, 0);
    assert_int_equal(fakehost_intr(f->fh), 0);
    put(f, EOI, 0);
    assert_int_equal(take(f), 0x41);
    put(f, TPR, 0x3f);
    put(f, EOI, 0);
    assert_int_equal(get(f, PPR), 0x3f);
    assert_int_equal(fakehost_intr(f->fh), 0);
    put(f, TPR, 0x2f);
    assert_int_equal(take(f), 0x31);
    assert_int_equal(get(f, PPR), 0x30);
    put(f, EOI, 0);
    put(f, EOI, 0); /* one too many */
    assert_int_equal(get(f, PPR), 0x2f);
    assert_int_equal(take(f), -1);
    assert_int_equal(ended, 0); /* edges have no end */
}

static void test_cr8(void **state) {
    struct fixture *f = *state;
    enable(f);
    fakehost_set_priority(f->fh, 5);
    assert_int_equal(get(f, TPR), 0x50);
    ask(f, 0x51);
    assert_int_equal(fakehost_intr(f->fh), 0);
    fakehost_set_priority(f->fh, 4);
    assert_int_equal(fakehost_intr(f->fh), 1);
    put(f, TPR, 0x9f);
    assert_int_equal(fakehost_priority(f->fh), 9);
    assert_int_equal(fakehost_intr(f->fh), 0);
}

static void test_levels(void **state) {
    struct fixture *f = *state;
    enable(f);
    ask(f, LEVEL | 0x61);
    assert_true(in(f, TMR, 0x61));
    assert_int_equal(take(f), 0x61);
    assert_int_equal(ended, 0);
    put(f, EOI, 0);
    assert_int_equal(ended, 1);
    assert_int_equal(ends[0], 0x61);
    ask(f, 0x61);
    assert_false(in(f, TMR, 0x61));
    assert_int_equal(take(f), 0x61);
    put(f, EOI, 0);
    assert_int_equal(ended, 1);
}

static void test_what_goes_away(void **state) {
    struct fixture *f = *state;
    enable(f);
    put(f, SVR, 0x1ef);
    put(f, LVT_LINT0, EXTINT);
    output(1);
    assert_int_equal(fakehost_intr(f->fh), 1);
    /* It goes away while the processor is about to take it. */
    fakehost_bus_iface.release(fakehost_machine(f->fh), CONTROLLER);
    ask(f, 0x20);
    assert_int_equal(take(f), 0x20);
    assert_int_equal(take(f), -1);
}

static void test_destinations(void **state) {
    static const struct {
        uint32_t dfr, ldr, destination, command;
        bool meant;
    } cases[] = {
        {0xf0000000, 0x04000000, 3, 0, true},
        {0xf0000000, 0x04000000, 4, 0, false},
        {0xf0000000, 0x04000000, 0xff, 0, true},
        {0xf0000000, 0x04000000, 4, LOGICAL, true},
        {0xf0000000, 0x04000000, 0x86, LOGICAL, true},
        {0xf0000000, 0x04000000, 3, LOGICAL, false},
        {0xf0000000, 0x00000000, 0xff, LOGICAL, true},
        {0x00000000, 0x24000000, 0x24, LOGICAL, true},
        {0x00000000, 0x24000000, 0x2c, LOGICAL, true},
        {0x00000000, 0x24000000, 0x14, LOGICAL, false},
        {0x00000000, 0x24000000, 0x23, LOGICAL, false},
        {0x00000000, 0x24000000, 0xff, LOGICAL, true},
    };
    struct fixture *f = *state;
    enable(f);
    put(f, ID, 3u << 24);
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        put(f, DFR, cases[k].dfr);
        put(f, LDR, cases[k].ldr);
        /* Lowest priority goes to the only one that there is. */
        int r = fakehost_send_message(f->fh, cases[k].destination, cases[k].command | 0x140);
        assert_int_equal(r, cases[k].meant ? 0 : -ENOENT);
        assert_int_equal(take(f), cases[k].meant ? 0x40 : -1);
        put(f, EOI, 0);
    }
    assert_int_equal(fakehost_send_message(f->fh, 3, NMI), 0);
    assert_int_equal(nmis, 1);
    /* INIT and SIPI are harmless. */
    assert_int_equal(fakehost_send_message(f->fh, 3, 0x500), 0);
    assert_int_equal(fakehost_send_message(f->fh, 3, 0x608), 0);
    assert_int_equal(fakehost_intr(f->fh), 0);
    /* Disabled by software it takes only what is not maskable. */
    put(f, SVR, 0xff);
    assert_int_equal(fakehost_send_message(f->fh, 3, 0x40), -ENOENT);
    assert_int_equal(fakehost_send_message(f->fh, 3, NMI), 0);
    assert_int_equal(nmis, 2);
}

static void test_commands(void **state) {
    struct fixture *f = *state;
    enable(f);
    put(f, ICR, SELF | 0x80);
    assert_int_equal(get(f, ICR), SELF | 0x80); /* and not pending */
    assert_int_equal(take(f), 0x80);
    put(f, EOI, 0);
    put(f, ICR, ALL | LEVEL | 0x81);
    assert_false(in(f, TMR, 0x81)); /* an edge, whatever it says */
    assert_int_equal(take(f), 0x81);
    put(f, EOI, 0);
    put(f, ICR, OTHERS | 0x82);
    put(f, ICR_HIGH, 7u << 24);
    put(f, ICR, 0x83);   /* to nobody */
    put(f, ICR, 0x4500); /* INIT and SIPI to nobody */
    put(f, ICR, 0x4608);
    assert_int_equal(take(f), -1);
    put(f, ICR_HIGH, 0);
    put(f, ICR, 0x84);
    assert_int_equal(take(f), 0x84);
    put(f, ICR, NMI);
    assert_int_equal(nmis, 1);
    put(f, ICR, SELF | EXTINT);
    assert_int_equal(fakehost_intr(f->fh), 0);
    output(1);
    assert_int_equal(take(f), 0x77);
}

static void test_errors(void **state) {
    struct fixture *f = *state;
    enable(f);
    put(f, LVT_ERROR, 0xe0);
    put(f, ICR, SELF | 0x0f);
    assert_int_equal(take(f), 0xe0);
    assert_int_equal(get(f, ESR), 0);
    put(f, ESR, 0);
    assert_int_equal(get(f, ESR), 0x20);
    put(f, ESR, 0);
    assert_int_equal(get(f, ESR), 0);
    put(f, EOI, 0);
    ask(f, 0x05);
    assert_int_equal(take(f), 0xe0);
    put(f, EOI, 0);
    get(f, 0x40);
    assert_int_equal(take(f), 0xe0);
    put(f, EOI, 0);
    put(f, 0x3f0, 1); /* the same once more */
    assert_int_equal(take(f), -1);
    put(f, ESR, 0);
    assert_int_equal(get(f, ESR), 0xc0);
    /* An entry for errors that is itself one ends somewhere. */
    put(f, LVT_ERROR, 0x01);
    put(f, ICR, SELF | 0x0f);
    put(f, ESR, 0);
    assert_int_equal(get(f, ESR), 0x60);
    assert_int_equal(take(f), -1);
}

static void test_virtual_wire(void **state) {
    struct fixture *f = *state;
    output(1); /* before there was an APIC */
    begin(f);
    /* Until it is enabled the controller is the processor's. */
    assert_int_equal(take(f), 0x77);
    assert_int_equal(fakehost_intr(f->fh), 0);
    assert_true(fakehost_nmi(f->fh));
    put(f, SVR, 0x1ff);
    output(1);
    assert_int_equal(fakehost_intr(f->fh), 0);
    assert_false(fakehost_nmi(f->fh));
    put(f, LVT_LINT0, EXTINT);
    put(f, LVT_LINT1, NMI);
    assert_true(fakehost_nmi(f->fh));
    put(f, TPR, 0xff); /* no priority holds it back */
    assert_int_equal(take(f), 0x77);
    assert_int_equal(get(f, ISR + 0x30), 0);
    output(1);
    put(f, LVT_LINT0, MASKED | EXTINT);
    assert_int_equal(fakehost_intr(f->fh), 0);
    put(f, SVR, 0xff);
    assert_int_equal(fakehost_intr(f->fh), 1);
}

static void test_pins(void **state) {
    struct fixture *f = *state;
    enable(f);
    put(f, LVT_LINT0, 0x90);
    output(1);
    assert_int_equal(take(f), 0x90);
    put(f, EOI, 0);
    assert_int_equal(take(f), -1);
    output(0);
    put(f, LVT_LINT0, LEVEL | 0x91);
    output(1);
    assert_int_equal(get(f, LVT_LINT0), LEVEL | REMOTE | 0x91);
    assert_int_equal(take(f), 0x91);
    put(f, EOI, 0); /* it is still up */
    assert_int_equal(take(f), 0x91);
    output(0);
    put(f, EOI, 0);
    assert_int_equal(get(f, LVT_LINT0), LEVEL | 0x91);
    assert_int_equal(take(f), -1);
    put(f, LVT_LINT0, NMI);
    output(1);
    assert_int_equal(nmis, 1);
    put(f, LVT_LINT1, 0x92);
    assert_false(fakehost_nmi(f->fh));
    assert_int_equal(take(f), 0x92);
    put(f, LVT_LINT1, MASKED | NMI);
    assert_false(fakehost_nmi(f->fh));
    assert_int_equal(nmis, 1);
}

static void test_one_shot(void **state) {
    struct fixture *f = *state;
    enable(f);
    put(f, DIVIDE, 3); /* by 16 */
    put(f, LVT_TIMER, 0xa0);
    put(f, INITIAL, 1000);
    assert_int_equal(get(f, CURRENT), 1000);
    fakehost_advance(f->fh, 15999);
    assert_int_equal(get(f, CURRENT), 1);
    assert_int_equal(fakehost_intr(f->fh), 0);
    fakehost_advance(f->fh, 1);
    assert_int_equal(get(f, CURRENT), 0);
    assert_int_equal(take(f), 0xa0);
    put(f, EOI, 0);
    fakehost_advance(f->fh, 100000);
    assert_int_equal(fakehost_intr(f->fh), 0);
    assert_int_equal(get(f, INITIAL), 1000);
    /* Zero stops it; masked, it counts and says nothing. */
    put(f, INITIAL, 1000);
    put(f, INITIAL, 0);
    assert_int_equal(fakehost_timers(f->fh), 0);
    put(f, LVT_TIMER, MASKED | 0xa0);
    put(f, INITIAL, 10);
    fakehost_advance(f->fh, 200);
    assert_int_equal(fakehost_intr(f->fh), 0);
}

static void test_periodic(void **state) {
    struct fixture *f = *state;
    enable(f);
    put(f, DIVIDE, 0xb); /* by 1 */
    put(f, LVT_TIMER, PERIODIC | 0xa1);
    put(f, INITIAL, 5000);
    for (int k = 0; k < 4; k++) {
        fakehost_advance(f->fh, 5000);
        assert_int_equal(take(f), 0xa1);
        put(f, EOI, 0);
        assert_int_equal(get(f, CURRENT), 5000);
    }
    fakehost_advance(f->fh, 2000);
    assert_int_equal(get(f, CURRENT), 3000);
    put(f, DIVIDE, 0); /* by 2: what is left takes twice as long */
    assert_int_equal(get(f, CURRENT), 3000);
    fakehost_advance(f->fh, 5999);
    assert_int_equal(fakehost_intr(f->fh), 0);
    fakehost_advance(f->fh, 1);
    assert_int_equal(take(f), 0xa1);
    assert_int_equal(get(f, CURRENT), 5000);
    /* From periods to once. */
    put(f, EOI, 0);
    put(f, LVT_TIMER, 0xa1);
    fakehost_advance(f->fh, 10000);
    assert_int_equal(take(f), 0xa1);
    assert_int_equal(fakehost_timers(f->fh), 0);
}

static void test_divisors(void **state) {
    static const uint8_t code[] = {0xb, 0, 1, 2, 3, 8, 9, 0xa};
    struct fixture *f = *state;
    enable(f);
    put(f, LVT_TIMER, 0xa2);
    for (uint32_t k = 0; k < 8; k++) {
        put(f, DIVIDE, code[k]);
        put(f, INITIAL, 100);
        fakehost_advance(f->fh, (100u << k) - 1);
        assert_int_equal(take(f), -1);
        fakehost_advance(f->fh, 1);
        assert_int_equal(take(f), 0xa2);
        put(f, EOI, 0);
    }
}

static void test_base(void **state) {
    const uint64_t elsewhere = 0x12345000;
    struct fixture *f = *state;
    enable(f);
    put(f, LVT_TIMER, PERIODIC | 0xa3);
    put(f, INITIAL, 100000);
    fakehost_set_apic_base(f->fh, elsewhere | 0x900);
    assert_false(fakehost_memory_claimed(f->fh, AT));
    assert_int_equal(fakehost_memory_read(f->fh, elsewhere + SVR, 4), 0x1ff);
    /* Off altogether: what it was is forgotten, the controller is the processor's. */
    fakehost_set_apic_base(f->fh, elsewhere | 0x100);
    assert_false(fakehost_memory_claimed(f->fh, elsewhere));
    assert_int_equal(fakehost_timers(f->fh), 0);
    assert_int_equal(fakehost_send_message(f->fh, 0, NMI), -ENOENT);
    output(1);
    assert_int_equal(take(f), 0x77);
    fakehost_set_apic_base(f->fh, elsewhere | 0x900);
    assert_int_equal(fakehost_memory_read(f->fh, elsewhere + SVR, 4), 0xff);
    f->ops->reset(f->device);
    assert_false(fakehost_memory_claimed(f->fh, elsewhere));
    assert_int_equal(get(f, VERSION), 0x00050014);
    /* Where another device is it is not. */
    struct blink_machine *m = fakehost_machine(f->fh);
    assert_int_equal(fakehost_bus_iface.claim_memory(m, CONTROLLER, elsewhere, 4096, NULL, NULL),
                     0);
    fakehost_set_apic_base(f->fh, elsewhere | 0x900);
    assert_string_equal(fakehost_log(f->fh), "lapic: its registers cannot be at 0x12345000: "
                                             "Device or resource busy\n");
    fakehost_set_apic_base(f->fh, AT | 0x900);
    assert_int_equal(get(f, VERSION), 0x00050014);
    assert_true(fakehost_memory_claimed(f->fh, elsewhere));
}

/* Whatever is written, in whatever order: at the end it begins anew. */
static void test_anything(void **state) {
    struct fixture *f = *state;
    uint64_t random = 1;
    enable(f);
    for (int k = 0; k < 50000; k++) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        uint32_t reg = (uint32_t)(random >> 33) % 0x41 * 16, value = (uint32_t)(random >> 20);
        switch (random >> 60) {
        case 0: output(value & 1); break;
        case 1: fakehost_nmi(f->fh); break;
        case 2: fakehost_set_apic_base(f->fh, AT | (value & 0x900)); break;
        case 3: fakehost_send_message(f->fh, value >> 24, value & 0xffff); break;
        case 4: fakehost_set_priority(f->fh, value & 15); break;
        case 5: fakehost_advance(f->fh, value % 10000); break;
        case 6: put(f, SVR, 0x1ff); break;
        case 7: put(f, EOI, 0); break;
        case 8: get(f, reg); break;
        case 9:
        case 10: take(f); break;
        default: put(f, reg, value); break;
        }
    }
    output(0);
    f->ops->reset(f->device);
    assert_int_equal(fakehost_intr(f->fh), 0);
    assert_int_equal(fakehost_timers(f->fh), 0);
    for (uint32_t reg = ISR; reg < ESR; reg += 16)
        assert_int_equal(get(f, reg), 0);
    put(f, SVR, 0x1ff);
    ask(f, 0x30);
    assert_int_equal(take(f), 0x30);
}

static void test_life(void **state) {
    struct fixture *f = *state;
    struct blink_plugin *other = NULL;
    enable(f);
    put(f, LVT_TIMER, PERIODIC | 0xa3);
    put(f, INITIAL, 100000);
    ask(f, 0x30);
    f->ops->reset(f->device);
    assert_int_equal(fakehost_timers(f->fh), 0);
    assert_int_equal(fakehost_intr(f->fh), 0);
    assert_int_equal(get(f, SVR), 0xff);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "", &other), 0);
    assert_int_equal(f->ops->plugin.activate(other), -EBUSY);
    f->ops->plugin.destroy(other);
    output(1);
    put(f, SVR, 0x1ff);
    assert_int_equal(fakehost_intr(f->fh), 0);
    f->ops->plugin.deactivate(f->device);
    assert_false(fakehost_memory_claimed(f->fh, AT));
    assert_int_equal(take(f), 0x77);
    assert_int_equal(f->ops->plugin.activate(f->device), 0);
    assert_int_equal(get(f, SVR), 0xff);
    f->ops->plugin.deactivate(f->device);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "x", &other), -EINVAL);
    assert_string_equal(fakehost_log(f->fh), "device lapic takes no arguments, not \"x\"\n");
}

static void test_hosts(void **state) {
    struct fixture *f = *state;
    struct blink_bus_iface old = fakehost_bus_iface;
    old.struct_size = offsetof(struct blink_bus_iface, unclaim_memory);
    fakehost_set_iface(f->fh, BLINK_IFACE_BUS, &old);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "", &f->device), -ENOTSUP);
    fakehost_set_iface(f->fh, BLINK_IFACE_SYSTEM, NULL);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "", &f->device), -ENOTSUP);
    assert_string_equal(fakehost_log(f->fh), "lapic: this host knows no local APICs\n"
                                             "device lapic needs the service blink.system/1\n");
}

#define DEVICE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        DEVICE_TEST(test_after_reset),  DEVICE_TEST(test_what_can_be_written),
        DEVICE_TEST(test_priorities),   DEVICE_TEST(test_cr8),
        DEVICE_TEST(test_levels),       DEVICE_TEST(test_what_goes_away),
        DEVICE_TEST(test_destinations), DEVICE_TEST(test_commands),
        DEVICE_TEST(test_errors),       DEVICE_TEST(test_virtual_wire),
        DEVICE_TEST(test_pins),         DEVICE_TEST(test_one_shot),
        DEVICE_TEST(test_periodic),     DEVICE_TEST(test_divisors),
        DEVICE_TEST(test_base),         DEVICE_TEST(test_anything),
        DEVICE_TEST(test_life),         DEVICE_TEST(test_hosts),
    };
    return cmocka_run_group_tests_name("lapic", tests, NULL, NULL);
}
