/*
 * Clocks, sleeping and timers that send signals, to the process, to a thread and by a thread of
 * the C library; cancelling of threads, which uses the library's own signals.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

static volatile sig_atomic_t count, value, in_thread;

static void handler(int signo, siginfo_t *info, void *context) {
    (void)signo, (void)context;
    count++;
    value = info->si_value.sival_int;
    in_thread = (int)syscall(SYS_gettid);
}

static void catch (int signo, int flags) {
    struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    sigaction(signo, &sa, NULL);
    count = 0;
}

static double now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void clocks(void) {
    struct timespec a, b;
    for (int k = 0; k < 12; k++)
        if (k != 10)
            CHECK(clock_gettime(k, &a) == 0 || errno == EINVAL);
    clock_gettime(CLOCK_REALTIME, &a);
    CHECK(labs((long)(time(NULL) - a.tv_sec)) <= 1);
    struct timeval tv;
    CHECK(gettimeofday(&tv, NULL) == 0 && labs((long)(tv.tv_sec - a.tv_sec)) <= 1);
    CHECK(clock_getres(CLOCK_MONOTONIC, &b) == 0 && b.tv_sec == 0);
    CHECK(clock_gettime(12345, &a) == -1 && errno == EINVAL);
    struct tms t;
    CHECK(times(&t) != (clock_t)-1);
}

static void sleeping(void) {
    struct timespec ts = {0, 20000000}, left = {0, 0};
    double start = now();
    CHECK(nanosleep(&ts, NULL) == 0);
    CHECK(now() - start >= 0.02);
    catch (SIGALRM, SA_RESTART);
    struct itimerval it = {.it_value = {0, 20000}};
    setitimer(ITIMER_REAL, &it, NULL);
    ts = (struct timespec){5, 0};
    CHECK(nanosleep(&ts, &left) == -1 && errno == EINTR); /* not even with SA_RESTART */
    CHECK(count == 1 && left.tv_sec == 4);
    CHECK(alarm(100) == 0 && alarm(0) == 100);
}

static void interval(void) {
    catch (SIGALRM, 0);
    struct itimerval it = {.it_value = {0, 5000}, .it_interval = {0, 5000}}, none = {0};
    setitimer(ITIMER_REAL, &it, NULL);
    while (count < 5)
        pause();
    CHECK(setitimer(ITIMER_REAL, &none, &it) == 0 && it.it_interval.tv_usec == 5000);
    catch (SIGVTALRM, 0);
    it = (struct itimerval){.it_value = {0, 10000}};
    setitimer(ITIMER_VIRTUAL, &it, NULL);
    for (volatile unsigned long k = 0; !count && k < 4000000000u; k++)
        ;
    CHECK(count == 1);
}

static void posix_timers(void) {
    timer_t t;
    struct sigevent event = {
        .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 3, .sigev_value.sival_int = 1234};
    struct itimerspec spec = {.it_value = {0, 5000000}, .it_interval = {0, 5000000}};
    catch (SIGRTMIN + 3, 0);
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &t) == 0);
    CHECK(timer_settime(t, 0, &spec, NULL) == 0);
    while (count < 3)
        pause();
    CHECK(value == 1234);
    CHECK(timer_gettime(t, &spec) == 0 && spec.it_interval.tv_nsec == 5000000);
    CHECK(timer_delete(t) == 0);
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int by_thread;

static void in_other(union sigval v) {
    pthread_mutex_lock(&lock);
    by_thread = v.sival_int;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void thread_timer(void) {
    timer_t t;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD,
                             .sigev_notify_function = in_other,
                             .sigev_value.sival_int = 99};
    struct itimerspec spec = {.it_value = {0, 5000000}};
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &t) == 0);
    CHECK(timer_settime(t, 0, &spec, NULL) == 0);
    pthread_mutex_lock(&lock);
    while (!by_thread)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    CHECK(by_thread == 99);
    timer_delete(t);
}

static void *sleeper(void *arg) {
    (void)arg;
    for (;;)
        pause();
    return NULL;
}

static void *spinner(void *arg) {
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    for (;;)
        ++*(volatile unsigned long *)arg;
    return NULL;
}

static void cancel(void) {
    pthread_t t;
    void *result;
    unsigned long n = 0;
    pthread_create(&t, NULL, sleeper, NULL);
    usleep(10000);
    CHECK(pthread_cancel(t) == 0);
    CHECK(pthread_join(t, &result) == 0 && result == PTHREAD_CANCELED);
    pthread_create(&t, NULL, spinner, &n);
    usleep(10000);
    CHECK(pthread_cancel(t) == 0);
    CHECK(pthread_join(t, &result) == 0 && result == PTHREAD_CANCELED);
}

/* The library sets the ids of all threads by a signal of its own. */
static void ids_of_threads(void) {
    pthread_t t;
    pthread_create(&t, NULL, sleeper, NULL);
    usleep(10000);
    CHECK(setgid(getgid()) == 0);
    CHECK(setuid(getuid()) == 0);
    pthread_cancel(t);
    pthread_join(t, NULL);
}

static void descriptors(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int s = signalfd(-1, &set, SFD_NONBLOCK), t = timerfd_create(CLOCK_MONOTONIC, 0);
    struct signalfd_siginfo info;
    CHECK(read(s, &info, sizeof info) == -1 && errno == EAGAIN);
    kill(getpid(), SIGUSR1);
    struct itimerspec spec = {.it_value = {0, 5000000}, .it_interval = {0, 5000000}};
    CHECK(timerfd_settime(t, 0, &spec, NULL) == 0);
    struct pollfd fds[2] = {{s, POLLIN, 0}, {t, POLLIN, 0}};
    CHECK(poll(fds, 1, 1000) == 1 && poll(fds + 1, 1, 1000) == 1);
    uint64_t times_up = 0;
    CHECK(read(t, &times_up, sizeof times_up) == 8 && times_up >= 1);
    CHECK(read(s, &info, sizeof info) == sizeof info);
    CHECK(info.ssi_signo == SIGUSR1 && info.ssi_pid == (uint32_t)getpid());
    close(s), close(t);
}

int main(void) {
    clocks();
    sleeping();
    interval();
    posix_timers();
    thread_timer();
    cancel();
    ids_of_threads();
    descriptors();
    return guest_done();
}
