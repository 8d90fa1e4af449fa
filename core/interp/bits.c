/*
 * Bits: BT BTS BTR BTC, BSF BSR TZCNT LZCNT POPCNT, BMI1 and BMI2, CRC32.
 */
#include "interp/alu.h"

/* Sign-extend the low `size` bytes. */
static inline uint64_t extend(uint64_t v, uint32_t size) {
    uint32_t k = 64 - size * 8;
    return (uint64_t)((int64_t)(v << k) >> k);
}
static inline uint64_t truncate(uint64_t v, uint32_t size) {
    return size == 8 ? v : v & ((UINT64_C(1) << (size * 8)) - 1);
}

/* The bit offset in a register reaches outside a memory operand; an immediate wraps. */
static inline uint64_t bit_address(struct blink_cpu *cpu, const struct blink_insn *i,
                                   uint32_t *bit) {
    uint32_t size = i->opnd[0].size, bits = size * 8;
    if (i->opnd[1].kind == BLINK_OPND_IMM) {
        *bit = (uint32_t)i->imm & (bits - 1);
        return ea(cpu, i);
    }
    int64_t offset = (int64_t)extend(get_sized(cpu, i->opnd[1].reg, size), size);
    *bit = (uint32_t)offset & (bits - 1);
    if (i->addrsize == 8)
        return ea(cpu, i) + (uint64_t)((offset >> (size == 8 ? 6 : size == 4 ? 5 : 4)) * size);
    return interp_ea_moved(cpu, i, (offset >> (size == 4 ? 5 : size == 8 ? 6 : 4)) * (int64_t)size);
}

static inline uint64_t change_bit(uint32_t op, uint64_t v, uint32_t bit) {
    uint64_t m = UINT64_C(1) << bit;
    return op == BLINK_OP_BTS   ? v | m
           : op == BLINK_OP_BTR ? v & ~m
           : op == BLINK_OP_BTC ? v ^ m
                                : v;
}

HANDLER(bt_reg) {
    uint32_t size = i->opnd[0].size;
    uint64_t v = get_sized(cpu, i->opnd[0].reg, size);
    uint32_t bit =
        (uint32_t)(i->opnd[1].kind == BLINK_OPND_IMM ? i->imm : cpu->gpr[i->opnd[1].reg]) &
        (size * 8 - 1);
    if (i->op != BLINK_OP_BT)
        put_sized(cpu, i->opnd[0].reg, size, change_bit(i->op, v, bit));
    set_cf(cpu, (v >> bit) & 1);
    NEXT();
}
HANDLER(bt_mem) {
    uint32_t size = i->opnd[0].size, bit;
    uint64_t m = bit_address(cpu, i, &bit), v = 0;
    if (i->op == BLINK_OP_BT) {
        v = ld_sized(cpu, i, m, size);
    } else {
        loadw_bytes(cpu, i, m, &v, size);
        st_sized(cpu, i, m, size, change_bit(i->op, v, bit));
    }
    set_cf(cpu, (v >> bit) & 1);
    NEXT_BY_DRIVER();
}
/* lock bts and so on. */
HANDLER(bt_lock) {
    uint32_t size = i->opnd[0].size, bit;
    uint64_t m = bit_address(cpu, i, &bit);
    check_store(cpu, i, m, size); /* a fault is of the whole operand */
    /* The byte that holds the bit is enough, and never crosses a page. */
    uint8_t *p = atomic_at(cpu, i, m + bit / 8, 1);
    uint8_t mask = (uint8_t)(1u << (bit & 7)), old;
    if (unlikely(!p)) {
        /* No RAM: nothing but devices, one access at a time. */
        old = ldw8(cpu, i, m + bit / 8);
        st8(cpu, i, m + bit / 8, (uint8_t)change_bit(i->op, old, bit & 7));
        set_cf(cpu, (old & mask) != 0);
        NEXT();
    }
    switch (i->op) {
    case BLINK_OP_BTS: old = __atomic_fetch_or(p, mask, __ATOMIC_SEQ_CST); break;
    case BLINK_OP_BTR: old = __atomic_fetch_and(p, (uint8_t)~mask, __ATOMIC_SEQ_CST); break;
    default: old = __atomic_fetch_xor(p, mask, __ATOMIC_SEQ_CST); break;
    }
    barrier();
    set_cf(cpu, (old & mask) != 0);
    NEXT();
}

/* With a source of zero ZF is set and the destination stays, as AMD documents. */
HANDLER(bsf_bsr) {
    uint32_t size = i->opnd[0].size;
    uint64_t v = truncate(read_operand(cpu, i, 1), size);
    if (v)
        put_sized(cpu, i->opnd[0].reg, size,
                  i->op == BLINK_OP_BSF ? (uint64_t)__builtin_ctzll(v)
                                        : (uint64_t)(63 - __builtin_clzll(v)));
    set_result(cpu, v != 0, 0, 0);
    NEXT();
}
HANDLER(count_zeros) {
    uint32_t size = i->opnd[0].size, bits = size * 8;
    uint64_t v = truncate(read_operand(cpu, i, 1), size), r;
    if (v == 0)
        r = bits;
    else
        r = i->op == BLINK_OP_TZCNT ? (uint64_t)__builtin_ctzll(v)
                                    : (uint64_t)__builtin_clzll(v) - (64 - bits);
    put_sized(cpu, i->opnd[0].reg, size, r);
    set_result(cpu, r, r == bits, 0);
    NEXT();
}
HANDLER(popcnt) {
    uint32_t size = i->opnd[0].size;
    uint64_t r = (uint64_t)__builtin_popcountll(truncate(read_operand(cpu, i, 1), size));
    put_sized(cpu, i->opnd[0].reg, size, r);
    /* Only ZF may be set: PF clear needs the parity byte odd. */
    set_zpc(cpu, r == 0, 0, 0);
    NEXT();
}

/* BMI1 and BMI2 with flags: SF and ZF of the result, OF clear. */
HANDLER(andn) {
    uint32_t size = i->opnd[0].size;
    uint64_t r = truncate(~get64(cpu, i->opnd[1].reg) & read_operand(cpu, i, 2), size);
    put_sized(cpu, i->opnd[0].reg, size, r);
    set_result(cpu, extend(r, size), 0, 0);
    NEXT();
}
HANDLER(bls) {
    uint32_t size = i->opnd[0].size;
    uint64_t v = truncate(read_operand(cpu, i, 1), size), r;
    uint32_t cf;
    switch (i->op) {
    case BLINK_OP_BLSI:
        r = v & -v;
        cf = v != 0;
        break;
    case BLINK_OP_BLSMSK:
        r = v ^ (v - 1);
        cf = v == 0;
        break;
    default:
        r = v & (v - 1);
        cf = v == 0;
        break;
    }
    put_sized(cpu, i->opnd[0].reg, size, r);
    set_result(cpu, extend(r, size), cf, 0);
    NEXT();
}
HANDLER(bextr) {
    uint32_t size = i->opnd[0].size;
    uint64_t v = truncate(read_operand(cpu, i, 1), size), c = cpu->gpr[i->opnd[2].reg];
    uint32_t start = c & 255, len = (c >> 8) & 255;
    uint64_t r = start < 64 ? v >> start : 0;
    if (len < 64)
        r &= (UINT64_C(1) << len) - 1;
    put_sized(cpu, i->opnd[0].reg, size, r);
    set_result(cpu, extend(r, size), 0, 0);
    NEXT();
}
HANDLER(bzhi) {
    uint32_t size = i->opnd[0].size;
    uint64_t v = truncate(read_operand(cpu, i, 1), size);
    uint32_t n = cpu->gpr[i->opnd[2].reg] & 255;
    if (n < size * 8)
        v &= (UINT64_C(1) << n) - 1;
    put_sized(cpu, i->opnd[0].reg, size, v);
    set_result(cpu, extend(v, size), n >= size * 8, 0);
    NEXT();
}
HANDLER(pdep_pext) {
    uint32_t size = i->opnd[0].size;
    uint64_t mask = truncate(read_operand(cpu, i, 2), size);
    uint64_t v = truncate(cpu->gpr[i->opnd[1].reg], size), r = 0;
    for (uint32_t k = 0; mask; mask &= mask - 1, k++) {
        uint32_t bit = (uint32_t)__builtin_ctzll(mask);
        if (i->op == BLINK_OP_PDEP)
            r |= ((v >> k) & 1) << bit;
        else
            r |= ((v >> bit) & 1) << k;
    }
    put_sized(cpu, i->opnd[0].reg, size, r);
    NEXT();
}

/* CRC-32C, reflected polynomial 82f63b78. */
HANDLER(crc32) {
    uint32_t crc = get32(cpu, i->opnd[0].reg), size = i->opnd[1].size;
    uint64_t v = read_operand(cpu, i, 1);
    for (uint32_t k = 0; k < size; k++) {
        crc ^= (uint8_t)(v >> (8 * k));
        for (uint32_t b = 0; b < 8; b++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    put64(cpu, i->opnd[0].reg, crc);
    NEXT();
}

interp_handler *INTERP_FN(bind_bits)(const struct blink_insn *i) {
    switch (i->op) {
    case BLINK_OP_BT:
    case BLINK_OP_BTS:
    case BLINK_OP_BTR:
    case BLINK_OP_BTC:
        if (i->opnd[0].kind == BLINK_OPND_GPR)
            return bt_reg;
        return i->prefix & BLINK_PFX_LOCK ? bt_lock : bt_mem;
    case BLINK_OP_BSF:
    case BLINK_OP_BSR: return bsf_bsr;
    case BLINK_OP_TZCNT:
    case BLINK_OP_LZCNT: return count_zeros;
    case BLINK_OP_POPCNT: return popcnt;
    case BLINK_OP_ANDN: return andn;
    case BLINK_OP_BEXTR: return bextr;
    case BLINK_OP_BLSI:
    case BLINK_OP_BLSMSK:
    case BLINK_OP_BLSR: return bls;
    case BLINK_OP_BZHI: return bzhi;
    case BLINK_OP_PDEP:
    case BLINK_OP_PEXT: return pdep_pext;
    case BLINK_OP_CRC32: return crc32;
    default: return NULL;
    }
}
