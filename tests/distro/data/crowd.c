/* A thousand threads at once: all meet, all count under one lock, all come back. */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define THREADS 1000
#define ROUNDS  20

static pthread_barrier_t barrier;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long counter;
static _Thread_local long mine;

static void *member(void *arg) {
    pthread_barrier_wait(&barrier);
    for (int k = 0; k < ROUNDS; k++) {
        mine += (intptr_t)arg;
        pthread_mutex_lock(&lock);
        counter++;
        pthread_mutex_unlock(&lock);
    }
    pthread_barrier_wait(&barrier);
    return (void *)(mine == ROUNDS * (intptr_t)arg ? arg : NULL);
}

int main(void) {
    static pthread_t threads[THREADS];
    int lost = 0;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 64 << 10);
    pthread_barrier_init(&barrier, NULL, THREADS + 1);
    for (intptr_t i = 0; i < THREADS; i++) {
        int rc = pthread_create(&threads[i], &attr, member, (void *)(i + 1));
        if (rc) {
            printf("thread %d: %s\n", (int)i, strerror(rc));
            return 1;
        }
    }
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    for (intptr_t i = 0; i < THREADS; i++) {
        void *back = NULL;
        lost += pthread_join(threads[i], &back) || back != (void *)(i + 1);
    }
    printf("%d threads, counter %ld, %d lost\n", THREADS, counter, lost);
    return 0;
}
