/*
 * The sides that are compared with the host: the interpreter alone, here; the loop with a JIT, in
 * processes of their own. All of them run the trials of worker_trials().
 */
#include "diff.h"

const char *const side_names[SIDE_COUNT] = {"linear", "paged", "jit", "jit-paged"};

static struct outcome outcomes[SIDE_JIT][BATCH]; /* of the interpreter */
static const struct outcome *host, *got[SIDE_COUNT];
static struct worker *native, *looped[SIDE_COUNT];
static struct looped_options options[SIDE_COUNT];
static struct jit_counts *counts;
static uint32_t sides;

bool sides_init(uint32_t wanted, const char *jit) {
    sides = jit ? wanted : wanted & ((1u << SIDE_JIT) - 1);
    /* Before the interpreter's memory takes the addresses that they need. */
    native = worker_create("host", native_work, NULL);
    if (!native)
        return false;
    counts = worker_share(BLINK_OP_COUNT * sizeof *counts);
    if (!counts)
        return false;
    for (uint32_t k = SIDE_JIT; k < SIDE_COUNT; k++) {
        if (!(sides >> k & 1))
            continue;
        options[k] = (struct looped_options){.paged = k == SIDE_JIT_PAGED,
                                             .jit = jit,
                                             .counts = k == SIDE_JIT ? counts : NULL,
                                             .host = worker_outcomes(native)};
        looped[k] = worker_create(side_names[k], looped_work, &options[k]);
        if (!looped[k])
            return false;
    }
    return guest_init();
}

void sides_run(uint32_t count) {
    const struct trial *trials = worker_trials();
    worker_start(native, count);
    host = worker_wait(native);
    for (uint32_t k = SIDE_JIT; k < SIDE_COUNT; k++)
        if (looped[k])
            worker_start(looped[k], count);
    for (uint32_t side = 0; side < SIDE_JIT; side++) {
        if (!(sides >> side & 1))
            continue;
        for (uint32_t k = 0; k < count; k++)
            guest_run(side == SIDE_PAGED, &trials[k], &outcomes[side][k]);
        got[side] = outcomes[side];
    }
    for (uint32_t k = SIDE_JIT; k < SIDE_COUNT; k++)
        if (looped[k])
            got[k] = worker_wait(looped[k]);
}

const struct outcome *sides_host(uint32_t k) {
    return &host[k];
}

const struct outcome *sides_outcome(uint32_t side, uint32_t k) {
    return got[side] ? &got[side][k] : NULL;
}

void sides_finish(void) {
    worker_destroy(native);
    for (uint32_t k = 0; k < SIDE_COUNT; k++)
        worker_destroy(looped[k]);
}

const struct jit_counts *sides_jit_counts(void) {
    return counts;
}
