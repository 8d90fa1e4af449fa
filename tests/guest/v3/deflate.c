/*
 * Compression as zlib does it: matches found through chains of hashes, then Huffman codes of their
 * own for each block; unpacked again and compared. Bit reservoirs, tables, long runs of memory.
 */
#include <stdlib.h>
#include <string.h>

#include "../guest.h"

#define SIZE      150000u
#define WINDOW    32768u
#define HASH_BITS 14
#define SYMBOLS   512u /* literals, and 256 + length */
#define MIN_MATCH 4u
#define MAX_MATCH 255u
#define MAX_BITS  24u

static uint8_t input[SIZE + 16], packed[SIZE * 2], output[SIZE + 16];
static int32_t head[1 << HASH_BITS], previous[SIZE];
static uint16_t symbol[SIZE];
static uint16_t distance[SIZE];
static uint32_t items;

/* ---- words of a language that does not exist ---- */

static void make_input(void) {
    static const char *const syllables[] = {"ka",  "no",  "ri", "su", "ta",  "men", "lo", "vi",
                                            "sha", "dor", "e",  "un", "qua", "il",  "ze", "pra"};
    uint64_t seed = 4711;
    uint32_t at = 0;
    while (at < SIZE) {
        uint64_t r = guest_random(&seed);
        for (unsigned k = 0; k <= (r & 3); k++) {
            const char *s = syllables[(r >> (8 + 4 * k)) & 15];
            while (*s && at < SIZE)
                input[at++] = (uint8_t)*s++;
        }
        if (at < SIZE)
            input[at++] = (r >> 40 & 15) ? ' ' : '\n';
        for (unsigned k = 0; (r >> 50 & 63) == 1 && k < 40 && at < SIZE; k++)
            input[at++] = (uint8_t)guest_random(&seed);
    }
}

/* ---- matches ---- */

static uint32_t hash_at(uint32_t at) {
    uint32_t v;
    memcpy(&v, input + at, 4);
    return v * 2654435761u >> (32 - HASH_BITS);
}

static uint32_t match_length(uint32_t a, uint32_t b) {
    uint32_t n = 0, limit = SIZE - b < MAX_MATCH ? SIZE - b : MAX_MATCH;
    while (n < limit && input[a + n] == input[b + n])
        n++;
    return n;
}

static uint32_t best_match(uint32_t at, uint32_t *from) {
    uint32_t best = 0, tries = 24;
    for (int32_t k = head[hash_at(at)]; k >= 0 && at - (uint32_t)k < WINDOW && tries--;
         k = previous[k]) {
        uint32_t n = match_length((uint32_t)k, at);
        if (n > best) {
            best = n;
            *from = (uint32_t)k;
        }
    }
    return best;
}

static void find_matches(void) {
    memset(head, -1, sizeof head);
    for (uint32_t at = 0; at < SIZE;) {
        uint32_t from = 0, n = at + 4 <= SIZE ? best_match(at, &from) : 0, step = 1;
        if (n >= MIN_MATCH) {
            symbol[items] = (uint16_t)(256 + n);
            distance[items++] = (uint16_t)(at - from);
            step = n;
        } else
            symbol[items++] = input[at];
        for (; step; step--, at++)
            if (at + 4 <= SIZE) {
                previous[at] = head[hash_at(at)];
                head[hash_at(at)] = (int32_t)at;
            }
    }
}

/* ---- Huffman ---- */

static uint32_t weight[2 * SYMBOLS];
static uint16_t parent[2 * SYMBOLS];
static uint8_t length[SYMBOLS];
static uint32_t code[SYMBOLS];

static uint32_t lightest(const uint8_t *alive, uint32_t n) {
    uint32_t best = UINT32_MAX, which = 0;
    for (uint32_t k = 0; k < n; k++)
        if (alive[k] && weight[k] < best) {
            best = weight[k];
            which = k;
        }
    return which;
}

static void make_lengths(void) {
    uint8_t alive[2 * SYMBOLS] = {0};
    uint32_t n = SYMBOLS, left = 0;
    for (uint32_t k = 0; k < SYMBOLS; k++) {
        alive[k] = weight[k] != 0;
        left += alive[k];
    }
    for (; left > 1; left--, n++) {
        uint32_t a = lightest(alive, n);
        alive[a] = 0;
        uint32_t b = lightest(alive, n);
        alive[b] = 0;
        parent[a] = parent[b] = (uint16_t)n;
        weight[n] = weight[a] + weight[b];
        alive[n] = 1;
    }
    for (uint32_t k = 0; k < SYMBOLS; k++)
        for (uint32_t up = k; weight[k] && up != n - 1; up = parent[up])
            length[k]++;
}

/* Canonical: the shorter first, among equals by symbol. */
static void make_codes(void) {
    uint32_t next = 0;
    for (uint32_t bits = 1; bits <= MAX_BITS; bits++, next <<= 1)
        for (uint32_t k = 0; k < SYMBOLS; k++)
            if (length[k] == bits)
                code[k] = next++;
}

/* ---- bits, the highest first ---- */

static uint64_t reservoir;
static uint32_t filled;
static size_t cursor;

static void put_bits(uint32_t v, uint32_t n) {
    reservoir = reservoir << n | v;
    filled += n;
    while (filled >= 8) {
        filled -= 8;
        packed[cursor++] = (uint8_t)(reservoir >> filled);
    }
}
static uint32_t get_bit(void) {
    uint32_t bit = packed[cursor >> 3] >> (7 - (cursor & 7)) & 1;
    cursor++;
    return bit;
}

static size_t pack(void) {
    for (uint32_t k = 0; k < items; k++)
        weight[symbol[k]]++;
    make_lengths();
    make_codes();
    for (uint32_t k = 0; k < items; k++) {
        put_bits(code[symbol[k]], length[symbol[k]]);
        if (symbol[k] >= 256)
            put_bits(distance[k], 15);
    }
    put_bits(0, 7);
    return cursor;
}

static uint32_t get_symbol(const uint32_t *first, const uint32_t *start, const uint16_t *sorted,
                           const uint32_t *count) {
    uint32_t v = 0;
    for (uint32_t bits = 1; bits <= MAX_BITS; bits++) {
        v = v << 1 | get_bit();
        if (v - first[bits] < count[bits])
            return sorted[start[bits] + v - first[bits]];
    }
    return 0;
}

static void unpack(void) {
    uint32_t first[MAX_BITS + 1] = {0}, start[MAX_BITS + 1] = {0}, count[MAX_BITS + 1] = {0}, n = 0;
    uint16_t sorted[SYMBOLS];
    for (uint32_t bits = 1, next = 0; bits <= MAX_BITS; bits++, next <<= 1) {
        first[bits] = next;
        start[bits] = n;
        for (uint32_t k = 0; k < SYMBOLS; k++)
            if (length[k] == bits) {
                sorted[n++] = (uint16_t)k;
                count[bits]++;
                next++;
            }
    }
    cursor = 0;
    for (uint32_t at = 0; at < SIZE;) {
        uint32_t s = get_symbol(first, start, sorted, count), back = 0;
        if (s < 256) {
            output[at++] = (uint8_t)s;
            continue;
        }
        for (uint32_t k = 0; k < 15; k++)
            back = back << 1 | get_bit();
        for (uint32_t k = 0; k < s - 256; k++, at++)
            output[at] = output[at - back];
    }
}

/* Adler's sum, as a loop that a compiler makes wide. */
static uint32_t adler(const uint8_t *p, size_t size) {
    uint32_t a = 1, b = 0;
    for (size_t k = 0; k < size; k++) {
        a = (a + p[k]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

int main(void) {
    make_input();
    find_matches();
    size_t size = pack();
    unpack();
    CHECK(memcmp(input, output, SIZE) == 0);
    printf("%u bytes, %u items, packed %zu, sums %08x %08x\n", SIZE, items, size,
           adler(packed, size), adler(output, SIZE));
    return guest_done();
}
