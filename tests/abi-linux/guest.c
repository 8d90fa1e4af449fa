/*
 * See guest.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

extern const struct blink_plugin_entry blink_builtin_abi_linux;

struct guest *guest_create(const char *root, const char *strace) {
    static const char *const argv[] = {"/bin/program", "argument", NULL};
    static const char *const envp[] = {"NAME=value", NULL};
    struct blink_program program = {
        .struct_size = sizeof program, .abi = "linux", .start = 0x401000, .brk = 0x500000};
    struct blink_start start = {
        .struct_size = sizeof start,
        .program = &program,
        .path = "/bin/program",
        .host_path = "/bin/true",
        .argv = argv,
        .envp = envp,
    };
    struct guest *g = calloc(1, sizeof *g);
    uint64_t at;
    g->fh = fakehost_create();
    g->ops = fakehost_find(&blink_builtin_abi_linux, BLINK_KIND_ABI, "linux");
    fakehost_set_option(g->fh, "root", root);
    fakehost_set_option(g->fh, "strace", strace);
    g->cpu = fakehost_cpu(g->fh);
    if (g->ops->plugin.create(fakehost_host(g->fh), "", &g->abi) < 0)
        return g;
    assert_int_equal(g->ops->start(g->abi, g->cpu, &start), 0);
    const struct blink_mem_iface *mem = &fakehost_mem_iface;
    uint32_t flags = BLINK_MAP_FIXED | BLINK_MAP_ANON;
    assert_int_equal(mem->map(fakehost_mem(g->fh), GOOD, GOOD_SIZE,
                              BLINK_PROT_READ | BLINK_PROT_WRITE, flags, -1, 0, &at),
                     0);
    assert_int_equal(mem->map(fakehost_mem(g->fh), READONLY, BLINK_PAGE_SIZE, BLINK_PROT_READ,
                              flags, -1, 0, &at),
                     0);
    return g;
}

void guest_destroy(struct guest *g) {
    if (g->abi) {
        assert_int_equal(fakehost_pins(g->fh), 0);
        g->ops->thread_end(g->abi, g->cpu);
        g->ops->plugin.destroy(g->abi);
    }
    fakehost_destroy(g->fh);
    free(g);
}

int64_t guest_call(struct guest *g, uint32_t number, uint64_t a0, uint64_t a1, uint64_t a2,
                   uint64_t a3, uint64_t a4, uint64_t a5) {
    uint64_t *r = g->cpu->gpr;
    r[BLINK_RAX] = number;
    r[BLINK_RDI] = a0;
    r[BLINK_RSI] = a1;
    r[BLINK_RDX] = a2;
    r[BLINK_R10] = a3;
    r[BLINK_R8] = a4;
    r[BLINK_R9] = a5;
    g->cpu->rip = 0x401002;
    g->ops->syscall(g->abi, g->cpu);
    return (int64_t)r[BLINK_RAX];
}

uint64_t guest_put(struct guest *g, uint64_t offset, const void *bytes, size_t size) {
    assert_int_equal(fakehost_poke(g->fh, GOOD + offset, bytes, size), 0);
    return GOOD + offset;
}

uint64_t guest_string(struct guest *g, uint64_t offset, const char *text) {
    return guest_put(g, offset, text, strlen(text) + 1);
}

void guest_get(struct guest *g, uint64_t offset, void *out, size_t size) {
    assert_int_equal(fakehost_peek(g->fh, GOOD + offset, out, size), 0);
}

void guest_folder(char *path, size_t size) {
    const char *base = getenv("TMPDIR");
    snprintf(path, size, "%s/blink-abi-XXXXXX", base ? base : "/tmp");
    char *real = mkdtemp(path) ? realpath(path, NULL) : NULL;
    assert_non_null(real);
    snprintf(path, size, "%s", real);
    free(real);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at) {
    (void)st, (void)kind, (void)at;
    return remove(path);
}

void guest_remove(const char *path) {
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
