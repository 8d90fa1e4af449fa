/*
 * The JIT's place in the loop: the arena its code lies in, when a block is translated, linking of
 * translated blocks, and the change of back ends while the machine runs. Translation and linking
 * happen under exec->lock; a change of back ends in an exclusive section.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "exec/internal.h"

#define ARENA_DEFAULT (UINT64_C(64) << 20)
#define ARENA_ALIGN   64u

/* One memory, seen twice: writable, and executable. No page is ever both. */
struct code_arena {
    uint8_t *rw, *rx;
    size_t size, used;
};

static void arena_destroy(struct code_arena *a) {
    if (!a)
        return;
    if (a->rw)
        munmap(a->rw, a->size);
    if (a->rx)
        munmap(a->rx, a->size);
    free(a);
}

static void *view(int fd, size_t size, int prot) {
    void *p = mmap(NULL, size, prot, MAP_SHARED, fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

static int arena_create(size_t size, struct code_arena **out) {
    struct code_arena *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    a->size = size;
    int fd = memfd_create("blink-code", MFD_CLOEXEC), rc = 0;
    if (fd < 0 || ftruncate(fd, (off_t)size))
        rc = -errno;
    if (rc == 0) {
        a->rw = view(fd, size, PROT_READ | PROT_WRITE);
        a->rx = view(fd, size, PROT_READ | PROT_EXEC);
        rc = a->rw && a->rx ? 0 : -errno;
    }
    if (fd >= 0)
        close(fd);
    if (rc) {
        arena_destroy(a);
        return rc;
    }
    *out = a;
    return 0;
}

/* ---- blink.jit-host/1 ---- */

static int code_alloc(struct blink_machine *machine, size_t size, void **rw, void **rx) {
    struct code_arena *a = machine_exec(machine)->arena;
    size_t need = (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
    if (!a || need < size || need > a->size - a->used)
        return -ENOSPC;
    *rw = a->rw + a->used;
    *rx = a->rx + a->used;
    a->used += need;
    return 0;
}

static void code_commit(struct blink_machine *machine, void *rx, size_t size) {
    (void)machine;
    __builtin___clear_cache((char *)rx, (char *)rx + size);
}

/* A block of its own, because a handler runs on into the record after its instruction. */
static uint32_t interpret(struct blink_cpu *cpu, const struct blink_insn *insn) {
    struct vcpu *v = vcpu_of(cpu);
    struct block *b = v->single;
    b->rip = insn->addr;
    b->cs_base = cpu->seg[BLINK_SEG_CS].base;
    b->mode = cpu->mode;
    b->count = 1;
    b->end_rip = insn->addr + insn->len;
    b->insns[0] = *insn;
    interp_bind_block(b);
    int in_jit = v->in_jit;
    v->in_jit = 0;
    interp_run(cpu, b->insns);
    v->in_jit = in_jit;
    uint32_t reason = cpu->exit_reason;
    cpu->exit_reason = BLINK_EXIT_NONE;
    return reason == BLINK_EXIT_BLOCK ? 0 : reason;
}

static void *lookup(struct blink_cpu *cpu) {
    struct vcpu *v = vcpu_of(cpu);
    struct block *b = map_find(&v->exec->map, cpu->rip, cpu->seg[BLINK_SEG_CS].base, cpu->mode);
    struct block_info *info = b ? map_info(b) : NULL;
    return info && __atomic_load_n(&info->translated, __ATOMIC_ACQUIRE) ? info->code.entry : NULL;
}

const struct blink_jit_host_iface jit_host_iface = {
    .struct_size = sizeof jit_host_iface,
    .code_alloc = code_alloc,
    .code_commit = code_commit,
    .interpret = interpret,
    .lookup = lookup,
};

/* ---- translation ---- */

static int translate(struct exec *x, struct block_info *info) {
    const struct block *b = info->block;
    struct blink_jit_block request = {
        .struct_size = sizeof request,
        .count = b->count,
        .insns = b->insns,
        .rip = b->rip,
        .cs_base = b->cs_base,
        .end_rip = b->end_rip,
        .mode = b->mode,
    };
    int rc = x->jit->translate(x->jit_self, &request, &info->code);
    if (rc == 0)
        __atomic_store_n(&info->translated, true, __ATOMIC_RELEASE);
    else if (rc != -ENOSPC)
        info->jit_tried = 1;
    return rc;
}

static bool alive(const struct block_info *info) {
    return info->block->rip != ~UINT64_C(0);
}

/* Called as a block is dropped: nothing may jump to its code any more. */
void jit_forget(struct exec *x, struct block_info *info) {
    if (!x->jit || !info->translated)
        return;
    for (struct block_link *l = info->in; l; l = l->next)
        if (l->owner->translated)
            x->jit->unlink(x->jit_self, &l->owner->code, (uint32_t)(l - l->owner->out));
    x->jit->drop(x->jit_self, &info->code);
    info->translated = false;
}

static void forget(void *arg, struct block_info *info) {
    jit_forget(arg, info);
}

static void drop_all(struct exec *x) {
    pthread_mutex_lock(&x->lock);
    map_drop(&x->map, 0, UINT64_MAX, forget, x);
    pthread_mutex_unlock(&x->lock);
}

/* The arena is full: begin anew. All vCPUs are out of generated code. */
static void start_over(void *arg) {
    struct exec *x = arg;
    drop_all(x);
    if (x->jit)
        x->jit->flush(x->jit_self);
    if (x->arena)
        x->arena->used = 0;
}

static void interpret_block(struct vcpu *v, struct block *b) {
    vcpu_enter(v);
    interp_run(v->cpu, b->insns);
    vcpu_leave(v);
}

/* True if the block has code now; *full if there was no room for it. */
static bool make_code(struct vcpu *v, struct block_info *info, bool *full) {
    struct exec *x = v->exec;
    if (__atomic_load_n(&info->translated, __ATOMIC_ACQUIRE))
        return true;
    if (info->jit_tried || __atomic_add_fetch(&info->heat, 1, __ATOMIC_RELAXED) < JIT_WARM)
        return false;
    pthread_mutex_lock(&x->lock);
    int rc = 0;
    if (x->jit && !info->translated && alive(info))
        rc = translate(x, info);
    bool have = info->translated;
    pthread_mutex_unlock(&x->lock);
    *full = rc == -ENOSPC;
    return have;
}

/* Let the exit that was left through go straight to the block it led to. */
static void link_code(struct vcpu *v, struct block_info *to) {
    struct exec *x = v->exec;
    struct block_info *from = v->jit_from;
    v->jit_from = NULL;
    if (!from || from->block->mode != to->block->mode || from->block->cs_base != to->block->cs_base)
        return;
    pthread_mutex_lock(&x->lock);
    if (alive(from) && alive(to) && from->translated && to->translated) {
        map_link(from->block, v->jit_exit, to->block);
        x->jit->link(x->jit_self, &from->code, v->jit_exit, &to->code);
    }
    pthread_mutex_unlock(&x->lock);
}

static void run_code(struct vcpu *v, struct block_info *info) {
    struct exec *x = v->exec;
    struct blink_jit_code *from = NULL;
    uint32_t exit = 0;
    v->in_jit = 1;
    vcpu_enter(v);
    uint32_t reason = x->jit->enter(x->jit_self, v->cpu, &info->code, &from, &exit);
    vcpu_leave(v);
    v->in_jit = 0;
    v->cpu->exit_reason = reason;
    if (from && reason == BLINK_EXIT_BLOCK) {
        v->jit_from = (struct block_info *)((char *)from - offsetof(struct block_info, code));
        v->jit_exit = exit;
    }
}

void jit_run(struct vcpu *v, struct block *block) {
    struct block_info *info = map_info(block);
    bool full = false;
    v->context.link_from = NULL;
    if (!make_code(v, info, &full)) {
        v->jit_from = NULL;
        if (full)
            park_exclusive(v->exec, start_over, v->exec);
        else
            interpret_block(v, block);
        return;
    }
    link_code(v, info);
    run_code(v, info);
}

/* ---- which back end ---- */

struct swap {
    struct exec *exec;
    const struct blink_jit_ops *ops; /* NULL: none */
    struct blink_plugin *self;
    int result;
};

static void adopt(struct exec *x, const struct blink_jit_ops *ops, struct blink_plugin *self) {
    x->jit = ops;
    x->jit_self = self;
}

static void swap_now(void *arg) {
    struct swap *s = arg;
    struct exec *x = s->exec;
    const struct blink_jit_ops *old = x->jit;
    struct blink_plugin *old_self = x->jit_self;
    start_over(x);
    if (old)
        old->plugin.deactivate(old_self);
    adopt(x, NULL, NULL);
    if (!s->ops)
        return;
    if (!x->arena)
        s->result = arena_create(ARENA_DEFAULT, &x->arena);
    if (s->result == 0)
        s->result = s->ops->plugin.activate(s->self);
    if (s->result == 0)
        adopt(x, s->ops, s->self);
    else if (old && old->plugin.activate(old_self) == 0)
        adopt(x, old, old_self);
}

int exec_set_jit(struct exec *x, const char *name) {
    struct swap s = {.exec = x};
    if (strcmp(name, "none") != 0) {
        int rc = x->options.hooks.find_jit(x->options.hooks.machine, name, &s.ops, &s.self);
        if (rc)
            return rc;
    }
    if (s.ops == x->jit && s.self == x->jit_self)
        return 0;
    park_exclusive(x, swap_now, &s);
    return s.result;
}

void jit_destroy(struct exec *x) {
    if (x->jit) {
        start_over(x);
        x->jit->plugin.deactivate(x->jit_self);
    }
    adopt(x, NULL, NULL);
    arena_destroy(x->arena);
    x->arena = NULL;
}
