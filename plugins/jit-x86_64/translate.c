/*
 * From a decoded block to host code: landing, body, exit stubs, literal. Under core's lock.
 */
#include <errno.h>
#include <stdlib.h>

#include "emit.h"

/* Worst case an instruction, and everything else of a code. */
#define INSN_ROOM 80u
#define TAIL_ROOM 256u

/*
 * Where indirect branches arrive: R11 holds the RIP they want, the guest's R11 and RCX are in their
 * slots. JRCXZ tests without a flag whether it is this block they want.
 */
static void emit_landing(struct emit *e, const struct glue *glue, uint64_t rip) {
    static const uint8_t add[] = {0x4a, 0x8d, 0x0c, 0x19}; /* lea rcx, [rcx + r11] */
    static const uint8_t subtract[] = {0x49, 0x8d, 0x8b};  /* lea rcx, [r11 + disp32] */
    static const uint8_t test[] = {0xe3, 0x05};            /* jrcxz over the jmp */
    if (rip <= INT32_MAX) {
        emit_bytes(e, subtract, sizeof subtract);
        emit32(e, (uint32_t)-rip);
    } else {
        emit_mov_imm(e, BLINK_RCX, -rip);
        emit_bytes(e, add, sizeof add);
    }
    emit_bytes(e, test, sizeof test);
    emit_jmp(e, glue->miss);
    emit_gs_load(e, BLINK_RCX, SLOT(SLOT_B));
    emit_gs_load(e, BLINK_R11, SLOT(SLOT_A));
}

/* The landing ends where the body begins, so its start is found from the body. */
static void emit_landing_padded(struct emit *e, const struct glue *glue, uint64_t rip) {
    uint32_t start = e->at;
    emit_landing(e, glue, rip);
    uint32_t size = e->at - start;
    if (e->full)
        return;
    /* Displacements in it are relative: write it again at its place. */
    e->at = start;
    for (uint32_t k = size; k < LANDING_SIZE; k++)
        emit8(e, 0x90);
    emit_landing(e, glue, rip);
}

/* The x87 registers are loaded at entry only if the guest's are not as after FNINIT. */
static void emit_x87_mark(struct emit *e) {
    emit_gs_store_imm(e, SLOT(SLOT_X87), 1);
}

static void emit_exit(struct emit *e, const struct glue *glue, uint32_t value) {
    emit_gs_store_imm(e, SLOT(SLOT_EXIT), value);
    emit_jmp(e, glue->leave);
}

/* Stubs for the exits that exist, each reached while its exit is not linked. */
static void emit_stubs(struct emit *e, const struct glue *glue, struct code *code, uint32_t id) {
    for (uint32_t k = 0; k < 2; k++) {
        if (!code->link[k])
            continue;
        code->stub[k] = e->at;
        emit_fix32(e, code->link[k], e->at - (code->link[k] + 4));
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
    b->code->jump[0] = b->code->jump[1] = 0;
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

static void emit_literal(struct emit *e, struct branch_context *b) {
    if (!b->literal)
        return;
    while (e->at & 7)
        emit8(e, 0xcc);
    emit_fix32(e, b->literal_at, e->at - (b->literal_at + 4));
    emit64(e, b->literal);
}

static bool remember(struct blink_plugin *self, struct code *code, uint32_t arena) {
    struct code_list *list = &self->list[arena];
    if (list->count >= MAX_CODES || self->ids >= MAX_CODES)
        return false;
    self->by_id[self->ids++] = code;
    list->v[list->count] = code;
    __atomic_store_n(&list->count, list->count + 1, __ATOMIC_RELEASE);
    return true;
}

static int write_code(struct blink_plugin *self, const struct blink_jit_block *block,
                      struct code *code, struct blink_jit_space *space, uint32_t room) {
    struct emit e = {.rw = space->rw, .rx = (uintptr_t)space->rx, .cap = room};
    const struct glue *glue = &self->glue[space->arena];
    struct branch_context b = {.self = self, .code = code, .glue = glue, .mode = block->mode};
    uint32_t id = self->ids;
    emit_landing_padded(&e, glue, block->rip);
    code->body = e.at;
    emit_body(&e, &b, block, id);
    code->place[code->count].start = e.at;
    code->stubs = e.at;
    emit_stubs(&e, glue, code, id);
    emit_literal(&e, &b);
    code->size = e.at;
    return e.full ? -ENOTSUP : 0;
}

/* Room for a code in an arena that has its glue. */
static int allocate(struct blink_plugin *self, uint64_t near, uint32_t room,
                    struct blink_jit_space *space) {
    for (uint32_t tries = 0; tries <= MAX_ARENAS; tries++) {
        int rc = self->api.code_alloc(self->host->machine, near, room, space);
        if (rc)
            return rc;
        if (space->arena >= MAX_ARENAS)
            return -ENOTSUP;
        if (self->glue[space->arena].made)
            return 0;
        glue_write(self, space);
    }
    return -ENOSPC;
}

int translate_block(struct blink_plugin *self, const struct blink_jit_block *block,
                    struct blink_jit_code *out) {
    const uint32_t wanted = BLINK_MODE_BITS64 | BLINK_MODE_PROT | BLINK_MODE_CPL3;
    struct blink_jit_space space = {.struct_size = sizeof space};
    uint32_t room = LANDING_SIZE + block->count * INSN_ROOM + TAIL_ROOM;
    if ((block->mode & ~(BLINK_MODE_SS32 | BLINK_MODE_NOAVX)) != wanted || block->cs_base)
        return -ENOTSUP;
    if (self->ids >= MAX_CODES)
        return -ENOSPC;
    struct code *code = calloc(1, sizeof *code + (block->count + 1) * sizeof code->place[0]);
    if (!code)
        return -ENOMEM;
    int rc = allocate(self, block->rip, room < GLUE_ROOM ? GLUE_ROOM : room, &space);
    if (rc == 0) {
        code->core = out;
        code->rip = block->rip;
        code->rw = space.rw;
        code->rx = (uintptr_t)space.rx;
        rc = write_code(self, block, code, &space, room);
        self->api.code_commit(self->host->machine, &space, rc ? 0 : code->size);
    }
    if (rc == 0 && !remember(self, code, space.arena))
        rc = -ENOSPC;
    if (rc) {
        free(code);
        return rc;
    }
    out->entry = space.rx + code->body;
    out->size = code->size;
    out->exits = 2;
    out->jit_private = code;
    return 0;
}
