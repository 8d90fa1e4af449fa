/*
 * A host system call that a signal cannot slip past: the handler moves a program counter that
 * stands between `begin` and `end` to `abort`, so a signal that came after the check and before
 * the kernel was entered still ends the call. The only file that knows host registers.
 */
#ifndef CORE_EXEC_SAFE_SYSCALL_H
#define CORE_EXEC_SAFE_SYSCALL_H

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

/* Negated errno as the kernel returns it; -EINTR without entering the kernel if any of `mask` is
 * set in *attention. */
int64_t safe_syscall(const volatile uint32_t *attention, int64_t number, const uint64_t args[6],
                     uint32_t mask);

/* Program counter of an interrupted context; page-fault facts of a SIGSEGV or SIGBUS. */
uint64_t context_pc(const ucontext_t *context);
bool context_write_fault(const ucontext_t *context);
/* Exception vector by which the context was left; 0 where the host does not tell. */
uint32_t context_vector(const ucontext_t *context);
/* The floating-point status flags guest code had raised, where the host keeps them in a register
 * that signal delivery resets: in the format of MXCSR. */
uint32_t context_mxcsr(const ucontext_t *context);
/*
 * clone(2) with these flags, CLONE_VM and CLONE_VFORK among them: the new process runs child(arg),
 * which does not return, further down the caller's stack and with the caller's thread of the C
 * library; the caller waits until it has been replaced or has ended. The pid, or -errno; *pidfd is
 * what CLONE_PIDFD fills.
 */
int64_t share_memory(uint64_t flags, void (*child)(void *), void *arg, int32_t *pidfd);
/* If the context stands in the window of safe_syscall, make it return -EINTR. */
void context_abort_syscall(ucontext_t *context);

#endif
