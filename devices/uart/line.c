/*
 * What is at the other end of the line. The console is the machine's; descriptors are the line's
 * own and never wait. Bus lock held.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "uart.h"

static int open_file(struct line *l, const char *path) {
    l->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0644);
    if (l->fd >= 0)
        return 0;
    int error = errno;
    blink_log(l->host, BLINK_LOG_ERROR, "uart: %s: cannot write to it: %s", path, strerror(error));
    return error == EINVAL ? -EIO : -error;
}

static int open_tcp(struct line *l, const char *text) {
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return -EINVAL;
    unsigned long port = strtoul(text, &end, 10);
    return *end || port > 65535 ? -EINVAL : line_open_tcp(l, (uint16_t)port);
}

int line_open(struct line *l, const struct blink_host *host, const struct blink_bus_iface *bus,
              const char *text) {
    *l = (struct line){.host = host, .bus = bus, .fd = -1, .other = -1};
    /* Of a console that is somebody else's keyboard nothing is read. */
    l->ended = !strcmp(text, "output");
    if (l->ended || !strcmp(text, "console"))
        return 0;
    if (!strcmp(text, "pty")) {
        l->kind = LINE_PTY;
        return line_open_pty(l);
    }
    if (!strncmp(text, "file=", 5) && text[5]) {
        l->kind = LINE_FILE;
        return open_file(l, text + 5);
    }
    if (!strncmp(text, "tcp=", 4)) {
        l->kind = LINE_TCP;
        return open_tcp(l, text + 4);
    }
    return -EINVAL;
}

void line_close(struct line *l) {
    if (l->fd >= 0)
        close(l->fd);
    if (l->other >= 0)
        close(l->other);
    l->fd = l->other = -1;
}

static void complain(struct line *l, int error) {
    if (!l->complained)
        blink_log(l->host, BLINK_LOG_WARN, "uart: output is lost: %s", strerror(error));
    l->complained = true;
}

static void hang_up(struct line *l) {
    close(l->fd);
    l->fd = -1;
}

bool line_send(struct line *l, uint8_t byte) {
    if (l->kind == LINE_CONSOLE) {
        int r = l->bus->console_write(l->host->machine, &byte, 1);
        if (r < 0)
            complain(l, -r);
        return true;
    }
    if (l->fd < 0)
        return true; /* nobody is there */
    ssize_t n;
    do
        n = l->kind == LINE_TCP ? send(l->fd, &byte, 1, MSG_NOSIGNAL) : write(l->fd, &byte, 1);
    while (n < 0 && errno == EINTR);
    if (n >= 0)
        return true;
    if (errno == EAGAIN)
        /* Of a terminal that nobody reads, the oldest matters no more than the newest. */
        return l->kind == LINE_PTY;
    if (l->kind == LINE_TCP)
        hang_up(l);
    else
        complain(l, errno);
    return true;
}

bool line_receive(struct line *l, uint8_t *byte) {
    if (l->kind == LINE_CONSOLE) {
        int64_t n = l->ended ? 0 : l->bus->console_read(l->host->machine, byte, 1);
        l->ended = l->ended || n < 0;
        return n == 1;
    }
    if (l->kind == LINE_FILE || l->fd < 0)
        return false;
    ssize_t n;
    do
        n = read(l->fd, byte, 1);
    while (n < 0 && errno == EINTR);
    if (l->kind == LINE_TCP && (n == 0 || (n < 0 && errno != EAGAIN)))
        hang_up(l);
    return n == 1;
}

bool line_has_input(const struct line *l) {
    return l->kind != LINE_FILE && !(l->kind == LINE_CONSOLE && l->ended);
}

bool line_carrier(struct line *l) {
    if (l->kind != LINE_TCP)
        return true;
    if (l->fd < 0)
        l->fd = accept4(l->other, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return l->fd >= 0;
}
