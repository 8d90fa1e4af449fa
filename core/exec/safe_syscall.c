/*
 * See safe_syscall.h. Used by the vCPU threads and, for the context functions, by their signal
 * handlers.
 */
#include "exec/safe_syscall.h"

extern const char safe_syscall_begin[] __attribute__((visibility("hidden")));
extern const char safe_syscall_end[] __attribute__((visibility("hidden")));
extern const char safe_syscall_abort[] __attribute__((visibility("hidden")));

#if defined(__x86_64__)

__asm__(".text\n"
        ".globl safe_syscall\n"
        ".hidden safe_syscall\n"
        ".hidden safe_syscall_begin\n"
        ".hidden safe_syscall_end\n"
        ".hidden safe_syscall_abort\n"
        ".globl safe_syscall_begin\n"
        ".globl safe_syscall_end\n"
        ".globl safe_syscall_abort\n"
        ".type safe_syscall, @function\n"
        "safe_syscall:\n"
        ".cfi_startproc\n"
        "safe_syscall_begin:\n"
        "  test %ecx, (%rdi)\n"
        "  jnz safe_syscall_abort\n"
        "  mov %rsi, %rax\n"
        "  mov 0(%rdx), %rdi\n"
        "  mov 8(%rdx), %rsi\n"
        "  mov 24(%rdx), %r10\n"
        "  mov 32(%rdx), %r8\n"
        "  mov 40(%rdx), %r9\n"
        "  mov 16(%rdx), %rdx\n"
        "  syscall\n"
        "safe_syscall_end:\n"
        "  ret\n"
        "safe_syscall_abort:\n"
        "  mov $-4, %rax\n"
        "  ret\n"
        ".cfi_endproc\n"
        ".size safe_syscall, . - safe_syscall\n");

/* What the caller left in memory stays as it is: the child writes below the return address. The
 * argument for the thread pointer is not looked at and keeps `arg`. */
__asm__(".text\n"
        ".globl share_memory\n"
        ".hidden share_memory\n"
        ".type share_memory, @function\n"
        "share_memory:\n"
        ".cfi_startproc\n"
        "  mov %rsi, %r9\n"
        "  mov %rdx, %r8\n"
        "  mov %rcx, %rdx\n"
        "  xor %esi, %esi\n"
        "  xor %r10d, %r10d\n"
        "  mov $56, %eax\n"
        "  syscall\n"
        "  test %rax, %rax\n"
        "  jz 1f\n"
        "  ret\n"
        "1: mov %r8, %rdi\n"
        "  sub $8, %rsp\n"
        "  .cfi_adjust_cfa_offset 8\n"
        "  call *%r9\n"
        "  ud2\n"
        ".cfi_endproc\n"
        ".size share_memory, . - share_memory\n");

uint64_t context_pc(const ucontext_t *c) {
    return (uint64_t)c->uc_mcontext.gregs[REG_RIP];
}
static void set_pc(ucontext_t *c, uint64_t pc) {
    c->uc_mcontext.gregs[REG_RIP] = (greg_t)pc;
}
bool context_write_fault(const ucontext_t *c) {
    return c->uc_mcontext.gregs[REG_ERR] & 2;
}
uint32_t context_vector(const ucontext_t *c) {
    return (uint32_t)c->uc_mcontext.gregs[REG_TRAPNO];
}
uint32_t context_mxcsr(const ucontext_t *c) {
    return c->uc_mcontext.fpregs ? c->uc_mcontext.fpregs->mxcsr : 0;
}

#elif defined(__aarch64__)
  #include <asm/sigcontext.h>
  #include <stddef.h>

__asm__(".text\n"
        ".globl safe_syscall\n"
        ".hidden safe_syscall\n"
        ".hidden safe_syscall_begin\n"
        ".hidden safe_syscall_end\n"
        ".hidden safe_syscall_abort\n"
        ".globl safe_syscall_begin\n"
        ".globl safe_syscall_end\n"
        ".globl safe_syscall_abort\n"
        ".type safe_syscall, %function\n"
        "safe_syscall:\n"
        ".cfi_startproc\n"
        "safe_syscall_begin:\n"
        "  ldr w9, [x0]\n"
        "  tst w9, w3\n"
        "  b.ne safe_syscall_abort\n"
        "  mov x8, x1\n"
        "  mov x9, x2\n"
        "  ldp x0, x1, [x9]\n"
        "  ldp x2, x3, [x9, #16]\n"
        "  ldp x4, x5, [x9, #32]\n"
        "  svc #0\n"
        "safe_syscall_end:\n"
        "  ret\n"
        "safe_syscall_abort:\n"
        "  mov x0, #-4\n"
        "  ret\n"
        ".cfi_endproc\n"
        ".size safe_syscall, . - safe_syscall\n");

__asm__(".text\n"
        ".globl share_memory\n"
        ".hidden share_memory\n"
        ".type share_memory, %function\n"
        "share_memory:\n"
        ".cfi_startproc\n"
        "  mov x9, x1\n"
        "  mov x10, x2\n"
        "  mov x2, x3\n"
        "  mov x1, xzr\n"
        "  mov x3, xzr\n"
        "  mov x4, xzr\n"
        "  mov x8, #220\n"
        "  svc #0\n"
        "  cbz x0, 1f\n"
        "  ret\n"
        "1: mov x0, x10\n"
        "  blr x9\n"
        "  brk #0\n"
        ".cfi_endproc\n"
        ".size share_memory, . - share_memory\n");

uint64_t context_pc(const ucontext_t *c) {
    return c->uc_mcontext.pc;
}
static void set_pc(ucontext_t *c, uint64_t pc) {
    c->uc_mcontext.pc = pc;
}
/* The record with the exception syndrome: bit 6 of a data abort's tells a write. */
bool context_write_fault(const ucontext_t *c) {
    const uint8_t *at = (const uint8_t *)c->uc_mcontext.__reserved;
    const uint8_t *end = at + sizeof c->uc_mcontext.__reserved;
    while (at + sizeof(struct _aarch64_ctx) <= end) {
        const struct _aarch64_ctx *head = (const void *)at;
        if (head->magic == 0 || head->size == 0)
            return false;
        if (head->magic == ESR_MAGIC)
            return ((const struct esr_context *)(const void *)at)->esr & (1u << 6);
        at += head->size;
    }
    return false;
}
uint32_t context_vector(const ucontext_t *c) {
    (void)c;
    return 0;
}
/* FPSR is not reset by delivery. */
uint32_t context_mxcsr(const ucontext_t *c) {
    (void)c;
    return 0;
}

#else
  #error "this host needs its system-call window in core/exec/safe_syscall.c"
#endif

void context_abort_syscall(ucontext_t *c) {
    uint64_t pc = context_pc(c);
    if (pc >= (uintptr_t)safe_syscall_begin && pc < (uintptr_t)safe_syscall_end)
        set_pc(c, (uintptr_t)safe_syscall_abort);
}
