/*
 * The loop with one vCPU: chaining, code that changes itself, precise faults, single steps,
 * signals.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/bus.h"
#include "cpu/cpu.h"
#include "toy.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define END      I(T_MOV, AX, 0, 0), I(T_MOV, DI, 0, 42), I(T_SYSCALL, 0, 0, 0)

static struct blink_exec_stats stats_of(struct blink_machine *m) {
    struct blink_exec_stats s;
    exec_iface.stats(m, &s);
    return s;
}

static void test_chain(void **state) {
    struct blink_machine *m = *state;
    static const uint64_t code[] = {
        I(T_MOV, CX, 0, 1000000),
        I(T_MOV, R8, 0, 0),
        I(T_ADD, R8, 0, 3),
        I(T_JMP, 0, 0, 1),
        I(T_SUB, CX, 0, 1),
        I(T_JNE, 0, 0, -3),
        END,
    };
    toy_code(m, CODE, code, COUNT(code));
    assert_int_equal(exec_run(m->exec), 42);
    assert_int_equal(m->final[R8], 3000000);
    assert_int_equal(m->icount, 2 + 4 * 1000000 + 3);
    struct blink_exec_stats s = stats_of(m);
    /* From block to block without the loop. */
    assert_true(s.exits[BLINK_EXIT_BLOCK] < 20);
    assert_int_equal(s.exits[BLINK_EXIT_SYSCALL], 1);
    assert_int_equal(s.syscalls, 1);
    assert_int_equal(s.instructions, m->icount);
    assert_true(s.blocks_decoded >= 4 && s.blocks_decoded < 8);
}

/* A function on another page whose constant is rewritten before each call. */
static void test_smc_other_page(void **state) {
    struct blink_machine *m = *state;
    static const uint64_t function[] = {I(T_ADD, R8, 0, 0), I(T_RET, 0, 0, 0)};
    /* The constant is the upper half of the record: adding eight bytes there leaves RET as it is,
     * since nothing is carried over. */
    static const uint64_t code[] = {
        I(T_MOV, CX, 0, 500), I(T_MOV, R8, 0, 0),      I(T_MOV, SI, 0, CODE + PAGE),
        I(T_MOV, BX, 0, 1),   I(T_LOCKADD, BX, SI, 4), I(T_CALL, 0, SI, 0),
        I(T_SUB, CX, 0, 1),   I(T_JNE, 0, 0, -4),      END,
    };
    toy_code(m, CODE, code, COUNT(code));
    toy_code(m, CODE + PAGE, function, COUNT(function));
    assert_int_equal(exec_run(m->exec), 42);
    /* 1 + 2 + ... + 500 */
    assert_int_equal(m->final[R8], 500 * 501 / 2);
    assert_int_equal(m->icount, 3 + 500 * 7 + 3);
}

/* The store changes the next instruction of its own block. */
static void test_smc_same_block(void **state) {
    struct blink_machine *m = *state;
    static const uint64_t code[] = {
        I(T_MOV, CX, 0, 200),
        I(T_MOV, R8, 0, 0),
        I(T_MOV, SI, 0, AT(6)),
        I(T_MOV, BX, 0, 1),
        /* the round */
        I(T_NOP, 0, 0, 0),
        I(T_LOCKADD, BX, SI, 4), /* the constant below grows by one */
        I(T_ADD, R8, 0, 0),
        I(T_NOP, 0, 0, 0),
        I(T_SUB, CX, 0, 1),
        I(T_JNE, 0, 0, -5),
        END,
    };
    toy_code(m, CODE, code, COUNT(code));
    assert_int_equal(exec_run(m->exec), 42);
    assert_int_equal(m->final[R8], 200 * 201 / 2);
    assert_int_equal(m->icount, 4 + 200 * 6 + 3);
    assert_true(stats_of(m).exits[BLINK_EXIT_SMC] >= 20);
}

/* A page of data and code that is written all the time does not become slow for ever. */
static void test_smc_volatile_page(void **state) {
    struct blink_machine *m = *state;
    static const uint64_t code[] = {
        I(T_MOV, CX, 0, 20000), I(T_MOV, SI, 0, CODE + 512), I(T_STORE, CX, SI, 0),
        I(T_SUB, CX, 0, 1),     I(T_JNE, 0, 0, -2),          END,
    };
    toy_code(m, CODE, code, COUNT(code));
    assert_int_equal(exec_run(m->exec), 42);
    assert_int_equal(toy_read(m, CODE + 512), 1);
    assert_int_equal(m->icount, 2 + 3 * 20000 + 3);
    /* Many stores were made without a fault; how many depends on the machine's speed. */
    assert_true(stats_of(m).exits[BLINK_EXIT_SMC] < 19900);
}

static uint32_t skip_fault(struct blink_machine *m, struct blink_cpu *cpu) {
    m->arg[0]++;
    m->arg[1] = cpu->rip;
    m->arg[2] = cpu->icount;
    m->arg[3] = cpu->cr2;
    /* The state is that before the instruction. */
    assert_int_equal(cpu->exit_info, BLINK_EXC_PF);
    assert_int_equal(cpu->exit_error, BLINK_PF_U | BLINK_PF_W);
    assert_int_equal(cpu->gpr[R8], 6);
    assert_int_equal(blink_cpu_get_flags(cpu) & BLINK_FLAGS_ARITH, BLINK_PF);
    cpu->rip += 8;
    return BLINK_ABI_CONTINUE;
}

static void test_precise_fault(void **state) {
    struct blink_machine *m = *state;
    static const uint64_t code[] = {
        I(T_MOV, SI, 0, HOLE),  I(T_MOV, R8, 0, 1), I(T_ADD, R8, 0, 5), /* PF */
        I(T_STORE, R8, SI, 16), I(T_ADD, R8, 0, 1), END,
    };
    toy_code(m, CODE, code, COUNT(code));
    m->on_fault = skip_fault;
    assert_int_equal(exec_run(m->exec), 42);
    assert_int_equal(m->arg[0], 1);
    assert_int_equal(m->arg[1], AT(3));
    assert_int_equal(m->arg[2], 3);
    assert_int_equal(m->arg[3], HOLE + 16);
    assert_int_equal(m->final[R8], 7);
    assert_int_equal(m->icount, 3 + 1 + 3);
}

/* A jump to nowhere faults at the target, bytes that are nothing raise #UD there. */
static uint32_t next_target(struct blink_machine *m, struct blink_cpu *cpu) {
    static const uint64_t target[] = {DATA, CODE + 2 * PAGE, CODE + 4 * PAGE - 4};
    static const uint64_t vector[] = {BLINK_EXC_PF, BLINK_EXC_UD, BLINK_EXC_PF};
    static const uint64_t error[] = {BLINK_PF_P | BLINK_PF_U | BLINK_PF_I, 0,
                                     BLINK_PF_U | BLINK_PF_I};
    uint64_t n = m->arg[0]++;
    assert_int_equal(cpu->exit_info, vector[n]);
    assert_int_equal(cpu->rip, target[n]);
    if (cpu->exit_info == BLINK_EXC_PF) {
        assert_int_equal(cpu->exit_error, error[n]);
        assert_int_equal(cpu->cr2, n == 2 ? CODE + 4 * PAGE : target[n]);
    }
    cpu->gpr[SI] = n < 2 ? target[n + 1] : 0;
    cpu->rip = n < 2 ? AT(0) : AT(1);
    return BLINK_ABI_CONTINUE;
}

static void test_bad_targets(void **state) {
    struct blink_machine *m = *state;
    static const uint64_t code[] = {I(T_CALL, 0, SI, 0), END};
    static const uint64_t half = I(T_NOP, 0, 0, 0);
    toy_code(m, CODE, code, COUNT(code));
    toy_code(m, CODE + 4 * PAGE - 8, &half, 1);
    m->on_fault = next_target;
    m->cpu->gpr[SI] = DATA;
    assert_int_equal(exec_run(m->exec), 42);
    assert_int_equal(m->arg[0], 3);
}

/* RFLAGS.TF: a trap after each instruction, the one after POPF first. */
static uint32_t count_traps(struct blink_machine *m, struct blink_cpu *cpu) {
    if (cpu->exit_info != BLINK_EXC_DB) {
        cpu->rip += 8;
        return BLINK_ABI_CONTINUE;
    }
    if (m->arg[0] < 4)
        assert_int_equal(cpu->rip, AT(4 + m->arg[0]));
    m->arg[0]++;
    assert_int_equal(cpu->dr[6] & 0x4000, 0x4000);
    if (cpu->rip == AT(8))
        blink_cpu_set_flags(cpu, blink_cpu_get_flags(cpu) & ~(uint64_t)BLINK_TF);
    return BLINK_ABI_CONTINUE;
}

static void test_trap_flag(void **state) {
    struct blink_machine *m = *state;
    static const uint64_t code[] = {
        I(T_MOV, SI, 0, STACK + PAGE - 8),
        I(T_NOP, 0, 0, 0),
        I(T_POPF, 0, 0, 0),
        I(T_ADD, R8, 0, 1),
        I(T_ADD, R8, 0, 1),
        I(T_JMP, 0, 0, 1),
        I(T_ADD, R8, 0, 1),
        I(T_ADD, R8, 0, 1),
        I(T_ADD, R8, 0, 1),
        END,
    };
    toy_code(m, CODE, code, COUNT(code));
    toy_write(m, STACK + PAGE - 8, BLINK_TF | BLINK_IF | 2);
    m->cpu->gpr[BLINK_RSP] = STACK + PAGE - 8;
    m->on_fault = count_traps;
    assert_int_equal(exec_run(m->exec), 42);
    assert_int_equal(m->arg[0], 5);
    assert_int_equal(m->final[R8], 5);
    assert_int_equal(m->icount, 9 + 3);
}

/* ---- devices in memory ---- */

static uint64_t device_read(struct blink_plugin *self, uint64_t offset, uint32_t size) {
    struct blink_machine *m = (struct blink_machine *)self;
    m->arg[0]++;
    return UINT64_C(0x1000) * size + offset;
}
static void device_write(struct blink_plugin *self, uint64_t offset, uint32_t size,
                         uint64_t value) {
    struct blink_machine *m = (struct blink_machine *)self;
    m->arg[1] += size;
    m->arg[2] = value;
    m->arg[3] = offset;
}

/* Loads and stores beyond the RAM go to the bus, whoever is there; LOCK too. */
static void test_device(void **state) {
    struct blink_machine *m = *state;
    const uint64_t device = UINT64_C(0x40000000);
    static const uint64_t code[] = {
        I(T_MOV, SI, 0, 0x40000000), I(T_LOAD, R8, SI, 0x10),     I(T_MOV, CX, 0, 77),
        I(T_STORE, CX, SI, 0x20),    I(T_MOV, DI, 0, 0x41000000), I(T_LOAD, R9, DI, 0),
        I(T_STORE, CX, DI, 0),       I(T_MOV, DX, 0, 1),          I(T_LOCKADD, DX, SI, 0x30),
        I(T_MOV, BX, 0, 64),         I(T_STORE, CX, BX, 0),       END,
    };
    assert_int_equal(bus_claim_memory(m->bus, (struct blink_plugin *)m, device, 2 * PAGE,
                                      device_read, device_write),
                     0);
    toy_code(m, PAGE, code, COUNT(code));
    assert_int_equal(exec_run(m->exec), 42);
    assert_int_equal(m->final[R8], 0x8010);
    assert_int_equal(m->final[R9], UINT64_MAX); /* nobody */
    assert_int_equal(m->arg[0], 2);
    assert_int_equal(m->arg[1], 16);
    assert_int_equal(m->arg[2], 0x8031); /* read, increased, written */
    assert_int_equal(m->arg[3], 0x30);
    assert_int_equal(toy_read(m, 64), 77);
}

/* ---- signals ---- */

static uint32_t send_self(struct blink_machine *m, struct blink_cpu *cpu) {
    (void)cpu;
    m->arg[0]++;
    kill(getpid(), SIGUSR1);
    return BLINK_ABI_CONTINUE;
}

static uint32_t take_signal(struct blink_machine *m, struct blink_cpu *cpu) {
    struct blink_signal s = {.struct_size = sizeof s};
    while (exec_iface.signal_take(cpu, &s) == 0) {
        assert_int_equal(s.signo, SIGUSR1);
        m->arg[1]++;
        /* By a system call, or in the middle of the endless loop. */
        if (cpu->rip == AT(6) || cpu->rip == AT(7))
            cpu->rip = AT(8);
    }
    return BLINK_ABI_CONTINUE;
}

static void test_signals(void **state) {
    NEEDS_SIGNALS();
    struct blink_machine *m = *state;
    static const uint64_t code[] = {
        I(T_MOV, CX, 0, 50),   I(T_COPY, BX, CX, 0), I(T_MOV, AX, 0, 2),
        I(T_SYSCALL, 0, 0, 0), I(T_SUB, BX, 0, 1),   I(T_JNE, 0, 0, -3),
        I(T_ADD, R8, 0, 1),    I(T_JMP, 0, 0, -1),   END,
    };
    toy_code(m, CODE, code, COUNT(code));
    m->on_syscall = send_self;
    m->on_signal = take_signal;
    assert_int_equal(exec_iface.signal_watch(m, SIGUSR1, BLINK_SIGNAL_CATCH), 0);
    assert_int_equal(exec_iface.signal_watch(m, SIGKILL, BLINK_SIGNAL_CATCH), -EINVAL);
    assert_int_equal(exec_iface.signal_watch(m, 0, BLINK_SIGNAL_CATCH), -EINVAL);
    assert_int_equal(exec_iface.signal_watch(m, 65, BLINK_SIGNAL_CATCH), -EINVAL);
    /* One more from outside ends the endless loop. */
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        for (int k = 0; k < 200; k++) {
            usleep(20000);
            if (kill(parent, SIGUSR1))
                break;
        }
        _exit(0);
    }
    assert_int_equal(exec_run(m->exec), 42);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    signal(SIGUSR1, SIG_IGN);
    assert_int_equal(m->arg[0], 50);
    assert_true(m->arg[1] >= 51);
}

/* A blocking call of the guest returns -EINTR for a signal, also one that came before it. */
static uint32_t wait_for_signal(struct blink_machine *m, struct blink_cpu *cpu) {
    int fd[2];
    char byte;
    assert_int_equal(pipe(fd), 0);
    if (m->arg[0]++ == 0)
        kill(getpid(), SIGUSR1);
    else
        alarm(1);
    int64_t rc = exec_iface.syscall(cpu, 0, (uint64_t)fd[0], (uintptr_t)&byte, 1, 0, 0, 0);
    assert_int_equal(rc, -EINTR);
    close(fd[0]);
    close(fd[1]);
    return BLINK_ABI_CONTINUE;
}

static uint32_t take_any(struct blink_machine *m, struct blink_cpu *cpu) {
    struct blink_signal s = {.struct_size = sizeof s};
    assert_int_equal(exec_iface.signal_take(cpu, &s), 0);
    m->arg[1] = m->arg[1] * 100 + (uint64_t)s.signo;
    siginfo_t info;
    memcpy(&info, s.info, sizeof info);
    assert_int_equal(info.si_signo, s.signo);
    assert_int_equal(exec_iface.signal_take(cpu, &s), -EAGAIN);
    return BLINK_ABI_CONTINUE;
}

static void test_interrupted_call(void **state) {
    NEEDS_SIGNALS();
    struct blink_machine *m = *state;
    static const uint64_t code[] = {
        I(T_MOV, AX, 0, 2), I(T_SYSCALL, 0, 0, 0), I(T_MOV, AX, 0, 2), I(T_SYSCALL, 0, 0, 0), END,
    };
    toy_code(m, CODE, code, COUNT(code));
    m->on_syscall = wait_for_signal;
    m->on_signal = take_any;
    assert_int_equal(exec_iface.signal_watch(m, SIGUSR1, BLINK_SIGNAL_CATCH), 0);
    assert_int_equal(exec_iface.signal_watch(m, SIGALRM, BLINK_SIGNAL_CATCH), 0);
    assert_int_equal(exec_run(m->exec), 42);
    signal(SIGUSR1, SIG_DFL);
    signal(SIGALRM, SIG_DFL);
    assert_int_equal(m->arg[1], SIGUSR1 * 100 + SIGALRM);
}

/* ---- fork ---- */

static uint32_t fork_call(struct blink_machine *m, struct blink_cpu *cpu) {
    int64_t pid = exec_iface.fork(cpu);
    cpu->gpr[DX] = (uint64_t)pid;
    if (pid == 0)
        cpu->rip = AT(8);
    else
        m->arg[0] = (uint64_t)pid;
    return BLINK_ABI_CONTINUE;
}

static void test_fork(void **state) {
    struct blink_machine *m = *state;
    int status = 0;
    static const uint64_t code[] = {
        I(T_MOV, SI, 0, DATA),
        I(T_MOV, R8, 0, 5),
        I(T_STORE, R8, SI, 0),
        I(T_MOV, AX, 0, 2),
        I(T_SYSCALL, 0, 0, 0),
        END,
        /* the child: 8 */
        I(T_LOAD, R8, SI, 0),
        I(T_ADD, R8, 0, 2),
        I(T_STORE, R8, SI, 0),
        I(T_COPY, DI, R8, 0),
        I(T_MOV, AX, 0, 0),
        I(T_SYSCALL, 0, 0, 0),
    };
    toy_code(m, CODE, code, COUNT(code));
    m->on_syscall = fork_call;
    pid_t self = getpid();
    int result = exec_run(m->exec);
    if (getpid() != self)
        _exit(result);
    assert_int_equal(result, 42);
    assert_int_equal(waitpid((pid_t)m->arg[0], &status, 0), (pid_t)m->arg[0]);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    assert_int_equal(toy_read(m, DATA), 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TOY(test_chain),
        TOY(test_smc_other_page),
        TOY(test_smc_same_block),
        TOY(test_smc_volatile_page),
        TOY(test_precise_fault),
        TOY(test_bad_targets),
        TOY(test_trap_flag),
        cmocka_unit_test_setup_teardown(test_device, toy_setup_system, toy_teardown),
        TOY(test_signals),
        TOY(test_interrupted_call),
        TOY(test_fork),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
