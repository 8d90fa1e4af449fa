/*
 * String comparisons: the computing part of PCMPxSTRx.
 */
#ifndef CORE_INTERP_SSE_TEXT_H
#define CORE_INTERP_SSE_TEXT_H

#include "interp/sse/vec.h"

/* Elements before the first zero; the format is in bits 0 and 1 of the immediate. */
uint32_t simd_text_length(vec v, uint32_t imm);

/* The result of the comparison, a bit an element (IntRes2 of the manual). */
uint32_t simd_text_compare(vec a, uint32_t a_length, vec b, uint32_t b_length, uint32_t imm);

#endif
