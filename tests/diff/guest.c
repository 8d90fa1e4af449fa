/*
 * The interpreter's side: the same state in a blink_cpu, the same memory in a guest address space,
 * linear and paged, and the smallest loop that runs blocks until the code ends or faults.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "cpu/cpu.h"
#include "diff.h"
#include "interp/interp.h"
#include "interp/slow.h"
#include "interp/sse/mxcsr.h"
#include "mem/space.h"

enum { GUEST_LINEAR, GUEST_PAGED, GUEST_COUNT };

#define MAX_BLOCKS 64u

struct guest {
    struct blink_cpu cpu;
    struct interp_context context;
    struct blink_jump_cache jumps;
    struct block nowhere;
    struct blink_mem *mem;
    uint8_t *data; /* host memory */
    const struct trial *trial;
    struct block *block;
};

static struct guest *guests[GUEST_COUNT];
static struct guest *volatile running;

static void no_drop(void *arg, uint64_t start, uint64_t end) {
    (void)arg, (void)start, (void)end;
}
static void alone(void *arg, void (*work)(void *work_arg), void *work_arg) {
    (void)arg;
    work(work_arg);
}

/* ---- memory ---- */

static uint8_t *map_piece(struct guest *g, uint64_t at, uint64_t size, uint32_t prot) {
    uint64_t got = 0, pinned = size;
    struct blink_mem_span span[4];
    uint32_t spans = 4;
    if (mem_iface.map(g->mem, at, size, prot, BLINK_MAP_ANON | BLINK_MAP_NOREPLACE, -1, 0, &got) ||
        mem_iface.pin(g->mem, at, &pinned, BLINK_PROT_READ, span, &spans) || pinned != size ||
        spans != 1)
        return NULL;
    return span[0].host;
}

static struct guest *create(uint32_t which) {
    struct guest *g = calloc(1, sizeof *g);
    struct mem_options o = {.strategy = which == GUEST_PAGED ? MEM_PAGED : MEM_LINEAR,
                            .hooks = {.drop_code = no_drop, .exclusive = alone}};
    if (!g || mem_create(&o, &g->mem))
        return NULL;
    g->nowhere.rip = UINT64_MAX;
    for (uint32_t k = 0; k < INTERP_JUMP_SLOTS; k++)
        g->jumps.slot[k] = &g->nowhere;
    g->block = calloc(1, sizeof *g->block + (MAX_INSNS + 2) * sizeof g->block->insns[0]);
    g->cpu.exec_private = &g->context;
    g->cpu.jumps = &g->jumps;
    cpu_reset_user64(&g->cpu);
    /* Instructions are decoded from the trial; nothing reads them as data. */
    uint8_t *code = map_piece(g, CODE_AT, CODE_SIZE, BLINK_PROT_READ | BLINK_PROT_EXEC);
    g->data = map_piece(g, DATA_AT, DATA_SIZE, BLINK_PROT_READ | BLINK_PROT_WRITE);
    uint8_t *constant = map_piece(g, CONST_AT, CONST_SIZE, BLINK_PROT_READ);
    uint8_t *tables = map_piece(g, SEGMENTS_AT, SEGMENTS_SIZE, BLINK_PROT_READ | BLINK_PROT_WRITE);
    if (!g->block || !code || !g->data || !constant || !tables)
        return NULL;
    segments_tables(tables);
    segments_registers(&g->cpu);
    if (mem_attach(g->mem, &g->cpu))
        return NULL;
    return g;
}

/* ---- running ---- */

/* As exec has it. */
static bool writes_memory(const struct blink_insn *i) {
    for (uint32_t k = 0; k < 4 && i->op != BLINK_OP_ARPL; k++)
        if (i->opnd[k].kind == BLINK_OPND_MEM && (i->opnd[k].access & BLINK_ACCESS_WRITE))
            return true;
    return false;
}

/* A fault of linear memory: as exec's handler does it. */
static void on_fault(int signo, siginfo_t *info, void *context) {
    const ucontext_t *u = context;
    struct guest *g = running;
    struct mem_fault fault = {0};
    bool write = u->uc_mcontext.gregs[REG_ERR] & 2;
    if (!g || mem_host_fault(g->mem, (uintptr_t)info->si_addr, write, signo == SIGBUS,
                             info->si_code == SI_KERNEL, &fault) != MEM_FAULT_GUEST) {
        signal(signo, SIG_DFL);
        return;
    }
    g->cpu.exit_info = fault.vector;
    g->cpu.exit_error = fault.error;
    if (fault.vector == BLINK_EXC_GP && g->cpu.insn)
        g->cpu.exit_info = interp_noncanonical_vector(&g->cpu, g->cpu.insn);
    if (fault.vector == BLINK_EXC_PF)
        g->cpu.cr2 = fault.address;
    if (fault.vector == BLINK_EXC_PF && g->cpu.insn && writes_memory(g->cpu.insn))
        g->cpu.exit_error |= BLINK_PF_W;
    g->cpu.exit_reason = BLINK_EXIT_FAULT;
    g->cpu.mxcsr |= u->uc_mcontext.fpregs->mxcsr & 0x3f;
    interp_settle(&g->cpu);
    siglongjmp(g->context.unwind, 1);
}

static uint64_t linear_rip(const struct blink_cpu *cpu) {
    uint64_t a = cpu->seg[BLINK_SEG_CS].base + cpu->rip;
    return (cpu->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64 ? a : (uint32_t)a;
}

/* The next block; false if nothing can be fetched there. */
static bool fetch(struct guest *g) {
    struct blink_cpu *cpu = &g->cpu;
    struct block *b = g->block;
    uint32_t stop;
    uint64_t start = CODE_END - g->trial->code_size, at = linear_rip(cpu);
    if (at < start || at >= CODE_END || cpu->rip > cpu->seg[BLINK_SEG_CS].limit)
        return false;
    b->rip = cpu->rip;
    b->cs_base = cpu->seg[BLINK_SEG_CS].base;
    b->mode = cpu->mode;
    b->link[0] = b->link[1] = NULL;
    b->count = decode_block(cpu->mode & BLINK_MODE_BITS, g->trial->code + (at - start),
                            CODE_END - at, cpu->rip, b->insns, MAX_INSNS + 1, &stop);
    if (!b->count)
        return false;
    b->end_rip = b->insns[b->count - 1].addr + b->insns[b->count - 1].len;
    interp_bind_block(b);
    return true;
}

static void fetch_fault(struct blink_cpu *cpu) {
    uint64_t at = linear_rip(cpu);
    bool wide = (cpu->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64;
    bool page = wide ? cpu_canonical(at) : cpu->rip <= cpu->seg[BLINK_SEG_CS].limit;
    cpu->exit_reason = BLINK_EXIT_FAULT;
    cpu->exit_info = page ? BLINK_EXC_PF : BLINK_EXC_GP;
    bool there = (at >= DATA_AT && at < CONST_AT + CONST_SIZE) ||
                 (at >= CODE_AT && at < CODE_AT + CODE_SIZE);
    cpu->exit_error = page ? BLINK_PF_U | BLINK_PF_I | (there ? BLINK_PF_P : 0) : 0;
    cpu->cr2 = page ? at : 0;
}

/* Until the code ends, by itself or by an exit. */
static void run(struct guest *g) {
    struct blink_cpu *cpu = &g->cpu;
    for (uint32_t k = 0; k < MAX_BLOCKS && linear_rip(cpu) != CODE_END; k++) {
        if (!fetch(g)) {
            fetch_fault(cpu);
            return;
        }
        cpu->exit_reason = BLINK_EXIT_NONE;
        if (sigsetjmp(g->context.unwind, 0) == 0) {
            interp_mxcsr_load(cpu);
            interp_run(cpu, g->block->insns);
        }
        interp_mxcsr_store(cpu);
        if (cpu->exit_reason != BLINK_EXIT_BLOCK)
            return;
    }
}

static uint32_t vector_of(const struct blink_cpu *cpu) {
    switch (cpu->exit_reason) {
    case BLINK_EXIT_NONE:
    case BLINK_EXIT_BLOCK: return linear_rip(cpu) == CODE_END ? VECTOR_NONE : VECTOR_HANG;
    case BLINK_EXIT_FAULT:
    case BLINK_EXIT_INT: return (uint32_t)cpu->exit_info;
    default: return VECTOR_HANG;
    }
}

void guest_run(bool paged, const struct trial *t, struct outcome *out) {
    struct guest *g = guests[paged ? GUEST_PAGED : GUEST_LINEAR];
    g->trial = t;
    memcpy(g->data, t->data, DATA_SIZE);
    cpu_load_state(&g->cpu, t);
    running = g;
    run(g);
    running = NULL;
    cpu_save_state(&g->cpu, &out->state);
    memcpy(out->data, g->data, DATA_SIZE);
    out->vector = vector_of(&g->cpu);
    bool fault = g->cpu.exit_reason == BLINK_EXIT_FAULT;
    out->error = fault && out->vector < 32 ? (uint32_t)g->cpu.exit_error : 0;
    out->cr2 = g->cpu.cr2;
}

bool guest_init(void) {
    static uint8_t stack[1 << 16];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_sigaction = on_fault,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    sigaltstack(&alternate, NULL);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    for (uint32_t k = 0; k < GUEST_COUNT; k++)
        if (!(guests[k] = create(k)))
            return false;
    return true;
}
