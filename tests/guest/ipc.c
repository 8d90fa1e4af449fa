/*
 * System V and POSIX IPC: shared memory over fork and remapping, semaphores, queues; memory of
 * another mapping of the same segment.
 */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

static void shared_memory(void) {
    int id = shmget(IPC_PRIVATE, 10000, IPC_CREAT | 0600);
    CHECK(id >= 0);
    char *one = shmat(id, NULL, 0), *two = shmat(id, NULL, SHM_RDONLY);
    CHECK(one != (void *)-1 && two != (void *)-1 && one != two);
    strcpy(one + 9000, "through");
    CHECK(!strcmp(two + 9000, "through"));
    struct shmid_ds ds;
    CHECK(shmctl(id, IPC_STAT, &ds) == 0);
    printf("attached %lu, size %zu\n", (unsigned long)ds.shm_nattch, ds.shm_segsz);
    if (fork() == 0) {
        strcpy(one, "child");
        _exit(two[0] != 'c');
    }
    int status;
    CHECK(wait(&status) > 0 && status == 0);
    CHECK(!strcmp(two, "child"));
    CHECK(shmdt(two) == 0);
    CHECK(shmdt(two) == -1 && errno == EINVAL);
    CHECK(shmdt(one + 4096) == -1 && errno == EINVAL);
    /* At a chosen address, in place of what is there. */
    char *place = mmap(NULL, 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(shmat(id, place + 4096, 0) == (void *)-1 && errno == EINVAL);
    CHECK(shmat(id, place + 4097, SHM_REMAP) == (void *)-1 && errno == EINVAL);
    char *three = shmat(id, place + 4097, SHM_REMAP | SHM_RND);
    CHECK(three == place + 4096 && !strcmp(three, "child"));
    CHECK(mprotect(three, 4096, PROT_READ) == 0);
    CHECK(shmctl(id, IPC_RMID, NULL) == 0);
    CHECK(!strcmp(one, "child"));
    CHECK(shmdt(one) == 0 && shmdt(three) == 0);
    CHECK(shmat(id, NULL, 0) == (void *)-1 && errno == EINVAL);
}

static void semaphores(void) {
    union {
        int value;
        struct semid_ds *ds;
        unsigned short *array;
    } u;
    unsigned short values[3] = {1, 2, 3}, got[3] = {0};
    int id = semget(IPC_PRIVATE, 3, IPC_CREAT | 0600);
    CHECK(id >= 0);
    u.array = values;
    CHECK(semctl(id, 0, SETALL, u) == 0);
    struct sembuf down = {1, -2, 0}, wait_more = {1, -1, IPC_NOWAIT}, zero = {1, 0, 0};
    CHECK(semop(id, &down, 1) == 0);
    CHECK(semop(id, &wait_more, 1) == -1 && errno == EAGAIN);
    CHECK(semop(id, &zero, 1) == 0);
    struct timespec ts = {0, 10000000};
    wait_more.sem_flg = 0;
    CHECK(semtimedop(id, &wait_more, 1, &ts) == -1 && errno == EAGAIN);
    u.array = got;
    CHECK(semctl(id, 0, GETALL, u) == 0);
    printf("semaphores %d %d %d\n", got[0], got[1], got[2]);
    struct semid_ds ds;
    u.ds = &ds;
    CHECK(semctl(id, 0, IPC_STAT, u) == 0);
    CHECK(ds.sem_nsems == 3 && ds.sem_perm.uid == geteuid() && ds.sem_ctime > 1000000000);
    CHECK(ds.sem_otime > 1000000000);
    u.value = 7;
    CHECK(semctl(id, 2, SETVAL, u) == 0 && semctl(id, 2, GETVAL) == 7);
    CHECK(semctl(id, 1, GETPID) == getpid());
    if (fork() == 0) {
        usleep(20000);
        struct sembuf up = {1, 1, 0};
        _exit(semop(id, &up, 1) != 0);
    }
    CHECK(semop(id, &wait_more, 1) == 0);
    CHECK(wait(NULL) > 0);
    CHECK(semctl(id, 0, IPC_RMID) == 0);
    CHECK(semop(id, &down, 1) == -1 && errno == EINVAL);
}

static void queues(void) {
    struct {
        long type;
        char text[64];
    } m = {3, "third"};
    int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
    CHECK(id >= 0);
    CHECK(msgsnd(id, &m, 6, 0) == 0);
    m.type = 2;
    strcpy(m.text, "second");
    CHECK(msgsnd(id, &m, 7, 0) == 0);
    struct msqid_ds ds;
    CHECK(msgctl(id, IPC_STAT, &ds) == 0 && ds.msg_qnum == 2);
    CHECK(msgrcv(id, &m, sizeof m.text, 2, 0) == 7 && !strcmp(m.text, "second"));
    CHECK(msgrcv(id, &m, 2, 0, 0) == -1 && errno == E2BIG);
    CHECK(msgrcv(id, &m, 2, 0, MSG_NOERROR) == 2 && m.type == 3);
    CHECK(msgrcv(id, &m, 2, 0, IPC_NOWAIT) == -1 && errno == ENOMSG);
    m.type = 0;
    CHECK(msgsnd(id, &m, 1, 0) == -1 && errno == EINVAL);
    CHECK(msgctl(id, IPC_RMID, NULL) == 0);
}

static volatile sig_atomic_t notified;

static void on_notify(int signo, siginfo_t *info, void *context) {
    (void)signo, (void)context;
    notified = info->si_value.sival_int;
}

static void posix_queues(void) {
    char name[64], text[128];
    unsigned priority;
    struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 128};
    snprintf(name, sizeof name, "/blink-test-%d", getpid());
    mqd_t q = mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0600, &attr);
    if (q == (mqd_t)-1 && errno == ENOSYS)
        return;
    CHECK(q != (mqd_t)-1);
    struct sigaction sa = {.sa_sigaction = on_notify, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR2, &sa, NULL);
    struct sigevent event = {
        .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value.sival_int = 77};
    CHECK(mq_notify(q, &event) == 0);
    CHECK(mq_send(q, "low", 4, 1) == 0 && mq_send(q, "high", 5, 9) == 0);
    for (int k = 0; k < 100 && !notified; k++)
        usleep(1000);
    CHECK(notified == 77);
    CHECK(mq_receive(q, text, sizeof text, &priority) == 5 && priority == 9);
    CHECK(mq_receive(q, text, 10, NULL) == -1 && errno == EMSGSIZE);
    CHECK(mq_receive(q, text, sizeof text, NULL) == 4 && !strcmp(text, "low"));
    CHECK(mq_receive(q, text, sizeof text, NULL) == -1 && errno == EAGAIN);
    CHECK(mq_getattr(q, &attr) == 0 && attr.mq_maxmsg == 4 && attr.mq_flags == O_NONBLOCK);
    CHECK(mq_unlink(name) == 0 && mq_close(q) == 0);
}

int main(void) {
    shared_memory();
    semaphores();
    queues();
    posix_queues();
    return guest_done();
}
