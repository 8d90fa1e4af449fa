/*
 * A side of the comparison in a process of its own: it takes the trials of each batch from memory
 * shared with the tester and leaves their outcomes there. The tester's thread starts and waits; the
 * worker's asks for one trial after the other.
 */
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "diff.h"

/* A batch that has not ended after this many seconds of processor time does not end. */
#define LIMIT_SECONDS 5

struct worker {
    const char *name;
    pid_t child;
    uint32_t generation;      /* the tester's: number of the batch asked for last */
    uint32_t request, answer; /* futexes: numbers of the batch asked for, and done */
    uint32_t count, done;
    uint32_t seen; /* the worker's: number of the batch under way, 0 before the first */
    struct outcome outcomes[BATCH];
};

static struct trial *trials;

void *worker_share(size_t size) {
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

struct trial *worker_trials(void) {
    if (!trials)
        trials = worker_share(BATCH * sizeof *trials);
    return trials;
}

static void futex_wait(uint32_t *word, uint32_t value) {
    struct timespec limit = {1, 0};
    syscall(SYS_futex, word, FUTEX_WAIT, value, &limit, NULL, 0);
}
static void futex_wake(uint32_t *word) {
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* ---- in the worker ---- */

static void alarm_after(int seconds) {
    const struct itimerval t = {{seconds, 0}, {seconds, 0}};
    setitimer(ITIMER_PROF, &t, NULL);
}

static void finish_batch(struct worker *w) {
    alarm_after(0);
    __atomic_store_n(&w->answer, w->seen, __ATOMIC_RELEASE);
    futex_wake(&w->answer);
}

static void begin_batch(struct worker *w) {
    uint32_t want;
    while ((want = __atomic_load_n(&w->request, __ATOMIC_ACQUIRE)) == w->seen)
        futex_wait(&w->request, want);
    w->seen = want;
    w->done = 0;
    alarm_after(LIMIT_SECONDS);
}

const struct trial *worker_next(struct worker *w, struct outcome **out) {
    bool over = !w->seen || ++w->done == w->count;
    /* The tester may ask for the next batch, of another size, as soon as it has the answer. */
    if (over && w->seen)
        finish_batch(w);
    if (over)
        begin_batch(w);
    *out = &w->outcomes[w->done];
    return &trials[w->done];
}

uint32_t worker_index(const struct worker *w) {
    return w->done;
}

/* ---- in the tester ---- */

const struct outcome *worker_outcomes(const struct worker *w) {
    return w->outcomes;
}

struct worker *worker_create(const char *name, void (*work)(struct worker *w, void *arg),
                             void *arg) {
    struct worker *w = worker_trials() ? worker_share(sizeof *w) : NULL;
    if (!w)
        return NULL;
    w->name = name;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        work(w, arg);
        _exit(4);
    }
    w->child = child; /* the memory is the child's, too */
    return child > 0 ? w : NULL;
}

void worker_start(struct worker *w, uint32_t count) {
    if (count == 0)
        return;
    w->count = count;
    __atomic_store_n(&w->request, ++w->generation, __ATOMIC_RELEASE);
    futex_wake(&w->request);
}

static void say_dead(const struct worker *w, int status) {
    const struct trial *t = &trials[w->done];
    printf("FAIL %s, %s: the side died (status %#x)\n", op_names[t->focus], w->name, status);
    report_code(t);
    fflush(stdout);
    exit(2);
}

const struct outcome *worker_wait(struct worker *w) {
    while (__atomic_load_n(&w->answer, __ATOMIC_ACQUIRE) != w->generation) {
        int status;
        futex_wait(&w->answer, w->generation - 1);
        if (__atomic_load_n(&w->answer, __ATOMIC_ACQUIRE) != w->generation &&
            waitpid(w->child, &status, WNOHANG) == w->child)
            say_dead(w, status);
    }
    return w->outcomes;
}

void worker_destroy(struct worker *w) {
    if (!w)
        return;
    kill(w->child, SIGKILL);
    waitpid(w->child, NULL, 0);
    munmap(w, sizeof *w);
}
