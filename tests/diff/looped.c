/*
 * The side of a JIT: a machine of core's loop whose guest ABI is the tester. Every trial ends in a
 * fault, its own or that of the HLT behind its end; the ABI notes the state, loads the next trial
 * and lets the loop go on. Each block is translated when it is first met. A process of its own.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpu/cpu.h"
#include "diff.h"
#include "exec/exec.h"
#include "fakehost.h"

/* Host memory of this process that lies where trials may stray to. */
#define STRAY_END UINT64_C(0x200000000)
struct range {
    uint64_t start, end;
};

struct blink_machine {
    struct exec *exec;
    struct blink_mem *mem;
    struct blink_cpu *cpu;
    struct blink_host host;
    struct mem_hooks hooks;
    const struct blink_jit_ops *jit; /* the plugin's */
    struct blink_jit_ops counting;   /* the same with a translate that counts */
    struct blink_jit_host_iface jit_host;
    struct blink_plugin *jit_self;
    struct jit_counts *counts;
    uint8_t *code, *data; /* the guest's memory, writable */
    struct worker *worker;
    const struct trial *trial; /* under way, or NULL */
    struct outcome *outcome;
    bool again;                   /* the trial runs for the second time */
    const struct outcome *native; /* the host's; NULL in paged memory */
    struct range own[64];
    uint32_t own_count;
};

struct exec *machine_exec(struct blink_machine *m) {
    return m->exec;
}

static _Noreturn void give_up(const char *what, int rc) {
    fprintf(stderr, "diff: %s: %s\n", what, strerror(rc < 0 ? -rc : errno));
    _exit(4);
}

/* ---- from trial to trial ---- */

static uint32_t vector_of(const struct blink_cpu *cpu, uint32_t vector) {
    uint64_t at = cpu->seg[BLINK_SEG_CS].base + cpu->rip;
    bool end = vector == BLINK_EXC_GP && at == CODE_END;
    return end ? VECTOR_NONE : vector;
}

static void finish_trial(struct blink_machine *m, struct blink_cpu *cpu, uint32_t vector) {
    struct outcome *o = m->outcome;
    cpu_save_state(cpu, &o->state);
    memcpy(o->data, m->data, DATA_SIZE);
    o->vector = vector_of(cpu, vector);
    o->error = o->vector < 32 ? (uint32_t)cpu->exit_error : 0;
    o->cr2 = cpu->cr2;
}

/*
 * Linear memory does not keep a guest from what of blink itself lies at low addresses: the arena
 * and the tables of the JIT. A trial whose fault on the host is there is not run.
 */
static void find_own(struct blink_machine *m) {
    FILE *f = fopen("/proc/self/maps", "r");
    unsigned long long start, end;
    char line[512], prot[5];
    m->own_count = 0;
    while (f && fgets(line, sizeof line, f) && m->own_count < 64)
        if (sscanf(line, "%llx-%llx %4s", &start, &end, prot) == 3 && start < STRAY_END &&
            start != CODE_AT && start != SEGMENTS_AT &&
            (start < DATA_AT || start >= CONST_AT + CONST_SIZE))
            m->own[m->own_count++] = (struct range){start, end};
    if (f)
        fclose(f);
}

static bool strays(struct blink_machine *m) {
    uint32_t k = worker_index(m->worker);
    if (!m->native)
        return false;
    if (k == 0)
        find_own(m);
    const struct outcome *h = &m->native[k];
    for (k = 0; h->vector == BLINK_EXC_PF && k < m->own_count; k++)
        if (h->cr2 >= m->own[k].start && h->cr2 < m->own[k].end)
            return true;
    return false;
}

static void start_trial(struct blink_machine *m, struct blink_cpu *cpu) {
    const struct trial *t = worker_next(m->worker, &m->outcome);
    while (strays(m)) {
        m->outcome->vector = VECTOR_SKIP;
        t = worker_next(m->worker, &m->outcome);
    }
    m->trial = t;
    uint8_t *end = m->code + (CODE_END - CODE_AT);
    memset(end - sizeof t->code, 0xcc, sizeof t->code - t->code_size);
    memcpy(end - t->code_size, t->code, t->code_size);
    memcpy(m->data, t->data, DATA_SIZE);
    m->hooks.drop_code(m->hooks.arg, CODE_AT, CODE_AT + CODE_SIZE);
    cpu_load_state(cpu, t);
}

/* The same trial once more: now its code is there, and its blocks are linked. */
static void start_again(struct blink_machine *m, struct blink_cpu *cpu) {
    m->again = true;
    memcpy(m->data, m->trial->data, DATA_SIZE);
    cpu_load_state(cpu, m->trial);
}

/* What the second run came to is the outcome; if the first came to something else, that is. */
static void finish_again(struct blink_machine *m, struct blink_cpu *cpu, uint32_t vector) {
    static struct outcome first;
    first = *m->outcome;
    finish_trial(m, cpu, vector);
    if (outcomes_differ(m->trial, &first, m->outcome, NULL))
        m->outcome->vector = VECTOR_TWO;
}

static uint32_t next(struct blink_plugin *self, struct blink_cpu *cpu, uint32_t vector) {
    struct blink_machine *m = (struct blink_machine *)self;
    if (m->trial && !m->again) {
        finish_trial(m, cpu, vector);
        start_again(m, cpu);
        return BLINK_ABI_CONTINUE;
    }
    if (m->trial)
        finish_again(m, cpu, vector);
    m->again = false;
    start_trial(m, cpu);
    return BLINK_ABI_CONTINUE;
}

/* ---- the guest ABI ---- */

static uint32_t on_fault(struct blink_plugin *self, struct blink_cpu *cpu) {
    return next(self, cpu, (uint32_t)cpu->exit_info);
}
static uint32_t on_interrupt(struct blink_plugin *self, struct blink_cpu *cpu) {
    cpu->exit_error = 0;
    return next(self, cpu, (uint32_t)cpu->exit_info);
}
/* The alarm: it does not end. */
static uint32_t on_signal(struct blink_plugin *self, struct blink_cpu *cpu) {
    struct blink_signal s;
    while (exec_iface.signal_take(cpu, &s) == 0)
        ;
    return next(self, cpu, VECTOR_HANG);
}
static uint32_t on_syscall(struct blink_plugin *self, struct blink_cpu *cpu) {
    return next(self, cpu, VECTOR_HANG);
}
static void thread_end(struct blink_plugin *self, struct blink_cpu *cpu) {
    (void)self, (void)cpu;
}

static const struct blink_abi_ops abi = {
    .plugin = {.struct_size = sizeof abi},
    .syscall = on_syscall,
    .interrupt = on_interrupt,
    .fault = on_fault,
    .signal = on_signal,
    .thread_end = thread_end,
};

/* ---- what becomes of instructions: of those that are first in their trial ---- */

/* Trampoline state: the services that count have no other way to it. */
static struct blink_machine *counted;

static struct jit_counts *counts_at(uint64_t rip) {
    const struct blink_machine *m = counted;
    bool first = m->trial && !m->again && m->trial->count == 1 && rip == trial_start(m->trial);
    return m->counts && first ? &m->counts[m->trial->focus] : NULL;
}

static uint32_t count_interpreted(struct blink_cpu *cpu, const struct blink_insn *insn) {
    struct jit_counts *c = counts_at(cpu->rip);
    if (c)
        c->handed_back++;
    return jit_host_iface.interpret(cpu, insn);
}

/* Copied is what stands in the code as it stood in the guest. A few bytes may be anywhere by
 * chance: they must be at its beginning, behind a mark for x87 instructions that is always the
 * same. */
static bool is_copied(const struct blink_insn *i, const struct blink_jit_code *code) {
    size_t room = i->len > 2 ? code->size : op_classes[i->op] < BLINK_CLASS_X87 ? i->len : 16u;
    return memmem(code->entry, room, i->raw, i->len) != NULL;
}

static int count_translated(struct blink_plugin *self, const struct blink_jit_block *block,
                            struct blink_jit_code *code) {
    int rc = counted->jit->translate(self, block, code);
    struct jit_counts *c = rc ? NULL : counts_at(block->rip);
    if (c && is_copied(block->insns, code))
        c->copied++;
    else if (c)
        c->rewritten++;
    return rc;
}

/* ---- the machine ---- */

static void log_line(struct blink_machine *m, int32_t level, const char *text) {
    (void)m;
    if (level <= BLINK_LOG_WARN)
        fprintf(stderr, "diff: %s\n", text);
}
static int32_t log_enabled(struct blink_machine *m, int32_t level) {
    (void)m;
    return level <= BLINK_LOG_WARN;
}
static const void *get_iface(struct blink_machine *m, const char *id) {
    return strcmp(id, BLINK_IFACE_JIT_HOST) ? NULL : &m->jit_host;
}
static const char *option(struct blink_machine *m, const char *name) {
    (void)m, (void)name;
    return NULL;
}
static void last_words(struct blink_machine *m) {
    (void)m;
}
static int find_jit(struct blink_machine *m, const char *name, const struct blink_jit_ops **ops,
                    struct blink_plugin **self) {
    (void)name;
    *ops = m->counts ? &m->counting : m->jit;
    *self = m->jit_self;
    return 0;
}

/* Memory that the guest sees with `prot` and this process can write. */
static uint8_t *map_shared(struct blink_machine *m, uint64_t at, size_t size, uint32_t prot) {
    int fd = memfd_create("guest", 0);
    uint64_t got;
    if (fd < 0 || ftruncate(fd, (off_t)size))
        give_up("memfd_create", 0);
    uint8_t *alias = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (alias == MAP_FAILED)
        give_up("mmap", 0);
    int rc =
        mem_iface.map(m->mem, at, size, prot,
                      BLINK_MAP_SHARED | BLINK_MAP_NOREPLACE | BLINK_MAP_POPULATE, fd, 0, &got);
    if (rc)
        give_up("the guest's memory", rc);
    close(fd);
    return alias;
}

static void make_memory(struct blink_machine *m, bool paged) {
    m->hooks = exec_mem_hooks(m->exec);
    struct mem_options o = {.strategy = paged ? MEM_PAGED : MEM_LINEAR, .hooks = m->hooks};
    int rc = mem_create(&o, &m->mem);
    if (rc)
        give_up("mem_create", rc);
    m->code = map_shared(m, CODE_AT, CODE_SIZE, BLINK_PROT_READ | BLINK_PROT_EXEC);
    m->data = map_shared(m, DATA_AT, DATA_SIZE, BLINK_PROT_READ | BLINK_PROT_WRITE);
    map_shared(m, CONST_AT, CONST_SIZE, BLINK_PROT_READ);
    segments_tables(map_shared(m, SEGMENTS_AT, SEGMENTS_SIZE, BLINK_PROT_READ | BLINK_PROT_WRITE));
    memset(m->code, 0xcc, CODE_SIZE);
    m->code[CODE_END - CODE_AT] = 0xf4; /* HLT */
}

static void make_jit(struct blink_machine *m, const char *path) {
    m->host = (struct blink_host){.struct_size = sizeof m->host,
                                  .abi_major = BLINK_ABI_MAJOR,
                                  .abi_minor = BLINK_ABI_MINOR,
                                  .page_size = 4096,
                                  .machine = m,
                                  .log = log_line,
                                  .log_enabled = log_enabled,
                                  .get_iface = get_iface,
                                  .option = option};
    m->jit_host = jit_host_iface;
    m->jit_host.interpret = count_interpreted;
    m->jit = fakehost_load(path, BLINK_KIND_JIT, "x86_64");
    if (m->jit)
        m->counting = *m->jit;
    m->counting.translate = count_translated;
    int rc = m->jit ? m->jit->plugin.create(&m->host, "", &m->jit_self) : -ENOENT;
    if (rc == 0)
        rc = exec_set_jit(m->exec, "x86_64");
    if (rc)
        give_up(path, rc);
}

void looped_work(struct worker *w, void *arg) {
    const struct looped_options *lo = arg;
    struct blink_machine *m = calloc(1, sizeof *m);
    struct exec_options o = {
        .hooks = {.machine = m, .log = log_line, .last_words = last_words, .find_jit = find_jit},
        .jit_warm = 1};
    decoder_get(&o.decoder, &o.decoder_self);
    int rc = m ? exec_create(&o, &m->exec) : -ENOMEM;
    if (rc)
        give_up("exec_create", rc);
    counted = m;
    m->worker = w;
    m->counts = lo->counts;
    m->native = lo->paged ? NULL : lo->host;
    make_memory(m, lo->paged);
    exec_set_mem(m->exec, m->mem);
    exec_set_abi(m->exec, &abi, (struct blink_plugin *)m);
    rc = exec_first_cpu(m->exec, &m->cpu);
    if (rc)
        give_up("exec_first_cpu", rc);
    cpu_reset_user64(m->cpu);
    segments_registers(m->cpu);
    m->cpu->rip = CODE_END;
    make_jit(m, lo->jit);
    exec_iface.signal_watch(m, SIGPROF, BLINK_SIGNAL_CATCH);
    exec_run(m->exec);
    give_up("the loop ended", -EINVAL);
}
