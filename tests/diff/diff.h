/*
 * The differential tester: random instructions, run by the host's processor, the interpreter and
 * translated code from the same state, must come to the same. What its parts share. One thread; the
 * host and the translators run in child processes.
 */
#ifndef TESTS_DIFF_DIFF_H
#define TESTS_DIFF_DIFF_H

#include <blink/cpu.h>
#include <blink/decoder.h>
#include <stdbool.h>
#include <stdio.h>

/* ---- the guest's memory: the same addresses in both worlds, holes around both ---- */

#define CODE_AT    UINT64_C(0x35a70000) /* where no shifted data pointer leads */
#define CODE_SIZE  4096u
#define CODE_END   (CODE_AT + 0x800) /* sequences end here; the way out stands here */
#define DATA_AT    UINT64_C(0x20000000)
#define DATA_SIZE  8192u /* writable; a read-only page follows */
#define CONST_AT   (DATA_AT + DATA_SIZE)
#define CONST_SIZE 4096u

/* Where the host enters code of 16 bits from: IRET loads no more than SP then, and the rest of RSP
 * stays what it was there. */
#define FRAME_AT   UINT64_C(0x5e5e0000)
#define FRAME_SIZE 4096u

/* ---- state ---- */

#define XSAVE_SIZE 832u /* x87, SSE, header, YMM high halves */

struct state {
    uint8_t xsave[XSAVE_SIZE] __attribute__((aligned(64)));
    uint64_t gpr[16];
    uint64_t rip, flags, fs, gs; /* bases of FS and GS: of 64-bit trials */
    uint16_t seg[6];             /* selectors by BLINK_SEG_* */
};

/* How a run ended. */
#define VECTOR_NONE 0xffu /* at CODE_END */
#define VECTOR_HANG 0xfeu /* it did not end */
#define VECTOR_SKIP 0xfdu /* it was not run, see looped.c */
#define VECTOR_TWO  0xfcu /* it came to two different ends, see looped.c */

struct outcome {
    struct state state;
    uint8_t data[DATA_SIZE];
    uint32_t vector, error;
    uint64_t cr2;
};

#define MAX_INSNS 4u

/* One case. The code stands right before CODE_END. */
struct trial {
    struct state state;
    uint8_t data[DATA_SIZE];
    uint8_t code[64];
    uint32_t code_size;
    uint32_t count; /* instructions */
    uint8_t lengths[MAX_INSNS];
    uint64_t targets[MAX_INSNS]; /* of RIP-relative operands */
    uint64_t seed;               /* of this case */
    uint16_t focus;              /* the operation it is about */
    uint8_t mode;                /* BLINK_MODE_BITS* */
    bool far;                    /* selectors matter: entered and left with all segments */
};

/* The modes of trials: 64, 32 and 16 bits. */
#define MODES 3u
extern const uint8_t trial_modes[MODES];    /* BLINK_MODE_BITS* */
extern const char *const mode_names[MODES]; /* "64" and so on */
uint32_t mode_index(uint8_t mode);
/* RIP of its first instruction, and of what stands behind the last: offsets in its code segment. */
uint64_t trial_start(const struct trial *t);
uint64_t trial_end(uint8_t mode);

/* ---- segments.c ---- */

#define SEGMENTS_AT    UINT64_C(0x35c00000) /* descriptor tables in the guest */
#define SEGMENTS_SIZE  4096u
#define SEGMENTS_LOCAL 0x800u
#define LOCAL(n)       ((n) << 3 | 7) /* selectors of the local table */
#define LOCAL_DATA16   LOCAL(0)
#define LOCAL_DATA32   LOCAL(1)
#define LOCAL_UPPER32  LOCAL(2)
#define LOCAL_SHORT16  LOCAL(3) /* code that ends with its page */
#define LOCAL_WHOLE16  LOCAL(9) /* data, of which offset FFFF is the end of memory */
#define LOCAL_CODE16   LOCAL(10)
#define WHOLE16_AT     (CONST_AT + CONST_SIZE - 0x10000)
struct rng;
bool segments_install(void); /* for this process of the host */
/* Why there can be no trials with segments here, or NULL. */
const char *segments_lack(void);
void segments_tables(uint8_t page[SEGMENTS_SIZE]);
void segments_registers(struct blink_cpu *cpu);
struct blink_seg segments_find(uint16_t selector);
uint16_t segments_random(struct rng *r);

/* ---- random numbers ---- */

struct rng {
    uint64_t s;
};
static inline uint64_t rng_next(struct rng *r) {
    uint64_t z = r->s += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}
static inline uint32_t rng_below(struct rng *r, uint32_t n) {
    return (uint32_t)(((rng_next(r) >> 32) * n) >> 32);
}
static inline bool rng_chance(struct rng *r, uint32_t percent) {
    return rng_below(r, 100) < percent;
}

/* values.c: numbers of the kinds that matter. */
void values_prepare(uint64_t seed);
void fill_values(struct rng *r, void *out, size_t size);
void random_state(struct rng *r, struct state *s);
void random_data(struct rng *r, uint8_t data[DATA_SIZE]);

/* ---- operations ---- */

extern const char *const op_names[BLINK_OP_COUNT];
extern const uint8_t op_classes[BLINK_OP_COUNT];
extern const uint8_t op_attributes[BLINK_OP_COUNT];
extern const uint16_t op_reads[BLINK_OP_COUNT], op_writes[BLINK_OP_COUNT],
    op_undefined[BLINK_OP_COUNT];
/* Why an operation is not tried, or NULL. */
const char *op_excluded(uint32_t op);
/* Whether selectors are its operands. */
bool op_is_far(uint32_t op);
/* x87 operations whose results are within one unit in the last place. */
bool op_is_approximate(uint32_t op);

/* ---- the decoder under test ---- */

/* One instruction at `rip`; false if it is none, or longer than `size`. */
bool decode_at(uint8_t mode, const uint8_t *bytes, size_t size, uint64_t rip,
               struct blink_insn *out);
uint32_t decode_block(uint8_t mode, const uint8_t *bytes, size_t size, uint64_t rip,
                      struct blink_insn *out, uint32_t max, uint32_t *stop);
void decode_text(uint8_t mode, const uint8_t *bytes, size_t size, uint64_t rip, char *out,
                 size_t out_size);
void decoder_init(const char *path);
void decoder_get(const struct blink_decoder_ops **ops, struct blink_plugin **self);

/* ---- shapes.c: the encodings of each operation, found by walking the opcode space ---- */

struct shape {
    uint8_t vex, map, opcode, pp;
    uint8_t wide, vlen;
    uint8_t modrm;   /* 0: none; 1: memory; 2: register */
    uint8_t reg, rm; /* fixed, or 0xff */
    uint8_t uses_vvvv;
    uint8_t mode; /* index in trial_modes */
    uint16_t op;
};
void shapes_find(void);
uint32_t shapes_count(uint32_t mode, uint32_t op); /* mode: index in trial_modes */
const struct shape *shapes_get(uint32_t mode, uint32_t op, uint32_t k);

/* ---- generate.c ---- */

/* Operations that may stand around the focus. `flat`: nothing loads a segment. */
void generate_prepare(bool flat);
bool generate(struct trial *t, uint32_t mode, uint32_t op, uint64_t seed);
/* Put RIP-relative operands and branch targets right for where the code stands. */
void trial_place(struct trial *t);
/* Flags (of RFLAGS) that are defined after it, were it run to instruction `count`. */
uint64_t trial_defined_flags(const struct trial *t, uint32_t count);

/* ---- worker.c: a side in a process of its own ---- */

#define BATCH 128u
struct worker;
/* What all workers are given, BATCH of them. NULL: no memory. */
struct trial *worker_trials(void);
/* NULL, or a process that runs `work`, which never returns: it asks for trial after trial. */
struct worker *worker_create(const char *name, void (*work)(struct worker *w, void *arg),
                             void *arg);
/* In the worker: the last trial is done, wait for the next. */
const struct trial *worker_next(struct worker *w, struct outcome **out);
uint32_t worker_index(const struct worker *w); /* of the trial in the batch */
/* Memory that all workers made after it see, zero. */
void *worker_share(size_t size);
/* In the tester: let it run the first `count` trials, and wait for their outcomes. If it dies the
 * tester says of what and ends. */
void worker_start(struct worker *w, uint32_t count);
const struct outcome *worker_wait(struct worker *w);
const struct outcome *worker_outcomes(const struct worker *w);
void worker_destroy(struct worker *w);

/* ---- native.c: the host's processor ---- */

void native_work(struct worker *w, void *arg);
/* Why this host cannot answer for blink's processor, or NULL. */
const char *native_lacks(void);

/* ---- cpustate.c ---- */

void cpu_load_state(struct blink_cpu *cpu, const struct trial *t);
void cpu_save_state(const struct blink_cpu *cpu, struct state *s);

/* ---- guest.c: the interpreter alone; looped.c: the whole loop with a JIT ---- */

bool guest_init(void);
void guest_run(bool paged, const struct trial *t, struct outcome *out);

/* What a back end made of the first instructions of trials, by operation. */
struct jit_counts {
    uint32_t copied, rewritten, handed_back;
};

struct looped_options {
    bool paged;
    struct jit_counts *counts;  /* of BLINK_OP_COUNT, shared with the tester; or NULL */
    const char *jit;            /* its shared object */
    const struct outcome *host; /* the host's, of the trials to be run */
};
void looped_work(struct worker *w, void *options);

/* ---- sides.c: who is compared with the host ---- */

enum { SIDE_LINEAR, SIDE_PAGED, SIDE_JIT, SIDE_JIT_PAGED, SIDE_COUNT };
extern const char *const side_names[SIDE_COUNT];
/* Bits by SIDE_* of those wanted. */
bool sides_init(uint32_t wanted, const char *jit);
/* Run the first `count` of worker_trials() on all of them. */
void sides_run(uint32_t count);
const struct outcome *sides_host(uint32_t k);
/* NULL if the side was not wanted. */
const struct outcome *sides_outcome(uint32_t side, uint32_t k);
void sides_finish(void);
/* Of the JIT side in linear memory, so far. */
const struct jit_counts *sides_jit_counts(void);

/* ---- compare.c ---- */

/* Linear address of the memory operand, from the state before. */
uint64_t trial_address(const struct trial *t, const struct blink_insn *i);

enum {
    DIFFER_END = 1,
    DIFFER_ERROR = 2,
    DIFFER_GPR = 4,
    DIFFER_FLAGS = 8,
    DIFFER_MXCSR = 16,
    DIFFER_VECTOR = 32,
    DIFFER_X87 = 64,
    DIFFER_MEMORY = 128,
};
/* In what they differ, of what is defined: a set of the above; told to `out` if that is not NULL.
 */
uint32_t outcomes_differ(const struct trial *t, const struct outcome *host,
                         const struct outcome *guest, FILE *out);

/* ---- coverage.c ---- */

/* The page about all operations, in HTML: how many of `cases` each has, of `seed`, and what becomes
 * of it on each side. False: it cannot be made here. */
bool coverage_print(uint64_t seed, uint32_t cases, const char *jit);

/* The seed of one case, and how many of the fixed slice's cases fall to a mode. */
uint64_t case_seed(uint64_t seed, uint32_t mode, uint32_t op, uint32_t index);
uint32_t case_share(uint32_t mode, uint32_t op, uint32_t cases);

/* ---- report.c ---- */

/* Make it as small as it goes while it still fails, and print it. */
void report_failure(const struct trial *t, uint32_t side, uint64_t seed, uint32_t index);
/* The instructions of a trial. */
void report_code(const struct trial *t);

#endif
