/*
 * System V semaphores and message queues; shared memory is in shm.c. On the vCPU's thread.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arg.h"

_Static_assert(sizeof(struct ipc_perm) == 48, "struct ipc64_perm");
_Static_assert(sizeof(struct msqid_ds) == 120, "struct msqid64_ds");
_Static_assert(sizeof(struct sembuf) == 6, "struct sembuf");

#ifndef MSG_STAT_ANY
  #define MSG_STAT_ANY 13
#endif
#ifndef SEM_STAT_ANY
  #define SEM_STAT_ANY 20
#endif

/* ---- semaphores ---- */

/* struct semid64_ds has its own layout on x86-64. */
struct g_semid_ds {
    struct ipc_perm perm;
    int64_t otime, unused1, ctime, unused2;
    uint64_t nsems, unused3, unused4;
};
_Static_assert(sizeof(struct g_semid_ds) == 104, "struct semid64_ds");

int64_t lx_sys_semget(struct lx_call *c) {
    return lx_result(syscall(SYS_semget, (int32_t)c->a[0], (int32_t)c->a[1], (int32_t)c->a[2]));
}

/* More operations at once than any host is set to take. */
#define OPERATIONS_MAX 32000

static int64_t operate(struct lx_call *c, uint64_t timeout) {
    struct sembuf small[16], *op = small;
    struct timespec ts;
    uint32_t count = (uint32_t)c->a[2];
    if (count < 1)
        return -EINVAL;
    if (count > OPERATIONS_MAX)
        return -E2BIG;
    if (count > 16 && !(op = malloc(count * sizeof *op)))
        return -ENOMEM;
    int64_t rc = lx_in(c, op, c->a[1], count * sizeof *op);
    if (rc == 0 && timeout)
        rc = lx_in(c, &ts, timeout, sizeof ts);
    if (rc == 0)
        rc = LX_SYSCALL(c, SYS_semtimedop, (int32_t)c->a[0], op, count, timeout ? &ts : NULL, 0, 0);
    if (op != small)
        free(op);
    return rc;
}

int64_t lx_sys_semop(struct lx_call *c) {
    return operate(c, 0);
}

int64_t lx_sys_semtimedop(struct lx_call *c) {
    return operate(c, c->a[3]);
}

static int64_t semaphore_stat(struct lx_call *c, int id, int command) {
    struct semid_ds ds;
    int64_t rc = lx_result(syscall(SYS_semctl, id, 0, command, &ds));
    struct g_semid_ds g = {
        .perm = ds.sem_perm, .otime = ds.sem_otime, .ctime = ds.sem_ctime, .nsems = ds.sem_nsems};
    if (rc >= 0 && lx_out(c, c->a[3], &g, sizeof g) < 0)
        rc = -EFAULT;
    return rc;
}

static int64_t semaphore_set(struct lx_call *c, int id) {
    struct g_semid_ds g;
    struct semid_ds ds = {0};
    if (lx_in(c, &g, c->a[3], sizeof g) < 0)
        return -EFAULT;
    ds.sem_perm = g.perm;
    return lx_result(syscall(SYS_semctl, id, 0, IPC_SET, &ds));
}

/* All values of the set, whose size is asked for first. */
static int64_t semaphore_all(struct lx_call *c, int id, int command) {
    struct semid_ds ds;
    struct lx_piece p;
    int64_t rc = lx_result(syscall(SYS_semctl, id, 0, IPC_STAT, &ds));
    if (rc < 0)
        return rc;
    uint64_t size = ds.sem_nsems * sizeof(uint16_t);
    rc = lx_piece(c, c->a[3], size, command == GETALL ? BLINK_PROT_WRITE : BLINK_PROT_READ, &p);
    if (rc < 0)
        return rc;
    rc = lx_result(syscall(SYS_semctl, id, 0, command, p.host));
    if (lx_piece_end(c, &p, rc == 0 ? size : 0) < 0)
        rc = -EFAULT;
    return rc;
}

int64_t lx_sys_semctl(struct lx_call *c) {
    int id = (int32_t)c->a[0], which = (int32_t)c->a[1], command = (int32_t)c->a[2];
    struct seminfo info;
    int64_t rc;
    switch (command) {
    case IPC_STAT:
    case SEM_STAT:
    case SEM_STAT_ANY: return semaphore_stat(c, id, command);
    case IPC_SET: return semaphore_set(c, id);
    case IPC_INFO:
    case SEM_INFO:
        rc = lx_result(syscall(SYS_semctl, id, 0, command, &info));
        if (rc >= 0 && lx_out(c, c->a[3], &info, sizeof info) < 0)
            rc = -EFAULT;
        return rc;
    case GETALL:
    case SETALL: return semaphore_all(c, id, command);
    case SETVAL: return lx_result(syscall(SYS_semctl, id, which, command, (int32_t)c->a[3]));
    default: return lx_result(syscall(SYS_semctl, id, which, command, 0));
    }
}

/* ---- message queues ---- */

#define MESSAGE_MAX (UINT64_C(1) << 20) /* room for one that is received */

int64_t lx_sys_msgget(struct lx_call *c) {
    return lx_result(syscall(SYS_msgget, (int32_t)c->a[0], (int32_t)c->a[1]));
}

/* A message is its type, 8 bytes, and the text. */
int64_t lx_sys_msgsnd(struct lx_call *c) {
    struct lx_piece p;
    uint64_t size = c->a[2] < LX_RW_MAX ? c->a[2] : 0;
    int64_t rc = lx_piece(c, c->a[1], size + 8, BLINK_PROT_READ, &p);
    if (rc < 0)
        return rc;
    rc = LX_SYSCALL(c, SYS_msgsnd, (int32_t)c->a[0], p.host, c->a[2], (int32_t)c->a[3], 0, 0);
    lx_piece_end(c, &p, 0);
    return rc;
}

/* The guest's room may be more than there is memory: only what came must fit. */
int64_t lx_sys_msgrcv(struct lx_call *c) {
    uint64_t size = c->a[2] < MESSAGE_MAX ? c->a[2] : MESSAGE_MAX;
    if ((int64_t)c->a[2] < 0)
        return -EINVAL;
    uint8_t *bytes = malloc(size + 8);
    if (!bytes)
        return -ENOMEM;
    int64_t rc =
        LX_SYSCALL(c, SYS_msgrcv, (int32_t)c->a[0], bytes, size, c->a[3], (int32_t)c->a[4], 0);
    if (rc >= 0 && lx_out(c, c->a[1], bytes, (size_t)rc + 8) < 0)
        rc = -EFAULT;
    free(bytes);
    return rc;
}

int64_t lx_sys_msgctl(struct lx_call *c) {
    union {
        struct msqid_ds ds;
        struct msginfo info;
    } u;
    int id = (int32_t)c->a[0], command = (int32_t)c->a[1];
    size_t size = command == IPC_INFO || command == MSG_INFO ? sizeof u.info
                  : command == IPC_STAT || command == MSG_STAT || command == MSG_STAT_ANY
                      ? sizeof u.ds
                      : 0;
    if (command == IPC_SET && lx_in(c, &u.ds, c->a[2], sizeof u.ds) < 0)
        return -EFAULT;
    int64_t rc = lx_result(syscall(SYS_msgctl, id, command, &u));
    if (rc >= 0 && size && lx_out(c, c->a[2], &u, size) < 0)
        rc = -EFAULT;
    return rc;
}
