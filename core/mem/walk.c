/*
 * The page walk: what the hardware does on a TLB miss, in all its modes, and for user programs the
 * tables themselves, which core keeps in guest physical memory and fills as pages are touched.
 * AMD64 manual volume 2, chapter 5. Called with the space's lock held.
 */
#include <errno.h>
#include <sys/mman.h>

#include "cpu/cpu.h"
#include "mem/internal.h"

#define PTE_P    (UINT64_C(1) << 0)
#define PTE_W    (UINT64_C(1) << 1)
#define PTE_U    (UINT64_C(1) << 2)
#define PTE_A    (UINT64_C(1) << 5)
#define PTE_D    (UINT64_C(1) << 6)
#define PTE_PS   (UINT64_C(1) << 7)
#define PTE_NX   (UINT64_C(1) << 63)
#define PTE_ADDR UINT64_C(0x000ffffffffff000)

#define TABLE_CHUNK (UINT64_C(64) * BLINK_PAGE_SIZE)

/* How one paging mode splits an address. Level 0 is the leaf. */
struct mode {
    uint32_t levels;
    uint32_t entry_size; /* bytes */
    uint32_t index_bits;
    uint32_t large;   /* mask of levels at which an entry may map a page */
    bool legacy_pdpt; /* PAE: the four top entries have no W, U, A and NX */
};

static const struct mode long_mode = {4, 8, 9, 1u << 1 | 1u << 2, false};
static const struct mode pae_mode = {3, 8, 9, 1u << 1, true};
static const struct mode two_level = {2, 4, 10, 0, false};
static const struct mode two_level_pse = {2, 4, 10, 1u << 1, false};

void *walk_ram(struct blink_mem *mem, uint64_t phys, uint64_t size) {
    return phys < mem->phys_size && size <= mem->phys_size - phys ? mem->phys + phys : NULL;
}

/* One walk under way. */
struct state {
    struct blink_mem *mem;
    const struct mode *mode;
    uint64_t address;
    uint64_t root;
    uint32_t access;
    bool user, wp, nxe;
    /* What has been found. */
    void *entry[4];
    uint64_t value[4];
    uint32_t leaf; /* level of the leaf */
    bool write, exec, allowed_user;
};

static uint64_t read_entry(const struct state *s, const void *p) {
    if (s->mode->entry_size == 4)
        return __atomic_load_n((const uint32_t *)p, __ATOMIC_RELAXED);
    return __atomic_load_n((const uint64_t *)p, __ATOMIC_RELAXED);
}

/* Set bits unless the entry changed since it was read. */
static bool set_bits(const struct state *s, uint32_t level, uint64_t bits) {
    uint64_t old = s->value[level];
    if ((old & bits) == bits)
        return true;
    if (s->mode->entry_size == 4) {
        uint32_t narrow = (uint32_t)old;
        return __atomic_compare_exchange_n((uint32_t *)s->entry[level], &narrow,
                                           (uint32_t)(old | bits), false, __ATOMIC_SEQ_CST,
                                           __ATOMIC_RELAXED);
    }
    return __atomic_compare_exchange_n((uint64_t *)s->entry[level], &old, old | bits, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

static uint32_t shift_of(const struct mode *m, uint32_t level) {
    return 12 + level * m->index_bits;
}

static bool reserved_set(const struct state *s, uint32_t level, uint64_t e, bool large) {
    if (s->mode->entry_size == 4)
        return false; /* PSE-36 gives bits 20:13 a meaning */
    if (e & PTE_ADDR & ~((UINT64_C(1) << CPU_PHYS_BITS) - 1))
        return true;
    if ((e & PTE_NX) && (!s->nxe || (s->mode->legacy_pdpt && level == 2)))
        return true;
    if ((e & PTE_PS) && level >= 2 && !large)
        return true;
    return large && (e & PTE_ADDR & ((UINT64_C(1) << shift_of(s->mode, level)) - 1) &
                     ~UINT64_C(0x1000)); /* bit 12 is PAT */
}

enum outcome { WALK_OK, WALK_ABSENT, WALK_DENIED, WALK_RESERVED };

static uint64_t leaf_base(const struct state *s, uint64_t e) {
    uint64_t mask = (UINT64_C(1) << shift_of(s->mode, s->leaf)) - 1;
    if (s->mode->entry_size == 4 && s->leaf == 1) /* 4 MiB page: bits 39:32 are in 20:13 */
        return (e & UINT64_C(0xffc00000)) | (e & UINT64_C(0x1fe000)) << 19;
    return (s->mode->entry_size == 4 ? e & UINT64_C(0xfffff000) : e & PTE_ADDR) & ~mask;
}

/* Read the entries down to the leaf and gather the rights. */
static enum outcome descend(struct state *s) {
    const struct mode *m = s->mode;
    uint64_t table = s->root;
    s->write = s->exec = s->allowed_user = true;
    for (uint32_t level = m->levels; level-- > 0;) {
        uint32_t bits = m->legacy_pdpt && level == 2 ? 2 : m->index_bits;
        uint64_t index = s->address >> shift_of(m, level) & ((1u << bits) - 1);
        void *p = walk_ram(s->mem, table + index * m->entry_size, m->entry_size);
        uint64_t e = p ? read_entry(s, p) : 0;
        if (!(e & PTE_P))
            return WALK_ABSENT;
        bool large = (m->large >> level & 1) && (e & PTE_PS);
        if (reserved_set(s, level, e, large))
            return WALK_RESERVED;
        s->entry[level] = p;
        s->value[level] = e;
        if (!(m->legacy_pdpt && level == 2)) {
            s->write = s->write && (e & PTE_W);
            s->allowed_user = s->allowed_user && (e & PTE_U);
            s->exec = s->exec && !(m->entry_size == 8 && (e & PTE_NX));
        }
        s->leaf = level;
        if (large) {
            __atomic_store_n(&s->mem->large_pages, true, __ATOMIC_RELAXED);
            break;
        }
        table = m->entry_size == 4 ? e & UINT64_C(0xfffff000) : e & PTE_ADDR;
    }
    /* CR0.WP off: the supervisor writes everywhere. */
    if (!s->user && !s->wp)
        s->write = true;
    if ((s->user && !s->allowed_user) || (s->access == BLINK_PROT_WRITE && !s->write) ||
        (s->access == BLINK_PROT_EXEC && !s->exec))
        return WALK_DENIED;
    return WALK_OK;
}

/* Accessed in all entries, dirty in the leaf of a write; false if one changed under us. */
static bool mark(struct state *s) {
    for (uint32_t level = s->mode->levels; level-- > s->leaf;) {
        bool top = s->mode->legacy_pdpt && level == 2;
        uint64_t bits = top ? 0 : PTE_A;
        if (level == s->leaf && s->access == BLINK_PROT_WRITE)
            bits |= PTE_D;
        if (!set_bits(s, level, bits))
            return false;
    }
    return true;
}

static void page_fault(const struct state *s, enum outcome why, struct mem_fault *fault) {
    uint32_t error = why == WALK_ABSENT ? 0 : BLINK_PF_P;
    if (why == WALK_RESERVED)
        error |= BLINK_PF_R;
    if (s->access == BLINK_PROT_WRITE)
        error |= BLINK_PF_W;
    if (s->user)
        error |= BLINK_PF_U;
    if (s->access == BLINK_PROT_EXEC && s->nxe)
        error |= BLINK_PF_I;
    *fault = (struct mem_fault){.vector = BLINK_EXC_PF, .error = error, .address = s->address};
}

/* A user program: enter the page into the tables if the region allows the access. */
static bool populate(struct blink_mem *mem, uint64_t address, uint32_t access,
                     struct mem_fault *fault) {
    const struct region *r = mem_usable(mem, address, access);
    if (!r) {
        mem_user_fault(mem, address, access, fault);
        return false;
    }
    uint64_t page = PAGE_DOWN(address);
    uint64_t phys = r->host + (page - r->start) - (uintptr_t)mem->phys;
    if (walk_enter(mem, page, phys, r->prot)) {
        /* No memory for a table: the kernel would kill the program; a bus error is near. */
        *fault = (struct mem_fault){.vector = BLINK_EXC_BUS, .address = address};
        return false;
    }
    return true;
}

static void set_mode(struct state *s, const struct blink_cpu *cpu) {
    if (!s->mem->system) {
        s->mode = &long_mode;
        s->root = s->mem->cr3;
        s->user = s->wp = s->nxe = true;
        return;
    }
    bool lma = cpu->efer & EFER_LMA, pae = cpu->cr4 & CR4_PAE;
    s->user = cpu->cpl == 3;
    s->wp = cpu->cr0 & CR0_WP;
    s->nxe = pae && (cpu->efer & EFER_NXE);
    if (lma) {
        s->mode = &long_mode;
        s->root = cpu->cr3 & PTE_ADDR;
    } else if (pae) {
        s->mode = &pae_mode;
        s->root = cpu->cr3 & UINT64_C(0xffffffe0);
    } else {
        s->mode = cpu->cr4 & CR4_PSE ? &two_level_pse : &two_level;
        s->root = cpu->cr3 & UINT64_C(0xfffff000);
    }
}

bool walk_linear(struct blink_mem *mem, struct blink_cpu *cpu, uint64_t address, uint32_t access,
                 struct walk *out, struct mem_fault *fault) {
    uint64_t a20 = mem->system ? cpu->a20_mask | UINT64_C(0xffffffff00000000) : UINT64_MAX;
    if (mem->system && !(cpu->cr0 & CR0_PG)) {
        *out = (struct walk){.phys = address & a20, .write = true, .exec = true, .dirty = true};
        return true;
    }
    struct state s = {.mem = mem, .address = address, .access = access};
    set_mode(&s, cpu);
    if (s.mode == &long_mode && !cpu_canonical(address)) {
        *fault = (struct mem_fault){.vector = BLINK_EXC_GP};
        return false;
    }
    for (;;) {
        enum outcome why = descend(&s);
        if (why == WALK_OK) {
            if (mark(&s))
                break;
        } else if (mem->system) {
            page_fault(&s, why, fault);
            return false;
        } else if (!populate(mem, address, access, fault)) {
            return false;
        }
    }
    uint64_t inside = (UINT64_C(1) << shift_of(s.mode, s.leaf)) - 1;
    *out = (struct walk){
        .phys = (leaf_base(&s, s.value[s.leaf]) | (address & inside)) & a20,
        .write = s.write,
        .exec = s.exec,
        .dirty = access == BLINK_PROT_WRITE || (s.value[s.leaf] & PTE_D),
    };
    return true;
}

/* A zeroed page for a table. */
static uint64_t new_table(struct blink_mem *mem) {
    if (mem->table_next == mem->table_end) {
        uint64_t at = extent_take(&mem->free, TABLE_CHUNK, 0, false);
        if (at == UINT64_MAX)
            return 0;
        if (mmap(mem->phys + at, TABLE_CHUNK, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED) {
            extent_add(&mem->free, at, at + TABLE_CHUNK);
            return 0;
        }
        mem->table_next = at;
        mem->table_end = at + TABLE_CHUNK;
    }
    mem->table_next += BLINK_PAGE_SIZE;
    return mem->table_next - BLINK_PAGE_SIZE;
}

int walk_create_root(struct blink_mem *mem) {
    mem->cr3 = new_table(mem);
    return mem->cr3 ? 0 : -ENOMEM;
}

static uint64_t *entry_at(struct blink_mem *mem, uint64_t table, uint64_t address, uint32_t level) {
    uint64_t index = address >> shift_of(&long_mode, level) & 511;
    return (uint64_t *)(void *)(mem->phys + table + index * 8);
}

int walk_enter(struct blink_mem *mem, uint64_t address, uint64_t phys, uint32_t prot) {
    uint64_t table = mem->cr3;
    for (uint32_t level = 3; level > 0; level--) {
        uint64_t *e = entry_at(mem, table, address, level);
        if (!(*e & PTE_P)) {
            uint64_t fresh = new_table(mem);
            if (!fresh)
                return -ENOMEM;
            __atomic_store_n(e, fresh | PTE_P | PTE_W | PTE_U, __ATOMIC_RELEASE);
        }
        table = *e & PTE_ADDR;
    }
    uint64_t e = phys | PTE_P | PTE_U | (prot & BLINK_PROT_WRITE ? PTE_W : 0) |
                 (prot & BLINK_PROT_EXEC ? 0 : PTE_NX);
    __atomic_store_n(entry_at(mem, table, address, 0), e, __ATOMIC_RELEASE);
    return 0;
}

void walk_clear(struct blink_mem *mem, uint64_t start, uint64_t end) {
    uint64_t at = start;
    while (at < end) {
        uint64_t table = mem->cr3;
        uint32_t level = 3;
        for (; level > 0; level--) {
            uint64_t e = *entry_at(mem, table, at, level);
            if (!(e & PTE_P))
                break;
            table = e & PTE_ADDR;
        }
        if (level == 0)
            __atomic_store_n(entry_at(mem, table, at, 0), 0, __ATOMIC_RELEASE);
        /* To the next entry of the level that was absent, or to the next page. */
        uint64_t step = UINT64_C(1) << shift_of(&long_mode, level);
        at = (at & ~(step - 1)) + step;
    }
}
