/*
 * Locked instructions: cmpxchg8b and cmpxchg16b, xadd, bts, and 128-bit exchange from two threads;
 * cmpxchg16b of an address that is not aligned raises #GP.
 */
#include <pthread.h>

#include "faults.h"

struct pair {
    uint64_t low, high;
} __attribute__((aligned(16)));

static int cas16(volatile struct pair *p, struct pair *expected, struct pair next) {
    unsigned char good;
    __asm__ volatile("lock cmpxchg16b %1; setz %0"
                     : "=q"(good), "+m"(*p), "+a"(expected->low), "+d"(expected->high)
                     : "b"(next.low), "c"(next.high)
                     : "cc", "memory");
    return good;
}

static int cas8(volatile uint64_t *p, uint64_t *expected, uint64_t next) {
    unsigned char good;
    uint32_t low = (uint32_t)*expected, high = (uint32_t)(*expected >> 32);
    __asm__ volatile("lock cmpxchg8b %1; setz %0"
                     : "=q"(good), "+m"(*p), "+a"(low), "+d"(high)
                     : "b"((uint32_t)next), "c"((uint32_t)(next >> 32))
                     : "cc", "memory");
    *expected = (uint64_t)high << 32 | low;
    return good;
}

enum { ROUNDS = 30000 };
static struct pair shared;
static uint64_t shared8, counter, bits[4];
static volatile uint64_t added;

static void *worker(void *arg) {
    uint64_t bit = (uint64_t)(uintptr_t)arg;
    for (int k = 0; k < ROUNDS; k++) {
        struct pair old = shared;
        while (!cas16(&shared, &old, (struct pair){old.low + 1, old.high + 3}))
            ;
        uint64_t seen = shared8;
        while (!cas8(&shared8, &seen, seen + 0x100000001))
            ;
        __atomic_fetch_add(&counter, 2, __ATOMIC_SEQ_CST);
        __atomic_fetch_xor(&bits[0], UINT64_C(1) << bit, __ATOMIC_SEQ_CST);
        __asm__ volatile("lock btsq %1, %0" : "+m"(bits[1]) : "r"(bit) : "cc");
        __asm__ volatile("lock incq %0" : "+m"(bits[2]) : : "cc");
        __asm__ volatile("lock subw $1, %0" : "+m"(bits[3]) : : "cc");
    }
    return NULL;
}

static void contended(void) {
    pthread_t thread[3];
    for (uintptr_t k = 0; k < 3; k++)
        CHECK(pthread_create(&thread[k], NULL, worker, (void *)(k + 1)) == 0);
    for (int k = 0; k < 3; k++)
        pthread_join(thread[k], NULL);
    CHECK(shared.low == 3 * ROUNDS && shared.high == 9 * ROUNDS);
    CHECK(shared8 == 3 * ROUNDS * UINT64_C(0x100000001));
    CHECK(counter == 6 * ROUNDS);
    CHECK(bits[0] == 0 && bits[1] == 0xe && bits[2] == 3 * ROUNDS);
    CHECK(bits[3] == (uint16_t)(-3 * ROUNDS));
}

static void single(void) {
    struct pair p = {1, 2}, expected = {1, 3};
    CHECK(!cas16(&p, &expected, (struct pair){8, 9}));
    CHECK(expected.low == 1 && expected.high == 2 && p.low == 1 && p.high == 2);
    CHECK(cas16(&p, &expected, (struct pair){8, 9}));
    CHECK(p.low == 8 && p.high == 9);
    uint64_t v = 5, old = 4;
    CHECK(!cas8(&v, &old, 9) && old == 5 && v == 5);
    CHECK(cas8(&v, &old, 9) && v == 9);
    /* A locked operation across a cache line still works. */
    unsigned char room[192] __attribute__((aligned(64))) = {0};
    uint32_t *odd = (uint32_t *)(room + 62), got = 7;
    __asm__ volatile("lock xaddl %0, %1" : "+r"(got), "+m"(*odd) : : "cc");
    __asm__ volatile("xchgl %0, %1" : "+r"(got), "+m"(*odd));
    CHECK(got == 7 && *odd == 0);
    fault_catch_all();
    volatile struct pair *bad = (struct pair *)(room + 8);
    FAULT_TRY(cas16(bad, &expected, expected));
    CHECK(caught.signo == SIGSEGV && caught.trapno == 13);
}

int main(void) {
    single();
    contended();
    return guest_done();
}
