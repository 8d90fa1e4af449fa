/*
 * What interrupts a program from outside: cancelled threads, ids changed in all threads, queued
 * real-time signals in order, timers into busy loops and sleeps, mutexes of threads that died,
 * forks of a program with threads, storms of signals and of threads.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

static volatile sig_atomic_t count;

static void bump(int signo) {
    (void)signo;
    count++;
}

static void watch(int signo, int flags) {
    struct sigaction a = {.sa_handler = bump, .sa_flags = flags};
    sigaction(signo, &a, NULL);
    count = 0;
}

static void *sleeps(void *arg) {
    for (;;)
        pause();
    return arg;
}

static void *loops(void *arg) {
    volatile long *n = arg;
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    for (;;)
        ++*n;
    return arg;
}

static void *adds(void *arg) {
    __atomic_fetch_add((long *)arg, 1, __ATOMIC_SEQ_CST);
    return arg;
}

static void cancel(pthread_t thread) {
    void *result = NULL;
    CHECK(pthread_cancel(thread) == 0);
    CHECK(pthread_join(thread, &result) == 0 && result == PTHREAD_CANCELED);
}

static void cancelled(void) {
    static volatile long n;
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, sleeps, NULL) == 0);
    cancel(thread);
    CHECK(pthread_create(&thread, NULL, loops, (void *)&n) == 0);
    while (n == 0)
        sched_yield();
    cancel(thread);
}

/* The C library makes every thread call it, by a signal of its own. */
static void ids(void) {
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, sleeps, NULL) == 0);
    CHECK(setgid(getgid()) == 0 && setuid(getuid()) == 0);
    cancel(thread);
}

static int order[16], ordered;

static void note(int signo, siginfo_t *info, void *context) {
    (void)signo, (void)context;
    order[ordered++ & 15] = info->si_value.sival_int;
}

static void queued(void) {
    struct sigaction a = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
    struct timespec moment = {0, 1000000};
    sigset_t set, old;
    siginfo_t info;
    sigaction(SIGRTMIN + 1, &a, NULL);
    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN + 1);
    sigprocmask(SIG_BLOCK, &set, &old);
    for (int k = 0; k < 5; k++)
        CHECK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = k}) == 0);
    sigprocmask(SIG_SETMASK, &old, NULL);
    CHECK(ordered == 5);
    for (int k = 0; k < 5; k++)
        CHECK(order[k] == k);
    sigprocmask(SIG_BLOCK, &set, &old);
    sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 42});
    CHECK(sigwaitinfo(&set, &info) == SIGRTMIN + 1 && info.si_value.sival_int == 42);
    CHECK(info.si_code == SI_QUEUE && info.si_pid == getpid());
    CHECK(sigtimedwait(&set, &info, &moment) == -1 && errno == EAGAIN);
    sigprocmask(SIG_SETMASK, &old, NULL);
}

static void timed(void) {
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
    struct itimerspec often = {{0, 1000000}, {0, 1000000}};
    struct itimerval once = {{0, 0}, {0, 10000}}, fast = {{0, 500}, {0, 500}}, never = {0};
    struct timespec long_time = {30, 0}, left = {0};
    timer_t timer;
    watch(SIGALRM, 0);
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    CHECK(timer_settime(timer, 0, &often, NULL) == 0);
    while (count < 20)
        pause();
    CHECK(timer_delete(timer) == 0);
    setitimer(ITIMER_REAL, &once, NULL);
    CHECK(nanosleep(&long_time, &left) == -1 && errno == EINTR && left.tv_sec == 29);
    /* Into a loop that makes no calls. */
    count = 0;
    setitimer(ITIMER_REAL, &fast, NULL);
    for (volatile double x = 1; count < 50;)
        x = x * 1.0001 + 0.5;
    setitimer(ITIMER_REAL, &never, NULL);
}

static pthread_mutex_t mutex;

static void *dies(void *arg) {
    pthread_mutex_lock(&mutex);
    return arg;
}

static void robust(void) {
    pthread_mutexattr_t attr;
    pthread_t thread;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&mutex, &attr);
    pthread_create(&thread, NULL, dies, NULL);
    pthread_join(thread, NULL);
    CHECK(pthread_mutex_lock(&mutex) == EOWNERDEAD);
    CHECK(pthread_mutex_consistent(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
}

/* The child has one thread, and may make more. */
static void forked(void) {
    pthread_t thread[4], other;
    for (int k = 0; k < 4; k++)
        CHECK(pthread_create(&thread[k], NULL, sleeps, NULL) == 0);
    for (int k = 0; k < 10; k++) {
        int status;
        pid_t pid = fork();
        if (pid == 0) {
            long n = 6;
            pthread_create(&other, NULL, adds, &n);
            pthread_join(other, NULL);
            _exit((int)n);
        }
        CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7);
    }
    for (int k = 0; k < 4; k++)
        cancel(thread[k]);
}

static pthread_barrier_t barrier;

static void *waits(void *arg) {
    pthread_barrier_wait(&barrier);
    return arg;
}

static void many_threads(void) {
    enum { ALIVE = 1000 };
    static pthread_t thread[ALIVE];
    pthread_attr_t attr;
    long n = 0;
    int made = 0;
    for (int k = 0; k < 1000; k++) {
        pthread_create(&thread[0], NULL, adds, &n);
        pthread_join(thread[0], NULL);
    }
    CHECK(n == 1000);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 65536);
    pthread_barrier_init(&barrier, NULL, ALIVE + 1);
    for (int k = 0; k < ALIVE; k++)
        made += pthread_create(&thread[k], &attr, waits, NULL) == 0;
    if (!CHECK(made == ALIVE))
        exit(guest_done());
    pthread_barrier_wait(&barrier);
    for (int k = 0; k < ALIVE; k++)
        pthread_join(thread[k], NULL);
}

/* None is lost: each to oneself, and queued by another process. */
static void many_signals(void) {
    int status;
    watch(SIGUSR1, 0);
    for (int k = 0; k < 20000; k++)
        kill(getpid(), SIGUSR1);
    CHECK(count == 20000);
    watch(SIGRTMIN + 2, SA_RESTART);
    pid_t pid = fork();
    if (pid == 0) {
        for (int k = 0; k < 5000; k++)
            while (sigqueue(getppid(), SIGRTMIN + 2, (union sigval){0}) && errno == EAGAIN)
                usleep(100);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    while (count < 5000)
        usleep(1000);
    CHECK(count == 5000);
}

int main(void) {
    cancelled();
    ids();
    queued();
    timed();
    robust();
    forked();
    many_threads();
    many_signals();
    return guest_done();
}
