/*
 * Far transfers: JMPF CALLF RETF IRET, and SYSRET, SYSENTER, SYSEXIT. Those of real mode, and of
 * programs without descriptor tables, are here; what goes through tables is transfer.h's.
 */
#include "cpu/cpu.h"
#include "interp/alu.h"
#include "interp/chain.h"
#include "interp/segment.h"
#include "interp/stack.h"
#include "interp/transfer.h"
#include "mem/space.h"

/* Go to a new CS:RIP; the mode may differ, so the loop looks the block up. */
static const struct blink_insn *go_far(struct blink_cpu *cpu, const struct blink_insn *i,
                                       const struct blink_seg *cs, uint64_t rip) {
    cpu->icount += interp_block_of(i + 1)->count;
    cpu->seg[BLINK_SEG_CS] = *cs;
    cpu_update_mode(cpu);
    if (cpu->flags & BLINK_TF)
        __atomic_fetch_or(&cpu->attention, BLINK_ATTN_STEP, __ATOMIC_RELAXED);
    return chain_miss(cpu, NULL, 0, rip);
}

/* The processor's tables decide: protected mode, and IRET of virtual-8086 mode. */
static bool has_tables(const struct blink_cpu *cpu) {
    return (cpu->cr0 & CR0_PE) && !has_no_table(cpu);
}
static bool has_far_tables(const struct blink_cpu *cpu) {
    return (cpu->mode & BLINK_MODE_PROT) && !has_no_table(cpu);
}

static const struct blink_insn *through_tables(struct blink_cpu *cpu, const struct blink_insn *i,
                                               struct transfer *t, transfer_work *work) {
    t->cpu = cpu;
    t->next = next_rip(i);
    t->size = i->opsize;
    FAULTS();
    if (transfer_attempt(t, work)) {
        cpu->icount += interp_block_of(i + 1)->count;
        return chain_miss(cpu, NULL, 0, cpu->rip);
    }
    if (!t->committed && t->vector == BLINK_EXC_PF)
        interp_raise_page(cpu, t->address, t->error);
    if (!t->committed)
        interp_raise(cpu, t->vector, t->error);
    /* A fault of the task that was switched to: rip is in it already. */
    cpu->icount += interp_block_of(i + 1)->count;
    if (t->vector == BLINK_EXC_PF)
        cpu->cr2 = t->address;
    cpu->exit_reason = BLINK_EXIT_FAULT;
    cpu->exit_info = t->vector;
    cpu->exit_error = t->error;
    return NULL;
}

static void check_rip(struct blink_cpu *cpu, const struct blink_insn *i, const struct blink_seg *cs,
                      uint64_t rip) {
    bool wide = (cpu->efer & EFER_LMA) && (cs->attr & 0x2000);
    if (wide ? !cpu_canonical(rip) : rip > cs->limit)
        RAISE(BLINK_EXC_GP, 0);
}

/* Target of JMPF and CALLF: immediate, or offset then selector in memory. */
static uint64_t far_target(struct blink_cpu *cpu, const struct blink_insn *i, uint16_t *selector) {
    if (i->opnd[0].kind != BLINK_OPND_MEM) {
        *selector = (uint16_t)i->disp;
        return i->opsize == 2 ? (uint16_t)i->imm : (uint32_t)i->imm;
    }
    /* Offsets of 64 bits do not exist on AMD's processors: REX.W only widens what is pushed. */
    uint32_t size = i->opnd[0].size - 2u;
    uint64_t m = ea(cpu, i), offset = ld_sized(cpu, i, m, size);
    *selector = ld16(cpu, i, m + size);
    return offset;
}

HANDLER(jmp_far) {
    uint16_t selector;
    uint64_t rip = far_target(cpu, i, &selector);
    if (has_far_tables(cpu)) {
        struct transfer t = {.selector = selector, .rip = rip, .call = false};
        return through_tables(cpu, i, &t, transfer_far);
    }
    struct blink_seg cs = INTERP_FN(code_segment)(cpu, i, selector);
    check_rip(cpu, i, &cs, rip);
    return go_far(cpu, i, &cs, rip);
}

HANDLER(call_far) {
    uint16_t selector;
    uint64_t rip = far_target(cpu, i, &selector);
    if (has_far_tables(cpu)) {
        struct transfer t = {.selector = selector, .rip = rip, .call = true};
        return through_tables(cpu, i, &t, transfer_far);
    }
    struct blink_seg cs = INTERP_FN(code_segment)(cpu, i, selector);
    uint32_t size = i->opsize;
    check_rip(cpu, i, &cs, rip);
    stack_poke(cpu, i, size, -(int64_t)size, cpu->seg[BLINK_SEG_CS].selector);
    stack_poke(cpu, i, size, -2 * (int64_t)size, next_rip(i));
    stack_move(cpu, -2 * (int64_t)size);
    return go_far(cpu, i, &cs, rip);
}

HANDLER(ret_far) {
    uint32_t size = i->opsize;
    if (has_far_tables(cpu)) {
        struct transfer t = {.release = (uint32_t)(i->imm & 0xffff)};
        return through_tables(cpu, i, &t, transfer_retf);
    }
    uint64_t rip = stack_peek(cpu, i, size, 0);
    uint16_t selector = (uint16_t)stack_peek(cpu, i, size, size);
    if ((cpu->mode & BLINK_MODE_PROT) && (selector & 3) != cpu->cpl)
        RAISE(BLINK_EXC_GP, selector & 0xfffc);
    struct blink_seg cs = INTERP_FN(code_segment)(cpu, i, selector);
    check_rip(cpu, i, &cs, rip);
    stack_move(cpu, 2 * (int64_t)size + (int64_t)(i->imm & 0xffff));
    return go_far(cpu, i, &cs, rip);
}

/* Flags that IRET may change at this privilege. */
static uint64_t iret_mask(const struct blink_cpu *cpu, uint32_t size) {
    uint64_t mask =
        BLINK_FLAGS_ARITH | BLINK_TF | BLINK_DF | BLINK_NT | BLINK_RF | BLINK_AC | BLINK_ID;
    if (cpu->cpl <= (cpu->flags & BLINK_IOPL) >> 12)
        mask |= BLINK_IF;
    if (cpu->cpl == 0)
        mask |= BLINK_IOPL;
    return size == 2 ? mask & 0xffff : mask;
}

HANDLER(iret) {
    uint32_t size = i->opsize;
    bool wide = (cpu->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64;
    context_of(cpu)->nmi_masked = 0;
    if (has_tables(cpu)) {
        struct transfer t = {.size = size};
        return through_tables(cpu, i, &t, transfer_iret);
    }
    uint64_t rip = stack_peek(cpu, i, size, 0);
    uint16_t selector = (uint16_t)stack_peek(cpu, i, size, size);
    uint64_t fl = stack_peek(cpu, i, size, 2 * size), old = blink_cpu_get_flags(cpu);
    if ((cpu->mode & BLINK_MODE_PROT) &&
        ((selector & 3) != cpu->cpl || (!wide && (fl & BLINK_VM) && cpu->cpl == 0)))
        RAISE(BLINK_EXC_GP, selector & 0xfffc);
    uint64_t rsp = wide ? stack_peek(cpu, i, size, 3 * size) : 0;
    uint16_t ss = wide ? (uint16_t)stack_peek(cpu, i, size, 4 * size) : 0;
    struct blink_seg cs = INTERP_FN(code_segment)(cpu, i, selector);
    check_rip(cpu, i, &cs, rip);
    uint64_t mask = iret_mask(cpu, size);
    if (wide) {
        INTERP_FN(load_segment)(cpu, i, BLINK_SEG_SS, ss);
        put_sized(cpu, BLINK_RSP, size, rsp);
    } else {
        stack_move(cpu, 3 * (int64_t)size);
    }
    blink_cpu_set_flags(cpu, (old & ~mask) | (fl & mask));
    return go_far(cpu, i, &cs, rip);
}

/* Flat code and stack segments as SYSRET, SYSENTER and SYSEXIT set them without any table. */
static void flat_stack(struct blink_cpu *cpu, uint16_t selector, uint32_t dpl) {
    cpu->seg[BLINK_SEG_SS] =
        (struct blink_seg){0, UINT32_MAX, selector, (uint16_t)(0xc093 | dpl << 5)};
}
static struct blink_seg flat_code(uint16_t selector, uint32_t dpl, bool wide) {
    return (struct blink_seg){0, UINT32_MAX, selector,
                              (uint16_t)((wide ? 0xa09b : 0xc09b) | dpl << 5)};
}

HANDLER(sysret) {
    bool wide = i->opsize == 8;
    if (cpu->cpl != 0 || !(cpu->cr0 & CR0_PE))
        RAISE(BLINK_EXC_GP, 0);
    if (!(cpu->efer & EFER_SCE))
        RAISE(BLINK_EXC_UD, 0);
    uint64_t rip = wide ? cpu->gpr[BLINK_RCX] : get32(cpu, BLINK_RCX);
    uint16_t base = (uint16_t)(cpu->star >> 48);
    struct blink_seg cs = flat_code((uint16_t)((wide ? base + 16 : base) | 3), 3, wide);
    if (wide && !cpu_canonical(rip))
        RAISE(BLINK_EXC_GP, 0);
    uint64_t fl = cpu->gpr[BLINK_R11] & UINT64_C(0x3c7fd7);
    flat_stack(cpu, (uint16_t)((base + 8) | 3), 3);
    blink_cpu_set_flags(cpu, fl);
    mem_set_cpl(cpu, 3);
    return go_far(cpu, i, &cs, rip);
}

HANDLER(sysenter) {
    uint16_t base = (uint16_t)(cpu->sysenter_cs & 0xfffc);
    bool wide = cpu->efer & EFER_LMA;
    if (!(cpu->cr0 & CR0_PE) || base == 0)
        RAISE(BLINK_EXC_GP, 0);
    struct blink_seg cs = flat_code(base, 0, wide);
    flat_stack(cpu, (uint16_t)(base + 8), 0);
    cpu->flags &= ~(uint64_t)(BLINK_VM | BLINK_IF | BLINK_RF);
    cpu->gpr[BLINK_RSP] = wide ? cpu->sysenter_esp : (uint32_t)cpu->sysenter_esp;
    mem_set_cpl(cpu, 0);
    return go_far(cpu, i, &cs, wide ? cpu->sysenter_eip : (uint32_t)cpu->sysenter_eip);
}

HANDLER(sysexit) {
    bool wide = i->opsize == 8;
    uint16_t base = (uint16_t)(cpu->sysenter_cs & 0xfffc);
    if (cpu->cpl != 0 || !(cpu->cr0 & CR0_PE) || base == 0)
        RAISE(BLINK_EXC_GP, 0);
    uint64_t rip = wide ? cpu->gpr[BLINK_RDX] : get32(cpu, BLINK_RDX);
    struct blink_seg cs = flat_code((uint16_t)((base + (wide ? 32 : 16)) | 3), 3, wide);
    flat_stack(cpu, (uint16_t)((base + (wide ? 40 : 24)) | 3), 3);
    cpu->gpr[BLINK_RSP] = wide ? cpu->gpr[BLINK_RCX] : get32(cpu, BLINK_RCX);
    mem_set_cpl(cpu, 3);
    return go_far(cpu, i, &cs, rip);
}

interp_handler *INTERP_FN(bind_far)(const struct blink_insn *i, uint32_t mode) {
    (void)mode;
    switch (i->op) {
    case BLINK_OP_JMPF: return jmp_far;
    case BLINK_OP_CALLF: return call_far;
    case BLINK_OP_RETF: return ret_far;
    case BLINK_OP_IRET: return iret;
    case BLINK_OP_SYSRET: return sysret;
    case BLINK_OP_SYSENTER: return sysenter;
    case BLINK_OP_SYSEXIT: return sysexit;
    default: return NULL;
    }
}
