/*
 * Code that changes: in place, ahead of itself in the same block, on pages that hold data too,
 * after mprotect, through a second mapping, and by another function that was already translated.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"

typedef int function(void);
typedef int function1(int);

/* mov $value, %eax; ret */
static void put_constant(unsigned char *code, int value) {
    code[0] = 0xb8;
    memcpy(code + 1, &value, 4);
    code[5] = 0xc3;
}

static unsigned char *map(size_t size, int prot) {
    void *p = mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    return p;
}

static void in_place(void) {
    unsigned char *code = map(4096, PROT_READ | PROT_WRITE | PROT_EXEC);
    long sum = 0;
    for (int k = 0; k < 3000; k++) {
        put_constant(code, k);
        sum += ((function *)code)();
    }
    CHECK(sum == 3000L * 2999 / 2);
    /* Hot first, then changed in one byte of the immediate. */
    put_constant(code, 5);
    sum = 0;
    for (int k = 0; k < 1000; k++)
        sum += ((function *)code)();
    code[2] = 1;
    CHECK(sum == 5000 && ((function *)code)() == 261);
    munmap(code, 4096);
}

/* Data beside code: the code stays right while its page is written all the time. */
static void beside_data(void) {
    unsigned char *code = map(4096, PROT_READ | PROT_WRITE | PROT_EXEC);
    volatile long *counter = (volatile long *)(code + 2048);
    put_constant(code, 3);
    long sum = 0;
    for (int k = 0; k < 3000; k++) {
        *counter += ((function *)code)();
        sum += *counter;
    }
    CHECK(*counter == 9000 && sum == 3L * 3000 * 3001 / 2);
    munmap(code, 4096);
}

/* The block writes into itself: into the instruction that comes next. */
static void ahead(void) {
    static const unsigned char text[] = {
        0x40, 0x88, 0x3d, 0x01, 0, 0, 0, /* mov %dil, 1(%rip): the low byte of the immediate */
        0xb8, 0,    0,    0,    0,       /* mov $0, %eax */
        0xc3,
    };
    unsigned char *code = map(4096, PROT_READ | PROT_WRITE | PROT_EXEC);
    memcpy(code, text, sizeof text);
    long sum = 0;
    for (int k = 0; k < 1000; k++)
        sum += ((function1 *)code)(k & 127) == (k & 127);
    CHECK(sum == 1000);
    munmap(code, 4096);
}

static void with_protection(void) {
    unsigned char *code = map(8192, PROT_READ | PROT_WRITE);
    int good = 0;
    for (int k = 0; k < 200; k++) {
        /* Across a page boundary, too. */
        put_constant(code + 4096 - 3, k * 7);
        CHECK(mprotect(code, 8192, PROT_READ | PROT_EXEC) == 0);
        good += ((function *)(code + 4096 - 3))() == k * 7;
        CHECK(mprotect(code, 8192, PROT_READ | PROT_WRITE) == 0);
    }
    CHECK(good == 200);
    /* Other code at the same address after unmapping. */
    for (int k = 0; k < 50; k++) {
        munmap(code, 8192);
        unsigned char *again = mmap(code, 8192, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        CHECK(again == code);
        put_constant(code, k + 1000);
        mprotect(code, 8192, PROT_READ | PROT_EXEC);
        good += ((function *)code)() == k + 1000;
    }
    CHECK(good == 250);
    munmap(code, 8192);
}

/* Two views of one page, as JITs that never have a page writable and executable use. */
static void two_views(void) {
    char name[] = "/tmp/guest-selfmod-XXXXXX";
    int fd = mkstemp(name), good = 0;
    CHECK(fd >= 0 && ftruncate(fd, 4096) == 0);
    unlink(name);
    unsigned char *w = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    unsigned char *x = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    if (CHECK(w != MAP_FAILED && x != MAP_FAILED)) {
        for (int k = 0; k < 500; k++) {
            put_constant(w, k);
            good += ((function *)x)() == k;
        }
        CHECK(good == 500);
    }
    close(fd);
}

/* The kernel writes code: read(2) into an executable page. */
static void by_the_kernel(void) {
    unsigned char *code = map(4096, PROT_READ | PROT_WRITE | PROT_EXEC), text[6];
    int fd[2], good = 0;
    CHECK(pipe(fd) == 0);
    for (int k = 0; k < 200; k++) {
        put_constant(text, k);
        CHECK(write(fd[1], text, sizeof text) == sizeof text);
        CHECK(read(fd[0], code, sizeof text) == sizeof text);
        good += ((function *)code)() == k;
    }
    CHECK(good == 200);
    munmap(code, 4096);
}

/* A chain of functions where the second replaces the first, which is on the stack. */
static unsigned char *volatile outer_code;
static void replace_outer(void) {
    put_constant(outer_code, 77);
}

static void while_running(void) {
    unsigned char *code = map(4096, PROT_READ | PROT_WRITE | PROT_EXEC);
    unsigned char *p = code + 64;
    void (*target)(void) = replace_outer;
    outer_code = code;
    /* push %rbx; mov $target, %rax; call *%rax; mov $11, %eax; pop %rbx; ret */
    *p++ = 0x53;
    *p++ = 0x48, *p++ = 0xb8;
    memcpy(p, &target, 8), p += 8;
    *p++ = 0xff, *p++ = 0xd0;
    put_constant(p, 11);
    p[5] = 0x5b, p[6] = 0xc3;
    for (int k = 0; k < 100; k++) {
        CHECK(((function *)(code + 64))() == 11);
        CHECK(((function *)code)() == 77);
        put_constant(code, k);
        CHECK(((function *)code)() == k);
    }
    munmap(code, 4096);
}

int main(void) {
    in_place();
    beside_data();
    ahead();
    with_protection();
    two_views();
    by_the_kernel();
    while_running();
    return guest_done();
}
