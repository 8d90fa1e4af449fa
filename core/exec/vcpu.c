/*
 * vCPUs and the loop's own life. A vCPU belongs to the host thread that runs it; the list of them
 * to the machine's loop.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "cpu/cpu.h"
#include "exec/internal.h"

void exec_log(struct exec *x, int32_t level, const char *format, ...) {
    char text[512];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    x->options.hooks.log(x->options.hooks.machine, level, text);
}

struct block *single_block(void) {
    return calloc(1, sizeof(struct block) + 2 * sizeof(struct blink_insn));
}

/* The processor's time would be truer on a busy host, but to ask for it is a call of the kernel,
 * which takes longer than the decoding of a block. */
uint64_t exec_now(const struct exec *x) {
    struct timespec t;
    if (!x->options.timed)
        return 0;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

void exec_passed(const struct exec *x, uint64_t *counter, uint64_t since) {
    if (x->options.timed)
        __atomic_fetch_add(counter, exec_now(x) - since, __ATOMIC_RELAXED);
}

void exec_get_times(const struct exec *x, struct exec_times *out) {
    out->decode_ns = __atomic_load_n(&x->times.decode_ns, __ATOMIC_RELAXED);
    out->wait_ns = __atomic_load_n(&x->times.wait_ns, __ATOMIC_RELAXED);
    out->translate_ns = __atomic_load_n(&x->times.translate_ns, __ATOMIC_RELAXED);
    out->translated = __atomic_load_n(&x->times.translated, __ATOMIC_RELAXED);
    out->forgotten = __atomic_load_n(&x->times.forgotten, __ATOMIC_RELAXED);
}

static struct blink_cpu *cpu_create(void) {
    /* Pages of the TLB that are not used are never touched. */
    void *p = mmap(NULL, sizeof(struct blink_cpu), PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static void decoder_free(struct vcpu *v) {
    const struct exec_options *o = &v->exec->options;
    if (v->decoder)
        o->decoder->context_destroy(o->decoder_self, v->decoder);
    v->decoder = NULL;
}

static void vcpu_free(struct vcpu *v) {
    for (uint32_t k = 0; k < ALONE_SLOTS; k++)
        free(v->alone[k].block);
    free(v->single);
    free(v->draft);
    if (v->cpu)
        munmap(v->cpu, sizeof *v->cpu);
    free(v);
}

void vcpu_empty_jumps(struct vcpu *v) {
    for (uint32_t k = 0; k < INTERP_JUMP_SLOTS; k++)
        v->jumps.slot[k] = v->exec->map.none;
}

int vcpu_create(struct exec *x, struct vcpu **out) {
    struct vcpu *v = calloc(1, sizeof *v);
    if (!v)
        return -ENOMEM;
    v->exec = x;
    v->cpu = cpu_create();
    v->single = single_block();
    int rc = v->cpu && v->single ? 0 : -ENOMEM;
    if (rc == 0)
        rc = x->options.decoder->context_create(x->options.decoder_self, &v->decoder);
    if (rc) {
        vcpu_free(v);
        return rc;
    }
    v->context.bus = x->options.bus;
    v->context.user_ports = x->options.user_ports;
    vcpu_empty_jumps(v);
    v->cpu->model = x->options.model;
    cpu_reset(v->cpu);
    v->cpu->machine = x->options.hooks.machine;
    v->cpu->exec_private = v;
    v->cpu->jumps = &v->jumps;
    pthread_mutex_lock(&x->lock);
    v->cpu->id = x->next_id++;
    v->next = x->vcpus;
    x->vcpus = v;
    __atomic_fetch_add(&x->live, 1, __ATOMIC_SEQ_CST);
    /* The machine may have begun to end without this one. */
    if (x->ending)
        attention_set(v->cpu, BLINK_ATTN_STOP);
    pthread_mutex_unlock(&x->lock);
    *out = v;
    return 0;
}

static void add_counters(struct blink_exec_stats *s, const struct vcpu *v) {
    s->instructions += v->cpu->icount;
    s->syscalls += v->syscalls;
    s->signals += v->signals;
    s->smc_drops += v->smc_drops;
    s->page_faults += v->context.page_faults;
    s->tlb_misses += v->context.tlb_misses;
    for (uint32_t k = 0; k < BLINK_EXIT_COUNT; k++)
        s->exits[k] += v->exits[k];
}

/* Out of the list; its counters stay with the machine. */
static void vcpu_remove(struct vcpu *v) {
    struct exec *x = v->exec;
    pthread_mutex_lock(&x->lock);
    struct vcpu **at = &x->vcpus;
    while (*at != v)
        at = &(*at)->next;
    *at = v->next;
    add_counters(&x->gone, v);
    if (x->first == v)
        x->first = NULL;
    __atomic_fetch_sub(&x->live, 1, __ATOMIC_SEQ_CST);
    pthread_cond_broadcast(&x->ended);
    pthread_mutex_unlock(&x->lock);
}

void vcpu_destroy(struct vcpu *v) {
    if (!v)
        return;
    if (v->cpu->mem)
        mem_detach(v->exec->mem, v->cpu);
    decoder_free(v);
    /* From here on the machine may be gone. */
    vcpu_remove(v);
    vcpu_free(v);
}

void vcpu_forget_others(struct vcpu *self) {
    struct exec *x = self->exec;
    while (x->vcpus != self || self->next)
        vcpu_destroy(x->vcpus == self ? self->next : x->vcpus);
    x->first = self;
}

void exec_stats(struct exec *x, struct blink_exec_stats *out) {
    struct blink_exec_stats s;
    pthread_mutex_lock(&x->lock);
    s = x->gone;
    for (const struct vcpu *v = x->vcpus; v; v = v->next)
        add_counters(&s, v);
    pthread_mutex_unlock(&x->lock);
    s.struct_size = sizeof s;
    s.blocks_decoded = __atomic_load_n(&x->blocks_decoded, __ATOMIC_RELAXED);
    s.insns_decoded = __atomic_load_n(&x->insns_decoded, __ATOMIC_RELAXED);
    *out = s;
}

int exec_create(const struct exec_options *options, struct exec **out) {
    struct exec *x = calloc(1, sizeof *x);
    if (!x)
        return -ENOMEM;
    x->options = *options;
    int rc = map_init(&x->map);
    if (rc) {
        free(x);
        return rc;
    }
    pthread_mutex_init(&x->lock, NULL);
    park_init(x);
    pthread_cond_init(&x->ended, NULL);
    rc = labels_create(x);
    if (rc)
        exec_destroy(x);
    else
        *out = x;
    return rc;
}

void exec_destroy(struct exec *x) {
    if (!x)
        return;
    jit_destroy(x);
    labels_destroy(x);
    while (x->vcpus)
        vcpu_destroy(x->vcpus);
    map_finish(&x->map);
    free(x->names);
    pthread_cond_destroy(&x->ended);
    pthread_cond_destroy(&x->park_changed);
    pthread_mutex_destroy(&x->park_lock);
    pthread_mutex_destroy(&x->lock);
    free(x);
}

static void dropped(void *arg, struct block_info *info) {
    jit_forget(arg, info);
}

/* mem's hook; a write to translated code, an unmap, a change of protection. */
static void drop_code(void *arg, uint64_t start, uint64_t end) {
    struct exec *x = arg;
    pthread_mutex_lock(&x->lock);
    map_drop(&x->map, start, end, dropped, x);
    pthread_mutex_unlock(&x->lock);
}

struct mem_hooks exec_mem_hooks(struct exec *x) {
    return (struct mem_hooks){.arg = x, .drop_code = drop_code, .exclusive = park_exclusive};
}

void exec_set_mem(struct exec *x, struct blink_mem *mem) {
    x->mem = mem;
    mem_set_guarded_copy(mem, signals_guarded_copy);
}

void exec_set_abi(struct exec *x, const struct blink_abi_ops *ops, struct blink_plugin *self) {
    x->abi = ops;
    x->abi_self = self;
}

void exec_set_system(struct exec *x) {
    x->system = true;
    /* Ports are the business of IOPL and the task's map. */
    x->options.user_ports = false;
}

void exec_add_observer(struct exec *x, struct exec_observer observer) {
    if (x->observer_count < sizeof x->observers / sizeof x->observers[0])
        x->observers[x->observer_count++] = observer;
}

int exec_first_cpu(struct exec *x, struct blink_cpu **out) {
    int rc = vcpu_create(x, &x->first);
    if (rc)
        return rc;
    if (x->system && x->options.icount && x->options.bus)
        clock_virtual(x->first);
    rc = mem_attach(x->mem, x->first->cpu);
    if (rc) {
        vcpu_destroy(x->first);
        return rc;
    }
    *out = x->first->cpu;
    return 0;
}

void exec_wait_for_all(struct exec *x) {
    pthread_mutex_lock(&x->lock);
    while (x->live > 0)
        pthread_cond_wait(&x->ended, &x->lock);
    pthread_mutex_unlock(&x->lock);
}

int exec_run(struct exec *x) {
    uint64_t mask = signals_block();
    signals_restore(mask);
    int rc = signals_install();
    if (rc == 0)
        rc = signals_attach(x->first);
    if (rc) {
        exec_log(x, BLINK_LOG_ERROR, "cannot catch host signals: %s", strerror(-rc));
        return 1;
    }
    clock_attach(x);
    vcpu_run(x->first);
    exec_wait_for_all(x);
    signals_leave(x, mask);
    return x->status;
}
