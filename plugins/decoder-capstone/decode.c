/*
 * One instruction: finds its form, fills in the operands and checks what is left to check.
 */
#include <string.h>

#include "internal.h"

static const uint8_t sizes[] = {0, 1, 2, 4, 8, 10, 16, 32};

static uint32_t size_of(const struct walk *w, const struct blink_insn *out, uint32_t size) {
    switch (size) {
    case SZ_V: return out->opsize;
    case SZ_Y: return w->wide && w->mode == BLINK_MODE_BITS64 ? 8 : 4;
    case SZ_Z: return out->opsize == 2 ? 2 : 4;
    case SZ_VW: return w->mod == 3 ? out->opsize : 2;
    case SZ_MODE: return w->mode == BLINK_MODE_BITS64 ? 8 : 4;
    case SZ_FAR: return (out->opsize == 2 ? 2 : 4) + 2u; /* no 64-bit offsets on AMD */
    case SZ_2V: return out->opsize * 2u;
    default: return sizes[size];
    }
}

/* AH CH DH BH are 4-7 of byte size without REX. */
static void set_gpr(struct blink_operand *o, const struct walk *w, uint32_t reg) {
    o->kind = BLINK_OPND_GPR;
    o->reg = (uint8_t)(o->size == 1 && !w->rex && reg >= 4 && reg < 8 ? reg + 12 : reg);
}

static void set_register(struct blink_operand *o, uint32_t kind, uint32_t reg, uint32_t size) {
    o->kind = (uint8_t)kind;
    o->reg = (uint8_t)reg;
    o->size = (uint8_t)size;
}

static void set_memory(struct blink_operand *o) {
    o->kind = BLINK_OPND_MEM;
}

static void take_immediate(struct walk *w, struct blink_insn *out, uint32_t size) {
    out->off_imm = (uint8_t)w->pos;
    out->imm = (uint64_t)walk_take(w, size);
}

/* A branch target is truncated to the operand size outside 64-bit mode, and by 66 inside. */
static void take_target(struct walk *w, struct blink_insn *out, struct blink_operand *o) {
    take_immediate(w, out, o->size);
    out->imm += out->addr + w->pos;
    if (out->opsize == 2)
        out->imm = (uint16_t)out->imm;
    else if (w->mode != BLINK_MODE_BITS64)
        out->imm = (uint32_t)out->imm;
    o->kind = BLINK_OPND_REL;
}

/* ModRM.rm as `kind` or memory. */
static bool set_rm(struct blink_operand *o, const struct walk *w, uint32_t kind, uint32_t size) {
    if (w->mod != 3)
        set_memory(o);
    else
        set_register(o, kind, kind == BLINK_OPND_MMX ? w->rm & 7u : w->rm, size);
    return true;
}

/* False for what the encoding cannot be. */
static bool set_operand(struct walk *w, struct blink_insn *out, struct blink_operand *o,
                        uint32_t code) {
    o->size = (uint8_t)size_of(w, out, OPERAND_SIZE(code));
    o->access = (uint8_t)OPERAND_ACCESS(code);
    switch (OPERAND_AT(code)) {
    case AT_REG: set_gpr(o, w, w->reg); return true;
    case AT_RM:
        if (w->mod == 3)
            set_gpr(o, w, w->rm);
        else
            set_memory(o);
        return true;
    case AT_MEM: set_memory(o); return w->mod != 3;
    case AT_RREG: set_gpr(o, w, w->rm); return w->mod == 3;
    case AT_OPC: set_gpr(o, w, (w->opcode & 7u) | (uint32_t)w->b << 3); return true;
    case AT_VVVV: set_gpr(o, w, w->vvvv); return true;
    case AT_FIXED:
        o->kind = BLINK_OPND_GPR;
        o->reg = (uint8_t)OPERAND_NUMBER(code);
        return true;
    case AT_ONE:
        o->kind = BLINK_OPND_IMM;
        out->imm = 1;
        return true;
    case AT_IMM:
    case AT_FAR:
        o->kind = BLINK_OPND_IMM;
        take_immediate(w, out, o->size);
        return true;
    case AT_IMM2:
        o->kind = BLINK_OPND_IMM;
        out->disp = walk_take(w, o->size);
        return true;
    case AT_REL: take_target(w, out, o); return true;
    case AT_MOFFS:
        o->kind = BLINK_OPND_MEM;
        out->off_disp = (uint8_t)w->pos;
        out->disp = walk_take(w, out->addrsize);
        if (out->addrsize < 8)
            out->disp &= (INT64_C(1) << (out->addrsize * 8)) - 1;
        return true;
    case AT_SREG: set_register(o, BLINK_OPND_SEG, w->reg & 7, 2); return (w->reg & 7) < 6;
    case AT_SEG: set_register(o, BLINK_OPND_SEG, OPERAND_NUMBER(code), 2); return true;
    case AT_CR: set_register(o, BLINK_OPND_CR, w->reg, o->size); return true;
    case AT_DR: set_register(o, BLINK_OPND_DR, w->reg, o->size); return w->reg < 8;
    case AT_ST0: set_register(o, BLINK_OPND_ST, 0, 10); return true;
    case AT_STI: set_register(o, BLINK_OPND_ST, w->rm & 7, 10); return true;
    case AT_XREG: set_register(o, BLINK_OPND_XMM, w->reg, 16); return true;
    case AT_YREG: set_register(o, BLINK_OPND_YMM, w->reg, 32); return true;
    case AT_XVVVV: set_register(o, BLINK_OPND_XMM, w->vvvv, 16); return true;
    case AT_YVVVV: set_register(o, BLINK_OPND_YMM, w->vvvv, 32); return true;
    case AT_XRM: return set_rm(o, w, BLINK_OPND_XMM, 16);
    case AT_YRM: return set_rm(o, w, BLINK_OPND_YMM, 32);
    case AT_MREG: set_register(o, BLINK_OPND_MMX, w->reg & 7, 8); return true;
    case AT_MRM: return set_rm(o, w, BLINK_OPND_MMX, 8);
    case AT_XIS4:
    case AT_YIS4: {
        bool wide = OPERAND_AT(code) == AT_YIS4;
        take_immediate(w, out, 1);
        uint32_t reg = (uint32_t)out->imm >> 4 & (w->mode == BLINK_MODE_BITS64 ? 15 : 7);
        set_register(o, wide ? BLINK_OPND_YMM : BLINK_OPND_XMM, reg, wide ? 32 : 16);
        return true;
    }
    default: return false;
    }
}

static void set_memory_fields(const struct walk *w, struct blink_insn *out, bool vsib) {
    bool wide = w->mode == BLINK_MODE_BITS64;
    out->base = w->base;
    out->index = w->index == BLINK_RSP && !vsib ? BLINK_REG_NONE : w->index;
    out->scale = out->index == BLINK_REG_NONE ? 0 : w->scale;
    out->disp = w->disp;
    out->off_disp = w->off_disp;
    if (w->seg != BLINK_SEG_NONE || wide)
        out->seg = w->seg;
    else
        out->seg = w->base == BLINK_RBP || w->base == BLINK_RSP ? BLINK_SEG_SS : BLINK_SEG_DS;
}

static const struct form *find_form(struct context *c, const struct walk *w) {
    const struct form *f;
    if (w->map == MAP_ONE)
        f = (w->opcode & 0xf8) == 0xd8 ? x87_form(w) : &onebyte_forms[w->opcode];
    else if (w->map == MAP_0F && !w->vex)
        f = &twobyte_forms[w->opcode];
    else
        f = w->vex ? vex_gpr_form(w) : threebyte_form(w);
    while (f && f->select && f->select != BY_SIMD) {
        switch (f->select) {
        case BY_REG: f = &f->sub[w->reg & 7]; break;
        case BY_MEM: f = &f->sub[w->mod == 3]; break;
        case BY_RM: f = &f->sub[w->rm & 7]; break;
        case BY_PP: f = &f->sub[w->pp]; break;
        case BY_MODE64: f = &f->sub[w->mode == BLINK_MODE_BITS64]; break;
        case BY_WIDE: f = &f->sub[w->wide]; break;
        default: f = &f->sub[w->b ? 2 : w->rep == 0xf3]; break;
        }
    }
    return f && !f->select ? f : simd_form(c, w);
}

/* VEX on general registers: 128-bit only, and vvvv unused unless the form has it. */
static bool vex_fits(const struct walk *w, const struct form *f) {
    if (op_classes[f->op] != BLINK_CLASS_INT)
        return true;
    bool used = false;
    for (uint32_t k = 0; k < 4; k++)
        used |= OPERAND_AT(f->opnd[k]) == AT_VVVV;
    return !w->vlen && (used || !w->vvvv);
}

static bool form_allowed(const struct walk *w, const struct form *f) {
    if (f->op == BLINK_OP_INVALID)
        return false;
    /* VPEXTRQ and VPINSRQ. */
    if (w->vex && w->wide && w->map == MAP_0F3A && (w->opcode == 0x16 || w->opcode == 0x22) &&
        w->mode != BLINK_MODE_BITS64)
        return false;
    if ((f->flags & FORM_NO64) && w->mode == BLINK_MODE_BITS64)
        return false;
    if ((f->flags & FORM_NOPFX) && w->pp != PP_NONE)
        return false;
    return !w->vex || vex_fits(w, f);
}

static void set_sizes(const struct walk *w, const struct form *f, struct blink_insn *out) {
    bool wide = w->mode == BLINK_MODE_BITS64, narrow = w->mode == BLINK_MODE_BITS16;
    out->addrsize = wide ? (w->address ? 4 : 8) : narrow != w->address ? 2 : 4;
    out->opsize = narrow != w->opsize ? 2 : 4;
    if (w->wide && wide)
        out->opsize = 8;
    if (f->flags & FORM_BYTE)
        out->opsize = 1;
    else if ((f->flags & FORM_MAX4) && out->opsize == 8)
        out->opsize = 4;
    else if ((f->flags & FORM_D64) && wide && out->opsize == 4)
        out->opsize = 8;
    else if (f->flags & FORM_F64)
        out->opsize = wide ? 8 : 4;
    else if (op_classes[f->op] >= BLINK_CLASS_MMX)
        out->opsize = w->wide && wide ? 8 : 4; /* 66 is part of the opcode */
}

/* F2 and F3 where they are no part of the opcode: repetition, XACQUIRE and XRELEASE, BND, and the
 * REP of "rep ret". */
static bool repeats(const struct blink_insn *out) {
    uint32_t cls = op_classes[out->op];
    if (cls == BLINK_CLASS_STRING || cls == BLINK_CLASS_BRANCH)
        return true;
    if (out->op == BLINK_OP_INS || out->op == BLINK_OP_OUTS)
        return true;
    return out->opnd[0].kind == BLINK_OPND_MEM &&
           (out->op == BLINK_OP_MOV || (op_attributes[out->op] & BLINK_OPATTR_LOCK));
}

static uint16_t prefixes_of(const struct walk *w, const struct blink_insn *out) {
    uint32_t p = 0;
    p |= w->lock ? BLINK_PFX_LOCK : 0;
    if (w->rep && repeats(out))
        p |= w->rep == 0xf3 ? BLINK_PFX_REP : BLINK_PFX_REPNE;
    p |= w->opsize ? BLINK_PFX_OPSIZE : 0;
    p |= w->address ? BLINK_PFX_ADDR : 0;
    p |= w->rex ? BLINK_PFX_REX : 0;
    p |= w->wide ? BLINK_PFX_REX_W : 0;
    p |= w->vex ? BLINK_PFX_VEX : 0;
    p |= w->vlen ? BLINK_PFX_VEX_L : 0;
    p |= w->seg != BLINK_SEG_NONE ? BLINK_PFX_SEG : 0;
    if ((out->addr & 4095) + w->pos > 4096)
        p |= BLINK_PFX_PAGE;
    return (uint16_t)p;
}

/* A gather needs a vector index, and all three registers must differ. */
static bool gather_fits(const struct walk *w) {
    return w->mod != 3 && (w->rm & 7) == 4 && w->reg != w->vvvv && w->reg != w->index &&
           w->vvvv != w->index;
}

static uint32_t invalid(const struct walk *w, struct blink_insn *out, uint32_t status) {
    uint64_t addr = out->addr;
    memset(out, 0, sizeof *out);
    out->addr = addr;
    out->len = (uint8_t)w->pos;
    out->imm = status == WALK_TOOLONG;
    out->seg = BLINK_SEG_NONE;
    out->base = out->index = BLINK_REG_NONE;
    memcpy(out->raw, w->bytes, w->pos);
    return status;
}

static void finish(const struct walk *w, const struct form *f, struct blink_insn *out) {
    out->len = (uint8_t)w->pos;
    out->off_opcode = w->off_opcode;
    out->off_modrm = w->off_modrm;
    out->prefix = prefixes_of(w, out);
    if (f->flags & FORM_CC)
        out->cc = w->opcode & 15;
    else if (f->flags & FORM_LOADED)
        out->cc = f->cc;
    if (w->riprel && w->mod != 3) {
        out->disp += (int64_t)(out->addr + out->len);
        if (out->addrsize == 4)
            out->disp = (uint32_t)out->disp;
        out->prefix |= BLINK_PFX_RIPREL;
    }
    memcpy(out->raw, w->bytes, w->pos);
}

/* No instruction, of the bytes that it would have. */
static uint32_t undefined(struct walk *w, struct blink_insn *out) {
    w->status = WALK_OK;
    walk_idle(w);
    return invalid(w, out, w->status == WALK_OK ? WALK_INVALID : w->status);
}

uint32_t decode_one(struct context *c, const uint8_t *bytes, size_t size, uint32_t mode,
                    uint64_t rip, struct blink_insn *out) {
    struct walk w;
    memset(out, 0, sizeof *out);
    out->addr = rip;
    walk_begin(&w, bytes, size, mode);
    if (w.status != WALK_OK)
        return invalid(&w, out, w.status);
    const struct form *f = find_form(c, &w);
    if (!form_allowed(&w, f))
        return undefined(&w, out);
    out->op = f->op;
    set_sizes(&w, f, out);
    set_memory_fields(&w, out, f->flags & FORM_VSIB);
    for (uint32_t k = 0; k < 4 && f->opnd[k]; k++)
        if (!set_operand(&w, out, &out->opnd[k], f->opnd[k]))
            return undefined(&w, out);
    if (w.status != WALK_OK)
        return invalid(&w, out, w.status);
    bool lockable =
        (op_attributes[f->op] & BLINK_OPATTR_LOCK) && out->opnd[0].kind == BLINK_OPND_MEM;
    if (w.illegal || (w.lock && !lockable) || ((f->flags & FORM_VSIB) && !gather_fits(&w)))
        return invalid(&w, out, WALK_INVALID);
    finish(&w, f, out);
    return WALK_OK;
}
