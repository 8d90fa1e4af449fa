/*
 * System V shared memory. The guest's address space gets a region of shared memory of the right
 * size, and the host attaches the segment over the host memory of it. What is attached is kept in
 * a list, guarded by the instance's lock, for shmdt to know the size. On the vCPU's thread.
 */
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arg.h"

_Static_assert(sizeof(struct shmid_ds) == 112, "struct shmid64_ds");

#ifndef SHM_STAT_ANY
  #define SHM_STAT_ANY 15
#endif

struct lx_attached {
    struct lx_attached *next;
    uint64_t address, size;
};

void lx_shm_finish(struct blink_plugin *abi) {
    while (abi->attached) {
        struct lx_attached *a = abi->attached;
        abi->attached = a->next;
        free(a);
    }
}

int64_t lx_sys_shmget(struct lx_call *c) {
    return lx_result(syscall(SYS_shmget, (int32_t)c->a[0], c->a[1], (int32_t)c->a[2]));
}

int64_t lx_sys_shmctl(struct lx_call *c) {
    union {
        struct shmid_ds ds;
        struct shminfo info;
        struct shm_info usage;
    } u;
    static const struct {
        int command;
        size_t size;
    } out[] = {
        {IPC_STAT, sizeof u.ds},   {SHM_STAT, sizeof u.ds},    {SHM_STAT_ANY, sizeof u.ds},
        {IPC_INFO, sizeof u.info}, {SHM_INFO, sizeof u.usage},
    };
    int command = (int32_t)c->a[1];
    if (command == IPC_SET && lx_in(c, &u.ds, c->a[2], sizeof u.ds) < 0)
        return -EFAULT;
    int64_t rc = lx_result(syscall(SYS_shmctl, (int32_t)c->a[0], command, &u));
    for (size_t k = 0; k < sizeof out / sizeof out[0] && rc >= 0; k++)
        if (out[k].command == command && lx_out(c, c->a[2], &u, out[k].size) < 0)
            rc = -EFAULT;
    return rc;
}

/* ---- attaching ---- */

/* Where, and how the address space is asked for it. */
static int64_t wanted(const struct lx_call *c, uint64_t *address, uint32_t *flags) {
    uint32_t given = (uint32_t)c->a[2];
    *address = c->a[1];
    *flags = BLINK_MAP_SHARED | BLINK_MAP_ANON;
    if (!*address)
        return given & SHM_REMAP ? -EINVAL : 0;
    if (given & SHM_RND)
        *address &= ~(uint64_t)(BLINK_PAGE_SIZE - 1);
    if (*address % BLINK_PAGE_SIZE || (!*address && given & SHM_REMAP))
        return -EINVAL;
    if (*address)
        *flags |= given & SHM_REMAP ? BLINK_MAP_FIXED : BLINK_MAP_NOREPLACE;
    return 0;
}

/* Put the segment over the host memory of a region that was made for it. */
static int64_t attach_over(struct lx_call *c, int id, uint64_t address, uint64_t size,
                           uint32_t flags) {
    struct blink_mem_span span;
    uint32_t count = 1, access = flags & SHM_RDONLY ? BLINK_PROT_READ : BLINK_PROT_WRITE;
    uint64_t covered = size;
    const struct blink_mem_iface *mem = &c->abi->mem;
    int64_t rc = mem->pin(c->cpu->mem, address, &covered, access, &span, &count);
    if (rc < 0)
        return rc;
    if (covered < size) {
        rc = -ENOMEM;
    } else {
        void *at = shmat(id, span.host, SHM_REMAP | (int)(flags & SHM_RDONLY));
        rc = at == (void *)-1 ? -errno : 0;
    }
    mem->unpin(c->cpu->mem, address, covered, access);
    return rc;
}

static uint32_t prot_of(uint32_t flags) {
    return BLINK_PROT_READ | (flags & SHM_RDONLY ? 0 : BLINK_PROT_WRITE) |
           (flags & SHM_EXEC ? BLINK_PROT_EXEC : 0);
}

int64_t lx_sys_shmat(struct lx_call *c) {
    int id = (int32_t)c->a[0];
    uint32_t map_flags, flags = (uint32_t)c->a[2];
    uint64_t address;
    struct shmid_ds ds;
    if (id < 0)
        return -EINVAL;
    int64_t rc = wanted(c, &address, &map_flags);
    if (rc < 0)
        return rc;
    if (shmctl(id, IPC_STAT, &ds) < 0)
        return -errno;
    uint64_t size = (ds.shm_segsz + BLINK_PAGE_SIZE - 1) & ~(uint64_t)(BLINK_PAGE_SIZE - 1);
    struct lx_attached *a = malloc(sizeof *a);
    if (!a)
        return -ENOMEM;
    rc = c->abi->mem.map(c->cpu->mem, address, size, prot_of(flags), map_flags, -1, 0, &address);
    if (rc == 0) {
        rc = attach_over(c, id, address, size, flags);
        if (rc < 0)
            c->abi->mem.unmap(c->cpu->mem, address, size);
    }
    if (rc < 0) {
        free(a);
        return rc == -EEXIST ? -EINVAL : rc;
    }
    c->abi->mem.set_name(c->cpu->mem, address, size, "/SYSV");
    pthread_mutex_lock(&c->abi->lock);
    *a = (struct lx_attached){c->abi->attached, address, size};
    c->abi->attached = a;
    pthread_mutex_unlock(&c->abi->lock);
    return (int64_t)address;
}

int64_t lx_sys_shmdt(struct lx_call *c) {
    struct lx_attached *a, **link = &c->abi->attached;
    pthread_mutex_lock(&c->abi->lock);
    while ((a = *link) && a->address != c->a[0])
        link = &a->next;
    if (a)
        *link = a->next;
    pthread_mutex_unlock(&c->abi->lock);
    if (!a)
        return -EINVAL;
    int64_t rc = c->abi->mem.unmap(c->cpu->mem, a->address, a->size);
    free(a);
    return rc;
}
