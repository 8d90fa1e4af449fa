/*
 * What programs of this folder share: calls of the BIOS, ports, memory by segments, what they say
 * (port 0xE9) and how they end (port 0xF4). They run in real mode below 64 KiB.
 */
#ifndef BIOS_H
#define BIOS_H

typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;

struct registers {
    uint32_t eax, ebx, ecx, edx, esi, edi, ebp;
    uint16_t es, ds, flags;
};

#define CARRY 1u
#define ZERO  0x40u

void bios_call(uint32_t vector, struct registers *r);
void interrupt_0(void); /* for vectors: call on_interrupt_0 and _1 */
void interrupt_1(void);
extern uint8_t boot_drive;

static struct registers r;

/* INT `vector` with these; the answer is in `r`, its flags are the result. */
static inline uint32_t call(uint32_t vector, uint32_t ax, uint32_t bx, uint32_t cx, uint32_t dx) {
    r.eax = ax;
    r.ebx = bx;
    r.ecx = cx;
    r.edx = dx;
    bios_call(vector, &r);
    return r.flags;
}
#define AX ((uint16_t)r.eax)
#define BX ((uint16_t)r.ebx)
#define CX ((uint16_t)r.ecx)
#define DX ((uint16_t)r.edx)
#define AH ((uint8_t)(r.eax >> 8))
#define AL ((uint8_t)r.eax)

static inline void out8(uint16_t port, uint8_t v) {
    __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}
static inline uint8_t in8(uint16_t port) {
    uint8_t v;
    __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
static inline uint16_t in16(uint16_t port) {
    uint16_t v;
    __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}
static inline void out16(uint16_t port, uint16_t v) {
    __asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}

/* Memory at segment:offset; FS is nobody else's. */
static inline uint8_t peek8(uint16_t segment, uint16_t offset) {
    uint8_t v;
    __asm__ volatile("movw %1, %%fs\n\tmovb %%fs:(%2), %0"
                     : "=q"(v)
                     : "r"(segment), "b"((uint32_t)offset));
    return v;
}
static inline uint16_t peek16(uint16_t segment, uint16_t offset) {
    return (uint16_t)(peek8(segment, offset) | peek8(segment, (uint16_t)(offset + 1)) << 8);
}
static inline void poke8(uint16_t segment, uint16_t offset, uint8_t v) {
    __asm__ volatile("movw %0, %%fs\n\tmovb %1, %%fs:(%2)"
                     :
                     : "r"(segment), "q"(v), "b"((uint32_t)offset));
}
static inline void set_vector(uint8_t n, void (*handler)(void)) {
    *(volatile uint32_t *)(uint32_t)(n * 4) = (uint32_t)handler & 0xffff;
}

static inline void wait_for_interrupt(void) {
    __asm__ volatile("sti\n\thlt" : : : "memory");
}

static void say(const char *text) {
    for (; *text; text++)
        out8(0xe9, (uint8_t)*text);
}

static void say_hex(uint32_t v) {
    for (int k = 28; k >= 0; k -= 4)
        out8(0xe9, (uint8_t) "0123456789abcdef"[v >> k & 15]);
}

static uint32_t failures;

/* A line for each check that fails. */
static inline void check(const char *what, uint32_t got, uint32_t want) {
    if (got == want)
        return;
    failures++;
    say(what);
    say(": ");
    say_hex(got);
    say(" and not ");
    say_hex(want);
    say("\n");
}

/* blink ends with 2 n + 1. */
static inline void finish(const char *name) {
    if (!failures) {
        say(name);
        say(" ok\n");
    }
    out8(0xf4, failures ? 1 : 0);
    for (;;)
        __asm__ volatile("hlt");
}

void main(void);

#endif
