/*
 * From guest bytes to bound blocks. Called by the vCPU's own thread, outside of guest code.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/gate.h"
#include "exec/internal.h"

#define PAGE 4096u
/* Most bytes that are looked at for a block: few are longer, and the rest would be read in vain. */
#define BLOCK_BYTES 512u

struct fetched {
    uint8_t bytes[BLOCK_BYTES + BLINK_INSN_MAX_LEN];
    size_t size;
    struct blink_insn insns[BLINK_BLOCK_MAX_INSNS];
    uint32_t count;
    bool tracked; /* the pages will tell when they are written */
};

static void set_fault(struct blink_cpu *cpu, const struct mem_fault *fault) {
    cpu->exit_reason = BLINK_EXIT_FAULT;
    cpu->exit_info = fault->vector;
    cpu->exit_error = fault->error;
    if (fault->vector == BLINK_EXC_PF || fault->vector == BLINK_EXC_BUS)
        cpu->cr2 = fault->address;
}

static int decode(struct vcpu *v, struct fetched *f, uint32_t max) {
    const struct exec_options *o = &v->exec->options;
    struct blink_decode_request req = {
        .struct_size = sizeof req,
        .mode = v->cpu->mode & BLINK_MODE_BITS,
        .bytes = f->bytes,
        .size = f->size,
        .rip = v->cpu->rip,
        .insns = f->insns,
        .max = max,
    };
    int rc = o->decoder->decode(o->decoder_self, v->decoder, &req);
    f->count = rc ? 0 : req.count;
    for (uint32_t k = 0; o->model && k < f->count; k++)
        cpu_gate(o->model, &f->insns[k], req.mode == BLINK_MODE_BITS64);
    return rc;
}

/*
 * Fetch and decode at rip: from one page, and from a second only if the first instruction needs
 * it, so that a block never claims a page it has no byte on. Tracking comes before the bytes are
 * read: a write after that drops what is made of them.
 */
static bool fetch(struct vcpu *v, struct fetched *f, uint32_t max) {
    struct blink_cpu *cpu = v->cpu;
    uint64_t linear = cpu->seg[BLINK_SEG_CS].base + cpu->rip;
    struct mem_fault fault = {0};
    if ((cpu->mode & BLINK_MODE_BITS) != BLINK_MODE_BITS64) {
        linear = (uint32_t)linear;
        if (cpu->rip > cpu->seg[BLINK_SEG_CS].limit) {
            set_fault(cpu, &(struct mem_fault){.vector = BLINK_EXC_GP});
            return false;
        }
    }
    size_t room = PAGE - (size_t)(linear & (PAGE - 1));
    size_t most = max == 1 ? BLINK_INSN_MAX_LEN : BLOCK_BYTES;
    if (room > most)
        room = most;
    f->tracked = max > 1 && mem_code_track(cpu, linear, linear + room);
    f->size = mem_fetch(cpu, linear, f->bytes, room, &fault);
    if (f->size == 0) {
        set_fault(cpu, &fault);
        return false;
    }
    decode(v, f, f->tracked ? max : 1);
    if (f->count)
        return true;
    size_t rest = mem_fetch(cpu, linear + f->size, f->bytes + f->size, BLINK_INSN_MAX_LEN, &fault);
    if (rest == 0) {
        set_fault(cpu, &fault);
        return false;
    }
    f->tracked = f->tracked && mem_code_track(cpu, linear, linear + f->size + rest);
    f->size += rest;
    decode(v, f, 1);
    if (f->count == 0) {
        /* The decoder does not know where it ends: the bytes are no instruction. */
        f->count = 1;
        memset(&f->insns[0], 0, sizeof f->insns[0]);
        f->insns[0].addr = cpu->rip;
        f->insns[0].len = 1;
        f->insns[0].raw[0] = f->bytes[0];
    }
    return true;
}

static void fill(struct blink_cpu *cpu, struct block *b, const struct fetched *f) {
    const struct blink_insn *last = &f->insns[f->count - 1];
    b->rip = cpu->rip;
    b->cs_base = cpu->seg[BLINK_SEG_CS].base;
    b->mode = cpu->mode;
    b->count = f->count;
    b->end_rip = last->addr + last->len;
    memcpy(b->insns, f->insns, f->count * sizeof b->insns[0]);
    interp_bind_block(b);
}

struct block *fetch_single(struct vcpu *v) {
    struct fetched f;
    if (!fetch(v, &f, 1))
        return NULL;
    fill(v->cpu, v->single, &f);
    return v->single;
}

static bool is_at(const struct block *b, const struct blink_cpu *cpu) {
    return b && b->rip == cpu->rip && b->mode == cpu->mode &&
           b->cs_base == cpu->seg[BLINK_SEG_CS].base;
}

struct block *fetch_alone(struct vcpu *v) {
    const struct blink_cpu *cpu = v->cpu;
    uint32_t k = (uint32_t)(cpu->rip ^ cpu->rip >> 6) & (ALONE_SLOTS - 1);
    uint64_t generation = __atomic_load_n(&v->exec->map.generation, __ATOMIC_SEQ_CST);
    if (v->alone[k].generation == generation && is_at(v->alone[k].block, cpu))
        return v->alone[k].block;
    /* Tracked before the bytes are read: a write after that begins a new generation. */
    uint64_t linear = cpu->seg[BLINK_SEG_CS].base + cpu->rip;
    bool tracked = mem_code_is_tracked(v->cpu, linear, linear + BLINK_INSN_MAX_LEN);
    struct block *b = fetch_single(v);
    if (!b || !tracked)
        return b;
    if (!v->alone[k].block)
        v->alone[k].block = single_block();
    if (!v->alone[k].block)
        return b;
    memcpy(v->alone[k].block, b, sizeof *b + sizeof b->insns[0]);
    interp_bind_block(v->alone[k].block);
    v->alone[k].generation = generation;
    return v->alone[k].block;
}

static void tell_observers(struct vcpu *v, const struct block *b) {
    for (uint32_t k = 0; k < v->exec->observer_count; k++) {
        const struct exec_observer *o = &v->exec->observers[k];
        o->ops->block(o->self, v->cpu, b->insns, b->count);
    }
}

static struct block *draft(struct vcpu *v, uint64_t *generation) {
    struct exec *x = v->exec;
    struct fetched f;
    if (!v->draft)
        v->draft =
            calloc(1, sizeof(struct block) + (BLINK_BLOCK_MAX_INSNS + 1) * sizeof f.insns[0]);
    *generation = __atomic_load_n(&x->map.generation, __ATOMIC_SEQ_CST);
    if (!v->draft)
        return fetch_single(v);
    if (!fetch(v, &f, BLINK_BLOCK_MAX_INSNS))
        return NULL;
    if (!f.tracked) {
        f.count = 1;
        fill(v->cpu, v->single, &f);
        return v->single;
    }
    fill(v->cpu, v->draft, &f);
    __atomic_fetch_add(&x->blocks_decoded, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&x->insns_decoded, f.count, __ATOMIC_RELAXED);
    return v->draft;
}

struct block *fetch_draft(struct vcpu *v, uint64_t *generation) {
    struct exec *x = v->exec;
    uint64_t since = exec_now(x);
    struct block *b = draft(v, generation);
    exec_passed(x, &x->times.decode_ns, since);
    return b;
}

void fetch_tell(struct vcpu *v, const struct block *b) {
    tell_observers(v, b);
}

struct block *fetch_block(struct vcpu *v) {
    struct exec *x = v->exec;
    struct blink_cpu *cpu = v->cpu;
    struct fetched f;
    for (;;) {
        pthread_mutex_lock(&x->lock);
        uint64_t generation = x->map.generation;
        pthread_mutex_unlock(&x->lock);
        if (!fetch(v, &f, BLINK_BLOCK_MAX_INSNS))
            return NULL;
        if (!f.tracked) {
            f.count = 1;
            fill(cpu, v->single, &f);
            return v->single;
        }
        struct block *b = map_alloc(f.count);
        if (!b) {
            f.count = 1;
            fill(cpu, v->single, &f);
            return v->single;
        }
        fill(cpu, b, &f);
        bool placed = !x->system || (remap_place(v, b) && remap_name(v, b) == 0);
        pthread_mutex_lock(&x->lock);
        struct block *known = x->system ? NULL : map_find(&x->map, b->rip, b->cs_base, b->mode);
        bool stale = x->map.generation != generation || !placed;
        if (!known && !stale)
            map_insert(&x->map, b);
        pthread_mutex_unlock(&x->lock);
        if (known || stale)
            map_discard(b);
        if (known)
            return known;
        if (!stale) {
            __atomic_fetch_add(&x->blocks_decoded, 1, __ATOMIC_RELAXED);
            __atomic_fetch_add(&x->insns_decoded, f.count, __ATOMIC_RELAXED);
            tell_observers(v, b);
            return b;
        }
    }
}
