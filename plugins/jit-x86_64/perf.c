/*
 * Names of generated code for perf(1): one line a block, in the file that perf looks for. Under
 * core's lock.
 */
#include <stdio.h>
#include <unistd.h>

#include "jit.h"

void perf_open(struct blink_plugin *self) {
    char path[64];
    if (!self->host->option(self->host->machine, "perf-map"))
        return;
    self->perf_pid = getpid();
    snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)self->perf_pid);
    self->perf_map = fopen(path, "we");
    if (!self->perf_map)
        blink_log(self->host, BLINK_LOG_WARN, "%s: cannot be written: no names for perf", path);
    else
        setvbuf(self->perf_map, NULL, _IOLBF, 0);
}

void perf_close(struct blink_plugin *self) {
    if (self->perf_map)
        fclose(self->perf_map);
    self->perf_map = NULL;
}

void perf_code(struct blink_plugin *self, const struct code *code) {
    if (!self->perf_map || self->perf_pid != getpid())
        return;
    fprintf(self->perf_map, "%llx %x guest_%llx\n", (unsigned long long)code->at[HOT],
            code->size[HOT], (unsigned long long)code->rip);
    fprintf(self->perf_map, "%llx %x exits_%llx\n", (unsigned long long)code->at[COLD],
            code->size[COLD], (unsigned long long)code->rip);
}
