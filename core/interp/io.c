/*
 * Port I/O: IN OUT INS OUTS. At a privilege above IOPL only ports that the task's permission map
 * or, under a guest ABI, a device's claim allows. AMD64 manual volume 2, 12.2.4.
 */
#include "bus/bus.h"
#include "interp/limit.h"
#include "mem/space.h"

/* Two bytes of the task-state segment, with the rights of the processor; #GP beyond its limit. */
static uint16_t task_word(struct blink_cpu *cpu, const struct blink_insn *i, uint32_t at) {
    struct mem_fault fault;
    uint16_t v = 0;
    if (at + 1 > cpu->tr.limit)
        RAISE(BLINK_EXC_GP, 0);
    FAULTS();
    if (!mem_read_system(cpu, cpu->tr.base + at, &v, sizeof v, &fault))
        interp_fault_from(cpu, &fault);
    return v;
}

static void check_port(struct blink_cpu *cpu, const struct blink_insn *i, uint16_t port,
                       uint32_t size) {
    struct interp_context *c = context_of(cpu);
    uint32_t iopl = (uint32_t)(cpu->flags & BLINK_IOPL) >> 12;
    if (!(cpu->mode & BLINK_MODE_VM86) && cpu->cpl <= iopl)
        return;
    if (c->user_ports && c->bus && bus_port_claimed(c->bus, port, size))
        return;
    /* Only task states of 32 bits have a map. */
    if (c->user_ports || (cpu->tr.attr & 0x88) != 0x88)
        RAISE(BLINK_EXC_GP, 0);
    /* The I/O permission map of the task-state segment. */
    uint16_t map = task_word(cpu, i, 0x66);
    uint16_t bits = task_word(cpu, i, map + port / 8u);
    if ((bits >> (port & 7)) & ((1u << size) - 1))
        RAISE(BLINK_EXC_GP, 0);
}

static uint64_t read_port(struct blink_cpu *cpu, uint16_t port, uint32_t size) {
    struct blink_bus *bus = context_of(cpu)->bus;
    return bus ? bus_read_port(bus, port, size) : ~UINT64_C(0);
}
static void write_port(struct blink_cpu *cpu, uint16_t port, uint32_t size, uint64_t v) {
    struct blink_bus *bus = context_of(cpu)->bus;
    if (bus)
        bus_write_port(bus, port, size, v);
}

static inline uint16_t port_operand(struct blink_cpu *cpu, const struct blink_operand *o,
                                    const struct blink_insn *i) {
    return o->kind == BLINK_OPND_IMM ? (uint8_t)i->imm : get16(cpu, BLINK_RDX);
}

HANDLER(in) {
    uint32_t size = i->opnd[0].size;
    uint16_t port = port_operand(cpu, &i->opnd[1], i);
    check_port(cpu, i, port, size);
    FAULTS(); /* devices ask for the time */
    put_sized(cpu, BLINK_RAX, size, read_port(cpu, port, size));
    NEXT();
}
HANDLER(out) {
    uint32_t size = i->opnd[1].size;
    uint16_t port = port_operand(cpu, &i->opnd[0], i);
    check_port(cpu, i, port, size);
    FAULTS();
    write_port(cpu, port, size, get_sized(cpu, BLINK_RAX, size));
    NEXT();
}

/* One element of INS or OUTS; repetition comes back to the same instruction through the loop, so
 * events are seen in between. */
HANDLER(string_io) {
    bool rep = i->prefix & (BLINK_PFX_REP | BLINK_PFX_REPNE), input = i->op == BLINK_OP_INS;
    uint64_t mask = i->addrsize == 8 ? ~UINT64_C(0) : i->addrsize == 4 ? UINT32_MAX : 0xffff;
    uint32_t reg = input ? BLINK_RDI : BLINK_RSI, size = i->opsize;
    uint32_t seg = input ? BLINK_SEG_ES : i->seg;
    bool wide = (cpu->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64;
    uint64_t base = wide && input ? 0 : cpu->seg[seg].base;
    int64_t step = cpu->flags & BLINK_DF ? -(int64_t)size : size;
    uint16_t port = get16(cpu, BLINK_RDX);
    check_port(cpu, i, port, size);
    FAULTS();
    while (!rep || (cpu->gpr[BLINK_RCX] & mask)) {
        uint64_t a = base + (cpu->gpr[reg] & mask);
        check_limit(cpu, i, seg, cpu->gpr[reg] & mask,
                    input ? BLINK_ACCESS_WRITE : BLINK_ACCESS_READ);
        if (!wide)
            a = (uint32_t)a;
        if (input) {
            /* Make sure of the store before the port is read: a read has effects. */
            uint64_t v = 0;
            loadw_bytes(cpu, i, a, &v, size);
            st_sized(cpu, i, a, size, v);
            st_sized(cpu, i, a, size, read_port(cpu, port, size));
        } else {
            write_port(cpu, port, size, ld_sized(cpu, i, a, size));
        }
        put_sized(cpu, reg, i->addrsize, cpu->gpr[reg] + (uint64_t)step);
        if (!rep)
            break;
        put_sized(cpu, BLINK_RCX, i->addrsize, cpu->gpr[BLINK_RCX] - 1);
        uint32_t wanted = __atomic_load_n(&cpu->attention, __ATOMIC_RELAXED);
        if ((cpu->gpr[BLINK_RCX] & mask) && (wanted & ~BLINK_ATTN_CLOCK)) {
            FAULTS();
            interp_settle(cpu);
            cpu->exit_reason = BLINK_EXIT_ATTENTION;
            return NULL;
        }
    }
    NEXT();
}

interp_handler *INTERP_FN(bind_IO)(const struct blink_insn *i, uint32_t mode) {
    (void)mode;
    switch (i->op) {
    case BLINK_OP_IN: return in;
    case BLINK_OP_OUT: return out;
    case BLINK_OP_INS:
    case BLINK_OP_OUTS: return string_io;
    default: return NULL;
    }
}
