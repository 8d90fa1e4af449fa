/*
 * Stacks that grow: the first thread's under deep recursion and large frames, a MAP_GROWSDOWN
 * mapping and the gap below it, a stack with pages that were given back.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "faults.h"

static long page;

__attribute__((noinline)) static long recurse(long depth) {
    volatile long room[100];
    room[depth % 100] = depth;
    return depth == 0 ? 0 : recurse(depth - 1) + room[depth % 100];
}

/* One frame that skips many pages: Linux allows a touch far below RSP. */
__attribute__((noinline)) static long large_frame(long n) {
    volatile char room[1 << 20];
    room[0] = (char)n;
    room[sizeof room - 1] = 1;
    return room[0] + room[sizeof room - 1];
}

static void main_stack(void) {
    CHECK(recurse(5000) == 5000L * 5001 / 2);
    CHECK(large_frame(4) == 5);
    CHECK(recurse(5000) == 5000L * 5001 / 2);
}

static char *grows(char **bottom) {
    /* Room below it, so that nothing else stands in the way. */
    size_t room = 4 << 20;
    char *area = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!CHECK(area != MAP_FAILED))
        exit(guest_done());
    munmap(area, room);
    char *top = area + room;
    char *m = mmap(top - page, (size_t)page, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
    CHECK(m == top - page);
    *bottom = area;
    return top;
}

static void grows_down(void) {
    char *bottom, *top = grows(&bottom);
    long faults = 0;
    fault_catch_all();
    for (long n = 1; n <= 64; n++) {
        FAULT_TRY(top[-n * page + 17] = (char)n);
        faults += caught.signo != 0;
    }
    CHECK(faults == 0);
    for (long n = 1; n <= 64; n++)
        CHECK(top[-n * page + 17] == (char)n);
    /* Above the stack nothing grows. */
    FAULT_TRY(top[0] = 1);
    CHECK(caught.signo == SIGSEGV && caught.address == top);
    munmap(bottom, (size_t)(top - bottom));
}

static void limited(void) {
    struct rlimit limit = {1 << 20, 1 << 20};
    char *bottom, *top = grows(&bottom);
    CHECK(setrlimit(RLIMIT_STACK, &limit) == 0);
    FAULT_TRY(top[-(1 << 19)] = 1);
    CHECK(caught.signo == 0);
    FAULT_TRY(top[-(3 << 20)] = 1);
    CHECK(caught.signo == SIGSEGV && caught.address == top - (3 << 20) && caught.code == 1);
}

int main(void) {
    page = sysconf(_SC_PAGESIZE);
    main_stack();
    grows_down();
    limited();
    return guest_done();
}
