/*
 * System calls: cheap ones, and small reads and writes through a pipe.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"

int main(int argc, char **argv) {
    long rounds = bench_size(argc, argv, 60000), sum = 0;
    int fd[2], null = open("/dev/null", O_WRONLY);
    char data[64] = "data";
    struct stat st;
    struct timespec ts;
    if (pipe(fd) || null < 0)
        return 1;
    for (long k = 0; k < rounds; k++) {
        sum += syscall(SYS_getppid) > 0;
        sum += write(null, data, sizeof data);
        sum += write(fd[1], data, 16);
        sum += read(fd[0], data, sizeof data);
        sum += fstat(null, &st) == 0;
        sum += syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts) == 0;
    }
    printf("%ld\n", sum);
    return 0;
}
