/*
 * Instructions in paged memory. Each access looks its page up in the vCPU's TLB, in generated code
 * and without a flag: JRCXZ takes the test. A hit goes to the host's memory; what is not there,
 * lies on two pages or has code is one instruction for core. Registers that look-ups borrow stay in
 * their slots until the block needs them or ends. Under core's lock.
 */
#include <string.h>

#include "emit.h"

_Static_assert(BLINK_TLB_ENTRIES == 65536 && BLINK_TLB_BIAS == 1u << 27,
               "an index is 16 bits, and the sum of a hit has none from 27 on");

#define TLB(field) CPU(tlb.field)

static bool fits32(int64_t v) {
    return v == (int32_t)v;
}

/* The registers that the block uses least come first. RCX is taken, RSP of no use. */
void paged_begin(struct gen *g) {
    static const uint8_t lendable[] = {BLINK_R11, BLINK_R10, BLINK_R9,  BLINK_R8,  BLINK_RDI,
                                       BLINK_RSI, BLINK_RDX, BLINK_RAX, BLINK_R15, BLINK_R14,
                                       BLINK_R13, BLINK_R12, BLINK_RBX, BLINK_RBP};
    uint32_t uses[16] = {0}, n = 0;
    for (uint32_t k = 0; k < g->block->count; k++) {
        const struct blink_insn *i = &g->block->insns[k];
        uint32_t mask = uses_named(i) | uses_address(i);
        for (uint32_t reg = 0; reg < 16; reg++)
            uses[reg] += mask >> reg & 1;
    }
    for (; n < sizeof lendable; n++) {
        uint32_t at = n;
        for (; at > 0 && uses[g->order[at - 1]] > uses[lendable[n]]; at--)
            g->order[at] = g->order[at - 1];
        g->order[at] = lendable[n];
    }
    while (n < 16)
        g->order[n++] = NO_REG;
}

uint32_t paged_borrow(const struct gen *g, uint32_t busy, bool low) {
    uint32_t found = NO_REG;
    for (uint32_t k = 0; k < 16 && g->order[k] != NO_REG; k++) {
        uint32_t reg = g->order[k];
        if ((busy & BIT(reg)) || (low && reg >= 8))
            continue;
        if (g->held & BIT(reg))
            return reg;
        if (found == NO_REG)
            found = reg;
    }
    return found;
}

/* Where the address fits the look-up as it is: one register and a displacement. */
static bool is_simple(const struct access *a) {
    return a->addrsize == 8 && a->seg != BLINK_SEG_FS && a->seg != BLINK_SEG_GS &&
           a->base != BLINK_REG_NONE && a->base != BLINK_RCX && a->index == BLINK_REG_NONE &&
           fits32(a->disp + (int64_t)BLINK_TLB_BIAS + 64);
}

/* t = the address; `v` is free. */
static void compute(struct emit *e, const struct access *a, uint32_t t, uint32_t v) {
    bool segment = a->seg == BLINK_SEG_FS || a->seg == BLINK_SEG_GS;
    struct where w = {a->base, a->index, a->scale, (int32_t)a->disp};
    if (a->base == BLINK_REG_NONE && a->index == BLINK_REG_NONE) {
        emit_mov_imm(e, t, a->addrsize == 4 ? (uint32_t)a->disp : (uint64_t)a->disp);
    } else {
        emit_rm(e, 0x8d, t, &w);
        if (a->addrsize == 4) { /* mov t, t of 32 bits */
            emit8(e, 0x40 | (t >> 3) << 2 | t >> 3);
            emit8(e, 0x89);
            emit8(e, 0xc0 | (t & 7) << 3 | (t & 7));
        }
    }
    if (segment) {
        emit_gs_load(e, v, CPU_SEG_BASE(a->seg));
        emit_lea(e, t, t, v, 0);
    }
}

/* reg = gs:[rcx * 8 + table] */
static void load_entry(struct emit *e, uint32_t reg, uint32_t table) {
    struct where w = {BLINK_REG_NONE, BLINK_RCX, 3, (int32_t)table};
    emit8(e, 0x65);
    emit_rm(e, 0x8b, reg, &w);
}

void paged_miss_unless_zero(struct gen *g) {
    static const uint8_t hit[] = {0x67, 0xe3, 0x05, 0xe9}; /* jecxz over the jmp */
    emit_bytes(&g->hot, hit, sizeof hit);
    emit32(&g->hot, 0);
    g->miss[g->misses++] = g->hot.at;
}

/*
 * By the entry of the last byte's page, the first byte must be in that page: RCX gets what is zero
 * from bit 27 on if so, and of that bits 27 to 58 are looked at. (An address that differs in a
 * higher bit alone is not canonical, and neither is the host's that comes of it.)
 */
void paged_look(struct gen *g, uint32_t base, int32_t disp, uint32_t v, const struct access *a) {
    static const uint8_t index[] = {0x0f, 0xb7, 0xc9}; /* movzx ecx, cx */
    struct emit *e = &g->hot;
    int32_t last = disp + (int32_t)a->size - 1;
    if (last)
        emit_lea(e, BLINK_RCX, base, BLINK_REG_NONE, last);
    emit_rorx(e, BLINK_RCX, last ? BLINK_RCX : base, 12);
    emit_bytes(e, index, sizeof index);
    load_entry(e, v, TLB(addend));
    load_entry(e, BLINK_RCX, a->write ? TLB(write) : TLB(read));
    emit_lea(e, BLINK_RCX, base, BLINK_RCX, disp + (int32_t)BLINK_TLB_BIAS);
    emit_rorx(e, BLINK_RCX, BLINK_RCX, 27);
    paged_miss_unless_zero(g);
}

/* *out: where the host has it, for as long as nothing else is looked up. RCX is held afterwards,
 * and so are the registers of *out that are not the guest's. Registers in `busy` are left alone. */
static bool find(struct gen *g, const struct access *a, uint32_t busy, bool low,
                 struct where *out) {
    uint32_t in = (a->base < 16 ? BIT(a->base) : 0) | (a->index < 16 ? BIT(a->index) : 0), t;
    bool simple = is_simple(a);
    if (a->addrsize == 2 || !a->size || a->size > 64 ||
        (a->base + a->index < 32 && !fits32(a->disp)))
        return false;
    track_restore(g, in);
    busy |= in | BIT(BLINK_RCX) | BIT(BLINK_RSP);
    t = simple ? a->base : paged_borrow(g, busy, low);
    uint32_t v = t == NO_REG ? NO_REG : paged_borrow(g, busy | BIT(t), low);
    if (v == NO_REG || (low && t >= 8))
        return false;
    int32_t disp = simple ? (int32_t)a->disp : 0;
    if (!simple) {
        track_hold(g, BIT(t) | BIT(v));
        compute(&g->hot, a, t, v);
    }
    track_hold(g, BIT(BLINK_RCX) | BIT(v));
    paged_look(g, t, disp, v, a);
    *out = (struct where){(uint8_t)t, (uint8_t)v, 0, disp};
    return true;
}

struct access paged_operand(const struct blink_insn *i, const struct blink_operand *o) {
    return (struct access){.base = i->base,
                           .index = i->index,
                           .scale = i->scale,
                           .seg = i->seg,
                           .addrsize = i->addrsize,
                           .write =
                               (o->access & BLINK_ACCESS_WRITE) || (i->prefix & BLINK_PFX_LOCK),
                           .size = o->size,
                           .disp = i->disp};
}

/* ---- the stack ---- */

static struct access top_of(uint32_t base, int64_t disp, bool write) {
    return (struct access){.base = (uint8_t)base,
                           .index = BLINK_REG_NONE,
                           .seg = BLINK_SEG_NONE,
                           .addrsize = 8,
                           .write = write,
                           .size = 8,
                           .disp = disp};
}

/* lea rsp, [rsp + by], after an instruction that has done all else. */
static void move_stack(struct gen *g, const struct blink_insn *i, int32_t by) {
    track_after(g, i, by);
    emit_lea(&g->hot, BLINK_RSP, BLINK_RSP, BLINK_REG_NONE, by);
}

/* mov qword [w], imm32 */
static void store_imm(struct emit *e, const struct where *w, uint32_t value) {
    emit8(e, 0x48 | emit_rex_bits(w));
    emit8(e, 0xc7);
    emit_modrm(e, 0, w);
    emit32(e, value);
}

/* In RCX, which is held, what is at the operand. */
static bool load_pushed(struct gen *g, const struct blink_insn *i, struct where *w) {
    struct access a = paged_operand(i, &i->opnd[0]);
    struct emit *e = &g->hot;
    if (!find(g, &a, 0, false, w))
        return false;
    /* Its slot keeps the guest's RCX; the value waits elsewhere while the stack is looked up. */
    emit_rm(e, 0x8b, BLINK_RCX, w);
    emit_gs_store(e, BLINK_RCX, SLOT(SLOT_TARGET));
    struct access top = top_of(BLINK_RSP, -8, true);
    if (!find(g, &top, 0, false, w))
        return false;
    emit_gs_load(e, BLINK_RCX, SLOT(SLOT_TARGET));
    return true;
}

static bool push(struct gen *g, const struct blink_insn *i) {
    const struct blink_operand *o = &i->opnd[0];
    struct emit *e = &g->hot;
    struct where w;
    if (i->opsize != 8)
        return false;
    if (o->kind == BLINK_OPND_MEM) {
        if (!i->off_modrm || !load_pushed(g, i, &w))
            return false;
        emit_rm(e, 0x89, BLINK_RCX, &w);
    } else {
        uint32_t named = o->kind == BLINK_OPND_GPR ? BIT(o->reg) : 0;
        struct access top = top_of(BLINK_RSP, -8, true);
        track_restore(g, named & ~BIT(BLINK_RCX));
        if (!find(g, &top, named, false, &w))
            return false;
        track_restore(g, named);
        if (named)
            emit_rm(e, 0x89, o->reg, &w);
        else
            store_imm(e, &w, (uint32_t)i->imm);
    }
    move_stack(g, i, -8);
    return true;
}

static bool pop(struct gen *g, const struct blink_insn *i) {
    const struct blink_operand *o = &i->opnd[0];
    struct access top = top_of(BLINK_RSP, 0, false);
    struct where w;
    if (i->opsize != 8 || o->kind != BLINK_OPND_GPR || !find(g, &top, BIT(o->reg), false, &w))
        return false;
    emit_rm(&g->hot, 0x8b, o->reg, &w);
    track_changed(g, BIT(o->reg));
    if (o->reg != BLINK_RSP)
        move_stack(g, i, 8);
    return true;
}

/* RBP changes by the one instruction that may fault; RSP waits in its slot meanwhile. */
static bool leave(struct gen *g, const struct blink_insn *i) {
    struct access top = top_of(BLINK_RBP, 0, false);
    struct emit *e = &g->hot;
    struct where w;
    if (i->opsize != 8 || !find(g, &top, 0, false, &w))
        return false;
    emit_lea(e, BLINK_RCX, BLINK_RBP, BLINK_REG_NONE, 8);
    emit_gs_store(e, BLINK_RCX, HELD(BLINK_RSP));
    emit_rm(e, 0x8b, BLINK_RBP, &w);
    track_changed(g, BIT(BLINK_RBP));
    g->held |= BIT(BLINK_RSP);
    track_after(g, i, 0);
    emit_lea(e, BLINK_RSP, BLINK_RCX, BLINK_REG_NONE, 0);
    track_changed(g, BIT(BLINK_RSP));
    return true;
}

bool paged_push(struct gen *g, uint64_t value) {
    struct access top = top_of(BLINK_RSP, -8, true);
    struct where w;
    if (!find(g, &top, BIT(BLINK_R11), false, &w))
        return false;
    if (value == (uint64_t)(int64_t)(int32_t)value) {
        store_imm(&g->hot, &w, (uint32_t)value);
    } else {
        emit_mov_imm(&g->hot, BLINK_RCX, value);
        emit_rm(&g->hot, 0x89, BLINK_RCX, &w);
    }
    return true;
}

bool paged_top_r11(struct gen *g) {
    struct access top = top_of(BLINK_RSP, 0, false);
    struct where w;
    if (!find(g, &top, BIT(BLINK_R11), false, &w))
        return false;
    emit_rm(&g->hot, 0x8b, BLINK_R11, &w);
    return true;
}

bool paged_load_r11(struct gen *g, const struct blink_insn *i) {
    struct access a = paged_operand(i, &i->opnd[0]);
    struct where w;
    if (!i->off_modrm || !find(g, &a, BIT(BLINK_R11), false, &w))
        return false;
    track_hold(g, BIT(BLINK_R11)); /* the address may have needed it */
    emit_rm(&g->hot, 0x8b, BLINK_R11, &w);
    return true;
}

/* ---- all else ---- */

bool paged_is_refused(const struct blink_insn *i, const struct blink_operand *o) {
    bool gather = i->op >= BLINK_OP_VGATHERDPD && i->op <= BLINK_OP_VPGATHERQQ;
    bool bit = i->op >= BLINK_OP_BT && i->op <= BLINK_OP_BTC && i->opnd[1].kind == BLINK_OPND_GPR;
    bool implied = i->op == BLINK_OP_MOVS || i->op == BLINK_OP_STOS || i->op == BLINK_OP_LODS ||
                   i->op == BLINK_OP_CMPS || i->op == BLINK_OP_SCAS || i->op == BLINK_OP_ENTER ||
                   i->op == BLINK_OP_MASKMOVQ || i->op == BLINK_OP_MASKMOVDQU ||
                   i->op == BLINK_OP_VMASKMOVDQU;
    return implied || (o && (gather || bit || !i->off_modrm));
}

/* No memory is touched: the bytes as they stand. */
static bool copy(struct gen *g, const struct blink_insn *i) {
    uint32_t replaced = uses_replaced(i), named = uses_named(i);
    bool address = i->op == BLINK_OP_LEA;
    track_restore(g, (named & ~replaced) | (address ? uses_address(i) : 0));
    if (address && (i->prefix & BLINK_PFX_RIPREL)) {
        if (!rewrite_lea(g, i))
            return false;
    } else if (i->op != BLINK_OP_PREFETCH) {
        emit_bytes(&g->hot, i->raw, i->len);
    }
    track_changed(g, named);
    return true;
}

static bool access_memory(struct gen *g, const struct blink_insn *i,
                          const struct blink_operand *o) {
    uint32_t replaced = uses_replaced(i), named = uses_named(i), needed = named & ~replaced;
    struct access a = paged_operand(i, o);
    bool low = false;
    struct where w;
    for (uint32_t k = 0; k < 4; k++)
        low = low || (i->opnd[k].kind == BLINK_OPND_GPR && i->opnd[k].reg >= 16);
    track_restore(g, needed & ~BIT(BLINK_RCX));
    if (!find(g, &a, named, low, &w))
        return false;
    track_restore(g, needed);
    if (!operand_emit(&g->hot, i, &w))
        return false;
    track_changed(g, named);
    return true;
}

static bool one_insn(struct gen *g, const struct blink_insn *i) {
    const struct blink_operand *o = uses_memory(i);
    if (paged_is_refused(i, o))
        return false;
    switch (i->op) {
    case BLINK_OP_PUSH: return push(g, i);
    case BLINK_OP_POP: return pop(g, i);
    case BLINK_OP_LEAVE: return leave(g, i);
    case BLINK_OP_LEA:
    case BLINK_OP_NOP:
    case BLINK_OP_PREFETCH: return copy(g, i);
    default: return o ? access_memory(g, i, o) : copy(g, i);
    }
}

bool paged_insn(struct gen *g, const struct blink_insn *i) {
    bool done = one_insn(g, i);
    if (done)
        track_after(g, i, 0);
    return done;
}
