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

/* NE if there is any but the bit of virtual time, which is always there: code counts for it. */
static void test_attention(struct emit *e) {
    static const uint8_t test[] = {0x65, 0xf7, 0x04, 0x25}; /* test dword gs:[offset], imm32 */
    emit_bytes(e, test, sizeof test);
    emit32(e, CPU(attention));
    emit32(e, ~BLINK_ATTN_CLOCK);
}

/*
 * void enter(void *target): GS is the CPU. Attention is tested last but for loading registers, and
 * a signal that comes after the test ends the entry by itself (recover.c).
 */
static void emit_enter(struct emit *e, uint32_t ymm, struct glue *g) {
    g->enter[ymm] = emit_here(e);
    for (uint32_t k = 0; k < KEPT; k++)
        push(e, kept[k]);
    emit_gs_store(e, BLINK_RDI, SLOT(SLOT_TARGET));
    emit_gs_store(e, BLINK_RSP, SLOT(SLOT_HOST_RSP));
    mxcsr(e, 3, SLOT(SLOT_HOST_MXCSR));
    g->checked[ymm] = emit_here(e);
    test_attention(e);
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

/* The guest's flags to AX and back. */
static void save_flags(struct emit *e) {
    static const uint8_t code[] = {0x9f, 0x0f, 0x90, 0xc0}; /* lahf; seto al */
    emit_bytes(e, code, sizeof code);
}
static void restore_flags(struct emit *e) {
    static const uint8_t code[] = {0x04, 0x7f, 0x9e}; /* add al, 127; sahf */
    emit_bytes(e, code, sizeof code);
}

static uint32_t emit_jcc(struct emit *e, uint32_t cc) {
    emit8(e, 0x0f);
    emit8(e, 0x80 | cc);
    emit32(e, 0);
    return e->at;
}
static void land_here(struct emit *e, uint32_t after) {
    emit_fix32(e, after - 4, e->at - after);
}

/* RCX = second[second_slot(R11)] */
static void emit_second_slot(struct emit *e, const struct blink_plugin *self) {
    static const uint8_t hash[] = {
        0x44, 0x89, 0xd9, /* mov ecx, r11d */
        0xc1, 0xe9, 0x0c, /* shr ecx, 12 */
        0x44, 0x31, 0xd9, /* xor ecx, r11d */
        0x81, 0xe1,       /* and ecx, imm32 */
    };
    static const uint8_t load[] = {0x48, 0x8b, 0x0c, 0xcd}; /* mov rcx, [rcx * 8 + disp32] */
    emit_bytes(e, hash, sizeof hash);
    emit32(e, SECOND_SIZE - 1);
    emit_bytes(e, load, sizeof load);
    emit32(e, (uint32_t)(uintptr_t)self->second);
}

/*
 * An indirect branch whose landing is another's: R11 is the RIP. The second table is asked, with
 * the flags out of the way; then C is.
 */
static void emit_miss(struct emit *e, const struct blink_plugin *self, struct glue *g) {
    static const uint8_t test[] = {0x48, 0x85, 0xc9};    /* test rcx, rcx */
    static const uint8_t compare[] = {0x4c, 0x3b, 0x99}; /* cmp r11, [rcx + disp32] */
    static const uint8_t load[] = {0x48, 0x8b, 0x89};    /* mov rcx, [rcx + disp32] */
    uint32_t fail[3];
    g->miss = emit_here(e);
    emit_gs_store(e, BLINK_RAX, SLOT(SLOT_RAX));
    save_flags(e);
    emit_second_slot(e, self);
    emit_bytes(e, test, sizeof test);
    fail[0] = emit_jcc(e, BLINK_CC_E);
    emit_bytes(e, compare, sizeof compare);
    emit32(e, (uint32_t)offsetof(struct code, rip));
    fail[1] = emit_jcc(e, BLINK_CC_NE);
    emit_bytes(e, load, sizeof load);
    emit32(e, (uint32_t)offsetof(struct code, land));
    emit_gs_store(e, BLINK_RCX, SLOT(SLOT_TARGET));
    g->miss_checked = emit_here(e);
    test_attention(e);
    fail[2] = emit_jcc(e, BLINK_CC_NE);
    restore_flags(e);
    emit_gs_load(e, BLINK_RAX, SLOT(SLOT_RAX));
    emit_jmp_gs(e, SLOT(SLOT_TARGET));
    g->miss_end = emit_here(e);
    for (uint32_t k = 0; k < 3; k++)
        land_here(e, fail[k]);
    restore_flags(e);
    emit_gs_load(e, BLINK_RAX, SLOT(SLOT_RAX));
    g->lost = emit_here(e);
    emit_gs_store(e, BLINK_R11, CPU(rip));
    emit_gs_load(e, BLINK_RCX, HELD(BLINK_RCX));
    emit_gs_load(e, BLINK_R11, HELD(BLINK_R11));
    emit_gs_store_imm(e, SLOT(SLOT_EXIT), EXIT_INDIRECT);
    emit_jmp(e, g->leave);
}

/* See struct glue. */
static void emit_dispatch(struct emit *e, const struct blink_plugin *self, struct glue *g) {
    g->astray = emit_here(e);
    emit_mend(e);
    g->dispatch = emit_here(e);
    branch_dispatch(e, self);
    g->dispatch_end = emit_here(e);
}

void glue_write(struct blink_plugin *self, const struct blink_jit_space *space) {
    struct glue *g = &self->glue[space->arena];
    struct emit e = {.rw = space->rw, .rx = (uintptr_t)space->rx, .cap = GLUE_ROOM};
    g->start = emit_here(&e);
    emit_enter(&e, 0, g);
    emit_enter(&e, self->has_avx, g);
    g->leave = emit_leave(&e, self->has_avx);
    emit_miss(&e, self, g);
    emit_dispatch(&e, self, g);
    g->end = emit_here(&e);
    self->writable[space->arena] = (intptr_t)space->rw - (intptr_t)space->rx;
    self->api.code_commit(self->host->machine, space, e.at);
    if (self->api.label)
        self->api.label(self->host->machine, "glue", 0, space->rx, e.at);
    __atomic_store_n(&g->made, true, __ATOMIC_RELEASE);
    if (self->any)
        return;
    for (uint32_t k = 0; k < TABLE_SIZE; k++)
        self->table[k] = g->miss;
    self->any = g;
}
