/*
 * Text of instructions that Capstone has no words for, from the decoded form: the few that are
 * newer than it. Intel and AT&T syntax.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

struct text {
    char *out;
    size_t size, at;
};

static void put(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *t, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(t->out + t->at, t->size - t->at, format, ap);
    va_end(ap);
    if (n > 0)
        t->at = t->at + (size_t)n < t->size ? t->at + (size_t)n : t->size - 1;
}

static void put_gpr(struct text *t, uint32_t reg, uint32_t size) {
    static const char legacy[8][3] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
    static const char low[8][4] = {"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"};
    static const char high[4][3] = {"ah", "ch", "dh", "bh"};
    if (reg >= 16) {
        put(t, "%s", high[reg & 3]);
    } else if (reg >= 8) {
        put(t, "r%" PRIu32 "%s", reg, size == 8 ? "" : size == 4 ? "d" : size == 2 ? "w" : "b");
    } else if (size == 1) {
        put(t, "%s", low[reg]);
    } else {
        put(t, "%s%s", size == 8 ? "r" : size == 4 ? "e" : "", legacy[reg]);
    }
}

static void put_seg(struct text *t, uint32_t seg, bool att) {
    static const char names[][3] = {"es", "cs", "ss", "ds", "fs", "gs"};
    put(t, "%s%s", att ? "%" : "", names[seg % 6]);
}

static void put_memory(struct text *t, const struct blink_insn *i, uint32_t size, bool att) {
    static const char *const words[33] = {
        [1] = "byte ptr ",  [2] = "word ptr ",   [4] = "dword ptr ",    [6] = "fword ptr ",
        [8] = "qword ptr ", [10] = "tbyte ptr ", [16] = "xmmword ptr ", [32] = "ymmword ptr "};
    bool base = i->base != BLINK_REG_NONE, index = i->index != BLINK_REG_NONE;
    const char *reg = att ? "%" : "";
    if (!att && size <= 32 && words[size])
        put(t, "%s", words[size]);
    if (i->prefix & BLINK_PFX_SEG) {
        put_seg(t, i->seg, att);
        put(t, ":");
    }
    if (att && (i->disp || !(base || index)))
        put(t, "0x%" PRIx64, (uint64_t)i->disp);
    put(t, att ? (base || index ? "(" : "") : "[");
    if (base) {
        put(t, "%s", reg);
        put_gpr(t, i->base, i->addrsize);
    }
    if (index) {
        put(t, "%s%s", att ? "," : base ? " + " : "", reg);
        put_gpr(t, i->index, i->addrsize);
        put(t, att ? ",%d" : "*%d", 1 << i->scale);
    }
    if (!att && (i->disp || !(base || index)))
        put(t, "%s0x%" PRIx64, base || index ? (i->disp < 0 ? " - " : " + ") : "",
            (base || index) && i->disp < 0 ? -(uint64_t)i->disp : (uint64_t)i->disp);
    put(t, att ? (base || index ? ")" : "") : "]");
}

static void put_operand(struct text *t, const struct blink_insn *i, uint32_t k, bool att) {
    const struct blink_operand *o = &i->opnd[k];
    const char *reg = att ? "%" : "";
    switch (o->kind) {
    case BLINK_OPND_GPR:
        put(t, "%s", reg);
        put_gpr(t, o->reg, o->size);
        break;
    case BLINK_OPND_MEM: put_memory(t, i, o->size, att); break;
    case BLINK_OPND_IMM:
        put(t, "%s0x%" PRIx64, att ? "$" : "",
            k && i->opnd[k - 1].kind == BLINK_OPND_IMM ? (uint64_t)i->disp : i->imm);
        break;
    case BLINK_OPND_REL: put(t, "0x%" PRIx64, i->imm); break;
    case BLINK_OPND_XMM: put(t, "%sxmm%d", reg, o->reg); break;
    case BLINK_OPND_YMM: put(t, "%symm%d", reg, o->reg); break;
    case BLINK_OPND_MMX: put(t, "%smm%d", reg, o->reg); break;
    case BLINK_OPND_ST: put(t, "%sst(%d)", reg, o->reg); break;
    case BLINK_OPND_SEG: put_seg(t, o->reg, att); break;
    case BLINK_OPND_CR: put(t, "%scr%d", reg, o->reg); break;
    case BLINK_OPND_DR: put(t, "%sdr%d", reg, o->reg); break;
    default: break;
    }
}

/* The conditional ones are named after their condition: "cmovcc" gives "cmov" and "ne". */
static void put_mnemonic(struct text *t, const struct blink_insn *i) {
    static const char *const conditions[] = {"o", "no", "b", "ae", "e", "ne", "be", "a",
                                             "s", "ns", "p", "np", "l", "ge", "le", "g"};
    const char *name = op_mnemonics[i->op];
    size_t n = strlen(name);
    if (i->prefix & BLINK_PFX_LOCK)
        put(t, "lock ");
    if (n > 2 && !strcmp(name + n - 2, "cc"))
        put(t, "%.*s%s", (int)n - 2, name, conditions[i->cc & 15]);
    else
        put(t, "%s", name);
    if (i->op == BLINK_OP_ENDBR)
        put(t, i->raw[i->off_modrm] == 0xfa ? "64" : "32");
}

void text_of(const struct blink_insn *i, uint32_t syntax, char *out, size_t size) {
    struct text t = {out, size, 0};
    bool att = syntax == BLINK_SYNTAX_ATT;
    uint32_t count = 0;
    put_mnemonic(&t, i);
    while (count < 4 && i->opnd[count].kind != BLINK_OPND_NONE)
        count++;
    for (uint32_t k = 0; k < count; k++) {
        put(&t, k ? ", " : " ");
        put_operand(&t, i, att ? count - 1 - k : k, att);
    }
}
