/*
 * Structures and numbers of the x86-64 Linux ABI as the guest lays them out, and how they relate
 * to the host's. Read by every file of this plugin; nothing here has state.
 *
 * The host is a little-endian 64-bit Linux. Error numbers, signal numbers, siginfo_t, timespec,
 * rusage, statx, dirents and socket structures are the same on all hosts that use asm-generic
 * (x86-64, aarch64, riscv64, loongarch64) and pass as they are: passed.c is the table that holds
 * that. What differs there is struct stat, struct epoll_event, struct semid_ds and four open flags;
 * those are converted.
 */
#ifndef LX_GUEST_H
#define LX_GUEST_H

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>

#include <blink/cpu.h>
#include <blink/mem.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
  #error "the guest ABI is written for little-endian hosts"
#endif
_Static_assert(sizeof(void *) == 8, "a 64-bit host");
_Static_assert(EAGAIN == 11 && ENOSYS == 38 && ELOOP == 40 && ETIMEDOUT == 110, "error numbers");
_Static_assert(SIGBUS == 7 && SIGUSR1 == 10 && SIGCHLD == 17 && SIGSTOP == 19, "signal numbers");
_Static_assert(sizeof(siginfo_t) == 128, "siginfo_t");
_Static_assert(sizeof(struct timespec) == 16 && sizeof(struct timeval) == 16, "times");
_Static_assert(sizeof(struct rusage) == 144 && sizeof(struct rlimit) == 16, "limits");
_Static_assert(sizeof(struct statfs) == 120, "statfs");
_Static_assert(sizeof(struct iovec) == sizeof(struct blink_mem_span) &&
                   offsetof(struct iovec, iov_len) == offsetof(struct blink_mem_span, size),
               "a span is an iovec");

#define G_NSIG 64

/* struct stat of x86-64. */
struct g_stat {
    uint64_t dev, ino, nlink;
    uint32_t mode, uid, gid, pad0;
    uint64_t rdev;
    int64_t size, blksize, blocks;
    uint64_t atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec;
    int64_t unused[3];
};
_Static_assert(sizeof(struct g_stat) == 144, "struct stat");

struct g_iovec {
    uint64_t base, len;
};

/* struct epoll_event is packed on x86-64 only. */
struct __attribute__((packed)) g_epoll_event {
    uint32_t events;
    uint64_t data;
};
_Static_assert(sizeof(struct g_epoll_event) == 12, "struct epoll_event");

struct g_utsname {
    char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};

struct g_sysinfo {
    int64_t uptime;
    uint64_t loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
    uint16_t procs, pad;
    uint32_t pad2;
    uint64_t totalhigh, freehigh;
    uint32_t mem_unit, pad3;
};
_Static_assert(sizeof(struct g_sysinfo) == 112, "struct sysinfo");

/* struct kernel_sigaction of x86-64. */
struct g_sigaction {
    uint64_t handler, flags, restorer, mask;
};

#define G_SIG_DFL 0u
#define G_SIG_IGN 1u

#define G_SA_NOCLDSTOP 0x00000001u
#define G_SA_NOCLDWAIT 0x00000002u
#define G_SA_SIGINFO   0x00000004u
#define G_SA_RESTORER  0x04000000u
#define G_SA_ONSTACK   0x08000000u
#define G_SA_RESTART   0x10000000u
#define G_SA_NODEFER   0x40000000u
#define G_SA_RESETHAND 0x80000000u
/* Linux forgets the others, so that a program can ask which there are. */
#define G_SA_KNOWN                                                                                 \
  (G_SA_NOCLDSTOP | G_SA_NOCLDWAIT | G_SA_SIGINFO | 0x800u /* SA_EXPOSE_TAGBITS */ |               \
   G_SA_RESTORER | G_SA_ONSTACK | G_SA_RESTART | G_SA_NODEFER | G_SA_RESETHAND)

struct g_stack {
    uint64_t sp;
    int32_t flags;
    uint32_t pad;
    uint64_t size;
};
#define G_SS_ONSTACK    1
#define G_SS_DISABLE    2
#define G_SS_AUTODISARM (1u << 31)
#define G_MINSIGSTKSZ   2048u

/* struct sigcontext_64 and what stands around it: arch/x86/include/uapi/asm/sigcontext.h. */
struct g_sigcontext {
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
    uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
    uint16_t cs, gs, fs, ss;
    uint64_t err, trapno, oldmask, cr2;
    uint64_t fpstate;
    uint64_t reserved[8];
};
_Static_assert(sizeof(struct g_sigcontext) == 256, "struct sigcontext");

struct g_ucontext {
    uint64_t flags;
    uint64_t link;
    struct g_stack stack;
    struct g_sigcontext mcontext;
    uint64_t sigmask;
};
_Static_assert(sizeof(struct g_ucontext) == 304, "struct ucontext");

#define G_UC_FP_XSTATE         1u
#define G_UC_SIGCONTEXT_SS     2u
#define G_UC_STRICT_RESTORE_SS 4u

struct g_sigframe {
    uint64_t pretcode;
    struct g_ucontext uc;
    uint8_t info[128];
};
_Static_assert(sizeof(struct g_sigframe) == 440, "struct rt_sigframe");

/* The FXSAVE image with the software bytes at its end, then the XSAVE header and AVX state. */
struct g_fpstate {
    uint16_t cwd, swd;
    uint8_t twd, pad;
    uint16_t fop;
    uint64_t rip, rdp;
    uint32_t mxcsr, mxcsr_mask;
    uint8_t st[8][16];
    uint8_t xmm[16][16];
    uint8_t reserved[48];
    struct {
        uint32_t magic1, extended_size;
        uint64_t xfeatures;
        uint32_t xstate_size, pad[7];
    } sw;
};
_Static_assert(sizeof(struct g_fpstate) == 512, "FXSAVE area");

struct g_xstate {
    struct g_fpstate fx;
    uint64_t xstate_bv, xcomp_bv, reserved[6];
    uint8_t ymm_high[16][16];
};
_Static_assert(offsetof(struct g_xstate, ymm_high) == 576, "XSAVE area");

#define G_FP_XSTATE_MAGIC1 0x46505853u
#define G_FP_XSTATE_MAGIC2 0x46505845u

/* mmap, mremap, madvise. */
#define G_MAP_SHARED          0x01u
#define G_MAP_PRIVATE         0x02u
#define G_MAP_SHARED_VALIDATE 0x03u
#define G_MAP_TYPE            0x0fu
#define G_MAP_FIXED           0x10u
#define G_MAP_ANONYMOUS       0x20u
#define G_MAP_32BIT           0x40u
#define G_MAP_GROWSDOWN       0x100u
#define G_MAP_LOCKED          0x2000u
#define G_MAP_NORESERVE       0x4000u
#define G_MAP_POPULATE        0x8000u
#define G_MAP_HUGETLB         0x40000u
#define G_MAP_FIXED_NOREPLACE 0x100000u

/* Open flags that differ between hosts; the others are those of asm-generic. */
#define G_O_DIRECT    0040000
#define G_O_LARGEFILE 0100000
#define G_O_DIRECTORY 0200000
#define G_O_NOFOLLOW  0400000

#define G_AT_FDCWD      (-100)
#define G_AT_EMPTY_PATH 0x1000

/* Auxiliary vector. */
enum {
    G_AT_NULL = 0,
    G_AT_PHDR = 3,
    G_AT_PHENT = 4,
    G_AT_PHNUM = 5,
    G_AT_PAGESZ = 6,
    G_AT_BASE = 7,
    G_AT_FLAGS = 8,
    G_AT_ENTRY = 9,
    G_AT_UID = 11,
    G_AT_EUID = 12,
    G_AT_GID = 13,
    G_AT_EGID = 14,
    G_AT_PLATFORM = 15,
    G_AT_HWCAP = 16,
    G_AT_CLKTCK = 17,
    G_AT_SECURE = 23,
    G_AT_RANDOM = 25,
    G_AT_HWCAP2 = 26,
    G_AT_EXECFN = 31,
    G_AT_MINSIGSTKSZ = 51,
};

#define G_ARCH_SET_GS    0x1001
#define G_ARCH_SET_FS    0x1002
#define G_ARCH_GET_FS    0x1003
#define G_ARCH_GET_GS    0x1004
#define G_ARCH_GET_CPUID 0x1011
#define G_ARCH_SET_CPUID 0x1012

#endif
