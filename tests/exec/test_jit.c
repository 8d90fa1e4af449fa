/*
 * The JIT's place in the loop, with jit-null as back end: the same guest program gives the same
 * registers and the same count of instructions interpreted, translated, refused, with an arena that
 * overflows, and with back ends changed under way. The decoder is a table of instructions, so that
 * nothing but the loop is under test.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <blink/host.h>

#include "cpu/cpu.h"
#include "exec/exec.h"

#define CODE     UINT64_C(0x10000000)
#define CODE_TOP (CODE + 0x3000)
#define STACK    UINT64_C(0x20000000)
#define BACKENDS 4u

/* What the guest program computes. */
struct result {
    uint64_t r8, r9, instructions;
};

/* One machine of the test; also the instance of its decoder and its guest ABI. */
struct blink_machine {
    struct exec *exec;
    struct blink_mem *mem;
    struct blink_cpu *cpu;
    struct blink_host host;
    const struct blink_jit_ops *null;
    struct blink_plugin *backend[BACKENDS]; /* by the names "0", "1", ... */
    char log[16384];
    uint32_t calls; /* system calls so far */
    /* What the test does at each system call but the last; may be NULL. */
    void (*at_call)(struct blink_machine *m);
    struct result outcome;
};

struct exec *machine_exec(struct blink_machine *m) {
    return m->exec;
}

/* ---- the program ---- */

enum { LEN = 4 }; /* bytes of every instruction */

#define R(n)                                                                                       \
  { .kind = BLINK_OPND_GPR, .reg = (n), .size = 8, .access = 3 }
#define IMM                                                                                        \
  { .kind = BLINK_OPND_IMM, .size = 4, .access = 1 }
#define REL                                                                                        \
  { .kind = BLINK_OPND_REL }
#define AT(n)  (CODE + (n)*LEN)
#define FAR(n) (CODE + 0x2000 + (n)*LEN)

#define INSN(where, operation, ...)                                                                \
  {                                                                                                \
    .addr = where, .op = BLINK_OP_##operation, .len = LEN, .opsize = 8, .addrsize = 8,             \
    .base = BLINK_REG_NONE, .index = BLINK_REG_NONE, .seg = BLINK_SEG_NONE, __VA_ARGS__            \
  }

/* rcx rounds: a call to each of two functions by register, conditional branches both ways, a
 * system call every 64th round, blocks on two pages; then system call 1, which ends it. */
static const struct blink_insn program[] = {
    INSN(AT(0), MOV, .opnd = {R(BLINK_RCX), IMM}, .imm = 3000),
    INSN(AT(1), MOV, .opnd = {R(BLINK_RDI), IMM}, .imm = FAR(0)),
    INSN(AT(2), MOV, .opnd = {R(BLINK_RSI), IMM}, .imm = FAR(4)),
    INSN(AT(3), MOV, .opnd = {R(BLINK_R9), IMM}, .imm = 0),
    /* the round */
    INSN(AT(4), CALL, .opnd = {R(BLINK_RDI)}),
    INSN(AT(5), XCHG, .opnd = {R(BLINK_RDI), R(BLINK_RSI)}),
    INSN(AT(6), TEST, .opnd = {R(BLINK_RCX), IMM}, .imm = 3),
    INSN(AT(7), JCC, .cc = BLINK_CC_E, .opnd = {REL}, .imm = AT(10)),
    INSN(AT(8), ADD, .opnd = {R(BLINK_R8), IMM}, .imm = 5),
    INSN(AT(9), JMP, .opnd = {REL}, .imm = AT(12)),
    INSN(AT(10), ADD, .opnd = {R(BLINK_R8), R(BLINK_RCX)}),
    INSN(AT(11), NOP, .imm = 0),
    INSN(AT(12), TEST, .opnd = {R(BLINK_RCX), IMM}, .imm = 63),
    INSN(AT(13), JCC, .cc = BLINK_CC_NE, .opnd = {REL}, .imm = AT(18)),
    INSN(AT(14), MOV, .opnd = {R(BLINK_RAX), IMM}, .imm = 0),
    INSN(AT(15), MOV, .opnd = {R(BLINK_R10), R(BLINK_RCX)}),
    INSN(AT(16), SYSCALL, .imm = 0),
    INSN(AT(17), MOV, .opnd = {R(BLINK_RCX), R(BLINK_R10)}),
    INSN(AT(18), SUB, .opnd = {R(BLINK_RCX), IMM}, .imm = 1),
    INSN(AT(19), JCC, .cc = BLINK_CC_NE, .opnd = {REL}, .imm = AT(4)),
    INSN(AT(20), MOV, .opnd = {R(BLINK_RAX), IMM}, .imm = 1),
    INSN(AT(21), SYSCALL, .imm = 0),
    /* two functions */
    INSN(FAR(0), ADD, .opnd = {R(BLINK_R9), IMM}, .imm = 7),
    INSN(FAR(1), RET, .imm = 0),
    INSN(FAR(4), SUB, .opnd = {R(BLINK_R9), R(BLINK_RCX)}),
    INSN(FAR(5), RET, .imm = 0),
};
#define PROGRAM (sizeof program / sizeof program[0])
#define CALLS   (3000 / 64) /* system calls 0 */

/* What the program computes, worked out here. */
static struct result expected(void) {
    struct result r = {0, 0, 4 + 2};
    for (uint64_t rcx = 3000, odd = 0; rcx; rcx--, odd ^= 1) {
        r.r9 += odd ? -rcx : 7;
        r.r8 += rcx & 3 ? 5 : rcx;
        /* round and function; one path and the other are equally long */
        r.instructions += 4 + 2 + 2 + 2 + 2 + (rcx & 63 ? 0 : 4);
    }
    return r;
}

static const struct blink_insn *insn_at(uint64_t rip) {
    for (size_t k = 0; k < PROGRAM; k++)
        if (program[k].addr == rip)
            return &program[k];
    return NULL;
}

/* ---- the decoder ---- */

static int context_create(struct blink_plugin *self, void **out) {
    (void)self;
    *out = NULL;
    return 0;
}

static void context_destroy(struct blink_plugin *self, void *context) {
    (void)self, (void)context;
}

static bool ends(const struct blink_insn *i) {
    return i->op == BLINK_OP_JMP || i->op == BLINK_OP_JCC || i->op == BLINK_OP_CALL ||
           i->op == BLINK_OP_RET || i->op == BLINK_OP_SYSCALL;
}

static int decode(struct blink_plugin *self, void *context, struct blink_decode_request *req) {
    uint64_t rip = req->rip;
    (void)self, (void)context;
    req->count = 0;
    req->stop = BLINK_DECODE_BYTES;
    while (req->count < req->max && rip + LEN - req->rip <= req->size) {
        const struct blink_insn *i = insn_at(rip);
        if (!i)
            fail_msg("rip went astray: %#llx", (unsigned long long)rip);
        req->insns[req->count++] = *i;
        rip += LEN;
        if (ends(i))
            break;
    }
    return 0;
}

static const struct blink_decoder_ops decoder = {
    .plugin = {.struct_size = sizeof decoder},
    .context_create = context_create,
    .context_destroy = context_destroy,
    .decode = decode,
};

/* ---- the guest ABI ---- */

static uint32_t on_syscall(struct blink_plugin *self, struct blink_cpu *cpu) {
    struct blink_machine *m = (struct blink_machine *)self;
    if (cpu->gpr[BLINK_RAX] == 1) {
        exec_iface.exit_machine(m, 42);
        return BLINK_ABI_END;
    }
    m->calls++;
    if (m->at_call)
        m->at_call(m);
    return BLINK_ABI_CONTINUE;
}

static uint32_t unhandled(struct blink_plugin *self, struct blink_cpu *cpu) {
    (void)self, (void)cpu;
    return BLINK_ABI_UNHANDLED;
}

/* ---- the machine ---- */

static void log_line(struct blink_machine *m, int32_t level, const char *text) {
    size_t at = strlen(m->log);
    (void)level;
    snprintf(m->log + at, sizeof m->log - at, "%s\n", text);
}

static int32_t log_enabled(struct blink_machine *m, int32_t level) {
    (void)m, (void)level;
    return 1;
}

static const void *get_iface(struct blink_machine *m, const char *id) {
    (void)m;
    return strcmp(id, BLINK_IFACE_JIT_HOST) ? NULL : &jit_host_iface;
}

static int find_jit(struct blink_machine *m, const char *name, const struct blink_jit_ops **ops,
                    struct blink_plugin **self) {
    uint32_t n = (uint32_t)(name[0] - '0');
    if (n >= BACKENDS || !m->backend[n])
        return -ENOENT;
    *ops = m->null;
    *self = m->backend[n];
    return 0;
}

/* The final registers are taken before the vCPU goes. */
static void thread_end(struct blink_plugin *self, struct blink_cpu *cpu) {
    struct blink_machine *m = (struct blink_machine *)self;
    m->outcome = (struct result){cpu->gpr[BLINK_R8], cpu->gpr[BLINK_R9], cpu->icount};
}

static const struct blink_abi_ops abi = {
    .plugin = {.struct_size = sizeof abi},
    .syscall = on_syscall,
    .interrupt = unhandled,
    .fault = unhandled,
    .signal = unhandled,
    .thread_end = thread_end,
};

static void map_code(struct blink_machine *m, uint64_t address, uint64_t size, uint32_t prot) {
    uint64_t at;
    assert_int_equal(
        mem_iface.map(m->mem, address, size, prot, BLINK_MAP_FIXED | BLINK_MAP_ANON, -1, 0, &at),
        0);
}

static int setup(void **state) {
    struct blink_machine *m = calloc(1, sizeof *m);
    if (!m)
        return -1;
    m->null = blink_plugin_entry.manifests[0]->vtable;
    m->host = (struct blink_host){.struct_size = sizeof m->host,
                                  .machine = m,
                                  .log = log_line,
                                  .log_enabled = log_enabled,
                                  .get_iface = get_iface};
    struct exec_options o = {.hooks = {.machine = m, .log = log_line, .find_jit = find_jit},
                             .decoder = &decoder};
    assert_int_equal(exec_create(&o, &m->exec), 0);
    struct mem_options mem = {.strategy = MEM_LINEAR, .hooks = exec_mem_hooks(m->exec)};
    assert_int_equal(mem_create(&mem, &m->mem), 0);
    exec_set_mem(m->exec, m->mem);
    exec_set_abi(m->exec, &abi, (struct blink_plugin *)m);
    assert_int_equal(exec_first_cpu(m->exec, &m->cpu), 0);
    map_code(m, CODE, CODE_TOP - CODE, BLINK_PROT_READ | BLINK_PROT_EXEC);
    map_code(m, STACK, 0x1000, BLINK_PROT_READ | BLINK_PROT_WRITE);
    cpu_reset_user64(m->cpu);
    m->cpu->rip = CODE;
    m->cpu->gpr[BLINK_RSP] = STACK + 0x800;
    *state = m;
    return 0;
}

static void finish(struct blink_machine *m) {
    exec_destroy(m->exec);
    m->exec = NULL;
    for (uint32_t k = 0; k < BACKENDS; k++)
        m->null->plugin.destroy(m->backend[k]);
    memset(m->backend, 0, sizeof m->backend);
    mem_destroy(m->mem);
    m->mem = NULL;
}

static int teardown(void **state) {
    struct blink_machine *m = *state;
    if (m->exec)
        finish(m);
    free(m);
    return 0;
}

static void add_backend(struct blink_machine *m, uint32_t n, const char *args) {
    assert_int_equal(m->null->plugin.create(&m->host, args, &m->backend[n]), 0);
}

static void run(struct blink_machine *m) {
    struct result right = expected();
    assert_int_equal(exec_run(m->exec), 42);
    assert_true(m->outcome.r8 == right.r8);
    assert_true(m->outcome.r9 == right.r9);
    assert_true(m->outcome.instructions == right.instructions);
    assert_int_equal(m->calls, CALLS);
}

struct counters {
    unsigned long long translated, refused, entered, linked, unlinked, dropped, flushed, recovers;
};

/* The n-th line in which a back end gave its counters as it was deactivated. */
static struct counters counters(struct blink_machine *m, int n) {
    struct counters c = {0};
    const char *line = m->log;
    for (int k = 0; k < n; k++)
        line = strchr(line, '\n') + 1;
    int got = sscanf(line,
                     "jit-null: translated %llu, refused %llu, entered %llu, linked %llu, unlinked "
                     "%llu, dropped %llu, flushed %llu, recovers %llu",
                     &c.translated, &c.refused, &c.entered, &c.linked, &c.unlinked, &c.dropped,
                     &c.flushed, &c.recovers);
    if (got != 8)
        fail_msg("log line %d: %s", n, line);
    return c;
}

/* ---- tests ---- */

static void test_interpreted(void **state) {
    run(*state);
}

static void test_translated(void **state) {
    struct blink_machine *m = *state;
    add_backend(m, 0, "");
    assert_int_equal(exec_set_jit(m->exec, "0"), 0);
    run(m);
    finish(m);
    struct counters c = counters(m, 0);
    /* Blocks that run often are translated and linked; only the first ones of each entry come
     * from the loop, so there are far more entries than links. */
    assert_in_range(c.translated, 9, 14);
    assert_true(c.entered > 3000 * 5 && c.linked >= 6 && c.linked < 100);
    assert_int_equal(c.refused, 0);
    assert_int_equal(c.dropped, c.translated);
    assert_true(c.flushed >= 1);
}

/* ---- links, as core makes them ---- */

/* The back end's own checks would hide a link that leads astray. One test at a time. */
static struct {
    const struct blink_jit_ops *ops;
    struct {
        const struct blink_jit_code *code;
        uint64_t rip;
    } block[64];
    uint32_t blocks, astray;
    const struct blink_jit_code *from; /* of the exit that was left through last */
    uint32_t exit;
    uint64_t rip; /* to */
} seen;

static int seen_translate(struct blink_plugin *self, const struct blink_jit_block *block,
                          struct blink_jit_code *code) {
    int rc = seen.ops->translate(self, block, code);
    if (rc == 0 && seen.blocks < 64) {
        seen.block[seen.blocks].code = code;
        seen.block[seen.blocks++].rip = block->rip;
    }
    return rc;
}

static void seen_link(struct blink_plugin *self, struct blink_jit_code *from, uint32_t exit,
                      const struct blink_jit_code *to) {
    for (uint32_t k = 0; k < seen.blocks; k++)
        if (seen.block[k].code == to && from == seen.from && exit == seen.exit)
            seen.astray += seen.block[k].rip != seen.rip;
    seen.ops->link(self, from, exit, to);
}

static uint32_t seen_enter(struct blink_plugin *self, struct blink_cpu *cpu,
                           const struct blink_jit_code *code, struct blink_jit_code **from,
                           uint32_t *exit) {
    uint32_t reason = seen.ops->enter(self, cpu, code, from, exit);
    if (*from) {
        seen.from = *from;
        seen.exit = *exit;
        seen.rip = cpu->rip;
    }
    return reason;
}

/* A block that is interpreted between two that are translated is not linked over. */
static void test_refused(void **state) {
    struct blink_machine *m = *state;
    struct blink_jit_ops watched = *m->null;
    memset(&seen, 0, sizeof seen);
    seen.ops = m->null;
    watched.translate = seen_translate;
    watched.link = seen_link;
    watched.enter = seen_enter;
    add_backend(m, 0, "refuse=2");
    m->null = &watched;
    assert_int_equal(exec_set_jit(m->exec, "0"), 0);
    run(m);
    finish(m);
    struct counters c = counters(m, 0);
    /* A refused block is not offered again. */
    assert_in_range(c.refused, 4, 7);
    assert_in_range(c.translated, 4, 7);
    assert_true(seen.blocks && seen.from);
    assert_int_equal(seen.astray, 0);
    m->null = seen.ops;
}

static void test_arena_overflows(void **state) {
    struct blink_machine *m = *state;
    add_backend(m, 0, "pad=20000000"); /* three blocks in 64 MiB */
    assert_int_equal(exec_set_jit(m->exec, "0"), 0);
    run(m);
    finish(m);
    struct counters c = counters(m, 0);
    assert_true(c.flushed > 10 && c.translated > 30);
    assert_int_equal(c.dropped, c.translated);
}

static void drop_page(struct blink_machine *m) {
    /* As mprotect of the guest would: what stands on the second page is not valid any more. */
    assert_int_equal(mem_iface.protect(m->mem, CODE + 0x2000, 0x1000, BLINK_PROT_READ), 0);
    assert_int_equal(
        mem_iface.protect(m->mem, CODE + 0x2000, 0x1000, BLINK_PROT_READ | BLINK_PROT_EXEC), 0);
}

static void test_code_is_dropped(void **state) {
    struct blink_machine *m = *state;
    add_backend(m, 0, "");
    m->at_call = drop_page;
    assert_int_equal(exec_set_jit(m->exec, "0"), 0);
    run(m);
    finish(m);
    struct counters c = counters(m, 0);
    /* The two functions, again and again; the round stays. */
    assert_in_range(c.dropped, CALLS, 2 * CALLS + 14);
    assert_int_equal(c.dropped, c.translated);
}

/* Change of back ends at each system call: one, another, none, one that fails. */
static void change(struct blink_machine *m) {
    static const char *const names[] = {"0", "1", "none", "2", "1", "3"};
    static const int results[] = {0, 0, 0, -EIO, 0, -ENOENT};
    uint32_t k = m->calls % 6;
    assert_int_equal(exec_set_jit(m->exec, names[k]), results[k]);
}

static void test_changed_under_way(void **state) {
    struct blink_machine *m = *state;
    add_backend(m, 0, "");
    add_backend(m, 1, "refuse=3");
    add_backend(m, 2, "fail");
    m->at_call = change;
    assert_int_equal(exec_set_jit(m->exec, "0"), 0);
    run(m);
    finish(m);
    assert_true(counters(m, 0).entered > 0);
}

static void fail_to_change(struct blink_machine *m) {
    assert_int_equal(exec_set_jit(m->exec, "1"), -EIO);
}

/* A back end that cannot be activated leaves the old one active. */
static void test_failed_change(void **state) {
    struct blink_machine *m = *state;
    add_backend(m, 0, "");
    add_backend(m, 1, "fail");
    assert_int_equal(exec_set_jit(m->exec, "0"), 0);
    m->at_call = fail_to_change;
    run(m);
    finish(m);
    /* Deactivated and activated again at each attempt, deactivated at the end. */
    struct counters first = counters(m, 0), last = counters(m, CALLS);
    assert_true(last.entered > first.entered && last.translated > first.translated);
}

static void test_unknown_backend(void **state) {
    struct blink_machine *m = *state;
    assert_int_equal(exec_set_jit(m->exec, "3"), -ENOENT);
    assert_int_equal(exec_set_jit(m->exec, "none"), 0);
    run(m);
}

#define JIT_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        JIT_TEST(test_interpreted),     JIT_TEST(test_translated),
        JIT_TEST(test_refused),         JIT_TEST(test_arena_overflows),
        JIT_TEST(test_code_is_dropped), JIT_TEST(test_changed_under_way),
        JIT_TEST(test_failed_change),   JIT_TEST(test_unknown_backend),
    };
    return cmocka_run_group_tests_name("exec-jit", tests, NULL, NULL);
}
