/*
 * jit-null against a core of the test's own: a guest whose instructions only move rip, so that
 * chaining, refusals, dropping and the ways out of a block can be seen one by one.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <blink/jit.h>

#include "fakehost.h"

#define ARENA_SIZE 8192u

/* What the fake core knows; one test at a time. */
static struct {
    uint8_t arena[ARENA_SIZE];
    size_t used;
    size_t committed;
    uint64_t executed[16]; /* addresses, in order */
    uint32_t count;
    uint32_t stop_at; /* after so many instructions ... */
    uint32_t stop_reason;
    uint32_t attend_at; /* after so many, set attention */
    uint64_t jump_to;   /* where an indirect branch goes */
    void *known;        /* answer of lookup */
    uint32_t lookups;
} core;

/* An odd place, so that the back end has to align for itself. */
static int code_alloc(struct blink_machine *machine, uint64_t near, size_t size,
                      struct blink_jit_space *out) {
    (void)machine, (void)near;
    if (size > ARENA_SIZE - core.used)
        return -ENOSPC;
    uint8_t *at = (uint8_t *)core.arena + core.used;
    *out = (struct blink_jit_space){.struct_size = sizeof *out, .rw = at, .rx = at};
    core.used += size | 1;
    return 0;
}

static void code_commit(struct blink_machine *machine, const struct blink_jit_space *space,
                        size_t size) {
    (void)machine, (void)space;
    core.committed += size;
}

static uint32_t interpret(struct blink_cpu *cpu, const struct blink_insn *insn) {
    core.executed[core.count++ % 16] = insn->addr;
    cpu->rip = insn->addr + insn->len;
    if (insn->op == BLINK_OP_JMP || (insn->op == BLINK_OP_JCC && cpu->gpr[BLINK_RCX]))
        cpu->rip = insn->opnd[0].kind == BLINK_OPND_REL ? insn->imm : core.jump_to;
    if (cpu->gpr[BLINK_RCX])
        cpu->gpr[BLINK_RCX]--;
    if (core.count == core.attend_at)
        cpu->attention |= BLINK_ATTN_PARK;
    return core.count == core.stop_at ? core.stop_reason : 0;
}

static void *lookup(struct blink_cpu *cpu) {
    (void)cpu;
    core.lookups++;
    return core.known;
}

static const struct blink_jit_host_iface fake_core = {
    .struct_size = sizeof fake_core,
    .code_alloc = code_alloc,
    .code_commit = code_commit,
    .interpret = interpret,
    .lookup = lookup,
};

struct fixture {
    struct fakehost *fh;
    const struct blink_jit_ops *ops;
    struct blink_plugin *jit;
};

static int setup(void **state) {
    static struct fixture f;
    memset(&core, 0, sizeof core);
    f.fh = fakehost_create();
    f.ops = fakehost_find(&blink_plugin_entry, BLINK_KIND_JIT, "null");
    f.jit = NULL;
    fakehost_set_iface(f.fh, BLINK_IFACE_JIT_HOST, &fake_core);
    *state = &f;
    return f.ops ? 0 : -1;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    f->ops->plugin.destroy(f->jit);
    fakehost_destroy(f->fh);
    return 0;
}

static void create(struct fixture *f, const char *args) {
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), args, &f->jit), 0);
    assert_int_equal(f->ops->plugin.activate(f->jit), 0);
}

/* Two instructions of 4 bytes at `rip`, the second a branch of kind `op`. */
static int translate(struct fixture *f, uint64_t rip, uint32_t op, uint8_t kind, uint64_t target,
                     struct blink_jit_code *code) {
    struct blink_insn insns[2] = {
        {.addr = rip, .len = 4, .op = BLINK_OP_NOP},
        {.addr = rip + 4, .len = 4, .op = (uint16_t)op, .imm = target, .opnd = {{.kind = kind}}},
    };
    struct blink_jit_block block = {
        .struct_size = sizeof block,
        .count = 2,
        .insns = insns,
        .rip = rip,
        .end_rip = rip + 8,
        .mode = fakehost_cpu(f->fh)->mode,
    };
    return f->ops->translate(f->jit, &block, code);
}

static uint32_t enter(struct fixture *f, const struct blink_jit_code *code, uint64_t rip,
                      struct blink_jit_code **from, uint32_t *exit) {
    struct blink_cpu *cpu = fakehost_cpu(f->fh);
    cpu->rip = rip;
    cpu->attention = 0;
    core.count = 0;
    return f->ops->enter(f->jit, cpu, code, from, exit);
}

static void test_arguments(void **state) {
    struct fixture *f = *state;
    const struct blink_host *host = fakehost_host(f->fh);
    static const char *const bad[] = {
        "x",          "refuse=", "refuse=x", "pad=1x", "refuse=99999999999",
        "pad=1,,fai", "fail=1",  "pad=-1"};
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++)
        assert_int_equal(f->ops->plugin.create(host, bad[k], &f->jit), -EINVAL);
    assert_string_equal(fakehost_log_line(f->fh, 0, NULL),
                        "jit-null: x: not an argument; give refuse=N, pad=N or fail");
    assert_int_equal(fakehost_log_count(f->fh), sizeof bad / sizeof bad[0]);
    assert_null(f->jit);
    assert_int_equal(f->ops->plugin.create(host, "fail,pad=3,refuse=2", &f->jit), 0);
    assert_int_equal(f->ops->plugin.activate(f->jit), -EIO);
}

static void test_needs_its_service(void **state) {
    struct fixture *f = *state;
    fakehost_set_iface(f->fh, BLINK_IFACE_JIT_HOST, NULL);
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "", &f->jit), -ENOTSUP);
    assert_string_equal(fakehost_log(f->fh), "jit null needs the service blink.jit-host/1\n");
}

static void test_exits(void **state) {
    struct fixture *f = *state;
    struct blink_jit_code code = {0}, *from;
    uint32_t exit = 99;
    create(f, "");
    assert_int_equal(translate(f, 0x1000, BLINK_OP_JCC, BLINK_OPND_REL, 0x2000, &code), 0);
    assert_int_equal(code.exits, 2);
    assert_true(core.committed >= code.size && code.size >= 2 * sizeof(struct blink_insn));
    /* Not taken. */
    assert_int_equal(enter(f, &code, 0x1000, &from, &exit), BLINK_EXIT_BLOCK);
    assert_ptr_equal(from, &code);
    assert_int_equal(exit, 1);
    assert_int_equal(fakehost_cpu(f->fh)->rip, 0x1008);
    assert_int_equal(core.count, 2);
    assert_int_equal(core.executed[0], 0x1000);
    assert_int_equal(core.executed[1], 0x1004);
    /* Taken: rcx counts every instruction down. */
    fakehost_cpu(f->fh)->gpr[BLINK_RCX] = 2;
    assert_int_equal(enter(f, &code, 0x1000, &from, &exit), BLINK_EXIT_BLOCK);
    assert_ptr_equal(from, &code);
    assert_int_equal(exit, 0);
    assert_int_equal(fakehost_cpu(f->fh)->rip, 0x2000);
    /* A block that simply ends, and a jump, have one exit. */
    struct blink_jit_code plain = {0}, jump = {0};
    assert_int_equal(translate(f, 0x3000, BLINK_OP_NOP, BLINK_OPND_NONE, 0, &plain), 0);
    assert_int_equal(plain.exits, 1);
    assert_int_equal(enter(f, &plain, 0x3000, &from, &exit), BLINK_EXIT_BLOCK);
    assert_ptr_equal(from, &plain);
    assert_int_equal(exit, 0);
    assert_int_equal(translate(f, 0x4000, BLINK_OP_JMP, BLINK_OPND_REL, 0x4000, &jump), 0);
    assert_int_equal(jump.exits, 1);
}

static void test_early_ends(void **state) {
    struct fixture *f = *state;
    struct blink_jit_code code = {0}, *from = &code;
    uint32_t exit = 99;
    create(f, "");
    translate(f, 0x1000, BLINK_OP_JMP, BLINK_OPND_REL, 0x1000, &code);
    core.stop_at = 1;
    core.stop_reason = BLINK_EXIT_SYSCALL;
    assert_int_equal(enter(f, &code, 0x1000, &from, &exit), BLINK_EXIT_SYSCALL);
    assert_null(from);
    assert_int_equal(core.count, 1);
    /* Linked to itself it runs until attention is wanted, which is seen at the block's end. */
    core.stop_at = 0;
    core.attend_at = 7;
    f->ops->link(f->jit, &code, 0, &code);
    assert_int_equal(enter(f, &code, 0x1000, &from, &exit), BLINK_EXIT_ATTENTION);
    assert_int_equal(core.count, 8);
    assert_int_equal(fakehost_cpu(f->fh)->rip, 0x1000);
}

static void test_links(void **state) {
    struct fixture *f = *state;
    struct blink_jit_code a = {0}, b = {0}, *from;
    uint32_t exit;
    create(f, "");
    translate(f, 0x1000, BLINK_OP_JMP, BLINK_OPND_REL, 0x2000, &a);
    translate(f, 0x2000, BLINK_OP_JMP, BLINK_OPND_REL, 0x3000, &b);
    f->ops->link(f->jit, &a, 0, &b);
    f->ops->link(f->jit, &a, 1, &a); /* there is no such exit */
    assert_int_equal(enter(f, &a, 0x1000, &from, &exit), BLINK_EXIT_BLOCK);
    assert_ptr_equal(from, &b);
    assert_int_equal(core.count, 4);
    f->ops->unlink(f->jit, &a, 0);
    f->ops->unlink(f->jit, &a, 1);
    assert_int_equal(enter(f, &a, 0x1000, &from, &exit), BLINK_EXIT_BLOCK);
    assert_ptr_equal(from, &a);
    assert_int_equal(core.count, 2);
}

static void test_indirect(void **state) {
    struct fixture *f = *state;
    struct blink_jit_code a = {0}, b = {0}, *from = &a;
    uint32_t exit;
    create(f, "");
    translate(f, 0x1000, BLINK_OP_JMP, BLINK_OPND_GPR, 0, &a);
    translate(f, 0x2000, BLINK_OP_JMP, BLINK_OPND_REL, 0x3000, &b);
    core.jump_to = 0x2000;
    assert_int_equal(enter(f, &a, 0x1000, &from, &exit), BLINK_EXIT_BLOCK);
    assert_null(from);
    assert_int_equal(core.lookups, 1);
    core.known = b.entry;
    assert_int_equal(enter(f, &a, 0x1000, &from, &exit), BLINK_EXIT_BLOCK);
    assert_ptr_equal(from, &b);
    /* A dropped block is not entered again. */
    f->ops->drop(f->jit, &b);
    assert_null(b.jit_private);
    assert_int_equal(enter(f, &a, 0x1000, &from, &exit), BLINK_EXIT_BLOCK);
    assert_null(from);
    /* Nor is a link followed when the mode has changed under way. */
    fakehost_cpu(f->fh)->mode ^= BLINK_MODE_CPL3;
    core.known = NULL;
    core.jump_to = 0x1008;
    assert_int_equal(enter(f, &a, 0x1000, &from, &exit), BLINK_EXIT_BLOCK);
    assert_null(from);
}

static void test_refusals(void **state) {
    struct fixture *f = *state;
    struct blink_jit_code code = {0};
    create(f, "refuse=3,pad=1000");
    assert_int_equal(translate(f, 0, BLINK_OP_NOP, 0, 0, &code), 0);
    assert_int_equal(translate(f, 0, BLINK_OP_NOP, 0, 0, &code), 0);
    assert_int_equal(translate(f, 0, BLINK_OP_NOP, 0, 0, &code), -ENOTSUP);
    int err = 0, n = 0;
    while (n++ < 20 && (err = translate(f, 0, BLINK_OP_NOP, 0, 0, &code)) != -ENOSPC)
        ;
    assert_int_equal(err, -ENOSPC);
    assert_true(core.used > ARENA_SIZE - 2000);
    f->ops->flush(f->jit);
    core.used = 0;
    assert_int_equal(translate(f, 0, BLINK_OP_NOP, 0, 0, &code), 0);
    struct blink_jit_block empty = {.struct_size = sizeof empty};
    assert_int_equal(f->ops->translate(f->jit, &empty, &code), -EINVAL);
}

static void test_counts(void **state) {
    struct fixture *f = *state;
    struct blink_jit_code a = {0}, *from;
    uint32_t exit;
    create(f, "");
    translate(f, 0x1000, BLINK_OP_JMP, BLINK_OPND_REL, 0x2000, &a);
    enter(f, &a, 0x1000, &from, &exit);
    f->ops->link(f->jit, &a, 0, &a);
    f->ops->unlink(f->jit, &a, 0);
    f->ops->drop(f->jit, &a);
    f->ops->flush(f->jit);
    assert_int_equal(f->ops->recover(f->jit, fakehost_cpu(f->fh), NULL, 0x1234), -ENOENT);
    f->ops->plugin.deactivate(f->jit);
    assert_string_equal(fakehost_log(f->fh),
                        "jit-null: translated 1, refused 0, entered 1, linked 1, unlinked 1, "
                        "dropped 1, flushed 1, recovers 1\n");
}

#define JIT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        JIT_TEST(test_arguments), JIT_TEST(test_needs_its_service),
        JIT_TEST(test_exits),     JIT_TEST(test_early_ends),
        JIT_TEST(test_links),     JIT_TEST(test_indirect),
        JIT_TEST(test_refusals),  JIT_TEST(test_counts),
    };
    return cmocka_run_group_tests_name("jit-null", tests, NULL, NULL);
}
