/*
 * See render.h.
 */
#include "render.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fakehost.h"

static const char *const mnemonics[BLINK_OP_COUNT] = {
    "(bad)",
#define OP(id, mnemonic, cls, reads, writes, undefined, attr) mnemonic,
#include <blink/ops.def>
};

void decoder_open(struct decoder *d) {
    const char *path = getenv("BLINK_DECODER");
    d->host = fakehost_create();
    d->ops = path ? fakehost_load(path, BLINK_KIND_DECODER, "capstone") : NULL;
    if (!d->ops || d->ops->plugin.create(fakehost_host(d->host), "", &d->plugin) ||
        d->ops->context_create(d->plugin, &d->context)) {
        fprintf(stderr, "no decoder: set BLINK_DECODER to decoder-capstone.so\n");
        exit(99);
    }
}

void decoder_close(struct decoder *d) {
    d->ops->context_destroy(d->plugin, d->context);
    d->ops->plugin.destroy(d->plugin);
    fakehost_destroy(d->host);
}

uint32_t decoder_one(struct decoder *d, uint32_t mode, const uint8_t *bytes, size_t size,
                     uint64_t rip, struct blink_insn *out) {
    struct blink_decode_request req = {.struct_size = sizeof req,
                                       .mode = mode,
                                       .bytes = bytes,
                                       .size = size,
                                       .rip = rip,
                                       .insns = out,
                                       .max = 1};
    if (d->ops->decode(d->plugin, d->context, &req))
        return UINT32_MAX;
    return req.stop;
}

size_t parse_bytes(const char *text, uint8_t *out, size_t size) {
    size_t n = 0;
    char *end;
    while (n < size) {
        unsigned long v = strtoul(text, &end, 16);
        if (end == text)
            break;
        out[n++] = (uint8_t)v;
        text = end;
    }
    return n;
}

struct line {
    char *out;
    size_t size, at;
};

static void put(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct line *l, const char *format, ...) {
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(l->out + l->at, l->size - l->at, format, ap);
    va_end(ap);
    l->at = l->at + (size_t)n < l->size ? l->at + (size_t)n : l->size - 1;
}

static const char *gpr_name(uint32_t reg, uint32_t size) {
    static const char names[4][20][5] = {
        {"al",   "cl",   "dl",   "bl",   "spl",  "bpl",  "sil", "dil", "r8b", "r9b",
         "r10b", "r11b", "r12b", "r13b", "r14b", "r15b", "ah",  "ch",  "dh",  "bh"},
        {"ax",   "cx",   "dx",   "bx",   "sp",   "bp",   "si", "di", "r8w", "r9w",
         "r10w", "r11w", "r12w", "r13w", "r14w", "r15w", "?",  "?",  "?",   "?"},
        {"eax",  "ecx",  "edx",  "ebx",  "esp",  "ebp",  "esi", "edi", "r8d", "r9d",
         "r10d", "r11d", "r12d", "r13d", "r14d", "r15d", "?",   "?",   "?",   "?"},
        {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9",
         "r10", "r11", "r12", "r13", "r14", "r15", "?",   "?",   "?",  "?"},
    };
    uint32_t k = size == 8 ? 3 : size == 4 ? 2 : size == 2 ? 1 : 0;
    return reg < 20 && (size == 1 || size == 2 || size == 4 || size == 8) ? names[k][reg] : "?";
}

static const char *const segs[] = {"es", "cs", "ss", "ds", "fs", "gs", "flat"};

static bool is_gather(uint32_t op) {
    return op >= BLINK_OP_VGATHERDPD && op <= BLINK_OP_VPGATHERQQ;
}

static void put_memory(struct line *l, const struct blink_insn *i) {
    const char *sep = "";
    put(l, "%s:[", segs[i->seg % 7]);
    if (i->base != BLINK_REG_NONE) {
        put(l, "%s", gpr_name(i->base, i->addrsize));
        sep = "+";
    }
    if (i->index != BLINK_REG_NONE && is_gather(i->op))
        put(l, "%sv%u*%d", sep, i->index, 1 << i->scale);
    else if (i->index != BLINK_REG_NONE)
        put(l, "%s%s*%d", sep, gpr_name(i->index, i->addrsize), 1 << i->scale);
    if (i->index != BLINK_REG_NONE)
        sep = "+";
    if (i->disp < 0 && *sep)
        put(l, "-%#" PRIx64, -(uint64_t)i->disp);
    else if (i->disp || !*sep)
        put(l, "%s%#" PRIx64, sep, (uint64_t)i->disp);
    put(l, "]");
}

static void put_operand(struct line *l, const struct blink_insn *i, uint32_t k) {
    static const char *const access[] = {"", "r:", "w:", "rw:"};
    const struct blink_operand *o = &i->opnd[k];
    put(l, "%s", access[o->access & 3]);
    switch (o->kind) {
    case BLINK_OPND_GPR: put(l, "%s", gpr_name(o->reg, o->size)); return;
    case BLINK_OPND_MEM:
        put(l, "%u", o->size);
        put_memory(l, i);
        return;
    case BLINK_OPND_IMM:
        put(l, "#%" PRId64 "/%u",
            k && i->opnd[k - 1].kind == BLINK_OPND_IMM ? i->disp : (int64_t)i->imm, o->size);
        return;
    case BLINK_OPND_REL: put(l, "->%#" PRIx64, i->imm); return;
    case BLINK_OPND_XMM: put(l, "xmm%u%s", o->reg, o->size == 16 ? "" : "?"); return;
    case BLINK_OPND_YMM: put(l, "ymm%u%s", o->reg, o->size == 32 ? "" : "?"); return;
    case BLINK_OPND_MMX: put(l, "mm%u%s", o->reg, o->size == 8 ? "" : "?"); return;
    case BLINK_OPND_ST: put(l, "st%u%s", o->reg, o->size == 10 ? "" : "?"); return;
    case BLINK_OPND_SEG: put(l, "%s%s", segs[o->reg % 7], o->size == 2 ? "" : "?"); return;
    case BLINK_OPND_CR: put(l, "cr%u/%u", o->reg, o->size); return;
    case BLINK_OPND_DR: put(l, "dr%u/%u", o->reg, o->size); return;
    default: put(l, "kind %u", o->kind); return;
    }
}

void render(const struct blink_insn *i, uint32_t mode, char *out, size_t size) {
    static const char *const prefixes[] = {"lock", "rep", "repne", "66",  "67",  "rex",
                                           "w",    "vex", "L",     "seg", "rip", "page"};
    struct line l = {out, size, 0};
    put(&l, "%s", i->op < BLINK_OP_COUNT ? mnemonics[i->op] : "?");
    for (uint32_t k = 0; k < 4 && i->opnd[k].kind != BLINK_OPND_NONE; k++) {
        put(&l, "%s", k ? ", " : " ");
        put_operand(&l, i, k);
    }
    put(&l, " |");
    if (i->op == BLINK_OP_INVALID)
        return;
    put(&l, " o%u", i->opsize);
    if (i->addrsize != (mode == BLINK_MODE_BITS64 ? 8 : mode == BLINK_MODE_BITS32 ? 4 : 2))
        put(&l, " a%u", i->addrsize);
    if (i->cc)
        put(&l, " cc%u", i->cc);
    if (i->seg != (mode == BLINK_MODE_BITS64 ? BLINK_SEG_NONE : BLINK_SEG_DS))
        put(&l, " %s", segs[i->seg % 7]);
    for (uint32_t k = 0; k < 12; k++)
        if (i->prefix >> k & 1)
            put(&l, " %s", prefixes[k]);
    put(&l, " @%u", i->off_opcode);
    if (i->off_modrm)
        put(&l, " m%u", i->off_modrm);
    if (i->off_disp)
        put(&l, " d%u", i->off_disp);
    if (i->off_imm)
        put(&l, " i%u", i->off_imm);
}
