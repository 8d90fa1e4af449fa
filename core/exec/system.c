/*
 * Machines that run system software: events go where the hardware would send them, HLT waits for
 * an interrupt, code is forgotten when addresses change their meaning. One vCPU, on its own thread;
 * the service "blink.system/1" is called by devices.
 */
#include <blink/system.h>
#include <string.h>

#include "bus/bus.h"
#include "cpu/cpu.h"
#include "exec/internal.h"
#include "interp/transfer.h"

/* ---- the end of a processor ---- */

static void dump_segment(struct exec *x, const char *name, const struct blink_seg *s) {
    exec_log(x, BLINK_LOG_ERROR, "  %s %04x base %016llx limit %08x attributes %04x", name,
             s->selector, (unsigned long long)s->base, s->limit, s->attr);
}

static void dump(struct vcpu *v) {
    static const char *const gpr[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                      "r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15"};
    static const char *const seg[] = {"es ", "cs ", "ss ", "ds ", "fs ", "gs "};
    struct exec *x = v->exec;
    const struct blink_cpu *c = v->cpu;
    for (uint32_t k = 0; k < 16; k += 4)
        exec_log(x, BLINK_LOG_ERROR, "  %s %016llx %s %016llx %s %016llx %s %016llx", gpr[k],
                 (unsigned long long)c->gpr[k], gpr[k + 1], (unsigned long long)c->gpr[k + 1],
                 gpr[k + 2], (unsigned long long)c->gpr[k + 2], gpr[k + 3],
                 (unsigned long long)c->gpr[k + 3]);
    exec_log(x, BLINK_LOG_ERROR, "  rip %016llx rflags %08llx cpl %u", (unsigned long long)c->rip,
             (unsigned long long)blink_cpu_get_flags(c), c->cpl);
    for (uint32_t k = 0; k < 6; k++)
        dump_segment(x, seg[k], &c->seg[k]);
    dump_segment(x, "ldt", &c->ldtr);
    dump_segment(x, "tr ", &c->tr);
    exec_log(x, BLINK_LOG_ERROR, "  gdt base %016llx limit %04x idt base %016llx limit %04x",
             (unsigned long long)c->gdtr.base, c->gdtr.limit, (unsigned long long)c->idtr.base,
             c->idtr.limit);
    exec_log(x, BLINK_LOG_ERROR, "  cr0 %08llx cr2 %016llx cr3 %016llx cr4 %08llx efer %04llx",
             (unsigned long long)c->cr0, (unsigned long long)c->cr2, (unsigned long long)c->cr3,
             (unsigned long long)c->cr4, (unsigned long long)c->efer);
}

/* A fault while a double fault is delivered shuts the processor down. AMD64 manual volume 2,
 * 8.2.9. */
static bool shut_down(struct vcpu *v, uint32_t vector) {
    struct exec *x = v->exec;
    exec_log(x, BLINK_LOG_ERROR,
             "triple fault: exception %#x at %#llx cannot be delivered; the processor shuts down",
             vector, (unsigned long long)v->cpu->rip);
    dump(v);
    process_exit(x->options.hooks.machine, EXEC_STATUS_SHUTDOWN);
    return false;
}

/* ---- delivery ---- */

static bool is_contributory(uint32_t vector) {
    return vector == BLINK_EXC_DE || (vector >= BLINK_EXC_TS && vector <= BLINK_EXC_GP);
}

/* AMD64 manual volume 2, table 8-3. */
static bool doubles(const struct interp_event *first, uint32_t second) {
    if (first->kind != EVENT_EXCEPTION)
        return false;
    if (first->vector == BLINK_EXC_PF)
        return second == BLINK_EXC_PF || is_contributory(second);
    return is_contributory(first->vector) && is_contributory(second);
}

/* `culprit`: what a refused software interrupt returns to. False: the vCPU ends. */
static bool deliver(struct vcpu *v, struct interp_event e, uint64_t culprit) {
    struct blink_cpu *cpu = v->cpu;
    uint32_t first = e.vector;
    struct interp_event refused;
    for (;;) {
        uint64_t before = cpu->rip;
        if (interp_deliver(cpu, &e, &refused))
            return true;
        if (e.kind == EVENT_EXCEPTION && e.vector == BLINK_EXC_DF)
            return shut_down(v, first);
        if (e.kind == EVENT_SOFTWARE && cpu->rip == before)
            cpu->rip = culprit;
        if (doubles(&e, refused.vector))
            e = (struct interp_event){BLINK_EXC_DF, EVENT_EXCEPTION, 0};
        else
            e = refused;
    }
}

bool system_fault(struct vcpu *v) {
    const struct blink_cpu *cpu = v->cpu;
    struct interp_event e = {(uint32_t)cpu->exit_info, EVENT_EXCEPTION, cpu->exit_error};
    return deliver(v, e, cpu->rip);
}

bool system_interrupt(struct vcpu *v) {
    const struct blink_cpu *cpu = v->cpu;
    bool privileged = cpu->exit_error & BLINK_INT_PRIVILEGED;
    struct interp_event e = {(uint32_t)cpu->exit_info,
                             privileged ? EVENT_EXCEPTION : EVENT_SOFTWARE, 0};
    return deliver(v, e, cpu->rip - (cpu->exit_error & 15));
}

bool system_syscall(struct vcpu *v) {
    struct blink_cpu *cpu = v->cpu;
    if (interp_syscall(cpu))
        return true;
    cpu->rip -= 2;
    return deliver(v, (struct interp_event){BLINK_EXC_UD, EVENT_EXCEPTION, 0}, cpu->rip);
}

/* ---- interrupts ---- */

/* An interrupt or NMI that the processor takes now. */
static bool waits(const struct vcpu *v) {
    if (__atomic_load_n(&v->exec->nmi, __ATOMIC_RELAXED) && !v->context.nmi_masked)
        return true;
    return v->intr && (v->cpu->flags & BLINK_IF);
}

bool system_waits(const struct vcpu *v) {
    return v->context.remapped || v->cpu->shadow || waits(v) || v->cpu->apic_base != v->apic_base ||
           __atomic_load_n(&v->exec->reset_wanted, __ATOMIC_RELAXED);
}

void system_irq(struct vcpu *v) {
    v->intr = v->exec->options.bus && bus_intr(v->exec->options.bus);
}

static bool take(struct vcpu *v) {
    struct exec *x = v->exec;
    uint32_t vector = BLINK_EXC_NMI;
    if (!v->context.nmi_masked && __atomic_exchange_n(&x->nmi, 0, __ATOMIC_SEQ_CST)) {
        v->context.nmi_masked = 1;
    } else if (!bus_acknowledge(x->options.bus, &vector)) {
        v->intr = false;
        return true;
    }
    system_irq(v);
    return deliver(v, (struct interp_event){vector, EVENT_EXTERNAL, 0}, v->cpu->rip);
}

/* ---- breakpoints ---- */

bool system_breaks(struct vcpu *v) {
    struct blink_cpu *cpu = v->cpu;
    uint64_t at = cpu->seg[BLINK_SEG_CS].base + cpu->rip, hits = 0;
    v->context.watch_hits = 0;
    if ((cpu->mode & BLINK_MODE_BITS) != BLINK_MODE_BITS64)
        at = (uint32_t)at;
    for (uint32_t k = 0; k < 4; k++)
        if ((cpu->dr[7] >> k * 2 & 3) && !(cpu->dr[7] >> (16 + k * 4) & 3) && cpu->dr[k] == at)
            hits |= UINT64_C(1) << k;
    bool resumes = cpu->flags & BLINK_RF;
    cpu->flags &= ~(uint64_t)BLINK_RF;
    if (!hits || resumes)
        return false;
    cpu->dr[6] |= hits;
    cpu->exit_reason = BLINK_EXIT_FAULT;
    cpu->exit_info = BLINK_EXC_DB;
    cpu->exit_error = 0;
    /* The handler goes on at the same instruction. */
    cpu->flags |= BLINK_RF;
    return true;
}

/* ---- rounds of the loop ---- */

static bool reset(struct vcpu *v) {
    struct exec *x = v->exec;
    v->context.nmi_masked = 0;
    v->context.remapped |= INTERP_REMAP_ALL;
    v->context.watch_hits = 0;
    __atomic_store_n(&x->nmi, 0, __ATOMIC_SEQ_CST);
    cpu_reset(v->cpu);
    mem_tlb_flush(v->cpu);
    int rc = x->options.hooks.reset ? x->options.hooks.reset(x->options.hooks.machine) : -1;
    system_irq(v);
    if (rc)
        process_exit(x->options.hooks.machine, EXEC_STATUS_SHUTDOWN);
    return rc == 0;
}

/* The local APIC's place and whether it is on: by WRMSR or a reset. */
static void move_apic(struct vcpu *v) {
    v->apic_base = v->cpu->apic_base;
    vcpu_unpin(v); /* code may have stood where it is now */
    if (v->exec->options.bus)
        bus_set_apic_base(v->exec->options.bus, v->apic_base);
    system_irq(v);
}

enum system_round system_round(struct vcpu *v) {
    if (__atomic_load_n(&v->exec->reset_wanted, __ATOMIC_RELAXED)) {
        __atomic_store_n(&v->exec->reset_wanted, 0, __ATOMIC_SEQ_CST);
        return reset(v) ? SYSTEM_AGAIN : SYSTEM_END;
    }
    if (v->cpu->apic_base != v->apic_base)
        move_apic(v);
    if (v->context.clock && clock_left(v) == 0) {
        clock_attend(v);
        system_irq(v);
    }
    if (v->context.remapped) {
        if (v->context.remapped & INTERP_REMAP_ALL)
            remap_forget_code(v);
        else
            remap_forget_caches(v);
        v->context.remapped = 0;
    }
    if (!v->cpu->shadow && waits(v)) {
        vcpu_unpin(v);
        return take(v) ? SYSTEM_AGAIN : SYSTEM_END;
    }
    return SYSTEM_GO;
}

/* The bit of virtual time, which is always there, must not end the sleep. */
static void halt_sleep(struct vcpu *v, int64_t wait) {
    attention_clear(v->cpu, BLINK_ATTN_CLOCK);
    signals_sleep(v, wait);
    if (v->context.clock)
        attention_set(v->cpu, BLINK_ATTN_CLOCK);
}

bool system_halt(struct vcpu *v) {
    struct blink_cpu *cpu = v->cpu;
    struct exec *x = v->exec;
    cpu->shadow = 0;
    for (;;) {
        uint32_t a = __atomic_load_n(&cpu->attention, __ATOMIC_SEQ_CST);
        if (a & BLINK_ATTN_STOP)
            return false;
        attention_clear(cpu, BLINK_ATTN_IRQ | BLINK_ATTN_TIMER);
        int64_t wait = x->options.bus ? bus_run_timers(x->options.bus) : -1;
        system_irq(v);
        if (waits(v) || __atomic_load_n(&x->reset_wanted, __ATOMIC_SEQ_CST) ||
            (a & (BLINK_ATTN_STEP | BLINK_ATTN_SIGNAL)))
            break;
        /* Timers may be about to run, and end in nothing that it would take. */
        if (!(cpu->flags & BLINK_IF)) {
            exec_log(x, BLINK_LOG_INFO, "halted for ever at %#llx; stopping",
                     (unsigned long long)cpu->rip);
            process_exit(x->options.hooks.machine, 0);
            return false;
        }
        if (wait > 0 && v->context.clock)
            clock_skip(v, (uint64_t)wait);
        else if (wait != 0)
            halt_sleep(v, wait);
    }
    /* The alarm of the timers has to be set anew. */
    attention_set(cpu, BLINK_ATTN_TIMER);
    return true;
}

/* ---- blink.system/1 ---- */

static struct vcpu *first_of(struct blink_machine *machine) {
    struct exec *x = machine_exec(machine);
    return x->system ? x->first : NULL;
}

static void set_a20(struct blink_machine *machine, uint32_t open) {
    struct vcpu *v = first_of(machine);
    uint32_t mask = open ? UINT32_MAX : ~(UINT32_C(1) << 20);
    if (!v || v->cpu->a20_mask == mask)
        return;
    v->cpu->a20_mask = mask;
    mem_tlb_flush(v->cpu);
    v->context.remapped |= INTERP_REMAP_ALL;
    /* The block under execution ends after its present instruction. */
    attention_set(v->cpu, BLINK_ATTN_IRQ);
}

static uint32_t a20(struct blink_machine *machine) {
    const struct vcpu *v = first_of(machine);
    return !v || (v->cpu->a20_mask >> 20 & 1);
}

static void tell(struct vcpu *v) {
    signals_attention(v, BLINK_ATTN_IRQ);
}

static void want_reset(struct blink_machine *machine) {
    struct vcpu *v = first_of(machine);
    if (!v)
        return;
    __atomic_store_n(&v->exec->reset_wanted, 1, __ATOMIC_SEQ_CST);
    tell(v);
}

static void power_off(struct blink_machine *machine, int32_t status) {
    if (first_of(machine))
        process_exit(machine, status);
}

static void take_nmi(struct blink_machine *machine) {
    struct vcpu *v = first_of(machine);
    if (!v)
        return;
    __atomic_store_n(&v->exec->nmi, 1, __ATOMIC_SEQ_CST);
    tell(v);
}

static void nmi(struct blink_machine *machine) {
    const struct exec *x = machine_exec(machine);
    if (!x->options.bus || bus_nmi(x->options.bus))
        take_nmi(machine);
}

static uint64_t ram_size(struct blink_machine *machine) {
    const struct exec *x = machine_exec(machine);
    uint64_t low, high, top = 0;
    if (x->system)
        mem_iface.get_layout(x->mem, &low, &high, &top);
    return top;
}

const struct blink_system_iface system_iface = {
    .struct_size = sizeof system_iface,
    .set_a20 = set_a20,
    .a20 = a20,
    .reset = want_reset,
    .power_off = power_off,
    .nmi = nmi,
    .ram_size = ram_size,
    .take_nmi = take_nmi,
};
