/*
 * See toy.h.
 */
#include "toy.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/bus.h"
#include "cpu/cpu.h"

struct exec *machine_exec(struct blink_machine *m) {
    return m->exec;
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

#define G(n)                                                                                       \
  { .kind = BLINK_OPND_GPR, .reg = (n), .size = 8, .access = 3 }
#define M                                                                                          \
  { .kind = BLINK_OPND_MEM, .size = 8, .access = 3 }
#define V                                                                                          \
  { .kind = BLINK_OPND_IMM, .size = 4, .access = 1 }
#define REL                                                                                        \
  { .kind = BLINK_OPND_REL }

static const struct {
    uint16_t op;
    bool ends;
    struct blink_operand opnd[2];
} forms[] = {
    [T_MOV] = {BLINK_OP_MOV, false, {G(0), V}},    [T_COPY] = {BLINK_OP_MOV, false, {G(0), G(1)}},
    [T_ADD] = {BLINK_OP_ADD, false, {G(0), V}},    [T_SUB] = {BLINK_OP_SUB, false, {G(0), V}},
    [T_JMP] = {BLINK_OP_JMP, true, {REL}},         [T_JNE] = {BLINK_OP_JCC, true, {REL}},
    [T_CALL] = {BLINK_OP_CALL, true, {G(1)}},      [T_RET] = {BLINK_OP_RET, true, {{0}}},
    [T_SYSCALL] = {BLINK_OP_SYSCALL, true, {{0}}}, [T_STORE] = {BLINK_OP_MOV, false, {M, G(0)}},
    [T_LOAD] = {BLINK_OP_MOV, false, {G(0), M}},   [T_LOCKADD] = {BLINK_OP_ADD, false, {M, G(0)}},
    [T_NOP] = {BLINK_OP_NOP, false, {{0}}},        [T_POPF] = {BLINK_OP_POPF, true, {{0}}},
    [T_PUSHF] = {BLINK_OP_PUSHF, false, {{0}}},
};

/* True if the instruction ends its block. */
static bool decode_one(const uint8_t raw[8], uint64_t rip, struct blink_insn *out) {
    int32_t imm;
    memcpy(&imm, raw + 4, 4);
    *out = (struct blink_insn){.addr = rip,
                               .len = 8,
                               .opsize = 8,
                               .addrsize = 8,
                               .base = raw[2],
                               .index = BLINK_REG_NONE,
                               .seg = BLINK_SEG_NONE,
                               .cc = BLINK_CC_NE};
    memcpy(out->raw, raw, 8);
    if (raw[0] == T_BAD || raw[0] >= sizeof forms / sizeof forms[0])
        return true;
    out->op = forms[raw[0]].op;
    memcpy(out->opnd, forms[raw[0]].opnd, sizeof forms[0].opnd);
    for (int k = 0; k < 2; k++)
        if (out->opnd[k].kind == BLINK_OPND_GPR)
            out->opnd[k].reg = out->opnd[k].reg ? raw[2] : raw[1];
    bool relative = out->opnd[0].kind == BLINK_OPND_REL;
    out->imm = relative ? rip + (uint64_t)((int64_t)imm * 8) : (uint64_t)(int64_t)imm;
    out->disp = imm;
    if (raw[0] == T_RET)
        out->imm = 0;
    if (raw[0] == T_LOCKADD)
        out->prefix = BLINK_PFX_LOCK;
    return forms[raw[0]].ends;
}

static int decode(struct blink_plugin *self, void *context, struct blink_decode_request *req) {
    (void)self, (void)context;
    req->count = 0;
    req->stop = BLINK_DECODE_BYTES;
    for (size_t at = 0; req->count < req->max && at + 8 <= req->size; at += 8)
        if (decode_one(req->bytes + at, req->rip + at, &req->insns[req->count++]))
            break;
    return 0;
}

static uint32_t disassemble(struct blink_plugin *self, void *context, uint32_t mode,
                            uint32_t syntax, const uint8_t *bytes, size_t size, uint64_t rip,
                            char *out, size_t out_size) {
    (void)self, (void)context, (void)mode, (void)syntax, (void)rip;
    snprintf(out, out_size, "toy %u", bytes[0]);
    return size >= 8 ? 8 : 0;
}

static const struct blink_decoder_ops decoder = {
    .plugin = {.struct_size = sizeof decoder},
    .context_create = context_create,
    .context_destroy = context_destroy,
    .decode = decode,
    .disassemble = disassemble,
};

/* ---- the guest ABI ---- */

static uint32_t on_syscall(struct blink_plugin *self, struct blink_cpu *cpu) {
    struct blink_machine *m = (struct blink_machine *)self;
    switch (cpu->gpr[BLINK_RAX]) {
    case 0: exec_iface.exit_machine(m, (int32_t)cpu->gpr[BLINK_RDI]); return BLINK_ABI_END;
    case 1: return BLINK_ABI_END;
    default: return m->on_syscall ? m->on_syscall(m, cpu) : BLINK_ABI_UNHANDLED;
    }
}
static uint32_t on_fault(struct blink_plugin *self, struct blink_cpu *cpu) {
    struct blink_machine *m = (struct blink_machine *)self;
    return m->on_fault ? m->on_fault(m, cpu) : BLINK_ABI_UNHANDLED;
}
static uint32_t on_signal(struct blink_plugin *self, struct blink_cpu *cpu) {
    struct blink_machine *m = (struct blink_machine *)self;
    return m->on_signal ? m->on_signal(m, cpu) : BLINK_ABI_CONTINUE;
}
static uint32_t unhandled(struct blink_plugin *self, struct blink_cpu *cpu) {
    (void)self, (void)cpu;
    return BLINK_ABI_UNHANDLED;
}
static int thread_begin(struct blink_plugin *self, struct blink_cpu *cpu, void *arg) {
    (void)self;
    cpu->gpr[BLINK_RDI] = (uint64_t)(uintptr_t)arg;
    return 0;
}
static void thread_end(struct blink_plugin *self, struct blink_cpu *cpu) {
    struct blink_machine *m = (struct blink_machine *)self;
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    memcpy(m->final, cpu->gpr, sizeof m->final);
    m->icount = cpu->icount;
    __atomic_fetch_add(&m->ended, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&lock);
}

static const struct blink_abi_ops abi = {
    .plugin = {.struct_size = sizeof abi},
    .syscall = on_syscall,
    .interrupt = unhandled,
    .fault = on_fault,
    .signal = on_signal,
    .thread_begin = thread_begin,
    .thread_end = thread_end,
};

/* ---- the machine ---- */

static void log_line(struct blink_machine *m, int32_t level, const char *text) {
    (void)m;
    if (level <= BLINK_LOG_WARN)
        print_message("%s\n", text);
}
static int32_t log_enabled(struct blink_machine *m, int32_t level) {
    (void)m;
    return level <= BLINK_LOG_WARN;
}
static const void *get_iface(struct blink_machine *m, const char *id) {
    (void)m;
    return strcmp(id, BLINK_IFACE_JIT_HOST) ? NULL : &jit_host_iface;
}
static int find_jit(struct blink_machine *m, const char *name, const struct blink_jit_ops **ops,
                    struct blink_plugin **self) {
    if (!m->jit || strcmp(name, "bad") == 0)
        return -ENOENT;
    *ops = m->jit;
    *self = m->jit_self;
    return 0;
}
static void last_words(struct blink_machine *m) {
    m->last_words++;
}

static void map(struct blink_machine *m, uint64_t address, uint64_t size, uint32_t prot) {
    uint64_t at;
    const uint32_t flags = BLINK_MAP_FIXED | BLINK_MAP_ANON;
    assert_int_equal(mem_iface.map(m->mem, address, size, prot, flags, -1, 0, &at), 0);
}

static struct blink_machine *create(const struct mem_options *options, struct blink_bus *bus) {
    struct blink_machine *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->bus = bus;
    m->host = (struct blink_host){.struct_size = sizeof m->host,
                                  .machine = m,
                                  .log = log_line,
                                  .log_enabled = log_enabled,
                                  .get_iface = get_iface};
    struct exec_options o = {
        .hooks = {.machine = m, .log = log_line, .last_words = last_words, .find_jit = find_jit},
        .decoder = &decoder,
        .bus = bus};
    struct mem_options mem = *options;
    assert_int_equal(exec_create(&o, &m->exec), 0);
    mem.hooks = exec_mem_hooks(m->exec);
    assert_int_equal(mem_create(&mem, &m->mem), 0);
    exec_set_mem(m->exec, m->mem);
    exec_set_abi(m->exec, &abi, (struct blink_plugin *)m);
    assert_int_equal(exec_first_cpu(m->exec, &m->cpu), 0);
    cpu_reset_user64(m->cpu);
    m->cpu->rip = CODE;
    m->cpu->gpr[BLINK_RSP] = STACK + PAGE;
    return m;
}

int toy_setup(void **state) {
    const uint32_t rw = BLINK_PROT_READ | BLINK_PROT_WRITE;
    struct mem_options mem = {.strategy = (enum mem_strategy)(uintptr_t)*state};
    struct blink_machine *m = create(&mem, NULL);
    map(m, CODE, 4 * PAGE, rw | BLINK_PROT_EXEC);
    map(m, DATA, 4 * PAGE, rw);
    map(m, STACK, 16 * PAGE, rw);
    *state = m;
    return 0;
}

/* Long mode without paging: no processor is like this, but the toy instructions want 64 bits and
 * the test needs no tables. */
static void memory_claimed(void *arg, uint64_t first, uint64_t last, bool claimed) {
    (void)arg, (void)first, (void)last, (void)claimed;
}

int toy_setup_system(void **state) {
    struct mem_options mem = {.strategy = MEM_PAGED, .system = true, .physical_size = 64 << 20};
    struct blink_bus *bus = NULL;
    assert_int_equal(bus_create(&bus), 0);
    bus_allow_memory(bus, memory_claimed, NULL);
    struct blink_machine *m = create(&mem, bus);
    m->cpu->cr0 &= ~CR0_PG;
    m->cpu->cpl = 0;
    m->cpu->seg[BLINK_SEG_CS].attr &= (uint16_t)~0x60;
    cpu_update_mode(m->cpu);
    m->cpu->rip = PAGE;
    m->cpu->gpr[BLINK_RSP] = 8 * PAGE;
    *state = m;
    return 0;
}

int toy_teardown(void **state) {
    struct blink_machine *m = *state;
    exec_destroy(m->exec);
    if (m->jit)
        m->jit->plugin.destroy(m->jit_self);
    mem_destroy(m->mem);
    bus_destroy(m->bus);
    free(m);
    return 0;
}

void toy_code(struct blink_machine *m, uint64_t address, const uint64_t *insns, size_t count) {
    assert_int_equal(mem_iface.copy_out(m->mem, address, insns, count * 8), 0);
}

uint64_t toy_read(struct blink_machine *m, uint64_t address) {
    uint64_t v = 0;
    assert_int_equal(mem_iface.copy_in(m->mem, &v, address, 8), 0);
    return v;
}

void toy_write(struct blink_machine *m, uint64_t address, uint64_t value) {
    assert_int_equal(mem_iface.copy_out(m->mem, address, &value, 8), 0);
}

struct blink_cpu *toy_thread(struct blink_cpu *parent, uint64_t rip, uint64_t arg, uint32_t n) {
    struct blink_cpu *state = malloc(sizeof *state), *out = NULL;
    memcpy(state, parent, offsetof(struct blink_cpu, tlb)); /* registers only */
    state->rip = rip;
    state->gpr[BLINK_RSP] = STACK + (n + 1) * PAGE;
    int rc = exec_iface.thread_create(parent, state, (void *)(uintptr_t)arg, &out);
    free(state);
    return rc ? NULL : out;
}
