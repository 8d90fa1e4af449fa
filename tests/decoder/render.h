/*
 * For the decoder's tests: a decoder loaded as the emulator does it, and a decoded instruction as
 * one line that shows every field, so that a table of lines is a table of expectations.
 */
#ifndef TESTS_DECODER_RENDER_H
#define TESTS_DECODER_RENDER_H

#include <blink/cpu.h>
#include <blink/decoder.h>

struct fakehost;

struct decoder {
    struct fakehost *host;
    const struct blink_decoder_ops *ops;
    struct blink_plugin *plugin;
    void *context;
};

/* BLINK_DECODER in the environment names the shared object. Ends the test program if it fails. */
void decoder_open(struct decoder *d);
void decoder_close(struct decoder *d);

/* Decode one instruction; the stop reason. */
uint32_t decoder_one(struct decoder *d, uint32_t mode, const uint8_t *bytes, size_t size,
                     uint64_t rip, struct blink_insn *out);

/* Bytes from text such as "48 01 d8"; how many. */
size_t parse_bytes(const char *text, uint8_t *out, size_t size);

/* The line: mnemonic, operands with their access, then what is not usual for the mode. */
void render(const struct blink_insn *i, uint32_t mode, char *out, size_t size);

#endif
