/*
 * Who may run guest code when. A vCPU is inside between park_enter and park_leave; an exclusive
 * section, a debugger's stop and a fork wait until none but their own thread is inside and keep
 * the others out. Entering costs one atomic store and one load.
 */
#include <errno.h>
#include <unistd.h>

#include "exec/internal.h"

/* Trampoline state: the vCPU this thread belongs to, and the same while it is inside. */
static _Thread_local struct vcpu *mine, *inside;

void park_thread(struct vcpu *v) {
    mine = v;
}

static bool others_inside(struct exec *x, const struct vcpu *self) {
    bool found = false;
    pthread_mutex_lock(&x->lock);
    for (struct vcpu *v = x->vcpus; v; v = v->next)
        if (v != self && __atomic_load_n(&v->running, __ATOMIC_SEQ_CST)) {
            signals_attention(v, BLINK_ATTN_PARK);
            found = true;
        }
    pthread_mutex_unlock(&x->lock);
    return found;
}

void park_leave(struct vcpu *v) {
    inside = NULL;
    __atomic_store_n(&v->running, 0, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&v->exec->park_wanted, __ATOMIC_SEQ_CST)) {
        pthread_mutex_lock(&v->exec->park_lock);
        pthread_cond_broadcast(&v->exec->park_changed);
        pthread_mutex_unlock(&v->exec->park_lock);
    }
}

static void wait_to_enter(struct vcpu *v) {
    struct exec *x = v->exec;
    pthread_mutex_lock(&x->park_lock);
    while (x->park_wanted && !v->step)
        pthread_cond_wait(&x->park_changed, &x->park_lock);
    pthread_mutex_unlock(&x->park_lock);
}

void park_enter(struct vcpu *v) {
    struct exec *x = v->exec;
    for (;;) {
        __atomic_store_n(&v->running, 1, __ATOMIC_SEQ_CST);
        attention_clear(v->cpu, BLINK_ATTN_PARK);
        if (!__atomic_load_n(&x->park_wanted, __ATOMIC_SEQ_CST) || v->step)
            break;
        park_leave(v);
        wait_to_enter(v);
    }
    inside = v;
}

/* Take the machine: from now on nobody but `self` enters, and nobody else is inside. */
static void take(struct exec *x, struct vcpu *self) {
    pthread_mutex_lock(&x->park_lock);
    while (x->park_wanted)
        pthread_cond_wait(&x->park_changed, &x->park_lock);
    __atomic_store_n(&x->park_wanted, 1, __ATOMIC_SEQ_CST);
    while (others_inside(x, self))
        pthread_cond_wait(&x->park_changed, &x->park_lock);
    pthread_mutex_unlock(&x->park_lock);
}

static void give(struct exec *x) {
    pthread_mutex_lock(&x->park_lock);
    __atomic_store_n(&x->park_wanted, 0, __ATOMIC_SEQ_CST);
    pthread_cond_broadcast(&x->park_changed);
    pthread_mutex_unlock(&x->park_lock);
}

void park_exclusive(void *exec, void (*work)(void *), void *arg) {
    struct exec *x = exec;
    struct vcpu *self = inside;
    bool alone = mine && mine->exec == x && __atomic_load_n(&x->live, __ATOMIC_ACQUIRE) <= 1;
    if (alone && !__atomic_load_n(&x->park_wanted, __ATOMIC_SEQ_CST)) {
        work(arg);
        return;
    }
    /* One that waits for the machine must not itself keep it from another. */
    if (self)
        park_leave(self);
    take(x, NULL);
    work(arg);
    give(x);
    if (self)
        park_enter(self);
}

int park_stop(struct exec *x) {
    if (inside && inside->exec == x)
        return -EDEADLK;
    pthread_mutex_lock(&x->lock);
    bool first = x->stops++ == 0;
    pthread_mutex_unlock(&x->lock);
    if (first)
        take(x, NULL);
    return 0;
}

int park_resume(struct exec *x) {
    pthread_mutex_lock(&x->lock);
    bool last = x->stops == 1, stopped = x->stops > 0;
    x->stops -= stopped;
    pthread_mutex_unlock(&x->lock);
    if (last)
        give(x);
    return stopped ? 0 : -EINVAL;
}

int park_step(struct vcpu *v) {
    struct exec *x = v->exec;
    if (!x->stops)
        return -EINVAL;
    pthread_mutex_lock(&x->park_lock);
    v->step = 1;
    signals_attention(v, BLINK_ATTN_STEP);
    pthread_cond_broadcast(&x->park_changed);
    while (v->step && !__atomic_load_n(&x->ending, __ATOMIC_ACQUIRE))
        pthread_cond_wait(&x->park_changed, &x->park_lock);
    pthread_mutex_unlock(&x->park_lock);
    return 0;
}

void park_stepped(struct vcpu *v) {
    struct exec *x = v->exec;
    pthread_mutex_lock(&x->park_lock);
    v->step = 0;
    pthread_cond_broadcast(&x->park_changed);
    pthread_mutex_unlock(&x->park_lock);
}

void park_after_fork(struct exec *x) {
    pthread_mutex_init(&x->park_lock, NULL);
    pthread_cond_init(&x->park_changed, NULL);
    x->park_wanted = 0;
    x->stops = 0;
}
