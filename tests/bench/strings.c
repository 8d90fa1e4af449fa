/*
 * The library's own code: string functions, formatting, allocation, qsort.
 */
#include <string.h>

#include "bench.h"

static int compare(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(int argc, char **argv) {
    enum { WORDS = 2000 };
    static char *word[WORDS], text[WORDS * 40];
    long rounds = bench_size(argc, argv, 200), sum = 0;
    uint64_t state = 11;
    for (long r = 0; r < rounds; r++) {
        size_t used = 0;
        for (int k = 0; k < WORDS; k++) {
            char line[40];
            int n = snprintf(line, sizeof line, "%d:%s-%x", k % 10, k & 1 ? "left" : "right",
                             (unsigned)bench_random(&state));
            word[k] = malloc((size_t)n + 1);
            memcpy(word[k], line, (size_t)n + 1);
        }
        qsort(word, WORDS, sizeof word[0], compare);
        for (int k = 0; k < WORDS; k++) {
            size_t n = strlen(word[k]);
            memcpy(text + used, word[k], n);
            used += n;
            text[used++] = ' ';
        }
        text[used] = 0;
        for (char *p = text; (p = strchr(p, '-')); p++)
            sum += (long)strtoul(p + 1, NULL, 16) & 0xff;
        sum += strstr(text, "right-ffff") != NULL;
        sum += (long)strcspn(text, "z");
        memmove(text + 1, text, used);
        for (int k = 0; k < WORDS; k++)
            free(word[k]);
    }
    printf("%ld\n", sum);
    return 0;
}
