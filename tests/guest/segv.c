/*
 * Page faults of every kind: address, si_code, error code and RIP to the byte; what mprotect,
 * munmap and the end of a file do to pages in use.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "faults.h"

extern const char load_site[], store_site[], rmw_site[], string_site[], push_site[];

__attribute__((noinline)) static unsigned long load(const void *p) {
    unsigned long v;
    __asm__ volatile("load_site: mov (%1), %0" : "=r"(v) : "r"(p) : "memory");
    return v;
}
__attribute__((noinline)) static void store(void *p) {
    __asm__ volatile("store_site: movl $7, (%0)" : : "r"(p) : "memory");
}
__attribute__((noinline)) static void rmw(void *p) {
    __asm__ volatile("rmw_site: addq $1, (%0)" : : "r"(p) : "memory", "cc");
}
__attribute__((noinline)) static void fill(void *p, unsigned long n) {
    __asm__ volatile("string_site: rep stosb" : "+D"(p), "+c"(n) : "a"(0x55) : "memory");
}
__attribute__((noinline)) static void push_at(void *p) {
    __asm__ volatile("mov %%rsp, %%rbx; mov %0, %%rsp; push_site: push %%rax; mov %%rbx, %%rsp"
                     :
                     : "r"(p)
                     : "rbx", "memory");
}
__attribute__((noinline)) static int call(const void *p) {
    return ((int (*)(void))p)();
}

static void show(const char *what, const char *site, const char *base) {
    if (!caught.signo) {
        printf("%-22s fine\n", what);
        return;
    }
    printf("%-22s signal %d code %d at %+ld trap %lu error %lu rip %s cr2 %s\n", what, caught.signo,
           caught.code, (long)((char *)caught.address - base), caught.trapno, caught.error,
           !site                               ? "-"
           : caught.rip == (unsigned long)site ? "exact"
                                               : "wrong",
           caught.cr2 == (unsigned long)caught.address ? "same" : "differs");
}

static void of_protection(char *m, long page) {
    static const unsigned char ret[] = {0xb8, 42, 0, 0, 0, 0xc3};
    FAULT_TRY(load(m + 100));
    show("read mapped", load_site, m);
    mprotect(m, (size_t)page, PROT_READ);
    FAULT_TRY(store(m + 16));
    show("write read-only", store_site, m);
    FAULT_TRY(rmw(m + 24));
    show("rmw read-only", rmw_site, m);
    FAULT_TRY(push_at(m + 64));
    show("push read-only", push_site, m);
    mprotect(m, (size_t)page, PROT_NONE);
    FAULT_TRY(load(m + 8));
    show("read none", load_site, m);
    FAULT_TRY(rmw(m + 8));
    show("rmw none", rmw_site, m);
    mprotect(m, (size_t)page, PROT_READ | PROT_WRITE);
    FAULT_TRY(store(m + 16));
    show("write writable", store_site, m);
    memcpy(m, ret, sizeof ret);
    FAULT_TRY(call(m));
    show("execute no-exec", m, m);
    mprotect(m, (size_t)page, PROT_READ | PROT_EXEC);
    volatile int got = 0;
    FAULT_TRY(got = call(m));
    printf("%-22s signal %d value %d\n", "execute", caught.signo, got);
    mprotect(m, (size_t)page, PROT_READ | PROT_WRITE);
    FAULT_TRY(call(m));
    show("execute again", m, m);
}

static void of_mapping(char *m, long page) {
    FAULT_TRY(store(m + 2 * page - 2));
    show("write across", store_site, m);
    munmap(m + page, (size_t)page);
    FAULT_TRY(load(m + page + 5));
    show("read unmapped", load_site, m);
    FAULT_TRY(load(m + page - 4));
    show("read across", load_site, m);
    FAULT_TRY(store(m + page - 1));
    show("write across", store_site, m);
    FAULT_TRY(fill(m + page - 100, 200));
    show("rep stos across", string_site, m);
    printf("%-22s %02x %02x\n", "bytes before", (unsigned char)m[page - 1],
           (unsigned char)m[page - 101]);
    FAULT_TRY(call(m + page));
    show("execute unmapped", m + page, m);
    FAULT_TRY(load(NULL));
    show("read null", load_site, NULL);
    FAULT_TRY(load((void *)0x8000000000000000ul));
    show("read non-canonical", load_site, NULL);
    FAULT_TRY(store((void *)0xdead000000000000ul));
    show("write non-canonical", store_site, NULL);
    FAULT_TRY(call((void *)0x4141414141414141ul));
    show("call non-canonical", NULL, NULL);
    FAULT_TRY(load((void *)0xffffffff81000000ul));
    show("read kernel", load_site, NULL);
}

static void of_file(long page) {
    char name[] = "/tmp/guest-segv-XXXXXX";
    int fd = mkstemp(name);
    CHECK(fd >= 0);
    unlink(name);
    CHECK(write(fd, "bytes", 5) == 5);
    char *m = mmap(NULL, (size_t)(2 * page), PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK(m != MAP_FAILED);
    FAULT_TRY(load(m));
    show("read file", load_site, m);
    FAULT_TRY(load(m + page + 8));
    show("read past file", load_site, m);
    close(fd);
}

int main(void) {
    long page = sysconf(_SC_PAGESIZE);
    char *m =
        mmap(NULL, (size_t)(3 * page), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!CHECK(m != MAP_FAILED))
        return guest_done();
    CHECK(mprotect(m + 2 * page, (size_t)page, PROT_NONE) == 0);
    fault_catch_all();
    of_protection(m, page);
    of_mapping(m, page);
    of_file(page);
    return guest_done();
}
