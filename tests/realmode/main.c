/*
 * Real mode against a real processor: cases captured from an 80286, one instruction each, run by
 * the interpreter in 16 MiB of physical memory. Registers, flags and memory must be the same but
 * for what the manuals leave open and what later processors do otherwise.
 *
 * usage: realmode FILE DECODER [EVERY]: every EVERY-th case; results in TAP, one a form.
 */
#include <stdlib.h>
#include <string.h>

#include <blink/decoder.h>

#include "bus/bus.h"
#include "cases.h"
#include "cpu/cpu.h"
#include "fakehost.h"
#include "interp/interp.h"
#include "interp/sse/mxcsr.h"
#include "mem/space.h"

#define MEMORY    (UINT64_C(16) << 20)
#define MAX_STEPS 70000u /* REP with CX 0xffff is one block */

/* ---- operations ---- */

#define FC      BLINK_CF
#define FP      BLINK_PF
#define FA      BLINK_AF
#define FZ      BLINK_ZF
#define FS      BLINK_SF
#define FO      BLINK_OF
#define FD      BLINK_DF
#define FI      BLINK_IF
#define A_END   BLINK_OPATTR_END
#define A_LOCK  BLINK_OPATTR_LOCK
#define A_FAULT BLINK_OPATTR_FAULT
#define A_COND  BLINK_OPATTR_COND
static const uint16_t undefined[BLINK_OP_COUNT] = {
#define OP(id, mnemonic, cls, reads, writes, undefined, attr) [BLINK_OP_##id] = (undefined),
#include <blink/ops.def>
};

/* ---- the machine ---- */

struct guest {
    struct blink_cpu cpu;
    struct interp_context context;
    struct blink_jump_cache jumps;
    struct block nowhere;
    struct blink_mem *mem;
    struct blink_bus *bus;
    uint8_t *ram;
    struct block *block;
    uint32_t first_op; /* of the case */
    uint32_t first_len;
    uint32_t count; /* its operand that counts: of a shift */
};

static const struct blink_decoder_ops *decoder;
static struct blink_plugin *decoder_self;
static void *decoder_context;

static _Noreturn void give_up(const char *what) {
    printf("Bail out! %s\n", what);
    exit(99);
}

static void no_drop(void *arg, uint64_t start, uint64_t end) {
    (void)arg, (void)start, (void)end;
}
static void alone(void *arg, void (*work)(void *work_arg), void *work_arg) {
    (void)arg;
    work(work_arg);
}

static void open_decoder(const char *path) {
    struct fakehost *fh = fakehost_create();
    fakehost_log_level(fh, -1);
    decoder = fakehost_load(path, BLINK_KIND_DECODER, "capstone");
    if (!decoder || decoder->plugin.create(fakehost_host(fh), "", &decoder_self) ||
        decoder->context_create(decoder_self, &decoder_context))
        give_up("no decoder");
}

static struct guest *create(void) {
    struct guest *g = calloc(1, sizeof *g);
    struct mem_options o = {.strategy = MEM_PAGED,
                            .system = true,
                            .physical_size = MEMORY,
                            .hooks = {.drop_code = no_drop, .exclusive = alone}};
    uint64_t size = MEMORY;
    struct blink_mem_span span[4];
    uint32_t spans = 4;
    if (!g || mem_create(&o, &g->mem) || bus_create(&g->bus))
        give_up("no memory");
    g->nowhere.rip = UINT64_MAX;
    for (uint32_t k = 0; k < INTERP_JUMP_SLOTS; k++)
        g->jumps.slot[k] = &g->nowhere;
    g->block = calloc(1, sizeof *g->block + 3 * sizeof g->block->insns[0]);
    g->cpu.struct_size = sizeof g->cpu;
    g->cpu.exec_private = &g->context;
    g->cpu.jumps = &g->jumps;
    g->context.bus = g->bus;
    cpu_reset(&g->cpu);
    if (!g->block || mem_attach(g->mem, &g->cpu) ||
        mem_iface.pin(g->mem, 0, &size, BLINK_PROT_READ | BLINK_PROT_WRITE, span, &spans) ||
        spans != 1)
        give_up("no memory");
    g->ram = span[0].host;
    return g;
}

/* ---- state ---- */

static const uint8_t gprs[] = {
    [C_AX] = BLINK_RAX, [C_BX] = BLINK_RBX, [C_CX] = BLINK_RCX, [C_DX] = BLINK_RDX,
    [C_SP] = BLINK_RSP, [C_BP] = BLINK_RBP, [C_SI] = BLINK_RSI, [C_DI] = BLINK_RDI};
static const uint8_t segments[] = {
    [C_CS] = BLINK_SEG_CS, [C_SS] = BLINK_SEG_SS, [C_DS] = BLINK_SEG_DS, [C_ES] = BLINK_SEG_ES};

static bool is_segment(uint32_t k) {
    return k >= C_CS && k <= C_ES;
}

static void load(struct guest *g, const struct one_case *c) {
    struct blink_cpu *cpu = &g->cpu;
    for (uint32_t k = 0; k < C_IP; k++) {
        uint16_t v = c->before[k];
        if (is_segment(k))
            cpu_set_segment(cpu, segments[k], v, (uint64_t)v << 4, 0xffff, k == C_CS ? 0x9b : 0x93);
        else
            cpu->gpr[gprs[k]] = v;
    }
    cpu->rip = c->before[C_IP];
    blink_cpu_set_flags(cpu, (c->before[C_FLAGS] & 0xfff) | 2);
    cpu->exit_reason = BLINK_EXIT_NONE;
    cpu->attention = 0;
    cpu_update_mode(cpu);
    for (uint32_t k = 0; k < c->memory_count; k++)
        g->ram[c->memory[k].at] = c->memory[k].value;
}

static void save(const struct guest *g, uint16_t out[C_REGS]) {
    const struct blink_cpu *cpu = &g->cpu;
    for (uint32_t k = 0; k < C_IP; k++)
        out[k] = is_segment(k) ? cpu->seg[segments[k]].selector : (uint16_t)cpu->gpr[gprs[k]];
    out[C_IP] = (uint16_t)cpu->rip;
    out[C_FLAGS] = (uint16_t)blink_cpu_get_flags(cpu);
}

/* ---- running ---- */

static void push(struct guest *g, uint64_t v) {
    struct blink_cpu *cpu = &g->cpu;
    uint16_t sp = (uint16_t)(cpu->gpr[BLINK_RSP] - 2);
    uint32_t base = (uint32_t)cpu->seg[BLINK_SEG_SS].base;
    cpu->gpr[BLINK_RSP] = sp;
    g->ram[base + sp] = (uint8_t)v;
    g->ram[base + (uint16_t)(sp + 1)] = (uint8_t)(v >> 8);
}

/* Through the table at 0, as the processor does. */
static void interrupt(struct guest *g, uint32_t vector) {
    struct blink_cpu *cpu = &g->cpu;
    const uint8_t *entry = g->ram + 4 * vector;
    uint16_t ip = (uint16_t)(entry[0] | entry[1] << 8), cs = (uint16_t)(entry[2] | entry[3] << 8);
    push(g, blink_cpu_get_flags(cpu));
    push(g, cpu->seg[BLINK_SEG_CS].selector);
    push(g, cpu->rip);
    cpu->flags &= ~(uint64_t)(BLINK_IF | BLINK_TF);
    cpu_set_segment(cpu, BLINK_SEG_CS, cs, (uint64_t)cs << 4, 0xffff, 0x9b);
    cpu->rip = ip;
    cpu_update_mode(cpu);
}

/* The instruction at CS:IP. It wraps within its segment, as on a 286. */
static void fetch(struct guest *g) {
    struct blink_cpu *cpu = &g->cpu;
    struct block *b = g->block;
    uint8_t bytes[BLINK_INSN_MAX_LEN];
    for (uint32_t k = 0; k < sizeof bytes; k++)
        bytes[k] = g->ram[cpu->seg[BLINK_SEG_CS].base + (uint16_t)(cpu->rip + k)];
    struct blink_decode_request req = {.struct_size = sizeof req,
                                       .mode = cpu->mode & BLINK_MODE_BITS,
                                       .bytes = bytes,
                                       .size = sizeof bytes,
                                       .rip = cpu->rip,
                                       .insns = b->insns,
                                       .max = 1};
    decoder->decode(decoder_self, decoder_context, &req);
    b->count = 1;
    b->rip = cpu->rip;
    b->cs_base = cpu->seg[BLINK_SEG_CS].base;
    b->mode = cpu->mode;
    b->end_rip = (uint16_t)(b->insns[0].addr + b->insns[0].len);
    interp_bind_block(b);
}

static void run_block(struct guest *g) {
    struct blink_cpu *cpu = &g->cpu;
    cpu->exit_reason = BLINK_EXIT_NONE;
    if (sigsetjmp(g->context.unwind, 0) == 0) {
        interp_mxcsr_load(cpu);
        interp_run(cpu, g->block->insns);
    }
    interp_mxcsr_store(cpu);
}

/* The stack's end is #SS on later processors, one more #GP on a 286. */
static uint32_t vector_of_286(uint32_t vector, const struct one_case *c) {
    return vector == BLINK_EXC_SS && c->vector == BLINK_EXC_GP ? BLINK_EXC_GP : vector;
}

/* Until a HLT; false: there is none. */
static bool run(struct guest *g, const struct one_case *c, int32_t *vector) {
    struct blink_cpu *cpu = &g->cpu;
    *vector = -1;
    for (uint32_t n = 0; n < MAX_STEPS; n++) {
        fetch(g);
        if (n == 0) {
            const struct blink_insn *i = g->block->insns;
            g->first_op = i->op;
            g->first_len = i->len;
            g->count = i->opnd[1].kind == BLINK_OPND_IMM ? (uint32_t)i->imm
                                                         : (uint32_t)cpu->gpr[BLINK_RCX];
        }
        run_block(g);
        if (cpu->exit_reason == BLINK_EXIT_HLT)
            return true;
        if (cpu->exit_reason == BLINK_EXIT_FAULT)
            *vector = (int32_t)vector_of_286((uint32_t)cpu->exit_info, c);
        if (cpu->exit_reason == BLINK_EXIT_FAULT || cpu->exit_reason == BLINK_EXIT_INT)
            interrupt(g, vector_of_286((uint32_t)cpu->exit_info, c));
    }
    return false;
}

/* ---- what is compared ---- */

/* Flags that are left open: by the operation, and by the count of a shift. */
static uint32_t open_flags(const struct guest *g) {
    uint32_t op = g->first_op, open = undefined[op], count = g->count & 31;
    switch (op) {
    case BLINK_OP_SHL:
    case BLINK_OP_SHR:
    case BLINK_OP_SAR:
    case BLINK_OP_ROL:
    case BLINK_OP_ROR:
    case BLINK_OP_RCL:
    case BLINK_OP_RCR: return open | (count == 1 ? 0 : BLINK_OF);
    default: return open;
    }
}

/* Why a case cannot be compared with a later processor. */
enum { COMPARED, LOCKED, TOO_LONG, NO_SUCH_SEGMENT, REASONS };
static const char *const reasons[REASONS] = {
    [COMPARED] = "compared",
    [LOCKED] = "left out: LOCK where it means nothing raises #UD since the 386",
    [TOO_LONG] = "left out: a 286 takes instructions of 10 bytes",
    [NO_SUCH_SEGMENT] = "left out: FS and GS came with the 386",
};

static uint32_t reason_of(const struct one_case *c, const struct guest *g) {
    if (g->first_op == BLINK_OP_INVALID && strstr(c->text, "lock"))
        return LOCKED;
    if (g->first_len > 10)
        return TOO_LONG;
    bool fs_or_gs = strstr(c->text, "fs") || strstr(c->text, "gs");
    return c->vector == BLINK_EXC_UD && fs_or_gs ? NO_SUCH_SEGMENT : COMPARED;
}

static uint8_t wanted_byte(const struct one_case *c, uint32_t at, bool *known) {
    for (uint32_t k = 0; k < c->written_count; k++)
        if (c->written[k].at == at)
            return c->written[k].value;
    for (uint32_t k = 0; k < c->memory_count; k++)
        if (c->memory[k].at == at)
            return c->memory[k].value;
    *known = false;
    return 0;
}

/* A 286 has moved the index registers of a string instruction, and counted an element of ports,
 * when it sees that it cannot go on; later ones leave them as they were. */
static bool is_moved_index(const struct guest *g, const struct one_case *c, uint32_t k) {
    bool string = g->first_op >= BLINK_OP_MOVS && g->first_op <= BLINK_OP_OUTS;
    bool ports = g->first_op == BLINK_OP_INS || g->first_op == BLINK_OP_OUTS;
    return string && c->vector >= 0 && (k == C_SI || k == C_DI || (k == C_CX && ports));
}

/* Physical address of byte `k` of the flags that the exception pushed. */
static uint32_t pushed_flags(const struct one_case *c, uint32_t k) {
    return ((uint32_t)c->before[C_SS] << 4) + (uint16_t)(c->after[C_SP] + 4 + k);
}

/* Differences, told to `out`. */
static uint32_t compare(const struct guest *g, const struct one_case *c, int32_t vector,
                        FILE *out) {
    uint32_t differences = 0, open = open_flags(g) | 0xf000;
    uint16_t got[C_REGS];
    save(g, got);
    for (uint32_t k = 0; k < C_REGS; k++) {
        uint32_t mask = k == C_FLAGS ? ~open : ~0u;
        if (((got[k] ^ c->after[k]) & mask & 0xffff) && !is_moved_index(g, c, k)) {
            differences++;
            fprintf(out, "#   %s was %04x, is %04x, should be %04x\n", case_names[k], c->before[k],
                    got[k], c->after[k]);
        }
    }
    if (vector != c->vector && !(vector < 0 && c->vector >= 0))
        fprintf(out, "#   exception %d, should be %d\n", vector, c->vector);
    for (uint32_t k = 0; k < c->memory_count + c->written_count; k++) {
        uint32_t at = k < c->memory_count ? c->memory[k].at : c->written[k - c->memory_count].at;
        bool known = true, low = c->vector >= 0 && at == pushed_flags(c, 0),
             high = c->vector >= 0 && at == pushed_flags(c, 1);
        uint8_t want = wanted_byte(c, at, &known);
        uint32_t mask = low ? ~open : high ? ~(open >> 8) : ~0u;
        if ((g->ram[at] ^ want) & mask & 0xff) {
            differences++;
            fprintf(out, "#   [%06x] is %02x, should be %02x\n", at, g->ram[at], want);
        }
    }
    return differences;
}

static void forget(struct guest *g, const struct one_case *c) {
    for (uint32_t k = 0; k < c->memory_count; k++)
        g->ram[c->memory[k].at] = 0;
    for (uint32_t k = 0; k < c->written_count; k++)
        g->ram[c->written[k].at] = 0;
}

/* ---- forms, one after the other ---- */

struct form {
    char name[8];
    uint32_t cases, differ, excluded, shown, number;
    uint32_t by_reason[REASONS]; /* of all forms, as is: */
    uint32_t differ_all;
};

static void finish_form(struct form *f) {
    if (!f->name[0])
        return;
    printf("%sok %u - %s: %u cases", f->differ ? "not " : "", ++f->number, f->name, f->cases);
    printf(f->excluded ? ", %u left out\n" : "\n", f->excluded);
    f->differ_all += f->differ;
    f->cases = f->differ = f->excluded = f->shown = 0;
}

static void try_case(struct guest *g, const struct one_case *c, struct form *f) {
    static char text[4096];
    int32_t vector;
    memset(text, 0, sizeof text);
    FILE *out = fmemopen(text, sizeof text - 1, "w");
    if (!out)
        give_up("fmemopen");
    load(g, c);
    bool ended = run(g, c, &vector);
    uint32_t differences = compare(g, c, vector, out) + !ended;
    fclose(out);
    forget(g, c);
    uint32_t reason = reason_of(c, g);
    f->by_reason[reason]++;
    if (reason != COMPARED) {
        f->excluded++;
        return;
    }
    f->cases++;
    f->differ += differences != 0;
    if (differences && f->shown++ < 3)
        printf("# %s: %s (%s), before: %04x flags%s\n%s", c->form, c->text, c->bytes,
               c->before[C_FLAGS], ended ? "" : "; it does not end", text);
}

static FILE *open_cases(const char *path) {
    char command[1200];
    FILE *f = fopen(path, "r");
    if (!f) {
        printf("1..0 # SKIP no cases in %s\n", path);
        exit(0);
    }
    fclose(f);
    snprintf(command, sizeof command, "gzip -dc '%s'", path);
    f = popen(command, "r");
    if (!f)
        give_up("gzip");
    return f;
}

int main(int argc, char **argv) {
    static struct one_case c;
    struct form f = {.number = 0};
    if (argc < 3)
        return 2;
    uint32_t every = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 1;
    FILE *in = open_cases(argv[1]);
    open_decoder(argv[2]);
    struct guest *g = create();
    for (uint32_t n = 0; case_read(in, &c); n++) {
        if (strcmp(f.name, c.form)) {
            finish_form(&f);
            memcpy(f.name, c.form, sizeof f.name);
        }
        if (every && n % every == 0)
            try_case(g, &c, &f);
    }
    finish_form(&f);
    pclose(in);
    printf("1..%u\n", f.number);
    for (uint32_t k = 0; k < REASONS; k++)
        printf("# %u cases %s\n", f.by_reason[k], reasons[k]);
    printf("# %u differences\n", f.differ_all);
    return f.differ_all != 0;
}
