/*
 * See gate.h. Looked at once for each instruction that is decoded.
 */
#include "cpu/gate.h"

#include <string.h>

/* Word + 1 and bit of the feature; word 0: none. */
struct need {
    uint8_t word, bit;
};
static const struct need needs[BLINK_OP_COUNT] = {
#define NEEDS(op, word_, bit_) [BLINK_OP_##op] = {CPU_##word_ + 1, (bit_)},
#include "cpu/needs.def"
};

#define SSE4_1     ((struct need){CPU_LEAF1_ECX + 1, 19})
#define PCLMULQDQ  ((struct need){CPU_LEAF1_ECX + 1, 1})
#define AES        ((struct need){CPU_LEAF1_ECX + 1, 25})
#define FMA        ((struct need){CPU_LEAF1_ECX + 1, 12})
#define AVX2       ((struct need){CPU_LEAF7_EBX + 1, 5})
#define VAES       ((struct need){CPU_LEAF7_ECX + 1, 9})
#define VPCLMUL    ((struct need){CPU_LEAF7_ECX + 1, 10})
#define LAHF_LM    ((struct need){CPU_EXT1_ECX + 1, 0})
#define ABM        ((struct need){CPU_EXT1_ECX + 1, 5})
#define BMI1       ((struct need){CPU_LEAF7_EBX + 1, 3})
#define PEXTRW_MEM 0x15 /* opcode in the 0F3A map; the older one has no memory form */

static bool has(const struct cpu_model *model, struct need n) {
    return !n.word || (model->word[n.word - 1] >> n.bit & 1);
}

static bool between(uint32_t op, uint32_t first, uint32_t last) {
    return op >= first && op <= last;
}

/* What depends on more than the operation. */
static struct need need_of_form(const struct blink_insn *i, bool bits64) {
    bool wide = i->prefix & BLINK_PFX_VEX_L;
    uint32_t op = i->op;
    if (between(op, BLINK_OP_VFMADD132PS, BLINK_OP_VFMSUBADD231PD))
        return FMA;
    if (between(op, BLINK_OP_VAESDEC, BLINK_OP_VAESENCLAST))
        return wide ? VAES : AES;
    /* Integers of 256 bits. */
    if (wide && (between(op, BLINK_OP_VPABSB, BLINK_OP_VPXOR) || op == BLINK_OP_VPMOVMSKB ||
                 op == BLINK_OP_VMOVNTDQA))
        return AVX2;
    switch (op) {
    case BLINK_OP_VPCLMULQDQ: return wide ? VPCLMUL : PCLMULQDQ;
    case BLINK_OP_VBROADCASTSS:
    case BLINK_OP_VBROADCASTSD: return i->opnd[1].kind == BLINK_OPND_XMM ? AVX2 : (struct need){0};
    case BLINK_OP_PEXTRW: return i->raw[i->off_opcode] == PEXTRW_MEM ? SSE4_1 : (struct need){0};
    case BLINK_OP_LAHF:
    case BLINK_OP_SAHF: return bits64 ? LAHF_LM : (struct need){0};
    default: return needs[op];
    }
}

/* The older instruction that these bytes are without the feature; F3 means nothing to it. */
static uint32_t older(const struct cpu_model *model, uint32_t op) {
    if (op == BLINK_OP_LZCNT && !has(model, ABM))
        return BLINK_OP_BSR;
    return op == BLINK_OP_TZCNT && !has(model, BMI1) ? BLINK_OP_BSF : op;
}

void cpu_gate(const struct cpu_model *model, struct blink_insn *i, bool bits64) {
    uint32_t op = older(model, i->op);
    if (op != i->op) {
        i->op = (uint16_t)op;
        i->prefix |= BLINK_PFX_REP;
        return;
    }
    if (has(model, need_of_form(i, bits64)))
        return;
    struct blink_insn none = {.addr = i->addr,
                              .len = i->len,
                              .seg = BLINK_SEG_NONE,
                              .base = BLINK_REG_NONE,
                              .index = BLINK_REG_NONE};
    memcpy(none.raw, i->raw, sizeof none.raw);
    *i = none;
}
