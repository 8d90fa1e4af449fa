/*
 * Every x87 instruction against the host's own: random states and operands are loaded with FRSTOR,
 * the instruction runs, and FNSAVE, memory, flags and AX are compared with what the handler made
 * of the same state. Guest addresses are host addresses, so that even the instruction pointers
 * must agree.
 */
#include "../fp/edges80.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "cpu/cpu.h"
#include "interp/interp.h"

/* How register operands are written. */
enum { NONE, I, I_0, O_I, AX };

static const struct form {
    uint8_t opcode, modrm; /* modrm: digit of a memory form, or the byte (with 0 for i) */
    uint16_t op;
    uint8_t memory; /* bytes, 0: registers */
    uint8_t regs;
    uint8_t cc;
} forms[] = {
#define M(opcode, digit, name, size)                                                               \
  { opcode, (digit) << 3 | 6, BLINK_OP_##name, size, NONE, 0 }
#define R(opcode, modrm, name, regs)                                                               \
  { opcode, modrm, BLINK_OP_##name, 0, regs, 0 }
#define C(opcode, modrm, cc)                                                                       \
  { opcode, modrm, BLINK_OP_FCMOVCC, 0, O_I, cc }
    M(0xd8, 0, FADD, 4),          M(0xd8, 1, FMUL, 4),          M(0xd8, 2, FCOM, 4),
    M(0xd8, 3, FCOMP, 4),         M(0xd8, 4, FSUB, 4),          M(0xd8, 5, FSUBR, 4),
    M(0xd8, 6, FDIV, 4),          M(0xd8, 7, FDIVR, 4),         M(0xdc, 0, FADD, 8),
    M(0xdc, 1, FMUL, 8),          M(0xdc, 2, FCOM, 8),          M(0xdc, 3, FCOMP, 8),
    M(0xdc, 4, FSUB, 8),          M(0xdc, 5, FSUBR, 8),         M(0xdc, 6, FDIV, 8),
    M(0xdc, 7, FDIVR, 8),         M(0xda, 0, FIADD, 4),         M(0xda, 1, FIMUL, 4),
    M(0xda, 2, FICOM, 4),         M(0xda, 3, FICOMP, 4),        M(0xda, 4, FISUB, 4),
    M(0xda, 5, FISUBR, 4),        M(0xda, 6, FIDIV, 4),         M(0xda, 7, FIDIVR, 4),
    M(0xde, 0, FIADD, 2),         M(0xde, 1, FIMUL, 2),         M(0xde, 2, FICOM, 2),
    M(0xde, 3, FICOMP, 2),        M(0xde, 4, FISUB, 2),         M(0xde, 5, FISUBR, 2),
    M(0xde, 6, FIDIV, 2),         M(0xde, 7, FIDIVR, 2),        M(0xd9, 0, FLD, 4),
    M(0xd9, 2, FST, 4),           M(0xd9, 3, FSTP, 4),          M(0xdd, 0, FLD, 8),
    M(0xdd, 2, FST, 8),           M(0xdd, 3, FSTP, 8),          M(0xdb, 5, FLD, 10),
    M(0xdb, 7, FSTP, 10),         M(0xdb, 0, FILD, 4),          M(0xdb, 1, FISTTP, 4),
    M(0xdb, 2, FIST, 4),          M(0xdb, 3, FISTP, 4),         M(0xdf, 0, FILD, 2),
    M(0xdf, 1, FISTTP, 2),        M(0xdf, 2, FIST, 2),          M(0xdf, 3, FISTP, 2),
    M(0xdf, 5, FILD, 8),          M(0xdd, 1, FISTTP, 8),        M(0xdf, 7, FISTP, 8),
    M(0xdf, 4, FBLD, 10),         M(0xdf, 6, FBSTP, 10),        M(0xd9, 4, FLDENV, 28),
    M(0xd9, 6, FNSTENV, 28),      M(0xd9, 5, FLDCW, 2),         M(0xd9, 7, FNSTCW, 2),
    M(0xdd, 4, FRSTOR, 108),      M(0xdd, 6, FNSAVE, 108),      M(0xdd, 7, FNSTSW, 2),
    R(0xd8, 0xc0, FADD, O_I),     R(0xd8, 0xc8, FMUL, O_I),     R(0xd8, 0xd0, FCOM, I),
    R(0xd8, 0xd8, FCOMP, I),      R(0xd8, 0xe0, FSUB, O_I),     R(0xd8, 0xe8, FSUBR, O_I),
    R(0xd8, 0xf0, FDIV, O_I),     R(0xd8, 0xf8, FDIVR, O_I),    R(0xdc, 0xc0, FADD, I_0),
    R(0xdc, 0xc8, FMUL, I_0),     R(0xdc, 0xe0, FSUBR, I_0),    R(0xdc, 0xe8, FSUB, I_0),
    R(0xdc, 0xf0, FDIVR, I_0),    R(0xdc, 0xf8, FDIV, I_0),     R(0xde, 0xc0, FADDP, I_0),
    R(0xde, 0xc8, FMULP, I_0),    R(0xde, 0xe0, FSUBRP, I_0),   R(0xde, 0xe8, FSUBP, I_0),
    R(0xde, 0xf0, FDIVRP, I_0),   R(0xde, 0xf8, FDIVP, I_0),    R(0xd9, 0xc0, FLD, I),
    R(0xd9, 0xc8, FXCH, I),       R(0xdd, 0xc0, FFREE, I),      R(0xdf, 0xc0, FFREEP, I),
    R(0xdd, 0xd0, FST, I),        R(0xdd, 0xd8, FSTP, I),       R(0xdd, 0xe0, FUCOM, I),
    R(0xdd, 0xe8, FUCOMP, I),     R(0xdb, 0xe8, FUCOMI, O_I),   R(0xdb, 0xf0, FCOMI, O_I),
    R(0xdf, 0xe8, FUCOMIP, O_I),  R(0xdf, 0xf0, FCOMIP, O_I),   R(0xde, 0xd9, FCOMPP, NONE),
    R(0xda, 0xe9, FUCOMPP, NONE), R(0xd9, 0xd0, FNOP, NONE),    R(0xd9, 0xe0, FCHS, NONE),
    R(0xd9, 0xe1, FABS, NONE),    R(0xd9, 0xe4, FTST, NONE),    R(0xd9, 0xe5, FXAM, NONE),
    R(0xd9, 0xe8, FLD1, NONE),    R(0xd9, 0xe9, FLDL2T, NONE),  R(0xd9, 0xea, FLDL2E, NONE),
    R(0xd9, 0xeb, FLDPI, NONE),   R(0xd9, 0xec, FLDLG2, NONE),  R(0xd9, 0xed, FLDLN2, NONE),
    R(0xd9, 0xee, FLDZ, NONE),    R(0xd9, 0xf4, FXTRACT, NONE), R(0xd9, 0xf5, FPREM1, NONE),
    R(0xd9, 0xf6, FDECSTP, NONE), R(0xd9, 0xf7, FINCSTP, NONE), R(0xd9, 0xf8, FPREM, NONE),
    R(0xd9, 0xfa, FSQRT, NONE),   R(0xd9, 0xfc, FRNDINT, NONE), R(0xd9, 0xfd, FSCALE, NONE),
    R(0xd9, 0xf0, F2XM1, NONE),   R(0xd9, 0xf1, FYL2X, NONE),   R(0xd9, 0xf2, FPTAN, NONE),
    R(0xd9, 0xf3, FPATAN, NONE),  R(0xd9, 0xf9, FYL2XP1, NONE), R(0xd9, 0xfb, FSINCOS, NONE),
    R(0xd9, 0xfe, FSIN, NONE),    R(0xd9, 0xff, FCOS, NONE),    R(0xdb, 0xe0, FNOP, NONE),
    R(0xdb, 0xe1, FNOP, NONE),    R(0xdb, 0xe4, FNOP, NONE),    R(0xdb, 0xe2, FNCLEX, NONE),
    R(0xdb, 0xe3, FNINIT, NONE),  R(0xdf, 0xe0, FNSTSW, AX),    C(0xda, 0xc0, BLINK_CC_B),
    C(0xda, 0xc8, BLINK_CC_E),    C(0xda, 0xd0, BLINK_CC_BE),   C(0xda, 0xd8, BLINK_CC_P),
    C(0xdb, 0xc0, BLINK_CC_AE),   C(0xdb, 0xc8, BLINK_CC_NE),   C(0xdb, 0xd0, BLINK_CC_A),
    C(0xdb, 0xd8, BLINK_CC_NP),
};
enum { FORMS = sizeof forms / sizeof forms[0] };

/* FNSAVE with 32-bit operand size. */
struct image {
    uint32_t fcw, fsw, tags, fip;
    uint16_t fcs, fop;
    uint32_t fdp, fds;
    uint8_t reg[8][10];
};

struct outcome {
    struct image fpu;
    uint8_t memory[128];
    uint64_t rflags;
    uint64_t rax;
};

#define ARITH (BLINK_FLAGS_ARITH)

/* One page of code, one of memory operands, at addresses that serve host and guest. */
static uint8_t *code, *operand;
static struct blink_cpu *cpu;
static struct interp_context context;
static unsigned failures;

#if defined(__x86_64__)

/* The instruction stands behind FRSTOR [rdi], MOV rax, 0x1234; PUSH rcx; POPF. */
enum { INSN_AT = 32 };

static void assemble(const uint8_t *raw, uint32_t len) {
    static const uint8_t before[] = {0xdd, 0x27, 0xb8, 0x34, 0x12, 0, 0, 0x51, 0x9d};
    static const uint8_t after[] = {0x9c, 0x59, 0x49, 0x89, 0x00, 0x48, 0x89,
                                    0xc8, 0xdd, 0x32, 0x48, 0x89, 0xc8, 0xc3};
    memset(code, 0x90, INSN_AT);
    memcpy(code, before, sizeof before);
    memcpy(code + INSN_AT, raw, len);
    memcpy(code + INSN_AT + len, after, sizeof after);
}

static void run_host(const struct image *in, uint64_t rflags, struct outcome *out) {
    typedef uint64_t run(const void *in, void *memory, void *out, uint64_t rflags, uint64_t *rax);
    run *f = (run *)(uintptr_t)code;
    out->rflags = f(in, operand, &out->fpu, rflags, &out->rax) & ARITH;
    memcpy(out->memory, operand, sizeof out->memory);
    __asm__ volatile("fninit");
}

static void put_image(const struct image *m) {
    cpu->fcw = (uint16_t)m->fcw;
    cpu->ftop = m->fsw >> 11 & 7;
    cpu->fsw = (uint16_t)(m->fsw & ~0x3800u);
    cpu->fvalid = 0;
    for (uint32_t r = 0; r < 8; r++)
        cpu->fvalid |= (uint8_t)(((m->tags >> 2 * r & 3) != 3) << r);
    for (uint32_t n = 0; n < 8; n++) {
        memcpy(&cpu->fpr[(cpu->ftop + n) & 7].frac, m->reg[n], 8);
        memcpy(&cpu->fpr[(cpu->ftop + n) & 7].se, m->reg[n] + 8, 2);
    }
    cpu->fip = m->fip;
    cpu->fdp = m->fdp;
    cpu->fop = m->fop;
    cpu->fcs = m->fcs;
    cpu->fds = m->fds & 0xffff;
}

static uint32_t tag_of(const struct blink_f80 *v) {
    static const uint8_t tags[] = {1, 2, 0, 2, 2, 2, 2};
    return tags[fp80_class(*v)];
}

static void get_image(struct image *m) {
    memset(m, 0, sizeof *m);
    m->fcw = cpu->fcw | 0xffff0000;
    m->fsw = cpu->fsw | (uint32_t)cpu->ftop << 11 | 0xffff0000;
    m->tags = 0xffff0000;
    for (uint32_t r = 0; r < 8; r++)
        m->tags |= (cpu->fvalid >> r & 1 ? tag_of(&cpu->fpr[r]) : 3u) << 2 * r;
    for (uint32_t n = 0; n < 8; n++) {
        memcpy(m->reg[n], &cpu->fpr[(cpu->ftop + n) & 7].frac, 8);
        memcpy(m->reg[n] + 8, &cpu->fpr[(cpu->ftop + n) & 7].se, 2);
    }
    m->fip = (uint32_t)cpu->fip;
    m->fdp = (uint32_t)cpu->fdp;
    m->fop = cpu->fop;
    m->fcs = (uint16_t)cpu->fcs;
    m->fds = cpu->fds | 0xffff0000;
}

static struct block *make_block(const struct form *f, uint32_t n, uint32_t prefix, uint32_t mode) {
    struct block *b = calloc(1, sizeof *b + 2 * sizeof b->insns[0]);
    struct blink_insn *i = &b->insns[0];
    b->count = 1;
    b->mode = mode;
    if (prefix)
        i->raw[0] = 0x66;
    i->off_opcode = (uint8_t)prefix;
    i->off_modrm = (uint8_t)(prefix + 1);
    i->raw[prefix] = f->opcode;
    i->raw[prefix + 1] = (uint8_t)(f->modrm + n);
    i->len = (uint8_t)(prefix + 2);
    i->addr = (uint64_t)(uintptr_t)code + INSN_AT;
    i->op = f->op;
    i->opsize = prefix ? 2 : 4;
    i->addrsize = 8;
    i->cc = f->cc;
    i->seg = BLINK_SEG_NONE;
    i->base = i->index = BLINK_REG_NONE;
    struct blink_operand st0 = {BLINK_OPND_ST, 0, 10, 3}, sti = {BLINK_OPND_ST, (uint8_t)n, 10, 3};
    if (f->memory) {
        i->base = BLINK_RSI;
        i->opnd[0] = (struct blink_operand){BLINK_OPND_MEM, 0, f->memory, 3};
    } else if (f->regs == AX) {
        i->opnd[0] = (struct blink_operand){BLINK_OPND_GPR, BLINK_RAX, 2, 2};
    } else if (f->regs != NONE) {
        i->opnd[0] = f->regs == O_I ? st0 : sti;
        if (f->regs != I)
            i->opnd[1] = f->regs == O_I ? sti : st0;
    }
    b->end_rip = i->addr + i->len;
    interp_bind_block(b);
    return b;
}

static void run_ours(const struct block *b, const struct image *in, uint64_t rflags,
                     struct outcome *out) {
    put_image(in);
    blink_cpu_set_flags(cpu, rflags);
    cpu->gpr[BLINK_RSI] = (uint64_t)(uintptr_t)operand;
    cpu->gpr[BLINK_RAX] = 0x1234;
    cpu->exit_reason = BLINK_EXIT_NONE;
    if (sigsetjmp(context.unwind, 0) == 0)
        interp_run(cpu, b->insns);
    assert_int_equal(cpu->exit_reason, BLINK_EXIT_BLOCK);
    get_image(&out->fpu);
    memcpy(out->memory, operand, sizeof out->memory);
    out->rflags = blink_cpu_get_flags(cpu) & ARITH;
    out->rax = cpu->gpr[BLINK_RAX];
}

static void print_image(const char *name, const struct outcome *o) {
    print_error("  %s fcw %04x fsw %04x tags %04x fop %03x fip %x fdp %x fcs %x fds %x rfl %llx ax "
                "%llx mem",
                name, o->fpu.fcw & 0xffff, o->fpu.fsw & 0xffff, o->fpu.tags & 0xffff, o->fpu.fop,
                o->fpu.fip, o->fpu.fdp, o->fpu.fcs, o->fpu.fds & 0xffff,
                (unsigned long long)o->rflags, (unsigned long long)o->rax);
    for (int k = 9; k >= 0; k--)
        print_error("%02x", o->memory[k]);
    print_error("\n   ");
    for (int n = 0; n < 8; n++) {
        print_error(" %02x%02x:", o->fpu.reg[n][9], o->fpu.reg[n][8]);
        for (int k = 7; k >= 0; k--)
            print_error("%02x", o->fpu.reg[n][k]);
    }
    print_error("\n");
}

static void random_image(uint64_t *seed, struct image *m) {
    uint64_t r = random64(seed);
    memset(m, 0, sizeof *m);
    m->fcw = 0x37f;
    if (r & 1)
        m->fcw = (uint32_t)(r >> 8 & 0xf00) | 0x7f;
    if ((r & 6) == 6)
        m->fcw = (uint32_t)(r >> 8 & 0x1f3f) | 0x40;
    m->fsw = (uint32_t)(r >> 24 & 0x7f7f);
    /* Nothing pending: exceptions only where they are masked. */
    m->fsw &= ~0x3fu | m->fcw;
    for (uint32_t k = 0; k < 8; k++) {
        uint64_t q = random64(seed);
        struct blink_f80 v = q & 3 ? random80(seed) : edges80[(q >> 8) % EDGES80];
        memcpy(m->reg[k], &v.frac, 8);
        memcpy(m->reg[k] + 8, &v.se, 2);
        if ((q >> 32 & 7) == 0 || ((r >> 60) == 0 && q >> 63))
            m->tags |= 3u << 2 * k;
    }
    /* Mostly a half-full stack, so that pushes succeed. */
    if (r >> 59 & 1)
        for (uint32_t k = 1; k < 4; k++)
            m->tags |= 3u << 2 * (((m->fsw >> 11) - k) & 7);
    m->fip = 0x11223344;
    m->fdp = 0x55667788;
    m->fcs = 0x33;
    m->fds = 0x2b;
    m->fop = 0x123;
}

static void random_memory(uint64_t *seed, uint32_t size) {
    struct image m;
    for (uint32_t k = 0; k < 128; k += 8) {
        uint64_t v = random64(seed);
        memcpy(operand + k, &v, 8);
    }
    uint64_t r = random64(seed), v = random_bits(seed);
    if (size == 4)
        v = r & 1 ? random_binary(seed, 32, 23) : r & 2 ? edges32[(r >> 8) % EDGES32] : v;
    if (size == 8)
        v = r & 1 ? random_binary(seed, 64, 52) : r & 2 ? edge64((r >> 8) % EDGES64) : v;
    memcpy(operand, &v, 8);
    if (size == 10) {
        struct blink_f80 w = random80(seed);
        memcpy(operand, &w, 10);
    }
    if (size == 28 || size == 108) {
        random_image(seed, &m);
        memcpy(operand, &m, size);
    }
}

static bool transcendental(const struct form *f) {
    return f->opcode == 0xd9 && ((f->modrm >= 0xf0 && f->modrm <= 0xf3) || f->modrm == 0xf9 ||
                                 f->modrm == 0xfb || f->modrm >= 0xfe);
}

static uint64_t significand(const uint8_t reg[10]) {
    uint64_t v;
    memcpy(&v, reg, 8);
    return v;
}

/* Transcendental results may differ by one unit in the last place, and so in C1. */
static void forgive(const struct outcome *host, struct outcome *ours) {
    for (int n = 0; n < 8; n++) {
        uint64_t d = significand(host->fpu.reg[n]) - significand(ours->fpu.reg[n]);
        /* One more or less; or a power of two against what is just below it. */
        bool power = (d << 1) <= 2 || (d << 1) >= UINT64_MAX - 1;
        if (d + 1 <= 2 || power)
            memcpy(ours->fpu.reg[n], host->fpu.reg[n], 10);
    }
    if (host->fpu.fsw & FP_PE)
        ours->fpu.fsw = (ours->fpu.fsw & ~FP_C1) | (host->fpu.fsw & FP_C1);
}

static bool same(const struct outcome *a, const struct outcome *b) {
    return memcmp(&a->fpu, &b->fpu, sizeof a->fpu) == 0 && a->rflags == b->rflags &&
           a->rax == b->rax && memcmp(a->memory, b->memory, sizeof a->memory) == 0;
}

static void compare_form(const struct form *f, uint32_t n, uint32_t prefix, uint32_t mode,
                         unsigned count) {
    uint64_t seed = 77 + f->opcode * 256u + f->modrm + n;
    struct block *b = make_block(f, n, prefix, mode);
    assemble(b->insns[0].raw, b->insns[0].len);
    unsigned bad = 0;
    for (unsigned k = 0; k < count; k++) {
        struct image in;
        struct outcome host, ours;
        uint8_t before[128];
        uint64_t rflags = 0x202 | (random64(&seed) & ARITH);
        random_image(&seed, &in);
        random_memory(&seed, f->memory);
        memcpy(before, operand, sizeof before);
        run_ours(b, &in, rflags, &ours);
        /* A task switch on some processors loses FOP, FIP and FDP: ask again. */
        bool agreed = false;
        for (int attempt = 0; attempt < 3 && !agreed; attempt++) {
            memcpy(operand, before, sizeof before);
            run_host(&in, rflags, &host);
            if (transcendental(f))
                forgive(&host, &ours);
            agreed = same(&host, &ours);
        }
        if (agreed)
            continue;
        failures++;
        if (bad++ >= 2)
            continue;
        struct outcome start = {.fpu = in, .rflags = rflags};
        memcpy(start.memory, before, sizeof before);
        print_error("op %u: %02x %02x (%s memory)\n", f->op, f->opcode, f->modrm + n,
                    mode & BLINK_MODE_PAGED ? "paged" : "linear");
        print_image("in  ", &start);
        print_image("host", &host);
        print_image("ours", &ours);
    }
    if (bad)
        print_error("%02x %02x: %u of %u differ\n", f->opcode, f->modrm + n, bad, count);
    free(b);
}

  #define MODE64 (BLINK_MODE_BITS64 | BLINK_MODE_PROT | BLINK_MODE_CPL3)

static void test_forms(void **state) {
    (void)state;
    failures = 0;
    for (uint32_t k = 0; k < FORMS; k++) {
        uint32_t regs = forms[k].regs == NONE || forms[k].regs == AX ? 1 : 8;
        for (uint32_t n = 0; n < regs; n++)
            compare_form(&forms[k], n, 0, MODE64, regs > 1 ? 500 : 2000);
    }
    assert_int_equal(failures, 0);
}

static void test_small_environment(void **state) {
    (void)state;
    failures = 0;
    for (uint32_t k = 0; k < FORMS; k++)
        if (forms[k].memory == 28 || forms[k].memory == 108)
            compare_form(&forms[k], 0, 1, MODE64, 1000);
    assert_int_equal(failures, 0);
}

static void test_paged(void **state) {
    (void)state;
    failures = 0;
    uint64_t page = (uint64_t)(uintptr_t)operand;
    uint32_t slot = blink_tlb_index(page);
    cpu->tlb.read[slot] = cpu->tlb.write[slot] = blink_tlb_tag(page);
    cpu->tlb.addend[slot] = 0;
    for (uint32_t k = 0; k < FORMS; k++)
        if (forms[k].memory)
            compare_form(&forms[k], 0, 0, MODE64 | BLINK_MODE_PAGED, 200);
    assert_int_equal(failures, 0);
}
#endif

static int setup(void **state) {
    (void)state;
    code = mmap(NULL, 8192, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cpu = calloc(1, sizeof *cpu);
    if (code == MAP_FAILED || !cpu)
        return -1;
    operand = code + 4096;
    cpu_reset_user64(cpu);
    cpu->exec_private = &context;
    return 0;
}

static int teardown(void **state) {
    (void)state;
    munmap(code, 8192);
    free(cpu);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        HOST_TEST(test_forms),
        HOST_TEST(test_small_environment),
        HOST_TEST(test_paged),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
