/*
 * Pointer chasing: a hash table with chains, larger than the caches near the core.
 */
#include "bench.h"

enum { BUCKETS = 1 << 16, NODES = 200000 };
struct node {
    struct node *next;
    uint64_t key, value;
};
static struct node *bucket[BUCKETS], node[NODES];

static unsigned bucket_of(uint64_t key) {
    return (unsigned)(key * UINT64_C(0x9e3779b97f4a7c15) >> 48);
}

int main(int argc, char **argv) {
    long lookups = bench_size(argc, argv, 3000000);
    uint64_t state = 3, sum = 0, found = 0;
    for (int k = 0; k < NODES; k++) {
        node[k].key = bench_random(&state) % 400000;
        node[k].value = (uint64_t)k;
        unsigned b = bucket_of(node[k].key);
        node[k].next = bucket[b];
        bucket[b] = &node[k];
    }
    for (long k = 0; k < lookups; k++) {
        uint64_t key = bench_random(&state) % 400000;
        for (struct node *n = bucket[bucket_of(key)]; n; n = n->next)
            if (n->key == key) {
                sum += n->value++;
                found++;
                break;
            }
    }
    printf("%llu %llu\n", (unsigned long long)sum, (unsigned long long)found);
    return 0;
}
