/*
 * Loads and stores of chosen elements: MASKMOVQ MASKMOVDQU VMASKMOV VPMASKMOV and the gathers. Only
 * chosen elements are accessed, so only they can fault.
 */
#include <blink/mem.h>

#include "interp/sse/forms.h"

/* ---- stores ---- */

/* Find out whether the byte at `a` can be written, without changing it. */
static void probe(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t a) {
    uint8_t *p = atomic_at(cpu, i, a, 1);
    if (p)
        __atomic_fetch_or(p, 0, __ATOMIC_RELAXED);
    barrier();
}

/*
 * Store the elements of `unit` bytes of data[0..size) whose bit in `mask` is set. If they lie in
 * two pages both are tried first, so that a fault leaves memory as it was.
 */
static void store_chosen(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t a,
                         const uint8_t *data, uint32_t unit, uint32_t mask) {
    if (!mask)
        return;
    uint64_t first = a + (uint32_t)__builtin_ctz(mask) * unit;
    uint64_t last = a + (31 - (uint32_t)__builtin_clz(mask)) * unit + unit - 1;
    uint64_t page = last & ~(uint64_t)(BLINK_PAGE_SIZE - 1);
    if (first < page) {
        uint32_t k = (uint32_t)__builtin_ctz(mask);
        while (!(mask >> k & 1) || a + k * unit + unit <= page)
            k++;
        probe(cpu, i, first);
        probe(cpu, i, a + k * unit < page ? page : a + k * unit);
    }
    for (; mask; mask &= mask - 1) {
        uint32_t k = (uint32_t)__builtin_ctz(mask) * unit;
        store_bytes(cpu, i, a + k, data + k, unit);
    }
}

/* Linear address of what is at `offset`, of which only the elements in `mask` are accessed: only
 * they must lie within the segment. */
static uint64_t chosen_address(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t offset,
                               uint32_t unit, uint32_t mask, uint32_t access) {
    if (!mask)
        return 0;
    uint32_t first = (uint32_t)__builtin_ctz(mask) * unit;
    uint32_t end = (32 - (uint32_t)__builtin_clz(mask)) * unit;
    return interp_linear(cpu, i, i->seg, offset + first, end - first, access) - first;
}
static uint64_t operand_address(struct blink_cpu *cpu, const struct blink_insn *i, uint32_t unit,
                                uint32_t mask, uint32_t access) {
    if (i->addrsize == 8)
        return ea(cpu, i);
    return chosen_address(cpu, i, ea_offset(cpu, i), unit, mask, access);
}

/* MASKMOVQ, MASKMOVDQU: at [rDI]. */
void INTERP_FN(store_masked)(struct blink_cpu *cpu, const struct blink_insn *i, vec v, vec mask) {
    uint32_t signs = vec_signs8(mask);
    uint64_t a = chosen_address(cpu, i, cpu->gpr[BLINK_RDI], 1, signs, BLINK_ACCESS_WRITE);
    store_chosen(cpu, i, a, (const uint8_t *)&v, 1, signs);
}
HANDLER(maskmovdqu) {
    INTERP_FN(store_masked)(cpu, i, xmm(cpu, i->opnd[0].reg), xmm(cpu, i->opnd[1].reg));
    NEXT();
}

/* ---- VMASKMOVPS VMASKMOVPD VPMASKMOVD VPMASKMOVQ ---- */

static bool is_wide_element(uint32_t op) {
    return op == BLINK_OP_VMASKMOVPD || op == BLINK_OP_VPMASKMOVQ;
}
/* Signs of the elements of register n, as many as it has. */
static uint32_t chosen(const struct blink_cpu *cpu, uint32_t n, uint32_t unit, uint32_t size) {
    struct vec_pair m = ymm_pair(cpu, n);
    if (size == 16)
        m.high = vec_zero();
    return unit == 4 ? vec_signs32(m.low) | vec_signs32(m.high) << 4
                     : vec_signs64(m.low) | vec_signs64(m.high) << 2;
}
static void load_chosen(struct blink_cpu *cpu, const struct blink_insn *i) {
    uint32_t unit = is_wide_element(i->op) ? 8 : 4;
    uint32_t mask = chosen(cpu, i->opnd[1].reg, unit, i->opnd[0].size);
    union blink_ymm r;
    memset(&r, 0, sizeof r);
    uint64_t a = operand_address(cpu, i, unit, mask, BLINK_ACCESS_READ);
    for (; mask; mask &= mask - 1) {
        uint32_t k = (uint32_t)__builtin_ctz(mask) * unit;
        load_bytes(cpu, i, a + k, &r.u8[k], unit);
    }
    cpu->ymm[i->opnd[0].reg] = r;
}
HANDLER(vmaskmov_load) {
    load_chosen(cpu, i);
    NEXT();
}
HANDLER(vmaskmov_store) {
    uint32_t unit = is_wide_element(i->op) ? 8 : 4;
    uint32_t mask = chosen(cpu, i->opnd[1].reg, unit, i->opnd[2].size);
    uint64_t a = operand_address(cpu, i, unit, mask, BLINK_ACCESS_WRITE);
    store_chosen(cpu, i, a, cpu->ymm[i->opnd[2].reg].u8, unit, mask);
    NEXT();
}

/* ---- gathers: the index of the memory operand is a vector register ---- */

/* Elements are loaded from the lowest; a fault leaves those before it loaded and their masks
 * clear, so the instruction can be restarted. */
static void gather(struct blink_cpu *cpu, const struct blink_insn *i, uint32_t index_size,
                   uint32_t unit) {
    uint32_t size = i->prefix & BLINK_PFX_VEX_L ? 32 : 16,
             widest = unit > index_size ? unit : index_size;
    uint32_t count = size / widest;
    union blink_ymm *d = &cpu->ymm[i->opnd[0].reg], *mask = &cpu->ymm[i->opnd[2].reg];
    const union blink_ymm *index = &cpu->ymm[i->index & 15];
    for (uint32_t k = 0; k < count; k++) {
        if (unit == 4 ? mask->i32[k] < 0 : mask->i64[k] < 0) {
            int64_t n = index_size == 4 ? index->i32[k] : index->i64[k];
            uint64_t a = cpu->gpr[i->base] + ((uint64_t)n << i->scale) + (uint64_t)i->disp;
            if (i->addrsize == 8)
                a += cpu->seg[i->seg].base;
            else
                a = interp_linear(cpu, i, i->seg, a, unit, BLINK_ACCESS_READ);
            load_bytes(cpu, i, a, &d->u8[k * unit], unit);
        }
        memset(&mask->u8[k * unit], 0, unit);
    }
    memset(mask, 0, sizeof *mask);
    memset(&d->u8[count * unit], 0, sizeof *d - count * unit);
}
#define GATHER(name, index_size, unit)                                                             \
  HANDLER(name) {                                                                                  \
    gather(cpu, i, index_size, unit);                                                              \
    NEXT();                                                                                        \
  }
GATHER(gather_dd, 4, 4)
GATHER(gather_dq, 4, 8)
GATHER(gather_qd, 8, 4)
GATHER(gather_qq, 8, 8)

/* Destination, index and mask must be three registers. */
static interp_handler *bind_gather(const struct blink_insn *i, interp_handler *h) {
    uint32_t d = i->opnd[0].reg, x = i->index & 15, m = i->opnd[2].reg;
    return d == x || d == m || x == m ? NULL : h;
}

interp_handler *INTERP_FN(bind_masked)(const struct blink_insn *i) {
    switch (i->op) {
    case BLINK_OP_MASKMOVDQU:
    case BLINK_OP_VMASKMOVDQU: return maskmovdqu;
    case BLINK_OP_VMASKMOVPS:
    case BLINK_OP_VMASKMOVPD:
    case BLINK_OP_VPMASKMOVD:
    case BLINK_OP_VPMASKMOVQ:
        return i->opnd[0].kind == BLINK_OPND_MEM ? vmaskmov_store : vmaskmov_load;
    case BLINK_OP_VGATHERDPS:
    case BLINK_OP_VPGATHERDD: return bind_gather(i, gather_dd);
    case BLINK_OP_VGATHERDPD:
    case BLINK_OP_VPGATHERDQ: return bind_gather(i, gather_dq);
    case BLINK_OP_VGATHERQPS:
    case BLINK_OP_VPGATHERQD: return bind_gather(i, gather_qd);
    case BLINK_OP_VGATHERQPD:
    case BLINK_OP_VPGATHERQQ: return bind_gather(i, gather_qq);
    default: return NULL;
    }
}
