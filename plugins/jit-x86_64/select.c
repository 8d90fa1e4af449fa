/*
 * Which instructions are copied and which are the interpreter's. Copied is what does in user mode
 * on the host exactly what it does in the guest; what would tell of the host, or needs the guest's
 * system state, is interpreted.
 */
#include "jit.h"

bool select_host_ok(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("x86-64-v2");
}

/* Operations of classes that are copied as a whole, but not these: they tell addresses of host
 * code, or change what the guest must not, or need privileges. */
static bool always_interpreted(uint32_t op) {
    switch (op) {
    case BLINK_OP_POPF:
    case BLINK_OP_PUSHF:
    case BLINK_OP_XLAT:
    case BLINK_OP_LDS:
    case BLINK_OP_LES:
    case BLINK_OP_LSS:
    case BLINK_OP_LFS:
    case BLINK_OP_LGS:
    case BLINK_OP_BOUND:
    case BLINK_OP_SALC:
    case BLINK_OP_FNSTENV:
    case BLINK_OP_FLDENV:
    case BLINK_OP_FNSAVE:
    case BLINK_OP_FRSTOR: return true;
    default: return false;
    }
}

static bool copied_system(uint32_t op) {
    switch (op) {
    case BLINK_OP_RDTSC:
    case BLINK_OP_PAUSE:
    case BLINK_OP_LFENCE:
    case BLINK_OP_MFENCE:
    case BLINK_OP_SFENCE:
    case BLINK_OP_CLFLUSH:
    case BLINK_OP_PREFETCH:
    case BLINK_OP_ENDBR: return true;
    default: return false;
    }
}

/* Baseline instructions are x86-64-v2; each of these needs a feature of the host. */
static bool host_has(const struct blink_plugin *self, const struct blink_insn *i) {
    switch (i->op) {
    case BLINK_OP_ADCX:
    case BLINK_OP_ADOX: return __builtin_cpu_supports("adx");
    case BLINK_OP_ANDN:
    case BLINK_OP_BEXTR:
    case BLINK_OP_BLSI:
    case BLINK_OP_BLSMSK:
    case BLINK_OP_BLSR:
    case BLINK_OP_TZCNT: return __builtin_cpu_supports("bmi");
    case BLINK_OP_BZHI:
    case BLINK_OP_MULX:
    case BLINK_OP_PDEP:
    case BLINK_OP_PEXT:
    case BLINK_OP_RORX:
    case BLINK_OP_SARX:
    case BLINK_OP_SHLX:
    case BLINK_OP_SHRX: return __builtin_cpu_supports("bmi2");
    case BLINK_OP_LZCNT: return __builtin_cpu_supports("lzcnt");
    case BLINK_OP_MOVBE: return __builtin_cpu_supports("movbe");
    case BLINK_OP_AESDEC:
    case BLINK_OP_AESDECLAST:
    case BLINK_OP_AESENC:
    case BLINK_OP_AESENCLAST:
    case BLINK_OP_AESIMC:
    case BLINK_OP_AESKEYGENASSIST: return __builtin_cpu_supports("aes");
    case BLINK_OP_PCLMULQDQ: return __builtin_cpu_supports("pclmul");
    case BLINK_OP_SHA1MSG1:
    case BLINK_OP_SHA1MSG2:
    case BLINK_OP_SHA1NEXTE:
    case BLINK_OP_SHA1RNDS4:
    case BLINK_OP_SHA256MSG1:
    case BLINK_OP_SHA256MSG2:
    case BLINK_OP_SHA256RNDS2: return __builtin_cpu_supports("sha");
    case BLINK_OP_VAESDEC:
    case BLINK_OP_VAESDECLAST:
    case BLINK_OP_VAESENC:
    case BLINK_OP_VAESENCLAST:
        return self->has_avx && __builtin_cpu_supports("aes") &&
               (!(i->prefix & BLINK_PFX_VEX_L) || __builtin_cpu_supports("vaes"));
    case BLINK_OP_VPCLMULQDQ:
        return self->has_avx && __builtin_cpu_supports("pclmul") &&
               (!(i->prefix & BLINK_PFX_VEX_L) || __builtin_cpu_supports("vpclmulqdq"));
    default: return true;
    }
}

static const uint8_t class_of[BLINK_OP_COUNT] = {
#define OP(id, mnemonic, cls, reads, writes, undefined, attr) [BLINK_OP_##id] = BLINK_CLASS_##cls,
#include <blink/ops.def>
};

static bool has_operand(const struct blink_insn *i, uint32_t kind) {
    for (uint32_t k = 0; k < 4; k++)
        if (i->opnd[k].kind == kind)
            return true;
    return false;
}

/* MASKMOV's implied operand follows an override like any other, but there is no ModRM to rewrite.
 */
static bool has_implied_segment(const struct blink_insn *i) {
    return (i->prefix & BLINK_PFX_SEG) &&
           (i->op == BLINK_OP_MASKMOVQ || i->op == BLINK_OP_MASKMOVDQU ||
            i->op == BLINK_OP_VMASKMOVDQU || class_of[i->op] == BLINK_CLASS_STRING);
}

/* LZCNT and TZCNT to the host, to which F3 is more than an idle prefix. */
static bool is_count_of_old(const struct blink_insn *i) {
    return (i->op == BLINK_OP_BSF || i->op == BLINK_OP_BSR) && (i->prefix & BLINK_PFX_REP);
}

static bool touches_mmx(const struct blink_insn *i) {
    return has_operand(i, BLINK_OPND_MMX) || i->op == BLINK_OP_EMMS;
}

/* What has another form in 64-bit mode, or none, but is simple in other code. Where no descriptors
 * are, segment registers but SS, after which no interrupt comes, are simply loaded. */
static bool is_simple_elsewhere(const struct blink_insn *i, uint32_t mode) {
    bool real = !(mode & BLINK_MODE_PROT);
    uint32_t to = i->opnd[0].kind == BLINK_OPND_SEG ? i->opnd[0].reg : BLINK_SEG_NONE;
    bool loads = real && to != BLINK_SEG_NONE && to != BLINK_SEG_SS && to != BLINK_SEG_CS;
    switch (i->op) {
    case BLINK_OP_XLAT:
    case BLINK_OP_LODS:
    case BLINK_OP_STOS:
    case BLINK_OP_MOVS: return true;
    case BLINK_OP_PUSH: return to != BLINK_SEG_NONE;
    case BLINK_OP_POP: return loads;
    case BLINK_OP_MOV_SEG: return loads || i->opnd[1].kind == BLINK_OPND_SEG;
    case BLINK_OP_LDS:
    case BLINK_OP_LES:
    case BLINK_OP_LFS:
    case BLINK_OP_LGS: return real;
    default: return false;
    }
}

/* What depends on the time of day, or counts by itself. */
static bool is_of_core(const struct gen *g, const struct blink_insn *i) {
    return (i->op == BLINK_OP_RDTSC && g->block->page) || (i->op == BLINK_OP_SYSCALL && g->counted);
}

uint32_t select_action(const struct gen *g, const struct blink_insn *i) {
    const struct blink_plugin *self = g->self;
    uint32_t mode = g->block->mode;
    bool legacy = (mode & BLINK_MODE_BITS) != BLINK_MODE_BITS64;
    if (legacy && is_simple_elsewhere(i, mode))
        return DO_COPY;
    bool x87 = !(mode & (BLINK_MODE_NOX87 | BLINK_MODE_FERR));
    if (i->op == BLINK_OP_INVALID || i->op >= BLINK_OP_COUNT || always_interpreted(i->op) ||
        has_operand(i, BLINK_OPND_SEG) || has_implied_segment(i) || is_count_of_old(i) ||
        !host_has(self, i) || is_of_core(g, i))
        return DO_INTERPRET;
    switch (class_of[i->op]) {
    case BLINK_CLASS_INT:
    case BLINK_CLASS_STRING: return DO_COPY;
    case BLINK_CLASS_X87:
    case BLINK_CLASS_MMX: return x87 ? DO_COPY_X87 : DO_INTERPRET;
    case BLINK_CLASS_SSE:
        if ((mode & BLINK_MODE_NOSSE) || (touches_mmx(i) && !x87))
            return DO_INTERPRET;
        return touches_mmx(i) ? DO_COPY_X87 : DO_COPY;
    case BLINK_CLASS_AVX:
        return self->has_avx && !(mode & BLINK_MODE_NOAVX) ? DO_COPY : DO_INTERPRET;
    case BLINK_CLASS_SYSTEM: return copied_system(i->op) ? DO_COPY : DO_INTERPRET;
    case BLINK_CLASS_BRANCH: break;
    default: return DO_INTERPRET;
    }
    switch (i->op) {
    case BLINK_OP_SYSCALL: return legacy ? DO_INTERPRET : DO_SYSCALL;
    case BLINK_OP_JMP:
    case BLINK_OP_JCC:
    case BLINK_OP_JCXZ:
    case BLINK_OP_LOOP:
    case BLINK_OP_LOOPE:
    case BLINK_OP_LOOPNE:
    case BLINK_OP_CALL:
    case BLINK_OP_RET:
        /* With an operand-size prefix processors differ, in 64-bit mode. */
        return (i->prefix & BLINK_PFX_OPSIZE) && !legacy ? DO_INTERPRET : DO_BRANCH;
    default: return DO_INTERPRET;
    }
}
