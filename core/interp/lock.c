/*
 * Atomic read-modify-write: everything that takes a lock prefix, XCHG with memory (always locked),
 * XADD, CMPXCHG, CMPXCHG8B and CMPXCHG16B. Host atomics do the work. An operand that crosses a
 * page of paged memory has no single host address; there the access is done in two halves under
 * no lock, which real hardware also makes slow and which only split locks of hostile code need.
 */
#include "interp/alu.h"

#define SEQ __ATOMIC_SEQ_CST

/* What a locked ALU operation makes of memory value a and operand b, with its flags. */
static uint64_t combine(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t a, uint64_t b,
                        uint64_t *carry) {
    uint64_t cf = get_cf(cpu), r;
    switch (i->op) {
    case BLINK_OP_ADD:
    case BLINK_OP_XADD: cf = 0; /* fall through */
    case BLINK_OP_ADC:
        r = a + b + cf;
        *carry = (a & b) | ((a | b) & ~r);
        return r;
    case BLINK_OP_SUB: cf = 0; /* fall through */
    case BLINK_OP_SBB:
        r = a - b - cf;
        *carry = (~a & b) | ((~a | b) & r);
        return r;
    case BLINK_OP_INC:
        r = a + 1;
        *carry = a & ~r;
        return r;
    case BLINK_OP_DEC:
        r = a - 1;
        *carry = ~a & r;
        return r;
    case BLINK_OP_NEG:
        r = 0 - a;
        *carry = a | r;
        return r;
    case BLINK_OP_AND: r = a & b; break;
    case BLINK_OP_OR: r = a | b; break;
    case BLINK_OP_XOR: r = a ^ b; break;
    default: r = ~a; break;
    }
    *carry = 0;
    return r;
}

static void set_locked_flags(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t r,
                             uint64_t carry, uint32_t bits) {
    uint64_t old_cf = cpu->cc_aux & AUX_CF;
    if (i->op == BLINK_OP_NOT)
        return;
    cpu->cc_res = (uint64_t)((int64_t)(r << (64 - bits)) >> (64 - bits));
    cpu->cc_aux = AUX_CARRIES(carry, bits);
    if (i->op == BLINK_OP_INC || i->op == BLINK_OP_DEC) {
        uint64_t of = (cpu->cc_aux ^ (cpu->cc_aux << 1)) & AUX_CF;
        cpu->cc_aux = (cpu->cc_aux & AUX_AF) | old_cf | (old_cf ^ of) >> 1;
    }
}

/* clang-format off */
#define SIZES(F) F(8) F(16) F(32) F(64)

/* One loop of compare-and-swap serves every operation: the flags need the exact old value. */
#define LOCKED(n)                                                                                  \
    HANDLER(locked##n) {                                                                           \
        uint64_t m = ea(cpu, i);                                                                   \
        uint64_t b = i->opnd[1].kind == BLINK_OPND_GPR ? get##n(cpu, i->opnd[1].reg) : i->imm;     \
        uint##n##_t *p = atomic_at(cpu, i, m, n / 8), old, new;                                    \
        uint64_t r, carry;                                                                         \
        if (likely(p != NULL)) {                                                                   \
            old = __atomic_load_n(p, __ATOMIC_RELAXED);                                            \
            do {                                                                                   \
                r = combine(cpu, i, old, (uint##n##_t)b, &carry);                                  \
                new = (uint##n##_t)r;                                                              \
            } while (!__atomic_compare_exchange_n(p, &old, new, 0, SEQ, SEQ));                     \
        } else {                                                                                   \
            old = ldw##n(cpu, i, m);                                                               \
            r = combine(cpu, i, old, (uint##n##_t)b, &carry);                                      \
            st##n(cpu, i, m, (uint##n##_t)r);                                                      \
        }                                                                                          \
        barrier();                                                                                 \
        if (i->op == BLINK_OP_XADD) put##n(cpu, i->opnd[1].reg, old);                              \
        set_locked_flags(cpu, i, r, carry, n); NEXT();                                             \
    }                                                                                              \
    HANDLER(xchg##n##_m) {                                                                         \
        uint32_t k = i->opnd[0].kind == BLINK_OPND_GPR ? 0 : 1;                                    \
        uint64_t m = ea(cpu, i);                                                                   \
        uint##n##_t v = get##n(cpu, i->opnd[k].reg), *p = atomic_at(cpu, i, m, n / 8), old;        \
        if (likely(p != NULL)) {                                                                   \
            old = __atomic_exchange_n(p, v, SEQ);                                                  \
        } else {                                                                                   \
            old = ldw##n(cpu, i, m); st##n(cpu, i, m, v);                                          \
        }                                                                                          \
        barrier();                                                                                 \
        put##n(cpu, i->opnd[k].reg, old); NEXT();                                                  \
    }                                                                                              \
    HANDLER(xadd##n##_r) {                                                                         \
        uint##n##_t a = get##n(cpu, i->opnd[0].reg), b = get##n(cpu, i->opnd[1].reg);              \
        uint##n##_t r = a + b;                                                                     \
        put##n(cpu, i->opnd[1].reg, a); put##n(cpu, i->opnd[0].reg, r);                            \
        set_carries##n(cpu, r, (uint##n##_t)((a & b) | ((a | b) & ~r))); NEXT();                   \
    }                                                                                              \
    HANDLER(cmpxchg##n##_r) {                                                                      \
        uint##n##_t acc = get##n(cpu, BLINK_RAX), d = get##n(cpu, i->opnd[0].reg), r = acc - d;    \
        if (acc == d) put##n(cpu, i->opnd[0].reg, get##n(cpu, i->opnd[1].reg));                    \
        else put##n(cpu, BLINK_RAX, d); /* the destination keeps its high half */                 \
        set_carries##n(cpu, r, (uint##n##_t)((~acc & d) | ((~acc | d) & r))); NEXT();              \
    }                                                                                              \
    HANDLER(cmpxchg##n##_m) {                                                                      \
        uint64_t m = ea(cpu, i);                                                                   \
        uint##n##_t acc = get##n(cpu, BLINK_RAX), v = get##n(cpu, i->opnd[1].reg);                 \
        uint##n##_t *p = atomic_at(cpu, i, m, n / 8), d = acc, r;                                  \
        if (likely(p != NULL)) {                                                                   \
            __atomic_compare_exchange_n(p, &d, v, 0, SEQ, SEQ);                                    \
        } else {                                                                                   \
            d = ldw##n(cpu, i, m); st##n(cpu, i, m, d == acc ? v : d);                             \
        }                                                                                          \
        barrier();                                                                                 \
        r = acc - d;                                                                               \
        if (d != acc) put##n(cpu, BLINK_RAX, d);                                                   \
        set_carries##n(cpu, r, (uint##n##_t)((~acc & d) | ((~acc | d) & r))); NEXT();              \
    }
SIZES(LOCKED)

#define ROW(name) {name(8), name(16), name(32), name(64)}
#define N_LOCKED(n) locked##n
#define N_XCHG(n) xchg##n##_m
#define N_XADD(n) xadd##n##_r
#define N_CX_R(n) cmpxchg##n##_r
#define N_CX_M(n) cmpxchg##n##_m
static interp_handler *const locked_table[4] = ROW(N_LOCKED), *const xchg_table[4] = ROW(N_XCHG),
                      *const xadd_table[4] = ROW(N_XADD), *const cx_r_table[4] = ROW(N_CX_R),
                      *const cx_m_table[4] = ROW(N_CX_M);
/* clang-format on */

static void set_zf(struct blink_cpu *cpu, bool zf) {
    uint64_t fl = blink_cpu_get_flags(cpu);
    blink_cpu_set_flags(cpu, zf ? fl | BLINK_ZF : fl & ~(uint64_t)BLINK_ZF);
}

HANDLER(cmpxchg8b) {
    uint64_t m = ea(cpu, i);
    uint64_t want = (uint64_t)get32(cpu, BLINK_RDX) << 32 | get32(cpu, BLINK_RAX), seen = want;
    uint64_t new = (uint64_t)get32(cpu, BLINK_RCX) << 32 | get32(cpu, BLINK_RBX);
    uint64_t *p = atomic_at(cpu, i, m, 8);
    if (likely(p != NULL)) {
        __atomic_compare_exchange_n(p, &seen, new, 0, SEQ, SEQ);
    } else {
        seen = ldw64(cpu, i, m);
        st64(cpu, i, m, seen == want ? new : seen);
    }
    barrier();
    if (seen != want) {
        put32(cpu, BLINK_RAX, (uint32_t)seen);
        put32(cpu, BLINK_RDX, (uint32_t)(seen >> 32));
    }
    set_zf(cpu, seen == want);
    NEXT();
}

/* 16 bytes at once. Without a host instruction for it the library's lock-based form would not
 * be atomic against plain stores, so x86-64 hosts use theirs. */
static bool exchange16(void *p, uint64_t want[2], const uint64_t new[2]) {
#if defined(__x86_64__)
    bool done;
    __asm__ volatile("lock cmpxchg16b %1"
                     : "=@ccz"(done), "+m"(*(unsigned __int128 *)p), "+a"(want[0]), "+d"(want[1])
                     : "b"(new[0]), "c"(new[1])
                     : "memory");
    return done;
#else
    unsigned __int128 w = (unsigned __int128)want[1] << 64 | want[0];
    unsigned __int128 v = (unsigned __int128)new[1] << 64 | new[0];
    bool done = __atomic_compare_exchange_n((unsigned __int128 *)p, &w, v, 0, SEQ, SEQ);
    want[0] = (uint64_t)w;
    want[1] = (uint64_t)(w >> 64);
    return done;
#endif
}

HANDLER(cmpxchg16b) {
    uint64_t m = ea(cpu, i);
    if (m & 15)
        RAISE(BLINK_EXC_GP, 0);
    uint64_t want[2] = {cpu->gpr[BLINK_RAX], cpu->gpr[BLINK_RDX]};
    uint64_t new[2] = {cpu->gpr[BLINK_RBX], cpu->gpr[BLINK_RCX]};
    void *p = atomic_at(cpu, i, m, 16);
    bool done;
    if (likely(p != NULL)) {
        done = exchange16(p, want, new);
    } else {
        uint64_t seen[2] = {ldw64(cpu, i, m), ldw64(cpu, i, m + 8)};
        done = seen[0] == want[0] && seen[1] == want[1];
        memcpy(want, seen, sizeof want);
        st64(cpu, i, m, done ? new[0] : seen[0]);
        st64(cpu, i, m + 8, done ? new[1] : seen[1]);
    }
    barrier();
    if (!done) {
        cpu->gpr[BLINK_RAX] = want[0];
        cpu->gpr[BLINK_RDX] = want[1];
    }
    set_zf(cpu, done);
    NEXT();
}

interp_handler *INTERP_FN(bind_lock)(const struct blink_insn *i) {
    uint32_t s = size_index(i->opnd[0].size ? i->opnd[0].size : i->opnd[1].size);
    bool mem = i->opnd[0].kind == BLINK_OPND_MEM || i->opnd[1].kind == BLINK_OPND_MEM;
    switch (i->op) {
    case BLINK_OP_XCHG: return xchg_table[s];
    case BLINK_OP_XADD: return mem ? locked_table[s] : xadd_table[s];
    case BLINK_OP_CMPXCHG: return mem ? cx_m_table[s] : cx_r_table[s];
    case BLINK_OP_CMPXCHG8B: return cmpxchg8b;
    case BLINK_OP_CMPXCHG16B: return cmpxchg16b;
    default: return locked_table[s];
    }
}
