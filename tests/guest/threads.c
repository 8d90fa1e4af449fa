/*
 * Threads: creation, joining, thread-local storage, mutexes, condition variables, a barrier, a
 * timed wait that must sleep and not spin, detached threads, exit from main while others run.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

enum { THREADS = 8, ROUNDS = 2000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static long total, turn;
static __thread long mine = 5;
static __thread char room[300] = "initial";

static void *count(void *arg) {
    long id = (long)arg;
    CHECK(mine == 5 && room[0] == 'i');
    mine = id;
    room[0] = (char)id;
    for (int k = 0; k < ROUNDS; k++) {
        pthread_mutex_lock(&lock);
        total += mine;
        pthread_mutex_unlock(&lock);
    }
    pthread_barrier_wait(&barrier);
    return (void *)(mine * 2 + room[0]);
}

static void *take_turns(void *arg) {
    long id = (long)arg;
    for (int k = 0; k < 100; k++) {
        pthread_mutex_lock(&lock);
        while (turn % THREADS != id)
            pthread_cond_wait(&changed, &lock);
        turn++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void counting(void) {
    pthread_t t[THREADS];
    void *result;
    pthread_barrier_init(&barrier, NULL, THREADS);
    for (long k = 0; k < THREADS; k++)
        CHECK(pthread_create(&t[k], NULL, count, (void *)k) == 0);
    for (long k = 0; k < THREADS; k++)
        CHECK(pthread_join(t[k], &result) == 0 && (long)result == k * 3);
    CHECK(total == ROUNDS * THREADS * (THREADS - 1) / 2);
    CHECK(mine == 5);
    for (long k = 0; k < THREADS; k++)
        CHECK(pthread_create(&t[k], NULL, take_turns, (void *)k) == 0);
    for (long k = 0; k < THREADS; k++)
        CHECK(pthread_join(t[k], NULL) == 0);
    CHECK(turn == 100 * THREADS);
}

static void waiting(void) {
    struct timespec until;
    struct rusage before, after;
    sem_t sem;
    sem_init(&sem, 0, 0);
    getrusage(RUSAGE_SELF, &before);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 1;
    pthread_mutex_lock(&lock);
    CHECK(pthread_cond_timedwait(&changed, &lock, &until) == ETIMEDOUT);
    pthread_mutex_unlock(&lock);
    until.tv_sec += 1;
    errno = 0;
    CHECK(sem_timedwait(&sem, &until) == -1 && errno == ETIMEDOUT);
    getrusage(RUSAGE_SELF, &after);
    CHECK((after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 + after.ru_utime.tv_usec -
              before.ru_utime.tv_usec <
          500000);
}

static pthread_key_t key;
static long destroyed;
static void destructor(void *p) {
    __atomic_fetch_add(&destroyed, (long)p, __ATOMIC_SEQ_CST);
}
static void *with_key(void *arg) {
    pthread_setspecific(key, arg);
    return NULL;
}

static void many(void) {
    pthread_key_create(&key, destructor);
    for (long k = 1; k <= 200; k++) {
        pthread_t t;
        CHECK(pthread_create(&t, NULL, with_key, (void *)k) == 0);
        CHECK(pthread_join(t, NULL) == 0);
    }
    CHECK(destroyed == 200 * 201 / 2);
}

static void *cancelled(void *arg) {
    (void)arg;
    for (;;)
        pause();
    return NULL;
}

static void *forever(void *arg) {
    volatile long n = 0;
    (void)arg;
    while (n >= 0)
        n = n < 1000000 ? n + 1 : 0;
    return NULL;
}

int main(void) {
    pthread_t t;
    void *result;
    counting();
    waiting();
    many();
    CHECK(pthread_create(&t, NULL, cancelled, NULL) == 0);
    CHECK(pthread_cancel(t) == 0);
    CHECK(pthread_join(t, &result) == 0 && result == PTHREAD_CANCELED);
    /* The process ends although these never do. */
    CHECK(pthread_create(&t, NULL, forever, NULL) == 0);
    CHECK(pthread_create(&t, NULL, cancelled, NULL) == 0);
    return guest_done();
}
