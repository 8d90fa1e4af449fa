/*
 * The services of the loop as plugins see them: blink.exec/1 and blink.debug/1.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cpu/cpu.h"
#include "exec/internal.h"

static void interrupt(struct blink_cpu *cpu, uint32_t bits) {
    signals_attention(vcpu_of(cpu), bits);
}

static uint32_t vcpu_count(struct blink_machine *machine) {
    return __atomic_load_n(&machine_exec(machine)->live, __ATOMIC_ACQUIRE);
}

static void count(struct blink_cpu *cpu, uint32_t syscalls, uint32_t signals) {
    struct vcpu *v = vcpu_of(cpu);
    v->syscalls += syscalls;
    v->signals += signals;
}

static void stats(struct blink_machine *machine, struct blink_exec_stats *out) {
    exec_stats(machine_exec(machine), out);
}

static void cpuid(struct blink_cpu *cpu, uint32_t leaf, uint32_t subleaf, uint32_t out[4]) {
    cpu_cpuid(cpu, leaf, subleaf, out);
}

static int set_root(struct blink_machine *machine, const char *folder) {
    return machine_exec(machine)->options.hooks.set_root(machine, folder);
}

const struct blink_exec_iface exec_iface = {
    .struct_size = sizeof exec_iface,
    .syscall = signals_syscall,
    .signal_watch = signals_watch,
    .signal_take = signals_take,
    .signal_mask = signals_mask,
    .die = signals_die,
    .fork = process_fork,
    .respawn = process_respawn,
    .thread_create = process_thread_create,
    .exit_machine = process_exit,
    .interrupt = interrupt,
    .vcpu_count = vcpu_count,
    .count = count,
    .stats = stats,
    .cpuid = cpuid,
    .share = process_share,
    .set_root = set_root,
};

/* ---- blink.debug/1 ---- */

static struct blink_cpu *cpu_at(struct blink_machine *machine, uint32_t n) {
    struct exec *x = machine_exec(machine);
    struct blink_cpu *cpu = NULL;
    pthread_mutex_lock(&x->lock);
    /* The list has the newest first. */
    uint32_t live = x->live, k = 0;
    for (struct vcpu *v = x->vcpus; v; v = v->next, k++)
        if (live - 1 - k == n)
            cpu = v->cpu;
    pthread_mutex_unlock(&x->lock);
    return cpu;
}

static int stop(struct blink_machine *machine) {
    return park_stop(machine_exec(machine));
}
static int resume(struct blink_machine *machine) {
    return park_resume(machine_exec(machine));
}
static int step(struct blink_cpu *cpu) {
    return park_step(vcpu_of(cpu));
}

/* The kernel's own way past protection. */
static int access_host(void *host, void *in, const void *out, size_t size) {
    int fd = open("/proc/self/mem", (out ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (fd < 0)
        return -EFAULT;
    off_t at = (off_t)(uintptr_t)host;
    ssize_t n = out ? pwrite(fd, out, size, at) : pread(fd, in, size, at);
    close(fd);
    return n == (ssize_t)size ? 0 : -EFAULT;
}

static int debug_access(struct blink_cpu *cpu, uint64_t address, void *in, const void *out,
                        size_t size) {
    for (size_t done = 0; done < size;) {
        size_t n = size - done;
        void *host = mem_peek(cpu, address + done, &n, out != NULL);
        int rc = -EFAULT;
        if (host)
            rc = access_host(host, in ? (uint8_t *)in + done : NULL,
                             out ? (const uint8_t *)out + done : NULL, n);
        if (rc)
            return rc;
        done += n;
    }
    return 0;
}

static int read_memory(struct blink_cpu *cpu, uint64_t address, void *out, size_t size) {
    return debug_access(cpu, address, out, NULL, size);
}

static int write_memory(struct blink_cpu *cpu, uint64_t address, const void *bytes, size_t size) {
    int rc = debug_access(cpu, address, NULL, bytes, size);
    /* A vCPU that was fetching when it was stopped may have read the old bytes since. */
    size_t done = 0, n = size;
    for (; done < size && mem_peek(cpu, address + done, &n, true); n = size - done)
        done += n;
    return rc;
}

static uint32_t disassemble(struct blink_cpu *cpu, uint64_t address, uint32_t syntax, char *out,
                            size_t out_size) {
    struct vcpu *v = vcpu_of(cpu);
    const struct exec_options *o = &v->exec->options;
    uint8_t bytes[BLINK_INSN_MAX_LEN];
    size_t n = sizeof bytes;
    uint64_t linear = cpu->seg[BLINK_SEG_CS].base + address;
    while (n && read_memory(cpu, linear, bytes, n))
        n--;
    if (n == 0)
        return 0;
    void *context;
    if (o->decoder->context_create(o->decoder_self, &context))
        return 0;
    uint32_t len = o->decoder->disassemble(o->decoder_self, context, cpu->mode, syntax, bytes, n,
                                           address, out, out_size);
    o->decoder->context_destroy(o->decoder_self, context);
    return len;
}

static int set_jit(struct blink_machine *machine, const char *name) {
    return exec_set_jit(machine_exec(machine), name);
}

const struct blink_debug_iface debug_iface = {
    .struct_size = sizeof debug_iface,
    .cpu_count = vcpu_count,
    .cpu_at = cpu_at,
    .stop = stop,
    .resume = resume,
    .step = step,
    .read = read_memory,
    .write = write_memory,
    .disassemble = disassemble,
    .set_jit = set_jit,
};
