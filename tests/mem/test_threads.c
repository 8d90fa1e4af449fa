/*
 * Many threads in one space, and fork. Made for ThreadSanitizer as much as for its own assertions.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cpu/cpu.h"
#include "support.h"

#define THREADS 6
#define ROUNDS  300

/* Exclusive sections as exec has them: guest code runs with the lock held for reading. */
static pthread_rwlock_t inside = PTHREAD_RWLOCK_INITIALIZER;

static void exclusive(void *arg, void (*work)(void *work_arg), void *work_arg) {
    (void)arg;
    pthread_rwlock_wrlock(&inside);
    work(work_arg);
    pthread_rwlock_unlock(&inside);
}

static void drop_code(void *arg, uint64_t start, uint64_t end) {
    (void)arg;
    (void)start;
    (void)end;
}

struct worker {
    struct blink_mem *mem;
    uint32_t number;
    pthread_t thread;
    const char *wrong;
};

static bool guest_touch(struct space *s, uint64_t address, uint8_t value) {
    uint8_t v = 0;
    pthread_rwlock_rdlock(&inside);
    bool ok = guest_store(s, address, value, NULL) == NO_FAULT &&
              guest_load(s, address, &v, NULL) == NO_FAULT && v == value;
    pthread_rwlock_unlock(&inside);
    return ok;
}

#define EXPECT(x)                                                                                  \
  do {                                                                                             \
    if (!(x)) {                                                                                    \
      w->wrong = #x;                                                                               \
      return;                                                                                      \
    }                                                                                              \
  } while (0)

/* Its own pieces of memory, in all the ways there are. */
static void one_round(struct worker *w, struct space *s, uint32_t k) {
    uint8_t byte = (uint8_t)(w->number * 16 + k), got = 0;
    uint64_t at = 0, moved, pinned = 2 * PAGE, half;
    struct blink_mem_span span[2];
    uint32_t count = 2;
    const uint32_t shared = k & 1 ? BLINK_MAP_SHARED : 0;
    EXPECT(mem_map(w->mem, 0, 8 * PAGE, RWX, ANON | shared, -1, 0, &at) == 0);
    EXPECT(guest_touch(s, at + 5, byte));
    /* Others may have made the place volatile: either answer is right. */
    mem_code_track(s->cpu, at, at + 16);
    EXPECT(guest_touch(s, at + 6, byte));
    EXPECT(mem_copy_in(w->mem, &got, at + 5, 1) == 0 && got == byte);
    EXPECT(mem_copy_out(w->mem, at + PAGE - 1, "xy", 2) == 0);
    EXPECT(mem_pin(w->mem, at + PAGE, &pinned, W, span, &count) == 0 && pinned == 2 * PAGE);
    memset(span[0].host, byte, span[0].size);
    mem_unpin(w->mem, at + PAGE, pinned, W);
    EXPECT(guest_touch(s, at + PAGE, byte));
    EXPECT(mem_protect(w->mem, at + 4 * PAGE, PAGE, R) == 0);
    EXPECT(mem_protect(w->mem, at + 4 * PAGE, PAGE, RWX) == 0);
    EXPECT(mem_remap(w->mem, at, 4 * PAGE, 6 * PAGE, BLINK_REMAP_MAYMOVE, 0, &moved) == 0);
    EXPECT(guest_touch(s, moved + 6, byte));
    EXPECT(mem_advise(w->mem, at + 5 * PAGE, PAGE, BLINK_ADVISE_DONTNEED) == 0);
    half = at + 4 * PAGE;
    EXPECT(mem_unmap(w->mem, half, 4 * PAGE) == 0);
    EXPECT(mem_unmap(w->mem, moved, 6 * PAGE) == 0);
}

static void *work(void *arg) {
    struct worker *w = arg;
    struct space s = {.mem = w->mem};
    s.cpu = calloc(1, sizeof *s.cpu);
    cpu_reset_user64(s.cpu);
    if (!s.cpu || mem_attach(w->mem, s.cpu)) {
        w->wrong = "attach";
        return NULL;
    }
    for (uint32_t k = 0; k < ROUNDS && !w->wrong; k++)
        one_round(w, &s, k);
    mem_detach(w->mem, s.cpu);
    free(s.cpu);
    return NULL;
}

static struct space *threaded_space(enum mem_strategy strategy) {
    struct mem_options o = {.strategy = strategy};
    o.hooks = (struct mem_hooks){.arg = &inside, .drop_code = drop_code, .exclusive = exclusive};
    return space_new(&o);
}

static int threaded_setup(void **state) {
    *state = threaded_space((enum mem_strategy)(uintptr_t)*state);
    return 0;
}

static void test_threads(void **state) {
    struct space *s = *state;
    struct worker w[THREADS];
    for (uint32_t k = 0; k < THREADS; k++) {
        w[k] = (struct worker){.mem = s->mem, .number = k};
        assert_int_equal(pthread_create(&w[k].thread, NULL, work, &w[k]), 0);
    }
    for (uint32_t k = 0; k < THREADS; k++)
        pthread_join(w[k].thread, NULL);
    for (uint32_t k = 0; k < THREADS; k++)
        if (w[k].wrong)
            fail_msg("thread %u: %s", k, w[k].wrong);
    /* Nothing is left but the vCPU of the fixture. */
    assert_hole(s, 0, UINT64_MAX);
    assert_int_equal(s->mem->cpu_count, 1);
}

/* One unmaps and maps what another reads: a value or a fault, never anything else. */
struct flicker {
    struct space *s;
    uint32_t stop;
};

static void *flicker(void *arg) {
    struct flicker *f = arg;
    for (int k = 0; k < 400; k++) {
        uint64_t out;
        mem_map(f->s->mem, ARENA, PAGE, RW, FIXED_ANON, -1, 0, &out);
        mem_copy_out(f->s->mem, ARENA, "\x5a", 1);
        mem_protect(f->s->mem, ARENA, PAGE, R);
        mem_unmap(f->s->mem, ARENA, PAGE);
    }
    __atomic_store_n(&f->stop, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void test_flicker(void **state) {
    struct flicker f = {.s = *state};
    pthread_t thread;
    uint32_t odd = 0;
    assert_int_equal(pthread_create(&thread, NULL, flicker, &f), 0);
    while (!__atomic_load_n(&f.stop, __ATOMIC_ACQUIRE)) {
        uint8_t v = 0;
        if (mem_copy_in(f.s->mem, &v, ARENA, 1) == 0 && v != 0 && v != 0x5a)
            odd++;
    }
    pthread_join(thread, NULL);
    assert_int_equal(odd, 0);
}

/* In the child the space is whole, its lock free, and what is written stays the child's. */
static void test_fork(void **state) {
    struct space *s = *state;
    int status = 0;
    map_at(s, ARENA, 4 * PAGE, RW, 0);
    map_at(s, ARENA + 4 * PAGE, PAGE, RW, BLINK_MAP_SHARED);
    store(s, ARENA, 1);
    mem_before_fork(s->mem);
    pid_t pid = fork();
    if (pid == 0) {
        mem_after_fork(s->mem);
        bool ok = guest_load(s, ARENA, &(uint8_t){0}, NULL) == NO_FAULT &&
                  guest_store(s, ARENA, 2, NULL) == NO_FAULT &&
                  guest_store(s, ARENA + 4 * PAGE, 3, NULL) == NO_FAULT &&
                  mem_unmap(s->mem, ARENA + PAGE, PAGE) == 0 && map_any(s, 0, PAGE, RW, 0) > 0;
        _exit(ok ? 42 : 1);
    }
    mem_fork_parent(s->mem);
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
    assert_int_equal(load(s, ARENA), 1);
    assert_int_equal(load(s, ARENA + 4 * PAGE), 3);
    assert_int_equal(load(s, ARENA + PAGE), 0);
}

/* What was lent in the parent is nobody's in the child: its place can be used again. */
static void test_fork_forgets_pins(void **state) {
    struct space *s = *state;
    struct blink_mem_span span;
    uint32_t count = 1;
    uint64_t size = PAGE;
    map_at(s, ARENA, PAGE, RWX, 0);
    assert_int_equal(mem_pin(s->mem, ARENA, &size, W, &span, &count), 0);
    assert_false(mem_code_track(s->cpu, ARENA, ARENA + 1));
    mem_before_fork(s->mem);
    mem_after_fork(s->mem); /* as the child sees it */
    assert_true(mem_code_track(s->cpu, ARENA, ARENA + 1));
}

#define THREADED(test, strategy)                                                                   \
  { #test "_" #strategy, test, threaded_setup, space_teardown, (void *)(uintptr_t)strategy }

int main(void) {
    const struct CMUnitTest tests[] = {
        THREADED(test_threads, MEM_LINEAR),
        THREADED(test_threads, MEM_PAGED),
        THREADED(test_flicker, MEM_LINEAR),
        THREADED(test_flicker, MEM_PAGED),
        BOTH(test_fork),
        BOTH(test_fork_forgets_pins),
    };
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
