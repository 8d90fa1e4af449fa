/*
 * The loop with several vCPUs, a debugger, and back ends changed under way.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cpu/cpu.h"
#include "toy.h"

#define COUNT(a)  (sizeof(a) / sizeof(a)[0])
#define THREADS   7u
#define WORKER(n) AT(64 + (n))

/* The first vCPU makes threads (system call 2), waits until they are done (3), ends (0). */
static const uint64_t leader[] = {
    I(T_MOV, AX, 0, 2), I(T_SYSCALL, 0, 0, 0), I(T_MOV, AX, 0, 3),    I(T_SYSCALL, 0, 0, 0),
    I(T_MOV, AX, 0, 0), I(T_MOV, DI, 0, 42),   I(T_SYSCALL, 0, 0, 0),
};

/* A worker: counts in the shared word with LOCK, and in its own without; maps and unmaps (4). */
static const uint64_t worker[] = {
    I(T_MOV, BX, 0, 300),
    I(T_MOV, SI, 0, DATA),
    I(T_MOV, R8, 0, 1),
    /* the round */
    I(T_MOV, R9, 0, 200),
    I(T_LOCKADD, R8, SI, 0),
    I(T_SUB, R9, 0, 1),
    I(T_JNE, 0, 0, -2),
    I(T_MOV, AX, 0, 4),
    I(T_SYSCALL, 0, 0, 0),
    I(T_SUB, BX, 0, 1),
    I(T_JNE, 0, 0, -7),
    I(T_MOV, AX, 0, 1),
    I(T_SYSCALL, 0, 0, 0),
};

static uint32_t make_threads(struct blink_machine *m, struct blink_cpu *cpu) {
    for (uint32_t k = 1; k <= THREADS; k++)
        if (!toy_thread(cpu, WORKER(0), k, k))
            m->arg[3] = 1;
    return BLINK_ABI_CONTINUE;
}

static uint32_t wait_for_threads(struct blink_machine *m, struct blink_cpu *cpu) {
    while (exec_iface.vcpu_count(m) > 1)
        exec_iface.syscall(cpu, SYS_sched_yield, 0, 0, 0, 0, 0, 0);
    return BLINK_ABI_CONTINUE;
}

/* Each change of the address space parks the others in paged memory. */
static uint32_t change_memory(struct blink_machine *m, struct blink_cpu *cpu) {
    uint64_t at, base = HOLE + (uint64_t)cpu->id * 64 * PAGE;
    const uint32_t flags = BLINK_MAP_FIXED | BLINK_MAP_ANON;
    const uint32_t rw = BLINK_PROT_READ | BLINK_PROT_WRITE;
    int rc = mem_iface.map(m->mem, base, 4 * PAGE, rw, flags, -1, 0, &at);
    rc |= mem_iface.protect(m->mem, base, PAGE, BLINK_PROT_READ);
    rc |= mem_iface.unmap(m->mem, base, 4 * PAGE);
    if (rc)
        m->arg[3] = 2;
    return BLINK_ABI_CONTINUE;
}

static uint32_t on_call(struct blink_machine *m, struct blink_cpu *cpu) {
    switch (cpu->gpr[AX]) {
    case 2: return make_threads(m, cpu);
    case 3: return wait_for_threads(m, cpu);
    case 4: return change_memory(m, cpu);
    default: return BLINK_ABI_UNHANDLED;
    }
}

static void load_workers(struct blink_machine *m) {
    toy_code(m, CODE, leader, COUNT(leader));
    toy_code(m, WORKER(0), worker, COUNT(worker));
    m->on_syscall = on_call;
}

static void test_threads(void **state) {
    struct blink_machine *m = *state;
    load_workers(m);
    assert_int_equal(exec_run(m->exec), 42);
    assert_int_equal(m->arg[3], 0);
    assert_int_equal(toy_read(m, DATA), THREADS * 300 * 200);
    assert_int_equal(m->ended, THREADS + 1);
    struct blink_exec_stats s;
    exec_iface.stats(m, &s);
    assert_int_equal(s.instructions, 7 + THREADS * (3 + 300 * (1 + 3 * 200 + 4) + 2));
}

/* ---- exclusive sections and the end ---- */

struct section {
    struct blink_machine *m;
    uint64_t before, after;
};

static void look_twice(void *arg) {
    struct section *s = arg;
    mem_iface.copy_in(s->m->mem, &s->before, DATA, 8);
    usleep(1000);
    mem_iface.copy_in(s->m->mem, &s->after, DATA, 8);
}

/* A thread that is no vCPU's takes the machine again and again while the workers count. */
static void *take_machine(void *arg) {
    struct blink_machine *m = arg;
    struct mem_hooks hooks = exec_mem_hooks(m->exec);
    for (int k = 0; k < 50 && m->arg[2] == 0; k++) {
        struct section s = {.m = m};
        hooks.exclusive(hooks.arg, look_twice, &s);
        if (s.before != s.after)
            m->arg[2] = 1;
    }
    return NULL;
}

static void test_exclusive(void **state) {
    struct blink_machine *m = *state;
    pthread_t thread;
    load_workers(m);
    assert_int_equal(pthread_create(&thread, NULL, take_machine, m), 0);
    assert_int_equal(exec_run(m->exec), 42);
    pthread_join(thread, NULL);
    assert_int_equal(m->arg[2], 0);
    assert_int_equal(toy_read(m, DATA), THREADS * 300 * 200);
}

/* Threads asleep in the host, in endless loops and just being made, when the machine ends. */
static uint32_t sleep_for_ever(struct blink_machine *m, struct blink_cpu *cpu) {
    if (cpu->gpr[AX] == 2)
        return make_threads(m, cpu);
    __atomic_fetch_add(&m->arg[1], 1, __ATOMIC_SEQ_CST);
    if (exec_iface.syscall(cpu, SYS_pause, 0, 0, 0, 0, 0, 0) != -EINTR)
        m->arg[3] = 3;
    return BLINK_ABI_CONTINUE;
}

static void test_end_wakes_all(void **state) {
    NEEDS_SIGNALS();
    struct blink_machine *m = *state;
    static const uint64_t ends[] = {
        I(T_MOV, AX, 0, 2), I(T_SYSCALL, 0, 0, 0), I(T_MOV, AX, 0, 0),
        I(T_MOV, DI, 0, 9), I(T_SYSCALL, 0, 0, 0),
    };
    /* RDI is the thread's number: odd ones loop, which takes one subtraction more to find out. */
    static const uint64_t sleeper[] = {
        I(T_SUB, DI, 0, 4), I(T_JNE, 0, 0, 2),     I(T_JMP, 0, 0, 0),
        I(T_MOV, AX, 0, 5), I(T_SYSCALL, 0, 0, 0), I(T_JMP, 0, 0, -2),
    };
    toy_code(m, CODE, ends, COUNT(ends));
    toy_code(m, WORKER(0), sleeper, COUNT(sleeper));
    m->on_syscall = sleep_for_ever;
    assert_int_equal(exec_run(m->exec), 9);
    assert_int_equal(m->ended, THREADS + 1);
    assert_int_equal(m->arg[3], 0);
}

/* fork in another thread than the first: the child has its own end and exit status. */
static uint32_t fork_in_thread(struct blink_machine *m, struct blink_cpu *cpu) {
    switch (cpu->gpr[AX]) {
    case 2: return toy_thread(cpu, WORKER(0), 1, 1) ? BLINK_ABI_CONTINUE : BLINK_ABI_END;
    case 3: return wait_for_threads(m, cpu);
    default: break;
    }
    int64_t pid = exec_iface.fork(cpu);
    if (pid == 0)
        cpu->rip = WORKER(8);
    else
        m->arg[0] = (uint64_t)pid;
    return BLINK_ABI_CONTINUE;
}

static void test_fork_in_thread(void **state) {
    struct blink_machine *m = *state;
    static const uint64_t forker[] = {
        I(T_MOV, AX, 0, 4),
        I(T_SYSCALL, 0, 0, 0),
        I(T_MOV, AX, 0, 1),
        I(T_SYSCALL, 0, 0, 0),
        0,
        0,
        0,
        0,
        /* the child */
        I(T_MOV, AX, 0, 0),
        I(T_MOV, DI, 0, 17),
        I(T_SYSCALL, 0, 0, 0),
    };
    int status = 0;
    toy_code(m, CODE, leader, COUNT(leader));
    toy_code(m, WORKER(0), forker, COUNT(forker));
    m->on_syscall = fork_in_thread;
    assert_int_equal(exec_run(m->exec), 42);
    assert_int_equal(waitpid((pid_t)m->arg[0], &status, 0), (pid_t)m->arg[0]);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 17);
}

/* ---- a debugger ---- */

static const uint64_t counting[] = {
    I(T_MOV, SI, 0, DATA), I(T_ADD, R8, 0, 1), I(T_STORE, R8, SI, 0), I(T_LOAD, R9, SI, 8),
    I(T_SUB, R9, 0, 1),    I(T_JNE, 0, 0, -4), /* until the word at DATA + 8 is one */
    I(T_MOV, AX, 0, 0),    I(T_MOV, DI, 0, 3), I(T_SYSCALL, 0, 0, 0),
};

struct debugger {
    struct blink_machine *m;
    const char *wrong;
};

#define EXPECT(x)                                                                                  \
  do {                                                                                             \
    if (!(x)) {                                                                                    \
      d->wrong = #x;                                                                               \
      return;                                                                                      \
    }                                                                                              \
  } while (0)

/* Ten steps go round the loop twice. */
static void step_around(struct debugger *d, struct blink_cpu *cpu) {
    for (int k = 0; k < 10; k++) {
        uint64_t rip = cpu->rip, count = cpu->icount;
        EXPECT(debug_iface.step(cpu) == 0);
        EXPECT(cpu->icount == count + 1);
        EXPECT(cpu->rip == (rip == AT(5) ? AT(1) : rip + 8));
    }
}

static void look_around(struct debugger *d, struct blink_cpu *cpu) {
    uint64_t word = 0;
    char text[32];
    EXPECT(debug_iface.read(cpu, CODE, &word, 8) == 0 && word == counting[0]);
    EXPECT(debug_iface.read(cpu, HOLE, &word, 8) == -EFAULT);
    EXPECT(debug_iface.read(cpu, DATA + 4 * PAGE - 4, &word, 8) == -EFAULT);
    EXPECT(debug_iface.write(cpu, HOLE, &word, 8) == -EFAULT);
    EXPECT(debug_iface.disassemble(cpu, CODE, 0, text, sizeof text) == 8);
    EXPECT(strcmp(text, "toy 1") == 0);
    EXPECT(debug_iface.disassemble(cpu, HOLE, 0, text, sizeof text) == 0);
    /* Protection aside. */
    uint64_t at;
    const uint32_t flags = BLINK_MAP_FIXED | BLINK_MAP_ANON;
    EXPECT(mem_iface.map(d->m->mem, HOLE, PAGE, 0, flags, -1, 0, &at) == 0);
    word = 77;
    EXPECT(debug_iface.write(cpu, HOLE + 16, &word, 8) == 0);
    word = 0;
    EXPECT(debug_iface.read(cpu, HOLE + 16, &word, 8) == 0 && word == 77);
    EXPECT(mem_iface.unmap(d->m->mem, HOLE, PAGE) == 0);
}

static void stop_and_go(struct debugger *d) {
    struct blink_machine *m = d->m;
    uint64_t one = 0, two = 0;
    EXPECT(debug_iface.resume(m) == -EINVAL);
    EXPECT(debug_iface.step(m->cpu) == -EINVAL);
    EXPECT(debug_iface.stop(m) == 0);
    struct blink_cpu *cpu = debug_iface.cpu_at(m, 0);
    EXPECT(cpu == m->cpu && debug_iface.cpu_count(m) == 1);
    EXPECT(debug_iface.cpu_at(m, 1) == NULL);
    EXPECT(debug_iface.stop(m) == 0);
    uint64_t count = cpu->icount;
    EXPECT(debug_iface.read(cpu, DATA, &one, 8) == 0);
    usleep(20000);
    EXPECT(debug_iface.resume(m) == 0); /* the second stop still holds */
    usleep(20000);
    EXPECT(debug_iface.read(cpu, DATA, &two, 8) == 0);
    EXPECT(one == two && count == cpu->icount);
    look_around(d, cpu);
    step_around(d, cpu);
    /* Who has stopped the machine may change its back end. */
    EXPECT(debug_iface.set_jit(m, "bad") == -ENOENT);
    EXPECT(debug_iface.set_jit(m, "null") == 0);
    EXPECT(debug_iface.resume(m) == 0);
    usleep(20000);
    EXPECT(debug_iface.stop(m) == 0);
    EXPECT(debug_iface.read(cpu, DATA, &one, 8) == 0);
    EXPECT(one > two);
    EXPECT(debug_iface.set_jit(m, "none") == 0);
    EXPECT(debug_iface.resume(m) == 0);
}

static void *debug(void *arg) {
    struct debugger *d = arg;
    uint64_t one = 1;
    while (__atomic_load_n(&d->m->arg[0], __ATOMIC_SEQ_CST) == 0)
        usleep(1000);
    stop_and_go(d);
    /* The program ends by itself: the debugger wrote what it waits for. */
    if (debug_iface.stop(d->m) || debug_iface.write(d->m->cpu, DATA + 8, &one, 8) ||
        debug_iface.resume(d->m))
        d->wrong = "the last stop";
    return NULL;
}

static uint32_t say_running(struct blink_machine *m, struct blink_cpu *cpu) {
    (void)cpu;
    __atomic_store_n(&m->arg[0], 1, __ATOMIC_SEQ_CST);
    /* From its own thread a vCPU cannot stop the machine. */
    if (debug_iface.stop(m) != -EDEADLK)
        m->arg[3] = 1;
    cpu->rip = AT(0);
    return BLINK_ABI_CONTINUE;
}

static void add_null_jit(struct blink_machine *m) {
    m->jit = blink_plugin_entry.manifests[0]->vtable;
    assert_int_equal(m->jit->plugin.create(&m->host, "", &m->jit_self), 0);
}

static void test_debugger(void **state) {
    struct blink_machine *m = *state;
    struct debugger d = {.m = m};
    pthread_t thread;
    static const uint64_t start[] = {I(T_MOV, AX, 0, 2), I(T_SYSCALL, 0, 0, 0)};
    add_null_jit(m);
    toy_code(m, CODE, counting, COUNT(counting));
    toy_code(m, WORKER(0), start, COUNT(start));
    m->cpu->rip = WORKER(0);
    m->on_syscall = say_running;
    assert_int_equal(pthread_create(&thread, NULL, debug, &d), 0);
    assert_int_equal(exec_run(m->exec), 3);
    pthread_join(thread, NULL);
    if (d.wrong)
        fail_msg("debugger: %s", d.wrong);
    assert_int_equal(m->arg[3], 0);
}

/* ---- hot swap ---- */

static void *swap(void *arg) {
    struct blink_machine *m = arg;
    for (uint32_t k = 0; exec_iface.vcpu_count(m) > 0 && k < 40; k++) {
        exec_set_jit(m->exec, k & 1 ? "none" : "null");
        usleep(2000);
    }
    return NULL;
}

static void test_hot_swap(void **state) {
    struct blink_machine *m = *state;
    pthread_t thread;
    add_null_jit(m);
    load_workers(m);
    assert_int_equal(pthread_create(&thread, NULL, swap, m), 0);
    assert_int_equal(exec_run(m->exec), 42);
    pthread_join(thread, NULL);
    assert_int_equal(toy_read(m, DATA), THREADS * 300 * 200);
    struct blink_exec_stats s;
    exec_iface.stats(m, &s);
    assert_int_equal(s.instructions, 7 + THREADS * (3 + 300 * (1 + 3 * 200 + 4) + 2));
}

/* ---- one writes the code that others run ---- */

/* System call 6: rewrite the constant of the function at CODE + 2 pages, as a program would that
 * stops the others first: they wait in system call 7 meanwhile. */
static pthread_barrier_t before, after;

static uint32_t rewrite(struct blink_machine *m, struct blink_cpu *cpu) {
    if (cpu->gpr[AX] == 2)
        return make_threads(m, cpu);
    if (cpu->gpr[AX] == 3)
        return wait_for_threads(m, cpu);
    pthread_barrier_wait(&before);
    if (cpu->gpr[DI] == 1) {
        m->arg[0]++;
        toy_write(m, CODE + 2 * PAGE, I(T_ADD, R8, 0, m->arg[0]));
    }
    pthread_barrier_wait(&after);
    return BLINK_ABI_CONTINUE;
}

static void test_code_written_by_another(void **state) {
    struct blink_machine *m = *state;
    static const uint64_t runner[] = {
        I(T_MOV, BX, 0, 100),
        I(T_MOV, R8, 0, 0),
        I(T_MOV, SI, 0, CODE + 2 * PAGE),
        /* the round */
        I(T_MOV, AX, 0, 6),
        I(T_SYSCALL, 0, 0, 0),
        I(T_CALL, 0, SI, 0),
        I(T_SUB, BX, 0, 1),
        I(T_JNE, 0, 0, -4),
        I(T_MOV, SI, 0, DATA),
        I(T_LOCKADD, R8, SI, 0),
        I(T_MOV, AX, 0, 1),
        I(T_SYSCALL, 0, 0, 0),
    };
    static const uint64_t function[] = {I(T_ADD, R8, 0, 0), I(T_RET, 0, 0, 0)};
    pthread_barrier_init(&before, NULL, THREADS);
    pthread_barrier_init(&after, NULL, THREADS);
    toy_code(m, CODE, leader, COUNT(leader));
    toy_code(m, WORKER(0), runner, COUNT(runner));
    toy_code(m, CODE + 2 * PAGE, function, COUNT(function));
    m->on_syscall = rewrite;
    assert_int_equal(exec_run(m->exec), 42);
    assert_int_equal(toy_read(m, DATA), THREADS * (100 * 101 / 2));
    pthread_barrier_destroy(&before);
    pthread_barrier_destroy(&after);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TOY(test_threads),
        TOY(test_exclusive),
        TOY(test_end_wakes_all),
        TOY(test_fork_in_thread),
        TOY(test_debugger),
        TOY(test_hot_swap),
        TOY(test_code_written_by_another),
    };
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
