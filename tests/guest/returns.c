/*
 * Returns in all their ways: foreseen and not, from stacks that cannot be written, lie askew or are
 * changed on the way, with what they leave in memory, and in the middle of signals.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>

#include "guest.h"

#define ROUNDS   3000
#define NOINLINE __attribute__((noinline))

/* ---- on a stack of one's own ---- */

/* void on_stack(void *top): return through what lies there, the last of which comes back. */
__asm__("on_stack:\n\t"
        "push %rbp\n\t"
        "mov %rsp, %rbp\n\t"
        "mov %rdi, %rsp\n\t"
        "ret\n"
        "step_one:\n\t"
        "lea 1(%rax), %rax\n\t"
        "ret\n"
        "step_back:\n\t"
        "mov %rbp, %rsp\n\t"
        "pop %rbp\n\t"
        "ret\n");
long on_stack(void *top);
void step_one(void), step_back(void);

static void read_only(void) {
    size_t size = 1 << 16;
    void **chain = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long sum = 0;
    for (int k = 0; k < 4000; k++)
        chain[k] = (void *)step_one;
    chain[4000] = (void *)step_back;
    mprotect(chain, size, PROT_READ);
    for (int k = 0; k < 20; k++)
        sum += on_stack(chain + k) != 0;
    printf("read-only chain: %ld\n", sum);
    munmap(chain, size);
}

static void askew(void) {
    uint8_t *stack = malloc(1 << 16), *top = stack + (1 << 15);
    void *one = (void *)step_one, *back = (void *)step_back;
    for (int by = 0; by < 16; by++) {
        for (int round = 0; round < 200; round++) {
            for (int k = 0; k < 50; k++)
                memcpy(top + by + 8 * k, &one, sizeof one);
            memcpy(top + by + 400, &back, sizeof back);
            on_stack(top + by);
        }
    }
    printf("askew: done\n");
    free(stack);
}

/* ---- what is left below ---- */

/* long left_below(long n): n calls; how many of them left anything but the return address. */
__asm__("left_below:\n\t"
        "xor %eax, %eax\n"
        "1:\tcall 3f\n"
        "2:\tlea 2b(%rip), %rdx\n\t"
        "cmp %rdx, -8(%rsp)\n\t"
        "setne %cl\n\t"
        "movzbl %cl, %ecx\n\t"
        "add %rcx, %rax\n\t"
        "dec %rdi\n\t"
        "jnz 1b\n\t"
        "ret\n"
        "3:\tret\n");
long left_below(long n);

/* ---- changed on the way ---- */

/* long elsewhere(long n): each call comes back behind where it should. */
__asm__("elsewhere:\n\t"
        "xor %eax, %eax\n"
        "1:\tcall 4f\n"
        "2:\tadd $1000, %rax\n"
        "3:\tadd $1, %rax\n\t"
        "dec %rdi\n\t"
        "jnz 1b\n\t"
        "ret\n"
        "4:\tlea 3b(%rip), %rdx\n\t"
        "mov %rdx, (%rsp)\n\t"
        "ret\n");
long elsewhere(long n);

/* long by_thunk(long n, function): calls it as compilers do that avoid indirect branches. */
__asm__("by_thunk:\n\t"
        "push %rbx\n\t"
        "push %r12\n\t"
        "mov %rdi, %rbx\n\t"
        "mov %rsi, %r12\n\t"
        "xor %eax, %eax\n"
        "1:\tcall 2f\n\t"
        "dec %rbx\n\t"
        "jnz 1b\n\t"
        "pop %r12\n\t"
        "pop %rbx\n\t"
        "ret\n"
        "2:\tcall 4f\n"
        "3:\tpause\n\t"
        "jmp 3b\n"
        "4:\tmov %r12, (%rsp)\n\t"
        "ret\n");
long by_thunk(long n, void (*function)(void));

static jmp_buf out;
static NOINLINE long down(long n) {
    volatile long here = n;
    if (here == 0)
        longjmp(out, 1);
    return here < 0 ? 0 : down(n - 1) + here;
}

static NOINLINE long deep(long n) {
    volatile long here = 1;
    return n ? deep(n - 1) + here : 0;
}

static void jumps(void) {
    volatile long count = 0;
    for (volatile int k = 0; k < 300; k++) {
        if (setjmp(out) == 0)
            down(k % 70);
        count++;
    }
    printf("longjmp: %ld, deep: %ld\n", count, deep(30000));
}

/* Code that its own callee rewrites behind the call, warm and for the first time. */
static uint8_t *page;
static int wanted;
static NOINLINE void rewrite(void) {
    memcpy(page + 15, &wanted, 4);
}

static void rewritten(void) {
    static const uint8_t code[] = {
        0x48, 0x83, 0xec, 0x08,             /* sub rsp, 8 */
        0x48, 0x8d, 0x05, 0,    0,    0, 0, /* lea rax, [rip] */
        0xff, 0xd7,                         /* call rdi */
        0x90, 0xb8, 0,    0,    0,    0,    /* nop; mov eax, imm32 */
        0x48, 0x83, 0xc4, 0x08, 0xc3,       /* add rsp, 8; ret */
    };
    long good = 0;
    for (int k = 0; k < 60; k++) {
        page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                    0);
        memcpy(page, code, sizeof code);
        int (*run)(void (*)(void)) = (int (*)(void (*)(void)))(uintptr_t)page;
        for (int n = 0; n < k; n++)
            run(step_one);
        for (int n = 0; n < 3; n++) {
            wanted = k * 100 + n + 1;
            good += run(rewrite) == wanted;
            good += run(step_one) == wanted;
        }
        munmap(page, 4096);
    }
    printf("rewritten behind the call: %ld\n", good);
}

/* ---- signals ---- */

static volatile long ticks, wrong;
static void tick(int signo, siginfo_t *info, void *context) {
    const ucontext_t *c = context;
    extern char __executable_start, etext;
    uint64_t rip = (uint64_t)c->uc_mcontext.gregs[REG_RIP];
    (void)signo, (void)info;
    ticks++;
    wrong += rip < (uintptr_t)&__executable_start || rip >= (uintptr_t)&etext;
}

static NOINLINE long fibonacci(long n) {
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static void storm(void) {
    struct sigaction sa = {.sa_sigaction = tick, .sa_flags = SA_SIGINFO | SA_RESTART};
    struct itimerval each = {{0, 200}, {0, 200}}, none = {{0, 0}, {0, 0}};
    long sum = 0, left = 0;
    sigaction(SIGALRM, &sa, NULL);
    setitimer(ITIMER_REAL, &each, NULL);
    while (ticks < 300) {
        sum = fibonacci(15);
        left += left_below(20);
        if (sum != 610)
            break;
    }
    setitimer(ITIMER_REAL, &none, NULL);
    printf("signals: fibonacci %ld, wrong %ld, left %ld\n", sum, wrong, left);
}

int main(void) {
    read_only();
    askew();
    printf("left below: %ld\n", left_below(ROUNDS));
    printf("elsewhere: %ld\n", elsewhere(ROUNDS));
    printf("thunks: %ld\n", by_thunk(ROUNDS, step_one));
    rewritten();
    jumps();
    storm();
    return 0;
}
