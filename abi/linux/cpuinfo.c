/*
 * /proc/cpuinfo: the guest's processor as CPUID tells of it, in the words of Linux. On the vCPU's
 * thread.
 */
#include <string.h>
#include <unistd.h>

#include "procfs.h"

enum { EAX, EBX, ECX, EDX };

#define BASIC    1u
#define FEATURES 7u
#define XSTATE   13u
#define EXTENDED 0x80000001u

/* arch/x86/include/asm/cpufeatures.h, in the order in which Linux prints them. */
static const struct {
    uint32_t leaf;
    uint8_t subleaf, reg, bit;
    const char *name;
} flags[] = {
    {BASIC, 0, EDX, 0, "fpu"},
    {BASIC, 0, EDX, 1, "vme"},
    {BASIC, 0, EDX, 2, "de"},
    {BASIC, 0, EDX, 3, "pse"},
    {BASIC, 0, EDX, 4, "tsc"},
    {BASIC, 0, EDX, 5, "msr"},
    {BASIC, 0, EDX, 6, "pae"},
    {BASIC, 0, EDX, 7, "mce"},
    {BASIC, 0, EDX, 8, "cx8"},
    {BASIC, 0, EDX, 9, "apic"},
    {BASIC, 0, EDX, 11, "sep"},
    {BASIC, 0, EDX, 12, "mtrr"},
    {BASIC, 0, EDX, 13, "pge"},
    {BASIC, 0, EDX, 14, "mca"},
    {BASIC, 0, EDX, 15, "cmov"},
    {BASIC, 0, EDX, 16, "pat"},
    {BASIC, 0, EDX, 17, "pse36"},
    {BASIC, 0, EDX, 19, "clflush"},
    {BASIC, 0, EDX, 23, "mmx"},
    {BASIC, 0, EDX, 24, "fxsr"},
    {BASIC, 0, EDX, 25, "sse"},
    {BASIC, 0, EDX, 26, "sse2"},
    {BASIC, 0, EDX, 27, "ss"},
    {BASIC, 0, EDX, 28, "ht"},
    {EXTENDED, 0, EDX, 11, "syscall"},
    {EXTENDED, 0, EDX, 20, "nx"},
    {EXTENDED, 0, EDX, 22, "mmxext"},
    {EXTENDED, 0, EDX, 25, "fxsr_opt"},
    {EXTENDED, 0, EDX, 26, "pdpe1gb"},
    {EXTENDED, 0, EDX, 27, "rdtscp"},
    {EXTENDED, 0, EDX, 29, "lm"},
    {BASIC, 0, ECX, 0, "pni"},
    {BASIC, 0, ECX, 1, "pclmulqdq"},
    {BASIC, 0, ECX, 9, "ssse3"},
    {BASIC, 0, ECX, 12, "fma"},
    {BASIC, 0, ECX, 13, "cx16"},
    {BASIC, 0, ECX, 17, "pcid"},
    {BASIC, 0, ECX, 19, "sse4_1"},
    {BASIC, 0, ECX, 20, "sse4_2"},
    {BASIC, 0, ECX, 21, "x2apic"},
    {BASIC, 0, ECX, 22, "movbe"},
    {BASIC, 0, ECX, 23, "popcnt"},
    {BASIC, 0, ECX, 25, "aes"},
    {BASIC, 0, ECX, 26, "xsave"},
    {BASIC, 0, ECX, 28, "avx"},
    {BASIC, 0, ECX, 29, "f16c"},
    {BASIC, 0, ECX, 30, "rdrand"},
    {BASIC, 0, ECX, 31, "hypervisor"},
    {EXTENDED, 0, ECX, 0, "lahf_lm"},
    {EXTENDED, 0, ECX, 5, "abm"},
    {EXTENDED, 0, ECX, 6, "sse4a"},
    {EXTENDED, 0, ECX, 7, "misalignsse"},
    {EXTENDED, 0, ECX, 8, "3dnowprefetch"},
    {FEATURES, 0, EBX, 0, "fsgsbase"},
    {FEATURES, 0, EBX, 3, "bmi1"},
    {FEATURES, 0, EBX, 5, "avx2"},
    {FEATURES, 0, EBX, 7, "smep"},
    {FEATURES, 0, EBX, 8, "bmi2"},
    {FEATURES, 0, EBX, 9, "erms"},
    {FEATURES, 0, EBX, 10, "invpcid"},
    {FEATURES, 0, EBX, 16, "avx512f"},
    {FEATURES, 0, EBX, 18, "rdseed"},
    {FEATURES, 0, EBX, 19, "adx"},
    {FEATURES, 0, EBX, 20, "smap"},
    {FEATURES, 0, EBX, 23, "clflushopt"},
    {FEATURES, 0, EBX, 24, "clwb"},
    {FEATURES, 0, EBX, 29, "sha_ni"},
    {XSTATE, 1, EAX, 0, "xsaveopt"},
    {XSTATE, 1, EAX, 1, "xsavec"},
    {XSTATE, 1, EAX, 2, "xgetbv1"},
    {FEATURES, 0, ECX, 2, "umip"},
    {FEATURES, 0, ECX, 8, "gfni"},
    {FEATURES, 0, ECX, 9, "vaes"},
    {FEATURES, 0, ECX, 10, "vpclmulqdq"},
    {FEATURES, 0, ECX, 22, "rdpid"},
    {FEATURES, 0, EDX, 4, "fsrm"},
};
#define FLAGS (sizeof flags / sizeof flags[0])

static void ask(struct lx_call *c, uint32_t leaf, uint32_t subleaf, uint32_t out[4]) {
    c->abi->exec.cpuid(c->cpu, leaf, subleaf, out);
}

static void write_flags(struct lx_call *c, FILE *f) {
    uint32_t out[4] = {0}, leaf = 0, subleaf = 0, basic[4], extended[4];
    ask(c, 0, 0, basic);
    ask(c, 0x80000000u, 0, extended);
    fputs("flags\t\t:", f);
    for (size_t k = 0; k < FLAGS; k++) {
        uint32_t want = flags[k].leaf;
        if (want > (want & 0x80000000u ? extended : basic)[EAX])
            continue;
        if (want != leaf || flags[k].subleaf != subleaf)
            ask(c, leaf = want, subleaf = flags[k].subleaf, out);
        if ((out[flags[k].reg] >> flags[k].bit) & 1)
            fprintf(f, " %s", flags[k].name);
    }
    fputc('\n', f);
}

/* The brand string, or what Linux says without one. */
static void brand(struct lx_call *c, char out[49]) {
    uint32_t highest[4];
    ask(c, 0x80000000u, 0, highest);
    strcpy(out, "unknown");
    if (highest[EAX] < 0x80000004u)
        return;
    for (uint32_t k = 0; k < 3; k++)
        ask(c, 0x80000002u + k, 0, (uint32_t *)(void *)(out + 16 * k));
    out[48] = 0;
    size_t blanks = strspn(out, " ");
    memmove(out, out + blanks, strlen(out + blanks) + 1);
}

/* The host's clock, if it says one. */
static double megahertz(void) {
    char line[512];
    double mhz = 0;
    FILE *f = fopen("/proc/cpuinfo", "re");
    while (f && mhz == 0 && fgets(line, sizeof line, f))
        if (!strncmp(line, "cpu MHz", 7) && strchr(line, ':'))
            sscanf(strchr(line, ':') + 1, "%lf", &mhz);
    if (f)
        fclose(f);
    return mhz > 0 ? mhz : 1000;
}

static void write_one(struct lx_call *c, FILE *f, long number, long count, double mhz) {
    uint32_t id[4], basic[4];
    char vendor[13], name[49];
    ask(c, 0, 0, id);
    ask(c, 1, 0, basic);
    brand(c, name);
    memcpy(vendor, &id[EBX], 4);
    memcpy(vendor + 4, &id[EDX], 4);
    memcpy(vendor + 8, &id[ECX], 4);
    vendor[12] = 0;
    uint32_t eax = basic[EAX], family = (eax >> 8) & 15, model = (eax >> 4) & 15;
    if (family == 6 || family == 15)
        model |= (eax >> 12) & 0xf0;
    if (family == 15)
        family += (eax >> 20) & 0xff;
    fprintf(f,
            "processor\t: %ld\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\n"
            "model name\t: %s\nstepping\t: %u\ncpu MHz\t\t: %.3f\nphysical id\t: 0\n"
            "siblings\t: %ld\ncore id\t\t: %ld\ncpu cores\t: %ld\napicid\t\t: %ld\n"
            "initial apicid\t: %ld\nfpu\t\t: yes\nfpu_exception\t: yes\ncpuid level\t: %u\n"
            "wp\t\t: yes\n",
            number, vendor, family, model, name, eax & 15, mhz, count, number, count, number,
            number, id[EAX]);
    write_flags(c, f);
    fprintf(f,
            "bugs\t\t:\nbogomips\t: %.2f\nclflush size\t: 64\ncache_alignment\t: 64\n"
            "address sizes\t: 48 bits physical, 48 bits virtual\npower management:\n\n",
            mhz * 2);
}

int lx_write_cpuinfo(struct lx_call *c, FILE *f) {
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    double mhz = megahertz();
    if (!c->abi->exec.cpuid)
        return -ENOENT;
    for (long k = 0; k < count; k++)
        write_one(c, f, k, count, mhz);
    return 0;
}
