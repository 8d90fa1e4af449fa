/*
 * Which encodings exist, and how long they are: asked of the host's processor over the opcode maps
 * and compared with the decoder. A child process runs one instruction after the other, followed by
 * INT3s; #UD says there is no such instruction, the INT3 that stops it says where it ended.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* after those */
#include <cmocka.h>

#if defined(__x86_64__)
  #include <cpuid.h>
  #include <signal.h>
  #include <stdio.h>
  #include <string.h>
  #include <sys/mman.h>
  #include <sys/wait.h>
  #include <ucontext.h>
  #include <unistd.h>

  #include "fakehost.h"
  #include "render.h"

  #define CODE ((uint8_t *)0x10000000)
  #define DATA ((uint8_t *)0x20000000)

/* What the last instruction came to. */
static sigjmp_buf back;
static volatile int last_signal;
static volatile uint64_t last_rip, last_trap;

static struct decoder decoder;
static uint32_t cases, differences;

static void on_signal(int signo, siginfo_t *info, void *context) {
    const ucontext_t *u = context;
    (void)info;
    last_signal = signo;
    last_rip = (uint64_t)u->uc_mcontext.gregs[REG_RIP];
    last_trap = (uint64_t)u->uc_mcontext.gregs[REG_TRAPNO];
    siglongjmp(back, 1);
}

/* All general registers point into DATA; RAX is no system call. */
static void run_host(void) {
    if (sigsetjmp(back, 0))
        return;
    __asm__ volatile("mov %0, %%rsp\n mov %%rsp, %%rbp\n mov %1, %%rbx\n mov %%rbx, %%rsi\n"
                     "mov %%rbx, %%rdi\n mov %%rbx, %%rdx\n mov %%rbx, %%r8\n mov %%rbx, %%r9\n"
                     "mov %%rbx, %%r10\n mov %%rbx, %%r11\n mov %%rbx, %%r12\n mov %%rbx, %%r13\n"
                     "mov %%rbx, %%r14\n mov %%rbx, %%r15\n mov $1, %%ecx\n"
                     "movabs $0x1234567812345678, %%rax\n fninit\n vzeroall\n jmp *%2"
                     :
                     : "i"(0x20000800), "i"(0x20000100), "m"(*(uint64_t *)(DATA + 0xff8))
                     : "memory");
}

/* What must not be run here: it would take the thread pointer or a segment away, or loop. */
static bool is_harmful(const struct blink_insn *i) {
    switch (i->op) {
    case BLINK_OP_WRFSBASE:
    case BLINK_OP_WRGSBASE:
    case BLINK_OP_LFS:
    case BLINK_OP_LGS:
    case BLINK_OP_LSS:
    case BLINK_OP_SYSCALL:
    case BLINK_OP_SYSENTER:
    case BLINK_OP_INT:
    case BLINK_OP_INT3: return true;
    case BLINK_OP_MOV_SEG:
    case BLINK_OP_POP: return i->opnd[0].kind == BLINK_OPND_SEG;
    default: return i->opnd[0].kind == BLINK_OPND_REL;
    }
}

/* Decoded, but #UD when a user program runs it. */
static bool is_undefined_for_users(const struct blink_insn *i) {
    switch (i->op) {
    case BLINK_OP_UD:
    case BLINK_OP_MONITOR:
    case BLINK_OP_MWAIT:
    case BLINK_OP_CLAC:
    case BLINK_OP_STAC:
    case BLINK_OP_RSM:
    case BLINK_OP_MOV_CR: return true;
    default: return false;
    }
}

/* Extensions of the processor that blink does not have: prefix (0 any, 1 VEX), map, first and last
 * opcode. */
static bool is_foreign(const uint8_t *bytes, size_t n) {
    static const struct {
        uint8_t vex, map, first, last;
    } rows[] = {
        {0, 1, 0x01, 0x01}, /* SVM, SNP, CLZERO, RDPRU, MONITORX */
        {0, 1, 0x00, 0x00}, /* LOCK VERW is no error */
        {0, 1, 0x20, 0x23}, /* LOCK MOV CR0 is CR8 */
        {0, 1, 0x2b, 0x2b}, /* SSE4A */
        {0, 1, 0x78, 0x79}, /* SSE4A */
        {0, 1, 0xc7, 0xc7}, /* XSAVES, XRSTORS */
        {0, 2, 0xcf, 0xcf}, /* GFNI */
        {0, 3, 0xce, 0xcf}, /* GFNI */
        {1, 1, 0x41, 0x4b}, /* opmasks */
        {1, 1, 0x90, 0x99}, /* opmasks */
        {1, 2, 0x50, 0x53}, /* AVX-VNNI */
        {1, 2, 0xb0, 0xb5}, /* AVX-NE-CONVERT, AVX-IFMA */
        {1, 2, 0xcf, 0xcf}, /* GFNI */
        {1, 3, 0x00, 0x01}, /* VPERMQ with VEX.W clear: not in the manual */
        {1, 3, 0x30, 0x33}, /* opmasks */
        {1, 3, 0xce, 0xcf}, /* GFNI */
    };
    size_t at = 0;
    uint8_t vex = bytes[0] == 0xc4, map = 1, opcode;
    while (at < n && bytes[at] != 0x0f && !vex)
        at++;
    if (vex) {
        map = bytes[1] & 31;
        opcode = bytes[3];
    } else {
        opcode = bytes[at + 1];
        if (opcode == 0x38 || opcode == 0x3a) {
            map = opcode == 0x38 ? 2 : 3;
            opcode = bytes[at + 2];
        }
    }
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++)
        if (rows[k].vex == vex && rows[k].map == map && opcode >= rows[k].first &&
            opcode <= rows[k].last)
            return true;
    return false;
}

static void compare(const uint8_t *bytes, size_t n) {
    struct blink_insn i;
    memset(CODE, 0xcc, 32);
    memcpy(CODE, bytes, n);
    decoder_one(&decoder, BLINK_MODE_BITS64, CODE, 32, (uint64_t)(uintptr_t)CODE, &i);
    bool known = i.op != BLINK_OP_INVALID;
    /* What follows a shorter instruction must not run. */
    if (known && i.len < n)
        memset(CODE + i.len, 0xcc, n - i.len);
    if (known && is_harmful(&i))
        return;
    memset(DATA, 0, 0x900);
    memcpy(DATA + 0x100, "\x80\x1f", 2); /* an MXCSR without unmasked exceptions */
    cases++;
    last_signal = 0;
    run_host();
    bool exists = last_signal != SIGILL;
    uint64_t len = last_rip - 1 - (uint64_t)(uintptr_t)CODE;
    bool stopped = last_signal == SIGTRAP && last_trap == 3 && len < 20;
    if (known == exists && (!known || !stopped || len == i.len))
        return;
    if (known && !exists && is_undefined_for_users(&i))
        return;
    if (!known && exists && is_foreign(bytes, n))
        return;
    if (differences++ > 40)
        return;
    for (size_t k = 0; k < n; k++)
        fprintf(stderr, "%02x ", bytes[k]);
    fprintf(stderr, ": the host %s (signal %d, %d bytes), the decoder has op %u of %u bytes\n",
            exists ? "knows it" : "does not", last_signal, stopped ? (int)len : -1, i.op, i.len);
}

/* ModRM bytes that tell forms apart: memory and registers with each reg; all of the register ones
 * where each is an instruction. */
static bool wanted_modrm(uint32_t modrm, bool all) {
    if (modrm < 0x40)
        return (modrm & 7) == 3;
    return modrm >= 0xc0 && (all || (modrm & 7) == 2);
}

static void compare_legacy(uint32_t map) {
    static const uint8_t prefixes[][3] = {{0},          {0x66},       {0xf3},       {0xf2},
                                          {0x48},       {0x66, 0xf2}, {0xf0},       {0x66, 0xf3},
                                          {0x66, 0x48}, {0xf3, 0x48}, {0xf2, 0x48}, {0xf2, 0xf3},
                                          {0xf3, 0xf2}, {0x64},       {0x67}};
    static const uint8_t escapes[4][2] = {{0}, {0x0f}, {0x0f, 0x38}, {0x0f, 0x3a}};
    for (size_t p = 0; p < sizeof prefixes / sizeof prefixes[0]; p++)
        for (uint32_t op = 0; op < 256; op++) {
            /* Escapes and prefixes are no opcodes here. */
            if (map == 0 && (op == 0x0f || (op & 0xf0) == 0x40 || op == 0x26 || op == 0x2e ||
                             op == 0x36 || op == 0x3e || (op >= 0x62 && op <= 0x67) || op == 0x8f ||
                             op == 0xc4 || op == 0xc5 || (op >= 0xf0 && op <= 0xf3)))
                continue;
            if (map == 1 && (op == 0x38 || op == 0x3a))
                continue;
            bool all = (map == 0 && op >= 0xd8 && op <= 0xdf) || (map == 1 && op == 0x01);
            for (uint32_t modrm = 0; modrm < 256; modrm++) {
                uint8_t bytes[8];
                size_t n = 0;
                if (!wanted_modrm(modrm, all))
                    continue;
                for (uint32_t k = 0; k < 3 && prefixes[p][k]; k++)
                    bytes[n++] = prefixes[p][k];
                for (uint32_t k = 0; k < 2 && escapes[map][k]; k++)
                    bytes[n++] = escapes[map][k];
                bytes[n++] = (uint8_t)op;
                bytes[n++] = (uint8_t)modrm;
                compare(bytes, n);
            }
        }
}

static void compare_vex(void) {
    for (uint32_t k = 0; k < 3 * 256 * 4 * 2 * 2 * 2; k++) {
        uint32_t map = k % 3 + 1, op = k / 3 % 256, pp = k / 768 % 4;
        uint32_t wide = k / 3072 % 2, vlen = k / 6144 % 2, vvvv = k / 12288 ? 12 : 15;
        for (uint32_t modrm = 0; modrm < 256; modrm++) {
            bool vsib = map == 2 && op >= 0x90 && op <= 0x93 && modrm < 0x40;
            uint8_t bytes[6] = {0xc4,
                                (uint8_t)(0xe0 | map),
                                (uint8_t)(wide << 7 | vvvv << 3 | vlen << 2 | pp),
                                (uint8_t)op,
                                (uint8_t)(vsib ? modrm - 3 + 4 : modrm),
                                0x33};
            if (wanted_modrm(modrm, false))
                compare(bytes, vsib ? 6 : 5);
        }
    }
}

static void child(void) {
    static uint8_t stack[65536];
    static const int signals[] = {SIGILL, SIGSEGV, SIGTRAP, SIGBUS, SIGFPE};
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction action = {.sa_sigaction = on_signal,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    sigaltstack(&alternate, NULL);
    for (size_t k = 0; k < sizeof signals / sizeof signals[0]; k++)
        sigaction(signals[k], &action, NULL);
    if (mmap(CODE, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0) != CODE ||
        mmap(DATA, 4096, PROT_READ | PROT_WRITE, flags, -1, 0) != DATA)
        _exit(3);
    *(uint64_t *)(DATA + 0xff8) = (uint64_t)(uintptr_t)CODE;
    alarm(250);
    for (uint32_t map = 0; map < 4; map++)
        compare_legacy(map);
    compare_vex();
    fprintf(stderr, "%u encodings, %u differences\n", cases, differences);
    _exit(differences ? 1 : 0);
}

/* The processor must have everything blink has, and follow the same manual. */
static const char *lacks(void) {
    uint32_t a, b, c, d;
    __cpuid(0, a, b, c, d);
    if (b != 0x68747541)
        return "the host is not AMD's, whose manual the decoder follows";
    if (a < 0xd)
        return "the host is too old";
    __cpuid_count(7, 0, a, b, c, d);
    const uint32_t want_b =
        1u | 1u << 3 | 1u << 5 | 1u << 8 | 1u << 18 | 1u << 19 | 1u << 23 | 1u << 24 | 1u << 29;
    const uint32_t want_c = 1u << 9 | 1u << 10 | 1u << 22;
    return (b & want_b) == want_b && (c & want_c) == want_c ? NULL
                                                            : "the host lacks what blink has";
}

static void test_maps(void **state) {
    (void)state;
    const char *why = lacks();
    if (why) {
        print_message("skipped: %s\n", why);
        skip();
    }
    decoder_open(&decoder);
    fakehost_log_level(decoder.host, -1);
    pid_t pid = fork();
    if (pid == 0)
        child();
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    decoder_close(&decoder);
}
#else
static void test_maps(void **state) {
    (void)state;
    skip(); /* the host is no x86-64 */
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_maps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
