/*
 * abi-bios: the tables of ACPI and of the MultiProcessor Specification as a system finds them: by
 * searching the ROM, with sums that are right, pointing at each other; none without APICs.
 */
#include <errno.h>
#include <string.h>

#include "pc.h"

#define ROM   0xf0000u
#define RAM   0x100000u /* behind it */
#define LAPIC UINT64_C(0xfee00000)
#define IO    UINT64_C(0xfec00000)

static uint64_t version(struct blink_plugin *self, uint64_t offset, uint32_t size) {
    (void)self, (void)size;
    return offset == 0x30 ? 0x00050014 : 0;
}

static uint32_t written[2];
static void remember(struct blink_plugin *self, uint64_t offset, uint32_t size, uint64_t value) {
    (void)self, (void)size;
    written[offset != 0] = (uint32_t)value;
}

static void add_apics(struct pc *pc) {
    struct blink_machine *m = fakehost_machine(pc->fh);
    struct blink_plugin *self = (struct blink_plugin *)(void *)pc;
    assert_int_equal(fakehost_bus_iface.claim_memory(m, self, LAPIC, 4096, version, NULL), 0);
    assert_int_equal(fakehost_bus_iface.claim_memory(m, self, IO, 4096, version, remember), 0);
}

static int setup(void **state) {
    struct pc *pc = pc_create();
    *state = pc;
    pc->port[0x604] = 1; /* ACPI's mode */
    return 0;
}

static int teardown(void **state) {
    pc_destroy(*state);
    return 0;
}

/* The address of a structure of the ROM that begins with `signature`, or 0. */
static uint32_t search(struct pc *pc, const char *signature) {
    char bytes[16];
    size_t n = strlen(signature);
    for (uint32_t at = ROM; at < RAM; at += 16) {
        fakehost_peek(pc->fh, at, bytes, n);
        if (memcmp(bytes, signature, n) == 0)
            return at;
    }
    return 0;
}

static uint8_t sum(struct pc *pc, uint32_t at, uint32_t size) {
    uint8_t total = 0;
    for (uint32_t k = 0; k < size; k++)
        total = (uint8_t)(total + pc_peek(pc, at + k, 1));
    return total;
}

static void check_signature(struct pc *pc, uint32_t at, const char *signature) {
    char found[5] = {0};
    fakehost_peek(pc->fh, at, found, 4);
    assert_string_equal(found, signature);
}

static void check_table(struct pc *pc, uint32_t at, const char *signature, uint32_t size) {
    check_signature(pc, at, signature);
    assert_int_equal(pc_peek(pc, at + 4, 4), size);
    assert_int_equal(sum(pc, at, size), 0);
}

/* The n-th table of the RSDT. */
static uint32_t table(struct pc *pc, uint32_t n) {
    uint32_t rsdp = search(pc, "RSD PTR ");
    assert_int_not_equal(rsdp, 0);
    assert_int_equal(sum(pc, rsdp, 20), 0);
    uint32_t rsdt = pc_peek(pc, rsdp + 16, 4);
    check_table(pc, rsdt, "RSDT", 44);
    return pc_peek(pc, rsdt + 36 + 4 * n, 4);
}

static void test_none(void **state) {
    struct pc *pc = *state;
    assert_int_equal(pc_start(pc, 0), 0);
    assert_int_equal(search(pc, "RSD PTR "), 0);
    assert_int_equal(search(pc, "_MP_"), 0);
    add_apics(pc);
    pc->port[0x604] = 0;
    assert_int_equal(pc_start(pc, 0), 0);
    assert_int_equal(search(pc, "RSD PTR "), 0);
    pc->port[0x604] = 1;
    assert_int_equal(pc_start(pc, 0), 0);
    assert_int_not_equal(search(pc, "RSD PTR "), 0);
}

static void test_fadt(void **state) {
    static const uint8_t s5[] = {0x08, '_', 'S', '5', '_', 0x12, 6, 4, 0, 0, 0, 0};
    struct pc *pc = *state;
    uint8_t code[sizeof s5];
    add_apics(pc);
    assert_int_equal(pc_start(pc, 0), 0);
    uint32_t fadt = table(pc, 0), facs = pc_peek(pc, fadt + 36, 4),
             dsdt = pc_peek(pc, fadt + 40, 4);
    check_table(pc, fadt, "FACP", 244);
    assert_int_equal(pc_peek(pc, fadt + 46, 2), 9);
    assert_int_equal(pc_peek(pc, fadt + 48, 4), 0); /* no SMI: ACPI's mode is all there is */
    assert_int_equal(pc_peek(pc, fadt + 56, 4), 0x600);
    assert_int_equal(pc_peek(pc, fadt + 64, 4), 0x604);
    assert_int_equal(pc_peek(pc, fadt + 76, 4), 0x608);
    assert_int_equal(pc_peek(pc, fadt + 120, 4), 0xcf9);
    check_signature(pc, facs, "FACS");
    assert_int_equal(facs % 64, 0);
    assert_int_equal(pc_peek(pc, facs + 4, 4), 64);
    assert_int_equal(pc_peek(pc, facs + 32, 1), 1);
    check_table(pc, dsdt, "DSDT", 36 + sizeof s5);
    fakehost_peek(pc->fh, dsdt + 36, code, sizeof code);
    assert_memory_equal(code, s5, sizeof s5);
}

static void test_madt(void **state) {
    static const uint8_t want[] = {
        0, 8,  0,    0, 1, 0, 0,    0,                   /* the processor */
        1, 12, 1,    0, 0, 0, 0xc0, 0xfe, 0,    0, 0, 0, /* the I/O APIC */
        2, 10, 0,    0, 2, 0, 0,    0,    0,    0,       /* the timer */
        2, 10, 0,    9, 9, 0, 0,    0,    0x0d, 0,       /* SCI */
        4, 6,  0xff, 0, 0, 1,                            /* NMI */
    };
    struct pc *pc = *state;
    uint8_t got[sizeof want];
    add_apics(pc);
    assert_int_equal(pc_start(pc, 0), 0);
    uint32_t madt = table(pc, 1);
    check_table(pc, madt, "APIC", 44 + sizeof want);
    assert_int_equal(pc_peek(pc, madt + 36, 4), LAPIC);
    assert_int_equal(pc_peek(pc, madt + 40, 4), 1);
    fakehost_peek(pc->fh, madt + 44, got, sizeof got);
    assert_memory_equal(got, want, sizeof want);
    /* The I/O APIC is told of the number it has in the tables. */
    assert_int_equal(written[0], 0);
    assert_int_equal(written[1], 1 << 24);
}

static void test_mp(void **state) {
    struct pc *pc = *state;
    add_apics(pc);
    assert_int_equal(pc_start(pc, 0), 0);
    uint32_t mp = search(pc, "_MP_");
    assert_int_not_equal(mp, 0);
    assert_int_equal(pc_peek(pc, mp + 8, 2), 0x0401);
    assert_int_equal(sum(pc, mp, 16), 0);
    uint32_t at = pc_peek(pc, mp + 4, 4), size = pc_peek(pc, at + 4, 2);
    check_signature(pc, at, "PCMP");
    assert_int_equal(sum(pc, at, size), 0);
    assert_int_equal(pc_peek(pc, at + 36, 4), LAPIC);
    /* Entries of 20 or 8 bytes, as many as it says, to its end. */
    uint32_t count = pc_peek(pc, at + 34, 2), e = at + 44, of_type[5] = {0}, inputs = 0;
    for (uint32_t k = 0; k < count; k++) {
        uint32_t type = pc_peek(pc, e, 1);
        assert_in_range(type, 0, 4);
        of_type[type]++;
        if (type == 0) {
            assert_int_equal(pc_peek(pc, e + 4, 4), 0x00a20f12);
            assert_int_equal(pc_peek(pc, e + 1, 3), 0x031400);
        }
        if (type == 2)
            assert_int_equal(pc_peek(pc, e + 4, 4), IO);
        if (type == 3) {
            uint32_t line = pc_peek(pc, e + 5, 1), input = pc_peek(pc, e + 7, 1);
            assert_int_equal(pc_peek(pc, e + 6, 1), 1);
            assert_int_equal(input, line ? line : 2);
            inputs |= 1u << input;
        }
        e += type ? 8 : 20;
    }
    assert_int_equal(e, at + size);
    assert_int_equal(inputs, 0xfffe);
    assert_int_equal(of_type[0], 1);
    assert_int_equal(of_type[1], 1);
    assert_int_equal(of_type[2], 1);
    assert_int_equal(of_type[3], 15);
    assert_int_equal(of_type[4], 2);
}

#define PC_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        PC_TEST(test_none),
        PC_TEST(test_fadt),
        PC_TEST(test_madt),
        PC_TEST(test_mp),
    };
    return cmocka_run_group_tests_name("bios_tables", tests, NULL, NULL);
}
