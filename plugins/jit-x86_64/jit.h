/*
 * What the files of the x86-64 back end share. Guest and host are the same architecture: while
 * generated code runs, the guest's registers, flags, XMM, YMM, x87 and MXCSR are the host's own,
 * GS points at the CPU, and most instructions are copied as they are. Generated code has no stack
 * and no register of its own; it spills to cpu->jit_slot.
 *
 * Translation happens under core's lock; enter and recover belong to the vCPU's thread.
 */
#ifndef JIT_X86_64_H
#define JIT_X86_64_H

#include <stdbool.h>
#include <stddef.h>

#include <blink/host.h>
#include <blink/jit.h>

/* Uses of cpu->jit_slot. */
enum {
    SLOT_A, /* a guest register that a sequence borrowed; R11 at indirect branches */
    SLOT_B, /* RCX at indirect branches */
    SLOT_FLAGS,
    SLOT_EXIT, /* how generated code was left: EXIT_* */
    SLOT_TARGET,
    SLOT_HOST_RSP,
    SLOT_HOST_MXCSR,
    SLOT_X87,      /* X87_* */
    SLOT_C,        /* RAX in the second look-up of an indirect branch */
    SLOT_X87_USED, /* the host's x87 registers may not be zero when they are nobody's */
    SLOT_COUNT
};
/* What the host's x87 registers hold. */
enum {
    X87_NONE,   /* zero, as the guest's are, and as after FNINIT */
    X87_LIVE,   /* the guest's, which are only there; generated code stores it as 1 */
    X87_LOADED, /* the guest's, which the CPU has, too: empty ones that may still be read as MMX */
};
#define SLOT(n)    ((uint32_t)(offsetof(struct blink_cpu, jit_slot) + 8 * (n)))
#define CPU(field) ((uint32_t)offsetof(struct blink_cpu, field))
#define CPU_GPR(n) (CPU(gpr) + 8u * (n))
#define CPU_YMM(n) (CPU(ymm) + 32u * (n))
#define CPU_SEG_BASE(s)                                                                            \
  ((uint32_t)(offsetof(struct blink_cpu, seg) + (s) * sizeof(struct blink_seg)))

/* SLOT_EXIT: id of the code << 2 | kind, or one of the two below. */
enum { EXIT_LINK0, EXIT_LINK1, EXIT_INTERPRET, EXIT_SYSCALL };
#define EXIT_INDIRECT  UINT32_C(0xfffffffe) /* rip is set; no code is known for it */
#define EXIT_ATTENTION UINT32_C(0xffffffff) /* nothing has run */

/* Flags that live in the host's register while generated code runs. Not AC: C code would fault. */
#define LIVE_FLAGS (BLINK_FLAGS_ARITH | BLINK_DF)

/* Host code being written. */
struct emit {
    uint8_t *rw;
    uint64_t rx;
    uint32_t at, cap;
    bool full;
};

/*
 * Where one guest instruction stands in the host code. A sequence spills (up to two registers),
 * then commits with the one instruction that can fault and change the guest, then gives the
 * registers back. Stopped before the commit, the instruction has not begun; after it, it is done.
 */
struct place {
    uint32_t start;           /* offset of its first byte in the code */
    uint16_t guest;           /* RIP - RIP of the block */
    uint8_t saved_a, saved_b; /* bytes from start after which the slot holds the register */
    uint8_t commit;           /* bytes from start after which it is done, NEVER */
    uint8_t reg_a, reg_b;     /* registers in SLOT_A and SLOT_B, NO_REG */
    uint8_t after;            /* AFTER_* */
};
#define NO_REG 0xffu
#define NEVER  0xffu
enum {
    AFTER_NEXT, /* the next instruction of the block follows */
    AFTER_R11,  /* RIP is in R11, the guest's R11 in SLOT_A: an indirect branch is under way */
};

/*
 * One translated block, in two pieces: the hot one has the instructions and nothing else, so that
 * what runs lies close together; the cold one has the exit stubs, the landing of indirect branches
 * and the constant.
 */
struct piece {
    uint8_t *rw;
    uint64_t rx;
    uint32_t size;
};
struct code {
    struct blink_jit_code *core; /* core's record of it */
    uint64_t rip;                /* of the block */
    uint64_t exit_rip[2];
    const struct blink_insn *last; /* instruction of EXIT_INTERPRET and EXIT_SYSCALL */
    struct piece hot, cold;
    uint32_t landing; /* offsets in the cold piece: from landing to landing_end R11 is the RIP */
    uint32_t landing_end;
    uint32_t link[2]; /* offset of the 32-bit displacement in the hot piece, 0: no such exit */
    uint32_t jump[2]; /* where the unconditional jump of the exit begins, NO_JUMP: it is a Jcc */
    uint32_t stub[2]; /* offset in the cold piece of what it leads to while not linked */
    uint32_t count;
    uint32_t dropped;     /* atomic; the tables must not name it any more */
    struct place place[]; /* count */
};
#define NO_JUMP UINT32_MAX

/* Pieces of one kind in one arena in order of address; read by signal handlers, so it never moves.
 * They lie in chunks that core gave, the latest of which has room left. */
#define MAX_CODES  (1u << 20)
#define MAX_ARENAS 8u
#define CHUNK_SIZE (256u << 10)
#define HOMES      64u
enum { HOT, COLD, KINDS };
struct code_list {
    struct code **v; /* a reservation of MAX_CODES */
    uint32_t count;  /* atomic */
    struct piece chunk;
    uint32_t used; /* bytes of the chunk */
};

#define TABLE_SIZE 65536u
/* What the first table has no room for: codes by a hash of their RIP, compared in the glue. */
#define SECOND_SIZE 131072u
static inline uint32_t second_slot(uint64_t rip) {
    return (uint32_t)(rip ^ (uint32_t)rip >> 12) & (SECOND_SIZE - 1);
}

/* Host code between C and generated code, in each arena, as generated code must reach it. */
struct glue {
    bool made;
    uint64_t start, end;
    uint64_t enter[2];             /* void enter(void *target); [1] loads the upper halves of YMM */
    uint64_t checked[2], early[2]; /* between these a signal that comes would be missed */
    uint64_t leave, miss;
    /* In the second look-up: from miss_checked on a signal redirects the jump that ends it. */
    uint64_t miss_checked, miss_end, redirect;
};

struct blink_plugin {
    const struct blink_host *host;
    struct blink_jit_host_iface api;
    bool has_avx;
    struct code_list list[MAX_ARENAS][KINDS];
    struct code **by_id; /* a reservation of MAX_CODES */
    uint32_t ids;
    /* Landing of the block at a RIP, by its low 16 bits, below 2 GiB; every entry is an atomic
     * pointer that is safe to jump to. */
    uint64_t *table;
    struct code **second; /* by second_slot, below 2 GiB; NULL: none */
    struct glue glue[MAX_ARENAS];
    /* By 256 MiB of guest addresses: their number + 1, and the arena that core gives for them. */
    struct {
        uint64_t region;
        uint32_t arena;
    } home[HOMES];
    void *perf_map;         /* FILE of --perf-map, or NULL */
    int64_t perf_pid;       /* the process it is of */
    const struct glue *any; /* the first made, whose miss fills the table; NULL: none yet */
};

/* select.c: what is done with an instruction. */
enum {
    DO_COPY,
    DO_COPY_X87, /* the x87 registers must be known to be live */
    DO_BRANCH,
    DO_SYSCALL,
    DO_INTERPRET,
};
uint32_t select_action(const struct blink_plugin *self, const struct blink_insn *i, uint32_t mode);
/* A host with everything a copied baseline instruction may need. */
bool select_host_ok(void);

/* rewrite.c: an instruction that is not a branch; false: interpret it after all. */
bool rewrite_insn(struct emit *e, const struct blink_insn *i, struct place *p);
/* Load an instruction's memory operand of 8 bytes into R11, whose value is in SLOT_A. */
bool rewrite_load_r11(struct emit *e, const struct blink_insn *i);

/* branch.c */
struct branch_context {
    struct blink_plugin *self;
    struct code *code;
    const struct glue *glue;
    uint32_t mode;
    uint64_t literal;    /* constant of 8 bytes that the code wants in its tail; 0: none */
    uint32_t literal_at; /* offset of the displacement that shall reach it */
};
bool branch_emit(struct emit *e, const struct blink_insn *i, struct place *p,
                 struct branch_context *b);
/* JMP rel32 of exit `exit`, its displacement aligned. */
void branch_exit(struct emit *e, struct code *code, uint32_t exit, uint64_t rip);

/* perf.c: /tmp/perf-PID.map, by which perf names code. A child of fork writes none. */
void perf_open(struct blink_plugin *self);
void perf_close(struct blink_plugin *self);
void perf_code(struct blink_plugin *self, const struct code *code);

/* translate.c */
int translate_block(struct blink_plugin *self, const struct blink_jit_block *block,
                    struct blink_jit_code *out);

/* glue.c */
void glue_write(struct blink_plugin *self, const struct blink_jit_space *space);
#define GLUE_ROOM 4096u

/* enter.c */
uint32_t enter_code(struct blink_plugin *self, struct blink_cpu *cpu,
                    const struct blink_jit_code *code, struct blink_jit_code **from,
                    uint32_t *exit);

/* The tables do not name the code any more. */
void withdraw(struct blink_plugin *self, struct code *code);

/* recover.c: the code whose hot or cold piece has host address pc, or NULL. [signal] */
struct code *recover_find(const struct blink_plugin *self, uint64_t pc, uint32_t kind);
int recover_state(struct blink_plugin *self, struct blink_cpu *cpu, void *context, uint64_t pc);
/* x87 registers from an FXSAVE image, and back. [signal] */
void x87_from_image(const struct blink_plugin *self, struct blink_cpu *cpu, const uint8_t *image);
void x87_to_image(const struct blink_cpu *cpu, uint8_t *image);

#endif
