/*
 * The software TLB of each vCPU: filled on a miss of the interpreter or of translated code, by the
 * vCPU's own thread; emptied by it, or by others while it is parked.
 */
#include <string.h>

#include "cpu/cpu.h"
#include "mem/internal.h"

/* The untouched entry of this page would meet it. */
#define FIRST blink_tlb_index(0 - BLINK_TLB_BIAS)

static void clear(struct blink_cpu *cpu, uint32_t k) {
    cpu->tlb.read[k] = cpu->tlb.write[k] = blink_tlb_absent(k);
    cpu->tlb.addend[k] = 0;
}

void mem_tlb_flush(struct blink_cpu *cpu) {
    struct blink_tlb *t = &cpu->tlb;
    if (t->used > BLINK_TLB_LISTED) {
        memset(t->read, 0, sizeof t->read);
        memset(t->write, 0, sizeof t->write);
        memset(t->addend, 0, sizeof t->addend);
    } else {
        for (uint32_t n = 0; n < t->used; n++)
            t->read[t->list[n]] = t->write[t->list[n]] = t->addend[t->list[n]] = 0;
    }
    t->used = 0;
    clear(cpu, FIRST);
}

void mem_tlb_flush_page(struct blink_cpu *cpu, uint64_t address) {
    const struct blink_mem *mem = cpu->mem;
    uint32_t k = blink_tlb_index(address);
    /* The page may be large, and its pieces be anywhere. */
    if (mem && __atomic_load_n(&mem->large_pages, __ATOMIC_RELAXED))
        mem_tlb_flush(cpu);
    else if (cpu->tlb.read[k])
        clear(cpu, k);
}

void mem_set_cpl(struct blink_cpu *cpu, uint32_t cpl) {
    bool user = cpu->cpl == 3;
    cpu->cpl = cpl;
    if (user != (cpl == 3) && cpu->mem && cpu->mem->strategy == MEM_PAGED)
        mem_tlb_flush(cpu);
}

void tlb_flush_all(struct blink_mem *mem) {
    for (uint32_t k = 0; k < mem->cpu_count; k++)
        mem_tlb_flush(mem->cpus[k]);
}

void tlb_flush_range(struct blink_mem *mem, uint64_t start, uint64_t end) {
    if ((end - start) >> 12 >= BLINK_TLB_LISTED) {
        tlb_flush_all(mem);
        return;
    }
    for (uint32_t k = 0; k < mem->cpu_count; k++)
        for (uint64_t at = start; at < end; at += BLINK_PAGE_SIZE)
            if (mem->cpus[k]->tlb.read[blink_tlb_index(at)])
                clear(mem->cpus[k], blink_tlb_index(at));
}

static void fill(struct blink_cpu *cpu, uint64_t address, const void *host, const struct walk *w,
                 bool code) {
    struct blink_tlb *t = &cpu->tlb;
    uint64_t page = PAGE_DOWN(address);
    uint32_t k = blink_tlb_index(address);
    if (!t->read[k] && t->used <= BLINK_TLB_LISTED) {
        if (t->used < BLINK_TLB_LISTED)
            t->list[t->used] = (uint16_t)k;
        t->used++;
    }
    t->addend[k] = (uintptr_t)host - address;
    t->read[k] = blink_tlb_tag(page);
    t->write[k] = w->write && w->dirty && !code ? blink_tlb_tag(page) : blink_tlb_absent(k);
}

/* A watched page has no entry, so that every access to it comes by (interp/slow.c). */
static bool is_watched(const struct blink_cpu *cpu, uint64_t address) {
    if (!(cpu->dr[7] & 0xff))
        return false;
    for (uint32_t k = 0; k < 4; k++)
        if ((cpu->dr[7] >> k * 2 & 3) && PAGE_DOWN(cpu->dr[k]) == PAGE_DOWN(address))
            return true;
    return false;
}

/* Host memory of a physical address; NULL: of a device, of nobody, or ROM that is written. */
static void *ram_for(struct blink_mem *mem, uint64_t phys, bool write, bool *rom) {
    *rom = false;
    if (!mem->system)
        return walk_ram(mem, phys, 1);
    if (physical_is_device(mem, phys))
        return NULL;
    *rom = physical_is_rom(mem, phys);
    return *rom && write ? NULL : walk_ram(mem, phys, 1);
}

static void *translate_paged(struct blink_mem *mem, struct blink_cpu *cpu, uint64_t address,
                             uint32_t access, struct mem_fault *fault) {
    struct walk w;
    bool rom;
    if (!walk_linear(mem, cpu, address, access, &w, fault))
        return NULL;
    void *host = ram_for(mem, w.phys, access == BLINK_PROT_WRITE, &rom);
    if (!host) {
        *fault = (struct mem_fault){.vector = 0, .address = w.phys};
        return NULL;
    }
    uint64_t key = mem->system ? w.phys : address;
    if (access == BLINK_PROT_WRITE && code_is_tracked(mem, key)) {
        code_drop(mem, key, key + 1, true);
        *fault = (struct mem_fault){.vector = MEM_VECTOR_SMC, .address = address};
        return NULL;
    }
    if (!is_watched(cpu, address))
        fill(cpu, address, host, &w, rom || code_is_tracked(mem, key));
    return host;
}

void *mem_reach(struct blink_cpu *cpu, uint64_t address, uint32_t cpl, bool write,
                struct mem_fault *fault) {
    struct blink_mem *mem = cpu->mem;
    uint32_t access = write ? BLINK_PROT_WRITE : BLINK_PROT_READ, before = cpu->cpl;
    struct walk w;
    bool rom;
    if (!mem->system)
        return mem_translate(cpu, address, access, fault);
    mem_lock(mem);
    cpu->cpl = cpl;
    bool ok = walk_linear(mem, cpu, address, access, &w, fault);
    cpu->cpl = before;
    void *host = ok ? ram_for(mem, w.phys, write, &rom) : NULL;
    if (ok && !host)
        *fault = (struct mem_fault){.vector = 0, .address = w.phys};
    else if (ok && write)
        code_drop(mem, w.phys, w.phys + 1, true);
    mem_unlock(mem);
    return host;
}

static void *translate_linear(struct blink_mem *mem, uint64_t address, uint32_t access,
                              struct mem_fault *fault) {
    if (!cpu_canonical(address)) {
        *fault = (struct mem_fault){.vector = BLINK_EXC_GP};
        return NULL;
    }
    struct region *r = mem_usable(mem, address, access);
    if (!r) {
        mem_user_fault(mem, address, access, fault);
        return NULL;
    }
    if (access == BLINK_PROT_WRITE)
        code_drop(mem, address, address + 1, true);
    return backing_pointer(r, address);
}

void *mem_translate(struct blink_cpu *cpu, uint64_t address, uint32_t access,
                    struct mem_fault *fault) {
    struct blink_mem *mem = cpu->mem;
    mem_lock(mem);
    void *p = mem->strategy == MEM_PAGED ? translate_paged(mem, cpu, address, access, fault)
                                         : translate_linear(mem, address, access, fault);
    mem_unlock(mem);
    return p;
}

bool mem_read_system(struct blink_cpu *cpu, uint64_t address, void *out, size_t size,
                     struct mem_fault *fault) {
    struct blink_mem *mem = cpu->mem;
    uint32_t cpl = cpu->cpl;
    size_t done = 0;
    if (!mem->system) {
        *fault = (struct mem_fault){.vector = BLINK_EXC_PF, .address = address};
        return mem_copy_in(mem, out, address, size) == 0;
    }
    while (done < size) {
        uint64_t at = address + done, room = BLINK_PAGE_SIZE - (at & PAGE_MASK);
        size_t n = size - done < room ? size - done : (size_t)room;
        struct walk w;
        mem_lock(mem);
        cpu->cpl = 0;
        bool ok = walk_linear(mem, cpu, at, BLINK_PROT_READ, &w, fault);
        cpu->cpl = cpl;
        mem_unlock(mem);
        if (!ok)
            return false;
        const void *p = walk_ram(mem, w.phys, n);
        if (p)
            memcpy((uint8_t *)out + done, p, n);
        else
            memset((uint8_t *)out + done, 0xff, n); /* nobody answers */
        done += n;
    }
    return true;
}

/* The host had no page where the walk found one: nothing behind the mapping, or the host refuses.
 */
static void lost(struct blink_cpu *cpu, uint64_t address, struct mem_fault *fault) {
    struct blink_mem *mem = cpu->mem;
    mem_lock(mem);
    if (mem_usable(mem, address, BLINK_PROT_EXEC))
        *fault = (struct mem_fault){.vector = BLINK_EXC_BUS, .address = address};
    else
        mem_user_fault(mem, address, BLINK_PROT_EXEC, fault);
    mem_unlock(mem);
}

bool mem_code_address(struct blink_cpu *cpu, uint64_t address, uint64_t *out) {
    struct blink_mem *mem = cpu->mem;
    struct mem_fault fault;
    struct walk w;
    mem_lock(mem);
    bool ok = walk_linear(mem, cpu, address, BLINK_PROT_EXEC, &w, &fault);
    mem_unlock(mem);
    *out = ok ? w.phys : 0;
    return ok;
}

/* No mapping has changed since `before` was read. What was copied meanwhile was what it was taken
 * for: without this it may be of another mapping which took the place, or of none. */
static bool unchanged(const struct blink_mem *mem, uint64_t before) {
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return __atomic_load_n(&mem->changes, __ATOMIC_RELAXED) == before;
}

size_t mem_fetch(struct blink_cpu *cpu, uint64_t address, void *out, size_t size,
                 struct mem_fault *fault) {
    size_t done = 0;
    while (done < size) {
        uint64_t at = address + done, room = BLINK_PAGE_SIZE - (at & PAGE_MASK);
        size_t n = size - done < room ? size - done : (size_t)room;
        uint64_t before = __atomic_load_n(&cpu->mem->changes, __ATOMIC_ACQUIRE);
        const void *p = mem_translate(cpu, at, BLINK_PROT_EXEC, fault);
        if (!p && fault->vector == 0) {
            /* No RAM: nobody answers on the bus. FF FF is no instruction. */
            memset((uint8_t *)out + done, 0xff, n);
            done += n;
            continue;
        }
        if (!p)
            break;
        int rc = mem_copy(cpu->mem, (uint8_t *)out + done, p, n);
        if (!unchanged(cpu->mem, before))
            continue;
        if (rc) {
            lost(cpu, at, fault);
            break;
        }
        done += n;
    }
    return done;
}
