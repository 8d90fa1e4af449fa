/*
 * Processor models: lists of words, what one feature takes along, and what CPUID makes of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/cpu.h"
#include "cpu/gate.h"
#include "cpu/model.h"

#define BIT(n) (UINT32_C(1) << (n))

static struct cpu_model made(const char *text) {
    struct cpu_model m;
    const char *bad = NULL;
    size_t size = 0;
    cpu_model_max(&m);
    assert_true(cpu_model_change(&m, text, &bad, &size));
    return m;
}

static void refused(const char *text, const char *word) {
    struct cpu_model m;
    const char *bad = NULL;
    size_t size = 0;
    cpu_model_max(&m);
    assert_false(cpu_model_change(&m, text, &bad, &size));
    assert_int_equal(size, strlen(word));
    assert_memory_equal(bad, word, size);
}

static void test_levels(void **state) {
    (void)state;
    struct cpu_model v1 = made("x86-64-v1"), v2 = made("x86-64-v2"), v3 = made("x86-64-v3");
    struct cpu_model max = made("max");
    assert_false(v1.word[CPU_LEAF1_ECX] & BIT(0));
    assert_true(v1.word[CPU_LEAF1_EDX] & BIT(26));
    assert_true(v2.word[CPU_LEAF1_ECX] & BIT(20));
    assert_false(cpu_model_has_avx(&v2));
    assert_true(cpu_model_has_avx(&v3));
    assert_false(v3.word[CPU_LEAF1_ECX] & BIT(25));
    for (uint32_t k = 0; k < CPU_WORDS; k++) {
        assert_int_equal(v1.word[k] & ~v2.word[k], 0);
        assert_int_equal(v2.word[k] & ~v3.word[k], 0);
        assert_int_equal(v3.word[k] & ~max.word[k], 0);
        assert_int_equal(cpu_model_word(NULL, k), max.word[k]);
    }
}

static void test_dependencies(void **state) {
    (void)state;
    struct cpu_model m = made("max,-avx");
    assert_false(m.word[CPU_LEAF7_EBX] & BIT(5));
    assert_false(m.word[CPU_LEAF1_ECX] & (BIT(12) | BIT(28) | BIT(29)));
    assert_true(m.word[CPU_LEAF1_ECX] & BIT(26));
    m = made("x86-64-v1,+sse4_2");
    assert_true(m.word[CPU_LEAF1_ECX] & BIT(0));
    assert_true(m.word[CPU_LEAF1_ECX] & BIT(9));
    assert_true(m.word[CPU_LEAF1_ECX] & BIT(19));
    m = made("-xsave");
    assert_false(cpu_model_has_avx(&m));
    assert_false(m.word[CPU_LEAF7_EBX] & BIT(5));
}

static void test_refusals(void **state) {
    (void)state;
    refused("x86-64-v9", "x86-64-v9");
    refused("max,+nonsense,-avx", "+nonsense");
    refused("avx", "avx");
    refused("-sse2", "-sse2");
    refused("", "");
    refused("max,", "");
    refused("+", "+");
}

static void test_cpuid(void **state) {
    (void)state;
    static struct blink_cpu cpu;
    struct cpu_model m = made("x86-64-v2");
    uint32_t r[4];
    cpu.model = &m;
    cpu_reset_user64(&cpu);
    assert_int_equal(cpu.xcr0, 3);
    cpu_cpuid(&cpu, 1, 0, r);
    assert_int_equal(r[2] & (BIT(26) | BIT(27) | BIT(28)), 0);
    cpu_cpuid(&cpu, 7, 0, r);
    assert_int_equal(r[1] & BIT(5), 0);
    cpu_cpuid(&cpu, 0xd, 0, r);
    assert_int_equal(r[0], 0);
    m = made("x86-64-v3");
    cpu_reset_user64(&cpu);
    assert_int_equal(cpu.xcr0, 7);
    cpu_cpuid(&cpu, 0xd, 0, r);
    assert_int_equal(r[0], 7);
    cpu_cpuid(&cpu, 1, 0, r);
    assert_int_equal(r[2] & (BIT(26) | BIT(27) | BIT(28)), BIT(26) | BIT(27) | BIT(28));
    cpu_cpuid(&cpu, 0x40000000, 0, r);
    assert_memory_equal(&r[1], "GenuineBlink", 12);
}

static uint32_t gated(const char *model, struct blink_insn i, bool bits64) {
    struct cpu_model m = made(model);
    i.addr = 0x1234;
    i.len = 5;
    cpu_gate(&m, &i, bits64);
    assert_int_equal(i.addr, 0x1234);
    assert_int_equal(i.len, 5);
    return i.op;
}

static void test_gates(void **state) {
    (void)state;
    const struct blink_insn popcnt = {.op = BLINK_OP_POPCNT};
    assert_int_equal(gated("max", popcnt, true), BLINK_OP_POPCNT);
    assert_int_equal(gated("-popcnt", popcnt, true), BLINK_OP_INVALID);
    /* Forms of one operation that came at different times. */
    const struct blink_insn half = {.op = BLINK_OP_VPADDB};
    const struct blink_insn whole = {.op = BLINK_OP_VPADDB, .prefix = BLINK_PFX_VEX_L};
    assert_int_equal(gated("-avx2", half, true), BLINK_OP_VPADDB);
    assert_int_equal(gated("-avx2", whole, true), BLINK_OP_INVALID);
    const struct blink_insn aes = {.op = BLINK_OP_VAESENC};
    const struct blink_insn vaes = {.op = BLINK_OP_VAESENC, .prefix = BLINK_PFX_VEX_L};
    assert_int_equal(gated("-vaes", aes, true), BLINK_OP_VAESENC);
    assert_int_equal(gated("-vaes", vaes, true), BLINK_OP_INVALID);
    assert_int_equal(gated("-aes", aes, true), BLINK_OP_INVALID);
    const struct blink_insn pextrw = {.op = BLINK_OP_PEXTRW, .off_opcode = 1, .raw = {0x0f, 0xc5}};
    const struct blink_insn stored = {.op = BLINK_OP_PEXTRW, .off_opcode = 1, .raw = {0x3a, 0x15}};
    assert_int_equal(gated("-sse4_1", pextrw, true), BLINK_OP_PEXTRW);
    assert_int_equal(gated("-sse4_1", stored, true), BLINK_OP_INVALID);
    assert_int_equal(gated("-fma", (struct blink_insn){.op = BLINK_OP_VFMSUBADD231PD}, true),
                     BLINK_OP_INVALID);
    /* In 64-bit mode only. */
    assert_int_equal(gated("-lahf_lm", (struct blink_insn){.op = BLINK_OP_LAHF}, true),
                     BLINK_OP_INVALID);
    assert_int_equal(gated("-lahf_lm", (struct blink_insn){.op = BLINK_OP_LAHF}, false),
                     BLINK_OP_LAHF);
    /* Older meanings of the same bytes. */
    assert_int_equal(gated("-bmi1", (struct blink_insn){.op = BLINK_OP_TZCNT}, true), BLINK_OP_BSF);
    assert_int_equal(gated("-abm", (struct blink_insn){.op = BLINK_OP_LZCNT}, true), BLINK_OP_BSR);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),   cmocka_unit_test(test_dependencies),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_cpuid),
        cmocka_unit_test(test_gates),
    };
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
