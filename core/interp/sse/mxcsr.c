/*
 * MXCSR against the host's register: x86-64 has the same one, aarch64 splits it into FPCR and
 * FPSR. Flags that software found (fp_flags) are merged here too. Called by the vCPU's thread.
 */
#include "interp/sse/mxcsr.h"

#if defined(__x86_64__)

static uint32_t host_get(void) {
    uint32_t v;
    __asm__ volatile("stmxcsr %0" : "=m"(v)::"memory");
    return v;
}
static void host_set(uint32_t v) {
    __asm__ volatile("ldmxcsr %0" ::"m"(v) : "memory");
}

/* FTZ has no effect while underflow is unmasked, but the host's is always masked. */
static uint32_t host_control(const struct blink_cpu *cpu) {
    uint32_t m = cpu->mxcsr & (MXCSR_RC | MXCSR_DAZ);
    if ((cpu->mxcsr & MXCSR_FTZ) && (cpu->mxcsr & MXCSR_UM))
        m |= MXCSR_FTZ;
    return m | MXCSR_MASKS;
}
static void host_default(void) {
    host_set(MXCSR_DEFAULT);
}
static uint32_t host_take(void) {
    uint32_t v = host_get();
    if (v & MXCSR_FLAGS)
        host_set(v & ~MXCSR_FLAGS);
    return v & MXCSR_FLAGS;
}

#elif defined(__aarch64__)

  #define FPCR_FZ UINT64_C(0x1000000)

static uint64_t host_get(void) {
    uint64_t v;
    __asm__ volatile("mrs %0, fpsr" : "=r"(v)::"memory");
    return v;
}
static void host_clear(void) {
    __asm__ volatile("msr fpsr, %0" ::"r"(UINT64_C(0)) : "memory");
}
static void host_set(uint64_t fpcr) {
    __asm__ volatile("msr fpcr, %0" ::"r"(fpcr) : "memory");
    host_clear();
}

/* Rounding: x86 counts nearest, down, up, zero; ARM nearest, up, down, zero. One FZ flushes
 * operands and results. */
static uint64_t host_control(const struct blink_cpu *cpu) {
    static const uint8_t mode[4] = {0, 2, 1, 3};
    uint64_t v = (uint64_t)mode[(cpu->mxcsr & MXCSR_RC) >> 13] << 22;
    return cpu->mxcsr & (MXCSR_DAZ | MXCSR_FTZ) ? v | FPCR_FZ : v;
}
static void host_default(void) {
    host_set(0);
}
static uint32_t host_flags(uint32_t fpsr) {
    static const struct {
        uint8_t arm, x86;
    } map[] = {{0x01, MXCSR_IE}, {0x02, MXCSR_ZE}, {0x04, MXCSR_OE},
               {0x08, MXCSR_UE}, {0x10, MXCSR_PE}, {0x80, MXCSR_DE}};
    uint32_t flags = 0;
    for (uint32_t k = 0; k < sizeof map / sizeof map[0]; k++)
        if (fpsr & map[k].arm)
            flags |= map[k].x86;
    return flags;
}
static uint32_t host_take(void) {
    uint32_t flags = host_flags((uint32_t)host_get());
    host_clear();
    return flags;
}

#else

/* Floating point is all software: nothing of it is in a host register. */
static uint32_t host_control(const struct blink_cpu *cpu) {
    return cpu->mxcsr;
}
static void host_set(uint32_t v) {
    (void)v;
}
static void host_default(void) {}
static uint32_t host_take(void) {
    return 0;
}

#endif

void interp_mxcsr_load(struct blink_cpu *cpu) {
    cpu->fp_flags = 0;
    host_set(host_control(cpu));
}

uint32_t interp_mxcsr_take(struct blink_cpu *cpu) {
    uint32_t flags = cpu->fp_flags;
    cpu->fp_flags = 0;
    return flags | host_take();
}

void interp_mxcsr_store(struct blink_cpu *cpu) {
    cpu->mxcsr |= interp_mxcsr_take(cpu);
    host_default();
}
