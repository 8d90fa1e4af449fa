/*
 * Futexes: the host's, on the host addresses of the guest's words. The kernel finds waiters by
 * address (private) or by what is mapped there (shared), and both mean the same for guest and
 * host. vCPU threads.
 */
#include <linux/futex.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "linux.h"

#ifndef FUTEX_LOCK_PI2
  #define FUTEX_LOCK_PI2 13
#endif
#ifndef SYS_futex_waitv
  #define SYS_futex_waitv 449
#endif
#define WAITV_MAX    128
#define FUTEX2_32    2u
#define FUTEX2_FLAGS (FUTEX2_32 | FUTEX_PRIVATE_FLAG)

/* Where a word of the guest is on the host. It stays there while the region does, and a waiter on
 * memory that is gone waits on Linux, too. */
static int64_t host_word(struct lx_thread *t, uint64_t address, uint32_t access, void **out) {
    const struct blink_mem_iface *mem = &t->abi->mem;
    struct blink_mem_span span;
    uint64_t size = 4;
    uint32_t count = 1;
    if (address % 4)
        return -EINVAL;
    int rc = mem->pin(t->cpu->mem, address, &size, access, &span, &count);
    if (rc)
        return rc;
    mem->unpin(t->cpu->mem, address, size, access);
    *out = span.host;
    return 0;
}

void lx_futex_wake(struct lx_thread *t, uint64_t address, int count) {
    void *word;
    if (host_word(t, address, BLINK_PROT_READ, &word) == 0)
        syscall(SYS_futex, word, FUTEX_WAKE, count, NULL, NULL, 0);
}

/* What each operation makes of its arguments. */
struct operation {
    bool known, timeout, second, writes;
};
static const struct operation operations[] = {
    [FUTEX_WAIT] = {.known = true, .timeout = true},
    [FUTEX_WAKE] = {.known = true},
    [FUTEX_REQUEUE] = {.known = true, .second = true},
    [FUTEX_CMP_REQUEUE] = {.known = true, .second = true},
    [FUTEX_WAKE_OP] = {.known = true, .second = true, .writes = true},
    [FUTEX_LOCK_PI] = {.known = true, .timeout = true, .writes = true},
    [FUTEX_UNLOCK_PI] = {.known = true, .writes = true},
    [FUTEX_TRYLOCK_PI] = {.known = true, .writes = true},
    [FUTEX_WAIT_BITSET] = {.known = true, .timeout = true},
    [FUTEX_WAKE_BITSET] = {.known = true},
    [FUTEX_WAIT_REQUEUE_PI] = {.known = true, .timeout = true, .second = true, .writes = true},
    [FUTEX_CMP_REQUEUE_PI] = {.known = true, .second = true, .writes = true},
    [FUTEX_LOCK_PI2] = {.known = true, .timeout = true, .writes = true},
};

/* FUTEX_WAIT counts its timeout from now; an interrupted wait goes on until then. */
static void deadline(const struct timespec *timeout, struct timespec *out) {
    clock_gettime(CLOCK_MONOTONIC, out);
    out->tv_sec += timeout->tv_sec;
    out->tv_nsec += timeout->tv_nsec;
    if (out->tv_nsec >= 1000000000) {
        out->tv_nsec -= 1000000000;
        out->tv_sec++;
    }
}

/* After a signal without a handler: a[3], a[4] hold the time by which the wait ends. */
static int64_t wait_until(struct lx_call *c) {
    struct timespec until = {(time_t)c->a[3], (long)c->a[4]};
    void *word;
    int64_t rc = host_word(c->thread, c->a[0], BLINK_PROT_READ, &word);
    if (rc)
        return rc;
    c->restart = RS_BLOCK;
    rc = LX_SYSCALL(c, SYS_futex, word, c->a[1], c->a[2], &until, 0, c->a[5]);
    if (rc == -EINTR)
        lx_restart_as(c, wait_until, c->a);
    return rc;
}

static void restart_wait(struct lx_call *c, const struct timespec *until) {
    uint64_t private = c->a[1] & FUTEX_PRIVATE_FLAG;
    const uint64_t args[6] = {c->a[0],
                              FUTEX_WAIT_BITSET | private | (c->a[1] & FUTEX_CLOCK_REALTIME),
                              c->a[2],
                              (uint64_t)until->tv_sec,
                              (uint64_t)until->tv_nsec,
                              (c->a[1] & FUTEX_CMD_MASK) == FUTEX_WAIT ? FUTEX_BITSET_MATCH_ANY
                                                                       : c->a[5]};
    lx_restart_as(c, wait_until, args);
}

static bool bad_time(const struct timespec *ts) {
    return ts->tv_sec < 0 || ts->tv_nsec < 0 || ts->tv_nsec >= 1000000000;
}

int64_t lx_sys_futex(struct lx_call *c) {
    uint32_t op = (uint32_t)c->a[1], command = op & FUTEX_CMD_MASK;
    void *word, *second = NULL;
    struct timespec timeout, until;
    if (command >= sizeof operations / sizeof operations[0] || !operations[command].known)
        return -ENOSYS;
    const struct operation *o = &operations[command];
    bool timed = o->timeout && c->a[3];
    if (timed && lx_in(c, &timeout, c->a[3], sizeof timeout))
        return -EFAULT;
    if (timed && bad_time(&timeout))
        return -EINVAL;
    uint32_t access = o->writes ? BLINK_PROT_WRITE : BLINK_PROT_READ;
    int64_t rc = host_word(c->thread, c->a[0], access, &word);
    if (rc == 0 && o->second)
        rc = host_word(c->thread, c->a[4], access, &second);
    if (rc)
        return rc;
    if (timed)
        until = timeout;
    if (timed && command == FUTEX_WAIT)
        deadline(&timeout, &until);
    uint64_t fourth = timed ? (uintptr_t)&timeout : o->timeout ? 0 : c->a[3];
    rc = LX_SYSCALL(c, SYS_futex, word, op, c->a[2], fourth, second, c->a[5]);
    if (rc == -EINTR && timed && (command == FUTEX_WAIT || command == FUTEX_WAIT_BITSET)) {
        c->restart = RS_BLOCK;
        restart_wait(c, &until);
    }
    return rc;
}

struct waiter {
    uint64_t value, address;
    uint32_t flags, reserved;
};

int64_t lx_sys_futex_waitv(struct lx_call *c) {
    struct waiter w[WAITV_MAX];
    struct timespec until;
    uint64_t count = (uint32_t)c->a[1];
    if (c->a[2] || !c->a[0] || count < 1 || count > WAITV_MAX)
        return -EINVAL;
    if (c->a[3] && lx_in(c, &until, c->a[3], sizeof until))
        return -EFAULT;
    if (lx_in(c, w, c->a[0], count * sizeof w[0]))
        return -EFAULT;
    for (uint64_t k = 0; k < count; k++) {
        void *word;
        if (w[k].reserved || w[k].flags & ~FUTEX2_FLAGS || !(w[k].flags & FUTEX2_32))
            return -EINVAL;
        int64_t rc = host_word(c->thread, w[k].address, BLINK_PROT_READ, &word);
        if (rc)
            return rc;
        w[k].address = (uintptr_t)word;
    }
    return LX_SYSCALL(c, SYS_futex_waitv, w, count, 0, c->a[3] ? &until : NULL, c->a[4], 0);
}
