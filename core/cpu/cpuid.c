/*
 * CPUID: tells what the interpreter implements, or what --cpu leaves of it. Leaves and bits as the
 * AMD64 manual volume 3, appendix E.
 */
#include <string.h>

#include "cpu/cpu.h"
#include "cpu/model.h"

#define BIT(n) (UINT32_C(1) << (n))

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
    bool avx = cpu_model_has_avx(cpu->model);
    if (!(cpu_model_word(cpu->model, CPU_LEAF1_ECX) & BIT(26)))
        return;
    switch (subleaf) {
    case 0:
        out[0] = avx ? 7 : 3;
        out[1] = enabled;
        out[2] = avx ? legacy + halves : legacy;
        break;
    case 1:
        out[0] = BIT(0) /* XSAVEOPT */ | BIT(1) /* XSAVEC */ | BIT(2) /* XGETBV ECX=1 */;
        out[1] = enabled;
        break;
    case 2:
        out[0] = avx ? halves : 0;
        out[1] = avx ? legacy : 0;
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
        out[2] = cpu_model_word(cpu->model, CPU_LEAF1_ECX) |
                 ((cpu->cr4 & CR4_OSXSAVE) && (cpu_model_word(cpu->model, CPU_LEAF1_ECX) & BIT(26))
                      ? BIT(27)
                      : 0);
        out[3] = cpu_model_word(cpu->model, CPU_LEAF1_EDX);
        if (!(cpu->apic_base & APIC_BASE_ENABLED))
            out[3] &= ~BIT(9);
        break;
    case 2: out[0] = 0x00feff01; break; /* "see leaf 04h" */
    case 4: cache_leaf(subleaf, out); break;
    case 7:
        if (subleaf == 0) {
            out[1] = cpu_model_word(cpu->model, CPU_LEAF7_EBX);
            out[2] = cpu_model_word(cpu->model, CPU_LEAF7_ECX);
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
        out[2] = cpu_model_word(cpu->model, CPU_EXT1_ECX);
        out[3] = cpu_model_word(cpu->model, CPU_EXT1_EDX);
        break;
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: memcpy(out, brand + (leaf - 0x80000002) * 16, 16); break;
    case 0x80000008: out[0] = 48u << 8 | CPU_PHYS_BITS; break;
    default: break;
    }
}
