/*
 * Against the host: FXSAVE, XSAVE and their relatives (either side restores what the other saved),
 * gathers, masked stores, and the conversions between MMX and XMM. x86-64 hosts only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/cpu.h"
#include "sse_guest.h"
#include "sse_host.h"
#include "sse_ops.h"
#include "sse_values.h"

#define TRIALS 200u

static _Alignas(64) uint8_t guest_area[1024], host_area[4096];
static struct rng rng = {42};

static void random_state(struct sse_state *s) {
    memset(s, 0, sizeof *s);
    uint32_t flavour = rng_below(&rng, 6);
    for (uint32_t k = 0; k < 16; k++) {
        random_vector(&rng, s->ymm[k].u64, 4, flavour);
        s->gpr[k] = rng_next(&rng);
    }
    random_vector(&rng, s->mmx, 8, flavour);
    s->mxcsr = 0x1f80 | rng_below(&rng, 4) << 13;
    s->rflags = 2;
}
static void load_guest(struct blink_cpu *cpu, const struct sse_state *s) {
    memcpy(cpu->ymm, s->ymm, sizeof cpu->ymm);
    for (uint32_t k = 0; k < 8; k++) {
        cpu->fpr[k].frac = s->mmx[k];
        cpu->fpr[k].se = 0xffff;
    }
    cpu->fvalid = 0xff;
    cpu->ftop = 0;
    memcpy(cpu->gpr, s->gpr, sizeof s->gpr);
    cpu->mxcsr = s->mxcsr;
}
static void assert_same_vectors(const struct blink_cpu *cpu, const struct sse_state *host) {
    for (uint32_t k = 0; k < 16; k++)
        assert_memory_equal(&cpu->ymm[k], &host->ymm[k], 32);
    for (uint32_t k = 0; k < 8; k++)
        assert_int_equal(cpu->fpr[k].frac, host->mmx[k]);
    assert_int_equal(cpu->mxcsr, host->mxcsr);
}

static struct blink_insn make(uint16_t op, uint16_t prefix) {
    struct blink_insn i = {.opnd = {{BLINK_OPND_MEM, 0, 0, BLINK_ACCESS_READ}},
                           .seg = BLINK_SEG_NONE,
                           .base = BLINK_RAX,
                           .index = BLINK_REG_NONE,
                           .op = op,
                           .len = 4,
                           .opsize = 8,
                           .addrsize = 8,
                           .prefix = prefix};
    return i;
}
static void guest_at(struct blink_cpu *cpu, const struct blink_insn *i, void *area) {
    cpu->gpr[BLINK_RAX] = (uintptr_t)area;
    guest_run(cpu, i);
    assert_int_equal(cpu->exit_reason, BLINK_EXIT_BLOCK);
}
static void guest_fault(struct blink_cpu *cpu, const struct blink_insn *i, void *area) {
    cpu->gpr[BLINK_RAX] = (uintptr_t)area;
    guest_run(cpu, i);
    assert_int_equal(cpu->exit_reason, BLINK_EXIT_FAULT);
    assert_int_equal(cpu->exit_info, BLINK_EXC_GP);
}

/* ---- state in memory ---- */

static const uint8_t host_fxsave[] = {0x48, 0x0f, 0xae, 0x00};
static const uint8_t host_fxrstor[] = {0x48, 0x0f, 0xae, 0x08};
/* mov eax, 7; cdq; the area is at [RCX]. */
static const uint8_t host_xsave[] = {0xb8, 7, 0, 0, 0, 0x99, 0x48, 0x0f, 0xae, 0x21};
static const uint8_t host_xsavec[] = {0xb8, 7, 0, 0, 0, 0x99, 0x48, 0x0f, 0xc7, 0x21};
static const uint8_t host_xrstor[] = {0xb8, 7, 0, 0, 0, 0x99, 0x48, 0x0f, 0xae, 0x29};

/* The guest's EAX is the mask too, so its area is at [RCX]. */
static struct blink_insn make_xsave(uint16_t op) {
    struct blink_insn i = make(op, BLINK_PFX_REX | BLINK_PFX_REX_W);
    i.base = BLINK_RCX;
    return i;
}
static void guest_xsave(struct blink_cpu *cpu, uint16_t op, uint64_t mask, void *area) {
    struct blink_insn i = make_xsave(op);
    cpu->gpr[BLINK_RCX] = (uintptr_t)area;
    cpu->gpr[BLINK_RAX] = mask;
    cpu->gpr[BLINK_RDX] = 0;
    guest_run(cpu, &i);
}

static void assert_same_legacy(const uint8_t *guest, const uint8_t *host) {
    assert_memory_equal(guest, host, 6);           /* FCW FSW FTW */
    assert_memory_equal(guest + 24, host + 24, 4); /* MXCSR; its mask is the processor's */
    assert_memory_equal(guest + 32, host + 32, 384);
}

static void fxsave_and_fxrstor(void **state) {
    (void)state;
    struct blink_insn save = make(BLINK_OP_FXSAVE, BLINK_PFX_REX | BLINK_PFX_REX_W);
    struct blink_insn restore = make(BLINK_OP_FXRSTOR, BLINK_PFX_REX | BLINK_PFX_REX_W);
    for (uint32_t k = 0; k < TRIALS; k++) {
        struct sse_state s, other;
        random_state(&s);
        memset(guest_area, 0xa5, sizeof guest_area);
        memset(host_area, 0xa5, sizeof host_area);
        struct blink_cpu *cpu = guest_cpu();
        load_guest(cpu, &s);
        guest_at(cpu, &save, guest_area);
        s.gpr[BLINK_RAX] = (uintptr_t)host_area;
        sse_host_run(&s, host_fxsave, sizeof host_fxsave);
        assert_same_legacy(guest_area, host_area);
        assert_int_equal(guest_area[511], 0xa5);
        /* Each restores the other's. */
        random_state(&other);
        load_guest(cpu, &other);
        guest_at(cpu, &restore, host_area);
        other.gpr[BLINK_RAX] = (uintptr_t)guest_area;
        sse_host_run(&other, host_fxrstor, sizeof host_fxrstor);
        assert_same_vectors(cpu, &other);
    }
}

static void xsave_and_xrstor(void **state) {
    (void)state;
    if (!sse_host_has(F_AVX)) {
        print_message("# skip: the host has no AVX\n");
        skip();
    }
    for (uint32_t k = 0; k < TRIALS; k++) {
        struct sse_state s, other;
        bool compact = k & 1;
        random_state(&s);
        for (uint32_t n = 0; n < 16; n++) /* in use for certain */
            s.ymm[n].u8[5] = s.ymm[n].u8[25] = 1;
        memset(guest_area, 0, sizeof guest_area);
        memset(host_area, 0, sizeof host_area);
        struct blink_cpu *cpu = guest_cpu();
        load_guest(cpu, &s);
        guest_xsave(cpu, compact ? BLINK_OP_XSAVEC : BLINK_OP_XSAVE, 7, guest_area);
        assert_int_equal(cpu->exit_reason, BLINK_EXIT_BLOCK);
        s.gpr[BLINK_RCX] = (uintptr_t)host_area;
        sse_host_run(&s, compact ? host_xsavec : host_xsave, sizeof host_xsave);
        assert_same_legacy(guest_area, host_area);
        assert_memory_equal(guest_area + 512, host_area + 512, 64 + 256);
        random_state(&other);
        load_guest(cpu, &other);
        guest_xsave(cpu, BLINK_OP_XRSTOR, 7, host_area);
        assert_int_equal(cpu->exit_reason, BLINK_EXIT_BLOCK);
        other.gpr[BLINK_RCX] = (uintptr_t)guest_area;
        sse_host_run(&other, host_xrstor, sizeof host_xrstor);
        assert_same_vectors(cpu, &other);
    }
}

static void initial_components(void **state) {
    (void)state;
    struct sse_state s;
    struct blink_cpu *cpu = guest_cpu();
    uint64_t header[2];
    random_state(&s);
    load_guest(cpu, &s);
    memset(cpu->ymm, 0, sizeof cpu->ymm);
    cpu->ymm[3].u64[3] = 9; /* AVX alone is in use, and x87 */
    cpu->mxcsr = 0x1f80;
    memset(guest_area, 0x5a, sizeof guest_area);
    guest_xsave(cpu, BLINK_OP_XSAVEC, 6, guest_area);
    memcpy(header, guest_area + 512, 16);
    assert_int_equal(header[0], 4);
    assert_int_equal(header[1], UINT64_C(0x8000000000000006));
    assert_int_equal(guest_area[160], 0x5a);
    memset(guest_area, 0x5a, sizeof guest_area);
    memset(guest_area + 512, 0, 64);
    guest_area[512] = 1; /* not asked for: stays */
    guest_xsave(cpu, BLINK_OP_XSAVEOPT, 6, guest_area);
    assert_int_equal(guest_area[512], 5);
    assert_int_equal(guest_area[160], 0x5a);
    guest_xsave(cpu, BLINK_OP_XSAVE, 6, guest_area);
    assert_int_equal(guest_area[160], 0);
    /* What is asked for and absent gets its initial state; what is not asked for stays. */
    load_guest(cpu, &s);
    memset(guest_area + 512, 0, 64);
    guest_area[24] = 0x80;
    guest_area[25] = 0x1f;
    memset(guest_area + 26, 0, 2);
    guest_xsave(cpu, BLINK_OP_XRSTOR, 4, guest_area);
    assert_int_equal(cpu->exit_reason, BLINK_EXIT_BLOCK);
    for (uint32_t k = 0; k < 16; k++) {
        assert_int_equal(cpu->ymm[k].u64[2] | cpu->ymm[k].u64[3], 0);
        assert_int_equal(cpu->ymm[k].u64[0], s.ymm[k].u64[0]);
    }
    guest_xsave(cpu, BLINK_OP_XRSTOR, 1, guest_area);
    assert_int_equal(cpu->fcw, 0x37f);
    assert_int_equal(cpu->fvalid, 0);
}

static void refused_areas(void **state) {
    (void)state;
    /* Offset in the area, value: each is a reserved bit. */
    static const struct {
        uint16_t at;
        uint8_t value;
    } bad[] = {{512, 8}, {513, 1}, {520, 1}, {528, 1}, {26, 1}};
    struct blink_insn save = make(BLINK_OP_FXSAVE, 0), restore = make(BLINK_OP_FXRSTOR, 0);
    struct blink_cpu *cpu = guest_cpu();
    guest_fault(cpu, &save, guest_area + 8);
    guest_fault(cpu, &restore, guest_area + 8);
    memset(guest_area, 0, sizeof guest_area);
    guest_area[27] = 1;
    guest_fault(cpu, &restore, guest_area);
    guest_xsave(cpu, BLINK_OP_XSAVE, 7, guest_area + 32);
    assert_int_equal(cpu->exit_info, BLINK_EXC_GP);
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        cpu = guest_cpu();
        cpu->ymm[1].u64[0] = 77;
        memset(guest_area, 0, sizeof guest_area);
        guest_area[bad[k].at] = bad[k].value;
        guest_xsave(cpu, BLINK_OP_XRSTOR, 7, guest_area);
        assert_int_equal(cpu->exit_reason, BLINK_EXIT_FAULT);
        assert_int_equal(cpu->exit_info, BLINK_EXC_GP);
        assert_int_equal(cpu->ymm[1].u64[0], 77);
    }
    /* Compacted: a component present that the format leaves out. */
    cpu = guest_cpu();
    memset(guest_area, 0, sizeof guest_area);
    guest_area[512] = 4;
    guest_area[520] = 3;
    guest_area[527] = 0x80;
    guest_xsave(cpu, BLINK_OP_XRSTOR, 7, guest_area);
    assert_int_equal(cpu->exit_info, BLINK_EXC_GP);
    cpu = guest_cpu();
    cpu->cr4 &= ~CR4_OSXSAVE;
    cpu_update_mode(cpu);
    guest_xsave(cpu, BLINK_OP_XSAVE, 7, guest_area);
    assert_int_equal(cpu->exit_info, BLINK_EXC_UD);
}

/* ---- gathers ---- */

static const struct {
    uint16_t op;
    uint8_t opcode, wide, index_size, unit;
} gathers[] = {
    {BLINK_OP_VPGATHERDD, 0x90, 0, 4, 4}, {BLINK_OP_VPGATHERDQ, 0x90, 1, 4, 8},
    {BLINK_OP_VPGATHERQD, 0x91, 0, 8, 4}, {BLINK_OP_VPGATHERQQ, 0x91, 1, 8, 8},
    {BLINK_OP_VGATHERDPS, 0x92, 0, 4, 4}, {BLINK_OP_VGATHERDPD, 0x92, 1, 4, 8},
    {BLINK_OP_VGATHERQPS, 0x93, 0, 8, 4}, {BLINK_OP_VGATHERQPD, 0x93, 1, 8, 8},
};

static void gather_from_memory(void **state) {
    (void)state;
    if (!sse_host_has(F_AVX2)) {
        print_message("# skip: the host has no AVX2\n");
        skip();
    }
    for (uint32_t k = 0; k < TRIALS * 8; k++) {
        uint32_t g = k % 8, wide = rng_below(&rng, 2), scale = rng_below(&rng, 4);
        struct sse_state s;
        random_state(&s);
        random_vector(&rng, (uint64_t *)guest_area, 128, 5);
        for (uint32_t n = 0; n < 8; n++) {
            if (gathers[g].index_size == 4)
                s.ymm[3].i32[n] = (int32_t)rng_below(&rng, 60) - 30;
            else
                s.ymm[3].i64[n & 3] = (int32_t)rng_below(&rng, 60) - 30;
        }
        s.gpr[BLINK_RAX] = (uintptr_t)guest_area + 512;
        /* reg 1, mask 2, index 3 */
        const uint8_t code[] = {0xc4,
                                0xe2,
                                (uint8_t)(gathers[g].wide << 7 | 13 << 3 | wide << 2 | 1),
                                gathers[g].opcode,
                                0x0c,
                                (uint8_t)(scale << 6 | 3 << 3)};
        struct blink_insn i = make(gathers[g].op, BLINK_PFX_VEX | (wide ? BLINK_PFX_VEX_L : 0));
        uint32_t widest =
            gathers[g].unit > gathers[g].index_size ? gathers[g].unit : gathers[g].index_size;
        bool full = wide && gathers[g].unit == widest;
        uint8_t kind = full ? BLINK_OPND_YMM : BLINK_OPND_XMM;
        i.opnd[0] = (struct blink_operand){kind, 1, full ? 32 : 16, 3};
        i.opnd[1] = (struct blink_operand){BLINK_OPND_MEM, 0, gathers[g].unit, 1};
        i.opnd[2] = (struct blink_operand){kind, 2, full ? 32 : 16, 3};
        i.index = 3;
        i.scale = (uint8_t)scale;
        struct blink_cpu *cpu = guest_cpu();
        load_guest(cpu, &s);
        guest_run(cpu, &i);
        assert_int_equal(cpu->exit_reason, BLINK_EXIT_BLOCK);
        sse_host_run(&s, code, sizeof code);
        assert_same_vectors(cpu, &s);
    }
}

/* ---- masked stores at [RDI] ---- */

static void masked_stores(void **state) {
    (void)state;
    static const uint8_t mmx_code[] = {0x0f, 0xf7, 0xca}, xmm_code[] = {0x66, 0x0f, 0xf7, 0xca};
    for (uint32_t k = 0; k < TRIALS; k++) {
        bool xmm = k & 1;
        struct sse_state s;
        random_state(&s);
        random_vector(&rng, (uint64_t *)guest_area, 8, 5);
        memcpy(host_area, guest_area, 64);
        struct blink_insn i = make(xmm ? BLINK_OP_MASKMOVDQU : BLINK_OP_MASKMOVQ, 0);
        uint8_t kind = xmm ? BLINK_OPND_XMM : BLINK_OPND_MMX, size = xmm ? 16 : 8;
        i.opnd[0] = (struct blink_operand){kind, 1, size, 1};
        i.opnd[1] = (struct blink_operand){kind, 2, size, 1};
        struct blink_cpu *cpu = guest_cpu();
        load_guest(cpu, &s);
        cpu->gpr[BLINK_RDI] = (uintptr_t)guest_area + k % 32;
        guest_run(cpu, &i);
        assert_int_equal(cpu->exit_reason, BLINK_EXIT_BLOCK);
        s.gpr[BLINK_RDI] = (uintptr_t)host_area + k % 32;
        sse_host_run(&s, xmm ? xmm_code : mmx_code, xmm ? sizeof xmm_code : sizeof mmx_code);
        assert_memory_equal(guest_area, host_area, 64);
    }
}

/* ---- MMX and XMM ---- */

static const struct {
    uint16_t op;
    uint8_t prefix, opcode;
    uint8_t to, from; /* BLINK_OPND_* */
} conversions[] = {
    {BLINK_OP_CVTPI2PS, 0, 0x2a, BLINK_OPND_XMM, BLINK_OPND_MMX},
    {BLINK_OP_CVTPI2PD, 0x66, 0x2a, BLINK_OPND_XMM, BLINK_OPND_MMX},
    {BLINK_OP_CVTTPS2PI, 0, 0x2c, BLINK_OPND_MMX, BLINK_OPND_XMM},
    {BLINK_OP_CVTTPD2PI, 0x66, 0x2c, BLINK_OPND_MMX, BLINK_OPND_XMM},
    {BLINK_OP_CVTPS2PI, 0, 0x2d, BLINK_OPND_MMX, BLINK_OPND_XMM},
    {BLINK_OP_CVTPD2PI, 0x66, 0x2d, BLINK_OPND_MMX, BLINK_OPND_XMM},
    {BLINK_OP_MOVQ2DQ, 0xf3, 0xd6, BLINK_OPND_XMM, BLINK_OPND_MMX},
    {BLINK_OP_MOVDQ2Q, 0xf2, 0xd6, BLINK_OPND_MMX, BLINK_OPND_XMM},
    {BLINK_OP_PSHUFW, 0, 0x70, BLINK_OPND_MMX, BLINK_OPND_MMX},
    {BLINK_OP_MOVQ, 0, 0x6f, BLINK_OPND_MMX, BLINK_OPND_MMX},
};
#define CONVERSIONS (sizeof conversions / sizeof conversions[0])

static void between_mmx_and_xmm(void **state) {
    (void)state;
    for (uint32_t k = 0; k < TRIALS * CONVERSIONS; k++) {
        uint32_t c = k % CONVERSIONS, n = 0, imm = rng_below(&rng, 256);
        struct sse_state s;
        random_state(&s);
        uint8_t code[8];
        if (conversions[c].prefix)
            code[n++] = conversions[c].prefix;
        code[n++] = 0x0f;
        code[n++] = conversions[c].opcode;
        code[n++] = 0xc0 | 1 << 3 | 2;
        struct blink_insn i = make(conversions[c].op, 0);
        i.opnd[0] = (struct blink_operand){conversions[c].to, 1, 0, 2};
        i.opnd[1] = (struct blink_operand){conversions[c].from, 2, 0, 1};
        if (conversions[c].op == BLINK_OP_PSHUFW) {
            code[n++] = (uint8_t)imm;
            i.imm = imm;
            i.opnd[2].kind = BLINK_OPND_IMM;
        }
        struct blink_cpu *cpu = guest_cpu();
        load_guest(cpu, &s);
        guest_run(cpu, &i);
        assert_int_equal(cpu->exit_reason, BLINK_EXIT_BLOCK);
        sse_host_run(&s, code, n);
        assert_same_vectors(cpu, &s);
        assert_int_equal(cpu->fvalid, 0xff);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fxsave_and_fxrstor),  cmocka_unit_test(xsave_and_xrstor),
        cmocka_unit_test(initial_components),  cmocka_unit_test(refused_areas),
        cmocka_unit_test(gather_from_memory),  cmocka_unit_test(masked_stores),
        cmocka_unit_test(between_mmx_and_xmm),
    };
    return cmocka_run_group_tests_name("sse_state", tests, NULL, NULL);
}
