/*
 * The services of the loop as plugins see them: blink.exec/1 and blink.debug/1.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

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
static int access_linear(uint64_t host, void *in, const void *out, size_t size) {
    int fd = open("/proc/self/mem", (out ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    if (fd < 0)
        return -EFAULT;
    ssize_t n = out ? pwrite(fd, out, size, (off_t)host) : pread(fd, in, size, (off_t)host);
    close(fd);
    return n == (ssize_t)size ? 0 : -EFAULT;
}

/* As the supervisor: user pages and read-only ones too. */
static int access_paged(struct blink_cpu *cpu, uint64_t address, void *in, const void *out,
                        size_t size) {
    size_t done = 0;
    while (done < size) {
        struct mem_fault fault;
        uint64_t at = address + done;
        size_t n = BLINK_PAGE_SIZE - (size_t)(at & (BLINK_PAGE_SIZE - 1));
        if (n > size - done)
            n = size - done;
        uint8_t *p = mem_translate(cpu, at, BLINK_PROT_READ, &fault);
        if (!p)
            return -EFAULT;
        int rc = out ? signals_guarded_copy(p, (const uint8_t *)out + done, n)
                     : signals_guarded_copy((uint8_t *)in + done, p, n);
        if (rc)
            return rc;
        done += n;
    }
    return 0;
}

static bool all_mapped(struct blink_mem *mem, uint64_t address, size_t size) {
    uint64_t at = address, end = address + size;
    if (end < address)
        return false;
    while (at < end) {
        struct blink_mem_region r = {.struct_size = sizeof r};
        if (mem_iface.query(mem, at, &r) || r.start > at)
            return false;
        at = r.end;
    }
    return true;
}

static int debug_access(struct blink_cpu *cpu, uint64_t address, void *in, const void *out,
                        size_t size) {
    struct exec *x = vcpu_of(cpu)->exec;
    if (mem_strategy_of(x->mem) == MEM_PAGED)
        return access_paged(cpu, address, in, out, size);
    if (!all_mapped(x->mem, address, size))
        return -EFAULT;
    return access_linear(address + cpu->bias, in, out, size);
}

static int read_memory(struct blink_cpu *cpu, uint64_t address, void *out, size_t size) {
    return debug_access(cpu, address, out, NULL, size);
}

static int write_memory(struct blink_cpu *cpu, uint64_t address, const void *bytes, size_t size) {
    int rc = debug_access(cpu, address, NULL, bytes, size);
    if (rc == 0 && size) {
        struct mem_hooks hooks = exec_mem_hooks(vcpu_of(cpu)->exec);
        hooks.drop_code(hooks.arg, address, address + size);
    }
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
