/*
 * What a program finds when it starts: registers, stack, auxiliary vector, inherited signals.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "linux.h"

#include "guest.h"

static int setup(void **state) {
    *state = guest_create(NULL, NULL);
    return 0;
}

static int teardown(void **state) {
    guest_destroy(*state);
    return 0;
}

static uint64_t word(struct guest *g, uint64_t address) {
    uint64_t v;
    assert_int_equal(fakehost_peek(g->fh, address, &v, sizeof v), 0);
    return v;
}

static void assert_text(struct guest *g, uint64_t address, const char *text) {
    char found[64];
    assert_true(strlen(text) < sizeof found);
    assert_int_equal(fakehost_peek(g->fh, address, found, strlen(text) + 1), 0);
    assert_string_equal(found, text);
}

/* Address of the first pair of the auxiliary vector. */
static uint64_t auxv_at(struct guest *g) {
    uint64_t at = g->cpu->gpr[BLINK_RSP];
    at += 8 * (1 + word(g, at) + 1);
    while (word(g, at))
        at += 8;
    return at + 8;
}

static bool aux(struct guest *g, uint64_t type, uint64_t *value) {
    for (uint64_t at = auxv_at(g); word(g, at); at += 16)
        if (word(g, at) == type) {
            *value = word(g, at + 8);
            return true;
        }
    return false;
}

static void assert_aux(struct guest *g, uint64_t type, uint64_t expected) {
    uint64_t value;
    assert_true(aux(g, type, &value));
    assert_int_equal(value, expected);
}

static void test_registers(void **state) {
    struct guest *g = *state;
    assert_int_equal(g->cpu->rip, 0x401000);
    assert_int_equal(g->cpu->gpr[BLINK_RSP] % 16, 0);
    for (int r = 0; r < 16; r++)
        if (r != BLINK_RSP)
            assert_int_equal(g->cpu->gpr[r], 0);
}

static void test_vectors(void **state) {
    struct guest *g = *state;
    uint64_t at = g->cpu->gpr[BLINK_RSP];
    assert_int_equal(word(g, at), 2);
    assert_text(g, word(g, at + 8), "/bin/program");
    assert_text(g, word(g, at + 16), "argument");
    assert_int_equal(word(g, at + 24), 0);
    assert_text(g, word(g, at + 32), "NAME=value");
    assert_int_equal(word(g, at + 40), 0);
    /* Strings stand as Linux has them: arguments, then environment, adjacent. */
    assert_int_equal(word(g, at + 16), word(g, at + 8) + sizeof "/bin/program");
    assert_int_equal(word(g, at + 32), word(g, at + 16) + sizeof "argument");
}

static void test_auxv(void **state) {
    struct guest *g = *state;
    uint64_t value;
    assert_aux(g, G_AT_PAGESZ, 4096);
    assert_aux(g, G_AT_CLKTCK, 100);
    assert_aux(g, G_AT_UID, getuid());
    assert_aux(g, G_AT_EUID, geteuid());
    assert_aux(g, G_AT_GID, getgid());
    assert_aux(g, G_AT_EGID, getegid());
    assert_aux(g, G_AT_SECURE, 0);
    assert_aux(g, G_AT_BASE, 0);
    assert_false(aux(g, 33, &value)); /* AT_SYSINFO_EHDR: there is no vDSO */
    assert_true(aux(g, G_AT_HWCAP, &value));
    assert_int_equal(value & 1, 1); /* an FPU */
    assert_true(aux(g, G_AT_EXECFN, &value));
    assert_text(g, value, "/bin/program");
    assert_true(aux(g, G_AT_PLATFORM, &value));
    assert_text(g, value, "x86_64");
    assert_true(aux(g, G_AT_RANDOM, &value));
    assert_true(word(g, value) || word(g, value + 8));
    assert_true(aux(g, G_AT_MINSIGSTKSZ, &value));
    assert_true(value >= sizeof(struct g_sigframe) + sizeof(struct g_xstate));
}

/* What /proc/self/auxv will show is what stands on the stack. */
static void test_auxv_kept(void **state) {
    struct guest *g = *state;
    uint64_t at = auxv_at(g);
    for (size_t k = 0; k < g->abi->id.auxv_size / 8; k++)
        assert_int_equal(word(g, at + 8 * k), g->abi->id.auxv[k]);
    assert_int_equal(g->abi->id.cmdline_size, sizeof "/bin/program" + sizeof "argument");
    assert_int_equal(g->abi->id.environ_size, sizeof "NAME=value");
}

static void test_stack_region(void **state) {
    struct guest *g = *state;
    struct blink_mem_region r = {.struct_size = sizeof r};
    uint64_t sp = g->cpu->gpr[BLINK_RSP];
    assert_int_equal(fakehost_mem_iface.query(fakehost_mem(g->fh), sp, &r), 0);
    assert_true(r.start <= sp && sp < r.end);
    assert_string_equal(r.name, "[stack]");
    assert_int_equal(r.prot, BLINK_PROT_READ | BLINK_PROT_WRITE);
    assert_true(r.flags & BLINK_MAP_GROWSDOWN);
    assert_int_equal(r.end - r.start, lx_stack_limit());
}

/* A second instance, started with other things. */
static int start_with(struct fakehost *fh, const struct blink_program *program,
                      const char *const *argv, struct blink_plugin **abi) {
    static const char *const none[] = {NULL};
    struct guest *g = guest_create(NULL, NULL);
    const struct blink_abi_ops *ops = g->ops;
    guest_destroy(g);
    struct blink_start start = {
        .struct_size = sizeof start,
        .program = program,
        .path = "program",
        .host_path = "/bin/true",
        .argv = argv,
        .envp = none,
    };
    assert_int_equal(ops->plugin.create(fakehost_host(fh), "", abi), 0);
    int rc = ops->start(*abi, fakehost_cpu(fh), &start);
    ops->thread_end(*abi, fakehost_cpu(fh));
    ops->plugin.destroy(*abi);
    return rc;
}

static void test_executable_stack(void **state) {
    (void)state;
    static const char *const argv[] = {"a", NULL};
    struct blink_program p = {.struct_size = sizeof p, .start = 1, .brk = 0x500000};
    struct fakehost *fh = fakehost_create();
    struct blink_plugin *abi;
    p.stack_exec = 1;
    assert_int_equal(start_with(fh, &p, argv, &abi), 0);
    assert_int_equal(fakehost_prot(fh, fakehost_cpu(fh)->gpr[BLINK_RSP]),
                     BLINK_PROT_READ | BLINK_PROT_WRITE | BLINK_PROT_EXEC);
    fakehost_destroy(fh);
}

/* An odd number of words keeps the alignment, too. */
static void test_alignment(void **state) {
    (void)state;
    static const char *const argv[] = {"a", "b", "c", "d", "e", NULL};
    struct blink_program p = {.struct_size = sizeof p, .start = 1, .brk = 0x500000};
    for (int n = 0; n < 5; n++) {
        struct fakehost *fh = fakehost_create();
        struct blink_plugin *abi;
        assert_int_equal(start_with(fh, &p, argv + n, &abi), 0);
        assert_int_equal(fakehost_cpu(fh)->gpr[BLINK_RSP] % 16, 0);
        fakehost_destroy(fh);
    }
}

/* A quarter of the stack is for arguments. */
static void test_too_long(void **state) {
    (void)state;
    size_t size = (size_t)(lx_stack_limit() / 4);
    char *text = malloc(size);
    memset(text, 'x', size);
    text[size - 1] = 0;
    const char *argv[] = {text, NULL};
    struct blink_program p = {.struct_size = sizeof p, .start = 1, .brk = 0x500000};
    struct fakehost *fh = fakehost_create();
    struct blink_plugin *abi;
    assert_int_equal(start_with(fh, &p, argv, &abi), -E2BIG);
    fakehost_destroy(fh);
    free(text);
}

static void test_no_memory(void **state) {
    (void)state;
    static const char *const argv[] = {"a", NULL};
    struct blink_program p = {.struct_size = sizeof p, .start = 1, .brk = 0x500000};
    struct fakehost *fh = fakehost_create();
    struct blink_plugin *abi;
    fakehost_fail_map(fh, 1, -ENOMEM);
    assert_int_equal(start_with(fh, &p, argv, &abi), -ENOMEM);
    fakehost_destroy(fh);
}

/* exec keeps what was ignored and blocked. */
static void test_inherited(void **state) {
    (void)state;
    sigset_t set, old;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, &old);
    void (*before)(int) = signal(SIGUSR1, SIG_IGN);
    struct guest *g = guest_create(NULL, NULL);
    signal(SIGUSR1, before);
    sigprocmask(SIG_SETMASK, &old, NULL);
    assert_int_equal(lx_thread_of(g->cpu)->handlers->action[SIGUSR1].handler, G_SIG_IGN);
    assert_int_equal(lx_thread_of(g->cpu)->handlers->action[SIGUSR2].handler, G_SIG_DFL);
    assert_int_equal(lx_thread_of(g->cpu)->mask & LX_SIGBIT(SIGUSR2), LX_SIGBIT(SIGUSR2));
    guest_destroy(g);
}

static void test_bad_options(void **state) {
    (void)state;
    struct guest *g = guest_create("/nonexistent-folder", NULL);
    assert_null(g->abi);
    assert_string_equal(fakehost_log(g->fh),
                        "/nonexistent-folder: cannot be the guest's root: No such file or "
                        "directory\n");
    struct blink_plugin *abi = NULL;
    assert_int_equal(g->ops->plugin.create(fakehost_host(g->fh), "x", &abi), -EINVAL);
    fakehost_set_option(g->fh, "root", NULL);
    fakehost_set_iface(g->fh, BLINK_IFACE_EXEC, NULL);
    fakehost_log_clear(g->fh);
    assert_int_equal(g->ops->plugin.create(fakehost_host(g->fh), "", &abi), -ENOTSUP);
    assert_string_equal(fakehost_log(g->fh), "abi linux needs the service blink.exec/1\n");
    guest_destroy(g);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_registers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_vectors, setup, teardown),
        cmocka_unit_test_setup_teardown(test_auxv, setup, teardown),
        cmocka_unit_test_setup_teardown(test_auxv_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(test_stack_region, setup, teardown),
        cmocka_unit_test(test_executable_stack),
        cmocka_unit_test(test_alignment),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_inherited),
        cmocka_unit_test(test_bad_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
