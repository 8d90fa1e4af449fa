/*
 * Guest address spaces inside core: creation, the software TLB's slow path, instruction fetch,
 * code-page tracking and the classification of host faults. Plugins see <blink/mem.h> only.
 */
#ifndef CORE_MEM_SPACE_H
#define CORE_MEM_SPACE_H

#include <blink/cpu.h>
#include <blink/mem.h>
#include <stdbool.h>

enum mem_strategy {
    MEM_LINEAR, /* host address = guest address + bias; the host's page tables do the work */
    MEM_PAGED,  /* guest page tables in guest physical memory, walked in software */
};

/* What core's execution loop answers to the memory; all called with no memory lock held unless
 * said otherwise. */
struct mem_hooks {
    void *arg;
    /* Blocks that stand on linear [start, end) must go: their pages changed, or are about to be
     * written. Called before the change becomes visible, with the space's lock held. */
    void (*drop_code)(void *arg, uint64_t start, uint64_t end);
    /* Call `work(work_arg)` while no vCPU but the caller's runs guest code. With one vCPU it is
     * called at once. */
    void (*exclusive)(void *arg, void (*work)(void *work_arg), void *work_arg);
};

struct mem_options {
    enum mem_strategy strategy;
    uint64_t bias;          /* linear: wanted bias, 0 by default */
    uint64_t physical_size; /* paged: bytes of guest physical address space, 0 for the default */
    struct mem_hooks hooks;
    /* Paged: the guest keeps its own page tables; RAM is guest physical [0, physical_size), and
     * the plugins' copies address it physically. False: a user program, tables kept by core. */
    bool system;
};

/* Vector of mem_fault for a store that hit translated code: the code is dropped, the loop runs the
 * instruction again, alone. */
#define MEM_VECTOR_SMC 0xffffu

/* A fault the guest gets. */
struct mem_fault {
    uint32_t vector;  /* BLINK_EXC_PF, BLINK_EXC_GP (non-canonical), BLINK_EXC_BUS */
    uint32_t error;   /* page-fault error code */
    uint64_t address; /* CR2 */
};

/* Host-fault classification. */
enum mem_host_fault {
    MEM_FAULT_FOREIGN, /* not an access of the guest: a defect of blink */
    MEM_FAULT_GUEST,   /* *fault tells what the guest gets */
    MEM_FAULT_SMC,     /* a write to a page with translated code: code dropped, page writable */
    MEM_FAULT_RETRY,   /* resolved (stack grown, raced with another thread): run it again */
};

/* -EINVAL for a bad bias or size, -ENOMEM, -ENOTSUP for a user program on a host whose pages are
 * larger than the guest's. */
int mem_create(const struct mem_options *options, struct blink_mem **out);
void mem_destroy(struct blink_mem *mem);

/* The plugin-facing service. */
extern const struct blink_mem_iface mem_iface;

enum mem_strategy mem_strategy_of(const struct blink_mem *mem);

/* A vCPU begins or ceases to use the space; attach sets cpu->mem, cpu->bias, BLINK_MODE_PAGED,
 * flushes the TLB and, in a paged space of a user program, loads CR3. */
int mem_attach(struct blink_mem *mem, struct blink_cpu *cpu);
void mem_detach(struct blink_mem *mem, struct blink_cpu *cpu);

/*
 * The slow path of an access of 1 to 64 bytes that lies within one page. access is one of
 * BLINK_PROT_READ, WRITE, EXEC. Walks the tables (setting A and D), checks U/S, R/W, NX, fills
 * the TLB and returns the host address, or NULL with *fault. A write to a page with translated
 * code drops it first. Where no RAM is it gives NULL
 * with fault->vector 0 and the physical address in fault->address: the bus's turn.
 */
void *mem_translate(struct blink_cpu *cpu, uint64_t address, uint32_t access,
                    struct mem_fault *fault);

/*
 * Read as the processor itself does, with supervisor rights whatever the CPL and without a trace
 * in the TLB: descriptor tables. False with *fault.
 */
bool mem_read_system(struct blink_cpu *cpu, uint64_t address, void *out, size_t size,
                     struct mem_fault *fault);

/*
 * The accesses the processor makes on its own account (descriptor tables, task states, stacks of
 * interrupts) by the rights of privilege level `cpl`: host memory of `address` up to the end of
 * its page, with no trace in the TLB. `write`: code on it is dropped, D is set. NULL with *fault;
 * vector 0: the bus's turn, as for mem_translate.
 */
void *mem_reach(struct blink_cpu *cpu, uint64_t address, uint32_t cpl, bool write,
                struct mem_fault *fault);

/*
 * System spaces: physical [start, end), whole pages, is a device's, or ROM, or (`on` false) RAM
 * again. A device's range wins over the RAM below it; stores to ROM are lost; a hole is nobody's
 * for good. [main] [safepoint]
 */
int mem_set_device(struct blink_mem *mem, uint64_t start, uint64_t end, bool on);
int mem_set_rom(struct blink_mem *mem, uint64_t start, uint64_t end, bool on);
int mem_set_hole(struct blink_mem *mem, uint64_t start, uint64_t end);

/*
 * For debuggers: host memory behind linear `address`, whatever its protection; *size is cut to what
 * lies together there. NULL: nothing is. `write`: code on it is dropped.
 */
void *mem_peek(struct blink_cpu *cpu, uint64_t address, size_t *size, bool write);

/* Change the privilege level. The TLB holds what the old one may do: it is emptied where that
 * differs (levels 0 to 2 are alike to paging). */
void mem_set_cpl(struct blink_cpu *cpu, uint32_t cpl);

/* TLB maintenance of one vCPU (INVLPG, CR3 and CR0/CR4 writes, EFER.NXE, changes of the CPL). */
void mem_tlb_flush(struct blink_cpu *cpu);
void mem_tlb_flush_page(struct blink_cpu *cpu, uint64_t address);

/*
 * Instruction fetch: copy up to `size` bytes of executable memory at linear `address` into `out`,
 * stopping at the first page that cannot be fetched. Returns the number of bytes; if that is 0,
 * *fault tells why. Checks NX and U/S, sets A.
 */
size_t mem_fetch(struct blink_cpu *cpu, uint64_t address, void *out, size_t size,
                 struct mem_fault *fault);

/* System spaces: the physical address of code at linear `address`; false if it cannot be fetched.
 */
bool mem_code_address(struct blink_cpu *cpu, uint64_t address, uint64_t *out);

/*
 * Code-page tracking: from now on a write to the pages of linear [start, end), which is not empty,
 * calls drop_code. Returns
 * false when a page is volatile: written so often after being tracked that blocks on it are to be
 * run once, uncached.
 */
bool mem_code_track(struct blink_cpu *cpu, uint64_t start, uint64_t end);
/* Whether all of [start, end) is tracked, and writes to it do call. */
bool mem_code_is_tracked(struct blink_cpu *cpu, uint64_t start, uint64_t end);
/* All blocks were flushed: nothing is tracked any more. */
void mem_code_forget(struct blink_mem *mem);

/*
 * A host SIGSEGV or SIGBUS at host address `host` (si_addr) while a vCPU ran guest code or copied
 * guest memory. Async-signal-safe as far as it must be: called on the faulting thread, which by
 * construction holds no memory lock. `bus` is true for SIGBUS, `write` for a write access,
 * `kernel` for si_code SI_KERNEL (non-canonical address: host is meaningless).
 */
enum mem_host_fault mem_host_fault(struct blink_mem *mem, uint64_t host, bool write, bool bus,
                                   bool kernel, struct mem_fault *fault);

/*
 * Copies that survive host faults (a file truncated under a mapping, another thread's unmap) need
 * a recovery point owned by the signal trampoline: mem calls this hook around its memcpy. Set once
 * by exec; returns 0 or -EFAULT.
 */
typedef int mem_guarded_copy(void *dst, const void *src, size_t size);
void mem_set_guarded_copy(struct blink_mem *mem, mem_guarded_copy *copy);

/* Around fork, so that no other thread is inside the space meanwhile: before it, and after it in
 * the parent (also if it failed). */
void mem_before_fork(struct blink_mem *mem);
void mem_fork_parent(struct blink_mem *mem);
/* After fork in the child. */
void mem_after_fork(struct blink_mem *mem);

#endif
