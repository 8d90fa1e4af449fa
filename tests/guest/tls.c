/*
 * Thread-local storage and the FS and GS bases: initialised, zeroed and aligned variables, their
 * addresses in two threads, arch_prctl, and a GS base that the program sets for itself.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"

#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004

static __thread int initialised = 1234;
static __thread char zeros[5000];
static __thread struct { char bytes[64]; } aligned __attribute__((aligned(64))) = {"aligned"};

static void look(void) {
    CHECK(initialised == 1234);
    CHECK(((uintptr_t)&aligned & 63) == 0);
    CHECK(aligned.bytes[0] == 'a' && aligned.bytes[6] == 'd');
    for (size_t k = 0; k < sizeof zeros; k++)
        if (!CHECK(zeros[k] == 0))
            break;
    initialised = 1;
    zeros[4999] = 1;
}

static void *in_thread(void *arg) {
    look();
    CHECK(arg != (void *)&initialised);
    return &initialised;
}

static void bases(void) {
    static long slot[4] = {11, 22, 33, 44};
    unsigned long fs = 0, gs = 1;
    long v;
    CHECK(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs) == 0 && fs != 0);
    __asm__("mov %%fs:0, %0" : "=r"(v));
    CHECK((unsigned long)v == fs);
    CHECK(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs) == 0 && gs == 0);
    CHECK(syscall(SYS_arch_prctl, ARCH_SET_GS, slot) == 0);
    __asm__("mov %%gs:16, %0" : "=r"(v));
    CHECK(v == 33);
    __asm__ volatile("movq $55, %%gs:(%0)" : : "r"(24L) : "memory");
    CHECK(slot[3] == 55);
    CHECK(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs) == 0 && gs == (unsigned long)slot);
    CHECK(syscall(SYS_arch_prctl, ARCH_SET_FS, 0xdeadul << 48) == -1 && errno == EPERM);
    errno = 0;
    CHECK(syscall(SYS_arch_prctl, 0x7777, 0) == -1 && errno == EINVAL);
    CHECK(syscall(SYS_arch_prctl, ARCH_GET_FS, 8) == -1 && errno == EFAULT);
}

int main(void) {
    pthread_t t;
    void *there;
    look();
    CHECK(pthread_create(&t, NULL, in_thread, &initialised) == 0);
    CHECK(pthread_join(t, &there) == 0 && there != &initialised);
    bases();
    return guest_done();
}
