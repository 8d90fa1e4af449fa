/*
 * Ring 0 by the manuals: each rule of rules.def as a small machine. The program of rules.S runs in
 * its mode until it writes to port 0xF4, or until an exception reaches its handler, which writes to
 * the port of its vector. Then the vector, the error code, the saved RIP, CS, RFLAGS and stack are
 * what the manual says. The loop, the interpreter and the memory are the real ones.
 *
 * usage: rules DECODER: results in TAP.
 */
#include <stdlib.h>
#include <string.h>

#include <blink/decoder.h>

#include "bus/bus.h"
#include "cpu/cpu.h"
#include "exec/exec.h"
#include "fakehost.h"
#include "mem/space.h"

#define RAM      (UINT64_C(4) << 20)
#define DONE     0x100
#define NO_ERROR 0xffffffffu

/* Places in memory; linear addresses are physical ones. */
#define GDT       0x1000u
#define GDT_LIMIT 0x12fu
#define IDT       0x2000u
#define TSS       0x3000u
#define LDT       0x4000u
#define CODE      0x8000u
#define HANDLERS  0x9000u
#define STACK0    0xb000u
#define STACK3    0xc000u
#define STACK_IST 0xc800u
#define TABLES    0x20000u

enum mode { REAL, P32, P32U, P32P, L64, L64U, V86 };

struct rule {
    const char *id, *manual, *what;
    enum mode mode;
    uint32_t vector, error;
    const uint8_t *code, *culprit;
};

#define RULE(id, manual, mode, vector, error, what)                                                \
  extern const uint8_t rule_##id[];                                                                \
  extern const uint8_t rule_##id##_culprit[] __attribute__((weak));
#include "rules.def"
#undef RULE
#define RULE(id, manual, mode, vector, error, what)                                                \
  {#id, manual, what, mode, vector, error, rule_##id, rule_##id##_culprit},
static const struct rule rules[] = {
#include "rules.def"
};
#undef RULE

/* ---- the machine ---- */

struct blink_machine {
    struct exec *exec;
    struct blink_mem *mem;
    struct blink_bus *bus;
    struct blink_cpu *cpu;
    uint32_t port; /* that was written; 0x200: none yet */
    uint8_t value;
    struct blink_cpu *seen; /* then */
    struct blink_plugin *device;
};
struct blink_plugin {
    struct blink_machine *machine;
};

struct exec *machine_exec(struct blink_machine *machine) {
    return machine->exec;
}
struct blink_bus *machine_bus(struct blink_machine *machine) {
    return machine->bus;
}

static const struct blink_decoder_ops *decoder;
static struct blink_plugin *decoder_self;
static char last_log[256];

static _Noreturn void give_up(const char *what) {
    printf("Bail out! %s\n", what);
    exit(99);
}

static void log_line(struct blink_machine *machine, int32_t level, const char *text) {
    (void)machine, (void)level;
    if (!last_log[0])
        snprintf(last_log, sizeof last_log, "%s", text);
}
static void last_words(struct blink_machine *machine) {
    (void)machine;
}
static void claimed(void *arg, uint64_t first, uint64_t last, bool on) {
    (void)arg, (void)first, (void)last, (void)on;
}

static void on_port(struct blink_plugin *self, uint64_t offset, uint32_t size, uint64_t value) {
    struct blink_machine *m = self->machine;
    (void)size;
    if (m->port != 0x200)
        return;
    m->port = (uint32_t)offset;
    m->value = (uint8_t)value;
    *m->seen = *m->cpu;
    system_iface.power_off(m, 0);
}

static void put(struct blink_machine *m, uint64_t at, uint64_t v, size_t size) {
    if (mem_iface.copy_out(m->mem, at, &v, size))
        give_up("no memory");
}
static uint64_t get(struct blink_machine *m, uint64_t at, size_t size) {
    uint64_t v = 0;
    if (mem_iface.copy_in(m->mem, &v, at, size))
        return ~UINT64_C(0);
    return v;
}

/* ---- tables ---- */

#define SEG(base, limit, access, flags)                                                            \
  ((uint64_t)((limit)&0xffff) | (uint64_t)((base)&0xffffff) << 16 | (uint64_t)(access) << 40 |     \
   (uint64_t)((limit) >> 16 & 0xf) << 48 | (uint64_t)(flags) << 52 |                               \
   (uint64_t)((base) >> 24 & 0xff) << 56)
#define GATE(selector, offset, access, count)                                                      \
  ((uint64_t)((offset)&0xffff) | (uint64_t)(selector) << 16 | (uint64_t)(count) << 32 |            \
   (uint64_t)(access) << 40 | (uint64_t)((offset) >> 16 & 0xffff) << 48)

static const struct {
    uint32_t selector;
    uint64_t value;
} gdt[] = {
    {0x08, SEG(0, 0xfffff, 0x9a, 0xc)},      /* code, 32 bits */
    {0x10, SEG(0, 0xfffff, 0x92, 0xc)},      /* data */
    {0x18, SEG(0, 0xffff, 0x9a, 0)},         /* code, 16 bits */
    {0x20, SEG(0, 0xfffff, 0x92, 0x8)},      /* data with a stack of 16 bits */
    {0x28, SEG(0, 0xfffff, 0x9a, 0xa)},      /* code, 64 bits */
    {0x30, SEG(0, 0xfffff, 0xfa, 0xc)},      /* ring 3: code, 32 bits */
    {0x38, SEG(0, 0xfffff, 0xf2, 0xc)},      /* ring 3: data */
    {0x40, SEG(0, 0xfffff, 0xfa, 0xa)},      /* ring 3: code, 64 bits */
    {0x48, SEG(TSS, 0x7ff, 0x8b, 0)},        /* task state, busy; 16 bytes in long mode */
    {0x58, SEG(LDT, 0xff, 0x82, 0)},         /* LDT */
    {0x78, GATE(0x08, CODE, 0xec, 2)},       /* call gate of ring 3 with two parameters */
    {0x80, SEG(0, 0xfffff, 0x9e, 0xc)},      /* conforming code */
    {0x88, SEG(0, 0xfffff, 0x12, 0xc)},      /* data that is not present */
    {0x90, SEG(0, 0xfffff, 0x90, 0xc)},      /* read-only data */
    {0x98, SEG(0, 0xfffff, 0x98, 0xc)},      /* code that cannot be read */
    {0xa0, SEG(0xd000, 0xff, 0xf2, 0x4)},    /* a small data segment */
    {0xa8, SEG(0, 0xfff, 0x96, 0x4)},        /* expand-down data */
    {0xb0, SEG(0, 0xfffff, 0x1a, 0xc)},      /* code that is not present */
    {0xd0, SEG(TSS + 0x800, 0x67, 0x09, 0)}, /* task state that is not present */
    {0xd8, GATE(0x08, CODE, 0x6c, 0)},       /* call gate that is not present */
    {0xe0, GATE(0x08, CODE, 0x8c, 0)},       /* call gate of ring 0 */
    {0xe8, GATE(0x08, CODE, 0xe4, 0)},       /* call gate of 16 bits */
    {0xf0, SEG(0, 0x8fff, 0x9a, 0x4)},       /* code with a limit */
    {0x100, SEG(0, 0xfffff, 0x9a, 0xe)},     /* code with L and D */
    {0x110, GATE(0x28, CODE, 0xec, 0)},      /* call gate of long mode, 16 bytes */
};

/* Of the interrupt table: the rest are gates of ring 0 to the handler. */
static const struct {
    uint32_t vector, selector, access;
} special_gates[] = {
    {3, 0x08, 0xee},    {4, 0x08, 0xee},    {0x81, 0x08, 0xee},
    {0x83, 0x08, 0x6e}, {0x84, 0x08, 0xe2}, {0x85, 0x10, 0xee},
};

static void make_idt(struct blink_machine *m, bool wide) {
    for (uint32_t k = 0; k < 256; k++) {
        uint32_t selector = wide ? 0x28 : 0x08, access = 0x8e, size = wide ? 16 : 8;
        for (size_t n = 0; n < sizeof special_gates / sizeof special_gates[0]; n++)
            if (special_gates[n].vector == k) {
                access = special_gates[n].access;
                selector = special_gates[n].selector == 0x10 ? 0x10 : selector;
            }
        /* Stack faults cannot use the stack at fault. */
        put(m, IDT + k * size, GATE(selector, HANDLERS + k * 16, access, wide && k == 12), 8);
        if (wide)
            put(m, IDT + k * size + 8, 0, 8);
    }
    m->cpu->idtr = (struct blink_dtr){IDT, wide ? 0xfff : 0x7ff, 0};
}

static void make_tables(struct blink_machine *m, bool wide) {
    struct blink_cpu *c = m->cpu;
    for (size_t k = 0; k < sizeof gdt / sizeof gdt[0]; k++)
        put(m, GDT + gdt[k].selector, gdt[k].value, 8);
    c->gdtr = (struct blink_dtr){GDT, GDT_LIMIT, 0};
    c->tr = (struct blink_seg){TSS, 0x7ff, 0x48, 0x008b};
    put(m, LDT + 8, SEG(0xd000, 0xfff, 0x92, 0x4), 8);
    make_idt(m, wide);
    if (wide) {
        put(m, TSS + 4, STACK0, 8);
        put(m, TSS + 0x24, STACK_IST, 8);
    } else {
        put(m, TSS + 4, STACK0, 4);
        put(m, TSS + 8, 0x10, 2);
    }
    /* Ports 0x60, 0x61 and 0xf4 are ring 3's. */
    put(m, TSS + 0x66, 0x80, 2);
    for (uint32_t k = 0; k < 64; k++)
        put(m, TSS + 0x80 + k, 0xff, 1);
    put(m, TSS + 0x80 + 0x60 / 8, 0xfc, 1);
    put(m, TSS + 0x80 + 0xf4 / 8, 0xef, 1);
}

/* Pages at 1 MiB with their entries; the first MiB is everybody's. */
static const struct {
    uint32_t page;
    uint64_t entry;
} special_pages[] = {
    {0x100, 0},
    {0x101, 0x101000 | 5},
    {0x102, 0x102000 | 3},
    {0x103, 0x103000 | 7 | UINT64_C(1) << 63},
    {0x104, 0x104000 | 7 | UINT64_C(1) << 51},
};

static void make_pages(struct blink_machine *m, uint32_t size) {
    for (uint32_t k = 0; k < 0x200; k++)
        put(m, TABLES + 0x3000 + k * size, k << 12 | 7, size);
    for (size_t k = 0; k < sizeof special_pages / sizeof special_pages[0]; k++)
        put(m, TABLES + 0x3000 + special_pages[k].page * size, special_pages[k].entry, size);
    if (size == 4) {
        put(m, TABLES, (TABLES + 0x3000) | 7, 4);
        return;
    }
    for (uint32_t k = 0; k < 3; k++)
        put(m, TABLES + k * 0x1000, (TABLES + (k + 1) * 0x1000) | 7, 8);
}

/* ---- modes ---- */

static void segments(struct blink_cpu *c, uint16_t cs, uint16_t cs_attr, uint16_t ds,
                     uint16_t ds_attr) {
    for (uint32_t k = 0; k < 6; k++)
        cpu_set_segment(c, k, ds, 0, UINT32_MAX, ds_attr);
    cpu_set_segment(c, BLINK_SEG_CS, cs, 0, UINT32_MAX, cs_attr);
}

static void enter_mode(struct blink_machine *m, enum mode mode) {
    struct blink_cpu *c = m->cpu;
    bool wide = mode == L64 || mode == L64U;
    c->cr0 = CR0_ET;
    if (mode == REAL) {
        for (uint32_t k = 0; k < 6; k++)
            cpu_set_segment(c, k, 0, 0, 0xffff, k == BLINK_SEG_CS ? 0x9b : 0x93);
        for (uint32_t k = 0; k < 256; k++)
            put(m, k * 4, HANDLERS + k * 16, 4);
        c->idtr = (struct blink_dtr){0, 0x3ff, 0};
    } else {
        make_tables(m, wide);
        c->cr0 |= CR0_PE;
    }
    c->cpl = mode == P32U || mode == L64U || mode == V86 ? 3 : 0;
    if (mode == P32 || mode == P32P)
        segments(c, 0x08, 0xc09b, 0x10, 0xc093);
    if (mode == P32U)
        segments(c, 0x33, 0xc0fb, 0x3b, 0xc0f3);
    if (mode == L64)
        segments(c, 0x28, 0xa09b, 0x10, 0xc093);
    if (mode == L64U)
        segments(c, 0x43, 0xa0fb, 0x3b, 0xc0f3);
    if (mode == P32U)
        c->cr4 = CR4_UMIP;
    if (mode == V86) {
        blink_cpu_set_flags(c, BLINK_VM | 2);
        for (uint32_t k = 0; k < 6; k++)
            cpu_set_segment(c, k, 0, 0, 0xffff, 0xf3);
    }
    if (wide || mode == P32P) {
        make_pages(m, wide ? 8 : 4);
        c->cr3 = TABLES;
        c->cr0 |= CR0_PG | CR0_WP;
    }
    if (wide) {
        c->cr4 = CR4_PAE;
        c->efer = EFER_LME | EFER_LMA | EFER_NXE;
    }
    cpu_update_mode(c);
}

static struct blink_machine *create(const struct rule *r) {
    static const struct mem_options options = {
        .strategy = MEM_PAGED, .system = true, .physical_size = RAM};
    struct mem_options o = options;
    struct blink_machine *m = calloc(1, sizeof *m);
    struct blink_plugin *device = calloc(1, sizeof *device);
    if (!m || !device || bus_create(&m->bus) || !(m->seen = malloc(sizeof *m->seen)))
        give_up("no memory");
    device->machine = m;
    m->device = device;
    struct exec_options e = {
        .hooks = {.machine = m, .log = log_line, .last_words = last_words},
        .decoder = decoder,
        .decoder_self = decoder_self,
        .bus = m->bus,
    };
    if (exec_create(&e, &m->exec))
        give_up("no loop");
    o.hooks = exec_mem_hooks(m->exec);
    if (mem_create(&o, &m->mem))
        give_up("no memory");
    bus_allow_memory(m->bus, claimed, NULL);
    exec_set_mem(m->exec, m->mem);
    exec_set_system(m->exec);
    if (exec_first_cpu(m->exec, &m->cpu) ||
        bus_claim_ports(m->bus, device, 0, 0x100, NULL, on_port))
        give_up("no processor");
    m->port = 0x200;
    cpu_reset(m->cpu);
    for (uint32_t k = 0; k < 256; k++)
        put(m, HANDLERS + k * 16, UINT64_C(0xf4f400e6) | k << 8, 4); /* out %al, $k; hlt */
    if (mem_iface.copy_out(m->mem, CODE, r->code, 512))
        give_up("no memory");
    enter_mode(m, r->mode);
    m->cpu->rip = CODE;
    m->cpu->gpr[BLINK_RSP] = m->cpu->cpl == 3 ? STACK3 : STACK0;
    m->cpu->gpr[BLINK_RDI] = 0xd800;
    return m;
}

/* ---- what came of it ---- */

static char why[256];

static bool wrong(const char *what, uint64_t got, uint64_t want) {
    snprintf(why, sizeof why, "%s is %#llx, not %#llx", what, (unsigned long long)got,
             (unsigned long long)want);
    return false;
}

/* The frame of the handler: error code, RIP, CS, RFLAGS, and of an inner ring SP and SS. */
static bool check_frame(struct blink_machine *m, const struct rule *r) {
    const struct blink_cpu *c = m->seen;
    bool wide = r->mode == L64 || r->mode == L64U,
         inner = c->tr.attr && r->mode != REAL &&
                 (r->mode == P32U || r->mode == L64U || r->mode == V86);
    uint32_t size = wide ? 8 : r->mode == REAL ? 2 : 4;
    uint64_t at = c->gpr[BLINK_RSP] + (wide ? 0 : c->seg[BLINK_SEG_SS].base), v;
    uint64_t culprit = CODE + (uint64_t)(r->culprit - r->code);
    if (r->error != NO_ERROR && r->mode != REAL) {
        v = get(m, at, size);
        if (v != r->error)
            return wrong("the error code", v, r->error);
        at += size;
    }
    v = get(m, at, size);
    if (v != culprit)
        return wrong("the saved RIP", v, culprit);
    v = get(m, at + 2 * size, size) & (BLINK_VM | 2);
    if (v != (r->mode == V86 ? BLINK_VM | 2u : 2u))
        return wrong("VM of the saved RFLAGS", v, r->mode == V86 ? BLINK_VM | 2u : 2u);
    if (c->flags & (BLINK_IF | BLINK_TF | BLINK_NT | BLINK_VM | BLINK_RF))
        return wrong("RFLAGS in the handler", c->flags, 2);
    if (r->mode != REAL && c->cpl != 0)
        return wrong("the CPL of the handler", c->cpl, 0);
    if (!inner && !wide)
        return true;
    v = get(m, at + 4 * size, size) & 3;
    if (r->mode != V86 && v != (inner ? 3 : 0))
        return wrong("RPL of the saved SS", v, inner ? 3 : 0);
    if (inner && c->gpr[BLINK_RSP] > STACK_IST)
        return wrong("the stack of the handler", c->gpr[BLINK_RSP], STACK0);
    return true;
}

static bool check(struct blink_machine *m, const struct rule *r) {
    if (m->port == 0x200) {
        snprintf(why, sizeof why, "the processor shut down or halted: %s", last_log);
        return false;
    }
    if (r->vector == DONE && m->port == 0xf4)
        return m->value == 0xaa || wrong("the program's answer", m->value, 0xaa);
    if (m->port != (r->vector == DONE ? 0xf4 : r->vector)) {
        uint64_t at = m->seen->gpr[BLINK_RSP];
        snprintf(why, sizeof why, "vector %#x came (top of its stack %#llx %#llx), not %#x",
                 m->port, (unsigned long long)get(m, at, 4), (unsigned long long)get(m, at + 4, 4),
                 r->vector);
        return false;
    }
    return check_frame(m, r);
}

static void destroy(struct blink_machine *m) {
    exec_destroy(m->exec);
    mem_destroy(m->mem);
    bus_destroy(m->bus);
    free(m->seen);
    free(m->device);
    free(m);
}

int main(int argc, char **argv) {
    struct fakehost *fh = fakehost_create();
    const char *only = argc > 2 ? argv[2] : NULL;
    uint32_t n = 0, failed = 0;
    fakehost_log_level(fh, -1);
    decoder = argc > 1 ? fakehost_load(argv[1], BLINK_KIND_DECODER, "capstone") : NULL;
    if (!decoder || decoder->plugin.create(fakehost_host(fh), "", &decoder_self))
        give_up("no decoder");
    for (size_t k = 0; k < sizeof rules / sizeof rules[0]; k++) {
        const struct rule *r = &rules[k];
        if (only && strcmp(only, r->id) != 0)
            continue;
        why[0] = last_log[0] = 0;
        struct blink_machine *m = create(r);
        exec_run(m->exec);
        bool ok = check(m, r);
        printf("%s %u - %s: %s (%s)\n", ok ? "ok" : "not ok", ++n, r->id, r->what, r->manual);
        if (!ok)
            printf("# %s\n", why);
        failed += !ok;
        destroy(m);
    }
    printf("1..%u\n", n);
    decoder->plugin.destroy(decoder_self);
    fakehost_destroy(fh);
    return failed != 0;
}
