/*
 * Lines that others connect to: a pseudo-terminal, and a TCP port that is reachable from this
 * machine alone. Their names are told as a warning, so that they are seen. Main thread.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "uart.h"

/* The other end is kept open: a master without a slave only gives errors. */
static int open_slave(struct line *l, char *name, size_t size) {
    struct termios raw;
    if (grantpt(l->fd) || unlockpt(l->fd))
        return -errno;
    int error = ptsname_r(l->fd, name, size);
    if (error)
        return -error;
    l->other = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (l->other < 0 || tcgetattr(l->other, &raw))
        return -errno;
    cfmakeraw(&raw);
    return tcsetattr(l->other, TCSANOW, &raw) ? -errno : 0;
}

int line_open_pty(struct line *l) {
    char name[128];
    l->fd = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    int r = l->fd < 0 ? -errno : open_slave(l, name, sizeof name);
    if (r < 0) {
        blink_log(l->host, BLINK_LOG_ERROR, "uart: no pseudo-terminal: %s", strerror(-r));
        return r == -EINVAL ? -EIO : r;
    }
    blink_log(l->host, BLINK_LOG_WARN, "uart: its line is %s", name);
    return 0;
}

static int listen_at(struct line *l, struct sockaddr_in *at) {
    socklen_t size = sizeof *at;
    int on = 1, buffer = 16384; /* what was sent and is not read yet stays little, as on a line */
    l->other = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->other < 0 || setsockopt(l->other, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
        setsockopt(l->other, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer) ||
        bind(l->other, (struct sockaddr *)at, sizeof *at) || listen(l->other, 1) ||
        getsockname(l->other, (struct sockaddr *)at, &size))
        return -errno;
    return 0;
}

int line_open_tcp(struct line *l, uint16_t port) {
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(port),
                             .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int r = listen_at(l, &at);
    if (r < 0) {
        blink_log(l->host, BLINK_LOG_ERROR, "uart: cannot listen on port %u: %s", port,
                  strerror(-r));
        return r == -EINVAL ? -EIO : r;
    }
    blink_log(l->host, BLINK_LOG_WARN, "uart: its line is port %u of 127.0.0.1",
              ntohs(at.sin_port));
    return 0;
}
