/*
 * The differential tester's command: which operations, how many cases, how long; prints failures
 * and a summary. Exit status 0 without a difference, 1 with, 77 where the host cannot say.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "diff.h"

struct options {
    const char *decoder;
    const char *jit;
    const char *op;
    const char *mode; /* "64", "32" or "16"; NULL: all */
    uint32_t sides;   /* bits by SIDE_* */
    uint64_t seed;
    uint32_t cases;
    int64_t one; /* --case, or -1 */
    double minutes;
    uint32_t jobs;
    uint32_t failures; /* shown of one operation */
    bool list;
    bool coverage;
    bool flat; /* 64-bit code without selectors is all that there can be here */
    FILE *tap; /* where results go in the Test Anything Protocol, or NULL */
};

/* Cases of an operation in a round of --minutes: a batch of 32- and 16-bit code, five of 64-bit. */
#define ROUND (5 * BATCH)

struct totals {
    uint64_t cases, failures;
    uint32_t failed_ops, tested;
};

static double now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

uint64_t case_seed(uint64_t seed, uint32_t mode, uint32_t op, uint32_t index) {
    struct rng r = {seed};
    r.s = rng_next(&r) ^ ((uint64_t)mode << 56 | (uint64_t)op << 40 | index);
    return rng_next(&r);
}

/* A case that differed, and on which side. */
struct miss {
    uint32_t index, side;
};

/* A batch of one operation; the first side that differs is noted. */
static uint32_t run_batch(const struct options *o, uint32_t mode, uint32_t op, uint32_t first,
                          uint32_t count, uint32_t *missed, struct miss misses[BATCH]) {
    struct trial *trials = worker_trials();
    uint32_t indices[BATCH], n = 0;
    for (uint32_t k = 0; k < count; k++)
        if (generate(&trials[n], mode, op, case_seed(o->seed, mode, op, first + k)))
            indices[n++] = first + k;
    sides_run(n);
    *missed = 0;
    for (uint32_t k = 0; k < n; k++)
        for (uint32_t side = 0; side < SIDE_COUNT; side++) {
            const struct outcome *got = sides_outcome(side, k);
            if (!got || !outcomes_differ(&trials[k], sides_host(k), got, NULL))
                continue;
            misses[(*missed)++] = (struct miss){indices[k], side};
            break;
        }
    return n;
}

static void run_op(const struct options *o, uint32_t mode, uint32_t op, uint32_t first,
                   uint32_t count, struct totals *totals) {
    uint32_t shown = 0, cases = 0, failures = 0;
    for (uint32_t at = 0; at < count; at += BATCH) {
        struct miss list[BATCH];
        uint32_t failed, n = count - at < BATCH ? count - at : BATCH;
        cases += run_batch(o, mode, op, first + at, n, &failed, list);
        failures += failed;
        for (uint32_t k = 0; k < failed && shown < o->failures; k++, shown++) {
            static struct trial t;
            generate(&t, mode, op, case_seed(o->seed, mode, op, list[k].index));
            report_failure(&t, list[k].side, o->seed, list[k].index);
        }
    }
    totals->cases += cases;
    totals->failures += failures;
    totals->failed_ops += failures != 0;
    if (failures)
        printf("%s, %s bits: %u of %u cases differ\n", op_names[op], mode_names[mode], failures,
               cases);
    if (o->tap)
        fprintf(o->tap, "%sok %u - %s, %s bits: %u cases\n", failures || !cases ? "not " : "",
                ++totals->tested, op_names[op], mode_names[mode], cases);
    fflush(stdout);
}

static bool wanted(const struct options *o, uint32_t mode, uint32_t op) {
    if (o->flat && (mode || op_is_far(op)))
        return false;
    return (!o->op || !strcasecmp(o->op, op_names[op])) &&
           (!o->mode || !strcmp(o->mode, mode_names[mode])) && shapes_count(mode, op) &&
           !op_excluded(op);
}

/* Most cases of operations that 64-bit code has are of 64-bit code. */
uint32_t case_share(uint32_t mode, uint32_t op, uint32_t cases) {
    return mode && shapes_count(0, op) ? cases / 5 : cases;
}

static void run_some(const struct options *o, uint32_t mode, uint32_t op, uint32_t first,
                     uint32_t count, struct totals *t) {
    uint32_t begin = case_share(mode, op, first), end = case_share(mode, op, first + count);
    if (o->one >= 0)
        run_op(o, mode, op, (uint32_t)o->one, 1, t);
    else
        run_op(o, mode, op, begin, end - begin, t);
}

static void run_all(const struct options *o, uint32_t first, uint32_t count, struct totals *t) {
    for (uint32_t mode = 0; mode < MODES; mode++)
        for (uint32_t op = 1; op < BLINK_OP_COUNT; op++)
            if (wanted(o, mode, op))
                run_some(o, mode, op, first, count, t);
}

static void list_excluded(void) {
    for (uint32_t op = 1; op < BLINK_OP_COUNT; op++) {
        uint32_t n[MODES], all = 0;
        for (uint32_t mode = 0; mode < MODES; mode++)
            all += n[mode] = shapes_count(mode, op);
        if (op_excluded(op))
            printf("%-16s excluded: %s\n", op_names[op], op_excluded(op));
        else if (!all)
            printf("%-16s excluded: no encoding that user code may run\n", op_names[op]);
        else
            printf("%-16s %u encodings of 64 bits, %u of 32, %u of 16\n", op_names[op], n[0], n[1],
                   n[2]);
    }
}

static struct totals *shared; /* of all jobs */

static void add_totals(const struct totals *t) {
    __atomic_fetch_add(&shared->cases, t->cases, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&shared->failures, t->failures, __ATOMIC_SEQ_CST);
    __atomic_fetch_add(&shared->failed_ops, t->failed_ops, __ATOMIC_SEQ_CST);
}

/* Jobs take turns at the rounds, or have a share of the cases each. */
static int run(const struct options *o, uint32_t job) {
    struct totals totals = {0, 0, 0, 0};
    double end = now() + o->minutes * 60;
    if (!sides_init(o->sides, o->jit)) {
        fprintf(stderr, "diff: cannot set up the sides\n");
        return 2;
    }
    uint32_t first = (uint32_t)((uint64_t)o->cases * job / o->jobs);
    uint32_t next = (uint32_t)((uint64_t)o->cases * (job + 1) / o->jobs);
    if (o->minutes > 0)
        for (uint32_t round = job; now() < end; round += o->jobs)
            run_all(o, round * ROUND, ROUND, &totals);
    else
        run_all(o, first, next - first, &totals);
    sides_finish();
    add_totals(&totals);
    return totals.failures ? 1 : 0;
}

static int run_jobs(const struct options *o) {
    double start = now();
    int worst = 0, status;
    shared = worker_share(sizeof *shared);
    if (!shared)
        return 2;
    for (uint32_t k = 1; k < o->jobs; k++)
        if (fork() == 0) {
            int code = run(o, k);
            fflush(stdout);
            _exit(code);
        }
    worst = run(o, 0);
    while (wait(&status) > 0) {
        int code = WIFEXITED(status) ? WEXITSTATUS(status) : 2;
        worst = code > worst ? code : worst;
    }
    if (o->tap)
        fflush(o->tap);
    else
        printf("%" PRIu64 " cases, %" PRIu64 " differences in %u operations, seed %" PRIu64
               ", %.0f cases a second\n",
               shared->cases, shared->failures, shared->failed_ops, o->seed,
               (double)shared->cases / (now() - start));
    return worst;
}

static int usage(void) {
    fprintf(
        stderr,
        "usage: diff [--seed N] [--cases N] [--mode 64|32|16] [--op NAME] [--case N] [--minutes N] "
        "[--jobs N] [--failures N] [--decoder FILE] [--jit FILE] [--sides LIST] "
        "[--list] [--coverage] [--flat] [--tap]\n");
    return 2;
}

/* "linear,jit" */
static bool parse_sides(const char *text, uint32_t *sides) {
    *sides = 0;
    while (*text) {
        size_t n = strcspn(text, ",");
        uint32_t side = 0;
        while (side < SIDE_COUNT &&
               (strlen(side_names[side]) != n || strncmp(side_names[side], text, n) != 0))
            side++;
        if (side == SIDE_COUNT)
            return false;
        *sides |= 1u << side;
        text += n + (text[n] == ',');
    }
    return true;
}

static bool parse(int argc, char **argv, struct options *o) {
    static const struct option names[] = {
        {"seed", 1, NULL, 's'},     {"cases", 1, NULL, 'n'},    {"op", 1, NULL, 'o'},
        {"case", 1, NULL, 'c'},     {"minutes", 1, NULL, 'm'},  {"jobs", 1, NULL, 'j'},
        {"failures", 1, NULL, 'f'}, {"decoder", 1, NULL, 'd'},  {"list", 0, NULL, 'l'},
        {"tap", 0, NULL, 't'},      {"jit", 1, NULL, 'J'},      {"sides", 1, NULL, 'S'},
        {"mode", 1, NULL, 'M'},     {"coverage", 0, NULL, 'C'}, {"flat", 0, NULL, 'F'},
        {NULL, 0, NULL, 0},
    };
    int c;
    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1)
        switch (c) {
        case 's': o->seed = strtoull(optarg, NULL, 0); break;
        case 'n': o->cases = (uint32_t)strtoul(optarg, NULL, 0); break;
        case 'o': o->op = optarg; break;
        case 'c': o->one = strtol(optarg, NULL, 0); break;
        case 'm': o->minutes = strtod(optarg, NULL); break;
        case 'j': o->jobs = (uint32_t)strtoul(optarg, NULL, 0); break;
        case 'f': o->failures = (uint32_t)strtoul(optarg, NULL, 0); break;
        case 'd': o->decoder = optarg; break;
        case 'M': o->mode = optarg; break;
        case 'J': o->jit = optarg; break;
        case 'S':
            if (!parse_sides(optarg, &o->sides))
                return false;
            break;
        case 'C': o->coverage = true; break;
        case 'F': o->flat = true; break;
        case 'l': o->list = true; break;
        case 't': o->tap = stderr; break; /* main() puts it right */
        default: return false;
        }
    return optind == argc && o->jobs > 0;
}

/* Results have standard output for themselves. */
static void start_tap(struct options *o) {
    uint32_t count = 0;
    for (uint32_t mode = 0; mode < MODES; mode++)
        for (uint32_t op = 1; op < BLINK_OP_COUNT; op++)
            count += wanted(o, mode, op);
    o->tap = fdopen(dup(1), "w");
    dup2(2, 1);
    if (o->tap)
        fprintf(o->tap, "1..%u\n", count);
}

int main(int argc, char **argv) {
    struct options o = {.decoder = getenv("BLINK_DECODER"),
                        .jit = DEFAULT_JIT,
                        .sides = (1u << SIDE_COUNT) - 1,
                        .seed = (uint64_t)time(NULL),
                        .cases = 200,
                        .one = -1,
                        .jobs = 1,
                        .failures = 1};
    if (!parse(argc, argv, &o))
        return usage();
    const char *lacks = native_lacks();
    if (lacks) {
        printf("1..0 # SKIP %s\n", lacks);
        return o.tap ? 0 : 77;
    }
    const char *flat = segments_lack();
    if (flat && o.coverage) {
        printf("1..0 # SKIP %s\n", flat);
        return 77;
    }
    if (flat)
        fprintf(stderr, "diff: only 64-bit code without selectors: %s\n", flat);
    o.flat |= flat != NULL;
    if (!o.decoder)
        o.decoder = DEFAULT_DECODER;
    decoder_init(o.decoder);
    shapes_find();
    generate_prepare(o.flat);
    values_prepare(o.seed);
    if (o.list) {
        list_excluded();
        return 0;
    }
    if (o.coverage)
        return coverage_print(o.seed, o.cases, o.jit) ? 0 : 2;
    if (o.minutes > 0 && o.jobs == 1)
        o.jobs = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
    if (o.tap)
        start_tap(&o);
    else
        printf("seed %" PRIu64 "\n", o.seed);
    fflush(stdout);
    return run_jobs(&o);
}
