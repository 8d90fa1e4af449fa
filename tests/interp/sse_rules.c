/*
 * What SIMD instructions refuse, and precisely when: alignment, control registers, pending x87
 * exceptions, unmasked SSE exceptions, page faults of masked accesses and gathers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/cpu.h"
#include "mem/space.h"
#include "sse_guest.h"
#include "sse_trial.h"

static _Alignas(64) uint8_t memory[256];

#define XMM(n) ((struct blink_operand){BLINK_OPND_XMM, (n), 16, BLINK_ACCESS_READ})
#define YMM(n) ((struct blink_operand){BLINK_OPND_YMM, (n), 32, BLINK_ACCESS_READ})
#define MMX(n) ((struct blink_operand){BLINK_OPND_MMX, (n), 8, BLINK_ACCESS_READ})
#define MEM(s) ((struct blink_operand){BLINK_OPND_MEM, 0, (s), BLINK_ACCESS_READ})

/* An instruction with up to three operands, its memory at [RAX]. */
static struct blink_insn make(uint16_t op, struct blink_operand a, struct blink_operand b,
                              struct blink_operand c) {
    struct blink_insn i = {.opnd = {a, b, c},
                           .seg = BLINK_SEG_NONE,
                           .base = BLINK_RAX,
                           .index = BLINK_REG_NONE,
                           .op = op,
                           .len = 4,
                           .opsize = 4,
                           .addrsize = 8};
    return i;
}
#define NONE ((struct blink_operand){0})

static void expect_fault(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t vector) {
    guest_run(cpu, i);
    assert_int_equal(cpu->exit_reason, BLINK_EXIT_FAULT);
    assert_int_equal(cpu->exit_info, vector);
    assert_int_equal(cpu->rip, 0x1000);
}
static void expect_success(struct blink_cpu *cpu, const struct blink_insn *i) {
    guest_run(cpu, i);
    assert_int_equal(cpu->exit_reason, BLINK_EXIT_BLOCK);
}

/* ---- alignment ---- */

static void run_at(const struct sse_plan *p, uint32_t offset, uint32_t want) {
    struct blink_insn i;
    struct blink_cpu *cpu = guest_cpu();
    sse_decode(p, &i);
    cpu->gpr[BLINK_RAX] = (uintptr_t)memory + offset;
    guest_run(cpu, &i);
    if (want == BLINK_EXIT_FAULT && cpu->exit_reason == BLINK_EXIT_FAULT) {
        assert_int_equal(cpu->exit_info, BLINK_EXC_GP);
        assert_int_equal(cpu->exit_error, 0);
    }
    if (cpu->exit_reason != want)
        fail_msg("%s at offset %u", p->test->name, offset);
}

static void alignment_rules(void **state) {
    (void)state;
    const struct sse_case *t;
    for (uint32_t c = 0; (t = sse_case_at(c)); c++) {
        struct sse_plan p = {.test = t, .memory = true, .reg = 1, .v = 2, .is4 = 3};
        if (t->flags & T_REGS)
            continue;
        p.form = FORM_LEGACY;
        if (t->legacy) {
            bool strict = sse_memory_size(&p) == 16 && !(t->flags & T_ANY);
            run_at(&p, 1, strict ? BLINK_EXIT_FAULT : BLINK_EXIT_BLOCK);
            run_at(&p, 8, strict ? BLINK_EXIT_FAULT : BLINK_EXIT_BLOCK);
            run_at(&p, 16, BLINK_EXIT_BLOCK);
        }
        p.form = FORM_128;
        if (t->vex && t->need128 != F_NONE && t->wide < Y_ONLY) {
            run_at(&p, 8, t->flags & T_ALIGN ? BLINK_EXIT_FAULT : BLINK_EXIT_BLOCK);
            run_at(&p, 16, BLINK_EXIT_BLOCK);
        }
        p.form = FORM_256;
        if (t->vex && t->wide == Y_SAME) {
            run_at(&p, 16, t->flags & T_ALIGN ? BLINK_EXIT_FAULT : BLINK_EXIT_BLOCK);
            run_at(&p, 32, BLINK_EXIT_BLOCK);
        }
    }
}

/* ---- control registers ---- */

enum { CLEAR, SET };
static const struct rule {
    const char *text;
    uint16_t op;
    uint8_t kind; /* of both operands */
    bool vex;
    size_t reg; /* offset in struct blink_cpu */
    uint64_t bit;
    uint8_t change;
    uint8_t vector;
} rules[] = {
#define CR(n) offsetof(struct blink_cpu, n)
    {"SSE, CR0.TS", BLINK_OP_PXOR, BLINK_OPND_XMM, false, CR(cr0), CR0_TS, SET, BLINK_EXC_NM},
    {"SSE, CR0.EM", BLINK_OP_PXOR, BLINK_OPND_XMM, false, CR(cr0), CR0_EM, SET, BLINK_EXC_UD},
    {"SSE, CR4.OSFXSR", BLINK_OP_ADDPS, BLINK_OPND_XMM, false, CR(cr4), CR4_OSFXSR, CLEAR,
     BLINK_EXC_UD},
    {"MMX, CR0.TS", BLINK_OP_PXOR, BLINK_OPND_MMX, false, CR(cr0), CR0_TS, SET, BLINK_EXC_NM},
    {"MMX, CR0.EM", BLINK_OP_PXOR, BLINK_OPND_MMX, false, CR(cr0), CR0_EM, SET, BLINK_EXC_UD},
    {"MMX, CR4.OSFXSR", BLINK_OP_PXOR, BLINK_OPND_MMX, false, CR(cr4), CR4_OSFXSR, CLEAR, 0xff},
    {"AVX, CR0.TS", BLINK_OP_VPXOR, BLINK_OPND_XMM, true, CR(cr0), CR0_TS, SET, BLINK_EXC_NM},
    {"AVX, CR0.EM", BLINK_OP_VPXOR, BLINK_OPND_XMM, true, CR(cr0), CR0_EM, SET, 0xff},
    {"AVX, CR4.OSXSAVE", BLINK_OP_VPXOR, BLINK_OPND_XMM, true, CR(cr4), CR4_OSXSAVE, CLEAR,
     BLINK_EXC_UD},
    {"AVX, XCR0.AVX", BLINK_OP_VPXOR, BLINK_OPND_XMM, true, CR(xcr0), 4, CLEAR, BLINK_EXC_UD},
    {"AVX, CR4.OSFXSR", BLINK_OP_VPXOR, BLINK_OPND_XMM, true, CR(cr4), CR4_OSFXSR, CLEAR, 0xff},
#undef CR
};

static void control_registers(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof rules / sizeof rules[0]; k++) {
        const struct rule *r = &rules[k];
        struct blink_cpu *cpu = guest_cpu();
        struct blink_operand o = {r->kind, 1, r->kind == BLINK_OPND_MMX ? 8 : 16, 1};
        struct blink_insn i = make(r->op, o, o, r->vex ? o : NONE);
        uint64_t *reg = (uint64_t *)((uint8_t *)cpu + r->reg);
        i.prefix = r->vex ? BLINK_PFX_VEX : 0;
        *reg = r->change == SET ? *reg | r->bit : *reg & ~r->bit;
        cpu_update_mode(cpu);
        print_message("# %s\n", r->text);
        if (r->vector == 0xff)
            expect_success(cpu, &i);
        else
            expect_fault(cpu, &i, r->vector);
    }
}

static void pending_x87_exception(void **state) {
    (void)state;
    struct blink_insn i = make(BLINK_OP_PADDB, MMX(1), MMX(2), NONE);
    struct blink_insn x = make(BLINK_OP_PADDB, XMM(1), XMM(2), NONE);
    struct blink_insn e = make(BLINK_OP_EMMS, NONE, NONE, NONE);
    struct blink_cpu *cpu = guest_cpu();
    cpu->fcw = 0x37e;
    cpu->fsw = 0x8081;
    cpu->ftop = 3;
    expect_fault(cpu, &i, BLINK_EXC_MF);
    expect_fault(cpu, &e, BLINK_EXC_MF);
    assert_int_equal(cpu->ftop, 3);
    expect_success(cpu, &x);
}

static void emms_empties_the_stack(void **state) {
    (void)state;
    struct blink_insn i = make(BLINK_OP_PADDB, MMX(1), MMX(2), NONE);
    struct blink_insn e = make(BLINK_OP_EMMS, NONE, NONE, NONE);
    struct blink_cpu *cpu = guest_cpu();
    cpu->ftop = 5;
    expect_success(cpu, &i);
    assert_int_equal(cpu->ftop, 0);
    assert_int_equal(cpu->fvalid, 0xff);
    assert_int_equal(cpu->fpr[1].se, 0xffff);
    expect_success(cpu, &e);
    assert_int_equal(cpu->fvalid, 0);
}

static void unmasked_exceptions(void **state) {
    (void)state;
    struct blink_insn i = make(BLINK_OP_DIVSS, XMM(1), XMM(2), NONE);
    struct blink_cpu *cpu = guest_cpu();
    cpu->mxcsr = 0x1d80; /* ZM clear */
    cpu->ymm[1].u32[0] = 0x3f800000;
    expect_fault(cpu, &i, BLINK_EXC_XM);
    assert_int_equal(cpu->mxcsr, 0x1d84);
    assert_int_equal(cpu->ymm[1].u32[0], 0x3f800000);
    /* The flag that is already there does not raise anything. */
    cpu->ymm[2].u32[0] = 0x40000000;
    expect_success(cpu, &i);
    cpu->ymm[2].u32[0] = 0;
    cpu->cr4 &= ~CR4_OSXMMEXCPT;
    expect_fault(cpu, &i, BLINK_EXC_UD);
}

static void reserved_mxcsr_bits(void **state) {
    (void)state;
    struct blink_insn i = make(BLINK_OP_LDMXCSR, MEM(4), NONE, NONE);
    struct blink_cpu *cpu = guest_cpu();
    uint32_t value = 0x11f80;
    memcpy(memory, &value, 4);
    cpu->gpr[BLINK_RAX] = (uintptr_t)memory;
    expect_fault(cpu, &i, BLINK_EXC_GP);
    assert_int_equal(cpu->mxcsr, 0x1f80);
    value = 0xffff;
    memcpy(memory, &value, 4);
    expect_success(cpu, &i);
    assert_int_equal(cpu->mxcsr, 0xffff);
}

static void mxcsr_in_memory(void **state) {
    (void)state;
    static const uint16_t pairs[2][2] = {{BLINK_OP_LDMXCSR, BLINK_OP_STMXCSR},
                                         {BLINK_OP_VLDMXCSR, BLINK_OP_VSTMXCSR}};
    for (uint32_t k = 0; k < 2; k++) {
        struct blink_insn load = make(pairs[k][0], MEM(4), NONE, NONE);
        struct blink_insn store = make(pairs[k][1], MEM(4), NONE, NONE);
        struct blink_cpu *cpu = guest_cpu();
        uint32_t value = 0x7fbf;
        memcpy(memory, &value, 4);
        cpu->gpr[BLINK_RAX] = (uintptr_t)memory;
        expect_success(cpu, &load);
        assert_int_equal(cpu->mxcsr, 0x7fbf);
        memset(memory, 0, 8);
        expect_success(cpu, &store);
        memcpy(&value, memory, 4);
        assert_int_equal(value, 0x7fbf);
        assert_int_equal(memory[4], 0);
    }
}

static void high_halves_cleared(void **state) {
    (void)state;
    struct blink_insn upper = make(BLINK_OP_VZEROUPPER, NONE, NONE, NONE);
    struct blink_insn all = make(BLINK_OP_VZEROALL, NONE, NONE, NONE);
    struct blink_cpu *cpu = guest_cpu();
    upper.prefix = all.prefix = BLINK_PFX_VEX;
    memset(cpu->ymm, 0x77, sizeof cpu->ymm);
    expect_success(cpu, &upper);
    for (uint32_t k = 0; k < 16; k++) {
        assert_int_equal(cpu->ymm[k].u64[1], UINT64_C(0x7777777777777777));
        assert_int_equal(cpu->ymm[k].u64[2] | cpu->ymm[k].u64[3], 0);
    }
    expect_success(cpu, &all);
    for (uint32_t k = 0; k < 16; k++)
        assert_int_equal(cpu->ymm[k].u64[0] | cpu->ymm[k].u64[1], 0);
}

static void movntq_stores(void **state) {
    (void)state;
    struct blink_insn i = make(BLINK_OP_MOVNTQ, MEM(8), MMX(3), NONE);
    struct blink_cpu *cpu = guest_cpu();
    uint64_t value;
    cpu->fpr[3].frac = UINT64_C(0x123456789abcdef0);
    cpu->gpr[BLINK_RAX] = (uintptr_t)memory + 3;
    expect_success(cpu, &i);
    memcpy(&value, memory + 3, 8);
    assert_int_equal(value, UINT64_C(0x123456789abcdef0));
    assert_int_equal(cpu->fvalid, 0xff);
}

/* ---- page faults, in paged memory: one page, and nothing after it ---- */

#define PAGE UINT64_C(0x200000)
#define HOLE (PAGE + 4096)

static void ignore_range(void *arg, uint64_t start, uint64_t end) {
    (void)arg;
    (void)start;
    (void)end;
}
static void run_now(void *arg, void (*work)(void *), void *work_arg) {
    (void)arg;
    work(work_arg);
}
static int plain_copy(void *dst, const void *src, size_t size) {
    memcpy(dst, src, size);
    return 0;
}

static uint64_t guest_cr3;

static int with_page(void **state) {
    struct blink_mem *mem;
    uint64_t at;
    struct mem_options o = {.strategy = MEM_PAGED,
                            .hooks = {.drop_code = ignore_range, .exclusive = run_now}};
    struct blink_cpu *cpu = guest_cpu();
    if (mem_create(&o, &mem) || mem_attach(mem, cpu))
        return -1;
    guest_cr3 = cpu->cr3;
    mem_set_guarded_copy(mem, plain_copy);
    *state = mem;
    return mem_iface.map(mem, PAGE, 4096, BLINK_PROT_READ | BLINK_PROT_WRITE,
                         BLINK_MAP_FIXED | BLINK_MAP_ANON, -1, 0, &at);
}
static int without_page(void **state) {
    struct blink_cpu *cpu = guest_cpu();
    mem_detach(*state, cpu);
    mem_destroy(*state);
    cpu->mem = NULL;
    cpu->mode &= ~BLINK_MODE_PAGED;
    return 0;
}
/* The CPU as guest_cpu() resets it, still in the space. */
static struct blink_cpu *paged_cpu(void) {
    struct blink_cpu *cpu = guest_cpu();
    cpu->cr3 = guest_cr3;
    return cpu;
}
static void write_page(struct blink_cpu *cpu, uint64_t at, const void *bytes, size_t size) {
    assert_int_equal(mem_iface.copy_out(cpu->mem, at, bytes, size), 0);
}
static void read_page(struct blink_cpu *cpu, uint64_t at, void *bytes, size_t size) {
    assert_int_equal(mem_iface.copy_in(cpu->mem, bytes, at, size), 0);
}
static void expect_page_fault(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t address) {
    expect_fault(cpu, i, BLINK_EXC_PF);
    assert_int_equal(cpu->cr2, address);
}

static void whole_accesses(void **state) {
    (void)state;
    struct blink_insn load = make(BLINK_OP_MOVUPS, XMM(1), MEM(16), NONE);
    struct blink_insn store = make(BLINK_OP_VMOVUPS, MEM(32), YMM(1), NONE);
    struct blink_cpu *cpu = paged_cpu();
    uint8_t before[64], after[64];
    store.prefix = BLINK_PFX_VEX | BLINK_PFX_VEX_L;
    memset(before, 0x5a, sizeof before);
    write_page(cpu, HOLE - 64, before, 64);
    cpu->gpr[BLINK_RAX] = HOLE - 16;
    expect_success(cpu, &load);
    assert_int_equal(cpu->ymm[1].u8[15], 0x5a);
    cpu->gpr[BLINK_RAX] = HOLE - 15;
    cpu->ymm[1].u64[0] = 7;
    expect_page_fault(cpu, &load, HOLE);
    assert_int_equal(cpu->ymm[1].u64[0], 7);
    cpu->gpr[BLINK_RAX] = HOLE - 31;
    expect_page_fault(cpu, &store, HOLE);
    read_page(cpu, HOLE - 64, after, 64);
    assert_memory_equal(before, after, 64);
}

static void store_bytes_by_mask(uint16_t op) {
    struct blink_insn i = make(op, XMM(1), XMM(2), NONE);
    struct blink_cpu *cpu = paged_cpu();
    uint8_t bytes[8] = {0}, after[8];
    write_page(cpu, HOLE - 8, bytes, 8);
    cpu->gpr[BLINK_RDI] = HOLE - 8;
    for (uint32_t k = 0; k < 16; k++)
        cpu->ymm[1].u8[k] = (uint8_t)(k + 1);
    cpu->ymm[2].u64[0] = UINT64_C(0x80000000000080ff); /* bytes 0, 1 and 7 */
    cpu->ymm[2].u64[1] = UINT64_C(0x7f7f7f7f7f7f7f7f);
    expect_success(cpu, &i);
    read_page(cpu, HOLE - 8, after, 8);
    assert_memory_equal(after, ((uint8_t[]){1, 2, 0, 0, 0, 0, 0, 8}), 8);
    /* Byte 12 is in the hole: none is stored. */
    write_page(cpu, HOLE - 8, bytes, 8);
    cpu->ymm[2].u8[12] = 0x80;
    expect_page_fault(cpu, &i, HOLE + 4);
    read_page(cpu, HOLE - 8, after, 8);
    assert_memory_equal(after, bytes, 8);
    /* No byte chosen: no access at all. */
    memset(&cpu->ymm[2], 0, 16);
    cpu->gpr[BLINK_RDI] = HOLE + 64;
    expect_success(cpu, &i);
}

static void byte_masks(void **state) {
    (void)state;
    store_bytes_by_mask(BLINK_OP_MASKMOVDQU);
    store_bytes_by_mask(BLINK_OP_VMASKMOVDQU);
}

static void element_masks(void **state) {
    (void)state;
    struct blink_insn load = make(BLINK_OP_VMASKMOVPS, XMM(1), XMM(2), MEM(16));
    struct blink_insn store = make(BLINK_OP_VPMASKMOVQ, MEM(32), YMM(2), YMM(1));
    struct blink_cpu *cpu = paged_cpu();
    load.prefix = BLINK_PFX_VEX;
    store.prefix = BLINK_PFX_VEX | BLINK_PFX_VEX_L;
    uint32_t words[4] = {11, 22, 33, 44};
    write_page(cpu, HOLE - 16, words, 16);
    cpu->gpr[BLINK_RAX] = HOLE - 8;
    memset(&cpu->ymm[1], 0xff, 32);
    cpu->ymm[2].i32[0] = cpu->ymm[2].i32[1] = -1;
    expect_success(cpu, &load);
    assert_int_equal(cpu->ymm[1].u32[0], 33);
    assert_int_equal(cpu->ymm[1].u32[1], 44);
    assert_int_equal(cpu->ymm[1].u64[1] | cpu->ymm[1].u64[2], 0);
    cpu->ymm[2].i32[3] = -1;
    expect_page_fault(cpu, &load, HOLE + 4);

    memset(&cpu->ymm[2], 0, 32);
    cpu->ymm[1].u64[0] = 99;
    cpu->ymm[2].i64[0] = -1;
    expect_success(cpu, &store);
    read_page(cpu, HOLE - 16, words, 16);
    assert_int_equal(words[1], 22);
    assert_int_equal(words[2], 99);
    cpu->ymm[1].u64[0] = 77;
    cpu->ymm[2].i64[3] = -1;
    expect_page_fault(cpu, &store, HOLE + 16);
    read_page(cpu, HOLE - 16, words, 16);
    assert_int_equal(words[2], 99);
}

static void gathers(void **state) {
    (void)state;
    struct blink_insn i = make(BLINK_OP_VPGATHERDD, XMM(1), MEM(4), XMM(2));
    struct blink_cpu *cpu = paged_cpu();
    uint32_t words[4] = {11, 22, 33, 44};
    i.prefix = BLINK_PFX_VEX;
    i.index = 3;
    i.scale = 2;
    write_page(cpu, HOLE - 16, words, 16);
    cpu->gpr[BLINK_RAX] = HOLE - 16;
    memset(&cpu->ymm[1], 0x11, 32);
    memset(&cpu->ymm[2], 0xff, 32);
    cpu->ymm[3].i32[0] = 3;
    cpu->ymm[3].i32[1] = -2;
    cpu->ymm[3].i32[2] = 5;
    cpu->ymm[3].i32[3] = 1;
    cpu->ymm[2].i32[1] = 0; /* not chosen */
    /* The third lies in the hole: the first is done, and its mask clear. */
    expect_page_fault(cpu, &i, HOLE + 4);
    assert_int_equal(cpu->ymm[1].u32[0], 44);
    assert_int_equal(cpu->ymm[1].u32[1], 0x11111111);
    assert_int_equal(cpu->ymm[2].u32[0], 0);
    assert_int_equal(cpu->ymm[2].u32[2], UINT32_MAX);
    assert_int_equal(cpu->ymm[2].u32[3], UINT32_MAX);
    cpu->ymm[3].i32[2] = 0;
    expect_success(cpu, &i);
    assert_int_equal(cpu->ymm[1].u32[0], 44);
    assert_int_equal(cpu->ymm[1].u32[1], 0x11111111);
    assert_int_equal(cpu->ymm[1].u32[2], 11);
    assert_int_equal(cpu->ymm[1].u32[3], 22);
    assert_int_equal(cpu->ymm[1].u64[2] | cpu->ymm[1].u64[3], 0);
    assert_int_equal(cpu->ymm[2].u64[0] | cpu->ymm[2].u64[1] | cpu->ymm[2].u64[3], 0);
    /* Two of the three registers alike. */
    i.index = 1;
    expect_fault(cpu, &i, BLINK_EXC_UD);
    i.index = 2;
    expect_fault(cpu, &i, BLINK_EXC_UD);
}

#define PAGED(name) cmocka_unit_test_setup_teardown(name, with_page, without_page)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alignment_rules),
        cmocka_unit_test(control_registers),
        cmocka_unit_test(pending_x87_exception),
        cmocka_unit_test(emms_empties_the_stack),
        cmocka_unit_test(unmasked_exceptions),
        cmocka_unit_test(reserved_mxcsr_bits),
        cmocka_unit_test(mxcsr_in_memory),
        cmocka_unit_test(high_halves_cleared),
        cmocka_unit_test(movntq_stores),
        PAGED(whole_accesses),
        PAGED(byte_masks),
        PAGED(element_masks),
        PAGED(gathers),
    };
    return cmocka_run_group_tests_name("sse_rules", tests, NULL, NULL);
}
