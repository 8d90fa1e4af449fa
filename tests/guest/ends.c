/*
 * Ways to end, chosen by the first argument: a status, or a signal.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static volatile int zero;

static void *exits(void *arg) {
    exit((int)(long)arg);
}

/* The first thread is gone by then. While it ends, exit() would take away what its end needs to
 * find its way up the stack: it would abort. */
static pthread_t first;
static void *exits_alone(void *arg) {
    pthread_join(first, NULL);
    exit((int)(long)arg);
}

/* Signals of all kinds that are blocked when the process ends, and never arrive. */
static void *pending(void *arg) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGRTMIN);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    kill(getpid(), SIGTERM);
    for (int k = 0; k < 100; k++)
        sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = k});
    return arg;
}

int main(int argc, char **argv) {
    const char *how = argc > 1 ? argv[1] : "return";
    int value = argc > 2 ? atoi(argv[2]) : 0;
    if (!strcmp(how, "return"))
        return value;
    if (!strcmp(how, "exit"))
        exit(value);
    if (!strcmp(how, "_exit")) {
        printf("never seen");
        _exit(value);
    }
    if (!strcmp(how, "pending")) {
        pending(NULL);
        return value;
    }
    if (!strcmp(how, "thread-pending")) {
        pthread_t t;
        pending(NULL);
        first = pthread_self();
        pthread_create(&t, NULL, exits_alone, (void *)(long)value);
        pthread_exit(NULL);
    }
    if (!strcmp(how, "thread")) {
        pthread_t t;
        pthread_create(&t, NULL, exits, (void *)(long)value);
        for (;;)
            pause();
    }
    if (!strcmp(how, "last-thread")) {
        /* The first thread ends alone; its status is that of the process. */
        syscall(SYS_exit, value);
    }
    printf("about to %s\n", how);
    fflush(stdout);
    if (!strcmp(how, "abort"))
        abort();
    if (!strcmp(how, "raise"))
        raise(value);
    if (!strcmp(how, "kill"))
        kill(getpid(), value);
    if (!strcmp(how, "ignore-segv")) {
        /* A fault cannot be ignored. */
        signal(SIGSEGV, SIG_IGN);
        how = "segv";
    }
    if (!strcmp(how, "block-segv")) {
        sigset_t all;
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
        how = "segv";
    }
    if (!strcmp(how, "segv"))
        *(volatile char *)(16L + zero) = 1;
    if (!strcmp(how, "divide"))
        printf("%d\n", (value + 100) / zero);
    if (!strcmp(how, "ud2"))
        __asm__ volatile("ud2");
    if (!strcmp(how, "int3"))
        __asm__ volatile("int3");
    if (!strcmp(how, "bad-stack"))
        __asm__ volatile("mov $8, %rsp; push %rax");
    if (!strcmp(how, "jump"))
        ((void (*)(void))(0x12345678L + zero))();
    if (!strcmp(how, "hang-up")) {
        alarm(1);
        for (;;)
            ;
    }
    return 98;
}
