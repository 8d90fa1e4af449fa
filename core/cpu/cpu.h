/*
 * The CPU outside of instructions: reset, mode, model-specific registers, CPUID, time stamps.
 */
#ifndef CORE_CPU_CPU_H
#define CORE_CPU_CPU_H

#include <blink/cpu.h>
#include <stdbool.h>

/* Control-register and EFER bits that core looks at. AMD64 manual volume 2, 3.1. */
#define CR0_PE (UINT64_C(1) << 0)
#define CR0_MP (UINT64_C(1) << 1)
#define CR0_EM (UINT64_C(1) << 2)
#define CR0_TS (UINT64_C(1) << 3)
#define CR0_ET (UINT64_C(1) << 4)
#define CR0_NE (UINT64_C(1) << 5)
#define CR0_WP (UINT64_C(1) << 16)
#define CR0_AM (UINT64_C(1) << 18)
#define CR0_NW (UINT64_C(1) << 29)
#define CR0_CD (UINT64_C(1) << 30)
#define CR0_PG (UINT64_C(1) << 31)

#define CR4_TSD        (UINT64_C(1) << 2)
#define CR4_DE         (UINT64_C(1) << 3)
#define CR4_MCE        (UINT64_C(1) << 6)
#define CR4_PSE        (UINT64_C(1) << 4)
#define CR4_PAE        (UINT64_C(1) << 5)
#define CR4_PGE        (UINT64_C(1) << 7)
#define CR4_OSFXSR     (UINT64_C(1) << 9)
#define CR4_OSXMMEXCPT (UINT64_C(1) << 10)
#define CR4_UMIP       (UINT64_C(1) << 11)
#define CR4_FSGSBASE   (UINT64_C(1) << 16)
#define CR4_OSXSAVE    (UINT64_C(1) << 18)

/* Debug registers. AMD64 manual volume 2, 13.1.1. */
#define DR6_BD      (UINT64_C(1) << 13) /* debug registers were touched */
#define DR6_BS      (UINT64_C(1) << 14) /* single step */
#define DR6_BT      (UINT64_C(1) << 15) /* task switch */
#define DR7_ENABLED UINT64_C(0xff)
#define DR7_GD      (UINT64_C(1) << 13)

#define EFER_SCE (UINT64_C(1) << 0)
#define EFER_LME (UINT64_C(1) << 8)
#define EFER_LMA (UINT64_C(1) << 10)
#define EFER_NXE (UINT64_C(1) << 11)

/* MSR APIC_BASE after reset; zero, which no program can write, where there is no local APIC. AMD64
 * manual volume 2, 16.3.1. */
#define APIC_BASE_BSP     (UINT64_C(1) << 8)
#define APIC_BASE_ENABLED (UINT64_C(1) << 11)
#define APIC_BASE_RESET   (UINT64_C(0xfee00000) | APIC_BASE_BSP | APIC_BASE_ENABLED)

/* Width of physical addresses, as CPUID tells; that of user programs in paged memory fits too. */
#define CPU_PHYS_BITS 46u

/* State after power-on: real mode, CS:IP F000:FFF0. AMD64 manual volume 2, 14.1.3. Keeps nothing.
 */
void cpu_reset(struct blink_cpu *cpu);

/* 64-bit user mode as a Linux process finds it: long mode, CPL 3, flat segments, SSE on. */
void cpu_reset_user64(struct blink_cpu *cpu);

/* Recompute cpu->mode after CR0, CR4, XCR0, EFER, CS, SS or RFLAGS.VM changed; MODE_PAGED is kept.
 */
void cpu_update_mode(struct blink_cpu *cpu);

/* CPUID: EAX EBX ECX EDX of a leaf. Tells what the interpreter implements. */
void cpu_cpuid(const struct blink_cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

/* The guest's time-stamp counter. */
uint64_t cpu_tsc(const struct blink_cpu *cpu);

/* RDMSR, WRMSR: false for #GP. */
bool cpu_read_msr(struct blink_cpu *cpu, uint32_t msr, uint64_t *out);
bool cpu_write_msr(struct blink_cpu *cpu, uint32_t msr, uint64_t value);

/* Random bits for RDRAND and RDSEED: false if the host has none now. */
bool cpu_random(uint64_t *out);

/* A flat or real-mode segment: base, limit and attributes set directly. */
void cpu_set_segment(struct blink_cpu *cpu, uint32_t seg, uint16_t selector, uint64_t base,
                     uint32_t limit, uint16_t attr);

/* Bits 11:8 and so on of a canonical check: bits 63:47 all alike. */
static inline bool cpu_canonical(uint64_t a) {
    return (uint64_t)((int64_t)(a << 16) >> 16) == a;
}

#endif
