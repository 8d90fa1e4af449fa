/*
 * A machine for tests of the loop: a decoder of eight-byte instructions that reads guest memory, a
 * guest ABI that calls back, and one address space of either strategy.
 */
#ifndef TESTS_EXEC_TOY_H
#define TESTS_EXEC_TOY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* After the four above, as cmocka wants it. */
#include <cmocka.h>

#include <blink/host.h>

#include "exec/exec.h"

#define PAGE  UINT64_C(4096)
#define CODE  UINT64_C(0x10000000) /* four pages, RWX */
#define DATA  UINT64_C(0x20000000) /* four pages, RW */
#define STACK UINT64_C(0x30000000) /* sixteen pages; thread n has the n-th */
#define HOLE  UINT64_C(0x50000000) /* nothing */

/* Instructions: operation, register, base register, 32 bits. */
enum toy_op {
    T_BAD,  /* no instruction */
    T_MOV,  /* reg = imm */
    T_COPY, /* reg = base */
    T_ADD,  /* reg += imm */
    T_SUB,
    T_JMP, /* imm: distance in instructions from this one */
    T_JNE,
    T_CALL, /* call base */
    T_RET,
    T_SYSCALL,
    T_STORE,   /* [base + imm] = reg */
    T_LOAD,    /* reg = [base + imm] */
    T_LOCKADD, /* lock [base + imm] += reg */
    T_NOP,
    T_POPF,
    T_PUSHF,
};
#define I(op, reg, base, imm)                                                                      \
  ((uint64_t)(op) | (uint64_t)(reg) << 8 | (uint64_t)(base) << 16 |                                \
   (uint64_t)(uint32_t)(int32_t)(imm) << 32)
#define AX    BLINK_RAX
#define CX    BLINK_RCX
#define DX    BLINK_RDX
#define BX    BLINK_RBX
#define SI    BLINK_RSI
#define DI    BLINK_RDI
#define R8    BLINK_R8
#define R9    BLINK_R9
#define AT(n) (CODE + (n)*8)

/* System call by RAX: 0 ends the machine with RDI as its status, 1 ends the thread, others go to
 * the test. */
struct blink_machine {
    struct exec *exec;
    struct blink_mem *mem;
    struct blink_cpu *cpu;
    const struct blink_jit_ops *jit; /* what find_jit gives for any name but "bad" */
    struct blink_plugin *jit_self;
    struct blink_host host;
    uint32_t (*on_syscall)(struct blink_machine *m, struct blink_cpu *cpu);
    uint32_t (*on_fault)(struct blink_machine *m, struct blink_cpu *cpu);
    uint32_t (*on_signal)(struct blink_machine *m, struct blink_cpu *cpu);
    uint64_t final[16]; /* registers of the vCPU that ended last */
    uint64_t icount;    /* its instructions */
    uint32_t ended;     /* threads that ended */
    uint64_t arg[4];    /* the test's */
    uint32_t last_words;
    struct blink_bus *bus; /* of a system machine */
};

/* cmocka set-up and tear-down; *state is the strategy before, the machine after. */
int toy_setup(void **state);
int toy_teardown(void **state);
/* A machine without a guest ABI's help: 64 MiB of RAM seen physically, CPL 0, and a bus. */
int toy_setup_system(void **state);

void toy_code(struct blink_machine *m, uint64_t address, const uint64_t *insns, size_t count);
uint64_t toy_read(struct blink_machine *m, uint64_t address);
void toy_write(struct blink_machine *m, uint64_t address, uint64_t value);
/* Another vCPU of the machine at `rip` with `arg` in RDI; from a system call. */
struct blink_cpu *toy_thread(struct blink_cpu *parent, uint64_t rip, uint64_t arg, uint32_t n);

/* ThreadSanitizer holds asynchronous signals back until the program calls into it. */
#if defined(__SANITIZE_THREAD__)
  #define NEEDS_SIGNALS() skip()
#else
  #define NEEDS_SIGNALS()
#endif

#define TOY_LINEAR(test)                                                                           \
  { #test "_linear", test, toy_setup, toy_teardown, (void *)(uintptr_t)MEM_LINEAR }
#define TOY_PAGED(test)                                                                            \
  { #test "_paged", test, toy_setup, toy_teardown, (void *)(uintptr_t)MEM_PAGED }
#define TOY(test) TOY_LINEAR(test), TOY_PAGED(test)

#endif
