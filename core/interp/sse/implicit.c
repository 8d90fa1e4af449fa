/*
 * Instructions with operands that are not written: the string comparisons of SSE4.2 (EAX, EDX, ECX,
 * XMM0) and SHA256RNDS2 (XMM0).
 */
#include "interp/sse/forms.h"
#include "interp/sse/text.h"

/* An explicit length: the magnitude of EAX or EDX, at most the vector's. */
static uint32_t explicit_length(struct blink_cpu *cpu, const struct blink_insn *i, uint32_t reg) {
    uint64_t n = i->imm & 1 ? 8 : 16;
    int64_t v = i->opsize == 8 ? (int64_t)cpu->gpr[reg] : (int32_t)cpu->gpr[reg];
    uint64_t m = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    return (uint32_t)(m < n ? m : n);
}

/* Compare, set the flags, and return the result bits. Memory needs no alignment. */
static uint32_t compare(struct blink_cpu *cpu, const struct blink_insn *i, bool lengths) {
    uint32_t imm = (uint32_t)i->imm & 0x7f, n = imm & 1 ? 8 : 16;
    vec b =
        i->opnd[1].kind == BLINK_OPND_MEM ? ld_vec(cpu, i, ea(cpu, i)) : xmm(cpu, i->opnd[1].reg);
    vec a = xmm(cpu, i->opnd[0].reg);
    uint32_t a_length = lengths ? explicit_length(cpu, i, BLINK_RAX) : simd_text_length(a, imm);
    uint32_t b_length = lengths ? explicit_length(cpu, i, BLINK_RDX) : simd_text_length(b, imm);
    uint32_t r = simd_text_compare(a, a_length, b, b_length, imm);
    blink_cpu_set_flags(cpu, cpu->flags | (r ? BLINK_CF : 0) | (b_length < n ? BLINK_ZF : 0) |
                                 (a_length < n ? BLINK_SF : 0) | (r & 1 ? BLINK_OF : 0));
    return r;
}

static void put_index(struct blink_cpu *cpu, const struct blink_insn *i, uint32_t r) {
    uint32_t n = i->imm & 1 ? 8 : 16;
    if (r)
        n = i->imm & 0x40 ? 31 - (uint32_t)__builtin_clz(r) : (uint32_t)__builtin_ctz(r);
    put32(cpu, BLINK_RCX, n);
}
/* A bit an element, or all bits of each. */
static void put_mask(struct blink_cpu *cpu, const struct blink_insn *i, uint32_t r) {
    lanes m = {vec_low(r)};
    if (i->imm & 0x40) {
        for (uint32_t k = 0; k < 16; k++)
            m.u8[k] = r >> (i->imm & 1 ? k / 2 : k) & 1 ? 0xff : 0;
    }
    put_any(cpu, 0, m.v, IS_VEX(i));
}

#define TEXT(name, lengths, put)                                                                   \
  HANDLER(name) {                                                                                  \
    put(cpu, i, compare(cpu, i, lengths));                                                         \
    NEXT();                                                                                        \
  }
TEXT(pcmpestri, true, put_index)
TEXT(pcmpestrm, true, put_mask)
TEXT(pcmpistri, false, put_index)
TEXT(pcmpistrm, false, put_mask)

HANDLER(sha256rnds2) {
    uint32_t d = i->opnd[0].reg;
    vec b =
        i->opnd[1].kind == BLINK_OPND_MEM ? ld_vec(cpu, i, ea(cpu, i)) : xmm(cpu, i->opnd[1].reg);
    put_xmm(cpu, d, simd_sha256rnds2(xmm(cpu, d), b, xmm(cpu, 0)));
    NEXT();
}

interp_handler *INTERP_FN(bind_implicit)(const struct blink_insn *i) {
    switch (i->op) {
    case BLINK_OP_PCMPESTRI:
    case BLINK_OP_VPCMPESTRI: return pcmpestri;
    case BLINK_OP_PCMPESTRM:
    case BLINK_OP_VPCMPESTRM: return pcmpestrm;
    case BLINK_OP_PCMPISTRI:
    case BLINK_OP_VPCMPISTRI: return pcmpistri;
    case BLINK_OP_PCMPISTRM:
    case BLINK_OP_VPCMPISTRM: return pcmpistrm;
    case BLINK_OP_SHA256RNDS2: return sha256rnds2;
    default: return NULL;
    }
}
