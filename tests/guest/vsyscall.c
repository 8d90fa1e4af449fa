/*
 * The page at a fixed address through which old programs, and java when it is short of others, ask
 * for the time. Runs only where the host's kernel has it.
 */
#include <string.h>
#include <sys/time.h>

#include "faults.h"

static struct timeval *volatile bad = (struct timeval *)8;

int main(void) {
    struct timeval tv = {0, 0};
    long (*call_gettimeofday)(struct timeval *, void *) = (void *)0xffffffffff600000;
    long (*call_time)(long *) = (void *)0xffffffffff600400;
    long (*call_getcpu)(unsigned *, unsigned *, void *) = (void *)0xffffffffff600800;
    unsigned cpu = 9999;
    char line[512];
    int listed = 0;
    CHECK(call_gettimeofday(&tv, NULL) == 0 && tv.tv_sec > 1600000000);
    CHECK(call_time(NULL) >= tv.tv_sec);
    CHECK(call_getcpu(&cpu, NULL, NULL) == 0 && cpu < 9999);
    FILE *f = fopen("/proc/self/maps", "r");
    while (f && fgets(line, sizeof line, f))
        listed |= strstr(line, "[vsyscall]") && strstr(line, "ffffffffff600000-ffffffffff601000");
    CHECK(f != NULL && listed);
    fault_catch_all();
    FAULT_TRY(call_gettimeofday(bad, NULL));
    CHECK(caught.signo == SIGSEGV);
    FAULT_TRY(((void (*)(void))0xffffffffff600004)());
    CHECK(caught.signo == SIGSEGV);
    FAULT_TRY(*(volatile char *)0xffffffffff600000 = 1);
    CHECK(caught.signo == SIGSEGV);
    return guest_done();
}
