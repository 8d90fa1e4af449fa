/*
 * The host code between C and generated code, made when the back end is activated: it swaps all
 * registers. Main thread, or an exclusive section.
 */
#include "emit.h"

/* RBX RBP R12-R15: what the System V ABI lets a caller keep. */
static const uint8_t kept[] = {BLINK_RBX, BLINK_RBP, BLINK_R12, BLINK_R13, BLINK_R14, BLINK_R15};
#define KEPT (sizeof kept)

static void push(struct emit *e, uint32_t reg) {
    if (reg >= 8)
        emit8(e, 0x41);
    emit8(e, 0x50 | (reg & 7));
}
static void pop(struct emit *e, uint32_t reg) {
    if (reg >= 8)
        emit8(e, 0x41);
    emit8(e, 0x58 | (reg & 7));
}

/* movups xmm, gs:[offset] (10) or back (11); with VEX vmovups ymm. */
static void move_xmm(struct emit *e, uint32_t op, uint32_t n) {
    emit8(e, 0x65);
    if (n >= 8)
        emit8(e, 0x44);
    emit8(e, 0x0f);
    emit8(e, op);
    emit8(e, 0x04 | (n & 7) << 3);
    emit8(e, 0x25);
    emit32(e, CPU_YMM(n));
}
static void move_ymm(struct emit *e, uint32_t op, uint32_t n) {
    emit8(e, 0x65);
    emit8(e, 0xc5);
    emit8(e, n >= 8 ? 0x7c : 0xfc);
    emit8(e, op);
    emit8(e, 0x04 | (n & 7) << 3);
    emit8(e, 0x25);
    emit32(e, CPU_YMM(n));
}

/* ldmxcsr (2) or stmxcsr (3) gs:[offset] */
static void mxcsr(struct emit *e, uint32_t reg, uint32_t offset) {
    static const uint8_t head[] = {0x65, 0x0f, 0xae};
    emit_bytes(e, head, sizeof head);
    emit8(e, 0x04 | reg << 3);
    emit8(e, 0x25);
    emit32(e, offset);
}

/* push (ff /6) or pop (8f /0) qword gs:[offset] */
static void push_gs(struct emit *e, uint32_t offset) {
    static const uint8_t head[] = {0x65, 0xff, 0x34, 0x25};
    emit_bytes(e, head, sizeof head);
    emit32(e, offset);
}
static void pop_gs(struct emit *e, uint32_t offset) {
    static const uint8_t head[] = {0x65, 0x8f, 0x04, 0x25};
    emit_bytes(e, head, sizeof head);
    emit32(e, offset);
}

/*
 * void enter(void *target): GS is the CPU. Attention is tested last but for loading registers, and
 * a signal that comes after the test ends the entry by itself (recover.c).
 */
static void emit_enter(struct emit *e, uint32_t ymm, struct glue *g) {
    static const uint8_t compare[] = {0x65, 0x83, 0x3c, 0x25}; /* cmp dword gs:[offset], 0 */
    g->enter[ymm] = emit_here(e);
    for (uint32_t k = 0; k < KEPT; k++)
        push(e, kept[k]);
    emit_gs_store(e, BLINK_RDI, SLOT(SLOT_TARGET));
    emit_gs_store(e, BLINK_RSP, SLOT(SLOT_HOST_RSP));
    mxcsr(e, 3, SLOT(SLOT_HOST_MXCSR));
    g->checked[ymm] = emit_here(e);
    emit_bytes(e, compare, sizeof compare);
    emit32(e, CPU(attention));
    emit8(e, 0);
    emit8(e, 0x0f); /* jne: leave at once */
    emit8(e, 0x85);
    uint32_t early = e->at;
    emit32(e, 0);
    mxcsr(e, 2, CPU(mxcsr));
    for (uint32_t n = 0; n < 16; n++)
        (ymm ? move_ymm : move_xmm)(e, 0x10, n);
    push_gs(e, SLOT(SLOT_FLAGS));
    emit8(e, 0x9d); /* popfq */
    for (uint32_t n = 0; n < 16; n++)
        emit_gs_load(e, n, CPU_GPR(n));
    emit_jmp_gs(e, SLOT(SLOT_TARGET));
    g->early[ymm] = emit_here(e);
    emit_fix32(e, early, e->at - (early + 4));
    emit_gs_store_imm(e, SLOT(SLOT_EXIT), EXIT_ATTENTION);
    for (uint32_t k = KEPT; k-- > 0;)
        pop(e, kept[k]);
    emit8(e, 0xc3);
}

/* All registers are the guest's: to the CPU with them, and back to C. */
static uint64_t emit_leave(struct emit *e, bool ymm) {
    static const uint8_t vzeroupper[] = {0xc5, 0xf8, 0x77};
    uint64_t start = emit_here(e);
    for (uint32_t n = 0; n < 16; n++)
        emit_gs_store(e, n, CPU_GPR(n));
    emit_gs_load(e, BLINK_RSP, SLOT(SLOT_HOST_RSP));
    emit8(e, 0x9c); /* pushfq */
    pop_gs(e, SLOT(SLOT_FLAGS));
    emit8(e, 0xfc); /* cld */
    mxcsr(e, 3, CPU(mxcsr));
    mxcsr(e, 2, SLOT(SLOT_HOST_MXCSR));
    for (uint32_t n = 0; n < 16; n++)
        (ymm ? move_ymm : move_xmm)(e, 0x11, n);
    if (ymm)
        emit_bytes(e, vzeroupper, sizeof vzeroupper);
    for (uint32_t k = KEPT; k-- > 0;)
        pop(e, kept[k]);
    emit8(e, 0xc3);
    return start;
}

/* An indirect branch to what nothing is known of: RIP is in R11. */
static uint64_t emit_miss(struct emit *e, uint64_t leave) {
    uint64_t start = emit_here(e);
    emit_gs_store(e, BLINK_R11, CPU(rip));
    emit_gs_load(e, BLINK_RCX, SLOT(SLOT_B));
    emit_gs_load(e, BLINK_R11, SLOT(SLOT_A));
    emit_gs_store_imm(e, SLOT(SLOT_EXIT), EXIT_INDIRECT);
    emit_jmp(e, leave);
    return start;
}

void glue_write(struct blink_plugin *self, const struct blink_jit_space *space) {
    struct glue *g = &self->glue[space->arena];
    struct emit e = {.rw = space->rw, .rx = (uintptr_t)space->rx, .cap = GLUE_ROOM};
    g->start = emit_here(&e);
    emit_enter(&e, 0, g);
    emit_enter(&e, self->has_avx, g);
    g->leave = emit_leave(&e, self->has_avx);
    g->miss = emit_miss(&e, g->leave);
    g->end = emit_here(&e);
    self->api.code_commit(self->host->machine, space, e.at);
    __atomic_store_n(&g->made, true, __ATOMIC_RELEASE);
    if (self->any)
        return;
    for (uint32_t k = 0; k < TABLE_SIZE; k++)
        self->table[k] = g->miss;
    self->any = g;
}
