/*
 * The x86-64 back end as a plugin: what is made at activation, links, and what goes with a block.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "jit.h"

static int create(const struct blink_host *host, const char *args, struct blink_plugin **out) {
    (void)args;
    struct blink_plugin *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->host = host;
    int rc = blink_service(host, "jit x86_64", BLINK_IFACE_JIT_HOST, &self->api, sizeof self->api);
    if (rc)
        free(self);
    else
        *out = self;
    return rc;
}

static void *reserve(size_t size, int flags) {
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | flags, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static void release(void *p, size_t size) {
    if (p)
        munmap(p, size);
}

#define LIST_BYTES   (MAX_CODES * sizeof(struct code *))
#define TABLE_BYTES  (TABLE_SIZE * sizeof(uint64_t))
#define SECOND_BYTES (SECOND_SIZE * sizeof(struct code *))

static void flush(struct blink_plugin *self) {
    self->flushes++;
    self->large = self->large || outgrown(self);
    for (uint32_t k = 0; k < self->ids; k++)
        free(self->by_id[k]);
    self->ids = 0;
    for (uint32_t a = 0; a < MAX_ARENAS; a++) {
        self->glue[a].made = false;
        for (uint32_t k = 0; k < KINDS; k++) {
            self->list[a][k].count = 0;
            self->list[a][k].chunk = (struct chunk){0};
        }
    }
    memset(self->home, 0, sizeof self->home);
    self->any = NULL;
    if (self->second)
        madvise(self->second, SECOND_BYTES, MADV_DONTNEED);
}

static void deactivate(struct blink_plugin *self) {
    if (self->by_id)
        flush(self);
    release(self->by_id, LIST_BYTES);
    release(self->table, TABLE_BYTES);
    release(self->second, SECOND_BYTES);
    self->by_id = NULL;
    self->table = NULL;
    self->second = NULL;
    for (uint32_t a = 0; a < MAX_ARENAS; a++) {
        for (uint32_t k = 0; k < KINDS; k++) {
            release(self->list[a][k].v, LIST_BYTES);
            self->list[a][k].v = NULL;
        }
    }
}

static int activate(struct blink_plugin *self) {
    if (!select_host_ok())
        return -ENOTSUP;
    self->has_avx = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("f16c");
    self->has_bmi2 = __builtin_cpu_supports("bmi2");
    self->by_id = reserve(LIST_BYTES, 0);
    self->table = reserve(TABLE_BYTES, MAP_32BIT);
    self->second = reserve(SECOND_BYTES, MAP_32BIT);
    bool ok = self->by_id && self->table && self->second;
    for (uint32_t a = 0; a < MAX_ARENAS; a++) {
        for (uint32_t k = 0; k < KINDS; k++) {
            self->list[a][k].v = reserve(LIST_BYTES, 0);
            ok = ok && self->list[a][k].v;
        }
    }
    if (!ok)
        deactivate(self);
    return ok ? 0 : -ENOMEM;
}

static void destroy(struct blink_plugin *self) {
    if (!self)
        return;
    deactivate(self);
    free(self);
}

/* Threads may run through it meanwhile: the displacement is aligned. */
static void patch(const struct blink_plugin *self, const struct code *c, uint32_t exit,
                  int32_t displacement) {
    uint64_t at = c->at[HOT] + c->link[exit] + (uint64_t)self->writable[c->arena];
    __atomic_store_n((int32_t *)(uintptr_t)at, displacement, __ATOMIC_RELEASE);
}

static void link(struct blink_plugin *self, struct blink_jit_code *from, uint32_t exit,
                 const struct blink_jit_code *to) {
    const struct code *f = from->jit_private, *t = to->jit_private;
    bool same = f->page == t->page && f->page != BLINK_JIT_NO_PAGE;
    uint64_t target = t->at[HOT];
    if (!same && !t->gate)
        return;
    if (!same)
        target = t->at[COLD] + t->gate;
    int64_t away = (int64_t)(target - (f->at[HOT] + f->link[exit] + 4));
    if (f->link[exit] && away == (int32_t)away)
        patch(self, f, exit, (int32_t)away);
}

static void unlink(struct blink_plugin *self, struct blink_jit_code *from, uint32_t exit) {
    const struct code *f = from->jit_private;
    if (f->link[exit])
        patch(self, f, exit,
              (int32_t)(f->at[COLD] + f->stub[exit] - (f->at[HOT] + f->link[exit] + 4)));
}

/* The memory stays until the flush: a thread may be in it, a signal may ask about it, and a return
 * may come to where its call was, which leads on by the exit stub. */
static void drop(struct blink_plugin *self, struct blink_jit_code *code) {
    struct code *c = code->jit_private;
    __atomic_store_n(&c->dropped, 1, __ATOMIC_SEQ_CST);
    withdraw(self, c);
    unlink(self, code, 1);
    code->jit_private = NULL;
}

static const struct blink_jit_ops ops = {
    .plugin = {.struct_size = sizeof ops,
               .create = create,
               .destroy = destroy,
               .activate = activate,
               .deactivate = deactivate},
    .cpu_size = sizeof(struct blink_cpu),
    .cpu_layout = BLINK_CPU_LAYOUT,
    .translate = translate_block,
    .link = link,
    .unlink = unlink,
    .enter = enter_code,
    .recover = recover_state,
    .flush = flush,
    .drop = drop,
};

static const struct blink_manifest manifest = {
    .struct_size = sizeof manifest,
    .kind = BLINK_KIND_JIT,
    .name = "x86_64",
    .version = "0.1.0",
    .summary = "x86-64 code on x86-64 hosts, most of it copied",
    .licence = "ISC",
    .vtable = &ops,
};

BLINK_PLUGIN_DEFINE(&manifest);
