/*
 * One instruction on the host: a page of code, a thunk that loads and saves the registers, and a
 * way out of SIGFPE. Single-threaded, as tests are.
 */
#include "sse_host.h"

#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "sse_ops.h"

_Static_assert(offsetof(struct sse_state, mmx) == 512, "offsets in the thunk");
_Static_assert(offsetof(struct sse_state, gpr) == 576, "offsets in the thunk");
_Static_assert(offsetof(struct sse_state, rflags) == 704, "offsets in the thunk");
_Static_assert(offsetof(struct sse_state, mxcsr) == 712, "offsets in the thunk");
_Static_assert(offsetof(struct sse_state, avx) == 716, "offsets in the thunk");

void sse_thunk(struct sse_state *state, const void *code);

/* RBX holds the state, RBP the code. */
__asm__(".text\n"
        "sse_thunk:\n"
        "  push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; sub $8, %rsp\n"
        "  mov %rdi, %rbx; mov %rsi, %rbp\n"
        "  .irp n,0,1,2,3,4,5,6,7\n"
        "    movq 512+8*\\n(%rbx), %mm\\n\n"
        "  .endr\n"
        "  cmpl $0, 716(%rbx); je 1f\n"
        "  .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "    vmovdqu 32*\\n(%rbx), %ymm\\n\n"
        "  .endr\n"
        "  jmp 2f\n"
        "1:\n"
        "  .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "    movdqu 32*\\n(%rbx), %xmm\\n\n"
        "  .endr\n"
        "2:\n"
        "  ldmxcsr 712(%rbx)\n"
        "  push 704(%rbx); popfq\n"
        "  mov 576(%rbx), %rax; mov 584(%rbx), %rcx; mov 592(%rbx), %rdx; mov 624(%rbx), %rsi\n"
        "  mov 632(%rbx), %rdi; mov 640(%rbx), %r8; mov 648(%rbx), %r9; mov 656(%rbx), %r10\n"
        "  mov 664(%rbx), %r11\n"
        "  call *%rbp\n"
        "  mov %rax, 576(%rbx); mov %rcx, 584(%rbx); mov %rdx, 592(%rbx); mov %rsi, 624(%rbx)\n"
        "  mov %rdi, 632(%rbx); mov %r8, 640(%rbx); mov %r9, 648(%rbx); mov %r10, 656(%rbx)\n"
        "  mov %r11, 664(%rbx)\n"
        "  pushfq; pop 704(%rbx)\n"
        "  stmxcsr 712(%rbx)\n"
        "  movl $0x1f80, -8(%rsp); ldmxcsr -8(%rsp)\n"
        "  .irp n,0,1,2,3,4,5,6,7\n"
        "    movq %mm\\n, 512+8*\\n(%rbx)\n"
        "  .endr\n"
        "  emms\n"
        "  cmpl $0, 716(%rbx); je 3f\n"
        "  .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "    vmovdqu %ymm\\n, 32*\\n(%rbx)\n"
        "  .endr\n"
        "  vzeroupper\n"
        "  jmp 4f\n"
        "3:\n"
        "  .irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
        "    movdqu %xmm\\n, 32*\\n(%rbx)\n"
        "  .endr\n"
        "4:\n"
        "  add $8, %rsp; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n");

static void cpuid(uint32_t leaf, uint32_t r[4]) {
    __asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(0));
}

bool sse_host_has(uint32_t feature) {
    uint32_t one[4], seven[4];
    cpuid(1, one);
    cpuid(7, seven);
    bool avx = __builtin_cpu_supports("avx");
    switch (feature) {
    case F_NONE: return false;
    case F_BASE: return true;
    case F_SSE3: return one[2] & 1;
    case F_SSSE3: return one[2] >> 9 & 1;
    case F_SSE41: return one[2] >> 19 & 1;
    case F_SSE42: return one[2] >> 20 & 1;
    case F_AVX: return avx;
    case F_AVX2: return __builtin_cpu_supports("avx2");
    case F_FMA: return avx && (one[2] >> 12 & 1);
    case F_F16C: return avx && (one[2] >> 29 & 1);
    case F_AES: return one[2] >> 25 & 1;
    case F_PCLMUL: return one[2] >> 1 & 1;
    case F_SHA: return seven[1] >> 29 & 1;
    case F_VAES: return avx && (seven[2] >> 9 & 1);
    case F_VPCLMUL: return avx && (seven[2] >> 10 & 1);
    default: return false;
    }
}

static sigjmp_buf on_fpe;
static uint32_t fpe_mxcsr;

static void handle_fpe(int signo, siginfo_t *info, void *context) {
    (void)signo;
    (void)info;
    const ucontext_t *c = context;
    fpe_mxcsr = c->uc_mcontext.fpregs->mxcsr;
    siglongjmp(on_fpe, 1);
}

bool sse_host_run(struct sse_state *state, const uint8_t *code, uint32_t size) {
    static uint8_t *page;
    if (!page) {
        page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                    0);
    }
    if (~state->mxcsr & 0x1f80) {
        /* Each time: cmocka installs its own for every test. */
        struct sigaction sa = {.sa_sigaction = handle_fpe, .sa_flags = SA_SIGINFO | SA_NODEFER};
        sigaction(SIGFPE, &sa, NULL);
    }
    memcpy(page, code, size);
    page[size] = 0xc3;
    state->avx = sse_host_has(F_AVX);
    if (sigsetjmp(on_fpe, 1)) {
        state->mxcsr = fpe_mxcsr;
        __asm__ volatile("emms");
        return false;
    }
    sse_thunk(state, page);
    return true;
}
