/*
 * Random trials of the cases of sse_ops.h.
 */
#ifndef TESTS_INTERP_SSE_TRIAL_H
#define TESTS_INTERP_SSE_TRIAL_H

#include "sse_case.h"
#include "sse_host.h"
#include "sse_values.h"

/* Bytes of memory that a trial may touch; the operand is at its start + RAX. Aligned to 64. */
#define SSE_MEMORY 128

/* Case number n, NULL after the last. */
const struct sse_case *sse_case_at(uint32_t n);
/* The feature (F_*) that a form of a case needs; F_NONE if there is no such form. */
uint32_t sse_need(const struct sse_case *t, uint32_t form);

void sse_make_plan(struct rng *r, const struct sse_case *t, uint32_t form, struct sse_plan *p);
/* RAX is the offset of the memory operand, if there is one. */
void sse_make_state(struct rng *r, const struct sse_plan *p, struct sse_state *s,
                    uint8_t memory[SSE_MEMORY]);

void sse_load_guest(struct blink_cpu *cpu, const struct sse_state *s);
void sse_save_guest(const struct blink_cpu *cpu, struct sse_state *s);

#endif
