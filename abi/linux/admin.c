/*
 * Names and terminals of the system: the host says whether the guest may. What would change the
 * tree of files under blink is refused in syscalls.def. On the vCPU's thread.
 */
#include <sys/syscall.h>
#include <unistd.h>

#include "arg.h"

int64_t lx_sys_vhangup(struct lx_call *c) {
    (void)c;
    return lx_result(syscall(SYS_vhangup));
}

static int64_t set_name(struct lx_call *c, int number) {
    struct lx_piece p;
    int32_t size = (int32_t)c->a[1];
    int64_t rc =
        lx_piece(c, c->a[0], size > 0 && size <= 64 ? (uint32_t)size : 0, BLINK_PROT_READ, &p);
    if (rc < 0)
        return rc;
    rc = lx_result(syscall(number, p.host, size));
    lx_piece_end(c, &p, 0);
    return rc;
}

int64_t lx_sys_sethostname(struct lx_call *c) {
    return set_name(c, SYS_sethostname);
}

int64_t lx_sys_setdomainname(struct lx_call *c) {
    return set_name(c, SYS_setdomainname);
}
