/*
 * When two outcomes are the same: all state but what the manuals leave open.
 */
#include <inttypes.h>
#include <string.h>

#include "diff.h"

struct comparison {
    const struct trial *t;
    const struct outcome *host, *guest;
    FILE *out;
    uint32_t differences;
};

static void differ(struct comparison *c, uint32_t kind, const char *what, uint64_t host,
                   uint64_t guest) {
    c->differences |= kind;
    if (c->out)
        fprintf(c->out, "    %-8s host %016" PRIx64 "  guest %016" PRIx64 "\n", what, host, guest);
}

static void differ_bytes(struct comparison *c, uint32_t kind, const char *what, const uint8_t *host,
                         const uint8_t *guest, size_t n) {
    c->differences |= kind;
    if (!c->out)
        return;
    fprintf(c->out, "    %-8s host ", what);
    for (size_t k = n; k-- > 0;)
        fprintf(c->out, "%02x", host[k]);
    fprintf(c->out, "\n             guest ");
    for (size_t k = n; k-- > 0;)
        fprintf(c->out, "%02x", guest[k]);
    fprintf(c->out, "\n");
}

/* How many instructions were done, by where it ended. */
static uint32_t instructions_done(const struct trial *t, const struct outcome *o) {
    uint64_t at = trial_start(t);
    if (o->vector == VECTOR_NONE)
        return t->count;
    for (uint32_t k = 0; k < t->count; k++) {
        if (o->state.rip == at)
            return k;
        at += t->lengths[k];
    }
    return t->count;
}

/* Which of several bad places an instruction comes to first is the processor's choice: both ends of
 * a string move, the pages of a long or crossing operand. */
static bool fault_is_open(const struct comparison *c) {
    struct blink_insn i;
    uint32_t k = instructions_done(c->t, c->host), at = 0;
    if (k >= c->t->count)
        return false;
    for (uint32_t j = 0; j < k; j++)
        at += c->t->lengths[j];
    if (!decode_at(c->t->mode, c->t->code + at, c->t->lengths[k], c->host->state.rip, &i))
        return false;
    bool pages = c->host->vector == BLINK_EXC_PF && c->guest->vector == BLINK_EXC_PF;
    uint64_t distance =
        c->host->cr2 > c->guest->cr2 ? c->host->cr2 - c->guest->cr2 : c->guest->cr2 - c->host->cr2;
    /* Beyond the stack segment and not aligned either. */
    if (c->host->vector + c->guest->vector == BLINK_EXC_GP + BLINK_EXC_SS &&
        op_classes[i.op] >= BLINK_CLASS_MMX)
        return true;
    bool limit = c->guest->vector == BLINK_EXC_GP || c->guest->vector == BLINK_EXC_SS;
    switch (i.op) {
    case BLINK_OP_MOVS:
    case BLINK_OP_CMPS:
    case BLINK_OP_PUSH:
    case BLINK_OP_POP:
    case BLINK_OP_CALL:
    case BLINK_OP_CALLF:
    case BLINK_OP_RETF:
    case BLINK_OP_IRET: return true;
    case BLINK_OP_FXSAVE:
    case BLINK_OP_FXRSTOR:
    case BLINK_OP_FRSTOR:
    case BLINK_OP_FNSAVE:
    case BLINK_OP_FLDENV:
    case BLINK_OP_FNSTENV:
        /* An operand that passes 64 KiB of address goes on at 0. */
        return (pages && (distance < 512 || i.addrsize == 2)) || limit;
    case BLINK_OP_VMASKMOVPS:
    case BLINK_OP_VMASKMOVPD:
    case BLINK_OP_VPMASKMOVD:
    case BLINK_OP_VPMASKMOVQ:
        if (limit)
            return true;
        return pages && distance > 0 && distance < 64 && (c->host->cr2 ^ c->guest->cr2) >> 12 != 0;
    default:
        return pages && distance > 0 && distance < 64 && (c->host->cr2 ^ c->guest->cr2) >> 12 != 0;
    }
}

static void compare_end(struct comparison *c) {
    const struct outcome *h = c->host, *g = c->guest;
    bool faults = h->vector < 32 && g->vector < 32 && h->state.rip == g->state.rip;
    if (faults && fault_is_open(c))
        return;
    if (h->vector != g->vector) {
        differ(c, DIFFER_END, "vector", h->vector, g->vector);
        if (c->out)
            fprintf(c->out, "    (error, cr2: host %x %" PRIx64 "  guest %x %" PRIx64 ")\n",
                    h->error, h->cr2, g->error, g->cr2);
    }
    if (h->state.rip != g->state.rip)
        differ(c, DIFFER_END, "rip", h->state.rip, g->state.rip);
    if (h->vector != g->vector || h->vector >= 32)
        return;
    /* Whether the kernel has a page there is not the guest's business. */
    uint32_t mask = h->vector == BLINK_EXC_PF && h->cr2 >> 47 ? ~1u : ~0u;
    if ((h->error ^ g->error) & mask)
        differ(c, DIFFER_ERROR, "error", h->error, g->error);
    if (h->vector == BLINK_EXC_PF && h->cr2 != g->cr2)
        differ(c, DIFFER_ERROR, "cr2", h->cr2, g->cr2);
}

/* The host's kernel returns by IRET, which takes the low bits of a null selector away. */
static uint16_t plain_selector(uint16_t selector) {
    return selector < 4 ? 0 : selector;
}

/* The host ended in a fault of this operation. */
static bool is_fault_of(const struct comparison *c, uint32_t op) {
    struct blink_insn i;
    uint32_t n = instructions_done(c->t, c->host), at = 0;
    for (uint32_t k = 0; k < n && k < c->t->count; k++)
        at += c->t->lengths[k];
    return n < c->t->count &&
           decode_at(c->t->mode, c->t->code + at, c->t->lengths[n], c->host->state.rip, &i) &&
           i.op == op;
}

static void compare_integer(struct comparison *c) {
    static const char *const names[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    const struct state *h = &c->host->state, *g = &c->guest->state;
    uint64_t defined = trial_defined_flags(c->t, instructions_done(c->t, c->host));
    uint64_t mask = (defined & BLINK_FLAGS_ARITH) | BLINK_DF | BLINK_ID | BLINK_NT | BLINK_AC;
    /* Outside 64-bit mode the rest of the registers is nobody's. */
    bool wide = c->t->mode == BLINK_MODE_BITS64 && h->seg[BLINK_SEG_CS] == 0x33;
    uint64_t bits = wide ? ~UINT64_C(0) : UINT32_MAX;
    uint64_t most = bits, rsp = bits;
    /* POPA that faults has loaded some registers, or none: it will be done again. */
    if (is_fault_of(c, BLINK_OP_POPA))
        most = 0;
    /* What RETF releases of a stack of 16 bits may carry into the rest of ESP. */
    if (c->t->focus == BLINK_OP_RETF && !(segments_find(h->seg[BLINK_SEG_SS]).attr & 0x4000))
        rsp = wide ? bits : 0xffff;
    /* Linux has a segment whose limit is the number of the processor that the host is on. */
    const uint64_t number = c->t->focus == BLINK_OP_LSL ? 0xfff : 0;
    for (uint32_t k = 0; k < (wide ? 16u : 8u); k++)
        if ((h->gpr[k] ^ g->gpr[k]) & (k == BLINK_RSP ? rsp : most) & ~number)
            differ(c, DIFFER_GPR, names[k], h->gpr[k], g->gpr[k]);
    static const char *const segments[] = {"es", "cs", "ss", "ds", "fs", "gs"};
    for (uint32_t k = 0; k < 6 && c->t->far; k++)
        if (plain_selector(h->seg[k]) != plain_selector(g->seg[k]))
            differ(c, DIFFER_GPR, segments[k], h->seg[k], g->seg[k]);
    if ((h->flags ^ g->flags) & mask)
        differ(c, DIFFER_FLAGS, "flags", h->flags & mask, g->flags & mask);
    if (h->fs != g->fs)
        differ(c, DIFFER_GPR, "fs base", h->fs, g->fs);
    if (h->gs != g->gs)
        differ(c, DIFFER_GPR, "gs base", h->gs, g->gs);
}

static void compare_vectors(struct comparison *c) {
    const uint8_t *h = c->host->state.xsave, *g = c->guest->state.xsave;
    uint32_t hm, gm;
    char name[8];
    memcpy(&hm, h + 24, 4);
    memcpy(&gm, g + 24, 4);
    if (hm != gm)
        differ(c, DIFFER_MXCSR, "mxcsr", hm, gm);
    for (uint32_t k = 0; k < 16; k++) {
        snprintf(name, sizeof name, "xmm%u", k);
        if (memcmp(h + 160 + 16 * k, g + 160 + 16 * k, 16))
            differ_bytes(c, DIFFER_VECTOR, name, h + 160 + 16 * k, g + 160 + 16 * k, 16);
        snprintf(name, sizeof name, "ymmh%u", k);
        if (memcmp(h + 576 + 16 * k, g + 576 + 16 * k, 16))
            differ_bytes(c, DIFFER_VECTOR, name, h + 576 + 16 * k, g + 576 + 16 * k, 16);
    }
}

/* The same, or next to each other: finite, as 80-bit numbers in order. */
static bool within_ulp(const uint8_t *a, const uint8_t *b) {
    uint64_t fa, fb;
    uint16_t ea, eb;
    memcpy(&fa, a, 8);
    memcpy(&fb, b, 8);
    memcpy(&ea, a + 8, 2);
    memcpy(&eb, b + 8, 2);
    if (ea == eb && (fa == fb || fa + 1 == fb || fb + 1 == fa))
        return true;
    return (eb == ea + 1 && fb == UINT64_C(1) << 63 && fa == UINT64_MAX) ||
           (ea == eb + 1 && fa == UINT64_C(1) << 63 && fb == UINT64_MAX);
}

static void compare_x87(struct comparison *c) {
    const uint8_t *h = c->host->state.xsave, *g = c->guest->state.xsave;
    bool approximate = op_is_approximate(c->t->focus);
    uint16_t hw[2], gw[2], mask = 0xffff;
    char name[8];
    memcpy(hw, h, 4);
    memcpy(gw, g, 4);
    if (approximate)
        mask = (uint16_t)~0x0220; /* C1 and PE follow the last bit */
    if (hw[0] != gw[0])
        differ(c, DIFFER_X87, "fcw", hw[0], gw[0]);
    if ((hw[1] ^ gw[1]) & mask)
        differ(c, DIFFER_X87, "fsw", hw[1], gw[1]);
    if (h[4] != g[4])
        differ(c, DIFFER_X87, "ftw", h[4], g[4]);
    for (uint32_t k = 0; k < 8; k++) {
        const uint8_t *a = h + 32 + 16 * k, *b = g + 32 + 16 * k;
        snprintf(name, sizeof name, "st%u", k);
        if (memcmp(a, b, 10) && !(approximate && within_ulp(a, b)))
            differ_bytes(c, DIFFER_X87, name, a, b, 10);
    }
}

uint64_t trial_address(const struct trial *t, const struct blink_insn *i) {
    uint64_t ea = (uint64_t)i->disp;
    if (i->base != BLINK_REG_NONE)
        ea += t->state.gpr[i->base];
    if (i->index != BLINK_REG_NONE)
        ea += t->state.gpr[i->index & 15] << i->scale;
    if (i->addrsize != 8)
        ea &= i->addrsize == 4 ? UINT32_MAX : 0xffff;
    if (t->mode == BLINK_MODE_BITS64)
        return ea + (i->seg == BLINK_SEG_FS   ? t->state.fs
                     : i->seg == BLINK_SEG_GS ? t->state.gs
                                              : 0);
    return (uint32_t)(ea + segments_find(t->state.seg[i->seg]).base);
}

/* Bytes of stored environments that hold the last instruction, which only blink keeps whole; and in
 * FXSAVE's the mask of MXCSR, which has AMD's misaligned mode. */
static bool is_pointer_field(const struct trial *t, uint64_t at) {
    struct blink_insn i;
    if (t->focus != BLINK_OP_FNSTENV && t->focus != BLINK_OP_FNSAVE && t->focus != BLINK_OP_FXSAVE)
        return false;
    if (!decode_at(t->mode, t->code, t->lengths[0], trial_start(t), &i))
        return false;
    uint64_t offset = at - trial_address(t, &i);
    if (t->focus == BLINK_OP_FXSAVE)
        return (offset >= 6 && offset < 24) || (offset >= 28 && offset < 32);
    return i.opsize == 2 ? offset >= 6 && offset < 14 : offset >= 12 && offset < 28;
}

/* Below the stack of a far call that faults: what is checked first, the stack or the target, is the
 * processor's choice. */
static bool is_below_stack(const struct comparison *c, uint64_t at) {
    const struct state *s = &c->host->state;
    if (!c->t->far || !is_fault_of(c, BLINK_OP_CALLF))
        return false;
    struct blink_seg ss = segments_find(s->seg[BLINK_SEG_SS]);
    uint64_t sp = s->gpr[BLINK_RSP];
    if (c->t->mode != BLINK_MODE_BITS64)
        sp = (uint32_t)(ss.base + (ss.attr & 0x4000 ? (uint32_t)sp : (uint16_t)sp));
    return sp - at <= 16;
}

static void compare_memory(struct comparison *c) {
    if (!memcmp(c->host->data, c->guest->data, DATA_SIZE))
        return;
    uint32_t shown = 0;
    for (uint32_t k = 0; k < DATA_SIZE; k++) {
        if (c->host->data[k] == c->guest->data[k] || is_pointer_field(c->t, DATA_AT + k) ||
            is_below_stack(c, DATA_AT + k))
            continue;
        c->differences |= DIFFER_MEMORY;
        if (c->out && shown++ < 16)
            fprintf(c->out, "    [%" PRIx64 "] was %02x  host %02x  guest %02x\n", DATA_AT + k,
                    c->t->data[k], c->host->data[k], c->guest->data[k]);
    }
}

/* What fills the code page is there for the host alone. */
static bool ran_into_filler(const struct trial *t, const struct outcome *o) {
    uint64_t rip = o->state.rip + segments_find(o->state.seg[BLINK_SEG_CS]).base;
    return rip >= CODE_AT && rip < CODE_AT + CODE_SIZE && rip != CODE_END &&
           (rip < CODE_END - t->code_size || rip > CODE_END);
}

/* A far call into 64-bit code or out of it: AMD's processors push by the rules of the new mode. */
static bool called_other_mode(const struct trial *t, const struct outcome *h,
                              const struct outcome *g) {
    uint32_t last = t->count - 1, at = t->code_size - t->lengths[last];
    struct blink_insn i;
    bool wide = t->mode == BLINK_MODE_BITS64;
    return t->far &&
           ((h->state.seg[BLINK_SEG_CS] == 0x33) != wide ||
            (g->state.seg[BLINK_SEG_CS] == 0x33) != wide) &&
           decode_at(t->mode, t->code + at, t->lengths[last], trial_end(t->mode), &i) &&
           i.op == BLINK_OP_CALLF;
}

uint32_t outcomes_differ(const struct trial *t, const struct outcome *host,
                         const struct outcome *guest, FILE *out) {
    struct comparison c = {t, host, guest, out, 0};
    /* AMD's misaligned mode, MXCSR bit 17, was loaded: blink's processor does not have it. */
    if ((host->state.xsave[26] & 2) || ran_into_filler(t, host) || guest->vector == VECTOR_SKIP ||
        called_other_mode(t, host, guest))
        return 0;
    compare_end(&c);
    compare_integer(&c);
    compare_vectors(&c);
    compare_x87(&c);
    compare_memory(&c);
    return c.differences;
}
