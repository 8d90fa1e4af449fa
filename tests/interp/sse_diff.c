/*
 * Every SIMD operation, in each of its forms, on the host and in the interpreter: same registers,
 * memory, flags, MXCSR and exceptions. Random operands; argument 1 multiplies the trials, argument
 * 2 is the seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sse_guest.h"
#include "sse_host.h"
#include "sse_trial.h"

#define TRIALS 120u

static uint32_t trials = TRIALS;
static uint64_t seed = 1;
static _Alignas(64) uint8_t guest_memory[SSE_MEMORY], host_memory[SSE_MEMORY];

static void print_vector(const char *what, const union blink_ymm *v) {
    printf("#   %-8s %016llx %016llx %016llx %016llx\n", what, (unsigned long long)v->u64[3],
           (unsigned long long)v->u64[2], (unsigned long long)v->u64[1],
           (unsigned long long)v->u64[0]);
}
static void report(const struct sse_plan *p, const struct blink_insn *i,
                   const struct sse_state *before, const struct sse_state *host,
                   const struct sse_state *guest, bool host_ok, bool guest_ok) {
    static const char *const forms[] = {"legacy", "mmx", "vex.128", "vex.256"};
    printf("# %s %s%s: reg %u v %u rm %u is4 %u imm %02x bytes", p->test->name, forms[p->form],
           p->memory ? " memory" : "", p->reg, p->v, p->rm, p->is4, p->imm);
    for (uint32_t k = 0; k < i->len; k++)
        printf(" %02x", i->raw[k]);
    printf("\n#   mxcsr %04x: host %04x%s guest %04x%s\n", before->mxcsr, host->mxcsr,
           host_ok ? "" : " #XM", guest->mxcsr, guest_ok ? "" : " fault");
    print_vector("reg", &before->ymm[p->reg & 15]);
    print_vector("v", &before->ymm[p->v]);
    print_vector("rm", &before->ymm[p->rm & 15]);
    for (uint32_t k = 0; k < 16; k++) {
        if (memcmp(&host->ymm[k], &guest->ymm[k], 32) && host_ok) {
            printf("#   ymm%u\n", k);
            print_vector("host", &host->ymm[k]);
            print_vector("guest", &guest->ymm[k]);
        }
        if (host->gpr[k] != guest->gpr[k])
            printf("#   gpr%u host %llx guest %llx\n", k, (unsigned long long)host->gpr[k],
                   (unsigned long long)guest->gpr[k]);
        if (k < 8 && host->mmx[k] != guest->mmx[k])
            printf("#   mm%u was %llx host %llx guest %llx\n", k,
                   (unsigned long long)before->mmx[k], (unsigned long long)host->mmx[k],
                   (unsigned long long)guest->mmx[k]);
    }
    if (host->rflags != guest->rflags)
        printf("#   flags host %llx guest %llx\n", (unsigned long long)host->rflags,
               (unsigned long long)guest->rflags);
    printf("#   memory at %llu: %s\n", (unsigned long long)before->gpr[BLINK_RAX],
           memcmp(host_memory, guest_memory, sizeof host_memory) ? "differs" : "equal");
    const uint64_t *m = (const uint64_t *)host_memory;
    for (uint32_t k = 0; k < 8; k++)
        printf("#   %016llx\n", (unsigned long long)m[k]);
}

/* One trial: false if host and interpreter differ. */
static bool agree(const struct sse_plan *p, const struct sse_state *start) {
    struct blink_insn i;
    struct sse_state host = *start, guest = *start;
    uint64_t at = start->gpr[BLINK_RAX];
    sse_decode(p, &i);
    uintptr_t host_base = p->memory ? (uintptr_t)host_memory : 0;
    uintptr_t guest_base = p->memory ? (uintptr_t)guest_memory : 0;
    host.gpr[BLINK_RAX] = host_base + at;
    bool host_ok = sse_host_run(&host, i.raw, i.len);
    struct blink_cpu *cpu = guest_cpu();
    guest.gpr[BLINK_RAX] = guest_base + at;
    sse_load_guest(cpu, &guest);
    guest_run(cpu, &i);
    sse_save_guest(cpu, &guest);
    bool guest_ok = cpu->exit_reason == BLINK_EXIT_BLOCK;
    bool same = host_ok == guest_ok && host.mxcsr == guest.mxcsr;
    if (!host_ok) {
        /* Nothing else changed, and it is the right exception. */
        same = same && cpu->exit_reason == BLINK_EXIT_FAULT && cpu->exit_info == BLINK_EXC_XM &&
               cpu->rip == 0x1000 && memcmp(guest.ymm, start->ymm, sizeof guest.ymm) == 0;
    } else {
        host.rflags &= BLINK_FLAGS_ARITH | 2;
        host.gpr[BLINK_RAX] -= host_base;
        guest.gpr[BLINK_RAX] -= guest_base;
        same = same && memcmp(host.ymm, guest.ymm, sizeof host.ymm) == 0 &&
               memcmp(host.mmx, guest.mmx, sizeof host.mmx) == 0 &&
               memcmp(host.gpr, guest.gpr, sizeof host.gpr) == 0 && host.rflags == guest.rflags &&
               memcmp(host_memory, guest_memory, sizeof host_memory) == 0;
        if (p->form == FORM_MMX)
            same = same && cpu->ftop == 0 && cpu->fvalid == 0xff;
    }
    if (!same)
        report(p, &i, start, &host, &guest, host_ok, guest_ok);
    return same;
}

static void all_cases(uint32_t form) {
    uint32_t failed = 0, ran = 0;
    const struct sse_case *t;
    for (uint32_t c = 0; (t = sse_case_at(c)); c++) {
        uint32_t need = sse_need(t, form);
        if (need == F_NONE)
            continue;
        if (!sse_host_has(need)) {
            printf("# skip %s: the host lacks it\n", t->name);
            continue;
        }
        if (INTERP_SOFT_FP && (t->flags & T_INEXACT))
            continue;
        struct rng r = {seed + c * 977 + form};
        for (uint32_t k = 0; k < trials; k++) {
            struct sse_plan p;
            struct sse_state s;
            sse_make_plan(&r, t, form, &p);
            sse_make_state(&r, &p, &s, guest_memory);
            memcpy(host_memory, guest_memory, sizeof host_memory);
            ran++;
            if (!agree(&p, &s)) {
                failed++;
                break;
            }
        }
    }
    printf("# %u trials, seed %llu\n", ran, (unsigned long long)seed);
    assert_int_equal(failed, 0);
}

static void legacy_forms(void **state) {
    (void)state;
    all_cases(FORM_LEGACY);
}
static void mmx_forms(void **state) {
    (void)state;
    all_cases(FORM_MMX);
}
static void vex_forms(void **state) {
    (void)state;
    all_cases(FORM_128);
}
static void vex_256_forms(void **state) {
    (void)state;
    all_cases(FORM_256);
}

int main(int argc, char **argv) {
    if (argc > 1)
        trials = TRIALS * (uint32_t)strtoul(argv[1], NULL, 0);
    if (argc > 2)
        seed = strtoull(argv[2], NULL, 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(legacy_forms),
        cmocka_unit_test(mmx_forms),
        cmocka_unit_test(vex_forms),
        cmocka_unit_test(vex_256_forms),
    };
    return cmocka_run_group_tests_name("sse_diff", tests, NULL, NULL);
}
