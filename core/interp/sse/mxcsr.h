/*
 * The guest's MXCSR in the host's floating-point control register. Between load and store the
 * host register carries the guest's rounding and the exception flags raised since load; outside,
 * cpu->mxcsr is whole. Called by the vCPU's own thread.
 */
#ifndef CORE_INTERP_SSE_MXCSR_H
#define CORE_INTERP_SSE_MXCSR_H

#include <blink/cpu.h>

/* MXCSR, AMD64 manual volume 1, 4.2.2. */
#define MXCSR_IE      0x0001u
#define MXCSR_DE      0x0002u
#define MXCSR_ZE      0x0004u
#define MXCSR_OE      0x0008u
#define MXCSR_UE      0x0010u
#define MXCSR_PE      0x0020u
#define MXCSR_FLAGS   0x003fu
#define MXCSR_DAZ     0x0040u
#define MXCSR_MASKS   0x1f80u
#define MXCSR_UM      0x0800u
#define MXCSR_RC      0x6000u
#define MXCSR_FTZ     0x8000u
#define MXCSR_VALID   0xffffu /* other bits are reserved: #GP */
#define MXCSR_DEFAULT 0x1f80u

/* Of the flags that one step of computing raised, those that show: an unmasked exception found
 * before computing (IE, DE, ZE) leaves no trace of what computing would have raised. */
static inline uint32_t mxcsr_raised(uint32_t mxcsr, uint32_t flags) {
    const uint32_t before = MXCSR_IE | MXCSR_DE | MXCSR_ZE;
    return flags & ~(mxcsr >> 7) & before ? flags & before : flags & MXCSR_FLAGS;
}

/* Before a stretch of guest code: host rounding, DAZ and FTZ as the guest's, exceptions masked,
 * flags clear. */
void interp_mxcsr_load(struct blink_cpu *cpu);

/* After it: cpu->mxcsr takes the flags raised since load, the host register its default. */
void interp_mxcsr_store(struct blink_cpu *cpu);

/* The flags raised since load or the last take, which are then clear again; cpu->mxcsr is not
 * changed. */
uint32_t interp_mxcsr_take(struct blink_cpu *cpu);

#endif
