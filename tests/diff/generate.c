/*
 * Makes trials: an instruction of the wanted operation, perhaps among others, with a state in which
 * its memory operands mostly hit memory, and its branches mostly the end.
 */
#include <string.h>

#include "diff.h"

/* One instruction under construction. */
struct draft {
    struct rng *r;
    struct trial *t;
    uint32_t dirty; /* general registers that an earlier instruction has changed */
    bool first;
    const struct shape *shape;
    uint8_t bytes[40];
    uint32_t n;
    uint8_t rex_r, rex_x, rex_b;
    bool narrow; /* 67 */
    uint64_t base_of_segment;
    uint64_t data_base; /* of the segments that an instruction uses without an override */
    uint64_t target;    /* where the memory operand is to be */
    bool riprel;
};

static bool is_long(const struct draft *d) {
    return d->t->mode == BLINK_MODE_BITS64;
}
/* Bytes of an address. */
static uint32_t address_size(const struct draft *d) {
    if (is_long(d))
        return d->narrow ? 4 : 8;
    return (d->t->mode == BLINK_MODE_BITS16) != d->narrow ? 2 : 4;
}

static bool is_clean(const struct draft *d, uint32_t reg) {
    return !(d->dirty >> reg & 1);
}

/* Where a memory operand goes: mostly good memory, sometimes its edges and what lies behind. */
static uint64_t random_target(struct rng *r) {
    uint64_t at;
    uint32_t kind = rng_below(r, 100);
    if (kind < 75)
        at = DATA_AT + 0x100 + rng_below(r, 0x1d00);
    else if (kind < 83)
        at = DATA_AT + 4096 - rng_below(r, 40);
    else if (kind < 90)
        at = CONST_AT - rng_below(r, 40);
    else if (kind < 95)
        at = CONST_AT + rng_below(r, 0x200);
    else if (kind < 98)
        at = CONST_AT + CONST_SIZE - rng_below(r, 40);
    else
        at = DATA_AT - rng_below(r, 40);
    return rng_chance(r, 60) ? at & ~UINT64_C(31) : at;
}

/* ---- encoding ---- */

static void put(struct draft *d, uint8_t byte) {
    d->bytes[d->n++] = byte;
}
static void put32(struct draft *d, uint32_t v) {
    memcpy(d->bytes + d->n, &v, 4);
    d->n += 4;
}

static bool has_lock_form(const struct shape *s) {
    return s->modrm == 1 && (op_attributes[s->op] & BLINK_OPATTR_LOCK) && !s->vex;
}

static void put_prefixes(struct draft *d) {
    static const uint8_t mandatory[] = {0, 0x66, 0xf3, 0xf2};
    const struct shape *s = d->shape;
    struct rng *r = d->r;
    d->base_of_segment = d->data_base;
    if (rng_chance(r, 6)) {
        put(d, 0x67);
        d->narrow = true;
    }
    /* Flat segments have nothing within 16 bits of address. */
    bool far = d->narrow && d->t->mode == BLINK_MODE_BITS32 && rng_chance(r, 80);
    if (far || rng_chance(r, 8)) {
        bool gs = rng_below(r, 2);
        put(d, gs ? 0x65 : 0x64);
        d->base_of_segment = gs ? d->t->state.gs : d->t->state.fs;
    } else if (!is_long(d) && rng_chance(r, 5)) {
        static const uint8_t idle[] = {0x26, 0x36, 0x3e};
        put(d, idle[rng_below(r, 3)]);
        if (d->bytes[d->n - 1] == 0x26 && d->t->state.seg[BLINK_SEG_ES] == LOCAL_DATA32)
            d->base_of_segment = DATA_AT;
    }
    if (has_lock_form(s) && rng_chance(r, 25))
        put(d, 0xf0);
    d->rex_r = rng_below(r, 2);
    d->rex_x = rng_below(r, 2);
    d->rex_b = rng_below(r, 2);
    if (s->vex) {
        if (!is_long(d))
            d->rex_r = d->rex_x = d->rex_b = 0;
        return;
    }
    if (s->pp)
        put(d, mandatory[s->pp]);
    else if (op_classes[s->op] == BLINK_CLASS_STRING && rng_chance(r, 50))
        put(d, rng_below(r, 2) ? 0xf3 : 0xf2);
    if (rng_chance(r, 40) || !is_long(d))
        d->rex_r = d->rex_x = d->rex_b = 0;
    if (!is_long(d))
        return;
    uint8_t rex = (uint8_t)(0x40 | s->wide << 3 | d->rex_r << 2 | d->rex_x << 1 | d->rex_b);
    if (rex != 0x40 || rng_chance(r, 10))
        put(d, rex);
}

static void put_opcode(struct draft *d) {
    const struct shape *s = d->shape;
    if (s->vex) {
        uint32_t v = s->uses_vvvv ? rng_below(d->r, is_long(d) ? 16 : 8) : 0;
        uint8_t last = (uint8_t)((~v & 15) << 3 | s->vlen << 2 | s->pp);
        bool two = s->map == 1 && !s->wide && rng_below(d->r, 2);
        if (two) {
            d->rex_x = d->rex_b = 0;
            put(d, 0xc5);
            put(d, (uint8_t)((d->rex_r ? 0 : 0x80) | last));
        } else {
            put(d, 0xc4);
            put(d, (uint8_t)((d->rex_r ? 0 : 0x80) | (d->rex_x ? 0 : 0x40) | (d->rex_b ? 0 : 0x20) |
                             s->map));
            put(d, (uint8_t)(s->wide << 7 | last));
        }
    } else {
        if (s->map)
            put(d, 0x0f);
        if (s->map > 1)
            put(d, s->map == 2 ? 0x38 : 0x3a);
    }
    put(d, s->opcode);
}

/* ---- memory operands ---- */

static uint64_t narrowed(const struct draft *d, uint64_t v) {
    return address_size(d) == 8 ? v : (uint32_t)v;
}

/* Elements of a vector index that stay within memory. */
static void set_vector_index(struct draft *d, uint32_t reg, uint32_t scale) {
    bool quads = d->shape->opcode & 1;
    uint8_t *low = d->t->state.xsave + 160 + 16 * reg, *high = d->t->state.xsave + 576 + 16 * reg;
    for (uint32_t k = 0; k < 8; k++) {
        int64_t v = ((int64_t)rng_below(d->r, 0x800) - 0x400) >> scale;
        uint8_t *at = (k < 4 ? low : high) + 4 * (k & 3);
        if (rng_chance(d->r, 2))
            v = (int64_t)rng_next(d->r);
        if (quads && (k & 1))
            continue;
        memcpy(at, &v, quads ? 8 : 4);
    }
}

/* The offset (within the segment) that a base register and displacement must make up. */
static void put_based(struct draft *d, uint8_t reg_field, uint32_t low_base, uint64_t rest,
                      uint64_t index_part, bool sib, uint8_t sib_byte) {
    uint32_t base = low_base | (uint32_t)d->rex_b << 3;
    struct state *s = &d->t->state;
    uint64_t want = rest - index_part;
    int64_t disp = (int32_t)rng_next(d->r) >> (8 + rng_below(d->r, 24));
    uint32_t mod;
    if (d->first && rng_chance(d->r, 60))
        s->gpr[base] = narrowed(d, want - (uint64_t)disp);
    disp = (int64_t)(want - s->gpr[base]);
    if (address_size(d) != 8)
        disp = (int32_t)disp;
    if (disp == 0 && low_base != 5)
        mod = 0;
    else if (disp == (int8_t)disp)
        mod = 1;
    else
        mod = 2;
    put(d, (uint8_t)(mod << 6 | reg_field << 3 | (sib ? 4 : low_base)));
    if (sib)
        put(d, sib_byte);
    if (mod == 1)
        put(d, (uint8_t)disp);
    else if (mod == 2)
        put32(d, (uint32_t)disp); /* out of reach is as good a case */
}

/* Sixteen bits: one or two of BX BP SI DI. */
static void put_memory16(struct draft *d, uint8_t reg_field) {
    static const uint8_t bases[8] = {BLINK_RBX, BLINK_RBX, BLINK_RBP, BLINK_RBP,
                                     BLINK_RSI, BLINK_RDI, BLINK_RBP, BLINK_RBX};
    static const uint8_t indices[4] = {BLINK_RSI, BLINK_RDI, BLINK_RSI, BLINK_RDI};
    struct state *s = &d->t->state;
    uint32_t rm = rng_below(d->r, 8), mod = rng_below(d->r, 3);
    uint16_t want = (uint16_t)(d->target - d->base_of_segment);
    if (mod == 0 && rm == 6) {
        put(d, (uint8_t)(reg_field << 3 | 6));
        put(d, (uint8_t)want);
        put(d, (uint8_t)(want >> 8));
        return;
    }
    uint16_t disp = mod == 0 ? 0 : mod == 1 ? (uint16_t)(int8_t)rng_next(d->r) : 0;
    uint16_t rest = rm < 4 ? (uint16_t)s->gpr[indices[rm]] : 0;
    if (mod == 2 && rng_chance(d->r, 50))
        disp = (uint16_t)rng_next(d->r);
    else if (mod == 2)
        disp = (uint16_t)(want - rest - (uint16_t)s->gpr[bases[rm]]);
    if (d->first && rng_chance(d->r, 80)) {
        uint64_t base = (uint16_t)(want - rest - disp);
        s->gpr[bases[rm]] = (s->gpr[bases[rm]] & ~UINT64_C(0xffff)) | base;
    }
    put(d, (uint8_t)(mod << 6 | reg_field << 3 | rm));
    if (mod)
        put(d, (uint8_t)disp);
    if (mod == 2)
        put(d, (uint8_t)(disp >> 8));
}

static void put_memory(struct draft *d, uint8_t reg_field) {
    struct rng *r = d->r;
    struct state *s = &d->t->state;
    const struct shape *shape = d->shape;
    bool vsib = shape->vex && shape->map == 2 && shape->opcode >= 0x90 && shape->opcode <= 0x93;
    uint64_t offset = d->target - d->base_of_segment;
    uint32_t base = rng_below(r, 8), index = rng_below(r, 8), scale = rng_below(r, 4);
    uint32_t kind = vsib ? 1 : rng_below(r, 10);
    if (address_size(d) == 2) {
        put_memory16(d, reg_field);
        return;
    }
    for (uint32_t k = 0; k < 8 && !is_clean(d, base | (uint32_t)d->rex_b << 3); k++)
        base = (base + 1) & 7;
    if (vsib) {
        set_vector_index(d, index | (uint32_t)d->rex_x << 3, scale);
        put_based(d, reg_field, base, offset, 0, true, (uint8_t)(scale << 6 | index << 3 | base));
        return;
    }
    if (kind < 5) { /* base */
        put_based(d, reg_field, base, offset, 0, base == 4, 0x24);
        return;
    }
    if (kind < 8) { /* base and index */
        uint32_t i = index | (uint32_t)d->rex_x << 3, b = base | (uint32_t)d->rex_b << 3;
        if (i == 4 || i == b || !is_clean(d, i)) {
            put_based(d, reg_field, base, offset, 0, true, (uint8_t)(0x20 | base));
            return;
        }
        if (d->first && rng_chance(r, 70))
            s->gpr[i] = (uint64_t)((int64_t)rng_below(r, 512) - 256);
        put_based(d, reg_field, base, offset, s->gpr[i] << scale, true,
                  (uint8_t)(scale << 6 | index << 3 | base));
        return;
    }
    if (kind == 8) { /* absolute */
        put(d, (uint8_t)(reg_field << 3 | 4));
        put(d, 0x25);
        d->rex_x = 0;
        put32(d, (uint32_t)offset);
        return;
    }
    put(d, (uint8_t)(reg_field << 3 | 5));
    put32(d, is_long(d) ? 0 : (uint32_t)offset);
    d->riprel = is_long(d);
}

/* ---- what an operation needs to do something ---- */

static void poke(struct trial *t, uint64_t at, const void *bytes, size_t size) {
    if (at >= DATA_AT && at + size <= DATA_AT + DATA_SIZE)
        memcpy(t->data + (at - DATA_AT), bytes, size);
}

static void set_first(struct draft *d, uint32_t reg, uint64_t v) {
    if (d->first)
        d->t->state.gpr[reg] = v;
}

/* Linear address of the top of the stack. */
static uint64_t stack_top(const struct draft *d) {
    uint64_t sp = d->t->state.gpr[BLINK_RSP];
    return d->t->mode == BLINK_MODE_BITS16 ? d->data_base + (uint16_t)sp : sp;
}

/* A far pointer to the end of the code in this mode, or in another, or to nothing. */
static uint16_t far_end(struct draft *d, uint64_t *offset) {
    static const struct {
        uint16_t selector;
        uint8_t mode;
    } ends[] = {{0x33, BLINK_MODE_BITS64},
                {0x23, BLINK_MODE_BITS32},
                {LOCAL_CODE16, BLINK_MODE_BITS16},
                {LOCAL(4), BLINK_MODE_BITS16}};
    const uint32_t count = sizeof ends / sizeof ends[0];
    uint32_t k = rng_below(d->r, count);
    for (uint32_t j = 0; rng_chance(d->r, 40) && j < count; j++)
        if (ends[j].mode == d->t->mode)
            k = j;
    *offset = rng_chance(d->r, 95) ? trial_end(ends[k].mode) : rng_next(d->r);
    return rng_chance(d->r, 90) ? ends[k].selector : segments_random(d->r);
}

/* Not from 64-bit code into other code or back: where the return address goes then differs by
 * maker, and one that goes below address 0 keeps the host's kernel busy for ever. */
static uint16_t call_target(const struct draft *d, uint16_t selector, uint64_t *offset) {
    bool into_long = (selector & ~3u) == 0x30;
    if (into_long == is_long(d))
        return selector;
    *offset = trial_end(d->t->mode);
    return is_long(d) ? 0x33 : d->t->mode == BLINK_MODE_BITS32 ? 0x23 : LOCAL_CODE16;
}

/* What far returns find on the stack. */
static void poke_frame(struct draft *d, const struct blink_insn *i, uint32_t words) {
    uint64_t offset, at = stack_top(d), frame[5];
    uint16_t cs = far_end(d, &offset);
    frame[0] = offset;
    frame[1] = cs;
    frame[2] = (rng_next(d->r) & (BLINK_FLAGS_ARITH | BLINK_DF | BLINK_IF | BLINK_ID)) | 2;
    frame[3] = DATA_AT + 0x400;
    frame[4] = rng_chance(d->r, 90) ? 0x2b : segments_random(d->r);
    for (uint32_t k = 0; k < words; k++)
        poke(d->t, at + k * i->opsize, &frame[k], i->opsize);
}

/* Selectors where an instruction takes them. */
static bool prepare_far(struct draft *d, const struct blink_insn *i) {
    uint64_t offset;
    uint16_t selector = segments_random(d->r);
    uint32_t size = i->opnd[0].size - 2u;
    /* What is half beyond the last offset comes round to the first, or faults. */
    if (d->base_of_segment == WHOLE16_AT && d->target + 8 > CONST_AT + CONST_SIZE)
        return false;
    switch (i->op) {
    case BLINK_OP_IRET: poke_frame(d, i, 5); return d->first;
    case BLINK_OP_RETF: poke_frame(d, i, 2); return d->first;
    case BLINK_OP_JMPF:
    case BLINK_OP_CALLF:
        selector = far_end(d, &offset);
        if (i->op == BLINK_OP_CALLF)
            selector = call_target(d, selector, &offset);
        if (i->opnd[0].kind == BLINK_OPND_MEM) {
            poke(d->t, d->target, &offset, size);
            poke(d->t, d->target + size, &selector, 2);
        } else {
            memcpy(d->bytes + i->off_imm, &offset, i->opsize);
            memcpy(d->bytes + i->off_imm + i->opsize, &selector, 2);
        }
        return true;
    case BLINK_OP_LDS:
    case BLINK_OP_LES:
    case BLINK_OP_LSS:
    case BLINK_OP_LFS:
    case BLINK_OP_LGS: poke(d->t, d->target + i->opnd[1].size - 2u, &selector, 2); return true;
    case BLINK_OP_POP: poke(d->t, stack_top(d), &selector, 2); return d->first;
    default: break;
    }
    for (uint32_t k = 0; k < 2; k++) {
        if (i->opnd[k].kind == BLINK_OPND_MEM)
            poke(d->t, d->target, &selector, 2);
        else if (i->opnd[k].kind == BLINK_OPND_GPR && rng_chance(d->r, 90))
            set_first(d, i->opnd[k].reg & 15, selector | (rng_next(d->r) & 0xffff0000));
    }
    return d->first;
}

static bool no_selectors; /* there are no segments to load here */

static bool has_selector(const struct blink_insn *i) {
    for (uint32_t k = 0; k < 4; k++)
        if (i->opnd[k].kind == BLINK_OPND_SEG)
            return true;
    return op_is_far(i->op);
}

static uint32_t valid_mxcsr(struct rng *r) {
    struct state s;
    uint32_t v;
    random_state(r, &s);
    memcpy(&v, s.xsave + 24, 4);
    return v;
}

static void prepare_string(struct draft *d, const struct blink_insn *i) {
    struct rng *r = d->r;
    if (i->prefix & (BLINK_PFX_REP | BLINK_PFX_REPNE)) {
        set_first(d, BLINK_RCX, rng_chance(r, 95) ? rng_below(r, 40) : rng_below(r, 2000));
        /* Compares that find something, or nothing, for a while. */
        if (rng_chance(r, 50)) {
            memset(d->t->data, (int)rng_below(r, 2), DATA_SIZE);
            d->t->data[rng_below(r, DATA_SIZE)] ^= 1;
            set_first(d, BLINK_RAX, rng_below(r, 2) * UINT64_C(0x0101010101010101));
        }
    }
    if (rng_chance(r, 80))
        set_first(d, BLINK_RSI, random_target(r) - d->base_of_segment);
    if (rng_chance(r, 80))
        set_first(d, BLINK_RDI, random_target(r) - d->data_base);
    /* Overlaps. */
    if (rng_chance(r, 30))
        set_first(d, BLINK_RDI, d->t->state.gpr[BLINK_RSI] + rng_below(r, 32) - 16);
}

/* False if it cannot be tried here. */
static bool prepare(struct draft *d, const struct blink_insn *i) {
    struct trial *t = d->t;
    /* Numbers of 10 bytes are stored in two pieces, of which the first may fault before the second.
     */
    if (op_classes[i->op] == BLINK_CLASS_X87 && d->base_of_segment == WHOLE16_AT &&
        d->target + 10 > CONST_AT + CONST_SIZE)
        return false;
    if (has_selector(i)) {
        if (no_selectors)
            return false;
        t->far = true;
        return prepare_far(d, i);
    }
    struct rng *r = d->r;
    uint64_t end = trial_end(t->mode), rsp = stack_top(d);
    switch (i->op) {
    case BLINK_OP_POPF: {
        /* Nothing that traps: TF, AC, NT. */
        uint64_t fl = (rng_next(r) & (BLINK_FLAGS_ARITH | BLINK_DF | BLINK_ID | BLINK_IF)) | 2;
        poke(t, rsp, &fl, 8);
        return d->first && t->count == 0 && rsp >= DATA_AT && rsp + 8 <= DATA_AT + DATA_SIZE;
    }
    case BLINK_OP_RET:
        if (d->first && rng_chance(r, 80))
            poke(t, rsp, &end, 8);
        return true;
    case BLINK_OP_JMP:
    case BLINK_OP_CALL:
        if (i->opnd[0].kind == BLINK_OPND_MEM && rng_chance(r, 80))
            poke(t, d->target, &end, 8);
        else if (i->opnd[0].kind == BLINK_OPND_GPR && rng_chance(r, 80))
            set_first(d, i->opnd[0].reg, end);
        return true;
    case BLINK_OP_BT:
    case BLINK_OP_BTS:
    case BLINK_OP_BTR:
    case BLINK_OP_BTC:
        if (i->opnd[0].kind == BLINK_OPND_MEM && i->opnd[1].kind == BLINK_OPND_GPR &&
            i->opnd[1].reg != i->base && i->opnd[1].reg != i->index)
            set_first(d, i->opnd[1].reg, (uint64_t)((int64_t)rng_below(r, 2048) - 1024));
        return true;
    case BLINK_OP_DIV:
    case BLINK_OP_IDIV:
        if (rng_chance(r, 50))
            set_first(d, BLINK_RDX, rng_chance(r, 50) ? 0 : UINT64_MAX);
        else if (rng_chance(r, 50))
            set_first(d, BLINK_RDX, rng_below(r, 256));
        return true;
    case BLINK_OP_BOUND: {
        /* Bounds around, on and beside the index. */
        uint64_t v = t->state.gpr[i->opnd[0].reg & 15], low = v - rng_below(r, 3),
                 high = v + rng_below(r, 3) - rng_below(r, 2);
        poke(t, d->target, &low, i->opsize);
        poke(t, d->target + i->opsize, &high, i->opsize);
        return true;
    }
    case BLINK_OP_XLAT: set_first(d, BLINK_RBX, random_target(r) - d->base_of_segment); return true;
    case BLINK_OP_MASKMOVQ:
    case BLINK_OP_MASKMOVDQU:
    case BLINK_OP_VMASKMOVDQU:
        /* Without a byte to store, processors fault or do not: always good memory. */
        set_first(d, BLINK_RDI,
                  (d->base_of_segment > DATA_AT ? 0 : DATA_AT - d->base_of_segment) + 0x100 +
                      rng_below(r, 0x1000));
        return d->first && !d->narrow;
    case BLINK_OP_LEAVE:
        set_first(d, BLINK_RBP, (random_target(r) - d->data_base) & ~UINT64_C(7));
        return true;
    case BLINK_OP_LDMXCSR:
    case BLINK_OP_VLDMXCSR: {
        /* Bit 17 is AMD's misaligned mode, which blink's processor does not have. */
        uint32_t v = rng_chance(r, 85) ? valid_mxcsr(r) : (uint32_t)rng_next(r) & ~0x20000u;
        uint64_t at = d->target;
        poke(t, at, &v, 4);
        return d->first && at >= DATA_AT && at + 4 <= DATA_AT + DATA_SIZE;
    }
    case BLINK_OP_FXRSTOR: {
        struct state other;
        random_state(r, &other);
        poke(t, d->target, other.xsave, 512);
        return true;
    }
    case BLINK_OP_CMPXCHG:
        /* A comparison that succeeds. */
        if (rng_chance(r, 40) && i->opnd[0].kind == BLINK_OPND_MEM)
            poke(t, d->target, &t->state.gpr[BLINK_RAX], i->opnd[0].size);
        else if (rng_chance(r, 40) && i->opnd[0].kind == BLINK_OPND_GPR)
            set_first(d, BLINK_RAX, t->state.gpr[i->opnd[0].reg & 15]);
        return true;
    case BLINK_OP_CMPXCHG8B:
    case BLINK_OP_CMPXCHG16B: {
        uint32_t size = i->op == BLINK_OP_CMPXCHG8B ? 4 : 8;
        if (rng_chance(r, 50)) {
            poke(t, d->target, &t->state.gpr[BLINK_RAX], size);
            poke(t, d->target + size, &t->state.gpr[BLINK_RDX], size);
        }
        return true;
    }
    case BLINK_OP_PCMPESTRI:
    case BLINK_OP_PCMPESTRM:
    case BLINK_OP_VPCMPESTRI:
    case BLINK_OP_VPCMPESTRM:
        if (i->base != BLINK_RAX && i->index != BLINK_RAX && rng_chance(r, 80))
            set_first(d, BLINK_RAX, (uint64_t)((int64_t)rng_below(r, 40) - 20));
        if (i->base != BLINK_RDX && i->index != BLINK_RDX && rng_chance(r, 80))
            set_first(d, BLINK_RDX, (uint64_t)((int64_t)rng_below(r, 40) - 20));
        return true;
    default:
        if (op_classes[i->op] == BLINK_CLASS_STRING)
            prepare_string(d, i);
        return true;
    }
}

/* ---- one instruction ---- */

static void note_written(struct draft *d, const struct blink_insn *i) {
    for (uint32_t k = 0; k < 4; k++)
        if (i->opnd[k].kind == BLINK_OPND_GPR && (i->opnd[k].access & BLINK_ACCESS_WRITE))
            d->dirty |= 1u << (i->opnd[k].reg & 3) | 1u << (i->opnd[k].reg & 15);
    switch (op_classes[i->op]) {
    case BLINK_CLASS_STRING:
        d->dirty |= 1u << BLINK_RSI | 1u << BLINK_RDI | 1u << BLINK_RCX | 1u << BLINK_RAX;
        break;
    case BLINK_CLASS_INT:
        d->dirty |= 1u << BLINK_RAX | 1u << BLINK_RDX | 1u << BLINK_RSP;
        if (i->op == BLINK_OP_LEAVE || i->op == BLINK_OP_ENTER)
            d->dirty |= 1u << BLINK_RBP;
        break;
    case BLINK_CLASS_BRANCH: /* LOOP */
    case BLINK_CLASS_SSE:
    case BLINK_CLASS_AVX: d->dirty |= 1u << BLINK_RCX; break; /* PCMPESTRI */
    default: break;
    }
}

static void put_modrm(struct draft *d) {
    const struct shape *s = d->shape;
    uint8_t reg = s->reg == 0xff ? (uint8_t)rng_below(d->r, 8) : s->reg;
    if (s->modrm == 1)
        put_memory(d, reg);
    else
        put(d, (uint8_t)(0xc0 | reg << 3 | (s->rm == 0xff ? rng_below(d->r, 8) : s->rm)));
}

/* Append an instruction of this shape to the trial. */
static bool append(struct draft *d) {
    struct trial *t = d->t;
    const struct shape *s = d->shape;
    struct blink_insn i;
    d->n = 0;
    d->riprel = d->narrow = false;
    d->target = random_target(d->r);
    put_prefixes(d);
    put_opcode(d);
    if (s->modrm)
        put_modrm(d);
    uint64_t rest[2] = {rng_next(d->r), rng_next(d->r)};
    memcpy(d->bytes + d->n, rest, sizeof rest);
    if (!s->vex && s->map == 0 && s->opcode >= 0xa0 && s->opcode <= 0xa3) {
        uint64_t offset = d->target - d->base_of_segment;
        memcpy(d->bytes + d->n, &offset, address_size(d));
    }
    if (!s->vex && s->map == 0 && s->opcode == 0xc8) {
        d->bytes[d->n + 1] &= 1;
        d->bytes[d->n + 2] &= 7;
    }
    if (!decode_at(t->mode, d->bytes, d->n + sizeof rest, 0, &i) || i.op != s->op ||
        t->code_size + i.len > sizeof t->code || !prepare(d, &i))
        return false;
    t->targets[t->count] = d->riprel ? d->target - d->base_of_segment : 0;
    memcpy(t->code + t->code_size, d->bytes, i.len);
    t->lengths[t->count++] = i.len;
    t->code_size += i.len;
    note_written(d, &i);
    d->first = false;
    return true;
}

/* ---- trials ---- */

static uint16_t company[MODES][BLINK_OP_COUNT]; /* operations that may stand around */
static uint32_t company_count[MODES];

void generate_prepare(bool flat) {
    no_selectors = flat;
    for (uint32_t mode = 0; mode < MODES; mode++)
        for (uint32_t op = 1; op < BLINK_OP_COUNT; op++)
            if (!op_excluded(op) && shapes_count(mode, op) &&
                op_classes[op] != BLINK_CLASS_SYSTEM && op_classes[op] != BLINK_CLASS_IO &&
                !(op_attributes[op] & BLINK_OPATTR_END) && !op_is_approximate(op) &&
                op != BLINK_OP_FNSTENV && op != BLINK_OP_FNSAVE && !op_is_far(op))
                company[mode][company_count[mode]++] = (uint16_t)op;
}

/* Among others of its kind something may go wrong between them; half the company is INT. */
static uint32_t random_company(struct rng *r, uint32_t mode, uint32_t op) {
    uint32_t other = company[mode][rng_below(r, company_count[mode])];
    for (uint32_t k = 0; k < 6 && op_classes[other] != op_classes[op]; k++)
        other = company[mode][rng_below(r, company_count[mode])];
    return other;
}

static bool append_some(struct draft *d, uint32_t mode, uint32_t op) {
    for (uint32_t tries = 0; tries < 20; tries++) {
        d->shape = shapes_get(mode, op, rng_below(d->r, shapes_count(mode, op)));
        if (append(d))
            return true;
    }
    return false;
}

/* Branches that may lead to the end or on to what follows. */
static bool may_go_on(uint32_t op) {
    switch (op) {
    case BLINK_OP_JCC:
    case BLINK_OP_JCXZ:
    case BLINK_OP_LOOP:
    case BLINK_OP_LOOPE:
    case BLINK_OP_LOOPNE: return true;
    default: return false;
    }
}

uint64_t trial_defined_flags(const struct trial *t, uint32_t count) {
    uint64_t defined = BLINK_FLAGS_ARITH;
    bool branched = false; /* what follows has perhaps not run */
    uint32_t at = 0;
    for (uint32_t k = 0; k < count; k++) {
        struct blink_insn i;
        if (!decode_at(t->mode, t->code + at, t->lengths[k], 0, &i))
            break;
        branched |= may_go_on(i.op);
        if (!(op_attributes[i.op] & BLINK_OPATTR_COND) && !branched)
            defined |= op_writes[i.op];
        defined &= ~(uint64_t)op_undefined[i.op];
        at += t->lengths[k];
    }
    return defined;
}

/* Nothing may read a flag that an instruction before it left undefined. */
static bool reads_undefined(const struct trial *t) {
    uint32_t at = 0;
    for (uint32_t k = 0; k < t->count; k++) {
        struct blink_insn i;
        if (decode_at(t->mode, t->code + at, t->lengths[k], 0, &i) &&
            (op_reads[i.op] & BLINK_FLAGS_ARITH & ~trial_defined_flags(t, k)))
            return true;
        at += t->lengths[k];
    }
    return false;
}

void trial_place(struct trial *t) {
    uint64_t rip = trial_start(t), end = trial_end(t->mode);
    uint32_t at = 0;
    for (uint32_t k = 0; k < t->count; k++) {
        struct blink_insn i;
        uint64_t next = rip + t->lengths[k];
        if (decode_at(t->mode, t->code + at, t->lengths[k], rip, &i)) {
            uint64_t disp = t->targets[k] - next, rel = end - next;
            if ((i.prefix & BLINK_PFX_RIPREL) && t->targets[k])
                memcpy(t->code + at + i.off_disp, &disp, 4);
            if (i.opnd[0].kind == BLINK_OPND_REL)
                memcpy(t->code + at + i.off_imm, &rel, i.opnd[0].size);
        }
        at += t->lengths[k];
        rip = next;
    }
}

/* Some stand alone, so that what they leave can be looked at. */
static bool stands_alone(uint32_t op) {
    return op_is_approximate(op) || op == BLINK_OP_FNSTENV || op == BLINK_OP_FNSAVE ||
           op == BLINK_OP_FXSAVE || op == BLINK_OP_POPF;
}

const uint8_t trial_modes[MODES] = {BLINK_MODE_BITS64, BLINK_MODE_BITS32, BLINK_MODE_BITS16};

const char *const mode_names[MODES] = {"64", "32", "16"};

uint32_t mode_index(uint8_t mode) {
    uint32_t k = 0;
    while (trial_modes[k] != mode)
        k++;
    return k;
}

uint64_t trial_end(uint8_t mode) {
    return mode == BLINK_MODE_BITS16 ? CODE_END - CODE_AT : CODE_END;
}
uint64_t trial_start(const struct trial *t) {
    return trial_end(t->mode) - t->code_size;
}

/* Other limits, and a stack of 32 bits under code of 16; or flat segments that are not quite. */
static void set_odd_segments(struct draft *d) {
    uint16_t *seg = d->t->state.seg;
    bool narrow = d->t->mode == BLINK_MODE_BITS16;
    if (narrow && rng_chance(d->r, 10))
        seg[BLINK_SEG_CS] = LOCAL_SHORT16;
    if (narrow && rng_chance(d->r, 40)) {
        seg[BLINK_SEG_ES] = seg[BLINK_SEG_SS] = seg[BLINK_SEG_DS] = LOCAL_WHOLE16;
        d->data_base = WHOLE16_AT;
        d->t->state.gpr[BLINK_RSP] += DATA_AT - WHOLE16_AT;
    } else if (narrow && rng_chance(d->r, 20)) {
        seg[BLINK_SEG_SS] = LOCAL_DATA32;
    }
    if (!narrow && rng_chance(d->r, 10))
        seg[BLINK_SEG_ES] = LOCAL_DATA32;
}

/* Segments as Linux has them in 64-bit mode, and otherwise some with bases and limits. */
static void set_segments(struct draft *d) {
    static const uint16_t all[MODES][6] = {
        {0, 0x33, 0x2b, 0, 0, 0},
        {0x2b, 0x23, 0x2b, 0x2b, LOCAL_DATA32, LOCAL_UPPER32},
        {LOCAL_DATA16, LOCAL_CODE16, LOCAL_DATA16, LOCAL_DATA16, LOCAL_DATA32, LOCAL_UPPER32},
    };
    struct trial *t = d->t;
    memcpy(t->state.seg, all[mode_index(t->mode)], sizeof t->state.seg);
    d->data_base = t->mode == BLINK_MODE_BITS16 ? DATA_AT : 0;
    t->far = !is_long(d);
    if (is_long(d))
        return;
    t->state.fs = DATA_AT;
    t->state.gs = DATA_AT + 0x800;
    set_odd_segments(d);
}

/* Registers have 32 bits, of which 16-bit code mostly wants 16. */
static void cut_registers(struct trial *t) {
    for (uint32_t k = 0; k < 16 && t->mode != BLINK_MODE_BITS64; k++)
        t->state.gpr[k] = k < 8 ? (uint32_t)t->state.gpr[k] : 0;
    if (t->mode != BLINK_MODE_BITS16)
        return;
    t->state.gpr[BLINK_RSP] &= 0xffff;
    if (t->state.seg[BLINK_SEG_SS] != LOCAL_DATA32)
        t->state.gpr[BLINK_RSP] |= FRAME_AT;
}

bool generate(struct trial *t, uint32_t mode, uint32_t op, uint64_t seed) {
    struct rng r = {seed};
    for (uint32_t tries = 0; tries < 20; tries++) {
        struct draft d = {.r = &r, .t = t, .first = true};
        t->mode = trial_modes[mode];
        uint32_t total = stands_alone(op) || rng_chance(&r, 60) ? 1 : 2 + rng_below(&r, 3);
        uint32_t focus = rng_below(&r, total);
        bool ok = true;
        random_state(&r, &t->state);
        random_data(&r, t->data);
        set_segments(&d);
        t->code_size = t->count = 0;
        t->seed = seed;
        t->focus = (uint16_t)op;
        if ((op_attributes[op] & BLINK_OPATTR_END) && !may_go_on(op))
            focus = total - 1;
        for (uint32_t k = 0; k < total && ok; k++)
            ok = append_some(&d, mode, k == focus ? op : random_company(&r, mode, op));
        cut_registers(t);
        if (!ok || reads_undefined(t))
            continue;
        trial_place(t);
        return true;
    }
    return false;
}
