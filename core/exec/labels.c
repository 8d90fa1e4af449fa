/*
 * What generated code is called: for perf(1) lines of a file that perf looks for, for GDB files of
 * symbols in memory (gdb.c). Back ends tell of each piece of code as they make it, under
 * exec->lock, which guards all of this.
 *
 * GDB stops the process for each file, so one holds what comes within a moment: a thread of blink's
 * own makes it, since the last piece may be a loop after which nothing comes any more. What is
 * forgotten goes with the file. A child of fork has no such thread and starts without names.
 */
#include "exec/labels.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "exec/internal.h"

#define MOMENT_NS 20000000 /* that pieces wait for others */

struct labels {
    FILE *perf;
    bool gdb;
    pthread_t thread;
    pthread_cond_t changed; /* something waits, or the end */
    bool ending;
    struct label *waiting;
    size_t count, capacity;
    struct gdb_file **files;
    size_t file_count, file_capacity;
};

void label_name(const struct label *l, char out[LABEL_ROOM]) {
    if (l->rip)
        snprintf(out, LABEL_ROOM, "%s_%" PRIx64, l->what, l->rip);
    else
        snprintf(out, LABEL_ROOM, "%s", l->what);
}

/* Room for one more of `size` bytes each. */
static bool reserve(void **v, size_t count, size_t *capacity, size_t size) {
    if (count < *capacity)
        return true;
    size_t n = *capacity ? *capacity * 2 : 64;
    void *p = realloc(*v, n * size);
    if (!p)
        return false;
    *v = p;
    *capacity = n;
    return true;
}

static void publish(struct labels *l) {
    void *files = l->files;
    if (l->count && reserve(&files, l->file_count, &l->file_capacity, sizeof *l->files)) {
        l->files = files;
        struct gdb_file *f = gdb_register(l->waiting, l->count);
        if (f)
            l->files[l->file_count++] = f;
    }
    l->count = 0;
}

static void *publisher(void *arg) {
    struct exec *x = arg;
    struct labels *l = x->labels;
    pthread_mutex_lock(&x->lock);
    while (!l->ending) {
        if (!l->count) {
            pthread_cond_wait(&l->changed, &x->lock);
            continue;
        }
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += MOMENT_NS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        while (!l->ending && pthread_cond_timedwait(&l->changed, &x->lock, &until) == 0)
            ;
        publish(l);
    }
    pthread_mutex_unlock(&x->lock);
    return NULL;
}

static void open_perf(struct exec *x, struct labels *l) {
    char path[64];
    snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)getpid());
    l->perf = fopen(path, "we");
    if (l->perf)
        setvbuf(l->perf, NULL, _IOLBF, 0);
    else
        exec_log(x, BLINK_LOG_WARN, "%s: cannot be written: no names for perf", path);
}

/* Signals are the vCPUs'. */
static void start_publisher(struct exec *x, struct labels *l) {
    uint64_t mask = signals_block();
    int rc = pthread_create(&l->thread, NULL, publisher, x);
    signals_restore(mask);
    l->gdb = rc == 0;
    if (rc)
        exec_log(x, BLINK_LOG_WARN, "no thread, and so no names for GDB: %s", strerror(rc));
}

int labels_create(struct exec *x) {
    const struct exec_options *o = &x->options;
    if (!o->perf_map && !o->gdb_jit)
        return 0;
    struct labels *l = calloc(1, sizeof *l);
    if (!l)
        return -ENOMEM;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&l->changed, &attr);
    pthread_condattr_destroy(&attr);
    x->labels = l;
    if (o->perf_map)
        open_perf(x, l);
    if (o->gdb_jit)
        start_publisher(x, l);
    return 0;
}

void labels_add(struct exec *x, const struct label *label) {
    struct labels *l = x->labels;
    if (!l)
        return;
    if (l->perf) {
        char name[LABEL_ROOM];
        label_name(label, name);
        fprintf(l->perf, "%" PRIx64 " %x %s\n", label->at, (unsigned)label->size, name);
    }
    void *waiting = l->waiting;
    if (!l->gdb || !reserve(&waiting, l->count, &l->capacity, sizeof *l->waiting))
        return;
    l->waiting = waiting;
    l->waiting[l->count++] = *label;
    if (l->count == 1)
        pthread_cond_signal(&l->changed);
}

static void forget(struct labels *l, bool silent) {
    while (l->file_count)
        gdb_unregister(l->files[--l->file_count], silent);
    l->count = 0;
}

void labels_forget(struct exec *x) {
    if (x->labels)
        forget(x->labels, false);
}

void labels_forked(struct exec *x) {
    struct labels *l = x->labels;
    if (!l)
        return;
    forget(l, true);
    l->gdb = false;
    /* It is empty by then, and the file the parent's. */
    if (l->perf)
        fclose(l->perf);
    l->perf = NULL;
}

void labels_destroy(struct exec *x) {
    struct labels *l = x->labels;
    if (!l)
        return;
    pthread_mutex_lock(&x->lock);
    l->ending = true;
    pthread_cond_signal(&l->changed);
    pthread_mutex_unlock(&x->lock);
    if (l->gdb)
        pthread_join(l->thread, NULL);
    forget(l, false);
    if (l->perf)
        fclose(l->perf);
    pthread_cond_destroy(&l->changed);
    free(l->waiting);
    free(l->files);
    free(l);
    x->labels = NULL;
}
