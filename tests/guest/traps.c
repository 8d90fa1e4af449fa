/*
 * Traps that are not page faults: division, undefined and privileged instructions, breakpoints,
 * single step, unmasked floating-point exceptions, alignment.
 */
#include <fenv.h>
#include <stdlib.h>

#include "faults.h"

/* Each site is the instruction that must be named, `after` where a trap reports. (int1 is left
 * out: hypervisors differ.) `before` prepares what the instruction looks at. */
#define SITE(name, text) SITE_AFTER(name, "", text)
#define SITE_AFTER(name, before, text)                                                             \
  __attribute__((noinline)) static void name(void) {                                               \
    __asm__ volatile(before "\n.globl site_" #name "\nsite_" #name ": " text                       \
                            "\n.globl after_" #name "\nafter_" #name ":"                           \
                     :                                                                             \
                     :                                                                             \
                     : "rax", "rcx", "rdx", "rbx", "memory", "cc");                                \
  }                                                                                                \
  extern const char site_##name[], after_##name[]

SITE(ud2, "ud2");
SITE(ud1, "ud1 %%eax, %%ecx");
SITE(bad_push_es, ".byte 0x06");
SITE(bad_lock, ".byte 0xf0, 0x89, 0xc8");
SITE(int3, "int3");
SITE(int3_long, ".byte 0xcd, 3");
SITE(int4, "int $4");
SITE(int_other, "int $0x42");
SITE(hlt, "hlt");
SITE(cli, "cli");
SITE(in, "in $0x60, %%al");
SITE(out, "outb %%al, $0x80");
SITE(mov_cr0, "mov %%cr0, %%rax");
SITE(mov_cr3, "mov %%rax, %%cr3");
SITE(mov_dr7, "mov %%dr7, %%rax");
SITE(wrmsr, "wrmsr");
SITE(rdmsr, "rdmsr");
SITE(lgdt, "lgdt (%%rsp)");
SITE(invlpg, "invlpg (%%rsp)");
SITE(swapgs, "swapgs");
SITE_AFTER(bad_segment, "mov $0x1234, %%eax", "mov %%eax, %%ds");
SITE_AFTER(aligned, "lea -1(%%rsp), %%rax", "movaps (%%rax), %%xmm0");
SITE_AFTER(xgetbv, "mov $0x77, %%ecx", "xgetbv");

static volatile int zero, minus_one = -1;

static void show(const char *what, const char *site, const char *after) {
    const char *where = caught.rip == (unsigned long)site    ? "at"
                        : caught.rip == (unsigned long)after ? "after"
                                                             : "elsewhere";
    const char *address = caught.address == NULL    ? "null"
                          : caught.address == site  ? "at"
                          : caught.address == after ? "after"
                                                    : "elsewhere";
    printf("%-12s signal %d code %d trap %lu error %lx rip %s address %s\n", what, caught.signo,
           caught.code, caught.trapno, caught.error, where, address);
}

#define SHOW(name)                                                                                 \
  do {                                                                                             \
    FAULT_TRY(name());                                                                             \
    show(#name, site_##name, after_##name);                                                        \
  } while (0)

extern const char div_site[], idiv_site[], sse_site[], x87_site[];

static void division(void) {
    FAULT_TRY(__asm__ volatile("div_site: divl %0" : : "r"(zero), "a"(1), "d"(0) : "cc"));
    show("div by 0", div_site, NULL);
    FAULT_TRY(__asm__ volatile("idiv_site: idivl %0"
                               :
                               : "r"(minus_one), "a"(INT32_MIN), "d"(-1)
                               : "cc"));
    show("idiv overflow", idiv_site, NULL);
}

static void floating(void) {
    static const unsigned mxcsr = 0x1f80 & ~0x200u, fine = 0x1f80;
    static const unsigned short cw = 0x37b;
    static const double d1 = 1.0, d0 = 0.0;
    FAULT_TRY(__asm__ volatile("ldmxcsr %0; movsd %1, %%xmm0; sse_site: divsd %2, %%xmm0"
                               :
                               : "m"(mxcsr), "m"(d1), "m"(d0)
                               : "xmm0"));
    __asm__ volatile("ldmxcsr %0" : : "m"(fine));
    show("divsd by 0", sse_site, NULL);
    FAULT_TRY(__asm__ volatile("fninit; fldcw %0; fldz; fld1; fdivp; x87_site: fwait" : : "m"(cw)));
    __asm__ volatile("fninit");
    show("fdiv by 0", x87_site, NULL);
}

static void single_step(void) {
    extern const char step_site[];
    FAULT_TRY(__asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq; nop; step_site: nop"
                               :
                               :
                               : "memory", "cc"));
    show("single step", step_site, NULL);
}

static void too_long(void) {
    extern const char long_site[];
    FAULT_TRY(__asm__ volatile("long_site: .fill 15, 1, 0x66; nop"));
    show("16 bytes", long_site, NULL);
}

int main(void) {
    fault_catch_all();
    division();
    SHOW(ud2);
    SHOW(ud1);
    SHOW(bad_push_es);
    SHOW(bad_lock);
    SHOW(int3);
    SHOW(int3_long);
    SHOW(int4);
    SHOW(int_other);
    SHOW(hlt);
    SHOW(cli);
    SHOW(in);
    SHOW(out);
    SHOW(mov_cr0);
    SHOW(mov_cr3);
    SHOW(mov_dr7);
    SHOW(wrmsr);
    SHOW(rdmsr);
    SHOW(lgdt);
    SHOW(invlpg);
    SHOW(swapgs);
    SHOW(bad_segment);
    SHOW(aligned);
    SHOW(xgetbv);
    floating();
    single_step();
    too_long();
    return 0;
}
