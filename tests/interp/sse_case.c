/*
 * Encoding of a planned instruction, and what a decoder would make of it.
 */
#include "sse_case.h"

#include <string.h>

static const uint8_t prefixes[4] = {0, 0x66, 0xf3, 0xf2};

/* The rm operand of the 256-bit form is that of the 128-bit form. */
static bool sse_rm_as_128(const struct sse_case *t) {
    return t->wide == Y_COUNT || t->wide == Y_HALF_ONLY || t->wide == Y_BROADCAST ||
           t->wide == Y_BROADCAST_ONLY;
}
static bool rm_is_xmm(const struct sse_case *t) {
    return sse_rm_as_128(t) || t->wide == Y_WIDEN || t->wide == Y_HALVES;
}

uint32_t sse_memory_size(const struct sse_plan *p) {
    const struct sse_case *t = p->test;
    if (p->form == FORM_MMX && t->size > 8)
        return 8;
    if (p->form != FORM_256 || sse_rm_as_128(t))
        return t->size;
    return 2u * t->size;
}

/* VMI has the opcode digit in ModRM.reg. */
static uint8_t modrm(const struct sse_plan *p) {
    uint32_t reg = p->test->layout == VMI ? p->test->digit : p->reg & 7;
    return (uint8_t)(p->memory ? reg << 3 : 0xc0 | reg << 3 | (p->rm & 7));
}

static uint32_t encode_legacy(const struct sse_plan *p, uint8_t *out) {
    const struct sse_case *t = p->test;
    uint32_t n = 0, pp = p->form == FORM_MMX && t->pp == P66 ? 0 : t->pp;
    uint32_t high = t->layout == VMI ? 0 : p->reg >> 3;
    uint32_t rex = (t->flags & T_W ? 8 : 0) | high << 2 | (p->memory ? 0 : p->rm >> 3);
    if (pp)
        out[n++] = prefixes[pp];
    if (rex)
        out[n++] = (uint8_t)(0x40 | rex);
    out[n++] = 0x0f;
    if (t->map != M0F)
        out[n++] = t->map == M38 ? 0x38 : 0x3a;
    out[n++] = t->opcode;
    out[n++] = modrm(p);
    if (t->flags & T_IMM)
        out[n++] = p->imm;
    return n;
}

/* Whether VEX.vvvv names an operand. */
static bool has_v(const struct sse_plan *p) {
    uint32_t layout = p->test->layout;
    return layout == RVM || layout == VMI || layout == RVMR || layout == MVR ||
           (layout == VM_ && !p->memory);
}

static uint32_t encode_vex(const struct sse_plan *p, uint8_t *out) {
    const struct sse_case *t = p->test;
    uint32_t r = t->layout == VMI ? 0 : p->reg >> 3, b = p->memory ? 0 : p->rm >> 3;
    uint32_t v = has_v(p) ? p->v : 0, n = 0;
    out[n++] = 0xc4;
    out[n++] = (uint8_t)((r ^ 1) << 7 | 1 << 6 | (b ^ 1) << 5 | t->map);
    out[n++] = (uint8_t)((t->flags & T_W ? 0x80 : 0) | (v ^ 15) << 3 |
                         (p->form == FORM_256 ? 4 : 0) | t->pp);
    out[n++] = t->opcode;
    out[n++] = modrm(p);
    if (t->layout == RVMR)
        out[n++] = (uint8_t)(p->is4 << 4);
    else if (t->flags & T_IMM)
        out[n++] = p->imm;
    return n;
}

uint32_t sse_encode(const struct sse_plan *p, uint8_t *out) {
    return p->form == FORM_LEGACY || p->form == FORM_MMX ? encode_legacy(p, out)
                                                         : encode_vex(p, out);
}

static struct blink_operand vector(const struct sse_plan *p, uint32_t n, bool half) {
    struct blink_operand o = {BLINK_OPND_XMM, (uint8_t)n, 16, BLINK_ACCESS_READ};
    if (p->form == FORM_MMX)
        o = (struct blink_operand){BLINK_OPND_MMX, (uint8_t)(n & 7), 8, BLINK_ACCESS_READ};
    else if (p->form == FORM_256 && !half)
        o = (struct blink_operand){BLINK_OPND_YMM, (uint8_t)n, 32, BLINK_ACCESS_READ};
    return o;
}
static struct blink_operand reg_operand(const struct sse_plan *p) {
    const struct sse_case *t = p->test;
    if (t->reg == OPND_X)
        return vector(p, p->reg, t->wide == Y_NARROW);
    uint8_t size = t->reg == OPND_G && (t->flags & T_W) ? 8 : 4;
    return (struct blink_operand){BLINK_OPND_GPR, (uint8_t)p->reg, size, BLINK_ACCESS_READ};
}
static struct blink_operand rm_operand(const struct sse_plan *p) {
    const struct sse_case *t = p->test;
    if (p->memory)
        return (struct blink_operand){BLINK_OPND_MEM, 0, (uint8_t)sse_memory_size(p),
                                      BLINK_ACCESS_READ};
    if (t->rm == OPND_G || t->rm == OPND_G4) {
        uint8_t size = t->flags & T_W ? 8 : 4;
        return (struct blink_operand){BLINK_OPND_GPR, (uint8_t)p->rm, size, BLINK_ACCESS_READ};
    }
    return vector(p, p->rm, rm_is_xmm(t));
}

void sse_decode(const struct sse_plan *p, struct blink_insn *out) {
    const struct sse_case *t = p->test;
    bool vex = p->form == FORM_128 || p->form == FORM_256;
    uint32_t n = 0;
    memset(out, 0, sizeof *out);
    if (t->layout == MR || t->layout == MVR) {
        out->opnd[n++] = rm_operand(p);
        if (t->layout == MVR)
            out->opnd[n++] = vector(p, p->v, false);
        out->opnd[n++] = reg_operand(p);
    } else if (t->layout == VMI) {
        if (vex)
            out->opnd[n++] = vector(p, p->v, false);
        out->opnd[n++] = vector(p, p->rm, false);
    } else {
        out->opnd[n++] = reg_operand(p);
        if (vex && has_v(p))
            out->opnd[n++] = vector(p, p->v, false);
        out->opnd[n++] = rm_operand(p);
    }
    if (vex && t->layout == RVMR)
        out->opnd[n++] = vector(p, p->is4, false);
    else if (t->flags & T_IMM)
        out->opnd[n++] = (struct blink_operand){BLINK_OPND_IMM, 0, 1, BLINK_ACCESS_READ};
    out->opnd[0].access = BLINK_ACCESS_WRITE;
    out->op = vex ? t->vex : t->legacy;
    out->prefix = vex ? (uint16_t)(BLINK_PFX_VEX | (p->form == FORM_256 ? BLINK_PFX_VEX_L : 0)) : 0;
    out->imm = (uint64_t)(int64_t)(int8_t)p->imm;
    out->seg = BLINK_SEG_NONE;
    out->base = p->memory ? BLINK_RAX : BLINK_REG_NONE;
    out->index = BLINK_REG_NONE;
    out->addrsize = 8;
    out->opsize = t->flags & T_W ? 8 : 4;
    out->len = (uint8_t)sse_encode(p, out->raw);
}
