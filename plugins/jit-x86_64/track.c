/*
 * What of the guest's state is where while a block is written: the spans of its code, and the
 * registers that are borrowed. Under core's lock.
 */
#include "emit.h"

/* What follows is as `now` and `held` say. */
static void note(struct gen *g) {
    struct span s = g->now;
    s.start = (uint16_t)g->hot.at;
    s.held = (uint16_t)g->held;
    if (g->spans && g->span[g->spans - 1].start == s.start)
        g->spans--;
    if (g->spans == MAX_SPANS) {
        g->hot.full = true;
        return;
    }
    g->span[g->spans++] = s;
}

void track_before(struct gen *g, const struct blink_insn *i, int32_t stack) {
    g->now = (struct span){
        .kind = SPAN_BEFORE, .guest = (uint16_t)(i->addr - g->block->rip), .stack = (int8_t)stack};
    note(g);
}

void track_free(struct gen *g) {
    g->now = (struct span){.kind = SPAN_BEFORE, .free = 1};
    note(g);
}

void track_begin(struct gen *g, const struct blink_insn *i) {
    track_before(g, i, 0);
}

void track_exit(struct gen *g, uint32_t exit) {
    g->now = (struct span){.kind = (SPAN_EXIT0 + exit) & 31};
    note(g);
}

void track_after(struct gen *g, const struct blink_insn *i, int32_t stack) {
    g->now = (struct span){.kind = SPAN_BEFORE,
                           .guest = (uint16_t)(i->addr + i->len - g->block->rip),
                           .stack = (int8_t)stack};
    note(g);
}

void track_selector(struct gen *g, const struct blink_insn *i, uint32_t seg, int32_t stack) {
    track_after(g, i, stack);
    g->now.kind = (SPAN_SELECTOR + seg) & 31;
    note(g);
}

void track_r11(struct gen *g, int32_t stack) {
    g->now = (struct span){.kind = SPAN_R11, .stack = (int8_t)stack};
    note(g);
}

void track_return(struct gen *g, int32_t stack, bool torn) {
    g->now = (struct span){.kind = SPAN_R11, .stack = (int8_t)stack, .torn = torn, .ours = 1};
    note(g);
}

void track_hold(struct gen *g, uint32_t mask) {
    for (uint32_t reg = 0; reg < 16; reg++) {
        if (!(mask & ~g->held & BIT(reg)))
            continue;
        if (!(g->fresh & BIT(reg)))
            emit_gs_store(&g->hot, reg, HELD(reg));
        g->held |= BIT(reg);
        g->fresh |= BIT(reg);
        note(g);
    }
}

void track_restore(struct gen *g, uint32_t mask) {
    for (uint32_t reg = 0; reg < 16; reg++) {
        if (!(mask & g->held & BIT(reg)))
            continue;
        emit_gs_load(&g->hot, reg, HELD(reg));
        g->held &= ~BIT(reg);
        note(g);
    }
}

void track_changed(struct gen *g, uint32_t mask) {
    g->held &= ~mask;
    g->fresh &= ~mask;
}
