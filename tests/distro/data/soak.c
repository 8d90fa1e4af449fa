/*
 * Much of everything, one after the other: fork and exec, threads, signals. Nothing may get lost,
 * and the process must not grow while it goes on, however long that is. Prints what must be the
 * same everywhere. soak [TIMES]
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define FORKS        200
#define THREADS      10000
#define SIGNALS      50000 /* of each kind */
#define MAY_GROW_KIB 4096

static int times = 1; /* of all these */

static volatile sig_atomic_t arrived;
static volatile unsigned long sum;

/* Resident memory of the process, in KiB: that of an emulator, if there is one. */
static long resident(void) {
    long size = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%ld %ld", &size, &pages) != 2)
        perror("/proc/self/statm");
    if (f)
        fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void steady(const char *what, long before) {
    long after = resident();
    if (after - before > MAY_GROW_KIB)
        printf("%s: grew from %ld KiB to %ld KiB\n", what, before, after);
    else
        printf("%s: steady\n", what);
}

static void spawn(const char *self) {
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        execl(self, self, "child", (char *)NULL);
        _exit(99);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
        WEXITSTATUS(status) != 23)
        printf("fork: pid %d status %#x\n", pid, (unsigned)status);
}

static void forks(const char *self) {
    long before = 0;
    for (int i = 0; i < FORKS * times; i++) {
        spawn(self);
        if (i == FORKS / 10)
            before = resident();
    }
    steady("fork and exec", before);
}

static void *echo(void *arg) {
    return arg;
}

static void threads(void) {
    long before = 0;
    for (intptr_t i = 0; i < THREADS * times; i++) {
        pthread_t t;
        void *back = NULL;
        int rc = pthread_create(&t, NULL, echo, (void *)i);
        if (rc || pthread_join(t, &back) || back != (void *)i) {
            printf("thread %d: error %d, %p came back\n", (int)i, rc, back);
            return;
        }
        if (i == THREADS / 10)
            before = resident();
    }
    steady("threads", before);
}

static void on_signal(int signo, siginfo_t *info, void *context) {
    (void)signo;
    (void)context;
    arrived++;
    sum += (unsigned)info->si_value.sival_int;
}

static void to_itself(void) {
    arrived = 0;
    for (int i = 0; i < SIGNALS * times; i++)
        raise(SIGUSR1);
    printf("raised: %d arrived\n", (int)arrived);
}

static void queue(pid_t to) {
    for (int i = 0; i < SIGNALS * times; i++)
        while (sigqueue(to, SIGRTMIN, (union sigval){.sival_int = i})) {
            if (errno != EAGAIN)
                _exit(1);
            usleep(100);
        }
    _exit(0);
}

/* Another process sends them as fast as it can; each interrupts whatever goes on here. */
static void from_another(void) {
    int status = -1;
    pid_t self = getpid();
    arrived = 0;
    sum = 0;
    pid_t pid = fork();
    if (pid == 0)
        queue(self);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    printf("queued: %d arrived, sum %lu, status %d\n", (int)arrived, sum, status);
}

int main(int argc, char **argv) {
    if (argc > 1 && argv[1][0] == 'c')
        return 23;
    if (argc > 1)
        times = atoi(argv[1]);
    setvbuf(stdout, NULL, _IONBF, 0);
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &sa, NULL);
    sigaction(SIGRTMIN, &sa, NULL);
    forks(argv[0]);
    threads();
    to_itself();
    long before = resident();
    to_itself();
    from_another();
    steady("signals", before);
    return 0;
}
