/*
 * What a fault is: of the guest's page tables or of the host's. mem_host_fault runs in the host's
 * signal handler, on a thread that was in guest code or in a guarded copy and so holds no lock.
 */
#include <string.h>
#include <sys/mman.h>

#include "mem/internal.h"

/* P tells "mapped, but not for this" from "nothing to be touched here". */
void mem_user_fault(struct blink_mem *mem, uint64_t address, uint32_t access,
                    struct mem_fault *fault) {
    const struct region *r = region_at(&mem->regions, address);
    /* What may not be touched at all Linux takes out of the page tables. */
    bool present = r && r->prot;
    *fault = (struct mem_fault){
        .vector = BLINK_EXC_PF,
        .error = BLINK_PF_U | (present ? BLINK_PF_P : 0) |
                 (access == BLINK_PROT_WRITE ? BLINK_PF_W : 0) |
                 (access == BLINK_PROT_EXEC ? BLINK_PF_I : 0),
        .address = address,
    };
}

/* The address of the guest that is at `host` in paged memory. */
static bool guest_address(const struct blink_mem *mem, uint64_t host, uint64_t *out) {
    for (size_t k = 0; k < mem->regions.count; k++) {
        const struct region *r = &mem->regions.v[k];
        if (host - r->host < r->end - r->start) {
            *out = r->start + (host - r->host);
            return true;
        }
    }
    return false;
}

static enum mem_host_fault classify(struct blink_mem *mem, uint64_t address, bool write, bool bus,
                                    struct mem_fault *fault) {
    uint32_t access = write ? BLINK_PROT_WRITE : BLINK_PROT_READ;
    const struct region *r = mem_usable(mem, address, access);
    if (!r) {
        mem_user_fault(mem, address, access, fault);
        return MEM_FAULT_GUEST;
    }
    if (bus) {
        *fault = (struct mem_fault){.vector = BLINK_EXC_BUS, .address = address};
        return MEM_FAULT_GUEST;
    }
    if (write && code_is_tracked(mem, address)) {
        code_drop(mem, address, address + 1, true);
        return MEM_FAULT_SMC;
    }
    /* Another thread has changed it meanwhile: what the guest may do now is what counts. */
    if (mem->strategy == MEM_LINEAR && !code_is_tracked(mem, address) &&
        mprotect(backing_pointer(r, PAGE_DOWN(address)), BLINK_PAGE_SIZE, backing_prot(r->prot))) {
        /* The host has no page there, or no room for it: trying again would go on for ever. */
        *fault = (struct mem_fault){.vector = BLINK_EXC_BUS, .address = address};
        return MEM_FAULT_GUEST;
    }
    return MEM_FAULT_RETRY;
}

enum mem_host_fault mem_host_fault(struct blink_mem *mem, uint64_t host, bool write, bool bus,
                                   bool kernel, struct mem_fault *fault) {
    enum mem_host_fault kind = MEM_FAULT_FOREIGN;
    if (kernel) {
        *fault = (struct mem_fault){.vector = BLINK_EXC_GP};
        return mem->strategy == MEM_LINEAR ? MEM_FAULT_GUEST : MEM_FAULT_FOREIGN;
    }
    mem_lock(mem);
    if (mem->strategy == MEM_LINEAR) {
        kind = classify(mem, host - mem->bias, write, bus, fault);
    } else if (!mem->system && host - (uintptr_t)mem->phys < mem->phys_size) {
        uint64_t address = 0;
        if (guest_address(mem, host, &address)) {
            kind = classify(mem, address, write, bus, fault);
        } else {
            /* A copy raced with an unmap: nobody knows the address any more. */
            mem_user_fault(mem, 0, write ? BLINK_PROT_WRITE : BLINK_PROT_READ, fault);
            kind = MEM_FAULT_GUEST;
        }
    }
    mem_unlock(mem);
    return kind;
}
