/*
 * Transfers of control that go through descriptor tables, gates and task states: interrupts and
 * exceptions, far branches of protected mode, task switches. What the hardware does as one step is
 * one function here, which works on a copy of the registers and changes the CPU at its end; a check
 * that fails leaves it by transfer_refuse. Only for machines that run system software; the vCPU's
 * own thread.
 */
#ifndef CORE_INTERP_TRANSFER_H
#define CORE_INTERP_TRANSFER_H

#include <blink/cpu.h>
#include <setjmp.h>
#include <stdbool.h>

/* What is to be delivered. */
enum {
    EVENT_EXCEPTION, /* of the processor: a fault or trap */
    EVENT_EXTERNAL,  /* an interrupt of hardware, NMI */
    EVENT_SOFTWARE,  /* INT n, INT3, INTO: the gate's privilege counts */
};
struct interp_event {
    uint32_t vector;
    uint32_t kind;
    uint64_t error; /* error code, of the exceptions that have one */
};

/*
 * Deliver an event through the interrupt table of the present mode. RIP is what the handler shall
 * return to. False: the processor refuses with the exception *refused, the CPU is as before unless
 * a task switch had already begun.
 */
bool interp_deliver(struct blink_cpu *cpu, const struct interp_event *event,
                    struct interp_event *refused);
/* The exceptions that push an error code. AMD64 manual volume 2, 8.2. */
bool interp_has_error(uint32_t vector);

/* SYSCALL where no guest ABI takes it; rip is after it. False: #UD. */
bool interp_syscall(struct blink_cpu *cpu);

/* ---- for the files of transfers only ---- */

struct transfer {
    struct blink_cpu *cpu;
    jmp_buf refuse;
    /* Why it was refused. */
    uint32_t vector;
    uint64_t error, address; /* address: CR2 of a page fault */
    bool committed;          /* the CPU is the new task's: rip is exact */
    uint32_t ext;            /* bit 0 of error codes: the event came from outside the program */
    /* What is asked: an event, or an instruction's operands. */
    const struct interp_event *event;
    uint64_t rip, next; /* target; of the instruction after this one */
    uint16_t selector;
    uint32_t size; /* of the operand: 2, 4, 8 */
    uint32_t release;
    bool call;
};

typedef void transfer_work(struct transfer *t);

/* Do `work`; false if it was refused. */
bool transfer_attempt(struct transfer *t, transfer_work *work);
_Noreturn void transfer_refuse(struct transfer *t, uint32_t vector, uint64_t error);
/* The same with a selector's error code. */
_Noreturn void transfer_refuse_selector(struct transfer *t, uint32_t vector, uint32_t selector);

/* Memory as the processor accesses it at privilege `cpl`; 0 for tables and task states. Addresses
 * outside long mode wrap at 4 GiB. Sizes 1 to 8. */
uint64_t transfer_load(struct transfer *t, uint64_t address, uint32_t cpl, uint32_t size);
void transfer_store(struct transfer *t, uint64_t address, uint32_t cpl, uint32_t size, uint64_t v);

/* A descriptor, and where it is. */
struct descriptor {
    struct blink_seg seg;
    uint64_t low, high; /* high: of 16-byte descriptors */
    uint64_t address;
};
#define DESC_TYPE(d)    ((d)->seg.attr & 0x1fu) /* S and type */
#define DESC_DPL(d)     ((d)->seg.attr >> 5 & 3u)
#define DESC_PRESENT(d) ((d)->seg.attr & 0x80u)
#define DESC_IS_CODE(d) (((d)->seg.attr & 0x18u) == 0x18u)
#define DESC_CONFORM(d) (((d)->seg.attr & 0x1cu) == 0x1cu)

/* Types of system descriptors. AMD64 manual volume 2, 4.8.3. */
enum {
    SYS_TSS16 = 1,
    SYS_LDT = 2,
    SYS_TSS16_BUSY = 3,
    SYS_CALL16 = 4,
    SYS_TASK_GATE = 5,
    SYS_INT16 = 6,
    SYS_TRAP16 = 7,
    SYS_TSS32 = 9, /* in long mode: of 64 bits */
    SYS_TSS32_BUSY = 11,
    SYS_CALL32 = 12, /* in long mode: of 64 bits */
    SYS_INT32 = 14,
    SYS_TRAP32 = 15,
};

/* False: null, or beyond its table. */
bool transfer_descriptor(struct transfer *t, uint16_t selector, struct descriptor *out);
/* As above, refused with `vector` and the selector. */
void transfer_need_descriptor(struct transfer *t, uint16_t selector, uint32_t vector,
                              struct descriptor *out);
struct blink_seg transfer_unpack(uint16_t selector, uint64_t low);
/* Set bits of a descriptor's type: accessed, busy. */
void transfer_mark(struct transfer *t, struct descriptor *d, uint32_t bits);
void transfer_unmark(struct transfer *t, struct descriptor *d, uint32_t bits);

/* A stack that is pushed to and popped from before the CPU's is changed. */
struct frame {
    struct blink_seg ss;
    uint64_t sp;
    uint32_t width; /* of the pointer: 2, 4, 8 */
    uint32_t cpl;
    uint64_t fault; /* error code of #SS beyond the limit */
};
struct frame transfer_current_stack(const struct transfer *t);
uint32_t transfer_stack_width(const struct blink_seg *ss, bool wide);
void transfer_push(struct transfer *t, struct frame *f, uint32_t size, uint64_t v);
uint64_t transfer_pop(struct transfer *t, struct frame *f, uint32_t size);
/* Make it the CPU's: SS and RSP. */
void transfer_use_stack(struct transfer *t, const struct frame *f);
/* The stack for privilege `dpl` out of the task state (not of long mode). */
struct frame transfer_inner_stack(struct transfer *t, uint32_t dpl);
/* RSP out of the task state of long mode: `at` is its offset there. */
uint64_t transfer_long_stack(struct transfer *t, uint32_t at);
/* Check and mark SS for privilege `cpl`; refused with `vector`, or #SS where it is not there. */
struct blink_seg transfer_stack_segment(struct transfer *t, uint16_t selector, uint32_t cpl,
                                        uint32_t vector);

/* Make the CPU run CS:RIP at the privilege of `cpl`; RSP and SS are set apart. */
void transfer_go(struct transfer *t, const struct blink_seg *cs, uint32_t cpl, uint64_t rip);
/* #GP unless RIP is within the segment, or canonical. */
void transfer_check_rip(struct transfer *t, const struct blink_seg *cs, uint64_t rip);
/* Data segments that a less privileged CPL may not keep become null. */
void transfer_drop_segments(struct transfer *t);
void transfer_v86_segment(struct blink_cpu *cpu, uint32_t seg, uint16_t selector);

/* Works for transfer_attempt: JMP and CALL (size, selector, rip, call), RETF (size, release), IRET
 * (size); in protected mode with tables. */
transfer_work transfer_far, transfer_retf, transfer_iret;

/* task.c: switch to the task of `selector`, whose descriptor is `d`. */
enum { TASK_JUMP, TASK_CALL, TASK_IRET, TASK_EVENT };
void transfer_task(struct transfer *t, uint16_t selector, struct descriptor *d, uint32_t why);

static inline bool transfer_in_long_mode(const struct transfer *t) {
    return t->cpu->efer & UINT64_C(0x400);
}

#endif
