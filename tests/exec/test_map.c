/*
 * The block map alone: finding, growing, dropping by pages, links, and when memory of dropped
 * blocks goes.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "exec/map.h"

#define PAGE UINT64_C(4096)
#define DEAD (~UINT64_C(0))

static int setup(void **state) {
    struct block_map *map = calloc(1, sizeof *map);
    *state = map;
    return map ? map_init(map) : -1;
}

static int teardown(void **state) {
    map_finish(*state);
    free(*state);
    return 0;
}

static struct block *add(struct block_map *map, uint64_t rip, uint64_t size, uint32_t mode) {
    struct block *b = map_alloc(1);
    assert_non_null(b);
    b->rip = rip;
    b->end_rip = rip + size;
    b->mode = mode;
    assert_int_equal(map_insert(map, b), 0);
    return b;
}

static void test_find(void **state) {
    struct block_map *map = *state;
    struct block *a = add(map, 0x1000, 8, 2), *b = add(map, 0x1000, 8, 1);
    struct block *c = map_alloc(1);
    c->rip = 0x1000;
    c->cs_base = 0x50;
    c->end_rip = 0x1004;
    c->mode = 2;
    map_insert(map, c);
    assert_ptr_equal(map_find(map, 0x1000, 0, 2), a);
    assert_ptr_equal(map_find(map, 0x1000, 0, 1), b);
    assert_ptr_equal(map_find(map, 0x1000, 0x50, 2), c);
    assert_null(map_find(map, 0x1001, 0, 2));
    assert_null(map_find(map, 0x1000, 0x51, 2));
    assert_null(map_find(map, DEAD, 0, 0));
    map_discard(NULL);
}

/* Many times what the tables are made for at first. */
static void test_growth(void **state) {
    struct block_map *map = *state;
    const uint64_t n = 60000;
    for (uint64_t k = 0; k < n; k++)
        add(map, 0x400000 + k * 24, 20, 2);
    assert_int_equal(map->count, n);
    for (uint64_t k = 0; k < n; k++) {
        struct block *b = map_find(map, 0x400000 + k * 24, 0, 2);
        assert_non_null(b);
        assert_int_equal(b->rip, 0x400000 + k * 24);
    }
    assert_null(map_find(map, 0x400000 + n * 24, 0, 2));
    /* Finding stays cheap: no chain is long. */
    assert_int_equal(map_drop(map, 0, UINT64_MAX, NULL, NULL), n);
    assert_int_equal(map->count, 0);
    assert_int_equal(map->dead_count, n);
    map_reap(map, 0);
    assert_int_equal(map->dead_count, 0);
}

static void test_drop_by_page(void **state) {
    struct block_map *map = *state;
    struct block *before = add(map, 5 * PAGE - 8, 8, 2);
    struct block *first = add(map, 5 * PAGE, 8, 2), *last = add(map, 6 * PAGE - 8, 8, 2);
    struct block *into = add(map, 5 * PAGE - 16, 17, 2), *out = add(map, 6 * PAGE - 1, 2, 2);
    struct block *after = add(map, 6 * PAGE, 8, 2);
    uint64_t generation = map->generation;
    assert_int_equal(map_drop(map, 5 * PAGE + 100, 5 * PAGE + 101, NULL, NULL), 4);
    assert_true(map->generation != generation);
    assert_ptr_equal(map_find(map, before->rip, 0, 2), before);
    assert_ptr_equal(map_find(map, after->rip, 0, 2), after);
    assert_int_equal(first->rip, DEAD);
    assert_int_equal(last->rip, DEAD);
    assert_int_equal(into->rip, DEAD);
    assert_int_equal(out->rip, DEAD);
    assert_int_equal(map_drop(map, 5 * PAGE, 6 * PAGE, NULL, NULL), 0);
    /* Also where nothing was the generation grows: a block under way may stand there. */
    generation = map->generation;
    map_drop(map, 100 * PAGE, 101 * PAGE, NULL, NULL);
    assert_true(map->generation != generation);
}

/* Pages that share a bucket of the page table: 4096 pages apart. */
static void test_same_bucket(void **state) {
    struct block_map *map = *state;
    const uint64_t far = 4096 * PAGE;
    struct block *kept[8], *gone[8];
    for (uint64_t k = 0; k < 8; k++) {
        kept[k] = add(map, 7 * PAGE + (2 * k + 1) * far + 4090, 12, 2);
        gone[k] = add(map, 7 * PAGE + 2 * k * far + 4090, 12, 2);
    }
    for (uint64_t k = 0; k < 8; k++)
        assert_int_equal(map_drop(map, 8 * PAGE + 2 * k * far, 9 * PAGE + 2 * k * far, NULL, NULL),
                         1);
    for (uint64_t k = 0; k < 8; k++) {
        assert_int_equal(gone[k]->rip, DEAD);
        assert_ptr_equal(map_find(map, kept[k]->rip, 0, 2), kept[k]);
    }
    assert_int_equal(map_drop(map, 0, 100 * far, NULL, NULL), 8);
}

static void count_call(void *arg, struct block_info *info) {
    (void)info;
    ++*(int *)arg;
}

static void test_links(void **state) {
    struct block_map *map = *state;
    struct block *a = add(map, PAGE, 8, 2), *b = add(map, 2 * PAGE, 8, 2);
    struct block *c = add(map, 3 * PAGE, 8, 2);
    int calls = 0;
    map_link(a, BLOCK_TAKEN, b);
    map_link(a, BLOCK_FALL, c);
    map_link(c, BLOCK_TAKEN, b);
    map_link(b, BLOCK_TAKEN, b);
    assert_ptr_equal(a->link[BLOCK_TAKEN], b);
    assert_ptr_equal(b->link[BLOCK_TAKEN], b);
    map_each(map, count_call, &calls);
    assert_int_equal(calls, 3);
    /* Who led to the dropped one leads nowhere; the others stay. */
    calls = 0;
    map_drop(map, 2 * PAGE, 3 * PAGE, count_call, &calls);
    assert_int_equal(calls, 1);
    assert_null(a->link[BLOCK_TAKEN]);
    assert_null(c->link[BLOCK_TAKEN]);
    assert_ptr_equal(a->link[BLOCK_FALL], c);
    /* The dead are not linked again, in either role. */
    map_link(a, BLOCK_TAKEN, b);
    assert_null(a->link[BLOCK_TAKEN]);
    map_link(b, BLOCK_TAKEN, a);
    assert_null(b->link[BLOCK_TAKEN]);
    /* A link is replaced whole. */
    map_link(a, BLOCK_FALL, a);
    assert_ptr_equal(a->link[BLOCK_FALL], a);
    map_drop(map, 3 * PAGE, 4 * PAGE, NULL, NULL);
    assert_ptr_equal(a->link[BLOCK_FALL], a);
    map_drop(map, PAGE, 2 * PAGE, NULL, NULL);
    assert_null(a->link[BLOCK_FALL]);
}

static void test_reap(void **state) {
    struct block_map *map = *state;
    struct block *a = add(map, PAGE, 8, 2), *b = add(map, 2 * PAGE, 8, 2);
    map_drop(map, PAGE, 2 * PAGE, NULL, NULL);
    uint64_t first = map->epoch++;
    map_drop(map, 2 * PAGE, 3 * PAGE, NULL, NULL);
    assert_int_equal(map->dead_count, 2);
    /* Somebody works in the epoch in which the first died: both may be his. */
    map_reap(map, first);
    assert_int_equal(map->dead_count, 2);
    assert_int_equal(a->rip, DEAD);
    map_reap(map, first + 1);
    assert_int_equal(map->dead_count, 1);
    assert_int_equal(b->rip, DEAD);
    map_reap(map, 0);
    assert_int_equal(map->dead_count, 0);
}

/* One writer, readers without a lock. */
struct race {
    struct block_map *map;
    uint32_t stop;
    uint32_t wrong;
};

static void *look(void *arg) {
    struct race *r = arg;
    while (!__atomic_load_n(&r->stop, __ATOMIC_ACQUIRE))
        for (uint64_t k = 0; k < 512; k++) {
            const struct block *b = map_find(r->map, k * 32, 0, 2);
            /* What is found is the block asked for, or has just died. */
            uint64_t rip = b ? __atomic_load_n(&b->rip, __ATOMIC_RELAXED) : DEAD;
            if (rip != DEAD && (rip != k * 32 || b->mode != 2))
                __atomic_store_n(&r->wrong, 1, __ATOMIC_RELAXED);
        }
    return NULL;
}

static void test_readers(void **state) {
    struct race r = {.map = *state};
    pthread_t t[2];
    for (int k = 0; k < 2; k++)
        assert_int_equal(pthread_create(&t[k], NULL, look, &r), 0);
    for (int round = 0; round < 60; round++) {
        for (uint64_t k = 0; k < 512; k++)
            add(r.map, k * 32, 32, 2);
        map_drop(r.map, 0, 512 * 32, NULL, NULL);
    }
    /* Growth under the readers' eyes. */
    for (uint64_t k = 0; k < 20000; k++)
        add(r.map, k * 32, 32, 2);
    __atomic_store_n(&r.stop, 1, __ATOMIC_RELEASE);
    for (int k = 0; k < 2; k++)
        pthread_join(t[k], NULL);
    assert_int_equal(r.wrong, 0);
}

#define MAP_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        MAP_TEST(test_find),        MAP_TEST(test_growth), MAP_TEST(test_drop_by_page),
        MAP_TEST(test_same_bucket), MAP_TEST(test_links),  MAP_TEST(test_reap),
        MAP_TEST(test_readers),
    };
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
