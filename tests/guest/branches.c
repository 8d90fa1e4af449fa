/*
 * Near branches at the edge, as AMD's processors have them: to addresses that are not canonical,
 * which fault before anything has changed, and with an operand-size prefix, which cuts the target
 * and what is pushed to 16 bits. Each is run until it is translated, with the same outcome.
 */
#include <sys/mman.h>

#define FAULT_FLAGS SA_NODEFER
#include "faults.h"

#define CODE   ((uint8_t *)0x12345000)
#define STACK  ((uint64_t *)0x22348000)
#define TARGET ((uint64_t *)0x22341000)
#define SIZE   0x10000

struct branch {
    const char *name;
    uint8_t bytes[12];
    uint32_t size;
};

static const struct branch branches[] = {
    {"jmp rax", {0xff, 0xe0}, 2},
    {"jmp r11", {0x41, 0xff, 0xe3}, 3},
    {"jmp [rsi]", {0xff, 0x26}, 2},
    {"call rax", {0xff, 0xd0}, 2},
    {"call rcx", {0xff, 0xd1}, 2},
    {"call [rsi]", {0xff, 0x16}, 2},
    {"push rax; ret", {0x50, 0xc3}, 2},
    {"push rax; ret 24", {0x50, 0xc2, 24, 0}, 4},
    {"push rax; ret 65528", {0x50, 0xc2, 0xf8, 0xff}, 4},
    {"66 jmp rax", {0x66, 0xff, 0xe0}, 3},
    {"66 jmp [rsi]", {0x66, 0xff, 0x26}, 3},
    {"66 call rax", {0x66, 0xff, 0xd0}, 3},
    {"66 call [rsi]", {0x66, 0xff, 0x16}, 3},
    {"66 ret", {0x66, 0xc3}, 2},
    {"66 ret 16", {0x66, 0xc2, 16, 0}, 4},
    {"66 rex.w ret", {0x66, 0x48, 0xc3}, 3},
    {"66 jmp rel32", {0x66, 0xe9, 16, 0, 0, 0}, 6},
    {"66 jmp rel8", {0x66, 0xeb, 16}, 3},
    {"66 call rel32", {0x66, 0xe8, 16, 0, 0, 0}, 6},
    {"66 jz rel32", {0x66, 0x0f, 0x84, 16, 0, 0, 0}, 7},
    {"66 jnz rel32", {0x66, 0x0f, 0x85, 16, 0, 0, 0}, 7},
    {"66 jz rel8", {0x66, 0x74, 16}, 3},
    {"66 loop", {0x66, 0xe2, 16}, 3},
    {"66 loopne", {0x66, 0xe0, 16}, 3},
    {"66 jrcxz", {0x66, 0xe3, 16}, 3},
    {"66 rex.w jmp rel32", {0x66, 0x48, 0xe9, 16, 0, 0, 0}, 7},
    {"66 rex.w call rel32", {0x66, 0x48, 0xe8, 16, 0, 0, 0}, 7},
    {"66 rex.w jmp rax", {0x66, 0x48, 0xff, 0xe0}, 4},
};

static const uint64_t targets[] = {
    0x00007fffffffffff, 0x0000800000000000, 0x0000800000000001, 0x1234567812345678,
    0x7fffffffffffffff, 0x8000000000000000, 0x80007fffffffffff, 0xffff7fffffffffff,
    0x8000000000001234, 0x0001000012345678,
};

static uint64_t hash;
static int cases;

static void run(const struct branch *b, uint64_t target) {
    for (int k = -4; k < 16; k++)
        STACK[k] = UINT64_C(0x1111222233330000) + (uint64_t)(k + 8) * 0x111;
    *TARGET = target;
    memcpy(CODE, b->bytes, b->size);
    memset(&caught, 0, sizeof caught);
    if (sigsetjmp(resume_at, 0))
        return;
    __asm__ volatile("mov %0, %%rsp\n mov %%rdx, %%rax\n mov %%rdx, %%rcx\n mov %%rdx, %%r11\n"
                     "xor %%edx, %%edx\n jmp *%2"
                     :
                     : "r"(STACK), "S"(TARGET), "r"(CODE), "d"(target)
                     : "rax", "rcx", "r11", "memory");
}

/* All that the signal says, and what is on the stack. */
static uint64_t outcome(void) {
    uint64_t words[] = {(uint64_t)caught.signo,
                        (uint64_t)caught.code,
                        (uint64_t)(uintptr_t)caught.address,
                        caught.rip,
                        caught.trapno,
                        caught.error,
                        caught.rsp,
                        caught.rax,
                        caught.rcx,
                        caught.r11};
    return guest_hash(guest_hash(GUEST_HASH, words, sizeof words), STACK - 4, 20 * 8);
}

static void repeat(const struct branch *b, uint64_t target) {
    uint64_t first = 0;
    for (int k = 0; k < 4; k++) {
        run(b, target);
        first = k ? first : outcome();
        CHECK(first == outcome());
    }
    hash = guest_hash(hash, &first, sizeof first);
    cases++;
}

int main(int argc, char **argv) {
    int verbose = argc > 1 && argv[1][0] == '-';
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    if (mmap(CODE, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0) != CODE ||
        mmap(STACK - 0x1000, SIZE, PROT_READ | PROT_WRITE, flags, -1, 0) != STACK - 0x1000)
        return 1;
    fault_catch_all();
    for (size_t k = 0; k < sizeof branches / sizeof branches[0]; k++) {
        hash = GUEST_HASH;
        memset(CODE, 0xcc, 4096);
        for (size_t n = 0; n < sizeof targets / sizeof targets[0]; n++) {
            repeat(&branches[k], targets[n]);
            if (verbose)
                printf("  %llx: signal %d rip %lx rsp %lx\n", (unsigned long long)targets[n],
                       caught.signo, caught.rip, caught.rsp);
        }
        printf("%s: %016llx\n", branches[k].name, (unsigned long long)hash);
    }
    printf("%d cases\n", cases);
    return guest_done();
}
