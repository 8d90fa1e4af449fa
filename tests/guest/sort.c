/*
 * qsort and bsearch: comparison functions called back from the library, structures swapped.
 */
#include <stdlib.h>
#include <string.h>

#include "guest.h"

struct record {
    uint32_t key;
    char name[20];
};

static int by_number(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct record *)a)->name, ((const struct record *)b)->name);
}

int main(void) {
    enum { NUMBERS = 200000, RECORDS = 5000 };
    static int64_t number[NUMBERS];
    static struct record record[RECORDS];
    uint64_t state = 1, hash = GUEST_HASH;

    for (int k = 0; k < NUMBERS; k++)
        number[k] = (int64_t)guest_random(&state);
    qsort(number, NUMBERS, sizeof number[0], by_number);
    for (int k = 1; k < NUMBERS; k++)
        if (!CHECK(number[k - 1] <= number[k]))
            break;
    for (int k = 0; k < NUMBERS; k += 1000)
        CHECK(bsearch(&number[k], number, NUMBERS, sizeof number[0], by_number) == &number[k]);
    hash = guest_hash(hash, number, sizeof number);

    for (int k = 0; k < RECORDS; k++) {
        record[k].key = (uint32_t)k;
        snprintf(record[k].name, sizeof record[k].name, "name %llu",
                 (unsigned long long)(guest_random(&state) % 1000000));
    }
    qsort(record, RECORDS, sizeof record[0], by_name);
    for (int k = 1; k < RECORDS; k++)
        if (!CHECK(strcmp(record[k - 1].name, record[k].name) <= 0))
            break;
    for (int k = 0; k < RECORDS; k++)
        hash = guest_hash(hash, record[k].name, strlen(record[k].name));
    printf("%016llx\n", (unsigned long long)hash);
    return guest_done();
}
