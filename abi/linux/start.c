/*
 * The start of a program: its stack with arguments, environment and auxiliary vector, the heap's
 * place, its first thread, and what it inherits of signals. Main thread. What is kept for
 * /proc/self belongs to the instance.
 */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "linux.h"

#define STACK_MIN       (UINT64_C(128) << 10)
#define STACK_MAX       (UINT64_C(1) << 30) /* mapped at once, however high the limit */
#define STACK_DEFAULT   (UINT64_C(8) << 20)
#define STACK_RANDOM    UINT64_C(0x3fffff) /* pages below the top, paged memory */
#define BRK_RANDOM      UINT64_C(0x1fff)   /* pages above the program */
#define ARGS_SHARE      4                  /* arguments may take a quarter of the stack */
#define CLOCK_TICKS     100
#define HWCAP2_FSGSBASE 2u
#define CR4_FSGSBASE    (UINT64_C(1) << 16)

/* CPUID leaf 1, EDX, of every CPU model that blink offers: FPU VME DE PSE TSC MSR PAE CX8 APIC SEP
 * PGE CMOV PAT PSE-36 CLFSH MMX FXSR SSE SSE2. */
#define HWCAP UINT64_C(0x078bab7f)

static uint64_t align_down(uint64_t v, uint64_t to) {
    return v & ~(to - 1);
}
static uint64_t page_up(uint64_t v) {
    return align_down(v + BLINK_PAGE_SIZE - 1, BLINK_PAGE_SIZE);
}

static uint64_t random_pages(uint64_t mask) {
    uint64_t v = 0;
    int p = personality(0xffffffff);
    if (p != -1 && (p & ADDR_NO_RANDOMIZE))
        return 0;
    if (getrandom(&v, sizeof v, GRND_NONBLOCK) != (ssize_t)sizeof v)
        return 0;
    return (v & mask) * BLINK_PAGE_SIZE;
}

/* ---- what /proc/self tells ---- */

void lx_identity_finish(struct lx_identity *id) {
    free(id->exe_guest);
    free(id->exe_host);
    free(id->cmdline);
    free(id->environ);
    memset(id, 0, sizeof *id);
}

static char *joined(const char *const *strings, size_t *size) {
    size_t n = 0;
    for (size_t k = 0; strings && strings[k]; k++)
        n += strlen(strings[k]) + 1;
    char *out = malloc(n + 1), *p = out;
    if (!out)
        return NULL;
    for (size_t k = 0; strings && strings[k]; k++)
        p = stpcpy(p, strings[k]) + 1;
    *p = 0;
    *size = n;
    return out;
}

/* The program's name as /proc/self/exe gives it: absolute, without links. */
static char *guest_exe(const struct blink_plugin *self, const char *host_path) {
    char real[PATH_MAX];
    const char *host = realpath(host_path, real) ? real : host_path;
    const char *guest = lx_guest_name(self, host);
    return strdup(guest ? guest : host);
}

static int identify(struct blink_plugin *self, const struct blink_start *start) {
    struct lx_identity *id = &self->id;
    lx_identity_finish(id);
    id->exe_host = strdup(start->host_path);
    id->exe_guest = guest_exe(self, start->host_path);
    id->cmdline = joined(start->argv, &id->cmdline_size);
    id->environ = joined(start->envp, &id->environ_size);
    if (!id->exe_host || !id->exe_guest || !id->cmdline || !id->environ)
        return -ENOMEM;
    const char *base = strrchr(start->path, '/');
    prctl(PR_SET_NAME, base ? base + 1 : start->path);
    return 0;
}

/* ---- stack ---- */

uint64_t lx_stack_limit(void) {
    struct rlimit r;
    if (getrlimit(RLIMIT_STACK, &r))
        return STACK_DEFAULT;
    uint64_t size = r.rlim_cur > STACK_MAX ? STACK_MAX : r.rlim_cur;
    return page_up(size < STACK_MIN ? STACK_MIN : size);
}

/* Paged memory leaves room above what map() chooses from, as Linux does; linear memory has the
 * host's own things there. */
static int map_stack(struct blink_plugin *self, struct blink_cpu *cpu, uint64_t size, uint32_t prot,
                     uint64_t *out) {
    uint32_t flags = BLINK_MAP_ANON | BLINK_MAP_GROWSDOWN | BLINK_MAP_NORESERVE;
    uint64_t low, high, top;
    self->mem.get_layout(cpu->mem, &low, &high, &top);
    if ((cpu->mode & BLINK_MODE_PAGED) && top > high && top - high > 2 * size) {
        uint64_t at = top - size - random_pages(STACK_RANDOM);
        if (at >= high && at < top &&
            self->mem.map(cpu->mem, at, size, prot, flags | BLINK_MAP_NOREPLACE, -1, 0, out) == 0)
            return 0;
    }
    return self->mem.map(cpu->mem, 0, size, prot, flags, -1, 0, out);
}

/* The stack under construction, from its top down. The first error stays. */
struct stack {
    struct blink_plugin *self;
    struct blink_cpu *cpu;
    uint64_t sp, floor;
    int error;
};

static uint64_t push(struct stack *s, const void *bytes, size_t size) {
    if (s->error)
        return 0;
    if (size > s->sp - s->floor) {
        s->error = -E2BIG;
        return 0;
    }
    s->sp -= size;
    s->error = s->self->mem.copy_out(s->cpu->mem, s->sp, bytes, size);
    return s->sp;
}

static uint64_t push_string(struct stack *s, const char *text) {
    return push(s, text, strlen(text) + 1);
}

static size_t count(const char *const *v) {
    size_t n = 0;
    while (v && v[n])
        n++;
    return n;
}

/* The strings, last one highest, and their addresses into `words`, which gets a 0 at its end. */
static void push_strings(struct stack *s, const char *const *v, size_t n, uint64_t *words) {
    words[n] = 0;
    while (n--)
        words[n] = push_string(s, v[n]);
}

static void aux(struct lx_identity *id, uint64_t type, uint64_t value) {
    id->auxv[id->auxv_size / 8] = type;
    id->auxv[id->auxv_size / 8 + 1] = value;
    id->auxv_size += 16;
}

/* What a signal frame takes at most: AT_MINSIGSTKSZ. */
static uint64_t frame_size(void) {
    return align_down(sizeof(struct g_sigframe) + sizeof(struct g_xstate) + 4 + 64 + 16 + 128 + 15,
                      16);
}

static void fill_auxv(struct lx_identity *id, const struct blink_cpu *cpu,
                      const struct blink_program *p, uint64_t execfn, uint64_t platform,
                      uint64_t random) {
    id->auxv_size = 0;
    aux(id, G_AT_MINSIGSTKSZ, frame_size());
    aux(id, G_AT_HWCAP, HWCAP);
    aux(id, G_AT_PAGESZ, BLINK_PAGE_SIZE);
    aux(id, G_AT_CLKTCK, CLOCK_TICKS);
    aux(id, G_AT_PHDR, p->phdr);
    aux(id, G_AT_PHENT, p->phentsize);
    aux(id, G_AT_PHNUM, p->phnum);
    aux(id, G_AT_BASE, p->interp_base);
    aux(id, G_AT_FLAGS, 0);
    aux(id, G_AT_ENTRY, p->entry);
    aux(id, G_AT_UID, getuid());
    aux(id, G_AT_EUID, geteuid());
    aux(id, G_AT_GID, getgid());
    aux(id, G_AT_EGID, getegid());
    aux(id, G_AT_SECURE, getauxval(AT_SECURE));
    aux(id, G_AT_RANDOM, random);
    aux(id, G_AT_HWCAP2, cpu->cr4 & CR4_FSGSBASE ? HWCAP2_FSGSBASE : 0);
    aux(id, G_AT_EXECFN, execfn);
    aux(id, G_AT_PLATFORM, platform);
    aux(id, G_AT_NULL, 0);
}

/* argc, argv, envp and the auxiliary vector: `words` long, its end at a multiple of 16. */
static int push_words(struct stack *s, const uint64_t *words, size_t n) {
    s->sp = align_down(s->sp, 16);
    if (n % 2)
        s->sp -= 8;
    push(s, words, n * sizeof *words);
    return s->error;
}

/* System V ABI, AMD64 supplement, figure 3.9; what stands above the vector as Linux has it. */
static int fill_stack(struct stack *s, const struct blink_start *start) {
    struct lx_identity *id = &s->self->id;
    size_t argc = count(start->argv), envc = count(start->envp);
    size_t room = 1 + argc + 1 + envc + 1 + sizeof id->auxv / 8;
    uint64_t *words = calloc(room, sizeof *words), zero = 0;
    uint8_t random[16];
    if (!words)
        return -ENOMEM;
    push(s, &zero, sizeof zero);
    uint64_t execfn = push_string(s, start->path);
    id->env_end = s->sp;
    push_strings(s, start->envp, envc, words + 1 + argc + 1);
    id->arg_end = s->sp;
    push_strings(s, start->argv, argc, words + 1);
    id->arg_start = s->sp;
    s->sp = align_down(s->sp, 16);
    uint64_t platform = push_string(s, "x86_64");
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        s->error = s->error ? s->error : -EIO;
    uint64_t at_random = push(s, random, sizeof random);
    fill_auxv(id, s->cpu, start->program, execfn, platform, at_random);
    words[0] = argc;
    memcpy(words + 1 + argc + 1 + envc + 1, id->auxv, id->auxv_size);
    int rc = push_words(s, words, 1 + argc + 1 + envc + 1 + id->auxv_size / 8);
    free(words);
    return rc;
}

static int build_stack(struct blink_plugin *self, struct blink_cpu *cpu,
                       const struct blink_start *start) {
    uint64_t size = lx_stack_limit(), base;
    uint32_t prot = BLINK_PROT_READ | BLINK_PROT_WRITE;
    if (start->program->stack_exec)
        prot |= BLINK_PROT_EXEC;
    int rc = map_stack(self, cpu, size, prot, &base);
    if (rc)
        return rc;
    self->mem.set_name(cpu->mem, base, size, "[stack]");
    struct stack s = {.self = self, .cpu = cpu, .sp = base + size, .floor = base};
    s.floor = base + size - size / ARGS_SHARE;
    rc = fill_stack(&s, start);
    cpu->gpr[BLINK_RSP] = s.sp;
    return rc;
}

/* ---- the rest ---- */

static void place_heap(struct blink_plugin *self, const struct blink_program *p) {
    self->brk_start = self->brk_now = page_up(p->brk) + random_pages(BRK_RANDOM);
}

/* What exec keeps: ignored signals and the mask. */
static void inherit_signals(struct lx_thread *t) {
    struct sigaction sa;
    sigset_t set;
    for (int signo = 1; signo <= G_NSIG; signo++)
        if (sigaction(signo, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
            t->handlers->action[signo].handler = G_SIG_IGN;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    for (int signo = 1; signo <= G_NSIG; signo++)
        if (sigismember(&set, signo) == 1)
            t->mask |= LX_SIGBIT(signo);
    t->mask &= ~LX_UNBLOCKABLE;
}

int lx_start(struct blink_plugin *self, struct blink_cpu *cpu, const struct blink_start *start) {
    struct lx_thread *t = lx_thread_create(self, cpu);
    if (!t)
        return -ENOMEM;
    inherit_signals(t);
    place_heap(self, start->program);
    int rc = identify(self, start);
    if (rc == 0)
        rc = build_stack(self, cpu, start);
    if (rc)
        return rc;
    lx_show(self, cpu);
    cpu->rip = start->program->start;
    cpu->gpr[BLINK_RDX] = 0; /* no function for atexit */
    return 0;
}
