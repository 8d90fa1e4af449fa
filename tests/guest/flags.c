/*
 * Flags that live across calls, returns, jumps and system calls (a caller may test what a callee
 * computed), and across blocks that do not touch them: what a lazy emulator gets wrong.
 */
#include <string.h>

#include "guest.h"

#define DEFINE(name, text) __asm__(".text\n" #name ":\n" text "\nret\n")
#define ALL                0x8d5ul

void callee_cmp(void), callee_none(void), callee_inc(void), callee_shift0(void), callee_mul(void);
DEFINE(callee_cmp, "cmp %rsi, %rdi");
DEFINE(callee_none, "lea 1(%rdi), %rdi; mov %rsi, %rax; not %rax");
DEFINE(callee_inc, "inc %rdi");
DEFINE(callee_shift0, "xor %ecx, %ecx; cmp %rsi, %rdi; shl %cl, %rdi; rol %cl, %esi");
DEFINE(callee_mul, "mov %rdi, %rax; stc; bswap %rax; xchg %rax, %rsi; movzbl %al, %eax");

static unsigned long after_call(void (*f)(void), unsigned long a, unsigned long b,
                                unsigned long before) {
    unsigned long flags;
    __asm__ volatile("sub $256, %%rsp; push %4; popfq; call *%1; pushfq; pop %0; add $256, %%rsp"
                     : "=&r"(flags), "+&r"(f), "+D"(a), "+S"(b), "+&r"(before)
                     :
                     : "rax", "rcx", "rdx", "memory", "cc");
    return flags & ALL;
}

static unsigned long after_syscall(unsigned long before) {
    unsigned long flags;
    __asm__ volatile("sub $256, %%rsp; push %1; popfq; mov $39, %%eax; syscall; pushfq; pop %0;"
                     "add $256, %%rsp"
                     : "=&r"(flags)
                     : "r"(before)
                     : "rax", "rcx", "r11", "memory", "cc");
    return flags & ALL;
}

/* Count the bits of n by the carry of each addition, over a loop whose branch tests another. */
static unsigned carries(uint64_t n) {
    unsigned count = 0;
    uint64_t left = 64;
    __asm__ volatile("1: add %1, %1; jmp 2f; nop; 2: adc $0, %0; dec %2; jnz 1b"
                     : "+r"(count), "+r"(n), "+r"(left)
                     :
                     : "cc");
    return count;
}

/* A long addition: the carry lives through lea, dec and the loop. */
static void add_long(uint64_t *to, const uint64_t *from, long words) {
    long k = 0;
    __asm__ volatile("clc; 1: mov (%2,%0,8), %%rax; adc %%rax, (%1,%0,8); lea 1(%0), %0; dec %3;"
                     "jnz 1b"
                     : "+r"(k), "+r"(to), "+r"(from), "+r"(words)
                     :
                     : "rax", "memory", "cc");
}

static unsigned long of_rotates(unsigned long v) {
    unsigned long out = 0;
    for (int k = 0; k < 70; k++) {
        unsigned char c, o;
        __asm__ volatile("bt $3, %0; rcl $1, %0; setc %1; ror $5, %0; seto %2"
                         : "+r"(v), "=q"(c), "=q"(o)
                         :
                         : "cc");
        out = out * 3 + c + (unsigned long)v;
        (void)o;
    }
    return out;
}

int main(void) {
    static void (*const callees[])(void) = {callee_cmp, callee_none, callee_inc, callee_shift0,
                                            callee_mul};
    uint64_t state = 5, hash = GUEST_HASH;
    for (int k = 0; k < 2000; k++) {
        unsigned long a = guest_random(&state), b = guest_random(&state);
        if (k % 3 == 0)
            a = b;
        if (k % 7 == 0)
            a &= 0xff, b &= 0xff;
        for (size_t n = 0; n < sizeof callees / sizeof callees[0]; n++) {
            unsigned long flags = after_call(callees[n], a, b, (k & 1 ? ALL : 0) | 0x202);
            hash = guest_hash(hash, &flags, sizeof flags);
        }
        unsigned bits = carries(a);
        if (!CHECK(bits == (unsigned)__builtin_popcountll(a)))
            break;
        unsigned long r = of_rotates(a);
        hash = guest_hash(hash, &r, sizeof r);
    }
    CHECK(after_syscall(ALL | 0x202) == ALL);
    CHECK(after_syscall(0x202) == 0);
    uint64_t x[8], y[8];
    memset(x, 0xff, sizeof x);
    memset(y, 0, sizeof y);
    y[0] = 1;
    add_long(x, y, 8);
    for (int k = 0; k < 8; k++)
        CHECK(x[k] == 0);
    printf("%016llx\n", (unsigned long long)hash);
    return guest_done();
}
