/*
 * What a program may ask about selectors, and the system registers that Linux lets it see.
 */
#include "guest.h"

#define ASK(insn, selector, value, zero)                                                           \
  __asm__ volatile(insn " %2, %0; setz %1" : "+r"(value), "=q"(zero) : "r"(selector) : "cc")
#define VERIFY(insn, selector, zero)                                                               \
  __asm__ volatile(insn " %w1; setz %0" : "=q"(zero) : "r"(selector) : "cc")

int main(void) {
    for (unsigned selector = 0; selector < 0x100; selector++) {
        unsigned lar = 0, lsl = 0;
        unsigned char a, b, c, d;
        ASK("lar", selector, lar, a);
        ASK("lsl", selector, lsl, b);
        VERIFY("verr", selector, c);
        VERIFY("verw", selector, d);
        /* This one's limit is the number of the processor. */
        if ((selector & ~7u) == 0x78)
            lsl = 0;
        printf("%02x: lar %d %08x, lsl %d %08x, verr %d, verw %d\n", selector, a, lar, b, lsl, c,
               d);
    }
    /* Their values are the kernel's own where the processor does not hide them. */
    unsigned long v;
    struct __attribute__((packed)) {
        unsigned short limit;
        unsigned long base;
    } table;
    __asm__ volatile("sldt %0" : "=r"(v));
    __asm__ volatile("str %0" : "=r"(v));
    __asm__ volatile("sgdt %0" : "=m"(table));
    __asm__ volatile("sidt %0" : "=m"(table));
    __asm__ volatile("smsw %0" : "=r"(v));
    printf("answered, msw %lx\n", v & 0xffff);
    return 0;
}
