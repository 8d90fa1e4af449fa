/*
 * Kind "decoder": bytes to decoded instructions, and to text.
 */
#ifndef BLINK_DECODER_H
#define BLINK_DECODER_H

#include "insn.h"
#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Syntax of disassembly text. */
enum { BLINK_SYNTAX_INTEL, BLINK_SYNTAX_ATT };

/* Where decode ended: blink_decode_request.stop. */
enum {
    BLINK_DECODE_BRANCH,  /* the last instruction ends a block (BLINK_OPATTR_END) */
    BLINK_DECODE_FULL,    /* `max` instructions were written */
    BLINK_DECODE_BYTES,   /* the next instruction needs bytes beyond `bytes` */
    BLINK_DECODE_INVALID, /* the last instruction is BLINK_OP_INVALID: #UD when executed */
    BLINK_DECODE_TOOLONG, /* likewise, but longer than 15 bytes: #GP when executed; its imm is 1 */
};

struct blink_decode_request {
    uint32_t struct_size;
    uint32_t mode;            /* BLINK_MODE_BITS* of cpu.h; other bits are ignored */
    const uint8_t *bytes;     /* in: guest bytes at `rip` */
    size_t size;              /* in: how many may be read */
    uint64_t rip;             /* in: of the first byte */
    struct blink_insn *insns; /* out: at least `max` */
    uint32_t max;             /* in: 1 to BLINK_BLOCK_MAX_INSNS */
    uint32_t count;           /* out: instructions written */
    uint32_t stop;            /* out: BLINK_DECODE_* */
    uint32_t reserved;
};

struct blink_decoder_ops {
    struct blink_plugin_ops plugin;
    /*
     * Make a decoding context for one thread; it may cache what it likes and is used by one
     * thread at a time. [vcpu] [main]
     */
    int (*context_create)(struct blink_plugin *self, void **out);
    /* Free it; NULL is fine. */
    void (*context_destroy)(struct blink_plugin *self, void *context);
    /*
     * Decode straight-line code up to a branch, `max` or the end of the bytes. An instruction
     * that is not known gives one blink_insn with op BLINK_OP_INVALID, its raw bytes and a len of
     * at least 1. When not even the first instruction fits in `size`, count is 0 and stop
     * BLINK_DECODE_BYTES. 0, or -EINVAL for a malformed request. No allocation per instruction.
     * [vcpu]
     */
    int (*decode)(struct blink_plugin *self, void *context, struct blink_decode_request *req);
    /*
     * Text of one instruction into out[0..out_size), always terminated; `bytes` may hold more
     * than the instruction. Returns its length in bytes, or 0 with "(bad)" in out. Optional: a
     * stub gives "(bad)". [any thread, with its own context]
     */
    uint32_t (*disassemble)(struct blink_plugin *self, void *context, uint32_t mode,
                            uint32_t syntax, const uint8_t *bytes, size_t size, uint64_t rip,
                            char *out, size_t out_size);
};

#ifdef __cplusplus
}
#endif

#endif
