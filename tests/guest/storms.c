/*
 * Storms of signals over code whose every register and flag is looked at: integer, SSE, AVX and x87
 * arithmetic, string instructions, calls and returns. What comes out must be what came out before
 * the storm, which is printed. Handlers use all registers themselves; some change the context they
 * return to, leave by siglongjmp, or are interrupted by their like. The last storm is over eight
 * threads. A storm ends by itself after so many handlers, so that no machine is too slow for it.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

#include "guest.h"

enum { STORM = 250, THREADS = 8 };

/* What a kernel begins with and what it leaves; the offsets are known to the assembly below. */
struct state {
    uint64_t gpr[16]; /* 0: by number, that of RSP unused */
    uint64_t flags;   /* 128 */
    uint32_t mxcsr;   /* 136 */
    uint16_t control, status;
    uint8_t x87[8][16];   /* 144 */
    uint8_t simd[16][32]; /* 272 */
    uint8_t buffer[2][4096];
    uint64_t result;
} __attribute__((aligned(32)));

/* GPRs and flags from the state at RDI, and back to it; the pointer waits on the stack. */
__asm__(".macro load_all\n"
        "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; push %rdi\n"
        "  push 128(%rdi); popfq\n"
        "  mov 0(%rdi), %rax; mov 8(%rdi), %rcx; mov 16(%rdi), %rdx; mov 24(%rdi), %rbx\n"
        "  mov 40(%rdi), %rbp; mov 48(%rdi), %rsi; mov 64(%rdi), %r8; mov 72(%rdi), %r9\n"
        "  mov 80(%rdi), %r10; mov 88(%rdi), %r11; mov 96(%rdi), %r12; mov 104(%rdi), %r13\n"
        "  mov 112(%rdi), %r14; mov 120(%rdi), %r15; mov 56(%rdi), %rdi\n"
        ".endm\n"
        ".macro save_all\n"
        "  xchg %rdi, (%rsp)\n"
        "  mov %rax, 0(%rdi); mov %rcx, 8(%rdi); mov %rdx, 16(%rdi); mov %rbx, 24(%rdi)\n"
        "  mov %rbp, 40(%rdi); mov %rsi, 48(%rdi); mov %r8, 64(%rdi); mov %r9, 72(%rdi)\n"
        "  mov %r10, 80(%rdi); mov %r11, 88(%rdi); mov %r12, 96(%rdi); mov %r13, 104(%rdi)\n"
        "  mov %r14, 112(%rdi); mov %r15, 120(%rdi); pop 56(%rdi)\n"
        "  pushfq; pop 128(%rdi); cld\n"
        "  pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n"
        ".endm\n");

/* RCX rounds. Flags go round with the rest, only where they are defined; R15 is left alone. */
void kernel_integer(struct state *s);
void kernel_integer_end(void);
__asm__(".text\n.globl kernel_integer, kernel_integer_end\n"
        "kernel_integer: load_all\n"
        "1: adc %rax, %rbx; rol $7, %rax; lea 3(%rbx,%rdx,2), %rdx; xor %rdx, %rsi\n"
        "  mul %r8; sbb %rax, %r9; imul $0x1e3779b1, %r10, %r10; bswap %r11\n"
        "  adc $0x1234567, %r11; cmovc %r9, %r12; seto %r13b; push %r13; pop %r14\n"
        "  bt %rbx, %r9; rcr $1, %r10; sub %r10, %rbp; js 2f; not %rdx; xadd %rdi, %rsi\n"
        "2: pushfq; pop %r13; xor %rcx, %r8; ror $3, %r9; push %r13; popfq\n"
        "  jp 3f; call 4f\n"
        "3: adc %rsi, %r8; lea -1(%rcx), %rcx; jrcxz 5f; jmp 1b\n"
        "4: sbb %rbp, %rdi; ret\n"
        "5: save_all\n"
        "kernel_integer_end:\n");

#define EACH8(M, a) M(a, 0) M(a, 1) M(a, 2) M(a, 3) M(a, 4) M(a, 5) M(a, 6) M(a, 7)
#define EACH16(M, a)                                                                               \
  EACH8(M, a) M(a, 8) M(a, 9) M(a, 10) M(a, 11) M(a, 12) M(a, 13) M(a, 14) M(a, 15)
#define LOAD(move_reg, n) move_reg "272+32*" #n "(%rdi), %" EACH_REG #n "\n"
#define SAVE(move_reg, n) move_reg "%" EACH_REG #n ", 272+32*" #n "(%rdi)\n"

#define EACH_REG "xmm"
void kernel_sse(struct state *s);
__asm__(".globl kernel_sse\n"
        "kernel_sse: mov 8(%rdi), %rcx; stmxcsr -4(%rsp); ldmxcsr 136(%rdi)\n" EACH16(
            LOAD,
            "movups ") "1: addps %xmm1, %xmm0; mulps %xmm2, %xmm0; subpd %xmm4, %xmm3; mulpd "
                       "%xmm5, %xmm3\n"
                       "  shufps $0x39, %xmm0, %xmm1; sqrtpd %xmm6, %xmm7; addpd %xmm7, %xmm6\n"
                       "  mulpd %xmm5, %xmm6; cvtps2dq %xmm1, %xmm14; paddd %xmm14, %xmm8\n"
                       "  pshufd $0x93, %xmm8, %xmm9; pxor %xmm9, %xmm10; pmuludq %xmm10, %xmm11\n"
                       "  paddq %xmm8, %xmm11; punpcklbw %xmm11, %xmm12; psadbw %xmm8, %xmm12\n"
                       "  packuswb %xmm12, %xmm13; psrlq $3, %xmm13; por %xmm11, %xmm13; pslldq "
                       "$1, %xmm15\n"
                       "  paddb %xmm13, %xmm15; dec %rcx; jnz 1b\n"
                       "  stmxcsr 136(%rdi); ldmxcsr -4(%rsp)\n" EACH16(SAVE, "movups ") "  ret\n");
#undef EACH_REG

#define EACH_REG "ymm"
void kernel_avx(struct state *s);
__asm__(".globl kernel_avx\n"
        "kernel_avx: mov 8(%rdi), %rcx\n" EACH16(
            LOAD,
            "vmovups ") "1: vaddps %ymm1, %ymm0, %ymm0; vmulps %ymm2, %ymm0, %ymm0\n"
                        "  vfmadd213pd %ymm4, %ymm5, %ymm3; vmulpd %ymm5, %ymm3, %ymm3\n"
                        "  vshufps $0x39, %ymm0, %ymm1, %ymm1; vsqrtpd %ymm6, %ymm7; vaddpd %ymm7, "
                        "%ymm6, %ymm6\n"
                        "  vmulpd %ymm5, %ymm6, %ymm6; vcvtps2dq %ymm1, %ymm14; vpaddd %ymm14, "
                        "%ymm8, %ymm8\n"
                        "  vpermq $0x93, %ymm8, %ymm9; vpxor %ymm9, %ymm10, %ymm10\n"
                        "  vpmuludq %ymm10, %ymm11, %ymm11; vpaddq %ymm8, %ymm11, %ymm11\n"
                        "  vpshufb %ymm11, %ymm12, %ymm12; vpaddw %ymm10, %ymm12, %ymm12\n"
                        "  vperm2i128 $1, %ymm12, %ymm12, %ymm13; vpaddb %ymm13, %ymm15, %ymm15\n"
                        "  dec %rcx; jnz 1b\n" EACH16(SAVE, "vmovups ") "  vzeroupper; ret\n");
#undef EACH_REG

/* Eight values in all of the stack's places; a control word with another rounding. */
void kernel_x87(struct state *s);
__asm__(".globl kernel_x87\n"
        "kernel_x87: mov 8(%rdi), %rcx; fnstcw -2(%rsp); fninit; fldcw 140(%rdi)\n"
        "  fldt 144(%rdi); fldt 160(%rdi); fldt 176(%rdi); fldt 192(%rdi)\n"
        "  fldt 208(%rdi); fldt 224(%rdi); fldt 240(%rdi); fldt 256(%rdi)\n"
        "1: fadd %st(1), %st; fxch %st(3); fmul %st(5), %st; fsubr %st(2), %st\n"
        "  fxch %st(7); fabs; fsqrt; fucom %st(4); fxch %st(6); fchs\n"
        "  fincstp; fdiv %st(2), %st; fmul %st(5), %st; fcmovb %st(1), %st\n"
        "  dec %rcx; jnz 1b\n"
        "  fnstsw 142(%rdi)\n"
        "  fstpt 144(%rdi); fstpt 160(%rdi); fstpt 176(%rdi); fstpt 192(%rdi)\n"
        "  fstpt 208(%rdi); fstpt 224(%rdi); fstpt 240(%rdi); fstpt 256(%rdi)\n"
        "  fnclex; fldcw -2(%rsp); ret\n");

/* From the buffer at RSI to that at RDX, R8 bytes: copies, overlapping ones, fills, searches, both
 * ways. What a search or a comparison leaves goes into RAX. */
void kernel_string(struct state *s, uint8_t *from, uint8_t *to, uint64_t size);
__asm__(".globl kernel_string\n"
        "kernel_string: push %rbx; push %r12; push %r13; mov %rcx, %r8; mov %rsi, %r12\n"
        "  mov %rdx, %r13; mov 8(%rdi), %rbx; push %rdi; xor %eax, %eax\n"
        "1: mov %r8, %rcx; mov %r12, %rsi; mov %r13, %rdi; rep movsb\n"
        "  lea -9(%r8), %rcx; mov %r13, %rsi; lea 9(%r13), %rdi; rep movsb\n"
        "  mov $100, %ecx; lea (%r13,%rbx), %rdi; rep stosq\n"
        "  lea -2(%r13,%r8), %rsi; lea -2(%r12,%r8), %rdi; std; mov $700, %ecx; rep movsw; cld\n"
        "  mov %r8, %rcx; mov %r12, %rsi; mov %r13, %rdi; repe cmpsb; pushfq; pop %rdx\n"
        "  and $0xcd5, %edx; add %rdx, %rax; rol $5, %rax; add %rcx, %rax\n"
        "  mov %r8, %rcx; mov %r13, %rdi; repne scasb; lea (%rax,%rcx,8), %rax\n"
        "  mov %r8, %rcx; lea (%r12), %rsi; shr $2, %rcx; push %rax; rep lodsl; pop %rdx\n"
        "  xor %rdx, %rax; rol $11, %rax; mov %al, 17(%r12,%rbx); dec %rbx; jnz 1b\n"
        "  pop %rdi; mov %rax, 0(%rdi); pop %r13; pop %r12; pop %rbx; ret\n");

/* Calls of every form: deep, through a table and memory, far more returns than a predictor holds,
 * RET n, ENTER and LEAVE. */
uint64_t kernel_calls(uint64_t rounds, uint64_t x);
__asm__(".globl kernel_calls\n"
        "kernel_calls: mov %rsi, %rax\n"
        "1: mov $40, %ecx; call 10f\n"
        "  mov %eax, %edx; and $7, %edx; lea 20f(%rip), %r8; movslq (%r8,%rdx,4), %r9\n"
        "  add %r9, %r8; call *%r8; push %rax; push %rdx; call 30f\n"
        "  lea 40f(%rip), %r8; push %r8; call *(%rsp); pop %r8\n"
        "  dec %rdi; jnz 1b; ret\n"
        "10: add %rcx, %rax; dec %ecx; jz 11f; rol $3, %rax; call 10b; xor %rcx, %rax\n"
        "11: ret\n"
        "20: .long 21f-20b, 22f-20b, 23f-20b, 24f-20b, 21f-20b, 22f-20b, 23f-20b, 24f-20b\n"
        "21: add $7, %rax; ret\n"
        "22: ror $9, %rax; ret\n"
        "23: xor $0x5555, %rax; jmp 21b\n"
        "24: push %rax; call 22b; pop %rdx; add %rdx, %rax; ret\n"
        "30: enter $32, $0; mov 16(%rbp), %rdx; mov %rdx, -8(%rbp); add 24(%rbp), %rdx\n"
        "  add -8(%rbp), %rdx; xor %rdx, %rax; leave; ret $16\n"
        "40: imul $0x1e3779b1, %rax, %rax; ret\n");

/* ---- what runs ---- */

static void fill(struct state *s, uint64_t seed) {
    memset(s, 0, sizeof *s);
    for (int k = 0; k < 16; k++)
        s->gpr[k] = guest_random(&seed);
    s->flags = 0x202 | (seed & 0xc5);
    s->mxcsr = 0x1f80 | (seed & 0x6000);
    s->control = 0x37f | (seed >> 20 & 0xc00);
    for (int k = 0; k < 8; k++) {
        long double v = 1.0L + (long double)(guest_random(&seed) >> 40) / 1e7L;
        memcpy(s->x87[k], &v, 10);
    }
    for (int k = 0; k < 8; k++)
        for (int j = 0; j < 4; j++) {
            /* The floats stay near where they are: half of a sum, a double by less than 1. */
            double d = k == 5 ? 0.4375 : 1.0 + (double)(guest_random(&seed) >> 40) / 1e8;
            float f[2] = {k == 2 ? 0.5f : 3.25f, k == 2 ? 0.5f : 1.75f + (float)j};
            memcpy(s->simd[k] + 8 * j, k < 3 ? (void *)f : (void *)&d, 8);
        }
    for (int k = 8; k < 16; k++)
        for (int j = 0; j < 32; j++)
            s->simd[k][j] = (uint8_t)guest_random(&seed);
    for (int k = 0; k < 4096; k++)
        s->buffer[0][k] = (uint8_t)(guest_random(&seed) % 7);
}

static void run_integer(struct state *s) {
    s->gpr[1] = 400;
    kernel_integer(s);
    s->flags &= 0xcd5;
}

static void run_sse(struct state *s) {
    s->gpr[1] = 300;
    kernel_sse(s);
}

static void run_avx(struct state *s) {
    s->gpr[1] = 300;
    kernel_avx(s);
}

static void run_x87(struct state *s) {
    s->gpr[1] = 96;
    kernel_x87(s);
}

static void run_string(struct state *s) {
    s->gpr[1] = 3;
    kernel_string(s, s->buffer[0], s->buffer[1], 4000);
}

static void run_calls(struct state *s) {
    s->result = kernel_calls(60, s->gpr[0]);
}

static const struct kernel {
    const char *name;
    void (*run)(struct state *s);
} kernels[] = {{"integer", run_integer}, {"sse", run_sse},     {"x87", run_x87},
               {"string", run_string},   {"calls", run_calls}, {"avx", run_avx}};
enum { KERNELS = sizeof kernels / sizeof kernels[0] };

static int kernel_count(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? KERNELS : KERNELS - 1;
}

static uint64_t digest(const struct state *s) {
    return guest_hash(GUEST_HASH, s, sizeof *s);
}

static uint64_t once(int kernel, uint64_t seed) {
    struct state s;
    fill(&s, seed);
    kernels[kernel].run(&s);
    return digest(&s);
}

/* ---- storms ---- */

static int handlers; /* atomic, since they may be nested */

static int count(int *counter) {
    return __atomic_add_fetch(counter, 1, __ATOMIC_SEQ_CST);
}

static int seen(const int *counter) {
    return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}

static const struct itimerval never, often = {{0, 100}, {0, 100}};

/* Nothing of the interrupted code's must be where it was. */
static void use_registers(void) {
    uint64_t garbage[4] = {~0ull, 0x0123456789abcdef, 0x7ff0000000000001, 42};
    __asm__ volatile("fninit; fld1; fldpi; fldl2e; fldz; fld1; fldpi; fldl2t; fldz\n"
                     "movups %0, %%xmm0; movups %0, %%xmm1; movups %0, %%xmm2; movups %0, %%xmm3\n"
                     "movups %0, %%xmm4; movups %0, %%xmm5; movups %0, %%xmm6; movups %0, %%xmm7\n"
                     "movups %0, %%xmm8; movups %0, %%xmm9; movups %0, %%xmm10\n"
                     "movups %0, %%xmm11; movups %0, %%xmm12; movups %0, %%xmm13\n"
                     "movups %0, %%xmm14; movups %0, %%xmm15; fninit\n"
                     "mov %0, %%rax; mov %%rax, %%rbx; mov %%rax, %%rcx; mov %%rax, %%rdx\n"
                     "mov %%rax, %%rsi; mov %%rax, %%r8; mov %%rax, %%r9; mov %%rax, %%r10\n"
                     "mov %%rax, %%r11; mov %%rax, %%r12; mov %%rax, %%r13; mov %%rax, %%r14\n"
                     "mov %%rax, %%r15; sub $1, %%rax; std; cld; stc"
                     :
                     : "m"(garbage[0]), "m"(garbage)
                     : "rax", "rbx", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13",
                       "r14", "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "st",
                       "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "cc");
    if (__builtin_cpu_supports("avx2"))
        __asm__ volatile("vzeroall" ::
                             : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                               "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
                               "xmm15");
}

static void on_alarm(int signo) {
    (void)signo;
    use_registers();
    if (count(&handlers) >= STORM)
        setitimer(ITIMER_REAL, &never, NULL);
}

static timer_t timer;
static void on_timer(int signo, siginfo_t *info, void *context) {
    static const struct itimerspec stop;
    (void)signo, (void)info, (void)context;
    use_registers();
    if (count(&handlers) >= STORM)
        timer_settime(timer, 0, &stop, NULL);
}

static void watch(int signo, void (*handler)(int, siginfo_t *, void *), int flags) {
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    CHECK(sigaction(signo, &sa, NULL) == 0);
}

static void storm(int kernel) {
    uint64_t want = once(kernel, 1), wrong = 0;
    printf("%s: %016llx\n", kernels[kernel].name, (unsigned long long)want);
    handlers = 0;
    setitimer(ITIMER_REAL, &often, NULL);
    do
        wrong += once(kernel, 1) != want;
    while (seen(&handlers) < STORM);
    CHECK(wrong == 0);
    const struct itimerspec spec = {{0, 100000}, {0, 100000}};
    handlers = 0;
    timer_settime(timer, 0, &spec, NULL);
    do
        wrong += once(kernel, 1) != want;
    while (seen(&handlers) < STORM);
    CHECK(wrong == 0);
}

static void plain(void) {
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
    struct sigaction sa = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &sa, NULL);
    watch(SIGUSR2, on_timer, 0);
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    for (int k = 0; k < kernel_count(); k++)
        storm(k);
    timer_delete(timer);
}

/* ---- handlers that change what they return to ---- */

/* R15, which the kernel leaves alone, counts the handlers that came within it. */
static volatile int within;
static void counts_in_r15(int signo, siginfo_t *info, void *context) {
    ucontext_t *uc = context;
    uint64_t rip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];
    (void)signo, (void)info;
    /* Before R15 is loaded and after it is stored it is somebody else's. */
    static const uint64_t margin = 160;
    if (rip >= (uintptr_t)kernel_integer + margin && rip < (uintptr_t)kernel_integer_end - margin) {
        uc->uc_mcontext.gregs[REG_R15]++;
        within++;
    }
    if (count(&handlers) >= STORM)
        setitimer(ITIMER_REAL, &never, NULL);
}

static void changed_registers(void) {
    struct state s, start;
    uint64_t wrong = 0;
    fill(&start, 3);
    start.gpr[1] = 400;
    s = start;
    kernel_integer(&s);
    const uint64_t flags = s.flags, rax = s.gpr[0], r8 = s.gpr[8];
    watch(SIGALRM, counts_in_r15, 0);
    handlers = 0;
    setitimer(ITIMER_REAL, &often, NULL);
    do {
        s = start;
        within = 0;
        kernel_integer(&s);
        wrong += s.gpr[15] != start.gpr[15] + (uint64_t)within;
        wrong += s.flags != flags || s.gpr[0] != rax || s.gpr[8] != r8;
    } while (seen(&handlers) < STORM);
    CHECK(wrong == 0);
}

/* Loops that only a change of the context ends: a flag, a register, a vector, the x87 control word,
 * another address. */
void spins(int which);
extern const char spin0[], spin1[], spin2[], spin3[], spin4[], spin5[];
__asm__(".globl spins, spin0, spin1, spin2, spin3, spin4, spin5\n"
        "spins: push %rbx; push %r13; mov $1, %r13d; pxor %xmm9, %xmm9; lea 2f(%rip), %rbx\n"
        "  cmp $1, %edi; je spin1; cmp $2, %edi; je spin2; cmp $3, %edi; je spin3\n"
        "  cmp $4, %edi; je spin4; clc\n"
        "spin0: jnc spin0; jmp 2f\n"
        "spin1: test %r13, %r13; jnz spin1; jmp 2f\n"
        "spin2: movd %xmm9, %eax; test %eax, %eax; jz spin2; jmp 2f\n"
        "spin3: fnstcw -2(%rsp); cmpw $0x37f, -2(%rsp); je spin3; jmp 2f\n"
        "spin4: jmp spin4\n"
        "spin5:\n"
        "2: pop %r13; pop %rbx; fninit; ret\n");

static void ends_spin(int signo, siginfo_t *info, void *context) {
    static const struct itimerval again = {{0, 0}, {0, 200}};
    static const char *const from[] = {spin0, spin1, spin2, spin3, spin4, spin5};
    ucontext_t *uc = context;
    greg_t *g = uc->uc_mcontext.gregs;
    int where = 0;
    (void)signo, (void)info;
    use_registers();
    while (where < 5 && (g[REG_RIP] < (greg_t)from[where] || g[REG_RIP] >= (greg_t)from[where + 1]))
        where++;
    switch (where) {
    case 0: g[REG_EFL] |= 1; break;
    case 1: g[REG_R13] = 0; break;
    case 2: memset(&uc->uc_mcontext.fpregs->_xmm[9], 0xff, 16); break;
    case 3: uc->uc_mcontext.fpregs->cwd = 0xf7f; break;
    case 4: g[REG_RIP] = g[REG_RBX]; break;
    default: break;
    }
    /* Not before this one is done, or a slow machine would do nothing else. */
    setitimer(ITIMER_REAL, &again, NULL);
}

static void changed_loops(void) {
    watch(SIGALRM, ends_spin, 0);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int k = 0; k < STORM; k++)
        spins(k % 5);
    setitimer(ITIMER_REAL, &never, NULL);
    CHECK(1);
}

/* ---- handlers that never return ---- */

static sigjmp_buf out;
static void jumps_out(int signo, siginfo_t *info, void *context) {
    (void)signo, (void)info, (void)context;
    use_registers();
    setitimer(ITIMER_REAL, &never, NULL);
    siglongjmp(out, 1);
}

static void left(void) {
    static const struct itimerval soon = {{0, 0}, {0, 60}};
    volatile uint64_t wrong = 0;
    watch(SIGALRM, jumps_out, 0);
    for (volatile int k = 0; k < STORM; k++) {
        const int kernel = k % kernel_count();
        if (sigsetjmp(out, 1) == 0) {
            setitimer(ITIMER_REAL, &soon, NULL);
            for (;;)
                once(kernel, 5);
        }
        __asm__ volatile("fninit");
        if (k % 16 == 0)
            wrong += once(kernel, 5) != once(kernel, 5);
    }
    CHECK(wrong == 0);
}

/* ---- one within the other ---- */

static volatile int depth, deepest;
static void nests(int signo, siginfo_t *info, void *context) {
    struct state s;
    (void)signo, (void)info, (void)context;
    use_registers();
    if (count(&handlers) >= STORM)
        setitimer(ITIMER_REAL, &never, NULL);
    if (++depth > deepest)
        deepest = depth;
    /* The next one comes while this one is under way, unless it is the last. */
    if (depth < 4)
        while (deepest <= depth && seen(&handlers) < STORM)
            ;
    fill(&s, 11);
    run_integer(&s);
    depth--;
    if (depth == 0)
        deepest = 0;
}

static void nested(void) {
    volatile uint64_t wrong = 0;
    watch(SIGALRM, nests, SA_NODEFER);
    for (int k = 0; k < kernel_count(); k++) {
        const uint64_t want = once(k, 7);
        handlers = 0;
        depth = deepest = 0;
        setitimer(ITIMER_REAL, &often, NULL);
        do
            wrong += once(k, 7) != want;
        while (seen(&handlers) < STORM);
        wrong += depth != 0;
    }
    CHECK(wrong == 0);
}

/* ---- eight threads ---- */

static struct worker {
    pthread_t thread;
    uint64_t want[KERNELS], wrong;
    int caught;    /* atomic; the first is its start */
    uint32_t done; /* atomic */
} worker[THREADS];
static uint32_t stop; /* atomic */
static _Thread_local struct worker *mine;

static void on_thread(int signo, siginfo_t *info, void *context) {
    (void)signo, (void)info, (void)context;
    use_registers();
    count(&mine->caught);
}

static void *works(void *arg) {
    struct worker *w = arg;
    int round = 0;
    mine = w;
    count(&w->caught);
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        const int k = round++ % kernel_count();
        w->wrong += once(k, 9) != w->want[k];
        if (round >= 2 * KERNELS && seen(&w->caught) >= 50)
            __atomic_store_n(&w->done, 1, __ATOMIC_RELEASE);
    }
    return NULL;
}

static void threads(void) {
    static const int signals[] = {SIGUSR1, SIGUSR2, 40};
    int left_over = THREADS, before[THREADS] = {0};
    for (int k = 0; k < 3; k++)
        watch(signals[k], on_thread, SA_RESTART | (k ? SA_NODEFER : 0));
    for (int k = 0; k < THREADS; k++) {
        for (int j = 0; j < kernel_count(); j++)
            worker[k].want[j] = once(j, 9);
        CHECK(pthread_create(&worker[k].thread, NULL, works, &worker[k]) == 0);
    }
    for (int round = 0; left_over; round++) {
        left_over = 0;
        for (int k = 0; k < THREADS; k++) {
            left_over += !__atomic_load_n(&worker[k].done, __ATOMIC_ACQUIRE);
            /* Two at once, and none while those are under way. */
            if (seen(&worker[k].caught) == before[k])
                continue;
            before[k] = seen(&worker[k].caught);
            pthread_kill(worker[k].thread, signals[round % 3]);
            pthread_kill(worker[k].thread, signals[(round + 1) % 3]);
        }
        nanosleep(&(struct timespec){0, 200000}, NULL);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
    for (int k = 0; k < THREADS; k++) {
        pthread_join(worker[k].thread, NULL);
        CHECK(worker[k].wrong == 0);
    }
}

int main(void) {
    plain();
    changed_registers();
    changed_loops();
    left();
    nested();
    threads();
    return guest_done();
}
