/*
 * Every SIMD operation on random operands gives the same on every host: a checksum of all results,
 * flags included. The sums are those of an x86-64 host's own instructions, as sse_diff shows there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "sse_guest.h"
#include "sse_trial.h"

#define TRIALS 20u

static _Alignas(64) uint8_t memory[SSE_MEMORY];

/* FNV-1a. */
static uint64_t add(uint64_t sum, const void *bytes, size_t size) {
    const uint8_t *p = bytes;
    for (size_t k = 0; k < size; k++)
        sum = (sum ^ p[k]) * UINT64_C(0x100000001b3);
    return sum;
}

static uint64_t run(uint64_t sum, const struct sse_plan *p, struct sse_state *s) {
    struct blink_insn i;
    struct blink_cpu *cpu = guest_cpu();
    sse_decode(p, &i);
    if (p->memory)
        s->gpr[BLINK_RAX] += (uintptr_t)memory;
    sse_load_guest(cpu, s);
    guest_run(cpu, &i);
    sse_save_guest(cpu, s);
    if (p->memory)
        s->gpr[BLINK_RAX] -= (uintptr_t)memory;
    sum = add(sum, s->ymm, sizeof s->ymm);
    sum = add(sum, s->mmx, sizeof s->mmx);
    sum = add(sum, s->gpr, sizeof s->gpr);
    sum = add(sum, &s->rflags, sizeof s->rflags);
    sum = add(sum, &s->mxcsr, sizeof s->mxcsr);
    sum = add(sum, memory, sizeof memory);
    return add(sum, &cpu->exit_reason, sizeof cpu->exit_reason);
}

static void check(uint32_t form, uint64_t want) {
    uint64_t sum = UINT64_C(0xcbf29ce484222325);
    const struct sse_case *t;
    for (uint32_t c = 0; (t = sse_case_at(c)); c++) {
        if (sse_need(t, form) == F_NONE || (t->flags & T_INEXACT))
            continue;
        struct rng r = {c + 1};
        for (uint32_t k = 0; k < TRIALS; k++) {
            struct sse_plan p;
            struct sse_state s;
            sse_make_plan(&r, t, form, &p);
            sse_make_state(&r, &p, &s, memory);
            sum = run(sum, &p, &s);
        }
    }
    if (sum != want)
        fail_msg("the sum is %#llx", (unsigned long long)sum);
}

static void legacy_forms(void **state) {
    (void)state;
    check(FORM_LEGACY, UINT64_C(0xe57673c95f9468b5));
}
static void mmx_forms(void **state) {
    (void)state;
    check(FORM_MMX, UINT64_C(0x98b1c45ddf32e894));
}
static void vex_forms(void **state) {
    (void)state;
    check(FORM_128, UINT64_C(0x3df4b6384b8ae0bc));
}
static void vex_256_forms(void **state) {
    (void)state;
    check(FORM_256, UINT64_C(0x865012c5f9ecf903));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(legacy_forms),
        cmocka_unit_test(mmx_forms),
        cmocka_unit_test(vex_forms),
        cmocka_unit_test(vex_256_forms),
    };
    return cmocka_run_group_tests_name("sse_golden", tests, NULL, NULL);
}
