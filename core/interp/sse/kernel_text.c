/*
 * The string comparisons of SSE4.2: what PCMPESTRI and its relatives compute, apart from where the
 * result goes. AMD64 manual volume 4, 1.5. Any thread.
 */
#include "interp/sse/text.h"

#include <stdbool.h>

/* Fields of the immediate. */
enum { EQUAL_ANY, RANGES, EQUAL_EACH, EQUAL_ORDERED };

/* One operand: elements as signed numbers, whatever their format, and how many are valid. */
struct string {
    int32_t at[16];
    uint32_t valid;
};

static void unpack(vec v, uint32_t imm, struct string *out) {
    lanes s = {v};
    for (uint32_t k = 0; k < 16; k++) {
        switch (imm & 3) {
        case 0: out->at[k] = s.u8[k]; break;
        case 1: out->at[k] = s.u16[k & 7]; break;
        case 2: out->at[k] = s.i8[k]; break;
        default: out->at[k] = s.i16[k & 7]; break;
        }
    }
}

uint32_t simd_text_length(vec v, uint32_t imm) {
    lanes s = {v};
    uint32_t n = imm & 1 ? 8 : 16, k = 0;
    while (k < n && (imm & 1 ? s.u16[k] : s.u8[k]) != 0)
        k++;
    return k;
}

static bool any_equal(const struct string *a, int32_t c) {
    for (uint32_t i = 0; i < a->valid; i++)
        if (a->at[i] == c)
            return true;
    return false;
}
static bool in_a_range(const struct string *a, int32_t c) {
    for (uint32_t i = 0; i + 1 < a->valid; i += 2)
        if (a->at[i] <= c && c <= a->at[i + 1])
            return true;
    return false;
}
/* Both at their end count as equal. */
static bool equal_at(const struct string *a, const struct string *b, uint32_t j) {
    if (j >= a->valid || j >= b->valid)
        return j >= a->valid && j >= b->valid;
    return a->at[j] == b->at[j];
}
/* a, as far as it fits into the vector, stands in b at j. */
static bool stands_at(const struct string *a, const struct string *b, uint32_t j, uint32_t n) {
    for (uint32_t i = 0; i < a->valid && j + i < n; i++)
        if (j + i >= b->valid || a->at[i] != b->at[j + i])
            return false;
    return true;
}

static bool matches(const struct string *a, const struct string *b, uint32_t j, uint32_t n,
                    uint32_t imm) {
    switch (imm >> 2 & 3) {
    case EQUAL_ANY: return j < b->valid && any_equal(a, b->at[j]);
    case RANGES: return j < b->valid && in_a_range(a, b->at[j]);
    case EQUAL_EACH: return equal_at(a, b, j);
    default: return stands_at(a, b, j, n);
    }
}

uint32_t simd_text_compare(vec a, uint32_t a_length, vec b, uint32_t b_length, uint32_t imm) {
    struct string x, y;
    uint32_t n = imm & 1 ? 8 : 16, result = 0;
    unpack(a, imm, &x);
    unpack(b, imm, &y);
    x.valid = a_length;
    y.valid = b_length;
    for (uint32_t j = 0; j < n; j++)
        result |= (uint32_t)matches(&x, &y, j, n, imm) << j;
    /* Polarity: all bits, or those of valid elements of b. */
    if ((imm >> 4 & 3) == 1)
        result ^= (1u << n) - 1;
    else if ((imm >> 4 & 3) == 3)
        result ^= (1u << b_length) - 1;
    return result;
}
