/*
 * The differential tester: random instructions, run by the host's processor and by the
 * interpreter from the same state, must come to the same. What its parts share. One thread; the
 * host's side runs in a child process.
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

/* ---- state ---- */

#define XSAVE_SIZE 832u /* x87, SSE, header, YMM high halves */

struct state {
    uint8_t xsave[XSAVE_SIZE] __attribute__((aligned(64)));
    uint64_t gpr[16];
    uint64_t rip, flags, fs, gs;
};

/* How a run ended. */
#define VECTOR_NONE 0xffu /* at CODE_END */
#define VECTOR_HANG 0xfeu /* it did not end */

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
};

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
/* x87 operations whose results are within one unit in the last place. */
bool op_is_approximate(uint32_t op);

/* ---- the decoder under test ---- */

/* One instruction at `rip`; false if it is none, or longer than `size`. */
bool decode_at(const uint8_t *bytes, size_t size, uint64_t rip, struct blink_insn *out);
uint32_t decode_block(const uint8_t *bytes, size_t size, uint64_t rip, struct blink_insn *out,
                      uint32_t max, uint32_t *stop);
void decode_text(const uint8_t *bytes, size_t size, uint64_t rip, char *out, size_t out_size);
void decoder_init(const char *path);

/* ---- shapes.c: the encodings of each operation, found by walking the opcode space ---- */

struct shape {
    uint8_t vex, map, opcode, pp;
    uint8_t wide, vlen;
    uint8_t modrm;   /* 0: none; 1: memory; 2: register */
    uint8_t reg, rm; /* fixed, or 0xff */
    uint8_t uses_vvvv;
    uint16_t op;
};
void shapes_find(void);
uint32_t shapes_count(uint32_t op);
const struct shape *shapes_get(uint32_t op, uint32_t k);

/* ---- generate.c ---- */

/* Operations that may stand around the focus. */
void generate_prepare(void);
bool generate(struct trial *t, uint32_t op, uint64_t seed);
/* Put RIP-relative operands and branch targets right for where the code stands. */
void trial_place(struct trial *t);
/* Flags (of RFLAGS) that are defined after it, were it run to instruction `count`. */
uint64_t trial_defined_flags(const struct trial *t, uint32_t count);

/* ---- native.c ---- */

/* Trials and outcomes in memory that the child shares. */
#define BATCH 128u
struct batch {
    uint32_t request, answer; /* futexes: number of the batch asked for, and done */
    uint32_t count, done;
    struct trial trials[BATCH];
    struct outcome outcomes[BATCH];
};
struct batch *native_batch(void);
bool native_init(void);
/* Why this host cannot answer for blink's processor, or NULL. */
const char *native_lacks(void);
/* Run native_batch()->trials[0..count). */
void native_run(uint32_t count);
void native_finish(void);

/* ---- guest.c ---- */

enum { GUEST_LINEAR, GUEST_PAGED, GUEST_COUNT };
extern const char *const guest_names[GUEST_COUNT];
bool guest_init(void);
void guest_run(uint32_t which, const struct trial *t, struct outcome *out);

/* ---- compare.c ---- */

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

/* ---- report.c ---- */

/* Make it as small as it goes while it still fails, and print it. */
void report_failure(const struct trial *t, uint32_t which, uint64_t seed, uint32_t index);

#endif
