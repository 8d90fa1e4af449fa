/*
 * A JIT back end that makes no code: its "code" is a record in the arena, and running it means
 * handing its instructions back to the interpreter one after another. It exists so that all of
 * jit.h can be tested on any host: allocation, chaining, indirect branches, dropping, flushing.
 *
 * Arguments, separated by commas: refuse=N  every N-th block is not translated
 *                                 pad=N     N more bytes of the arena for each block
 *                                 fail      activate fails
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <blink/host.h>
#include <blink/jit.h>

#define RECORD_MAGIC UINT64_C(0x6c6c756e74696a21)
#define RECORD_ALIGN 16u

/*
 * The "code" of one block, whole in the arena: a vCPU may be inside while another thread drops
 * the block, and the arena only begins anew at a safepoint. Read by the executable view, written
 * by the other.
 */
struct record {
    uint64_t magic;
    struct record *rw;           /* the writable view of this record */
    struct blink_jit_code *code; /* what core knows it by */
    uint64_t cs_base;
    uint64_t target[2];         /* RIP each exit leads to */
    const struct record *to[2]; /* what it is linked to; atomic */
    uint32_t mode;
    uint32_t exits;
    uint32_t count;
    uint32_t reserved;
    struct blink_insn insns[];
};

struct counters {
    uint64_t translated, refused, entered, linked, unlinked, dropped, flushed, recovers;
};

struct blink_plugin {
    const struct blink_host *host;
    struct blink_jit_host_iface core;
    uint32_t refuse, pad;
    bool fail;
    struct counters counters; /* atomic */
};

static void count(uint64_t *counter) {
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* ---- life ---- */

/* "key=N": true if `text` starts with the key. */
static bool read_number(const char *text, size_t length, const char *key, uint32_t *out) {
    size_t n = strlen(key);
    char *end;
    if (length <= n || strncmp(text, key, n) || text[n] < '0' || text[n] > '9')
        return false;
    unsigned long value = strtoul(text + n, &end, 10);
    *out = (uint32_t)value;
    return end == text + length && value <= UINT32_C(1) << 30;
}

static int read_args(struct blink_plugin *self, const char *args) {
    while (*args) {
        size_t n = strcspn(args, ",");
        if (n == 4 && !strncmp(args, "fail", n)) {
            self->fail = true;
        } else if (!read_number(args, n, "refuse=", &self->refuse) &&
                   !read_number(args, n, "pad=", &self->pad)) {
            blink_log(self->host, BLINK_LOG_ERROR,
                      "jit-null: %.*s: not an argument; give refuse=N, pad=N or fail", (int)n,
                      args);
            return -EINVAL;
        }
        args += n;
        args += *args == ',';
    }
    return 0;
}

static int null_create(const struct blink_host *host, const char *args, struct blink_plugin **out) {
    struct blink_plugin *self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->host = host;
    int err = blink_service(host, "jit null", BLINK_IFACE_JIT_HOST, &self->core, sizeof self->core);
    if (err == 0)
        err = read_args(self, args);
    if (err)
        free(self);
    else
        *out = self;
    return err;
}

static void null_destroy(struct blink_plugin *self) {
    free(self);
}

static int null_activate(struct blink_plugin *self) {
    return self->fail ? -EIO : 0;
}

static void null_deactivate(struct blink_plugin *self) {
    const struct counters *c = &self->counters;
    blink_log(self->host, BLINK_LOG_DEBUG,
              "jit-null: translated %llu, refused %llu, entered %llu, linked %llu, unlinked %llu, "
              "dropped %llu, flushed %llu, recovers %llu",
              (unsigned long long)c->translated, (unsigned long long)c->refused,
              (unsigned long long)c->entered, (unsigned long long)c->linked,
              (unsigned long long)c->unlinked, (unsigned long long)c->dropped,
              (unsigned long long)c->flushed, (unsigned long long)c->recovers);
}

/* ---- translation ---- */

/* A direct branch with two ways to go. Calls and jumps have one; everything without a direct
 * target, if it goes on behind itself, too. */
static bool is_conditional(const struct blink_insn *last) {
    return last->opnd[0].kind == BLINK_OPND_REL && last->op != BLINK_OP_JMP &&
           last->op != BLINK_OP_CALL;
}

static void fill(struct record *r, const struct blink_jit_block *block) {
    const struct blink_insn *last = &block->insns[block->count - 1];
    r->cs_base = block->cs_base;
    r->mode = block->mode;
    r->count = block->count;
    r->exits = is_conditional(last) ? 2 : 1;
    r->target[0] = last->opnd[0].kind == BLINK_OPND_REL ? last->imm : block->end_rip;
    r->target[1] = block->end_rip;
    r->to[0] = r->to[1] = NULL;
    memcpy(r->insns, block->insns, block->count * sizeof r->insns[0]);
    r->magic = RECORD_MAGIC;
}

static int null_translate(struct blink_plugin *self, const struct blink_jit_block *block,
                          struct blink_jit_code *code) {
    size_t size = sizeof(struct record) + block->count * sizeof(struct blink_insn);
    struct blink_jit_space space;
    if (block->count == 0)
        return -EINVAL;
    if (self->refuse &&
        (self->counters.translated + self->counters.refused + 1) % self->refuse == 0) {
        count(&self->counters.refused);
        return -ENOTSUP;
    }
    size_t room = size + self->pad + RECORD_ALIGN;
    int err = self->core.code_alloc(self->host->machine, 0, room, &space);
    if (err)
        return err;
    size_t skip = -(uintptr_t)space.rw & (RECORD_ALIGN - 1);
    struct record *r = (struct record *)(space.rw + skip);
    r->rw = r;
    r->code = code;
    fill(r, block);
    code->struct_size = sizeof *code;
    code->exits = r->exits;
    code->entry = space.rx + skip;
    code->size = size;
    code->jit_private = r;
    self->core.code_commit(self->host->machine, &space, room);
    count(&self->counters.translated);
    return 0;
}

static void null_link(struct blink_plugin *self, struct blink_jit_code *from, uint32_t exit,
                      const struct blink_jit_code *to) {
    struct record *r = from->jit_private;
    if (exit >= r->exits)
        return;
    __atomic_store_n(&r->to[exit], (const struct record *)to->entry, __ATOMIC_RELEASE);
    count(&self->counters.linked);
}

static void null_unlink(struct blink_plugin *self, struct blink_jit_code *from, uint32_t exit) {
    struct record *r = from->jit_private;
    if (exit >= r->exits)
        return;
    __atomic_store_n(&r->to[exit], NULL, __ATOMIC_RELEASE);
    count(&self->counters.unlinked);
}

static void null_drop(struct blink_plugin *self, struct blink_jit_code *code) {
    struct record *r = code->jit_private;
    r->magic = 0; /* the record itself stays until flush: somebody may be in it */
    code->jit_private = NULL;
    count(&self->counters.dropped);
}

static void null_flush(struct blink_plugin *self) {
    count(&self->counters.flushed);
}

/* ---- running ---- */

/* The instructions of one block. 0 when it came to its end or left it by a branch. */
static uint32_t run(struct blink_plugin *self, struct blink_cpu *cpu, const struct record *r) {
    count(&self->counters.entered);
    for (uint32_t k = 0; k < r->count && cpu->rip == r->insns[k].addr; k++) {
        uint32_t reason = self->core.interpret(cpu, &r->insns[k]);
        if (reason)
            return reason;
    }
    return __atomic_load_n(&cpu->attention, __ATOMIC_RELAXED) ? BLINK_EXIT_ATTENTION : 0;
}

/* Where a block has led: through a link, or, for a branch without a fixed target, to what core
 * knows. NULL: leave to core, which may link *from. */
static const struct record *follow(struct blink_plugin *self, struct blink_cpu *cpu,
                                   const struct record *r, struct blink_jit_code **from,
                                   uint32_t *exit) {
    bool same = cpu->mode == r->mode && cpu->seg[BLINK_SEG_CS].base == r->cs_base;
    for (uint32_t n = 0; same && n < r->exits; n++) {
        if (cpu->rip != r->target[n])
            continue;
        const struct record *to = __atomic_load_n(&r->to[n], __ATOMIC_ACQUIRE);
        if (!to) {
            *from = r->code;
            *exit = n;
        }
        return to;
    }
    const struct record *known = self->core.lookup(cpu);
    return known && known->magic == RECORD_MAGIC ? known : NULL;
}

static uint32_t null_enter(struct blink_plugin *self, struct blink_cpu *cpu,
                           const struct blink_jit_code *code, struct blink_jit_code **from,
                           uint32_t *exit) {
    const struct record *r = code->entry;
    *from = NULL;
    while (r) {
        uint32_t reason = run(self, cpu, r);
        if (reason)
            return reason;
        r = follow(self, cpu, r, from, exit);
    }
    return BLINK_EXIT_BLOCK;
}

/* No host instruction is this back end's own: every fault is the interpreter's. */
static int null_recover(struct blink_plugin *self, struct blink_cpu *cpu, void *context,
                        uint64_t pc) {
    (void)cpu, (void)context, (void)pc;
    count(&self->counters.recovers);
    return -ENOENT;
}

static const struct blink_jit_ops null_ops = {
    .plugin =
        {
            .struct_size = sizeof null_ops,
            .create = null_create,
            .destroy = null_destroy,
            .activate = null_activate,
            .deactivate = null_deactivate,
        },
    .cpu_size = sizeof(struct blink_cpu),
    .cpu_layout = BLINK_CPU_LAYOUT,
    .translate = null_translate,
    .link = null_link,
    .unlink = null_unlink,
    .enter = null_enter,
    .recover = null_recover,
    .flush = null_flush,
    .drop = null_drop,
};

static const struct blink_manifest null_manifest = {
    .struct_size = sizeof null_manifest,
    .kind = BLINK_KIND_JIT,
    .name = "null",
    .version = "0.1.0",
    .summary = "hands every instruction back to the interpreter, for tests",
    .licence = "ISC",
    .vtable = &null_ops,
};

BLINK_PLUGIN_DEFINE(&null_manifest);
