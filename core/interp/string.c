/*
 * String instructions: MOVS STOS LODS CMPS SCAS with and without repetition. The registers always
 * tell how far the work has come, so a fault or an event in the middle resumes there. Forward
 * MOVS and STOS go page by page with the host's own block functions.
 */
#include "interp/limit.h"

#define STRING_PAGE 4096u

struct string_state {
    uint64_t si, di, mask;     /* offsets and their wrap */
    uint64_t src, dst, linear; /* segment bases and the wrap of linear addresses */
    int64_t step;
};

static inline uint64_t address_mask(const struct blink_insn *i) {
    return i->addrsize == 8 ? ~UINT64_C(0) : i->addrsize == 4 ? UINT32_MAX : 0xffff;
}

static struct string_state string_begin(struct blink_cpu *cpu, const struct blink_insn *i) {
    bool flat = (cpu->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64;
    struct string_state s;
    s.mask = address_mask(i);
    s.si = cpu->gpr[BLINK_RSI] & s.mask;
    s.di = cpu->gpr[BLINK_RDI] & s.mask;
    s.src = cpu->seg[i->seg].base;
    s.dst = flat ? 0 : cpu->seg[BLINK_SEG_ES].base;
    s.linear = flat ? ~UINT64_C(0) : UINT32_MAX;
    s.step = cpu->flags & BLINK_DF ? -(int64_t)i->opsize : i->opsize;
    return s;
}

static inline uint64_t count_left(struct blink_cpu *cpu, const struct blink_insn *i) {
    return i->prefix & (BLINK_PFX_REP | BLINK_PFX_REPNE) ? cpu->gpr[BLINK_RCX] & address_mask(i)
                                                         : 1;
}

static inline void set_index(struct blink_cpu *cpu, const struct blink_insn *i, uint32_t reg,
                             uint64_t v) {
    put_sized(cpu, reg, i->addrsize, v);
}

/* Write back the progress of `done` elements. */
static void advance(struct blink_cpu *cpu, const struct blink_insn *i, const struct string_state *s,
                    uint64_t done, bool src, bool dst) {
    if (src)
        set_index(cpu, i, BLINK_RSI, s->si + (uint64_t)s->step * done);
    if (dst)
        set_index(cpu, i, BLINK_RDI, s->di + (uint64_t)s->step * done);
    if (i->prefix & (BLINK_PFX_REP | BLINK_PFX_REPNE))
        set_index(cpu, i, BLINK_RCX, cpu->gpr[BLINK_RCX] - done);
}

/* Leave in the middle of a repetition: the same instruction comes again. */
static const struct blink_insn *interrupted(struct blink_cpu *cpu, const struct blink_insn *i) {
    FAULTS();
    interp_settle(cpu);
    cpu->exit_reason = BLINK_EXIT_ATTENTION;
    return NULL;
}

static inline bool attention(struct blink_cpu *cpu) {
    uint32_t a = __atomic_load_n(&cpu->attention, __ATOMIC_RELAXED);
    return unlikely((a & ~BLINK_ATTN_CLOCK) != 0);
}

/* How many elements fit before the page of `a` ends, at most `left`. */
static inline uint64_t page_room(uint64_t a, uint32_t size, uint64_t left) {
    uint64_t room = (STRING_PAGE - (a & (STRING_PAGE - 1))) / size;
    return room < left ? room : left;
}

/* How many do not wrap around, at most `left`. */
static inline uint64_t offset_room(const struct string_state *s, uint64_t offset, uint32_t size,
                                   uint64_t left) {
    uint64_t room = (s->mask - offset) / size;
    /* The last byte may be the last of all. */
    room += (s->mask - offset) % size == size - 1;
    return room < left ? room : left;
}

/* Forward, and no limit of a segment comes before the offsets wrap. */
static inline bool is_wide(const struct blink_cpu *cpu, const struct blink_insn *i) {
    if (cpu->flags & BLINK_DF)
        return false;
    if ((cpu->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64)
        return i->addrsize == 8;
    if (i->seg == BLINK_SEG_FS || i->seg == BLINK_SEG_GS)
        return false;
    return cpu->mode & (i->addrsize == 4 ? BLINK_MODE_FLAT : BLINK_MODE_WHOLE);
}

/*
 * Copy at most a page of bytes that lie within one page at both ends. False: nothing has been done,
 * and one element is to be by itself; in paged memory that brings the pages into the TLB, or is a
 * device's.
 */
static bool copy_chunk(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t dst,
                       uint64_t src, size_t bytes) {
#if INTERP_PAGED
    const uint8_t *from = blink_tlb_find(cpu, cpu->tlb.read, src, 1);
    uint8_t *to = blink_tlb_find(cpu, cpu->tlb.write, dst, 1);
    (void)i;
    if (!from || !to)
        return false;
#else
    /* One element at each end first: what can fault, faults here, before any change. */
    uint8_t probe = ld8(cpu, i, src);
    uint8_t *to = atomic_at(cpu, i, dst, 1);
    const uint8_t *from = (const uint8_t *)(uintptr_t)(src + cpu->bias);
    (void)probe;
#endif
    memmove(to, from, bytes);
    barrier();
    return true;
}

HANDLER(movs) {
    struct string_state s = string_begin(cpu, i);
    uint64_t left = count_left(cpu, i);
    uint32_t size = i->opsize;
    bool wide = is_wide(cpu, i) && left > 1;
    while (left) {
        uint64_t src = (s.src + s.si) & s.linear, dst = (s.dst + s.di) & s.linear, n = 1;
        if (wide) {
            n = offset_room(&s, s.si, size, offset_room(&s, s.di, size, left));
            n = page_room(dst, size, page_room(src, size, n));
            /* A destination shortly above its source repeats the source: element by element. */
            if (n <= 1 || dst - src < n * size || !copy_chunk(cpu, i, dst, src, n * size))
                n = 1;
        }
        if (n == 1) {
            check_limit(cpu, i, i->seg, s.si, BLINK_ACCESS_READ);
            check_limit(cpu, i, BLINK_SEG_ES, s.di, BLINK_ACCESS_WRITE);
            st_sized(cpu, i, dst, size, ld_sized(cpu, i, src, size));
        }
        advance(cpu, i, &s, n, true, true);
        left -= n;
        s.si = cpu->gpr[BLINK_RSI] & s.mask;
        s.di = cpu->gpr[BLINK_RDI] & s.mask;
        if (left && attention(cpu))
            return interrupted(cpu, i);
    }
    NEXT();
}

static bool fill_chunk(struct blink_cpu *cpu, const struct blink_insn *i, uint64_t dst,
                       uint64_t value, uint32_t size, uint64_t n) {
#if INTERP_PAGED
    uint8_t *to = blink_tlb_find(cpu, cpu->tlb.write, dst, 1);
    (void)i;
    if (!to)
        return false;
#else
    uint8_t *to = atomic_at(cpu, i, dst, 1);
#endif
    if (size == 1 || value == 0) {
        memset(to, (int)(value & 0xff), n * size);
    } else {
        for (uint64_t k = 0; k < n; k++)
            memcpy(to + k * size, &value, size);
    }
    barrier();
    return true;
}

HANDLER(stos) {
    struct string_state s = string_begin(cpu, i);
    uint64_t left = count_left(cpu, i), value = cpu->gpr[BLINK_RAX];
    uint32_t size = i->opsize;
    bool wide = is_wide(cpu, i) && left > 1;
    while (left) {
        uint64_t dst = (s.dst + s.di) & s.linear, n = 1;
        if (wide)
            n = page_room(dst, size, offset_room(&s, s.di, size, left));
        if (n <= 1 || !fill_chunk(cpu, i, dst, value, size, n)) {
            n = 1;
            check_limit(cpu, i, BLINK_SEG_ES, s.di, BLINK_ACCESS_WRITE);
            st_sized(cpu, i, dst, size, value);
        }
        advance(cpu, i, &s, n, false, true);
        left -= n;
        s.di = cpu->gpr[BLINK_RDI] & s.mask;
        if (left && attention(cpu))
            return interrupted(cpu, i);
    }
    NEXT();
}

HANDLER(lods) {
    struct string_state s = string_begin(cpu, i);
    uint64_t left = count_left(cpu, i);
    while (left) {
        check_limit(cpu, i, i->seg, s.si, BLINK_ACCESS_READ);
        put_sized(cpu, BLINK_RAX, i->opsize,
                  ld_sized(cpu, i, (s.src + s.si) & s.linear, i->opsize));
        advance(cpu, i, &s, 1, true, false);
        left--;
        s.si = cpu->gpr[BLINK_RSI] & s.mask;
        if (left && attention(cpu))
            return interrupted(cpu, i);
    }
    NEXT();
}

static inline uint64_t sign_extend(uint64_t v, uint32_t size) {
    uint32_t k = 64 - size * 8;
    return (uint64_t)((int64_t)(v << k) >> k);
}

/* Flags of a - b, as CMP sets them. */
static void set_compare(struct blink_cpu *cpu, uint64_t a, uint64_t b, uint32_t size) {
    uint64_t r = a - b, c = (~a & b) | ((~a | b) & r);
    cpu->cc_res = sign_extend(r, size);
    cpu->cc_aux = AUX_CARRIES(c, size * 8);
}

/* CMPS and SCAS end early when ZF answers the prefix. */
static inline bool compare_ends(const struct blink_insn *i, uint64_t a, uint64_t b) {
    if (i->prefix & BLINK_PFX_REPNE)
        return a == b;
    return (i->prefix & BLINK_PFX_REP) && a != b;
}

HANDLER(cmps) {
    struct string_state s = string_begin(cpu, i);
    uint64_t left = count_left(cpu, i);
    while (left) {
        check_limit(cpu, i, i->seg, s.si, BLINK_ACCESS_READ);
        check_limit(cpu, i, BLINK_SEG_ES, s.di, BLINK_ACCESS_READ);
        uint64_t a = ld_sized(cpu, i, (s.src + s.si) & s.linear, i->opsize);
        uint64_t b = ld_sized(cpu, i, (s.dst + s.di) & s.linear, i->opsize);
        advance(cpu, i, &s, 1, true, true);
        left--;
        set_compare(cpu, a, b, i->opsize);
        if (compare_ends(i, a, b))
            break;
        s.si = cpu->gpr[BLINK_RSI] & s.mask;
        s.di = cpu->gpr[BLINK_RDI] & s.mask;
        if (left && attention(cpu))
            return interrupted(cpu, i);
    }
    NEXT();
}

HANDLER(scas) {
    struct string_state s = string_begin(cpu, i);
    uint64_t left = count_left(cpu, i), a = get_sized(cpu, BLINK_RAX, i->opsize);
    while (left) {
        check_limit(cpu, i, BLINK_SEG_ES, s.di, BLINK_ACCESS_READ);
        uint64_t b = ld_sized(cpu, i, (s.dst + s.di) & s.linear, i->opsize);
        advance(cpu, i, &s, 1, false, true);
        left--;
        set_compare(cpu, a, b, i->opsize);
        if (compare_ends(i, a, b))
            break;
        s.di = cpu->gpr[BLINK_RDI] & s.mask;
        if (left && attention(cpu))
            return interrupted(cpu, i);
    }
    NEXT();
}

interp_handler *INTERP_FN(bind_STRING)(const struct blink_insn *i, uint32_t mode) {
    (void)mode;
    switch (i->op) {
    case BLINK_OP_MOVS: return movs;
    case BLINK_OP_STOS: return stos;
    case BLINK_OP_LODS: return lods;
    case BLINK_OP_CMPS: return cmps;
    case BLINK_OP_SCAS: return scas;
    default: return NULL;
    }
}
