/*
 * From a decoded block to host code: body, exit stubs, landing, literal. Under core's lock.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "emit.h"

/* System software of 16 and 32 bits has many instructions that are core's (ports, interrupts, far
 * transfers, segments), to which it takes as long to get as to interpret some tens of others: a
 * block with one is left alone unless it is long. */
#define LEGACY_LEAST 32u

/* Worst case an instruction, and of all that stands apart from them. */
#define INSN_ROOM 80u
#define COLD_ROOM 192u
#define MISS_ROOM 10u
_Static_assert(BLINK_BLOCK_MAX_INSNS *LEGACY_ROOM + COLD_ROOM < UINT16_MAX, "offsets are 16 bits");

/* To host address `other` unless the block's page is what its addresses mean. RCX is held. */
static void emit_page_check(struct emit *e, const struct blink_jit_block *block, uint64_t other) {
    static const uint8_t load[] = {0x65, 0x8b, 0x0c, 0x25}; /* mov ecx, gs:[offset] */
    static const uint8_t subtract[] = {0x8d, 0x89};         /* lea ecx, [rcx + disp32] */
    static const uint8_t test[] = {0x67, 0xe3, 0x05};       /* jecxz over the jmp */
    emit_bytes(e, load, sizeof load);
    emit32(e, CPU(code_page) + 4 * block->page_slot);
    emit_bytes(e, subtract, sizeof subtract);
    emit32(e, 0 - block->page);
    emit_bytes(e, test, sizeof test);
    emit_jmp(e, other);
}

/* Where direct branches from other pages arrive. */
static void emit_gate(struct gen *g) {
    struct emit *e = &g->cold;
    struct code *code = g->code;
    if (!code->page || code->page == BLINK_JIT_NO_PAGE)
        return;
    uint64_t failed = emit_here(e);
    emit_gs_store(e, BLINK_R11, HELD(BLINK_R11));
    emit_mov_imm(e, BLINK_R11, code->rip);
    emit_jmp(e, g->glue->lost);
    code->gate = (uint16_t)e->at;
    emit_gs_store(e, BLINK_RCX, HELD(BLINK_RCX));
    emit_page_check(e, g->block, failed);
    emit_gs_load(e, BLINK_RCX, HELD(BLINK_RCX));
    code->gate_end = (uint16_t)e->at;
    emit_jmp(e, code->at[HOT]);
}

/*
 * Where indirect branches arrive: R11 holds the RIP they want, the guest's R11 and RCX are in their
 * slots. JRCXZ tests without a flag whether it is this block they want.
 */
static void emit_landing(struct gen *g) {
    struct emit *e = &g->cold;
    struct code *code = g->code;
    code->landing = (uint16_t)e->at;
    code->land = emit_here(e);
    branch_compare(e, code->rip, g->glue->miss);
    if (code->page)
        emit_page_check(e, g->block, g->glue->lost);
    emit_gs_load(e, BLINK_RCX, HELD(BLINK_RCX));
    emit_gs_load(e, BLINK_R11, HELD(BLINK_R11));
    code->landing_end = (uint16_t)e->at;
    emit_jmp(e, code->at[HOT]);
}

/* The x87 registers are loaded at entry only if the guest's are not as after FNINIT. */
static void emit_x87_mark(struct emit *e) {
    emit_gs_store_imm(e, SLOT(SLOT_X87), X87_LIVE);
}

static void emit_exit(struct emit *e, const struct glue *glue, uint32_t value) {
    emit_gs_store_imm(e, SLOT(SLOT_EXIT), value);
    emit_jmp(e, glue->leave);
}

/* Let a displacement in the hot piece lead to what comes next in the cold one. */
static void reach(struct gen *g, uint32_t at) {
    emit_fix32(&g->hot, at, (uint32_t)(emit_here(&g->cold) - (g->hot.rx + at + 4)));
}

/* Stubs for the exits that exist, each reached while its exit is not linked. */
static void emit_stubs(struct gen *g) {
    struct code *code = g->code;
    for (uint32_t k = 0; k < 2; k++) {
        if (!code->link[k])
            continue;
        code->stub[k] = (uint16_t)g->cold.at;
        reach(g, code->link[k]);
        emit_exit(&g->cold, g->glue, g->id << EXIT_SHIFT | k);
    }
}

/* Look-ups that failed: RCX, which is held, tells which one it was. */
static void emit_misses(struct gen *g) {
    struct emit *e = &g->cold;
    uint64_t common = emit_here(e) + g->misses * MISS_ROOM;
    if (!g->misses)
        return;
    for (uint32_t k = 0; k < g->misses; k++) {
        reach(g, g->miss[k] - 4);
        emit_mov_imm(e, BLINK_RCX, g->miss[k] - 1);
        emit_jmp(e, common);
    }
    emit_gs_store(e, BLINK_RCX, SLOT(SLOT_MISS));
    emit_exit(e, g->glue, g->id << EXIT_SHIFT | EXIT_MISS);
}

/* No budget for the block; its RCX is held. */
static void emit_no_budget(struct gen *g) {
    struct emit *e = &g->cold;
    if (!g->counted)
        return;
    reach(g, g->broke - 4);
    emit_gs_load(e, BLINK_RCX, HELD(BLINK_RCX));
    emit_exit(e, g->glue, g->id << EXIT_SHIFT | EXIT_BUDGET);
}

/*
 * Take the block's instructions off the budget, without a flag: what is left must be a number of 32
 * bits. How many they are is known in the end, see count_insns.
 */
static void emit_count(struct gen *g) {
    static const uint8_t subtract[] = {0x48, 0x8d, 0x89};   /* lea rcx, [rcx + disp32] */
    static const uint8_t test[] = {0x67, 0xe3, 0x05, 0xe9}; /* jecxz over the jmp */
    struct emit *e = &g->hot;
    if (!g->counted)
        return;
    track_free(g);
    track_hold(g, BIT(BLINK_RCX));
    emit_gs_load(e, BLINK_RCX, CPU(budget));
    emit_bytes(e, subtract, sizeof subtract);
    g->subtracted = e->at;
    emit32(e, 0);
    emit_rorx(e, BLINK_RCX, BLINK_RCX, 32);
    emit_bytes(e, test, sizeof test);
    emit32(e, 0);
    g->broke = e->at;
    emit_rorx(e, BLINK_RCX, BLINK_RCX, 32);
    emit_gs_store(e, BLINK_RCX, CPU(budget));
    track_begin(g, &g->block->insns[0]);
    track_restore(g, BIT(BLINK_RCX));
}

/* `count` is the block's own; what core runs, core counts. */
static void count_insns(struct gen *g, uint32_t count) {
    if (g->counted)
        emit_fix32(&g->hot, g->subtracted, 0 - count);
    g->code->count = (uint16_t)count;
}

/* FNINIT: there is no last instruction in the CPU either, as the host's registers do not tell of
 * the guest's none from none so far. */
static void emit_forget_last(struct emit *e) {
    static const uint32_t words[] = {CPU(fip), CPU(fdp), CPU(fcs)};
    static const uint8_t clear64[] = {0x65, 0x48, 0xc7, 0x04, 0x25}; /* mov qword gs:[offset], 0 */
    static const uint8_t clear16[] = {0x66, 0x65, 0xc7, 0x04, 0x25}; /* mov word gs:[offset], 0 */
    _Static_assert(CPU(fds) == CPU(fcs) + 4, "cleared as one");
    for (size_t k = 0; k < sizeof words / sizeof words[0]; k++) {
        emit_bytes(e, clear64, sizeof clear64);
        emit32(e, words[k]);
        emit32(e, 0);
    }
    emit_bytes(e, clear16, sizeof clear16);
    emit32(e, CPU(fop));
    emit8(e, 0);
    emit8(e, 0);
}

/* How the instructions of a block ended. */
enum { END_OPEN, END_CLOSED, END_HANDED };

/* Where the writing of an instruction began. */
struct mark {
    uint32_t at, held, fresh, spans, misses;
};

/* What could not be done is left to the interpreter, with all that was written for it undone. */
static void hand_over(struct gen *g, const struct blink_insn *i, const struct mark *before,
                      uint32_t action) {
    g->hot.at = before->at;
    g->held = before->held;
    g->fresh = before->fresh;
    g->spans = before->spans;
    g->misses = before->misses;
    g->literal = 0;
    g->code->link[0] = g->code->link[1] = 0;
    g->code->last = (uint16_t)(i->addr - g->block->rip);
    g->code->last_length = i->len;
    track_begin(g, i);
    track_restore(g, 0xffff);
    emit_exit(&g->hot, g->glue,
              g->id << EXIT_SHIFT | (action == DO_SYSCALL ? EXIT_SYSCALL : EXIT_INTERPRET));
}

/* One instruction. END_CLOSED: nothing follows it; END_HANDED: and it is core's. */
static uint32_t emit_insn(struct gen *g, const struct blink_insn *i) {
    uint32_t action = select_action(g, i);
    track_begin(g, i);
    if (action == DO_COPY_X87 && g->code->x87 == NO_X87) {
        emit_x87_mark(&g->hot);
        g->code->x87 = (uint16_t)g->hot.at;
    }
    if (i->op == BLINK_OP_FNINIT)
        emit_forget_last(&g->hot);
    struct mark before = {g->hot.at, g->held, g->fresh, g->spans, g->misses};
    if (action == DO_COPY || action == DO_COPY_X87) {
        if (g->legacy ? legacy_insn(g, i) : g->paged ? paged_insn(g, i) : rewrite_insn(g, i))
            return END_OPEN;
    } else if (action == DO_BRANCH) {
        if (g->legacy ? legacy_branch(g, i) : branch_emit(g, i))
            return END_CLOSED;
    }
    hand_over(g, i, &before, action);
    return END_HANDED;
}

static void emit_body(struct gen *g) {
    const struct blink_jit_block *block = g->block;
    uint32_t k = 0, end = END_OPEN;
    if (g->paged)
        paged_begin(g);
    emit_count(g);
    while (k < block->count && end == END_OPEN) {
        g->guest_at[k] = (uint16_t)(block->insns[k].addr - block->rip);
        end = emit_insn(g, &block->insns[k++]);
    }
    if (end == END_OPEN)
        branch_exit(g, 1, block->end_rip);
    count_insns(g, end == END_HANDED ? k - 1 : k);
    g->handed = end == END_HANDED;
}

static void emit_literal(struct gen *g) {
    if (!g->literal)
        return;
    while (g->cold.at & 7)
        emit8(&g->cold, 0xcc);
    reach(g, g->literal_at);
    emit64(&g->cold, g->literal);
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
    uint32_t size = CHUNK_SIZE;
    int rc;
    /* A small cache is full before each arena has a whole one of each kind. */
    while ((rc = self->api.code_alloc(self->host->machine, near, size, &space)) == -ENOSPC &&
           size > CHUNK_LEAST)
        size /= 2;
    if (rc)
        return rc;
    /* Core has opened an arena that suits better, for other code: begin anew with it. */
    bool same = space.arena == arena;
    self->api.code_commit(self->host->machine, &space, same ? size : 0);
    if (!same)
        return -ENOSPC;
    list->chunk = (struct chunk){space.rw, (uintptr_t)space.rx, size, 0};
    return 0;
}

/* `room` bytes of the chunk of a kind. */
static int reserve(struct blink_plugin *self, uint64_t near, uint32_t kind, uint32_t room,
                   uint32_t arena, struct emit *out) {
    struct code_list *list = &self->list[arena][kind];
    int rc = 0;
    if (room > list->chunk.size - list->chunk.used)
        rc = new_chunk(self, near, list, arena);
    if (rc == 0)
        *out = (struct emit){.rw = list->chunk.rw + list->chunk.used,
                             .rx = list->chunk.rx + list->chunk.used,
                             .cap = room};
    return rc;
}

static void keep(struct code_list *list, struct code *code, uint32_t size) {
    list->chunk.used += size;
    list->v[list->count] = code;
    __atomic_store_n(&list->count, list->count + 1, __ATOMIC_RELEASE);
}

static int write_code(struct gen *g) {
    struct code *code = g->code;
    code->at[HOT] = g->hot.rx;
    code->at[COLD] = g->cold.rx;
    g->held = g->fresh = g->spans = g->misses = 0;
    g->literal = 0;
    emit_body(g);
    if (g->legacy && g->block->page && g->handed && g->block->count < LEGACY_LEAST)
        return -ENOTSUP;
    emit_stubs(g);
    emit_misses(g);
    emit_no_budget(g);
    emit_gate(g);
    emit_landing(g);
    emit_literal(g);
    code->size[HOT] = (uint16_t)g->hot.at;
    code->size[COLD] = (uint16_t)g->cold.at;
    return g->hot.full || g->cold.full ? -ENOTSUP : 0;
}

/* The code, with its spans; the block's own memory is as large as they are. */
static struct code *finish(const struct gen *g) {
    size_t spans = g->spans * sizeof g->span[0];
    size_t counts = g->counted ? g->code->count * sizeof g->guest_at[0] : 0;
    struct code *code = malloc(sizeof *code + spans + counts);
    if (!code)
        return NULL;
    *code = *g->code;
    code->spans = (uint16_t)g->spans;
    memcpy(code->span, g->span, spans);
    if (g->counted)
        code->guest_at = memcpy((uint8_t *)code->span + spans, g->guest_at, counts);
    return code;
}

/* Right before where it is entered stands its id. */
static void put_id(struct gen *g) {
    emit32(&g->hot, g->id);
    g->hot.rw += CODE_ID;
    g->hot.rx += CODE_ID;
    g->hot.cap -= CODE_ID;
    g->hot.at = 0;
}

static void name_code(const struct blink_plugin *self, const struct code *code) {
    static const char *const names[KINDS] = {[HOT] = "guest", [COLD] = "exits"};
    for (uint32_t k = 0; self->api.label && k < KINDS; k++)
        self->api.label(self->host->machine, names[k], code->rip, (void *)(uintptr_t)code->at[k],
                        code->size[k]);
}

static int place_code(struct gen *g, struct code **out) {
    struct blink_plugin *self = g->self;
    struct code *code = g->code;
    uint64_t rip = g->block->rip;
    uint32_t arena = 0, count = g->block->count;
    uint32_t room = g->legacy ? LEGACY_ROOM : g->paged ? PAGED_ROOM : INSN_ROOM;
    uint32_t hot = count * room + COLD_ROOM, looks = g->legacy ? PAGED_MISSES : 2;
    uint32_t cold = COLD_ROOM + (g->paged ? looks * count * MISS_ROOM + COLD_ROOM : 0);
    int rc = find_arena(self, rip, &arena);
    if (rc == 0)
        rc = reserve(self, rip, HOT, hot, arena, &g->hot);
    if (rc == 0)
        rc = reserve(self, rip, COLD, cold, arena, &g->cold);
    if (rc)
        return rc;
    g->glue = &self->glue[arena];
    code->arena = (uint8_t)arena;
    put_id(g);
    rc = write_code(g);
    if (rc)
        return rc;
    code = finish(g);
    if (!code)
        return -ENOMEM;
    keep(&self->list[arena][HOT], code, CODE_ID + code->size[HOT]);
    keep(&self->list[arena][COLD], code, code->size[COLD]);
    self->by_id[self->ids++] = code;
    name_code(self, code);
    *out = code;
    return 0;
}

static bool is_long(const struct blink_jit_block *block) {
    return (block->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS64;
}

/* Other code than 64-bit code: in paged memory, where its segments are as nearly all are. What goes
 * beyond its last offset is left alone. */
static bool can_legacy(const struct blink_jit_block *block) {
    bool narrow = (block->mode & BLINK_MODE_BITS) == BLINK_MODE_BITS16;
    return (block->mode & BLINK_MODE_PAGED) && (block->mode & BLINK_MODE_PLAIN) &&
           block->end_rip <= (narrow ? 0xffff : UINT32_MAX);
}

int translate_block(struct blink_plugin *self, const struct blink_jit_block *block,
                    struct blink_jit_code *out) {
    bool paged = block->mode & BLINK_MODE_PAGED, legacy = !is_long(block);
    if ((legacy ? !can_legacy(block) : block->cs_base != 0) || (paged && !self->has_bmi2))
        return -ENOTSUP;
    if (self->ids >= MAX_CODES || (!paged && !self->large && outgrown(self)))
        return -ENOSPC;
    struct code draft = {.core = out,
                         .rip = block->rip,
                         .x87 = NO_X87,
                         .page = block->page,
                         .lone = legacy && !block->page},
                *code = NULL;
    struct gen *g = &self->gen;
    g->self = self;
    g->code = &draft;
    g->block = block;
    g->id = self->ids;
    g->paged = paged;
    g->counted = block->flags & BLINK_JIT_COUNTED;
    g->legacy = legacy;
    int rc = place_code(g, &code);
    if (rc)
        return rc;
    out->entry = (void *)(uintptr_t)code->at[HOT];
    out->size = code->size[HOT] + code->size[COLD];
    out->exits = 2;
    out->known = (code->link[0] ? 1u : 0u) | (code->link[1] ? 2u : 0u);
    out->exit_rip[0] = code->exit_rip[0];
    out->exit_rip[1] = code->exit_rip[1];
    out->jit_private = code;
    return 0;
}
