/*
 * A failure, made small and printed: the shortest sequence and the plainest state that still fail.
 */
#include <inttypes.h>
#include <string.h>

#include "diff.h"

/* In what it differs, run alone. */
static uint32_t fails(const struct trial *t, uint32_t side) {
    worker_trials()[0] = *t;
    sides_run(1);
    return outcomes_differ(t, sides_host(0), sides_outcome(side, 0), NULL);
}

static void drop_insn(struct trial *t, uint32_t k) {
    uint32_t at = 0;
    for (uint32_t j = 0; j < k; j++)
        at += t->lengths[j];
    memmove(t->code + at, t->code + at + t->lengths[k], t->code_size - at - t->lengths[k]);
    t->code_size -= t->lengths[k];
    for (uint32_t j = k; j + 1 < t->count; j++) {
        t->lengths[j] = t->lengths[j + 1];
        t->targets[j] = t->targets[j + 1];
    }
    t->count--;
    trial_place(t);
}

static uint32_t wanted; /* the failure that is to stay */

/* Keep a change if the trial still fails in the same way. */
static void keep(struct trial *t, const struct trial *changed, uint32_t side) {
    if (fails(changed, side) == wanted)
        *t = *changed;
}

static void zero_field(struct trial *t, uint32_t side, size_t at, size_t size) {
    struct trial changed = *t;
    memset((uint8_t *)&changed.state + at, 0, size);
    keep(t, &changed, side);
}

static void shrink(struct trial *t, uint32_t side) {
    for (uint32_t k = t->count; k-- > 0 && t->count > 1;) {
        struct trial changed = *t;
        drop_insn(&changed, k);
        keep(t, &changed, side);
    }
    for (uint32_t k = 0; k < 16; k++) {
        if (k != BLINK_RSP || t->mode != BLINK_MODE_BITS16)
            zero_field(t, side, offsetof(struct state, gpr) + 8 * k, 8);
        zero_field(t, side, 160 + 16 * k, 16);
        zero_field(t, side, 576 + 16 * k, 16);
    }
    struct trial changed = *t;
    changed.state.flags = 0x202;
    keep(t, &changed, side);
    changed = *t;
    memcpy(changed.state.xsave, "\x7f\x03\0\0\0", 5);
    keep(t, &changed, side);
    changed = *t;
    memcpy(changed.state.xsave + 24, "\x80\x1f\0\0", 4);
    keep(t, &changed, side);
    for (uint32_t k = 0; k < 8; k++)
        zero_field(t, side, 32 + 16 * k, 16);
}

void report_code(const struct trial *t) {
    uint64_t rip = trial_start(t);
    uint32_t at = 0;
    for (uint32_t k = 0; k < t->count; k++) {
        char text[128];
        decode_text(t->mode, t->code + at, t->lengths[k], rip, text, sizeof text);
        printf("    %08" PRIx64 "  ", rip);
        for (uint32_t j = 0; j < t->lengths[k]; j++)
            printf("%02x ", t->code[at + j]);
        printf(" %s\n", text);
        at += t->lengths[k];
        rip += t->lengths[k];
    }
}

static void print_state(const struct state *s) {
    static const char *const names[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                        "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
    uint32_t mxcsr;
    uint16_t x87[2];
    memcpy(&mxcsr, s->xsave + 24, 4);
    memcpy(x87, s->xsave, 4);
    for (uint32_t k = 0; k < 16; k++)
        if (s->gpr[k])
            printf("    %-4s %016" PRIx64 "\n", names[k], s->gpr[k]);
    printf("    flags %" PRIx64 "  mxcsr %x  fcw %x  fsw %x  ftw %x  fs %" PRIx64 "  gs %" PRIx64
           "\n",
           s->flags, mxcsr, x87[0], x87[1], s->xsave[4], s->fs, s->gs);
    printf("    es %x  cs %x  ss %x  ds %x  fs %x  gs %x\n", s->seg[0], s->seg[1], s->seg[2],
           s->seg[3], s->seg[4], s->seg[5]);
    for (uint32_t k = 0; k < 24; k++) {
        const uint8_t *low = k < 8 ? s->xsave + 32 + 16 * k : s->xsave + 160 + 16 * (k - 8);
        const uint8_t *high = k < 8 ? NULL : s->xsave + 576 + 16 * (k - 8);
        static const uint8_t zero[16];
        if (!memcmp(low, zero, 16) && (!high || !memcmp(high, zero, 16)))
            continue;
        printf("    %s%u ", k < 8 ? "st" : "ymm", k < 8 ? k : k - 8);
        for (uint32_t j = 16; high && j-- > 0;)
            printf("%02x", high[j]);
        for (uint32_t j = high ? 16 : 10; j-- > 0;)
            printf("%02x", low[j]);
        printf("\n");
    }
}

/* Memory that the instructions address, as they found it. */
static void print_memory(const struct trial *t) {
    struct blink_insn i;
    if (!decode_at(t->mode, t->code, t->lengths[0], trial_start(t), &i))
        return;
    for (uint32_t k = 0; k < 4; k++) {
        if (i.opnd[k].kind != BLINK_OPND_MEM)
            continue;
        uint64_t ea = trial_address(t, &i);
        printf("    [%" PRIx64 "]", ea);
        for (uint64_t at = ea; at < ea + 32; at++)
            if (at >= DATA_AT && at < DATA_AT + DATA_SIZE)
                printf(" %02x", t->data[at - DATA_AT]);
        printf("\n");
    }
}

void report_failure(const struct trial *t, uint32_t side, uint64_t seed, uint32_t index) {
    struct trial small = *t;
    printf("FAIL %s, %s; again: --seed %" PRIu64 " --mode %s --op %s --case %u\n",
           op_names[t->focus], side_names[side], seed, mode_names[mode_index(t->mode)],
           op_names[t->focus], index);
    wanted = fails(&small, side);
    if (wanted)
        shrink(&small, side);
    else
        printf("  (only in company: it does not fail alone)\n");
    fails(&small, side);
    report_code(&small);
    print_state(&small.state);
    print_memory(&small);
    outcomes_differ(&small, sides_host(0), sides_outcome(side, 0), stdout);
}
