/*
 * A parser of a JSON-like text in two passes. The first classifies 64 bytes at a time with AVX2:
 * table look-ups by nibble, quotes paired by a carry-less product, marks taken out with TZCNT and
 * BLSR. The second walks the marks.
 */
#include <immintrin.h>
#include <stdlib.h>
#include <string.h>

#include "../guest.h"

#define SIZE 120000

static char text[SIZE + 64];
static uint32_t mark[SIZE], marks;

/* ---- a document ---- */

static size_t put_value(size_t at, int depth, uint64_t *seed) {
    static const char *const words[] = {"true", "false", "null"};
    static const char *const strings[] = {"\"\"",
                                          "\"plain\"",
                                          "\"a \\\"quoted\\\" word\"",
                                          "\"{[,:]}\"",
                                          "\"back\\\\slash\\\\\"",
                                          "\"caf\\u00e9 \xc3\xa9\""};
    uint64_t r = guest_random(seed);
    unsigned kind = (unsigned)(r >> 8) % (depth > 8 ? 4 : 6), count = (unsigned)(r >> 16) % 7;
    switch (kind) {
    case 0: return at + (size_t)sprintf(text + at, "%lld", (long long)((int64_t)r >> 20));
    case 1: return at + (size_t)sprintf(text + at, "%.12g", (double)(int64_t)r / 4294967296e3);
    case 2: return at + (size_t)sprintf(text + at, "%s", strings[(r >> 40) % 6]);
    case 3: return at + (size_t)sprintf(text + at, "%s", words[(r >> 40) % 3]);
    default: break;
    }
    text[at++] = kind == 4 ? '[' : '{';
    for (unsigned k = 0; k < count && at < SIZE - 4000; k++) {
        if (k)
            at += (size_t)sprintf(text + at, ",%*s", (int)(r >> 50 & 3), "");
        if (kind == 5)
            at += (size_t)sprintf(text + at, "\"key%u\": ", k);
        at = put_value(at, depth + 1, seed);
    }
    text[at++] = kind == 4 ? ']' : '}';
    return at;
}

static size_t make_text(void) {
    uint64_t seed = 99;
    size_t at = 0;
    text[at++] = '[';
    while (at < SIZE - 12000) {
        at = put_value(at, 0, &seed);
        text[at++] = ',';
    }
    text[at++] = '0';
    text[at++] = ']';
    return at;
}

/* ---- first pass ---- */

struct block {
    __m256i v[2];
};

static uint64_t equal(const struct block *b, char c) {
    __m256i x = _mm256_set1_epi8(c);
    uint32_t low = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b->v[0], x));
    uint32_t high = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(b->v[1], x));
    return low | (uint64_t)high << 32;
}

/* , : [ ] { } by what their nibbles say: 2c 3a 5b 5d 7b 7d. */
static __m256i operators(__m256i v) {
    const __m256i low = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 4, 1, 4, 0, 0, 0, 0, 0, 0,
                                         0, 0, 0, 0, 0, 0, 2, 4, 1, 4, 0, 0);
    const __m256i high = _mm256_setr_epi8(0, 0, 1, 2, 0, 4, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
                                          2, 0, 4, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m256i nibble = _mm256_set1_epi8(15);
    __m256i l = _mm256_shuffle_epi8(low, v);
    __m256i h = _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble));
    return _mm256_cmpgt_epi8(_mm256_and_si256(l, h), _mm256_setzero_si256());
}

static uint64_t structure(const struct block *b) {
    uint32_t low = (uint32_t)_mm256_movemask_epi8(operators(b->v[0]));
    uint32_t high = (uint32_t)_mm256_movemask_epi8(operators(b->v[1]));
    return low | (uint64_t)high << 32;
}

/* Bytes after an odd run of backslashes; *carry says that the next block begins with one. */
static uint64_t escaped(uint64_t slash, uint64_t *carry) {
    uint64_t result = *carry, rest = slash & ~*carry;
    *carry = 0;
    while (rest) {
        unsigned at = (unsigned)_tzcnt_u64(rest);
        if (at == 63)
            *carry = 1;
        else
            result |= UINT64_C(2) << at;
        rest &= at == 63 ? 0 : ~(UINT64_C(3) << at);
    }
    return result;
}

/* Ones from each quote up to the next. */
static uint64_t within(uint64_t quotes) {
    __m128i ones = _mm_set1_epi8((char)0xff);
    return (uint64_t)_mm_cvtsi128_si64(
        _mm_clmulepi64_si128(_mm_cvtsi64_si128((long long)quotes), ones, 0));
}

static void find_marks(size_t size) {
    uint64_t carry = 0, inside = 0;
    for (size_t at = 0; at < size; at += 64) {
        struct block b = {{_mm256_loadu_si256((const __m256i *)(text + at)),
                           _mm256_loadu_si256((const __m256i *)(text + at + 32))}};
        uint64_t quotes = equal(&b, '"') & ~escaped(equal(&b, '\\'), &carry);
        uint64_t strings = within(quotes) ^ inside;
        inside = (uint64_t)((int64_t)strings >> 63);
        uint64_t found = (structure(&b) & ~strings) | quotes;
        for (; found; found = _blsr_u64(found))
            mark[marks++] = (uint32_t)at + (uint32_t)_tzcnt_u64(found);
    }
}

/* ---- second pass ---- */

static uint64_t count[128], digest = GUEST_HASH;
static double sum;
static int64_t integers;

/* What stands between two marks and is no string. */
static void scalar(const char *from, const char *to) {
    while (from < to && *from == ' ')
        from++;
    if (from == to)
        return;
    count[(unsigned char)*from & 127]++;
    digest = guest_hash(digest, from, (size_t)(to - from));
    if (*from == '-' || (*from >= '0' && *from <= '9')) {
        sum += strtod(from, NULL);
        integers += strtoll(from, NULL, 10);
    }
}

static unsigned walk(void) {
    unsigned depth = 0, deepest = 0;
    for (uint32_t k = 0; k < marks; k++) {
        char c = text[mark[k]];
        count[(unsigned char)c & 127]++;
        if (c == '[' || c == '{')
            depth++;
        if (c == ']' || c == '}')
            depth--;
        deepest = depth > deepest ? depth : deepest;
        if (c == '"') {
            digest = guest_hash(digest, text + mark[k], mark[k + 1] - mark[k]);
            k++;
        } else if (k + 1 < marks)
            scalar(text + mark[k] + 1, text + mark[k + 1]);
    }
    CHECK(depth == 0);
    return deepest;
}

int main(void) {
    size_t size = make_text();
    find_marks(size);
    unsigned deepest = walk();
    printf("%zu bytes, %u marks, depth %u, digest %016llx\n", size, marks, deepest,
           (unsigned long long)digest);
    printf("sum %.17g integers %lld\n", sum, (long long)integers);
    for (int c = 33; c < 127; c++)
        if (count[c])
            printf("%c %llu\n", c, (unsigned long long)count[c]);
    CHECK(count['['] == count[']'] && count['{'] == count['}']);
    return guest_done();
}
