/*
 * The trace of system calls, one line a call. vCPU threads; costs nothing when off.
 */
#include <stdio.h>
#include <string.h>

#include "linux.h"

struct lx_line {
    char text[1024];
    size_t size;
};

static void emit(struct lx_thread *t, const char *text) {
    t->abi->host->log(t->abi->host->machine, BLINK_LOG_STRACE, text);
}

int64_t lx_trace_call(struct lx_call *c) {
    struct lx_line line = {.size = 0};
    c->line = &line;
    int64_t result = lx_run(c);
    int n = snprintf(line.text, sizeof line.text, "%s(", c->row->name ? c->row->name : "?");
    for (int k = 0; k < c->row->args; k++)
        n += snprintf(line.text + n, sizeof line.text - (size_t)n, "%s%#llx", k ? ", " : "",
                      (unsigned long long)c->a[k]);
    snprintf(line.text + n, sizeof line.text - (size_t)n, ") = %lld", (long long)result);
    emit(c->thread, line.text);
    return result;
}
void lx_trace_signal(struct lx_thread *t, const siginfo_t *info) {
    char text[64];
    snprintf(text, sizeof text, "--- %d ---", info->si_signo);
    emit(t, text);
}
void lx_trace_killed(struct lx_thread *t, int signo) {
    (void)t;
    (void)signo;
}
void lx_trace_gone(struct lx_call *c) {
    (void)c;
}
