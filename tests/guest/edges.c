/*
 * Where instructions end, and what is none: every opcode of every map, with prefixes, cut off at
 * the end of a page with nothing, nothing readable or nothing executable behind; locked; and made
 * 15 and 16 bytes long. For each what Linux says of it: signal, code, address, RIP. One line of
 * hash an opcode; with arguments MAP OPCODE (hexadecimal) every outcome of that one.
 */
#include <stdlib.h>
#include <sys/mman.h>

#define FAULT_FLAGS SA_NODEFER
#include "faults.h"

#define PAGE  4096
#define CODE  ((uint8_t *)0x10000000)
#define END   (CODE + PAGE) /* of what can be run */
#define DATA  ((uint8_t *)0x20000000)
#define VEX   4 /* added to the map */
#define LIMIT 15

struct encoding {
    uint8_t bytes[24];
    uint32_t size; /* more than any instruction with this beginning has */
};

static uint64_t hash;
static uint32_t cases;
static int verbose;

/* ---- running ---- */

/* All general registers point into DATA, which is zero but for an MXCSR. */
static void enter(const uint8_t *at) {
    memset(DATA, 0, 0x300);
    memset(DATA + 0x780, 0, 0x100);
    memcpy(DATA + 0x100, "\x80\x1f", 2);
    memcpy(DATA + 0x100 + 24, "\x80\x1f", 2);
    memset(&caught, 0, sizeof caught);
    if (sigsetjmp(resume_at, 0))
        return;
    __asm__ volatile("mov %0, %%rsp\n mov %%rsp, %%rbp\n mov %1, %%rbx\n mov %%rbx, %%rsi\n"
                     "mov %%rbx, %%rdi\n mov %%rbx, %%rdx\n mov %%rbx, %%r8\n mov %%rbx, %%r9\n"
                     "mov %%rbx, %%r10\n mov %%rbx, %%r11\n mov %%rbx, %%r12\n mov %%rbx, %%r13\n"
                     "mov %%rbx, %%r14\n mov %%rbx, %%r15\n mov $1, %%ecx\n"
                     "mov $0x12345678, %%eax\n cld\n fninit\n vzeroall\n jmp *%2"
                     :
                     : "i"(0x20000800), "i"(0x20000100), "m"(*(uint64_t *)(DATA + 0xff8)), "r"(at)
                     : "memory");
}

/* An address as it is seen from the instruction, or from what it was given. */
static long seen_from(const uint8_t *start, unsigned long address) {
    unsigned long code = address - (unsigned long)(uintptr_t)start;
    return code < 64 || -code < 64 ? (long)code : (long)(address & 0xffffffffffff);
}

static void note(const char *what, const uint8_t *start, uint32_t n) {
    long outcome[6] = {caught.signo,
                       caught.code,
                       seen_from(start, (unsigned long)(uintptr_t)caught.address),
                       seen_from(start, caught.rip),
                       (long)caught.trapno,
                       (long)caught.error};
    cases++;
    hash = guest_hash(hash, outcome, sizeof outcome);
    if (!verbose)
        return;
    printf("%-9s", what);
    for (uint32_t k = 0; k < n; k++)
        printf(" %02x", start[k]);
    printf(": signal %ld code %ld address %lx rip %lx trap %ld error %lx\n", outcome[0], outcome[1],
           outcome[2], outcome[3], outcome[4], outcome[5]);
}

/* The bytes, with the end of the page behind them. */
static void run_at_end(const char *what, const uint8_t *bytes, uint32_t n) {
    uint8_t *start = END - n, *to = start;
    memcpy(start, bytes, n);
    memcpy(DATA + 0xff8, &to, sizeof to);
    enter(start);
    note(what, start, n);
}

static void set_behind(int how) {
    munmap(END, PAGE);
    if (how >= 0 && mmap(END, PAGE, how, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != END)
        abort();
}

/* Bytes more and more of it, until it is whole. Its length; 0: it is no instruction. */
static uint32_t cut(const struct encoding *e, uint32_t from) {
    for (uint32_t n = from; n <= e->size && n <= LIMIT; n++) {
        run_at_end("cut", e->bytes, n);
        int wants_more =
            caught.signo == SIGSEGV && caught.address == END && caught.rip != (uintptr_t)END;
        if (!wants_more)
            return caught.signo == SIGILL ? 0 : n;
    }
    return 0;
}

static void behind(const struct encoding *e, uint32_t n) {
    static const int ways[] = {PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE};
    for (size_t k = 0; k < 3; k++) {
        set_behind(ways[k]);
        run_at_end("behind", e->bytes, n - 1);
    }
    set_behind(-1);
}

/* With prefixes that mean nothing in front. */
static void stretch(const struct encoding *e, uint32_t n) {
    uint8_t bytes[32];
    for (uint32_t total = LIMIT; total <= LIMIT + 1; total++) {
        memset(bytes, 0x3e, total - n);
        memcpy(bytes + total - n, e->bytes, n);
        run_at_end("stretched", bytes, total);
    }
}

/* ---- what is tried ---- */

/* Not to be run: they call the kernel or a hypervisor, or take segments away. */
static int is_harmful(uint32_t map, uint32_t op, uint32_t modrm, uint32_t prefix) {
    uint32_t reg = modrm >> 3 & 7;
    if (map == 0)
        return op == 0x8e || op == 0xcd || op == 0xcc || op == 0xf1 || op == 0xca || op == 0xcb ||
               op == 0xcf || (op == 0xff && (reg == 3 || reg == 5));
    if (map == 1)
        return op == 0x05 || op == 0x34 || op == 0xb2 || op == 0xb4 || op == 0xb5 || op == 0xa1 ||
               op == 0xa9 || (op == 0x01 && modrm >= 0xc0) ||
               (op == 0xae && prefix == 0xf3 && modrm >= 0xc0 && (reg == 2 || reg == 3));
    return 0;
}

/* What blink's processor does not have and the host's may: SSE4a, GFNI, INVPCID, opmasks
 * and so on; and
 * what manuals have differently from processors. */
static int is_foreign(uint32_t map, uint32_t op) {
    static const struct {
        uint8_t map, first, last;
    } rows[] = {
        {1, 0x00, 0x01},       {1, 0x0e, 0x0f},       {1, 0x20, 0x23},       {1, 0x2b, 0x2b},
        {1, 0x78, 0x79},       {1, 0xc7, 0xc7},       {2, 0x82, 0x82},       {2, 0xcf, 0xcf},
        {3, 0xce, 0xcf},       {VEX + 1, 0x41, 0x4b}, {VEX + 1, 0x78, 0x79}, {VEX + 1, 0x90, 0x99},
        {VEX + 2, 0x50, 0x53}, {VEX + 2, 0xb0, 0xb5}, {VEX + 2, 0xcf, 0xcf}, {VEX + 3, 0x00, 0x01},
        {VEX + 3, 0x30, 0x33}, {VEX + 3, 0xce, 0xcf},
    };
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++)
        if (rows[k].map == map && op >= rows[k].first && op <= rows[k].last)
            return 1;
    return 0;
}

/* Opcodes whose ModRM byte chooses among several instructions. */
static int is_group(uint32_t map, uint32_t op) {
    switch (map) {
    case 0:
        return (op >= 0x80 && op <= 0x83) || (op >= 0xd8 && op <= 0xdf) || op == 0x8f ||
               (op & 0xfe) == 0xc0 || (op & 0xfe) == 0xc6 || (op & 0xfc) == 0xd0 ||
               (op & 0xf6) == 0xf6;
    case 1:
        return op == 0x0d || (op >= 0x18 && op <= 0x1f) || (op >= 0x71 && op <= 0x73) ||
               op == 0xae || op == 0xba;
    case VEX + 1: return (op >= 0x71 && op <= 0x73) || op == 0xae;
    case VEX + 2: return op == 0xf3;
    default: return 0;
    }
}

static void try_one(const struct encoding *e, uint32_t head, int whole) {
    uint32_t n = cut(e, head);
    if (n == 0 || !whole)
        return;
    if (n > 1)
        behind(e, n);
    stretch(e, n);
}

/* Each opcode with a memory operand of 32-bit displacement and a register one. */
static void try_modrm(struct encoding *e, uint32_t map, uint32_t op, uint32_t prefix, int whole) {
    uint32_t at = e->size, groups = is_group(map, op) ? 8 : 1;
    int vsib = map == VEX + 2 && op >= 0x90 && op <= 0x93;
    for (uint32_t k = 0; k < 2 * groups; k++) {
        uint32_t reg = groups == 8 ? k >> 1 : 2, modrm = (k & 1 ? 0xc3 : 0x83) | reg << 3;
        if (is_harmful(map, op, modrm, prefix))
            continue;
        e->size = at;
        if (vsib && !(k & 1)) {
            e->bytes[e->size++] = (uint8_t)((modrm & ~7u) | 4);
            e->bytes[e->size++] = 0x33;
        } else
            e->bytes[e->size++] = (uint8_t)modrm;
        memset(e->bytes + e->size, 0, 12);
        e->size += 12;
        try_one(e, 1, whole);
    }
}

static int is_prefix(uint32_t op) {
    return op == 0x0f || (op & 0xf0) == 0x40 || op == 0x26 || op == 0x2e || op == 0x36 ||
           op == 0x3e || (op >= 0x62 && op <= 0x67) || op == 0x8f || op == 0xc4 || op == 0xc5 ||
           (op >= 0xf0 && op <= 0xf3);
}

static void legacy(uint32_t map, uint32_t op) {
    static const uint8_t prefixes[] = {0, 0x66, 0xf3, 0xf2, 0x48, 0xf0, 0x67};
    static const uint8_t escapes[4][2] = {{0}, {0x0f}, {0x0f, 0x38}, {0x0f, 0x3a}};
    if ((map == 0 && is_prefix(op)) || (map == 1 && (op == 0x38 || op == 0x3a)))
        return;
    for (size_t p = 0; p < sizeof prefixes; p++) {
        struct encoding e = {.size = 0};
        if (prefixes[p])
            e.bytes[e.size++] = prefixes[p];
        for (uint32_t k = 0; k < 2 && escapes[map][k]; k++)
            e.bytes[e.size++] = escapes[map][k];
        e.bytes[e.size++] = (uint8_t)op;
        try_modrm(&e, map, op, prefixes[p], p == 0);
    }
}

static void vex(uint32_t map, uint32_t op) {
    for (uint32_t k = 0; k < 16; k++) {
        uint32_t pp = k & 3, vlen = k >> 2 & 1, wide = k >> 3;
        struct encoding e = {.bytes = {0xc4, (uint8_t)(0xe0 | map),
                                       (uint8_t)(wide << 7 | 15 << 3 | vlen << 2 | pp),
                                       (uint8_t)op},
                             .size = 4};
        try_modrm(&e, map + VEX, op, 0, pp == 1);
    }
}

static void opcode(uint32_t map, uint32_t op) {
    hash = GUEST_HASH;
    cases = 0;
    if (is_foreign(map, op))
        return;
    if (map < VEX)
        legacy(map, op);
    else
        vex(map - VEX, op);
    if (cases)
        printf("map %u opcode %02x: %u cases, %016llx\n", map, op, cases, (unsigned long long)hash);
}

int main(int argc, char **argv) {
    static const uint32_t maps[] = {0, 1, 2, 3, VEX + 1, VEX + 2, VEX + 3};
    const int all = PROT_READ | PROT_WRITE | PROT_EXEC;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    if (mmap(CODE, PAGE, all, flags, -1, 0) != CODE ||
        mmap(DATA, PAGE, PROT_READ | PROT_WRITE, flags, -1, 0) != DATA)
        return 3;
    set_behind(-1);
    fault_catch_all();
    if (argc == 3) {
        verbose = 1;
        opcode((uint32_t)strtoul(argv[1], NULL, 16), (uint32_t)strtoul(argv[2], NULL, 16));
        return 0;
    }
    for (size_t k = 0; k < sizeof maps / sizeof maps[0]; k++)
        for (uint32_t op = 0; op < 256; op++)
            opcode(maps[k], op);
    return guest_done();
}
