/*
 * Instructions of 16- and 32-bit code in paged memory: addresses of segments, with their limits;
 * the stack; the few that 64-bit mode has not. What the mode says of segments (BLINK_MODE_FLAT and
 * so on) decides how much is looked at. Offsets and linear addresses have 32 bits, the upper halves
 * of registers do not count. Under core's lock.
 */
#include "legacy.h"

/* ---- addresses ---- */

/* t = the offset. */
static void offset_of(struct emit *e, const struct access *a, uint32_t t) {
    struct where w = {a->base, a->index, a->scale, (int32_t)a->disp};
    if (a->base == BLINK_REG_NONE && a->index == BLINK_REG_NONE) {
        emit_mov_imm(e, t, a->addrsize == 2 ? (uint16_t)a->disp : (uint32_t)a->disp);
        return;
    }
    emit_sized(e, 4, 0x8d, t, &w);
    if (a->addrsize == 2)
        emit_cut(e, t);
}

static bool may_use(const struct gen *g, const struct access *a) {
    uint32_t mode = g->block->mode;
    switch (a->seg) {
    case BLINK_SEG_FS: return mode & BLINK_MODE_PLAINFS;
    case BLINK_SEG_GS: return mode & BLINK_MODE_PLAINGS;
    case BLINK_SEG_CS: return !a->write || !(mode & BLINK_MODE_PROT);
    default: return a->seg <= BLINK_SEG_GS;
    }
}

/* Unless the offset in t is within the segment's limit, a miss: #GP and #SS are the interpreter's.
 * RCX is held, v free. */
static void check_limit(struct gen *g, const struct access *a, uint32_t t, uint32_t v) {
    static const uint8_t invert[] = {0x48, 0xf7, 0xd1}; /* not rcx */
    bool other = a->seg == BLINK_SEG_FS || a->seg == BLINK_SEG_GS;
    struct emit *e = &g->hot;
    int32_t more = (int32_t)a->size - 1;
    if (a->addrsize == 2 && (g->block->mode & BLINK_MODE_WHOLE) && !other) {
        /* A limit beyond FFFF is looked at by the interpreter. */
        if (!more)
            return;
        emit_lea(e, BLINK_RCX, t, BLINK_REG_NONE, more);
        emit_rorx(e, BLINK_RCX, BLINK_RCX, 16);
    } else {
        /* The upper half of limit - offset - more. */
        emit_ecx(e, t);
        emit_bytes(e, invert, sizeof invert);
        emit_gs_load32(e, v, SEG(limit, a->seg));
        emit_lea(e, BLINK_RCX, BLINK_RCX, v, 1 - more);
        emit_rorx(e, BLINK_RCX, BLINK_RCX, 32);
    }
    paged_miss_unless_zero(g);
}

/* From offset to host address: *out is where the offset in t leads. RCX, t and v are held. */
static void find_offset(struct gen *g, const struct access *a, uint32_t t, uint32_t v,
                        struct where *out) {
    struct where sum = {(uint8_t)t, (uint8_t)v, 0, 0};
    bool other = a->seg == BLINK_SEG_FS || a->seg == BLINK_SEG_GS;
    if (other || !(g->block->mode & BLINK_MODE_FLAT)) {
        check_limit(g, a, t, v);
        emit_gs_load32(&g->hot, v, SEG(base, a->seg));
        emit_sized(&g->hot, 4, 0x8d, t, &sum);
    }
    paged_look(g, t, 0, v, a);
    *out = sum;
}

bool legacy_find(struct gen *g, const struct access *a, uint32_t busy, bool low,
                 struct where *out) {
    uint32_t in = (a->base < 16 ? BIT(a->base) : 0) | (a->index < 16 ? BIT(a->index) : 0);
    if (a->addrsize == 8 || !a->size || a->size > 64 || !may_use(g, a))
        return false;
    track_restore(g, in);
    busy |= in | BIT(BLINK_RCX) | BIT(BLINK_RSP);
    uint32_t t = paged_borrow(g, busy, low);
    uint32_t v = t == NO_REG ? NO_REG : paged_borrow(g, busy | BIT(t), low);
    if (v == NO_REG)
        return false;
    track_hold(g, BIT(t) | BIT(v));
    offset_of(&g->hot, a, t);
    track_hold(g, BIT(BLINK_RCX));
    find_offset(g, a, t, v, out);
    return true;
}

/* ---- the stack ---- */

struct access legacy_top(const struct gen *g, uint32_t base, int64_t disp, uint32_t size,
                         bool write) {
    return (struct access){.base = (uint8_t)base,
                           .index = BLINK_REG_NONE,
                           .seg = BLINK_SEG_SS,
                           .addrsize = (uint8_t)legacy_stack_width(g->block->mode),
                           .write = write,
                           .size = size,
                           .disp = disp};
}

void legacy_move_stack(struct gen *g, int32_t by) {
    emit_lea_sized(&g->hot, legacy_stack_width(g->block->mode), BLINK_RSP, BLINK_RSP, by);
}

static void move_stack(struct gen *g, const struct blink_insn *i, int32_t by) {
    track_after(g, i, by);
    legacy_move_stack(g, by);
}

/* mov [w], imm of 2 or 4 bytes */
static void store_imm(struct emit *e, uint32_t size, const struct where *w, uint32_t value) {
    emit_sized(e, size, 0xc7, 0, w);
    emit_bytes(e, &value, size);
}

/* What a push stores is in ECX, which is held, from memory or of a segment register. */
static bool load_pushed(struct gen *g, const struct blink_insn *i, struct where *w) {
    const struct blink_operand *o = &i->opnd[0];
    struct access a = paged_operand(i, o),
                  top = legacy_top(g, BLINK_RSP, -(int64_t)i->opsize, i->opsize, true);
    struct emit *e = &g->hot;
    if (o->kind == BLINK_OPND_MEM) {
        if (!i->off_modrm || !legacy_find(g, &a, 0, false, w))
            return false;
        /* Its slot keeps the guest's RCX; the value waits elsewhere while the stack is found. */
        emit_sized(e, i->opsize, 0x8b, BLINK_RCX, w);
        emit_gs_store(e, BLINK_RCX, SLOT(SLOT_TARGET));
    }
    if (!legacy_find(g, &top, 0, false, w))
        return false;
    if (o->kind == BLINK_OPND_MEM)
        emit_gs_load(e, BLINK_RCX, SLOT(SLOT_TARGET));
    else
        emit_gs_load16(e, BLINK_RCX, SEG(selector, o->reg));
    return true;
}

static bool push(struct gen *g, const struct blink_insn *i) {
    const struct blink_operand *o = &i->opnd[0];
    uint32_t size = i->opsize, named = o->kind == BLINK_OPND_GPR ? BIT(o->reg) : 0;
    struct access top = legacy_top(g, BLINK_RSP, -(int64_t)size, size, true);
    struct emit *e = &g->hot;
    struct where w;
    if (o->kind == BLINK_OPND_MEM || o->kind == BLINK_OPND_SEG) {
        if (!load_pushed(g, i, &w))
            return false;
        emit_sized(e, size, 0x89, BLINK_RCX, &w);
    } else {
        track_restore(g, named & ~BIT(BLINK_RCX));
        if (!legacy_find(g, &top, named, false, &w))
            return false;
        track_restore(g, named);
        if (named)
            emit_sized(e, size, 0x89, o->reg, &w);
        else
            store_imm(e, size, &w, (uint32_t)i->imm);
    }
    move_stack(g, i, -(int32_t)size);
    return true;
}

static bool pop(struct gen *g, const struct blink_insn *i) {
    const struct blink_operand *o = &i->opnd[0];
    struct access top = legacy_top(g, BLINK_RSP, 0, i->opsize, false);
    struct where w;
    if (o->kind != BLINK_OPND_GPR || (o->reg == BLINK_RSP && i->opsize < top.addrsize))
        return false;
    track_restore(g, i->opsize == 2 ? BIT(o->reg) & ~BIT(BLINK_RCX) : 0);
    if (!legacy_find(g, &top, BIT(o->reg), false, &w))
        return false;
    track_restore(g, i->opsize == 2 ? BIT(o->reg) : 0);
    emit_sized(&g->hot, i->opsize, 0x8b, o->reg, &w);
    track_changed(g, BIT(o->reg));
    if (o->reg != BLINK_RSP)
        move_stack(g, i, i->opsize);
    return true;
}

/* All at once: on one page, or it is the interpreter's. */
static bool push_all(struct gen *g, const struct blink_insn *i) {
    const uint32_t all = 0xff & ~BIT(BLINK_RCX), size = i->opsize;
    struct access top = legacy_top(g, BLINK_RSP, -8 * (int64_t)size, 8 * size, true);
    struct where w;
    track_restore(g, all);
    if (!legacy_find(g, &top, all, false, &w))
        return false;
    track_restore(g, BIT(BLINK_RCX));
    for (uint32_t k = 0; k < 8; k++) {
        w.disp = (int32_t)((7 - k) * size);
        emit_sized(&g->hot, size, 0x89, k, &w);
    }
    move_stack(g, i, -8 * (int32_t)size);
    return true;
}

/* rcx = what RSP is once it is BP + by */
static void stack_from_frame(struct gen *g, int32_t by) {
    uint32_t width = legacy_stack_width(g->block->mode);
    if (width == 2)
        emit_lea(&g->hot, BLINK_RCX, BLINK_RSP, BLINK_REG_NONE, 0);
    emit_lea_sized(&g->hot, width, BLINK_RCX, BLINK_RBP, by);
}

/* BP changes by the one instruction that may fault; RSP waits in its slot meanwhile. */
static bool leave(struct gen *g, const struct blink_insn *i) {
    struct access top = legacy_top(g, BLINK_RBP, 0, i->opsize, false);
    struct emit *e = &g->hot;
    struct where w;
    if (!legacy_find(g, &top, 0, false, &w))
        return false;
    stack_from_frame(g, i->opsize);
    emit_gs_store(e, BLINK_RCX, HELD(BLINK_RSP));
    emit_sized(e, i->opsize, 0x8b, BLINK_RBP, &w);
    track_changed(g, BIT(BLINK_RBP));
    g->held |= BIT(BLINK_RSP);
    track_after(g, i, 0);
    emit_lea(e, BLINK_RSP, BLINK_RCX, BLINK_REG_NONE, 0);
    track_changed(g, BIT(BLINK_RSP));
    return true;
}

bool legacy_push(struct gen *g, const struct blink_insn *i, uint64_t value) {
    struct access top = legacy_top(g, BLINK_RSP, -(int64_t)i->opsize, i->opsize, true);
    struct where w;
    if (!legacy_find(g, &top, BIT(BLINK_R11), false, &w))
        return false;
    store_imm(&g->hot, i->opsize, &w, (uint32_t)value);
    return true;
}

/* R11 = what is at w, with nothing above the operand size. */
static void load_r11(struct gen *g, const struct blink_insn *i, const struct where *w) {
    emit_sized(&g->hot, i->opsize, 0x8b, BLINK_R11, w);
    if (i->opsize == 2)
        emit_cut(&g->hot, BLINK_R11);
}

bool legacy_top_r11(struct gen *g, const struct blink_insn *i) {
    struct access top = legacy_top(g, BLINK_RSP, 0, i->opsize, false);
    struct where w;
    if (!legacy_find(g, &top, BIT(BLINK_R11), false, &w))
        return false;
    load_r11(g, i, &w);
    return true;
}

bool legacy_load_r11(struct gen *g, const struct blink_insn *i) {
    struct access a = paged_operand(i, &i->opnd[0]);
    struct where w;
    if (!i->off_modrm || !legacy_find(g, &a, BIT(BLINK_R11), false, &w))
        return false;
    load_r11(g, i, &w);
    return true;
}

/* ---- all else ---- */

/* No memory is touched. */
static bool plain(struct gen *g, const struct blink_insn *i) {
    uint32_t named = uses_named(i);
    track_restore(g, named & ~uses_replaced(i));
    if (!legacy_encode(&g->hot, i, NULL))
        return false;
    track_changed(g, named);
    return true;
}

/* The sum has as many bits as the smaller of address and operand. */
static bool load_address(struct gen *g, const struct blink_insn *i) {
    struct access a = paged_operand(i, &i->opnd[1]);
    uint32_t to = i->opnd[0].reg, size = i->opsize;
    track_restore(g, uses_address(i) | (size == 2 ? BIT(to) : 0));
    if (size == 4 && a.addrsize == 2) {
        uint32_t t = paged_borrow(g, uses_address(i) | BIT(to) | BIT(BLINK_RSP), false);
        track_hold(g, BIT(t));
        offset_of(&g->hot, &a, t);
        emit_lea_sized(&g->hot, 4, to, t, 0);
    } else if (a.base == BLINK_REG_NONE && a.index == BLINK_REG_NONE && size == 4) {
        emit_mov_imm(&g->hot, to, (uint32_t)a.disp);
    } else {
        struct where w = {a.base, a.index, a.scale, (int32_t)a.disp};
        emit_sized(&g->hot, size, 0x8d, to, &w);
    }
    track_changed(g, BIT(to));
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
    if (!legacy_find(g, &a, named, low, &w))
        return false;
    track_restore(g, needed);
    if (!legacy_encode(&g->hot, i, &w))
        return false;
    track_changed(g, named);
    return true;
}

/* AL from (E)BX + AL. */
static bool translate_byte(struct gen *g, const struct blink_insn *i) {
    static const uint8_t al[] = {0x0f, 0xb6}; /* movzx reg, al */
    const uint32_t named = BIT(BLINK_RAX) | BIT(BLINK_RBX), busy = named | BIT(BLINK_RSP);
    struct access a = {.base = BLINK_RBX,
                       .index = BLINK_REG_NONE,
                       .seg = i->seg,
                       .addrsize = i->addrsize,
                       .size = 1};
    struct emit *e = &g->hot;
    struct where w;
    if (!may_use(g, &a))
        return false;
    track_restore(g, named);
    uint32_t t = paged_borrow(g, busy | BIT(BLINK_RCX), false);
    uint32_t v = paged_borrow(g, busy | BIT(BLINK_RCX) | BIT(t), false);
    track_hold(g, BIT(t) | BIT(v) | BIT(BLINK_RCX));
    if (t >= 8)
        emit8(e, 0x44);
    emit_bytes(e, al, sizeof al);
    emit8(e, 0xc0 | (t & 7) << 3);
    a.index = (uint8_t)t;
    offset_of(e, &a, t);
    find_offset(g, &a, t, v, &w);
    emit8(e, 0x40 | emit_rex_bits(&w));
    emit8(e, 0x8a);
    emit_modrm(e, 0, &w);
    track_changed(g, BIT(BLINK_RAX));
    return true;
}

/* MOV of a selector to a register or to memory. */
static bool store_selector(struct gen *g, const struct blink_insn *i) {
    const struct blink_operand *o = &i->opnd[0];
    struct access a = paged_operand(i, o);
    struct emit *e = &g->hot;
    uint32_t from = SEG(selector, i->opnd[1].reg);
    struct where w;
    if (o->kind == BLINK_OPND_MEM) {
        if (!legacy_find(g, &a, 0, false, &w))
            return false;
        emit_gs_load16(e, BLINK_RCX, from);
        emit_sized(e, 2, 0x89, BLINK_RCX, &w);
        return true;
    }
    struct where slot = {BLINK_REG_NONE, BLINK_REG_NONE, 0, (int32_t)from};
    track_restore(g, i->opsize == 2 ? BIT(o->reg) : 0);
    if (i->opsize == 2) {
        emit8(e, 0x65);
        emit_sized(e, 2, 0x8b, o->reg, &slot);
    } else {
        emit_gs_load16(e, o->reg, from);
    }
    track_changed(g, BIT(o->reg));
    return true;
}

static bool one_insn(struct gen *g, const struct blink_insn *i) {
    const struct blink_operand *o = uses_memory(i);
    switch (i->op) {
    case BLINK_OP_PUSH: return push(g, i);
    case BLINK_OP_POP:
        return i->opnd[0].kind == BLINK_OPND_SEG ? legacy_pop_segment(g, i) : pop(g, i);
    case BLINK_OP_PUSHA: return push_all(g, i);
    case BLINK_OP_LEAVE: return leave(g, i);
    case BLINK_OP_LEA: return load_address(g, i);
    case BLINK_OP_XLAT: return translate_byte(g, i);
    case BLINK_OP_MOV_SEG:
        return i->opnd[0].kind == BLINK_OPND_SEG ? legacy_load_segment(g, i) : store_selector(g, i);
    case BLINK_OP_LDS:
    case BLINK_OP_LES:
    case BLINK_OP_LFS:
    case BLINK_OP_LGS: return legacy_load_pointer(g, i);
    case BLINK_OP_MOVS:
    case BLINK_OP_STOS:
    case BLINK_OP_LODS: return legacy_string(g, i);
    case BLINK_OP_NOP:
    case BLINK_OP_ENDBR:
    case BLINK_OP_PREFETCH: return true;
    /* Of 16 registers there. */
    case BLINK_OP_VZEROALL:
    case BLINK_OP_VZEROUPPER:
    /* There are none of them there. */
    case BLINK_OP_POPA:
    case BLINK_OP_DAA:
    case BLINK_OP_DAS:
    case BLINK_OP_AAA:
    case BLINK_OP_AAS:
    case BLINK_OP_AAM:
    case BLINK_OP_AAD: return false;
    default: break;
    }
    bool moffs = o && i->op == BLINK_OP_MOV && !i->off_modrm;
    if (!moffs && paged_is_refused(i, o))
        return false;
    return o ? access_memory(g, i, o) : plain(g, i);
}

bool legacy_insn(struct gen *g, const struct blink_insn *i) {
    bool done = one_insn(g, i);
    if (done)
        track_after(g, i, 0);
    return done;
}
