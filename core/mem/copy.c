/*
 * Copies between blink and the guest, and pins. Which bytes are the guest's is checked with the
 * lock held; the copy itself runs without it, since a host fault in it takes the lock (fault.c).
 * A system space is copied to and from by physical address, as devices do.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mem/internal.h"

int mem_copy(struct blink_mem *mem, void *dst, const void *src, size_t size) {
    if (mem->guarded)
        return mem->guarded(dst, src, size);
    memcpy(dst, src, size);
    return 0;
}

/* Host memory of as much of [address, address + *size) as lies together; NULL if the first byte is
 * not good. With the lock held. */
static void *piece(struct blink_mem *mem, uint64_t address, uint64_t *size, uint32_t access) {
    if (mem->system) {
        if (address >= mem->phys_size)
            return NULL;
        if (*size > mem->phys_size - address)
            *size = mem->phys_size - address;
    } else {
        const struct region *r = mem_usable(mem, address, access);
        if (!r)
            return NULL;
        if (*size > r->end - address)
            *size = r->end - address;
        if (access & BLINK_PROT_WRITE)
            code_drop(mem, address, address + *size, true);
        return backing_pointer(r, address);
    }
    if (access & BLINK_PROT_WRITE)
        code_drop(mem, address, address + *size, true);
    return mem->phys + address;
}

static void *piece_unlocked(struct blink_mem *mem, uint64_t address, uint64_t *size,
                            uint32_t access) {
    mem_lock(mem);
    void *p = piece(mem, address, size, access);
    mem_unlock(mem);
    return p;
}

int mem_copy_in(struct blink_mem *mem, void *dst, uint64_t src, size_t size) {
    uint8_t *to = dst;
    while (size) {
        uint64_t n = size;
        const void *p = piece_unlocked(mem, src, &n, BLINK_PROT_READ);
        if (!p || mem_copy(mem, to, p, (size_t)n))
            return -EFAULT;
        src += n;
        to += n;
        size -= (size_t)n;
    }
    return 0;
}

/* Another vCPU may have made blocks of the bytes while they were replaced. In linear memory the
 * host's page is protected then and the copy itself faults. */
static void drop_again(struct blink_mem *mem, uint64_t address, uint64_t size) {
    if (mem->strategy == MEM_LINEAR)
        return;
    mem_lock(mem);
    code_drop(mem, address, address + size, false);
    mem_unlock(mem);
}

int mem_copy_out(struct blink_mem *mem, uint64_t dst, const void *src, size_t size) {
    const uint8_t *from = src;
    while (size) {
        uint64_t n = size;
        void *p = piece_unlocked(mem, dst, &n, BLINK_PROT_WRITE);
        if (!p || mem_copy(mem, p, from, (size_t)n))
            return -EFAULT;
        drop_again(mem, dst, n);
        dst += n;
        from += n;
        size -= (size_t)n;
    }
    return 0;
}

int64_t mem_copy_string(struct blink_mem *mem, char *dst, uint64_t src, size_t max) {
    size_t done = 0;
    while (done < max) {
        /* Page by page: what follows the string need not be there, nor be large. */
        uint64_t n = BLINK_PAGE_SIZE - (src & PAGE_MASK);
        if (n > max - done)
            n = max - done;
        const void *p = piece_unlocked(mem, src, &n, BLINK_PROT_READ);
        if (!p || mem_copy(mem, dst + done, p, (size_t)n))
            return -EFAULT;
        const char *end = memchr(dst + done, 0, (size_t)n);
        if (end)
            return end - dst;
        src += n;
        done += (size_t)n;
    }
    return -ENAMETOOLONG;
}

static void *peek_user(struct blink_mem *mem, uint64_t address, size_t *size) {
    const struct region *r = region_at(&mem->regions, address);
    if (r && *size > r->end - address)
        *size = (size_t)(r->end - address);
    return r ? backing_pointer(r, address) : NULL;
}

/* By the tables, with the rights of the processor; *key is where it lies in RAM. */
static void *peek_system(struct blink_mem *mem, struct blink_cpu *cpu, uint64_t address,
                         size_t *size, uint64_t *key) {
    uint64_t room = BLINK_PAGE_SIZE - (address & PAGE_MASK);
    uint32_t cpl = cpu->cpl;
    struct mem_fault fault;
    struct walk w;
    if (*size > room)
        *size = (size_t)room;
    cpu->cpl = 0;
    bool ok = walk_linear(mem, cpu, address, BLINK_PROT_READ, &w, &fault);
    cpu->cpl = cpl;
    *key = ok ? w.phys : 0;
    return ok ? walk_ram(mem, w.phys, *size) : NULL;
}

void *mem_peek(struct blink_cpu *cpu, uint64_t address, size_t *size, bool write) {
    struct blink_mem *mem = cpu->mem;
    uint64_t key = address;
    mem_lock(mem);
    void *p =
        mem->system ? peek_system(mem, cpu, address, size, &key) : peek_user(mem, address, size);
    if (p && write)
        code_drop(mem, key, key + *size, false);
    mem_unlock(mem);
    return p;
}

static bool remember_pin(struct blink_mem *mem, uint64_t start, uint64_t end, uint32_t access) {
    for (size_t k = 0; k < mem->pin_count; k++) {
        struct mem_pin *p = &mem->pins[k];
        if (p->start == start && p->end == end && p->access == access) {
            p->count++;
            return true;
        }
    }
    if (mem->pin_count == mem->pin_capacity) {
        size_t n = mem->pin_capacity ? mem->pin_capacity * 2 : 16;
        struct mem_pin *v = realloc(mem->pins, n * sizeof *v);
        if (!v)
            return false;
        mem->pins = v;
        mem->pin_capacity = n;
    }
    mem->pins[mem->pin_count++] = (struct mem_pin){start, end, access, 1};
    return true;
}

static uint32_t collect(struct blink_mem *mem, uint64_t address, uint64_t *size, uint32_t access,
                        struct blink_mem_span *spans, uint32_t capacity) {
    uint64_t done = 0;
    uint32_t count = 0;
    while (done < *size) {
        uint64_t n = *size - done;
        uint8_t *p = piece(mem, address + done, &n, access);
        if (!p)
            break;
        if (count && (uint8_t *)spans[count - 1].host + spans[count - 1].size == p) {
            spans[count - 1].size += (size_t)n;
        } else if (count == capacity) {
            break;
        } else {
            spans[count++] = (struct blink_mem_span){p, (size_t)n};
        }
        done += n;
    }
    *size = done;
    return count;
}

int mem_pin(struct blink_mem *mem, uint64_t address, uint64_t *size, uint32_t access,
            struct blink_mem_span *spans, uint32_t *count) {
    uint64_t covered = *size;
    if (!*count && covered)
        return -EINVAL;
    access = access & BLINK_PROT_WRITE ? BLINK_PROT_WRITE : BLINK_PROT_READ;
    if (covered == 0) {
        *count = 0;
        return 0;
    }
    mem_lock(mem);
    uint32_t n = collect(mem, address, &covered, access, spans, *count);
    /* The end is page-rounded like the start: tracking is by pages. */
    bool kept = n && remember_pin(mem, PAGE_DOWN(address), PAGE_UP(address + covered), access);
    mem_unlock(mem);
    if (!n)
        return -EFAULT;
    if (!kept)
        return -ENOMEM;
    *size = covered;
    *count = n;
    return 0;
}

void mem_unpin(struct blink_mem *mem, uint64_t address, uint64_t size, uint32_t access) {
    uint64_t start = PAGE_DOWN(address), end = PAGE_UP(address + size);
    if (size == 0)
        return;
    access = access & BLINK_PROT_WRITE ? BLINK_PROT_WRITE : BLINK_PROT_READ;
    mem_lock(mem);
    for (size_t k = 0; k < mem->pin_count; k++) {
        struct mem_pin *p = &mem->pins[k];
        if (p->start != start || p->end != end || p->access != access)
            continue;
        if (--p->count == 0)
            *p = mem->pins[--mem->pin_count];
        break;
    }
    if (mem->pin_count == 0 && mem->limbo.count)
        backing_flush_limbo(mem);
    mem_unlock(mem);
}
