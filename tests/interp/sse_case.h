/*
 * One case of sse_ops.h with operands chosen: as bytes for the host, as a blink_insn for the
 * interpreter.
 */
#ifndef TESTS_INTERP_SSE_CASE_H
#define TESTS_INTERP_SSE_CASE_H

#include "sse_ops.h"

/* Which of its forms. */
enum { FORM_LEGACY, FORM_MMX, FORM_128, FORM_256, FORM_COUNT };

struct sse_plan {
    const struct sse_case *test;
    uint32_t form;
    bool memory;              /* rm is [RAX] */
    uint32_t reg, v, rm, is4; /* register numbers */
    uint8_t imm;
};

/* Bytes of the memory operand. */
uint32_t sse_memory_size(const struct sse_plan *p);
/* Into out[15]; the length. */
uint32_t sse_encode(const struct sse_plan *p, uint8_t *out);
void sse_decode(const struct sse_plan *p, struct blink_insn *out);

#endif
