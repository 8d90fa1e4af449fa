/*
 * A round trip of a million doubles through printf and strtod: any bit pattern that is a number
 * must come back, and the text must be the same as elsewhere.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

int main(int argc, char **argv) {
    long count = argc > 1 ? atol(argv[1]) : 1000000;
    uint64_t state = 42, hash = GUEST_HASH;
    long bad = 0;
    for (long k = 0; k < count;) {
        uint64_t bits = guest_random(&state), back;
        double value, again;
        char text[40];
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value))
            continue;
        /* Half of them near 1, where people's numbers are. */
        if (k & 1)
            value = (double)(int64_t)bits / 1e15;
        memcpy(&bits, &value, sizeof bits);
        int n = snprintf(text, sizeof text, "%.17g", value);
        again = strtod(text, NULL);
        memcpy(&back, &again, sizeof back);
        if (back != bits && ++bad <= 5)
            printf("%016llx came back as %016llx through %s\n", (unsigned long long)bits,
                   (unsigned long long)back, text);
        hash = guest_hash(hash, text, (size_t)n);
        k++;
    }
    printf("%ld of %ld differ, text %016llx\n", bad, count, (unsigned long long)hash);
    return bad != 0;
}
