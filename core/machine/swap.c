/*
 * --jit-swap-every: another thread that changes the JIT back end of the running machine again and
 * again, for testing that it can be done at any time.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "machine/internal.h"

struct machine_swap {
    struct blink_machine *machine;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stop;
};

/* Wait for the interval; false: the end. */
static bool wait_interval(struct machine_swap *s) {
    struct timespec until;
    uint32_t ms = s->machine->options.jit_swap_ms;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += (long)(ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&s->lock);
    int rc = 0;
    while (!s->stop && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&s->changed, &s->lock, &until);
    bool go_on = !s->stop;
    pthread_mutex_unlock(&s->lock);
    return go_on;
}

static void *rotate(void *arg) {
    struct machine_swap *s = arg;
    struct blink_machine *m = s->machine;
    size_t next = 1;
    while (wait_interval(s)) {
        if (!m->options.jits[next])
            next = 0;
        exec_set_jit(m->exec, m->options.jits[next++]);
    }
    return NULL;
}

/* Signals are the vCPUs'. */
static int start_thread(struct machine_swap *s) {
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = pthread_create(&s->thread, NULL, rotate, s);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return -rc;
}

int machine_swap_start(struct blink_machine *m) {
    const char *const *jits = m->options.jits;
    if (!m->options.jit_swap_ms || !jits || !jits[0] || !jits[1])
        return 0;
    struct machine_swap *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    s->machine = m;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    int rc = start_thread(s);
    if (rc) {
        free(s);
        return rc;
    }
    m->swap = s;
    return 0;
}

void machine_swap_stop(struct blink_machine *m) {
    struct machine_swap *s = m->swap;
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    free(s);
    m->swap = NULL;
}

void machine_swap_forked(struct blink_machine *m) {
    /* The thread is the parent's, and so may be its lock. */
    free(m->swap);
    m->swap = NULL;
    machine_swap_start(m);
}
