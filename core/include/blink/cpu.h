/*
 * The state of one virtual CPU. At a safepoint everything the guest can see of a CPU is in here.
 * JIT back ends embed offsets into this structure in generated code, so its layout is part of
 * their exact-match check (BLINK_CPU_LAYOUT); other plugins use the fields by name and need only
 * the major version to match. Owned by core, one host thread writes it at a time.
 */
#ifndef BLINK_CPU_H
#define BLINK_CPU_H

#include "insn.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Increased by hand with every change to the layout below; the golden-file test notices. */
#define BLINK_CPU_LAYOUT 7u

/* Numbers of the general registers in gpr[]. */
enum {
    BLINK_RAX,
    BLINK_RCX,
    BLINK_RDX,
    BLINK_RBX,
    BLINK_RSP,
    BLINK_RBP,
    BLINK_RSI,
    BLINK_RDI,
    BLINK_R8,
    BLINK_R9,
    BLINK_R10,
    BLINK_R11,
    BLINK_R12,
    BLINK_R13,
    BLINK_R14,
    BLINK_R15,
    BLINK_GPR_ZERO, /* always 0: the absent base or index of a memory operand */
    BLINK_GPR_SLOTS
};

/*
 * The decoding mode of a CPU: blink_cpu.mode, part of every block's key. Derived from CR0, CR4,
 * XCR0, EFER, RFLAGS.VM and the segment registers; core recomputes it whenever one of them changes.
 */
#define BLINK_MODE_BITS16 0x00u /* default operand and address size 16 */
#define BLINK_MODE_BITS32 0x01u /* default operand and address size 32 */
#define BLINK_MODE_BITS64 0x02u /* 64-bit mode */
#define BLINK_MODE_BITS   0x03u /* mask of the three above */
#define BLINK_MODE_PROT   0x04u /* protected mode (CR0.PE) and not virtual-8086 */
#define BLINK_MODE_SS32   0x08u /* stack size 32 (SS.B), outside 64-bit mode */
#define BLINK_MODE_CPL3   0x10u /* privilege level 3 */
#define BLINK_MODE_VM86   0x20u /* virtual-8086 mode */
#define BLINK_MODE_PAGED  0x40u /* memory goes through the TLB, not through the bias */
/* Control registers forbid: x87 and MMX instructions (CR0.EM, TS); SSE ones (CR0.EM, TS,
 * CR4.OSFXSR); VEX-encoded ones (CR0.TS, CR4.OSXSAVE, XCR0). A JIT hands these to core. */
#define BLINK_MODE_NOX87 0x080u
#define BLINK_MODE_NOSSE 0x100u
#define BLINK_MODE_NOAVX 0x200u
/*
 * Of 16- and 32-bit code alone: what segment registers hold, so that a JIT need not look. FLAT, in
 * protected mode: CS, DS, ES and SS begin at 0 and end at FFFFFFFF, and are PLAIN. PLAIN: offsets
 * up to the limits of DS, ES and SS can be read and written, CS can be read, and its limit is not
 * below FFFF or in 32-bit code FFFFFFFF. WHOLE: they are PLAIN, and no limit is below FFFF. PLAINFS
 * and PLAINGS: the same as PLAIN for FS and GS.
 */
#define BLINK_MODE_FLAT    0x0400u
#define BLINK_MODE_PLAIN   0x0800u
#define BLINK_MODE_WHOLE   0x1000u
#define BLINK_MODE_PLAINFS 0x2000u
#define BLINK_MODE_PLAINGS 0x4000u
/* Errors of x87 are an interrupt, not an exception (CR0.NE is 0): a JIT hands those instructions,
 * and MMX ones, to core. AMD64 manual volume 2, 3.1.1. */
#define BLINK_MODE_FERR 0x8000u

/* A segment register with its hidden part. AMD64 manual volume 2, 4.5 and 4.7. */
struct blink_seg {
    uint64_t base;
    uint32_t limit; /* in bytes, granularity applied: the last valid offset */
    uint16_t selector;
    uint16_t attr; /* descriptor bits 40-47 in 0-7, bits 52-55 in 12-15 */
};

/* GDTR, IDTR. */
struct blink_dtr {
    uint64_t base;
    uint32_t limit;
    uint32_t reserved;
};

/* An x87 register: significand with explicit integer bit, sign and exponent. An MMX register is
 * the significand; writing one sets se to 0xffff. */
struct blink_f80 {
    uint64_t frac;
    uint16_t se;
    uint16_t reserved[3];
};

/* A YMM register; XMM is the low half. */
union blink_ymm {
    uint8_t u8[32];
    uint16_t u16[16];
    uint32_t u32[8];
    uint64_t u64[4];
    int8_t i8[32];
    int16_t i16[16];
    int32_t i32[8];
    int64_t i64[4];
    float f32[8];
    double f64[4];
};

/*
 * The software TLB, direct-mapped by 16 bits of the linear page number, so that generated code
 * finds an entry without touching a flag. `read` and `write` hold minus the linear address of the
 * page, less BLINK_TLB_BIAS; one that is not there, a value that no address of its index can meet;
 * 0, that the entry has not been used since the last flush. An access of n bytes at `a` hits if, by
 * the entry of its last byte, a + read + BLINK_TLB_BIAS <= 4096 - n; the host address is
 * a + addend. `write` is absent for clean pages (D bit), read-only pages and pages with code.
 *
 * The bits from 27 of that sum tell the same: in an entry that is not there bit 27 is always set,
 * and a page of another address that shares the index differs in one of the bits 28-63.
 */
#define BLINK_TLB_ENTRIES 65536u
#define BLINK_TLB_BIAS    UINT64_C(0x8000000)
#define BLINK_TLB_LISTED  4096u
struct blink_tlb {
    uint64_t read[BLINK_TLB_ENTRIES];
    uint64_t write[BLINK_TLB_ENTRIES];
    uint64_t addend[BLINK_TLB_ENTRIES];
    /* Entries used since the last flush; more than BLINK_TLB_LISTED: too many to be listed. */
    uint32_t used;
    uint16_t list[BLINK_TLB_LISTED];
};

/* Index of the entry for a linear address. */
static inline uint32_t blink_tlb_index(uint64_t address) {
    return (uint32_t)(address >> 12) & (BLINK_TLB_ENTRIES - 1);
}
/* Value of `read` and `write` for a page, and for an entry that is not there. */
static inline uint64_t blink_tlb_tag(uint64_t page) {
    return 0 - page - BLINK_TLB_BIAS;
}
static inline uint64_t blink_tlb_absent(uint32_t index) {
    return blink_tlb_tag(((uint64_t)index + 1) << 12);
}

/* Slots of blink_cpu.code_page. */
#define BLINK_CODE_PAGES 256u

/* Reasons in blink_cpu.attention: set by any thread with an atomic OR, cleared by the vCPU. While
 * it is non-zero no block is entered through a chain. */
#define BLINK_ATTN_SIGNAL 0x01u /* a host signal waits for the guest ABI */
#define BLINK_ATTN_PARK   0x02u /* another thread wants this vCPU at a safepoint */
#define BLINK_ATTN_STOP   0x04u /* the machine is ending */
#define BLINK_ATTN_IRQ    0x08u /* an interrupt line changed */
#define BLINK_ATTN_STEP   0x10u /* single step: RFLAGS.TF or the debugger */
#define BLINK_ATTN_TIMER  0x20u /* a timer of the bus is due */
#define BLINK_ATTN_CLOCK                                                                           \
  0x40u /* always with --clock=icount: time is looked at after each block                          \
         */

/* Why a run of guest code ended: blink_cpu.exit_reason. */
enum {
    BLINK_EXIT_NONE,
    BLINK_EXIT_BLOCK,     /* the block at (rip, mode) is not known: decode, or look it up */
    BLINK_EXIT_ATTENTION, /* blink_cpu.attention is set */
    BLINK_EXIT_SYSCALL,   /* SYSCALL; rip is after it */
    BLINK_EXIT_INT,       /* INT n, INT3, INTO, INT1: exit_info is the vector; rip is after it; in
                           * machines that run system software exit_error is its length, with
                           * BLINK_INT_PRIVILEGED for INT1 */
    BLINK_EXIT_FAULT,     /* exception exit_info (vector), exit_error, cr2; rip at the culprit */
    BLINK_EXIT_HLT,       /* HLT at CPL 0; rip is after it */
    BLINK_EXIT_SMC,       /* the store at rip hit a page with translated code */
    BLINK_EXIT_STOP,      /* the vCPU ends */
    BLINK_EXIT_ALONE,     /* the instruction at rip is to be interpreted, by itself */
    BLINK_EXIT_COUNT
};

/* In exit_error of BLINK_EXIT_INT: no gate's privilege level forbids it. */
#define BLINK_INT_PRIVILEGED 0x100u

/* Exception vectors, AMD64 manual volume 2, 8.2. */
enum {
    BLINK_EXC_DE = 0,
    BLINK_EXC_DB = 1,
    BLINK_EXC_NMI = 2,
    BLINK_EXC_BP = 3,
    BLINK_EXC_OF = 4,
    BLINK_EXC_BR = 5,
    BLINK_EXC_UD = 6,
    BLINK_EXC_NM = 7,
    BLINK_EXC_DF = 8,
    BLINK_EXC_TS = 10,
    BLINK_EXC_NP = 11,
    BLINK_EXC_SS = 12,
    BLINK_EXC_GP = 13,
    BLINK_EXC_PF = 14,
    BLINK_EXC_MF = 16,
    BLINK_EXC_AC = 17,
    BLINK_EXC_XM = 19,
    /* Not of the hardware: a host mapping has no page behind it (file truncated): SIGBUS. */
    BLINK_EXC_BUS = 0x100,
};

/* Page-fault error code, AMD64 manual volume 2, 8.4.2. */
#define BLINK_PF_P 0x01u
#define BLINK_PF_W 0x02u
#define BLINK_PF_U 0x04u
#define BLINK_PF_R 0x08u
#define BLINK_PF_I 0x10u

struct blink_cpu {
    uint32_t struct_size; /* sizeof(struct blink_cpu) of the core */
    uint32_t mode;        /* BLINK_MODE_* */

    uint64_t gpr[BLINK_GPR_SLOTS]; /* by number; [16] is zero and never written */
    uint64_t rip;                  /* valid outside of blocks; inside, insn->addr rules */

    /*
     * RFLAGS, split. `flags` holds everything but the six arithmetic flags, whose bits are zero
     * in it; bit 1 is set. The arithmetic ones follow from two words (see flags functions below):
     *   ZF = cc_res == 0
     *   SF = bit 63 of cc_res, inverted if bit 0 of cc_aux is set
     *   PF = even parity of the low byte of cc_res, XOR bits 8-15 of cc_aux
     *   AF = bit 3 of cc_aux;  CF = bit 63 of cc_aux;  OF = bit 63 XOR bit 62 of cc_aux
     * All other bits of cc_aux are zero. cc_res is the result sign-extended to 64 bits.
     */
    uint64_t flags;
    uint64_t cc_res;
    uint64_t cc_aux;

    uint32_t attention;   /* BLINK_ATTN_*, atomic */
    uint32_t exit_reason; /* BLINK_EXIT_* */
    uint64_t exit_info;   /* vector */
    uint64_t exit_error;  /* error code of a fault */

    uint64_t bias;   /* linear memory: host address = guest linear address + bias */
    uint64_t icount; /* instructions retired, exact at safepoints */

    const struct blink_insn *insn;  /* instruction under execution, set before it can fault */
    struct blink_jump_cache *jumps; /* core's: per-vCPU cache of indirect targets */

    struct blink_seg seg[BLINK_SEG_COUNT]; /* [BLINK_SEG_NONE] is flat and never written */

    union blink_ymm ymm[16];
    uint32_t mxcsr;
    uint32_t fp_flags; /* MXCSR flags that software raised, not in mxcsr yet; 0 at safepoints */

    /* x87. fpr[] is indexed by physical number: ST(i) is fpr[(top + i) & 7]. */
    struct blink_f80 fpr[8];
    uint16_t fcw;
    uint16_t fsw;   /* without TOP, which is in ftop */
    uint8_t ftop;   /* 0-7 */
    uint8_t fvalid; /* bit i set: physical register i is not empty */
    uint16_t fop;   /* last x87 opcode, 11 bits */
    uint32_t fcs, fds;
    uint64_t fip, fdp;

    /* System state. */
    uint64_t cr0, cr2, cr3, cr4, cr8;
    uint64_t xcr0;
    uint64_t efer;
    uint64_t dr[8];
    struct blink_dtr gdtr, idtr;
    struct blink_seg ldtr, tr;
    uint64_t star, lstar, cstar, sfmask; /* MSRs C0000081-C0000084 */
    uint64_t kernel_gs_base;             /* MSR C0000102 */
    uint64_t tsc_offset;                 /* guest TSC = host TSC + this */
    uint32_t tsc_aux;                    /* MSR C0000103 */
    uint32_t a20_mask;                   /* physical address mask, bit 20 clear when A20 is off */
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t pat, apic_base, misc_enable;
    uint32_t cpl; /* 0-3 */
    uint32_t
        shadow; /* no interrupt before the next instruction: 1 after STI, 2 after a load of SS */

    uint32_t id; /* number of the vCPU in its machine, 0 first */
    uint32_t sys_reserved;
    struct blink_machine *machine;
    struct blink_mem *mem;
    const struct cpu_model *model; /* core's: what CPUID tells; NULL: everything */
    void *exec_private;            /* core's execution loop */
    void *abi_private;             /* the guest ABI's thread state */
    void *jit_private;             /* the active JIT's */
    uint64_t jit_slot[32];         /* scratch of the active JIT's generated code */
    uint64_t jit_returns[256];     /* its, too: where returns go, by where on the stack */
    /* System software: core's; identities of the pages that code is known to stand on now, see
     * blink_jit_block.page. 0: none. */
    uint32_t code_page[BLINK_CODE_PAGES];
    int64_t budget; /* instructions that counting code may still run, see BLINK_JIT_COUNTED */

    struct blink_tlb tlb; /* last; large, and most of it never touched */
};

/* Host address of `size` bytes at linear address `a` if the TLB has them, or NULL. `tags` is
 * cpu->tlb.read or write. [vcpu] */
static inline void *blink_tlb_find(const struct blink_cpu *cpu, const uint64_t *tags, uint64_t a,
                                   uint32_t size) {
    uint32_t k = blink_tlb_index(a);
    if (__builtin_expect(a + tags[k] + BLINK_TLB_BIAS <= 4096 - size, 1))
        return (void *)(uintptr_t)(a + cpu->tlb.addend[k]);
    return NULL;
}

/* RFLAGS as the guest sees it, gathered from the lazy form. [vcpu] */
static inline uint64_t blink_cpu_get_flags(const struct blink_cpu *cpu) {
    uint64_t aux = cpu->cc_aux;
    uint64_t fl = cpu->flags | (aux >> 63);
    uint8_t p = (uint8_t)(cpu->cc_res ^ (aux >> 8));
    p ^= (uint8_t)(p >> 4);
    fl |= (uint64_t)((0x9669u >> (p & 15)) & 1) << 2;
    fl |= (aux & 8) << 1;
    fl |= (uint64_t)(cpu->cc_res == 0) << 6;
    fl |= ((cpu->cc_res >> 63) ^ (aux & 1)) << 7;
    fl |= ((aux >> 63) ^ ((aux >> 62) & 1)) << 11;
    return fl;
}

/* Set all of RFLAGS; the caller has applied the masks of the instruction or frame. [vcpu] */
static inline void blink_cpu_set_flags(struct blink_cpu *cpu, uint64_t fl) {
    uint64_t zf = (fl >> 6) & 1, sf = (fl >> 7) & 1, cf = fl & 1, of = (fl >> 11) & 1;
    cpu->flags = (fl & ~(uint64_t)BLINK_FLAGS_ARITH) | 2;
    /* Low byte 0 has even parity; bit 0 of the parity byte inverts it. */
    cpu->cc_res = zf ? 0 : 0x100;
    cpu->cc_aux =
        cf << 63 | (cf ^ of) << 62 | (((fl >> 2) & 1) ^ 1) << 8 | ((fl >> 4) & 1) << 3 | sf;
}

#ifdef __cplusplus
}
#endif

#endif
