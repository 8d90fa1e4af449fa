/*
 * CPUID: tells exactly what the interpreter implements. Leaves and bits as the AMD64 manual
 * volume 3, appendix E.
 */
#include <string.h>

#include "cpu/cpu.h"

/* Leaf 1 ECX, EDX; leaf 7 EBX, ECX; leaf 80000001h ECX, EDX: bit numbers of what is there. */
#define BIT(n) (UINT32_C(1) << (n))

static const uint32_t leaf1_ecx =
    BIT(0) /* SSE3 */ | BIT(1) /* PCLMULQDQ */ | BIT(9) /* SSSE3 */ | BIT(12) /* FMA */ |
    BIT(13) /* CX16 */ | BIT(19) /* SSE4.1 */ | BIT(20) /* SSE4.2 */ | BIT(22) /* MOVBE */ |
    BIT(23) /* POPCNT */ | BIT(25) /* AES */ | BIT(26) /* XSAVE */ | BIT(28) /* AVX */ |
    BIT(29) /* F16C */ | BIT(30) /* RDRAND */ | BIT(31) /* hypervisor */;
static const uint32_t leaf1_edx =
    BIT(0) /* FPU */ | BIT(1) /* VME */ | BIT(2) /* DE */ | BIT(3) /* PSE */ | BIT(4) /* TSC */ |
    BIT(5) /* MSR */ | BIT(6) /* PAE */ | BIT(8) /* CX8 */ | BIT(9) /* APIC */ | BIT(11) /* SEP */ |
    BIT(13) /* PGE */ | BIT(15) /* CMOV */ | BIT(16) /* PAT */ | BIT(17) /* PSE-36 */ |
    BIT(19) /* CLFSH */ | BIT(23) /* MMX */ | BIT(24) /* FXSR */ | BIT(25) /* SSE */ |
    BIT(26) /* SSE2 */;
static const uint32_t leaf7_ebx = BIT(0) /* FSGSBASE */ | BIT(3) /* BMI1 */ | BIT(5) /* AVX2 */ |
                                  BIT(8) /* BMI2 */ | BIT(18) /* RDSEED */ | BIT(19) /* ADX */ |
                                  BIT(23) /* CLFLUSHOPT */ | BIT(24) /* CLWB */ | BIT(29) /* SHA */;
static const uint32_t leaf7_ecx =
    BIT(9) /* VAES */ | BIT(10) /* VPCLMULQDQ */ | BIT(22) /* RDPID */;
static const uint32_t ext1_ecx = BIT(0) /* LAHF */ | BIT(5) /* LZCNT */ | BIT(8) /* PREFETCHW */;
static const uint32_t ext1_edx = BIT(11) /* SYSCALL */ | BIT(20) /* NX */ |
                                 BIT(26) /* 1 GiB pages */ | BIT(27) /* RDTSCP */ |
                                 BIT(29) /* LM */;

static const char brand[48] = "blink virtual x86-64 processor";

/* C libraries read the features only of processors of a maker they know. */
static void vendor(uint32_t out[4]) {
    memcpy(&out[1], "Genu", 4);
    memcpy(&out[3], "ineI", 4);
    memcpy(&out[2], "ntel", 4);
}

static void hypervisor(uint32_t out[4]) {
    memcpy(&out[1], "Genu", 4);
    memcpy(&out[2], "ineB", 4);
    memcpy(&out[3], "link", 4);
}

/* Leaf 04h: caches of a usual size, by which C libraries choose how to copy. */
static void cache_leaf(uint32_t subleaf, uint32_t out[4]) {
    static const struct {
        uint32_t type, level, ways, sets;
    } caches[] = {
        {1, 1, 8, 64},    /* data, 32 KiB */
        {2, 1, 8, 64},    /* instructions, 32 KiB */
        {3, 2, 16, 1024}, /* unified, 1 MiB */
        {3, 3, 16, 8192}, /* unified, 8 MiB */
    };
    if (subleaf >= sizeof caches / sizeof caches[0])
        return;
    out[0] = caches[subleaf].type | caches[subleaf].level << 5 | BIT(8) /* needs no software */;
    out[1] = (caches[subleaf].ways - 1) << 22 | (64 - 1) /* bytes of a line */;
    out[2] = caches[subleaf].sets - 1;
}

/* Leaf 0Dh: XSAVE state components: x87, SSE and the high halves of AVX, in both formats at 576. */
static void xsave_leaf(const struct blink_cpu *cpu, uint32_t subleaf, uint32_t out[4]) {
    const uint32_t legacy = 512 + 64, halves = 256;
    uint32_t enabled = cpu->xcr0 & 4 ? legacy + halves : legacy;
    switch (subleaf) {
    case 0:
        out[0] = 7;
        out[1] = enabled;
        out[2] = legacy + halves;
        break;
    case 1:
        out[0] = BIT(0) /* XSAVEOPT */ | BIT(1) /* XSAVEC */ | BIT(2) /* XGETBV ECX=1 */;
        out[1] = enabled;
        break;
    case 2:
        out[0] = halves;
        out[1] = legacy;
        break;
    default: break;
    }
}

static void basic_leaf(const struct blink_cpu *cpu, uint32_t leaf, uint32_t subleaf,
                       uint32_t out[4]) {
    switch (leaf) {
    case 0:
        out[0] = 0xd;
        vendor(out);
        break;
    case 1:
        /* Family 6, model 5Eh: programs choose code by the model, too, and this one has nothing
         * that is not offered here, AVX-512 above all. */
        out[0] = 0x000506e3;
        out[1] = cpu->id << 24 | 1u << 16 | 8u << 8;
        out[2] = leaf1_ecx | (cpu->cr4 & CR4_OSXSAVE ? BIT(27) : 0);
        out[3] = leaf1_edx;
        break;
    case 2: out[0] = 0x00feff01; break; /* "see leaf 04h" */
    case 4: cache_leaf(subleaf, out); break;
    case 7:
        if (subleaf == 0) {
            out[1] = leaf7_ebx;
            out[2] = leaf7_ecx;
        }
        break;
    case 0xd: xsave_leaf(cpu, subleaf, out); break;
    default: break;
    }
}

void cpu_cpuid(const struct blink_cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4]) {
    memset(out, 0, 4 * sizeof out[0]);
    if (leaf <= 0xd) {
        basic_leaf(cpu, leaf, subleaf, out);
        return;
    }
    switch (leaf) {
    case 0x40000000:
        out[0] = 0x40000000;
        hypervisor(out);
        break;
    case 0x80000000: out[0] = 0x80000008; break;
    case 0x80000001:
        out[2] = ext1_ecx;
        out[3] = ext1_edx;
        break;
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: memcpy(out, brand + (leaf - 0x80000002) * 16, 16); break;
    case 0x80000008: out[0] = 48u << 8 | CPU_PHYS_BITS; break;
    default: break;
    }
}
