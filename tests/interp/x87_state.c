/*
 * What a process cannot try on the host: pending exceptions, the refusals of CR0, the interrupt
 * line of the PC, environments in real and protected mode, and memory faults that leave the state
 * alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bus/bus.h"
#include "cpu/cpu.h"
#include "interp/interp.h"
#include "mem/space.h"

#define LONG_MODE (BLINK_MODE_BITS64 | BLINK_MODE_PROT | BLINK_MODE_CPL3)

#define FSW_ES 0x0080
#define FSW_B  0x8000

struct fixture {
    struct blink_cpu *cpu;
    struct interp_context context;
    struct block *block;
    uint8_t memory[256];
};

/* The bus asks the machine for its own; there is none here. */
struct blink_bus *machine_bus(struct blink_machine *machine) {
    (void)machine;
    return NULL;
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    f->cpu = calloc(1, sizeof *f->cpu);
    f->block = calloc(1, sizeof *f->block + 2 * sizeof f->block->insns[0]);
    cpu_reset_user64(f->cpu);
    f->cpu->exec_private = &f->context;
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    free(f->block);
    free(f->cpu);
    free(f);
    return 0;
}

/* Run one instruction at 0x1000 with a memory operand of `size` bytes at f->memory, if any. */
static uint32_t run_sized(struct fixture *f, uint32_t op, uint32_t size, uint32_t opsize) {
    struct block *b = f->block;
    struct blink_insn *i = &b->insns[0];
    memset(b, 0, sizeof *b + 2 * sizeof *i);
    b->count = 1;
    b->mode = f->cpu->mode;
    i->op = (uint16_t)op;
    i->addr = 0x1000;
    i->len = 2;
    i->raw[0] = 0xdd;
    i->raw[1] = 0x36;
    i->off_modrm = 1;
    i->addrsize = 8;
    i->opsize = (uint8_t)opsize;
    i->seg = BLINK_SEG_NONE;
    i->base = i->index = BLINK_REG_NONE;
    if (size) {
        i->base = BLINK_RSI;
        i->opnd[0] = (struct blink_operand){BLINK_OPND_MEM, 0, (uint8_t)size, 3};
    }
    b->end_rip = i->addr + i->len;
    interp_bind_block(b);
    f->cpu->exit_reason = BLINK_EXIT_NONE;
    f->cpu->exit_info = 0;
    if (sigsetjmp(f->context.unwind, 0) == 0)
        interp_run(f->cpu, b->insns);
    return f->cpu->exit_reason;
}

static uint32_t run(struct fixture *f, uint32_t op, uint32_t size) {
    f->cpu->gpr[BLINK_RSI] = (uint64_t)(uintptr_t)f->memory;
    return run_sized(f, op, size, 4);
}

static void assert_runs(struct fixture *f, uint32_t op, uint32_t size) {
    assert_int_equal(run(f, op, size), BLINK_EXIT_BLOCK);
    assert_int_equal(f->cpu->rip, 0x1002);
}

static void assert_faults(struct fixture *f, uint32_t op, uint32_t size, uint32_t vector) {
    assert_int_equal(run(f, op, size), BLINK_EXIT_FAULT);
    assert_int_equal(f->cpu->exit_info, vector);
    assert_int_equal(f->cpu->exit_error, 0);
    assert_int_equal(f->cpu->rip, 0x1000);
}

/* 1 / 0 with ZE unmasked. */
static void divide_by_zero(struct fixture *f) {
    uint16_t fcw = 0x37b;
    uint32_t zero = 0;
    assert_runs(f, BLINK_OP_FNINIT, 0);
    memcpy(f->memory, &fcw, 2);
    assert_runs(f, BLINK_OP_FLDCW, 2);
    assert_runs(f, BLINK_OP_FLD1, 0);
    memcpy(f->memory, &zero, 4);
    assert_runs(f, BLINK_OP_FDIV, 4);
}

static void test_pending(void **state) {
    struct fixture *f = *state;
    divide_by_zero(f);
    assert_int_equal(f->cpu->fsw & (FSW_ES | FSW_B | 0x3f), FSW_ES | FSW_B | 0x04);
    /* ST(0) is still one. */
    assert_int_equal(f->cpu->fpr[f->cpu->ftop].se, 0x3fff);
    /* Who waits, faults, again and again. */
    static const uint16_t waiting[] = {BLINK_OP_FWAIT, BLINK_OP_FNOP,    BLINK_OP_FLD1,
                                       BLINK_OP_FXCH,  BLINK_OP_FINCSTP, BLINK_OP_FSIN,
                                       BLINK_OP_FXAM,  BLINK_OP_FCOMPP,  BLINK_OP_FPREM};
    struct blink_cpu *copy = malloc(sizeof *copy);
    memcpy(copy, f->cpu, sizeof *copy);
    for (size_t k = 0; k < sizeof waiting / sizeof waiting[0]; k++)
        assert_faults(f, waiting[k], 0, BLINK_EXC_MF);
    assert_faults(f, BLINK_OP_FLDCW, 2, BLINK_EXC_MF);
    assert_faults(f, BLINK_OP_FSTP, 8, BLINK_EXC_MF);
    assert_faults(f, BLINK_OP_FRSTOR, 108, BLINK_EXC_MF);
    assert_memory_equal(copy->fpr, f->cpu->fpr, sizeof copy->fpr);
    assert_int_equal(copy->fip, f->cpu->fip);
    free(copy);
    /* Who does not, does not. */
    assert_runs(f, BLINK_OP_FNSTSW, 2);
    assert_int_equal(f->memory[1] & 0x80, 0x80);
    assert_runs(f, BLINK_OP_FNSTCW, 2);
    assert_runs(f, BLINK_OP_FNSTENV, 28);
    /* FNSTENV masks everything, so nothing is pending any more. */
    assert_int_equal(f->cpu->fsw & (FSW_ES | FSW_B), 0);
    assert_int_equal(f->cpu->fcw & 0x3f, 0x3f);
    assert_runs(f, BLINK_OP_FNOP, 0);
}

static void test_cleared(void **state) {
    struct fixture *f = *state;
    uint16_t fcw = 0x37b;
    divide_by_zero(f);
    assert_runs(f, BLINK_OP_FNCLEX, 0);
    assert_int_equal(f->cpu->fsw & 0x80ff, 0);
    assert_runs(f, BLINK_OP_FWAIT, 0);
    divide_by_zero(f);
    assert_runs(f, BLINK_OP_FNINIT, 0);
    assert_runs(f, BLINK_OP_FWAIT, 0);
    /* A flag that is set and becomes unmasked is pending at once. */
    f->cpu->fsw = 0x04;
    memcpy(f->memory, &fcw, 2);
    assert_runs(f, BLINK_OP_FLDCW, 2);
    assert_faults(f, BLINK_OP_FWAIT, 0, BLINK_EXC_MF);
    divide_by_zero(f);
    assert_runs(f, BLINK_OP_FNSAVE, 108);
    assert_runs(f, BLINK_OP_FWAIT, 0);
    /* The saved state has it pending. */
    assert_runs(f, BLINK_OP_FRSTOR, 108);
    assert_faults(f, BLINK_OP_FWAIT, 0, BLINK_EXC_MF);
}

static void test_not_available(void **state) {
    struct fixture *f = *state;
    static const uint16_t all[] = {BLINK_OP_FNOP,   BLINK_OP_FLD1,   BLINK_OP_FNINIT,
                                   BLINK_OP_FNCLEX, BLINK_OP_FNSTSW, BLINK_OP_FSQRT};
    uint64_t cr0 = f->cpu->cr0;
    for (int k = 0; k < 2; k++) {
        f->cpu->cr0 = (cr0 & ~CR0_MP) | (k ? CR0_EM : CR0_TS);
        for (size_t n = 0; n < sizeof all / sizeof all[0]; n++)
            assert_faults(f, all[n], all[n] == BLINK_OP_FNSTSW ? 2 : 0, BLINK_EXC_NM);
        /* FWAIT looks at TS only, and only with MP. */
        assert_runs(f, BLINK_OP_FWAIT, 0);
        f->cpu->cr0 |= CR0_MP;
        if (k)
            assert_runs(f, BLINK_OP_FWAIT, 0);
        else
            assert_faults(f, BLINK_OP_FWAIT, 0, BLINK_EXC_NM);
    }
    /* #NM comes before #MF. */
    f->cpu->cr0 = cr0;
    divide_by_zero(f);
    f->cpu->cr0 |= CR0_TS;
    assert_faults(f, BLINK_OP_FLD1, 0, BLINK_EXC_NM);
}

static void test_interrupt_line(void **state) {
    struct fixture *f = *state;
    assert_int_equal(bus_create(&f->context.bus), 0);
    f->cpu->cr0 &= ~CR0_NE;
    divide_by_zero(f);
    assert_false(bus_irq_level(f->context.bus, 13));
    assert_runs(f, BLINK_OP_FWAIT, 0);
    assert_true(bus_irq_level(f->context.bus, 13));
    assert_runs(f, BLINK_OP_FNCLEX, 0);
    assert_false(bus_irq_level(f->context.bus, 13));
    bus_destroy(f->context.bus);
    f->context.bus = NULL;
}

static uint32_t word(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8;
}

/* An x87 state with everything in it. */
static void fill(struct fixture *f) {
    f->cpu->fcw = 0x27f;
    f->cpu->fsw = 0x4041;
    f->cpu->ftop = 6;
    f->cpu->fvalid = 0xc0;
    f->cpu->fpr[6].frac = UINT64_C(0x8000000000000000);
    f->cpu->fpr[6].se = 0x3fff;
    f->cpu->fpr[7].frac = 0;
    f->cpu->fpr[7].se = 0x8000;
    f->cpu->fop = 0x536;
    f->cpu->fip = 0x4567;
    f->cpu->fdp = 0x89ab;
    f->cpu->fcs = 0x1234;
    f->cpu->fds = 0x5edc;
}

/* AMD64 manual volume 2, 11.4.4: four layouts of the environment. */
static void test_layouts(void **state) {
    static const struct {
        uint32_t protected, opsize, step, words[7];
    } layout[] = {
        {1, 2, 2, {0x27f, 0x7041, 0x4fff, 0x4567, 0x1234, 0x89ab, 0x5edc}},
        {0, 2, 2, {0x27f, 0x7041, 0x4fff, 0x68a7, 0x1536, 0x776b, 0x6000}},
        {1, 4, 4, {0x27f, 0x7041, 0x4fff, 0x4567, 0x1234, 0x89ab, 0x5edc}},
        {0, 4, 4, {0x27f, 0x7041, 0x4fff, 0x68a7, 0x1536, 0x776b, 0x6000}},
    };
    struct fixture *f = *state;
    for (size_t k = 0; k < sizeof layout / sizeof layout[0]; k++) {
        /* The handlers look at MODE_PROT; addressing stays that of 64-bit mode. */
        f->cpu->mode = LONG_MODE & (layout[k].protected ? ~0u : ~BLINK_MODE_PROT);
        f->cpu->gpr[BLINK_RSI] = (uint64_t)(uintptr_t)f->memory;
        fill(f);
        memset(f->memory, 0x55, sizeof f->memory);
        assert_int_equal(run_sized(f, BLINK_OP_FNSTENV, 28, layout[k].opsize), BLINK_EXIT_BLOCK);
        for (uint32_t n = 0; n < 7; n++)
            assert_int_equal(word(f->memory + n * layout[k].step), layout[k].words[n]);
        /* And not a byte more. */
        assert_int_equal(f->memory[7 * layout[k].step], 0x55);
        if (layout[k].step == 4 && layout[k].protected)
            assert_int_equal(word(f->memory + 18), 0x536);

        f->cpu->fvalid = f->cpu->ftop = 0;
        f->cpu->fcw = 0x37f;
        f->cpu->fip = f->cpu->fdp = 0;
        assert_int_equal(run_sized(f, BLINK_OP_FLDENV, 28, layout[k].opsize), BLINK_EXIT_BLOCK);
        assert_int_equal(f->cpu->fcw, 0x27f);
        assert_int_equal(f->cpu->ftop, 6);
        assert_int_equal(f->cpu->fvalid, 0xc0);
        assert_int_equal(f->cpu->fip, layout[k].protected ? 0x4567 : 0x168a7);
        assert_int_equal(f->cpu->fdp, layout[k].protected ? 0x89ab : 0x6776b);
        assert_int_equal(f->cpu->fop, layout[k].step == 2 && layout[k].protected ? 0 : 0x536);
    }
}

/* ---- memory faults ---- */

static void nothing_to_drop(void *arg, uint64_t start, uint64_t end) {
    (void)arg;
    (void)start;
    (void)end;
}
static void at_once(void *arg, void (*work)(void *work_arg), void *work_arg) {
    (void)arg;
    work(work_arg);
}

static void test_memory_faults(void **state) {
    struct fixture *f = *state;
    struct mem_options options = {.strategy = MEM_PAGED,
                                  .hooks = {.drop_code = nothing_to_drop, .exclusive = at_once}};
    struct blink_mem *mem;
    uint64_t page;
    assert_int_equal(mem_create(&options, &mem), 0);
    assert_int_equal(mem_attach(mem, f->cpu), 0);
    assert_int_equal(mem_iface.map(mem, 0x200000, BLINK_PAGE_SIZE,
                                   BLINK_PROT_READ | BLINK_PROT_WRITE,
                                   BLINK_MAP_FIXED | BLINK_MAP_ANON, -1, 0, &page),
                     0);
    static const struct {
        uint16_t op;
        uint8_t size;
    } forms[] = {
        {BLINK_OP_FLD, 4},      {BLINK_OP_FLD, 8},      {BLINK_OP_FLD, 10},
        {BLINK_OP_FSTP, 4},     {BLINK_OP_FSTP, 8},     {BLINK_OP_FSTP, 10},
        {BLINK_OP_FISTP, 8},    {BLINK_OP_FISTTP, 4},   {BLINK_OP_FBSTP, 10},
        {BLINK_OP_FBLD, 10},    {BLINK_OP_FADD, 8},     {BLINK_OP_FICOMP, 4},
        {BLINK_OP_FRSTOR, 108}, {BLINK_OP_FNSAVE, 108}, {BLINK_OP_FLDENV, 28},
        {BLINK_OP_FNSTENV, 28}, {BLINK_OP_FLDCW, 2},    {BLINK_OP_FNSTSW, 2},
    };
    struct blink_cpu *copy = malloc(sizeof *copy);
    for (size_t k = 0; k < sizeof forms / sizeof forms[0]; k++) {
        fill(f);
        memcpy(copy, f->cpu, sizeof *copy);
        /* The last byte lies beyond the page. */
        f->cpu->gpr[BLINK_RSI] = page + BLINK_PAGE_SIZE - forms[k].size + 1;
        assert_int_equal(run_sized(f, forms[k].op, forms[k].size, 4), BLINK_EXIT_FAULT);
        assert_int_equal(f->cpu->exit_info, BLINK_EXC_PF);
        assert_int_equal(f->cpu->cr2, page + BLINK_PAGE_SIZE);
        assert_memory_equal(copy->fpr, f->cpu->fpr, sizeof copy->fpr);
        assert_int_equal(copy->fsw, f->cpu->fsw);
        assert_int_equal(copy->fcw, f->cpu->fcw);
        assert_int_equal(copy->ftop, f->cpu->ftop);
        assert_int_equal(copy->fvalid, f->cpu->fvalid);
        assert_int_equal(copy->fip, f->cpu->fip);
        assert_int_equal(copy->fop, f->cpu->fop);
        /* One byte lower it runs. */
        f->cpu->gpr[BLINK_RSI]--;
        assert_int_equal(run_sized(f, forms[k].op, forms[k].size, 4), BLINK_EXIT_BLOCK);
    }
    free(copy);
    mem_detach(mem, f->cpu);
    mem_destroy(mem);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_pending),        TEST(test_cleared), TEST(test_not_available),
        TEST(test_interrupt_line), TEST(test_layouts), TEST(test_memory_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
