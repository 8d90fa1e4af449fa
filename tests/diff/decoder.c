/*
 * The decoder under test, from its shared object, and its answers.
 */
#include "diff.h"

#include <stdio.h>
#include <stdlib.h>

#include "fakehost.h"

static const struct blink_decoder_ops *ops;
static struct blink_plugin *plugin;
static void *context;

void decoder_init(const char *path) {
    struct fakehost *fh = fakehost_create();
    fakehost_log_level(fh, -1);
    ops = fakehost_load(path, BLINK_KIND_DECODER, "capstone");
    if (!ops || ops->plugin.create(fakehost_host(fh), "", &plugin) ||
        ops->context_create(plugin, &context)) {
        fprintf(stderr, "diff: no decoder in %s\n", path);
        exit(2);
    }
}

uint32_t decode_block(uint8_t mode, const uint8_t *bytes, size_t size, uint64_t rip,
                      struct blink_insn *out, uint32_t max, uint32_t *stop) {
    struct blink_decode_request req = {.struct_size = sizeof req,
                                       .mode = mode,
                                       .bytes = bytes,
                                       .size = size,
                                       .rip = rip,
                                       .insns = out,
                                       .max = max};
    ops->decode(plugin, context, &req);
    *stop = req.stop;
    return req.count;
}

bool decode_at(uint8_t mode, const uint8_t *bytes, size_t size, uint64_t rip,
               struct blink_insn *out) {
    uint32_t stop;
    return decode_block(mode, bytes, size, rip, out, 1, &stop) == 1 && out->op != BLINK_OP_INVALID;
}

void decode_text(uint8_t mode, const uint8_t *bytes, size_t size, uint64_t rip, char *out,
                 size_t out_size) {
    ops->disassemble(plugin, context, mode, BLINK_SYNTAX_INTEL, bytes, size, rip, out, out_size);
}

void decoder_get(const struct blink_decoder_ops **out, struct blink_plugin **self) {
    *out = ops;
    *self = plugin;
}
