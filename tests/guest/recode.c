/*
 * Code that is replaced, unmapped and protected under threads that run it. A thread gets SIGSEGV
 * while there is none, and never what was there before it had been told of the new. Then pages that
 * are mapped twice, written through one view and run through the other, in threads, too.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"

enum { THREADS = 4, PAGE = 4096, RX = PROT_READ | PROT_EXEC, RW = PROT_READ | PROT_WRITE };

typedef long function(long rounds);

/* A loop, then mov $value, %eax; ret. The value is at a multiple of 4, so that nobody sees a part.
 */
static const unsigned char text[] = {
    0x48, 0xff, 0xcf,                         /* 1: dec %rdi */
    0x75, 0xfb,                               /* jnz 1b */
    0x66, 0x90, 0x66, 0x90, 0x66, 0x90, 0xb8, /* nops; mov $value, %eax */
    0,    0,    0,    0,    0xc3,
};
enum { VALUE_AT = 12 };

static unsigned char *page; /* where threads find the code */
static uint32_t told;       /* atomic: what is there by now is no older than this */
static uint32_t ended;      /* atomic */
static uint32_t calls;      /* atomic */
static uint32_t stale, outside, faults;
static int by_stores; /* no call of the kernel tells processors of the change */

static _Thread_local sigjmp_buf out;
static _Thread_local int expects; /* a fault */

static void on_fault(int signo, siginfo_t *info, void *context) {
    unsigned char *at = info->si_addr;
    (void)signo, (void)context;
    if (!expects) {
        dprintf(1, "a fault at %p\n", (void *)at);
        _exit(3);
    }
    if (at < page || at >= page + PAGE)
        __atomic_fetch_add(&outside, 1, __ATOMIC_RELAXED);
    siglongjmp(out, 1);
}

static void put_value(unsigned char *code, uint32_t value) {
    memcpy(code, text, sizeof text);
    memcpy(code + VALUE_AT, &value, sizeof value);
}

/* What was written before is seen by instruction fetch from here on. */
static void serialize(void) {
    uint32_t a = 0, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d)::"memory");
}

static void *calls_it(void *arg) {
    const long rounds = (long)arg;
    while (!__atomic_load_n(&ended, __ATOMIC_ACQUIRE)) {
        if (sigsetjmp(out, 0)) {
            __atomic_fetch_add(&faults, 1, __ATOMIC_RELAXED);
            continue;
        }
        expects = 1;
        uint32_t least = __atomic_load_n(&told, __ATOMIC_SEQ_CST);
        if (by_stores)
            serialize();
        if ((uint32_t)((function *)page)(rounds) < least)
            __atomic_fetch_add(&stale, 1, __ATOMIC_RELAXED);
        __atomic_fetch_add(&calls, 1, __ATOMIC_SEQ_CST);
    }
    return NULL;
}

/* Until the threads have called it some times more. */
static void let_them(uint32_t times) {
    uint32_t until = __atomic_load_n(&calls, __ATOMIC_SEQ_CST) + times;
    while ((int32_t)(until - __atomic_load_n(&calls, __ATOMIC_SEQ_CST)) > 0)
        sched_yield();
}

static void tell(uint32_t value) {
    __atomic_store_n(&told, value, __ATOMIC_SEQ_CST);
}

static void *place(void *at, int prot) {
    return mmap(at, PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0), -1, 0);
}

/* ---- ways to new code ---- */

static void by_unmapping(uint32_t value) {
    munmap(page, PAGE);
    if (value & 1)
        usleep(50);
    unsigned char *at = place(page, RW);
    put_value(at, value);
    mprotect(at, PAGE, RX);
}

/* A whole page takes another's place in one step. */
static void by_moving(uint32_t value) {
    unsigned char *other = place(NULL, RW);
    put_value(other, value);
    mprotect(other, PAGE, RX);
    mremap(other, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, page);
}

static void by_protection(uint32_t value) {
    mprotect(page, PAGE, RW);
    memcpy(page + VALUE_AT, &value, sizeof value);
    mprotect(page, PAGE, RX);
}

static void by_none(uint32_t value) {
    mprotect(page, PAGE, PROT_NONE);
    if (value & 1)
        usleep(50);
    by_protection(value);
}

/* In place: the page is writable and executable. */
static void by_writing(uint32_t value) {
    __atomic_store_n((uint32_t *)(void *)(page + VALUE_AT), value, __ATOMIC_SEQ_CST);
}

static int file, next_offset;
/* Another page of a file. */
static void by_mapping(uint32_t value) {
    unsigned char code[PAGE] = {0};
    put_value(code, value);
    next_offset = (next_offset + PAGE) % (8 * PAGE);
    /* That page was mapped a while ago, and is no more. */
    if (pwrite(file, code, PAGE, next_offset) == PAGE)
        mmap(page, PAGE, RX, MAP_SHARED | MAP_FIXED, file, next_offset);
}

/* By the other view, which is all that may be written. */
static unsigned char *view;
static void by_view(uint32_t value) {
    __atomic_store_n((uint32_t *)(void *)(view + VALUE_AT), value, __ATOMIC_SEQ_CST);
}

/* By the kernel, into the file behind the page. */
static void by_file(uint32_t value) {
    if (pwrite(file, &value, sizeof value, VALUE_AT) != sizeof value)
        stale++;
}

static void change(const char *name, void (*how)(uint32_t), uint32_t times, long rounds) {
    pthread_t thread[THREADS];
    told = 1;
    by_stores = how == by_writing || how == by_view || how == by_file;
    ended = calls = stale = outside = faults = 0;
    for (int k = 0; k < THREADS; k++)
        CHECK(pthread_create(&thread[k], NULL, calls_it, (void *)rounds) == 0);
    let_them(20);
    for (uint32_t value = 2; value < times; value++) {
        how(value);
        tell(value);
        if (value % 8 == 0)
            let_them(4);
    }
    let_them(20);
    __atomic_store_n(&ended, 1, __ATOMIC_RELEASE);
    for (int k = 0; k < THREADS; k++)
        pthread_join(thread[k], NULL);
    if (!CHECK(stale == 0 && outside == 0))
        printf("%s: %u stale, %u faults elsewhere\n", name, stale, outside);
    if (how != by_unmapping && how != by_protection && how != by_none)
        CHECK(faults == 0);
}

static void one_view(void) {
    static const struct {
        const char *name;
        void (*how)(uint32_t);
    } table[] = {{"unmapped", by_unmapping},
                 {"moved", by_moving},
                 {"protected", by_protection},
                 {"no right", by_none},
                 {"mapped", by_mapping}};
    for (size_t k = 0; k < sizeof table / sizeof table[0]; k++) {
        page = place(page, RW);
        put_value(page, 1);
        mprotect(page, PAGE, RX);
        change(table[k].name, table[k].how, 80, 50);
        /* Most of the time within the loop. */
        put_value(place(page, RW), 1);
        mprotect(page, PAGE, RX);
        change(table[k].name, table[k].how, 24, 20000);
    }
    put_value(place(page, RW | PROT_EXEC), 1);
    mprotect(page, PAGE, RW | PROT_EXEC);
    change("written", by_writing, 60, 50);
    change("written", by_writing, 24, 5000);
}

static void two_views(void) {
    CHECK(ftruncate(file, 0) == 0 && ftruncate(file, 8 * PAGE) == 0);
    view = mmap(NULL, PAGE, RW, MAP_SHARED, file, 0);
    put_value(view, 1);
    CHECK(mmap(page, PAGE, RX, MAP_SHARED | MAP_FIXED, file, 0) == page);
    change("by a view", by_view, 60, 50);
    change("by a view", by_view, 24, 5000);
    put_value(view, 1);
    change("by its file", by_file, 40, 50);
    /* The view that is written comes and goes. */
    for (int k = 0; k < 50; k++) {
        munmap(view, PAGE);
        view = mmap(NULL, PAGE, RW, MAP_SHARED, file, 0);
        by_view((uint32_t)k + 7);
        CHECK(((function *)page)(3) == k + 7);
    }
}

int main(void) {
    struct sigaction sa = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
    char name[] = "/tmp/guest-recode-XXXXXX";
    sigaction(SIGSEGV, &sa, NULL);
    file = mkstemp(name);
    CHECK(file >= 0 && ftruncate(file, 8 * PAGE) == 0);
    unlink(name);
    /* Between two others, so that a hole has room for nothing but what is meant for it. */
    unsigned char *three =
        mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(three != MAP_FAILED);
    page = three + PAGE;
    one_view();
    two_views();
    return guest_done();
}
