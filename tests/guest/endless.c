/*
 * Loops that never leave generated code, and what must reach them all the same: a signal whose
 * handler leaves or ends them, a fork and a thread of another thread's, changes of memory, the
 * unmapping of the code that runs, the end of the process.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "guest.h"

/* Each goes on without end, and tells in *started that it has begun. RSI: memory of its own. */
typedef void loop(volatile int *started, char *memory);
loop loop_self, loop_two, loop_indirect, loop_through_memory, loop_call, loop_call_indirect,
    loop_counted, loop_string, loop_search, loop_return, loop_conditional, loop_x87;
__asm__(
    ".text\n.globl loop_self, loop_two, loop_indirect, loop_through_memory, loop_call\n"
    ".globl loop_call_indirect, loop_counted, loop_string, loop_search, loop_return\n"
    ".globl loop_conditional, loop_x87, loop_end\n"
    "loop_self: movl $1, (%rdi)\n1: jmp 1b\n"
    "loop_two: movl $1, (%rdi)\n1: inc %rax; jmp 2f\n.skip 100, 0xcc\n2: add $3, %rax; jmp 1b\n"
    "loop_indirect: movl $1, (%rdi); lea 1f(%rip), %rax; lea 2f(%rip), %rdx\n"
    "1: jmp *%rdx\n2: xchg %rax, %rdx; jmp *%rdx\n"
    "loop_through_memory: movl $1, (%rdi); lea 1f(%rip), %rax; mov %rax, (%rsi)\n1: jmp *(%rsi)\n"
    "loop_call: movl $1, (%rdi)\n1: call 2f; jmp 1b\n2: ret\n"
    "loop_call_indirect: movl $1, (%rdi); lea 2f(%rip), %rax\n1: call *%rax; jmp 1b\n2: ret\n"
    "loop_counted: movl $1, (%rdi)\n1: mov $-1, %rcx\n2: loop 2b; jmp 1b\n"
    "loop_string: movl $1, (%rdi); mov %rsi, %rdx\n"
    "1: mov %rdx, %rdi; mov $4096, %ecx; rep stosb; jmp 1b\n"
    /* Never found, and longer than anybody waits. */
    "loop_search: movl $1, (%rdi); mov %rsi, %rdi; mov $1, %eax; mov $1 << 34, %rcx; repne scasb\n"
    "ud2\n"
    "loop_return: movl $1, (%rdi)\n1: lea 1b(%rip), %rax; push %rax; ret\n"
    "loop_conditional: movl $1, (%rdi); xor %eax, %eax\n"
    "1: inc %eax; jz 1b; js 1b; jp 1b; jnz 1b; jmp 1b\n"
    "loop_x87: movl $1, (%rdi); fninit; fld1; fldpi\n1: fadd %st(1), %st; fxch; fmul %st(1), %st; "
    "jmp 1b\n"
    "loop_end:\n");
extern const char loop_end[];

static loop *const loops[] = {loop_self,   loop_two,     loop_indirect, loop_through_memory,
                              loop_call,   loop_counted, loop_string,   loop_call_indirect,
                              loop_return, loop_x87,     loop_search,   loop_conditional};
enum { LOOPS = sizeof loops / sizeof loops[0] };

static char *space; /* of 16 GiB that read as zero; the search's */
static volatile int started[LOOPS];
static _Thread_local sigjmp_buf out;
static _Thread_local char own[4096];

static void leave(int signo) {
    (void)signo;
    siglongjmp(out, 1);
}

static void run(int which) {
    loops[which](&started[which], loops[which] == loop_search ? space : own);
}

static void wait_for(int which) {
    while (!started[which])
        usleep(200);
}

/* By a timer, in the only thread. */
static void alone(void) {
    for (volatile int round = 0; round < 2; round++)
        for (volatile int k = 0; k < LOOPS; k++)
            if (sigsetjmp(out, 1) == 0) {
                ualarm(2000, 0);
                run(k);
            }
    CHECK(1);
}

static void *runs(void *arg) {
    int which = (int)(long)arg;
    if (sigsetjmp(out, 1) == 0)
        run(which);
    return arg;
}

static void *does_nothing(void *arg) {
    return arg;
}

typedef int function(void);
/* mov $value, %eax; ret */
static void put_constant(unsigned char *code, int value) {
    code[0] = 0xb8;
    memcpy(code + 1, &value, 4);
    code[5] = 0xc3;
}

/* All at once, while the first thread does what needs the others to stand still. */
static void together(void) {
    pthread_t thread[LOOPS], other;
    unsigned char *code =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int good = 0;
    for (long k = 0; k < LOOPS; k++) {
        started[k] = 0;
        CHECK(pthread_create(&thread[k], NULL, runs, (void *)k) == 0);
    }
    for (int k = 0; k < LOOPS; k++)
        wait_for(k);
    for (int k = 0; k < 5; k++) {
        int status;
        pid_t pid = fork();
        if (pid == 0)
            _exit(k);
        good += waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == k;
        good += pthread_create(&other, NULL, does_nothing, NULL) == 0;
        pthread_join(other, NULL);
        put_constant(code, k);
        good += ((function *)code)() == k;
        char *memory =
            mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memory[k] = 1;
        good += mprotect(memory, 1 << 20, PROT_READ) == 0 && munmap(memory, 1 << 20) == 0;
        /* The C library sends each thread a signal. */
        good += setgid(getgid()) == 0;
    }
    CHECK(good == 25);
    for (int k = 0; k < LOOPS; k++) {
        pthread_kill(thread[k], SIGALRM);
        pthread_join(thread[k], NULL);
    }
    munmap(code, 4096);
}

/* ---- the code goes away ---- */

static void *volatile fault_address;
static void on_fault(int signo, siginfo_t *info, void *context) {
    (void)signo, (void)context;
    fault_address = info->si_addr;
    siglongjmp(out, 2);
}

struct runner {
    unsigned char *code;
    volatile int started, left;
};

static void *runs_copy(void *arg) {
    struct runner *r = arg;
    r->left = sigsetjmp(out, 1);
    if (r->left == 0)
        ((loop *)r->code)(&r->started, own);
    return NULL;
}

/* A loop on a page of its own that is unmapped, made data, or replaced by a return. */
static void vanishes(loop *which, size_t size, int how) {
    struct runner r = {.code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)};
    pthread_t thread;
    memcpy(r.code, (void *)which, size);
    CHECK(pthread_create(&thread, NULL, runs_copy, &r) == 0);
    while (!r.started)
        usleep(200);
    usleep(1000);
    fault_address = NULL;
    if (how == 0)
        munmap(r.code, 4096);
    else if (how == 1)
        mprotect(r.code, 4096, PROT_READ | PROT_WRITE);
    else
        /* Instructions of two bytes, aligned so that nobody sees a half: each is a return now. */
        for (int k = 0; k < 2048; k++)
            ((volatile uint16_t *)r.code)[k] = 0xc3c3;
    pthread_join(thread, NULL);
    if (how < 2) {
        CHECK(r.left == 2);
        CHECK((unsigned char *)fault_address >= r.code &&
              (unsigned char *)fault_address < r.code + 4096);
    } else
        CHECK(r.left == 0);
    if (how)
        munmap(r.code, 4096);
}

static void code_goes(void) {
    static const struct {
        loop *which;
        size_t size;
        int most;
    } table[] = {{loop_self, 8, 3},     {loop_two, 160, 2},         {loop_conditional, 24, 3},
                 {loop_counted, 24, 2}, {loop_indirect, 40, 2},     {loop_through_memory, 24, 2},
                 {loop_call, 24, 2},    {loop_call_indirect, 24, 2}};
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &sa, NULL);
    for (size_t k = 0; k < sizeof table / sizeof table[0]; k++)
        for (int how = 0; how < table[k].most; how++)
            for (int round = 0; round < 2; round++)
                vanishes(table[k].which, table[k].size, how);
}

/* ---- the process ends ---- */

static void ends(void) {
    for (int how = 0; how < 3; how++) {
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            pthread_t thread;
            for (long k = 0; k < LOOPS; k++) {
                started[k] = 0;
                pthread_create(&thread, NULL, runs, (void *)k);
            }
            for (int k = 0; k < LOOPS; k++)
                wait_for(k);
            if (how == 0)
                _exit(41);
            if (how == 1)
                exit(42);
            raise(SIGTERM);
        }
        CHECK(waitpid(pid, &status, 0) == pid);
        if (how < 2)
            CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 41 + how);
        else
            CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    }
}

int main(void) {
    struct sigaction sa = {.sa_handler = leave};
    sigaction(SIGALRM, &sa, NULL);
    space = mmap(NULL, 1ul << 34, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!CHECK(space != MAP_FAILED))
        return guest_done();
    alone();
    together();
    code_goes();
    ends();
    return guest_done();
}
