/*
 * A small JIT that rewrites its code a million times: in place in a page that may be written and
 * run, through a second mapping of the page, from another thread than the one that runs it, and
 * with mprotect before and after. rewriter [PERCENT of that]. Each function that it makes must give
 * the answer of its latest form; every answer goes into the sum that is printed.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096u

typedef uint32_t function(uint32_t);

static unsigned scale = 100;
static int wrong;

struct code {
    uint8_t *write, *run;
};

static struct code both(void) {
    void *p =
        mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return (struct code){p, p};
}

/* One page, seen twice. */
static struct code twice(void) {
    int fd = memfd_create("code", 0);
    if (fd < 0 || ftruncate(fd, PAGE))
        perror("memfd_create");
    struct code c = {mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
                     mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0)};
    close(fd);
    return c;
}

/* What the function with the number `n` does, in C. */
static uint32_t meant(uint32_t n, uint32_t x) {
    switch (n % 3) {
    case 0: return x + n;
    case 1: return x ^ n;
    default: return x * (n | 1);
    }
}

/* The same as code at `at`: mov eax, edi; one operation with an immediate; ret. */
static void emit(uint8_t *at, uint32_t n) {
    static const uint8_t heads[3][4] = {
        {0x89, 0xf8, 0x05},       /* add eax, n */
        {0x89, 0xf8, 0x35},       /* xor eax, n */
        {0x89, 0xf8, 0x69, 0xc0}, /* imul eax, eax, n */
    };
    unsigned size = n % 3 == 2 ? 4 : 3;
    uint32_t value = n % 3 == 2 ? n | 1 : n;
    memcpy(at, heads[n % 3], size);
    memcpy(at + size, &value, 4);
    at[size + 4] = 0xc3;
}

static uint32_t call(const uint8_t *at, uint32_t x) {
    function *f;
    memcpy(&f, &at, sizeof f);
    return f(x);
}

static void check(const struct code *c, unsigned offset, uint32_t n, uint32_t *sum) {
    uint32_t x = *sum;
    emit(c->write + offset, n);
    __builtin___clear_cache((char *)c->run + offset, (char *)c->run + offset + 9);
    *sum = call(c->run + offset, x);
    wrong += *sum != meant(n, x);
}

static void rewrite(const char *what, struct code c, unsigned count) {
    uint32_t sum = 1;
    for (unsigned n = 0; n < count; n++)
        check(&c, n * 16 % PAGE, n, &sum);
    printf("%s: %u rewritten, sum %08x\n", what, count, sum);
}

/* Hot code that is rewritten now and then: it must be fast, and never stale. */
static void seldom(unsigned count) {
    struct code c = both();
    uint32_t sum = 1;
    for (unsigned n = 0; n < count; n++) {
        emit(c.write, n);
        for (unsigned k = 0; k < 2000; k++) {
            uint32_t x = sum;
            sum = call(c.run, x);
            wrong += sum != meant(n, x);
        }
    }
    printf("seldom: sum %08x\n", sum);
}

static void protected(unsigned count) {
    struct code c = both();
    uint32_t sum = 1;
    for (unsigned n = 0; n < count; n++) {
        mprotect(c.write, PAGE, PROT_READ | PROT_WRITE);
        emit(c.write, n);
        mprotect(c.write, PAGE, PROT_READ | PROT_EXEC);
        uint32_t x = sum;
        sum = call(c.run, x);
        wrong += sum != meant(n, x);
    }
    printf("mprotect: sum %08x\n", sum);
}

/* The immediate of a function, an aligned word, is changed while another thread runs it: what comes
 * back never goes backwards, and in the end is the last. */
struct race {
    struct code code;
    unsigned count, backwards;
    uint32_t last;
};

static void *runner(void *arg) {
    struct race *r = arg;
    uint32_t seen = 0;
    do {
        uint32_t v = call(r->code.run, 0);
        r->backwards += v < seen;
        seen = v;
    } while (seen != r->count);
    r->last = seen;
    return NULL;
}

static void raced(const char *what, struct code c, unsigned count) {
    struct race r = {.code = c, .count = count};
    static const uint8_t body[] = {0x90, 0x90, 0x90, 0xb8, 0, 0, 0, 0, 0xc3}; /* mov eax, imm */
    pthread_t t;
    memcpy(c.write, body, sizeof body);
    pthread_create(&t, NULL, runner, &r);
    for (unsigned n = 1; n <= count; n++)
        __atomic_store_n((uint32_t *)(void *)(c.write + 4), n, __ATOMIC_RELEASE);
    pthread_join(t, NULL);
    printf("%s: last %u, %u backwards\n", what, r.last, r.backwards);
}

static void *alone(void *arg) {
    struct code c = both();
    uint32_t sum = (uint32_t)(uintptr_t)arg;
    for (unsigned n = 0; n < 500 * scale; n++)
        check(&c, n * 16 % PAGE, n, &sum);
    return (void *)(uintptr_t)sum;
}

/* Threads that each rewrite their own. */
static void side_by_side(void) {
    pthread_t t[4];
    for (uintptr_t k = 0; k < 4; k++)
        pthread_create(&t[k], NULL, alone, (void *)k);
    for (int k = 0; k < 4; k++) {
        void *sum;
        pthread_join(t[k], &sum);
        printf("thread %d: sum %08x\n", k, (unsigned)(uintptr_t)sum);
    }
}

int main(int argc, char **argv) {
    if (argc > 1)
        scale = (unsigned)atoi(argv[1]);
    rewrite("in place", both(), 4000 * scale);
    rewrite("second mapping", twice(), 2000 * scale);
    side_by_side();
    seldom(10 * scale);
    protected(200 * scale);
    raced("raced in place", both(), 1000 * scale);
    raced("raced, second mapping", twice(), 1000 * scale);
    printf("%d wrong\n", wrong);
    return wrong != 0;
}
