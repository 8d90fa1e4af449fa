/*
 * The encodings of each operation: the opcode space is walked, and what decodes to an operation is
 * an encoding of it. The decoder only names them: were it wrong, the two worlds would differ.
 */
#include <stdlib.h>
#include <string.h>

#include "diff.h"

static struct shape *shapes;
static size_t shape_count, shape_capacity;
static uint32_t first_of[MODES][BLINK_OP_COUNT + 1]; /* after sorting */

static void add(const struct shape *s) {
    if (shape_count == shape_capacity) {
        shape_capacity = shape_capacity ? shape_capacity * 2 : 4096;
        shapes = realloc(shapes, shape_capacity * sizeof *shapes);
        if (!shapes)
            abort();
    }
    shapes[shape_count++] = *s;
}

static bool is_vsib(const struct shape *s) {
    return s->vex && s->map == 2 && s->opcode >= 0x90 && s->opcode <= 0x93;
}

/* Decode the shape with these ModRM fields; 0 if it is nothing. *modrm tells if it has ModRM. */
static uint32_t probe(const struct shape *s, bool memory, uint32_t reg, uint32_t rm, uint32_t vvvv,
                      bool *modrm) {
    static const uint8_t prefixes[] = {0, 0x66, 0xf3, 0xf2};
    uint8_t b[24] = {0};
    uint32_t n = 0;
    struct blink_insn i;
    if (s->vex) {
        b[n++] = 0xc4;
        b[n++] = (uint8_t)(0xe0 | s->map);
        b[n++] = (uint8_t)(s->wide << 7 | (~vvvv & 15) << 3 | s->vlen << 2 | s->pp);
    } else {
        if (s->pp)
            b[n++] = prefixes[s->pp];
        if (s->wide)
            b[n++] = 0x48;
        if (s->map)
            b[n++] = 0x0f;
        if (s->map > 1)
            b[n++] = s->map == 2 ? 0x38 : 0x3a;
    }
    b[n++] = s->opcode;
    b[n++] = (uint8_t)((memory ? 0 : 0xc0) | reg << 3 | rm);
    if (memory && rm == 4)
        b[n++] = 0x3b; /* base RBX, index 7 */
    if (!decode_at(trial_modes[s->mode], b, sizeof b, CODE_AT & 0x7fff, &i))
        return BLINK_OP_INVALID;
    *modrm = i.off_modrm != 0;
    return i.op;
}

/* Repeat prefixes that mean nothing are not another encoding. */
static bool is_idle(const struct shape *s) {
    struct shape plain = *s;
    bool modrm;
    if (s->vex || s->map > 1 || s->pp < 2 || op_classes[s->op] == BLINK_CLASS_STRING)
        return false;
    plain.pp = 0;
    return probe(&plain, s->modrm == 1, s->reg & 7, s->rm & 7, 0, &modrm) == s->op;
}

/* An FSTP that notes no underflow, which the manuals do not have. */
static bool is_left_out(const struct shape *s) {
    return !s->vex && s->map == 0 && s->opcode == 0xd9 && s->modrm == 2 && s->reg == 3;
}

static void found(struct shape *s, uint32_t op) {
    bool modrm;
    if (is_left_out(s))
        return;
    s->op = (uint16_t)op;
    if (s->vex)
        s->uses_vvvv = probe(s, s->modrm == 1, s->reg & 7, s->rm & 7, 9, &modrm) == op;
    if (!is_idle(s))
        add(s);
}

/* Register forms of one reg: the same for all rm, or one each. */
static void find_rm(struct shape *s, uint32_t reg, uint32_t op0) {
    bool same = true, modrm;
    uint32_t ops[8];
    for (uint32_t rm = 0; rm < 8; rm++) {
        ops[rm] = probe(s, false, reg, rm, 0, &modrm);
        same &= ops[rm] == op0;
    }
    s->reg = (uint8_t)reg;
    for (uint32_t rm = 0; rm < (same ? 1u : 8u); rm++) {
        s->rm = same ? 0xff : (uint8_t)rm;
        if (ops[rm] != BLINK_OP_INVALID)
            found(s, ops[rm]);
    }
}

static void find_form(struct shape *s, bool memory) {
    uint32_t ops[8], rm = memory ? (is_vsib(s) ? 4 : 3) : 2, first = is_vsib(s) ? 1 : 0;
    bool same = true, any = false, modrm = false;
    for (uint32_t reg = first; reg < 8; reg++) {
        ops[reg] = probe(s, memory, reg, rm, 0, &modrm);
        same &= ops[reg] == ops[first] || (is_vsib(s) && reg == 7);
        any |= ops[reg] != BLINK_OP_INVALID;
    }
    if (!any && memory)
        return;
    s->modrm = memory ? 1 : 2;
    s->reg = s->rm = 0xff;
    if (same && any) {
        s->reg = 1;
        s->rm = (uint8_t)rm;
        struct shape whole = *s;
        whole.op = (uint16_t)ops[first];
        whole.reg = whole.rm = 0xff;
        whole.uses_vvvv = s->vex && probe(s, memory, 1, rm, 9, &modrm) == whole.op;
        if (!is_idle(&(struct shape){.vex = s->vex,
                                     .map = s->map,
                                     .opcode = s->opcode,
                                     .pp = s->pp,
                                     .wide = s->wide,
                                     .modrm = s->modrm,
                                     .mode = s->mode,
                                     .reg = 1,
                                     .rm = (uint8_t)rm,
                                     .op = whole.op}))
            add(&whole);
        return;
    }
    for (uint32_t reg = 0; reg < 8; reg++) {
        if (!memory) {
            find_rm(s, reg, ops[reg]);
        } else if (ops[reg] != BLINK_OP_INVALID) {
            s->reg = (uint8_t)reg;
            s->rm = (uint8_t)rm;
            found(s, ops[reg]);
        }
    }
}

static bool is_prefix(uint32_t opcode, uint32_t mode) {
    switch (opcode) {
    case 0x0f:
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x64:
    case 0x65:
    case 0x66:
    case 0x67:
    case 0xf0:
    case 0xf2:
    case 0xf3: return true;
    case 0xc4:
    case 0xc5: return mode == 0;
    default: return (opcode & 0xf0) == 0x40 && mode == 0;
    }
}

static void find_opcode(struct shape *s) {
    bool modrm = false;
    uint32_t op = BLINK_OP_INVALID;
    if (!s->vex && ((s->map == 0 && is_prefix(s->opcode, s->mode)) ||
                    (s->map == 1 && (s->opcode == 0x38 || s->opcode == 0x3a))))
        return;
    /* LES, LDS and BOUND; with a register they are prefixes. */
    if (!s->vex && s->map == 0 && (s->opcode == 0xc4 || s->opcode == 0xc5 || s->opcode == 0x62)) {
        if (s->mode)
            find_form(s, true);
        return;
    }
    /* Some ModRM byte or none: without one nothing in it matters. */
    op = probe(s, false, 0, 0, 0, &modrm);
    if (op != BLINK_OP_INVALID && !modrm) {
        s->modrm = 0;
        s->reg = s->rm = 0xff;
        found(s, op);
        return;
    }
    find_form(s, true);
    find_form(s, false);
}

static int by_op(const void *a, const void *b) {
    const struct shape *x = a, *y = b;
    return x->mode != y->mode ? (int)x->mode - (int)y->mode : (int)x->op - (int)y->op;
}

static void find_mode(uint32_t mode) {
    for (uint32_t vex = 0; vex < 2; vex++)
        for (uint32_t map = vex; map < 4; map++)
            for (uint32_t k = 0; k < 256u * 4 * 2 * (vex ? 2 : 1); k++) {
                struct shape s = {.vex = (uint8_t)vex,
                                  .map = (uint8_t)map,
                                  .opcode = (uint8_t)k,
                                  .pp = k >> 8 & 3,
                                  .wide = k >> 10 & 1,
                                  .vlen = k >> 11 & 1,
                                  .mode = (uint8_t)mode};
                if (vex || mode == 0 || !s.wide)
                    find_opcode(&s);
            }
}

void shapes_find(void) {
    size_t at = 0;
    for (uint32_t mode = 0; mode < MODES; mode++)
        find_mode(mode);
    qsort(shapes, shape_count, sizeof *shapes, by_op);
    for (uint32_t mode = 0; mode < MODES; mode++)
        for (uint32_t op = 0; op <= BLINK_OP_COUNT; op++) {
            first_of[mode][op] = (uint32_t)at;
            while (at < shape_count && shapes[at].mode == mode && shapes[at].op == op)
                at++;
        }
}

uint32_t shapes_count(uint32_t mode, uint32_t op) {
    return first_of[mode][op + 1] - first_of[mode][op];
}

const struct shape *shapes_get(uint32_t mode, uint32_t op, uint32_t k) {
    return &shapes[first_of[mode][op] + k];
}
