/*
 * The machine's console on two file descriptors. The descriptors are shared with the guest and
 * with other processes, so their flags are left alone: reading asks poll first, writing waits.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "bus/internal.h"

/* All bytes, whatever interrupts; 0 or -errno. */
static int write_all(int fd, const char *bytes, size_t size) {
    while (size) {
        ssize_t n = write(fd, bytes, size < SSIZE_MAX ? size : SSIZE_MAX);
        if (n >= 0) {
            bytes += n;
            size -= (size_t)n;
        } else if (errno == EAGAIN) {
            /* Somebody made it non-blocking. */
            struct pollfd wait = {.fd = fd, .events = POLLOUT};
            if (poll(&wait, 1, -1) < 0 && errno != EINTR)
                return -errno;
        } else if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

int bus_console_write(struct blink_bus *bus, const void *bytes, size_t size) {
    sigset_t pipe_only, before, pending;
    if (size == 0)
        return 0;
    /* A closed reader is an error of this call, not a signal for the guest: SIGPIPE comes to the
     * writing thread, which holds it back and takes what this write caused. */
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    bus_lock(bus);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    int err = write_all(bus->console_out, bytes, size);
    if (err == -EPIPE && !sigismember(&pending, SIGPIPE))
        while (sigtimedwait(&pipe_only, NULL, &(struct timespec){0}) < 0 && errno == EINTR)
            ;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    bus_unlock(bus);
    return err;
}

/* What poll says without waiting: > 0 if a read will not wait. */
static int readable(int fd) {
    struct pollfd ask = {.fd = fd, .events = POLLIN};
    int n;
    do
        n = poll(&ask, 1, 0);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

int64_t bus_console_read(struct blink_bus *bus, void *bytes, size_t size) {
    if (size == 0)
        return 0;
    bus_lock(bus);
    int fd = bus->console_in;
    int64_t got = readable(fd);
    if (got > 0) {
        ssize_t n;
        do
            n = read(fd, bytes, size < SSIZE_MAX ? size : SSIZE_MAX);
        while (n < 0 && errno == EINTR);
        got = n > 0 ? n : n == 0 ? -EPIPE : errno == EAGAIN ? 0 : -errno;
    }
    bus_unlock(bus);
    return got;
}
