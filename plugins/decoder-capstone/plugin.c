/*
 * The decoder plugin itself: contexts, blocks of instructions, text. A context belongs to one
 * thread; the instance holds nothing that changes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define FC      0
#define FP      0
#define FA      0
#define FZ      0
#define FS      0
#define FO      0
#define FD      0
#define FI      0
#define A_END   BLINK_OPATTR_END
#define A_LOCK  BLINK_OPATTR_LOCK
#define A_FAULT BLINK_OPATTR_FAULT
#define A_COND  BLINK_OPATTR_COND
const uint8_t op_attributes[BLINK_OP_COUNT] = {
#define OP(id, mnemonic, cls, reads, writes, undefined, attr) [BLINK_OP_##id] = (attr),
#include <blink/ops.def>
};
const uint8_t op_classes[BLINK_OP_COUNT] = {
#define OP(id, mnemonic, cls, reads, writes, undefined, attr) [BLINK_OP_##id] = BLINK_CLASS_##cls,
#include <blink/ops.def>
};
const char *const op_mnemonics[BLINK_OP_COUNT] = {
    "(bad)",
#define OP(id, mnemonic, cls, reads, writes, undefined, attr) mnemonic,
#include <blink/ops.def>
};

/* ---- contexts ---- */

static int context_create(struct blink_plugin *self, void **out) {
    struct context *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->host = self->host;
    *out = c;
    return 0;
}

static void context_destroy(struct blink_plugin *self, void *context) {
    struct context *c = context;
    (void)self;
    if (!c)
        return;
    if (c->insn)
        cs_free(c->insn, 1);
    for (uint32_t k = 0; k < 3; k++)
        if (c->handle[k])
            cs_close(&c->handle[k]);
    free(c);
}

csh context_handle(struct context *c, uint32_t mode) {
    static const cs_mode modes[] = {CS_MODE_16, CS_MODE_32, CS_MODE_64};
    if (c->handle[mode])
        return c->handle[mode];
    csh handle = 0;
    if (cs_open(CS_ARCH_X86, modes[mode], &handle) != CS_ERR_OK)
        return 0;
    cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON);
    if (!c->insn)
        c->insn = cs_malloc(handle);
    if (!c->insn) {
        cs_close(&handle);
        return 0;
    }
    c->handle[mode] = handle;
    return handle;
}

/* ---- decoding ---- */

/* One line for the same bytes, and no more than the set has bits. */
static void log_illegal(struct context *c, const struct blink_insn *i) {
    char hex[3 * BLINK_INSN_MAX_LEN + 1] = "";
    uint32_t hash = 2166136261u;
    for (uint32_t k = 0; k < i->len; k++) {
        hash = (hash ^ i->raw[k]) * 16777619u;
        snprintf(hex + 3 * k, 4, "%02x ", i->raw[k]);
    }
    uint64_t *word = &c->logged[hash >> 28], bit = UINT64_C(1) << (hash >> 22 & 63);
    if (*word & bit)
        return;
    *word |= bit;
    hex[3 * i->len - 1] = 0;
    blink_log(c->host, BLINK_LOG_DEBUG, "illegal instruction at %#llx: %s",
              (unsigned long long)i->addr, hex);
}

static uint32_t stop_of(struct context *c, uint32_t status, const struct blink_insn *i) {
    if (status != WALK_OK) {
        log_illegal(c, i);
        return status == WALK_TOOLONG ? BLINK_DECODE_TOOLONG : BLINK_DECODE_INVALID;
    }
    return op_attributes[i->op] & BLINK_OPATTR_END ? BLINK_DECODE_BRANCH : BLINK_DECODE_FULL;
}

static int decode(struct blink_plugin *self, void *context, struct blink_decode_request *req) {
    struct context *c = context;
    uint32_t mode = req->mode & BLINK_MODE_BITS;
    (void)self;
    if (req->struct_size < sizeof *req || mode > BLINK_MODE_BITS64 || !req->max ||
        req->max > BLINK_BLOCK_MAX_INSNS || !req->insns || (req->size && !req->bytes))
        return -EINVAL;
    uint64_t rip = req->rip;
    size_t at = 0;
    req->count = 0;
    req->stop = BLINK_DECODE_FULL;
    while (req->count < req->max && req->stop == BLINK_DECODE_FULL) {
        struct blink_insn *i = &req->insns[req->count];
        uint32_t status = decode_one(c, req->bytes + at, req->size - at, mode, rip, i);
        if (status == WALK_BYTES) {
            req->stop = BLINK_DECODE_BYTES;
            break;
        }
        req->count++;
        req->stop = stop_of(c, status, i);
        at += i->len;
        rip += i->len;
        if (mode != BLINK_MODE_BITS64)
            rip = (uint32_t)rip;
    }
    return 0;
}

/* ---- text ---- */

/* Capstone's words; the length it sees, or 0. */
static uint32_t words(struct context *c, uint32_t mode, uint32_t syntax, const uint8_t *bytes,
                      size_t size, uint64_t rip, char *out, size_t out_size) {
    csh handle = context_handle(c, mode);
    if (!handle)
        return 0;
    cs_option(handle, CS_OPT_SYNTAX,
              syntax == BLINK_SYNTAX_ATT ? CS_OPT_SYNTAX_ATT : CS_OPT_SYNTAX_INTEL);
    bool ok = cs_disasm_iter(handle, &bytes, &size, &rip, c->insn);
    /* Forms are learned in Intel order. */
    cs_option(handle, CS_OPT_SYNTAX, CS_OPT_SYNTAX_INTEL);
    if (!ok)
        return 0;
    snprintf(out, out_size, c->insn->op_str[0] ? "%s %s" : "%s", c->insn->mnemonic,
             c->insn->op_str);
    return c->insn->size;
}

static uint32_t disassemble(struct blink_plugin *self, void *context, uint32_t mode,
                            uint32_t syntax, const uint8_t *bytes, size_t size, uint64_t rip,
                            char *out, size_t out_size) {
    struct context *c = context;
    struct blink_insn i;
    (void)self;
    mode &= BLINK_MODE_BITS;
    if (!out_size)
        return 0;
    snprintf(out, out_size, "(bad)");
    if (mode > BLINK_MODE_BITS64 || !size || !bytes)
        return 0;
    bool valid = decode_one(c, bytes, size, mode, rip, &i) == WALK_OK;
    uint32_t len = words(c, mode, syntax, bytes, size, rip, out, out_size);
    if (!valid)
        return len; /* of an extension that blink does not have, or 0 */
    /* It takes these two for RDSEED and NOP. */
    if (len != i.len || i.op == BLINK_OP_RDPID || i.op == BLINK_OP_ENDBR)
        text_of(&i, syntax, out, out_size);
    return i.len;
}

/* ---- the plugin ---- */

static int create(const struct blink_host *host, const char *args, struct blink_plugin **out) {
    if (args && *args) {
        blink_log(host, BLINK_LOG_ERROR, "decoder-capstone: %s: it takes no arguments", args);
        return -EINVAL;
    }
    struct blink_plugin *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->host = host;
    *out = self;
    return 0;
}

static void destroy(struct blink_plugin *self) {
    free(self);
}

static const struct blink_decoder_ops ops = {
    .plugin = {.struct_size = sizeof ops, .create = create, .destroy = destroy},
    .context_create = context_create,
    .context_destroy = context_destroy,
    .decode = decode,
    .disassemble = disassemble,
};

static const struct blink_manifest manifest = {
    .struct_size = sizeof manifest,
    .kind = BLINK_KIND_DECODER,
    .name = "capstone",
    .version = "0.1.0",
    .summary = "x86 decoder and disassembler on Capstone",
    .licence = "ISC",
    .vtable = &ops,
};

BLINK_PLUGIN_DEFINE(&manifest);
