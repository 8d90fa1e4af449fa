/*
 * Exceptions and software interrupts of guest code as the signals Linux makes of them, and the
 * vsyscall page. vCPU threads; no state.
 */
#include <string.h>

#include "linux.h"

#define VSYSCALL_PAGE UINT64_C(0xffffffffff600000)
#define VSYSCALL_STEP 0x400u
#define TASK_SIZE     UINT64_C(0x7ffffffff000)
#define CODE_TRACE    2 /* TRAP_TRACE */
#define OPCODE_INT1   0xf1

/* How an exception becomes a signal: arch/x86/kernel/traps.c. */
enum { ADDR_NONE, ADDR_RIP, ADDR_CR2 };
struct trap {
    uint8_t signo, address;
    int16_t code; /* si_code; 0: SI_KERNEL */
};
static const struct trap traps[] = {
    [BLINK_EXC_DE] = {SIGFPE, ADDR_RIP, FPE_INTDIV},
    [BLINK_EXC_DB] = {SIGTRAP, ADDR_RIP, CODE_TRACE},
    [BLINK_EXC_BP] = {SIGTRAP, ADDR_NONE, 0},
    [BLINK_EXC_OF] = {SIGSEGV, ADDR_NONE, 0},
    [BLINK_EXC_BR] = {SIGSEGV, ADDR_NONE, 0},
    [BLINK_EXC_UD] = {SIGILL, ADDR_RIP, ILL_ILLOPN},
    [BLINK_EXC_TS] = {SIGSEGV, ADDR_NONE, 0},
    [BLINK_EXC_NP] = {SIGBUS, ADDR_NONE, 0},
    [BLINK_EXC_SS] = {SIGBUS, ADDR_NONE, 0},
    [BLINK_EXC_GP] = {SIGSEGV, ADDR_NONE, 0},
    [BLINK_EXC_PF] = {SIGSEGV, ADDR_CR2, SEGV_MAPERR},
    [BLINK_EXC_MF] = {SIGFPE, ADDR_RIP, 0},
    [BLINK_EXC_AC] = {SIGBUS, ADDR_NONE, BUS_ADRALN},
    [BLINK_EXC_XM] = {SIGFPE, ADDR_RIP, 0},
};

/* fpu__exception_code: `raised` are the unmasked flags, the bits the same in x87 and SSE. */
static int fp_code(uint32_t raised) {
    static const struct {
        uint32_t bits;
        int code;
    } table[] = {
        {0x01, FPE_FLTINV}, {0x04, FPE_FLTDIV}, {0x08, FPE_FLTOVF},
        {0x12, FPE_FLTUND}, {0x20, FPE_FLTRES},
    };
    for (size_t k = 0; k < sizeof table / sizeof table[0]; k++)
        if (raised & table[k].bits)
            return table[k].code;
    return 0;
}

static bool is_mapped(const struct lx_thread *t, uint64_t address) {
    struct blink_mem_region r = {.struct_size = sizeof r};
    return t->abi->mem.query(t->cpu->mem, address, &r) == 0 && r.start <= address;
}

static int code_of(const struct lx_thread *t, uint32_t vector) {
    const struct blink_cpu *cpu = t->cpu;
    switch (vector) {
    case BLINK_EXC_PF: return is_mapped(t, cpu->cr2) ? SEGV_ACCERR : SEGV_MAPERR;
    case BLINK_EXC_MF: return fp_code(cpu->fsw & ~(uint32_t)cpu->fcw);
    case BLINK_EXC_XM: return fp_code(cpu->mxcsr & ~(cpu->mxcsr >> 7));
    default: return traps[vector].code;
    }
}

static uint32_t raise_trap(struct lx_thread *t, uint32_t vector, uint64_t error) {
    struct blink_cpu *cpu = t->cpu;
    bool bus = vector == BLINK_EXC_BUS;
    t->trapno = bus ? BLINK_EXC_PF : vector;
    t->error = error;
    if (bus || vector == BLINK_EXC_PF) {
        t->cr2 = cpu->cr2;
        t->error |= BLINK_PF_U;
        /* Nothing is told of how the kernel's half is mapped. */
        if (cpu->cr2 >= TASK_SIZE)
            t->error |= BLINK_PF_P;
    }
    const struct trap *trap = &traps[bus ? BLINK_EXC_PF : vector];
    int code = bus ? BUS_ADRERR : code_of(t, vector);
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = bus ? SIGBUS : trap->signo;
    info.si_code = code ? code : SI_KERNEL;
    if (trap->address)
        info.si_addr = (void *)(uintptr_t)(trap->address == ADDR_RIP ? cpu->rip : cpu->cr2);
    return lx_force_signal(t, info.si_signo, &info);
}

/* ---- the vsyscall page: nothing is mapped there, a call into it is the system call ---- */

static bool is_vsyscall(const struct blink_cpu *cpu) {
    uint64_t offset = cpu->rip - VSYSCALL_PAGE;
    return cpu->exit_info == BLINK_EXC_PF && cpu->cr2 == cpu->rip && offset % VSYSCALL_STEP == 0 &&
           offset / VSYSCALL_STEP < 3;
}

static uint32_t vsyscall(struct lx_thread *t) {
    static const uint16_t numbers[3] = {96, 201, 309}; /* gettimeofday, time, getcpu */
    struct blink_cpu *cpu = t->cpu;
    uint64_t *r = cpu->gpr, back;
    struct lx_call c = {
        .abi = t->abi,
        .thread = t,
        .cpu = cpu,
        .number = numbers[(cpu->rip - VSYSCALL_PAGE) / VSYSCALL_STEP],
        .a = {r[BLINK_RDI], r[BLINK_RSI], r[BLINK_RDX]},
    };
    c.row = &lx_rows[c.number];
    if (t->abi->mem.copy_in(cpu->mem, &back, r[BLINK_RSP], sizeof back))
        return raise_trap(t, BLINK_EXC_PF, BLINK_PF_U | BLINK_PF_I);
    int64_t result = lx_run(&c);
    if (result == -EFAULT)
        return raise_trap(t, BLINK_EXC_PF, BLINK_PF_U | BLINK_PF_W);
    r[BLINK_RAX] = (uint64_t)result;
    r[BLINK_RSP] += sizeof back;
    cpu->rip = back;
    return BLINK_ABI_CONTINUE;
}

uint32_t lx_fault(struct blink_plugin *self, struct blink_cpu *cpu) {
    struct lx_thread *t = lx_thread_of(cpu);
    uint64_t vector = cpu->exit_info;
    (void)self;
    if (is_vsyscall(cpu))
        return vsyscall(t);
    bool known =
        vector == BLINK_EXC_BUS || (vector < sizeof traps / sizeof traps[0] && traps[vector].signo);
    return known ? raise_trap(t, (uint32_t)vector, cpu->exit_error) : BLINK_ABI_UNHANDLED;
}

/* INT n at CPL 3: Linux lets 3 and 4 through, and 0x80 where it runs 32-bit programs, which blink
 * does not; the gates of the others are closed. */
uint32_t lx_interrupt(struct blink_plugin *self, struct blink_cpu *cpu) {
    struct lx_thread *t = lx_thread_of(cpu);
    uint32_t vector = (uint32_t)cpu->exit_info & 0xff;
    uint8_t opcode = 0;
    if (vector == BLINK_EXC_BP || vector == BLINK_EXC_OF)
        return raise_trap(t, vector, 0);
    self->mem.copy_in(cpu->mem, &opcode, cpu->rip - 1, 1);
    if (vector == BLINK_EXC_DB && opcode == OPCODE_INT1)
        return raise_trap(t, BLINK_EXC_DB, 0);
    cpu->rip -= 2;
    return raise_trap(t, BLINK_EXC_GP, vector * 8 + 2);
}
