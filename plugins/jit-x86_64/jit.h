/*
 * What the files of the x86-64 back end share. Guest and host are the same architecture: while
 * generated code runs, the guest's registers, flags, XMM, YMM, x87 and MXCSR are the host's own,
 * GS points at the CPU, and most instructions are copied as they are. Generated code has no stack
 * and no register of its own; those it borrows are kept in cpu->jit_slot.
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
    SLOT_FLAGS,
    SLOT_EXIT, /* how generated code was left: EXIT_* */
    SLOT_TARGET,
    SLOT_HOST_RSP,
    SLOT_HOST_MXCSR,
    SLOT_X87,       /* X87_* */
    SLOT_RAX,       /* RAX in the second look-up of an indirect branch */
    SLOT_X87_USED,  /* the host's x87 registers may not be zero when they are nobody's */
    SLOT_MISS,      /* EXIT_MISS: where in the hot piece */
    SLOT_FLUSH,     /* flushes when jit_returns was filled */
    SLOT_FROM,      /* id of the code that an indirect branch is of, but for calls */
    SLOT_HELD = 16, /* and on: guest registers that are borrowed, by number */
};
/* What the host's x87 registers hold. */
enum {
    X87_NONE,   /* zero, as the guest's are, and as after FNINIT */
    X87_LIVE,   /* the guest's, which are only there; generated code stores it as 1 */
    X87_LOADED, /* the guest's, which the CPU has, too: empty ones that may still be read as MMX */
};
#define SLOT(n)    ((uint32_t)(offsetof(struct blink_cpu, jit_slot) + 8 * (n)))
#define HELD(reg)  SLOT(SLOT_HELD + (reg))
#define CPU(field) ((uint32_t)offsetof(struct blink_cpu, field))
#define CPU_GPR(n) (CPU(gpr) + 8u * (n))
#define CPU_YMM(n) (CPU(ymm) + 32u * (n))
#define CPU_SEG_BASE(s)                                                                            \
  ((uint32_t)(offsetof(struct blink_cpu, seg) + (s) * sizeof(struct blink_seg)))

/* SLOT_EXIT: id of the code << 3 | kind, or one of the two below. */
enum {
    EXIT_LINK0,
    EXIT_LINK1,
    EXIT_INTERPRET, /* the last instruction is core's */
    EXIT_SYSCALL,
    EXIT_MISS,   /* the one at SLOT_MISS is: its memory is not in the TLB, or on two pages */
    EXIT_BUDGET, /* nothing has run: there is no budget for it */
};
#define EXIT_SHIFT     3u
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

/* A memory operand of the host: [base + index << scale + disp]; BLINK_REG_NONE: absent. */
struct where {
    uint8_t base, index, scale;
    int32_t disp;
};

/*
 * What a stretch of the host code in the hot piece is to the guest. Stopped anywhere in it, the
 * guest is where the span says, and the registers in `held` have their values in their slots. An
 * instruction that is copied has one span; a sequence has one more for each register it borrows or
 * gives back, and the next instruction's begins right after what commits it.
 */
struct span {
    uint16_t start; /* offset of its first byte */
    uint16_t guest; /* SPAN_BEFORE: RIP of the instruction - RIP of the block */
    uint16_t held;  /* a bit for each register */
    int8_t stack;   /* to be added to RSP */
    uint8_t kind : 5;
    uint8_t free : 1; /* counted code: it has not taken its instructions off the budget yet */
    uint8_t torn : 1; /* below RSP, then, there is a host address: R11 belongs there */
    uint8_t ours : 1; /* a fault is not the guest's */
};
enum {
    SPAN_BEFORE, /* the instruction at `guest` has not begun */
    SPAN_EXIT0,  /* RIP is that of an exit */
    SPAN_EXIT1,
    SPAN_R11, /* RIP is in R11: an indirect branch is under way */
    /* And on, by segment register: as SPAN_BEFORE, but its base must be made of its selector. */
    SPAN_SELECTOR,
};
#define BIT(reg)  (1u << (reg)) /* in masks of general registers */
#define NO_REG    0xffu
#define MAX_SPANS (BLINK_BLOCK_MAX_INSNS * 16u)

/*
 * One translated block, in two pieces: the hot one has the instructions and nothing else, so that
 * what runs lies close together; the cold one has the exit stubs, the landing of indirect branches
 * and the constant.
 */
enum { HOT, COLD, KINDS };
struct code {
    struct blink_jit_code *core; /* core's record of it */
    uint64_t rip;                /* of the block */
    uint64_t exit_rip[2];
    uint64_t at[KINDS];   /* host addresses of the pieces */
    uint16_t size[KINDS]; /* their bytes */
    uint32_t dropped;     /* atomic; the tables must not name it any more */
    uint64_t land;        /* host address of the landing */
    uint16_t landing; /* offsets in the cold piece: from landing to landing_end R11 is the RIP */
    uint16_t landing_end;
    uint16_t
        gate; /* likewise: the way in from other pages, 0: none; RCX is in its slot, but for the */
    uint16_t gate_end; /* first instruction */
    uint32_t page;     /* blink_jit_block.page */
    uint32_t popped;   /* SLOT_FROM: bytes that the instruction takes off the stack */
    bool lone;         /* the tables must not name it: they know no modes */
    uint16_t count; /* counted code: what it takes off the budget; guest_at has its instructions */
    uint16_t link[2]; /* offset of the 32-bit displacement in the hot piece, 0: no such exit */
    uint16_t stub[2]; /* offset in the cold piece of what it leads to while not linked */
    uint16_t x87;     /* from this offset on the x87 registers are known to be live */
    uint16_t last; /* EXIT_INTERPRET, EXIT_SYSCALL, SLOT_FROM: RIP of the instruction - RIP of the
                      block */
    uint16_t spans;
    uint8_t last_length;
    uint8_t arena;
    uint16_t *guest_at; /* RIP of each - RIP of the block; NULL: the code is not counted */
    struct span span[];
};
#define NO_X87 UINT16_MAX

/* Bytes of the id before a hot piece. */
#define CODE_ID 4u

/* Pieces of one kind in one arena in order of address; read by signal handlers, so it never moves.
 * They lie in chunks that core gave, the latest of which has room left. */
#define MAX_CODES   (1u << 20)
#define MAX_ARENAS  8u
#define CHUNK_SIZE  (256u << 10)
#define CHUNK_LEAST (64u << 10) /* if there is no room for more */
#define HOMES       64u
struct code_list {
    struct code **v; /* a reservation of MAX_CODES */
    uint32_t count;  /* atomic */
    struct chunk {
        uint8_t *rw;
        uint64_t rx;
        uint32_t size, used;
    } chunk;
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
    uint64_t lost; /* R11 is the RIP, RCX and R11 are held: core is asked where to go */
    /* To the landing of the block at R11: after a return that was not foreseen, which has the stack
     * mended first, and from elsewhere. */
    uint64_t astray, dispatch, dispatch_end;
    /* In the second look-up: from miss_checked on a signal redirects the jump that ends it. */
    uint64_t miss_checked, miss_end;
};

#define PAGED_MISSES 4u /* most look-ups and checks of an instruction in paged memory */

/* A block under translation. */
struct gen {
    struct blink_plugin *self;
    struct code *code;
    const struct glue *glue;
    const struct blink_jit_block *block;
    struct emit hot, cold;
    uint32_t id;
    bool paged;
    bool legacy;         /* 16- or 32-bit code */
    bool handed;         /* core does one of its instructions */
    uint32_t held;       /* registers whose values are in their slots, a bit each */
    uint32_t fresh;      /* registers whose slots have the values they have, or had when held */
    uint8_t order[16];   /* paged: registers, the one that the block uses least first */
    uint64_t literal;    /* constant of 8 bytes that the code wants in its tail; 0: none */
    uint32_t literal_at; /* offset of the displacement that shall reach it */
    uint32_t miss[BLINK_BLOCK_MAX_INSNS * PAGED_MISSES]; /* ends of the jumps of failed look-ups */
    uint32_t misses;
    bool counted;
    uint32_t subtracted,
        broke; /* where the budget is taken; the end of the jump if there is none */
    uint16_t guest_at[BLINK_BLOCK_MAX_INSNS];
    struct span now;
    struct span span[MAX_SPANS];
    uint32_t spans;
};

struct blink_plugin {
    const struct blink_host *host;
    struct blink_jit_host_iface api;
    bool has_avx;
    bool has_bmi2; /* which look-ups in the TLB need, and returns */
    bool large;    /* returns are the host's, see branch.c */
    struct code_list list[MAX_ARENAS][KINDS];
    struct code **by_id; /* a reservation of MAX_CODES */
    uint32_t ids;
    uint64_t flushes; /* and activations */
    /* Landing of the block at a RIP, by its low 16 bits, below 2 GiB; every entry is an atomic
     * pointer that is safe to jump to. */
    uint64_t *table;
    struct code **second; /* by second_slot, below 2 GiB; NULL: none */
    struct glue glue[MAX_ARENAS];
    int64_t writable[MAX_ARENAS]; /* from where an arena is run to where it is written */
    /* By 256 MiB of guest addresses: their number + 1, and the arena that core gives for them. */
    struct {
        uint64_t region;
        uint32_t arena;
    } home[HOMES];
    const struct glue *any; /* the first made, whose miss fills the table; NULL: none yet */
    struct gen gen;
};

/* The few returns of small programs are predicted well as indirect branches, which takes less code.
 * In large ones the host's return stack is needed: all code is made anew, once. */
#define LARGE 3000u /* blocks */
static inline bool outgrown(const struct blink_plugin *self) {
    return self->has_bmi2 && self->ids >= LARGE;
}

/* select.c: what is done with an instruction. */
enum {
    DO_COPY,
    DO_COPY_X87, /* the x87 registers must be known to be live */
    DO_BRANCH,
    DO_SYSCALL,
    DO_INTERPRET,
};
uint32_t select_action(const struct gen *g, const struct blink_insn *i);
/* A host with everything a copied baseline instruction may need. */
bool select_host_ok(void);

/* uses.c: general registers of an instruction, a bit each. */
/* Those it reads or writes, but not for its address. */
uint32_t uses_named(const struct blink_insn *i);
uint32_t uses_address(const struct blink_insn *i);
/* The one that it replaces without reading it, where that is plain to see. */
uint32_t uses_replaced(const struct blink_insn *i);
/* Its memory operand, or NULL. */
const struct blink_operand *uses_memory(const struct blink_insn *i);

/* track.c: the guest's state while code is written. */
void track_begin(struct gen *g, const struct blink_insn *i); /* i comes next */
void track_free(struct gen *g); /* the first comes next, and nothing has been counted yet */
void track_exit(struct gen *g, uint32_t exit); /* RIP is that of the exit now */
void track_after(struct gen *g, const struct blink_insn *i, int32_t stack);  /* i is done */
void track_before(struct gen *g, const struct blink_insn *i, int32_t stack); /* i has not begun */
void track_r11(struct gen *g, int32_t stack);                                /* RIP is in R11 */
/* i is done but for the base of a segment register of real mode. */
void track_selector(struct gen *g, const struct blink_insn *i, uint32_t seg, int32_t stack);
/* The same on the way of a return: a fault is not the guest's; `torn`: see struct span. */
void track_return(struct gen *g, int32_t stack, bool torn);
/* Keep registers in their slots, which makes them free; and give them back. */
void track_hold(struct gen *g, uint32_t mask);
void track_restore(struct gen *g, uint32_t mask);
/* The instruction has changed them. */
void track_changed(struct gen *g, uint32_t mask);

/* rewrite.c: an instruction that is not a branch, in linear memory; false: interpret it. */
bool rewrite_insn(struct gen *g, const struct blink_insn *i);
bool rewrite_lea(struct gen *g, const struct blink_insn *i);
/* Load an instruction's memory operand of 8 bytes into R11, which is held. */
bool rewrite_load_r11(struct emit *e, const struct blink_insn *i);

/* operand.c: the instruction with `w` for its memory operand; false: that cannot be encoded. */
bool operand_emit(struct emit *e, const struct blink_insn *i, const struct where *w);

/* paged.c: the same for paged memory. */
#define PAGED_ROOM 320u /* bytes for the worst instruction */
/* An address of the guest, and what is done there. */
struct access {
    uint8_t base, index, scale, seg;
    uint8_t addrsize;
    bool write;
    uint32_t size;
    int64_t disp;
};
struct access paged_operand(const struct blink_insn *i, const struct blink_operand *o);
/* Its address has parts that the operand does not show. `o`: its memory operand, or NULL. */
bool paged_is_refused(const struct blink_insn *i, const struct blink_operand *o);
/* A register that is not busy, or NO_REG; of the low eight if `low`. One that is held already costs
 * nothing. */
uint32_t paged_borrow(const struct gen *g, uint32_t busy, bool low);
/* v = what is to be added to linear address base + disp where it is in the TLB. RCX is held. */
void paged_look(struct gen *g, uint32_t base, int32_t disp, uint32_t v, const struct access *a);
/* Unless ECX is zero the instruction is the interpreter's. RCX is held. */
void paged_miss_unless_zero(struct gen *g);
void paged_begin(struct gen *g);
bool paged_insn(struct gen *g, const struct blink_insn *i);
/* Load its memory operand of 8 bytes into R11. RCX and R11 are held. */
bool paged_load_r11(struct gen *g, const struct blink_insn *i);
/* Push a return address. Leaves what it borrows held, and the stack pointer to be moved. */
bool paged_push(struct gen *g, uint64_t value);
/* R11, which is held, from the top of the stack. */
bool paged_top_r11(struct gen *g);

/* legacy.c: an instruction of 16- or 32-bit code that is not a branch, in paged memory. */
#define LEGACY_ROOM 448u /* bytes for the worst instruction */
/* Bytes of the stack pointer in this mode. */
static inline uint32_t legacy_stack_width(uint32_t mode) {
    return mode & BLINK_MODE_SS32 ? 4 : 2;
}
bool legacy_insn(struct gen *g, const struct blink_insn *i);
/* Push a return address of the instruction's operand size. Leaves what it borrows held, and the
 * stack pointer to be moved. R11 is left alone. */
bool legacy_push(struct gen *g, const struct blink_insn *i, uint64_t value);
/* R11, which is held, from the top of the stack or the instruction's memory operand. */
bool legacy_top_r11(struct gen *g, const struct blink_insn *i);
bool legacy_load_r11(struct gen *g, const struct blink_insn *i);
/* The stack pointer moves. */
void legacy_move_stack(struct gen *g, int32_t by);

/* legacy_encode.c: an instruction of 16- or 32-bit code as the host's, with `w` for its memory
 * operand if it has one; false: that cannot be encoded. */
bool legacy_encode(struct emit *e, const struct blink_insn *i, const struct where *w);

/* legacy_branch.c */
bool legacy_branch(struct gen *g, const struct blink_insn *i);

/* branch.c */
/* To the landing of the block at the RIP in R11. RCX and R11 are held. */
void branch_dispatch(struct emit *e, const struct blink_plugin *self);
/* To host address `other` unless the RIP in R11 is `rip`; JRCXZ tests without a flag. */
void branch_compare(struct emit *e, uint64_t rip, uint64_t other);
bool branch_emit(struct gen *g, const struct blink_insn *i);
/* JMP rel32 of exit `exit`, its displacement aligned. */
void branch_exit(struct gen *g, uint32_t exit, uint64_t rip);

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
/* The registers are the CPU's as the code left them at offset `at` of its hot piece: make them the
 * guest's, and RIP. 1 if a fault there is not the guest's, else 0. [signal] */
int recover_settle(const struct blink_plugin *self, struct blink_cpu *cpu, const struct code *c,
                   uint32_t at);
/* An indirect branch has led to the CPU's RIP. True if that is no address: then it is undone, and
 * the interpreter's, which makes it fault. [signal] */
bool recover_arrive(const struct blink_plugin *self, struct blink_cpu *cpu);
/* Where to go on at the CPU's RIP within the code, all slots filled: offset in its hot piece, or
 * -ENOENT. */
int recover_resume(struct blink_cpu *cpu, const struct code *c);
/* Counted code: instructions that come at the CPU's RIP and after. */
int64_t recover_left(const struct blink_cpu *cpu, const struct code *c);
int recover_state(struct blink_plugin *self, struct blink_cpu *cpu, void *context, uint64_t pc);
/* x87 registers from an FXSAVE image, and back. [signal] */
void x87_from_image(const struct blink_plugin *self, struct blink_cpu *cpu, const uint8_t *image);
void x87_to_image(const struct blink_cpu *cpu, uint8_t *image);

#endif
