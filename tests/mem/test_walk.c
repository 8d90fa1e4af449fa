/*
 * Tables that the guest keeps itself: rights, accessed and dirty bits, error codes, page sizes, and
 * what the TLB remembers of them. All modes of the AMD64 manual volume 2, chapter 5.
 */
#include <errno.h>
#include <string.h>

#include "cpu/cpu.h"
#include "support.h"

#define RAM (UINT64_C(16) << 20)

/* Entries. */
#define P  UINT64_C(0x001)
#define WR UINT64_C(0x002)
#define US UINT64_C(0x004)
#define A  UINT64_C(0x020)
#define D  UINT64_C(0x040)
#define PS UINT64_C(0x080)
#define NX (UINT64_C(1) << 63)

/* Physical places of the tables. */
#define L4   0x1000
#define L3   0x2000
#define L2   0x3000
#define L1   0x4000
#define DATA 0x100000

static int system_setup(void **state) {
    struct mem_options o = {.strategy = MEM_PAGED, .system = true, .physical_size = RAM};
    struct space *s = space_new(&o);
    s->cpu->cpl = 0;
    s->cpu->cr3 = L4;
    s->cpu->efer = EFER_LME | EFER_LMA | EFER_NXE;
    s->cpu->cr4 = CR4_PAE;
    s->cpu->cr0 = CR0_PE | CR0_PG | CR0_WP;
    *state = s;
    return 0;
}

#define SYSTEM(test) cmocka_unit_test_setup_teardown(test, system_setup, space_teardown)

static void put64(struct space *s, uint64_t phys, uint64_t v) {
    assert_int_equal(mem_copy_out(s->mem, phys, &v, 8), 0);
}
static uint64_t get64(struct space *s, uint64_t phys) {
    uint64_t v = 0;
    assert_int_equal(mem_copy_in(s->mem, &v, phys, 8), 0);
    return v;
}
static void put32(struct space *s, uint64_t phys, uint32_t v) {
    assert_int_equal(mem_copy_out(s->mem, phys, &v, 4), 0);
}
static uint32_t get32(struct space *s, uint64_t phys) {
    uint32_t v = 0;
    assert_int_equal(mem_copy_in(s->mem, &v, phys, 4), 0);
    return v;
}
static void put8(struct space *s, uint64_t phys, uint8_t v) {
    assert_int_equal(mem_copy_out(s->mem, phys, &v, 1), 0);
}

/* Linear 0-2 MiB through one table of each level; page k is at DATA + k pages. */
static void long_tables(struct space *s, uint64_t leaf) {
    put64(s, L4, L3 | P | WR | US);
    put64(s, L3, L2 | P | WR | US);
    put64(s, L2, L1 | P | WR | US);
    for (uint64_t k = 0; k < 64; k++)
        put64(s, L1 + k * 8, (DATA + k * PAGE) | leaf);
    for (uint64_t k = 0; k < 64; k++)
        put8(s, DATA + k * PAGE, (uint8_t)(k + 1));
}

static void test_physical(void **state) {
    struct space *s = *state;
    uint8_t v;
    struct mem_fault f;
    s->cpu->cr0 = CR0_PE;
    store(s, 0x1234, 5);
    assert_int_equal(load(s, 0x1234), 5);
    assert_int_equal(get64(s, 0x1234) & 0xff, 5);
    /* No RAM there: a device's turn. */
    assert_int_equal(guest_load(s, RAM, &v, &f), 0);
    assert_int_equal(f.address, RAM);
    assert_int_equal(mem_copy_in(s->mem, &v, RAM, 1), -EFAULT);
    assert_int_equal(mem_copy_in(s->mem, &v, RAM - 1, 1), 0);
    assert_int_equal(mem_copy_in(s->mem, &v, UINT64_MAX, 1), -EFAULT);
    /* Fetched it reads ones. */
    assert_int_equal(guest_fetch(s, RAM, &v, NULL), NO_FAULT);
    assert_int_equal(v, 0xff);
    assert_int_equal(mem_map(s->mem, 0, PAGE, RW, ANON, -1, 0, &f.address), -ENOTSUP);
}

static void test_a20(void **state) {
    struct space *s = *state;
    s->cpu->cr0 = 0;
    put8(s, 0x5, 1);
    put8(s, 0x100005, 2);
    assert_int_equal(load(s, 0x100005), 2);
    s->cpu->a20_mask = ~(UINT32_C(1) << 20);
    mem_tlb_flush(s->cpu);
    assert_int_equal(load(s, 0x100005), 1);
}

static void test_accessed_and_dirty(void **state) {
    struct space *s = *state;
    long_tables(s, P | WR | US);
    assert_int_equal(load(s, 3 * PAGE), 4);
    assert_int_equal(get64(s, L4) & (A | D), A);
    assert_int_equal(get64(s, L3) & (A | D), A);
    assert_int_equal(get64(s, L2) & (A | D), A);
    assert_int_equal(get64(s, L1 + 3 * 8) & (A | D), A);
    assert_int_equal(get64(s, L1 + 4 * 8) & (A | D), 0);
    /* The entry of a clean page does not let writes pass unseen. */
    store(s, 3 * PAGE + 1, 9);
    assert_int_equal(get64(s, L1 + 3 * 8) & (A | D), A | D);
    assert_int_equal(get64(s, L2) & D, 0);
    uint8_t v;
    assert_int_equal(guest_fetch(s, 5 * PAGE, &v, NULL), NO_FAULT);
    assert_int_equal(get64(s, L1 + 5 * 8) & (A | D), A);
    /* Rights that are denied leave no dirty bit. */
    put64(s, L1 + 6 * 8, (DATA + 6 * PAGE) | P | US);
    assert_store_fault(s, 6 * PAGE, BLINK_EXC_PF, BLINK_PF_P | BLINK_PF_W);
    assert_int_equal(get64(s, L1 + 6 * 8) & D, 0);
}

/* Rights of each level, as a table: clear one bit, or set NX, in one entry. */
static void test_rights(void **state) {
    static const struct {
        uint64_t clear, set;
        uint32_t user, wp, access;
        uint32_t error; /* NO_FAULT if it passes */
    } rows[] = {
        {P, 0, 0, 1, R, 0},
        {P, 0, 0, 1, W, BLINK_PF_W},
        {P, 0, 0, 1, X, BLINK_PF_I},
        {P, 0, 1, 1, R, BLINK_PF_U},
        {P, 0, 1, 1, X, BLINK_PF_U | BLINK_PF_I},
        {WR, 0, 0, 1, R, NO_FAULT},
        {WR, 0, 0, 1, W, BLINK_PF_P | BLINK_PF_W},
        {WR, 0, 0, 0, W, NO_FAULT},
        {WR, 0, 1, 1, W, BLINK_PF_P | BLINK_PF_W | BLINK_PF_U},
        {WR, 0, 1, 0, W, BLINK_PF_P | BLINK_PF_W | BLINK_PF_U},
        {US, 0, 0, 1, W, NO_FAULT},
        {US, 0, 1, 1, R, BLINK_PF_P | BLINK_PF_U},
        {US, 0, 1, 1, W, BLINK_PF_P | BLINK_PF_U | BLINK_PF_W},
        {US, 0, 1, 1, X, BLINK_PF_P | BLINK_PF_U | BLINK_PF_I},
        {0, NX, 0, 1, R, NO_FAULT},
        {0, NX, 0, 1, X, BLINK_PF_P | BLINK_PF_I},
        {0, NX, 1, 1, X, BLINK_PF_P | BLINK_PF_U | BLINK_PF_I},
        {0, 0, 1, 1, W, NO_FAULT},
        {0, 0, 1, 1, X, NO_FAULT},
    };
    static const uint64_t level[] = {L4, L3, L2, L1};
    struct space *s = *state;
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++)
        for (size_t l = 0; l < 4; l++) {
            struct mem_fault f = {0};
            long_tables(s, P | WR | US);
            put64(s, level[l], (get64(s, level[l]) & ~rows[k].clear) | rows[k].set);
            s->cpu->cpl = rows[k].user ? 3 : 0;
            s->cpu->cr0 = CR0_PE | CR0_PG | (rows[k].wp ? CR0_WP : 0);
            mem_tlb_flush(s->cpu);
            void *p = mem_translate(s->cpu, 0x123, rows[k].access, &f);
            if (rows[k].error == NO_FAULT) {
                assert_non_null(p);
                continue;
            }
            assert_null(p);
            assert_int_equal(f.vector, BLINK_EXC_PF);
            assert_int_equal(f.error, rows[k].error);
            assert_int_equal(f.address, 0x123);
        }
}

static void test_reserved(void **state) {
    struct space *s = *state;
    const uint32_t want = BLINK_PF_P | BLINK_PF_R;
    long_tables(s, P | WR | US);
    put64(s, L1, DATA | P | UINT64_C(1) << 51);
    assert_load_fault(s, 0, BLINK_EXC_PF, want);
    put64(s, L4, L3 | P | PS);
    assert_load_fault(s, PAGE, BLINK_EXC_PF, want);
    put64(s, L4, L3 | P);
    put64(s, L2, 0x201000 | P | PS); /* bit 12 is PAT */
    assert_int_equal(guest_load(s, PAGE, &(uint8_t){0}, NULL), NO_FAULT);
    mem_tlb_flush(s->cpu);
    put64(s, L2, 0x202000 | P | PS);
    assert_load_fault(s, PAGE, BLINK_EXC_PF, want);
    /* NX means nothing, and so must be 0, unless it is switched on. */
    long_tables(s, P | WR | US);
    put64(s, L1, DATA | P | NX);
    s->cpu->efer &= ~EFER_NXE;
    assert_load_fault(s, 0, BLINK_EXC_PF, want);
    /* And fetches are not told apart then. */
    put64(s, L1, 0);
    assert_fetch_fault(s, 0, BLINK_EXC_PF, 0);
}

static void test_canonical(void **state) {
    struct space *s = *state;
    uint8_t v;
    long_tables(s, P | WR);
    put64(s, L4 + 511 * 8, L3 | P);
    put64(s, L3 + 511 * 8, L2 | P);
    put64(s, L2 + 511 * 8, L1 | P);
    put64(s, L1 + 511 * 8, (DATA + 7 * PAGE) | P);
    assert_int_equal(load(s, UINT64_MAX & ~(PAGE - 1)), 8);
    assert_int_equal(guest_load(s, UINT64_C(0x0000800000000000), &v, NULL), BLINK_EXC_GP);
    assert_int_equal(guest_load(s, UINT64_C(0xffff7fffffffffff), &v, NULL), BLINK_EXC_GP);
    /* Code in the last page there is. */
    assert_true(mem_code_track(s->cpu, UINT64_MAX & ~(PAGE - 1), 0));
    put8(s, DATA + 7 * PAGE, 1);
    assert_int_equal(s->drops, 1);
}

static void test_large_pages(void **state) {
    struct space *s = *state;
    long_tables(s, P | WR);
    put64(s, L2 + 1 * 8, 0x200000 | P | WR | PS);
    put8(s, 0x2abcde, 77);
    assert_int_equal(load(s, 0x2abcde), 77);
    assert_int_equal(get64(s, L2 + 8) & (A | D), A);
    store(s, 0x2abcde, 78);
    assert_int_equal(get64(s, L2 + 8) & (A | D), A | D);
    put64(s, L3 + 8, 0 | P | WR | PS);
    assert_int_equal(load(s, UINT64_C(0x40000000) + 0x2abcde), 78);
    /* INVLPG of one address forgets the whole page. */
    assert_int_equal(load(s, 0x200000 + 9 * PAGE), 0);
    put8(s, 0x400000 + 9 * PAGE, 3);
    put64(s, L2 + 8, 0x400000 | P | PS);
    mem_tlb_flush_page(s->cpu, 0x2abcde);
    assert_int_equal(load(s, 0x200000 + 9 * PAGE), 3);
}

static void test_tlb(void **state) {
    struct space *s = *state;
    long_tables(s, P | WR);
    assert_int_equal(load(s, 0), 1);
    assert_int_equal(load(s, 5 * PAGE), 6);
    const struct blink_tlb *t = &s->cpu->tlb;
    assert_non_null(blink_tlb_find(s->cpu, t->read, 0, 1));
    assert_non_null(blink_tlb_find(s->cpu, t->read, 0xffc, 4));
    assert_null(blink_tlb_find(s->cpu, t->read, 0xffd, 4));
    assert_null(blink_tlb_find(s->cpu, t->read, 0 - BLINK_TLB_BIAS, 1));
    /* What is cached stays until it is flushed, as in hardware. */
    put64(s, L1, (DATA + 8 * PAGE) | P | WR);
    put64(s, L1 + 5 * 8, (DATA + 9 * PAGE) | P | WR);
    assert_int_equal(load(s, 0), 1);
    mem_tlb_flush_page(s->cpu, 0x10);
    assert_int_equal(load(s, 0), 9);
    assert_int_equal(load(s, 5 * PAGE), 6);
    mem_tlb_flush(s->cpu);
    assert_int_equal(load(s, 5 * PAGE), 10);
    /* Two pages of one slot. */
    put64(s, L2 + 128 * 8, L1 | P | WR);
    assert_int_equal(load(s, 0x10000000), 9);
    assert_null(blink_tlb_find(s->cpu, t->read, 0, 1));
    assert_int_equal(load(s, 0), 9);
    /* A read-only page has no tag for writing. */
    put64(s, L1 + 10 * 8, (DATA + 10 * PAGE) | P | NX);
    assert_int_equal(load(s, 10 * PAGE), 11);
    assert_non_null(blink_tlb_find(s->cpu, t->read, 10 * PAGE, 1));
    assert_null(blink_tlb_find(s->cpu, t->write, 10 * PAGE, 1));
    assert_null(blink_tlb_find(s->cpu, t->write, 11 * PAGE - 1, 1));
    /* What has been flushed is not there, for whatever address shares the slot. */
    mem_tlb_flush_page(s->cpu, 10 * PAGE);
    for (uint64_t a = 10 * PAGE; a < UINT64_C(1) << 47; a = a * 2 + 10 * PAGE)
        assert_null(blink_tlb_find(s->cpu, t->read, (a & ~UINT64_C(0xfffffff)) | 10 * PAGE, 1));
}

static void test_two_level(void **state) {
    struct space *s = *state;
    s->cpu->efer = 0;
    s->cpu->cr4 = 0;
    put32(s, L4, L3 | P | WR | US);
    put32(s, L3 + 5 * 4, (DATA + PAGE) | P | WR | US);
    put8(s, DATA + PAGE + 9, 55);
    assert_int_equal(load(s, 5 * PAGE + 9), 55);
    assert_int_equal(get32(s, L4) & (A | D), A);
    assert_int_equal(get32(s, L3 + 5 * 4) & (A | D), A);
    store(s, 5 * PAGE, 1);
    assert_int_equal(get32(s, L3 + 5 * 4) & (A | D), A | D);
    /* No error code bit for fetches here. */
    assert_fetch_fault(s, 6 * PAGE, BLINK_EXC_PF, 0);
    s->cpu->cpl = 3;
    put32(s, L4, L3 | P | US);
    mem_tlb_flush(s->cpu);
    assert_store_fault(s, 5 * PAGE, BLINK_EXC_PF, BLINK_PF_P | BLINK_PF_W | BLINK_PF_U);
    /* 4 MiB pages, if they are on. */
    put32(s, L4 + 2 * 4, 0x400000 | P | US | PS);
    put8(s, 0x400000 + 0x3abcd, 66);
    assert_load_fault(s, 0x83abcd, BLINK_EXC_PF, BLINK_PF_U);
    s->cpu->cr4 = CR4_PSE;
    assert_int_equal(load(s, 0x83abcd), 66);
}

static void test_pae(void **state) {
    struct space *s = *state;
    s->cpu->efer = EFER_NXE;
    s->cpu->cr3 = L4 + 0x40; /* the four entries need only be aligned to 32 */
    put64(s, L4 + 0x40 + 3 * 8, L2 | P);
    put64(s, L2, L1 | P | WR | US);
    put64(s, L2 + 8, 0x200000 | P | WR | US | PS);
    put64(s, L1 + 2 * 8, DATA | P | US | NX);
    put8(s, DATA, 12);
    put8(s, 0x200007, 13);
    assert_int_equal(load(s, UINT64_C(0xc0002000)), 12);
    assert_fetch_fault(s, UINT64_C(0xc0002000), BLINK_EXC_PF, BLINK_PF_P | BLINK_PF_I);
    assert_int_equal(load(s, UINT64_C(0xc0200007)), 13);
    assert_load_fault(s, UINT64_C(0x40000000), BLINK_EXC_PF, 0);
    s->cpu->cpl = 3;
    mem_tlb_flush(s->cpu);
    assert_int_equal(load(s, UINT64_C(0xc0002000)), 12);
    assert_store_fault(s, UINT64_C(0xc0002000), BLINK_EXC_PF, BLINK_PF_P | BLINK_PF_W | BLINK_PF_U);
}

/* Code is known by where it lies: a store through any other linear address drops it. */
static void test_code_aliases(void **state) {
    struct space *s = *state;
    long_tables(s, P | WR | US);
    put64(s, L1 + 20 * 8, DATA | P | WR | US);
    store(s, 20 * PAGE, 1); /* writable in the TLB before there is code */
    assert_true(mem_code_track(s->cpu, 0, 16));
    store(s, 20 * PAGE, 2);
    assert_int_equal(s->drops, 1);
    assert_true(s->drop_start == 0 && s->drop_end >= PAGE);
    /* Blocks on both: whichever is written, all go. */
    assert_true(mem_code_track(s->cpu, 0, 16));
    assert_true(mem_code_track(s->cpu, 20 * PAGE, 20 * PAGE + 16));
    store(s, 0, 3);
    assert_int_equal(s->drops, 2);
    assert_true(s->drop_start == 0 && s->drop_end > 20 * PAGE);
    /* A device writes by physical address. */
    assert_true(mem_code_track(s->cpu, PAGE, PAGE + 16));
    put8(s, DATA + PAGE + 100, 1);
    assert_int_equal(s->drops, 3);
}

/* A page is tracked by the tables of the vCPU that runs it. */
static void test_second_cpu(void **state) {
    struct space *s = *state;
    static struct blink_cpu other;
    long_tables(s, P | WR | US);
    memcpy(&other, s->cpu, sizeof other);
    assert_int_equal(mem_attach(s->mem, &other), 0);
    other.cr0 = CR0_PE; /* no paging */
    assert_true(mem_code_track(&other, 0x9000, 0x9001));
    put8(s, DATA + 9 * PAGE, 1);
    assert_int_equal(s->drops, 0);
    put8(s, 0x9000, 1);
    assert_int_equal(s->drops, 1);
    mem_detach(s->mem, &other);
    assert_null(other.mem);
}

static void test_read_system(void **state) {
    struct space *s = *state;
    uint64_t v = 0;
    struct mem_fault f = {0};
    long_tables(s, P);
    put64(s, DATA + 2 * PAGE - 4, UINT64_C(0x1122334455667788));
    s->cpu->cpl = 3;
    assert_load_fault(s, PAGE, BLINK_EXC_PF, BLINK_PF_P | BLINK_PF_U);
    assert_true(mem_read_system(s->cpu, 2 * PAGE - 4, &v, 8, &f));
    assert_int_equal(v, UINT64_C(0x1122334455667788));
    assert_int_equal(s->cpu->cpl, 3);
    /* It opens nothing for the program. */
    assert_load_fault(s, PAGE, BLINK_EXC_PF, BLINK_PF_P | BLINK_PF_U);
    put64(s, L1 + 2 * 8, 0);
    assert_false(mem_read_system(s->cpu, 2 * PAGE - 4, &v, 8, &f));
    assert_int_equal(f.error, 0);
    assert_int_equal(f.address, 2 * PAGE);
    assert_int_equal(s->cpu->cpl, 3);
}

/* Tables that lead out of RAM or into themselves. */
static void test_mad_tables(void **state) {
    struct space *s = *state;
    put64(s, L4, (RAM + PAGE) | P | WR);
    assert_load_fault(s, 0, BLINK_EXC_PF, 0);
    put64(s, L4, L4 | P | WR);
    assert_int_equal(load(s, 0), (L4 | P | WR | A) & 0xff);
    s->cpu->cr3 = RAM;
    mem_tlb_flush(s->cpu);
    assert_load_fault(s, 0, BLINK_EXC_PF, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SYSTEM(test_physical),    SYSTEM(test_a20),          SYSTEM(test_accessed_and_dirty),
        SYSTEM(test_rights),      SYSTEM(test_reserved),     SYSTEM(test_canonical),
        SYSTEM(test_large_pages), SYSTEM(test_tlb),          SYSTEM(test_two_level),
        SYSTEM(test_pae),         SYSTEM(test_code_aliases), SYSTEM(test_second_cpu),
        SYSTEM(test_read_system), SYSTEM(test_mad_tables),
    };
    return cmocka_run_group_tests_name("walk", tests, NULL, NULL);
}
