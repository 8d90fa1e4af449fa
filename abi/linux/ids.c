/*
 * Who the process is: users, groups, capabilities. The host's calls as they are, without the C
 * library, which would set the ids of all threads: that is the guest's own library's work. On the
 * vCPU's thread.
 */
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arg.h"

#define NO_ARGUMENT(name)                                                                          \
  int64_t lx_sys_##name(struct lx_call *c) {                                                       \
    (void)c;                                                                                       \
    return lx_result(syscall(SYS_##name));                                                         \
  }
#define ONE_ID(name)                                                                               \
  int64_t lx_sys_##name(struct lx_call *c) {                                                       \
    return lx_result(syscall(SYS_##name, (uint32_t)c->a[0]));                                      \
  }
#define TWO_IDS(name)                                                                              \
  int64_t lx_sys_##name(struct lx_call *c) {                                                       \
    return lx_result(syscall(SYS_##name, (uint32_t)c->a[0], (uint32_t)c->a[1]));                   \
  }
#define THREE_IDS(name)                                                                            \
  int64_t lx_sys_##name(struct lx_call *c) {                                                       \
    return lx_result(                                                                              \
        syscall(SYS_##name, (uint32_t)c->a[0], (uint32_t)c->a[1], (uint32_t)c->a[2]));             \
  }

NO_ARGUMENT(getuid)
NO_ARGUMENT(geteuid)
NO_ARGUMENT(getgid)
NO_ARGUMENT(getegid)
ONE_ID(setuid)
ONE_ID(setgid)
ONE_ID(setfsuid)
ONE_ID(setfsgid)
TWO_IDS(setreuid)
TWO_IDS(setregid)
THREE_IDS(setresuid)
THREE_IDS(setresgid)

static int64_t three_out(struct lx_call *c, int number) {
    uint32_t id[3];
    int64_t rc = lx_result(syscall(number, &id[0], &id[1], &id[2]));
    for (int k = 0; k < 3 && rc == 0; k++)
        rc = lx_out(c, c->a[k], &id[k], sizeof id[k]);
    return rc;
}

int64_t lx_sys_getresuid(struct lx_call *c) {
    return three_out(c, SYS_getresuid);
}

int64_t lx_sys_getresgid(struct lx_call *c) {
    return three_out(c, SYS_getresgid);
}

/* ---- groups ---- */

#define GROUPS_MAX 65536 /* NGROUPS_MAX of Linux */

int64_t lx_sys_getgroups(struct lx_call *c) {
    int32_t room = (int32_t)c->a[0];
    uint32_t *id;
    if (room < 0)
        return -EINVAL;
    if (room > GROUPS_MAX)
        room = GROUPS_MAX;
    if (!(id = malloc(((size_t)room + 1) * sizeof *id)))
        return -ENOMEM;
    int64_t rc = lx_result(syscall(SYS_getgroups, room, id));
    if (rc > 0 && room && lx_out(c, c->a[1], id, (size_t)rc * sizeof *id) < 0)
        rc = -EFAULT;
    free(id);
    return rc;
}

int64_t lx_sys_setgroups(struct lx_call *c) {
    struct lx_piece p;
    uint32_t count = (uint32_t)c->a[0];
    uint64_t size = (count < GROUPS_MAX ? count : GROUPS_MAX) * sizeof(uint32_t);
    int64_t rc = lx_piece(c, c->a[1], size, BLINK_PROT_READ, &p);
    if (rc < 0)
        return rc;
    rc = lx_result(syscall(SYS_setgroups, count, p.host));
    lx_piece_end(c, &p, 0);
    return rc;
}

/* ---- capabilities ---- */

/* How many structures the version of the header means; one that Linux does not know has none. */
static size_t cap_size(const struct __user_cap_header_struct *head) {
    size_t count = head->version == _LINUX_CAPABILITY_VERSION_1   ? 1
                   : head->version == _LINUX_CAPABILITY_VERSION_2 ? 2
                   : head->version == _LINUX_CAPABILITY_VERSION_3 ? 2
                                                                  : 0;
    return count * sizeof(struct __user_cap_data_struct);
}

/* The process is only looked at under a known version. */
static int header_in(struct lx_call *c, struct __user_cap_header_struct *head) {
    int rc = lx_in(c, &head->version, c->a[0], sizeof head->version);
    if (rc == 0 && cap_size(head))
        rc = lx_in(c, head, c->a[0], sizeof *head);
    return rc;
}

/* An unknown version is answered with the one Linux would like. */
static int64_t give_version(struct lx_call *c, const struct __user_cap_header_struct *head,
                            uint32_t asked, int64_t rc) {
    if (head->version != asked && lx_out(c, c->a[0], &head->version, sizeof head->version) < 0)
        return -EFAULT;
    return rc;
}

int64_t lx_sys_capget(struct lx_call *c) {
    struct __user_cap_header_struct head = {0};
    struct __user_cap_data_struct data[2];
    if (header_in(c, &head) < 0)
        return -EFAULT;
    uint32_t asked = head.version;
    size_t size = cap_size(&head);
    int64_t rc = lx_result(syscall(SYS_capget, &head, c->a[1] ? data : NULL));
    rc = give_version(c, &head, asked, rc);
    return size ? lx_give(c, rc, c->a[1], data, size) : rc;
}

int64_t lx_sys_capset(struct lx_call *c) {
    struct __user_cap_header_struct head = {0};
    struct __user_cap_data_struct data[2];
    if (header_in(c, &head) < 0)
        return -EFAULT;
    uint32_t asked = head.version;
    size_t size = cap_size(&head);
    const void *host = size ? lx_arg(c, data, c->a[1], size) : data;
    int64_t rc = lx_result(syscall(SYS_capset, &head, host ? host : lx_nowhere(c->abi)));
    return give_version(c, &head, asked, rc);
}
