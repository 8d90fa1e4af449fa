/*
 * Who may run guest code when. A vCPU is inside between park_enter and park_leave; an exclusive
 * section (a fork is one) and a debugger's stop wait until none is inside and keep all out. A stop
 * lasts and lets single steps through and exclusive sections of threads that are no vCPU's.
 * Entering costs one atomic store and one load. park_lock comes before exec->lock.
 */
#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "exec/internal.h"

/* Trampoline state: the vCPU this thread belongs to, and the same while it is inside. */
static _Thread_local struct vcpu *mine, *inside;

void park_thread(struct vcpu *v) {
    mine = v;
    inside = NULL;
}

static bool others_inside(struct exec *x) {
    bool found = false;
    pthread_mutex_lock(&x->lock);
    for (struct vcpu *v = x->vcpus; v; v = v->next)
        if (__atomic_load_n(&v->running, __ATOMIC_SEQ_CST)) {
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

void park_init(struct exec *x) {
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&x->park_lock, NULL);
    pthread_cond_init(&x->park_changed, &attr);
    pthread_condattr_destroy(&attr);
}

/* With park_lock held: until nobody is inside. Generated code is left by a signal, which can come
 * when it is just not in a state to be left, so the question is repeated. */
static void wait_until_empty(struct exec *x) {
    while (others_inside(x)) {
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        t.tv_nsec += 2000000;
        t.tv_sec += t.tv_nsec / 1000000000;
        t.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&x->park_changed, &x->park_lock, &t);
    }
}

/* With park_lock held: a stop lets a step in, an exclusive section nobody. */
static bool kept_out(const struct vcpu *v) {
    const struct exec *x = v->exec;
    return x->park_busy || (x->stops && !__atomic_load_n(&v->step, __ATOMIC_RELAXED));
}

static void wait_to_enter(struct vcpu *v) {
    struct exec *x = v->exec;
    pthread_mutex_lock(&x->park_lock);
    while (kept_out(v))
        pthread_cond_wait(&x->park_changed, &x->park_lock);
    pthread_mutex_unlock(&x->park_lock);
}

/* A step during a stop. `running` is set already, so a section that begins now waits for it. */
static bool may_step(struct vcpu *v) {
    pthread_mutex_lock(&v->exec->park_lock);
    bool may = !kept_out(v);
    pthread_mutex_unlock(&v->exec->park_lock);
    return may;
}

bool park_enter(struct vcpu *v) {
    struct exec *x = v->exec;
    for (bool waited = false;; waited = true) {
        __atomic_store_n(&v->running, 1, __ATOMIC_SEQ_CST);
        attention_clear(v->cpu, BLINK_ATTN_PARK);
        if (!__atomic_load_n(&x->park_wanted, __ATOMIC_SEQ_CST) || may_step(v)) {
            inside = v;
            return waited;
        }
        park_leave(v);
        wait_to_enter(v);
    }
}

/* With park_lock held, after a change of what keeps vCPUs out. */
static void tell(struct exec *x) {
    __atomic_store_n(&x->park_wanted, x->park_busy || x->stops, __ATOMIC_SEQ_CST);
    pthread_cond_broadcast(&x->park_changed);
}

void park_exclusive(void *exec, void (*work)(void *), void *arg) {
    struct exec *x = exec;
    struct vcpu *self = inside;
    bool guest = mine && mine->exec == x;
    /* One that waits for the machine must not itself keep it from another. */
    if (self)
        park_leave(self);
    pthread_mutex_lock(&x->park_lock);
    /* Who has stopped the machine may change it; what the guest asks for waits. */
    while (x->park_busy || (guest && x->stops))
        pthread_cond_wait(&x->park_changed, &x->park_lock);
    x->park_busy = true;
    tell(x);
    wait_until_empty(x);
    pthread_mutex_unlock(&x->park_lock);
    work(arg);
    pthread_mutex_lock(&x->park_lock);
    x->park_busy = false;
    tell(x);
    pthread_mutex_unlock(&x->park_lock);
    if (self)
        park_enter(self);
}

int park_stop(struct exec *x) {
    if (mine && mine->exec == x)
        return -EDEADLK;
    pthread_mutex_lock(&x->park_lock);
    x->stops++;
    tell(x);
    wait_until_empty(x);
    /* A section that has begun ends first; none of the guest's begins any more. */
    while (x->park_busy)
        pthread_cond_wait(&x->park_changed, &x->park_lock);
    pthread_mutex_unlock(&x->park_lock);
    return 0;
}

int park_resume(struct exec *x) {
    pthread_mutex_lock(&x->park_lock);
    int rc = x->stops ? 0 : -EINVAL;
    if (rc == 0) {
        x->stops--;
        tell(x);
    }
    pthread_mutex_unlock(&x->park_lock);
    return rc;
}

int park_step(struct vcpu *v) {
    struct exec *x = v->exec;
    if (mine && mine->exec == x)
        return -EDEADLK;
    pthread_mutex_lock(&x->park_lock);
    int rc = x->stops ? 0 : -EINVAL;
    if (rc == 0) {
        __atomic_store_n(&v->step, 1, __ATOMIC_SEQ_CST);
        signals_attention(v, BLINK_ATTN_STEP);
        pthread_cond_broadcast(&x->park_changed);
        /* Once the machine ends the vCPU may be gone: look at that first. */
        while (!__atomic_load_n(&x->ending, __ATOMIC_ACQUIRE) &&
               __atomic_load_n(&v->step, __ATOMIC_SEQ_CST))
            pthread_cond_wait(&x->park_changed, &x->park_lock);
    }
    pthread_mutex_unlock(&x->park_lock);
    return rc;
}

void park_stepped(struct vcpu *v) {
    struct exec *x = v->exec;
    pthread_mutex_lock(&x->park_lock);
    __atomic_store_n(&v->step, 0, __ATOMIC_SEQ_CST);
    pthread_cond_broadcast(&x->park_changed);
    pthread_mutex_unlock(&x->park_lock);
}

void park_end(struct vcpu *v) {
    struct exec *x = v->exec;
    pthread_mutex_lock(&x->park_lock);
    __atomic_store_n(&v->step, 0, __ATOMIC_SEQ_CST);
    pthread_cond_broadcast(&x->park_changed);
    while (x->stops && !__atomic_load_n(&x->ending, __ATOMIC_ACQUIRE))
        pthread_cond_wait(&x->park_changed, &x->park_lock);
    pthread_mutex_unlock(&x->park_lock);
    mine = NULL;
}

void park_ending(struct exec *x) {
    pthread_mutex_lock(&x->park_lock);
    pthread_cond_broadcast(&x->park_changed);
    pthread_mutex_unlock(&x->park_lock);
}

void park_after_fork(struct exec *x) {
    park_init(x);
    /* The debugger's thread is not in this process; the exclusive section is this thread's. */
    x->stops = 0;
}
