/*
 * The life of translated code: links made and undone, indirect branches that learn and forget, code
 * that is dropped and flushed, arenas that are full or out of reach of each other.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <ucontext.h>

#include <cmocka.h>

#include "rig.h"

/* Offsets of the blocks below. */
#define FIRST    0x00u
#define SECOND   0x20u
#define AFTER    0x40u
#define INDIRECT 0x60u
#define FAR      UINT64_C(0x40000000)

static const uint8_t first[] = {0xb8, 1, 0, 0, 0, 0xeb, 0x19};         /* mov eax, 1; jmp SECOND */
static const uint8_t second[] = {0x83, 0xc0, 2, 0xeb, 0x1b};           /* add eax, 2; jmp AFTER */
static const uint8_t indirect[] = {0xb8, 1, 0, 0, 0, 0xff, 0xe2};      /* mov eax, 1; jmp rdx */
static const uint8_t distant[] = {0xb8, 1, 0, 0, 0, 0xe9, 0, 0, 0, 0}; /* mov eax, 1; jmp FAR */

static struct blink_jit_code *translate(struct rig *r, const uint8_t *bytes, size_t size,
                                        uint64_t at) {
    int error = 0;
    struct blink_jit_code *code = rig_translate(r, bytes, size, rig_base(r) + at, 8, &error);
    assert_int_equal(error, 0);
    assert_non_null(code);
    return code;
}
#define TRANSLATE(r, bytes, at) translate(r, bytes, sizeof(bytes), at)

/* Run `code`, which ends its run at offset `at` with `eax`; the code it was left from. */
static struct blink_jit_code *run(struct rig *r, struct blink_jit_code *code, uint64_t start,
                                  uint64_t at, uint64_t eax) {
    struct blink_cpu *cpu = rig_cpu(r);
    uint32_t exit;
    cpu->rip = rig_base(r) + start;
    cpu->gpr[BLINK_RAX] = 77;
    struct rig_end end = rig_enter(r, code, NULL);
    assert_int_equal(end.reason, BLINK_EXIT_BLOCK);
    assert_true(cpu->rip == rig_base(r) + at);
    assert_true(cpu->gpr[BLINK_RAX] == eax);
    return rig_from(r, &exit);
}

static int setup(void **state) {
    *state = rig_create(&rig_near);
    return 0;
}
static int teardown(void **state) {
    rig_destroy(*state);
    return 0;
}

static void test_links(void **state) {
    struct rig *r = *state;
    struct blink_jit_code *a = TRANSLATE(r, first, FIRST), *b = TRANSLATE(r, second, SECOND);
    /* What core may link before it is ever taken. */
    assert_true(a->known & 1);
    assert_true(a->exit_rip[0] == rig_base(r) + SECOND);
    for (int k = 0; k < 3; k++) {
        assert_ptr_equal(run(r, a, FIRST, SECOND, 1), a);
        rig_ops()->link(rig_jit(r), a, 0, b);
        assert_ptr_equal(run(r, a, FIRST, AFTER, 3), b);
        rig_ops()->unlink(rig_jit(r), a, 0);
    }
    assert_ptr_equal(run(r, a, FIRST, SECOND, 1), a);
    /* There is no such exit: nothing happens. */
    rig_ops()->link(rig_jit(r), a, 1, b);
    rig_ops()->unlink(rig_jit(r), a, 1);
    assert_ptr_equal(run(r, a, FIRST, SECOND, 1), a);
}

static void test_indirect(void **state) {
    struct rig *r = *state;
    struct blink_jit_code *i = TRANSLATE(r, indirect, INDIRECT), *b;
    rig_cpu(r)->gpr[BLINK_RDX] = rig_base(r) + SECOND;
    /* Nothing is there: core is asked each time. */
    for (uint32_t k = 1; k <= 3; k++) {
        assert_null(run(r, i, INDIRECT, SECOND, 1));
        assert_int_equal(rig_lookups(r), k);
    }
    /* It is asked once more, and not again until the code is dropped. */
    b = TRANSLATE(r, second, SECOND);
    for (uint32_t k = 0; k < 3; k++) {
        assert_ptr_equal(run(r, i, INDIRECT, AFTER, 3), b);
        assert_int_equal(rig_lookups(r), 4);
    }
    rig_drop(r, b);
    assert_null(run(r, i, INDIRECT, SECOND, 1));
    assert_int_equal(rig_lookups(r), 5);
    b = TRANSLATE(r, second, SECOND);
    assert_ptr_equal(run(r, i, INDIRECT, AFTER, 3), b);
}

/* Two blocks of the same slot in the first table. */
static void test_same_slot(void **state) {
    struct rig *r = *state;
    struct blink_jit_code *i = TRANSLATE(r, indirect, INDIRECT);
    struct blink_jit_code *b = TRANSLATE(r, second, SECOND);
    struct blink_jit_code *c = TRANSLATE(r, second, SECOND + 0x10000);
    for (uint32_t k = 0; k < 4; k++) {
        rig_cpu(r)->gpr[BLINK_RDX] = rig_base(r) + SECOND;
        assert_ptr_equal(run(r, i, INDIRECT, AFTER, 3), b);
        rig_cpu(r)->gpr[BLINK_RDX] += 0x10000;
        assert_ptr_equal(run(r, i, INDIRECT, AFTER + 0x10000, 3), c);
        assert_int_equal(rig_lookups(r), 2);
    }
}

static void test_flush(void **state) {
    struct rig *r = *state;
    ucontext_t context;
    memset(&context, 0, sizeof context);
    uint64_t old = (uintptr_t)TRANSLATE(r, first, FIRST)->entry;
    rig_flush(r);
    assert_int_equal(rig_ops()->recover(rig_jit(r), rig_cpu(r), &context, old), -ENOENT);
    for (int k = 0; k < 5; k++) {
        struct blink_jit_code *i = TRANSLATE(r, indirect, INDIRECT);
        struct blink_jit_code *b = TRANSLATE(r, second, SECOND);
        rig_cpu(r)->gpr[BLINK_RDX] = rig_base(r) + SECOND;
        assert_ptr_equal(run(r, i, INDIRECT, AFTER, 3), b);
        rig_flush(r);
    }
}

/* 64 instructions of 10 bytes. */
static int fill(struct rig *r, uint64_t at) {
    uint8_t bytes[640];
    int error = 0;
    for (size_t k = 0; k < sizeof bytes; k += 10)
        memcpy(bytes + k, (const uint8_t[10]){0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8}, 10);
    rig_translate(r, bytes, sizeof bytes, rig_base(r) + at, 64, &error);
    return error;
}

static void test_full(void **state) {
    struct rig *r = *state;
    rig_limit(r, 500u << 10);
    for (int round = 0; round < 2; round++) {
        uint32_t n = 0;
        int error = 0;
        while (error == 0 && n < 1000)
            error = fill(r, 1024u * n++);
        assert_int_equal(error, -ENOSPC);
        /* More than one large piece of memory holds: the rest is taken in smaller ones. */
        assert_in_range(n, 420, 600);
        /* What there is runs on. */
        assert_non_null(rig_find(r, rig_base(r)));
        rig_flush(r);
    }
    run(r, TRANSLATE(r, first, FIRST), FIRST, SECOND, 1);
    /* Not even room for one. */
    rig_flush(r);
    rig_limit(r, 1000);
    assert_int_equal(fill(r, 0), -ENOSPC);
}

/* Code that no jump of 32 bits reaches: links are left alone, indirect branches get there. */
static void test_arenas(void **state) {
    struct rig *r = *state;
    uint8_t jump[sizeof distant];
    int32_t away = (int32_t)(FAR - sizeof jump);
    memcpy(jump, distant, sizeof jump);
    memcpy(jump + 6, &away, 4);
    rig_add_arena(r, rig_base(r) + FAR, UINT64_C(0x700000000));
    struct blink_jit_code *a = TRANSLATE(r, jump, FIRST), *i = TRANSLATE(r, indirect, INDIRECT);
    struct blink_jit_code *b = TRANSLATE(r, second, FAR);
    for (int k = 0; k < 2; k++) {
        assert_ptr_equal(run(r, a, FIRST, FAR, 1), a);
        rig_ops()->link(rig_jit(r), a, 0, b);
    }
    rig_cpu(r)->gpr[BLINK_RDX] = rig_base(r) + FAR;
    assert_ptr_equal(run(r, i, INDIRECT, FAR + AFTER - SECOND, 3), b);
    assert_ptr_equal(run(r, i, INDIRECT, FAR + AFTER - SECOND, 3), b);
    assert_int_equal(rig_lookups(r), 1);
}

/* At each host instruction the guest is at one of its own, and has what it keeps in RCX and R11. */
static void check_kept(void *arg, int rc, const struct blink_cpu *cpu) {
    uint32_t *seen = arg;
    uint64_t at = cpu->rip & 0xfff;
    if (rc < 0)
        return;
    ++*seen;
    if (cpu->gpr[BLINK_RCX] != 0x1234 || cpu->gpr[BLINK_R11] != 0x5678 ||
        (at != FIRST && at != FIRST + 5 && at != SECOND && at != SECOND + 3 && at != AFTER &&
         at != INDIRECT && at != INDIRECT + 5))
        *seen = UINT32_MAX / 2;
}

static void run_kept(struct rig *r, struct blink_jit_code *code, uint64_t start, uint64_t at) {
    struct blink_cpu *cpu = rig_cpu(r);
    uint32_t seen = 0;
    struct rig_steps steps = {.at = check_kept, .arg = &seen};
    cpu->rip = rig_base(r) + start;
    cpu->gpr[BLINK_RCX] = 0x1234;
    cpu->gpr[BLINK_R11] = 0x5678;
    rig_enter(r, code, &steps);
    assert_true(cpu->rip == rig_base(r) + at);
    assert_in_range(seen, 2, 100);
    assert_true(cpu->gpr[BLINK_RCX] == 0x1234 && cpu->gpr[BLINK_R11] == 0x5678);
}

/* A way from page to page is open while the other page is what its addresses mean. */
static void test_pages(void **state) {
    struct rig *r = *state;
    uint32_t *present = rig_cpu(r)->code_page;
    rig_set_page(r, 7, 3);
    struct blink_jit_code *a = TRANSLATE(r, first, FIRST), *i = TRANSLATE(r, indirect, INDIRECT);
    rig_set_page(r, 8, 4);
    struct blink_jit_code *b = TRANSLATE(r, second, SECOND);
    rig_ops()->link(rig_jit(r), a, 0, b);
    rig_cpu(r)->gpr[BLINK_RDX] = rig_base(r) + SECOND;
    for (uint32_t k = 1; k <= 3; k++) {
        /* Closed, core is asked what is there, which is the block. */
        present[4] = k;
        assert_ptr_equal(run(r, a, FIRST, AFTER, 3), b);
        assert_ptr_equal(run(r, i, INDIRECT, AFTER, 3), b);
        assert_int_equal(rig_lookups(r), 4 * k - 2);
        run_kept(r, a, FIRST, AFTER);
        run_kept(r, i, INDIRECT, AFTER);
        present[4] = 8;
        uint32_t before = rig_lookups(r);
        assert_ptr_equal(run(r, a, FIRST, AFTER, 3), b);
        assert_ptr_equal(run(r, i, INDIRECT, AFTER, 3), b);
        run_kept(r, a, FIRST, AFTER);
        run_kept(r, i, INDIRECT, AFTER);
        assert_int_equal(rig_lookups(r), before);
    }
}

/* At each host instruction the budget is what those leave that the guest has done. */
static void check_budget(void *arg, int rc, const struct blink_cpu *cpu) {
    static const uint64_t done[] = {FIRST, FIRST + 5, SECOND, SECOND + 3, AFTER};
    uint32_t *wrong = arg, k = 0;
    while (k < 4 && (cpu->rip & 0xfff) != done[k])
        k++;
    if (rc >= 0 && (cpu->budget != 100 - k || (cpu->rip & 0xfff) != done[k]))
        ++*wrong;
}

static void test_budget(void **state) {
    struct rig *r = *state;
    struct blink_cpu *cpu = rig_cpu(r);
    /* Budget, where a run ends with it, and what is left then. */
    static const struct {
        int64_t budget, left;
        uint64_t at;
    } runs[] = {{0, 0, FIRST},  {1, 1, FIRST}, {2, 0, SECOND},
                {3, 1, SECOND}, {4, 0, AFTER}, {UINT32_MAX, UINT32_MAX - INT64_C(4), AFTER}};
    rig_set_counted(r);
    struct blink_jit_code *a = TRANSLATE(r, first, FIRST), *b = TRANSLATE(r, second, SECOND);
    rig_ops()->link(rig_jit(r), a, 0, b);
    for (uint32_t k = 0; k < sizeof runs / sizeof runs[0]; k++) {
        cpu->budget = runs[k].budget;
        run(r, a, FIRST, runs[k].at, runs[k].at == FIRST ? 77 : runs[k].at == SECOND ? 1 : 3);
        assert_true(cpu->budget == runs[k].left);
    }
    uint32_t wrong = 0;
    struct rig_steps steps = {.at = check_budget, .arg = &wrong};
    cpu->budget = 100;
    cpu->rip = rig_base(r) + FIRST;
    rig_enter(r, a, &steps);
    assert_int_equal(wrong, 0);
    assert_true(cpu->budget == 96 && steps.count > 20);
}

/* The tables know nothing of modes: blocks of 16-bit code are in them only if they have a page, by
 * which they tell whether they are meant. */
static void test_indirect_16(void **state) {
    static const uint8_t jump[] = {0xff, 0xe0};              /* jmp ax */
    static const uint8_t there[] = {0x41, 0xe9, 0x00, 0x10}; /* inc cx; jmp */
    static const struct rig_segments real = {.bits = 16, .limit = 0xffff, .real = true};
    (void)state;
    struct rig *r = rig_create(&rig_paged_low);
    struct blink_cpu *cpu = rig_cpu(r);
    int error;
    rig_set_segments(r, &real);
    for (uint32_t page = 0; page < 2; page++) {
        rig_flush(r);
        rig_set_page(r, page, 3);
        rig_reset(r);
        cpu->code_page[3] = 1;
        struct blink_jit_code *from = rig_translate(r, jump, sizeof jump, 0x100, 8, &error);
        struct blink_jit_code *to = rig_translate(r, there, sizeof there, 0x200, 8, &error);
        assert_true(from && to);
        uint32_t before = rig_lookups(r), exit;
        for (uint32_t k = 0; k < 4; k++) {
            cpu->rip = 0x100;
            cpu->gpr[BLINK_RAX] = 0x70200;
            rig_enter(r, from, NULL);
            assert_int_equal(cpu->rip, 0x1204);
            assert_ptr_equal(rig_from(r, &exit), to);
        }
        assert_int_equal(rig_lookups(r) - before, page ? 1 : 4);
        assert_int_equal(cpu->gpr[BLINK_RCX], 4);
    }
    rig_destroy(r);
}

/* Blocks of a mode that is not translated. */
static void test_refused(void **state) {
    struct rig *r = *state;
    struct blink_cpu *cpu = rig_cpu(r);
    uint32_t mode = cpu->mode;
    int error = 0;
    cpu->mode = (mode & ~BLINK_MODE_BITS) | BLINK_MODE_BITS32;
    assert_null(rig_translate(r, first, sizeof first, rig_base(r), 8, &error));
    assert_int_equal(error, -ENOTSUP);
    cpu->mode = mode;
    run(r, TRANSLATE(r, first, FIRST), FIRST, SECOND, 1);
}

/* How often the block at FIRST is translated before there is no room. */
static uint32_t grow(struct rig *r) {
    struct blink_insn nop;
    uint32_t count = 0;
    rig_cpu(r)->rip = rig_base(r);
    rig_interpret(r, (const uint8_t[]){0x90}, 1, &nop);
    struct blink_jit_block block = {.struct_size = sizeof block,
                                    .count = 1,
                                    .insns = &nop,
                                    .rip = nop.addr,
                                    .end_rip = nop.addr + 1,
                                    .mode = rig_cpu(r)->mode};
    struct blink_jit_code code = {.struct_size = sizeof code};
    while (count < 10000) {
        int rc = rig_ops()->translate(rig_jit(r), &block, &code);
        if (rc) {
            assert_int_equal(rc, -ENOSPC);
            break;
        }
        count++;
    }
    return count;
}

/* A program that becomes large begins anew once. */
static void test_large(void **state) {
    struct rig *r = *state;
    assert_in_range(grow(r), 1000, 9999);
    rig_flush(r);
    assert_int_equal(grow(r), 10000);
}

/* RIP of the last x87 instruction after code has run. The host's kernel may lose it when it
 * switches to another program: then the CPU keeps what it had, and it is tried again. */
static uint64_t last_x87(struct rig *r, struct blink_jit_code *code, uint64_t at) {
    struct blink_cpu *cpu = rig_cpu(r);
    for (uint32_t k = 0; k < 1000; k++) {
        cpu->fip = 0x1234;
        cpu->ftop = cpu->fvalid = 0;
        cpu->rip = rig_base(r) + at;
        assert_int_equal(rig_enter(r, code, NULL).reason, BLINK_EXIT_BLOCK);
        if (cpu->fip != 0x1234)
            break;
    }
    return cpu->fip;
}

static void test_last_x87(void **state) {
    static const uint8_t load[] = {0xb0, 1, 0xd9, 0xe8, 0xff, 0xe2}; /* mov al, 1; fld1; jmp rdx */
    static const uint8_t init[] = {0xd9, 0xe8, 0xdb, 0xe3, 0xff, 0xe2}; /* fld1; fninit; jmp rdx */
    struct rig *r = *state;
    rig_cpu(r)->gpr[BLINK_RDX] = rig_base(r) + AFTER;
    assert_true(last_x87(r, TRANSLATE(r, load, FIRST), FIRST) == rig_base(r) + FIRST + 2);
    assert_true(last_x87(r, TRANSLATE(r, init, SECOND), SECOND) == 0);
}

#define LIFE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        LIFE(test_links),     LIFE(test_indirect),
        LIFE(test_same_slot), LIFE(test_flush),
        LIFE(test_full),      LIFE(test_arenas),
        LIFE(test_refused),   LIFE(test_large),
        LIFE(test_pages),     cmocka_unit_test(test_indirect_16),
        LIFE(test_budget),    LIFE(test_last_x87),
    };
    return cmocka_run_group_tests_name("jit-x86_64-life", tests, NULL, NULL);
}
