/*
 * The fake host's "blink.exec/1": records what an ABI asks for; only system calls are real.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

static int64_t exec_syscall(struct blink_cpu *cpu, int64_t number, uint64_t a0, uint64_t a1,
                            uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5) {
    struct fakehost_exec *e = &cpu->machine->exec;
    e->syscall_number = number;
    e->syscalls++;
    if (cpu->attention & (BLINK_ATTN_SIGNAL | BLINK_ATTN_STOP))
        return -EINTR;
    long r = syscall((long)number, a0, a1, a2, a3, a4, a5);
    return r == -1 ? -errno : r;
}

static int exec_signal_watch(struct blink_machine *m, int32_t signo, uint32_t disposition) {
    if (signo < 1 || signo > 64)
        return -EINVAL;
    m->exec.disposition[signo] = disposition;
    m->exec.watches++;
    return 0;
}

static int exec_signal_take(struct blink_cpu *cpu, struct blink_signal *out) {
    struct blink_machine *m = cpu->machine;
    if (!m->signals)
        return -EAGAIN;
    *out = m->signal[0];
    memmove(&m->signal[0], &m->signal[1], --m->signals * sizeof m->signal[0]);
    if (!m->signals)
        cpu->attention &= ~BLINK_ATTN_SIGNAL;
    return 0;
}

static void exec_signal_mask(struct blink_cpu *cpu, uint64_t mask) {
    cpu->machine->exec.mask = mask;
    cpu->machine->exec.masks++;
}

static void exec_die(struct blink_machine *m, int32_t signo) {
    m->exec.died = signo;
}

static int64_t exec_fork(struct blink_cpu *cpu) {
    cpu->machine->exec.forks++;
    return cpu->machine->exec.fork_result;
}

static uint32_t count_strings(const char *const *list) {
    uint32_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

static int exec_respawn(struct blink_cpu *cpu, const char *path, const char *guest_path,
                        const char *const *argv, const char *const *envp) {
    struct fakehost_exec *e = &cpu->machine->exec;
    e->respawns++;
    snprintf(e->respawn_path, sizeof e->respawn_path, "%s", path);
    snprintf(e->respawn_guest_path, sizeof e->respawn_guest_path, "%s", guest_path);
    e->respawn_argc = count_strings(argv);
    e->respawn_envc = count_strings(envp);
    return e->respawn_result;
}

static int exec_thread_create(struct blink_cpu *parent, const struct blink_cpu *state, void *arg,
                              struct blink_cpu **out) {
    struct fakehost_exec *e = &parent->machine->exec;
    e->threads++;
    if (e->thread_result < 0)
        return e->thread_result;
    free(e->thread_cpu);
    e->thread_cpu = fake_alloc(sizeof *e->thread_cpu);
    *e->thread_cpu = *state;
    e->thread_cpu->id = e->threads;
    e->thread_arg = arg;
    *out = e->thread_cpu;
    return 0;
}

/* The process is gone at once: it has not begun a thread, so none ends. */
static int64_t exec_share(struct blink_cpu *parent, const struct blink_cpu *state, void *arg,
                          uint64_t flags, int32_t *pidfd) {
    struct fakehost_exec *e = &parent->machine->exec;
    e->shares++;
    e->share_flags = flags;
    free(e->thread_cpu);
    e->thread_cpu = fake_alloc(sizeof *e->thread_cpu);
    *e->thread_cpu = *state;
    e->thread_arg = arg;
    (void)pidfd;
    return e->share_result;
}

static void exec_exit_machine(struct blink_machine *m, int32_t status) {
    m->exec.exited = true;
    m->exec.exit_status = status;
}

static void exec_interrupt(struct blink_cpu *cpu, uint32_t bits) {
    cpu->attention |= bits;
}

static uint32_t exec_vcpu_count(struct blink_machine *m) {
    return 1 + (m->exec.thread_cpu != NULL);
}

static void exec_count(struct blink_cpu *cpu, uint32_t syscalls, uint32_t signals) {
    cpu->machine->exec.counted_syscalls += syscalls;
    cpu->machine->exec.counted_signals += signals;
}

static void exec_stats(struct blink_machine *m, struct blink_exec_stats *out) {
    memset(out, 0, sizeof *out);
    out->struct_size = sizeof *out;
    out->syscalls = m->exec.counted_syscalls;
    out->signals = m->exec.counted_signals;
}

/* A processor with a name and SSE2, no more. */
static void exec_cpuid(struct blink_cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4]) {
    (void)cpu, (void)subleaf;
    memset(out, 0, 4 * sizeof out[0]);
    if (leaf == 0) {
        out[0] = 1;
        memcpy(&out[1], "Fake", 4);
        memcpy(&out[3], "Host", 4);
        memcpy(&out[2], "CPU.", 4);
    } else if (leaf == 1) {
        out[0] = 0x00a20f12;
        out[3] = 1u << 0 | 1u << 25 | 1u << 26;
    }
}

static int exec_set_root(struct blink_machine *m, const char *folder) {
    snprintf(m->exec.root, sizeof m->exec.root, "%s", folder);
    return 0;
}

const struct blink_exec_iface fakehost_exec_iface = {
    .struct_size = sizeof fakehost_exec_iface,
    .syscall = exec_syscall,
    .signal_watch = exec_signal_watch,
    .signal_take = exec_signal_take,
    .signal_mask = exec_signal_mask,
    .die = exec_die,
    .fork = exec_fork,
    .respawn = exec_respawn,
    .thread_create = exec_thread_create,
    .exit_machine = exec_exit_machine,
    .interrupt = exec_interrupt,
    .vcpu_count = exec_vcpu_count,
    .count = exec_count,
    .stats = exec_stats,
    .cpuid = exec_cpuid,
    .share = exec_share,
    .set_root = exec_set_root,
};

/* ---- for the test ---- */

struct fakehost_exec *fakehost_exec(struct fakehost *fh) {
    return &fh->machine.exec;
}

void fakehost_signal(struct fakehost *fh, const struct blink_signal *signal) {
    struct blink_machine *m = &fh->machine;
    if (m->signals == FAKE_SIGNALS)
        return;
    m->signal[m->signals++] = *signal;
    fakehost_cpu(fh)->attention |= BLINK_ATTN_SIGNAL;
}

struct blink_cpu *fakehost_cpu(struct fakehost *fh) {
    struct blink_machine *m = &fh->machine;
    if (m->cpu)
        return m->cpu;
    struct blink_cpu *cpu = m->cpu = fake_alloc(sizeof *cpu);
    cpu->struct_size = sizeof *cpu;
    cpu->mode = BLINK_MODE_BITS64 | BLINK_MODE_PROT | BLINK_MODE_CPL3;
    blink_cpu_set_flags(cpu, BLINK_IF | 2);
    cpu->cpl = 3;
    cpu->fcw = 0x37f;
    cpu->mxcsr = 0x1f80;
    cpu->cr0 = 0x80050033; /* PG AM WP NE ET MP PE */
    cpu->cr4 = 0x406b0;    /* OSXSAVE OSXMMEXCPT OSFXSR PGE PAE PSE */
    cpu->efer = 0xd01;     /* NXE LMA LME SCE */
    cpu->xcr0 = 7;
    cpu->machine = m;
    cpu->mem = &m->mem;
    return cpu;
}
