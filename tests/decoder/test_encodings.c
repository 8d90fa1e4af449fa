/*
 * A few hundred encodings of all modes against the expected instruction, field by field; then the
 * same cut off after every byte, and their text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "render.h"

struct encoding {
    uint32_t bits;
    const char *bytes;
    const char *line;
};

static const struct encoding encodings[] = {
#include "encodings.def"
};
#define COUNT (sizeof encodings / sizeof encodings[0])
#define RIP   0x1000u

static struct decoder decoder;

static uint32_t mode_of(uint32_t bits) {
    return bits == 64 ? BLINK_MODE_BITS64 : bits == 32 ? BLINK_MODE_BITS32 : BLINK_MODE_BITS16;
}

/* The bytes of a row, followed by NOPs. */
static size_t load(const struct encoding *e, uint8_t bytes[32]) {
    memset(bytes, 0x90, 32);
    return parse_bytes(e->bytes, bytes, 15);
}

static void test_lines(void **state) {
    (void)state;
    uint32_t wrong = 0;
    for (size_t k = 0; k < COUNT; k++) {
        const struct encoding *e = &encodings[k];
        uint8_t bytes[32];
        char line[256];
        struct blink_insn i;
        size_t n = load(e, bytes);
        decoder_one(&decoder, mode_of(e->bits), bytes, sizeof bytes, RIP, &i);
        render(&i, mode_of(e->bits), line, sizeof line);
        if (strcmp(line, e->line)) {
            print_error("%u %s: expected %s\n    got %s\n", e->bits, e->bytes, e->line, line);
            wrong++;
        }
        assert_int_equal(i.addr, RIP);
        assert_null(i.handler);
        assert_memory_equal(i.raw, bytes, i.len);
        for (uint32_t z = i.len; z < 16; z++)
            assert_int_equal(i.raw[z], 0);
        if (i.op != BLINK_OP_INVALID && i.len != n) {
            print_error("%u %s: length %u\n", e->bits, e->bytes, i.len);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

/* Short of bytes, the decoder says so, whatever the bytes are that it did not get. */
static void test_cut_off(void **state) {
    (void)state;
    for (size_t k = 0; k < COUNT; k++) {
        const struct encoding *e = &encodings[k];
        uint8_t bytes[32];
        struct blink_insn i;
        load(e, bytes);
        decoder_one(&decoder, mode_of(e->bits), bytes, sizeof bytes, RIP, &i);
        if (i.op == BLINK_OP_INVALID)
            continue;
        for (size_t n = 0; n < i.len; n++) {
            struct blink_insn cut;
            struct blink_decode_request req = {.struct_size = sizeof req,
                                               .mode = mode_of(e->bits),
                                               .bytes = bytes,
                                               .size = n,
                                               .rip = RIP,
                                               .insns = &cut,
                                               .max = 1};
            assert_int_equal(decoder.ops->decode(decoder.plugin, decoder.context, &req), 0);
            if (req.stop != BLINK_DECODE_BYTES || req.count)
                fail_msg("%u %s after %zu bytes: stop %u", e->bits, e->bytes, n, req.stop);
        }
    }
}

/* Both syntaxes have words for everything that decodes, and agree about the length. */
static void test_text(void **state) {
    (void)state;
    for (size_t k = 0; k < COUNT; k++) {
        const struct encoding *e = &encodings[k];
        uint8_t bytes[32];
        struct blink_insn i;
        load(e, bytes);
        decoder_one(&decoder, mode_of(e->bits), bytes, sizeof bytes, RIP, &i);
        if (i.op == BLINK_OP_INVALID)
            continue;
        for (uint32_t syntax = BLINK_SYNTAX_INTEL; syntax <= BLINK_SYNTAX_ATT; syntax++) {
            char text[160];
            uint32_t n =
                decoder.ops->disassemble(decoder.plugin, decoder.context, mode_of(e->bits), syntax,
                                         bytes, sizeof bytes, RIP, text, sizeof text);
            if (n != i.len || !text[0] || !strcmp(text, "(bad)"))
                fail_msg("%u %s: %u bytes, %s", e->bits, e->bytes, n, text);
        }
    }
}

static int setup(void **state) {
    (void)state;
    decoder_open(&decoder);
    return 0;
}
static int teardown(void **state) {
    (void)state;
    decoder_close(&decoder);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
