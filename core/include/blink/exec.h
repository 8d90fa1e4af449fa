/*
 * Service "blink.exec/1": host processes, threads, signals and blocking system calls, which only
 * core owns. For guest ABIs.
 */
#ifndef BLINK_EXEC_H
#define BLINK_EXEC_H

#include "cpu.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BLINK_IFACE_EXEC "blink.exec/1"

/* Disposition of a host signal. */
enum {
    BLINK_SIGNAL_DEFAULT, /* the host's default action */
    BLINK_SIGNAL_IGNORE,
    BLINK_SIGNAL_CATCH, /* recorded for the vCPU that got it; the ABI's signal() is called */
};
/* With the above, for SIGCHLD: SA_NOCLDSTOP and SA_NOCLDWAIT of the host. */
#define BLINK_SIGNAL_NO_STOPS 0x100u /* children that stop or go on are not told of */
#define BLINK_SIGNAL_NO_WAIT  0x200u /* children that end leave nothing to be waited for */

/* A caught signal. */
struct blink_signal {
    uint32_t struct_size;
    int32_t signo;     /* host number */
    int32_t code;      /* si_code of the host */
    int32_t err;       /* si_errno */
    uint8_t info[128]; /* the host's siginfo_t, whole */
};

/* Counters of a vCPU or machine, for --stats. */
struct blink_exec_stats {
    uint32_t struct_size;
    uint32_t reserved;
    uint64_t instructions;
    uint64_t blocks_decoded;
    uint64_t insns_decoded;
    uint64_t exits[16]; /* by BLINK_EXIT_* */
    uint64_t tlb_misses;
    uint64_t page_faults;
    uint64_t smc_drops;
    uint64_t syscalls;
    uint64_t signals;
};

struct blink_exec_iface {
    uint32_t struct_size;
    uint32_t reserved;
    /*
     * A raw host system call that may block, cut short by attention: if BLINK_ATTN_SIGNAL or
     * BLINK_ATTN_STOP is set before it begins, or a caught signal arrives while it sleeps, it
     * returns -EINTR (or what the host returned) without losing the wake-up. Result: as the
     * kernel's, negated errno on failure. [vcpu]
     */
    int64_t (*syscall)(struct blink_cpu *cpu, int64_t number, uint64_t a0, uint64_t a1, uint64_t a2,
                       uint64_t a3, uint64_t a4, uint64_t a5);
    /* Set the disposition of host signal `signo`, with BLINK_SIGNAL_NO_* bits. Core keeps its own
     * handler for the synchronous ones (SEGV, BUS, ILL, FPE, TRAP) and passes those sent by
     * processes on. -EINVAL. [vcpu] */
    int (*signal_watch)(struct blink_machine *machine, int32_t signo, uint32_t disposition);
    /* Take one caught signal of this vCPU, oldest first; -EAGAIN if none. While one is pending
     * the host thread has its other signals blocked; the mask last set by
     * signal_mask() rules again after this call. [vcpu] */
    int (*signal_take)(struct blink_cpu *cpu, struct blink_signal *out);
    /* Set the host thread's signal mask: the guest's, 64 bits, bit n-1 for signal n. Core leaves
     * out the synchronous ones and the last (64), by which it wakes its threads. [vcpu] */
    void (*signal_mask)(struct blink_cpu *cpu, uint64_t mask);
    /* Die as by default action of host signal `signo` (core dump bits included); does not
     * return if the signal's default is to terminate. [vcpu] */
    void (*die)(struct blink_machine *machine, int32_t signo);
    /* fork(2) of the whole emulator: in the child only this vCPU goes on. Child's pid, 0 in the
     * child, or -errno. [vcpu] */
    int64_t (*fork)(struct blink_cpu *cpu);
    /*
     * Replace this process by blink running `path` (host path) with the same options. Checks
     * first that a loader takes the file: -ENOEXEC, -EACCES, -ENOENT... Only returns on failure.
     * [vcpu]
     */
    int (*respawn)(struct blink_cpu *cpu, const char *path, const char *guest_path,
                   const char *const *argv, const char *const *envp);
    /* A new vCPU on a new host thread, starting from a copy of *state (registers only), with
     * the guest's signal mask; the ABI's thread_begin(arg) runs on it first. *out is the new
     * vCPU. -EAGAIN, -ENOMEM. [vcpu] */
    int (*thread_create)(struct blink_cpu *parent, const struct blink_cpu *state, void *arg,
                         struct blink_cpu **out);
    /* End all vCPUs and the machine with this exit status (0-255). The calling vCPU then returns
     * BLINK_ABI_END. [vcpu] */
    void (*exit_machine)(struct blink_machine *machine, int32_t status);
    /* Set attention bits of a vCPU; it leaves guest code soon. [any] [signal] */
    void (*interrupt)(struct blink_cpu *cpu, uint32_t bits);
    /* Number of live vCPUs. [any] */
    uint32_t (*vcpu_count)(struct blink_machine *machine);
    /* Add to the counters the core cannot see (syscalls, signals). [vcpu] */
    void (*count)(struct blink_cpu *cpu, uint32_t syscalls, uint32_t signals);
    /* Sum of all counters. [any] */
    void (*stats)(struct blink_machine *machine, struct blink_exec_stats *out);
    /* What CPUID tells the guest: EAX, EBX, ECX, EDX. [vcpu] */
    void (*cpuid)(struct blink_cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
    /*
     * A process of its own that shares this one's memory: clone(2) with CLONE_VM and, in `flags`,
     * others of FILES, FS, IO, PARENT, PIDFD, SIGHAND, SYSVSEM and VFORK with the signal of its
     * end. It runs a new vCPU that starts from a copy of *state, thread_begin(arg) first, and its
     * exit_machine() ends it alone. With CLONE_VFORK the call returns when it has been replaced or
     * has ended. Then thread_end() of its vCPU is called, by a thread of this process. The pid, or
     * -errno; *pidfd, which may be NULL, is what CLONE_PIDFD gives. [vcpu]
     */
    int64_t (*share)(struct blink_cpu *parent, const struct blink_cpu *state, void *arg,
                     uint64_t flags, int32_t *pidfd);
    /* From now on option "root" is this host folder, for this process and those it respawns.
     * -ENOMEM. [vcpu] */
    int (*set_root)(struct blink_machine *machine, const char *folder);
};

#ifdef __cplusplus
}
#endif

#endif
