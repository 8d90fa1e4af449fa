/*
 * The page about all operations of ops.def, as HTML: in which modes they exist, what the
 * interpreter and the back end make of them, and how many cases the fixed slice of the tests has.
 * Those without a case are red, and say why.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "diff.h"
#include "interp/interp.h"

#define JIT_CASES 64u /* that show what the back end does with an operation */

static const char *const class_names[] = {"integer", "string", "port", "branch", "system",
                                          "x87",     "MMX",    "SSE",  "AVX"};

/* ---- the interpreter: what has no handler is #UD ---- */

static struct block *make_block(void) {
    return calloc(1, sizeof(struct block) + 2 * sizeof(struct blink_insn));
}

/* The instruction of the operation in its first case. */
static bool find_insn(uint32_t mode, uint32_t op, struct blink_insn *out) {
    static struct trial t;
    uint32_t at = 0;
    if (!shapes_count(mode, op) || !generate(&t, mode, op, case_seed(1, mode, op, 0)))
        return false;
    for (uint32_t k = 0; k < t.count; at += t.lengths[k++])
        if (decode_at(t.mode, t.code + at, t.lengths[k], 0, out) && out->op == op)
            return true;
    return false;
}

static bool has_handler(uint32_t op) {
    struct block *known = make_block(), *invalid = make_block();
    bool has = false;
    for (uint32_t mode = 0; known && invalid && mode < MODES && !has; mode++) {
        if (!find_insn(mode, op, known->insns))
            continue;
        known->mode = invalid->mode = trial_modes[mode] | BLINK_MODE_PROT | BLINK_MODE_CPL3;
        known->count = invalid->count = 1;
        interp_bind_block(known);
        interp_bind_block(invalid);
        has = known->insns[0].handler != invalid->insns[0].handler;
    }
    free(known);
    free(invalid);
    return has;
}

/* ---- cases ---- */

static uint32_t count_cases(uint64_t seed, uint32_t mode, uint32_t op, uint32_t cases) {
    static struct trial t;
    uint32_t n = 0;
    if (op_excluded(op) || !shapes_count(mode, op))
        return 0;
    for (uint32_t k = 0; k < case_share(mode, op, cases); k++)
        n += generate(&t, mode, op, case_seed(seed, mode, op, k));
    return n;
}

static void run_jit(uint64_t seed) {
    for (uint32_t op = 1; op < BLINK_OP_COUNT; op++) {
        uint32_t n = 0;
        if (op_excluded(op) || !shapes_count(0, op))
            continue;
        for (uint32_t k = 0; k < JIT_CASES; k++)
            n += generate(&worker_trials()[n], 0, op, case_seed(seed, 0, op, k));
        sides_run(n);
    }
}

/* ---- the page ---- */

static void print_jit(uint32_t op) {
    struct jit_counts c = sides_jit_counts()[op];
    const char *between = "";
    if (!op_excluded(op) && shapes_count(0, op) && !c.copied && !c.rewritten && !c.handed_back) {
        printf("interpreted");
        return;
    }
    /* What is handed back was translated as well: to leaving. */
    uint32_t rewritten = c.rewritten > c.handed_back ? c.rewritten - c.handed_back : 0;
    if (c.copied)
        printf("copied"), between = ", ";
    if (rewritten)
        printf("%srewritten", between), between = ", ";
    if (c.handed_back)
        printf("%shanded back", between);
}

static void print_row(uint64_t seed, uint32_t op, uint32_t cases, uint32_t *totals) {
    static const char *const mode_words[MODES] = {"64", "32", "16"};
    uint32_t n[MODES], all = 0;
    const char *why = op_excluded(op);
    for (uint32_t mode = 0; mode < MODES; mode++)
        all += n[mode] = count_cases(seed, mode, op, cases);
    printf("<tr%s><td>%s<td>%s<td>", all ? "" : " class=none", op_names[op],
           class_names[op_classes[op]]);
    for (uint32_t mode = 0; mode < MODES; mode++)
        if (shapes_count(mode, op))
            printf("%s ", mode_words[mode]);
    printf("<td>%s<td>", has_handler(op) ? "yes" : "#UD");
    print_jit(op);
    if (!all && !why)
        why = "no encoding that user code may run";
    if (all)
        printf("<td>%u<td>%u<td>%u\n", n[0], n[1], n[2]);
    else
        printf("<td colspan=3>none: %s\n", why);
    totals[0] += all;
    totals[1] += all != 0;
}

bool coverage_print(uint64_t seed, uint32_t cases, const char *jit) {
    uint32_t totals[2] = {0, 0};
    if (!jit || !sides_init(1u << SIDE_JIT, jit))
        return false;
    run_jit(seed);
    printf(
        "<!DOCTYPE html>\n<meta charset=utf-8>\n<title>blink: operations</title>\n"
        "<style>body { font-family: sans-serif } td { padding: 0 .6em }\n"
        "tr.none { background: #e33; color: white }</style>\n"
        "<h1>Operations, and what they are compared with</h1>\n"
        "<p>Made from <code>ops.def</code> by <code>ninja -C build update-coverage</code>. Cases "
        "are those of the test <code>diff</code> (<code>--seed %" PRIu64 " --cases %u</code>, a "
        "fifth of them in 32- and 16-bit code): each is run by this CPU, the interpreter in linear "
        "and in paged memory, and translated code in both, which must agree. Operations without a "
        "case are red. <code>./dev diff</code> runs as many more as wanted.</p>\n"
        "<table>\n<tr><th>operation<th>class<th>modes<th>interpreter<th>jit-x86_64<th>64 bits"
        "<th>32<th>16\n",
        seed, cases);
    for (uint32_t op = 1; op < BLINK_OP_COUNT; op++)
        print_row(seed, op, cases, totals);
    printf("</table>\n<p>%u cases over %u of %u operations.</p>\n", totals[0], totals[1],
           BLINK_OP_COUNT - 1);
    sides_finish();
    return true;
}
