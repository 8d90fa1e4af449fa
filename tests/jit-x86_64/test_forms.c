/*
 * Every form of instruction that the back end copies or rewrites, from code in reach of its data,
 * below 2 GiB, out of reach and in paged memory: the state after each instruction is the
 * interpreter's, wherever in generated code it is asked for, however the run ends, and also when an
 * event cuts it short.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "forms.h"
#include "rig.h"

/* Forms of which something may be interpreted. */
#define UNSURE  (USES_INTERPRETER | MAY_INTERPRET | FAULTS)
#define MOMENTS 64u
#define TRIALS  4u

/* The program before one of its instructions, or at its end. */
struct moment {
    struct rig_state state;
    uint64_t vague;  /* flags that are undefined */
    bool repeats;    /* the next instruction may be seen half done */
    uint32_t pushes; /* the next instruction may have written so much to the stack */
    uint8_t memory[RIG_DATA_SIZE];
};

/* One trial of one form. */
struct trial {
    struct rig *rig;
    const struct form *form;
    const struct rig_segments *segments; /* of other than 64-bit code, or NULL */
    uint64_t rip, end_rip;
    struct moment moment[MOMENTS];
    uint32_t last; /* moment after the last instruction that was completed */
    struct rig_end end;
    bool native; /* nothing was interpreted when it ran freely */
    bool full;   /* the TLB has all there is */
    uint32_t at; /* moment the generated code was seen in last */
    char wrong[256];
};

static const struct {
    uint32_t writes, undefined;
    bool conditional;
} ops[BLINK_OP_COUNT] = {
#define FC      BLINK_CF
#define FP      BLINK_PF
#define FA      BLINK_AF
#define FZ      BLINK_ZF
#define FS      BLINK_SF
#define FO      BLINK_OF
#define FD      BLINK_DF
#define FI      BLINK_IF
#define A_END   0
#define A_LOCK  0
#define A_FAULT 0
#define A_COND  1
#define OP(id, mnemonic, cls, reads, writes, undefined, attr)                                      \
  [BLINK_OP_##id] = {(writes), (undefined), ((attr)&1) != 0},
#include <blink/ops.def>
};

/* ---- random state ---- */

static uint64_t seed = 1;

static uint64_t rnd(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* Addresses as the code has them. */
static uint64_t code_at(const struct trial *t) {
    return t->segments && t->segments->bits == 16 ? 0 : rig_base(t->rig);
}
static uint64_t data_at(const struct trial *t) {
    return t->segments && !t->segments->flat ? 0 : rig_base(t->rig) + RIG_DATA;
}

static uint64_t target(const struct trial *t) {
    return code_at(t) + 0x1000 + (rnd() & 0xeff);
}

static uint64_t value(const struct trial *t, char kind) {
    uint64_t data = data_at(t);
    switch (kind) {
    case 'i': return rnd() & 63;
    case 'c': return 1 + rnd() % 6;
    case 'z': return 0;
    case 'p': return data + 0x600 + (rnd() & 0x7e0);
    case 'q': return data + 0x601 + (rnd() & 0x7e0);
    case 'd': return data + RIG_DATA_SIZE - 128;
    case 't': return target(t);
    case 'y': return data + 0xff9 + (rnd() & 7);
    case 'x': return data + RIG_DATA_SIZE + 0x40;
    case 'n': return UINT64_C(0x8000000000000) + (rnd() & 0xfff);
    default: return rnd() >> (rnd() & 63);
    }
}

static void random_state(struct trial *t, struct rig_state *s) {
    rig_save(rig_cpu(t->rig), s); /* the segments */
    s->rip = t->rip;
    s->flags = 0x202 | (rnd() & BLINK_FLAGS_ARITH);
    for (uint32_t k = 0; k < 16; k++)
        s->gpr[k] = k < strlen(t->form->registers) ? value(t, t->form->registers[k]) : rnd();
    /* What other than 64-bit code has in the upper halves does not count. */
    for (uint32_t k = 0; k < 8 && t->segments; k++)
        s->gpr[k] = (uint32_t)s->gpr[k] | rnd() << 32;
    bool upper = rnd() & 1;
    for (uint32_t k = 0; k < 16; k++)
        for (uint32_t j = 0; j < (upper ? 4u : 2u); j++)
            s->ymm[k].u64[j] = rnd();
    s->mxcsr = 0x1f80 | (uint32_t)(rnd() & 0x6000);
    s->fcw = 0x37f;
    s->fsw = 0;
    s->ftop = s->fvalid = 0;
    memset(s->fpr, 0, sizeof s->fpr);
    if (rnd() & 1)
        return;
    /* A few x87 registers in use. */
    s->ftop = rnd() & 7;
    s->fcw = (uint16_t)(0x37f | (rnd() & 0xc00));
    for (uint32_t k = 0; k < 3; k++) {
        uint32_t n = (s->ftop + k) & 7;
        s->fvalid |= (uint8_t)(1 << n);
        s->fpr[n] = (struct blink_f80){.frac = rnd() | UINT64_C(1) << 63,
                                       .se = (uint16_t)(0x3ff0 + (rnd() & 0x801f))};
    }
}

static void random_memory(struct trial *t) {
    uint8_t *data = rig_data(t->rig);
    uint32_t size = t->segments ? t->segments->bits / 8 : 8;
    for (uint32_t at = 0; at < RIG_DATA_SIZE; at += size) {
        uint64_t v = t->form->flags & TARGETS ? target(t) : rnd();
        memcpy(data + at, &v, size);
    }
}

/* ---- what the interpreter does ---- */

static bool inside(const struct trial *t, uint64_t rip) {
    return rip >= t->rip && rip < t->end_rip;
}

static size_t left(const struct trial *t, uint64_t rip) {
    return (size_t)(t->end_rip - rip);
}
static const uint8_t *bytes_at(const struct trial *t, uint64_t rip) {
    return t->form->code + (rip - t->rip);
}

static void note(struct trial *t, uint64_t vague) {
    struct moment *m = &t->moment[t->last];
    rig_save(rig_cpu(t->rig), &m->state);
    memcpy(m->memory, rig_data(t->rig), RIG_DATA_SIZE);
    m->vague = vague;
    m->repeats = false;
    m->pushes = 0;
}

/* What it stores before it moves the stack pointer. */
static uint32_t pushed(const struct trial *t, const struct blink_insn *i) {
    if (i->op == BLINK_OP_CALL || (t->segments && i->op == BLINK_OP_PUSH))
        return i->opsize;
    return i->op == BLINK_OP_PUSHA ? 8u * i->opsize : 0;
}

static void set_up(struct trial *t, const struct moment *m) {
    rig_reset(t->rig);
    rig_load(rig_cpu(t->rig), &m->state);
    memcpy(rig_data(t->rig), m->memory, RIG_DATA_SIZE);
}

static struct rig_end interpret_one(struct trial *t, struct blink_insn *insn) {
    uint64_t rip = rig_cpu(t->rig)->rip;
    return rig_interpret(t->rig, bytes_at(t, rip), left(t, rip), insn);
}

static void trace(struct trial *t) {
    struct blink_cpu *cpu = rig_cpu(t->rig);
    uint64_t vague = 0;
    t->last = 0;
    note(t, 0);
    do {
        struct blink_insn insn;
        t->end = interpret_one(t, &insn);
        t->moment[t->last].repeats = insn.prefix & (BLINK_PFX_REP | BLINK_PFX_REPNE);
        t->moment[t->last].pushes = pushed(t, &insn);
        if (t->end.reason == BLINK_EXIT_FAULT) {
            /* How far a repetition came, which exception flags it set. */
            assert_true(++t->last < MOMENTS);
            note(t, vague);
            return;
        }
        if (!ops[insn.op].conditional)
            vague &= ~(uint64_t)ops[insn.op].writes;
        vague |= ops[insn.op].undefined;
        /* Shifts leave AF undefined, by other counts than one OF, too. */
        if (insn.op >= BLINK_OP_SHL && insn.op <= BLINK_OP_SHRD)
            vague |= ops[insn.op].writes & (BLINK_AF | BLINK_OF);
        assert_true(++t->last < MOMENTS);
        note(t, vague);
    } while (t->end.reason == BLINK_EXIT_BLOCK && inside(t, cpu->rip));
}

/* ---- comparing ---- */

static uint64_t stack_offset(const struct trial *t, uint64_t sp) {
    const struct rig_segments *s = t->segments;
    return !s ? sp : s->stack32 ? (uint32_t)sp : (uint16_t)sp;
}

/* Where a call is about to push may have been written already. */
static bool same_memory(const struct trial *t, const struct moment *m) {
    const uint8_t *have = rig_data(t->rig), *want = m->memory;
    uint64_t size = m->pushes, sp = m->state.gpr[BLINK_RSP] - size;
    uint64_t hole = stack_offset(t, sp) - data_at(t);
    if (!size || hole > RIG_DATA_SIZE - size)
        return !memcmp(have, want, RIG_DATA_SIZE);
    return !memcmp(have, want, hole) &&
           !memcmp(have + hole + size, want + hole + size, RIG_DATA_SIZE - hole - size);
}

static const char *difference(const struct trial *t, const struct moment *m,
                              const struct rig_state *s) {
    static char text[120];
    static const char *const names[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                          "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    const struct rig_state *w = &m->state;
#define DIFFER(what, a, b)                                                                         \
  snprintf(text, sizeof text, "%s is %#llx, not %#llx", what, (unsigned long long)(a),             \
           (unsigned long long)(b))
    if (s->rip != w->rip)
        return DIFFER("rip", s->rip, w->rip), text;
    for (uint32_t k = 0; k < 16; k++)
        if (s->gpr[k] != w->gpr[k])
            return DIFFER(names[k], s->gpr[k], w->gpr[k]), text;
    if ((s->flags ^ w->flags) & ~m->vague)
        return DIFFER("rflags", s->flags, w->flags), text;
    for (uint32_t k = 0; k < 64; k++)
        if (s->ymm[k / 4].u64[k % 4] != w->ymm[k / 4].u64[k % 4])
            return DIFFER("ymm", k / 4, s->ymm[k / 4].u64[k % 4]), text;
    for (uint32_t k = 0; k < 6; k++)
        if (s->selector[k] != w->selector[k] || s->base[k] != w->base[k])
            return DIFFER("a segment's base", s->base[k], w->base[k]), text;
    if (s->mxcsr != w->mxcsr)
        return DIFFER("mxcsr", s->mxcsr, w->mxcsr), text;
    if (s->fcw != w->fcw || s->ftop != w->ftop || s->fvalid != w->fvalid)
        return DIFFER("x87 control, top or tags", s->ftop, w->ftop), text;
    if (s->fsw != w->fsw)
        return DIFFER("fsw", s->fsw, w->fsw), text;
    for (uint32_t k = 0; k < 8; k++)
        if (s->fpr[k].frac != w->fpr[k].frac || s->fpr[k].se != w->fpr[k].se)
            return DIFFER("fpr", s->fpr[k].frac, w->fpr[k].frac), text;
#undef DIFFER
    return same_memory(t, m) ? NULL : "memory";
}

static const char *difference_now(struct trial *t, const struct moment *m) {
    struct rig_state s;
    rig_save(rig_cpu(t->rig), &s);
    return difference(t, m, &s);
}

/* On to the next form. */
static jmp_buf next_form;

static _Noreturn void fail_form(const struct trial *t, const char *when, const char *what) {
    print_error("%s: %s: %s\n", t->form->text, when, what);
    longjmp(next_form, 1);
}

/* ---- generated code ---- */

/* In the signal handler, at each host instruction. */
static void look(void *arg, int rc, const struct blink_cpu *cpu) {
    struct trial *t = arg;
    struct rig_state s;
    if (t->wrong[0] || rc == -EAGAIN)
        return;
    if (rc < 0) {
        snprintf(t->wrong, sizeof t->wrong, "recover says %d", rc);
        return;
    }
    rig_save(cpu, &s);
    const struct moment *m = &t->moment[t->at];
    for (uint32_t k = t->at; k <= t->last; k++) {
        if (t->moment[k].repeats && s.rip == t->moment[k].state.rip)
            return;
        if (!difference(t, &t->moment[k], &s)) {
            t->at = k;
            return;
        }
    }
    snprintf(t->wrong, sizeof t->wrong, "after %u of %u, rip %#llx: %s", t->at, t->last,
             (unsigned long long)(s.rip - t->rip), difference(t, m, &s));
}

static bool same_end(const struct rig_end *a, const struct rig_end *b) {
    return a->reason == b->reason && a->vector == b->vector && a->address == b->address &&
           a->write == b->write;
}

/* From where the CPU is to the end, block after block; false: it was left for an event. */
static bool run_code(struct trial *t, struct rig_steps *steps, struct rig_end *end) {
    struct blink_cpu *cpu = rig_cpu(t->rig);
    for (uint32_t blocks = 0;; blocks++) {
        int error;
        struct blink_jit_code *code = rig_find(t->rig, cpu->rip);
        if (!code)
            code = rig_translate(t->rig, bytes_at(t, cpu->rip), left(t, cpu->rip), cpu->rip,
                                 BLINK_BLOCK_MAX_INSNS, &error);
        if (!code)
            fail_form(t, "translating", "refused");
        *end = rig_enter(t->rig, code, steps);
        if (end->reason == BLINK_EXIT_ATTENTION)
            return false;
        if (end->reason != BLINK_EXIT_BLOCK || !inside(t, cpu->rip))
            return true;
        if (blocks > MOMENTS)
            fail_form(t, "running", "it comes to no end");
    }
}

static void check_end(struct trial *t, const char *when, const struct rig_end *end) {
    char text[128];
    const struct rig_end *w = &t->end;
    const char *why = difference_now(t, &t->moment[t->last]);
    if (why)
        fail_form(t, when, why);
    if (same_end(end, w))
        return;
    snprintf(text, sizeof text, "ended by %u/%u at %#llx%s, not %u/%u at %#llx%s", end->reason,
             end->vector, (unsigned long long)end->address, end->write ? " (write)" : "", w->reason,
             w->vector, (unsigned long long)w->address, w->write ? " (write)" : "");
    fail_form(t, when, text);
}

static void run_freely(struct trial *t) {
    struct rig_end end;
    set_up(t, &t->moment[0]);
    uint32_t before = rig_interpreted(t->rig);
    run_code(t, NULL, &end);
    check_end(t, "running", &end);
    bool interpreted = rig_interpreted(t->rig) != before;
    t->native = !interpreted;
    /* In paged memory all depends on what the TLB has, and more is interpreted. */
    if (t->segments && t->full && interpreted && !(t->form->flags & UNSURE))
        fail_form(t, "running", "interpreted");
    if (rig_is_paged(t->rig))
        return;
    if (!(t->form->flags & MAY_INTERPRET) && interpreted != (t->form->flags & USES_INTERPRETER))
        fail_form(t, "running", interpreted ? "interpreted" : "not interpreted");
}

static uint32_t run_in_steps(struct trial *t) {
    struct rig_end end;
    struct rig_steps steps = {.at = look, .arg = t};
    set_up(t, &t->moment[0]);
    t->at = 0;
    t->wrong[0] = 0;
    run_code(t, &steps, &end);
    if (t->wrong[0])
        fail_form(t, "in steps", t->wrong);
    check_end(t, "in steps", &end);
    if (steps.count < (t->form->flags & FAULTS ? 20 : 50))
        fail_form(t, "in steps", "hardly any");
    return steps.count;
}

/* The rest in the interpreter. */
static struct rig_end finish(struct trial *t, struct rig_end end) {
    const struct blink_cpu *cpu = rig_cpu(t->rig);
    while (end.reason == BLINK_EXIT_BLOCK && inside(t, cpu->rip)) {
        struct blink_insn insn;
        end = interpret_one(t, &insn);
    }
    return end;
}

/* Cut short at every host instruction. */
static void run_with_events(struct trial *t, uint32_t count) {
    uint32_t left_at_once = 0;
    for (uint32_t n = 1; n <= count; n++) {
        char when[64];
        struct rig_end end;
        struct rig_steps steps = {.event = n};
        set_up(t, &t->moment[0]);
        bool through = run_code(t, &steps, &end);
        left_at_once += steps.left;
        rig_cpu(t->rig)->attention = 0;
        if (!through)
            end = finish(t, inside(t, rig_cpu(t->rig)->rip)
                                ? (struct rig_end){.reason = BLINK_EXIT_BLOCK}
                                : t->end);
        snprintf(when, sizeof when, "event at host instruction %u", n);
        check_end(t, when, &end);
    }
    if (left_at_once < 10)
        fail_form(t, "events", "code was hardly ever left");
}

/* True if the last time nothing was interpreted. */
static bool try_form(struct rig *rig, const struct form *form,
                     const struct rig_segments *segments) {
    static struct trial t;
    t.rig = rig;
    t.form = form;
    t.segments = segments;
    size_t size = (size_t)(form->end - form->code);
    t.rip = code_at(&t) + (0 - size) % 32;
    t.end_rip = t.rip + size;
    rig_flush(rig);
    for (uint32_t n = 0; n < TRIALS; n++) {
        struct rig_state s;
        rig_reset(rig);
        random_state(&t, &s);
        random_memory(&t);
        rig_load(rig_cpu(rig), &s);
        /* The first time generated code finds no page, and in the last all. */
        trace(&t);
        t.full = n > 0;
        if (n == 0 && rig_is_paged(rig))
            rig_forget_pages(rig);
        if ((t.end.reason == BLINK_EXIT_FAULT) != ((form->flags & FAULTS) != 0))
            fail_form(&t, "interpreted", "unexpected end");
        run_freely(&t);
        bool near = rig_base(rig) == rig_near.base || (segments && segments->thorough);
        bool stepped = n < (near ? 2 : 1) && !(form->flags & NO_STEPS);
        uint32_t steps = stepped ? run_in_steps(&t) : 0;
        if (n == 0 && (form->flags & EVENTS) &&
            (segments ? segments->thorough : rig_base(rig) != rig_low.base))
            run_with_events(&t, steps);
    }
    return t.native;
}

static void try_some(const struct rig_place *place, const struct form *list, const struct form *end,
                     const struct rig_segments *segments) {
    struct rig *rig = rig_create(place);
    const char *only = getenv("FORM");
    bool avx = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
               __builtin_cpu_supports("f16c");
    volatile uint32_t failures = 0, native = 0;
    rig_set_segments(rig, segments);
    rig_reset(rig);
    for (const struct form *volatile f = list; f < end; f++) {
        if ((only && !strstr(f->text, only)) || (!avx && (f->flags & NEEDS_AVX)) ||
            (place->base != rig_low.base && (f->flags & ONLY_LOW)) ||
            ((f->flags & REAL) && !segments->real))
            continue;
        if (setjmp(next_form) == 0)
            native += try_form(rig, f, segments);
        else
            failures++;
    }
    rig_destroy(rig);
    if (segments && failures)
        print_error("in segments: %s\n", segments->name);
    assert_int_equal(failures, 0);
    assert_true(only || native > (segments ? 50 : 100));
}

static void try_all(const struct rig_place *place) {
    try_some(place, forms, forms_end, NULL);
}

static void test_near(void **state) {
    (void)state;
    try_all(&rig_near);
}
static void test_low(void **state) {
    (void)state;
    try_all(&rig_low);
}
static void test_far(void **state) {
    (void)state;
    try_all(&rig_far);
}
static void test_paged(void **state) {
    (void)state;
    try_all(&rig_paged);
}
static void test_paged_low(void **state) {
    (void)state;
    try_all(&rig_paged_low);
}

static void test_32_bits(void **state) {
    static const struct rig_segments kinds[] = {
        {.name = "flat",
         .bits = 32,
         .limit = UINT32_MAX,
         .flat = true,
         .stack32 = true,
         .thorough = true},
        {.name = "with a base", .bits = 32, .limit = UINT32_MAX, .stack32 = true},
        {.name = "with a limit", .bits = 32, .limit = RIG_DATA_SIZE - 1, .stack32 = true},
        {.name = "stack of 16 bits", .bits = 32, .limit = 0xffff},
    };
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        try_some(&rig_paged_low, forms32, forms32_end, &kinds[k]);
}

static void test_16_bits(void **state) {
    static const struct rig_segments kinds[] = {
        {.name = "real mode", .bits = 16, .limit = 0xffff, .real = true, .thorough = true},
        {.name = "real mode, no limits", .bits = 16, .limit = UINT32_MAX, .real = true},
        {.name = "with a limit", .bits = 16, .limit = RIG_DATA_SIZE - 1},
        {.name = "stack of 32 bits", .bits = 16, .limit = 0xffff, .stack32 = true},
    };
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        try_some(&rig_paged_low, forms16, forms16_end, &kinds[k]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_near),      cmocka_unit_test(test_low),
        cmocka_unit_test(test_far),       cmocka_unit_test(test_paged),
        cmocka_unit_test(test_paged_low), cmocka_unit_test(test_32_bits),
        cmocka_unit_test(test_16_bits),
    };
    return cmocka_run_group_tests_name("jit-x86_64-forms", tests, NULL, NULL);
}
