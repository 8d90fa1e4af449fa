/*
 * What portable programs ask of their host before they trust it: CPUID leaves, entries of the
 * auxiliary vector, mappings at high fixed addresses in steps of 64 KiB, and forms of system calls
 * that C libraries do not use.
 */
#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define GRANULE 65536ul

#ifndef MAP_FIXED_NOREPLACE
  #define MAP_FIXED_NOREPLACE 0x100000
#endif

static void report(const char *what, int good) {
    printf("%s: %s\n", what, good ? "ok" : "NO");
}

static void probe_cpu(void) {
    static const unsigned leaves[] = {0,   1,          2,          4,          7,
                                      0xd, 0x40000000, 0x80000000, 0x80000001, 0x80000008};
    unsigned a, b, c, d, any = 0;
    for (size_t k = 0; k < sizeof leaves / sizeof leaves[0]; k++) {
        __cpuid_count(leaves[k], 0, a, b, c, d);
        any |= a | b | c | d;
    }
    report("cpuid", any != 0);
    __cpuid(1, a, b, c, d);
    report("sse2, cmov, cx8", (d & 1u << 26) && (d & 1u << 15) && (d & 1u << 8));
}

static void probe_auxv(void) {
    report("AT_PAGESZ", getauxval(AT_PAGESZ) == 4096);
    report("AT_CLKTCK", getauxval(AT_CLKTCK) == 100);
    report("AT_SECURE", getauxval(AT_SECURE) == 0);
    report("AT_RANDOM", getauxval(AT_RANDOM) != 0);
    report("AT_PHENT", getauxval(AT_PHENT) == sizeof(Elf64_Phdr));
    const Elf64_Phdr *p = (const Elf64_Phdr *)getauxval(AT_PHDR);
    unsigned long n = getauxval(AT_PHNUM), entry = getauxval(AT_ENTRY), loads = 0, holds = 0;
    for (unsigned long k = 0; p && k < n; k++)
        if (p[k].p_type == PT_LOAD) {
            loads++;
            holds += entry >= p[k].p_vaddr && entry < p[k].p_vaddr + p[k].p_memsz;
        }
    report("AT_PHDR", loads > 0);
    report("AT_ENTRY", holds == 1);
    const char *name = (const char *)getauxval(AT_EXECFN);
    report("AT_EXECFN", name && access(name, R_OK) == 0);
}

static void *map(uintptr_t at, size_t size, int prot, int flags) {
    return mmap((void *)at, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
}

/* Steps of 64 KiB from `base`: map, fill, punch holes, refill. */
static int granules(uintptr_t base) {
    for (uintptr_t k = 0; k < 16; k++) {
        char *p = map(base + k * GRANULE, GRANULE, PROT_READ | PROT_WRITE, MAP_FIXED_NOREPLACE);
        if (p != (char *)base + k * GRANULE)
            return 0;
        memset(p, (int)k + 1, GRANULE);
    }
    if (map(base, GRANULE, PROT_READ, MAP_FIXED_NOREPLACE) != MAP_FAILED || errno != EEXIST)
        return 0;
    for (uintptr_t k = 1; k < 16; k += 2)
        if (munmap((void *)(base + k * GRANULE), GRANULE))
            return 0;
    for (uintptr_t k = 1; k < 16; k += 4)
        if (map(base + k * GRANULE, GRANULE, PROT_READ | PROT_WRITE, MAP_FIXED) == MAP_FAILED)
            return 0;
    for (uintptr_t k = 0; k < 16; k++) {
        const char *p = (char *)base + k * GRANULE + 4097;
        if (k % 4 != 3 && *p != (k % 2 ? 0 : (char)(k + 1)))
            return 0;
    }
    return munmap((void *)base, 16 * GRANULE) == 0;
}

static void probe_mappings(void) {
    static const uintptr_t bases[] = {0x100080040000, 0x300000000000, 0x6fe000040000, 0x200000,
                                      0x7fff0000};
    char name[64];
    for (size_t k = 0; k < sizeof bases / sizeof bases[0]; k++) {
        snprintf(name, sizeof name, "granules at %#lx", (unsigned long)bases[k]);
        report(name, bases[k] == 0x200000
                         ? map(bases[k], GRANULE, PROT_READ, MAP_FIXED) == (void *)bases[k]
                         : granules(bases[k]));
    }
    /* A hint that is free is followed. */
    void *p = map(0x100080040000, GRANULE, PROT_READ | PROT_WRITE, 0);
    report("hint", p == (void *)0x100080040000);
    munmap(p, GRANULE);
    /* A stack of a thread, as such programs make them. */
    char *stack = map(0x6fe000040000, 4 * GRANULE, PROT_READ | PROT_WRITE,
                      MAP_FIXED | MAP_STACK | MAP_NORESERVE);
    report("stack", stack == (char *)0x6fe000040000 && mprotect(stack, 4096, PROT_NONE) == 0 &&
                        (stack[4 * GRANULE - 1] = 1));
    /* Much room of which little is used. */
    p = map(0x200000000000, 1ul << 36, PROT_NONE, MAP_FIXED | MAP_NORESERVE);
    report("reservation",
           p == (void *)0x200000000000 &&
               mprotect((char *)p + (1ul << 35), GRANULE, PROT_READ | PROT_WRITE) == 0 &&
               munmap(p, 1ul << 36) == 0);
    report("beyond user space", map(0x800000000000, GRANULE, PROT_READ, MAP_FIXED) == MAP_FAILED);
    report("not aligned", map(0x100080040123, 1, PROT_READ, MAP_FIXED) == MAP_FAILED);
    report("no size", map(0x100080040000, 0, PROT_READ, MAP_FIXED) == MAP_FAILED);
}

struct kernel_sigaction {
    void *handler;
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

static long sigact(int signo, const struct kernel_sigaction *act, struct kernel_sigaction *old,
                   size_t size) {
    return syscall(SYS_rt_sigaction, signo, act, old, size);
}

void restore(void);
__asm__("restore:\n\tmov $15, %eax\n\tsyscall\n");

static volatile sig_atomic_t seen;

/* A step over the two bytes of ud2, and a look at what was pushed. */
static void handler(int signo, siginfo_t *info, void *context) {
    ucontext_t *uc = context;
    seen = signo == SIGILL && info->si_signo == SIGILL &&
           (uintptr_t)info->si_addr == (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
    uc->uc_mcontext.gregs[REG_RIP] += 2;
}

static void probe_signals(void) {
    /* With a restorer of its own, every signal blocked meanwhile, and a flag nobody knows. */
    struct kernel_sigaction act = {
        (void *)handler, SA_SIGINFO | 0x04000000 /* SA_RESTORER */ | 0x400, restore, ~UINT64_C(0)};
    struct kernel_sigaction old = {0};
    report("sigaction", sigact(SIGILL, &act, NULL, 8) == 0);
    __asm__ volatile("ud2");
    report("handler", seen == 1);
    report("old action",
           sigact(SIGILL, NULL, &old, 8) == 0 && old.handler == act.handler &&
               old.restorer == restore && !(old.flags & 0x400) &&
               old.mask == ~(UINT64_C(1) << (SIGKILL - 1) | UINT64_C(1) << (SIGSTOP - 1)));
    report("no action", sigact(SIGILL, NULL, NULL, 8) == 0);
    report("size of mask", sigact(SIGILL, &act, NULL, 16) < 0 && errno == EINVAL);
    report("SIGKILL", sigact(SIGKILL, &act, NULL, 8) < 0 && errno == EINVAL);
    report("SIGKILL asked", sigact(SIGKILL, NULL, &old, 8) == 0);
    report("signal 64", sigact(64, &act, NULL, 8) == 0);
    report("signal 65", sigact(65, &act, NULL, 8) < 0 && errno == EINVAL);
    report("signal 0", sigact(0, &act, NULL, 8) < 0 && errno == EINVAL);
    report("bad pointer", sigact(SIGILL, (void *)8, NULL, 8) < 0 && errno == EFAULT);
}

int main(int argc, char **argv) {
    probe_cpu();
    probe_auxv();
    probe_mappings();
    probe_signals();
    for (int k = 1; k < argc; k++)
        printf("[%s]\n", argv[k]);
    return argc;
}
