/*
 * The rare paths of the interpreter, shared by both memory strategies: 16- and 32-bit addressing,
 * TLB misses, accesses that cross a page, memory of devices.
 */
#include <string.h>

#include "bus/bus.h"
#include "cpu/cpu.h"
#include "interp/interp.h"
#include "interp/slow.h"
#include "mem/space.h"

bool interp_segment_allows(const struct blink_seg *g, uint32_t access) {
    bool code = g->attr & 0x08, more = g->attr & 0x02; /* data: writable; code: readable */
    if (access & BLINK_ACCESS_WRITE)
        return !code && more;
    return !code || more;
}

static void segment_check(struct blink_cpu *cpu, const struct blink_insn *i, uint32_t seg,
                          uint64_t offset, uint32_t size, uint32_t access) {
    const struct blink_seg *g = &cpu->seg[seg];
    bool down = (g->attr & 0x0c) == 0x04 && (g->attr & 0x10);
    uint64_t top = g->attr & 0x4000 ? UINT32_MAX : 0xffff;
    uint64_t last = offset + (size ? size - 1 : 0);
    bool bad = down ? offset <= g->limit || last > top : last > g->limit;
    /* Protected mode: a null selector cannot be used (its descriptor is not present). */
    if ((cpu->mode & BLINK_MODE_PROT) && (!(g->attr & 0x80) || !interp_segment_allows(g, access)))
        bad = true;
    if (bad) {
        cpu->insn = i;
        interp_raise(cpu, seg == BLINK_SEG_SS ? BLINK_EXC_SS : BLINK_EXC_GP, 0);
    }
}

uint64_t interp_linear(struct blink_cpu *cpu, const struct blink_insn *i, uint32_t seg,
                       uint64_t offset, uint32_t size, uint32_t access) {
    if (i->addrsize != 8)
        offset = i->addrsize == 4 ? (uint32_t)offset : (uint16_t)offset;
    if ((cpu->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64)
        return offset + cpu->seg[seg].base;
    segment_check(cpu, i, seg, offset, size, access);
    return (uint32_t)(offset + cpu->seg[seg].base);
}

/* Bytes of the operands whose size the operation alone fixes. */
static uint32_t image_size(const struct blink_insn *i) {
    bool narrow = i->opsize == 2;
    switch (i->op) {
    case BLINK_OP_FLDENV:
    case BLINK_OP_FNSTENV: return narrow ? 14 : 28;
    case BLINK_OP_FRSTOR:
    case BLINK_OP_FNSAVE: return narrow ? 94 : 108;
    case BLINK_OP_FXSAVE:
    case BLINK_OP_FXRSTOR: return 512;
    default: return 0;
    }
}

uint64_t interp_ea_moved(struct blink_cpu *cpu, const struct blink_insn *i, int64_t by) {
    uint64_t a = cpu->gpr[i->base] + (cpu->gpr[i->index] << i->scale) + (uint64_t)(i->disp + by);
    uint32_t size = 0, access = 0;
    for (uint32_t k = 0; k < 4; k++) {
        if (i->opnd[k].kind != BLINK_OPND_MEM)
            continue;
        size = i->opnd[k].size ? i->opnd[k].size : image_size(i);
        access = i->opnd[k].access;
    }
    return interp_linear(cpu, i, i->seg, a, size, access);
}

uint64_t interp_ea_legacy(struct blink_cpu *cpu, const struct blink_insn *i) {
    return interp_ea_moved(cpu, i, 0);
}

static bool uses_stack(uint32_t op) {
    switch (op) {
    case BLINK_OP_PUSH:
    case BLINK_OP_POP:
    case BLINK_OP_PUSHF:
    case BLINK_OP_POPF:
    case BLINK_OP_ENTER:
    case BLINK_OP_LEAVE:
    case BLINK_OP_CALL:
    case BLINK_OP_CALLF:
    case BLINK_OP_RET:
    case BLINK_OP_RETF:
    case BLINK_OP_IRET: return true;
    default: return false;
    }
}

uint32_t interp_noncanonical_vector(struct blink_cpu *cpu, const struct blink_insn *i) {
    for (uint32_t k = 0; k < 4; k++) {
        if (i->opnd[k].kind != BLINK_OPND_MEM)
            continue;
        uint64_t a = interp_ea_legacy(cpu, i);
        /* Their addresses have parts that the operand does not show. */
        bool gather = i->op >= BLINK_OP_VGATHERDPD && i->op <= BLINK_OP_VPGATHERQQ;
        bool bit = i->op >= BLINK_OP_BT && i->op <= BLINK_OP_BTC;
        bool stack = i->seg == BLINK_SEG_NONE && (i->base == BLINK_RSP || i->base == BLINK_RBP);
        if (gather || bit || !cpu_canonical(a) || !cpu_canonical(a + i->opnd[k].size))
            return stack ? BLINK_EXC_SS : BLINK_EXC_GP;
    }
    return uses_stack(i->op) ? BLINK_EXC_SS : BLINK_EXC_GP;
}

void interp_raise_misaligned(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t a) {
    cpu->insn = i;
    interp_raise(cpu, cpu_canonical(a) ? BLINK_EXC_GP : interp_noncanonical_vector(cpu, i), 0);
}

void interp_fault_from(struct blink_cpu *cpu, const struct mem_fault *fault) {
    struct interp_context *c = cpu->exec_private;
    if (fault->vector == MEM_VECTOR_SMC)
        interp_raise_smc(cpu);
    c->page_faults++;
    if (fault->vector == BLINK_EXC_PF)
        interp_raise_page(cpu, fault->address, fault->error);
    cpu->cr2 = fault->vector == BLINK_EXC_BUS ? fault->address : cpu->cr2;
    if (fault->vector == BLINK_EXC_GP)
        interp_raise(cpu, interp_noncanonical_vector(cpu, cpu->insn), 0);
    interp_raise(cpu, fault->vector, fault->error);
}

/* Where a byte is: host memory, or a physical address without RAM, for a device or nobody. */
struct place {
    uint8_t *host;
    uint64_t phys;
};

static struct place translate(struct blink_cpu *cpu, uint64_t a, uint32_t access) {
    struct interp_context *c = cpu->exec_private;
    struct mem_fault fault;
    c->tlb_misses++;
    void *p = mem_translate(cpu, a, access, &fault);
    if (!p && fault.vector)
        interp_fault_from(cpu, &fault);
    /* With virtual time what a device does comes right after the instruction that made it. */
    if (!p && c->clock && !c->alone)
        interp_raise_alone(cpu);
    return (struct place){p, p ? 0 : fault.address};
}

/* As the bus has it: pieces of 8, 4, 2 and 1 bytes. Nobody answers with ones. */
static uint32_t bus_piece(uint32_t size) {
    return size >= 8 ? 8 : size >= 4 ? 4 : size >= 2 ? 2 : 1;
}

static void load_from(struct blink_cpu *cpu, struct place from, uint8_t *out, uint32_t size) {
    struct blink_bus *bus = ((struct interp_context *)cpu->exec_private)->bus;
    if (from.host) {
        memcpy(out, from.host, size);
        return;
    }
    for (uint32_t n; size; size -= n, out += n, from.phys += n) {
        uint64_t v = ~UINT64_C(0);
        n = bus_piece(size);
        if (bus)
            bus_read_memory(bus, from.phys, n, &v);
        memcpy(out, &v, n);
    }
}

static void store_to(struct blink_cpu *cpu, struct place to, const uint8_t *in, uint32_t size) {
    struct blink_bus *bus = ((struct interp_context *)cpu->exec_private)->bus;
    if (to.host) {
        memcpy(to.host, in, size);
        return;
    }
    for (uint32_t n; bus && size; size -= n, in += n, to.phys += n) {
        uint64_t v = 0;
        n = bus_piece(size);
        memcpy(&v, in, n);
        bus_write_memory(bus, to.phys, n, v);
    }
}

/* How many of the `size` bytes at `a` lie in its page. */
static uint32_t in_page(uint64_t a, uint32_t size) {
    uint32_t room = BLINK_PAGE_SIZE - (uint32_t)(a & (BLINK_PAGE_SIZE - 1));
    return room < size ? room : size;
}

/* Data breakpoints: remembered until the instruction is done. AMD64 manual volume 2, 13.1.3. */
static void watch(struct blink_cpu *cpu, uint64_t a, uint32_t size, bool write) {
    static const uint8_t length[] = {1, 2, 8, 4};
    struct interp_context *c = cpu->exec_private;
    for (uint32_t k = 0; k < 4; k++) {
        uint32_t how = cpu->dr[7] >> (16 + k * 4) & 15, wide = length[how >> 2];
        uint64_t first = cpu->dr[k] & ~(uint64_t)(wide - 1);
        bool on = (cpu->dr[7] >> k * 2 & 3) && (how & 3) && ((how & 3) == 3 || write);
        if (on && (how & 3) != 2 && a < first + wide && first < a + size)
            c->watch_hits |= 1u << k;
    }
}
static inline bool watching(const struct blink_cpu *cpu) {
    return cpu->dr[7] & DR7_ENABLED;
}

void interp_load_slow(struct blink_cpu *cpu, uint64_t a, void *out, uint32_t size, uint32_t rmw) {
    uint32_t access = rmw ? BLINK_PROT_WRITE : BLINK_PROT_READ, first = in_page(a, size);
    if (watching(cpu))
        watch(cpu, a, size, rmw);
    struct place p = translate(cpu, a, access), q = {NULL, 0};
    /* Both pages before the first byte: a device's registers may change by being read. */
    if (first < size)
        q = translate(cpu, a + first, access);
    load_from(cpu, p, out, first);
    if (first < size)
        load_from(cpu, q, (uint8_t *)out + first, size - first);
}

void interp_store_slow(struct blink_cpu *cpu, uint64_t a, const void *in, uint32_t size) {
    uint32_t first = in_page(a, size);
    if (watching(cpu))
        watch(cpu, a, size, true);
    struct place p = translate(cpu, a, BLINK_PROT_WRITE), q = {NULL, 0};
    if (first < size)
        q = translate(cpu, a + first, BLINK_PROT_WRITE);
    store_to(cpu, p, in, first);
    if (first < size)
        store_to(cpu, q, (const uint8_t *)in + first, size - first);
}

void *interp_atomic_slow(struct blink_cpu *cpu, uint64_t a, uint32_t size) {
    if (watching(cpu))
        watch(cpu, a, size, true);
    struct place p = translate(cpu, a, BLINK_PROT_WRITE);
    if (in_page(a, size) < size) {
        translate(cpu, a + in_page(a, size), BLINK_PROT_WRITE);
        return NULL;
    }
    return p.host;
}
