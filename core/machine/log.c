/*
 * Lines of text on their way out. One write a line, so that lines of threads and processes do not
 * mix. [any]
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "machine/internal.h"

/* A full disk or a closed pipe must not stop the guest: what cannot be written is dropped. */
static void write_line(int fd, const char *line, size_t size) {
    while (size) {
        ssize_t n = write(fd, line, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        line += n;
        size -= (size_t)n;
    }
}

void machine_log_line(const struct machine_log *log, int32_t level, const char *text) {
    char line[1100];
    size_t n = strlen(text), prefix = level == BLINK_LOG_STRACE ? 0 : strlen("blink: ");
    int saved = errno;
    if (n > sizeof line - prefix - 1)
        n = sizeof line - prefix - 1;
    memcpy(line, "blink: ", prefix);
    memcpy(line + prefix, text, n);
    line[prefix + n] = '\n';
    bool trace = level == BLINK_LOG_STRACE;
    if (log->file_fd >= 0)
        write_line(log->file_fd, line, prefix + n + 1);
    if (trace ? log->file_fd < 0 : level <= log->verbosity)
        write_line(log->error_fd, line, prefix + n + 1);
    errno = saved;
}
