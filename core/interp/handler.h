/*
 * For the files of instruction families only: how a handler is written, how it reaches registers,
 * flags and memory. Family files are compiled twice, with INTERP_PAGED 0 (linear memory) and 1
 * (software TLB); INTERP_FN(name) gives each copy its own name.
 *
 * Rules that make faults precise: a handler calls ea/ld/st functions before it changes any
 * register or flag; read-modify-write handlers load with ldw (checked for writing), compute,
 * store, and only then set flags. Each memory function notes cpu->insn first, so the loop knows
 * the culprit. interp_raise needs FAULTS(), which does the same.
 */
#ifndef CORE_INTERP_HANDLER_H
#define CORE_INTERP_HANDLER_H

#include <blink/cpu.h>
#include <blink/insn.h>
#include <string.h>

#include "interp/interp.h"
#include "interp/slow.h"

#ifndef INTERP_PAGED
  #error "compile families with INTERP_PAGED=0 or 1"
#endif
#if INTERP_PAGED
  #define INTERP_FN(name) name##_paged
#else
  #define INTERP_FN(name) name##_linear
#endif

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define barrier()   __asm__ volatile("" ::: "memory")

#define HANDLER(name)                                                                              \
  static const struct blink_insn *name(struct blink_cpu *cpu, const struct blink_insn *i)

/* Go on with the instruction `n`: a sibling call where the compiler makes them, else the driver
 * loop of interp_run does it. */
#if BLINK_TAILCALLS
  #define GOTO(n)                                                                                  \
    do {                                                                                           \
      const struct blink_insn *goto_ = (n);                                                        \
      return goto_->handler(cpu, goto_);                                                           \
    } while (0)
#else
  #define GOTO(n) return ((void)cpu, (n))
#endif
#define NEXT() GOTO(i + 1)
/* Where the address of a local has escaped compilers make no sibling call, and in chained blocks
 * each execution would leave a frame on the host's stack. Either the local ends before, in a scope
 * of its own, or the driver loop of interp_run goes on. tests/lint/siblings.py finds such handlers.
 */
#define NEXT_BY_DRIVER() return i + 1

/* A binder chooses the handler of one instruction, or NULL: not implemented, #UD. */
typedef interp_handler *interp_binder(const struct blink_insn *i, uint32_t mode);

interp_binder INTERP_FN(bind_INT), INTERP_FN(bind_STRING), INTERP_FN(bind_IO),
    INTERP_FN(bind_BRANCH), INTERP_FN(bind_SYSTEM), INTERP_FN(bind_X87), INTERP_FN(bind_MMX),
    INTERP_FN(bind_SSE), INTERP_FN(bind_AVX);

/* The instruction wants its flags (not dead). */
#define WANTS_FLAGS(i) (!((i)->prefix & BLINK_PFX_NOFLAGS))

/* Note the instruction under execution; before interp_raise and inside the memory functions. */
static inline void faults(struct blink_cpu *cpu, const struct blink_insn *i) {
    cpu->insn = i;
    barrier();
}
#define FAULTS() faults(cpu, i)
#define RAISE(vector, error)                                                                       \
  do {                                                                                             \
    FAULTS();                                                                                      \
    interp_raise(cpu, (vector), (error));                                                          \
  } while (0)

static inline struct interp_context *context_of(struct blink_cpu *cpu) {
    return cpu->exec_private;
}

/* RIP of the next instruction. */
static inline uint64_t next_rip(const struct blink_insn *i) {
    return i->addr + i->len;
}

/* ---- registers: n is blink_operand.reg ---- */

/* 8-bit registers: 0-15 low bytes, 16-19 AH CH DH BH. Little-endian hosts. */
static inline uint8_t *reg8(struct blink_cpu *cpu, uint32_t n) {
    return (uint8_t *)cpu->gpr + ((n & 15) << 3) + (n >> 4);
}
static inline uint8_t get8(struct blink_cpu *cpu, uint32_t n) {
    return *reg8(cpu, n);
}
static inline uint16_t get16(struct blink_cpu *cpu, uint32_t n) {
    return (uint16_t)cpu->gpr[n];
}
static inline uint32_t get32(struct blink_cpu *cpu, uint32_t n) {
    return (uint32_t)cpu->gpr[n];
}
static inline uint64_t get64(struct blink_cpu *cpu, uint32_t n) {
    return cpu->gpr[n];
}
static inline void put8(struct blink_cpu *cpu, uint32_t n, uint8_t v) {
    *reg8(cpu, n) = v;
}
static inline void put16(struct blink_cpu *cpu, uint32_t n, uint16_t v) {
    memcpy(&cpu->gpr[n], &v, 2);
}
static inline void put32(struct blink_cpu *cpu, uint32_t n, uint32_t v) {
    cpu->gpr[n] = v;
}
static inline void put64(struct blink_cpu *cpu, uint32_t n, uint64_t v) {
    cpu->gpr[n] = v;
}

/* By size at run time, for rare instructions. */
static inline uint64_t get_sized(struct blink_cpu *cpu, uint32_t n, uint32_t size) {
    switch (size) {
    case 1: return get8(cpu, n);
    case 2: return get16(cpu, n);
    case 4: return get32(cpu, n);
    default: return get64(cpu, n);
    }
}
static inline void put_sized(struct blink_cpu *cpu, uint32_t n, uint32_t size, uint64_t v) {
    switch (size) {
    case 1: put8(cpu, n, (uint8_t)v); break;
    case 2: put16(cpu, n, (uint16_t)v); break;
    case 4: put32(cpu, n, (uint32_t)v); break;
    default: put64(cpu, n, v); break;
    }
}

/* ---- effective addresses ---- */

/* Offset alone, as LEA computes it. */
static inline uint64_t ea_offset(const struct blink_cpu *cpu, const struct blink_insn *i) {
    uint64_t a = cpu->gpr[i->base] + (cpu->gpr[i->index] << i->scale) + (uint64_t)i->disp;
    if (unlikely(i->addrsize != 8))
        a = i->addrsize == 4 ? (uint32_t)a : (uint16_t)a;
    return a;
}

/* Linear address of the memory operand. */
static inline uint64_t ea(struct blink_cpu *cpu, const struct blink_insn *i) {
    if (unlikely(i->addrsize != 8))
        return interp_ea_legacy(cpu, i);
    return cpu->gpr[i->base] + (cpu->gpr[i->index] << i->scale) + (uint64_t)i->disp +
           cpu->seg[i->seg].base;
}

/* The same for operands without index and segment override in 64-bit addressing: EA_SIMPLE(i)
 * tells at bind time. */
#define EA_SIMPLE(i)                                                                               \
  ((i)->addrsize == 8 && (i)->seg == BLINK_SEG_NONE && (i)->index == BLINK_REG_NONE)
static inline uint64_t ea_simple(const struct blink_cpu *cpu, const struct blink_insn *i) {
    return cpu->gpr[i->base] + (uint64_t)i->disp;
}

/* ---- memory ---- */

static inline void load_bytes(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t a,
                              void *out, uint32_t size) {
    faults(cpu, i);
#if INTERP_PAGED
    const void *p = blink_tlb_find(cpu, cpu->tlb.read, a, size);
    if (likely(p != NULL))
        memcpy(out, p, size);
    else
        interp_load_slow(cpu, a, out, size, 0);
#else
    memcpy(out, (const void *)(uintptr_t)(a + cpu->bias), size);
#endif
    barrier();
}

/* A load that a store to the same place follows. */
static inline void loadw_bytes(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t a,
                               void *out, uint32_t size) {
    faults(cpu, i);
#if INTERP_PAGED
    const void *p = blink_tlb_find(cpu, cpu->tlb.write, a, size);
    if (likely(p != NULL))
        memcpy(out, p, size);
    else
        interp_load_slow(cpu, a, out, size, 1);
#else
    memcpy(out, (const void *)(uintptr_t)(a + cpu->bias), size);
#endif
    barrier();
}

/* Host address for host atomics on `size` bytes; NULL in paged memory if the operand crosses a page
 * or is no RAM. */
static inline void *atomic_at(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t a,
                              uint32_t size);

static inline void check_byte(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t a) {
    uint8_t *p = atomic_at(cpu, i, a, 1);
    if (p)
        __atomic_fetch_or(p, 0, __ATOMIC_RELAXED);
}
/* Fault as a store of `size` bytes would, and change nothing. */
static inline void check_store(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t a,
                               uint32_t size) {
    check_byte(cpu, i, a);
    if (((a ^ (a + size - 1)) & ~UINT64_C(0xfff)) != 0)
        check_byte(cpu, i, (a + size - 1) & ~UINT64_C(0xfff));
    barrier();
}

static inline void store_bytes(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t a,
                               const void *in, uint32_t size) {
    faults(cpu, i);
#if INTERP_PAGED
    void *p = blink_tlb_find(cpu, cpu->tlb.write, a, size);
    if (likely(p != NULL))
        memcpy(p, in, size);
    else
        interp_store_slow(cpu, a, in, size);
#else
    /* The host may store large operands in pieces: none before all of it can be stored. */
    if (size > 8 && unlikely(((a ^ (a + size - 1)) & ~UINT64_C(0xfff)) != 0))
        check_store(cpu, i, a, size);
    memcpy((void *)(uintptr_t)(a + cpu->bias), in, size);
#endif
    barrier();
}

static inline void *atomic_at(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t a,
                              uint32_t size) {
    faults(cpu, i);
#if INTERP_PAGED
    void *p = blink_tlb_find(cpu, cpu->tlb.write, a, size);
    if (likely(p != NULL))
        return p;
    return interp_atomic_slow(cpu, a, size);
#else
    (void)size;
    return (void *)(uintptr_t)(a + cpu->bias);
#endif
}

#define MEMORY_FUNCTIONS(bits)                                                                     \
  static inline uint##bits##_t ld##bits(struct blink_cpu *cpu, const struct blink_insn *i,         \
                                        uint64_t a) {                                              \
    uint##bits##_t v;                                                                              \
    load_bytes(cpu, i, a, &v, bits / 8);                                                           \
    return v;                                                                                      \
  }                                                                                                \
  static inline uint##bits##_t ldw##bits(struct blink_cpu *cpu, const struct blink_insn *i,        \
                                         uint64_t a) {                                             \
    uint##bits##_t v;                                                                              \
    loadw_bytes(cpu, i, a, &v, bits / 8);                                                          \
    return v;                                                                                      \
  }                                                                                                \
  static inline void st##bits(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t a,       \
                              uint##bits##_t v) {                                                  \
    store_bytes(cpu, i, a, &v, bits / 8);                                                          \
  }
MEMORY_FUNCTIONS(8)
MEMORY_FUNCTIONS(16)
MEMORY_FUNCTIONS(32)
MEMORY_FUNCTIONS(64)
#undef MEMORY_FUNCTIONS

static inline uint64_t ld_sized(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t a,
                                uint32_t size) {
    switch (size) {
    case 1: return ld8(cpu, i, a);
    case 2: return ld16(cpu, i, a);
    case 4: return ld32(cpu, i, a);
    default: return ld64(cpu, i, a);
    }
}
static inline void st_sized(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t a,
                            uint32_t size, uint64_t v) {
    switch (size) {
    case 1: st8(cpu, i, a, (uint8_t)v); break;
    case 2: st16(cpu, i, a, (uint16_t)v); break;
    case 4: st32(cpu, i, a, (uint32_t)v); break;
    default: st64(cpu, i, a, v); break;
    }
}

/* ---- flags: see blink_cpu.cc_res and cc_aux ---- */

#define AUX_CF  (UINT64_C(1) << 63)
#define AUX_CIN (UINT64_C(1) << 62) /* CF XOR OF */
#define AUX_AF  (UINT64_C(1) << 3)

/* cc_aux from a vector of carries out of each bit of an operation of `bits` bits. */
#define AUX_CARRIES(c, bits)                                                                       \
  ((((uint64_t)(c) << (64 - (bits))) & (AUX_CF | AUX_CIN)) | ((c)&AUX_AF))

static inline uint32_t get_cf(const struct blink_cpu *cpu) {
    return (uint32_t)(cpu->cc_aux >> 63);
}
static inline uint32_t get_of(const struct blink_cpu *cpu) {
    return (uint32_t)((cpu->cc_aux ^ (cpu->cc_aux << 1)) >> 63);
}
static inline uint32_t get_zf(const struct blink_cpu *cpu) {
    return cpu->cc_res == 0;
}
static inline uint32_t get_sf(const struct blink_cpu *cpu) {
    return (uint32_t)((cpu->cc_res >> 63) ^ (cpu->cc_aux & 1));
}
static inline uint32_t get_pf(const struct blink_cpu *cpu) {
    return !__builtin_parity((uint8_t)(cpu->cc_res ^ (cpu->cc_aux >> 8)));
}

/* Replace CF and OF, keep the others. */
static inline void set_cf_of(struct blink_cpu *cpu, uint64_t cf, uint64_t of) {
    cpu->cc_aux = (cpu->cc_aux & ~(AUX_CF | AUX_CIN)) | cf << 63 | (cf ^ of) << 62;
}
/* Replace CF, keep the others. */
static inline void set_cf(struct blink_cpu *cpu, uint64_t cf) {
    set_cf_of(cpu, cf, get_of(cpu));
}
/* Result flags with CF and OF as given, AF clear; res sign-extended. */
static inline void set_result(struct blink_cpu *cpu, uint64_t res, uint64_t cf, uint64_t of) {
    cpu->cc_res = res;
    cpu->cc_aux = cf << 63 | (cf ^ of) << 62;
}
/* ZF, PF, CF as given and OF, SF, AF clear: what COMISS, PTEST and FCOMI set. */
static inline void set_zpc(struct blink_cpu *cpu, uint32_t zf, uint32_t pf, uint32_t cf) {
    cpu->cc_res = zf ? 0 : 0x100;
    cpu->cc_aux = (uint64_t)cf << 63 | (uint64_t)cf << 62 | (uint64_t)(pf ^ 1) << 8;
}

/* Condition of Jcc and friends (BLINK_CC_*); inlined with a constant it is a few instructions. */
static inline uint32_t condition(const struct blink_cpu *cpu, uint32_t cc) {
    uint64_t r = cpu->cc_res, x = cpu->cc_aux;
    uint32_t v;
    switch (cc >> 1) {
    case 0: v = get_of(cpu); break;
    case 1: v = get_cf(cpu); break;
    case 2: v = r == 0; break;
    case 3: v = r == 0 || (x >> 63); break;
    case 4: v = get_sf(cpu); break;
    case 5: v = get_pf(cpu); break;
    case 6: v = (uint32_t)((r ^ x ^ (x << 1) ^ (x << 63)) >> 63); break;
    default: v = r == 0 || ((r ^ x ^ (x << 1) ^ (x << 63)) >> 63); break;
    }
    return v ^ (cc & 1);
}

#endif
