/*
 * The CPU outside of instructions: reset, modes, flags, segments, MSRs, and what CPUID must never
 * contradict.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/cpu.h"
#include "cpu/model.h"

#define BIT(n) (UINT32_C(1) << (n))

static struct blink_cpu *cpu;

/* Not zeros: reset must set everything. */
static int setup(void **state) {
    (void)state;
    cpu = malloc(sizeof *cpu);
    memset(cpu, 0xa5, sizeof *cpu);
    cpu->model = NULL;
    cpu->mode = 0;
    cpu->id = 3;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    free(cpu);
    return 0;
}

static void check_clean(void) {
    for (int k = 0; k < BLINK_GPR_SLOTS; k++)
        if (k != BLINK_RDX)
            assert_int_equal(cpu->gpr[k], 0);
    assert_int_equal(blink_cpu_get_flags(cpu) & ~(uint64_t)BLINK_IF, 2);
    assert_int_equal(cpu->mxcsr, 0x1f80);
    assert_int_equal(cpu->fvalid, 0);
    assert_int_equal(cpu->ftop, 0);
    assert_int_equal(cpu->fsw, 0);
    assert_int_equal(cpu->dr[6], 0xffff0ff0);
    assert_int_equal(cpu->dr[7], 0x400);
    assert_int_equal(cpu->tsc_aux, 3);
    assert_int_equal(cpu->shadow, 0);
    assert_int_equal(cpu->struct_size, sizeof *cpu);
    assert_int_equal(cpu->seg[BLINK_SEG_NONE].base, 0);
    assert_int_equal(cpu->seg[BLINK_SEG_NONE].limit, UINT32_MAX);
    for (int k = 0; k < 16; k++)
        for (int j = 0; j < 4; j++)
            assert_int_equal(cpu->ymm[k].u64[j], 0);
}

/* AMD64 manual volume 2, table 14-1. */
#define SEGMENT_BITS                                                                               \
  (BLINK_MODE_FLAT | BLINK_MODE_PLAIN | BLINK_MODE_WHOLE | BLINK_MODE_PLAINFS | BLINK_MODE_PLAINGS)

static void test_reset(void **state) {
    (void)state;
    cpu_reset(cpu);
    check_clean();
    assert_int_equal(cpu->rip, 0xfff0);
    assert_int_equal(cpu->seg[BLINK_SEG_CS].selector, 0xf000);
    assert_int_equal(cpu->seg[BLINK_SEG_CS].base, 0xffff0000);
    assert_int_equal(cpu->seg[BLINK_SEG_DS].base, 0);
    assert_int_equal(cpu->seg[BLINK_SEG_DS].limit, 0xffff);
    assert_int_equal(cpu->cr0, 0x60000010);
    assert_int_equal(cpu->cr3 | cpu->cr4 | cpu->efer, 0);
    assert_int_equal(cpu->fcw, 0x40);
    assert_int_equal(cpu->xcr0, 1);
    assert_int_equal(cpu->cpl, 0);
    assert_int_equal(cpu->idtr.limit, 0xffff);
    const uint32_t forbidden = BLINK_MODE_NOX87 | BLINK_MODE_NOSSE | BLINK_MODE_NOAVX;
    assert_int_equal(cpu->mode & ~(forbidden | SEGMENT_BITS), BLINK_MODE_BITS16 | BLINK_MODE_FERR);
    assert_int_equal(cpu->mode & BLINK_MODE_NOX87, 0);
}

static void test_reset_user(void **state) {
    (void)state;
    cpu_reset_user64(cpu);
    check_clean();
    assert_int_equal(cpu->cpl, 3);
    assert_int_equal(cpu->fcw, 0x37f);
    assert_int_equal(cpu->seg[BLINK_SEG_CS].selector, 0x33);
    assert_int_equal(cpu->seg[BLINK_SEG_SS].selector, 0x2b);
    assert_int_equal(cpu->seg[BLINK_SEG_DS].selector, 0);
    assert_int_equal(cpu->seg[BLINK_SEG_FS].base, 0);
    assert_int_equal(cpu->mode & BLINK_MODE_BITS, BLINK_MODE_BITS64);
    assert_true(cpu->mode & BLINK_MODE_CPL3);
    assert_true(cpu->mode & BLINK_MODE_PROT);
    assert_int_equal(cpu->mode & (BLINK_MODE_NOX87 | BLINK_MODE_NOSSE), 0);
    assert_int_equal(cpu->efer, EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
    assert_int_equal(cpu->cr0 & 0xffff, 0x33); /* as SMSW shows it */
}

/* What 16- and 32-bit code knows of its segments. */
static void test_segment_bits(void **state) {
    const uint32_t plain = BLINK_MODE_PLAIN, whole = plain | BLINK_MODE_WHOLE,
                   flat = whole | BLINK_MODE_FLAT, fs = BLINK_MODE_PLAINFS, gs = BLINK_MODE_PLAINGS;
    static const struct blink_seg code = {0, UINT32_MAX, 0x23, 0xc0fb};
    static const struct blink_seg data = {0, UINT32_MAX, 0x2b, 0xc0f3};
    const struct {
        uint32_t seg;
        struct blink_seg value;
        uint32_t mode;
    } rows[] = {
        {BLINK_SEG_DS, data, flat | fs | gs},
        {BLINK_SEG_DS, {0, 0, 0, 0}, fs | gs},
        {BLINK_SEG_ES, {0, 0, 0, 0}, fs | gs},
        {BLINK_SEG_FS, {0, 0, 0, 0}, flat | gs},
        {BLINK_SEG_GS, {0, 0, 0, 0}, flat | fs},
        {BLINK_SEG_GS, {0x1000, 0xfff, 0x33, 0x40f3}, flat | fs | gs},
        {BLINK_SEG_DS, {0x1000, UINT32_MAX, 0x33, 0xc0f3}, whole | fs | gs},
        {BLINK_SEG_SS, {0, 0xfffeffff, 0x33, 0xc0f3}, whole | fs | gs},
        {BLINK_SEG_ES, {0, 0xffff, 0x33, 0x00f3}, whole | fs | gs},
        {BLINK_SEG_ES, {0, 0xfffe, 0x33, 0x00f3}, plain | fs | gs},
        {BLINK_SEG_DS, {0, UINT32_MAX, 0x33, 0xc0f1}, fs | gs}, /* read-only */
        {BLINK_SEG_DS, {0, 0xfff, 0x33, 0xc0f7}, fs | gs},      /* expands down */
        {BLINK_SEG_FS, {0, 0xfff, 0x33, 0xc0f7}, flat | gs},
        {BLINK_SEG_DS, code, fs | gs},
        {BLINK_SEG_CS, {0, UINT32_MAX, 0x23, 0xc0f9}, fs | gs}, /* cannot be read */
        {BLINK_SEG_CS, {0, 0xffff, 0x23, 0x40fb}, fs | gs},     /* does not reach far enough */
        {BLINK_SEG_CS, {0, 0xffff, 0x23, 0x00fb}, whole | fs | gs},
        {BLINK_SEG_CS, {0x1000, UINT32_MAX, 0x23, 0xc0fb}, whole | fs | gs},
    };
    (void)state;
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        cpu_reset_user64(cpu);
        for (uint32_t s = 0; s <= BLINK_SEG_GS; s++)
            cpu->seg[s] = s == BLINK_SEG_CS ? code : data;
        cpu->seg[rows[k].seg] = rows[k].value;
        cpu_update_mode(cpu);
        assert_int_equal(cpu->mode & SEGMENT_BITS, rows[k].mode);
        /* 64-bit code does not ask. */
        cpu->seg[BLINK_SEG_CS].attr = 0xa0fb;
        cpu_update_mode(cpu);
        assert_int_equal(cpu->mode & SEGMENT_BITS, 0);
    }
    /* Real mode: rights and bases do not count. */
    cpu_reset(cpu);
    for (uint32_t s = 0; s <= BLINK_SEG_GS; s++)
        cpu->seg[s].base = 0;
    cpu->seg[BLINK_SEG_DS] = (struct blink_seg){0, UINT32_MAX, 0, 0x0091};
    cpu_update_mode(cpu);
    assert_int_equal(cpu->mode & SEGMENT_BITS, whole | fs | gs);
}

static void test_modes(void **state) {
    static const struct {
        uint64_t cr0, efer, flags;
        uint16_t cs, ss;
        uint32_t cpl, mode, cpl_after;
    } rows[] = {
        {0, 0, 0, 0x009b, 0x0093, 3, BLINK_MODE_BITS16, 0},
        /* Real mode with the descriptors of protected mode still loaded: 16 bits all the same. */
        {0, 0, 0, 0xc09b, 0x0093, 0, BLINK_MODE_BITS16, 0},
        {CR0_PE, 0, 0, 0x009b, 0x0093, 0, BLINK_MODE_BITS16 | BLINK_MODE_PROT, 0},
        {CR0_PE, 0, 0, 0xc09b, 0xc093, 0, BLINK_MODE_BITS32 | BLINK_MODE_PROT | BLINK_MODE_SS32, 0},
        {CR0_PE, 0, 0, 0xc0fb, 0x00f3, 3, BLINK_MODE_BITS32 | BLINK_MODE_PROT | BLINK_MODE_CPL3, 3},
        /* L means nothing outside of long mode. */
        {CR0_PE, 0, 0, 0xa09b, 0x0093, 0, BLINK_MODE_BITS16 | BLINK_MODE_PROT, 0},
        {CR0_PE, EFER_LMA, 0, 0xa09b, 0x0093, 0, BLINK_MODE_BITS64 | BLINK_MODE_PROT, 0},
        {CR0_PE, EFER_LMA, 0, 0xc0fb, 0xc0f3, 3,
         BLINK_MODE_BITS32 | BLINK_MODE_PROT | BLINK_MODE_CPL3 | BLINK_MODE_SS32, 3},
        {CR0_PE, EFER_LMA, 0, 0x00fb, 0x00f3, 3,
         BLINK_MODE_BITS16 | BLINK_MODE_PROT | BLINK_MODE_CPL3, 3},
        {CR0_PE, 0, BLINK_VM, 0x00fb, 0x00f3, 0,
         BLINK_MODE_BITS16 | BLINK_MODE_VM86 | BLINK_MODE_CPL3, 3},
        /* VM without PE is nothing. */
        {0, 0, BLINK_VM, 0x009b, 0x0093, 0, BLINK_MODE_BITS16, 0},
    };
    (void)state;
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        for (uint32_t paged = 0; paged < 2; paged++) {
            cpu_reset_user64(cpu);
            cpu->mode = paged ? BLINK_MODE_PAGED : 0;
            cpu->cr0 = rows[k].cr0;
            cpu->efer = rows[k].efer;
            cpu->flags = rows[k].flags | 2;
            cpu->cpl = rows[k].cpl;
            cpu->seg[BLINK_SEG_CS].attr = rows[k].cs;
            cpu->seg[BLINK_SEG_SS].attr = rows[k].ss;
            cpu_update_mode(cpu);
            uint32_t kept = cpu->mode & ~(BLINK_MODE_NOAVX | BLINK_MODE_FERR | SEGMENT_BITS);
            assert_int_equal(kept, rows[k].mode | (paged ? BLINK_MODE_PAGED : 0));
            assert_int_equal(cpu->cpl, rows[k].cpl_after);
        }
    }
}

static void test_forbidden_registers(void **state) {
    (void)state;
    cpu_reset_user64(cpu);
    cpu->cr0 |= CR0_TS;
    cpu_update_mode(cpu);
    assert_true(cpu->mode & BLINK_MODE_NOX87);
    assert_true(cpu->mode & BLINK_MODE_NOSSE);
    assert_true(cpu->mode & BLINK_MODE_NOAVX);
    cpu->cr0 &= ~CR0_TS;
    cpu->cr4 &= ~CR4_OSFXSR;
    cpu_update_mode(cpu);
    assert_false(cpu->mode & BLINK_MODE_NOX87);
    assert_true(cpu->mode & BLINK_MODE_NOSSE);
    cpu->cr4 |= CR4_OSFXSR;
    cpu->xcr0 = 3;
    cpu_update_mode(cpu);
    assert_false(cpu->mode & BLINK_MODE_NOSSE);
    assert_true(cpu->mode & BLINK_MODE_NOAVX);
    assert_false(cpu->mode & BLINK_MODE_FERR);
    cpu->cr0 &= ~CR0_NE;
    cpu_update_mode(cpu);
    assert_true(cpu->mode & BLINK_MODE_FERR);
}

/* All 64 combinations of the arithmetic flags, with others beside them. */
static void test_flags(void **state) {
    static const uint32_t bit[6] = {BLINK_CF, BLINK_PF, BLINK_AF, BLINK_ZF, BLINK_SF, BLINK_OF};
    static const uint64_t others[] = {0, BLINK_IF, BLINK_DF | BLINK_TF,
                                      BLINK_IOPL | BLINK_NT | BLINK_AC | BLINK_ID};
    (void)state;
    cpu_reset_user64(cpu);
    for (uint32_t k = 0; k < 64; k++)
        for (size_t j = 0; j < sizeof others / sizeof others[0]; j++) {
            uint64_t fl = others[j] | 2;
            for (int b = 0; b < 6; b++)
                fl |= k >> b & 1 ? bit[b] : 0;
            blink_cpu_set_flags(cpu, fl);
            assert_int_equal(blink_cpu_get_flags(cpu), fl);
            assert_int_equal(cpu->flags & BLINK_FLAGS_ARITH, 0);
            /* Bit 1 is always set. */
            blink_cpu_set_flags(cpu, fl & ~UINT64_C(2));
            assert_int_equal(blink_cpu_get_flags(cpu), fl);
        }
}

/* The lazy form as instructions leave it. */
static void test_lazy_flags(void **state) {
    (void)state;
    cpu_reset_user64(cpu);
    cpu->cc_aux = 0;
    cpu->cc_res = 0;
    assert_int_equal(blink_cpu_get_flags(cpu) & BLINK_FLAGS_ARITH, BLINK_ZF | BLINK_PF);
    cpu->cc_res = ~UINT64_C(0);
    assert_int_equal(blink_cpu_get_flags(cpu) & BLINK_FLAGS_ARITH, BLINK_SF | BLINK_PF);
    cpu->cc_res = 1;
    cpu->cc_aux = UINT64_C(1) << 63;
    assert_int_equal(blink_cpu_get_flags(cpu) & BLINK_FLAGS_ARITH, BLINK_CF | BLINK_OF);
    cpu->cc_aux = UINT64_C(3) << 62;
    assert_int_equal(blink_cpu_get_flags(cpu) & BLINK_FLAGS_ARITH, BLINK_CF);
    cpu->cc_aux = 8;
    assert_int_equal(blink_cpu_get_flags(cpu) & BLINK_FLAGS_ARITH, BLINK_AF);
    cpu->cc_aux = UINT64_C(1) << 62;
    assert_int_equal(blink_cpu_get_flags(cpu) & BLINK_FLAGS_ARITH, BLINK_OF);
}

static void test_canonical(void **state) {
    (void)state;
    assert_true(cpu_canonical(0));
    assert_true(cpu_canonical(UINT64_C(0x7fffffffffff)));
    assert_false(cpu_canonical(UINT64_C(0x800000000000)));
    assert_false(cpu_canonical(UINT64_C(0xffff7fffffffffff)));
    assert_true(cpu_canonical(UINT64_C(0xffff800000000000)));
    assert_true(cpu_canonical(UINT64_MAX));
}

static void test_segments(void **state) {
    (void)state;
    cpu_reset(cpu);
    cpu_set_segment(cpu, BLINK_SEG_ES, 0x1234, 0x12340, 0xffff, 0x93);
    assert_int_equal(cpu->seg[BLINK_SEG_ES].selector, 0x1234);
    assert_int_equal(cpu->seg[BLINK_SEG_ES].base, 0x12340);
    assert_int_equal(cpu->seg[BLINK_SEG_ES].limit, 0xffff);
    assert_int_equal(cpu->seg[BLINK_SEG_ES].attr, 0x93);
    assert_int_equal(cpu->seg[BLINK_SEG_DS].selector, 0);
}

static void test_msrs(void **state) {
    static const uint32_t plain[] = {0x174, 0xc0000081, 0xc0000084};
    static const uint32_t addresses[] = {0x175,      0x176,      0xc0000082, 0xc0000083,
                                         0xc0000100, 0xc0000101, 0xc0000102};
    uint64_t v = 0;
    (void)state;
    cpu_reset_user64(cpu);
    for (size_t k = 0; k < sizeof plain / sizeof plain[0]; k++) {
        assert_true(cpu_write_msr(cpu, plain[k], UINT64_C(0x12345678) + k));
        assert_true(cpu_read_msr(cpu, plain[k], &v));
        assert_int_equal(v, UINT64_C(0x12345678) + k);
    }
    for (size_t k = 0; k < sizeof addresses / sizeof addresses[0]; k++) {
        assert_true(cpu_write_msr(cpu, addresses[k], UINT64_C(0xffff800000000000) + k));
        assert_false(cpu_write_msr(cpu, addresses[k], UINT64_C(0x0000800000000000)));
        assert_true(cpu_read_msr(cpu, addresses[k], &v));
        assert_int_equal(v, UINT64_C(0xffff800000000000) + k);
    }
    assert_int_equal(cpu->seg[BLINK_SEG_GS].base, UINT64_C(0xffff800000000005));
    assert_false(cpu_read_msr(cpu, 0x12345, &v));
    assert_false(cpu_write_msr(cpu, 0x12345, 0));
}

static void test_msr_efer(void **state) {
    uint64_t v = 0;
    (void)state;
    cpu_reset(cpu);
    assert_true(cpu_write_msr(cpu, 0xc0000080, EFER_LME | EFER_NXE | EFER_SCE));
    /* LMA is the processor's. */
    assert_true(cpu_write_msr(cpu, 0xc0000080, EFER_LME | EFER_LMA));
    assert_true(cpu_read_msr(cpu, 0xc0000080, &v));
    assert_int_equal(v, EFER_LME);
    assert_false(cpu_write_msr(cpu, 0xc0000080, UINT64_C(1) << 40));
    /* LME does not change under paging. */
    cpu->cr0 |= CR0_PE | CR0_PG;
    assert_false(cpu_write_msr(cpu, 0xc0000080, 0));
    assert_true(cpu_write_msr(cpu, 0xc0000080, EFER_LME | EFER_SCE));
}

static void test_msr_tsc(void **state) {
    uint64_t a = 0, b = 0;
    (void)state;
    cpu_reset_user64(cpu);
    cpu->tsc_offset = 0;
    assert_true(cpu_read_msr(cpu, 0x10, &a));
    assert_true(cpu_tsc(cpu) >= a);
    assert_true(cpu_write_msr(cpu, 0x10, 1000));
    assert_true(cpu_read_msr(cpu, 0x10, &b));
    assert_true(b >= 1000 && b < 1000 + UINT64_C(10000000000));
    /* RDTSCP's number has 32 bits; what does not fit is refused whole. */
    assert_true(cpu_write_msr(cpu, 0xc0000103, 77));
    assert_false(cpu_write_msr(cpu, 0xc0000103, UINT64_C(1) << 32 | 5));
    assert_true(cpu_read_msr(cpu, 0xc0000103, &b));
    assert_int_equal(b, 77);
}

static void test_msr_pat(void **state) {
    uint64_t v = 0;
    (void)state;
    cpu_reset(cpu);
    assert_true(cpu_read_msr(cpu, 0x277, &v));
    assert_int_equal(v, UINT64_C(0x0007040600070406));
    assert_true(cpu_write_msr(cpu, 0x277, UINT64_C(0x0605040100010506)));
    /* Types 2, 3 and above 7 do not exist. */
    assert_false(cpu_write_msr(cpu, 0x277, 2));
    assert_false(cpu_write_msr(cpu, 0x277, UINT64_C(0x0800000000000000)));
    assert_true(cpu_read_msr(cpu, 0x277, &v));
    assert_int_equal(v, UINT64_C(0x0605040100010506));
}

/* MSR APIC_BASE is what CPUID tells of the local APIC by. */
static void test_msr_apic_base(void **state) {
    uint64_t v;
    uint32_t r[4];
    (void)state;
    cpu_reset(cpu);
    assert_true(cpu_read_msr(cpu, 0x1b, &v));
    assert_int_equal(v, 0xfee00900);
    cpu_cpuid(cpu, 1, 0, r);
    assert_true(r[3] & BIT(9));
    /* The first processor stays it; there is no x2APIC mode, and no address beyond memory's. */
    assert_true(cpu_write_msr(cpu, 0x1b, UINT64_C(0x3ffffffff800)));
    assert_true(cpu_read_msr(cpu, 0x1b, &v));
    assert_int_equal(v, UINT64_C(0x3ffffffff900));
    static const uint64_t bad[] = {0xfee00c00, 0xfee00a00, 0xfee00801, UINT64_C(0x4000fee00800)};
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++)
        assert_false(cpu_write_msr(cpu, 0x1b, bad[k]));
    assert_true(cpu_write_msr(cpu, 0x1b, 0xfee00000));
    cpu_cpuid(cpu, 1, 0, r);
    assert_false(r[3] & BIT(9));
    assert_true(cpu_write_msr(cpu, 0x1b, 0xfee00800));
    cpu_cpuid(cpu, 1, 0, r);
    assert_true(r[3] & BIT(9));
    /* Where there is none there is no such register. */
    cpu->apic_base = 0;
    assert_false(cpu_read_msr(cpu, 0x1b, &v));
    assert_false(cpu_write_msr(cpu, 0x1b, 0xfee00800));
}

/* What every processor has, and here says that there is nothing. */
static void test_empty_msrs(void **state) {
    static const struct {
        uint32_t msr;
        bool written;
    } rows[] = {{0x17, false},  {0x8b, true},  {0xfe, false},
                {0x179, false}, {0x17a, true}, {0x2ff, true}};
    uint64_t v;
    (void)state;
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        assert_int_equal(cpu_write_msr(cpu, rows[k].msr, 0xc06), rows[k].written);
        assert_true(cpu_read_msr(cpu, rows[k].msr, &v));
        assert_int_equal(v, 0);
    }
    assert_false(cpu_read_msr(cpu, 0x200, &v));
    assert_false(cpu_write_msr(cpu, 0x400, 0));
}

static void leaf(uint32_t n, uint32_t sub, uint32_t out[4]) {
    memset(out, 0x5a, 16);
    cpu_cpuid(cpu, n, sub, out);
}

/* What one leaf says must fit what another does. */
static void test_cpuid(void **state) {
    uint32_t r[4], max, q[4];
    (void)state;
    cpu_reset_user64(cpu);
    leaf(0, 0, r);
    max = r[0];
    assert_int_equal(max, 0xd);
    leaf(1, 0, r);
    assert_int_equal(r[1] >> 24, 3); /* APIC number */
    assert_true(r[3] & BIT(0));
    assert_true(r[3] & BIT(26));
    /* OSXSAVE mirrors CR4. */
    assert_true(r[2] & BIT(27));
    cpu->cr4 &= ~CR4_OSXSAVE;
    leaf(1, 0, q);
    assert_int_equal(q[2], r[2] & ~BIT(27));
    cpu->cr4 |= CR4_OSXSAVE;
    /* Processors of 64 bits have SSE2, SYSCALL and long mode; the rest of leaf 1 repeats. */
    leaf(0x80000001, 0, q);
    assert_true(q[3] & BIT(29));
    assert_true(q[3] & BIT(20));
    /* Leaf 0Dh: sizes for what is in XCR0, and for all. */
    leaf(0xd, 0, q);
    assert_int_equal(q[0] & cpu->xcr0, cpu->xcr0);
    assert_int_equal(q[1], cpu->xcr0 & 4 ? 832 : 576);
    assert_int_equal(q[2], q[0] & 4 ? 832 : 576);
    cpu->xcr0 = 1;
    leaf(0xd, 0, q);
    assert_int_equal(q[1], 576);
    /* Above the highest of each range, and subleaves that are not there: zeros. */
    static const uint32_t nothing[][2] = {{7, 5},          {0xd, 63},       {0xe, 0},
                                          {0x7fffffff, 0}, {0x80000100, 0}, {0xffffffff, 0},
                                          {3, 0},          {4, 9}};
    for (size_t k = 0; k < sizeof nothing / sizeof nothing[0]; k++) {
        leaf(nothing[k][0], nothing[k][1], q);
        assert_int_equal(q[0] | q[1] | q[2] | q[3], 0);
    }
    leaf(0x80000000, 0, q);
    assert_int_equal(q[0], 0x80000008);
    leaf(0x80000008, 0, q);
    assert_int_equal(q[0] & 0xff, CPU_PHYS_BITS);
    assert_int_equal(q[0] >> 8 & 0xff, 48);
}

static void test_random(void **state) {
    uint64_t a = 0, b = 0;
    (void)state;
    assert_true(cpu_random(&a));
    assert_true(cpu_random(&b));
    assert_true(a != b);
}

#define CPU_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CPU_TEST(test_reset),
        CPU_TEST(test_reset_user),
        CPU_TEST(test_modes),
        CPU_TEST(test_segment_bits),
        CPU_TEST(test_forbidden_registers),
        CPU_TEST(test_flags),
        CPU_TEST(test_lazy_flags),
        CPU_TEST(test_canonical),
        CPU_TEST(test_segments),
        CPU_TEST(test_msrs),
        CPU_TEST(test_msr_efer),
        CPU_TEST(test_msr_tsc),
        CPU_TEST(test_msr_pat),
        CPU_TEST(test_cpuid),
        CPU_TEST(test_random),
        CPU_TEST(test_msr_apic_base),
        CPU_TEST(test_empty_msrs),
    };
    return cmocka_run_group_tests_name("cpu", tests, NULL, NULL);
}
