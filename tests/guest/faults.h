/*
 * Catching a synchronous signal and looking at all it says. The handler records, then jumps to
 * where the program put `resume_at` (guest code cannot be resumed at a bad instruction).
 */
#ifndef GUEST_FAULTS_H
#define GUEST_FAULTS_H

#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "guest.h"

static struct {
    volatile int signo, code;
    void *volatile address;
    volatile unsigned long rip, trapno, error, cr2, rax, rcx, rsp, r11;
    volatile int count;
} caught;
static sigjmp_buf resume_at;

/* More flags of the handlers. */
#ifndef FAULT_FLAGS
  #define FAULT_FLAGS 0
#endif

static void fault_handler(int signo, siginfo_t *info, void *context) {
    const greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
    caught.signo = signo;
    caught.code = info->si_code;
    caught.address = info->si_addr;
    caught.rip = (unsigned long)g[REG_RIP];
    caught.trapno = (unsigned long)g[REG_TRAPNO];
    caught.error = (unsigned long)g[REG_ERR];
    caught.cr2 = (unsigned long)g[REG_CR2];
    caught.rax = (unsigned long)g[REG_RAX];
    caught.rcx = (unsigned long)g[REG_RCX];
    caught.rsp = (unsigned long)g[REG_RSP];
    caught.r11 = (unsigned long)g[REG_R11];
    caught.count++;
    siglongjmp(resume_at, 1);
}

static void fault_catch_all(void) {
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    /* A stack of its own: the guest's may be what is bad. */
    static char stack[65536];
    stack_t ss = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction sa;
    memset(&sa, 0, sizeof sa);
    sa.sa_sigaction = fault_handler;
    sa.sa_flags = SA_SIGINFO | SA_ONSTACK | FAULT_FLAGS;
    sigaltstack(&ss, NULL);
    for (size_t k = 0; k < sizeof signals / sizeof signals[0]; k++)
        sigaction(signals[k], &sa, NULL);
}

/* Run `statement`; afterwards caught.signo is the signal it raised, or 0. */
#define FAULT_TRY(statement)                                                                       \
  do {                                                                                             \
    memset(&caught, 0, sizeof caught);                                                             \
    if (sigsetjmp(resume_at, 1) == 0) {                                                            \
      statement;                                                                                   \
    }                                                                                              \
  } while (0)

#endif
