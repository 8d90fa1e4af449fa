/*
 * Blocks, limits and refusals: where decoding stops, the 15-byte limit, requests that make no
 * sense, random bytes, what is logged, and text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "fakehost.h"
#include "render.h"

static struct decoder decoder;
static struct blink_insn insns[BLINK_BLOCK_MAX_INSNS];

static struct blink_decode_request request(const uint8_t *bytes, size_t size, uint32_t max) {
    return (struct blink_decode_request){.struct_size = sizeof(struct blink_decode_request),
                                         .mode = BLINK_MODE_BITS64,
                                         .bytes = bytes,
                                         .size = size,
                                         .rip = 0x401000,
                                         .insns = insns,
                                         .max = max};
}
static int decode(struct blink_decode_request *req) {
    return decoder.ops->decode(decoder.plugin, decoder.context, req);
}

static void test_stops(void **state) {
    (void)state;
    /* push rbp; mov rbp, rsp; ret; nop */
    static const uint8_t code[] = {0x55, 0x48, 0x89, 0xe5, 0xc3, 0x90};
    struct blink_decode_request req = request(code, sizeof code, 64);
    assert_int_equal(decode(&req), 0);
    assert_int_equal(req.count, 3);
    assert_int_equal(req.stop, BLINK_DECODE_BRANCH);
    assert_int_equal(insns[1].addr, 0x401001);
    assert_int_equal(insns[2].addr, 0x401004);
    req = request(code, sizeof code, 2);
    assert_int_equal(decode(&req), 0);
    assert_int_equal(req.count, 2);
    assert_int_equal(req.stop, BLINK_DECODE_FULL);
    req = request(code, 3, 64);
    assert_int_equal(decode(&req), 0);
    assert_int_equal(req.count, 1);
    assert_int_equal(req.stop, BLINK_DECODE_BYTES);
    req = request(code, 0, 64);
    req.bytes = NULL;
    assert_int_equal(decode(&req), 0);
    assert_int_equal(req.count, 0);
    assert_int_equal(req.stop, BLINK_DECODE_BYTES);
    static const uint8_t bad[] = {0x90, 0x0f, 0x04, 0x90};
    req = request(bad, sizeof bad, 64);
    assert_int_equal(decode(&req), 0);
    assert_int_equal(req.count, 2);
    assert_int_equal(req.stop, BLINK_DECODE_INVALID);
    assert_int_equal(insns[1].op, BLINK_OP_INVALID);
    assert_int_equal(insns[1].imm, 0);
    assert_int_equal(insns[1].len, 2);
}

/* Every operation that ends a block does; nothing else. */
static void test_full_block(void **state) {
    (void)state;
    uint8_t code[BLINK_BLOCK_MAX_INSNS + 8];
    memset(code, 0x90, sizeof code);
    struct blink_decode_request req = request(code, sizeof code, BLINK_BLOCK_MAX_INSNS);
    assert_int_equal(decode(&req), 0);
    assert_int_equal(req.count, BLINK_BLOCK_MAX_INSNS);
    assert_int_equal(req.stop, BLINK_DECODE_FULL);
}

static void test_fifteen_bytes(void **state) {
    (void)state;
    uint8_t code[32];
    memset(code, 0x66, sizeof code);
    code[14] = 0x90;
    struct blink_decode_request req = request(code, sizeof code, 1);
    assert_int_equal(decode(&req), 0);
    assert_int_equal(insns[0].op, BLINK_OP_NOP);
    assert_int_equal(insns[0].len, 15);
    code[14] = 0x66;
    code[15] = 0x90;
    /* The sixteenth byte is not looked at: with 15 the verdict is the same, with 14 it is open. */
    for (size_t size = 14; size < 17; size++) {
        req = request(code, size, 1);
        assert_int_equal(decode(&req), 0);
        assert_int_equal(req.stop, size < 15 ? BLINK_DECODE_BYTES : BLINK_DECODE_TOOLONG);
        assert_int_equal(req.count, size < 15 ? 0 : 1);
    }
    assert_int_equal(insns[0].op, BLINK_OP_INVALID);
    assert_int_equal(insns[0].imm, 1);
    assert_int_equal(insns[0].len, 15);
    /* The limit may fall into an immediate: 12 prefixes and mov eax, imm32 are 17 bytes. */
    memset(code, 0x2e, 12);
    code[12] = 0xb8;
    req = request(code, sizeof code, 1);
    assert_int_equal(decode(&req), 0);
    assert_int_equal(req.stop, BLINK_DECODE_TOOLONG);
}

static void test_page_crossing(void **state) {
    (void)state;
    static const uint8_t code[] = {0x48, 0x89, 0xe5, 0x90};
    struct blink_decode_request req = request(code, sizeof code, 2);
    req.rip = 0x401ffe;
    assert_int_equal(decode(&req), 0);
    assert_true(insns[0].prefix & BLINK_PFX_PAGE);
    assert_false(insns[1].prefix & BLINK_PFX_PAGE);
    req.rip = 0x401ffd;
    assert_int_equal(decode(&req), 0);
    assert_false(insns[0].prefix & BLINK_PFX_PAGE);
}

static void test_addresses_wrap(void **state) {
    (void)state;
    static const uint8_t code[] = {0x90, 0x90, 0xeb, 0x10};
    struct blink_decode_request req = request(code, sizeof code, 3);
    req.mode = BLINK_MODE_BITS32 | BLINK_MODE_PROT | BLINK_MODE_CPL3;
    req.rip = UINT32_MAX;
    assert_int_equal(decode(&req), 0);
    assert_int_equal(req.count, 3);
    assert_int_equal(insns[1].addr, 0);
    assert_int_equal(insns[2].imm, 0x13);
    req.mode = BLINK_MODE_BITS64;
    req.rip = UINT64_MAX;
    assert_int_equal(decode(&req), 0);
    assert_int_equal(insns[1].addr, 0);
}

static void test_bad_requests(void **state) {
    (void)state;
    static const uint8_t code[] = {0x90};
    struct blink_decode_request good = request(code, sizeof code, 1), req;
    assert_int_equal(decode(&good), 0);
    req = good, req.max = 0;
    assert_int_equal(decode(&req), -EINVAL);
    req = good, req.max = BLINK_BLOCK_MAX_INSNS + 1;
    assert_int_equal(decode(&req), -EINVAL);
    req = good, req.mode = 3;
    assert_int_equal(decode(&req), -EINVAL);
    req = good, req.insns = NULL;
    assert_int_equal(decode(&req), -EINVAL);
    req = good, req.bytes = NULL;
    assert_int_equal(decode(&req), -EINVAL);
    req = good, req.struct_size = 8;
    assert_int_equal(decode(&req), -EINVAL);
    struct blink_plugin *other = NULL;
    assert_int_equal(decoder.ops->plugin.create(fakehost_host(decoder.host), "x", &other), -EINVAL);
    assert_null(other);
    decoder.ops->context_destroy(decoder.plugin, NULL);
    decoder.ops->plugin.destroy(NULL);
}

static uint64_t next_random(uint64_t *s) {
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

/* What must hold of anything that comes out. */
static void check_sane(const struct blink_insn *i, const uint8_t *bytes, size_t size) {
    assert_in_range(i->len, 1, BLINK_INSN_MAX_LEN);
    assert_true(i->len <= size);
    assert_memory_equal(i->raw, bytes, i->len);
    assert_true(i->op < BLINK_OP_COUNT);
    if (i->op == BLINK_OP_INVALID)
        return;
    assert_true(i->off_opcode < i->len && i->off_modrm < i->len);
    assert_true(i->off_disp < i->len && i->off_imm < i->len);
    assert_true(i->base <= BLINK_REG_NONE && i->index <= BLINK_REG_NONE);
    assert_true(i->scale <= 3 && i->seg < BLINK_SEG_COUNT && i->cc < 16);
    assert_true(i->opsize == 1 || i->opsize == 2 || i->opsize == 4 || i->opsize == 8);
    assert_true(i->addrsize == 2 || i->addrsize == 4 || i->addrsize == 8);
    for (uint32_t k = 0, memory = 0; k < 4; k++) {
        const struct blink_operand *o = &i->opnd[k];
        memory += o->kind == BLINK_OPND_MEM;
        assert_true(memory <= 1 && o->kind <= BLINK_OPND_REL);
        if (o->kind == BLINK_OPND_GPR)
            assert_true(o->reg < 16 || (o->size == 1 && o->reg < 20));
        else if (o->kind == BLINK_OPND_SEG)
            assert_true(o->reg < 6);
        else if (o->kind == BLINK_OPND_MMX || o->kind == BLINK_OPND_ST)
            assert_true(o->reg < 8);
        else
            assert_true(o->reg < 16);
    }
}

static void test_random_bytes(void **state) {
    (void)state;
    uint64_t seed = 0x9e3779b97f4a7c15u;
    fakehost_log_level(decoder.host, -1);
    for (uint32_t n = 0; n < 300000; n++) {
        uint8_t bytes[24];
        for (size_t k = 0; k < sizeof bytes; k += 8) {
            uint64_t v = next_random(&seed);
            memcpy(bytes + k, &v, 8);
        }
        /* Half of them in the maps behind escapes. */
        static const uint8_t heads[8][2] = {{0x0f, 0x38}, {0x0f, 0x3a}, {0xc4, 0xe2}, {0xc5, 0xf9},
                                            {0x66, 0x0f}, {0xf2, 0x0f}, {0xf3, 0x0f}, {0xc4, 0xe3}};
        if (n & 1)
            memcpy(bytes, heads[n >> 1 & 7], 2);
        size_t size = n % 24 + 1;
        struct blink_decode_request req = request(bytes, size, 4);
        req.mode = n % 3;
        assert_int_equal(decode(&req), 0);
        assert_true(req.count <= 4);
        size_t at = 0;
        for (uint32_t k = 0; k < req.count; k++) {
            check_sane(&insns[k], bytes + at, size - at);
            at += insns[k].len;
        }
        if (n % 16 == 0) {
            char text[8];
            uint32_t len = decoder.ops->disassemble(decoder.plugin, decoder.context, n % 3, n & 1,
                                                    bytes, size, 0, text, n % 8 + 1);
            assert_true(len <= size && memchr(text, 0, n % 8 + 1));
        }
    }
    fakehost_log_level(decoder.host, INT32_MAX);
}

static void test_log(void **state) {
    (void)state;
    static const uint8_t code[] = {0x0f, 0x04};
    int32_t level;
    fakehost_log_clear(decoder.host);
    void *context;
    assert_int_equal(decoder.ops->context_create(decoder.plugin, &context), 0);
    for (int k = 0; k < 3; k++) {
        struct blink_decode_request req = request(code, sizeof code, 1);
        assert_int_equal(decoder.ops->decode(decoder.plugin, context, &req), 0);
    }
    decoder.ops->context_destroy(decoder.plugin, context);
    assert_int_equal(fakehost_log_count(decoder.host), 1);
    assert_string_equal(fakehost_log_line(decoder.host, 0, &level),
                        "illegal instruction at 0x401000: 0f 04");
    assert_int_equal(level, BLINK_LOG_DEBUG);
}

static void test_text(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        uint32_t mode, syntax, len;
        const char *text;
    } rows[] = {
        {"48 8b 44 8b 10", BLINK_MODE_BITS64, BLINK_SYNTAX_INTEL, 5,
         "mov rax, qword ptr [rbx + rcx*4 + 0x10]"},
        {"48 8b 44 8b 10", BLINK_MODE_BITS64, BLINK_SYNTAX_ATT, 5,
         "movq 0x10(%rbx, %rcx, 4), %rax"},
        {"c3", BLINK_MODE_BITS16, BLINK_SYNTAX_INTEL, 1, "ret"},
        {"b8 34 12", BLINK_MODE_BITS16, BLINK_SYNTAX_INTEL, 3, "mov ax, 0x1234"},
        /* Not Capstone's: */
        {"f3 0f c7 f8", BLINK_MODE_BITS64, BLINK_SYNTAX_INTEL, 4, "rdpid rax"},
        {"f3 0f c7 f8", BLINK_MODE_BITS64, BLINK_SYNTAX_ATT, 4, "rdpid %rax"},
        {"f3 0f 1e fa", BLINK_MODE_BITS64, BLINK_SYNTAX_INTEL, 4, "endbr64"},
        {"c4 e2 75 dc 01", BLINK_MODE_BITS64, BLINK_SYNTAX_INTEL, 5,
         "vaesenc ymm0, ymm1, ymmword ptr [rcx]"},
        {"c4 e2 75 dc 01", BLINK_MODE_BITS64, BLINK_SYNTAX_ATT, 5, "vaesenc (%rcx), %ymm1, %ymm0"},
        /* Nobody's: */
        {"0f 04", BLINK_MODE_BITS64, BLINK_SYNTAX_INTEL, 0, "(bad)"},
        {"", BLINK_MODE_BITS64, BLINK_SYNTAX_INTEL, 0, "(bad)"},
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++) {
        uint8_t bytes[16];
        char text[128];
        size_t n = parse_bytes(rows[k].bytes, bytes, sizeof bytes);
        uint32_t len =
            decoder.ops->disassemble(decoder.plugin, decoder.context, rows[k].mode, rows[k].syntax,
                                     bytes, n, 0x1000, text, sizeof text);
        assert_string_equal(text, rows[k].text);
        assert_int_equal(len, rows[k].len);
    }
    char small[4];
    uint8_t nop = 0x90;
    assert_int_equal(decoder.ops->disassemble(decoder.plugin, decoder.context, BLINK_MODE_BITS64,
                                              BLINK_SYNTAX_INTEL, &nop, 1, 0, small, 0),
                     0);
    decoder.ops->disassemble(decoder.plugin, decoder.context, BLINK_MODE_BITS64, BLINK_SYNTAX_INTEL,
                             &nop, 1, 0, small, 3);
    assert_string_equal(small, "no");
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
        cmocka_unit_test(test_stops),          cmocka_unit_test(test_full_block),
        cmocka_unit_test(test_fifteen_bytes),  cmocka_unit_test(test_page_crossing),
        cmocka_unit_test(test_addresses_wrap), cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_random_bytes),   cmocka_unit_test(test_log),
        cmocka_unit_test(test_text),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
