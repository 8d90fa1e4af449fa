/*
 * From a decoded block to host code: landing, body, exit stubs, literal. Under core's lock.
 */
#include <errno.h>
#include <stdlib.h>

#include "emit.h"

/* Worst case an instruction, and of all that stands apart from them. */
#define INSN_ROOM 80u
#define HOT_ALIGN 16u
#define COLD_ROOM 128u

/*
 * Where indirect branches arrive: R11 holds the RIP they want, the guest's R11 and RCX are in their
 * slots. JRCXZ tests without a flag whether it is this block they want.
 */
static void emit_landing(struct emit *e, const struct glue *glue, struct code *code) {
    static const uint8_t add[] = {0x4a, 0x8d, 0x0c, 0x19}; /* lea rcx, [rcx + r11] */
    static const uint8_t subtract[] = {0x49, 0x8d, 0x8b};  /* lea rcx, [r11 + disp32] */
    static const uint8_t test[] = {0xe3, 0x05};            /* jrcxz over the jmp */
    code->landing = e->at;
    if (code->rip <= INT32_MAX) {
        emit_bytes(e, subtract, sizeof subtract);
        emit32(e, (uint32_t)-code->rip);
    } else {
        emit_mov_imm(e, BLINK_RCX, -code->rip);
        emit_bytes(e, add, sizeof add);
    }
    emit_bytes(e, test, sizeof test);
    emit_jmp(e, glue->miss);
    emit_gs_load(e, BLINK_RCX, SLOT(SLOT_B));
    emit_gs_load(e, BLINK_R11, SLOT(SLOT_A));
    code->landing_end = e->at;
    emit_jmp(e, code->hot.rx);
}

/* The x87 registers are loaded at entry only if the guest's are not as after FNINIT. */
static void emit_x87_mark(struct emit *e) {
    emit_gs_store_imm(e, SLOT(SLOT_X87), X87_LIVE);
}

static void emit_exit(struct emit *e, const struct glue *glue, uint32_t value) {
    emit_gs_store_imm(e, SLOT(SLOT_EXIT), value);
    emit_jmp(e, glue->leave);
}

/* Stubs for the exits that exist, each reached while its exit is not linked. */
static void emit_stubs(struct emit *e, const struct glue *glue, struct emit *hot, struct code *code,
                       uint32_t id) {
    for (uint32_t k = 0; k < 2; k++) {
        if (!code->link[k])
            continue;
        code->stub[k] = e->at;
        emit_fix32(hot, code->link[k], (uint32_t)(emit_here(e) - (hot->rx + code->link[k] + 4)));
        emit_exit(e, glue, id << 2 | k);
    }
}

static void begin_place(struct emit *e, struct place *p, const struct blink_insn *i, uint64_t rip) {
    *p = (struct place){.start = e->at,
                        .guest = (uint16_t)(i->addr - rip),
                        .reg_a = NO_REG,
                        .reg_b = NO_REG,
                        .commit = NEVER,
                        .after = AFTER_NEXT};
}

/* How the instructions of a block ended. */
enum { END_OPEN, END_CLOSED };

/* One instruction. END_CLOSED: nothing follows it. */
static uint32_t emit_insn(struct emit *e, struct branch_context *b, const struct blink_insn *i,
                          struct place *p, uint32_t id, bool *x87) {
    struct blink_plugin *self = b->self;
    uint32_t action = select_action(self, i, b->mode);
    if (action == DO_COPY_X87 && !*x87) {
        emit_x87_mark(e);
        *x87 = true;
    }
    p->start = e->at;
    if (action == DO_COPY || action == DO_COPY_X87) {
        if (rewrite_insn(e, i, p))
            return END_OPEN;
    } else if (action == DO_BRANCH) {
        if (branch_emit(e, i, p, b))
            return END_CLOSED;
    }
    /* What could not be done is left to the interpreter. */
    e->at = p->start;
    p->reg_a = p->reg_b = NO_REG;
    p->commit = NEVER;
    p->after = AFTER_NEXT;
    b->code->jump[0] = b->code->jump[1] = NO_JUMP;
    b->code->link[0] = b->code->link[1] = 0;
    b->literal = 0;
    b->code->last = i;
    emit_exit(e, b->glue, id << 2 | (action == DO_SYSCALL ? EXIT_SYSCALL : EXIT_INTERPRET));
    return END_CLOSED;
}

static void emit_body(struct emit *e, struct branch_context *b, const struct blink_jit_block *block,
                      uint32_t id) {
    struct code *code = b->code;
    bool x87 = false;
    uint32_t k = 0, end = END_OPEN;
    while (k < block->count && end == END_OPEN) {
        struct place *p = &code->place[k];
        begin_place(e, p, &block->insns[k], block->rip);
        end = emit_insn(e, b, &block->insns[k], p, id, &x87);
        k++;
    }
    code->count = k;
    if (end == END_OPEN)
        branch_exit(e, code, 1, block->end_rip);
}

static void emit_literal(struct emit *e, struct emit *hot, const struct branch_context *b) {
    if (!b->literal)
        return;
    while (e->at & 7)
        emit8(e, 0xcc);
    emit_fix32(hot, b->literal_at, (uint32_t)(emit_here(e) - (hot->rx + b->literal_at + 4)));
    emit64(e, b->literal);
}

/* ---- where it goes ---- */

/* The arena that core gives for code near `near`, with its glue. */
static int find_arena(struct blink_plugin *self, uint64_t near, uint32_t *arena) {
    uint64_t region = (near >> 28) + 1;
    uint32_t k = region & (HOMES - 1);
    struct blink_jit_space space = {.struct_size = sizeof space};
    if (self->home[k].region != region) {
        int rc = self->api.code_alloc(self->host->machine, near, GLUE_ROOM, &space);
        if (rc)
            return rc;
        if (space.arena >= MAX_ARENAS)
            return -ENOTSUP;
        if (self->glue[space.arena].made)
            self->api.code_commit(self->host->machine, &space, 0);
        else
            glue_write(self, &space);
        self->home[k].region = region;
        self->home[k].arena = space.arena;
    }
    *arena = self->home[k].arena;
    return 0;
}

static int new_chunk(struct blink_plugin *self, uint64_t near, struct code_list *list,
                     uint32_t arena) {
    struct blink_jit_space space = {.struct_size = sizeof space};
    int rc = self->api.code_alloc(self->host->machine, near, CHUNK_SIZE, &space);
    if (rc)
        return rc;
    /* Core has opened an arena that suits better, for other code: begin anew with it. */
    bool same = space.arena == arena;
    self->api.code_commit(self->host->machine, &space, same ? CHUNK_SIZE : 0);
    if (!same)
        return -ENOSPC;
    list->chunk = (struct piece){space.rw, (uintptr_t)space.rx, CHUNK_SIZE};
    list->used = 0;
    return 0;
}

/* `room` bytes of the chunk of a kind. */
static int reserve(struct blink_plugin *self, uint64_t near, uint32_t kind, uint32_t room,
                   uint32_t arena, struct piece *out) {
    struct code_list *list = &self->list[arena][kind];
    int rc = 0;
    if (room > list->chunk.size - list->used)
        rc = new_chunk(self, near, list, arena);
    if (rc == 0)
        *out = (struct piece){list->chunk.rw + list->used, list->chunk.rx + list->used, room};
    return rc;
}

static void keep(struct code_list *list, struct code *code, uint32_t size, uint32_t align) {
    list->used += (size + align - 1) & ~(align - 1);
    list->v[list->count] = code;
    __atomic_store_n(&list->count, list->count + 1, __ATOMIC_RELEASE);
}

static int write_code(struct blink_plugin *self, const struct blink_jit_block *block,
                      struct code *code, const struct glue *glue) {
    struct emit hot = {.rw = code->hot.rw, .rx = code->hot.rx, .cap = code->hot.size};
    struct emit cold = {.rw = code->cold.rw, .rx = code->cold.rx, .cap = code->cold.size};
    struct branch_context b = {.self = self, .code = code, .glue = glue, .mode = block->mode};
    code->jump[0] = code->jump[1] = NO_JUMP;
    emit_body(&hot, &b, block, self->ids);
    emit_stubs(&cold, glue, &hot, code, self->ids);
    emit_landing(&cold, glue, code);
    emit_literal(&cold, &hot, &b);
    code->hot.size = hot.at;
    code->cold.size = cold.at;
    return hot.full || cold.full ? -ENOTSUP : 0;
}

static int place_code(struct blink_plugin *self, const struct blink_jit_block *block,
                      struct code *code) {
    uint32_t arena = 0, room = block->count * INSN_ROOM + COLD_ROOM;
    int rc = find_arena(self, block->rip, &arena);
    if (rc == 0)
        rc = reserve(self, block->rip, HOT, room, arena, &code->hot);
    if (rc == 0)
        rc = reserve(self, block->rip, COLD, COLD_ROOM, arena, &code->cold);
    if (rc == 0)
        rc = write_code(self, block, code, &self->glue[arena]);
    if (rc)
        return rc;
    keep(&self->list[arena][HOT], code, code->hot.size, HOT_ALIGN);
    keep(&self->list[arena][COLD], code, code->cold.size, 1);
    self->by_id[self->ids++] = code;
    perf_code(self, code);
    return 0;
}

int translate_block(struct blink_plugin *self, const struct blink_jit_block *block,
                    struct blink_jit_code *out) {
    const uint32_t wanted = BLINK_MODE_BITS64 | BLINK_MODE_PROT | BLINK_MODE_CPL3;
    if ((block->mode & ~(BLINK_MODE_SS32 | BLINK_MODE_NOAVX)) != wanted || block->cs_base)
        return -ENOTSUP;
    if (self->ids >= MAX_CODES)
        return -ENOSPC;
    struct code *code = calloc(1, sizeof *code + block->count * sizeof code->place[0]);
    if (!code)
        return -ENOMEM;
    code->core = out;
    code->rip = block->rip;
    int rc = place_code(self, block, code);
    if (rc) {
        free(code);
        return rc;
    }
    out->entry = (void *)(uintptr_t)code->hot.rx;
    out->size = code->hot.size + code->cold.size;
    out->exits = 2;
    out->jit_private = code;
    return 0;
}
