/*
 * See support.h. The SIGSEGV and SIGBUS handler stands for the trampoline that exec owns.
 */
#include "support.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "cpu/cpu.h"

/* The access under way on this thread. */
struct access {
    struct blink_mem *mem; /* NULL: a guarded copy */
    bool write;
    struct mem_fault fault;
    sigjmp_buf back;
};
static _Thread_local struct access *volatile under_way;

static void on_fault(int signo, siginfo_t *info, void *context) {
    struct access *a = under_way;
    if (!a) {
        signal(signo, SIG_DFL);
        return;
    }
    if (a->mem) {
        enum mem_host_fault kind =
            mem_host_fault(a->mem, (uintptr_t)info->si_addr, a->write, signo == SIGBUS,
                           info->si_code == SI_KERNEL, &a->fault);
        if (kind == MEM_FAULT_RETRY || kind == MEM_FAULT_SMC)
            return;
        if (kind == MEM_FAULT_FOREIGN)
            a->fault.vector = 0;
    }
    under_way = NULL;
    /* Instrumented handlers run with every signal blocked. */
    pthread_sigmask(SIG_SETMASK, &((ucontext_t *)context)->uc_sigmask, NULL);
    siglongjmp(a->back, 1);
}

/* Before every access, since cmocka puts its own handlers back for every test. */
static void catch_faults(void) {
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGSEGV, &sa, NULL);
    sigaction(SIGBUS, &sa, NULL);
}

/* Plain bytes: the instrumented memcpy would look into the guest's shadow. */
__attribute__((no_sanitize("address", "thread", "undefined"))) static void
bytes(volatile uint8_t *dst, const volatile uint8_t *src, size_t size) {
    for (size_t k = 0; k < size; k++)
        dst[k] = src[k];
}

static bool attempt(struct access *a, void *dst, const void *src, size_t size) {
    catch_faults();
    if (sigsetjmp(a->back, 0))
        return false;
    under_way = a;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    bytes(dst, src, size);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    under_way = NULL;
    return true;
}

int guarded_copy(void *dst, const void *src, size_t size) {
    struct access a = {.mem = NULL};
    return attempt(&a, dst, src, size) ? 0 : -EFAULT;
}

static void note_drop(void *arg, uint64_t start, uint64_t end) {
    struct space *s = arg;
    s->drops++;
    s->drop_start = start;
    s->drop_end = end;
    if (s->on_drop)
        s->on_drop(s);
}

struct space *space_new(const struct mem_options *options) {
    struct space *s = calloc(1, sizeof *s);
    struct mem_options o = *options;
    assert_non_null(s);
    s->cpu = calloc(1, sizeof *s->cpu);
    assert_non_null(s->cpu);
    if (!o.hooks.arg)
        o.hooks = (struct mem_hooks){.arg = s, .drop_code = note_drop};
    assert_int_equal(mem_create(&o, &s->mem), 0);
    mem_set_guarded_copy(s->mem, guarded_copy);
    cpu_reset_user64(s->cpu);
    assert_int_equal(mem_attach(s->mem, s->cpu), 0);
    return s;
}

void space_free(struct space *s) {
    mem_detach(s->mem, s->cpu);
    mem_destroy(s->mem);
    free(s->cpu);
    free(s);
}

int space_setup(void **state) {
    struct mem_options o = {.strategy = (enum mem_strategy)(uintptr_t)*state};
    *state = space_new(&o);
    return 0;
}

int space_teardown(void **state) {
    space_free(*state);
    return 0;
}

/* Host address by the TLB, or through the slow path. */
static void *paged_address(struct space *s, uint64_t address, uint32_t access,
                           struct mem_fault *fault) {
    const struct blink_tlb *t = &s->cpu->tlb;
    void *p = blink_tlb_find(s->cpu, access == W ? t->write : t->read, address, 1);
    if (p)
        return p;
    do {
        p = mem_translate(s->cpu, address, access, fault);
    } while (!p && fault->vector == MEM_VECTOR_SMC);
    return p;
}

static uint32_t access_guest(struct space *s, uint64_t address, uint32_t access, uint8_t *value,
                             struct mem_fault *out) {
    struct access a = {.mem = s->mem, .write = access == W};
    void *p = (void *)(uintptr_t)(address + s->cpu->bias);
    if (mem_strategy_of(s->mem) == MEM_PAGED) {
        p = paged_address(s, address, access, &a.fault);
        if (!p) {
            if (out)
                *out = a.fault;
            return a.fault.vector;
        }
    }
    bool good = access == W ? attempt(&a, p, value, 1) : attempt(&a, value, p, 1);
    if (good)
        return NO_FAULT;
    if (out)
        *out = a.fault;
    return a.fault.vector;
}

uint32_t guest_load(struct space *s, uint64_t address, uint8_t *value, struct mem_fault *fault) {
    return access_guest(s, address, R, value, fault);
}

uint32_t guest_store(struct space *s, uint64_t address, uint8_t value, struct mem_fault *fault) {
    return access_guest(s, address, W, &value, fault);
}

uint32_t guest_fetch(struct space *s, uint64_t address, uint8_t *value, struct mem_fault *fault) {
    struct mem_fault f = {0};
    if (mem_fetch(s->cpu, address, value, 1, &f) == 1)
        return NO_FAULT;
    if (fault)
        *fault = f;
    return f.vector;
}

uint8_t load(struct space *s, uint64_t address) {
    uint8_t v = 0;
    assert_int_equal(guest_load(s, address, &v, NULL), NO_FAULT);
    return v;
}

void store(struct space *s, uint64_t address, uint8_t value) {
    assert_int_equal(guest_store(s, address, value, NULL), NO_FAULT);
}

static void assert_fault(uint32_t vector, const struct mem_fault *fault, uint64_t address,
                         uint32_t want, uint32_t error) {
    assert_int_equal(vector, want);
    if (want == BLINK_EXC_PF) {
        assert_int_equal(fault->error, error);
        assert_int_equal(fault->address, address);
    }
}

void assert_load_fault(struct space *s, uint64_t address, uint32_t vector, uint32_t error) {
    struct mem_fault f = {0};
    uint8_t v;
    uint32_t got = guest_load(s, address, &v, &f);
    assert_fault(got, &f, address, vector, error);
}

void assert_store_fault(struct space *s, uint64_t address, uint32_t vector, uint32_t error) {
    struct mem_fault f = {0};
    uint32_t got = guest_store(s, address, 1, &f);
    assert_fault(got, &f, address, vector, error);
}

void assert_fetch_fault(struct space *s, uint64_t address, uint32_t vector, uint32_t error) {
    struct mem_fault f = {0};
    uint8_t v;
    uint32_t got = guest_fetch(s, address, &v, &f);
    assert_fault(got, &f, address, vector, error);
}

void map_at(struct space *s, uint64_t address, uint64_t size, uint32_t prot, uint32_t flags) {
    uint64_t out = 0;
    assert_int_equal(mem_map(s->mem, address, size, prot, flags | FIXED_ANON, -1, 0, &out), 0);
    assert_int_equal(out, address);
}

int64_t map_any(struct space *s, uint64_t hint, uint64_t size, uint32_t prot, uint32_t flags) {
    uint64_t out = 0;
    int rc = mem_map(s->mem, hint, size, prot, flags | ANON, -1, 0, &out);
    return rc ? rc : (int64_t)out;
}

struct blink_mem_region query(struct space *s, uint64_t address) {
    struct blink_mem_region r = {.struct_size = sizeof r};
    assert_int_equal(mem_iface.query(s->mem, address, &r), 0);
    return r;
}

void assert_region(struct space *s, uint64_t start, uint64_t end, uint32_t prot) {
    struct blink_mem_region r = query(s, start);
    assert_int_equal(r.start, start);
    assert_int_equal(r.end, end);
    assert_int_equal(r.prot, prot);
}

void assert_hole(struct space *s, uint64_t start, uint64_t end) {
    struct blink_mem_region r = {.struct_size = sizeof r};
    int rc = mem_iface.query(s->mem, start, &r);
    if (rc == 0)
        assert_true(r.start >= end);
    else
        assert_int_equal(rc, -ENOENT);
}

int pattern_file(uint32_t pages) {
    char name[] = "/tmp/blink-mem-XXXXXX";
    uint8_t page[4096];
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    unlink(name);
    for (uint32_t k = 0; k < pages; k++) {
        memset(page, 'a' + (int)k, sizeof page);
        assert_int_equal(write(fd, page, sizeof page), sizeof page);
    }
    return fd;
}
