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
#include "exec/labels.h"
#include "interp/sse/mxcsr.h"

#define ARENA_SIZE  (UINT64_C(64) << 20)
#define CACHE_SIZE  (UINT64_C(256) << 20) /* of all arenas together */
#define ARENA_ALIGN 64u
#define ARENA_REACH (UINT64_C(0x7fff0000) - ARENA_SIZE)
#define ARENA_STEP  (UINT64_C(1) << 24) /* between places tried for a new one */

/* One memory, seen twice: writable, and executable. No page is ever both. */
struct arena {
    uint8_t *rw, *rx;
    size_t used, last; /* `last`: where the latest piece begins */
};

struct code_arenas {
    struct arena v[8];
    int copy[8]; /* around fork: files with the arenas' contents */
    uint32_t count;
};

static void arena_finish(struct arena *a) {
    if (a->rw)
        munmap(a->rw, ARENA_SIZE);
    if (a->rx)
        munmap(a->rx, ARENA_SIZE);
}

static uint64_t distance(uint64_t a, uint64_t b) {
    return a > b ? a - b : b - a;
}

/* The executable view where generated code reaches `near`: below it first, where a program leaves
 * room, else above. */
static uint8_t *map_near(int fd, uint64_t near) {
    for (uint64_t away = ARENA_SIZE; near && away < ARENA_REACH; away += ARENA_STEP) {
        uint64_t at[2] = {near > away ? near - away : 0, near + away};
        for (int k = 0; k < 2; k++) {
            uint64_t page = at[k] & ~UINT64_C(0xffff);
            if (page < ARENA_STEP)
                continue;
            void *p = mmap((void *)(uintptr_t)page, ARENA_SIZE, PROT_READ | PROT_EXEC,
                           MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0);
            if (p == (void *)(uintptr_t)page)
                return p;
            if (p != MAP_FAILED)
                munmap(p, ARENA_SIZE);
        }
    }
    void *p = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    return p == MAP_FAILED ? NULL : p;
}

static int arena_init(struct arena *a, uint64_t near) {
    int fd = memfd_create("blink-code", MFD_CLOEXEC), rc = 0;
    *a = (struct arena){0};
    if (fd < 0 || ftruncate(fd, (off_t)ARENA_SIZE))
        rc = -errno;
    if (rc == 0) {
        void *p = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        a->rw = p == MAP_FAILED ? NULL : p;
        a->rx = map_near(fd, near);
        rc = a->rw && a->rx ? 0 : -ENOMEM;
    }
    if (fd >= 0)
        close(fd);
    if (rc)
        arena_finish(a);
    return rc;
}

static void arenas_destroy(struct code_arenas *all) {
    for (uint32_t k = 0; all && k < all->count; k++)
        arena_finish(&all->v[k]);
    free(all);
}

static void arenas_empty(struct code_arenas *all) {
    for (uint32_t k = 0; all && k < all->count; k++)
        all->v[k].used = all->v[k].last = 0;
}

/*
 * Arenas are shared memory, so that they can be seen twice; a child must not share them with its
 * parent. The copy is made before the fork, while nothing of the guest runs.
 */
static int copy_arena(const struct arena *a) {
    int fd = memfd_create("blink-code", MFD_CLOEXEC);
    size_t done = 0;
    bool ok = fd >= 0 && ftruncate(fd, (off_t)ARENA_SIZE) == 0;
    while (ok && done < a->used) {
        ssize_t n = write(fd, a->rw + done, a->used - done);
        ok = n > 0 || (n < 0 && errno == EINTR);
        done += n > 0 ? (size_t)n : 0;
    }
    if (!ok && fd >= 0)
        close(fd);
    return ok ? fd : -1;
}

static void close_copies(struct code_arenas *all, uint32_t count) {
    for (uint32_t k = 0; k < count; k++)
        close(all->copy[k]);
}

int jit_before_fork(struct exec *x) {
    struct code_arenas *all = x->arenas;
    for (uint32_t k = 0; all && k < all->count; k++) {
        all->copy[k] = copy_arena(&all->v[k]);
        if (all->copy[k] < 0) {
            close_copies(all, k);
            return -ENOMEM;
        }
    }
    return 0;
}

void jit_fork_parent(struct exec *x) {
    if (x->arenas)
        close_copies(x->arenas, x->arenas->count);
}

static bool replace_view(void *at, int fd, int prot) {
    return mmap(at, ARENA_SIZE, prot, MAP_SHARED | MAP_FIXED, fd, 0) == at;
}

bool jit_fork_child(struct exec *x) {
    struct code_arenas *all = x->arenas;
    bool ok = true;
    for (uint32_t k = 0; all && k < all->count; k++) {
        const struct arena *a = &all->v[k];
        ok = ok && replace_view(a->rw, all->copy[k], PROT_READ | PROT_WRITE) &&
             replace_view(a->rx, all->copy[k], PROT_READ | PROT_EXEC);
    }
    jit_fork_parent(x);
    return ok;
}

/* ---- blink.jit-host/1 ---- */

static bool reaches(const struct arena *a, uint64_t near) {
    return !near || distance((uintptr_t)a->rx, near) < ARENA_REACH;
}

/* Where the host has no room in reach (a guest has reserved all there is), the first has to do. */
static struct arena *arena_for(struct code_arenas *all, uint64_t near) {
    for (uint32_t k = 0; k < all->count; k++)
        if (reaches(&all->v[k], near))
            return &all->v[k];
    struct arena *a = &all->v[all->count];
    if (all->count < sizeof all->v / sizeof all->v[0] && arena_init(a, near) == 0) {
        if (all->count == 0 || reaches(a, near)) {
            all->count++;
            return a;
        }
        arena_finish(a);
    }
    return all->count ? &all->v[0] : NULL;
}

static int code_alloc(struct blink_machine *machine, uint64_t near, size_t size,
                      struct blink_jit_space *out) {
    struct code_arenas *all = machine_exec(machine)->arenas;
    struct arena *a = arena_for(all, near);
    uint64_t cache = machine_exec(machine)->options.jit_cache, used = size;
    for (uint32_t k = 0; k < all->count; k++)
        used += all->v[k].used;
    /* Beginning anew would not help. */
    if (!a)
        return -ENOTSUP;
    if (size > ARENA_SIZE - a->used || used > (cache ? cache : CACHE_SIZE))
        return -ENOSPC;
    a->last = a->used;
    a->used += size;
    *out = (struct blink_jit_space){
        .struct_size = sizeof *out,
        .arena = (uint32_t)(a - all->v),
        .rw = a->rw + a->last,
        .rx = a->rx + a->last,
    };
    return 0;
}

static void code_commit(struct blink_machine *machine, const struct blink_jit_space *space,
                        size_t size) {
    struct arena *a = &machine_exec(machine)->arenas->v[space->arena];
    a->used = a->last + ((size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1));
    if (a->used > ARENA_SIZE)
        a->used = ARENA_SIZE;
    __builtin___clear_cache((char *)space->rx, (char *)space->rx + size);
}

/* A block of its own, because a handler runs on into the record after its instruction. */
static struct block *alone(struct vcpu *v, const struct blink_insn *insn) {
    struct block *b = v->single;
    b->rip = insn->addr;
    b->cs_base = v->cpu->seg[BLINK_SEG_CS].base;
    b->mode = v->cpu->mode;
    b->count = 1;
    b->end_rip = insn->addr + insn->len;
    b->insns[0] = *insn;
    interp_bind_block(b);
    return b;
}

static uint32_t interpret(struct blink_cpu *cpu, const struct blink_insn *insn) {
    struct vcpu *v = vcpu_of(cpu);
    int in_jit = v->in_jit;
    clock_settle(v);
    /* A timer is due before it. */
    if (v->context.clock && clock_left(v) == 0)
        return BLINK_EXIT_BLOCK;
    __atomic_store_n(&v->in_jit, 0, __ATOMIC_SEQ_CST);
    struct block *b = insn ? alone(v, insn) : fetch_alone(v);
    if (!b) {
        __atomic_store_n(&v->in_jit, in_jit, __ATOMIC_SEQ_CST);
        uint32_t fault = cpu->exit_reason;
        cpu->exit_reason = BLINK_EXIT_NONE;
        return fault;
    }
    uint32_t mode = cpu->mode;
    uint64_t cs_base = cpu->seg[BLINK_SEG_CS].base;
    interp_mxcsr_load(cpu); /* generated code may have changed it */
    v->context.alone = 1;
    interp_run(cpu, b->insns);
    v->context.alone = 0;
    interp_mxcsr_store(cpu);
    __atomic_store_n(&v->in_jit, in_jit, __ATOMIC_SEQ_CST);
    uint32_t reason = cpu->exit_reason;
    cpu->exit_reason = BLINK_EXIT_NONE;
    if (reason != BLINK_EXIT_BLOCK)
        return reason;
    if (cpu->mode != mode || cpu->seg[BLINK_SEG_CS].base != cs_base ||
        (v->exec->system && system_waits(v)))
        return BLINK_EXIT_BLOCK;
    /* What called attention meanwhile did not find generated code to leave. */
    if (__atomic_load_n(&cpu->attention, __ATOMIC_SEQ_CST) & ~BLINK_ATTN_CLOCK)
        return BLINK_EXIT_ATTENTION;
    if (v->context.clock)
        clock_lend(v);
    return 0;
}

static void label(struct blink_machine *machine, const char *what, uint64_t rip, const void *code,
                  size_t size) {
    struct label l = {.at = (uintptr_t)code, .rip = rip, .size = (uint32_t)size, .what = what};
    labels_add(machine_exec(machine), &l);
}

static void *lookup(struct blink_cpu *cpu) {
    struct block *b = vcpu_find(vcpu_of(cpu));
    struct block_info *info = b ? map_info(b) : NULL;
    if (!info || !__atomic_load_n(&info->translated, __ATOMIC_ACQUIRE))
        return NULL;
    remap_known(vcpu_of(cpu), b);
    return info->code.entry;
}

const struct blink_jit_host_iface jit_host_iface = {
    .struct_size = sizeof jit_host_iface,
    .code_alloc = code_alloc,
    .code_commit = code_commit,
    .interpret = interpret,
    .lookup = lookup,
    .label = label,
};

/* ---- translation ---- */

/* To the blocks that are translated already, before it is ever left for them. */
static void link_known(struct exec *x, struct block_info *info) {
    const struct blink_jit_code *c = &info->code;
    for (uint32_t k = 0; k < BLOCK_EXITS; k++) {
        if (!(c->known >> k & 1))
            continue;
        struct block *to = x->system ? remap_neighbour(x, map_block(info), c->exit_rip[k])
                                     : map_find(&x->map, c->exit_rip[k], info->cs_base, info->mode);
        if (!to || !map_info(to)->translated)
            continue;
        map_link(map_block(info), k, to);
        x->jit->link(x->jit_self, &info->code, k, &map_info(to)->code);
    }
}

/* By the instructions of `b`, which may be another block than the info's. */
static int translate(struct exec *x, struct block_info *info, const struct block *b) {
    struct blink_jit_block request = {
        .struct_size = sizeof request,
        .count = b->count,
        .insns = b->insns,
        .rip = b->rip,
        .cs_base = b->cs_base,
        .end_rip = b->end_rip,
        .mode = b->mode,
        .flags = x->first && x->first->context.clock ? BLINK_JIT_COUNTED : 0,
        .page = info->code_page,
        .page_slot = info->page_slot,
    };
    int rc = x->jit->translate(x->jit_self, &request, &info->code);
    if (rc == 0) {
        __atomic_store_n(&info->translated, true, __ATOMIC_RELEASE);
        __atomic_fetch_add(&x->times.translated, 1, __ATOMIC_RELAXED);
    } else if (rc != -ENOSPC)
        __atomic_store_n(&info->jit_tried, 1, __ATOMIC_RELAXED);
    return rc;
}

static bool alive(const struct block_info *info) {
    return __atomic_load_n(&info->rip, __ATOMIC_RELAXED) != ~UINT64_C(0);
}

/* Called as a block is dropped: nothing may jump to its code any more. */
void jit_forget(struct exec *x, struct block_info *info) {
    if (!x->jit || !info->translated)
        return;
    for (struct block_link *l = info->in; l; l = l->next)
        if (l->owner->translated)
            x->jit->unlink(x->jit_self, &l->owner->code, (uint32_t)(l - l->owner->out));
    __atomic_store_n(&info->translated, false, __ATOMIC_RELEASE);
    x->jit->drop(x->jit_self, &info->code);
}

static void forget(void *arg, struct block_info *info) {
    struct exec *x = arg;
    if (x->jit && info->translated)
        x->jit->drop(x->jit_self, &info->code);
    info->translated = false;
}

/* All blocks go, and what vCPUs remember of them: those with code have nothing else. All vCPUs are
 * out of generated code, but with the lock one could make some. */
static void drop_all(struct exec *x) {
    map_drop(&x->map, 0, UINT64_MAX, forget, x);
    map_unlink_all(&x->map);
    if (x->jit)
        x->jit->flush(x->jit_self);
    arenas_empty(x->arenas);
    labels_forget(x);
}

/* The arena is full: begin anew. */
static void start_over(void *arg) {
    struct exec *x = arg;
    pthread_mutex_lock(&x->lock);
    drop_all(x);
    pthread_mutex_unlock(&x->lock);
    __atomic_fetch_add(&x->times.forgotten, 1, __ATOMIC_RELAXED);
}

static void interpret_block(struct vcpu *v, struct block *b) {
    if (!vcpu_enter(v))
        return;
    interp_run(v->cpu, b->insns);
    vcpu_leave(v);
}

/* True if the block has code now; *full if there was no room for it. */
static bool make_code(struct vcpu *v, struct block_info *info, bool *full) {
    struct exec *x = v->exec;
    uint32_t warm = x->options.jit_warm ? x->options.jit_warm : JIT_WARM;
    if (__atomic_load_n(&info->translated, __ATOMIC_ACQUIRE))
        return true;
    if (__atomic_load_n(&info->jit_tried, __ATOMIC_RELAXED) ||
        __atomic_add_fetch(&info->heat, 1, __ATOMIC_RELAXED) < warm)
        return false;
    pthread_mutex_lock(&x->lock);
    int rc = 0;
    if (x->jit && !info->translated && alive(info))
        rc = translate(x, info, map_block(info));
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
    if (!from || from->mode != to->mode || from->cs_base != to->cs_base ||
        to->code_page == BLINK_JIT_NO_PAGE)
        return;
    pthread_mutex_lock(&x->lock);
    if (alive(from) && alive(to) && from->translated && to->translated) {
        map_link(map_block(from), v->jit_exit, map_block(to));
        x->jit->link(x->jit_self, &from->code, v->jit_exit, &to->code);
    }
    pthread_mutex_unlock(&x->lock);
}

static void run_code(struct vcpu *v, struct block_info *info) {
    struct exec *x = v->exec;
    struct blink_jit_code *from = NULL;
    uint32_t exit = 0;
    uint32_t reason = BLINK_EXIT_NONE;
    if (x->system) {
        remap_view(v);
        remap_known(v, map_block(info));
    }
    __atomic_store_n(&v->in_jit, 1, __ATOMIC_SEQ_CST);
    if (vcpu_enter(v)) {
        if (v->context.clock)
            clock_lend(v);
        /* Only now the back end stays, and the arena what it is. */
        if (x->jit && __atomic_load_n(&info->translated, __ATOMIC_ACQUIRE))
            reason = x->jit->enter(x->jit_self, v->cpu, &info->code, &from, &exit);
        vcpu_leave(v);
    }
    __atomic_store_n(&v->in_jit, 0, __ATOMIC_SEQ_CST);
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
        else if (!info->bare) /* such a one has been dropped meanwhile */
            interpret_block(v, block);
        return;
    }
    link_code(v, info);
    run_code(v, info);
}

/* The block has been run often enough by now. Which one that was is told by a few bits of its
 * address: two that share a slot are taken to be warm. */
static bool is_warm(struct exec *x, uint64_t rip) {
    uint32_t wanted = x->options.jit_warm ? x->options.jit_warm : JIT_WARM;
    uint32_t *slot = &x->heat[(rip >> 2 ^ rip >> 21) & (JIT_HEAT_SLOTS - 1)];
    uint32_t old = __atomic_load_n(slot, __ATOMIC_RELAXED), tag = (uint32_t)(rip << 8);
    uint32_t heat = old == 0 ? 0 : ((old ^ tag) & ~0xffu) == 0 ? old & 0xff : 0xfe;
    __atomic_store_n(slot, tag | (heat + 1), __ATOMIC_RELAXED);
    return heat + 1 >= wanted;
}

/* False: that cannot be kept. */
static bool copy_head(struct vcpu *v, struct block *to, const struct block *from) {
    to->rip = from->rip;
    to->cs_base = from->cs_base;
    to->mode = from->mode;
    to->end_rip = from->end_rip;
    return !v->exec->system || (remap_place(v, to) && remap_name(v, to) == 0);
}

/* Put the block into the map unless it is known there, or what it was made of may have changed.
 * With the lock held. */
static bool can_insert(struct exec *x, const struct block *b, uint64_t generation) {
    return x->jit && x->map.generation == generation &&
           (x->system || !map_find(&x->map, b->rip, b->cs_base, b->mode));
}

/* The JIT has refused it: the interpreter keeps it. NULL if that cannot be. */
static struct block *keep_refused(struct vcpu *v, const struct block *draft, uint64_t generation) {
    struct exec *x = v->exec;
    struct block *b = map_alloc(draft->count);
    if (!b || !copy_head(v, b, draft)) {
        map_discard(b);
        return NULL;
    }
    memcpy(b->insns, draft->insns, draft->count * sizeof b->insns[0]);
    interp_bind_block(b);
    map_info(b)->jit_tried = 1;
    pthread_mutex_lock(&x->lock);
    bool inserted = can_insert(x, b, generation);
    if (inserted)
        map_insert(&x->map, b);
    pthread_mutex_unlock(&x->lock);
    if (!inserted)
        map_discard(b);
    return inserted ? b : NULL;
}

/* Into the map with what the JIT makes of the draft. NULL: it is not there, run the draft, or if
 * *full, make room. */
static struct block *keep(struct vcpu *v, const struct block *draft, uint64_t generation,
                          bool *full) {
    struct exec *x = v->exec;
    struct block *b = map_alloc_bare(draft->count);
    int rc = -EAGAIN;
    if (!b || !copy_head(v, b, draft)) {
        map_discard(b);
        return NULL;
    }
    uint64_t since = exec_now(x);
    pthread_mutex_lock(&x->lock);
    exec_passed(x, &x->times.wait_ns, since);
    since = exec_now(x);
    if (can_insert(x, b, generation))
        rc = translate(x, map_info(b), draft);
    exec_passed(x, &x->times.translate_ns, since);
    if (rc == 0) {
        map_insert(&x->map, b);
        link_known(x, map_info(b));
    }
    pthread_mutex_unlock(&x->lock);
    if (rc == 0)
        return b;
    map_discard(b);
    *full = rc == -ENOSPC;
    return *full || rc == -EAGAIN ? NULL : keep_refused(v, draft, generation);
}

void jit_run_new(struct vcpu *v) {
    struct exec *x = v->exec;
    uint64_t generation;
    bool full = false;
    struct block *draft = fetch_draft(v, &generation), *b = NULL;
    v->context.link_from = NULL;
    if (draft && v->context.clock && draft->count > clock_left(v)) {
        v->jit_from = NULL;
        vcpu_single(v);
        return;
    }
    if (draft && draft == v->draft) {
        if (is_warm(x, draft->rip))
            b = keep(v, draft, generation, &full);
        else
            fetch_tell(v, draft);
    }
    if (b && map_info(b)->translated) {
        link_code(v, map_info(b));
        run_code(v, map_info(b));
        return;
    }
    v->jit_from = NULL;
    if (full)
        park_exclusive(x, start_over, x);
    else if (draft)
        /* Without code a bare one has been dropped since. */
        interpret_block(v, b && !map_info(b)->bare ? b : draft);
}

/* ---- which back end ---- */

struct swap {
    struct exec *exec;
    const struct blink_jit_ops *ops; /* NULL: none */
    struct blink_plugin *self;
    int result;
};

/* With the lock held: translation asks for it under the lock. */
static void adopt(struct exec *x, const struct blink_jit_ops *ops, struct blink_plugin *self) {
    x->jit_self = self;
    __atomic_store_n(&x->jit, ops, __ATOMIC_RELEASE);
}

static int activate(struct exec *x, const struct blink_jit_ops *ops, struct blink_plugin *self) {
    if (!x->arenas)
        x->arenas = calloc(1, sizeof *x->arenas);
    if (!x->heat)
        x->heat = calloc(JIT_HEAT_SLOTS, sizeof x->heat[0]);
    int rc = x->arenas && x->heat ? ops->plugin.activate(self) : -ENOMEM;
    if (rc)
        return rc;
    pthread_mutex_lock(&x->lock);
    adopt(x, ops, self);
    pthread_mutex_unlock(&x->lock);
    return 0;
}

static void swap_now(void *arg) {
    struct swap *s = arg;
    struct exec *x = s->exec;
    const struct blink_jit_ops *old = x->jit;
    struct blink_plugin *old_self = x->jit_self;
    if (s->ops == old && s->self == old_self)
        return;
    pthread_mutex_lock(&x->lock);
    drop_all(x);
    adopt(x, NULL, NULL);
    pthread_mutex_unlock(&x->lock);
    if (old)
        old->plugin.deactivate(old_self);
    if (s->ops)
        s->result = activate(x, s->ops, s->self);
    /* If not even the old one will, the interpreter goes on alone. */
    if (s->result && old)
        activate(x, old, old_self);
}

const struct blink_plugin *exec_jit(const struct exec *x) {
    return x->jit ? x->jit_self : NULL;
}

int exec_set_jit(struct exec *x, const char *name) {
    struct swap s = {.exec = x};
    if (strcmp(name, "none") != 0) {
        int rc = x->options.hooks.find_jit(x->options.hooks.machine, name, &s.ops, &s.self);
        if (rc)
            return rc;
    }
    park_exclusive(x, swap_now, &s);
    return s.result;
}

void jit_destroy(struct exec *x) {
    if (x->jit) {
        start_over(x);
        x->jit->plugin.deactivate(x->jit_self);
    }
    pthread_mutex_lock(&x->lock);
    adopt(x, NULL, NULL);
    pthread_mutex_unlock(&x->lock);
    arenas_destroy(x->arenas);
    free(x->heat);
    x->arenas = NULL;
    x->heat = NULL;
}
