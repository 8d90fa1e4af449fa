/*
 * The host's side: a child process that loads the whole state into the processor, jumps to the
 * code, and notes the state when it comes out, by the way out at its end or by a signal.
 */
#include <cpuid.h>
#include <signal.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "diff.h"

static uint8_t *code_alias; /* the code page, writable */
struct state native_state __attribute__((aligned(64)));
uint64_t native_stack, native_fs, native_gs, native_flags;
static struct outcome *volatile current;

#define FRAME ((uint64_t *)(FRAME_AT + 0x800)) /* for the IRETQ of native_go_far */

/*
 * Load native_state and go; native_out is where the code comes out. FS and GS are the guest's in
 * between, so nothing in here may touch thread-local storage.
 */
void native_go(void);
void native_out(void);
void native_back(void);
__asm__(".text\n"
        ".globl native_go, native_out, native_back\n"
        "native_go:\n"
        "    push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
        "    mov %rsp, native_stack(%rip)\n"
        "    rdfsbase %rax\n mov %rax, native_fs(%rip)\n"
        "    rdgsbase %rax\n mov %rax, native_gs(%rip)\n"
        "    lea native_state(%rip), %rbx\n"
        "    mov $7, %eax\n xor %edx, %edx\n xrstor64 (%rbx)\n"
        "    mov 976(%rbx), %rax\n wrfsbase %rax\n"
        "    mov 984(%rbx), %rax\n wrgsbase %rax\n"
        "    push 968(%rbx)\n popfq\n"
        "    mov 832(%rbx), %rax\n mov 840(%rbx), %rcx\n mov 848(%rbx), %rdx\n"
        "    mov 864(%rbx), %rsp\n mov 872(%rbx), %rbp\n mov 880(%rbx), %rsi\n"
        "    mov 888(%rbx), %rdi\n mov 896(%rbx), %r8\n mov 904(%rbx), %r9\n"
        "    mov 912(%rbx), %r10\n mov 920(%rbx), %r11\n mov 928(%rbx), %r12\n"
        "    mov 936(%rbx), %r13\n mov 944(%rbx), %r14\n mov 952(%rbx), %r15\n"
        "    mov 856(%rbx), %rbx\n"
        "    jmp *native_state+960(%rip)\n"
        "native_out:\n"
        "    mov %rax, native_state+832(%rip)\n mov %rcx, native_state+840(%rip)\n"
        "    mov %rdx, native_state+848(%rip)\n mov %rbx, native_state+856(%rip)\n"
        "    mov %rsp, native_state+864(%rip)\n mov %rbp, native_state+872(%rip)\n"
        "    mov %rsi, native_state+880(%rip)\n mov %rdi, native_state+888(%rip)\n"
        "    mov %r8, native_state+896(%rip)\n mov %r9, native_state+904(%rip)\n"
        "    mov %r10, native_state+912(%rip)\n mov %r11, native_state+920(%rip)\n"
        "    mov %r12, native_state+928(%rip)\n mov %r13, native_state+936(%rip)\n"
        "    mov %r14, native_state+944(%rip)\n mov %r15, native_state+952(%rip)\n"
        "    mov native_stack(%rip), %rsp\n"
        "    pushfq\n pop %rax\n mov %rax, native_state+968(%rip)\n"
        "    rdfsbase %rax\n mov %rax, native_state+976(%rip)\n"
        "    rdgsbase %rax\n mov %rax, native_state+984(%rip)\n"
        "    mov native_fs(%rip), %rax\n wrfsbase %rax\n"
        "    mov native_gs(%rip), %rax\n wrgsbase %rax\n"
        "    lea native_state(%rip), %rbx\n"
        "    mov $7, %eax\n xor %edx, %edx\n xsave64 (%rbx)\n"
        /* From a signal handler: the state is noted already. */
        "native_back:\n"
        "    mov native_stack(%rip), %rsp\n"
        "    cld\n fninit\n vzeroall\n ldmxcsr 1f(%rip)\n"
        "    pop %r15\n pop %r14\n pop %r13\n pop %r12\n pop %rbp\n pop %rbx\n"
        "    ret\n"
        "1:  .long 0x1f80\n");

/*
 * The same with all segment registers, into code of any size, by IRETQ: it comes out by a signal
 * only. The frame is made by the caller.
 */
void native_go_far(const uint64_t *iret_frame, uint32_t long_mode);
__asm__(".text\n"
        ".globl native_go_far\n"
        "native_go_far:\n"
        "    push %rbx\n push %rbp\n push %r12\n push %r13\n push %r14\n push %r15\n"
        "    mov %rsp, native_stack(%rip)\n"
        "    rdfsbase %rax\n mov %rax, native_fs(%rip)\n"
        "    rdgsbase %rax\n mov %rax, native_gs(%rip)\n"
        "    lea native_state(%rip), %rbx\n"
        "    mov $7, %eax\n xor %edx, %edx\n xrstor64 (%rbx)\n"
        "    mov 992(%rbx), %es\n mov 998(%rbx), %ds\n"
        "    mov 1000(%rbx), %fs\n mov 1002(%rbx), %gs\n"
        "    test %esi, %esi\n jz 2f\n"
        "    mov 976(%rbx), %rax\n wrfsbase %rax\n"
        "    mov 984(%rbx), %rax\n wrgsbase %rax\n"
        "2:  mov %rdi, %rsp\n"
        "    mov 832(%rbx), %rax\n mov 840(%rbx), %rcx\n mov 848(%rbx), %rdx\n"
        "    mov 872(%rbx), %rbp\n mov 880(%rbx), %rsi\n"
        "    mov 888(%rbx), %rdi\n mov 896(%rbx), %r8\n mov 904(%rbx), %r9\n"
        "    mov 912(%rbx), %r10\n mov 920(%rbx), %r11\n mov 928(%rbx), %r12\n"
        "    mov 936(%rbx), %r13\n mov 944(%rbx), %r14\n mov 952(%rbx), %r15\n"
        "    mov 856(%rbx), %rbx\n"
        "    iretq\n");

_Static_assert(__builtin_offsetof(struct state, seg) == 992, "the offsets above");
_Static_assert(__builtin_offsetof(struct state, gpr) == 832, "the offsets above");
_Static_assert(__builtin_offsetof(struct state, rip) == 960, "the offsets above");
_Static_assert(__builtin_offsetof(struct state, gs) == 984, "the offsets above");

static void restore_bases(void) {
    __asm__ volatile("mov %%es, native_state+992(%%rip)\n mov %%ds, native_state+998(%%rip)\n"
                     "mov %%fs, native_state+1000(%%rip)\n mov %%gs, native_state+1002(%%rip)\n"
                     "rdfsbase %%rax\n mov %%rax, native_state+976(%%rip)\n"
                     "rdgsbase %%rax\n mov %%rax, native_state+984(%%rip)\n"
                     "xor %%eax, %%eax\n mov %%eax, %%fs\n mov %%eax, %%gs\n"
                     "mov native_fs(%%rip), %%rax\n wrfsbase %%rax\n"
                     "mov native_gs(%%rip), %%rax\n wrgsbase %%rax\n" ::
                         : "rax", "memory");
}

/* Compiled without stack protection: FS is the guest's at its beginning. */
static void on_signal(int signo, siginfo_t *info, void *context) {
    static const uint8_t order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                      REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                      REG_R12, REG_R13, REG_R14, REG_R15};
    ucontext_t *u = context;
    const greg_t *g = u->uc_mcontext.gregs;
    struct outcome *o = current;
    (void)info;
    restore_bases();
    if (!o)
        _exit(3);
    for (uint32_t k = 0; k < 16; k++)
        native_state.gpr[k] = (uint64_t)g[order[k]];
    native_state.rip = (uint64_t)g[REG_RIP];
    native_state.seg[BLINK_SEG_CS] = (uint16_t)g[REG_CSGSFS];
    native_state.seg[BLINK_SEG_SS] = (uint16_t)((uint64_t)g[REG_CSGSFS] >> 48);
    native_state.flags = (uint64_t)g[REG_EFL];
    memcpy(native_state.xsave, u->uc_mcontext.fpregs, XSAVE_SIZE);
    o->vector = signo == SIGPROF ? VECTOR_HANG : (uint32_t)g[REG_TRAPNO];
    o->error = (uint32_t)g[REG_ERR];
    o->cr2 = (uint64_t)g[REG_CR2];
    native_back();
}

/* XSAVE leaves out what is in its initial state; the image then says so. */
static void complete(struct state *s) {
    uint64_t present;
    memcpy(&present, s->xsave + 512, 8);
    if (!(present & 1)) {
        static const uint8_t fresh[5] = {0x7f, 0x03, 0, 0, 0};
        memset(s->xsave, 0, 24);
        memcpy(s->xsave, fresh, sizeof fresh);
        memset(s->xsave + 32, 0, 128);
    }
    if (!(present & 2))
        memset(s->xsave + 160, 0, 256);
    if (!(present & 4))
        memset(s->xsave + 576, 0, 256);
}

/* HLT ends code that is entered by IRETQ, in every mode; a jump what is 64 bits throughout. */
static void put_way_out(bool far) {
    static const uint8_t jump[] = {0xff, 0x25, 0, 0, 0, 0}; /* jmp [rip]: the address behind */
    uint64_t to = (uint64_t)(uintptr_t)native_out;
    uint8_t *at = code_alias + (CODE_END - CODE_AT);
    memcpy(at, jump, sizeof jump);
    memcpy(at + sizeof jump, &to, 8);
    if (far)
        *at = 0xf4;
}

static void go(const struct trial *t) {
    if (!t->far) {
        native_go();
        return;
    }
    FRAME[0] = native_state.rip;
    FRAME[1] = native_state.seg[BLINK_SEG_CS];
    FRAME[2] = native_state.flags;
    FRAME[3] = native_state.gpr[BLINK_RSP];
    FRAME[4] = native_state.seg[BLINK_SEG_SS];
    native_go_far(FRAME, t->mode == BLINK_MODE_BITS64);
}

static bool is_at_end(const struct state *s) {
    return s->rip + segments_find(s->seg[BLINK_SEG_CS]).base == CODE_END;
}

static void run_one(const struct trial *t, struct outcome *o) {
    uint8_t *end = code_alias + (CODE_END - CODE_AT);
    memset(end - sizeof t->code, 0xcc, sizeof t->code - t->code_size);
    memcpy(end - t->code_size, t->code, t->code_size);
    memcpy((void *)DATA_AT, t->data, DATA_SIZE);
    put_way_out(t->far);
    native_state = t->state;
    native_state.rip = trial_start(t);
    o->vector = VECTOR_NONE;
    o->error = 0;
    o->cr2 = 0;
    current = o;
    go(t);
    current = NULL;
    if (t->far && o->vector == BLINK_EXC_GP && is_at_end(&native_state)) {
        o->vector = VECTOR_NONE;
        o->error = 0;
    } else if (o->vector == VECTOR_NONE)
        native_state.rip = CODE_END;
    complete(&native_state);
    o->state = native_state;
    memcpy(o->data, (void *)DATA_AT, DATA_SIZE);
}

static bool map_at(uint64_t at, size_t size, int prot, int fd) {
    int flags = (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED) | MAP_FIXED_NOREPLACE;
    flags |= MAP_POPULATE; /* a fault's code tells whether the page was there */
    return mmap((void *)at, size, prot, flags, fd, 0) == (void *)at;
}

static void child_prepare(void) {
    static uint8_t stack[1 << 16];
    static const int signals[] = {SIGILL, SIGSEGV, SIGTRAP, SIGBUS, SIGFPE, SIGPROF};
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_sigaction = on_signal,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    int fd = memfd_create("code", 0);
    sigaltstack(&alternate, NULL);
    for (size_t k = 0; k < sizeof signals / sizeof signals[0]; k++)
        sigaction(signals[k], &action, NULL);
    if (fd < 0 || ftruncate(fd, CODE_SIZE) ||
        (code_alias = mmap(NULL, CODE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) ==
            MAP_FAILED ||
        !map_at(CODE_AT, CODE_SIZE, PROT_READ | PROT_EXEC, fd) ||
        !map_at(DATA_AT, DATA_SIZE, PROT_READ | PROT_WRITE, -1) ||
        !map_at(CONST_AT, CONST_SIZE, PROT_READ, -1) ||
        !map_at(FRAME_AT, FRAME_SIZE, PROT_READ | PROT_WRITE, -1))
        _exit(4);
    memset(code_alias, 0xcc, CODE_SIZE);
    segments_install();
}

void native_work(struct worker *w, void *arg) {
    struct outcome *o;
    (void)arg;
    child_prepare();
    for (;;) {
        const struct trial *t = worker_next(w, &o);
        run_one(t, o);
    }
}

/* ---- in the tester ---- */

/* It must have everything blink has, and leave open what AMD's manual leaves open in AMD's way. */
const char *native_lacks(void) {
    uint32_t a, b, c, d;
    __cpuid(0, a, b, c, d);
    if (b != 0x68747541)
        return "the host's processor is not AMD's";
    if (a < 0xd)
        return "the host's processor is too old";
    if (!(getauxval(AT_HWCAP2) & 2))
        return "the host's kernel does not let programs set FS and GS";
    __cpuid_count(7, 0, a, b, c, d);
    const uint32_t want_b = 1u << 3 | 1u << 5 | 1u << 8 | 1u << 19 | 1u << 23 | 1u << 24 | 1u << 29;
    const uint32_t want_c = 1u << 9 | 1u << 10;
    if ((b & want_b) != want_b || (c & want_c) != want_c)
        return "the host's processor lacks what blink's has";
    return NULL;
}
