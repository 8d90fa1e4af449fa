/*
 * See rig.h.
 */
#include "rig.h"

#include <blink/decoder.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "cpu/cpu.h"
#include "fakehost.h"
#include "interp/interp.h"
#include "interp/sse/mxcsr.h"
#include "jit.h"
#include "mem/space.h"

#define ARENAS     4u
#define ARENA_SIZE (UINT64_C(8) << 20)
#define CODES      512u
#define TRAP_FLAG  0x100
#define INT3       0xcc
#define PUSH_RBX   0x53                            /* what the glue begins with */
#define CPU_PART   offsetof(struct blink_cpu, tlb) /* recover() looks at nothing beyond */

const struct rig_place rig_near = {"near", UINT64_C(0x300000000), UINT64_C(0x310000000), false,
                                   false};
const struct rig_place rig_low = {"low", UINT64_C(0x18000000), UINT64_C(0x300000000000), false,
                                  true};
const struct rig_place rig_far = {"far", UINT64_C(0x500000000000), UINT64_C(0x300000000000), false,
                                  true};
const struct rig_place rig_paged = {"paged", UINT64_C(0x500000000000), UINT64_C(0x310000000), true,
                                    false};
const struct rig_place rig_paged_low = {"paged low", UINT64_C(0x18000000), UINT64_C(0x310000000),
                                        true, false};

struct arena {
    uint64_t from; /* guest addresses it is for begin here */
    uint8_t *rw, *rx;
    size_t used, last;
};

struct translation {
    struct blink_jit_code code;
    uint64_t rip;
    struct block *block;
    bool live;
};

struct rig {
    struct blink_cpu cpu;
    struct interp_context context;
    struct blink_jump_cache jumps;
    struct block nowhere;
    struct blink_cpu copy;
    struct fakehost *host;
    struct blink_plugin *jit;
    uint64_t base;
    uint8_t *memory; /* of the host */
    struct arena arena[ARENAS];
    uint32_t arenas;
    size_t limit;
    struct translation code[CODES];
    uint32_t codes;
    struct block *single;
    struct blink_jit_code *from;
    uint32_t exit;
    uint32_t interpreted, lookups;
    uint32_t page, page_slot, flags;
    struct rig_end end;
    struct rig_steps *steps;
    bool in_jit;
    struct blink_mem *mem; /* paged; else NULL */
    bool alone;            /* the instruction at RIP is to be interpreted */
    const struct rig_segments *segments;
};

/* Trampoline state: the handlers and the services have no other way to it. */
static struct rig *current;

static const struct blink_decoder_ops *decoder;
static struct blink_plugin *decoder_self;
static void *decoder_context;

static _Noreturn void give_up(const char *what) {
    printf("Bail out! %s: %s\n", what, strerror(errno));
    fflush(stdout);
    _exit(99);
}

/* ---- blink.jit-host/1 ---- */

static int code_alloc(struct blink_machine *machine, uint64_t near, size_t size,
                      struct blink_jit_space *out) {
    struct rig *r = current;
    uint32_t n = 0;
    (void)machine;
    for (uint32_t k = 1; k < r->arenas; k++)
        if (near >= r->arena[k].from && r->arena[k].from >= r->arena[n].from)
            n = k;
    struct arena *a = &r->arena[n];
    if (size > r->limit - a->used)
        return -ENOSPC;
    a->last = a->used;
    a->used += size;
    *out = (struct blink_jit_space){sizeof *out, n, a->rw + a->last, a->rx + a->last};
    return 0;
}

static void code_commit(struct blink_machine *machine, const struct blink_jit_space *space,
                        size_t size) {
    struct arena *a = &current->arena[space->arena];
    (void)machine;
    a->used = a->last + ((size + 63) & ~(size_t)63);
}

/* Binds and runs a block of one instruction. Faults unwind to the caller's caller. */
static void run_single(struct rig *r, const struct blink_insn *insn) {
    struct block *b = r->single;
    b->rip = insn->addr;
    b->mode = r->cpu.mode;
    b->count = 1;
    b->end_rip = insn->addr + insn->len;
    b->insns[0] = *insn;
    interp_bind_block(b);
    interp_mxcsr_load(&r->cpu);
    interp_run(&r->cpu, b->insns);
    interp_mxcsr_store(&r->cpu);
}

/* The instruction at `rip`, of any block that was translated. */
static const struct blink_insn *insn_at(const struct rig *r, uint64_t rip) {
    for (uint32_t k = 0; k < r->codes; k++) {
        const struct block *b = r->code[k].block;
        for (uint32_t n = 0; n < b->count; n++)
            if (b->insns[n].addr == rip)
                return &b->insns[n];
    }
    give_up("an instruction that nobody has seen");
}

static uint32_t interpret(struct blink_cpu *cpu, const struct blink_insn *insn) {
    struct rig *r = current;
    if (!insn)
        insn = insn_at(r, cpu->rip);
    r->interpreted++;
    r->in_jit = false;
    cpu->exit_reason = BLINK_EXIT_NONE;
    run_single(r, insn);
    r->in_jit = true;
    uint32_t reason = cpu->exit_reason;
    if (reason != BLINK_EXIT_BLOCK)
        return reason;
    return cpu->attention ? BLINK_EXIT_ATTENTION : 0;
}

struct blink_jit_code *rig_find(struct rig *r, uint64_t rip) {
    for (uint32_t k = 0; k < r->codes; k++)
        if (r->code[k].live && r->code[k].rip == rip)
            return &r->code[k].code;
    return NULL;
}

static void *lookup(struct blink_cpu *cpu) {
    struct blink_jit_code *code = rig_find(current, cpu->rip);
    current->lookups++;
    return code ? code->entry : NULL;
}

static const struct blink_jit_host_iface iface = {
    .struct_size = sizeof iface,
    .code_alloc = code_alloc,
    .code_commit = code_commit,
    .interpret = interpret,
    .lookup = lookup,
};

/* ---- signals ---- */

static void set_mask(const ucontext_t *c) {
    pthread_sigmask(SIG_SETMASK, &c->uc_sigmask, NULL);
}

static _Noreturn void unwind(struct rig *r, const ucontext_t *c) {
    set_mask(c);
    siglongjmp(r->context.unwind, 1);
}

static uint64_t greg(const ucontext_t *c, int n) {
    return (uint64_t)c->uc_mcontext.gregs[n];
}

static bool writes_memory(const struct blink_insn *i) {
    for (uint32_t k = 0; k < 4; k++)
        if (i->opnd[k].kind == BLINK_OPND_MEM && (i->opnd[k].access & BLINK_ACCESS_WRITE))
            return true;
    return false;
}

static void on_fault(int signo, siginfo_t *info, void *context) {
    struct rig *r = current;
    ucontext_t *c = context;
    struct rig_end *e = &r->end;
    e->reason = BLINK_EXIT_FAULT;
    e->vector = (uint32_t)greg(c, REG_TRAPNO);
    if (signo == SIGSEGV && info->si_code != SI_KERNEL) {
        e->address = (uintptr_t)info->si_addr;
        e->write = greg(c, REG_ERR) & 2;
    }
    if (!r->in_jit) {
        /* Hardware checks a read-modify-write for writing at once. */
        e->write |= e->vector == BLINK_EXC_PF && writes_memory(r->cpu.insn);
        interp_settle(&r->cpu);
    } else if (rig_ops()->recover(r->jit, &r->cpu, c, greg(c, REG_RIP)) < 0) {
        static const char text[] = "Bail out! a fault that recover() knows nothing of\n";
        ssize_t rc = write(1, text, sizeof text - 1);
        (void)rc;
        _exit(99);
    }
    /* Which of the guest's it is the interpreter finds out. */
    r->alone = r->in_jit && r->mem && signo == SIGSEGV;
    unwind(r, c);
}

/* Steps begin where generated code does: C code runs at full speed. */
static const struct glue *glue_of(const struct rig *r) {
    return r->jit->any;
}

static uint8_t *writable(const struct rig *r, uint64_t pc) {
    for (uint32_t k = 0; k < r->arenas; k++)
        if (pc - (uintptr_t)r->arena[k].rx < ARENA_SIZE)
            return r->arena[k].rw + (pc - (uintptr_t)r->arena[k].rx);
    return NULL;
}

static void set_breakpoints(const struct rig *r, bool on) {
    for (uint32_t k = 0; k < 2; k++)
        *writable(r, glue_of(r)->enter[k]) = on ? INT3 : PUSH_RBX;
}

/* An event, as core would act on it. */
static void come(struct rig *r, ucontext_t *c) {
    r->cpu.attention = BLINK_ATTN_SIGNAL;
    if (rig_ops()->recover(r->jit, &r->cpu, c, greg(c, REG_RIP)) < 0)
        return;
    r->steps->left = true;
    r->end.reason = BLINK_EXIT_ATTENTION;
    unwind(r, c);
}

/* What recover() says here, which is not acted upon: the code runs on, and wants the host address
 * back that recover() may have taken off the guest's stack. */
static void ask(struct rig *r, ucontext_t *c) {
    struct rig_steps *s = r->steps;
    uint64_t pc = greg(c, REG_RIP), top = greg(c, REG_RSP) - 8;
    uint8_t stack[16];
    bool ours = !r->mem && top - r->base - RIG_DATA <= RIG_DATA_SIZE - sizeof stack;
    memcpy(&r->copy, &r->cpu, CPU_PART);
    if (ours)
        memcpy(stack, (void *)(uintptr_t)top, sizeof stack);
    s->at(s->arg, rig_ops()->recover(r->jit, &r->copy, c, pc), &r->copy);
    if (ours)
        memcpy((void *)(uintptr_t)top, stack, sizeof stack);
}

static void on_trap(int signo, siginfo_t *info, void *context) {
    struct rig *r = current;
    struct rig_steps *s = r->steps;
    ucontext_t *c = context;
    (void)signo, (void)info;
    if (greg(c, REG_TRAPNO) == BLINK_EXC_BP) {
        c->uc_mcontext.gregs[REG_RIP]--;
        set_breakpoints(r, false);
    }
    uint64_t pc = greg(c, REG_RIP);
    c->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
    if (!writable(r, pc)) {
        set_breakpoints(r, true);
        return;
    }
    s->count++;
    if (s->count == s->event) {
        come(r, c);
        return;
    }
    c->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
    if (s->at)
        ask(r, c);
}

static void install(int signo, void (*handler)(int, siginfo_t *, void *)) {
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    if (sigaction(signo, &sa, NULL))
        give_up("sigaction");
}

static void install_handlers(void) {
    static uint8_t stack[64 << 10];
    stack_t ss = {.ss_sp = stack, .ss_size = sizeof stack};
    if (sigaltstack(&ss, NULL))
        give_up("sigaltstack");
    install(SIGSEGV, on_fault);
    install(SIGBUS, on_fault);
    install(SIGFPE, on_fault);
    install(SIGILL, on_fault);
    install(SIGTRAP, on_trap);
}

/* ---- making it ---- */

static void *map_at(uint64_t at, size_t size, int prot, int flags, int fd) {
    void *p =
        mmap((void *)(uintptr_t)at, size, prot, flags | (at ? MAP_FIXED_NOREPLACE : 0), fd, 0);
    if (p == MAP_FAILED || (at && p != (void *)(uintptr_t)at))
        give_up("mmap");
    return p;
}

void rig_add_arena(struct rig *r, uint64_t from, uint64_t at) {
    struct arena *a = &r->arena[r->arenas++];
    int fd = memfd_create("arena", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, (off_t)ARENA_SIZE))
        give_up("memfd_create");
    *a = (struct arena){.from = from};
    a->rw = map_at(0, ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
    a->rx = map_at(at, ARENA_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, fd);
    close(fd);
}

/* Pages of a guest address space, the host addresses of which are elsewhere. */
static uint8_t *map_paged(struct rig *r) {
    struct mem_options o = {.strategy = MEM_PAGED};
    struct blink_mem_span span = {0};
    uint64_t at = r->base + RIG_DATA, size = RIG_DATA_SIZE;
    uint32_t spans = 1;
    if (mem_create(&o, &r->mem) ||
        mem_iface.map(r->mem, at, size, BLINK_PROT_READ | BLINK_PROT_WRITE,
                      BLINK_MAP_ANON | BLINK_MAP_NOREPLACE, -1, 0, &at) ||
        mem_iface.pin(r->mem, at, &size, BLINK_PROT_READ, &span, &spans) ||
        mem_attach(r->mem, &r->cpu))
        give_up("paged memory");
    return span.host;
}

static void open_decoder(void) {
    const char *path = getenv("BLINK_DECODER");
    if (decoder)
        return;
    struct fakehost *host = fakehost_create();
    decoder = path ? fakehost_load(path, BLINK_KIND_DECODER, "capstone") : NULL;
    if (!decoder || decoder->plugin.create(fakehost_host(host), "", &decoder_self) ||
        decoder->context_create(decoder_self, &decoder_context))
        give_up("no decoder");
}

const struct blink_jit_ops *rig_ops(void) {
    return blink_plugin_entry.manifests[0]->vtable;
}

struct rig *rig_create(const struct rig_place *place) {
    struct rig *r = calloc(1, sizeof *r);
    if (!r)
        give_up("calloc");
    r->single = calloc(1, sizeof *r->single + 2 * sizeof r->single->insns[0]);
    if (!r->single)
        give_up("calloc");
    r->nowhere.rip = UINT64_MAX;
    for (uint32_t k = 0; k < INTERP_JUMP_SLOTS; k++)
        r->jumps.slot[k] = &r->nowhere;
    r->base = place->base;
    if (place->paged) {
        r->memory = map_paged(r);
    } else {
        r->memory = map_at(place->base + RIG_DATA, RIG_DATA_SIZE + 0x1000, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1);
        if (mprotect(r->memory + RIG_DATA_SIZE, 0x1000, PROT_NONE))
            give_up("mprotect");
    }
    rig_add_arena(r, 0, place->arena);
    r->limit = ARENA_SIZE;
    r->host = fakehost_create();
    fakehost_set_iface(r->host, BLINK_IFACE_JIT_HOST, &iface);
    current = r;
    open_decoder();
    install_handlers();
    if (rig_ops()->plugin.create(fakehost_host(r->host), "", &r->jit) ||
        rig_ops()->plugin.activate(r->jit))
        give_up("the back end");
    r->jit->large = place->large;
    rig_reset(r);
    return r;
}

static void forget_codes(struct rig *r) {
    for (uint32_t k = 0; k < r->codes; k++)
        free(r->code[k].block);
    r->codes = 0;
}

void rig_flush(struct rig *r) {
    rig_ops()->flush(r->jit);
    forget_codes(r);
    for (uint32_t k = 0; k < r->arenas; k++)
        r->arena[k].used = r->arena[k].last = 0;
}

void rig_limit(struct rig *r, size_t size) {
    r->limit = size;
}

void rig_destroy(struct rig *r) {
    if (!r)
        return;
    rig_ops()->plugin.deactivate(r->jit);
    rig_ops()->plugin.destroy(r->jit);
    forget_codes(r);
    for (uint32_t k = 0; k < r->arenas; k++) {
        munmap(r->arena[k].rw, ARENA_SIZE);
        munmap(r->arena[k].rx, ARENA_SIZE);
    }
    if (!r->mem)
        munmap(r->memory, RIG_DATA_SIZE + 0x1000);
    mem_destroy(r->mem);
    fakehost_destroy(r->host);
    free(r->single);
    free(r);
    current = NULL;
}

struct blink_cpu *rig_cpu(struct rig *r) {
    return &r->cpu;
}
struct blink_plugin *rig_jit(struct rig *r) {
    return r->jit;
}
uint64_t rig_base(const struct rig *r) {
    return r->base;
}
bool rig_is_paged(const struct rig *r) {
    return r->mem != NULL;
}
void rig_forget_pages(struct rig *r) {
    mem_tlb_flush(&r->cpu);
}
uint8_t *rig_data(const struct rig *r) {
    return r->memory;
}
uint32_t rig_interpreted(const struct rig *r) {
    return r->interpreted;
}
uint32_t rig_lookups(const struct rig *r) {
    return r->lookups;
}
struct blink_jit_code *rig_from(const struct rig *r, uint32_t *exit) {
    *exit = r->exit;
    return r->from;
}

void rig_set_segments(struct rig *r, const struct rig_segments *segments) {
    r->segments = segments;
}

static void set_segments(struct rig *r, const struct rig_segments *s) {
    struct blink_cpu *cpu = &r->cpu;
    uint64_t data = r->base + RIG_DATA, base = s->flat ? 0 : data;
    uint32_t big = s->stack32 ? 0xc000 : 0x8000, most = s->bits == 16 ? 0xffff : UINT32_MAX;
    cpu_set_segment(cpu, BLINK_SEG_CS, 0x23, 0, most, s->bits == 16 ? 0x00fb : 0xc0fb);
    for (uint32_t k = BLINK_SEG_ES; k <= BLINK_SEG_DS; k++)
        if (k != BLINK_SEG_CS)
            cpu_set_segment(cpu, k, 0x2b, base, s->limit, (uint16_t)(0x00f3 | big));
    cpu_set_segment(cpu, BLINK_SEG_FS, 0x33, r->base + RIG_FS, 0xffff, 0x40f3);
    cpu_set_segment(cpu, BLINK_SEG_GS, 0x3b, r->base + RIG_GS, 0xfff, 0x40f3);
    if (s->real)
        cpu->cr0 &= ~(uint64_t)CR0_PE;
    cpu->efer &= ~(uint64_t)EFER_LMA;
    cpu_update_mode(cpu);
}

void rig_reset(struct rig *r) {
    struct blink_cpu *cpu = &r->cpu;
    memset(cpu, 0, offsetof(struct blink_cpu, jit_private)); /* what follows is the back end's */
    cpu->struct_size = sizeof *cpu;
    cpu->exec_private = &r->context;
    cpu->jumps = &r->jumps;
    cpu_reset_user64(cpu);
    cpu->xcr0 = 7;
    cpu_update_mode(cpu);
    cpu->mem = r->mem;
    if (r->mem)
        cpu->mode |= BLINK_MODE_PAGED;
    cpu->seg[BLINK_SEG_FS].base = r->base + RIG_FS;
    cpu->seg[BLINK_SEG_GS].base = r->base + RIG_GS;
    if (r->segments)
        set_segments(r, r->segments);
}

/* ---- state ---- */

void rig_save(const struct blink_cpu *cpu, struct rig_state *s) {
    memset(s, 0, sizeof *s);
    memcpy(s->gpr, cpu->gpr, sizeof s->gpr);
    s->rip = cpu->rip;
    for (uint32_t k = 0; k < 6; k++) {
        s->selector[k] = cpu->seg[k].selector;
        s->base[k] = cpu->seg[k].base;
    }
    s->flags = blink_cpu_get_flags(cpu);
    memcpy(s->ymm, cpu->ymm, sizeof s->ymm);
    s->mxcsr = cpu->mxcsr;
    s->fcw = cpu->fcw;
    s->fsw = cpu->fsw;
    s->ftop = cpu->ftop;
    s->fvalid = cpu->fvalid;
    for (uint32_t k = 0; k < 8; k++)
        if (cpu->fvalid >> k & 1)
            s->fpr[k] = (struct blink_f80){.frac = cpu->fpr[k].frac, .se = cpu->fpr[k].se};
}

void rig_load(struct blink_cpu *cpu, const struct rig_state *s) {
    memcpy(cpu->gpr, s->gpr, sizeof s->gpr);
    cpu->rip = s->rip;
    for (uint32_t k = 0; k < 6; k++) {
        cpu->seg[k].selector = s->selector[k];
        cpu->seg[k].base = s->base[k];
    }
    blink_cpu_set_flags(cpu, s->flags);
    memcpy(cpu->ymm, s->ymm, sizeof s->ymm);
    cpu->mxcsr = s->mxcsr;
    cpu->fcw = s->fcw;
    cpu->fsw = s->fsw;
    cpu->ftop = s->ftop;
    cpu->fvalid = s->fvalid;
    memcpy(cpu->fpr, s->fpr, sizeof s->fpr);
}

/* ---- running ---- */

static uint32_t decode(struct rig *r, const uint8_t *bytes, size_t size, uint64_t rip,
                       struct blink_insn *insns, uint32_t max) {
    struct blink_decode_request req = {.struct_size = sizeof req,
                                       .mode = r->cpu.mode,
                                       .bytes = bytes,
                                       .size = size,
                                       .rip = rip,
                                       .insns = insns,
                                       .max = max};
    if (decoder->decode(decoder_self, decoder_context, &req))
        give_up("decode");
    return req.count;
}

static void begin(struct rig *r) {
    r->end = (struct rig_end){0};
    r->cpu.exit_reason = BLINK_EXIT_NONE;
    r->cpu.exit_info = 0;
}

/* A fault that the interpreter found itself has its vector in the CPU. */
static struct rig_end finish(struct rig *r) {
    if (!r->end.reason) {
        r->end.reason = r->cpu.exit_reason;
        if (r->end.reason == BLINK_EXIT_FAULT || r->end.reason == BLINK_EXIT_INT)
            r->end.vector = (uint32_t)r->cpu.exit_info;
        if (r->end.reason == BLINK_EXIT_FAULT && r->end.vector == BLINK_EXC_PF) {
            r->end.address = r->cpu.cr2;
            r->end.write = r->cpu.exit_error & BLINK_PF_W;
        }
    }
    r->cpu.exit_reason = BLINK_EXIT_NONE;
    r->in_jit = false;
    r->steps = NULL;
    return r->end;
}

struct rig_end rig_interpret(struct rig *r, const uint8_t *bytes, size_t size,
                             struct blink_insn *insn) {
    if (!decode(r, bytes, size, r->cpu.rip, insn, 1))
        give_up("decode");
    begin(r);
    if (sigsetjmp(r->context.unwind, 0) == 0)
        run_single(r, insn);
    else
        interp_mxcsr_store(&r->cpu);
    return finish(r);
}

struct blink_jit_code *rig_translate(struct rig *r, const uint8_t *bytes, size_t size, uint64_t rip,
                                     uint32_t max, int *error) {
    struct block *b = calloc(1, sizeof *b + (max + 1) * sizeof b->insns[0]);
    if (!b || r->codes == CODES)
        give_up("too much code");
    b->count = decode(r, bytes, size, rip, b->insns, max);
    b->rip = rip;
    b->mode = r->cpu.mode;
    b->end_rip = b->insns[b->count - 1].addr + b->insns[b->count - 1].len;
    interp_bind_block(b);
    struct translation *c = &r->code[r->codes];
    *c = (struct translation){
        .code.struct_size = sizeof c->code, .rip = rip, .block = b, .live = true};
    struct blink_jit_block request = {.struct_size = sizeof request,
                                      .count = b->count,
                                      .insns = b->insns,
                                      .rip = rip,
                                      .end_rip = b->end_rip,
                                      .mode = b->mode,
                                      .flags = r->flags,
                                      .page = r->page,
                                      .page_slot = r->page_slot};
    *error = rig_ops()->translate(r->jit, &request, &c->code);
    if (*error) {
        free(b);
        return NULL;
    }
    r->codes++;
    return &c->code;
}

void rig_set_page(struct rig *r, uint32_t page, uint32_t slot) {
    r->page = page;
    r->page_slot = slot;
}

void rig_set_counted(struct rig *r) {
    r->flags = BLINK_JIT_COUNTED;
}

void rig_drop(struct rig *r, struct blink_jit_code *code) {
    rig_ops()->drop(r->jit, code);
    ((struct translation *)code)->live = false;
}

static void enter(struct rig *r, const struct blink_jit_code *code) {
    r->in_jit = true;
    uint32_t reason = rig_ops()->enter(r->jit, &r->cpu, code, &r->from, &r->exit);
    r->end.reason = reason;
    if (reason == BLINK_EXIT_INT)
        r->end.vector = (uint32_t)r->cpu.exit_info;
}

struct rig_end rig_enter(struct rig *r, struct blink_jit_code *code, struct rig_steps *steps) {
    begin(r);
    r->from = NULL;
    r->steps = steps;
    if (steps)
        set_breakpoints(r, true);
    if (sigsetjmp(r->context.unwind, 0) == 0)
        enter(r, code);
    else if (!r->in_jit)
        interp_mxcsr_store(&r->cpu);
    if (steps)
        set_breakpoints(r, false);
    if (r->alone) {
        begin(r);
        r->in_jit = r->alone = false;
        if (sigsetjmp(r->context.unwind, 0) == 0)
            run_single(r, insn_at(r, r->cpu.rip));
        else
            interp_mxcsr_store(&r->cpu);
    }
    return finish(r);
}
